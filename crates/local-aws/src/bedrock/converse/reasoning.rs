//! Reasoning: the fields that switch it on in each family, and signatures of what was thought.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::features::{Features, ReasoningControl, ThinkingRules};
use super::tools::ToolChoice;
use super::wire::{ReasoningBlock, model_error};

type Result<T> = std::result::Result<T, BedrockError>;

/// The least that Claude may be given to think.
const LEAST_BUDGET: u64 = 1_024;
/// Tokens that Claude's `enabled` adds to the prompt, and Nova's, as recorded.
const CLAUDE_PROMPT: u64 = 30;
const NOVA_PROMPT: u64 = 65;

/// How the model thinks before this answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReasoningMode {
    /// It thinks at all.
    pub on: bool,
    /// The most tokens of it.
    pub budget: Option<u64>,
    /// It shows this in place of its thoughts.
    pub shown: ShownReasoning,
    /// It signs what it thought.
    pub signed: bool,
    /// The last assistant turn must begin with what was thought, when it calls tools.
    pub demands_blocks: bool,
    /// Tokens that it adds to the prompt.
    pub prompt_tokens: u64,
}

/// What is shown of the thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShownReasoning {
    /// All of it.
    #[default]
    Text,
    /// Nothing: the signature carries it.
    Empty,
    /// The word `[REDACTED]`.
    Placeholder,
}

/// What else a request says that goes badly with reasoning.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The output limit, where the request has one.
    pub max_tokens: Option<u64>,
    /// The output limit in force.
    pub limit: u64,
    /// The temperature.
    pub temperature: Option<f64>,
    /// Top-p.
    pub top_p: Option<f64>,
    /// Which tool is to be called.
    pub choice: &'a ToolChoice,
}

/// Reads the family's field in `additionalModelRequestFields`.
///
/// # Errors
/// The model would refuse it.
pub fn read(
    features: &Features,
    extra: Option<&RequestFields<'_>>,
    effort: Option<&str>,
    around: Surroundings<'_>,
) -> Result<ReasoningMode> {
    match features.reasoning {
        ReasoningControl::Thinking(rules) => thinking(rules, extra, effort, around),
        ReasoningControl::ReasoningConfigObject => nova(extra, around),
        ReasoningControl::ReasoningEffort => effort_text(extra, "reasoning_effort"),
        ReasoningControl::ReasoningConfigText => effort_text(extra, "reasoning_config"),
        ReasoningControl::ReasoningObject => {
            let Some(config) = extra.and_then(|extra| extra.object("reasoning").transpose()).transpose()?
            else {
                return Ok(ReasoningMode::default());
            };
            config.only(&["effort", "summary"])?;
            let effort = config.one_of("effort", &["none", "minimal", "low", "medium", "high", "xhigh"])?;
            Ok(ReasoningMode {
                on: effort.is_some_and(|effort| effort != "none"),
                ..ReasoningMode::default()
            })
        }
        ReasoningControl::None => Ok(ReasoningMode::default()),
        ReasoningControl::Always => Ok(ReasoningMode { on: true, ..ReasoningMode::default() }),
    }
}

fn effort_text(extra: Option<&RequestFields<'_>>, key: &str) -> Result<ReasoningMode> {
    let effort = extra
        .map(|extra| extra.one_of(key, &["none", "minimal", "low", "medium", "high"]))
        .transpose()?
        .flatten();
    Ok(ReasoningMode { on: effort.is_some_and(|effort| effort != "none"), ..ReasoningMode::default() })
}

