use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::{MAX_BODY_BYTES, percent_decode};
use crate::arn::machine_arn;
use crate::dynamodb::TableStore;
use crate::testing::{TABLE, call, get, host, send, small_host, small_machines, try_send};

const START: &str = "AWSStepFunctions.StartSyncExecution";

#[tokio::test]
async fn a_synchronous_execution_answers_as_step_functions_does() {
    let host = small_host().await;
    let request =
        json!({"stateMachineArn": machine_arn("echo"), "name": "first", "input": "{\"a\":\"it's\"}"});
    let reply = call(&host, START, &request).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("x-amzn-requestid").is_some());
    let body = reply.json_body();
    assert_eq!(body["status"], "SUCCEEDED");
    assert_eq!(body["name"], "first");
    assert_eq!(body["input"], request["input"]);
    assert_eq!(body["stateMachineArn"], machine_arn("echo"));
    let arn = body["executionArn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:states:us-east-1:000000000000:express:echo:first:"), "{arn}");
    let output: Value = serde_json::from_str(body["output"].as_str().unwrap()).unwrap();
    assert_eq!(output, json!({"said": {"a": "it's"}, "by": machine_arn("echo")}));
    assert!(body["startDate"].is_number() && body["stopDate"].is_number());
    assert_eq!(body["inputDetails"], json!({"included": true}));
    assert_eq!(
        body["billingDetails"],
        json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100})
    );

    let history = get(&host, "/_local/executions/first").await.json_body();
    let kinds: Vec<&str> = history["executions"][0]["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]);
    assert_eq!(get(&host, "/_local/executions/second").await.status, 404);
    assert_eq!(get(&host, "/_local/executions").await.json_body()["executions"][0]["name"], "first");
    host.shutdown().await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let host = small_host().await;
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let replies = [
        call(&host, "DynamoDB_20120810.ListTables", &json!({})).await,
        call(&host, "AWSEvents.PutEvents", &json!({})).await,
        call(&host, "AWSStepFunctions.ListStateMachines", &json!({})).await,
        call(&host, "GraniteServiceVersion20100801.ListMetrics", &json!({})).await,
        try_send(&host, Method::POST, "/", &form, b"Action=ListMetrics".to_vec()).await.unwrap(),
        send(&host, Method::POST, "/2015-03-31/functions/greet/invocations", &[], &json!({})).await,
        send(&host, Method::POST, "/model/us.anthropic.claude-sonnet-4-6/converse", &[], &body).await,
    ];
    let ids: BTreeSet<&str> =
        replies.iter().map(|reply| reply.header("x-amzn-requestid").expect("a request id")).collect();
    assert_eq!(ids.len(), replies.len());
    for reply in &replies {
        assert_eq!(reply.headers.iter().filter(|(name, _)| name == "x-amzn-requestid").count(), 1);
    }
}

#[tokio::test]
async fn a_failed_execution_is_an_http_success() {
    let host = small_host().await;
    let reply = call(&host, START, &json!({"stateMachineArn": machine_arn("refuse")})).await;
    let body = reply.json_body();
    assert_eq!((reply.status, body["status"].as_str()), (200, Some("FAILED")));
    assert_eq!(
        (body["error"].as_str(), body["cause"].as_str()),
        (Some("BudgetExceeded"), Some("{\"message\":\"no\"}"))
    );
    assert!(body.get("output").is_none());
}

#[tokio::test]
async fn step_functions_refuses_by_name() {
    let host = small_host().await;
    let arn = machine_arn("echo");
    let long = "x".repeat(81);
    for (target, request, name) in [
        (START, json!({"stateMachineArn": "echo"}), "InvalidArn"),
        (START, json!({"stateMachineArn": machine_arn("nobody")}), "StateMachineDoesNotExist"),
        (START, json!({"stateMachineArn": format!("{arn}:live")}), "InvalidArn"),
        (
            START,
            json!({"stateMachineArn": arn.replace("us-east-1", "eu-west-1")}),
            "StateMachineDoesNotExist",
        ),
        (START, json!({"stateMachineArn": arn, "input": "{"}), "InvalidExecutionInput"),
        (
            START,
            json!({"stateMachineArn": arn, "input": format!("\"{}\"", "x".repeat(262_143))}),
            "InvalidExecutionInput",
        ),
        (START, json!({"stateMachineArn": arn, "name": "a b"}), "InvalidName"),
        (START, json!({"stateMachineArn": arn, "name": ""}), "InvalidName"),
        (START, json!({"stateMachineArn": arn, "name": long}), "InvalidName"),
        (START, json!({}), "ValidationException"),
        (START, json!({"stateMachineArn": 7}), "SerializationException"),
        (START, json!([]), "SerializationException"),
        ("AWSStepFunctions.StartExecution", json!({}), "UnknownOperationException"),
    ] {
        let reply = call(&host, target, &request).await;
        let kind = reply.json_body()["__type"].as_str().unwrap().to_owned();
        assert_eq!((reply.status, kind.rsplit('#').next()), (400, Some(name)), "{:?}", reply.json_body());
        assert_eq!(reply.header("x-amzn-errortype"), Some(name));
    }
}

