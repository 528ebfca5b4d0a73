use super::*;

mod sdk;

use crate::bedrock::usage::TokenUsage;

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn service(lag: i64, faults: &[&str]) -> CloudWatch {
    let config = CloudWatchConfig { lag: TimeDelta::seconds(lag), ..CloudWatchConfig::default() };
    CloudWatch::new(config, Arc::new(Faults::parse(faults, 1).unwrap()))
}

fn spend(watch: &CloudWatch, model: &str, time: &str, input: u64, output: u64) {
    watch.record(&UsageEvent {
        model_id: model.into(),
        at: at(time),
        outcome: CallOutcome::Success,
        usage: Some(TokenUsage { input, output, ..TokenUsage::default() }),
        latency_ms: 5,
    });
}

fn query(id: &str, name: &str, model: &str, period: i64) -> Value {
    json!({ "Id": id, "MetricStat": {
        "Metric": { "Namespace": "AWS/Bedrock", "MetricName": name, "Dimensions": [{ "Name": "ModelId", "Value": model }] },
        "Period": period, "Stat": "Sum",
    } })
}

fn ask(start: &str, end: &str, queries: &[Value]) -> Value {
    json!({ "StartTime": start, "EndTime": end, "MetricDataQueries": queries, "ScanBy": "TimestampAscending" })
}

fn get(watch: &CloudWatch, request: &Value, now: &str) -> Value {
    let reply = watch.handle_json("GetMetricData", request.to_string().as_bytes(), at(now));
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json_body()
}

