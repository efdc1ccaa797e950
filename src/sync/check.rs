//! The random re-read: a few old windows are listed again and compared with the store before they are written to it. The
//! windows are equal parts of the time that is listed and settled, drawn by lot, so that every row has the same chance.
//! What differs is stored as any page is; that it differed is told. It says nothing about time that was not listed.

use std::sync::atomic::Ordering;

use super::connection::{Connection, Line};
use super::feed;
use super::plan::{DAY_MS, Purpose, SETTLE_MS, horizon, listed_whole};
use super::span::Span;
use super::trail::{self, Trail};
use super::walk;
use super::work::Work;
use crate::entropy::Entropy;
use crate::problem::Result;
use crate::providers::{Heard, Position, Turn, Way};
use crate::store::{Commit, Daily, Found, REREAD, Step, Store};
use crate::testpoint::page_limit;

/// Windows a stream that are compared every day.
const DAILY: u64 = 3;
/// Windows a stream that are compared when someone asks.
pub(super) const ASKED: u64 = 10;
/// No provider lists more than this at once.
const WIDEST: i64 = 90 * DAY_MS;
/// Where changes were not heard for this long, rows may be old by right: nothing is compared.
const DEAF: i64 = 2 * DAY_MS;

/// What a re-read of one stream found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows compared.
    pub compared: i64,
    /// Rows that differed.
    pub different: i64,
    /// Rows that differ, of which the next passes will tell whether a change explains it.
    pub undecided: i64,
}

/// Judges what earlier re-reads left open, and does the daily one of every stream whose day it is. A stream's first day is the one after it was first seen.
pub(super) async fn daily(work: &Work, now: i64) -> Result<()> {
    // A clock that went back within the pass was wrong before: what is held is put right by the next one, and compared then.
    if work.of.caller.provider_now().is_none_or(|at| at < now) {
        return Ok(());
    }
    judge(work).await?;
    let count = work.lanes().len();
    for lane in 0..count {
        let line = work.lanes()[lane].line.clone();
        if line.is_feed() || !work.may_go_on(Purpose::Check) || work.lanes()[lane].problem.is_some() {
            continue;
        }
        let (account, table) = (work.of.account, line.table().to_owned());
        // The first time only the day is noted: all was listed just now.
        let due = move |store: &mut Store| store.take_daily(account, &table, "check", now);
        let Some(Daily { last: Some(last) }) = work.of.store.run(due).await? else { continue };
        if let Err(problem) = reread(work, &line, DAILY).await {
            work.lanes()[lane].stopped_by(problem.clone(), Purpose::Check);
            work.failed(&line, problem).await?;
            // It is tried again by the next pass, not in a day: until then nobody would know whether it works.
            let table = line.table().to_owned();
            work.of.store.run(move |store| store.set_round(account, &table, "check", last)).await?;
        }
    }
    Ok(())
}

/// Compares up to `count` windows of a stream, drawn by lot.
pub(super) async fn reread(work: &Work, line: &Line, count: u64) -> Result<Compared> {
    let of = &work.of;
    let Some(now) = of.caller.provider_now() else { return Ok(Compared::default()) };
    let (name, mut all) = (line.name(of), Compared::default());
    let windows = match listed(of, line, now).await? {
        Some((span, rows)) => draw(span, (rows, i64::from(line.stream.limit)), count, &*of.entropy),
        None => Vec::new(),
    };
    let whole = windows.len() as i64;
    for (done, span) in windows.into_iter().enumerate() {
        of.progress.update(&name, |progress| (progress.walked, progress.whole) = (done as i64, whole));
        if work.stop.load(Ordering::Relaxed) {
            return Ok(all);
        }
        let one = window(of, line, span, now).await?;
        all.compared += one.compared;
        all.different += one.different;
        all.undecided += one.undecided;
    }
    of.progress.update(&name, |progress| (progress.walked, progress.whole) = (1, 1));
    let (account, table, wall) = (of.account, line.table().to_owned(), of.clock.wall_ms());
    of.store.run(move |store| store.settle_difference(account, &table, wall)).await?;
    Ok(all)
}

