//! Whose file it is, and of which version: looked at before SQLite does, so that what is refused is left untouched. It
//! judges, it mends nothing.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::Connection;

use super::fault::Doing;
use super::open::MIGRATIONS;
use crate::problem::{self, Result};

/// "CFst": marks a file as a Counterfoil store.
pub(super) const APPLICATION_ID: i32 = 0x4346_7374;

/// What a database begins with, and where its header ends (sqlite.org/fileformat.html, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// Looks at the first bytes: a file that is not ours, or newer, is refused. True when there is something.
pub(super) fn judge_header(path: &Path) -> Result<bool> {
    let told = |error: std::io::Error| format!("{} ({})", path.display(), error.kind());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(problem::STORE_READ_ONLY.with(told(error))),
    };
    let mut head = Vec::new();
    file.take(HEADER as u64).read_to_end(&mut head).map_err(|error| problem::STORE_IO.with(told(error)))?;
    if head.is_empty() {
        return Ok(false);
    }
    if is_ours(&head) {
        return judge_number(number(&head, 60)).map(|()| true);
    }
    match beside(path) {
        Some(there_is_something) => Ok(there_is_something),
        None => Err(problem::STORE_FOREIGN.with(path.display())),
    }
}

/// What the files beside say when the first bytes of the main one say nothing, because a power cut garbled them: `Some(false)`
/// when a rollback journal takes the file back to nothing (its creation was cut short), `Some(true)` when journal or log hold
/// our first page. What then becomes of the file is SQLite's to say; it is judged once more through [`judge_version`].
fn beside(path: &Path) -> Option<bool> {
    /// What a rollback journal begins with; at 16 stand the pages that there were before (fileformat.html, section 3).
    const JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let read = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // What cannot be read says nothing.
        std::fs::read(name).unwrap_or_default()
    };
    let journal = read("-journal");
    if journal.starts_with(&JOURNAL) && journal.get(16..20) == Some(&[0; 4]) {
        return Some(false);
    }
    let holds_ours = |bytes: &[u8]| bytes.windows(HEADER).any(is_ours);
    (holds_ours(&journal) || holds_ours(&read("-wal"))).then_some(true)
}

fn is_ours(head: &[u8]) -> bool {
    head.len() == HEADER && head.starts_with(MAGIC) && number(head, 68) == APPLICATION_ID
}

/// A number of a header that is whole.
fn number(head: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
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