fn refusal(watch: &CloudWatch, request: &Value) -> String {
    let reply =
        watch.handle_json("GetMetricData", request.to_string().as_bytes(), at("2026-11-23T12:00:00Z"));
    assert_eq!(reply.status, 400, "{request}");
    reply.json_body()["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_value_is_seen_after_the_lag_and_not_before() {
    let watch = service(60, &[]);
    spend(&watch, "m", "2026-11-23T12:00:10Z", 5, 7);
    spend(&watch, "m", "2026-11-23T12:00:50Z", 6, 8);
    let request =
        ask("2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z", &[query("i", "InputTokenCount", "m", 60)]);
    let values = |now| get(&watch, &request, now)["MetricDataResults"][0]["Values"].clone();
    assert_eq!(values("2026-11-23T12:01:09.900Z"), json!([]));
    assert_eq!(values("2026-11-23T12:01:10Z"), json!([5.0]));
    assert_eq!(values("2026-11-23T12:01:50Z"), json!([11.0]));
}

#[test]
fn a_datapoint_carries_its_whole_period_and_the_end_is_exclusive() {
    let watch = service(0, &[]);
    spend(&watch, "m", "2026-11-22T23:59:59Z", 1, 0);
    spend(&watch, "m", "2026-11-23T00:00:00Z", 2, 0);
    spend(&watch, "m", "2026-11-23T23:00:00Z", 4, 0);
    let now = "2026-11-24T01:00:00Z";
    let points = |start, end, period| {
        let answer = get(&watch, &ask(start, end, &[query("i", "InputTokenCount", "m", period)]), now);
        let result = &answer["MetricDataResults"][0];
        assert_eq!(result["StatusCode"], "Complete");
        (result["Timestamps"].clone(), result["Values"].clone())
    };
    let day = at("2026-11-23T00:00:00Z").timestamp();
    assert_eq!(
        points("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z", 86_400),
        (json!([day - 86_400]), json!([1.0]))
    );
    assert_eq!(
        points("2026-11-23T00:00:00Z", "2026-11-23T00:01:00Z", 86_400),
        (json!([day]), json!([6.0])),
        "the end cuts by the datapoint's time, not by its content"
    );
    assert_eq!(points("2026-11-23T00:00:00Z", "2026-11-23T23:00:00Z", 60), (json!([day]), json!([2.0])));
    assert_eq!(
        points("2026-11-23T00:00:30Z", "2026-11-23T23:00:01Z", 60).1,
        json!([2.0, 4.0]),
        "the start is rounded down to its minute"
    );
}

#[test]
fn fine_periods_end_with_the_age_of_the_start() {
    let watch = service(0, &[]);
    spend(&watch, "m", "2026-11-01T10:07:00Z", 3, 0);
    let values = |period, now| {
        let request = ask(
            "2026-11-01T00:00:00Z",
            "2026-11-02T00:00:00Z",
            &[query("i", "InputTokenCount", "m", period)],
        );
        get(&watch, &request, now)["MetricDataResults"][0]["Values"].clone()
    };
    let (found, nothing) = (json!([3.0]), json!([]));
    assert_eq!(values(60, "2026-11-16T00:00:00Z"), found);
    assert_eq!(values(60, "2026-11-16T00:00:01Z"), nothing);
    assert_eq!(values(300, "2026-11-16T00:00:01Z"), found);
    assert_eq!(values(86_400, "2026-11-30T00:00:00Z"), found);
    assert_eq!(values(300, "2027-01-03T00:00:01Z"), nothing);
    assert_eq!(values(3600, "2027-01-03T00:00:01Z"), found);
    assert_eq!(values(86_400, "2028-11-01T00:00:00Z"), nothing, "older than 455 days");
}

#[test]
fn pages_follow_each_other_and_belong_to_their_request() {
    let config = CloudWatchConfig {
        lag: TimeDelta::zero(),
        page_datapoints: 2,
        page_metrics: 2,
        ..CloudWatchConfig::default()
    };
    let watch = CloudWatch::new(config, Arc::new(Faults::new(1)));
    for minute in 0..5 {
        spend(&watch, "m", &format!("2026-11-23T12:0{minute}:00Z"), minute, 1);
    }
    let mut request = ask(
        "2026-11-23T12:00:00Z",
        "2026-11-23T13:00:00Z",
        &[
            query("i", "InputTokenCount", "m", 60),
            query("o", "OutputTokenCount", "m", 60),
            query("n", "OutputTokenCount", "silent", 60),
        ],
    );
    let now = "2026-11-23T13:00:00Z";
    let (mut sums, mut pages, mut silent) = ([0.0, 0.0], 0, false);
    loop {
        let answer = get(&watch, &request, now);
        pages += 1;
        for result in answer["MetricDataResults"].as_array().unwrap() {
            let sum: f64 = result["Values"].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
            match result["Id"].as_str().unwrap() {
                "i" => sums[0] += sum,
                "o" => sums[1] += sum,
                _ => silent = true,
            }
        }
        match answer.get("NextToken") {
            Some(token) => request["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!((sums, silent), ([10.0, 5.0], true));
    assert!(pages > 4, "{pages} pages");
    request["EndTime"] = json!("2026-11-23T14:00:00Z");
    let reply = watch.handle_json("GetMetricData", request.to_string().as_bytes(), at(now));
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (400, Some("InvalidNextToken")));

    let mut names = Vec::new();
    let mut request =
        json!({ "Namespace": "AWS/Bedrock", "Dimensions": [{ "Name": "ModelId", "Value": "m" }] });
    loop {
        let page = watch.handle_json("ListMetrics", request.to_string().as_bytes(), at(now)).json_body();
        let metrics = page["Metrics"].as_array().unwrap();
        assert!(metrics.len() <= 2);
        names.extend(metrics.iter().map(|metric| metric["MetricName"].as_str().unwrap().to_owned()));
        match page.get("NextToken") {
            Some(token) => request["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(names, ["InputTokenCount", "InvocationLatency", "Invocations", "OutputTokenCount"]);
}

#[test]
fn invalid_requests_are_refused() {
    let watch = service(0, &[]);
    let (start, end) = ("2026-11-23T00:00:00Z", "2026-11-23T12:00:00Z");
    let good = query("i", "InputTokenCount", "m", 60);
    let set = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let expression = json!({ "Id": "e", "Expression": "SEARCH('{AWS/Bedrock,ModelId}', 'Sum')" });
    for (request, words) in [
        (ask(start, end, &[]), "MetricDataQueries is required"),
        (ask(end, start, std::slice::from_ref(&good)), "StartTime must be less"),
        (ask("yesterday", end, std::slice::from_ref(&good)), "StartTime must be a timestamp"),
        (ask(start, end, &[good.clone(), good.clone()]), "not unique"),
        (ask(start, end, &vec![good.clone(); 501]), "size greater than 500"),
        (ask(start, end, &[set("/Id", json!("Upper"))]), "expected pattern"),
        (ask(start, end, &[set("/Id", json!("a-b"))]), "expected pattern"),
        (ask(start, end, &[set("/MetricStat/Period", json!(90))]), "multiple of 60"),
        (ask(start, end, &[set("/MetricStat/Period", json!(0))]), "multiple of 60"),
        (ask(start, end, &[set("/MetricStat/Stat", json!("p99"))]), "not supported here"),
        (ask(start, end, &[expression]), "neither SEARCH nor metric math"),
        (ask(start, end, &[json!({ "Id": "a" })]), "either an Expression or a MetricStat"),
        (json!({ "MetricDataQueries": [good] }), "StartTime is required"),
    ] {
        let message = refusal(&watch, &request);
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(watch.handle_json("GetDashboard", b"{}", at(start)).status, 404);
    assert_eq!(watch.handle_json("GetMetricData", b"{", at(start)).status, 400);
    assert_eq!(watch.handle_cbor("GetMetricData", b"\xff", at(start)).status, 400);
    assert_eq!(watch.handle_query(b"Action=GetMetricData&A=%zz", at(start)).status, 400);
}

#[test]
fn the_statistics_and_put_metric_data() {
    let watch = service(0, &[]);
    let now = "2026-11-23T12:30:00Z";
    let put = json!({ "Namespace": "Own", "MetricData": [
        { "MetricName": "a", "Timestamp": "2026-11-23T12:00:00Z", "Value": 4 },
        { "MetricName": "a", "Timestamp": 1_795_435_210.5, "Values": [1, 10], "Counts": [2, 1] },
        { "MetricName": "a", "Timestamp": "2026-11-23T12:00:30Z", "StatisticValues": { "Sum": 6, "SampleCount": 2, "Minimum": 0.5, "Maximum": 5.5 } },
    ] });
    assert_eq!(watch.handle_json("PutMetricData", put.to_string().as_bytes(), at(now)).status, 200);
    for (stat, value) in
        [("Sum", 22.0), ("SampleCount", 6.0), ("Minimum", 0.5), ("Maximum", 10.0), ("Average", 22.0 / 6.0)]
    {
        let query = json!({ "Id": "a", "MetricStat": { "Metric": { "Namespace": "Own", "MetricName": "a" }, "Period": 3600, "Stat": stat } });
        let answer = get(&watch, &ask("2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z", &[query]), now);
        assert_eq!(answer["MetricDataResults"][0]["Values"], json!([value]), "{stat}");
    }
    for bad in [
        json!({}),
        json!({ "Value": "NaN" }),
        json!({ "Value": 1, "Values": [1] }),
        json!({ "Values": [1], "Counts": [1, 2] }),
    ] {
        let mut datum = bad;
        datum["MetricName"] = json!("b");
        let put = json!({ "Namespace": "Own", "MetricData": [{ "MetricName": "b", "Value": 1 }, datum] });
        assert_eq!(watch.handle_json("PutMetricData", put.to_string().as_bytes(), at(now)).status, 400);
    }
    let list = watch.handle_json("ListMetrics", b"{\"MetricName\":\"b\"}", at(now)).json_body();
    assert_eq!(list["Metrics"], json!([]), "a bad datum takes the others with it");
}

#[test]
fn list_metrics_omits_metrics_without_data_for_two_weeks() {
    let watch = service(0, &[]);
    spend(&watch, "m", "2026-11-01T00:00:00Z", 1, 1);
    let count = |now| {
        watch.handle_json("ListMetrics", b"{}", at(now)).json_body()["Metrics"].as_array().map(Vec::len)
    };
    assert_eq!(count("2026-11-14T00:00:00Z"), Some(4));
    assert_eq!(count("2026-11-16T00:00:00Z"), Some(0));
}

#[test]
fn failed_calls_are_counted_by_kind() {
    let watch = service(0, &[]);
    for (status, name) in [
        (429, "InvocationThrottles"),
        (400, "InvocationClientErrors"),
        (503, "InvocationServerErrors"),
        (424, "InvocationServerErrors"),
    ] {
        let event = UsageEvent {
            model_id: "m".into(),
            at: at("2026-11-23T12:00:00Z"),
            outcome: CallOutcome::of_status(status),
            usage: None,
            latency_ms: 0,
        };
        watch.record(&event);
        let list = watch.handle_json(
            "ListMetrics",
            json!({ "MetricName": name }).to_string().as_bytes(),
            at("2026-11-23T12:00:00Z"),
        );
        assert_eq!(list.json_body()["Metrics"].as_array().map(Vec::len), Some(1), "{name}");
    }
}

#[test]
fn the_query_protocol_reads_forms_and_writes_xml() {
    let watch = service(0, &[]);
    spend(&watch, "a<b&c", "2026-11-23T12:00:00Z", 5, 1);
    let stat = "MetricDataQueries.member.1.MetricStat";
    let form = format!(
        "Action=GetMetricData&Version=2010-08-01&StartTime=2026-11-23T12%3A00%3A00Z&EndTime=2026-11-23T13:00:00Z\
         &MetricDataQueries.member.1.Id=i&{stat}.Metric.Namespace=AWS%2FBedrock&{stat}.Metric.MetricName=InputTokenCount\
         &{stat}.Metric.Dimensions.member.1.Name=ModelId&{stat}.Metric.Dimensions.member.1.Value=a%3Cb%26c&{stat}.Period=60\
         &{stat}.Stat=Sum&MetricDataQueries.member.1.Label=x%3Cy"
    );
    let reply = watch.handle_query(form.as_bytes(), at("2026-11-23T12:30:00Z"));
    let xml = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 200, "{xml}");
    for part in [
        "<GetMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">",
        "<Timestamps><member>2026-11-23T12:00:00Z</member></Timestamps>",
        "<Values><member>5.0</member></Values>",
        "<Label>x&lt;y</Label>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    let reply = watch.handle_query(b"Action=GetMetricData", at("2026-11-23T12:30:00Z"));
    assert!(String::from_utf8(reply.body).unwrap().contains("<Code>MissingParameter</Code>"));
}

#[test]
fn cbor_carries_tagged_times_both_ways() {
    use ciborium::Value as Cbor;
    let watch = service(0, &[]);
    spend(&watch, "m", "2026-11-23T12:00:00Z", 5, 1);
    let start = at("2026-11-23T12:00:00Z").timestamp();
    let mut request = cbor_of(&ask("", "", &[query("i", "InputTokenCount", "m", 60)]));
    for (name, time) in
        [("StartTime", Cbor::Float(start as f64)), ("EndTime", Cbor::Integer((start + 60).into()))]
    {
        let Cbor::Map(entries) = &mut request else { panic!("not a map") };
        entries.retain(|(key, _)| key.as_text() != Some(name));
        entries.push((Cbor::Text(name.into()), Cbor::Tag(1, Box::new(time))));
    }
    let mut body = Vec::new();
    ciborium::into_writer(&request, &mut body).unwrap();
    let reply = watch.handle_cbor("GetMetricData", &body, at("2026-11-23T12:30:00Z"));
    assert_eq!((reply.status, reply.header("smithy-protocol")), (200, Some("rpc-v2-cbor")));
    let output: Cbor = ciborium::from_reader(&reply.body[..]).unwrap();
    let text = format!("{output:?}");
    assert!(text.contains("Tag(1, Integer"), "{text}");
    assert!(text.contains("Float(5.0)"), "{text}");
}

fn cbor_of(value: &Value) -> ciborium::Value {
    ciborium::from_reader(&cbor::write(value)[..]).unwrap()
}

#[test]
fn faults_apply_in_every_protocol() {
    let watch = service(0, &["cloudwatch.InternalServiceFault:100%"]);
    let now = at("2026-11-23T12:00:00Z");
    assert_eq!(watch.handle_json("ListMetrics", b"{}", now).status, 500);
    let reply = watch.handle_cbor("ListMetrics", b"", now);
    assert_eq!(
        (reply.status, reply.header("x-amzn-query-error")),
        (500, Some("InternalServiceError;Receiver"))
    );
    let reply = watch.handle_query(b"Action=ListMetrics", now);
    assert!(String::from_utf8(reply.body).unwrap().contains("<Code>InternalServiceError</Code>"));
    assert!(service(0, &["lost-reply:1"]).handle_json("ListMetrics", b"{}", now).lost);
}
