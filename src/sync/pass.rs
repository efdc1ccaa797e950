//! A pass: every stream of a connection brought up to a frozen horizon, several windows in flight under one pacer. First
//! what changed is heard, then what is new is listed, then what changed is read again, then what was listed too early, and
//! last the past. One stream that fails never stops the others; the pass is as good as its worst stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::budget::Left;
use super::check::{self, Compared};
use super::connection::{Connection, Line};
use super::feed::{self, Heard};
use super::identity;
use super::known::Stating;
use super::plan::{Bounds, Plan, Purpose};
use super::reread;
use super::told::impossible;
use super::work::{Lane, Work};
use crate::problem::{self, Problem, Result};
use crate::store::{RunEnd, Store, Upsert, Window, WindowState};
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
    /// Some of the past is left to read.
    pub more: bool,
    /// The reads that are planned for the past are used up: there is no use in going on at once.
    pub held: bool,
}

/// When reading the past is to end, and whether somebody asked for it: then the budget holds nothing back.
type Pace = (Option<Duration>, bool);

/// Brings the streams (all, or those named) up to a horizon frozen at the start. Reading the past ends at `until`, by the
/// monotonic clock, so that what is new is not kept waiting; and such a pass keeps to the budget. Without `until` a person
/// asked for it: it goes on to the end, and what it sends is only counted.
pub async fn pass(
    of: Arc<Connection>,
    only: Option<&[String]>,
    stop: Arc<AtomicBool>,
    until: Option<Duration>,
) -> Result<PassEnd> {
    let asked = until.is_none();
    take_turn(&of, only, stop, (until, asked)).await
}

/// The same for a person who asked for it, up to `until`: others who wait for their turn get it before the past is read to its
/// end.
pub async fn slice(
    of: Arc<Connection>,
    only: Option<&[String]>,
    stop: Arc<AtomicBool>,
    until: Duration,
) -> Result<PassEnd> {
    take_turn(&of, only, stop, (Some(until), true)).await
}

async fn take_turn(
    of: &Arc<Connection>,
    only: Option<&[String]>,
    stop: Arc<AtomicBool>,
    pace: Pace,
) -> Result<PassEnd> {
    let _turn = of.busy.lock().await;
    let end = go_through(of, only, stop, pace).await;
    if end.is_err() {
        // What was sent was sent. Why the pass ended says more than that it could not be counted.
        drop(of.note_reads().await);
    }
    end
}

async fn go_through(
    of: &Arc<Connection>,
    only: Option<&[String]>,
    stop: Arc<AtomicBool>,
    pace: Pace,
) -> Result<PassEnd> {
    let (work, heard, now) = match begin(of, only, stop, pace).await? {
        Begun::Ready(work, heard, now) => (work, heard, now),
        Begun::Over(end) => return Ok(end),
    };
    let rest = plan_reads(of, work.asked).await?;
    for purpose in [Purpose::Feed, Purpose::Poll, Purpose::Change, Purpose::Again, Purpose::Backfill, Purpose::Check] {
        match purpose {
            Purpose::Change => reread::changed(&work, now).await?,
            Purpose::Backfill => past(&work).await?,
            Purpose::Check => check::daily(&work, now).await?,
            purpose => work.run(purpose).await?,
        }
        if purpose == Purpose::Feed {
            feed::advance(&work, &heard).await?;
            work.rest(rest).await?;
        }
        of.note_reads().await?;
    }
    if only.is_none() {
        feed::close_gaps(&work, &heard).await?;
    }
    close(&work).await
}

/// Takes what may be spent now out of the store. Returns for how long a quiet list may rest.
async fn plan_reads(of: &Connection, asked: bool) -> Result<Duration> {
    if asked {
        *of.left() = Left::default();
        return Ok(Duration::ZERO);
    }
    let budget = of.budget().await?;
    *of.left() = Left::of(&budget);
    Ok(budget.rest)
}

/// Reads the past for as long as there are reads for it: the more payments are known, the more there are.
async fn past(work: &Arc<Work>) -> Result<()> {
    loop {
        work.run(Purpose::Backfill).await?;
        work.of.note_reads().await?;
        plan_reads(&work.of, work.asked).await?;
        if !work.left(Purpose::Backfill) || !work.may_go_on(Purpose::Backfill) {
            return Ok(());
        }
    }
}

/// How comparing one stream ended.
#[derive(Debug, Clone)]
pub struct Verified {
    /// How the stream ended.
    pub end: StreamEnd,
    /// What was found.
    pub found: Compared,
}

