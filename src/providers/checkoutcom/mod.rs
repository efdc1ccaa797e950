//! Checkout.com (the current platform): disputes and payments search, read in windows that are halved until one response
//! holds all of one. Facts: Checkout.com's published specification of 2023 and its SDKs of 2026.

#[cfg(test)]
mod tests;

use super::{Ask, Heard, KeyForm, Link, Mark, Odd, Of, Part, Position, Provider, Stream, Turn, Way, escaped, refuse};
use crate::problem::{self, Result};
use crate::stream::{Leaf, Page, Shape};
use crate::testpoint::planted;

/// Checkout.com.
pub static PROVIDER: Provider = Provider {
    name: "checkoutcom",
    streams: STREAMS,
    marks: MARKS,
    links: LINKS,
    headers: &[],
    request,
    page,
    one,
    find: Some(find),
    // Only requests a second are limited.
    grant: None,
    // A missing object has no documented body, and one of another entity looks the same.
    gone: |_| false,
    mode: None,
    exponent,
    key,
};

/// A dispute that is new or moved changes its payment.
static MARKS: &[Mark] = &[Mark { stream: "disputes", id: "payment_id", of: Of::Stream("payments") }];

/// The payment of every dispute is read by its id, however old it is.
static LINKS: &[Link] = &[Link {
    stream: "disputes",
    id: "payment_id",
    of: "payments",
    expected: "t.received_at >= ?2 AND t.received_at < ?3",
}];

static STREAMS: &[Stream] = &[
    Stream {
        name: "payments",
        file: "payments",
        sql: include_str!("../../../sql/checkoutcom/payments.sql"),
        path: "/payments/search",
        way: Way::Halved,
        clock: ("requested_at", "requested_on"),
        shape: Shape { records: Some("data"), leaves: &[] },
        // Search brings a payment's actions with it, a read by id only links to them.
        apart: &[Part { field: "actions", ask: actions }],
        limit: 1000,
        // Search is eventually consistent, with no published bound.
        lag_s: 300,
        overlap_s: 3600,
        // Its own SDKs' tests wait twenty seconds for it, and not always long enough. The longest answer is in it.
        behind_s: 900,
        permission: "payments:search",
        object: "payment",
        made: "requested_at",
        // There is no filter by last change, and no list of events by time.
        heard: Heard::Never,
        untold: false,
        unsettled: Some(
            "requested_at > ?2 - 2592000000 AND status IN ('pending', 'authorized', 'partially_captured', 'retry_scheduled')",
        ),
        rungs: &[1, 3, 7, 14, 30, 60, 90],
        reach_days: 90,
    },
    Stream {
        name: "disputes",
        file: "disputes",
        sql: include_str!("../../../sql/checkoutcom/disputes.sql"),
        path: "/disputes",
        way: Way::Halved,
        clock: ("updated_at", "last_update"),
        shape: Shape { records: Some("data"), leaves: &["total_count"] },
        apart: &[],
        limit: 250,
        lag_s: 120,
        overlap_s: 900,
        behind_s: 0,
        permission: "disputes:view",
        object: "dispute",
        made: "updated_at",
        heard: Heard::ByList,
        untold: false,
        unsettled: None,
        rungs: &[1, 3],
        reach_days: 0,
    },
];

