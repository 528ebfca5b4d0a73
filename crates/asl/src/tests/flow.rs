//! Data flow, variables, and the states that choose a path.

use super::*;

#[tokio::test(start_paused = true)]
async fn without_output_a_state_gives_its_result_or_its_input() {
    let input = json!({"a": 1});
    assert_eq!(output(json!({"First": {"Type": "Pass", "End": true}}), input.clone()).await, input);
    assert_eq!(output(json!({"First": {"Type": "Succeed"}}), input.clone()).await, input);
    assert_eq!(
        output(json!({"First": {"Type": "Wait", "Seconds": 1, "End": true}}), input.clone()).await,
        input
    );
    assert_eq!(
        output(json!({"First": task(json!({"Arguments": {"b": 2}}))}), input.clone()).await,
        json!({"b": 2})
    );
    assert_eq!(output(json!({"First": task(json!({}))}), input.clone()).await, input);
}

#[tokio::test(start_paused = true)]
async fn any_string_may_be_an_expression_and_the_rest_is_literal() {
    let state = json!({"Type": "Pass", "End": true, "Output": {
        "deep": [{"x": "{% $states.input.a + 1 %}"}], "text": "no {% 1 %} here", "kept": "{% [$states.input.a] %}", "none": null}});
    let expected = json!({"deep": [{"x": 2}], "text": "no {% 1 %} here", "kept": [1], "none": null});
    assert_eq!(output(json!({"First": state}), json!({"a": 1})).await, expected);
}

#[tokio::test(start_paused = true)]
async fn output_sees_the_result_and_the_input() {
    let state = task(
        json!({"Arguments": {"b": 2}, "Output": "{% {'in': $states.input, 'out': $states.result.b} %}"}),
    );
    assert_eq!(output(json!({"First": state}), json!("hello")).await, json!({"in": "hello", "out": 2}));
}

#[tokio::test(start_paused = true)]
async fn what_an_assign_sets_is_visible_from_the_next_state_on() {
    let states = json!({
        "First": {"Type": "Pass", "Assign": {"x": 1, "y": "old"}, "Next": "Second"},
        "Second": {"Type": "Pass", "Assign": {"x": "{% $x + 1 %}", "y": "{% $x %}"}, "Output": "{% $x %}", "Next": "Third"},
        "Third": {"Type": "Succeed", "Output": {"x": "{% $x %}", "y": "{% $y %}", "input": "{% $states.input %}"}}
    });
    assert_eq!(output(states, Value::Null).await, json!({"x": 2, "y": 1, "input": 1}));
}

