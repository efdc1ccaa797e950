//! The writer as jobs meet it: several in one commit, each within its own savepoint; and a store that is given up when the disk
//! failed under it and opened again, through recovery and a check, before the next job. It neither waits nor tries again by
//! itself: whoever brings the next job does.

use super::cached::Cached;
use super::from_sqlite;
use super::open::{Place, Store};
use crate::problem::{self, Problem, Result};

/// What a job tells when the commit is known.
pub(super) type Settle = Box<dyn FnOnce(Option<Problem>) + Send>;
/// A job: it is handed the store, or why there is none.
pub(super) type Job = Box<dyn FnOnce(Result<&mut Store>) -> Settle + Send>;

/// Jobs that may share one commit.
const TOGETHER: usize = 8;

/// The store, as long as it can be trusted.
pub(super) struct Writer {
    store: Option<Store>,
    /// Why it was given up.
    trouble: Option<Problem>,
    /// From where it is opened again; `None` once a check found it damaged: a person has to act, and the next start looks again.
    place: Option<Place>,
}

impl Writer {
    pub(super) fn new(store: Store) -> Self {
        Self { place: Some(store.place.clone()), store: Some(store), trouble: None }
    }

    /// Runs `first` and those that `more` brings in one transaction, then tells all of them how it went.
    pub(super) fn commit(&mut self, first: Job, mut more: impl FnMut() -> Option<Job>) {
        let mut failed = self.begin().err();
        let (mut settles, mut next) = (Vec::new(), Some(first));
        while let Some(job) = next.take() {
            let store = self.store.as_mut().filter(|_| failed.is_none());
            settles.push(job(store.ok_or_else(|| failed.clone().unwrap_or_else(closed))));
            if failed.is_none() && settles.len() < TOGETHER {
                next = more();
            }
        }
        if failed.is_none() {
            failed = self.store.as_mut().map_or_else(|| Err(closed()), Store::commit).err();
        }
        for settle in settles {
            settle(failed.clone());
        }
        self.judge(failed);
    }

    /// Brings the log into the main file and empties it.
    pub(super) fn empty_log(&mut self) -> Result<()> {
        if self.store.is_none() {
            self.open_again()?;
        }
        let emptied = self.store.as_ref().map_or_else(|| Err(closed()), Store::empty_log);
        self.judge(emptied.as_ref().err().cloned());
        emptied
    }

    /// Looks after the log; `idle`: nothing waits.
    pub(super) fn tend(&mut self, idle: bool) {
        let failed = self.store.as_mut().and_then(|store| store.tend(idle).err());
        if let Some(problem) = &failed {
            tracing::warn!(code = problem.code(), "{problem}");
        }
        self.judge(failed);
    }

    /// Closes the store in order; one that was given up is left for the next start to check.
    pub(super) fn close(self) -> Result<()> {
        self.store.map_or_else(|| Err(self.trouble.unwrap_or_else(closed)), Store::close)
    }

    fn begin(&mut self) -> Result<()> {
        if self.store.is_none() {
            self.open_again()?;
        }
        self.store.as_mut().map_or_else(|| Err(closed()), Store::begin)
    }

    fn open_again(&mut self) -> Result<()> {
        let Some(place) = &self.place else { return Err(self.trouble.clone().unwrap_or_else(closed)) };
        match place.open_again() {
            Ok(mut store) => {
                tracing::info!("the store was opened again");
                store.log.trouble = self.trouble.take();
                self.store = Some(store);
                Ok(())
            }
            Err(problem) => {
                if problem.is(&problem::STORE_DAMAGED) {
                    (self.trouble, self.place) = (Some(problem.clone()), None);
                }
                Err(problem)
            }
        }
    }

    /// Gives the store up when its connection is not to be trusted after this.
    fn judge(&mut self, failed: Option<Problem>) {
        if let Some(problem) = failed.filter(breaks)
            && let Some(store) = self.store.take()
        {
            self.trouble = Some(problem);
            self.place = Some(store.place.clone()); // with its limits
        }
    }
}

/// After these the disk may hold something else than SQLite believes. (A full disk is not among them: SQLite takes the
/// transaction back and knows where it stands.)
fn breaks(problem: &Problem) -> bool {
    [&problem::STORE_IO, &problem::STORE_DAMAGED, &problem::STORE_READ_ONLY].into_iter().any(|entry| problem.is(entry))
}

fn closed() -> Problem {
    problem::STORE_IO.with("the store is closed")
}

impl Store {
    fn begin(&mut self) -> Result<()> {
        self.connection
            .execute_cached("BEGIN IMMEDIATE", [])
            .map(drop)
            .map_err(|e| from_sqlite(&e, "beginning a transaction"))
    }

    fn commit(&mut self) -> Result<()> {
        let committed = match self.ended.take() {
            Some(problem) => Err(problem),
            None => self.connection.execute_cached("COMMIT", []).map(drop).map_err(|e| from_sqlite(&e, "committing")),
        };
        if committed.is_err() {
            self.next_read = 0;
            if !self.connection.is_autocommit() {
                // What could not be committed must not linger; the error above is the one to tell.
                drop(self.connection.execute_batch("ROLLBACK"));
            }
        }
        committed
    }

    /// Runs one job within its own savepoint.
    pub(super) fn within<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let doing = |e: rusqlite::Error| from_sqlite(&e, "running a transaction");
        if let Some(problem) = &self.ended {
            // An earlier job's error ended the transaction: all are told why by the commit.
            return Err(problem.clone());
        }
        if let Err(error) = self.connection.execute_cached("SAVEPOINT job", []) {
            return Err(self.end(doing(error)));
        }
        let result = job(self);
        let failed = result.as_ref().err();
        // SQLite took the whole transaction back (a full disk, a refused write), or nothing of it can be trusted.
        if self.connection.is_autocommit() || failed.is_some_and(breaks) {
            let none = || problem::STORE_IO.with("the transaction ended early");
            self.ended = Some(failed.cloned().unwrap_or_else(none));
            return result;
        }
        let ended = if failed.is_some() {
            // Numbers of reads that were reserved within the job are no longer on the disk.
            self.next_read = 0;
            self.connection.execute_batch("ROLLBACK TO job; RELEASE job")
        } else {
            self.connection.execute_cached("RELEASE job", []).map(drop)
        };
        match ended {
            Ok(()) => result,
            Err(error) => Err(self.end(doing(error))),
        }
    }

    /// Nothing of the running transaction may be committed any more.
    fn end(&mut self, why: Problem) -> Problem {
        self.ended = Some(why.clone());
        why
    }
}
