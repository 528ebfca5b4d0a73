//! Whatever a request is made of, it is answered or refused by name.

use super::conversation_rules::*;
use super::*;

/// Every place in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                places(item, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn each_member_may_be_anything() {
    let thought = crate::bedrock::converse::reasoning::sign("I add.", 3);
    let cited =
        json!({ "document": { "name": "a", "source": { "text": "b" }, "citations": { "enabled": true } } });
    let whole = body(json!({
        "system": [{ "text": "s" }, { "cachePoint": { "type": "default", "ttl": "5m" } }],
        "toolConfig": { "tools": [tool("add"), { "cachePoint": { "type": "default" } }], "toolChoice": { "auto": {} } },
        "additionalModelRequestFields": { "thinking": { "type": "enabled", "budget_tokens": 1024 }, "tool_choice": { "disable_parallel_tool_use": true } },
        "outputConfig": { "effort": "low" },
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "requestMetadata": { "a": "b" },
        "serviceTier": { "type": "default" },
        "performanceConfig": { "latency": "standard" },
        "inferenceConfig": { "maxTokens": 2000, "stopSequences": ["x"] },
        "messages": [
            user(json!([{ "text": "a" }, image(9, 9), cited])),
            assistant(json!([{ "reasoningContent": { "reasoningText": { "text": "I add.", "signature": thought } } }, call("one")])),
            user(json!([result("one"), { "text": "b" }])),
        ],
    }));
    let bedrock = service(&[]);
    bedrock.converse(SONNET, &whole, noon()).await.unwrap();
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    assert!(found.len() > 80, "{}", found.len());
    let mut refused = 0;
    for place in found {
        for other in [
            json!(null),
            json!(""),
            json!("ä€ x"),
            json!(-1),
            json!(1e300),
            json!(true),
            json!([]),
            json!([{}]),
            json!({}),
            json!({ "text": "a" }),
        ] {
            let mut changed = whole.clone();
            *changed.pointer_mut(&place).unwrap() = other;
            if let Err(error) = bedrock.converse(SONNET, &changed, noon()).await {
                assert_eq!(error.name, "ValidationException", "{place}: {error}");
                assert!(!error.message.is_empty());
                refused += 1;
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
