//! What a model takes, and the refusal of what it does not take.

use sentry_core::request::{Conversation, Role};

use crate::error::FormatError;
use crate::request::ChatRequest;

/// Where a system text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemRole {
    /// The model has a place of its own for it.
    Own,
    /// At the head of the first user turn.
    FirstUserTurn,
}

/// Which stop sequences a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRule {
    /// None.
    Never,
    /// Up to so many.
    UpTo(usize),
    /// Up to so many, each with at least one visible character.
    VisibleUpTo(usize),
    /// Only `|` (once or more) and `User:`.
    TitanWords,
}

/// What a model family takes beyond messages and `maxTokens`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// Where a system text goes.
    pub system: SystemRole,
    /// Whether it takes more than one user turn.
    pub several_turns: bool,
    /// Whether the conversation may begin with what the assistant said.
    pub assistant_first: bool,
    /// Whether it continues an assistant turn at the end.
    pub prefill: bool,
    /// Whether such a turn may end in white space.
    pub prefill_ends_blank: bool,
    /// The highest temperature; `None` where it takes none.
    pub temperature: Option<f64>,
    /// Whether it takes `topP`.
    pub top_p: bool,
    /// Whether it takes `temperature` and `topP` together.
    pub temperature_with_top_p: bool,
    /// The least `topK`; `None` where it takes none. For those that take 0 it means no limit.
    pub top_k: Option<u64>,
    /// Which stop sequences it takes.
    pub stop: StopRule,
    /// The least output limit that it takes.
    pub least_max_tokens: u64,
    /// The most output that it can be asked for, where that is known.
    pub max_tokens: Option<u64>,
}

impl Traits {
    /// A chat model without peculiarities.
    pub const CHAT: Traits = Traits {
        system: SystemRole::Own,
        several_turns: true,
        assistant_first: false,
        prefill: false,
        prefill_ends_blank: true,
        temperature: Some(1.0),
        top_p: true,
        temperature_with_top_p: true,
        top_k: None,
        stop: StopRule::UpTo(16),
        least_max_tokens: 1,
        max_tokens: None,
    };

    /// Refuses by name what the family does not take.
    pub(crate) fn check(&self, request: &ChatRequest) -> Result<(), FormatError> {
        let family = request.name();
        let inference = &request.inference;
        let refuse =
            |field: &str, what: String| Err(FormatError::invalid(format!("inference.{field}"), what));
        match (inference.temperature, self.temperature) {
            (Some(_), None) => {
                return refuse("temperature", format!("{family} takes no `temperature`; leave it out."));
            }
            (Some(given), Some(most)) if given > most => {
                return refuse(
                    "temperature",
                    format!("{family} takes a `temperature` of at most {most}; lower it."),
                );
            }
            _ => {}
        }
        if inference.top_p.is_some() && !self.top_p {
            return refuse("topP", format!("{family} takes no `topP`; leave it out."));
        }
        if inference.top_p.is_some() && inference.temperature.is_some() && !self.temperature_with_top_p {
            return refuse(
                "topP",
                format!("{family} takes `temperature` or `topP`, not both; leave one out."),
            );
        }
        match (inference.top_k, self.top_k) {
            (Some(_), None) => return refuse("topK", format!("{family} takes no `topK`; leave it out.")),
            (Some(given), Some(least)) if given < least => {
                return refuse(
                    "topK",
                    format!("{family} takes a `topK` of at least {least}; raise it or leave it out."),
                );
            }
            _ => {}
        }
        if let (Some(given), Some(most)) = (inference.max_tokens, self.max_tokens)
            && given > most
        {
            return refuse("maxTokens", format!("{family} writes at most {most} tokens; lower `maxTokens`."));
        }
        if request.max_tokens() < self.least_max_tokens {
            let least = self.least_max_tokens;
            return refuse(
                "maxTokens",
                format!(
                    "{family} takes `maxTokens` of at least {least}; raise it, or wait for budget if it was shortened."
                ),
            );
        }
        self.check_stop(family, inference.stop_sequences.as_deref().unwrap_or_default())?;
        self.check_turns(family, &request.conversation)
    }

    fn check_stop(&self, family: &str, sequences: &[String]) -> Result<(), FormatError> {
        let path = "inference.stopSequences";
        let most = match self.stop {
            StopRule::Never if sequences.is_empty() => return Ok(()),
            StopRule::Never => {
                return Err(FormatError::invalid(
                    path,
                    format!("{family} takes no `stopSequences`; leave them out."),
                ));
            }
            StopRule::UpTo(most) | StopRule::VisibleUpTo(most) => most,
            StopRule::TitanWords => usize::MAX,
        };
        if sequences.len() > most {
            return Err(FormatError::invalid(
                path,
                format!("{family} takes at most {most} `stopSequences`; leave some out."),
            ));
        }
        for (index, sequence) in sequences.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match self.stop {
                StopRule::VisibleUpTo(_) if sequence.trim().is_empty() => {
                    let message =
                        format!("{family} takes only stop sequences with a visible character; change it.");
                    return Err(FormatError::invalid(path, message));
                }
                StopRule::TitanWords if sequence != "User:" && sequence.bytes().any(|b| b != b'|') => {
                    let message =
                        format!("{family} takes only `|` and `User:` as stop sequences; leave others out.");
                    return Err(FormatError::invalid(path, message));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_turns(&self, family: &str, conversation: &Conversation) -> Result<(), FormatError> {
        if let Some(first) = conversation.turns.first().filter(|turn| turn.role == Role::Assistant)
            && !self.assistant_first
        {
            let message =
                format!("{family} needs a message of role \"user\" before the first of role \"assistant\".");
            return Err(FormatError::invalid(format!("prompt.messages[{}].role", first.index), message));
        }
        if let Some(prefill) = conversation.prefill() {
            let path = |field: &str| format!("prompt.messages[{}].{field}", prefill.index);
            if !self.prefill {
                let message = format!(
                    "{family} does not continue an assistant message; end with a message of role \"user\"."
                );
                return Err(FormatError::invalid(path("role"), message));
            }
            if !self.prefill_ends_blank && prefill.content.ends_with(char::is_whitespace) {
                let message = format!(
                    "{family} does not continue an assistant message that ends in white space; remove it from the end."
                );
                return Err(FormatError::invalid(path("content"), message));
            }
        }
        if !self.several_turns
            && let Some(second) = conversation.turns.get(1)
        {
            let message = format!("{family} takes a single user message here; leave the history out.");
            return Err(FormatError::invalid(format!("prompt.messages[{}].role", second.index), message));
        }
        Ok(())
    }
}
