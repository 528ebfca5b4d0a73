//! Answers with more than text.

use serde_json::{Value, json};

use super::{converse, formatter, normalize};
use crate::FormatError;

const CLAUDE: &str = "anthropic.claude-sonnet-4-6";

fn result(content: Value, stop: &str) -> Value {
    json!({
        "Output": { "Message": { "Role": "assistant", "Content": content } }, "StopReason": stop,
        "Usage": { "InputTokens": 5, "OutputTokens": 6, "TotalTokens": 11 }
    })
}

fn read(body: &Value) -> Value {
    normalize(converse(), CLAUDE, body).unwrap()
}

fn call(id: &str, name: &str, input: Value) -> Value {
    json!({ "ToolUse": { "ToolUseId": id, "Name": name, "Input": input, "Type": "tool_use" } })
}

#[test]
fn calls_of_tools() {
    let said = json!([{ "Text": "Let me look." }, call("t1", "f", json!({ "river_name": "Rhône" })), call("t2", "g", json!(null))]);
    let answer = read(&result(said, "tool_use"));
    assert_eq!(
        answer["message"],
        json!({
            "role": "assistant", "content": "Let me look.",
            "toolUses": [
                { "toolUseId": "t1", "name": "f", "input": { "river_name": "Rhône" } },
                { "toolUseId": "t2", "name": "g", "input": {} }
            ]
        })
    );
    assert_eq!(answer["stopReason"], "tool_use");
    let answer = read(&result(json!([call("t1", "f", json!({}))]), "tool_use"));
    assert_eq!(answer["message"]["content"], Value::Null);
}

#[test]
fn a_call_without_its_id_or_name_is_named() {
    for (member, path) in [("ToolUseId", "[0].ToolUse.ToolUseId"), ("Name", "[0].ToolUse.Name")] {
        let mut block = call("t1", "f", json!({}));
        block["ToolUse"].as_object_mut().unwrap().remove(member);
        let error = normalize(converse(), CLAUDE, &result(json!([block]), "tool_use")).unwrap_err();
        let FormatError::UnreadableModelResponse { path: at, .. } = error else { panic!("{error:?}") };
        assert_eq!(at, format!("Output.Message.Content{path}"));
    }
}

#[test]
fn a_list_of_one_that_arrived_as_its_element() {
    let mut body = result(call("t1", "f", json!({ "a": 1 })), "tool_use");
    body["Usage"]["CacheWriteInputTokens"] = 9.into();
    body["Usage"]["CacheDetails"] = json!({ "Ttl": "1h", "InputTokens": 7 });
    let answer = read(&body);
    assert_eq!(
        answer["message"]["toolUses"],
        json!([{ "toolUseId": "t1", "name": "f", "input": { "a": 1 } }])
    );
    assert_eq!(answer["usage"]["cacheWrite1hInputTokens"], 7);
    let cited = json!({ "CitationsContent": {
        "Content": { "Text": "Two rivers." },
        "Citations": { "Title": "Notes", "Location": { "DocumentChar": { "DocumentIndex": 0, "Start": 1, "End": 3 } } }
    } });
    let answer = read(&result(cited, "end_turn"));
    assert_eq!(answer["message"]["content"], "Two rivers.");
    assert_eq!(
        answer["message"]["citations"],
        json!([{
            "title": "Notes", "location": { "documentChar": { "documentIndex": 0, "start": 1, "end": 3 } },
            "text": "Two rivers."
        }])
    );
}

#[test]
fn reasoning_is_given_back_where_it_will_be_needed() {
    let thought = |signature: Option<&str>| {
        let mut text = json!({ "Text": "Lyon…" });
        if let Some(signature) = signature {
            text["Signature"] = signature.into();
        }
        json!({ "ReasoningContent": { "ReasoningText": text } })
    };
    let said = json!({ "Text": "The Rhône." });
    let answer = read(&result(json!([thought(None), said]), "end_turn"));
    assert_eq!((answer["message"].get("reasoning"), &answer["reasoning"]), (None, &json!("Lyon…")));
    let answer = read(&result(json!([thought(Some("s")), said]), "end_turn"));
    assert_eq!(answer["message"]["reasoning"], json!([{ "text": "Lyon…", "signature": "s" }]));
    let hidden = json!({ "ReasoningContent": { "RedactedContent": "c2VjcmV0" } });
    let answer = read(&result(json!([hidden, said]), "end_turn"));
    assert_eq!(
        (&answer["message"]["reasoning"], answer.get("reasoning")),
        (&json!([{ "redacted": "c2VjcmV0" }]), None)
    );
    let answer = read(&result(json!([thought(None), call("t", "f", json!({}))]), "tool_use"));
    assert_eq!(answer["message"]["reasoning"], json!([{ "text": "Lyon…" }]));
    // Newer models show no text of it.
    let empty = json!({ "ReasoningContent": { "ReasoningText": { "Text": "", "Signature": "s" } } });
    let answer = read(&result(json!([empty, said]), "end_turn"));
    assert_eq!(
        (&answer["message"]["reasoning"], answer.get("reasoning")),
        (&json!([{ "text": "", "signature": "s" }]), None)
    );
}

