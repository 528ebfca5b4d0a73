//! The section on prices and context windows.

use std::fmt::Write;

use sentry_core::model::context_window;
use sentry_core::price::{AS_OF, PRICES, Price, SOURCE};

const HEAD: &str = "
## What each costs

In dollars per million tokens, on demand, in the United States' regions; the dearest of the plain, geographic and global ids.
*Tiers* are those of `serviceTier` that have a price, with their input and output. *Long input*: with more input tokens than this, cached
ones included, the whole request costs so much. *Window* is an upper bound of the input that the model takes. [Money](budgets.md#money)
says how prices are used, and how an item names another.

";

const COLUMNS: &str = "
| family | input | output | cache read | cache write, 5 minutes | 1 hour | tiers | long input | window |
|---|---|---|---|---|---|---|---|---|
";

/// The section.
pub(super) fn section() -> String {
    let mut section = HEAD.to_owned();
    let _ = writeln!(section, "Read on {AS_OF} from {SOURCE}.");
    section.push_str(COLUMNS);
    for row in PRICES {
        let prices = &row.prices;
        let both = |price: Price| format!("{} / {}", dollars(price.input), dollars(price.output));
        let tiers = [("flex", prices.flex), ("priority", prices.priority)];
        let tiers: Vec<_> = tiers
            .into_iter()
            .filter_map(|(name, price)| Some(format!("`{name}` {}", both(price?))))
            .collect();
        let long = prices.long.map(|long| format!("above {}: {}", long.above, both(long.price)));
        let Price { input, output, cache_read, cache_write, cache_write_1h } = prices.standard;
        let numbers = [input, output, cache_read, cache_write, cache_write_1h].map(dollars).join(" | ");
        let _ = writeln!(
            section,
            "| `{}` | {numbers} | {} | {} | {} |",
            row.family,
            if tiers.is_empty() { "–".to_owned() } else { tiers.join(", ") },
            long.unwrap_or("–".to_owned()),
            context_window(row.family).map_or("–".to_owned(), |tokens| tokens.to_string()),
        );
    }
    section
}

/// Micro-dollars as decimal dollars.
fn dollars(micro: u64) -> String {
    let (whole, fraction) = (micro / 1_000_000, format!("{:06}", micro % 1_000_000));
    let fraction = fraction.trim_end_matches('0');
    format!("{whole}.{fraction:0<2}")
}
