//! `demo`: the whole job on made-up data, with the real program: sandbox and receiver on loopback, a real configuration and
//! keys in a folder that is named, the agent with its socket. Days pass because the agent's clock is the sandbox's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::context::block_on;
use super::{Context, progress, status, sync, table};
use crate::agent::control::Client;
use crate::agent::parts::{Parts, Seams, Writer, make_folder};
use crate::agent::request::{Request, perform};
use crate::agent::run::{Signal, Voice, run as run_agent};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Level};
use crate::egress::Outbox;
use crate::entropy::SystemEntropy;
use crate::paths::{Overrides, Paths};
use crate::problem::{self, Exit, Result};
use crate::sandbox::receiver::{Receiver, ReceiverOptions};
use crate::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox};
use crate::store::Reader;

/// Show everything at once on made-up data.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Charges in the made-up history
    #[arg(long, default_value_t = 20_000)]
    charges: u64,
    /// Where configuration, store and outbox go; must not exist yet
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

const DAY: Duration = Duration::from_secs(86_400);

const QUERIES: [(&str, &str); 3] = [
    (
        "How many attempts are approved, by provider and scheme?",
        "SELECT provider, scheme, count(*) AS attempts, round(100.0 * sum(outcome IN ('captured', 'approved')) / count(*), 1) AS approved_pct FROM payment_attempts WHERE method = 'card' GROUP BY 1, 2 ORDER BY attempts DESC LIMIT 6",
    ),
    (
        "What do the fees come to, by currency?",
        "SELECT currency, count(*) AS bookings, sum(amount_fee) AS fees_minor, sum(amount_net) AS net_minor FROM stripe_balance_transactions WHERE type = 'charge' GROUP BY currency ORDER BY bookings DESC LIMIT 5",
    ),
    (
        "Which disputes are open?",
        "SELECT provider, status, count(*) AS disputes FROM disputes GROUP BY 1, 2 ORDER BY disputes DESC LIMIT 6",
    ),
];

/// The agent's own voice is not needed: everything is asked over its socket.
struct Quiet(mpsc::Sender<()>);

impl Voice for Quiet {
    fn ready(&self, _: &str) {
        self.0.try_send(()).ok();
    }
    fn status(&self, _: &str) {}
    fn reloading(&self) {}
    fn stopping(&self) {}
    fn beat(&self) {}
    fn log_level(&self, _: Level) {}
}

/// Everything that the demonstration runs beside the agent.
struct Stage<'a> {
    context: &'a Context,
    clock: SystemClock,
    folder: PathBuf,
    paths: Paths,
    sandbox: Sandbox,
    receiver: Receiver,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let clock = SystemClock::new();
    let folder = folder(args.folder.as_deref(), clock.wall_ms())?;
    let overrides = Overrides { config: None, data_dir: Some(folder.clone()) };
    let paths = Paths::here(&overrides).map_err(|error| problem::AGENT_DIRECTORY.with(error.kind()))?;
    let mut options = Options::new(Arc::new(clock.clone()));
    (options.charges, options.payments, options.days) = (args.charges, args.charges / 4, 60);
    let sandbox = Sandbox::start(options)?;
    let receiver = Receiver::start(ReceiverOptions {
        db: folder.join("receiver.db"),
        addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SystemEntropy),
        seed: None,
    })?;
    let stage = Stage { context, clock, folder, paths, sandbox, receiver };
    let report = block_on(stage.play());
    let Stage { mut sandbox, receiver, .. } = stage;
    sandbox.stop();
    receiver.stop();
    context.out.facts("demo", report?);
    Ok(Exit::Fine)
}

fn folder(wanted: Option<&Path>, now: i64) -> Result<PathBuf> {
    let folder = wanted.map_or_else(|| std::env::temp_dir().join(format!("counterfoil-demo-{now}")), Path::to_owned);
    if folder.exists() {
        return Err(
            problem::AGENT_DIRECTORY.with(format!("{} exists already; --folder must name a new one", folder.display()))
        );
    }
    make_folder(&folder)?;
    Ok(folder)
}

