//! Money: what tokens cost, in whole nano-dollars.
//!
//! No floating point: a price is a whole number of pico-dollars per token (the same number
//! as micro-dollars per million tokens), a cost is rounded up to the next nano-dollar. When a
//! number is out of range the cost is the largest there is, so that it fits no budget.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// Nano-dollars in a dollar.
pub const NANO_PER_USD: u64 = 1_000_000_000;
/// The largest amount of money that a limit item may name, in dollars. Nano-dollars of it
/// leave room for sums in 64 bits.
pub const MAX_USD: u64 = 1_000_000_000;
/// Decimal places of a nano-dollar.
const NANO_PLACES: usize = 9;
/// Decimal places of a price per million tokens: micro-dollars.
const MICRO_PLACES: usize = 6;

/// Tokens of one call, by how they are billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenUsage {
    /// Input that was neither read from nor written to a cache.
    pub input_tokens: u64,
    /// What the model wrote.
    pub output_tokens: u64,
    /// Input read from a cache.
    #[serde(default)]
    pub cache_read_input_tokens: u64,
    /// Input written to a cache.
    #[serde(default)]
    pub cache_write_input_tokens: u64,
}

impl TokenUsage {
    /// All input, cached or not.
    #[must_use]
    pub const fn all_input(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_input_tokens)
            .saturating_add(self.cache_write_input_tokens)
    }

    /// The sum of two.
    #[must_use]
    pub const fn plus(&self, other: &TokenUsage) -> TokenUsage {
        TokenUsage {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_input_tokens: self
                .cache_read_input_tokens
                .saturating_add(other.cache_read_input_tokens),
            cache_write_input_tokens: self
                .cache_write_input_tokens
                .saturating_add(other.cache_write_input_tokens),
        }
    }
}

/// What a model's tokens cost, in pico-dollars each: 3,000,000 is $3 per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rates {
    /// An input token.
    pub input: u64,
    /// An output token.
    pub output: u64,
    /// An input token that was read from a cache.
    pub cache_read: u64,
    /// An input token that was written to a cache.
    pub cache_write: u64,
}

impl Rates {
    /// What a call cost, in nano-dollars.
    #[must_use]
    pub fn cost(&self, usage: &TokenUsage) -> u64 {
        cost_of(&[
            (usage.input_tokens, self.input),
            (usage.output_tokens, self.output),
            (usage.cache_read_input_tokens, self.cache_read),
            (usage.cache_write_input_tokens, self.cache_write),
        ])
    }

    /// The most that a call can cost, in nano-dollars: every input token at the dearest of
    /// the three ways in which input is billed.
    #[must_use]
    pub fn bound(&self, input: u64, output: u64) -> u64 {
        nano(pico(input, self.dearest_input()) + pico(output, self.output))
    }

    /// The most output that fits, beside this input, into an amount of nano-dollars; `None`
    /// when the input alone is too dear.
    #[must_use]
    pub fn affordable_output(&self, input: u64, nano_usd: u64) -> Option<u64> {
        let left = pico(nano_usd, 1_000).checked_sub(pico(input, self.dearest_input()))?;
        match u128::from(self.output) {
            0 => Some(u64::MAX),
            output => Some(u64::try_from(left / output).unwrap_or(u64::MAX)),
        }
    }

    /// The most that a part of a usage can have cost, in nano-dollars: of the input tokens, as
    /// many as there are at the dearest price, then at the next.
    #[must_use]
    pub fn dearest_part(&self, of: &TokenUsage, input: u64, output: u64) -> u64 {
        let mut kinds = [
            (self.input, of.input_tokens),
            (self.cache_read, of.cache_read_input_tokens),
            (self.cache_write, of.cache_write_input_tokens),
        ];
        kinds.sort_unstable_by(|one, other| other.cmp(one));
        let mut left = input;
        let mut pico_usd = pico(output, self.output);
        for (rate, tokens) in kinds {
            let taken = left.min(tokens);
            pico_usd += pico(taken, rate);
            left -= taken;
        }
        nano(pico_usd + pico(left, self.dearest_input()))
    }

    /// The dearer of two prices for each kind of token.
    #[must_use]
    pub fn dearest(&self, other: &Rates) -> Rates {
        Rates {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
        }
    }

    fn dearest_input(&self) -> u64 {
        self.input.max(self.cache_read).max(self.cache_write)
    }
}

/// What tokens cost together, in nano-dollars: each number of tokens with its price in pico-dollars.
pub(crate) fn cost_of(parts: &[(u64, u64)]) -> u64 {
    nano(parts.iter().map(|&(tokens, rate)| pico(tokens, rate)).sum())
}

fn pico(tokens: u64, rate: u64) -> u128 {
    u128::from(tokens) * u128::from(rate)
}

