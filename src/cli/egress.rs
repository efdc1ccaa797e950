//! `egress`: what would leave, what left, byte for byte, and the merchant's consent.

use serde_json::{Value, json};

use super::{Context, table};
use crate::agent::request::Request;
use crate::agent::upstream::{settled_until, starts};
use crate::config::Mode;
use crate::egress::wire::Day;
use crate::egress::{Outbox, Preview, preview, registry};
use crate::problem::{self, Exit, Result};
use crate::store::Reader;

/// What would leave, what left, and your consent.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// What would leave next, exactly as it would; changes nothing
    Preview {
        /// A day, YYYY-MM-DD, instead of the next one
        #[arg(long)]
        day: Option<String>,
    },
    /// The batches that were released
    Log,
    /// One batch: its exact bytes and its history
    Show {
        /// Its number
        seq: i64,
    },
    /// Enrol with the receiver of the configuration and consent to what is listed
    Accept {
        /// The one-time code of the receiver's operator
        #[arg(long)]
        code: String,
    },
    /// Keep a batch back that was not sent yet
    Hold {
        /// Its number
        seq: i64,
    },
    /// Let a batch go that waits
    Release {
        /// Its number
        seq: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    match &args.what {
        What::Preview { day } => show_preview(context, day.as_deref()),
        What::Log => log(context),
        What::Show { seq } => show(context, *seq),
        What::Accept { code } => accept(context, code),
        What::Hold { seq } => decide(context, Request::Hold { seq: *seq }, "is kept back"),
        What::Release { seq } => decide(context, Request::Release { seq: *seq }, "may go"),
    }
}

/// The outbox for reading; `None` while there is none.
pub(super) fn outbox(context: &Context, reader: &Reader) -> Result<Option<Outbox>> {
    let path = context.paths()?.egress();
    if !path.exists() {
        return Ok(None);
    }
    let uuid = reader.table("SELECT value FROM state WHERE name = 'uuid'")?;
    let uuid = uuid.rows.first().and_then(|row| row[0].str()).unwrap_or_default().to_owned();
    Outbox::open_read_only(&path, &uuid).map(Some)
}

fn show_preview(context: &Context, day: Option<&str>) -> Result<Exit> {
    let config = context.config()?;
    let day = day.map(parse_day).transpose()?;
    if config.upstream.mode == Mode::Off {
        context.out.facts("egress", json!({"batches": []}));
        context.out.line("Nothing would leave: `mode` in [upstream] is off.");
        return Ok(Exit::Fine);
    }
    let reader = context.reader()?;
    let Some(until) = settled_until(&reader, &starts(&config), None)? else {
        context.out.facts("egress", json!({"batches": []}));
        context.out.line("Nothing can be previewed yet: no connection was read far enough back.");
        return Ok(Exit::Fine);
    };
    let batches = preview(outbox(context, &reader)?.as_ref(), reader.connection(), until, day)?;
    let facts: Vec<Value> = batches.iter().map(|batch| {
        json!({"period": batch.reading.period, "late": batch.reading.late, "cells": batch.reading.cells.len(), "held": batch.held,
            "bytes": String::from_utf8_lossy(batch.reading.bytes().as_slice())})
    }).collect();
    context.out.facts("egress", json!({"batches": facts}));
    if batches.is_empty() {
        context.out.line("Nothing would leave.");
    }
    for batch in &batches {
        context.out.line(format!(
            "{}  {} cell(s), {} event(s) held back",
            batch.reading.period,
            batch.reading.cells.len(),
            batch.held
        ));
        context.out.line(cells(batch));
        context
            .out
            .line(format!("\nthe exact bytes:\n{}\n", String::from_utf8_lossy(batch.reading.bytes().as_slice())));
    }
    Ok(Exit::Fine)
}

fn cells(batch: &Preview) -> String {
    let row = |cell: &crate::egress::wire::guard::ReadCell| {
        let mut row: Vec<String> = cell.codes.iter().map(|code| (*code).to_owned()).collect();
        row.push(cell.count.to_string());
        row
    };
    let rows: Vec<Vec<String>> = batch.reading.cells.iter().map(row).collect();
    table::aligned(&batch.reading.columns, &rows)
}

fn parse_day(text: &str) -> Result<Day> {
    let date: Option<jiff::civil::Date> = text.parse().ok();
    let days = date.map(|date| jiff::civil::Date::constant(1970, 1, 1).duration_until(date).as_secs() / 86_400);
    days.and_then(Day::from_number).ok_or_else(|| problem::EGRESS_DAY.with("a day is written YYYY-MM-DD"))
}

fn log(context: &Context) -> Result<Exit> {
    let reader = context.reader()?;
    let batches = match outbox(context, &reader)? {
        Some(outbox) => outbox.log(1000)?,
        None => Vec::new(),
    };
    let facts: Vec<Value> = batches.iter().map(|batch| {
        json!({"seq": batch.seq, "period": batch.period, "fact": batch.fact, "late": batch.late, "cells": batch.cells,
            "events": batch.events, "size": batch.size, "state": batch.state, "attempts": batch.attempts,
            "created_at": batch.created_at, "receipt": batch.receipt.is_some()})
    }).collect();
    context.out.facts("egress", json!({"batches": facts}));
    let row = |batch: &crate::egress::log::Batch| {
        vec![
            batch.seq.to_string(),
            batch.fact.clone(),
            batch.period.clone(),
            batch.cells.to_string(),
            batch.events.to_string(),
            batch.size.to_string(),
            batch.state.clone(),
            table::moment(batch.created_at),
        ]
    };
    let rows: Vec<Vec<String>> = batches.iter().map(row).collect();
    context
        .out
        .line(table::aligned(&["seq", "fact", "period", "cells", "events", "bytes", "state", "released at"], &rows));
    Ok(Exit::Fine)
}

fn show(context: &Context, seq: i64) -> Result<Exit> {
    let reader = context.reader()?;
    let outbox = outbox(context, &reader)?.ok_or_else(|| problem::EGRESS_NO_BATCH.with(seq))?;
    let shown = outbox.show(seq)?;
    let bytes = String::from_utf8_lossy(&shown.bytes).into_owned();
    let history: Vec<Value> =
        shown.history.iter().map(|one| json!({"at": one.at, "event": one.event, "status": one.status})).collect();
    context.out.facts("egress", json!({"seq": seq, "period": shown.batch.period, "state": shown.batch.state, "bytes": bytes, "history": history}));
    if !context.out.json {
        context.out.raw(&shown.bytes);
        context.out.raw(b"\n");
    }
    for one in &shown.history {
        context.out.remark(format!(
            "{}  {}{}",
            table::moment(one.at),
            one.event,
            one.status.map(|s| format!(" {s}")).unwrap_or_default()
        ));
    }
    Ok(Exit::Fine)
}

fn accept(context: &Context, code: &str) -> Result<Exit> {
    context.out.remark(registry::describe());
    let done = context.ask(Request::Accept { code: code.to_owned() }, &|_| ())?;
    let text = |key: &str| done[key].as_str().unwrap_or_default().to_owned();
    context.out.line(format!(
        "Enrolled with {} as {}; nothing from before now will leave.",
        text("url"),
        text("install")
    ));
    context.out.facts("egress", done);
    Ok(Exit::Fine)
}

fn decide(context: &Context, request: Request, what: &str) -> Result<Exit> {
    let done = context.ask(request, &|_| ())?;
    context.out.line(format!("The batch {what}."));
    context.out.facts("egress", done);
    Ok(Exit::Fine)
}
