//! A record as a whole: its row is opened and closed, array elements become child rows, requirements are held, and what is
//! faulty is taken back and counted.

use serde::de::{DeserializeSeed, SeqAccess};
use serde_json::value::RawValue;

use super::convert;
use super::page::{Cell, Rejected};
use super::seeds::ObjectSeed;
use super::tree::Node;
use super::walk::{Fault, NO_COLUMN, Walk};
use crate::testpoint::planted;

impl<'w> Walk<'w> {
    /// The elements of a declared array become child rows.
    pub(super) fn elements<'de, A: SeqAccess<'de>>(&mut self, table: usize, mut seq: A) -> Result<(), A::Error> {
        let mut length = 0;
        let mut next = |node, walk: &mut Self| Ok(seq.next_element_seed(ObjectSeed { node, walk })?.is_some());
        while self.element(table, length, &mut next)? {
            length += 1;
        }
        self.length(table, length);
        Ok(())
    }

    /// The same, each element parsed apart: one that is no JSON is rejected like any other bad one.
    pub(super) fn elements_apart<'de, A: SeqAccess<'de>>(&mut self, table: usize, mut seq: A) -> Result<(), A::Error> {
        let mut length = 0;
        while let Some(raw) = seq.next_element::<&RawValue>()? {
            let mut json = serde_json::Deserializer::from_str(raw.get());
            let parse = |node, walk: &mut Self| {
                if (ObjectSeed { node, walk: &mut *walk }).deserialize(&mut json).is_err() {
                    walk.fault = Some((NO_COLUMN, "not_json"));
                }
                Ok(true)
            };
            self.element(table, length, parse)?;
            length += 1;
        }
        self.length(table, length);
        Ok(())
    }

    pub(super) fn length(&mut self, table: usize, length: u32) {
        let parent = self.page.tables[0].len() as u32 - 1;
        self.page.tables[table].lengths.push((parent, length));
    }

    /// One element, walked by `next` if there is one more; a bad one is rejected alone, and those after it keep their
    /// positions.
    fn element<E>(
        &mut self,
        table: usize,
        position: u32,
        next: impl FnOnce(&'w Node, &mut Self) -> Result<bool, E>,
    ) -> Result<bool, E> {
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
        let more = next(node, self)?;
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
    /// Where each table's cells end now.
    pub(super) fn marks(&self) -> Vec<usize> {
        self.page.tables.iter().map(|rows| rows.cells.len()).collect()
    }

    /// Takes back a record that turned out to be no JSON: nothing of it is used, and it is counted.
    pub(super) fn broken(&mut self, before: &[usize]) {
        (self.table, self.row) = (0, before[0]);
        self.page.last_rejected = true;
        self.take_back(before, (NO_COLUMN, "not_json"));
    }

    /// Opens the row of a new record.
    pub(super) fn begin(&mut self) -> Vec<usize> {
        self.page.records += 1;
        let starts = self.marks();
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
            return self.take_back(starts, fault);
        }
        for (table, start) in starts.iter().enumerate().skip(1) {
            self.finish_children(table, *start);
        }
    }

    /// Removes the record's row and its children's, and counts it as rejected.
    fn take_back(&mut self, starts: &[usize], fault: Fault) {
        let parent = self.row / self.plan().columns.len().max(1);
        for (table, start) in starts.iter().enumerate().skip(1) {
            let rows = &mut self.page.tables[table];
            rows.cells.truncate(*start);
            rows.parents.truncate(*start / rows.width.max(1));
            rows.lengths.retain(|(of, _)| *of as usize != parent);
        }
        self.reject(0, self.row, fault);
    }

    /// Children take over what they have from their parent; then each is held against its own requirements.
    pub(super) fn finish_children(&mut self, table: usize, start: usize) {
        let (parent_row, plan) = (self.row, &self.of.tree.tables[table]);
        let width = plan.columns.len();
        let (mut row, mut seen) = (start, Vec::new());
        while row < self.page.tables[table].cells.len() {
            for (cell, parent) in &plan.from_parent {
                self.page.tables[table].cells[row + cell] = self.page.tables[0].cells[parent_row + parent];
            }
            (self.table, self.row, self.fault) = (table, row, None);
            self.decimals();
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
            let exponent = self.cell_text(at(self, *currency)).and_then(|code| self.exponent(code));
            let minor = exponent.map(|exponent| convert::decimal_to_minor(text, exponent));
            match minor {
                Some(Some(minor)) => self.page.tables[self.table].cells[self.row + cell] = Cell::Int(minor),
                Some(None) => self.fail(*cell, "not_a_decimal"),
                None => self.fail(*cell, "unknown_currency"),
            }
        }
    }

    fn exponent(&self, currency: &str) -> Option<u8> {
        if planted("exponent_two") { Some(2) } else { (self.of.exponent)(&currency.to_lowercase()) }
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
}

fn is_id(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}
