//! Coverage: which windows of a stream were walked whole, which are being walked (with their checkpoint), which could not
//! be. What to walk next is decided in `sync`; here windows are kept, and superseded ones replaced.

use rusqlite::params;

use super::cached::Cached;
use super::commit::Upsert;
use super::fault::Doing;
use super::open::Store;
use crate::problem::Result;

/// What a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowState {
    /// Being walked; its cursor is the checkpoint.
    Open,
    /// Walked whole, at the provider's time `provider_at`.
    Complete,
    /// Could not be walked whole.
    Gap,
}

/// One window `[from_at, to_at)` of a stream, in milliseconds of the provider's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its key.
    pub window: i64,
    /// First instant inside.
    pub from_at: i64,
    /// First instant after.
    pub to_at: i64,
    /// What it is.
    pub state: WindowState,
    /// The last id of the last page that is in.
    pub cursor: Option<String>,
    /// Pages that are in.
    pub pages: i64,
    /// Records that are in.
    pub rows: i64,
    /// The provider's time when the walk began.
    pub provider_at: Option<i64>,
    /// Hash of the declaration that read it.
    pub declaration: String,
    /// Why it is a gap.
    pub reason: Option<String>,
}

/// What a page proves about its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// More to come after this cursor.
    Continue {
        /// The window.
        window: i64,
        /// The last id of this page.
        cursor: String,
    },
    /// The window is walked whole.
    Complete {
        /// The window.
        window: i64,
    },
    /// The window is walked whole, and what it covers was covered before: it leaves no trace.
    Again {
        /// The window.
        window: i64,
    },
    /// One object was read by itself: no mark that is older than the read stands on it any more.
    One {
        /// The object.
        id: String,
    },
    /// Nothing: the page belongs to no window.
    Nothing,
}

impl WindowState {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Gap => "gap",
        }
    }

    fn parse(name: &str) -> Self {
        match name {
            "complete" => Self::Complete,
            "gap" => Self::Gap,
            _ => Self::Open,
        }
    }
}

/// All windows of a stream, oldest first.
pub(super) fn windows(connection: &rusqlite::Connection, account: i64, stream: &str) -> Result<Vec<Window>> {
    let doing = "reading coverage";
    let sql =
        "SELECT window, from_at, to_at, state, cursor, pages, rows, provider_at, declaration, reason FROM coverage
        WHERE account = ?1 AND stream = ?2 ORDER BY from_at, to_at";
    let mut statement = connection.prepare_cached(sql).doing(doing)?;
    let windows = statement.query_map(params![account, stream], |row| {
        Ok(Window {
            window: row.get(0)?,
            from_at: row.get(1)?,
            to_at: row.get(2)?,
            state: WindowState::parse(&row.get::<_, String>(3)?),
            cursor: row.get(4)?,
            pages: row.get(5)?,
            rows: row.get(6)?,
            provider_at: row.get(7)?,
            declaration: row.get(8)?,
            reason: row.get(9)?,
        })
    });
    windows.doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)
}

impl Store {
    /// All windows of a stream, oldest first.
    pub fn windows(&self, account: i64, stream: &str) -> Result<Vec<Window>> {
        windows(&self.connection, account, stream)
    }

