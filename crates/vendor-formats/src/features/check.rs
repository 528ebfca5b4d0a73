//! The refusal of what a family does not take, by its path in the request.
//!
//! Fails closed: what the table does not have is refused, and nothing is dropped silently.

use sentry_core::request::{
    Block, CachePoint, Document, ReasoningContent, ReasoningSetting, ResultBlock, Role, ServiceTier, Tool,
    ToolChoice, ToolResult,
};
use serde_json::Value;

use super::{Features, ImageSupport, SchemaSupport, ToolSupport};
use crate::error::FormatError;
use crate::request::ChatRequest;
use crate::turns::{Part, tool_specs, turns};

/// The name of the tool that stands for a schema where a model has no other way to keep to one. A
/// call of it is the answer.
pub const ANSWER_TOOL: &str = "sentry_response_format";
/// The least `topP` with which Claude reasons.
const LEAST_TOP_P: f64 = 0.95;

impl Features {
    /// Refuses what the family does not take.
    pub(crate) fn check(&self, request: &ChatRequest) -> Result<(), FormatError> {
        let check = Check { features: self, request, name: request.name() };
        check.tools()?;
        check.messages()?;
        check.cache_points()?;
        check.response_format()?;
        check.reasoning()?;
        check.service_tier()
    }
}

struct Check<'a> {
    features: &'a Features,
    request: &'a ChatRequest,
    name: &'a str,
}

impl<'a> Check<'a> {
    /// A refusal that begins with the name of the family.
    fn refuse<T>(&self, path: impl Into<String>, what: &str) -> Result<T, FormatError> {
        Err(FormatError::invalid(path, format!("{} {what}", self.name)))
    }

    fn tools(&self) -> Result<(), FormatError> {
        let prompt = &self.request.prompt;
        if prompt.tools.is_empty() {
            return Ok(());
        }
        if self.features.tools == ToolSupport::No {
            return self.refuse("prompt.tools", "takes no `tools`; leave them out or choose another model.");
        }
        for (index, spec) in tool_specs(prompt) {
            let path = |field: &str| format!("prompt.tools[{index}].toolSpec.{field}");
            if spec.name == ANSWER_TOOL {
                return self.refuse(
                    path("name"),
                    "is given a tool of this name for `responseFormat`; give the tool another name.",
                );
            }
            if spec.strict == Some(true) {
                if !self.features.strict_tools {
                    return self.refuse(
                        path("strict"),
                        "takes no `strict` tools; leave `strict` out, or choose a model that takes it, such as \
                         anthropic.claude-sonnet-4-6.",
                    );
                }
                self.closed(&spec.input_schema.json, &path("inputSchema.json"))?;
            }
        }
        let (needed, field) = match prompt.tool_choice {
            None | Some(ToolChoice::Auto(_)) => return Ok(()),
            Some(ToolChoice::Any(_)) => (ToolSupport::Any, "prompt.toolChoice.any"),
            Some(ToolChoice::Tool(_)) => (ToolSupport::Named, "prompt.toolChoice.tool"),
        };
        if self.features.tools < needed {
            let instead = if self.features.tools == ToolSupport::Any { "`any` or `auto`" } else { "`auto`" };
            return self.refuse(
                field,
                &format!("cannot be made to call a tool in this way; use {instead} and say in the prompt when to call it."),
            );
        }
        if self.thinks() {
            return self.refuse(
                field,
                "cannot be made to call a tool while it reasons; leave `inference.reasoning` out, or use `auto`.",
            );
        }
        Ok(())
    }

    fn messages(&self) -> Result<(), FormatError> {
        for (index, message) in self.request.prompt.messages.iter().enumerate() {
            for (position, block) in message.content.blocks().iter().enumerate() {
                let path = format!("prompt.messages[{index}].content[{position}].{}", block.name());
                match block {
                    Block::Image(_) if self.features.images == ImageSupport::No => {
                        return self.refuse(path, "takes no pictures; leave it out or choose a model that does, such as anthropic.claude-sonnet-4-6.");
                    }
                    Block::Document(document) => self.document(document, &path)?,
                    Block::ToolResult(result) => self.tool_result(result, &path)?,
                    Block::ReasoningContent(reasoning) => self.past_reasoning(reasoning, &path)?,
                    Block::Image(_) | Block::Text(_) | Block::ToolUse(_) | Block::CachePoint(_) => {}
                }
            }
        }
        Ok(())
    }

