//! Decides what to walk next. Pure: windows and bounds in, the next window out. Recent time first, then backwards; every
//! closed day once more when its lag has passed; nothing twice without need.

use super::span::{Span, uncovered};
use crate::store::{Window, WindowState};

/// A walk proves a day for good when it began this long after the day's end: by then what is to become visible is, and what
/// changes within days has changed. Also the lag before the day may be released upstream.
pub const SETTLE_MS: i64 = 3 * DAY_MS;

const DAY_MS: i64 = 86_400_000;
/// Windows of a first backfill; grown and shrunk by what they hold.
const FIRST_SIZE: i64 = DAY_MS;
/// Checkout.com refuses wider windows than about 90 days; the others do not need them.
const MOST: i64 = 90 * DAY_MS;
const LEAST: i64 = 60_000;

/// The frozen frame of one pass over one stream, in milliseconds of the provider's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How far back to read.
    pub start: i64,
    /// The provider's time minus the stream's lag: no window reaches beyond.
    pub horizon: i64,
    /// A pass begins this much before the end of the last one.
    pub overlap: i64,
}

/// Up to where a stream is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Horizon {
    /// The newest stretch that was walked whole: `[from, to)`.
    pub listed_from: Option<i64>,
    /// Its end: every object made in it, as visible to this key then, is in.
    pub listed_to: Option<i64>,
    /// Every moment from `listed_from` to here was walked again after it had settled: what is before may be released.
    pub settled_to: Option<i64>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Go on with a window that an earlier walk left open.
    Resume(Window),
    /// Walk this span.
    Fresh(Span),
}

/// The plan of one stream within one pass.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) bounds: Bounds,
    declaration: String,
    windows: Vec<Window>,
    /// Spans handed out in this pass and not yet settled one way or the other.
    out: Vec<Span>,
    resumed: Vec<i64>,
    /// The width of the next window.
    pub(super) size: i64,
}

impl Plan {
    pub(super) fn new(bounds: Bounds, declaration: &str, windows: Vec<Window>, size: Option<i64>) -> Self {
        let size = size.unwrap_or(FIRST_SIZE);
        Self { bounds, declaration: declaration.to_owned(), windows, out: Vec::new(), resumed: Vec::new(), size }
    }

    /// The next thing to walk; `None` when nothing is left to hand out.
    pub(super) fn next(&mut self) -> Option<Next> {
        let left = |window: &&Window| window.state == WindowState::Open && !self.resumed.contains(&window.window);
        if let Some(window) = self.windows.iter().filter(left).max_by_key(|window| window.to_at).cloned() {
            self.resumed.push(window.window);
            self.out.push((window.from_at, window.to_at));
            return Some(Next::Resume(window));
        }
        let (from, to) = self.needs().pop()?;
        let from = from.max(to - self.size);
        self.out.push((from, to));
        Some(Next::Fresh((from, to)))
    }

    /// What still has to be walked and is not out, oldest first.
    fn needs(&self) -> Vec<Span> {
        let Bounds { start, horizon, overlap } = self.bounds;
        let missing = uncovered((start, horizon), self.complete().map(span));
        let mut needs = missing.clone();
        if let Some((from, to)) = needs.last_mut() {
            // What became visible late lies just before the end of the last pass.
            if *to == horizon && *from > start {
                *from = (*from - overlap).max(start);
            }
        }
        let closed = (horizon - SETTLE_MS).div_euclid(DAY_MS) * DAY_MS;
        let settled = self.complete().map(settled_part);
        needs.extend(uncovered((start, closed), settled.chain(missing)));
        needs.sort_unstable_by_key(|(_, to)| *to);
        needs.into_iter().flat_map(|need| uncovered(need, self.out.iter().copied())).collect()
    }

    fn complete(&self) -> impl Iterator<Item = &Window> {
        complete(&self.windows, &self.declaration)
    }

    /// A span that was handed out is walked whole; `pages` it took set the width of later windows.
    pub(super) fn done(&mut self, span: Span, provider_at: i64, pages: i64) {
        self.windows.push(Window {
            window: 0,
            from_at: span.0,
            to_at: span.1,
            state: WindowState::Complete,
            cursor: None,
            pages,
            rows: 0,
            provider_at: Some(provider_at),
            declaration: self.declaration.clone(),
        });
        let width = span.1 - span.0;
        match pages {
            // Only a window of the full width tells that the width was too small.
            ..=2 if width >= self.size => self.size = (self.size * 4).min(MOST),
            20.. => self.size = (width / 2).clamp(LEAST, MOST),
            _ => {}
        }
    }

