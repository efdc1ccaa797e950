//! `status`: what is known up to when, what stands in the way, what waits to leave. Reads the store; works with and without
//! a running agent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::context::block_on;
use super::reads::{self, Reads};
use super::{Context, table};
use crate::agent::control::Client;
use crate::agent::parts::{provider_of, reads as reads_stream};
use crate::agent::request::Request;
use crate::agent::verify::{presence_only, sample, sampled};
use crate::config::{self, Config};
use crate::problem::{self, Exit, Problem, Result};
use crate::store::Reader;
use crate::sync::{Known, known};

/// Connections, streams, horizons, problems.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Look again every two seconds until interrupted
    #[arg(long)]
    watch: bool,
}

/// One stream of one connection.
pub(super) struct One {
    pub(super) connection: String,
    pub(super) stream: String,
    pub(super) rows: i64,
    pub(super) rejected: i64,
    pub(super) known: Known,
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

/// Everything that is shown, gathered once for both ways of showing it.
struct Facts {
    running: bool,
    streams: Vec<One>,
    problems: Vec<Value>,
    generation: Value,
    refused: Option<Problem>,
    reads: Vec<Reads>,
    /// By connection: what re-reads of the last 30 days found.
    checks: Vec<Value>,
    /// Batches that wait to be sent, and that are held.
    outbox: Option<(i64, i64)>,
    /// Whether this account may look at them.
    outbox_private: bool,
    store_bytes: u64,
    wal_bytes: u64,
}

fn gather(context: &Context) -> Result<Facts> {
    let paths = context.paths()?;
    let paces = block_on(async { Ok(paces(&paths.socket()).await) })?;
    let file = context.config();
    // Beside a broken file the last good configuration is what is in force.
    let (config, refused) = match file {
        Ok(config) => (Some(config), None),
        Err(problem) => (config::load(&paths.last_good()).ok().map(Arc::new), Some(problem)),
    };
    let reader = context.reader()?;
    let outbox =
        super::egress::outbox(context, &reader).and_then(|outbox| outbox.map(|outbox| outbox.waiting()).transpose());
    let (outbox, outbox_private) = match outbox {
        // Whoever may only read the store is shown the rest.
        Err(problem) if problem.is(&problem::EGRESS_PRIVATE) => (None, true),
        outbox => (outbox?, false),
    };
    let streams = config.as_ref().map(|config| all(&reader, config)).transpose()?.unwrap_or_default();
    let sql = "SELECT generation, loaded_at, outcome, detail FROM config_generations ORDER BY generation DESC LIMIT 1";
    let generation = table::objects(&reader.table(sql)?).get(0).cloned().unwrap_or_default();
    let said = paces.clone().unwrap_or_default();
    let reads =
        config.as_ref().map(|config| reads::all(context, &reader, config, &said)).transpose()?.unwrap_or_default();
    let checks = config.as_ref().map(|config| checks(&reader, config)).transpose()?.unwrap_or_default();
    let store = paths.store(config.as_ref().and_then(|config| config.store.path.as_deref()));
    let size = |suffix: &str| {
        let mut path = store.clone().into_os_string();
        path.push(suffix);
        std::fs::metadata(path).map_or(0, |meta| meta.len())
    };
    Ok(Facts {
        running: paces.is_some(),
        streams,
        problems: problems(&reader)?,
        generation,
        refused,
        reads,
        checks,
        outbox,
        outbox_private,
        store_bytes: size(""),
        wal_bytes: size("-wal"),
    })
}

/// What a running agent says of its requests a second; nothing of it where it refuses to say. `None`: none runs.
async fn paces(socket: &std::path::Path) -> Option<Value> {
    let mut agent = Client::connect(socket).await.ok().flatten()?;
    let request = serde_json::to_value(Request::Paces).unwrap_or_default();
    Some(agent.ask(&request, |_| ()).await.unwrap_or_default())
}

fn once(context: &Context) -> Result<Exit> {
    let facts = gather(context)?;
    context.out.facts(
        "status",
        json!({
            "agent_running": facts.running,
            "streams": facts.streams.iter().map(fact).collect::<Vec<_>>(),
            "problems": facts.problems,
            "configuration": facts.generation,
            "configuration_problem": facts.refused.as_ref().map(crate::agent::request::words),
            "reads_30_days": facts.reads.iter().map(Reads::fact).collect::<Vec<_>>(),
            "checks_30_days": facts.checks,
            "outbox": facts.outbox.map(|(waiting, held)| json!({"waiting": waiting, "held": held})),
            "outbox_private": facts.outbox_private,
            "store_bytes": facts.store_bytes, "wal_bytes": facts.wal_bytes,
        }),
    );
    print(context, &facts);
    Ok(if facts.problems.is_empty() && facts.refused.is_none() { Exit::Fine } else { Exit::Problem })
}

fn print(context: &Context, facts: &Facts) {
    let say = |text: String| context.out.line(text);
    let running = if facts.running { "running" } else { "not running" };
    say(format!("agent: {running}   store: {:.1} MB (log {:.1} MB)", mb(facts.store_bytes), mb(facts.wal_bytes)));
    if let Some(number) = facts.generation["generation"].as_i64() {
        let at = facts.generation["loaded_at"].as_i64().map(table::moment).unwrap_or_default();
        say(format!(
            "configuration: generation {number} {} at {at}",
            facts.generation["outcome"].as_str().unwrap_or_default()
        ));
    }
    if let Some(problem) = &facts.refused {
        say(format!("configuration file: {}", super::sync::words(&crate::agent::request::words(problem))));
        say(match facts.running {
            true => "  the last good one stays in force".to_owned(),
            false => "  the agent does not start until it is mended; shown is what the last good one says".to_owned(),
        });
    }
    facts.reads.iter().flat_map(Reads::words).for_each(say);
    for one in facts.checks.iter().filter(|one| one["compared"] != 0) {
        let (name, rate) = (one["connection"].as_str().unwrap_or_default(), super::verify::rate(one));
        say(format!(
            "compared again in 30 days: {name} {} rows, {} of them different; lost or wrong: {rate}{}",
            one["compared"],
            one["different"],
            presence(&one["presence_only"])
        ));
    }
    if let Some((waiting, held)) = facts.outbox {
        say(format!("outbox: {waiting} waiting, {held} held"));
    }
    if facts.outbox_private {
        say("outbox: only the agent's account and root may look at it".to_owned());
    }
    let rows: Vec<Vec<String>> = facts.streams.iter().map(row).collect();
    let columns =
        ["connection", "stream", "rows", "listed from", "up to", "changes up to", "settled up to", "rejected", "gaps"];
    say(table::aligned(&columns, &rows));
    for problem in &facts.problems {
        let text = |key: &str| problem[key].as_str();
        let place: Vec<&str> = [text("connection"), text("stream")].into_iter().flatten().collect();
        let place = if place.is_empty() { "agent".to_owned() } else { place.join(" ") };
        say(format!("\n{place}: {}", super::sync::words(problem)));
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

pub(super) fn fact(one: &One) -> Value {
    let Known { horizon, changed_to, never_changed, missing, unheard, .. } = &one.known;
    json!({
        "connection": one.connection, "stream": one.stream, "rows": one.rows, "rejected": one.rejected,
        "listed_from": horizon.listed_from, "listed_to": horizon.listed_to, "settled_to": horizon.settled_to,
        "changed_to": changed_to, "changed_never": never_changed,
        "gaps": missing.len(), "unheard": unheard.len(),
    })
}

fn row(one: &One) -> Vec<String> {
    let at = |ms: Option<i64>| ms.map(table::moment).unwrap_or_else(|| "-".to_owned());
    let Known { horizon, changed_to, never_changed, missing, unheard, .. } = &one.known;
    // A hole in a list that shows changes is both, and one.
    let gaps = missing.len() + unheard.iter().filter(|stretch| !missing.contains(stretch)).count();
    vec![
        one.connection.clone(),
        one.stream.clone(),
        one.rows.to_string(),
        at(horizon.listed_from),
        at(horizon.listed_to),
        if *never_changed { "never stated".to_owned() } else { at(*changed_to) },
        at(horizon.settled_to),
        one.rejected.to_string(),
        gaps.to_string(),
    ]
}

/// What the store knows of every configured stream.
pub(super) fn all(reader: &Reader, config: &Config) -> Result<Vec<One>> {
    let mut all = Vec::new();
    let accounts = reader.accounts()?;
    for (connection, wanted) in &config.connections {
        // A connection that was never used has no account yet: nothing is known of its streams.
        let account = accounts.iter().find(|account| account.connection.as_ref() == Some(connection));
        let account = account.map_or(0, |account| account.account);
        let provider = provider_of(wanted)?;
        for stream in provider.streams.iter().filter(|stream| reads_stream(wanted, stream)) {
            let table = provider.table(stream);
            let number = |sql: String| Ok::<_, problem::Problem>(reader.table(&sql)?.rows[0][0].int().unwrap_or(0));
            let rows = number(format!("SELECT count(*) FROM {table} WHERE account = {account}"))?;
            let rejected =
                number(format!("SELECT count(*) FROM rejected WHERE stream = '{table}' AND account = {account}"))?;
            let known = known(reader, account, provider, stream, wanted.start_ms())?;
            all.push(One { connection: connection.clone(), stream: stream.name.to_owned(), rows, rejected, known });
        }
    }
    Ok(all)
}

/// Of which streams the comparison says less.
fn presence(streams: &Value) -> String {
    let names: Vec<&str> = streams.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" (of {} only whether they are there)", names.join(", ")) }
}

/// What the re-reads of each connection found.
fn checks(reader: &Reader, config: &Config) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for account in reader.accounts()? {
        let Some(name) = &account.connection else { continue };
        let Some(wanted) = config.connections.get(name) else { continue };
        let mut one = sample(sampled(reader, account.account, wanted)?);
        one["connection"] = name.as_str().into();
        one["presence_only"] = presence_only(wanted)?.into();
        all.push(one);
    }
    Ok(all)
}

fn problems(reader: &Reader) -> Result<Vec<Value>> {
    let sql = "SELECT a.connection, p.stream, p.code, p.detail, p.first_at, p.last_at, p.times FROM problems p
        LEFT JOIN accounts a USING (account) WHERE p.cleared_at IS NULL
        ORDER BY a.connection IS NOT NULL, a.connection, p.stream, p.first_at";
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
