//! Limit items: what an administrator writes, and which of them apply to a request.
//!
//! Fails closed. An item that cannot be understood admits nobody, and the error names the
//! item and the attribute, since whoever edited it by hand has to find the mistake.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{ErrorName, SentryError};
use crate::model::ModelId;

/// The id of the item that applies where no other does.
pub const DEFAULT_ITEM: &str = "default";
/// `maxTokens` of a request that names none, where the limit item names none either.
pub const DEFAULT_MAX_TOKENS: u64 = 1_024;
/// The least output worth a shortened answer, unless the limit item says otherwise.
pub const DEFAULT_MIN_MAX_TOKENS: u64 = 64;
/// Percentages of a limit at which a notice is due, unless the limit item says otherwise.
pub const DEFAULT_WARN_AT_PERCENT: &[u8] = &[80, 95, 100];
/// The largest limit: ten to the fifteenth tokens leaves room for sums in 64 bits.
pub const MAX_LIMIT: u64 = 1_000_000_000_000_000;

/// Tokens by direction. A budget's `input` counts cached input too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
}

impl Amounts {
    /// The amount of one dimension.
    #[must_use]
    pub const fn get(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::Input => self.input,
            Dimension::Output => self.output,
        }
    }
}

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dimension {
    /// Input tokens, cached ones included.
    Input,
    /// Output tokens.
    Output,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Dimension; 2] = [Dimension::Input, Dimension::Output];

    /// The name in answers and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Dimension::Input => "input",
            Dimension::Output => "output",
        }
    }
}

/// What to do with a request that asks for more output than is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnShortage {
    /// Reserve what is left and have the model write no more than that.
    #[default]
    Shrink,
    /// Refuse it.
    Refuse,
}

/// A limit item, as it stands in the limits table, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitItem {
    /// The key of the item: a model id, a family, or `default`.
    pub item_id: String,
    /// The limit of a month. Only an item that is another name of a model may leave it out.
    pub limit: Option<Amounts>,
    /// `maxTokens` of requests that name none.
    pub default_max_tokens: u64,
    /// The most that a request may ask for.
    pub max_tokens_cap: Option<u64>,
    /// The least output worth a shortened answer.
    pub min_max_tokens: u64,
    /// What to do when less is left than was asked for.
    pub on_shortage: OnShortage,
    /// Percentages of the limit at which a notice is due, ascending.
    pub warn_at_percent: Vec<u8>,
    /// The model id that this item's key is another name of.
    pub alias_of: Option<String>,
}

/// A budget that must admit a request: its key in the ledger and its limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// The budget's key, without the period.
    pub key: String,
    /// The limit item that the numbers come from.
    pub item_id: String,
    /// The limit of a month.
    pub limit: Amounts,
    /// The least output worth a shortened answer.
    pub min_max_tokens: u64,
    /// What to do when less is left than was asked for.
    pub on_shortage: OnShortage,
    /// Percentages of the limit at which a notice is due, ascending.
    pub warn_at_percent: Vec<u8>,
}

/// The answer of limit-lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Every budget that must admit the request, narrowest first.
    pub budgets: Vec<Budget>,
    /// `maxTokens` of a request that names none.
    pub default_max_tokens: u64,
    /// The most that a request may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_cap: Option<u64>,
}

impl LimitItem {
    /// Reads an item of the limits table.
    ///
    /// # Errors
    /// [`ErrorName::LimitNotConfigured`] with `itemId` and `attribute` when the item is malformed.
    pub fn parse(item: &Value) -> Result<Self, SentryError> {
        let item_id = item.get("modelId").and_then(Value::as_str).unwrap_or("(without modelId)").to_owned();
        let wrong = |attribute: &str, problem: &str| malformed(&item_id, attribute, problem);
        let Some(attributes) = item.as_object() else {
            return Err(wrong("", "is not a map of attributes"));
        };
        for name in attributes.keys() {
            if !KNOWN.contains(&name.as_str()) {
                return Err(wrong(
                    name,
                    &format!("is not a known attribute; known are {}", KNOWN.join(", ")),
                ));
            }
        }
        let limit = match attributes.get("limit") {
            None if attributes.contains_key("aliasOf") => None,
            None => {
                return Err(wrong(
                    "limit",
                    "is missing; write it as {\"input\": 1000000, \"output\": 3000000}",
                ));
            }
            Some(Value::Object(limit)) => {
                if let Some(other) = limit.keys().find(|key| *key != "input" && *key != "output") {
                    return Err(wrong(
                        &format!("limit.{other}"),
                        "is not a known limit; known are input and output",
                    ));
                }
                Some(Amounts {
                    input: whole_number(&item_id, "limit.input", limit.get("input"), 0)?
                        .ok_or_else(|| wrong("limit.input", "is missing"))?,
                    output: whole_number(&item_id, "limit.output", limit.get("output"), 0)?
                        .ok_or_else(|| wrong("limit.output", "is missing"))?,
                })
            }
            Some(_) => return Err(wrong("limit", "must be a map with the numbers input and output")),
        };
        let number = |name: &str| whole_number(&item_id, name, attributes.get(name), 1);
        let text = |name: &str| match attributes.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(wrong(name, "must be a text that is not empty")),
        };
        let on_shortage = match text("onShortage")?.as_deref() {
            None | Some("shrink") => OnShortage::Shrink,
            Some("refuse") => OnShortage::Refuse,
            Some(_) => return Err(wrong("onShortage", "must be shrink or refuse")),
        };
        text("description")?;
        Ok(Self {
            limit,
            default_max_tokens: number("defaultMaxTokens")?.unwrap_or(DEFAULT_MAX_TOKENS),
            max_tokens_cap: number("maxTokensCap")?,
            min_max_tokens: number("minMaxTokens")?.unwrap_or(DEFAULT_MIN_MAX_TOKENS),
            on_shortage,
            warn_at_percent: percentages(&item_id, attributes.get("warnAtPercent"))?,
            alias_of: text("aliasOf")?,
            item_id,
        })
    }
}

