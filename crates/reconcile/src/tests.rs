use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use sentry_aws::testing_tables::{Fault, MemoryTables};
use sentry_aws::{MINUTE, MetricQuery};
use sentry_core::error::ErrorName;
use sentry_core::ledger::{Counters, Hold, ItemKey, LedgerOutcome, Update};
use sentry_core::limit::{Amounts, Dimension};

const NOVA: &str = "amazon.nova-lite-v1:0";
const LAG: i64 = 660;
/// Noon of the second of November 2026.
const NOON: i64 = 1_793_620_800;

/// What CloudWatch shows: tokens by metric, all of them used in one minute; `None` when it
/// does not answer. `listed` says whether ListMetrics knows the metrics already.
#[derive(Clone)]
struct Metrics {
    shown: Option<BTreeMap<&'static str, u64>>,
    listed: bool,
    used_at: i64,
}

impl Metrics {
    fn of(shown: &[(&'static str, u64)]) -> Self {
        Self { shown: Some(shown.iter().copied().collect()), listed: true, used_at: NOON }
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
        let day = self.used_at - self.used_at.rem_euclid(86_400);
        let time = if period == MINUTE { self.used_at } else { day };
        let of = |query: &MetricQuery| {
            let here = query.model_id == NOVA && (start..end).contains(&time);
            shown.get(query.metric).filter(|_| here).map(|sum| (time, *sum)).into_iter().collect()
        };
        Ok(queries.iter().map(of).collect())
    }
}

#[derive(Default, Clone)]
struct Limits(Arc<Mutex<Vec<Value>>>);

impl Limits {
    fn set(&self, items: &[Value]) {
        *self.0.lock().unwrap() = items.to_vec();
    }
}

impl ScanLimits for Limits {
    async fn scan(&self) -> Result<Vec<Value>, SentryError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// The notices that were published; `None` when EventBridge does not take any.
#[derive(Clone)]
struct Events(Option<Arc<Mutex<Vec<Notice>>>>);

impl Events {
    fn published(&self) -> Vec<Notice> {
        self.0.as_ref().map(|notices| notices.lock().unwrap().clone()).unwrap_or_default()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl PublishEvents for Events {
    async fn publish(&self, entries: &[Notice]) -> Result<(), SentryError> {
        let Some(notices) = &self.0 else {
            return Err(SentryError::new(ErrorName::InternalError, "down"));
        };
        notices.lock().unwrap().extend_from_slice(entries);
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

/// A warm function, with a clock that stands still between its runs.
struct Function<'a> {
    context: Context<Limits, &'a MemoryTables, Metrics, Events>,
    clock: Arc<Mutex<i64>>,
}

impl<'a> Function<'a> {
    fn new(tables: &'a MemoryTables, metrics: &Metrics, limits: &Limits, events: &Events) -> Self {
        let clock = Arc::new(Mutex::new(NOON));
        let now = Arc::clone(&clock);
        let now = move || DateTime::from_timestamp(*now.lock().unwrap(), 0).unwrap();
        let context = Context::new(limits.clone(), tables, metrics.clone(), events.clone(), LAG, now);
        Self { context, clock }
    }

    /// Reconciles so many minutes after noon.
    async fn run_at(&self, minutes: i64) -> Value {
        *self.clock.lock().unwrap() = NOON + minutes * 60;
        handle(json!({}), &self.context).await.unwrap()
    }
}

/// Reconciles every five minutes, from noon for so many minutes; gives the notices.
async fn run(tables: &MemoryTables, metrics: &Metrics, limits: &[Value], minutes: i64) -> Vec<Notice> {
    let (items, events) = (Limits::default(), Events::default());
    items.set(limits);
    let function = Function::new(tables, metrics, &items, &events);
    for minute in (0..=minutes).step_by(5) {
        function.run_at(minute).await;
    }
    events.published()
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
    run(&tables, &Metrics { shown: None, listed: false, used_at: NOON }, &[], 60).await;
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
async fn a_limit_item_without_effect_is_announced_again_after_it_was_mended() {
    let item = |limit: Value| json!({"modelId": "default", "limit": {"input": limit, "output": 1_000}});
    let (tables, limits, events) = (MemoryTables::default(), Limits::default(), Events::default());
    let function = Function::new(&tables, &Metrics::of(&[]), &limits, &events);
    for (minutes, limit, announced) in
        [(0, json!("plenty"), 1), (5, json!("plenty"), 1), (10, json!(100), 1), (15, json!("plenty"), 2)]
    {
        limits.set(&[item(limit)]);
        function.run_at(minutes).await;
        assert_eq!(events.published().len(), announced, "after {minutes} minutes");
    }
    let reason = &events.published()[0].detail["reason"];
    assert!(reason.as_str().unwrap().contains("limit.input"), "{reason}");
}

#[tokio::test]
async fn a_cold_function_does_not_announce_a_threshold_again() {
    let (tables, limits, events) = (MemoryTables::default(), Limits::default(), Events::default());
    limits.set(&[json!({"modelId": "default", "limit": {"input": 100, "output": 1_000}})]);
    for (minutes, input, announced) in [(0, 79, 0), (5, 96, 2), (10, 96, 2)] {
        let metrics = Metrics::of(&[("InputTokenCount", input)]);
        Function::new(&tables, &metrics, &limits, &events).run_at(minutes).await;
        assert_eq!(events.published().len(), announced, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn notices_that_are_not_delivered_stop_nothing() {
    let (tables, limits) = (MemoryTables::default(), Limits::default());
    limits.set(&[json!({"modelId": "default", "limit": {"input": 100, "output": 1_000}})]);
    let metrics = Metrics::of(&[("InputTokenCount", 85)]);
    let done = Function::new(&tables, &metrics, &limits, &Events(None)).run_at(0).await;
    assert_eq!(done["periods"][0]["crossed"], 1, "{done}");
    assert_eq!(get(&tables, NOVA, "externalInput"), 85);
}

#[tokio::test]
async fn a_limit_item_without_effect_is_announced_until_the_notice_is_delivered() {
    let (tables, limits) = (MemoryTables::default(), Limits::default());
    limits.set(&[json!({"modelId": "tenants/acme", "limit": {"costUsd": 1}})]);
    let mut function = Function::new(&tables, &Metrics::of(&[]), &limits, &Events(None));
    function.run_at(0).await;
    function.context.events = Events::default();
    function.run_at(5).await;
    function.run_at(10).await;
    assert_eq!(function.context.events.published().len(), 1);
}

/// A ledger of which the items of one month cannot be listed.
struct Unlisted<'a>(&'a MemoryTables, &'static str);

impl ReadLedger for Unlisted<'_> {
    async fn keys(&self, period: Period) -> Result<Vec<ItemKey>, SentryError> {
        if period.to_string() == self.1 {
            return Err(SentryError::new(ErrorName::SentryUnavailable, "down"));
        }
        self.0.keys(period).await
    }
}

impl WriteLedger for Unlisted<'_> {
    async fn write(&self, item: &ItemKey, update: &Update) -> LedgerOutcome {
        self.0.write(item, update).await
    }

    async fn read(&self, items: &[ItemKey]) -> LedgerOutcome {
        self.0.read(items).await
    }

    async fn transact(&self, updates: &[(ItemKey, Update)]) -> LedgerOutcome {
        self.0.transact(updates).await
    }
}

#[tokio::test]
async fn a_month_that_cannot_be_read_does_not_keep_the_other_from_being_reconciled() {
    // In the first hours of December both months are reconciled.
    const DECEMBER: i64 = 1_796_083_200;
    for (unreadable, readable, used_at) in
        [("2026-11", "2026-12", DECEMBER + 60), ("2026-12", "2026-11", DECEMBER - 60)]
    {
        let (tables, limits, events) = (MemoryTables::default(), Limits::default(), Events::default());
        limits.set(&[
            json!({"modelId": "default", "limit": {"input": 100, "output": 1_000}}),
            json!({"modelId": "tenants/acme", "limit": {"costUsd": 1}}),
        ]);
        let metrics = Metrics { used_at, ..Metrics::of(&[("InputTokenCount", 85)]) };
        let clock = || DateTime::from_timestamp(DECEMBER + 3_600, 0).unwrap();
        let ledger = Unlisted(&tables, unreadable);
        let context = Context::new(limits, ledger, metrics, events.clone(), LAG, clock);
        let error = handle(json!({}), &context).await.unwrap_err();
        assert_eq!(error.name, ErrorName::SentryUnavailable);
        let item = tables.item(&ItemKey::new(readable.parse().unwrap(), NOVA));
        assert_eq!(item.get("externalInput"), 85, "{readable}");
        let types: Vec<_> = events.published().into_iter().map(|notice| notice.detail_type).collect();
        assert_eq!(types, ["Limit Item Ignored", "Budget Threshold Crossed"], "{readable}");
    }
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
