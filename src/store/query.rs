//! Reading the store: read-only connections with limits, for analysts and for the program's own reading verbs.
//! Nothing here can write, attach another file or wait for ever.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::fault::{Doing, from_sqlite};
use super::header::{judge_header, judge_version};
use super::open::Store;
use crate::clock::Clock;
use crate::dbfile::Held;
use crate::problem::{self, Result};

/// A read-only connection.
pub struct Reader {
    connection: Connection,
    /// After the connection, so that it goes last.
    _held: Held,
}

/// One value of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// NULL
    Null,
    /// A whole number.
    Int(i64),
    /// A number with a fraction (made by the query; stored amounts are whole).
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows, at most the limit.
    pub rows: Vec<Vec<Text>>,
    /// True when the limit cut it off.
    pub cut: bool,
}

impl Reader {
    /// Opens a store read-only. It works beside a running agent and after it stopped.
    pub fn open(path: &Path) -> Result<Self> {
        let held = judge_header(path)?.ok_or_else(|| problem::STORE_MISSING.with(path.display()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        #[allow(clippy::disallowed_methods)] // this is the room's door
        let connection = Connection::open_with_flags(path, flags).doing("opening the store")?;
        let doing = "opening the store for reading";
        connection.busy_timeout(Duration::from_secs(5)).doing(doing)?;
        judge_version(&connection)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing(doing)?;
        connection.pragma_update(None, "query_only", true).doing(doing)?;
        Ok(Self { connection, _held: held })
    }

    /// The connection, for rooms that read through contract views.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs one statement of the person's own, with a limit of rows and of time.
    pub fn query(&mut self, sql: &str, rows: usize, time: Duration, clock: Arc<dyn Clock>) -> Result<Table> {
        let doing = "running the query";
        let until = clock.mono() + time;
        let late = move || clock.mono() > until;
        self.connection.progress_handler(10_000, Some(late)).doing(doing)?;
        self.connection.authorizer(Some(allow)).doing(doing)?;
        let result = self.run(sql, rows);
        let none: Option<fn() -> bool> = None;
        self.connection.progress_handler(0, none).doing(doing)?;
        let none: Option<fn(AuthContext<'_>) -> Authorization> = None;
        self.connection.authorizer(none).doing(doing)?;
        result
    }

    fn run(&self, sql: &str, limit: usize) -> Result<Table> {
        let mut statement = self.connection.prepare(sql).map_err(|error| invalid(&error, sql))?;
        if !statement.readonly() {
            return Err(problem::QUERY_WRITES.plain());
        }
        if statement.column_count() == 0 {
            return Err(problem::QUERY_INVALID.with("it asks for no rows"));
        }
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut found = Table { columns, rows: Vec::new(), cut: false };
        let mut rows = statement.query([]).map_err(|error| failed(&error))?;
        while let Some(row) = rows.next().map_err(|error| failed(&error))? {
            if found.rows.len() == limit {
                found.cut = true;
                break;
            }
            let width = found.columns.len();
            let values = (0..width).map(|at| row.get_ref(at).map(text)).collect::<rusqlite::Result<_>>();
            found.rows.push(values.map_err(|error| failed(&error))?);
        }
        Ok(found)
    }

    /// All accounts, removed ones last.
    pub fn accounts(&self) -> Result<Vec<super::Account>> {
        super::accounts::accounts(&self.connection)
    }

    /// All windows of a stream, oldest first.
    pub fn windows(&self, account: i64, stream: &str) -> Result<Vec<super::Window>> {
        super::coverage::windows(&self.connection, account, stream)
    }

    /// Since when what we hold of a stream may be old: the earliest change that is marked and not read yet.
    pub fn earliest_change(&self, account: i64, stream: &str) -> Result<Option<i64>> {
        super::changes::earliest_change(&self.connection, account, stream)
    }

    /// When something that is done from time to time was last begun.
    pub fn round(&self, account: i64, stream: &str, kind: &str) -> Result<Option<i64>> {
        super::changes::round(&self.connection, account, stream, kind)
    }

    /// What was spent since a moment; `payments` names the table of payments and the column of their time.
    pub fn spending(&self, account: i64, since: i64, payments: Option<(&str, &str)>) -> Result<super::Spending> {
        super::changes::spending(&self.connection, account, since, payments)
    }

    /// Reads several things as they stood at one moment, whatever the writer does between them.
    pub fn at_one_moment<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        if !self.connection.is_autocommit() {
            return read();
        }
        // Nothing is written in it: that it is taken back when it goes changes nothing.
        let _moment = self.connection.unchecked_transaction().doing("reading the store")?;
        read()
    }

    /// All rows of a statement of ours, as a table.
    pub fn table(&self, sql: &str) -> Result<Table> {
        self.run(sql, usize::MAX)
    }
}

impl Store {
    /// All rows of a reading statement of ours, through the writer's own connection.
    pub fn read(&self, sql: &str) -> Result<Table> {
        let doing = "reading the store";
        let mut statement = self.connection.prepare(sql).doing(doing)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let rows = statement.query_map([], |row| (0..width).map(|at| row.get_ref(at).map(text)).collect());
        let rows = rows.doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)?;
        Ok(Table { columns, rows, cut: false })
    }
}

impl Text {
    /// The number, when it is one.
    pub fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The text, when it is one.
    pub fn str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

fn text(value: ValueRef<'_>) -> Text {
    match value {
        ValueRef::Null => Text::Null,
        ValueRef::Integer(number) => Text::Int(number),
        ValueRef::Real(number) => Text::Real(number),
        ValueRef::Text(text) => Text::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Text::Blob(bytes.to_vec()),
    }
}

/// What a person's own statement may do: read, and ask what there is. Settings of the connection stay as they are.
fn allow(context: AuthContext<'_>) -> Authorization {
    const ASKING: [&str; 8] = [
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "user_version",
    ];
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Authorization::Deny,
        AuthAction::Pragma { pragma_name, .. } if !ASKING.contains(&pragma_name) => Authorization::Deny,
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}

/// What SQLite says of the person's own SQL is the person's to see: it quotes the query, not the data.
fn invalid(error: &rusqlite::Error, sql: &str) -> crate::problem::Problem {
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            let at = usize::try_from(*offset).ok().filter(|at| *at <= sql.len());
            match at {
                Some(at) => problem::QUERY_INVALID.with(format!("{msg} (at character {})", at + 1)),
                None => problem::QUERY_INVALID.with(msg),
            }
        }
        rusqlite::Error::SqliteFailure(failure, Some(message)) if failure.code == rusqlite::ErrorCode::Unknown => {
            problem::QUERY_INVALID.with(message)
        }
        rusqlite::Error::SqliteFailure(failure, _)
            if failure.code == rusqlite::ErrorCode::AuthorizationForStatementDenied =>
        {
            problem::QUERY_WRITES.plain()
        }
        rusqlite::Error::MultipleStatement => problem::QUERY_INVALID.with("one statement at a time"),
        other => from_sqlite(other, "reading the query"),
    }
}

/// While a query runs SQLite's words may quote the data: they are not passed on.
fn failed(error: &rusqlite::Error) -> crate::problem::Problem {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => problem::QUERY_TIME.plain(),
        Some(rusqlite::ErrorCode::ReadOnly) => problem::QUERY_WRITES.plain(),
        Some(rusqlite::ErrorCode::Unknown | rusqlite::ErrorCode::TooBig) => {
            problem::QUERY_INVALID.with("a function of it cannot take a value that it met")
        }
        _ => from_sqlite(error, "running the query"),
    }
}
