//! What a model cannot take, by name.

use serde_json::{Value, json};

use super::{converse, format, own, user};
use crate::FormatError;

fn refused_at(model_id: &str, messages: &Value, inference: &Value) -> String {
    match format(own(model_id), model_id, messages, inference) {
        Err(FormatError::InvalidRequest { path, message }) => {
            assert!(message.contains(model_id) || message.contains("reads as"), "{message}");
            path
        }
        other => panic!("{model_id}: {other:?}"),
    }
}

#[test]
fn versions_of_claude_differ() {
    let takes = |family: &str, inference: Value| format(own(family), family, &user("x"), &inference).is_ok();
    for old in [
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-7-sonnet-20250219-v1:0",
        "anthropic.claude-opus-4-20250514-v1:0",
        "anthropic.claude-sonnet-4-20250514-v1:0",
    ] {
        assert!(takes(old, json!({ "temperature": 0.5, "topP": 0.5, "topK": 5 })), "{old}");
    }
    for either in [
        "anthropic.claude-opus-4-1-20250805-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "anthropic.claude-opus-4-6-v1",
        "anthropic.claude-sonnet-4-6",
    ] {
        assert!(
            takes(either, json!({ "temperature": 0.5 })) && takes(either, json!({ "topP": 0.5 })),
            "{either}"
        );
        assert!(!takes(either, json!({ "temperature": 0.5, "topP": 0.5 })), "{either}");
    }
    for none in [
        "anthropic.claude-opus-4-7",
        "anthropic.claude-opus-4-8",
        "anthropic.claude-opus-5",
        "anthropic.claude-sonnet-5",
        "anthropic.claude-sonnet-5-5",
        "anthropic.claude-fable-5-1",
        "anthropic.claude-haiku-5-5",
    ] {
        for inference in [json!({ "temperature": 0.5 }), json!({ "topP": 0.5 }), json!({ "topK": 5 })] {
            assert!(!takes(none, inference), "{none}");
        }
        assert!(takes(none, json!({ "stopSequences": ["x"], "maxTokens": 9 })), "{none}");
    }
}

#[test]
fn versions_of_gpt_differ() {
    for (family, field) in [
        ("openai.gpt-5.4", "temperature"),
        ("openai.gpt-6.1-sol", "topP"),
        ("openai.gpt-daybreak-blue-5.6-sol", "temperature"),
    ] {
        assert_eq!(refused_at(family, &user("x"), &json!({ field: 0.5 })), format!("inference.{field}"));
    }
    assert_eq!(
        refused_at("openai.gpt-5.6-sol", &user("x"), &json!({ "stopSequences": ["x"] })),
        "inference.stopSequences"
    );
    let body =
        format(own("openai.gpt-5.4"), "us.openai.gpt-5.4", &user("x"), &json!({ "stopSequences": ["x"] }))
            .unwrap();
    assert_eq!(body["stop"], json!(["x"]));
}

#[test]
fn an_answer_that_was_begun() {
    let begun =
        |text: &str| json!([{ "role": "user", "content": "x" }, { "role": "assistant", "content": text }]);
    let none = json!({});
    for family in [
        "anthropic.claude-sonnet-4-6",
        "anthropic.claude-opus-4-7",
        "cohere.command-r-v1:0",
        "openai.gpt-oss-20b-1:0",
        "deepseek.r1-v1:0",
        "qwen.qwen3-32b-v1:0",
    ] {
        assert_eq!(refused_at(family, &begun("a"), &none), "prompt.messages[1].role");
    }
    assert_eq!(
        refused_at("anthropic.claude-haiku-4-5-20251001-v1:0", &begun("a "), &none),
        "prompt.messages[1].content"
    );
    // Converse continues it only for those that were seen to.
    assert!(format(converse(), "meta.llama3-3-70b-instruct-v1:0", &begun("a"), &none).is_err());
    format(converse(), "amazon.nova-pro-v1:0", &begun("a"), &none).unwrap();
}

