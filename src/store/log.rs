//! The write-ahead log: when it is brought into the main file, and what is told when that fails or a reader is in the way.
//! Checkpoints are ours alone, with their results read: SQLite's own would swallow errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::fault::Doing;
use super::open::Store;
use crate::problem::{self, Problem, Result};

/// Pages of 4 KiB in the log.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// From here on it is brought in.
    some: i32,
    /// From here on it is too long: emptied when nothing else is to be done, and told of when it cannot be.
    many: i32,
}

/// Those of the program.
pub(super) const LIMITS: Limits = Limits { some: 1_000, many: 16_000 };

/// Under which name conditions of the store itself stand in `problems`.
const PLACE: Option<&str> = Some("store");

/// What is known of a store's log.
pub(super) struct Log {
    /// Pages in it that a checkpoint is for: all after a commit; after a checkpoint those that are left.
    pages: Arc<AtomicI32>,
    /// What stands in the way: why the store had to be opened again, why the last checkpoint failed, that the log is too long.
    pub(super) trouble: Option<Problem>,
}

/// What a checkpoint came to.
pub(super) struct Brought {
    busy: bool,
    in_log: i32,
    moved: i32,
}

impl Brought {
    /// Nothing is left in the log, and the next commit begins it anew.
    pub(super) fn emptied(&self) -> bool {
        !self.busy && self.in_log == 0
    }
}

/// How long a reader in the way of emptying the log is waited for.
pub(super) const SHORTLY: Duration = Duration::from_millis(100);

/// Brings the log into the main file; `whole` also empties it, when no reader is in the way, or not for longer than `wait`.
pub(super) fn bring_in(connection: &Connection, whole: bool, wait: Duration) -> Result<Brought> {
    let sql = if whole { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
    let doing = "checkpointing";
    // A reader in the way is a row that says busy, not an error.
    connection.busy_timeout(wait).doing(doing)?;
    let read = |row: &rusqlite::Row<'_>| Ok(Brought { busy: row.get(0)?, in_log: row.get(1)?, moved: row.get(2)? });
    let brought = connection.query_row(sql, [], read).doing(doing);
    connection.busy_timeout(Duration::from_secs(5)).doing(doing)?;
    brought
}

impl Log {
    /// Counts the pages of a connection's log from now on.
    pub(super) fn watch(connection: &mut Connection) -> Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let counted = pages.clone();
        let count = move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(count)).doing("watching the log")?;
        Ok(Self { pages, trouble: None })
    }
}

impl Store {
    /// Brings the log into the main file; `whole` also empties it, when no reader is in the way.
    pub fn checkpoint(&self, whole: bool) -> Result<()> {
        self.brought(whole, SHORTLY).map(|_| ())
    }

    /// Brings the log into the main file and empties it; a reader that is in the way of that is told.
    pub fn empty_log(&self) -> Result<()> {
        let emptied = self.brought(true, SHORTLY)?.emptied();
        if emptied { Ok(()) } else { Err(problem::STORE_BUSY.with("a reader holds on to what is to be taken out")) }
    }

    fn brought(&self, whole: bool, wait: Duration) -> Result<Brought> {
        let brought = bring_in(&self.connection, whole, wait)?;
        // A log that is too long goes on counting as such until it is begun anew.
        let left =
            if brought.in_log > self.place.limits.many { brought.in_log } else { brought.in_log - brought.moved };
        self.log.pages.store(left.max(0), Ordering::Relaxed);
        Ok(brought)
    }

    /// Checkpoints when the log has grown, or when trouble stands that a checkpoint may end; when idle, back to an empty log.
    pub(super) fn tend(&mut self, idle: bool) -> Result<()> {
        let pages = self.log.pages.load(Ordering::Relaxed);
        let troubled = self.log.trouble.is_some();
        if pages <= self.place.limits.some && !troubled {
            return Ok(());
        }
        let held = self.log.trouble.as_ref().is_some_and(|problem| problem.is(&problem::STORE_LOG));
        // A reader that is known to hold on is not waited for at every commit: the next one tries again.
        let wait = if held { Duration::ZERO } else { SHORTLY };
        let whole = idle && (troubled || pages > self.place.limits.many);
        match self.brought(whole, wait) {
            Ok(brought) => {
                let long = brought.in_log > self.place.limits.many;
                if long && (held || brought.busy || brought.moved < brought.in_log) {
                    let size = i64::from(brought.in_log) * 4096 / 1_000_000;
                    self.log.trouble = Some(problem::STORE_LOG.with(format!("{size} MB")));
                } else if !held || whole && brought.emptied() {
                    // One that was too long counts as such until it was emptied: begun anew alone, its file stays as long.
                    self.log.trouble = None;
                }
                Ok(())
            }
            Err(problem) => {
                self.log.trouble = Some(problem.clone());
                Err(problem)
            }
        }
    }

    /// Notes in `problems` what stands in the way of the store itself, and clears what no longer does.
    pub fn note_trouble(&mut self, now_ms: i64) -> Result<()> {
        match self.log.trouble.clone() {
            Some(problem) => self.note_problem(None, PLACE, &problem, now_ms),
            None => self.clear_problems(None, PLACE, now_ms),
        }
    }

    /// Other limits than usual, in pages: from `some` on the log is brought in, from `many` on it is too long. For tests, which
    /// would have to write a lot to meet them.
    pub fn limit_log(&mut self, some: i32, many: i32) {
        self.place.limits = Limits { some, many };
    }
}
