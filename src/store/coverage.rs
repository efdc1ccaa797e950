//! Coverage: which windows of a stream were walked whole, which are being walked (with their checkpoint), which could not
//! be. What to walk next is decided in `sync`; here windows are kept, and superseded ones replaced.

use std::sync::Arc;

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
    pub declaration: Arc<str>,
    /// Why it is a gap.
    pub reason: Option<String>,
}

/// A window of which nothing is in the store yet: it gets there with its first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewWindow {
    /// The provider's time that it bounds.
    pub clock: &'static str,
    /// How it is walked.
    pub method: &'static str,
    /// `[from, to)`, milliseconds of the provider's clock.
    pub span: (i64, i64),
    /// The provider's time when the walk began.
    pub provider_at: i64,
}

/// Which window a page is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKey {
    /// One that earlier pages have brought into the store.
    Kept(i64),
    /// One whose first page this is.
    New(NewWindow),
}

/// What a page proves about its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// More to come after this cursor.
    Continue {
        /// The window.
        window: WindowKey,
        /// The last id of this page.
        cursor: String,
    },
    /// The window is walked whole.
    Complete {
        /// The window.
        window: WindowKey,
    },
    /// The window cannot be walked whole: a gap.
    GiveUp {
        /// The window.
        window: WindowKey,
        /// Why (a word of ours).
        reason: &'static str,
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
    // There are thousands of them, and hardly ever more than one declaration.
    let mut last: Arc<str> = "".into();
    let mut declared = |text: &str| {
        if *last != *text {
            last = text.into();
        }
        last.clone()
    };
    let windows = statement.query_map(params![account, stream], |row| {
        Ok(Window {
            window: row.get(0)?,
            from_at: row.get(1)?,
            to_at: row.get(2)?,
            state: WindowState::parse(row.get_ref(3)?.as_str()?),
            cursor: row.get(4)?,
            pages: row.get(5)?,
            rows: row.get(6)?,
            provider_at: row.get(7)?,
            declaration: declared(row.get_ref(8)?.as_str()?),
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

    /// Brings a window into the store, with nothing of it read yet.
    pub fn open_window(&mut self, upsert: &Upsert, new: NewWindow) -> Result<i64> {
        let sql =
            "INSERT INTO coverage (account, stream, clock, from_at, to_at, method, state, provider_at, declaration)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8)";
        let NewWindow { clock, method, span: (from, to), provider_at } = new;
        let row = params![upsert.account, upsert.stream, clock, from, to, method, provider_at, upsert.declaration];
        self.connection.execute_cached(sql, row).doing("opening a window")?;
        Ok(self.connection.last_insert_rowid())
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

    /// A gap in a feed reaches further, up to `to_at`, for the same reason and found at the same time.
    pub fn widen_gap(&mut self, window: i64, to_at: i64) -> Result<()> {
        let sql = "UPDATE coverage SET to_at = ?2 WHERE window = ?1 AND to_at < ?2";
        self.connection.execute_cached(sql, [window, to_at]).doing("stating a gap").map(|_| ())
    }

    /// A gap was found at another time than was believed.
    pub fn date_gap(&mut self, window: i64, found_at: i64) -> Result<()> {
        let sql = "UPDATE coverage SET provider_at = ?2 WHERE window = ?1 AND state = 'gap'";
        self.connection.execute_cached(sql, [window, found_at]).doing("stating a gap").map(|_| ())
    }

    /// A gap was closed by listing again all that may have changed in it.
    pub fn close_gap(&mut self, window: i64) -> Result<()> {
        let sql = "UPDATE coverage SET state = 'complete', method = 'relisted', reason = NULL WHERE window = ?1 AND state = 'gap'";
        self.connection.execute_cached(sql, [window]).doing("closing a gap").map(|_| ())
    }

    /// Forgets windows of which nothing is proven any more, so that they are read again; and what was stated by those that were
    /// walked whole.
    pub fn forget_windows(&mut self, windows: &[i64]) -> Result<()> {
        for window in windows {
            let sql = "DELETE FROM horizons WHERE (account, stream) IN
                (SELECT account, stream FROM coverage WHERE window = ?1 AND state = 'complete')";
            self.connection.execute_cached(sql, [window]).doing("taking a horizon back")?;
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
        self.connection.execute_cached(&format!("DELETE FROM coverage WHERE {touched}"), row).doing(doing)?;
        self.forget_horizon(account, stream)
    }

    /// Forgets all coverage, and what was stated by it: everything is read again. The rows stay, and what is stated to be lost
    /// of a feed.
    pub fn forget_coverage(&mut self) -> Result<()> {
        self.connection.execute_cached("DELETE FROM horizons", []).doing("taking horizons back")?;
        let sql = "DELETE FROM coverage WHERE NOT (state = 'gap' AND method = 'none')";
        self.connection.execute_cached(sql, []).doing("opening all windows again").map(|_| ())
    }

    /// Empties these columns of a table, where they hold anything.
    pub fn clear_columns(&mut self, table: &str, columns: &[String]) -> Result<()> {
        if columns.is_empty() {
            return Ok(());
        }
        let each = |ending: &str, between| {
            columns.iter().map(|name| format!("{name} {ending}")).collect::<Vec<_>>().join(between)
        };
        let sql = format!("UPDATE {table} SET {} WHERE {}", each("= NULL", ", "), each("IS NOT NULL", " OR "));
        self.connection.execute(&sql, []).doing("taking columns out of the rows").map(|_| ())
    }

    /// Takes keys out of the JSON objects in a column, and leaves the others as they are.
    pub fn clear_keys(&mut self, table: &str, column: &str, keys: &[String]) -> Result<()> {
        // As they stand in the text: SQL has no truth values of its own.
        let value = "CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'object' THEN value
            WHEN 'array' THEN value ELSE json_quote(value) END";
        for key in keys {
            let sql = format!(
                "UPDATE {table} SET {column} =
                     (SELECT json_group_object(key, json({value})) FROM json_each({column}) WHERE key <> ?1)
                 WHERE {column} IS NOT NULL AND EXISTS (SELECT 1 FROM json_each({column}) WHERE key = ?1)"
            );
            self.connection.execute(&sql, [key]).doing("taking metadata out of the rows")?;
        }
        Ok(())
    }

    /// Applies what a page proves, and returns the key of its window, if it has one.
    pub fn step(&mut self, upsert: &Upsert, step: &Step, counts: (u64, u64), read_at: i64) -> Result<Option<i64>> {
        let doing = "moving a checkpoint";
        let (key, cursor, state, reason) = match step {
            Step::Continue { window, cursor } => (*window, Some(cursor.as_str()), WindowState::Open, None),
            Step::Complete { window } => (*window, None, WindowState::Complete, None),
            Step::GiveUp { window, reason } => (*window, None, WindowState::Gap, Some(*reason)),
            Step::One { .. } | Step::Nothing => return Ok(None),
        };
        let window = match key {
            WindowKey::Kept(window) => window,
            WindowKey::New(new) => self.open_window(upsert, new)?,
        };
        let sql = "UPDATE coverage SET cursor = ?2, state = ?3, pages = pages + 1, rows = rows + ?4, rejected = rejected + ?5,
            read_at = ?6, reason = ?7 WHERE window = ?1 AND state = 'open'";
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let row = params![window, cursor, state.name(), count(counts.0), count(counts.1), read_at, reason];
        self.connection.execute_cached(sql, row).doing(doing)?;
        let replaced = match state {
            WindowState::Open => return Ok(Some(window)),
            // A later walk of the same time says all that an earlier one said; what was stated without a walk is closed by name.
            WindowState::Complete => {
                "state IN ('complete', 'gap') AND method <> 'none'
                AND from_at >= (SELECT from_at FROM coverage WHERE window = ?3)
                AND to_at <= (SELECT to_at FROM coverage WHERE window = ?3)
                AND coalesce(provider_at, 0) <= (SELECT provider_at FROM coverage WHERE window = ?3)"
            }
            // The same gap found again is one gap.
            WindowState::Gap => {
                "state = 'gap' AND (from_at, to_at) = (SELECT from_at, to_at FROM coverage WHERE window = ?3)"
            }
        };
        let sql = format!("DELETE FROM coverage WHERE account = ?1 AND stream = ?2 AND window <> ?3 AND {replaced}");
        self.connection.execute_cached(&sql, params![upsert.account, upsert.stream, window]).doing(doing)?;
        Ok(Some(window))
    }
}