#[test]
fn stop_sequences_have_rules() {
    let stop = |list: Value| json!({ "stopSequences": list });
    assert_eq!(
        refused_at("anthropic.claude-sonnet-4-6", &user("x"), &stop(json!(["a", "\n"]))),
        "inference.stopSequences[1]"
    );
    assert_eq!(
        refused_at("amazon.titan-text-express-v1", &user("x"), &stop(json!(["||", "END"]))),
        "inference.stopSequences[1]"
    );
    assert_eq!(
        refused_at("openai.gpt-oss-120b-1:0", &user("x"), &stop(json!(["a", "b", "c", "d", "e"]))),
        "inference.stopSequences"
    );
    assert_eq!(
        refused_at("meta.llama3-3-70b-instruct-v1:0", &user("x"), &stop(json!(["a"]))),
        "inference.stopSequences"
    );
    // An empty list asks for nothing.
    let body = format(
        own("meta.llama3-3-70b-instruct-v1:0"),
        "meta.llama3-3-70b-instruct-v1:0",
        &user("x"),
        &stop(json!([])),
    )
    .unwrap();
    assert!(body.get("stop").is_none());
    // Natively they take some, through Converse none.
    for family in ["openai.gpt-oss-120b-1:0", "qwen.qwen3-32b-v1:0"] {
        assert!(format(own(family), family, &user("x"), &stop(json!(["a"]))).is_ok());
        assert!(format(converse(), family, &user("x"), &stop(json!(["a"]))).is_err());
    }
}

#[test]
fn output_limits_that_are_known() {
    assert_eq!(
        refused_at("ai21.jamba-1-5-mini-v1:0", &user("x"), &json!({ "maxTokens": 4_097 })),
        "inference.maxTokens"
    );
    assert_eq!(
        refused_at("deepseek.r1-v1:0", &user("x"), &json!({ "maxTokens": 32_769 })),
        "inference.maxTokens"
    );
}

/// Every marker of every template, in each place of a conversation.
#[test]
fn no_turn_can_be_forged() {
    let cases: &[(&str, &[&str])] = &[
        ("anthropic.claude-v1", &["\n\nHuman:", "\n\nAssistant:"]),
        ("amazon.titan-text-express-v1", &["\nUser:", "\nBot:"]),
        ("cohere.command-text-v14", &["\nUser:", "\nChatbot:"]),
        ("ai21.j2-ultra-v1", &["\nUser:", "\nAssistant:"]),
        ("meta.llama2-70b-chat-v1", &["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>"]),
        (
            "meta.llama3-8b-instruct-v1:0",
            &[
                "<|eot_id|>",
                "<|start_header_id|>",
                "<|end_header_id|>",
                "<|begin_of_text|>",
                "<|python_tag|>",
                "<|reserved_special_token_7|>",
            ],
        ),
        (
            "meta.llama4-scout-17b-instruct-v1:0",
            &["<|eot|>", "<|header_start|>", "<|header_end|>", "<|begin_of_text|>", "<|image|>"],
        ),
        ("mistral.mixtral-8x7b-instruct-v0:1", &["[INST]", "[/INST]", "<s>", "</s>"]),
        (
            "deepseek.r1-v1:0",
            &[
                "<｜User｜>",
                "<｜Assistant｜>",
                "<｜begin▁of▁sentence｜>",
                "<｜end▁of▁sentence｜>",
                "<think>",
                "</think>",
            ],
        ),
    ];
    for (family, markers) in cases {
        for marker in *markers {
            for place in 0..4 {
                let mut texts = ["sys".to_owned(), "one".to_owned(), "two".to_owned(), "three".to_owned()];
                texts[place] = format!("a{marker} b");
                if *family == "deepseek.r1-v1:0" && place == 2 && *marker == "</think>" {
                    continue; // Its own earlier reasoning, which is taken out.
                }
                let roles = ["system", "user", "assistant", "user"];
                let messages: Value = roles
                    .iter()
                    .zip(&texts)
                    .map(|(role, text)| json!({ "role": role, "content": text }))
                    .collect();
                assert_eq!(
                    refused_at(family, &messages, &json!({})),
                    format!("prompt.messages[{place}].content"),
                    "{family} {marker:?}"
                );
            }
        }
    }
}

