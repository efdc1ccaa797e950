//! One exchange, checked: everything reqwest takes for a success although it is none. It does not retry, follow
//! redirects, or read what a body says.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::failure::{Failure, StatusFailure};
use super::{Headers, Method, Request, Response, Transport, body, fields};

/// As much of an error body as is looked at.
const ERROR_BYTES: usize = 64 * 1024;

/// What kind of document an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json` or a `+json` type, not empty.
    Json,
    /// A CSV file under any of the types that file stores give it, not empty.
    Csv,
    /// Anything, also nothing.
    Any,
}

/// What a request's answer must be like.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// The statuses that count as an answer.
    pub statuses: &'static [u16],
    /// The kind of document.
    pub media: Media,
    /// Longest body in bytes, as it comes over the wire and decoded.
    pub max_bytes: usize,
    /// A redirect is an answer too; its target is handed to the caller, never followed here.
    pub redirect: bool,
}

impl Expect {
    /// Status 200 with JSON.
    pub const fn json(max_bytes: usize) -> Self {
        Self { statuses: &[200], media: Media::Json, max_bytes, redirect: false }
    }

    /// Status 200 with CSV, or a redirect to it.
    pub const fn csv_or_redirect(max_bytes: usize) -> Self {
        Self { statuses: &[200], media: Media::Csv, max_bytes, redirect: true }
    }
}

/// A whole, plausible answer. Prints no header value and nothing of the body.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers as sent.
    pub headers: Headers,
    /// The server's `Date`, milliseconds since 1970.
    pub date_ms: Option<i64>,
    /// The body, decoded; empty for a redirect.
    pub body: Vec<u8>,
    /// How many bytes the wire carried for the body.
    pub wire_bytes: u64,
    /// Where a declared redirect points.
    pub redirect: Option<Redirect>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes, {:?})", self.status, self.body.len(), self.headers)
    }
}

/// The target of a redirect: often a signed URL, so it is a credential and does not print.
pub struct Redirect(Url);

impl Redirect {
    /// The request that fetches it: without the key, by construction.
    pub fn request(self, deadline: Duration) -> Request {
        Request { method: Method::Get, url: self.0.into(), headers: Vec::new(), bearer: None, body: None, deadline }
    }

    /// One `Location`, read relative to the asked URL, over HTTPS (or HTTP where HTTP was asked), without credentials.
    fn of(asked: &str, headers: &Headers) -> Option<Self> {
        let asked = Url::parse(asked).ok()?;
        let target = asked.join(headers.only("location")?).ok()?;
        let safe = target.scheme() == "https" || (target.scheme() == "http" && asked.scheme() == "http");
        let bare = target.username().is_empty() && target.password().is_none();
        (safe && bare && target.has_host()).then_some(Self(target))
    }
}

impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redirect(..)")
    }
}

/// Sends one request and checks the answer: status, content type, completeness as far as the HTTP version can show it,
/// coding, size, emptiness. What comes back as an [`Answer`] is whole.
pub async fn fetch(transport: &dyn Transport, request: Request, expect: &Expect) -> Result<Answer, Failure> {
    let asked = request.url.clone();
    let mut response = transport.send(request).await?;
    let date_ms = fields::sent_ms(&response.headers);
    let status = response.status;
    if expect.statuses.contains(&status) {
        right_media(&response.headers, expect.media)?;
        let whole = body::whole(&mut response, expect.max_bytes).await?;
        if expect.media != Media::Any && whole.bytes.trim_ascii().is_empty() {
            return Err(Failure::Empty);
        }
        let (body, wire_bytes) = (whole.bytes, whole.wire_bytes);
        return Ok(Answer { status, headers: response.headers, date_ms, body, wire_bytes, redirect: None });
    }
    match status {
        301 | 302 | 303 | 307 | 308 if expect.redirect => {
            let redirect = Some(Redirect::of(&asked, &response.headers).ok_or(Failure::Redirect)?);
            Ok(Answer { status, headers: response.headers, date_ms, body: Vec::new(), wire_bytes: 0, redirect })
        }
        301 | 302 | 303 | 307 | 308 => Err(Failure::Redirect),
        400..600 => Err(Failure::Status(Box::new(refused(response).await))),
        _ => Err(Failure::UnexpectedStatus(status)),
    }
}

