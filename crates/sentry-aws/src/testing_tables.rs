//! Tables in memory, for tests of the functions: the same conditions as in DynamoDB, and failures
//! on request.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sentry_core::error::SentryError;
use sentry_core::ledger::{Claim, Counters, ItemKey, LedgerOutcome, Update};
use sentry_core::month::Period;

use crate::{ClaimKeys, Claimed, ReadLedger, WriteLedger};

/// A fault of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The table has no capacity: nothing is written.
    Throttled,
    /// Nothing is written, and no reply comes.
    LostRequest,
    /// It is written, and no reply comes.
    LostReply,
}

/// The ledger and the claims.
#[derive(Debug, Default)]
pub struct MemoryTables {
    items: Mutex<BTreeMap<ItemKey, Counters>>,
    claims: Mutex<BTreeMap<String, Claim>>,
    /// The faults of the next writes, one after the other; `None` for a write without a fault.
    faults: Mutex<VecDeque<Option<Fault>>>,
    counts: Mutex<Counts>,
}

/// How often each operation was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes of one item.
    pub writes: usize,
    /// Reads of one or more items.
    pub reads: usize,
    /// Transactions.
    pub transactions: usize,
}

impl MemoryTables {
    /// Tables whose next writes meet these faults.
    #[must_use]
    pub fn with_faults(faults: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self { faults: Mutex::new(faults.into_iter().collect()), ..Self::default() }
    }

    /// The item, without attributes where it is missing.
    #[must_use]
    pub fn item(&self, key: &ItemKey) -> Counters {
        locked(&self.items).get(key).cloned().unwrap_or_default()
    }

    /// Puts an item.
    pub fn put(&self, key: ItemKey, item: Counters) {
        locked(&self.items).insert(key, item);
    }

    /// The keys of all items.
    #[must_use]
    pub fn item_keys(&self) -> Vec<ItemKey> {
        locked(&self.items).keys().cloned().collect()
    }

    /// The owner of a claimed key.
    #[must_use]
    pub fn owner(&self, key: &str) -> Option<String> {
        locked(&self.claims).get(key).map(|claim| claim.owner.clone())
    }

    /// How often each operation was called.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *locked(&self.counts)
    }

    fn fault(&self) -> Option<Fault> {
        locked(&self.faults).pop_front().flatten()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WriteLedger for &MemoryTables {
    async fn write(&self, key: &ItemKey, update: &Update) -> LedgerOutcome {
        locked(&self.counts).writes += 1;
        let fault = self.fault();
        match fault {
            Some(Fault::Throttled) => return LedgerOutcome::Throttled,
            Some(Fault::LostRequest) => return LedgerOutcome::Unknown,
            Some(Fault::LostReply) | None => {}
        }
        let before = self.item(key);
        let outcome = match update.apply(&before) {
            Some(after) => {
                self.put(key.clone(), after.clone());
                LedgerOutcome::Applied(after)
            }
            None => LedgerOutcome::Refused(before),
        };
        if fault.is_some() { LedgerOutcome::Unknown } else { outcome }
    }

    async fn read(&self, keys: &[ItemKey]) -> LedgerOutcome {
        locked(&self.counts).reads += 1;
        LedgerOutcome::Read(keys.iter().map(|key| self.item(key)).collect())
    }

    async fn transact(&self, updates: &[(ItemKey, Update)]) -> LedgerOutcome {
        locked(&self.counts).transactions += 1;
        let applied = |(key, update): &(ItemKey, Update)| Some((key.clone(), update.apply(&self.item(key))?));
        let Some(after) = updates.iter().map(applied).collect::<Option<Vec<_>>>() else {
            return LedgerOutcome::NotMoved;
        };
        locked(&self.items).extend(after);
        LedgerOutcome::Moved
    }
}

impl ReadLedger for &MemoryTables {
    async fn keys(&self, period: Period) -> Result<Vec<ItemKey>, SentryError> {
        let of_period = |key: &ItemKey| key.parts().is_some_and(|(of, ..)| of == period);
        Ok(self.item_keys().into_iter().filter(of_period).collect())
    }
}

impl ClaimKeys for &MemoryTables {
    async fn claim(&self, claim: &Claim, now: i64) -> Claimed {
        let mut claims = locked(&self.claims);
        match claims.get(&claim.key) {
            Some(known) if known.owner != claim.owner && known.until > now => {
                Claimed::InUse { until: known.until }
            }
            _ => {
                claims.insert(claim.key.clone(), claim.clone());
                Claimed::Taken
            }
        }
    }

    async fn give_back(&self, claim: &Claim) -> bool {
        let mut claims = locked(&self.claims);
        if claims.get(&claim.key).is_some_and(|known| known.owner == claim.owner) {
            claims.remove(&claim.key);
        }
        true
    }
}
