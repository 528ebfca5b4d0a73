use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::PromptTemplate;
use bound::{any_template, text_bound};

/// Of a vendor that is new on Bedrock: neither its rules nor its context window are known.
const UNKNOWN_MODEL: &str = "newvendor.model-1-v1:0";

mod bound;
mod content;
mod inference;
mod media;
mod size;
mod tools;

fn simple() -> Value {
    json!({ "modelId": "amazon.nova-2-lite-v1:0", "prompt": { "messages": [{ "role": "user", "content": "Why is the sky blue?" }] } })
}

fn with(path: &str, value: Value) -> Value {
    let mut document = simple();
    let (head, last) = path.rsplit_once('/').unwrap();
    let place = if head.is_empty() { &mut document } else { document.pointer_mut(head).unwrap() };
    match place {
        Value::Object(map) => {
            map.insert(last.to_owned(), value);
        }
        Value::Array(list) => list.push(value),
        _ => unreachable!(),
    }
    document
}

fn refused(document: &Value) -> RequestError {
    Request::parse(document).unwrap_err()
}

fn message(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

fn conversation(messages: &[(&str, &str)]) -> Value {
    let messages: Vec<Value> = messages.iter().map(|(role, content)| message(role, content)).collect();
    json!({ "modelId": "m.m", "prompt": { "messages": messages } })
}

/// A request of these messages, with the tool `look` where one of them mentions a tool.
fn talk(messages: &Value) -> Value {
    let mut document = json!({ "modelId": "m.m", "prompt": { "messages": messages } });
    if messages.to_string().contains("\"tool") {
        document["prompt"]["tools"] = json!([tool("look")]);
    }
    document
}

/// A request of one user message with this content.
fn ask(content: &Value) -> Value {
    talk(&json!([{ "role": "user", "content": content }]))
}

fn tool(name: &str) -> Value {
    json!({ "toolSpec": { "name": name, "inputSchema": { "json": { "type": "object" } } } })
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Refused as invalid at a path, in a sentence that has these words.
fn refused_at(document: &Value, path: &str, words: &str) {
    let error = match Request::parse(document) {
        Ok(_) => panic!("{path} is to be refused: {words}"),
        Err(error) => error,
    };
    assert_eq!((error.kind, error.path.as_str()), (RequestErrorKind::InvalidRequest, path), "{error}");
    assert!(error.message.contains(words) && error.message.ends_with('.'), "{error}");
}

/// Accepted, and the same again from its own document.
fn accepted(document: &Value) -> Request {
    let request = Request::parse(document).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(Request::parse(&serde_json::to_value(&request).unwrap()).unwrap(), request);
    request
}

#[test]
fn two_fields_are_enough() {
    let request = Request::parse(&simple()).unwrap();
    assert_eq!(request.inference, Inference::default());
    assert_eq!(request.tags, Tags::default());
    assert_eq!((request.tenant, request.idempotency_key), (None, None));
}

#[test]
fn everything_is_kept() {
    let document = json!({
        "modelId": "anthropic.claude-3-sonnet-20240229-v1:0",
        "prompt": { "messages": [message("system", "Be brief."), message("user", "Hi"), message("assistant", "Ho")] },
        "inference": { "maxTokens": 7, "temperature": 0.25, "topP": 0.5, "topK": 40, "stopSequences": ["END"] },
        "tags": { "applicationId": "checkout", "costCenter": "cc-42", "environment": "prod" },
        "tenant": "acme", "idempotencyKey": "a/b+c"
    });
    assert_eq!(serde_json::to_value(Request::parse(&document).unwrap()).unwrap(), document);
}

#[test]
fn null_counts_as_absent_where_a_field_is_optional() {
    let mut document = simple();
    for field in ["inference", "tags", "tenant", "idempotencyKey"] {
        document[field] = Value::Null;
    }
    Request::parse(&document).unwrap();
    let error = refused(&with("/modelId", Value::Null));
    assert_eq!(error.path, "modelId");
}

/// Every way of being malformed, with the path that is named.
#[test]
fn malformed_documents_name_the_field() {
    let long = "x".repeat(129);
    let cases: Vec<(Value, &str)> = vec![
        (json!("text"), ""),
        (json!([]), ""),
        (json!(null), ""),
        (json!({}), "modelId"),
        (json!({ "modelId": "a.b" }), "prompt"),
        (with("/stream", json!(true)), "stream"),
        (with("/modelId", json!("")), "modelId"),
        (with("/modelId", json!(7)), "modelId"),
        (with("/modelId", json!("a b")), "modelId"),
        (with("/modelId", json!("a\u{e9}.b")), "modelId"),
        (with("/modelId", json!("m".repeat(2_049))), "modelId"),
        (with("/prompt", json!("Hi")), "prompt"),
        (with("/prompt/system", json!("Hi")), "prompt.system"),
        (with("/prompt/messages", json!({})), "prompt.messages"),
        (with("/prompt/messages", json!([])), "prompt.messages"),
        (with("/prompt/messages", json!([message("system", "a")])), "prompt.messages"),
        (with("/prompt/messages", json!([1])), "prompt.messages[0]"),
        (with("/prompt/messages/-", json!({ "content": "x" })), "prompt.messages[1].role"),
        (with("/prompt/messages/-", json!({ "role": "user" })), "prompt.messages[1].content"),
        (with("/prompt/messages/-", message("tool", "x")), "prompt.messages[1].role"),
        (with("/prompt/messages/-", message("User", "x")), "prompt.messages[1].role"),
        (with("/prompt/messages/-", json!({ "role": 1, "content": "x" })), "prompt.messages[1].role"),
        (with("/prompt/messages/-", message("user", " \n\t")), "prompt.messages[1].content"),
        (with("/prompt/messages/-", message("user", "a\0b")), "prompt.messages[1].content"),
        (with("/prompt/messages/-", json!({ "role": "user", "content": [] })), "prompt.messages[1].content"),
        (
            with("/prompt/messages/-", json!({ "role": "user", "content": null })),
            "prompt.messages[1].content",
        ),
        (
            with("/prompt/messages/-", json!({ "role": "user", "content": "x", "name": "y" })),
            "prompt.messages[1].name",
        ),
        (with("/prompt/messages/-", message("system", "late")), "prompt.messages[1].role"),
        (
            with("/prompt/messages", json!([message("system", "a"), message("assistant", "b")])),
            "prompt.messages",
        ),
        (
            with(
                "/prompt/messages",
                json!([message("assistant", "a"), message("user", "b"), message("system", "c")]),
            ),
            "prompt.messages[2].role",
        ),
        (with("/inference", json!([])), "inference"),
        (with("/inference", json!({ "max_tokens": 1 })), "inference.max_tokens"),
        (with("/inference", json!({ "maxTokens": 0 })), "inference.maxTokens"),
        (with("/inference", json!({ "maxTokens": -1 })), "inference.maxTokens"),
        (with("/inference", json!({ "maxTokens": 1.5 })), "inference.maxTokens"),
        (with("/inference", json!({ "maxTokens": "9" })), "inference.maxTokens"),
        (with("/inference", json!({ "maxTokens": 1_000_001 })), "inference.maxTokens"),
        (with("/inference", json!({ "maxTokens": u64::MAX })), "inference.maxTokens"),
        (with("/inference", json!({ "temperature": -0.1 })), "inference.temperature"),
        (with("/inference", json!({ "temperature": 2.01 })), "inference.temperature"),
        (with("/inference", json!({ "temperature": 1e300 })), "inference.temperature"),
        (with("/inference", json!({ "temperature": true })), "inference.temperature"),
        (with("/inference", json!({ "topP": 0 })), "inference.topP"),
        (with("/inference", json!({ "topP": 1.1 })), "inference.topP"),
        (with("/inference", json!({ "topK": -1 })), "inference.topK"),
        (with("/inference", json!({ "topK": 501 })), "inference.topK"),
        (with("/inference", json!({ "stopSequences": "END" })), "inference.stopSequences"),
        (with("/inference", json!({ "stopSequences": vec!["x"; 17] })), "inference.stopSequences"),
        (with("/inference", json!({ "stopSequences": ["x", ""] })), "inference.stopSequences[1]"),
        (with("/inference", json!({ "stopSequences": [3] })), "inference.stopSequences[0]"),
        (with("/inference", json!({ "stopSequences": [long] })), "inference.stopSequences[0]"),
        (with("/tags", json!({ "team": "x" })), "tags.team"),
        (with("/tags", json!({ "costCenter": "" })), "tags.costCenter"),
        (with("/tags", json!({ "costCenter": long })), "tags.costCenter"),
        (with("/tags", json!({ "environment": "a\nb" })), "tags.environment"),
        (with("/tenant", json!("a/b")), "tenant"),
        (with("/tenant", json!("")), "tenant"),
        (with("/tenant", json!(long)), "tenant"),
        (with("/idempotencyKey", json!("a b")), "idempotencyKey"),
        (with("/idempotencyKey", json!("")), "idempotencyKey"),
    ];
    for (document, path) in cases {
        let error = refused(&document);
        assert_eq!(error.kind, RequestErrorKind::InvalidRequest, "{document}");
        assert_eq!(error.path, path, "{document}: {error}");
        assert!(error.message.ends_with('.'), "{error}");
        for jargon in
            ["expected", "invalid type", "struct", "map", "sequence,", "Option", "u64", "f64", "serde"]
        {
            assert!(!error.message.contains(jargon), "{error} says {jargon}");
        }
    }
}

#[test]
fn a_long_unknown_field_is_cut() {
    let error = refused(&with("/prompt", json!({ ("x".repeat(5_000)): 1 })));
    assert!(error.message.len() < 200, "{error}");
}

#[test]
fn a_prompt_is_never_repeated_in_an_error() {
    let error = refused(&with("/inference", json!({ "maxTokens": "my secret prompt" })));
    assert!(!error.message.contains("secret"), "{error}");
}

#[test]
fn too_many_messages_are_refused() {
    let messages = vec![("user", "x"); MAX_MESSAGES + 1];
    assert_eq!(refused(&conversation(&messages)).path, "prompt.messages");
    Request::parse(&conversation(&messages[1..])).unwrap();
}

#[test]
fn a_conversation_alternates() {
    let request = Request::parse(&conversation(&[
        ("system", "One."),
        ("system", "Two."),
        ("user", "a"),
        ("user", "b"),
        ("assistant", "c"),
        ("assistant", "d"),
        ("user", "e"),
    ]))
    .unwrap();
    let talk = request.prompt.conversation();
    assert_eq!(talk.system.as_deref(), Some("One.\n\nTwo."));
    let turns: Vec<_> =
        talk.turns.iter().map(|turn| (turn.role, turn.content.as_str(), turn.index)).collect();
    assert_eq!(turns, [(Role::User, "a\n\nb", 2), (Role::Assistant, "c\n\nd", 4), (Role::User, "e", 6)]);
    assert_eq!(talk.prefill(), None);
    assert_eq!(talk.with_system_folded().turns[0].content, "One.\n\nTwo.\n\na\n\nb");
}

/// Bedrock takes both from some vendors, so it is the vendor's format that refuses them.
#[test]
fn an_assistant_may_begin_and_top_k_may_be_zero() {
    let mut document = conversation(&[("system", "s"), ("assistant", "a"), ("user", "b")]);
    document["inference"] = json!({ "topK": 0 });
    let request = Request::parse(&document).unwrap();
    assert_eq!(request.inference.top_k, Some(0));
    let turns: Vec<_> = request.prompt.conversation().turns.iter().map(|turn| turn.role).collect();
    assert_eq!(turns, [Role::Assistant, Role::User]);
}

#[test]
fn an_assistant_turn_at_the_end_is_a_prefill() {
    let request = Request::parse(&conversation(&[("user", "a"), ("assistant", "b")])).unwrap();
    assert_eq!(request.prompt.conversation().prefill().map(|turn| turn.index), Some(1));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just("user"), Just("assistant"), Just("system")].prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("modelId".to_owned()),
        Just("prompt".to_owned()),
        Just("messages".to_owned()),
        Just("role".to_owned()),
        Just("content".to_owned()),
        Just("inference".to_owned()),
        Just("maxTokens".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Mostly a list of messages, each whole or with a part of it that is anything.
fn messages_like() -> impl Strategy<Value = Value> {
    let role = prop_oneof![
        8 => prop::sample::select(vec!["user", "assistant", "system"]).prop_map(Value::from),
        1 => any_json(),
    ];
    let content = prop_oneof![8 => ".{1,12}".prop_map(Value::from), 1 => any_json()];
    let message = prop_oneof![
        8 => (role, content).prop_map(|(role, content)| json!({ "role": role, "content": content })),
        1 => any_json(),
    ];
    prop_oneof![8 => prop::collection::vec(message, 0..5).prop_map(Value::from), 1 => any_json()]
}

proptest! {
    #[test]
    fn any_json_is_a_request_or_a_named_error(document in any_json()) {
        if let Ok(request) = Request::parse(&document) {
            prop_assert!(request.escaped_bytes() <= MAX_ESCAPED_BYTES);
        }
    }

    #[test]
    fn any_json_as_messages_is_a_request_or_a_named_error(messages in messages_like(), model in any_template()) {
        let document = json!({ "modelId": "a.b", "prompt": { "messages": messages } });
        match Request::parse(&document) {
            Ok(request) => {
                let bytes: usize = request.prompt.messages.iter().map(|message| message.content.text().len()).sum();
                prop_assert!(text_bound(&request.prompt, model) >= bytes as u64);
                prop_assert!(request.prompt.messages.iter().any(|message| message.role == Role::User));
            }
            Err(error) => {
                prop_assert!(error.path.starts_with("prompt.messages"), "{}", error.path);
                prop_assert!(error.message.ends_with('.'));
            }
        }
    }

    #[test]
    fn a_request_survives_its_own_document(
        contents in prop::collection::vec("\\PC{1,20}x", 1..8),
        temperature in prop::option::of(0.0f64..=2.0),
        max_tokens in prop::option::of(1u64..=1_000_000),
    ) {
        let messages: Vec<Value> = contents
            .iter()
            .enumerate()
            .map(|(index, content)| message(if index % 2 == 0 { "user" } else { "assistant" }, content))
            .collect();
        let mut document = json!({ "modelId": "a.b", "prompt": { "messages": messages }, "inference": {}, "tags": {} });
        if let Some(number) = temperature { document["inference"]["temperature"] = json!(number); }
        if let Some(number) = max_tokens { document["inference"]["maxTokens"] = json!(number); }
        let request = Request::parse(&document).unwrap();
        prop_assert_eq!(serde_json::to_value(&request).unwrap(), document);
        let bytes: usize = contents.iter().map(String::len).sum();
        prop_assert!(text_bound(&request.prompt, PromptTemplate::of("anthropic.")) >= bytes as u64);
        let twice = serde_json::to_string(&serde_json::to_string(&request).unwrap()).unwrap();
        prop_assert_eq!(request.escaped_bytes(), twice.len() as u64);
    }
}
