//! The agent's own loops under way, and what can be done to them from outside.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use counterfoil::agent::loops::{deliver, keep};
use counterfoil::agent::parts::Parts;
use counterfoil::problem::Result;
use counterfoil::store::Reader;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The agent's own loops.
pub(super) struct Running {
    pub(super) parts: Arc<Parts>,
    nudges: [Arc<Notify>; 2],
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    courier: JoinHandle<()>,
    reader: std::sync::Mutex<Option<Reader>>,
    /// The judge's way into the store, as long as this life lasts.
    judge: OnceCell<Reader>,
}

impl Running {
    pub(super) fn start(parts: Arc<Parts>) -> Self {
        let nudges = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let (stop, new_rows) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let start = |(name, nudge): (&str, &Arc<Notify>)| {
            tokio::spawn(keep(parts.clone(), name.to_owned(), (nudge.clone(), stop.clone()), new_rows.clone()))
        };
        let tasks = ["main", "eu"].into_iter().zip(&nudges).map(start).collect();
        let courier = tokio::spawn(deliver(parts.clone(), new_rows.clone()));
        Self { parts, nudges, stop, tasks, courier, reader: std::sync::Mutex::default(), judge: OnceCell::new() }
    }

    /// The store as the judge reads it.
    pub(super) fn judged(&self) -> Result<&Reader> {
        match self.judge.get() {
            Some(reader) => Ok(reader),
            None => Reader::open(&self.parts.store_path).map(|reader| self.judge.get_or_init(|| reader)),
        }
    }

    pub(super) fn nudge(&self) {
        self.nudges.iter().for_each(|nudge| nudge.notify_one());
    }

    pub(super) fn alive(&self) -> std::result::Result<(), String> {
        let ended = self.tasks.iter().any(JoinHandle::is_finished) || self.courier.is_finished();
        if ended { Err("a loop of the agent ended by itself".to_owned()) } else { Ok(()) }
    }

    /// The disk has room for so many more pages, or for any number.
    pub(super) async fn limit_pages(&self, more: Option<i64>) {
        let limit = self.parts.store.run(move |store| {
            let pages = store.read("PRAGMA page_count")?.rows[0][0].int().unwrap_or(0);
            let most = more.map_or(4_294_967_294, |more| pages + more);
            store.read(&format!("PRAGMA max_page_count = {most}"))
        });
        drop(limit.await);
    }

    /// An analyst begins to read and does not end.
    pub(super) fn hold(&self) {
        let Ok(reader) = Reader::open(&self.parts.store_path) else { return };
        drop(reader.connection().execute_batch("BEGIN; SELECT count(*) FROM state;"));
        *self.reader.lock().unwrap() = Some(reader);
    }

    pub(super) fn release(&self) {
        *self.reader.lock().unwrap() = None;
    }

    /// An orderly end.
    pub(super) async fn stop(self) -> std::result::Result<(), String> {
        self.release();
        drop(self.judge);
        self.courier.abort();
        drop(self.courier.await);
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        self.nudges.iter().for_each(|nudge| nudge.notify_one());
        for task in self.tasks {
            // As the agent does: one that waits for a slow provider is ended after a grace.
            task.abort();
            drop(task.await);
        }
        tokio::task::yield_now().await;
        match Arc::try_unwrap(self.parts) {
            Ok(parts) => parts.close().await.map_err(|problem| format!("closing: {problem}")),
            Err(_) => Ok(()),
        }
    }
}
