//! The way to the writer from asynchronous code: one thread that owns it, a bounded queue in front. Jobs that wait together
//! share one commit, each within its own savepoint; nobody is told before the commit. In simulations the writer runs inline.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::{Store, from_sqlite};
use crate::problem::{self, Problem, Result};

/// What a job tells when the commit is known.
type Settle = Box<dyn FnOnce(Option<Problem>) + Send>;
type Job = Box<dyn FnOnce(&mut Store) -> Settle + Send>;

/// What the writer's thread is sent.
enum Order {
    Run(Job),
    Close,
}

/// Jobs that may share one commit.
const TOGETHER: usize = 8;

/// A handle on the writer; clones share it.
#[derive(Clone)]
pub struct StoreHandle(Way);

#[derive(Clone)]
enum Way {
    Thread(mpsc::Sender<Order>, Arc<Mutex<Option<std::thread::JoinHandle<Result<()>>>>>),
    Inline(Arc<Mutex<Option<Store>>>),
}

impl StoreHandle {
    /// Gives the writer a thread of its own.
    pub fn thread(store: Store) -> Self {
        let (send, receive) = mpsc::channel(32);
        let thread = std::thread::spawn(move || work(store, receive));
        Self(Way::Thread(send, Arc::new(Mutex::new(Some(thread)))))
    }

    /// The writer runs in the caller: for simulations, where nothing may pass a paused clock.
    pub fn inline(store: Store) -> Self {
        Self(Way::Inline(Arc::new(Mutex::new(Some(store)))))
    }

    /// Runs `job` in a transaction and returns when it is committed; a problem takes the job's own changes back.
    pub async fn run<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T> + Send + 'static,
    {
        match &self.0 {
            Way::Inline(store) => {
                // Where the caller of a thread would wait, others may run, and the caller may be dropped.
                tokio::task::yield_now().await;
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = store.as_mut().ok_or_else(stopped)?;
                store.begin()?;
                let result = store.within(job);
                store.commit()?;
                store.tended(true);
                result
            }
            Way::Thread(queue, _) => {
                let (tell, told) = oneshot::channel();
                let job: Job = Box::new(move |store| {
                    let result = store.within(job);
                    Box::new(move |failed: Option<Problem>| {
                        // The caller may have gone away; the commit stands all the same.
                        drop(tell.send(failed.map_or(result, Err)));
                    })
                });
                queue.send(Order::Run(job)).await.map_err(|_| stopped())?;
                told.await.map_err(|_| stopped())?
            }
        }
    }

    /// Lets queued jobs finish, then closes the store in order. Later jobs, of any clone, are refused.
    pub async fn close(self) -> Result<()> {
        match self.0 {
            Way::Inline(store) => {
                let store = store.lock().unwrap_or_else(PoisonError::into_inner).take();
                store.map_or(Ok(()), Store::close)
            }
            Way::Thread(queue, thread) => {
                // Refused only when the thread is gone; joining it tells how.
                drop(queue.send(Order::Close).await);
                let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(thread) = thread else { return Ok(()) };
                let joined = tokio::task::spawn_blocking(move || thread.join()).await;
                joined.ok().and_then(std::result::Result::ok).unwrap_or_else(|| Err(stopped()))
            }
        }
    }
}

fn stopped() -> Problem {
    problem::STORE_IO.with("the writer has stopped")
}

fn work(mut store: Store, mut queue: mpsc::Receiver<Order>) -> Result<()> {
    while let Some(first) = queue.blocking_recv() {
        let mut failed = store.begin().err();
        let mut settles = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next.take() {
            match order {
                Order::Run(job) => settles.push(job(&mut store)),
                // Nothing more is taken in; what is queued is still received.
                Order::Close => queue.close(),
            }
            if failed.is_none() && settles.len() < TOGETHER {
                next = queue.try_recv().ok();
            }
        }
        if failed.is_none() {
            failed = store.commit().err();
        }
        for settle in settles {
            settle(failed.clone());
        }
        store.tended(queue.is_empty());
    }
    store.close()
}

impl Store {
    fn begin(&mut self) -> Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|e| from_sqlite(&e, "beginning a transaction"))
    }

    fn commit(&mut self) -> Result<()> {
        let committed = match self.ended.take() {
            Some(problem) => Err(problem),
            None => self.connection.execute_batch("COMMIT").map_err(|e| from_sqlite(&e, "committing")),
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
    fn within<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let doing = |e: rusqlite::Error| from_sqlite(&e, "running a transaction");
        if self.connection.is_autocommit() {
            // The transaction could not begin, or an earlier job's error ended it: all are told why by the commit.
            return Err(problem::STORE_IO.with("no transaction"));
        }
        self.connection.execute_batch("SAVEPOINT job").map_err(doing)?;
        let result = job(self);
        if self.connection.is_autocommit() {
            // SQLite took the whole transaction back (a full disk, a refused write).
            let none = || problem::STORE_IO.with("the transaction ended early");
            self.ended = Some(result.as_ref().err().cloned().unwrap_or_else(none));
            return result;
        }
        if result.is_err() {
            // Numbers of reads that were reserved within the job are no longer on the disk.
            self.next_read = 0;
            self.connection.execute_batch("ROLLBACK TO job").map_err(doing)?;
        }
        self.connection.execute_batch("RELEASE job").map_err(doing)?;
        result
    }

    /// Tends the log. What is committed is safe in it: an error is told, and the next commit tries again.
    fn tended(&mut self, idle: bool) {
        if let Err(problem) = self.tend(idle) {
            tracing::warn!(code = problem.code(), "{problem}");
        }
    }

    /// Checkpoints when the log has grown; when idle, back to an empty log.
    fn tend(&mut self, idle: bool) -> Result<()> {
        const SOME: i32 = 1_000;
        const MANY: i32 = 16_000;
        let pages = self.wal_pages.load(std::sync::atomic::Ordering::Relaxed);
        if pages > SOME {
            self.checkpoint(idle && pages > MANY)?;
        }
        Ok(())
    }
}
