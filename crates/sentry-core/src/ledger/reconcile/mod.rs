//! Reconciliation: what requests cannot do for themselves.
//!
//! - Usage that bypassed the sentry is added to the budgets of families and of the account.
//! - What abandoned executions hold is released, but for what they may have been billed.
//! - What the shards of split budgets have settled moves to the budget's own item.
//!
//! [`Reconcile`] is a state machine without input and output, like an admission: the function
//! and the tests' world drive the same code. Every write is conditional on what was read, so a
//! run may be late, doubled or cut off anywhere. Where something is not known the ledger stays
//! too high.

mod evidence;
mod items;
mod memory;
mod shards;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limit::{ACCOUNT_ITEM, Budget, Dimension};
use crate::money::Rates;
use crate::month::Period;
use crate::usage::MonthUsage;

use super::counters::{Counters, ItemKey, Part};
use super::external::{Shown, add_external};
use super::protocol::LedgerOutcome;
use super::sums::Sums;
use super::thresholds::crossed_thresholds;
use super::update::Update;
use items::Items;
use memory::{Memory, Snapshot, tokens};

/// After so many seconds a run ends: an item that is missing from its list may by then be old
/// enough to matter.
const RUN_SECONDS: i64 = 120;
/// Items that one read takes at most: DynamoDB's limit is a hundred.
const ITEMS_PER_READ: usize = 90;
/// How often a write that adds external usage is planned anew after others changed the item.
const MAX_RAISES: u8 = 8;

/// What CloudWatch shows of a family, and what its tokens cost now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FamilyUsage {
    /// The usage; `None` when CloudWatch does not answer.
    pub usage: Option<MonthUsage>,
    /// Standard prices: what usage that bypassed the sentry cost at least.
    pub rates: Option<Rates>,
    /// The dearest prices that a request can have had, of any tier, lifetime of a cache and length
    /// of the input: what abandoned executions were billed at most.
    pub dearest: Option<Rates>,
}

/// What one run starts from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inputs {
    /// The month.
    pub period: Period,
    /// Every ledger item of the month.
    pub keys: Vec<ItemKey>,
    /// When the items were listed, in epoch seconds, before CloudWatch was read.
    pub listed_at: i64,
    /// Every family that has an item or that CloudWatch shows. Read before the items are.
    pub families: BTreeMap<String, FamilyUsage>,
    /// The limits that govern budgets, by the budgets' keys; a budget without a limit is absent.
    pub budgets: BTreeMap<String, Budget>,
    /// How long CloudWatch may take to show a call, in seconds.
    pub metric_lag: i64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReconcileStep {
    /// Read these items, all at one moment.
    Read(Vec<ItemKey>),
    /// Do this write.
    Write(ItemKey, Update),
    /// Do these writes in one transaction.
    Transact(Vec<(ItemKey, Update)>),
    /// The run is over.
    Done(Report),
}

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Report {
    /// Writes and transactions that happened.
    pub applied: u64,
    /// Those that others were faster than; the next run sees what they did.
    pub refused: u64,
    /// Those that the table had no capacity for or did not answer.
    pub failed: u64,
    /// Thresholds that the use of budgets has crossed.
    pub crossed: Vec<Crossed>,
}

/// A threshold that was crossed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Crossed {
    /// The budget.
    pub budget: Budget,
    /// What of it.
    pub dimension: Dimension,
    /// In percent of the limit.
    pub percent: u8,
    /// What is used now.
    pub used: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Operation {
    Write(ItemKey, Update),
    Transact(Vec<(ItemKey, Update)>),
    /// Reads an own item that had so much used, after what shards have settled moved to it.
    Look(ItemKey, Sums),
}

/// One run over one month.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reconcile {
    inputs: Inputs,
    /// Budgets still to be read, those that are read together in one list. Tenants and the
    /// account come before the families, so that whatever they count as settled the families do
    /// too; the account comes once more at the end, so that it has committed what families count.
    reads: VecDeque<Vec<Items>>,
    /// The families, then the tenants, then the account.
    budgets: Vec<Items>,
    /// The account as it was read before the families.
    account_before: Option<Items>,
    /// The budget whose turn it is, and what remains to be done for it.
    current: usize,
    raises: u8,
    planned: bool,
    operations: VecDeque<Operation>,
    /// Snapshots of families. They are written after all budgets are done, so that a snapshot
    /// proves to later runs that the run which wrote it was complete.
    remembered: VecDeque<Operation>,
    /// Whether some of the month's items could not be read.
    unread: bool,
    now: i64,
    report: Report,
}

