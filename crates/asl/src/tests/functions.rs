//! JSONata itself, and the functions that Step Functions adds.

use super::*;

async fn value(expression: &str, input: Value) -> Value {
    output(json!({"First": {"Type": "Pass", "Output": format!("{{% {expression} %}}"), "End": true}}), input)
        .await
}

async fn fails(expression: &str) {
    let states = json!({"First": {"Type": "Pass", "Output": format!("{{% {expression} %}}"), "End": true}});
    assert_eq!(
        error(states, json!({"a": 1}), Script::default()).await,
        "States.QueryEvaluationError",
        "{expression}"
    );
}

#[tokio::test(start_paused = true)]
async fn step_functions_own_functions() {
    assert_eq!(value("$parse('{\"a\":[1,2]}').a[1]", Value::Null).await, 2);
    assert_eq!(value("$range(1, 9, 2)", Value::Null).await, json!([1, 3, 5, 7, 9]));
    assert_eq!(value("$range(3, 1, -1)", Value::Null).await, json!([3, 2, 1]));
    assert_eq!(value("$range(1, 9, 9)", Value::Null).await, 1, "a lone element stands for itself");
    assert_eq!(value("$partition([1,2,3,4,5], 2)", Value::Null).await, json!([[1, 2], [3, 4], [5]]));
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert_eq!(value("$hash('test', 'SHA-256')", Value::Null).await, digest);
    let uuid = value("$uuid()", Value::Null).await;
    let uuid = uuid.as_str().unwrap();
    assert!(
        uuid.len() == 36 && uuid.as_bytes()[14] == b'4' && "89ab".contains(uuid.chars().nth(19).unwrap()),
        "{uuid}"
    );
    assert_eq!(value("$random(7) = $random(7)", Value::Null).await, true);
    let random = value("$random()", Value::Null).await.as_f64().unwrap();
    assert!((0.0..1.0).contains(&random));
}

#[tokio::test(start_paused = true)]
async fn the_reserved_variable_is_found_in_any_notation() {
    let input = json!({"a": 7});
    for expression in [
        "$states.input.a",
        "$states . input . a",
        "$states\n  .input.a",
        "$states.`input`.a",
        "$lookup($states, 'input').a",
        "/* it's */ $states.input.a",
        "$contains('x', /['\"]/) ? 0 : $states.input.a",
    ] {
        assert_eq!(value(expression, input.clone()).await, 7, "{expression}");
    }
}

#[tokio::test(start_paused = true)]
async fn removed_functions_and_invalid_arguments_fail() {
    for expression in [
        "$eval('1')",
        "$states.input.nothing",
        "$unknown",
        "$sum",
        "$parse('no json')",
        "$parse(5)",
        "$range(1, 5, 0)",
        "$range(1, 5000, 1)",
        "$partition([1], 0)",
        "$hash('a', 'MD4')",
        "1 + 'a'",
        "$error('x')",
    ] {
        fails(expression).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_runaway_expression_is_stopped() {
    fails("( $f := function($n) { $f($n + 1) + 1 }; $f(0) )").await;
    fails("( $f := function($n) { $f($n + 1) }; $f(0) )").await;
}

#[tokio::test(start_paused = true)]
async fn numbers_and_texts_keep_their_form() {
    assert_eq!(
        value(
            "$states.input",
            json!({"n": 1_000_000_000_000_000_i64, "f": 0.5, "u": "\u{1F600} ' \" \\ \n"})
        )
        .await,
        json!({"n": 1_000_000_000_000_000_i64, "f": 0.5, "u": "\u{1F600} ' \" \\ \n"})
    );
    assert_eq!(
        value("{'a': $states.input.missing, 'b': 1}", json!({})).await,
        json!({"b": 1}),
        "what is missing is left out"
    );
    assert_eq!(
        value("$merge([{'a': 1}, {'a': 2, 'b': null}])", Value::Null).await,
        json!({"a": 2, "b": null})
    );
    assert_eq!(
        value("$contains('' & $states.input.id, /(^|[.\\/])meta\\.llama/)", json!({"id": "us.meta.llama3"}))
            .await,
        true
    );
    assert_eq!(value("$contains('' & $states.input.id, /x/)", json!({})).await, false);
}

#[tokio::test(start_paused = true)]
async fn a_search_by_a_pattern_is_what_the_evaluator_makes_of_it() {
    let input = json!({"id": "us.Meta.llama3", "number": 5});
    for (expression, expected) in [
        ("$contains($states.input.id, /(^|[.\\/])meta\\.llama/)", false),
        ("$contains($states.input.id, /(^|[.\\/])meta\\.llama/i)", true),
        ("$contains($states.input.id, /meta/) or true", true),
    ] {
        assert_eq!(value(expression, input.clone()).await, expected, "{expression}");
    }
    fails("$contains($states.input.number, /5/)").await;
    fails("$contains($states.input.nothing, /5/)").await;
}
