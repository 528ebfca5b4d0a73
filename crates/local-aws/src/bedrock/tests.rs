use super::*;

mod any_document;
mod conversation_rules;
mod converse_answers;
mod converse_billing;
mod models_and_text;
mod streams;
mod strictness;

use crate::bedrock::usage::NoSink;

/// A service without latency that suffers these faults.
fn service(faults: &[&str]) -> Bedrock {
    let config = BedrockConfig { latency: Some(Duration::ZERO), ..BedrockConfig::default() };
    Bedrock::new(config, Arc::new(Faults::parse(faults, 1).unwrap()), Arc::new(NoSink))
}

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

const SONNET: &str = "us.anthropic.claude-sonnet-4-6";

fn claude(text: &str) -> Value {
    json!({ "anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{ "role": "user", "content": text }] })
}

fn conversation(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }], "inferenceConfig": { "maxTokens": 50 } })
}

#[tokio::test]
async fn an_answer_has_the_vendors_shape_and_the_headers() {
    let bedrock = service(&[]);
    let body = claude("Why is the sky blue?").to_string();
    let reply = bedrock.handle(Operation::InvokeModel, SONNET, body.as_bytes(), noon()).await;
    assert_eq!(reply.status, 200);
    let answer = reply.json_body();
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert_eq!(
        text,
        "Simulated anthropic.claude-sonnet-4-6 here: your last message has 5 words, in a conversation of 1 message."
    );
    assert_eq!(answer["stop_reason"], "end_turn");
    assert_eq!(answer["usage"]["input_tokens"], 8);
    assert_eq!(reply.header("X-Amzn-Bedrock-Input-Token-Count"), Some("8"));
    assert_eq!(
        reply.header("x-amzn-bedrock-output-token-count"),
        Some(answer["usage"]["output_tokens"].to_string().as_str())
    );
    assert_eq!(reply.header("x-amzn-bedrock-invocation-latency"), Some("0"));
    assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(
        bedrock.usage(),
        json!({
            "models": { SONNET: {
                "inputTokens": 8, "outputTokens": answer["usage"]["output_tokens"], "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 0, "invocations": 1, "errors": {},
            } },
            "calls": { "InvokeModel": 1, "Converse": 0, "CountTokens": 0 },
        })
    );
}

#[tokio::test]
async fn the_limit_cuts_and_directives_rule() {
    let bedrock = service(&[]);
    let (answer, usage) =
        bedrock.invoke(SONNET, &claude("Hi\n#sim output=500 input=1350 cacheRead=7"), noon()).await.unwrap();
    assert_eq!((usage.input, usage.output, usage.cache_read), (1350, 50, 7));
    assert_eq!(answer["stop_reason"], "max_tokens");
    assert_eq!(answer["content"][0]["text"].as_str().unwrap().split_whitespace().count(), 50);
    let (answer, usage) =
        bedrock.invoke(SONNET, &claude("#sim output=3 stop=refusal"), noon()).await.unwrap();
    assert_eq!((usage.output, &answer["stop_reason"]), (3, &json!("refusal")));
    let (answer, usage) = bedrock
        .converse("amazon.nova-lite-v1:0", &conversation("a\n#sim output=9 reasoning=4"), noon())
        .await
        .unwrap();
    assert_eq!(usage.output, 9);
    assert_eq!(
        answer["output"]["message"]["content"][1]["text"].as_str().map(|text| text.split(' ').count()),
        Some(5)
    );
    for (line, word) in [
        ("#sim outputs=5", "unknown key"),
        ("#sim output=lots", "whole number"),
        ("#sim latency=5", "250ms"),
        ("#sim error=Nonsense", "ModelTimeoutException"),
        ("#sim billed=maybe", "true or false"),
    ] {
        let error = bedrock.invoke(SONNET, &claude(line), noon()).await.unwrap_err();
        assert_eq!(error.name, "ValidationException");
        assert!(error.message.contains(word), "{line}: {error}");
    }
    // Only the last user message is obeyed, and only a line of its own.
    let mut two = claude("#sim error=ThrottlingException");
    two["messages"] = json!([two["messages"][0], { "role": "assistant", "content": "no" }, { "role": "user", "content": "then #sim output=1" }]);
    let (_, usage) = bedrock.invoke(SONNET, &two, noon()).await.unwrap();
    assert!(usage.output > 1);
}

#[tokio::test]
async fn a_stop_sequence_ends_the_text() {
    let mut body = claude("Hello");
    body["stop_sequences"] = json!(["words,", "last"]);
    let (answer, usage) = service(&[]).invoke(SONNET, &body, noon()).await.unwrap();
    assert_eq!(answer["content"][0]["text"], "Simulated anthropic.claude-sonnet-4-6 here: your ");
    assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!("stop_sequence"), &json!("last")));
    assert_eq!(usage.output, 4);
}