impl Reconcile {
    /// Starts a run.
    #[must_use]
    pub fn new(inputs: Inputs) -> Self {
        let mut found: BTreeMap<String, u16> = BTreeMap::new();
        for key in &inputs.keys {
            let Some((period, budget, part)) = key.parts() else { continue };
            let shards = found.entry(budget.to_owned()).or_default();
            if let (true, Part::Shard(index)) = (period == inputs.period, part) {
                *shards = (*shards).max(index.saturating_add(1));
            }
        }
        for (family, of) in &inputs.families {
            if of.usage.as_ref().is_some_and(|usage| tokens(&usage.total()) != Sums::default()) {
                found.entry(family.clone()).or_default();
            }
        }
        if inputs.budgets.contains_key(ACCOUNT_ITEM) {
            found.entry(ACCOUNT_ITEM.to_owned()).or_default();
        }
        let items = |(key, shards): (String, u16)| Items {
            own: ItemKey::new(inputs.period, &key),
            key,
            items: vec![Counters::default(); 1 + usize::from(shards)],
            memory: Counters::default(),
        };
        let (families, others): (Vec<_>, Vec<_>) = found.into_iter().map(items).partition(Items::is_family);
        let account: Vec<Items> = others.iter().filter(|items| items.key == ACCOUNT_ITEM).cloned().collect();
        let mut reads = VecDeque::new();
        for group in [others, families] {
            let mut together: Vec<Items> = Vec::new();
            for budget in group {
                let count = |budget: &Items| budget.items.len() + 1;
                if together.iter().map(count).sum::<usize>() + count(&budget) > ITEMS_PER_READ {
                    reads.push_back(std::mem::take(&mut together));
                }
                together.push(budget);
            }
            reads.push_back(together);
        }
        reads.push_back(account);
        Self {
            inputs,
            reads,
            budgets: Vec::new(),
            account_before: None,
            current: 0,
            raises: 0,
            planned: false,
            operations: VecDeque::new(),
            remembered: VecDeque::new(),
            unread: false,
            now: i64::MIN,
            report: Report::default(),
        }
    }

    /// The next step.
    #[must_use]
    pub fn step(&mut self) -> ReconcileStep {
        while self.reads.front().is_some_and(Vec::is_empty) {
            self.reads.pop_front();
        }
        if let Some(together) = self.reads.front() {
            return ReconcileStep::Read(together.iter().flat_map(Self::read_keys).collect());
        }
        loop {
            match self.operations.front() {
                Some(Operation::Write(key, update)) => {
                    return ReconcileStep::Write(key.clone(), update.clone());
                }
                Some(Operation::Transact(writes)) => return ReconcileStep::Transact(writes.clone()),
                Some(Operation::Look(key, _)) => return ReconcileStep::Read(vec![key.clone()]),
                None if self.current >= self.budgets.len() && !self.remembered.is_empty() => {
                    self.operations = std::mem::take(&mut self.remembered);
                }
                None if self.current >= self.budgets.len() => {
                    return ReconcileStep::Done(self.report.clone());
                }
                None => self.plan(),
            }
        }
    }

    fn read_keys(budget: &Items) -> Vec<ItemKey> {
        let mut keys = budget.keys();
        if budget.is_family() {
            keys.push(budget.own.memory());
        }
        keys
    }

    /// Records what became of the step, and what time it was then.
    pub fn record(&mut self, outcome: LedgerOutcome, now: i64) {
        self.now = now;
        self.take_in(outcome);
        if now > self.inputs.listed_at.saturating_add(RUN_SECONDS) {
            self.end();
        }
    }

    /// Ends the run before all is done.
    fn end(&mut self) {
        self.reads.clear();
        self.remembered.clear();
        for operation in std::mem::take(&mut self.operations) {
            if let Operation::Look(key, before) = operation {
                self.note_known(&key, &before);
            }
        }
        self.current = self.budgets.len();
    }

