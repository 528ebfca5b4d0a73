//! What Converse and the models behind it refuse of tools, media, reasoning and settings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

pub const SONNET_4_5: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
pub const OPUS_5: &str = "us.anthropic.claude-opus-5";
pub const NOVA_2: &str = "us.amazon.nova-2-lite-v1:0";
pub const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";
pub const QWEN: &str = "qwen.qwen3-32b-v1:0";

/// The head of a picture of this size, followed by so many bytes.
pub fn png(width: u32, height: u32, filling: usize) -> String {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(std::iter::repeat_n(0, filling + 16));
    STANDARD.encode(bytes)
}

pub fn image(width: u32, height: u32) -> Value {
    json!({ "image": { "format": "png", "source": { "bytes": png(width, height, 0) } } })
}

pub fn text_document(name: &str, text: &str) -> Value {
    json!({ "document": { "format": "txt", "name": name, "source": { "bytes": STANDARD.encode(text) } } })
}

pub fn tool(name: &str) -> Value {
    let schema = json!({
        "type": "object", "properties": { "a": { "type": "integer", "minimum": 3 }, "b": { "type": "string" } },
        "required": ["a"],
    });
    json!({ "toolSpec": { "name": name, "description": "Adds.", "inputSchema": { "json": schema } } })
}

pub fn tools(names: &[&str]) -> Value {
    json!({ "tools": names.iter().map(|name| tool(name)).collect::<Vec<_>>() })
}

pub fn user(blocks: Value) -> Value {
    json!({ "role": "user", "content": blocks })
}

pub fn assistant(blocks: Value) -> Value {
    json!({ "role": "assistant", "content": blocks })
}

pub fn call(id: &str) -> Value {
    json!({ "toolUse": { "toolUseId": id, "name": "add", "input": { "a": 1 } } })
}

pub fn result(id: &str) -> Value {
    json!({ "toolResult": { "toolUseId": id, "content": [{ "json": { "sum": 3 } }] } })
}

