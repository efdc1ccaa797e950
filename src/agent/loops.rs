//! The two loops of a running agent: pass after pass of one connection, and releasing and sending. When they begin and end is
//! decided in `run`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::parts::Parts;
use super::upstream;
use crate::problem::{self, Problem, Result};
use crate::sync::pass;

/// Pass after pass of one connection, at the interval that the configuration in force gives. While there is past to read,
/// one pass follows the other: each begins with what is new. `nudge` begins the next pass at once, `stop` ends the loop
/// with the page at hand, `new_rows` hears of each pass's end.
pub async fn keep(
    parts: Arc<Parts>,
    name: String,
    (nudge, stop): (Arc<Notify>, Arc<AtomicBool>),
    new_rows: Arc<Notify>,
) {
    while !stop.load(Ordering::Relaxed) {
        let interval = interval(&parts, &name).await;
        let until = parts.seams.clock.mono() + interval;
        let more = match one_pass(&parts, &name, &stop, until).await {
            Ok(more) => more,
            // The next one is made by what is in force now.
            Err(problem) if problem.is(&problem::SYNC_SUPERSEDED) => true,
            Err(problem) => {
                failed(&parts, &name, problem).await;
                false
            }
        };
        new_rows.notify_one();
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if more {
            continue;
        }
        // In this order, not by lot: the same moments lead to the same steps.
        tokio::select! {
            biased;
            () = nudge.notified() => {}
            () = parts.seams.clock.sleep(interval) => {}
        }
    }
}

/// A pass that could not even begin, or that lost its store.
async fn failed(parts: &Parts, name: &str, problem: Problem) {
    tracing::warn!(connection = name, code = problem.code(), "{problem}");
    let (now, connection) = (parts.seams.clock.wall_ms(), name.to_owned());
    let noted = parts.store.run(move |store| {
        let account = store.account(&connection)?.map(|account| account.account);
        store.note_problem(account, None, &problem, now)
    });
    drop(noted.await);
}

/// True when there is past left to read, and reads for it.
async fn one_pass(parts: &Parts, name: &str, stop: &Arc<AtomicBool>, until: Duration) -> Result<bool> {
    let connection = parts.connection(name).await?;
    let end = pass(connection.clone(), None, stop.clone(), Some(until)).await?;
    let total = connection.progress.total();
    let failed = end.streams.iter().filter(|stream| stream.problem.is_some()).count();
    tracing::info!(connection = name, rows = total.rows, requests = total.requests, failed, "pass ended");
    for (stream, problem) in end.streams.iter().filter_map(|s| s.problem.as_ref().map(|problem| (&s.stream, problem))) {
        tracing::warn!(connection = name, stream, code = problem.code(), "{problem}");
    }
    Ok(end.more && !end.held)
}

/// The time to the next pass, by the budget; the shortest where none can be made.
async fn interval(parts: &Parts, name: &str) -> Duration {
    let budget = async { parts.connection(name).await?.budget().await };
    budget.await.map_or(Duration::from_secs(300), |budget| budget.interval)
}

/// Releases and sends whenever rows came or an hour passed.
pub async fn deliver(parts: Arc<Parts>, new_rows: Arc<Notify>) {
    let (mut wait, mut kept) = (Duration::from_secs(3600), upstream::Kept::default());
    loop {
        tokio::select! {
            biased;
            () = new_rows.notified() => {}
            () = parts.seams.clock.sleep(wait) => {}
        }
        wait = Duration::from_secs(3600);
        match upstream::release_and_send(&parts, &mut kept).await {
            Ok((released, sent)) => {
                if let Some(again) = sent.retry_in {
                    wait = again;
                }
                if !released.is_empty() || !sent.acknowledged.is_empty() {
                    tracing::info!(released = released.len(), acknowledged = sent.acknowledged.len(), "batches");
                }
                clear(&parts, &sent.problems).await;
                for problem in sent.problems {
                    note(&parts, problem).await;
                }
            }
            Err(problem) => note(&parts, problem).await,
        }
    }
}

/// What stood in the way and was not met again is gone. That a batch was refused for good stays to be seen.
async fn clear(parts: &Parts, met: &[Problem]) {
    let now = parts.seams.clock.wall_ms();
    let met: Vec<&'static str> = met.iter().map(Problem::code).chain([problem::EGRESS_REJECTED.code]).collect();
    let cleared = parts.store.run(move |store| {
        let standing = store.problems()?.into_iter().filter(|one| one.stream.as_deref() == Some("upstream"));
        let gone = standing.filter(|one| !met.contains(&one.code.as_str()));
        gone.into_iter().try_for_each(|one| store.clear_problem(&one.code, now))
    });
    drop(cleared.await);
}

async fn note(parts: &Parts, problem: Problem) {
    tracing::warn!(code = problem.code(), "{problem}");
    let now = parts.seams.clock.wall_ms();
    drop(parts.store.run(move |store| store.note_problem(None, Some("upstream"), &problem, now)).await);
}
