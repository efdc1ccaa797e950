//! The transport seam: one request in, one checked answer or one named failure out. When to try again and which page is
//! next is decided above it, in `sync` (with the [`Pacer`] and [`Backoff`] of this room); below it are only reqwest and
//! TLS. It never follows a redirect and never logs a URL, a header or a body.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::BoxFuture;
use crate::vault::Secret;

mod body;
mod check;
mod failure;
mod fields;
mod net;
mod pace;

pub use self::check::{Answer, Expect, Media, Redirect, ensure_one_json_value, fetch};
pub use self::failure::{Failure, RateReason, Retry, StatusFailure};
pub use self::fields::date_ms;
pub use self::net::{NetOptions, NetTransport};
pub use self::pace::{Backoff, Pacer, Turn};

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

/// One request, complete: nothing below adds to it but `host`, `user-agent`, `accept`, `accept-encoding: gzip` and the
/// connection's own headers.
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

/// Header names (lower case) and values of an answer, in order. Prints the names alone: a value can be a signed URL.
#[derive(Clone, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Headers {
    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of `name` when it occurs exactly once: two that may differ are as good as none.
    pub fn only(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|_| self.count(name) == 1)
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
    /// The answer, or a request that cannot be put into HTTP, breaks the protocol.
    Protocol,
}

/// The transport seam.
pub trait Transport: Send + Sync {
    /// Sends one request. Never retries, never follows a redirect.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;
}
