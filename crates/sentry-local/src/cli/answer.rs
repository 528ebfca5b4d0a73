//! Answers and failures as people read them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::amounts::{dollars, number};

/// A field of a budget, its label, and how its numbers are written.
type DimensionRow = (&'static str, &'static str, fn(&Value) -> String);

const DIMENSIONS: [DimensionRow; 3] =
    [("input", "input", number), ("output", "output", number), ("costUsd", "money", dollars)];

/// The answer, and in a few lines what it cost.
pub(super) fn answer(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = text(&document["message"]["content"]);
    out.push_str("\n\n");
    let usage = &document["usage"];
    let _ = writeln!(out, "answered by  {} ({})", text(&document["modelId"]), text(&document["stopReason"]));
    if document["fallback"].is_object() {
        let _ = writeln!(
            out,
            "             in place of {}, whose budget is spent",
            text(&document["requestedModelId"])
        );
    }
    let _ = write!(
        out,
        "tokens       {} in, {} out",
        number(&usage["inputTokens"]),
        number(&usage["outputTokens"])
    );
    let cached =
        [("cacheReadInputTokens", "read from the cache"), ("cacheWriteInputTokens", "written to the cache")];
    for (name, what) in cached {
        if usage[name].as_u64().unwrap_or(0) > 0 {
            let _ = write!(out, ", {} {what}", number(&usage[name]));
        }
    }
    if document["usageEstimated"] == true {
        out.push_str(" (estimated: the model did not say)");
    }
    if document["maxTokensShrunk"] == true {
        let _ = write!(
            out,
            "\n             the answer was limited to {} tokens, all that the budget had left",
            number(&document["maxTokens"])
        );
    }
    if document["costUsd"].is_number() {
        let _ = write!(out, "\ncost         {}", dollars(&document["costUsd"]));
    }
    budget(&mut out, &document["budget"]);
    out
}

fn budget(out: &mut String, budget: &Value) {
    let Some(budget) = budget.as_object() else { return };
    let member = |name: &str| budget.get(name).and_then(Value::as_str).unwrap_or_default();
    let _ = write!(
        out,
        "\nbudget       {}, {}, resets at {}",
        member("key"),
        member("period"),
        member("resetsAt")
    );
    for (dimension, label, amount) in DIMENSIONS {
        if let Some(numbers) = budget.get(dimension) {
            let _ = write!(
                out,
                "\n  {label:<10} {} of {} left",
                amount(&numbers["remaining"]),
                amount(&numbers["limit"])
            );
            if numbers["reserved"].as_f64().unwrap_or(0.0) > 0.0 {
                let _ = write!(out, ", {} held by requests in flight", amount(&numbers["reserved"]));
            }
        }
    }
}

/// A failed request, as an execution says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedRequest {
    pub error: String,
    pub cause: String,
}

impl FailedRequest {
    /// The document of `--json`. A cause that is no document, as Step Functions itself writes
    /// it, becomes the message of one.
    pub fn document(&self) -> Value {
        let cause = match serde_json::from_str(&self.cause) {
            Ok(Value::Object(cause)) => Value::Object(cause),
            _ => json!({"type": self.error, "message": self.cause}),
        };
        json!({"error": self.error, "cause": cause})
    }

    /// The error's name and message, and the numbers that explain a refusal.
    pub fn text(&self) -> String {
        let Self { error, cause } = self;
        let Ok(Value::Object(document)) = serde_json::from_str::<Value>(cause) else {
            return if cause.is_empty() { error.clone() } else { format!("{error}: {cause}") };
        };
        let message = document.get("message").and_then(Value::as_str).unwrap_or(cause);
        let mut out = format!("{error}: {message}");
        explain(&mut out, &document);
        out
    }
}

fn explain(out: &mut String, document: &Map<String, Value>) {
    let labels = [
        ("path", "at"),
        ("modelId", "model"),
        ("dimension", "short of"),
        ("requested", "needed"),
        ("remaining", "left"),
        ("retryAfterSeconds", "try again after seconds"),
        ("requestId", "request"),
    ];
    let dimension = document.get("dimension").unwrap_or(&Value::Null);
    let (_, short_of, amount) =
        DIMENSIONS.into_iter().find(|(name, ..)| dimension == name).unwrap_or(("", "", number));
    for (name, label) in labels {
        let text = match document.get(name) {
            None | Some(Value::Null) => continue,
            Some(_) if name == "dimension" && !short_of.is_empty() => short_of.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) if matches!(name, "requested" | "remaining") => amount(value),
            Some(value) => number(value),
        };
        let _ = write!(out, "\n  {label}: {text}");
    }
    budget(out, document.get("budget").unwrap_or(&Value::Null));
}
