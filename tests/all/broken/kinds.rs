//! The table of broken answers: how each is made from the honest one, where it applies, and how a stream ends that meets
//! it once or each time it asks. Adding one is adding a line.

mod framing;
mod list;
mod record;
mod status;

use std::sync::OnceLock;

use serde_json::Value;

use super::endpoints::{Endpoint, Place, Way};
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
    /// The object counts as gone.
    Gone,
    /// The object is looked for no more, and that is told.
    Unseen,
}

/// One kind of broken answer.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) on: fn(&Endpoint) -> bool,
    /// When only one answer is broken.
    pub(crate) once: End,
    /// When the same request is answered so each time.
    pub(crate) lasting: End,
    /// The same of a read of one object, where it ends in another way.
    alone: Option<(End, End)>,
    /// Who may not read an object by its id, or is told that there is none, looks for it by search, where there is one.
    searched: bool,
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
        Self {
            name,
            on: |_| true,
            once: end,
            lasting: end,
            alone: None,
            searched: false,
            make: Box::new(make),
            silent: false,
        }
    }

    /// A kind that another try helps against.
    fn passing(
        name: &'static str,
        lasting: End,
        make: impl Fn(&Exchange<'_>) -> Option<Wire> + Send + Sync + 'static,
    ) -> Self {
        Self { once: End::Whole, ..Self::always(name, lasting, make) }
    }

    /// How a stream ends that met it at this place of an endpoint.
    pub(crate) fn end(&self, endpoint: &Endpoint, place: Place, lasting: bool) -> End {
        let own = (self.once, self.lasting);
        // What is no page is just that wherever pages are read.
        // Elements of a part are read as records of a page are.
        let paged =
            !endpoint.single() || part(endpoint) || pages(endpoint) && self.lasting == End::Stops("sync.malformed");
        let (once, each_time) = self.alone.filter(|_| !paged).unwrap_or(own);
        let searched = self.searched && by_id(endpoint) && endpoint.stream == "payments";
        match if lasting { each_time } else { once } {
            _ if searched => End::Whole,
            End::StopsAtFirst(_) if lists(endpoint) && place != Place::First => End::Whole,
            End::StopsAtFirst(code) => End::Stops(code),
            // Only Stripe says that an object is gone.
            End::Gone if endpoint.connection != "main" => End::Stops("http.not_found"),
            end => end,
        }
    }

    /// That it comes only once makes a difference.
    pub(crate) fn differs(&self) -> bool {
        self.once != self.lasting || self.alone.is_some_and(|(once, lasting)| once != lasting)
    }

    /// How a read of one object ends, when it meets it once and each time.
    fn alone(self, once: End, lasting: End) -> Self {
        Self { alone: Some((once, lasting)), ..self }
    }

    /// Another try does not help after all.
    fn always_so(self) -> Self {
        Self { once: self.lasting, ..self }
    }

    fn searched(self) -> Self {
        Self { searched: true, ..self }
    }

    fn on(self, on: fn(&Endpoint) -> bool) -> Self {
        Self { on, ..self }
    }

    fn silent(self) -> Self {
        Self { silent: true, ..self }
    }
}

fn lists(endpoint: &Endpoint) -> bool {
    endpoint.way == Way::List
}

/// The answer is one record, or a part of it.
fn by_id(endpoint: &Endpoint) -> bool {
    matches!(endpoint.way, Way::One | Way::Part)
}

/// The answer is one record.
fn whole(endpoint: &Endpoint) -> bool {
    endpoint.way == Way::One
}

/// The answer is a part of a record, a bare array.
fn part(endpoint: &Endpoint) -> bool {
    endpoint.way == Way::Part
}

/// The answer is a page of records.
fn pages(endpoint: &Endpoint) -> bool {
    !by_id(endpoint)
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

/// The newest record of a page or element of a part, or the only record.
fn newest(json: &mut Value) -> Option<&mut Value> {
    if json.is_array() {
        return json.get_mut(0);
    }
    if json.get("data").is_some() { json["data"].get_mut(0) } else { json.get("id").is_some().then_some(json) }
}

/// The records of a page, when there are at least `least`.
fn records(json: &mut Value, least: usize) -> Option<&mut Vec<Value>> {
    json["data"].as_array_mut().filter(|data| data.len() >= least)
}
