//! Decides what to walk next. Pure: windows and bounds in, the next window out. Recent time first, then backwards; every
//! closed day again on its rungs; what may have changed unheard again; nothing twice without need.

use std::sync::Arc;

use super::span::{Span, joined, uncovered};
use crate::store::{Window, WindowState};

/// A walk proves a day for good when it began this long after the day's end: by then what is to become visible is, and what
/// changes within days has changed. Also the lag before the day may be released upstream.
pub const SETTLE_MS: i64 = 3 * DAY_MS;

pub(super) const DAY_MS: i64 = 86_400_000;
/// Windows of a first backfill; grown and shrunk by what they hold.
const FIRST_SIZE: i64 = DAY_MS;
/// Checkout.com refuses wider windows than about 90 days; the others do not need them.
pub(super) const MOST: i64 = 90 * DAY_MS;
const LEAST: i64 = 60_000;

/// The frozen frame of one pass over one stream, in milliseconds of the provider's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How far back to read.
    pub start: i64,
    /// The provider's time minus the stream's lag: no window reaches beyond.
    pub horizon: i64,
    /// What was made this long before a walk began, or longer, has shown itself to it; what is younger is listed once more.
    pub overlap: i64,
    /// Each day is listed again when this many days have passed since its end.
    pub rungs: &'static [i64],
    /// What else must be listed again.
    pub demands: Vec<Demand>,
}

/// A stretch of which only walks that began at or after some moment count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The stretch.
    pub span: Span,
    /// The moment, by the provider's clock.
    pub since: i64,
}

/// What a request is for. Also the order in which a pass goes about things, so that what is new never waits for the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Hearing what changed.
    Feed,
    /// What was made since the last pass.
    Poll,
    /// One object, or a few together, that changed.
    Change,
    /// Listed once before, to be listed again on its rungs.
    Again,
    /// The past, read for the first time, or again because its changes could not be heard.
    Backfill,
    /// Comparing what we hold with what the provider shows.
    Check,
}

impl Purpose {
    /// All of them, in their order.
    pub const ALL: [Self; 6] = [Self::Feed, Self::Poll, Self::Change, Self::Again, Self::Backfill, Self::Check];

    /// Those for which windows are walked.
    pub const WALKED: [Self; 4] = [Self::Feed, Self::Poll, Self::Again, Self::Backfill];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// Its name in the table of reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Poll => "poll",
            Self::Change => "change",
            Self::Again => "again",
            Self::Backfill => "backfill",
            Self::Check => "check",
        }
    }
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

impl Next {
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Resume(window) => (window.from_at, window.to_at),
            Self::Fresh(span) => *span,
        }
    }
}

/// A span that was walked, or is being walked, and when that walk began.
#[derive(Debug, Clone, Copy)]
struct Walked {
    span: Span,
    began: i64,
}

impl Walked {
    fn of(window: &Window) -> Self {
        Self { span: (window.from_at, window.to_at), began: window.provider_at.unwrap_or(0) }
    }

    /// The part that was this old when the walk began, in whole seconds as windows are.
    fn settled(&self, age: i64) -> Span {
        (self.span.0, self.span.1.min(self.began.saturating_sub(age).div_euclid(1000) * 1000))
    }
}

/// The plan of one stream within one pass.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) bounds: Bounds,
    declaration: Arc<str>,
    windows: Vec<Window>,
    /// Before it lies the past, which can wait; what is missing after it is new.
    past_to: i64,
    /// What was handed out in this pass.
    out: Vec<Walked>,
    resumed: Vec<i64>,
    /// The width of the next window.
    pub(super) size: i64,
}

