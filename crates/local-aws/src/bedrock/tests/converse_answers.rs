//! Models that act: calls of tools, documents by a schema, reasoning and citations.

use super::conversation_rules::*;
use super::*;

async fn answer(model: &str, body: &Value) -> Value {
    let (answer, usage) = service(&[]).converse(model, body, noon()).await.unwrap();
    assert_eq!(answer["usage"]["outputTokens"], usage.output);
    assert_eq!(answer["usage"]["totalTokens"], usage.total());
    answer
}

fn content(answer: &Value) -> &Vec<Value> {
    answer["output"]["message"]["content"].as_array().unwrap()
}

fn asked(text: &str, members: Value) -> Value {
    let mut whole = body(members);
    whole["messages"] = json!([user(json!([{ "text": text }]))]);
    whole
}

#[tokio::test]
async fn a_loop_with_tools_comes_to_its_end() {
    for model in [SONNET, NOVA_2, LLAMA, QWEN] {
        let first = "Add and greet.\n#call add {\"a\": 1, \"b\": \"x y\"}\n#call greet";
        let mut request = asked(first, json!({ "toolConfig": tools(&["add", "greet"]) }));
        let called = answer(model, &request).await;
        assert_eq!(called["stopReason"], "tool_use");
        let [one, two] = &content(&called)[..] else { panic!("{called}") };
        assert_eq!(
            (&one["toolUse"]["name"], &one["toolUse"]["input"]),
            (&json!("add"), &json!({ "a": 1, "b": "x y" }))
        );
        assert_eq!((&two["toolUse"]["name"], &two["toolUse"]["input"]), (&json!("greet"), &json!({})));
        let ids: Vec<&str> =
            [one, two].iter().map(|block| block["toolUse"]["toolUseId"].as_str().unwrap()).collect();
        assert!(
            ids[0] != ids[1] && ids.iter().all(|id| id.starts_with("tooluse_") && id.len() == 30),
            "{ids:?}"
        );
        request["messages"].as_array_mut().unwrap().extend([
            called["output"]["message"].clone(),
            user(json!([
                { "toolResult": { "toolUseId": ids[0], "content": [{ "json": { "sum": [1, 2] } }] } },
                { "toolResult": { "toolUseId": ids[1], "content": [{ "text": "Good  day" }, { "text": "to you" }] } },
            ])),
        ]);
        let end = answer(model, &request).await;
        assert_eq!(end["stopReason"], "end_turn");
        let text = content(&end)[0]["text"].as_str().unwrap();
        assert!(text.contains(r#"add returned {"sum":[1,2]}; greet returned Good  day to you."#), "{text}");
        // A directive beside the results starts the next round.
        let last = request["messages"].as_array_mut().unwrap().last_mut().unwrap();
        last["content"].as_array_mut().unwrap().push(json!({ "text": "#call greet" }));
        assert_eq!(answer(model, &request).await["stopReason"], "tool_use");
    }
}

#[tokio::test]
async fn a_forced_tool_is_called_with_an_input_that_fits_its_schema() {
    for (choice, name) in [(json!({ "any": {} }), "add"), (json!({ "tool": { "name": "greet" } }), "greet")] {
        let mut config = tools(&["add", "greet"]);
        config["toolChoice"] = choice;
        let called = answer(SONNET, &asked("Hello", json!({ "toolConfig": config }))).await;
        assert_eq!(called["stopReason"], "tool_use");
        assert_eq!(content(&called).len(), 1);
        assert_eq!(content(&called)[0]["toolUse"]["name"], name);
        assert_eq!(content(&called)[0]["toolUse"]["input"], json!({ "a": 3 }));
    }
}

#[tokio::test]
async fn directives_that_a_request_does_not_allow_are_refused() {
    let bedrock = service(&[]);
    let mut named = tools(&["add", "greet"]);
    named["toolChoice"] = json!({ "tool": { "name": "greet" } });
    for (body, words) in [
        (asked("#call add", json!({})), "no tool `add`; it offers none"),
        (asked("#call sub", json!({ "toolConfig": tools(&["add", "greet"]) })), "it offers add, greet"),
        (asked("#call add [1]", json!({ "toolConfig": tools(&["add"]) })), "must be a JSON object"),
        (asked("#call", json!({ "toolConfig": tools(&["add"]) })), "write the name of a tool"),
        (asked("#call add", json!({ "toolConfig": named })), "lets the model call `greet` only"),
        (asked("#sim redacted=true", json!({})), "needs a Claude model"),
        (asked("#sim tier=cheap", json!({})), "`tier` takes"),
    ] {
        let error = bedrock.converse(SONNET, &body, noon()).await.unwrap_err();
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(bedrock.usage()["models"][SONNET]["inputTokens"], 0);
}

#[tokio::test]
async fn the_limit_holds_for_calls_too() {
    let text = "#call add {\"a\":1}\n#call add {\"b\":\"a text of some length that needs tokens\"}";
    let mut request = asked(text, json!({ "toolConfig": tools(&["add"]) }));
    request["inferenceConfig"]["maxTokens"] = json!(12);
    let cut = answer(SONNET, &request).await;
    assert_eq!((&cut["stopReason"], &cut["usage"]["outputTokens"]), (&json!("max_tokens"), &json!(12)));
    assert_eq!(content(&cut).len(), 1, "the second call does not fit");
    request["messages"][0]["content"][0]["text"] = json!("#call add {\"a\":1}\n#sim output=400");
    request["inferenceConfig"]["maxTokens"] = json!(400);
    let filled = answer(SONNET, &request).await;
    assert_eq!((&filled["stopReason"], &filled["usage"]["outputTokens"]), (&json!("tool_use"), &json!(400)));
    assert!(content(&filled)[0]["text"].is_string() && content(&filled)[1]["toolUse"].is_object());
}

#[tokio::test]
async fn a_schema_is_answered_with_a_document_that_fits_it() {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "kind", "tags", "size", "inner"],
        "properties": {
            "name": { "type": "string" }, "kind": { "enum": ["b", "c"] }, "tags": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            "size": { "anyOf": [{ "type": "integer" }, { "type": "null" }] }, "inner": { "$ref": "#/$defs/inner" }, "more": { "type": "boolean" },
        },
        "$defs": { "inner": { "type": "object", "additionalProperties": false, "required": ["on"], "properties": { "on": { "type": ["boolean", "null"] } } } },
    });
    let format = json!({ "type": "json_schema", "structure": { "jsonSchema": { "schema": schema.to_string(), "name": "thing" } } });
    let mut request = asked("Hello", json!({ "outputConfig": { "textFormat": format } }));
    let fitting = answer(SONNET, &request).await;
    let document: Value = serde_json::from_str(content(&fitting)[0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        document,
        json!({ "name": "simulated", "kind": "b", "tags": ["simulated"], "size": 0, "inner": { "on": false } })
    );
    assert_eq!(fitting["stopReason"], "end_turn");
    request["inferenceConfig"]["maxTokens"] = json!(3);
    let cut = answer(SONNET, &request).await;
    assert_eq!((&cut["stopReason"], &cut["usage"]["outputTokens"]), (&json!("max_tokens"), &json!(3)));
    assert_eq!(content(&cut)[0]["text"].as_str().map(str::len), Some(12));
}

#[test]
fn instances_keep_the_bounds_of_their_schemas() {
    use crate::bedrock::converse::schema::instance;
    for (schema, expected) in [
        (json!({ "type": "integer", "minimum": 5, "multipleOf": 4 }), json!(8)),
        (json!({ "type": "integer", "maximum": -3 }), json!(-3)),
        (json!({ "type": "integer", "exclusiveMinimum": 0 }), json!(1)),
        (json!({ "type": "number", "minimum": 0.5 }), json!(0.5)),
        (json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }), json!(0.5)),
        (json!({ "type": "string", "minLength": 12 }), json!("simulatedxxx")),
        (json!({ "type": "string", "maxLength": 3 }), json!("sim")),
        (json!({ "type": "string", "format": "date" }), json!("2026-01-01")),
        (json!({ "const": [1] }), json!([1])),
        (
            json!({ "allOf": [{ "type": "object", "required": ["a"], "properties": { "a": { "type": "null" } } }, { "type": "object", "required": ["b"], "properties": { "b": { "type": "array" } } }] }),
            json!({ "a": null, "b": [] }),
        ),
    ] {
        assert_eq!(instance(&schema), expected, "{schema}");
    }
    let endless = json!({ "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#" } } });
    assert!(instance(&endless).is_object());
}

