//! How many input tokens a request can cost at most.
//!
//! A reservation rests on this number: it may be too high, never too low. Byte-level
//! tokenizers give at most one token per UTF-8 byte of the text that they see. Some normalise
//! the text first, which can lengthen it, so the longest of its normal forms counts. What the
//! model's template adds, to the messages and to tools, are allowances of their own. Documents
//! whose bytes do not say how much text they hold have no bound but the context window.

use unicode_normalization::char::{decompose_canonical, decompose_compatible};

use serde_json::{Value, json};

use super::content::{Block, Document, ReasoningContent, ResultBlock, Tool, ToolSpec};
use super::schema::{json_bytes, schema_bytes};
use super::{Inference, Prompt, Role};
use crate::model::{ImageRule, PromptTemplate};

/// Tokens that may stand around a whole request with any model: the begin of the text, the
/// header of the answer, a blank line between joined messages.
pub const REQUEST_ALLOWANCE: u64 = 128;
/// Around each content block beyond the first of a message.
const BLOCK_ALLOWANCE: u64 = 16;
/// Around a call of a tool and around its result.
const CALL_ALLOWANCE: u64 = 64;
/// Around each tool.
const TOOL_ALLOWANCE: u64 = 16;
/// Around a document: its tags and its format.
const DOCUMENT_ALLOWANCE: u64 = 256;
/// Around the schema of the answer.
const SCHEMA_ALLOWANCE: u64 = 256;
/// What a model is told about citing; recorded: up to 671 tokens.
const CITATIONS_ALLOWANCE: u64 = 1_024;
/// Around each sentence of a document that is to be cited: the model must be able to name it.
const SENTENCE_ALLOWANCE: u64 = 16;
/// What a model is told about using tools. Anthropic documents up to 804 tokens, Nova 2 was
/// recorded with 780, and the longest published template, that of DeepSeek V3.2, has about 1,700
/// bytes of English.
const TOOL_PROMPT: u64 = 1_024;

/// The most input tokens of a request for some family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// Of everything that has a bound.
    pub(super) tokens: u64,
    /// The part of `tokens` that CountTokens does not count.
    pub(super) uncounted: u64,
    /// The first part without a bound, by its path.
    pub(super) unbounded: Option<String>,
}

pub(super) fn of(prompt: &Prompt, inference: &Inference, family: &str, template: &PromptTemplate) -> Bound {
    let mut sum = Sum { images: ImageRule::of(family), cited: false, bound: Bound::default() };
    let has_system = prompt.messages.iter().any(|message| message.role == Role::System);
    sum.add(REQUEST_ALLOWANCE + template.always);
    sum.add(if has_system { 0 } else { template.without_system });
    for (index, message) in prompt.messages.iter().enumerate() {
        sum.add(template.per_message);
        match message.content.plain() {
            Some(text) => sum.text(text),
            None => {
                for (position, block) in message.content.blocks().iter().enumerate() {
                    sum.block(block, &format!("prompt.messages[{index}].content[{position}]"));
                }
            }
        }
    }
    if !prompt.tools.is_empty() {
        sum.add(TOOL_PROMPT);
        for tool in &prompt.tools {
            if let Tool::ToolSpec(spec) = tool {
                sum.tool(spec);
            }
        }
    }
    if let Some(format) = &inference.response_format {
        let before = sum.bound.tokens;
        // Where a model has no such answers, the schema is that of a tool that it must call.
        sum.add(TOOL_PROMPT + SCHEMA_ALLOWANCE);
        sum.schema(&format.schema, 0);
        sum.text(format.name.as_deref().unwrap_or_default());
        sum.text(format.description.as_deref().unwrap_or_default());
        sum.bound.uncounted = sum.bound.tokens.saturating_sub(before);
    }
    if sum.cited {
        sum.add(CITATIONS_ALLOWANCE);
    }
    sum.bound
}

struct Sum {
    images: Option<&'static ImageRule>,
    cited: bool,
    bound: Bound,
}

impl Sum {
    fn add(&mut self, tokens: u64) {
        self.bound.tokens = self.bound.tokens.saturating_add(tokens);
    }

    fn text(&mut self, text: &str) {
        self.add(longest_form(text));
    }

