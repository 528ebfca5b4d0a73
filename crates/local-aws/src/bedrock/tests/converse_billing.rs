//! What is billed as input, and the prompt cache.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::conversation_rules::*;
use super::*;

async fn input(model: &str, body: &Value) -> u64 {
    service(&[])
        .converse(model, body, noon())
        .await
        .unwrap_or_else(|error| panic!("{model}: {error}"))
        .1
        .input
}

/// What a member adds to a request.
async fn added(model: &str, members: Value) -> u64 {
    input(model, &body(members)).await - input(model, &body(json!({}))).await
}

/// What a block adds beside the same text.
async fn block(model: &str, block: Value) -> u64 {
    added(model, json!({ "messages": [user(json!([{ "text": "Hello" }, block]))] })).await
}

#[tokio::test]
async fn tools_cost_their_definition_and_the_familys_prompt() {
    let definition = json!({ "name": "add", "description": "Adds.", "parameters": tool("add")["toolSpec"]["inputSchema"]["json"] });
    let definition = (definition.to_string().len() as u64).div_ceil(4) + 3;
    for (model, auto, forced) in [
        (SONNET, 497, 589),
        (SONNET_4_5, 496, 588),
        ("anthropic.claude-sonnet-4-20250514-v1:0", 313, 315),
        ("anthropic.claude-opus-4-7", 675, 804),
        ("us.anthropic.claude-opus-4-8", 290, 410),
        (NOVA_2, 700, 700),
        (QWEN, 0, 0),
    ] {
        assert_eq!(
            added(model, json!({ "toolConfig": tools(&["add"]) })).await,
            auto + definition,
            "{model}"
        );
        let mut config = tools(&["add"]);
        config["toolChoice"] = json!({ "any": {} });
        assert_eq!(added(model, json!({ "toolConfig": config })).await, forced + definition, "{model}");
    }
}

#[tokio::test]
async fn pictures_cost_what_the_familys_rule_says() {
    for (model, width, height, tokens) in [
        (SONNET, 128, 128, 25),
        (SONNET, 239, 178, 63),
        (SONNET, 8_000, 8_000, 1_568),
        (SONNET, 8_000, 64, 56),
        (OPUS_5, 8_000, 8_000, 4_784),
        (OPUS_5, 1_568, 1_568, 3_136),
        ("amazon.nova-lite-v1:0", 540, 360, 1_788),
        ("amazon.nova-lite-v1:0", 1_300, 1_300, 2_600),
        (NOVA_2, 597, 566, 460),
        (NOVA_2, 400, 301, 185),
        ("us.meta.llama4-scout-17b-instruct-v1:0", 336, 336, 144),
        ("us.meta.llama4-scout-17b-instruct-v1:0", 8_000, 8_000, 2_448),
        ("us.mistral.pixtral-large-2502-v1:0", 597, 566, 1_404),
        ("us.mistral.pixtral-large-2502-v1:0", 8_000, 8_000, 4_160),
    ] {
        assert_eq!(block(model, image(width, height)).await, tokens, "{model} {width}×{height}");
    }
}

#[tokio::test]
async fn documents_cost_their_text_or_their_pages() {
    let pdf = |text: &str, citations: bool| json!({ "document": { "format": "pdf", "name": "a", "source": { "bytes": STANDARD.encode(text) }, "citations": { "enabled": citations } } });
    let name = 1;
    assert_eq!(block(SONNET, text_document("a", &"word ".repeat(80))).await, 103 + name);
    assert_eq!(block(SONNET, pdf("%PDF-1.4 compressed", false)).await, 2_667 + name);
    let three = "%PDF-1.4 <</Type/Pages>> <</Type /Page>> <</Type/Page/Parent 1>> <</Type\n/Page>>";
    assert_eq!(block(SONNET, pdf(three, false)).await, 3 * 2_667 + name);
    assert_eq!(block(SONNET, pdf("%PDF-1.4", true)).await, 4_203 + name);
    assert_eq!(block(NOVA_2, pdf("%PDF-1.4", false)).await, 2_500 + name);
}

#[tokio::test]
async fn a_schema_is_input_for_claude_only_and_thinking_has_its_prompt() {
    let schema = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
    let format = || json!({ "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": schema } } } } });
    assert_eq!(added(SONNET, format()).await, 128 + (schema.len() as u64).div_ceil(4) + 3);
    assert_eq!(added(QWEN, format()).await, 0);
    let fields = |fields: Value| json!({ "additionalModelRequestFields": fields });
    assert_eq!(
        added(SONNET, fields(json!({ "thinking": { "type": "enabled", "budget_tokens": 1024 } }))).await,
        30
    );
    assert_eq!(added(SONNET, fields(json!({ "thinking": { "type": "adaptive" } }))).await, 0);
    assert_eq!(
        added(
            NOVA_2,
            fields(json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "low" } }))
        )
        .await,
        65
    );
}

#[tokio::test]
async fn thoughts_in_the_history_are_read_again() {
    let thinks = |text: &str| {
        let signature = crate::bedrock::converse::reasoning::sign(text, 500);
        json!({ "messages": [
            user(json!([{ "text": "Hello" }])),
            assistant(json!([{ "reasoningContent": { "reasoningText": { "text": text, "signature": signature } } }, { "text": "b" }])),
            user(json!([{ "text": "c" }])),
        ] })
    };
    assert_eq!(added(OPUS_5, thinks("")).await, 500 + 2, "hidden thoughts count by their number");
    assert_eq!(added(SONNET, thinks("I think.")).await, 5 + 2, "shown ones by their text");
}

