//! Records made from the declarations and then spoilt, against a slow projection of our own that looks each declared path up
//! in a tree of values. Raw bytes are in `pages`.

use counterfoil::stream::{Column, Conversion, Source, Table, Tokens, decimal_to_e8, decimal_to_minor, iso_instant};
use serde_json::{Map, Value, json};

use super::draws::Draws;
use super::print::print;
use super::rows::{Kept, Rows, is_id, read, rows};
use super::streams::{self, ALLOWED, Marked, Ready};

pub(super) fn run(input: &[u8]) {
    let mut draws = Draws::new(input);
    let ready = draws.pick(streams::all());
    let records: Vec<Value> = (0..1 + draws.below(3)).map(|at| record(ready, at, &mut draws)).collect();
    let field = ready.shape.records.expect("a list");
    let mut body = String::new();
    print(&json!({ field: records, "object": "list" }), &mut draws, &mut body);
    let page = read(ready, body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {body}"));
    let mut expected = vec![Rows::default(); ready.declaration.tables.len()];
    records.iter().for_each(|record| slow(ready, record, &mut expected));
    assert_eq!(rows(&page), expected, "{body}");
}

/// A good record with up to eight things wrong or odd.
fn record(ready: &Ready, at: usize, draws: &mut Draws<'_>) -> Value {
    let mut record = json!({});
    for table in &ready.declaration.tables {
        let Some(each) = &table.each else {
            fill(&mut record, table, at);
            continue;
        };
        let elements = (0..draws.below(4)).map(|at| {
            let mut element = json!({});
            fill(&mut element, table, at % 3);
            element
        });
        put(&mut record, &each.path, elements.collect());
    }
    for _ in 0..draws.below(9) {
        let table = draws.pick(&ready.declaration.tables);
        let paths: Vec<&Vec<String>> =
            table.columns.iter().filter_map(path).chain(table.each.iter().map(|each| &each.path)).collect();
        let path = *draws.pick(&paths);
        let path = &path[..1 + draws.below(path.len())];
        let value = odd(draws);
        let is_array = table.each.as_ref().is_some_and(|each| each.path.starts_with(path));
        match table.each.as_ref().filter(|_| !is_array) {
            None => put(&mut record, path, value),
            Some(each) => {
                let list =
                    each.path.iter().try_fold(&mut record, |at, key| at.get_mut(key)).and_then(Value::as_array_mut);
                let element = list.filter(|list| !list.is_empty()).map(|list| {
                    let at = draws.below(list.len());
                    &mut list[at]
                });
                if let Some(element) = element {
                    if draws.once_in(8) { *element = value } else { put(element, path, value) }
                }
            }
        }
    }
    record
}

fn path(column: &Column) -> Option<&Vec<String>> {
    match &column.source {
        Source::Path(path) => Some(path),
        _ => None,
    }
}

pub(super) fn fill(record: &mut Value, table: &Table, at: usize) {
    for column in &table.columns {
        let Some(path) = path(column) else { continue };
        let good = match &column.conversion {
            Conversion::Text if column.name == "id" => json!(format!("x_{at}")),
            Conversion::Text | Conversion::Keyed => json!("text"),
            Conversion::Lower if column.name.contains("currency") => json!("EUR"),
            Conversion::Lower => json!("Some Code"),
            Conversion::Integer | Conversion::Minor | Conversion::Unix => json!(1_700_000_000),
            Conversion::Boolean => json!(true),
            Conversion::Iso => json!("2026-11-16T01:02:03.456Z"),
            Conversion::Decimal(_) | Conversion::E8 => json!("12.30"),
            Conversion::Allowed => json!({ "order": "7", "mail": "ada@example.com" }),
        };
        put(record, path, good);
    }
}

/// Sets the value at a path, through whatever stands on the way.
pub(super) fn put(record: &mut Value, path: &[String], value: Value) {
    let mut at = record;
    for key in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[key.as_str()];
    }
    *at = value;
}

