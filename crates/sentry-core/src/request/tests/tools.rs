use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::*;
use super::{UNKNOWN_MODEL, accepted, ask, refused_at, talk, tool};

fn with_tools(tools: &Value) -> Value {
    let mut document = ask(&json!("a"));
    document["prompt"]["tools"] = tools.clone();
    document
}

fn with_schema(schema: &Value) -> Value {
    let mut described = tool("look");
    described["toolSpec"]["inputSchema"]["json"] = schema.clone();
    with_tools(&json!([described]))
}

#[test]
fn a_tool_is_kept() {
    let tools = json!([
        { "toolSpec": {
            "name": "look_up-2", "description": "Looks up.", "strict": true,
            "inputSchema": { "json": { "type": "object", "properties": { "at": { "type": "string" } } } },
        } },
        { "cachePoint": { "type": "default" } },
        tool("other"),
    ]);
    let request = accepted(&with_tools(&tools));
    assert_eq!(serde_json::to_value(&request.prompt.tools).unwrap(), tools);
    assert!(!request.is_plain());
    assert_eq!(request.cache(), Some(CacheTtl::FiveMinutes));
}

#[test]
fn malformed_tools_name_the_field() {
    let spec = |field: &str, value: Value| {
        let mut described = tool("look");
        described["toolSpec"][field] = value;
        json!([described])
    };
    let named = |name: &str| spec("name", json!(name));
    for (tools, path, words) in [
        (json!({}), "", "where a list is needed"),
        (json!([]), "", "is empty"),
        (json!([{ "cachePoint": { "type": "default" } }]), "", "has no `toolSpec`"),
        (json!([{}]), "[0]", "has none of"),
        (json!([{ "name": "look" }]), "[0].name", "is not a known field"),
        (json!([{ "toolSpec": {} }]), "[0].toolSpec.inputSchema", "is missing"),
        (json!([tool("a"), tool("b"), tool("a")]), "[2].toolSpec.name", "is the name of another tool too"),
        (named(""), "[0].toolSpec.name", "must have 1 to 64 characters"),
        (named("a b"), "[0].toolSpec.name", "letters, digits, _ and -"),
        (named("a\nb"), "[0].toolSpec.name", "letters, digits, _ and -"),
        (named("a\u{7f}"), "[0].toolSpec.name", "letters, digits, _ and -"),
        (named("größe"), "[0].toolSpec.name", "letters, digits, _ and -"),
        (named("\u{430}"), "[0].toolSpec.name", "letters, digits, _ and -"),
        (named(&"a".repeat(65)), "[0].toolSpec.name", "must have 1 to 64 characters"),
        (spec("description", json!("")), "[0].toolSpec.description", "is empty"),
        (spec("strict", json!("yes")), "[0].toolSpec.strict", "where true or false is needed"),
        (spec("inputSchema", json!({})), "[0].toolSpec.inputSchema.json", "is missing"),
        (spec("inputSchema", json!({ "json": "{}" })), "[0].toolSpec.inputSchema.json", "is no JSON schema"),
        (
            spec("inputSchema", json!({ "json": {} })),
            "[0].toolSpec.inputSchema.json.type",
            "must be \"object\"",
        ),
    ] {
        refused_at(&with_tools(&tools), &format!("prompt.tools{path}"), words);
    }
    accepted(&with_tools(&named(&"a".repeat(64))));
    accepted(&with_tools(&spec("description", Value::Null)));
}

#[test]
fn ten_thousand_tools_are_too_many() {
    let tools = |count: usize| json!((0..count).map(|index| tool(&format!("t{index}"))).collect::<Vec<_>>());
    accepted(&with_tools(&tools(MAX_TOOLS)));
    refused_at(&with_tools(&tools(MAX_TOOLS + 1)), "prompt.tools", "257 entries, and 256 are allowed");
    refused_at(&with_tools(&tools(10_000)), "prompt.tools", "10000 entries");
}

