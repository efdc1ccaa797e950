//! The endpoints that pages come from, as data: one line each. What is asked of them is the product's business.

use std::collections::BTreeMap;

use super::proxy::{Asked, Told};

/// What an agent has behind it when it meets a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scene {
    /// Nothing: it reads for the first time.
    First,
    /// A first pass, most of a day ago; three objects of each stream are marked, to be read again by their ids.
    Later,
    /// The same, with a key that may not read payments by their ids.
    Searching,
}

/// Endpoints that are broken together, while the rest stays whole, are a group; each has its scene.
pub(crate) static GROUPS: &[Scene] = &[Scene::First, Scene::First, Scene::Later, Scene::Later, Scene::Searching];

/// How an endpoint is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Pages of a window, by cursor.
    List,
    /// A window a response, its ends in the query.
    Query,
    /// A window a response, its ends in the body.
    Search,
    /// One object by its id.
    One,
    /// What a read of one object leaves out, by the object's id: a bare array.
    Part,
    /// One object by its id, found by search.
    Found,
}

/// Which page of a list, which window of a search, or which of several marked objects is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first page of a window that has several; the newest window; the oldest object.
    First,
    /// A page in between; a window in between; an object in between.
    Middle,
    /// The last page of a window that has several; the oldest window; the newest object.
    Last,
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) connection: &'static str,
    pub(crate) stream: &'static str,
    pub(crate) table: &'static str,
    pub(crate) path: &'static str,
    pub(crate) way: Way,
    /// The field of the time that windows bound; in a part its elements' own.
    pub(crate) time: &'static str,
    /// Records say whether they are live.
    pub(crate) mode: bool,
    /// Records a page, where pages are asked for.
    pub(crate) page: usize,
    /// Its group, by number.
    pub(crate) group: usize,
}

/// Marked objects of each table: the oldest, one in between, the newest.
pub(crate) type Marked = BTreeMap<&'static str, [String; 3]>;

const fn stripe(
    stream: &'static str,
    (table, path): (&'static str, &'static str),
    mode: bool,
    page: usize,
    group: usize,
) -> Endpoint {
    Endpoint { connection: "main", stream, table, path, way: Way::List, time: "created", mode, page, group }
}

const fn by_id(list: Endpoint, path: &'static str, group: usize) -> Endpoint {
    Endpoint { path, way: Way::One, page: 0, group, ..list }
}

const CHARGES: Endpoint = stripe("charges", ("stripe_charges", "/v1/charges"), true, 50, 0);
const REFUNDS: Endpoint = stripe("refunds", ("stripe_refunds", "/v1/refunds"), false, 4, 1);
const DISPUTES: Endpoint = stripe("disputes", ("stripe_disputes", "/v1/disputes"), true, 2, 0);
const INTENTS: Endpoint = stripe("payment_intents", ("stripe_payment_intents", "/v1/payment_intents"), true, 50, 1);
const BALANCE: Endpoint =
    stripe("balance_transactions", ("stripe_balance_transactions", "/v1/balance_transactions"), false, 60, 0);
const PAYOUTS: Endpoint = stripe("payouts", ("stripe_payouts", "/v1/payouts"), true, 15, 1);
const PAYMENTS: Endpoint = Endpoint {
    connection: "eu",
    stream: "payments",
    table: "checkoutcom_payments",
    path: "/payments/search",
    way: Way::Search,
    time: "requested_on",
    mode: false,
    page: 0,
    group: 0,
};
const CLAIMS: Endpoint = Endpoint {
    stream: "disputes",
    table: "checkoutcom_disputes",
    path: "/disputes",
    way: Way::Query,
    time: "last_update",
    group: 1,
    ..PAYMENTS
};

/// How the path of a part ends.
const PART: &str = "/actions";

