//! What was asked, and what is answered, in no vendor's words.

use super::directives::Directives;
use super::error::BedrockError;
use super::usage::TokenUsage;

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
}

impl SimulatedRequest {
    /// Counts a text that the model reads: a token for every four bytes and three around each
    /// text, and never more tokens than bytes, since no tokenizer does that.
    pub fn hear(&mut self, text: &str) {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.input_tokens += bytes.div_ceil(4).saturating_add(3).min(bytes);
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

/// What the model wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedAnswer {
    /// The request's id.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The text.
    pub text: String,
    /// What it thought before, where it shows that.
    pub reasoning: Option<String>,
    /// Why it stopped.
    pub stop: StopCause,
    /// What it read and wrote.
    pub usage: TokenUsage,
    /// How long it took.
    pub latency_ms: u64,
}

const FILLER: [&str; 12] =
    ["and", "so", "the", "simulated", "model", "keeps", "writing", "plain", "words", "for", "a", "while,"];
const THOUGHT: [&str; 8] = ["First", "I", "consider", "what", "the", "question", "asks,", "then"];

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Writes the answer: as many words as tokens, cut at the limit and at stop sequences.
///
/// # Errors
/// Never at present; what a directive cannot have is refused when it is read.
pub fn write(
    model_id: &str,
    request: &SimulatedRequest,
    directives: &Directives,
    thinks: bool,
) -> Result<(Option<String>, String, StopCause, u64), BedrockError> {
    let plain = format!(
        "Simulated {model_id} here: your last message has {}, in a conversation of {}.",
        counted(request.question.split_whitespace().count() as u64, "word"),
        counted(request.messages, "message"),
    );
    let thoughts = directives.reasoning.unwrap_or(if thinks { 8 } else { 0 });
    let wanted =
        directives.output.map_or_else(|| count(&plain).saturating_add(thoughts), |output| output.max(1));
    let written = wanted.min(request.limit);
    let thought = thoughts.min(written);
    let reasoning = (thought > 0).then(|| repeat("", &THOUGHT, thought));
    let mut text = repeat(&plain, &FILLER, written - thought);
    let mut stop = if wanted > request.limit { StopCause::MaxTokens } else { StopCause::EndTurn };
    let cut = request
        .stops
        .iter()
        .filter_map(|sequence| text.find(sequence.as_str()).map(|at| (at, sequence)))
        .min_by_key(|(at, sequence)| (*at, sequence.len()));
    if let Some((at, sequence)) = cut {
        stop = StopCause::Sequence(sequence.clone());
        text.truncate(at);
    }
    let tokens = (thought + count(&text)).max(1);
    if let Some(word) = &directives.stop {
        stop = StopCause::of(word);
    }
    Ok((reasoning, text, stop, tokens))
}

fn count(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// `tokens` words: those of `first`, then the others over and over.
fn repeat(first: &str, then: &[&str], tokens: u64) -> String {
    let tokens = usize::try_from(tokens).unwrap_or(usize::MAX);
    let mut text = String::with_capacity(tokens.saturating_mul(6).min(16 << 20));
    for word in first.split_whitespace().chain(then.iter().copied().cycle()).take(tokens) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}
