//! One budget of every item that governs it: the strictest of them counts.
//!
//! The budget admits no more than any of its items would alone. Only the items of the strictest
//! mode set its limits: where one enforces, another that observes refuses nothing by itself, so
//! its numbers are left out rather than enforced.

use chrono::{DateTime, Utc};

use super::{Budget, Dimension, Limit, LimitItem, Mode, OnShortage, PerDimension};

/// The budget of a key, of the items that govern it, the most specific first; `None` where none
/// of them limits or blocks.
pub(super) fn budget(key: String, items: &[&LimitItem], at: DateTime<Utc>) -> Option<Budget> {
    let items: Vec<&LimitItem> = items.iter().copied().filter(|item| item.makes_a_budget()).collect();
    let mode = items.iter().map(|item| item.mode).max_by_key(|mode| strictness(*mode))?;
    let deciding: Vec<&LimitItem> = items.iter().copied().filter(|item| item.mode == mode).collect();
    let item_id = deciding.first()?.item_id.clone();

    // Of equal limits the first is taken, that of the most specific item.
    let lowest = PerDimension::from_fn(|dimension| {
        let limits = deciding.iter().filter_map(|item| Some((item.limit_at(at)?.get(dimension)?, *item)));
        limits.min_by_key(|(limit, _)| *limit)
    });
    let limited_by = Dimension::ALL
        .into_iter()
        .filter_map(|dimension| Some((dimension, lowest.get(dimension)?.1.item_id.clone())))
        .filter(|(_, id)| *id != item_id)
        .collect();
    let refuses = deciding.iter().any(|item| item.on_shortage == OnShortage::Refuse);
    let mut warn_at_percent: Vec<u8> =
        deciding.iter().flat_map(|item| &item.warn_at_percent).copied().collect();
    warn_at_percent.sort_unstable();
    warn_at_percent.dedup();
    Some(Budget {
        key,
        item_id,
        limit: Limit::from_fn(|dimension| lowest.get(dimension).map(|(limit, _)| limit)),
        limited_by,
        mode,
        min_max_tokens: deciding.iter().map(|item| item.min_max_tokens).max()?,
        on_shortage: if refuses { OnShortage::Refuse } else { OnShortage::Shrink },
        warn_at_percent,
        fallback_model_id: items.iter().find_map(|item| item.fallback_model_id.clone()),
        shards: items.iter().map(|item| item.shards).max()?,
        counts_external: false,
    })
}

const fn strictness(mode: Mode) -> u8 {
    match mode {
        Mode::Observe => 0,
        Mode::Enforce => 1,
        Mode::Block => 2,
    }
}
