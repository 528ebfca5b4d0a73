use std::sync::Mutex;

use super::*;
use sentry_aws::{DAY, MINUTE, MetricQuery};

/// Answers every query with its own number and notes what was asked.
#[derive(Default)]
struct Metrics {
    asked: Mutex<Vec<(i64, i64, i32)>>,
    down: bool,
}

impl ReadMetrics for Metrics {
    async fn points(
        &self,
        queries: &[MetricQuery],
        start: i64,
        end: i64,
        period: i32,
    ) -> Result<Vec<Vec<(i64, u64)>>, SentryError> {
        self.asked.lock().unwrap().push((start, end, period));
        if self.down {
            return Err(SentryError::new(ErrorName::UsageUnavailable, "down"));
        }
        Ok(queries
            .iter()
            .map(|query| match query.metric {
                "InputTokenCount" => 100,
                "OutputTokenCount" => 7,
                "CacheReadInputTokens" => 20,
                "CacheWriteInputTokenCount" => 3,
                _ => 0,
            })
            .map(|sum| vec![(start, sum)])
            .collect())
    }
}

fn at(time: &str) -> Value {
    let range = sentry_core::month::Period::range(parse_time(time).unwrap());
    json!({"modelIds": ["a.b", "us.a.b"], "range": range})
}

fn seconds(time: &str) -> i64 {
    parse_time(time).unwrap().timestamp()
}

#[tokio::test]
async fn closed_days_are_read_by_the_day_and_today_by_the_minute() {
    let context = Context::new(Metrics::default(), Duration::ZERO);
    let usage = handle(at("2026-10-31T23:59:30Z"), &context).await.unwrap();
    let (month, today, end) =
        (seconds("2026-10-01T00:00:00Z"), seconds("2026-10-31T00:00:00Z"), seconds("2026-11-01T00:00:00Z"));
    // The ids are in use, so that each interval is asked for their cache too.
    assert_eq!(
        *context.usage.metrics().asked.lock().unwrap(),
        [(month, today, DAY), (month, today, DAY), (today, end, MINUTE), (today, end, MINUTE)]
    );
    // Two ids, two intervals; cache reads and writes count as input.
    assert_eq!((&usage["inputTokens"], &usage["outputTokens"]), (&json!(4 * 100), &json!(4 * 7)));
    assert_eq!(
        (&usage["cacheReadInputTokens"], &usage["cacheWriteInputTokens"]),
        (&json!(4 * 20), &json!(4 * 3))
    );
    assert_eq!(usage["available"], true);
}

#[tokio::test]
async fn the_first_of_a_month_has_no_closed_days() {
    let context = Context::new(Metrics::default(), Duration::ZERO);
    handle(at("2026-11-01T00:00:00Z"), &context).await.unwrap();
    let start = seconds("2026-11-01T00:00:00Z");
    assert_eq!(*context.usage.metrics().asked.lock().unwrap(), [(start, start + 60, MINUTE); 2]);
}

#[tokio::test]
async fn a_warm_function_asks_once_and_again_for_another_month() {
    let context = Context::new(Metrics::default(), Duration::from_secs(600));
    for _ in 0..3 {
        handle(at("2026-11-30T12:00:00Z"), &context).await.unwrap();
    }
    assert_eq!(context.usage.metrics().asked.lock().unwrap().len(), 4);
    handle(at("2026-12-01T12:00:00Z"), &context).await.unwrap();
    assert_eq!(context.usage.metrics().asked.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn without_keeping_closed_days_are_still_read_once() {
    let context = Context::new(Metrics::default(), Duration::ZERO);
    for _ in 0..3 {
        handle(at("2026-11-30T12:00:00Z"), &context).await.unwrap();
    }
    let days = context.usage.metrics().asked.lock().unwrap().iter().filter(|asked| asked.2 == DAY).count();
    assert_eq!((days, context.usage.metrics().asked.lock().unwrap().len()), (2, 8));
}

#[tokio::test]
async fn a_failure_is_named_and_not_kept() {
    let context = Context::new(Metrics { down: true, ..Metrics::default() }, Duration::from_secs(600));
    for _ in 0..2 {
        let error = handle(at("2026-11-01T12:00:00Z"), &context).await.unwrap_err();
        assert_eq!(error.name, ErrorName::UsageUnavailable);
    }
    assert_eq!(context.usage.metrics().asked.lock().unwrap().len(), 2);
}
