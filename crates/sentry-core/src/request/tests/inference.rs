use serde_json::{Value, json};

use super::super::*;
use super::{accepted, ask, refused_at};

fn asked(inference: &Value) -> Value {
    let mut document = ask(&json!("a"));
    document["inference"] = inference.clone();
    document
}

#[test]
fn what_only_converse_takes_is_not_plain() {
    for (inference, plain) in [
        (json!({ "maxTokens": 9, "temperature": 1, "topP": 1, "topK": 9, "stopSequences": ["a"] }), true),
        (json!({ "reasoning": { "off": true } }), false),
        (json!({ "reasoning": { "effort": "low" } }), false),
        (json!({ "responseFormat": { "schema": {} } }), false),
        (json!({ "serviceTier": "default" }), false),
    ] {
        assert_eq!(accepted(&asked(&inference)).is_plain(), plain, "{inference}");
    }
}

#[test]
fn everything_is_kept() {
    let inference = json!({
        "maxTokens": 2_048, "reasoning": { "budgetTokens": 1_024 }, "serviceTier": "flex",
        "responseFormat": { "schema": { "type": "object" }, "name": "colour", "description": "A colour." }
    });
    let request = accepted(&asked(&inference));
    assert_eq!(serde_json::to_value(&request.inference).unwrap(), inference);
    for effort in ["low", "medium", "high", "xhigh", "max"] {
        let inference = json!({ "reasoning": { "effort": effort } });
        let request = accepted(&asked(&inference));
        assert_eq!(serde_json::to_value(&request.inference).unwrap(), inference);
        let Some(ReasoningSetting::Effort(level)) = request.inference.reasoning else { panic!("{effort}") };
        assert_eq!(level.as_str(), effort);
    }
    for tier in ["default", "flex", "priority"] {
        let request = accepted(&asked(&json!({ "serviceTier": tier })));
        assert_eq!(request.inference.service_tier.map(ServiceTier::as_str), Some(tier));
    }
}

#[test]
fn malformed_settings_name_the_field() {
    for (inference, path, words) in [
        (json!({ "reasoning": "high" }), "reasoning", "is a text where an object"),
        (json!({ "reasoning": {} }), "reasoning", "has none of"),
        (json!({ "reasoning": { "effort": "high", "off": true } }), "reasoning", "at once"),
        (json!({ "reasoning": { "effort": "minimal" } }), "reasoning.effort", "is \"minimal\"; use one of"),
        (json!({ "reasoning": { "off": false } }), "reasoning.off", "is false; leave"),
        (json!({ "reasoning": { "off": 1 } }), "reasoning.off", "where true or false is needed"),
        (
            json!({ "maxTokens": 2_048, "reasoning": { "budgetTokens": 1_023 } }),
            "reasoning.budgetTokens",
            "from 1024 to",
        ),
        (
            json!({ "maxTokens": 2_048, "reasoning": { "budgetTokens": 2_048 } }),
            "reasoning.budgetTokens",
            "must be below `inference.maxTokens`",
        ),
        (json!({ "reasoning": { "budgetTokens": 2_048 } }), "reasoning.budgetTokens", "must be below"),
        (json!({ "responseFormat": {} }), "responseFormat.schema", "is missing"),
        (json!({ "responseFormat": { "schema": "{}" } }), "responseFormat.schema", "is no JSON schema"),
        (
            json!({ "responseFormat": { "schema": { "$ref": "#" } } }),
            "responseFormat.schema",
            "leads back to itself",
        ),
        (
            json!({ "responseFormat": { "schema": {}, "name": "a b" } }),
            "responseFormat.name",
            "must have 1 to 64",
        ),
        (
            json!({ "responseFormat": { "schema": {}, "description": "a\u{0}" } }),
            "responseFormat.description",
            "NUL",
        ),
        (json!({ "serviceTier": "reserved" }), "serviceTier", "whose price is a contract's"),
        (json!({ "serviceTier": "fast" }), "serviceTier", "use one of"),
        (json!({ "serviceTier": { "type": "flex" } }), "serviceTier", "where a text is needed"),
    ] {
        refused_at(&asked(&inference), &format!("inference.{path}"), words);
    }
}
