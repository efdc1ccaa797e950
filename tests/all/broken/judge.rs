//! The judge of a run: compares what a pass with a fault left, and then one without, with what they should have left.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::sync::PassEnd;

use super::endpoints::{Endpoint, Way, streams};
use super::house::{Case, Dump, NOW_MS, Stored, tables};
use super::kinds::End;
use super::matrix::Run;

/// What is known of a scene.
pub(super) struct Facts {
    /// What is stored before the pass.
    pub(super) before: BTreeMap<&'static str, Dump>,
    /// Up to where the feed is heard before it.
    pub(super) position: Vec<String>,
    /// What an undisturbed pass stores.
    pub(super) whole: BTreeMap<&'static str, Dump>,
    /// What it leaves to be read again: what the last page of a first walk marks is read by the pass after it.
    pub(super) marks: BTreeSet<(String, String)>,
}

/// Compares what a run left with what it should have left.
pub(super) struct Judge<'a> {
    case: &'a Case<'a>,
    facts: &'a Facts,
    run: &'a Run,
    struck: &'a [(&'static Endpoint, String)],
    pub(super) wrong: Vec<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        case: &'a Case<'a>,
        facts: &'a Facts,
        run: &'a Run,
        struck: &'a [(&'static Endpoint, String)],
    ) -> Self {
        Self { case, facts, run, struck, wrong: Vec::new() }
    }

    /// The endpoint of a stream that was broken, and the request.
    fn met(&self, stream: &Endpoint) -> Option<&'a (&'static Endpoint, String)> {
        self.struck.iter().find(|(one, _)| one.table == stream.table)
    }

    /// How a stream should end.
    fn end(&self, stream: &Endpoint) -> End {
        let Some((endpoint, _)) = self.met(stream) else { return End::Whole };
        self.run.kind.end(endpoint, self.run.place, self.run.lasting)
    }

    /// How the feed should end: what it did not say is not known of the others.
    fn feed(&self) -> End {
        streams().filter(|one| one.is_feed()).map(|one| self.end(one)).next().unwrap_or(End::Whole)
    }

    fn hold(&mut self, holds: bool, stream: &Endpoint, what: impl FnOnce() -> String) {
        if !holds {
            let Run { kind, place, lasting, .. } = self.run;
            let times = if *lasting { "each time" } else { "once" };
            let name = self.met(stream).map_or(stream, |(endpoint, _)| endpoint).name();
            self.wrong.push(format!("{} {times}, {place:?} of {name}: {}", kind.name, what()));
        }
    }

    pub(super) fn after_the_fault(&mut self, ends: &BTreeMap<String, PassEnd>) {
        let (stored, standing) = (self.case.dump(), self.case.standing());
        let mut expected = BTreeSet::new();
        for stream in streams() {
            let (end, told) = (self.end(stream), told(ends, stream));
            let code = told.as_ref().map(|(code, _)| *code);
            let (mine, table) = (&stored[stream.table], stream.table);
            self.rows(stream, mine);
            match end {
                End::Stops(problem) | End::StopsAtFirst(problem) => {
                    expected.insert((table.to_owned(), problem.to_owned()));
                    self.hold(code == Some(problem), stream, || format!("{told:?}, not {problem}"));
                }
                End::Whole | End::Gone | End::Unseen | End::Rejects => {
                    self.hold(code.is_none(), stream, || format!("{told:?}"));
                }
            }
            if end == End::Unseen {
                expected.insert((table.to_owned(), "sync.unseen".to_owned()));
            }
            let tables = tables(table).join("', '");
            let rejected = self.case.column(&format!("SELECT id FROM rejected WHERE stream IN ('{tables}')")).len();
            self.hold(rejected == usize::from(end == End::Rejects), stream, || {
                format!("{rejected} counted as rejected")
            });
            if end == End::Rejects && self.met(stream).is_some_and(|(endpoint, _)| !endpoint.single()) {
                let due = self.facts.whole[table].len();
                self.hold(mine.len() + 1 == due, stream, || format!("{} of {due}", mine.len()));
            }
            if end == End::Whole && self.feed() == End::Whole {
                self.whole(stream, mine);
            }
            self.checkpoints(stream, mine);
            self.mark(stream, end);
        }
        if matches!(self.feed(), End::Stops(_)) {
            let (position, before) = (self.case.position(), &self.facts.position);
            self.hold(position == *before, self.struck[0].0, || format!("the feed is heard up to {position:?}"));
        }
        if standing != expected {
            let met = self.struck.first().map_or_else(|| streams().next().unwrap(), |(endpoint, _)| endpoint);
            self.hold(false, met, || format!("{standing:?} stand, not {expected:?}"));
        }
    }

    /// None is lost, and each is as it was before or as an undisturbed pass stores it: none is invented or changed. Only an
    /// object of which that was said counts as gone.
    fn rows(&mut self, stream: &Endpoint, mine: &Dump) {
        let (before, all) = (&self.facts.before[stream.table], &self.facts.whole[stream.table]);
        let lost = before.keys().find(|id| !mine.contains_key(*id));
        self.hold(lost.is_none(), stream, || format!("lost: {lost:?}"));
        let end = self.end(stream);
        let gone = |id: &str| end == End::Gone && self.met(stream).is_some_and(|(_, request)| request.contains(id));
        let odd = mine.iter().find(|(id, record)| {
            if gone(id) {
                return !record.gone;
            }
            let known = [before.get(*id), all.get(*id)].into_iter().flatten();
            !known.into_iter().any(|other| same(stream, record, other))
        });
        self.hold(odd.is_none(), stream, || format!("invented or changed: {odd:?}"));
    }

    /// All is as an undisturbed pass stores it.
    fn whole(&mut self, stream: &Endpoint, mine: &Dump) {
        let all = &self.facts.whole[stream.table];
        let odd = mine.iter().find(|(id, record)| !all.get(*id).is_some_and(|other| same(stream, record, other)));
        let whole = odd.is_none() && mine.len() == all.len();
        self.hold(whole, stream, || format!("{} of {}, odd: {odd:?}", mine.len(), all.len()));
    }

    /// The mark of an object that was asked for by its id stands until it is answered.
    fn mark(&mut self, stream: &Endpoint, end: End) {
        let Some((endpoint, request)) = self.met(stream) else { return };
        if endpoint.single() {
            let marks = self.case.marks();
            let stands = marks.iter().any(|(table, id)| table == stream.table && request.contains(id.as_str()));
            let open = matches!(end, End::Stops(_));
            self.hold(stands == open, stream, || format!("its mark {}", if stands { "stands" } else { "is gone" }));
        }
    }

    /// A window that is walked whole has all its rows; of one that is open, all rows newer than its checkpoint are in; and
    /// none reaches beyond the provider's present.
    fn checkpoints(&mut self, stream: &Endpoint, mine: &Dump) {
        let table = stream.table;
        let all = &self.facts.whole[table];
        let sql = format!(
            "SELECT state || ' ' || from_at || ' ' || to_at || ' ' || coalesce(cursor, '') FROM coverage
             WHERE stream = '{table}'"
        );
        let listed = self.met(stream).is_none_or(|(endpoint, _)| !endpoint.single());
        for line in self.case.column(&sql) {
            let words: Vec<&str> = line.split(' ').collect();
            let (from, to): (i64, i64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            let from = match words[0] {
                "complete" => from,
                _ => all.get(words[3]).map_or(to, |checkpoint| checkpoint.at_ms + 1),
            };
            let inside = |dump: &Dump| dump.values().filter(|row| (from..to).contains(&row.at_ms)).count();
            let (there, due) = (inside(mine), inside(all));
            let odd = usize::from(words[0] == "complete" && listed && self.end(stream) == End::Rejects);
            self.hold(there + odd >= due, stream, || format!("{line}: {there} of {due} rows"));
            self.hold(to <= NOW_MS, stream, || format!("{line} reaches beyond the present"));
        }
    }

    pub(super) fn after_the_cure(&mut self, ends: &BTreeMap<String, PassEnd>) {
        let (stored, standing) = (self.case.dump(), self.case.standing());
        for stream in streams() {
            let (told, mine) = (told(ends, stream), &stored[stream.table]);
            self.hold(told.is_none(), stream, || format!("afterwards {told:?}"));
            let end = self.end(stream);
            // What was rejected is counted, and what it would have said of others is not known.
            if end == End::Gone || end == End::Rejects || self.feed() == End::Rejects {
                self.rows(stream, mine);
            } else {
                self.whole(stream, mine);
            }
        }
        let (marks, first) = (self.case.marks(), streams().next().unwrap());
        self.hold(standing.is_empty(), first, || format!("afterwards {standing:?} stand"));
        self.hold(marks.is_subset(&self.facts.marks), first, || format!("afterwards {marks:?} are marked"));
    }
}

/// The code and the detail of what stopped a stream.
fn told(ends: &BTreeMap<String, PassEnd>, stream: &Endpoint) -> Option<(&'static str, String)> {
    let end = ends[stream.connection].streams.iter().find(|one| one.stream == stream.stream);
    let problem = end.and_then(|one| one.problem.as_ref())?;
    Some((problem.code(), problem.to_string()))
}

/// A search tells more of a record than a read by its id, and one search more than another.
fn same(stream: &Endpoint, mine: &Stored, other: &Stored) -> bool {
    mine.is(other, stream.way == Way::Search)
}
