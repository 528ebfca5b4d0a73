//! One item of the limits table, read attribute by attribute.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::attributes::{self, ATTRIBUTES, Needs};
use super::{
    DEFAULT_MIN_MAX_TOKENS, DEFAULT_WARN_AT_PERCENT, Dimension, Limit, MAX_LIMIT, MAX_SHARDS, Mode,
    OnShortage, Unit,
};
use crate::error::{ErrorName, SentryError};
use crate::model::{InvocationMode, ModelId};
use crate::money;
use crate::month::parse_time;
use crate::price::{LongPrice, Price, Prices};

/// A limit item, as it stands in the limits table, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitItem {
    /// The key of the item: a model id, a family, `default`, `tenant/…` or `account`.
    pub item_id: String,
    /// The limit of a month. An item that blocks, names a model or a price, or says how a model
    /// is called may leave it out.
    pub limit: Option<Limit>,
    /// Whether it refuses.
    pub mode: Mode,
    /// An addition to the limit that expires.
    pub boost: Option<Boost>,
    /// The model to use instead when the budget is spent.
    pub fallback_model_id: Option<String>,
    /// `maxTokens` of requests that name none.
    pub default_max_tokens: Option<u64>,
    /// The most that a request may ask for.
    pub max_tokens_cap: Option<u64>,
    /// The least output worth a shortened answer.
    pub min_max_tokens: u64,
    /// What to do when less is left than was asked for.
    pub on_shortage: OnShortage,
    /// Percentages of the limit at which a notice is due, ascending.
    pub warn_at_percent: Vec<u8>,
    /// Items of the ledger that the budget is split into.
    pub shards: u16,
    /// What the model's tokens cost, in place of the price list.
    pub prices: Option<Prices>,
    /// How the model is called, in place of the table of routes.
    pub calling: Option<InvocationMode>,
    /// The model id that this item's key is another name of.
    pub alias_of: Option<String>,
}

/// An addition to a limit until a point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boost {
    /// How much more.
    pub addition: Limit,
    /// From when on it no longer counts.
    pub until: DateTime<Utc>,
}

impl LimitItem {
    /// The key of an item of the limits table, also of one that is malformed.
    #[must_use]
    pub fn id_of(item: &Value) -> String {
        item.get("modelId").and_then(Value::as_str).unwrap_or("(without modelId)").to_owned()
    }

    /// Reads an item of the limits table.
    ///
    /// # Errors
    /// [`ErrorName::LimitNotConfigured`] with `itemId` and `attribute` when the item is malformed.
    pub fn parse(item: &Value) -> Result<Self, SentryError> {
        let item_id = Self::id_of(item);
        let Some(attributes) = item.as_object() else {
            return Err(malformed(&item_id, "", "is not a map of attributes"));
        };
        let of = Attributes { item_id: &item_id, map: attributes };
        if of.text("modelId")?.is_none() {
            return Err(of.wrong("modelId", "is missing; it says what the item governs"));
        }
        let mode = of.choice("mode", MODES)?.unwrap_or_default();
        of.check_names(mode)?;
        let limit = of.limit()?;
        of.text("description")?;
        Ok(Self {
            boost: of.boost(limit)?,
            limit,
            mode,
            fallback_model_id: of.chat_model("fallbackModelId")?,
            default_max_tokens: of.number("defaultMaxTokens", MAX_LIMIT)?,
            max_tokens_cap: of.number("maxTokensCap", MAX_LIMIT)?,
            min_max_tokens: of.number("minMaxTokens", MAX_LIMIT)?.unwrap_or(DEFAULT_MIN_MAX_TOKENS),
            on_shortage: of.choice("onShortage", SHORTAGES)?.unwrap_or_default(),
            warn_at_percent: of.percentages()?,
            shards: of
                .number("shards", u64::from(MAX_SHARDS))?
                .and_then(|shards| u16::try_from(shards).ok())
                .unwrap_or(1),
            prices: of.prices()?,
            calling: of.choice("calling", CALLINGS)?,
            alias_of: of.alias_of()?,
            item_id,
        })
    }

