//! The judge of a simulation. It asks the provider's face what it showed at some moment, has the product's own projection
//! read that, and compares: no row that was never true, none that goes back, none missing up to what is claimed; upstream
//! exactly what was due, nothing twice. It believes nothing that the product says of itself without looking.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use counterfoil::agent::parts::Parts;
use counterfoil::problem::{self, Result as Told};
use counterfoil::providers::Heard;
use counterfoil::sandbox::TruthStream;
use counterfoil::store::{Reader, Text, Window, WindowState};
use counterfoil::sync::{horizon, known};
use counterfoil::testpoint::page_limit;

use super::options::{DAY, HOUR, MINUTE};
use super::shown::{self, Row, Stream};
use super::storm::Storm;
use super::time::Time;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Rows that are new or were read again, and what coverage claims.
    Rows,
    /// All of it, and that all is well by now.
    Tail {
        /// Between two polls.
        poll_ms: i64,
    },
}

/// A row as it was last seen.
struct Seen {
    read_seq: i64,
    content: u64,
    /// How many columns were kept then: another profile keeps others.
    columns: usize,
    /// A moment at which it was true.
    true_at: i64,
    /// What stands in it.
    row: Row,
}

/// The judge.
pub(super) struct Oracle {
    storm: Arc<Storm>,
    time: Arc<Time>,
    /// From here on the agent was asked to read.
    start: i64,
    streams: Vec<Stream>,
    seen: HashMap<(&'static str, String), Seen>,
    /// The greatest number of a read that was looked at, by table.
    greatest: BTreeMap<&'static str, i64>,
    rows: u64,
    looks: usize,
}

impl Oracle {
    pub(super) fn new(storm: Arc<Storm>, time: Arc<Time>, start: i64) -> Self {
        let (streams, seen, greatest) = (Vec::new(), HashMap::new(), BTreeMap::new());
        Self { storm, time, start, streams, seen, greatest, rows: 0, looks: 0 }
    }

    /// Rows that were compared.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// From now on reads as this life of the agent reads.
    pub(super) async fn look_through(&mut self, parts: &Parts) -> Told<()> {
        self.streams.clear();
        for name in ["main", "eu"] {
            self.streams.extend(shown::streams(&*parts.connection(name).await?)?);
        }
        Ok(())
    }

    /// Compares; returns a hash of what was seen.
    pub(super) fn look(&mut self, reader: &Reader, check: Check) -> Result<u64, String> {
        let mut hash = DefaultHasher::new();
        let moments = std::mem::take(&mut self.storm.passed().answered);
        self.looks += 1;
        for at in 0..self.streams.len() {
            self.rows_of(reader, at, &moments)?;
            // One stream in turn: to prove what is known takes as long as all the rest of a look.
            if at == self.looks % self.streams.len() {
                self.stated(reader, at)?;
            }
            let windows = self.claims_of(reader, at, check)?;
            for window in windows {
                (window.from_at, window.to_at, window.provider_at, window.rows, window.cursor).hash(&mut hash);
            }
        }
        if let Check::Tail { poll_ms } = check {
            for at in 0..self.streams.len() {
                self.nothing_stale(reader, at, poll_ms)?;
            }
            self.nothing_stands(reader)?;
        }
        Ok(hash.finish())
    }

