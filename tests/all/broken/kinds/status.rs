//! Statuses: refusals, failures and answers that are no 200.

use super::{End, Kind, next, with_body};
use crate::broken::proxy::Exchange;

/// The provider's own error body.
const ERROR: &[u8] =
    br#"{"error":{"type":"api_error","message":"broken"},"error_type":"processing_error","error_codes":["broken"]}"#;
const PAGE: &[u8] = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>";

fn status(exchange: &Exchange<'_>, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut told = exchange.told.clone();
    told.status = status;
    told.bytes(headers, body)
}

/// A refusal with the provider's error body.
fn refusal(name: &'static str, code: u16, once: End, lasting: End) -> Kind {
    Kind { once, ..Kind::always(name, lasting, move |exchange| next(status(exchange, code, &[], ERROR))) }
}

/// What Stripe says of an object that does not exist.
fn missing(name: &'static str, code: u16, problem: &'static str) -> Kind {
    const MISSING: &[u8] = br#"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}"#;
    let make = move |exchange: &Exchange<'_>| next(status(exchange, code, &[], MISSING));
    Kind { once: End::StopsAtFirst(problem), ..Kind::always(name, End::Stops(problem), make) }
}

/// The same with these headers.
fn told(name: &'static str, code: u16, header: (&'static str, &'static str), once: End, lasting: End) -> Kind {
    Kind { once, ..Kind::always(name, lasting, move |exchange| next(status(exchange, code, &[header], ERROR))) }
}

/// A redirect to another path of the same host, or to another host.
fn redirect(name: &'static str, code: u16, location: &'static str) -> Kind {
    let end = End::Stops("http.redirect");
    Kind::always(name, end, move |exchange| next(status(exchange, code, &[("location", location)], b"")))
}

fn odd(name: &'static str, code: u16, body: &'static [u8]) -> Kind {
    let end = End::Stops("http.unexpected_status");
    Kind::always(name, end, move |exchange| next(status(exchange, code, &[], body)))
}

pub(super) fn kinds() -> Vec<Kind> {
    use End::{Stops, StopsAtFirst, Whole};
    let (limited, failed) = (Stops("http.rate_limited"), Stops("http.server_error"));
    let (bad, gone) = ("http.bad_request", "http.not_found");
    let bare = |name, code, once, lasting| Kind {
        once,
        ..Kind::always(name, lasting, move |exchange| next(status(exchange, code, &[], b"")))
    };
    vec![
        refusal("400", 400, StopsAtFirst(bad), Stops(bad)),
        refusal("401", 401, Stops("http.unauthorised"), Stops("http.unauthorised")),
        bare("401 without a body", 401, Stops("http.unauthorised"), Stops("http.unauthorised")),
        refusal("402", 402, Stops(bad), Stops(bad)),
        refusal("403", 403, Stops("http.forbidden"), Stops("http.forbidden")).searched(),
        refusal("404", 404, StopsAtFirst(gone), Stops(gone)).searched(),
        bare("404 without a body", 404, StopsAtFirst(gone), Stops(gone)).searched(),
        missing("404 of what is missing", 404, gone).alone(End::Gone, End::Gone).searched(),
        missing("400 of what is missing", 400, bad),
        refusal("408", 408, Whole, Stops(bad)),
        refusal("409", 409, Whole, Stops("http.conflict")),
        refusal("410", 410, Stops(gone), Stops(gone)),
        refusal("422", 422, StopsAtFirst(bad), Stops(bad)),
        refusal("425", 425, Whole, Stops(bad)),
        refusal("429", 429, Whole, limited),
        told("429 with a short wait", 429, ("retry-after", "2"), Whole, limited),
        told("429 with a long wait", 429, ("retry-after", "3000"), limited, limited),
        told("429 with a wait that is none", 429, ("retry-after", "soon"), Whole, limited),
        told("429 for concurrency", 429, ("stripe-rate-limited-reason", "endpoint-concurrency"), Whole, limited),
        refusal("500", 500, Whole, failed),
        told("500 not to be tried again", 500, ("stripe-should-retry", "false"), failed, failed),
        Kind::passing("502 in HTML", failed, |exchange| {
            next(status(exchange, 502, &[("content-type", "text/html")], PAGE))
        }),
        bare("503 without a body", 503, Whole, failed),
        told("503 with a date to wait for", 503, ("retry-after", "Wed, 18 Mar 2026 12:00:30 GMT"), Whole, failed),
        refusal("504", 504, Whole, failed),
        refusal("529", 529, Whole, failed),
        odd("201", 201, ERROR),
        odd("202 without a body", 202, b""),
        Kind::always("204", Stops("http.unexpected_status"), |exchange| {
            let mut told = exchange.told.clone();
            told.status = 204;
            next(told.framed(&[], b""))
        }),
        Kind::always("206 with all of it", Stops("http.unexpected_status"), |exchange| {
            next(status(exchange, 206, &[("content-range", "bytes 0-9/10")], &exchange.told.body))
        }),
        odd("299", 299, ERROR),
        Kind::always("304", Stops("http.unexpected_status"), |exchange| {
            let mut told = exchange.told.clone();
            told.status = 304;
            next(told.framed(&[], b""))
        }),
        odd("600", 600, ERROR),
        redirect("301 to the same host", 301, "/v1/elsewhere"),
        redirect("302 to another host", 302, "https://login.invalid/"),
        redirect("307 to another host", 307, "https://login.invalid/"),
        redirect("308 without an address", 308, ""),
        Kind::always("an error object with 200", Stops("sync.malformed"), |exchange| with_body(exchange, ERROR))
            .alone(Whole, Stops("sync.contradiction")),
        Kind::always("HTML with 200", Stops("http.wrong_content"), |exchange| {
            next(exchange.told.bytes(&[("content-type", "text/html; charset=utf-8")], PAGE))
        }),
        Kind::always("HTML said to be JSON", Stops("sync.malformed"), |exchange| with_body(exchange, PAGE)),
        Kind::always("the right body as text", Stops("http.wrong_content"), |exchange| {
            next(exchange.told.bytes(&[("content-type", "text/plain")], &exchange.told.body))
        }),
        Kind::always("no content type", Stops("http.wrong_content"), |exchange| {
            next(exchange.told.bytes(&[("content-type", "")], &exchange.told.body))
        }),
        Kind::always("two content types", Stops("http.wrong_content"), |exchange| {
            let headers = [("content-type", "application/json"), ("content-type", "text/html")];
            next(exchange.told.bytes(&headers, &exchange.told.body))
        }),
    ]
}
