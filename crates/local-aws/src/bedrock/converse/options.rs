//! The settings of a request: sampling, fields for the model itself, the schema of the answer,
//! tier, metadata.

use serde_json::Value;

use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::{Format, Model, Sampling};
use super::super::request::SimulatedRequest;
use super::billing::text_tokens;
use super::features::{Features, ReasoningControl};
use super::wire::{constraint, model_error, pattern, unsupported_field};
use super::{ConverseTask, schema};

type Result<T> = std::result::Result<T, BedrockError>;

/// Tokens that a schema of the answer adds to Claude's prompt, beside its own.
const SCHEMA_PROMPT: u64 = 128;

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(BedrockError::validation(message))
}

/// What the model itself refuses, as Converse passes it on.
pub fn as_model_error(error: BedrockError) -> BedrockError {
    if error.message.starts_with("The model returned the following errors") {
        return error;
    }
    model_error(error.message)
}

/// What `inferenceConfig` says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SamplingFields {
    /// The output limit.
    pub max_tokens: Option<u64>,
    /// The temperature.
    pub temperature: Option<f64>,
    /// Top-p.
    pub top_p: Option<f64>,
}

/// Reads `inferenceConfig`.
///
/// # Errors
/// A value is out of its bounds, or the model does not take it.
pub fn inference(
    model: &Model,
    features: &Features,
    fields: &RequestFields<'_>,
    request: &mut SimulatedRequest,
) -> Result<SamplingFields> {
    let Some(config) = fields.object("inferenceConfig")? else {
        return Ok(SamplingFields::default());
    };
    config.only(&["maxTokens", "temperature", "topP", "stopSequences"])?;
    for key in ["temperature", "topP"] {
        let Some(number) = config.number(key, f64::MIN, f64::MAX)? else {
            continue;
        };
        let bound = if number < 0.0 { "greater than or equal to 0" } else { "less than or equal to 1" };
        if !(0.0..=1.0).contains(&number) {
            return refuse(format!(
                "1 validation error detected: Value '{number}' at 'inferenceConfig.{key}' failed to satisfy constraint: Member must have value {bound}"
            ));
        }
        if model.sampling == Sampling::Refused {
            let name = if key == "topP" { "top_p" } else { key };
            return refuse(format!(
                "The model returned the following errors: `{name}` is deprecated for this model."
            ));
        }
    }
    if model.sampling == Sampling::OneOf && config.has("temperature") && config.has("topP") {
        return refuse(
            "The model returned the following errors: `temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        );
    }
    if let Some(value) = config.raw("maxTokens") {
        if value.as_i64().is_some_and(|limit| limit < 1) {
            return refuse(format!(
                "1 validation error detected: Value '{value}' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1"
            ));
        }
        let limit = config.integer("maxTokens", 1, u64::MAX)?.unwrap_or(1);
        if limit > model.max_output {
            return refuse(format!(
                "The maximum tokens you requested exceeds the model limit of {0}. Try again with a maximum tokens value that is lower than {0}.",
                model.max_output
            ));
        }
        if limit < features.least_output {
            return refuse(format!(
                "The model returned the following errors: Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {}, but got {limit} instead.",
                features.least_output
            ));
        }
        request.limit = limit;
    }
    request.stops = config.strings("stopSequences", 2500)?;
    if !model.stops && !request.stops.is_empty() {
        return refuse(
            "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
        );
    }
    Ok(SamplingFields {
        max_tokens: config.raw("maxTokens").and_then(Value::as_u64),
        temperature: config.raw("temperature").and_then(Value::as_f64),
        top_p: config.raw("topP").and_then(Value::as_f64),
    })
}

/// Fields that go to the model past Converse: each must be one that the model takes.
///
/// # Errors
/// The model does not take a field.
pub fn additional<'a>(
    model: &Model,
    features: &Features,
    fields: &RequestFields<'a>,
) -> Result<Option<RequestFields<'a>>> {
    let Some(extra) = fields.object("additionalModelRequestFields")? else {
        return Ok(None);
    };
    let allowed: &[&str] = match model.format {
        Format::Claude | Format::ClaudeLegacy => {
            &["top_k", "anthropic_beta", "tool_choice", "metadata", "context_management"]
        }
        Format::Nova => &["inferenceConfig"],
        Format::MistralPrompt => &["top_k"],
        Format::CohereCommand => &["k", "return_likelihoods", "logit_bias", "truncate", "num_generations"],
        Format::CohereChat => {
            &["k", "seed", "frequency_penalty", "presence_penalty", "documents", "search_queries_only"]
        }
        Format::Jurassic => &["countPenalty", "presencePenalty", "frequencyPenalty"],
        Format::Jamba => &["frequency_penalty", "presence_penalty", "n"],
        Format::MistralChat => &["random_seed", "safe_prompt"],
        Format::Chat | Format::Writer => &[
            "seed",
            "user",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "response_format",
            "parallel_tool_calls",
            "top_k",
        ],
        Format::Titan | Format::Llama | Format::DeepSeekR1 => &[],
    };
    let reasoning: &[&str] = match features.reasoning {
        ReasoningControl::Thinking(_) => &["thinking", "output_config"],
        ReasoningControl::ReasoningConfigObject => &["reasoningConfig"],
        // DeepSeek passes over `thinking` without a word.
        ReasoningControl::ReasoningEffort => &["reasoning_effort", "thinking"],
        ReasoningControl::ReasoningObject => &["reasoning"],
        ReasoningControl::ReasoningConfigText => &["reasoning_config"],
        ReasoningControl::None | ReasoningControl::Always => &[],
    };
    let allowed: Vec<&str> = allowed.iter().chain(reasoning).copied().collect();
    extra.only(&allowed).map_err(as_model_error)?;
    if extra.has("top_k") && !model.top_k {
        return Err(if model.sampling == Sampling::Refused && model.format == Format::Claude {
            as_model_error(BedrockError::validation("`top_k` is deprecated for this model."))
        } else {
            as_model_error(extra.extraneous("top_k"))
        });
    }
    extra.integer("top_k", 0, 500).map_err(as_model_error)?;
    extra.integer("k", 0, 500).map_err(as_model_error)?;
    if let Some(config) = extra.object("inferenceConfig").map_err(as_model_error)? {
        config.only(&["topK", "top_k"]).map_err(as_model_error)?;
        config.integer("topK", 0, 128).map_err(as_model_error)?;
        config.integer("top_k", 0, 128).map_err(as_model_error)?;
    }
    Ok(Some(extra))
}

