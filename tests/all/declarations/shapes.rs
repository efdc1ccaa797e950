//! The providers' published shapes: schemas (JSON and YAML) and example objects. Says whether a path exists there, and lists
//! the leaves. Paths are dotted; arrays leave no mark in them.

use std::path::PathBuf;

use serde_json::{Map, Value};

/// The folder with the published shapes, when it is there.
pub(super) fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(beside, PathBuf::from).join("psp");
    folder.is_dir().then_some(folder)
}

/// A JSON or YAML file of that folder.
pub(super) fn load(folder: &std::path::Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    if name.ends_with(".json") { serde_json::from_str(&text).unwrap() } else { Yaml::new(&text).block(0) }
}

/// An OpenAPI document and one schema in it.
#[derive(Clone, Copy)]
pub(super) struct Schema<'v> {
    pub(super) document: &'v Value,
    pub(super) schema: &'v Value,
}

impl<'v> Schema<'v> {
    fn at(self, schema: &'v Value) -> Self {
        Self { schema, ..self }
    }

    /// This schema and all that it refers to without going down a level.
    fn alternatives(self) -> Vec<&'v Value> {
        let mut all = vec![self.schema];
        let mut next = 0;
        while let Some(schema) = all.get(next).copied() {
            let mapped = schema["discriminator"]["mapping"].as_object().into_iter().flat_map(Map::values);
            let referred = schema.get("$ref").into_iter().chain(mapped).filter_map(Value::as_str);
            let referred = referred.filter_map(|name| self.document.pointer(name.trim_start_matches('#')));
            let parts = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
            for other in referred.chain(parts).chain(schema.get("items")) {
                if !all.iter().any(|known| std::ptr::eq(*known, other)) {
                    all.push(other);
                }
            }
            next += 1;
        }
        all
    }

    /// True when the schema has this path.
    pub(super) fn has(self, path: &[&str]) -> bool {
        let Some((key, rest)) = path.split_first() else { return true };
        self.alternatives().into_iter().any(|schema| {
            let open = schema.get("additionalProperties").is_some_and(Value::is_object);
            open || schema["properties"].get(*key).is_some_and(|below| self.at(below).has(rest))
        })
    }

    /// Hands every path to `go_on`, which says whether to look below it.
    pub(super) fn walk(self, prefix: &str, go_on: &mut dyn FnMut(&str, bool) -> bool) {
        for schema in self.alternatives() {
            for (key, below) in schema["properties"].as_object().into_iter().flatten() {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                let below = self.at(below);
                let leaf = below.alternatives().iter().all(|schema| schema.get("properties").is_none());
                if go_on(&path, leaf) {
                    below.walk(&path, go_on);
                }
            }
        }
    }
}

/// True when the example has this path in one of its objects.
pub(super) fn has(example: &Value, path: &[&str]) -> bool {
    match (example, path.split_first()) {
        (_, None) => true,
        (Value::Array(all), _) => all.iter().any(|one| has(one, path)),
        (_, Some((key, rest))) => example.get(*key).is_some_and(|below| has(below, rest)),
    }
}

/// The paths of all scalars and nulls of an example.
pub(super) fn leaves(example: &Value, prefix: &str, out: &mut Vec<(String, Value)>) {
    match example {
        Value::Object(fields) => {
            for (key, below) in fields {
                leaves(below, &if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") }, out);
            }
        }
        Value::Array(all) => all.iter().for_each(|one| leaves(one, prefix, out)),
        scalar => out.push((prefix.to_owned(), scalar.clone())),
    }
}

/// As much of YAML as an OpenAPI document needs to show its structure: block mappings and sequences, quoted keys, plain
/// scalars. Texts that go on over lines are cut after the first.
struct Yaml {
    lines: Vec<(usize, String)>,
    at: usize,
}

impl Yaml {
    fn new(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        let lines = lines.map(|line| (line.len() - line.trim_start().len(), line.trim().to_owned()));
        Self { lines: lines.collect(), at: 0 }
    }

    fn line(&self) -> Option<(usize, &str)> {
        self.lines.get(self.at).map(|(indent, text)| (*indent, text.as_str()))
    }

    fn block(&mut self, indent: usize) -> Value {
        if self.line().is_some_and(|(_, text)| text.starts_with("- ")) {
            let mut all = Vec::new();
            while self.line().is_some_and(|(i, text)| i == indent && text.starts_with("- ")) {
                let text = self.lines[self.at].1[2..].trim().to_owned();
                if !text.starts_with(['\'', '"', '{', '[']) && (text.contains(": ") || text.ends_with(':')) {
                    self.lines[self.at] = (indent + 2, text);
                    all.push(self.block(indent + 2));
                } else {
                    all.push(scalar(&text));
                    self.skip(indent);
                }
            }
            return Value::Array(all);
        }
        let mut fields = Map::new();
        while let Some((_, text)) = self.line().filter(|(i, text)| *i == indent && !text.starts_with("- ")) {
            let (key, value) = text.split_once(": ").unwrap_or((text.trim_end_matches(':'), ""));
            let (key, value) = (key.trim_matches(['\'', '"']).to_owned(), value.trim().to_owned());
            if !value.is_empty() {
                self.skip(indent);
                fields.insert(key, scalar(&value));
                continue;
            }
            self.at += 1;
            let below = self.line().filter(|(i, text)| *i > indent || (*i == indent && text.starts_with("- ")));
            let below = below.map(|(i, _)| i);
            fields.insert(key, below.map_or(Value::Null, |i| self.block(i)));
        }
        Value::Object(fields)
    }

    /// Over this line and those that continue it.
    fn skip(&mut self, indent: usize) {
        self.at += 1;
        while self.line().is_some_and(|(i, _)| i > indent) {
            self.at += 1;
        }
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "{}" => Value::Object(Map::new()),
        "[]" => Value::Array(Vec::new()),
        _ => Value::String(text.trim_matches(['\'', '"']).to_owned()),
    }
}
