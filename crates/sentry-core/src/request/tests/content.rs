use serde_json::{Value, json};

use super::super::*;
use super::{accepted, ask, refused_at, talk};

#[test]
fn every_kind_of_block_is_kept() {
    let request = accepted(&talk(&json!([
        { "role": "system", "content": [{ "text": "Be brief." }, { "cachePoint": { "type": "default", "ttl": "1h" } }] },
        { "role": "user", "content": [
            { "text": "Look." },
            { "document": { "name": "a", "source": { "text": "b" }, "context": "c", "citations": { "enabled": true } } },
            { "cachePoint": { "type": "default" } },
        ] },
        { "role": "assistant", "content": [
            { "reasoningContent": { "reasoningText": { "text": "", "signature": "c2ln" } } },
            { "reasoningContent": { "redactedContent": "YWJj" } },
            { "toolUse": { "toolUseId": "a:1", "name": "look", "input": { "at": [1, 2.5, null] } } },
        ] },
        { "role": "user", "content": [
            { "toolResult": { "toolUseId": "a:1", "content": [{ "json": {} }, { "text": "b" }], "status": "error" } },
            { "text": "Go on." },
        ] },
    ])));
    assert!(!request.is_plain());
    assert_eq!(request.cache(), Some(CacheTtl::OneHour));
    let names: Vec<_> = request.prompt.messages[2].content.blocks().iter().map(Block::name).collect();
    assert_eq!(names, ["reasoningContent", "reasoningContent", "toolUse"]);
    assert_eq!(request.prompt.messages[3].content.text(), "Go on.");
}

#[test]
fn texts_alone_become_one_text() {
    let request = accepted(&talk(&json!([
        { "role": "system", "content": [{ "text": "Be brief." }] },
        { "role": "user", "content": [{ "text": "One." }, { "text": "Two." }] },
    ])));
    assert!(request.is_plain());
    assert_eq!(request.prompt.messages[0].content.plain(), Some("Be brief."));
    assert_eq!(request.prompt.messages[1].content.plain(), Some("One.\n\nTwo."));
    assert_eq!(request.cache(), None);
    assert_eq!(serde_json::to_value(&request.prompt.messages[1].content).unwrap(), json!("One.\n\nTwo."));
}

#[test]
fn a_null_member_counts_as_absent() {
    let request = accepted(&ask(&json!([{ "text": "a", "image": null, "document": null }])));
    assert_eq!(request.prompt.messages[0].content.plain(), Some("a"));
}

#[test]
fn malformed_blocks_name_the_field() {
    let at = "prompt.messages[0].content";
    for (content, path, words) in [
        (json!(null), "", "is null where a text or a list of content blocks is needed"),
        (json!({ "text": "a" }), "", "is an object where a text or a list of content blocks is needed"),
        (json!([]), "", "is empty"),
        (json!(["a"]), "[0]", "is a text where an object"),
        (json!([{}]), "[0]", "has none of text, image"),
        (json!([{ "text": null }]), "[0]", "has none of"),
        (json!([{ "text": "a", "document": {} }]), "[0]", "is `text` and `document` at once"),
        (json!([{ "text": "a" }, { "text": "" }]), "[1].text", "is empty"),
        (json!([{ "text": "a" }, { "text": " \n" }]), "[1].text", "is empty"),
        (json!([{ "text": "a\u{0}" }]), "[0].text", "NUL"),
        (json!([{ "text": 1 }]), "[0].text", "is a number where a text is needed"),
        (json!([{ "type": "text", "text": "a" }]), "[0].type", "is not a known field"),
        (json!([{ "te\u{1b}[2Jxt": "a" }]), "[0].te\u{fffd}[2Jxt", "is not a known field"),
        (json!([{ "cachePoint": { "type": "default" } }]), "", "has nothing but cache points"),
        (json!([{ "text": "a" }, { "cachePoint": {} }]), "[1].cachePoint.type", "is missing"),
        (
            json!([{ "cachePoint": { "type": "ephemeral" } }]),
            "[0].cachePoint.type",
            "the only type is \"default\"",
        ),
        (
            json!([{ "cachePoint": { "type": "default", "ttl": "2h" } }]),
            "[0].cachePoint.ttl",
            "use \"5m\" or \"1h\"",
        ),
        (json!([{ "video": {} }]), "[0].video", "is refused: it has no bound"),
        (json!([{ "audio": {} }]), "[0].audio", "is refused: it has no bound"),
        (json!([{ "guardContent": {} }]), "[0].guardContent", "is refused"),
        (json!([{ "searchResult": {} }]), "[0].searchResult", "is refused"),
        (
            json!([{ "image": { "format": "png", "source": { "s3Location": {} } } }]),
            "[0].image.source.s3Location",
            "is refused",
        ),
        (
            json!([{ "document": { "name": "a", "source": { "s3Location": {} } } }]),
            "[0].document.source.s3Location",
            "is refused",
        ),
        // Blocks that only the model writes.
        (json!([{ "toolUse": {} }]), "[0].toolUse", "is not a known field"),
        (json!([{ "reasoningContent": {} }]), "[0].reasoningContent", "is not a known field"),
    ] {
        refused_at(&ask(&content), &format!("{at}{path}"), words);
    }
}

