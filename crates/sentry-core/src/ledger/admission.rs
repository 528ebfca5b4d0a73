//! Admission: reserve the worst case of a request in every budget that applies, or say
//! exactly why not.
//!
//! A state machine without input and output. [`Admission::step`] gives the write to do or
//! the verdict; the caller reports what became of the write with [`Admission::record`].
//! When it cannot know the outcome of a write it gives up: what may have been reserved
//! stays reserved until the sweep, and nobody is admitted on a guess.

use crate::limit::{Amounts, Budget, Dimension, Mode, OnShortage};

use super::counters::{self, Counters, ItemKey};
use super::protocol::{Ask, Outcome, Refusal, Step, Verdict};
use super::settlement::{Reservation, Reserved};
use super::shards::{self, Survey};
use super::update::{Condition, Update};

/// Writes that one admission may try on one budget before it calls the item too contended.
const MAX_ATTEMPTS: u8 = 16;
/// Draws in vain after which a request that can wait does so.
const MAX_DRAWS: u8 = 4;
/// No text that people send has more bytes to a token than this.
const BYTES_PER_TOKEN_AT_MOST: i64 = 16;

/// The admission of one request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Admission {
    budgets: Vec<Budget>,
    ask: Ask,
    output: u64,
    held: Vec<Reserved>,
    over: Vec<(usize, Dimension)>,
    first: Option<Counters>,
    attempts: u8,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Reserve in the budget after those held.
    Reserve,
    /// Learn from CloudWatch first: raise the external usage of an item that shows this.
    Raise(Counters),
    /// Look at every item of a budget that is split into so many.
    Survey(u16),
    /// Let the shard of this request draw from the rest of the budget.
    Draw(Vec<(ItemKey, Update)>),
    /// Tell the shard of this request that the rest of the budget has nothing to draw, then
    /// decide by the budget as a whole.
    Note(Update, Counters),
    /// Give back what is held, then go on with this.
    Release(After),
    Done(Verdict),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum After {
    /// Try every budget again with this much output.
    Reserve(u64),
    End(Verdict),
}

impl Admission {
    /// Starts the admission of a request. Budgets are tried in order.
    #[must_use]
    pub fn new(budgets: Vec<Budget>, ask: Ask) -> Self {
        let output = ask.output;
        let blocked = budgets.iter().position(|budget| budget.mode == Mode::Block);
        let phase = blocked.map_or(Phase::Reserve, |budget| Phase::Done(Verdict::Blocked(budget)));
        Self { budgets, ask, output, held: Vec::new(), over: Vec::new(), first: None, attempts: 0, phase }
    }

    /// The next write, or the verdict.
    #[must_use]
    pub fn step(&mut self) -> Step {
        loop {
            match &self.phase {
                Phase::Done(verdict) => return Step::Done(verdict.clone()),
                Phase::Reserve => match self.budgets.get(self.held.len()) {
                    None => self.phase = Phase::Done(self.admit()),
                    Some(budget) => return Step::Write(self.home(budget), self.reserve(budget)),
                },
                Phase::Raise(seen) => match self.budgets.get(self.held.len()) {
                    None => self.phase = Phase::Reserve,
                    Some(budget) => return Step::Write(self.item(budget), self.raise(seen)),
                },
                Phase::Survey(shards) => match self.budgets.get(self.held.len()) {
                    None => self.phase = Phase::Reserve,
                    Some(budget) => return Step::Read(shards::items(&self.item(budget), *shards)),
                },
                Phase::Draw(updates) => return Step::Transact(updates.clone()),
                Phase::Note(update, _) => match self.budgets.get(self.held.len()) {
                    None => self.phase = Phase::Reserve,
                    Some(budget) => return Step::Write(self.home(budget), update.clone()),
                },
                Phase::Release(after) => match self.held.last() {
                    Some(reserved) => {
                        return Step::Write(
                            reserved.item.clone(),
                            reserved.settle(Amounts::default(), false),
                        );
                    }
                    None => {
                        self.phase = match after {
                            After::Reserve(output) => {
                                self.output = *output;
                                self.over.clear();
                                Phase::Reserve
                            }
                            After::End(verdict) => Phase::Done(verdict.clone()),
                        };
                    }
                },
            }
        }
    }

