//! The shipped model-router, with scripted tasks: every way of calling, every error name.

use std::collections::BTreeSet;

use asl::{Options, Status, TaskError};
use sentry_core::model::{InvocationMode, ModelId, ROUTES, Route};
use serde_json::{Value, json};

use crate::contract::pascal_case;
use crate::script::{Script, cause, run, run_with};

pub const MODEL_ROUTER: &str = include_str!("../../statemachines/model-router.asl.json");

pub fn router_well() -> Script {
    Script::default()
        .reply("FormatRequest", [Ok(json!({"Payload": {"body": {"some": "body"}}}))])
        .reply("InvokeModel", [Ok(json!({"Body": {"text": "raw"}, "ContentType": "application/json"}))])
        .reply("Converse", [Ok(json!({"StopReason": "end_turn"}))])
        .function(
            "NormalizeResponse",
            json!({"message": {"role": "assistant", "content": "Because."}, "usage": null}),
        )
}

pub fn asks(model_id: &str) -> Value {
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
        assert_eq!((&event["modelId"], &event["family"]), (&json!(model_id), &more["family"]));
    }
    (format["FunctionName"].as_str().unwrap().to_owned(), called)
}

fn function(format: &str) -> String {
    format!("arn:Format{}FunctionArn", pascal_case(format))
}

/// Ids of the test's list and the examples of the table in code.
fn known_models() -> Vec<ModelId> {
    let listed = include_str!("model_ids.txt").lines().filter(|line| !line.is_empty());
    let examples = ROUTES.iter().flat_map(|route| route.examples).copied();
    listed
        .chain(examples)
        .map(|id| ModelId::parse(id).unwrap_or_else(|error| panic!("{id}: {error}")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_model_is_called_in_its_way_or_in_the_one_that_is_forced() {
    let mut rows_met = BTreeSet::new();
    for model in known_models() {
        let (id, route) = (model.id.as_str(), model.route());
        rows_met.insert(route.title);
        let native = route.format.map(|format| (function(format), "InvokeModel"));
        let converse = (function("converse"), "Converse");
        let own_way = match route.calling {
            InvocationMode::Native => native.clone().unwrap(),
            InvocationMode::Converse => converse.clone(),
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
    let rows = ROUTES.iter().chain([Route::for_opaque()]).map(|route| route.title);
    assert_eq!(rows_met, rows.filter(|title| *title != "Every other vendor").collect());
}

#[tokio::test(start_paused = true)]
async fn every_rule_for_a_vendor_is_met_and_every_function_is_used() {
    let mut router: Value = serde_json::from_str(MODEL_ROUTER).unwrap();
    let rules = router["States"]["DetermineVendor"]["Choices"].as_array_mut().unwrap();
    let mut used = BTreeSet::from(["${FormatConverseFunctionArn}".to_owned()]);
    let mut unmet = BTreeSet::new();
    for (index, rule) in rules.iter_mut().enumerate() {
        let marked = format!("arn:rule-{index}");
        used.insert(rule["Assign"]["formatter"].as_str().unwrap().to_owned());
        rule["Assign"]["formatter"] = json!(marked);
        unmet.insert(marked);
    }
    let router = router.to_string();
    for model in known_models() {
        let mut input = asks(&model.id);
        // By Converse, which has one function for all, the rule would not show.
        input["calling"] = json!("native");
        let (_, script) = run(&router, input, router_well()).await;
        unmet.remove(script.arguments("FormatRequest")["FunctionName"].as_str().unwrap());
    }
    assert_eq!(unmet, BTreeSet::new(), "rules that no known model meets");
    let functions =
        formatters::function_names().map(|name| format!("${{{}FunctionArn}}", pascal_case(&name)));
    assert_eq!(used, functions.collect());
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
            ("InternalServerException", "ModelUnavailable", true, 1),
            ("ServiceUnavailableException", "ModelUnavailable", true, 1),
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
        // The cause of a timeout is empty, its message is not.
        let script = router_well().reply(state, [Err(TaskError::new("States.Timeout", ""))]);
        let (execution, _) = run(MODEL_ROUTER, asks(model_id), script).await;
        assert_eq!(execution.error.as_deref(), Some("ModelTimeout"));
        let cause = cause(&execution);
        assert_eq!(cause["possiblyBilled"], true);
        assert!(cause["message"].as_str().unwrap().contains("did not answer in time"), "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_gets_no_more_time_than_the_request_has_left() {
    for (model_id, state) in [("anthropic.claude-x", "InvokeModel"), ("some.model", "Converse")] {
        for (asked, seconds) in [(json!({"timeoutSeconds": 7}), 7), (json!({}), 240)] {
            let mut input = asks(model_id);
            input.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
            let (execution, script) = run(MODEL_ROUTER, input, router_well().hangs(state)).await;
            assert_eq!(execution.error.as_deref(), Some("ModelTimeout"), "{execution:?}");
            assert_eq!((execution.duration.as_secs(), script.count(state)), (seconds, 1), "{state}");
            assert_eq!(cause(&execution)["possiblyBilled"], true);
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

#[tokio::test(start_paused = true)]
async fn too_much_data_is_named_whether_or_not_all_errors_cover_it() {
    let too_large = || Err(TaskError::new("States.DataLimitExceeded", "too large"));
    for all_covers_data_limit in [false, true] {
        for (model_id, state, name, billed) in [
            ("anthropic.claude-x", "FormatRequest", "RequestTooLarge", false),
            ("anthropic.claude-x", "InvokeModel", "UnreadableModelResponse", true),
            ("some.model", "Converse", "UnreadableModelResponse", true),
            ("anthropic.claude-x", "NormalizeResponse", "UnreadableModelResponse", true),
        ] {
            let script = router_well().reply(state, [too_large()]);
            let options = Options { all_covers_data_limit, ..Options::default() };
            let execution = run_with(MODEL_ROUTER, asks(model_id), script, options).await.0;
            assert_eq!(
                (execution.error.as_deref(), cause(&execution)["possiblyBilled"].as_bool()),
                (Some(name), Some(billed)),
                "{state} {all_covers_data_limit}"
            );
        }
    }
}
