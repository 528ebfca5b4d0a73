//! Meta's Llama: one text in the prompt template of its generation.
//!
//! Formats: AWS's "Meta Llama models" page of the Bedrock user guide for the body, Meta's
//! prompt-format pages for the templates.

use sentry_core::request::{Conversation, Role};
use serde_json::{Map, Value};

use crate::answer::{Draft, NormalizedAnswer, StopReason};
use crate::error::FormatError;
use crate::prompt::Guard;
use crate::read;
use crate::request::ChatRequest;
use crate::traits::{StopRule, Traits};

/// Markers of Llama 2, which it shares with Mistral's instruct prompt.
pub(crate) const INSTRUCT_GUARD: Guard =
    Guard { tokens: &["<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"], wrapped: None };
/// Special tokens since Llama 3.
const GUARD: Guard = Guard { tokens: &[], wrapped: Some(("<|", "|>")) };

/// The markers of a generation.
struct Template {
    header: &'static str,
    after_header: &'static str,
    end: &'static str,
}

const LLAMA_3: Template =
    Template { header: "<|start_header_id|>", after_header: "<|end_header_id|>\n\n", end: "<|eot_id|>" };
const LLAMA_4: Template =
    Template { header: "<|header_start|>", after_header: "<|header_end|>\n\n", end: "<|eot|>" };

/// Whether a family is Meta's.
#[must_use]
pub fn owns(family: &str) -> bool {
    family.starts_with("meta.llama")
}

/// What a family takes.
#[must_use]
pub fn traits(family: &str) -> Traits {
    Traits {
        // Llama 2's prompt pairs each answer with the question before it.
        assistant_first: !family.starts_with("meta.llama2"),
        prefill: true,
        stop: StopRule::Never,
        ..Traits::CHAT
    }
}

/// Writes the body of a request.
///
/// # Errors
/// `InvalidRequest` for what the model does not take, `UnsupportedModel` for another vendor's.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family_of("Meta", owns)?;
    let talk = request.prepared(&traits(family))?;
    let prompt = if family.starts_with("meta.llama2") {
        INSTRUCT_GUARD.check(request, &talk)?;
        llama_2(&talk)
    } else {
        GUARD.check(request, &talk)?;
        let template = if family.starts_with("meta.llama3") { &LLAMA_3 } else { &LLAMA_4 };
        template.prompt(&talk)
    };
    let mut body = Map::new();
    body.insert("prompt".to_owned(), prompt.into());
    body.insert("max_gen_len".to_owned(), request.max_tokens().into());
    read::put(&mut body, "temperature", request.inference.temperature);
    read::put(&mut body, "top_p", request.inference.top_p);
    Ok(Value::Object(body))
}

impl Template {
    fn prompt(&self, talk: &Conversation) -> String {
        let mut text = "<|begin_of_text|>".to_owned();
        let mut open = |role: &str, content: &str, closed: bool| {
            text.push_str(self.header);
            text.push_str(role);
            text.push_str(self.after_header);
            text.push_str(content);
            if closed {
                text.push_str(self.end);
            }
        };
        if let Some(system) = &talk.system {
            open("system", system.trim(), true);
        }
        for turn in &talk.turns {
            let prefill = talk.prefill() == Some(turn);
            open(turn.role.as_str(), turn.content.trim(), !prefill);
        }
        if talk.prefill().is_none() {
            open("assistant", "", false);
        }
        text
    }
}

fn llama_2(talk: &Conversation) -> String {
    let mut text = String::new();
    let mut system = talk.system.as_deref().map(|text| format!("<<SYS>>\n{}\n<</SYS>>\n\n", text.trim()));
    for turn in &talk.turns {
        let content = turn.content.trim();
        match turn.role {
            Role::Assistant if talk.prefill() == Some(turn) => text.push_str(&format!(" {content}")),
            Role::Assistant => text.push_str(&format!(" {content} </s>")),
            Role::User | Role::System => {
                let system = system.take().unwrap_or_default();
                text.push_str(&format!("<s>[INST] {system}{content} [/INST]"));
            }
        }
    }
    text
}

/// Reads the body of an answer.
///
/// # Errors
/// `UnreadableModelResponse` where it is not Llama's.
pub fn normalize(_model_id: &str, body: &Value) -> Result<NormalizedAnswer, FormatError> {
    read::object(body)?;
    let word = read::word(body, &["stop_reason"]);
    Draft {
        text: read::text(body.get("generation"), "generation")?,
        text_path: "generation",
        reasoning: None,
        stop_reason: match word.as_deref() {
            Some("stop") => StopReason::EndTurn,
            Some("length") => StopReason::MaxTokens,
            _ => StopReason::Other,
        },
        vendor_stop_reason: word,
        usage: read::usage(Some(body), &["prompt_token_count"], &["generation_token_count"], &[], &[]),
    }
    .finish()
}
