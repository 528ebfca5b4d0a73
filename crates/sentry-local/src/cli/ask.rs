//! `ask`: one request through both workflows.

use std::fmt::Write as _;
use std::future::Future;
use std::io::Read as _;
use std::time::{Duration, Instant};

use asl::Status;
use serde_json::{Map, Value, json};

use super::{AskArguments, trace};
use crate::names::RATE_LIMITER;
use crate::output::{line, note};
use crate::{Config, Finished};

/// After so long a person wants to know that something still happens.
const PATIENCE: Duration = Duration::from_secs(1);
const REMINDER: Duration = Duration::from_secs(5);

pub(super) async fn run(arguments: AskArguments) -> Result<(), String> {
    let prompt = match arguments.prompt.as_str() {
        "-" => read_standard_input()?,
        prompt => prompt.to_owned(),
    };
    let request = request(&arguments, &prompt);
    let host = with_progress("starting", crate::start(Config::default()))
        .await
        .map_err(|error| error.to_string())?;
    let waiting = format!("waiting for {}", arguments.model);
    let result = with_progress(&waiting, host.execute(RATE_LIMITER, None, &request.to_string())).await;
    let outcome = match &result {
        Ok(finished) => {
            if arguments.trace {
                let text = trace::render(finished, &host.children(&finished.arn));
                // With --json standard output is for the document alone.
                if arguments.json { note(&text) } else { print(&text)? }
            }
            report(finished, arguments.json)
        }
        Err(refusal) => Err(format!("{}: {}", refusal.name, refusal.message)),
    };
    host.shutdown().await;
    outcome
}

fn request(arguments: &AskArguments, prompt: &str) -> Value {
    let mut messages = Vec::new();
    if let Some(system) = &arguments.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": prompt}));
    let mut request = json!({"modelId": arguments.model, "prompt": {"messages": messages}});
    if let Some(most) = arguments.max_tokens {
        request["inference"] = json!({"maxTokens": most});
    }
    request
}

fn read_standard_input() -> Result<String, String> {
    let mut bytes = Vec::new();
    // More than Step Functions carries cannot be sent anyway.
    let limit = 2 * asl::MAX_PAYLOAD_BYTES as u64;
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("standard input cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "standard input is not UTF-8 text".to_owned())?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Says on standard error what is waited for, when it takes long.
async fn with_progress<T>(what: &str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let mut work = std::pin::pin!(work);
    let mut pause = PATIENCE;
    loop {
        match tokio::time::timeout(pause, &mut work).await {
            Ok(done) => return done,
            Err(_) => note(&format!("{what} … {} s", started.elapsed().as_secs())),
        }
        pause = REMINDER;
    }
}

fn print(text: &str) -> Result<(), String> {
    line(text).map_err(|error| format!("the answer cannot be printed: {error}"))
}

fn report(finished: &Finished, as_json: bool) -> Result<(), String> {
    match (finished.status, &finished.output) {
        (Status::Succeeded, Some(output)) if as_json => print(output),
        (Status::Succeeded, Some(output)) => {
            print(&answer(&serde_json::from_str(output).unwrap_or_default()))
        }
        (Status::TimedOut, _) => {
            Err("ModelTimeout: the request took longer than Express workflows may".to_owned())
        }
        _ => Err(failure(
            finished.error.as_deref().unwrap_or("InternalError"),
            finished.cause.as_deref().unwrap_or_default(),
        )),
    }
}

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
    budget(&mut out, &document["budget"]);
    out
}

fn budget(out: &mut String, budget: &Value) {
    let Some(budget) = budget.as_object() else { return };
    let member = |name: &str| budget.get(name).and_then(Value::as_str).unwrap_or_default();
    let _ = write!(
        out,
        "\nbudget       {}, {}, starts anew at {}",
        member("key"),
        member("period"),
        member("resetsAt")
    );
    for (dimension, label) in [("input", "input"), ("output", "output"), ("costUsd", "dollars")] {
        if let Some(numbers) = budget.get(dimension) {
            let _ = write!(
                out,
                "\n  {label:<10} {} of {} left",
                number(&numbers["remaining"]),
                number(&numbers["limit"])
            );
            if numbers["reserved"].as_f64().unwrap_or(0.0) > 0.0 {
                let _ = write!(out, ", {} held by requests in flight", number(&numbers["reserved"]));
            }
        }
    }
}

/// The error's name and message, and the numbers that explain a refusal.
pub(super) fn failure(error: &str, cause: &str) -> String {
    let Ok(Value::Object(document)) = serde_json::from_str::<Value>(cause) else {
        return format!("{error}: {cause}");
    };
    let mut out = format!("{error}: {}", document.get("message").and_then(Value::as_str).unwrap_or(cause));
    explain(&mut out, &document);
    out
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
    for (name, label) in labels {
        match document.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                let _ = write!(out, "\n  {label}: {text}");
            }
            Some(value) => {
                let _ = write!(out, "\n  {label}: {}", number(value));
            }
        }
    }
    budget(out, document.get("budget").unwrap_or(&Value::Null));
}

/// With commas between thousands; anything but a whole number as it is.
pub(super) fn number(value: &Value) -> String {
    let Some(number) = value.as_u64() else {
        return if value.is_null() { "?".to_owned() } else { value.to_string() };
    };
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