    /// How much of the frame is walked, and all of it, in milliseconds.
    pub(super) fn share(&self) -> (i64, i64) {
        let whole = (self.bounds.start, self.bounds.horizon);
        let missing: i64 = uncovered(whole, self.complete().map(span)).iter().map(|(from, to)| to - from).sum();
        let all = (whole.1 - whole.0).max(0);
        (all - missing, all)
    }
}

/// What the windows of a stream prove, for people and for the gate. Reads only windows of the `declaration` in force.
pub fn horizon(windows: &[Window], start: i64, declaration: &str) -> Horizon {
    let complete = || complete(windows, declaration);
    let Some(end) = complete().map(|window| window.to_at).max() else { return Horizon::default() };
    let from = uncovered((start, end), complete().map(span)).last().map_or(start, |(_, to)| *to);
    let unsettled = uncovered((from, end), complete().map(settled_part));
    let settled_to = unsettled.first().map_or(end, |(from, _)| *from);
    Horizon { listed_from: Some(from), listed_to: Some(end), settled_to: (settled_to > from).then_some(settled_to) }
}

/// The moment up to which everything from `since` on was walked, and walked again after it had settled or is about to be:
/// what the gate may take for proven. A hole anywhere after `since` ends it there.
pub fn proven(windows: &[Window], since: i64, declaration: &str) -> Option<i64> {
    let end = complete(windows, declaration).map(|window| window.to_at).max()?;
    let first = |free: Vec<Span>| free.first().map_or(end, |(from, _)| *from);
    let listed = first(uncovered((since, end), complete(windows, declaration).map(span)));
    let settled = first(uncovered((since, end), complete(windows, declaration).map(settled_part)));
    Some(listed.min(settled + SETTLE_MS))
}

/// The time between `start` and the end of the newest walk that was not walked whole, oldest first.
pub fn missing(windows: &[Window], start: i64, declaration: &str) -> Vec<(i64, i64)> {
    let end = complete(windows, declaration).map(|window| window.to_at).max().unwrap_or(start);
    uncovered((start, end), complete(windows, declaration).map(span))
}

fn complete<'w>(windows: &'w [Window], declaration: &str) -> impl Iterator<Item = &'w Window> {
    windows.iter().filter(move |window| window.state == WindowState::Complete && window.declaration == declaration)
}

fn span(window: &Window) -> Span {
    (window.from_at, window.to_at)
}

