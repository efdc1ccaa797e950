//! Statements that are run again and again: each is prepared once a connection and kept. What is run once in a connection's
//! life is not kept.

use rusqlite::{Connection, Params, Row};

/// Running a statement that is kept prepared.
pub(super) trait Cached {
    /// Runs a statement that returns no rows; returns how many it changed.
    fn execute_cached(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize>;
    /// The first row of a statement.
    fn row_cached<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T>;
}

impl Cached for Connection {
    fn execute_cached(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.prepare_cached(sql)?.execute(params)
    }

    fn row_cached<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.prepare_cached(sql)?.query_row(params, read)
    }
}
