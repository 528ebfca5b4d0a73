//! What CloudWatch and the ledger prove about the usage of abandoned executions.

use crate::limit::{ACCOUNT_ITEM, Dimension};
use crate::money::{Rates, TokenUsage};

use super::super::buckets::Slot;
use super::super::counters::Counters;
use super::super::external::Shown;
use super::super::sums::{Sums, signed};
use super::Reconcile;
use super::items::Items;
use super::memory::{Memory, tokens};

/// What is known of the usage of abandoned executions, beyond what the budget counts as used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// It covers the executions that had ended by this time.
    pub until: i64,
    /// They were billed no more than this.
    pub most: Sums,
    /// At least this was billed, to them or to calls that bypassed the sentry.
    pub least: Sums,
}

/// Whether the prices are at least those at which amounts are held: the upper bound of what the
/// tokens cost now is no less than what is held for them.
fn has_not_fallen(rates: Option<Rates>, held: &Sums) -> bool {
    let tokens = |d| u64::try_from(held.get(d)).unwrap_or(0);
    let bound = rates.map_or(0, |rates| rates.bound(tokens(Dimension::Input), tokens(Dimension::Output)));
    held.get(Dimension::Cost) <= signed(bound)
}

/// Tokens with what they cost at most: tokens are found first and valued after. Without prices
/// that are certain any tokens at all cost whatever was held for them.
fn with_cost(sums: &Sums, shown: TokenUsage, rates: Option<Option<Rates>>) -> Sums {
    let cost = match rates {
        Some(rates) => Shown { tokens: shown, rates }.worth_of(sums),
        None if *sums == Sums::default() => 0,
        None => i64::MAX,
    };
    Sums::from_fn(|d| if d == Dimension::Cost { cost } else { sums.get(d) })
}

/// What CloudWatch shows until a time, beyond what is settled exactly and what was unexplained
/// before executions started, where it is known when they did.
fn unsettled_since(memory: &Memory, started: Option<i64>, until: i64, shown: TokenUsage) -> Sums {
    let exact = memory.latest_until(until).map(|(_, snapshot)| snapshot.exact()).unwrap_or_default();
    let before = started.and_then(|started| memory.latest_until(started));
    let before = before.map(|(_, snapshot)| snapshot.unexplained).unwrap_or_default();
    tokens(&shown).beyond(&exact.plus(&before))
}

impl Reconcile {
    /// What CloudWatch and the ledger prove of the abandoned executions of a budget.
    pub(super) fn evidence(&self, items: &Items) -> Option<Evidence> {
        if items.is_family() {
            self.evidence_of_family(items)
        } else if items.key == ACCOUNT_ITEM {
            self.evidence_of_account(items)
        } else {
            self.evidence_of_tenant(items)
        }
    }

    /// CloudWatch shows the family's usage until a snapshot. What the ledger counts beyond
    /// that cannot be usage of abandoned executions.
    ///
    /// Tokens that are counted but were not used, or that were used later, may stand for theirs,
    /// since the sum is the same. They do not stand for the cost, which was another at another
    /// price: that is at most the cost of what is neither settled exactly nor was there before.
    fn evidence_of_family(&self, items: &Items) -> Option<Evidence> {
        let (usage, rates) = self.billed_at_most(&items.key)?;
        let memory = Memory::read(&items.memory);
        let (until, snapshot) = memory.closed(self.inputs.listed_at, self.inputs.metric_lag)?;
        let shown = usage.until(until)?;
        let started = memory.certainly_before(items.oldest_abandoned(self.now)?, self.now);
        let abandoned = items.held(|slot| slot.ended_at(self.now) <= self.now);
        let rates = started
            .and_then(|started| memory.dearest_since(started, rates))
            .or_else(|| has_not_fallen(rates, &abandoned).then_some(rates));
        let own = items.own();
        let external = Sums::from_fn(|d| if d == Dimension::Cost { 0 } else { own.external(d) });
        let in_flight = items.held(|slot| slot.ended_at(self.now) > until);
        let most = tokens(&shown).beyond(&snapshot.settled.plus(&external));
        let cost = with_cost(&unsettled_since(&memory, started, until, shown), shown, rates);
        let counted = items.totals().used.plus(&in_flight);
        let least = tokens(&shown).beyond(&counted);
        Some(Evidence {
            until,
            most: Sums::from_fn(|d| if d == Dimension::Cost { cost.get(d) } else { most.get(d) }),
            // Tokens become external usage together with what they cost, or not yet.
            least: if rates.is_some() { with_cost(&least, shown, rates) } else { Sums::default() },
        })
    }

    /// CloudWatch knows no tenants. No abandoned execution of a tenant was billed more than all
    /// families together were, beyond what is settled exactly and what was unexplained before
    /// the execution started.
    fn evidence_of_tenant(&self, items: &Items) -> Option<Evidence> {
        let oldest = items.oldest_abandoned(self.now)?;
        if self.unread {
            return None;
        }
        let memories: Vec<_> = self.families().map(|family| (family, Memory::read(&family.memory))).collect();
        let closed = |memory: &Memory| {
            memory.closed(self.inputs.listed_at, self.inputs.metric_lag).map(|(time, _)| time)
        };
        // A request reaches a model only after it has reserved in its family's budget.
        if memories.is_empty() {
            return Some(Evidence { until: self.now, most: Sums::default(), least: Sums::default() });
        }
        // A family whose latest snapshot is older than this explains less of its usage, so that more
        // stays held.
        let until = memories.iter().filter_map(|(_, memory)| closed(memory)).max()?;
        // A snapshot of a family proves that its run has processed the tenants too.
        let started = memories.iter().map(|(_, memory)| memory.certainly_before(oldest, self.now));
        let started = started.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().min());
        let mut most = Sums::default();
        for (family, memory) in &memories {
            let (usage, rates) = self.billed_at_most(&family.key)?;
            let shown = usage.until(until)?;
            let billed = unsettled_since(memory, started, until, shown);
            let rates = started.and_then(|started| memory.dearest_since(started, rates));
            most = most.plus(&with_cost(&billed, shown, rates));
        }
        Some(Evidence { until, most, least: Sums::default() })
    }

    /// The account counts what its families count. What they still hold for abandoned
    /// executions the account holds too.
    fn evidence_of_account(&self, items: &Items) -> Option<Evidence> {
        if self.unread {
            return None;
        }
        let before = self.account_before.as_ref()?.sum(Counters::settled);
        let own = items.own();
        let external = Sums::from_fn(|d| own.external(d));
        let ended = |slot: Slot| slot.ended_at(self.now) <= self.now;
        let undecided = self.families().fold(Sums::default(), |sum, family| sum.plus(&family.held(ended)));
        let used = self.used_by_families();
        let most = used.plus(&undecided).beyond(&before.plus(&external));
        let in_flight = items.held(|slot| !ended(slot));
        let least = used.beyond(&items.totals().used.plus(&in_flight));
        Some(Evidence { until: self.now, most, least })
    }
}
