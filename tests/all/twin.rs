//! The twin run through the whole agent: two worlds that differ only in who the payers are (names, addresses, e-mails, last
//! digits, texts) are read, released and sent by the real parts, with the clock, the keys and the chance fixed. What the
//! receiver sees is the same to the byte. Planted leaks and a single payment less are seen by the same comparison.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request, perform};
use counterfoil::agent::upstream::{Kept, release_and_send};
use counterfoil::clock::{BoxFuture, Clock, SystemClock};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::http::{self, Method, NetOptions, NetTransport, Response, Transport, TransportError};
use counterfoil::paths::{Overrides, Paths};
use counterfoil::problem::EGRESS_NO_CONSENT;
use counterfoil::sandbox::receiver::{RawRequest, Receiver, ReceiverOptions};
use counterfoil::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox};
use counterfoil::store::{Reader, Table};

/// Wednesday, 2026-11-11, noon (UTC milliseconds).
const NOON: i64 = 1_794_398_400_000;
const DAYS: Duration = Duration::from_secs(12 * 86_400);

/// Wall time stands still but for [`FixedClock::advance`]; waiting takes the time that it takes.
#[derive(Clone)]
struct FixedClock {
    wall: Arc<AtomicU64>,
    mono: SystemClock,
}

impl FixedClock {
    fn advance(&self, span: Duration) {
        self.wall.fetch_add(span.as_millis() as u64, Ordering::SeqCst);
        self.mono.advance(span);
    }
}

impl Clock for FixedClock {
    fn wall_ms(&self) -> i64 {
        self.wall.load(Ordering::SeqCst) as i64
    }
    fn mono(&self) -> Duration {
        self.mono.mono()
    }
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.mono.sleep(span)
    }
}

/// One of two lives to compare.
#[derive(Clone, Copy)]
struct Life {
    profile: &'static str,
    seed: u64,
    personal_seed: u64,
    /// SQL that spoils the store before the release.
    spoil: &'static str,
    /// The road out adds a careless header.
    leaky: bool,
}

const LIFE: Life = Life { profile: "standard", seed: 5, personal_seed: 1, spoil: "", leaky: false };
const FINANCE: Life = Life { profile: "finance", ..LIFE };

/// What came of a life.
struct Lived {
    requests: Vec<RawRequest>,
    charges: Table,
}

impl Lived {
    fn batches(&self) -> impl Iterator<Item = &RawRequest> {
        self.requests.iter().filter(|request| request.method == "PUT")
    }

    /// Cells of all batches.
    fn cells(&self) -> usize {
        self.batches().map(|request| String::from_utf8_lossy(&request.body).matches("[\"").count()).sum()
    }
}

/// A whole life: keys, consent, a backfill, and twelve days later a release. `None`: somebody took the address.
async fn live(life: Life, addr: SocketAddr) -> Option<(SocketAddr, Lived)> {
    let clock = FixedClock { wall: Arc::new(AtomicU64::new(NOON as u64)), mono: SystemClock::new() };
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(Arc::new(clock.clone()));
    (options.seed, options.personal_seed) = (life.seed, life.personal_seed);
    (options.charges, options.payments, options.days) = (1_200, 400, 20);
    let sandbox = Sandbox::start(options).unwrap();
    let receiver = Receiver::start(ReceiverOptions {
        db: folder.path().join("receiver.db"),
        addr,
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(21)),
        seed: Some([9; 32]),
    })
    .ok()?;
    let addr = receiver.url().trim_start_matches("http://").parse().unwrap();
    let parts = open(life, folder.path(), &clock, &sandbox, &receiver);
    for (connection, key) in [("main", STRIPE_KEY), ("eu", CHECKOUT_KEY)] {
        let (connection, key, secret) = (connection.to_owned(), "default".to_owned(), key.to_owned());
        ask(&parts, Request::SetKey { connection, key, secret, full_access: false }).await;
    }
    ask(&parts, Request::Sync { targets: vec![] }).await;
    ask(&parts, Request::Accept { code: receiver.issue_code().unwrap() }).await;
    clock.advance(DAYS);
    ask(&parts, Request::Sync { targets: vec![] }).await;
    spoil(&parts.store_path, life.spoil);
    let mut kept = Kept::default();
    let (released, sent) = release_and_send(&parts, &mut kept).await.unwrap();
    assert_eq!(released, sent.acknowledged, "{:?}", sent.problems);
    exchange_outbox(&parts, &mut kept).await;
    let charges = Reader::open(&parts.store_path).unwrap().table("SELECT * FROM stripe_charges ORDER BY id").unwrap();
    parts.close().await.unwrap();
    Some((addr, Lived { requests: receiver.requests(), charges }))
}

