//! What each limit item governs, so that a wrong key is found before it costs.
//!
//! An item under a key that no request asks for is never read: it limits no request, and
//! nothing fails for it. Where it cannot be known whether a key is wrong (a vendor that this
//! version does not know, say), it is taken to be right, and only an item that resembles a
//! known key is reported.

use std::collections::BTreeMap;

use serde_json::Value;

use super::item::LimitItem;
use super::resolve::model_keys;
use super::{ACCOUNT_ITEM, DEFAULT_ITEM, Mode, TENANT_PREFIX};
use crate::error::SentryError;
use crate::model::{GEOS, ModelError, ModelId, Vendor};
use crate::price::Listed;

/// The longest id of a tenant, in bytes.
const MAX_TENANT_BYTES: usize = 64;
const KEYS: &str = "A key is default, account, tenant/<id>, tenant/<id>/<model id> or a model id.";

/// What an item governs, in sentences for the author of the item.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// What its key says.
    Governs(String),
    /// Requests for one id of a model, although its other ids have no such item: perhaps all of
    /// them were meant.
    GovernsThatIdAlone(String),
    /// Nothing: why, and which key was probably meant.
    GovernsNothing(String),
    /// It cannot be read, so every request that it would govern is refused.
    Malformed(SentryError),
}

impl Finding {
    /// Whether somebody should look at the item.
    #[must_use]
    pub const fn is_a_problem(&self) -> bool {
        !matches!(self, Finding::Governs(_))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Finding::Governs(text) | Finding::GovernsThatIdAlone(text) | Finding::GovernsNothing(text) => {
                f.write_str(text)
            }
            Finding::Malformed(error) => f.write_str(&error.message),
        }
    }
}

/// What each item of the limits table governs, by its key, in the order of the items.
#[must_use]
pub fn check_items(items: &[Value]) -> Vec<(String, Finding)> {
    let parsed: Vec<_> = items.iter().map(|item| (LimitItem::id_of(item), LimitItem::parse(item))).collect();
    let all =
        Items(parsed.iter().filter_map(|(id, item)| Some((id.as_str(), item.as_ref().ok()?))).collect());
    parsed
        .iter()
        .map(|(id, item)| {
            let finding = match item {
                Ok(item) => all.governed_by(item).unwrap_or_else(Finding::GovernsNothing),
                Err(error) => Finding::Malformed(error.clone()),
            };
            (id.clone(), finding)
        })
        .collect()
}

/// The items that can be understood, by key.
struct Items<'a>(BTreeMap<&'a str, &'a LimitItem>);