/// A prompt with this system text behind a cache point, and a question.
fn cached(system: &str, ttl: &str, question: &str) -> Value {
    body(json!({
        "system": [{ "text": system }, { "cachePoint": { "type": "default", "ttl": ttl } }],
        "messages": [user(json!([{ "text": question }]))],
    }))
}

#[tokio::test]
async fn the_first_sight_of_a_prefix_writes_and_later_ones_read() {
    let bedrock = service(&[]);
    let long = "word ".repeat(2_000);
    let prefix = 2_503;
    let later = |minutes: i64| noon() + TimeDelta::minutes(minutes);
    let ask = async |model: &str, body: Value, at| {
        let (answer, usage) = bedrock.converse(model, &body, at).await.unwrap();
        assert_eq!(answer["usage"]["totalTokens"], usage.total());
        (usage.input, usage.cache_read, usage.cache_write, answer["usage"]["cacheDetails"].clone())
    };
    let five = |tokens: u64| json!([{ "ttl": "5m", "inputTokens": tokens }]);
    assert_eq!(ask(SONNET, cached(&long, "5m", "Hello"), noon()).await, (5, 0, prefix, five(prefix)));
    assert_eq!(ask(SONNET, cached(&long, "5m", "Other"), later(4)).await, (5, prefix, 0, Value::Null));
    assert_eq!(
        ask(SONNET, cached(&long, "5m", "Other"), later(8)).await,
        (5, prefix, 0, Value::Null),
        "reading renews"
    );
    assert_eq!(
        ask(SONNET, cached(&long, "5m", "Other"), later(14)).await,
        (5, 0, prefix, five(prefix)),
        "expired"
    );
    assert_eq!(
        ask(SONNET_4_5, cached(&long, "1h", "Hello"), noon()).await.3,
        json!([{ "ttl": "1h", "inputTokens": prefix }])
    );
    assert_eq!(ask(SONNET_4_5, cached(&long, "1h", "Hello"), later(59)).await.1, prefix);
    assert_eq!(
        ask(SONNET, cached(&"word ".repeat(1_000), "5m", "Hello"), noon()).await,
        (1_258, 0, 0, Value::Null),
        "below the minimum"
    );
    assert_eq!(bedrock.usage()["models"][SONNET]["cacheReadInputTokens"], 2 * prefix);
}

#[tokio::test]
async fn a_growing_conversation_reads_what_the_last_turn_wrote() {
    let bedrock = service(&[]);
    let point = || json!({ "cachePoint": { "type": "default" } });
    let long = "word ".repeat(2_000);
    let first = body(json!({ "messages": [user(json!([{ "text": long }, point()]))] }));
    let (_, usage) = bedrock.converse(SONNET, &first, noon()).await.unwrap();
    assert_eq!((usage.input, usage.cache_write), (0, 2_503));
    let second = body(json!({ "messages": [
        user(json!([{ "text": long }])), assistant(json!([{ "text": "Hello" }])), user(json!([{ "text": "Hello" }, point()])),
    ] }));
    let (_, usage) = bedrock.converse(SONNET, &second, noon()).await.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.cache_write), (0, 2_503, 10));
    // What failed without a bill has cached nothing.
    let third = body(
        json!({ "messages": [user(json!([{ "text": "w ".repeat(5_000) }, point(), { "text": "#sim error=Throttling" }]))] }),
    );
    bedrock.converse(SONNET, &third, noon()).await.unwrap_err();
    let mut again = third.clone();
    again["messages"][0]["content"][2] = json!({ "text": "x" });
    let (_, usage) = bedrock.converse(SONNET, &again, noon()).await.unwrap();
    assert_eq!((usage.cache_read, usage.cache_write), (0, 2_503));
}

#[tokio::test]
async fn tokens_are_counted_with_tools_and_thinking() {
    let bedrock = service(&[]);
    let count = async |model: &str, converse: Value| {
        bedrock
            .call(Operation::CountTokens, model, &json!({ "input": { "converse": converse } }), noon())
            .await
    };
    let mut whole = body(json!({
        "system": [{ "text": "Be brief." }], "toolConfig": tools(&["add"]),
        "additionalModelRequestFields": { "thinking": { "type": "enabled", "budget_tokens": 20_000 } },
        "messages": [user(json!([{ "text": "See" }, image(128, 128)]))],
    }));
    whole["inferenceConfig"]["maxTokens"] = json!(30_000);
    let billed = input(SONNET_4_5, &whole).await;
    whole.as_object_mut().unwrap().remove("inferenceConfig");
    assert_eq!(count(SONNET_4_5, whole.clone()).await.unwrap().body, json!({ "inputTokens": billed }));
    for (model, extra, words) in [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", json!({}), "doesn't support counting tokens"),
        (NOVA_2, json!({}), "doesn't support counting tokens"),
        (SONNET_4_5, json!({ "outputConfig": {} }), "[outputConfig]"),
        (SONNET_4_5, json!({ "inferenceConfig": {} }), "[inferenceConfig]"),
    ] {
        let mut converse = whole.clone();
        for (key, value) in extra.as_object().unwrap() {
            converse[key] = value.clone();
        }
        let error = count(model, converse).await.unwrap_err();
        assert!(error.message.contains(words), "{error}");
    }
}
