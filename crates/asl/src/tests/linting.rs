//! The lint: a sound machine has no findings, and each mistake has its rule.

use super::*;
use crate::{LintOptions, lint};

fn sound() -> Value {
    json!({"Comment": "x", "QueryLanguage": "JSONata", "TimeoutSeconds": 60, "StartAt": "Call", "States": {
        "Call": {"Type": "Task", "Comment": "x", "Resource": "${A}", "TimeoutSeconds": 5, "Assign": {"got": "{% $states.result %}"},
            "Retry": [{"ErrorEquals": ["Lambda.ServiceException"], "MaxDelaySeconds": 3, "JitterStrategy": "FULL"}],
            "Catch": [{"ErrorEquals": ["Mine"], "Assign": {"got": 1}, "Next": "Done"},
                      {"ErrorEquals": ["States.ALL"], "Assign": {"got": 2}, "Next": "Done"}], "Next": "Done"},
        "Done": {"Type": "Succeed", "Comment": "x", "Output": "{% $map([$got], function($v) { $v }) %}"}
    }})
}

fn rules(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut definition = sound();
    change(&mut definition);
    let options = LintOptions {
        known_errors: ["Mine".to_owned()].into(),
        substitutions: Some(["A".to_owned()].into()),
    };
    lint(&definition.to_string(), &options).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_mistake_has_its_rule() {
    assert_eq!(rules(|_| {}), Vec::<&str>::new());
    let call = |definition: &mut Value, field: &str| {
        definition["States"]["Call"].as_object_mut().unwrap().remove(field);
    };
    assert_eq!(rules(|d| call(d, "Comment")), ["comment"]);
    assert_eq!(rules(|d| call(d, "TimeoutSeconds")), ["timeout"]);
    assert_eq!(rules(|d| call(d, "Retry")), ["retry"]);
    assert_eq!(rules(|d| call(d, "Catch")), ["catch"]);
    assert_eq!(rules(|d| call(d, "Assign")), ["variable"], "one path does not assign it");
    assert_eq!(rules(|d| d["States"]["Call"]["Retry"][0]["JitterStrategy"] = json!("NONE")), ["retry"]);
    assert_eq!(rules(|d| d["States"]["Call"]["Catch"][0]["ErrorEquals"] = json!(["Yours"])), ["error"]);
    assert_eq!(rules(|d| d["States"]["Call"]["Resource"] = json!("${B}")), ["substitution", "substitution"]);
    assert_eq!(rules(|d| d["States"]["lonely"] = json!({"Type": "Succeed", "Comment": "x"})), ["reachable"]);
    assert_eq!(rules(|d| d["States"]["Call"]["Next"] = json!("Nowhere")), ["definition"]);
    assert_eq!(rules(|d| d["TimeoutSeconds"] = Value::Null), ["definition"]);
    let choice = json!({"Type": "Choice", "Comment": "x", "Assign": {"got": 1},
        "Choices": [{"Condition": true, "Assign": {"got": 2}, "Next": "Done"}], "Default": "Done"});
    assert_eq!(rules(|d| d["States"]["Call"] = choice), ["substitution", "choice"]);
}

#[test]
fn no_variable_has_the_name_of_a_function() {
    for name in ["range", "hash", "parse", "uuid", "random", "partition", "sum", "now"] {
        assert_eq!(rules(|d| d["States"]["Call"]["Assign"][name] = json!(1)), ["function-name"], "{name}");
        assert_eq!(rules(|d| d["States"]["Call"]["Catch"][0]["Assign"][name] = json!(1)), ["function-name"]);
    }
    assert_eq!(rules(|d| d["States"]["Call"]["Assign"]["ranges"] = json!(1)), Vec::<&str>::new());
}

#[test]
fn inner_states_assign_only_their_own_variables() {
    let branch = |name: &str, variable: &str| {
        json!({"StartAt": name, "States": {
        name: {"Type": "Pass", "Comment": "x", "Assign": {variable: 1}, "End": true}}})
    };
    let machine = |left: &str, right: &str, read: &str| {
        json!({"Comment": "x", "QueryLanguage": "JSONata", "TimeoutSeconds": 60, "StartAt": "Both", "States": {
            "Both": {"Type": "Parallel", "Comment": "x", "Branches": [branch("A", left), {"StartAt": "B", "States": {
                "B": {"Type": "Map", "Comment": "x", "End": true, "ItemProcessor": branch("C", right)}}}],
                "Assign": {"all": "{% $states.result %}"}, "Next": "Last"},
            "Last": {"Type": "Pass", "Comment": "x", "Assign": {"late": read}, "End": true}}})
    };
    let found = |definition: Value| -> Vec<String> {
        let findings = lint(&definition.to_string(), &LintOptions::default());
        findings.into_iter().map(|finding| format!("{} {}", finding.rule, finding.state)).collect()
    };
    assert_eq!(found(machine("own", "own", "{% $all %}")), Vec::<String>::new());
    assert_eq!(found(machine("all", "own", "x")), ["scope Both.Branches[0].A"]);
    assert_eq!(found(machine("own", "late", "x")), ["scope Both.Branches[1].B.ItemProcessor.C"]);
    assert_eq!(found(machine("own", "other", "{% $own %}")), ["variable Last"], "it stays inside");
}

#[test]
fn a_resource_is_an_arn_that_express_workflows_have() {
    let rules = |resource: &str| rules(|d| d["States"]["Call"]["Resource"] = json!(resource));
    for resource in ["arn:aws:states:::lambda:invoke", "arn:aws:states:::aws-sdk:sfn:startSyncExecution"] {
        assert_eq!(rules(resource), ["substitution"], "{resource}");
    }
    for resource in [
        "lambda:invoke",
        "arn:aws:states",
        "arn:aws:states:::ecs:runTask.sync",
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:us-east-1:123456789012:activity:work",
    ] {
        assert_eq!(rules(resource), ["substitution", "resource"], "{resource}");
    }
}

#[test]
fn a_part_of_states_is_read_only_where_it_is() {
    let result = json!("{% $states.result %}");
    let error = json!("{% $states.errorOutput.Error %}");
    assert_eq!(rules(|d| d["States"]["Call"]["Output"] = result.clone()), Vec::<&str>::new());
    assert_eq!(rules(|d| d["States"]["Call"]["Catch"][0]["Output"] = error.clone()), Vec::<&str>::new());
    for (place, value) in [("/States/Call/Catch/0/Assign/got", &result), ("/States/Done/Output", &result)] {
        let found = rules(|d| *d.pointer_mut(place).unwrap() = value.clone());
        assert!(found.contains(&"states"), "{place}: {found:?}");
    }
    assert_eq!(rules(|d| d["States"]["Call"]["Arguments"] = result.clone()), ["states"]);
    assert_eq!(rules(|d| d["States"]["Call"]["Output"] = error.clone()), ["states"]);
}