    /// Every row that is new, or was read again, was true at one of the moments, and is not older than it was.
    fn rows_of(&mut self, reader: &Reader, at: usize, moments: &BTreeSet<i64>) -> Result<(), String> {
        let stream = &self.streams[at];
        let table = stream.table;
        let since = self.greatest.get(table).copied().unwrap_or(0) - 256;
        let sql = format!(
            "SELECT id, read_seq, deleted_at, source, {} FROM {table} WHERE account = {} AND read_seq > {since}",
            stream.columns.join(", "),
            stream.account
        );
        let found = reader.table(&sql).map_err(|problem| format!("{table}: {problem}"))?;
        let columns = stream.columns.len();
        let mut children = stream.children(reader, since).map_err(|problem| format!("{table}: {problem}"))?;
        for mut row in found.rows {
            let (id, read_seq) = (row[0].str().unwrap_or_default().to_owned(), row[1].int().unwrap_or(0));
            let source = row[3].str().unwrap_or_default().to_owned();
            let content = hash_of(&row[4..]);
            let before = self.seen.get(&(table, id.clone()));
            let same = |before: &Seen| before.content == content || before.columns != columns;
            if before.is_some_and(|before| before.read_seq == read_seq && same(before)) {
                continue;
            }
            if row[2] != Text::Null {
                return Err(format!("{table} {id}: marked as gone, but the provider shows it"));
            }
            if before.is_some_and(|before| before.read_seq > read_seq) {
                return Err(format!("{table} {id}: an earlier read stands where a later one was"));
            }
            let stream = &self.streams[at];
            let children = children.remove(&id).unwrap_or_else(|| stream.childless());
            let row = Row { id: id.clone(), source, values: row.split_off(4), children };
            let now = self.time.now();
            let candidates = std::iter::once(now).chain(moments.iter().rev().copied());
            let mut difference = None;
            let mut true_at = None;
            for moment in candidates {
                match stream.differs(&self.storm.direct, &row, moment) {
                    None => {
                        true_at = Some(moment);
                        break;
                    }
                    Some(column) => drop(difference.get_or_insert(column)),
                }
            }
            let Some(shown_at) = true_at else {
                let column = difference.unwrap_or_default();
                return Err(format!("{table} {id}: was never true while it could be read ({column})"));
            };
            // What an index shows is older than that.
            let indexed = row.source == "search" && stream.line.stream.behind_s > 0;
            let behind = if indexed { self.behind(stream, &row) } else { 0 };
            let true_at = shown_at - behind;
            if before.is_some_and(|before| {
                before.content != content && before.columns == columns && true_at < before.true_at
            }) {
                return Err(format!("{table} {id}: went back"));
            }
            self.rows += 1;
            self.greatest.entry(table).and_modify(|most| *most = read_seq.max(*most)).or_insert(read_seq);
            self.seen.insert((table, id), Seen { read_seq, content, columns, true_at, row });
        }
        Ok(())
    }

    /// At any moment, in the middle of a pass too, the table of horizons claims no more than follows from what is held then.
    fn stated(&self, reader: &Reader, at: usize) -> Result<(), String> {
        let stream = &self.streams[at];
        let (table, of) = (stream.table, stream.account);
        let sql = format!(
            "SELECT listed_from, listed_to, changed_to FROM horizons WHERE account = {of} AND stream = '{table}'"
        );
        let (stated, known) = reader
            .at_one_moment(|| {
                Ok((reader.table(&sql)?, known(reader, of, stream.provider, stream.line.stream, self.start)?))
            })
            .map_err(|problem| problem.to_string())?;
        let Some(row) = stated.rows.first() else { return Ok(()) };
        let (from, to, changed) = (row[0].int(), row[1].int(), row[2].int());
        // What was listed without a hole then is so now, though a hole may lie between it and what was listed since.
        let holed = |(low, high)| known.missing.iter().any(|hole| hole.0 < high && hole.1 > low);
        let more = to > known.horizon.listed_to || changed > known.changed_to || from.zip(to).is_some_and(holed);
        if more {
            return Err(format!("{table}: stated is {from:?} to {to:?}, changes to {changed:?}; known is {known:?}"));
        }
        Ok(())
    }