#[tokio::test(start_paused = true)]
async fn inner_variables_stay_inside_and_inner_states_read_outer_ones() {
    let branch = json!({"StartAt": "Inner", "States": {
        "Inner": {"Type": "Pass", "Assign": {"inner": "{% $outer %}"}, "Next": "Last"},
        "Last": {"Type": "Pass", "Output": "{% $inner %}", "End": true}}});
    let states = json!({
        "First": {"Type": "Pass", "Assign": {"outer": 7}, "Next": "Both"},
        "Both": {"Type": "Parallel", "Branches": [branch], "Next": "After"},
        "After": {"Type": "Pass", "Output": {"results": "{% $states.input %}", "leaked": "{% $exists($inner) %}"}, "End": true}
    });
    assert_eq!(output(states, Value::Null).await, json!({"results": [7], "leaked": false}));
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_applies_decides() {
    let states = json!({
        "First": {"Type": "Choice", "Choices": [
            {"Condition": "{% $states.input.n > 10 %}", "Assign": {"size": "big"}, "Output": "{% $states.input.n * 2 %}", "Next": "End"},
            {"Condition": "{% $states.input.n > 5 %}", "Assign": {"size": "middle"}, "Next": "End"}],
            "Assign": {"size": "small"}, "Output": "defaulted", "Default": "End"},
        "End": {"Type": "Pass", "Output": {"size": "{% $size %}", "input": "{% $states.input %}"}, "End": true}
    });
    for (n, expected) in [
        (20, json!({"size": "big", "input": 40})),
        (7, json!({"size": "middle", "input": {"n": 7}})),
        (1, json!({"size": "small", "input": "defaulted"})),
    ] {
        assert_eq!(output(states.clone(), json!({"n": n})).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_choice_without_a_match_and_a_condition_that_is_no_boolean_fail_by_name() {
    let choice = |condition: &str| json!({"First": {"Type": "Choice", "Choices": [{"Condition": condition, "Next": "End"}]}, "End": {"Type": "Succeed"}});
    assert_eq!(error(choice("{% false %}"), Value::Null, Script::default()).await, "States.NoChoiceMatched");
    for condition in ["{% 'yes' %}", "{% 1 %}", "{% $states.input.nothing %}", "{% $nope %}"] {
        assert_eq!(
            error(choice(condition), json!({}), Script::default()).await,
            "States.QueryEvaluationError",
            "{condition}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_takes_its_seconds_or_until_its_timestamp() {
    let until = |wait: Value| json!({"First": wait});
    for (wait, seconds) in [
        (json!({"Type": "Wait", "Seconds": "{% $states.input.s %}", "End": true}), 5),
        (json!({"Type": "Wait", "Timestamp": "2026-11-23T12:00:30Z", "End": true}), 30),
        (json!({"Type": "Wait", "Timestamp": "2020-01-01T00:00:00Z", "End": true}), 0),
    ] {
        let (execution, _) = execute(machine(until(wait)), json!({"s": 5}), Script::default()).await;
        assert_eq!(execution.duration.as_secs(), seconds);
    }
    let bad = json!({"Type": "Wait", "Seconds": "{% 'soon' %}", "End": true});
    assert_eq!(error(until(bad), json!({}), Script::default()).await, "States.QueryEvaluationError");
}

#[tokio::test(start_paused = true)]
async fn branches_run_side_by_side_and_their_results_keep_their_order() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({"Arguments": name}))}});
    let states =
        json!({"First": {"Type": "Parallel", "Branches": [branch("Slow"), branch("Fast")], "End": true}});
    let script = Script::default().reply("Slow", 20, Ok(json!("s"))).reply("Fast", 1, Ok(json!("f")));
    let (execution, script) = execute(machine(states), Value::Null, script).await;
    assert_eq!(
        (execution.output.unwrap(), execution.duration.as_secs(), script.most_at_once()),
        (json!(["s", "f"]), 20, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_branch_ends_the_others_and_gives_its_error() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let states =
        json!({"First": {"Type": "Parallel", "Branches": [branch("Slow"), branch("Bad")], "End": true}});
    let script = Script::default().reply("Slow", 200, Ok(Value::Null)).reply(
        "Bad",
        1,
        Err(TaskError::new("Custom", "why")),
    );
    let (execution, _) = execute(machine(states), Value::Null, script).await;
    assert_eq!(
        (execution.error.as_deref(), execution.cause.as_deref(), execution.duration.as_secs()),
        (Some("Custom"), Some("why"), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_map_iterates_in_order_with_at_most_so_many_at_once() {
    let map = |more: Value| {
        let mut state = json!({"Type": "Map", "Items": "{% $states.input.list %}", "End": true,
            "ItemProcessor": {"StartAt": "Each", "States": {"Each": task(json!({}))}}});
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"First": state})
    };
    let input = json!({"list": [1, 2, 3, 4]});
    assert_eq!(output(map(json!({})), input.clone()).await, json!([1, 2, 3, 4]));
    let selector = json!({"ItemSelector": {"i": "{% $states.context.Map.Item.Index %}", "v": "{% $states.context.Map.Item.Value * 10 %}"}});
    let selected = output(map(selector), input.clone()).await;
    assert_eq!(selected[3], json!({"i": 3, "v": 40}));
    for (concurrency, seconds, most) in [(json!(1), 4, 1), (json!("{% 2 %}"), 2, 2), (json!(0), 1, 4)] {
        let script = Script::default().reply("Each", 1, Ok(json!("done")));
        let (execution, script) =
            execute(machine(map(json!({"MaxConcurrency": concurrency}))), input.clone(), script).await;
        assert_eq!((execution.duration.as_secs(), script.most_at_once()), (seconds, most));
    }
    // A slow iteration does not delay the others, and results keep the order of the items.
    let mut slow = Script::default();
    for (result, seconds) in [("a", 3), ("b", 1), ("c", 1), ("d", 1)] {
        slow = slow.reply("Each", seconds, Ok(json!(result)));
    }
    let (execution, _) = execute(machine(map(json!({"MaxConcurrency": 2}))), input.clone(), slow).await;
    assert_eq!((execution.duration.as_secs(), execution.output), (3, Some(json!(["a", "b", "c", "d"]))));
    let of = |items: Value| map(json!({"Items": items}));
    assert_eq!(
        error(of(json!("{% {'a': 1} %}")), Value::Null, Script::default()).await,
        "States.QueryEvaluationError"
    );
    assert_eq!(output(of(json!([])), Value::Null).await, json!([]));
    assert_eq!(
        error(of(json!("{% 5 %}")), Value::Null, Script::default()).await,
        "States.QueryEvaluationError"
    );
}

#[tokio::test(start_paused = true)]
async fn the_context_names_execution_state_machine_and_state() {
    let states = json!({
        "First": {"Type": "Wait", "Seconds": 2, "Next": "Last"},
        "Last": {"Type": "Pass", "Output": "{% $states.context %}", "End": true}
    });
    let expected = json!({
        "Execution": {"Id": "arn:execution", "Input": {"a": 1}, "Name": "run-1", "RoleArn": "arn:role", "StartTime": "2026-11-23T12:00:00.000Z"},
        "StateMachine": {"Id": "arn:machine", "Name": "machine"},
        "State": {"Name": "Last", "EnteredTime": "2026-11-23T12:00:02.001Z"}
    });
    let mut actual = output(states, json!({"a": 1})).await;
    let entered = actual["State"]["EnteredTime"].as_str().unwrap().to_owned();
    assert!(entered.starts_with("2026-11-23T12:00:02."), "{entered}");
    actual["State"]["EnteredTime"] = expected["State"]["EnteredTime"].clone();
    assert_eq!(actual, expected);
}

#[tokio::test(start_paused = true)]
async fn the_history_has_the_events_of_step_functions_in_order() {
    let states = json!({
        "First": {"Type": "Choice", "Choices": [{"Condition": true, "Next": "Call"}]},
        "Call": {"Type": "Task", "Resource": "arn:task", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}], "Next": "Done"},
        "Done": {"Type": "Succeed"}
    });
    let kinds =
        |execution: &Execution| execution.history.iter().map(|event| event.kind.clone()).collect::<Vec<_>>();
    let (execution, _) = execute(machine(states.clone()), Value::Null, Script::default()).await;
    assert_eq!(
        kinds(&execution),
        [
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert!(execution.history.iter().enumerate().all(|(index, event)| event.id == index as u64 + 1));
    let (execution, _) =
        execute(machine(states), Value::Null, Script::default().fails("Call", "Custom")).await;
    assert_eq!(kinds(&execution)[4..8], ["TaskScheduled", "TaskStarted", "TaskFailed", "TaskStateExited"]);
    let secret = json!("a prompt");
    let (execution, _) = execute(machine(json!({"First": task(json!({}))})), secret, Script::default()).await;
    assert!(
        !format!("{:?}", execution.history).contains("a prompt"),
        "data does not belong into the history"
    );
}

#[tokio::test(start_paused = true)]
async fn the_history_tells_how_each_iteration_of_a_map_ended() {
    let states = json!({"First": {"Type": "Map", "Items": [0, 1, 2, 3, 4], "MaxConcurrency": 3, "End": true,
        "ItemProcessor": {"StartAt": "Each", "States": {"Each": task(json!({}))}}}});
    let of_the_map = |execution: &Execution| {
        let events = execution.history.iter().filter(|event| event.state.as_deref() == Some("First"));
        let shown = events.map(|event| match event.details.get("index") {
            Some(index) => format!("{} {index}", event.kind.trim_start_matches("MapIteration")),
            None => event.kind.clone(),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let (execution, _) = execute(machine(states.clone()), Value::Null, Script::default()).await;
    assert_eq!(
        of_the_map(&execution),
        "MapStateEntered, MapStateStarted, Started 0, Started 1, Started 2, Succeeded 0, Started 3, \
         Succeeded 1, Started 4, Succeeded 2, Succeeded 3, Succeeded 4, MapStateSucceeded, MapStateExited"
    );
    let script = [(9, Ok(json!(0))), (1, Ok(json!(1))), (2, Err(TaskError::new("Custom", "why")))];
    let script = script
        .into_iter()
        .fold(Script::default(), |script, (seconds, reply)| script.reply("Each", seconds, reply));
    let (execution, _) = execute(machine(states), Value::Null, script).await;
    assert_eq!(
        of_the_map(&execution),
        "MapStateEntered, MapStateStarted, Started 0, Started 1, Started 2, Succeeded 1, Started 3, \
         Aborted 0, Aborted 3, Failed 2, MapStateFailed"
    );
}

#[tokio::test(start_paused = true)]
async fn only_states_that_can_be_retried_have_a_count_of_retries() {
    let states = json!({"First": task(json!({"Arguments": "{% $states.context.State.RetryCount %}",
        "Retry": [{"ErrorEquals": ["Busy"]}]}))});
    let (_, script) = execute(machine(states), Value::Null, Script::default().fails("First", "Busy")).await;
    let counts: Vec<Value> = script.calls.lock().unwrap().iter().map(|call| call.arguments.clone()).collect();
    assert_eq!(counts, [json!(0), json!(1), json!(2), json!(3)]);
}

fn kinds(execution: &Execution) -> Vec<&str> {
    execution.history.iter().map(|event| event.kind.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_parallel_that_succeeds_aborts_nothing() {
    let branch = json!({"StartAt": "Inner", "States": {"Inner": task(json!({}))}});
    let states = json!({"First": {"Type": "Parallel", "Branches": [branch], "End": true}});
    let (execution, _) = execute(machine(states), Value::Null, Script::default()).await;
    assert_eq!(
        kinds(&execution),
        [
            "ExecutionStarted",
            "ParallelStateEntered",
            "ParallelStateStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ParallelStateSucceeded",
            "ParallelStateExited",
            "ExecutionSucceeded"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_parallel_that_fails_says_so_once_and_what_it_cut_is_aborted() {
    let branch = |name: &str, state: Value| json!({"StartAt": name, "States": {name: state}});
    let wait = json!({"Type": "Wait", "Seconds": 100, "End": true});
    let parallel = json!({"Type": "Parallel", "End": true, "Retry": [{"ErrorEquals": ["Bad"], "MaxAttempts": 1}],
        "Branches": [branch("Slow", wait), branch("Fails", task(json!({})))]});
    let (execution, _) =
        execute(machine(json!({"First": parallel})), Value::Null, Script::default().fails("Fails", "Bad"))
            .await;
    let attempt = [
        "ParallelStateStarted",
        "WaitStateEntered",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskStateAborted",
        "WaitStateAborted",
    ];
    let (first, second) = (attempt, attempt);
    let mut expected = vec!["ExecutionStarted", "ParallelStateEntered"];
    expected.extend(first.into_iter().chain(second));
    expected.extend(["ParallelStateFailed", "ExecutionFailed"]);
    assert_eq!(kinds(&execution), expected);
}

#[tokio::test(start_paused = true)]
async fn an_iteration_that_fails_aborts_the_others_and_the_states_that_they_are_in() {
    let states = json!({
        "Route": {"Type": "Choice", "Default": "Long",
            "Choices": [{"Condition": "{% $states.input = 'fail' %}", "Next": "Pause"}]},
        "Long": {"Type": "Wait", "Seconds": 15, "End": true},
        "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Boom"},
        "Boom": {"Type": "Fail", "Error": "Boom", "Cause": "a sibling failed"}});
    let map = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "Route", "States": states}});
    let (execution, _) =
        execute(machine(json!({"First": map})), json!(["long", "fail"]), Script::default()).await;
    let after = kinds(&execution);
    let failed = after.iter().position(|kind| *kind == "FailStateEntered").unwrap();
    assert_eq!(
        after[failed + 1..],
        [
            "MapIterationAborted",
            "WaitStateAborted",
            "MapIterationFailed",
            "MapStateFailed",
            "ExecutionFailed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_execution_aborts_nothing_in_its_history() {
    let wait = json!({"StartAt": "Slow", "States": {"Slow": {"Type": "Wait", "Seconds": 900, "End": true}}});
    let states = json!({"First": {"Type": "Parallel", "Branches": [wait], "End": true}});
    let (execution, _) = execute(machine(states), Value::Null, Script::default()).await;
    assert_eq!(kinds(&execution)[3..], ["WaitStateEntered", "ExecutionTimedOut"]);
}
