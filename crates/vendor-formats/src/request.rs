//! A request on its way to a formatter.

use sentry_core::limit::DEFAULT_MAX_TOKENS;
use sentry_core::model::ModelId;
use sentry_core::request::{Block, Conversation, Inference, Prompt, Role};
use serde_json::{Map, Value};

use crate::error::FormatError;
use crate::traits::{SystemRole, Traits};

/// What a formatter turns into a body.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The id by which the model will be called.
    pub model_id: String,
    /// The family; `None` for an opaque id without a known model.
    pub family: Option<String>,
    /// Messages, tools and what the model must do with them.
    pub prompt: Prompt,
    /// The texts of the messages, user and assistant in turn.
    pub conversation: Conversation,
    /// What the caller wants of the output.
    pub inference: Inference,
    /// Labels for Bedrock's invocation log; only Converse carries them.
    pub metadata: Map<String, Value>,
}

impl ChatRequest {
    /// A request from its checked parts. `family` names the model behind the id, where that
    /// does not say it itself or a limit item says otherwise.
    ///
    /// # Errors
    /// [`FormatError::UnsupportedModel`] where the id cannot be understood.
    pub fn new(
        model_id: &str,
        family: Option<&str>,
        prompt: &Prompt,
        inference: &Inference,
    ) -> Result<Self, FormatError> {
        let own = parse(model_id)?;
        let named = family.map(parse).transpose()?;
        let family = named.into_iter().chain([own]).find(|model| !model.opaque).map(|model| model.family);
        Ok(Self {
            model_id: model_id.to_owned(),
            family,
            prompt: prompt.clone(),
            conversation: prompt.conversation(),
            inference: inference.clone(),
            metadata: Map::new(),
        })
    }

    /// The output limit to send: the caller's, else the default.
    #[must_use]
    pub fn max_tokens(&self) -> u64 {
        self.inference.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)
    }

    /// The stop sequences, if there are any to send.
    #[must_use]
    pub fn stop_sequences(&self) -> Option<&[String]> {
        self.inference.stop_sequences.as_deref().filter(|list| !list.is_empty())
    }

    /// The name by which errors call the model.
    #[must_use]
    pub fn name(&self) -> &str {
        self.family.as_deref().unwrap_or(&self.model_id)
    }

    /// The family, if it is one of those that `owns` knows.
    pub(crate) fn family_of(&self, vendor: &str, owns: fn(&str) -> bool) -> Result<&str, FormatError> {
        match self.family.as_deref() {
            Some(family) if owns(family) => Ok(family),
            _ => Err(FormatError::UnsupportedModel {
                model_id: self.model_id.clone(),
                message: format!(
                    "{} is not a model that the {vendor} format is for; use Converse.",
                    self.name()
                ),
            }),
        }
    }

    /// The conversation for the vendor's own format, after everything was refused that it does
    /// not carry or that a model with these traits does not take.
    pub(crate) fn prepared(&self, traits: &Traits) -> Result<Conversation, FormatError> {
        self.refuse_all_but_text(false)?;
        self.checked(traits)
    }

    /// The same for a format that carries pictures of the user too.
    pub(crate) fn prepared_with_pictures(&self, traits: &Traits) -> Result<Conversation, FormatError> {
        self.refuse_all_but_text(true)?;
        self.checked(traits)
    }

    fn checked(&self, traits: &Traits) -> Result<Conversation, FormatError> {
        traits.check(self)?;
        let conversation = self.conversation.clone();
        Ok(match traits.system {
            SystemRole::Own => conversation,
            SystemRole::FirstUserTurn => conversation.with_system_folded(),
        })
    }

    /// Vendors' own formats carry texts alone, some of them pictures of the user too.
    fn refuse_all_but_text(&self, pictures: bool) -> Result<(), FormatError> {
        let refuse = |path: String| {
            let message = format!(
                "`{path}` is not carried in the vendor's own format. {} takes such requests through Converse: leave \
                 `calling: native` out of its limit item, or `{path}` out of the request.",
                self.name()
            );
            Err(FormatError::invalid(path, message))
        };
        if !self.prompt.tools.is_empty() {
            return refuse("prompt.tools".to_owned());
        }
        for (index, message) in self.prompt.messages.iter().enumerate() {
            for (position, block) in message.content.blocks().iter().enumerate() {
                let carried = match block {
                    Block::Text(_) => true,
                    Block::Image(_) => pictures && message.role == Role::User,
                    _ => false,
                };
                if !carried {
                    return refuse(format!("prompt.messages[{index}].content[{position}].{}", block.name()));
                }
            }
        }
        let inference = &self.inference;
        for (given, field) in [
            (inference.reasoning.is_some(), "reasoning"),
            (inference.response_format.is_some(), "responseFormat"),
            (inference.service_tier.is_some(), "serviceTier"),
        ] {
            if given {
                return refuse(format!("inference.{field}"));
            }
        }
        Ok(())
    }
}

fn parse(model_id: &str) -> Result<ModelId, FormatError> {
    ModelId::parse(model_id).map_err(|error| {
        let sentry_core::model::ModelError::Unsupported { model_id, message } = error;
        FormatError::UnsupportedModel { model_id, message }
    })
}
