//! Walking one window: page after page of a list, or halves of a window until one response holds all of it. Each page is
//! committed with its checkpoint before the next one is asked for; the first one brings the window into the store.

use std::collections::HashSet;

use super::call::{Stop, malformed};
use super::connection::{Connection, Line};
use super::plan::Purpose;
use super::span::Span;
use super::trail::{Trail, contradiction, distinct, inside};
use crate::http::Failure;
use crate::problem::{self, Result};
use crate::providers::{Ask, Position, Turn, Way};
use crate::store::{Commit, Committed, NewWindow, Step, Store, WindowKey};
use crate::stream::{Malformed, Page, Shape};
use crate::testpoint::{kill_point, page_limit, planted};

/// A window where this many records are expected is believed to be empty only when it shows itself so twice.
const BUSY: f64 = 10.0;

/// A window that is being walked, in whole seconds.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// Its key, once a page of it is in the store.
    pub(super) window: Option<i64>,
    pub(super) from_s: i64,
    pub(super) to_s: i64,
    pub(super) cursor: Option<String>,
    /// The provider's time when the walk began.
    pub(super) provider_at: i64,
    pub(super) purpose: Purpose,
    /// How many records it should hold, by its neighbours.
    pub(super) expected: f64,
}

/// What a walk did.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) span: Span,
    pub(super) provider_at: i64,
    pub(super) pages: i64,
    pub(super) rows: i64,
    /// Something was noted that stands.
    pub(super) noted: bool,
}

impl Open {
    /// A window whose walk begins at the provider's time `provider_at`.
    pub(super) fn new((from, to): Span, provider_at: i64, purpose: Purpose, expected: f64) -> Self {
        let (from_s, to_s) = (from.div_euclid(1000), to.div_euclid(1000));
        Self { window: None, from_s, to_s, cursor: None, provider_at, purpose, expected }
    }

    fn span(&self) -> Span {
        (self.from_s * 1000, self.to_s * 1000)
    }

    fn key(&self, line: &Line) -> WindowKey {
        let (clock, method) = (line.stream.clock.1, line.stream.method());
        let new = || NewWindow { clock, method, span: self.span(), provider_at: self.provider_at };
        self.window.map_or_else(|| WindowKey::New(new()), WindowKey::Kept)
    }

    /// What a page proves, after which `next` comes, or nothing. A window that is only read again was covered before.
    fn proves(&self, line: &Line, next: Option<String>) -> Step {
        let window = self.key(line);
        match next {
            _ if self.purpose == Purpose::Change => Step::Nothing,
            Some(cursor) => Step::Continue { window, cursor },
            None => Step::Complete { window },
        }
    }

    /// Takes back what is in the store of a walk that has to begin anew.
    async fn forget(&mut self, of: &Connection) -> Result<()> {
        match self.window.take() {
            Some(window) => of.store.run(move |store| store.forget_windows(&[window])).await,
            None => Ok(()),
        }
    }
}

/// Walks a window to its end.
pub(super) async fn window(of: &Connection, line: &Line, open: Open) -> Result<Walked> {
    let purpose = open.purpose;
    let mut walked = Walked { span: open.span(), provider_at: open.provider_at, pages: 0, rows: 0, noted: false };
    match line.stream.way {
        Way::List => list(of, line, open, &mut walked).await?,
        Way::Halved if planted("skip_paging") && !line.stream.shape.leaves.is_empty() => {
            list(of, line, open, &mut walked).await?;
        }
        Way::Halved => halved(of, line, open, &mut walked).await?,
    }
    let ((from, to), Walked { pages, rows, .. }) = (walked.span, &walked);
    let [from, to] = [from, to].map(|ms| jiff::Timestamp::from_millisecond(ms).unwrap_or_default());
    tracing::debug!(stream = line.name(of), purpose = purpose.name(), %from, %to, pages, rows, "window walked");
    Ok(walked)
}

