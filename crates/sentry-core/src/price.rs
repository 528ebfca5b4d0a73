//! The price list. A model that is not listed has no price: under a money budget it is
//! refused by name, since a guess would let it through too cheaply.

mod prices;
mod table;
#[cfg(test)]
mod tests;

use crate::month;

pub use prices::{CacheTtl, LongPrice, Price, Prices, ServiceTier};
pub use table::{AS_OF, PRICES, SOURCE};

/// A model's price in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The model's family.
    pub family: &'static str,
    /// What its tokens cost.
    pub prices: Prices,
}

impl Listed {
    /// The price of a family.
    #[must_use]
    pub fn of(family: &str) -> Option<&'static Listed> {
        PRICES.iter().find(|listed| listed.family == family)
    }
}

/// How many days before `today` (`YYYY-MM-DD`) the price list was read: 0 on the same day and
/// before it, `None` when `today` is no date.
#[must_use]
pub fn age_days(today: &str) -> Option<u64> {
    let midnight = |date: &str| month::parse_time(&format!("{date}T00:00:00Z")).ok();
    let days = midnight(today)?.signed_duration_since(midnight(AS_OF)?).num_days();
    Some(u64::try_from(days).unwrap_or(0))
}

/// A row of the list: what tokens cost in the standard tier, in the order of [`Price`]'s fields.
const fn listed(family: &'static str, standard: [u64; 5]) -> Listed {
    Listed { family, prices: Prices::standard(price(standard)) }
}

impl Listed {
    const fn flex(mut self, numbers: [u64; 5]) -> Self {
        self.prices.flex = Some(price(numbers));
        self
    }

    const fn priority(mut self, numbers: [u64; 5]) -> Self {
        self.prices.priority = Some(price(numbers));
        self
    }

    const fn long(mut self, above: u64, numbers: [u64; 5]) -> Self {
        self.prices.long = Some(LongPrice { above, price: price(numbers) });
        self
    }
}

const fn price([input, output, cache_read, cache_write, cache_write_1h]: [u64; 5]) -> Price {
    Price { input, output, cache_read, cache_write, cache_write_1h }
}