    /// In the quiet tail every row is as the face showed it where its stream's changes are known to, and that is near.
    /// (What the feed told late it is heard to have told by the poll after.)
    fn nothing_stale(&mut self, reader: &Reader, at: usize, poll_ms: i64) -> Result<(), String> {
        let (stream, now) = (&self.streams[at], self.time.now());
        let (table, line) = (stream.table, stream.line.clone());
        let known = known(reader, stream.account, stream.provider, line.stream, self.start);
        let known = known.map_err(|problem| problem.to_string())?;
        // That what is stated is no more than what is known says little where nothing is stated.
        let sql = format!("SELECT 1 FROM horizons WHERE account = {} AND stream = '{table}'", stream.account);
        if reader.table(&sql).map_err(|problem| problem.to_string())?.rows.is_empty() {
            return Err(format!("{table}: in the quiet tail no horizons are stated"));
        }
        // Word of every change in this world comes, or of those alone that disputes tell.
        if line.stream.heard == Heard::Never {
            return self.told_by_disputes(reader, stream, now - 3 * poll_ms - 2 * HOUR);
        }
        if let Some(feed) = stream.provider.feed() {
            let windows = reader.windows(stream.account, &stream.provider.table(feed)).unwrap_or_default();
            let calm = windows.iter().filter(|window| window.provider_at > Some(now - 2 * poll_ms - HOUR));
            let early = |w: &&Window| {
                w.state == WindowState::Complete && w.provider_at < Some(w.to_at + feed.lag_s * 1000 - 1000)
            };
            if let Some(window) = calm.into_iter().find(early) {
                return Err(format!("the feed is believed too soon: {}", words(&[window], now)));
            }
        }
        let reached = known.heard_to.unwrap_or(0);
        let late = if line.stream.heard == Heard::ByReading { DAY } else { 0 };
        if reached < now - line.stream.lag_s * 1000 - poll_ms - late - 10 * MINUTE {
            return Err(format!(
                "{table}: in the quiet tail changes are known only up to {} s ago",
                (now - reached) / 1000
            ));
        }
        // What happened does not change; and the provider lets go of it.
        if line.stream.heard == Heard::IsFeed {
            return Ok(());
        }
        // That a payout was sent is told by no event of this world: it is read again within a day.
        let untold = if stream.truth == TruthStream::StripePayouts { DAY } else { 0 };
        let sure = reached - 2 * poll_ms - 30 * MINUTE - untold;
        let stale = self.seen.iter().filter(|((of, _), seen)| *of == table && seen.true_at < sure);
        let stale: BTreeMap<&String, &Seen> = stale.map(|((_, id), seen)| (id, seen)).collect();
        for (id, seen) in stale.into_iter().filter(|(_, seen)| seen.columns == stream.columns.len()) {
            let differs = |moment| stream.differs(&self.storm.direct, &seen.row, moment);
            if let (Some(column), Some(_)) = (differs(sure), differs(now)) {
                let ago = (now - seen.true_at) / 1000;
                let feed = stream.provider.feed().map(|feed| stream.provider.table(feed)).unwrap_or_default();
                let (mut before, mut after) = (seen.true_at, sure);
                while after - before > 1000 {
                    let middle = (before + after) / 2;
                    if differs(middle).is_some() { after = middle } else { before = middle }
                }
                let ago =
                    format!("{ago} s ago, changed {} s ago, made {:?}", (now - after) / 1000, self.made(stream, id));
                let windows = |of: &str| reader.windows(stream.account, of).unwrap_or_default();
                return Err(format!(
                    "{table} {id}: a change was missed ({column}); it was true {ago}; own windows {}; feed {}; known {known:?}",
                    words(windows(table).iter().collect::<Vec<_>>().as_slice(), now),
                    words(windows(&feed).iter().collect::<Vec<_>>().as_slice(), now),
                ));
            }
        }
        Ok(())
    }

    /// What a dispute that was told by then says of its payment is in, and so is all that search alone tells of it, the dispute
    /// among its actions.
    fn told_by_disputes(&self, reader: &Reader, stream: &Stream, by: i64) -> Result<(), String> {
        const SEEN_BY_SEARCH: i64 = 16 * MINUTE;
        let (table, account, now) = (stream.table, stream.account, self.time.now());
        let sql = format!(
            "SELECT payment_id, max(updated_at) FROM checkoutcom_disputes WHERE account = {account} AND updated_at < {by}
             GROUP BY payment_id"
        );
        let told = reader.table(&sql).map_err(|problem| problem.to_string())?;
        for row in &told.rows {
            let (Some(id), Some(at)) = (row[0].str(), row[1].int()) else { continue };
            let seen = self.seen.get(&(table, id.to_owned()));
            let Some(seen) = seen.filter(|seen| seen.columns == stream.columns.len()) else { continue };
            let held = Row { source: "search".to_owned(), ..seen.row.clone() };
            let differs = |moment| stream.differs(&self.storm.direct, &held, moment);
            let later = [seen.true_at.max(at), now].map(differs);
            if let (Some(column), [Some(_), Some(_)]) = (differs(at + SEEN_BY_SEARCH), later) {
                let ago = (now - at) / 1000;
                return Err(format!("{table} {id}: what a dispute told {ago} s ago is missing ({column})"));
            }
        }
        Ok(())
    }

    /// How far behind the search of its stream is about an object.
    fn behind(&self, stream: &Stream, row: &Row) -> i64 {
        let made = stream.columns.iter().position(|name| *name == stream.line.stream.made);
        let Some(second) = made.and_then(|at| row.values[at].int()).map(|at| at.div_euclid(1000)) else { return 0 };
        let truth = self.storm.direct.truth(stream.truth, second, second + 1);
        truth.iter().find(|object| object.id == row.id).map_or(0, |object| object.visible_ms - object.at_ms)
    }

