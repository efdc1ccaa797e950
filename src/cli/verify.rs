//! `verify`: old windows drawn by lot compared with what the provider shows now, and streams compared with one another; by
//! the agent when one runs.

use serde_json::Value;

use super::{Context, progress, sync, table};
use crate::agent::request::Request;
use crate::problem::{Exit, Result};

/// Compare old windows, drawn by lot, with what the provider shows now.
#[derive(clap::Args)]
pub(super) struct Args {
    /// CONNECTION or CONNECTION/STREAM; all when none is named
    targets: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let out = context.out;
    let done = context.ask(Request::Verify { targets: args.targets.clone() }, &|event| progress::show(&out, &event));
    out.end_progress();
    let done = done?;
    let exit = print(context, &done);
    out.facts("verify", done);
    Ok(exit)
}

/// Prints what was found; says how it ended. A difference outweighs a stream that could not be read.
fn print(context: &Context, done: &Value) -> Exit {
    let (mut streams, mut links, mut troubles) = (Vec::new(), Vec::new(), Vec::new());
    let (mut different, mut undecided) = (0, 0);
    for connection in list(&done["connections"]) {
        let name = connection["connection"].as_str().unwrap_or_default();
        if !connection["problem"].is_null() {
            troubles.push((name.to_owned(), connection["problem"].clone()));
        }
        for one in list(&connection["streams"]) {
            let stream = one["stream"].as_str().unwrap_or_default();
            if !one["problem"].is_null() {
                troubles.push((format!("{name}/{stream}"), one["problem"].clone()));
            }
            different += number(one, "different");
            undecided += number(one, "undecided");
            let sample = &one["last_30_days"];
            let mut row = vec![name.to_owned(), stream.to_owned()];
            row.extend([(one, "compared"), (one, "different"), (sample, "compared"), (sample, "different")].map(text));
            let wrong = if one["values"] == false && sample["rate"].is_f64() { " lost" } else { "" };
            row.push(rate(sample) + wrong);
            row.push(sample["checked_at"].as_i64().map(table::moment).unwrap_or_else(|| "-".to_owned()));
            streams.push(row);
        }
        for one in list(&connection["links"]) {
            different += number(one, "different");
            let mut row = vec![name.to_owned()];
            row.extend(["stream", "names"].map(|key| one[key].as_str().unwrap_or_default().to_owned()));
            row.extend([(one, "compared"), (one, "different")].map(text));
            links.push(row);
        }
    }
    let columns =
        ["connection", "stream", "compared", "different", "in 30 days", "differed", "lost or wrong", "last at"];
    context.out.line(table::aligned(&columns, &streams));
    if !links.is_empty() {
        let columns = ["connection", "stream", "names by", "compared", "not held"];
        context.out.line(format!("\n{}", table::aligned(&columns, &links)));
    }
    if undecided > 0 {
        context.out.remark(format!(
            "\n{undecided} row(s) differ, perhaps by a change that was not heard of yet: `status` tells once it was, or \
             should have been (within the hour, while the agent runs)."
        ));
    }
    let failed = !troubles.is_empty();
    sync::tell(context, troubles);
    match (different, failed) {
        (0, false) => Exit::Fine,
        (0, true) => Exit::Partly,
        _ => Exit::Problem,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(one: &Value, key: &str) -> i64 {
    one[key].as_i64().unwrap_or(0)
}

fn text((one, key): (&Value, &str)) -> String {
    number(one, key).to_string()
}

/// The rate of a sample in words.
pub(super) fn rate(sample: &Value) -> String {
    match sample["rate"].as_f64().map(|rate| rate * 100.0) {
        None => "not known yet".to_owned(),
        Some(percent) if number(sample, "different") == 0 => format!("fewer than {percent:.3} %"),
        Some(percent) => format!("{percent:.3} %"),
    }
}
