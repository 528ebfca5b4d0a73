//! Prompts for models that take one text instead of messages.
//!
//! The markers between turns are part of the text, so a caller who writes a marker could forge
//! a turn. Such a text is refused with its path. It is not escaped: a changed text would be
//! another text than the caller sent, and would be billed.

use sentry_core::request::{Conversation, Role};

use crate::error::FormatError;
use crate::request::ChatRequest;

/// The longest name of a special token.
const LONGEST_NAME: usize = 64;

/// What a text must not contain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    /// Markers of the template.
    pub(crate) tokens: &'static [&'static str],
    /// What stands around the names of special tokens.
    pub(crate) wrapped: Option<(&'static str, &'static str)>,
}

impl Guard {
    /// Refuses a conversation in which a text contains a marker. It looks at the conversation
    /// as it came, for the right path, and as it goes out, since joining texts can make one.
    pub(crate) fn check(&self, request: &ChatRequest, talk: &Conversation) -> Result<(), FormatError> {
        for conversation in [&request.conversation, talk] {
            let system = conversation.system.iter().map(|text| (0, text));
            let turns = conversation.turns.iter().map(|turn| (turn.index, &turn.content));
            for (index, text) in system.chain(turns) {
                if let Some(marker) = self.find(text) {
                    let path = format!("prompt.messages[{index}].content");
                    let message = format!(
                        "`{path}` contains {marker:?}, which {} reads as a border between messages; remove it, or \
                         choose a model that takes messages.",
                        request.name()
                    );
                    return Err(FormatError::invalid(path, message));
                }
            }
        }
        Ok(())
    }

    fn find(&self, text: &str) -> Option<String> {
        if let Some(token) = self.tokens.iter().find(|token| text.contains(**token)) {
            return Some((*token).to_owned());
        }
        let (open, close) = self.wrapped?;
        text.match_indices(open).find_map(|(at, _)| {
            let rest = text.get(at + open.len()..)?;
            let name = rest.get(..rest.find(close)?)?;
            let special = (1..=LONGEST_NAME).contains(&name.len())
                && !name.contains(|c: char| c.is_whitespace() || c.is_control());
            special.then(|| format!("{open}{name}{close}"))
        })
    }
}

/// How a transcript marks who speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels {
    /// Before what the user says.
    pub(crate) user: &'static str,
    /// Before what the model says.
    pub(crate) assistant: &'static str,
    /// Between two pieces.
    pub(crate) between: &'static str,
}

impl Labels {
    /// A conversation as one text, ending where the model is to go on.
    pub(crate) fn transcript(&self, talk: &Conversation) -> String {
        let mut pieces: Vec<String> = talk.system.iter().cloned().collect();
        for turn in &talk.turns {
            pieces.push(match turn.role {
                Role::Assistant => format!("{} {}", self.assistant, turn.content),
                Role::User | Role::System => format!("{} {}", self.user, turn.content),
            });
        }
        if talk.prefill().is_none() {
            pieces.push(self.assistant.to_owned());
        }
        pieces.join(self.between)
    }

    /// The same, but a single user message stands alone, as it came.
    pub(crate) fn transcript_or_text(
        &self,
        request: &ChatRequest,
        talk: &Conversation,
        guard: &Guard,
    ) -> Result<String, FormatError> {
        if let (None, [only]) = (&talk.system, talk.turns.as_slice()) {
            return Ok(only.content.clone());
        }
        guard.check(request, talk)?;
        Ok(self.transcript(talk))
    }
}
