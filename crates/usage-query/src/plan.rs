//! Which metrics to ask for, over which interval, in which period.
//!
//! A datapoint carries its whole period and the time of the period's start. One-minute
//! points live 15 days, so closed days are read by the day and only the current one by the
//! minute: valid on the 31st as on the 1st. Metrics are named, because a search forgets what
//! was silent for two weeks.

use chrono::{DateTime, Utc};
use sentry_aws::MetricQuery;
use sentry_core::limit::Amounts;

/// Seconds of the period of closed days.
pub const DAY: i32 = 86_400;
/// Seconds of the period of the current day.
pub const MINUTE: i32 = 60;

/// The metrics of one model, in the order in which their sums come. The cache is counted
/// under two spellings; a model has one of them.
const METRICS: [&str; 6] = [
    "InputTokenCount",
    "OutputTokenCount",
    "CacheReadInputTokenCount",
    "CacheReadInputTokens",
    "CacheWriteInputTokenCount",
    "CacheWriteInputTokens",
];

/// What to ask CloudWatch.
pub struct Plan {
    /// Every metric of every id.
    pub queries: Vec<MetricQuery>,
    start: i64,
    now: i64,
}

impl Plan {
    /// All metrics of these ids from the start of the month until now.
    pub fn new(model_ids: &[String], start: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let queries = model_ids
            .iter()
            .flat_map(|id| METRICS.iter().map(|metric| MetricQuery { metric, model_id: id.clone() }))
            .collect();
        Self { queries, start: start.timestamp(), now: now.timestamp() }
    }

    /// What the cache knows this by: the month and the ids.
    pub fn key(&self) -> String {
        let ids: Vec<_> =
            self.queries.iter().step_by(METRICS.len()).map(|query| query.model_id.as_str()).collect();
        format!("{} {}", self.start, ids.join(" "))
    }

    /// The first second of the current UTC day.
    fn today(&self) -> i64 {
        self.now - self.now.rem_euclid(i64::from(DAY))
    }

    /// The closed days of the month, end exclusive; none on the first.
    pub fn closed_days(&self) -> Option<(i64, i64)> {
        (self.start < self.today()).then(|| (self.start, self.today()))
    }

    /// The current day up to and with the current minute, end exclusive.
    pub fn current_day(&self) -> Option<(i64, i64)> {
        let start = self.today().max(self.start);
        let minute = i64::from(MINUTE);
        let end = (self.now.div_euclid(minute) + 1) * minute;
        (start < end).then_some((start, end))
    }

    /// Adds up the sums of the queries.
    pub fn total(&self, sums: &[u64]) -> Amounts {
        sums.chunks(METRICS.len()).fold(Amounts::default(), |total, of_model| {
            let [input, output, read, read_too, write, write_too] = of_model else {
                return total;
            };
            let input = input.saturating_add(*read.max(read_too)).saturating_add(*write.max(write_too));
            plus(total, Amounts { input, output: *output })
        })
    }
}

/// The sum of two amounts.
pub fn plus(a: Amounts, b: Amounts) -> Amounts {
    Amounts { input: a.input.saturating_add(b.input), output: a.output.saturating_add(b.output) }
}
