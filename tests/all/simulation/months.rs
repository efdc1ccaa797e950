//! Simulated months in calm: how many reads following an account takes, and how long a change at the provider needs to its
//! row, by the number of payments. Nothing goes wrong here; storms are the business of the seeds.
//!
//! ```sh
//! cargo test --test all simulation::months                                     # 100 payments a month, a few days
//! PAYMENTS=10000 HOURS=720 cargo test --profile simulation --test all simulation::months -- --nocapture   # a row of the table
//! ```
//!
//! `HISTORY` is the days of payments before, `SETTLE` the hours in which the past is read and nothing is counted, `HOURS`
//! what is counted from the next midnight on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::agent::loops::keep;
use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request, perform};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::paths::{Overrides, Paths};
use counterfoil::sandbox::receiver::ReceiverOptions;
use counterfoil::sandbox::{self, Direct, FaceName, STRIPE_KEY, STRIPE_URL, TruthStream};
use counterfoil::store::Reader;
use counterfoil::sync::Budget;
use tokio::sync::Notify;

use super::number;
use super::options::{BEGIN, DAY, HOUR, MINUTE};
use super::time::{AgentClock, Time, TrueClock, rest};

/// The tables whose rows are looked at, and the provider's name for one such object.
const TABLES: [(&str, &str); 6] = [
    ("stripe_charges", "charge"),
    ("stripe_refunds", "refund"),
    ("stripe_disputes", "dispute"),
    ("stripe_payment_intents", "payment_intent"),
    ("stripe_payouts", "payout"),
    ("stripe_balance_transactions", "balance_transaction"),
];
/// Windows close so long before the provider's now.
const LAG: i64 = 2 * MINUTE;

/// How large and how long.
struct Size {
    payments: u64,
    /// Days of payments before the counted hours.
    history: i64,
    /// Hours before them in which the agent lives already.
    settle: i64,
    hours: i64,
}

/// What the days came to.
struct Days {
    budget: Budget,
    /// Reads of the counted days, by purpose.
    reads: BTreeMap<String, i64>,
    /// Reads before, while the past was read, by purpose.
    before: BTreeMap<String, i64>,
    /// Milliseconds between the ends of passes.
    gaps: Vec<i64>,
    /// Milliseconds from a change that the feed tells to its row.
    told: Vec<i64>,
    /// From the making of a balance transaction, of which no event tells, to its row.
    untold: Vec<i64>,
    /// From the moment when an amount becomes available to its row.
    available: Vec<i64>,
    missed: usize,
}

/// A provider, an agent, and what was seen.
struct House {
    size: Size,
    folder: tempfile::TempDir,
    time: Arc<Time>,
    direct: Arc<Direct>,
    /// When each object was read.
    read: HashMap<(usize, String), Vec<i64>>,
    last_seq: [i64; TABLES.len()],
    ends: Vec<i64>,
}

impl House {
    fn new(size: Size) -> Self {
        let (folder, time) = (super::life::folder(), Time::new(BEGIN - size.settle * HOUR));
        let clock = Arc::new(TrueClock(time.clone()));
        let mut options = sandbox::Options::new(clock.clone());
        (options.charges, options.payments) = (size.payments * size.history as u64 / 30, 1);
        options.days = size.history as u32;
        options.first_day = Some(((BEGIN - size.history * DAY) / DAY) as u32);
        options.gzip = false;
        let receiver = ReceiverOptions {
            db: folder.path().join("receiver.db"),
            addr: ([127, 0, 0, 1], 0).into(),
            clock,
            entropy: Arc::new(SeededEntropy::new(1)),
            seed: None,
        };
        let direct = Arc::new(Direct::new(options, receiver).unwrap());
        let (read, last_seq, ends) = (HashMap::new(), [-1; TABLES.len()], Vec::new());
        Self { size, folder, time, direct, read, last_seq, ends }
    }

    fn parts(&self) -> Parts {
        let overrides = Overrides { config: None, data_dir: Some(self.folder.path().join("house")) };
        let paths = Paths::here(&overrides).unwrap();
        let start = jiff::Timestamp::from_millisecond(BEGIN - self.size.history * DAY).unwrap().strftime("%Y-%m-%d");
        let text = format!("[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{STRIPE_URL}\"\n");
        let config = Arc::new(config::parse(&text, &paths.config_file).unwrap());
        let seams = Seams {
            clock: Arc::new(AgentClock(self.time.clone())),
            entropy: Arc::new(SeededEntropy::new(1)),
            transport: Some(self.direct.clone()),
            writer: Writer { inline: true, vfs: None },
        };
        crate::open_parts(paths, config, seams).unwrap()
    }

