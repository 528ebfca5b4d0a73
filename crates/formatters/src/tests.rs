use serde_json::json;
use vendor_formats::formatter;

use super::*;

#[test]
fn every_deployed_formatter_exists() {
    for name in DEPLOYED {
        assert!(formatter(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn an_error_keeps_its_name_and_path() {
    let event =
        json!({"operation": "format", "modelId": "anthropic.claude-sonnet-4-6", "prompt": {"messages": []}});
    let error = handle(event, formatter("anthropic").unwrap()).await.unwrap_err();
    assert_eq!(error.name.as_str(), "InvalidRequest");
    assert_eq!(error.details["path"], "prompt.messages");
}
