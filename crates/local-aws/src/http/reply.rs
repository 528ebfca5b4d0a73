//! What every simulated service answers, free of any web framework.

/// An HTTP answer: the server copies it to the wire as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The call took effect, but its answer must not arrive: the server closes
    /// the connection instead of sending the rest of this.
    pub lost: bool,
}

impl Reply {
    /// A reply with a body of this content type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body,
            lost: false,
        }
    }

    /// A reply with a JSON body.
    #[must_use]
    pub fn json(status: u16, content_type: &str, body: &serde_json::Value) -> Self {
        Self::new(status, content_type, body.to_string().into_bytes())
    }

    /// The same reply with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The first value of this header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, or null when it is something else.
    #[must_use]
    pub fn json_body(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A new id for a request, an execution or an event.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