#[test]
fn a_choice_needs_its_tool() {
    let chosen = |choice: Value| {
        let mut document = with_tools(&json!([tool("look")]));
        document["prompt"]["toolChoice"] = choice;
        document
    };
    for (choice, name) in [
        (json!({ "auto": {} }), "auto"),
        (json!({ "any": {} }), "any"),
        (json!({ "tool": { "name": "look" } }), "tool"),
    ] {
        let request = accepted(&chosen(choice.clone()));
        let read = request.prompt.tool_choice.unwrap();
        assert_eq!((serde_json::to_value(&read).unwrap(), read.name()), (choice, name));
    }
    for (choice, path, words) in [
        (json!("auto"), "", "is a text where an object"),
        (json!({}), "", "has none of"),
        (json!({ "none": {} }), ".none", "is not a known field"),
        (json!({ "auto": {}, "any": {} }), "", "at once"),
        (json!({ "auto": { "name": "look" } }), ".auto.name", "is not a known field"),
        (json!({ "any": 1 }), ".any", "where an object"),
        (json!({ "tool": {} }), ".tool.name", "is missing"),
        (json!({ "tool": { "name": "other" } }), ".tool.name", "`prompt.tools` has no such tool"),
    ] {
        refused_at(&chosen(choice), &format!("prompt.toolChoice{path}"), words);
    }
    let mut document = ask(&json!("a"));
    document["prompt"]["toolChoice"] = json!({ "auto": {} });
    refused_at(&document, "prompt.toolChoice", "needs `prompt.tools`");
}

fn definitions(definitions: Value) -> Value {
    json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/a" } }, "$defs": definitions })
}

#[test]
fn references_in_a_schema_end() {
    accepted(&with_schema(&definitions(json!({ "a": { "$ref": "#/$defs/b" }, "b": { "type": "string" } }))));
    // A property may have the name of a keyword.
    accepted(&with_schema(&json!({ "type": "object", "properties": { "$ref": { "type": "string" } } })));
    let chain: Map<String, Value> = (0..80)
        .map(|index| (format!("d{index}"), json!({ "$ref": format!("#/$defs/d{}", index + 1) })))
        .chain([("a".to_owned(), json!({ "$ref": "#/$defs/d0" })), ("d80".to_owned(), json!({}))])
        .collect();
    for (schema, words) in [
        (
            json!({ "type": "object", "properties": { "a": { "$ref": "#" } } }),
            "\"#\", which leads back to itself",
        ),
        (definitions(json!({ "a": { "$ref": "#/$defs/a" } })), "\"#/$defs/a\", which leads back to itself"),
        (
            definitions(json!({ "a": { "$ref": "#/$defs/b" }, "b": { "items": { "$ref": "#/$defs/a" } } })),
            "leads back to itself",
        ),
        (definitions(json!(chain)), "leads back to itself"),
        (definitions(json!({})), "\"#/$defs/a\" to nothing in it"),
        (definitions(json!({ "a": { "$ref": "a" } })), "to nothing in it"),
        (definitions(json!({ "a": { "$ref": "#anchor" } })), "to nothing in it"),
        (definitions(json!({ "a": { "$ref": "https://example.com/schema.json" } })), "to nothing in it"),
        (definitions(json!({ "a": { "$dynamicRef": "#node" } })), "\"#node\", of a kind that is not carried"),
        (definitions(json!({ "a": { "$recursiveRef": "#" } })), "of a kind that is not carried"),
    ] {
        refused_at(&with_schema(&schema), "prompt.tools[0].toolSpec.inputSchema.json", words);
    }
}

/// A schema of a few hundred bytes, each definition of which holds the next ten times.
fn bomb(levels: usize, times: usize) -> Value {
    let definition = |index: usize| {
        if index == levels {
            return json!({ "type": "string" });
        }
        let next = json!({ "$ref": format!("#/$defs/d{}", index + 1) });
        json!({ "anyOf": vec![next; times] })
    };
    let all: Map<String, Value> =
        (0..=levels).map(|index| (format!("d{index}"), definition(index))).collect();
    json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/d0" } }, "$defs": all })
}

