//! Requests from end to end, through both workflows and every part.

use chrono::Utc;
use sentry_core::model::{ModelId, UsageSource};
use sentry_local::Clock;
use serde_json::{Value, json};

use crate::host::{Tables, ask, limit, request, start};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6";

/// What a budget's item must show after requests that used this much and left nothing reserved.
fn settled(key: &str, input: u64, output: u64) -> Value {
    let mut item = json!({"input": input, "settledInput": input});
    if output > 0 {
        item["output"] = json!(output);
        item["settledOutput"] = json!(output);
    }
    json!({ key: item })
}

fn period() -> String {
    Utc::now().format("%Y-%m").to_string()
}

#[tokio::test]
async fn every_vendor_answers_and_is_counted_as_it_was_billed() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    let tables = Tables::of(&host).await;
    for (model_id, family) in [
        (CLAUDE, "anthropic.claude-sonnet-4-6"),
        ("anthropic.claude-v1", "anthropic.claude-v1"),
        ("anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        ("us.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0"),
        ("amazon.titan-text-express-v1", "amazon.titan-text-express-v1"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0"),
        ("mistral.mistral-large-2407-v1:0", "mistral.mistral-large-2407-v1:0"),
        ("mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct-v0:2"),
        ("ai21.jamba-1-5-large-v1:0", "ai21.jamba-1-5-large-v1:0"),
        ("cohere.command-r-plus-v1:0", "cohere.command-r-plus-v1:0"),
        ("us.deepseek.r1-v1:0", "deepseek.r1-v1:0"),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1:0"),
        ("qwen.qwen3-32b-v1:0", "qwen.qwen3-32b-v1:0"),
        ("us.writer.palmyra-x5-v1:0", "writer.palmyra-x5-v1:0"),
        ("google.gemma-3-27b-it", "google.gemma-3-27b-it"),
    ] {
        let answer = ask(&host, &request(model_id, "Why is the sky blue?"))
            .await
            .unwrap_or_else(|error| panic!("{model_id}: {error:?}"));
        assert!(!answer["message"]["content"].as_str().unwrap().is_empty(), "{model_id}");
        assert_eq!(answer["budget"]["key"], family);
        assert_eq!(
            (answer["requestedModelId"].as_str(), answer["maxTokens"].as_u64()),
            (Some(model_id), Some(1_024))
        );
        let billed = &host.usage()["models"][model_id];
        let (input, output) =
            (billed["inputTokens"].as_u64().unwrap(), billed["outputTokens"].as_u64().unwrap());
        assert_eq!(
            (answer["usage"]["inputTokens"].as_u64(), answer["usage"]["outputTokens"].as_u64()),
            (Some(input), Some(output)),
            "{model_id}"
        );
        let key = format!("{}/{family}", period());
        let item = tables.budget(&key).await;
        let item: std::collections::BTreeMap<_, _> =
            item.into_iter().filter(|(name, _)| !name.to_lowercase().ends_with("cost")).collect();
        assert_eq!(json!({ &key: item }), settled(&key, input, output), "{model_id}");
    }
    host.shutdown().await;
}

#[tokio::test]
async fn bad_input_is_named_with_its_place_and_costs_nothing() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    let prompt = json!({"messages": [{"role": "user", "content": "Why?"}]});
    let with = |inference: Value| json!({"modelId": CLAUDE, "prompt": prompt, "inference": inference});
    let says = |messages: Value| json!({"modelId": CLAUDE, "prompt": {"messages": messages}});
    let huge = "x".repeat(230_000);
    for (request, error, path) in [
        (json!("hello"), "InvalidRequest", ""),
        (json!({}), "InvalidRequest", "modelId"),
        (json!({"modelId": CLAUDE}), "InvalidRequest", "prompt"),
        (json!({"modelId": 5, "prompt": prompt}), "InvalidRequest", "modelId"),
        (json!({"modelId": CLAUDE, "prompt": prompt, "promt": 1}), "InvalidRequest", "promt"),
        (json!({"modelId": CLAUDE, "prompt": "Why?"}), "InvalidRequest", "prompt"),
        (says(json!([])), "InvalidRequest", "prompt.messages"),
        (says(json!([{"role": "user", "content": ""}])), "InvalidRequest", "prompt.messages[0].content"),
        (says(json!([{"role": "king", "content": "a"}])), "InvalidRequest", "prompt.messages[0].role"),
        (says(json!([{"role": "assistant", "content": "a"}])), "InvalidRequest", "prompt.messages"),
        (with(json!({"maxTokens": 0})), "InvalidRequest", "inference.maxTokens"),
        (with(json!({"maxTokens": -5})), "InvalidRequest", "inference.maxTokens"),
        (with(json!({"maxTokens": 1e300})), "InvalidRequest", "inference.maxTokens"),
        (with(json!({"temperature": "hot"})), "InvalidRequest", "inference.temperature"),
        (with(json!({"temperature": 99})), "InvalidRequest", "inference.temperature"),
        (with(json!({"topK": 1.5})), "InvalidRequest", "inference.topK"),
        (request("amazon.titan-embed-text-v2:0", "a"), "UnsupportedModel", ""),
        (request("cohere.rerank-v3-5:0", "a"), "UnsupportedModel", ""),
        (request("no such model", "a"), "InvalidRequest", "modelId"),
        (request("gpt-4", "a"), "UnsupportedModel", ""),
        (request(CLAUDE, &huge), "RequestTooLarge", ""),
    ] {
        let shown: String = request.to_string().chars().take(120).collect();
        let (name, cause) = ask(&host, &request).await.expect_err(&shown);
        assert_eq!((name.as_str(), cause["type"].as_str()), (error, Some(error)), "{shown}: {cause}");
        if !path.is_empty() {
            assert_eq!(cause["path"], path, "{shown}");
        }
        assert!(cause["message"].as_str().is_some_and(|message| message.len() > 20), "{shown}: {cause}");
        assert!(cause["requestId"].is_string(), "{shown}");
    }
    let tables = Tables::of(&host).await;
    assert_eq!(tables.ledger().await.len(), 0);
    assert_eq!(host.usage()["models"], json!({}));
    host.shutdown().await;
}

