//! A conversation as turns of content blocks, user and assistant in turn.

use sentry_core::request::{Block, Content, Prompt, Role, Tool};

/// Joins texts that follow each other, as [`sentry_core::request::Conversation`] does.
const BETWEEN: &str = "\n\n";

/// One part of a turn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<'a> {
    /// A text.
    Text(String),
    /// Any other block.
    Block(&'a Block),
}

/// What one side said: the blocks of messages of the same role that followed each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BlockTurn<'a> {
    /// User or assistant.
    pub(crate) role: Role,
    /// Its blocks. A turn of nothing but texts has one, in which they are joined.
    pub(crate) parts: Vec<Part<'a>>,
    /// The index in `prompt.messages` of the last of them.
    pub(crate) last: usize,
}

/// The turns of a prompt, with the system text at the head of the first where it has no place of
/// its own.
pub(crate) fn turns<'a>(prompt: &'a Prompt, folded_system: Option<String>) -> Vec<BlockTurn<'a>> {
    let mut turns: Vec<BlockTurn<'a>> = Vec::with_capacity(prompt.messages.len());
    if let Some(system) = folded_system {
        turns.push(BlockTurn { role: Role::User, parts: vec![Part::Text(system)], last: 0 });
    }
    for (index, message) in prompt.messages.iter().enumerate() {
        if message.role == Role::System {
            continue;
        }
        let parts = parts(&message.content);
        match turns.last_mut() {
            Some(turn) if turn.role == message.role => {
                turn.parts.extend(parts);
                turn.last = index;
            }
            _ => turns.push(BlockTurn { role: message.role, parts, last: index }),
        }
    }
    for turn in &mut turns {
        join_texts(&mut turn.parts);
    }
    turns
}

/// The system messages: texts, joined as far as no cache point stands between them.
pub(crate) fn system(prompt: &Prompt) -> Vec<Part<'_>> {
    let mut system: Vec<Part<'_>> = Vec::new();
    for message in prompt.messages.iter().filter(|message| message.role == Role::System) {
        for part in parts(&message.content) {
            match (system.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => {
                    before.push_str(BETWEEN);
                    before.push_str(&text);
                }
                (_, part) => system.push(part),
            }
        }
    }
    system
}

/// The tools of a prompt, without cache points, each with its index.
pub(crate) fn tool_specs(prompt: &Prompt) -> impl Iterator<Item = (usize, &sentry_core::request::ToolSpec)> {
    prompt.tools.iter().enumerate().filter_map(|(index, tool)| match tool {
        Tool::ToolSpec(spec) => Some((index, spec)),
        Tool::CachePoint(_) => None,
    })
}

fn parts(content: &Content) -> Vec<Part<'_>> {
    match content {
        Content::Text(text) => vec![Part::Text(text.clone())],
        Content::Blocks(blocks) => blocks
            .iter()
            .map(|block| match block {
                Block::Text(text) => Part::Text(text.clone()),
                other => Part::Block(other),
            })
            .collect(),
    }
}

fn join_texts(parts: &mut Vec<Part<'_>>) {
    let texts: Option<Vec<&str>> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Block(_) => None,
        })
        .collect();
    if let Some(texts) = texts {
        *parts = vec![Part::Text(texts.join(BETWEEN))];
    }
}
