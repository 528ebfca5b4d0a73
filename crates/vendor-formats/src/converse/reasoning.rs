//! How reasoning is asked for, in the fields of each vendor.

use sentry_core::request::{Effort, MIN_REASONING_TOKENS, ReasoningSetting};
use serde_json::{Map, Value, json};

use crate::error::FormatError;
use crate::features::{ReasoningSupport, ThinkingOff};
use crate::request::ChatRequest;

const PATH: &str = "inference.reasoning";

/// The fields for `AdditionalModelRequestFields` and the effort of adaptive thinking, which has
/// two places in a request.
#[derive(Debug, Default)]
pub(super) struct ReasoningFields {
    pub(super) vendor: Map<String, Value>,
    pub(super) effort: Option<Effort>,
}

/// Writes what the caller asked for, or refuses it.
pub(super) fn fields(
    request: &ChatRequest,
    support: ReasoningSupport,
) -> Result<ReasoningFields, FormatError> {
    let Some(setting) = request.inference.reasoning else { return Ok(ReasoningFields::default()) };
    let name = request.name();
    let vendor = |field: &str, value: Value| {
        let vendor = Map::from_iter([(field.to_owned(), value)]);
        Ok(ReasoningFields { vendor, effort: None })
    };
    let thinking = |value: Value| vendor("thinking", value);
    let refuse = |member: &str, what: &str| {
        Err(FormatError::invalid(format!("{PATH}.{member}"), format!("{name} {what}")))
    };
    match (setting, support) {
        (ReasoningSetting::Off(_), ReasoningSupport::Effort(ThinkingOff::Type(word))) => {
            thinking(json!({ "type": word }))
        }
        (ReasoningSetting::Off(_), ReasoningSupport::Gpt) => vendor("reasoning", json!({ "effort": "none" })),
        // These do not reason unless they are asked to.
        (
            ReasoningSetting::Off(_),
            ReasoningSupport::No
            | ReasoningSupport::Budget
            | ReasoningSupport::BudgetOrEffort
            | ReasoningSupport::Nova
            | ReasoningSupport::EffortField(true),
        ) => Ok(ReasoningFields::default()),
        (ReasoningSetting::Off(_), _) => refuse(
            "off",
            "reasons before it answers, and nothing is known that stops it; leave `reasoning` out.",
        ),

        (
            ReasoningSetting::BudgetTokens(tokens),
            ReasoningSupport::Budget | ReasoningSupport::BudgetOrEffort,
        ) => {
            let budget = budget(request, tokens)?;
            thinking(json!({ "type": "enabled", "budget_tokens": budget }))
        }
        (ReasoningSetting::Effort(level), ReasoningSupport::Budget) => {
            let share = share_of(request.max_tokens(), level).max(MIN_REASONING_TOKENS);
            let budget = budget(request, share)?;
            thinking(json!({ "type": "enabled", "budget_tokens": budget }))
        }
        (ReasoningSetting::Effort(Effort::Xhigh), ReasoningSupport::BudgetOrEffort) => {
            refuse("effort", "knows the efforts low, medium, high and max; use one of them.")
        }
        (ReasoningSetting::Effort(level), ReasoningSupport::BudgetOrEffort | ReasoningSupport::Effort(_)) => {
            let vendor = Map::from_iter([("thinking".to_owned(), json!({ "type": "adaptive" }))]);
            Ok(ReasoningFields { vendor, effort: Some(level) })
        }
        (ReasoningSetting::Effort(level @ (Effort::Low | Effort::Medium)), ReasoningSupport::Nova) => {
            vendor("reasoningConfig", json!({ "type": "enabled", "maxReasoningEffort": level.as_str() }))
        }
        (ReasoningSetting::Effort(Effort::Xhigh | Effort::Max), ReasoningSupport::Nova) => refuse(
            "effort",
            "knows the efforts low, medium and high, and high has no upper bound; use one of the first two.",
        ),
        (ReasoningSetting::Effort(_), ReasoningSupport::Nova) => refuse(
            "effort",
            "takes no `maxTokens` at this effort, so that its answer has no upper bound; use \"low\" or \"medium\".",
        ),
        (ReasoningSetting::Effort(Effort::Max), ReasoningSupport::Gpt) => {
            refuse("effort", "knows the efforts low, medium, high and xhigh; use one of them.")
        }
        (ReasoningSetting::Effort(level), ReasoningSupport::Gpt) => {
            vendor("reasoning", json!({ "effort": level.as_str() }))
        }
        (
            ReasoningSetting::Effort(level @ (Effort::Low | Effort::Medium | Effort::High)),
            ReasoningSupport::EffortField(_),
        ) => vendor("reasoning_effort", level.as_str().into()),
        (
            ReasoningSetting::Effort(level @ (Effort::Low | Effort::Medium | Effort::High)),
            ReasoningSupport::ConfigField,
        ) => vendor("reasoning_config", level.as_str().into()),
        (ReasoningSetting::Effort(_), ReasoningSupport::EffortField(_) | ReasoningSupport::ConfigField) => {
            refuse("effort", "knows the efforts low, medium and high; use one of them.")
        }
        (ReasoningSetting::Effort(_), ReasoningSupport::No) => {
            refuse("effort", "does not reason; leave `reasoning` out or choose a model that does.")
        }
        (ReasoningSetting::Effort(_), ReasoningSupport::Fixed) => {
            refuse("effort", "has no known setting for how much it reasons; leave `reasoning` out.")
        }
        (ReasoningSetting::BudgetTokens(_), ReasoningSupport::No) => {
            refuse("budgetTokens", "does not reason; leave `reasoning` out or choose a model that does.")
        }
        (ReasoningSetting::BudgetTokens(_), ReasoningSupport::Fixed) => {
            refuse("budgetTokens", "has no known setting for how much it reasons; leave `reasoning` out.")
        }
        (ReasoningSetting::BudgetTokens(_), _) => {
            refuse("budgetTokens", "takes no budget of reasoning; use `effort`.")
        }
    }
}

/// The budget to send: below the output limit, which may have been shortened since the caller
/// asked. What is left must still be enough for reasoning at all.
fn budget(request: &ChatRequest, wanted: u64) -> Result<u64, FormatError> {
    let most = request.max_tokens();
    let budget = wanted.min(most.saturating_sub(1));
    if budget < MIN_REASONING_TOKENS {
        return Err(FormatError::invalid(
            PATH,
            format!(
                "{} reasons with at least {MIN_REASONING_TOKENS} tokens, which are a part of the output, and the output \
                 limit is {most}; raise `inference.maxTokens`, wait for budget if it was shortened, or leave \
                 `reasoning` out.",
                request.name()
            ),
        ));
    }
    Ok(budget)
}

/// The share of the output limit that an effort stands for, where the model knows budgets only.
fn share_of(max_tokens: u64, level: Effort) -> u64 {
    let percent = match level {
        Effort::Low => 20,
        Effort::Medium => 50,
        Effort::High => 80,
        Effort::Xhigh | Effort::Max => 95,
    };
    max_tokens.saturating_mul(percent) / 100
}
