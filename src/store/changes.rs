//! What is to be read again: marks on objects, made in the transaction of the record that names them and gone when a read
//! that was sent after the mark is in. Also what is done from time to time, tombstones, and the rows that a feed lets go.
//! When to read, and how, is decided in `sync`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rusqlite::{OptionalExtension, params};

use super::cached::Cached;
use super::checks::BY_CHECK;
use super::checks::DAY_MS;
use super::commit::{Bound, Commit, Upsert};
use super::fault::Doing;
use super::open::Store;
use crate::problem::Result;
use crate::stream::Value;
use crate::testpoint::planted;

/// An object that is to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub id: String,
    /// When it was made, milliseconds; `None` when we do not hold it.
    pub made_at: Option<i64>,
    /// Since when what we hold may be old; of an index, the latest change that is told, or when it was read by id.
    pub changed_at: i64,
    /// What marked it.
    pub reason: String,
}

/// What was spent, and what reads are granted for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    /// Payments made since then.
    pub payments: u64,
    /// Midnight, purpose, requests; oldest first.
    pub reads: Vec<(i64, String, u64)>,
}

/// Something that is done once a day, and is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily {
    /// When it was last begun; `None` the first time.
    pub last: Option<i64>,
}

/// What marks a row whose state is not final: nothing told of a change.
pub const UNSETTLED: &str = "unsettled";

/// What marks an object of an index that was read by its id: that the index is asked for the rest once it cannot be behind.
pub const BY_ID: &str = "get";

/// What the records of a stream say of other objects: cells of its main table.
#[derive(Debug, Default)]
pub struct Marks {
    /// The column and the cell of the time: a row that is new or has another time than the one we hold marks.
    pub clock: (String, usize),
    /// Other objects' ids: the cell, and which stream the object is of.
    pub objects: Vec<(usize, Target)>,
    /// The tables that are read by an index. What matters there is whether it can be behind: of two changes the later counts.
    pub indexed: BTreeSet<String>,
}

/// Which table a marked object is of.
#[derive(Debug)]
pub enum Target {
    /// Always this one.
    Table(String),
    /// By the provider's name for the kind of object, which stands in this cell.
    Named(usize, BTreeMap<String, String>),
}

impl Target {
    fn table<'t>(&'t self, commit: &Commit, row: usize) -> Option<&'t str> {
        match self {
            Self::Table(table) => Some(table),
            Self::Named(cell, tables) => {
                let kind = commit.page.text(commit.page.tables[0].row(row)[*cell]);
                tables.get(kind).map(String::as_str)
            }
        }
    }
}

impl Store {
    /// Marks what the new and the moved records of a page name. Comes before the page's own rows are written.
    pub(super) fn mark(&self, commit: &Commit) -> Result<()> {
        let doing = "marking what changed";
        let Upsert { stream, account, marks: Some(marks), .. } = &*commit.upsert else { return Ok(()) };
        let Some(id) = commit.upsert.id() else { return Ok(()) };
        let held = format!("SELECT {} FROM {stream} WHERE account = ?1 AND id = ?2", marks.clock.0);
        let mut held = self.connection.prepare_cached(&held).doing(doing)?;
        let rows = &commit.page.tables[0];
        for row in 0..rows.len() {
            let cells = rows.row(row);
            let Value::Int(time) = commit.page.value(cells[marks.clock.1]) else { continue };
            let known: Option<i64> = held
                .query_row(params![account, Bound(commit.page.value(cells[id]))], |row| row.get(0))
                .optional()
                .doing(doing)?;
            if known == Some(time) {
                continue;
            }
            for (cell, target) in &marks.objects {
                let object = commit.page.text(cells[*cell]);
                if let (false, Some(table)) = (object.is_empty(), target.table(commit, row)) {
                    let both = if marks.indexed.contains(table) { "max" } else { "min" };
                    self.mark_as(*account, table, object, (time, commit.mark_seq), (stream, both))?;
                }
            }
        }
        Ok(())
    }