#[tokio::test]
async fn state_machines_are_listed_and_described() {
    let host = small_host().await;
    let list = call(&host, "AWSStepFunctions.ListStateMachines", &json!({})).await.json_body();
    assert_eq!(list["stateMachines"].as_array().unwrap().len(), small_machines().len());
    let request = json!({"stateMachineArn": machine_arn("echo")});
    let machine = call(&host, "AWSStepFunctions.DescribeStateMachine", &request).await.json_body();
    assert_eq!((machine["type"].as_str(), machine["status"].as_str()), (Some("EXPRESS"), Some("ACTIVE")));
    let definition = machine["definition"].as_str().unwrap();
    assert!(definition.contains(&machine_arn("echo")), "{definition}");
}

#[tokio::test]
async fn functions_are_invoked_as_by_lambda() {
    let host = small_host().await;
    let path = "/2015-03-31/functions/greet/invocations";
    let event = json!({"name": "Ada"});
    let reply = send(&host, Method::POST, path, &[], &event).await;
    assert_eq!((reply.status, reply.json_body()["greeting"].as_str()), (200, Some("Hello, Ada!")));
    assert_eq!(reply.header("x-amz-executed-version"), Some("$LATEST"));

    let by_arn =
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Agreet/invocations";
    assert_eq!(send(&host, Method::POST, by_arn, &[], &event).await.status, 200);

    let failed = send(&host, Method::POST, path, &[], &json!({"name": 7})).await;
    assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(failed.json_body()["errorType"], "NoName");

    let unknown = send(&host, Method::POST, "/2015-03-31/functions/nobody/invocations", &[], &event).await;
    assert_eq!(
        (unknown.status, unknown.header("x-amzn-errortype")),
        (404, Some("ResourceNotFoundException"))
    );
    let broken = try_send(&host, Method::POST, path, &[], b"{".to_vec()).await.unwrap();
    assert_eq!(
        (broken.status, broken.header("x-amzn-errortype")),
        (400, Some("InvalidRequestContentException"))
    );
    for (kind, status) in [("Event", 202), ("DryRun", 204), ("Sometimes", 400)] {
        let reply = send(&host, Method::POST, path, &[("x-amz-invocation-type", kind)], &event).await;
        assert_eq!(reply.status, status, "{kind}");
    }
}

#[tokio::test]
async fn the_tables_speak_to_the_aws_sdk() {
    use aws_sdk_dynamodb::types::AttributeValue;

    let host = small_host().await;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .endpoint_url(host.url())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new("a", "b", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let tables = client.list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), [TABLE]);
    let key = || ("id", AttributeValue::S("b".into()));
    let add = || {
        client
            .update_item()
            .table_name(TABLE)
            .key(key().0, key().1)
            .update_expression("ADD used :n")
            .condition_expression("attribute_not_exists(used) OR used < :n")
            .expression_attribute_values(":n", AttributeValue::N("5".into()))
            .send()
    };
    add().await.unwrap();
    let refused = add().await.unwrap_err().into_service_error();
    assert!(refused.is_conditional_check_failed_exception(), "{refused:?}");
    let item = client.get_item().table_name(TABLE).key(key().0, key().1).send().await.unwrap();
    assert_eq!(item.item().unwrap()["used"].as_n().unwrap(), "5");

    let reply = call(&host, "DynamoDB_20120810.ListTables", &json!({})).await;
    assert!(reply.header("x-amz-crc32").is_some());
}

#[tokio::test]
async fn models_metrics_and_events_have_their_paths() {
    let host = small_host().await;
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let path = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A000000000000%3Ainference-profile%2Fus.anthropic.claude-sonnet-4-6/converse";
    assert_eq!(send(&host, Method::POST, path, &[], &body).await.status, 200);
    assert_eq!(
        send(&host, Method::POST, "/model/us.anthropic.claude-sonnet-4-6/sing", &[], &body).await.status,
        404
    );
    assert_eq!(get(&host, "/_local/usage").await.json_body()["calls"]["Converse"], 1);

    let form = b"Action=ListMetrics&Version=2010-08-01".to_vec();
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let reply = try_send(&host, Method::POST, "/", &headers, form).await.unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/xml")));
    let cbor = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let reply = try_send(&host, Method::POST, cbor, &[], vec![0xa0]).await.unwrap();
    assert_eq!((reply.status, reply.header("smithy-protocol")), (200, Some("rpc-v2-cbor")));
    assert_eq!(call(&host, "GraniteServiceVersion20100801.ListMetrics", &json!({})).await.status, 200);

    let entry = json!({"Source": "test", "DetailType": "Noticed", "Detail": "{}"});
    let reply = call(&host, "AWSEvents.PutEvents", &json!({"Entries": [entry]})).await;
    assert_eq!(reply.json_body()["FailedEntryCount"], 0);
    assert_eq!(get(&host, "/_local/events").await.json_body()["events"][0]["detail-type"], "Noticed");
}

