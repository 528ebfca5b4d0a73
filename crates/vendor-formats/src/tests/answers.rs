//! Answers in each vendor's shape, and what becomes of them.

use insta::assert_json_snapshot;
use serde_json::{Map, Value, json};

use super::{converse, formatter, normalize};
use crate::Formatter;

fn read(formatter: &Formatter, cases: Vec<(&str, &str, Value)>) -> Value {
    let rows: Map<String, Value> = cases
        .into_iter()
        .map(|(name, model_id, body)| {
            let outcome = match normalize(formatter, model_id, &body) {
                Ok(answer) => answer,
                Err(error) => {
                    json!({ "unreadable": sentry_core::error::SentryError::from(error).document() })
                }
            };
            (name.to_owned(), outcome)
        })
        .collect();
    super::sorted(Value::Object(rows))
}

fn chat(message: Value, finish: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish, "logprobs": null }],
        "usage": { "prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30 }
    })
}

fn said(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

#[test]
fn anthropic() {
    let claude = "anthropic.claude-haiku-4-5-20251001-v1:0";
    let message = |content: Value, stop: &str| {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": stop, "stop_sequence": null,
            "usage": { "input_tokens": 12, "output_tokens": 7, "cache_creation_input_tokens": 100,
                       "cache_read_input_tokens": 2_000, "service_tier": "standard" }
        })
    };
    let text = |text: &str| json!({ "type": "text", "text": text });
    let mut without_usage = message(json!([text("a")]), "end_turn");
    without_usage.as_object_mut().unwrap().remove("usage");
    let cases = vec![
        ("two text blocks", claude, message(json!([text("The Rhône"), text(" and the Saône.")]), "end_turn")),
        (
            "thinking apart",
            claude,
            message(
                json!([
                    { "type": "thinking", "thinking": "Lyon lies…", "signature": "s" },
                    { "type": "redacted_thinking", "data": "x" },
                    text("The Rhône.")
                ]),
                "stop_sequence",
            ),
        ),
        (
            "tool call",
            claude,
            message(
                json!([text("Let me look."), { "type": "tool_use", "id": "t", "name": "f", "input": {} }]),
                "tool_use",
            ),
        ),
        ("refusal", claude, message(json!([]), "refusal")),
        ("cut off", claude, message(json!([text("The Rh")]), "max_tokens")),
        ("context full", claude, message(json!([text("The Rh")]), "model_context_window_exceeded")),
        ("paused", claude, message(json!([text("…")]), "pause_turn")),
        ("nothing to say", claude, message(json!([]), "end_turn")),
        ("without usage", claude, without_usage),
        (
            "completion",
            "anthropic.claude-v1",
            json!({ "type": "completion", "completion": " The Rhône.", "stop_reason": "stop_sequence", "stop": "\n\nHuman:" }),
        ),
        (
            "completion to a stop sequence of the caller's",
            "anthropic.claude-v1",
            json!({ "type": "completion", "completion": " The", "stop_reason": "stop_sequence", "stop": "Rhône" }),
        ),
        ("no content", claude, json!({ "type": "message", "stop_reason": "end_turn" })),
        ("content of another type", claude, message(json!(7), "end_turn")),
        ("text of another type", claude, message(json!([{ "type": "text", "text": 7 }]), "end_turn")),
        ("an error document", claude, json!({ "message": "Internal failure" })),
        ("not an object", claude, json!("The Rhône.")),
    ];
    assert_json_snapshot!("anthropic", read(formatter("anthropic"), cases));
}

