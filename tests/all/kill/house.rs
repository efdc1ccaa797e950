//! A merchant's machine for the kill tests: a sandbox and a receiver in this process, the real binary as child processes in
//! one folder, and a clock that all of them share.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{Clock, SystemClock};
use counterfoil::egress::Outbox;
use counterfoil::egress::registry::ATTEMPTS;
use counterfoil::entropy::SeededEntropy;
use counterfoil::providers;
use counterfoil::sandbox::receiver::{Receiver, ReceiverOptions};
use counterfoil::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox, TruthStream};
use counterfoil::store::Reader;
use counterfoil::sync::{Horizon, horizon};

const DAY_MS: i64 = 86_400_000;
/// No stream's windows end further than this before the provider's time.
pub(super) const LAG_MS: i64 = 330_000;
/// Longest life of one child.
const PATIENCE: Duration = Duration::from_secs(300);

/// One stream: its connection, its table, and who knows the truth about it.
pub(super) type Stream = (&'static str, &'static str, TruthStream);

/// Every stream that there is.
pub(super) const STREAMS: &[Stream] = &[
    ("main", "stripe_charges", TruthStream::StripeCharges),
    ("main", "stripe_refunds", TruthStream::StripeRefunds),
    ("main", "stripe_disputes", TruthStream::StripeDisputes),
    ("main", "stripe_payment_intents", TruthStream::StripePaymentIntents),
    ("main", "stripe_balance_transactions", TruthStream::StripeBalanceTransactions),
    ("main", "stripe_payouts", TruthStream::StripePayouts),
    ("eu", "checkoutcom_payments", TruthStream::CheckoutPayments),
    ("eu", "checkoutcom_disputes", TruthStream::CheckoutDisputes),
];

/// What a house holds.
pub(super) struct Plan {
    pub(super) charges: u64,
    pub(super) payments: u64,
    /// Days of history.
    pub(super) days: u32,
    /// Days before now from which is read.
    pub(super) back: i64,
    pub(super) streams: &'static [Stream],
    /// The bug that is planted in every child.
    pub(super) planted: Option<&'static str>,
}

impl Plan {
    /// Twenty days with sixty charges each: windows of several pages.
    pub(super) fn usual() -> Self {
        Self { charges: 1_200, payments: 300, days: 20, back: 22, streams: STREAMS, planted: None }
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By a signal: it was killed.
    Killed,
    /// What was to be done is done.
    Done,
}

pub(super) struct House {
    pub(super) sandbox: Sandbox,
    pub(super) receiver: Receiver,
    pub(super) folder: tempfile::TempDir,
    pub(super) plan: Plan,
    pub(super) start: i64,
    clock: SystemClock,
}

impl House {
    /// A machine with a configuration and sealed keys, and nothing read.
    pub(super) fn new(plan: Plan) -> Self {
        let (clock, folder) = (crate::noon(), tempfile::tempdir().unwrap());
        let mut options = Options::new(Arc::new(clock.clone()));
        (options.charges, options.payments, options.days) = (plan.charges, plan.payments, plan.days);
        let sandbox = Sandbox::start(options).unwrap();
        let receiver = Receiver::start(ReceiverOptions {
            db: folder.path().join("receiver.db"),
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(3)),
            seed: None,
        })
        .unwrap();
        let start = (clock.wall_ms() / DAY_MS - plan.back) * DAY_MS;
        let house = Self { sandbox, receiver, folder, plan, start, clock };
        std::fs::write(house.path("counterfoil.toml"), house.configuration()).unwrap();
        for (connection, _, _, key) in house.connections() {
            house.must(&["key", "set", connection], key);
        }
        house
    }

