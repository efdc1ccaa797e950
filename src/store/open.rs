//! Opening, creating and upgrading the store, and refusing what is not ours, newer or damaged without touching it.
//! It never deletes and never repairs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::Doing;
use crate::entropy::Entropy;
use crate::problem::{self, Result};
use crate::stream::Declaration;

/// "CFst": marks a file as a Counterfoil store.
const APPLICATION_ID: i32 = 0x4346_7374;

/// What each version added: the first is the whole schema of its day, every later one a script that runs once.
/// A script is never edited once released.
const MIGRATIONS: &[&str] = &["", V2];

/// What changed, what is done from time to time, and the reads: the feed of events is followed.
const V2: &str = "
CREATE TABLE changes (
  account INTEGER NOT NULL REFERENCES accounts, stream TEXT NOT NULL, id TEXT NOT NULL, changed_at INTEGER NOT NULL,
  marked_seq INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (account, stream, id)
);
CREATE TABLE rounds (
  account INTEGER NOT NULL REFERENCES accounts, stream TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (account, stream, kind)
);
CREATE TABLE reads (
  account INTEGER NOT NULL REFERENCES accounts, day_at INTEGER NOT NULL, purpose TEXT NOT NULL, reads INTEGER NOT NULL,
  PRIMARY KEY (account, day_at, purpose)
);
CREATE TABLE stripe_events (
  account INTEGER NOT NULL REFERENCES accounts, id TEXT NOT NULL, created_at INTEGER NOT NULL, type TEXT NOT NULL,
  object TEXT, object_id TEXT, charge_id TEXT, latest_charge_id TEXT, seen_at INTEGER NOT NULL, read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL, source TEXT NOT NULL, deleted_at INTEGER, PRIMARY KEY (account, id)
);
";

/// A view, recreated whenever its text changes.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// `CREATE VIEW …` with its comment.
    pub sql: &'static str,
}

/// The tables and views of a store, handed in by whoever knows the providers.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Control tables.
    pub control: Declaration,
    /// Streams, in the order of their creation.
    pub streams: Vec<Declaration>,
    /// Views, in the order of their creation.
    pub views: Vec<View>,
}

/// The one writer of a store.
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Statements by table and by which columns a row has.
    pub(super) statements: std::collections::HashMap<(String, u128), String>,
    pub(super) next_read: i64,
    pub(super) reserved_reads: i64,
    /// Why SQLite ended the running transaction before its commit.
    pub(super) ended: Option<crate::problem::Problem>,
    /// Pages in the write-ahead log after the last commit.
    pub(super) wal_pages: std::sync::Arc<std::sync::atomic::AtomicI32>,
}

/// The lock of a data directory: one writer at a time, held as long as this lives.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File); // held, never read

impl Lock {
    /// Takes the lock or says who may be in the way.
    pub fn take(path: &Path) -> Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file =
            file.map_err(|error| problem::STORE_READ_ONLY.with(format!("{} ({})", path.display(), error.kind())))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(_) => Err(problem::STORE_LOCKED.with(path.display())),
        }
    }
}

