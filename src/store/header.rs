//! Whose file it is, and of which version: looked at before SQLite does, so that what is refused is left untouched. It
//! judges, it mends nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::fault::Doing;
use super::open::MIGRATIONS;
use crate::problem::{self, Result};

/// "CFst": marks a file as a Counterfoil store.
pub(super) const APPLICATION_ID: i32 = 0x4346_7374;

/// What a database begins with, and where its header ends (sqlite.org/fileformat.html, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// Files that connections of this process are open on, by device and number, with how many there are.
///
/// Such a file must not be opened by other means: on Unix, closing it would drop every lock that the process has on it, and a
/// tool that closes it next would believe that it is alone and take the log away (sqlite.org/howtocorrupt.html, section 2.2).
static HELD: Mutex<BTreeMap<(u64, u64), u32>> = Mutex::new(BTreeMap::new());

/// Kept as long as a connection to a file is open.
pub(super) struct Held(Option<(u64, u64)>);

impl Held {
    /// Called when a connection to `path` is open or about to be.
    pub(super) fn of(path: &Path) -> Self {
        Self::among(path, &mut HELD.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn among(path: &Path, held: &mut BTreeMap<(u64, u64), u32>) -> Self {
        let file = number_of(path);
        if let Some(file) = file {
            *held.entry(file).or_default() += 1;
        }
        Self(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = self.0.and_then(|file| held.get_mut(&file)) {
            *count -= 1;
        }
        held.retain(|_, count| *count > 0);
    }
}

#[cfg(unix)]
fn number_of(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}

/// Elsewhere locks belong to the handle they were taken through.
#[cfg(not(unix))]
fn number_of(_: &Path) -> Option<(u64, u64)> {
    None
}

/// Looks at the first bytes: a file that is not ours, or newer, is refused. `None` when there is nothing; a file that this
/// process has open was looked at then.
pub(super) fn judge_header(path: &Path) -> Result<Option<Held>> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let open = number_of(path).is_some_and(|file| held.contains_key(&file));
    let there = open || look(path)?;
    Ok(there.then(|| Held::among(path, &mut held)))
}

/// True when there is something, and it is ours.
fn look(path: &Path) -> Result<bool> {
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
