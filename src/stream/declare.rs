//! Reads a declaration (the grammar is in the room's header) into tables and columns, with the place of every fault.
//! It does not run the SQL; the store does, and SQLite has the last word on it.

use std::fmt::Write as _;

use super::class::Class;
use crate::problem::{self, Result};

/// The storage class of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit integer.
    Integer,
    /// UTF-8 text.
    Text,
}

/// Where a column's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The store fills it in.
    Store,
    /// A path from the record's (or element's) root.
    Path(Vec<String>),
    /// In a child table: a path of the parent record, which the parent's table declares.
    Parent(Vec<String>),
    /// In a child table: the element's position, from 0.
    Position,
}

/// How a value becomes a column: a closed set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversion {
    /// Text as it is; numbers and booleans in their JSON spelling.
    Text,
    /// A whole number, or text that spells one.
    Integer,
    /// true or false, stored as 1 or 0.
    Boolean,
    /// Seconds since 1970 to milliseconds.
    Unix,
    /// ISO 8601 in the shapes the providers use, to milliseconds.
    Iso,
    /// A whole number of minor units.
    Minor,
    /// Decimal major units to minor units of the currency at this path.
    Decimal(Vec<String>),
    /// Decimal major units to 10⁻⁸ major units.
    E8,
    /// Keyed hash; the clear value goes no further.
    Keyed,
    /// A code: ASCII lower case, blanks become underscores.
    Lower,
    /// Of an object of merchant metadata, the keys that the configuration allows, as JSON text.
    Allowed,
}

/// One column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its storage class.
    pub kind: Kind,
    /// Refuses NULL.
    pub required: bool,
    /// Where its value comes from.
    pub source: Source,
    /// How the value is converted.
    pub conversion: Conversion,
    /// Its privacy class.
    pub class: Class,
    /// What it means, for the dictionary.
    pub meaning: String,
}

/// The array that a child table's rows come from.
#[derive(Debug, Clone)]
pub struct Each {
    /// Path of the array in the parent record.
    pub path: Vec<String>,
    /// The array is newest first: of two elements with one id the first is kept.
    pub newest_first: bool,
}

/// One table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What one row is.
    pub doc: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The names of its key columns.
    pub key: Vec<String>,
    /// Set on a child table.
    pub each: Option<Each>,
}

/// A path that the provider is known to send and that we do not keep.
#[derive(Debug, Clone)]
pub struct NotKept {
    /// The path; a last part `*` stands for the whole subtree.
    pub path: Vec<String>,
    /// Why: its class.
    pub class: Class,
}

/// A whole file: the parent table first, then its children.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The SQL, to be run once.
    pub sql: &'static str,
    /// Parent first.
    pub tables: Vec<Table>,
    /// What is known and not kept.
    pub not_kept: Vec<NotKept>,
    /// Changes when anything that decides what is stored changes.
    pub hash: String,
}

impl Table {
    /// The index of the column with this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    fn column_at(&self, path: &[String]) -> Option<usize> {
        self.columns.iter().position(|column| matches!(&column.source, Source::Path(p) if p == path))
    }
}

impl Declaration {
    /// Reads a stream's declaration. `file` names it in faults.
    pub fn parse(file: &str, sql: &'static str) -> Result<Self> {
        Reader { file, stream: true, ..Reader::default() }.read(sql)
    }

    /// Reads tables that are no stream (the control tables): the same grammar, any keys, any number of tables.
    pub fn control(file: &str, sql: &'static str) -> Result<Self> {
        Reader { file, ..Reader::default() }.read(sql)
    }

    /// The parent table.
    pub fn main(&self) -> &Table {
        &self.tables[0]
    }
}

#[derive(Default)]
struct Reader<'a> {
    file: &'a str,
    stream: bool,
    line: usize,
    doc: Vec<String>,
    each: Option<Each>,
    table: Option<Table>,
    tables: Vec<Table>,
    not_kept: Vec<NotKept>,
}

