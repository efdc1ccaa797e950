//! The log: what passes, what is masked, and that its level changes while it runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use counterfoil::agent::logs::{Logs, Options};
use counterfoil::clock::SystemClock;
use counterfoil::config::Level;
use counterfoil::problem::AGENT_LOGS;
use tracing::subscriber::DefaultGuard;

/// A log into `folder` for this thread.
pub(super) fn log(folder: &Path, level: Level) -> (Logs, DefaultGuard) {
    let clock = Arc::new(SystemClock::new());
    let options = Options { level, folder: Some(folder.into()), journal: false, bytes_per_day: 1_000_000, clock };
    let (logs, subscriber) = Logs::build(options).unwrap();
    (logs, tracing::subscriber::set_default(subscriber))
}

/// Everything in the folder, without the times.
pub(super) fn read(folder: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    text.lines().map(|line| line.split_once("Z ").unwrap().1.to_owned() + "\n").collect()
}

/// One place in the code that logs at each level, run as often as it is called.
fn say_all() {
    tracing::error!(target: "counterfoil::room", "e");
    tracing::warn!(target: "counterfoil::room", "w");
    tracing::info!(target: "counterfoil::room", "i");
    tracing::debug!(target: "counterfoil::room", "d");
    tracing::trace!(target: "counterfoil::room", "t");
}

#[test]
fn the_level_changes_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, here) = log(folder.path(), Level::Warn);
    say_all();
    logs.set_level(Level::Trace);
    say_all();
    logs.set_level(Level::Error);
    say_all();
    drop(here);
    assert_eq!(logs.lost(), 0);
    drop(logs);
    let levels: String = read(folder.path()).lines().map(|line| line.chars().next_back().unwrap()).collect();
    assert_eq!(levels, "ew".to_owned() + "ewidt" + "e");
}

#[test]
fn only_our_own_words_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, here) = log(folder.path(), Level::Trace);
    tracing::error!(target: "hyper::client", host = "customer.example", "from a library");
    tracing::error!(target: "counterfoils", "somebody with a similar name");
    tracing::info!(target: "counterfoil", rows = 3, "of ours");
    tracing::info!(target: "counterfoil::sync::walk", window = "a..b", "of a room");
    drop((here, logs));
    assert_eq!(read(folder.path()), "INFO  counterfoil: of ours rows=3\nINFO  sync::walk: of a room window=\"a..b\"\n");
}

#[test]
fn what_looks_like_a_key_is_masked_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, here) = log(folder.path(), Level::Info);
    let key = "rk_live_canarycanary";
    tracing::warn!(target: "counterfoil::a", key, also = ?Some(key), "words {key} and 4242424242424242\nnext");
    drop((here, logs));
    let expected = "WARN  a: words [masked] and [masked] next key=\"[masked]\" also=Some(\"[masked]\")\n";
    assert_eq!(read(folder.path()), expected);
}

#[test]
fn a_noisy_day_does_not_fill_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let made = folder.path().join("made").join("here");
    let options =
        Options { level: Level::Info, folder: Some(made.clone()), journal: false, bytes_per_day: 5_000, clock };
    let (logs, subscriber) = Logs::build(options).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..1_000 {
            tracing::info!(target: "counterfoil::noise", number, "again and again");
        }
    });
    // Dropping waits until everything is written.
    let lost_at_least = 1_000 - 5_000 / 50;
    drop(logs);
    let files: Vec<_> = fs::read_dir(&made).unwrap().map(|file| file.unwrap()).collect();
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!((4_900..=5_000 * files.len() as u64).contains(&bytes), "{bytes}");
    assert!(read(&made).lines().count() <= 1_000 - lost_at_least);
}

#[test]
fn a_folder_that_cannot_be_is_a_problem_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let options = Options::here(Level::Info, folder.path().join("file"), Arc::new(SystemClock::new()));
    let options = Options { folder: Some(folder.path().join("file")), ..options };
    assert!(Logs::build(options).err().unwrap().is(&AGENT_LOGS));
}

#[test]
fn the_journal_is_told_priorities_and_knows_the_time_itself() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let folder_of_log = Some(folder.path().to_owned());
    let options =
        Options { level: Level::Trace, folder: folder_of_log, journal: true, bytes_per_day: 1_000_000, clock };
    let (logs, subscriber) = Logs::build(options).unwrap();
    tracing::subscriber::with_default(subscriber, say_all);
    drop(logs);
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let lines = "<3>room: e\n<4>room: w\n<6>room: i\n<7>room: d\n<7>room: t\n";
    assert_eq!(fs::read_to_string(file).unwrap(), lines);
}
