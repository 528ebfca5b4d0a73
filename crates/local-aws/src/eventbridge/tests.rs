use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn put(store: &EventBridge, entries: &Value) -> Value {
    store.handle("PutEvents", json!({ "Entries": entries }).to_string().as_bytes(), noon()).json_body()
}

#[test]
fn events_are_kept_newest_first_up_to_the_capacity() {
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let store = EventBridge::new(2).with_observer(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    for number in 0..3 {
        let detail = json!({ "number": number }).to_string();
        let answer = put(
            &store,
            &json!([{ "Source": "bedrock.cost-sentry", "DetailType": "Budget Exceeded", "Detail": detail }]),
        );
        assert_eq!(answer["FailedEntryCount"], 0);
    }
    let list = store.list();
    let numbers: Vec<_> =
        list["events"].as_array().unwrap().iter().map(|event| event["detail"]["number"].clone()).collect();
    assert_eq!(numbers, [json!(2), json!(1)]);
    assert_eq!(list["events"][0]["detail-type"], "Budget Exceeded");
    assert_eq!(list["events"][0]["time"], "2026-11-23T12:00:00Z");
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[test]
fn a_bad_entry_fails_alone() {
    let store = EventBridge::new(10);
    let good = json!({ "Source": "s", "DetailType": "t", "Detail": "{}" });
    for (key, value, code) in [
        ("Source", json!(""), "InvalidArgument"),
        ("Source", json!("aws.ec2"), "NotAuthorizedForSourceException"),
        ("DetailType", json!(null), "InvalidArgument"),
        ("Detail", json!("[1]"), "MalformedDetail"),
        ("Detail", json!({}), "InvalidArgument"),
        ("Time", json!("noon"), "InvalidArgument"),
        ("Resources", json!([1]), "InvalidArgument"),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let answer = put(&store, &json!([good, bad]));
        assert_eq!(
            (&answer["FailedEntryCount"], &answer["Entries"][1]["ErrorCode"]),
            (&json!(1), &json!(code))
        );
        assert!(answer["Entries"][0]["EventId"].is_string());
    }
}

#[test]
fn a_bad_request_is_refused_as_a_whole() {
    let store = EventBridge::new(10);
    for body in [&b"{"[..], b"{}", b"{\"Entries\":[]}", br#"{"Entries":[1,1,1,1,1,1,1,1,1,1,1]}"#] {
        assert_eq!(store.put_events(body, noon()).status, 400);
    }
    assert_eq!(store.handle("ListRules", b"{}", noon()).status, 404);
    assert_eq!(store.list(), json!({ "events": [] }));
}
