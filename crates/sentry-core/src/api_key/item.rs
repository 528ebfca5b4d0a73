//! The item of a key in the keys table.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{AllowedModels, ApiKey, KeyDigest, KeyRefusal, is_key_id, is_tenant};
use crate::model::ModelId;
use crate::month::parse_time;

const ATTRIBUTES: [&str; 7] =
    ["keyId", "tenant", "hash", "createdAt", "expiresAt", "disabled", "allowedModels"];

/// What the keys table holds of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyItem {
    /// The key's id, the key of the table.
    pub key_id: String,
    /// Whose budgets apply to the key's requests.
    pub tenant: String,
    /// The digest of the key.
    pub hash: KeyDigest,
    /// When the key was made.
    pub created_at: DateTime<Utc>,
    /// The first instant at which it does not admit any more.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether an administrator has disabled it.
    pub disabled: bool,
    /// The models that it is for; `None` for all.
    pub allowed_models: Option<AllowedModels>,
}

/// An item that cannot be understood: it admits nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the item {key_id:?} of the keys table: `{attribute}` {problem}")]
pub struct KeyItemError {
    /// The item's key, as far as it has one.
    pub key_id: String,
    /// The offending attribute.
    pub attribute: String,
    /// What is wrong and what to write.
    pub problem: String,
}

impl KeyItem {
    /// The item of a new key.
    #[must_use]
    pub fn new(key: &ApiKey, tenant: String, created_at: DateTime<Utc>) -> Self {
        Self {
            key_id: key.id().to_owned(),
            tenant,
            hash: key.digest(),
            created_at,
            expires_at: None,
            disabled: false,
            allowed_models: None,
        }
    }

    /// Reads an item.
    ///
    /// # Errors
    /// [`KeyItemError`] with the first attribute that is missing, unknown or malformed.
    pub fn read(item: &Value) -> Result<Self, KeyItemError> {
        let key_id = item.get("keyId").and_then(Value::as_str).unwrap_or_default();
        let wrong = |attribute: &str, problem: &str| KeyItemError {
            key_id: key_id.to_owned(),
            attribute: attribute.to_owned(),
            problem: problem.to_owned(),
        };
        if let Some(unknown) =
            item.as_object().and_then(|item| item.keys().find(|name| !ATTRIBUTES.contains(&name.as_str())))
        {
            return Err(wrong(unknown, "is no attribute of a key; remove it"));
        }
        if !is_key_id(key_id) {
            return Err(wrong("keyId", "must be the 16 lower-case letters and digits of the key's id"));
        }
        let text = |attribute: &str| item.get(attribute).and_then(Value::as_str);
        let tenant = text("tenant").filter(|tenant| is_tenant(tenant));
        let hash = text("hash").and_then(|hash| URL_SAFE_NO_PAD.decode(hash).ok());
        let time = |attribute: &str| match item.get(attribute) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(|text| parse_time(text).ok())
                .map(Some)
                .ok_or_else(|| wrong(attribute, "must be a time such as 2026-12-31T00:00:00Z")),
        };
        Ok(Self {
            key_id: key_id.to_owned(),
            tenant: tenant
                .ok_or_else(|| {
                    wrong("tenant", "must be 1 to 64 letters, digits, dots, underscores and hyphens")
                })?
                .to_owned(),
            hash: hash.and_then(|hash| hash.try_into().ok()).ok_or_else(|| {
                wrong("hash", "must be the SHA-256 digest of the key as base64url; make a new key")
            })?,
            created_at: time("createdAt")?.ok_or_else(|| wrong("createdAt", "is missing"))?,
            expires_at: time("expiresAt")?,
            disabled: match item.get("disabled") {
                None => false,
                Some(value) => value.as_bool().ok_or_else(|| wrong("disabled", "must be true or false"))?,
            },
            allowed_models: item.get("allowedModels").map(|value| models(value, &wrong)).transpose()?,
        })
    }

    /// The item as a JSON object.
    #[must_use]
    pub fn document(&self) -> Value {
        let time = |time: DateTime<Utc>| json!(time.to_rfc3339_opts(SecondsFormat::Secs, true));
        let mut item = Map::from_iter([
            ("keyId".to_owned(), json!(self.key_id)),
            ("tenant".to_owned(), json!(self.tenant)),
            ("hash".to_owned(), json!(URL_SAFE_NO_PAD.encode(self.hash))),
            ("createdAt".to_owned(), time(self.created_at)),
        ]);
        if let Some(expires_at) = self.expires_at {
            item.insert("expiresAt".to_owned(), time(expires_at));
        }
        if self.disabled {
            item.insert("disabled".to_owned(), json!(true));
        }
        if let Some(models) = &self.allowed_models {
            item.insert("allowedModels".to_owned(), json!(models.ids()));
        }
        Value::Object(item)
    }

    /// Whether the key admits a request at a time, for a model where that is known already.
    ///
    /// # Errors
    /// [`KeyRefusal`] says why not.
    pub fn admits(&self, now: DateTime<Utc>, model: Option<&ModelId>) -> Result<(), KeyRefusal> {
        if self.disabled {
            return Err(KeyRefusal::Disabled);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(KeyRefusal::Expired);
        }
        match (&self.allowed_models, model) {
            (Some(allowed), Some(model)) if !allowed.allows(model) => Err(KeyRefusal::ModelNotAllowed),
            _ => Ok(()),
        }
    }
}

fn models(value: &Value, wrong: &impl Fn(&str, &str) -> KeyItemError) -> Result<AllowedModels, KeyItemError> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Option<Vec<String>> = list.iter().map(|id| id.as_str().map(str::to_owned)).collect();
    let ids = ids
        .filter(|_| value.is_array())
        .ok_or_else(|| wrong("allowedModels", "must be a list of model ids or families"))?;
    AllowedModels::new(ids).map_err(|problem| wrong("allowedModels", &problem))
}
