//! What the real models refuse is refused here.

use super::*;

async fn refused(operation: Operation, id: &str, body: &Value) -> String {
    let error = service(&[]).call(operation, id, body, noon()).await;
    let error = error.err().unwrap_or_else(|| panic!("{id} took {body}"));
    assert_eq!(error.name, "ValidationException", "{id} {body}");
    error.message
}

/// A body with this member set, or removed by null.
fn with(mut body: Value, key: &str, value: Value) -> Value {
    let map = body.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(key)
    } else {
        map.insert(key.to_owned(), value)
    };
    body
}

#[tokio::test]
async fn anthropic() {
    let user = |text: &str| json!({ "role": "user", "content": text });
    let turns = |turns: Value| with(claude("x"), "messages", turns);
    for (body, words) in [
        (with(claude("x"), "max_tokens", json!(null)), "#: required key [max_tokens] not found"),
        (with(claude("x"), "anthropic_version", json!(null)), "required key [anthropic_version]"),
        (with(claude("x"), "maxTokens", json!(5)), "#: extraneous key [maxTokens] is not permitted"),
        (with(claude("x"), "max_tokens", json!("5")), "#/max_tokens: expected type: Integer, found: String"),
        (with(claude("x"), "max_tokens", json!(0)), "0 is not greater or equal to 1"),
        (with(claude("x"), "max_tokens", json!(200_000)), "maximum allowed number of output tokens"),
        (with(claude("x"), "temperature", json!(1.5)), "#/temperature: 1.5 is not less or equal to 1"),
        (with(claude("x"), "top_p", json!(-1)), "#/top_p: -1 is not greater or equal to 0"),
        (with(claude("x"), "stop_sequences", json!([" "])), "non-whitespace"),
        (with(claude("x"), "system", json!("")), ""),
        (claude(" "), "non-empty"),
        (turns(json!([])), "expected minimum item count: 1"),
        (turns(json!([{ "role": "system", "content": "a" }, user("b")])), "top-level `system` parameter"),
        (turns(json!([user("a"), user("b")])), "roles must alternate"),
        (turns(json!([user("a"), { "role": "assistant", "content": "b" }])), "prefill"),
        (turns(json!([{ "role": "user", "content": [] }])), "minimum item count"),
        (turns(json!([{ "role": "user", "content": [{ "text": "a" }] }])), "required key [type]"),
        (
            turns(json!([{ "role": "user", "content": [{ "type": "words", "text": "a" }] }])),
            "Input tag 'words'",
        ),
        (turns(json!([{ "role": "user", "content": "a", "name": "b" }])), "extraneous key [name]"),
        (json!([]), "expected type: JSONObject, found: JSONArray"),
    ] {
        if words.is_empty() {
            // An empty system prompt is taken, as the service takes it.
            assert!(service(&[]).invoke(SONNET, &body, noon()).await.is_ok());
            continue;
        }
        let message = refused(Operation::InvokeModel, SONNET, &body).await;
        assert!(message.contains(words), "{body}: {message}");
    }
    let prefill = turns(json!([user("a"), { "role": "assistant", "content": "{" }]));
    assert!(service(&[]).invoke("anthropic.claude-3-5-haiku-20241022-v1:0", &prefill, noon()).await.is_ok());
    for id in [
        "anthropic.claude-opus-4-7",
        "anthropic.claude-sonnet-5",
        "anthropic.claude-fable-5-1",
        "anthropic.claude-haiku-5-5",
    ] {
        for key in ["temperature", "top_p", "top_k"] {
            let message = refused(Operation::InvokeModel, id, &with(claude("x"), key, json!(1))).await;
            assert_eq!(message, format!("`{key}` is deprecated for this model."));
        }
    }
    let both = with(with(claude("x"), "temperature", json!(0.5)), "top_p", json!(0.5));
    assert!(
        refused(Operation::InvokeModel, "anthropic.claude-sonnet-4-5-20250929-v1:0", &both)
            .await
            .contains("cannot both")
    );
    assert!(service(&[]).invoke("anthropic.claude-3-haiku-20240307-v1:0", &both, noon()).await.is_ok());
}

