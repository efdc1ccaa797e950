//! The table of broken answers: how each is made from the honest one, where it applies, and how a stream ends that meets
//! it once or each time it asks. Adding one is adding a line.

mod framing;
mod list;
mod record;
mod status;

use std::sync::OnceLock;

use serde_json::Value;

use super::endpoints::{Endpoint, Way};
use super::proxy::{Exchange, Then, Wire};

/// How a stream ends that met a broken answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All is in, nothing is told.
    Whole,
    /// It stops with this problem; its checkpoint stands before the page.
    Stops(&'static str),
    /// As [`End::Stops`] without a cursor; a refused cursor makes the window begin anew, and all is in.
    StopsAtFirst(&'static str),
    /// All is in but one record, which is counted as rejected.
    Rejects,
}

/// One kind of broken answer.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) on: fn(&Endpoint) -> bool,
    /// When only one answer is broken.
    pub(crate) once: End,
    /// When the same request is answered so each time.
    pub(crate) lasting: End,
    /// The broken answer; `None` when this page is too small for it.
    pub(crate) make: Make,
    /// It shows only after the deadline.
    pub(crate) silent: bool,
}

/// Makes a broken answer.
pub(crate) type Make = Box<dyn Fn(&Exchange<'_>) -> Option<Wire> + Send + Sync>;

/// All kinds.
pub(crate) fn kinds() -> &'static [Kind] {
    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        [status::kinds(), framing::kinds(), list::kinds(), record::kinds()].into_iter().flatten().collect()
    })
}

impl Kind {
    /// A kind that ends the same way whether it comes once or lasts.
    fn always(
        name: &'static str,
        end: End,
        make: impl Fn(&Exchange<'_>) -> Option<Wire> + Send + Sync + 'static,
    ) -> Self {
        Self { name, on: |_| true, once: end, lasting: end, make: Box::new(make), silent: false }
    }

    /// A kind that another try helps against.
    fn passing(
        name: &'static str,
        lasting: End,
        make: impl Fn(&Exchange<'_>) -> Option<Wire> + Send + Sync + 'static,
    ) -> Self {
        Self { once: End::Whole, ..Self::always(name, lasting, make) }
    }

    fn on(self, on: fn(&Endpoint) -> bool) -> Self {
        Self { on, ..self }
    }

    fn silent(self) -> Self {
        Self { silent: true, ..self }
    }
}

pub(super) fn lists(endpoint: &Endpoint) -> bool {
    endpoint.way == Way::List
}

fn counted(endpoint: &Endpoint) -> bool {
    endpoint.way == Way::Query
}

fn next(bytes: Vec<u8>) -> Option<Wire> {
    Some(Wire { bytes, then: Then::Next, drip: None })
}

fn then(bytes: Vec<u8>, then: Then) -> Option<Wire> {
    Some(Wire { bytes, then, drip: None })
}

/// The honest answer with another body.
fn with_body(exchange: &Exchange<'_>, body: &[u8]) -> Option<Wire> {
    next(exchange.told.bytes(&[], body))
}

/// The honest answer's JSON, changed; the change says whether it could be made.
fn changed(exchange: &Exchange<'_>, change: impl Fn(&mut Value) -> Option<()>) -> Option<Wire> {
    let mut json = serde_json::from_slice(&exchange.told.body).ok()?;
    change(&mut json)?;
    with_body(exchange, json.to_string().as_bytes())
}

/// The records of a page, when there are at least `least`.
fn records(json: &mut Value, least: usize) -> Option<&mut Vec<Value>> {
    json["data"].as_array_mut().filter(|data| data.len() >= least)
}
