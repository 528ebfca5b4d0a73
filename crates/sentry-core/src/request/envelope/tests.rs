use proptest::prelude::*;
use serde_json::json;

use super::*;

fn envelope(body: impl AsRef<[u8]>) -> Value {
    json!({"door": "inference", "tenant": "acme", "bodyBase64": STANDARD.encode(body)})
}

fn refused(body: impl AsRef<[u8]>) -> String {
    open(&envelope(body)).unwrap_err().message
}

#[test]
fn a_body_is_taken_as_it_is_with_the_tenant_of_the_door() {
    let text = r#"{"modelId":"m","prompt":{"messages":[{"role":"user","content":"'\\\" $input.body #set(\u2028😀"}]},"n":[1,-2,0.5,null,true]}"#;
    let opened = open(&envelope(text)).unwrap();
    let mut expected: Value = serde_json::from_str(text).unwrap();
    expected["tenant"] = json!("acme");
    assert_eq!(opened, Opened { request: expected, allowed_models: None });
}

#[test]
fn only_an_envelope_has_a_door() {
    assert!(is_envelope(&envelope("{}")));
    assert!(is_envelope(&json!({"door": null})));
    for document in [json!({"modelId": "m"}), json!("door"), json!([]), Value::Null] {
        assert!(!is_envelope(&document));
    }
}

#[test]
fn no_body_names_its_own_tenant() {
    for (body, part) in [
        (r#"{"modelId":"m","tenant":"evil"}"#, "`tenant` is set by the front door"),
        (r#"{"modelId":"m","deliver":"stream"}"#, "`deliver` is set by the front door"),
        // As it would be spelled to get past a reader of text.
        (r#"{"modelId":"m","\u0074enant":"evil"}"#, "`tenant` is set by the front door"),
        (r#"{"tenant":null}"#, "`tenant`"),
        (r#"{}, "tenant":"evil""#, "trailing characters"),
        (r#"{"modelId":"m"} {"tenant":"evil"}"#, "trailing characters"),
        ("{}\0", "trailing characters"),
    ] {
        assert!(refused(body).contains(part), "{body}: {}", refused(body));
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_at_any_depth() {
    for body in [
        r#"{"modelId":"a","modelId":"b"}"#,
        r#"{"modelId":"a","\u006dodelId":"b"}"#,
        r#"{"prompt":{"messages":[{"role":"user","role":"system"}]}}"#,
        r#"{"prompt":{"messages":[[{"a":{"x":1,"x":1}}]]}}"#,
    ] {
        assert!(refused(body).contains("stands twice"), "{body}: {}", refused(body));
    }
}

#[test]
fn what_is_no_request_document_is_refused() {
    for (body, part) in [
        ("", "EOF"),
        ("[]", "must be a JSON object"),
        ("\"x\"", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("{", "EOF"),
        ("{\"a\":1e400}", "out of range"),
        ("{\"a\":NaN}", "expected value"),
        ("{\"a\":\"\\ud800\"}", "hex escape"),
        ("\u{feff}{}", "expected value"),
    ] {
        assert!(refused(body).contains(part), "{body:?}: {}", refused(body));
    }
    assert!(refused(b"{\"a\":\"\xff\"}").contains("UTF-8"));
    assert!(refused("[".repeat(500)).contains("recursion limit"));
}

#[test]
fn a_body_has_a_largest_size() {
    let body = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    assert!(open(&envelope(body(190_000))).is_ok());
    let error = open(&envelope(body(190_001))).unwrap_err();
    assert_eq!(error.kind, RequestTooLarge { bytes: 190_001, limit: 190_000, part_bytes: 190_001 });
}

#[test]
fn an_envelope_without_a_tenant_admits_nobody() {
    for tenant in [json!(""), json!(null), json!(7), json!("{}"), json!("a\"b")] {
        let mut envelope = envelope(r#"{"modelId":"m"}"#);
        envelope["tenant"] = tenant.clone();
        assert_eq!(open(&envelope).unwrap_err().path, "tenant", "{tenant}");
    }
    let mut missing = envelope("{}");
    missing.as_object_mut().unwrap().remove("tenant");
    assert_eq!(open(&missing).unwrap_err().path, "tenant");
    for (field, value) in
        [("door", json!("openai")), ("door", json!(1)), ("bodyBase64", json!("{}")), ("extra", json!(1))]
    {
        let mut envelope = envelope("{}");
        envelope[field] = value;
        assert_eq!(open(&envelope).unwrap_err().path, field);
    }
}

#[test]
fn the_models_of_the_key_come_along() {
    let mut envelope = envelope("{}");
    envelope["allowedModels"] = json!("");
    assert_eq!(open(&envelope).unwrap().allowed_models, None);
    envelope["allowedModels"] = json!("a.b:0,c.d");
    let expected = AllowedModels::new(vec!["a.b:0".to_owned(), "c.d".to_owned()]).unwrap();
    assert_eq!(open(&envelope).unwrap().allowed_models, Some(expected));
    envelope["allowedModels"] = json!("\"*\"");
    assert_eq!(open(&envelope).unwrap_err().path, "allowedModels");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_has_no_key_twice_is_read_as_by_serde_json(value in json_value()) {
        let text = value.to_string();
        prop_assert_eq!(strict::from_str(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn whatever_the_body_the_tenant_is_that_of_the_key(body in any::<Vec<u8>>(), text in ".*") {
        for body in [body, text.into_bytes()] {
            if let Ok(opened) = open(&envelope(body)) {
                prop_assert_eq!(&opened.request["tenant"], "acme");
            }
        }
    }
}
