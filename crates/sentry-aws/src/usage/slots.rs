//! A cache of a warm function.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of entries at which the cache is emptied.
const CAPACITY: usize = 1_000;

/// Cached values by key. A value is locked while it is refreshed, so that concurrent callers share
/// one query.
#[derive(Debug, Default)]
pub struct Slots<T>(Mutex<HashMap<String, Arc<tokio::sync::Mutex<T>>>>);

impl<T: Default> Slots<T> {
    /// The slot of a key, empty at first.
    pub fn get(&self, key: &str) -> Arc<tokio::sync::Mutex<T>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= CAPACITY && !slots.contains_key(key) {
            slots.clear();
        }
        Arc::clone(slots.entry(key.to_owned()).or_default())
    }
}
