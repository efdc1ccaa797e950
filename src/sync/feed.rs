//! The event feed: from where it must be heard, what of it can no longer be heard, and when that is made good. The feed says
//! what changed; it is read like any list, and its records mark what is to be read again.

use std::sync::Arc;

use super::connection::{Connection, Line};
use super::known::Stating;
use super::plan::{DAY_MS, Demand, Purpose, first_hole};
use super::work::Work;
use crate::problem::Result;
use crate::providers::{FEED_KEPT_MS, FEED_REACH_MS, Heard as How, Stream};
use crate::store::{Store, Window, WindowState};
use crate::testpoint::planted;

/// Why a stretch of the feed is a gap.
pub const FEED_GAP: &str = "feed_retention";

/// The round that says since when a stream is not read any more.
pub(super) const LEFT: &str = "left";

/// The round that says since when a stream was not read that is read again, until all of it is listed.
pub(super) const BACK: &str = "back";

/// What is known of the feed when a pass begins.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// From here on it must be heard whole.
    pub(super) from: i64,
    /// Stretches that can no longer be heard: the window that states it, and when it was found.
    gaps: Vec<(i64, i64)>,
}

impl Heard {
    /// What of a stream must be listed again because its changes could not be heard.
    pub(super) fn demands(&self, stream: &Stream) -> Vec<Demand> {
        if !told(stream) {
            return Vec::new();
        }
        let demand =
            |(_, since): &(i64, i64)| Demand { span: (since - stream.reach_days * DAY_MS, *since), since: *since };
        self.gaps.iter().map(demand).collect()
    }
}

/// Whether changes of a stream are lost when the feed is not heard.
fn told(stream: &Stream) -> bool {
    matches!(stream.heard, How::ByFeed | How::ByReading)
}

fn feed(of: &Connection) -> Option<Arc<Line>> {
    of.lines.iter().find(|line| line.is_feed()).cloned()
}

/// Tables of the streams that the feed tells of.
fn others(of: &Connection) -> Vec<String> {
    of.lines.iter().filter(|line| told(line.stream)).map(|line| line.table().to_owned()).collect()
}

/// Fixes from where the feed must be heard, before anything is listed: what changes during the first walk is in it. What was
/// listed before there was a feed counts from its walk on. A stretch that is older than the feed reaches is stated as a gap.
pub(super) async fn position(of: &Connection, now: i64) -> Result<Heard> {
    let Some(feed) = feed(of) else { return Ok(Heard::default()) };
    let (account, table, upsert) = (of.account, feed.table().to_owned(), feed.upsert.clone());
    let others = others(of);
    let begin = now - (feed.stream.lag_s + feed.stream.overlap_s) * 1000;
    let clock = feed.stream.clock;
    let unread = unread(of);
    let (older, seq) = (older(of, now), of.read_seq().await?);
    let job = move |store: &mut Store| {
        // Up to here the feed has marked what changed.
        let heard = store.round(account, &table, "feed")?.map_or(now, |from| from.min(now));
        for (table, left) in leave_and_return(store, account, (&unread, &others), heard)? {
            // No list shows again what was made before what is listed.
            for (_, condition) in older.iter().filter(|(older, _)| *older == table) {
                store.mark_unsettled((account, &table), condition, (now, i64::MAX), (left, seq))?;
            }
        }
        let from = match store.round(account, &table, "feed")? {
            Some(from) if from <= now => from,
            // By a clock that was ahead: all that can still be heard is heard again.
            Some(_) => {
                store.set_round(account, &table, "feed", now - FEED_REACH_MS)?;
                now - FEED_REACH_MS
            }
            None if planted("feed_after_listing") => {
                if !store.windows(account, &others[0])?.is_empty() {
                    store.set_round(account, &table, "feed", now)?;
                }
                now
            }
            None => {
                let mut from = begin;
                for other in &others {
                    let walked =
                        store.windows(account, other)?.into_iter().filter_map(|window| window.provider_at).min();
                    from = walked.map_or(from, |walked| walked.min(from));
                }
                store.set_round(account, &table, "feed", from)?;
                from
            }
        };
        // Found by a clock that was ahead: what was listed since then would never count.
        for gap in store.windows(account, &table)?.iter().filter(|w| is_gap(w) && w.provider_at > Some(now)) {
            store.date_gap(gap.window, now)?;
        }
        let windows = store.windows(account, &table)?;
        let hole = first_hole(&windows, from, &upsert.declaration).unwrap_or(from);
        let oldest = now - FEED_REACH_MS;
        if planted("gap_ignored") && hole < oldest {
            store.set_round(account, &table, "feed", oldest)?;
            return Ok((oldest, gaps(&windows)));
        }
        if hole >= oldest {
            return Ok((from, gaps(&windows)));
        }
        // Where the feed stays unheard, more is lost every day. As long as all of it is older than the day on which the gap was
        // found, whatever was listed since has seen it: the gap grows, and nothing more is asked for.
        let found = windows.iter().filter(|w| is_lost(w) && w.to_at >= hole && w.provider_at >= Some(oldest));
        if let Some(gap) = found.max_by_key(|window| window.to_at) {
            store.widen_gap(gap.window, oldest)?;
            store.set_round(account, &table, "feed", oldest)?;
            return Ok((oldest, gaps(&windows)));
        }
        store.state_gap(&upsert, (clock.1, FEED_GAP), (hole, oldest), now)?;
        // What an earlier walk left open there is over: going on with it would show a part of the gap, and prove all of it.
        let over = windows.iter().filter(|w| w.state == WindowState::Open && w.from_at < oldest);
        store.forget_windows(&over.map(|window| window.window).collect::<Vec<_>>())?;
        for (table, condition) in &older {
            store.mark_unsettled((account, table), condition, (now, i64::MAX), (hole, seq))?;
        }
        store.set_round(account, &table, "feed", oldest)?;
        Ok((oldest, gaps(&store.windows(account, &table)?)))
    };
    let (from, gaps) = of.store.run(job).await?;
    Ok(Heard { from, gaps })
}

