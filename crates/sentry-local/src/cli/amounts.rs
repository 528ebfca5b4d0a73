//! Numbers as people read them.

use sentry_core::money::{read_usd, usd_text};
use serde_json::Value;

/// With commas between thousands; anything but a whole number as it is.
pub(super) fn number(value: &Value) -> String {
    match value.as_u64() {
        Some(number) => thousands(number),
        None if value.is_null() => "?".to_owned(),
        None => value.to_string(),
    }
}

/// With commas between thousands.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Dollars with all decimals of the value, and without the exponent that JSON uses for small numbers.
pub(super) fn dollars(value: &Value) -> String {
    read_usd(value).map_or_else(|| number(value), usd_text)
}
