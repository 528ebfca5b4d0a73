//! The key in a request's headers.

use sentry_core::api_key::ApiKey;
use serde_json::Value;

use crate::error::{AuthorizeError, Denial};

/// The one key of the request: `Authorization: Bearer <key>` or `x-api-key: <key>`.
pub(crate) fn of(event: &Value) -> Result<ApiKey, AuthorizeError> {
    let denied = |denial| AuthorizeError::Unauthorized { denial, key_id: None };
    let mut given = values(event, "authorization").map(|value| value.map(bearer));
    let mut others = values(event, "x-api-key").map(|value| value.map(Some));
    let first = given.next().or_else(|| others.next()).ok_or(denied(Denial::Missing))?;
    if given.next().is_some() || others.next().is_some() {
        return Err(denied(Denial::Several));
    }
    let text = first.flatten().ok_or(denied(Denial::Malformed))?;
    ApiKey::parse(text).ok_or(denied(Denial::Malformed))
}

/// What follows the scheme, whose case does not matter.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim_matches(' '))
}

/// Every value of a header, whatever the case of its name; `None` for a value that is no text.
///
/// `headers` has but one value of a header that was sent twice, so it only counts where the other form is missing.
fn values<'a>(event: &'a Value, name: &'a str) -> impl Iterator<Item = Option<&'a str>> {
    let all = event.get("multiValueHeaders").and_then(Value::as_object);
    let headers = all.or_else(|| event.get("headers").and_then(Value::as_object));
    let named = headers.into_iter().flatten().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
    named.flat_map(|(_, value)| match value {
        Value::Array(values) => values.iter().map(Value::as_str).collect::<Vec<_>>(),
        value => vec![value.as_str()],
    })
}
