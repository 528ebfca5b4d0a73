//! Whether the workflows can carry a request, and if not, which part of it is to blame.

use serde::Serialize;

use super::{Block, Content, MAX_ESCAPED_BYTES, Request, RequestError, RequestErrorKind, ResultBlock};

/// Bytes of all pictures and files together that fit into a request without much text: as
/// base64, three bytes become four.
const MEDIA_BYTES: u64 = 148_000;

/// Bytes of a value as a JSON text inside a JSON text.
pub(super) fn escaped_bytes(value: &impl Serialize) -> u64 {
    // What is measured is plain data with text keys; its serialisation has no way to fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    let escapes = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    (text.len() + escapes + 2) as u64
}

/// Refuses a request that is longer than the workflows can carry.
pub(super) fn check(request: &Request) -> Result<(), RequestError> {
    let bytes = request.escaped_bytes();
    if bytes <= MAX_ESCAPED_BYTES {
        return Ok(());
    }
    let Part { path, bytes: part_bytes, advice } = largest_part(request);
    let advice = match advice {
        Advice::Shorten => "shorten it or send fewer messages".to_owned(),
        Advice::ScaleDown => format!(
            "scale the picture down or compress it more; about {MEDIA_BYTES} bytes of pictures fit into a request"
        ),
        Advice::SendLess => {
            format!("send less of the file; about {MEDIA_BYTES} bytes of files fit into a request")
        }
        Advice::Simplify => "send fewer tools, or shorter descriptions and schemas".to_owned(),
    };
    Err(RequestError {
        kind: RequestErrorKind::RequestTooLarge { bytes, limit: MAX_ESCAPED_BYTES, part_bytes },
        message: format!(
            "The request has {bytes} bytes in the form in which the workflows pass it on, and {MAX_ESCAPED_BYTES} are \
             allowed. Its largest part is `{path}` with {part_bytes} bytes: {advice}."
        ),
        path,
    })
}

/// A part of a request that can be made smaller by itself.
struct Part {
    path: String,
    bytes: u64,
    advice: Advice,
}

/// What makes it smaller.
enum Advice {
    Shorten,
    ScaleDown,
    SendLess,
    Simplify,
}

fn largest_part(request: &Request) -> Part {
    let mut largest = Part { path: "prompt".to_owned(), bytes: 0, advice: Advice::Shorten };
    let mut add = |path: String, bytes: u64, advice: Advice| {
        if bytes > largest.bytes {
            largest = Part { path, bytes, advice };
        }
    };
    for (index, message) in request.prompt.messages.iter().enumerate() {
        let path = format!("prompt.messages[{index}].content");
        let Content::Blocks(blocks) = &message.content else {
            add(path, escaped_bytes(&message.content), Advice::Shorten);
            continue;
        };
        for (index, block) in blocks.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match block {
                Block::ToolResult(result) => {
                    for (index, part) in result.content.iter().enumerate() {
                        let advice = match part {
                            ResultBlock::Image(_) => Advice::ScaleDown,
                            ResultBlock::Document(_) => Advice::SendLess,
                            ResultBlock::Json(_) | ResultBlock::Text(_) => Advice::Shorten,
                        };
                        add(format!("{path}.toolResult.content[{index}]"), escaped_bytes(part), advice);
                    }
                }
                Block::Image(_) => add(path, escaped_bytes(block), Advice::ScaleDown),
                Block::Document(_) => add(path, escaped_bytes(block), Advice::SendLess),
                _ => add(path, escaped_bytes(block), Advice::Shorten),
            }
        }
    }
    for (index, tool) in request.prompt.tools.iter().enumerate() {
        add(format!("prompt.tools[{index}]"), escaped_bytes(tool), Advice::Simplify);
    }
    if let Some(format) = &request.inference.response_format {
        add("inference.responseFormat".to_owned(), escaped_bytes(format), Advice::Simplify);
    }
    largest
}
