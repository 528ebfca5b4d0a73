use serde_json::{Value, json};

use crate::{Chunks, Completion, DoorError, completion};

fn about() -> Completion {
    Completion { id: "chatcmpl-1".to_owned(), model: "m".to_owned(), created: 7 }
}

fn usage() -> Value {
    json!({ "inputTokens": 5, "outputTokens": 3, "cacheReadInputTokens": 2, "cacheWriteInputTokens": 1, "totalTokens": 11 })
}

#[test]
fn an_answer_has_every_member_that_clients_read() {
    let answer = json!({ "message": { "role": "assistant", "content": "Hello." }, "stopReason": "end_turn",
        "reasoning": "Greet.", "usage": usage() });
    assert_eq!(
        completion(&about(), &answer),
        json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m",
            "choices": [{ "index": 0, "logprobs": null, "finish_reason": "stop",
                "message": { "role": "assistant", "content": "Hello.", "refusal": null, "reasoning_content": "Greet." } }],
            "usage": { "prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11,
                "prompt_tokens_details": { "cached_tokens": 2, "cache_creation_tokens": 1 } } })
    );
}

#[test]
fn calls_and_signed_reasoning_can_be_given_back() {
    let answer = json!({ "message": { "role": "assistant", "content": null,
            "toolUses": [{ "toolUseId": "c1", "name": "add", "input": { "a": 2 } }],
            "reasoning": [{ "text": "Ask.", "signature": "c2ln" }, { "redacted": "AAAA" }] },
        "stopReason": "tool_use", "usage": usage() });
    let answer = completion(&about(), &answer);
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let mut message = choice["message"].clone();
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"a\":2}");
    message.as_object_mut().unwrap().remove("refusal");
    let given_back = json!({ "model": "m", "messages": [
        { "role": "user", "content": "Hi" }, message, { "role": "tool", "tool_call_id": "c1", "content": "4" }] });
    let request = crate::read(&given_back).unwrap().document;
    assert_eq!(
        request["prompt"]["messages"][1]["content"],
        json!([
            { "reasoningContent": { "reasoningText": { "text": "Ask.", "signature": "c2ln" } } },
            { "reasoningContent": { "redactedContent": "AAAA" } },
            { "toolUse": { "toolUseId": "c1", "name": "add", "input": { "a": 2 } } },
        ])
    );
}

#[test]
fn every_stop_reason_has_a_finish_reason() {
    for (reason, finish) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("other", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("context_window_exceeded", "length"),
        ("content_filtered", "content_filter"),
        ("refusal", "content_filter"),
    ] {
        let answer = json!({ "message": { "content": "x" }, "stopReason": reason, "usage": usage() });
        assert_eq!(completion(&about(), &answer)["choices"][0]["finish_reason"], finish);
    }
}

fn play(chunks: &mut Chunks, events: &[(&str, Value)]) -> Vec<Value> {
    let mut all = vec![chunks.first()];
    for (name, event) in events {
        all.extend(chunks.event(name, event));
    }
    all.extend(chunks.last());
    all.into_iter().map(|chunk| chunk["choices"][0].clone()).collect()
}

