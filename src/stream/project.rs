//! The projection: walks a page's bytes once, driven by the declaration. Declared leaves become cells that point into the
//! page; everything else is skipped by the parser and becomes no value. It does no I/O and never stops at one odd record:
//! that one is counted as rejected, with its id and a reason.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess};

use super::convert;
use super::declare::{Conversion, Declaration, Profile};
use super::page::{Cell, Page, Rejected, Rows};
use super::seeds::{Envelope, KeySeed, ObjectSeed, RecordSeed, ValueSeed};
use super::tree::{Edge, Node, TablePlan, Tree};

/// Makes keyed hashes; lent by the vault through the agent.
pub trait Tokens: Send + Sync {
    /// Appends the token of `value` to `out`. `scope` keeps equal values of different meaning apart.
    fn token(&self, scope: &str, value: &str, out: &mut String);
}

/// How the records lie in a response.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The envelope's field that holds the array of records; `None`: the response is one record.
    pub records: Option<&'static str>,
    /// Scalars of the envelope that the provider's `page` function wants to see, by name.
    pub leaves: &'static [&'static str],
}

/// A response that is no page at all. Nothing of it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON, or cut, at this line and column.
    Json(usize, usize),
    /// Bytes after the end of the JSON.
    Trailing,
    /// The array of records is missing.
    NoRecords,
}

/// A declaration made ready for one account: profile, tokens and exponents are fixed.
pub struct Projection {
    tree: Tree,
    tokens: Arc<dyn Tokens>,
    exponent: fn(&str) -> Option<u8>,
    metadata_keys: Vec<String>,
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").field("tree", &self.tree).finish_non_exhaustive()
    }
}

impl Projection {
    /// Prepares `declaration`. `exponent` gives the decimals of a lower-case currency at this provider.
    pub fn new(
        declaration: &Declaration,
        profile: Profile,
        tokens: Arc<dyn Tokens>,
        exponent: fn(&str) -> Option<u8>,
        metadata_keys: &[String],
    ) -> Self {
        Self { tree: Tree::new(declaration, profile), tokens, exponent, metadata_keys: metadata_keys.to_vec() }
    }

    /// For each table, the columns (by their number in the declaration) that the cells of a row stand for.
    pub fn columns(&self, table: usize) -> &[usize] {
        &self.tree.tables[table].columns
    }

    /// The cell of a row of the main table that holds this column of the declaration.
    pub fn cell_of(&self, column: usize) -> Option<usize> {
        self.tree.tables[0].columns.iter().position(|c| *c == column)
    }

    /// Projects one response.
    pub fn page(&self, body: Vec<u8>, shape: &Shape) -> Result<Page, Malformed> {
        let mut page = Page {
            body: Vec::new(),
            made: String::new(),
            id: self.tree.tables[0].id,
            last_rejected: false,
            tables: self.tree.tables.iter().map(|table| Rows::new(table.columns.len())).collect(),
            records: 0,
            rejected: Vec::new(),
            drift: BTreeMap::new(),
            leaves: vec![None; shape.leaves.len()],
        };
        let mut walk = Walk { of: self, body: &body, page: &mut page, table: 0, row: 0, fault: None, found: false };
        let mut json = serde_json::Deserializer::from_slice(&body);
        let read = match shape.records {
            Some(field) => json.deserialize_any(Envelope { walk: &mut walk, field, leaves: shape.leaves }),
            None => RecordSeed { walk: &mut walk }.deserialize(&mut json),
        };
        read.map_err(|error| Malformed::Json(error.line(), error.column()))?;
        let found = walk.found || shape.records.is_none();
        json.end().map_err(|_| Malformed::Trailing)?;
        if !found {
            return Err(Malformed::NoRecords);
        }
        page.body = body;
        Ok(page)
    }
}

/// What goes wrong within a record: the cell that could not be filled, and why.
type Fault = (usize, &'static str);

/// Stands for a cell where no column of the table is at fault.
const NO_COLUMN: usize = usize::MAX;

pub(super) struct Walk<'w> {
    pub(super) of: &'w Projection,
    body: &'w [u8],
    pub(super) page: &'w mut Page,
    /// The table and the first cell of the row being filled.
    table: usize,
    row: usize,
    fault: Option<Fault>,
    /// The array of records was there.
    pub(super) found: bool,
}