#[tokio::test]
async fn thoughts_come_signed_and_go_back_unchanged() {
    let thinking = json!({ "thinking": { "type": "enabled", "budget_tokens": 1024 } });
    for (line, redacted) in
        [("#call add {\"a\":1}\n#sim reasoning=20", false), ("#call add {\"a\":1}\n#sim redacted=true", true)]
    {
        let mut request =
            asked(line, json!({ "toolConfig": tools(&["add"]), "additionalModelRequestFields": thinking }));
        let called = answer(SONNET_4_5, &request).await;
        let reasoning = &content(&called)[0]["reasoningContent"];
        assert_eq!(reasoning["redactedContent"].is_string(), redacted, "{called}");
        if !redacted {
            assert_eq!(
                reasoning["reasoningText"]["text"].as_str().map(|text| text.split(' ').count()),
                Some(20)
            );
            assert!(reasoning["reasoningText"]["signature"].as_str().unwrap().len() >= 60);
        }
        let id = content(&called)[1]["toolUse"]["toolUseId"].clone();
        request["messages"].as_array_mut().unwrap().extend([
            called["output"]["message"].clone(),
            user(json!([{ "toolResult": { "toolUseId": id, "content": [{ "text": "3" }] } }])),
        ]);
        let end = answer(SONNET_4_5, &request).await;
        assert!(content(&end)[1]["text"].as_str().unwrap().contains("add returned 3."));
        request["messages"][1]["content"][0] = json!({ "reasoningContent": { "redactedContent": "AAAA" } });
        assert!(service(&[]).converse(SONNET_4_5, &request, noon()).await.is_err());
    }
}

