//! Answers as `application/vnd.amazon.eventstream`, the framing in which the SDKs read streams.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::Value;

/// The content type of a stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// An event: its type and its document.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// Such as `contentBlockDelta` or `chunk`.
    pub kind: String,
    /// What it says.
    pub document: Value,
}

impl StreamEvent {
    /// An event of this type.
    #[must_use]
    pub fn new(kind: &str, document: Value) -> Self {
        Self { kind: kind.to_owned(), document }
    }
}

/// The frames of these events; nothing when one is longer than a frame may be.
#[must_use]
pub fn encode(events: &[StreamEvent]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for event in events {
        let header =
            |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
        let message = Message::new(event.document.to_string().into_bytes())
            .add_header(header(":event-type", &event.kind))
            .add_header(header(":content-type", "application/json"))
            .add_header(header(":message-type", "event"));
        write_message_to(&message, &mut body).ok()?;
    }
    Some(body)
}

/// The events of a stream, as far as it can be read.
#[must_use]
pub fn decode(body: &[u8]) -> Vec<StreamEvent> {
    let mut events = Vec::new();
    let mut rest = body;
    while let Some(length) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(frame) = rest.get(..length) else {
            break;
        };
        rest = &rest[length..];
        let Ok(message) = read_message_from(frame) else {
            break;
        };
        let kind = message
            .headers()
            .iter()
            .find(|header| matches!(header.name().as_str(), ":event-type" | ":exception-type"))
            .and_then(|header| header.value().as_string().ok())
            .map(|kind| kind.as_str().to_owned());
        if let (Some(kind), Ok(document)) = (kind, serde_json::from_slice(message.payload())) {
            events.push(StreamEvent { kind, document });
        }
    }
    events
}

/// A text in pieces of a few words, as a model sends it.
#[must_use]
pub fn pieces(text: &str) -> Vec<&str> {
    const WORDS: usize = 4;
    let mut pieces = Vec::new();
    let (mut start, mut words) = (0, 0);
    for (at, _) in text.match_indices(' ') {
        words += 1;
        if words % WORDS == 0 {
            pieces.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}
