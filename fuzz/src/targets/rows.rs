//! The rows of a page, taken out of it so that two pages can be compared, and what holds for every page whatever was sent.

use counterfoil::stream::{Cell, Conversion, Kind, Malformed, Page, Source, Value};

use super::streams::{ALLOWED, Ready, is_marked};

/// A cell with its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kept {
    Absent,
    Null,
    Int(i64),
    Text(String),
}

/// The rows of one table, each with its parent's number (its own, in the main table), and the arrays that came: parent and
/// length.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<(u32, Vec<Kept>)>,
    pub(super) lengths: Vec<(u32, u32)>,
}

/// Every table's rows.
pub(super) fn rows(page: &Page) -> Vec<Rows> {
    page.tables
        .iter()
        .map(|table| {
            let row = |at: usize| {
                let parent = table.parents.get(at).copied().unwrap_or(at as u32);
                (parent, table.row(at).iter().map(|cell| kept(page, *cell)).collect())
            };
            Rows { rows: (0..table.len()).map(row).collect(), lengths: table.lengths.clone() }
        })
        .collect()
}

fn kept(page: &Page, cell: Cell) -> Kept {
    match (cell, page.value(cell)) {
        (Cell::Absent, _) => Kept::Absent,
        (_, Value::Null) => Kept::Null,
        (_, Value::Int(number)) => Kept::Int(number),
        (_, Value::Text(bytes)) => Kept::Text(String::from_utf8(bytes.to_vec()).expect("kept text is UTF-8")),
    }
}

/// Reads a page and holds it to what must be true of every page.
pub(super) fn read(ready: &Ready, body: &[u8]) -> Result<Page, Malformed> {
    let page = ready.projection.page(body.to_vec(), &ready.shape)?;
    let main = &page.tables[0];
    let refused = page.rejected.iter().filter(|rejected| rejected.table == 0).count();
    assert_eq!(page.records, (main.len() + refused) as u64, "every record is kept or counted as refused");
    for (index, (table, rows)) in ready.declaration.tables.iter().zip(&page.tables).enumerate() {
        let columns = ready.projection.columns(index);
        for column in columns {
            let column = &table.columns[*column];
            assert!(column.source != Source::Store && column.class.stored_in(ready.profile), "{}", column.name);
        }
        assert_eq!(rows.cells.len(), rows.len() * columns.len(), "no half of a row");
        assert!(index == 0 || rows.parents.len() == rows.len());
        let parents = rows.parents.iter().chain(rows.lengths.iter().map(|(parent, _)| parent));
        assert!(parents.into_iter().all(|parent| (*parent as usize) < main.len()), "a parent that is there");
        for row in 0..rows.len() {
            for (cell, column) in rows.row(row).iter().zip(columns) {
                let column = &table.columns[*column];
                hold(column.required, column.kind, &column.conversion, &kept(&page, *cell), &column.name);
            }
            if let Some(id) = table.column("id").and_then(|id| columns.iter().position(|column| *column == id)) {
                assert!(is_id(page.text(rows.row(row)[id])), "{}: an id of no form", table.name);
            }
        }
    }
    for rejected in &page.rejected {
        let table = &ready.declaration.tables[rejected.table];
        assert!(rejected.column.is_empty() || table.column(&rejected.column).is_some(), "{}", rejected.column);
        assert!(rejected.id.is_empty() || is_id(&rejected.id));
    }
    assert!(page.drift.len() <= 64 && page.drift.keys().all(|name| name.bytes().all(|b| b.is_ascii_graphic())));
    Ok(page)
}

/// What a column promises of each of its values.
fn hold(required: bool, kind: Kind, conversion: &Conversion, value: &Kept, name: &str) {
    match (kind, value) {
        (_, Kept::Absent | Kept::Null) => assert!(!required, "{name} is empty"),
        (Kind::Integer, Kept::Int(_)) | (Kind::Text, Kept::Text(_)) => {}
        other => panic!("{name}: {other:?}"),
    }
    let Kept::Text(text) = value else { return };
    match conversion {
        Conversion::Keyed => assert!(is_marked(text), "{name} is in clear: {text}"),
        Conversion::Lower => assert!(!text.bytes().any(|b| b.is_ascii_uppercase() || b == b' '), "{name}: {text}"),
        Conversion::Allowed => {
            let kept: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).expect("an object");
            assert!(kept.keys().all(|key| ALLOWED.contains(&key.as_str())), "{name}: {text}");
        }
        _ => {}
    }
}

pub(super) fn is_id(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}
