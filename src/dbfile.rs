//! Database files before SQLite opens them: whose one is, of which version, and which ones this process has open. What is
//! refused is left untouched. It judges by the first bytes; it knows no table, opens no connection and mends nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What a database begins with, and where its header ends (sqlite.org/fileformat.html, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// Files that connections of this process are open on, by device and number, with how many there are.
///
/// Such a file must not be opened by other means: on Unix, closing it would drop every lock that the process has on it, and a
/// tool that closes it next would believe that it is alone and take the log away (sqlite.org/howtocorrupt.html, section 2.2).
static HELD: Mutex<BTreeMap<(u64, u64), u32>> = Mutex::new(BTreeMap::new());

/// Kept as long as a connection to a file is open.
pub struct Held(Option<(u64, u64)>);

/// A file that is there.
pub struct Seen {
    /// To be kept with the connection.
    pub held: Held,
    /// Its version; `None` when this process has it open, and so looked at it then, or when a power cut garbled the header:
    /// then SQLite's own word is to be judged once it has recovered the file.
    pub version: Option<i32>,
}

/// Why a file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It cannot be opened.
    Closed(ErrorKind),
    /// It cannot be read.
    Unread(ErrorKind),
    /// It is another program's.
    Foreign,
}

impl Held {
    /// Called when a connection to `path` is open or about to be.
    pub fn of(path: &Path) -> Self {
        Self::among(path, &mut HELD.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True as long as the file that was opened is the one at this place.
    pub fn is_at(&self, path: &Path) -> bool {
        self.0 == number_of(path)
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

/// Looks at the first bytes; ours are files with this mark (the `application_id` of their header). `None` when there is
/// nothing: no file, an empty one, or one whose creation a power cut took back.
pub fn look(path: &Path, mark: i32) -> Result<Option<Seen>, Refused> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let mut version = None;
    if !number_of(path).is_some_and(|file| held.contains_key(&file)) {
        let head = head(path)?;
        if head.is_empty() {
            return Ok(None);
        }
        if is_ours(&head, mark) {
            version = Some(number(&head, 60));
        } else if !beside(path, mark).ok_or(Refused::Foreign)? {
            return Ok(None);
        }
    }
    Ok(Some(Seen { held: Held::among(path, &mut held), version }))
}

/// The first bytes; none when there is no file.
fn head(path: &Path) -> Result<Vec<u8>, Refused> {
    let mut head = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(HEADER as u64).read_to_end(&mut head).map_err(|error| Refused::Unread(error.kind()))?,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(Refused::Closed(error.kind())),
    };
    Ok(head)
}

/// What the files beside say when the first bytes of the main one say nothing, because a power cut garbled them: `Some(false)`
/// when a rollback journal takes the file back to nothing (its creation was cut short), `Some(true)` when journal or log hold
/// our first page. What then becomes of the file is SQLite's to say.
fn beside(path: &Path, mark: i32) -> Option<bool> {
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
    let holds_ours = |bytes: &[u8]| bytes.windows(HEADER).any(|head| is_ours(head, mark));
    (holds_ours(&journal) || holds_ours(&read("-wal"))).then_some(true)
}

fn is_ours(head: &[u8], mark: i32) -> bool {
    head.len() == HEADER && head.starts_with(MAGIC) && number(head, 68) == mark
}

/// A number of a header that is whole.
fn number(head: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}
