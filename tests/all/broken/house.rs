//! A small agent that can be set up many times a second: a sandbox at a moment that does not pass, the proxies before its
//! faces, a data directory prepared once and copied for each case, and a clock whose waits are over at once.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request as Order, perform};
use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::http::{NetOptions, NetTransport, Request, Response, Transport, TransportError};
use counterfoil::paths::{Overrides, Paths};
use counterfoil::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox, TruthStream};
use counterfoil::store::{Reader, Store, Text};
use counterfoil::sync::{PassEnd, pass};
use counterfoil::testpoint::limit_pages;

use super::authority::Authority;
use super::endpoints::{Endpoint, Marked, Scene, Way, streams};
use super::proxy::{Fault, Proxy};

/// 2026-03-18T12:00:00Z: the moment at which everything happens.
pub(crate) const NOW_MS: i64 = 1_773_835_200_000;
/// The first day that is read.
const START: &str = "2026-02-26";
pub(crate) const START_S: i64 = 1_772_064_000;
/// How long ago an agent that is not new had its first pass: less than a day, so that what is done daily is not due.
pub(crate) const AGE_MS: i64 = 20 * 3_600_000;
/// Records a page of an agent that is not new: so few that marked objects are cheaper read one by one.
const SMALL: u32 = 2;

/// Stands still until it is set; whoever sleeps has slept.
#[derive(Clone)]
pub(crate) struct Still {
    wall: Arc<AtomicI64>,
    mono: Arc<AtomicU64>,
}

impl Still {
    pub(crate) fn new() -> Self {
        Self { wall: Arc::new(AtomicI64::new(NOW_MS)), mono: Arc::new(AtomicU64::new(0)) }
    }

    /// Both readings move on.
    pub(crate) fn pass(&self, ms: u64) {
        self.mono.fetch_add(ms, Ordering::Relaxed);
        self.jump(ms as i64);
    }

