//! What an agent holds that has nothing to do: the real binary, after the first pass of `run` has ended.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use counterfoil::clock::{Clock, SystemClock};
use counterfoil::sandbox::STRIPE_KEY;
use counterfoil::store::Reader;

use super::agent;
use super::contest::{memory, sandbox, start_date};

/// How long the agent is left alone before it is looked at.
const REST: Duration = Duration::from_secs(3);
/// How often the first pass is looked for, a second each.
const PATIENCE: usize = 600;

/// Prints the resident memory of an agent at rest.
pub fn show(charges: u64) {
    let sandbox = sandbox(charges);
    let folder = tempfile::tempdir().expect("a folder");
    agent::configure(folder.path(), &sandbox.stripe_url(), &start_date(&sandbox));
    let mut set = command(folder.path(), &["key", "set", "main"]).stdin(Stdio::piped()).spawn().expect("the program");
    set.stdin.take().expect("its input").write_all(STRIPE_KEY.as_bytes()).expect("a key");
    assert!(set.wait().expect("an end").success(), "the key was refused");
    let mut running = command(folder.path(), &["run"]).spawn().expect("the program");
    let ended = wait(folder.path(), &mut running);
    let (all, own) = (memory(running.id(), "VmRSS:"), memory(running.id(), "RssAnon:"));
    let peak = memory(running.id(), "VmHWM:");
    if let Some(pid) = rustix::process::Pid::from_raw(running.id() as i32) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
    }
    running.wait().expect("an end");
    assert!(ended, "the first pass did not end");
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!(
        "\nidle agent after {charges} charges: {:.1} MiB resident, {:.1} of it its own (the rest is the program's file);",
        mib(all),
        mib(own)
    );
    println!("its peak before: {:.1} MiB", mib(peak));
}

fn command(folder: &Path, verb: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
    command.arg("--data-dir").arg(folder).args(verb).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Waits until a run has ended, then a while more. False when that did not happen.
fn wait(folder: &Path, running: &mut Child) -> bool {
    let clock = SystemClock::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let pause = |span| runtime.block_on(clock.sleep(span));
    for _ in 0..PATIENCE {
        pause(Duration::from_secs(1));
        let ended = || -> counterfoil::problem::Result<bool> {
            let reader = Reader::open(&folder.join("counterfoil.db"))?;
            Ok(!reader.table("SELECT run FROM runs WHERE ended_at IS NOT NULL")?.rows.is_empty())
        };
        if ended().unwrap_or(false) {
            pause(REST);
            return true;
        }
        if running.try_wait().is_ok_and(|ended| ended.is_some()) {
            return false;
        }
    }
    false
}
