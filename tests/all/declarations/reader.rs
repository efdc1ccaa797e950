//! Reads the declarations a second time, independently of the room `stream`, straight from the grammar in its header.
//! It does not judge: the tests do.

use std::path::{Path, PathBuf};

/// One column of one table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    /// Dotted from the record's root, the element's in a child table; `-`, `#` or `^…` as the grammar says.
    pub(super) path: String,
    pub(super) conversion: String,
    pub(super) class: String,
    pub(super) meaning: String,
}

/// One table; `each` is the array of a child table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) each: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) key: Vec<String>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) tables: Vec<Table>,
    /// Path and class.
    pub(super) not_kept: Vec<(String, String)>,
}

/// The files of `sql/<folder>`, in the order of their names, with their text.
pub(super) fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The declaration in `sql/<name>.sql`.
pub(super) fn declaration(name: &str) -> Declaration {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(format!("{name}.sql"));
    read(&std::fs::read_to_string(path).unwrap())
}

/// Every declaration, by the name of its file without ending.
pub(super) fn all() -> Vec<Declaration> {
    ["stripe", "checkoutcom"].iter().flat_map(|folder| files(folder)).map(|(_, sql)| read(&sql)).collect()
}

fn read(sql: &str) -> Declaration {
    let mut declaration = Declaration { tables: Vec::new(), not_kept: Vec::new() };
    let (mut doc, mut each, mut inside) = (String::new(), None, false);
    for line in sql.lines().map(str::trim) {
        if inside {
            inside = !line.starts_with(");");
            let table = declaration.tables.last_mut().unwrap();
            if let Some(key) = line.strip_prefix("PRIMARY KEY (") {
                table.key = key.trim_end_matches(')').split(", ").map(str::to_owned).collect();
            } else if inside {
                table.columns.push(column(line));
            }
        } else if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            let name = name.trim_end_matches(" (").to_owned();
            let doc = std::mem::take(&mut doc);
            declaration.tables.push(Table { name, doc, each: each.take(), columns: Vec::new(), key: Vec::new() });
            inside = true;
        } else if let Some(list) = line.strip_prefix("-- not kept: ") {
            for entry in list.split(" · ") {
                let (path, class) = entry.split_once(" | ").unwrap_or_else(|| panic!("{entry}"));
                let class = class.split_once(" (").map_or(class, |(class, _remark)| class);
                declaration.not_kept.push((path.trim().to_owned(), class.trim().to_owned()));
            }
        } else if let Some(array) = line.strip_prefix("-- each: ") {
            each = array.split("[]").next().map(str::to_owned);
        } else if let Some(words) = line.strip_prefix("-- ") {
            doc.push_str(words);
        }
    }
    declaration
}

fn column(line: &str) -> Column {
    let (code, comment) = line.split_once("-- ").unwrap_or_else(|| panic!("{line}"));
    let mut code = code.split_whitespace();
    let mut comment = comment.splitn(3, '|').map(str::trim);
    let from = comment.next().unwrap();
    let (path, conversion) = from.split_once(" (").unwrap_or((from, ""));
    Column {
        name: code.next().unwrap().to_owned(),
        kind: code.next().unwrap().trim_end_matches(',').to_owned(),
        path: path.trim().to_owned(),
        conversion: conversion.trim_end_matches(')').to_owned(),
        class: comment.next().unwrap_or("").to_owned(),
        meaning: comment.next().unwrap_or("").to_owned(),
    }
}

/// What a declaration knows of a path from the record's root.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Declared, or listed as not kept, itself or with all that is below it.
    Whole,
    /// Something below it is.
    Above,
    No,
}

impl Declaration {
    /// Path, conversion and class of every column that is read from the record, from its root.
    pub(super) fn paths(&self) -> Vec<(String, &Column)> {
        let of = |table: &Table, column: &Column| match &table.each {
            Some(array) => format!("{array}.{}", column.path),
            None => column.path.clone(),
        };
        let columns = self.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        let read = columns.filter(|(_, column)| !column.path.starts_with(['-', '#', '^']));
        read.map(|(table, column)| (of(table, column), column)).collect()
    }

    /// `a.*` is what is below `a` and begins with no name that another entry names there.
    pub(super) fn knows(&self, path: &str) -> Known {
        let paths = self.paths();
        let entries =
            || paths.iter().map(|(path, _)| path.as_str()).chain(self.not_kept.iter().map(|(p, _)| p.as_str()));
        let below = |entry: &str, path: &str| entry.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let metadata = |path: &str| paths.iter().any(|(p, c)| c.conversion == "allowed" && below(path, p));
        if metadata(path) || entries().any(|entry| entry == path || entry.strip_suffix(".*") == Some(path)) {
            return Known::Whole;
        }
        for open in entries().filter_map(|entry| entry.strip_suffix(".*")).filter(|open| below(path, open)) {
            let key = path[open.len() + 1..].split('.').next().unwrap();
            let next = format!("{open}.{key}");
            if !entries().any(|entry| entry == next || below(entry, &next)) {
                return Known::Whole;
            }
        }
        if entries().any(|entry| below(entry, path)) { Known::Above } else { Known::No }
    }

    /// The class under which a path is listed as not kept, itself or with the nearest subtree that holds it.
    pub(super) fn listed_class(&self, path: &str) -> Option<&str> {
        let holds = |entry: &str| match entry.strip_suffix(".*") {
            Some(open) => path == open || path.strip_prefix(open).is_some_and(|rest| rest.starts_with('.')),
            None => path == entry,
        };
        let nearest = self.not_kept.iter().filter(|(entry, _)| holds(entry)).max_by_key(|(entry, _)| entry.len());
        nearest.map(|(_, class)| class.as_str())
    }
}
