//! A store that is given up because the disk failed under it: opened again before the next job, unless something is in the
//! way; what failed stands in `problems` until a checkpoint has worked. And a reader that makes the log grow is told of.

use counterfoil::problem::Result;
use counterfoil::store::{StoreHandle, Text};

use super::disk::{FILES, Kind, Plan};
use super::life::{Ground, found};
use crate::store::kit;

/// What stands in `problems` for the store itself, with when it was met and cleared.
const ROWS: &str = "SELECT stream, code, first_at, cleared_at FROM problems ORDER BY rowid";

/// A store with two windows, and a writer in the caller.
fn house() -> (Ground, StoreHandle) {
    let ground = Ground::new();
    let mut store = ground.open().unwrap();
    found(&mut store).unwrap();
    (ground, StoreHandle::inline(store))
}

/// The next call fails in this way.
fn fail(ground: &Ground, kind: Kind, at: u32) {
    ground.disk.plan(Some(Plan { kind, at, forever: false }));
}

/// A page of the first window.
fn page(ground: &Ground, handle: &StoreHandle, page: i64) -> Result<(), &'static str> {
    let commit = ground.page(1, page, page, false);
    kit::wait(handle.run(move |store| store.commit_page(&commit).map(|_| ()))).map_err(|problem| problem.code())
}

fn note(handle: &StoreHandle, now: i64) {
    kit::wait(handle.run(move |store| store.note_trouble(now))).unwrap();
}

/// A setting of the connection: asked for, or set.
fn cache(handle: &StoreHandle, set: &'static str) -> i64 {
    let sql = format!("PRAGMA cache_size{set}");
    let found = kit::wait(handle.run(move |store| store.read(&sql))).unwrap();
    found.rows.first().map_or(0, |row| row[0].int().unwrap())
}

#[test]
fn the_store_is_opened_again_after_the_disk_failed_and_not_when_it_is_full() {
    for way in [StoreHandle::inline, StoreHandle::thread] {
        let ground = Ground::new();
        let mut store = ground.open().unwrap();
        found(&mut store).unwrap();
        let handle = way(store);
        for (kind, told, kept) in
            [(Kind::Full, "store.full", 77), (Kind::Sync, "store.io", -8192), (Kind::Error, "store.io", -8192)]
        {
            cache(&handle, " = 77");
            assert_eq!(cache(&handle, ""), 77);
            fail(&ground, kind, 0);
            assert_eq!(page(&ground, &handle, 1), Err(told), "{kind:?}");
            assert_eq!(cache(&handle, ""), kept, "{kind:?}: the settings of the old connection, or of a new one");
        }
        kit::wait(handle.close()).unwrap();
    }
}

#[test]
fn a_job_that_met_the_failing_disk_takes_its_whole_commit_along() {
    let (ground, inline) = house();
    kit::wait(inline.close()).unwrap();
    let handle = StoreHandle::thread(ground.open().unwrap());
    let (go, going) = std::sync::mpsc::channel::<()>();
    let before = handle.run(move |store| {
        going.recv().unwrap();
        store.set_state("job", "before")
    });
    let met = handle.run(|_| Err::<(), _>(counterfoil::problem::STORE_IO.plain()));
    let after = handle.run(|store| store.set_state("job", "after"));
    let release = async { go.send(()).unwrap() };
    let (before, met, after, ()) = kit::wait(async { tokio::join!(before, met, after, release) });
    let told = [before, met, after].map(|told| told.map_err(|problem| problem.code()));
    assert_eq!(told, [Err("store.io"); 3]);
    assert_eq!(kit::wait(handle.run(|store| store.state("job"))).unwrap(), None);
    kit::wait(handle.close()).unwrap();
}

#[test]
fn what_failed_stands_in_problems_until_a_checkpoint_has_worked() {
    let (ground, handle) = house();
    note(&handle, 1);
    assert_eq!(kit::look(&ground.path, ROWS), Vec::<String>::new());
    fail(&ground, Kind::Sync, 0);
    assert_eq!(page(&ground, &handle, 1), Err("store.io"));
    note(&handle, 2); // behind it, as nothing else is to be done, a checkpoint
    assert_eq!(kit::look(&ground.path, ROWS), ["store|store.io|2|-"]);
    note(&handle, 3);
    assert_eq!(kit::look(&ground.path, ROWS), ["store|store.io|2|3"]);
}

/// The page is in and told to be; the checkpoint behind it fails, each of its writes and flushes in turn.
#[test]
fn a_failed_checkpoint_stands_in_problems_until_a_later_one_works() {
    for (kind, code) in [(Kind::Full, "store.full"), (Kind::Sync, "store.io")] {
        let mut failed = 0;
        for at in 0..100 {
            let (ground, handle) = house();
            kit::wait(handle.run(|store| {
                store.limit_log(1, 1_000);
                Ok(())
            }))
            .unwrap();
            fail(&ground, kind, at);
            let told = page(&ground, &handle, 1);
            let struck = ground.disk.struck();
            ground.disk.plan(None);
            if struck == 0 {
                break;
            }
            if told.is_ok() {
                failed += 1;
                assert_eq!(kit::look(&ground.path, "SELECT pages FROM coverage WHERE window = 1"), ["1"]);
                note(&handle, 2);
                let row = format!("store|{code}|2|");
                assert_eq!(kit::look(&ground.path, ROWS), [format!("{row}-")], "{kind:?} {at}");
                note(&handle, 3);
                assert_eq!(kit::look(&ground.path, ROWS), [format!("{row}3")], "{kind:?} {at}");
            }
        }
        assert!(failed > 0, "{kind:?}: no checkpoint failed");
    }
}