    /// Records what became of the step that [`Admission::step`] gave.
    pub fn record(&mut self, outcome: Outcome) {
        match (&self.phase, outcome) {
            (Phase::Done(_), _) => {}
            // A release is not repeated: if it happened unseen, a second one would give back too much.
            (Phase::Release(_), _) => {
                self.held.pop();
            }
            (Phase::Reserve, Outcome::Applied(counters)) => self.hold(counters),
            (Phase::Reserve, Outcome::Refused(counters)) => self.refused(counters),
            (Phase::Raise(_), Outcome::Applied(_)) | (Phase::Draw(_), Outcome::Moved) => {
                self.phase = Phase::Reserve;
            }
            (Phase::Raise(_), Outcome::Refused(counters)) => self.refused(counters),
            (Phase::Survey(_), Outcome::Read(items)) => self.surveyed(&items),
            // Others draw at the same time; who can wait leaves it to them.
            (Phase::Draw(_), Outcome::NotMoved) if self.ask.may_wait && self.attempts >= MAX_DRAWS => {
                let refusal = self.refusal(Dimension::Output, Counters::default());
                self.hold_off(refusal);
            }
            (Phase::Draw(_), Outcome::NotMoved) => self.refused(Counters::default()),
            // What becomes of a note changes nothing: it spares others a look.
            (Phase::Note(_, total), _) => self.judge(total.clone()),
            // A draw moves capacity from one item to another and reserves nothing, but who
            // cannot reach the table gives up, as after any other step.
            _ => self.end(Verdict::Unavailable),
        }
    }

    /// The item of a budget. Its external usage and the sum of all that was drawn stand there.
    fn item(&self, budget: &Budget) -> ItemKey {
        ItemKey::new(self.ask.period, &budget.key)
    }

    /// The item in which this request reserves: the budget's own, or a shard of it.
    fn home(&self, budget: &Budget) -> ItemKey {
        match self.shard(budget) {
            None => self.item(budget),
            Some(shard) => self.item(budget).shard(shard),
        }
    }

    fn shard(&self, budget: &Budget) -> Option<u16> {
        let shards = u64::from(budget.shards);
        (shards > 1).then(|| u16::try_from(self.ask.spread % shards).unwrap_or(0))
    }

    fn bucket(&self) -> i64 {
        counters::bucket_of(self.ask.start_seconds)
    }

    fn asked(&self) -> Amounts {
        self.ask.amounts(self.output)
    }

    /// What CloudWatch shows for the budget whose turn it is.
    fn observed(&self) -> Amounts {
        match self.budgets.get(self.held.len()) {
            Some(budget) if budget.counts_external => self.ask.observed.unwrap_or_default(),
            _ => Amounts::default(),
        }
    }

    /// The least output that makes sense for this request under a budget.
    fn least_output(&self, budget: &Budget) -> u64 {
        match budget.on_shortage {
            OnShortage::Shrink => self.output.min(budget.min_max_tokens),
            OnShortage::Refuse => self.output,
        }
    }

    fn reserve(&self, budget: &Budget) -> Update {
        let mut update = Update::default();
        let sharded = self.shard(budget).is_some();
        for dimension in Dimension::ALL {
            let asked = signed(self.asked().get(dimension));
            update.add(counters::committed(dimension), asked);
            update.add(counters::reserved_in(self.bucket(), dimension), asked);
            if sharded {
                update.add(counters::free(dimension), -asked);
            }
            if let (Mode::Enforce, Some(limit)) = (budget.mode, budget.limit.get(dimension)) {
                if sharded {
                    update.require(Condition::AtLeast(counters::free(dimension).to_owned(), asked));
                    update.require(Condition::Equals(
                        counters::drawn_under(dimension).to_owned(),
                        signed(limit),
                    ));
                } else {
                    let room = signed(limit).saturating_sub(asked);
                    update.require(Condition::AtMost(counters::committed(dimension).to_owned(), room));
                }
            }
            let observed = signed(self.observed().get(dimension));
            if observed > 0 && !sharded {
                update.require(Condition::AtLeast(counters::explained(dimension).to_owned(), observed));
            }
        }
        update.set.insert(counters::EXPIRES_AT.to_owned(), self.ask.period.expires_at());
        update
    }

    /// Raises external usage to what CloudWatch shows. The condition makes sure that no
    /// settlement in this item has meanwhile explained a part of it.
    fn raise(&self, seen: &Counters) -> Update {
        let mut update = Update::default();
        for dimension in Dimension::ALL {
            let news = signed(self.observed().get(dimension)).saturating_sub(seen.explained(dimension));
            if news > 0 {
                update.add(counters::committed(dimension), news);
                update.add(counters::external(dimension), news);
                update.add(counters::explained(dimension), news);
                update.require(Condition::Equals(
                    counters::external(dimension).to_owned(),
                    seen.external(dimension),
                ));
                if seen.shards() == 0 {
                    update.require(Condition::Equals(
                        counters::explained(dimension).to_owned(),
                        seen.explained(dimension),
                    ));
                }
            }
        }
        update.set.insert(counters::EXPIRES_AT.to_owned(), self.ask.period.expires_at());
        update
    }

