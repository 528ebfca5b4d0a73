//! From a chat completion's request to the sentry's.

use serde_json::{Map, Value, json};

use crate::fields::{list, object, only, present, required_text, text, wrong};
use crate::messages;

/// A request, in the sentry's form.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The sentry's request document, without tenant.
    pub document: Value,
    /// Whether the answer is to come in chunks.
    pub stream: bool,
    /// Whether the last chunk is to carry the usage.
    pub include_usage: bool,
}

/// A request that cannot be translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// The field; `None` for the body itself.
    pub param: Option<String>,
    /// A sentence that says what is wrong and what to do.
    pub message: String,
}

/// Fields that change nothing about the answer.
const IGNORED: &[&str] = &[
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "store",
    "verbosity",
    "parallel_tool_calls",
    "n",
    "seed",
    "logit_bias",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "prediction",
    "modalities",
    "audio",
    "web_search_options",
    "functions",
    "function_call",
    "stream",
    "stream_options",
];
/// Fields that are carried over.
const CARRIED: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "reasoning_effort",
    "thinking",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "service_tier",
    "metadata",
];
/// Names of `inference`'s fields in OpenAI's words.
const PARAMS: &[(&str, &str)] = &[
    ("prompt.messages", "messages"),
    ("prompt.tools", "tools"),
    ("prompt.toolChoice", "tool_choice"),
    ("inference.maxTokens", "max_completion_tokens"),
    ("inference.temperature", "temperature"),
    ("inference.topP", "top_p"),
    ("inference.topK", "top_k"),
    ("inference.stopSequences", "stop"),
    ("inference.reasoning", "reasoning_effort"),
    ("inference.responseFormat", "response_format"),
    ("inference.serviceTier", "service_tier"),
    ("modelId", "model"),
    ("tags", "metadata"),
];

/// The field of a chat completion's request that a path of the sentry's request stands for.
/// Each message of the one is one message of the other.
#[must_use]
pub fn param_of(path: &str) -> String {
    for (ours, theirs) in PARAMS {
        if let Some(rest) = path.strip_prefix(ours)
            && (rest.is_empty() || rest.starts_with(['.', '[']))
        {
            return match *theirs {
                "messages" => {
                    format!("messages{}", rest.split(".content").next().unwrap_or_default())
                        + if rest.contains(".content") { ".content" } else { "" }
                }
                "tools" => format!("tools{}", rest.split('.').next().unwrap_or_default()),
                "stop" => format!("stop{rest}"),
                other => other.to_owned(),
            };
        }
    }
    path.to_owned()
}

/// Reads the body of a request.
///
/// # Errors
/// With the field that is wrong or not supported.
pub fn read(body: &Value) -> Result<ChatRequest, RequestError> {
    let Some(fields) = body.as_object() else {
        return Err(RequestError { param: None, message: "The body must be a JSON object.".to_owned() });
    };
    refuse(fields)?;
    let model = match present(fields, "model") {
        Some(model) => text(model, "model")?,
        None => return Err(wrong("model", "is missing; name a model, as GET /v1/models lists them")),
    };
    let Some(given) = present(fields, "messages") else {
        return Err(wrong("messages", "is missing; add at least one message with role \"user\""));
    };
    let messages = messages::read(list(given, "messages")?)?;
    let has_calls = messages.has_calls;
    let mut prompt = Map::new();
    prompt.insert("messages".to_owned(), messages.messages.into());
    tools(fields, has_calls, &mut prompt)?;
    let mut document = Map::new();
    document.insert("modelId".to_owned(), model.into());
    document.insert("prompt".to_owned(), prompt.into());
    let inference = inference(fields)?;
    if !inference.is_empty() {
        document.insert("inference".to_owned(), inference.into());
    }
    if let Some(tags) = tags(fields)? {
        document.insert("tags".to_owned(), tags);
    }
    let (stream, include_usage) = streaming(fields)?;
    Ok(ChatRequest { document: document.into(), stream, include_usage })
}

