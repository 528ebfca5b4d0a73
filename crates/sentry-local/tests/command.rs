//! The command line: output, exit codes, signals.

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
fn a_host_does_not_start_with_a_malformed_limit_and_warns_of_one_that_governs_nothing() {
    let file = std::env::temp_dir().join(format!("sentry-local-command-limits-{}.json", std::process::id()));
    let serve = |items: &str| {
        std::fs::write(&file, items).unwrap();
        let mut command = Command::new(PROGRAM);
        // The address cannot be listened on: mistakes in the limits are reported before it is used.
        command.args(["serve", "--host", "192.0.2.1", "--limits"]).arg(&file);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let message = serve(r#"[{"modelId": "account", "limit": {"costUsd": "10"}}]"#);
    assert!(message.contains("item 1: ") && message.contains("limit.costUsd"), "{message}");
    assert!(!message.contains("192.0.2.1"), "{message}");
    let message = serve(r#"[{"modelId": "Account", "limit": {"costUsd": 10}}]"#);
    assert!(message.starts_with("warning: ") && message.contains("\"account\"?"), "{message}");
    std::fs::remove_file(&file).unwrap();
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

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    for arguments in [["ask", "hi", "--json"], ["ask", "hi", "--trace"], ["serve", "--port", "0"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = Command::new(PROGRAM).args(arguments).stdout(full).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("error: ") && message.contains("No space left"), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_failure_is_a_document_on_standard_output_with_json() {
    let output = Command::new(PROGRAM).args(["ask", "hi", "--max-tokens", "0", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"], "InvalidRequest");
    assert_eq!(document["cause"]["path"], "inference.maxTokens");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    // Step Functions itself refuses this one, before any state.
    let long = "a ".repeat(140_000);
    let mut command = Command::new(PROGRAM);
    command.args(["ask", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(long.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"], "InvalidExecutionInput");
    assert!(document["cause"]["message"].as_str().unwrap().contains("262144"), "{document}");
}

#[test]
fn a_question_has_the_limits_of_a_file_and_tables_that_stay() {
    let folder = std::env::temp_dir().join(format!("sentry-local-command-data-{}", std::process::id()));
    let limits = folder.with_extension("json");
    std::fs::write(&limits, r#"[{"modelId": "default", "limit": {"costUsd": 0.0004}}]"#).unwrap();
    let ask = || {
        let mut command = Command::new(PROGRAM);
        command.args(["ask", "Hi\n#sim input=10 output=20 latency=1ms", "--model", "amazon.nova-lite-v1:0"]);
        command
            .args(["--max-tokens", "20", "--data"])
            .arg(&folder)
            .arg("--limits")
            .arg(&limits)
            .output()
            .unwrap()
    };
    let first = String::from_utf8(ask().stdout).unwrap();
    assert!(first.contains("cost         $0.00000"), "{first}");
    let left = |text: &str| -> String {
        let (_, line) = text.split_once("  money      $").unwrap_or_else(|| panic!("{text}"));
        line.split_once(" of $0.0004 left").unwrap().0.to_owned()
    };
    let second = String::from_utf8(ask().stdout).unwrap();
    assert!(
        left(&second).parse::<f64>().unwrap() < left(&first).parse::<f64>().unwrap(),
        "{first}\n{second}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::remove_file(&limits).unwrap();
}

#[test]
fn a_closed_pipe_is_an_error_with_a_message() {
    for arguments in
        [vec!["ask", "hi"], vec!["ask", "hi", "--json"], vec!["demo"], vec!["serve", "--port", "0"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(PROGRAM).args(&arguments).stdout(writer).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains("error: ") && message.contains("Broken pipe"), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    }
}

#[test]
fn the_demonstration_holds_the_budget_and_says_so_in_plain_lines() {
    let output = Command::new(PROGRAM).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("200 requests at once, and a budget for 10 of them: $0.0858."), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let verdict = text.lines().last().unwrap();
    assert!(verdict.starts_with("The budget held: $0.0") && verdict.contains(" of $0.0858 ("), "{text}");
    let counted = |before: &str| -> u64 {
        let (number, _) = verdict.split_once(before).unwrap();
        number.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!((9..=10).contains(&counted(" answered")), "{text}");
    assert_eq!(counted(" answered") + counted(" refused with"), 200, "{text}");
}
