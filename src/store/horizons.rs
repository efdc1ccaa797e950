//! What is known of each stream, as it was stated last: the table `horizons`. What may be stated is decided in `sync`; here it
//! goes in the transaction in which what it was proven by is forgotten. Also what such a proof reads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rusqlite::{Connection, params};

use super::cached::Cached;
use super::fault::Doing;
use super::open::Store;
use super::query::Reader;
use super::{Window, changes, coverage};
use crate::problem::Result;
use crate::stream::Declaration;

/// What is stated of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// Its table.
    pub stream: String,
    /// From where on it was listed without a hole.
    pub listed_from: Option<i64>,
    /// Up to where.
    pub listed_to: Option<i64>,
    /// Up to where every change is in.
    pub changed_to: Option<i64>,
    /// Whether that can ever be stated.
    pub tells_changes: bool,
}

/// Windows by account and stream.
type Read = BTreeMap<(i64, String), Rc<[Window]>>;

/// What proofs are made of, read by the writer or beside it, within one transaction.
pub struct Facts<'c> {
    connection: &'c Connection,
    /// The windows that were read: those of a feed are a part of the proof of every stream that it tells of.
    windows: RefCell<Read>,
}

impl<'c> Facts<'c> {
    fn of(connection: &'c Connection) -> Self {
        Self { connection, windows: RefCell::default() }
    }

    /// All windows of a stream, oldest first.
    pub fn windows(&self, account: i64, stream: &str) -> Result<Rc<[Window]>> {
        let key = (account, stream.to_owned());
        if let Some(read) = self.windows.borrow().get(&key) {
            return Ok(read.clone());
        }
        let read: Rc<[Window]> = coverage::windows(self.connection, account, stream)?.into();
        self.windows.borrow_mut().insert(key, read.clone());
        Ok(read)
    }

    /// Since when what we hold of a stream may be old: the earliest change that is marked and not read yet.
    pub fn earliest_change(&self, account: i64, stream: &str) -> Result<Option<i64>> {
        changes::earliest_change(self.connection, account, stream)
    }

    /// When something that is done from time to time was last begun.
    pub fn round(&self, account: i64, stream: &str, kind: &str) -> Result<Option<i64>> {
        changes::round(self.connection, account, stream, kind)
    }
}

impl Reader {
    /// What proofs are made of.
    pub fn facts(&self) -> Facts<'_> {
        Facts::of(self.connection())
    }
}

impl Store {
    /// The same, as the running transaction has it.
    pub fn facts(&self) -> Facts<'_> {
        Facts::of(&self.connection)
    }

    /// States this of an account's streams, at this machine's time, and nothing of its others.
    pub fn state_horizons(&mut self, account: i64, all: &[Stated], wall: i64) -> Result<()> {
        let doing = "stating horizons";
        self.connection.execute_cached("DELETE FROM horizons WHERE account = ?1", [account]).doing(doing)?;
        let sql = "INSERT INTO horizons (account, stream, listed_from, listed_to, changed_to, tells_changes, stated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        for Stated { stream, listed_from, listed_to, changed_to, tells_changes } in all {
            let row = params![account, stream, listed_from, listed_to, changed_to, tells_changes, wall];
            self.connection.execute_cached(sql, row).doing(doing)?;
        }
        Ok(())
    }

    /// States of no change after a moment that it is in, because an object is marked as changed then and not read yet. A mark
    /// beside an earlier one takes nothing back.
    pub(super) fn state_no_change_after(&self, account: i64, stream: &str, changed_at: i64) -> Result<()> {
        let sql = "UPDATE horizons SET changed_to = ?3 WHERE account = ?1 AND stream = ?2 AND changed_to > ?3";
        let row = params![account, stream, changed_at];
        self.connection.execute_cached(sql, row).doing("taking a horizon back").map(|_| ())
    }

    /// States nothing more of a stream, because some of what was walked is forgotten.
    pub(super) fn forget_horizon(&mut self, account: i64, stream: &str) -> Result<()> {
        let sql = "DELETE FROM horizons WHERE account = ?1 AND stream = ?2";
        self.connection.execute_cached(sql, params![account, stream]).doing("taking a horizon back").map(|_| ())
    }
}

/// What was stated while a stream was declared otherwise proves nothing any more, of no stream of the account: its feed may be
/// the one that changed.
pub(super) fn forget_redeclared(connection: &Connection, streams: &[Declaration]) -> Result<()> {
    let sql = "DELETE FROM horizons WHERE account IN (SELECT h.account FROM horizons h JOIN coverage c USING (account, stream)
        WHERE h.stream = ?1 AND c.state = 'complete' AND c.declaration <> ?2)";
    for declaration in streams {
        let table = declaration.tables.first().map(|table| &table.name);
        connection.execute(sql, params![table, declaration.hash]).doing("taking horizons back")?;
    }
    Ok(())
}