/// Refuses what would change the answer and cannot be carried over.
fn refuse(fields: &Map<String, Value>) -> Result<(), RequestError> {
    let known: Vec<&str> = CARRIED.iter().chain(IGNORED).copied().collect();
    only(fields, &known, "")?;
    let is = |name: &str, harmless: fn(&Value) -> bool| present(fields, name).is_none_or(harmless);
    let zero = |value: &Value| value.as_f64() == Some(0.0);
    let empty = |value: &Value| {
        value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
    };
    for (name, harmless, what) in [
        ("n", is("n", |n| n.as_u64() == Some(1)), "must be 1: an answer has one choice"),
        ("seed", is("seed", |_| false), "is not supported: Bedrock's models take no seed; leave it out"),
        ("logit_bias", is("logit_bias", empty), "is not supported by Bedrock; leave it out"),
        ("frequency_penalty", is("frequency_penalty", zero), "is not supported by Bedrock; leave it out"),
        ("presence_penalty", is("presence_penalty", zero), "is not supported by Bedrock; leave it out"),
        ("logprobs", is("logprobs", |v| v == &json!(false)), "is not supported by Bedrock; leave it out"),
        ("top_logprobs", is("top_logprobs", |v| v == &json!(0)), "is not supported by Bedrock; leave it out"),
        ("prediction", is("prediction", |_| false), "is not supported; leave it out"),
        ("audio", is("audio", |_| false), "is not supported; leave it out"),
        ("modalities", is("modalities", |v| v == &json!(["text"])), "must be [\"text\"]"),
        (
            "web_search_options",
            is("web_search_options", |_| false),
            "is not supported: a search on the server has no bound of tokens; leave it out",
        ),
        ("functions", is("functions", empty), "is deprecated; use `tools`"),
        (
            "function_call",
            is("function_call", |v| v == &json!("auto") || v == &json!("none")),
            "is deprecated; use `tool_choice`",
        ),
        (
            "store",
            is("store", |v| v == &json!(false)),
            "is not supported: answers are not stored; leave it out",
        ),
        ("verbosity", is("verbosity", |v| v == &json!("medium")), "is not supported; say it in the prompt"),
        (
            "parallel_tool_calls",
            is("parallel_tool_calls", |v| v == &json!(true)),
            "can only be true; say in the prompt that one call at a time is wanted",
        ),
    ] {
        if !harmless {
            return Err(wrong(name, what));
        }
    }
    Ok(())
}

fn tools(
    fields: &Map<String, Value>,
    has_calls: bool,
    prompt: &mut Map<String, Value>,
) -> Result<(), RequestError> {
    let mut specs = Vec::new();
    if let Some(tools) = present(fields, "tools") {
        for (index, tool) in list(tools, "tools")?.iter().enumerate() {
            let param = format!("tools[{index}]");
            specs.push(tool_spec(object(tool, &param)?, &param)?);
            if let Some(point) = messages::cache_point(object(tool, &param)?, &param)? {
                specs.push(point);
            }
        }
    }
    let choice = match present(fields, "tool_choice") {
        None => None,
        Some(Value::String(word)) => match word.as_str() {
            "auto" => None,
            "required" => Some(json!({ "any": {} })),
            "none" if has_calls => {
                return Err(wrong(
                    "tool_choice",
                    "cannot be \"none\" while the history has tool calls: Bedrock then needs the tools; leave it out",
                ));
            }
            "none" => return Ok(()),
            _ => {
                return Err(wrong(
                    "tool_choice",
                    "must be \"auto\", \"required\", \"none\" or a function's name",
                ));
            }
        },
        Some(choice) => {
            let choice = object(choice, "tool_choice")?;
            let function =
                present(choice, "function").filter(|_| choice.get("type") == Some(&json!("function")));
            let Some(function) = function else {
                return Err(wrong(
                    "tool_choice",
                    "must be \"auto\", \"required\", \"none\" or name a function",
                ));
            };
            let name =
                required_text(object(function, "tool_choice.function")?, "name", "tool_choice.function")?;
            Some(json!({ "tool": { "name": name } }))
        }
    };
    if !specs.is_empty() {
        prompt.insert("tools".to_owned(), specs.into());
    }
    if let Some(choice) = choice {
        prompt.insert("toolChoice".to_owned(), choice);
    }
    Ok(())
}

fn tool_spec(tool: &Map<String, Value>, param: &str) -> Result<Value, RequestError> {
    if tool.get("type") != Some(&json!("function")) {
        return Err(wrong(&format!("{param}.type"), "must be \"function\""));
    }
    only(tool, &["type", "function", "cache_control"], param)?;
    let at = format!("{param}.function");
    let function = object(tool.get("function").unwrap_or(&Value::Null), &at)?;
    only(function, &["name", "description", "parameters", "strict"], &at)?;
    let mut spec = Map::new();
    spec.insert("name".to_owned(), required_text(function, "name", &at)?.into());
    if let Some(description) = present(function, "description") {
        let description = text(description, &format!("{at}.description"))?;
        if !description.trim().is_empty() {
            spec.insert("description".to_owned(), description.into());
        }
    }
    let parameters = match present(function, "parameters") {
        Some(parameters) => parameters.clone(),
        None => json!({ "type": "object", "properties": {} }),
    };
    spec.insert("inputSchema".to_owned(), json!({ "json": parameters }));
    // `false` is the default.
    if function.get("strict") == Some(&json!(true)) {
        spec.insert("strict".to_owned(), true.into());
    }
    Ok(json!({ "toolSpec": spec }))
}

