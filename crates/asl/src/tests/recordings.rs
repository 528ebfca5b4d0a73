//! Executions recorded from AWS, played back: `tests-data/recordings/README.md` says where they come from.

use std::collections::BTreeMap;

use super::*;

const CASES: &str = include_str!("../../tests-data/recordings/cases.jsonl");

/// Cases that end in another way here, by a part of their id, with the reason.
const END_DIFFERS: [(&str, &str); 1] =
    [("test_map_item_batching", "a distributed Map, which Express workflows do not have, is refused")];

/// Whether a recorded value agrees: a string that the recording masked stands for any string, and a
/// string that holds JSON may be written with other blanks.
fn agrees(recorded: &Value, actual: &Value) -> bool {
    match (recorded, actual) {
        (Value::String(recorded), Value::String(actual)) => {
            let masked = recorded.contains('<') || recorded.contains("arn:") || recorded == "date";
            masked || recorded == actual
        }
        (Value::Array(recorded), Value::Array(actual)) => {
            recorded.len() == actual.len() && recorded.iter().zip(actual).all(|(r, a)| agrees(r, a))
        }
        (Value::Object(recorded), Value::Object(actual)) => {
            recorded.len() == actual.len()
                && recorded.iter().all(|(name, r)| actual.get(name).is_some_and(|a| agrees(r, a)))
        }
        (Value::Number(recorded), Value::Number(actual)) => recorded.as_f64() == actual.as_f64(),
        _ => recorded == actual,
    }
}

fn script(case: &Value) -> Script {
    case["replies"].as_array().unwrap().iter().fold(Script::default(), |script, reply| {
        let state = reply["state"].as_str().unwrap();
        let text = |field: &str| reply[field].as_str().unwrap_or_default();
        let result = match reply.get("ok") {
            Some(ok) => Ok(ok.clone()),
            None => Err(TaskError::new(text("error"), text("cause"))),
        };
        script.reply(state, 0, result)
    })
}

/// What of an execution differs from its recording; all of it when the definition is refused.
async fn differences(case: &Value) -> Vec<&'static str> {
    let Ok(machine) = StateMachine::parse(&case["definition"].to_string()) else {
        return vec!["status", "output", "error", "cause", "arguments", "history"];
    };
    let script = Arc::new(script(case));
    let execution = run(&machine, start(case["input"].clone()), Arc::new(Shared(Arc::clone(&script)))).await;
    let expected = &case["expected"];
    let mut differences = Vec::new();
    let mut compare = |what: &'static str, agrees: bool| {
        if !agrees {
            differences.push(what);
        }
    };
    let output = execution.output.clone().unwrap_or_default();
    compare("status", expected["status"] == execution.status.as_str());
    compare("output", agrees(&expected["output"], &output));
    compare("error", agrees(&expected["error"], &json!(execution.error)));
    compare("cause", agrees(&expected["cause"], &json!(execution.cause)));
    let calls = script.calls.lock().unwrap();
    let replies = case["replies"].as_array().unwrap();
    let same = |(reply, call): (&Value, &TaskCall)| agrees(&reply["arguments"], &call.arguments);
    compare("arguments", replies.len() == calls.len() && replies.iter().zip(calls.iter()).all(same));

    let recorded = case["events"].as_array().unwrap();
    // A recording gives a state with some events only.
    let mut recorded: Vec<(&str, Option<&str>)> =
        recorded.iter().map(|event| (event[0].as_str().unwrap(), event[1].as_str())).collect();
    let mut actual: Vec<(&str, Option<&str>)> =
        execution.history.iter().map(|event| (event.kind.as_str(), event.state.as_deref())).collect();
    // The recording of a Parallel sorted the events of its branches and kept one of those that look the same, so that
    // the last id counts one more than the recorded events.
    let parallel = recorded.iter().any(|(kind, _)| kind.starts_with("Parallel"));
    if parallel {
        recorded.sort_by_key(|(kind, _)| *kind);
        actual.sort_by_key(|(kind, _)| *kind);
    }
    if recorded.len() == actual.len() {
        for (recorded, actual) in recorded.iter().zip(&mut actual) {
            actual.1 = actual.1.filter(|_| recorded.1.is_some());
        }
    }
    let last_id = case["last_id"].as_u64() == Some(actual.len() as u64);
    compare("history", recorded == actual && (last_id || parallel));
    differences
}

#[tokio::test(start_paused = true)]
async fn executions_end_as_they_were_recorded_from_aws() {
    let mut different: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexpected = Vec::new();
    let mut known = END_DIFFERS.to_vec();
    let cases: Vec<Value> = CASES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let found = differences(case).await;
        for what in &found {
            *different.entry(what).or_default() += 1;
        }
        let position = known.iter().position(|(part, _)| id.contains(part));
        match position {
            Some(position) if !found.is_empty() => drop(known.remove(position)),
            None if found.is_empty() => {}
            _ => unexpected.push(format!("{id}: {found:?}")),
        }
    }
    for what in ["status", "output", "error", "cause", "arguments", "history"] {
        let different = different.get(what).copied().unwrap_or_default();
        println!("{what}: {} of {} as recorded", cases.len() - different, cases.len());
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert!(known.is_empty(), "no longer different: {known:?}");
}