/// The part of a window that had settled when its walk began.
fn settled_part(window: &Window) -> Span {
    (window.from_at, window.to_at.min(window.provider_at.unwrap_or(0) - SETTLE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn plan(days: i64, windows: Vec<Window>) -> Plan {
        Plan::new(Bounds { start: 0, horizon: days * DAY_MS, overlap: 15 * MINUTE }, "d", windows, None)
    }

    fn window(from_at: i64, to_at: i64, provider_at: i64) -> Window {
        let (state, declaration) = (WindowState::Complete, "d".to_owned());
        let provider_at = Some(provider_at);
        Window { window: 1, from_at, to_at, state, cursor: None, pages: 1, rows: 0, provider_at, declaration }
    }

    fn run(plan: &mut Plan, now: i64, pages: i64) -> Vec<Span> {
        let mut walked = Vec::new();
        while let Some(Next::Fresh(span)) = plan.next() {
            walked.push(span);
            plan.done(span, now, pages);
        }
        walked
    }

    #[test]
    fn a_backfill_goes_from_the_newest_backwards_and_ends() {
        let mut plan = plan(10, vec![]);
        let walked = run(&mut plan, 10 * DAY_MS, 5);
        assert_eq!(walked.len(), 10);
        assert_eq!(walked[0], (9 * DAY_MS, 10 * DAY_MS));
        assert_eq!(walked[9], (0, DAY_MS));
        assert_eq!(plan.share(), (10 * DAY_MS, 10 * DAY_MS));
    }

    #[test]
    fn empty_windows_grow_and_crowded_ones_shrink() {
        assert_eq!(run(&mut plan(300, vec![]), 300 * DAY_MS, 1).len(), 7); // 1, 4, 16, 64, 90, 90 and 35 days
        let mut crowded = plan(2, vec![]);
        let walked = run(&mut crowded, 2 * DAY_MS, 40);
        assert!(walked.len() > 3 && crowded.size < DAY_MS / 2);
    }

    #[test]
    fn a_later_pass_begins_before_the_end_of_the_last_one() {
        let end = 10 * DAY_MS;
        let mut plan = plan(10, vec![window(0, end - 5 * MINUTE, 100 * DAY_MS)]);
        assert_eq!(plan.next(), Some(Next::Fresh((end - 20 * MINUTE, end))));
        assert_eq!(plan.next(), None);
    }

    #[test]
    fn a_closed_day_is_walked_once_more_when_its_lag_has_passed() {
        let day = |n: i64| n * DAY_MS;
        // Walked on day 5: of that walk days 0 and 1 had settled.
        let plan =
            |now: i64, windows| Plan::new(Bounds { start: 0, horizon: day(now), overlap: 0 }, "d", windows, None);
        let young = vec![window(0, day(5), day(5))];
        assert_eq!(horizon(&young, 0, "d").settled_to, Some(day(2)));
        assert_eq!(plan(5, young.clone()).next(), None);
        // On day 6 day 2 has settled since, and is walked once more, after what is new.
        let mut next = plan(6, young);
        assert_eq!(next.next(), Some(Next::Fresh((day(5), day(6)))));
        assert_eq!(next.next(), Some(Next::Fresh((day(2), day(3)))));
        assert_eq!(next.next(), None);
        next.done((day(2), day(3)), day(6), 5);
        assert_eq!(horizon(&next.windows, 0, "d").settled_to, Some(day(3)));
    }

    #[test]
    fn windows_of_another_declaration_prove_nothing() {
        let mut old = window(0, 10 * DAY_MS, 100 * DAY_MS);
        old.declaration = "old".to_owned();
        assert_eq!(plan(10, vec![old.clone()]).next(), Some(Next::Fresh((9 * DAY_MS, 10 * DAY_MS))));
        assert_eq!(horizon(&[old], 0, "d"), Horizon::default());
    }

    #[test]
    fn an_open_window_is_gone_on_with_first_and_not_handed_out_twice() {
        let mut open = window(2 * DAY_MS, 3 * DAY_MS, 0);
        (open.state, open.window) = (WindowState::Open, 7);
        let mut plan = plan(4, vec![open.clone()]);
        assert_eq!(plan.next(), Some(Next::Resume(open)));
        assert_eq!(plan.next(), Some(Next::Fresh((3 * DAY_MS, 4 * DAY_MS))));
        assert_eq!(plan.next(), Some(Next::Fresh((DAY_MS, 2 * DAY_MS))));
    }

    #[test]
    fn the_horizon_is_that_of_the_newest_stretch_without_a_hole() {
        let day = |n: i64| n * DAY_MS;
        let windows = [window(0, day(2), day(50)), window(day(3), day(6), day(50)), window(day(6), day(9), day(9))];
        let known = horizon(&windows, 0, "d");
        let expected = Horizon { listed_from: Some(day(3)), listed_to: Some(day(9)), settled_to: Some(day(6)) };
        assert_eq!(known, expected);
    }

    #[test]
    fn a_hole_ends_what_is_proven_and_what_is_older_than_asked_does_not_matter() {
        let day = |n: i64| n * DAY_MS;
        let windows = [window(0, day(2), day(50)), window(day(3), day(6), day(50)), window(day(8), day(20), day(50))];
        assert_eq!(proven(&windows, day(4), "d"), Some(day(6)), "behind the hole nothing is proven");
        assert_eq!(proven(&windows, day(9), "d"), Some(day(20)));
        assert_eq!(proven(&windows, day(7), "d"), Some(day(7)), "inside a hole nothing is");
        let young = [window(0, day(20), day(20))];
        assert_eq!(proven(&young, day(1), "d"), Some(day(20)), "the lag itself is subtracted by who releases");
        assert_eq!(proven(&[window(0, day(20), day(10))], 0, "d"), Some(day(10)));
        assert_eq!(proven(&[], 0, "d"), None);
    }
}
