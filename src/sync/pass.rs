//! A pass: every stream of a connection brought up to a frozen horizon, several windows in flight under one pacer. First
//! what changed is heard, then what is new is listed, then what changed is read again, then what was listed too early, and
//! last the past. One stream that fails never stops the others; the pass is as good as its worst stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::connection::{Connection, Line};
use super::feed::{self, Heard};
use super::plan::{Bounds, Plan, Purpose};
use super::reread;
use super::work::{Lane, Work};
use crate::problem::{self, Problem, Result};
use crate::store::RunEnd;
use crate::testpoint::planted;

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
    /// Its time was over before all of the past was read.
    pub more: bool,
}

/// Brings the streams (all, or those named) up to a horizon frozen at the start. Reading the past for the first time ends at
/// `until`, by the monotonic clock, so that what is new is not kept waiting.
pub async fn pass(
    of: Arc<Connection>,
    only: Option<&[String]>,
    stop: Arc<AtomicBool>,
    until: Option<Duration>,
) -> Result<PassEnd> {
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
        of.note_reads().await?;
        return all_failed(&of, &lines, &met.unwrap_or_else(|| problem::SYNC_NO_TIME.plain())).await;
    };
    let heard = feed::position(&of, now).await?;
    let (mut lanes, before) = (Vec::new(), of.progress.streams());
    for line in lines {
        lanes.push(open_lane(&of, line, now, &heard).await?);
    }
    let began = of.read_seq().await?;
    let work = Arc::new(Work { of: of.clone(), lanes: Mutex::new(lanes), stop, until, began, before });
    for purpose in [Purpose::Feed, Purpose::Poll, Purpose::Change, Purpose::Again, Purpose::Backfill] {
        match purpose {
            Purpose::Change => reread::changed(&work, now).await?,
            purpose => work.run(purpose).await?,
        }
        if purpose == Purpose::Feed {
            feed::advance(&work, &heard).await?;
        }
        of.note_reads().await?;
    }
    if only.is_none() {
        feed::close_gaps(&work, &heard).await?;
    }
    close(&work).await
}

/// Asks until an answer tells the provider's time; a stream whose answer is unusable does not stop the others. Returns the
/// first problem met.
async fn learn_time(of: &Connection, lines: &[Arc<Line>]) -> Option<Problem> {
    let mut met = None;
    // Twice: what one answer tells may need a second one to be believed.
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
    Ok(PassEnd { streams: lines.iter().map(end).collect(), ..PassEnd::default() })
}

async fn open_lane(of: &Connection, line: Arc<Line>, now: i64, heard: &Heard) -> Result<Lane> {
    let (account, table, wall) = (of.account, line.table().to_owned(), of.clock.wall_ms());
    let declaration = line.upsert.declaration.clone();
    let (windows, run) = of
        .store
        .run(move |store| {
            let windows = store.windows(account, &table)?;
            // Pages read under another declaration prove nothing under this one.
            let stale = windows.iter().filter(|w| w.declaration != declaration).map(|w| w.window).collect::<Vec<_>>();
            store.forget_windows(&stale)?;
            let windows = windows.into_iter().filter(|w| w.declaration == declaration).collect::<Vec<_>>();
            Ok((windows, store.begin_run(account, &table, wall)?))
        })
        .await?;
    let horizon = (now - line.stream.lag_s * 1000).div_euclid(1000) * 1000;
    let overlap = if planted("no_overlap") { 0 } else { line.stream.overlap_s * 1000 };
    let start = if line.is_feed() { heard.from } else { of.start };
    let demands = heard.demands(line.stream);
    let bounds = Bounds { start, horizon, overlap, rungs: line.stream.rungs, demands };
    let size = Some(line.size.load(Ordering::Relaxed)).filter(|size| *size > 0);
    let plan = Plan::new(bounds, &line.upsert.declaration, windows, size);
    let (walked, whole) = plan.share();
    of.progress.update(&line.name(of), |progress| {
        (progress.walked, progress.whole, progress.done) = (walked, whole, false);
    });
    Ok(Lane { line, plan, run, busy: 0, problem: None, noted: false })
}

/// Notes how the runs ended and clears what no longer stands.
async fn close(work: &Work) -> Result<PassEnd> {
    let of = &work.of;
    let stopped = work.stop.load(Ordering::Relaxed);
    let mut end = PassEnd { streams: Vec::new(), stopped, more: work.left(Purpose::Backfill) };
    let lanes = std::mem::take(&mut *work.lanes());
    let mut ends = BTreeMap::new();
    for lane in &lanes {
        let name = lane.line.name(of);
        of.progress.update(&name, |progress| progress.done = true);
        let done = of.progress.since(&name, &work.before);
        let code = lane.problem.as_ref().map(Problem::code);
        let (requests, pages, rows, bytes) = (done.requests, done.pages, done.rows, done.bytes);
        let clear = code.is_none() && !lane.noted && !stopped;
        ends.insert(lane.run, (lane.line.table().to_owned(), clear, RunEnd { code, requests, pages, rows, bytes }));
        end.streams.push(StreamEnd { stream: lane.line.stream.name.to_owned(), problem: lane.problem.clone() });
    }
    let (account, wall) = (of.account, of.clock.wall_ms());
    of.store
        .run(move |store| {
            if ends.values().any(|(_, _, end)| end.code.is_none()) {
                store.clear_problems(Some(account), None, wall)?;
            }
            for (run, (table, clear, end)) in &ends {
                store.end_run(*run, end, wall)?;
                if *clear {
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
    of.caller.call(&ask, || of.count(line, Purpose::Poll)).await.map(|_| ()).map_err(|stop| stop.problem())
}

/// Whether the key belongs to the account whose rows we hold: it must be able to read one of them. `None` when the account
/// holds nothing yet, or when no stream that holds rows may be read.
pub async fn identify(of: &Connection) -> Result<Option<bool>> {
    // What a feed says is let go after a while: it proves nothing.
    for line in of.lines.iter().filter(|line| !line.is_feed()) {
        let (account, table) = (of.account, line.table().to_owned());
        let newest = of.store.run(move |store| store.newest_id(account, &table)).await?;
        let Some(id) = newest else { continue };
        let ask = (of.provider.one)(line.stream, &id);
        match of.caller.call(&ask, || of.count(line, Purpose::Check)).await {
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
