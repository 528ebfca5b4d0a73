//! No definition and no input makes the engine panic.

use proptest::prelude::*;

use super::*;
use crate::{LintOptions, lint};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        "\\{% .{0,16} %\\}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(field(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 19] = [
        "Type",
        "Next",
        "End",
        "States",
        "StartAt",
        "Choices",
        "Condition",
        "Retry",
        "Catch",
        "ErrorEquals",
        "Assign",
        "Output",
        "Arguments",
        "Branches",
        "ItemProcessor",
        "Seconds",
        "Resource",
        "QueryLanguage",
        "First",
    ];
    prop_oneof![3 => proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned), 1 => "[a-zA-Z]{0,6}"]
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

/// White space and comments between the tokens of an expression.
fn spacing() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&["", " ", "\n\t", "/* ' */", "/* \" $states */", " /* /x */ "][..])
}

/// Tokens of expressions in a random order.
fn tokens() -> impl Strategy<Value = String> {
    const TOKENS: [&str; 40] = [
        "$states", "$kept", "$", "$$", "$sum", "$string", "$lookup", ".", "input", "`it's`", "'a'", "\"$b\"",
        "/['\"]/", "/", "*", "**", "%", "(", ")", "[", "]", "{", "}", ":", ":=", ";", ",", "?", "&", "+",
        "-", "=", "~>", "^(", "and", "in", "function", "1", "@$v", "#$i",
    ];
    let token = (proptest::sample::select(&TOKENS[..]), spacing());
    proptest::collection::vec(token, 1..10)
        .prop_map(|tokens| tokens.into_iter().flat_map(|(token, space)| [token, space]).collect())
}

proptest! {
    #[test]
    fn any_expression_on_any_data_ends(source in tokens(), data in any_json()) {
        let expression = format!("{{% {source} %}}");
        let branch = |name: &str| json!({"StartAt": name, "States": {
            name: {"Type": "Pass", "Output": expression, "End": true}}});
        let definition = machine(json!({
            "First": {"Type": "Pass", "Assign": {"kept": "{% $states.input %}"}, "Next": "Choose"},
            "Choose": {"Type": "Choice", "Default": "Both", "Choices": [
                {"Condition": format!("{{% $exists(({source})) %}}"), "Next": "Both"}]},
            "Both": {"Type": "Parallel", "Branches": [branch("Left"), branch("Right")], "Next": "Last",
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Last"}]},
            "Last": {"Type": "Succeed"}
        })).to_string();
        let _ = lint(&definition, &LintOptions::default());
        if let Ok(machine) = StateMachine::parse(&definition) {
            let tasks = Arc::new(Shared(Arc::default()));
            let execution = block_on(run(&machine, start(data), tasks));
            prop_assert!(execution.output.is_some() || execution.error.is_some());
        }
    }

    #[test]
    fn data_passes_choices_and_branches_whatever_the_writing(data in any_json(), space in spacing(), other in spacing()) {
        let input = format!("$states{space}.{other}input{space}");
        let read = format!(
            "{{% ($quote := /['\"]/{space};{other}$contains('a',{space}$quote) ? 0 : $string({input})) %}}"
        );
        let branch = |name: &str| json!({"StartAt": name, "States": {
            name: {"Type": "Pass", "Output": read, "End": true}}});
        let states = json!({
            "First": {"Type": "Choice", "Default": "Last", "Choices": [
                {"Condition": format!("{{%{space}$exists({input}){other}%}}"), "Next": "Both"}]},
            "Both": {"Type": "Parallel", "Branches": [branch("Left"), branch("Right")], "End": true},
            "Last": {"Type": "Succeed"}
        });
        let (execution, _) = block_on(execute(machine(states), json!({"data": data}), Script::default()));
        let output = execution.output.unwrap_or_else(|| panic!("{:?}", execution.cause));
        let text = output[0].as_str().expect("a text").to_owned();
        prop_assert_eq!(&output[0], &output[1]);
        let back: Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(normal(&back), normal(&json!({"data": data})));
    }

    #[test]
    fn any_definition_is_read_or_refused(document in any_json(), state in any_json()) {
        let nested = machine(json!({"First": state}));
        for definition in [document, nested] {
            let text = definition.to_string();
            let parsed = StateMachine::parse(&text).is_ok();
            let findings = lint(&text, &LintOptions::default());
            prop_assert!(parsed || findings.iter().any(|finding| finding.rule == "definition"));
        }
    }

    #[test]
    fn any_input_comes_out_as_it_went_in(input in any_json()) {
        let states = json!({
            "First": {"Type": "Pass", "Assign": {"kept": "{% $string($states.input) %}"}, "Next": "Last"},
            "Last": {"Type": "Pass", "Output": "{% {'value': $parse($kept)} %}", "End": true}
        });
        let wrapped = json!({"input": input});
        let (execution, _) = block_on(execute(machine(states), wrapped.clone(), Script::default()));
        let actual = execution.output.expect("an output");
        prop_assert_eq!(normal(&actual["value"]), normal(&wrapped));
    }
}

/// JSON as JSONata sees it: every number is a double, and zero has no sign.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(format!("{:.10e}", number.as_f64().unwrap() + 0.0)),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), normal(value))).collect())
        }
        other => other.clone(),
    }
}
