//! How large items and expressions get: DynamoDB bills an item's writes by the kilobyte, and takes
//! no expression of more than 4,096 bytes.

use super::super::*;
use super::table::{Table, request, tokens};
use super::world::{START, budget};
use crate::limit::{Amounts, Budget, Dimension};
use crate::money::Rates;

const RATES: Rates =
    Rates { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000 };
/// Longer than the key of any family.
const KEY_BYTES: usize = 60;
const DAY: i64 = 86_400;

/// The longer one of an update's two expressions, written as for DynamoDB.
pub fn expression_bytes(update: &Update) -> usize {
    // "#name :v100, " and the like.
    const VALUE: usize = 5;
    let add: usize = update.add.keys().map(|name| name.len() + VALUE + 4).sum();
    let set: usize = update.set.keys().map(|name| name.len() + VALUE + 6).sum();
    let remove: usize = update.remove.iter().map(|name| name.len() + 3).sum();
    let keywords = "ADD  SET  REMOVE ".len();
    let condition = |condition: &Condition| {
        let (Condition::AtMost(name, _) | Condition::AtLeast(name, _) | Condition::Equals(name, _)) =
            condition;
        "(attribute_not_exists(#) OR # <= ) AND ".len() + 2 * name.len() + VALUE
    };
    (add + set + remove + keywords).max(update.conditions.iter().map(condition).sum())
}

/// The size of an item as DynamoDB counts it.
fn item_bytes(item: &Counters) -> usize {
    let number = |number: i64| {
        let digits = number.unsigned_abs().to_string().len();
        digits.div_ceil(2) + 1 + usize::from(number < 0)
    };
    let attributes: usize = item.iter().map(|(name, value)| name.len() + number(value)).sum();
    attributes + "budget".len() + KEY_BYTES
}

fn largest(table: &Table) -> (usize, &str) {
    table.items.iter().map(|(key, item)| (item_bytes(item), key.as_str())).max().unwrap_or_default()
}

/// Numbers with as many digits as they get in practice.
const LIMIT: u64 = 900_000_000_000;

fn budgets(shards: u16) -> [Budget; 2] {
    ["tenant/one", "model-a"].map(|key| {
        let mut budget = Budget { shards, ..budget(key, LIMIT, LIMIT) };
        budget.limit.cost = Some(LIMIT * 1_000);
        budget
    })
}

fn asking(now: i64, hash: u64) -> AdmissionRequest {
    AdmissionRequest { rates: Some(RATES), request_hash: hash, ..request(now, 50_000, 60_000) }
}

#[test]
fn items_and_expressions_stay_small_while_reconcile_comes_every_five_minutes() {
    let mut table = Table { rates: Some(RATES), ..Table::default() };
    let budgets = &budgets(1)[1..];
    let mut largest_own = 0;
    let mut held = None;
    for second in 0..DAY {
        let now = START + second;
        if second % 300 == 0 {
            table.reconcile(now, budgets);
            // Reconcile's memory has nearly three hours of snapshots, and is written once in a run.
            let (bytes, key) = largest(&table);
            assert!(bytes < 9_216, "{key} has {bytes} bytes");
        }
        let next = table.hold(budgets, asking(now, 0));
        if let Some(held) = held.replace(next) {
            table.bill(now, 0, 40_000, 50_000);
            // One in a thousand is abandoned.
            if second % 1_000 != 0 {
                table.settle(&held, Amounts { cost: 870_000_000, ..tokens(40_000, 50_000) }, false);
            }
        }
        if second % 60 == 59 {
            largest_own = largest_own.max(item_bytes(&table.own("model-a")));
        }
    }
    println!("the largest: own item {largest_own}, all {:?}, expression {}", largest(&table), table.longest);
    assert!(largest_own < 1_024, "the hot item has {largest_own} bytes");
    assert!(table.longest < 4_096, "an expression of {} bytes", table.longest);
}

#[test]
fn items_stay_small_without_reconcile_and_its_first_runs_release_everything() {
    for (shards, lasts) in [(1, DAY), (1, 7 * DAY), (3, 7 * DAY)] {
        let mut table = Table { rates: Some(RATES), ..Table::default() };
        let budgets = budgets(shards);
        let mut now = START;
        for hash in 0.. {
            now = START + i64::try_from(hash).unwrap() * 67;
            if now > START + lasts {
                break;
            }
            table.hold(&budgets, asking(now, hash));
        }
        let (bytes, key) = largest(&table);
        assert!(bytes < 4_096, "{key} has {bytes} bytes");
        // The slots whose turn comes before there is evidence count as later buckets.
        for run in 0..=9 {
            table.reconcile(now + run * 300, &budgets);
        }
        for item in table.items.values() {
            assert!(Dimension::ALL.iter().all(|&d| item.reserved(d) == 0), "{item:?}");
        }
        for budget in &budgets {
            assert_eq!(table.totals(&budget.key).committed, Sums::default());
        }
        println!("{shards} shards: {bytes} bytes, expression {}", table.longest);
        assert!(table.longest < 4_096, "an expression of {} bytes", table.longest);
    }
}