    /// How long ago an object was made, in seconds.
    fn made(&self, stream: &Stream, id: &str) -> Option<i64> {
        let now = self.time.now();
        let truth = self.storm.direct.truth(stream.truth, self.start / 1000, now / 1000);
        truth.iter().find(|object| object.id == id).map(|object| (now - object.at_ms) / 1000)
    }

    /// What coverage claims is so: whatever a window shows as walked whole is in, if it could be seen then.
    fn claims_of(&self, reader: &Reader, at: usize, check: Check) -> Result<Vec<Window>, String> {
        let stream = &self.streams[at];
        let (table, now) = (stream.table, self.time.now());
        let windows = reader.windows(stream.account, table).map_err(|problem| problem.to_string())?;
        let hash = &stream.line.upsert.declaration;
        let lag = stream.line.stream.lag_s * 1000;
        let whole = |window: &&Window| window.state == WindowState::Complete && *window.declaration == **hash;
        let complete: Vec<&Window> = windows.iter().filter(whole).collect();
        if let Some(ahead) = complete.iter().find(|window| window.to_at > now - lag + 2_000) {
            return Err(format!("{table}: a window is whole that ends {} ms before now", now - ahead.to_at));
        }
        // All of it costs much: the last days in passing, everything at the end.
        let feed = stream.line.stream.heard == Heard::IsFeed;
        let since = if check == Check::Rows { now - 2 * DAY } else { self.start };
        // The provider keeps events for thirty days, and so long they are held.
        let since = (if feed { since.max(now - 29 * DAY) } else { since }).max(self.start);
        let clock = stream.line.stream.clock.0;
        let sql = format!("SELECT id, {clock} FROM {table} WHERE account = {} AND {clock} >= {since}", stream.account);
        let found = reader.table(&sql).map_err(|problem| problem.to_string())?;
        let held: HashMap<&str, i64> =
            found.rows.iter().filter_map(|row| Some((row[0].str()?, row[1].int()?))).collect();
        let truth = self.storm.direct.truth(stream.truth, since / 1000, now / 1000);
        for object in truth.iter().filter(|object| object.at_ms >= since) {
            if held.get(object.id.as_str()).is_some_and(|time| *time >= object.at_ms) {
                continue;
            }
            let claim = complete.iter().find(|window| {
                let inside = window.from_at <= object.at_ms && object.at_ms < window.to_at;
                inside && window.provider_at.is_some_and(|walked| object.visible_ms <= walked)
            });
            if claim.is_some() {
                return Err(format!(
                    "{table} {}: missing within a window walked whole; made {} ms ago, shown since {} ms, windows {}",
                    object.id,
                    now - object.at_ms,
                    now - object.visible_ms,
                    words(&complete, now)
                ));
            }
            // A feed is heard from when it was first asked; what is whole of it was judged above. What lies in a second that
            // holds more than a response is stated not to be whole; that it holds more is looked at below.
            let Check::Tail { poll_ms } = check else { continue };
            let in_gap = |window: &Window| {
                window.state == WindowState::Gap && (window.from_at..window.to_at).contains(&object.at_ms)
            };
            if feed || windows.iter().any(in_gap) {
                continue;
            }
            let little = object.visible_ms - object.at_ms < 10 * MINUTE && object.visible_ms < now - 2 * poll_ms - HOUR;
            if little || object.visible_ms < now - lag - 3 * DAY {
                let (at, visible) = (now - object.at_ms, now - object.visible_ms);
                return Err(format!(
                    "{table} {}: missing; made {at} ms ago, shown since {visible} ms, windows {}",
                    object.id,
                    words(&complete, now)
                ));
            }
        }
        if let Check::Tail { poll_ms } = check {
            let first = complete.iter().map(|window| window.from_at).min().filter(|_| feed);
            let known = horizon(&windows, first.unwrap_or(self.start), hash);
            let reached = known.listed_to.unwrap_or(0);
            if reached < now - lag - poll_ms - 10 * MINUTE {
                return Err(format!("{table}: in the quiet tail the horizon is {} s behind", (now - reached) / 1000));
            }
            if feed {
                return Ok(windows);
            }
            if known.listed_from != Some(self.start) && self.full_second(stream, &windows)? {
                return Ok(windows);
            }
            if known.listed_from != Some(self.start) {
                return Err(format!("{table}: in the quiet tail there is a hole before {:?}", known.listed_from));
            }
        }
        Ok(windows)
    }