async fn list(of: &Connection, line: &Line, mut open: Open, walked: &mut Walked) -> Result<()> {
    let mut trail = Trail::after(open.cursor.clone());
    let (mut restarted, mut doubted) = (false, false);
    loop {
        let cursor = trail.cursor.clone();
        let at = Position {
            from_s: open.from_s,
            to_s: open.to_s,
            cursor: cursor.clone(),
            limit: page_limit(line.stream.limit),
        };
        let read = match read(of, line, &at, open.purpose).await {
            Ok((page, seq)) => {
                let turn = (of.provider.page)(line.stream, &page, &at).map_err(contradiction)?;
                let believed = cursor.is_none() || planted("cursor_refused_is_end");
                Some((page, seq, turn)).filter(|(page, ..)| page.records > 0 || believed)
            }
            Err(stop) if stop.refused() && cursor.is_some() && !restarted => None,
            Err(stop) => return Err(stop.problem()),
        };
        let Some((page, seq, turn)) = read else {
            // The cursor is refused, or nothing is behind it although more was said to follow: the object that it names
            // may be gone, and the window is walked again from its beginning.
            if std::mem::replace(&mut restarted, true) {
                return Err(contradiction("nothing where more was said to follow"));
            }
            trail = Trail::after(None);
            open.forget(of).await?;
            open.provider_at = of.caller.provider_now().unwrap_or(0);
            continue;
        };
        trail.follow(line, &page, &at)?;
        if doubtful(&page, &open) && cursor.is_none() && !doubted {
            doubted = true;
            continue;
        }
        trail.cursor = match turn {
            Turn::Done => None,
            Turn::More(next) => Some(next),
            Turn::TooFull => return Err(contradiction("a list that says it is too full")),
        };
        let step = match &trail.cursor {
            Some(_) if planted("first_page_is_all") && cursor.is_some() => Step::Nothing,
            Some(_) if planted("first_page_is_all") => open.proves(line, None),
            next => open.proves(line, next.clone()),
        };
        (walked.pages, walked.rows) = (walked.pages + 1, walked.rows + page.records as i64);
        if planted("absent_is_gone") && at.cursor.is_none() && trail.cursor.is_none() {
            absent_is_gone(of, line, &open, seq).await?;
        }
        let committed = commit(of, line, page, (seq, "list"), step).await?;
        open.window = committed.window.or(open.window);
        if trail.cursor.is_none() {
            return Ok(());
        }
    }
}

/// The planted bug: what was held of a window before it was listed is gone, until the list shows it.
async fn absent_is_gone(of: &Connection, line: &Line, open: &Open, seq: i64) -> Result<()> {
    let (account, table, clock, (from, to)) = (of.account, line.table().to_owned(), line.stream.clock.0, open.span());
    let job = move |store: &mut Store| {
        let held = format!("SELECT id FROM {table} WHERE account = {account} AND {clock} >= {from} AND {clock} < {to}");
        let held = store.read(&held)?;
        held.rows
            .iter()
            .try_for_each(|row| store.tombstone(account, &table, row[0].str().unwrap_or_default(), (seq - 1, from)))
    };
    of.store.run(job).await
}

/// Walks a window by halves, newest first.
async fn halved(of: &Connection, line: &Line, open: Open, walked: &mut Walked) -> Result<()> {
    let mut left = vec![(open, false)];
    while let Some((mut open, doubted)) = left.pop() {
        let at = Position { from_s: open.from_s, to_s: open.to_s, cursor: None, limit: page_limit(line.stream.limit) };
        let (page, seq) = read(of, line, &at, open.purpose).await.map_err(|stop| stop.problem())?;
        let turn = (of.provider.page)(line.stream, &page, &at).map_err(contradiction)?;
        inside(line, &page, (at.from_s - 1, at.to_s + 1))?;
        distinct(&page, &mut HashSet::new())?;
        if doubtful(&page, &open) && !doubted {
            left.push((open, true));
            continue;
        }
        walked.pages += 1;
        match turn {
            Turn::Done => {
                walked.rows += page.records as i64;
                commit(of, line, page, (seq, "search"), open.proves(line, None)).await?;
            }
            Turn::TooFull if open.to_s - open.from_s <= 1 => {
                walked.noted = true;
                full_second(of, line, page, seq, &open).await?;
            }
            Turn::TooFull => {
                open.forget(of).await?;
                let (middle, expected) = (open.from_s + (open.to_s - open.from_s) / 2, open.expected / 2.0);
                left.push((Open { to_s: middle, expected, ..open.clone() }, false));
                left.push((Open { from_s: middle, expected, ..open }, false));
            }
            Turn::More(_) => return Err(contradiction("a search that goes on")),
        }
    }
    Ok(())
}

/// True for a page without records where there should be many: such a page has been seen to be wrong.
fn doubtful(page: &Page, open: &Open) -> bool {
    page.records == 0 && open.expected >= BUSY && !planted("empty_page_counts")
}

/// A second that is still too full: what it showed is kept, and the second is stated as a gap.
async fn full_second(of: &Connection, line: &Line, page: Page, seq: i64, open: &Open) -> Result<()> {
    if planted("full_second_is_whole") {
        return commit(of, line, page, (seq, "search"), open.proves(line, None)).await.map(|_| ());
    }
    let step = Step::GiveUp { window: open.key(line), reason: "full_second" };
    commit(of, line, page, (seq, "search"), step).await?;
    of.note(Some(line), problem::SYNC_FULL_SECOND.with(format!("{}, second {}", line.table(), open.from_s))).await
}

/// Reads one page of a list, and the number of its read.
pub(super) async fn read(
    of: &Connection,
    line: &Line,
    at: &Position,
    purpose: Purpose,
) -> std::result::Result<(Page, i64), Stop> {
    let ask = (of.provider.request)(line.stream, at);
    match fetch(of, line, &ask, &line.stream.shape, purpose).await {
        Err(Stop::Failure(failure)) if taken_for_empty(&failure, at) => Ok((empty(line)?, of.read_seq().await?)),
        Err(Stop::Problem(_)) if planted("malformed_is_empty") => Ok((empty(line)?, of.read_seq().await?)),
        read => read,
    }
}

