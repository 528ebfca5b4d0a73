use super::*;

fn taken(faults: &Faults, service: &str, operation: &str) -> Option<&'static str> {
    faults.take(service, operation).map(|fault| fault.name)
}

#[test]
fn a_count_applies_exactly_that_often() {
    let faults = Faults::parse(&["ThrottlingException:2"], 1).unwrap();
    assert_eq!(taken(&faults, "bedrock", "InvokeModel"), Some("ThrottlingException"));
    assert_eq!(taken(&faults, "dynamodb", "GetItem"), None, "a bare name that Bedrock has means Bedrock");
    assert_eq!(taken(&faults, "bedrock", "Converse"), Some("ThrottlingException"));
    assert_eq!(taken(&faults, "bedrock", "Converse"), None);
    assert_eq!(
        faults.list()["faults"][0],
        json!({"fault": "ThrottlingException:2", "fired": 2, "remaining": 0})
    );
}

#[test]
fn a_percentage_is_repeatable_and_about_right() {
    let run = |seed| {
        let faults = Faults::parse(&["dynamodb.InternalServerError:5%"], seed).unwrap();
        (0..10_000).map(|_| faults.take("dynamodb", "PutItem").is_some()).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let struck = run(7).iter().filter(|struck| **struck).count();
    assert!((400..600).contains(&struck), "{struck} of 10,000");
    let never = Faults::parse(&["lost-reply:0%"], 1).unwrap();
    let always = Faults::parse(&["cloudwatch.InternalServiceFault:100%"], 1).unwrap();
    for _ in 0..1000 {
        assert_eq!(never.take("bedrock", "Converse"), None);
        assert_eq!(always.take("cloudwatch", "GetMetricData").map(|fault| fault.status), Some(500));
    }
}

#[test]
fn an_operation_narrows_a_fault() {
    let faults = Faults::parse(&["lambda.settle.kill-function:1"], 1).unwrap();
    assert_eq!(taken(&faults, "lambda", "compare"), None);
    let fault = faults.take("lambda", "settle").unwrap();
    assert!(fault.kill && !fault.lost_reply);
}

#[test]
fn a_lost_reply_can_happen_to_every_service() {
    for service in SERVICES {
        let faults = Faults::parse(&["lost-reply:1"], 1).unwrap();
        assert!(faults.take(service, "any").unwrap().lost_reply, "{service}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    for (spec, words) in [
        ("ThrottlingException", "NAME:COUNT"),
        ("ThrottlingException:", "neither a count"),
        ("ThrottlingException:-1", "neither a count"),
        ("ThrottlingException:101%", "neither a count"),
        ("ThrottlingException:0.00001%", "neither a count"),
        ("Nonsense:1", "bedrock.ThrottlingException"),
        ("s3.NoSuchKey:1", "no service `s3`"),
        ("cloudwatch.ModelErrorException:1", "cloudwatch.InternalServiceFault"),
        ("a.b.c.d:1", "SERVICE.OPERATION.NAME"),
    ] {
        let error = Faults::parse(&[spec], 1).unwrap_err();
        assert!(error.0.contains(words), "{spec}: {error}");
    }
}

#[test]
fn the_control_document_replaces_adds_and_clears() {
    let faults = Faults::parse(&["throttle:9"], 1).unwrap();
    faults.set(br#"{"faults":["kill-function:3"]}"#).unwrap();
    assert_eq!(faults.take("bedrock", "Converse"), None);
    faults.set(br#"{"add":["throttle:1"]}"#).unwrap();
    assert_eq!(faults.list()["faults"].as_array().map(Vec::len), Some(2));
    for bad in [
        &b"["[..],
        b"[]",
        b"{}",
        br#"{"faults":1}"#,
        br#"{"faults":[1]}"#,
        br#"{"fault":[]}"#,
        br#"{"faults":[],"add":[]}"#,
        br#"{"faults":["x:1"]}"#,
    ] {
        assert!(faults.set(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
    assert_eq!(faults.list()["faults"].as_array().map(Vec::len), Some(2), "a bad document changes nothing");
    faults.set(br#"{"faults":[]}"#).unwrap();
    assert_eq!(faults.list(), json!({"faults": []}));
}
