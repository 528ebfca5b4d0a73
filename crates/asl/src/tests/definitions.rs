//! Definitions that cannot be run say where they are wrong.

use super::*;
use crate::substitute;

fn place(definition: &Value) -> String {
    StateMachine::parse(&definition.to_string()).expect_err("a mistake").place
}

#[test]
fn mistakes_are_named_by_their_place() {
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
        (json!({"First": {"Type": "Choice", "Choices": []}}), "First.Choices"),
        (json!({"First": {"Type": "Wait", "End": true}}), "First.Seconds"),
        (
            json!({"First": {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {}}], "End": true}}),
            "First.Branches[0].StartAt",
        ),
        (json!({"First": {"Type": "Map", "End": true}}), "First.ItemProcessor"),
        (json!({"First": {"Type": "Choice", "Choices": [{"Condition": true, "Next": "First"}]}}), "States"),
        (json!([]), "States"),
    ] {
        assert_eq!(place(&machine(states.clone())), expected, "{states}");
    }
    assert_eq!(place(&json!({"StartAt": "First", "States": {"First": ok}})), "QueryLanguage");
    assert!(StateMachine::parse("{").is_err());
}

#[test]
fn substitutions_are_put_in_and_missing_ones_are_named() {
    let values = BTreeMap::from([("A".to_owned(), "one".to_owned())]);
    assert_eq!(substitute("x ${A} y ${A}", &values).unwrap(), "x one y one");
    assert_eq!(substitute("${B}", &values).unwrap_err().place, "${B}");
    assert!(substitute("${A", &values).is_err());
}
