//! What can be asked of whoever holds the parts: the agent over its socket, or the command line itself when no agent runs.
//! One function does it in both cases. Answers are JSON; nothing here prints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::parts::Parts;
use super::{keys, upstream, verify};
use crate::clock::Clock;
use crate::problem::{self, Problem, Result};
use crate::store::Renamed;
use crate::sync::{Connection, PassEnd, StreamEnd, StreamProgress, slice};
use crate::vault::Secret;

/// One thing to do.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// One pass to completion over these connections or `connection/stream`s; all when empty.
    Sync {
        /// What to read.
        targets: Vec<String>,
    },
    /// A re-read of windows drawn by lot, over these connections or `connection/stream`s; all when empty.
    Verify {
        /// What to compare.
        targets: Vec<String>,
    },
    /// Look at the configuration file now.
    Reload,
    /// Check and seal a key.
    SetKey {
        /// The connection.
        connection: String,
        /// The key's name.
        key: String,
        /// The key itself. Requests are never logged.
        secret: String,
        /// A key that may do more than read is meant.
        full_access: bool,
    },
    /// Requests a second of the connections that the provider slowed down.
    Paces,
    /// What is sealed.
    ListKeys,
    /// What a key may read.
    TestKey {
        /// The connection.
        connection: String,
    },
    /// Forget a key.
    RemoveKey {
        /// The connection.
        connection: String,
        /// The key's name.
        key: String,
    },
    /// Another name for a connection.
    Rename {
        /// Its name.
        old: String,
        /// Its new name.
        new: String,
    },
    /// Forget a connection's name; its rows stay, its keys go.
    RemoveConnection {
        /// Its name.
        connection: String,
    },
    /// Enrol with the receiver.
    Accept {
        /// The operator's one-time code.
        code: String,
    },
    /// Keep a batch back.
    Hold {
        /// Its number.
        seq: i64,
    },
    /// Let a batch go.
    Release {
        /// Its number.
        seq: i64,
    },
}

/// So long somebody's pass reads the past before it lets others have their turn.
const TURN: Duration = Duration::from_secs(60);

/// Hears of progress while a request is done.
pub type Tell<'a> = &'a (dyn Fn(Value) + Send + Sync);

/// Does it.
pub async fn perform(parts: &Parts, request: Request, tell: Tell<'_>) -> Result<Value> {
    match request {
        Request::Sync { targets } => sync(parts, &targets, tell).await,
        Request::Verify { targets } => verify::verify(parts, &targets, tell).await,
        // Without an agent the file was read just now.
        Request::Reload => Ok(json!({"outcome": "same"})),
        Request::SetKey { connection, key, secret, full_access } => {
            keys::set(parts, &connection, &key, Secret::new(secret.into_bytes()), full_access).await
        }
        Request::Paces => Ok(parts.paces()),
        Request::ListKeys => keys::list(parts).await,
        Request::TestKey { connection } => keys::test(parts, &connection).await,
        Request::RemoveKey { connection, key } => keys::remove(parts, &connection, &key).await,
        Request::Rename { old, new } => rename(parts, old, new).await,
        Request::RemoveConnection { connection } => remove(parts, connection).await,
        Request::Accept { code } => {
            let consent = upstream::enrol(parts, &code).await?;
            Ok(json!({"install": consent.install, "url": consent.url, "accepted_at": consent.accepted_at}))
        }
        Request::Hold { seq } => upstream::veto(parts, seq, true).map(|()| json!({"held": seq})),
        Request::Release { seq } => upstream::veto(parts, seq, false).map(|()| json!({"released": seq})),
    }
}

async fn rename(parts: &Parts, old: String, new: String) -> Result<Value> {
    let (names, now) = ((old.clone(), new.clone()), parts.seams.clock.wall_ms());
    // A name under which a key is sealed is somebody's, whether or not anything was read by it.
    let sealed: Vec<String> = parts.vault().list().into_iter().map(|label| label.account).collect();
    let rename = move |store: &mut crate::store::Store| {
        let Some(account) = store.account(&names.0)? else { return Ok(Renamed::Unknown) };
        if store.account(&names.1)?.is_some_and(|other| sealed.contains(&other.uuid)) {
            return Ok(Renamed::Taken);
        }
        store.rename_connection(&names.0, &names.1, &super::parts::tables(&account.provider), now)
    };
    // What is under way by either name stores nothing more, before and after.
    let unready = || [&old, &new].into_iter().for_each(|name| parts.unready(name));
    unready();
    let done = parts.store.run(rename).await;
    unready();
    match done? {
        Renamed::Done => Ok(json!({"old": old, "new": new})),
        Renamed::Taken => Err(problem::CONNECTION_TAKEN.with(new)),
        Renamed::Unknown => Err(problem::NO_CONNECTION.with(old)),
    }
}

async fn remove(parts: &Parts, name: String) -> Result<Value> {
    let (now, wanted) = (parts.seams.clock.wall_ms(), name.clone());
    let account = parts
        .store
        .run(move |store| {
            let account = store.account(&wanted)?;
            store.remove_connection(&wanted, now)?;
            Ok(account)
        })
        .await?;
    let account = account.ok_or_else(|| problem::NO_CONNECTION.with(&name))?;
    let keys = parts.vault().remove_account(&account.uuid)?;
    parts.unready(&name);
    Ok(json!({"connection": name, "keys_removed": keys, "rows": "kept"}))
}

