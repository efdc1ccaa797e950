//! The agent as a process: what it does with edits of its configuration, signals, and its own end.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::clock::SystemClock;
use counterfoil::sandbox::{CHECKOUT_KEY, Fault, FaultKind, Options, STRIPE_KEY, Sandbox};
use serde_json::Value;

/// A sandbox, a data directory, and an agent on it.
struct House {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    agent: Option<Child>,
    clock: SystemClock,
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().ok();
            agent.wait().ok();
        }
    }
}

impl House {
    fn new() -> Self {
        let clock = crate::noon();
        let mut options = Options::new(Arc::new(clock.clone()));
        (options.charges, options.payments, options.days) = (200, 60, 10);
        let sandbox = Sandbox::start(options).unwrap();
        Self { sandbox, folder: tempfile::tempdir().unwrap(), agent: None, clock }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn stripe(&self, streams: &str) -> String {
        let url = self.sandbox.stripe_url();
        format!("[connections.main]\nprovider = \"stripe\"\nstart = 2026-01-01\nbase_url = \"{url}\"\n{streams}\n")
    }

    fn checkout(&self) -> String {
        let url = self.sandbox.checkout_url();
        format!(
            "[connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = 2026-01-01\nbase_url = \"{url}\"\n"
        )
    }

    /// Replaces the file as editors do: aside, then renamed over.
    fn edit(&self, text: &str) {
        let aside = self.path().join("counterfoil.toml~new");
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, self.path().join("counterfoil.toml")).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command.arg("--data-dir").arg(self.path()).args(arguments).env_remove("JOURNAL_STREAM");
        command.env("COUNTERFOIL_CLOCK_AHEAD_MS", self.clock.ahead_ms().to_string());
        command
    }

