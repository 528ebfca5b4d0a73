//! Definitions that cannot be run say where they are wrong.

use super::*;
use crate::substitute;

fn place(definition: &Value) -> String {
    StateMachine::parse(&definition.to_string()).expect_err("a mistake").place
}

#[test]
fn mistakes_are_named_by_their_place() {
    let retry = |more: Value| {
        let mut retrier = json!({"ErrorEquals": ["A"]});
        retrier.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"First": task(json!({"Retry": [retrier]}))})
    };
    let ok = json!({"Type": "Succeed"});
    for (states, expected) in [
        (json!({"Second": ok}), "StartAt"),
        (json!({"First": {"Type": "Pass", "Next": "Nowhere"}}), "First.Next"),
        (json!({"First": {"Type": "Pass"}}), "First.Next"),
        (json!({"First": {"Type": "Pass", "End": true, "Next": "First"}}), "First.Next"),
        (json!({"First": {"Type": "Dance", "End": true}}), "First.Type"),
        (json!({"First": {"Type": "Pass", "End": true, "Otput": 1}}), "First.Otput"),
        (json!({"First": {"Type": "Pass", "End": true, "InputPath": "$"}}), "First.InputPath"),
        (json!({"First": {"Type": "Pass", "End": true, "Output": {"a": "{% 1 + %}"}}}), "First.Output.a"),
        (json!({"First": {"Type": "Pass", "End": true, "Output": "{% 1"}}), "First.Output"),
        (json!({"First": {"Type": "Pass", "End": true, "Assign": {"states": 1}}}), "First.Assign.states"),
        (json!({"First": {"Type": "Pass", "End": true, "Assign": {"a-b": 1}}}), "First.Assign.a-b"),
        (json!({"First": {"Type": "Task", "End": true}}), "First.Resource"),
        (json!({"First": task(json!({"Retry": [{"ErrorEquals": []}]}))}), "First.Retry[0].ErrorEquals"),
        (
            json!({"First": task(json!({"Retry": [{"ErrorEquals": ["A"], "BackoffRate": 0.5}]}))}),
            "First.Retry[0].BackoffRate",
        ),
        (json!({"First": task(json!({"Catch": [{"ErrorEquals": ["A"]}]}))}), "First.Catch[0].Next"),
        (
            json!({"First": task(json!({"Retry": [{"ErrorEquals": ["A", "States.ALL"]}]}))}),
            "First.Retry[0].ErrorEquals",
        ),
        (
            json!({"First": task(json!({"Catch": [
                {"ErrorEquals": ["States.ALL"], "Next": "First"}, {"ErrorEquals": ["A"], "Next": "First"}]}))}),
            "First.Catch[0].ErrorEquals",
        ),
        (json!({"First": ok, "n".repeat(81): ok}), &"n".repeat(81)),
        (json!({"First": ok, "": ok}), ""),
        (json!({"First": {"Type": "Choice", "Choices": []}}), "First.Choices"),
        (json!({"First": {"Type": "Wait", "End": true}}), "First.Seconds"),
        (
            json!({"First": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {}}], "End": true}}),
            "First.Branches[0].StartAt",
        ),
        (json!({"First": {"Type": "Map", "End": true}}), "First.ItemProcessor"),
        (json!({"First": {"Type": "Choice", "Choices": [{"Condition": true, "Next": "First"}]}}), "States"),
        (json!([]), "States"),
        (json!({"First": {"Type": "Wait", "Seconds": -1, "End": true}}), "First.Seconds"),
        (json!({"First": {"Type": "Wait", "Seconds": "5", "End": true}}), "First.Seconds"),
        (json!({"First": {"Type": "Wait", "Seconds": 100_000_000, "End": true}}), "First.Seconds"),
        (json!({"First": task(json!({"TimeoutSeconds": 0}))}), "First.TimeoutSeconds"),
        (json!({"First": task(json!({"HeartbeatSeconds": "1"}))}), "First.HeartbeatSeconds"),
        (retry(json!({"MaxAttempts": 100_000_000})), "First.Retry[0].MaxAttempts"),
        (retry(json!({"MaxAttempts": -1})), "First.Retry[0].MaxAttempts"),
        (retry(json!({"IntervalSeconds": 0})), "First.Retry[0].IntervalSeconds"),
        (retry(json!({"IntervalSeconds": 100_000_000})), "First.Retry[0].IntervalSeconds"),
        (retry(json!({"MaxDelaySeconds": 31_622_401})), "First.Retry[0].MaxDelaySeconds"),
        (retry(json!({"IntervalSeconds": 5, "MaxDelaySeconds": 4})), "First.Retry[0].MaxDelaySeconds"),
        // JSONata 2.0.6, which Step Functions has, does not know them.
        (
            json!({"First": {"Type": "Pass", "Output": "{% $states.input ?? 1 %}", "End": true}}),
            "First.Output",
        ),
        (json!({"First": {"Type": "Pass", "Output": "{% [1].($ ?: 2) %}", "End": true}}), "First.Output"),
    ] {
        assert_eq!(place(&machine(states.clone())), expected, "{states}");
    }
    assert_eq!(place(&json!({"StartAt": "First", "States": {"First": ok}})), "QueryLanguage");
    assert!(StateMachine::parse("{").is_err());
}

