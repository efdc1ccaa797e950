//! A part of a record that comes by a request of its own: the bare array that stands at a field of the record wherever
//! the record comes whole. Its elements become the same child rows; the record's own row is only looked at.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::de::Read;

use super::page::{Cell, Page};
use super::project::{Malformed, Projection};
use super::walk::Walk;

impl Projection {
    /// Projects a bare array as if it stood at `field` of the record that `page` is of. The page that comes of it has child
    /// rows alone: what they take over from their parent (its id, its currency) is that record's, and no row is made of it. As
    /// on a page, what breaks a rule of JSON inside one element rejects that one alone.
    pub fn part(&self, page: &Page, field: &str, body: Vec<u8>) -> Result<Page, Malformed> {
        let root = &self.tree.nodes[self.tree.tables[0].root];
        let table = root.keys.find(field, &mut 0).and_then(|at| root.edges[at].array);
        // Without the record nobody knows whose they are.
        let (Some(table), 1) = (table, page.tables[0].len()) else { return Err(Malformed::NoRecords) };
        let part = match self.walk_part(page, table, &body, false) {
            Err(Malformed::Json(..)) => self.walk_part(page, table, &body, true)?,
            part => part?,
        };
        Ok(Page { body, ..part })
    }

    fn walk_part(&self, page: &Page, table: usize, body: &[u8], apart: bool) -> Result<Page, Malformed> {
        let mut part = self.blank(0);
        copy_record(page, &mut part);
        let walk = Walk { of: self, body, page: &mut part, table: 0, row: 0, fault: None, found: false };
        match std::str::from_utf8(body) {
            Ok(text) => read(serde_json::Deserializer::from_str(text), walk, table, apart),
            Err(_) => read(serde_json::Deserializer::from_slice(body), walk, table, apart),
        }?;
        part.tables[0].cells.clear();
        Ok(part)
    }
}

/// The record's row again, its texts in the side buffer: the page that they stand in is another.
fn copy_record(page: &Page, part: &mut Page) {
    for cell in page.tables[0].row(0) {
        let copy = match cell {
            Cell::Body(..) | Cell::Made(..) => {
                let (at, text) = (part.made.len() as u32, page.text(*cell));
                part.made.push_str(text);
                Cell::Made(at, text.len() as u32)
            }
            other => *other,
        };
        part.tables[0].cells.push(copy);
    }
}

fn read<'de, R: Read<'de>>(
    mut json: serde_json::Deserializer<R>,
    mut walk: Walk<'_>,
    table: usize,
    apart: bool,
) -> Result<(), Malformed> {
    let read = PartSeed { walk: &mut walk, table, apart }.deserialize(&mut json);
    read.map_err(|error| match error.is_data() {
        // Only something else than an array is refused for what it is; an element is rejected alone.
        true => Malformed::NoRecords,
        false => Malformed::Json(error.line(), error.column()),
    })?;
    json.end().map_err(|_| Malformed::Trailing)?;
    walk.finish_children(table, 0);
    Ok(())
}

struct PartSeed<'a, 'w> {
    walk: &'a mut Walk<'w>,
    table: usize,
    /// Each element is parsed apart, so that one that is no JSON is rejected alone.
    apart: bool,
}

impl<'de> DeserializeSeed<'de> for PartSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PartSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        if self.apart { self.walk.elements_apart(self.table, seq) } else { self.walk.elements(self.table, seq) }
    }
}
