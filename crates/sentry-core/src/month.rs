//! The budget period: one calendar month in UTC.
//!
//! A request belongs to the month in which its execution started, whatever the clock of
//! the function that looks at it says.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Thirteen months after a period began, its ledger items may be deleted.
const RETENTION: Months = Months::new(14);

/// One UTC calendar month, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    first_day: NaiveDate,
}

/// A period or a time that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonthError {
    /// Not an RFC 3339 time.
    #[error("{0:?} is not an RFC 3339 time such as 2026-11-23T12:00:00Z")]
    NotATime(String),
    /// Not `YYYY-MM`.
    #[error("{0:?} is not a month such as 2026-11")]
    NotAMonth(String),
    /// Beyond the years that can be computed with.
    #[error("{0:?} is outside the years 1970 to 9999")]
    OutOfRange(String),
}

/// The month of a point in time as month-range gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MonthRange {
    /// The period, `2026-11`.
    pub period: String,
    /// The first instant of the month.
    pub start: String,
    /// The first instant of the next month, exclusive.
    pub end: String,
    /// The point in time itself, to the millisecond.
    pub now: String,
}

/// Reads an RFC 3339 time of any offset.
///
/// # Errors
/// [`MonthError::NotATime`], or [`MonthError::OutOfRange`] outside 1970 to 9999.
pub fn parse_time(text: &str) -> Result<DateTime<Utc>, MonthError> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| MonthError::NotATime(text.to_owned()))?
        .with_timezone(&Utc);
    if (1970..=9998).contains(&time.year()) { Ok(time) } else { Err(MonthError::OutOfRange(text.to_owned())) }
}

impl Period {
    /// The month that a point in time lies in. Times outside the years that
    /// [`parse_time`] accepts give the nearest month inside.
    #[must_use]
    pub fn of(time: DateTime<Utc>) -> Self {
        let day = time.date_naive();
        Self { first_day: day.with_day(1).unwrap_or(day) }
    }

    /// The first instant.
    #[must_use]
    pub fn start(self) -> DateTime<Utc> {
        self.first_day.and_time(NaiveTime::MIN).and_utc()
    }

    /// The first instant of the next month.
    #[must_use]
    pub fn end(self) -> DateTime<Utc> {
        self.start().checked_add_months(Months::new(1)).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// When DynamoDB may delete the period's items: thirteen months after its end, in epoch seconds.
    #[must_use]
    pub fn expires_at(self) -> i64 {
        self.start().checked_add_months(RETENTION).unwrap_or(DateTime::<Utc>::MAX_UTC).timestamp()
    }

    /// The period as a number, `202611`: the partition key of the ledger's index.
    #[must_use]
    pub fn number(self) -> i64 {
        i64::from(self.first_day.year()) * 100 + i64::from(self.first_day.month())
    }

    /// The month with the instant that it was asked for, as text.
    #[must_use]
    pub fn range(now: DateTime<Utc>) -> MonthRange {
        let period = Self::of(now);
        MonthRange {
            period: period.to_string(),
            start: period.start().to_rfc3339_opts(SecondsFormat::Secs, true),
            end: period.end().to_rfc3339_opts(SecondsFormat::Secs, true),
            now: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        }
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.first_day.year(), self.first_day.month())
    }
}

impl std::str::FromStr for Period {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let not_a_month = || MonthError::NotAMonth(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(not_a_month)?;
        if year.len() != 4 || month.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Err(not_a_month());
        }
        let year: u16 = year.parse().map_err(|_| not_a_month())?;
        let month = month.parse().map_err(|_| not_a_month())?;
        let first_day = NaiveDate::from_ymd_opt(i32::from(year), month, 1).ok_or_else(not_a_month)?;
        Ok(Self { first_day })
    }
}

#[cfg(test)]
mod tests;
