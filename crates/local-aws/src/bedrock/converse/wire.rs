//! The request as Converse's service model describes it: unions with exactly one member, required
//! members, enumerations, lengths and patterns. What holds between the parts is not checked here.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::error::BedrockError;
use super::super::fields::{RequestFields, wrong_type};
use super::media::{DocumentBlock, DocumentSource, ImageBlock};

type Result<T> = std::result::Result<T, BedrockError>;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// The model.
    Assistant,
    /// Instructions in the middle of a conversation.
    System,
}

/// A message with its blocks.
#[derive(Debug, Clone)]
pub struct ConverseMessage {
    /// Who says it.
    pub role: Role,
    /// What.
    pub content: Vec<ContentBlock>,
}

/// A block of a message.
#[derive(Debug, Clone)]
pub enum ContentBlock {
    /// Text, also that of a citation or of a part under guard.
    Text(String),
    /// A picture.
    Image(ImageBlock),
    /// A document.
    Document(DocumentBlock),
    /// A call of a tool.
    ToolUse(ToolUseBlock),
    /// What the tool said.
    ToolResult(ToolResultBlock),
    /// What the model thought before.
    Reasoning(ReasoningBlock),
    /// What stands before it is cached.
    CachePoint(CachePoint),
}

/// A call of a tool.
#[derive(Debug, Clone)]
pub struct ToolUseBlock {
    /// The call's id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its input, the caller's own document.
    pub input: Value,
}

/// What a tool said.
#[derive(Debug, Clone)]
pub struct ToolResultBlock {
    /// The call that it answers.
    pub id: String,
    /// The parts.
    pub content: Vec<ResultPart>,
    /// Whether `status` is there.
    pub has_status: bool,
}

/// A part of a tool's result.
#[derive(Debug, Clone)]
pub enum ResultPart {
    /// Text.
    Text(String),
    /// A document of the caller's own.
    Json(Value),
    /// A picture.
    Image(ImageBlock),
    /// A document.
    Document(DocumentBlock),
}

/// What a model thought.
#[derive(Debug, Clone)]
pub enum ReasoningBlock {
    /// In words.
    Text {
        /// The words, possibly none.
        text: String,
        /// Proves that they are unchanged.
        signature: Option<String>,
    },
    /// Encrypted.
    Redacted(Vec<u8>),
}

/// How long a prefix is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheTtl {
    /// Five minutes.
    FiveMinutes,
    /// An hour.
    OneHour,
}

impl CacheTtl {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        }
    }
}

/// A cache point and where it is.
#[derive(Debug, Clone)]
pub struct CachePoint {
    /// How long it holds.
    pub ttl: CacheTtl,
    /// Whether the request says so itself.
    pub explicit: bool,
}

/// A refusal in the words of the service's model validation.
pub fn constraint(value: &str, path: &str, rule: &str) -> BedrockError {
    BedrockError::validation(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"
    ))
}

/// A block, a field or a value that this model does not take.
pub fn unsupported_block(kind: &str) -> BedrockError {
    BedrockError::validation(format!(
        "This model doesn't support the {kind} content block that you provided. Try again without the {kind} content block or use a model that supports it."
    ))
}

/// A field that this model does not take.
pub fn unsupported_field(field: &str) -> BedrockError {
    BedrockError::validation(format!(
        "This model doesn't support the {field} field. Remove {field} and try again."
    ))
}

/// What the model itself says, which Converse passes on.
pub fn model_error(message: impl std::fmt::Display) -> BedrockError {
    BedrockError::validation(format!("The model returned the following errors: {message}"))
}

/// A text of this length and of these characters.
pub fn pattern(text: &str, path: &str, most: usize, regex: &str, fits: fn(char) -> bool) -> Result<()> {
    if text.is_empty() {
        return Err(constraint(text, path, "have length greater than or equal to 1"));
    }
    if text.chars().count() > most {
        return Err(constraint(text, path, &format!("have length less than or equal to {most}")));
    }
    if !text.chars().all(fits) {
        return Err(constraint(text, path, &format!("satisfy regular expression pattern: {regex}")));
    }
    Ok(())
}

/// The name of a tool.
pub fn tool_name(text: &str, path: &str) -> Result<()> {
    pattern(text, path, 64, "[a-zA-Z0-9_-]+", |letter| {
        letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
    })
}

