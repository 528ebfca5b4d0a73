//! Passing requests on to another endpoint: the tables' own server, or a Bedrock elsewhere.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use axum::http::{HeaderMap, Method, Uri, header};

use crate::http::Reply;

/// Headers that belong to one connection or that each side sets itself.
const OWN: [header::HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::DATE,
];

/// An endpoint that did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} does not answer: {reason}")]
pub struct ForwardError {
    endpoint: String,
    reason: String,
}

/// An endpoint, with its connections kept open.
#[derive(Debug)]
pub struct Forwarder {
    endpoint: String,
    connector: Connector,
    timeout: Duration,
}

impl Forwarder {
    /// An endpoint such as `http://127.0.0.1:8000`, with or without a path before every request's own.
    ///
    /// # Errors
    /// It is not such an address; the message says what is.
    pub fn new(endpoint: &str, timeout: Duration) -> Result<Self, String> {
        let endpoint = endpoint.trim_end_matches('/');
        let uri = endpoint.parse::<Uri>().ok();
        let scheme = uri
            .as_ref()
            .filter(|uri| uri.host().is_some() && uri.query().is_none())
            .and_then(Uri::scheme_str);
        let connector = match scheme {
            Some("http") => Connector::builder().build_http(),
            Some("https") => Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build(),
            _ => {
                return Err(format!(
                    "{endpoint:?} is not the address of an endpoint; write one like http://127.0.0.1:8000"
                ));
            }
        };
        Ok(Self { endpoint: endpoint.to_owned(), connector, timeout })
    }

    /// The endpoint, without a slash at its end.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Passes a request on and gives the answer, whatever its status.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, ForwardError> {
        match tokio::time::timeout(self.timeout, self.exchange(method, path, headers, body)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(reason)) => Err(self.silent(reason)),
            Err(_) => Err(self.silent(format!("nothing came within {} seconds", self.timeout.as_secs()))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, String> {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .body(SdkBody::from(body))
            .map_err(|error| error.to_string())?;
        for (name, value) in headers {
            if !OWN.contains(name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        let request = Request::try_from(request).map_err(|error| error.to_string())?;
        let response = self.connector.call(request).await.map_err(|error| chain(&error))?;
        let mut reply =
            Reply { status: response.status().as_u16(), headers: Vec::new(), body: Vec::new(), lost: false };
        for (name, value) in response.headers() {
            if !OWN.iter().any(|own| own.as_str() == name) {
                reply.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let body = ByteStream::new(response.into_body()).collect().await.map_err(|error| chain(&error))?;
        reply.body = body.to_vec();
        Ok(reply)
    }

    fn silent(&self, reason: String) -> ForwardError {
        ForwardError { endpoint: self.endpoint.clone(), reason }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
