//! The authorizer of the front door: whose request is it, by its API key?
//!
//! Fails closed. A missing, malformed, unknown, disabled or expired key is refused with `Unauthorized`, for which
//! API Gateway answers 401; a keys table that cannot be read is another error, which says nothing about the key.
//!
//! Format: API Gateway's REQUEST authorizer of REST APIs. Its answers are cached by the header that carries the
//! key, so two keys in one request are refused: the cache might know one and this function the other.

mod credential;
mod error;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use sentry_aws::{Connection, KeysTable, ReadKeys, required_variable};
use sentry_core::api_key::{AllowedModels, KeyItem};
use sentry_core::error::{ErrorName, SentryError};
use serde_json::{Map, Value, json};

pub use error::{AuthorizeError, Denial};

/// The function's name.
pub const NAME: &str = "authorize";

/// The keys and the clock.
pub struct Context<T> {
    keys: T,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl<T> Context<T> {
    /// These.
    pub fn new(keys: T, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { keys, clock: Box::new(clock) }
    }
}

/// The table that the environment names, and the clock.
///
/// # Errors
/// `InternalError` when the variable `KEYS_TABLE` is missing.
pub async fn prepare() -> Result<Context<KeysTable>, SentryError> {
    let keys = KeysTable::new(&Connection::from_env().await, required_variable("KEYS_TABLE")?);
    Ok(Context::new(keys, Utc::now))
}

/// Finds the tenant of a request.
///
/// # Errors
/// [`AuthorizeError::Unauthorized`] for a key that admits nobody, [`AuthorizeError::Failed`] where nobody knows.
pub async fn handle(event: Value, context: &Context<impl ReadKeys>) -> Result<Value, AuthorizeError> {
    let stage = stage_of(&event)?;
    let key = credential::of(&event)?;
    let item = context.keys.read(key.id()).await?;
    let item = item.map(|item| KeyItem::read(&item)).transpose().map_err(|error| {
        SentryError::new(ErrorName::InternalError, format!("{error}.")).with("itemId", error.key_id)
    })?;
    // Also for an unknown id, so that the time does not tell which ids there are.
    let matches = key.matches(item.as_ref().map(|item| &item.hash));
    let denied = |denial| AuthorizeError::unauthorized(denial, key.id());
    let item = item.filter(|_| matches).ok_or_else(|| denied(Denial::Unknown))?;
    item.admits((context.clock)(), None).map_err(|refusal| denied(Denial::Refused(refusal)))?;
    Ok(policy(&item, &stage))
}

/// The stage's resources, `arn:aws:execute-api:<region>:<account>:<api>/<stage>/*`. API Gateway uses a cached
/// policy for every method, so one that names a single method would refuse all others.
fn stage_of(event: &Value) -> Result<String, SentryError> {
    let arn = event.get("methodArn").and_then(Value::as_str).unwrap_or_default();
    let mut parts = arn.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(api), Some(stage), Some(_)) => Ok(format!("{api}/{stage}/*")),
        _ => Err(SentryError::new(
            ErrorName::InternalError,
            "The authorizer was called without the ARN of a method. Use it as a REQUEST authorizer of a REST API.",
        )
        .with("path", "methodArn")),
    }
}

fn policy(item: &KeyItem, stage: &str) -> Value {
    let mut context =
        Map::from_iter([("tenant".to_owned(), json!(item.tenant)), ("keyId".to_owned(), json!(item.key_id))]);
    if let Some(models) = item.allowed_models.as_ref().map(AllowedModels::joined) {
        context.insert("allowedModels".to_owned(), json!(models));
    }
    json!({
        "principalId": item.tenant,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": stage}],
        },
        "context": context,
    })
}