fn odd(draws: &mut Draws<'_>) -> Value {
    match draws.below(16) {
        0 => Value::Null,
        1 => json!(draws.below(2) == 1),
        2 => json!(draws.number()),
        3 => json!(draws.number() as u64),
        4 => json!(draws.number() as f64 / 100.0),
        5 => json!([]),
        6 => json!([draws.number(), { "id": "x" }, null]),
        7 => json!({}),
        8 => json!({ "id": draws.text(8), "order": null, "a.b": [1, { "c": draws.text(4) }], "x": draws.number() }),
        9 => json!(draws.pick(&[
            "",
            " ",
            "EUR",
            "jpy",
            "bhd",
            "xx",
            " Ada@Example.COM ",
            "\u{a0}visa",
            "1.005",
            "-0.00",
            "7"
        ])),
        10 => json!(format!("{}.{:03}", draws.number(), draws.below(1000))),
        11 => json!(draws.number().to_string()),
        12 => json!("x".repeat(draws.below(300))),
        13 => {
            json!(draws.pick(&["2026-02-30", "2026-11-16", "9999-12-31T23:59:59+23:59", "0000-01-01T00:00:00-00:00"]))
        }
        14 => json!(draws.below(1000) as f64 / 8.0),
        _ => json!(draws.text(24)),
    }
}

/// What a record must become: its row and its children's, or nothing.
fn slow(ready: &Ready, record: &Value, all: &mut [Rows]) {
    let tables = &ready.declaration.tables;
    let number = all[0].rows.len() as u32;
    let Some(main) = slow_row(ready, 0, record, None, 0) else { return };
    let mut children = vec![Rows::default(); tables.len()];
    for (index, table) in tables.iter().enumerate().skip(1) {
        let Some(each) = &table.each else { continue };
        let elements = match look(record, &each.path) {
            Found::Value(Value::Array(elements)) => elements.as_slice(),
            Found::Value(_) => return,
            Found::Null => &[],
            Found::Absent | Found::NullAbove => continue,
            Found::Blocked => return,
        };
        children[index].lengths.push((number, elements.len() as u32));
        let (columns, mut seen) = (ready.projection.columns(index), Vec::new());
        let id = table.column("id").and_then(|id| columns.iter().position(|column| *column == id));
        for (position, element) in elements.iter().enumerate() {
            let Some(row) = slow_row(ready, index, element, Some(&main), position) else { continue };
            let own = id.map(|id| row[id].clone());
            if each.newest_first && own.as_ref().is_some_and(|own| seen.contains(own)) {
                continue;
            }
            seen.extend(own);
            children[index].rows.push((number, row));
        }
    }
    all[0].rows.push((number, main));
    for (all, own) in all.iter_mut().zip(children) {
        all.rows.extend(own.rows);
        all.lengths.extend(own.lengths);
    }
}

/// What stands at a path.
enum Found<'v> {
    Value(&'v Value),
    Null,
    Absent,
    /// Null stands where an object on the way is declared.
    NullAbove,
    /// Something that is no object stands there.
    Blocked,
}

fn look<'v>(record: &'v Value, path: &[String]) -> Found<'v> {
    let (last, above) = path.split_last().expect("a path has a last key");
    let mut at = record;
    for key in above {
        at = match at.get(key) {
            None => return Found::Absent,
            Some(Value::Null) => return Found::NullAbove,
            Some(value) if value.is_object() => value,
            Some(_) => return Found::Blocked,
        };
    }
    match at.get(last) {
        None => Found::Absent,
        Some(Value::Null) => Found::Null,
        Some(value) => Found::Value(value),
    }
}

