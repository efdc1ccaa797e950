//! The bare loops: fetch a page, read it, bind its rows, commit every few pages. No windows, no checkpoints, no checks, no
//! retries, no pacing: what is left when everything that an agent is for is taken away.

use std::path::Path;

use counterfoil::stream::{Column, Conversion, Declaration, Source};
use counterfoil::vault::TokenKey;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};
use serde_json::Value;

use super::contest::{COMMIT_PAGES, Done, Order};
use super::table::{self, TABLE};
use super::typed;

/// How a loop reads a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Into a struct that serde derives; keyed columns get the clear value.
    Typed,
    /// The same, and keyed columns are hashed as the agent hashes them.
    Hashing,
    /// Into `serde_json::Value`; keyed columns get the clear value.
    Value,
}

struct Bound<'v>(ValueRef<'v>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

/// Reads the whole list into a new store in `folder`.
pub fn run(reading: Reading, order: &Order) -> Done {
    rustls::crypto::ring::default_provider().install_default().expect("the only provider");
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let declaration = table::stream().declaration().expect("a declaration");
    let columns = table::columns(&declaration);
    let connection = open(&order.folder.join("bare.db"), &declaration);
    let mut reader = Reader { reading, paths: paths(&columns), tokens: TokenKey::new(1, &[7; 32]), columns };
    let sql = table::upsert(&reader.columns);
    let (mut done, mut cursor) = (Done::default(), None::<String>);
    loop {
        let page = runtime.block_on(fetch(&client, order, cursor.as_deref()));
        if done.requests % COMMIT_PAGES == 0 {
            connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        }
        done.requests += 1;
        let mut statement = connection.prepare_cached(&sql).expect("the statement");
        let (rows, last) = reader.store(&page, &mut statement, done.requests);
        done.rows += rows;
        cursor = last;
        if cursor.is_none() || done.requests % COMMIT_PAGES == 0 {
            connection.execute_batch("COMMIT").expect("a commit");
        }
        if cursor.is_none() {
            break;
        }
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    done
}

async fn fetch(client: &reqwest::Client, order: &Order, cursor: Option<&str>) -> Vec<u8> {
    let mut url = format!("{}/v1/charges?limit=100&created[lt]={}", order.url, order.before_s);
    if let Some(cursor) = cursor {
        url = format!("{url}&starting_after={cursor}");
    }
    let response = client.get(url).bearer_auth(&order.key).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.bytes().await.expect("a body").into()
}

/// The same tables, pragmas and cache as the agent's; SQLite's own checkpointing at the same size of the log.
#[allow(clippy::disallowed_methods)] // a bare loop has no room `store` to ask
fn open(path: &Path, declaration: &Declaration) -> Connection {
    let connection = Connection::open(path).expect("a file");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;
             PRAGMA journal_size_limit = 67108864; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;",
        )
        .expect("pragmas");
    connection.execute_batch(counterfoil::agent::schema().expect("a schema").control.sql).expect("control tables");
    connection.execute_batch(declaration.sql).expect("the table");
    let account =
        "INSERT INTO accounts (account, uuid, connection, provider, created_at) VALUES (1, 'u', 'main', 'stripe', 0)";
    connection.execute_batch(account).expect("an account");
    connection
}

fn paths(columns: &[Column]) -> Vec<Vec<String>> {
    let path = |column: &Column| match &column.source {
        Source::Path(path) => path.clone(),
        _ => panic!("{TABLE} has only paths"),
    };
    columns.iter().map(path).collect()
}

struct Reader {
    reading: Reading,
    columns: Vec<Column>,
    paths: Vec<Vec<String>>,
    tokens: TokenKey,
}

impl Reader {
    /// Stores a page's rows; the cursor of the next page, if there is one.
    fn store(&mut self, page: &[u8], statement: &mut CachedStatement<'_>, seq: u64) -> (u64, Option<String>) {
        if self.reading == Reading::Value {
            let page: Value = serde_json::from_slice(page).expect("a page");
            let records = page["data"].as_array().expect("a list");
            for record in records {
                bind(statement, seq, self.value_row(record));
            }
            let last = records.last().filter(|_| page["has_more"] == true);
            return (records.len() as u64, last.and_then(|last| last["id"].as_str()).map(str::to_owned));
        }
        let page: typed::Page<'_> = serde_json::from_slice(page).expect("a page");
        for record in &page.data {
            self.bind_typed(statement, seq, record);
        }
        let last = page.data.last().filter(|_| page.has_more);
        (page.data.len() as u64, last.map(|last| last.id().to_owned()))
    }

    fn bind_typed(&self, statement: &mut CachedStatement<'_>, seq: u64, record: &typed::Charge<'_>) {
        let row = record.row();
        assert_eq!(row.len(), self.columns.len());
        if self.reading == Reading::Typed {
            return bind(statement, seq, row.into_iter());
        }
        let mut hashed = [const { String::new() }; 4];
        let mut slots = hashed.iter_mut();
        let keyed = |column: &&Column| column.conversion == Conversion::Keyed;
        for (column, value) in self.columns.iter().zip(&row).filter(|(column, _)| keyed(column)) {
            let slot = slots.next().expect("a slot for each keyed column");
            if let ValueRef::Text(text) = value {
                self.tokens.write_token(&column.name, std::str::from_utf8(text).expect("text"), slot);
            }
        }
        let mut hashed = hashed.iter().map(|text| match &**text {
            "" => ValueRef::Null,
            text => ValueRef::Text(text.as_bytes()),
        });
        let values = self.columns.iter().zip(row).map(|(column, value)| match column.conversion {
            Conversion::Keyed => hashed.next().unwrap_or(ValueRef::Null),
            _ => value,
        });
        bind(statement, seq, values);
    }

    fn value_row<'v>(&'v self, record: &'v Value) -> impl Iterator<Item = ValueRef<'v>> {
        self.columns.iter().zip(&self.paths).map(move |(column, path)| {
            let value = path.iter().try_fold(record, |value, key| value.get(key));
            match (value, &column.conversion) {
                (_, Conversion::Allowed) => ValueRef::Text(b"{}"), // no key of the metadata is allowed
                (None | Some(Value::Null), _) => ValueRef::Null,
                (Some(Value::Bool(truth)), _) => ValueRef::Integer(i64::from(*truth)),
                (Some(Value::String(text)), _) => ValueRef::Text(text.as_bytes()),
                (Some(value), Conversion::Unix) => ValueRef::Integer(value.as_i64().expect("whole") * 1000),
                (Some(value), _) => ValueRef::Integer(value.as_i64().expect("a number")),
            }
        })
    }
}

fn bind<'v>(statement: &mut CachedStatement<'_>, seq: u64, row: impl Iterator<Item = ValueRef<'v>>) {
    let (read_at, seq) = (ValueRef::Integer(1_700_000_000_000), ValueRef::Integer(seq as i64));
    let around = [read_at, read_at, seq, ValueRef::Text(b"list")];
    for (at, value) in std::iter::once(ValueRef::Integer(1)).chain(row).chain(around).enumerate() {
        statement.raw_bind_parameter(at + 1, Bound(value)).expect("a value");
    }
    statement.raw_execute().expect("a row");
}
