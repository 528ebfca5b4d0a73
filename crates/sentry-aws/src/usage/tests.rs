use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::ReadMetrics;
use sentry_core::error::{ErrorName, SentryError};

const HOUR: i64 = 3_600;
const DAYS: i64 = 86_400;
/// November 2026.
const START: i64 = 1_793_491_200;
const END: i64 = START + 30 * DAYS;

/// Start, end and period of a call, and its metrics.
type Asked = (i64, i64, i32, Vec<String>);

/// Datapoints by metric and id, each with the time at which its tokens were used.
#[derive(Default)]
struct Metrics {
    used: BTreeMap<(&'static str, &'static str), Vec<(i64, u64)>>,
    asked: Mutex<Vec<Asked>>,
    down: bool,
}

impl Metrics {
    fn used(mut self, id: &'static str, metric: &'static str, points: &[(i64, u64)]) -> Self {
        self.used.insert((id, metric), points.to_vec());
        self
    }
}

impl ReadMetrics for Metrics {
    async fn points(
        &self,
        queries: &[MetricQuery],
        start: i64,
        end: i64,
        period: i32,
    ) -> Result<Vec<Vec<(i64, u64)>>, SentryError> {
        let names = queries.iter().map(|query| format!("{} {}", query.model_id, query.metric)).collect();
        self.asked.lock().unwrap().push((start, end, period, names));
        // Callers at the same time get the chance to ask too.
        tokio::task::yield_now().await;
        if self.down {
            return Err(SentryError::new(ErrorName::UsageUnavailable, "down"));
        }
        let series = |query: &MetricQuery| {
            let mut sums: BTreeMap<i64, u64> = BTreeMap::new();
            for (time, sum) in self.used.get(&(query.model_id.as_str(), query.metric)).into_iter().flatten() {
                let point = time.div_euclid(i64::from(period)) * i64::from(period);
                if (start..end).contains(&point) {
                    *sums.entry(point).or_default() += sum;
                }
            }
            sums.into_iter().collect()
        };
        Ok(queries.iter().map(series).collect())
    }
}

fn ids(ids: &[&str]) -> ModelIds {
    ModelIds { ids: ids.iter().map(|id| (*id).to_owned()).collect(), listed: None }
}

fn listed(id: &str, metric: &'static str) -> MetricQuery {
    MetricQuery { metric, model_id: id.to_owned() }
}

/// What was asked for since the last time: the period and the metrics.
fn asked(reader: &UsageReader<Metrics>) -> Vec<(i32, Vec<String>)> {
    let asked = std::mem::take(&mut *reader.metrics().asked.lock().unwrap());
    asked.into_iter().map(|(_, _, period, names)| (period, names)).collect()
}

#[tokio::test]
async fn closed_days_are_read_by_the_day_and_the_rest_by_the_minute() {
    let reader = UsageReader::new(
        Metrics::default()
            .used("a", "InputTokenCount", &[(START + HOUR, 100), (START + 30 * DAYS - 90, 20)])
            .used("b", "OutputTokenCount", &[(START + 2 * DAYS, 7)]),
    );
    let now = END - 30;
    let usage = reader.read(&ids(&["a", "b"]), START, END, now).await.unwrap();
    assert_eq!((usage.total().input_tokens, usage.total().output_tokens), (120, 7));
    let intervals: Vec<_> = reader
        .metrics()
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(start, end, period, _)| (*start, *end, *period))
        .collect();
    let today = END - DAYS;
    assert_eq!(intervals[0], (START, today, DAY));
    assert_eq!(intervals[2], (today, END, MINUTE));
}

#[tokio::test]
async fn the_rest_can_be_cut_at_a_minute_and_closed_days_cannot() {
    let noon = START + 12 * HOUR;
    let first_day = Metrics::default().used("a", "OutputTokenCount", &[(noon, 1), (noon + 60, 2)]);
    let reader = UsageReader::new(first_day);
    let usage = reader.read(&ids(&["a"]), START, END, noon + 90).await.unwrap();
    let until = |time| usage.until(time).map(|usage| usage.output_tokens);
    assert_eq!(
        [until(START), until(noon), until(noon + 60), until(noon + 61)],
        [Some(0), Some(0), Some(1), Some(3)]
    );
    // A day is closed an hour after its end.
    let midnight = START + DAYS;
    let usage = reader.read(&ids(&["a"]), START, END, midnight + HOUR - 1).await.unwrap();
    assert_eq!(usage.until(noon + 60).map(|usage| usage.output_tokens), Some(1));
    let usage = reader.read(&ids(&["a"]), START, END, midnight + HOUR).await.unwrap();
    assert_eq!((usage.until(noon + 60), usage.until(midnight - 1)), (None, None));
    assert_eq!(usage.until(midnight).map(|usage| usage.output_tokens), Some(3));
}

#[tokio::test]
async fn a_past_month_is_read_up_to_its_end() {
    let next_month = Metrics::default().used("a", "OutputTokenCount", &[(END - 60, 5), (END, 9)]);
    let reader = UsageReader::new(next_month);
    for now in [END + 60, END + 2 * HOUR] {
        let usage = reader.read(&ids(&["a"]), START, END, now).await.unwrap();
        assert_eq!(usage.total().output_tokens, 5);
    }
    assert!(reader.metrics().asked.lock().unwrap().iter().all(|(_, end, ..)| *end <= END));
}

