//! `verify`: windows drawn by lot compared with what the provider shows now, and what streams say of one another compared
//! within the store. It adds up and reports; what counts as a difference is decided in `sync`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::parts::{Parts, provider_of, reads};
use super::request::{Tell, Wanted, progress, resolve, watched, words};
use crate::config::Connection as Settings;
use crate::problem::{self, Result};
use crate::providers::Stream;
use crate::store::{Checked, REREAD, Reader, Store};
use crate::sync::{Connection, Verified, known, verify as reread};

/// Compares what is named, all connections at once.
pub(super) async fn verify(parts: &Parts, targets: &[String], tell: Tell<'_>) -> Result<Value> {
    let wanted = resolve(parts, targets)?;
    let started = parts.seams.clock.mono();
    let (mut ready, mut report) = (Vec::new(), Vec::new());
    for (name, streams) in wanted {
        match parts.connection(&name).await {
            Ok(connection) => ready.push(Wanted { before: connection.progress.streams(), connection, streams }),
            Err(problem) => {
                report.push(json!({"connection": name, "problem": words(&problem), "streams": [], "links": []}))
            }
        }
    }
    let mut rereads = tokio::task::JoinSet::new();
    for wanted in &ready {
        let wanted = wanted.clone();
        rereads.spawn(async move {
            let only = (!wanted.streams.is_empty()).then_some(&wanted.streams[..]);
            let end = reread(wanted.connection.clone(), only, Arc::new(AtomicBool::new(false))).await;
            (wanted, end)
        });
    }
    let ends = watched(parts, rereads, &|elapsed| tell(progress(&ready, elapsed))).await?;
    for (Wanted { connection, streams, .. }, end) in ends {
        let links = links(parts, &connection, &streams).await;
        report.push(match end.and_then(|end| Ok((end, links?))) {
            Ok((end, links)) => connection_report(parts, &connection, &end, links)?,
            Err(problem) => {
                json!({"connection": connection.name, "problem": words(&problem), "streams": [], "links": []})
            }
        });
    }
    report.sort_by_key(|one| one["connection"].as_str().unwrap_or_default().to_owned());
    let elapsed = parts.seams.clock.mono().saturating_sub(started);
    Ok(json!({"connections": report, "elapsed_ms": elapsed.as_millis() as u64}))
}

fn connection_report(parts: &Parts, of: &Connection, ends: &[Verified], links: Vec<Value>) -> Result<Value> {
    let reader = Reader::open(&parts.store_path)?;
    let mut streams = Vec::new();
    for Verified { end, found } in ends {
        let table = format!("{}_{}", of.provider.name, end.stream);
        let values = of.provider.stream(&end.stream).is_some_and(Stream::tells_changes);
        streams.push(json!({
            "stream": end.stream, "compared": found.compared, "different": found.different, "undecided": found.undecided,
            "values": values,
            "problem": end.problem.as_ref().map(words),
            "last_30_days": sample(reader.checked(of.account, &table, REREAD)?),
        }));
    }
    Ok(json!({"connection": of.name, "problem": null, "streams": streams, "links": links}))
}

/// What checks say together, as JSON: `rate` is an upper bound at 95 % while nothing differed.
pub fn sample(checked: Checked) -> Value {
    let Checked { compared, different, checked_at } = checked;
    let rate = checked.rate().map(|rate| (rate * 1e6).round() / 1e6);
    json!({"compared": compared, "different": different, "rate": rate, "checked_at": checked_at})
}

/// What the re-reads say of all streams of a connection together.
pub fn sampled(reader: &Reader, account: i64, settings: &Settings) -> Result<Checked> {
    let provider = provider_of(settings)?;
    provider.streams.iter().filter(|stream| reads(settings, stream)).try_fold(Checked::default(), |all, stream| {
        Ok(all.and(reader.checked(account, &provider.table(stream), REREAD)?))
    })
}

/// The streams of a connection of which only is compared whether their rows are there: word of a change of them never comes,
/// so that other values are no fault.
pub fn presence_only(settings: &Settings) -> Result<Vec<&'static str>> {
    let streams = provider_of(settings)?.streams.iter().filter(|stream| reads(settings, stream));
    Ok(streams.filter(|stream| !stream.tells_changes()).map(|stream| stream.name).collect())
}

/// By the naming stream and its column: compared, and not held.
type Links = BTreeMap<(&'static str, &'static str), (i64, i64)>;

/// Compares what records name with what is held, without any request; notes the results.
async fn links(parts: &Parts, of: &Arc<Connection>, streams: &[String]) -> Result<Vec<Value>> {
    let settings = parts.wanted(&of.name)?;
    let (path, connection, streams) = (parts.store_path.clone(), of.clone(), streams.to_vec());
    // Whole tables are gone through: not on the thread that serves everybody else.
    let held = move || held(&Reader::open(&path)?, &connection, &settings, &streams);
    let results = tokio::task::spawn_blocking(held).await;
    let results = results.unwrap_or_else(|_| Err(problem::STORE_IO.with("a comparison ended early")))?;
    let (account, provider, noted) = (of.account, of.provider.name, results.clone());
    let at = of.now_ms();
    let note = move |store: &mut Store| {
        noted.iter().try_for_each(|((stream, id), counts)| {
            store.note_check((account, &format!("{provider}_{stream}")), (id, at), *counts)
        })
    };
    parts.store.run(note).await?;
    let report = |((stream, id), (compared, different)): ((&str, &str), (i64, i64))| json!({"stream": stream, "names": id, "compared": compared, "different": different});
    Ok(results.into_iter().map(report).collect())
}

/// What the streams (all, or those named) name, and whether it is held.
fn held(reader: &Reader, of: &Connection, settings: &Settings, streams: &[String]) -> Result<Links> {
    let (provider, mut links) = (of.provider, Links::new());
    let read = |name: &str| provider.stream(name).filter(|stream| reads(settings, stream));
    let asked = |name: &str| streams.is_empty() || streams.iter().any(|stream| stream == name);
    for link in provider.links.iter().filter(|link| asked(link.stream)) {
        let (Some(naming), Some(named)) = (read(link.stream), read(link.of)) else { continue };
        let horizon = known(reader, of.account, provider, named, of.start)?.horizon;
        let (Some(from), Some(to)) = (horizon.listed_from, horizon.listed_to) else { continue };
        let tables = (&*provider.table(naming), link.id, &*provider.table(named));
        links.insert((link.stream, link.id), reader.unheld(of.account, tables, link.expected, (from, to))?);
    }
    Ok(links)
}
