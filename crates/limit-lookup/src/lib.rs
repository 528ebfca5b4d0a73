//! The limits that apply to a request: the model's own, its family's, or the default.
//!
//! Fails closed: a table that cannot be read, a missing limit and a malformed item admit
//! nobody.

use sentry_aws::{Connection, LimitsTable, ReadLimits, required_variable};
use sentry_core::error::SentryError;
use sentry_core::limit::{alias, candidate_items, resolve};
use sentry_core::model::ModelId;
use serde::Deserialize;
use serde_json::{Value, json};

/// The function's name.
pub const NAME: &str = "limit-lookup";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Event {
    model_id: String,
}

/// The table that the environment names.
///
/// # Errors
/// `InternalError` when the variable `LIMITS_TABLE` is missing.
pub async fn prepare() -> Result<LimitsTable, SentryError> {
    Ok(LimitsTable::new(&Connection::from_env().await, required_variable("LIMITS_TABLE")?))
}

/// Looks the limits up, on every request anew, so that an edit counts at once.
///
/// # Errors
/// `LimitNotConfigured`, `UnsupportedModel` for an opaque id without an alias, `SentryUnavailable`.
pub async fn handle(event: Value, table: &impl ReadLimits) -> Result<Value, SentryError> {
    let Event { model_id } = sentry_lambda::read(&event)?;
    let model = ModelId::parse(&model_id)?;
    let mut items = table.read(&candidate_items(&model)).await?;
    let target = alias(&model, &items)?;
    if let Some(target) = &target {
        items.extend(table.read(&candidate_items(target)).await?);
    }
    Ok(json!(resolve(&model, target.as_ref(), &items)?))
}

#[cfg(test)]
mod tests;
