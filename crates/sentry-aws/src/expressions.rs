//! An [`Update`] of the ledger in DynamoDB's expressions.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
use sentry_core::ledger::{Condition, Update};

/// The expressions of an `UpdateItem`. Every attribute goes by a placeholder, since some
/// names are reserved words.
#[derive(Debug)]
pub(crate) struct Expressions {
    pub update: String,
    pub condition: Option<String>,
    pub names: HashMap<String, String>,
    /// `None` where there is none: DynamoDB refuses an empty map.
    pub values: Option<HashMap<String, AttributeValue>>,
}

/// The bytes of an update's expressions: of the update itself and of its condition. DynamoDB takes
/// at most 4,096 of each.
#[must_use]
pub fn expression_bytes(update: &Update) -> (usize, usize) {
    let expressions = Expressions::of(update);
    (expressions.update.len(), expressions.condition.map_or(0, |condition| condition.len()))
}

impl Expressions {
    pub(crate) fn of(update: &Update) -> Self {
        let mut this = Self { update: String::new(), condition: None, names: HashMap::new(), values: None };
        let add: Vec<_> = update
            .add
            .iter()
            .map(|(name, number)| format!("{} {}", this.name(name), this.value(*number)))
            .collect();
        let set: Vec<_> = update
            .set
            .iter()
            .map(|(name, number)| format!("{} = {}", this.name(name), this.value(*number)))
            .collect();
        let remove: Vec<_> = update.remove.iter().map(|name| this.name(name)).collect();
        for (keyword, clauses) in [("ADD", add), ("SET", set), ("REMOVE", remove)] {
            if !clauses.is_empty() {
                let space = if this.update.is_empty() { "" } else { " " };
                // Writing to a String cannot fail.
                let _ = write!(this.update, "{space}{keyword} {}", clauses.join(", "));
            }
        }
        let conditions: Vec<_> =
            update.conditions.iter().map(|condition| this.condition(condition)).collect();
        if !conditions.is_empty() {
            this.condition = Some(conditions.join(" AND "));
        }
        this
    }

    fn condition(&mut self, condition: &Condition) -> String {
        let (name, operator, number, holds_for_zero) = match condition {
            Condition::AtMost(name, number) => (name, "<=", *number, 0 <= *number),
            Condition::AtLeast(name, number) => (name, ">=", *number, 0 >= *number),
            Condition::Equals(name, number) => (name, "=", *number, 0 == *number),
        };
        let (name, value) = (self.name(name), self.value(number));
        // A missing attribute counts as zero; DynamoDB would let any comparison with it fail.
        if holds_for_zero {
            format!("(attribute_not_exists({name}) OR {name} {operator} {value})")
        } else {
            format!("{name} {operator} {value}")
        }
    }

    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, number: i64) -> String {
        let values = self.values.get_or_insert_default();
        let placeholder = format!(":v{}", values.len());
        values.insert(placeholder.clone(), AttributeValue::N(number.to_string()));
        placeholder
    }
}
