//! How many input tokens a prompt can cost at most.
//!
//! A reservation rests on this number: it may be too high, never too low. Byte-level
//! tokenizers give at most one token per UTF-8 byte of the text that they see.

use super::Prompt;

/// Tokens that a template may put around one message: role, begin and end markers, line
/// breaks. The longest known (Llama 2, whose markers are not tokens of their own) needs 14.
pub const MESSAGE_ALLOWANCE: u64 = 16;

/// Tokens that a template may put around a whole request: a preamble of the vendor's own. The
/// longest measured is that of gpt-oss with about 75.
pub const REQUEST_ALLOWANCE: u64 = 128;

/// Characters which compatibility normalisation, that some tokenizers apply first, spells out
/// in more bytes than they had: from, to, and how many more at most.
const EXPANDING: &[(char, char, u64)] = &[
    ('\u{00a0}', '\u{024f}', 4),
    ('\u{0340}', '\u{03ff}', 4),
    ('\u{0587}', '\u{0fff}', 6),
    ('\u{1e00}', '\u{1fff}', 6),
    ('\u{2000}', '\u{2bff}', 12),
    ('\u{3000}', '\u{33ff}', 18),
    ('\u{fb00}', '\u{fdef}', 9),
    ('\u{fdf0}', '\u{fdff}', 30),
    ('\u{fe00}', '\u{feff}', 9),
    ('\u{1d100}', '\u{1d1ff}', 12),
    ('\u{1f100}', '\u{1f2ff}', 9),
];

pub(super) fn of(prompt: &Prompt) -> u64 {
    prompt
        .messages
        .iter()
        .map(|message| message.content.len() as u64 + expansion(&message.content) + MESSAGE_ALLOWANCE)
        .sum::<u64>()
        .saturating_add(REQUEST_ALLOWANCE)
}

/// Bytes by which normalisation may lengthen a text.
fn expansion(text: &str) -> u64 {
    if text.is_ascii() {
        return 0;
    }
    text.chars()
        .filter(|c| !c.is_ascii())
        .map(|c| EXPANDING.iter().find(|(from, to, _)| (*from..=*to).contains(&c)).map_or(0, |row| row.2))
        .sum()
}
