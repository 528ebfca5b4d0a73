//! What holds for every request and every answer.

use proptest::prelude::*;
use sentry_core::model::ModelId;
use sentry_core::request::{REQUEST_ALLOWANCE, Request};
use serde_json::{Map, Value, json};

use super::{FAMILIES, converse, format, normalize, own};
use crate::{FORMATTERS, FormatError};

/// JSON that often has the fields of answers, in any place and with any type.
fn any_answer() -> impl Strategy<Value = Value> {
    const KEYS: &[&str] = &[
        "content",
        "type",
        "text",
        "thinking",
        "completion",
        "stop_reason",
        "usage",
        "input_tokens",
        "output_tokens",
        "output",
        "message",
        "stopReason",
        "inputTokens",
        "outputTokens",
        "results",
        "outputText",
        "tokenCount",
        "inputTextTokenCount",
        "completionReason",
        "generation",
        "prompt_token_count",
        "generation_token_count",
        "choices",
        "finish_reason",
        "index",
        "refusal",
        "reasoning_content",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "outputs",
        "generations",
        "completions",
        "data",
        "finishReason",
        "reason",
        "Output",
        "Message",
        "Content",
        "Text",
        "StopReason",
        "Usage",
        "InputTokens",
        "OutputTokens",
        "ReasoningContent",
        "ReasoningText",
        "CacheReadInputTokens",
    ];
    const WORDS: &[&str] = &[
        "text",
        "thinking",
        "stop",
        "length",
        "end_turn",
        "max_tokens",
        "COMPLETE",
        "</think>",
        "<think>",
        "<reasoning>x",
        "FINISH",
        "endoftext",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,10}".prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(KEYS), inner), 0..7).prop_map(
                |fields| Value::Object(
                    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                )
            ),
        ]
    })
}

fn any_request() -> impl Strategy<Value = (Value, Value)> {
    let text = prop_oneof![
        "[ -~äß日\n]{0,30}x",
        Just("<|eot_id|>".to_owned()),
        Just("[INST] \n\nHuman: x".to_owned()),
        Just("</think>".to_owned()),
    ];
    let messages = (
        prop::collection::vec(text.clone(), 0..3),
        prop::collection::vec((any::<bool>(), text.clone()), 1..6),
        prop::option::weighted(0.2, text),
    )
        .prop_map(|(system, turns, greeting)| {
            // Some conversations begin with what the assistant said.
            let greeting = greeting.map(|text| json!({ "role": "assistant", "content": text }));
            let system = system.into_iter().map(|text| json!({ "role": "system", "content": text }));
            let turns = turns.into_iter().enumerate().map(|(index, (user, text))| {
                let role = if user || index == 0 { "user" } else { "assistant" };
                json!({ "role": role, "content": text })
            });
            system.chain(greeting).chain(turns).collect::<Value>()
        });
    let inference = (
        prop::option::of(1u64..=5_000),
        prop::option::of(0.0f64..=2.0),
        prop::option::of(0.01f64..=1.0),
        prop::option::of(1u64..=500),
        prop::option::of(prop::collection::vec("[a-z|\n]{1,4}", 0..6)),
    )
        .prop_map(|(max, temperature, p, k, stop)| {
            let mut map = Map::new();
            let mut put = |name: &str, value: Option<Value>| {
                if let Some(value) = value {
                    map.insert(name.to_owned(), value);
                }
            };
            put("maxTokens", max.map(Value::from));
            put("temperature", temperature.map(Value::from));
            put("topP", p.map(Value::from));
            put("topK", k.map(Value::from));
            put("stopSequences", stop.map(|list| json!(list)));
            Value::Object(map)
        });
    (messages, inference)
}

/// A body's fields by their meaning: required ones, and those of `temperature`, `topP`, `topK`
/// and `stopSequences`.
struct Shape {
    max: &'static str,
    text: &'static [&'static str],
    also: &'static [&'static str],
    sampling: [&'static str; 4],
}

