//! Rules for all messages together, once each of them is right by itself.

use super::super::reader::Node;
use super::super::{Message, RequestError};
use super::{
    Block, CachePoint, Document, MAX_BLOCKS, MAX_CACHE_POINTS, MAX_DOCUMENTS, MAX_IMAGES, ResultBlock, Tool,
};
use crate::price::CacheTtl;

/// How many there are of something of which a request may have only so many.
struct Count {
    found: usize,
    most: usize,
    what: &'static str,
}

impl Count {
    const fn of(what: &'static str, most: usize) -> Self {
        Self { found: 0, most, what }
    }

    fn add(&mut self, node: &Node<'_>) -> Result<(), RequestError> {
        self.found += 1;
        if self.found > self.most {
            let Self { most, what, .. } = self;
            return Err(node.wrong(format!("is one too many: a request has at most {most} {what}")));
        }
        Ok(())
    }
}

/// The names of the documents in a request.
struct Documents<'a> {
    count: Count,
    names: Vec<&'a str>,
}

impl<'a> Documents<'a> {
    fn add(&mut self, document: &'a Document, node: &Node<'_>) -> Result<(), RequestError> {
        self.count.add(node)?;
        if self.names.contains(&document.name.as_str()) {
            let name = node.child("name");
            return Err(name.wrong("is the name of another document too; give each document its own"));
        }
        self.names.push(&document.name);
        Ok(())
    }
}

/// Refuses more blocks, images or documents than Bedrock takes, two documents of one name, and
/// a document in a message without a text.
pub(in super::super) fn check_messages(messages: &[Message], list: &Node<'_>) -> Result<(), RequestError> {
    let mut blocks = Count::of("content blocks", MAX_BLOCKS);
    let mut images = Count::of("images", MAX_IMAGES);
    let mut documents = Documents { count: Count::of("documents", MAX_DOCUMENTS), names: Vec::new() };
    for (index, message) in messages.iter().enumerate() {
        let content = list.item(index).child("content");
        for (position, block) in message.content.blocks().iter().enumerate() {
            let node = content.item(position);
            blocks.add(&node)?;
            match block {
                Block::Image(_) => images.add(&node)?,
                Block::Document(document) => documents.add(document, &node.child("document"))?,
                Block::ToolResult(result) => {
                    let parts = node.child("toolResult").child("content");
                    for (position, part) in result.content.iter().enumerate() {
                        let node = parts.item(position);
                        blocks.add(&node)?;
                        match part {
                            ResultBlock::Image(_) => images.add(&node)?,
                            ResultBlock::Document(document) => {
                                documents.add(document, &node.child("document"))?;
                            }
                            ResultBlock::Json(_) | ResultBlock::Text(_) => {}
                        }
                    }
                }
                Block::Text(_) | Block::ToolUse(_) | Block::ReasoningContent(_) | Block::CachePoint(_) => {}
            }
        }
        check_document_has_text(message, &content)?;
    }
    Ok(())
}

/// Bedrock takes a document only beside a text in the same message.
fn check_document_has_text(message: &Message, content: &Node<'_>) -> Result<(), RequestError> {
    let blocks = message.content.blocks();
    let is_document = |block: &Block| matches!(block, Block::Document(_));
    match blocks.iter().position(is_document) {
        Some(position) if !blocks.iter().any(|block| block.text().is_some()) => {
            Err(content.item(position).wrong(
                "is a document in a message without a text; add a text block that says what to do with it",
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses more cache points than Bedrock takes, and a part that is kept for an hour behind one
/// that is kept for five minutes. A prompt begins with the tools; the system messages follow.
pub(in super::super) fn check_cache_points(
    tools: &[Tool],
    messages: &[Message],
    prompt: &Node<'_>,
) -> Result<(), RequestError> {
    let mut count = Count::of("cache points", MAX_CACHE_POINTS);
    let mut short = false;
    let mut add = |point: &CachePoint, node: &Node<'_>| {
        count.add(node)?;
        match point.ttl.unwrap_or(CacheTtl::FiveMinutes) {
            CacheTtl::FiveMinutes => short = true,
            CacheTtl::OneHour if short => {
                return Err(node.wrong(
                    "is kept for an hour behind one that is kept for five minutes; put those of \"1h\" first, in the \
                     order tools, system messages, other messages",
                ));
            }
            CacheTtl::OneHour => {}
        }
        Ok(())
    };
    let list = prompt.child("tools");
    for (index, tool) in tools.iter().enumerate() {
        if let Tool::CachePoint(point) = tool {
            add(point, &list.item(index).child("cachePoint"))?;
        }
    }
    let list = prompt.child("messages");
    for (index, message) in messages.iter().enumerate() {
        for (position, block) in message.content.blocks().iter().enumerate() {
            if let Block::CachePoint(point) = block {
                add(point, &list.item(index).child("content").item(position).child("cachePoint"))?;
            }
        }
    }
    Ok(())
}
