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

/// What stands of the store itself.
fn standing(path: &Path) -> Vec<String> {
    look(path, "SELECT code, detail FROM problems WHERE stream = 'store' AND cleared_at IS NULL")
}

/// The limits of the log one by one, in pages; a round writes some thirteen of them.
#[test]
fn a_log_is_brought_in_from_one_limit_on_and_emptied_from_another() {
    let (_folder, path) = folder();
    let (store, lane) = filled(&path);
    store.checkpoint(true).unwrap();
    let handle = StoreHandle::inline(store);
    let mut seq = 1;
    let mut write = |limits: (i32, i32)| {
        seq += 1;
        let commit = round(&lane, seq);
        wait(handle.run(move |store| {
            store.limit_log(limits.0, limits.1);
            store.note_trouble(1)?;
            store.commit_page(&commit)
        }))
        .unwrap();
    };
    // What is in the main file alone: the log is not looked at.
    let brought = |path: &Path| {
        let aside = path.with_extension("aside");
        std::fs::copy(path, &aside).unwrap();
        look(&aside, "SELECT max(read_seq) FROM stripe_charges")
    };
    write((1_000, 2_000));
    assert_eq!((brought(&path), log(&path) > 0), (vec!["1".to_owned()], true), "short: left alone");
    let one = log(&path);
    write((8, 1_000));
    assert_eq!(brought(&path), ["3"], "brought in");
    assert!(log(&path) > one, "and not emptied");
    let two = log(&path);
    write((8, 1_000));
    assert_eq!((brought(&path), log(&path)), (vec!["4".to_owned()], two), "begun anew in its place");
    write((8, 10));
    assert_eq!((brought(&path), log(&path)), (vec!["5".to_owned()], 0), "too long: emptied");
    assert_eq!(standing(&path), Vec::<String>::new());

    // A reader holds on: nothing can be emptied, and from the upper limit on that is told, with the size.
    let reader = stranger(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    reader.execute_batch("BEGIN; SELECT count(*) FROM stripe_charges").unwrap();
    for _ in 0..3 {
        write((8, 1_000));
    }
    assert_eq!(standing(&path), Vec::<String>::new(), "long enough to bring in, not to tell");
    while log(&path) < 2_500_000 {
        write((8, 100));
    }
    // In a transaction of its own, as the agent's pulse does; a frame of the log is a page and 24 bytes.
    wait(handle.run(|store| store.note_trouble(2))).unwrap();
    let pages = (log(&path) - 32) / (4096 + 24);
    let told = |pages: u64| vec![format!("store.log|{} MB", pages * 4096 / 1_000_000)];
    assert!(standing(&path) == told(pages) || standing(&path) == told(pages - 1), "{:?}, {pages}", standing(&path));
    reader.execute_batch("COMMIT").unwrap();
    write((8, 100));
    wait(handle.run(|store| store.note_trouble(3))).unwrap();
    assert_eq!(standing(&path), Vec::<String>::new(), "let go, emptied, and told no more");
    assert!(log(&path) < 200_000, "{}", log(&path));
    wait(handle.close()).unwrap();
}
