//! Comparing what a provider shows with what we hold, before the answer is written; the results, in `checks`; and what a
//! difference does. What to compare, and which difference counts, is decided in `sync`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rusqlite::{OptionalExtension, params};

use super::cached::Cached;
use super::changes::BY_ID;
use super::commit::{Bound, Commit, Target, presence};
use super::fault::Doing;
use super::open::Store;
use super::query::Reader;
use crate::problem::{self, Result};
use crate::stream::{Cell, Page};

/// The kind of check that lists old windows again.
pub const REREAD: &str = "reread";
/// The reason of a mark on a row that a check found different: it waits for the word of a change that explains it.
pub(super) const BY_CHECK: &str = "check";
pub(super) const DAY_MS: i64 = 86_400_000;

/// What comparing one window found, by ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Objects that are shown, or held, or both.
    pub compared: i64,
    /// Shown and not held.
    pub missing: Vec<String>,
    /// Held and not shown.
    pub extra: Vec<String>,
    /// Held with other values than those shown.
    pub other: Vec<String>,
}

impl Found {
    /// True when anything differs.
    pub fn differs(&self) -> bool {
        !(self.missing.is_empty() && self.extra.is_empty() && self.other.is_empty())
    }
}

/// What the checks of some time say together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Checked {
    /// Rows compared.
    pub compared: i64,
    /// Rows that differed.
    pub different: i64,
    /// When the last check was, by the provider's clock.
    pub checked_at: Option<i64>,
}

impl Checked {
    /// The share of rows (0 to 1) that may be lost or wrong: fewer than this, with 95 % confidence, when none of those
    /// compared was (the rule of three); the share that was, otherwise. `None` when nothing was compared.
    pub fn rate(&self) -> Option<f64> {
        let part = if self.different == 0 { 3 } else { self.different };
        (self.compared > 0).then(|| (part as f64 / self.compared as f64).min(1.0))
    }

    fn told(&self) -> String {
        format!("{} of {} rows compared in 30 days", self.different, self.compared)
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            compared: self.compared + other.compared,
            different: self.different + other.different,
            checked_at: self.checked_at.max(other.checked_at),
        }
    }
}