/// How often a model was called.
fn model_calls(host: &sentry_local::Host) -> u64 {
    let usage = host.usage();
    ["InvokeModel", "Converse"].map(|operation| usage["calls"][operation].as_u64().unwrap_or(0)).iter().sum()
}

#[tokio::test]
async fn every_error_of_a_model_is_named_and_counted_right() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    let tables = Tables::of(&host).await;
    for (model_id, family) in
        [(CLAUDE, "anthropic.claude-sonnet-4-6"), ("google.gemma-3-27b-it", "google.gemma-3-27b-it")]
    {
        let key = format!("{}/{family}", period());
        for (error, name) in [
            ("AccessDeniedException", "ModelAccessDenied"),
            ("ResourceNotFoundException", "ModelNotFound"),
            ("ValidationException", "ModelRejectedRequest"),
            ("ServiceQuotaExceededException", "ModelThrottled"),
        ] {
            let (actual, cause) =
                ask(&host, &request(model_id, &format!("Why?\n#sim error={error}"))).await.unwrap_err();
            assert_eq!(
                (actual.as_str(), cause["possiblyBilled"].as_bool()),
                (name, Some(false)),
                "{model_id} {error}"
            );
            assert!(tables.budget(&key).await.is_empty(), "{model_id} {error}");
        }
        // What may have been billed is settled at its upper bound, and is not asked for again.
        for (error, name) in [
            ("ModelTimeoutException", "ModelTimeout"),
            ("ModelErrorException", "ModelUnavailable"),
            ("InternalServerException", "ModelUnavailable"),
            ("ServiceUnavailableException", "ModelUnavailable"),
        ] {
            let calls_before = model_calls(&host);
            let before = tables.budget(&key).await.get("settledOutput").copied().unwrap_or(0);
            let (actual, _) =
                ask(&host, &request(model_id, &format!("Why?\n#sim error={error}"))).await.unwrap_err();
            let item = tables.budget(&key).await;
            assert_eq!(
                (actual.as_str(), item["settledOutput"] - before),
                (name, 1_024),
                "{model_id} {error}"
            );
            assert_eq!(item["output"], item["settledOutput"], "nothing stays reserved");
            assert_eq!(model_calls(&host), calls_before + 1, "{model_id} {error}");
        }
    }
    host.shutdown().await;
}

