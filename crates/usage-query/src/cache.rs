//! What a warm function remembers: GetMetricData costs money and is limited to 50 calls a
//! second, while the ledger is exact in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sentry_core::money::TokenUsage;

/// Entries before those of other months and families are dropped.
const CAPACITY: usize = 1_000;

#[derive(Debug)]
pub struct Cache {
    keep: Duration,
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
}

/// One family's month. Locked during a query, so that concurrent requests share one.
#[derive(Debug, Default)]
pub struct Slot {
    usage: Option<(Instant, TokenUsage)>,
    closed: Option<(i64, i64, TokenUsage)>,
}

impl Cache {
    pub fn new(keep: Duration) -> Self {
        Self { keep, slots: Mutex::default() }
    }

    pub fn slot(&self, key: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= CAPACITY && !slots.contains_key(key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key.to_owned()).or_default())
    }
}

impl Slot {
    pub fn fresh(&self, cache: &Cache) -> Option<TokenUsage> {
        self.usage.filter(|(read, _)| read.elapsed() < cache.keep).map(|(_, usage)| usage)
    }

    pub fn keep(&mut self, usage: TokenUsage) {
        self.usage = Some((Instant::now(), usage));
    }

    pub fn closed_days(&self, start: i64, end: i64) -> Option<TokenUsage> {
        self.closed.filter(|closed| (closed.0, closed.1) == (start, end)).map(|closed| closed.2)
    }

    pub fn keep_closed_days(&mut self, start: i64, end: i64, usage: TokenUsage) -> TokenUsage {
        self.closed = Some((start, end, usage));
        usage
    }
}
