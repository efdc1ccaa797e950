//! A full disk: nothing of the page is in, the checkpoint stands, all are told why, and the work goes on once there is room.
//! The disk is a small one in memory, which only this test program, started again in a namespace of its own, can see.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use counterfoil::store::{Step, StoreHandle, WindowKey};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

const COVERAGE: &str = "SELECT state, cursor, pages, rows FROM coverage";

/// Fills what is left of the disk with a file.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// Commits a page, then one for which there is no room after `fill`, then the same one after `free`.
fn a_page_that_does_not_fit(path: &Path, fill: &dyn Fn(&StoreHandle), free: &dyn Fn(&StoreHandle)) {
    let mut store = open(path);
    let main = account(&mut store, "main").account;
    let lane = Lane::new(main, "stripe_charges", Profile::Finance);
    let window = WindowKey::Kept(store.open_window(&lane.upsert, new_window((0, 1), 7)).unwrap());
    let handle = StoreHandle::thread(store);
    let page = |from: u32| -> Vec<_> {
        (from..from + 100).map(|n| charge(&format!("ch_{n}"), json!({ "description": "x".repeat(200) }))).collect()
    };
    let step = |cursor: &str| Step::Continue { window, cursor: cursor.into() };
    let first = lane.commit(&page(0), 1, step("ch_99"));
    wait(handle.run(move |store| store.commit_page(&first))).unwrap();

    fill(&handle);
    let second = || lane.commit(&page(100), 2, step("ch_199"));
    // Three jobs in one commit: one before the page that does not fit, one after it.
    let (go, going) = std::sync::mpsc::channel();
    let full = second();
    let before = handle.run(move |store| {
        going.recv().unwrap();
        store.set_state("job", "done")
    });
    let does_not_fit = handle.run(move |store| store.commit_page(&full));
    let after = handle.run(|store| store.set_state("job", "done again"));
    let release = async { go.send(()).unwrap() };
    let (before, does_not_fit, after, ()) = wait(async { tokio::join!(before, does_not_fit, after, release) });
    assert_eq!(does_not_fit.unwrap_err().code(), "store.full");
    assert_eq!(look(path, COVERAGE), ["open|ch_99|1|100"], "the checkpoint stands");
    assert_eq!(look(path, "SELECT count(*) FROM stripe_charges"), ["100"]);
    // SQLite may take back the page alone or the whole transaction: then the others are told the same, and it is so.
    let told = [before, after].map(|told| told.map_err(|problem| problem.code()));
    let job = look(path, "SELECT value FROM state WHERE name = 'job'");
    match told {
        [Ok(()), Ok(())] => assert_eq!(job, ["done again"]),
        told => assert_eq!((told, job), ([Err("store.full"), Err("store.full")], vec![])),
    }

    free(&handle);
    let again = second();
    wait(handle.run(move |store| store.commit_page(&again))).unwrap();
    assert_eq!(look(path, COVERAGE), ["open|ch_199|2|200"]);
    wait(handle.close()).unwrap();
    assert_eq!(look(path, "PRAGMA integrity_check"), ["ok"]);
    assert_eq!(look(path, "SELECT count(*) FROM stripe_charges"), ["200"]);
}

fn on_the_small_disk(folder: &Path) {
    let ballast = folder.join("ballast");
    let empty = || std::fs::remove_file(&ballast).unwrap();
    a_page_that_does_not_fit(&folder.join("counterfoil.db"), &|_| fill(&ballast), &|_| empty());

    // A disk on which not even a store can be made: nothing but an empty file is left, and it becomes one later.
    fill(&ballast);
    let fresh = folder.join("fresh.db");
    assert_eq!(try_open(&fresh).err().unwrap().code(), "store.full");
    empty();
    assert_eq!(open(&fresh).uuid().unwrap().len(), 36);
}

/// SQLite's own limit in place of the disk's: where no small disk can be had this still runs.
#[test]
fn a_store_that_may_not_grow_leaves_the_checkpoint_where_it_was() {
    let (_folder, path) = folder();
    let limit = |handle: &StoreHandle, pages: u32| {
        // Less than there is means: as large as now.
        wait(handle.run(move |store| store.read(&format!("PRAGMA max_page_count = {pages}")))).unwrap();
    };
    a_page_that_does_not_fit(&path, &|handle| limit(handle, 1), &|handle| limit(handle, 1_000_000));
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
