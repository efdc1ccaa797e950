//! Committing pages: the rows, the coverage they prove and the checkpoint that says they are in, in one transaction.
//! Nothing else moves a checkpoint.

use std::fmt::Write as _;
use std::sync::Arc;

use rusqlite::CachedStatement;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::changes::{BY_ID, Marks};
use super::coverage::Step;
use super::fault::Doing;
use super::open::Store;
use crate::problem::{self, Result};
use crate::stream::{Cell, Declaration, Page, Projection, Source, Value};
use crate::testpoint::planted;

/// How the rows of one stream are written for one account: fixed once, shared by all its commits.
#[derive(Debug)]
pub struct Upsert {
    /// The stream: the name of its main table.
    pub stream: String,
    /// The account whose rows these are.
    pub account: i64,
    /// The declaration's hash, for coverage.
    pub declaration: String,
    /// What its records say of other objects.
    pub marks: Option<Marks>,
    /// How much older than its answer a search may be, milliseconds: what was read by id within that time before it stays.
    pub behind_ms: i64,
    pub(super) tables: Vec<Target>,
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    /// The column behind each cell.
    pub(super) columns: Vec<String>,
    /// Key columns other than the account.
    pub(super) key: Vec<String>,
    /// Children keyed by their parent and their position: the cell of the parent's id in the parent's rows.
    pub(super) parent_id: Option<usize>,
    /// The cell of its own id, where that is its key.
    pub(super) id: Option<usize>,
}

/// One page to be committed.
pub struct Commit {
    /// What and where.
    pub upsert: Arc<Upsert>,
    /// The rows.
    pub page: Page,
    /// Number of the read, taken before the request was sent.
    pub read_seq: i64,
    /// Number of the marks that the page makes, taken after the answer came: only reads sent later than it have seen what it
    /// says.
    pub mark_seq: i64,
    /// When the answer came, by the provider's clock as far as that is known.
    pub read_at: i64,
    /// What the read was: list, search, get.
    pub source: &'static str,
    /// What the page proves.
    pub step: Step,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Records on the page, rejected ones included.
    pub records: u64,
    /// Rows that were new or changed.
    pub written: u64,
    /// Records and elements that did not convert.
    pub rejected: u64,
    /// The key of the window that the page is of.
    pub window: Option<i64>,
}

impl Upsert {
    /// The cell of the main table's id.
    pub(super) fn id(&self) -> Option<usize> {
        self.tables[0].id
    }

    /// Prepares writing of `declaration`'s rows as `projection` makes them.
    pub fn new(account: i64, declaration: &Declaration, projection: &Projection) -> Self {
        let main_id = declaration.main().column("id").and_then(|id| projection.cell_of(id));
        let tables = declaration.tables.iter().enumerate().map(|(index, table)| {
            let name_of = |column: &usize| table.columns[*column].name.clone();
            let columns: Vec<String> = projection.columns(index).iter().map(name_of).collect();
            let key: Vec<String> = table.key.iter().filter(|name| *name != "account").cloned().collect();
            let positioned = table.columns.iter().any(|column| column.source == Source::Position) && key.len() == 2;
            let parent_id = if positioned { main_id } else { None };
            let id = columns.iter().position(|column| column == "id").filter(|_| key == ["id"]);
            Target { name: table.name.clone(), columns, key, parent_id, id }
        });
        Self {
            stream: declaration.main().name.clone(),
            account,
            declaration: declaration.hash.clone(),
            marks: None,
            behind_ms: 0,
            tables: tables.collect(),
        }
    }
}

pub(super) struct Bound<'p>(pub(super) Value<'p>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text),
        }))
    }
}

impl Store {
    /// Writes a page with all that it proves. Runs within the transaction of the job that calls it.
    pub fn commit_page(&mut self, commit: &Commit) -> Result<Committed> {
        if !planted("marks_after_page") {
            self.mark(commit)?;
        }
        // After the marks: to those a record that goes over is as new as any other.
        self.held_once(commit)?;
        let before = self.connection.total_changes();
        let latest = self.upsert_rows(commit, 0, |_| true)?;
        for (table, target) in commit.upsert.tables.iter().enumerate().skip(1) {
            let Some(id) = target.parent_id else {
                // Of a record of an index that is refused nothing is taken. A part comes without its record.
                let parents = &commit.page.tables[table].parents;
                let late =
                    |row: usize| commit.upsert.behind_ms > 0 && latest.get(parents[row] as usize) == Some(&false);
                self.upsert_rows(commit, table, |row| !late(row))?;
                continue;
            };
            // Positions mean something only together: they are those of the read that the parent's row shows.
            let parents = &commit.page.tables[table].parents;
            self.upsert_rows(commit, table, |row| latest[parents[row] as usize])?;
            self.end_arrays(commit, table, id, &latest)?;
        }
        let written = self.connection.total_changes() - before;
        if planted("marks_after_page") {
            self.mark(commit)?;
        }
        self.count_rejected(commit)?;
        self.count_drift(commit)?;
        let rejected = commit.page.rejected.len() as u64;
        if let Step::One { id } = &commit.step {
            let behind_ms = if commit.source == "search" { commit.upsert.behind_ms } else { 0 };
            let read = (commit.read_seq, commit.read_at, behind_ms);
            self.forget_change(commit.upsert.account, &commit.upsert.stream, id, read)?;
            if commit.upsert.behind_ms > 0 && commit.source == "get" && !planted("index_never_asked") {
                // What the index tells besides is still to come.
                let (of, now) = (&commit.upsert, (commit.read_at, commit.read_seq));
                self.mark_unmarked(of.account, &of.stream, id, now, BY_ID)?;
            }
        }
        let counts = (commit.page.records, rejected);
        let window = self.step(&commit.upsert, &commit.step, counts, commit.read_at)?;
        Ok(Committed { records: commit.page.records, written, rejected, window })
    }