    /// Marks one object; of two marks the earlier change and the later number stand.
    pub fn mark_one(&self, account: i64, table: &str, id: &str, mark: (i64, i64), reason: &str) -> Result<()> {
        self.mark_as(account, table, id, mark, (reason, "min"))
    }

    /// The same; `both` makes one of two times.
    fn mark_as(
        &self,
        account: i64,
        table: &str,
        id: &str,
        (changed_at, marked_seq): (i64, i64),
        (reason, both): (&str, &str),
    ) -> Result<()> {
        let sql = format!(
            "INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET changed_at = {both}(changed_at, excluded.changed_at), reason = excluded.reason,
             marked_seq = max(marked_seq, excluded.marked_seq)"
        );
        let row = params![account, table, id, changed_at, marked_seq, reason];
        self.connection.execute_cached(&sql, row).doing("marking what changed")?;
        self.state_no_change_after(account, table, changed_at)
    }

    /// Marks an object that nothing else marks yet.
    pub(super) fn mark_unmarked(
        &self,
        account: i64,
        table: &str,
        id: &str,
        (changed_at, marked_seq): (i64, i64),
        reason: &str,
    ) -> Result<()> {
        let sql = "INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let row = params![account, table, id, changed_at, marked_seq, reason];
        match self.connection.execute_cached(sql, row).doing("marking what changed")? {
            0 => Ok(()),
            _ => self.state_no_change_after(account, table, changed_at),
        }
    }

    /// Since when an object may be old, and what says so, if it is marked.
    pub fn standing(&self, account: i64, table: &str, id: &str) -> Result<Option<(i64, String)>> {
        let sql = "SELECT changed_at, reason FROM changes WHERE account = ?1 AND stream = ?2 AND id = ?3";
        let found = self.connection.row_cached(sql, params![account, table, id], |row| Ok((row.get(0)?, row.get(1)?)));
        found.optional().doing("reading what changed")
    }

