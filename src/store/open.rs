//! Opening, creating and upgrading the store, and refusing what is not ours, newer or damaged without touching it.
//! It never deletes and never repairs.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::cached::Cached;
use super::fault::Doing;
use super::header::{APPLICATION_ID, judge_header, judge_version};
use super::horizons::forget_redeclared;
use super::log::{LIMITS, Limits, Log, SHORTLY, bring_in};
use crate::dbfile::Held;
use crate::entropy::Entropy;
use crate::problem::{self, Problem, Result};
use crate::stream::Declaration;
use crate::testpoint::planted;

/// What each version added: the first is the whole schema of its day, every later one a script that runs once.
/// A script is never edited once released.
pub(super) const MIGRATIONS: &[&str] = &["", V2, V3];

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

/// Both horizons of each stream are stated in the store itself.
const V3: &str = "
CREATE TABLE horizons (
  account INTEGER NOT NULL REFERENCES accounts, stream TEXT NOT NULL, listed_from INTEGER, listed_to INTEGER,
  changed_to INTEGER, tells_changes INTEGER NOT NULL, stated_at INTEGER NOT NULL, PRIMARY KEY (account, stream)
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

/// Where a store lies and how it is kept, to open it again.
#[derive(Clone)]
pub(super) struct Place {
    path: PathBuf,
    vfs: Option<String>,
    /// Its own name, once it was opened.
    uuid: String,
    pub(super) limits: Limits,
}

/// The one writer of a store.
pub struct Store {
    pub(super) connection: Connection,
    pub(super) place: Place,
    /// Statements by table and by which columns a row has.
    pub(super) statements: std::collections::HashMap<(String, u128), String>,
    pub(super) next_read: i64,
    pub(super) reserved_reads: i64,
    /// Why SQLite ended the running transaction before its commit.
    pub(super) ended: Option<Problem>,
    /// What is known of the write-ahead log.
    pub(super) log: Log,
    /// After the connection, so that it goes last.
    _held: Held,
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
        let held = match judge_header(path) {
            Err(_) if planted("damaged_recreated") => {
                drop(std::fs::remove_file(path));
                None
            }
            judged => judged?,
        };
        let place = Place { path: path.to_owned(), vfs: vfs.map(str::to_owned), uuid: String::new(), limits: LIMITS };
        let mut connection = place.connect(OpenFlags::SQLITE_OPEN_CREATE)?;
        // No pages: there was no file, or an empty one, or one whose creation was cut short and has just been taken back.
        let pages = connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
        if pages.doing("preparing the store")? == 0 {
            create(&mut connection, schema, entropy)?;
        }
        guard(&connection, path)?;
        upgrade(&mut connection)?;
        forget_redeclared(&connection, &schema.streams)?;
        views(&mut connection, schema)?;
        Self::over(connection, held.unwrap_or_else(|| Held::of(path)), place)
    }

    /// The writer over a connection that is set up.
    fn over(mut connection: Connection, held: Held, place: Place) -> Result<Self> {
        connection.set_prepared_statement_cache_capacity(256);
        let log = Log::watch(&mut connection)?;
        let statements = std::collections::HashMap::new();
        let mut store =
            Self { connection, place, statements, next_read: 0, reserved_reads: 0, ended: None, log, _held: held };
        let uuid = store.uuid()?;
        if !store.place.uuid.is_empty() && store.place.uuid != uuid {
            return Err(problem::STORE_FOREIGN.with("another store lies where it was"));
        }
        store.place.uuid = uuid;
        store.set_state("in_use", "1")?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// The store's own name, which `egress.db` is bound to.
    pub fn uuid(&self) -> Result<String> {
        self.state("uuid").map(Option::unwrap_or_default)
    }

    /// One of the store's own facts.
    pub fn state(&self, name: &str) -> Result<Option<String>> {
        use rusqlite::OptionalExtension;
        let sql = "SELECT value FROM state WHERE name = ?1";
        self.connection.row_cached(sql, [name], |row| row.get(0)).optional().doing("reading a fact of the store")
    }

    /// Sets one of the store's own facts.
    pub fn set_state(&self, name: &str, value: &str) -> Result<()> {
        let sql =
            "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.execute_cached(sql, [name, value]).doing("storing a fact of the store").map(|_| ())
    }

    /// Closes in order: everything is brought into the main file, and the next start needs no check.
    pub fn close(self) -> Result<()> {
        self.set_state("in_use", "0")?;
        if let Err(problem) = self.checkpoint(true) {
            // Not in order after all: the next start is to check. That this fails too is nothing more to tell.
            drop(self.set_state("in_use", "1"));
            return Err(problem);
        }
        self.connection.close().map_err(|(_, error)| super::from_sqlite(&error, "closing the store"))
    }
}

impl Place {
    fn connect(&self, create: OpenFlags) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
        #[allow(clippy::disallowed_methods)] // this is the room's door
        let connection = match &self.vfs {
            None => Connection::open_with_flags(&self.path, flags),
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str()),
        }
        .doing("opening the store")?;
        let doing = "preparing the store";
        connection.busy_timeout(std::time::Duration::from_secs(5)).doing(doing)?;
        // A statement that is kept keeps its plan: else every new value of a parameter would have it prepared again.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing(doing)?;
        // Keeps `-wal` and `-shm` when this connection ends: without them a reader that may not write the folder cannot open
        // the file. What an orderly stop brings into the main file is brought there by `close`.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).doing(doing)?;
        // Until the log is switched on a removed rollback journal must be flushed away too: one that came back after a power
        // cut would take the creation back, and with it whatever came after.
        connection.pragma_update(None, "synchronous", "EXTRA").doing(doing)?;
        Ok(connection)
    }

    /// Opens the store again after the disk failed under it. What a failed flush left in the log is whole in the system's
    /// memory and maybe nowhere else, and no later flush makes up for it: so everything in the log is written to the main file
    /// and the log begun anew, before a commit could come to lie behind it. While a reader is in the way of that the store
    /// stays closed.
    pub(super) fn open_again(&self) -> Result<Store> {
        if !self.path.exists() {
            return Err(problem::STORE_MISSING.with(self.path.display()));
        }
        let held = Held::of(&self.path);
        let connection = self.connect(OpenFlags::empty())?;
        guard(&connection, &self.path)?;
        if !bring_in(&connection, true, SHORTLY)?.emptied() {
            return Err(problem::STORE_BUSY.with("a reader is in the way of its recovery"));
        }
        Store::over(connection, held, self.clone())
    }
}

