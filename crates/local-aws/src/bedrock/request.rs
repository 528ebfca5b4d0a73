//! What was asked, and what is answered, in no vendor's words.

use super::converse::ConverseTask;
use super::converse::billing::text_tokens;

/// A request after its vendor's module has checked it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SimulatedRequest {
    /// Input tokens by our measure.
    pub input_tokens: u64,
    /// Messages of user and assistant.
    pub messages: u64,
    /// The text of the last user message.
    pub question: String,
    /// The output limit in force.
    pub limit: u64,
    /// The stop sequences.
    pub stops: Vec<String>,
    /// What only Converse can ask for.
    pub converse: ConverseTask,
}

impl SimulatedRequest {
    /// Counts a text that the model reads.
    pub fn hear(&mut self, text: &str) {
        self.input_tokens += text_tokens(text);
    }

    /// Counts a message, and keeps the last user's.
    pub fn message(&mut self, role: &str, text: &str) {
        self.hear(text);
        self.messages += 1;
        if role == "user" {
            text.clone_into(&mut self.question);
        }
    }

    /// Counts a whole prompt of a template: the question is what stands after the last `open`
    /// and before the `close` that follows, or everything where there is no such place.
    pub fn prompt(&mut self, prompt: &str, open: &str, close: &str) {
        self.hear(prompt);
        let turns = if open.is_empty() { 0 } else { prompt.matches(open).count() };
        self.messages = u64::try_from(turns.max(1)).unwrap_or(1);
        let question = if open.is_empty() { None } else { prompt.rsplit_once(open).map(|(_, rest)| rest) };
        let question = match question {
            Some(rest) => rest.split_once(close).map_or(rest, |(text, _)| text),
            None => prompt,
        };
        question.trim().clone_into(&mut self.question);
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopCause {
    /// It had said everything.
    EndTurn,
    /// It came to the limit.
    MaxTokens,
    /// It came to this stop sequence.
    Sequence(String),
    /// It wants to use a tool.
    ToolUse,
    /// A filter cut it.
    Filtered,
    /// It declined.
    Refusal,
    /// A word that the directive gave, passed on as it is.
    Other(String),
}

impl StopCause {
    /// The reason of a directive's word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "end_turn" => Self::EndTurn,
            "max_tokens" => Self::MaxTokens,
            "stop_sequence" => Self::Sequence("STOP".into()),
            "tool_use" => Self::ToolUse,
            "content_filtered" => Self::Filtered,
            "refusal" => Self::Refusal,
            other => Self::Other(other.to_owned()),
        }
    }

    /// This vendor's word, from its words for end, limit, stop sequence, tool use and filter.
    #[must_use]
    pub fn word<'a>(&'a self, words: [&'a str; 5]) -> &'a str {
        match self {
            Self::EndTurn | Self::Refusal => words[0],
            Self::MaxTokens => words[1],
            Self::Sequence(_) => words[2],
            Self::ToolUse => words[3],
            Self::Filtered => words[4],
            Self::Other(word) => word,
        }
    }
}
