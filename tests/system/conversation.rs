//! Conversations beyond plain text, from end to end: tools, pictures, documents, schemas, reasoning.

use sentry_local::Host;
use serde_json::{Value, json};

use crate::host::{Tables, ask, limit, start};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// One family of each kind of tool user.
const TOOL_USERS: [&str; 8] = [
    CLAUDE,
    "us.amazon.nova-2-lite-v1:0",
    "us.amazon.nova-lite-v1:0",
    "us.meta.llama4-maverick-17b-instruct-v1:0",
    "mistral.mistral-large-3-675b-instruct",
    "openai.gpt-oss-120b-1:0",
    "qwen.qwen3-32b-v1:0",
    "deepseek.v3.2",
];
/// A picture of one pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn tools() -> Value {
    let tool = |name: &str, field: &str| {
        json!({"toolSpec": {"name": name, "description": format!("A {name}."), "inputSchema": {"json": {
            "type": "object", "properties": {field: {"type": "string"}}, "required": [field]}}}})
    };
    json!([tool("calculator", "expression"), tool("look-up", "word")])
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn conversation(model_id: &str, messages: Value) -> Value {
    json!({"modelId": model_id, "prompt": {"messages": messages}})
}

async fn answered(host: &Host, request: &Value) -> Value {
    ask(host, request).await.unwrap_or_else(|error| panic!("{}: {error:?}", request["modelId"]))
}

/// What an answer said, as the blocks of an assistant's message.
fn given_back(message: &Value) -> Value {
    let mut blocks = Vec::new();
    for block in message["reasoning"].as_array().into_iter().flatten() {
        blocks.push(match block.get("redacted") {
            Some(redacted) => json!({"reasoningContent": {"redactedContent": redacted}}),
            None => json!({"reasoningContent": {"reasoningText": {"text": block["text"], "signature": block["signature"]}}}),
        });
    }
    if let Some(text) = message["content"].as_str().filter(|text| !text.is_empty()) {
        blocks.push(json!({"text": text}));
    }
    for call in message["toolUses"].as_array().into_iter().flatten() {
        blocks.push(json!({"toolUse": call}));
    }
    json!({"role": "assistant", "content": blocks})
}

/// Everything that was billed is in the ledger, nothing is held, and no bound was too low.
async fn settled_as_billed(host: &Host, model_id: &str) {
    let billed = &host.usage()["models"][model_id];
    let count = |name: &str| billed[name].as_i64().unwrap_or(0);
    let input = count("inputTokens") + count("cacheReadInputTokens") + count("cacheWriteInputTokens");
    let mut items = Tables::of(host).await.ledger().await.into_values();
    let item = items.find(|item| item.contains_key("settledInput")).unwrap();
    assert_eq!((item["settledInput"], item["settledOutput"]), (input, count("outputTokens")), "{model_id}");
    assert_eq!((item["input"], item["output"]), (input, count("outputTokens")), "{model_id}");
    assert!(!host.events().to_string().contains("Bound Exceeded"), "{model_id}: {}", host.events());
}

#[tokio::test]
async fn a_tool_loop_runs_with_every_family_that_takes_tools() {
    for model_id in TOOL_USERS {
        let host = start(json!([limit("default", 1_000_000, 1_000_000)]), |_| {}).await;
        let question = user(json!(
            "Add 2 and 2, and say what a sum is.\n#call calculator {\"expression\": \"2+2\"}\n#call look-up {\"word\": \"sum\"}"
        ));
        let mut request = conversation(model_id, json!([question]));
        request["prompt"]["tools"] = tools();
        let answer = answered(&host, &request).await;
        assert_eq!(answer["stopReason"], "tool_use", "{model_id}: {answer}");
        let calls = answer["message"]["toolUses"].as_array().unwrap().clone();
        assert_eq!(
            calls.iter().map(|call| (&call["name"], &call["input"])).collect::<Vec<_>>(),
            [
                (&json!("calculator"), &json!({"expression": "2+2"})),
                (&json!("look-up"), &json!({"word": "sum"})),
            ],
            "{model_id}"
        );
        let result = |index: usize, text: &str| json!({"toolResult": {"toolUseId": calls[index]["toolUseId"], "content": [{"text": text}]}});
        let results = user(json!([result(0, "the number four"), result(1, "what addition gives")]));
        request["prompt"]["messages"] = json!([question, given_back(&answer["message"]), results]);
        let answer = answered(&host, &request).await;
        let text = answer["message"]["content"].as_str().unwrap();
        assert!(
            text.contains("the number four") && text.contains("what addition gives"),
            "{model_id}: {text}"
        );
        assert_eq!(answer["message"].get("toolUses"), None, "{model_id}");
        settled_as_billed(&host, model_id).await;
        host.shutdown().await;
    }
}