/// Asks for a page of this shape.
pub(super) async fn fetch(
    of: &Connection,
    line: &Line,
    ask: &Ask,
    shape: &Shape,
    purpose: Purpose,
) -> std::result::Result<(Page, i64), Stop> {
    fetch_as(of, line, ask, |body| line.projection.page(body, shape), purpose).await
}

/// Asks and projects the answer; the number of the read is taken before the request is sent. A record that does not convert
/// is looked at once more before it counts: the answer may be odd, not the record.
pub(super) async fn fetch_as(
    of: &Connection,
    line: &Line,
    ask: &Ask,
    project: impl Fn(Vec<u8>) -> std::result::Result<Page, Malformed>,
    purpose: Purpose,
) -> std::result::Result<(Page, i64), Stop> {
    let mut again = false;
    loop {
        let seq = of.read_seq().await?;
        let answer = of.caller.call(ask, || of.count(line, purpose)).await?;
        kill_point("page.received");
        let bytes = answer.body.len();
        let page = project(answer.body).map_err(malformed)?;
        tracing::trace!(stream = line.name(of), purpose = purpose.name(), bytes, records = page.records, "answer");
        if page.rejected.is_empty() || std::mem::replace(&mut again, true) {
            return Ok((page, seq));
        }
    }
}

/// The planted bugs that take a refusal for an empty list.
fn taken_for_empty(failure: &Failure, at: &Position) -> bool {
    let Failure::Status(status) = failure else { return false };
    (planted("refusal_is_empty") && matches!(status.status, 403 | 404))
        || (planted("cursor_refused_is_end") && at.cursor.is_some() && matches!(status.status, 400 | 404))
}

/// What those bugs make of it.
fn empty(line: &Line) -> std::result::Result<Page, Stop> {
    const EMPTY: &str = r#"{"object":"list","data":[],"has_more":false,"total_count":0}"#;
    line.projection.page(EMPTY.into(), &line.stream.shape).map_err(|why| malformed(why).into())
}

/// A page that was read as number `read_seq`, from `source`, ready to be stored with what it proves.
pub(super) async fn prepare(
    of: &Connection,
    line: &Line,
    page: Page,
    (read_seq, source): (i64, &'static str),
    step: Step,
) -> Result<Commit> {
    of.in_mode(&page)?;
    let upsert = line.upsert.clone();
    // Marks are numbered now: what is read from here on was asked for after the page had said what changed.
    let mark_seq = if upsert.marks.is_some() { of.read_seq().await? } else { 0 };
    Ok(Commit { upsert, page, read_seq, mark_seq, read_at: of.now_ms(), source, step })
}

/// Stores a page, with the number of its read and where it came from, and what it proves.
pub(super) async fn commit(
    of: &Connection,
    line: &Line,
    page: Page,
    read: (i64, &'static str),
    step: Step,
) -> Result<Committed> {
    let mut commit = prepare(of, line, page, read, step).await?;
    let acknowledged = if planted("ack_before_commit") { acknowledge_first(of, &mut commit).await? } else { None };
    let mut committed = commit_all(of, line, vec![commit]).await?;
    committed.window = committed.window.or(acknowledged);
    Ok(committed)
}

/// Stores pages that belong together in one transaction: a page, or a record and its parts. Tells of the first, and of what
/// was rejected in all.
pub(super) async fn commit_all(of: &Connection, line: &Line, commits: Vec<Commit>) -> Result<Committed> {
    let bytes = commits.iter().map(|commit| commit.page.bytes() as u64).sum::<u64>();
    kill_point("page.before_commit");
    let job = move |store: &mut Store| {
        let mut all = commits.iter().map(|commit| store.commit_page(commit)).collect::<Result<Vec<_>>>()?;
        let rejected = all.iter().map(|one| one.rejected).sum();
        Ok(Committed { rejected, ..all.swap_remove(0) })
    };
    let committed = of.store.run(job).await?;
    kill_point("page.after_commit");
    of.progress.update(&line.name(of), |progress| {
        progress.pages += 1;
        progress.rows += committed.records;
        progress.rejected += committed.rejected;
        progress.bytes += bytes;
    });
    Ok(committed)
}

/// The planted bug: the checkpoint moves in a commit of its own, before the rows are in.
async fn acknowledge_first(of: &Connection, commit: &mut Commit) -> Result<Option<i64>> {
    let (upsert, step) = (commit.upsert.clone(), std::mem::replace(&mut commit.step, Step::Nothing));
    let at = commit.read_at;
    of.store.run(move |store| store.step(&upsert, &step, (0, 0), at)).await
}