    /// Whether the holes are seconds that hold more than a response: then they may stand.
    fn full_second(&self, stream: &Stream, windows: &[Window]) -> Result<bool, String> {
        let gaps: Vec<&Window> = windows.iter().filter(|window| window.state == WindowState::Gap).collect();
        let limit = page_limit(stream.line.stream.limit) as usize;
        for gap in &gaps {
            // Both ends are asked for.
            let held = self.storm.direct.truth(stream.truth, gap.from_at / 1000, gap.to_at / 1000 + 1);
            if held.len() < limit {
                return Err(format!("{}: a gap of {} records", stream.table, held.len()));
            }
        }
        Ok(!gaps.is_empty())
    }

    /// In the quiet tail no problem stands, but those that only a person can take away.
    fn nothing_stands(&self, reader: &Reader) -> Result<(), String> {
        let sql = "SELECT stream, code, detail FROM problems WHERE cleared_at IS NULL";
        let standing = reader.table(sql).map_err(|problem| problem.to_string())?;
        let upstream = ["Conflict", "OutboxRestored", "TooLong"];
        let struck = &self.storm.passed().struck;
        // Once a conflict has stopped the sending, what was met before it stands beside it.
        let conflict = |row: &Vec<Text>| row[1].str() == Some(problem::EGRESS_CONFLICT.code);
        let stopped = standing.rows.iter().any(conflict) && upstream.iter().any(|fault| struck.contains_key(*fault));
        for row in &standing.rows {
            let code = row[1].str().unwrap_or_default();
            if stopped && row[0].str() == Some("upstream") {
                continue;
            }
            let persons = [problem::EGRESS_REJECTED.code, problem::EGRESS_CONFLICT.code].contains(&code);
            if code == problem::SYNC_FULL_SECOND.code {
                continue;
            }
            if !(persons && upstream.iter().any(|fault| struck.contains_key(*fault))) {
                return Err(format!("in the quiet tail a problem stands: {row:?}"));
            }
        }
        Ok(())
    }

    /// Nothing that tells who somebody is rests in any file.
    pub(super) fn no_person_in(&self, folder: &Path) -> Result<(), String> {
        let personal: Vec<String> = self.storm.direct.personal().into_iter().filter(|text| text.len() >= 8).collect();
        let mut starts: HashMap<[u8; 4], Vec<&[u8]>> = HashMap::new();
        for text in &personal {
            let bytes = text.as_bytes();
            starts.entry([bytes[0], bytes[1], bytes[2], bytes[3]]).or_default().push(bytes);
        }
        let mut first = vec![false; 1 << 16];
        for start in starts.keys() {
            first[usize::from(start[0]) << 8 | usize::from(start[1])] = true;
        }
        for path in files(folder) {
            let bytes = std::fs::read(&path).unwrap_or_default();
            for at in 0..bytes.len().saturating_sub(4) {
                if !first[usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])] {
                    continue;
                }
                let here = starts.get(&bytes[at..at + 4]);
                if here.into_iter().flatten().any(|text| bytes[at..].starts_with(text)) {
                    return Err(format!("{}: holds something of a person", path.display()));
                }
            }
        }
        Ok(())
    }
}

/// The newest windows, in seconds before now.
fn words(windows: &[&Window], now: i64) -> String {
    let ago = |ms: i64| (now - ms) / 1000;
    let word = |window: &&Window| {
        let walked = ago(window.provider_at.unwrap_or(0));
        format!("{:?} {}..{} at {walked}", window.state, ago(window.from_at), ago(window.to_at))
    };
    windows.iter().rev().take(400).map(word).collect::<Vec<_>>().join(", ")
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn hash_of(row: &[Text]) -> u64 {
    let mut hash = DefaultHasher::new();
    for value in row {
        match value {
            Text::Null => 0.hash(&mut hash),
            Text::Int(number) => number.hash(&mut hash),
            Text::Text(text) => text.hash(&mut hash),
            other => format!("{other:?}").hash(&mut hash),
        }
    }
    hash.finish()
}
