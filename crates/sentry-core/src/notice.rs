//! The notices that the sentry sends to EventBridge.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>

use serde_json::{Value, json};

use crate::ledger::shown;
use crate::limit::{Budget, Dimension};
use crate::month::Period;

/// The source of every notice.
pub const SOURCE: &str = "bedrock.cost-sentry";

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeType {
    /// The use of a budget has reached one of the limit's percentages.
    BudgetThresholdCrossed,
    /// A model used more than the upper bound that was reserved for the request.
    BoundExceeded,
    /// A limit item is malformed or governs nothing.
    LimitItemIgnored,
}

impl NoticeType {
    /// Every type there is.
    pub const ALL: [Self; 3] = [Self::BudgetThresholdCrossed, Self::BoundExceeded, Self::LimitItemIgnored];

    /// The `detail-type` that rules match on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BudgetThresholdCrossed => "Budget Threshold Crossed",
            Self::BoundExceeded => "Bound Exceeded",
            Self::LimitItemIgnored => "Limit Item Ignored",
        }
    }
}

/// A notice.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The `detail-type`, see [`NoticeType::as_str`].
    pub detail_type: &'static str,
    /// What there is to say.
    pub detail: Value,
}

impl Notice {
    /// A notice of a type.
    #[must_use]
    pub const fn new(of: NoticeType, detail: Value) -> Self {
        Self { detail_type: of.as_str(), detail }
    }

    /// A budget's use has reached a percentage of its limit.
    #[must_use]
    pub fn threshold_crossed(
        budget: &Budget,
        period: Period,
        dimension: Dimension,
        percent: u8,
        used: i64,
    ) -> Self {
        let detail = json!({
            "budget": budget.key,
            "period": period.to_string(),
            "dimension": dimension.as_str(),
            "percent": percent,
            "limit": budget.limit.get(dimension).map(|limit| shown(dimension, limit)),
            "used": shown(dimension, u64::try_from(used).unwrap_or(0)),
        });
        Self::new(NoticeType::BudgetThresholdCrossed, detail)
    }

    /// The notice as an entry of `PutEvents`, whose `Detail` is a text.
    #[must_use]
    pub fn entry(&self) -> Value {
        json!({"Source": SOURCE, "DetailType": self.detail_type, "Detail": self.detail.to_string()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_carries_its_detail_as_text() {
        let notice = Notice::new(NoticeType::BoundExceeded, json!({"budget": "a.b"}));
        assert_eq!(
            notice.entry(),
            json!({
                "Source": "bedrock.cost-sentry", "DetailType": "Bound Exceeded", "Detail": "{\"budget\":\"a.b\"}"
            })
        );
    }
}