    fn take_in(&mut self, outcome: LedgerOutcome) {
        if let Some(together) = self.reads.pop_front() {
            match outcome {
                LedgerOutcome::Read(items) => self.have_read(together, items),
                // Without the items of a budget nothing is known of it; the next run tries again.
                _ => {
                    self.report.failed += 1;
                    self.unread = true;
                }
            }
            return;
        }
        let Some(operation) = self.operations.pop_front() else { return };
        let is_plain = self.budgets.get(self.current).is_some_and(|budget| budget.items.len() == 1);
        match (operation, outcome) {
            (Operation::Write(key, update), LedgerOutcome::Applied(after)) => {
                self.report.applied += 1;
                if self.budgets.get(self.current).is_some_and(|items| items.own == key) {
                    let before = Sums::from_fn(|d| after.used(d) - update.adds_to_used(d));
                    self.note_crossed(&before, &Sums::from_fn(|d| after.used(d)));
                }
                // The items of a split budget were read at one moment. Replacing one of them by a
                // later state would count capacity twice, or not at all, that moved between items
                // in the meantime. So only this run's own change is applied to it.
                let known = self.item(&key).filter(|_| !is_plain).and_then(|item| update.apply(&item));
                self.replace(&key, known.unwrap_or(after));
            }
            // External usage is planned anew from what the item has now. The number of shards
            // that were read with it would no longer fit the item of a split budget.
            (Operation::Write(key, _), LedgerOutcome::Refused(now)) if !self.planned && is_plain => {
                self.report.refused += 1;
                self.replace(&key, now);
            }
            (Operation::Transact(writes), LedgerOutcome::Moved) => {
                self.report.applied += 1;
                for (key, update) in writes {
                    if let Some(after) = self.item(&key).and_then(|item| update.apply(&item)) {
                        self.replace(&key, after);
                    }
                }
            }
            // A transaction does not tell what it left. Others may have used some at the same time,
            // so that a threshold was crossed by neither part alone. Such a threshold may be
            // reported by them as well, but none is missed.
            (Operation::Look(_, before), LedgerOutcome::Read(items)) => {
                let used = |item: &Counters| Sums::from_fn(|d| item.used(d));
                self.note_crossed(&before, &items.first().map(used).unwrap_or_default());
            }
            (Operation::Look(key, before), _) => {
                self.report.failed += 1;
                self.note_known(&key, &before);
            }
            (_, LedgerOutcome::Refused(_) | LedgerOutcome::NotMoved) => {
                self.report.refused += 1;
                self.raises = MAX_RAISES;
            }
            _ => {
                self.report.failed += 1;
                self.raises = MAX_RAISES;
            }
        }
    }

    fn have_read(&mut self, together: Vec<Items>, items: Vec<Counters>) {
        let mut items = items.into_iter();
        for mut budget in together {
            for item in &mut budget.items {
                *item = items.next().unwrap_or_default();
            }
            if budget.is_family() {
                budget.memory = items.next().unwrap_or_default();
            }
            if budget.key == ACCOUNT_ITEM && self.account_before.is_none() {
                self.account_before = Some(budget);
            } else {
                self.budgets.push(budget);
            }
        }
        // Families first: the others follow from what they count.
        self.budgets.sort_by_key(|budget| (!budget.is_family(), budget.key == ACCOUNT_ITEM));
    }

    fn item(&self, key: &ItemKey) -> Option<Counters> {
        let budget = self.budgets.get(self.current)?;
        let index = budget.keys().iter().position(|known| known == key)?;
        budget.items.get(index).cloned()
    }

    fn replace(&mut self, key: &ItemKey, after: Counters) {
        let Some(budget) = self.budgets.get_mut(self.current) else { return };
        let index = budget.keys().iter().position(|known| known == key);
        if let Some(item) = index.and_then(|index| budget.items.get_mut(index)) {
            *item = after;
        }
    }

    /// Notes the thresholds that an own item has crossed as far as this run knows.
    fn note_known(&mut self, key: &ItemKey, before: &Sums) {
        let known = self.item(key).unwrap_or_default();
        self.note_crossed(before, &Sums::from_fn(|d| known.used(d)));
    }

    /// Notes the thresholds that the use of the current budget's own item has crossed, each once.
    fn note_crossed(&mut self, before: &Sums, used: &Sums) {
        let Some(items) = self.budgets.get(self.current) else { return };
        let Some(budget) = self.inputs.budgets.get(&items.key) else { return };
        for (dimension, percent) in crossed_thresholds(before, used, &budget.limit, &budget.warn_at_percent) {
            let known = |one: &Crossed| {
                (&one.budget.key, one.dimension, one.percent) == (&budget.key, dimension, percent)
            };
            if !self.report.crossed.iter().any(known) {
                let used = used.get(dimension);
                self.report.crossed.push(Crossed { budget: budget.clone(), dimension, percent, used });
            }
        }
    }