/// Rows that no list will show again, because they were made before what is listed: held because an event named them, by
/// table and condition.
fn older(of: &Connection, now: i64) -> Vec<(String, String)> {
    let condition = |line: &Arc<Line>| {
        let (made, reach) = (line.stream.made, now - line.stream.reach_days * DAY_MS);
        (line.table().to_owned(), format!("{made} < {} AND {made} >= {reach}", of.start))
    };
    of.lines.iter().filter(|line| told(line.stream)).map(condition).collect()
}

/// Tables of the streams that the feed tells of and that this connection does not read.
fn unread(of: &Connection) -> Vec<String> {
    let read = |stream: &Stream| of.lines.iter().any(|line| line.stream.name == stream.name);
    let unread = of.provider.streams.iter().filter(|stream| told(stream) && !read(stream));
    unread.map(|stream| of.provider.table(stream)).collect()
}

/// Nothing marks a stream that is not read. One that is read again after that is listed anew, as if for the first time; until
/// it is listed whole, its rows are known only up to when it was left. Returns the streams that are back, and since when they
/// were left (up to `heard` their changes were marked).
fn leave_and_return(
    store: &mut Store,
    account: i64,
    (unread, read): (&[String], &[String]),
    heard: i64,
) -> Result<Vec<(String, i64)>> {
    for table in unread {
        let held = || store.holds_any(account, std::slice::from_ref(table));
        if store.round(account, table, LEFT)?.is_none() && (!store.windows(account, table)?.is_empty() || held()?) {
            store.set_round(account, table, LEFT, heard)?;
        }
    }
    let mut back = Vec::new();
    for table in read {
        if let Some(left) = store.round(account, table, LEFT)? {
            let windows = store.windows(account, table)?;
            store.forget_windows(&windows.iter().map(|window| window.window).collect::<Vec<_>>())?;
            store.forget_round(account, table, LEFT)?;
            // Left once more before all was back: the earlier time stands.
            let before = store.round(account, table, BACK)?.unwrap_or(left);
            store.set_round(account, table, BACK, left.min(before))?;
            back.push((table.clone(), left));
        }
    }
    Ok(back)
}

