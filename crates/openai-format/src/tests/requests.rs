use proptest::prelude::*;
use sentry_core::request::Request;
use serde_json::{Value, json};

use crate::{param_of, read};

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn body(messages: Value) -> Value {
    json!({ "model": "anthropic.claude-sonnet-4-6", "messages": messages })
}

fn with(fields: Value) -> Value {
    let mut document = body(json!([{ "role": "user", "content": "Hi" }]));
    document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    document
}

/// The sentry's request, which the sentry takes.
fn taken(document: &Value) -> Value {
    let request = read(document).unwrap().document;
    Request::parse(&request).unwrap_or_else(|error| panic!("{request}: {error}"));
    request
}

fn param(document: &Value) -> String {
    let error = read(document).unwrap_err();
    assert!(error.message.ends_with('.'), "{}", error.message);
    error.param.unwrap_or_default()
}

#[test]
fn texts_stay_texts() {
    let document = body(json!([
        { "role": "developer", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "text", "text": "Hi" }], "name": "ann" },
        { "role": "assistant", "content": "Hello." },
        { "role": "user", "content": "Why?" },
    ]));
    assert_eq!(
        taken(&document),
        json!({ "modelId": "anthropic.claude-sonnet-4-6", "prompt": { "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": "Hello." },
            { "role": "user", "content": "Why?" },
        ] } })
    );
}

#[test]
fn a_tool_loop_is_carried_over() {
    let document = json!({
        "model": "anthropic.claude-sonnet-4-6",
        "messages": [
            { "role": "user", "content": "What is 2 + 2, and who said so?" },
            { "role": "assistant", "content": null,
              "thinking_blocks": [{ "type": "thinking", "thinking": "Ask.", "signature": "c2ln" }],
              "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "add", "arguments": "{\"a\":2,\"b\":2}" } },
                { "id": "c2", "type": "function", "function": { "name": "who", "arguments": "" } },
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": "4" },
            { "role": "tool", "tool_call_id": "c2", "content": [{ "type": "text", "text": "Peano" }] },
        ],
        "tools": [
            { "type": "function", "function": { "name": "add", "description": "Adds.", "strict": false,
              "parameters": { "type": "object", "properties": { "a": { "type": "number" } } } } },
            { "type": "function", "function": { "name": "who" }, "cache_control": { "type": "ephemeral" } },
        ],
        "tool_choice": { "type": "function", "function": { "name": "add" } },
    });
    let request = taken(&document);
    assert_eq!(
        request["prompt"]["messages"][1]["content"],
        json!([
            { "reasoningContent": { "reasoningText": { "text": "Ask.", "signature": "c2ln" } } },
            { "toolUse": { "toolUseId": "c1", "name": "add", "input": { "a": 2, "b": 2 } } },
            { "toolUse": { "toolUseId": "c2", "name": "who", "input": {} } },
        ])
    );
    assert_eq!(
        request["prompt"]["messages"][3]["content"],
        json!([{ "toolResult": { "toolUseId": "c2", "content": [{ "text": "Peano" }] } }])
    );
    assert_eq!(
        request["prompt"]["tools"][1],
        json!({ "toolSpec": { "name": "who", "inputSchema": { "json": { "type": "object", "properties": {} } } } })
    );
    assert_eq!(request["prompt"]["tools"][2], json!({ "cachePoint": { "type": "default" } }));
    assert_eq!(request["prompt"]["toolChoice"], json!({ "tool": { "name": "add" } }));
}

#[test]
fn pictures_and_files_are_carried_over() {
    let pdf = "data:application/pdf;base64,JVBERi0xLjQK";
    let document = body(json!([{ "role": "user", "content": [
        { "type": "text", "text": "Read these." },
        { "type": "image_url", "image_url": { "url": format!("data:image/jpeg;base64,{PNG}"), "detail": "low" } },
        { "type": "file", "file": { "filename": "a  b/c.pdf", "file_data": pdf } },
        { "type": "file", "file": { "filename": "a  b/c.pdf", "file_data": pdf } },
    ] }]));
    let content = taken(&document)["prompt"]["messages"][0]["content"].clone();
    // By the bytes, whatever the data URI says.
    assert_eq!(content[1]["image"]["format"], "png");
    assert_eq!(
        (&content[2]["document"]["name"], &content[3]["document"]["name"]),
        (&json!("a b c pdf 3"), &json!("a b c pdf 4"))
    );
}