    fn schema(&mut self, schema: &Value, level: u64) {
        // The references in a schema were found to end when the request was read.
        self.add(schema_bytes(schema, level, u64::MAX).unwrap_or(u64::MAX));
    }

    /// A tool as templates write it. The schema is counted in its place, with its references.
    fn tool(&mut self, spec: &ToolSpec) {
        let function = json!({ "name": spec.name, "description": spec.description, "parameters": null });
        self.add(TOOL_ALLOWANCE + json_bytes(&json!({ "type": "function", "function": function })));
        self.schema(&spec.input_schema.json, 2);
    }

    fn block(&mut self, block: &Block, path: &str) {
        self.add(BLOCK_ALLOWANCE);
        match block {
            Block::Text(text) => self.text(text),
            Block::Image(image) => self.image(image.size, path),
            Block::Document(document) => self.document(document, path),
            Block::ToolUse(call) => {
                self.add(CALL_ALLOWANCE + json_bytes(&call.input));
                self.text(&call.name);
                self.text(&call.tool_use_id);
            }
            Block::ToolResult(result) => {
                self.add(CALL_ALLOWANCE);
                self.text(&result.tool_use_id);
                for (index, part) in result.content.iter().enumerate() {
                    let path = format!("{path}.toolResult.content[{index}]");
                    self.add(BLOCK_ALLOWANCE);
                    match part {
                        ResultBlock::Json(json) => self.add(json_bytes(json)),
                        ResultBlock::Text(text) => self.text(text),
                        ResultBlock::Image(image) => self.image(image.size, &path),
                        ResultBlock::Document(document) => self.document(document, &path),
                    }
                }
            }
            // A signature may stand for reasoning that is not shown: it has at least three
            // characters for each token of it in recorded exchanges.
            Block::ReasoningContent(ReasoningContent::ReasoningText(reasoning)) => {
                self.text(&reasoning.text);
                self.add(reasoning.signature.as_ref().map_or(0, |signature| signature.len() as u64));
            }
            Block::ReasoningContent(ReasoningContent::RedactedContent(bytes)) => self.add(bytes.len() as u64),
            Block::CachePoint(_) => {}
        }
    }

    fn image(&mut self, (width, height): (u64, u64), path: &str) {
        match self.images {
            Some(rule) => self.add((rule.tokens)(width, height)),
            None => self.has_no_bound(path),
        }
    }

    fn document(&mut self, document: &Document, path: &str) {
        self.add(DOCUMENT_ALLOWANCE);
        self.cited |= document.cited();
        self.text(&document.name);
        self.text(document.context.as_deref().unwrap_or_default());
        match document.texts() {
            Some(texts) => texts.iter().for_each(|text| {
                self.add(BLOCK_ALLOWANCE);
                self.text(text);
                if document.cited() {
                    let ends = text.chars().filter(|c| ".!?\n。！？".contains(*c)).count();
                    self.add(ends as u64 * SENTENCE_ALLOWANCE);
                }
            }),
            None => self.has_no_bound(path),
        }
    }

    fn has_no_bound(&mut self, path: &str) {
        self.bound.unbounded.get_or_insert_with(|| path.to_owned());
    }
}

/// Bytes of the longest among a text and its normal forms NFC, NFD, NFKC and NFKD.
///
/// The decomposed forms are as long as those of their characters together. The composed ones
/// need no look: no character that stands in one is longer than what it decomposes to.
fn longest_form(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    let (mut nfd, mut nfkd) = (0, 0);
    for c in text.chars() {
        if c.is_ascii() {
            nfd += 1;
            nfkd += 1;
        } else {
            decompose_canonical(c, |part| nfd += part.len_utf8());
            decompose_compatible(c, |part| nfkd += part.len_utf8());
        }
    }
    text.len().max(nfd).max(nfkd) as u64
}

/// Bytes of the longest form of a character.
pub(super) fn longest_char(c: char) -> u64 {
    let mut nfkd = 0;
    decompose_compatible(c, |part| nfkd += part.len_utf8());
    let mut nfd = 0;
    decompose_canonical(c, |part| nfd += part.len_utf8());
    nfkd.max(nfd).max(c.len_utf8()) as u64
}