/// One row, or none when anything declared does not convert or is missing.
fn slow_row(
    ready: &Ready,
    index: usize,
    value: &Value,
    parent: Option<&Vec<Kept>>,
    position: usize,
) -> Option<Vec<Kept>> {
    let table = &ready.declaration.tables[index];
    if !value.is_object() {
        return None;
    }
    let columns: Vec<&Column> = ready.projection.columns(index).iter().map(|column| &table.columns[*column]).collect();
    let mut row = Vec::new();
    for column in &columns {
        row.push(match &column.source {
            Source::Store => return None,
            Source::Position => Kept::Int(position as i64),
            Source::Parent(path) => {
                let main = &ready.declaration.tables[0];
                let same = |at: &usize| matches!(&main.columns[*at].source, Source::Path(own) if own == path);
                let from = ready.projection.columns(0).iter().position(same)?;
                parent?[from].clone()
            }
            Source::Path(path) => match look(value, path) {
                Found::Absent => Kept::Absent,
                Found::Null | Found::NullAbove => Kept::Null,
                Found::Blocked => return None,
                Found::Value(leaf) => slow_value(table, column, leaf, value, ready)?,
            },
        });
    }
    let complete =
        columns.iter().zip(&row).all(|(column, cell)| !column.required || !matches!(cell, Kept::Absent | Kept::Null));
    let named = columns.iter().zip(&row).all(|(column, cell)| match cell {
        Kept::Text(id) if column.name == "id" => is_id(id),
        _ => true,
    });
    (complete && named).then_some(row)
}

/// One value by its conversion. An object is no value, but other columns may lie below it.
fn slow_value(table: &Table, column: &Column, leaf: &Value, record: &Value, ready: &Ready) -> Option<Kept> {
    let is_text = leaf.as_str();
    let spelt = match leaf {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let whole = leaf.as_i64();
    Some(match &column.conversion {
        Conversion::Allowed => {
            let kept: Map<String, Value> = leaf
                .as_object()?
                .iter()
                .filter(|(key, _)| ALLOWED.contains(&key.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            Kept::Text(Value::Object(kept).to_string())
        }
        _ if leaf.is_object() || leaf.is_array() => return None,
        _ if column.name == "id" && is_text.is_none() => return None,
        Conversion::Text => match leaf {
            Value::Number(number) if whole.is_none() => {
                Kept::Text(number.as_f64().filter(|_| number.is_f64())?.to_string())
            }
            _ => Kept::Text(spelt),
        },
        Conversion::Integer => Kept::Int(whole.or_else(|| slow_integer(is_text?))?),
        Conversion::Minor => Kept::Int(whole?),
        Conversion::Unix => Kept::Int(whole?.checked_mul(1000)?),
        Conversion::Boolean => Kept::Int(leaf.as_bool()?.into()),
        Conversion::Iso => Kept::Int(iso_instant(is_text?)?.at_ms),
        Conversion::Lower if is_text.is_some() => Kept::Text(lower(&spelt)),
        Conversion::Lower => Kept::Text(whole?.to_string()),
        Conversion::Keyed if is_text.is_some() || whole.is_some() => slow_token(table, column, &spelt),
        Conversion::Keyed => return None,
        Conversion::E8 => Kept::Int(decimal_to_e8(&spelt)?),
        Conversion::Decimal(path) => {
            let currency = match look(record, path) {
                Found::Value(Value::String(text)) => lower(text),
                Found::Value(Value::Number(number)) => number.as_i64()?.to_string(),
                _ => return None,
            };
            Kept::Int(decimal_to_minor(&spelt, (ready.exponent)(&currency.to_lowercase())?)?)
        }
    })
}

fn slow_integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn lower(text: &str) -> String {
    text.trim().replace(' ', "_").to_ascii_lowercase()
}

fn slow_token(table: &Table, column: &Column, text: &str) -> Kept {
    let clean = text.trim();
    let folded = if clean.contains('@') { clean.to_lowercase() } else { clean.to_owned() };
    let provider = table.name.split('_').next().unwrap_or_default();
    let mut token = String::new();
    Marked.token(&format!("{provider}.{}", column.name), &folded, &mut token);
    if clean.is_empty() { Kept::Null } else { Kept::Text(token) }
}
