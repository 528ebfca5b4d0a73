//! The price list. A model that is not listed has no price: under a money budget it is
//! refused by name, since a guess would let it through too cheaply.

mod table;

use crate::money::Rates;

pub use table::PRICES;

/// A model's price, and where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The model's family.
    pub family: &'static str,
    /// What its tokens cost.
    pub rates: Rates,
    /// The day on which the price was read, `YYYY-MM-DD`.
    pub as_of: &'static str,
    /// Where it was read.
    pub source: &'static str,
}

impl Listed {
    /// The price of a family.
    #[must_use]
    pub fn of(family: &str) -> Option<&'static Listed> {
        PRICES.iter().find(|listed| listed.family == family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelId;

    #[test]
    fn every_row_is_a_family_with_a_date_and_a_source() {
        assert!(!PRICES.is_empty());
        assert!(PRICES.is_sorted_by_key(|listed| listed.family), "sort the table by family");
        for (row, next) in PRICES.iter().zip(PRICES.iter().skip(1)) {
            assert_ne!(row.family, next.family, "listed twice");
        }
        for row in PRICES {
            assert_eq!(ModelId::parse(row.family).unwrap().family, row.family);
            assert!(crate::month::parse_time(&format!("{}T00:00:00Z", row.as_of)).is_ok(), "{}", row.family);
            assert!(row.source.contains("http"), "{}", row.family);
            assert!(row.rates.input > 0 && row.rates.output >= row.rates.input / 10, "{}", row.family);
        }
    }
}