    /// Writes the wanted rows of a table; says of each whether it now shows this read (a later one may stand there).
    fn upsert_rows(&mut self, commit: &Commit, table: usize, wanted: impl Fn(usize) -> bool) -> Result<Vec<bool>> {
        let doing = "storing a page";
        let (target, rows) = (&commit.upsert.tables[table], &commit.page.tables[table]);
        let mut latest = vec![false; rows.len()];
        // Rows with the same columns present share a statement, and most rows of a list do: each statement is asked for once
        // a page, however the rows are mixed.
        let mut alike: Vec<(u128, Vec<usize>)> = Vec::new();
        for row in (0..rows.len()).filter(|row| wanted(*row)) {
            let present = presence(rows.row(row));
            match alike.iter_mut().find(|(other, _)| *other == present) {
                Some((_, group)) => group.push(row),
                None => alike.push((present, vec![row])),
            }
        }
        for (present, group) in alike {
            let key = (target.name.clone(), present);
            let behind_ms = commit.upsert.behind_ms;
            let sql = self.statements.entry(key).or_insert_with(|| upsert_sql(target, present, behind_ms));
            let mut statement = self.connection.prepare_cached(sql).doing(doing)?;
            for row in group {
                bind_row(&mut statement, commit, rows.row(row)).doing(doing)?;
                latest[row] = statement.raw_execute().doing(doing)? == 1;
            }
        }
        Ok(latest)
    }

    /// Elements beyond the end of an array that came shorter than before are marked as gone.
    fn end_arrays(&self, commit: &Commit, table: usize, id: usize, latest: &[bool]) -> Result<()> {
        let doing = "ending an array";
        let target = &commit.upsert.tables[table];
        let sql = format!(
            "UPDATE {} SET deleted_at = ?1, read_at = ?1, read_seq = ?2
             WHERE account = ?3 AND {} = ?4 AND {} >= ?5 AND deleted_at IS NULL",
            target.name, target.key[0], target.key[1]
        );
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        for (parent, length) in &commit.page.tables[table].lengths {
            let parent = *parent as usize;
            if latest[parent] {
                let id = Bound(commit.page.value(commit.page.tables[0].row(parent)[id]));
                let row = rusqlite::params![commit.read_at, commit.read_seq, commit.upsert.account, id, length];
                statement.execute(row).doing(doing)?;
            }
        }
        Ok(())
    }

    fn count_rejected(&self, commit: &Commit) -> Result<()> {
        let doing = "counting rejected records";
        for rejected in &commit.page.rejected {
            let sql =
                "INSERT INTO rejected (account, stream, id, reason, field, read_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT DO UPDATE SET times = times + 1, read_at = excluded.read_at";
            let table = &commit.upsert.tables[rejected.table].name;
            let row = rusqlite::params![
                commit.upsert.account,
                table,
                rejected.id,
                rejected.reason,
                rejected.column,
                commit.read_at
            ];
            self.connection.prepare_cached(sql).doing(doing)?.execute(row).doing(doing)?;
        }
        Ok(())
    }

    fn count_drift(&self, commit: &Commit) -> Result<()> {
        let doing = "counting unknown fields";
        for (field, times) in &commit.page.drift {
            let sql =
                "INSERT INTO drift (account, stream, field, times, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                ON CONFLICT DO UPDATE SET times = times + excluded.times, last_at = excluded.last_at";
            let times = i64::try_from(*times).unwrap_or(i64::MAX);
            let row = rusqlite::params![commit.upsert.account, commit.upsert.stream, field, times, commit.read_at];
            self.connection.prepare_cached(sql).doing(doing)?.execute(row).doing(doing)?;
        }
        Ok(())
    }

