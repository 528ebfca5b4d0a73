//! Leases: capacity that moves between a budget's own item and its shards, in transactions.
//!
//! What a shard has leased counts as committed in the budget's own item, so the sum never passes
//! the limit, however many shards there are and whenever their number or the limit changes. A
//! lease remembers its limit; under another one it goes back before more is taken.

use crate::limit::Dimension;

use super::attempt::Round;
use super::counters::{self, Counters, ItemKey, UNLIMITED};
use super::sums::signed;
use super::update::{Condition, Update};

/// A shard leases this part of what is left, divided by the number of shards: small enough that
/// little lies idle, large enough that refills are rare.
const LEASED_PART: i64 = 8;
/// Requests' worth that a shard leases in a dimension without a limit.
const REQUESTS_PER_LEASE: i64 = 64;

/// A budget's own item and so many shards.
pub fn items(own: &ItemKey, shards: u16) -> Vec<ItemKey> {
    std::iter::once(own.clone()).chain((0..shards).map(|index| own.shard(index))).collect()
}

/// What the shard lacks in one dimension.
struct Need {
    dimension: Dimension,
    /// What the lease is short of for the request.
    lacking: i64,
    /// Whether the lease was taken under another limit.
    stale: bool,
    /// What goes back first for that reason.
    returned: i64,
    /// What the budget's own item has left; `None` where no limit is enforced.
    room: Option<i64>,
}

impl Need {
    fn of(round: &Round<'_>, own: &Counters, shard: &Counters, dimension: Dimension) -> Self {
        let limit = round.enforced(dimension);
        let stale = limit.is_some_and(|limit| shard.get(counters::lease_limit(dimension)) != limit);
        let returned = if stale { shard.free(dimension) } else { 0 };
        let asked = signed(round.amounts().get(dimension));
        Self {
            dimension,
            lacking: asked - (shard.free(dimension) - returned),
            stale,
            returned,
            room: limit.map(|limit| limit.saturating_sub(own.committed(dimension)).saturating_add(returned)),
        }
    }

    /// How much to lease, when so much comes from other shards.
    fn leased(&self, round: &Round<'_>, from_others: i64) -> i64 {
        if self.lacking <= 0 {
            return 0;
        }
        let asked = signed(round.amounts().get(self.dimension));
        match self.room {
            None => self.lacking.saturating_add(asked.saturating_mul(REQUESTS_PER_LEASE)),
            Some(room) => {
                let part = room / (LEASED_PART * i64::from(round.budget.shards.max(1)));
                part.max(self.lacking).min(room.saturating_add(from_others))
            }
        }
    }
}

/// The transaction by which the shard leases from the budget's own item; `None` when that has
/// too little.
pub fn refill(round: &Round<'_>, own: &Counters, shard: &Counters) -> Option<Vec<(ItemKey, Update)>> {
    let needs = Dimension::ALL.map(|dimension| Need::of(round, own, shard, dimension));
    if needs.iter().any(|need| need.lacking > 0 && need.room.is_some_and(|room| room < need.lacking)) {
        return None;
    }
    Some(lease(round, own, shard, &needs, Vec::new()))
}

/// The transaction by which the request gets what other shards have leased and not used. For a
/// budget that is no longer split, their leases go back to its own item.
pub fn reclaim(round: &Round<'_>, items: &[Counters]) -> Vec<(ItemKey, Update)> {
    let Some((own, shards)) = items.split_first() else { return Vec::new() };
    let home = round.shard().map(usize::from);
    let shard = home.and_then(|home| shards.get(home)).cloned().unwrap_or_default();
    let needs = Dimension::ALL.map(|dimension| Need::of(round, own, &shard, dimension));
    let mut giving = Vec::new();
    let mut from_others = [0_i64; 3];
    for (index, other) in shards.iter().enumerate().filter(|(index, _)| Some(*index) != home) {
        let mut update = Update::default();
        for (need, taken) in needs.iter().zip(&mut from_others) {
            let spare = other.free(need.dimension);
            let enough = need.room.is_some_and(|room| room.saturating_add(*taken) >= need.lacking);
            if spare > 0 && (home.is_none() || (need.room.is_some() && !enough)) {
                let free = counters::free(need.dimension);
                update.add(free, -spare);
                update.require(Condition::AtLeast(free.to_owned(), spare));
                *taken += spare;
            }
        }
        if let (false, Ok(index)) = (update.add.is_empty(), u16::try_from(index)) {
            giving.push((round.own().shard(index), update, other.clone()));
        }
    }
    let writes: Vec<_> = giving.into_iter().map(|(key, update, _)| (key, update)).collect();
    if home.is_none() {
        return give_back(round, own, writes);
    }
    lease(round, own, &shard, &needs, writes)
}

/// The transaction that gives leases back to the budget's own item.
fn give_back(
    round: &Round<'_>,
    own: &Counters,
    mut giving: Vec<(ItemKey, Update)>,
) -> Vec<(ItemKey, Update)> {
    if giving.is_empty() {
        return giving;
    }
    let mut budget = Update::in_period(round.request.period);
    for dimension in Dimension::ALL {
        budget.add(counters::committed(dimension), given(&giving, dimension));
    }
    budget.require(Condition::Equals(counters::SHARDS.to_owned(), i64::from(own.shards())));
    giving.push((round.own(), budget));
    giving
}

/// What shards give away, as a negative number.
fn given(giving: &[(ItemKey, Update)], dimension: Dimension) -> i64 {
    giving.iter().filter_map(|(_, update)| update.add.get(counters::free(dimension))).sum()
}

/// The writes of a lease: what others give, the shard, and the budget's own item.
fn lease(
    round: &Round<'_>,
    own: &Counters,
    shard: &Counters,
    needs: &[Need; 3],
    mut writes: Vec<(ItemKey, Update)>,
) -> Vec<(ItemKey, Update)> {
    let mut home = Update::in_period(round.request.period);
    let mut budget = Update::in_period(round.request.period);
    for need in needs {
        let dimension = need.dimension;
        let from_others = -given(&writes, dimension);
        let leased = need.leased(round, from_others);
        let net = leased - from_others - need.returned;
        budget.add(counters::committed(dimension), net);
        let limit = round.enforced(dimension);
        if let (Some(limit), true) = (limit, net > 0) {
            let most = limit.saturating_sub(net);
            budget.require(Condition::AtMost(counters::committed(dimension).to_owned(), most));
        }
        home.add(counters::free(dimension), leased - need.returned);
        let terms = counters::lease_limit(dimension);
        if need.stale {
            home.require(Condition::Equals(counters::free(dimension).to_owned(), shard.free(dimension)));
            home.require(Condition::Equals(terms.to_owned(), shard.get(terms)));
        }
        // A lease without a limit is not taken for one under a limit, nor the other way round.
        let limit = if leased > 0 || limit.is_some() { limit.unwrap_or(UNLIMITED) } else { shard.get(terms) };
        home.set.insert(terms.to_owned(), limit);
        home.set.insert(counters::known_used(dimension).to_owned(), own.used(dimension));
        let committed = own.committed(dimension).saturating_add(net);
        home.set.insert(counters::known_committed(dimension).to_owned(), committed);
    }
    home.remove.insert(counters::KNOWN_AT.to_owned());
    let seen = i64::from(own.shards());
    budget.require(Condition::Equals(counters::SHARDS.to_owned(), seen));
    budget.set.insert(counters::SHARDS.to_owned(), seen.max(i64::from(round.budget.shards)));
    writes.push((round.item(), home));
    writes.push((round.own(), budget));
    writes
}