    fn document(&self, document: &Document, path: &str) -> Result<(), FormatError> {
        let formats = self.features.documents;
        if formats.is_empty() {
            return self.refuse(path, "takes no documents; send the text of it as a text block.");
        }
        if let Some(format) = document.format
            && !formats.contains(&format)
        {
            let what = format!(
                "takes documents in the formats {}; send it in one of these, or its text as a text block.",
                formats.join(", ")
            );
            return self.refuse(format!("{path}.format"), &what);
        }
        if document.cited() {
            let path = format!("{path}.citations");
            if !self.features.citations {
                return self.refuse(path, "cites no documents; leave `citations` out.");
            }
            if self.request.inference.response_format.is_some() {
                return self.refuse(
                    path,
                    "does not cite in an answer that keeps to a schema; leave `citations` or \
                     `inference.responseFormat` out.",
                );
            }
        }
        Ok(())
    }

    fn tool_result(&self, result: &ToolResult, path: &str) -> Result<(), FormatError> {
        if result.status == Some("error") && !self.features.result_status {
            return self.refuse(
                format!("{path}.status"),
                "takes no `status` of a tool's result; leave it out and say in the result that the call failed.",
            );
        }
        for (place, part) in result.content.iter().enumerate() {
            let path = format!("{path}.content[{place}]");
            match part {
                ResultBlock::Image(_) if self.features.images < ImageSupport::Results => {
                    let instead = if self.features.images == ImageSupport::Messages {
                        "takes no pictures in a tool's result; put it after the results, in the same message."
                    } else {
                        "takes no pictures; leave it out or choose a model that does."
                    };
                    return self.refuse(format!("{path}.image"), instead);
                }
                ResultBlock::Document(document) => {
                    let path = format!("{path}.document");
                    self.document(document, &path)?;
                    if !self.features.documents_in_results {
                        return self.refuse(
                            path,
                            "takes no documents in a tool's result; put it after the results, in the same message.",
                        );
                    }
                }
                ResultBlock::Image(_) | ResultBlock::Json(_) | ResultBlock::Text(_) => {}
            }
        }
        Ok(())
    }

    fn past_reasoning(&self, reasoning: &ReasoningContent, path: &str) -> Result<(), FormatError> {
        if !self.features.reasoning_history {
            return self.refuse(path, "takes no reasoning of earlier turns; leave it out.");
        }
        match reasoning {
            ReasoningContent::ReasoningText(text)
                if self.features.reasoning.is_claude() && text.signature.is_none() =>
            {
                self.refuse(
                    format!("{path}.reasoningText.signature"),
                    "knows its own reasoning by the signature; give it back as it came, or leave the block out.",
                )
            }
            _ => Ok(()),
        }
    }

