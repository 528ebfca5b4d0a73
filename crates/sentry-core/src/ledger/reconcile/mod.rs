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

mod memory;
mod shards;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limit::{ACCOUNT_ITEM, Budget, Dimension, TENANT_PREFIX};
use crate::money::{Rates, TokenUsage};
use crate::month::Period;
use crate::usage::MonthUsage;

use super::buckets::Slot;
use super::counters::{Counters, ItemKey, Part};
use super::external::{Shown, add_external};
use super::protocol::LedgerOutcome;
use super::sums::{Sums, Totals, signed};
use super::thresholds::crossed_thresholds;
use super::update::Update;
use memory::{Memory, Snapshot, tokens};
use sweep::Evidence;

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
    /// Prices.
    pub rates: Option<Rates>,
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

/// The items of one budget, as they were read or as writes have left them since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Items {
    key: String,
    own: ItemKey,
    /// Its own item, then its shards.
    items: Vec<Counters>,
    memory: Counters,
}

impl Items {
    fn keys(&self) -> Vec<ItemKey> {
        let shards = u16::try_from(self.items.len().saturating_sub(1)).unwrap_or(0);
        super::lease::items(&self.own, shards)
    }

    fn is_family(&self) -> bool {
        self.key != ACCOUNT_ITEM && !self.key.starts_with(TENANT_PREFIX)
    }

    fn own(&self) -> Counters {
        self.items.first().cloned().unwrap_or_default()
    }

    fn totals(&self) -> Totals {
        Totals::of(&self.items)
    }

    fn sum(&self, of: impl Fn(&Counters, Dimension) -> i64) -> Sums {
        Sums::from_fn(|d| self.items.iter().map(|item| of(item, d)).sum())
    }

    /// Held by requests of slots for which this is true.
    fn held(&self, slots: impl Fn(Slot) -> bool) -> Sums {
        self.sum(|item, d| {
            Slot::all().filter(|slot| slots(*slot)).map(|slot| item.reserved_in(slot, d)).sum()
        })
    }

    /// The start of the oldest bucket in which abandoned executions hold something.
    fn oldest_abandoned(&self, now: i64) -> Option<i64> {
        let holds = |slot: &Slot| Dimension::ALL.iter().any(|&d| self.held(|one| one == *slot).get(d) > 0);
        let ended = Slot::all().filter(|slot| slot.ended_at(now) <= now).filter(holds);
        ended.map(|slot| slot.bucket_start(now)).min()
    }

    fn named(&self) -> Vec<(ItemKey, Counters)> {
        self.keys().into_iter().zip(self.items.iter().cloned()).collect()
    }
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

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Operation {
    Write(ItemKey, Update),
    Transact(Vec<(ItemKey, Update)>),
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
        if now > self.inputs.listed_at.saturating_add(RUN_SECONDS) {
            self.reads.clear();
            self.operations.clear();
            self.remembered.clear();
            self.current = self.budgets.len();
            return;
        }
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
                self.note_crossed(&key, &update, &after);
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
                        self.note_crossed(&key, &update, &after);
                        self.replace(&key, after);
                    }
                }
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

    /// Notes the thresholds that a write crossed; the item after it.
    fn note_crossed(&mut self, key: &ItemKey, update: &Update, after: &Counters) {
        let Some(items) = self.budgets.get(self.current).filter(|items| items.own == *key) else { return };
        if let Some(budget) = self.inputs.budgets.get(&items.key) {
            let used = Sums::from_fn(|d| after.used(d));
            let before = Sums::from_fn(|d| after.used(d) - update.adds_to_used(d));
            let crossed = crossed_thresholds(&before, &used, &budget.limit, &budget.warn_at_percent);
            self.report.crossed.extend(crossed.into_iter().map(|(dimension, percent)| Crossed {
                budget: budget.clone(),
                dimension,
                percent,
                used: after.used(dimension),
            }));
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
        if configured == 0 {
            operations.extend(shards::retire(period, &items.own, &items.items).map(Operation::Transact));
        }
        if items.is_family()
            && let Some((usage, rates)) = self.family(&items.key)
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

    fn evidence(&self, items: &Items) -> Option<Evidence> {
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
        let (usage, rates) = self.family(&items.key)?;
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
        let until = memories.iter().filter_map(|(_, memory)| closed(memory)).min()?;
        // A snapshot of a family proves that its run has processed the tenants too.
        let started = memories.iter().map(|(_, memory)| memory.certainly_before(oldest, self.now));
        let started = started.collect::<Option<Vec<_>>>().and_then(|times| times.into_iter().min());
        let mut most = Sums::default();
        for (family, memory) in &memories {
            let (usage, rates) = self.family(&family.key)?;
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
