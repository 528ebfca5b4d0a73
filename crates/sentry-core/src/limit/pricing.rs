//! The price at which a request is reserved.
//!
//! Fails closed: where a budget in money refuses, a tier without a price is refused by name.

use super::{Budget, Dimension, Limits};
use crate::error::{ErrorName, SentryError};
use crate::model::Vendor;
use crate::money::Rates;
use crate::price::{CacheTtl, ServiceTier};

impl Limits {
    /// The dearest prices that a request can reach: in the tier that it asks for, with the longest
    /// lifetime of its cache points, and with its input at the upper bound. `None` for a
    /// model without a price. A tier without one counts as the standard tier where no budget in
    /// money refuses.
    ///
    /// # Errors
    /// [`ErrorName::LimitNotConfigured`] when the tier has no price and a budget in money refuses.
    pub fn reserved_rates(
        &self,
        tier: ServiceTier,
        cache: Option<CacheTtl>,
        input_bound: u64,
    ) -> Result<Option<Rates>, SentryError> {
        let Some(prices) = self.prices else { return Ok(None) };
        let unasked = Vendor::of_family(&self.family).writes_to_caches_unasked();
        let cache = cache.or(unasked.then_some(CacheTtl::FiveMinutes));
        let refusing = self.budgets.iter().find(|budget| budget.refuses_for_money());
        match (prices.reserved(tier, cache, input_bound), refusing) {
            (None, Some(budget)) => Err(self.no_price(tier, budget)),
            (None, None) => Ok(prices.reserved(ServiceTier::Default, cache, input_bound)),
            (rates, _) => Ok(rates),
        }
    }

    fn no_price(&self, tier: ServiceTier, budget: &Budget) -> SentryError {
        let tier = tier.as_str();
        let attribute = format!("pricePerMillionTokensUsd.{tier}");
        SentryError::new(
            ErrorName::LimitNotConfigured,
            format!(
                "The budget of {} is in money, and the price of {:?} in the service tier {tier:?} is not known. Put {attribute} into the model's limit item, or ask without serviceTier.",
                budget.key, self.family
            ),
        )
        .with("modelId", self.family.as_str())
        .with("itemId", budget.item_of(Dimension::Cost))
        .with("attribute", attribute)
    }
}