fn nano(pico: u128) -> u64 {
    u64::try_from(pico.div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Nano-dollars as decimal dollars.
#[must_use]
pub fn usd(nano_usd: u64) -> Value {
    let (whole, fraction) = (nano_usd / NANO_PER_USD, nano_usd % NANO_PER_USD);
    let text = format!("{whole}.{fraction:09}");
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// Decimal dollars as a text for people, to the cent or as fine as it takes.
#[must_use]
pub fn usd_text(nano_usd: u64) -> String {
    let (whole, fraction) = (nano_usd / NANO_PER_USD, nano_usd % NANO_PER_USD);
    let digits = format!("{fraction:09}");
    let digits = digits.trim_end_matches('0');
    format!("${whole}.{digits:0<2}")
}

/// A JSON number of dollars as nano-dollars, or `None` when it is negative, too large or
/// finer than that.
#[must_use]
pub fn read_usd(number: &Value) -> Option<u64> {
    decimal(number, NANO_PLACES).filter(|nano| *nano <= MAX_USD * NANO_PER_USD)
}

/// A JSON number of dollars per million tokens as pico-dollars per token, or `None` when it
/// is negative, too large or finer than that.
#[must_use]
pub fn read_rate(number: &Value) -> Option<u64> {
    decimal(number, MICRO_PLACES).filter(|rate| *rate <= NANO_PER_USD * 1_000)
}

/// A JSON number in units of ten to the minus `places`, read from its digits.
fn decimal(number: &Value, places: usize) -> Option<u64> {
    let text = number.as_number()?.to_string();
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let shift = i32::try_from(places)
        .ok()?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?
        .checked_add(exponent)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    if digits == 0 {
        return Some(0);
    }
    let power = 10_u128.checked_pow(u32::try_from(shift).ok()?)?;
    u64::try_from(digits.checked_mul(power)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const RATES: Rates =
        Rates { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000 };

    #[test]
    fn a_call_costs_what_the_price_list_says() {
        let usage = TokenUsage {
            input_tokens: 1_000,
            output_tokens: 500,
            cache_read_input_tokens: 10_000,
            cache_write_input_tokens: 2_000,
        };
        // $0.003 + $0.0075 + $0.003 + $0.0075
        assert_eq!(RATES.cost(&usage), 21_000_000);
        assert_eq!(usage.all_input(), 13_000);
    }

    #[test]
    fn a_fraction_of_a_nano_dollar_is_rounded_up() {
        let nova_micro = Rates { input: 35_000, output: 140_000, cache_read: 8_750, cache_write: 35_000 };
        let one = TokenUsage { cache_read_input_tokens: 1, ..TokenUsage::default() };
        assert_eq!(nova_micro.cost(&one), 9);
    }

    #[test]
    fn dollars_are_read_and_written_by_their_digits() {
        for (number, nano) in [
            (json!(0), 0),
            (json!(100), 100_000_000_000),
            (json!(0.1), 100_000_000),
            (json!(12.345_678_9), 12_345_678_900),
            (json!(1e-9), 1),
            (json!(1e3), 1_000_000_000_000),
        ] {
            assert_eq!(read_usd(&number), Some(nano), "{number}");
        }
        for wrong in [json!(-1), json!(1e-10), json!(1e18), json!("5"), json!(null), json!(0.123_456_789_1)] {
            assert_eq!(read_usd(&wrong), None, "{wrong}");
        }
        assert_eq!(read_rate(&json!(0.008_75)), Some(8_750));
        assert_eq!(usd(12_345_678_900).to_string(), "12.3456789");
        assert_eq!((usd_text(12_345_678_900), usd_text(500_000_000)), ("$12.3456789".into(), "$0.50".into()));
    }

    proptest! {
        #[test]
        fn no_call_costs_more_than_its_bound(
            input in 0..10_000_000u64, output in 0..1_000_000u64, read in 0..1_000u64, write in 0..1_000u64,
            rates in (0..100_000_000u64, 0..100_000_000u64, 0..100_000_000u64, 0..100_000_000u64),
        ) {
            let rates = Rates { input: rates.0, output: rates.1, cache_read: rates.2, cache_write: rates.3 };
            let (read, write) = (read.min(input), write.min(input - read.min(input)));
            let usage = TokenUsage {
                input_tokens: input - read - write,
                output_tokens: output,
                cache_read_input_tokens: read,
                cache_write_input_tokens: write,
            };
            prop_assert!(rates.cost(&usage) <= rates.bound(input, output));
        }

        #[test]
        fn what_is_affordable_fits_and_one_more_does_not(
            input in 0..1_000_000u64, money in 0..10_000_000_000u64, rates in (1..100_000_000u64, 1..100_000_000u64),
        ) {
            let rates = Rates { input: rates.0, output: rates.1, cache_read: 0, cache_write: 0 };
            match rates.affordable_output(input, money) {
                Some(output) => {
                    prop_assert!(rates.bound(input, output) <= money);
                    prop_assert!(rates.bound(input, output + 1) > money);
                }
                None => prop_assert!(rates.bound(input, 0) > money),
            }
        }

        #[test]
        fn money_survives_the_way_to_the_edge_and_back(nano in 0..1_000_000_000_000_000u64) {
            prop_assert_eq!(read_usd(&usd(nano)), Some(nano));
        }
    }
}
