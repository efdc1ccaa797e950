//! Whether a file is a store of ours, and of a version that this program knows: judged before SQLite looks at it, and once
//! more through its connection. How a file is looked at is in `dbfile`.

use std::path::Path;

use rusqlite::Connection;

use super::fault::Doing;
use super::open::MIGRATIONS;
use crate::dbfile::{Held, Refused, look};
use crate::problem::{self, Result};

/// "CFst": marks a file as a Counterfoil store.
pub(super) const APPLICATION_ID: i32 = 0x4346_7374;

/// Looks at the first bytes: a file that is not ours, or newer, is refused. `None` when there is nothing; a file that this
/// process has open was looked at then.
pub(super) fn judge_header(path: &Path) -> Result<Option<Held>> {
    let told = |kind| format!("{} ({kind})", path.display());
    let seen = look(path, APPLICATION_ID).map_err(|refused| match refused {
        Refused::Closed(kind) => problem::STORE_READ_ONLY.with(told(kind)),
        Refused::Unread(kind) => problem::STORE_IO.with(told(kind)),
        Refused::Foreign => problem::STORE_FOREIGN.with(path.display()),
    })?;
    let Some(seen) = seen else { return Ok(None) };
    seen.version.map_or(Ok(()), judge_number)?;
    Ok(Some(seen.held))
}

fn judge_number(version: i32) -> Result<()> {
    let ours = MIGRATIONS.len();
    if usize::try_from(version).is_ok_and(|version| (1..=ours).contains(&version)) {
        return Ok(());
    }
    let refusal = if version > 0 { &problem::STORE_NEWER } else { &problem::STORE_DAMAGED };
    Err(refusal.with(format!("its version is {version}, this program knows versions up to {ours}")))
}

/// The same judgement with the write-ahead log taken into account.
pub(super) fn judge_version(connection: &Connection) -> Result<()> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if pragma("application_id").doing("reading the store's mark")? != APPLICATION_ID {
        return Err(problem::STORE_FOREIGN.plain());
    }
    judge_number(pragma("user_version").doing("reading the store's version")?)
}
