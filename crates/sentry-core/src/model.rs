//! Model ids: what Bedrock accepts as a model's name, reduced to the model that is meant.
//!
//! One model has many names: bare, with a context length, under a geographic inference
//! profile, as an ARN. They share one budget, so that no name is a way around it. An id that
//! cannot be reduced with certainty is refused, or marked as opaque where a limit item has to
//! say which model stands behind it; it is never guessed.

mod arn;
mod names;
mod not_chat;
mod routes;
mod template;
#[cfg(test)]
mod tests;
mod vision;
mod windows;

use crate::error::{ErrorName, SentryError};

pub use names::{CONTEXTS, GEOS};
pub use not_chat::{Families, NOT_CHAT, NotChat};
pub use routes::{InvocationMode, ROUTES, Route, UsageSource};
pub use template::{PromptTemplate, TEMPLATES, UNKNOWN as UNKNOWN_TEMPLATE};
pub use vision::{IMAGE_RULES, ImageRule};
pub use windows::{WINDOWS, context_window};

/// The longest model id that Bedrock's runtime accepts.
const MAX_BYTES: usize = 2_048;
/// The longest bare id that Bedrock gives out.
const MAX_BARE_BYTES: usize = 140;
/// How much of an id an error repeats.
const SHOWN_CHARS: usize = 200;

/// Who makes a model; the first part of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vendor {
    /// `anthropic.`
    Anthropic,
    /// `amazon.`
    Amazon,
    /// `meta.`
    Meta,
    /// `mistral.`
    Mistral,
    /// `cohere.`
    Cohere,
    /// `ai21.`
    Ai21,
    /// `deepseek.`
    DeepSeek,
    /// `openai.`
    OpenAi,
    /// `qwen.`
    Qwen,
    /// `writer.`
    Writer,
    /// `google.`
    Google,
    /// `minimax.`
    MiniMax,
    /// `moonshot.` and `moonshotai.`
    Moonshot,
    /// `nvidia.`
    Nvidia,
    /// `zai.`
    Zai,
    /// `xai.`
    Xai,
    /// A vendor that this version does not know; its models are reached by Converse.
    Other,
}

impl Vendor {
    /// Every vendor that has a prefix of its own.
    pub const ALL: &'static [Vendor] = &[
        Vendor::Anthropic,
        Vendor::Amazon,
        Vendor::Meta,
        Vendor::Mistral,
        Vendor::Cohere,
        Vendor::Ai21,
        Vendor::DeepSeek,
        Vendor::OpenAi,
        Vendor::Qwen,
        Vendor::Writer,
        Vendor::Google,
        Vendor::MiniMax,
        Vendor::Moonshot,
        Vendor::Nvidia,
        Vendor::Zai,
        Vendor::Xai,
    ];

    /// The name in documents and logs, lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Vendor::Anthropic => "anthropic",
            Vendor::Amazon => "amazon",
            Vendor::Meta => "meta",
            Vendor::Mistral => "mistral",
            Vendor::Cohere => "cohere",
            Vendor::Ai21 => "ai21",
            Vendor::DeepSeek => "deepseek",
            Vendor::OpenAi => "openai",
            Vendor::Qwen => "qwen",
            Vendor::Writer => "writer",
            Vendor::Google => "google",
            Vendor::MiniMax => "minimax",
            Vendor::Moonshot => "moonshot",
            Vendor::Nvidia => "nvidia",
            Vendor::Zai => "zai",
            Vendor::Xai => "xai",
            Vendor::Other => "other",
        }
    }

    /// The name as its maker writes it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Vendor::Anthropic => "Anthropic",
            Vendor::Amazon => "Amazon",
            Vendor::Meta => "Meta",
            Vendor::Mistral => "Mistral",
            Vendor::Cohere => "Cohere",
            Vendor::Ai21 => "AI21",
            Vendor::DeepSeek => "DeepSeek",
            Vendor::OpenAi => "OpenAI",
            Vendor::Qwen => "Qwen",
            Vendor::Writer => "Writer",
            Vendor::Google => "Google",
            Vendor::MiniMax => "MiniMax",
            Vendor::Moonshot => "Moonshot",
            Vendor::Nvidia => "NVIDIA",
            Vendor::Zai => "Z.ai",
            Vendor::Xai => "xAI",
            Vendor::Other => "Other",
        }
    }

    /// Whether the vendor's models may write to a cache, and bill that, for requests without a cache
    /// point: all but those that are documented to cache at a cache point only.
    #[must_use]
    pub const fn writes_to_caches_unasked(self) -> bool {
        !matches!(self, Vendor::Anthropic | Vendor::Amazon)
    }

    /// The vendor of a family, by the part before its first dot.
    #[must_use]
    pub fn of_family(family: &str) -> Self {
        match family.split('.').next().unwrap_or_default() {
            "moonshotai" => Vendor::Moonshot,
            prefix => {
                Self::ALL.iter().copied().find(|vendor| vendor.as_str() == prefix).unwrap_or(Vendor::Other)
            }
        }
    }
}

