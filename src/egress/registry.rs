//! The registry: every permitted aggregate, as data. The gate, the guard, the page that a person reads before consenting
//! and the receiver's validator all follow it; a consent names its hash. It computes nothing about payments.

use std::fmt::Write as _;

use ring::digest;

use super::wire::Day;

/// The major version of the batch envelope.
pub const FORMAT: u8 = 1;

/// A dimension that the registry knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    /// How the attempt ended.
    Outcome,
    /// Which provider handled it.
    Provider,
    /// The card's scheme.
    Scheme,
    /// The card's funding type.
    Funding,
}

/// A dimension with its closed list of codes, as they appear on the wire.
#[derive(Debug)]
pub struct Dimension {
    /// Which one.
    pub dim: Dim,
    /// Its name.
    pub name: &'static str,
    /// Every code it may take.
    pub codes: &'static [&'static str],
    /// The code that stands for 'not told apart', where the ladder may roll the dimension up.
    pub rolled_up: Option<&'static str>,
}

/// One view of a fact: a partition of its events.
#[derive(Debug)]
pub struct View {
    /// Its key in the batch.
    pub name: &'static str,
    /// The base dimensions first, then the view's own: the order of the codes in a cell.
    pub dims: &'static [Dimension],
    /// What is rolled up, step by step, while a group is too small.
    pub ladder: &'static [Dim],
    /// The measures, in the order in which they follow the codes.
    pub measures: &'static [&'static str],
}

/// One fact: a kind of event, the question it answers and the rules of its release.
#[derive(Debug)]
pub struct Fact {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its version; a new slicing is a new version.
    pub version: u32,
    /// The question that it answers.
    pub question: &'static str,
    /// What is counted to decide whether a group is large enough.
    pub unit: &'static str,
    /// The only view.
    pub view: View,
    /// Fewest contributors (distinct cards and payers) of a cell.
    pub k: u32,
    /// Days between the end of a day and its release.
    pub lag_days: i64,
    /// How many days before a week's Sunday an event may lie to be released in that week's late batch.
    pub late_days: i64,
    /// The version of the program that introduced it.
    pub since: &'static str,
    /// From this day on nothing is released until the registry is reviewed.
    pub expires: Day,
}

/// Card payment attempts: the first fact.
pub static ATTEMPTS: Fact = Fact {
    name: "attempts",
    version: 1,
    question: "How many card payments are attempted, and how do they end?",
    unit: "card",
    view: View {
        name: "card",
        dims: &[
            Dimension {
                dim: Dim::Outcome,
                name: "outcome",
                codes: &["captured", "approved", "declined", "blocked", "error", "pending", "other"],
                rolled_up: None,
            },
            Dimension {
                dim: Dim::Provider,
                name: "provider",
                codes: &["stripe", "checkoutcom", "other"],
                rolled_up: Some("any"),
            },
            Dimension {
                dim: Dim::Scheme,
                name: "scheme",
                codes: &[
                    "visa",
                    "mastercard",
                    "amex",
                    "discover",
                    "diners",
                    "jcb",
                    "unionpay",
                    "cartes_bancaires",
                    "eftpos",
                    "interac",
                    "maestro",
                    "other",
                ],
                rolled_up: Some("any"),
            },
            Dimension {
                dim: Dim::Funding,
                name: "funding",
                codes: &["credit", "debit", "prepaid", "charge", "unknown"],
                rolled_up: Some("any"),
            },
        ],
        ladder: &[Dim::Provider, Dim::Funding, Dim::Scheme],
        measures: &["count"],
    },
    k: 10,
    lag_days: 3,
    late_days: 28,
    since: "0.1.0",
    expires: Day::civil(2028, 1, 1),
};

/// Every fact that may ever leave.
pub static FACTS: &[&Fact] = &[&ATTEMPTS];

/// The registry as text: what a person reads before consenting, and what the hash covers.
pub fn describe() -> String {
    let mut text = format!("format {FORMAT}\n");
    for fact in FACTS {
        let view = &fact.view;
        let ladder: Vec<&str> = view.ladder.iter().map(|dim| name_of(view, *dim)).collect();
        // Writing to a String cannot fail.
        _ = writeln!(
            text,
            "fact {} version {} (since {}, until {})",
            fact.name, fact.version, fact.since, fact.expires
        );
        _ = writeln!(text, "  question: {}", fact.question);
        _ = writeln!(
            text,
            "  released once: by UTC day, {} days after its end; what was held or late by ISO week, up to {} days back",
            fact.lag_days, fact.late_days
        );
        _ = writeln!(text, "  unit {}, at least {} distinct in every cell", fact.unit, fact.k);
        _ = writeln!(text, "  view {}: {}", view.name, view.measures.join(", "));
        for dimension in view.dims {
            _ = writeln!(text, "    {}: {}", dimension.name, dimension.codes.join(" "));
        }
        _ = writeln!(text, "    rolled up to 'any' in this order: {}", ladder.join(", "));
    }
    text
}

/// SHA-256 of [`describe`]: a consent holds for exactly this registry.
pub fn hash() -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, describe().as_bytes()).as_ref());
    out
}

fn name_of(view: &View, dim: Dim) -> &'static str {
    view.dims.iter().find(|dimension| dimension.dim == dim).map_or("", |dimension| dimension.name)
}