#[tokio::test]
async fn reasoning_with_its_signature_survives_a_tool_loop() {
    let host = start(json!([limit("default", 1_000_000, 1_000_000)]), |_| {}).await;
    let question = user(json!("Add 2 and 2.\n#call calculator {\"expression\": \"2+2\"}"));
    let mut request = conversation(CLAUDE, json!([question]));
    request["prompt"]["tools"] = tools();
    request["inference"] = json!({"maxTokens": 4_000, "reasoning": {"budgetTokens": 2_000}});
    let answer = answered(&host, &request).await;
    assert!(answer["message"]["reasoning"][0]["signature"].is_string(), "{answer}");
    let id = &answer["message"]["toolUses"][0]["toolUseId"];
    let result = user(json!([{"toolResult": {"toolUseId": id, "content": [{"json": {"sum": 4}}]}}]));
    let mut assistant = given_back(&answer["message"]);
    request["prompt"]["messages"] = json!([question, assistant, result]);
    answered(&host, &request).await;
    settled_as_billed(&host, CLAUDE).await;
    // A model knows its own reasoning.
    assistant["content"][0]["reasoningContent"]["reasoningText"]["signature"] = json!("Zm9yZ2Vk");
    request["prompt"]["messages"] = json!([question, assistant, result]);
    assert_eq!(ask(&host, &request).await.unwrap_err().0, "ModelRejectedRequest");
    host.shutdown().await;
}

#[tokio::test]
async fn pictures_documents_and_schemas_are_counted_within_their_bounds() {
    let text = "A line of a document that is read as text.\n".repeat(40);
    let picture = json!({"image": {"format": "png", "source": {"bytes": PNG}}});
    let document = json!({"document": {"format": "txt", "name": "Notes", "source": {"text": text}}});
    let schema = json!({"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"], "additionalProperties": false});
    for (model_id, block, format) in [
        (CLAUDE, Some(picture.clone()), false),
        ("us.amazon.nova-2-lite-v1:0", Some(picture.clone()), false),
        ("us.amazon.nova-lite-v1:0", Some(picture.clone()), false),
        ("us.meta.llama4-maverick-17b-instruct-v1:0", Some(picture), false),
        (CLAUDE, Some(document.clone()), false),
        ("us.amazon.nova-2-lite-v1:0", Some(document), false),
        (CLAUDE, None, true),
        ("us.amazon.nova-2-lite-v1:0", None, true),
        ("qwen.qwen3-32b-v1:0", None, true),
    ] {
        let host = start(json!([limit("default", 1_000_000, 1_000_000)]), |_| {}).await;
        let mut content = vec![json!({"text": "What is this?"})];
        content.extend(block);
        let mut request = conversation(model_id, json!([user(json!(content))]));
        if format {
            request["inference"] = json!({"responseFormat": {"schema": schema, "name": "reply"}});
        }
        let answer = answered(&host, &request).await;
        let said = answer["message"]["content"].as_str().unwrap();
        if format {
            let said: Value = serde_json::from_str(said).unwrap_or_else(|_| panic!("{model_id}: {said}"));
            assert!(said["answer"].is_string(), "{model_id}: {said}");
            assert_eq!(answer["stopReason"], "end_turn");
        }
        settled_as_billed(&host, model_id).await;
        host.shutdown().await;
    }
}

#[tokio::test]
async fn what_has_no_bound_is_counted_first_or_refused() {
    let pdf = "JVBERi0xLjQKMSAwIG9iago8PCAvVHlwZSAvUGFnZSA+PgplbmRvYmoK";
    let content = json!([{"text": "Read this."}, {"document": {"format": "pdf", "name": "Report", "source": {"bytes": pdf}}}]);
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56";
    let alias = json!({"modelId": profile, "aliasOf": CLAUDE});
    let host = start(json!([limit("default", 2_000_000, 1_000_000), alias]), |_| {}).await;
    let answer = answered(&host, &conversation(CLAUDE, json!([user(content.clone())]))).await;
    assert_eq!(host.usage()["calls"]["CountTokens"], 1, "{}", host.usage());
    assert!(answer["usage"]["inputTokens"].as_u64().unwrap() > 0);
    settled_as_billed(&host, CLAUDE).await;
    // The id of a profile does not say how much the model behind it reads.
    let (error, cause) = ask(&host, &conversation(profile, json!([user(content)]))).await.unwrap_err();
    assert_eq!(
        (error.as_str(), &cause["path"]),
        ("InvalidRequest", &json!("prompt.messages[0].content[1]")),
        "{cause}"
    );
    host.shutdown().await;
}

#[tokio::test]
async fn what_a_model_cannot_take_is_refused_and_nothing_stays_held() {
    let host = start(json!([limit("default", 1_000_000, 1_000_000)]), |_| {}).await;
    let tables = Tables::of(&host).await;
    let picture = json!([{"text": "What is this?"}, {"image": {"format": "png", "source": {"bytes": PNG}}}]);
    for (model_id, messages, tooled) in [
        ("cohere.command-r-plus-v1:0", json!([user(picture.clone())]), false),
        ("qwen.qwen3-32b-v1:0", json!([user(picture)]), false),
        ("us.deepseek.r1-v1:0", json!([user(json!("Hi"))]), true),
    ] {
        let mut request = conversation(model_id, messages);
        if tooled {
            request["prompt"]["tools"] = tools();
        }
        let (error, cause) = ask(&host, &request).await.unwrap_err();
        assert_eq!(error, "InvalidRequest", "{model_id}: {cause}");
        assert!(cause["path"].as_str().is_some_and(|path| !path.is_empty()), "{cause}");
        let held = |name: &str| ["Input", "Output", "Cost"].iter().any(|kind| name.ends_with(kind));
        for (key, item) in tables.ledger().await {
            let counters =
                item.iter().filter(|(name, _)| held(name) || ["input", "output"].contains(&name.as_str()));
            assert!(counters.clone().all(|(_, number)| *number == 0), "{model_id}: {key} {item:?}");
        }
    }
    assert_eq!(host.usage()["models"], json!({}));
    host.shutdown().await;
}