impl Plan {
    pub(super) fn new(bounds: Bounds, declaration: &str, windows: Vec<Window>, size: Option<i64>) -> Self {
        let size = size.unwrap_or(FIRST_SIZE);
        let (declaration, out, resumed) = (declaration.into(), Vec::new(), Vec::new());
        let mut plan = Self { bounds, declaration, windows, past_to: 0, out, resumed, size };
        let Bounds { start, horizon, .. } = plan.bounds;
        plan.past_to = match plan.missing().first() {
            // On the very first pass the newest day is what is new, and the rest is the past.
            Some((from, to)) if (*from, *to) == (start, horizon) => start.max(horizon - FIRST_SIZE),
            Some((from, to)) if *from == start => *to,
            _ => start,
        };
        plan
    }

    /// The next thing to walk for this purpose; `None` when nothing is left to hand out.
    pub(super) fn next(&mut self, purpose: Purpose) -> Option<Next> {
        if let Some(window) = self.left_open(purpose) {
            self.resumed.push(window.window);
            // Its walk began long ago: what became visible or changed since, among what it had passed, is for a walk of its own.
            self.out.push(Walked::of(&window));
            return Some(Next::Resume(window));
        }
        let (from, to) = self.needs(purpose, &self.out).into_iter().max_by_key(|(_, to)| *to)?;
        let span = in_seconds((from.max(to - self.size), to));
        self.out.push(Walked { span, began: i64::MAX });
        Some(Next::Fresh(span))
    }

    /// The newest window that an earlier walk left open and that belongs to these needs. One that belongs to none is gone on
    /// with among what is listed again.
    fn left_open(&self, purpose: Purpose) -> Option<Window> {
        let needs = self.needs(purpose, &[]);
        let touches = |window: &Window, needs: &[Span]| {
            needs.iter().any(|(from, to)| window.from_at < *to && *from < window.to_at)
        };
        let others = || {
            [Purpose::Poll, Purpose::Backfill].into_iter().flat_map(|other| self.needs(other, &[])).collect::<Vec<_>>()
        };
        let rest = if purpose == Purpose::Again { others() } else { Vec::new() };
        let left = |window: &&Window| {
            window.state == WindowState::Open
                && !self.resumed.contains(&window.window)
                && if purpose == Purpose::Again { !touches(window, &rest) } else { touches(window, &needs) }
        };
        self.windows.iter().filter(left).max_by_key(|window| window.to_at).cloned()
    }

    /// True when something is left to hand out for this purpose.
    pub(super) fn wants(&self, purpose: Purpose) -> bool {
        !self.needs(purpose, &self.out).is_empty()
    }

    /// Walked, and being walked.
    fn begun(&self, out: &[Walked]) -> Vec<Walked> {
        complete(&self.windows, &self.declaration).map(Walked::of).chain(out.iter().copied()).collect()
    }

    /// Not listed yet.
    fn missing(&self) -> Vec<Span> {
        uncovered((self.bounds.start, self.bounds.horizon), complete(&self.windows, &self.declaration).map(span))
    }

    /// What has to be walked for a purpose, while this is being walked.
    fn needs(&self, purpose: Purpose, out: &[Walked]) -> Vec<Span> {
        let missing = self.missing();
        let new = || missing.iter().map(|(from, to)| (*from.max(&self.past_to), *to)).filter(|(from, to)| from < to);
        let past = || missing.iter().map(|(from, to)| (*from, *to.min(&self.past_to))).filter(|(from, to)| from < to);
        match purpose {
            Purpose::Feed => joined(self.left(missing.iter().copied(), out).chain(self.late(out, &missing))),
            Purpose::Poll => joined(self.left(new(), out).chain(self.late(out, &missing))),
            Purpose::Backfill => {
                let demanded = self.bounds.demands.iter().flat_map(|demand| self.unmet(demand, out, &missing));
                joined(self.left(past(), out).chain(demanded))
            }
            Purpose::Again => self.again(out, &missing),
            Purpose::Change | Purpose::Check => Vec::new(),
        }
    }