/// The time of a stream that was listed again after it had settled, in one piece, and how many rows it holds; `None` when
/// there is none, or when the stream's changes could not be heard of late.
async fn listed(of: &Connection, line: &Line, now: i64) -> Result<Option<(Span, i64)>> {
    let (heard, clock, start) = (line.stream.heard, line.stream.clock.0, of.start);
    let (upsert, word) = (line.upsert.clone(), Word::of(of, line));
    let job = move |store: &mut Store| {
        let (account, table) = (upsert.account, &upsert.stream);
        let deaf = heard != Heard::Never && word.heard(store)?.is_none_or(|heard| now - heard > DEAF);
        let known = horizon(&store.windows(account, table)?, start, &upsert.declaration);
        let (Some(from), Some(to), false) = (known.listed_from, known.settled_to, deaf) else { return Ok(None) };
        Ok(Some(((from, to), store.count_between(account, table, clock, (from, to))?)))
    };
    of.store.run(job).await
}

/// Up to `count` different ones of the equal parts of `span`, in whole seconds, that hold half a page each on average.
fn draw((from, to): Span, (rows, page): (i64, i64), count: u64, entropy: &dyn Entropy) -> Vec<Span> {
    let (from_s, seconds) = (from.div_euclid(1000), (to - from).div_euclid(1000));
    if seconds <= 0 {
        return Vec::new();
    }
    let least = (to - from).div_euclid(WIDEST) + 1;
    let parts = (2 * rows).div_euclid(page.max(1)).max(least).min(seconds);
    let edge = |part: i64| (from_s + (i128::from(seconds) * i128::from(part) / i128::from(parts)) as i64) * 1000;
    let mut drawn: Vec<i64> = Vec::new();
    // Floyd's way of drawing different numbers: each set of them has the same chance.
    for last in parts.saturating_sub(i64::try_from(count).unwrap_or(i64::MAX)).max(0)..parts {
        let lot = entropy.below(last as u64 + 1) as i64;
        drawn.push(if drawn.contains(&lot) { last } else { lot });
    }
    drawn.into_iter().map(|part| (edge(part), edge(part + 1))).collect()
}

/// Lists a window again, compares it and stores it, in one transaction. What looks like a difference is looked at twice
/// before it counts: nothing is written the first time.
async fn window(of: &Connection, line: &Line, span: Span, round: i64) -> Result<Compared> {
    for last in [false, true] {
        let Some(pages) = gather(of, line, span).await? else { return Ok(Compared::default()) };
        let (at, wall) = (of.caller.provider_now().unwrap_or(round), of.clock.wall_ms());
        let (stream, word) = (line.stream, Word::of(of, line));
        let (account, table, clock) = (of.account, line.table().to_owned(), stream.clock.0);
        let rows: u64 = pages.iter().map(|commit| commit.page.records).sum();
        let job = move |store: &mut Store| {
            let found = store.compare(&pages, clock, span, stream.tells_changes())?;
            if found.differs() && !last {
                return Ok(None);
            }
            let (certain, open) = word.judge(store, &found, at)?;
            for commit in &pages {
                store.commit_page(commit)?;
            }
            let seq = pages.iter().map(|commit| commit.read_seq).max().unwrap_or(0);
            // The mark is as old as the read that stored the row: only what was not shown has to be read once more.
            open.iter().try_for_each(|id| store.suspect(account, &table, id, (at, seq - 1)))?;
            let (compared, different) = (found.compared, certain.len() as i64);
            store.note_check((account, &table), (REREAD, round), (compared, different))?;
            if different > 0 {
                store.tell_difference((account, &table, clock), &certain, wall)?;
            }
            Ok(Some(Compared { compared, different, undecided: open.len() as i64 }))
        };
        if let Some(compared) = of.store.run(job).await? {
            of.progress.update(&line.name(of), |progress| progress.rows += rows);
            return Ok(compared);
        }
    }
    Ok(Compared::default())
}

