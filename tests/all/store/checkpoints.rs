//! The log: it grows while a reader holds a snapshot, and shrinks when the reader lets go.

use std::path::Path;

use counterfoil::store::{Step, Store, StoreHandle};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

fn log(path: &Path) -> u64 {
    std::fs::metadata(format!("{}-wal", path.display())).unwrap().len()
}

/// A page of 100 charges, each round with another description, so that every row is written anew.
fn round(lane: &Lane, seq: i64) -> counterfoil::store::Commit {
    let text = format!("{seq} {}", "x".repeat(300));
    let charges: Vec<_> = (0..100).map(|n| charge(&format!("ch_{n}"), json!({ "description": text }))).collect();
    lane.commit(&charges, seq, Step::Nothing)
}

fn filled(path: &Path) -> (Store, Lane) {
    let mut store = open(path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Finance);
    store.commit_page(&round(&lane, 1)).unwrap();
    (store, lane)
}

#[test]
fn a_reader_in_the_way_makes_the_log_grow_and_harms_nobody() {
    let (_folder, path) = folder();
    let (mut store, lane) = filled(&path);
    store.checkpoint(true).unwrap();
    assert_eq!(log(&path), 0, "an empty log when nobody is in the way");

    let reader = stranger(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    reader.execute_batch("BEGIN").unwrap();
    let sum = "SELECT count(*), min(substr(description, 1, 2)), max(read_seq) FROM stripe_charges";
    assert_eq!(rows(&reader, sum), ["100|1 |1"]);
    let mut before = 0;
    for seq in 2..6 {
        store.commit_page(&round(&lane, seq)).unwrap();
        for whole in [false, true] {
            store.checkpoint(whole).unwrap(); // busy is no error
        }
        assert!(log(&path) > before, "round {seq}: {}", log(&path));
        before = log(&path);
        assert_eq!(rows(&reader, sum), ["100|1 |1"], "the snapshot stands");
    }
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(rows(&reader, sum), ["100|5 |5"]);
    store.checkpoint(true).unwrap();
    assert_eq!(log(&path), 0, "shrunk");
    assert_eq!(rows(&reader, sum), ["100|5 |5"]);
}

#[test]
fn the_writer_brings_a_long_log_in_by_itself_and_uses_it_again() {
    let (_folder, path) = folder();
    let (store, lane) = filled(&path);
    let handle = StoreHandle::thread(store);
    let mut most = 0;
    let mut seq = 1;
    let mut write = |rounds: i64| {
        let from = most;
        for _ in 0..rounds {
            seq += 1;
            let commit = round(&lane, seq);
            wait(handle.run(move |store| store.commit_page(&commit))).unwrap();
            most = most.max(log(&path));
        }
        (from, most)
    };
    // A thousand pages of 4 KiB is when it begins to.
    let (_, grown) = write(60);
    assert!(grown > 1_000 * 4096, "the case is none: the log never grew to a thousand pages, but to {grown} bytes");
    let (before, after) = write(60);
    assert!(after < before + before / 4, "the log went on growing: {before}, then {after}");
    let main = std::fs::metadata(&path).unwrap().len();
    assert!(main > 100 * 300, "nothing was brought into the main file: {main}");
    wait(handle.close()).unwrap();
    assert_eq!(log(&path), 0, "an orderly stop leaves an empty log");
}

#[test]
fn a_checkpoint_that_fails_says_so() {
    let (_folder, path) = folder();
    let (mut store, lane) = filled(&path);
    store.checkpoint(true).unwrap();
    store.commit_page(&round(&lane, 2)).unwrap();
    // Another connection's checkpoint is running: as near to a failing one as can be had without a file layer of our own.
    let other = writer(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.checkpoint(true).unwrap();
    assert!(log(&path) > 0, "held up by the other writer: not emptied, and no error");
    other.execute_batch("ROLLBACK").unwrap();
    store.commit_page(&round(&lane, 3)).unwrap();
    // The log is broken under the writer's feet: what cannot be read is told, with what was being done.
    let log = format!("{}-wal", path.display());
    std::fs::OpenOptions::new().write(true).open(log).unwrap().set_len(100).unwrap();
    let refused = store.checkpoint(true).unwrap_err();
    assert_eq!(refused.code(), "store.io");
    assert!(refused.detail().starts_with("checkpointing (SQLite code "), "{}", refused.detail());
}