#[test]
fn settings_are_carried_over() {
    for (field, place, expected) in [
        (json!({ "max_tokens": 5 }), "/inference/maxTokens", json!(5)),
        (json!({ "max_completion_tokens": 5, "max_tokens": 5 }), "/inference/maxTokens", json!(5)),
        (json!({ "temperature": 0.5 }), "/inference/temperature", json!(0.5)),
        (json!({ "top_p": 0.5 }), "/inference/topP", json!(0.5)),
        (json!({ "stop": "END" }), "/inference/stopSequences", json!(["END"])),
        (json!({ "stop": ["A", "B"] }), "/inference/stopSequences", json!(["A", "B"])),
        (json!({ "reasoning_effort": "low" }), "/inference/reasoning", json!({ "effort": "low" })),
        (json!({ "reasoning_effort": "none" }), "/inference/reasoning", json!({ "off": true })),
        (
            json!({ "thinking": { "type": "enabled", "budget_tokens": 2000 }, "max_tokens": 3000 }),
            "/inference/reasoning",
            json!({ "budgetTokens": 2000 }),
        ),
        (json!({ "service_tier": "flex" }), "/inference/serviceTier", json!("flex")),
        (json!({ "metadata": { "costCenter": "cc", "x": "y" } }), "/tags", json!({ "costCenter": "cc" })),
        (
            json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "n", "strict": true,
                "schema": { "type": "object", "additionalProperties": false } } } }),
            "/inference/responseFormat",
            json!({ "name": "n", "schema": { "type": "object", "additionalProperties": false } }),
        ),
    ] {
        assert_eq!(taken(&with(field.clone())).pointer(place), Some(&expected), "{field}");
    }
}

#[test]
fn what_changes_nothing_is_ignored() {
    let plain = taken(&with(json!({})));
    for field in [
        json!({ "n": 1, "user": "u", "store": false, "safety_identifier": "x", "prompt_cache_key": "k" }),
        json!({ "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": false }),
        json!({ "parallel_tool_calls": true, "modalities": ["text"], "verbosity": "medium", "seed": null }),
        json!({ "response_format": { "type": "text" }, "service_tier": "auto", "tool_choice": "auto" }),
        json!({ "unknown": null }),
    ] {
        assert_eq!(taken(&with(field.clone())), plain, "{field}");
    }
}

#[test]
fn what_would_change_the_answer_is_refused_by_name() {
    for (fields, expected) in [
        (json!({ "n": 2 }), "n"),
        (json!({ "seed": 1 }), "seed"),
        (json!({ "logit_bias": { "1": 2 } }), "logit_bias"),
        (json!({ "frequency_penalty": 0.1 }), "frequency_penalty"),
        (json!({ "presence_penalty": -1 }), "presence_penalty"),
        (json!({ "logprobs": true }), "logprobs"),
        (json!({ "top_logprobs": 3 }), "top_logprobs"),
        (json!({ "prediction": {} }), "prediction"),
        (json!({ "modalities": ["text", "audio"] }), "modalities"),
        (json!({ "web_search_options": {} }), "web_search_options"),
        (json!({ "functions": [{}] }), "functions"),
        (json!({ "function_call": { "name": "f" } }), "function_call"),
        (json!({ "store": true }), "store"),
        (json!({ "verbosity": "low" }), "verbosity"),
        (json!({ "parallel_tool_calls": false }), "parallel_tool_calls"),
        (json!({ "max_tokens": 1, "max_completion_tokens": 2 }), "max_tokens"),
        (json!({ "response_format": { "type": "json_object" } }), "response_format.type"),
        (json!({ "reasoning_effort": "minimal" }), "reasoning_effort"),
        (json!({ "service_tier": "scale" }), "service_tier"),
        (json!({ "stream_options": { "include_usage": true } }), "stream_options"),
        (json!({ "tools": [{ "type": "web_search" }] }), "tools[0].type"),
        (json!({ "made_up": 1 }), "made_up"),
    ] {
        assert_eq!(param(&with(fields)), expected);
    }
}

