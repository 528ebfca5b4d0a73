//! What a warm function remembers, by key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries before all are forgotten.
const CAPACITY: usize = 1_000;

/// Values that are remembered under keys. One is locked while it is read anew, so that callers at
/// the same time share one query.
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
