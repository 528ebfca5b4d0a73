//! The attributes of a limit item, in one table: items are checked by it, and a test compares
//! the tables of `docs/budgets.md` with it.

use super::{ACCOUNT_ITEM, DEFAULT_ITEM, TENANT_PREFIX};

/// Whose items may have an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Every item.
    Every,
    /// Those of a model id, a family or `default`.
    Models,
    /// Those of a model id or a family.
    ModelIds,
}

/// What an attribute means something beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// An item may have it alone.
    Nothing,
    /// It is no reason for an item, and may stand in any.
    OtherAttributes,
    /// `limit`.
    Limit,
    /// `limit`, or the mode `block`, which refuses whatever the limit is.
    LimitOrBlock,
}

/// An attribute of a limit item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in the table.
    pub name: &'static str,
    /// Whose items may have it.
    pub of: Owner,
    /// What must stand beside it.
    pub needs: Needs,
    /// What it does, for `docs/budgets.md`.
    pub meaning: &'static str,
    /// What counts without it, for `docs/budgets.md`.
    pub default: &'static str,
}

const fn attribute(
    name: &'static str,
    of: Owner,
    needs: Needs,
    meaning: &'static str,
    default: &'static str,
) -> Attribute {
    Attribute { name, of, needs, meaning, default }
}

/// Every attribute that there is, in the order of the documentation.
pub const ATTRIBUTES: &[Attribute] = &[
    attribute(
        "modelId",
        Owner::Every,
        Needs::OtherAttributes,
        "the key of the item, which says what it governs",
        "",
    ),
    attribute(
        "limit",
        Owner::Every,
        Needs::Nothing,
        "`input` and `output` in tokens (input counts cached input too), `costUsd` in dollars; tokens, money, or both",
        "",
    ),
    attribute(
        "mode",
        Owner::Every,
        Needs::LimitOrBlock,
        "`enforce`; `observe`: counts, refuses nothing, and answers name what it would have refused in `wouldHaveRefused`; `block`: refuses everything, and needs no `limit`",
        "`enforce`",
    ),
    attribute(
        "boost",
        Owner::Every,
        Needs::Limit,
        "more until a point in time: `{ \"output\": 500000, \"until\": \"2026-11-30T18:00:00Z\" }`; it expires then",
        "",
    ),
    attribute(
        "fallbackModelId",
        Owner::Every,
        Needs::LimitOrBlock,
        "the model to use instead when this budget is spent or blocked; see below",
        "",
    ),
    attribute(
        "onShortage",
        Owner::Every,
        Needs::Limit,
        "`shrink`: when less output is left than was asked for, the answer is made shorter; `refuse`: the request is refused",
        "`shrink`",
    ),
    attribute("minMaxTokens", Owner::Every, Needs::Limit, "the least output worth a shortened answer", "64"),
    attribute(
        "warnAtPercent",
        Owner::Every,
        Needs::Limit,
        "at which percentages of the limit an event goes to EventBridge",
        "80, 95, 100",
    ),
    attribute(
        "shards",
        Owner::Every,
        Needs::Limit,
        "how many items of the ledger the budget is split into, 1 to 64; see below",
        "1",
    ),
    attribute("description", Owner::Every, Needs::OtherAttributes, "for people", ""),
    attribute(
        "defaultMaxTokens",
        Owner::Models,
        Needs::Limit,
        "`maxTokens` of a request that names none",
        "1,024",
    ),
    attribute(
        "maxTokensCap",
        Owner::Models,
        Needs::Limit,
        "the most that a request may ask for; more is cut to it",
        "",
    ),
    attribute(
        "pricePerMillionTokensUsd",
        Owner::Models,
        Needs::Nothing,
        "`input`, `output` and, where they differ from input, `cacheRead`, `cacheWrite` and `cacheWrite1h`; the same in `flex`, `priority` and, with the threshold `above`, in `long`; see [Money](#money)",
        "the [price list](../crates/sentry-core/src/price/table.rs)",
    ),
    attribute(
        "aliasOf",
        Owner::ModelIds,
        Needs::Nothing,
        "this item's key is another name (an application inference profile, say) of that model; not for `default`",
        "",
    ),
    attribute(
        "calling",
        Owner::ModelIds,
        Needs::Nothing,
        "`native` or `converse`: forces how the model is called; not for `default`; [models.md](models.md#how-a-model-is-called) says what that means for usage",
        "as the table of models says",
    ),
];

/// The attribute of that name.
pub(super) fn find(name: &str) -> Option<&'static Attribute> {
    ATTRIBUTES.iter().find(|attribute| attribute.name == name)
}

impl Owner {
    /// Whether the item with this key may have the attribute.
    pub(super) fn includes(self, item_id: &str) -> bool {
        let of_model = item_id != ACCOUNT_ITEM && !item_id.starts_with(TENANT_PREFIX);
        match self {
            Owner::Every => true,
            Owner::Models => of_model,
            Owner::ModelIds => of_model && item_id != DEFAULT_ITEM,
        }
    }

    /// The end of a sentence that begins with an attribute which an item may not have.
    pub(super) const fn belongs_to(self) -> &'static str {
        match self {
            Owner::Every => "belongs to every item",
            Owner::Models => "belongs to a model's item, not to a tenant's or the account's",
            Owner::ModelIds => {
                "belongs to the item of one model, not to default's, a tenant's or the account's"
            }
        }
    }
}
