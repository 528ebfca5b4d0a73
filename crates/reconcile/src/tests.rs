use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use sentry_aws::testing_tables::{Fault, MemoryTables};
use sentry_aws::{MINUTE, MetricQuery};
use sentry_core::error::ErrorName;
use sentry_core::ledger::{Counters, Hold, ItemKey};
use sentry_core::limit::{Amounts, Dimension};

const NOVA: &str = "amazon.nova-lite-v1:0";
const LAG: i64 = 660;
/// Noon of the second of November 2026.
const NOON: i64 = 1_793_620_800;

/// What CloudWatch shows: tokens by metric, all of them used in the minute of noon; `None` when it
/// does not answer. `listed` says whether ListMetrics knows the metrics already.
#[derive(Clone)]
struct Metrics {
    shown: Option<BTreeMap<&'static str, u64>>,
    listed: bool,
}

impl Metrics {
    fn of(shown: &[(&'static str, u64)]) -> Self {
        Self { shown: Some(shown.iter().copied().collect()), listed: true }
    }
}

impl ListMetrics for Metrics {
    async fn list(&self) -> Result<Vec<MetricQuery>, SentryError> {
        let query = |metric: &&'static str| MetricQuery { metric, model_id: NOVA.to_owned() };
        Ok(self.shown.iter().filter(|_| self.listed).flat_map(BTreeMap::keys).map(query).collect())
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
        let Some(shown) = &self.shown else {
            return Err(SentryError::new(ErrorName::UsageUnavailable, "down"));
        };
        let time = if period == MINUTE { NOON } else { NOON - NOON.rem_euclid(86_400) };
        let of = |query: &MetricQuery| {
            let here = query.model_id == NOVA && (start..end).contains(&time);
            shown.get(query.metric).filter(|_| here).map(|sum| (time, *sum)).into_iter().collect()
        };
        Ok(queries.iter().map(of).collect())
    }
}

struct Limits(Vec<Value>);

impl ScanLimits for Limits {
    async fn scan(&self) -> Result<Vec<Value>, SentryError> {
        Ok(self.0.clone())
    }
}

#[derive(Default, Clone)]
struct Events(Arc<Mutex<Vec<Notice>>>);

impl PublishEvents for Events {
    async fn publish(&self, entries: &[Notice]) -> Result<(), SentryError> {
        self.0.lock().unwrap().extend_from_slice(entries);
        Ok(())
    }
}

fn item(budget: &str) -> ItemKey {
    ItemKey::new("2026-11".parse().unwrap(), budget)
}

/// An execution that started at noon, holds so much output in these budgets, and ended without a settlement.
fn abandoned(budgets: &[&str], output: u64) -> MemoryTables {
    let tables = MemoryTables::default();
    for budget in budgets {
        let hold = Hold::new(item(budget), NOON, Amounts { input: 10, output, cost: 0 });
        let after = hold.reserve("2026-11".parse().unwrap()).apply(&Counters::default()).unwrap();
        tables.put(hold.item, after);
    }
    tables
}

fn get(tables: &MemoryTables, budget: &str, attribute: &str) -> i64 {
    tables.item(&item(budget)).get(attribute)
}

/// Reconciles every five minutes, from noon for so many minutes; gives the notices.
async fn run(tables: &MemoryTables, metrics: &Metrics, limits: &[Value], minutes: i64) -> Vec<Notice> {
    let events = Events::default();
    let clock = Arc::new(Mutex::new(NOON));
    let now = Arc::clone(&clock);
    let context =
        Context::new(Limits(limits.to_vec()), tables, metrics.clone(), events.clone(), LAG, move || {
            DateTime::from_timestamp(*now.lock().unwrap(), 0).unwrap()
        });
    for minute in (0..=minutes).step_by(5) {
        *clock.lock().unwrap() = NOON + minute * 60;
        handle(json!({}), &context).await.unwrap();
    }
    events.0.lock().unwrap().clone()
}

const EVERYWHERE: [&str; 3] = [NOVA, "tenant/acme", "account"];

#[tokio::test]
async fn what_was_not_billed_is_released_everywhere_within_half_an_hour() {
    let tables = abandoned(&EVERYWHERE, 400);
    let nothing = Metrics::of(&[]);
    run(&tables, &nothing, &[], 10).await;
    assert_eq!(get(&tables, NOVA, "output"), 400, "too early");
    run(&tables, &nothing, &[], 30).await;
    for budget in EVERYWHERE {
        assert_eq!(get(&tables, budget, "output"), 0, "{budget}");
    }
}

#[tokio::test]
async fn what_was_billed_counts_and_no_more() {
    let tables = abandoned(&EVERYWHERE, 400);
    let billed = Metrics::of(&[("OutputTokenCount", 100)]);
    run(&tables, &billed, &[], 30).await;
    let counted = |budget| (get(&tables, budget, "output"), get(&tables, budget, "externalOutput"));
    assert_eq!((counted(NOVA), counted("account")), ((100, 100), (100, 100)));
    // CloudWatch knows no tenants: it may have been this one's call, and no more than that.
    assert_eq!(
        (get(&tables, "tenant/acme", "output"), get(&tables, "tenant/acme", "settledOutput")),
        (100, 0)
    );
    run(&tables, &billed, &[], 90).await;
    assert_eq!(
        (get(&tables, "tenant/acme", "output"), get(&tables, "tenant/acme", "settledOutput")),
        (100, 100)
    );
}

#[tokio::test]
async fn a_metric_that_is_not_listed_yet_counts() {
    let tables = abandoned(&[NOVA], 400);
    let unlisted = Metrics { listed: false, ..Metrics::of(&[("OutputTokenCount", 100)]) };
    run(&tables, &unlisted, &[], 30).await;
    assert_eq!((get(&tables, NOVA, "output"), get(&tables, NOVA, "externalOutput")), (100, 100));
}

#[tokio::test]
async fn a_family_without_requests_counts_too_at_its_price() {
    let tables = MemoryTables::default();
    run(&tables, &Metrics::of(&[("InputTokenCount", 70), ("CacheReadInputTokenCount", 30)]), &[], 0).await;
    assert_eq!((get(&tables, NOVA, "input"), get(&tables, NOVA, "externalInput")), (100, 100));
    // $0.06 per million tokens, $0.015 for those that were read from a cache.
    assert_eq!(get(&tables, NOVA, "externalCost"), 70 * 60 + 30 * 15);
}

#[tokio::test]
async fn without_cloudwatch_everything_stays() {
    let tables = abandoned(&[NOVA, "tenant/acme"], 400);
    run(&tables, &Metrics { shown: None, listed: false }, &[], 60).await;
    assert_eq!((get(&tables, NOVA, "output"), get(&tables, "tenant/acme", "output")), (400, 400));
}

#[tokio::test]
async fn an_account_budget_that_is_new_counts_what_was_used_before() {
    let tables = MemoryTables::default();
    let limits = [json!({"modelId": "account", "limit": {"costUsd": 1}})];
    run(&tables, &Metrics::of(&[("OutputTokenCount", 100)]), &limits, 0).await;
    assert_eq!(
        (get(&tables, "account", "externalOutput"), get(&tables, "account", "cost")),
        (100, 100 * 240)
    );
}

#[tokio::test]
async fn a_threshold_that_bypassing_usage_crosses_is_announced_once() {
    let limits = [json!({"modelId": "default", "limit": {"input": 100, "output": 1_000}})];
    let tables = MemoryTables::default();
    let notices = run(&tables, &Metrics::of(&[("InputTokenCount", 85)]), &limits, 20).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0].detail_type, "Budget Threshold Crossed");
    assert_eq!((&notices[0].detail["percent"], &notices[0].detail["used"]), (&json!(80), &json!(85)));
}

