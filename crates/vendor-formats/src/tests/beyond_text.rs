//! Tools, pictures, documents, schemas, reasoning: what goes out to each family, or why it does not.

use std::collections::BTreeMap;

use insta::assert_json_snapshot;
use sentry_core::error::SentryError;
use serde_json::{Map, Value, json};

use super::{FAMILIES, converse};
use crate::{FEATURES, FormatError, handle};

/// A picture of one pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// The beginning of a file in each format.
const PDF: &str = "JVBERi0xLjQK";
const DOCX: &str = "UEsDBA==";

/// A model for each row of the table, the families of the other golden files, and an unknown one.
pub(crate) fn models() -> Vec<&'static str> {
    const EXAMPLES: &[&str] = &[
        "anthropic.claude-3-5-haiku-20241022-v1:0",
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-sonnet-4-6",
        "anthropic.claude-haiku-5-5",
        "anthropic.claude-sonnet-5-5",
        "anthropic.claude-opus-5-5",
        "anthropic.claude-opus-5",
        "anthropic.claude-fable-5",
        "anthropic.claude-next",
        "amazon.nova-pro-v1:0",
        "amazon.nova-micro-v1:0",
        "amazon.nova-lite-v1:0",
        "meta.llama3-2-11b-instruct-v1:0",
        "mistral.mistral-large-3-675b-instruct",
        "mistral.devstral-2-123b",
        "mistral.magistral-small-2509",
        "mistral.pixtral-large-2502-v1:0",
        "cohere.command-r-v1:0",
        "deepseek.v3-v1:0",
        "qwen.qwen3-vl-235b-a22b",
        "moonshot.kimi-k2-thinking",
        "moonshotai.kimi-k3",
        "minimax.minimax-m2.1",
        "zai.glm-4.7",
        "zai.glm-5",
        "zai.glm-5.3",
        "nvidia.nemotron-nano-12b-v2",
        "nvidia.nemotron-super-3-120b",
        "writer.palmyra-vision-7b",
        "newvendor.model-1-v1:0",
    ];
    FAMILIES.iter().chain(EXAMPLES).copied().collect()
}

fn message(role: &str, content: Value) -> Value {
    json!({ "role": role, "content": content })
}

fn image() -> Value {
    json!({ "image": { "format": "png", "source": { "bytes": PNG } } })
}

fn document(format: &str, bytes: &str) -> Value {
    json!({ "document": { "format": format, "name": "Rivers (1)", "source": { "bytes": bytes } } })
}

fn tool() -> Value {
    json!({ "toolSpec": {
        "name": "river_length",
        "description": "How long a river is.",
        "inputSchema": { "json": {
            "type": "object",
            "properties": { "river_name": { "type": "string" }, "Unit": { "enum": ["km", "mi"] } },
            "required": ["river_name"],
            "additionalProperties": false
        } }
    } })
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "zone": { "type": "string" },
            "rivers": { "type": "array", "items": {
                "type": "object", "properties": { "name": { "type": "string" } }, "additionalProperties": false
            } }
        },
        "required": ["zone", "rivers"],
        "additionalProperties": false
    })
}

/// A conversation in which tools were called: with these results, and something said first.
pub(crate) fn tool_talk(before: Value, results: &Value) -> Value {
    let call = |id: &str, river: &str| json!({ "toolUse": { "toolUseId": id, "name": "river_length", "input": { "river_name": river } } });
    let result = |id: &str, content: Value| json!({ "toolResult": { "toolUseId": id, "content": content } });
    let mut said = vec![before];
    said.extend([call("tooluse_1", "Rhône"), call("tooluse_2", "Saône")]);
    json!({
        "messages": [
            message("user", json!("Which is longer, Rhône or Saône?")),
            message("assistant", said.into()),
            message("user", json!([
                result("tooluse_1", results.clone()),
                result("tooluse_2", json!([{ "text": "473" }])),
                { "text": "Answer in one word." }
            ])),
        ],
        "tools": [tool()]
    })
}

