//! A budget that is split, because one item of DynamoDB takes 1,000 writes a second.
//!
//! The budget's own item stays the one place where capacity is given out: each shard draws
//! from it, several requests' worth at a time, and admits requests from what it has drawn.
//! What was drawn counts as committed there, so the sum of the shares never passes the
//! limit, however many shards there are and whenever their number changes. Capacity moves
//! between items only in a transaction: all of it, or none.
//!
//! A shard remembers the limit under which it has drawn. Under another one it first gives
//! back what is left, so that a lowered limit counts at once.

use crate::limit::{Amounts, Dimension, Limit};

use super::admission::signed;
use super::counters::{self, Counters, ItemKey};
use super::update::{Condition, Update};

/// A shard draws this part of what is left, divided by the number of shards: small enough that
/// little is stranded, large enough that draws are rare.
const DRAWN_PART: i64 = 8;

/// The items of a budget that is split into so many shards: its own first.
pub(super) fn items(budget: &ItemKey, shards: u16) -> Vec<ItemKey> {
    std::iter::once(budget.clone()).chain((0..shards).map(|index| budget.shard(index))).collect()
}

/// A transaction that moves capacity to a shard.
pub struct Draw {
    /// Its writes; none where the shard lacks nothing.
    pub writes: Vec<(ItemKey, Update)>,
    /// Whether so little is left that a draw serves but one request.
    pub scarce: bool,
}

/// A shard and what it knows of the rest of its budget, as if the budget were not split.
pub(super) fn with_the_rest(mut shard: Counters) -> Counters {
    for dimension in Dimension::ALL {
        let used = shard.get(counters::used_elsewhere(dimension));
        let settled = shard.settled(dimension).saturating_add(used);
        let explained = shard.explained(dimension).saturating_add(used);
        let committed =
            shard.committed(dimension).saturating_add(shard.get(counters::committed_elsewhere(dimension)));
        shard.set(counters::settled(dimension), settled);
        shard.set(counters::explained(dimension), explained);
        shard.set(counters::committed(dimension), committed);
        shard.remove(counters::used_elsewhere(dimension));
        shard.remove(counters::committed_elsewhere(dimension));
    }
    shard
}

/// All items of a budget, as they were read.
pub struct Survey<'a> {
    /// The budget's own item.
    pub item: ItemKey,
    /// The budget's own item first, then its shards.
    pub items: &'a [Counters],
    /// The shard that wants to draw; `None` when the budget is no longer split.
    pub home: Option<u16>,
}

