use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::{function_names, table};
use crate::{Config, FunctionsConfig, ProcessConfig, StartError};

#[tokio::test]
async fn every_function_runs_in_process() {
    let table = table("http://127.0.0.1:1", &Config::default()).await;
    let names: BTreeSet<String> = table.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, function_names().into_iter().collect());
}

#[tokio::test]
async fn a_missing_bootstrap_is_named_at_the_start() {
    let processes = ProcessConfig {
        directory: PathBuf::from("/nonexistent/functions"),
        concurrency: 1,
        timeout: Duration::from_secs(1),
        verbose: false,
    };
    let config = Config { functions: FunctionsConfig::Processes(processes), ..Config::default() };
    let error = crate::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::Functions(_)));
    assert!(error.to_string().contains("/nonexistent/functions/validate-request"), "{error}");
}
