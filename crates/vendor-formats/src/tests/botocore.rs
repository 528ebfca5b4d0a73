//! Arguments of Converse, held against botocore's own model of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::beyond_text::{conversations, models};
use super::{converse, golden};
use crate::handle;

/// The Python that `infra/tools` installs botocore for. On CI it must be there.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/infra/bin/python3");
    if python.is_file() {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "botocore is missing: run infra/tools");
    // The harness keeps what a passing test prints; standard error of the process it does not.
    let _ = writeln!(std::io::stderr(), "skipped: botocore is missing, and infra/tools installs it");
    None
}

/// What botocore says about these documents: a line for each fault.
fn faults(python: &Path, documents: &[Value]) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", include_str!("botocore.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(documents).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    assert_eq!(lines.next(), Some(format!("{} documents", documents.len())));
    lines.collect()
}

#[test]
fn botocore_takes_every_argument_that_is_written() {
    let Some(python) = python() else { return };
    let mut documents = Vec::new();
    for model_id in models() {
        let plain = golden::conversations().into_iter().map(
            |(_, messages, inference)| json!({ "prompt": { "messages": messages }, "inference": inference }),
        );
        for mut event in conversations().into_iter().map(|(_, request)| request).chain(plain) {
            event["operation"] = "format".into();
            event["modelId"] = model_id.into();
            event["metadata"] = json!({ "requestId": "r-1:a", "tenant": "acme_1", "environment": "prod eu" });
            if let Ok(answer) = handle(converse(), &event) {
                documents.push(answer["body"].clone());
            }
        }
    }
    assert!(documents.len() > 400, "{} documents say little", documents.len());
    assert_eq!(faults(&python, &documents), Vec::<String>::new());
}

#[test]
fn botocore_sees_what_is_wrong() {
    let Some(python) = python() else { return };
    let right = json!({ "Messages": [{ "Role": "user", "Content": [{ "Text": "x" }] }] });
    let mut documents = vec![right.clone()];
    for (pointer, value) in [
        ("/Messages/0/Role", json!("tool")),
        ("/Messages/0/Content/0", json!({ "text": "x" })),
        ("/Messages/0/Content/0", json!({ "Text": "x", "CachePoint": { "Type": "default" } })),
        ("/Messages/0/Content/0", json!({ "ToolUse": { "ToolUseId": "a b", "Name": "f", "Input": {} } })),
        ("/Messages/0/Content/0", json!({ "ToolUse": { "ToolUseId": "a", "Name": "f" } })),
    ] {
        let mut document = right.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        documents.push(document);
    }
    let faults = faults(&python, &documents);
    for (index, document) in documents.iter().enumerate() {
        let seen = faults.iter().any(|fault| fault.starts_with(&format!("[{index}]")));
        assert_eq!(seen, index > 0, "{document}: {faults:?}");
    }
}
