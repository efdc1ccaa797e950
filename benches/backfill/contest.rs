//! The contest: who runs in which order, what is measured, what is printed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock, SystemClock};
use counterfoil::sandbox::{Options, STRIPE_KEY, Sandbox};
use counterfoil::stream::Conversion;
use serde_json::{Value, json};

use super::loops::Reading;
use super::table::{self, TABLE};
use super::{agent, idle, loops};

/// Pages that a bare loop commits together: what the agent's writer was seen to commit together on average.
pub const COMMIT_PAGES: u64 = 2;

/// Days over which the charges lie.
const DAYS: u32 = 90;

/// What a contender is told.
pub struct Order {
    /// The provider's address.
    pub url: String,
    /// The provider's key.
    pub key: String,
    /// An empty folder.
    pub folder: PathBuf,
    /// Charges before this second are to be read.
    pub before_s: i64,
}

/// What a contender did.
#[derive(Default)]
pub struct Done {
    /// Charges read.
    pub rows: u64,
    /// Requests that brought them.
    pub requests: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contender {
    Agent,
    Loop(Reading),
}

const ALL: [(Contender, &str); 4] = [
    (Contender::Agent, "agent"),
    (Contender::Loop(Reading::Typed), "typed"),
    (Contender::Loop(Reading::Hashing), "typed-hashing"),
    (Contender::Loop(Reading::Value), "value"),
];

/// One run of one contender.
struct Run {
    rows: u64,
    requests: u64,
    cpu_s: f64,
    wall_s: f64,
    peak_mib: f64,
}

/// A provider's clock that stands still, so that all contenders find the same charges.
struct Still(i64);

impl Clock for Still {
    fn wall_ms(&self) -> i64 {
        self.0
    }

    fn mono(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

pub fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, url, folder, before] = &arguments[..]
        && flag == "--contender"
    {
        let before_s = before.parse().expect("seconds");
        let order = Order { url: url.clone(), key: STRIPE_KEY.to_owned(), folder: folder.into(), before_s };
        return contend(name, &order);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).map(|text| text.parse::<u64>().expect("a number after the flag"))
    };
    let sizes: &[u64] = match (has("--quick"), has("--million")) {
        (true, _) => &[5_000, 20_000],
        (_, true) => &[50_000, 200_000, 1_000_000],
        _ => &[50_000, 200_000],
    };
    let rounds = after("--rounds").unwrap_or(if has("--quick") { 3 } else { 5 });
    let sizes = after("--charges").map_or(sizes.to_vec(), |charges| vec![charges]);
    for charges in &sizes {
        // The largest only shows that memory does not grow.
        contest(*charges, if *charges > 500_000 { 1 } else { rounds });
    }
    idle::show(sizes[0]);
}

/// In a process of its own: does the work, then tells what it took.
fn contend(name: &str, order: &Order) {
    let clock = SystemClock::new();
    let (contender, _) = ALL.iter().find(|(_, known)| *known == name).expect("a contender");
    let done = match contender {
        Contender::Agent => agent::run(order),
        Contender::Loop(reading) => loops::run(*reading, order),
    };
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let cpu_s = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    // Not getrusage's: that keeps the parent's peak across the start of a child.
    let peak_kib = memory(std::process::id(), "VmHWM:");
    let told = json!({
        "rows": done.rows, "requests": done.requests, "cpu_s": cpu_s, "wall_s": clock.mono().as_secs_f64(),
        "peak_kib": peak_kib,
    });
    println!("{told}");
}

