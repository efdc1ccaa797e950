//! `status`: what is known up to when, what stands in the way, what waits to leave. Reads the store; works with and without
//! a running agent.

use std::time::Duration;

use serde_json::{Value, json};

use super::context::block_on;
use super::{Context, table};
use crate::agent::control::Client;
use crate::config::Config;
use crate::problem::{self, Exit, Result};
use crate::providers;
use crate::store::{Reader, WindowState};
use crate::sync::{Horizon, horizon, missing};

/// Connections, streams, horizons, problems.
#[derive(clap::Args)]
pub struct Args {
    /// Look again every two seconds until interrupted
    #[arg(long)]
    watch: bool,
}

/// What is known of one stream.
pub(super) struct Known {
    pub(super) connection: String,
    pub(super) stream: String,
    pub(super) rows: i64,
    pub(super) rejected: i64,
    pub(super) horizon: Horizon,
    /// Time before the end of the newest walk that was not walked whole, and why.
    pub(super) missing: Vec<(i64, i64, String)>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    loop {
        let exit = once(context)?;
        if !args.watch {
            return Ok(exit);
        }
        let clock = context.clock.clone();
        block_on(async move {
            clock.sleep(Duration::from_secs(2)).await;
            Ok(())
        })?;
        context.out.raw(b"\x1b[2J\x1b[H");
    }
}

fn once(context: &Context) -> Result<Exit> {
    let paths = context.paths()?;
    let running = block_on(async { Ok(Client::connect(&paths.socket()).await.ok().flatten().is_some()) })?;
    let config = context.config();
    let reader = context.reader()?;
    let streams = match &config {
        Ok(config) => known(&reader, config)?,
        Err(_) => Vec::new(),
    };
    let problems = problems(&reader)?;
    let generation = reader.table(
        "SELECT generation, loaded_at, outcome, detail FROM config_generations ORDER BY generation DESC LIMIT 1",
    )?;
    let size = |suffix: &str| {
        let mut path =
            paths.store(config.as_ref().ok().and_then(|config| config.store.path.as_deref())).into_os_string();
        path.push(suffix);
        std::fs::metadata(path).map(|meta| meta.len()).unwrap_or(0)
    };
    let (store, wal) = (size(""), size("-wal"));
    let refused = config.as_ref().err();
    context.out.facts(
        "status",
        json!({
            "agent_running": running,
            "streams": streams.iter().map(fact).collect::<Vec<_>>(),
            "problems": problems,
            "configuration": table::objects(&generation).get(0),
            "configuration_problem": refused.map(crate::agent::request::words),
            "store_bytes": store, "wal_bytes": wal,
        }),
    );
    context.out.line(format!(
        "agent: {}   store: {:.1} MB (log {:.1} MB)",
        if running { "running" } else { "not running" },
        mb(store),
        mb(wal)
    ));
    if let Some(row) = generation.rows.first() {
        let cell = |at: usize| table::plain(&row[at]);
        let at = row[1].int().map(table::moment).unwrap_or_default();
        context.out.line(format!("configuration: generation {} {} at {at}", cell(0), cell(2)));
    }
    if let Some(problem) = refused {
        context.out.line(format!("configuration file: {problem}"));
    }
    let rows: Vec<Vec<String>> = streams.iter().map(row).collect();
    context.out.line(table::aligned(
        &["connection", "stream", "rows", "listed up to", "from", "settled up to", "rejected", "gaps"],
        &rows,
    ));
    for problem in &problems {
        let text = |key: &str| problem[key].as_str().unwrap_or_default();
        let place = format!("{} {}", text("connection"), text("stream"));
        context.out.line(format!(
            "\n{}: {} {}\n  what to do: {} [{}]",
            place.trim(),
            text("title"),
            text("detail"),
            text("advice"),
            text("code")
        ));
    }
    Ok(if problems.is_empty() && refused.is_none() { Exit::Fine } else { Exit::Problem })
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn fact(known: &Known) -> Value {
    json!({
        "connection": known.connection, "stream": known.stream, "rows": known.rows, "rejected": known.rejected,
        "listed_from": known.horizon.listed_from, "listed_to": known.horizon.listed_to,
        "settled_to": known.horizon.settled_to, "changed_to": null, "gaps": known.missing.len(),
    })
}

fn row(known: &Known) -> Vec<String> {
    let at = |ms: Option<i64>| ms.map(table::moment).unwrap_or_else(|| "-".to_owned());
    vec![
        known.connection.clone(),
        known.stream.clone(),
        known.rows.to_string(),
        at(known.horizon.listed_to),
        at(known.horizon.listed_from),
        at(known.horizon.settled_to),
        known.rejected.to_string(),
        known.missing.len().to_string(),
    ]
}

/// What the store knows of every configured stream.
pub(super) fn known(reader: &Reader, config: &Config) -> Result<Vec<Known>> {
    let mut all = Vec::new();
    for account in reader.accounts()? {
        let Some(connection) = account.connection.clone() else { continue };
        let Some(wanted) = config.connections.get(&connection) else { continue };
        let Some(provider) = providers::find(&account.provider) else { continue };
        for stream in provider.streams {
            if wanted.streams.as_ref().is_some_and(|names| !names.iter().any(|name| name == stream.name)) {
                continue;
            }
            let table = provider.table(stream);
            let hash = stream.declaration()?.hash;
            let windows = reader.windows(account.account, &table)?;
            let number = |sql: String| Ok::<_, problem::Problem>(reader.table(&sql)?.rows[0][0].int().unwrap_or(0));
            let rows = number(format!("SELECT count(*) FROM {table} WHERE account = {}", account.account))?;
            let rejected = number(format!(
                "SELECT count(*) FROM rejected WHERE stream = '{table}' AND account = {}",
                account.account
            ))?;
            let gaps = missing(&windows, wanted.start_ms(), &hash).into_iter().map(|(from, to)| {
                let gap = windows.iter().find(|w| w.state == WindowState::Gap && w.from_at < to && w.to_at > from);
                (from, to, if gap.is_some() { "one second holds too much" } else { "not read yet" }.to_owned())
            });
            all.push(Known {
                connection: connection.clone(),
                stream: stream.name.to_owned(),
                rows,
                rejected,
                horizon: horizon(&windows, wanted.start_ms(), &hash),
                missing: gaps.collect(),
            });
        }
    }
    Ok(all)
}

fn problems(reader: &Reader) -> Result<Vec<Value>> {
    let sql = "SELECT a.connection, p.stream, p.code, p.detail, p.first_at, p.last_at, p.times FROM problems p
        LEFT JOIN accounts a USING (account) WHERE p.cleared_at IS NULL ORDER BY p.first_at";
    let mut found = table::objects(&reader.table(sql)?);
    let list = found.as_array_mut().map(std::mem::take).unwrap_or_default();
    Ok(list
        .into_iter()
        .map(|mut one| {
            if let Some(entry) = one["code"].as_str().and_then(problem::find) {
                one["title"] = entry.title.into();
                one["advice"] = entry.advice.into();
            }
            one
        })
        .collect())
}
