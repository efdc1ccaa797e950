//! Every version that landed has a file under `tests/databases`, as SQL text: a store of that version opens today with all
//! its rows, and ends with the schema of a fresh one. `UPDATE=1 cargo test` writes the newest version's file anew; the files
//! of older versions are never touched.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use counterfoil::stream::{Kind, Table};
use rusqlite::Connection;

use super::kit::*;

fn file(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/databases/v{version}.sql"))
}

/// Two rows for a table: one with a value in every column, one with nothing where nothing may stand.
fn insert(table: &Table) -> String {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let row = |n: i64| {
        let value = |(at, column): (usize, &counterfoil::stream::Column)| match column.kind {
            _ if n == 2 && !column.required => "NULL".to_owned(),
            _ if column.name == "account" => n.to_string(),
            Kind::Integer => (1_700_000_000_000 * n + at as i64).to_string(),
            Kind::Text => format!("'{} {n}'", column.name),
        };
        let values: Vec<String> = table.columns.iter().enumerate().map(value).collect();
        format!("({})", values.join(", "))
    };
    format!("INSERT INTO {} ({}) VALUES {}, {};", table.name, names.join(", "), row(1), row(2))
}

/// A store of today with two rows in every table.
fn sample(path: &Path) {
    open(path).close().unwrap();
    let schema = schema();
    let tables = schema.control.tables.iter().chain(schema.streams.iter().flat_map(|stream| &stream.tables));
    let sql: Vec<String> = tables.map(insert).collect();
    writer(path).execute_batch(&sql.join("\n")).unwrap();
}

/// The whole store as SQL, always in the same words. Views are left out: they are made when the store is opened.
fn dump(path: &Path) -> String {
    let store = stranger(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let mut sql =
        String::from("-- A store of this version with two rows in every table, written by the test `migrations`.\n");
    for pragma in ["application_id", "user_version"] {
        writeln!(sql, "PRAGMA {pragma} = {};", rows(&store, &format!("PRAGMA {pragma}"))[0]).unwrap();
    }
    let made = "SELECT sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL ORDER BY rowid";
    for statement in rows(&store, made) {
        // What a column means may be told in better words at any time: that is no change of the schema.
        let words = |line: &str| line.split("--").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = statement.lines().map(words).filter(|line| !line.is_empty()).collect();
        writeln!(sql, "{};", lines.join("\n  ").replace("\n  )", "\n)")).unwrap();
    }
    for table in tables(&store) {
        let quoted: Vec<String> = columns(&store, &table).iter().map(|name| format!("quote({name})")).collect();
        let select = format!("SELECT {} FROM {table} ORDER BY rowid", quoted.join(" || ', ' || "));
        for row in rows(&store, &select) {
            writeln!(sql, "INSERT INTO {table} VALUES ({row});").unwrap();
        }
    }
    sql
}

/// Every landed version's file, oldest first.
pub(super) fn landed() -> Vec<String> {
    (1..).map_while(|version| std::fs::read_to_string(file(version)).ok()).collect()
}

/// Every table of a store with its columns.
pub(super) fn held(path: &Path) -> Vec<(String, Vec<String>)> {
    let store = writer(path);
    tables(&store).into_iter().map(|table| (table.clone(), columns(&store, &table))).collect()
}

fn tables(store: &Connection) -> Vec<String> {
    rows(store, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid")
}

fn columns(store: &Connection, table: &str) -> Vec<String> {
    rows(store, &format!("SELECT name FROM pragma_table_info('{table}')"))
}

/// What a store is made of, whatever the order in which its columns came.
fn shape(path: &Path) -> Vec<String> {
    let store = stranger(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let mut shape = rows(
        &store,
        "SELECT type || ' ' || name || ' ' || sql FROM sqlite_schema WHERE type IN ('view', 'index') AND sql IS NOT NULL",
    );
    for table in tables(&store) {
        let columns =
            format!("SELECT '{table}', name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')");
        let keys =
            format!("SELECT '{table}', \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list('{table}')");
        shape.extend([rows(&store, &columns), rows(&store, &keys)].concat());
    }
    shape.sort();
    shape
}

/// All rows, by table, of the columns given; the one fact that opening changes is left out.
pub(super) fn content(path: &Path, of: &[(String, Vec<String>)]) -> Vec<String> {
    let store = stranger(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let table = |(table, columns): &(String, Vec<String>)| {
        let only = if table == "state" { "WHERE name <> 'in_use'" } else { "" };
        rows(&store, &format!("SELECT '{table}', {} FROM {table} {only} ORDER BY rowid", columns.join(", ")))
    };
    of.iter().flat_map(table).collect()
}

#[test]
fn every_landed_version_opens_whole() {
    let (_today, today) = folder();
    sample(&today);
    let newest: u32 = look(&today, "PRAGMA user_version")[0].parse().unwrap();
    let written = dump(&today);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        std::fs::write(file(newest), &written).unwrap();
    }
    for version in 1..=newest {
        let kept = std::fs::read_to_string(file(version)).unwrap_or_else(|error| panic!("v{version}.sql: {error}"));
        let (_folder, path) = folder();
        writer(&path).execute_batch(&kept).unwrap();
        let held = held(&path);
        let before = content(&path, &held);
        assert!(before.len() >= 2 * held.len(), "v{version}: a table without rows");
        let store = open(&path);
        assert_eq!(content(&path, &held), before, "v{version}");
        assert_eq!(shape(&path), shape(&today), "v{version}");
        assert_eq!(look(&path, "PRAGMA user_version"), [newest.to_string()], "v{version}");
        assert_eq!(look(&path, "PRAGMA integrity_check"), ["ok"], "v{version}");
        assert_eq!(store.state("uuid").unwrap().map(|uuid| uuid.len()), Some(36), "v{version}");
        store.close().unwrap();
    }
    let kept = std::fs::read_to_string(file(newest)).unwrap();
    let same = kept.lines().zip(written.lines()).find(|(kept, written)| kept != written);
    assert!(
        kept == written,
        "the schema of version {newest} is no longer that of its file: if that version has landed, \
        add a migration, else run with UPDATE=1. First difference: {same:?}"
    );
}
