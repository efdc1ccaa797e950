//! The endpoints that pages come from, as data: one line each. What is asked of them is the product's business.

use super::proxy::{Asked, Told};

/// How an endpoint is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Pages of a window, by cursor.
    List,
    /// A window a response, its ends in the query.
    Query,
    /// A window a response, its ends in the body.
    Search,
}

/// Which page of a list, or which window of a search, is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first page of a window that has several; the newest window.
    First,
    /// A page in between; a window in between.
    Middle,
    /// The last page of a window that has several; the oldest window.
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
    /// The field of the time that windows bound.
    pub(crate) time: &'static str,
    /// Records say whether they are live.
    pub(crate) mode: bool,
    /// Records a page, where pages are asked for.
    pub(crate) page: usize,
    /// Every other one is broken together with it, the rest stays whole.
    pub(crate) half: usize,
}

const fn stripe(
    stream: &'static str,
    (table, path): (&'static str, &'static str),
    mode: bool,
    page: usize,
    half: usize,
) -> Endpoint {
    Endpoint { connection: "main", stream, table, path, way: Way::List, time: "created", mode, page, half }
}

pub(crate) static ENDPOINTS: &[Endpoint] = &[
    stripe("charges", ("stripe_charges", "/v1/charges"), true, 50, 0),
    stripe("refunds", ("stripe_refunds", "/v1/refunds"), false, 4, 1),
    stripe("disputes", ("stripe_disputes", "/v1/disputes"), true, 2, 0),
    stripe("payment_intents", ("stripe_payment_intents", "/v1/payment_intents"), true, 50, 1),
    stripe("balance_transactions", ("stripe_balance_transactions", "/v1/balance_transactions"), false, 60, 0),
    stripe("payouts", ("stripe_payouts", "/v1/payouts"), true, 15, 1),
    Endpoint {
        connection: "eu",
        stream: "payments",
        table: "checkoutcom_payments",
        path: "/payments/search",
        way: Way::Search,
        time: "requested_on",
        mode: false,
        page: 0,
        half: 0,
    },
    Endpoint {
        connection: "eu",
        stream: "disputes",
        table: "checkoutcom_disputes",
        path: "/disputes",
        way: Way::Query,
        time: "last_update",
        mode: false,
        page: 0,
        half: 1,
    },
];

impl Endpoint {
    /// Its name among all: streams of two providers may share theirs.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.connection, self.stream)
    }

    /// The column of the time that windows bound.
    pub(crate) fn clock(&self) -> &'static str {
        match self.time {
            "created" => "created_at",
            "requested_on" => "requested_at",
            _ => "updated_at",
        }
    }

    /// Which place this answer has; `None` for a window that is read whole at once.
    pub(crate) fn place(&self, asked: &Asked, told: &Told, (start_s, now_s): (i64, i64)) -> Option<Place> {
        if self.way == Way::List {
            let json: serde_json::Value = serde_json::from_slice(&told.body).ok()?;
            let more = json["has_more"].as_bool()?;
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
