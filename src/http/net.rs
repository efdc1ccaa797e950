//! The real network: the transport seam over reqwest and rustls with ring. It moves bytes as the wire carries them; what
//! an answer must look like is checked above (`check`). It never retries, follows, decompresses, logs, or reads the
//! proxy settings of the environment.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Client, Proxy, Url};
use zeroize::Zeroizing;

use super::{Chunks, Headers, Method, Request, Response, Transport, TransportError, Version};
use crate::clock::BoxFuture;
use crate::problem::{HTTP_CA_FILE, HTTP_NO_ROOTS, HTTP_PROXY, Problem};
use crate::vault::Secret;

/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest silence while an answer is due, should the request's own deadline be longer.
const SILENCE: Duration = Duration::from_secs(60);
/// How long an unused connection is kept.
const KEPT: Duration = Duration::from_secs(60);
/// How many unused connections to one host are kept.
const KEPT_EACH: usize = 8;
/// Who asks.
const USER_AGENT: &str = concat!("counterfoil/", env!("CARGO_PKG_VERSION"));

/// What a network may need. Not printable: a proxy address can hold a password.
#[derive(Default)]
pub struct NetOptions {
    /// PEM file of certificate authorities, trusted beside the system's (alone where the system has none).
    pub ca_file: Option<PathBuf>,
    /// `http://` or `https://` address of a proxy; without it connections are direct.
    pub proxy: Option<String>,
    /// Only `http://` will be asked for (the sandbox on loopback): no certificate authorities are loaded or needed,
    /// and nothing over TLS is trusted.
    pub plain: bool,
}

/// The transport over a real network, with its own pool of connections (HTTP/2 where the server offers it).
pub struct NetTransport {
    client: Client,
}

impl NetTransport {
    /// A transport; also makes ring the TLS provider of the process, without which reqwest panics.
    pub fn new(options: &NetOptions) -> Result<Self, Problem> {
        // An error means that a provider is installed already; this crate installs no other.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(KEPT_EACH);
        if options.plain {
            builder = builder.tls_certs_only([]);
        } else if let Some(path) = &options.ca_file {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
        if let Some(address) = &options.proxy {
            builder = builder.proxy(proxy(address)?);
        }
        let client = builder.build().map_err(|_| match &options.ca_file {
            Some(path) => HTTP_CA_FILE.with(format_args!("{}: not a valid certificate", path.display())),
            None => HTTP_NO_ROOTS.plain(),
        })?;
        Ok(Self { client })
    }

    fn prepare(&self, request: Request) -> Option<reqwest::Request> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
        };
        let url = Url::parse(&request.url).ok()?;
        let mut builder = self.client.request(method, url).timeout(request.deadline).header(ACCEPT_ENCODING, "gzip");
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(secret) = request.bearer {
            builder = builder.header(AUTHORIZATION, bearer(&secret)?);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        builder.build().ok()
    }
}

impl Transport for NetTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let request = self.prepare(request).ok_or(TransportError::Protocol)?;
            let response = self.client.execute(request).await.map_err(|error| situation(&error))?;
            Ok(Response {
                status: response.status().as_u16(),
                version: match response.version() {
                    reqwest::Version::HTTP_2 => Version::Http2,
                    reqwest::Version::HTTP_11 => Version::Http11,
                    _ => Version::Http10,
                },
                headers: headers(&response),
                body: Box::new(Wire(response)),
            })
        })
    }
}

/// The rest of an answer, as reqwest hands it over.
struct Wire(reqwest::Response);

impl Chunks for Wire {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, TransportError>>> {
        Box::pin(async { self.0.chunk().await.map_err(|error| situation(&error)).transpose() })
    }
}

/// `Bearer …`, never shown, left out of HPACK's tables, and wiped with the last copy of the header. (What hyper and TLS
/// have put into their own buffers is theirs.)
fn bearer(secret: &Secret) -> Option<HeaderValue> {
    let text = Zeroizing::new([b"Bearer ", secret.expose()].concat());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn headers(response: &reqwest::Response) -> Headers {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Headers(response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect())
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Problem> {
    let told = |what: &str| HTTP_CA_FILE.with(format_args!("{}: {what}", path.display()));
    let pem = std::fs::read(path).map_err(|error| told(&error.kind().to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(told("no certificate in PEM form")),
    }
}

fn proxy(address: &str) -> Result<Proxy, Problem> {
    let usable = Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    usable.then(|| Proxy::all(address).ok()).flatten().ok_or_else(|| HTTP_PROXY.plain())
}

/// What happened, without any of the error's own words: they may hold the URL.
fn situation(error: &reqwest::Error) -> TransportError {
    let causes = || std::iter::successors(error.source(), |cause| inner(*cause));
    if causes().any(|cause| cause.is::<rustls::Error>()) {
        return TransportError::Tls;
    }
    if error.is_connect() {
        return TransportError::Connect;
    }
    if error.is_timeout() {
        return TransportError::Timeout;
    }
    let unreadable = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
            || cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
    };
    if causes().any(unreadable) { TransportError::Protocol } else { TransportError::Cut }
}

/// The next cause. An I/O error names the cause of what it wraps as its own and so leaves out what it wraps, which is
/// where rustls puts its errors.
fn inner<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_marked_and_does_not_print() {
        let value = bearer(&Secret::new(b"sk_test_canary*".to_vec())).unwrap();
        assert_eq!(value.as_bytes(), b"Bearer sk_test_canary*");
        assert!(value.is_sensitive());
        assert_eq!(format!("{value:?}"), "Sensitive");
        assert!(bearer(&Secret::new(b"two\r\nlines".to_vec())).is_none());
    }
}
