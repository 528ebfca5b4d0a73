//! One shape for all vendors: a system text, then user and assistant in turn.

use super::{Prompt, Role};

/// Joins messages of the same role that follow each other.
const BETWEEN: &str = "\n\n";

/// A conversation in which user and assistant alternate. Mostly the user begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// All system messages, joined by a blank line.
    pub system: Option<String>,
    /// The turns. Never empty for a prompt that passed its checks.
    pub turns: Vec<Turn>,
}

/// What one side said, in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// User or assistant.
    pub role: Role,
    /// Messages of the same role that followed each other, joined by a blank line.
    pub content: String,
    /// The index in `prompt.messages` of the first of them, for the path of an error.
    pub index: usize,
}

impl Conversation {
    pub(super) fn of(prompt: &Prompt) -> Self {
        let mut system: Option<String> = None;
        let mut turns: Vec<Turn> = Vec::with_capacity(prompt.messages.len());
        for (index, message) in prompt.messages.iter().enumerate() {
            if message.role == Role::System {
                match &mut system {
                    Some(text) => append(text, &message.content.text()),
                    None => system = Some(message.content.text()),
                }
                continue;
            }
            match turns.last_mut() {
                Some(last) if last.role == message.role => append(&mut last.content, &message.content.text()),
                _ => turns.push(Turn { role: message.role, content: message.content.text(), index }),
            }
        }
        Self { system, turns }
    }

    /// The assistant's turn at the end that the model is to continue, if there is one.
    #[must_use]
    pub fn prefill(&self) -> Option<&Turn> {
        self.turns.last().filter(|turn| turn.role == Role::Assistant)
    }

    /// Puts the system text at the head of the first user turn, for models without a system role.
    #[must_use]
    pub fn with_system_folded(mut self) -> Self {
        if let Some(system) = self.system.take() {
            match self.turns.first_mut().filter(|turn| turn.role == Role::User) {
                Some(first) => first.content = format!("{system}{BETWEEN}{}", first.content),
                None => self.turns.insert(0, Turn { role: Role::User, content: system, index: 0 }),
            }
        }
        self
    }
}

fn append(text: &mut String, more: &str) {
    text.push_str(BETWEEN);
    text.push_str(more);
}
