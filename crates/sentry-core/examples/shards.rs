//! A budget that is split, under many requests a second: how hot does its hottest item get,
//! and how much of the budget is left over when the first request is refused?
//!
//! Drives the same `Admission` and settlement as the functions against items in memory, in
//! simulated time. `benchmarks/shards/run` keeps the results.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use sentry_core::ledger::{
    Admission, AdmissionRequest, Counters, ItemKey, LedgerOutcome, Reservation, Step, Update, Verdict,
};
use sentry_core::limit::{Amounts, Budget, Dimension, Limit, Mode, OnShortage};

/// Requests a second.
const RATE: u64 = 3_000;
/// What each asks for and what it uses, in output tokens; the input is far from its limit.
const ASKED: u64 = 500;
const USED: (u64, u64) = (100, 500);
/// The budget, in seconds of traffic at the mean use.
const SECONDS_OF_TRAFFIC: u64 = 60;
const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000 * MILLISECOND;
/// When the simulation starts, in epoch seconds.
const START: i64 = 1_793_577_600;
/// A call of DynamoDB and a call of the model, in microseconds: the least, and how much more at most.
const CALL: (u64, u64) = (3 * MILLISECOND, 6 * MILLISECOND);
const MODEL: (u64, u64) = (500 * MILLISECOND, 1_500 * MILLISECOND);
/// How long a request waits between two attempts.
const WAIT: (u64, u64) = (1_000 * MILLISECOND, 2_000 * MILLISECOND);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut results = Vec::new();
    for shards in [1, 4, 16, 64] {
        results.push(simulate(shards)?);
    }
    write(&serde_json::Value::Array(results))
}

fn write(results: &serde_json::Value) -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write as _;
    Ok(writeln!(std::io::stdout(), "{results:#}")?)
}

/// A request between two steps.
enum Request {
    Admitting { admission: Box<Admission>, hash: u64, waited: u64 },
    Settling(Vec<(ItemKey, Update)>),
}

#[derive(Default)]
struct Table {
    items: BTreeMap<ItemKey, Counters>,
    /// Writes by second and item; a write in a transaction counts twice, as DynamoDB bills it.
    writes: BTreeMap<(u64, ItemKey), u64>,
    moves: u64,
}

impl Table {
    fn count(&mut self, now: u64, item: &ItemKey, writes: u64) {
        *self.writes.entry((now / SECOND, item.clone())).or_default() += writes;
    }

    fn get(&self, item: &ItemKey) -> Counters {
        self.items.get(item).cloned().unwrap_or_default()
    }

    fn write(&mut self, now: u64, item: &ItemKey, update: &Update) -> LedgerOutcome {
        self.count(now, item, 1);
        let before = self.get(item);
        match update.apply(&before) {
            Some(after) => {
                self.items.insert(item.clone(), after.clone());
                LedgerOutcome::Applied(after)
            }
            None => LedgerOutcome::Refused(before),
        }
    }

    fn perform(&mut self, now: u64, step: Step) -> LedgerOutcome {
        match step {
            Step::Write(item, update) => self.write(now, &item, &update),
            Step::Read(items) => LedgerOutcome::Read(items.iter().map(|item| self.get(item)).collect()),
            Step::Transact(updates) => {
                for (item, _) in &updates {
                    self.count(now, item, 2);
                }
                let after: Option<Vec<_>> = updates
                    .iter()
                    .map(|(item, update)| Some((item.clone(), update.apply(&self.get(item))?)))
                    .collect();
                let Some(after) = after else { return LedgerOutcome::NotMoved };
                self.moves += 1;
                self.items.extend(after);
                LedgerOutcome::Moved
            }
            Step::Done(_) => LedgerOutcome::Unknown,
        }
    }
}

/// SplitMix64: the same run every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, (least, more): (u64, u64)) -> u64 {
        least + self.next() % (more + 1)
    }
}

