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
async fn a_task_has_its_time_and_no_more() {
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
async fn an_execution_has_its_time_and_express_five_minutes() {
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