    /// Lets go of the marks whose object was read after them, and returns those that stand, oldest objects first. `clock` is
    /// the column of the time when an object was made; a search may be `behind_ms` older than its answer, and then has not seen
    /// what is told to have changed since (a time far ahead was told by a wrong clock). The mark of a check stands until it is judged, and asks for one read.
    pub fn settle_changes(&mut self, account: i64, table: &str, clock: &str, behind_ms: i64) -> Result<Vec<Change>> {
        let doing = "settling what changed";
        let mut read = format!("SELECT read_seq FROM {table} t WHERE t.account = ?1 AND t.id = changes.id");
        if behind_ms > 0 && !planted("behind_settles") {
            // Writing to a string cannot fail.
            let _ok = write!(
                read,
                " AND NOT (t.source = 'search' AND changes.reason <> '{UNSETTLED}'
                      AND abs(t.read_at - changes.changed_at) < {behind_ms})"
            );
        }
        let after = if planted("marks_settled_unread") { "0" } else { "marked_seq" };
        let sql =
            format!("DELETE FROM changes WHERE account = ?1 AND stream = ?2 AND reason <> ?3 AND {after} < ({read})");
        let row = params![account, table, BY_CHECK];
        self.connection.execute_cached(&sql, row).doing(doing)?;
        let sql = format!(
            "SELECT c.id, t.{clock}, c.changed_at, c.reason FROM changes c
             LEFT JOIN {table} t ON t.account = c.account AND t.id = c.id
             WHERE c.account = ?1 AND c.stream = ?2 AND NOT (c.reason = ?3 AND c.marked_seq < coalesce(t.read_seq, 0))
             ORDER BY t.{clock}, c.id"
        );
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        let changes = statement.query_map(row, |row| {
            Ok(Change { id: row.get(0)?, made_at: row.get(1)?, changed_at: row.get(2)?, reason: row.get(3)? })
        });
        changes.doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)
    }

    /// Marks the rows whose state is not final: those that meet `condition` (`?2` in it is the provider's time), that were
    /// last read before the read `since_seq`, and that no mark stands on yet. `mark` is since when they may be old, and the
    /// mark's number.
    pub fn mark_unsettled(
        &mut self,
        (account, table): (i64, &str),
        condition: &str,
        (now, since_seq): (i64, i64),
        mark: (i64, i64),
    ) -> Result<u64> {
        let sql = format!(
            "INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason)
             SELECT account, '{table}', id, ?3, ?4, '{UNSETTLED}' FROM {table}
             WHERE account = ?1 AND deleted_at IS NULL AND read_seq < ?5 AND ({condition}) AND ?2 IS NOT NULL
             ON CONFLICT DO NOTHING"
        );
        let row = params![account, now, mark.0, mark.1, since_seq];
        let marked = self.connection.execute_cached(&sql, row).doing("marking what is not final")?;
        if marked > 0 {
            self.state_no_change_after(account, table, mark.0)?;
        }
        Ok(marked as u64)
    }

    /// Lets go of one mark, because a read answered all that can be answered about the object: its number, when the answer
    /// came, and how much older than that it may be.
    pub fn forget_change(
        &mut self,
        account: i64,
        table: &str,
        id: &str,
        (read_seq, read_at, behind_ms): (i64, i64, i64),
    ) -> Result<()> {
        let sql =
            "DELETE FROM changes WHERE account = ?1 AND stream = ?2 AND id = ?3 AND marked_seq < ?4 AND reason <> ?5
            AND NOT (reason <> ?6 AND abs(?7 - changed_at) < ?8)";
        let row = params![account, table, id, read_seq, BY_CHECK, UNSETTLED, read_at, behind_ms];
        self.connection.execute_cached(sql, row).doing("settling what changed").map(|_| ())
    }

    /// The provider says that an object is gone: its row stays, with the moment, unless a later read showed it.
    pub fn tombstone(&mut self, account: i64, table: &str, id: &str, (read_seq, read_at): (i64, i64)) -> Result<()> {
        let sql = format!(
            "UPDATE {table} SET deleted_at = ?4, read_at = ?4, read_seq = ?3, source = 'get'
             WHERE account = ?1 AND id = ?2 AND read_seq <= ?3 AND deleted_at IS NULL"
        );
        self.connection
            .execute_cached(&sql, params![account, id, read_seq, read_at])
            .doing("noting that a row is gone")?;
        self.forget_change(account, table, id, (read_seq, read_at, 0))
    }

    /// Lets go of the rows of a feed that are older than it is kept.
    pub fn let_go(&mut self, account: i64, table: &str, clock: &str, before: i64) -> Result<()> {
        let sql = format!("DELETE FROM {table} WHERE account = ?1 AND {clock} < ?2");
        self.connection.execute_cached(&sql, params![account, before]).doing("letting old events go").map(|_| ())
    }

    /// Lets go of old marks on objects that we do not hold: the first walk will read them as they are then.
    pub fn let_unheld_changes_go(&mut self, account: i64, table: &str, before: i64) -> Result<()> {
        let sql = format!(
            "DELETE FROM changes WHERE account = ?1 AND stream = ?2 AND changed_at < ?3
             AND NOT EXISTS (SELECT 1 FROM {table} t WHERE t.account = ?1 AND t.id = changes.id)"
        );
        self.connection.execute_cached(&sql, params![account, table, before]).doing("letting old marks go").map(|_| ())
    }

    /// Takes a round back.
    pub fn forget_round(&mut self, account: i64, stream: &str, kind: &str) -> Result<()> {
        let sql = "DELETE FROM rounds WHERE account = ?1 AND stream = ?2 AND kind = ?3";
        self.connection.execute_cached(sql, params![account, stream, kind]).doing("noting a round").map(|_| ())
    }

    /// When something that is done from time to time was last begun.
    pub fn round(&self, account: i64, stream: &str, kind: &str) -> Result<Option<i64>> {
        round(&self.connection, account, stream, kind)
    }

    /// Notes that it is begun.
    pub fn set_round(&mut self, account: i64, stream: &str, kind: &str, at: i64) -> Result<()> {
        let sql = "INSERT INTO rounds (account, stream, kind, at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET at = excluded.at";
        self.connection.execute_cached(sql, params![account, stream, kind, at]).doing("noting a round").map(|_| ())
    }

    /// The tables of an account on whose rows marks stand.
    pub fn marked(&self, account: i64) -> Result<BTreeSet<String>> {
        let doing = "reading what changed";
        let sql = "SELECT DISTINCT stream FROM changes WHERE account = ?1";
        let mut statement = self.connection.prepare_cached(sql).doing(doing)?;
        let tables = statement.query_map(params![account], |row| row.get(0)).doing(doing)?;
        tables.collect::<rusqlite::Result<_>>().doing(doing)
    }

    /// What was spent since a moment; `payments` names the table of payments and the column of their time.
    pub fn spending(&self, account: i64, since: i64, payments: Option<(&str, &str)>) -> Result<Spending> {
        spending(&self.connection, account, since, payments)
    }

    /// Whether what is done once a day is due; then it is noted as begun. Returns when it was last begun, or `None` when it is
    /// not due. A last time in the future was told by a wrong clock and counts for nothing.
    pub fn take_daily(&mut self, account: i64, stream: &str, kind: &str, now: i64) -> Result<Option<Daily>> {
        let last = self.round(account, stream, kind)?;
        if last.is_some_and(|last| (0..DAY_MS).contains(&(now - last))) {
            return Ok(None);
        }
        self.set_round(account, stream, kind, now)?;
        Ok(Some(Daily { last: last.filter(|last| *last <= now) }))
    }

    /// Adds to the reads of a day.
    pub fn count_reads(&mut self, account: i64, day_at: i64, purpose: &str, reads: u64) -> Result<()> {
        let sql = "INSERT INTO reads (account, day_at, purpose, reads) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT DO UPDATE SET reads = reads + excluded.reads";
        let reads = i64::try_from(reads).unwrap_or(i64::MAX);
        self.connection
            .execute_cached(sql, params![account, day_at, purpose, reads])
            .doing("counting reads")
            .map(|_| ())
    }
}

