//! Answers as streams of events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::conversation_rules::*;
use super::*;
use crate::bedrock::event_stream::{CONTENT_TYPE, StreamEvent, decode, encode, pieces};

async fn stream(bedrock: &Bedrock, operation: Operation, model: &str, body: &Value) -> Vec<StreamEvent> {
    let reply = bedrock.handle(operation, model, body.to_string().as_bytes(), noon()).await;
    assert_eq!(reply.status, 200, "{}", reply.json_body());
    assert_eq!(reply.header("content-type"), Some(CONTENT_TYPE));
    decode(&reply.body)
}

#[test]
fn events_come_out_of_their_frames_as_they_went_in() {
    let events =
        vec![StreamEvent::new("a", json!({ "x": [1, "ä"] })), StreamEvent::new("messageStop", json!({}))];
    let mut body = encode(&events).unwrap();
    assert_eq!(decode(&body), events);
    let length = body.len();
    body[length - 1] ^= 1;
    assert_eq!(decode(&body), events[..1], "a frame with a wrong checksum ends the stream");
    assert_eq!(decode(&body[..length - 3]), events[..1]);
    for text in ["", "a", "a b c d e f  g h i", "trailing ", " leading"] {
        assert_eq!(pieces(text).concat(), text);
    }
}

#[tokio::test]
async fn converse_stream_tells_the_same_as_converse() {
    let bedrock = service(&[]);
    let text = "Hello\n#call add {\"a\": 1, \"b\": \"a few more words than one piece has\"}\n#sim reasoning=9 output=80";
    let mut request = body(json!({
        "toolConfig": tools(&["add"]), "serviceTier": { "type": "default" },
        "additionalModelRequestFields": { "thinking": { "type": "enabled", "budget_tokens": 1024 } },
    }));
    request["messages"] = json!([user(json!([{ "text": text }]))]);
    let (whole, _) = bedrock.converse(SONNET_4_5, &request, noon()).await.unwrap();
    let events = stream(&bedrock, Operation::ConverseStream, SONNET_4_5, &request).await;
    let find = |kind: &str| {
        events.iter().filter(|event| event.kind == kind).map(|event| &event.document).collect::<Vec<_>>()
    };
    assert_eq!(find("messageStart"), [&json!({ "role": "assistant" })]);
    assert_eq!(find("messageStop"), [&json!({ "stopReason": "tool_use" })]);
    assert_eq!(find("metadata")[0]["usage"], whole["usage"]);
    assert_eq!(find("metadata")[0]["serviceTier"], json!({ "type": "default" }));
    assert_eq!(find("contentBlockStop").len(), 3);
    let start = find("contentBlockStart");
    assert_eq!((start.len(), &start[0]["contentBlockIndex"]), (1, &json!(2)));
    assert_eq!(start[0]["start"]["toolUse"]["name"], "add");
    let joined = |pointer: &str| -> String {
        find("contentBlockDelta").iter().filter_map(|delta| delta.pointer(pointer)?.as_str()).collect()
    };
    let content = &whole["output"]["message"]["content"];
    assert_eq!(
        content[0]["reasoningContent"]["reasoningText"]["text"],
        joined("/delta/reasoningContent/text")
    );
    assert_eq!(
        content[0]["reasoningContent"]["reasoningText"]["signature"],
        joined("/delta/reasoningContent/signature")
    );
    assert_eq!(content[1]["text"], joined("/delta/text"));
    let input: Value = serde_json::from_str(&joined("/delta/toolUse/input")).unwrap();
    assert_eq!(content[2]["toolUse"]["input"], input);
    assert_eq!(bedrock.usage()["calls"]["ConverseStream"], 1);
    let reply = bedrock.handle(Operation::ConverseStream, SONNET, b"{}", noon()).await;
    assert_eq!((reply.status, reply.header("content-type")), (400, Some("application/json")));
}

#[tokio::test]
async fn vendors_stream_chunks_of_their_own_and_the_metrics_last() {
    let bedrock = service(&[]);
    let chat = json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 40 });
    let nova = json!({ "messages": [{ "role": "user", "content": [{ "text": "Hello" }] }] });
    for (model, body, pointer) in [
        (SONNET, claude("Hello"), "/delta/text"),
        ("amazon.nova-lite-v1:0", nova, "/contentBlockDelta/delta/text"),
        (QWEN, chat, "/choices/0/delta/content"),
        (LLAMA, json!({ "prompt": "Hello" }), "/generation"),
    ] {
        let events = stream(&bedrock, Operation::InvokeModelWithResponseStream, model, &body).await;
        let chunks: Vec<Value> = events
            .iter()
            .map(|event| {
                assert_eq!(event.kind, "chunk");
                let bytes = STANDARD.decode(event.document["bytes"].as_str().unwrap()).unwrap();
                serde_json::from_slice(&bytes).unwrap()
            })
            .collect();
        let text: String = chunks.iter().filter_map(|chunk| chunk.pointer(pointer)?.as_str()).collect();
        assert!(text.ends_with("in a conversation of 1 message."), "{model}: {text}");
        let metrics = &chunks.last().unwrap()["amazon-bedrock-invocationMetrics"];
        let billed = &bedrock.usage()["models"][model];
        assert_eq!(metrics["inputTokenCount"], billed["inputTokens"], "{model}");
        assert_eq!(metrics["outputTokenCount"], billed["outputTokens"], "{model}");
    }
}
