//! Stripe, API version pinned: lists walked in closed windows of `created`, and the event feed that tells what changed. Facts: Stripe's API reference as of the
//! version below; lists are newest first, `created` is in whole seconds and never changes.

#[cfg(test)]
mod tests;

use super::{Ask, Grant, Heard, KeyForm, Link, Mark, Odd, Of, Position, Provider, Stream, Turn, Way, escaped, refuse};
use crate::problem::{self, Result};
use crate::stream::{Leaf, Page, Shape};
use crate::testpoint::planted;

/// The API version that every request names and every declaration was written against.
pub const API_VERSION: &str = "2026-10-28.endive";

/// Stripe.
pub static PROVIDER: Provider = Provider {
    name: "stripe",
    streams: STREAMS,
    marks: MARKS,
    links: LINKS,
    headers: &[("stripe-version", API_VERSION)],
    request,
    page,
    one,
    find: None,
    // On average, over a rolling 30 days, for the whole account (Stripe's page on rate limits, 2026).
    grant: Some(Grant { payments: "charges", per_payment: 500, least: 10_000 }),
    gone,
    mode: Some("livemode"),
    exponent,
    key,
};

const LIST: Shape = Shape { records: Some("data"), leaves: &["object", "has_more", "url"] };

/// A list with the usual filters, whose changes the event feed tells.
const fn list(
    (name, object): (&'static str, &'static str),
    sql: &'static str,
    path: &'static str,
    permission: &'static str,
) -> Stream {
    Stream {
        name,
        file: name,
        sql,
        path,
        way: Way::List,
        clock: ("created_at", "created"),
        shape: LIST,
        apart: &[],
        limit: 100,
        // Objects have been seen in lists up to a minute after the second they are stamped with; both numbers are
        // on the safe side of every published report.
        lag_s: 120,
        overlap_s: 900,
        behind_s: 0,
        permission,
        object,
        made: "created_at",
        heard: Heard::ByFeed,
        untold: false,
        unsettled: None,
        rungs: &[1, 2, 3],
        // Card disputes and failed refunds may come that late; it is our number, on the safe side.
        reach_days: 540,
    }
}

static STREAMS: &[Stream] = &[
    Stream {
        heard: Heard::IsFeed,
        rungs: &[],
        ..list(("events", "event"), include_str!("../../../sql/stripe/events.sql"), "/v1/events", "event_read")
    },
    list(("charges", "charge"), include_str!("../../../sql/stripe/charges.sql"), "/v1/charges", "charge_read"),
    Stream {
        unsettled: Some("status IN ('pending', 'requires_action')"),
        ..list(("refunds", "refund"), include_str!("../../../sql/stripe/refunds.sql"), "/v1/refunds", "charge_read")
    },
    Stream {
        unsettled: Some("status NOT IN ('won', 'lost', 'warning_closed', 'prevented')"),
        ..list(
            ("disputes", "dispute"),
            include_str!("../../../sql/stripe/disputes.sql"),
            "/v1/disputes",
            "dispute_read",
        )
    },
    Stream {
        // What becomes of an intent is told. That somebody gave it another amount, payment method or metadata is not: there is
        // no `payment_intent.updated`.
        untold: true,
        ..list(
            ("payment_intents", "payment_intent"),
            include_str!("../../../sql/stripe/payment_intents.sql"),
            "/v1/payment_intents",
            "payment_intent_read",
        )
    },
    Stream {
        // The one thing that changes, and it changes on the day that `available_on` names: no event tells it.
        heard: Heard::ByReading,
        unsettled: Some("status = 'pending' AND available_at <= ?2"),
        ..list(
            ("balance_transactions", "balance_transaction"),
            include_str!("../../../sql/stripe/balance_transactions.sql"),
            "/v1/balance_transactions",
            "balance_read",
        )
    },
    Stream {
        // A payout that was paid can still come back, usually within five business days.
        unsettled: Some("status IN ('pending', 'in_transit') OR (status = 'paid' AND arrival_at > ?2 - 864000000)"),
        reach_days: 60,
        ..list(("payouts", "payout"), include_str!("../../../sql/stripe/payouts.sql"), "/v1/payouts", "payout_read")
    },
];

/// An event's own object; and the charge that it names, because `charge.updated` is not sent for every change of one.
static MARKS: &[Mark] = &[
    Mark { stream: "events", id: "object_id", of: Of::Named("object") },
    Mark { stream: "events", id: "charge_id", of: Of::Stream("charges") },
    Mark { stream: "events", id: "latest_charge_id", of: Of::Stream("charges") },
];

/// A charge is made after its intent, and before what is done with it.
const AFTER_ITS_INTENT: &str = "t.created_at < ?3 AND EXISTS (SELECT 1 FROM stripe_payment_intents i
    WHERE i.account = t.account AND i.id = t.payment_intent_id AND i.created_at >= ?2)";

/// A charge reaches the balance when it is captured: within 30 days, where the card's network allows the longest.
static LINKS: &[Link] = &[
    Link {
        stream: "charges",
        id: "balance_transaction_id",
        of: "balance_transactions",
        expected: "t.created_at >= ?2 AND t.created_at < ?3 - 2678400000",
    },
    Link { stream: "refunds", id: "charge_id", of: "charges", expected: AFTER_ITS_INTENT },
    Link { stream: "disputes", id: "charge_id", of: "charges", expected: AFTER_ITS_INTENT },
];

fn request(stream: &Stream, at: &Position) -> Ask {
    let to_s = if planted("window_end_dropped") { at.to_s - 60 } else { at.to_s };
    let mut path = format!("{}?limit={}&created[gte]={}&created[lt]={to_s}", stream.path, at.limit, at.from_s);
    if let Some(cursor) = &at.cursor {
        path.push_str("&starting_after=");
        path.push_str(&escaped(cursor));
    }
    Ask { body: None, path }
}

fn page(stream: &Stream, page: &Page, _: &Position) -> std::result::Result<Turn, Odd> {
    let [object, has_more, url] = &page.leaves[..] else { return Err("no list") };
    if *object != Some(Leaf::Text("list".to_owned())) {
        return Err("the answer is not a list");
    }
    // Each list names its own address.
    if matches!(url, Some(Leaf::Text(url)) if !url.starts_with(stream.path)) {
        return Err("the answer is another list");
    }
    match has_more {
        Some(Leaf::Bool(false)) => Ok(Turn::Done),
        Some(Leaf::Bool(true)) if page.records == 0 && planted("hollow_is_end") => Ok(Turn::Done),
        Some(Leaf::Bool(true)) if page.records == 0 => Err("an empty page that says there is more"),
        Some(Leaf::Bool(true)) => match page.last_id() {
            Some(id) => Ok(Turn::More(id.to_owned())),
            // The last record was rejected: without its id the next page cannot be asked for.
            None => Err("the last record of a page has no usable id"),
        },
        _ => Err("the list does not say whether there is more"),
    }
}

fn one(stream: &Stream, id: &str) -> Ask {
    Ask { body: None, path: format!("{}/{}", stream.path, escaped(id)) }
}

fn gone(code: &str) -> bool {
    code == "resource_missing"
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
