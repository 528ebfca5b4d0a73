//! `toolConfig`: the tools that a request offers, and which of them must be called.

use serde_json::{Value, json};

use super::super::error::BedrockError;
use super::super::fields::RequestFields;
use super::super::models::{Format, Model};
use super::billing::InputMeter;
use super::features::Features;
use super::wire::{
    CachePoint, cache_point, constraint, free_object, model_error, objects, tool_name, unsupported_field,
};
use super::{check, schema};

type Result<T> = std::result::Result<T, BedrockError>;

/// A tool that the request offers.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTool {
    /// Its name.
    pub name: String,
    /// The schema of its input.
    pub schema: Value,
}

/// Which tool the model is to call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// Some tool.
    Any,
    /// This tool.
    Named(String),
}

/// The tools of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OfferedTools {
    /// In their order.
    pub tools: Vec<OfferedTool>,
    /// Which one is to be called.
    pub choice: ToolChoice,
}

/// Reads and checks `toolConfig`, and counts it.
///
/// # Errors
/// Converse, or this model through it, would refuse it.
pub fn read(
    model: &Model,
    features: &Features,
    config: &RequestFields<'_>,
    meter: &mut InputMeter,
    points: &mut check::CachePointCheck,
) -> Result<OfferedTools> {
    config.only(&["tools", "toolChoice"])?;
    if !features.tools {
        return Err(BedrockError::validation("This model doesn't support tool use."));
    }
    config.required("tools")?;
    let entries = objects(config, "tools")?;
    if entries.is_empty() {
        return Err(constraint("[]", "toolConfig.tools", "have length greater than or equal to 1"));
    }
    let choice = tool_choice(features, config)?;
    let (auto, forced) = features.tool_prompt;
    meter.add(if choice == ToolChoice::Auto { auto } else { forced }, b"tools");
    let mut tools: Vec<OfferedTool> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        entry.only(&["toolSpec", "systemTool", "cachePoint"])?;
        let place = format!("toolConfig.tools.{index}");
        match (entry.object("toolSpec")?, entry.object("cachePoint")?, entry.has("systemTool")) {
            (Some(spec), None, false) => {
                let tool = tool_spec(model, features, &spec, index, meter)?;
                if tools.iter().any(|other| other.name == tool.name) {
                    return Err(model_error("tools: Tool names must be unique."));
                }
                tools.push(tool);
                meter.end_block();
            }
            (None, Some(point), false) => {
                let point: CachePoint = cache_point(&point, &place)?;
                points.take(features, &point, meter)?;
            }
            (None, None, true) => return Err(unsupported_field("toolConfig.tools.systemTool")),
            _ => {
                return Err(BedrockError::validation(format!(
                    "The Tool object at {place} must set exactly one of the following keys: toolSpec, systemTool, cachePoint."
                )));
            }
        }
    }
    if tools.is_empty() {
        return Err(BedrockError::validation(
            "The tools field in toolConfig must hold at least one toolSpec. Add a toolSpec and try again.",
        ));
    }
    if let ToolChoice::Named(name) = &choice
        && !tools.iter().any(|tool| &tool.name == name)
    {
        return Err(model_error(format!("tool_choice: Tool '{name}' not found in provided tools")));
    }
    Ok(OfferedTools { tools, choice })
}

fn tool_choice(features: &Features, config: &RequestFields<'_>) -> Result<ToolChoice> {
    let Some(choice) = config.object("toolChoice")? else {
        return Ok(ToolChoice::Auto);
    };
    choice.only(&["auto", "any", "tool"])?;
    let set: Vec<&str> = ["auto", "any", "tool"].into_iter().filter(|key| choice.has(key)).collect();
    let [kind] = set[..] else {
        return Err(BedrockError::validation(
            "The ToolChoice object at toolConfig.toolChoice must set exactly one of the following keys: auto, any, tool.",
        ));
    };
    if kind != "auto" && !features.forced_tool {
        return Err(unsupported_field(&format!("toolConfig.toolChoice.{kind}")));
    }
    let inner = choice.object(kind)?;
    match (kind, inner) {
        ("tool", Some(tool)) => {
            tool.only(&["name"])?;
            tool.required("name")?;
            let name = tool.text("name")?.unwrap_or_default();
            tool_name(name, "toolConfig.toolChoice.tool.name")?;
            Ok(ToolChoice::Named(name.to_owned()))
        }
        (_, Some(empty)) => {
            empty.only(&[])?;
            Ok(if kind == "any" { ToolChoice::Any } else { ToolChoice::Auto })
        }
        (_, None) => Ok(ToolChoice::Auto),
    }
}

fn tool_spec(
    model: &Model,
    features: &Features,
    spec: &RequestFields<'_>,
    index: usize,
    meter: &mut InputMeter,
) -> Result<OfferedTool> {
    spec.only(&["name", "description", "inputSchema", "strict"])?;
    spec.required("name")?;
    let member = format!("toolConfig.tools.{}.member.toolSpec", index + 1);
    let name = spec.text("name")?.unwrap_or_default();
    tool_name(name, &format!("{member}.name"))?;
    let description = spec.text("description")?;
    if description == Some("") {
        return Err(constraint(
            "",
            &format!("{member}.description"),
            "have length greater than or equal to 1",
        ));
    }
    spec.required("inputSchema")?;
    let input = spec.object("inputSchema")?;
    let Some(input) = input.filter(|input| input.has("json")) else {
        return Err(BedrockError::validation(format!(
            "The ToolInputSchema object at toolConfig.tools.{index}.toolSpec.inputSchema must set exactly one of the following keys: json."
        )));
    };
    input.only(&["json"])?;
    let schema = free_object(&input, "json")?;
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err(BedrockError::validation(format!(
            "The value at toolConfig.tools.{index}.toolSpec.inputSchema.json.type must be one of the following: object."
        )));
    }
    if spec.boolean("strict")? == Some(true) {
        if !features.strict_tools {
            return Err(unsupported_field("toolConfig.tools.toolSpec.strict"));
        }
        if let Some(reason) = schema::refusal(schema, model.format == Format::Claude) {
            return Err(model_error(format!("tools.{index}.custom.input_schema: {reason}")));
        }
    }
    let rendered = json!({ "name": name, "description": description, "parameters": schema });
    meter.text(&rendered.to_string());
    Ok(OfferedTool { name: name.to_owned(), schema: schema.clone() })
}
