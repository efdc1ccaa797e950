//! What each provider offers and how its pages read, as data and pure functions. No I/O, no clock, no configuration.
//! A provider is a folder, its SQL files and one word in [`ALL`]; a stream is an SQL file and an entry in its table.

pub mod checkoutcom;
pub mod stripe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::problem::{Entry, Problem, Result};
use crate::stream::{Declaration, Page, Shape};

/// Every provider.
pub static ALL: &[&Provider] = &[&stripe::PROVIDER, &checkoutcom::PROVIDER];

/// A company whose API we read.
pub struct Provider {
    /// Its name in the configuration and before its tables' names.
    pub name: &'static str,
    /// What it offers.
    pub streams: &'static [Stream],
    /// What records of one stream say of another's.
    pub marks: &'static [Mark],
    /// What must be held because a record that is held names it.
    pub links: &'static [Link],
    /// Sent with every request.
    pub headers: &'static [(&'static str, &'static str)],
    /// The request for a position in a stream.
    pub request: fn(&Stream, &Position) -> Ask,
    /// What a page says about its window.
    pub page: fn(&Stream, &Page, &Position) -> std::result::Result<Turn, Odd>,
    /// The request for one object by its id.
    pub one: fn(&Stream, &str) -> Ask,
    /// The request that finds one object in a list, for keys that may not read it by its id; made at this second, if known.
    pub find: Option<Find>,
    /// How many reads it grants, where it grants a number.
    pub grant: Option<Grant>,
    /// Whether a refusal with this error code says that the object no longer exists.
    pub gone: fn(&str) -> bool,
    /// The field of a record that tells whether it is live, of records that tell it.
    pub mode: Option<&'static str>,
    /// Decimals of a lower-case currency at this provider; `None` for a code that is none.
    pub exponent: fn(&str) -> Option<u8>,
    /// What a key tells by its form, or why it is refused.
    pub key: fn(&[u8]) -> Result<KeyForm>,
}

/// A request that finds an object of a stream, by its id and the second when it was made, if known; `None` where objects of
/// that stream cannot be searched for.
pub type Find = fn(&Stream, &str, Option<i64>) -> Option<Ask>;

/// How many reads a provider grants an account over 30 days, whoever sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The stream whose records are the payments.
    pub payments: &'static str,
    /// Reads for each payment.
    pub per_payment: u64,
    /// Reads in any case.
    pub least: u64,
}

/// One kind of record.
pub struct Stream {
    /// Its name: the table without the provider.
    pub name: &'static str,
    /// The file of its declaration, for faults.
    pub file: &'static str,
    /// Its declaration.
    pub sql: &'static str,
    /// Path of its list.
    pub path: &'static str,
    /// How it is read.
    pub way: Way,
    /// The column of the time that windows bound, and the provider's name for it.
    pub clock: (&'static str, &'static str),
    /// How its pages lie in the response.
    pub shape: Shape,
    /// Arrays of a record that its pages bring and a read by its id leaves out: each is asked for by itself.
    pub apart: &'static [Part],
    /// Records a page at most.
    pub limit: u32,
    /// Windows close this many seconds before the provider's now.
    pub lag_s: i64,
    /// A later pass begins this many seconds before the last one ended.
    pub overlap_s: i64,
    /// Its list is an index that may show an object as it was up to this many seconds ago, where a read by id shows it as it
    /// is; 0 where both are one.
    pub behind_s: i64,
    /// The permission that reading it needs, as the provider names it.
    pub permission: &'static str,
    /// The provider's name for one such object.
    pub object: &'static str,
    /// The column of the time when an object was made.
    pub made: &'static str,
    /// How changes after an object was made are heard of.
    pub heard: Heard,
    /// Some changes come without any word, though the provider tells of others: what is known cannot be stated.
    pub untold: bool,
    /// Which rows have a state that is not final: a condition on the stream's table, where `?2` is the provider's time in
    /// milliseconds. They are read again once a day.
    pub unsettled: Option<&'static str>,
    /// Each day is listed again when this many days have passed since its end.
    pub rungs: &'static [i64],
    /// How long after it was made an object may still change, in days: as far back as all is listed again after a gap in
    /// the feed.
    pub reach_days: i64,
}

/// An array of a record that a read by its id leaves out.
pub struct Part {
    /// The record's field where the array stands on a page: one of the child tables'.
    pub field: &'static str,
    /// The request for it by the record's id. The answer is the array, bare.
    pub ask: fn(&str) -> Ask,
}

/// How changes are heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The stream is the feed: its records say what else changed. Its rows are kept for some days only.
    IsFeed,
    /// The feed names every object that changed.
    ByFeed,
    /// A change moves the object to a new time in the list.
    ByList,
    /// No word of it comes, but when it comes is known: the unsettled rows, read again, are all that can have changed.
    ByReading,
    /// No word of it comes: what is listed again is all that is known. The stream can never state a changed horizon.
    Never,
}

