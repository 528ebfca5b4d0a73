//! Wishes that a test or a demonstration writes into its last user message.
//!
//! A line `#sim output=500 input=1350 latency=1000ms stop=end_turn error=ThrottlingException` says
//! what the model writes, reads and fails with; the fields of [`Directives`] are its keys. Through
//! Converse, each line `#call calculator {"a":1}` has the model call a tool of the request with
//! this input, or with `{}` where none is given.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::BedrockError;

/// What the last user message wishes for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directives {
    /// Tokens that the model would like to write; the request's limit cuts them.
    pub output: Option<u64>,
    /// Tokens that it says it read.
    pub input: Option<u64>,
    /// Tokens that it says it read from the cache.
    pub cache_read: u64,
    /// Tokens that it says it wrote to the cache.
    pub cache_write: u64,
    /// Tokens of reasoning before the text; they are part of `output`.
    pub reasoning: Option<u64>,
    /// How long it takes.
    pub latency: Option<Duration>,
    /// The reason that it gives for stopping.
    pub stop: Option<String>,
    /// The error that it fails with.
    pub error: Option<BedrockError>,
    /// The failed call is billed all the same.
    pub billed: bool,
    /// The thoughts come back encrypted.
    pub redacted: bool,
    /// The text cites a document.
    pub citations: bool,
    /// The tier that serves the call, whatever was asked for.
    pub tier: Option<String>,
    /// The tools that the model calls.
    pub calls: Vec<ToolCallDirective>,
}

/// A tool that the model is to call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCallDirective {
    /// The tool.
    pub name: String,
    /// Its input.
    pub input: Value,
}

/// The most tokens that a directive may ask for: more would only test the memory of the host.
const MOST: u64 = 10_000_000;

/// Reads the last directive line of a message.
///
/// # Errors
/// A key is not known, or a value does not fit its key; the message names it.
pub fn read(message: &str) -> Result<Directives, BedrockError> {
    let calls = message.lines().filter_map(|line| after(line, "#call")).map(call);
    let mut directives = Directives { calls: calls.collect::<Result<Vec<_>, _>>()?, ..Directives::default() };
    let Some(line) = message.lines().rev().find_map(|line| after(line, "#sim")) else {
        return Ok(directives);
    };
    for part in line.split_whitespace() {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let refuse = |what: &str| BedrockError::validation(format!("#sim: `{part}`: {what}"));
        let tokens = || {
            let number: Option<u64> = value.parse().ok().filter(|number| *number <= MOST);
            number.ok_or_else(|| refuse(&format!("`{key}` takes a whole number up to {MOST}")))
        };
        match key {
            "output" => directives.output = Some(tokens()?),
            "input" => directives.input = Some(tokens()?),
            "cacheRead" => directives.cache_read = tokens()?,
            "cacheWrite" => directives.cache_write = tokens()?,
            "reasoning" => directives.reasoning = Some(tokens()?),
            "latency" => {
                directives.latency =
                    Some(duration(value).ok_or_else(|| {
                        refuse("`latency` takes a time such as 250ms or 2s, up to 15 minutes")
                    })?)
            }
            "stop" if !value.is_empty() => directives.stop = Some(value.to_owned()),
            "stop" => {
                return Err(refuse("`stop` takes a stop reason such as end_turn or max_tokens"));
            }
            "error" => {
                let error = BedrockError::named(value);
                directives.error = Some(
                    error
                        .ok_or_else(|| refuse(&format!("`error` takes one of {}", BedrockError::names())))?,
                );
            }
            "billed" | "redacted" | "citations" => {
                let value = value.parse().map_err(|_| refuse(&format!("`{key}` takes true or false")))?;
                match key {
                    "billed" => directives.billed = value,
                    "redacted" => directives.redacted = value,
                    _ => directives.citations = value,
                }
            }
            "tier" if ["default", "flex", "priority", "reserved"].contains(&value) => {
                directives.tier = Some(value.to_owned());
            }
            "tier" => return Err(refuse("`tier` takes default, flex, priority or reserved")),
            _ => {
                return Err(refuse(
                    "unknown key; known are output, input, cacheRead, cacheWrite, reasoning, redacted, citations, tier, latency, stop, error and billed",
                ));
            }
        }
    }
    Ok(directives)
}

/// What follows this word on a line, also after the `User:` that plain prompts put before a turn.
fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let line = ["User:", "Human:"].iter().find_map(|role| line.strip_prefix(role)).unwrap_or(line);
    let rest = line.trim_start().strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// The call that `calculator {"a":1}` describes.
fn call(text: &str) -> Result<ToolCallDirective, BedrockError> {
    let (name, input) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let input = match input.trim() {
        "" => Value::Object(Map::new()),
        input => serde_json::from_str(input).ok().filter(Value::is_object).ok_or_else(|| {
            BedrockError::validation(format!(
                "#call: the input of `{name}` must be a JSON object on the same line"
            ))
        })?,
    };
    if name.is_empty() {
        return Err(BedrockError::validation(
            "#call: write the name of a tool and its input, as in #call add {\"a\":1}",
        ));
    }
    Ok(ToolCallDirective { name: name.to_owned(), input })
}

fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let milliseconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (milliseconds <= 900_000).then(|| Duration::from_millis(milliseconds))
}
