use asl::HistoryEvent;
use clap::Parser as _;
use serde_json::{Value, json};

use super::amounts::{dollars, number};
use super::answer::{FailedRequest, answer};
use super::trace::visits;
use super::{Arguments, Command, limits};

#[test]
fn numbers_have_commas() {
    for (value, text) in [
        (json!(0), "0"),
        (json!(999), "999"),
        (json!(1000), "1,000"),
        (json!(1_234_567), "1,234,567"),
        (json!(-1), "-1"),
        (Value::Null, "?"),
    ] {
        assert_eq!(number(&value), text);
    }
}

#[test]
fn an_answer_says_who_what_and_how_much_is_left() {
    let text = answer(&json!({
        "modelId": "m", "stopReason": "end_turn", "message": {"role": "assistant", "content": "Because."},
        "usage": {"inputTokens": 8, "outputTokens": 15, "cacheReadInputTokens": 3},
        "maxTokens": 20, "maxTokensShrunk": true, "usageEstimated": true,
        "budget": {"key": "k", "period": "2026-11", "resetsAt": "2026-12-01T00:00:00Z",
            "input": {"limit": 100_000, "remaining": 99_992, "reserved": 0},
            "output": {"limit": 300_000, "remaining": 1_000, "reserved": 24}},
    }));
    for part in [
        "Because.\n",
        "m (end_turn)",
        "8 in, 15 out, 3 read from the cache (estimated",
        "limited to 20 tokens",
        "k, 2026-11, resets at 2026-12-01T00:00:00Z",
        "99,992 of 100,000 left",
        "1,000 of 300,000 left, 24 held",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_refusal_explains_itself() {
    let cause = json!({"type": "BudgetExceeded", "message": "Wait.", "dimension": "output", "requested": 1024, "remaining": 5,
        "budget": {"key": "k", "period": "2026-11", "resetsAt": "r", "output": {"limit": 10, "remaining": 5, "reserved": 0}}});
    let text = failure("BudgetExceeded", &cause.to_string()).text();
    for part in ["BudgetExceeded: Wait.", "short of: output", "needed: 1,024", "left: 5", "5 of 10 left"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(failure("States.Runtime", "not JSON").text(), "States.Runtime: not JSON");
}

fn failure(error: &str, cause: &str) -> FailedRequest {
    FailedRequest { error: error.to_owned(), cause: cause.to_owned() }
}

#[test]
fn dollars_have_no_exponent() {
    for (json, text) in [
        ("0.0000001", "$0.0000001"),
        ("1e-7", "$0.0000001"),
        ("25.5", "$25.50"),
        ("500", "$500.00"),
        ("0", "$0.00"),
        ("null", "?"),
    ] {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(dollars(&value), text, "{json}");
    }
}

#[test]
fn money_is_written_as_money_in_answers_and_refusals() {
    let budget = json!({"key": "account", "period": "2026-11", "resetsAt": "r",
        "costUsd": {"limit": 0.5, "remaining": 1e-7, "reserved": 2e-9}});
    let text = answer(&json!({"costUsd": 2.5e-8, "budget": budget}));
    assert!(text.contains("\ncost         $0.000000025\n"), "{text}");
    assert!(
        text.ends_with("money      $0.0000001 of $0.50 left, $0.000000002 held by requests in flight"),
        "{text}"
    );
    let cause = json!({"message": "Wait.", "dimension": "costUsd", "requested": 1e-6, "remaining": 1e-7, "budget": budget});
    let text = failure("BudgetExceeded", &cause.to_string()).text();
    for part in
        ["short of: money", "needed: $0.000001\n", "left: $0.0000001\n", "money      $0.0000001 of $0.50"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_failure_is_a_document_too() {
    let cause = json!({"type": "InvalidRequest", "message": "No.", "path": "modelId"});
    assert_eq!(
        failure("InvalidRequest", &cause.to_string()).document(),
        json!({"error": "InvalidRequest", "cause": cause})
    );
    for cause in ["no JSON", "7", ""] {
        assert_eq!(
            failure("States.Runtime", cause).document(),
            json!({"error": "States.Runtime", "cause": {"type": "States.Runtime", "message": cause}})
        );
    }
}

#[test]
fn the_help_of_serve_lists_every_fault() {
    let help = Arguments::try_parse_from(["sentry-local", "serve", "--help"]).unwrap_err().to_string();
    let (_, faults) = help.split_once("Faults:").unwrap();
    for known in local_aws::faults::catalogue::KNOWN {
        let (_, of_service) = faults.split_once(&format!("\n  {}\n", known.service)).unwrap();
        assert!(of_service.contains(known.name), "{known:?}");
    }
    assert!(
        faults.contains("ThrottlingException (or throttle)")
            && faults.contains("lambda.settle.kill-function:1")
    );
    assert!(faults.lines().all(|line| line.len() <= 120), "{faults}");
}

/// The lines of the README between its code blocks' borders are compared as they are.
#[test]
fn the_readme_and_the_welcome_tell_clients_the_same() {
    let readme = include_str!("../../../../README.md");
    let url = format!("http://127.0.0.1:{}", super::DEFAULT_PORT);
    let welcome = super::welcome::welcome(&url, "");
    for lines in
        [super::welcome::aws_cli(&url), super::welcome::boto3(&url), super::welcome::javascript(&url)]
    {
        assert!(readme.contains(&lines), "README.md lacks:\n{lines}");
        assert!(welcome.contains(&lines), "{welcome}");
    }
}

fn event(kind: &str, state: &str, at_micros: u64) -> HistoryEvent {
    HistoryEvent {
        id: 0,
        kind: kind.to_owned(),
        state: Some(state.to_owned()),
        at_micros,
        details: Value::Null,
    }
}

#[test]
fn repeated_visits_of_a_state_are_separate() {
    let history = [
        event("TaskStateEntered", "Compare", 10),
        event("TaskScheduled", "Compare", 11),
        event("TaskStateExited", "Compare", 30),
        event("WaitStateEntered", "Await", 30),
        event("WaitStateExited", "Await", 90),
        event("TaskStateEntered", "Compare", 90),
        event("TaskFailed", "Compare", 95),
    ];
    let stays: Vec<_> = visits(&history)
        .into_iter()
        .map(|visit| (visit.state, visit.end - visit.start, visit.events, visit.exited))
        .collect();
    assert_eq!(
        stays,
        [
            ("Compare".to_owned(), 20, 3, true),
            ("Await".to_owned(), 60, 2, true),
            ("Compare".to_owned(), 5, 2, false),
        ]
    );
}

#[test]
fn the_command_line_is_read() {
    let read = |line: &str| Arguments::try_parse_from(line.split(' '));
    let Command::Ask(ask) = read("sentry-local ask hi --max-tokens 5 --json").unwrap().command else {
        panic!()
    };
    assert_eq!((ask.prompt.as_str(), ask.max_tokens, ask.json), ("hi", Some(5), true));
    assert_eq!(ask.model, "us.anthropic.claude-sonnet-4-6");
    let line = "sentry-local serve --port 0 --host localhost --fault throttle:2 --fault lost-reply:5% --clock-offset -5m";
    let Command::Serve(serve) = read(line).unwrap().command else { panic!() };
    assert_eq!((serve.port, serve.fault.len(), serve.clock_offset.as_deref()), (0, 2, Some("-5m")));
    assert!(serve.host.is_loopback());
    for wrong in [
        "sentry-local",
        "sentry-local ask",
        "sentry-local ask hi --max-tokens many",
        "sentry-local serve --port 70000",
        "sentry-local serve --host example.org",
        "sentry-local serve --function-concurrency 4",
        "sentry-local serve --functions d --function-concurrency 0",
        "sentry-local serve --data d --dynamodb http://127.0.0.1:1",
        "sentry-local serve --functions d --clock-offset +1h",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

/// What becomes of a file of limits with this text.
fn limits_of(name: &str, text: &str) -> Result<limits::LimitsFile, String> {
    let file = std::env::temp_dir().join(format!("sentry-local-limits-{name}-{}.json", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let read = limits::read(&file);
    std::fs::remove_file(&file).unwrap();
    if let Err(message) = &read {
        assert!(message.contains(file.to_str().unwrap()), "{message}");
    }
    read
}

#[test]
fn a_limits_file_must_hold_a_list() {
    assert!(limits::read("/no/such/file".as_ref()).unwrap_err().contains("cannot be read"));
    let not_json = limits_of("json", "[\n  {\"modelId\" 5}\n]").unwrap_err();
    assert!(not_json.contains("is not JSON") && not_json.contains("line 2 column 14"), "{not_json}");
    assert!(limits_of("map", "{}").unwrap_err().contains("not a list"));
    let text = r#"[{"modelId":"default","limit":{"input":1,"output":1}}]"#;
    let read = limits_of("good", text).unwrap();
    assert_eq!((read.items.len(), read.warnings.len()), (1, 0));
}

#[test]
fn a_limit_item_of_a_file_is_refused_by_its_place_and_attribute() {
    let good = r#"{"modelId":"default","limit":{"input":1,"output":1}}"#;
    for (items, expected) in [
        (r#"{"modelId":"tenant/acme","limit":{"input":1}}"#, vec!["item 2:", "tenant/acme", "limit.output"]),
        (r#"{"modelId":"account","limit":{"costUsd":1},"mode":"off"}"#, vec!["item 2:", "account", "mode"]),
        (r#"{"limit":{"costUsd":1}}"#, vec!["item 2:", "modelId is missing"]),
        ("7", vec!["item 2:", "is not a map of attributes"]),
        (
            &format!(r#"{{"modelId":"account","limit":{{"costUsd":1}}}},{good}"#),
            vec!["items 1 and 3:", "\"default\""],
        ),
    ] {
        let message = limits_of("refused", &format!("[{good},{items}]")).unwrap_err();
        for part in expected {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}

#[test]
fn limits_that_hold_nobody_back_are_warned_of() {
    let limit = json!({"input": 1, "output": 1});
    let items = json!([
        {"modelId": "default", "limit": limit},
        {"modelId": "tenants/acme", "limit": limit},
        {"modelId": "us.amazon.nova-lite-v1:0", "limit": limit},
    ]);
    let read = limits_of("warned", &items.to_string()).unwrap();
    assert_eq!((read.items.len(), read.warnings.len()), (3, 2));
    let [nothing, less] = &read.warnings[..] else { panic!() };
    assert!(
        nothing.contains("item 2: \"tenants/acme\" governs nothing") && nothing.contains("\"tenant/acme\"?"),
        "{nothing}"
    );
    assert!(less.contains("item 3:") && less.contains("under \"amazon.nova-lite-v1:0\""), "{less}");
}