#[tokio::test]
async fn the_first_minute_of_a_month_has_no_closed_days() {
    let reader = UsageReader::new(Metrics::default());
    reader.read(&ids(&["a"]), START, END, START).await.unwrap();
    let names = vec!["a InputTokenCount".to_owned(), "a OutputTokenCount".to_owned()];
    assert_eq!(*reader.metrics().asked.lock().unwrap(), [(START, START + 60, MINUTE, names)]);
}

#[tokio::test]
async fn cache_metrics_are_asked_for_only_where_there_is_usage() {
    let noon = START + 12 * HOUR;
    let reader = UsageReader::new(
        Metrics::default()
            .used("a", "OutputTokenCount", &[(noon, 1)])
            .used("a", "CacheReadInputTokens", &[(noon, 20)])
            // One spelling or both: the same tokens.
            .used("a", "CacheWriteInputTokenCount", &[(noon, 3)])
            .used("a", "CacheWriteInputTokens", &[(noon, 3)]),
    );
    let usage = reader.read(&ids(&["a", "b", "c"]), START, END, noon + 60).await.unwrap().total();
    assert_eq!((usage.cache_read_input_tokens, usage.cache_write_input_tokens), (20, 3));
    let asked = asked(&reader);
    assert_eq!((asked[0].1.len(), asked[1].1.len(), asked.len()), (6, 4, 2));
    assert!(asked[1].1.iter().all(|name| name.starts_with("a Cache")));
}

#[tokio::test]
async fn an_id_is_probed_whether_it_is_listed_or_not() {
    let noon = START + 12 * HOUR;
    let reader = UsageReader::new(
        Metrics::default()
            .used("listed", "OutputTokenCount", &[(noon, 1)])
            .used("new", "InputTokenCount", &[(noon, 5)])
            .used("new", "CacheReadInputTokens", &[(noon, 6)]),
    );
    let all = vec![listed("listed", "OutputTokenCount"), listed("another", "OutputTokenCount")];
    let ids = ModelIds { listed: Some(all), ..ids(&["listed", "new", "unused"]) };
    let usage = reader.read(&ids, START, END, noon + 60).await.unwrap().total();
    assert_eq!((usage.output_tokens, usage.all_input()), (1, 11));
    let asked = asked(&reader);
    assert_eq!(
        asked[0].1,
        [
            "listed InputTokenCount",
            "listed OutputTokenCount",
            "new InputTokenCount",
            "new OutputTokenCount",
            "unused InputTokenCount",
            "unused OutputTokenCount"
        ]
    );
    // The cache metrics of the two that are in use: neither has a listed one.
    assert_eq!((asked[1].1.len(), asked.len()), (8, 2));
}

#[tokio::test]
async fn closed_days_count_what_the_list_has_forgotten() {
    let reader = UsageReader::new(
        Metrics::default().used("a", "OutputTokenCount", &[(START, 1), (START + 20 * DAYS, 1)]).used(
            "a",
            "CacheReadInputTokens",
            &[(START, 30)],
        ),
    );
    let ids = ModelIds { listed: Some(vec![listed("a", "OutputTokenCount")]), ..ids(&["a"]) };
    let usage = reader.read(&ids, START, END, START + 20 * DAYS + HOUR).await.unwrap().total();
    assert_eq!((usage.output_tokens, usage.cache_read_input_tokens), (2, 30));
}

#[tokio::test]
async fn closed_days_are_asked_for_once_by_callers_at_the_same_time() {
    let reader = UsageReader::new(Metrics::default().used("a", "OutputTokenCount", &[(START, 1)]));
    let (now, ids) = (START + 3 * DAYS, ids(&["a"]));
    let read = || reader.read(&ids, START, END, now);
    let (one, other, third) = tokio::join!(read(), read(), read());
    assert_eq!((&one, &other), (&other, &third));
    assert_eq!(one.unwrap().total().output_tokens, 1);
    let by_the_day = |asked: &[(i32, Vec<String>)]| asked.iter().filter(|(period, _)| *period == DAY).count();
    // The metrics that show whether the id is in use, and those of its cache.
    assert_eq!(by_the_day(&asked(&reader)), 2);
    // Another day has closed.
    reader.read(&ids, START, END, now + DAYS).await.unwrap();
    assert_eq!(by_the_day(&asked(&reader)), 2);
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let reader = UsageReader::new(Metrics { down: true, ..Metrics::default() });
    for _ in 0..2 {
        let error = reader.read(&ids(&["a"]), START, END, START + 3 * DAYS).await.unwrap_err();
        assert_eq!(error.name, ErrorName::UsageUnavailable);
    }
    assert_eq!(asked(&reader).len(), 2);
}

#[test]
fn a_full_cache_is_emptied_and_values_in_use_stay_valid() {
    let slots: Slots<u8> = Slots::default();
    let held = slots.get("0");
    *held.try_lock().unwrap() = 7;
    for key in 1..1_000 {
        slots.get(&key.to_string());
    }
    assert_eq!(*slots.get("0").try_lock().unwrap(), 7);
    slots.get("1000");
    assert_eq!(*slots.get("0").try_lock().unwrap(), 0);
    assert_eq!(*held.try_lock().unwrap(), 7);
}
