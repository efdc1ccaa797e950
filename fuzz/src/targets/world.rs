//! A provider for the paging machine: objects with the second they were made and the second from which they can be seen, and
//! the two ways of asking for them, answered in the very requests and pages of two declared streams. It draws nothing.

use std::sync::OnceLock;

use counterfoil::providers::{Ask, Way};
use serde_json::{Value, json};

use super::numbers::{slow_date, slow_instant};
use super::records::{fill, put};
use super::streams::{self, Ready};

/// Records a page: few, so that few objects make many pages.
pub(super) const LIMIT: u32 = 3;

/// One object, in seconds of the provider's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object {
    pub(super) created: i64,
    pub(super) visible: i64,
    pub(super) gone: bool,
}

/// The provider.
#[derive(Debug, Default)]
pub(super) struct World {
    /// An object's number is its place.
    pub(super) objects: Vec<Object>,
}

/// What the provider refuses: a cursor that names nothing.
#[derive(Debug)]
pub(super) struct Refused;

/// A stream of this way of reading.
pub(super) fn stream(way: Way) -> &'static Ready {
    let name = if way == Way::List { "stripe_refunds" } else { "checkoutcom_payments" };
    let found = streams::all().iter().find(|ready| ready.declaration.main().name == name);
    found.expect("the stream is declared")
}

impl World {
    /// The body of the answer to a request at a moment.
    pub(super) fn answer(&self, way: Way, ask: &Ask, now: i64) -> Result<String, Refused> {
        match way {
            Way::List => self.list(&ask.path, now),
            Way::Halved => Ok(self.search(ask.body.as_deref().expect("a search has a body"), now)),
        }
    }

    /// The numbers of what can be seen, newest first; among those of one second the latest made comes first.
    fn seen(&self, from: i64, to: i64, now: i64) -> Vec<usize> {
        let is_seen = |at: &usize| {
            let object = self.objects[*at];
            !object.gone && object.visible <= now && (from..to).contains(&object.created)
        };
        let mut seen: Vec<usize> = (0..self.objects.len()).filter(is_seen).collect();
        seen.sort_by_key(|at| std::cmp::Reverse((self.objects[*at].created, *at)));
        seen
    }

    fn list(&self, path: &str, now: i64) -> Result<String, Refused> {
        let query = path.split_once('?').expect("a list has a query").1;
        let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| field(name).and_then(|text| text.parse().ok()).expect("a number");
        let mut seen = self.seen(number("created[gte]"), number("created[lt]"), now);
        if let Some(cursor) = field("starting_after") {
            let cursor = number_of(cursor);
            if self.objects[cursor].gone {
                return Err(Refused);
            }
            let after = (self.objects[cursor].created, cursor);
            seen.retain(|at| (self.objects[*at].created, *at) < after);
        }
        let limit = number("limit") as usize;
        let more = seen.len() > limit;
        seen.truncate(limit);
        Ok(self.page(Way::List, &seen, more))
    }

    fn search(&self, body: &str, now: i64) -> String {
        let body: Value = serde_json::from_str(body).expect("a search is JSON");
        let second = |name: &str| {
            let text = body[name].as_str().expect("a time");
            slow_instant(text.as_bytes()).expect("a time").0 / 1000
        };
        // Both ends are inside.
        let mut seen = self.seen(second("from"), second("to") + 1, now);
        seen.truncate(body["limit"].as_u64().expect("a limit") as usize);
        self.page(Way::Halved, &seen, false)
    }

    fn page(&self, way: Way, shown: &[usize], more: bool) -> String {
        let records: Vec<String> = shown.iter().map(|at| record(way, *at, self.objects[*at].created)).collect();
        format!(r#"{{"object":"list","has_more":{more},"data":[{}]}}"#, records.join(","))
    }
}

/// The id of an object.
fn id(number: usize) -> String {
    format!("x_{number}")
}

/// The number of the object with this id.
pub(super) fn number_of(id: &str) -> usize {
    id.strip_prefix("x_").and_then(|number| number.parse().ok()).expect("an id of ours")
}

/// A good record of the stream, with what it cannot be without.
fn record(way: Way, number: usize, created: i64) -> String {
    static TEMPLATES: OnceLock<[String; 2]> = OnceLock::new();
    let templates = TEMPLATES.get_or_init(|| {
        [Way::List, Way::Halved].map(|way| {
            let ready = stream(way);
            let clock = ready.of.expect("a declared stream").1.clock.1;
            let mut table = ready.declaration.main().clone();
            table.columns.retain(|column| column.required);
            let mut record = json!({});
            fill(&mut record, &table, 0);
            put(&mut record, &["id".to_owned()], json!("@id"));
            put(&mut record, &[clock.to_owned()], json!("@at"));
            record.to_string()
        })
    });
    let (template, at) = match way {
        Way::List => (&templates[0], created.to_string()),
        Way::Halved => (&templates[1], format!("\"{}\"", iso(created))),
    };
    template.replace("@id", &id(number)).replace("\"@at\"", &at)
}

/// A second as Checkout.com writes it.
fn iso(second: i64) -> String {
    let ((year, month, day), clock) = (slow_date(second / 86_400), second % 86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", clock / 3600, clock / 60 % 60, clock % 60)
}
