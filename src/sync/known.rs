//! Up to where a stream is known: what the store proves of it, for people and for the gate; and stated in the store itself,
//! by the same proof.

use super::connection::Connection;
use super::feed::{BACK, FEED_GAP, LEFT, is_gap};
use super::plan::{Horizon, first_hole, horizon, listed_whole, missing};
use super::span::{Span, uncovered};
use crate::problem::Result;
use crate::providers::{Heard, Provider, Stream};
use crate::store::{Facts, Reader, Stated, Store, Window, WindowState};

/// Time that is not known of, `[from, to)`, and why.
pub type Stretch = (i64, i64, &'static str);

/// Why there is a gap.
const LOST: &str = "older than the provider keeps events; what may have changed is listed again";
const FULL: &str = "one second holds too much";
const UNREAD: &str = "not read yet";
const UNHEARD: &str = "its events are not read yet";
const AWAY: &str = "it was not read for a while; all of it is listed again";

/// What is known of one stream of one account.
#[derive(Debug, Clone)]
pub struct Known {
    /// What was walked.
    pub horizon: Horizon,
    /// Every change before it, of every object that we hold, is in. `None`: not stated (yet).
    pub changed_to: Option<i64>,
    /// Every change before it that the provider tells of is in; the same where it tells of all.
    pub heard_to: Option<i64>,
    /// The stream can never state it: its provider has no word for a change.
    pub never_changed: bool,
    /// Time before the end of the newest walk that was not walked whole, oldest first, and why.
    pub missing: Vec<Stretch>,
    /// Time of which it was not heard what changed, oldest first, and why: `heard_to` lies before all of it.
    pub unheard: Vec<Stretch>,
}

/// What the store proves of a stream, of which `start` is the oldest moment wanted.
pub fn known(reader: &Reader, account: i64, provider: &Provider, stream: &Stream, start: i64) -> Result<Known> {
    reader.at_one_moment(|| prove(&reader.facts(), account, provider, stream, start))
}

/// What a connection states in the store of the streams that it reads.
pub(super) struct Stating {
    account: i64,
    provider: &'static Provider,
    streams: Vec<&'static Stream>,
    start: i64,
    wall: i64,
}

impl Stating {
    pub(super) fn of(of: &Connection) -> Self {
        let streams = of.lines.iter().map(|line| line.stream).collect();
        Self { account: of.account, provider: of.provider, streams, start: of.start, wall: of.clock.wall_ms() }
    }

    /// Puts what the store proves by now in the place of what was stated before, in the running transaction.
    pub(super) fn state(&self, store: &mut Store) -> Result<()> {
        let facts = store.facts();
        let one = |stream: &&'static Stream| {
            let known = prove(&facts, self.account, self.provider, stream, self.start)?;
            let Horizon { listed_from, listed_to, .. } = known.horizon;
            let (stream, tells_changes) = (self.provider.table(stream), !known.never_changed);
            Ok(Stated { stream, listed_from, listed_to, changed_to: known.changed_to, tells_changes })
        };
        let all = self.streams.iter().map(one).collect::<Result<Vec<_>>>()?;
        drop(facts);
        store.state_horizons(self.account, &all, self.wall)
    }
}

fn prove(facts: &Facts<'_>, account: i64, provider: &Provider, stream: &Stream, start: i64) -> Result<Known> {
    let (table, declaration) = (provider.table(stream), stream.declaration()?.hash.clone());
    let windows = facts.windows(account, &table)?;
    let start = if stream.heard == Heard::IsFeed { feed_start(&windows) } else { start };
    let horizon = horizon(&windows, start, &declaration);
    let (heard, mut unheard) = match (horizon.listed_from.zip(horizon.listed_to), stream.heard) {
        (None, _) | (_, Heard::Never) => (None, Vec::new()),
        (Some((_, listed)), Heard::IsFeed) => (Some(listed), Vec::new()),
        (_, Heard::ByList) => by_list(&windows, &declaration),
        (Some(listed), Heard::ByFeed) => by_feed(facts, account, provider, listed)?,
        (_, Heard::ByReading) => (facts.round(account, &table, "unsettled")?, Vec::new()),
    };
    // Of a stream that was left out for a while nothing after that is known, until all of it is listed again.
    let mut bounds = vec![facts.earliest_change(account, &table)?];
    if matches!(stream.heard, Heard::ByFeed | Heard::ByReading) {
        let back = facts.round(account, &table, BACK)?;
        bounds.extend([facts.round(account, &table, LEFT)?, back]);
        unheard.extend(back.zip(horizon.listed_to).filter(|(back, to)| back < to).map(|(back, to)| (back, to, AWAY)));
        unheard.sort_unstable();
    }
    let heard_to = heard.map(|heard| bounds.into_iter().flatten().fold(heard, i64::min));
    Ok(Known {
        horizon,
        changed_to: heard_to.filter(|_| stream.tells_changes()),
        heard_to,
        never_changed: !stream.tells_changes(),
        missing: holes(&windows, start, &declaration),
        unheard,
    })
}

/// Up to where changes are in of a stream that shows them in its list, and the holes in which more may have moved.
fn by_list(windows: &[Window], declaration: &str) -> (Option<i64>, Vec<Stretch>) {
    let whole = listed_whole(windows, declaration);
    (whole, whole.map(|whole| holes(windows, whole, declaration)).unwrap_or_default())
}

