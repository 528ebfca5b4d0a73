use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method};
use local_aws::dynamodb::{DynamoDb, TableStore};
use local_aws::faults::Faults;
use local_aws::http::forward::Forwarder;
use serde_json::{Value, json};

use crate::{BedrockBackend, Config, Host, StartError};

/// The answer to GetItem of a limit item.
async fn get_item(host: &Host, id: &str) -> Value {
    let headers = [
        ("x-amz-target", "DynamoDB_20120810.GetItem"),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20260101T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    let headers: HeaderMap = headers
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect();
    let body = json!({"TableName": "sentry-limits", "Key": {"modelId": {"S": id}}}).to_string();
    let client = Forwarder::new(&host.url(), Duration::from_secs(20)).unwrap();
    client.send(Method::POST, "/", &headers, body.into_bytes()).await.unwrap().json_body()
}

#[tokio::test]
async fn a_port_in_use_says_what_to_do_and_is_free_after_the_end() {
    let host = crate::start(Config::default()).await.unwrap();
    let port = host.addr.port();
    let error = crate::start(Config { port, ..Config::default() }).await.unwrap_err();
    assert!(matches!(error, StartError::PortInUse(taken) if taken == port));
    assert!(error.to_string().contains("--port"), "{error}");
    host.shutdown().await;
    crate::start(Config { port, ..Config::default() }).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn kept_tables_survive_and_limits_are_put_only_when_absent() {
    let directory = std::env::temp_dir().join(format!("sentry-local-data-{}", std::process::id()));
    let item = |input: u64| json!({"modelId": "default", "limit": {"input": input, "output": 1}});
    let with = |limits| Config { data: Some(directory.clone()), limits, ..Config::default() };
    let host = crate::start(with(vec![item(7)])).await.unwrap();
    host.shutdown().await;
    let host = crate::start(with(vec![item(8), json!({"modelId": "other", "limit": {"input": -1.5}})]))
        .await
        .unwrap();
    let kept = get_item(&host, "default").await;
    assert_eq!(kept["Item"]["limit"]["M"]["input"]["N"], "7");
    let other = get_item(&host, "other").await;
    assert_eq!(other["Item"]["limit"]["M"]["input"]["N"], "-1.5");
    host.shutdown().await;
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Reconcile would fail at every run without the index.
#[tokio::test]
async fn a_folder_of_a_version_without_the_index_is_refused() {
    let directory = std::env::temp_dir().join(format!("sentry-local-old-data-{}", std::process::id()));
    let store = TableStore::Folder(directory.clone());
    let tables = DynamoDb::open(&store, Arc::new(Faults::new(0))).unwrap();
    tables.create_table("sentry-ledger", "budget", None).await.unwrap();
    tables.close().await;
    let config = Config { data: Some(directory.clone()), ..Config::default() };
    let error = crate::start(config).await.unwrap_err().to_string();
    assert!(error.starts_with("--data: ") && error.contains("no index period-index"), "{error}");
    assert!(error.contains("move the folder away"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let wrong = [
        (Config { faults: vec!["nonsense".into()], ..Config::default() }, "nonsense"),
        (Config { limits: vec![json!({"limit": {}})], ..Config::default() }, "modelId"),
        (Config { dynamodb: Some("localhost".into()), ..Config::default() }, "--dynamodb"),
        (Config { bedrock: BedrockBackend::Endpoint("ftp://x".into()), ..Config::default() }, "--bedrock"),
        (Config { machines: vec![("bad".into(), "{}".into())], ..Config::default() }, "bad"),
        (Config { host: [192, 0, 2, 1].into(), ..Config::default() }, "192.0.2.1"),
    ];
    for (config, expected) in wrong {
        let error = crate::start(config).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
