//! A small agent on a bench: both providers answer in the caller, what is to go wrong with an answer is done to it on its
//! way, and time moves only when it is told to. All of it is on one thread, so that a planted bug is in all of it. The judge
//! knows what the providers show, and believes nothing that the agent says of itself but which stretches are gaps.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request as Order, perform};
use counterfoil::clock::{BoxFuture, Clock as _};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::http::{Chunks, Request, Response, Transport, TransportError};
use counterfoil::paths::{Overrides, Paths};
use counterfoil::sandbox::receiver::ReceiverOptions;
use counterfoil::sandbox::{CHECKOUT_KEY, CHECKOUT_URL, Direct, Options, STRIPE_KEY, STRIPE_URL, Truth};
use counterfoil::store::Reader;
use counterfoil::sync::{Connection, pass};
use serde_json::Value;

use crate::broken::house::{START_S, Still};
use crate::sync::STREAMS;

/// An answer on its way.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) body: Value,
    /// What its `Date` says beyond the truth, milliseconds.
    pub(super) date_ahead: i64,
}

/// Does something to an answer; the request is told by its path and query.
type Bend = Box<dyn FnMut(&str, &mut Told) + Send>;

/// The network: honest, but for what is done to its answers.
struct Wire {
    direct: Direct,
    clock: Still,
    bend: Mutex<Bend>,
    /// Where a key was sent that is neither provider.
    strange: Mutex<Vec<String>>,
}

/// A body in one piece.
struct Whole(Option<bytes::Bytes>);

impl Chunks for Whole {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<bytes::Bytes, TransportError>>> {
        let piece = self.0.take();
        Box::pin(async move { piece.map(Ok) })
    }
}

impl Transport for Wire {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let origin = request.url.match_indices('/').nth(2).map_or(request.url.len(), |(at, _)| at);
            if ![STRIPE_URL, CHECKOUT_URL].contains(&&request.url[..origin]) {
                let key = request.bearer.map(|_| request.url[..origin].to_owned());
                self.strange.lock().unwrap().extend(key);
                return Err(TransportError::Connect);
            }
            let target = request.url[origin..].to_owned();
            let mut response = self.direct.send(request).await?;
            let mut bytes = Vec::new();
            while let Some(piece) = response.body.next().await {
                bytes.extend_from_slice(&piece?);
            }
            let body = serde_json::from_slice(&bytes).unwrap();
            let mut told = Told { status: response.status, body, date_ahead: 0 };
            (self.bend.lock().unwrap())(&target, &mut told);
            response.status = told.status;
            let bytes = told.body.to_string();
            let date = jiff::Timestamp::from_millisecond(self.clock.wall_ms() + told.date_ahead).unwrap();
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            for (name, value) in [("content-length", bytes.len().to_string()), ("date", date)] {
                response.headers.0.retain(|(known, _)| known != name);
                response.headers.0.push((name.to_owned(), value));
            }
            response.body = Box::new(Whole(Some(bytes.into())));
            Ok(response)
        })
    }
}

