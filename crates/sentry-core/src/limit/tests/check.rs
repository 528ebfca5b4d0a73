use super::*;
use crate::limit::{Finding, check_items};

const APPLICATION: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";

/// What an item governs beside others.
fn finding(item: Value, others: Value) -> Finding {
    let mut items = others.as_array().unwrap().clone();
    items.insert(0, item);
    let mut findings = check_items(&items);
    assert_eq!(findings.len(), items.len());
    findings.remove(0).1
}

/// What an item with this key governs, beside the default.
fn of_key(key: &str) -> Finding {
    let limit = json!({"input": 1, "output": 1});
    finding(json!({"modelId": key, "limit": limit}), json!([{"modelId": "default", "limit": limit}]))
}

#[test]
fn a_key_that_governs_nothing_is_told_from_what_was_meant() {
    let long = format!("tenant/{}", "a".repeat(65));
    for (key, why, meant) in [
        ("tenants/acme", "no form of model id", "tenant/acme"),
        ("Tenant/acme", "no form of model id", "tenant/acme"),
        ("tenant:Acme", "no form of model id", "tenant/Acme"),
        ("tenats/acme/us.amazon.nova-lite-v1:0", "", "tenant/acme/us.amazon.nova-lite-v1:0"),
        ("Tenant/acme/Amazon.Nova-Lite-v1:0", "lower case", "tenant/acme/amazon.nova-lite-v1:0"),
        ("tenant/acme/Amazon.Nova-Lite-v1:0", "lower case", "tenant/acme/amazon.nova-lite-v1:0"),
        ("Account", "no form of model id", "account"),
        ("acount", "no form of model id", "account"),
        ("Default", "no form of model id", "default"),
        ("defualt", "no form of model id", "default"),
        ("tenant", "no form of model id", ""),
        ("tenant/", "\"\" is no id of a tenant", ""),
        ("tenant//acme", "\"\" is no id of a tenant", "tenant/acme"),
        ("tenant/acme corp", "\"acme corp\" is no id of a tenant", ""),
        (&long, "is no id of a tenant", ""),
        ("tenant/acme/", "a model id is missing", "tenant/acme"),
        ("tenant/acme/default", "a model id is missing", "tenant/acme"),
        ("tenant/acme/anthropic.*", "no wildcards", ""),
        ("anthropic.*", "no wildcards", ""),
        ("*", "no wildcards", ""),
        ("Anthropic.Claude-Sonnet-4-6", "lower case", "anthropic.claude-sonnet-4-6"),
        (" amazon.nova-lite-v1:0", "no form of model id", "amazon.nova-lite-v1:0"),
        ("mx.amazon.nova-lite-v1:0", "The geographic prefix \"mx\" is not known", ""),
        ("antropic.claude-sonnet-4-6", "No vendor \"antropic\"", "anthropic.claude-sonnet-4-6"),
        ("us.amazon.nova-lite-v1", "version at the end", "amazon.nova-lite-v1:0"),
        ("amazon.nova-lite", "version at the end", "amazon.nova-lite-v1:0"),
        ("amazon.titan-embed-text-v2:0", "makes embeddings", ""),
        ("us.claude-sonnet-4-6", "After the geographic prefix", ""),
        (
            "arn:aws:bedrock:us-east-1:123:inference-profile/us.amazon.nova-lite-v1:0",
            "no form of Bedrock ARN",
            "",
        ),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/us.amazon.nova-lite-v1:0",
            "no form of Bedrock ARN",
            "",
        ),
        (APPLICATION, "Nothing says which model", ""),
        ("claudesonnet", "Nothing says which model", ""),
    ] {
        let found = of_key(key);
        let Finding::GovernsNothing(text) = &found else { panic!("{key}: {found:?}") };
        assert!(found.is_a_problem() && text.contains(why), "{key}: {text}");
        let suggested = format!("Did you mean {meant:?}");
        let suggests =
            if meant.is_empty() { !text.contains("Did you mean") } else { text.contains(&suggested) };
        assert!(suggests, "{key}: {text}");
        if !meant.is_empty() {
            assert!(!matches!(of_key(meant), Finding::GovernsNothing(_)), "{meant} is no better");
        }
    }
}

#[test]
fn a_key_that_governs_is_no_problem() {
    let long = format!("tenant/{}", "a".repeat(64));
    for key in [
        "default",
        "account",
        "tenant/acme",
        "tenant/Acme_1.x-y",
        &long,
        "tenant/acme/amazon.nova-lite-v1:0",
        "amazon.nova-lite-v1:0",
        "anthropic.claude-sonnet-4-6",
        // Vendors and models that are not known may exist.
        "newvendor.chat-1",
        "xai.grok-9",
        "anthropic.claude-of-the-future-1",
    ] {
        let found = of_key(key);
        assert!(matches!(found, Finding::Governs(_)) && !found.is_a_problem(), "{key}: {found:?}");
    }
}

#[test]
fn every_family_of_the_price_list_governs() {
    for listed in crate::price::PRICES {
        assert!(matches!(of_key(listed.family), Finding::Governs(_)), "{}", listed.family);
    }
}