#[tokio::test]
async fn an_edit_of_the_limits_counts_from_the_next_request_on() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    let tables = Tables::of(&host).await;
    let why = request(CLAUDE, "Why?");
    ask(&host, &why).await.unwrap();
    tables.put_limit(&limit("anthropic.claude-sonnet-4-6", 10, 10)).await;
    assert_eq!(ask(&host, &why).await.unwrap_err().0, "BudgetExceeded");
    for item in [
        json!({"modelId": CLAUDE, "limit": {"input": -1, "output": 5}}),
        json!({"modelId": CLAUDE, "limit": {"input": "plenty", "output": 5}}),
    ] {
        tables.put_limit(&item).await;
        let (error, cause) = ask(&host, &why).await.unwrap_err();
        assert_eq!(
            (error.as_str(), cause["itemId"].as_str(), cause["attribute"].as_str()),
            ("LimitNotConfigured", Some(CLAUDE), Some("limit.input"))
        );
    }
    // The limit of one id does not raise that of its family.
    tables.put_limit(&limit(CLAUDE, 100_000, 100_000)).await;
    assert_eq!(ask(&host, &why).await.unwrap_err().0, "BudgetExceeded");
    tables.put_limit(&limit("anthropic.claude-sonnet-4-6", 100_000, 100_000)).await;
    ask(&host, &why).await.unwrap();
    for key in [CLAUDE, "anthropic.claude-sonnet-4-6", "default"] {
        tables.delete_limit(key).await;
    }
    assert_eq!(ask(&host, &why).await.unwrap_err().0, "LimitNotConfigured");
    host.shutdown().await;
}

#[tokio::test]
async fn without_cloudwatch_the_ledger_alone_decides_and_the_answer_says_so() {
    let faults = |config: &mut sentry_local::Config| {
        config.faults = vec!["cloudwatch.InternalServiceFault:100%".to_owned()]
    };
    let host = start(json!([limit("default", 100_000, 100_000)]), faults).await;
    let answer = ask(&host, &request(CLAUDE, "Why?")).await.unwrap();
    assert_eq!(answer["budget"]["externalUsage"], "unavailable");
    host.shutdown().await;
}

#[tokio::test]
async fn without_dynamodb_nothing_is_admitted() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    for (fault, state) in [
        ("dynamodb.BatchGetItem.InternalServerError:100%", "limits"),
        ("dynamodb.UpdateItem.InternalServerError:100%", "ledger"),
    ] {
        host.faults().set(&json!({"faults": [fault]}).to_string().into_bytes()).unwrap();
        let (error, cause) = ask(&host, &request(CLAUDE, "Why?")).await.unwrap_err();
        assert_eq!(error, "SentryUnavailable", "{state}");
        assert!(cause["message"].as_str().unwrap().contains(state), "{cause}");
    }
    assert_eq!(host.usage()["models"], json!({}));
    host.shutdown().await;
}

#[tokio::test]
async fn a_request_settles_in_the_month_in_which_it_was_reserved() {
    let last_second = Clock::parse("2026-11-30T23:59:59Z", Utc::now()).unwrap();
    let change = |config: &mut sentry_local::Config| {
        config.clock = last_second;
        config.model_latency = Some(std::time::Duration::from_millis(1_500));
    };
    let host = start(json!([limit("default", 100_000, 100_000)]), change).await;
    let answer = ask(&host, &request(CLAUDE, "Why?")).await.unwrap();
    assert_eq!(
        (answer["budget"]["period"].as_str(), answer["budget"]["resetsAt"].as_str()),
        (Some("2026-11"), Some("2026-12-01T00:00:00Z"))
    );
    let answer = ask(&host, &request(CLAUDE, "Why?")).await.unwrap();
    assert_eq!(answer["budget"]["period"], "2026-12");
    let tables = Tables::of(&host).await;
    let ledger = tables.ledger().await;
    assert_eq!(
        ledger.keys().collect::<Vec<_>>(),
        ["2026-11/anthropic.claude-sonnet-4-6", "2026-12/anthropic.claude-sonnet-4-6"]
    );
    for item in ledger.values() {
        assert_eq!((item["input"], item["output"]), (item["settledInput"], item["settledOutput"]));
    }
    host.shutdown().await;
}

#[tokio::test]
async fn the_router_can_be_called_on_its_own() {
    let host = start(json!([limit("default", 100_000, 100_000)]), |_| {}).await;
    let finished = host.execute("model-router", None, &request(CLAUDE, "Why?").to_string()).await.unwrap();
    let answer = crate::host::result(&finished).unwrap();
    assert_eq!((answer["modelId"].as_str(), answer["stopReason"].as_str()), (Some(CLAUDE), Some("end_turn")));
    let finished = host.execute("model-router", None, "{}").await.unwrap();
    assert_eq!(crate::host::result(&finished).unwrap_err().0, "InvalidRequest");
    host.shutdown().await;
}

const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";

