//! What the tests of the store share: a store in a folder of its own, streams as the agent would read them, a look at the
//! file from outside, and this test program started again as somebody else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use counterfoil::entropy::SeededEntropy;
use counterfoil::problem::Result;
use counterfoil::providers::{self, Stream};
use counterfoil::store::{Account, Commit, Marks, NewWindow, Schema, Step, Store, Target, Upsert};
use counterfoil::stream::{Page, Profile, Projection, Tokens};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// When reads of these tests happen; the number of the read is added.
pub(super) const READ_AT: i64 = 1_700_000_000_000;

/// A folder that vanishes, and the store's place in it.
pub(super) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counterfoil.db");
    (folder, path)
}

pub(super) fn schema() -> Schema {
    counterfoil::agent::schema().unwrap()
}

pub(super) fn try_open(path: &Path) -> Result<Store> {
    Store::open(path, &schema(), None, &SeededEntropy::new(1))
}

pub(super) fn open(path: &Path) -> Store {
    try_open(path).unwrap()
}

/// The account of a connection named `main`, or of another one.
pub(super) fn account(store: &mut Store, name: &str) -> Account {
    let seed = name.bytes().fold(2, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
    store.ensure_account(name, "stripe", READ_AT, &SeededEntropy::new(seed)).unwrap()
}

/// Whatever stands in the folder: each file's length and hash.
pub(super) fn files(folder: &Path) -> BTreeMap<String, (usize, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let seen = entries.map(|entry| {
        let bytes = std::fs::read(entry.path()).unwrap();
        let hash = format!("{:?}", ring::digest::digest(&ring::digest::SHA256, &bytes));
        (entry.file_name().into_string().unwrap(), (bytes.len(), hash))
    });
    seen.collect()
}

/// The same without the memory that connections share, which readers use too.
pub(super) fn stored(folder: &Path) -> BTreeMap<String, (usize, String)> {
    let mut files = files(folder);
    files.retain(|name, _| !name.ends_with("-shm"));
    files
}

/// A connection of somebody else: SQLite without any of the store's own settings.
#[allow(clippy::disallowed_methods)] // the point is to go round the room's door
pub(super) fn stranger(path: &Path, flags: OpenFlags) -> Connection {
    Connection::open_with_flags(path, flags).unwrap()
}

/// A stranger who may write.
pub(super) fn writer(path: &Path) -> Connection {
    stranger(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
}

/// The rows of a query as text, values parted by `|`, NULL as `-`, read by a stranger who does not write.
pub(super) fn look(path: &Path, sql: &str) -> Vec<String> {
    rows(&stranger(path, OpenFlags::SQLITE_OPEN_READ_ONLY), sql)
}

/// The same through a connection that is there.
pub(super) fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let found = statement.query_map([], |row| {
        let value = |at| match row.get_ref(at).unwrap() {
            ValueRef::Null => "-".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
        };
        Ok((0..width).map(value).collect::<Vec<_>>().join("|"))
    });
    found.unwrap().map(|row| row.unwrap()).collect()
}

/// Tokens that can be told from the clear value and from each other.
struct Marked;
impl Tokens for Marked {
    fn token(&self, scope: &str, value: &str, out: &mut String) {
        let mixed = value.bytes().fold(5381_u64, |mix, byte| mix.wrapping_mul(33) ^ u64::from(byte));
        out.push_str(&format!("{scope}~{mixed:016x}"));
    }
}

/// One stream, ready to be read for one account.
pub(super) struct Lane {
    pub(super) upsert: Arc<Upsert>,
    pub(super) projection: Projection,
    stream: &'static Stream,
}

impl Lane {
    /// The stream that is stored in this table.
    pub(super) fn new(account: i64, table: &str, profile: Profile) -> Self {
        let (provider, name) = table.split_once('_').unwrap();
        let provider = providers::find(provider).unwrap();
        let stream = provider.stream(name).unwrap();
        let declaration = stream.declaration().unwrap();
        let keys = ["order".to_owned()];
        let projection = Projection::new(&declaration, profile, Arc::new(Marked), provider.exponent, &keys);
        let mut upsert = Upsert::new(account, &declaration, &projection);
        upsert.behind_ms = stream.behind_s * 1000;
        Self { upsert: Arc::new(upsert), projection, stream }
    }

    /// The response that holds these records.
    pub(super) fn page(&self, records: &[Value]) -> Page {
        let mut body = json!({ "object": "list", "has_more": false, "total_count": records.len() });
        body[self.stream.shape.records.unwrap()] = Value::Array(records.to_vec());
        self.projection.page(body.to_string().into_bytes(), &self.stream.shape).unwrap()
    }

    /// The same, to be committed as read number `read_seq`.
    pub(super) fn commit(&self, records: &[Value], read_seq: i64, step: Step) -> Commit {
        let (page, read_at) = (self.page(records), READ_AT + read_seq);
        Commit { upsert: self.upsert.clone(), page, read_seq, mark_seq: 0, read_at, source: "list", step }
    }
}

/// A window of a list, in milliseconds of the provider's clock, whose walk began then.
pub(super) fn new_window(span: (i64, i64), provider_at: i64) -> NewWindow {
    NewWindow { clock: "created", method: "list", span, provider_at }
}

/// A whole Stripe charge as far as the declaration needs one; `more` is put over it.
pub(super) fn charge(id: &str, more: Value) -> Value {
    over(
        json!({ "id": id, "object": "charge", "created": 1_700_000_000, "status": "succeeded", "amount": 1000,
            "currency": "eur", "livemode": false }),
        more,
    )
}

/// A balance transaction with fees of these amounts.
pub(super) fn booking(id: &str, fees: &[i64]) -> Value {
    let fee = |amount: &i64| json!({ "amount": amount, "currency": "eur", "type": "stripe_fee" });
    json!({ "id": id, "object": "balance_transaction", "created": 1_700_000_000, "status": "available", "type": "charge",
        "amount": 1000, "fee": fees.iter().sum::<i64>(), "net": 1000 - fees.iter().sum::<i64>(), "currency": "eur",
        "fee_details": fees.iter().map(fee).collect::<Vec<_>>() })
}

/// Puts the fields of `more` over those of `record`.
pub(super) fn over(mut record: Value, more: Value) -> Value {
    let (Some(fields), Value::Object(more)) = (record.as_object_mut(), more) else { panic!("not objects") };
    fields.extend(more);
    record
}

/// Runs a future to its end on this thread.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Names the folder for a test that was started again by itself.
const FOLDER: &str = "COUNTERFOIL_TEST_FOLDER";

/// The folder handed over, when this process is such a test.
pub(super) fn handed() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// This test program again, to run only the test `store::<test>`, behind a command that changes who or where it is.
pub(super) fn again(before: &[&str], test: &str, folder: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut words = before.iter().map(std::ffi::OsString::from).chain([program.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", "--nocapture"]).arg(format!("store::{test}")).env(FOLDER, folder);
    command
}

/// Runs it and demands that the test was found and passed.
pub(super) fn passes(mut command: Command) {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let shown = format!("{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("1 passed"), "{shown}");
}

/// True when `command` works here; says why a test cannot run otherwise.
pub(super) fn can(command: &[&str], why: &str) -> bool {
    let tried = Command::new(command[0]).args(&command[1..]).output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        crate::skip::skipped(why);
    }
    works
}

/// Words before a command that make it run as a user who owns nothing, in the group given. `None`, said aloud, where this
/// process may not become another user.
pub(super) fn other_user(group: u32) -> Option<Vec<String>> {
    let words = ["setpriv", "--reuid", "65534", "--regid", &group.to_string(), "--clear-groups"].map(str::to_owned);
    let mut trial: Vec<&str> = words.iter().map(String::as_str).collect();
    trial.push("true");
    can(&trial, "no second user (needs root and setpriv)").then(|| words.to_vec())
}

/// Whether this process has a lock on a file. The system's list may pass over a lock while others come and go, so that one
/// look proves nothing: a lock that is there shows itself in some of many.
#[cfg(target_os = "linux")]
pub(crate) fn locked(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let file = format!(":{} ", std::fs::metadata(path).unwrap().ino());
    let own = format!(" {} ", std::process::id());
    let seen = || std::fs::read_to_string("/proc/locks").unwrap();
    (0..200).any(|_| seen().lines().any(|lock| lock.contains(&file) && lock.contains(&own)))
}

/// The events of an account, which mark charges.
pub(super) fn events_of(account: i64) -> Lane {
    let mut feed = Lane::new(account, "stripe_events", Profile::Standard);
    let declaration = counterfoil::providers::find("stripe").unwrap().stream("events").unwrap().declaration().unwrap();
    let cell = |name| feed.projection.cell_of(declaration.main().column(name).unwrap()).unwrap();
    let clock = ("created_at".to_owned(), cell("created_at"));
    let objects = vec![(cell("object_id"), Target::Table("stripe_charges".to_owned()))];
    Arc::get_mut(&mut feed.upsert).unwrap().marks = Some(Marks { clock, objects, ..Marks::default() });
    feed
}

/// An event of this second that names a charge.
pub(super) fn changed(id: &str, created: i64, of: &str) -> Value {
    json!({ "id": id, "created": created, "type": "charge.updated", "data": { "object": { "object": "charge", "id": of } } })
}