/// All pages of a window, ready to be stored; `None` when a second of it holds more than can be shown.
async fn gather(of: &Connection, line: &Line, (from, to): Span) -> Result<Option<Vec<Commit>>> {
    let (mut pages, mut trail) = (Vec::new(), Trail::after(None));
    let mut left = vec![(from.div_euclid(1000), to.div_euclid(1000), None)];
    while let Some((from_s, to_s, cursor)) = left.pop() {
        let at = Position { from_s, to_s, cursor, limit: page_limit(line.stream.limit) };
        let (page, read_seq) = walk::read(of, line, &at, Purpose::Check).await.map_err(|stop| stop.problem())?;
        match (of.provider.page)(line.stream, &page, &at).map_err(trail::contradiction)? {
            Turn::Done => {}
            Turn::More(next) => left.push((from_s, to_s, Some(next))),
            Turn::TooFull if to_s - from_s <= 1 => return Ok(None),
            Turn::TooFull => {
                let middle = from_s + (to_s - from_s) / 2;
                left.extend([(from_s, middle, None), (middle, to_s, None)]);
                continue;
            }
        }
        let source = match line.stream.way {
            Way::List => {
                trail.follow(line, &page, &at)?;
                "list"
            }
            Way::Halved => {
                trail::inside(line, &page, (from_s - 1, to_s + 1))?;
                "search"
            }
        };
        pages.push(walk::prepare(of, line, page, (read_seq, source), Step::Nothing).await?);
    }
    Ok(Some(pages))
}

/// Counts what a check found different before changes were heard up to here, and that no change explains.
async fn judge(work: &Work) -> Result<()> {
    let of = &work.of;
    let lanes: Vec<_> = work.lanes().iter().map(|lane| lane.line.clone()).collect();
    let told = lanes.iter().filter(|line| matches!(line.stream.heard, Heard::ByFeed | Heard::ByList));
    let words: Vec<_> = told.map(|line| (Word::of(of, line), line.stream.clock.0)).collect();
    let wall = of.clock.wall_ms();
    of.store.run(move |store| words.iter().try_for_each(|(word, clock)| settle(store, word, clock, wall))).await
}

/// The same for one stream.
fn settle(store: &mut Store, word: &Word, clock: &str, wall: i64) -> Result<()> {
    let (account, table) = (word.account, &*word.table);
    // As a rule there is nothing to explain, and then it need not be known what was heard.
    if !store.has_suspects(account, table)? {
        return Ok(());
    }
    let Some(heard) = word.heard(store)? else { return Ok(()) };
    let mut unexplained = Vec::new();
    for (id, at, time) in store.take_suspects(account, table, clock, heard)? {
        // A change moves it to the time of the change, which is recent.
        if word.heard == Heard::ByList && time.is_some_and(|time| time >= at - SETTLE_MS) {
            continue;
        }
        let round = store.check_before(account, table, REREAD, at)?;
        store.note_check((account, table), (REREAD, round), (0, 1))?;
        unexplained.push(id);
    }
    match unexplained.is_empty() {
        true => Ok(()),
        false => store.tell_difference((account, table, clock), &unexplained, wall),
    }
}

/// How word of a change of one stream's rows comes, and up to when it came.
struct Word {
    account: i64,
    table: String,
    declaration: String,
    overlap: i64,
    feed: Option<String>,
    heard: Heard,
    unsettled: Option<&'static str>,
}

impl Word {
    fn of(of: &Connection, line: &Line) -> Self {
        Self {
            account: of.account,
            table: line.table().to_owned(),
            declaration: line.upsert.declaration.clone(),
            overlap: line.stream.overlap_s * 1000,
            feed: of.provider.feed().map(|feed| of.provider.table(feed)),
            heard: line.stream.heard,
            unsettled: line.stream.unsettled,
        }
    }