#[test]
fn amazon() {
    let nova = "us.amazon.nova-2-lite-v1:0";
    let titan = "amazon.titan-text-express-v1";
    let message = |content: Value, stop: &str| {
        json!({
            "output": { "message": { "role": "assistant", "content": content } }, "stopReason": stop,
            "usage": { "inputTokens": 5, "outputTokens": 6, "totalTokens": 18, "cacheReadInputTokenCount": 3,
                       "cacheWriteInputTokenCount": 4, "serverToolUsage": {} }
        })
    };
    let result = |text: Value, reason: &str| json!({ "inputTextTokenCount": 8, "results": [{ "tokenCount": 3, "outputText": text, "completionReason": reason }] });
    let cases = vec![
        ("nova", nova, message(json!([{ "text": "The " }, { "text": "Rhône." }]), "end_turn")),
        (
            "nova reasoning",
            nova,
            message(
                json!([{ "reasoningContent": { "reasoningText": { "text": "Lyon…" } } }, { "text": "The Rhône." }]),
                "stop_sequence",
            ),
        ),
        (
            "nova tool call",
            nova,
            message(json!([{ "toolUse": { "toolUseId": "t", "name": "f", "input": {} } }]), "tool_use"),
        ),
        ("nova filtered", nova, message(json!([]), "content_filtered")),
        ("nova without content", nova, json!({ "stopReason": "end_turn" })),
        ("titan", titan, result(json!("\nThe Rhône."), "FINISH")),
        ("titan cut off", titan, result(json!("The Rh"), "LENGTH")),
        ("titan stopped", titan, result(json!("The Rh"), "STOP_CRITERIA_MET")),
        ("titan filtered", titan, result(json!(null), "CONTENT_FILTERED")),
        (
            "titan with two results",
            titan,
            json!({ "inputTextTokenCount": 8, "results": [
                { "tokenCount": 3, "outputText": "A", "completionReason": "FINISH" },
                { "tokenCount": 4, "outputText": "B", "completionReason": "FINISH" }] }),
        ),
        ("titan without results", titan, json!({ "inputTextTokenCount": 8, "results": [] })),
    ];
    assert_json_snapshot!("amazon", read(formatter("amazon"), cases));
}

#[test]
fn meta() {
    let llama = "meta.llama3-3-70b-instruct-v1:0";
    let answer = |text: Value, reason: &str| json!({ "generation": text, "prompt_token_count": 20, "generation_token_count": 5, "stop_reason": reason });
    let cases = vec![
        ("answer", llama, answer(json!("The Rhône."), "stop")),
        ("cut off", llama, answer(json!("The Rh"), "length")),
        ("cut off before the first word", llama, answer(json!(null), "length")),
        ("null for no reason", llama, answer(json!(null), "stop")),
        (
            "counts of another type",
            llama,
            json!({ "generation": "The Rhône.", "prompt_token_count": "20", "generation_token_count": -1, "stop_reason": "stop" }),
        ),
        ("generation missing", llama, json!({ "stop_reason": "stop" })),
    ];
    assert_json_snapshot!("meta", read(formatter("meta"), cases));
}

#[test]
fn mistral() {
    let large = "mistral.mistral-large-2407-v1:0";
    let old = "mistral.mistral-7b-instruct-v0:2";
    let cases = vec![
        ("chat", large, chat(said("The Rhône."), "stop")),
        (
            "chat with the other name and no usage",
            large,
            json!({ "choices": [{ "index": 0, "message": said("The Rh"), "stop_reason": "length" }] }),
        ),
        (
            "chat in parts",
            large,
            chat(
                json!({ "role": "assistant", "content": [{ "type": "text", "text": "The " }, { "type": "text", "text": "Rhône." }] }),
                "stop",
            ),
        ),
        ("prompt", old, json!({ "outputs": [{ "text": " The Rhône.", "stop_reason": "stop" }] })),
        ("prompt cut off", old, json!({ "outputs": [{ "text": " The Rh", "stop_reason": "length" }] })),
        ("no outputs", old, json!({ "outputs": [] })),
    ];
    assert_json_snapshot!("mistral", read(formatter("mistral"), cases));
}

