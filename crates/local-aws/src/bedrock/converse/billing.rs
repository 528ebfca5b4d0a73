//! What the model reads, in tokens, and the prefixes that cache points mark.

use sha2::{Digest, Sha256};

use super::wire::CacheTtl;

/// Tokens around each text, so that a short one is not free.
const AROUND_TEXT: u64 = 3;

/// The hash of everything before a place in the prompt.
pub type PrefixHash = [u8; 32];

/// The end of a block: a prefix that may be in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixEnd {
    /// Everything before it.
    pub hash: PrefixHash,
    /// Its tokens.
    pub tokens: u64,
    /// Whether a cache point stands here, and for how long.
    pub point: Option<CacheTtl>,
}

/// Counts input tokens in the order in which a prompt is cached: tools, system, messages.
#[derive(Debug, Clone, Default)]
pub struct InputMeter {
    tokens: u64,
    hasher: Sha256,
    ends: Vec<PrefixEnd>,
}

impl InputMeter {
    /// A text that the model reads.
    pub fn text(&mut self, text: &str) {
        self.add(text_tokens(text), text.as_bytes());
    }

    /// Something of this many tokens; the bytes tell it from other things.
    pub fn add(&mut self, tokens: u64, bytes: &[u8]) {
        self.tokens = self.tokens.saturating_add(tokens);
        self.hasher.update(bytes.len().to_le_bytes());
        self.hasher.update(bytes);
    }

    /// The end of a block.
    pub fn end_block(&mut self) {
        let hash = self.hasher.clone().finalize().into();
        self.ends.push(PrefixEnd { hash, tokens: self.tokens, point: None });
    }

    /// A cache point after the last block.
    pub fn cache_point(&mut self, ttl: CacheTtl) {
        if self.ends.is_empty() {
            self.end_block();
        }
        if let Some(end) = self.ends.last_mut() {
            end.point = Some(ttl);
        }
    }

    /// All tokens so far.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The prefixes, when some cache point marks one.
    #[must_use]
    pub fn into_prefixes(self) -> Vec<PrefixEnd> {
        if self.ends.iter().any(|end| end.point.is_some()) { self.ends } else { Vec::new() }
    }
}

/// A token for every four bytes and three around each text, and never more tokens than bytes,
/// since no tokenizer does that.
#[must_use]
pub fn text_tokens(text: &str) -> u64 {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    bytes.div_ceil(4).saturating_add(AROUND_TEXT).min(bytes)
}