/// Compares windows of the streams (all, or those named), drawn by lot, with what the provider shows now.
pub async fn verify(of: Arc<Connection>, only: Option<&[String]>, stop: Arc<AtomicBool>) -> Result<Vec<Verified>> {
    let _turn = of.busy.lock().await;
    let (mut found, feed) = (BTreeMap::new(), of.provider.feed().map(|feed| feed.name));
    let work = match begin(&of, only, stop, (None, true)).await? {
        Begun::Ready(work, ..) => work,
        Begun::Over(end) => return Ok(verified(end, feed, &found)),
    };
    let count = work.lanes().len();
    for lane in 0..count {
        let line = work.lanes()[lane].line.clone();
        // That old windows can be read does not clear what stops the new ones.
        work.lanes()[lane].noted = true;
        if line.is_feed() {
            continue;
        }
        match check::reread(&work, &line, check::ASKED).await {
            Ok(compared) => drop(found.insert(line.stream.name, compared)),
            Err(problem) => {
                work.lanes()[lane].stopped_by(problem.clone(), Purpose::Check);
                work.failed(&line, problem).await?;
            }
        }
    }
    of.note_reads().await?;
    Ok(verified(close(&work).await?, feed, &found))
}

/// The feed has no part in it: its rows are kept for some days only.
fn verified(end: PassEnd, feed: Option<&str>, found: &BTreeMap<&str, Compared>) -> Vec<Verified> {
    let streams = end.streams.into_iter().filter(|end| feed != Some(&*end.stream));
    streams.map(|end| Verified { found: found.get(&*end.stream).copied().unwrap_or_default(), end }).collect()
}

/// What a beginning led to.
enum Begun {
    /// There is work, with what is known of the feed, at this time of the provider.
    Ready(Arc<Work>, Heard, i64),
    /// There is nothing that can be done.
    Over(PassEnd),
}

async fn begin(
    of: &Arc<Connection>,
    only: Option<&[String]>,
    stop: Arc<AtomicBool>,
    (until, asked): Pace,
) -> Result<Begun> {
    let wanted = |line: &&Arc<Line>| only.is_none_or(|only| only.iter().any(|name| name == line.stream.name));
    let lines: Vec<Arc<Line>> = of.lines.iter().filter(wanted).cloned().collect();
    if lines.is_empty() {
        return Ok(Begun::Over(PassEnd::default()));
    }
    // Without a key there is nothing to ask, stream by stream, for.
    if let Err(problem) = of.caller.has_key() {
        return all_failed(of, &lines, &problem).await.map(Begun::Over);
    }
    let met = learn_time(of, &lines).await;
    let Some(now) = of.caller.provider_now() else {
        of.note_reads().await?;
        return all_failed(of, &lines, &met.unwrap_or_else(|| problem::SYNC_NO_TIME.plain())).await.map(Begun::Over);
    };
    if identity::is_foreign(of, now).await? {
        of.note_reads().await?;
        return all_failed(of, &lines, &problem::SYNC_OTHER_ACCOUNT.with(&of.name)).await.map(Begun::Over);
    }
    let heard = feed::position(of, now).await?;
    let before = of.progress.streams();
    let opened = open_lanes(of, &lines, now).await?;
    let lane = |(line, opened)| lane(of, line, opened, now, &heard);
    let lanes = lines.into_iter().zip(opened).map(lane).collect();
    let began = of.read_seq().await?;
    let past = AtomicUsize::new(0);
    let work = Arc::new(Work { of: of.clone(), lanes: Mutex::new(lanes), stop, until, asked, past, began, before });
    Ok(Begun::Ready(work, heard, now))
}

