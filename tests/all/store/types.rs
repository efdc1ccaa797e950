//! Types: tables are not STRICT (an old SQLite must open them), so what the projection promises is held here: whatever is
//! loaded, every column holds its declared storage class or nothing. And the official examples load whole, twice.

use std::path::{Path, PathBuf};

use counterfoil::providers;
use counterfoil::store::{Step, Store};
use counterfoil::stream::{Kind, Profile};
use serde_json::{Value, json};

use super::kit::*;

/// The folder of the providers' published examples, when it is there.
fn examples() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(beside, PathBuf::from).join("psp");
    if !folder.is_dir() {
        crate::skip::skipped("no official examples (set COUNTERFOIL_SHARED to the folder that holds psp/)");
    }
    folder.is_dir().then_some(folder)
}

/// Official example records by table, as a list answers them.
fn official(folder: &Path) -> Vec<(&'static str, Vec<Value>)> {
    let load = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    let fixtures = load("stripe/fixtures.json");
    let stripe = |name: &str| {
        let mut record = fixtures["resources"][name].clone();
        // One example shows an expanded object where a plain read has its id.
        if record["transfer_data"]["destination"].is_object() {
            record["transfer_data"]["destination"] = record["transfer_data"]["destination"]["id"].clone();
        }
        assert!(record.is_object(), "{name}");
        vec![record]
    };
    let list = |name: &str| load(&format!("checkout/examples/{name}.200.json"))["data"].as_array().unwrap().clone();
    let mut payments = list("post-payments-search");
    payments.extend(list("get-payments-by-reference"));
    payments.push(load("checkout/examples/get-payment.200.json"));
    let mut disputes = list("get-disputes");
    disputes.push(load("checkout/examples/get-dispute.200.json"));
    vec![
        ("stripe_events", stripe("event")),
        ("stripe_charges", stripe("charge")),
        ("stripe_refunds", stripe("refund")),
        ("stripe_disputes", stripe("dispute")),
        ("stripe_payment_intents", stripe("payment_intent")),
        ("stripe_balance_transactions", stripe("balance_transaction")),
        ("stripe_payouts", stripe("payout")),
        ("checkoutcom_payments", payments),
        ("checkoutcom_disputes", disputes),
    ]
}

/// Every stored value has its column's storage class, or is NULL where it may be.
fn classes_hold(path: &Path) {
    for table in schema().streams.iter().flat_map(|stream| &stream.tables) {
        for column in &table.columns {
            let class = if column.kind == Kind::Integer { "integer" } else { "text" };
            let null = if column.required { "" } else { ", 'null'" };
            let (table, name) = (&table.name, &column.name);
            let sql =
                format!("SELECT DISTINCT typeof({name}) FROM {table} WHERE typeof({name}) NOT IN ('{class}'{null})");
            assert_eq!(look(path, &sql), [""; 0], "{table}.{name}");
        }
    }
}

/// All rows of a stream's tables without what tells of the reading itself.
fn rows_of(path: &Path, stream: &str) -> Vec<String> {
    let schema = schema();
    let declaration = schema.streams.iter().find(|declaration| declaration.main().name == stream).unwrap();
    let table = |table: &counterfoil::stream::Table| {
        let names = table.columns.iter().map(|column| column.name.as_str());
        let names: Vec<&str> = names.filter(|name| !["read_at", "read_seq"].contains(name)).collect();
        look(path, &format!("SELECT {} FROM {} ORDER BY rowid", names.join(", "), table.name))
    };
    declaration.tables.iter().flat_map(table).collect()
}

#[test]
fn official_examples_load_whole_with_their_types_and_load_again_the_same() {
    let Some(folder) = examples() else { return };
    let all = official(&folder);
    let streams =
        providers::ALL.iter().flat_map(|provider| provider.streams.iter().map(|stream| provider.table(stream)));
    assert_eq!(streams.collect::<Vec<_>>().len(), all.len(), "a stream without examples");
    for profile in [Profile::Strict, Profile::Standard, Profile::Finance] {
        let (_folder, path) = super::kit::folder();
        let mut store = open(&path);
        let main = account(&mut store, "main").account;
        for (stream, records) in &all {
            let lane = Lane::new(main, stream, profile);
            let done = store.commit_page(&lane.commit(records, 1, Step::Nothing)).unwrap();
            assert_eq!(done.records, records.len() as u64);
            let first = rows_of(&path, stream);
            let distinct: std::collections::BTreeSet<_> = records.iter().map(|record| record["id"].as_str()).collect();
            assert_eq!(
                look(&path, &format!("SELECT count(*) FROM {stream}")),
                [distinct.len().to_string()],
                "{stream}"
            );
            store.commit_page(&lane.commit(records, 2, Step::Nothing)).unwrap();
            assert_eq!(rows_of(&path, stream), first, "{stream} read again");
            assert_eq!(look(&path, &format!("SELECT DISTINCT read_seq FROM {stream}")), ["2"]);
        }
        // One action of the search example has a time without minutes (see its SOURCES.md); nothing else is refused.
        let rejected = look(&path, "SELECT stream, reason, field, times FROM rejected");
        assert_eq!(rejected, ["checkoutcom_payment_actions|not_a_time|processed_at|2"], "{profile:?}");
        classes_hold(&path);
    }
}

