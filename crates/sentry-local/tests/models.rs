//! Every model that docs/models.md gives as an example answers on the host.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use sentry_local::{Config, start};
use serde_json::{Value, json};

/// The ids in the first column of the table under this heading.
fn examples(text: &str) -> Vec<&str> {
    let (_, section) = text.split_once("\n## What each takes\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`'))
        .map(|(id, _)| id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_table_of_models_answers() {
    let examples = examples(include_str!("../../../docs/models.md"));
    assert!(examples.len() >= 30, "{examples:?}");
    let host = start(Config::default()).await.unwrap();
    let mut wrong = Vec::new();
    for id in examples {
        let request = json!({"modelId": id,
            "prompt": {"messages": [{"role": "user", "content": "Hello\n#sim latency=1ms"}]}});
        let finished = host.execute("rate-limiter", None, &request.to_string()).await.unwrap();
        let answer: Value =
            serde_json::from_str(finished.output.as_deref().unwrap_or_default()).unwrap_or_default();
        let text = answer["message"]["content"].as_str().unwrap_or_default();
        if !text.contains("your last message has") || answer["budget"]["output"]["reserved"] != 0 {
            wrong.push((id, finished.error.clone(), finished.cause.clone(), answer));
        }
    }
    host.shutdown().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
