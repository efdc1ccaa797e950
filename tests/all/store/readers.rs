//! Readers: beside the writer, after it stopped in order, and after it was killed; as the same user and as another one who may
//! only read. The writer is this test program again, under the umask that the service runs with.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::SystemClock;
use counterfoil::egress::Outbox;
use counterfoil::entropy::SeededEntropy;
use counterfoil::store::{Reader, Step, StoreHandle, Text};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

/// The group of readers in these tests; no such group need exist.
const READERS: u32 = 4_242;

/// Counts charges as the program's own `query` does.
fn count(path: &Path) -> i64 {
    let mut reader = Reader::open(path).unwrap();
    let sql = "SELECT count(*) FROM payment_attempts";
    let table = reader.query(sql, 10, Duration::from_secs(60), Arc::new(SystemClock::new())).unwrap();
    table.rows[0][0].int().unwrap()
}

/// The writer's side, in a process of its own: for each line on standard input one charge more; told when it is in.
#[test]
fn the_writer_of_these_tests() {
    let Some(folder) = handed() else { return };
    let mut store = open(&folder.join("counterfoil.db"));
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Standard);
    let handle = StoreHandle::thread(store);
    println!("ready");
    for (seq, line) in std::io::stdin().lines().enumerate() {
        let commit = lane.commit(&[charge(&line.unwrap(), json!({}))], seq as i64 + 1, Step::Nothing);
        wait(handle.run(move |store| store.commit_page(&commit))).unwrap();
        println!("ready");
    }
    wait(handle.close()).unwrap();
}

struct Agent(Child, BufReader<std::process::ChildStdout>);

impl Agent {
    /// Starts the writer under umask 027, as the service does.
    fn start(folder: &Path) -> Self {
        let before = ["sh", "-c", "umask 027; exec \"$0\" \"$@\""];
        let mut command = again(&before, "readers::the_writer_of_these_tests", folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut agent = Self(child, out);
        agent.ready();
        agent
    }

    fn ready(&mut self) {
        let mut line = String::new();
        while !line.ends_with("ready\n") {
            line.clear();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "the writer ended early");
        }
    }

    fn store(&mut self, id: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{id}").unwrap();
        self.ready();
    }

    /// Lets it close in order.
    fn stop(mut self) {
        drop(self.0.stdin.take());
        std::io::copy(&mut self.1, &mut std::io::sink()).unwrap();
        assert!(self.0.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Whatever the test came to, nothing of it goes on running; it may have ended already.
        drop((self.0.kill(), self.0.wait()));
    }
}

/// Goes through the life of a store and looks at each moment how many charges `seen` finds.
fn at_every_moment(folder: &Path, seen: &dyn Fn(&str) -> i64) {
    let mut agent = Agent::start(folder);
    agent.store("ch_1");
    assert_eq!(seen("beside the writer"), 1);
    agent.store("ch_2");
    assert_eq!(seen("beside the writer"), 2);
    agent.stop();
    assert_eq!(seen("after an orderly stop"), 2);
    let mut agent = Agent::start(folder);
    assert_eq!(seen("started again"), 2);
    agent.store("ch_3");
    agent.kill();
    assert_eq!(seen("after a kill"), 3);
    let mut agent = Agent::start(folder);
    agent.store("ch_4");
    assert_eq!(seen("recovered"), 4);
    agent.stop();
    assert_eq!(seen("after all"), 4);
}

#[test]
fn the_same_user_reads_at_every_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counterfoil.db");
    assert_eq!(Reader::open(&path).err().unwrap().code(), "store.missing");
    at_every_moment(folder.path(), &|_| count(&path));
}

/// What the other user does: read, and find that nothing else is possible.
#[test]
fn what_the_reader_of_these_tests_does() {
    let Some(folder) = handed() else { return };
    let path = folder.join("counterfoil.db");
    println!("counted {}", count(&path));
    let mut reader = Reader::open(&path).unwrap();
    let clock = Arc::new(SystemClock::new());
    let write = reader.query("DELETE FROM stripe_charges", 1, Duration::from_secs(9), clock).unwrap_err();
    assert_eq!(write.code(), "query.writes");
    for table in ["accounts", "coverage", "problems", "payments"] {
        reader.table(&format!("SELECT * FROM {table}")).unwrap();
    }
    // Not with a tool of their own either, however they open the file.
    let other = stranger(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE);
    assert!(other.execute_batch("DELETE FROM stripe_charges").is_err());
    assert!(
        std::fs::write(folder.join("more"), "").is_err()
            && std::fs::OpenOptions::new().write(true).open(&path).is_err()
    );
    assert!(std::fs::remove_file(folder.join("counterfoil.db-wal")).is_err());
    assert_eq!(try_open(&path).err().unwrap().code(), "store.read_only");
    assert_eq!(reader.table("SELECT count(*) FROM stripe_charges").unwrap().rows, [[Text::Int(count(&path))]]);
}

