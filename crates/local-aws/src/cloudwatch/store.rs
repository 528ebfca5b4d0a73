//! Metrics by minute, seen only after a lag, as CloudWatch's are.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

/// What names a metric; the dimensions are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricKey {
    /// `AWS/Bedrock` and the like.
    pub namespace: String,
    /// `InputTokenCount` and the like.
    pub name: String,
    /// Names and values.
    pub dimensions: Vec<(String, String)>,
}

impl MetricKey {
    /// A key with its dimensions in order.
    #[must_use]
    pub fn new(namespace: &str, name: &str, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self { namespace: namespace.to_owned(), name: name.to_owned(), dimensions }
    }
}

/// A statistic set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Sum of the values.
    pub sum: f64,
    /// How many.
    pub count: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Stats {
    /// One value.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self { sum: value, count: 1.0, min: value, max: value }
    }

    /// Adds what another set has seen.
    pub fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// How long datapoints are kept.
const DAYS_KEPT: i64 = 455;
/// Values that become visible within so many milliseconds wait together, so that a busy minute
/// costs memory by time, not by calls.
const QUANTUM: i64 = 100;

/// The points of one metric by the second in which their minute starts.
pub type MetricPoints = BTreeMap<i64, Stats>;

/// All metrics.
#[derive(Debug)]
pub struct MetricStore {
    lag: TimeDelta,
    ids: HashMap<MetricKey, usize>,
    metrics: Vec<(MetricKey, MetricPoints)>,
    waiting: BTreeMap<(i64, usize, i64), Stats>,
    swept: i64,
}

impl MetricStore {
    /// An empty store whose values are seen this long after their time.
    #[must_use]
    pub fn new(lag: TimeDelta) -> Self {
        Self { lag, ids: HashMap::new(), metrics: Vec::new(), waiting: BTreeMap::new(), swept: 0 }
    }

    /// Takes a value of this time.
    pub fn put(&mut self, key: MetricKey, at: DateTime<Utc>, stats: Stats) {
        let id = match self.ids.get(&key) {
            Some(id) => *id,
            None => {
                self.ids.insert(key.clone(), self.metrics.len());
                self.metrics.push((key, MetricPoints::new()));
                self.metrics.len() - 1
            }
        };
        let minute = at.timestamp() - at.timestamp().rem_euclid(60);
        if self.lag.is_zero() {
            self.show(id, minute, stats);
            return;
        }
        let seen = at.timestamp_millis().saturating_add(self.lag.num_milliseconds());
        let seen = seen.saturating_add(QUANTUM - 1).div_euclid(QUANTUM);
        self.waiting.entry((seen, id, minute)).and_modify(|held| held.merge(stats)).or_insert(stats);
    }

    /// Makes values visible whose lag has passed, and drops datapoints past their retention.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        let due = now.timestamp_millis().div_euclid(QUANTUM);
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= due) {
            let ((_, id, minute), stats) = entry.remove_entry();
            self.show(id, minute, stats);
        }
        let today = now.timestamp().div_euclid(86_400);
        if today > self.swept {
            self.swept = today;
            let oldest = (today - DAYS_KEPT) * 86_400;
            for (_, points) in &mut self.metrics {
                *points = points.split_off(&oldest);
            }
        }
    }

    /// The visible points of a metric.
    #[must_use]
    pub fn points(&self, key: &MetricKey) -> Option<&MetricPoints> {
        self.ids.get(key).and_then(|id| self.metrics.get(*id)).map(|(_, points)| points)
    }

    /// The metrics with a visible point since then, in order.
    #[must_use]
    pub fn active_since(&self, since: DateTime<Utc>) -> Vec<&MetricKey> {
        let since = since.timestamp();
        let mut keys: Vec<_> = self
            .metrics
            .iter()
            .filter(|(_, points)| points.last_key_value().is_some_and(|(minute, _)| *minute >= since))
            .map(|(key, _)| key)
            .collect();
        keys.sort();
        keys
    }

    fn show(&mut self, id: usize, minute: i64, stats: Stats) {
        if let Some((_, points)) = self.metrics.get_mut(id) {
            points.entry(minute).and_modify(|held| held.merge(stats)).or_insert(stats);
        }
    }
}
