//! Opens `egress.db`: creates it, refuses what is foreign, newer, damaged or made beside another store, without touching it.
//! What is written into it is decided in `release`, `consent`, `courier` and `log`.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::Path;

use ring::hmac;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::entropy::Entropy;
use crate::problem::{EGRESS_DAMAGED, EGRESS_FILE, EGRESS_FOREIGN, EGRESS_NEWER, EGRESS_OTHER_STORE, Problem, Result};

const SCHEMA: &str = include_str!("../../sql/egress.sql");
/// `CFEG`: tells this kind of file from every other SQLite file.
const APPLICATION_ID: i32 = 0x4346_4547;
/// The schema's version.
const VERSION: i32 = 1;

/// The open `egress.db`: consents, batches, marks and the log.
pub struct Outbox {
    pub(super) db: Connection,
    pub(super) key: hmac::Key,
}

impl Outbox {
    /// Opens the file for the one writer; creates it, bound to the store with this uuid, where there is none.
    pub fn open(path: &Path, store_uuid: &str, entropy: &dyn Entropy) -> Result<Self> {
        create_private(path)?;
        let fresh = refuse_others(path)?;
        let mut db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if fresh {
            create(&mut db, store_uuid, entropy).map_err(broken)?;
        }
        // The rollback journal creates, so that the header names the file's kind from its first commit on; then the WAL.
        db.pragma_update(None, "journal_mode", "WAL").map_err(broken)?;
        db.pragma_update(None, "synchronous", "FULL").map_err(broken)?;
        Self::bound(db, store_uuid)
    }

    /// Opens the file for reading beside a running agent; it must exist.
    pub fn open_read_only(path: &Path, store_uuid: &str) -> Result<Self> {
        if refuse_others(path)? {
            return Err(EGRESS_FILE.with("it is empty"));
        }
        Self::bound(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?, store_uuid)
    }

    fn bound(db: Connection, store_uuid: &str) -> Result<Self> {
        let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(broken);
        judge(number("application_id")?, number("user_version")?)?;
        let identity = db.query_row("SELECT store_uuid, mark_key FROM identity", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        let (owner, key) = identity.optional().map_err(broken)?.ok_or_else(|| EGRESS_DAMAGED.with("no identity"))?;
        if owner != store_uuid {
            return Err(EGRESS_OTHER_STORE.plain());
        }
        Ok(Self { db, key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    /// A transaction that has the writer's lock from its start.
    pub(super) fn begin(&mut self) -> Result<Transaction<'_>> {
        self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)
    }
}

/// The problem behind an SQLite error; its text can quote values, so only its code is told.
pub(super) fn broken(error: rusqlite::Error) -> Problem {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => EGRESS_DAMAGED.plain(),
        Some(ErrorCode::NotADatabase) => EGRESS_FOREIGN.plain(),
        Some(code) => EGRESS_FILE.with(format_args!("SQLite says {code:?}")),
        None => EGRESS_DAMAGED.with("a value has an unexpected type"),
    }
}

// Own file, own connection: the store never opens egress.db, and this room never opens the store.
#[allow(clippy::disallowed_methods)]
fn connect(path: &Path, access: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(broken)?;
    db.pragma_update(None, "foreign_keys", true).map_err(broken)?;
    db.busy_timeout(std::time::Duration::from_secs(5)).map_err(broken)?;
    Ok(db)
}

/// An empty file that only its owner can read (it holds the key of the marks), where there is none yet.
fn create_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(EGRESS_FILE.with(error.kind())),
    }
}

/// Judges the file by its header alone, so that a file of another kind is not even opened by SQLite. True when empty.
fn refuse_others(path: &Path) -> Result<bool> {
    let mut header = Vec::with_capacity(100);
    let file = std::fs::File::open(path).map_err(|error| EGRESS_FILE.with(error.kind()))?;
    file.take(100).read_to_end(&mut header).map_err(|error| EGRESS_FILE.with(error.kind()))?;
    if header.is_empty() {
        return Ok(true);
    }
    // SQLite file format, section 1.3: magic at 0, user_version at 60, application_id at 68, big-endian.
    let number = |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes);
    match (header.starts_with(b"SQLite format 3\0"), number(68), number(60)) {
        (true, Some(application), Some(version)) => judge(application, version).map(|()| false),
        _ => Err(EGRESS_FOREIGN.plain()),
    }
}

fn judge(application: i32, version: i32) -> Result<()> {
    match (application, version) {
        (APPLICATION_ID, 1..=VERSION) => Ok(()),
        (APPLICATION_ID, VERSION..) => Err(EGRESS_NEWER.with(format_args!("version {version} of its format"))),
        _ => Err(EGRESS_FOREIGN.plain()),
    }
}

fn create(db: &mut Connection, store_uuid: &str, entropy: &dyn Entropy) -> rusqlite::Result<()> {
    let mut key = [0; 32];
    entropy.fill(&mut key);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.execute_batch(SCHEMA)?;
    tx.execute("INSERT INTO identity (one, store_uuid, mark_key) VALUES (1, ?1, ?2)", (store_uuid, key))?;
    tx.commit()
}
