//! What a caller wants of the model's writing.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;

use super::content::{read_any_text, read_name, read_schema};
use super::reader::{self, Node, RequestFields};
use super::{
    MAX_MAX_TOKENS, MAX_STOP_SEQUENCE_BYTES, MAX_STOP_SEQUENCES, MAX_TOP_K, RequestError, ServiceTier,
};

/// The least that `inference.reasoning.budgetTokens` can be.
pub const MIN_REASONING_TOKENS: u64 = 1_024;

/// What the caller wants of the model's writing. Nothing here has a default: a parameter that
/// was not given is not sent, since newer models refuse some of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inference {
    /// Most output tokens, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Sampling temperature, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, above 0 and at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sampling among the k likeliest tokens; 0 is no limit, where the vendor takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Texts at which the model stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_sequences: Option<Vec<String>>,
    /// How much the model is to reason before it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<ReasoningSetting>,
    /// The form in which the model is to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Bedrock's service tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
}

/// How much the model is to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasoningSetting {
    /// As much as the model thinks fit at this level.
    Effort(Effort),
    /// At most so many tokens, which count as output.
    BudgetTokens(u64),
    /// `true`: not at all.
    Off(bool),
}

/// A level of reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    Xhigh,
    /// `max`
    Max,
}

impl Effort {
    /// The level as it stands in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh => "xhigh",
            Effort::Max => "max",
        }
    }
}

/// An answer that is a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResponseFormat {
    /// Which the document keeps to.
    pub schema: Value,
    /// The schema's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the document is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Inference {
    /// Reads and checks the inference settings that stand at `path`.
    ///
    /// # Errors
    /// `InvalidRequest` with the path of the first offending field.
    pub fn read(document: &Value, path: &str) -> Result<Self, RequestError> {
        read(&Node::at(document, path))
    }

    /// Whether there is nothing that only Converse takes.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.reasoning.is_none() && self.response_format.is_none() && self.service_tier.is_none()
    }
}

/// Reads the settings that a caller asks for. A formatter reads those that were granted, whose
/// `maxTokens` may have been shortened since.
pub(super) fn read_asked(node: &Node<'_>) -> Result<Inference, RequestError> {
    let inference = read(node)?;
    match inference.reasoning {
        Some(ReasoningSetting::BudgetTokens(tokens)) if inference.max_tokens.is_none_or(|most| most <= tokens) => {
            Err(node.child("reasoning").child("budgetTokens").wrong(
                "must be below `inference.maxTokens`, of which reasoning is a part; give a larger `maxTokens`",
            ))
        }
        _ => Ok(inference),
    }
}

pub(super) fn read(node: &Node<'_>) -> Result<Inference, RequestError> {
    let fields = node.object(&[
        "maxTokens",
        "temperature",
        "topP",
        "topK",
        "stopSequences",
        "reasoning",
        "responseFormat",
        "serviceTier",
    ])?;
    Ok(Inference {
        max_tokens: whole(&fields, "maxTokens", 1..=MAX_MAX_TOKENS)?,
        temperature: decimal(&fields, "temperature", 2.0, true)?,
        top_p: decimal(&fields, "topP", 1.0, false)?,
        top_k: whole(&fields, "topK", 0..=MAX_TOP_K)?,
        stop_sequences: fields
            .optional("stopSequences")
            .map(|node| read_stop_sequences(&node))
            .transpose()?,
        reasoning: fields.optional("reasoning").map(|node| read_reasoning(&node)).transpose()?,
        response_format: fields
            .optional("responseFormat")
            .map(|node| read_response_format(&node))
            .transpose()?,
        service_tier: fields.optional("serviceTier").map(|node| read_service_tier(&node)).transpose()?,
    })
}

fn read_reasoning(node: &Node<'_>) -> Result<ReasoningSetting, RequestError> {
    let (kind, value) = node.one_of(&["effort", "budgetTokens", "off"])?;
    Ok(match kind {
        "effort" => ReasoningSetting::Effort(match value.text()? {
            "low" => Effort::Low,
            "medium" => Effort::Medium,
            "high" => Effort::High,
            "xhigh" => Effort::Xhigh,
            "max" => Effort::Max,
            other => {
                return Err(value.wrong(format!(
                    "is {}; use one of \"low\", \"medium\", \"high\", \"xhigh\", \"max\"",
                    reader::quoted(other)
                )));
            }
        }),
        "budgetTokens" => ReasoningSetting::BudgetTokens(value.whole(MIN_REASONING_TOKENS..=MAX_MAX_TOKENS)?),
        _ if value.truth()? => ReasoningSetting::Off(true),
        _ => {
            return Err(value
                .wrong("is false; leave `reasoning` out, or say how much with `effort` or `budgetTokens`"));
        }
    })
}

fn read_response_format(node: &Node<'_>) -> Result<ResponseFormat, RequestError> {
    let fields = node.object(&["schema", "name", "description"])?;
    let schema = fields.required("schema")?;
    Ok(ResponseFormat {
        schema: read_schema(&schema)?,
        name: fields.optional("name").map(|node| read_name(&node)).transpose()?,
        description: fields.optional("description").map(|node| read_any_text(&node)).transpose()?,
    })
}

fn read_service_tier(node: &Node<'_>) -> Result<ServiceTier, RequestError> {
    match node.text()? {
        "default" => Ok(ServiceTier::Default),
        "flex" => Ok(ServiceTier::Flex),
        "priority" => Ok(ServiceTier::Priority),
        "reserved" => Err(node.wrong(
            "is \"reserved\", whose price is a contract's and which the price list does not have; use \"default\", \"flex\" or \"priority\"",
        )),
        other => Err(node.wrong(format!(
            "is {}; use one of \"default\", \"flex\", \"priority\"",
            reader::quoted(other)
        ))),
    }
}

fn whole(
    fields: &RequestFields<'_>,
    name: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, RequestError> {
    let Some(node) = fields.optional(name) else { return Ok(None) };
    node.whole(range).map(Some)
}

fn decimal(
    fields: &RequestFields<'_>,
    name: &str,
    most: f64,
    zero: bool,
) -> Result<Option<f64>, RequestError> {
    let Some(node) = fields.optional(name) else { return Ok(None) };
    match node.value.as_f64() {
        Some(number) if number.is_finite() && number <= most && (number > 0.0 || (zero && number == 0.0)) => {
            // Negative zero is zero, and no vendor needs to see its sign.
            Ok(Some(number + 0.0))
        }
        _ => {
            let range =
                if zero { format!("from 0 to {most}") } else { format!("above 0 and at most {most}") };
            Err(node.wrong(format!("is {}; give a number {range}", node.shown())))
        }
    }
}

fn read_stop_sequences(node: &Node<'_>) -> Result<Vec<String>, RequestError> {
    let items = node.list()?;
    if items.len() > MAX_STOP_SEQUENCES {
        return Err(node.wrong(format!("has {} entries, and {MAX_STOP_SEQUENCES} are allowed", items.len())));
    }
    items
        .iter()
        .map(|item| {
            let text = item.text()?;
            if text.is_empty() {
                Err(item.wrong("is empty; a stop sequence has at least one character"))
            } else if text.len() > MAX_STOP_SEQUENCE_BYTES {
                Err(item
                    .wrong(format!("has {} bytes, and {MAX_STOP_SEQUENCE_BYTES} are allowed", text.len())))
            } else if text.contains('\0') {
                Err(item.wrong("contains a NUL character; remove it"))
            } else {
                Ok(text.to_owned())
            }
        })
        .collect()
}