    /// Opens a window that is about to be walked, at the provider's time `provider_at`.
    pub fn open_window(
        &mut self,
        upsert: &Upsert,
        (clock, method): (&str, &str),
        (from_at, to_at): (i64, i64),
        provider_at: i64,
    ) -> Result<i64> {
        let sql =
            "INSERT INTO coverage (account, stream, clock, from_at, to_at, method, state, provider_at, declaration)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8)";
        let row =
            params![upsert.account, upsert.stream, clock, from_at, to_at, method, provider_at, upsert.declaration];
        self.connection.execute_cached(sql, row).doing("opening a window")?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Starts a window again from its beginning: its cursor was refused, or it was left open by an earlier run.
    pub fn restart_window(&mut self, window: i64, provider_at: i64, declaration: &str) -> Result<()> {
        let sql =
            "UPDATE coverage SET cursor = NULL, pages = 0, rows = 0, rejected = 0, provider_at = ?2, declaration = ?3
            WHERE window = ?1 AND state = 'open'";
        let row = params![window, provider_at, declaration];
        self.connection.execute_cached(sql, row).doing("restarting a window").map(|_| ())
    }

    /// Replaces an open window by its two halves: it held more than one response can show.
    pub fn split_window(&mut self, window: i64, middle: i64) -> Result<(i64, i64)> {
        let doing = "splitting a window";
        let sql = "INSERT INTO coverage (account, stream, clock, from_at, to_at, method, state, provider_at, declaration)
            SELECT account, stream, clock, ?2, to_at, method, state, provider_at, declaration FROM coverage WHERE window = ?1";
        self.connection.execute_cached(sql, params![window, middle]).doing(doing)?;
        let newer = self.connection.last_insert_rowid();
        self.connection
            .execute_cached("UPDATE coverage SET to_at = ?2 WHERE window = ?1", params![window, middle])
            .doing(doing)?;
        Ok((window, newer))
    }

    /// States that an open window could not be walked whole, and why (a word of ours).
    pub fn give_up_window(&mut self, window: i64, reason: &str) -> Result<()> {
        let doing = "stating a gap";
        let sql = "UPDATE coverage SET state = 'gap', cursor = NULL, reason = ?2 WHERE window = ?1";
        self.connection.execute_cached(sql, params![window, reason]).doing(doing)?;
        // The same gap found again is one gap.
        let sql = "DELETE FROM coverage WHERE state = 'gap' AND window <> ?1 AND (account, stream, from_at, to_at) =
            (SELECT account, stream, from_at, to_at FROM coverage WHERE window = ?1)";
        self.connection.execute_cached(sql, [window]).doing(doing).map(|_| ())
    }

    /// States as a gap a stretch of a feed that can no longer be read, found at the provider's time `found_at`.
    pub fn state_gap(
        &mut self,
        upsert: &Upsert,
        (clock, reason): (&str, &str),
        (from_at, to_at): (i64, i64),
        found_at: i64,
    ) -> Result<()> {
        let sql = "INSERT INTO coverage (account, stream, clock, from_at, to_at, method, state, provider_at, declaration, reason)
            VALUES (?1, ?2, ?3, ?4, ?5, 'none', 'gap', ?6, ?7, ?8)";
        let row = params![upsert.account, upsert.stream, clock, from_at, to_at, found_at, upsert.declaration, reason];
        self.connection.execute_cached(sql, row).doing("stating a gap").map(|_| ())
    }

    /// A gap was closed by listing again all that may have changed in it.
    pub fn close_gap(&mut self, window: i64) -> Result<()> {
        let sql = "UPDATE coverage SET state = 'complete', method = 'relisted', reason = NULL WHERE window = ?1 AND state = 'gap'";
        self.connection.execute_cached(sql, [window]).doing("closing a gap").map(|_| ())
    }

    /// Forgets windows that an edit of the configuration or of the declaration made void, so that they are read again.
    pub fn forget_windows(&mut self, windows: &[i64]) -> Result<()> {
        for window in windows {
            let sql = "DELETE FROM coverage WHERE window = ?1";
            self.connection.execute_cached(sql, [window]).doing("opening a window again")?;
        }
        Ok(())
    }

    /// Cuts a span out of what was walked whole, so that it is walked again; what was walked before and after it stays.
    pub(super) fn reopen(&mut self, account: i64, stream: &str, (from, to): (i64, i64)) -> Result<()> {
        let doing = "opening a window again";
        let touched = "account = ?1 AND stream = ?2 AND state = 'complete' AND from_at < ?4 AND to_at > ?3";
        let row = params![account, stream, from, to];
        for (begin, end, outside) in [("from_at", "?3", "from_at < ?3"), ("?4", "to_at", "to_at > ?4")] {
            let sql = format!(
                "INSERT INTO coverage (account, stream, clock, from_at, to_at, method, state, pages, rows, rejected, provider_at,
                     read_at, declaration)
                 SELECT account, stream, clock, {begin}, {end}, method, state, pages, rows * ({end} - {begin}) / (to_at - from_at),
                     rejected, provider_at, read_at, declaration FROM coverage WHERE {touched} AND {outside}"
            );
            self.connection.execute_cached(&sql, row).doing(doing)?;
        }
        self.connection.execute_cached(&format!("DELETE FROM coverage WHERE {touched}"), row).doing(doing).map(|_| ())
    }

    /// Forgets all coverage: everything is read again. The rows stay.
    pub fn forget_coverage(&mut self) -> Result<()> {
        self.connection.execute_cached("DELETE FROM coverage", []).doing("opening all windows again").map(|_| ())
    }

    /// Empties these columns of a table, where they hold anything.
    pub fn clear_columns(&mut self, table: &str, columns: &[&str]) -> Result<()> {
        if columns.is_empty() {
            return Ok(());
        }
        let each = |ending: &str, between| {
            columns.iter().map(|name| format!("{name} {ending}")).collect::<Vec<_>>().join(between)
        };
        let sql = format!("UPDATE {table} SET {} WHERE {}", each("= NULL", ", "), each("IS NOT NULL", " OR "));
        self.connection.execute(&sql, []).doing("taking columns out of the rows").map(|_| ())
    }

    /// Applies what a page proves.
    pub fn step(&mut self, upsert: &Upsert, step: &Step, rows: u64, rejected: u64, read_at: i64) -> Result<()> {
        let doing = "moving a checkpoint";
        let (window, cursor, state) = match step {
            Step::Continue { window, cursor } => (*window, Some(cursor.as_str()), WindowState::Open),
            Step::Complete { window } => (*window, None, WindowState::Complete),
            Step::Again { window } => return self.forget_windows(&[*window]),
            Step::One { .. } | Step::Nothing => return Ok(()),
        };
        let sql = "UPDATE coverage SET cursor = ?2, state = ?3, pages = pages + 1, rows = rows + ?4, rejected = rejected + ?5,
            read_at = ?6 WHERE window = ?1 AND state = 'open'";
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let row = params![window, cursor, state.name(), count(rows), count(rejected), read_at];
        self.connection.execute_cached(sql, row).doing(doing)?;
        if state == WindowState::Complete {
            // A later walk of the same time says all that an earlier one said.
            let sql = "DELETE FROM coverage WHERE account = ?1 AND stream = ?2 AND state IN ('complete', 'gap') AND window <> ?3
                AND from_at >= (SELECT from_at FROM coverage WHERE window = ?3)
                AND to_at <= (SELECT to_at FROM coverage WHERE window = ?3)
                AND coalesce(provider_at, 0) <= (SELECT provider_at FROM coverage WHERE window = ?3)";
            let row = params![upsert.account, upsert.stream, window];
            self.connection.execute_cached(sql, row).doing(doing)?;
        }
        Ok(())
    }
}
