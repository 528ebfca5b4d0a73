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