    /// Every change before it was heard, late words of it too.
    fn heard(&self, store: &Store) -> Result<Option<i64>> {
        Ok(match (self.heard, &self.feed) {
            (Heard::ByFeed, Some(feed)) => feed::heard_to(store, self.account, feed)?,
            (Heard::ByReading, _) => store.round(self.account, &self.table, "unsettled")?,
            (Heard::ByList, _) => {
                let listed = listed_whole(&store.windows(self.account, &self.table)?, &self.declaration);
                listed.map(|listed| listed - self.overlap)
            }
            _ => None,
        })
    }

    /// Which differences count, and which of them only if no word of a change comes. A row that is marked is known to be old.
    fn judge(&self, store: &Store, found: &Found, now: i64) -> Result<(Vec<String>, Vec<String>)> {
        let known = |id: &String| store.is_marked(self.account, &self.table, id);
        let unknown = |ids: &[String]| -> Result<Vec<String>> {
            ids.iter().filter_map(|id| known(id).map(|known| (!known).then(|| id.clone())).transpose()).collect()
        };
        let (mut certain, mut other, extra) =
            (unknown(&found.missing)?, unknown(&found.other)?, unknown(&found.extra)?);
        match self.heard {
            Heard::Never | Heard::IsFeed => certain.extend(extra),
            Heard::ByReading => {
                // What became due since the last reading changed by right.
                let (condition, last) = (self.unsettled.unwrap_or("0"), self.heard(store)?.unwrap_or(now));
                let at = (self.account, &*self.table);
                let mut late = Vec::new();
                for id in other {
                    let due = store.meets(at, &id, condition, now)? && !store.meets(at, &id, condition, last)?;
                    late.extend((!due).then_some(id));
                }
                certain.extend(extra.into_iter().chain(late));
            }
            Heard::ByFeed | Heard::ByList => {
                other.extend(extra);
                return Ok((certain, other));
            }
        }
        Ok((certain, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    fn all(span: Span, rows: i64) -> Vec<Span> {
        let mut all = draw(span, (rows, 100), u64::MAX >> 1, &SeededEntropy::new(1));
        all.sort_unstable();
        all
    }

    #[test]
    fn windows_hold_half_a_page_on_average_and_are_no_wider_than_can_be_listed() {
        assert_eq!(all((0, 10 * DAY_MS), 10_000).len(), 200);
        assert_eq!(all((0, 10 * DAY_MS), 10), [(0, 10 * DAY_MS)]);
        assert!(all((0, 900 * DAY_MS), 10).iter().all(|(from, to)| to - from <= WIDEST));
        assert_eq!(all((0, 5_000), 1_000_000).len(), 5, "a second at least");
        assert_eq!(all((7_000, 7_000), 10), []);
    }

    #[test]
    fn every_window_has_the_same_chance() {
        let (entropy, mut times) = (SeededEntropy::new(7), std::collections::BTreeMap::new());
        for _ in 0..20_000 {
            for window in draw((0, 10 * DAY_MS), (500, 100), 3, &entropy) {
                *times.entry(window).or_insert(0) += 1;
            }
        }
        assert_eq!(times.len(), 10);
        // 6,000 expected; the standard deviation is 65.
        assert!(times.values().all(|times| (5_700..6_300).contains(times)), "{times:?}");
    }

    proptest::proptest! {
        #[test]
        fn windows_are_different_and_together_all_of_the_time(
            from in -1_000_000i64..1_000_000, seconds in 1i64..40_000_000, rows in 0i64..20_000, seed: u64
        ) {
            let span = (from * 1000, (from + seconds) * 1000);
            let whole = all(span, rows);
            proptest::prop_assert_eq!((whole[0].0, whole[whole.len() - 1].1), span);
            proptest::prop_assert!(whole.windows(2).all(|two| two[0].1 == two[1].0));
            proptest::prop_assert!(whole.iter().all(|(from, to)| from < to && from % 1000 == 0));
            let mut few = draw(span, (rows, 100), 3, &SeededEntropy::new(seed));
            few.sort_unstable();
            few.dedup();
            proptest::prop_assert_eq!(few.len(), whole.len().min(3));
            proptest::prop_assert!(few.iter().all(|window| whole.contains(window)));
        }
    }
}