#[test]
fn a_schema_that_multiplies_itself_is_refused_at_once() {
    let start = Instant::now();
    for schema in [bomb(20, 10), bomb(60, 2)] {
        refused_at(
            &with_schema(&schema),
            "prompt.tools[0].toolSpec.inputSchema.json",
            "has more than 65536 bytes once its references are replaced",
        );
    }
    // As many schemas as there may be, each just below the limit: once read, once more bounded.
    let mut tools: Vec<Value> = (0..MAX_TOOLS).map(|index| tool(&format!("t{index}"))).collect();
    for tool in &mut tools {
        tool["toolSpec"]["inputSchema"]["json"] = bomb(5, 2);
    }
    let bound =
        accepted(&with_tools(&json!(tools[..100]))).input_bound(&ModelId::parse(UNKNOWN_MODEL).unwrap());
    assert!(bound.tokens > 100 * 10_000, "{bound:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn deep_nesting_is_read() {
    let nested = |levels: usize| {
        let text = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        serde_json::from_str::<Value>(&text)
    };
    // What the parser of JSON lets through has no more levels than the stack has room for.
    assert!(nested(100_000).is_err());
    let deep = nested(120).unwrap();
    accepted(&with_schema(&json!({ "type": "object", "default": deep })));
    accepted(&turns(&json!({ "x": deep }), &json!([{ "json": { "x": deep } }])));
    refused_at(&ask(&deep), "prompt.messages[0].content[0]", "where an object");
}

fn turns(input: &Value, result: &Value) -> Value {
    talk(&json!([
        { "role": "user", "content": "Look." },
        { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "look", "input": input } }] },
        { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": result } }] },
    ]))
}

#[test]
fn malformed_calls_and_results_name_the_field() {
    accepted(&turns(&json!({}), &json!([])));
    for input in [json!(null), json!("{}"), json!([]), json!(1)] {
        refused_at(&turns(&input, &json!([])), "prompt.messages[1].content[0].toolUse.input", "is no object");
    }
    let at = "prompt.messages[2].content[0].toolResult.content";
    for (result, path, words) in [
        (json!("done"), "", "where a list is needed"),
        (json!([{}]), "[0]", "has none of json, text, image, document"),
        (json!([{ "json": [] }]), "[0].json", "is no object"),
        (json!([{ "json": "a" }]), "[0].json", "is no object"),
        (json!([{ "text": "" }]), "[0].text", "is empty"),
        (json!([{ "json": {}, "text": "a" }]), "[0]", "at once"),
        (json!([{ "video": {} }]), "[0].video", "is refused"),
        (json!([{ "searchResult": {} }]), "[0].searchResult", "is refused"),
    ] {
        refused_at(&turns(&json!({}), &result), &format!("{at}{path}"), words);
    }
    for (field, value, words) in [
        ("toolUseId", json!(""), "must have 1 to 64"),
        ("toolUseId", json!("a b"), "letters, digits and _ . : -"),
        ("toolUseId", json!("ä"), "letters, digits and _ . : -"),
        ("toolUseId", json!("a".repeat(65)), "must have 1 to 64"),
        ("status", json!("failed"), "use \"success\" or \"error\""),
        ("type", json!("server_tool_use"), "is not a known field"),
    ] {
        let mut document = turns(&json!({}), &json!([]));
        document["prompt"]["messages"][2]["content"][0]["toolResult"][field] = value;
        refused_at(&document, &format!("prompt.messages[2].content[0].toolResult.{field}"), words);
    }
    for (field, value, words) in [
        ("name", json!("a\u{0}"), "letters, digits, _ and -"),
        ("name", json!("été"), "letters, digits, _ and -"),
        ("toolUseId", json!("a\n"), "letters, digits and _ . : -"),
        ("type", json!("server_tool_use"), "is not a known field"),
    ] {
        let mut document = turns(&json!({}), &json!([]));
        document["prompt"]["messages"][1]["content"][0]["toolUse"][field] = value;
        refused_at(&document, &format!("prompt.messages[1].content[0].toolUse.{field}"), words);
    }
}

fn call(id: &str) -> Value {
    json!({ "toolUse": { "toolUseId": id, "name": "look", "input": {} } })
}

fn result(id: &str) -> Value {
    json!({ "toolResult": { "toolUseId": id, "content": [{ "text": "b" }] } })
}

/// A conversation of turns by user and assistant, the user first.
fn of_turns(contents: &[Value]) -> Value {
    let role = |index: usize| if index.is_multiple_of(2) { "user" } else { "assistant" };
    let messages: Vec<Value> = contents
        .iter()
        .enumerate()
        .map(|(index, content)| json!({ "role": role(index), "content": content }))
        .collect();
    talk(&json!(messages))
}

