//! `query`: read-only SQL on the store, with limits.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Context, table};
use crate::problem::{self, Exit, Result};

/// Ask the store, read-only.
#[derive(clap::Args)]
pub(super) struct Args {
    /// One SQL statement; without it, it is read from standard input
    sql: Option<String>,
    /// How rows are printed
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Rows at most; 0 for no limit
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Seconds at most
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let sql = match &args.sql {
        Some(sql) => sql.clone(),
        None => {
            let mut sql = String::new();
            std::io::stdin()
                .take(1 << 20)
                .read_to_string(&mut sql)
                .map_err(|error| problem::QUERY_INVALID.with(error.kind()))?;
            sql
        }
    };
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let found = context.reader()?.query(&sql, limit, Duration::from_secs(args.timeout), Arc::clone(&context.clock))?;
    if context.out.json {
        context.out.facts("query", json!({"columns": found.columns, "rows": table::objects(&found), "cut": found.cut}));
        return Ok(Exit::Fine);
    }
    match args.format {
        Format::Table => context.out.line(table::people(&found)),
        Format::Csv => context.out.raw(table::csv(&found).as_bytes()),
        Format::Json => context.out.line(format!("{:#}", table::objects(&found))),
    }
    if found.cut {
        context.out.remark(format!("Only the first {} rows are shown; --limit changes that.", found.rows.len()));
    }
    Ok(Exit::Fine)
}
