//! Many clients with large `maxTokens` on a small budget in money: it is spent, hardly anybody is
//! refused before, and hardly an answer is cut short.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::*;
use super::table::{Table, request};
use super::world::{START, budget};
use crate::limit::{Amounts, Budget, Limit};
use crate::money::{Rates, TokenUsage};

const RATES: Rates =
    Rates { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000 };
const CLIENTS: u64 = 60;
const ASKED: u64 = 64_000;
const INPUT: u64 = 500;
const ANSWER: u64 = 400;

/// SplitMix64: the same numbers every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Milliseconds, one to three seconds.
    fn pause(&mut self) -> u64 {
        1_000 + self.next() % 2_001
    }
}

enum Client {
    Asking { waited: u64, hash: u64 },
    Answered(Reservation),
}

#[derive(Debug, Default)]
struct Results {
    /// Milliseconds that each admitted request waited.
    waited: Vec<u64>,
    /// The output that each was granted.
    granted: Vec<u64>,
    busy: u64,
    /// The most that was not used, in parts of a thousand, when somebody was told that it is busy.
    left_when_busy: u64,
    cut: u64,
    spent: u64,
    ended_at: u64,
}

fn cost(output: u64) -> u64 {
    RATES.cost(&TokenUsage { input_tokens: INPUT, output_tokens: output, ..TokenUsage::default() })
}

fn simulate(limit: u64, shards: u16) -> Results {
    let limit_in_money = Limit { input: None, output: None, cost: Some(limit) };
    let budget = Budget { limit: limit_in_money, min_max_tokens: 64, shards, ..budget("model-a", 0, 0) };
    let mut table = Table::default();
    let mut random = Random(7);
    let mut results = Results::default();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|hash| Client::Asking { waited: 0, hash }).collect();
    let mut queue: BinaryHeap<_> = (0..CLIENTS).map(|id| Reverse((random.pause() % 1_000, id))).collect();
    while let Some(Reverse((now, id))) = queue.pop() {
        let seconds = START + i64::try_from(now / 1_000).unwrap();
        let index = usize::try_from(id).unwrap();
        match &clients[index] {
            Client::Answered(reservation) => {
                let output = ANSWER.min(reservation.amounts.output);
                results.spent += cost(output);
                table.settle(reservation, Amounts { input: INPUT, output, cost: cost(output) }, false);
                clients[index] = Client::Asking { waited: 0, hash: random.next() };
                queue.push(Reverse((now + 1, id)));
            }
            Client::Asking { waited, hash } => {
                let asked = AdmissionRequest {
                    rates: Some(RATES),
                    waited_seconds: *waited / 1_000,
                    request_hash: *hash,
                    ..request(seconds, INPUT, ASKED)
                };
                let pause = random.pause();
                match table.admit(std::slice::from_ref(&budget), asked) {
                    Verdict::Admit { reservation, .. } => {
                        results.waited.push(*waited);
                        results.granted.push(reservation.amounts.output);
                        results.cut += u64::from(reservation.amounts.output < ANSWER);
                        clients[index] = Client::Answered(reservation);
                        queue.push(Reverse((now + pause, id)));
                    }
                    Verdict::Wait => {
                        let waited = *waited + pause;
                        clients[index] = Client::Asking { waited, hash: *hash };
                        queue.push(Reverse((now + pause, id)));
                    }
                    Verdict::Busy(refusal) => {
                        results.busy += 1;
                        let left = limit - u64::try_from(refusal.totals.used.cost).unwrap();
                        results.left_when_busy = results.left_when_busy.max(left * 1_000 / limit);
                        clients[index] = Client::Asking { waited: 0, hash: random.next() };
                        queue.push(Reverse((now + pause, id)));
                    }
                    Verdict::Exceeded(refusal) => {
                        let used = u64::try_from(refusal.totals.used.cost).unwrap();
                        assert!(used + RATES.bound(INPUT, 64) > limit, "refused with {} left", limit - used);
                        results.ended_at = now;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    results.waited.sort_unstable();
    results.granted.sort_unstable();
    results
}

#[test]
fn hardly_anybody_is_refused_while_money_is_left() {
    for shards in [1, 4] {
        let limit = 2_000 * cost(ANSWER);
        assert_eq!(limit / RATES.bound(INPUT, ASKED), 15);
        let results = simulate(limit, shards);
        let at = |of: &[u64], percent: usize| of[(of.len() - 1) * percent / 100];
        println!(
            "{shards} shards: {} answers in {} s, {} busy with {} ‰ left, {} cut, {:.3} spent; waited {:?} ms at 50, 90, 99, 100 %; granted {:?} at 0, 1, 10, 50 %",
            results.waited.len(),
            results.ended_at / 1_000,
            results.busy,
            results.left_when_busy,
            results.cut,
            results.spent as f64 / limit as f64,
            [50, 90, 99, 100].map(|percent| at(&results.waited, percent)),
            [0, 1, 10, 50].map(|percent| at(&results.granted, percent)),
        );
        // A client that takes all that is left at once may keep the others from it for their whole
        // time of waiting, near the end of the budget.
        assert!(results.busy * 200 <= results.waited.len() as u64, "{} were busy", results.busy);
        assert!(results.left_when_busy <= 80, "{} parts of a thousand left", results.left_when_busy);
        assert!(results.spent <= limit);
        assert!(results.spent * 1_000 >= limit * 999, "only {} of {limit} spent", results.spent);
        // Near the end there is no more for a whole answer.
        assert!(results.cut * 50 <= results.waited.len() as u64, "{} answers were cut short", results.cut);
    }
}
