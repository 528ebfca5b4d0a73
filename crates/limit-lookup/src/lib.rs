//! The limits that apply to a request: the tenant's, the model's (its own, its family's or the
//! default) and the account's.
//!
//! Fails closed: with a table that cannot be read, without a limit or with a malformed item no
//! request is admitted.

use sentry_aws::{Connection, LimitsTable, ReadLimits, required_variable};
use sentry_core::error::{ErrorName, SentryError};
use sentry_core::limit::Lookup;
use sentry_core::model::ModelId;
use sentry_core::month::parse_time;
use serde::Deserialize;
use serde_json::{Value, json};

/// The function's name.
pub const NAME: &str = "limit-lookup";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LimitLookupEvent {
    model_id: String,
    #[serde(default)]
    tenant: Option<String>,
    start_time: String,
}

/// The table that the environment names.
///
/// # Errors
/// `InternalError` when the variable `LIMITS_TABLE` is missing.
pub async fn prepare() -> Result<LimitsTable, SentryError> {
    Ok(LimitsTable::new(&Connection::from_env().await, required_variable("LIMITS_TABLE")?))
}

/// Reads the limit items for each request, so that an edit takes effect with the next one.
///
/// # Errors
/// `LimitNotConfigured`, `UnsupportedModel` for an opaque id without an alias, `SentryUnavailable`.
pub async fn handle(event: Value, table: &impl ReadLimits) -> Result<Value, SentryError> {
    let LimitLookupEvent { model_id, tenant, start_time } = sentry_lambda::read(&event)?;
    let at = parse_time(&start_time).map_err(|error| {
        SentryError::new(ErrorName::InternalError, error.to_string()).with("path", "startTime")
    })?;
    let model = ModelId::parse(&model_id)?;
    let lookup = Lookup { model: &model, tenant: tenant.as_deref(), at };
    let mut items = table.read(&lookup.keys()).await?;
    let target = lookup.target(&items)?;
    if let Some(target) = &target {
        items.extend(table.read(&lookup.keys_of_target(target)).await?);
    }
    Ok(json!(lookup.resolve(target.as_ref(), &items)?))
}

#[cfg(test)]
mod tests;
