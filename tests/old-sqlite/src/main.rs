//! `old-sqlite FILE SQL`: prints the rows of a query, values parted by `|`, as read by an old SQLite from a store that it may
//! not write. The first line is that SQLite's version. Ends with 1 and SQLite's message when the query fails.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Result};

fn run(file: &str, sql: &str) -> Result<()> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(sql)?;
    let width = statement.column_count();
    let mut rows = statement.query(rusqlite::NO_PARAMS)?;
    while let Some(row) = rows.next()? {
        let value = |at: usize| {
            Ok(match row.get_raw_checked(at)? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
            })
        };
        println!("{}", (0..width).map(value).collect::<Result<Vec<_>>>()?.join("|"));
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, sql] = &arguments[..] else {
        eprintln!("usage: old-sqlite FILE SQL");
        std::process::exit(2);
    };
    println!("{}", rusqlite::version());
    if let Err(error) = run(file, sql) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