/// All of a stream that was not read for a while is listed again.
pub(super) fn all_is_back(store: &mut Store, account: i64, table: &str) -> Result<()> {
    match store.round(account, table, BACK)? {
        Some(_) => store.forget_round(account, table, BACK),
        None => Ok(()),
    }
}

/// True for a stretch of the feed that can no longer be heard. It stands whatever is declared.
pub(super) fn is_gap(window: &Window) -> bool {
    window.state == WindowState::Gap && window.reason.as_deref() == Some(FEED_GAP)
}

/// The same, or one that was closed: no page was ever read of it.
fn is_lost(window: &Window) -> bool {
    is_gap(window) || (window.state == WindowState::Complete && window.pages == 0)
}

fn gaps(windows: &[Window]) -> Vec<(i64, i64)> {
    windows
        .iter()
        .filter(|window| is_gap(window))
        .filter_map(|window| window.provider_at.map(|found| (window.window, found)))
        .collect()
}

/// Up to where the feed was heard, and heard again for what comes late; `None` while a stretch of it is a gap.
pub(super) fn heard_to(store: &Store, account: i64, table: &str) -> Result<Option<i64>> {
    if gaps(&store.windows(account, table)?).is_empty() { store.round(account, table, "feed") } else { Ok(None) }
}

/// Moves the position up to where the feed was heard whole, and once a day lets go of what it said long ago.
pub(super) async fn advance(work: &Work, heard: &Heard) -> Result<()> {
    let of = &work.of;
    let (Some(feed), Some(now)) = (feed(of), of.caller.provider_now()) else { return Ok(()) };
    let (account, table, from) = (of.account, feed.table().to_owned(), heard.from);
    let (declaration, overlap, clock) =
        (feed.upsert.declaration.clone(), feed.stream.overlap_s * 1000, feed.stream.clock.0);
    let (others, stating) = (others(of), Stating::of(of));
    let job = move |store: &mut Store| {
        let windows = store.windows(account, &table)?;
        let whole = first_hole(&windows, from, &declaration).unwrap_or(from);
        // Never beyond what is proven, and a little before it: a changed declaration reads the feed again from here.
        if whole - overlap > from {
            store.set_round(account, &table, "feed", whole - overlap)?;
        }
        if store.take_daily(account, &table, "let_go", now)?.is_none() {
            return Ok(());
        }
        let before = now - FEED_KEPT_MS;
        let old = windows.iter().filter(|w| w.state == WindowState::Complete && w.to_at < before);
        store.forget_windows(&old.map(|window| window.window).collect::<Vec<_>>())?;
        others.iter().try_for_each(|other| store.let_unheld_changes_go(account, other, before))?;
        store.let_go(account, &table, clock, before)?;
        stating.state(store)
    };
    of.store.run(job).await
}

/// Closes the gaps in which everything that may have changed has been listed again.
pub(super) async fn close_gaps(work: &Work, heard: &Heard) -> Result<()> {
    let met = |(window, since): &(i64, i64)| {
        let one = Heard { from: heard.from, gaps: vec![(*window, *since)] };
        let met =
            work.lanes().iter().all(|lane| one.demands(lane.line.stream).iter().all(|demand| lane.plan.meets(demand)));
        met.then_some(*window)
    };
    let closed: Vec<i64> = heard.gaps.iter().filter_map(met).collect();
    if closed.is_empty() || work.left(Purpose::Feed) {
        return Ok(());
    }
    work.of.store.run(move |store| closed.into_iter().try_for_each(|window| store.close_gap(window))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_feed_no_longer_tells_is_a_gap_of_the_feed() {
        let window = |state, reason: Option<&str>| Window {
            window: 1,
            from_at: 0,
            to_at: DAY_MS,
            state,
            cursor: None,
            pages: 1,
            rows: 0,
            provider_at: Some(7),
            declaration: "".into(),
            reason: reason.map(str::to_owned),
        };
        let all = [
            window(WindowState::Gap, Some(FEED_GAP)),
            window(WindowState::Gap, Some("full_second")),
            window(WindowState::Complete, None),
        ];
        assert_eq!(all.iter().map(is_gap).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(gaps(&all), [(1, 7)]);
    }
}
