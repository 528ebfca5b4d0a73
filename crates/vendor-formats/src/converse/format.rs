//! The arguments of a call.

use sentry_core::request::{InputSchema, NoFields, ResponseFormat, ServiceTier, ToolChoice, ToolSpec};
use serde_json::{Map, Value, json};

use super::traits::{TopK, UNKNOWN, top_k, traits};
use super::{blocks, reasoning};
use crate::error::FormatError;
use crate::features::{ANSWER_TOOL, Features, SchemaSupport, ToolSupport};
use crate::read;
use crate::request::ChatRequest;
use crate::traits::SystemRole;
use crate::turns;

/// Writes the arguments of a call, without `ModelId`.
///
/// # Errors
/// `InvalidRequest` for what the model does not take through Converse.
pub fn format(request: &ChatRequest) -> Result<Value, FormatError> {
    let family = request.family.as_deref();
    let traits = family.map_or(UNKNOWN, traits);
    let features = Features::of(family);
    traits.check(request)?;
    features.check(request)?;
    let inference = &request.inference;

    let mut body = Map::new();
    let system = turns::system(&request.prompt);
    let folded = match traits.system {
        SystemRole::FirstUserTurn => request.conversation.system.clone(),
        SystemRole::Own => None,
    };
    let place_of_its_own = folded.is_none() && !system.is_empty();
    let turns = turns::turns(&request.prompt, folded);
    body.insert("Messages".to_owned(), turns.iter().map(blocks::message).collect());
    if place_of_its_own {
        body.insert("System".to_owned(), system.iter().map(blocks::part).collect());
    }
    body.insert("InferenceConfig".to_owned(), inference_config(request).into());
    read::put(&mut body, "ToolConfig", tool_config(request, &features));

    let mut vendor = Map::new();
    if let (Some(number), Some(spelling)) = (inference.top_k, family.and_then(top_k)) {
        let (field, value) = match spelling {
            TopK::Field(name) => (name, number.into()),
            TopK::InInferenceConfig(name) => ("inferenceConfig", json!({ name: number })),
        };
        vendor.insert(field.to_owned(), value);
    }
    let mut output = Map::new();
    if let Some(format) = &inference.response_format
        && features.schema == SchemaSupport::Native
    {
        output.insert("TextFormat".to_owned(), text_format(format));
    }
    let reasoning = reasoning::fields(request, features.reasoning)?;
    vendor.extend(reasoning.vendor);
    if let Some(effort) = reasoning.effort {
        // `OutputConfig.Effort` is the same setting. It is sent only where the object is there
        // for the schema, since two objects of one meaning may not go together; alone, the
        // vendor's own spelling is the one that clients are known to use.
        if output.is_empty() {
            vendor.insert("output_config".to_owned(), json!({ "effort": effort.as_str() }));
        } else {
            output.insert("Effort".to_owned(), effort.as_str().into());
        }
    }
    if !vendor.is_empty() {
        body.insert("AdditionalModelRequestFields".to_owned(), vendor.into());
    }
    if !output.is_empty() {
        body.insert("OutputConfig".to_owned(), output.into());
    }
    if let Some(tier @ (ServiceTier::Flex | ServiceTier::Priority)) = inference.service_tier {
        body.insert("ServiceTier".to_owned(), json!({ "Type": tier.as_str() }));
    }
    if !request.metadata.is_empty() {
        body.insert("RequestMetadata".to_owned(), request.metadata.clone().into());
    }
    Ok(Value::Object(body))
}

fn inference_config(request: &ChatRequest) -> Map<String, Value> {
    let inference = &request.inference;
    let mut config = Map::new();
    config.insert("MaxTokens".to_owned(), request.max_tokens().into());
    read::put(&mut config, "Temperature", inference.temperature);
    read::put(&mut config, "TopP", inference.top_p);
    read::put(&mut config, "StopSequences", read::stop(request.stop_sequences()));
    config
}

/// The caller's tools, or the one that stands for a schema; never both.
fn tool_config(request: &ChatRequest, features: &Features) -> Option<Value> {
    let (tools, choice): (Vec<Value>, Option<ToolChoice>) = match &request.inference.response_format {
        Some(format) if features.schema == SchemaSupport::ForcedTool => {
            let tool = answer_tool(format);
            // Among one tool, any is this one; that form is taken by more models.
            let choice = match features.tools {
                ToolSupport::Named => {
                    ToolChoice::Tool(sentry_core::request::ToolName { name: tool.name.clone() })
                }
                _ => ToolChoice::Any(NoFields {}),
            };
            (vec![blocks::tool_spec(&tool)], Some(choice))
        }
        _ => (request.prompt.tools.iter().map(blocks::tool).collect(), request.prompt.tool_choice.clone()),
    };
    if tools.is_empty() {
        return None;
    }
    let mut config = Map::new();
    config.insert("Tools".to_owned(), tools.into());
    read::put(&mut config, "ToolChoice", choice.as_ref().and_then(blocks::tool_choice));
    Some(config.into())
}

fn answer_tool(format: &ResponseFormat) -> ToolSpec {
    let description = format.description.clone().filter(|text| !text.trim().is_empty());
    ToolSpec {
        name: ANSWER_TOOL.to_owned(),
        description: Some(description.unwrap_or_else(|| "Gives the answer.".to_owned())),
        input_schema: InputSchema { json: format.schema.clone() },
        strict: None,
    }
}

/// Bedrock takes the schema as a text.
fn text_format(format: &ResponseFormat) -> Value {
    let mut schema = Map::new();
    schema.insert("Schema".to_owned(), format.schema.to_string().into());
    read::put(&mut schema, "Name", format.name.as_deref());
    read::put(&mut schema, "Description", format.description.as_deref());
    json!({ "Type": "json_schema", "Structure": { "JsonSchema": schema } })
}
