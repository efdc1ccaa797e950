//! Stripe, API version pinned: lists walked in closed windows of `created`. Facts: Stripe's API reference as of the
//! version below; lists are newest first, `created` is in whole seconds and never changes.

#[cfg(test)]
mod tests;

use super::{Ask, KeyForm, Odd, Position, Provider, Stream, Turn, Way, refuse};
use crate::problem::{self, Result};
use crate::stream::{Leaf, Page, Shape};

/// The API version that every request names and every declaration was written against.
pub const API_VERSION: &str = "2026-10-28.endive";

/// Stripe.
pub static PROVIDER: Provider = Provider {
    name: "stripe",
    streams: STREAMS,
    headers: &[("stripe-version", API_VERSION)],
    request,
    page,
    witness,
    exponent,
    key,
};

const LIST: Shape = Shape { records: Some("data"), leaves: &["object", "has_more"] };

/// A list with the usual filters.
const fn list(name: &'static str, sql: &'static str, path: &'static str, permission: &'static str) -> Stream {
    Stream {
        name,
        file: name,
        sql,
        path,
        way: Way::List,
        clock: ("created_at", "created"),
        shape: LIST,
        limit: 100,
        // Objects have been seen in lists up to a minute after the second they are stamped with; both numbers are
        // on the safe side of every published report.
        lag_s: 120,
        overlap_s: 900,
        permission,
    }
}

static STREAMS: &[Stream] = &[
    list("charges", include_str!("../../../sql/stripe/charges.sql"), "/v1/charges", "charge_read"),
    list("refunds", include_str!("../../../sql/stripe/refunds.sql"), "/v1/refunds", "charge_read"),
    list("disputes", include_str!("../../../sql/stripe/disputes.sql"), "/v1/disputes", "dispute_read"),
    list(
        "payment_intents",
        include_str!("../../../sql/stripe/payment_intents.sql"),
        "/v1/payment_intents",
        "payment_intent_read",
    ),
    list(
        "balance_transactions",
        include_str!("../../../sql/stripe/balance_transactions.sql"),
        "/v1/balance_transactions",
        "balance_read",
    ),
    list("payouts", include_str!("../../../sql/stripe/payouts.sql"), "/v1/payouts", "payout_read"),
];

fn request(stream: &Stream, at: &Position) -> Ask {
    let mut path = format!("{}?limit={}&created[gte]={}&created[lt]={}", stream.path, at.limit, at.from_s, at.to_s);
    if let Some(cursor) = &at.cursor {
        path.push_str("&starting_after=");
        path.push_str(cursor);
    }
    Ask { body: None, path }
}

fn page(_: &Stream, page: &Page, _: &Position) -> std::result::Result<Turn, Odd> {
    let [object, has_more] = &page.leaves[..] else { return Err("no list") };
    if *object != Some(Leaf::Text("list".to_owned())) {
        return Err("the answer is not a list");
    }
    match has_more {
        Some(Leaf::Bool(false)) => Ok(Turn::Done),
        Some(Leaf::Bool(true)) if page.records == 0 => Err("an empty page that says there is more"),
        Some(Leaf::Bool(true)) => match page.last_id() {
            Some(id) => Ok(Turn::More(id.to_owned())),
            // The last record was rejected: without its id the next page cannot be asked for.
            None => Err("the last record of a page has no usable id"),
        },
        _ => Err("the list does not say whether there is more"),
    }
}

fn witness(stream: &Stream, id: &str) -> Ask {
    Ask { body: None, path: format!("{}/{id}", stream.path) }
}

/// Stripe's own list: it differs from ISO 4217 and from other providers' (UGX and ISK are sent with two decimals).
fn exponent(currency: &str) -> Option<u8> {
    const ZERO: &[&str] =
        &["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
    const THREE: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];
    super::checkoutcom::by_lists(currency, ZERO, THREE)
}

fn key(key: &[u8]) -> Result<KeyForm> {
    let starts = |prefix: &str| key.starts_with(prefix.as_bytes());
    if starts("pk_") {
        return Err(refuse(&problem::KEY_PUBLISHABLE, "it begins with pk_"));
    }
    let body = key.splitn(3, |b| *b == b'_').nth(2).unwrap_or_default();
    let plain = body.len() >= 10 && body.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let kind = (starts("sk_") || starts("rk_")) && (key[3..].starts_with(b"live_") || key[3..].starts_with(b"test_"));
    if !plain || !kind {
        return Err(refuse(&problem::KEY_FORM, "a Stripe key begins with rk_live_, rk_test_, sk_live_ or sk_test_"));
    }
    Ok(KeyForm { live: key[3..].starts_with(b"live_"), full_access: starts("sk_") })
}