#[test]
fn a_stream_has_a_role_an_index_for_each_call_and_a_reason_at_its_end() {
    let events = [
        ("messageStart", json!({ "role": "assistant" })),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 0, "delta": { "reasoningContent": { "text": "Hm." } } }),
        ),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 0, "delta": { "reasoningContent": { "signature": "c2ln" } } }),
        ),
        ("contentBlockDelta", json!({ "contentBlockIndex": 1, "delta": { "text": "Hel" } })),
        (
            "contentBlockStart",
            json!({ "contentBlockIndex": 2, "start": { "toolUse": { "toolUseId": "c1", "name": "add" } } }),
        ),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 2, "delta": { "toolUse": { "input": "{\"a\"" } } }),
        ),
        (
            "contentBlockStart",
            json!({ "contentBlockIndex": 3, "start": { "toolUse": { "toolUseId": "c2", "name": "who" } } }),
        ),
        ("contentBlockDelta", json!({ "contentBlockIndex": 3, "delta": { "toolUse": { "input": "{}" } } })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 2, "delta": { "toolUse": { "input": ":1}" } } })),
        ("messageStop", json!({ "stopReason": "tool_use" })),
        ("metadata", json!({ "usage": usage() })),
    ];
    let mut chunks = Chunks::new(about(), None);
    let choices = play(&mut chunks, &events);
    let deltas: Vec<Value> = choices.iter().map(|choice| choice["delta"].clone()).collect();
    assert_eq!(
        json!(deltas),
        json!([
            { "role": "assistant", "content": "" },
            { "reasoning_content": "Hm." },
            { "thinking_blocks": [{ "type": "thinking", "thinking": "", "signature": "c2ln" }] },
            { "content": "Hel" },
            { "tool_calls": [{ "index": 0, "id": "c1", "type": "function", "function": { "name": "add", "arguments": "" } }] },
            { "tool_calls": [{ "index": 0, "function": { "arguments": "{\"a\"" } }] },
            { "tool_calls": [{ "index": 1, "id": "c2", "type": "function", "function": { "name": "who", "arguments": "" } }] },
            { "tool_calls": [{ "index": 1, "function": { "arguments": "{}" } }] },
            { "tool_calls": [{ "index": 0, "function": { "arguments": ":1}" } }] },
            {},
        ])
    );
    assert_eq!(choices.last().unwrap()["finish_reason"], "tool_calls");
    let last = chunks.usage(&usage());
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(11)));
}

#[test]
fn an_answer_that_is_a_tools_input_streams_as_text() {
    let events = [
        (
            "contentBlockStart",
            json!({ "contentBlockIndex": 0, "start": { "toolUse": { "toolUseId": "c1", "name": "answer" } } }),
        ),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 0, "delta": { "toolUse": { "input": "{\"a\":1}" } } }),
        ),
        ("messageStop", json!({ "stopReason": "tool_use" })),
    ];
    let mut chunks = Chunks::new(about(), Some("answer".to_owned()));
    let choices = play(&mut chunks, &events);
    assert_eq!(choices[1]["delta"], json!({ "content": "{\"a\":1}" }));
    assert_eq!(choices[2]["finish_reason"], "stop");
}

#[test]
fn a_stream_that_breaks_off_has_no_reason() {
    assert_eq!(Chunks::new(about(), None).last(), None);
}

#[test]
fn errors_say_whether_to_ask_again() {
    for (name, cause, status, kind, retry) in [
        ("BudgetExceeded", json!({ "retryAfterSeconds": 600 }), 429, "insufficient_quota", false),
        ("BudgetBusy", json!({ "retryAfterSeconds": 2 }), 429, "rate_limit_error", true),
        ("RequestInProgress", json!({}), 409, "conflict_error", true),
        ("InvalidRequest", json!({ "path": "prompt.messages[0].role" }), 400, "invalid_request_error", false),
        ("UnsupportedModel", json!({}), 404, "invalid_request_error", false),
        ("ModelThrottled", json!({ "possiblyBilled": false }), 429, "rate_limit_error", true),
        ("ModelThrottled", json!({}), 429, "rate_limit_error", false),
        ("ModelTimeout", json!({ "possiblyBilled": true }), 504, "server_error", false),
        ("SentryUnavailable", json!({ "possiblyBilled": true }), 503, "server_error", false),
        ("Made.Up", json!({}), 500, "server_error", false),
    ] {
        let error = DoorError::of(name, &cause);
        assert_eq!(
            (error.status, error.body.kind, error.should_retry),
            (status, kind, retry),
            "{name} {cause}"
        );
        assert_eq!(error.retry_after, cause["retryAfterSeconds"].as_u64());
    }
    let error =
        DoorError::of("InvalidRequest", &json!({ "message": "No.", "path": "prompt.messages[0].role" }));
    assert_eq!(
        error.document(),
        json!({ "error": { "message": "No.", "type": "invalid_request_error", "param": "messages[0].role", "code": "InvalidRequest" } })
    );
}
