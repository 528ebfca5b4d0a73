//! `ask`: one request through both workflows.

use std::future::Future;
use std::io::Read as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use asl::Status;
use serde_json::{Value, json};

use super::answer::{FailedRequest, answer};
use super::{AskArguments, trace};
use crate::names::RATE_LIMITER;
use crate::output::{line, note};
use crate::{Config, Finished};

/// How long a request may take before a message says what is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
const REMINDER: Duration = Duration::from_secs(5);

pub(super) async fn run(arguments: AskArguments) -> Result<ExitCode, String> {
    let prompt = match arguments.prompt.as_str() {
        "-" => read_standard_input()?,
        prompt => prompt.to_owned(),
    };
    let request = request(&arguments, &prompt);
    let config =
        Config { limits: arguments.tables.limits()?, data: arguments.tables.data, ..Config::default() };
    let host = with_progress("starting", crate::start(config)).await.map_err(|error| error.to_string())?;
    let waiting = format!("waiting for {}", arguments.model);
    let result = with_progress(&waiting, host.execute(RATE_LIMITER, None, &request.to_string())).await;
    let reported = match &result {
        Ok(finished) => {
            let traced = if arguments.trace {
                let text = trace::render(finished, &host.children(&finished.arn));
                // With --json standard output is for the document alone.
                if arguments.json {
                    note(&text);
                    Ok(())
                } else {
                    print(&text)
                }
            } else {
                Ok(())
            };
            traced.and_then(|()| report(outcome(finished), arguments.json))
        }
        Err(refusal) => {
            let failure = FailedRequest { error: refusal.name.to_owned(), cause: refusal.message.clone() };
            report(Err(failure), arguments.json)
        }
    };
    host.shutdown().await;
    reported
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

/// How the execution ended: the answer document, or why there is none.
fn outcome(finished: &Finished) -> Result<&str, FailedRequest> {
    match (finished.status, &finished.output) {
        (Status::Succeeded, Some(output)) => Ok(output),
        (Status::TimedOut, _) => Err(FailedRequest {
            error: "ModelTimeout".to_owned(),
            cause: "the request took longer than Express workflows may".to_owned(),
        }),
        _ => Err(FailedRequest {
            error: finished.error.clone().unwrap_or_else(|| "InternalError".to_owned()),
            cause: finished.cause.clone().unwrap_or_default(),
        }),
    }
}

fn report(outcome: Result<&str, FailedRequest>, as_json: bool) -> Result<ExitCode, String> {
    match outcome {
        Ok(document) if as_json => print(document)?,
        Ok(document) => print(&answer(&serde_json::from_str(document).unwrap_or_default()))?,
        // On standard output, where a program with --json reads the answer too.
        Err(failure) if as_json => {
            print(&failure.document().to_string())?;
            return Ok(ExitCode::FAILURE);
        }
        Err(failure) => return Err(failure.text()),
    }
    Ok(ExitCode::SUCCESS)
}
