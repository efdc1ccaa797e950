//! A pass: every stream of a connection brought up to a frozen horizon, several windows in flight under one pacer. One
//! stream that fails never stops the others; the pass is as good as its worst stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::call::Caller;
use super::plan::{Bounds, Next, Plan};
use super::progress::Progress;
use super::time::impossible;
use super::walk::{self, Open};
use crate::clock::Clock;
use crate::problem::{self, Problem, Result};
use crate::providers::{Provider, Stream, Way};
use crate::store::{RunEnd, StoreHandle, Upsert};
use crate::stream::Projection;
use crate::testpoint::{kill_point, planted};

/// Windows in flight at once, and so requests at once, for one connection.
pub(super) const WORKERS: usize = 4;

/// One stream of one connection, ready to read.
pub struct Line {
    /// What the provider offers.
    pub stream: &'static Stream,
    /// How its pages become rows.
    pub projection: Projection,
    /// How its rows are written.
    pub upsert: Arc<Upsert>,
    /// The cell of the time that windows bound.
    pub clock_cell: usize,
    /// The width that windows have grown to, 0 for none yet.
    pub size: AtomicI64,
}

/// Everything that reading one connection needs, put together by the agent.
pub struct Connection {
    /// The merchant's name for it.
    pub name: String,
    /// The account its rows carry.
    pub account: i64,
    /// The provider.
    pub provider: &'static Provider,
    /// How far back to read, milliseconds.
    pub start: i64,
    /// Speaks to the provider.
    pub caller: Caller,
    /// The way to the writer.
    pub store: StoreHandle,
    /// Wall time for what is noted.
    pub clock: Arc<dyn Clock>,
    /// The streams.
    pub lines: Vec<Arc<Line>>,
    /// What the pass has done.
    pub progress: Arc<Progress>,
    /// Numbers of reads taken from the store: the next one, and the end of those taken.
    pub reads: tokio::sync::Mutex<(i64, i64)>,
    /// One pass at a time: whoever asks for another waits for its turn.
    pub busy: tokio::sync::Mutex<()>,
}

/// How one stream ended.
#[derive(Debug, Clone)]
pub struct StreamEnd {
    /// The stream's name.
    pub stream: String,
    /// Why it stopped, `None` when it is up to the horizon.
    pub problem: Option<Problem>,
}

/// How a pass ended.
#[derive(Debug, Clone, Default)]
pub struct PassEnd {
    /// Every stream that was to be read.
    pub streams: Vec<StreamEnd>,
    /// It was asked to stop before its end.
    pub stopped: bool,
}

impl Line {
    /// The stream's table.
    pub fn table(&self) -> &str {
        &self.upsert.stream
    }

    /// The stream's name in progress: `connection/stream`.
    pub fn name(&self, of: &Connection) -> String {
        format!("{}/{}", of.name, self.stream.name)
    }
}

impl Connection {
    /// The number of a read, greater than that of every earlier one.
    pub(super) async fn read_seq(&self) -> Result<i64> {
        const AT_ONCE: i64 = 256;
        let mut reads = self.reads.lock().await;
        if reads.0 == reads.1 {
            let first = self.store.run(|store| store.take_read_seq(AT_ONCE)).await?;
            *reads = (first, first + AT_ONCE);
        }
        reads.0 += 1;
        Ok(reads.0 - 1)
    }

    /// Notes a problem of a stream, or of the whole connection.
    pub(super) async fn note(&self, line: Option<&Line>, problem: Problem) -> Result<()> {
        let (account, stream, now) = (self.account, line.map(|line| line.table().to_owned()), self.clock.wall_ms());
        self.store.run(move |store| store.note_problem(Some(account), stream.as_deref(), &problem, now)).await
    }
}

/// The work of a pass, shared by its workers.
struct Work {
    of: Arc<Connection>,
    lanes: Mutex<Vec<Lane>>,
    stop: Arc<AtomicBool>,
    /// What had been done when the pass began.
    before: BTreeMap<String, super::StreamProgress>,
}

/// One stream within the pass.
struct Lane {
    line: Arc<Line>,
    plan: Plan,
    run: i64,
    /// Windows of it that are being walked.
    busy: usize,
    problem: Option<Problem>,
}