impl Stage<'_> {
    async fn play(&self) -> Result<Value> {
        self.say("1. A configuration and a sealed key, as `init` and `key set` make them");
        self.configure(false)?;
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SystemEntropy),
            transport: None,
            writer: Writer::default(),
        };
        let config = Arc::new(config::load(&self.paths.config_file)?);
        let parts = Parts::open(self.paths.clone(), config.clone(), seams.clone())?;
        perform(&parts, key("main", STRIPE_KEY), &|_| ()).await?;
        parts.close().await?;
        self.context.out.line(format!("   everything lies in {}", self.folder.display()));

        self.say("2. The agent starts, and reads what Stripe holds");
        let (signal, signals) = mpsc::channel(1);
        let (ready, mut is_ready) = mpsc::channel(1);
        let agent = tokio::spawn(run_agent(self.paths.clone(), config, seams, Arc::new(Quiet(ready)), signals));
        is_ready.recv().await;
        let told = self.tell().await;
        drop(signal.send(Signal::Stop).await);
        let ended = agent.await.unwrap_or_else(|_| Err(problem::AGENT_RUNTIME.with("the agent ended early")));
        let mut report = told?;
        ended?;
        report["folder"] = json!(self.folder);
        self.say("Where things are");
        let line = |what: &str, path: PathBuf| self.context.out.line(format!("   {what:<14} {}", path.display()));
        line("store", self.paths.store(None));
        line("outbox", self.paths.egress());
        line("configuration", self.paths.config_file.clone());
        let ask = format!("counterfoil --data-dir {} query \"SELECT * FROM payments LIMIT 5\"", self.folder.display());
        self.context.out.line(format!("\nTry: {ask}"));
        Ok(report)
    }

    /// The story, told over the agent's socket like every command would.
    async fn tell(&self) -> Result<Value> {
        self.ask(Request::Accept { code: self.receiver.issue_code()? }).await?;
        let first = self.sync(&["main"]).await?;

        self.say("3. The configuration is edited while the agent runs: Checkout.com joins");
        self.configure(true)?;
        self.until_known("eu").await?;
        self.ask(key("eu", CHECKOUT_KEY)).await?;
        let second = self.sync(&["eu"]).await?;

        self.say("4. Five days pass: new payments, late rows, disputes; closed days are read once more");
        self.clock.advance(5 * DAY);
        let third = self.sync(&[]).await?;
        let batches = self.until_delivered().await?;

        self.say("5. How far everything is known");
        let reader = Reader::open(&self.paths.store(None))?;
        let all = status::all(&reader, &*self.loaded()?)?;
        let horizons: Vec<Value> = all.iter().map(status::fact).collect();
        let at = |ms: Option<i64>| ms.map(table::moment).unwrap_or_default();
        let row = |one: &status::One| {
            let (horizon, changed) = (&one.known.horizon, one.known.changed_to);
            let words = [one.connection.clone(), one.stream.clone(), one.rows.to_string()];
            words.into_iter().chain([at(horizon.listed_to), at(changed), at(horizon.settled_to)]).collect()
        };
        let rows: Vec<Vec<String>> = all.iter().map(row).collect();
        let columns = ["connection", "stream", "rows", "listed up to", "changes up to", "settled up to"];
        self.context.out.line(table::aligned(&columns, &rows));

        self.say("6. What left this machine, byte for byte, with the receiver's signed receipt");
        for (seq, bytes, receipt) in &batches {
            self.context.out.line(format!("   batch {seq}: {bytes}\n   receipt {receipt}"));
        }
        self.say("7. What an analyst can ask");
        let answers = self.answers()?;
        Ok(json!({"passes": [first, second, third], "horizons": horizons, "batches": batches, "queries": answers}))
    }

    fn say(&self, text: &str) {
        self.context.out.line(format!("\n{text}"));
    }

    fn loaded(&self) -> Result<Arc<config::Config>> {
        config::load(&self.paths.config_file).map(Arc::new)
    }

    /// Writes the configuration the way an editor does: aside, then renamed over.
    fn configure(&self, both: bool) -> Result<()> {
        let start = self.sandbox.now_ms() - 70 * 86_400_000;
        let start =
            jiff::Timestamp::from_millisecond(start).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        let mut text = format!(
            "[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{}\"\nrequests_per_second = 2000\n",
            self.sandbox.stripe_url()
        );
        if both {
            text.push_str(&format!(
                "\n[connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {start}\nbase_url = \"{}\"\nrequests_per_second = 2000\n",
                self.sandbox.checkout_url()
            ));
        }
        text.push_str(&format!("\n[upstream]\nurl = \"{}\"\nmode = \"on\"\n", self.receiver.url()));
        let aside = self.folder.join("counterfoil.toml.new");
        let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &self.paths.config_file));
        written.map_err(|error| problem::AGENT_DIRECTORY.with(error.kind()))
    }

    async fn ask(&self, request: Request) -> Result<Value> {
        let agent = Client::connect(&self.paths.socket()).await?;
        let mut agent = agent.ok_or_else(|| problem::AGENT_NOT_RUNNING.plain())?;
        let request = serde_json::to_value(&request).map_err(|_| problem::AGENT_REQUEST.plain())?;
        let out = self.context.out;
        let done = agent.ask(&request, |event| progress::show(&out, &event)).await;
        out.end_progress();
        done
    }

    async fn sync(&self, targets: &[&str]) -> Result<Value> {
        let targets = targets.iter().map(|one| (*one).to_owned()).collect();
        let done = self.ask(Request::Sync { targets }).await?;
        sync::print(self.context, &done);
        Ok(done)
    }

    /// The agent notices the edit by itself; this only waits until it has.
    async fn until_known(&self, connection: &str) -> Result<()> {
        for _ in 0..100 {
            match self.ask(Request::ListKeys).await.and(Reader::open(&self.paths.store(None))) {
                Ok(reader) => {
                    let sql = format!("SELECT 1 FROM accounts WHERE connection = '{connection}'");
                    if !reader.table(&sql)?.rows.is_empty() {
                        return Ok(());
                    }
                }
                Err(problem) => return Err(problem),
            }
            SystemClock::new().sleep(Duration::from_millis(50)).await;
        }
        Err(problem::NO_CONNECTION.with(connection))
    }

    /// The release follows the pass by itself; this only waits for the receipts.
    async fn until_delivered(&self) -> Result<Vec<(i64, String, String)>> {
        for _ in 0..600 {
            if self.paths.egress().exists() {
                let reader = Reader::open(&self.paths.store(None))?;
                let uuid = reader.table("SELECT value FROM state WHERE name = 'uuid'")?;
                let uuid = uuid.rows.first().and_then(|row| row[0].str()).unwrap_or_default().to_owned();
                let outbox = Outbox::open_read_only(&self.paths.egress(), &uuid)?;
                let log = outbox.log(10)?;
                if !log.is_empty() && log.iter().all(|batch| batch.state == "acknowledged") {
                    let show = |seq: i64| {
                        let shown = outbox.show(seq)?;
                        let receipt = shown.batch.receipt.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
                        Ok((seq, String::from_utf8_lossy(&shown.bytes).into_owned(), receipt))
                    };
                    return log.iter().rev().map(|batch| show(batch.seq)).collect();
                }
            }
            SystemClock::new().sleep(Duration::from_millis(50)).await;
        }
        Err(problem::EGRESS_UNREACHABLE.with("no batch was received within half a minute"))
    }

    fn answers(&self) -> Result<Vec<Value>> {
        let mut answers = Vec::new();
        for (question, sql) in QUERIES {
            let mut reader = Reader::open(&self.paths.store(None))?;
            let found = reader.query(sql, 20, Duration::from_secs(20), Arc::new(self.clock.clone()))?;
            self.context.out.line(format!("\n   {question}\n   {sql}"));
            self.context.out.line(table::people(&found));
            answers.push(json!({"question": question, "sql": sql, "rows": table::objects(&found)}));
        }
        Ok(answers)
    }
}

fn key(connection: &str, key: &str) -> Request {
    let (connection, name) = (connection.to_owned(), config::DEFAULT_KEY.to_owned());
    Request::SetKey { connection, key: name, secret: key.to_owned(), full_access: false }
}
