//! API keys of the front door: how a key looks, what is stored of it, and when it admits a request.
//!
//! Fails closed. A key that is malformed, unknown, disabled or expired admits nobody, and neither does a
//! stored item that cannot be understood.
//!
//! A key is `sk-sentry-<id>-<secret>`. The id finds the item and may be logged and listed; the secret is stored
//! nowhere, only a digest of both. The secret has 256 random bits, which nobody can guess, so a plain SHA-256
//! is enough: slow password hashes protect what people choose themselves.

mod item;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::ModelId;

pub use item::{KeyItem, KeyItemError};

/// How every key begins, so that scanners for leaked secrets recognise one.
pub const PREFIX: &str = "sk-sentry-";
/// Characters of a key's id, of `a` to `z` and `0` to `9`.
pub const ID_CHARS: usize = 16;
/// Characters of a key's secret: 256 bits as base64url without padding.
pub const SECRET_CHARS: usize = 43;
/// Characters of a tenant's id.
pub const MAX_TENANT_CHARS: usize = 64;
/// Bytes of the models that one key allows, joined by commas: they travel with every request.
pub const MAX_ALLOWED_MODELS_BYTES: usize = 4_000;

/// Keeps the digest apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"bedrock-cost-sentry api key v1\0";
const ID_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// What is stored of a key instead of its secret.
pub type KeyDigest = [u8; 32];

/// A well-formed key. Its `Debug` form shows the id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: String,
    secret: String,
}

impl ApiKey {
    /// Reads a key; `None` for a text that is not in the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_at_checked(ID_CHARS)?;
        let secret = secret.strip_prefix('-')?;
        let is_secret = secret.len() == SECRET_CHARS
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (is_key_id(id) && is_secret).then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// A new key from bytes of a cryptographic random number generator.
    #[must_use]
    pub fn from_random(id: [u8; ID_CHARS], secret: [u8; 32]) -> Self {
        // 256 is no multiple of 36, so some letters come more often. An id must be unique, not secret.
        let letter = |byte: u8| char::from(ID_ALPHABET[usize::from(byte) % ID_ALPHABET.len()]);
        Self { id: id.into_iter().map(letter).collect(), secret: URL_SAFE_NO_PAD.encode(secret) }
    }

    /// The part that may be logged, listed and looked up.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole key, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}-{}", self.id, self.secret)
    }

    /// What is stored of the key.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(&self.id).chain_update([0]);
        hash.chain_update(&self.secret).finalize().into()
    }

    /// Whether the key is the one that was stored under its id; `None` for an id that is not stored.
    ///
    /// Takes the same time for an unknown id, a wrong secret and the right one.
    #[must_use]
    pub fn matches(&self, stored: Option<&KeyDigest>) -> bool {
        let is_same = self.digest().ct_eq(stored.unwrap_or(&[0; 32]));
        bool::from(is_same) & stored.is_some()
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether a text has the form of a key's id.
#[must_use]
pub fn is_key_id(text: &str) -> bool {
    text.len() == ID_CHARS && text.bytes().all(|byte| ID_ALPHABET.contains(&byte))
}

/// Whether a text can be a tenant's id: `[A-Za-z0-9._-]{1,64}`.
///
/// The id is spliced into documents by mapping templates, and nothing in this alphabet needs to be escaped.
#[must_use]
pub fn is_tenant(text: &str) -> bool {
    (1..=MAX_TENANT_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The models that a key may ask for: ids as callers write them, or families, which allow each id of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedModels(Vec<String>);

impl AllowedModels {
    /// These models.
    ///
    /// # Errors
    /// A sentence that says what is wrong: an empty list, an id with characters that no model id has, or more than
    /// [`MAX_ALLOWED_MODELS_BYTES`].
    pub fn new(models: Vec<String>) -> Result<Self, String> {
        if models.is_empty() {
            return Err("is empty, which would allow no model; leave it out to allow all".to_owned());
        }
        let is_model = |model: &String| {
            !model.is_empty()
                && model.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:/_-".contains(&byte))
        };
        if let Some(wrong) = models.iter().find(|model| !is_model(model)) {
            return Err(format!(
                "has {wrong:?}, which is no model id; copy the id from Bedrock's list of models"
            ));
        }
        let models = Self(models);
        let bytes = models.joined().len();
        if bytes > MAX_ALLOWED_MODELS_BYTES {
            return Err(format!(
                "has {bytes} bytes of model ids, and {MAX_ALLOWED_MODELS_BYTES} are allowed; name families instead of ids, or make several keys"
            ));
        }
        Ok(models)
    }

    /// Reads what [`AllowedModels::joined`] wrote.
    ///
    /// # Errors
    /// As [`AllowedModels::new`].
    pub fn from_joined(text: &str) -> Result<Self, String> {
        Self::new(text.split(',').filter(|model| !model.is_empty()).map(str::to_owned).collect())
    }

    /// One text, the ids separated by commas: the context of an authorizer has no lists.
    #[must_use]
    pub fn joined(&self) -> String {
        self.0.join(",")
    }

    /// The ids.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.0
    }

    /// Whether the model is among them, by its id or by its family.
    #[must_use]
    pub fn allows(&self, model: &ModelId) -> bool {
        self.0.iter().any(|allowed| *allowed == model.id || *allowed == model.family)
    }
}

/// Why a key does not admit a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// An administrator has disabled it.
    #[error("the key is disabled")]
    Disabled,
    /// Its time is over.
    #[error("the key has expired")]
    Expired,
    /// It is for other models.
    #[error("the key does not allow the model")]
    ModelNotAllowed,
}