/// Brings the streams (all, or those named) up to a horizon frozen at the start.
pub async fn pass(of: Arc<Connection>, only: Option<&[String]>, stop: Arc<AtomicBool>) -> Result<PassEnd> {
    let _turn = of.busy.lock().await;
    let wanted = |line: &&Arc<Line>| only.is_none_or(|only| only.iter().any(|name| name == line.stream.name));
    let lines: Vec<Arc<Line>> = of.lines.iter().filter(wanted).cloned().collect();
    if lines.is_empty() {
        return Ok(PassEnd::default());
    }
    // Without a key there is nothing to ask, stream by stream, for.
    if let Err(problem) = of.caller.has_key() {
        return all_failed(&of, &lines, &problem).await;
    }
    let met = learn_time(&of, &lines).await;
    let Some(now) = of.caller.provider_now() else {
        return all_failed(&of, &lines, &met.unwrap_or_else(|| problem::SYNC_NO_TIME.plain())).await;
    };
    let (mut lanes, before) = (Vec::new(), of.progress.streams());
    for line in lines {
        lanes.push(open_lane(&of, line, now).await?);
    }
    let work = Arc::new(Work { of: of.clone(), lanes: Mutex::new(lanes), stop, before });
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(worker(work.clone()));
    }
    while let Some(joined) = workers.join_next().await {
        joined.unwrap_or_else(|_| Err(problem::STORE_IO.with("a worker ended early")))?;
    }
    close(&work).await
}

/// Asks until answers tell the provider's time (an odd one must be confirmed by another); a stream whose answer is unusable
/// does not stop the others. Returns the first problem met.
async fn learn_time(of: &Connection, lines: &[Arc<Line>]) -> Option<Problem> {
    let mut met = None;
    for line in lines.iter().chain(lines) {
        if of.caller.provider_now().is_some() {
            break;
        }
        let Err(problem) = probe(of, line).await else { continue };
        let nobody = [&problem::HTTP_UNREACHABLE, &problem::HTTP_TLS, &problem::HTTP_TIMEOUT];
        let hopeless = nobody.into_iter().any(|entry| problem.is(entry));
        met.get_or_insert(problem);
        if hopeless {
            break;
        }
    }
    met
}

async fn all_failed(of: &Connection, lines: &[Arc<Line>], problem: &Problem) -> Result<PassEnd> {
    of.note(None, problem.clone()).await?;
    let end = |line: &Arc<Line>| StreamEnd { stream: line.stream.name.to_owned(), problem: Some(problem.clone()) };
    Ok(PassEnd { streams: lines.iter().map(end).collect(), stopped: false })
}

async fn open_lane(of: &Connection, line: Arc<Line>, now: i64) -> Result<Lane> {
    let (account, table, wall) = (of.account, line.table().to_owned(), of.clock.wall_ms());
    let declaration = line.upsert.declaration.clone();
    let (windows, run) = of
        .store
        .run(move |store| {
            let windows = store.windows(account, &table)?;
            // Pages read under another declaration prove nothing under this one; nor do windows of the provider's future.
            let (ahead, windows): (Vec<_>, Vec<_>) = windows.into_iter().partition(|w| impossible(w, now));
            if !ahead.is_empty() {
                let told = problem::SYNC_FUTURE.with(format!("{} windows of {table}", ahead.len()));
                store.note_problem(Some(account), Some(&table), &told, wall)?;
            }
            let (windows, stale): (Vec<_>, Vec<_>) = windows.into_iter().partition(|w| w.declaration == declaration);
            store.forget_windows(&ahead.iter().chain(&stale).map(|w| w.window).collect::<Vec<_>>())?;
            Ok((windows, store.begin_run(account, &table, wall)?))
        })
        .await?;
    let horizon = (now - line.stream.lag_s * 1000).div_euclid(1000) * 1000;
    let overlap = if planted("no_overlap") { 0 } else { line.stream.overlap_s * 1000 };
    let bounds = Bounds { start: of.start, horizon, overlap };
    let size = Some(line.size.load(Ordering::Relaxed)).filter(|size| *size > 0);
    let plan = Plan::new(bounds, &line.upsert.declaration, windows, size);
    let (walked, whole) = plan.share();
    of.progress.update(&line.name(of), |progress| {
        (progress.walked, progress.whole, progress.done) = (walked, whole, false);
    });
    Ok(Lane { line, plan, run, busy: 0, problem: None })
}

/// Takes windows, of the least busy stream first, until none is left.
async fn worker(work: Arc<Work>) -> Result<()> {
    while !work.stop.load(Ordering::Relaxed) {
        let Some((lane, line, next)) = work.take() else { return Ok(()) };
        let walked = walk_one(&work.of, &line, &next).await;
        work.settle(lane, &line, walked).await?;
    }
    Ok(())
}