#[tokio::test]
async fn every_documented_error_has_its_status_and_is_not_billed() {
    let bedrock = service(&[]);
    for (name, status) in [
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
        ("ModelTimeoutException", 408),
        ("ModelErrorException", 424),
        ("ServiceQuotaExceededException", 400),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 404),
        ("ValidationException", 400),
    ] {
        let body = claude(&format!("#sim error={name}")).to_string();
        let reply = bedrock.handle(Operation::InvokeModel, SONNET, body.as_bytes(), noon()).await;
        assert_eq!(reply.status, status, "{name}");
        assert!(reply.header("x-amzn-errortype").unwrap().starts_with(&format!("{name}:http://")));
        assert!(reply.json_body()["message"].is_string());
        assert_eq!(reply.json_body().get("originalStatusCode").is_some(), name == "ModelErrorException");
        assert_eq!(bedrock.usage()["models"][SONNET]["errors"][name], 1);
    }
    assert_eq!(bedrock.usage()["models"][SONNET]["outputTokens"], 0);
    let error = bedrock
        .invoke(SONNET, &claude("#sim error=ModelTimeout billed=true output=20"), noon())
        .await
        .unwrap_err();
    assert_eq!(error.name, "ModelTimeoutException");
    assert_eq!(bedrock.usage()["models"][SONNET]["outputTokens"], 20, "billed before it failed");
}

#[tokio::test]
async fn faults_strike_and_a_lost_reply_is_billed() {
    let bedrock = service(&["ThrottlingException:1", "bedrock.Converse.lost-reply:1"]);
    assert_eq!(bedrock.invoke(SONNET, &claude("x"), noon()).await.unwrap_err().name, "ThrottlingException");
    let body = conversation("Hello").to_string();
    let reply = bedrock.handle(Operation::Converse, SONNET, body.as_bytes(), noon()).await;
    assert!(reply.lost);
    assert_eq!(bedrock.usage()["models"][SONNET]["invocations"], 1);
    assert!(!bedrock.handle(Operation::Converse, SONNET, body.as_bytes(), noon()).await.lost);
    // What is refused anyway does not use up a fault.
    let bedrock = service(&["ThrottlingException:1"]);
    assert_eq!(bedrock.invoke(SONNET, &json!({}), noon()).await.unwrap_err().name, "ValidationException");
    assert_eq!(bedrock.invoke(SONNET, &claude("x"), noon()).await.unwrap_err().name, "ThrottlingException");
}

#[tokio::test]
async fn latency_follows_the_model_of_time() {
    let config = BedrockConfig {
        time_to_first_token: Duration::from_millis(5),
        tokens_per_second: 2000,
        ..BedrockConfig::default()
    };
    let bedrock = Bedrock::new(config, Arc::new(Faults::new(1)), Arc::new(NoSink));
    let began = std::time::Instant::now();
    let called =
        bedrock.call(Operation::InvokeModel, SONNET, &claude("#sim output=30"), noon()).await.unwrap();
    assert_eq!(called.latency_ms, 20);
    assert!(began.elapsed().as_millis() >= 20, "it takes the time that it tells");
    let called =
        bedrock.call(Operation::InvokeModel, SONNET, &claude("#sim latency=7ms"), noon()).await.unwrap();
    assert_eq!(called.latency_ms, 7);
}

#[tokio::test]
async fn tokens_are_counted_for_the_claude_models_that_can() {
    let bedrock = service(&[]);
    let haiku = "anthropic.claude-haiku-4-5-20251001-v1:0";
    let counted = json!({ "messages": conversation("Hello there, how are you?")["messages"] });
    let input = json!({ "input": { "converse": counted } });
    let called = bedrock.call(Operation::CountTokens, haiku, &input, noon()).await.unwrap();
    assert_eq!(called.body, json!({ "inputTokens": 10 }));
    // {"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":[{"role":"user","content":"Hello there"}]}
    let blob = "eyJhbnRocm9waWNfdmVyc2lvbiI6ImJlZHJvY2stMjAyMy0wNS0zMSIsIm1heF90b2tlbnMiOjEsIm1lc3NhZ2VzIjpbeyJyb2xlIjoidXNlciIsImNvbnRlbnQiOiJIZWxsbyB0aGVyZSJ9XX0=";
    let input_invoke = json!({ "input": { "invokeModel": { "body": blob } } });
    let called = bedrock.call(Operation::CountTokens, haiku, &input_invoke, noon()).await.unwrap();
    assert_eq!(called.body, json!({ "inputTokens": 6 }));
    for id in
        ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0", "anthropic.claude-opus-5"]
    {
        let error = bedrock.call(Operation::CountTokens, id, &input, noon()).await.unwrap_err();
        assert_eq!(error.message, "The provided model doesn't support counting tokens.", "{id}");
    }
    assert!(bedrock.call(Operation::CountTokens, haiku, &json!({ "input": {} }), noon()).await.is_err());
    assert_eq!(bedrock.usage()["models"][haiku]["inputTokens"], 0, "counting is free");
}

#[test]
fn casing_changes_member_names_and_leaves_documents_alone() {
    let camel = json!({
        "stopReason": "end_turn", "output": { "message": { "content": [{ "text": "a b" }, { "toolUse": { "toolUseId": "1", "input": { "someKey": 1 } } }] } },
        "additionalModelRequestFields": { "top_k": 3 }, "usage": { "inputTokens": 1 },
    });
    let pascal = casing::to_pascal(camel.clone());
    assert_eq!(pascal["Output"]["Message"]["Content"][0]["Text"], "a b");
    assert_eq!(pascal["Output"]["Message"]["Content"][1]["ToolUse"]["Input"], json!({ "someKey": 1 }));
    assert_eq!(pascal["AdditionalModelRequestFields"], json!({ "top_k": 3 }));
    assert_eq!(pascal["Usage"]["InputTokens"], 1);
    assert_eq!(casing::from_integration(pascal), Ok(camel));
}