fn simulate(shards: u16) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let mean = u64::midpoint(USED.0, USED.1);
    let limit = RATE * SECONDS_OF_TRAFFIC * mean;
    let budget = Budget {
        key: "model".to_owned(),
        item_id: "model".to_owned(),
        limited_by: std::collections::BTreeMap::new(),
        limit: Limit { input: None, output: Some(limit), cost: None },
        mode: Mode::Enforce,
        min_max_tokens: 64,
        on_shortage: OnShortage::Shrink,
        warn_at_percent: Vec::new(),
        fallback_model_id: None,
        shards,
        counts_external: true,
    };
    let period = "2026-11".parse()?;
    let mut random = Random(7);
    let mut table = Table::default();
    let mut requests: BTreeMap<u64, Request> = BTreeMap::new();
    let mut queue = BinaryHeap::new();
    let (mut arrived, mut answered, mut spent) = (0_u64, 0_u64, 0_u64);
    // When the first request had to wait: from then on the budget is as good as spent.
    let mut short_at = None;
    queue.push(Reverse((0, u64::MAX)));
    let refused_at = loop {
        let Some(Reverse((now, id))) = queue.pop() else { return Err("nobody was refused".into()) };
        let at = START + i64::try_from(now / SECOND)?;
        let asking = |request_hash: u64, waited: u64| AdmissionRequest {
            period,
            start_seconds: at - i64::try_from(waited / SECOND).unwrap_or(0),
            now_seconds: at,
            input: 1_000,
            output: ASKED,
            rates: None,
            observed: None,
            may_count: false,
            waited_seconds: waited / SECOND,
            request_hash,
        };
        if id == u64::MAX {
            let hash = random.next();
            let admission = Box::new(Admission::new(vec![budget.clone()], asking(hash, 0)));
            requests.insert(arrived, Request::Admitting { admission, hash, waited: 0 });
            queue.push(Reverse((now + random.between(CALL), arrived)));
            arrived += 1;
            queue.push(Reverse((now + SECOND / RATE, u64::MAX)));
            continue;
        }
        let Some(request) = requests.get_mut(&id) else { continue };
        let after = match request {
            Request::Settling(writes) => match writes.pop() {
                Some((item, update)) => {
                    table.write(now, &item, &update);
                    random.between(CALL)
                }
                None => {
                    requests.remove(&id);
                    answered += 1;
                    continue;
                }
            },
            Request::Admitting { admission, hash, waited } => match admission.step() {
                Step::Done(Verdict::Admit { reservation, .. }) => {
                    let output = random.between((USED.0, USED.1 - USED.0)).min(reservation.amounts.output);
                    spent += output;
                    *request = Request::Settling(settle(&reservation, output));
                    random.between(MODEL)
                }
                Step::Done(Verdict::Wait) => {
                    short_at.get_or_insert(now);
                    let pause = random.between(WAIT);
                    *waited += pause;
                    **admission = Admission::new(vec![budget.clone()], asking(*hash, *waited));
                    pause
                }
                Step::Done(_) => break now,
                step => {
                    let outcome = table.perform(now, step);
                    admission.record(outcome);
                    random.between(CALL)
                }
            },
        };
        queue.push(Reverse((now + after, id)));
    };
    let short_at = short_at.unwrap_or(refused_at) / SECOND;
    let hottest = |plenty: bool| {
        let of_phase = table.writes.iter().filter(|((second, _), _)| (*second < short_at) == plenty);
        let most = of_phase.max_by_key(|(_, writes)| **writes);
        most.map(|((_, item), writes)| serde_json::json!({"item": item.as_str(), "writesInASecond": writes}))
    };
    let own = table.get(&ItemKey::new(period, "model"));
    let free: i64 = table.items.values().map(|item| item.free(Dimension::Output)).sum();
    let reserved: i64 = table.items.values().map(|item| item.reserved(Dimension::Output)).sum();
    let stranded = i64::try_from(limit)? - own.committed(Dimension::Output) + free;
    Ok(serde_json::json!({
        "shards": shards,
        "limitTokens": limit,
        "simulatedSeconds": refused_at / SECOND,
        "requests": arrived,
        "answered": answered,
        "moves": table.moves,
        "hottestItem": hottest(true),
        "hottestItemWhileShort": hottest(false),
        "shortAfterSeconds": short_at,
        "spentTokens": spent,
        "reservedAtFirstRefusal": reserved,
        "strandedAtFirstRefusal": stranded,
        "strandedPartsPerMillion": stranded * 1_000_000 / i64::try_from(limit)?,
    }))
}

fn settle(reservation: &Reservation, output: u64) -> Vec<(ItemKey, Update)> {
    let actual = Amounts { input: 1_000, output, cost: 0 };
    reservation.holds.iter().map(|hold| (hold.item.clone(), hold.settle(actual, false))).collect()
}