#[test]
fn cohere() {
    let r = "cohere.command-r-plus-v1:0";
    let command = "cohere.command-text-v14";
    let answer = |text: &str, reason: &str| json!({ "response_id": "r", "generation_id": "g", "text": text, "finish_reason": reason, "chat_history": [] });
    let cases = vec![
        ("complete", r, answer("The Rhône.", "COMPLETE")),
        ("cut off", r, answer("The Rh", "MAX_TOKENS")),
        ("stopped", r, answer("The Rhône", "STOP_SEQUENCE")),
        ("filtered", r, answer("", "ERROR_TOXIC")),
        ("failed", r, answer("", "ERROR")),
        (
            "command with two generations",
            command,
            json!({ "id": "i", "prompt": "p", "generations": [
                { "id": "a", "index": 1, "text": " B", "finish_reason": "COMPLETE" },
                { "id": "b", "index": 0, "text": " A", "finish_reason": "MAX_TOKENS" }] }),
        ),
        ("text missing", r, json!({ "finish_reason": "COMPLETE" })),
    ];
    assert_json_snapshot!("cohere", read(formatter("cohere"), cases));
}

#[test]
fn ai21() {
    let jamba = "ai21.jamba-1-5-large-v1:0";
    let jurassic = "ai21.j2-ultra-v1";
    let completion = |text: Value, reason: &str| json!({ "id": 1, "prompt": { "text": "p", "tokens": [] }, "completions": [{ "data": { "text": text, "tokens": [] }, "finishReason": { "reason": reason } }] });
    let cases = vec![
        ("jamba", jamba, chat(said("The Rhône."), "stop")),
        ("jurassic", jurassic, completion(json!("\nThe Rhône."), "endoftext")),
        ("jurassic cut off", jurassic, completion(json!("\nThe Rh"), "length")),
        ("jurassic without text", jurassic, completion(json!(7), "length")),
    ];
    assert_json_snapshot!("ai21", read(formatter("ai21"), cases));
}

#[test]
fn deepseek() {
    let r1 = "us.deepseek.r1-v1:0";
    let v3 = "deepseek.v3.2";
    let answer = |text: Value, reason: &str| json!({ "choices": [{ "text": text, "stop_reason": reason }] });
    let cases = vec![
        ("r1", r1, answer(json!("Lyon lies on two rivers.\n</think>\n\nThe Rhône."), "stop")),
        ("r1 with the open tag", r1, answer(json!("<think>\nLyon…</think>The Rhône."), "stop")),
        ("r1 cut off in thought", r1, answer(json!("Lyon lies on"), "length")),
        ("r1 without thought", r1, answer(json!("The Rhône."), "stop")),
        ("v3", v3, chat(said("The Rhône."), "stop")),
        (
            "v3 with reasoning apart",
            v3,
            chat(
                json!({ "role": "assistant", "content": "The Rhône.", "reasoning_content": "Lyon…" }),
                "stop",
            ),
        ),
        ("r1 null", r1, answer(json!(null), "stop")),
    ];
    assert_json_snapshot!("deepseek", read(formatter("deepseek"), cases));
}

#[test]
fn openai() {
    let oss = "openai.gpt-oss-120b-1:0";
    let gpt = "us.openai.gpt-5.4";
    let mut cached = chat(said("The Rhône."), "stop");
    cached["usage"]["prompt_tokens_details"] = json!({ "cached_tokens": 16 });
    let mut choices = chat(said("B"), "stop");
    choices["choices"] = json!([
        { "index": 1, "message": said("B"), "finish_reason": "stop" },
        { "index": 0, "message": said("A"), "finish_reason": "stop" }
    ]);
    let cases = vec![
        ("reasoning in tags", oss, chat(said("<reasoning>Lyon…</reasoning>The Rhône."), "stop")),
        ("cut off while reasoning", oss, chat(said("<reasoning>Lyon lies on"), "length")),
        ("null because cut off", oss, chat(json!({ "role": "assistant", "content": null }), "length")),
        ("null for no reason", oss, chat(json!({ "role": "assistant", "content": null }), "stop")),
        ("a tag that the user asked for", gpt, chat(said("<reasoning> is a tag."), "stop")),
        ("cached input", gpt, cached),
        (
            "refusal",
            gpt,
            chat(
                json!({ "role": "assistant", "content": null, "refusal": "I cannot help with that." }),
                "stop",
            ),
        ),
        ("filtered", gpt, chat(json!({ "role": "assistant", "content": "" }), "content_filter")),
        (
            "tool call",
            gpt,
            chat(
                json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": "t" }] }),
                "tool_calls",
            ),
        ),
        ("two choices", gpt, choices),
        ("no choices", gpt, json!({ "choices": [] })),
    ];
    assert_json_snapshot!("openai", read(formatter("openai"), cases));
}

