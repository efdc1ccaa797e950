//! `sync`: one pass to completion, by the agent when one runs.

use serde_json::Value;

use super::{Context, progress, table};
use crate::agent::request::Request;
use crate::problem::{Exit, Result};

/// Read what is new, to completion.
#[derive(clap::Args)]
pub(super) struct Args {
    /// CONNECTION or CONNECTION/STREAM; all when none is named
    targets: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let out = context.out;
    let done = context.ask(Request::Sync { targets: args.targets.clone() }, &|event| progress::show(&out, &event));
    out.end_progress();
    let done = done?;
    let exit = print(context, &done);
    out.facts("sync", done);
    Ok(exit)
}

/// Prints a report of a pass; says how it ended.
pub(super) fn print(context: &Context, done: &Value) -> Exit {
    let empty = Vec::new();
    let (mut rows, mut failed, mut all) = (Vec::new(), 0, 0);
    let mut troubles = Vec::new();
    for connection in done["connections"].as_array().unwrap_or(&empty) {
        let name = connection["connection"].as_str().unwrap_or_default();
        if !connection["problem"].is_null() {
            (failed, all) = (failed + 1, all + 1);
            troubles.push((name.to_owned(), connection["problem"].clone()));
        }
        for stream in connection["streams"].as_array().unwrap_or(&empty) {
            all += 1;
            let number = |key: &str| stream[key].as_i64().unwrap_or(0).to_string();
            let stream_name = stream["stream"].as_str().unwrap_or_default().to_owned();
            let verdict = if stream["problem"].is_null() { "up to date" } else { "failed" };
            if !stream["problem"].is_null() {
                failed += 1;
                troubles.push((format!("{name}/{stream_name}"), stream["problem"].clone()));
            }
            rows.push(vec![
                name.to_owned(),
                stream_name,
                number("rows"),
                number("rejected"),
                number("requests"),
                verdict.to_owned(),
            ]);
        }
    }
    context.out.line(table::aligned(&["connection", "stream", "rows read", "rejected", "requests", "result"], &rows));
    tell(context, troubles);
    match failed {
        0 => Exit::Fine,
        _ if failed < all => Exit::Partly,
        _ => Exit::Problem,
    }
}

/// One cause, told once, with everything that it stopped. The particulars are those of the first place.
pub(super) fn tell(context: &Context, troubles: Vec<(String, Value)>) {
    let mut told: Vec<(Value, Vec<String>)> = Vec::new();
    for (place, problem) in troubles {
        match told.iter_mut().find(|(one, _)| one["code"] == problem["code"]) {
            Some((_, places)) => places.push(place),
            None => told.push((problem, vec![place])),
        }
    }
    for (problem, places) in told {
        context.out.trouble(format!("\n{}: {}", places.join(", "), words(&problem)));
    }
}

/// A problem in JSON as a person reads it.
pub(super) fn words(problem: &Value) -> String {
    let text = |key: &str| problem[key].as_str().unwrap_or_default();
    let detail = text("detail");
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    format!("{}{detail}\n  what to do: {} [{}]", text("title"), text("advice"), text("code"))
}
