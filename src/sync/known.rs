//! Up to where a stream is known: what the store proves of it, for people and for the gate. Reads only.

use super::feed::{BACK, FEED_GAP, LEFT, is_gap};
use super::plan::{Horizon, first_hole, horizon, listed_whole, missing};
use crate::problem::Result;
use crate::providers::{Heard, Provider, Stream};
use crate::store::{Reader, Window, WindowState};

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
    pub missing: Vec<(i64, i64, &'static str)>,
}

/// What the store proves of a stream, of which `start` is the oldest moment wanted.
pub fn known(reader: &Reader, account: i64, provider: &Provider, stream: &Stream, start: i64) -> Result<Known> {
    reader.at_one_moment(|| prove(reader, account, provider, stream, start))
}

fn prove(reader: &Reader, account: i64, provider: &Provider, stream: &Stream, start: i64) -> Result<Known> {
    let (table, declaration) = (provider.table(stream), stream.declaration()?.hash.clone());
    let windows = reader.windows(account, &table)?;
    let start = if stream.heard == Heard::IsFeed { feed_start(&windows) } else { start };
    let horizon = horizon(&windows, start, &declaration);
    let marked = reader.earliest_change(account, &table)?;
    let heard = match (horizon.listed_to, stream.heard) {
        (None, _) | (_, Heard::Never) => None,
        (listed, Heard::IsFeed) => listed,
        // What moved into a hole is not seen yet.
        (_, Heard::ByList) => listed_whole(&windows, &declaration),
        (_, Heard::ByFeed) => feed_heard(reader, account, provider)?,
        (_, Heard::ByReading) => reader.round(account, &table, "unsettled")?,
    };
    // Of a stream that was left out for a while nothing after that is known, until all of it is listed again.
    let mut bounds = vec![marked];
    if matches!(stream.heard, Heard::ByFeed | Heard::ByReading) {
        bounds.extend([reader.round(account, &table, LEFT)?, reader.round(account, &table, BACK)?]);
    }
    let heard_to = heard.map(|heard| bounds.into_iter().flatten().fold(heard, i64::min));
    Ok(Known {
        horizon,
        changed_to: heard_to.filter(|_| stream.tells_changes()),
        heard_to,
        never_changed: !stream.tells_changes(),
        missing: holes(&windows, start, &declaration),
    })
}

/// Up to where the feed was heard whole; a stretch that could not be heard ends it, until it is made good.
fn feed_heard(reader: &Reader, account: i64, provider: &Provider) -> Result<Option<i64>> {
    let Some(feed) = provider.feed() else { return Ok(None) };
    let (table, declaration) = (provider.table(feed), feed.declaration()?.hash.clone());
    let Some(from) = reader.round(account, &table, "feed")? else { return Ok(None) };
    let windows = reader.windows(account, &table)?;
    let heard = first_hole(&windows, from, &declaration);
    let gap = windows.iter().filter(|window| is_gap(window)).map(|window| window.from_at).min();
    Ok(heard.map(|heard| gap.map_or(heard, |gap| gap.min(heard))))
}

/// A feed is wanted from where its oldest window, walked or lost, begins.
fn feed_start(windows: &[Window]) -> i64 {
    windows.iter().filter(|window| window.state != WindowState::Open).map(|window| window.from_at).min().unwrap_or(0)
}

fn holes(windows: &[Window], start: i64, declaration: &str) -> Vec<(i64, i64, &'static str)> {
    let why = |from: i64, to: i64| {
        let stated = windows.iter().find(|w| w.state == WindowState::Gap && w.from_at < to && w.to_at > from);
        match stated.and_then(|window| window.reason.as_deref()) {
            Some(FEED_GAP) => "older than the provider keeps events; what may have changed is listed again",
            Some(_) => "one second holds too much",
            None => "not read yet",
        }
    };
    missing(windows, start, declaration).into_iter().map(|(from, to)| (from, to, why(from, to))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_has_the_reason_of_the_gap_that_lies_in_it() {
        let window = |(from_at, to_at): (i64, i64), reason: Option<&str>| Window {
            window: from_at,
            from_at,
            to_at,
            state: if reason.is_some() { WindowState::Gap } else { WindowState::Complete },
            cursor: None,
            pages: 1,
            rows: 1,
            provider_at: Some(100),
            declaration: "d".to_owned(),
            reason: reason.map(str::to_owned),
        };
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
