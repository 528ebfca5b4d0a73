//! Retry, Catch, timeouts and limits.

use super::*;
use crate::Status;

fn retrying(retry: Value) -> Value {
    json!({"First": task(json!({"Retry": retry}))})
}

#[tokio::test(start_paused = true)]
async fn retries_back_off_up_to_the_longest_delay() {
    let retry = json!([{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 5, "MaxDelaySeconds": 5}]);
    let (execution, script) =
        execute(machine(retrying(retry)), Value::Null, Script::default().fails("First", "Busy")).await;
    assert_eq!(
        (execution.error.as_deref(), script.calls(), execution.duration.as_secs()),
        (Some("Busy"), 6, 1 + 2 + 4 + 5 + 5)
    );
}

#[tokio::test(start_paused = true)]
async fn defaults_are_three_attempts_from_one_second_doubling() {
    let retry = json!([{"ErrorEquals": ["States.ALL"]}]);
    let (execution, script) =
        execute(machine(retrying(retry)), Value::Null, Script::default().fails("First", "Any")).await;
    assert_eq!((script.calls(), execution.duration.as_secs()), (4, 1 + 2 + 4));
}

#[tokio::test(start_paused = true)]
async fn full_jitter_never_waits_longer_than_the_backoff() {
    let retry =
        json!([{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "MaxAttempts": 1, "JitterStrategy": "FULL"}]);
    let (execution, _) =
        execute(machine(retrying(retry)), Value::Null, Script::default().fails("First", "Busy")).await;
    assert!(execution.duration.as_secs() < 11);
}

#[tokio::test(start_paused = true)]
async fn each_retrier_counts_for_itself_and_zero_attempts_means_none() {
    let retry = json!([{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["B"], "MaxAttempts": 2}, {"ErrorEquals": ["C"], "MaxAttempts": 0}]);
    let script =
        Script::default().fails("First", "A").fails("First", "B").fails("First", "B").fails("First", "B");
    let (execution, script) = execute(machine(retrying(retry.clone())), Value::Null, script).await;
    assert_eq!((execution.error.as_deref(), script.calls()), (Some("B"), 4));
    let (_, script) =
        execute(machine(retrying(retry)), Value::Null, Script::default().fails("First", "C")).await;
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retried_task_that_succeeds_goes_on() {
    let script = Script::default().fails("First", "Busy").reply("First", 0, Ok(json!("at last")));
    let (execution, _) =
        execute(machine(retrying(json!([{"ErrorEquals": ["Busy"]}]))), Value::Null, script).await;
    assert_eq!(execution.output.unwrap(), "at last");
}

fn catching(errors: Value) -> Value {
    json!({
        "First": task(json!({"Catch": [{"ErrorEquals": errors, "Assign": {"seen": "{% $states.errorOutput.Error %}"},
            "Output": {"was": "{% $states.errorOutput %}", "input": "{% $states.input %}"}, "Next": "Caught"}]})),
        "Caught": {"Type": "Pass", "Output": {"seen": "{% $seen %}", "got": "{% $states.input %}"}, "End": true}
    })
}

#[tokio::test(start_paused = true)]
async fn a_catch_sees_error_and_cause_and_goes_on() {
    let (execution, _) =
        execute(machine(catching(json!(["Custom"]))), json!(5), Script::default().fails("First", "Custom"))
            .await;
    let expected =
        json!({"seen": "Custom", "got": {"was": {"Error": "Custom", "Cause": "because"}, "input": 5}});
    assert_eq!(execution.output.unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn without_output_a_catch_passes_the_error_on() {
    let states = json!({"First": task(json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]})), "Caught": {"Type": "Succeed"}});
    let (execution, _) = execute(machine(states), json!(5), Script::default().fails("First", "Custom")).await;
    assert_eq!(execution.output.unwrap(), json!({"Error": "Custom", "Cause": "because"}));
}