    fn configuration(&self) -> String {
        let start = jiff::Timestamp::from_millisecond(self.start).unwrap().strftime("%Y-%m-%d").to_string();
        let mut text = format!("[upstream]\nurl = \"{}\"\nmode = \"on\"\n", self.receiver.url());
        for (connection, provider, url, _) in self.connections() {
            let of = self.plan.streams.iter().filter(|(name, ..)| *name == connection);
            let names: Vec<&str> = of.map(|(_, table, _)| table.split_once('_').unwrap().1).collect();
            text += &format!("[connections.{connection}]\n{provider}base_url = \"{url}\"\nstart = {start}\n");
            text += &format!("requests_per_second = 1000\nstreams = {names:?}\n");
        }
        text
    }

    /// The connections that have streams: name, provider, address, key.
    fn connections(&self) -> Vec<(&'static str, &'static str, String, &'static str)> {
        let (stripe, checkout) = ("provider = \"stripe\"\n", "provider = \"checkoutcom\"\nenvironment = \"sandbox\"\n");
        let mut all = vec![
            ("main", stripe, self.sandbox.stripe_url(), STRIPE_KEY),
            ("eu", checkout, self.sandbox.checkout_url(), CHECKOUT_KEY),
        ];
        all.retain(|(connection, ..)| self.plan.streams.iter().any(|(name, ..)| name == connection));
        all
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// Lets time pass for the sandbox, the receiver and every later child.
    pub(super) fn advance(&mut self, span: Duration) {
        self.clock.advance(span);
    }

    /// A child that is to die at a visit of a kill point, or live.
    fn spawn(&self, arguments: &[&str], kill: Option<(&str, u32)>, input: &str) -> Child {
        let said = std::fs::OpenOptions::new().create(true).append(true).open(self.path("said.txt")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command.arg("--data-dir").arg(self.folder.path()).args(arguments);
        command.env("COUNTERFOIL_CLOCK_AHEAD_MS", self.clock.ahead_ms().to_string());
        command.env("COUNTERFOIL_KILL_LOG", self.path("hits.txt"));
        if let Some((point, visit)) = kill {
            command.env("COUNTERFOIL_KILL", format!("{point}:{visit}"));
        }
        if let Some(planted) = self.plan.planted {
            command.env("COUNTERFOIL_PLANTED", planted);
        }
        command.stdin(Stdio::piped()).stdout(said.try_clone().unwrap()).stderr(said);
        let mut child = command.spawn().unwrap();
        // A child that dies before it reads is one that was to die.
        drop(child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes())));
        child
    }