/// A body with these members in place of the plain one's.
pub fn body(members: Value) -> Value {
    let mut body = json!({
        "messages": [user(json!([{ "text": "Hello" }]))], "inferenceConfig": { "maxTokens": 4_000 },
    });
    for (key, value) in members.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

pub fn thread(messages: Value) -> Value {
    body(json!({ "messages": messages, "toolConfig": tools(&["add"]) }))
}

async fn assert_refused(cases: Vec<(&str, Value, &str)>) {
    let bedrock = service(&[]);
    for (model, body, words) in cases {
        let error = bedrock.converse(model, &body, noon()).await.map(|(answer, _)| answer).unwrap_err();
        assert_eq!((error.name.as_str(), error.status), ("ValidationException", 400));
        assert!(error.message.contains(words), "{model} {body}\nsays: {}\nnot:  {words}", error.message);
        assert_eq!(bedrock.usage()["models"][model]["inputTokens"], 0, "nothing is billed");
    }
}

async fn assert_taken(cases: Vec<(&str, Value)>) {
    let bedrock = service(&[]);
    for (model, body) in cases {
        if let Err(error) = bedrock.converse(model, &body, noon()).await {
            panic!("{model} {body}: {error}");
        }
    }
}

#[tokio::test]
async fn tool_results_answer_the_calls_before_them() {
    let start = || user(json!([{ "text": "Add" }]));
    let two = || assistant(json!([call("one"), call("two")]));
    assert_refused(vec![
        (SONNET, thread(json!([start(), two(), user(json!([result("one")]))])), "Expected toolResult blocks at messages.2.content for the following Ids: two, but found: one."),
        (SONNET, thread(json!([start(), two(), user(json!([{ "text": "No" }]))])), "Expected toolResult blocks at messages.2.content for the following Ids: one, two."),
        (SONNET, thread(json!([start(), two(), user(json!([result("one"), result("other")]))])), "for the following Ids: two, but found: one, other"),
        (SONNET, thread(json!([start(), two(), user(json!([result("one"), result("one")]))])), "contain duplicate Ids: one"),
        (SONNET, thread(json!([user(json!([result("one")]))])), "exceeds the number of toolUse blocks of previous turn"),
        (
            SONNET,
            thread(json!([start(), two(), user(json!([result("one"), result("two")])), assistant(json!([{ "text": "3" }])), user(json!([result("one")]))])),
            "messages.4.content exceeds the number",
        ),
        (
            SONNET,
            thread(json!([start(), two(), user(json!([{ "text": "Here:" }, result("one"), result("two")]))])),
            "`tool_use` ids were found without `tool_result` blocks immediately after: one, two",
        ),
        (SONNET, thread(json!([start(), assistant(json!([call("one"), call("one")])), user(json!([result("one")]))])), "toolUse blocks at messages.1.content contain duplicate Ids: one"),
        ("amazon.nova-lite-v1:0", thread(json!([start(), two()])), "ids were found without `tool_result` blocks immediately after: one, two"),
        (SONNET, body(json!({ "messages": [start(), assistant(json!([call("one")])), user(json!([result("one")]))] })), "The toolConfig field must be defined when using toolUse and toolResult content blocks."),
        (SONNET, thread(json!([user(json!([call("one")]))])), "User messages cannot contain tool uses"),
        (SONNET, thread(json!([start(), assistant(json!([result("one")])), start()])), "Assistant messages cannot contain tool results"),
        ("mistral.mistral-7b-instruct-v0:2", thread(json!([start()])), "doesn't support tool use"),
        (LLAMA, thread(json!([start(), assistant(json!([call("one")])), user(json!([{ "toolResult": { "toolUseId": "one", "status": "error", "content": [{ "text": "No" }] } }]))])), "doesn't support the toolResult.status field"),
    ])
    .await;
    assert_taken(vec![
        (
            SONNET,
            thread(json!([start(), two(), user(json!([result("two"), result("one"), { "text": "Go on" }]))])),
        ),
        (
            NOVA_2,
            thread(json!([
                start(),
                assistant(json!([{ "text": "I add." }, call("a.b:c-d_1")])),
                user(json!([result("a.b:c-d_1")]))
            ])),
        ),
        (LLAMA, thread(json!([start(), two(), user(json!([result("one"), result("two")]))]))),
    ])
    .await;
}

#[tokio::test]
async fn blocks_are_what_the_service_model_says() {
    let said = |block: Value| thread(json!([user(json!([block]))]));
    let called = |block: Value| {
        thread(json!([
            user(json!([{ "text": "a" }])),
            assistant(json!([block])),
            user(json!([{ "text": "b" }]))
        ]))
    };
    assert_refused(vec![
        (SONNET, said(json!({ "text": "" })), "The text field in the ContentBlock object at messages.0.content.0 is blank"),
        (SONNET, said(json!({ "text": "\n " })), "is blank"),
        (SONNET, said(json!({ "text": "a", "cachePoint": { "type": "default" } })), "must set exactly one of the following keys: text, image,"),
        (SONNET, said(json!({})), "must set exactly one of the following keys"),
        (SONNET, said(json!({ "video": {} })), "doesn't support the video content block that you provided"),
        (SONNET, said(json!({ "audio": {} })), "doesn't support the audio content block"),
        (SONNET, said(json!({ "searchResult": {} })), "doesn't support the searchResult content block"),
        (SONNET, said(json!({ "picture": {} })), "extraneous key [picture]"),
        (SONNET, called(json!({ "toolUse": { "toolUseId": "a b", "name": "add", "input": {} } })), "Value 'a b' at 'messages.1.content.0.toolUse.toolUseId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+"),
        (SONNET, called(json!({ "toolUse": { "toolUseId": "a".repeat(65), "name": "add", "input": {} } })), "length less than or equal to 64"),
        (SONNET, called(json!({ "toolUse": { "toolUseId": "a", "name": "add it", "input": {} } })), "pattern: [a-zA-Z0-9_-]+"),
        (SONNET, called(json!({ "toolUse": { "toolUseId": "a", "name": "add" } })), "required key [input]"),
        (SONNET, called(json!({ "toolUse": { "toolUseId": "a", "name": "add", "input": "{}" } })), "Provide a json object"),
        (SONNET, said(json!({ "toolResult": { "toolUseId": "a", "content": [{ "json": [1] }] } })), "Provide a json object"),
        (SONNET, said(json!({ "toolResult": { "toolUseId": "a", "content": [{ "text": "" }] } })), "messages.0.content.0.toolResult.content.0 is blank"),
        (SONNET, said(json!({ "toolResult": { "toolUseId": "a", "content": [{ "text": "a", "json": {} }] } })), "exactly one"),
        (SONNET, said(json!({ "toolResult": { "toolUseId": "a", "content": [], "status": "fine" } })), "not a valid enum value"),
        (SONNET, said(json!({ "cachePoint": { "type": "other" } })), "enum value set: [default]"),
        (SONNET, said(json!({ "cachePoint": { "type": "default", "ttl": "2h" } })), "enum value set: [5m, 1h]"),
    ])
    .await;
}

#[tokio::test]
async fn tools_are_checked() {
    let with = |config: Value| body(json!({ "toolConfig": config }));
    let spec = |spec: Value| with(json!({ "tools": [{ "toolSpec": spec }] }));
    let schema = || json!({ "json": { "type": "object" } });
    let choice = |choice: Value| with(json!({ "tools": [tool("add")], "toolChoice": choice }));
    let strict = |closed: Value| {
        spec(json!({ "name": "add", "strict": true, "inputSchema": { "json": {
            "type": "object", "properties": {}, "additionalProperties": closed } } }))
    };
    assert_refused(vec![
        (SONNET, with(json!({ "tools": [] })), "length greater than or equal to 1"),
        (SONNET, with(json!({ "tools": [tool("add"), tool("add")] })), "Tool names must be unique"),
        (SONNET, with(json!({ "tools": [{ "systemTool": { "name": "nova_grounding" } }] })), "systemTool field"),
        (SONNET, with(json!({ "tools": [{ "cachePoint": { "type": "default" } }] })), "at least one toolSpec"),
        (SONNET, spec(json!({ "name": "a b", "inputSchema": schema() })), "Value 'a b' at 'toolConfig.tools.1.member.toolSpec.name'"),
        (SONNET, spec(json!({ "name": "a", "description": "", "inputSchema": schema() })), "toolSpec.description"),
        (SONNET, spec(json!({ "name": "a" })), "[inputSchema]"),
        (SONNET, spec(json!({ "name": "a", "inputSchema": { "json": "{}" } })), "JSONObject"),
        (SONNET, spec(json!({ "name": "a", "inputSchema": { "json": {} } })), "inputSchema.json.type must be one of the following: object"),
        (SONNET, strict(Value::Null), "'additionalProperties' must be explicitly set to false"),
        (OPUS_5, strict(json!(false)), "strict field"),
        (LLAMA, strict(json!(false)), "strict field"),
        (SONNET, choice(json!({})), "exactly one of the following keys: auto, any, tool"),
        (SONNET, choice(json!({ "auto": {}, "any": {} })), "exactly one"),
        (SONNET, choice(json!({ "none": {} })), "[none]"),
        (SONNET, choice(json!({ "tool": { "name": "sub" } })), "Tool 'sub' not found in provided tools"),
        (LLAMA, choice(json!({ "any": {} })), "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again."),
        (LLAMA, choice(json!({ "tool": { "name": "add" } })), "toolConfig.toolChoice.tool"),
        ("us.anthropic.claude-opus-5-5", choice(json!({ "any": {} })), "toolConfig.toolChoice.any"),
        (SONNET, body(json!({ "additionalModelRequestFields": { "tool_choice": { "disable_parallel_tool_use": true } } })), "while providing `tools`"),
        (
            SONNET,
            body(json!({ "toolConfig": { "tools": [tool("add")], "toolChoice": { "auto": {} } }, "additionalModelRequestFields": { "tool_choice": { "type": "auto" } } })),
            "given twice",
        ),
    ])
    .await;
    assert_taken(vec![
        (SONNET, strict(json!(false))),
        (QWEN, choice(json!({ "any": {} }))),
        (LLAMA, choice(json!({ "auto": {} }))),
        (SONNET, body(json!({ "toolConfig": tools(&["add"]), "additionalModelRequestFields": { "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } } }))),
    ])
    .await;
}

#[tokio::test]
async fn pictures_are_checked() {
    let shown = |image: Value| body(json!({ "messages": [user(json!([{ "text": "See" }, image]))] }));
    let png_of =
        |bytes: String, format: &str| json!({ "image": { "format": format, "source": { "bytes": bytes } } });
    let in_result = || {
        thread(json!([
            user(json!([{ "text": "a" }])),
            assistant(json!([call("one")])),
            user(json!([
            { "toolResult": { "toolUseId": "one", "content": [image(64, 64)] } }]))
        ]))
    };
    let many = |count: usize| {
        let mut blocks = vec![json!({ "text": "See" })];
        blocks.extend((0..count).map(|_| image(8, 8)));
        body(json!({ "messages": [user(json!(blocks))] }))
    };
    assert_refused(vec![
        (LLAMA, shown(image(8, 8)), "doesn't support the image content block"),
        ("amazon.nova-micro-v1:0", shown(image(8, 8)), "doesn't support the image content block"),
        (SONNET, shown(png_of(png(8, 8, 0), "jpeg")), "does not match the provided media type image/jpeg"),
        (SONNET, shown(png_of(png(8, 8, 0), "jpg")), "enum value set: [png, jpeg, gif, webp]"),
        (SONNET, shown(png_of(STANDARD.encode("no picture"), "png")), "Could not process image"),
        (SONNET, shown(png_of(String::new(), "png")), "length greater than or equal to 1"),
        (SONNET, shown(png_of("not base64!".to_owned(), "png")), "base64"),
        (SONNET, shown(image(8_001, 8)), "exceed max allowed size: 8000 pixels"),
        (SONNET, shown(image(8, 8_001)), "exceed max allowed size: 8000 pixels"),
        (SONNET, shown(png_of(png(8, 8, 3_750_000), "png")), "exceeds 3.75 MB maximum"),
        (SONNET, shown(json!({ "image": { "format": "png", "source": { "s3Location": { "uri": "s3://a/b" } } } })), "This model doesn't support the s3Uri field"),
        (SONNET, shown(json!({ "image": { "format": "png", "source": {} } })), "exactly one"),
        (SONNET, many(21), "too many images"),
        (SONNET, body(json!({ "messages": [user(json!([{ "text": "a" }])), assistant(json!([image(8, 8)])), user(json!([{ "text": "b" }]))] })), "Only user messages can contain images"),
        ("openai.gpt-5.4", in_result(), "toolResult.content.image"),
    ])
    .await;
    assert_taken(vec![
        (SONNET, many(20)),
        (SONNET, shown(image(8_000, 8_000))),
        (SONNET, in_result()),
        ("openai.gpt-5.4", shown(image(8, 8))),
    ])
    .await;
}

#[tokio::test]
async fn documents_are_checked() {
    let read = |documents: Vec<Value>| {
        let mut blocks = vec![json!({ "text": "Read" })];
        blocks.extend(documents);
        body(json!({ "messages": [user(json!(blocks))] }))
    };
    let numbered =
        |count: usize| (0..count).map(|number| text_document(&format!("doc {number}"), "a")).collect();
    let pdf = |bytes: &str| json!({ "document": { "format": "pdf", "name": "a", "source": { "bytes": STANDARD.encode(bytes) } } });
    assert_refused(vec![
        (LLAMA, read(vec![text_document("a", "b")]), "doesn't support the document content block"),
        (
            "us.writer.palmyra-x5-v1:0",
            read(vec![text_document("a", "b")]),
            "doesn't support the document content block",
        ),
        (
            SONNET,
            read(vec![text_document("a.txt", "b")]),
            "The document file name can only contain alphanumeric characters",
        ),
        (SONNET, read(vec![text_document("a  b", "b")]), "more than one consecutive whitespace character"),
        (SONNET, read(vec![text_document("", "b")]), "document.name"),
        (
            SONNET,
            read(vec![text_document("a", "b"), text_document("a", "c")]),
            "Messages can not contain duplicate document names.",
        ),
        (SONNET, read(numbered(6)), "exceeds the limit: 5"),
        (SONNET, read(vec![text_document("a", "")]), "length greater than or equal to 1"),
        (SONNET, read(vec![text_document("a", &"x".repeat(4_500_001))]), "maximum size of 4.5 MB"),
        (SONNET, read(vec![pdf("no pdf")]), "The pdf document specified was not valid"),
        (
            SONNET,
            body(json!({ "messages": [user(json!([text_document("a", "b")]))] })),
            "must include a text block",
        ),
        (
            SONNET,
            read(vec![json!({ "document": { "name": "a", "format": "rtf", "source": { "text": "b" } } })]),
            "enum value set: [pdf, csv",
        ),
        (SONNET, read(vec![json!({ "document": { "name": "a", "source": { "s3Location": {} } } })]), "s3Uri"),
    ])
    .await;
    let text =
        json!({ "document": { "name": "notes (1) [b]-c", "source": { "text": "b" }, "context": "c" } });
    let parts = json!({ "document": { "name": "parts", "source": { "content": [{ "text": "b" }] }, "citations": { "enabled": true } } });
    assert_taken(vec![
        (SONNET, read(numbered(5))),
        (SONNET, read(vec![text, parts, pdf("%PDF-1.7\n/Type /Page")])),
    ])
    .await;
}

#[tokio::test]
async fn cache_points_are_checked() {
    let point = |ttl: Option<&str>| match ttl {
        Some(ttl) => json!({ "cachePoint": { "type": "default", "ttl": ttl } }),
        None => json!({ "cachePoint": { "type": "default" } }),
    };
    let after = |points: Vec<Value>| {
        let mut blocks = Vec::new();
        for point in points {
            blocks.push(json!({ "text": "a" }));
            blocks.push(point);
        }
        body(json!({ "messages": [user(json!(blocks))] }))
    };
    let everywhere = |more: usize| {
        let mut config = tools(&["add"]);
        config["tools"].as_array_mut().unwrap().push(point(None));
        let blocks: Vec<_> = (0..more).flat_map(|_| [json!({ "text": "a" }), point(None)]).collect();
        body(
            json!({ "toolConfig": config, "system": [{ "text": "s" }, point(None)], "messages": [user(json!(blocks))] }),
        )
    };
    assert_refused(vec![
        (LLAMA, after(vec![point(None)]), "your request did not allow prompt caching"),
        ("moonshotai.kimi-k3", after(vec![point(None)]), "your request did not allow prompt caching"),
        (NOVA_2, after(vec![point(Some("1h"))]), "cachePoint.ttl"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", after(vec![point(Some("1h"))]), "cachePoint.ttl"),
        (SONNET, after(vec![point(None), point(Some("1h"))]), "must not come after a ttl='5m'"),
        (SONNET, everywhere(3), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    ])
    .await;
    assert_taken(vec![
        (SONNET, everywhere(2)),
        (SONNET, after(vec![point(Some("1h")), point(Some("5m"))])),
        (NOVA_2, after(vec![point(Some("5m"))])),
    ])
    .await;
}

#[tokio::test]
async fn reasoning_is_checked() {
    let with = |fields: Value| body(json!({ "additionalModelRequestFields": fields }));
    let thinking = |thinking: Value| with(json!({ "thinking": thinking }));
    let enabled = || json!({ "thinking": { "type": "enabled", "budget_tokens": 1024 } });
    let and = |members: Value| {
        let mut body = with(enabled());
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let config = |config: Value| and(json!({ "inferenceConfig": config }));
    let nova = |reasoning: Value, config: Value| {
        body(
            json!({ "additionalModelRequestFields": { "reasoningConfig": reasoning }, "inferenceConfig": config }),
        )
    };
    let high = || json!({ "type": "enabled", "maxReasoningEffort": "high" });
    let forced = json!({ "tools": [tool("add")], "toolChoice": { "any": {} } });
    let thought = |text: &str, signature: Option<String>| {
        let mut reasoning = json!({ "text": text });
        if let Some(signature) = signature {
            reasoning["signature"] = json!(signature);
        }
        json!({ "reasoningContent": { "reasoningText": reasoning } })
    };
    let returned = |first: Value| {
        let mut blocks = vec![first];
        blocks.push(call("one"));
        let mut body = thread(json!([
            user(json!([{ "text": "a" }])),
            assistant(json!(blocks)),
            user(json!([result("one")]))
        ]));
        body["additionalModelRequestFields"] = enabled();
        body
    };
    let signed = crate::bedrock::converse::reasoning::sign("I add.", 3);
    assert_refused(vec![
        (SONNET_4_5, thinking(json!({ "type": "enabled" })), "budget_tokens: Field required"),
        (
            SONNET_4_5,
            thinking(json!({ "type": "enabled", "budget_tokens": 1023 })),
            "greater than or equal to 1024",
        ),
        (
            SONNET_4_5,
            thinking(json!({ "type": "enabled", "budget_tokens": 4000 })),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
        (SONNET_4_5, thinking(json!({ "type": "adaptive" })), "adaptive thinking is not supported"),
        (
            SONNET,
            thinking(json!({ "type": "adaptive", "budget_tokens": 2000 })),
            "Extra inputs are not permitted",
        ),
        (SONNET, thinking(json!({ "type": "on" })), "does not match any of the expected tags"),
        (
            OPUS_5,
            thinking(json!({ "type": "enabled", "budget_tokens": 2000 })),
            "Use \"thinking.type.adaptive\"",
        ),
        ("us.anthropic.claude-fable-5", thinking(json!({ "type": "disabled" })), "thinking.type.disabled"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", with(enabled()), "[thinking]"),
        (LLAMA, with(enabled()), "[thinking]"),
        (
            SONNET,
            and(json!({ "toolConfig": forced })),
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            SONNET,
            config(json!({ "maxTokens": 4000, "temperature": 0.5 })),
            "`temperature` may only be set to 1 when thinking is enabled",
        ),
        (
            SONNET,
            config(json!({ "maxTokens": 4000, "topP": 0.9 })),
            "`top_p` must be greater than or equal to 0.95",
        ),
        (SONNET, with(json!({ "thinking": enabled()["thinking"], "top_k": 5 })), "`top_k` must be unset"),
        (
            SONNET_4_5,
            and(json!({ "messages": [user(json!([{ "text": "a" }])), assistant(json!([{ "text": "b" }]))] })),
            "prefill",
        ),
        (NOVA_2, nova(high(), json!({ "maxTokens": 100 })), "must be unset when maxReasoningEffort is high"),
        (
            NOVA_2,
            nova(high(), json!({ "temperature": 0.1 })),
            "must be unset when maxReasoningEffort is high",
        ),
        (NOVA_2, nova(json!({ "type": "enabled" }), json!({})), "[maxReasoningEffort]"),
        ("amazon.nova-lite-v1:0", nova(high(), json!({})), "[reasoningConfig]"),
        (QWEN, with(json!({ "reasoning_config": "much" })), "not a valid enum value"),
        ("deepseek.r1-v1:0", with(json!({ "reasoning_effort": "low" })), "[reasoning_effort]"),
        (
            SONNET_4_5,
            returned(json!({ "text": "I add." })),
            "Expected `thinking` or `redacted_thinking`, but found `text`",
        ),
        (SONNET_4_5, returned(call("two")), "Expected toolResult blocks"),
        (SONNET_4_5, returned(thought("I add.", None)), "thinking.signature: Field required"),
        (
            SONNET_4_5,
            returned(thought("I add!", Some(signed.clone()))),
            "Invalid `signature` in `thinking` block",
        ),
        (
            SONNET_4_5,
            returned(thought("I add.", Some("c2ltdWxhdGVk".into()))),
            "Invalid `signature` in `thinking` block",
        ),
        (
            SONNET_4_5,
            returned(json!({ "reasoningContent": { "redactedContent": "AAAA" } })),
            "in `redacted_thinking` block",
        ),
        (
            LLAMA,
            thread(json!([
                user(json!([{ "text": "a" }])),
                assistant(json!([thought("b", None)])),
                user(json!([{ "text": "c" }]))
            ])),
            "doesn't support the reasoningContent content block",
        ),
        (
            SONNET_4_5,
            body(json!({ "messages": [user(json!([thought("b", Some(signed.clone()))]))] })),
            "User messages cannot contain reasoning",
        ),
    ])
    .await;
    assert_taken(vec![
        (SONNET_4_5, returned(thought("I add.", Some(signed)))),
        (SONNET, config(json!({ "maxTokens": 4000, "topP": 0.95 }))),
        (SONNET, thinking(json!({ "type": "adaptive" }))),
        (OPUS_5, with(json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": "high" } }))),
        (NOVA_2, nova(high(), json!({ "stopSequences": ["a"] }))),
        (
            NOVA_2,
            nova(json!({ "type": "enabled", "maxReasoningEffort": "low" }), json!({ "maxTokens": 100 })),
        ),
        (QWEN, with(json!({ "reasoning_config": "high" }))),
        ("openai.gpt-oss-120b-1:0", with(json!({ "reasoning_effort": "low" }))),
        ("openai.gpt-5.4", with(json!({ "reasoning": { "effort": "low" } }))),
        ("deepseek.v3.2", with(enabled())),
    ])
    .await;
    let mut calls_first = returned(call("two"));
    calls_first["messages"][2]["content"] = json!([result("one"), result("two")]);
    assert_refused(vec![(SONNET_4_5, calls_first, "but found `tool_use`")]).await;
}

#[tokio::test]
async fn settings_are_checked() {
    let format = |schema: &str| {
        body(
            json!({ "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": schema } } } } }),
        )
    };
    let closed = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    let open = r#"{"type":"object","properties":{"a":{"type":"object","properties":{}}},"additionalProperties":false}"#;
    let recursive = r##"{"type":"object","properties":{"a":{"$ref":"#"}},"additionalProperties":false}"##;
    let bounded =
        r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"additionalProperties":false}"#;
    let tier = |tier: &str| body(json!({ "serviceTier": { "type": tier } }));
    let metadata = |metadata: Value| body(json!({ "requestMetadata": metadata }));
    let many: serde_json::Map<String, Value> =
        (0..17).map(|number| (format!("k{number}"), json!("v"))).collect();
    let cited =
        json!({ "document": { "name": "a", "source": { "text": "b" }, "citations": { "enabled": true } } });
    let mut cites = format(closed);
    cites["messages"] = json!([user(json!([{ "text": "a" }, cited]))]);
    let mut object = format(closed);
    object["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"] = json!({ "type": "object" });
    assert_refused(vec![
        (SONNET, object, "expected type: String, found: JSONObject"),
        (SONNET, format("{"), "is not valid JSON"),
        (
            SONNET,
            format(r#"{"type":"object","properties":{}}"#),
            "'additionalProperties' must be explicitly set to false",
        ),
        (SONNET, format(open), "'additionalProperties' must be explicitly set to false"),
        (SONNET, format(recursive), "Recursive schemas are not supported"),
        (SONNET, format(bounded), "For 'integer' type, properties minimum are not supported"),
        (QWEN, format(open), "'additionalProperties' must be explicitly set to false"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", format(closed), "outputConfig.textFormat"),
        (NOVA_2, format(closed), "outputConfig.textFormat"),
        (LLAMA, format(closed), "outputConfig.textFormat"),
        (SONNET, cites, "citations cannot be used together with structured outputs"),
        (LLAMA, body(json!({ "outputConfig": { "effort": "low" } })), "outputConfig.effort"),
        (SONNET, body(json!({ "outputConfig": { "effort": "little" } })), "output_config.effort"),
        (SONNET, tier("flex"), "The service tier flex is not supported for this model"),
        (NOVA_2, tier("cheap"), "enum value set: [priority, default, flex, reserved]"),
        (
            SONNET,
            body(json!({ "performanceConfig": { "latency": "optimized" } })),
            "Latency performance configuration",
        ),
        (
            SONNET,
            body(json!({ "guardrailConfig": { "guardrailIdentifier": "a", "guardrailVersion": "1" } })),
            "guardrail identifier or version",
        ),
        (SONNET, body(json!({ "promptVariables": { "a": { "text": "b" } } })), "ARN of a prompt"),
        (SONNET, metadata(json!({})), "length greater than or equal to 1"),
        (SONNET, metadata(json!(many)), "length less than or equal to 16"),
        (SONNET, metadata(json!({ "k": "ä" })), "regular expression pattern"),
        (SONNET, metadata(json!({ "k": "v".repeat(257) })), "length less than or equal to 256"),
        (SONNET, metadata(json!({ "": "v" })), "length greater than or equal to 1"),
        (SONNET, metadata(json!({ "k": 1 })), "expected type: String"),
        (SONNET, body(json!({ "additionalModelResponseFieldPaths": ["a"] })), "JSON Pointer"),
        ("openai.gpt-5.4", body(json!({ "inferenceConfig": { "maxTokens": 15 } })), "Expected a value >= 16"),
        (
            SONNET_4_5,
            body(json!({ "inferenceConfig": { "temperature": 0.5, "topP": 0.5 } })),
            "cannot both be specified",
        ),
        (
            SONNET,
            body(json!({ "inferenceConfig": { "temperature": 0.5, "topP": 0.5 } })),
            "cannot both be specified",
        ),
        (
            "us.anthropic.claude-opus-4-5-20251101-v1:0",
            body(json!({ "inferenceConfig": { "temperature": 0.5, "topP": 0.5 } })),
            "cannot both be specified",
        ),
        (
            OPUS_5,
            body(json!({ "inferenceConfig": { "temperature": 0.5, "topP": 0.5 } })),
            "`temperature` is deprecated for this model",
        ),
        (SONNET, thread(json!([{ "role": "system", "content": [{ "text": "a" }] }])), "[user, assistant]"),
    ])
    .await;
    let instructed =
        json!([user(json!([{ "text": "a" }])), { "role": "system", "content": [{ "text": "b" }] }]);
    assert_taken(vec![
        (SONNET, format(closed)),
        (QWEN, format(closed)),
        (QWEN, format(bounded)),
        (SONNET, body(json!({ "outputConfig": { "effort": "low" } }))),
        (SONNET, tier("default")),
        (NOVA_2, tier("priority")),
        (SONNET, metadata(json!({ "team": "a:b_@$#=/+,-. c", "empty": "" }))),
        ("anthropic.claude-opus-4-8", body(json!({ "messages": instructed }))),
    ])
    .await;
}