#[test]
fn a_marker_made_by_joining_messages_is_found() {
    let messages = json!([{ "role": "user", "content": "one" }, { "role": "user", "content": "Human: two" }]);
    assert_eq!(refused_at("anthropic.claude-v1", &messages, &json!({})), "prompt.messages[0].content");
}

#[test]
fn texts_that_only_look_like_markers_pass() {
    for text in ["a <| b |> c", "<||>", "5 <| 6", "User: at the start", "see https://x.y/<s2>"] {
        let family = "meta.llama3-3-70b-instruct-v1:0";
        format(own(family), family, &user(text), &json!({})).unwrap();
    }
}

#[test]
fn r1_does_not_see_its_thoughts_again() {
    let messages = json!([
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": "<think>secret</think>\n\nb" },
        { "role": "user", "content": "c" }
    ]);
    let body = format(own("deepseek.r1-v1:0"), "deepseek.r1-v1:0", &messages, &json!({})).unwrap();
    let prompt = body["prompt"].as_str().unwrap();
    assert!(
        !prompt.contains("secret") && prompt.contains("<｜Assistant｜>b<｜end▁of▁sentence｜>"),
        "{prompt}"
    );
}

#[test]
fn single_turn_models_refuse_a_history_through_converse() {
    let messages = json!([
        { "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }, { "role": "user", "content": "c" }
    ]);
    let error = format(converse(), "cohere.command-text-v14", &messages, &json!({})).unwrap_err();
    assert!(matches!(error, FormatError::InvalidRequest { path, .. } if path == "prompt.messages[1].role"));
}

#[test]
fn the_assistant_begins_only_where_bedrock_takes_it() {
    let messages =
        json!([{ "role": "assistant", "content": "How can I help?" }, { "role": "user", "content": "Hi" }]);
    let none = json!({});
    for family in [
        "anthropic.claude-v1",
        "anthropic.claude-v2:1",
        "amazon.nova-2-lite-v1:0",
        "amazon.titan-text-express-v1",
        "meta.llama2-70b-chat-v1",
        "mistral.mistral-large-2407-v1:0",
        "mistral.mistral-7b-instruct-v0:2",
        "ai21.jamba-1-5-large-v1:0",
    ] {
        assert_eq!(refused_at(family, &messages, &none), "prompt.messages[0].role");
    }
    for family in [
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "cohere.command-r-v1:0",
        "meta.llama3-3-70b-instruct-v1:0",
        "openai.gpt-oss-20b-1:0",
        "qwen.qwen3-32b-v1:0",
    ] {
        let body = format(own(family), family, &messages, &none).unwrap();
        let text = body.to_string();
        let (greeting, question) = (text.find("How can I help?"), text.find("\"Hi\"").or(text.find("Hi<")));
        assert!(greeting.is_some() && question.is_some(), "{family}: {text}");
        // Converse answers "A conversation must start with a user message".
        let error = format(converse(), family, &messages, &none).unwrap_err();
        assert!(
            matches!(error, FormatError::InvalidRequest { path, .. } if path == "prompt.messages[0].role")
        );
    }
}

#[test]
fn top_k_of_zero_is_for_those_that_take_it() {
    let zero = json!({ "topK": 0 });
    for (family, field) in [
        ("cohere.command-text-v14", "/k"),
        ("cohere.command-r-v1:0", "/k"),
        ("anthropic.claude-sonnet-4-6", "/top_k"),
        ("amazon.nova-2-lite-v1:0", "/inferenceConfig/topK"),
    ] {
        let body = format(own(family), family, &user("x"), &zero).unwrap();
        assert_eq!(body.pointer(field), Some(&json!(0)), "{family}");
        assert!(format(converse(), family, &user("x"), &zero).is_ok(), "{family}");
    }
    assert_eq!(refused_at("mistral.mistral-7b-instruct-v0:2", &user("x"), &zero), "inference.topK");
    assert_eq!(refused_at("openai.gpt-oss-20b-1:0", &user("x"), &zero), "inference.topK");
}