impl Store {
    /// Compares pages that together are all of the window `[from, to)` with what is held; the values too when `values`.
    /// `clock` is the column that windows bound.
    pub fn compare(&self, pages: &[Commit], clock: &str, (from, to): (i64, i64), values: bool) -> Result<Found> {
        let doing = "comparing with the provider";
        let Some(Commit { upsert, .. }) = pages.first() else { return Ok(Found::default()) };
        let (mut shown, mut found, mut unnamed) = (BTreeSet::new(), Found::default(), false);
        for commit in pages {
            let rejected = commit.page.rejected.iter().filter(|rejected| rejected.table == 0);
            for id in rejected.map(|rejected| rejected.id.clone()) {
                unnamed |= id.is_empty();
                shown.insert(id);
            }
            for id in self.compare_rows(commit, values, &mut found)? {
                shown.insert(id);
            }
        }
        let sql = format!(
            "SELECT id FROM {} WHERE account = ?1 AND {clock} >= ?2 AND {clock} < ?3 AND deleted_at IS NULL",
            upsert.stream
        );
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        let held = statement.query_map(params![upsert.account, from, to], |row| row.get::<_, String>(0));
        let held: BTreeSet<String> = held.doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)?;
        found.compared = held.union(&shown).count() as i64;
        // A record that came without a usable id may be any of those that seem not to be shown.
        found.extra = if unnamed { Vec::new() } else { held.difference(&shown).cloned().collect() };
        Ok(found)
    }

    /// The ids that a page shows; notes those that are not held, and those that are held otherwise.
    fn compare_rows(&self, commit: &Commit, values: bool, found: &mut Found) -> Result<Vec<String>> {
        let (upsert, page) = (&commit.upsert, &commit.page);
        let Some(id) = upsert.id() else { return Ok(Vec::new()) };
        let rows = &page.tables[0];
        let ids: Vec<String> = (0..rows.len()).map(|row| page.text(rows.row(row)[id]).to_owned()).collect();
        let mut other = BTreeSet::new();
        for (table, target) in upsert.tables.iter().enumerate().take(if values { upsert.tables.len() } else { 0 }) {
            let rows = &page.tables[table];
            for row in 0..rows.len() {
                let parent = if table == 0 { row } else { rows.parents[row] as usize };
                if !other.contains(&parent) && !self.holds_same(upsert.account, target, page, rows.row(row))? {
                    other.insert(parent);
                }
            }
        }
        let sql = format!("SELECT 1 FROM {} WHERE account = ?1 AND id = ?2 AND deleted_at IS NULL", upsert.stream);
        let mut held = self.connection.prepare_cached(&sql).doing("comparing with the provider")?;
        for (row, id) in ids.iter().enumerate() {
            if !held.exists(params![upsert.account, id]).doing("comparing with the provider")? {
                found.missing.push(id.clone());
            } else if other.contains(&row) {
                found.other.push(id.clone());
            }
        }
        Ok(ids)
    }

    /// Whether a living row has the same values in all columns that are present.
    fn holds_same(&self, account: i64, target: &Target, page: &Page, cells: &[Cell]) -> Result<bool> {
        let doing = "comparing with the provider";
        let present = presence(cells);
        let mut sql = format!("SELECT 1 FROM {} WHERE account = ? AND deleted_at IS NULL", target.name);
        for (_, column) in target.columns.iter().enumerate().filter(|(at, _)| present >> at & 1 == 1) {
            let same = if target.key.contains(column) { "=" } else { "IS" };
            // Writing to a string cannot fail.
            let _ok = write!(sql, " AND {column} {same} ?");
        }
        let values = cells.iter().filter(|cell| **cell != Cell::Absent).map(|cell| Bound(page.value(*cell)));
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        statement.raw_bind_parameter(1, account).doing(doing)?;
        for (at, value) in values.enumerate() {
            statement.raw_bind_parameter(at + 2, value).doing(doing)?;
        }
        statement.raw_query().next().doing(doing).map(|row| row.is_some())
    }

    /// How many living rows of a table lie in a span of its clock.
    pub fn count_between(&self, account: i64, table: &str, clock: &str, (from, to): (i64, i64)) -> Result<i64> {
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE account = ?1 AND {clock} >= ?2 AND {clock} < ?3 AND deleted_at IS NULL"
        );
        self.connection.row_cached(&sql, params![account, from, to], |row| row.get(0)).doing("counting rows")
    }

    /// Whether a mark stands on an object: that what we hold of it may be old is known.
    pub fn is_marked(&self, account: i64, table: &str, id: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM changes WHERE account = ?1 AND stream = ?2 AND id = ?3 AND reason <> ?4";
        let doing = "reading what changed";
        self.connection.prepare_cached(sql).doing(doing)?.exists(params![account, table, id, BY_ID]).doing(doing)
    }

    /// Whether a row meets `condition`, where `?2` is the moment `at`.
    pub fn meets(&self, (account, table): (i64, &str), id: &str, condition: &str, at: i64) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {table} WHERE account = ?1 AND id = ?3 AND ({condition}) AND ?2 IS NOT NULL");
        let doing = "comparing with the provider";
        self.connection.prepare_cached(&sql).doing(doing)?.exists(params![account, at, id]).doing(doing)
    }

    /// Adds to the result of the check of this kind that was begun at `at`.
    pub fn note_check(
        &mut self,
        (account, stream): (i64, &str),
        (kind, at): (&str, i64),
        (compared, different): (i64, i64),
    ) -> Result<()> {
        let doing = "noting a check";
        let row = params![account, stream, kind, at, compared, different];
        let sql = "UPDATE checks SET compared = compared + ?5, different = different + ?6
            WHERE account = ?1 AND stream = ?2 AND kind = ?3 AND checked_at = ?4";
        if self.connection.execute_cached(sql, row).doing(doing)? == 0 {
            let sql = "INSERT INTO checks (account, stream, kind, checked_at, compared, different)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            self.connection.execute_cached(sql, row).doing(doing)?;
        }
        Ok(())
    }

    /// Marks a row that a check found different at the provider's time `at`, in a read numbered `read_seq`: it counts only if
    /// no change explains it.
    pub fn suspect(&mut self, account: i64, table: &str, id: &str, (at, read_seq): (i64, i64)) -> Result<()> {
        self.mark_unmarked(account, table, id, (at, read_seq), BY_CHECK)
    }

    /// The rows that a check found different before `heard`, up to where changes were heard since, and that no change has
    /// named: their ids, when it was, and their time in the column `clock`. Their marks go.
    pub fn take_suspects(
        &mut self,
        account: i64,
        table: &str,
        clock: &str,
        heard: i64,
    ) -> Result<Vec<(String, i64, Option<i64>)>> {
        let doing = "settling what differed";
        let sql = format!(
            "SELECT c.id, c.changed_at, t.{clock} FROM changes c LEFT JOIN {table} t ON t.account = c.account AND t.id = c.id
             WHERE c.account = ?1 AND c.stream = ?2 AND c.reason = ?3 AND c.changed_at < ?4 ORDER BY c.id"
        );
        let row = params![account, table, BY_CHECK, heard];
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        let taken = statement.query_map(row, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let taken = taken.doing(doing)?.collect::<rusqlite::Result<Vec<_>>>().doing(doing)?;
        let sql = "DELETE FROM changes WHERE account = ?1 AND stream = ?2 AND reason = ?3 AND changed_at < ?4";
        self.connection.execute_cached(sql, row).doing(doing)?;
        Ok(taken)
    }

    /// When the last check that was begun by `at` was begun.
    pub fn check_before(&self, account: i64, stream: &str, kind: &str, at: i64) -> Result<i64> {
        let sql = "SELECT coalesce(max(checked_at), ?4) FROM checks
            WHERE account = ?1 AND stream = ?2 AND kind = ?3 AND checked_at <= ?4";
        self.connection.row_cached(sql, params![account, stream, kind, at], |row| row.get(0)).doing("reading checks")
    }

    /// True when some difference of a stream waits for a word that explains it.
    pub fn has_suspects(&self, account: i64, table: &str) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM changes WHERE account = ?1 AND stream = ?2 AND reason = ?3)";
        self.connection
            .row_cached(sql, params![account, table, BY_CHECK], |row| row.get(0))
            .doing("reading what differed")
    }

    /// Tells that rows differed, and opens the days in which they lie, so that these are listed again.
    pub fn tell_difference(
        &mut self,
        (account, table, clock): (i64, &str, &str),
        ids: &[String],
        wall: i64,
    ) -> Result<()> {
        let doing = "telling a difference";
        let told = checked(&self.connection, account, table, REREAD)?.told();
        self.note_problem(Some(account), Some(table), &problem::SYNC_DIFFERENCE.with(told), wall)?;
        let sql = format!("SELECT {clock} FROM {table} WHERE account = ?1 AND id = ?2");
        let mut days = BTreeSet::new();
        for id in ids {
            let at = self.connection.row_cached(&sql, params![account, id], |row| row.get::<_, i64>(0)).optional();
            days.extend(at.doing(doing)?.map(|at| at.div_euclid(DAY_MS) * DAY_MS));
        }
        days.into_iter().try_for_each(|day| self.reopen(account, table, (day, day + DAY_MS)))
    }

    /// What differed no longer stands once as many rows as the check that found it compared were compared again and none of
    /// them differed; until then it says how it is now.
    pub fn settle_difference(&mut self, account: i64, stream: &str, wall: i64) -> Result<()> {
        let doing = "settling a difference";
        let sql = "WITH c AS (SELECT rowid AS n, * FROM checks WHERE account = ?1 AND stream = ?2 AND kind = ?3),
            l AS (SELECT max(n) AS last FROM c WHERE different > 0)
            SELECT (SELECT coalesce(sum(compared), 0) FROM c, l WHERE n > last)
                >= coalesce((SELECT max(compared, 1) FROM c, l WHERE n = last), 0)";
        let over = self.connection.row_cached(sql, params![account, stream, REREAD], |row| row.get::<_, bool>(0));
        let over = over.doing(doing)?.then_some(wall);
        let told = checked(&self.connection, account, stream, REREAD)?.told();
        let sql = "UPDATE problems SET cleared_at = ?4, detail = ?5
            WHERE account = ?1 AND stream = ?2 AND code = ?3 AND cleared_at IS NULL";
        let row = params![account, stream, problem::SYNC_DIFFERENCE.code, over, told];
        self.connection.execute_cached(sql, row).doing(doing).map(|_| ())
    }
}