/// An agent with two connections, which has read nothing yet.
pub(super) struct Bench {
    parts: Parts,
    wire: Arc<Wire>,
    pub(super) clock: Still,
    /// Its configuration.
    text: String,
    /// What providers show beyond the sandbox's world: table, id, moment.
    pub(super) beyond: Vec<(&'static str, String, i64)>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// On a world of twenty days with so many charges and payments in all.
    pub(super) async fn new(charges: u64, payments: u64) -> Self {
        let (folder, clock) = (crate::simulation::folder(), Still::new());
        let mut options = Options::new(Arc::new(clock.clone()));
        (options.charges, options.payments, options.days, options.gzip) = (charges, payments, 20, false);
        let receiver = ReceiverOptions {
            db: folder.path().join("receiver.db"),
            addr: ([127, 0, 0, 1], 0).into(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(1)),
            seed: None,
        };
        let direct = Direct::new(options, receiver).unwrap();
        let (bend, strange) = (Mutex::new(Box::new(|_: &str, _: &mut Told| ()) as Bend), Mutex::default());
        let wire = Arc::new(Wire { direct, clock: clock.clone(), bend, strange });
        let house = Overrides { config: None, data_dir: Some(folder.path().join("house")) };
        let paths = Paths::here(&house).unwrap();
        let start = jiff::Timestamp::from_second(START_S).unwrap().strftime("%Y-%m-%d");
        let text = format!(
            "[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{STRIPE_URL}\"\n\
             [connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {start}\n\
             base_url = \"{CHECKOUT_URL}\"\n"
        );
        let config = Arc::new(config::parse(&text, &paths.config_file).unwrap());
        let seams = Seams {
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(1)),
            transport: Some(wire.clone()),
            writer: Writer { inline: true, vfs: None },
        };
        let parts = crate::open_parts(paths, config, seams).unwrap();
        for (connection, key) in [("main", STRIPE_KEY), ("eu", CHECKOUT_KEY)] {
            let (connection, key, secret) = (connection.to_owned(), "default".to_owned(), key.to_owned());
            let order = Order::SetKey { connection, key, secret, full_access: false };
            perform(&parts, order, &|_| ()).await.unwrap();
        }
        Self { parts, wire, clock, text, beyond: Vec::new(), _folder: folder }
    }

    /// What is done to answers from now on.
    pub(super) fn bend(&self, bend: impl FnMut(&str, &mut Told) + Send + 'static) {
        *self.wire.bend.lock().unwrap() = Box::new(bend);
    }

    /// Answers are honest from now on.
    pub(super) fn straighten(&self) {
        self.bend(|_, _| ());
    }

    pub(super) fn advance(&self, ms: u64) {
        self.clock.pass(ms);
    }

    /// One pass of one stream.
    pub(super) async fn pass_of(&self, connection: &str, stream: &str) {
        let (connection, only) = (self.parts.connection(connection).await.unwrap(), [stream.to_owned()]);
        pass(connection, Some(&only), Arc::new(AtomicBool::new(false)), None).await.unwrap();
    }

    /// One pass of both connections.
    pub(super) async fn pass(&self) {
        self.pass_all_of("main").await;
        self.pass_all_of("eu").await;
    }

    /// One pass of one connection.
    pub(super) async fn pass_all_of(&self, name: &str) {
        let connection = self.parts.connection(name).await.unwrap();
        pass(connection, None, Arc::new(AtomicBool::new(false)), None).await.unwrap();
    }

    /// A connection `again` that reads what `main` reads.
    pub(super) async fn add_again(&self) {
        let section =
            self.text.split("[connections.eu]").next().unwrap().replace("[connections.main]", "[connections.again]");
        let text = format!("{}{section}", self.text);
        self.parts.set_config(Arc::new(config::parse(&text, &self.parts.paths.config_file).unwrap()));
        let (connection, key, secret) = ("again".to_owned(), "default".to_owned(), STRIPE_KEY.to_owned());
        perform(&self.parts, Order::SetKey { connection, key, secret, full_access: false }, &|_| ()).await.unwrap();
    }

    /// Tells how many rows a query finds, unless there is none.
    pub(super) fn rows(&self, sql: &str, what: &str) -> Vec<String> {
        let rows = Reader::open(&self.parts.store_path).unwrap().table(sql).unwrap().rows.len();
        if rows == 0 { Vec::new() } else { vec![format!("{rows} {what}")] }
    }

    /// The key of `main` is set anew. Returns what reads by the old one, and is still at work.
    pub(super) async fn key_set_meanwhile(&self) -> Arc<Connection> {
        let old = self.parts.connection("main").await.unwrap();
        self.parts.unready("main");
        old
    }

    /// One pass with another address for `main`. Returns where its key was sent.
    pub(super) async fn moved(&self, address: &str) -> Vec<String> {
        let text = self.text.replace(STRIPE_URL, address);
        self.parts.set_config(Arc::new(config::parse(&text, &self.parts.paths.config_file).unwrap()));
        let connection = self.parts.connection("main").await.unwrap();
        drop(pass(connection, None, Arc::new(AtomicBool::new(false)), None).await);
        self.wire.strange.lock().unwrap().iter().map(|to| format!("the key was sent to {to}")).collect()
    }