#[tokio::test]
async fn faults_come_and_go_while_the_host_runs() {
    let host = small_host().await;
    let faults = json!({"faults": ["dynamodb.ProvisionedThroughputExceededException:1"]});
    assert_eq!(send(&host, Method::POST, "/_local/faults", &[], &faults).await.status, 200);
    let reply = call(&host, "DynamoDB_20120810.ListTables", &json!({})).await;
    let kind = reply.json_body()["__type"].as_str().unwrap().to_owned();
    assert!(kind.ends_with("#ProvisionedThroughputExceededException"), "{kind}");
    assert_eq!(call(&host, "DynamoDB_20120810.ListTables", &json!({})).await.status, 200);

    host.faults.set(br#"{"faults":["dynamodb.lost-reply:1"]}"#).unwrap();
    let lost = try_send(
        &host,
        Method::POST,
        "/",
        &[("x-amz-target", "DynamoDB_20120810.ListTables")],
        b"{}".to_vec(),
    );
    assert_eq!(lost.await, None);
    assert_eq!(get(&host, "/_local/faults").await.json_body()["faults"][0]["fired"], 1);
    send(&host, Method::DELETE, "/_local/faults", &[], &Value::Null).await;
    assert_eq!(get(&host, "/_local/faults").await.json_body(), json!({"faults": []}));
    let wrong = send(&host, Method::POST, "/_local/faults", &[], &json!({"faults": ["nonsense:1"]})).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json_body()["message"].as_str().unwrap().contains("nonsense"));
}

#[tokio::test]
async fn a_request_for_nothing_is_told_what_there_is() {
    let host = small_host().await;
    let replies = [
        get(&host, "/nowhere").await,
        get(&host, "/_local/nowhere").await,
        call(&host, "Nobody.Nothing", &json!({})).await,
        send(&host, Method::POST, "/", &[], &json!({})).await,
    ];
    for reply in replies {
        let message = reply.json_body()["message"].as_str().unwrap().to_owned();
        assert!((400..500).contains(&reply.status) && message.contains("/_local/usage"), "{message}");
    }
    let big = try_send(&host, Method::POST, "/", &[], vec![b' '; MAX_BODY_BYTES + 1]).await.unwrap();
    assert_eq!(big.status, 413);
}

#[tokio::test]
async fn a_host_can_use_the_tables_and_models_of_another() {
    let first = small_host().await;
    let second = host(&TableStore::Endpoint(first.url()), Some(&first.url())).await;
    let item = json!({"id": "from-second", "limit": {"input": 1, "output": [true, null]}});
    second.dynamodb.put_if_absent(TABLE, "id", &item).await.unwrap();
    let key = json!({"TableName": TABLE, "Key": {"id": {"S": "from-second"}}});
    for host in [&first, &second] {
        let item = call(host, "DynamoDB_20120810.GetItem", &key).await.json_body();
        assert_eq!(
            item["Item"]["limit"]["M"]["output"]["L"],
            json!([{"BOOL": true}, {"NULL": true}]),
            "{item}"
        );
    }
    let body = json!({"messages": [{"role": "user", "content": [{"text": "#sim input=9 output=5"}]}]});
    let path = "/model/us.anthropic.claude-sonnet-4-6/converse";
    assert_eq!(send(&second, Method::POST, path, &[], &body).await.json_body()["usage"]["inputTokens"], 9);
    for host in [&first, &second] {
        let model = &host.usage()["models"]["us.anthropic.claude-sonnet-4-6"];
        assert_eq!((model["inputTokens"].as_u64(), model["outputTokens"].as_u64()), (Some(9), Some(5)));
    }
    // Streams are counted by their last event.
    let native = json!({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
        "messages": [{"role": "user", "content": "#sim input=2 output=3"}],
    });
    for (operation, body) in [("converse-stream", &body), ("invoke-with-response-stream", &native)] {
        let path = format!("/model/us.anthropic.claude-sonnet-4-6/{operation}");
        let reply = send(&second, Method::POST, &path, &[], body).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/vnd.amazon.eventstream"))
        );
    }
    for host in [&first, &second] {
        let model = &host.usage()["models"]["us.anthropic.claude-sonnet-4-6"];
        assert_eq!((model["inputTokens"].as_u64(), model["outputTokens"].as_u64()), (Some(20), Some(13)));
    }
    let refused = send(&second, Method::POST, "/model/nobody.at-all/converse", &[], &body).await;
    assert_eq!(refused.status, 400);
    first.shutdown().await;
    // The other host has ended: requests fail with a named error and do not hang.
    let reply = send(&second, Method::POST, path, &[], &body).await;
    assert_eq!(reply.status, 503, "{:?}", reply.json_body());
    assert_eq!(call(&second, "DynamoDB_20120810.GetItem", &key).await.status, 503);
}

#[test]
fn paths_are_decoded_or_refused() {
    assert_eq!(percent_decode("a%2Fb%3Ac").as_deref(), Some("a/b:c"));
    for text in ["%", "%2", "%zz", "%+1", "%ff"] {
        assert_eq!(percent_decode(text), None, "{text}");
    }
}
