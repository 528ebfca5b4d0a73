use proptest::prelude::*;
use serde_json::{Value, json};

use crate::parse_body;

#[test]
fn a_body_is_one_object_without_doubles() {
    for (body, words) in [
        ("", "empty"),
        ("{\"a\":", "cut off"),
        ("[]", "must be a JSON object"),
        ("{} {}", "something after"),
        ("{\"tenant\": 1, \"tenant\": 2}", "\"tenant\" stands twice"),
        ("{\"a\": [{\"b\": 1, \"b\": 2}]}", "\"b\" stands twice"),
        ("{\"a\": 'x'}", "no valid JSON"),
        ("{\"a\": \"\\ud800\"}", "no valid JSON"),
    ] {
        let error = parse_body(body.as_bytes()).unwrap_err();
        assert!(error.contains(words) && error.ends_with('.'), "{body}: {error}");
    }
    assert!(parse_body(b"\xff{}").unwrap_err().contains("UTF-8"));
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(parse_body(deep.as_bytes()).unwrap_err().contains("recursion limit"));
    // The same name in two objects is no double.
    assert!(parse_body(b"{\"a\": {\"b\": 1}, \"c\": {\"b\": 2}}").is_ok());
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(text in "\\PC{0,40}", control in "[\\x00-\\x1f]{0,5}", number in any::<i64>(), float in any::<i32>().prop_map(|n| f64::from(n) / 8.0)) {
        let document = json!({ "text": text, control.clone(): number, "list": [null, true, float, control], "\u{2028}'": {} });
        let read = parse_body(document.to_string().as_bytes()).unwrap();
        prop_assert_eq!(Value::Object(read), document);
    }
}