    fn hold(&mut self, counters: Counters) {
        let Some(budget) = self.budgets.get(self.held.len()) else { return };
        if budget.mode == Mode::Observe {
            let committed = |d| counters.committed(d) + counters.get(counters::committed_elsewhere(d));
            let over = budget.limit.each().find(|(d, limit)| committed(*d) > signed(*limit));
            self.over.extend(over.map(|(dimension, _)| (self.held.len(), dimension)));
        }
        let reserved = Reserved { item: self.home(budget), bucket: self.bucket(), amounts: self.asked() };
        self.held.push(reserved);
        self.first.get_or_insert(counters);
        self.attempts = 0;
    }

    /// Goes on after a write that was refused: looks at the other items of a budget that is
    /// or was split, else decides by the numbers that came with the refusal.
    fn refused(&mut self, item: Counters) {
        self.attempts += 1;
        let Some(budget) = self.budgets.get(self.held.len()) else { return };
        let shards = if budget.shards > 1 { budget.shards } else { item.shards() };
        if matches!((&self.phase, self.shard(budget)), (Phase::Reserve, Some(_)))
            && self.is_known_to_be_short(&item)
        {
            self.judge(shards::with_the_rest(item));
        } else if shards > 0 || matches!(self.phase, Phase::Draw(_)) {
            self.phase = Phase::Survey(shards.max(1));
        } else {
            self.judge(item);
        }
    }

    /// Whether a shard knows that the whole budget has no room, so that looking at all of its
    /// items may be left to few: what is used never comes back, and what is held may; who has
    /// time to wait looks in its turn.
    fn is_known_to_be_short(&self, shard: &Counters) -> bool {
        let Some(budget) = self.budgets.get(self.held.len()) else { return false };
        let total = shards::with_the_rest(shard.clone());
        let least = self.ask.amounts(self.least_output(budget));
        let short = |amounts: Amounts, taken: &dyn Fn(Dimension) -> i64| {
            budget
                .limit
                .each()
                .any(|(d, limit)| signed(amounts.get(d)) > signed(limit).saturating_sub(taken(d)))
        };
        short(least, &|d| total.used(d))
            || (short(self.asked(), &|d| total.committed(d))
                && self.ask.may_wait
                && !self.is_its_turn(budget))
    }

    /// Of the requests that wait at a split budget, one in so many as it has shards looks at all of it.
    fn is_its_turn(&self, budget: &Budget) -> bool {
        (self.ask.spread >> 32).wrapping_add(self.ask.waited).is_multiple_of(u64::from(budget.shards.max(1)))
    }

    /// The dimension that has the least room for the request.
    fn binding(&self, budget: &Budget, item: &Counters) -> Dimension {
        let asked = self.asked();
        let room = |(d, limit): &(Dimension, u64)| {
            signed(*limit).saturating_sub(item.committed(*d)).saturating_sub(signed(asked.get(*d)))
        };
        budget.limit.each().min_by_key(room).map_or(Dimension::Output, |(dimension, _)| dimension)
    }

    /// Decides what the shard of this request draws, from all items of the budget.
    fn surveyed(&mut self, items: &[Counters]) {
        let Some(budget) = self.budgets.get(self.held.len()) else { return };
        let survey = Survey { item: self.item(budget), items, home: self.shard(budget) };
        let known = survey.shards();
        if known > items.len().saturating_sub(1) && self.attempts < MAX_ATTEMPTS {
            self.attempts += 1;
            self.phase = Phase::Survey(u16::try_from(known).unwrap_or(u16::MAX));
            return;
        }
        let total = survey.total();
        let news = Dimension::ALL.iter().any(|&d| signed(self.observed().get(d)) > total.explained(d));
        let draw = if news || budget.mode != Mode::Enforce || self.attempts >= MAX_ATTEMPTS {
            None
        } else {
            survey.draw(&budget.limit, self.asked(), budget.shards)
        };
        match draw {
            // Not all at once for the last bit: a crowd at one item would only be in its own way.
            Some(draw) if draw.scarce && self.ask.may_wait && !self.is_its_turn(budget) => {
                let refusal = self.refusal(self.binding(budget, &total), total);
                self.hold_off(refusal);
            }
            Some(draw) if !draw.writes.is_empty() => self.phase = Phase::Draw(draw.writes),
            None if survey.home.is_some() && !news && self.attempts < MAX_ATTEMPTS => {
                self.phase = Phase::Note(survey.note(), total);
            }
            _ => self.judge(total),
        }
    }