#[tokio::test]
async fn each_family_shows_its_thoughts_in_its_way() {
    let adaptive = json!({ "thinking": { "type": "adaptive" } });
    let summarized = json!({ "thinking": { "type": "adaptive", "display": "summarized" } });
    let nova = json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "low" } });
    for (model, fields, text, signed) in [
        (SONNET, &adaptive, "First I consider what the question asks, then", true),
        (OPUS_5, &adaptive, "", true),
        (OPUS_5, &summarized, "First I consider what the question asks, then", true),
        ("us.anthropic.claude-fable-5", &json!({}), "", true),
        (NOVA_2, &nova, "[REDACTED]", false),
        (
            QWEN,
            &json!({ "reasoning_config": "high" }),
            "First I consider what the question asks, then",
            false,
        ),
        ("us.deepseek.r1-v1:0", &json!({}), "First I consider what the question asks, then", false),
    ] {
        let thought = answer(model, &asked("Hello", json!({ "additionalModelRequestFields": fields }))).await;
        let reasoning = &content(&thought)[0]["reasoningContent"]["reasoningText"];
        assert_eq!(
            (reasoning["text"].as_str(), reasoning["signature"].is_string()),
            (Some(text), signed),
            "{model}"
        );
        let words = content(&thought)[1]["text"].as_str().unwrap().split(' ').count() as u64;
        assert_eq!(thought["usage"]["outputTokens"], words + 8, "{model}: thoughts are billed");
    }
    let plain = answer(OPUS_5, &asked("Hello", json!({}))).await;
    assert!(content(&plain)[0]["text"].is_string());
}

#[tokio::test]
async fn thinking_stays_inside_its_budget_and_the_limit() {
    let fields = json!({ "thinking": { "type": "enabled", "budget_tokens": 1024 } });
    let mut request =
        asked("#sim reasoning=5000 output=5000", json!({ "additionalModelRequestFields": fields }));
    request["inferenceConfig"]["maxTokens"] = json!(1100);
    let cut = answer(SONNET_4_5, &request).await;
    assert_eq!((&cut["stopReason"], &cut["usage"]["outputTokens"]), (&json!("max_tokens"), &json!(1100)));
    let thought = content(&cut)[0]["reasoningContent"]["reasoningText"]["text"].as_str().unwrap();
    assert_eq!(thought.split(' ').count(), 1024);
    // Without a limit of its own, a request of Claude stops at 4,096.
    let mut request = asked("#sim output=9000", json!({}));
    request.as_object_mut().unwrap().remove("inferenceConfig");
    assert_eq!(answer(SONNET, &request).await["usage"]["outputTokens"], 4096);
}

#[tokio::test]
async fn citations_tiers_and_fields_of_the_model_are_answered() {
    let cited = answer(SONNET, &asked("Hello\n#sim citations=true", json!({}))).await;
    let block = &content(&cited)[0]["citationsContent"];
    assert!(block["content"][0]["text"].as_str().unwrap().starts_with("Simulated"));
    assert!(block["citations"][0]["location"]["documentChar"].is_object());
    let tier = |line: &str, tier: &str| asked(line, json!({ "serviceTier": { "type": tier } }));
    for (line, asked, served) in [
        ("Hi", "flex", "flex"),
        ("Hi\n#sim tier=default", "priority", "default"),
        ("Hi", "reserved", "default"),
    ] {
        assert_eq!(answer(NOVA_2, &tier(line, asked)).await["serviceTier"], json!({ "type": served }));
    }
    assert!(answer(NOVA_2, &asked("Hi", json!({}))).await.get("serviceTier").is_none());
    let mut request = asked(
        "Hi",
        json!({
            "additionalModelResponseFieldPaths": ["/stop_sequence", "/other"], "performanceConfig": { "latency": "standard" },
        }),
    );
    request["inferenceConfig"]["stopSequences"] = json!(["last"]);
    let stopped = answer(SONNET, &request).await;
    assert_eq!(stopped["additionalModelResponseFields"], json!({ "stop_sequence": "last" }));
    assert_eq!(stopped["performanceConfig"], json!({ "latency": "standard" }));
}
