//! A store of the contract's shape, a clock that stands still, and two ways to a receiver: scripted, and over HTTP.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::egress::sign::{base64, enrolment_message, receipt_message, sha256, unbase64};
use counterfoil::egress::wire::{DAY_MS, Day};
use counterfoil::egress::{
    Courier, Ed25519Signer, EnrolmentCode, Mode, OutboundRequest, Outbox, ReceiverUrl, Reply, SendFailure, Sender,
    Signer, Upstream, accept, registry::ATTEMPTS,
};
use counterfoil::entropy::SeededEntropy;
use rusqlite::Connection;

pub(crate) const STORE: &str = "6a1d3f04-0000-4000-8000-000000000001";
pub(crate) const URL: &str = "https://receiver.example";

/// A Monday.
pub(crate) fn monday() -> Day {
    Day::civil(2026, 11, 16)
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Stands still until it is set.
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl TestClock {
    pub(crate) fn at(ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ms)))
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn mono(&self) -> Duration {
        Duration::from_millis(self.wall_ms().unsigned_abs())
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// One row of `payment_attempts`.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) account: i64,
    pub(crate) provider: &'static str,
    pub(crate) id: String,
    pub(crate) at: i64,
    pub(crate) outcome: &'static str,
    pub(crate) method: &'static str,
    pub(crate) scheme: &'static str,
    pub(crate) funding: &'static str,
    pub(crate) card: Option<String>,
    pub(crate) payer: Option<String>,
}

/// A captured Visa credit attempt at Stripe on `day`, by card `card`.
pub(crate) fn attempt(id: usize, day: Day, card: usize) -> Attempt {
    Attempt {
        account: 1,
        provider: "stripe",
        id: format!("ch_{id}"),
        at: day.start_ms() + 1_000 * id as i64 % DAY_MS,
        outcome: "captured",
        method: "card",
        scheme: "visa",
        funding: "credit",
        card: Some(format!("card{card}")),
        payer: None,
    }
}

pub(crate) fn store(attempts: &[Attempt]) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE payment_attempts (account INTEGER, provider TEXT, attempt_id TEXT, attempted_at INTEGER,
           outcome TEXT, method TEXT, scheme TEXT, funding TEXT, card_token TEXT, payer_token TEXT);
         CREATE TABLE accounts (account INTEGER PRIMARY KEY)",
    )
    .unwrap();
    add(&db, attempts);
    db
}

pub(crate) fn add(db: &Connection, attempts: &[Attempt]) {
    let mut insert =
        db.prepare("INSERT INTO payment_attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)").unwrap();
    for a in attempts {
        let row = (a.account, a.provider, &a.id, a.at, a.outcome, a.method, a.scheme, a.funding, &a.card, &a.payer);
        insert.execute(row).unwrap();
        db.execute("INSERT OR IGNORE INTO accounts VALUES (?1)", [a.account]).unwrap();
    }
}

/// The horizon at which `day` becomes due.
pub(crate) fn due(day: Day) -> i64 {
    day.end_ms() + ATTEMPTS.lag_days * DAY_MS
}

pub(crate) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(&[7; 32])
}

pub(crate) fn upstream(mode: Mode) -> Upstream {
    Upstream { url: ReceiverUrl::parse(URL).unwrap(), mode }
}

/// A receiver that is a script: it enrols, signs receipts, and gives the scripted answers first.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) requests: Mutex<Vec<OutboundRequest>>,
    pub(crate) script: Mutex<VecDeque<Result<Reply, SendFailure>>>,
}

impl Scripted {
    pub(crate) fn then(&self, answer: Result<Reply, SendFailure>) {
        self.script.lock().unwrap().push_back(answer);
    }

    pub(crate) fn then_status(&self, status: u16) {
        self.then(Ok(Reply { status, ..Reply::default() }));
    }

    pub(crate) fn batches(&self) -> Vec<OutboundRequest> {
        self.requests.lock().unwrap().iter().filter(|r| r.method() == "PUT").cloned().collect()
    }

    fn key() -> Ed25519Signer {
        Ed25519Signer::from_seed(&[9; 32])
    }
}

