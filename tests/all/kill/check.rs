//! What must be true of a house whose children were killed: the store holds what listing can know and nothing else, each row
//! once; what left, left once. Every fault is told in words, so that a planted bug can be recognised by its own.

use std::collections::BTreeMap;

use counterfoil::store::{Reader, WindowState};
use counterfoil::sync::missing;

use super::house::{House, LAG_MS, Stream};

/// Everything that is wrong. `began`: the sandbox's time when the last pass, which was not disturbed, began.
pub(super) fn faults(house: &House, began: i64) -> Vec<String> {
    let mut faults = Vec::new();
    let reader = house.reader();
    for stream in house.plan.streams {
        rows(house, &reader, stream, began, &mut faults);
        coverage(house, &reader, stream, began, &mut faults);
    }
    store(&reader, &mut faults);
    if house.path("egress.db").exists() {
        upstream(house, &reader, &mut faults);
    }
    faults
}

/// The rows of a stream against what the provider holds.
fn rows(house: &House, reader: &Reader, stream: &Stream, began: i64, faults: &mut Vec<String>) {
    let (_, table, truth) = *stream;
    let held = reader.table(&format!("SELECT id, amount FROM {table} WHERE deleted_at IS NULL")).unwrap();
    let mut rows: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &held.rows {
        if rows.insert(row[0].str().unwrap(), row[1].int().unwrap_or(0)).is_some() {
            faults.push(format!("{table}: a row twice"));
        }
    }
    let listed = house.horizon(reader, stream).listed_to.unwrap_or(0);
    let all = house.sandbox.truth(truth, house.start / 1000, house.now_ms() / 1000 + 1);
    let knowable = all.iter().filter(|one| one.at_ms < listed && one.visible_ms <= began);
    let lost = knowable.clone().filter(|one| !rows.contains_key(one.id.as_str())).count();
    if lost > 0 {
        faults.push(format!("{table}: {lost} of {} rows missing", knowable.count()));
    }
    for one in &all {
        if rows.remove(one.id.as_str()).is_some_and(|amount| amount != one.amount) {
            faults.push(format!("{table}: an amount is another"));
        }
    }
    if !rows.is_empty() {
        faults.push(format!("{table}: {} rows that the provider never had", rows.len()));
    }
}

/// Every moment from the start on is walked, up to the last pass, and no window is left open.
fn coverage(house: &House, reader: &Reader, stream: &Stream, began: i64, faults: &mut Vec<String>) {
    let (connection, table, _) = *stream;
    let accounts = reader.accounts().unwrap();
    let account = accounts.iter().find(|one| one.connection.as_deref() == Some(connection)).unwrap();
    let windows = reader.windows(account.account, table).unwrap();
    if let Some(window) = windows.iter().find(|window| window.state != WindowState::Complete) {
        faults.push(format!("{table}: a window is {:?}", window.state));
    }
    let declaration = windows.first().map(|window| window.declaration.clone()).unwrap_or_default();
    let holes = missing(&windows, house.start, &declaration);
    let known = house.horizon(reader, stream);
    if !holes.is_empty() || known.listed_from != Some(house.start) {
        faults.push(format!("{table}: {} holes in coverage", holes.len()));
    }
    if known.listed_to.is_none_or(|to| to < began - LAG_MS) {
        faults.push(format!("{table}: coverage ends too early"));
    }
}

/// The file is whole, and nothing stands as a problem.
fn store(reader: &Reader, faults: &mut Vec<String>) {
    let integrity = reader.table("PRAGMA integrity_check").unwrap();
    if integrity.rows[0][0].str() != Some("ok") {
        faults.push("the store fails its integrity check".to_owned());
    }
    for (what, sql) in [
        ("rejected records", "SELECT count(*) FROM rejected"),
        ("standing problems", "SELECT count(*) FROM problems WHERE cleared_at IS NULL"),
        ("orphans", "SELECT count(*) FROM pragma_foreign_key_check"),
    ] {
        let count = reader.table(sql).unwrap().rows[0][0].int().unwrap();
        if count > 0 {
            faults.push(format!("{count} {what}"));
        }
    }
}

/// What left against what the receiver holds: each batch once, with the bytes that were frozen, and each event once.
fn upstream(house: &House, reader: &Reader, faults: &mut Vec<String>) {
    let outbox = house.outbox(reader);
    let number = outbox.verify().map_err(|problem| faults.push(format!("the chain: {problem}"))).unwrap_or(0);
    let received = house.receiver.batches().unwrap();
    let mut periods: Vec<&str> = received.iter().map(|batch| batch.period.as_str()).collect();
    periods.sort_unstable();
    if periods.windows(2).any(|two| two[0] == two[1]) {
        faults.push("a period twice at the receiver".to_owned());
    }
    for seq in 1..=number {
        let shown = outbox.show(seq).unwrap();
        let mut here = received.iter().filter(|batch| batch.seq == seq);
        match (here.next(), here.next()) {
            (Some(batch), None) if batch.bytes == shown.bytes => {}
            (Some(_), None) => faults.push(format!("batch {seq}: other bytes at the receiver")),
            (Some(_), Some(_)) => faults.push(format!("batch {seq}: twice at the receiver")),
            (None, _) => faults.push(format!("batch {seq}: not at the receiver")),
        }
        if shown.batch.state != "acknowledged" {
            faults.push(format!("batch {seq}: {}", shown.batch.state));
        }
    }
    if received.len() as i64 != number {
        faults.push(format!("{} batches at the receiver, {number} here", received.len()));
    }
    let mut sent: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for request in house.receiver.requests().into_iter().filter(|request| request.method == "PUT") {
        let first = sent.entry(request.path.clone()).or_insert_with(|| request.body.clone());
        if *first != request.body {
            faults.push(format!("{}: sent again with other bytes", request.path));
        }
    }
    marks(house, faults);
}

/// Each released event has its mark, in the cell that counts it.
fn marks(house: &House, faults: &mut Vec<String>) {
    #[allow(clippy::disallowed_methods)] // looks past the room into its file
    let db = rusqlite::Connection::open(house.path("egress.db")).unwrap();
    let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let wrong = count(
        "SELECT count(*) FROM cells WHERE count <>
           (SELECT count(*) FROM released WHERE (released.seq, released.position) = (cells.seq, cells.position))",
    );
    if wrong > 0 {
        faults.push(format!("{wrong} cells that do not count their marks"));
    }
    if count("SELECT count(*) FROM released") == 0 {
        faults.push("nothing was released: the world is too small to show anything".to_owned());
    }
}
