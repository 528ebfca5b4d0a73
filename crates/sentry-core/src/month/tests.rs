use super::*;
use proptest::prelude::*;

fn range(time: &str) -> MonthRange {
    Period::range(parse_time(time).unwrap())
}

#[test]
fn boundaries_are_exact() {
    assert_eq!(range("2026-11-01T00:00:00.000Z").period, "2026-11");
    assert_eq!(range("2026-11-30T23:59:59.999Z").period, "2026-11");
    assert_eq!(range("2026-12-01T00:00:00Z").period, "2026-12");
    let november = range("2026-11-23T12:34:56.789Z");
    assert_eq!(november.start, "2026-11-01T00:00:00Z");
    assert_eq!(november.end, "2026-12-01T00:00:00Z");
    assert_eq!(november.now, "2026-11-23T12:34:56.789Z");
    assert_eq!(range("2026-12-31T23:59:59Z").end, "2027-01-01T00:00:00Z");
}

#[test]
fn leap_years_have_a_29th() {
    assert_eq!(range("2028-02-29T12:00:00Z").end, "2028-03-01T00:00:00Z");
    assert_eq!(range("2027-02-28T23:59:59Z").end, "2027-03-01T00:00:00Z");
    assert_eq!(range("2100-02-28T23:59:59Z").end, "2100-03-01T00:00:00Z");
    assert!(parse_time("2027-02-29T00:00:00Z").is_err());
}

#[test]
fn the_month_is_utc_whatever_the_offset() {
    assert_eq!(range("2026-12-01T00:30:00+02:00").period, "2026-11");
    assert_eq!(range("2026-11-30T23:30:00-05:00").period, "2026-12");
}

#[test]
fn items_live_thirteen_months_after_their_period() {
    let period: Period = "2026-11".parse().unwrap();
    assert_eq!(period.expires_at(), parse_time("2028-01-01T00:00:00Z").unwrap().timestamp());
}

#[test]
fn nonsense_is_named() {
    for text in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-23", "2026-11-23 25:00:00Z", "1770000000"]
    {
        assert!(matches!(parse_time(text), Err(MonthError::NotATime(_))), "{text}");
    }
    assert!(matches!(parse_time("1950-01-01T00:00:00Z"), Err(MonthError::OutOfRange(_))));
    for text in ["2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "-026-11", "+026-11"] {
        assert!(text.parse::<Period>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn every_instant_lies_in_exactly_its_month(seconds in 0i64..253_000_000_000) {
        let time = DateTime::from_timestamp(seconds, 0).unwrap();
        let period = Period::of(time);
        prop_assert!(period.start() <= time && time < period.end());
        prop_assert_eq!(Period::of(period.end()).start(), period.end());
        prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        let days = (period.end() - period.start()).num_days();
        prop_assert!((28..=31).contains(&days));
    }
}

#[test]
fn a_period_is_a_number_too() {
    assert_eq!("2026-01".parse::<Period>().unwrap().number(), 202_601);
    assert_eq!("2026-11".parse::<Period>().unwrap().number(), 202_611);
}
