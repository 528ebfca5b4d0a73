//! Labels of a request for Bedrock's invocation log.
//!
//! They serve reports and no decision, so a value that Bedrock would refuse is left out instead
//! of the request.

use serde_json::{Map, Value};

const NAMES: [&str; 5] = ["requestId", "tenant", "applicationId", "costCenter", "environment"];
/// Characters of a value, as Bedrock has it.
const MAX_CHARS: usize = 256;

/// The labels among the fields of an event's `metadata` that Bedrock takes.
pub(crate) fn read(metadata: Option<&Value>) -> Map<String, Value> {
    let text = |name: &str| metadata?.get(name)?.as_str().filter(|text| is_taken(text));
    NAMES.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?.into()))).collect()
}

fn is_taken(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " \t\n:_@$#=/+,-.".contains(c);
    !text.is_empty() && text.len() <= MAX_CHARS && text.chars().all(allowed)
}