    /// Whether it makes a budget or counts in one: it limits, or it blocks whatever the limit is.
    #[must_use]
    pub fn makes_a_budget(&self) -> bool {
        self.limit.is_some() || self.mode == Mode::Block
    }

    /// The limit at a point in time, a boost included.
    #[must_use]
    pub fn limit_at(&self, time: DateTime<Utc>) -> Option<Limit> {
        let limit = self.limit?;
        let Some(boost) = self.boost.as_ref().filter(|boost| time < boost.until) else { return Some(limit) };
        Some(Limit::from_fn(|dimension| {
            let more = boost.addition.get(dimension).unwrap_or(0);
            limit.get(dimension).map(|limit| limit.saturating_add(more).min(MAX_LIMIT * 1_000))
        }))
    }
}

const MODES: &[(&str, Mode)] =
    &[("enforce", Mode::Enforce), ("observe", Mode::Observe), ("block", Mode::Block)];
const SHORTAGES: &[(&str, OnShortage)] = &[("shrink", OnShortage::Shrink), ("refuse", OnShortage::Refuse)];
const CALLINGS: &[(&str, InvocationMode)] =
    &[("native", InvocationMode::Native), ("converse", InvocationMode::Converse)];

const PRICE: &str = "pricePerMillionTokensUsd";
const PRICE_COLUMNS: [&str; 5] = ["input", "output", "cacheRead", "cacheWrite", "cacheWrite1h"];

const NO_CHAT_MODEL: &str = "must be the id of a chat model, such as amazon.nova-2-lite-v1:0";

fn malformed(item_id: &str, attribute: &str, problem: &str) -> SentryError {
    let what = format!("{attribute} {problem}");
    SentryError::new(
        ErrorName::LimitNotConfigured,
        format!("The limit item {item_id:?} is malformed: {}. Correct the item.", what.trim_start()),
    )
    .with("itemId", item_id)
    .with("attribute", attribute)
}

/// The attributes of one item.
struct Attributes<'a> {
    item_id: &'a str,
    map: &'a Map<String, Value>,
}