impl Work {
    fn lanes(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<(usize, Arc<Line>, Next)> {
        let mut lanes = self.lanes();
        let mut order: Vec<usize> = (0..lanes.len()).filter(|lane| lanes[*lane].problem.is_none()).collect();
        order.sort_by_key(|lane| lanes[*lane].busy);
        for lane in order {
            if let Some(next) = lanes[lane].plan.next() {
                lanes[lane].busy += 1;
                return Some((lane, lanes[lane].line.clone(), next));
            }
        }
        None
    }

    async fn settle(&self, lane: usize, line: &Line, walked: Result<Walked>) -> Result<()> {
        let noted = {
            let mut lanes = self.lanes();
            let lane = &mut lanes[lane];
            lane.busy -= 1;
            match walked {
                Ok(walked) => {
                    lane.plan.done(walked.span, walked.provider_at, walked.pages);
                    line.size.store(lane.plan.size, Ordering::Relaxed);
                    let (walked, whole) = lane.plan.share();
                    let name = line.name(&self.of);
                    self.of.progress.update(&name, |progress| (progress.walked, progress.whole) = (walked, whole));
                    None
                }
                Err(problem) => {
                    lane.problem.get_or_insert(problem.clone());
                    Some(problem)
                }
            }
        };
        match noted {
            // Without a store nothing can be noted, and nothing can go on.
            Some(problem) if problem.code().starts_with("store.") => Err(problem),
            Some(problem) => self.of.note(Some(line), problem).await,
            None => Ok(()),
        }
    }
}

struct Walked {
    span: (i64, i64),
    provider_at: i64,
    pages: i64,
}

async fn walk_one(of: &Connection, line: &Line, next: &Next) -> Result<Walked> {
    let now = of.caller.provider_now().unwrap_or(0);
    let (open, provider_at) = match next {
        Next::Resume(window) => {
            let (from_s, to_s) = (window.from_at / 1000, window.to_at / 1000);
            let open = Open { window: window.window, from_s, to_s, cursor: window.cursor.clone() };
            (open, window.provider_at.unwrap_or(now))
        }
        Next::Fresh(span) => {
            let ((from, to), upsert) = (*span, line.upsert.clone());
            let method = match line.stream.way {
                Way::List => "list",
                Way::Halved => "halved",
            };
            let kind = (line.stream.clock.1, method);
            let window = of.store.run(move |store| store.open_window(&upsert, kind, (from, to), now)).await?;
            kill_point("window.opened");
            (Open { window, from_s: from.div_euclid(1000), to_s: to.div_euclid(1000), cursor: None }, now)
        }
    };
    let pages = match line.stream.way {
        Way::List => walk::list(of, line, &open).await?,
        Way::Halved => walk::halved(of, line, &open).await?,
    };
    Ok(Walked { span: (open.from_s * 1000, open.to_s * 1000), provider_at, pages })
}

/// Notes how the runs ended and clears what no longer stands.
async fn close(work: &Work) -> Result<PassEnd> {
    let of = &work.of;
    let stopped = work.stop.load(Ordering::Relaxed);
    let lanes = std::mem::take(&mut *work.lanes());
    let mut end = PassEnd { streams: Vec::new(), stopped };
    let mut ends = BTreeMap::new();
    for lane in &lanes {
        let name = lane.line.name(of);
        of.progress.update(&name, |progress| progress.done = true);
        let done = of.progress.since(&name, &work.before);
        let code = lane.problem.as_ref().map(Problem::code);
        let (requests, pages, rows, bytes) = (done.requests, done.pages, done.rows, done.bytes);
        ends.insert(lane.run, (lane.line.table().to_owned(), RunEnd { code, requests, pages, rows, bytes }));
        end.streams.push(StreamEnd { stream: lane.line.stream.name.to_owned(), problem: lane.problem.clone() });
    }
    let (account, wall, clocks) = (of.account, of.clock.wall_ms(), of.caller.clock_problem());
    of.store
        .run(move |store| {
            if ends.values().any(|(_, end)| end.code.is_none()) {
                store.settle_problems(account, clocks.as_slice(), wall)?;
            }
            for (run, (table, end)) in &ends {
                store.end_run(*run, end, wall)?;
                if end.code.is_none() && !stopped {
                    store.clear_problems(Some(account), Some(table), wall)?;
                }
            }
            Ok(())
        })
        .await?;
    Ok(end)
}

/// One harmless read of a stream: does the key see it? Also tells the provider's time.
pub async fn probe(of: &Connection, line: &Line) -> Result<()> {
    let now = of.clock.wall_ms().div_euclid(1000);
    let at = crate::providers::Position { from_s: now - 3600, to_s: now, cursor: None, limit: 1 };
    let ask = (of.provider.request)(line.stream, &at);
    of.caller.call(&ask, || ()).await.map(|_| ()).map_err(|stop| stop.problem())
}

/// Whether the key belongs to the account whose rows we hold: it must be able to read one of them. `None` when the account
/// holds nothing yet, or when no stream that holds rows may be read.
pub async fn identify(of: &Connection) -> Result<Option<bool>> {
    for line in &of.lines {
        let (account, table) = (of.account, line.table().to_owned());
        let newest = of.store.run(move |store| store.newest_id(account, &table)).await?;
        let Some(id) = newest else { continue };
        let ask = (of.provider.witness)(line.stream, &id);
        match of.caller.call(&ask, || ()).await {
            Ok(_) => return Ok(Some(true)),
            Err(super::call::Stop::Failure(crate::http::Failure::Status(status))) if status.status == 404 => {
                return Ok(Some(false));
            }
            Err(super::call::Stop::Failure(crate::http::Failure::Status(status))) if status.status == 403 => {}
            Err(stop) => return Err(stop.problem()),
        }
    }
    Ok(None)
}