fn thinking(
    rules: ThinkingRules,
    extra: Option<&RequestFields<'_>>,
    effort: Option<&str>,
    around: Surroundings<'_>,
) -> Result<ReasoningMode> {
    let field = extra.and_then(|extra| extra.object("thinking").transpose()).transpose()?;
    let output = extra.and_then(|extra| extra.object("output_config").transpose()).transpose()?;
    if let Some(output) = &output {
        output.only(&["effort"])?;
        output.one_of("effort", &["low", "medium", "high", "xhigh", "max"])?;
        if effort.is_some() && output.has("effort") {
            return Err(model_error("output_config.effort: effort is given twice"));
        }
    }
    let kind = match &field {
        None => None,
        Some(field) => {
            field.required("type")?;
            field.only(&["type", "budget_tokens", "display"])?;
            field.one_of("display", &["summarized", "omitted"])?;
            field.text("type")?
        }
    };
    let on = match kind {
        None => rules.always,
        Some("disabled") if rules.always => {
            return Err(model_error(
                "thinking.type.disabled: \"thinking.type.disabled\" is not supported for this model.",
            ));
        }
        Some("disabled") => false,
        Some("enabled") if !rules.budget => {
            return Err(model_error(
                "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.",
            ));
        }
        Some("adaptive") if !rules.adaptive => {
            return Err(model_error("adaptive thinking is not supported on this model"));
        }
        Some("enabled" | "adaptive") => true,
        Some(other) => {
            return Err(model_error(format!(
                "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
            )));
        }
    };
    let mut budget = None;
    if let Some(field) = &field {
        match (kind, field.raw("budget_tokens")) {
            (Some("enabled"), None) => {
                return Err(model_error("thinking.enabled.budget_tokens: Field required"));
            }
            (Some("enabled"), Some(value)) => {
                let tokens = value.as_u64().unwrap_or(0);
                if tokens < LEAST_BUDGET {
                    return Err(model_error(format!(
                        "thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}"
                    )));
                }
                if tokens >= around.limit {
                    return Err(model_error(
                        "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
                    ));
                }
                budget = Some(tokens);
            }
            (Some(kind), Some(_)) => {
                return Err(model_error(format!(
                    "thinking.{kind}.budget_tokens: Extra inputs are not permitted"
                )));
            }
            _ => {}
        }
    }
    if on {
        if *around.choice != ToolChoice::Auto {
            return Err(model_error("Thinking may not be enabled when tool_choice forces tool use."));
        }
        if around.temperature.is_some_and(|temperature| (temperature - 1.0).abs() > f64::EPSILON) {
            return Err(model_error(
                "`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking",
            ));
        }
        if around.top_p.is_some_and(|top_p| top_p < 0.95) {
            return Err(model_error(
                "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
            ));
        }
        if extra.is_some_and(|extra| extra.has("top_k")) {
            return Err(model_error("`top_k` must be unset when thinking is enabled."));
        }
    }
    let summary = field.as_ref().and_then(|field| field.raw("display")?.as_str()) == Some("summarized");
    let hidden = field.as_ref().and_then(|field| field.raw("display")?.as_str()) == Some("omitted");
    Ok(ReasoningMode {
        on,
        budget,
        shown: if hidden || rules.omitted && !summary { ShownReasoning::Empty } else { ShownReasoning::Text },
        signed: true,
        // With adaptive thinking, earlier turns need not begin with what was thought.
        demands_blocks: kind == Some("enabled"),
        prompt_tokens: if kind == Some("enabled") { CLAUDE_PROMPT } else { 0 },
    })
}

fn nova(extra: Option<&RequestFields<'_>>, around: Surroundings<'_>) -> Result<ReasoningMode> {
    let Some(config) = extra.and_then(|extra| extra.object("reasoningConfig").transpose()).transpose()?
    else {
        return Ok(ReasoningMode::default());
    };
    config.required("type")?;
    config.only(&["type", "maxReasoningEffort"])?;
    let on = config.one_of("type", &["enabled", "disabled"])? == Some("enabled");
    let effort = config.one_of("maxReasoningEffort", &["low", "medium", "high"])?;
    if !on {
        return Ok(ReasoningMode::default());
    }
    if effort.is_none() {
        config.required("maxReasoningEffort")?;
    }
    if effort == Some("high")
        && (around.max_tokens.is_some() || around.temperature.is_some() || around.top_p.is_some())
    {
        return Err(model_error(
            "maxTokens, temperature and topP must be unset when maxReasoningEffort is high.",
        ));
    }
    Ok(ReasoningMode {
        on,
        shown: ShownReasoning::Placeholder,
        prompt_tokens: NOVA_PROMPT,
        ..ReasoningMode::default()
    })
}

const KEY: &[u8] = b"simulated signature of reasoning";

fn seal(text: &str, payload: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(KEY);
    hasher.update(text.len().to_le_bytes());
    hasher.update(text);
    hasher.update(payload);
    hasher.finalize().into()
}

/// The signed payload of so many tokens of thinking: the number, filling, and a hash over both and
/// the text. As on Bedrock it grows with what was thought, by at least three bytes a token.
fn sealed(text: &str, tokens: u64) -> Vec<u8> {
    let mut payload = tokens.to_le_bytes().to_vec();
    let filling = usize::try_from(tokens.saturating_mul(3)).unwrap_or(0).min(1 << 20);
    payload.extend((0..filling).map(|at| (at % 251) as u8));
    payload.extend(seal(text, &payload));
    payload
}

/// The tokens behind a payload, if it belongs to this text and is as it was written.
fn unsealed(text: &str, sealed: &[u8]) -> Option<u64> {
    let (payload, hash) = sealed.split_last_chunk::<32>()?;
    (seal(text, payload) == *hash).then_some(())?;
    payload.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The signature of a text that was thought with so many tokens.
#[must_use]
pub fn sign(text: &str, tokens: u64) -> String {
    STANDARD.encode(sealed(text, tokens))
}

/// Thoughts that nobody can read, as base64.
#[must_use]
pub fn redact(tokens: u64) -> String {
    STANDARD.encode(sealed("", tokens))
}

/// The tokens of a block of reasoning that came back, where its family signs it; nothing when it
/// was changed on its way.
#[must_use]
pub fn verify(block: &ReasoningBlock) -> Option<u64> {
    match block {
        ReasoningBlock::Text { text, signature } => {
            unsealed(text, &STANDARD.decode(signature.as_deref()?).ok()?)
        }
        ReasoningBlock::Redacted(bytes) => unsealed("", bytes),
    }
}