impl Reader {
    /// What the checks of a kind say of a stream: those of the 30 days that end with the last one.
    pub fn checked(&self, account: i64, stream: &str, kind: &str) -> Result<Checked> {
        checked(self.connection(), account, stream, kind)
    }

    /// How many rows `t` of a table that meet `expected` (`?2` and `?3` are `span`) name an object in `column`, and how many
    /// of those objects are not held in the table `of`, nor marked to be read.
    pub fn unheld(
        &self,
        account: i64,
        (table, column, of): (&str, &str, &str),
        expected: &str,
        span: (i64, i64),
    ) -> Result<(i64, i64)> {
        let sql = format!(
            "SELECT count(*), count(*) FILTER (
                 WHERE NOT EXISTS (SELECT 1 FROM {of} o WHERE o.account = t.account AND o.id = t.{column}))
             FROM {table} t WHERE t.account = ?1 AND t.deleted_at IS NULL AND t.{column} IS NOT NULL AND ({expected})
                 AND NOT EXISTS (SELECT 1 FROM changes c
                     WHERE c.account = t.account AND c.stream = '{of}' AND c.id = t.{column} AND c.reason <> '{BY_ID}')"
        );
        let row = params![account, span.0, span.1];
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.connection().query_row(&sql, row, read).doing("comparing streams")
    }
}

fn checked(connection: &rusqlite::Connection, account: i64, stream: &str, kind: &str) -> Result<Checked> {
    let sql = "WITH c AS (SELECT * FROM checks WHERE account = ?1 AND stream = ?2 AND kind = ?3)
        SELECT coalesce(sum(compared), 0), coalesce(sum(different), 0), max(checked_at) FROM c
        WHERE checked_at >= (SELECT max(checked_at) FROM c) - ?4";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Checked { compared: row.get(0)?, different: row.get(1)?, checked_at: row.get(2)? })
    };
    connection.row_cached(sql, params![account, stream, kind, 30 * DAY_MS], read).doing("reading checks")
}
