//! The file of `--limits`, checked before anything is started, so that a mistake is found before it
//! costs money.

use std::collections::BTreeMap;
use std::path::Path;

use sentry_core::limit::{Finding, check_items};
use serde_json::Value;

const EXAMPLE: &str = r#"[{"modelId": "default", "limit": {"input": 100000, "output": 300000}}]"#;

/// The limit items of a file, and what should be said of them.
#[derive(Debug, PartialEq)]
pub(super) struct LimitsFile {
    pub items: Vec<Value>,
    /// Items that probably do not limit what they were meant to.
    pub warnings: Vec<String>,
}

/// Reads the list of limit items in a file.
///
/// # Errors
/// The file cannot be read, is no list, or has a malformed item or two items with one key.
pub(super) fn read(file: &Path) -> Result<LimitsFile, String> {
    let place = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("the limits file {place} cannot be read: {error}"))?;
    // Its text names the line and the column.
    let document: Value = serde_json::from_str(&text).map_err(|error| {
        format!("the limits file {place} is not JSON: {error}; write a list like {EXAMPLE}")
    })?;
    let Value::Array(items) = document else {
        return Err(format!(
            "the limits file {place} is not a list of limit items; write one like {EXAMPLE}"
        ));
    };
    let mut places = BTreeMap::new();
    let mut warnings = Vec::new();
    for (number, (id, finding)) in (1..).zip(check_items(&items)) {
        if let Finding::Malformed(error) = &finding {
            return Err(format!("the limits file {place}, item {number}: {}", error.message));
        }
        if let Some(first) = places.insert(id.clone(), number) {
            return Err(format!(
                "the limits file {place}, items {first} and {number}: both have the modelId {id:?}; leave one of them"
            ));
        }
        match finding {
            Finding::GovernsNothing(reason) => {
                warnings.push(format!("{place}, item {number}: {id:?} governs nothing. {reason}"));
            }
            Finding::GovernsThatIdAlone(reason) => {
                warnings
                    .push(format!("{place}, item {number}: {id:?} governs less than its model. {reason}"));
            }
            Finding::Governs(_) | Finding::Malformed(_) => {}
        }
    }
    Ok(LimitsFile { items, warnings })
}