#[test]
fn messages_that_cannot_be_carried_are_refused_by_name() {
    let user = |part: Value| json!([{ "role": "user", "content": [part] }]);
    for (messages, expected) in [
        (
            user(json!({ "type": "image_url", "image_url": { "url": "https://x/y.png" } })),
            "messages[0].content[0].image_url.url",
        ),
        (
            user(json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } })),
            "messages[0].content[0].image_url.url",
        ),
        (user(json!({ "type": "input_audio", "input_audio": {} })), "messages[0].content[0]"),
        (user(json!({ "type": "file", "file": { "file_id": "f" } })), "messages[0].content[0].file.file_id"),
        (json!([{ "role": "king", "content": "Hi" }]), "messages[0].role"),
        (json!([{ "role": "function", "content": "Hi" }]), "messages[0].role"),
        (json!([{ "role": "user" }]), "messages[0].content"),
        (json!([{ "role": "assistant", "content": "" }]), "messages[0].content"),
        (json!([{ "role": "tool", "content": "4" }]), "messages[0].tool_call_id"),
        (
            json!([{ "role": "assistant", "tool_calls": [{ "id": "c", "function": { "name": "f", "arguments": "[]" } }] }]),
            "messages[0].tool_calls[0].function.arguments",
        ),
    ] {
        assert_eq!(param(&body(messages)), expected);
    }
    assert_eq!(read(&json!([])).unwrap_err().param, None);
    assert_eq!(param(&json!({ "messages": [] })), "model");
    assert_eq!(param(&json!({ "model": "m" })), "messages");
}

#[test]
fn tools_are_left_out_where_none_is_to_be_called() {
    let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
    let request = taken(&with(json!({ "tools": tools, "tool_choice": "none" })));
    assert_eq!(request["prompt"].get("tools"), None);
    let history = json!([
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "tool_calls": [{ "id": "c", "function": { "name": "f", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": "c", "content": "4" },
    ]);
    let mut document = body(history);
    document["tools"] = tools;
    document["tool_choice"] = json!("none");
    assert_eq!(param(&document), "tool_choice");
}

#[test]
fn the_sentrys_paths_are_told_in_openais_words() {
    for (path, expected) in [
        ("prompt.messages[2].content[0].toolResult.toolUseId", "messages[2].content"),
        ("prompt.messages[2].role", "messages[2].role"),
        ("prompt.messages", "messages"),
        ("prompt.tools[3].toolSpec.name", "tools[3]"),
        ("inference.maxTokens", "max_completion_tokens"),
        ("inference.stopSequences[1]", "stop[1]"),
        ("inference.reasoning.effort", "reasoning_effort"),
        ("modelId", "model"),
        ("somewhere", "somewhere"),
    ] {
        assert_eq!(param_of(path), expected);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "text",
            "user",
            "assistant",
            "tool",
            "function",
            "image_url",
            "data:;base64,"
        ])
        .prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "role",
        "content",
        "type",
        "text",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "tool_call_id",
        "image_url",
        "url",
        "file",
        "file_data",
        "tools",
        "tool_choice",
        "stop",
        "response_format",
        "json_schema",
        "schema",
        "cache_control",
    ]);
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_is_translated_or_refused_by_name(messages in any_json(), more in any_json()) {
        let mut document = json!({ "model": "a.b", "messages": messages });
        if let (Some(fields), Value::Object(more)) = (document.as_object_mut(), more) {
            fields.extend(more);
        }
        match read(&document) {
            Ok(request) => match Request::parse(&request.document) {
                Ok(_) => {}
                Err(error) => prop_assert!(!error.path.is_empty() && !param_of(&error.path).is_empty()),
            },
            Err(error) => prop_assert!(error.message.ends_with('.') && error.param.is_some()),
        }
    }
}