/// Every endpoint; of each stream the one that lists it comes first.
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    CHARGES,
    REFUNDS,
    DISPUTES,
    INTENTS,
    BALANCE,
    PAYOUTS,
    PAYMENTS,
    CLAIMS,
    stripe("events", ("stripe_events", "/v1/events"), true, 2, 2),
    by_id(CHARGES, "/v1/charges/", 2),
    by_id(REFUNDS, "/v1/refunds/", 3),
    by_id(DISPUTES, "/v1/disputes/", 2),
    by_id(INTENTS, "/v1/payment_intents/", 3),
    by_id(BALANCE, "/v1/balance_transactions/", 2),
    by_id(PAYOUTS, "/v1/payouts/", 3),
    by_id(PAYMENTS, "/payments/", 2),
    by_id(CLAIMS, "/disputes/", 3),
    Endpoint { way: Way::Part, time: "processed_on", ..by_id(PAYMENTS, "/payments/", 3) },
    Endpoint { way: Way::Found, group: 4, ..PAYMENTS },
];

/// The endpoints that list: one a stream.
pub(crate) fn streams() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(|endpoint| !endpoint.single())
}

impl Endpoint {
    /// Its name among all.
    pub(crate) fn name(&self) -> String {
        format!("{} {:?}", self.path, self.way)
    }

    /// One object a request.
    pub(crate) fn single(&self) -> bool {
        matches!(self.way, Way::One | Way::Part | Way::Found)
    }

    /// The stream that says what changed in the others.
    pub(crate) fn is_feed(&self) -> bool {
        self.stream == "events"
    }

    /// Whether this request is for it.
    pub(crate) fn is_asked(&self, asked: &Asked) -> bool {
        let path = asked.target.split('?').next().unwrap_or_default();
        let by_id = String::from_utf8_lossy(&asked.body).contains("id:'");
        match self.way {
            Way::One => path.starts_with(self.path) && path != PAYMENTS.path && !path.ends_with(PART),
            Way::Part => path.starts_with(self.path) && path.ends_with(PART),
            Way::Found => path == self.path && by_id,
            Way::List | Way::Query | Way::Search => path == self.path && !by_id,
        }
    }

    /// The column of the time that windows bound.
    pub(crate) fn clock(&self) -> &'static str {
        match self.time {
            "created" => "created_at",
            "requested_on" => "requested_at",
            _ => "updated_at",
        }
    }

    /// Which place this answer has; `None` for a window that is read whole at once, and for an object that is not `marked`.
    pub(crate) fn place(
        &self,
        asked: &Asked,
        told: &Told,
        marked: &Marked,
        (start_s, now_s): (i64, i64),
    ) -> Option<Place> {
        if self.single() {
            let text = format!("{} {}", asked.target, String::from_utf8_lossy(&asked.body));
            let at = marked.get(self.table)?.iter().position(|id| text.contains(id.as_str()))?;
            return Some([Place::First, Place::Middle, Place::Last][at]);
        }
        if self.way == Way::List {
            // A record may hold lists of its own; the last word is the page's.
            let more = String::from_utf8_lossy(&told.body).rsplit_once("\"has_more\": ")?.1.starts_with("true");
            return match (asked.target.contains("starting_after"), more) {
                (false, true) => Some(Place::First),
                (true, true) => Some(Place::Middle),
                (true, false) => Some(Place::Last),
                (false, false) => None,
            };
        }
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let time = |name: &str| -> Option<i64> {
            let marker = format!("{name}=");
            let text = match self.way {
                Way::Search => body[name].as_str()?.to_owned(),
                _ => asked.target.split(['?', '&']).find_map(|pair| pair.strip_prefix(&marker))?.to_owned(),
            };
            Some(text.parse::<jiff::Timestamp>().ok()?.as_second())
        };
        let (from, to) = (time("from")?, time("to")?);
        Some(match () {
            () if from <= start_s => Place::Last,
            () if to >= now_s - 3600 => Place::First,
            () => Place::Middle,
        })
    }
}
