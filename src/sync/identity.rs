//! Whose records a key shows: one harmless read of a stream, and whether the account is still the one whose rows are held.

use super::call::Stop;
use super::connection::{Connection, Line};
use super::plan::{DAY_MS, Purpose};
use super::walk;
use crate::http::Failure;
use crate::problem::Result;
use crate::providers::Position;
use crate::testpoint::planted;

/// So many objects of a stream are asked for before it counts that none is shown, and one of the next stream.
const TRIES: u32 = 3;
const STREAMS: u32 = 2;

/// One harmless read of a stream: does the key see it? Also tells the provider's time.
pub async fn probe(of: &Connection, line: &Line) -> Result<()> {
    let now = of.clock.wall_ms().div_euclid(1000);
    let at = Position { from_s: now - 3600, to_s: now, cursor: None, limit: 1 };
    let ask = (of.provider.request)(line.stream, &at);
    of.caller.call(&ask, || of.count(line, Purpose::Poll)).await.map(|_| ()).map_err(|stop| stop.problem())
}

/// Once a day, before anything is stored: whether the key shows another account than the one whose rows we hold. What shows
/// so is asked again by the next pass.
pub(super) async fn is_foreign(of: &Connection, now: i64) -> Result<bool> {
    let Some(line) = of.lines.iter().find(|line| !line.is_feed()) else { return Ok(false) };
    let (account, table) = (of.account, line.table().to_owned());
    let due = of.store.run(move |store| store.round(account, &table, "account")).await?;
    if due.is_some_and(|last| (0..DAY_MS).contains(&(now - last))) || planted("any_account") {
        return Ok(false);
    }
    // Where nobody can tell, the streams will meet what is in the way, and the next pass asks.
    let Ok(shown) = identify(of).await else { return Ok(false) };
    if shown != Some(false) {
        let table = line.table().to_owned();
        of.store.run(move |store| store.set_round(account, &table, "account", now)).await?;
    }
    Ok(shown == Some(false))
}

/// Whether the key belongs to the account whose rows we hold: it must be able to read one of them. `None` when the account
/// holds nothing yet, or when no stream that holds rows may be read.
pub async fn identify(of: &Connection) -> Result<Option<bool>> {
    let (mut refused, mut streams) = (None, 0);
    // What a feed says is let go after a while: it proves nothing.
    for line in of.lines.iter().filter(|line| !line.is_feed()) {
        if streams == STREAMS {
            break;
        }
        for _ in 0..if refused.is_none() { TRIES } else { 1 } {
            let (account, table, lot) = (of.account, line.table().to_owned(), of.entropy.below(u64::MAX));
            let id = of.store.run(move |store| store.some_id(account, &table, lot)).await?;
            let Some(id) = id else { break };
            match shows(of, line, &id).await? {
                Some(true) => return Ok(Some(true)),
                // This one may be gone, or be of an entity that the key does not cover: of another account is what shows none.
                Some(false) => refused = Some(false),
                None => break,
            }
        }
        streams += u32::from(refused.is_some());
    }
    Ok(refused)
}

/// Whether the key shows this object, by its id or by search; `None` where it may not ask.
async fn shows(of: &Connection, line: &Line, id: &str) -> Result<Option<bool>> {
    let by_id = (of.provider.one)(line.stream, id);
    let status = match of.caller.call(&by_id, || of.count(line, Purpose::Check)).await {
        Ok(_) => return Ok(Some(true)),
        Err(Stop::Failure(Failure::Status(status))) if matches!(status.status, 403 | 404) => status.status,
        Err(stop) => return Err(stop.problem()),
    };
    let Some(search) = of.provider.find.and_then(|find| find(line.stream, id, None)) else {
        return Ok((status == 404).then_some(false));
    };
    match walk::fetch(of, line, &search, &line.stream.shape, Purpose::Check).await {
        Ok((page, _)) if page.records > 0 => Ok(Some(true)),
        Ok(_) => Ok((status == 404).then_some(false)),
        Err(Stop::Failure(Failure::Status(status))) if status.status == 403 => Ok(None),
        Err(stop) => Err(stop.problem()),
    }
}