impl Attributes<'_> {
    fn wrong(&self, attribute: &str, problem: &str) -> SentryError {
        malformed(self.item_id, attribute, problem)
    }

    fn check_names(&self, mode: Mode) -> Result<(), SentryError> {
        let limited = self.map.contains_key("limit");
        let blocked = mode == Mode::Block;
        let mut has_a_reason = blocked;
        for name in self.map.keys().map(String::as_str) {
            let Some(attribute) = attributes::find(name) else {
                let known: Vec<&str> = ATTRIBUTES.iter().map(|attribute| attribute.name).collect();
                return Err(
                    self.wrong(name, &format!("is not a known attribute; known are {}", known.join(", ")))
                );
            };
            if !attribute.of.includes(self.item_id) {
                return Err(self.wrong(name, attribute.of.belongs_to()));
            }
            match attribute.needs {
                Needs::OtherAttributes => {}
                Needs::Nothing => has_a_reason = true,
                Needs::Limit if !limited => return Err(self.wrong(name, "means nothing without limit")),
                Needs::LimitOrBlock if !limited && !blocked => {
                    return Err(self.wrong(name, "means nothing without limit or the mode block"));
                }
                Needs::Limit | Needs::LimitOrBlock => {}
            }
        }
        if !has_a_reason {
            return Err(
                self.wrong("limit", "is missing; write it as {\"input\": 1000000, \"output\": 3000000}")
            );
        }
        Ok(())
    }

    fn limit(&self) -> Result<Option<Limit>, SentryError> {
        let Some(value) = self.map.get("limit") else { return Ok(None) };
        let limit = self.amounts("limit", value, &[])?;
        if limit == Limit::default() {
            return Err(self.wrong("limit", "limits nothing; name input and output, costUsd, or all three"));
        }
        match (limit.input, limit.output) {
            (Some(_), None) => Err(self.wrong("limit.output", "is missing beside input")),
            (None, Some(_)) => Err(self.wrong("limit.input", "is missing beside output")),
            (Some(_), Some(_)) | (None, None) => Ok(Some(limit)),
        }
    }

    /// A map with a number for some dimensions, and other entries.
    fn amounts(&self, name: &str, value: &Value, others: &[&str]) -> Result<Limit, SentryError> {
        let Value::Object(map) = value else {
            return Err(self.wrong(name, "must be a map with the numbers input and output, or costUsd"));
        };
        let mut known = Dimension::ALL.map(Dimension::as_str).to_vec();
        known.extend(others);
        if let Some(other) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(self.wrong(
                &format!("{name}.{other}"),
                &format!("is not known; known are {}", known.join(", ")),
            ));
        }
        Limit::try_from_fn(|dimension| {
            let (path, value) = (format!("{name}.{}", dimension.as_str()), map.get(dimension.as_str()));
            match dimension.unit() {
                Unit::Tokens => self.whole(&path, value, 0, MAX_LIMIT),
                Unit::Money => self.money(&path, value),
            }
        })
    }

    fn money(&self, path: &str, value: Option<&Value>) -> Result<Option<u64>, SentryError> {
        let Some(value) = value else { return Ok(None) };
        let problem = || {
            format!("must be a number of dollars from 0 to {}, with at most nine decimals", money::MAX_USD)
        };
        money::read_usd(value).map(Some).ok_or_else(|| self.wrong(path, &problem()))
    }

    fn boost(&self, limit: Option<Limit>) -> Result<Option<Boost>, SentryError> {
        let (Some(value), Some(limit)) = (self.map.get("boost"), limit) else { return Ok(None) };
        let addition = self.amounts("boost", value, &["until"])?;
        if let Some((dimension, _)) = addition.each().find(|(dimension, _)| limit.get(*dimension).is_none()) {
            return Err(
                self.wrong(&format!("boost.{}", dimension.as_str()), "adds to what the item does not limit")
            );
        }
        if addition == Limit::default() {
            return Err(self.wrong("boost", "adds nothing; name input, output or costUsd"));
        }
        let until = value.get("until").and_then(Value::as_str).and_then(|text| parse_time(text).ok());
        let until =
            until.ok_or_else(|| self.wrong("boost.until", "must be a time such as 2026-11-30T18:00:00Z"))?;
        Ok(Some(Boost { addition, until }))
    }

    fn prices(&self) -> Result<Option<Prices>, SentryError> {
        let Some(value) = self.map.get(PRICE) else { return Ok(None) };
        let map = self.price_map(PRICE, value, &["flex", "priority", "long"])?;
        Ok(Some(Prices {
            standard: self.price(PRICE, map)?,
            flex: self.price_of_tier("flex", map)?,
            priority: self.price_of_tier("priority", map)?,
            long: self.long_price(map)?,
        }))
    }

    fn price_of_tier(&self, tier: &str, prices: &Map<String, Value>) -> Result<Option<Price>, SentryError> {
        let Some(value) = prices.get(tier) else { return Ok(None) };
        let path = format!("{PRICE}.{tier}");
        self.price(&path, self.price_map(&path, value, &[])?).map(Some)
    }

    fn long_price(&self, prices: &Map<String, Value>) -> Result<Option<LongPrice>, SentryError> {
        let Some(value) = prices.get("long") else { return Ok(None) };
        let path = format!("{PRICE}.long");
        let map = self.price_map(&path, value, &["above"])?;
        let threshold = format!("{path}.above");
        let above = self.whole(&threshold, map.get("above"), 1, MAX_LIMIT)?;
        let above = above.ok_or_else(|| self.wrong(&threshold, "is missing"))?;
        Ok(Some(LongPrice { above, price: self.price(&path, map)? }))
    }

    /// A map that has no other keys than prices of tokens and `others`.
    fn price_map<'v>(
        &self,
        path: &str,
        value: &'v Value,
        others: &[&str],
    ) -> Result<&'v Map<String, Value>, SentryError> {
        let known = [&PRICE_COLUMNS, others].concat();
        let Value::Object(map) = value else {
            let optional = known.get(2..).unwrap_or_default().join(", ");
            return Err(self.wrong(
                path,
                &format!("must be a map with the numbers input and output, and optionally {optional}"),
            ));
        };
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(other) => Err(self.wrong(
                &format!("{path}.{other}"),
                &format!("is not a known price; known are {}", known.join(", ")),
            )),
            None => Ok(map),
        }
    }

    /// What tokens cost in one tier. A read and a write cost what the input does where the item does
    /// not say otherwise, a write for an hour twice that where writes have a price of their own.
    fn price(&self, path: &str, map: &Map<String, Value>) -> Result<Price, SentryError> {
        let rate = |key: &str| {
            map.get(key)
                .map(|number| {
                    money::read_rate(number).ok_or_else(|| {
                        self.wrong(
                            &format!("{path}.{key}"),
                            "must be a number of dollars with at most six decimals",
                        )
                    })
                })
                .transpose()
        };
        let needed = |key: &str| rate(key)?.ok_or_else(|| self.wrong(&format!("{path}.{key}"), "is missing"));
        let input = needed("input")?;
        let cache_write = rate("cacheWrite")?;
        let for_an_hour = cache_write.map_or(input, |write| write.max(input.saturating_mul(2)));
        Ok(Price {
            input,
            output: needed("output")?,
            cache_read: rate("cacheRead")?.unwrap_or(input),
            cache_write: cache_write.unwrap_or(input),
            cache_write_1h: rate("cacheWrite1h")?.unwrap_or(for_an_hour),
        })
    }

    fn number(&self, name: &str, most: u64) -> Result<Option<u64>, SentryError> {
        self.whole(name, self.map.get(name), 1, most)
    }

    fn whole(
        &self,
        name: &str,
        value: Option<&Value>,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, SentryError> {
        match value {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(whole) if (least..=most).contains(&whole) => Ok(Some(whole)),
                _ => Err(self.wrong(name, &format!("must be a whole number from {least} to {most}"))),
            },
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, SentryError> {
        match self.map.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "must be a text that is not empty")),
        }
    }

    fn choice<T: Copy>(&self, name: &str, known: &[(&str, T)]) -> Result<Option<T>, SentryError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        match known.iter().find(|(name, _)| *name == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(self.wrong(name, &format!("must be one of {}", names()))),
        }
    }

    /// The id of a model that can be asked.
    fn chat_model(&self, name: &str) -> Result<Option<String>, SentryError> {
        let Some(id) = self.text(name)? else { return Ok(None) };
        match ModelId::parse(&id) {
            Ok(_) => Ok(Some(id)),
            Err(_) => Err(self.wrong(name, NO_CHAT_MODEL)),
        }
    }

    /// The model that the item's key is another name of. What the key says itself needs no
    /// other name: all ids of a model share its budget as they are.
    fn alias_of(&self) -> Result<Option<String>, SentryError> {
        const NAME: &str = "aliasOf";
        let Some(id) = self.chat_model(NAME)? else { return Ok(None) };
        let family =
            |id: &str| ModelId::parse(id).ok().filter(|model| !model.opaque).map(|model| model.family);
        let Some(target) = family(&id) else { return Err(self.wrong(NAME, NO_CHAT_MODEL)) };
        if family(self.item_id).as_ref() == Some(&target) {
            return Err(self.wrong(
                NAME,
                &format!(
                    "names {target}, of which the item's key is an id already; remove {NAME}, and {target}'s budget counts"
                ),
            ));
        }
        Ok(Some(id))
    }

    fn percentages(&self) -> Result<Vec<u8>, SentryError> {
        let Some(value) = self.map.get("warnAtPercent") else { return Ok(DEFAULT_WARN_AT_PERCENT.to_vec()) };
        let problem =
            || self.wrong("warnAtPercent", "must be a list of at most 10 whole numbers from 1 to 100");
        let list = value.as_array().filter(|list| list.len() <= 10).ok_or_else(problem)?;
        let mut percent = list
            .iter()
            .map(|entry| entry.as_u64().and_then(|n| u8::try_from(n).ok()).filter(|n| (1..=100).contains(n)))
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(problem)?;
        percent.sort_unstable();
        percent.dedup();
        Ok(percent)
    }
}
