//! Whose records a key shows: one harmless read of a stream, and whether the account is still the one whose rows are held.

use super::call::Stop;
use super::connection::{Connection, Line};
use super::plan::{DAY_MS, Purpose};
use crate::http::Failure;
use crate::problem::Result;
use crate::providers::Position;
use crate::testpoint::planted;

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
    // Where nobody can tell, the streams will meet what is in the way.
    let foreign = identify(of).await.ok().flatten() == Some(false);
    if !foreign {
        let table = line.table().to_owned();
        of.store.run(move |store| store.set_round(account, &table, "account", now)).await?;
    }
    Ok(foreign)
}

/// Whether the key belongs to the account whose rows we hold: it must be able to read one of them. `None` when the account
/// holds nothing yet, or when no stream that holds rows may be read.
pub async fn identify(of: &Connection) -> Result<Option<bool>> {
    let mut refused = None;
    // What a feed says is let go after a while: it proves nothing.
    for line in of.lines.iter().filter(|line| !line.is_feed()) {
        let (account, table) = (of.account, line.table().to_owned());
        let newest = of.store.run(move |store| store.newest_id(account, &table)).await?;
        let Some(id) = newest else { continue };
        let ask = (of.provider.one)(line.stream, &id);
        match of.caller.call(&ask, || of.count(line, Purpose::Check)).await {
            Ok(_) => return Ok(Some(true)),
            // This one may be gone, or be of an entity that the key does not cover: of another account is what shows none.
            Err(Stop::Failure(Failure::Status(status))) if status.status == 404 => {
                refused = Some(false);
            }
            Err(Stop::Failure(Failure::Status(status))) if status.status == 403 => {}
            Err(stop) => return Err(stop.problem()),
        }
    }
    Ok(refused)
}