const KNOWN: &[&str] = &[
    "modelId",
    "limit",
    "defaultMaxTokens",
    "maxTokensCap",
    "minMaxTokens",
    "onShortage",
    "warnAtPercent",
    "aliasOf",
    "description",
];

fn malformed(item_id: &str, attribute: &str, problem: &str) -> SentryError {
    SentryError::new(
        ErrorName::LimitNotConfigured,
        format!("The limit item {item_id:?} is malformed: {attribute} {problem}. Correct the item in the limits table."),
    )
    .with("itemId", item_id)
    .with("attribute", attribute)
}

fn whole_number(
    item_id: &str,
    name: &str,
    value: Option<&Value>,
    least: u64,
) -> Result<Option<u64>, SentryError> {
    let problem = || malformed(item_id, name, &format!("must be a whole number from {least} to {MAX_LIMIT}"));
    match value {
        None => Ok(None),
        Some(Value::Number(number)) => match number.as_u64() {
            Some(whole) if (least..=MAX_LIMIT).contains(&whole) => Ok(Some(whole)),
            _ => Err(problem()),
        },
        Some(_) => Err(problem()),
    }
}

fn percentages(item_id: &str, value: Option<&Value>) -> Result<Vec<u8>, SentryError> {
    let Some(value) = value else { return Ok(DEFAULT_WARN_AT_PERCENT.to_vec()) };
    let problem =
        || malformed(item_id, "warnAtPercent", "must be a list of at most 10 whole numbers from 1 to 100");
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

/// The keys of the items that can apply to a model, the most specific first.
#[must_use]
pub fn candidate_items(model: &ModelId) -> Vec<String> {
    let mut keys = vec![model.id.clone()];
    for key in [model.family.as_str(), DEFAULT_ITEM] {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

/// The model that an id is another name of, where its limit item says so.
///
/// # Errors
/// [`ErrorName::LimitNotConfigured`] when the item is malformed or names what is no model.
pub fn alias(model: &ModelId, items: &BTreeMap<String, Value>) -> Result<Option<ModelId>, SentryError> {
    let own = [&model.id, &model.family].into_iter().find_map(|key| items.get(key));
    let Some(item) = own.map(LimitItem::parse).transpose()? else { return Ok(None) };
    let Some(alias_of) = item.alias_of else { return Ok(None) };
    match ModelId::parse(&alias_of) {
        Ok(target) if !target.opaque => Ok(Some(target)),
        _ => Err(malformed(
            &item.item_id,
            "aliasOf",
            "must be the id of a chat model, such as amazon.nova-2-lite-v1:0",
        )),
    }
}

/// Picks the item that applies and makes the family's budget of it.
///
/// A family shares one budget, whichever item its limit comes from: a prefix is no way around
/// it. `target` is the model that [`alias`] gave.
///
/// # Errors
/// [`ErrorName::LimitNotConfigured`] when no item applies or the one that applies is malformed,
/// [`ErrorName::UnsupportedModel`] when nothing says which model an opaque id stands for.
pub fn resolve(
    model: &ModelId,
    target: Option<&ModelId>,
    items: &BTreeMap<String, Value>,
) -> Result<Limits, SentryError> {
    if model.opaque && target.is_none() {
        return Err(SentryError::new(
            ErrorName::UnsupportedModel,
            format!(
                "Nothing says which model {:?} stands for. Put an item with this modelId and with aliasOf, the id of the model, into the limits table.",
                model.id
            ),
        )
        .with("modelId", model.id.as_str()));
    }
    let family = &target.unwrap_or(model).family;
    for key in candidate_items(model).into_iter().chain(target.map(candidate_items).unwrap_or_default()) {
        // The target's items come before the default one.
        if key == DEFAULT_ITEM {
            continue;
        }
        if let Some(limits) = items.get(&key).map(|item| limits(family, item)).transpose()?.flatten() {
            return Ok(limits);
        }
    }
    if let Some(limits) = items.get(DEFAULT_ITEM).map(|item| limits(family, item)).transpose()?.flatten() {
        return Ok(limits);
    }
    Err(SentryError::new(
        ErrorName::LimitNotConfigured,
        format!(
            "No limit applies to {:?}. Put an item with modelId {family:?} or {DEFAULT_ITEM:?} into the limits table.",
            model.id
        ),
    )
    .with("modelId", model.id.as_str()))
}

fn limits(family: &str, item: &Value) -> Result<Option<Limits>, SentryError> {
    let item = LimitItem::parse(item)?;
    Ok(item.limit.map(|limit| Limits {
        default_max_tokens: item.default_max_tokens,
        max_tokens_cap: item.max_tokens_cap,
        budgets: vec![Budget {
            key: family.to_owned(),
            item_id: item.item_id,
            limit,
            min_max_tokens: item.min_max_tokens,
            on_shortage: item.on_shortage,
            warn_at_percent: item.warn_at_percent,
        }],
    }))
}

#[cfg(test)]
mod tests;