/// A value of every JSON kind for every declared path: whatever a provider sends, a row has the declared classes or is none.
#[test]
fn whatever_comes_is_stored_with_its_class_or_rejected() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let main = account(&mut store, "main").account;
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-7),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("12"),
        json!("12.50"),
        json!("2023-08-24T14:15:22Z"),
        json!("text \u{0} \u{1F600}"),
        json!([]),
        json!([1]),
        json!({}),
        json!({ "id": "x" }),
    ];
    let mut sent = 0;
    for provider in providers::ALL {
        for stream in provider.streams {
            let lane = Lane::new(main, &provider.table(stream), Profile::Finance);
            let records = every_kind(&stream.declaration().unwrap(), &odd);
            sent += records.len() as u64;
            commit_all(&mut store, &lane, &records);
        }
    }
    let stored: i64 = schema().streams.iter().map(|d| store.count_rows(main, &d.main().name).unwrap()).sum();
    let rejected = look(&path, "SELECT sum(times) FROM rejected")[0].parse::<i64>().unwrap();
    assert!(stored > 500 && rejected > 500, "{stored} stored, {rejected} rejected of {sent}");
    classes_hold(&path);
}

fn commit_all(store: &mut Store, lane: &Lane, records: &[Value]) {
    let done = store.commit_page(&lane.commit(records, 1, Step::Nothing)).unwrap();
    assert_eq!(done.records, records.len() as u64);
}

/// Records that are well but for one path, which has each of these values in turn.
fn every_kind(declaration: &counterfoil::stream::Declaration, odd: &[Value]) -> Vec<Value> {
    use counterfoil::stream::{Conversion, Source};
    let paths = |table: &counterfoil::stream::Table| -> Vec<(Vec<String>, Conversion)> {
        let path = |column: &counterfoil::stream::Column| match &column.source {
            Source::Path(path) => Some((path.clone(), column.conversion.clone())),
            _ => None,
        };
        table.columns.iter().filter_map(path).collect()
    };
    let put = |record: &mut Value, path: &[String], value: Value| {
        *path.iter().fold(record, |at, key| &mut at[key.as_str()]) = value;
    };
    let usual = |conversion: &Conversion| match conversion {
        Conversion::Boolean => json!(true),
        Conversion::Iso => json!("2023-08-24T14:15:22Z"),
        Conversion::Integer | Conversion::Minor | Conversion::Unix => json!(7),
        Conversion::Allowed => json!({ "order": "7" }),
        _ => json!("eur"),
    };
    let whole = |table: &counterfoil::stream::Table, id: &str| {
        let mut record = json!({});
        for (path, conversion) in paths(table) {
            put(&mut record, &path, usual(&conversion));
        }
        record["id"] = json!(id);
        record
    };
    let main = declaration.main();
    let mut records = Vec::new();
    for (path, _) in paths(main) {
        for value in odd {
            let mut record = whole(main, &format!("id_{}", records.len()));
            put(&mut record, &path, value.clone());
            records.push(record);
        }
    }
    for table in &declaration.tables[1..] {
        let array = &table.each.as_ref().unwrap().path;
        for (path, _) in paths(table) {
            for value in odd {
                let (mut record, mut element) =
                    (whole(main, &format!("id_{}", records.len())), whole(table, &format!("el_{}", records.len())));
                put(&mut element, &path, value.clone());
                put(&mut record, array, json!([element]));
                records.push(record);
            }
        }
        for value in odd {
            let mut record = whole(main, &format!("id_{}", records.len()));
            put(&mut record, array, value.clone());
            records.push(record);
        }
    }
    records
}
