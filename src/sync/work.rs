//! The work of a pass: its lanes, one a stream, and the workers that walk windows of them side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::StreamProgress;
use super::budget::may_rest;
use super::connection::{Connection, Doubts, Line};
use super::plan::{Next, Plan, Purpose};
use super::walk::{self, Open, Walked};
use crate::problem::{self, Problem, Result};
use crate::providers::Heard;
use crate::testpoint::planted;

/// Windows in flight at once, and so requests at once, for one connection.
pub(super) const WORKERS: usize = 4;

/// After so many objects in a row that could not be read no other one of their stream is asked for in a pass.
const MISSES: u32 = 3;

/// A pass under way, shared by its workers.
pub(super) struct Work {
    pub(super) of: Arc<Connection>,
    pub(super) lanes: Mutex<Vec<Lane>>,
    pub(super) stop: Arc<AtomicBool>,
    /// When reading the past is to end, by the monotonic clock.
    pub(super) until: Option<Duration>,
    /// Somebody asked for this pass: it keeps to no budget.
    pub(super) asked: bool,
    /// Windows of the past that were begun: each worker may walk one, however late it is, or the past would never be read
    /// where the rest takes all the time there is.
    pub(super) past: AtomicUsize,
    /// Reads with this number or a greater one were sent in this pass.
    pub(super) began: i64,
    /// What had been done when the pass began.
    pub(super) before: BTreeMap<String, StreamProgress>,
}

/// One stream within the pass.
pub(super) struct Lane {
    pub(super) line: Arc<Line>,
    pub(super) plan: Plan,
    pub(super) run: i64,
    /// Windows of it that are being walked.
    pub(super) busy: usize,
    /// What stopped it.
    pub(super) problem: Option<Problem>,
    /// Objects that were asked for and could not be read, each with what was met; and how many of them in a row.
    pub(super) missed: Vec<(String, Problem)>,
    pub(super) misses: u32,
    /// Something was noted that stands although the stream is read to its end.
    pub(super) noted: bool,
    /// Its list is left alone in this pass: the feed says nothing new of it.
    pub(super) rests: bool,
}

impl Work {
    pub(super) fn lanes(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when some stream that did not fail has something left to do for this purpose.
    pub(super) fn left(&self, purpose: Purpose) -> bool {
        let left = |lane: &Lane| lane.problem.is_none() && lane.serves(purpose) && lane.plan.wants(purpose);
        let lanes = self.lanes();
        !one_stops_all(&lanes) && lanes.iter().any(left)
    }

    /// Walks all windows of one purpose, several at once.
    pub(super) async fn run(self: &Arc<Self>, purpose: Purpose) -> Result<()> {
        self.side_by_side(move |work| async move {
            while work.may_go_on(purpose) {
                let Some((lane, line, next, expected)) = work.take(purpose) else { return Ok(()) };
                let walked = walk_next(&work.of, &line, &next, purpose, expected).await;
                work.settle((lane, purpose), &line, walked).await?;
            }
            Ok(())
        })
        .await
    }

    /// Runs the same job in every worker and waits for all of them.
    pub(super) async fn side_by_side<F>(self: &Arc<Self>, job: impl Fn(Arc<Self>) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(job(self.clone()));
        }
        while let Some(joined) = workers.join_next().await {
            joined.unwrap_or_else(|_| Err(problem::STORE_IO.with("a worker ended early")))?;
        }
        Ok(())
    }

    /// False once the pass is to stop, the time for the past is over, or the reads for this purpose are used up.
    pub(super) fn may_go_on(&self, purpose: Purpose) -> bool {
        let some = self.past.load(Ordering::Relaxed) >= WORKERS;
        let late = || some && self.until.is_some_and(|until| self.of.clock.mono() >= until);
        let over = self.stop.load(Ordering::Relaxed) || (purpose == Purpose::Backfill && late());
        !over && self.of.left().allows(purpose)
    }

    /// Lets the lists rest that were listed less than `rest` ago and of which the feed, heard whole, says nothing new. What
    /// the feed never names rests when it names nothing at all.
    pub(super) async fn rest(&self, rest: Duration) -> Result<()> {
        let silent = |lane: &Lane| lane.line.is_feed() && lane.problem.is_none() && !lane.plan.wants(Purpose::Feed);
        if rest.is_zero() || !self.lanes().iter().any(silent) {
            return Ok(());
        }
        let account = self.of.account;
        let marked = self.of.store.run(move |store| store.marked(account)).await?;
        for lane in self.lanes().iter_mut() {
            let named = match lane.line.stream.heard {
                Heard::ByFeed => marked.contains(lane.line.table()),
                _ => !marked.is_empty(),
            };
            let recent = lane.plan.behind() < i64::try_from(rest.as_millis()).unwrap_or(i64::MAX);
            lane.rests = may_rest(lane.line.stream) && !named && recent;
        }
        Ok(())
    }

