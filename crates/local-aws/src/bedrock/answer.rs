//! What the simulated model writes: deterministic text, calls of tools, documents that fit a
//! schema, and what it thought before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::converse::billing::text_tokens;
use super::converse::reasoning::{self, ShownReasoning};
use super::converse::schema;
use super::converse::tools::ToolChoice;
use super::converse::wire::CacheTtl;
use super::directives::{Directives, ToolCallDirective};
use super::error::BedrockError;
use super::request::{SimulatedRequest, StopCause};
use super::usage::TokenUsage;

/// What the model wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedAnswer {
    /// The request's id.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// What it wrote.
    pub content: AnswerContent,
    /// What it read and wrote.
    pub usage: TokenUsage,
    /// What it wrote to the cache, by how long that is kept.
    pub cache_writes: Vec<(CacheTtl, u64)>,
    /// The tier that served it, when the request asked for one.
    pub service_tier: Option<String>,
    /// How long it took.
    pub latency_ms: u64,
}

/// The parts of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerContent {
    /// What it thought before, where it shows that.
    pub reasoning: Option<String>,
    /// Proves that the thoughts are unchanged, where the model signs them.
    pub signature: Option<String>,
    /// Thoughts that nobody can read, in base64.
    pub redacted: Option<String>,
    /// The text.
    pub text: String,
    /// The text cites a document.
    pub cited: bool,
    /// The tools that it calls.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: StopCause,
    /// Tokens of all this.
    pub tokens: u64,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its input.
    pub input: Value,
}

const FILLER: [&str; 12] =
    ["and", "so", "the", "simulated", "model", "keeps", "writing", "plain", "words", "for", "a", "while,"];
const THOUGHT: [&str; 8] = ["First", "I", "consider", "what", "the", "question", "asks,", "then"];
/// Tokens of thinking when nothing says how many.
const THOUGHTS: u64 = 8;

/// Writes the answer, cut at the limit and at stop sequences. A word of text is a token; thinking,
/// text and calls count together.
///
/// # Errors
/// A directive wants what the request does not allow.
pub fn write(
    model_id: &str,
    request: &SimulatedRequest,
    directives: &Directives,
    thinks: bool,
    id: &str,
) -> Result<AnswerContent, BedrockError> {
    let task = &request.converse;
    let limit = request.limit;
    let wanted_calls = calls(request, directives)?;
    let default = if thinks || task.reasoning.on { THOUGHTS } else { 0 };
    let thoughts = directives.reasoning.unwrap_or(default).min(task.reasoning.budget.unwrap_or(u64::MAX));
    let mut answer = AnswerContent {
        reasoning: None,
        signature: None,
        redacted: None,
        text: String::new(),
        cited: directives.citations,
        tool_calls: Vec::new(),
        stop: StopCause::EndTurn,
        tokens: 0,
    };
    let written = if wanted_calls.is_empty() {
        let json = task.schema.as_ref().map(|schema| schema::instance(schema).to_string());
        match json {
            Some(json) => answer.json(&json, thoughts, limit, directives.output),
            None => {
                answer.text(&plain(model_id, request), thoughts, limit, directives.output, &request.stops)
            }
        }
    } else {
        answer.calls(wanted_calls, thoughts, limit, directives.output, id)
    };
    answer.reveal(written, request, directives)?;
    if let Some(word) = &directives.stop {
        answer.stop = StopCause::of(word);
    }
    Ok(answer)
}

/// What the model would say without limits.
fn plain(model_id: &str, request: &SimulatedRequest) -> String {
    let results = &request.converse.tool_results;
    if results.is_empty() {
        return format!(
            "Simulated {model_id} here: your last message has {}, in a conversation of {}.",
            counted(request.question.split_whitespace().count() as u64, "word"),
            counted(request.messages, "message"),
        );
    }
    let said: Vec<String> = results.iter().map(|(name, text)| format!("{name} returned {text}")).collect();
    format!("Simulated {model_id} here: {}.", said.join("; "))
}

/// The tools that the model calls: those of the directives, else the one that it has to.
fn calls(
    request: &SimulatedRequest,
    directives: &Directives,
) -> Result<Vec<ToolCallDirective>, BedrockError> {
    let offered = &request.converse.offered;
    for call in &directives.calls {
        if !offered.tools.iter().any(|tool| tool.name == call.name) {
            let names: Vec<&str> = offered.tools.iter().map(|tool| tool.name.as_str()).collect();
            return Err(BedrockError::validation(format!(
                "#call: the request offers no tool `{}`; it offers {}",
                call.name,
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )));
        }
        if let ToolChoice::Named(name) = &offered.choice
            && name != &call.name
        {
            return Err(BedrockError::validation(format!(
                "#call: toolChoice lets the model call `{name}` only, not `{}`",
                call.name
            )));
        }
    }
    if !directives.calls.is_empty() {
        return Ok(directives.calls.clone());
    }
    let forced = match &offered.choice {
        ToolChoice::Auto => None,
        ToolChoice::Any => offered.tools.first(),
        ToolChoice::Named(name) => offered.tools.iter().find(|tool| &tool.name == name),
    };
    Ok(forced
        .map(|tool| ToolCallDirective { name: tool.name.clone(), input: schema::instance(&tool.schema) })
        .into_iter()
        .collect())
}

