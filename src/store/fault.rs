//! SQLite's errors as problems. SQLite's own message is never passed on where it could quote a value.

use rusqlite::ffi;

use crate::problem::{self, Problem};

/// The problem behind an error of SQLite; `doing` says what was being done, in our words.
pub fn from_sqlite(error: &rusqlite::Error, doing: &str) -> Problem {
    let code = match error {
        rusqlite::Error::SqliteFailure(failure, _) => failure.extended_code,
        rusqlite::Error::SqlInputError { error, .. } => error.extended_code,
        _ => return problem::STORE_SQLITE.with(format!("{doing} (unexpected result)")),
    };
    let entry = match code & 0xff {
        ffi::SQLITE_FULL => &problem::STORE_FULL,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => &problem::STORE_DAMAGED,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => &problem::STORE_BUSY,
        ffi::SQLITE_READONLY | ffi::SQLITE_PERM | ffi::SQLITE_CANTOPEN | ffi::SQLITE_AUTH => &problem::STORE_READ_ONLY,
        ffi::SQLITE_IOERR => &problem::STORE_IO,
        _ => &problem::STORE_SQLITE,
    };
    entry.with(format!("{doing} (SQLite code {code})"))
}

/// Says what was being done when SQLite refused.
pub(super) trait Doing<T> {
    /// Turns the error into a problem.
    fn doing(self, what: &str) -> Result<T, Problem>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, what: &str) -> Result<T, Problem> {
        self.map_err(|error| from_sqlite(&error, what))
    }
}
