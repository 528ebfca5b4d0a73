//! DeepSeek: R1 takes a prompt, V3 takes chat completions.
//!
//! Format: AWS's "DeepSeek models" page of the Bedrock user guide. R1's template opens the
//! reasoning, so its answers begin inside it.

use serde_json::{Map, Value};

use sentry_core::request::{Conversation, Role};

use crate::answer::{Draft, NormalizedAnswer, StopReason};
use crate::chat_completions as chat;
use crate::error::FormatError;
use crate::prompt::Guard;
use crate::read;
use crate::reasoning;
use crate::request::ChatRequest;
use crate::traits::{StopRule, Traits};

const BEGIN: &str = "<｜begin▁of▁sentence｜>";
const END: &str = "<｜end▁of▁sentence｜>";
const USER: &str = "<｜User｜>";
const ASSISTANT: &str = "<｜Assistant｜>";
const THINK: &str = "<think>";
const THOUGHT: &str = "</think>";
const GUARD: Guard = Guard { tokens: &[THINK, THOUGHT], wrapped: Some(("<｜", "｜>")) };

/// Whether a family is DeepSeek's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("deepseek.")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    if is_r1(family) {
        return Traits { stop: StopRule::UpTo(10), max_tokens: Some(32_768), ..Traits::CHAT };
    }
    chat::TRAITS
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("DeepSeek", owns)?;
    let mut talk = request.prepared(&traits(family))?;
    if !is_r1(family) {
        return Ok(chat::body(request, &talk, chat::MAX_TOKENS));
    }
    forget_thoughts(&mut talk);
    let request = &ChatRequest { conversation: talk.clone(), ..request.clone() };
    GUARD.check(request, &talk)?;
    let mut body = Map::new();
    body.insert("prompt".to_owned(), prompt(&talk).into());
    body.insert("max_tokens".to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "top_p", request.inference.top_p);
    read::put(&mut body, "stop", read::stop(request.stop_sequences()));
    Ok(Value::Object(body))
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it has neither of the two forms.
pub fn normalize(model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    let choice = read::first(body, "choices")?;
    if choice.get("message").is_some_and(|message| !message.is_null()) {
        return chat::read_answer(body, "deepseek.");
    }
    let word = read::word(choice, &["stop_reason", "finish_reason"]);
    let stop_reason = chat::stop_reason(word.as_deref());
    let text = read::text(choice.get("text"), "choices[0].text")?;
    let (text, thought) = match text {
        Some(text) if is_r1(&reasoning::family_of(model_id)) => split(text, stop_reason),
        Some(text) => reasoning::split_think(text, stop_reason),
        None => (String::new(), None),
    };
    let missing = choice.get("text").is_none_or(Value::is_null);
    Draft {
        text: (!missing).then_some(text),
        text_path: "choices[0].text",
        reasoning: thought,
        stop_reason,
        vendor_stop_reason: word,
        usage: chat::usage(body.get("usage")),
    }
    .finish()
}

/// What stands before the end of the reasoning is reasoning. Where the end is missing because
/// the output limit came first, everything is.
fn split(text: String, stop_reason: StopReason) -> (String, Option<String>) {
    match text.split_once(THOUGHT) {
        Some((thought, said)) => (said.trim_start().to_owned(), Some(opened(thought))),
        None if stop_reason == StopReason::MaxTokens => (String::new(), Some(opened(&text))),
        None => (text, None),
    }
}

fn opened(thought: &str) -> String {
    let thought = thought.trim_start();
    thought.strip_prefix(THINK).unwrap_or(thought).trim().to_owned()
}

fn prompt(talk: &Conversation) -> String {
    let mut text = BEGIN.to_owned();
    text.push_str(talk.system.as_deref().unwrap_or_default());
    for turn in &talk.turns {
        match turn.role {
            Role::Assistant => {
                text.push_str(ASSISTANT);
                text.push_str(&turn.content);
                text.push_str(END);
            }
            Role::User | Role::System => {
                text.push_str(USER);
                text.push_str(&turn.content);
            }
        }
    }
    text.push_str(ASSISTANT);
    text.push_str(THINK);
    text.push('\n');
    text
}

/// R1 is not to see its earlier reasoning again.
fn forget_thoughts(talk: &mut Conversation) {
    for turn in talk.turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        if let Some((_, said)) = turn.content.rsplit_once(THOUGHT) {
            turn.content = said.trim_start().to_owned();
        }
    }
}

fn is_r1(family: &str) -> bool {
    family.starts_with("deepseek.r1-")
}