    /// The wall clock alone is set.
    pub(crate) fn jump(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for Still {
    fn wall_ms(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }

    fn mono(&self) -> Duration {
        Duration::from_millis(self.mono.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

/// The real network with a deadline of the test's own.
struct Hasty {
    net: NetTransport,
    deadline_ms: AtomicU64,
}

impl Transport for Hasty {
    fn send(&self, mut request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        request.deadline = Duration::from_millis(self.deadline_ms.load(Ordering::Relaxed));
        self.net.send(request)
    }
}

/// All records of a stream, by id.
pub(crate) type Dump = BTreeMap<String, Stored>;

/// One record: its row and those of its children, without what tells when and how they were read.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The time that windows bound, of a row of the main table.
    pub(crate) at_ms: i64,
    /// It counts as gone.
    pub(crate) gone: bool,
    rows: Vec<Vec<Text>>,
}

impl Stored {
    /// The same, cell by cell; where `richer`, a cell may be empty on one side: one read tells more than another.
    pub(crate) fn is(&self, other: &Self, richer: bool) -> bool {
        let cell =
            |(mine, theirs): (&Text, &Text)| mine == theirs || richer && (*mine == Text::Null || *theirs == Text::Null);
        self.rows.len() == other.rows.len()
            && self.rows.iter().zip(&other.rows).all(|(mine, theirs)| mine.iter().zip(theirs).all(cell))
    }
}

/// A sandbox, its proxies and prepared data directories.
pub(crate) struct House {
    pub(crate) sandbox: Sandbox,
    pub(crate) proxies: [Proxy; 2],
    /// The product's clock.
    pub(crate) clock: Still,
    /// The sandbox's clock.
    pub(crate) world: Still,
    hasty: Arc<Hasty>,
    /// The data directory of an agent that is new, and of one that is not.
    new: PathBuf,
    used: PathBuf,
    folder: tempfile::TempDir,
    count: AtomicU64,
}

/// One agent's parts, in a copy of the prepared directory.
pub(crate) struct Case<'h> {
    pub(crate) of: &'h House,
    scene: Scene,
    pub(crate) parts: Parts,
    folder: PathBuf,
    reader: OnceCell<Reader>,
}

impl House {
    pub(crate) async fn new(tls: bool) -> Self {
        let world = Still::new();
        let mut options = Options::new(Arc::new(world.clone()));
        // Of this world the last twenty days are read: few payments, and disputes enough for several pages.
        (options.seed, options.charges, options.payments, options.days) = (10, 800, 500, 80);
        options.gzip = false;
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let sandbox = Sandbox::start(options).unwrap();
        let authority = tls.then(|| Authority::new(folder.path()));
        let config = authority.as_ref().map(|authority| authority.config.clone());
        let proxies = [sandbox.stripe_url(), sandbox.checkout_url()]
            .map(|url| Proxy::start(&url, config.clone(), (START_S, NOW_MS / 1000)));
        let net = NetOptions { ca_file: authority.map(|one| one.file), proxy: None, plain: !tls };
        let hasty = Arc::new(Hasty { net: NetTransport::new(&net).unwrap(), deadline_ms: AtomicU64::new(60_000) });
        let clock = Still::new();
        let [new, used] = ["new", "used"].map(|name| folder.path().join(name));
        let house = Self { sandbox, proxies, clock, world, hasty, new, used, folder, count: AtomicU64::new(0) };
        house.prepare(if tls { "https" } else { "http" }).await;
        house
    }

    /// One that also knows an agent that is not new.
    pub(crate) async fn lived_in(tls: bool) -> Self {
        let house = Self::new(tls).await;
        house.live().await;
        house
    }

    async fn prepare(&self, scheme: &str) {
        std::fs::create_dir(&self.new).unwrap();
        let [stripe, checkout] = &self.proxies;
        let text = format!(
            "[connections.main]\nprovider = \"stripe\"\nstart = {START}\nbase_url = \"{scheme}://{}\"\n\
             [connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {START}\nbase_url = \"{scheme}://{}\"\n",
            stripe.address, checkout.address
        );
        std::fs::write(self.new.join("counterfoil.toml"), text).unwrap();
        let parts = self.open(&self.new);
        for (connection, key) in [("main", STRIPE_KEY), ("eu", CHECKOUT_KEY)] {
            let (connection, key, secret) = (connection.to_owned(), "default".to_owned(), key.to_owned());
            let order = Order::SetKey { connection, key, secret, full_access: false };
            perform(&parts, order, &|_| ()).await.unwrap();
        }
        parts.close().await.unwrap();
    }

    /// A first pass some hours ago; then three objects of each stream are marked, as if the feed had just named them.
    async fn live(&self) {
        for clock in [&self.clock, &self.world] {
            clock.jump(-AGE_MS);
        }
        copy(&self.new, &self.used);
        let case = Case {
            of: self,
            scene: Scene::First,
            parts: self.open(&self.used),
            folder: self.used.clone(),
            reader: OnceCell::new(),
        };
        case.pass().await;
        let marked: Marked = streams().filter(|one| !one.is_feed()).map(|one| (one.table, case.three(one))).collect();
        for (table, ids) in marked.clone() {
            let connection = if table.starts_with("stripe") { "main" } else { "eu" };
            let connection = case.parts.connection(connection).await.unwrap();
            let account = connection.account;
            let mark = move |store: &mut Store| {
                let seq = store.take_read_seq(1)?;
                ids.iter().try_for_each(|id| store.mark_one(account, table, id, (NOW_MS - AGE_MS, seq), "test"))
            };
            connection.store.run(mark).await.unwrap();
        }
        let Case { parts, reader, .. } = case;
        drop(reader);
        parts.close().await.unwrap();
        for clock in [&self.clock, &self.world] {
            clock.pass(AGE_MS as u64);
        }
        self.proxies.iter().for_each(|proxy| proxy.mark(&marked));
    }

    fn open(&self, folder: &Path) -> Parts {
        let paths = Paths::here(&Overrides { config: None, data_dir: Some(folder.to_owned()) }).unwrap();
        let config = Arc::new(config::load(&paths.config_file).unwrap());
        let transport: Arc<dyn Transport> = self.hasty.clone();
        let (clock, entropy) = (Arc::new(self.clock.clone()), Arc::new(SeededEntropy::new(7)));
        crate::open_parts(
            paths,
            config,
            Seams { clock, entropy, transport: Some(transport), writer: Writer::default() },
        )
        .unwrap()
    }

    /// Time goes by, here and at the providers.
    pub(crate) fn pass(&self, ms: u64) {
        self.clock.pass(ms);
        self.world.pass(ms);
    }

    /// A new agent.
    pub(crate) fn case(&self) -> Case<'_> {
        self.case_of(Scene::First)
    }

    /// An agent with this behind it.
    pub(crate) fn case_of(&self, scene: Scene) -> Case<'_> {
        let folder = self.folder.path().join(format!("case{}", self.count.fetch_add(1, Ordering::Relaxed)));
        copy(if scene == Scene::First { &self.new } else { &self.used }, &folder);
        limit_pages(if scene == Scene::First { u32::MAX } else { SMALL });
        self.proxies.iter().for_each(|proxy| proxy.searching(scene == Scene::Searching));
        Case { of: self, scene, parts: self.open(&folder), folder, reader: OnceCell::new() }
    }

    /// Breaks answers from now on, or no more. Where they come too late, the deadline is short.
    pub(crate) fn set(&self, fault: Option<&Arc<Fault>>) {
        let late = fault.is_some_and(|fault| fault.kind.silent);
        self.hasty.deadline_ms.store(if late { 400 } else { 60_000 }, Ordering::Relaxed);
        for proxy in &self.proxies {
            proxy.set(fault.cloned());
        }
    }
}

impl Case<'_> {
    /// One pass of every connection.
    pub(crate) async fn pass(&self) -> BTreeMap<String, PassEnd> {
        let mut ends = BTreeMap::new();
        for name in ["main", "eu"] {
            let connection = self.parts.connection(name).await.unwrap();
            let end = pass(connection, None, Arc::new(AtomicBool::new(false)), None).await.unwrap();
            ends.insert(name.to_owned(), end);
        }
        ends
    }