#[tokio::test(start_paused = true)]
async fn which_names_cover_which_errors() {
    for (names, error, caught) in [
        (json!(["Other"]), "Custom", false),
        (json!(["States.ALL"]), "States.Timeout", true),
        (json!(["States.ALL"]), "States.DataLimitExceeded", false),
        (json!(["States.ALL"]), "States.Runtime", false),
        (json!(["States.DataLimitExceeded"]), "States.DataLimitExceeded", true),
        (json!(["States.TaskFailed"]), "Custom", true),
        (json!(["States.TaskFailed"]), "States.Timeout", false),
        (json!(["A", "Custom"]), "Custom", true),
    ] {
        let (execution, _) =
            execute(machine(catching(names.clone())), json!(5), Script::default().fails("First", error))
                .await;
        assert_eq!(execution.status == Status::Succeeded, caught, "{names} {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_fails_can_be_caught_by_its_state() {
    let mut states = catching(json!(["States.QueryEvaluationError"]));
    states["First"]["Arguments"] = json!("{% $nope %}");
    let (execution, script) = execute(machine(states), json!(5), Script::default()).await;
    assert_eq!(
        (execution.output.unwrap()["seen"].as_str(), script.calls()),
        (Some("States.QueryEvaluationError"), 0)
    );
}

/// States whose work succeeds and whose `Assign` or `Output` fails.
fn working(more: &Value) -> [Value; 3] {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
    [
        json!({"Type": "Task", "Resource": "arn:task"}),
        json!({"Type": "Parallel", "Branches": [inner("Inner")]}),
        json!({"Type": "Map", "Items": [1], "ItemProcessor": inner("Inner")}),
    ]
    .map(|mut state| {
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        state
    })
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_the_work_is_done_is_caught_by_its_state() {
    let large = json!("{% $pad('', 300000, 'x') %}");
    for (field, value, names, caught) in [
        ("Output", json!("{% $nope %}"), "States.QueryEvaluationError", true),
        ("Output", json!("{% $nope %}"), "States.ALL", true),
        ("Assign", json!({"x": "{% 1 + 'a' %}"}), "States.QueryEvaluationError", true),
        ("Output", large.clone(), "States.DataLimitExceeded", true),
        ("Output", large.clone(), "States.ALL", false),
        ("Output", large, "States.TaskFailed", false),
    ] {
        let catch = json!({field: value, "Next": "Caught", "Catch": [
            {"ErrorEquals": [names], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}]});
        for state in working(&catch) {
            let states = json!({"First": state, "Caught": {"Type": "Succeed"}});
            let (execution, _) = execute(machine(states), json!(5), Script::default()).await;
            let shown = format!("{field} {names} {state} {execution:?}");
            assert_eq!(execution.status == Status::Succeeded, caught, "{shown}");
            let error = execution.error.map_or(execution.output, |error| Some(json!(error))).unwrap();
            let too_large = names == "States.DataLimitExceeded" || !caught;
            let expected = if too_large { "States.DataLimitExceeded" } else { "States.QueryEvaluationError" };
            assert_eq!(error, expected, "{shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_a_catch_is_not_caught_again() {
    let first = task(json!({"Catch": [
        {"ErrorEquals": ["A"], "Output": "{% $pad('', 300000, 'x') %}", "Next": "Caught"},
        {"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Caught"}]}));
    let states = json!({"First": first, "Caught": {"Type": "Succeed"}});
    assert_eq!(
        error(states, Value::Null, Script::default().fails("First", "A")).await,
        "States.DataLimitExceeded"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fail_may_compute_its_error_and_cause() {
    let states = json!({"First": {"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% $string($states.input) %}"}});
    let (execution, _) = execute(machine(states), json!({"e": "Mine"}), Script::default()).await;
    assert_eq!(
        (execution.error.as_deref(), execution.cause.as_deref()),
        (Some("Mine"), Some("{\"e\":\"Mine\"}"))
    );
    let long = json!({"First": {"Type": "Fail", "Error": "e".repeat(500), "Cause": "c".repeat(40_000)}});
    let (execution, _) = execute(machine(long), Value::Null, Script::default()).await;
    assert_eq!((execution.error.unwrap().len(), execution.cause.unwrap().len()), (256, 32_768));
}

#[tokio::test(start_paused = true)]
async fn a_task_is_stopped_at_its_timeout() {
    let states = |seconds: Value| json!({"First": task(json!({"TimeoutSeconds": seconds}))});
    let slow = || Script::default().reply("First", 60, Ok(Value::Null));
    for seconds in [json!(3), json!("{% 1 + 2 %}")] {
        let (execution, script) = execute(machine(states(seconds)), Value::Null, slow()).await;
        assert_eq!((execution.error.as_deref(), execution.duration.as_secs()), (Some("States.Timeout"), 3));
        assert_eq!(script.running.lock().unwrap().0, 1, "the task was dropped before its end");
    }
    assert_eq!(execute(machine(states(json!(61))), Value::Null, slow()).await.0.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_stopped_at_its_timeout_or_after_five_minutes() {
    let wait = json!({"First": {"Type": "Wait", "Seconds": 1_000, "End": true}});
    let (execution, _) = execute(machine(wait.clone()), Value::Null, Script::default()).await;
    assert_eq!((execution.status, execution.duration.as_secs()), (Status::TimedOut, 300));
    let mut short = machine(wait);
    short["TimeoutSeconds"] = json!(10);
    let (execution, _) = execute(short, Value::Null, Script::default()).await;
    assert_eq!(
        (execution.status, execution.duration.as_secs(), execution.error),
        (Status::TimedOut, 10, None)
    );
    assert_eq!(execution.history.last().unwrap().kind, "ExecutionTimedOut");
}

#[tokio::test(start_paused = true)]
async fn payloads_have_a_limit_wherever_they_go() {
    let fits = json!("x".repeat(crate::MAX_PAYLOAD_BYTES - 2));
    let too_much = json!("x".repeat(crate::MAX_PAYLOAD_BYTES - 1));
    let pass = json!({"First": {"Type": "Pass", "End": true}});
    assert_eq!(output(pass.clone(), fits.clone()).await, fits);
    for (states, input) in [
        (pass, too_much.clone()),
        (
            json!({"First": {"Type": "Pass", "Output": {"a": "{% $states.input %}"}, "End": true}}),
            fits.clone(),
        ),
        (json!({"First": task(json!({"Arguments": {"a": "{% $states.input %}"}}))}), fits),
    ] {
        assert_eq!(error(states, input, Script::default()).await, "States.DataLimitExceeded");
    }
    let script = Script::default().reply("First", 0, Ok(too_much));
    assert_eq!(
        error(json!({"First": task(json!({}))}), Value::Null, script).await,
        "States.DataLimitExceeded"
    );
}

/// The error and the cause of a machine that fails at once.
async fn failure(state: Value, input: Value) -> (Option<String>, Option<String>) {
    let states = json!({"First": state, "Last": {"Type": "Succeed"}});
    let (execution, _) = execute(machine(states), input, Script::default()).await;
    assert_eq!(execution.status, Status::Failed, "{execution:?}");
    (execution.error, execution.cause)
}

#[tokio::test(start_paused = true)]
async fn causes_are_worded_as_aws_words_them() {
    let at = "An error occurred while executing the state 'First' (entered at the event id #2). ";
    let expression = |source: &str, field: &str, problem: &str| {
        format!("{at}The JSONata expression '{source}' specified for the field '{field}' {problem}")
    };
    let wait = |field: &str, value: &str| json!({"Type": "Wait", field: value, "End": true});
    let unparsed =
        "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: ";
    for (state, cause) in [
        (
            task(json!({"Arguments": {"a": [{"b": "{% $nope %}"}]}})),
            expression("$nope", "Arguments/a[0]/b", "returned nothing (undefined)."),
        ),
        (
            json!({"Type": "Pass", "Output": "{% $nope() %}", "End": true}),
            expression(
                "$nope()",
                "Output",
                "threw an error during evaluation. T1006: Attempted to invoke a non-function: $nope",
            ),
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Condition": "{% 'yes' %}", "Next": "Last"}]}),
            expression(
                "'yes'",
                "Choices[0]/Condition",
                "returned an unexpected result type. Expected 'boolean', but was 'string' for value: \"yes\"",
            ),
        ),
        (
            json!({"Type": "Fail", "Error": "{% 5 %}"}),
            expression(
                "5",
                "Error",
                "returned an unexpected result type. Expected 'string', but was 'number' for value: 5",
            ),
        ),
        (
            wait("Seconds", "{% 'x' %}"),
            expression(
                "'x'",
                "Seconds",
                "returned an unexpected result type. Expected 'number', but was 'string' for value: \"x\"",
            ),
        ),
        (
            task(json!({"TimeoutSeconds": "{% 0 %}"})),
            expression("0", "TimeoutSeconds", "returned 0, which is not a whole number from 1 to 99999999."),
        ),
        // A blank in the place of the T is no ISO 8601.
        (wait("Timestamp", "2030-01-01 00:00:00Z"), format!("{at}{unparsed}2030-01-01 00:00:00Z")),
        (wait("Timestamp", "{% 'soon' %}"), format!("{at}{unparsed}soon")),
    ] {
        let found = failure(state.clone(), Value::Null).await;
        assert_eq!(found, (Some("States.QueryEvaluationError".to_owned()), Some(cause)), "{state}");
    }
    let large = json!({"Type": "Pass", "Output": "{% $pad('', 300000, 'x') %}", "End": true});
    let expected = "The state/task 'First' returned a result with a size exceeding the maximum number of bytes service limit.";
    assert_eq!(failure(large, Value::Null).await.1.as_deref(), Some(expected));
    let state = task(json!({"Resource": "arn:aws:states:::lambda:invoke"}));
    let script = Script::default().reply("First", 0, Ok(json!("x".repeat(300_000))));
    let (execution, _) = execute(machine(json!({"First": state})), Value::Null, script).await;
    assert_eq!(execution.cause.unwrap(), expected.replace("First", "lambda"));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_has_an_empty_cause_when_it_is_caught_and_else_none() {
    let slow = || Script::default().reply("First", 60, Ok(Value::Null));
    let (execution, _) =
        execute(machine(json!({"First": task(json!({"TimeoutSeconds": 1}))})), Value::Null, slow()).await;
    assert_eq!((execution.error.as_deref(), execution.cause), (Some("States.Timeout"), None));
    let mut states = catching(json!(["States.Timeout"]));
    states["First"]["TimeoutSeconds"] = json!(1);
    let (execution, _) = execute(machine(states), Value::Null, slow()).await;
    assert_eq!(execution.output.unwrap()["got"]["was"], json!({"Error": "States.Timeout", "Cause": ""}));
}

#[tokio::test(start_paused = true)]
async fn a_fail_without_error_or_cause_has_none() {
    assert_eq!(failure(json!({"Type": "Fail"}), Value::Null).await, (None, None));
    let named = json!({"Type": "Fail", "Error": "Mine"});
    assert_eq!(failure(named, Value::Null).await, (Some("Mine".to_owned()), None));
}

#[tokio::test(start_paused = true)]
async fn whether_all_errors_cover_an_output_that_is_too_large_can_be_chosen() {
    let states = catching(json!(["States.ALL"]));
    let machine = StateMachine::parse(&machine(states).to_string()).unwrap();
    for (all_covers_data_limit, expected) in [(false, Status::Failed), (true, Status::Succeeded)] {
        let options = crate::Options { all_covers_data_limit, ..Default::default() };
        let script = Script::default().reply("First", 0, Ok(json!("x".repeat(300_000))));
        let tasks = Arc::new(Shared(Arc::new(script)));
        let execution = crate::run_with(&machine, start(Value::Null), tasks, options).await;
        assert_eq!(execution.status, expected);
    }
}