/// One pass over what is named, a connection after the other at its own provider, all of them at once.
async fn sync(parts: &Parts, targets: &[String], tell: Tell<'_>) -> Result<Value> {
    let wanted = resolve(parts, targets)?;
    let started = parts.seams.clock.mono();
    let mut ready: Vec<Wanted> = Vec::new();
    let mut report = Vec::new();
    for (name, streams) in wanted {
        match parts.connection(&name).await {
            Ok(connection) => ready.push(Wanted { before: connection.progress.streams(), connection, streams }),
            Err(problem) => report.push(json!({"connection": name, "problem": words(&problem), "streams": []})),
        }
    }
    let mut passes = tokio::task::JoinSet::new();
    for wanted in &ready {
        let (wanted, clock) = (wanted.clone(), parts.seams.clock.clone());
        passes.spawn(async move {
            let only = (!wanted.streams.is_empty()).then_some(&wanted.streams[..]);
            let end = to_the_end(&wanted.connection, only, &*clock).await;
            (wanted, end)
        });
    }
    let ends = watched(parts, passes, &|elapsed| tell(progress(&ready, elapsed))).await?;
    report.extend(ends.into_iter().map(|(wanted, end)| connection_report(&wanted, end)));
    let elapsed = parts.seams.clock.mono().saturating_sub(started);
    report.sort_by_key(|one| one["connection"].as_str().unwrap_or_default().to_owned());
    Ok(json!({"connections": report, "elapsed_ms": elapsed.as_millis() as u64}))
}

/// Reads until nothing is left, in turns: the agent's own passes, which follow the present, are let in between.
async fn to_the_end(connection: &Arc<Connection>, only: Option<&[String]>, clock: &dyn Clock) -> Result<PassEnd> {
    loop {
        let until = clock.mono() + TURN;
        let end = slice(connection.clone(), only, Arc::new(AtomicBool::new(false)), until).await?;
        if !end.more || end.stopped {
            return Ok(end);
        }
    }
}

/// Waits for all tasks, and says now and then, and at the end, how long it has been.
pub(super) async fn watched<T: 'static>(
    parts: &Parts,
    mut tasks: tokio::task::JoinSet<T>,
    tell: &(dyn Fn(Duration) + Sync),
) -> Result<Vec<T>> {
    let (clock, mut ends) = (&parts.seams.clock, Vec::new());
    let started = clock.mono();
    while !tasks.is_empty() {
        tokio::select! {
            joined = tasks.join_next() => match joined {
                Some(Ok(end)) => ends.push(end),
                Some(Err(_)) => return Err(problem::STORE_IO.with("a pass ended early")),
                None => {}
            },
            () = clock.sleep(Duration::from_millis(250)) => tell(clock.mono().saturating_sub(started)),
        }
    }
    tell(clock.mono().saturating_sub(started));
    Ok(ends)
}

/// Names to connections and streams; an unknown one is refused before anything is read.
pub(super) fn resolve(parts: &Parts, targets: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
    let config = parts.config();
    if config.connections.is_empty() {
        return Err(problem::NO_CONNECTIONS.plain());
    }
    if targets.is_empty() {
        return Ok(config.connections.keys().map(|name| (name.clone(), Vec::new())).collect());
    }
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in targets {
        let (name, stream) =
            target.split_once('/').map_or((target.as_str(), None), |(name, stream)| (name, Some(stream)));
        let provider = super::parts::provider_of(&parts.wanted(name)?)?;
        let streams = wanted.entry(name.to_owned()).or_default();
        if let Some(stream) = stream {
            if provider.stream(stream).is_none() {
                return Err(problem::SYNC_NO_STREAM.with(target));
            }
            streams.push(stream.to_owned());
        }
    }
    Ok(wanted)
}

/// A connection that is to be read, and what it had done before: a pass that was under way counts from the request on.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) connection: Arc<Connection>,
    pub(super) streams: Vec<String>,
    pub(super) before: BTreeMap<String, StreamProgress>,
}

fn connection_report(wanted: &Wanted, end: Result<PassEnd>) -> Value {
    let connection = &wanted.connection;
    let stream = |end: &StreamEnd| {
        let did = connection.progress.since(&format!("{}/{}", connection.name, end.stream), &wanted.before);
        json!({
            "stream": end.stream, "rows": did.rows, "pages": did.pages, "requests": did.requests, "rejected": did.rejected,
            "bytes": did.bytes, "problem": end.problem.as_ref().map(words),
        })
    };
    match end {
        Ok(end) => {
            json!({"connection": connection.name, "streams": end.streams.iter().map(stream).collect::<Vec<_>>(), "problem": null})
        }
        Err(problem) => json!({"connection": connection.name, "streams": [], "problem": words(&problem)}),
    }
}

pub(super) fn progress(ready: &[Wanted], elapsed: Duration) -> Value {
    let mut streams = BTreeMap::new();
    let (mut rows, mut left) = (0, Some(0));
    for Wanted { connection, before, .. } in ready {
        for name in connection.progress.streams().into_keys() {
            let did = connection.progress.since(&name, before);
            rows += did.rows;
            let share = if did.whole > 0 { did.walked as f64 / did.whole as f64 } else { 0.0 };
            streams.insert(name, json!({"rows": did.rows, "requests": did.requests, "share": share}));
        }
        let one = connection.progress.left(elapsed).map(|left| left.as_secs());
        left = left.zip(one).map(|(a, b)| a.max(b));
    }
    json!({"rows": rows, "elapsed_ms": elapsed.as_millis() as u64, "left_s": left, "streams": streams})
}

/// A problem as JSON.
pub fn words(problem: &Problem) -> Value {
    let entry = problem.entry();
    json!({"code": entry.code, "title": entry.title, "detail": problem.detail(), "advice": entry.advice})
}
