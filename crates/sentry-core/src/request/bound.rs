//! How many input tokens a prompt can cost at most.
//!
//! A reservation rests on this number: it may be too high, never too low. Byte-level
//! tokenizers give at most one token per UTF-8 byte of the text that they see. Some normalise
//! the text first, which can lengthen it, so the longest of its normal forms counts. What the
//! model's template adds to the messages is an allowance of its own.

use unicode_normalization::char::{decompose_canonical, decompose_compatible};

use super::{Prompt, Role};
use crate::model::PromptTemplate;

/// Tokens that may stand around a whole request with any model: the begin of the text, the
/// header of the answer, a blank line between joined messages.
pub const REQUEST_ALLOWANCE: u64 = 128;

pub(super) fn of(prompt: &Prompt, template: &PromptTemplate) -> u64 {
    let has_system = prompt.messages.iter().any(|message| message.role == Role::System);
    let default_system = if has_system { 0 } else { template.without_system };
    prompt
        .messages
        .iter()
        .map(|message| longest_form(&message.content).saturating_add(template.per_message))
        .fold(REQUEST_ALLOWANCE + template.always + default_system, u64::saturating_add)
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