impl Reader<'_> {
    fn read(mut self, sql: &'static str) -> Result<Declaration> {
        for (index, line) in sql.lines().enumerate() {
            self.line = index + 1;
            if self.table.is_some() { self.table_line(line)? } else { self.outer_line(line)? }
        }
        if self.table.is_some() || self.tables.is_empty() {
            return Err(self.fault(1, "no complete CREATE TABLE"));
        }
        self.check_references()?;
        let mut declaration = Declaration { sql, tables: self.tables, not_kept: self.not_kept, hash: String::new() };
        declaration.hash = hash_of(&declaration);
        Ok(declaration)
    }

    fn fault(&self, column: usize, what: &str) -> crate::problem::Problem {
        problem::DECLARATION.with(format!("{} line {}, column {column}: {what}", self.file, self.line))
    }

    fn outer_line(&mut self, line: &str) -> Result<()> {
        let text = line.trim();
        if let Some(comment) = text.strip_prefix("--") {
            let comment = comment.trim();
            if let Some(list) = comment.strip_prefix("not kept:") {
                return self.not_kept_line(line, list);
            }
            if let Some(each) = comment.strip_prefix("each:") {
                self.each = Some(self.each_line(line, each)?);
            } else {
                self.doc.push(comment.to_owned());
            }
        } else if let Some(rest) = text.strip_prefix("CREATE TABLE ") {
            let Some(name) = rest.strip_suffix('(').map(str::trim).filter(|name| is_name(name)) else {
                return Err(self.fault(14, "expected `CREATE TABLE name (`"));
            };
            let each = self.each.take();
            if self.stream && each.is_none() && !self.tables.is_empty() {
                return Err(self.fault(1, "a second table needs `-- each: path[]` above it"));
            }
            let doc = self.doc.drain(..).collect::<Vec<_>>().join(" ").trim().to_owned();
            if doc.is_empty() {
                return Err(self.fault(1, "a table needs a sentence above it that says what one row is"));
            }
            self.table = Some(Table { name: name.to_owned(), doc, columns: Vec::new(), key: Vec::new(), each });
        } else if text.is_empty() {
            self.doc.clear();
        } else if !text.starts_with("CREATE INDEX ") {
            return Err(self.fault(1, "expected a comment, CREATE TABLE or CREATE INDEX"));
        }
        Ok(())
    }

    fn each_line(&self, line: &str, text: &str) -> Result<Each> {
        let (path, newest_first) = match text.trim().split_once(' ') {
            None => (text.trim(), false),
            Some((path, rest)) if rest.trim() == "(newest first)" => (path, true),
            Some(_) => return Err(self.fault(place(line, text), "after the array only `(newest first)` may stand")),
        };
        let Some(path) = path.strip_suffix("[]") else {
            return Err(self.fault(place(line, text), "an array's path ends in []"));
        };
        Ok(Each { path: split(path), newest_first })
    }

    fn not_kept_line(&mut self, line: &str, list: &str) -> Result<()> {
        for entry in list.split(" · ").map(str::trim).filter(|entry| !entry.is_empty()) {
            let parsed = entry.split_once('|').and_then(|(path, rest)| {
                // After the class a remark may follow in parentheses.
                let class = rest.trim().split(' ').next().and_then(Class::parse)?;
                Some(NotKept { path: split(path.trim()), class })
            });
            match parsed {
                Some(entry) => self.not_kept.push(entry),
                None => return Err(self.fault(place(line, entry), "expected `path | class`")),
            }
        }
        Ok(())
    }

    fn table_line(&mut self, line: &str) -> Result<()> {
        let (code, comment) = match line.split_once("--") {
            Some((code, comment)) => (code.trim().trim_end_matches(',').trim(), Some(comment)),
            None => (line.trim().trim_end_matches(',').trim(), None),
        };
        if code.starts_with(')') {
            return self.end_table();
        }
        if let Some(key) = code.strip_prefix("PRIMARY KEY") {
            let names = key.trim().trim_start_matches('(').trim_end_matches(')');
            let names = names.split(',').map(|name| name.trim().to_owned()).collect();
            if let Some(table) = &mut self.table {
                table.key = names;
            }
            return Ok(());
        }
        if code.is_empty() {
            return Ok(());
        }
        let column = self.column(line, code, comment)?;
        if let Some(table) = &mut self.table {
            table.columns.push(column);
        }
        Ok(())
    }

    fn column(&self, line: &str, code: &str, comment: Option<&str>) -> Result<Column> {
        let mut words = code.split_whitespace();
        let name = words.next().filter(|name| is_name(name)).ok_or_else(|| self.fault(1, "expected a column"))?;
        let kind = match words.next() {
            Some("INTEGER") => Kind::Integer,
            Some("TEXT") => Kind::Text,
            _ => return Err(self.fault(place(line, name), "a column is INTEGER or TEXT")),
        };
        let comment =
            comment.ok_or_else(|| self.fault(place(line, name), "a column needs `-- path | class | meaning`"))?;
        let parts: Vec<&str> = comment.splitn(3, '|').map(str::trim).collect();
        let [from, class_word, meaning] = parts[..] else {
            return Err(self.fault(place(line, comment), "expected `-- path | class | meaning`"));
        };
        let class = Class::parse(class_word).ok_or_else(|| self.fault(place(line, class_word), "unknown class"))?;
        if class == Class::Direct {
            return Err(self.fault(place(line, class_word), "class `direct` is never a column"));
        }
        if meaning.is_empty() {
            return Err(self.fault(line.len(), "a column needs a meaning"));
        }
        let (path, conversion) = self.conversion(line, from, kind)?;
        Ok(Column {
            name: name.to_owned(),
            kind,
            required: code.contains("NOT NULL"),
            source: source(path),
            conversion,
            class,
            meaning: meaning.to_owned(),
        })
    }

    fn conversion<'t>(&self, line: &str, from: &'t str, kind: Kind) -> Result<(&'t str, Conversion)> {
        let Some((path, rest)) = from.split_once('(') else {
            let plain = if kind == Kind::Integer { Conversion::Integer } else { Conversion::Text };
            return Ok((from.trim(), plain));
        };
        let word = rest.trim().trim_end_matches(')').trim();
        let (conversion, makes) = match word.split_once(' ').unwrap_or((word, "")) {
            ("text", _) => (Conversion::Text, Kind::Text),
            ("integer", _) => (Conversion::Integer, Kind::Integer),
            ("boolean", _) => (Conversion::Boolean, Kind::Integer),
            ("unix", _) => (Conversion::Unix, Kind::Integer),
            ("iso", _) => (Conversion::Iso, Kind::Integer),
            ("minor", _) => (Conversion::Minor, Kind::Integer),
            ("decimal", currency) if !currency.is_empty() => (Conversion::Decimal(split(currency)), Kind::Integer),
            ("e8", _) => (Conversion::E8, Kind::Integer),
            ("keyed", _) => (Conversion::Keyed, Kind::Text),
            ("lower", _) => (Conversion::Lower, Kind::Text),
            ("allowed", _) => (Conversion::Allowed, Kind::Text),
            _ => return Err(self.fault(place(line, word), "unknown conversion")),
        };
        if makes != kind {
            return Err(self.fault(place(line, word), "the conversion does not make this column's type"));
        }
        Ok((path.trim(), conversion))
    }

    fn end_table(&mut self) -> Result<()> {
        let Some(table) = self.table.take() else { return Ok(()) };
        for name in &table.key {
            if table.column(name).is_none() {
                return Err(self.fault(1, "the primary key names a column that is not there"));
            }
        }
        if self.stream && table.key.first().map(String::as_str) != Some("account") {
            return Err(self.fault(1, "the primary key begins with account"));
        }
        self.tables.push(table);
        Ok(())
    }

    /// Parent paths and currency paths must be columns: the projection resolves them by index.
    fn check_references(&self) -> Result<()> {
        for table in &self.tables {
            for column in &table.columns {
                let known = match (&column.source, &column.conversion) {
                    (Source::Parent(path), _) => self.tables[0].column_at(path).is_some(),
                    (_, Conversion::Decimal(path)) => table.column_at(path).is_some(),
                    _ => true,
                };
                if !known {
                    let what =
                        format!("column {}.{} refers to a path that no column declares", table.name, column.name);
                    return Err(problem::DECLARATION.with(format!("{}: {what}", self.file)));
                }
            }
        }
        Ok(())
    }
}

fn source(path: &str) -> Source {
    match path {
        "-" => Source::Store,
        "#" => Source::Position,
        _ => match path.strip_prefix('^') {
            Some(path) => Source::Parent(split(path)),
            None => Source::Path(split(path)),
        },
    }
}

fn split(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The column (from 1) at which `part` stands in `line`; both come from the same string.
fn place(line: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize) + 1
}

fn hash_of(declaration: &Declaration) -> String {
    let mut text = String::new();
    for table in &declaration.tables {
        // Meanings and classes do not decide which bytes are stored for a value; paths and conversions do.
        for column in &table.columns {
            let (source, conversion) = (&column.source, &column.conversion);
            // Writing to a string cannot fail.
            let _ok = writeln!(text, "{}.{} {:?} {source:?} {conversion:?}", table.name, column.name, column.kind);
        }
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
