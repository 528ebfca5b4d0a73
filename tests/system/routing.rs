//! The shipped model-router, with scripted tasks: every way of calling, every error name.

use asl::Status;
use sentry_core::model::{Calling, ModelId};
use serde_json::{Value, json};

use crate::script::{Script, cause, run};

const MODEL_ROUTER: &str = include_str!("../../statemachines/model-router.asl.json");

fn router_well() -> Script {
    Script::default()
        .reply("FormatRequest", [Ok(json!({"Payload": {"body": {"some": "body"}}}))])
        .reply("InvokeModel", [Ok(json!({"Body": {"text": "raw"}, "ContentType": "application/json"}))])
        .reply("Converse", [Ok(json!({"StopReason": "end_turn"}))])
        .function(
            "NormalizeResponse",
            json!({"message": {"role": "assistant", "content": "Because."}, "usage": null}),
        )
}

fn asks(model_id: &str) -> Value {
    json!({"modelId": model_id, "prompt": {"messages": [{"role": "user", "content": "Why?"}]}, "tags": {"applicationId": "a"}})
}

#[tokio::test(start_paused = true)]
async fn the_router_can_be_called_on_its_own() {
    let (execution, script) = run(MODEL_ROUTER, asks("us.anthropic.claude-sonnet-4-6"), router_well()).await;
    assert_eq!(
        execution.output.unwrap(),
        json!({"modelId": "us.anthropic.claude-sonnet-4-6",
        "message": {"role": "assistant", "content": "Because."}, "usage": null})
    );
    assert_eq!(script.arguments("InvokeModel")["Body"], json!({"some": "body"}));
    assert_eq!(script.arguments("NormalizeResponse")["Payload"]["body"], json!({"text": "raw"}));
    let (_, script) = run(MODEL_ROUTER, asks("some.new-model-v1:0"), router_well()).await;
    assert_eq!(script.arguments("Converse"), json!({"some": "body", "ModelId": "some.new-model-v1:0"}));
    assert_eq!(script.arguments("NormalizeResponse")["Payload"]["body"], json!({"StopReason": "end_turn"}));
}

const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";

/// Which function formats a request, and by which operation the model is called.
async fn way(model_id: &str, more: Value) -> (String, &'static str) {
    let mut input = asks(model_id);
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (execution, script) = run(MODEL_ROUTER, input, router_well()).await;
    assert_eq!(execution.status, Status::Succeeded, "{model_id} {more}: {execution:?}");
    let states = script.states();
    let called = if states.contains(&"InvokeModel".to_owned()) { "InvokeModel" } else { "Converse" };
    assert_eq!(states, ["FormatRequest", called, "NormalizeResponse"], "{model_id} {more}");
    let [format, normalize] = ["FormatRequest", "NormalizeResponse"].map(|state| script.arguments(state));
    assert_eq!(format["FunctionName"], normalize["FunctionName"], "{model_id} {more}");
    for event in [format["Payload"].clone(), normalize["Payload"].clone()] {
        assert_eq!((&event["modelId"], event.get("family")), (&json!(model_id), more.get("family")));
    }
    (format["FunctionName"].as_str().unwrap().to_owned(), called)
}

fn function(format: &str) -> String {
    let name: String = format.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    format!("arn:Format{name}FunctionArn")
}