fn tool_use_id(text: &str, path: &str) -> Result<()> {
    pattern(text, path, 64, "[a-zA-Z0-9_.:-]+", |letter| {
        letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':')
    })
}

/// A blob: base64 with padding, as the SDKs write it.
pub fn blob(fields: &RequestFields<'_>, key: &str) -> Result<Option<Vec<u8>>> {
    let Some(text) = fields.text(key)? else {
        return Ok(None);
    };
    STANDARD.decode(text).map(Some).map_err(|_| {
        BedrockError::malformed(&fields.path(key), "the value of a blob must be base64 with padding")
    })
}

/// The one member that is set; `object` and `place` are named when there is none or another.
fn one_member<'a>(
    fields: &RequestFields<'_>,
    known: &[&'a str],
    object: &str,
    place: &str,
) -> Result<&'a str> {
    fields.only(known)?;
    let set: Vec<&str> = known.iter().copied().filter(|key| fields.has(key)).collect();
    match set[..] {
        [kind] => Ok(kind),
        _ => Err(BedrockError::validation(format!(
            "The {object} object at {place} must set exactly one of the following keys: {}.",
            known.join(", ")
        ))),
    }
}

const BLOCKS: [&str; 12] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
];
const PARTS: [&str; 6] = ["json", "text", "image", "document", "video", "searchResult"];

/// A message of `messages`.
pub fn message(fields: &RequestFields<'_>, index: usize, system_role: bool) -> Result<ConverseMessage> {
    fields.only(&["role", "content"])?;
    fields.required("role")?;
    fields.required("content")?;
    let role = match fields.text("role")?.unwrap_or_default() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" if system_role => Role::System,
        other => {
            return Err(constraint(
                other,
                &format!("messages.{}.member.role", index + 1),
                "satisfy enum value set: [user, assistant]",
            ));
        }
    };
    let blocks = objects(fields, "content")?;
    if blocks.is_empty() {
        return Err(BedrockError::validation(format!(
            "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
        )));
    }
    let content = blocks
        .iter()
        .enumerate()
        .map(|(at, block)| content_block(block, &format!("messages.{index}.content.{at}")))
        .collect::<Result<Vec<_>>>()?;
    Ok(ConverseMessage { role, content })
}

fn content_block(block: &RequestFields<'_>, place: &str) -> Result<ContentBlock> {
    let kind = one_member(block, &BLOCKS, "ContentBlock", place)?;
    match kind {
        "text" => Ok(ContentBlock::Text(filled(block, "ContentBlock", place)?.to_owned())),
        "image" => Ok(ContentBlock::Image(image(&inside(block, kind)?, &format!("{place}.image"))?)),
        "document" => {
            Ok(ContentBlock::Document(document(&inside(block, kind)?, &format!("{place}.document"))?))
        }
        "toolUse" => Ok(ContentBlock::ToolUse(tool_use(&inside(block, kind)?, place)?)),
        "toolResult" => Ok(ContentBlock::ToolResult(tool_result(&inside(block, kind)?, place)?)),
        "reasoningContent" => Ok(ContentBlock::Reasoning(reasoning(&inside(block, kind)?, place)?)),
        "cachePoint" => Ok(ContentBlock::CachePoint(cache_point(&inside(block, kind)?, place)?)),
        "guardContent" => Ok(ContentBlock::Text(guard_text(&inside(block, kind)?, place)?)),
        "citationsContent" => Ok(ContentBlock::Text(citations_text(&inside(block, kind)?)?)),
        // No simulated model hears or sees these.
        _ => Err(unsupported_block(kind)),
    }
}

/// A block of the system prompt: a text or a cache point.
pub fn system_block(block: &RequestFields<'_>, place: &str) -> Result<ContentBlock> {
    match one_member(block, &["text", "guardContent", "cachePoint"], "SystemContentBlock", place)? {
        "cachePoint" => Ok(ContentBlock::CachePoint(cache_point(&inside(block, "cachePoint")?, place)?)),
        "guardContent" => Ok(ContentBlock::Text(guard_text(&inside(block, "guardContent")?, place)?)),
        _ => Ok(ContentBlock::Text(filled(block, "SystemContentBlock", place)?.to_owned())),
    }
}

