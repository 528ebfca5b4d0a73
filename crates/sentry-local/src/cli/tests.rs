use asl::Event;
use clap::Parser as _;
use serde_json::{Value, json};

use super::ask::{answer, failure, number};
use super::serve::read_limits;
use super::trace::visits;
use super::{Arguments, Command};

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
        "k, 2026-11, starts anew at 2026-12-01T00:00:00Z",
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
    let text = failure("BudgetExceeded", &cause.to_string());
    for part in ["BudgetExceeded: Wait.", "short of: output", "needed: 1,024", "left: 5", "5 of 10 left"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(failure("States.Runtime", "not JSON"), "States.Runtime: not JSON");
}

fn event(kind: &str, state: &str, at_micros: u64) -> Event {
    Event { id: 0, kind: kind.to_owned(), state: Some(state.to_owned()), at_micros, details: Value::Null }
}

#[test]
fn stays_in_states_are_told_apart() {
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
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_limits_file_must_hold_a_list() {
    let file = std::env::temp_dir().join(format!("sentry-local-limits-{}", std::process::id()));
    assert!(read_limits(&file).unwrap_err().contains("cannot be read"));
    std::fs::write(&file, "{").unwrap();
    assert!(read_limits(&file).unwrap_err().contains("is not JSON"));
    std::fs::write(&file, "{}").unwrap();
    assert!(read_limits(&file).unwrap_err().contains("not a list"));
    std::fs::write(&file, r#"[{"modelId":"default"}]"#).unwrap();
    assert_eq!(read_limits(&file).unwrap().len(), 1);
    std::fs::remove_file(&file).unwrap();
}