/// `tool_choice` for Claude may only say whether several tools may be called at once.
///
/// # Errors
/// It says more, or stands beside `toolConfig.toolChoice` with a type.
pub fn tool_choice(extra: Option<&RequestFields<'_>>, tool_config: Option<&RequestFields<'_>>) -> Result<()> {
    let Some(choice) = extra.map(|extra| extra.object("tool_choice")).transpose()?.flatten() else {
        return Ok(());
    };
    let Some(config) = tool_config else {
        return Err(model_error("tool_choice: `tool_choice` may only be specified while providing `tools`."));
    };
    choice.only(&["type", "disable_parallel_tool_use"]).map_err(as_model_error)?;
    choice.boolean("disable_parallel_tool_use").map_err(as_model_error)?;
    choice.one_of("type", &["auto", "any"]).map_err(as_model_error)?;
    if choice.has("type") && config.has("toolChoice") {
        return Err(model_error("tool_choice.type: the tool choice is given twice"));
    }
    Ok(())
}

/// What `outputConfig` asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutputFields {
    /// The schema of the answer.
    pub schema: Option<Value>,
    /// The tokens that it adds to the prompt.
    pub prompt_tokens: u64,
    /// The effort.
    pub effort: Option<String>,
}

/// Reads `outputConfig`.
///
/// # Errors
/// It is not as the service model describes it, or the model takes no such schema.
pub fn response_schema(
    model: &Model,
    features: &Features,
    fields: &RequestFields<'_>,
) -> Result<OutputFields> {
    let mut found = OutputFields::default();
    let Some(config) = fields.object("outputConfig")? else {
        return Ok(found);
    };
    config.only(&["textFormat", "effort"])?;
    if let Some(effort) = config.text("effort")? {
        if !features.effort {
            return Err(unsupported_field("outputConfig.effort"));
        }
        if !["low", "medium", "high", "xhigh", "max"].contains(&effort) {
            return Err(model_error(
                "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
            ));
        }
        found.effort = Some(effort.to_owned());
    }
    let Some(format) = config.object("textFormat")? else {
        return Ok(found);
    };
    format.only(&["type", "structure"])?;
    format.required("type")?;
    format.required("structure")?;
    if let Some(kind) = format.text("type")?.filter(|kind| *kind != "json_schema") {
        return Err(constraint(
            kind,
            "outputConfig.textFormat.type",
            "satisfy enum value set: [json_schema]",
        ));
    }
    let structure = format.object("structure")?;
    let Some(json_schema) = structure.map(|structure| {
        structure.only(&["jsonSchema"])?;
        structure.required("jsonSchema")?;
        structure.object("jsonSchema")
    }) else {
        return Ok(found);
    };
    let Some(json_schema) = json_schema? else {
        return Ok(found);
    };
    json_schema.only(&["schema", "name", "description"])?;
    json_schema.required("schema")?;
    let (name, description) = (json_schema.text("name")?, json_schema.text("description")?);
    let text = json_schema.text("schema")?.unwrap_or_default();
    if !features.schema {
        return Err(unsupported_field("outputConfig.textFormat"));
    }
    let schema: Value = serde_json::from_str(text).map_err(|_| {
        BedrockError::validation(
            "The value at outputConfig.textFormat.structure.jsonSchema.schema is not valid JSON.",
        )
    })?;
    if let Some(reason) = schema::refusal(&schema, model.format == Format::Claude) {
        return Err(model_error(format!("output_config.format.schema: {reason}")));
    }
    if features.schema_billed {
        found.prompt_tokens = SCHEMA_PROMPT
            + text_tokens(&schema.to_string())
            + text_tokens(name.unwrap_or_default())
            + text_tokens(description.unwrap_or_default());
    }
    found.schema = Some(schema);
    Ok(found)
}

