//! The agent's own records in the store: runs, problems, configuration generations.

use rusqlite::params;

use super::cached::Cached;
use super::fault::Doing;
use super::open::Store;
use crate::problem::{self, Problem, Result};

/// The condition that a stream read to its end does not clear: only comparing again does.
const LASTING: &str = problem::SYNC_DIFFERENCE.code;

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// The problem's code, `None` when all went well.
    pub code: Option<&'static str>,
    /// Requests sent, tries included.
    pub requests: u64,
    /// Pages stored.
    pub pages: u64,
    /// Records stored.
    pub rows: u64,
    /// Bytes of the pages.
    pub bytes: u64,
}

/// A condition that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemRow {
    /// The account, `None` for the agent itself.
    pub account: Option<i64>,
    /// The stream, `None` for the whole connection.
    pub stream: Option<String>,
    /// The catalogue's code.
    pub code: String,
    /// The particulars.
    pub detail: String,
    /// When it was first met.
    pub first_at: i64,
    /// When it was last met.
    pub last_at: i64,
}

/// So many runs of a stream are kept, older ones go.
pub const RUNS_KEPT: i64 = 500;
/// Every so many runs, of whatever stream, those that are too many go.
const RUNS_LOOKED_AFTER: i64 = 64;

impl Store {
    /// Notes the start of a run.
    pub fn begin_run(&mut self, account: i64, stream: &str, now_ms: i64) -> Result<i64> {
        let sql = "INSERT INTO runs (account, stream, started_at) VALUES (?1, ?2, ?3)";
        self.connection.execute_cached(sql, params![account, stream, now_ms]).doing("noting a run")?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Notes the end of a run. Of the runs of a stream the last [`RUNS_KEPT`] are kept, and some more for a while.
    pub fn end_run(&mut self, run: i64, end: &RunEnd, now_ms: i64) -> Result<()> {
        let doing = "noting the end of a run";
        let outcome = if end.code.is_some() { "failed" } else { "fine" };
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let sql =
            "UPDATE runs SET ended_at = ?2, outcome = ?3, code = ?4, requests = ?5, pages = ?6, rows = ?7, bytes = ?8
            WHERE run = ?1";
        let (requests, pages, rows, bytes) = (count(end.requests), count(end.pages), count(end.rows), count(end.bytes));
        self.connection
            .execute_cached(sql, params![run, now_ms, outcome, end.code, requests, pages, rows, bytes])
            .doing(doing)?;
        // It looks at all of them, so not after each.
        if run % RUNS_LOOKED_AFTER != 0 {
            return Ok(());
        }
        let sql = "DELETE FROM runs WHERE run IN (SELECT run FROM (SELECT run, row_number() OVER
            (PARTITION BY account, stream ORDER BY run DESC) AS place FROM runs) WHERE place > ?1)";
        self.connection.execute_cached(sql, [RUNS_KEPT]).doing(doing).map(drop)
    }

    /// Notes a condition: a new one, or once more the one that stands.
    pub fn note_problem(
        &mut self,
        account: Option<i64>,
        stream: Option<&str>,
        problem: &Problem,
        now_ms: i64,
    ) -> Result<()> {
        let doing = "noting a problem";
        if account.is_some() && stream.is_some() {
            // Of a provider's stream only the last thing met stands: an older one is no longer what stops it.
            let sql = "UPDATE problems SET cleared_at = ?4
                WHERE account IS ?1 AND stream IS ?2 AND code NOT IN (?3, ?5) AND ?3 <> ?5 AND cleared_at IS NULL";
            let row = params![account, stream, problem.code(), now_ms, LASTING];
            self.connection.execute_cached(sql, row).doing(doing)?;
        }
        let sql = "UPDATE problems SET last_at = ?5, times = times + 1, detail = ?4
            WHERE account IS ?1 AND stream IS ?2 AND code = ?3 AND cleared_at IS NULL";
        let row = params![account, stream, problem.code(), problem.detail(), now_ms];
        if self.connection.execute_cached(sql, row).doing(doing)? == 0 {
            let sql = "INSERT INTO problems (account, stream, code, detail, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
            self.connection.execute_cached(sql, row).doing(doing)?;
        }
        Ok(())
    }

    /// Clears what stood for a stream (or a connection, or the agent), but for what lasts.
    pub fn clear_problems(&mut self, account: Option<i64>, stream: Option<&str>, now_ms: i64) -> Result<()> {
        let sql = "UPDATE problems SET cleared_at = ?3
            WHERE account IS ?1 AND stream IS ?2 AND code <> ?4 AND cleared_at IS NULL";
        self.connection
            .execute_cached(sql, params![account, stream, now_ms, LASTING])
            .doing("clearing problems")
            .map(|_| ())
    }

    /// Clears what stood for streams of an account that are not among these tables.
    pub fn clear_problems_beside(&mut self, account: i64, tables: &[String], now_ms: i64) -> Result<()> {
        let names = serde_json::to_string(tables).unwrap_or_default();
        // What stands for the whole connection has no stream, and is not among these.
        let sql = "UPDATE problems SET cleared_at = ?3 WHERE cleared_at IS NULL AND account = ?1
            AND stream NOT IN (SELECT value FROM json_each(?2))";
        self.connection.execute_cached(sql, params![account, names, now_ms]).doing("clearing problems").map(|_| ())
    }

    /// Clears what stood for accounts of whose connections none is among these names.
    pub fn clear_problems_without(&mut self, connections: &[String], now_ms: i64) -> Result<()> {
        let names = serde_json::to_string(connections).unwrap_or_default();
        let sql =
            "UPDATE problems SET cleared_at = ?2 WHERE cleared_at IS NULL AND account IN (SELECT account FROM accounts
            WHERE connection IS NULL OR connection NOT IN (SELECT value FROM json_each(?1)))";
        self.connection.execute_cached(sql, params![names, now_ms]).doing("clearing problems").map(|_| ())
    }

    /// Makes `standing` all that stands for the whole of a connection.
    pub fn settle_problems(&mut self, account: i64, standing: &[Problem], now_ms: i64) -> Result<()> {
        let codes = standing.iter().map(|problem| format!("'{}'", problem.code())).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "UPDATE problems SET cleared_at = ?2
             WHERE account = ?1 AND stream IS NULL AND cleared_at IS NULL AND code NOT IN ({codes})"
        );
        self.connection.execute_cached(&sql, params![account, now_ms]).doing("clearing problems")?;
        standing.iter().try_for_each(|problem| self.note_problem(Some(account), None, problem, now_ms))
    }

    /// Clears one condition of the agent itself.
    pub fn clear_problem(&mut self, code: &str, now_ms: i64) -> Result<()> {
        let sql = "UPDATE problems SET cleared_at = ?2 WHERE account IS NULL AND code = ?1 AND cleared_at IS NULL";
        self.connection.execute_cached(sql, params![code, now_ms]).doing("clearing problems").map(|_| ())
    }

    /// The conditions that stand, oldest first.
    pub fn problems(&self) -> Result<Vec<ProblemRow>> {
        let doing = "reading problems";
        let sql = "SELECT account, stream, code, detail, first_at, last_at FROM problems WHERE cleared_at IS NULL ORDER BY first_at";
        let mut statement = self.connection.prepare_cached(sql).doing(doing)?;
        let rows = statement.query_map([], |row| {
            Ok(ProblemRow {
                account: row.get(0)?,
                stream: row.get(1)?,
                code: row.get(2)?,
                detail: row.get(3)?,
                first_at: row.get(4)?,
                last_at: row.get(5)?,
            })
        });
        rows.doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)
    }

    /// Notes a configuration that was applied or refused; the same one twice in a row is noted once.
    pub fn note_generation(&mut self, hash: &str, applied: bool, detail: &str, now_ms: i64) -> Result<i64> {
        let doing = "noting the configuration";
        let outcome = if applied { "applied" } else { "refused" };
        let last = "SELECT generation FROM config_generations WHERE generation = (SELECT max(generation) FROM config_generations)
            AND hash = ?1 AND outcome = ?2";
        use rusqlite::OptionalExtension;
        let same =
            self.connection.row_cached(last, params![hash, outcome], |row| row.get(0)).optional().doing(doing)?;
        if let Some(generation) = same {
            return Ok(generation);
        }
        let sql = "INSERT INTO config_generations (hash, loaded_at, outcome, detail) VALUES (?1, ?2, ?3, ?4)";
        self.connection.execute_cached(sql, params![hash, now_ms, outcome, detail]).doing(doing)?;
        Ok(self.connection.last_insert_rowid())
    }
}