#[test]
fn a_reader_that_makes_the_log_grow_is_told_of_until_it_lets_go() {
    let (ground, handle) = house();
    kit::wait(handle.run(|store| {
        store.limit_log(4, 20);
        Ok(())
    }))
    .unwrap();
    let reader = kit::stranger(&ground.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(kit::rows(&reader, "SELECT count(*) FROM stripe_charges"), ["0"]);
    for number in 1..=5 {
        page(&ground, &handle, number).unwrap();
    }
    note(&handle, 2);
    assert_eq!(kit::look(&ground.path, ROWS), ["store|store.log|2|-"]);
    assert_eq!(kit::rows(&reader, "SELECT count(*) FROM stripe_charges"), ["0"], "the reader is not disturbed");
    page(&ground, &handle, 6).unwrap();
    reader.execute_batch("COMMIT").unwrap();
    page(&ground, &handle, 7).unwrap();
    note(&handle, 3);
    assert_eq!(kit::look(&ground.path, ROWS), ["store|store.log|2|3"]);
    let log = std::fs::metadata(format!("{}-wal", ground.path.display())).unwrap().len();
    assert!(log < 20 * 4096, "shrunk: {log}");
}

/// What a failed flush left in the log must not come to lie before a commit: with a reader in the way nothing is written.
#[test]
fn a_store_to_recover_waits_for_the_reader_that_is_in_the_way() {
    let (ground, handle) = house();
    page(&ground, &handle, 1).unwrap();
    let reader = kit::stranger(&ground.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(kit::rows(&reader, "SELECT count(*) FROM stripe_charges"), ["4"]);
    fail(&ground, Kind::Sync, 0);
    assert_eq!(page(&ground, &handle, 2), Err("store.io"));
    for _ in 0..2 {
        assert_eq!(page(&ground, &handle, 2), Err("store.busy"));
        assert_eq!(kit::rows(&reader, "SELECT count(*) FROM stripe_charges"), ["4"]);
    }
    reader.execute_batch("COMMIT").unwrap();
    page(&ground, &handle, 2).unwrap();
    assert_eq!(kit::rows(&reader, "SELECT count(*) FROM stripe_charges"), ["8"]);
}

#[test]
fn a_store_found_damaged_stays_closed_until_the_next_start() {
    let (ground, handle) = house();
    page(&ground, &handle, 1).unwrap();
    kit::wait(handle.close()).unwrap();
    let handle = StoreHandle::inline(ground.open().unwrap());
    let whole = std::fs::read(&ground.path).unwrap();
    let mut damaged = whole.clone();
    damaged[8 * 4096..].fill(0x5a);
    fail(&ground, Kind::Sync, 0);
    assert_eq!(page(&ground, &handle, 2), Err("store.io"));
    std::fs::write(&ground.path, damaged).unwrap();
    assert_eq!(page(&ground, &handle, 2), Err("store.damaged"));
    std::fs::write(&ground.path, whole).unwrap();
    assert_eq!(page(&ground, &handle, 2), Err("store.damaged"), "not looked at again by itself");
    assert_eq!(kit::wait(handle.close()).unwrap_err().code(), "store.damaged");
    let next = StoreHandle::inline(ground.open().unwrap());
    page(&ground, &next, 2).unwrap();
}

#[test]
fn a_store_that_is_gone_is_not_made_anew_and_another_one_is_not_taken_for_it() {
    let (ground, handle) = house();
    let of = |folder: &std::path::Path, ending: &str| folder.join(format!("counterfoil.db{ending}"));
    let aside = tempfile::tempdir().unwrap();
    let home = ground.path.parent().unwrap();
    let carry = |from: &std::path::Path, to: &std::path::Path| {
        for ending in ["", "-wal", "-shm"] {
            std::fs::copy(of(from, ending), of(to, ending)).unwrap();
            std::fs::remove_file(of(from, ending)).unwrap();
        }
    };
    fail(&ground, Kind::Sync, 0);
    assert_eq!(page(&ground, &handle, 1), Err("store.io"));
    carry(home, aside.path());
    assert_eq!(page(&ground, &handle, 1), Err("store.missing"));
    assert!(FILES.iter().all(|ending| !of(home, ending).exists()), "nothing is made");
    let other = counterfoil::entropy::SeededEntropy::new(99);
    counterfoil::store::Store::open(&ground.path, &kit::schema(), None, &other).unwrap().close().unwrap();
    assert_eq!(page(&ground, &handle, 1), Err("store.foreign"));
    carry(aside.path(), home);
    page(&ground, &handle, 1).unwrap();
}

/// A page that cannot be read while the store is checked is the disk's fault, not damage: a later start opens it.
#[test]
fn a_page_that_cannot_be_read_is_not_taken_for_damage() {
    let (ground, handle) = house();
    page(&ground, &handle, 1).unwrap();
    drop(handle); // as a crash does
    let mut failed = 0;
    for at in 0.. {
        fail(&ground, Kind::Error, at);
        let opened = ground.open();
        let struck = ground.disk.struck();
        ground.disk.plan(None);
        if struck == 0 {
            break;
        }
        failed += usize::from(opened.is_err_and(|problem| {
            assert_eq!(problem.code(), "store.io", "call {at}: {problem}");
            true
        }));
    }
    assert!(failed > 50, "hardly a check: {failed}");
    let store = ground.open().unwrap();
    let found = store.read("SELECT count(*) FROM stripe_charges").unwrap().rows;
    assert_eq!(found, [[Text::Int(4)]]);
}