impl AnswerContent {
    /// Text. Returns the tokens of thinking that fit.
    fn text(&mut self, plain: &str, thoughts: u64, limit: u64, output: Option<u64>, stops: &[String]) -> u64 {
        let wanted = output.map_or_else(|| count(plain).saturating_add(thoughts), |output| output.max(1));
        let written = wanted.min(limit);
        let thought = thoughts.min(written);
        self.text = words(plain, written - thought);
        if wanted > limit {
            self.stop = StopCause::MaxTokens;
        }
        let cut = stops
            .iter()
            .filter_map(|sequence| self.text.find(sequence.as_str()).map(|at| (at, sequence)))
            .min_by_key(|(at, sequence)| (*at, sequence.len()));
        if let Some((at, sequence)) = cut {
            self.stop = StopCause::Sequence(sequence.clone());
            self.text.truncate(at);
        }
        self.tokens = (thought + count(&self.text)).max(1);
        thought
    }

    /// A document in JSON.
    fn json(&mut self, json: &str, thoughts: u64, limit: u64, output: Option<u64>) -> u64 {
        let wanted = thoughts.saturating_add(text_tokens(json)).max(output.unwrap_or(0));
        let thought = thoughts.min(limit);
        self.tokens = wanted.min(limit).max(1);
        if wanted > limit {
            self.stop = StopCause::MaxTokens;
            let bytes = usize::try_from((limit - thought).saturating_mul(4)).unwrap_or(usize::MAX);
            self.text = json.get(..bytes.min(json.len())).unwrap_or_default().to_owned();
            if thoughts.saturating_add(text_tokens(json)) <= limit {
                json.clone_into(&mut self.text);
            }
        } else {
            json.clone_into(&mut self.text);
        }
        thought
    }

    /// Calls of tools, and filling text before them where a directive wants more tokens.
    fn calls(
        &mut self,
        wanted: Vec<ToolCallDirective>,
        thoughts: u64,
        limit: u64,
        output: Option<u64>,
        id: &str,
    ) -> u64 {
        let cost = |call: &ToolCallDirective| text_tokens(&call.name) + text_tokens(&call.input.to_string());
        let needed: u64 = thoughts.saturating_add(wanted.iter().map(cost).sum());
        let filling = output.unwrap_or(0).saturating_sub(needed);
        let thought = thoughts.min(limit);
        let before = filling.min(limit - thought);
        if before > 0 {
            self.text = words("", before);
        }
        let mut left = limit - thought - before;
        self.stop = StopCause::ToolUse;
        for (index, call) in wanted.into_iter().enumerate() {
            let tokens = cost(&call);
            if tokens > left {
                // A call that the limit cuts is not shown.
                self.stop = StopCause::MaxTokens;
                left = 0;
                break;
            }
            left -= tokens;
            self.tool_calls.push(ToolCall { id: call_id(id, index), name: call.name, input: call.input });
        }
        self.tokens = (limit - left).max(1);
        thought
    }

    /// Shows so many tokens of thinking, as the request wants to see them.
    fn reveal(
        &mut self,
        tokens: u64,
        request: &SimulatedRequest,
        directives: &Directives,
    ) -> Result<(), BedrockError> {
        let mode = request.converse.reasoning;
        if directives.redacted && !(mode.on && mode.signed) {
            return Err(BedrockError::validation(
                "#sim: `redacted=true` needs a Claude model with `thinking` switched on",
            ));
        }
        if tokens == 0 {
            return Ok(());
        }
        if directives.redacted {
            self.redacted = Some(reasoning::redact(tokens));
            return Ok(());
        }
        let text = match mode.shown {
            ShownReasoning::Text => repeat(&THOUGHT, tokens),
            ShownReasoning::Empty => String::new(),
            ShownReasoning::Placeholder => "[REDACTED]".to_owned(),
        };
        self.signature = mode.signed.then(|| reasoning::sign(&text, tokens));
        self.reasoning = Some(text);
        Ok(())
    }
}

/// An id as Bedrock gives it: `tooluse_` and 22 letters.
fn call_id(request_id: &str, index: usize) -> String {
    let hash = Sha256::digest(format!("{request_id}/{index}"));
    format!("tooluse_{}", URL_SAFE_NO_PAD.encode(&hash[..16]))
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn count(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// The first `tokens` words of a text as they stand there; after its end, filling words.
fn words(text: &str, tokens: u64) -> String {
    let have = count(text);
    if tokens >= have {
        let more = repeat(&FILLER, tokens - have);
        let gap = if text.is_empty() || more.is_empty() { "" } else { " " };
        return format!("{text}{gap}{more}");
    }
    let mut end = 0;
    let mut rest = text;
    for _ in 0..tokens {
        let start = rest.len() - rest.trim_start().len();
        let length = rest[start..].find(char::is_whitespace).unwrap_or(rest.len() - start);
        end += start + length;
        rest = &rest[start + length..];
    }
    text[..end].to_owned()
}

/// `tokens` of these words, over and over.
fn repeat(list: &[&str], tokens: u64) -> String {
    let tokens = usize::try_from(tokens).unwrap_or(usize::MAX);
    let mut text = String::with_capacity(tokens.saturating_mul(6).min(16 << 20));
    for word in list.iter().copied().cycle().take(tokens) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}
