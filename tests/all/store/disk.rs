//! A full disk: nothing of the page is in, the checkpoint stands, all are told why, and the work goes on once there is room.
//! The disk is a small one in memory, which only this test program, started again in a namespace of its own, can see.

use std::path::Path;
use std::process::Command;

use counterfoil::store::{Step, StoreHandle};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

const COVERAGE: &str = "SELECT state, cursor, pages, rows FROM coverage";

/// Fills what is left of the disk and returns the file that does.
fn fill(folder: &Path) -> std::path::PathBuf {
    use std::io::Write;
    let ballast = folder.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    ballast
}

fn on_the_small_disk(folder: &Path) {
    let path = folder.join("counterfoil.db");
    let mut store = open(&path);
    let main = account(&mut store, "main").account;
    let lane = Lane::new(main, "stripe_charges", Profile::Finance);
    let window = store.open_window(&lane.upsert, ("created", "list"), (0, 1), 7).unwrap();
    let handle = StoreHandle::thread(store);
    let page = |from: u32| -> Vec<_> {
        (from..from + 100).map(|n| charge(&format!("ch_{n}"), json!({ "description": "x".repeat(200) }))).collect()
    };
    let step = |cursor: &str| Step::Continue { window, cursor: cursor.into() };
    let first = lane.commit(&page(0), 1, step("ch_99"));
    wait(handle.run(move |store| store.commit_page(&first))).unwrap();

    let ballast = fill(folder);
    let second = || lane.commit(&page(100), 2, step("ch_199"));
    // Three jobs in one commit: one before the page that does not fit, one after it.
    let (go, going) = std::sync::mpsc::channel();
    let (full, all) = (second(), page(0).len());
    let before = handle.run(move |store| {
        going.recv().unwrap();
        store.set_state("job", "done")
    });
    let does_not_fit = handle.run(move |store| store.commit_page(&full));
    let after = handle.run(|store| store.set_state("job", "done again"));
    let release = async { go.send(()).unwrap() };
    let (before, does_not_fit, after, ()) = wait(async { tokio::join!(before, does_not_fit, after, release) });
    let told = [before.unwrap_err(), does_not_fit.map(|_| ()).unwrap_err(), after.unwrap_err()];
    assert_eq!(told.map(|problem| problem.code()), ["store.full"; 3]);
    assert_eq!(look(&path, COVERAGE), ["open|ch_99|1|100"], "the checkpoint stands");
    assert_eq!(look(&path, "SELECT count(*) FROM stripe_charges"), [all.to_string()]);
    assert!(look(&path, "SELECT * FROM state WHERE name = 'job'").is_empty());

    std::fs::remove_file(ballast).unwrap();
    let again = second();
    wait(handle.run(move |store| store.commit_page(&again))).unwrap();
    assert_eq!(look(&path, COVERAGE), ["open|ch_199|2|200"]);
    wait(handle.close()).unwrap();
    assert_eq!(look(&path, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(look(&path, "SELECT count(*) FROM stripe_charges"), ["200"]);

    // A disk on which not even a store can be made: nothing but an empty file is left, and it becomes one later.
    let ballast = fill(folder);
    let fresh = folder.join("fresh.db");
    assert_eq!(try_open(&fresh).err().unwrap().code(), "store.full");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(open(&fresh).uuid().unwrap().len(), 36);
}

#[test]
fn a_full_disk_leaves_the_checkpoint_where_it_was() {
    if let Some(folder) = handed() {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(&folder).status();
        assert!(mounted.unwrap().success());
        return on_the_small_disk(&folder);
    }
    let before = ["unshare", "--user", "--map-root-user", "--mount"];
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let trial: Vec<&str> =
        before.iter().copied().chain(["mount", "-t", "tmpfs", "-o", "size=2m", "none", place]).collect();
    if can(&trial, "no small disk (needs user namespaces and unshare)") {
        passes(again(&before, "disk::a_full_disk_leaves_the_checkpoint_where_it_was", folder.path()));
    }
}
