//! What a model's tokens cost, by service tier, by the lifetime of what is written to a cache, and
//! by the length of the input.
//!
//! Never too cheap: what is reserved is the dearest price that the request can reach.

use serde::{Deserialize, Serialize};

use crate::money::{Rates, TokenUsage, cost_of};

/// The service tier of a call, as Bedrock names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTier {
    /// The standard tier, also of requests that name none.
    #[default]
    Default,
    /// Cheaper and slower.
    Flex,
    /// Dearer and served first.
    Priority,
}

impl ServiceTier {
    /// Its name in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ServiceTier::Default => "default",
            ServiceTier::Flex => "flex",
            ServiceTier::Priority => "priority",
        }
    }

    /// The tier of that name; `None` for another, such as `reserved`, whose price is a contract's.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Default, Self::Flex, Self::Priority].into_iter().find(|tier| tier.as_str() == name)
    }
}

/// How long what a request writes to a cache is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CacheTtl {
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// An hour.
    #[serde(rename = "1h")]
    OneHour,
}

/// What tokens cost in one tier, in pico-dollars each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// An input token.
    pub input: u64,
    /// An output token.
    pub output: u64,
    /// An input token that was read from a cache.
    pub cache_read: u64,
    /// An input token that was written to a cache for five minutes.
    pub cache_write: u64,
    /// An input token that was written to a cache for an hour.
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: u64,
}

/// The price of requests with a long input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LongPrice {
    /// With more input tokens than this, cached ones included, the whole request has this price.
    pub above: u64,
    /// What all tokens of such a request cost.
    pub price: Price,
}

/// Everything that a model's tokens can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// In the standard tier.
    pub standard: Price,
    /// In the flex tier, where the model has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Price>,
    /// In the priority tier, where the model has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Price>,
    /// With a long input, where that costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<LongPrice>,
}

impl Price {
    /// The four rates of this price, with the cache writes of five minutes.
    #[must_use]
    pub const fn rates(&self) -> Rates {
        Rates {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
        }
    }

    /// The dearer of two prices for each kind of token.
    #[must_use]
    pub fn dearest(&self, other: &Price) -> Price {
        Price {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
            cache_write_1h: self.cache_write_1h.max(other.cache_write_1h),
        }
    }
}

impl Prices {
    /// The same price in the standard tier for inputs of any length, and no other tier.
    #[must_use]
    pub const fn standard(standard: Price) -> Self {
        Self { standard, flex: None, priority: None, long: None }
    }

    /// The dearest price of each kind of token: of all tiers, lifetimes of caches and lengths of the input.
    #[must_use]
    pub fn dearest(&self) -> Rates {
        let others = [self.flex, self.priority, self.long.map(|long| long.price)];
        let price = others.into_iter().flatten().fold(self.standard, |one, other| one.dearest(&other));
        Rates { cache_write: price.cache_write.max(price.cache_write_1h), ..price.rates() }
    }

    /// What a request is reserved at: for each kind of token the dearest price that an input within
    /// the bound can reach. `None` when the tier has no price.
    ///
    /// `cache` is the longest lifetime of what the request can write to a cache; without one the
    /// price of cache writes does not count. Reads count always, since a provider may find a prefix
    /// in its cache that nobody marked. The standard price counts beside the one of the tier,
    /// because the answer may say that the standard tier served the request.
    #[must_use]
    pub fn reserved(&self, tier: ServiceTier, cache: Option<CacheTtl>, input_bound: u64) -> Option<Rates> {
        let mut price = self.tier(tier)?.dearest(&self.standard);
        if let Some(long) = self.long_price(input_bound) {
            price = price.dearest(long);
        }
        let cache_write = match cache {
            None => price.input,
            Some(CacheTtl::FiveMinutes) => price.cache_write,
            // A request with a cache point of an hour may have others of five minutes.
            Some(CacheTtl::OneHour) => price.cache_write.max(price.cache_write_1h),
        };
        Some(Rates { cache_write, ..price.rates() })
    }

    /// What a call cost, in nano-dollars: in the tier that served it by the answer's word, else in
    /// the one that was asked for. A tier without a price counts as if the answer had not named it.
    /// Of the input tokens that were written to a cache, `cache_write_1h` were for an hour.
    #[must_use]
    pub fn settled(
        &self,
        asked: ServiceTier,
        served: Option<&str>,
        usage: &TokenUsage,
        cache_write_1h: u64,
    ) -> u64 {
        let served = served.and_then(ServiceTier::from_name).filter(|tier| self.tier(*tier).is_some());
        self.cost(served.unwrap_or(asked), usage, cache_write_1h)
    }

    /// What a call cost in a tier, in nano-dollars; in one without a price what it cost in the standard tier.
    #[must_use]
    pub fn cost(&self, tier: ServiceTier, usage: &TokenUsage, cache_write_1h: u64) -> u64 {
        let of_tier = *self.tier(tier).unwrap_or(&self.standard);
        let price = match (self.long_price(usage.all_input()), tier) {
            (None, _) => of_tier,
            (Some(long), ServiceTier::Default) => *long,
            // No list has a price for long inputs in another tier.
            (Some(long), ServiceTier::Flex | ServiceTier::Priority) => of_tier.dearest(long),
        };
        let one_hour = cache_write_1h.min(usage.cache_write_input_tokens);
        cost_of(&[
            (usage.input_tokens, price.input),
            (usage.output_tokens, price.output),
            (usage.cache_read_input_tokens, price.cache_read),
            (usage.cache_write_input_tokens - one_hour, price.cache_write),
            (one_hour, price.cache_write_1h),
        ])
    }

    const fn tier(&self, tier: ServiceTier) -> Option<&Price> {
        match tier {
            ServiceTier::Default => Some(&self.standard),
            ServiceTier::Flex => self.flex.as_ref(),
            ServiceTier::Priority => self.priority.as_ref(),
        }
    }

    fn long_price(&self, input: u64) -> Option<&Price> {
        self.long.as_ref().filter(|long| input > long.above).map(|long| &long.price)
    }
}