    /// Plans what comes next for the budget whose turn it is: first external usage, as often as
    /// others change the item meanwhile, then the rest; then goes on to the next budget.
    fn plan(&mut self) {
        let Some(items) = self.budgets.get(self.current) else { return };
        if self.planned {
            self.current += 1;
            self.planned = false;
            self.raises = 0;
            return;
        }
        if self.raises < MAX_RAISES
            && let Some(update) = self.raise(items)
        {
            self.raises += 1;
            self.operations.push_back(Operation::Write(items.own.clone(), update));
            return;
        }
        let (operations, remember) = self.rest(items);
        self.operations = operations;
        self.remembered.extend(remember);
        self.planned = true;
    }

    fn family(&self, key: &str) -> Option<(&MonthUsage, Option<Rates>)> {
        let family = self.inputs.families.get(key)?;
        Some((family.usage.as_ref()?, family.rates))
    }

    /// The usage of a family, with the prices at which abandoned executions may have been billed.
    fn billed_at_most(&self, key: &str) -> Option<(&MonthUsage, Option<Rates>)> {
        let family = self.inputs.families.get(key)?;
        Some((family.usage.as_ref()?, family.dearest))
    }

    fn families(&self) -> impl Iterator<Item = &Items> {
        self.budgets.iter().filter(|budget| budget.is_family())
    }

    /// The write that adds usage which bypassed the sentry.
    fn raise(&self, items: &Items) -> Option<Update> {
        let own = items.own();
        let committed = items.totals().committed;
        let news = if items.is_family() {
            let (usage, rates) = self.family(&items.key)?;
            Shown { tokens: usage.total(), rates }.news(&committed, &own)
        } else if items.key == ACCOUNT_ITEM && !self.unread {
            // Requests reserve in the account's budget before the call and settle there after
            // their family's: what families count as used and the account has not committed
            // bypassed it.
            self.used_by_families().beyond(&committed)
        } else {
            return None;
        };
        add_external(self.inputs.period, &own, &news)
    }

    fn used_by_families(&self) -> Sums {
        self.families().fold(Sums::default(), |sum, family| sum.plus(&family.totals().used))
    }

    /// The operations other than adding external usage, and the snapshot of a family, which is
    /// written at the end of the run.
    fn rest(&self, items: &Items) -> (VecDeque<Operation>, Option<Operation>) {
        let mut remember = None;
        let period = self.inputs.period;
        let evidence = self.evidence(items);
        let runs: BTreeSet<i64> = self
            .families()
            .flat_map(|family| Memory::read(&family.memory).times().collect::<Vec<_>>())
            .collect();
        let mut operations: VecDeque<_> =
            sweep::sweep(period, &items.named(), evidence.as_ref(), &runs, self.now)
                .into_iter()
                .map(|(key, update)| Operation::Write(key, update))
                .collect();
        let configured = self.inputs.budgets.get(&items.key).map_or(1, |budget| budget.shards);
        let configured = if configured > 1 { configured } else { 0 };
        for (index, shard) in (0..).zip(items.items.iter().skip(1)) {
            let fold = shards::fold(period, &items.own, index, shard, index < configured);
            operations.extend(fold.map(Operation::Transact));
        }
        if operations.iter().any(|operation| matches!(operation, Operation::Transact(_))) {
            let own = items.own();
            operations.push_back(Operation::Look(items.own.clone(), Sums::from_fn(|d| own.used(d))));
        }
        if configured == 0 {
            operations.extend(shards::retire(period, &items.own, &items.items).map(Operation::Transact));
        }
        if items.is_family()
            && let Some((usage, rates)) = self.billed_at_most(&items.key)
        {
            let settled = items.sum(Counters::settled);
            let estimated = items.sum(Counters::estimated);
            let known = settled.beyond(&estimated).plus(&items.sum(Counters::reserved));
            let unexplained = tokens(&usage.total()).beyond(&known);
            let snapshot = Snapshot { settled, estimated, unexplained, rates };
            let update = Memory::read(&items.memory).remember(period, self.now, &snapshot);
            remember = Some(Operation::Write(items.own.memory(), update));
        }
        (operations, remember)
    }
}