impl Items<'_> {
    /// What an item governs, or a sentence that says why it governs nothing.
    fn governed_by(&self, item: &LimitItem) -> Result<Finding, String> {
        let key = item.item_id.as_str();
        match key {
            DEFAULT_ITEM => return governs("Every model that has no limit of its own."),
            ACCOUNT_ITEM => return governs("Everything that is asked for."),
            _ => {}
        }
        let Some(rest) = key.strip_prefix(TENANT_PREFIX) else { return self.of_model(item, "", key) };
        let (tenant, model) = rest.split_once('/').map_or((rest, None), |(id, model)| (id, Some(model)));
        if !is_tenant(tenant) {
            return Err(with_suggestion(
                format!(
                    "{tenant:?} is no id of a tenant: it has 1 to {MAX_TENANT_BYTES} letters, digits, dots, underscores and hyphens."
                ),
                key,
            ));
        }
        match model {
            None => governs(&format!("Everything that the tenant {tenant} asks for.")),
            Some("" | DEFAULT_ITEM | ACCOUNT_ITEM) => Err(format!(
                "After the tenant a model id is missing. Did you mean {:?}, which limits all of the tenant's models together?",
                format!("{TENANT_PREFIX}{tenant}")
            )),
            Some(model) => self.of_model(item, &format!("{TENANT_PREFIX}{tenant}/"), model),
        }
    }

    /// The same of an item for a model, of a tenant where a prefix stands before the model's id.
    fn of_model(&self, item: &LimitItem, prefix: &str, id: &str) -> Result<Finding, String> {
        if id.contains('*') {
            return Err(format!(
                "There are no wildcards. Put an item under each model, or one under {DEFAULT_ITEM:?} for all that have none."
            ));
        }
        let model = ModelId::parse(id)
            .map_err(|ModelError::Unsupported { message, .. }| with_suggestion(message, &item.item_id))?;
        let target = self.target(&model);
        if target.is_none() {
            if model.opaque {
                return Err(format!(
                    "Nothing says which model {id:?} stands for, so requests for it are refused. Name the model in aliasOf of the item with modelId {id:?}."
                ));
            }
            if let Some(reason) = resembles_another(&model, prefix) {
                return Err(reason);
            }
        }
        let family = &target.as_ref().unwrap_or(&model).family;
        if id == family {
            return governs(&format!("Requests for {family}, under any of its ids."));
        }
        if !item.makes_a_budget() {
            return governs(&format!("Requests for {id}, which count as {family}."));
        }
        let family_key = format!("{prefix}{family}");
        let limits = |key: &str| self.0.get(key).filter(|item| item.makes_a_budget());
        let of_family = limits(&family_key);
        let beside = of_family.or_else(|| limits(DEFAULT_ITEM).filter(|_| prefix.is_empty()));
        let says_more = item.alias_of.is_some() || item.prices.is_some() || item.calling.is_some();
        if let (Mode::Observe, Some(other), false) = (item.mode, beside, says_more)
            && other.mode != Mode::Observe
        {
            return Err(format!(
                "It observes, and the item {:?}, which counts beside it, refuses: its limit is not looked at.",
                other.item_id
            ));
        }
        if of_family.is_some() {
            return governs(&format!(
                "Requests for {id}, beside {family_key:?}: the stricter of the two counts."
            ));
        }
        let others = match beside {
            Some(other) => format!("have the limit of {:?}", other.item_id),
            None => "have no such limit".to_owned(),
        };
        Ok(Finding::GovernsThatIdAlone(format!(
            "Requests for {id} alone: other ids of the model {others}. Put the limit under {family_key:?} to limit the model."
        )))
    }

    /// The model that an id is another name of.
    fn target(&self, model: &ModelId) -> Option<ModelId> {
        model_keys(model)
            .iter()
            .find_map(|key| ModelId::parse(self.0.get(key.as_str())?.alias_of.as_deref()?).ok())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what the callers return")]
fn governs(what: &str) -> Result<Finding, String> {
    Ok(Finding::Governs(what.to_owned()))
}

fn is_tenant(id: &str) -> bool {
    (1..=MAX_TENANT_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Why an id that has the form of a model id is probably that of no model.
fn resembles_another(model: &ModelId, prefix: &str) -> Option<String> {
    let meant = |id: &str| format!("Did you mean {:?}?", format!("{prefix}{id}"));
    let (first, rest) = model.family.split_once('.')?;
    if model.vendor != Some(Vendor::Other) {
        if Listed::of(&model.family).is_some() {
            return None;
        }
        let versions = ["-v1:0", "-1:0", ":0"].map(|version| format!("{}{version}", model.family));
        let listed = versions.iter().find(|family| Listed::of(family).is_some())?;
        return Some(format!("The version at the end of the id is missing. {}", meant(listed)));
    }
    if rest.contains('.') && Vendor::of_family(rest) != Vendor::Other {
        return Some(format!(
            "{first:?} is no geographic prefix that is known: those are {}. {} If Bedrock has the id, name the model in aliasOf.",
            GEOS.join(", "),
            meant(rest)
        ));
    }
    let vendor = Vendor::ALL.iter().map(|vendor| vendor.as_str()).find(|vendor| {
        // In a short name one letter makes another vendor: xai, zai.
        vendor.len() >= 5 && strsim::osa_distance(first, vendor) == 1
    })?;
    Some(format!("No vendor {first:?} is known. {}", meant(&format!("{vendor}.{rest}"))))
}

fn with_suggestion(problem: String, key: &str) -> String {
    match suggestion(key) {
        Some(meant) => format!("{problem} Did you mean {meant:?}?"),
        None => format!("{problem} {KEYS}"),
    }
}

/// The key that was probably meant by one that governs nothing.
fn suggestion(key: &str) -> Option<String> {
    let trimmed = key.trim().trim_matches('/');
    let lower = trimmed.to_lowercase();
    if let Some(word) = [DEFAULT_ITEM, ACCOUNT_ITEM].into_iter().find(|word| is_near(&lower, word)) {
        return Some(word.to_owned());
    }
    match trimmed.split_once(['/', ':', ' ']) {
        Some((head, rest)) if is_near(&head.to_lowercase(), "tenant") => {
            // The id of a tenant may have capitals, so it stays as it is.
            let rest = rest.trim_matches(['/', ' ']);
            let (id, model) = rest.split_once('/').map_or((rest, None), |(id, model)| (id, Some(model)));
            let meant = is_tenant(id).then(|| [TENANT_PREFIX, id].concat())?;
            match model {
                None => Some(meant),
                Some(model) => Some(format!("{meant}/{}", model_id(model)?)),
            }
        }
        _ => model_id(trimmed),
    }
}

/// An id that says its model, of one that may differ in its case.
fn model_id(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    ModelId::parse(&lower).ok().filter(|model| !model.opaque).map(|model| model.id)
}

fn is_near(text: &str, word: &str) -> bool {
    strsim::osa_distance(text, word) <= 2
}