/// Judges what is there and sets the connection up.
fn guard(connection: &Connection, path: &Path) -> Result<()> {
    judge_version(connection)?;
    pragmas(connection)?;
    check_after_unclean_stop(connection, path)
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

/// A store that was not closed in order is checked before anything is written. (On 1 GB: about a second warm, 20 s cold.)
fn check_after_unclean_stop(connection: &Connection, path: &Path) -> Result<()> {
    let doing = "checking the store";
    let sql = "SELECT count(*) FROM state WHERE name = 'in_use' AND value = '1'";
    if connection.query_row(sql, [], |row| row.get::<_, i64>(0)).doing(doing)? == 0 {
        return Ok(());
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).doing(doing)?;
    if verdict != "ok" {
        return Err(damage(&verdict, path));
    }
    // The stop may have come after a failed flush (see `open_again`): the log begins anew, unless a reader is in the way.
    bring_in(connection, true, SHORTLY).map(|_| ())
}

/// A page that cannot be read stands among the damages: that is the disk's fault, and may pass.
fn damage(verdict: &str, path: &Path) -> Problem {
    let code = verdict.rsplit_once("error code=").and_then(|(_, code)| code.trim().parse::<i32>().ok());
    let unread = code.is_some_and(|code| code & 0xff == rusqlite::ffi::SQLITE_IOERR);
    if unread || verdict.contains("failed to get page") {
        problem::STORE_IO.with("checking the store: a page cannot be read")
    } else {
        problem::STORE_DAMAGED.with(path.display())
    }
}

fn pragmas(connection: &Connection) -> Result<()> {
    let doing = "setting up the store";
    // Every row is asked for: the first says the mode, but only behind the last one is the change committed, or fails to be.
    let mut switch = connection.prepare("PRAGMA journal_mode = wal").doing(doing)?;
    let modes = switch.query_map([], |row| row.get(0)).doing(doing)?.collect::<rusqlite::Result<Vec<String>>>();
    if modes.doing(doing)? != ["wal"] {
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
        ("secure_delete", "ON"), // what is taken out of the rows does not rest in free pages
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