/// A line of `/proc/<id>/status`, in KiB.
pub fn memory(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A provider with this many charges whose time stands ten minutes after the last of them.
pub fn sandbox(charges: u64) -> Sandbox {
    let midnight_ms = SystemClock::new().wall_ms().div_euclid(86_400_000) * 86_400_000;
    let mut options = Options::new(Arc::new(Still(midnight_ms + 600_000)));
    // Coding of bodies costs all contenders the same and would blur what is compared.
    (options.charges, options.payments, options.days, options.gzip) = (charges, 1, DAYS, false);
    Sandbox::start(options).expect("a sandbox")
}

pub fn start_date(sandbox: &Sandbox) -> String {
    let start = jiff::Timestamp::from_millisecond(sandbox.now_ms() - i64::from(DAYS + 2) * 86_400_000);
    start.expect("a date").strftime("%Y-%m-%d").to_string()
}

fn contest(charges: u64, rounds: u64) {
    let sandbox = sandbox(charges);
    let folders = tempfile::tempdir().expect("a folder");
    let mut runs: Vec<Vec<Run>> = ALL.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds as usize {
        for place in 0..ALL.len() {
            // Each round begins with another one: what an hour of the machine costs is shared out.
            let who = (place + round) % ALL.len();
            let folder = folders.path().join(ALL[who].1);
            std::fs::create_dir(&folder).expect("a folder");
            runs[who].push(one(ALL[who].1, &sandbox, &folder));
        }
        if round == 0 {
            compare(folders.path());
        }
        for (_, name) in ALL {
            std::fs::remove_dir_all(folders.path().join(name)).expect("the folder");
        }
    }
    report(charges, rounds, &runs);
}

fn one(name: &str, sandbox: &Sandbox, folder: &Path) -> Run {
    agent::configure(folder, &sandbox.stripe_url(), &start_date(sandbox));
    let before_s = sandbox.now_ms() / 1000 - table::stream().lag_s;
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--contender", name, &sandbox.stripe_url()])
        .arg(folder)
        .arg(before_s.to_string())
        .stderr(Stdio::inherit())
        .output()
        .expect("a contender");
    assert!(output.status.success(), "{name} failed");
    let told: Value = serde_json::from_slice(&output.stdout).expect("what it took");
    let number = |key: &str| told[key].as_f64().expect("a number");
    Run {
        rows: number("rows") as u64,
        requests: number("requests") as u64,
        cpu_s: number("cpu_s"),
        wall_s: number("wall_s"),
        peak_mib: number("peak_kib") / 1024.0,
    }
}

/// All of them must have stored the same: every column of every row, but for the hashes, whose keys differ.
fn compare(folders: &Path) {
    let declaration = table::stream().declaration().expect("a declaration");
    let columns = table::columns(&declaration);
    let clear = columns.iter().filter(|column| column.conversion != Conversion::Keyed);
    let clear: Vec<&str> = clear.map(|column| &*column.name).collect();
    let list = clear.join(", ");
    let database = |(contender, name): &(Contender, &str)| {
        folders.join(name).join(if *contender == Contender::Agent { "counterfoil.db" } else { "bare.db" })
    };
    let fingerprint = |one: &(Contender, &str)| {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        #[allow(clippy::disallowed_methods)] // a bare loop's file is no store
        let store = rusqlite::Connection::open_with_flags(database(one), flags).expect("a store");
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let sql = format!("SELECT {list} FROM {TABLE} ORDER BY id");
        let mut statement = store.prepare(&sql).expect("a query");
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            (0..clear.len()).for_each(|at| digest.update(format!("{:?},", row.get_ref(at)).as_bytes()));
        }
        digest.finish().as_ref().to_vec()
    };
    let first = fingerprint(&ALL[0]);
    for other in &ALL[1..] {
        assert!(fingerprint(other) == first, "{} stored something else than {}", other.1, ALL[0].1);
    }
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn report(charges: u64, rounds: u64, runs: &[Vec<Run>]) {
    println!("\n{charges} charges over {DAYS} days, {rounds} round(s), medians");
    println!(
        "{:<14} {:>10} {:>20} {:>8} {:>8} {:>9} {:>9}",
        "", "objects/", "lowest .. highest", "CPU s", "wall s", "peak MiB", "requests"
    );
    let rate = |run: &Run| run.rows as f64 / run.cpu_s;
    for ((_, name), runs) in ALL.iter().zip(runs) {
        let (low, high) = runs.iter().map(rate).fold((f64::MAX, 0f64), |(low, high), r| (low.min(r), high.max(r)));
        println!(
            "{name:<14} {:>10.0} {:>20} {:>8.2} {:>8.2} {:>9.1} {:>9}",
            median(runs, rate),
            format!("{low:.0} .. {high:.0}"),
            median(runs, |run| run.cpu_s),
            median(runs, |run| run.wall_s),
            median(runs, |run| run.peak_mib),
            runs[0].requests,
        );
    }
    for (other, (_, name)) in ALL.iter().enumerate().skip(1) {
        // Round by round, so that a slow minute weighs on both sides of a ratio.
        let mut ratios: Vec<f64> = runs[0].iter().zip(&runs[other]).map(|(a, b)| rate(a) / rate(b)).collect();
        ratios.sort_by(f64::total_cmp);
        println!("agent / {name}: {:.2}", ratios[ratios.len() / 2]);
    }
}
