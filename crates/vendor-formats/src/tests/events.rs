//! The events of a formatter function.

use serde_json::{Value, json};

use sentry_core::request::{MAX_ESCAPED_BYTES, MAX_MESSAGES, Request};

use super::{FAMILIES, converse, format, formatter, own, user};
use crate::{FormatError, handle};

fn refused(event: &Value) -> FormatError {
    handle(formatter("anthropic"), event).unwrap_err()
}

#[test]
fn a_malformed_event_names_the_field() {
    let claude = "anthropic.claude-sonnet-4-6";
    for (event, at) in [
        (json!(null), "operation"),
        (json!({ "operation": "stream", "modelId": claude }), "operation"),
        (json!({ "operation": "format" }), "modelId"),
        (json!({ "operation": "format", "modelId": claude }), "prompt"),
        (
            json!({ "operation": "format", "modelId": claude, "prompt": { "messages": user("x") }, "inference": { "maxTokens": 0 } }),
            "inference.maxTokens",
        ),
    ] {
        let FormatError::InvalidRequest { path, .. } = refused(&event) else { panic!("{event}") };
        assert_eq!(path, at, "{event}");
    }
    let event = json!({ "operation": "normalize", "modelId": claude });
    assert!(matches!(refused(&event), FormatError::UnreadableModelResponse { path, .. } if path == "body"));
}

#[test]
fn a_model_of_another_vendor_is_refused() {
    for model_id in ["amazon.nova-2-lite-v1:0", "amazon.titan-embed-text-v1", "ab12cd34ef56", "nonsense"] {
        let event =
            json!({ "operation": "format", "modelId": model_id, "prompt": { "messages": user("x") } });
        assert!(matches!(refused(&event), FormatError::UnsupportedModel { .. }), "{model_id}");
    }
}

#[test]
fn the_default_output_limit_is_sent() {
    let body =
        format(own("anthropic.claude-sonnet-4-6"), "anthropic.claude-sonnet-4-6", &user("x"), &json!({}))
            .unwrap();
    assert_eq!(body["max_tokens"], 1_024);
}

#[test]
fn null_inference_is_none() {
    format(converse(), "amazon.nova-2-lite-v1:0", &user("x"), &Value::Null).unwrap();
}

#[test]
fn an_alias_gives_an_opaque_id_the_traits_of_its_family() {
    let event = |family: &str| {
        json!({
            "operation": "format", "modelId": "ab12cd34ef56", "family": family,
            "prompt": { "messages": user("x") }, "inference": { "topK": 5 }
        })
    };
    let out = handle(converse(), &event("anthropic.claude-sonnet-4-6")).unwrap();
    assert_eq!(out["body"]["AdditionalModelRequestFields"], json!({ "top_k": 5 }));
    let error = handle(converse(), &event("anthropic.claude-opus-4-7")).unwrap_err();
    assert!(matches!(error, FormatError::InvalidRequest { path, .. } if path == "inference.topK"));
    // Without a family, or with an opaque id as the family, the spelling of `topK` is unknown.
    let error = handle(converse(), &event("ab12cd34ef56")).unwrap_err();
    assert!(matches!(error, FormatError::InvalidRequest { path, .. } if path == "inference.topK"));
}

#[test]
fn a_family_goes_before_what_the_id_says() {
    let event = json!({
        "operation": "format", "modelId": "qwen.qwen3-32b-v1:0", "family": "deepseek.r1-v1:0",
        "prompt": { "messages": user("x") }
    });
    assert!(handle(formatter("deepseek"), &event).unwrap()["body"]["prompt"].is_string());
    // An answer is read by it too: R1 begins inside its reasoning.
    let body = json!({ "choices": [{ "text": "Hm.\n</think>\n\nYes.", "stop_reason": "stop" }] });
    let mut event = json!({ "operation": "normalize", "modelId": "ab12cd34ef56", "body": body });
    let said = |event: &Value| handle(formatter("deepseek"), event).unwrap()["message"]["content"].clone();
    assert_eq!(said(&event), "Hm.\n</think>\n\nYes.");
    event["family"] = "deepseek.r1-v1:0".into();
    assert_eq!(said(&event), "Yes.");
}

/// A state of Step Functions carries 262,144 bytes, and a prompt template adds to each message:
/// the largest request that is let in must still fit, with room for what stands around it.
#[test]
fn the_largest_request_fits_into_a_state_for_every_vendor() {
    let count = MAX_MESSAGES - 1;
    let text = "x".repeat(55);
    let messages: Vec<Value> = (0..count)
        .map(|index| json!({ "role": if index % 2 == 0 { "user" } else { "assistant" }, "content": text }))
        .collect();
    let document = json!({ "modelId": "a.b", "prompt": { "messages": messages } });
    let bytes = Request::parse(&document).unwrap().escaped_bytes();
    assert!(bytes > MAX_ESCAPED_BYTES * 9 / 10, "{bytes} is not large");
    for family in FAMILIES {
        let mut formatters = vec![own(family)];
        formatters.push(converse());
        for formatter in formatters {
            // Some take a single message through Converse.
            if let Ok(body) = format(formatter, family, &document["prompt"]["messages"], &json!({})) {
                let bytes = body.to_string().len();
                assert!(bytes < 250_000, "{family} by {}: {bytes}", formatter.name);
            }
        }
    }
}