pub(super) fn round(connection: &rusqlite::Connection, account: i64, stream: &str, kind: &str) -> Result<Option<i64>> {
    let sql = "SELECT at FROM rounds WHERE account = ?1 AND stream = ?2 AND kind = ?3";
    let found = connection.row_cached(sql, params![account, stream, kind], |row| row.get(0)).optional();
    found.doing("reading a round")
}

/// Requests of an account since a moment, and payments: the rows of a table by the column of their time.
pub(super) fn spending(
    connection: &rusqlite::Connection,
    account: i64,
    since: i64,
    payments: Option<(&str, &str)>,
) -> Result<Spending> {
    let doing = "reading what was spent";
    let sql = "SELECT day_at, purpose, reads FROM reads WHERE account = ?1 AND day_at > ?2 ORDER BY day_at, purpose";
    let mut statement = connection.prepare_cached(sql).doing(doing)?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let reads = statement.query_map(params![account, since], |row| Ok((row.get(0)?, row.get(1)?, count(row.get(2)?))));
    let reads = reads.doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)?;
    let Some((table, column)) = payments else { return Ok(Spending { payments: 0, reads }) };
    let sql = format!("SELECT count(*) FROM {table} WHERE account = ?1 AND {column} > ?2");
    let payments = connection.row_cached(&sql, params![account, since], |row| row.get(0)).doing(doing)?;
    Ok(Spending { payments: count(payments), reads })
}

/// Since when what we hold of a stream may be old: the earliest change that is marked and not read yet.
pub(super) fn earliest_change(connection: &rusqlite::Connection, account: i64, stream: &str) -> Result<Option<i64>> {
    let sql = "SELECT min(changed_at) FROM changes WHERE account = ?1 AND stream = ?2";
    connection.row_cached(sql, params![account, stream], |row| row.get(0)).doing("reading what changed")
}
