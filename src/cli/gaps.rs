//! `gaps`: the time that was not walked whole, and why.

use serde_json::json;

use super::status::{One, all};
use super::{Context, table};
use crate::problem::{Exit, Result};

/// Windows that were not walked whole.
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(context: &Context, _: &Args) -> Result<Exit> {
    let reader = context.reader()?;
    let config = context.config()?;
    let (mut gaps, mut unread) = (Vec::new(), Vec::new());
    for One { connection, stream, known, .. } in all(&reader, &config)? {
        if known.horizon.listed_to.is_none() {
            unread.push(format!("{connection}/{stream}"));
        }
        for (from, to, reason) in known.missing {
            gaps.push((connection.clone(), stream.clone(), from, to, reason));
        }
    }
    let facts: Vec<_> = gaps
        .iter()
        .map(|(connection, stream, from, to, reason)| json!({"connection": connection, "stream": stream, "from_at": from, "to_at": to, "reason": reason}))
        .collect();
    context.out.facts("gaps", json!({"gaps": facts, "not_read_yet": unread}));
    if gaps.is_empty() && unread.is_empty() {
        context.out.line("No gaps: every stream was walked whole up to its horizon.");
    }
    if !unread.is_empty() {
        context.out.line(format!("Not read yet: {}", unread.join(", ")));
    }
    if gaps.is_empty() {
        return Ok(Exit::Fine);
    }
    let rows: Vec<Vec<String>> = gaps
        .into_iter()
        .map(|(connection, stream, from, to, reason)| {
            vec![connection, stream, table::moment(from), table::moment(to), reason.to_owned()]
        })
        .collect();
    context.out.line(table::aligned(&["connection", "stream", "from", "to", "why"], &rows));
    Ok(Exit::Problem)
}