/// Up to where the feed was heard whole, and what of it was not; from where its position is fixed, or else from where a stream
/// that it tells of is `listed`.
fn by_feed(facts: &Facts<'_>, account: i64, provider: &Provider, listed: Span) -> Result<(Option<i64>, Vec<Stretch>)> {
    let Some(feed) = provider.feed() else { return Ok((None, Vec::new())) };
    let (table, declaration) = (provider.table(feed), feed.declaration()?.hash.clone());
    let from = facts.round(account, &table, "feed")?;
    let windows = if from.is_some() { facts.windows(account, &table)? } else { [].into() };
    Ok(heard_whole(&windows, (from.unwrap_or(listed.0), listed.1), &declaration))
}

/// Up to where a feed was heard whole from `from` on; a stretch that could not be heard ends it, until it is made good. With
/// what was not heard: where nothing of the feed is proven that is all, up to `to`.
fn heard_whole(windows: &[Window], (from, to): Span, declaration: &str) -> (Option<i64>, Vec<Stretch>) {
    let gaps: Vec<Span> = windows.iter().filter(|w| is_gap(w)).map(|w| (w.from_at, w.to_at)).collect();
    let heard = first_hole(windows, from, declaration);
    let unread = if heard.is_some() { missing(windows, from, declaration) } else { vec![(from, to)] };
    let unread = unread.into_iter().flat_map(|hole| uncovered(hole, gaps.iter().copied()));
    let lost = gaps.iter().map(|(from, to)| (*from, *to, LOST));
    let mut unheard: Vec<Stretch> = unread.map(|(from, to)| (from, to, UNHEARD)).chain(lost).collect();
    unheard.sort_unstable();
    (heard.map(|heard| unheard.first().map_or(heard, |(from, ..)| heard.min(*from))), unheard)
}

/// A feed is wanted from where its oldest window, walked or lost, begins.
fn feed_start(windows: &[Window]) -> i64 {
    windows.iter().filter(|window| window.state != WindowState::Open).map(|window| window.from_at).min().unwrap_or(0)
}

fn holes(windows: &[Window], start: i64, declaration: &str) -> Vec<Stretch> {
    let why = |from: i64, to: i64| {
        let stated = windows.iter().find(|w| w.state == WindowState::Gap && w.from_at < to && w.to_at > from);
        match stated.and_then(|window| window.reason.as_deref()) {
            Some(FEED_GAP) => LOST,
            Some(_) => FULL,
            None => UNREAD,
        }
    };
    missing(windows, start, declaration).into_iter().map(|(from, to)| (from, to, why(from, to))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window((from_at, to_at): Span, reason: Option<&str>) -> Window {
        Window {
            window: from_at,
            from_at,
            to_at,
            state: if reason.is_some() { WindowState::Gap } else { WindowState::Complete },
            cursor: None,
            pages: 1,
            rows: 1,
            provider_at: Some(100),
            declaration: "d".into(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_not_heard_of_a_feed_ends_what_is_known_of_changes() {
        let walked = |span| window(span, None);
        let lost = |span| window(span, Some(FEED_GAP));
        let heard = |windows: &[Window], from| heard_whole(windows, (from, 90), "d");
        assert_eq!(heard(&[walked((10, 30))], 10), (Some(30), vec![]));
        assert_eq!(heard(&[walked((10, 30))], 5), (Some(5), vec![(5, 10, UNHEARD)]), "from where it must be heard");
        let hole = [walked((10, 30)), walked((40, 50)), window((42, 43), Some("full_second"))];
        assert_eq!(heard(&hole, 20), (Some(30), vec![(30, 40, UNHEARD)]));
        // What is lost stands before the position, which went on behind it.
        let before = [walked((10, 30)), lost((30, 60)), walked((60, 80))];
        assert_eq!(heard(&before, 60), (Some(30), vec![(30, 60, LOST)]));
        // A position that was taken back: what is lost is not told as unread too.
        assert_eq!(heard(&before, 10), (Some(30), vec![(30, 60, LOST)]));
        assert_eq!(heard(&before[..2], 25), (Some(30), vec![(30, 60, LOST)]), "nothing is walked behind it");
        assert_eq!(heard(&[], 10), (None, vec![(10, 90, UNHEARD)]), "nothing is walked at all");
        assert_eq!(heard(&before[1..2], 10), (None, vec![(10, 30, UNHEARD), (30, 60, LOST), (60, 90, UNHEARD)]));
        assert_eq!(heard_whole(&[walked((10, 30))], (10, 90), "e"), (None, vec![(10, 90, UNHEARD)]), "declared anew");
    }

    #[test]
    fn what_moved_into_a_hole_of_a_list_is_not_seen_yet() {
        let windows = [(10, 20), (25, 40), (45, 50)].map(|span| window(span, None));
        assert_eq!(by_list(&windows, "d"), (Some(20), vec![(20, 25, UNREAD), (40, 45, UNREAD)]));
        assert_eq!(by_list(&windows[..1], "d"), (Some(20), vec![]), "what lies before the oldest walk is none");
        let full = [windows[0].clone(), window((20, 25), Some("full_second")), windows[1].clone()];
        assert_eq!(by_list(&full, "d"), (Some(20), vec![(20, 25, FULL)]));
        assert_eq!(by_list(&windows, "e"), (None, vec![]));
    }

    #[test]
    fn a_hole_has_the_reason_of_the_gap_that_lies_in_it() {
        let windows = [
            window((0, 10), None),
            window((10, 20), Some(FEED_GAP)),
            window((20, 30), None),
            window((30, 31), Some("full_second")),
            window((31, 40), None),
            window((50, 60), None),
            window((60, 70), Some(FEED_GAP)),
        ];
        let lost = "older than the provider keeps events; what may have changed is listed again";
        let holes = holes(&windows, -5, "d");
        let all =
            [(-5, 0, "not read yet"), (10, 20, lost), (30, 31, "one second holds too much"), (40, 50, "not read yet")];
        assert_eq!(holes, all, "what lies behind the newest walk is none");
    }
}