#[tokio::test]
async fn a_limit_item_without_effect_is_announced_once() {
    let limits = [
        json!({"modelId": "default", "limit": {"input": 100, "output": 1_000}}),
        json!({"modelId": "tenants/acme", "limit": {"costUsd": 1}}),
    ];
    let notices = run(&MemoryTables::default(), &Metrics::of(&[]), &limits, 20).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(
        (notices[0].detail_type, &notices[0].detail["itemId"]),
        ("Limit Item Ignored", &json!("tenants/acme"))
    );
}

#[tokio::test]
async fn a_run_whose_writes_are_lost_is_made_up_for_by_the_next() {
    let tables =
        MemoryTables::with_faults([Some(Fault::LostReply), Some(Fault::Throttled), Some(Fault::LostRequest)]);
    let hold = Hold::new(item(NOVA), NOON, Amounts { input: 10, output: 400, cost: 0 });
    tables.put(
        hold.item.clone(),
        hold.reserve("2026-11".parse().unwrap()).apply(&Counters::default()).unwrap(),
    );
    run(&tables, &Metrics::of(&[("OutputTokenCount", 100)]), &[], 60).await;
    assert_eq!(tables.item(&item(NOVA)).reserved(Dimension::Output), 0);
    assert_eq!((get(&tables, NOVA, "output"), get(&tables, NOVA, "externalOutput")), (100, 100));
}
