//! The prompt cache: which prefixes were seen and until when, so that a cache point first writes
//! and then reads.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::converse::billing::{PrefixEnd, PrefixHash};
use super::converse::features::CacheRule;
use super::converse::wire::CacheTtl;

/// The prefixes of a request, and the model's rule for them.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheablePrompt {
    /// The ends of blocks in order; some carry a cache point.
    pub prefixes: Vec<PrefixEnd>,
    /// What the model caches.
    pub rule: CacheRule,
}

/// What a request reads from the cache and writes to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Tokens read.
    pub read: u64,
    /// Tokens written, by how long they are kept; in the order of the prompt.
    pub writes: Vec<(CacheTtl, u64)>,
    touched: Vec<(PrefixHash, CacheTtl)>,
}

impl CacheUse {
    /// All tokens written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.writes.iter().map(|(_, tokens)| tokens).sum()
    }
}

#[derive(Debug, Clone, Copy)]
struct CachedPrefix {
    ttl: CacheTtl,
    until: DateTime<Utc>,
}

/// What is cached, by model.
#[derive(Debug, Default)]
pub struct PromptCache {
    entries: HashMap<(String, PrefixHash), CachedPrefix>,
}

impl PromptCache {
    /// What this prompt would read and write. Nothing changes until [`PromptCache::keep`].
    #[must_use]
    pub fn look(&self, model_id: &str, prompt: &CacheablePrompt, now: DateTime<Utc>) -> CacheUse {
        let mut found = CacheUse::default();
        let live = |end: &PrefixEnd| {
            self.entries.get(&(model_id.to_owned(), end.hash)).filter(|entry| entry.until > now)
        };
        let points: Vec<usize> = (0..prompt.prefixes.len())
            .filter(|at| prompt.prefixes[*at].point.is_some())
            .filter(|at| prompt.prefixes[*at].tokens >= prompt.rule.minimum)
            .collect();
        for point in &points {
            let from = point.saturating_sub(prompt.rule.lookback);
            for end in &prompt.prefixes[from..=*point] {
                if let Some(entry) = live(end).filter(|_| end.tokens > found.read) {
                    found.read = end.tokens;
                    found.touched.push((end.hash, entry.ttl));
                }
            }
        }
        let mut done = found.read;
        for point in points {
            let end = &prompt.prefixes[point];
            let Some(ttl) = end.point.filter(|_| end.tokens > done) else {
                continue;
            };
            match found.writes.last_mut() {
                Some((last, tokens)) if *last == ttl => *tokens += end.tokens - done,
                _ => found.writes.push((ttl, end.tokens - done)),
            }
            found.touched.push((end.hash, ttl));
            done = end.tokens;
        }
        found
    }

    /// Keeps what was written and renews what was read.
    pub fn keep(&mut self, model_id: &str, used: &CacheUse, now: DateTime<Utc>) {
        self.entries.retain(|_, entry| entry.until > now);
        for (hash, ttl) in &used.touched {
            let minutes = match ttl {
                CacheTtl::FiveMinutes => 5,
                CacheTtl::OneHour => 60,
            };
            let until = now.checked_add_signed(TimeDelta::minutes(minutes)).unwrap_or(now);
            self.entries.insert((model_id.to_owned(), *hash), CachedPrefix { ttl: *ttl, until });
        }
    }
}