impl<'w> Walk<'w> {
    fn plan(&self) -> &'w TablePlan {
        &self.of.tree.tables[self.table]
    }

    pub(super) fn root(&self) -> &'w Node {
        self.node(self.plan().root)
    }

    pub(super) fn node(&self, index: usize) -> &'w Node {
        &self.of.tree.nodes[index]
    }

    fn set(&mut self, cell: usize, value: Cell) {
        self.page.tables[self.table].cells[self.row + cell] = value;
    }

    pub(super) fn fail(&mut self, cell: usize, reason: &'static str) {
        self.fault.get_or_insert((cell, reason));
    }

    /// Stores text made by `make` in the side buffer.
    fn made(&mut self, cell: usize, make: impl FnOnce(&Projection, &mut String)) {
        let at = self.page.made.len();
        make(self.of, &mut self.page.made);
        let len = self.page.made.len() - at;
        self.set(cell, Cell::Made(at as u32, len as u32));
    }

    pub(super) fn null(&mut self, edge: &Edge) {
        for (cell, _) in &edge.leaves {
            self.set(*cell, Cell::Null);
        }
        for cell in &edge.below {
            self.set(*cell, Cell::Null);
        }
        if let Some(table) = edge.array {
            self.length(table, 0);
        }
    }

    pub(super) fn int(&mut self, edge: &Edge, number: i64) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                Conversion::Integer | Conversion::Minor => self.set(*cell, Cell::Int(number)),
                Conversion::Unix => match convert::unix(number) {
                    Ok(ms) => self.set(*cell, Cell::Int(ms)),
                    Err(reason) => self.fail(*cell, reason),
                },
                Conversion::Text | Conversion::Lower => self.made(*cell, |_, out| out.push_str(&number.to_string())),
                Conversion::Keyed => self.keyed(*cell, &number.to_string()),
                _ => self.fail(*cell, "unexpected_number"),
            }
        }
        self.scalar_over_object(edge);
    }

    pub(super) fn float(&mut self, edge: &Edge, number: f64) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                // Rates and scores, never money: kept in their shortest exact spelling.
                Conversion::Text => self.made(*cell, |_, out| out.push_str(&number.to_string())),
                _ => self.fail(*cell, "unexpected_fraction"),
            }
        }
        self.scalar_over_object(edge);
    }

    pub(super) fn boolean(&mut self, edge: &Edge, truth: bool) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                Conversion::Boolean => self.set(*cell, Cell::Int(i64::from(truth))),
                Conversion::Text => self.made(*cell, |_, out| out.push_str(if truth { "true" } else { "false" })),
                _ => self.fail(*cell, "unexpected_boolean"),
            }
        }
        self.scalar_over_object(edge);
    }

    /// `place` is the text's place in the body, when it lies there unescaped.
    pub(super) fn text(&mut self, edge: &Edge, text: &str, place: Option<Cell>) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                Conversion::Text => match place {
                    Some(place) => self.set(*cell, place),
                    None => self.made(*cell, |_, out| out.push_str(text)),
                },
                Conversion::Lower if !text.bytes().any(|b| b.is_ascii_uppercase() || b == b' ') && place.is_some() => {
                    self.set(*cell, place.unwrap_or(Cell::Null));
                }
                Conversion::Lower => self.made(*cell, |_, out| {
                    out.extend(text.trim().chars().map(|c| if c == ' ' { '_' } else { c.to_ascii_lowercase() }));
                }),
                Conversion::Keyed => self.keyed(*cell, text),
                Conversion::Iso => match convert::iso_instant(text) {
                    Some(instant) => self.set(*cell, Cell::Int(instant.at_ms)),
                    None => self.fail(*cell, "not_a_time"),
                },
                Conversion::Integer => match convert::integer(text) {
                    Ok(number) => self.set(*cell, Cell::Int(number)),
                    Err(reason) => self.fail(*cell, reason),
                },
                _ => self.fail(*cell, "unexpected_text"),
            }
        }
        self.scalar_over_object(edge);
    }

    /// Equal persons must give equal tokens: an e-mail address is folded to lower case first. Empty text is no identity.
    fn keyed(&mut self, cell: usize, text: &str) {
        let clean = text.trim();
        if clean.is_empty() {
            return self.set(cell, Cell::Null);
        }
        let scope = &self.plan().scopes[cell];
        if clean.contains('@') {
            let folded = clean.to_lowercase();
            self.made(cell, |of, out| of.tokens.token(scope, &folded, out));
        } else {
            self.made(cell, |of, out| of.tokens.token(scope, clean, out));
        }
    }

    /// The spelling of a JSON number or text, for decimals: no float on the way.
    pub(super) fn decimal(&mut self, edge: &Edge, raw: &str) {
        if raw == "null" {
            return self.null(edge);
        }
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        for (cell, conversion) in &edge.leaves {
            match conversion {
                Conversion::E8 => match convert::decimal_to_e8(text) {
                    Some(number) => self.set(*cell, Cell::Int(number)),
                    None => self.fail(*cell, "not_a_decimal"),
                },
                // The currency may stand later in the record: kept as text until the record is whole.
                Conversion::Decimal(_) => self.made(*cell, |_, out| out.push_str(text)),
                _ => self.fail(*cell, "unexpected_number"),
            }
        }
    }

    fn scalar_over_object(&mut self, edge: &Edge) {
        if let Some(cell) = edge.below.first() {
            self.fail(*cell, "not_an_object");
        }
        self.no_array(edge);
    }

    pub(super) fn no_scalar(&mut self, edge: &Edge) {
        if let Some((cell, _)) = edge.leaves.first() {
            self.fail(*cell, "not_a_scalar");
        }
    }

    /// Something else stands where a child table's array is declared.
    pub(super) fn no_array(&mut self, edge: &Edge) {
        if edge.array.is_some() {
            self.fail(NO_COLUMN, "not_an_array");
        }
    }

    pub(super) fn drift(&mut self, node: &Node, key: &str) {
        let plain = key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        // A provider that sent thousands of new names would be sending data as names: the list is bounded.
        if plain && !node.open && self.page.drift.len() < 64 {
            *self.page.drift.entry(format!("{}{key}", node.prefix)).or_default() += 1;
        }
    }

    pub(super) fn object<'de, A: MapAccess<'de>>(&mut self, node: &'w Node, mut map: A) -> Result<(), A::Error> {
        while let Some(edge) = map.next_key_seed(KeySeed { node, walk: self })? {
            match edge {
                Some(edge) => map.next_value_seed(ValueSeed { edge, walk: self })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    /// The elements of a declared array become child rows.
    pub(super) fn elements<'de, A: SeqAccess<'de>>(&mut self, table: usize, mut seq: A) -> Result<(), A::Error> {
        let mut length = 0;
        while self.element(table, length, &mut seq)? {
            length += 1;
        }
        self.length(table, length);
        Ok(())
    }

    fn length(&mut self, table: usize, length: u32) {
        let parent = self.page.tables[0].len() as u32 - 1;
        self.page.tables[table].lengths.push((parent, length));
    }

    /// One element; a bad one is rejected alone, and those after it keep their positions.
    fn element<'de, A: SeqAccess<'de>>(&mut self, table: usize, position: u32, seq: &mut A) -> Result<bool, A::Error> {
        let outer = (self.table, self.row, self.fault.take());
        self.table = table;
        self.row = self.page.tables[table].cells.len();
        let parent = self.page.tables[0].len() as u32 - 1;
        let width = self.plan().columns.len();
        self.page.tables[table].cells.resize(self.row + width, Cell::Absent);
        if let Some(cell) = self.plan().position {
            self.set(cell, Cell::Int(i64::from(position)));
        }
        let node = &self.of.tree.nodes[self.plan().root];
        let more = seq.next_element_seed(ObjectSeed { node, walk: self })?.is_some();
        match (more, self.fault.take()) {
            (true, None) => self.page.tables[table].parents.push(parent),
            (true, Some(fault)) => self.reject(table, self.row, fault),
            (false, _) => self.page.tables[table].cells.truncate(self.row),
        }
        (self.table, self.row, self.fault) = outer;
        Ok(more)
    }

    fn reject(&mut self, table: usize, row: usize, fault: Fault) {
        self.count_rejected(table, row, fault);
        self.page.tables[table].cells.truncate(row);
    }

    fn count_rejected(&mut self, table: usize, row: usize, (cell, reason): Fault) {
        let plan = &self.of.tree.tables[table];
        let id = plan.id.map(|id| self.page.tables[table].cells[row + id]);
        // Only ids of the usual form are repeated: whatever stands in a broken record may be anything.
        let id = match id {
            Some(id) => self.cell_text(id).filter(|id| is_id(id)).unwrap_or_default().to_owned(),
            None => String::new(),
        };
        let column = plan.names.get(cell).cloned().unwrap_or_default();
        self.page.rejected.push(Rejected { table, id, reason, column });
    }

    fn cell_text(&self, cell: Cell) -> Option<&str> {
        match cell {
            Cell::Body(at, len) => std::str::from_utf8(&self.body[at as usize..(at + len) as usize]).ok(),
            Cell::Made(at, len) => Some(&self.page.made[at as usize..(at + len) as usize]),
            _ => None,
        }
    }

    /// The place of a text that was borrowed from the body.
    pub(super) fn place(&self, text: &str) -> Cell {
        let at = text.as_ptr() as usize - self.body.as_ptr() as usize;
        Cell::Body(at as u32, text.len() as u32)
    }

    /// Opens the row of a new record.
    pub(super) fn begin(&mut self) -> Vec<usize> {
        self.page.records += 1;
        let starts = self.page.tables.iter().map(|rows| rows.cells.len()).collect();
        (self.table, self.row, self.fault) = (0, self.page.tables[0].cells.len(), None);
        let width = self.plan().columns.len();
        self.page.tables[0].cells.resize(self.row + width, Cell::Absent);
        starts
    }

    /// Closes a record: what needs the whole record is done here, and a faulty record is taken back.
    pub(super) fn finish(&mut self, starts: &[usize]) {
        self.decimals();
        self.require();
        self.page.last_rejected = self.fault.is_some();
        if let Some(fault) = self.fault.take() {
            let parent = self.row / self.plan().columns.len().max(1);
            for (table, start) in starts.iter().enumerate().skip(1) {
                let rows = &mut self.page.tables[table];
                rows.cells.truncate(*start);
                rows.parents.truncate(*start / rows.width.max(1));
                rows.lengths.retain(|(of, _)| *of as usize != parent);
            }
            return self.reject(0, self.row, fault);
        }
        for (table, start) in starts.iter().enumerate().skip(1) {
            self.finish_children(table, *start);
        }
    }

    /// Children take over what they have from their parent; then each is held against its own requirements.
    fn finish_children(&mut self, table: usize, start: usize) {
        let (parent_row, plan) = (self.row, &self.of.tree.tables[table]);
        let width = plan.columns.len();
        let (mut row, mut seen) = (start, Vec::new());
        while row < self.page.tables[table].cells.len() {
            for (cell, parent) in &plan.from_parent {
                self.page.tables[table].cells[row + cell] = self.page.tables[0].cells[parent_row + parent];
            }
            (self.table, self.row, self.fault) = (table, row, None);
            self.require();
            let id = plan.id.and_then(|id| self.cell_text(self.page.tables[table].cells[row + id])).map(str::to_owned);
            let again = plan.newest_first && id.as_ref().is_some_and(|id| seen.contains(id));
            seen.extend(id);
            let fault = self.fault.take();
            if fault.is_none() && !again {
                row += width;
                continue;
            }
            if let Some(fault) = fault {
                self.count_rejected(table, row, fault);
            }
            let rows = &mut self.page.tables[table];
            rows.cells.drain(row..row + width);
            rows.parents.remove(row / width);
        }
        (self.table, self.row) = (0, parent_row);
    }

    fn decimals(&mut self) {
        for (cell, currency) in &self.plan().decimals {
            let at = |walk: &Self, cell: usize| walk.page.tables[walk.table].cells[walk.row + cell];
            let Some(text) = self.cell_text(at(self, *cell)) else { continue };
            let exponent =
                self.cell_text(at(self, *currency)).and_then(|code| (self.of.exponent)(&code.to_lowercase()));
            let minor = exponent.map(|exponent| convert::decimal_to_minor(text, exponent));
            match minor {
                Some(Some(minor)) => self.set(*cell, Cell::Int(minor)),
                Some(None) => self.fail(*cell, "not_a_decimal"),
                None => self.fail(*cell, "unknown_currency"),
            }
        }
    }

    fn require(&mut self) {
        let plan = self.plan();
        for cell in &plan.required {
            if matches!(self.page.tables[self.table].cells[self.row + cell], Cell::Absent | Cell::Null) {
                self.fail(*cell, "missing");
            }
        }
        if let Some(id) = plan.id {
            let cell = self.page.tables[self.table].cells[self.row + id];
            if self.cell_text(cell).is_some_and(|text| !is_id(text)) {
                self.fail(id, "not_an_id");
            }
        }
    }

    /// A record that is no object at all.
    pub(super) fn not_an_object(&mut self) {
        self.fail(0, "not_an_object");
    }

    /// Of merchant metadata, the keys that the configuration allows, as JSON text.
    pub(super) fn allowed<'de, A: MapAccess<'de>>(&mut self, cell: usize, mut map: A) -> Result<(), A::Error> {
        let mut kept = BTreeMap::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if self.of.metadata_keys.iter().any(|allowed| *allowed == key) {
                kept.insert(key.into_owned(), map.next_value::<serde_json::Value>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let text = serde_json::to_string(&kept).unwrap_or_default();
        self.made(cell, |_, out| out.push_str(&text));
        Ok(())
    }
}

fn is_id(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}