/// Settings through which a caller could use more than was reserved for it.
#[test]
fn open_fields_are_refused_by_name() {
    for field in [
        "additionalModelRequestFields",
        "promptVariables",
        "guardrailConfig",
        "performanceConfig",
        "toolConfig",
        "inferenceConfig",
        "outputConfig",
        "system",
        "requestMetadata",
    ] {
        let mut document = ask(&json!("a"));
        document[field] = json!({});
        refused_at(&document, field, "is refused: it");
    }
    let mut document = ask(&json!("a"));
    document["prompt"]["tools"] = json!([{ "systemTool": { "name": "nova_grounding" } }]);
    refused_at(&document, "prompt.tools[0].systemTool", "may loop");
}

#[test]
fn each_role_has_its_blocks() {
    let image = json!([{ "image": {} }]);
    for (role, index, field) in [("system", 0, "image"), ("assistant", 1, "image")] {
        let messages: Value = match role {
            "system" => json!([{ "role": role, "content": image }, { "role": "user", "content": "a" }]),
            _ => json!([{ "role": "user", "content": "a" }, { "role": role, "content": image }]),
        };
        refused_at(
            &talk(&messages),
            &format!("prompt.messages[{index}].content[0].{field}"),
            "is not a known field",
        );
    }
}

fn reasoned(reasoning: &Value) -> Value {
    talk(&json!([
        { "role": "user", "content": "a" },
        { "role": "assistant", "content": [{ "reasoningContent": reasoning }, { "text": "b" }] },
        { "role": "user", "content": "c" },
    ]))
}

#[test]
fn reasoning_is_given_back_as_it_came() {
    accepted(&reasoned(&json!({ "reasoningText": { "text": "", "signature": "c2ln" } })));
    accepted(&reasoned(&json!({ "reasoningText": { "text": "Hm." } })));
    accepted(&reasoned(&json!({ "redactedContent": "YQ==" })));
    let at = "prompt.messages[1].content[0].reasoningContent";
    for (reasoning, path, words) in [
        (json!({}), "", "has none of"),
        (json!({ "reasoningText": { "text": "" } }), ".reasoningText.text", "is empty"),
        (json!({ "reasoningText": { "signature": "c2ln" } }), ".reasoningText.text", "is missing"),
        (
            json!({ "reasoningText": { "text": "a", "signature": "" } }),
            ".reasoningText.signature",
            "is empty",
        ),
        (json!({ "reasoningText": { "text": "a" }, "redactedContent": "YQ==" }), "", "at once"),
        (json!({ "redactedContent": "***" }), ".redactedContent", "is no base64 text"),
        (json!({ "redactedContent": "" }), ".redactedContent", "is empty"),
    ] {
        refused_at(&reasoned(&reasoning), &format!("{at}{path}"), words);
    }
}

fn point(ttl: Option<&str>) -> Value {
    json!({ "cachePoint": { "type": "default", "ttl": ttl } })
}

#[test]
fn at_most_four_cache_points_stand_in_a_request_with_those_in_the_tools() {
    let with_points = |in_tools: usize, in_messages: usize| {
        let mut content = vec![json!({ "text": "a" })];
        content.extend(vec![point(None); in_messages]);
        let mut document = ask(&json!(content));
        let mut tools = vec![super::tool("look")];
        tools.extend(vec![point(None); in_tools]);
        document["prompt"]["tools"] = json!(tools);
        document
    };
    accepted(&with_points(2, 2));
    refused_at(&with_points(2, 3), "prompt.messages[0].content[3].cachePoint", "at most 4 cache points");
    refused_at(&with_points(5, 0), "prompt.tools[5].cachePoint", "at most 4 cache points");
}

#[test]
fn what_is_kept_longer_stands_before_what_is_kept_shorter() {
    let of = |tools: Option<&str>, system: Option<&str>, user: Option<&str>| {
        let mut document = talk(&json!([
            { "role": "system", "content": [{ "text": "a" }, point(system)] },
            { "role": "user", "content": [{ "text": "a" }, point(user)] },
        ]));
        document["prompt"]["tools"] = json!([super::tool("look"), point(tools)]);
        document
    };
    let (hour, minutes) = (Some("1h"), Some("5m"));
    accepted(&of(hour, hour, minutes));
    accepted(&of(hour, None, minutes));
    refused_at(
        &of(minutes, hour, hour),
        "prompt.messages[0].content[1].cachePoint",
        "is kept for an hour behind",
    );
    refused_at(
        &of(hour, None, hour),
        "prompt.messages[1].content[1].cachePoint",
        "is kept for an hour behind",
    );
}

#[test]
fn there_is_an_end_to_blocks() {
    let blocks = |count: usize| {
        let mut content = vec![json!({ "text": "a" }); count - 1];
        content.push(point(None));
        ask(&json!(content))
    };
    accepted(&blocks(MAX_BLOCKS));
    refused_at(&blocks(MAX_BLOCKS + 1), "prompt.messages[0].content[2000]", "at most 2000 content blocks");
}
