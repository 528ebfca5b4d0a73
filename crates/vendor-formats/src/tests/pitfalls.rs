//! What clients of Converse stumble over: each is refused with its path, or put right.

use serde_json::{Value, json};

use super::beyond_text::{PNG, conversations, formatted, refused, tool_talk};
use super::own;
use crate::{FormatError, handle};

const CLAUDE: &str = "anthropic.claude-sonnet-4-6";
const HAIKU: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";

fn prompt(messages: Value) -> Value {
    json!({ "prompt": { "messages": messages } })
}

fn user(content: Value) -> Value {
    prompt(json!([{ "role": "user", "content": content }]))
}

fn picture() -> Value {
    json!({ "image": { "format": "png", "source": { "bytes": PNG } } })
}

/// A request of the golden files.
fn request(name: &str) -> Value {
    conversations().into_iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn blank_texts_are_refused() {
    for blank in ["", " \n"] {
        let with_picture = user(json!([{ "text": blank }, picture()]));
        assert_eq!(refused(CLAUDE, &with_picture), "prompt.messages[0].content[0].text");
        let beside_call = json!({ "prompt": tool_talk(json!({ "text": blank }), &json!([])) });
        assert_eq!(refused(CLAUDE, &beside_call), "prompt.messages[1].content[0].text");
    }
}

#[test]
fn messages_of_one_role_are_merged() {
    let messages = json!([
        { "role": "user", "content": "One." },
        { "role": "user", "content": [picture(), { "text": "Two." }] },
        { "role": "user", "content": "Three." },
        { "role": "assistant", "content": "Four." },
        { "role": "assistant", "content": "Five." },
        { "role": "user", "content": "Six." }
    ]);
    let body = formatted(CLAUDE, &prompt(messages)).unwrap();
    let picture = json!({ "Image": { "Format": "png", "Source": { "Bytes": PNG } } });
    assert_eq!(
        body["Messages"],
        json!([
            { "Role": "user", "Content": [{ "Text": "One." }, picture, { "Text": "Two." }, { "Text": "Three." }] },
            { "Role": "assistant", "Content": [{ "Text": "Four.\n\nFive." }] },
            { "Role": "user", "Content": [{ "Text": "Six." }] }
        ])
    );
}

#[test]
fn results_of_tools_come_first_and_in_one_turn() {
    let result = |id: &str| json!({ "toolResult": { "toolUseId": id, "content": [{ "text": "813" }] } });
    let mut talk = request("tools called");
    let content = |talk: &mut Value, blocks: Value| talk["prompt"]["messages"][2]["content"] = blocks;
    content(&mut talk, json!([{ "text": "Here:" }, result("tooluse_1"), result("tooluse_2")]));
    assert_eq!(refused(CLAUDE, &talk), "prompt.messages[1].content[1].toolUse.toolUseId");
    content(&mut talk, json!([result("tooluse_1")]));
    assert_eq!(refused(CLAUDE, &talk), "prompt.messages[1].content[2].toolUse.toolUseId");
    content(&mut talk, json!([result("tooluse_1"), result("tooluse_2"), result("tooluse_2")]));
    assert_eq!(refused(CLAUDE, &talk), "prompt.messages[2].content[2].toolResult.toolUseId");
    // Results in messages of their own make one turn.
    content(&mut talk, json!([result("tooluse_2")]));
    let more = json!({ "role": "user", "content": [result("tooluse_1")] });
    talk["prompt"]["messages"].as_array_mut().unwrap().push(more);
    let body = formatted(CLAUDE, &talk).unwrap();
    let last = body["Messages"].as_array().unwrap().last().unwrap();
    let ids: Vec<&Value> =
        last["Content"].as_array().unwrap().iter().map(|block| &block["ToolResult"]["ToolUseId"]).collect();
    assert_eq!(ids, ["tooluse_2", "tooluse_1"]);
}

#[test]
fn a_text_may_follow_the_results() {
    let body = formatted("amazon.nova-pro-v1:0", &request("tools called")).unwrap();
    assert_eq!(body["Messages"][2]["Content"][2], json!({ "Text": "Answer in one word." }));
}

#[test]
fn a_history_with_calls_needs_the_tools() {
    let mut talk = request("tools called");
    talk["prompt"].as_object_mut().unwrap().remove("tools");
    assert_eq!(refused(CLAUDE, &talk), "prompt.tools");
}

#[test]
fn names_and_ids_have_their_characters() {
    let mut talk = request("tools");
    talk["prompt"]["tools"][0]["toolSpec"]["name"] = "river length".into();
    assert_eq!(refused(CLAUDE, &talk), "prompt.tools[0].toolSpec.name");
    talk["prompt"]["tools"][0]["toolSpec"]["name"] = "sentry_response_format".into();
    assert_eq!(refused(CLAUDE, &talk), "prompt.tools[0].toolSpec.name");
    let mut talk = request("tools called");
    talk["prompt"]["messages"][1]["content"][1]["toolUse"]["toolUseId"] = "a b".into();
    assert_eq!(refused(CLAUDE, &talk), "prompt.messages[1].content[1].toolUse.toolUseId");
}

#[test]
fn gpt_takes_a_picture_beside_the_result_and_not_in_it() {
    let inside = request("tools called with a picture in the result");
    assert_eq!(
        refused("openai.gpt-5.4", &inside),
        "prompt.messages[2].content[0].toolResult.content[0].image"
    );
    let mut beside = request("tools called");
    beside["prompt"]["messages"][2]["content"].as_array_mut().unwrap().push(picture());
    formatted("openai.gpt-5.4", &beside).unwrap();
    formatted(CLAUDE, &inside).unwrap();
}

#[test]
fn a_failed_call_is_marked_only_where_the_mark_is_known() {
    let mut talk = request("tools called");
    talk["prompt"]["messages"][2]["content"][0]["toolResult"]["status"] = "error".into();
    let body = formatted(CLAUDE, &talk).unwrap();
    assert_eq!(body["Messages"][2]["Content"][0]["ToolResult"]["Status"], "error");
    let path = "prompt.messages[2].content[0].toolResult.status";
    assert_eq!(refused("qwen.qwen3-32b-v1:0", &talk), path);
    talk["prompt"]["messages"][2]["content"][0]["toolResult"]["status"] = "success".into();
    let body = formatted("qwen.qwen3-32b-v1:0", &talk).unwrap();
    assert_eq!(body["Messages"][2]["Content"][0]["ToolResult"].get("Status"), None);
}

#[test]
fn places_in_s3_are_refused_by_name() {
    let file = json!({ "document": { "format": "pdf", "name": "x", "source": { "s3Location": { "uri": "s3://b/k" } } } });
    let path = "prompt.messages[0].content[0].document.source.s3Location";
    assert_eq!(refused("amazon.nova-pro-v1:0", &user(json!([file, { "text": "Read it." }]))), path);
}

#[test]
fn documents_need_a_text_and_names_of_their_own() {
    let file = || json!({ "document": { "name": "x", "source": { "text": "Two rivers." } } });
    assert_eq!(refused(CLAUDE, &user(json!([file()]))), "prompt.messages[0].content[0]");
    let twice = user(json!([file(), file(), { "text": "Compare." }]));
    assert_eq!(refused(CLAUDE, &twice), "prompt.messages[0].content[1].document.name");
}

#[test]
fn citations_and_a_schema_do_not_go_together() {
    let mut cited = request("document cited");
    formatted(CLAUDE, &cited).unwrap();
    cited["inference"] = request("schema")["inference"].clone();
    assert_eq!(refused(CLAUDE, &cited), "prompt.messages[0].content[0].document.citations");
}

#[test]
fn cache_points_of_an_hour_stand_before_those_of_five_minutes() {
    let point = |ttl: &str| json!({ "cachePoint": { "type": "default", "ttl": ttl } });
    let talk = |first: &str, second: &str| {
        user(json!([{ "text": "One." }, point(first), { "text": "Two." }, point(second), { "text": "Go." }]))
    };
    assert_eq!(refused(CLAUDE, &talk("5m", "1h")), "prompt.messages[0].content[3].cachePoint");
    let body = formatted(CLAUDE, &talk("1h", "5m")).unwrap();
    assert_eq!(
        body["Messages"][0]["Content"][1],
        json!({ "CachePoint": { "Type": "default", "Ttl": "1h" } })
    );
    // The model reads the tools first.
    let mut tools = request("cache points among tools");
    tools["prompt"]["messages"][0]["content"] = json!([{ "text": "One." }, point("1h")]);
    assert_eq!(refused(CLAUDE, &tools), "prompt.messages[0].content[1].cachePoint");
}

#[test]
fn an_answer_is_not_begun_while_claude_reasons() {
    let begun = |reasoning: Value| {
        let mut request = prompt(json!([
            { "role": "user", "content": "Name a river." }, { "role": "assistant", "content": "The river" }
        ]));
        request["inference"] = json!({ "maxTokens": 4_000, "reasoning": reasoning });
        request
    };
    assert_eq!(refused(HAIKU, &begun(json!({ "budgetTokens": 2_000 }))), "prompt.messages[1].role");
    formatted(HAIKU, &begun(json!({ "off": true }))).unwrap();
    let mut blank = prompt(json!([
        { "role": "user", "content": [{ "text": "Name it." }, picture()] },
        { "role": "assistant", "content": "The river " }
    ]));
    blank["inference"] = json!({});
    assert_eq!(refused(HAIKU, &blank), "prompt.messages[1].content");
}

#[test]
fn sampling_is_not_set_while_claude_reasons() {
    let mut asked = request("reasoning budget");
    for (field, value) in [("temperature", json!(0.5)), ("topP", json!(0.9)), ("topK", json!(40))] {
        asked["inference"][field] = value;
        assert_eq!(refused(HAIKU, &asked), format!("inference.{field}"));
        asked["inference"].as_object_mut().unwrap().remove(field);
    }
    for (field, value) in [("temperature", json!(1.0)), ("topP", json!(0.95))] {
        asked["inference"][field] = value;
        formatted(HAIKU, &asked).unwrap();
        asked["inference"].as_object_mut().unwrap().remove(field);
    }
}

#[test]
fn claude_does_not_have_to_call_a_tool_while_it_reasons() {
    for (choice, field) in [("tools any", "any"), ("tools by name", "tool")] {
        let mut talk = request(choice);
        talk["inference"] = request("reasoning low")["inference"].clone();
        assert_eq!(refused(CLAUDE, &talk), format!("prompt.toolChoice.{field}"));
    }
    let mut auto = request("tools auto");
    auto["inference"] = request("reasoning low")["inference"].clone();
    formatted(CLAUDE, &auto).unwrap();
}

#[test]
fn with_a_budget_a_call_begins_with_its_reasoning() {
    let mut talk = request("tools called");
    talk["inference"] = json!({ "maxTokens": 4_000, "reasoning": { "budgetTokens": 2_000 } });
    assert_eq!(refused(HAIKU, &talk), "prompt.messages[1].content");
    talk["prompt"] = request("tools called after reasoning")["prompt"].clone();
    formatted(HAIKU, &talk).unwrap();
    // Adaptive thinking has no such rule.
    let mut talk = request("tools called");
    talk["inference"] = json!({ "reasoning": { "effort": "low" } });
    formatted(CLAUDE, &talk).unwrap();
}

#[test]
fn claude_knows_its_reasoning_by_the_signature() {
    let mut talk = request("reasoning of an earlier turn");
    let block = &mut talk["prompt"]["messages"][1]["content"][0]["reasoningContent"]["reasoningText"];
    block.as_object_mut().unwrap().remove("signature");
    let path = "prompt.messages[1].content[0].reasoningContent.reasoningText.signature";
    assert_eq!(refused(CLAUDE, &talk), path);
    formatted("openai.gpt-oss-120b-1:0", &talk).unwrap();
}

#[test]
fn newer_claude_takes_no_budget_and_fable_always_reasons() {
    let path = "inference.reasoning.budgetTokens";
    assert_eq!(refused("anthropic.claude-opus-4-7", &request("reasoning budget")), path);
    assert_eq!(refused("anthropic.claude-fable-5", &request("reasoning off")), "inference.reasoning.off");
    let body = formatted("anthropic.claude-opus-4-7", &request("reasoning off")).unwrap();
    assert_eq!(body["AdditionalModelRequestFields"], json!({ "thinking": { "type": "disabled" } }));
}

#[test]
fn a_budget_stays_below_a_shortened_output_limit() {
    let asked = |most: u64| {
        let mut asked = request("reasoning budget, shortened");
        asked["inference"]["maxTokens"] = most.into();
        asked
    };
    let sent = |most: u64| {
        let body = formatted(HAIKU, &asked(most)).unwrap();
        body["AdditionalModelRequestFields"]["thinking"]["budget_tokens"].as_u64()
    };
    assert_eq!((sent(4_000), sent(1_025)), (Some(3_999), Some(1_024)));
    assert_eq!(refused(HAIKU, &asked(1_024)), "inference.reasoning");
}

#[test]
fn results_as_json_are_objects() {
    let talk = json!({ "prompt": tool_talk(json!({ "text": "Let me look." }), &json!([{ "json": [1] }])) });
    assert_eq!(refused(CLAUDE, &talk), "prompt.messages[2].content[0].toolResult.content[0].json");
}

#[test]
fn every_object_of_a_native_schema_is_closed() {
    let asked = |schema: Value| {
        let mut asked = request("schema");
        asked["inference"]["responseFormat"]["schema"] = schema;
        asked
    };
    let open = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let closed = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let with = |field: &str, value: Value| {
        let mut schema = closed.clone();
        schema[field] = value;
        schema
    };
    let at = "inference.responseFormat.schema";
    for (schema, path) in [
        (open.clone(), ""),
        (with("properties", json!({ "b": open })), ".properties.b"),
        (with("properties", json!({ "b": { "type": "array", "items": open } })), ".properties.b.items"),
        (with("$defs", json!({ "b": open })), ".$defs.b"),
        (with("anyOf", json!([closed, open])), ".anyOf[1]"),
        (with("properties", json!({ "b": { "type": ["object", "null"] } })), ".properties.b"),
    ] {
        assert_eq!(refused(CLAUDE, &asked(schema)), format!("{at}{path}.additionalProperties"));
    }
    // A property of that name is no schema's word.
    let named =
        with("properties", json!({ "properties": { "type": "string" }, "items": { "type": "string" } }));
    formatted(CLAUDE, &asked(named)).unwrap();
    // A forced tool has no such rule.
    formatted("amazon.nova-2-lite-v1:0", &asked(open)).unwrap();
    assert_eq!(refused("amazon.nova-2-lite-v1:0", &asked(json!({ "type": "array" }))), format!("{at}.type"));
}

#[test]
fn a_schema_keeps_the_order_of_its_properties_and_is_a_text() {
    let body = formatted(CLAUDE, &request("schema")).unwrap();
    let text = body["OutputConfig"]["TextFormat"]["Structure"]["JsonSchema"]["Schema"].as_str().unwrap();
    assert!(text.starts_with(r#"{"type":"object","properties":{"zone":"#), "{text}");
    let body = formatted("amazon.nova-2-lite-v1:0", &request("schema")).unwrap();
    let text = body["ToolConfig"].to_string();
    assert!(text.find("\"zone\"").unwrap() < text.find("\"rivers\"").unwrap(), "{text}");
}

#[test]
fn keys_of_documents_are_left_as_they_are() {
    let body = formatted(CLAUDE, &request("tools called")).unwrap();
    assert_eq!(body["Messages"][1]["Content"][1]["ToolUse"]["Input"], json!({ "river_name": "Rhône" }));
    assert_eq!(
        body["Messages"][2]["Content"][0]["ToolResult"]["Content"],
        json!([{ "Json": { "km_total": 813 } }])
    );
    assert!(
        body["ToolConfig"]["Tools"][0]["ToolSpec"]["InputSchema"]["Json"]["properties"]["river_name"]
            .is_object()
    );
}

#[test]
fn labels_that_bedrock_does_not_take_are_left_out() {
    let mut event = user(json!("x"));
    event["metadata"] = json!({
        "requestId": "r-1", "tenant": "a\u{e9}", "applicationId": "", "costCenter": 7,
        "environment": "x".repeat(257), "other": "x"
    });
    assert_eq!(formatted(CLAUDE, &event).unwrap()["RequestMetadata"], json!({ "requestId": "r-1" }));
    for none in [json!(null), json!("x"), json!({ "tenant": "é" })] {
        event["metadata"] = none;
        assert_eq!(formatted(CLAUDE, &event).unwrap().get("RequestMetadata"), None);
    }
}

/// Formatted by the vendor's own formatter.
fn native(family: &str, request: &Value) -> Result<Value, FormatError> {
    let mut event = request.clone();
    event["operation"] = "format".into();
    event["modelId"] = family.into();
    handle(own(family), &event).map(|answer| answer["body"].clone())
}

#[test]
fn the_vendors_own_formats_carry_text_alone() {
    for family in super::FAMILIES {
        for (name, request) in conversations() {
            let (Err(FormatError::InvalidRequest { path, message }), true) =
                (native(family, &request), name != "few tokens")
            else {
                let carried = name == "few tokens" || name == "picture";
                assert!(carried, "{family} by {}: {name}", own(family).name);
                continue;
            };
            assert!(message.contains("calling: native") && message.contains(family), "{message}");
            let known = ["prompt.tools", "prompt.messages[", "inference."];
            assert!(known.iter().any(|start| path.starts_with(start)), "{path}");
        }
    }
}

#[test]
fn claude_and_nova_take_pictures_in_their_own_format() {
    let talk = user(json!([picture(), { "text": "What is it?" }]));
    let body = native(HAIKU, &talk).unwrap();
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PNG } },
            { "type": "text", "text": "What is it?" }
        ])
    );
    let body = native("amazon.nova-pro-v1:0", &talk).unwrap();
    assert_eq!(
        body["messages"][0]["content"],
        json!([{ "image": { "format": "png", "source": { "bytes": PNG } } }, { "text": "What is it?" }])
    );
    for family in ["amazon.nova-micro-v1:0", "anthropic.claude-v2:1", "qwen.qwen3-vl-235b-a22b"] {
        let Err(FormatError::InvalidRequest { path, .. }) = native(family, &talk) else { panic!("{family}") };
        assert_eq!(path, "prompt.messages[0].content[0].image");
    }
}