    /// What is left of these spans beside what is being walked. A walk that began long ago leaves its end: what became visible
    /// since, among what it had passed, is for a walk of its own.
    fn left(&self, spans: impl Iterator<Item = Span>, out: &[Walked]) -> impl Iterator<Item = Span> {
        let enough: Vec<Span> = out.iter().map(|walk| walk.settled(self.bounds.overlap)).collect();
        spans.flat_map(move |span| uncovered(span, enough.iter().copied()))
    }

    /// Listed, but so soon that something may have shown itself later: as a rule the time just before the last pass ended.
    fn late(&self, out: &[Walked], missing: &[Span]) -> Vec<Span> {
        let begun = self.begun(out);
        let enough = begun.iter().map(|walk| walk.settled(self.bounds.overlap));
        uncovered((self.bounds.start, self.bounds.horizon), enough.chain(missing.iter().copied()))
    }

    /// What was listed, but not late enough for the rungs of its day.
    fn again(&self, out: &[Walked], missing: &[Span]) -> Vec<Span> {
        let begun = self.begun(out);
        let rung = |days: &i64| {
            let closed = (self.bounds.horizon - days * DAY_MS).div_euclid(DAY_MS) * DAY_MS;
            let enough = begun.iter().map(|walk| walk.settled(days * DAY_MS));
            uncovered((self.bounds.start, closed), enough.chain(missing.iter().copied()))
        };
        self.bounds.rungs.iter().flat_map(rung).collect()
    }

    fn unmet(&self, demand: &Demand, out: &[Walked], missing: &[Span]) -> Vec<Span> {
        let begun = self.begun(out);
        let enough = begun.iter().filter(|walk| walk.began >= demand.since).map(|walk| walk.span);
        let (from, to) = (demand.span.0.max(self.bounds.start), demand.span.1.min(self.bounds.horizon));
        uncovered((from, to), enough.chain(missing.iter().copied()))
    }

    /// True when everything of the frame was listed once, or is being listed.
    pub(super) fn all_listed(&self) -> bool {
        !self.wants(Purpose::Poll) && self.left(self.missing().into_iter(), &self.out).next().is_none()
    }

    /// How far the newest listing lies behind the horizon, milliseconds; the whole frame when nothing was listed yet.
    pub(super) fn behind(&self) -> i64 {
        let Bounds { start, horizon, .. } = self.bounds;
        let tail = self.missing().into_iter().filter(|(from, to)| *from > start || *to == horizon);
        tail.map(|(from, _)| horizon - from).max().unwrap_or(0)
    }

    /// True when all that a demand asks for has been listed again. What was never listed, or counts as that by now, may hold
    /// rows all the same.
    pub(super) fn meets(&self, demand: &Demand) -> bool {
        self.unmet(demand, &[], &[]).is_empty()
    }

    /// True when everything of the frame was listed.
    pub(super) fn whole(&self) -> bool {
        self.missing().is_empty()
    }

    /// A span that was handed out is walked whole; `pages` it took set the width of later windows.
    pub(super) fn done(&mut self, span: Span, provider_at: i64, (pages, rows): (i64, i64)) {
        self.windows.push(Window {
            window: 0,
            from_at: span.0,
            to_at: span.1,
            state: WindowState::Complete,
            cursor: None,
            pages,
            rows,
            provider_at: Some(provider_at),
            declaration: self.declaration.clone(),
            reason: None,
        });
        let width = span.1 - span.0;
        match pages {
            // Only a window of the full width tells that the width was too small.
            ..=2 if width >= self.size => self.size = (self.size * 4).min(MOST),
            20.. => self.size = (width / 2).div_euclid(1000).saturating_mul(1000).clamp(LEAST, MOST),
            _ => {}
        }
    }