fn inside<'a>(block: &RequestFields<'a>, kind: &str) -> Result<RequestFields<'a>> {
    RequestFields::at(&block.path(kind), block.required(kind)?)
}

/// A list of objects that may be absent or empty.
pub fn objects<'a>(fields: &RequestFields<'a>, key: &str) -> Result<Vec<RequestFields<'a>>> {
    match fields.list(key)? {
        None | Some([]) => Ok(Vec::new()),
        Some(_) => fields.objects(key),
    }
}

/// A text that is not blank.
pub fn filled<'a>(block: &RequestFields<'a>, object: &str, place: &str) -> Result<&'a str> {
    let text = block.text("text")?.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(BedrockError::validation(format!(
            "The text field in the {object} object at {place} is blank. Add text to the text field, and try again."
        )));
    }
    Ok(text)
}

fn guard_text(guard: &RequestFields<'_>, place: &str) -> Result<String> {
    if one_member(guard, &["text", "image"], "GuardrailConverseContentBlock", place)? == "image" {
        return Err(unsupported_block("guardContent.image"));
    }
    let text = inside(guard, "text")?;
    text.only(&["text", "qualifiers"])?;
    text.required("text")?;
    Ok(filled(&text, "GuardrailConverseTextBlock", place)?.to_owned())
}

fn citations_text(citations: &RequestFields<'_>) -> Result<String> {
    citations.only(&["content", "citations"])?;
    let mut texts = Vec::new();
    for part in objects(citations, "content")? {
        part.only(&["text"])?;
        texts.push(part.text("text")?.unwrap_or_default().to_owned());
    }
    Ok(texts.join(""))
}

fn tool_use(call: &RequestFields<'_>, place: &str) -> Result<ToolUseBlock> {
    call.only(&["toolUseId", "name", "input", "type"])?;
    for key in ["toolUseId", "name", "input"] {
        call.required(key)?;
    }
    if call.one_of("type", &["server_tool_use"])?.is_some() {
        return Err(unsupported_field("toolUse.type"));
    }
    let (id, name) = (call.text("toolUseId")?.unwrap_or_default(), call.text("name")?.unwrap_or_default());
    tool_use_id(id, &format!("{place}.toolUse.toolUseId"))?;
    tool_name(name, &format!("{place}.toolUse.name"))?;
    let input = call.required("input")?;
    if !input.is_object() {
        return Err(BedrockError::validation(format!(
            "The format of the value at {place}.toolUse.input is invalid. Provide a json object for the field and try again."
        )));
    }
    Ok(ToolUseBlock { id: id.to_owned(), name: name.to_owned(), input: input.clone() })
}

fn tool_result(result: &RequestFields<'_>, place: &str) -> Result<ToolResultBlock> {
    result.only(&["toolUseId", "content", "status", "type"])?;
    result.required("toolUseId")?;
    result.required("content")?;
    if result.has("type") {
        return Err(unsupported_field("toolResult.type"));
    }
    let status = result.one_of("status", &["success", "error"])?;
    let id = result.text("toolUseId")?.unwrap_or_default();
    tool_use_id(id, &format!("{place}.toolResult.toolUseId"))?;
    let mut content = Vec::new();
    for (at, part) in objects(result, "content")?.iter().enumerate() {
        let place = format!("{place}.toolResult.content.{at}");
        let kind = one_member(part, &PARTS, "ToolResultContentBlock", &place)?;
        content.push(match kind {
            "text" => ResultPart::Text(filled(part, "ToolResultContentBlock", &place)?.to_owned()),
            "json" => {
                let value = part.required("json")?;
                if !value.is_object() {
                    return Err(BedrockError::validation(format!(
                        "The format of the value at {place}.json is invalid. Provide a json object for the field and try again."
                    )));
                }
                ResultPart::Json(value.clone())
            }
            "image" => ResultPart::Image(image(&inside(part, kind)?, &format!("{place}.image"))?),
            "document" => ResultPart::Document(document(&inside(part, kind)?, &format!("{place}.document"))?),
            _ => return Err(unsupported_block(kind)),
        });
    }
    Ok(ToolResultBlock { id: id.to_owned(), content, has_status: status.is_some() })
}