#[test]
fn a_call_that_stands_for_a_schema_is_the_answer() {
    let input = json!({ "zone": "Lyon", "rivers": ["Rhône"] });
    let body =
        result(json!([{ "Text": "Here it is." }, call("t", "sentry_response_format", input)]), "tool_use");
    let answer = read(&body);
    assert_eq!(
        answer["message"],
        json!({ "role": "assistant", "content": r#"{"zone":"Lyon","rivers":["Rhône"]}"# })
    );
    assert_eq!(
        (&answer["stopReason"], &answer["vendorStopReason"]),
        (&json!("end_turn"), &json!("tool_use"))
    );
    let cut =
        read(&result(json!([call("t", "sentry_response_format", json!({ "zone": "Ly" }))]), "max_tokens"));
    assert_eq!(
        (&cut["stopReason"], &cut["message"]["content"]),
        (&json!("max_tokens"), &json!(r#"{"zone":"Ly"}"#))
    );
}

#[test]
fn every_stop_reason_of_converse() {
    for (word, reason) in [
        ("end_turn", "end_turn"),
        ("tool_use", "tool_use"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "content_filtered"),
        ("content_filtered", "content_filtered"),
        ("malformed_model_output", "other"),
        ("malformed_tool_use", "other"),
        ("model_context_window_exceeded", "context_window_exceeded"),
    ] {
        let answer = read(&result(json!([{ "Text": "The" }]), word));
        assert_eq!((&answer["stopReason"], &answer["vendorStopReason"]), (&json!(reason), &json!(word)));
    }
}

#[test]
fn the_tier_that_served_and_cache_writes_of_an_hour() {
    let mut body = result(json!([{ "Text": "x" }]), "end_turn");
    let answer = read(&body);
    assert_eq!((answer.get("serviceTier"), answer["usage"].get("cacheWrite1hInputTokens")), (None, None));
    body["ServiceTier"] = json!({ "Type": "flex" });
    body["Usage"]["CacheWriteInputTokens"] = 30.into();
    body["Usage"]["CacheDetails"] =
        json!([{ "Ttl": "5m", "InputTokens": 10 }, { "Ttl": "1h", "InputTokens": 20 }]);
    let answer = read(&body);
    assert_eq!(answer["serviceTier"], "flex");
    assert_eq!(
        (&answer["usage"]["cacheWriteInputTokens"], &answer["usage"]["cacheWrite1hInputTokens"]),
        (&json!(30), &json!(20))
    );
    assert_eq!(answer["usage"]["totalTokens"], 41);
    // More than all of it cannot be; a count that is none makes the usage unknown.
    body["Usage"]["CacheDetails"][1]["InputTokens"] = 99.into();
    assert_eq!(read(&body)["usage"]["cacheWrite1hInputTokens"], 30);
    body["Usage"]["CacheDetails"][1]["InputTokens"] = "x".into();
    assert_eq!(read(&body)["usage"], Value::Null);
}

#[test]
fn blocks_and_members_that_are_not_known_are_ignored() {
    let body = result(
        json!([{ "Hologram": { "Bytes": 7 } }, { "Text": "The Rhône.", "Mood": "calm" }, { "ToolUse": null }]),
        "end_turn",
    );
    assert_eq!(read(&body)["message"], json!({ "role": "assistant", "content": "The Rhône." }));
}

#[test]
fn calls_in_the_own_formats_of_claude_and_nova() {
    let claude = json!({
        "content": [
            { "type": "thinking", "thinking": "Lyon…", "signature": "s" },
            { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "a": 1 } }
        ],
        "stop_reason": "tool_use",
        "usage": { "input_tokens": 5, "output_tokens": 6, "cache_creation_input_tokens": 9,
                   "cache_creation": { "ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7 } }
    });
    let answer = normalize(formatter("anthropic"), CLAUDE, &claude).unwrap();
    let calls = |id: &str| json!([{ "toolUseId": id, "name": "f", "input": { "a": 1 } }]);
    assert_eq!(
        (&answer["message"]["content"], &answer["message"]["toolUses"]),
        (&Value::Null, &calls("toolu_1"))
    );
    assert_eq!(answer["message"]["reasoning"], json!([{ "text": "Lyon…", "signature": "s" }]));
    assert_eq!(answer["usage"]["cacheWrite1hInputTokens"], 7);
    let nova = json!({
        "output": { "message": { "content": [{ "toolUse": { "toolUseId": "t", "name": "f", "input": { "a": 1 } } }] } },
        "stopReason": "tool_use"
    });
    let answer = normalize(formatter("amazon"), "amazon.nova-pro-v1:0", &nova).unwrap();
    assert_eq!((&answer["message"]["content"], &answer["message"]["toolUses"]), (&Value::Null, &calls("t")));
}
