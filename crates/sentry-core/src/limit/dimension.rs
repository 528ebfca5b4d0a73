//! What budgets count, and a value for each of it.
//!
//! Another dimension is another row here: what is done for each of them goes through
//! [`PerDimension::from_fn`] and [`Dimension::ALL`].

use serde::{Deserialize, Serialize};

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dimension {
    /// Input tokens, cached ones included.
    Input,
    /// Output tokens.
    Output,
    /// Money.
    Cost,
}

/// What the numbers of a dimension are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Tokens.
    Tokens,
    /// Nano-dollars here, decimal dollars where people read or write them.
    Money,
}

/// How a dimension is called, and what it counts.
#[derive(Debug, Clone, Copy)]
struct Row {
    name: &'static str,
    suffix: &'static str,
    unit: Unit,
}

const ROWS: PerDimension<Row> = PerDimension {
    input: Row { name: "input", suffix: "Input", unit: Unit::Tokens },
    output: Row { name: "output", suffix: "Output", unit: Unit::Tokens },
    cost: Row { name: "costUsd", suffix: "Cost", unit: Unit::Money },
};

impl Dimension {
    /// Every dimension.
    pub const ALL: [Dimension; 3] = [Dimension::Input, Dimension::Output, Dimension::Cost];

    /// The name in limit items, answers and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ROWS.get(self).name
    }

    /// The end of the names of its attributes in the ledger.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        ROWS.get(self).suffix
    }

    /// What its numbers are.
    #[must_use]
    pub const fn unit(self) -> Unit {
        ROWS.get(self).unit
    }
}

/// A value for each dimension. Between the functions it is a map with the fields `input`, `output` and
/// `cost`, without those that are absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(serialize = "T: Serialize + MayBeAbsent"))]
pub struct PerDimension<T> {
    /// Input tokens, cached ones included.
    #[serde(skip_serializing_if = "MayBeAbsent::is_absent")]
    pub input: T,
    /// Output tokens.
    #[serde(skip_serializing_if = "MayBeAbsent::is_absent")]
    pub output: T,
    /// Nano-dollars; zero, or absent, for a model without a price.
    #[serde(default, skip_serializing_if = "MayBeAbsent::is_absent")]
    pub cost: T,
}

/// What a request takes, in each dimension. A budget's `input` counts cached input too.
pub type Amounts = PerDimension<u64>;
/// A limit for each dimension that is limited.
pub type Limit = PerDimension<Option<u64>>;

impl<T> PerDimension<T> {
    /// The value of each dimension, as the function says.
    #[must_use]
    pub fn from_fn(mut value: impl FnMut(Dimension) -> T) -> Self {
        Self {
            input: value(Dimension::Input),
            output: value(Dimension::Output),
            cost: value(Dimension::Cost),
        }
    }

    /// The same, unless the function fails for one of them.
    ///
    /// # Errors
    /// The first error of the function.
    pub fn try_from_fn<E>(mut value: impl FnMut(Dimension) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            input: value(Dimension::Input)?,
            output: value(Dimension::Output)?,
            cost: value(Dimension::Cost)?,
        })
    }

    /// The value of one dimension. Of a limit, `None` where the dimension is not limited.
    #[must_use]
    pub const fn get(&self, dimension: Dimension) -> T
    where
        T: Copy,
    {
        match dimension {
            Dimension::Input => self.input,
            Dimension::Output => self.output,
            Dimension::Cost => self.cost,
        }
    }
}

impl Amounts {
    /// The sum of two.
    #[must_use]
    pub fn plus(&self, other: &Amounts) -> Amounts {
        Self::from_fn(|dimension| self.get(dimension).saturating_add(other.get(dimension)))
    }
}

impl Limit {
    /// Each dimension that is limited, with its limit.
    pub fn each(self) -> impl Iterator<Item = (Dimension, u64)> {
        Dimension::ALL.into_iter().filter_map(move |dimension| Some((dimension, self.get(dimension)?)))
    }
}

/// A value that is left out of a document where there is none.
pub trait MayBeAbsent {
    /// Whether there is none.
    fn is_absent(&self) -> bool;
}

impl MayBeAbsent for u64 {
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T> MayBeAbsent for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}
