//! Converse: one format for every chat model.
//!
//! `wire` reads the request as the service model describes it, `features` says what each family
//! takes, `check`, `tools`, `media`, `reasoning` and `schema` refuse what the models refuse,
//! `billing` counts what is read, and `answer` writes the answer.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

pub mod answer;
pub mod billing;
mod check;
pub mod features;
mod media;
mod options;
pub mod reasoning;
pub mod schema;
pub mod stream;
pub mod tools;
pub mod wire;

use serde_json::Value;

use super::error::BedrockError;
use super::fields::RequestFields;
use super::models::{Format, Model};
use super::prompt_cache::CacheablePrompt;
use super::request::SimulatedRequest;
use billing::InputMeter;
use check::{CachePointCheck, Setting};
use features::Features;
use media::MediaCheck;
use reasoning::{ReasoningMode, Surroundings};
use tools::OfferedTools;
use wire::{ContentBlock, ConverseMessage, ResultPart, Role, model_error};

type Result<T> = std::result::Result<T, BedrockError>;

const KEYS: [&str; 13] = [
    "modelId",
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];
/// What CountTokens takes of a request of Converse.
const COUNTED_KEYS: [&str; 4] = ["messages", "system", "toolConfig", "additionalModelRequestFields"];
/// The output limit of Claude when a request has none, as seen by others; AWS's text says the
/// model's maximum.
const CLAUDE_DEFAULT_OUTPUT: u64 = 4_096;

/// What only a request of Converse asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConverseTask {
    /// The tools that it offers.
    pub offered: OfferedTools,
    /// The schema of the answer.
    pub schema: Option<Value>,
    /// What tools said in the last message: their names and the text of their results.
    pub tool_results: Vec<(String, String)>,
    /// How the model thinks.
    pub reasoning: ReasoningMode,
    /// What may be read from the cache or written to it.
    pub cacheable: Option<CacheablePrompt>,
    /// The tier that was asked for.
    pub service_tier: Option<String>,
    /// The latency that was asked for.
    pub latency: Option<String>,
    /// Paths of the model's own answer that are wanted beside Converse's.
    pub response_paths: Vec<String>,
}

/// Checks a body.
///
/// # Errors
/// Converse, or this model through it, would refuse the body.
pub fn read(model: &Model, body: &Value) -> Result<SimulatedRequest> {
    let fields = RequestFields::root(body)?;
    fields.only(&KEYS)?;
    read_request(model, &fields, false)
}

/// Checks the part of a body that CountTokens takes.
///
/// # Errors
/// As [`read`].
pub fn read_counted(model: &Model, input: &RequestFields<'_>) -> Result<SimulatedRequest> {
    input.only(&COUNTED_KEYS)?;
    read_request(model, input, true)
}

fn read_request(model: &Model, fields: &RequestFields<'_>, counted: bool) -> Result<SimulatedRequest> {
    let features = Features::of(model);
    let limit = match model.format {
        // Nothing limits what is only counted.
        _ if counted => u64::MAX,
        Format::Claude => model.default_output.min(CLAUDE_DEFAULT_OUTPUT),
        _ => model.default_output,
    };
    let mut request = SimulatedRequest { limit, ..SimulatedRequest::default() };
    let sampling = options::inference(model, &features, fields, &mut request)?;
    let extra = options::additional(model, &features, fields)?;
    let mut task = options::read(model, &features, fields)?;
    let mut meter = InputMeter::default();
    let mut points = CachePointCheck::default();
    let tool_config = fields.object("toolConfig")?;
    if let Some(config) = &tool_config {
        task.offered = tools::read(model, &features, config, &mut meter, &mut points)?;
    }
    options::tool_choice(extra.as_ref(), tool_config.as_ref())?;
    let schema = options::response_schema(model, &features, fields)?;
    task.reasoning = reasoning::read(
        &features,
        extra.as_ref(),
        schema.effort.as_deref(),
        Surroundings {
            max_tokens: sampling.max_tokens,
            limit: request.limit,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            choice: &task.offered.choice,
        },
    )
    .map_err(options::as_model_error)?;
    let settings = schema.schema.as_ref().map(Value::to_string).unwrap_or_default();
    meter.add(task.reasoning.prompt_tokens + schema.prompt_tokens, settings.as_bytes());
    task.schema = schema.schema;
    system(model, &features, fields, &mut meter, &mut points)?;
    let messages = wire::objects(fields, "messages")?
        .iter()
        .enumerate()
        .map(|(index, message)| wire::message(message, index, features.system_messages))
        .collect::<Result<Vec<_>>>()?;
    let setting =
        Setting { model, features: &features, reasoning: task.reasoning, has_tools: tool_config.is_some() };
    check::conversation(&messages, setting)?;
    let mut media = MediaCheck::default();
    check::count(&messages, setting, &mut media, &mut points, &mut meter)?;
    if media.citations && task.schema.is_some() {
        return Err(model_error(
            "output_config.format: citations cannot be used together with structured outputs.",
        ));
    }
    media.finish(&mut meter);
    summarise(&messages, &mut request, &mut task);
    request.input_tokens = meter.tokens();
    task.cacheable = features.cache.map(|rule| CacheablePrompt { prefixes: meter.into_prefixes(), rule });
    request.converse = task;
    Ok(request)
}

fn system(
    model: &Model,
    features: &Features,
    fields: &RequestFields<'_>,
    meter: &mut InputMeter,
    points: &mut CachePointCheck,
) -> Result<()> {
    for (index, block) in wire::objects(fields, "system")?.iter().enumerate() {
        if !model.system {
            return Err(BedrockError::validation(
                "This model doesn't support system messages. Try again without a system message or use a model that supports system messages.",
            ));
        }
        let place = format!("system.{index}");
        match wire::system_block(block, &place)? {
            ContentBlock::CachePoint(point) => points.take(features, &point, meter)?,
            ContentBlock::Text(text) => {
                meter.text(&text);
                meter.end_block();
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the answer is about: the texts and the tools' results of the last message of the user.
fn summarise(messages: &[ConverseMessage], request: &mut SimulatedRequest, task: &mut ConverseTask) {
    request.messages = messages.iter().filter(|message| message.role != Role::System).count() as u64;
    let Some(last) = messages.iter().rev().find(|message| message.role == Role::User) else {
        return;
    };
    let texts: Vec<&str> = last
        .content
        .iter()
        .filter_map(|block| match block {
            ContentBlock::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    request.question = texts.join("\n");
    let name_of = |id: &str| {
        messages.iter().flat_map(|message| &message.content).find_map(|block| match block {
            ContentBlock::ToolUse(call) if call.id == id => Some(call.name.clone()),
            _ => None,
        })
    };
    for block in &last.content {
        if let ContentBlock::ToolResult(result) = block {
            let parts: Vec<String> = result
                .content
                .iter()
                .map(|part| match part {
                    ResultPart::Text(text) => text.clone(),
                    ResultPart::Json(value) => value.to_string(),
                    ResultPart::Image(image) => format!("an image ({})", image.format),
                    ResultPart::Document(document) => format!("the document {}", document.name),
                })
                .collect();
            task.tool_results.push((name_of(&result.id).unwrap_or_default(), parts.join(" ")));
        }
    }
}