fn shape(family: &str, config: &mut Value, body: &Value) -> Shape {
    let chat =
        |max| Shape { max, text: &["messages"], also: &[], sampling: ["temperature", "top_p", "", "stop"] };
    *config = body.clone();
    match family {
        _ if family.starts_with("anthropic.claude-v1") => Shape {
            max: "max_tokens_to_sample",
            text: &["prompt"],
            also: &[],
            sampling: ["temperature", "top_p", "top_k", "stop_sequences"],
        },
        _ if family.starts_with("anthropic.") => Shape {
            max: "max_tokens",
            text: &["messages", "anthropic_version"],
            also: &["system"],
            sampling: ["temperature", "top_p", "top_k", "stop_sequences"],
        },
        _ if family.starts_with("amazon.titan") => {
            assert_eq!(keys(body), ["inputText", "textGenerationConfig"]);
            *config = body["textGenerationConfig"].clone();
            Shape {
                max: "maxTokenCount",
                text: &[],
                also: &[],
                sampling: ["temperature", "topP", "", "stopSequences"],
            }
        }
        _ if family.starts_with("amazon.nova") => {
            for key in keys(body) {
                assert!(
                    ["schemaVersion", "system", "messages", "inferenceConfig"].contains(&key.as_str()),
                    "{key}"
                );
            }
            *config = body["inferenceConfig"].clone();
            Shape {
                max: "maxTokens",
                text: &[],
                also: &[],
                sampling: ["temperature", "topP", "topK", "stopSequences"],
            }
        }
        _ if family.starts_with("meta.") => Shape {
            max: "max_gen_len",
            text: &["prompt"],
            also: &[],
            sampling: ["temperature", "top_p", "", ""],
        },
        "mistral.mistral-7b-instruct-v0:2" | "mistral.mistral-large-2402-v1:0" => Shape {
            max: "max_tokens",
            text: &["prompt"],
            also: &[],
            sampling: ["temperature", "top_p", "top_k", "stop"],
        },
        _ if family.starts_with("cohere.command-r") => Shape {
            max: "max_tokens",
            text: &["message"],
            also: &["chat_history", "preamble"],
            sampling: ["temperature", "p", "k", "stop_sequences"],
        },
        _ if family.starts_with("cohere.") => Shape {
            max: "max_tokens",
            text: &["prompt"],
            also: &[],
            sampling: ["temperature", "p", "k", "stop_sequences"],
        },
        _ if family.starts_with("ai21.j2") => Shape {
            max: "maxTokens",
            text: &["prompt"],
            also: &[],
            sampling: ["temperature", "topP", "", "stopSequences"],
        },
        _ if family.starts_with("deepseek.r1") => Shape {
            max: "max_tokens",
            text: &["prompt"],
            also: &[],
            sampling: ["temperature", "top_p", "", "stop"],
        },
        _ if family.starts_with("openai.") => chat("max_completion_tokens"),
        _ => chat("max_tokens"),
    }
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// Roles alternate where the body has messages.
fn assert_alternating(body: &Value) {
    let list = body.get("messages").or_else(|| body.get("Messages")).and_then(Value::as_array);
    let roles: Vec<&str> = list
        .into_iter()
        .flatten()
        .filter_map(|message| message.get("role").or_else(|| message.get("Role"))?.as_str())
        .filter(|role| *role != "system")
        .collect();
    assert!(roles.windows(2).all(|pair| pair[0] != pair[1]), "{body}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_is_read_or_named(body in any_answer(), model_id in prop::sample::select(FAMILIES)) {
        for formatter in FORMATTERS {
            match normalize(formatter, model_id, &body) {
                Ok(answer) => {
                    let usage = &answer["usage"];
                    if !usage.is_null() {
                        let sum = ["inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"]
                            .iter()
                            .fold(0u64, |sum, field| sum.saturating_add(usage[field].as_u64().unwrap()));
                        prop_assert_eq!(usage["totalTokens"].as_u64(), Some(sum));
                    }
                    let message = &answer["message"];
                    prop_assert!(message["content"].is_string() || message["content"].is_null() && message["toolUses"].is_array());
                }
                Err(FormatError::UnreadableModelResponse { path, .. }) => prop_assert!(!path.is_empty()),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn any_event_is_answered_or_named(event in any_answer(), operation in prop::sample::select(vec!["format", "normalize"])) {
        for formatter in FORMATTERS {
            let event = json!({ "operation": operation, "modelId": event.get("text"), "prompt": event, "inference": event, "body": event });
            let _ = crate::handle(formatter, &event);
        }
    }

    /// A body has what the vendor requires, what the caller gave, and nothing else.
    #[test]
    fn a_body_has_the_vendors_shape((messages, inference) in any_request(), family in prop::sample::select(FAMILIES)) {
        let body = match format(own(family), family, &messages, &inference) {
            Ok(body) => body,
            Err(FormatError::InvalidRequest { path, message }) => {
                prop_assert!(path.starts_with("inference.") || path.starts_with("prompt.messages["), "{}", message);
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let mut config = Value::Null;
        let shape = shape(family, &mut config, &body);
        prop_assert_eq!(&config[shape.max], &inference.get("maxTokens").cloned().unwrap_or(json!(1_024)));
        for field in shape.text {
            prop_assert!(!body[field].is_null());
        }
        let mut known: Vec<&str> = shape.text.iter().chain(shape.also).copied().collect();
        known.push(shape.max);
        for (ours, theirs) in ["temperature", "topP", "topK", "stopSequences"].iter().zip(shape.sampling) {
            let given = inference.get(ours).filter(|value| **value != json!([]));
            prop_assert_eq!(config.get(theirs), given, "{}", ours);
            known.push(theirs);
        }
        for key in keys(&config) {
            prop_assert!(known.contains(&key.as_str()), "{} in {}", key, config);
        }
        assert_alternating(&body);
    }

    #[test]
    fn arguments_of_converse_have_their_shape((messages, inference) in any_request(), family in prop::sample::select(FAMILIES)) {
        let Ok(body) = format(converse(), family, &messages, &inference) else { return Ok(()) };
        for key in keys(&body) {
            prop_assert!(["Messages", "System", "InferenceConfig", "AdditionalModelRequestFields"].contains(&key.as_str()));
        }
        let config = &body["InferenceConfig"];
        for key in keys(config) {
            prop_assert!(["MaxTokens", "Temperature", "TopP", "StopSequences"].contains(&key.as_str()));
        }
        for (ours, theirs) in [("temperature", "Temperature"), ("topP", "TopP")] {
            prop_assert_eq!(config.get(theirs), inference.get(ours));
        }
        prop_assert_eq!(body.get("AdditionalModelRequestFields").is_some(), inference.get("topK").is_some());
        assert_alternating(&body);
    }

    /// What a template puts around the messages stays within the allowance that the input
    /// bound has for it, where each special token counts as one.
    #[test]
    fn templates_stay_within_the_bound((messages, _) in any_request(), family in prop::sample::select(FAMILIES)) {
        let Ok(body) = format(own(family), family, &messages, &json!({})) else { return Ok(()) };
        let Some(prompt) = body.get("prompt").or_else(|| body.get("inputText")).and_then(Value::as_str) else { return Ok(()) };
        let mut text = prompt.to_owned();
        for special in ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|header_start|>",
                        "<|header_end|>", "<|eot|>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>",
                        "<｜Assistant｜>", "<s>", "</s>", "system", "user", "assistant", "Human", "Assistant", "Chatbot"] {
            text = text.replace(special, "#");
        }
        let model = ModelId::parse(family).unwrap();
        let template = model.template();
        let request = json!({ "modelId": family, "prompt": { "messages": messages } });
        let request = Request::parse(&request).unwrap();
        let bound = request.input_bound(&model).tokens;
        prop_assert!(text.len() as u64 <= bound, "{} > {}", text.len(), bound);
        let contents: u64 = request.prompt.messages.iter().map(|message| message.content.text().len() as u64).sum();
        let around = request.prompt.messages.len() as u64 * template.per_message + REQUEST_ALLOWANCE;
        prop_assert!((text.len() as u64).saturating_sub(contents) <= around);
    }
}