    fn reader(&self) -> &Reader {
        self.reader.get_or_init(|| Reader::open(&self.parts.store_path).unwrap())
    }

    /// The first column of a query's rows, as text.
    pub(crate) fn column(&self, sql: &str) -> Vec<String> {
        let found = self.reader().table(sql).unwrap();
        found.rows.iter().map(|row| row[0].str().map_or_else(|| format!("{:?}", row[0]), str::to_owned)).collect()
    }

    /// Stream table and code of every problem that stands.
    pub(crate) fn standing(&self) -> BTreeSet<(String, String)> {
        let sql = "SELECT coalesce(stream, '') || ' ' || code FROM problems WHERE cleared_at IS NULL";
        let pair =
            |text: &String| text.split_once(' ').map(|(stream, code)| (stream.to_owned(), code.to_owned())).unwrap();
        self.column(sql).iter().map(pair).collect()
    }

    /// Table and id of every object that is to be read again, because something told of a change.
    pub(crate) fn marks(&self) -> BTreeSet<(String, String)> {
        let marks = self.column("SELECT stream || ' ' || id FROM changes WHERE reason <> 'get'");
        marks.iter().filter_map(|mark| mark.split_once(' ')).map(|(table, id)| (table.into(), id.into())).collect()
    }

    /// Up to where the feed is heard.
    pub(crate) fn position(&self) -> Vec<String> {
        self.column("SELECT CAST(at AS TEXT) FROM rounds WHERE kind = 'feed'")
    }

    /// What is stored of each stream.
    pub(crate) fn dump(&self) -> BTreeMap<&'static str, Dump> {
        let mut all: BTreeMap<_, _> = streams().map(|one| (one.table, dump(self.reader(), one))).collect();
        // What a dispute names is read too, however old it is: a new agent may not have come to it.
        let old = |record: &Stored| self.scene == Scene::First && record.at_ms < START_S * 1000;
        all.values_mut().for_each(|dump| dump.retain(|_, record| !old(record)));
        all
    }

    /// Three of a stream's objects that are far apart, oldest first, and none so new that it is listed again in any case.
    /// Disputes at Checkout.com are too few for that: of those it is one that is older than what is listed.
    fn three(&self, endpoint: &Endpoint) -> [String; 3] {
        let (table, clock) = (endpoint.table, endpoint.clock());
        let ids = self.column(&format!("SELECT id FROM {table} WHERE {clock} >= {START_S}000 ORDER BY {clock}"));
        if endpoint.way != Way::Query {
            return [0, ids.len() / 2, ids.len() * 3 / 4].map(|at| ids[at].clone());
        }
        let older = self.of.sandbox.truth(TruthStream::CheckoutDisputes, 0, START_S - 1);
        [(); 3].map(|()| older[0].id.clone())
    }

    /// Ends the agent and takes its directory away.
    pub(crate) async fn end(self) {
        drop(self.reader);
        self.parts.close().await.unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }

    /// The agent ends and starts again.
    pub(crate) async fn again(self) -> Self {
        let Self { of, scene, parts, folder, reader } = self;
        drop(reader);
        parts.close().await.unwrap();
        Self { parts: of.open(&folder), of, scene, folder, reader: OnceCell::new() }
    }
}

/// The stream's main table and its children, whose names it begins.
fn dump(reader: &Reader, endpoint: &Endpoint) -> Dump {
    let mut dump = Dump::new();
    for table in tables(endpoint.table) {
        let found = reader.table(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
        let own = |name: &String| !["seen_at", "read_at", "read_seq", "source"].contains(&name.as_str());
        let own: Vec<usize> = (0..found.columns.len()).filter(|at| own(&found.columns[*at])).collect();
        // A child's row belongs to the record that it names.
        let main = table == endpoint.table;
        let of = |name: &String| if main { name == "id" } else { name.ends_with("_id") };
        let of = found.columns.iter().position(of).unwrap();
        let time = found.columns.iter().position(|name| name == endpoint.clock()).filter(|_| main);
        let gone = found.columns.iter().position(|name| name == "deleted_at").filter(|_| main);
        for row in &found.rows {
            let stored = dump.entry(row[of].str().unwrap().to_owned()).or_default();
            stored.at_ms = time.and_then(|time| row[time].int()).unwrap_or(stored.at_ms);
            stored.gone |= gone.is_some_and(|gone| row[gone] != Text::Null);
            stored.rows.push(own.iter().map(|at| row[*at].clone()).collect());
        }
    }
    dump
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The tables of a stream, the main one first.
pub(crate) fn tables(main: &'static str) -> &'static [String] {
    static TABLES: OnceLock<BTreeMap<String, Vec<String>>> = OnceLock::new();
    let read = || {
        let all = counterfoil::providers::declarations().unwrap().into_iter();
        all.map(|one| (one.main().name.clone(), one.tables.into_iter().map(|table| table.name).collect())).collect()
    };
    &TABLES.get_or_init(read)[main]
}