    /// The next window, of the least busy stream first, and of these of the one that is furthest behind.
    fn take(&self, purpose: Purpose) -> Option<(usize, Arc<Line>, Next, f64)> {
        let mut lanes = self.lanes();
        if one_stops_all(&lanes) {
            return None;
        }
        let free = |lane: &usize| lanes[*lane].problem.is_none() && lanes[*lane].serves(purpose);
        let mut order: Vec<usize> = (0..lanes.len()).filter(free).collect();
        order.sort_by_cached_key(|lane| (lanes[*lane].busy, -lanes[*lane].plan.behind()));
        for lane in order {
            if let Some(next) = lanes[lane].plan.next(purpose) {
                if purpose == Purpose::Backfill {
                    self.past.fetch_add(1, Ordering::Relaxed);
                }
                lanes[lane].busy += 1;
                let expected = lanes[lane].plan.expected(next.span());
                return Some((lane, lanes[lane].line.clone(), next, expected));
            }
        }
        None
    }

    async fn settle(&self, (lane, purpose): (usize, Purpose), line: &Line, walked: Result<Walked>) -> Result<()> {
        let failed = {
            let mut lanes = self.lanes();
            let lane = &mut lanes[lane];
            lane.busy -= 1;
            match walked {
                Ok(walked) => {
                    lane.noted |= walked.noted;
                    lane.serves_well(purpose);
                    lane.plan.done(walked.span, walked.provider_at, (walked.pages, walked.rows));
                    line.size.store(lane.plan.size, Ordering::Relaxed);
                    let (walked, whole) = lane.plan.share();
                    let name = line.name(&self.of);
                    self.of.progress.update(&name, |progress| (progress.walked, progress.whole) = (walked, whole));
                    return Ok(());
                }
                Err(problem) => {
                    lane.stopped_by(problem.clone(), purpose);
                    problem
                }
            }
        };
        self.failed(line, failed).await
    }

    /// Notes what stopped a stream. Without a store nothing can be noted, and nothing can go on.
    pub(super) async fn failed(&self, line: &Line, problem: Problem) -> Result<()> {
        if problem.code().starts_with("store.") {
            return Err(problem);
        }
        self.of.note(Some(line), problem).await
    }
}

impl Lane {
    /// The feed is heard first and has nothing else to do; all other streams have no part in that.
    fn serves(&self, purpose: Purpose) -> bool {
        self.takes_part(purpose) && !(self.rests && purpose == Purpose::Poll)
    }

    fn takes_part(&self, purpose: Purpose) -> bool {
        self.line.is_feed() == (purpose == Purpose::Feed)
    }

    /// Notes what stopped the stream, and at what.
    pub(super) fn stopped_by(&mut self, problem: Problem, purpose: Purpose) {
        self.fails_at(purpose);
        self.problem.get_or_insert(problem);
    }

    /// Notes that one object could not be read. That is no reason to leave the others of its stream: its lists are read
    /// as if it had not been, and other objects until so many in a row could not be read that it is hardly the object.
    pub(super) fn missed_one(&mut self, id: String, problem: Problem) {
        self.fails_at(Purpose::Change);
        self.misses += 1;
        self.missed.push((id, problem));
    }

    /// Whether the next object may be asked for.
    pub(super) fn may_ask(&self) -> bool {
        self.problem.is_none() && self.misses < MISSES
    }

    fn fails_at(&self, purpose: Purpose) {
        let mut doubts = self.doubts();
        if std::mem::replace(&mut doubts.guessed, false) {
            doubts.of.clear();
        }
        doubts.of.insert(purpose);
    }

    /// What was under way when the stream was stopped says nothing of what stopped it.
    fn serves_well(&self, purpose: Purpose) {
        if self.told().is_none() {
            self.doubts().of.remove(&purpose);
        }
    }

    /// For what reading it may fail.
    pub(super) fn doubts(&self) -> MutexGuard<'_, Doubts> {
        self.line.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the pass has to say of the stream.
    pub(super) fn told(&self) -> Option<&Problem> {
        self.problem.as_ref().or(self.missed.first().map(|(_, problem)| problem))
    }

    /// True when what stopped the stream would have been met again since: something was walked for the same purpose, or
    /// nothing is left to walk for it.
    pub(super) fn proved(&self, allows: &dyn Fn(Purpose) -> bool) -> bool {
        let proves = |purpose: &Purpose| match purpose {
            // Whether there was anything to read again or to compare is not known here: that there were reads for it must do.
            Purpose::Change | Purpose::Check => allows(*purpose),
            // A list that rests was not asked for, whatever is left of it.
            _ => !(self.takes_part(*purpose) && self.plan.wants(*purpose)),
        };
        self.doubts().of.iter().all(proves)
    }
}

/// The planted bug: true once any stream has failed.
fn one_stops_all(lanes: &[Lane]) -> bool {
    planted("one_stops_all") && lanes.iter().any(|lane| lane.problem.is_some())
}

async fn walk_next(of: &Connection, line: &Line, next: &Next, purpose: Purpose, expected: f64) -> Result<Walked> {
    let now = of.caller.provider_now().unwrap_or(0);
    let fresh = Open::new(next.span(), now, purpose, expected);
    let open = match next {
        Next::Resume(window) => {
            let (cursor, provider_at) = (window.cursor.clone(), window.provider_at.unwrap_or(now));
            Open { window: Some(window.window), cursor, provider_at, ..fresh }
        }
        Next::Fresh(_) => fresh,
    };
    walk::window(of, line, open).await
}