#[test]
fn a_name_stands_once_in_a_machine() {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Succeed"}}});
    let both = |left: &str, right: &str| json!({"Type": "Parallel", "Branches": [inner(left), inner(right)], "End": true});
    let map = |name: &str| json!({"Type": "Map", "ItemProcessor": inner(name), "End": true});
    let deep = json!({"StartAt": "Outer", "States": {"Outer": both("A", "First")}});
    for (states, name) in [
        (json!({"First": both("A", "A")}), "A"),
        (json!({"First": both("A", "First")}), "First"),
        (json!({"First": map("First")}), "First"),
        (json!({"First": map("Last"), "Last": {"Type": "Succeed"}}), "Last"),
        (json!({"First": {"Type": "Map", "ItemProcessor": deep, "End": true}}), "First"),
    ] {
        assert_eq!(place(&machine(states.clone())), name, "{states}");
    }
    assert!(StateMachine::parse(&machine(json!({"First": both("A", "B")})).to_string()).is_ok());
    // A JSON reader would keep the last of the two without a word.
    let text = machine(json!({"First": {"Type": "Pass", "Comment": "a \" {", "End": true}})).to_string();
    assert!(StateMachine::parse(&text).is_ok());
    let twice = text.replace(r#""States":{"#, r#""States":{"First" : {"Type":"Succeed"},"#);
    let message = StateMachine::parse(&twice).unwrap_err().message;
    assert!(message.contains(r#"the key "First" stands twice"#), "{message}");
    let escaped = twice.replace(r#""First" :"#, r#""\u0046irst" :"#);
    assert!(StateMachine::parse(&escaped).is_err());
}

#[test]
fn substitutions_are_put_in_and_missing_ones_are_named() {
    let values = BTreeMap::from([("A".to_owned(), "one".to_owned())]);
    assert_eq!(substitute("x ${A} y ${A}", &values).unwrap(), "x one y one");
    assert_eq!(substitute("${B}", &values).unwrap_err().place, "${B}");
    assert!(substitute("${A", &values).is_err());
}

#[test]
fn fields_that_aws_knows_are_accepted() {
    let credentials = task(json!({"Credentials": {"RoleArn": "{% $states.input.role %}"}}));
    let map = json!({"Type": "Map", "ToleratedFailureCount": 2, "ToleratedFailurePercentage": "{% 10 %}", "End": true,
        "ItemProcessor": {"StartAt": "Each", "States": {"Each": {"Type": "Succeed"}}}});
    for state in [credentials, map] {
        assert!(StateMachine::parse(&machine(json!({"First": state})).to_string()).is_ok(), "{state}");
    }
}