    /// Decides after a refusal, from the numbers of the budget.
    fn judge(&mut self, item: Counters) {
        let Some(budget) = self.budgets.get(self.held.len()) else { return };
        if Dimension::ALL.iter().any(|&d| signed(self.observed().get(d)) > item.explained(d)) {
            if self.attempts < MAX_ATTEMPTS {
                self.phase = Phase::Raise(item);
            } else if budget.mode == Mode::Observe {
                // It never refuses. Reconcile brings what CloudWatch shows.
                self.ask.observed = None;
                self.phase = Phase::Reserve;
            } else {
                let refusal = self.refusal(Dimension::Input, item);
                self.hold_off(refusal);
            }
            return;
        }
        if budget.mode != Mode::Enforce {
            // Nothing but news from CloudWatch refuses here, and it is known by now.
            self.phase = Phase::Reserve;
            return;
        }
        let limits: Vec<(Dimension, i64)> =
            budget.limit.each().map(|(d, limit)| (d, signed(limit))).collect();
        let over = |amounts: Amounts, taken: &dyn Fn(Dimension) -> i64| {
            let mut each = limits.iter().map(|(d, limit)| (*d, limit.saturating_sub(taken(*d))));
            each.find(|(d, left)| signed(amounts.get(*d)) > *left).map(|(d, _)| d)
        };
        let used = |d: Dimension| item.used(d);
        let committed = |d: Dimension| item.committed(d);
        let (least, asked) = (self.ask.amounts(self.least_output(budget)), self.asked());
        let count = self.ask.may_count && self.exact_count_may_fit(&item);
        if let Some(dimension) = over(least, &used) {
            let verdict = if count && dimension != Dimension::Output {
                Verdict::Count
            } else {
                Verdict::Exceeded(self.refusal(dimension, item))
            };
            return self.end(verdict);
        }
        let short = over(asked, &committed);
        let shrunk = self.affordable_output(&item);
        let fits_shrunk =
            shrunk >= least.output && shrunk > 0 && over(self.ask.amounts(shrunk), &committed).is_none();
        let in_flight = limits.iter().any(|(d, _)| item.reserved(*d) > 0);
        match short {
            // Something was given back since the refusal was decided.
            None if self.attempts < MAX_ATTEMPTS => self.phase = Phase::Reserve,
            Some(Dimension::Input | Dimension::Cost) if count => self.end(Verdict::Count),
            _ if (in_flight && self.ask.may_wait) || !fits_shrunk || self.attempts >= MAX_ATTEMPTS => {
                let refusal = self.refusal(short.unwrap_or(Dimension::Output), item);
                self.hold_off(refusal);
            }
            _ => self.phase = Phase::Release(After::Reserve(shrunk.min(self.output))),
        }
    }

    /// The most output that what is free would pay for.
    fn affordable_output(&self, item: &Counters) -> u64 {
        let Some(budget) = self.budgets.get(self.held.len()) else { return 0 };
        let free = |d: Dimension, limit: u64| {
            u64::try_from(signed(limit).saturating_sub(item.committed(d))).unwrap_or(0)
        };
        budget
            .limit
            .each()
            .map(|(dimension, limit)| match (dimension, self.ask.rates) {
                (Dimension::Output, _) => free(dimension, limit),
                (Dimension::Cost, Some(rates)) => {
                    rates.affordable_output(self.ask.input, free(dimension, limit)).unwrap_or(0)
                }
                _ => u64::MAX,
            })
            .min()
            .unwrap_or(u64::MAX)
            .min(self.output)
    }

    /// Whether it is worth asking for the exact count: text of few bytes per token is the
    /// rule, text of very many the exception.
    fn exact_count_may_fit(&self, item: &Counters) -> bool {
        let Some(budget) = self.budgets.get(self.held.len()) else { return false };
        let fewest = self.ask.amounts(self.least_output(budget));
        budget.limit.each().all(|(dimension, limit)| {
            let left = signed(limit).saturating_sub(item.used(dimension));
            match dimension {
                Dimension::Output => signed(fewest.output) <= left,
                _ => signed(fewest.get(dimension)) / BYTES_PER_TOKEN_AT_MOST <= left && left > 0,
            }
        })
    }

    fn hold_off(&mut self, refusal: Refusal) {
        self.end(if self.ask.may_wait { Verdict::Wait(refusal) } else { Verdict::Busy(refusal) });
    }

    fn refusal(&self, dimension: Dimension, counters: Counters) -> Refusal {
        Refusal { budget: self.held.len(), dimension, requested: self.asked().get(dimension), counters }
    }

    fn end(&mut self, verdict: Verdict) {
        self.phase = Phase::Release(After::End(verdict));
    }

    fn admit(&self) -> Verdict {
        Verdict::Admit {
            reservation: Reservation { reserved: self.held.clone(), amounts: self.asked() },
            counters: self.first.clone().unwrap_or_default(),
            over: self.over.clone(),
        }
    }
}

/// Limits and requests are checked to be far below this; a larger number saturates and
/// so can only make a request harder to admit.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