    /// How many records a span should hold, by what was found in it and around it (as much on either side as it is wide, an
    /// hour at least).
    pub(super) fn expected(&self, (from, to): Span) -> f64 {
        let reach = (to - from).max(3_600_000);
        let around = (from - reach, to + reach);
        let part = |window: &Window| (window.to_at.min(around.1) - window.from_at.max(around.0)).max(0) as f64;
        let (mut rows, mut time) = (0.0, 0.0);
        for window in complete(&self.windows, &self.declaration).filter(|window| window.to_at > window.from_at) {
            let share = part(window) / (window.to_at - window.from_at) as f64;
            (rows, time) = (rows + window.rows as f64 * share, time + part(window));
        }
        if time == 0.0 { 0.0 } else { rows / time * (to - from) as f64 }
    }

    /// How much of the frame is walked, and all of it, in milliseconds.
    pub(super) fn share(&self) -> (i64, i64) {
        let whole = (self.bounds.start, self.bounds.horizon);
        let missing: i64 = self.missing().iter().map(|(from, to)| to - from).sum();
        let all = (whole.1 - whole.0).max(0);
        (all - missing, all)
    }
}

/// What the windows of a stream prove, for people and for the gate. Reads only windows of the `declaration` in force.
pub fn horizon(windows: &[Window], start: i64, declaration: &str) -> Horizon {
    let complete = || complete(windows, declaration);
    let Some(end) = complete().map(|window| window.to_at).max() else { return Horizon::default() };
    let from = uncovered((start, end), complete().map(span)).last().map_or(start, |(_, to)| *to);
    let unsettled = uncovered((from, end), complete().map(|window| Walked::of(window).settled(SETTLE_MS)));
    let settled_to = unsettled.first().map_or(end, |(from, _)| *from);
    Horizon { listed_from: Some(from), listed_to: Some(end), settled_to: (settled_to > from).then_some(settled_to) }
}

/// The moment up to which everything from `since` on was walked, and walked again after it had settled or is about to be:
/// what the gate may take for proven. A hole anywhere after `since` ends it there.
pub fn proven(windows: &[Window], since: i64, declaration: &str) -> Option<i64> {
    let end = complete(windows, declaration).map(|window| window.to_at).max()?;
    let listed = first_hole(windows, since, declaration)?;
    let enough = complete(windows, declaration).map(|window| Walked::of(window).settled(SETTLE_MS));
    let settled = uncovered((since, end), enough).first().map_or(end, |(from, _)| *from);
    Some(listed.min(settled + SETTLE_MS))
}

/// The time between `start` and the end of the newest walk that was not walked whole, oldest first.
pub fn missing(windows: &[Window], start: i64, declaration: &str) -> Vec<(i64, i64)> {
    let end = complete(windows, declaration).map(|window| window.to_at).max().unwrap_or(start);
    uncovered((start, end), complete(windows, declaration).map(span))
}

/// A window is walked in whole seconds, as providers know no shorter ones: what it says it covers has to be the same.
fn in_seconds((from, to): Span) -> Span {
    (from.div_euclid(1000) * 1000, (to + 999).div_euclid(1000) * 1000)
}

fn complete<'w>(windows: &'w [Window], declaration: &str) -> impl Iterator<Item = &'w Window> {
    windows.iter().filter(move |window| window.state == WindowState::Complete && *window.declaration == *declaration)
}

fn span(window: &Window) -> Span {
    (window.from_at, window.to_at)
}

/// The first moment after `since` that was not walked whole; where the newest walk ends when there is none.
pub(super) fn first_hole(windows: &[Window], since: i64, declaration: &str) -> Option<i64> {
    let end = complete(windows, declaration).map(|window| window.to_at).max()?;
    Some(uncovered((since, end), complete(windows, declaration).map(span)).first().map_or(end, |(from, _)| *from))
}

/// Where the newest stretch ends that was walked from the oldest walk on without a hole.
pub(super) fn listed_whole(windows: &[Window], declaration: &str) -> Option<i64> {
    let oldest = complete(windows, declaration).map(|window| window.from_at).min()?;
    first_hole(windows, oldest, declaration)
}

#[cfg(test)]
mod tests;