    /// What the providers hold now, by stream, as far as windows reach that close now.
    pub(super) fn truth(&self) -> Vec<(&'static str, Vec<Truth>)> {
        let now = self.clock.wall_ms();
        let of = |(table, stream, lag_s): &(&'static str, _, i64)| {
            let mut truth = self.wire.direct.truth(*stream, START_S, now / 1000 - lag_s - 1);
            truth.retain(|one| one.visible_ms <= now);
            (*table, truth)
        };
        STREAMS.iter().map(of).collect()
    }

    /// Ten minutes go by, then a pass: whatever was true and could be heard before must be in. What is wrong, by stream;
    /// nothing in what is stated as a gap.
    pub(super) async fn settled(&self) -> Vec<String> {
        let before = self.truth();
        self.advance(600_000);
        self.pass().await;
        let mut wrong = Vec::new();
        for ((table, before), (_, now)) in before.iter().zip(self.truth()) {
            let (held, gaps) = (self.held(table), self.windows(table, "state = 'gap'"));
            let now: HashMap<String, String> = now.into_iter().map(|one| (one.id, one.status)).collect();
            let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
            let mut count = |what| *counts.entry(what).or_default() += 1;
            for one in before {
                match held.get(&one.id) {
                    None if gaps.iter().any(|(from, to)| (*from..*to).contains(&one.at_ms)) => {}
                    None => count("missing"),
                    Some((_, true)) => count("marked as gone but shown"),
                    // Nothing tells of the changes of these.
                    Some(_) if *table == "checkoutcom_payments" => {}
                    Some((status, _)) if *status != one.status && Some(status) != now.get(&one.id) => count("behind"),
                    Some(_) => {}
                }
            }
            let ahead = self.windows(table, &format!("to_at > {}", self.clock.wall_ms())).len();
            (0..ahead).for_each(|_| count("windows of the future"));
            for (_, id, at_ms) in self.beyond.iter().filter(|(of, ..)| of == table) {
                if !held.contains_key(id) && !gaps.iter().any(|(from, to)| (*from..*to).contains(at_ms)) {
                    count("missing");
                }
            }
            wrong.extend(counts.into_iter().map(|(what, rows)| format!("{table}: {rows} {what}")));
        }
        wrong
    }

    /// Something that happens to the store's file from outside.
    pub(super) fn behind_its_back(&self, sql: &str) {
        #[allow(clippy::disallowed_methods)] // as nobody should
        let store = rusqlite::Connection::open(&self.parts.store_path).unwrap();
        assert!(store.execute(sql, []).unwrap() > 0, "{sql}");
    }

    /// The first column of a query's rows, as text.
    pub(super) fn column(&self, sql: &str) -> Vec<String> {
        let rows = Reader::open(&self.parts.store_path).unwrap().table(sql).unwrap().rows.into_iter();
        rows.map(|row| row[0].str().unwrap().to_owned()).collect()
    }

    /// Status by id, and whether it is marked as gone.
    pub(super) fn held(&self, table: &str) -> HashMap<String, (String, bool)> {
        let sql = format!("SELECT id, coalesce(status, ''), deleted_at IS NOT NULL FROM {table}");
        let rows = Reader::open(&self.parts.store_path).unwrap().table(&sql).unwrap().rows.into_iter();
        let text = |value: &counterfoil::store::Text| value.str().unwrap().to_owned();
        rows.map(|row| (text(&row[0]), (text(&row[1]), row[2].int() == Some(1)))).collect()
    }

    /// From where to where windows reach of which this holds.
    fn windows(&self, table: &str, which: &str) -> Vec<(i64, i64)> {
        let sql = format!("SELECT from_at, to_at FROM coverage WHERE stream = '{table}' AND {which}");
        let rows = Reader::open(&self.parts.store_path).unwrap().table(&sql).unwrap().rows.into_iter();
        rows.map(|row| (row[0].int().unwrap(), row[1].int().unwrap())).collect()
    }
}