/// Files that were put aside between two deliveries are not written any more: the new ones know of no consent.
async fn exchange_outbox(parts: &Parts, kept: &mut Kept) {
    assert!(release_and_send(parts, kept).await.unwrap().0.is_empty(), "nothing more is due");
    let at = |ending: &str| parts.paths.egress().with_extension(ending);
    for ending in ["db", "db-wal", "db-shm"] {
        std::fs::rename(at(ending), at(&format!("{ending}.aside"))).unwrap();
    }
    assert!(release_and_send(parts, kept).await.unwrap_err().is(&EGRESS_NO_CONSENT));
}

fn open(life: Life, folder: &Path, clock: &FixedClock, sandbox: &Sandbox, receiver: &Receiver) -> Parts {
    let text = format!(
        "[connections.main]\nprovider = \"stripe\"\nstart = 2026-10-20\nbase_url = \"{}\"\nrequests_per_second = 1000\n\
         [connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = 2026-10-20\nbase_url = \"{}\"\n\
         requests_per_second = 1000\n[privacy]\nlocal = \"{}\"\n[upstream]\nurl = \"{}\"\nmode = \"on\"\n",
        sandbox.stripe_url(),
        sandbox.checkout_url(),
        life.profile,
        receiver.url()
    );
    let paths = Paths::here(&Overrides { config: None, data_dir: Some(folder.to_owned()) }).unwrap();
    std::fs::write(&paths.config_file, text).unwrap();
    let config = Arc::new(config::load(&paths.config_file).unwrap());
    let transport = life.leaky.then(|| Arc::new(Leaky::new(paths.store(None))) as Arc<dyn Transport>);
    let seams = Seams {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(7)),
        transport,
        writer: Writer::default(),
    };
    crate::open_parts(paths, config, seams).unwrap()
}

async fn ask(parts: &Parts, request: Request) {
    let report = perform(parts, request, &|_| ()).await.unwrap();
    assert!(!report.to_string().contains("\"code\""), "{report}");
}

/// One life after the other, with the receiver at the same address.
async fn lives<const N: usize>(all: [Life; N]) -> [Lived; N] {
    'address: for _ in 0..5 {
        let mut addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut lived = Vec::new();
        for life in all {
            let Some((taken, one)) = live(life, addr).await else { continue 'address };
            addr = taken;
            lived.push(one);
        }
        return lived.try_into().ok().unwrap();
    }
    panic!("the receiver's address was taken each time");
}

async fn twins(life: Life) -> [Lived; 2] {
    lives([life, Life { personal_seed: 2, ..life }]).await
}

#[tokio::test]
async fn who_the_payers_are_changes_not_one_byte() {
    for life in [LIFE, FINANCE] {
        let [one, other] = twins(life).await;
        println!("{} requests with {} cells, profile {}", one.requests.len(), one.cells(), life.profile);
        assert!(one.batches().count() >= 9 && one.cells() > 30, "the comparison must be about something");
        assert_eq!(one.charges.rows.len(), other.charges.rows.len());
        assert_ne!(one.charges, other.charges, "what rests here is about other people");
        assert_eq!(one.requests, other.requests, "profile {}", life.profile);
        let (with, differ) = last_digits(&one, &other);
        match life.profile {
            "finance" => assert!(with > 500 && differ * 10 > with * 9, "{with} with last digits, {differ} differ"),
            _ => assert_eq!(with, 0, "no last digits rest in profile {}", life.profile),
        }
    }
}

/// How many charges rest with the last digits of a card, and in how many of them the twins differ.
fn last_digits(one: &Lived, other: &Lived) -> (usize, usize) {
    let column = one.charges.columns.iter().position(|name| name == "card_last4").unwrap();
    let rows = one.charges.rows.iter().zip(&other.charges.rows);
    let digits = rows.filter_map(|(one, other)| Some((one[column].str()?, other[column].str()?)));
    let digits: Vec<_> = digits.collect();
    (digits.len(), digits.iter().filter(|(one, other)| one != other).count())
}