    /// The facts of a verb.
    fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.command(&[&["--json"], arguments].concat()).stdin(Stdio::null()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn set_key(&self, connection: &str, key: &str) {
        let mut child =
            self.command(&["key", "set", connection]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), key.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn start(&mut self) {
        let agent = self.command(&["run"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.agent = Some(agent.unwrap());
        self.until("the agent answers", || self.ask(&["status"])["data"]["agent_running"] == true);
    }

    /// Looks again and again, at most a minute and a half (a busy machine is slow, and what failed is tried again after half a minute), until `holds`.
    #[allow(clippy::disallowed_methods)] // a real process has no clock of ours to wait on
    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(90), "{what}: {:#}", self.ask(&["status"]));
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn outcome(&self) -> String {
        self.ask(&["status"])["data"]["configuration"]["outcome"].as_str().unwrap_or_default().to_owned()
    }

    fn rows(&self, connection: &str) -> i64 {
        let status = self.ask(&["status"]);
        let streams = status["data"]["streams"].as_array().cloned().unwrap_or_default();
        streams.iter().filter(|one| one["connection"] == connection).filter_map(|one| one["rows"].as_i64()).sum()
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.agent.as_ref().unwrap().id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn edits_apply_while_it_runs_and_a_bad_one_changes_nothing() {
    let mut house = House::new();
    house.edit(&house.stripe(""));
    house.set_key("main", STRIPE_KEY);
    house.start();
    house.until("Stripe is read", || house.rows("main") > 100);

    // A connection joins.
    house.edit(&(house.stripe("") + &house.checkout()));
    house.until("the edit is in force", || {
        house.ask(&["connection", "list"])["data"]["connections"][0]["connection"] == "eu"
    });
    house.until("and applied", || house.ask(&["status"])["data"]["configuration"]["generation"] == 2);
    house.set_key("eu", CHECKOUT_KEY);
    house.until("Checkout.com is read", || house.rows("eu") > 20);

    // A bad edit changes nothing, and is told.
    house.edit(&(house.stripe("") + &house.checkout() + "[conections.x]\n"));
    house.until("the refusal is told", || house.outcome() == "refused");
    let status = house.ask(&["status"]);
    assert_eq!(status["data"]["configuration_problem"]["code"], "config.invalid");
    assert!(house.rows("eu") > 20, "the last good one is what status reads by");

    // Wider and narrower privacy settings apply while it runs, and it goes on reading.
    let with = |local: &str| house.stripe("") + &house.checkout() + &format!("[privacy]\nlocal = \"{local}\"\n");
    let referring = || {
        let sql = "SELECT count(*) AS rows, count(payment_method) AS referring FROM stripe_charges";
        let row = house.ask(&["query", sql])["data"]["rows"][0].clone();
        (row["rows"].as_i64(), row["referring"].as_i64())
    };
    house.until("references are stored", || referring().1 > Some(50));
    house.edit(&with("strict"));
    house.until("they are taken out", || referring().1 == Some(0));
    house.until("and that is applied", || house.outcome() == "applied");
    assert!(referring().0 > Some(50), "the rows stay");
    house.edit(&with("standard"));
    house.until("they are read again", || referring().1 > Some(50));
    assert_eq!(house.ask(&["status"])["data"]["agent_running"], true);

    // Two streams are refused.
    let refused = ["/v1/payouts", "/disputes"].map(|path| Fault::always(path, FaultKind::status(403)));
    house.sandbox.set_faults(refused.to_vec());
    house.ask(&["sync"]);
    let standing = || house.ask(&["status"])["data"]["problems"].as_array().map_or(0, Vec::len);
    assert_eq!(standing(), 2);

    // Mended, and a connection leaves: it is asked no more. What stood for it, and for a stream that is left out, is gone.
    house.edit(&house.stripe("streams = [\"charges\"]"));
    house.until("it heals", || house.outcome() == "applied" && standing() == 0);
    let eu_asked = || house.sandbox.requests().iter().filter(|one| one.path.starts_with("/payments/")).count();
    let before = eu_asked();
    assert_eq!(house.ask(&["sync"])["data"]["connections"].as_array().unwrap().len(), 1);
    assert_eq!(eu_asked(), before);
    let problems = house.ask(&["status"])["data"]["problems"].as_array().unwrap().len();
    assert_eq!(problems, 0, "nothing stands");

    house.signal(rustix::process::Signal::HUP);
    house.signal(rustix::process::Signal::TERM);
    let status = house.agent.take().unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!house.path().join("control.sock").exists());
    assert_eq!(house.ask(&["status"])["data"]["agent_running"], false);
}

#[test]
#[cfg(target_os = "linux")]
fn a_second_agent_is_refused_and_no_core_is_ever_dumped() {
    let mut house = House::new();
    house.edit(&house.stripe(""));
    house.start();
    let second = house.command(&["run"]).output().unwrap();
    assert_eq!(second.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&second.stderr).contains("store.locked"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", house.agent.as_ref().unwrap().id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
}

#[test]
fn a_broken_configuration_ends_the_start_with_its_own_status() {
    let house = House::new();
    house.edit("[connections.main]\nprovider = 7\n");
    let output = house.command(&["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

/// What a person does when the disk is full, on a small disk that only this shell can see.
const SMALL_DISK: &str = r#"
set -eu
mount -t tmpfs -o size=3m none "$HOUSE"
cp "$CONFIG" "$HOUSE/counterfoil.toml"
printf %s "$KEY" | "$PROGRAM" --data-dir "$HOUSE" key set main > "$HOUSE/said"
free=$(df --output=avail -B1 "$HOUSE" | tail -1)
head -c "$((free - 500000))" /dev/zero > "$HOUSE/ballast"
status=0; "$PROGRAM" --data-dir "$HOUSE" sync > /dev/null 2> "$OUT/full" || status=$?
echo "$status" > "$OUT/full.status"
rm "$HOUSE/ballast"
"$PROGRAM" --data-dir "$HOUSE" sync > /dev/null
"$PROGRAM" --data-dir "$HOUSE" query --format csv "SELECT count(*) FROM stripe_charges" > "$OUT/rows"
cp "$HOUSE"/counterfoil.db* "$OUT"
"#;

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_a_sync_with_its_own_status_and_loses_nothing() {
    let house = House::new();
    house.edit(&house.stripe(""));
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("house");
    std::fs::create_dir(&place).unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK])
        .env("HOUSE", &place)
        .env("OUT", out.path())
        .env("CONFIG", house.path().join("counterfoil.toml"))
        .env("PROGRAM", env!("CARGO_BIN_EXE_counterfoil"))
        .env("KEY", STRIPE_KEY)
        .output();
    let Some(output) = output.ok().filter(|output| !String::from_utf8_lossy(&output.stderr).contains("unshare:"))
    else {
        return crate::skip::skipped("no small disk (needs user namespaces and unshare)");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    assert!(read("full").contains("[store.full]"), "{}", read("full"));
    assert!(matches!(read("full.status").trim(), "1" | "4" | "5"), "{}", read("full.status"));
    let copy = counterfoil::store::Reader::open(&out.path().join("counterfoil.db")).unwrap();
    let sound = copy.table("PRAGMA integrity_check").unwrap();
    assert_eq!(sound.rows[0][0].str(), Some("ok"));
    let rows: usize = read("rows").lines().nth(1).unwrap().parse().unwrap();
    let now = house.sandbox.now_ms();
    let truth = house.sandbox.truth(counterfoil::sandbox::TruthStream::StripeCharges, 0, now / 1000 - 300);
    assert!(rows >= truth.iter().filter(|one| one.visible_ms < now - 300_000).count() && rows > 100, "{rows}");
}