    /// What the children said last, for a test that fails.
    pub(super) fn said(&self) -> String {
        let all = std::fs::read_to_string(self.path("said.txt")).unwrap_or_default();
        let lines: Vec<&str> = all.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn must(&self, arguments: &[&str], input: &str) {
        let status = self.spawn(arguments, None, input).wait().unwrap();
        assert!(status.success(), "{arguments:?}: {status}\n{}", self.said());
    }

    /// Waits for a child. Once nothing is left for it to do, it is asked to stop and must end in order.
    fn wait(&self, mut child: Child, left: &dyn Fn() -> Option<String>) -> End {
        let until = self.clock.mono() + PATIENCE;
        let mut asked = false;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return self.end(status);
            }
            let to_do = if asked { None } else { left() };
            if to_do.is_none() && !asked {
                signal(&child);
                asked = true;
            }
            if self.clock.mono() > until {
                child.kill().unwrap();
                panic!("a child did not end; left: {to_do:?}\n{}", self.said());
            }
            pause(Duration::from_millis(20));
        }
    }

    fn end(&self, status: ExitStatus) -> End {
        match status.code() {
            None => End::Killed,
            Some(0) => End::Done,
            Some(code) => panic!("a child ended with {code}\n{}", self.said()),
        }
    }

    /// `sync`, to its end or its death.
    pub(super) fn sync(&self, kill: Option<(&str, u32)>) -> End {
        self.wait(self.spawn(&["sync"], kill, ""), &|| Some("sync".to_owned()))
    }

    /// `run`, until all that is due has been read, released and received, or to its death.
    pub(super) fn run(&self, kill: Option<(&str, u32)>) -> End {
        let began = self.now_ms();
        self.wait(self.spawn(&["run"], kill, ""), &|| self.left(began))
    }

    /// `run`, until this problem stands.
    pub(super) fn run_into(&self, code: &str) -> End {
        let query = format!("SELECT 1 FROM problems WHERE code = '{code}' AND cleared_at IS NULL");
        let left = || self.reader().table(&query).unwrap().rows.is_empty().then(|| code.to_owned());
        self.wait(self.spawn(&["run"], None, ""), &left)
    }

    /// A child that is killed after this time, wherever it is then; `Done` when it was faster.
    pub(super) fn struck(&self, arguments: &[&str], after: Duration) -> End {
        let mut child = self.spawn(arguments, None, "");
        let until = self.clock.mono() + after;
        while self.clock.mono() < until {
            if let Some(status) = child.try_wait().unwrap() {
                return self.end(status);
            }
            pause(Duration::from_millis(1));
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        self.end(status)
    }

    /// Enrols with the receiver; `kills` first tries are killed on the way.
    pub(super) fn accept(&self, kills: &[Duration]) {
        let code = self.receiver.issue_code().unwrap();
        for after in kills {
            self.struck(&["egress", "accept", "--code", &code], *after);
        }
        self.must(&["egress", "accept", "--code", &code], "");
    }

    /// How often each point was met, by all children together.
    pub(super) fn hits(&self) -> BTreeMap<String, u32> {
        let mut hits = BTreeMap::new();
        for line in std::fs::read_to_string(self.path("hits.txt")).unwrap_or_default().lines() {
            *hits.entry(line.to_owned()).or_default() += 1;
        }
        hits
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(&self.path("counterfoil.db")).unwrap()
    }

    pub(super) fn outbox(&self, reader: &Reader) -> Outbox {
        let uuid = reader.table("SELECT value FROM state WHERE name = 'uuid'").unwrap();
        Outbox::open_read_only(&self.path("egress.db"), uuid.rows[0][0].str().unwrap()).unwrap()
    }

    /// What the store proves about a stream.
    pub(super) fn horizon(&self, reader: &Reader, (connection, table, _): &Stream) -> Horizon {
        let accounts = reader.accounts().unwrap();
        let Some(account) = accounts.iter().find(|one| one.connection.as_deref() == Some(connection)) else {
            return Horizon::default();
        };
        let provider = providers::find(&account.provider).unwrap();
        let stream = provider.streams.iter().find(|stream| provider.table(stream) == *table).unwrap();
        let windows = reader.windows(account.account, table).unwrap();
        horizon(&windows, self.start, &stream.declaration().unwrap().hash)
    }

    /// What is left to do until every stream is known up to `began`, every day that is due is released, and every batch
    /// acknowledged.
    fn left(&self, began: i64) -> Option<String> {
        if !self.path("egress.db").exists() {
            return Some("consent".to_owned());
        }
        let reader = self.reader();
        let unknown = |stream: &&Stream| self.horizon(&reader, stream).listed_to.is_none_or(|to| to < began - LAG_MS);
        if let Some((_, table, _)) = self.plan.streams.iter().find(unknown) {
            return Some(format!("reading {table}"));
        }
        let outbox = self.outbox(&reader);
        let next = outbox.next_day().unwrap().unwrap();
        if next.end_ms() + ATTEMPTS.lag_days * DAY_MS <= began - LAG_MS {
            return Some(format!("releasing {next}"));
        }
        let (waiting, held) = outbox.waiting().unwrap();
        (waiting + held > 0).then(|| format!("sending {waiting} batches, {held} held"))
    }
}

/// Asks a child to stop, as a service manager would.
fn signal(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
}

/// A child lives by the machine's time; nothing in this process can wake when it has come further.
#[allow(clippy::disallowed_methods)]
pub(super) fn pause(span: Duration) {
    std::thread::sleep(span);
}
