//! The way to the writer from asynchronous code: one thread that owns it, a bounded queue in front. Jobs that wait together
//! share one commit (in `writer`); nobody is told before. In simulations the writer runs inline.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::Store;
use super::writer::{Job, Writer};
use crate::problem::{self, Problem, Result};

/// What the writer's thread is sent.
enum Order {
    Run(Job),
    /// Brings the log into the main file and empties it.
    Empty(oneshot::Sender<Result<()>>),
    Close,
}

/// A handle on the writer; clones share it.
#[derive(Clone)]
pub struct StoreHandle(Way);

#[derive(Clone)]
enum Way {
    Thread(mpsc::Sender<Order>, Arc<Mutex<Option<std::thread::JoinHandle<Result<()>>>>>),
    Inline(Arc<Mutex<Option<Writer>>>),
}

impl StoreHandle {
    /// Gives the writer a thread of its own.
    pub fn thread(store: Store) -> Self {
        let (send, receive) = mpsc::channel(32);
        let thread = std::thread::spawn(move || work(Writer::new(store), receive));
        Self(Way::Thread(send, Arc::new(Mutex::new(Some(thread)))))
    }

    /// The writer runs in the caller: for simulations, where nothing may pass a paused clock.
    pub fn inline(store: Store) -> Self {
        Self(Way::Inline(Arc::new(Mutex::new(Some(Writer::new(store))))))
    }

    /// Runs `job` in a transaction and returns when it is committed; a problem takes the job's own changes back.
    pub async fn run<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T> + Send + 'static,
    {
        let (tell, mut told) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let result = store.and_then(|store| store.within(job));
            Box::new(move |failed: Option<Problem>| {
                // The caller may have gone away; the commit stands all the same.
                drop(tell.send(failed.map_or(result, Err)));
            })
        });
        match &self.0 {
            Way::Inline(writer) => {
                // Where the caller of a thread would wait, others may run, and the caller may be dropped.
                tokio::task::yield_now().await;
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                let writer = writer.as_mut().ok_or_else(stopped)?;
                writer.commit(job, || None);
                writer.tend(true);
                told.try_recv().map_err(|_| stopped())?
            }
            Way::Thread(queue, _) => {
                queue.send(Order::Run(job)).await.map_err(|_| stopped())?;
                told.await.map_err(|_| stopped())?
            }
        }
    }

    /// Brings the log into the main file, and empties it when no reader is in the way. No job can do that: it runs within a
    /// transaction.
    pub async fn empty_log(&self) -> Result<()> {
        match &self.0 {
            Way::Inline(writer) => {
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                writer.as_mut().ok_or_else(stopped)?.empty_log()
            }
            Way::Thread(queue, _) => {
                let (tell, told) = oneshot::channel();
                queue.send(Order::Empty(tell)).await.map_err(|_| stopped())?;
                told.await.map_err(|_| stopped())?
            }
        }
    }

    /// Lets queued jobs finish, then closes the store in order. Later jobs, of any clone, are refused.
    pub async fn close(self) -> Result<()> {
        match self.0 {
            Way::Inline(writer) => {
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
                writer.map_or(Ok(()), Writer::close)
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

fn work(mut writer: Writer, mut queue: mpsc::Receiver<Order>) -> Result<()> {
    while let Some(first) = queue.blocking_recv() {
        // An order to close: nothing more is taken in; what is queued is still received.
        let (mut first, mut empty) = (Some(first), None);
        let mut next = || loop {
            // What comes behind it is for the next commit.
            let order = first.take().or_else(|| if empty.is_none() { queue.try_recv().ok() } else { None })?;
            match order {
                Order::Run(job) => return Some(job),
                Order::Empty(tell) => empty = Some(tell),
                Order::Close => queue.close(),
            }
        };
        if let Some(job) = next() {
            writer.commit(job, next);
            writer.tend(queue.is_empty());
        }
        if let Some(tell) = empty {
            // Whoever asked may have gone away.
            drop(tell.send(writer.empty_log()));
        }
    }
    writer.close()
}