fn inference(fields: &Map<String, Value>) -> Result<Map<String, Value>, RequestError> {
    let mut inference = Map::new();
    let most = (present(fields, "max_tokens"), present(fields, "max_completion_tokens"));
    match most {
        (Some(one), Some(other)) if one != other => {
            return Err(wrong("max_tokens", "differs from `max_completion_tokens`; give one of them"));
        }
        (Some(most), _) | (None, Some(most)) => {
            inference.insert("maxTokens".to_owned(), most.clone());
        }
        (None, None) => {}
    }
    for (theirs, ours) in [("temperature", "temperature"), ("top_p", "topP"), ("top_k", "topK")] {
        if let Some(value) = present(fields, theirs) {
            inference.insert(ours.to_owned(), value.clone());
        }
    }
    match present(fields, "stop") {
        None => {}
        Some(Value::String(one)) => {
            inference.insert("stopSequences".to_owned(), json!([one]));
        }
        Some(stop) => {
            let stop = list(stop, "stop")?;
            if !stop.is_empty() {
                inference.insert("stopSequences".to_owned(), stop.into());
            }
        }
    }
    if let Some(reasoning) = reasoning(fields)? {
        inference.insert("reasoning".to_owned(), reasoning);
    }
    if let Some(format) = present(fields, "response_format")
        && let Some(format) = response_format(object(format, "response_format")?)?
    {
        inference.insert("responseFormat".to_owned(), format);
    }
    match present(fields, "service_tier").map(|tier| text(tier, "service_tier")).transpose()? {
        None | Some("auto" | "default") => {}
        Some(tier @ ("flex" | "priority")) => {
            inference.insert("serviceTier".to_owned(), tier.into());
        }
        Some(_) => {
            return Err(wrong("service_tier", "must be \"auto\", \"default\", \"flex\" or \"priority\""));
        }
    }
    Ok(inference)
}

fn reasoning(fields: &Map<String, Value>) -> Result<Option<Value>, RequestError> {
    let effort =
        present(fields, "reasoning_effort").map(|effort| text(effort, "reasoning_effort")).transpose()?;
    let thinking = present(fields, "thinking").map(|thinking| object(thinking, "thinking")).transpose()?;
    match (effort, thinking) {
        (Some(_), Some(_)) => Err(wrong("thinking", "and `reasoning_effort` say the same; give one of them")),
        (Some("none"), None) => Ok(Some(json!({ "off": true }))),
        (Some(effort @ ("low" | "medium" | "high" | "xhigh" | "max")), None) => {
            Ok(Some(json!({ "effort": effort })))
        }
        (Some(_), None) => Err(wrong(
            "reasoning_effort",
            "must be \"none\", \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"",
        )),
        (None, Some(thinking)) => {
            only(thinking, &["type", "budget_tokens"], "thinking")?;
            match (required_text(thinking, "type", "thinking")?, present(thinking, "budget_tokens")) {
                ("enabled", Some(budget)) => Ok(Some(json!({ "budgetTokens": budget }))),
                ("enabled", None) => Err(wrong("thinking.budget_tokens", "is missing; add it")),
                ("disabled", None) => Ok(Some(json!({ "off": true }))),
                _ => Err(wrong(
                    "thinking.type",
                    "must be \"enabled\" or \"disabled\"; for adaptive thinking give `reasoning_effort`",
                )),
            }
        }
        (None, None) => Ok(None),
    }
}

fn response_format(format: &Map<String, Value>) -> Result<Option<Value>, RequestError> {
    match required_text(format, "type", "response_format")? {
        "text" => Ok(None),
        "json_schema" => {
            let at = "response_format.json_schema";
            let given = object(format.get("json_schema").unwrap_or(&Value::Null), at)?;
            only(given, &["name", "description", "schema", "strict"], at)?;
            let Some(schema) = present(given, "schema") else {
                return Err(wrong(&format!("{at}.schema"), "is missing; add it"));
            };
            let mut ours = Map::new();
            ours.insert("schema".to_owned(), schema.clone());
            for name in ["name", "description"] {
                if let Some(value) = present(given, name) {
                    ours.insert(name.to_owned(), value.clone());
                }
            }
            Ok(Some(ours.into()))
        }
        "json_object" => Err(wrong(
            "response_format.type",
            "cannot be \"json_object\": Bedrock has no such mode; give a schema with \"json_schema\", or ask for JSON in the prompt",
        )),
        _ => Err(wrong("response_format.type", "must be \"text\" or \"json_schema\"")),
    }
}

/// The tags among the request's metadata; other metadata is the caller's own.
fn tags(fields: &Map<String, Value>) -> Result<Option<Value>, RequestError> {
    let Some(metadata) = present(fields, "metadata") else { return Ok(None) };
    let metadata = object(metadata, "metadata")?;
    let tags: Map<String, Value> = ["applicationId", "costCenter", "environment"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), present(metadata, name)?.clone())))
        .collect();
    Ok((!tags.is_empty()).then(|| tags.into()))
}

fn streaming(fields: &Map<String, Value>) -> Result<(bool, bool), RequestError> {
    let truth =
        |value: &Value, param: &str| value.as_bool().ok_or_else(|| wrong(param, "must be true or false"));
    let stream = present(fields, "stream").map_or(Ok(false), |stream| truth(stream, "stream"))?;
    let Some(options) = present(fields, "stream_options") else { return Ok((stream, false)) };
    let options = object(options, "stream_options")?;
    if !stream {
        return Err(wrong("stream_options", "needs `stream: true`; add it or leave the options out"));
    }
    only(options, &["include_usage", "include_obfuscation"], "stream_options")?;
    let include_usage = present(options, "include_usage")
        .map_or(Ok(false), |include| truth(include, "stream_options.include_usage"))?;
    Ok((stream, include_usage))
}