impl Survey<'_> {
    /// How many shards there are, or were.
    pub fn shards(&self) -> usize {
        self.items.first().map_or(0, |own| usize::from(own.shards()))
    }

    /// The budget as a whole, as if it were not split.
    pub fn total(&self) -> Counters {
        let mut total = self.items.first().cloned().unwrap_or_default();
        for shard in self.items.iter().skip(1) {
            for dimension in Dimension::ALL {
                let add = |total: &mut Counters, attribute: &str, number: i64| {
                    let sum = total.get(attribute).saturating_add(number);
                    total.set(attribute, sum);
                };
                add(&mut total, counters::settled(dimension), shard.settled(dimension));
                add(&mut total, counters::explained(dimension), shard.explained(dimension));
                add(&mut total, counters::committed(dimension), -shard.free(dimension));
            }
        }
        total
    }

    /// How the shard gets what it lacks: from the budget's own item, and where that has too
    /// little, from the other shards. `None` when all of them together have too little.
    pub fn draw(&self, limit: &Limit, asked: Amounts, shards: u16) -> Option<Draw> {
        let own = self.items.first()?;
        let mut scarce = false;
        let home = self.home.map(usize::from);
        let at_home = home.and_then(|home| self.items.get(home + 1)).cloned().unwrap_or_default();
        let mut drawing = Update::default();
        let mut giving: Vec<Update> = vec![Update::default(); self.items.len().saturating_sub(1)];
        let mut budget = Update::default();
        for (dimension, limit) in limit.each() {
            let (limit, asked) = (signed(limit), signed(asked.get(dimension)));
            let room = limit.saturating_sub(own.committed(dimension));
            // What was drawn under another limit goes back first.
            let stale = home.is_some() && at_home.get(counters::drawn_under(dimension)) != limit;
            let returned = if stale { at_home.free(dimension) } else { 0 };
            let free = if home.is_some() { at_home.free(dimension) - returned } else { room };
            let lacking = asked.saturating_sub(free);
            let room = if home.is_some() { room.saturating_add(returned) } else { 0 };
            let mut taken = 0;
            for (index, shard) in self.items.iter().skip(1).enumerate() {
                if Some(index) == home || taken >= lacking.saturating_sub(room.max(0)) {
                    continue;
                }
                let spare = shard.free(dimension).max(0);
                if let (true, Some(giving)) = (spare > 0, giving.get_mut(index)) {
                    giving.add(counters::free(dimension), -spare);
                    giving.require(Condition::AtLeast(counters::free(dimension).to_owned(), spare));
                    taken += spare;
                }
            }
            if lacking > 0 && room.saturating_add(taken) < lacking {
                return None;
            }
            let drawn = match home {
                None => 0,
                Some(_) if lacking <= 0 => 0,
                Some(_) => {
                    let part = room / (DRAWN_PART * i64::from(shards.max(1)));
                    scarce |= part < lacking;
                    part.max(lacking).min(room.saturating_add(taken))
                }
            };
            let net = drawn - taken - returned;
            budget.add(counters::committed(dimension), net);
            if net > 0 {
                let most = limit.saturating_sub(net);
                budget.require(Condition::AtMost(counters::committed(dimension).to_owned(), most));
            }
            drawing.add(counters::free(dimension), drawn - returned);
            if stale {
                drawing.set.insert(counters::drawn_under(dimension).to_owned(), limit);
                let seen = |attribute: &str| Condition::Equals(attribute.to_owned(), at_home.get(attribute));
                drawing.require(seen(counters::free(dimension)));
                drawing.require(seen(counters::drawn_under(dimension)));
            }
        }
        Some(Draw { writes: self.writes(drawing, giving, budget, shards), scarce })
    }

    /// The writes that say something, the budget's own last.
    fn writes(
        &self,
        mut drawing: Update,
        giving: Vec<Update>,
        mut budget: Update,
        shards: u16,
    ) -> Vec<(ItemKey, Update)> {
        let mut writes: Vec<(ItemKey, Update)> = Vec::new();
        let changes = |update: &Update| !update.add.is_empty() || !update.set.is_empty();
        for (index, update) in (0..).zip(giving) {
            if changes(&update) {
                writes.push((self.item.shard(index), update));
            }
        }
        if let (Some(home), true) = (self.home, changes(&drawing)) {
            self.remember_the_rest(home, &mut drawing);
            writes.push((self.item.shard(home), drawing));
        }
        if writes.is_empty() {
            return writes;
        }
        let seen = i64::try_from(self.shards()).unwrap_or(i64::MAX);
        let most = seen.max(i64::from(if self.home.is_some() { shards } else { 0 }));
        budget.require(Condition::Equals(counters::SHARDS.to_owned(), seen));
        budget.set.insert(counters::SHARDS.to_owned(), most);
        writes.push((self.item.clone(), budget));
        writes
    }

    /// The write that tells the shard how the rest of the budget stands.
    pub fn note(&self) -> Update {
        let mut update = Update::default();
        if let Some(home) = self.home {
            self.remember_the_rest(home, &mut update);
        }
        update
    }

    /// Tells the shard how the rest of the budget stands, for the answers that it will give.
    fn remember_the_rest(&self, home: u16, drawing: &mut Update) {
        let (total, home) =
            (self.total(), self.items.get(usize::from(home) + 1).cloned().unwrap_or_default());
        for dimension in Dimension::ALL {
            for (attribute, number) in [
                (counters::used_elsewhere(dimension), total.used(dimension) - home.used(dimension)),
                (
                    counters::committed_elsewhere(dimension),
                    total.committed(dimension) - home.committed(dimension),
                ),
            ] {
                drawing.set.insert(attribute.to_owned(), number);
            }
        }
    }
}
