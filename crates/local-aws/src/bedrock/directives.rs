//! Wishes that a test or a demonstration writes into its last user message:
//! `#sim output=500 input=1350 latency=1000ms stop=end_turn error=ThrottlingException`.

use std::time::Duration;

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
}

/// The most tokens that a directive may ask for: more would only test the memory of the host.
const MOST: u64 = 10_000_000;

/// Reads the last directive line of a message.
///
/// # Errors
/// A key is not known, or a value does not fit its key; the message names it.
pub fn read(message: &str) -> Result<Directives, BedrockError> {
    let mut directives = Directives::default();
    let Some(line) = message.lines().rev().find_map(directive) else {
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
            "billed" => {
                directives.billed = value.parse().map_err(|_| refuse("`billed` takes true or false"))?;
            }
            _ => {
                return Err(refuse(
                    "unknown key; known are output, input, cacheRead, cacheWrite, reasoning, latency, stop, error and billed",
                ));
            }
        }
    }
    Ok(directives)
}

/// What follows `#sim` on this line, also after the `User:` that plain prompts put before a turn.
fn directive(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = ["User:", "Human:"].iter().find_map(|role| line.strip_prefix(role)).unwrap_or(line);
    let rest = line.trim_start().strip_prefix("#sim")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

fn duration(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let milliseconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (milliseconds <= 900_000).then(|| Duration::from_millis(milliseconds))
}