    async fn live(&mut self) -> Days {
        self.time.begin();
        let parts = Arc::new(self.parts());
        let (connection, key, secret) = ("main".to_owned(), "default".to_owned(), STRIPE_KEY.to_owned());
        perform(&parts, Request::SetKey { connection, key, secret, full_access: false }, &|_| ()).await.unwrap();
        let (nudge, stop) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let new_rows = Arc::new(Notify::new());
        let agent =
            tokio::spawn(keep(parts.clone(), "main".to_owned(), (nudge.clone(), stop.clone()), new_rows.clone()));
        let reader = Reader::open(&parts.store_path).unwrap();
        looked_at(&parts.store_path);
        let (from, to) = (BEGIN, BEGIN + self.size.hours * HOUR);
        self.until(from, &new_rows, &reader).await;
        let before = reads(&reader);
        self.ends.clear();
        let (mut changes, mut heard) = (Vec::new(), from);
        while self.time.now() < to {
            self.until((self.time.now() + DAY).min(to), &new_rows, &reader).await;
            // By now it can be seen and must have arrived; and it is not forgotten yet.
            changes.extend(self.events(heard, self.time.now() - HOUR));
            heard = self.time.now() - HOUR;
        }
        let mut after = reads(&reader);
        for (purpose, reads) in &before {
            *after.entry(purpose.clone()).or_default() -= reads;
        }
        let budget = parts.connection("main").await.unwrap().budget().await.unwrap();
        let problems = reader.table("SELECT code, detail FROM problems WHERE cleared_at IS NULL").unwrap().rows;
        assert!(problems.is_empty(), "{problems:?}");
        stop.store(true, Ordering::Relaxed);
        nudge.notify_one();
        agent.await.unwrap();
        self.delays(&reader, (from, to), changes, (before, after, budget))
    }

    /// Looks at every pass until then.
    async fn until(&mut self, until: i64, new_rows: &Notify, reader: &Reader) {
        loop {
            tokio::select! {
                biased;
                () = new_rows.notified() => self.look(reader),
                () = rest(until - self.time.now()) => return,
            }
        }
    }

    /// A pass has ended: what did it read?
    fn look(&mut self, reader: &Reader) {
        self.ends.push(self.time.now());
        for (at, (table, _)) in TABLES.iter().enumerate() {
            let sql = format!("SELECT id, read_at, read_seq FROM {table} WHERE read_seq > {}", self.last_seq[at]);
            for row in reader.table(&sql).unwrap().rows {
                let read = self.read.entry((at, row[0].str().unwrap().to_owned())).or_default();
                read.push(row[1].int().unwrap());
                self.last_seq[at] = self.last_seq[at].max(row[2].int().unwrap());
            }
        }
    }

    /// What the provider tells of changes: table, id, moment.
    fn events(&self, from: i64, to: i64) -> Vec<(usize, String, i64)> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/events?limit=100&created[gte]={}&created[lt]={}{cursor}", from / 1000, to / 1000);
            let (status, body) = self.direct.shown(FaceName::Stripe, &path, None, self.time.now());
            assert_eq!(status, 200);
            let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
            for event in page["data"].as_array().unwrap() {
                let object = &event["data"]["object"];
                let table = TABLES.iter().position(|(_, kind)| object["object"] == *kind);
                if let (Some(table), Some(id)) = (table, object["id"].as_str()) {
                    found.push((table, id.to_owned(), event["created"].as_i64().unwrap() * 1000));
                }
                cursor = format!("&starting_after={}", event["id"].as_str().unwrap());
            }
            if page["has_more"] != true {
                return found;
            }
        }
    }

    fn delays(
        &self,
        reader: &Reader,
        (from, to): (i64, i64),
        changes: Vec<(usize, String, i64)>,
        (before, reads, budget): (BTreeMap<String, i64>, BTreeMap<String, i64>, Budget),
    ) -> Days {
        let mut missed = 0;
        let mut after = |table: usize, id: String, at: i64| {
            let read = self.read.get(&(table, id)).and_then(|read| read.iter().find(|read| **read >= at));
            missed += usize::from(read.is_none());
            read.map(|read| read - at)
        };
        let mut told: Vec<i64> = changes.into_iter().filter_map(|(table, id, at)| after(table, id, at)).collect();
        let last = TABLES.len() - 1;
        let made = self.direct.truth(TruthStream::StripeBalanceTransactions, from / 1000, (to - HOUR) / 1000);
        let mut untold: Vec<i64> = made.into_iter().filter_map(|one| after(last, one.id, one.at_ms)).collect();
        // They are read once a day.
        let to = to - DAY - HOUR;
        let sql = format!(
            "SELECT id, available_at FROM stripe_balance_transactions WHERE available_at >= {from} AND available_at < {to}
             AND available_at > created_at"
        );
        let due = reader.table(&sql).unwrap().rows;
        let mut available: Vec<i64> = due
            .into_iter()
            .filter_map(|row| after(last, row[0].str().unwrap().to_owned(), row[1].int().unwrap()))
            .collect();
        let mut gaps: Vec<i64> = self.ends.windows(2).map(|ends| ends[1] - ends[0]).collect();
        [&mut told, &mut untold, &mut available, &mut gaps].into_iter().for_each(|list| list.sort_unstable());
        Days { budget, reads, before, gaps, told, untold, available, missed }
    }
}