/// A data directory as the service makes it: its owner's, for the group of readers to look at. It lies in the folder that
/// goes with the first of the two.
fn shared() -> (tempfile::TempDir, PathBuf) {
    let top = tempfile::tempdir().unwrap();
    std::fs::set_permissions(top.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = top.path().join("data");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, None, Some(READERS)).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o2750)).unwrap();
    (top, folder)
}

#[test]
fn another_user_with_the_group_reads_at_every_moment_and_writes_at_none() {
    let Some(before) = other_user(READERS) else { return };
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let (_top, folder) = shared();
    let old = super::old::program();
    at_every_moment(&folder, &|when| {
        for (name, _) in files(&folder) {
            let file = std::fs::metadata(folder.join(&name)).unwrap();
            assert_eq!((file.mode() & 0o777, file.gid()), (0o640, READERS), "{name} {when}");
        }
        let output = again(&before, "readers::what_the_reader_of_these_tests_does", &folder).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{when}: {told}\n{}", String::from_utf8_lossy(&output.stderr));
        if let Some(old) = &old {
            let mut command = Command::new(before[0]);
            command.args(&before[1..]).arg(old).arg(folder.join("counterfoil.db")).arg("SELECT count(*) FROM payments");
            let output = command.output().unwrap();
            let other = String::from_utf8_lossy(&output.stdout).into_owned();
            let counted = told.lines().find_map(|line| line.split("counted ").nth(1)).unwrap();
            assert_eq!(other, format!("3.31.1\n{counted}\n"), "{when}: {}", String::from_utf8_lossy(&output.stderr));
        }
        told.lines().find_map(|line| line.split("counted ").nth(1)).unwrap().parse().unwrap()
    });
    // Somebody outside the group sees nothing at all.
    let Some(stranger) = other_user(READERS + 1) else { return };
    let mut command = Command::new(&stranger[0]);
    assert!(!command.args(&stranger[1..]).arg("ls").arg(&folder).output().unwrap().status.success());
}

/// What has left is the agent's own; the rest of `status` is for every reader of the store.
#[test]
fn another_user_with_the_group_sees_the_status_without_the_outbox() {
    let Some(before) = other_user(READERS) else { return };
    let (_top, folder) = shared();
    let text = "[connections.main]\nprovider = \"stripe\"\nstart = 2024-01-01\n";
    std::fs::write(folder.join("counterfoil.toml"), text).unwrap();
    let mut agent = Agent::start(&folder);
    agent.store("ch_1");
    let uuid = Reader::open(&folder.join("counterfoil.db")).unwrap();
    let uuid = uuid.table("SELECT value FROM state WHERE name = 'uuid'").unwrap().rows[0][0].str().unwrap().to_owned();
    drop(Outbox::open(&folder.join("egress.db"), &uuid, None, &SeededEntropy::new(3)).unwrap());
    let run = |before: &[String], arguments: &[&str]| {
        let mut all = before.to_vec();
        all.push(env!("CARGO_BIN_EXE_counterfoil").to_owned());
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]).args(arguments).arg("--json").arg("--data-dir").arg(&folder);
        let output = command.output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let (code, status) = run(&before, &["status"]);
    assert_eq!(code, Some(0), "{status}");
    assert_eq!((&status["data"]["outbox"], &status["data"]["outbox_private"]), (&json!(null), &json!(true)));
    assert_eq!(status["data"]["streams"][1]["rows"], json!(1), "{status}");
    let (code, log) = run(&before, &["egress", "log"]);
    assert_eq!((code, &log["problem"]["code"]), (Some(4), &json!("egress.private")));
    // Who may is shown it.
    let (code, status) = run(&[], &["status"]);
    let outbox = json!({ "waiting": 0, "held": 0 });
    assert_eq!((code, &status["data"]["outbox"], &status["data"]["outbox_private"]), (Some(0), &outbox, &json!(false)));
    agent.stop();
}

/// Whoever closes a database last takes its log away. A tool of the owner, beside the writer, must not believe that it is
/// alone: as it would if reading within the writer's process had dropped the writer's lock on the main file.
#[cfg(target_os = "linux")]
#[test]
fn reading_in_the_writers_process_leaves_the_writers_lock() {
    let (_folder, path) = folder();
    let locked = || locked(&path);
    let mut store = open(&path);
    account(&mut store, "main");
    assert!(locked());
    let first = Reader::open(&path).unwrap();
    assert!(locked(), "beside a reader");
    assert_eq!(count(&path), 0); // by another one, which ends here
    assert!(locked(), "after a reader");
    drop(first);
    assert!(locked(), "after both");
    drop(store);
    assert!(!locked(), "the case is none: somebody else holds the file");
}