#[tokio::test]
async fn the_other_vendors() {
    let chat = |key: &str, value: Value| {
        with(json!({ "messages": [{ "role": "user", "content": "x" }] }), key, value)
    };
    for (id, body, words) in [
        ("anthropic.claude-v2", json!({ "prompt": "Hello", "max_tokens_to_sample": 5 }), "must start with"),
        (
            "anthropic.claude-v2",
            with(
                claude("x"),
                "messages",
                json!([{ "role": "assistant", "content": "a" }, { "role": "user", "content": "b" }]),
            ),
            "first message must use the \"user\" role",
        ),
        (
            "anthropic.claude-v2",
            json!({ "prompt": "\n\nHuman: Hello\n\nAssistant:" }),
            "[max_tokens_to_sample]",
        ),
        (
            "amazon.nova-lite-v1:0",
            json!({ "messages": [{ "role": "user", "content": "x" }] }),
            "expected type: JSONArray, found: String",
        ),
        (
            "amazon.nova-lite-v1:0",
            json!({ "messages": [{ "role": "user", "content": [{ "text": "x" }] }], "max_tokens": 5 }),
            "[max_tokens]",
        ),
        (
            "amazon.nova-lite-v1:0",
            json!({ "messages": [{ "role": "system", "content": [{ "text": "x" }] }] }),
            "not a valid enum value",
        ),
        (
            "amazon.nova-lite-v1:0",
            json!({ "messages": [{ "role": "user", "content": [{ "text": "x" }] }], "inferenceConfig": { "maxTokens": 99_999 } }),
            "not less or equal",
        ),
        ("amazon.titan-text-lite-v1", json!({ "inputText": "x", "maxTokenCount": 5 }), "[maxTokenCount]"),
        (
            "amazon.titan-text-lite-v1",
            json!({ "inputText": "x", "textGenerationConfig": { "maxTokenCount": 5000 } }),
            "5000 is not less or equal to 4096",
        ),
        ("meta.llama3-1-8b-instruct-v1:0", json!({ "prompt": "x", "stop": ["a"] }), "[stop]"),
        ("meta.llama3-1-8b-instruct-v1:0", json!({ "prompt": "x", "max_tokens": 5 }), "[max_tokens]"),
        ("meta.llama2-13b-chat-v1", json!({ "prompt": "x", "max_gen_len": 2049 }), "2048"),
        ("mistral.mistral-7b-instruct-v0:2", json!({ "messages": [] }), "[messages]"),
        ("mistral.mistral-large-2407-v1:0", chat("top_k", json!(5)), "[top_k]"),
        (
            "mistral.mistral-large-2407-v1:0",
            json!({ "messages": [{ "role": "user", "content": "a" }, { "role": "user", "content": "b" }] }),
            "alternate",
        ),
        (
            "mistral.mistral-large-2407-v1:0",
            json!({ "messages": [{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }] }),
            "last role",
        ),
        ("cohere.command-text-v14", json!({ "prompt": "x", "top_p": 0.5 }), "[top_p]"),
        ("cohere.command-r-v1:0", json!({ "message": "x", "p": 1.0 }), "1 is not less or equal to 0.99"),
        (
            "cohere.command-r-v1:0",
            json!({ "message": "x", "chat_history": [{ "role": "user", "message": "a" }] }),
            "not a valid enum value",
        ),
        ("ai21.j2-mid-v1", json!({ "prompt": "x", "max_tokens": 5 }), "[max_tokens]"),
        ("ai21.jamba-1-5-mini-v1:0", chat("max_tokens", json!(4097)), "4097 is not less or equal to 4096"),
        ("ai21.jamba-1-5-mini-v1:0", chat("temperature", json!(2.5)), "#/temperature"),
        (
            "deepseek.r1-v1:0",
            json!({ "prompt": "x", "stop": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"] }),
            "maximum item count: 10",
        ),
        ("openai.gpt-5.4", chat("max_tokens", json!(5)), "Use 'max_completion_tokens' instead"),
        ("openai.gpt-5.4", chat("temperature", json!(0.5)), "'temperature' is not supported"),
        ("openai.gpt-5.6-sol", chat("stop", json!(["a"])), "'stop' is not supported"),
        ("xai.grok-4.6", chat("stop", json!(["a"])), "'stop' is not supported"),
        ("qwen.qwen3-32b-v1:0", chat("top_k", json!(5)), "[top_k]"),
        ("qwen.qwen3-32b-v1:0", chat("stream", json!(true)), "does not stream"),
        (
            "qwen.qwen3-32b-v1:0",
            json!({ "messages": [{ "role": "bot", "content": "x" }] }),
            "not a valid enum value",
        ),
        ("qwen.qwen3-32b-v1:0", json!({ "messages": [{ "role": "user", "content": "" }] }), "non-empty"),
        ("qwen.qwen3-32b-v1:0", json!({ "messages": [{ "role": "user" }] }), "[content]"),
        (
            "us.writer.palmyra-x5-v1:0",
            json!({ "prompt": "x", "messages": [{ "role": "user", "content": "x" }] }),
            "[prompt]",
        ),
    ] {
        let message = refused(Operation::InvokeModel, id, &body).await;
        assert!(message.contains(words), "{id} {body}: {message}");
    }
    assert!(service(&[]).invoke("openai.gpt-5.4", &chat("stop", json!(["a"])), noon()).await.is_ok());
}

#[tokio::test]
async fn converse() {
    let said = |role: &str, text: &str| json!({ "role": role, "content": [{ "text": text }] });
    let base = conversation("x");
    for (id, body, words) in [
        (SONNET, with(base.clone(), "max_tokens", json!(5)), "extraneous key [max_tokens]"),
        (SONNET, with(base.clone(), "messages", json!([])), "must start with a user message"),
        (SONNET, json!({}), "must start with a user message"),
        (
            SONNET,
            with(base.clone(), "messages", json!([said("assistant", "a")])),
            "must start with a user message",
        ),
        (
            SONNET,
            with(base.clone(), "messages", json!([said("user", "a"), said("user", "b")])),
            "must alternate",
        ),
        (
            SONNET,
            with(base.clone(), "messages", json!([said("user", "a"), said("assistant", "b")])),
            "prefill",
        ),
        (
            "meta.llama3-1-8b-instruct-v1:0",
            with(base.clone(), "messages", json!([said("user", "a"), said("assistant", "b")])),
            "must end with a user message",
        ),
        (SONNET, with(base.clone(), "messages", json!([said("system", "a")])), "[user, assistant]"),
        (SONNET, with(base.clone(), "messages", json!([said("user", " ")])), "messages.0.content.0 is blank"),
        (
            SONNET,
            with(base.clone(), "messages", json!([{ "role": "user", "content": [] }])),
            "messages.0 is empty",
        ),
        (
            SONNET,
            with(
                base.clone(),
                "messages",
                json!([{ "role": "user", "content": [{ "type": "text", "text": "a" }] }]),
            ),
            "[type]",
        ),
        (SONNET, with(base.clone(), "messages", json!([{ "role": "user", "content": "a" }])), "JSONArray"),
        (SONNET, with(base.clone(), "system", json!("a")), "JSONArray"),
        (
            SONNET,
            with(base.clone(), "inferenceConfig", json!({ "temperature": 1.5 })),
            "less than or equal to 1",
        ),
        (
            SONNET,
            with(base.clone(), "inferenceConfig", json!({ "maxTokens": 0 })),
            "greater than or equal to 1",
        ),
        (SONNET, with(base.clone(), "inferenceConfig", json!({ "topK": 5 })), "[topK]"),
        (
            "amazon.titan-text-lite-v1",
            with(base.clone(), "inferenceConfig", json!({ "maxTokens": 5000 })),
            "exceeds the model limit of 4096",
        ),
        (
            "amazon.titan-text-lite-v1",
            with(base.clone(), "system", json!([{ "text": "a" }])),
            "doesn't support system messages",
        ),
        (
            "mistral.mistral-7b-instruct-v0:2",
            with(base.clone(), "system", json!([{ "text": "a" }])),
            "doesn't support system messages",
        ),
        (
            "cohere.command-text-v14",
            with(
                base.clone(),
                "messages",
                json!([said("user", "a"), said("assistant", "b"), said("user", "c")]),
            ),
            "conversation history",
        ),
        (
            "meta.llama3-1-8b-instruct-v1:0",
            with(base.clone(), "inferenceConfig", json!({ "stopSequences": ["a"] })),
            "stopSequences",
        ),
        (
            "anthropic.claude-opus-5",
            with(base.clone(), "inferenceConfig", json!({ "topP": 0.5 })),
            "`top_p` is deprecated",
        ),
        (
            "anthropic.claude-opus-5",
            with(base.clone(), "additionalModelRequestFields", json!({ "top_k": 5 })),
            "`top_k` is deprecated",
        ),
        (
            "meta.llama3-1-8b-instruct-v1:0",
            with(base.clone(), "additionalModelRequestFields", json!({ "top_k": 5 })),
            "[top_k]",
        ),
        (
            "xai.grok-4.6",
            with(base.clone(), "inferenceConfig", json!({ "stopSequences": ["a"] })),
            "doesn't support the stopSequences field",
        ),
        (
            "xai.grok-4.6",
            with(base.clone(), "inferenceConfig", json!({ "maxTokens": 15 })),
            "Expected a value >= 16",
        ),
        ("amazon.titan-embed-text-v1", base.clone(), "doesn't support the model"),
    ] {
        let message = refused(Operation::Converse, id, &body).await;
        assert!(message.contains(words), "{id} {body}: {message}");
    }
    let whole = json!({
        "system": [{ "text": "Be brief." }, { "cachePoint": { "type": "default" } }],
        "messages": [said("user", "a"), said("assistant", "b"), said("user", "c")],
        "inferenceConfig": { "maxTokens": 10, "temperature": 0.5, "stopSequences": ["|"] },
        "additionalModelRequestFields": { "top_k": 5 },
    });
    let (answer, usage) = service(&[]).converse(SONNET, &whole, noon()).await.unwrap();
    assert_eq!(answer["usage"]["totalTokens"], json!(usage.total()));
    assert_eq!(answer["stopReason"], "max_tokens");
}

#[tokio::test]
async fn the_model_is_looked_at_before_the_body() {
    let reply = service(&[]).handle(Operation::InvokeModel, "does-not-exist", b"{", noon()).await;
    assert_eq!(reply.json_body()["message"], "The provided model identifier is invalid.");
    let reply = service(&[]).handle(Operation::InvokeModel, SONNET, b"{", noon()).await;
    assert!(reply.json_body()["message"].as_str().unwrap().starts_with("Malformed input request"));
}