/// Looking at what a pass has read takes as long as that is much; without these indexes, as long as everything is.
fn looked_at(store: &std::path::Path) {
    #[allow(clippy::disallowed_methods)] // from outside: no index of the agent's is for this
    let store = rusqlite::Connection::open(store).unwrap();
    for (table, _) in TABLES {
        store.execute_batch(&format!("CREATE INDEX {table}_looked_at ON {table} (read_seq, id, read_at)")).unwrap();
    }
}

fn reads(reader: &Reader) -> BTreeMap<String, i64> {
    let found = reader.table("SELECT purpose, sum(reads) FROM reads GROUP BY 1").unwrap();
    found.rows.iter().map(|row| (row[0].str().unwrap().to_owned(), row[1].int().unwrap())).collect()
}

/// Lives through days of a size.
fn days(size: Size) -> Days {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut house = House::new(size);
    runtime.block_on(house.live())
}

fn share(sorted: &[i64], part: f64) -> String {
    let at = ((sorted.len() as f64 - 1.0) * part).round() as usize;
    let ms = sorted.get(at).copied().unwrap_or_default();
    if ms >= 100 * MINUTE {
        format!("{:.1} h", ms as f64 / HOUR as f64)
    } else {
        format!("{:.1} min", ms as f64 / MINUTE as f64)
    }
}

fn told(size: (u64, i64), days: &Days) {
    let planned = |one: Option<counterfoil::sync::Allowance>| one.map_or(0, |one| one.planned);
    println!(
        "{} payments a month, {} hours; planned {} and {} a month",
        size.0,
        size.1,
        planned(days.budget.upkeep),
        planned(days.budget.backfill)
    );
    println!("reads: {:?}; before, while the past was read: {:?}", days.reads, days.before);
    println!("time between looks: median {}, longest {}", share(&days.gaps, 0.5), share(&days.gaps, 1.0));
    for (what, list) in [
        ("told by the feed", &days.told),
        ("balance transactions made", &days.untold),
        ("amounts available", &days.available),
    ] {
        let (half, most, all) = (share(list, 0.5), share(list, 0.99), share(list, 1.0));
        println!("{what}: {} changes, delay median {half}, 99 % {most}, worst {all}", list.len());
    }
}

#[test]
fn the_budget_is_kept_and_changes_arrive_within_a_look_and_the_lag() {
    let size = Size {
        payments: number("PAYMENTS").unwrap_or(100),
        history: number("HISTORY").unwrap_or(30) as i64,
        settle: number("SETTLE").unwrap_or(12) as i64,
        hours: number("HOURS").unwrap_or(60) as i64,
    };
    let named = (size.payments, size.hours);
    let days = days(size);
    told(named, &days);
    assert_eq!(days.missed, 0, "changes that never arrived");
    assert!(!days.told.is_empty() && !days.untold.is_empty());
    let upkeep = days.budget.upkeep.unwrap();
    let used: i64 = days.reads.iter().filter(|(purpose, _)| *purpose != "backfill").map(|(_, reads)| reads).sum();
    let may = upkeep.planned as i64 * (named.1 + 72) / 24 / 33;
    assert!(used <= may, "{used} reads in {} hours, {may} are planned", named.1);
    // Objects may show themselves ten minutes late, and a pass takes a while.
    let longest = days.gaps.last().copied().unwrap_or_default();
    let worst = days.told.last().copied().unwrap_or_default();
    assert!(worst <= longest + LAG + 12 * MINUTE, "worst {} min", worst / MINUTE);
}
