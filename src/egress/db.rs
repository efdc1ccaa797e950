//! Opens `egress.db`: creates it, refuses what is foreign, newer, damaged or made beside another store, without touching it.
//! What is written into it is decided in `release`, `consent`, `courier` and `log`.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use ring::hmac;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::dbfile::{Held, Refused, look};
use crate::entropy::Entropy;
use crate::problem::{
    EGRESS_DAMAGED, EGRESS_FILE, EGRESS_FOREIGN, EGRESS_NEWER, EGRESS_OTHER_STORE, EGRESS_PRIVATE, Problem, Result,
};

const SCHEMA: &str = include_str!("../../sql/egress.sql");
/// `CFEG`: tells this kind of file from every other SQLite file.
const APPLICATION_ID: i32 = 0x4346_4547;
/// The schema's version.
const VERSION: i32 = 1;

/// How long another's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The open `egress.db`: consents, batches, marks and the log.
pub struct Outbox {
    pub(super) db: Connection,
    pub(super) key: hmac::Key,
    /// After the connection, so that it goes last.
    held: Held,
}

impl Outbox {
    /// True as long as nobody put another file in the place of the one that is open.
    pub fn is_at(&self, path: &Path) -> bool {
        self.held.is_at(path)
    }

    /// Opens the file for the one writer; creates it, bound to the store with this uuid, where there is none. `vfs` names the
    /// file layer, none is the system's.
    pub fn open(path: &Path, store_uuid: &str, vfs: Option<&str>, entropy: &dyn Entropy) -> Result<Self> {
        create_private(path)?;
        let held = judge_header(path)?.unwrap_or_else(|| Held::of(path));
        let mut db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs)?;
        // Until the log is switched on a removed rollback journal must be flushed away too: one that came back after a power
        // cut would take the creation back, and with it what has left.
        db.pragma_update(None, "synchronous", "EXTRA").map_err(broken)?;
        // No pages: an empty file, or one whose creation was cut short and has just been taken back.
        if db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).map_err(broken)? == 0 {
            create(&mut db, store_uuid, entropy).map_err(broken)?;
        }
        // The rollback journal creates, so that the header names the file's kind from its first commit on; then the log.
        every_row(&db, "PRAGMA journal_mode = wal").map_err(broken)?;
        db.pragma_update(None, "synchronous", "FULL").map_err(broken)?;
        // What a failed flush left in the log is whole in the system's memory and maybe nowhere else: the log begins anew before
        // a commit could come to lie behind it, unless a reader is in the way: that is a row, not an error.
        db.busy_timeout(Duration::from_millis(100)).map_err(broken)?;
        every_row(&db, "PRAGMA wal_checkpoint(TRUNCATE)").map_err(broken)?;
        db.busy_timeout(PATIENCE).map_err(broken)?;
        Self::bound(db, held, store_uuid)
    }

    /// Opens the file for reading beside a running agent; it must exist.
    pub fn open_read_only(path: &Path, store_uuid: &str) -> Result<Self> {
        let held = judge_header(path)?.ok_or_else(|| EGRESS_FILE.with("it is empty"))?;
        Self::bound(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, None)?, held, store_uuid)
    }

    fn bound(db: Connection, held: Held, store_uuid: &str) -> Result<Self> {
        let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(broken);
        judge(number("application_id")?, number("user_version")?)?;
        let identity = db.query_row("SELECT store_uuid, mark_key FROM identity", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        let (owner, key) = identity.optional().map_err(broken)?.ok_or_else(|| EGRESS_DAMAGED.with("no identity"))?;
        if owner != store_uuid {
            return Err(EGRESS_OTHER_STORE.plain());
        }
        Ok(Self { db, key: hmac::Key::new(hmac::HMAC_SHA256, &key), held })
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
fn connect(path: &Path, access: OpenFlags, vfs: Option<&str>) -> Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match vfs {
        None => Connection::open_with_flags(path, flags),
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
    };
    let db = db.map_err(broken)?;
    db.pragma_update(None, "foreign_keys", true).map_err(broken)?;
    db.busy_timeout(PATIENCE).map_err(broken)?;
    Ok(db)
}

/// Runs a pragma to its end: some say what they did in the first row, and do it, or fail to, behind the last.
fn every_row(db: &Connection, pragma: &str) -> rusqlite::Result<()> {
    let mut statement = db.prepare(pragma)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
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

/// Judges the file by its header alone, so that a file of another kind is not even opened by SQLite. `None` when empty.
fn judge_header(path: &Path) -> Result<Option<Held>> {
    let seen = look(path, APPLICATION_ID).map_err(|refused| match refused {
        Refused::Closed(std::io::ErrorKind::PermissionDenied) => EGRESS_PRIVATE.plain(),
        Refused::Closed(kind) | Refused::Unread(kind) => EGRESS_FILE.with(kind),
        Refused::Foreign => EGRESS_FOREIGN.plain(),
    })?;
    let Some(seen) = seen else { return Ok(None) };
    seen.version.map_or(Ok(()), |version| judge(APPLICATION_ID, version))?;
    Ok(Some(seen.held))
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