    fn cache_points(&self) -> Result<(), FormatError> {
        let mut points: Vec<(&CachePoint, String)> = Vec::new();
        for (index, tool) in self.request.prompt.tools.iter().enumerate() {
            if let Tool::CachePoint(point) = tool {
                let path = format!("prompt.tools[{index}].cachePoint");
                if self.features.cache.longest.is_some() && !self.features.cache.in_tools {
                    return self.refuse(
                        path,
                        "caches messages and system texts and no tools; put the cache point there.",
                    );
                }
                points.push((point, path));
            }
        }
        for (index, message) in self.request.prompt.messages.iter().enumerate() {
            for (position, block) in message.content.blocks().iter().enumerate() {
                if let Block::CachePoint(point) = block {
                    points.push((point, format!("prompt.messages[{index}].content[{position}].cachePoint")));
                }
            }
        }
        for (point, path) in points {
            match self.features.cache.longest {
                None => return self.refuse(path, "takes no cache points; leave them out."),
                Some(longest) if point.ttl.is_some_and(|ttl| ttl > longest) => {
                    return self.refuse(format!("{path}.ttl"), "caches for five minutes; use \"5m\".");
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn response_format(&self) -> Result<(), FormatError> {
        let Some(format) = &self.request.inference.response_format else { return Ok(()) };
        let path = "inference.responseFormat";
        match self.features.schema {
            SchemaSupport::No => self.refuse(
                path,
                "cannot be held to a schema; leave it out and say in the prompt what to write, or choose a model \
                 that can, such as anthropic.claude-sonnet-4-6.",
            ),
            SchemaSupport::Native => self.closed(&format.schema, "inference.responseFormat.schema"),
            SchemaSupport::ForcedTool => {
                if !self.request.prompt.tools.is_empty() {
                    return self.refuse(
                        path,
                        "is held to a schema by a tool that it must call, which leaves no room for others; leave \
                         `responseFormat` or `prompt.tools` out.",
                    );
                }
                if self.thinks() {
                    return self.refuse(
                        path,
                        "is held to a schema by a tool that it must call, which it cannot do while it reasons; leave \
                         `responseFormat` or `reasoning` out.",
                    );
                }
                if format.schema.get("type").and_then(Value::as_str) != Some("object") {
                    return self.refuse(
                        "inference.responseFormat.schema.type",
                        "is held to a schema by a tool, which takes an object; let the schema be of type \"object\".",
                    );
                }
                Ok(())
            }
        }
    }

    /// Refuses a schema in which an object is open to more properties than it names.
    fn closed(&self, schema: &Value, path: &str) -> Result<(), FormatError> {
        let Some(fields) = schema.as_object() else { return Ok(()) };
        let is_object = match fields.get("type") {
            Some(Value::String(kind)) => kind == "object",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
            _ => fields.contains_key("properties"),
        };
        if is_object && fields.get("additionalProperties") != Some(&Value::Bool(false)) {
            return self.refuse(
                format!("{path}.additionalProperties"),
                "keeps to a schema only where every object in it has `\"additionalProperties\": false`; add it here.",
            );
        }
        for (name, field) in fields {
            let path = format!("{path}.{name}");
            match (name.as_str(), field) {
                ("properties" | "$defs" | "definitions" | "patternProperties", Value::Object(named)) => {
                    for (name, schema) in named {
                        self.closed(schema, &format!("{path}.{name}"))?;
                    }
                }
                ("anyOf" | "allOf" | "oneOf" | "prefixItems" | "items", Value::Array(list)) => {
                    for (index, schema) in list.iter().enumerate() {
                        self.closed(schema, &format!("{path}[{index}]"))?;
                    }
                }
                ("items" | "not" | "if" | "then" | "else" | "contains", schema) => {
                    self.closed(schema, &path)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What does not go together with reasoning. How much can be asked for is seen to where the
    /// fields are written.
    fn reasoning(&self) -> Result<(), FormatError> {
        if !self.thinks() {
            return Ok(());
        }
        let inference = &self.request.inference;
        if inference.temperature.is_some_and(|temperature| temperature < 1.0) {
            return self.refuse(
                "inference.temperature",
                "reasons at a `temperature` of 1 only; leave it or `inference.reasoning` out.",
            );
        }
        if inference.top_p.is_some_and(|top_p| top_p < LEAST_TOP_P) {
            return self.refuse(
                "inference.topP",
                "reasons at a `topP` of at least 0.95 only; raise it, or leave it or `inference.reasoning` out.",
            );
        }
        if inference.top_k.is_some() {
            return self.refuse(
                "inference.topK",
                "takes no `topK` while it reasons; leave it or `inference.reasoning` out.",
            );
        }
        if let Some(prefill) = self.request.conversation.prefill() {
            return self.refuse(
                format!("prompt.messages[{}].role", prefill.index),
                "does not continue an assistant message while it reasons; end with a message of role \"user\", or \
                 leave `inference.reasoning` out.",
            );
        }
        self.call_begins_with_reasoning()
    }

    /// With a budget, Claude wants a turn that called tools to begin with its reasoning.
    fn call_begins_with_reasoning(&self) -> Result<(), FormatError> {
        if !matches!(self.setting_budget(), Some(true)) {
            return Ok(());
        }
        let turns = turns(&self.request.prompt, None);
        let Some(last) = turns.iter().rfind(|turn| turn.role == Role::Assistant) else { return Ok(()) };
        let calls = last.parts.iter().any(|part| matches!(part, Part::Block(Block::ToolUse(_))));
        let begins = matches!(last.parts.first(), Some(Part::Block(Block::ReasoningContent(_))));
        if calls && !begins {
            return self.refuse(
                format!("prompt.messages[{}].content", last.last),
                "needs its reasoning before a tool's call in the turn before the result; give the block back as it \
                 came with the call, or leave `inference.reasoning` out.",
            );
        }
        Ok(())
    }

    /// Whether reasoning is asked for by a budget; `None` where it is not asked for.
    fn setting_budget(&self) -> Option<bool> {
        match self.request.inference.reasoning? {
            ReasoningSetting::BudgetTokens(_) => Some(true),
            ReasoningSetting::Effort(_) => Some(self.features.reasoning == super::ReasoningSupport::Budget),
            ReasoningSetting::Off(_) => None,
        }
    }

    /// Whether Claude is asked to reason, which not everything goes together with.
    fn thinks(&self) -> bool {
        self.features.reasoning.is_claude() && self.setting_budget().is_some()
    }

    fn service_tier(&self) -> Result<(), FormatError> {
        match self.request.inference.service_tier {
            Some(tier @ (ServiceTier::Flex | ServiceTier::Priority)) if !self.features.tiers => self.refuse(
                "inference.serviceTier",
                &format!("is not sold in the tier \"{}\"; leave `serviceTier` out.", tier.as_str()),
            ),
            _ => Ok(()),
        }
    }
}