impl std::fmt::Display for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A model id, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    /// The id as the caller gave it.
    pub id: String,
    /// The name that all ids of this model share: no geographic prefix, no context length, no
    /// ARN. For an opaque id, the short id behind the last slash.
    pub family: String,
    /// Who makes it; `None` for an opaque id.
    pub vendor: Option<Vendor>,
    /// Whether only a limit item's `aliasOf` can tell which model is behind the id.
    pub opaque: bool,
    /// How the router calls it.
    pub calling: InvocationMode,
    /// The id by which CloudWatch counts an opaque model's tokens.
    short: Option<String>,
}

/// An id that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Not a chat model on this endpoint, or not a known form of id.
    #[error("{message}")]
    Unsupported {
        /// The id, cut where it is long.
        model_id: String,
        /// A sentence that says why.
        message: String,
    },
}

impl ModelError {
    fn unsupported(id: &str, message: impl Into<String>) -> Self {
        ModelError::Unsupported { model_id: id.chars().take(SHOWN_CHARS).collect(), message: message.into() }
    }
}

impl From<ModelError> for SentryError {
    fn from(error: ModelError) -> Self {
        let ModelError::Unsupported { model_id, message } = error;
        SentryError::new(ErrorName::UnsupportedModel, message).with("modelId", model_id)
    }
}

impl ModelId {
    /// Understands a model id in any of its forms.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] with the reason: not a chat model, served by another
    /// endpoint, or no form of id that Bedrock has.
    pub fn parse(id: &str) -> Result<Self, ModelError> {
        if id.len() > MAX_BYTES {
            return Err(ModelError::unsupported(
                id,
                format!("The model id has {} bytes, and Bedrock's ids have at most {MAX_BYTES}.", id.len()),
            ));
        }
        if id.starts_with("arn:") {
            return arn::parse(id);
        }
        if names::is_short(id) {
            return Ok(Self::opaque(id, id));
        }
        Self::named(id, id)
    }

    /// An id that says which model it is.
    fn named(id: &str, name: &str) -> Result<Self, ModelError> {
        if name.len() > MAX_BARE_BYTES {
            return Err(ModelError::unsupported(
                id,
                format!(
                    "The model id has {} bytes, and Bedrock's ids have at most {MAX_BARE_BYTES}.",
                    name.len()
                ),
            ));
        }
        let family = names::family(name).map_err(|message| ModelError::unsupported(id, message))?;
        if let Some(row) = not_chat::find(family) {
            return Err(ModelError::unsupported(id, format!("{family} {}", row.reason)));
        }
        let route = Route::of(family);
        Ok(Self {
            id: id.to_owned(),
            family: family.to_owned(),
            vendor: Some(Vendor::of_family(family)),
            opaque: false,
            calling: route.calling,
            short: None,
        })
    }

    /// An id behind which any model may stand.
    fn opaque(id: &str, short: &str) -> Self {
        Self {
            id: id.to_owned(),
            family: short.to_owned(),
            vendor: None,
            opaque: true,
            calling: InvocationMode::Converse,
            short: Some(short.to_owned()),
        }
    }

    /// The id that stands at the end of an ARN of a foundation model or an inference profile;
    /// `None` for other ids.
    #[must_use]
    pub fn name_in_arn(&self) -> Option<&str> {
        let arn = self.id.strip_prefix("arn:").filter(|_| !self.opaque)?;
        arn.rsplit_once('/').map(|(_, name)| name)
    }

    /// The row of [`ROUTES`] that applies.
    #[must_use]
    pub fn route(&self) -> &'static Route {
        if self.opaque { Route::for_opaque() } else { Route::of(&self.family) }
    }

    /// What the model's prompt template adds to a prompt.
    #[must_use]
    pub fn template(&self) -> &'static PromptTemplate {
        if self.vendor.is_some() { PromptTemplate::of(&self.family) } else { &UNKNOWN_TEMPLATE }
    }

    /// Whether CountTokens knows this model, by the name of its family: Claude of the third
    /// generation and later. Where it does not after all, it says so and costs nothing.
    #[must_use]
    pub fn counts_tokens(&self) -> bool {
        self.vendor == Some(Vendor::Anthropic)
            && !["anthropic.claude-v", "anthropic.claude-instant-"]
                .iter()
                .any(|early| self.family.starts_with(early))
    }

    /// Every `ModelId` under which CloudWatch may count this family's tokens: the bare id, each
    /// geographic profile, the context lengths that exist, and the short id of an opaque one.
    #[must_use]
    pub fn cloudwatch_ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        if self.vendor.is_some() {
            ids.push(self.family.clone());
            ids.extend(GEOS.iter().map(|geo| format!("{geo}.{}", self.family)));
            ids.extend(
                names::contexts(&self.family).iter().map(|length| format!("{}:{length}", self.family)),
            );
        }
        ids.extend(self.short.clone());
        ids
    }
}
