//! The services' clock: the machine's, moved by an offset.

use chrono::{DateTime, TimeDelta, Utc};

/// The machine's clock plus a fixed offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    offset: TimeDelta,
}

/// An offset that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock offset {0:?} is neither a duration like +36h, -5m, 90s or 2d, nor a time like 2026-12-31T23:59:55Z"
)]
pub struct ClockError(String);

impl Clock {
    /// A clock that is moved by this much.
    #[must_use]
    pub fn moved_by(offset: TimeDelta) -> Self {
        Self { offset }
    }

    /// Reads a duration (`+36h`, `-5m`), or the time that it is to be at `now`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, ClockError> {
        let wrong = || ClockError(text.to_owned());
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self { offset: time.with_timezone(&Utc) - now });
        }
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let unit = rest.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let digits = &rest[..rest.len() - 1];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let count: i64 = digits.parse().map_err(|_| wrong())?;
        let offset = count.checked_mul(seconds * sign).and_then(TimeDelta::try_seconds).ok_or_else(wrong)?;
        // A century either way is more than enough, and keeps every sum in range.
        if offset.abs() > TimeDelta::days(36_525) {
            return Err(wrong());
        }
        Ok(Self { offset })
    }

    /// What time it is by this clock.
    #[must_use]
    pub fn now(self) -> DateTime<Utc> {
        Utc::now().checked_add_signed(self.offset).unwrap_or_else(Utc::now)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::Clock;

    #[test]
    fn durations_and_times_are_read() {
        let now = Utc::now();
        let offset = |text: &str| Clock::parse(text, now).unwrap().offset;
        assert_eq!(offset("+36h"), TimeDelta::hours(36));
        assert_eq!(offset("-5m"), TimeDelta::minutes(-5));
        assert_eq!(offset("90s"), TimeDelta::seconds(90));
        assert_eq!(offset("2d"), TimeDelta::days(2));
        let clock = Clock::parse("2026-12-31T23:59:55Z", now).unwrap();
        assert_eq!(now + clock.offset, "2026-12-31T23:59:55Z".parse::<chrono::DateTime<Utc>>().unwrap());
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for text in ["", "h", "+h", "1w", "99999999999999999999s", "5000000000d", "é", "1.5h"] {
            let error = Clock::parse(text, Utc::now()).unwrap_err();
            assert!(error.to_string().contains("+36h"), "{error}");
        }
    }
}
