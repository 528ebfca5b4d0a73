mod answers;
mod beyond_text;
mod botocore;
mod events;
mod golden;
mod pitfalls;
mod properties;
mod properties_beyond_text;
mod refusals;
mod tool_answers;

use serde_json::{Value, json};

use crate::{FORMATTERS, FormatError, Formatter, handle};
use sentry_core::model::Route;

/// A document with its keys in order: whether `serde_json` keeps the order of insertion depends
/// on what else is built along.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<_, _> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        other => other,
    }
}

/// One family for each format that there is, and for each way of taking parameters.
pub(crate) const FAMILIES: &[&str] = &[
    "anthropic.claude-v1",
    "anthropic.claude-v2:1",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-opus-4-7",
    "amazon.nova-2-lite-v1:0",
    "amazon.titan-text-express-v1",
    "meta.llama2-70b-chat-v1",
    "meta.llama3-3-70b-instruct-v1:0",
    "meta.llama4-maverick-17b-instruct-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "mistral.mistral-large-2402-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "cohere.command-r-plus-v1:0",
    "cohere.command-text-v14",
    "ai21.jamba-1-5-large-v1:0",
    "ai21.j2-ultra-v1",
    "deepseek.r1-v1:0",
    "deepseek.v3.2",
    "openai.gpt-oss-120b-1:0",
    "openai.gpt-5.4",
    "openai.gpt-6.1-sol",
    "qwen.qwen3-32b-v1:0",
    "writer.palmyra-x5-v1:0",
    "google.gemma-3-27b-it",
    "xai.grok-4.7",
];

/// The formatter of this name.
pub(crate) fn formatter(name: &str) -> &'static Formatter {
    FORMATTERS.iter().find(|formatter| formatter.name == name).unwrap()
}

/// The vendor's own formatter of a family.
pub(crate) fn own(family: &str) -> &'static Formatter {
    formatter(Route::of(family).format.unwrap())
}

pub(crate) fn converse() -> &'static Formatter {
    formatter("converse")
}

pub(crate) fn format(
    formatter: &Formatter,
    model_id: &str,
    messages: &Value,
    inference: &Value,
) -> Result<Value, FormatError> {
    let event = json!({
        "operation": "format", "modelId": model_id, "prompt": { "messages": messages }, "inference": inference
    });
    handle(formatter, &event).map(|out| out["body"].clone())
}

pub(crate) fn normalize(formatter: &Formatter, model_id: &str, body: &Value) -> Result<Value, FormatError> {
    handle(formatter, &json!({ "operation": "normalize", "modelId": model_id, "body": body }))
}

pub(crate) fn user(text: &str) -> Value {
    json!([{ "role": "user", "content": text }])
}

#[test]
fn every_family_is_owned_by_exactly_one_vendor_module() {
    for family in FAMILIES {
        let owners: Vec<&str> = FORMATTERS
            .iter()
            .filter(|formatter| formatter.name != "converse" && (formatter.owns)(family))
            .map(|formatter| formatter.name)
            .collect();
        assert_eq!(owners, [own(family).name], "{family}");
    }
    for route in sentry_core::model::ROUTES {
        for example in route.examples {
            let format = formatter(route.format.unwrap());
            assert!((format.owns)(example), "{example}");
        }
    }
}
