use serde_json::json;
use vendor_formats::FORMATTERS;

use super::*;

#[test]
fn every_binary_runs_the_formatter_of_its_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
    let mut binaries = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let binary = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let name = binary.strip_prefix("format-").unwrap();
        let source = std::fs::read_to_string(&path).unwrap();
        let constant = name.to_uppercase().replace('-', "_");
        assert!(source.contains(&format!("formatters::run(vendor_formats::{constant})")), "{binary}");
        assert!(FORMATTERS.iter().any(|formatter| formatter.name == name), "{binary}");
        binaries.push(binary);
    }
    binaries.sort();
    let mut functions: Vec<_> = function_names().collect();
    functions.sort();
    assert_eq!(binaries, functions);
}

#[tokio::test]
async fn an_error_keeps_its_name_and_path() {
    let event =
        json!({"operation": "format", "modelId": "anthropic.claude-sonnet-4-6", "prompt": {"messages": []}});
    let error = handle(event, &vendor_formats::ANTHROPIC).await.unwrap_err();
    assert_eq!(error.name.as_str(), "InvalidRequest");
    assert_eq!(error.details["path"], "prompt.messages");
}

#[tokio::test]
async fn labels_of_a_request_are_sent_unless_they_are_switched_off() {
    let event = json!({
        "operation": "format", "modelId": "amazon.nova-2-lite-v1:0",
        "prompt": { "messages": [{ "role": "user", "content": "x" }] },
        "metadata": { "requestId": "r-1", "tenant": "acme" }
    });
    for (setting, sent) in [
        (None, json!({ "requestId": "r-1", "tenant": "acme" })),
        (Some("on"), json!({ "requestId": "r-1", "tenant": "acme" })),
        (Some("off"), Value::Null),
    ] {
        let answer = handle(with_setting(event.clone(), setting), &vendor_formats::CONVERSE).await.unwrap();
        assert_eq!(answer["body"]["RequestMetadata"], sent, "{setting:?}");
    }
}
