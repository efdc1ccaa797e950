//! What one response becomes: rows of cells that point into the page's own bytes. It owns the bytes and is dropped as soon
//! as the rows are bound; nothing else of a page is ever kept.

use std::collections::BTreeMap;

/// One value of a row, without its text: texts stay where they are, in the page or in its side buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// The record did not have the field: what the store holds stays.
    Absent,
    /// The record said null: what the store holds is overwritten.
    Null,
    /// A number.
    Int(i64),
    /// Text inside the page.
    Body(u32, u32),
    /// Text that had to be made: unescaped, tokenised, lower-cased.
    Made(u32, u32),
}

/// One value of a row, with its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'p> {
    /// NULL (or absent).
    Null,
    /// A number.
    Int(i64),
    /// UTF-8 text.
    Text(&'p [u8]),
}

/// The rows of one table, cell after cell.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Cells a row: the columns of the table that the projection fills, in declaration order.
    pub width: usize,
    /// All cells, row after row.
    pub cells: Vec<Cell>,
    /// For child rows: the number of the parent row on this page (in a part of one record that came by itself, 0).
    pub parents: Vec<u32>,
    /// For each parent row whose array came: its number, and how many elements the array had (null had none).
    pub lengths: Vec<(u32, u32)>,
}

impl Rows {
    pub(super) fn new(width: usize) -> Self {
        Self { width, cells: Vec::new(), parents: Vec::new(), lengths: Vec::new() }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cells of one row.
    pub fn row(&self, index: usize) -> &[Cell] {
        &self.cells[index * self.width..(index + 1) * self.width]
    }
}

/// A record, or an element of one, that could not be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The table it was for.
    pub table: usize,
    /// Its id when that could be read, else empty.
    pub id: String,
    /// Why, from a closed list.
    pub reason: &'static str,
    /// The column that could not be filled.
    pub column: String,
}

/// One response, projected.
#[derive(Debug)]
pub struct Page {
    pub(super) body: Vec<u8>,
    pub(super) made: String,
    /// The cell of the main table that holds the id.
    pub(super) id: Option<usize>,
    /// The last record of the page was rejected.
    pub(super) last_rejected: bool,
    /// Rows by table, as the declaration orders tables.
    pub tables: Vec<Rows>,
    /// Records seen, rejected ones included.
    pub records: u64,
    /// How many records say that they are of test mode, and how many that they are live.
    pub modes: [u64; 2],
    /// What did not convert.
    pub rejected: Vec<Rejected>,
    /// Field names that the declaration does not know, with how often they came.
    pub drift: BTreeMap<String, u64>,
    /// The envelope's leaves that were asked for, in that order.
    pub leaves: Vec<Option<Leaf>>,
}

/// A scalar of the envelope around the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// null
    Null,
    /// true, false
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text of at most 4096 bytes.
    Text(String),
    /// Anything else.
    Other,
}

impl Page {
    /// The value of a cell of this page.
    pub fn value(&self, cell: Cell) -> Value<'_> {
        let span = |at: u32, len: u32| at as usize..(at + len) as usize;
        match cell {
            Cell::Absent | Cell::Null => Value::Null,
            Cell::Int(number) => Value::Int(number),
            Cell::Body(at, len) => Value::Text(&self.body[span(at, len)]),
            Cell::Made(at, len) => Value::Text(&self.made.as_bytes()[span(at, len)]),
        }
    }

    /// The text of a cell, empty when it holds none.
    pub fn text(&self, cell: Cell) -> &str {
        match self.value(cell) {
            Value::Text(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            _ => "",
        }
    }

    /// The id of the last record of the main table, unless that record was rejected.
    pub fn last_id(&self) -> Option<&str> {
        let rows = &self.tables[0];
        let id = self.id?;
        let mut rejected = self.rejected.iter().filter(|rejected| rejected.table == 0);
        if self.last_rejected {
            return rejected.next_back().map(|rejected| rejected.id.as_str()).filter(|id| !id.is_empty());
        }
        rows.len().checked_sub(1).map(|last| self.text(rows.row(last)[id]))
    }

    /// The ids of the main table's rows, in their order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let rows = &self.tables[0];
        self.id.into_iter().flat_map(move |id| (0..rows.len()).map(move |row| self.text(rows.row(row)[id])))
    }

    /// Bytes that came, for counting.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }
}