fn reasoning(content: &RequestFields<'_>, place: &str) -> Result<ReasoningBlock> {
    if one_member(content, &["reasoningText", "redactedContent"], "ReasoningContentBlock", place)?
        == "redactedContent"
    {
        return Ok(ReasoningBlock::Redacted(blob(content, "redactedContent")?.unwrap_or_default()));
    }
    let text = inside(content, "reasoningText")?;
    text.only(&["text", "signature"])?;
    text.required("text")?;
    Ok(ReasoningBlock::Text {
        text: text.text("text")?.unwrap_or_default().to_owned(),
        signature: text.text("signature")?.map(str::to_owned),
    })
}

/// A cache point in messages, system or tools.
pub fn cache_point(point: &RequestFields<'_>, place: &str) -> Result<CachePoint> {
    point.only(&["type", "ttl"])?;
    let member = |key: &str, set: &str, words: &[&str]| match point.text(key)? {
        Some(word) if !words.contains(&word) => Err(constraint(
            word,
            &format!("{place}.cachePoint.{key}"),
            &format!("satisfy enum value set: {set}"),
        )),
        word => Ok(word),
    };
    point.required("type")?;
    member("type", "[default]", &["default"])?;
    let ttl = member("ttl", "[5m, 1h]", &["5m", "1h"])?;
    Ok(CachePoint {
        ttl: if ttl == Some("1h") { CacheTtl::OneHour } else { CacheTtl::FiveMinutes },
        explicit: ttl.is_some(),
    })
}

fn image(image: &RequestFields<'_>, place: &str) -> Result<ImageBlock> {
    image.only(&["format", "source"])?;
    image.required("format")?;
    image.required("source")?;
    let format = image.text("format")?.unwrap_or_default();
    if !["png", "jpeg", "gif", "webp"].contains(&format) {
        return Err(constraint(
            format,
            &format!("{place}.format"),
            "satisfy enum value set: [png, jpeg, gif, webp]",
        ));
    }
    let source = inside(image, "source")?;
    if one_member(&source, &["bytes", "s3Location"], "ImageSource", place)? == "s3Location" {
        return Err(BedrockError::validation(
            "This model doesn't support the s3Uri field. Remove s3Uri and try again.",
        ));
    }
    Ok(ImageBlock { format: format.to_owned(), bytes: blob(&source, "bytes")?.unwrap_or_default() })
}

fn document(document: &RequestFields<'_>, place: &str) -> Result<DocumentBlock> {
    document.only(&["format", "name", "source", "context", "citations"])?;
    document.required("name")?;
    document.required("source")?;
    let format = document.text("format")?.unwrap_or("txt");
    if !["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"].contains(&format) {
        return Err(constraint(
            format,
            &format!("{place}.format"),
            "satisfy enum value set: [pdf, csv, doc, docx, xls, xlsx, html, txt, md]",
        ));
    }
    let source = inside(document, "source")?;
    let source =
        match one_member(&source, &["bytes", "s3Location", "text", "content"], "DocumentSource", place)? {
            "bytes" => DocumentSource::Bytes(blob(&source, "bytes")?.unwrap_or_default()),
            "text" => DocumentSource::Text(filled(&source, "DocumentSource", place)?.to_owned()),
            "content" => {
                let mut texts = Vec::new();
                for part in source.objects("content")? {
                    part.only(&["text"])?;
                    texts.push(filled(&part, "DocumentContentBlock", place)?.to_owned());
                }
                DocumentSource::Text(texts.join("\n"))
            }
            _ => {
                return Err(BedrockError::validation(
                    "This model doesn't support the s3Uri field. Remove s3Uri and try again.",
                ));
            }
        };
    let citations = match document.object("citations")? {
        None => false,
        Some(citations) => {
            citations.only(&["enabled"])?;
            citations.required("enabled")?;
            citations.boolean("enabled")?.unwrap_or(false)
        }
    };
    Ok(DocumentBlock {
        format: format.to_owned(),
        name: document.text("name")?.unwrap_or_default().to_owned(),
        context: document.text("context")?.map(str::to_owned),
        source,
        citations,
    })
}

/// A document whose shape the model does not describe, such as an input schema.
pub fn free_object<'a>(fields: &RequestFields<'a>, key: &str) -> Result<&'a Value> {
    let value = fields.required(key)?;
    if value.is_object() { Ok(value) } else { Err(wrong_type(&fields.path(key), "JSONObject", value)) }
}