#[test]
fn a_limit_of_one_id_without_one_of_its_family_is_reported() {
    let limit = json!({"input": 1, "output": 1});
    let us = json!({"modelId": "us.amazon.nova-lite-v1:0", "limit": limit});
    let Finding::GovernsThatIdAlone(text) =
        finding(us.clone(), json!([{"modelId": "default", "limit": limit}]))
    else {
        panic!()
    };
    assert!(
        text.contains("have the limit of \"default\"") && text.contains("under \"amazon.nova-lite-v1:0\""),
        "{text}"
    );
    // A family's item without a limit is none.
    let found = finding(us.clone(), json!([{"modelId": "amazon.nova-lite-v1:0", "calling": "native"}]));
    assert!(
        matches!(&found, Finding::GovernsThatIdAlone(text) if text.contains("no such limit")),
        "{found:?}"
    );
    let family = json!([{"modelId": "amazon.nova-lite-v1:0", "limit": limit}]);
    assert!(matches!(finding(us, family), Finding::Governs(text) if text.contains("the stricter")));
    // So of a tenant: its family's item counts, not the model's and not the default one.
    let tenants = json!({"modelId": "tenant/acme/us.amazon.nova-lite-v1:0", "limit": limit});
    let others =
        json!([{"modelId": "amazon.nova-lite-v1:0", "limit": limit}, {"modelId": "default", "limit": limit}]);
    let found = finding(tenants.clone(), others);
    let Finding::GovernsThatIdAlone(text) = found else { panic!("{found:?}") };
    assert!(
        text.contains("no such limit") && text.contains("\"tenant/acme/amazon.nova-lite-v1:0\""),
        "{text}"
    );
    let family = json!([{"modelId": "tenant/acme/amazon.nova-lite-v1:0", "limit": limit}]);
    assert!(matches!(finding(tenants, family), Finding::Governs(_)));
    // An item that limits nothing lets nothing through either.
    let calling = json!({"modelId": "us.amazon.nova-lite-v1:0", "calling": "converse"});
    assert!(matches!(finding(calling, json!([])), Finding::Governs(_)));
}

#[test]
fn another_name_of_a_model_governs() {
    let limit = json!({"input": 1, "output": 1});
    let alias = json!({"modelId": APPLICATION, "aliasOf": "us.amazon.nova-lite-v1:0"});
    let found = finding(alias.clone(), json!([]));
    assert!(
        matches!(&found, Finding::Governs(text) if text.contains("count as amazon.nova-lite-v1:0")),
        "{found:?}"
    );
    // A tenant's item for the id counts as soon as the id has a name.
    let tenants = json!({"modelId": format!("tenant/acme/{APPLICATION}"), "limit": limit});
    assert!(matches!(finding(tenants.clone(), json!([])), Finding::GovernsNothing(_)));
    let found = finding(tenants, json!([alias]));
    assert!(
        matches!(&found, Finding::GovernsThatIdAlone(text) if text.contains("tenant/acme/amazon.nova-lite-v1:0")),
        "{found:?}"
    );
}

#[test]
fn an_item_that_observes_beside_one_that_enforces_counts_for_nothing() {
    let limit = json!({"input": 1, "output": 1});
    let observing = json!({"modelId": "us.amazon.nova-lite-v1:0", "limit": limit, "mode": "observe"});
    let with = |mode: &str| json!([{"modelId": "amazon.nova-lite-v1:0", "limit": limit, "mode": mode}]);
    let found = finding(observing.clone(), with("enforce"));
    assert!(
        matches!(&found, Finding::GovernsNothing(text) if text.contains("\"amazon.nova-lite-v1:0\"")),
        "{found:?}"
    );
    assert!(matches!(finding(observing.clone(), with("observe")), Finding::Governs(_)));
    let mut priced = observing;
    priced["calling"] = json!("converse");
    assert!(matches!(finding(priced, with("enforce")), Finding::Governs(_)));
}

#[test]
fn a_malformed_item_is_reported_with_its_attribute() {
    let findings =
        check_items(&[json!({"modelId": "account", "limit": 5}), json!({"limit": {"costUsd": 1}})]);
    let attributes: Vec<_> = findings
        .iter()
        .map(|(id, finding)| match finding {
            Finding::Malformed(error) => (id.as_str(), error.details["attribute"].as_str().unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(attributes, [("account", "limit"), ("(without modelId)", "modelId")]);
    assert!(findings[0].1.to_string().contains("limit must be a map"), "{}", findings[0].1);
}

proptest! {
    /// Whatever is reported to govern nothing is looked up by no request for a known model.
    #[test]
    fn what_is_reported_is_never_looked_up(
        head in prop::sample::select(vec!["", "tenant/acme/", "Tenant/acme/", "tenants/acme/", "tenant/acme"]),
        geo in prop::sample::select(vec!["", "us.", "mx.", "US.", "global."]),
        name in prop::sample::select(vec!["amazon.nova-lite-v1:0", "amazon.nova-lite-v1", "anthropic.claude-sonnet-4-6", "default", "*", ""]),
        asked in prop::sample::select(vec!["amazon.nova-lite-v1:0", "us.amazon.nova-lite-v1:0", "anthropic.claude-sonnet-4-6"]),
    ) {
        let key = format!("{head}{geo}{name}");
        let limit = json!({"input": 1, "output": 1});
        if let Finding::GovernsNothing(text) = finding(json!({"modelId": key, "limit": limit}), json!([])) {
            let model = ModelId::parse(asked).unwrap();
            let at = parse_time("2026-11-23T12:00:00Z").unwrap();
            let read = Lookup { model: &model, tenant: Some("acme"), at }.keys();
            prop_assert!(!read.contains(&key), "{key}: {text}");
        }
    }
}