#[test]
fn qwen_and_writer_and_the_shared_format() {
    let cases = vec![
        ("answer", "qwen.qwen3-32b-v1:0", chat(said("The Rhône."), "stop")),
        (
            "thought in tags",
            "qwen.qwen3-32b-v1:0",
            chat(said("<think>\nLyon…\n</think>\n\nThe Rhône."), "length"),
        ),
    ];
    assert_json_snapshot!("qwen", read(formatter("qwen"), cases));
    let x5 = "us.writer.palmyra-x5-v1:0";
    let cases = vec![
        ("messages", x5, chat(said("The Rhône."), "stop")),
        (
            "text, without usage",
            x5,
            json!({ "object": "text_completion", "choices": [{ "index": 0, "text": "The Rh", "logprobs": null, "finish_reason": "length", "stop_reason": null }], "usage": null }),
        ),
    ];
    assert_json_snapshot!("writer", read(formatter("writer"), cases));
    let cases = vec![
        (
            "kimi leaks its thought",
            "moonshotai.kimi-k2.5",
            chat(said(" <think>Lyon…</think> The Rhône."), "stop"),
        ),
        ("a tag that was never closed", "moonshotai.kimi-k2.5", chat(said("<think>The Rhône."), "stop")),
        ("gemma says think", "google.gemma-3-27b-it", chat(said("<think> is a tag."), "stop")),
        ("unknown word", "xai.grok-4.7", chat(said("The Rhône."), "tired")),
    ];
    assert_json_snapshot!("chat-completions", read(formatter("chat-completions"), cases));
}

#[test]
fn results_of_converse() {
    let nova = "amazon.nova-2-lite-v1:0";
    let result = |content: Value, stop: &str| {
        json!({
            "Metrics": { "LatencyMs": 377 }, "Output": { "Message": { "Role": "assistant", "Content": content } },
            "StopReason": stop,
            "Usage": { "InputTokens": 7, "OutputTokens": 64, "TotalTokens": 71, "CacheReadInputTokens": 5,
                       "CacheReadInputTokenCount": 5, "CacheWriteInputTokens": 2, "ServerToolUsage": {} }
        })
    };
    let cases = vec![
        ("answer", nova, result(json!([{ "Text": "The " }, { "Text": "Rhône." }]), "end_turn")),
        (
            "reasoning",
            "deepseek.r1-v1:0",
            result(
                json!([
                    { "ReasoningContent": { "ReasoningText": { "Text": "Lyon…", "Signature": "s" } } },
                    { "Text": "The Rhône." }
                ]),
                "max_tokens",
            ),
        ),
        (
            "kimi leaks its thought",
            "moonshotai.kimi-k2.5",
            result(json!([{ "Text": "<think>Lyon…</think>The Rhône." }]), "stop_sequence"),
        ),
        (
            "tool call",
            nova,
            result(json!([{ "ToolUse": { "ToolUseId": "t", "Name": "f", "Input": {} } }]), "tool_use"),
        ),
        ("guardrail", nova, result(json!([{ "Text": "Not this." }]), "guardrail_intervened")),
        (
            "filtered, no message",
            nova,
            json!({ "Output": { "Message": null }, "StopReason": "content_filtered", "Usage": null }),
        ),
        (
            "text with citations",
            nova,
            result(
                json!([
                    { "Text": "In short: " },
                    { "CitationsContent": {
                        "Content": [{ "Text": "The Rhône " }, { "Text": "meets the Saône." }],
                        "Citations": [{ "Title": "Rivers", "SourceContent": [{ "Text": "not said" }] }] } }
                ]),
                "end_turn",
            ),
        ),
        (
            "citations of another type",
            nova,
            result(json!([{ "CitationsContent": { "Content": [{ "Text": 7 }] } }]), "end_turn"),
        ),
        (
            "a tag that was never closed",
            "moonshotai.kimi-k2.5",
            result(json!([{ "Text": "<think>The Rhône." }]), "end_turn"),
        ),
        (
            "cut off in thought",
            "moonshotai.kimi-k2.5",
            result(json!([{ "Text": "<think>The Rh" }]), "max_tokens"),
        ),
        ("malformed", nova, result(json!([{ "Text": "x" }]), "malformed_model_output")),
        ("no output", nova, json!({ "StopReason": "end_turn" })),
        (
            "in another spelling",
            nova,
            json!({ "output": { "message": { "content": [{ "text": "a" }] } }, "stopReason": "end_turn" }),
        ),
    ];
    assert_json_snapshot!("converse", read(converse(), cases));
}