    /// Numbers for `count` reads, taken before the requests are sent. Later reads have greater numbers, for ever.
    pub fn take_read_seq(&mut self, count: i64) -> Result<i64> {
        const RESERVE: i64 = 10_000;
        if self.next_read == 0 {
            let stored = self.state("next_read")?.and_then(|text| text.parse().ok()).unwrap_or(1);
            (self.next_read, self.reserved_reads) = (stored, stored);
        }
        if self.next_read + count > self.reserved_reads {
            self.reserved_reads = self.next_read + count + RESERVE;
            if !planted("read_numbers_reused") {
                self.set_state("next_read", &self.reserved_reads.to_string())?;
            }
        }
        let first = self.next_read;
        self.next_read += count;
        Ok(first)
    }
}

/// The parameters of [`upsert_sql`]'s statement.
fn bind_row(statement: &mut CachedStatement<'_>, commit: &Commit, cells: &[Cell]) -> rusqlite::Result<()> {
    let int = Value::Int;
    let present = cells.iter().filter(|cell| is_there(**cell)).map(|cell| commit.page.value(*cell));
    let (read_at, source) = (int(commit.read_at), Value::Text(commit.source.as_bytes()));
    let after = [read_at, read_at, int(commit.read_seq), source];
    let values = std::iter::once(int(commit.upsert.account)).chain(present).chain(after);
    values.enumerate().try_for_each(|(at, value)| statement.raw_bind_parameter(at + 1, Bound(value)))
}

/// Which columns a row has, a bit each.
pub(super) fn presence(cells: &[Cell]) -> u128 {
    cells.iter().enumerate().fold(0, |bits, (at, cell)| if is_there(*cell) { bits | 1 << at } else { bits })
}

/// What a record leaves out says nothing, and what is held stays.
fn is_there(cell: Cell) -> bool {
    cell != Cell::Absent || planted("poorer_overwrites")
}

fn upsert_sql(target: &Target, present: u128, behind_ms: i64) -> String {
    let names: Vec<&str> =
        target.columns.iter().enumerate().filter(|(at, _)| present >> at & 1 == 1).map(|(_, n)| &**n).collect();
    let list = names.iter().fold(String::new(), |list, name| list + ", " + name);
    let marks = ", ?".repeat(names.len());
    let mut sql = format!(
        "INSERT INTO {table} (account{list}, seen_at, read_at, read_seq, source) VALUES (?{marks}, ?, ?, ?, ?)
         ON CONFLICT (account, {key}) DO UPDATE SET ",
        table = target.name,
        key = target.key.join(", ")
    );
    for name in names.iter().filter(|name| !target.key.iter().any(|key| key == *name)) {
        // Writing to a string cannot fail.
        let _ok = write!(sql, "{name} = excluded.{name}, ");
    }
    sql.push_str(
        "read_at = excluded.read_at, read_seq = excluded.read_seq, source = excluded.source, deleted_at = NULL",
    );
    sql.push_str(&unless_newer(&target.name, behind_ms));
    sql
}

/// The condition under which a read takes the place of what is held in `table`.
fn unless_newer(table: &str, behind_ms: i64) -> String {
    let mut only = Vec::new();
    if !planted("older_read_wins") {
        only.push(format!("excluded.read_seq >= {table}.read_seq"));
    }
    if behind_ms > 0 && !planted("behind_wins") {
        // Where the clock went back in between, the search is believed.
        only.push(format!(
            "NOT (excluded.source = 'search' AND {table}.source = 'get'
             AND {table}.read_at > excluded.read_at - {behind_ms} AND {table}.read_at <= excluded.read_at)"
        ));
    }
    if only.is_empty() { String::new() } else { format!(" WHERE {}", only.join(" AND ")) }
}

/// More columns than bits in the mask would be a silent loss: refused when the store is opened.
pub(super) fn check_width(declaration: &Declaration) -> Result<()> {
    match declaration.tables.iter().find(|table| table.columns.len() > 128) {
        Some(table) => Err(problem::DECLARATION.with(format!("{} has more than 128 columns", table.name))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_more_columns_than_the_mask_has_bits() {
        let of = |columns: usize| {
            let columns: String = (1..columns).map(|n| format!("  c{n} TEXT, -- c{n} | vocab | x\n")).collect();
            let sql = format!(
                "-- One.\nCREATE TABLE t (\n  account INTEGER NOT NULL, -- - | ops | x\n{columns}  PRIMARY KEY (account, c1)\n);\n"
            );
            check_width(&Declaration::parse("t.sql", sql.leak()).unwrap())
        };
        assert!(of(2).is_ok() && of(128).is_ok());
        assert!([129, 130].iter().all(|columns| of(*columns).is_err_and(|why| why.is(&problem::DECLARATION))));
    }
}
