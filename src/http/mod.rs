//! The transport seam: one request in, one checked answer or one named failure out. Retry, pacing and paging live above
//! it, in `sync`; below it are only reqwest and TLS. It never follows a redirect and never logs a URL, a header or a body.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::BoxFuture;
use crate::vault::Secret;

/// The verbs we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
}

/// One request, complete: nothing below adds to it but `host`, `accept-encoding` and the connection's own headers.
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Absolute URL with its query.
    pub url: String,
    /// Headers, lower-case names. No secrets here.
    pub headers: Vec<(&'static str, String)>,
    /// Sent as `authorization: Bearer …`, marked sensitive; it was lent by the vault for the origin of `url`.
    pub bearer: Option<Arc<Secret>>,
    /// The body, with its content type in `headers`.
    pub body: Option<Vec<u8>>,
    /// Longest wait for the whole exchange.
    pub deadline: Duration,
}

/// The HTTP version of an answer: what completeness of a body means hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: a body may end with the connection.
    Http10,
    /// HTTP/1.1: length or chunks.
    Http11,
    /// HTTP/2: the stream says when it ends.
    Http2,
}

/// Header names (lower case) and values of an answer, in order.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// How many times `name` occurs.
    pub fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(n, _)| n == name).count()
    }
}

/// What came back before the body was read.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Protocol version.
    pub version: Version,
    /// Headers as sent (content encoding not undone).
    pub headers: Headers,
    /// The body, as the wire carries it.
    pub body: Box<dyn Chunks>,
}

/// A body that arrives in pieces.
pub trait Chunks: Send {
    /// The next piece; `None` at the end that the protocol declared.
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, TransportError>>>;
}

/// Why no (whole) answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportError {
    /// The name could not be resolved, or no connection was made.
    Connect,
    /// TLS did not come about (certificate, version).
    Tls,
    /// The deadline passed, or nothing came for too long.
    Timeout,
    /// The connection ended before the answer did.
    Cut,
    /// The answer breaks the protocol.
    Protocol,
}

/// The transport seam.
pub trait Transport: Send + Sync {
    /// Sends one request. Never retries, never follows a redirect.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;
}
