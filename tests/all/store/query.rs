//! A person's own SQL: it only reads, within limits of rows and of time, and is told what is wrong with it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::problem::Problem;
use counterfoil::store::{Reader, Table, Text};

use super::kit::*;

/// A clock on which every look takes a second.
#[derive(Default)]
struct Looked(AtomicU64);

impl Clock for Looked {
    fn wall_ms(&self) -> i64 {
        0
    }

    fn mono(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn ask(path: &Path, sql: &str, rows: usize, seconds: u64) -> Result<Table, Problem> {
    Reader::open(path).unwrap().query(sql, rows, Duration::from_secs(seconds), Arc::new(Looked::default()))
}

fn refused(path: &Path, sql: &str) -> (&'static str, String) {
    let problem = ask(path, sql, 10, 1_000_000).err().unwrap_or_else(|| panic!("it ran: {sql}"));
    (problem.code(), problem.detail().to_owned())
}

fn store() -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, path) = folder();
    let mut store = open(&path);
    account(&mut store, "main");
    store.close().unwrap();
    (folder, path)
}

#[test]
fn a_query_gives_names_and_values_of_every_kind() {
    let (_folder, path) = store();
    let table = ask(&path, "SELECT account AS a, connection, NULL AS n, 0.5 AS f, x'00ff' AS b FROM accounts", 10, 9);
    let row = vec![Text::Int(1), Text::Text("main".into()), Text::Null, Text::Real(0.5), Text::Blob(vec![0, 255])];
    let columns = ["a", "connection", "n", "f", "b"].map(str::to_owned).to_vec();
    assert_eq!(table.unwrap(), Table { columns, rows: vec![row], cut: false });
}

#[test]
fn rows_are_limited_and_it_says_so() {
    let (_folder, path) = store();
    let count = |upto: u32, limit| {
        let sql =
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {upto}) SELECT i FROM n");
        let table = ask(&path, &sql, limit, 1_000).unwrap();
        (table.rows.len(), table.cut)
    };
    assert_eq!(count(5, 4), (4, true));
    assert_eq!(count(5, 5), (5, false));
    assert_eq!(count(5, 6), (5, false));
    assert_eq!(count(5, 0), (0, true));
}

#[test]
fn time_is_limited() {
    let (_folder, path) = store();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    assert_eq!(ask(&path, endless, 10, 50).err().unwrap().code(), "query.time");
    let short = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9000) SELECT count(*) FROM n";
    assert_eq!(ask(&path, short, 10, 50).unwrap().rows, [[Text::Int(9000)]]);
    // The limit is the query's, not the connection's.
    let mut reader = Reader::open(&path).unwrap();
    reader.query(endless, 10, Duration::from_secs(5), Arc::new(Looked::default())).unwrap_err();
    assert_eq!(reader.table(&short.replace("9000", "900000")).unwrap().rows, [[Text::Int(900_000)]]);
}

#[test]
fn nothing_is_written_nor_reached_outside() {
    let (folder, path) = store();
    let before = stored(folder.path());
    let other = folder.path().join("other.db");
    let other = other.display();
    for sql in [
        "INSERT INTO state VALUES ('a', 'b')",
        "INSERT INTO state VALUES ('a', 'b') RETURNING name",
        "UPDATE accounts SET connection = 'x'",
        "DELETE FROM accounts",
        "CREATE TABLE t (a)",
        "DROP VIEW payments",
        "PRAGMA user_version = 9",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = delete",
        "PRAGMA locking_mode = exclusive",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA writable_schema = 1",
        "PRAGMA temp_store_directory = '/tmp'",
        &format!("ATTACH '{other}' AS other"),
        "DETACH main",
        "VACUUM",
        &format!("VACUUM INTO '{other}'"),
        "REINDEX",
        "BEGIN IMMEDIATE",
    ] {
        assert_eq!(refused(&path, sql), ("query.writes", String::new()), "{sql}");
    }
    let (code, detail) = refused(&path, "SELECT load_extension('libc.so.6')");
    assert_eq!(
        (code, detail.as_str()),
        ("query.invalid", "not authorized to use function: load_extension (at character 8)")
    );
    assert_eq!(stored(folder.path()), before);
}

#[test]
fn one_statement_that_asks_for_rows() {
    let (_folder, path) = store();
    assert_eq!(refused(&path, "SELECT 1; SELECT 2"), ("query.invalid", "one statement at a time".into()));
    assert_eq!(refused(&path, "SELECT 1; DELETE FROM accounts").0, "query.invalid");
    for sql in ["", "  -- nothing\n", "BEGIN", "SAVEPOINT a"] {
        assert_eq!(refused(&path, sql), ("query.invalid", "it asks for no rows".into()), "{sql:?}");
    }
    for sql in ["SELECT 1;", "SELECT 1 -- one", "VALUES (1)", "EXPLAIN SELECT 1", "PRAGMA table_info(payments)"] {
        assert!(!ask(&path, sql, 10, 10).unwrap().rows.is_empty(), "{sql}");
    }
    let names = "SELECT name FROM pragma_table_info('accounts') LIMIT 1";
    assert_eq!(ask(&path, names, 10, 10).unwrap().rows, [[Text::Text("account".into())]]);
}

#[test]
fn a_broken_query_is_told_where() {
    let (_folder, path) = store();
    for (sql, detail) in [
        ("SELEC 1", "near \"SELEC\": syntax error (at character 1)"),
        ("SELECT nonsense FROM accounts", "no such column: nonsense (at character 8)"),
        ("SELECT 1 FROM nowhere", "no such table: nowhere"),
        ("SELECT nofunction(1)", "no such function: nofunction (at character 8)"),
        ("SELECT (1", "incomplete input"),
        ("SELECT '", "unrecognized token: \"'\" (at character 8)"),
    ] {
        assert_eq!(refused(&path, sql), ("query.invalid", detail.to_owned()), "{sql}");
    }
    // What fails only while it runs is not our fault either, and its words may quote data.
    for sql in ["SELECT abs(-9223372036854775808)", "SELECT json_extract(connection, '$.a') FROM accounts"] {
        assert_eq!(refused(&path, sql), ("query.invalid", "a function of it cannot take a value that it met".into()));
    }
}

/// The program's own statements are kept prepared, and stay so whatever their parameters are.
#[test]
fn a_statement_that_is_kept_keeps_its_plan() {
    let (_folder, path) = folder();
    drop(open(&path));
    let reader = Reader::open(&path).unwrap();
    let prepared_again = || {
        let sql = "SELECT window FROM coverage WHERE account = ?1 AND stream = ?2 ORDER BY from_at";
        let mut statement = reader.connection().prepare(sql).unwrap();
        for account in 0..10 {
            assert!(!statement.exists((account, format!("stream {account}"))).unwrap());
        }
        statement.get_status(rusqlite::StatementStatus::RePrepare)
    };
    assert_eq!(prepared_again(), 0);
    let plans = rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
    reader.connection().set_db_config(plans, false).unwrap();
    assert!(prepared_again() > 0, "the setting is what it hangs on");
}
