//! The command as a person and a script meet it: output, exit codes, signals.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sentry-local");

#[test]
fn a_question_from_standard_input_is_answered_with_a_document_alone() {
    let mut child = Command::new(PROGRAM)
        .args(["ask", "-", "--json", "--trace", "--max-tokens", "7"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"it's #sim latency=1ms\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let trace = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{trace}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["maxTokens"], 7);
    assert_eq!(answer["message"]["role"], "assistant");
    assert_eq!(answer["budget"]["input"]["reserved"], 0);
    for state in ["rate-limiter", "Compare", "model-router", "InvokeModel", "Settle"] {
        assert!(trace.contains(state), "{state} in {trace}");
    }
}

#[test]
fn a_failure_is_named_on_standard_error_and_by_the_exit_code() {
    for (arguments, name) in [
        (["ask", "hi", "--model", "amazon.titan-embed-text-v2:0"], "UnsupportedModel"),
        (["ask", "hi", "--max-tokens", "0"], "InvalidRequest"),
        (["ask", "#sim error=ThrottlingException", "--model", "amazon.nova-lite-v1:0"], "ModelThrottled"),
    ] {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(output.stdout.is_empty() && message.contains(&format!("error: {name}: ")), "{message}");
    }
}

#[test]
fn a_host_says_when_it_is_ready_and_ends_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut host = Command::new(PROGRAM)
            .args(["serve", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map(Result::unwrap);
        let ready =
            lines.find_map(|line| line.strip_prefix("listening on http://127.0.0.1:").map(str::to_owned));
        let port = ready.unwrap();
        let second = Command::new(PROGRAM).args(["serve", "--port", &port]).output().unwrap();
        let message = String::from_utf8(second.stderr).unwrap();
        assert_eq!(second.status.code(), Some(1));
        assert!(
            message.contains(&format!("port {port} is in use")) && message.contains("--port"),
            "{message}"
        );
        let killed = Command::new("kill").args([signal, &host.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(host.wait().unwrap().code(), Some(0), "{signal}");
    }
}