impl Store {
    /// Opens the store for writing; creates it when there is no file. `vfs` names the file layer, none is the system's.
    pub fn open(path: &Path, schema: &Schema, vfs: Option<&str>, entropy: &dyn Entropy) -> Result<Self> {
        schema.streams.iter().try_for_each(super::commit::check_width)?;
        local_disk(path)?;
        judge_header(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        #[allow(clippy::disallowed_methods)] // this is the room's door
        let mut connection = match vfs {
            None => Connection::open_with_flags(path, flags),
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        }
        .doing("opening the store")?;
        let doing = "preparing the store";
        connection.busy_timeout(std::time::Duration::from_secs(5)).doing(doing)?;
        // Keeps `-wal` and `-shm` when this connection ends: without them a reader that may not write the folder cannot open
        // the file. What an orderly stop brings into the main file is brought there by `close`.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).doing(doing)?;
        // No pages: there was no file, or an empty one, or one whose creation was cut short and has just been taken back.
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).doing(doing)?;
        if pages == 0 {
            create(&mut connection, schema, entropy)?;
        }
        judge_version(&connection)?;
        pragmas(&connection)?;
        check_after_unclean_stop(&connection, path)?;
        connection.set_prepared_statement_cache_capacity(128);
        upgrade(&mut connection)?;
        views(&mut connection, schema)?;
        let wal_pages = std::sync::Arc::new(std::sync::atomic::AtomicI32::new(0));
        let in_log = wal_pages.clone();
        let count = move |_: &mut rusqlite::hooks::Wal, pages| {
            in_log.store(pages, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(count)).doing(doing)?;
        let store = Self {
            connection,
            path: path.to_owned(),
            statements: std::collections::HashMap::new(),
            next_read: 0,
            reserved_reads: 0,
            ended: None,
            wal_pages,
        };
        store.set_state("in_use", "1")?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store's own name, which `egress.db` is bound to.
    pub fn uuid(&self) -> Result<String> {
        self.state("uuid").map(Option::unwrap_or_default)
    }

    /// One of the store's own facts.
    pub fn state(&self, name: &str) -> Result<Option<String>> {
        use rusqlite::OptionalExtension;
        let sql = "SELECT value FROM state WHERE name = ?1";
        self.connection.query_row(sql, [name], |row| row.get(0)).optional().doing("reading a fact of the store")
    }

    /// Sets one of the store's own facts.
    pub fn set_state(&self, name: &str, value: &str) -> Result<()> {
        let sql =
            "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.execute(sql, [name, value]).doing("storing a fact of the store").map(|_| ())
    }

    /// Closes in order: everything is brought into the main file, and the next start needs no check.
    pub fn close(self) -> Result<()> {
        self.set_state("in_use", "0")?;
        self.checkpoint(true)?;
        self.connection.close().map_err(|(_, error)| super::from_sqlite(&error, "closing the store"))
    }
}

/// Looks at the first bytes before SQLite does: a file that is not ours, or newer, is refused untouched.
/// True when there is something.
pub(super) fn judge_header(path: &Path) -> Result<bool> {
    let mut head = [0u8; 100];
    let read = match File::open(path) {
        Ok(mut file) => {
            let mut read = 0;
            while read < head.len() {
                match file.read(&mut head[read..]) {
                    Ok(0) => break,
                    Ok(n) => read += n,
                    Err(error) => return Err(problem::STORE_IO.with(format!("{} ({})", path.display(), error.kind()))),
                }
            }
            read
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(problem::STORE_READ_ONLY.with(format!("{} ({})", path.display(), error.kind()))),
    };
    if read == 0 {
        return Ok(false);
    }
    let number = |at: usize| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if read < head.len() || &head[..16] != b"SQLite format 3\0" || number(68) != APPLICATION_ID {
        return Err(problem::STORE_FOREIGN.with(path.display()));
    }
    judge_number(number(60))?;
    Ok(true)
}

/// Refuses file systems over a network: the log's shared memory does not work there, and rows would be lost.
#[cfg(target_os = "linux")]
fn local_disk(path: &Path) -> Result<()> {
    // NFS, SMB, CIFS, SMB2, 9p, CODA, AFS: the magic numbers of statfs(2).
    const REMOTE: [u64; 7] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x7375_7245, 0x5346_414f];
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let kind = rustix::fs::statfs(folder).map_or(0, |facts| facts.f_type as u64 & 0xffff_ffff);
    if REMOTE.contains(&kind) { Err(problem::STORE_NETWORK.with(path.display())) } else { Ok(()) }
}

/// Elsewhere the log's own check has to do.
#[cfg(not(target_os = "linux"))]
fn local_disk(_: &Path) -> Result<()> {
    Ok(())
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

/// A store that was not closed in order is checked before anything is written. (On 1 GB: about a second warm, 20 s cold.)
fn check_after_unclean_stop(connection: &Connection, path: &Path) -> Result<()> {
    let doing = "checking the store";
    let sql = "SELECT count(*) FROM state WHERE name = 'in_use' AND value = '1'";
    if connection.query_row(sql, [], |row| row.get::<_, i64>(0)).doing(doing)? == 0 {
        return Ok(());
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).doing(doing)?;
    if verdict == "ok" { Ok(()) } else { Err(problem::STORE_DAMAGED.with(path.display())) }
}

fn pragmas(connection: &Connection) -> Result<()> {
    let doing = "setting up the store";
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).doing(doing)?;
    if mode != "wal" {
        return Err(problem::STORE_NETWORK.plain());
    }
    for (name, value) in [
        ("synchronous", "FULL"),
        ("wal_autocheckpoint", "0"), // ours, with its result read: SQLite's own swallows errors
        ("journal_size_limit", "67108864"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        ("mmap_size", "0"), // with mmap an I/O error would be a signal
        ("cache_size", "-8192"),
        ("temp_store", "MEMORY"),
    ] {
        connection.pragma_update(None, name, value).doing(doing)?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).doing(doing).map(|_| ())
}

/// Makes everything in one transaction of the rollback journal, before the log is switched on: so that mark and version stand
/// in the main file, where [`judge_header`] looks for them, even if the program is killed the next moment.
fn create(connection: &mut Connection, schema: &Schema, entropy: &dyn Entropy) -> Result<()> {
    let doing = "creating the store";
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).doing(doing)?;
    transaction.execute_batch(schema.control.sql).doing(doing)?;
    for stream in &schema.streams {
        transaction.execute_batch(stream.sql).doing(doing)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).doing(doing)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64).doing(doing)?;
    transaction.execute("INSERT INTO state VALUES ('uuid', ?1)", [entropy.uuid()]).doing(doing)?;
    transaction.commit().doing(doing)
}

fn upgrade(connection: &mut Connection) -> Result<()> {
    let doing = "upgrading the store";
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).doing(doing)?;
    for (index, script) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or(0)) {
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).doing(doing)?;
        transaction.execute_batch(script).doing(doing)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1).doing(doing)?;
        transaction.commit().doing(doing)?;
    }
    Ok(())
}

/// Views hold no data: they are made anew when their text is not the one in the file.
fn views(connection: &mut Connection, schema: &Schema) -> Result<()> {
    let doing = "making the views";
    let have: std::collections::HashMap<String, String> = {
        let mut statement =
            connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'view'").doing(doing)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).doing(doing)?;
        rows.collect::<rusqlite::Result<_>>().doing(doing)?
    };
    let wanted = |view: &View| statement_of(view.sql).to_owned();
    let same = have.len() == schema.views.len()
        && schema.views.iter().all(|view| have.get(view.name).is_some_and(|sql| *sql == wanted(view)));
    if same {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).doing(doing)?;
    for name in have.keys() {
        transaction.execute_batch(&format!("DROP VIEW \"{name}\"")).doing(doing)?;
    }
    for view in &schema.views {
        transaction.execute_batch(view.sql).doing(&format!("making the view {}", view.name))?;
    }
    transaction.commit().doing(doing)
}

/// The statement as SQLite keeps it: from CREATE on, without the semicolon.
fn statement_of(sql: &str) -> &str {
    let from = sql.find("CREATE VIEW").unwrap_or(0);
    sql[from..].trim_end().trim_end_matches(';').trim_end()
}