/// What a record says of another object: that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The stream whose records say it.
    pub stream: &'static str,
    /// The column with the other object's id.
    pub id: &'static str,
    /// Which stream that object is of.
    pub of: Of,
}

/// Which stream a marked object is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Always this one.
    Stream(&'static str),
    /// The one whose [`Stream::object`] stands in this column.
    Named(&'static str),
}

/// Records of one stream name objects of another: those that must have been listed are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The stream whose records name them.
    pub stream: &'static str,
    /// The column with the other object's id.
    pub id: &'static str,
    /// The stream that they are of.
    pub of: &'static str,
    /// Which records `t` name one that was made in the time `?2` to `?3`: a condition. Ids alone do not tell.
    pub expected: &'static str,
}

/// An event feed is read again from the beginning when it was not heard for longer than this: a day less than is kept.
pub const FEED_REACH_MS: i64 = 29 * 86_400_000;
/// Rows of a feed leave after this long.
pub const FEED_KEPT_MS: i64 = 35 * 86_400_000;

/// A way of reading, of a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Pages within a closed window, newest first, each asked for by the last id of the one before.
    List,
    /// Windows halved until one response holds all of one.
    Halved,
}

/// Where in a stream a request asks. Times in whole seconds of the provider's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// First second inside.
    pub from_s: i64,
    /// First second after.
    pub to_s: i64,
    /// The last id of the page before.
    pub cursor: Option<String>,
    /// Records wanted.
    pub limit: u32,
}

/// A request without host and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// POST instead of GET, with this JSON.
    pub body: Option<String>,
    /// Path and query.
    pub path: String,
}

/// What a page says about its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// All of the window is here.
    Done,
    /// More after this id.
    More(String),
    /// The window holds more than a response can: halve it.
    TooFull,
}

/// A page that contradicts itself; the words are ours.
pub type Odd = &'static str;

/// What a key tells by its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyForm {
    /// Live money.
    pub live: bool,
    /// It may do more than read.
    pub full_access: bool,
}

impl Stream {
    /// Its declaration, read once: what a stream is asked for again and again.
    pub fn declaration(&self) -> Result<Arc<Declaration>> {
        static READ: Mutex<BTreeMap<&str, Arc<Declaration>>> = Mutex::new(BTreeMap::new());
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(declaration) = read.get(self.sql) {
            return Ok(declaration.clone());
        }
        let declaration = Arc::new(Declaration::parse(self.file, self.sql)?);
        read.insert(self.sql, declaration.clone());
        Ok(declaration)
    }
}

impl Stream {
    /// The provider's word for how a window is walked, as coverage names it.
    pub fn method(&self) -> &'static str {
        match self.way {
            Way::List => "list",
            Way::Halved => "halved",
        }
    }

    /// Requests that reading one object by its id takes.
    pub fn one_takes(&self) -> i64 {
        1 + self.apart.len() as i64
    }

    /// Whether word comes of every change, so that it can be stated up to when all are in.
    pub fn tells_changes(&self) -> bool {
        self.heard != Heard::Never && !self.untold
    }
}

impl Provider {
    /// The stream that tells what changed, if there is one.
    pub fn feed(&self) -> Option<&'static Stream> {
        self.streams.iter().find(|stream| stream.heard == Heard::IsFeed)
    }

    /// The name of a stream's main table.
    pub fn table(&self, stream: &Stream) -> String {
        format!("{}_{}", self.name, stream.name)
    }

    /// The stream of this name.
    pub fn stream(&self, name: &str) -> Option<&'static Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }
}

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static Provider> {
    ALL.iter().find(|provider| provider.name == name).copied()
}

/// The declarations of every stream of every provider.
pub fn declarations() -> Result<Vec<Declaration>> {
    let streams = ALL.iter().flat_map(|provider| provider.streams);
    streams.map(|stream| stream.declaration().map(|declaration| Declaration::clone(&declaration))).collect()
}

/// A key refused by its form: never shown, only named by what is wrong with it.
fn refuse(entry: &'static Entry, why: &str) -> Problem {
    entry.with(why)
}

/// An id as it stands in a path or a query: whatever is not plain is escaped.
fn escaped(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    id.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Source;

    /// Its rows come without their parent's row, so positions in it would say nothing of what was there before.
    #[test]
    fn a_part_is_the_array_of_a_child_table_whose_rows_have_ids_of_their_own() {
        let parts = ALL.iter().flat_map(|provider| provider.streams).flat_map(|stream| {
            let declaration = stream.declaration().unwrap();
            stream.apart.iter().map(move |part| (part, declaration.clone()))
        });
        let mut seen = 0;
        for (part, declaration) in parts {
            let of = |table: &&crate::stream::Table| table.each.as_ref().is_some_and(|each| each.path == [part.field]);
            let table = declaration.tables.iter().find(of).unwrap_or_else(|| panic!("no table of {}", part.field));
            assert_eq!(table.key, ["account", "id"], "{}", table.name);
            assert!(table.columns.iter().all(|column| column.source != Source::Position), "{}", table.name);
            seen += 1;
        }
        assert_eq!(seen, 1);
    }
}