/// The receipt that a receiver with this key gives.
pub(crate) fn receipt(key: &Ed25519Signer, install: &str, seq: i64, body: &[u8]) -> Reply {
    let digest = sha256(body);
    let signature = base64(&key.sign(&receipt_message(install, seq, &digest)));
    let digest = base64(&digest);
    let body = format!(r#"{{"install":"{install}","seq":{seq},"digest":"{digest}","signature":"{signature}"}}"#);
    Reply { status: 201, headers: vec![], body: body.into_bytes() }
}

impl Sender for Scripted {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Result<Reply, SendFailure>> {
        self.requests.lock().unwrap().push(request.clone());
        let scripted = self.script.lock().unwrap().pop_front();
        Box::pin(async move {
            if let Some(answer) = scripted {
                return answer;
            }
            let key = Self::key();
            if request.method() == "PUT" {
                let seq = request.url().rsplit('/').next().unwrap().parse().unwrap();
                return Ok(receipt(&key, "install-1", seq, request.body()));
            }
            let asked: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            let bytes = |name: &str| unbase64::<32>(asked[name].as_str().unwrap()).unwrap();
            let message = enrolment_message("install-1", &key.public_key(), &bytes("public_key"), &bytes("registry"));
            let (receiver_key, signature) = (base64(&key.public_key()), base64(&key.sign(&message)));
            let body =
                format!(r#"{{"install":"install-1","receiver_key":"{receiver_key}","signature":"{signature}"}}"#);
            Ok(Reply { status: 201, headers: vec![], body: body.into_bytes() })
        })
    }
}

/// HTTP/1.1 over a plain socket, a connection a request.
pub(crate) struct OverHttp;

impl Sender for OverHttp {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Result<Reply, SendFailure>> {
        Box::pin(async move { exchange(&request) })
    }
}

fn exchange(request: &OutboundRequest) -> Result<Reply, SendFailure> {
    let (authority, path) = request.url().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(authority).map_err(|_| SendFailure::Connect)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n", request.method());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", request.body().len()));
    stream.write_all(head.as_bytes()).map_err(|_| SendFailure::Cut)?;
    stream.write_all(request.body()).map_err(|_| SendFailure::Cut)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|_| SendFailure::Cut)?;
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(SendFailure::Cut)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Ok(Reply { status, headers, body: body.as_bytes().to_vec() })
}

/// An `egress.db` in a folder of its own, with consent from the start of `monday()`.
pub(crate) struct Rig {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) outbox: Outbox,
    pub(crate) sender: Arc<Scripted>,
    pub(crate) clock: Arc<TestClock>,
}

impl Rig {
    pub(crate) fn unaccepted() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("egress.db");
        let outbox = Outbox::open(&path, STORE, None, &SeededEntropy::new(1)).unwrap();
        Self { folder, outbox, sender: Arc::default(), clock: TestClock::at(monday().start_ms()) }
    }

    pub(crate) fn accepted() -> Self {
        let mut rig = Self::unaccepted();
        rig.accept().unwrap();
        rig
    }

    pub(crate) fn accept(&mut self) -> counterfoil::problem::Result<counterfoil::egress::Consent> {
        let code = EnrolmentCode::parse("ABCD-EFGH-2345").unwrap();
        let url = ReceiverUrl::parse(URL).unwrap();
        run(accept(&mut self.outbox, &url, &code, &*self.sender, &signer(), &*self.clock))
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("egress.db")
    }

    pub(crate) fn release(&mut self, store: &Connection, settled: i64) -> counterfoil::problem::Result<Vec<i64>> {
        self.outbox.release(store, &upstream(Mode::On), settled, &*self.clock)
    }

    pub(crate) fn courier(&self) -> Courier {
        Courier::new(self.sender.clone(), Arc::new(signer()), self.clock.clone(), Arc::new(SeededEntropy::new(2)))
    }

    pub(crate) fn body(&self, seq: i64) -> String {
        String::from_utf8(self.outbox.show(seq).unwrap().bytes).unwrap()
    }
}

/// A file opened past its room, to look into it or to tamper with it.
#[allow(clippy::disallowed_methods)]
pub(crate) fn raw(path: impl AsRef<std::path::Path>) -> Connection {
    Connection::open(path).unwrap()
}
