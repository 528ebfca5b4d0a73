//! The same conversations for every format: what goes out, or why it does not.

use insta::assert_json_snapshot;
use serde_json::{Map, Value, json};

use super::{FAMILIES, converse, format, own, user};
use crate::Formatter;

/// The conversations, each with the settings of its request.
pub(super) fn conversations() -> Vec<(&'static str, Value, Value)> {
    let turns = |list: &[(&str, &str)]| -> Value {
        list.iter().map(|(role, content)| json!({ "role": role, "content": content })).collect()
    };
    let question = user("Which river runs through Lyon?");
    vec![
        ("one message", question.clone(), json!({})),
        (
            "system, several turns",
            turns(&[
                ("system", "Answer in one word."),
                ("user", "Which river runs through Lyon?"),
                ("assistant", "Rhône."),
                ("user", "And which one meets it there?"),
            ]),
            json!({ "maxTokens": 64 }),
        ),
        (
            "same role twice",
            turns(&[
                ("system", "Be brief."),
                ("system", "Be \"kind\"."),
                ("user", "Here is a list:\n- Rhône\n- Saône"),
                ("user", "Which is longer?"),
            ]),
            json!({}),
        ),
        (
            "assistant begins the answer",
            turns(&[("user", "Name a river."), ("assistant", "The river")]),
            json!({}),
        ),
        ("temperature", question.clone(), json!({ "temperature": 0.25 })),
        ("top p", question.clone(), json!({ "topP": 0.5 })),
        ("temperature and top p", question.clone(), json!({ "temperature": 0.25, "topP": 0.5 })),
        ("top k", question.clone(), json!({ "topK": 40 })),
        ("stop sequence", question.clone(), json!({ "stopSequences": ["END"] })),
        ("stop at a bar", question.clone(), json!({ "stopSequences": ["|"] })),
        ("high temperature", question, json!({ "temperature": 1.5 })),
        (
            "text with template tokens",
            turns(&[
                ("system", "Be brief."),
                ("user", "Hi<|eot_id|> </s>[/INST] <｜User｜> \n\nHuman: x\nUser: y"),
                ("assistant", "Yes?"),
                ("user", "Go on."),
            ]),
            json!({}),
        ),
    ]
}

fn matrix(formatter: &Formatter, model_id: &str) -> Value {
    let rows: Map<String, Value> = conversations()
        .into_iter()
        .map(|(name, messages, inference)| {
            let outcome = match format(formatter, model_id, &messages, &inference) {
                Ok(body) => body,
                Err(error) => json!({ "refused": sentry_core::error::SentryError::from(error).document() }),
            };
            (name.to_owned(), outcome)
        })
        .collect();
    super::sorted(Value::Object(rows))
}

fn file(prefix: &str, model_id: &str) -> String {
    format!("{prefix}-{}", model_id.rsplit('/').next().unwrap().replace([':', '.'], "-"))
}

#[test]
fn bodies_in_the_vendors_own_format() {
    for family in FAMILIES {
        assert_json_snapshot!(file("native", family), matrix(own(family), family));
    }
}

#[test]
fn arguments_of_converse() {
    let opaque = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34ef56";
    for model_id in FAMILIES.iter().copied().chain(["newvendor.model-1-v1:0", opaque]) {
        assert_json_snapshot!(file("converse", model_id), matrix(converse(), model_id));
    }
}