#[tokio::test]
async fn every_model_answers_in_its_own_format_when_that_is_forced() {
    let alias = json!({"modelId": PROFILE, "aliasOf": "qwen.qwen3-32b-v1:0"});
    let host = start(json!([limit("default", 100_000, 100_000), alias]), |_| {}).await;
    // Where a family says so, a profile takes the body of the model behind it.
    let known = include_str!("model_ids.txt").lines().filter(|id| *id != PROFILE).map(|id| (id, None));
    for (model_id, family) in known.chain([(PROFILE, Some("qwen.qwen3-32b-v1:0"))]) {
        for calling in ["native", "converse"] {
            // The one model here that has no Converse.
            if calling == "converse" && model_id.starts_with("xai.") {
                continue;
            }
            let mut asked = request(model_id, "Why?");
            asked["calling"] = calling.into();
            family.inspect(|family| asked["family"] = (*family).into());
            let finished = host.execute("model-router", None, &asked.to_string()).await.unwrap();
            let answer = crate::host::result(&finished)
                .unwrap_or_else(|error| panic!("{model_id} {calling}: {error:?}"));
            assert!(answer["message"]["content"].as_str().is_some_and(|text| text.contains("Simulated")));
            let source = ModelId::parse(family.unwrap_or(model_id)).unwrap().route().usage;
            let silent = calling == "native" && source == UsageSource::HeadersOnly;
            assert_eq!(answer["usage"].is_null(), silent, "{model_id} {calling}: {answer}");
        }
    }
    // Where nothing says which model is behind it, nobody knows whose body it takes.
    let mut asked = request(PROFILE, "Why?");
    asked["family"] = "meta.llama3-3-70b-instruct-v1:0".into();
    let finished = host.execute("model-router", None, &asked.to_string()).await.unwrap();
    assert_eq!(crate::host::result(&finished).unwrap_err().0, "ModelRejectedRequest");
    host.shutdown().await;
}

#[tokio::test]
async fn a_limit_item_forces_the_way_and_what_is_not_reported_stays_reserved() {
    const COHERE: &str = "cohere.command-r-plus-v1:0";
    let items = json!([
        limit("default", 100_000, 100_000),
        {"modelId": COHERE, "calling": "native"},
        {"modelId": "anthropic.claude-sonnet-4-6", "calling": "converse"},
        {"modelId": PROFILE, "aliasOf": "qwen.qwen3-32b-v1:0", "calling": "native"},
    ]);
    let host = start(items, |_| {}).await;
    let tables = Tables::of(&host).await;
    for (model_id, family, operation, silent) in [
        (COHERE, COHERE, "InvokeModel", true),
        (CLAUDE, "anthropic.claude-sonnet-4-6", "Converse", false),
        (PROFILE, "qwen.qwen3-32b-v1:0", "InvokeModel", false),
    ] {
        let before = host.usage()["calls"][operation].as_u64().unwrap();
        let answer = ask(&host, &request(model_id, "Why?"))
            .await
            .unwrap_or_else(|error| panic!("{model_id}: {error:?}"));
        assert_eq!(host.usage()["calls"][operation], before + 1, "{model_id}");
        assert_eq!(answer["usageEstimated"], silent, "{model_id}: {answer}");
        let settled = tables.budget(&format!("{}/{family}", period())).await;
        let metric_id = model_id.rsplit('/').next().unwrap();
        let billed = host.usage()["models"][metric_id]["outputTokens"].as_i64().unwrap();
        assert_eq!(settled["settledOutput"], if silent { 1_024 } else { billed }, "{model_id}");
        assert_eq!(answer["usage"]["outputTokens"], settled["settledOutput"], "{model_id}");
        assert_eq!(settled["output"], settled["settledOutput"], "{model_id}");
    }
    host.shutdown().await;
}

#[tokio::test]
async fn crossing_a_threshold_is_announced_once() {
    let host = start(json!([limit("default", 100_000, 1_000)]), |_| {}).await;
    for _ in 0..9 {
        let mut ask_for = request(CLAUDE, "Why?\n#sim output=100");
        ask_for["inference"] = json!({"maxTokens": 100});
        ask(&host, &ask_for).await.unwrap();
    }
    let events = host.events();
    let details: Vec<Value> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event.get("detail").or(event.get("Detail")).unwrap().clone())
        .map(|detail| detail.as_str().map_or(detail.clone(), |text| serde_json::from_str(text).unwrap()))
        .collect();
    assert_eq!(details.len(), 1, "{details:?}");
    assert_eq!((details[0]["percent"].as_u64(), details[0]["used"].as_u64()), (Some(80), Some(800)));
    host.shutdown().await;
}
