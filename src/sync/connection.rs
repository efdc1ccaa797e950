//! A connection made ready to read: its streams, the way to the provider and to the store. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::budget::{Budget, Left, MONTH_DAYS, Terms, budget};
use super::call::Caller;
use super::plan::{DAY_MS, Purpose};
use super::progress::Progress;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::problem::{self, Problem, Result};
use crate::providers::{Provider, Stream};
use crate::store::{Store, StoreHandle, Upsert};
use crate::stream::{Page, Projection};
use crate::testpoint::planted;

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
    /// For what reading it may fail: it was stopped at that, and nothing was read for it since.
    pub doubts: Mutex<Doubts>,
}

/// For what reading a stream may fail.
#[derive(Debug)]
pub struct Doubts {
    pub(super) of: BTreeSet<Purpose>,
    /// What an earlier process was stopped at is not known: then it may be anything that is walked, until this one is stopped.
    pub(super) guessed: bool,
}

impl Default for Doubts {
    fn default() -> Self {
        Self { of: Purpose::WALKED.into(), guessed: true }
    }
}

/// Everything that reading one connection needs, put together by the agent.
pub struct Connection {
    /// The merchant's name for it.
    pub name: String,
    /// The account its rows carry.
    pub account: i64,
    /// Whether the account is live, once its key has told.
    pub live: Option<bool>,
    /// The provider.
    pub provider: &'static Provider,
    /// How far back to read, milliseconds.
    pub start: i64,
    /// Speaks to the provider.
    pub caller: Caller,
    /// The way to the writer.
    pub store: Writing,
    /// Wall time for what is noted.
    pub clock: Arc<dyn Clock>,
    /// Draws what is compared.
    pub entropy: Arc<dyn Entropy>,
    /// The streams.
    pub lines: Vec<Arc<Line>>,
    /// What the pass has done.
    pub progress: Arc<Progress>,
    /// What its budget hangs on.
    pub terms: Terms,
    /// Requests that are sent and not yet noted in the store, by purpose.
    pub spent: Mutex<BTreeMap<Purpose, u64>>,
    /// What the pass under way may still send.
    pub left: Mutex<Left>,
    /// Numbers of reads taken from the store: the next one, and the end of those taken.
    pub reads: tokio::sync::Mutex<(i64, i64)>,
    /// One pass at a time: whoever asks for another waits for its turn.
    pub busy: tokio::sync::Mutex<()>,
}

/// The way to the store of a connection, as long as it is the one in force. A changed configuration or key makes another
/// connection while this one may still be at work: what it brings after that is refused, so that never two of them store
/// rows, marks or numbers of reads for one account side by side.
pub struct Writing {
    handle: StoreHandle,
    retired: Arc<AtomicBool>,
}

impl Writing {
    /// For a connection that is in force.
    pub fn new(handle: StoreHandle) -> Self {
        Self { handle, retired: Arc::default() }
    }

    /// From now on nothing is stored any more.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    /// Runs `job` as the store's handle does, unless another connection has taken over: that is decided where jobs follow one
    /// another.
    pub async fn run<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T> + Send + 'static,
    {
        let retired = self.retired.clone();
        let allowed = move |store: &mut Store| {
            if retired.load(Ordering::SeqCst) && !planted("superseded_writes") {
                return Err(problem::SYNC_SUPERSEDED.plain());
            }
            job(store)
        };
        self.handle.run(allowed).await
    }
}

impl Line {
    /// The stream's table.
    pub fn table(&self) -> &str {
        &self.upsert.stream
    }

    /// True for the stream that says what changed in the others.
    pub fn is_feed(&self) -> bool {
        self.stream.heard == crate::providers::Heard::IsFeed
    }

    /// The stream's name in progress: `connection/stream`.
    pub fn name(&self, of: &Connection) -> String {
        format!("{}/{}", of.name, self.stream.name)
    }
}

impl Connection {
    /// A page with a record of the other mode (live, test) is not of this account.
    pub(super) fn in_mode(&self, page: &Page) -> Result<()> {
        let other = self.live.map_or(0, |live| page.modes[usize::from(!live)]);
        let stored = other == 0 || planted("other_mode_stored");
        if stored { Ok(()) } else { Err(problem::SYNC_LIVEMODE.with(format!("{other} on one page"))) }
    }

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

    /// Counts one request.
    pub(super) fn count(&self, line: &Line, purpose: Purpose) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner).entry(purpose).or_default() += 1;
        self.left().spend(purpose);
        self.progress.update(&line.name(self), |progress| progress.requests += 1);
    }

    pub(super) fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider's time as far as it is known, else this machine's.
    pub fn now_ms(&self) -> i64 {
        self.caller.provider_now().unwrap_or_else(|| self.clock.wall_ms())
    }

    /// What may be spent now, and what follows from it.
    pub async fn budget(&self) -> Result<Budget> {
        let now = self.now_ms();
        let (account, payments) = (self.account, self.terms.payments());
        let job = move |store: &mut crate::store::Store| {
            let payments = payments.as_ref().map(|(table, column)| (table.as_str(), *column));
            store.spending(account, now - MONTH_DAYS * DAY_MS, payments)
        };
        Ok(budget(&self.terms, &self.store.run(job).await?, now))
    }

    /// Notes the requests of this day that were counted since the last time.
    pub(super) async fn note_reads(&self) -> Result<()> {
        let spent = std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        if spent.is_empty() {
            return Ok(());
        }
        let now = self.now_ms();
        let (account, day) = (self.account, now.div_euclid(DAY_MS) * DAY_MS);
        let noted = move |store: &mut crate::store::Store| {
            spent.iter().try_for_each(|(purpose, reads)| store.count_reads(account, day, purpose.name(), *reads))
        };
        // What was sent counts, whoever sent it.
        self.store.handle.run(noted).await
    }

    /// Notes a problem of a stream, or of the whole connection.
    pub(super) async fn note(&self, line: Option<&Line>, problem: Problem) -> Result<()> {
        let (account, stream, now) = (self.account, line.map(|line| line.table().to_owned()), self.clock.wall_ms());
        self.store.run(move |store| store.note_problem(Some(account), stream.as_deref(), &problem, now)).await
    }
}
