//! What holds for any content and any answer of Converse.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::beyond_text::{PNG, conversations, formatted, models};
use super::{converse, normalize};
use crate::FormatError;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z_A-Z]{1,6}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An object with some of these members, each of them mostly as it should be.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| {
            let value = prop_oneof![60 => value, 1 => any_json().boxed()];
            prop::option::weighted(0.98, value).prop_map(move |value| Some((name.to_owned(), value?)))
        })
        .collect();
    members.prop_map(|members| Value::Object(members.into_iter().flatten().collect::<Map<_, _>>())).boxed()
}

fn list(item: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![
        30 => prop::collection::vec(item.clone(), 1..4).prop_map(Value::from),
        1 => item,
        1 => Just(json!([])),
        1 => any_json(),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<Value> {
    prop_oneof![20 => "[a-zß日 ]{0,8}x", 2 => Just("<think>x".to_owned()), 1 => Just(" ".to_owned())]
        .prop_map(Value::from)
        .boxed()
}

fn word(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(words).prop_map(Value::from).boxed()
}

fn any_block() -> BoxedStrategy<Value> {
    let picture = || {
        object(vec![
            ("format", word(&["png", "png", "jpeg"])),
            ("source", object(vec![("bytes", word(&[PNG, PNG, PNG, "AAAA"]))])),
        ])
    };
    let document = || {
        object(vec![
            ("format", word(&["pdf", "txt", "docx"])),
            ("name", word(&["a", "b", "c", "d", "e", "a  b"])),
            (
                "source",
                prop_oneof![
                    object(vec![("bytes", word(&["JVBERi0xLjQK", "YQ=="]))]),
                    object(vec![("text", text())]),
                    object(vec![("content", list(object(vec![("text", text())])))]),
                ]
                .boxed(),
            ),
            ("citations", object(vec![("enabled", any::<bool>().prop_map(Value::from).boxed())])),
        ])
    };
    let id = || word(&["t1", "t2", "t 3"]);
    let part = prop_oneof![
        object(vec![("text", text())]),
        object(vec![("json", any_json().boxed())]),
        object(vec![("image", picture())]),
        object(vec![("document", document())]),
    ];
    prop_oneof![
        3 => object(vec![("text", text())]),
        2 => object(vec![("image", picture())]),
        1 => object(vec![("document", document())]),
        2 => object(vec![("toolUse", object(vec![("toolUseId", id()), ("name", word(&["river_length", "g"])), ("input", any_json().boxed())]))]),
        2 => object(vec![("toolResult", object(vec![("toolUseId", id()), ("content", list(part.boxed())), ("status", word(&["success", "error"]))]))]),
        1 => object(vec![("reasoningContent", prop_oneof![
            object(vec![("reasoningText", object(vec![("text", text()), ("signature", text())]))]),
            object(vec![("redactedContent", word(&["AAAA", "?"]))]),
        ].boxed())]),
        1 => object(vec![("cachePoint", object(vec![("type", word(&["default"])), ("ttl", word(&["5m", "1h"]))]))]),
        1 => any_json().boxed(),
    ]
    .boxed()
}

/// A request of the golden files in which one message holds other content.
fn any_request() -> impl Strategy<Value = Value> {
    let users = prop_oneof![
        12 => object(vec![("text", text())]),
        6 => any_block(),
    ];
    let message = prop_oneof![
        6 => (Just(true), list(users.boxed())),
        1 => (any::<bool>(), list(any_block())),
    ];
    let contents = prop::collection::vec(message, 1..3);
    let base = prop::sample::select(conversations());
    (base, contents, any::<bool>()).prop_map(|((_, mut request), contents, whole)| {
        let messages = request["prompt"]["messages"].as_array_mut().unwrap();
        if whole {
            messages.clear();
        }
        for (user, content) in contents {
            messages.push(json!({ "role": if user { "user" } else { "assistant" }, "content": content }));
        }
        request
    })
}

fn any_result() -> impl Strategy<Value = Value> {
    let count = || prop_oneof![any::<u32>().prop_map(Value::from), Just(json!(7.0))].boxed();
    let cited = object(vec![
        ("Content", list(object(vec![("Text", text())]))),
        ("Citations", list(object(vec![("Title", text()), ("Location", any_json().boxed())]))),
    ]);
    let block = prop_oneof![
        object(vec![("Text", text())]),
        object(vec![(
            "ToolUse",
            object(vec![
                ("ToolUseId", text()),
                ("Name", word(&["f", "sentry_response_format"])),
                ("Input", any_json().boxed()),
                ("Type", text()),
            ])
        )]),
        object(vec![(
            "ReasoningContent",
            object(vec![
                ("ReasoningText", object(vec![("Text", text()), ("Signature", text())])),
                ("RedactedContent", text()),
            ])
        )]),
        object(vec![("CitationsContent", cited)]),
        object(vec![("Text", text()), ("Later", any_json().boxed())]),
    ];
    object(vec![
        ("Output", object(vec![("Message", object(vec![("Content", list(block.boxed()))]))])),
        (
            "StopReason",
            word(&[
                "end_turn",
                "tool_use",
                "max_tokens",
                "malformed_tool_use",
                "model_context_window_exceeded",
            ]),
        ),
        (
            "Usage",
            object(vec![
                ("InputTokens", count()),
                ("OutputTokens", count()),
                ("CacheWriteInputTokens", count()),
                ("CacheDetails", list(object(vec![("Ttl", word(&["5m", "1h"])), ("InputTokens", count())]))),
            ]),
        ),
        ("ServiceTier", object(vec![("Type", word(&["flex", "reserved"]))])),
    ])
}

/// Every key at a place that Bedrock's model names begins with a capital.
fn assert_pascal_case(value: &Value, documents: &[&str]) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| assert_pascal_case(item, documents)),
        Value::Object(fields) => {
            for (name, field) in fields {
                assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name} in {value}");
                if !documents.contains(&name.as_str()) {
                    assert_pascal_case(field, documents);
                }
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    #[test]
    fn any_content_gives_arguments_or_a_named_error(request in any_request(), model_id in prop::sample::select(models())) {
        match formatted(model_id, &request) {
            Ok(body) => {
                assert_pascal_case(&body, &["Input", "Json", "AdditionalModelRequestFields", "RequestMetadata"]);
                let messages = body["Messages"].as_array().unwrap();
                prop_assert!(messages.iter().all(|message| !message["Content"].as_array().unwrap().is_empty()));
                prop_assert!(messages.windows(2).all(|pair| pair[0]["Role"] != pair[1]["Role"]), "{body}");
                let most = body["InferenceConfig"]["MaxTokens"].as_u64().unwrap();
                if let Some(budget) = body["AdditionalModelRequestFields"]["thinking"]["budget_tokens"].as_u64() {
                    prop_assert!((1_024..most).contains(&budget));
                }
            }
            Err(FormatError::InvalidRequest { path, message }) => {
                prop_assert!(path.starts_with("prompt") || path.starts_with("inference"), "{path}: {message}");
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn any_result_of_converse_is_read_or_named(body in any_result(), model_id in prop::sample::select(models())) {
        match normalize(converse(), model_id, &body) {
            Ok(answer) => {
                let message = &answer["message"];
                let calls = message["toolUses"].as_array().map_or(0, Vec::len);
                prop_assert!(message["content"].is_string() || (message["content"].is_null() && calls > 0), "{answer}");
                prop_assert!(!answer.to_string().contains("\"name\":\"sentry_response_format\"") , "{answer}");
                if let Some(hour) = answer["usage"]["cacheWrite1hInputTokens"].as_u64() {
                    prop_assert!(hour > 0 && Some(hour) <= answer["usage"]["cacheWriteInputTokens"].as_u64());
                }
            }
            Err(FormatError::UnreadableModelResponse { path, .. }) => prop_assert!(!path.is_empty()),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
