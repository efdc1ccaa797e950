//! The Checkout.com face: the world as Checkout.com's API shows it at some moment. Pure, like the Stripe face.

use super::json::Json;
use super::query::Query;
use super::stripe::Answer;
use super::truth::{Truth, TruthStream};
use super::world::World;

/// The world as Checkout.com shows it at one moment.
pub(crate) struct Face<'a> {
    pub(crate) world: &'a World,
    pub(crate) now_ms: i64,
    /// Host of the request, for links.
    pub(crate) host: &'a str,
    pub(crate) request_id: &'a str,
}

/// The scope that a path needs; `None` when there is no such path.
pub(crate) fn scope(path: &str) -> Option<&'static str> {
    match path.trim_start_matches('/').split('/').next()? {
        "disputes" => Some("disputes:view"),
        "payments" if path == "/payments/search" => Some("payments:search"),
        "payments" => Some("gateway:payment-details"),
        _ => None,
    }
}

impl Face<'_> {
    /// Answers a request.
    pub(crate) fn answer(&self, _method: &str, _path: &str, _query: &Query, _body: &[u8]) -> Answer {
        Answer { status: 404, body: Vec::new() }
    }

    /// Everything of a stream whose time is in `from..=to` (unix seconds).
    pub(crate) fn truth(&self, _stream: TruthStream, _from: u32, _to: u32) -> Vec<Truth> {
        Vec::new()
    }
}

/// Checkout.com's error body.
pub(crate) fn error(status: u16, kind: &str, codes: &[&str], request_id: &str) -> Answer {
    let mut json = Json::compact();
    json.object(|w| {
        w.put("request_id", request_id);
        w.put("error_type", kind);
        w.list("error_codes", |w| codes.iter().for_each(|code| w.element(*code)));
    });
    Answer { status, body: json.finish() }
}
