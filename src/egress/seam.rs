//! The seam to the network: `egress` makes complete requests, whoever runs it sends them. A request can only be made
//! inside this room; its method, headers and path patterns are constants. It knows no HTTP library.

use crate::clock::BoxFuture;
use crate::problem::{EGRESS_URL, Problem, Result};

use super::sign::{Signer, Target, signed_headers};
use super::wire::EgressBytes;

/// Longest body of an answer that is read, in bytes.
pub const MAX_REPLY: usize = 4096;

/// Sends one request. Never retries, never follows a redirect, adds no header but `host` and those of the connection.
pub trait Sender: Send + Sync {
    /// The answer, or why there is none.
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Result<Reply, SendFailure>>;
}

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Lower-case names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`MAX_REPLY`] bytes: a longer one is [`SendFailure::TooLong`].
    pub body: Vec<u8>,
}

/// Why no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailure {
    /// No connection (name, network, TLS).
    Connect,
    /// Too slow.
    Timeout,
    /// The connection ended before the answer did, or the answer breaks the protocol.
    Cut,
    /// The answer is longer than [`MAX_REPLY`].
    TooLong,
}

impl std::fmt::Display for SendFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection came about",
            Self::Timeout => "no answer in time",
            Self::Cut => "the connection ended before the answer did",
            Self::TooLong => "the answer is too long",
        })
    }
}

/// A complete, signed request. Only this room makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundRequest {
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl OutboundRequest {
    /// `PUT` or `POST`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Absolute URL without query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lower-case names and values, all of them.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body, whole.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A batch under its number.
    pub(super) fn batch(
        url: &ReceiverUrl,
        install: &str,
        seq: i64,
        bytes: &EgressBytes,
        signer: &dyn Signer,
        created: i64,
    ) -> Self {
        let path = format!("/v1/installs/{install}/batches/{seq}");
        Self::signed("PUT", url, &path, bytes.as_slice().to_vec(), signer, created)
    }

    /// The enrolment: the operator's code, our public key and the registry's hash (the arguments are checked before).
    pub(super) fn enrolment(
        url: &ReceiverUrl,
        code: &EnrolmentCode,
        registry: &[u8; 32],
        signer: &dyn Signer,
        created: i64,
    ) -> Self {
        let (key, registry) = (super::sign::base64(&signer.public_key()), super::sign::base64(registry));
        let body = format!(r#"{{"code":"{}","public_key":"{key}","registry":"{registry}"}}"#, code.0);
        Self::signed("POST", url, "/v1/enrolments", body.into_bytes(), signer, created)
    }

    fn signed(
        method: &'static str,
        url: &ReceiverUrl,
        path: &str,
        body: Vec<u8>,
        signer: &dyn Signer,
        created: i64,
    ) -> Self {
        let target = Target { method, authority: url.authority(), path };
        let mut headers = signed_headers(signer, target, &body, created);
        headers.push(("user-agent", "counterfoil".to_owned()));
        Self { method, url: format!("{}{path}", url.as_str()), headers, body }
    }
}

/// The receiver's address: an origin and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverUrl {
    text: String,
    scheme_length: usize,
}

impl ReceiverUrl {
    /// `https://host[:port]`, or `http://` with a loopback address; normalised (lower case, default port dropped).
    pub fn parse(text: &str) -> Result<Self> {
        let lower = text.trim().trim_end_matches('/').to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or_else(|| EGRESS_URL.with("no scheme"))?;
        let default_port = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return Err(EGRESS_URL.with("the scheme is neither https nor http")),
        };
        let authority = authority.strip_suffix(default_port).unwrap_or(authority);
        let (host, port) = split_port(authority).ok_or_else(|| EGRESS_URL.with("not a host and a port"))?;
        let loopback = host == "localhost" || host == "[::1]" || is_ipv4_loopback(host);
        if scheme == "http" && !loopback {
            return Err(EGRESS_URL.with("plain http is for loopback only"));
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { text: format!("{scheme}://{host}{port}"), scheme_length: scheme.len() + 3 })
    }

    /// The normalised origin.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and, where it is not the scheme's own, port.
    pub fn authority(&self) -> &str {
        &self.text[self.scheme_length..]
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[bracket..].rfind(':') {
        Some(at) => (&authority[..bracket + at], Some(authority[bracket + at + 1..].parse().ok().filter(|p| *p != 0)?)),
        None => (authority, None),
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let valid = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')),
    };
    valid.then_some((host, port))
}

fn is_ipv4_loopback(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// A one-time code of the receiver's operator: capital letters, digits and hyphens, 8 to 64 of them.
pub struct EnrolmentCode(String);

impl EnrolmentCode {
    /// The code as typed, without surrounding spaces.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let closed = text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
        if !closed || !(8..=64).contains(&text.len()) {
            return Err(crate::problem::EGRESS_CODE.plain());
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_origins() {
        let good = [
            ("https://Receiver.Example/", "https://receiver.example", "receiver.example"),
            ("https://receiver.example:443", "https://receiver.example", "receiver.example"),
            ("https://receiver.example:8443", "https://receiver.example:8443", "receiver.example:8443"),
            ("http://127.0.0.1:4010", "http://127.0.0.1:4010", "127.0.0.1:4010"),
            ("http://[::1]:4010", "http://[::1]:4010", "[::1]:4010"),
            ("http://localhost:80", "http://localhost", "localhost"),
        ];
        for (text, url, authority) in good {
            let parsed = ReceiverUrl::parse(text).unwrap();
            assert_eq!((parsed.as_str(), parsed.authority()), (url, authority));
        }
        let bad = [
            "receiver.example",
            "ftp://receiver.example",
            "http://receiver.example",
            "http://127.0.0.1.example",
            "https://user@receiver.example",
            "https://receiver.example/path",
            "https://receiver.example?q=1",
            "https://receiver.example#f",
            "https://",
            "https://:443x",
            "https://host:0",
            "https://host:99999",
            "https://ho st",
            "https://]",
        ];
        for text in bad {
            assert!(ReceiverUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn codes_are_closed() {
        assert!(EnrolmentCode::parse(" ABCD-EFGH-2345 ").is_ok());
        for text in ["", "SHORT", "lower-case-code", "ABCD\"EFGH", &"A".repeat(65)] {
            assert!(EnrolmentCode::parse(text).is_err(), "{text}");
        }
    }
}
