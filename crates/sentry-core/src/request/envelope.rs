//! The envelope in which the front door hands a request over: the raw body, and who sent it.
//!
//! Fails closed. The tenant comes from the caller's key, so a body that names one itself is refused, and so is a
//! body that two readers could understand differently: text after the document, or a key that stands twice.
//!
//! The body is base64 inside the envelope. API Gateway's mapping templates can only paste text, and a body that
//! is pasted as it is could close its place and write a tenant of its own.

mod strict;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::RequestError;
use super::RequestErrorKind::RequestTooLarge;
use crate::api_key::{AllowedModels, is_tenant};

/// Bytes of a body: as base64 it is a third larger, and Step Functions carries 262,144 bytes.
pub const MAX_BODY_BYTES: usize = 190_000;

/// The field by which an envelope is told from a request document.
const DOOR: &str = "door";
/// The door of `POST /v1/inference`.
const INFERENCE: &str = "inference";
/// What only the front door sets.
const SET_BY_THE_DOOR: [&str; 2] = ["tenant", "deliver"];

/// A request as it came through the front door.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The request document, with the tenant of the caller's key.
    pub request: Value,
    /// The models that the caller's key allows; `None` for all.
    pub allowed_models: Option<AllowedModels>,
}

/// Whether a document is an envelope of the front door: a request document has no such field.
#[must_use]
pub fn is_envelope(document: &Value) -> bool {
    document.get(DOOR).is_some()
}

/// Opens an envelope.
///
/// # Errors
/// `InvalidRequest` for an envelope without a tenant or with a body that is no request, `RequestTooLarge` for a
/// body of more than [`MAX_BODY_BYTES`].
pub fn open(envelope: &Value) -> Result<Opened, RequestError> {
    let field = |name: &str| envelope.get(name).and_then(Value::as_str).unwrap_or_default();
    let fields = [DOOR, "tenant", "allowedModels", "bodyBase64"];
    if let Some(unknown) = envelope
        .as_object()
        .and_then(|envelope| envelope.keys().find(|name| !fields.contains(&name.as_str())))
    {
        return Err(RequestError::invalid(
            unknown,
            format!("`{unknown}` is no field of the door's envelope; leave it out."),
        ));
    }
    if field(DOOR) != INFERENCE {
        return Err(RequestError::invalid(DOOR, format!("`door` must be {INFERENCE:?}.")));
    }
    let tenant = field("tenant");
    if !is_tenant(tenant) {
        return Err(RequestError::invalid(
            "tenant",
            "The front door did not say whose request it is. Its authorizer must set `tenant`.",
        ));
    }
    let allowed_models = match field("allowedModels") {
        "" => None,
        models => Some(AllowedModels::from_joined(models).map_err(|problem| {
            RequestError::invalid("allowedModels", format!("`allowedModels` of the caller's key {problem}."))
        })?),
    };
    let body = STANDARD
        .decode(field("bodyBase64"))
        .map_err(|_| RequestError::invalid("bodyBase64", "`bodyBase64` must be the body as base64."))?;
    let mut request = read_body(&body)?;
    if let Some(document) = request.as_object_mut() {
        document.insert("tenant".to_owned(), Value::String(tenant.to_owned()));
    }
    Ok(Opened { request, allowed_models })
}

/// Reads the body of an HTTP request, without what only the front door sets.
///
/// # Errors
/// `InvalidRequest` for a body that is not one JSON object or names what only the door sets, `RequestTooLarge`.
pub fn read_body(body: &[u8]) -> Result<Value, RequestError> {
    if body.len() > MAX_BODY_BYTES {
        let (bytes, limit) = (body.len() as u64, MAX_BODY_BYTES as u64);
        return Err(RequestError {
            kind: RequestTooLarge { bytes, limit, part_bytes: bytes },
            path: String::new(),
            message: format!(
                "The body has {bytes} bytes, and {limit} are allowed; send a shorter prompt or fewer messages."
            ),
        });
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| RequestError::invalid("", "The body is not UTF-8; send JSON in UTF-8."))?;
    let request = strict::from_str(text)
        .map_err(|error| RequestError::invalid("", format!("The body cannot be read as JSON: {error}.")))?;
    let Some(document) = request.as_object() else {
        return Err(RequestError::invalid("", "The body must be a JSON object, a request document."));
    };
    match SET_BY_THE_DOOR.iter().find(|name| document.contains_key(**name)) {
        Some(name) => Err(RequestError::invalid(
            *name,
            format!("`{name}` is set by the front door, from the caller's key; leave it out."),
        )),
        None => Ok(request),
    }
}
