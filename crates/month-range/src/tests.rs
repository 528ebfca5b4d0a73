use super::*;

#[tokio::test]
async fn the_start_time_decides() {
    let range = handle(json!({"startTime": "2028-02-29T23:59:59.999Z"})).await.unwrap();
    assert_eq!(
        range,
        json!({"period": "2028-02", "start": "2028-02-01T00:00:00Z", "end": "2028-03-01T00:00:00Z", "now": "2028-02-29T23:59:59.999Z"})
    );
}

#[tokio::test]
async fn a_wrong_time_is_a_named_error() {
    for event in [json!({"startTime": "noon"}), json!({"startTime": 5}), json!({}), json!([])] {
        assert_eq!(handle(event).await.unwrap_err().name, ErrorName::InternalError);
    }
}