/// Exactly one JSON value and nothing after it: for readers that do not parse to the end themselves.
pub fn ensure_one_json_value(body: &[u8]) -> Result<(), Failure> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    IgnoredAny::deserialize(&mut reader).and_then(|_| reader.end()).map_err(|_| Failure::WrongContent)
}

fn right_media(headers: &Headers, media: Media) -> Result<(), Failure> {
    let name = headers.only("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    let right = match media {
        Media::Json => name == "application/json" || (name.starts_with("application/") && name.ends_with("+json")),
        Media::Csv => matches!(
            name.as_str(),
            "text/csv" | "application/csv" | "text/plain" | "application/octet-stream" | "binary/octet-stream"
        ),
        Media::Any => true,
    };
    if right { Ok(()) } else { Err(Failure::WrongContent) }
}

/// Keeps of a refusal what may be kept. Its body is read leniently: the status counts, whatever the body is like.
async fn refused(mut response: Response) -> StatusFailure {
    let body = body::whole(&mut response, ERROR_BYTES).await.map(|whole| whole.bytes).unwrap_or_default();
    let told = fields::told(&body);
    let headers = &response.headers;
    StatusFailure {
        status: response.status,
        retry_after: fields::retry_after(headers),
        should_retry: fields::should_retry(headers),
        rate_reason: fields::rate_reason(headers),
        request_id: fields::request_id(headers),
        error_type: told.error_type,
        error_code: told.error_code,
        permission: told.permission.filter(|_| response.status == 403),
        date_ms: fields::sent_ms(headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn content_types_are_a_closed_list() {
        let right = |media, value: &str| right_media(&headers(&[("content-type", value)]), media).is_ok();
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"] {
            assert!(right(Media::Json, good), "{good}");
        }
        for bad in ["text/html", "text/html; a=application/json", "text/json", "text/plain", "", "text/x+json"] {
            assert!(!right(Media::Json, bad), "{bad}");
        }
        for good in ["text/csv; charset=utf-8", "binary/octet-stream"] {
            assert!(right(Media::Csv, good), "{good}");
        }
        for bad in ["text/html", "application/xml", "application/json"] {
            assert!(!right(Media::Csv, bad), "{bad}");
        }
        let json = ("content-type", "application/json");
        assert_eq!(right_media(&headers(&[]), Media::Json), Err(Failure::WrongContent));
        assert_eq!(right_media(&headers(&[json, json]), Media::Json), Err(Failure::WrongContent));
    }

    #[test]
    fn a_redirect_is_taken_only_to_a_safe_address() {
        let target = |asked: &str, location: &str| {
            Redirect::of(asked, &headers(&[("location", location)])).map(|r| r.request(Duration::from_secs(1)).url)
        };
        let asked = "https://api.example/reports/1/files/2";
        assert_eq!(target(asked, "https://store.example/f?sig=1").as_deref(), Some("https://store.example/f?sig=1"));
        assert_eq!(target(asked, "/other").as_deref(), Some("https://api.example/other"));
        assert_eq!(target(asked, "http://store.example/f"), None);
        assert_eq!(target(asked, "https://user:pass@store.example/f"), None);
        assert_eq!(target(asked, "ftp://store.example/f"), None);
        assert_eq!(target(asked, "file:///etc/passwd"), None);
        assert_eq!(target("http://127.0.0.1:1/a", "http://127.0.0.1:2/b").as_deref(), Some("http://127.0.0.1:2/b"));
        let twice = headers(&[("location", "https://a.example/"), ("location", "https://b.example/")]);
        assert!(Redirect::of(asked, &twice).is_none());
    }

    #[test]
    fn one_json_value_and_nothing_after_it() {
        assert_eq!(ensure_one_json_value(b" {\"a\": [1, null]}\n"), Ok(()));
        for bad in [&b"{\"a\":1}{"[..], b"{\"a\":1} x", b"{\"a\":", b"", b"<html>", b"{\"a\":1}\0"] {
            assert_eq!(ensure_one_json_value(bad), Err(Failure::WrongContent), "{bad:?}");
        }
    }
}
