use serde_json::{Value, json};

use super::valid_name;
use crate::arn::{function_arn, machine_arn};
use crate::testing::{failure, get, output, small_host};

const MODEL: &str = "us.anthropic.claude-sonnet-4-6";

fn model_body(text: &str) -> Value {
    json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [{"role": "user", "content": text}]})
}

#[test]
fn names_follow_the_rules_of_step_functions() {
    for name in ["a", "my-request_1.2", "ü", &"x".repeat(80)] {
        assert!(valid_name(name).is_ok(), "{name}");
    }
    for name in ["", "a b", "a/b", "a:b", "a\tb", "<a>", &"x".repeat(81)] {
        assert!(valid_name(name).is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_function_answers_a_task() {
    let host = small_host().await;
    let result =
        output(&host, "lambda", &json!({"FunctionName": function_arn("greet"), "Payload": {"name": "Ada"}}))
            .await;
    assert_eq!((&result["StatusCode"], &result["ExecutedVersion"]), (&json!(200), &json!("$LATEST")));
    assert_eq!(result["Payload"], json!({"greeting": "Hello, Ada!"}));
}

#[tokio::test]
async fn a_functions_error_has_its_own_name_and_lambdas_have_a_prefix() {
    let host = small_host().await;
    let call = json!({"FunctionName": "greet", "Payload": {"name": 7}});
    let (error, cause) = failure(&host, "lambda", &call).await;
    let cause: Value = serde_json::from_str(&cause).unwrap();
    assert_eq!((error.as_str(), &cause["errorType"]), ("NoName", &json!("NoName")));
    let message: Value = serde_json::from_str(cause["errorMessage"].as_str().unwrap()).unwrap();
    assert_eq!(message["path"], "name");

    let call = json!({"FunctionName": "greet", "Payload": {"name": "Ada"}});
    for (fault, name) in [
        ("lambda.TooManyRequestsException:1", "Lambda.TooManyRequestsException"),
        ("lambda.greet.ServiceException:1", "Lambda.ServiceException"),
        ("lambda.SdkClientException:1", "Lambda.SdkClientException"),
        ("lambda.lost-reply:1", "Lambda.SdkClientException"),
        ("lambda.greet.kill-function:1", "Runtime.ExitError"),
    ] {
        host.faults.replace(&[fault]).unwrap();
        let (error, cause) = failure(&host, "lambda", &call).await;
        assert_eq!(error, name, "{fault}: {cause}");
    }
    output(&host, "lambda", &call).await;

    let (error, cause) = failure(&host, "lambda", &json!({"FunctionName": "nobody"})).await;
    assert_eq!(error, "Lambda.ResourceNotFoundException");
    assert!(cause.starts_with("Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody:$LATEST (Service: AWSLambda; Status Code: 404;"), "{cause}");
}

#[tokio::test]
async fn models_are_invoked_with_documents() {
    let host = small_host().await;
    let result = output(&host, "invoke-model", &json!({"ModelId": MODEL, "Body": model_body("hi")})).await;
    assert_eq!(result["ContentType"], "application/json");
    assert_eq!(result["Body"]["usage"]["output_tokens"], 5);

    let (error, cause) = failure(
        &host,
        "invoke-model",
        &json!({"ModelId": MODEL, "Body": model_body("#sim error=ThrottlingException")}),
    )
    .await;
    assert_eq!(error, "Bedrock.ThrottlingException");
    assert!(cause.contains("(Service: BedrockRuntime, Status Code: 429, Request ID: "), "{cause}");
    let (error, _) = failure(&host, "invoke-model", &json!({"ModelId": "no.such", "Body": {}})).await;
    assert_eq!(error, "Bedrock.ValidationException");
    host.faults.replace(&["bedrock.lost-reply:1"]).unwrap();
    let (error, _) =
        failure(&host, "invoke-model", &json!({"ModelId": MODEL, "Body": model_body("hi")})).await;
    assert_eq!(error, "Bedrock.SdkClientException");
}

#[tokio::test]
async fn converse_has_members_in_pascal_case() {
    let host = small_host().await;
    let call =
        |text: &str| json!({"ModelId": MODEL, "Messages": [{"Role": "user", "Content": [{"Text": text}]}]});
    let result = output(&host, "converse", &call("#sim output=7 input=9")).await;
    let usage = &result["Usage"];
    assert_eq!(
        (&usage["InputTokens"], &usage["OutputTokens"], &usage["TotalTokens"]),
        (&json!(9), &json!(7), &json!(16))
    );
    assert!(result["Output"]["Message"]["Content"][0]["Text"].is_string(), "{result}");
    assert_eq!(result["StopReason"], "end_turn");
    let (error, _) = failure(&host, "converse", &call("#sim error=ModelNotReadyException")).await;
    assert_eq!(error, "BedrockRuntime.ModelNotReadyException");
}

/// The head of a picture of 128 by 128 pixels.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[tokio::test]
async fn converse_takes_tools_and_blobs_and_leaves_documents_alone() {
    let host = small_host().await;
    let tool = json!({"ToolSpec": {"Name": "add", "InputSchema": {"Json": {
        "type": "object", "properties": {"first_part": {"type": "string"}}, "required": ["first_part"]}}}});
    let mut call = json!({
        "ModelId": "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "InferenceConfig": {"MaxTokens": 3000},
        "AdditionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "ToolConfig": {"Tools": [tool], "ToolChoice": {"Auto": {}}},
        "Messages": [{"Role": "user", "Content": [
            {"Image": {"Format": "png", "Source": {"Bytes": PICTURE}}},
            {"Text": "Add\n#call add {\"first_part\": \"a\"}\n#sim redacted=true"},
        ]}],
    });
    let called = output(&host, "converse", &call).await;
    assert_eq!(called["StopReason"], "tool_use");
    let content = &called["Output"]["Message"]["Content"];
    assert!(content[0]["ReasoningContent"]["RedactedContent"].is_string(), "{called}");
    let tool_use = &content[1]["ToolUse"];
    assert_eq!((&tool_use["Name"], &tool_use["Input"]), (&json!("add"), &json!({"first_part": "a"})));

    call["Messages"].as_array_mut().unwrap().extend([
        called["Output"]["Message"].clone(),
        json!({"Role": "user", "Content": [{"ToolResult": {"ToolUseId": tool_use["ToolUseId"],
            "Content": [{"Json": {"sum_of": 3}}], "Status": "success"}}]}),
    ]);
    let end = output(&host, "converse", &call).await;
    let text = end["Output"]["Message"]["Content"][1]["Text"].as_str().unwrap();
    assert!(text.contains(r#"add returned {"sum_of":3}"#), "{text}");

    let mut broken = call.clone();
    broken["Messages"][0]["Content"][0]["Image"]["Source"]["Bytes"] = json!("no base64");
    let (error, cause) = failure(&host, "converse", &broken).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("'bytes' is not base64"), "{cause}");
    let mut small = call.clone();
    small["Messages"][0]["content"] = small["Messages"][0]["Content"].take();
    let (error, cause) = failure(&host, "converse", &small).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("'content' is not supported by Step Functions"), "{cause}");
}

#[tokio::test]
async fn a_failed_child_is_a_successful_task() {
    let host = small_host().await;
    let result = output(
        &host,
        "nested",
        &json!({"StateMachineArn": machine_arn("echo"), "Name": "child", "Input": "{\"n\":1}"}),
    )
    .await;
    assert_eq!((&result["Status"], &result["Name"]), (&json!("SUCCEEDED"), &json!("child")));
    let inner: Value = serde_json::from_str(result["Output"].as_str().unwrap()).unwrap();
    assert_eq!(inner["said"]["n"], 1);
    assert_eq!(result["BillingDetails"]["BilledMemoryUsedInMB"], 64);

    let result = output(&host, "nested", &json!({"StateMachineArn": machine_arn("refuse")})).await;
    assert_eq!((&result["Status"], &result["Error"]), (&json!("FAILED"), &json!("BudgetExceeded")));
    assert_eq!(result["Cause"], "{\"message\":\"no\"}");
    assert!(result.get("Output").is_none());
}

#[tokio::test]
async fn an_execution_knows_its_children() {
    let host = small_host().await;
    let input = json!({"StateMachineArn": machine_arn("echo")}).to_string();
    let finished = host.stepfunctions.execute("nested", Some("parent"), &input, None).await.unwrap();
    let children = host.stepfunctions.children(&finished.arn);
    assert_eq!(children.len(), 1);
    assert_eq!(
        (children[0].machine.as_str(), children[0].parent.as_deref()),
        ("echo", Some(finished.arn.as_str()))
    );
}

#[tokio::test]
async fn step_functions_refuses_a_child_by_name() {
    let host = small_host().await;
    for (call, name) in [
        (json!({"StateMachineArn": machine_arn("nobody")}), "Sfn.StateMachineDoesNotExistException"),
        (json!({"StateMachineArn": "echo"}), "Sfn.InvalidArnException"),
        (json!({"StateMachineArn": machine_arn("echo"), "Input": "{"}), "Sfn.InvalidExecutionInputException"),
        (json!({"StateMachineArn": machine_arn("echo"), "Name": "a b"}), "Sfn.InvalidNameException"),
        (json!({"StateMachineArn": machine_arn("echo"), "Input": {}}), "States.Runtime"),
        (json!({}), "States.Runtime"),
    ] {
        assert_eq!(failure(&host, "nested", &call).await.0, name, "{call}");
    }
}

#[tokio::test]
async fn events_are_put_by_both_integrations() {
    let host = small_host().await;
    let good = json!({"Source": "s", "DetailType": "d", "Detail": {"a": 1}});
    let bad = json!({"Source": "s", "DetailType": "d", "Detail": "no"});
    let result = output(&host, "put-events", &json!({"Entries": [good]})).await;
    assert_eq!(result["FailedEntryCount"], 0);
    assert_eq!(host.eventbridge.list()["events"][0]["detail"], json!({"a": 1}));
    assert_eq!(failure(&host, "put-events", &json!({"Entries": [bad]})).await.0, "EventBridge.FailedEntry");
    let result = output(&host, "sdk-put-events", &json!({"Entries": [bad]})).await;
    assert_eq!(result["FailedEntryCount"], 1);
}

#[tokio::test]
async fn an_unknown_integration_is_named() {
    let host = small_host().await;
    let (error, cause) = failure(&host, "unknown", &json!({})).await;
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("sqs:sendMessage") && cause.contains("lambda:invoke"), "{cause}");
}

#[tokio::test]
async fn only_the_last_executions_are_remembered() {
    let host = small_host().await;
    for number in 0..=super::REMEMBERED {
        host.stepfunctions.execute("echo", Some(&format!("e{number}")), "{}", None).await.unwrap();
    }
    let remembered = get(&host, "/_local/executions").await.json_body();
    let executions = remembered["executions"].as_array().unwrap();
    assert_eq!(executions.len(), super::REMEMBERED);
    assert_eq!(executions[0]["name"], format!("e{}", super::REMEMBERED));
    assert_eq!(executions.last().unwrap()["name"], "e1");
}
