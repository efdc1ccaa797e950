//! `schema`: the data dictionary, printed from the same lines that make the tables.

use serde_json::{Value, json};

use super::{Context, table};
use crate::agent;
use crate::problem::{self, Exit, Result};
use crate::store::View;
use crate::stream::{Class, Column, Conversion, Declaration, Kind, Source, Table};

/// The data dictionary.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One table or view; without it, all of them with a line each
    table: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let schema = agent::schema()?;
    let declarations: Vec<&Declaration> = schema.streams.iter().chain([&schema.control]).collect();
    let tables: Vec<&Table> = declarations.iter().flat_map(|declaration| &declaration.tables).collect();
    match &args.table {
        None => all(context, &tables, &schema.views),
        Some(name) => {
            if let Some(found) = tables.iter().find(|table| table.name == *name) {
                let owner = declarations.iter().find(|d| d.tables.iter().any(|table| table.name == *name));
                one(context, found, owner.filter(|d| d.tables[0].name == *name).copied());
            } else if let Some(view) = schema.views.iter().find(|view| view.name == *name) {
                context.out.facts("schema", json!({"view": view.name, "sql": view.sql}));
                context.out.line(view.sql.trim_end());
            } else {
                return Err(problem::SCHEMA_UNKNOWN.with(name));
            }
        }
    }
    Ok(Exit::Fine)
}

fn all(context: &Context, tables: &[&Table], views: &[View]) {
    let first = |doc: &str| doc.split(". ").next().unwrap_or(doc).trim_end_matches('.').to_owned();
    let mut rows: Vec<Vec<String>> =
        tables.iter().map(|t| vec![t.name.clone(), "table".to_owned(), first(&t.doc)]).collect();
    rows.extend(views.iter().map(|view| {
        let comment = view.sql.lines().next().unwrap_or_default().trim_start_matches("--").trim();
        vec![view.name.to_owned(), "view".to_owned(), first(comment)]
    }));
    let json: Vec<Value> = rows.iter().map(|row| json!({"name": row[0], "kind": row[1], "about": row[2]})).collect();
    context.out.facts("schema", json!({"tables": json}));
    context.out.line(table::aligned(&["name", "kind", "one row is"], &rows));
    context.out.remark("`counterfoil schema NAME` shows one of them.");
}

/// What a number of a column counts.
fn unit(column: &Column) -> &'static str {
    match (&column.conversion, column.class, column.kind) {
        (Conversion::Minor | Conversion::Decimal(_), ..) => "minor units",
        (Conversion::E8, ..) => "10⁻⁸ major units",
        (Conversion::Boolean, ..) => "0 or 1",
        (_, Class::Time, Kind::Integer) => "ms, UTC",
        _ => "",
    }
}

fn one(context: &Context, found: &Table, owner: Option<&Declaration>) {
    let origin = |source: &Source| match source {
        Source::Store => String::new(),
        Source::Path(path) => path.join("."),
        Source::Parent(path) => format!("parent's {}", path.join(".")),
        Source::Position => "position in the array".to_owned(),
    };
    let row = |column: &Column| {
        let kind = format!("{:?}", column.kind).to_uppercase();
        let (unit, class) = (unit(column).to_owned(), column.class.name().to_owned());
        vec![column.name.clone(), kind, unit, class, origin(&column.source), column.meaning.clone()]
    };
    let rows: Vec<Vec<String>> = found.columns.iter().map(row).collect();
    let columns: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({"column": row[0], "type": row[1], "unit": row[2], "class": row[3], "provider_name": row[4],
                "meaning": row[5]})
        })
        .collect();
    let not_kept: Vec<Value> = owner
        .iter()
        .flat_map(|declaration| &declaration.not_kept)
        .map(|entry| json!({"path": entry.path.join("."), "class": entry.class.name()}))
        .collect();
    context
        .out
        .facts("schema", json!({"table": found.name, "about": found.doc, "columns": columns, "not_kept": not_kept}));
    context.out.line(format!("{}\n{}\n", found.name, found.doc));
    context.out.line(table::aligned(&["column", "type", "unit", "class", "provider's name", "meaning"], &rows));
    if !not_kept.is_empty() {
        let paths: Vec<&str> = not_kept.iter().filter_map(|entry| entry["path"].as_str()).collect();
        context.out.line(format!("\nKnown and not kept: {}", paths.join(", ")));
    }
}