/// `YYYY-MM-DDTHH:MM:SSZ`: with fractions the disputes API answers 422.
fn time(second: i64) -> String {
    jiff::Timestamp::from_second(second).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

/// Whether the ends of a window are inside is not published: both are asked for, and neighbours share a second.
fn request(stream: &Stream, at: &Position) -> Ask {
    let (from, to) = (time(at.from_s), time(at.to_s));
    if stream.path == "/disputes" {
        // Pages would be numbers of records to skip, and what changes leaves the window: halves are asked for instead.
        let skip = at.cursor.as_deref().filter(|_| planted("skip_paging")).unwrap_or("0");
        return Ask { body: None, path: format!("/disputes?limit={}&skip={skip}&from={from}&to={to}", at.limit) };
    }
    // A query is required; this one matches every payment.
    let body = format!(r#"{{"query":"amount:>=0","limit":{},"from":"{from}","to":"{to}"}}"#, at.limit);
    Ask { body: Some(body), path: stream.path.to_owned() }
}

fn page(stream: &Stream, page: &Page, at: &Position) -> std::result::Result<Turn, Odd> {
    let limit = u64::from(at.limit);
    if stream.shape.leaves.is_empty() {
        // No total is given: a full page may have been cut.
        let full = page.records >= limit && !planted("full_page_is_whole");
        return Ok(if full { Turn::TooFull } else { Turn::Done });
    }
    match &page.leaves[0] {
        Some(Leaf::Int(total)) => match u64::try_from(*total) {
            Ok(total) if planted("skip_paging") => Ok(skipping(total, page, at)),
            Ok(total) if total > limit => Ok(Turn::TooFull),
            Ok(total) if total == page.records || planted("total_unchecked") => Ok(Turn::Done),
            _ => Err("the total does not match the page"),
        },
        _ => Err("the list gives no total"),
    }
}

/// The planted bug: goes on behind as many as were seen.
fn skipping(total: u64, page: &Page, at: &Position) -> Turn {
    let seen = page.records + at.cursor.as_deref().and_then(|cursor| cursor.parse::<u64>().ok()).unwrap_or(0);
    if total > seen { Turn::More(seen.to_string()) } else { Turn::Done }
}

fn one(stream: &Stream, id: &str) -> Ask {
    let list = if stream.path == "/disputes" { "/disputes" } else { "/payments" };
    Ask { body: None, path: format!("{list}/{}", escaped(id)) }
}

/// Newest first, all but disputes and authentications, and by the same permission as the payment itself.
fn actions(id: &str) -> Ask {
    Ask { body: None, path: format!("/payments/{}/actions", escaped(id)) }
}

/// By search: another permission, and the payment's actions come with it. Without a range it looks back 90 days.
fn find(stream: &Stream, id: &str, made_s: Option<i64>) -> Option<Ask> {
    if stream.name != "payments" {
        return None;
    }
    let range = |made| format!(r#","from":"{}","to":"{}""#, time(made), time(made + 1));
    let range = made_s.map(range).unwrap_or_default();
    // As a JSON string; a quotation mark within the query would end it.
    let query = serde_json::Value::from(format!("id:'{}'", id.replace('\'', "")));
    let body = format!(r#"{{"query":{query},"limit":2{range}}}"#);
    Some(Ask { body: Some(body), path: stream.path.to_owned() })
}

/// Checkout.com's own list: CLP has two decimals here, ISK none.
fn exponent(currency: &str) -> Option<u8> {
    const ZERO: &[&str] =
        &["bif", "djf", "gnf", "isk", "jpy", "kmf", "krw", "pyg", "rwf", "ugx", "vuv", "vnd", "xaf", "xof", "xpf"];
    const THREE: &[&str] = &["bhd", "iqd", "jod", "kwd", "lyd", "omr", "tnd"];
    by_lists(currency, ZERO, THREE)
}

/// Two decimals but for the currencies of the two lists; `None` for what is no lower-case code.
pub(super) fn by_lists(currency: &str, zero: &[&str], three: &[&str]) -> Option<u8> {
    match currency {
        code if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_lowercase()) => None,
        code if zero.contains(&code) => Some(0),
        code if three.contains(&code) => Some(3),
        _ => Some(2),
    }
}

/// `sk_` or `sk_sbox_`, 26 characters of base 32 and a last one that may be a sign.
fn key(key: &[u8]) -> Result<KeyForm> {
    if key.starts_with(b"pk_") {
        return Err(refuse(&problem::KEY_PUBLISHABLE, "it begins with pk_"));
    }
    let Some(rest) = key.strip_prefix(b"sk_") else {
        return Err(refuse(&problem::KEY_FORM, "a secret key begins with sk_"));
    };
    let (sandbox, body) = match rest.strip_prefix(b"sbox_") {
        Some(body) => (true, body),
        None => (false, rest),
    };
    if body.strip_prefix(b"test_").unwrap_or(body).iter().filter(|b| **b == b'-').count() == 4 {
        return Err(refuse(&problem::KEY_OLD_PLATFORM, "it holds a UUID"));
    }
    let base32 = |b: &u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(b);
    let whole = body.len() == 27 && body[..26].iter().all(base32) && (base32(&body[26]) || b"*#$=".contains(&body[26]));
    if !whole {
        return Err(refuse(&problem::KEY_FORM, "after sk_ (or sk_sbox_) 27 characters are expected"));
    }
    // Secret keys of this provider always may do more than read; a narrower road is OAuth.
    Ok(KeyForm { live: !sandbox, full_access: false })
}
