//! Walking one record's values: a declared leaf becomes a cell, by its conversion. What needs the whole record is in
//! `record`.

use std::collections::BTreeMap;

use serde::de::{IgnoredAny, MapAccess};

use super::convert;
use super::declare::Conversion;
use super::page::{Cell, Page};
use super::project::Projection;
use super::seeds::{KeySeed, ValueSeed};
use super::tree::{Edge, Node, TablePlan};

/// What goes wrong within a record: the cell that could not be filled, and why.
pub(super) type Fault = (usize, &'static str);

/// Stands for a cell where no column of the table is at fault.
pub(super) const NO_COLUMN: usize = usize::MAX;

pub(super) struct Walk<'w> {
    pub(super) of: &'w Projection,
    pub(super) body: &'w [u8],
    pub(super) page: &'w mut Page,
    /// The table and the first cell of the row being filled.
    pub(super) table: usize,
    pub(super) row: usize,
    pub(super) fault: Option<Fault>,
    /// The array of records was there.
    pub(super) found: bool,
}
impl<'w> Walk<'w> {
    pub(super) fn plan(&self) -> &'w TablePlan {
        &self.of.tree.tables[self.table]
    }

    pub(super) fn root(&self) -> &'w Node {
        self.node(self.plan().root)
    }

    pub(super) fn node(&self, index: usize) -> &'w Node {
        &self.of.tree.nodes[index]
    }

    pub(super) fn set(&mut self, cell: usize, value: Cell) {
        let slot = &mut self.page.tables[self.table].cells[self.row + cell];
        let before = std::mem::replace(slot, value);
        if before != Cell::Absent {
            // Which of the two is meant, nobody can tell.
            self.fail(cell, "twice");
        }
    }

    pub(super) fn fail(&mut self, cell: usize, reason: &'static str) {
        self.fault.get_or_insert((cell, reason));
    }
    /// Stores text made by `make` in the side buffer.
    pub(super) fn made(&mut self, cell: usize, make: impl FnOnce(&Projection, &mut String)) {
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
                Conversion::Text | Conversion::Lower if self.plan().id != Some(*cell) => {
                    self.made(*cell, |_, out| out.push_str(&number.to_string()));
                }
                Conversion::Keyed => self.keyed(*cell, &number.to_string()),
                _ => self.fail(*cell, "unexpected_number"),
            }
        }
        self.no_object(edge);
    }

    pub(super) fn float(&mut self, edge: &Edge, number: f64) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                // Rates and scores, never money: kept in their shortest exact spelling.
                Conversion::Text if self.plan().id != Some(*cell) => {
                    self.made(*cell, |_, out| out.push_str(&number.to_string()));
                }
                _ => self.fail(*cell, "unexpected_fraction"),
            }
        }
        self.no_object(edge);
    }

    pub(super) fn boolean(&mut self, edge: &Edge, truth: bool) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                Conversion::Boolean => self.set(*cell, Cell::Int(i64::from(truth))),
                Conversion::Text if self.plan().id != Some(*cell) => {
                    self.made(*cell, |_, out| out.push_str(if truth { "true" } else { "false" }));
                }
                _ => self.fail(*cell, "unexpected_boolean"),
            }
        }
        self.no_object(edge);
    }

    /// `place` is the text's place in the body, when it lies there unescaped.
    pub(super) fn text(&mut self, edge: &Edge, text: &str, place: Option<Cell>) {
        for (cell, conversion) in &edge.leaves {
            match conversion {
                Conversion::Text => match place {
                    Some(place) => self.set(*cell, place),
                    None => self.made(*cell, |_, out| out.push_str(text)),
                },
                Conversion::Lower if place.is_some() && text.bytes().all(is_folded) => {
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
        self.no_object(edge);
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
        let unescaped;
        let text = match raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) if text.contains('\\') => {
                unescaped = serde_json::from_str::<String>(raw).unwrap_or_default();
                &unescaped
            }
            Some(text) => text,
            None => raw,
        };
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

    /// Something else stands where an object with declared fields, or a child table's array, is expected.
    pub(super) fn no_object(&mut self, edge: &Edge) {
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
        let mut place = 0;
        while let Some(edge) = map.next_key_seed(KeySeed { node, walk: self, place: &mut place })? {
            match edge {
                Some(edge) => map.next_value_seed(ValueSeed { edge, walk: self })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn cell_text(&self, cell: Cell) -> Option<&str> {
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

/// Nothing of it would be trimmed, replaced or folded. White space is more than the blank: what is not ASCII is looked at.
fn is_folded(byte: u8) -> bool {
    byte.is_ascii_graphic() && !byte.is_ascii_uppercase()
}