/// One attempt less, in the middle of what is released.
const ONE_LESS: &str = "UPDATE stripe_charges SET deleted_at = 1 WHERE id = (
    SELECT attempt_id FROM payment_attempts WHERE provider = 'stripe' AND scheme = 'visa' AND funding = 'credit'
      AND outcome = 'captured' AND day = '2026-11-14' ORDER BY attempt_id LIMIT 1);";

#[tokio::test]
async fn another_world_and_a_single_payment_less_are_seen() {
    let [one, again, other, less] =
        lives([LIFE, LIFE, Life { seed: 6, ..LIFE }, Life { spoil: ONE_LESS, ..LIFE }]).await;
    assert_eq!(one.requests, again.requests);
    assert_ne!(one.requests, other.requests);
    let changed = one.batches().zip(less.batches()).filter(|(one, less)| one.body != less.body).count();
    assert_eq!(changed, 1, "one day's batch tells of it");
}

/// Leaks that a careless view could have: each tells something of a payer through the events that the gate is given.
const LEAKS: [(&str, &str); 4] = [
    (
        "last digits as a kind of card",
        "CASE WHEN c.card_last4 < '5000' THEN 'debit' ELSE a.funding END AS funding, a.attempted_at",
    ),
    (
        "last digits move an event to another day",
        "a.funding, a.attempted_at + 86400000 * (c.card_last4 < '5000') AS attempted_at",
    ),
    (
        "a name in a text decides what counts",
        "a.funding, CASE WHEN c.description LIKE '% Ada %' THEN NULL ELSE a.attempted_at END AS attempted_at",
    ),
    ("digits as cards", "a.funding, a.attempted_at"),
];

/// Puts a view of this shape before the honest one, or just runs the SQL.
fn spoil(store: &Path, sql: &str) {
    if sql.is_empty() {
        return;
    }
    #[allow(clippy::disallowed_methods)] // a test's hand in the store
    let db = rusqlite::Connection::open(store).unwrap();
    let Some((_, columns)) = LEAKS.iter().find(|(name, _)| *name == sql) else {
        return db.execute_batch(sql).unwrap();
    };
    let honest: String =
        db.query_row("SELECT sql FROM sqlite_schema WHERE name = 'payment_attempts'", [], |row| row.get(0)).unwrap();
    let honest = honest.replacen("VIEW payment_attempts", "VIEW honest_attempts", 1);
    let card = if sql == "digits as cards" { "substr(c.card_last4, 1, 1) AS card_token" } else { "a.card_token" };
    db.execute_batch(&format!(
        "DROP VIEW payment_attempts; {honest};
         CREATE VIEW payment_attempts AS SELECT a.account, a.attempt_id, a.provider, a.outcome, a.method, a.scheme,
           a.payer_token, {card}, {columns}
         FROM honest_attempts AS a LEFT JOIN stripe_charges AS c ON c.account = a.account AND c.id = a.attempt_id;"
    ))
    .unwrap();
}

#[tokio::test]
async fn every_planted_leak_is_caught() {
    for (name, _) in LEAKS {
        let [one, other] = twins(Life { spoil: name, ..FINANCE }).await;
        assert!(one.batches().count() >= 9, "{name}");
        assert_ne!(one.requests, other.requests, "{name} was not caught");
    }
    let [one, other] = twins(Life { leaky: true, ..FINANCE }).await;
    assert!(one.batches().all(|batch| batch.headers.iter().any(|(name, _)| name == "x-digits")));
    assert_ne!(one.requests, other.requests, "the careless header was not caught");
}

/// A road out with a careless header, made of what rests in the store.
struct Leaky {
    net: NetTransport,
    store: PathBuf,
}

impl Leaky {
    fn new(store: PathBuf) -> Self {
        Self { net: NetTransport::new(&NetOptions { plain: true, ..NetOptions::default() }).unwrap(), store }
    }
}

impl Transport for Leaky {
    fn send(&self, mut request: http::Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        if request.method == Method::Put {
            let digits =
                Reader::open(&self.store).unwrap().table("SELECT sum(card_last4) FROM stripe_charges").unwrap();
            request.headers.push(("x-digits", format!("{:?}", digits.rows[0][0])));
        }
        self.net.send(request)
    }
}
