use super::*;
use crate::model::ModelId;
use crate::money::{Rates, TokenUsage};
use proptest::prelude::*;
use serde_json::json;

const STANDARD: Price =
    Price { input: 300, output: 1_500, cache_read: 30, cache_write: 375, cache_write_1h: 600 };
const FLEX: Price = Price { input: 150, output: 750, cache_read: 15, cache_write: 190, cache_write_1h: 300 };
const PRIORITY: Price =
    Price { input: 525, output: 2_625, cache_read: 55, cache_write: 660, cache_write_1h: 1_050 };
/// Dearer than the standard price in every column but that of cache reads.
const LONG: Price =
    Price { input: 600, output: 2_250, cache_read: 20, cache_write: 750, cache_write_1h: 1_200 };
const ABOVE: u64 = 200_000;

fn prices() -> Prices {
    Prices {
        standard: STANDARD,
        flex: Some(FLEX),
        priority: Some(PRIORITY),
        long: Some(LongPrice { above: ABOVE, price: LONG }),
    }
}

fn rates(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Option<Rates> {
    Some(Rates { input, output, cache_read, cache_write })
}

#[test]
fn a_request_is_reserved_at_the_dearest_price_that_it_can_reach() {
    use CacheTtl::{FiveMinutes, OneHour};
    use ServiceTier::{Default, Flex, Priority};
    for (tier, cache, bound, expected) in [
        // Without a cache point a write costs no more than the input, and reads keep their price.
        (Default, None, 1, rates(300, 1_500, 30, 300)),
        (Default, Some(FiveMinutes), 1, rates(300, 1_500, 30, 375)),
        (Default, Some(OneHour), 1, rates(300, 1_500, 30, 600)),
        (Priority, None, 1, rates(525, 2_625, 55, 525)),
        (Priority, Some(FiveMinutes), 1, rates(525, 2_625, 55, 660)),
        (Priority, Some(OneHour), 1, rates(525, 2_625, 55, 1_050)),
        // Flex may be served as standard.
        (Flex, None, 1, rates(300, 1_500, 30, 300)),
        (Default, None, ABOVE, rates(300, 1_500, 30, 300)),
        // The dearer of both, column by column: the bound may be long and the true input not.
        (Default, None, ABOVE + 1, rates(600, 2_250, 30, 600)),
        (Default, Some(FiveMinutes), ABOVE + 1, rates(600, 2_250, 30, 750)),
        (Default, Some(OneHour), ABOVE + 1, rates(600, 2_250, 30, 1_200)),
        (Priority, None, ABOVE + 1, rates(600, 2_625, 55, 600)),
    ] {
        assert_eq!(prices().reserved(tier, cache, bound), expected, "{tier:?} {cache:?} {bound}");
    }
    // An item may price writes for an hour below those for five minutes; a request may have both.
    let odd = Prices::standard(Price { cache_write_1h: 1, ..STANDARD });
    assert_eq!(odd.reserved(Default, Some(OneHour), 1), rates(300, 1_500, 30, 375));
    assert_eq!(Prices::standard(STANDARD).reserved(Flex, None, 1), None);
    assert_eq!(Prices::standard(STANDARD).reserved(Priority, None, 1), None);
}

fn usage(input: u64, output: u64, read: u64, write: u64) -> TokenUsage {
    TokenUsage {
        input_tokens: input,
        output_tokens: output,
        cache_read_input_tokens: read,
        cache_write_input_tokens: write,
    }
}

#[test]
fn a_call_costs_what_its_tier_its_writes_and_its_length_say() {
    use ServiceTier::{Default, Flex, Priority};
    for (tier, usage, one_hour, expected) in [
        (Default, usage(1_000, 0, 0, 0), 0, 300),
        (Default, usage(0, 1_000, 0, 0), 0, 1_500),
        (Default, usage(0, 0, 1_000, 0), 0, 30),
        (Default, usage(0, 0, 0, 1_000), 0, 375),
        (Default, usage(0, 0, 0, 1_000), 1_000, 600),
        (Default, usage(0, 0, 0, 1_000), 400, 465),
        // No more writes for an hour than writes.
        (Default, usage(0, 0, 0, 1_000), 5_000, 600),
        (Flex, usage(1_000, 1_000, 0, 0), 0, 900),
        (Priority, usage(1_000, 1_000, 0, 0), 0, 3_150),
        (Default, usage(200_000, 0, 0, 0), 0, 60_000),
        // One token more, and the whole request has the price of long inputs, cached input included.
        (Default, usage(200_001, 0, 0, 0), 0, 120_001),
        (Default, usage(1, 1_000, 200_000, 0), 0, 6_251),
        (Default, usage(1, 0, 0, 200_000), 0, 150_001),
        (Default, usage(1, 0, 0, 200_000), 200_000, 240_001),
    ] {
        assert_eq!(prices().cost(tier, &usage, one_hour), expected, "{tier:?} {usage:?} {one_hour}");
    }
    assert_eq!(Prices::standard(STANDARD).cost(Priority, &usage(1_000, 0, 0, 0), 0), 300);
}

#[test]
fn a_call_is_settled_in_the_tier_that_served_it() {
    use ServiceTier::{Default, Flex, Priority};
    for (asked, served, expected) in [
        (Default, None, 300),
        (Flex, None, 150),
        (Priority, None, 525),
        (Flex, Some("default"), 300),
        (Priority, Some("default"), 300),
        (Default, Some("priority"), 525),
        // A contract's price is not in the list.
        (Priority, Some("reserved"), 525),
    ] {
        let cost = prices().settled(asked, served, &usage(1_000, 0, 0, 0), 0);
        assert_eq!(cost, expected, "{asked:?} {served:?}");
    }
    let without_flex = Prices { flex: None, ..prices() };
    assert_eq!(without_flex.settled(Priority, Some("flex"), &usage(1_000, 0, 0, 0), 0), 525);
    assert_eq!(prices().settled(Flex, None, &usage(0, 0, 0, 1_000), 1_000), 300);
}

fn any_price() -> impl Strategy<Value = Price> {
    prop::array::uniform5(0..100_000_000u64).prop_map(price)
}

prop_compose! {
    fn any_prices()(
        standard in any_price(), flex in prop::option::of(any_price()), priority in prop::option::of(any_price()),
        long in prop::option::of((0..5_000u64, any_price())),
    ) -> Prices {
        Prices { standard, flex, priority, long: long.map(|(above, price)| LongPrice { above, price }) }
    }
}

proptest! {
    #[test]
    fn no_call_within_its_bounds_costs_more_than_was_reserved(
        prices in any_prices(), output_bound in 0..5_000u64, input_bound in 0..10_000u64,
        parts in prop::array::uniform5(0..=100u64), cache in prop::sample::select(
            vec![None, Some(CacheTtl::FiveMinutes), Some(CacheTtl::OneHour)]),
        asked in prop::sample::select(vec![ServiceTier::Default, ServiceTier::Flex, ServiceTier::Priority]),
        served_as_asked in any::<bool>(),
    ) {
        let Some(rates) = prices.reserved(asked, cache, input_bound) else { return Ok(()) };
        let mut left = input_bound;
        let mut part = |percent: u64| {
            let taken = left * percent / 100;
            left -= taken;
            taken
        };
        let (read, plain) = (part(parts[0]), part(parts[1]));
        // Only what a cache point asks for is written.
        let write = if cache.is_some() { part(parts[2]) } else { 0 };
        let one_hour = if cache == Some(CacheTtl::OneHour) { write * parts[3] / 100 } else { 0 };
        let used = usage(plain, output_bound * parts[4] / 100, read, write);
        let served = (!served_as_asked).then_some("default");
        prop_assert!(prices.settled(asked, served, &used, one_hour) <= rates.bound(input_bound, output_bound));
    }
}

#[test]
fn tiers_and_lifetimes_have_the_names_of_bedrock() {
    for tier in [ServiceTier::Default, ServiceTier::Flex, ServiceTier::Priority] {
        assert_eq!(json!(tier), tier.as_str());
        assert_eq!(ServiceTier::from_name(tier.as_str()), Some(tier));
    }
    assert_eq!(ServiceTier::from_name("reserved"), None);
    assert_eq!(json!([CacheTtl::FiveMinutes, CacheTtl::OneHour]), json!(["5m", "1h"]));
    assert_eq!(json!(STANDARD)["cacheWrite1h"], 600);
    assert_eq!(serde_json::from_value::<Prices>(json!(prices())).unwrap(), prices());
}

#[test]
fn every_row_is_a_family_with_a_price_in_proportion() {
    assert!(PRICES.len() > 100);
    assert!(PRICES.is_sorted_by(|row, next| row.family < next.family), "sorted by family, each once");
    for row in PRICES {
        assert_eq!(ModelId::parse(row.family).unwrap().family, row.family);
        let Prices { standard, flex, priority, long } = row.prices;
        let tiers = [Some(standard), flex, priority, long.map(|long| long.price)];
        for price in tiers.into_iter().flatten() {
            assert!(price.input > 0 && price.output >= price.input / 10, "{}", row.family);
            assert!(price.cache_read <= price.input && price.cache_write >= price.input, "{}", row.family);
            assert!(price.cache_write_1h >= price.cache_write, "{}", row.family);
        }
        assert!(flex.is_none_or(|flex| flex.input < standard.input), "{}", row.family);
        assert!(priority.is_none_or(|priority| priority.input > standard.input), "{}", row.family);
        assert!(long.is_none_or(|long| long.price.input > standard.input), "{}", row.family);
    }
}

#[test]
fn the_list_has_the_prices_that_models_are_known_for() {
    let of = |family: &str| Listed::of(family).unwrap().prices;
    let sonnet = of("anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert_eq!(sonnet.standard, price([3_300_000, 16_500_000, 330_000, 4_125_000, 6_600_000]));
    let long = sonnet.long.unwrap();
    assert_eq!(
        (long.above, long.price),
        (200_000, price([6_600_000, 24_750_000, 660_000, 8_250_000, 13_200_000]))
    );
    assert_eq!(of("openai.gpt-5.4").long.unwrap().above, 272_000);
    let haiku = of("anthropic.claude-haiku-5-5");
    assert_eq!((haiku.long.unwrap().above, haiku.long.unwrap().price.input), (100_000, 550_000));
    let nova = of("amazon.nova-pro-v1:0");
    assert_eq!((nova.flex.unwrap().input, nova.priority.unwrap().cache_read), (400_000, 350_000));
    // Claude has no other tier, and the later models one price for any length.
    let later = of("anthropic.claude-sonnet-4-6");
    assert_eq!((later.flex, later.priority, later.long), (None, None, None));
}

#[test]
fn the_list_says_how_old_it_is() {
    assert_eq!(age_days(AS_OF), Some(0));
    assert!(age_days("2027-11-24").unwrap() >= 300);
    let year = |date: &str| format!("{}-{}", date[..4].parse::<u16>().unwrap() + 1, &date[5..]);
    assert!((365..=366).contains(&age_days(&year(AS_OF)).unwrap()));
    assert_eq!((age_days("1999-12-31"), age_days("tomorrow"), age_days("")), (Some(0), None, None));
    assert!(SOURCE.contains("http"));
}