/// Named requests, as the fields `prompt` and `inference` of an event.
pub(crate) fn conversations() -> Vec<(&'static str, Value)> {
    let asked = |content: Value| json!({ "messages": [message("user", content)] });
    let question = || asked(json!("Which river runs through Lyon?"));
    let with = |mut prompt: Value, field: &str, value: Value| {
        prompt[field] = value;
        prompt
    };
    let tools = || with(question(), "tools", json!([tool()]));
    let choosing = |choice: Value| with(tools(), "toolChoice", choice);
    let request = |prompt: Value, inference: Value| json!({ "prompt": prompt, "inference": inference });
    let plain = |prompt: Value| request(prompt, json!({}));
    let reasoning = |setting: Value| request(question(), json!({ "maxTokens": 4_000, "reasoning": setting }));
    let read = |block: Value| asked(json!([block, { "text": "What does it say?" }]));
    let mut strict = tool();
    strict["toolSpec"]["strict"] = true.into();
    let cited = json!({ "document": {
        "name": "Notes", "source": { "text": "Two rivers." }, "context": "From a guide.", "citations": { "enabled": true }
    } });
    let signed = json!({ "reasoningContent": { "reasoningText": { "text": "Lyon…", "signature": "c2ln" } } });
    let hidden = json!({ "reasoningContent": { "redactedContent": "c2VjcmV0" } });
    let cached = |ttl: Value| json!({ "cachePoint": if ttl.is_null() { json!({ "type": "default" }) } else { json!({ "type": "default", "ttl": ttl }) } });
    let format = |prompt: Value| {
        request(prompt, json!({ "responseFormat": { "schema": schema(), "name": "rivers" } }))
    };
    vec![
        ("tools", plain(tools())),
        ("tools auto", plain(choosing(json!({ "auto": {} })))),
        ("tools any", plain(choosing(json!({ "any": {} })))),
        ("tools by name", plain(choosing(json!({ "tool": { "name": "river_length" } })))),
        ("tools strict", plain(with(question(), "tools", json!([strict])))),
        (
            "tools called",
            plain(tool_talk(json!({ "text": "Let me look." }), &json!([{ "json": { "km_total": 813 } }]))),
        ),
        (
            "tools called with a picture in the result",
            plain(tool_talk(json!({ "text": "Let me look." }), &json!([image()]))),
        ),
        (
            "tools called with a document in the result",
            plain(tool_talk(json!({ "text": "Let me look." }), &json!([document("pdf", PDF)]))),
        ),
        (
            "tools called after reasoning",
            request(
                tool_talk(signed.clone(), &json!([{ "text": "813" }])),
                json!({ "maxTokens": 2_000, "reasoning": { "effort": "medium" } }),
            ),
        ),
        (
            "reasoning of an earlier turn",
            plain(json!({ "messages": [
            message("user", json!("Hi")), message("assistant", json!([signed, hidden, { "text": "Hello." }])), message("user", json!("Bye"))
        ] })),
        ),
        ("picture", plain(read(image()))),
        ("document pdf", plain(read(document("pdf", PDF)))),
        ("document docx", plain(read(document("docx", DOCX)))),
        ("document csv", plain(read(document("csv", "YSxiCg==")))),
        ("document cited", plain(read(cited))),
        ("schema", format(question())),
        ("schema and tools", format(tools())),
        (
            "schema and reasoning",
            request(
                question(),
                json!({
                    "maxTokens": 4_000, "responseFormat": { "schema": schema() }, "reasoning": { "effort": "high" }
                }),
            ),
        ),
        ("reasoning low", reasoning(json!({ "effort": "low" }))),
        ("reasoning high", reasoning(json!({ "effort": "high" }))),
        ("reasoning xhigh", reasoning(json!({ "effort": "xhigh" }))),
        ("reasoning max", reasoning(json!({ "effort": "max" }))),
        ("reasoning budget", reasoning(json!({ "budgetTokens": 2_048 }))),
        ("reasoning budget, shortened", reasoning(json!({ "budgetTokens": 64_000 }))),
        ("reasoning off", reasoning(json!({ "off": true }))),
        (
            "reasoning and top k",
            request(question(), json!({ "maxTokens": 4_000, "topK": 5, "reasoning": { "effort": "low" } })),
        ),
        (
            "cache points",
            plain(json!({ "messages": [
            message("system", json!([{ "text": "Be brief." }, cached(Value::Null)])),
            message("system", json!("Be kind.")),
            message("user", json!([{ "text": "A long text." }, cached(json!("5m")), { "text": "Sum it up." }]))
        ] })),
        ),
        ("cache points of an hour", plain(asked(json!([{ "text": "A long text." }, cached(json!("1h"))])))),
        ("cache points among tools", plain(with(question(), "tools", json!([tool(), cached(Value::Null)])))),
        ("tier default", request(question(), json!({ "serviceTier": "default" }))),
        ("tier flex", request(question(), json!({ "serviceTier": "flex" }))),
        ("few tokens", request(question(), json!({ "maxTokens": 5 }))),
    ]
}

/// What Converse gets for a request, or the error.
pub(crate) fn formatted(model_id: &str, request: &Value) -> Result<Value, FormatError> {
    let mut event = request.clone();
    event["operation"] = "format".into();
    event["modelId"] = model_id.into();
    handle(converse(), &event).map(|answer| answer["body"].clone())
}

/// The path of a refusal, which must name the family and say what to do.
pub(crate) fn refused(model_id: &str, request: &Value) -> String {
    match formatted(model_id, request) {
        Err(FormatError::InvalidRequest { path, .. }) => path,
        other => panic!("{model_id}: {other:?}"),
    }
}

#[test]
fn every_row_of_the_table_has_a_model_here() {
    let models = models();
    for (index, row) in FEATURES.iter().enumerate() {
        let first = |model: &&str| {
            FEATURES.iter().position(|row| row.prefixes.iter().any(|prefix| model.starts_with(prefix)))
        };
        assert!(models.iter().any(|model| first(model) == Some(index)), "{:?}", row.prefixes);
    }
}

/// One golden file for each request: the arguments, or the refusals, with the families that they
/// are for.
#[test]
fn arguments_beyond_text() {
    for (name, request) in conversations() {
        let mut outcomes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for model_id in models() {
            let outcome = match formatted(model_id, &request) {
                Ok(body) => body.to_string(),
                Err(error) => {
                    let document = SentryError::from(error).document().to_string();
                    assert!(document.contains(model_id), "{document} names no family");
                    document.replace(model_id, "<family>")
                }
            };
            outcomes.entry(outcome).or_default().push(model_id);
        }
        let outcomes: Vec<Value> = outcomes
            .into_iter()
            .map(|(outcome, families)| {
                let outcome: Value = serde_json::from_str(&outcome).unwrap();
                let mut row = Map::new();
                row.insert("families".to_owned(), families.into());
                row.insert("outcome".to_owned(), super::sorted(outcome));
                row.into()
            })
            .collect();
        assert_json_snapshot!(format!("beyond-{}", name.replace([' ', ','], "-")), outcomes);
    }
}
