//! Usage that bypasses the sentry, as CloudWatch reports it.
//!
//! Every call of the sentry is held before it is made and settled after. So what CloudWatch
//! shows beyond *everything* that is committed went another way, however late CloudWatch is and
//! whatever is in flight: a lower bound, which is added and never has to be taken back.

use crate::limit::Dimension;
use crate::money::{Rates, TokenUsage};
use crate::month::Period;

use super::counters::{self, Counters};
use super::sums::{Sums, signed};
use super::update::{Condition, Update};

/// What CloudWatch shows of a budget's models for the month, and what the tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Tokens, by how they are billed.
    pub tokens: TokenUsage,
    /// Prices; `None` for a model without.
    pub rates: Option<Rates>,
}

impl Shown {
    /// The tokens by dimension; money is not shown.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums::from_fn(|d| match d {
            Dimension::Input => signed(self.tokens.all_input()),
            Dimension::Output => signed(self.tokens.output_tokens),
            Dimension::Cost => 0,
        })
    }

    /// The most that so many of the tokens can have cost.
    fn worth(&self, input: i64, output: i64) -> i64 {
        let tokens = |number: i64| u64::try_from(number).unwrap_or(0);
        let worth = |rates: Rates| rates.dearest_part(&self.tokens, tokens(input), tokens(output));
        signed(self.rates.map_or(0, worth))
    }

    /// The most that tokens can have cost.
    #[must_use]
    pub fn worth_of(&self, tokens: &Sums) -> i64 {
        self.worth(tokens.get(Dimension::Input), tokens.get(Dimension::Output))
    }

    /// What tokens add to those that are counted, so that all together are counted with the most
    /// that they can have cost. The tokens before may have been counted when only cheaper kinds
    /// were shown, so their cost is not valued anew; nor do prices that were edited since change it.
    #[must_use]
    pub fn worth_beyond(&self, counted: &Sums, tokens: &Sums) -> i64 {
        let all = self.worth_of(&counted.plus(tokens));
        let uncounted = all.saturating_sub(counted.get(Dimension::Cost));
        let at_least = all.saturating_sub(self.worth_of(counted));
        uncounted.min(self.worth_of(tokens)).max(at_least)
    }

    /// What has to be added to a budget for it to have committed all that is shown. Tokens
    /// are found first and valued after, at the prices of now.
    #[must_use]
    pub fn news(&self, committed: &Sums, own: &Counters) -> Sums {
        let news = self.sums().beyond(committed);
        let external = Sums::from_fn(|d| own.external(d));
        let cost = self.worth_beyond(&external, &news);
        Sums::from_fn(|d| if d == Dimension::Cost { cost } else { news.get(d) })
    }
}

/// The write that adds usage which bypassed the sentry, on the condition that no more is
/// committed than was seen; `None` where there is nothing to add.
#[must_use]
pub fn add_external(period: Period, own: &Counters, news: &Sums) -> Option<Update> {
    let mut update = Update::in_period(period);
    for dimension in Dimension::ALL {
        let news = news.get(dimension);
        if news > 0 {
            update.add(counters::committed(dimension), news);
            update.add(counters::external(dimension), news);
            let seen = own.committed(dimension);
            update.require(Condition::AtMost(counters::committed(dimension).to_owned(), seen));
        }
    }
    (!update.add.is_empty()).then_some(update)
}