/// Reads tier, latency, metadata and the paths of the model's own answer.
///
/// # Errors
/// A value is out of its bounds, or the model does not take it.
pub fn read(model: &Model, features: &Features, fields: &RequestFields<'_>) -> Result<ConverseTask> {
    let mut task = ConverseTask::default();
    if fields.has("guardrailConfig") {
        return refuse("The guardrail identifier or version provided in the request does not exist.");
    }
    if fields.has("promptVariables") {
        return refuse("The promptVariables field is only supported when modelId is the ARN of a prompt.");
    }
    if let Some(tier) = fields.object("serviceTier")? {
        tier.only(&["type"])?;
        tier.required("type")?;
        let kind = tier.text("type")?.unwrap_or_default();
        if !["priority", "default", "flex", "reserved"].contains(&kind) {
            return Err(constraint(
                kind,
                "serviceTier.type",
                "satisfy enum value set: [priority, default, flex, reserved]",
            ));
        }
        if kind != "default" && !features.tiers {
            return refuse(format!("The service tier {kind} is not supported for this model."));
        }
        task.service_tier = Some(kind.to_owned());
    }
    if let Some(config) = fields.object("performanceConfig")? {
        config.only(&["latency"])?;
        let latency = config.text("latency")?.unwrap_or("standard");
        if !["standard", "optimized"].contains(&latency) {
            return Err(constraint(
                latency,
                "performanceConfig.latency",
                "satisfy enum value set: [standard, optimized]",
            ));
        }
        if latency == "optimized" {
            return refuse(format!("Latency performance configuration is not supported for {}.", model.id));
        }
        task.latency = Some(latency.to_owned());
    }
    if let Some(metadata) = fields.raw("requestMetadata") {
        request_metadata(metadata)?;
    }
    task.response_paths = fields.strings("additionalModelResponseFieldPaths", 10)?;
    for path in &task.response_paths {
        if !path.starts_with('/') || path.len() > 256 {
            return refuse(format!(
                "The value {path} in additionalModelResponseFieldPaths is not a valid JSON Pointer."
            ));
        }
    }
    Ok(task)
}

fn request_metadata(metadata: &Value) -> Result<()> {
    const REGEX: &str = "[a-zA-Z0-9\\s:_@$#=/+,-.]*";
    let path = "requestMetadata";
    let pairs = RequestFields::at("#/requestMetadata", metadata)?;
    let Some(map) = metadata.as_object() else {
        return Ok(());
    };
    if map.is_empty() || map.len() > 16 {
        let bound = if map.is_empty() { "greater than or equal to 1" } else { "less than or equal to 16" };
        return Err(constraint(&metadata.to_string(), path, &format!("have length {bound}")));
    }
    let fits = |letter: char| {
        letter.is_ascii_alphanumeric() || letter.is_ascii_whitespace() || ":_@$#=/+,-.".contains(letter)
    };
    for key in map.keys() {
        let value = pairs.text(key)?.unwrap_or_default();
        pattern(key, path, 256, REGEX, fits)?;
        if !value.is_empty() {
            pattern(value, path, 256, REGEX, fits)?;
        }
    }
    Ok(())
}