#[test]
fn each_call_has_its_result_in_the_next_turn() {
    let text = json!({ "text": "c" });
    let point = json!({ "cachePoint": { "type": "default" } });
    let ask = json!("a");
    for contents in [
        vec![ask.clone(), json!([call("a"), call("b")]), json!([result("b"), result("a")])],
        vec![ask.clone(), json!([text, call("a")]), json!([result("a"), text])],
        vec![ask.clone(), json!([call("a")]), json!([result("a"), point, text])],
        vec![ask.clone(), json!([call("a")]), json!([result("a")]), json!([call("b")]), json!([result("b")])],
    ] {
        accepted(&of_turns(&contents));
    }
    let unanswered = "has no result";
    let without_call = "answers no call";
    for (contents, path, words) in [
        // The last turn calls and nobody answers.
        (vec![ask.clone(), json!([call("a")])], "[1].content[0].toolUse.toolUseId", unanswered),
        (vec![ask.clone(), json!([call("a")]), json!("b")], "[1].content[0].toolUse.toolUseId", unanswered),
        (
            vec![ask.clone(), json!([call("a"), call("b")]), json!([result("a")])],
            "[1].content[1].toolUse.toolUseId",
            unanswered,
        ),
        (
            vec![ask.clone(), json!([call("a"), call("b")]), json!([result("a"), text])],
            "[1].content[1].toolUse.toolUseId",
            unanswered,
        ),
        // After a text, one of the results or all of them.
        (
            vec![ask.clone(), json!([call("a")]), json!([text, result("a")])],
            "[1].content[0].toolUse.toolUseId",
            unanswered,
        ),
        // One turn too late.
        (
            vec![ask.clone(), json!([call("a")]), json!("b"), json!("c"), json!([result("a")])],
            "[1].content[0].toolUse.toolUseId",
            unanswered,
        ),
        (vec![json!([result("a")])], "[0].content[0].toolResult.toolUseId", without_call),
        (
            vec![ask.clone(), json!("b"), json!([result("a")])],
            "[2].content[0].toolResult.toolUseId",
            without_call,
        ),
        (
            vec![ask.clone(), json!([call("a")]), json!([result("a"), result("a")])],
            "[2].content[1].toolResult.toolUseId",
            without_call,
        ),
        (
            vec![ask.clone(), json!([call("a")]), json!([result("a")]), json!("b"), json!([result("a")])],
            "[4].content[0].toolResult.toolUseId",
            without_call,
        ),
        (
            vec![ask.clone(), json!([call("a"), call("a")]), json!([result("a")])],
            "[1].content[1].toolUse.toolUseId",
            "is the id of another call too",
        ),
        (
            vec![
                ask.clone(),
                json!([call("a")]),
                json!([result("a")]),
                json!([call("a")]),
                json!([result("a")]),
            ],
            "[3].content[0].toolUse.toolUseId",
            "is the id of another call too",
        ),
    ] {
        refused_at(&of_turns(&contents), &format!("prompt.messages{path}"), words);
    }
}

/// Messages of one role that follow each other are one turn.
#[test]
fn a_turn_may_have_several_messages() {
    let message = |role: &str, content: Value| json!({ "role": role, "content": content });
    let begin = [
        message("user", json!("a")),
        message("user", json!("b")),
        message("assistant", json!([call("a")])),
        message("assistant", json!([call("b")])),
    ];
    let after = |more: &[Value]| talk(&json!([&begin[..], more].concat()));
    accepted(&after(&[
        message("user", json!([result("a")])),
        message("user", json!([result("b")])),
        message("user", json!("c")),
    ]));
    refused_at(
        &after(&[
            message("user", json!([result("a")])),
            message("user", json!("c")),
            message("user", json!([result("b")])),
        ]),
        "prompt.messages[3].content[0].toolUse.toolUseId",
        "has no result",
    );
    refused_at(
        &after(&[message("user", json!([result("a")])), message("assistant", json!("c"))]),
        "prompt.messages[3].content[0].toolUse.toolUseId",
        "has no result",
    );
    // The result that is missing comes one turn too late.
    let late = [
        message("user", json!([result("a")])),
        message("assistant", json!("c")),
        message("user", json!([result("b")])),
    ];
    refused_at(&after(&late), "prompt.messages[3].content[0].toolUse.toolUseId", "has no result");
}

#[test]
fn a_history_with_calls_needs_the_tools() {
    let mut document = turns(&json!({}), &json!([]));
    document["prompt"].as_object_mut().unwrap().remove("tools");
    refused_at(&document, "prompt.tools", "send the tools with every turn");
}