/// Some gateways and recorders write counts as 12.0.
#[test]
fn a_count_may_be_written_with_a_decimal_point() {
    let mut body = chat(said("The Rhône."), "stop");
    body["usage"] = json!({ "prompt_tokens": 12.0, "completion_tokens": 7.0,
        "prompt_tokens_details": { "cached_tokens": 2.0 } });
    let qwen = formatter("qwen");
    let usage = |body: &Value| normalize(qwen, "qwen.qwen3-32b-v1:0", body).unwrap()["usage"].clone();
    let expected = json!({ "inputTokens": 10, "outputTokens": 7, "cacheReadInputTokens": 2,
        "cacheWriteInputTokens": 0, "totalTokens": 19 });
    assert_eq!(usage(&body), expected);
    for wrong in [json!(12.5), json!(-1.0), json!(1e300), json!("12")] {
        body["usage"]["prompt_tokens"] = wrong;
        assert_eq!(usage(&body), Value::Null);
    }
}

#[test]
fn a_guardrail_that_stepped_in_goes_before_the_vendors_word() {
    let blocked = |body: Value| {
        let mut body = body;
        body["amazon-bedrock-guardrailAction"] = "INTERVENED".into();
        body
    };
    let text = json!([{ "type": "text", "text": "Not this." }]);
    for (name, model_id, body) in [
        (
            "anthropic",
            "anthropic.claude-sonnet-4-6",
            json!({ "type": "message", "content": text, "stop_reason": "end_turn" }),
        ),
        (
            "meta",
            "meta.llama3-3-70b-instruct-v1:0",
            json!({ "generation": "Not this.", "stop_reason": "stop" }),
        ),
        ("openai", "openai.gpt-oss-20b-1:0", chat(said("Not this."), "stop")),
        (
            "amazon",
            "amazon.titan-text-express-v1",
            json!({ "results": [{ "outputText": "Not this.", "completionReason": "FINISH" }] }),
        ),
    ] {
        let formatter = formatter(name);
        let free = normalize(formatter, model_id, &body).unwrap();
        assert_eq!(free["stopReason"], "end_turn", "{name}");
        let answer = normalize(formatter, model_id, &blocked(body)).unwrap();
        assert_eq!(answer["stopReason"], "content_filtered", "{name}");
        assert_eq!(answer["vendorStopReason"], free["vendorStopReason"], "{name}");
        assert_eq!(answer["message"]["content"], "Not this.", "{name}");
    }
}
