use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::*;
use sentry_aws::MetricQuery;
use sentry_core::ledger::{Counters, ItemKey, Outcome, Update};

const NOVA: &str = "amazon.nova-lite-v1:0";
const LAG: i64 = 660;

/// Tables and metrics in memory.
#[derive(Clone, Default)]
struct Memory {
    items: Arc<Mutex<BTreeMap<ItemKey, Counters>>>,
    /// Tokens by metric, all of them used in the first minute of the month.
    shown: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    blind: bool,
}

impl Memory {
    /// A request that started at noon holds so much output and has not settled.
    fn hold(&self, budget: &str, output: i64) {
        let numbers = [("output".to_owned(), output), (format!("r{}Output", NOON / 300), output)];
        self.items.lock().unwrap().insert(item(budget), numbers.into_iter().collect());
    }

    fn get(&self, budget: &str, attribute: &str) -> i64 {
        self.items.lock().unwrap().get(&item(budget)).map_or(0, |counters| counters.get(attribute))
    }
}

fn item(budget: &str) -> ItemKey {
    ItemKey::new("2026-11".parse().unwrap(), budget)
}

impl ScanLimits for Memory {
    async fn scan(&self) -> Result<Vec<Value>, SentryError> {
        Ok(Vec::new())
    }
}

impl ScanLedger for Memory {
    async fn scan(&self, _: &[Period]) -> Result<Vec<(ItemKey, Counters)>, SentryError> {
        Ok(self.items.lock().unwrap().iter().map(|(key, item)| (key.clone(), item.clone())).collect())
    }
}

impl WriteLedger for Memory {
    async fn write(&self, item: &ItemKey, update: &Update) -> Outcome {
        let mut items = self.items.lock().unwrap();
        let before = items.get(item).cloned().unwrap_or_default();
        match update.apply(&before) {
            Some(after) => {
                items.insert(item.clone(), after.clone());
                Outcome::Applied(after)
            }
            None => Outcome::Refused(before),
        }
    }

    async fn read(&self, _: &[ItemKey]) -> Option<Vec<Counters>> {
        unreachable!("reconcile scans")
    }

    async fn transact(&self, _: &[(ItemKey, Update)]) -> Outcome {
        unreachable!("reconcile writes one item at a time")
    }
}

impl ListMetrics for Memory {
    async fn list(&self) -> Result<Vec<MetricQuery>, SentryError> {
        let query = |metric: &&'static str| MetricQuery { metric, model_id: NOVA.to_owned() };
        Ok(self.shown.lock().unwrap().keys().map(query).collect())
    }
}

impl SumMetrics for Memory {
    async fn sum(
        &self,
        queries: &[MetricQuery],
        start: i64,
        end: i64,
        _: i32,
    ) -> Result<Vec<u64>, SentryError> {
        if self.blind {
            return Err(SentryError::new(ErrorName::UsageUnavailable, "down"));
        }
        let first = "2026-11".parse::<Period>().unwrap().start().timestamp();
        let shown = self.shown.lock().unwrap();
        let of = |query: &MetricQuery| {
            let here = query.model_id == NOVA && (start..end).contains(&first);
            if here { shown.get(query.metric).copied().unwrap_or(0) } else { 0 }
        };
        Ok(queries.iter().map(of).collect())
    }
}

/// Reconciles every five minutes, from noon of the second for so many minutes.
async fn run(memory: &Memory, minutes: i64) {
    for minute in (0..=minutes).step_by(5) {
        let now = DateTime::from_timestamp(NOON + minute * 60, 0).unwrap();
        let context = Context::new(memory.clone(), memory.clone(), memory.clone(), LAG, move || now);
        handle(json!({}), &context).await.unwrap();
    }
}

const NOON: i64 = 1_793_620_800;

#[tokio::test]
async fn what_was_not_billed_comes_back_everywhere() {
    let memory = Memory::default();
    for budget in [NOVA, "tenant/acme", "account"] {
        memory.hold(budget, 400);
    }
    run(&memory, 15).await;
    assert_eq!(memory.get(NOVA, "output"), 400, "too early");
    run(&memory, 30).await;
    for budget in [NOVA, "tenant/acme", "account"] {
        assert_eq!(memory.get(budget, "output"), 0, "{budget}");
    }
}

#[tokio::test]
async fn what_was_billed_counts_and_a_tenant_is_charged() {
    let memory = Memory::default();
    for budget in [NOVA, "tenant/acme", "account"] {
        memory.hold(budget, 400);
    }
    memory.shown.lock().unwrap().insert("OutputTokenCount", 100);
    run(&memory, 30).await;
    assert_eq!((memory.get(NOVA, "output"), memory.get(NOVA, "externalOutput")), (100, 100));
    assert_eq!((memory.get("account", "output"), memory.get("account", "externalOutput")), (100, 100));
    // $0.24 per million tokens.
    assert_eq!(memory.get("account", "externalCost"), 100 * 240);
    assert_eq!((memory.get("tenant/acme", "output"), memory.get("tenant/acme", "settledOutput")), (400, 400));
}

#[tokio::test]
async fn a_family_that_nobody_asked_for_counts_too() {
    let memory = Memory::default();
    memory.shown.lock().unwrap().insert("InputTokenCount", 70);
    run(&memory, 0).await;
    assert_eq!((memory.get(NOVA, "input"), memory.get(NOVA, "externalInput")), (70, 70));
}

#[tokio::test]
async fn without_cloudwatch_everything_stays() {
    let memory = Memory { blind: true, ..Memory::default() };
    memory.hold(NOVA, 400);
    memory.hold("tenant/acme", 400);
    run(&memory, 60).await;
    assert_eq!((memory.get(NOVA, "output"), memory.get("tenant/acme", "output")), (400, 400));
}
