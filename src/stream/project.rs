//! The projection: walks a page's bytes once, driven by the declaration. Declared leaves become cells that point into the
//! page; everything else is skipped by the parser and becomes no value. It does no I/O and never stops at one odd record:
//! that one is counted as rejected, with its id and a reason.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer};
use serde_json::de::Read;

use super::class::Profile;
use super::declare::Declaration;
use super::page::{Page, Rows};
use super::seeds::{Envelope, RecordSeed};
use super::tree::Tree;
use super::walk::Walk;

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
    pub(super) tree: Tree,
    pub(super) tokens: Arc<dyn Tokens>,
    pub(super) exponent: fn(&str) -> Option<u8>,
    pub(super) metadata_keys: Vec<String>,
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

    /// The same, counting on each page what this field of its records says of their mode (live or test).
    pub fn telling_mode(mut self, field: Option<&str>) -> Self {
        if let Some(field) = field {
            self.tree.tell_mode(field);
        }
        self
    }

    /// For each table, the columns (by their number in the declaration) that the cells of a row stand for.
    pub fn columns(&self, table: usize) -> &[usize] {
        &self.tree.tables[table].columns
    }

    /// The cell of a row of the main table that holds this column of the declaration.
    pub fn cell_of(&self, column: usize) -> Option<usize> {
        self.tree.tables[0].columns.iter().position(|c| *c == column)
    }

    /// Projects one response. A record whose JSON breaks a rule inside it (a lone surrogate, a number beyond all bounds) is
    /// rejected alone: then the page is walked a second time, record by record.
    pub fn page(&self, body: Vec<u8>, shape: &Shape) -> Result<Page, Malformed> {
        let page = match (self.walk(&body, shape, false), shape.records) {
            (Err(Malformed::Json(..)), Some(_)) => self.walk(&body, shape, true)?,
            (page, _) => page?,
        };
        Ok(Page { body, ..page })
    }

    fn walk(&self, body: &[u8], shape: &Shape, apart: bool) -> Result<Page, Malformed> {
        let mut page = self.blank(shape.leaves.len());
        let mut walk = Walk { of: self, body, page: &mut page, table: 0, row: 0, fault: None, found: false };
        // One look over the whole page is cheaper than one at each text; where it fails, only texts that are kept are held
        // to it.
        match std::str::from_utf8(body) {
            Ok(text) => read(serde_json::Deserializer::from_str(text), &mut walk, shape, apart),
            Err(_) => read(serde_json::Deserializer::from_slice(body), &mut walk, shape, apart),
        }?;
        let found = walk.found || shape.records.is_none();
        if found { Ok(page) } else { Err(Malformed::NoRecords) }
    }

    /// A page of nothing yet.
    pub(super) fn blank(&self, leaves: usize) -> Page {
        Page {
            body: Vec::new(),
            made: String::new(),
            id: self.tree.tables[0].id,
            last_rejected: false,
            tables: self.tree.tables.iter().map(|table| Rows::new(table.columns.len())).collect(),
            records: 0,
            modes: [0, 0],
            rejected: Vec::new(),
            drift: BTreeMap::new(),
            leaves: vec![None; leaves],
        }
    }
}

fn read<'de, R: Read<'de>>(
    mut json: serde_json::Deserializer<R>,
    walk: &mut Walk<'_>,
    shape: &Shape,
    apart: bool,
) -> Result<(), Malformed> {
    let read = match shape.records {
        Some(field) => json.deserialize_any(Envelope { walk, field, leaves: shape.leaves, apart }),
        None => RecordSeed { walk }.deserialize(&mut json),
    };
    read.map_err(|error| Malformed::Json(error.line(), error.column()))?;
    json.end().map_err(|_| Malformed::Trailing)
}
