//! A month's token usage out of Bedrock's metrics: which to ask for, in which period, and what
//! they mean.
//!
//! A datapoint carries its whole period and the time of the period's start. One-minute points live
//! 15 days, so closed days are read by the day and only the rest by the minute: valid on the 31st
//! as on the 1st. Metrics are named, because a search forgets what was silent for two weeks.

mod reader;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sentry_core::money::TokenUsage;

use crate::MetricQuery;

pub use reader::UsageReader;
pub use slots::Slots;

/// Seconds of the period of closed days.
pub const DAY: i32 = 86_400;
/// Seconds of the period of the rest.
pub const MINUTE: i32 = 60;

/// The metrics that every model in use has: they show whether an id is in use.
const PROBES: [&str; 2] = ["InputTokenCount", "OutputTokenCount"];
/// The metrics of prompt caching. CloudWatch counts it under two spellings.
const CACHE: [&str; 4] = [
    "CacheReadInputTokenCount",
    "CacheReadInputTokens",
    "CacheWriteInputTokenCount",
    "CacheWriteInputTokens",
];

/// The metric of tokens that has this name.
pub(crate) fn metric_named(name: &str) -> Option<&'static str> {
    PROBES.into_iter().chain(CACHE).find(|metric| *metric == name)
}

/// The ids under which CloudWatch counts a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelIds {
    /// The ids.
    pub ids: Vec<String>,
    /// The metrics that `ListMetrics` shows, also those of other ids; `None` when it was not asked.
    /// It shows a new metric up to 15 minutes late, so what it lacks may still exist.
    pub listed: Option<Vec<MetricQuery>>,
}

impl ModelIds {
    /// The metrics that are listed for an id.
    fn listed(&self, id: &str, use_list: bool) -> Vec<&'static str> {
        let listed = self.listed.iter().flatten().filter(|query| use_list && query.model_id == id);
        listed.map(|query| query.metric).collect()
    }

    /// What to ask for first: the metrics that show whether an id is in use, listed or not, and
    /// the cache metrics that are listed.
    fn first(&self, use_list: bool) -> Vec<MetricQuery> {
        let metrics = |id: &String| {
            let listed = self.listed(id, use_list).into_iter().filter(|metric| CACHE.contains(metric));
            of(id, &PROBES.into_iter().chain(listed).collect::<Vec<_>>())
        };
        self.ids.iter().flat_map(metrics).collect()
    }

    /// What to ask for then: of the ids that are in use, the cache metrics of a kind that is
    /// listed under neither spelling.
    fn second(&self, use_list: bool, points: &Points) -> Vec<MetricQuery> {
        let metrics = |id: &String| {
            let listed = self.listed(id, use_list);
            let kinds = CACHE.chunks(2).filter(|kind| !kind.iter().any(|metric| listed.contains(metric)));
            of(id, &kinds.flatten().copied().collect::<Vec<_>>())
        };
        self.ids.iter().filter(|id| points.shows(id)).flat_map(metrics).collect()
    }
}

fn of(id: &str, metrics: &[&'static str]) -> Vec<MetricQuery> {
    metrics.iter().map(|metric| MetricQuery { metric, model_id: id.to_owned() }).collect()
}

/// Usage by id and by the start of the period.
#[derive(Debug, Default)]
struct Points(BTreeMap<(String, i64), TokenUsage>);

impl Points {
    fn add(&mut self, query: &MetricQuery, series: &[(i64, u64)]) {
        for (time, sum) in series {
            let usage = self.0.entry((query.model_id.clone(), *time)).or_default();
            let count = match query.metric {
                "InputTokenCount" => &mut usage.input_tokens,
                "OutputTokenCount" => &mut usage.output_tokens,
                "CacheReadInputTokenCount" | "CacheReadInputTokens" => &mut usage.cache_read_input_tokens,
                _ => &mut usage.cache_write_input_tokens,
            };
            // The same tokens may be counted under both spellings.
            *count = (*count).max(*sum);
        }
    }

    fn shows(&self, id: &str) -> bool {
        self.0.iter().any(|((of, _), usage)| of == id && *usage != TokenUsage::default())
    }

    fn by_time(self) -> BTreeMap<i64, TokenUsage> {
        let mut by_time: BTreeMap<i64, TokenUsage> = BTreeMap::new();
        for ((_, time), usage) in self.0 {
            let sum = by_time.entry(time).or_default();
            *sum = sum.plus(&usage);
        }
        by_time
    }
}