/// Asks until answers tell the provider's time (an odd one must be confirmed by another); a stream whose answer is unusable
/// does not stop the others. Returns the first problem met.
async fn learn_time(of: &Connection, lines: &[Arc<Line>]) -> Option<Problem> {
    let mut met = None;
    for line in lines.iter().chain(lines) {
        if of.caller.provider_now().is_some() {
            break;
        }
        let Err(problem) = identity::probe(of, line).await else { continue };
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

/// Takes the windows of each stream out of the store and notes the start of its run, all in one transaction.
async fn open_lanes(of: &Connection, lines: &[Arc<Line>], now: i64) -> Result<Vec<(Vec<Window>, i64)>> {
    let (account, wall) = (of.account, of.clock.wall_ms());
    let upserts: Vec<_> = lines.iter().map(|line| (line.upsert.clone(), line.stream.clock.0, of.start)).collect();
    let read: Vec<String> = of.lines.iter().map(|line| line.table().to_owned()).collect();
    let open = move |store: &mut Store, upsert: &Upsert, clock: &str, start: i64| {
        let table = &upsert.stream;
        let windows = store.windows(account, table)?;
        // Pages read under another declaration prove nothing under this one; nor do windows of the provider's future.
        // What can no longer be heard stays a gap all the same.
        let (gaps, windows): (Vec<_>, Vec<_>) = windows.into_iter().partition(feed::is_gap);
        let (ahead, windows): (Vec<_>, Vec<_>) = windows.into_iter().partition(|w| impossible(w, now));
        if !ahead.is_empty() {
            let told = problem::SYNC_FUTURE.with(format!("{} windows of {table}", ahead.len()));
            store.note_problem(Some(account), Some(table), &told, wall)?;
        }
        let (mut windows, stale): (Vec<_>, Vec<_>) =
            windows.into_iter().partition(|w| *w.declaration == *upsert.declaration);
        let void: Vec<i64> = ahead.iter().chain(&stale).map(|w| w.window).collect();
        store.forget_windows(&void)?;
        windows.extend(gaps);
        if planted("after_newest") {
            windows = up_to_newest(store, upsert, (clock, start))?;
        }
        Ok((!void.is_empty(), (windows, store.begin_run(account, table, wall)?)))
    };
    let stating = Stating::of(of);
    let all = move |store: &mut Store| {
        // Nobody reads a stream that was left out, so nobody else would clear what stands there.
        store.clear_problems_beside(account, &read, wall)?;
        let opened = upserts.iter().map(|(upsert, clock, start)| open(store, upsert, clock, *start));
        let (void, opened): (Vec<bool>, Vec<_>) = opened.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        // What is void of the feed counts for the others too.
        if void.contains(&true) {
            stating.state(store)?;
        }
        Ok(opened)
    };
    of.store.run(all).await
}

/// The planted bug: all before the newest row counts as read for good.
fn up_to_newest(store: &Store, upsert: &Upsert, (clock, start): (&str, i64)) -> Result<Vec<Window>> {
    let sql = format!("SELECT max({clock}) FROM {} WHERE account = {}", upsert.stream, upsert.account);
    let Some(newest) = store.read(&sql)?.rows[0][0].int() else { return Ok(Vec::new()) };
    let (from_at, to_at) = (start, newest.div_euclid(1000) * 1000 + 1000);
    let (state, provider_at) = (WindowState::Complete, Some(i64::MAX));
    let declaration = (*upsert.declaration).into();
    let (window, cursor, pages, rows, reason) = (0, None, 0, 0, None);
    Ok(vec![Window { window, from_at, to_at, state, cursor, pages, rows, provider_at, declaration, reason }])
}

fn lane(of: &Connection, line: Arc<Line>, (windows, run): (Vec<Window>, i64), now: i64, heard: &Heard) -> Lane {
    let feed = line.is_feed();
    let at_once = planted("no_lag") || (feed && planted("feed_without_lag"));
    let lag = if at_once { 0 } else { line.stream.lag_s * 1000 };
    let horizon = (now - lag).div_euclid(1000) * 1000;
    let forward = planted("no_overlap") || (feed && planted("feed_without_overlap"));
    let overlap = if forward { 0 } else { lag + line.stream.overlap_s * 1000 };
    let start = if feed { heard.from } else { of.start };
    let demands = heard.demands(line.stream);
    let rungs: &[i64] = if planted("days_listed_once") { &[] } else { line.stream.rungs };
    let bounds = Bounds { start, horizon, overlap, rungs, demands };
    let size = Some(line.size.load(Ordering::Relaxed)).filter(|size| *size > 0);
    let plan = Plan::new(bounds, &line.upsert.declaration, windows, size);
    let (walked, whole) = plan.share();
    of.progress.update(&line.name(of), |progress| {
        (progress.walked, progress.whole, progress.done) = (walked, whole, false);
    });
    let (problem, missed) = (None, Vec::new());
    Lane { line, plan, run, busy: 0, problem, missed, misses: 0, noted: false, rests: false }
}

/// Notes how the runs ended, clears what no longer stands and states up to when each stream is known.
async fn close(work: &Work) -> Result<PassEnd> {
    let of = &work.of;
    let stopped = work.stop.load(Ordering::Relaxed);
    let (more, held) = (work.left(Purpose::Backfill), !of.left().allows(Purpose::Backfill));
    let mut end = PassEnd { streams: Vec::new(), stopped, more, held };
    let (lanes, allows) = (std::mem::take(&mut *work.lanes()), |purpose| of.left().allows(purpose));
    let returned: Vec<String> = lanes.iter().filter(|l| l.plan.whole()).map(|l| l.line.table().to_owned()).collect();
    let mut ends = BTreeMap::new();
    for lane in &lanes {
        let name = lane.line.name(of);
        of.progress.update(&name, |progress| progress.done = true);
        let done = of.progress.since(&name, &work.before);
        let code = lane.told().map(Problem::code);
        let (requests, pages, rows, bytes) = (done.requests, done.pages, done.rows, done.bytes);
        let clear =
            code.is_none() && !lane.noted && !stopped && lane.proved(&allows) && !planted("problem_never_clears");
        if clear {
            lane.doubts().of.clear();
        }
        ends.insert(lane.run, (lane.line.table().to_owned(), clear, RunEnd { code, requests, pages, rows, bytes }));
        end.streams.push(StreamEnd { stream: lane.line.stream.name.to_owned(), problem: lane.told().cloned() });
    }
    let (account, wall, clocks) = (of.account, of.clock.wall_ms(), of.caller.clock_problem());
    let stating = Stating::of(of);
    of.store
        .run(move |store| {
            returned.iter().try_for_each(|table| feed::all_is_back(store, account, table))?;
            if ends.values().any(|(_, _, end)| end.code.is_none()) {
                store.settle_problems(account, clocks.as_slice(), wall)?;
            }
            for (run, (table, clear, end)) in &ends {
                store.end_run(*run, end, wall)?;
                if *clear {
                    store.clear_problems(Some(account), Some(table), wall)?;
                }
            }
            stating.state(store)
        })
        .await?;
    Ok(end)
}