#[tokio::test(start_paused = true)]
async fn a_model_is_called_in_its_way_or_in_the_one_that_is_forced() {
    for id in include_str!("model_ids.txt").lines() {
        let model = ModelId::parse(id).unwrap();
        let route = model.route();
        let native = route.format.map(|format| (function(format), "InvokeModel"));
        let converse = (function("converse"), "Converse");
        let own_way = match route.calling {
            Calling::Native => native.clone().unwrap(),
            Calling::Converse => converse.clone(),
        };
        assert_eq!(way(id, json!({})).await, own_way, "{id}");
        // A vendor without a format of its own has only Converse.
        let forced = native.unwrap_or_else(|| converse.clone());
        assert_eq!(way(id, json!({"calling": "native"})).await, forced, "{id}");
        assert_eq!(way(id, json!({"calling": "converse"})).await, converse, "{id}");
        if model.opaque {
            continue;
        }
        // The family says the same, and says it of an opaque id too.
        for id in [id, PROFILE] {
            let family = &model.family;
            assert_eq!(way(id, json!({"family": family})).await, own_way, "{id} as {family}");
            let more = json!({"family": family, "calling": "native"});
            assert_eq!(way(id, more).await, forced, "{id} as {family}");
            let more = json!({"family": family, "calling": "converse"});
            assert_eq!(way(id, more).await, converse, "{id} as {family}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_family_goes_before_the_id_and_nothing_in_its_place_does_not() {
    let openai = (function("openai"), "InvokeModel");
    assert_eq!(way("qwen.qwen3-32b-v1:0", json!({"family": "openai.gpt-5.4"})).await, openai);
    for nothing in [Value::Null, json!("")] {
        assert_eq!(way("openai.gpt-5.4", json!({"family": nothing, "calling": null})).await, openai);
    }
}

#[tokio::test(start_paused = true)]
async fn every_bedrock_error_has_a_documented_name_for_both_ways_of_calling() {
    for (model_id, state, prefix) in
        [("anthropic.claude-x", "InvokeModel", "Bedrock."), ("some.model", "Converse", "BedrockRuntime.")]
    {
        for (error, name, billed, attempts) in [
            ("ThrottlingException", "ModelThrottled", false, 4),
            ("ModelNotReadyException", "ModelThrottled", false, 4),
            ("ServiceQuotaExceededException", "ModelThrottled", false, 1),
            ("AccessDeniedException", "ModelAccessDenied", false, 1),
            ("ResourceNotFoundException", "ModelNotFound", false, 1),
            ("ValidationException", "ModelRejectedRequest", false, 1),
            ("ModelTimeoutException", "ModelTimeout", true, 1),
            ("ModelErrorException", "ModelUnavailable", true, 1),
            ("InternalServerException", "ModelUnavailable", false, 4),
            ("ServiceUnavailableException", "ModelUnavailable", false, 4),
            ("SdkClientException", "ModelUnavailable", true, 1),
        ] {
            let script = router_well().fails(state, &format!("{prefix}{error}"));
            let (execution, script) = run(MODEL_ROUTER, asks(model_id), script).await;
            assert_eq!(execution.error.as_deref(), Some(name), "{prefix}{error}");
            let cause = cause(&execution);
            assert_eq!(
                (cause["possiblyBilled"].as_bool(), cause["requestId"].as_str()),
                (Some(billed), Some("request-1")),
                "{error}"
            );
            let message = cause["message"].as_str().unwrap();
            assert!(message.contains(error) && !message.contains("123456789012"), "{message}");
            assert_eq!(script.states().iter().filter(|called| *called == state).count(), attempts, "{error}");
        }
        for (error, name) in
            [("States.Timeout", "ModelTimeout"), ("States.DataLimitExceeded", "UnreadableModelResponse")]
        {
            let (execution, _) = run(MODEL_ROUTER, asks(model_id), router_well().fails(state, error)).await;
            assert_eq!(
                (execution.error.as_deref(), cause(&execution)["possiblyBilled"].as_bool()),
                (Some(name), Some(true))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn formatters_that_refuse_or_fail_are_named_and_say_whether_the_model_ran() {
    for (state, name, billed) in [
        ("FormatRequest", "InvalidRequest", false),
        ("FormatRequest", "UnsupportedModel", false),
        ("NormalizeResponse", "UnreadableModelResponse", true),
        ("NormalizeResponse", "InternalError", true),
    ] {
        let script = router_well().refuses(state, name, &json!({"message": "No.", "path": "there"}));
        let execution = run(MODEL_ROUTER, asks("anthropic.claude-x"), script).await.0;
        assert_eq!(execution.error.as_deref(), Some(name));
        assert_eq!(
            cause(&execution),
            json!({"type": name, "message": "No.", "path": "there", "requestId": "request-1", "possiblyBilled": billed})
        );
    }
    for (state, name, billed) in
        [("FormatRequest", "SentryUnavailable", false), ("NormalizeResponse", "InternalError", true)]
    {
        let execution =
            run(MODEL_ROUTER, asks("anthropic.claude-x"), router_well().fails(state, "Runtime.ExitError"))
                .await
                .0;
        assert_eq!(
            (execution.error.as_deref(), cause(&execution)["possiblyBilled"].as_bool()),
            (Some(name), Some(billed))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_for_a_router_is_left_to_the_formatter() {
    for input in [json!({}), json!({"modelId": 5}), json!([]), json!("text"), Value::Null] {
        let script = router_well().refuses(
            "FormatRequest",
            "InvalidRequest",
            &json!({"message": "No.", "path": "modelId"}),
        );
        let execution = run(MODEL_ROUTER, input.clone(), script).await.0;
        assert_eq!(execution.error.as_deref(), Some("InvalidRequest"), "{input} {execution:?}");
    }
}
