//! Opening: what a fresh store is, what is refused, and that nothing refused is touched.

use std::path::Path;

use counterfoil::problem::Result;
use counterfoil::store::{Lock, Reader, Store, View};
use rusqlite::config::DbConfig;

use super::kit::*;

/// What the writer's own connection says.
fn pragma(store: &Store, name: &str) -> String {
    let table = store.read(&format!("PRAGMA {name}")).unwrap();
    match &table.rows[0][0] {
        counterfoil::store::Text::Int(number) => number.to_string(),
        other => other.str().unwrap().to_owned(),
    }
}

fn code(result: Result<Store>) -> &'static str {
    result.err().expect("it was opened").code()
}

/// A store with a few hundred rows, closed in order, so that all of it lies in the main file.
fn filled(path: &Path) {
    let mut store = open(path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", counterfoil::stream::Profile::Finance);
    let charges: Vec<_> = (0..400).map(|n| charge(&format!("ch_{n}"), serde_json::json!({}))).collect();
    store.commit_page(&lane.commit(&charges, 1, counterfoil::store::Step::Nothing)).unwrap();
    store.close().unwrap();
}

#[test]
fn a_fresh_store_is_marked_and_set_up() {
    let (_folder, path) = folder();
    let store = open(&path);
    for (name, value) in [
        ("application_id", "1128690548"), // "CFst"
        ("user_version", "3"),
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("wal_autocheckpoint", "0"),
        ("journal_size_limit", "67108864"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("fullfsync", "1"),
        ("checkpoint_fullfsync", "1"),
        ("mmap_size", "0"),
        ("temp_store", "2"),
    ] {
        assert_eq!(pragma(&store, name), value, "{name}");
    }
    let head = std::fs::read(&path).unwrap();
    assert_eq!(&head[68..72], b"CFst", "the mark is in the main file from the first moment");
    let tables =
        look(&path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1");
    let mut declared: Vec<String> = schema().control.tables.iter().map(|table| table.name.clone()).collect();
    declared.extend(schema().streams.iter().flat_map(|stream| &stream.tables).map(|table| table.name.clone()));
    declared.sort();
    assert_eq!(tables, declared);
}

#[test]
fn a_store_keeps_its_name_whether_it_was_closed_or_not() {
    let (_folder, path) = folder();
    let store = open(&path);
    let uuid = store.uuid().unwrap();
    assert_eq!(uuid.len(), 36);
    drop(store); // as a crash leaves it: nothing brought into the main file
    let store = Store::open(&path, &schema(), None, &counterfoil::entropy::SeededEntropy::new(77)).unwrap();
    assert_eq!(store.uuid().unwrap(), uuid);
    store.close().unwrap();
    let store = Store::open(&path, &schema(), None, &counterfoil::entropy::SeededEntropy::new(78)).unwrap();
    assert_eq!(store.uuid().unwrap(), uuid);
}

#[test]
fn an_empty_file_becomes_a_store() {
    let (_folder, path) = folder();
    std::fs::write(&path, b"").unwrap();
    assert_eq!(Reader::open(&path).err().unwrap().code(), "store.missing");
    assert_eq!(pragma(&open(&path), "user_version"), "3");
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    type Make = fn(&Path);
    let cases: &[(&str, &str, Make)] = &[
        ("a text", "store.foreign", |path| std::fs::write(path, "Dear diary, ".repeat(99)).unwrap()),
        ("a few bytes", "store.foreign", |path| std::fs::write(path, b"SQLite form").unwrap()),
        ("somebody's database", "store.foreign", |path| {
            writer(path).execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        }),
        ("somebody's database with its log", "store.foreign", |path| {
            let other = writer(path);
            other.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
            other.execute_batch("PRAGMA journal_mode=wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        }),
        ("a store of the day after tomorrow", "store.newer", |path| {
            filled(path);
            let mut bytes = std::fs::read(path).unwrap();
            bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
            std::fs::write(path, bytes).unwrap();
            // Alone, as a copy would be: whoever opened it would leave a log beside it.
            for beside in ["-wal", "-shm"] {
                std::fs::remove_file(format!("{}{beside}", path.display())).unwrap();
            }
        }),
        ("a store without a version", "store.damaged", |path| {
            filled(path);
            let mut bytes = std::fs::read(path).unwrap();
            bytes[60..64].copy_from_slice(&0_u32.to_be_bytes());
            std::fs::write(path, bytes).unwrap();
        }),
        ("half a store", "store.damaged", |path| {
            filled(path);
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2 / 4096 * 4096]).unwrap();
        }),
        ("a store with a broken page, not closed in order", "store.damaged", |path| {
            filled(path);
            writer(path).execute_batch("UPDATE state SET value = '1' WHERE name = 'in_use'").unwrap();
            let root = look(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'stripe_charges'")[0].clone();
            let at = (root.parse::<usize>().unwrap() - 1) * 4096;
            let mut bytes = std::fs::read(path).unwrap();
            bytes[at..at + 4096].fill(0xa5);
            std::fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, refusal, make) in cases {
        let (folder, path) = folder();
        make(&path);
        let (before, kept) = (files(folder.path()), stored(folder.path()));
        assert_eq!(code(try_open(&path)), *refusal, "{what}");
        // Of ours, SQLite uses its shared memory before it sees that the file is broken; the file and its log stand.
        assert_eq!(stored(folder.path()), kept, "{what}");
        if *refusal != "store.damaged" {
            assert_eq!(files(folder.path()), before, "{what}");
            assert_eq!(Reader::open(&path).err().unwrap().code(), *refusal, "{what}, read");
        }
    }
}

#[test]
fn a_newer_version_that_lies_only_in_the_log_is_seen() {
    let (folder, path) = folder();
    filled(&path);
    {
        let newer = writer(&path);
        newer.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        newer.execute_batch("PRAGMA wal_autocheckpoint=0; PRAGMA user_version=7").unwrap();
    }
    let before = stored(folder.path());
    assert_eq!(std::fs::read(&path).unwrap()[60..64], 3_u32.to_be_bytes(), "the main file still says 3");
    let told = ("store.newer", "its version is 7, this program knows versions up to 3");
    for refusal in [try_open(&path).err().unwrap(), Reader::open(&path).err().unwrap()] {
        assert_eq!((refusal.code(), refusal.detail()), told);
    }
    assert_eq!(stored(folder.path()), before);
}

#[test]
fn damage_found_while_working_is_named() {
    let (_folder, path) = folder();
    filled(&path);
    let root = look(&path, "SELECT rootpage FROM sqlite_schema WHERE name = 'stripe_charges'")[0].clone();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (root.parse::<usize>().unwrap() - 1) * 4096;
    bytes[at..at + 4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let store = open(&path); // closed in order: no check at the start
    assert_eq!(store.read("SELECT sum(amount) FROM stripe_charges").err().unwrap().code(), "store.damaged");
}

#[test]
fn a_second_writer_finds_the_lock_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let first = Lock::take(&path).unwrap();
    assert_eq!(Lock::take(&path).err().unwrap().code(), "store.locked");
    drop(first);
    crate::until_free(&path);
    let nowhere = folder.path().join("nowhere/lock");
    assert_eq!(Lock::take(&nowhere).err().unwrap().code(), "store.read_only");
}

#[test]
fn views_are_made_and_follow_their_text() {
    let (_folder, path) = folder();
    let views = "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name";
    let mut names: Vec<String> = schema().views.iter().map(|view| view.name.to_owned()).collect();
    names.sort();
    open(&path).close().unwrap();
    assert_eq!(look(&path, views), names);
    let version = look(&path, "PRAGMA schema_version");
    open(&path).close().unwrap();
    assert_eq!(look(&path, "PRAGMA schema_version"), version, "what is the same is not made again");

    let mut changed = schema();
    let kept = changed.views[0].name;
    changed.views.truncate(1);
    changed.views.push(View { name: "answer", sql: "-- One row.\nCREATE VIEW answer AS\nSELECT 41 AS n;\n" });
    let entropy = counterfoil::entropy::SeededEntropy::new(1);
    Store::open(&path, &changed, None, &entropy).unwrap().close().unwrap();
    assert_eq!(look(&path, views), ["answer", kept]);
    changed.views[1].sql = "CREATE VIEW answer AS SELECT 42 AS n";
    Store::open(&path, &changed, None, &entropy).unwrap().close().unwrap();
    assert_eq!(look(&path, "SELECT n FROM answer"), ["42"]);

    changed.views[1].sql = "CREATE VIEW answer AS SELEC 42";
    assert_eq!(code(Store::open(&path, &changed, None, &entropy)), "store.sqlite");
    assert_eq!(look(&path, "SELECT n FROM answer"), ["42"], "all views or none");
}

/// Runs as another user, in a folder that this user cannot write.
#[test]
fn a_folder_that_cannot_be_written() {
    if let Some(folder) = handed() {
        let path = folder.join("new.db");
        assert_eq!(code(try_open(&path)), "store.read_only");
        assert_eq!(code(try_open(&folder.join("counterfoil.db"))), "store.read_only");
        assert_eq!(Lock::take(&folder.join("lock")).err().unwrap().code(), "store.read_only");
        return;
    }
    let Some(before) = other_user(65534) else { return };
    let (folder, path) = folder();
    filled(&path);
    make_readable(folder.path());
    let held = files(folder.path());
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    passes(again(&before, "opening::a_folder_that_cannot_be_written", folder.path()));
    assert_eq!(files(folder.path()), held);
}

/// Anybody may enter the folder and read its files; only the owner may write.
pub(super) fn make_readable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in files(folder).keys() {
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn a_creation_that_a_power_cut_broke_off_is_begun_again() {
    let (folder, path) = folder();
    {
        // Pages written before the commit, with the journal that takes them back: what a crash within it leaves.
        let elsewhere = folder.path().join("elsewhere.db");
        let begun = writer(&elsewhere);
        begun
            .execute_batch("PRAGMA cache_size = 1; BEGIN; PRAGMA application_id = 1128690548; PRAGMA user_version = 1")
            .unwrap();
        for table in 0..60 {
            begun.execute_batch(&format!("CREATE TABLE t{table} (a TEXT DEFAULT '{}')", "x".repeat(900))).unwrap();
        }
        // The first page comes first when SQLite commits.
        let whole = folder.path().join("whole.db");
        open(&whole).close().unwrap();
        let mut bytes = std::fs::read(&elsewhere).unwrap();
        bytes[..4096].copy_from_slice(&std::fs::read(&whole).unwrap()[..4096]);
        std::fs::write(&path, bytes).unwrap();
        std::fs::copy(folder.path().join("elsewhere.db-journal"), folder.path().join("counterfoil.db-journal"))
            .unwrap();
    }
    assert!(std::fs::metadata(&path).unwrap().len() > 4096, "the case is none: nothing was written before the commit");
    let store = open(&path);
    assert_eq!(store.uuid().unwrap().len(), 36);
    assert_eq!(look(&path, "SELECT count(*) FROM sqlite_schema WHERE name GLOB 't[0-9]*'"), ["0"]);
}

/// A file that is damaged from its first byte on; what became of it. The bug is planted on this thread.
#[cfg(debug_assertions)]
pub(crate) fn a_damaged_store(planted: Option<&'static str>) -> Vec<String> {
    let (_folder, path) = folder();
    filled(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..16].fill(0xee);
    std::fs::write(&path, &bytes).unwrap();
    counterfoil::testpoint::plant(planted);
    let opened = try_open(&path);
    counterfoil::testpoint::plant(None);
    let mut wrong = Vec::new();
    if opened.is_ok() {
        wrong.push("it was opened".to_owned());
    }
    drop(opened);
    if std::fs::read(&path).unwrap() != bytes {
        wrong.push("the merchant's data are gone".to_owned());
    }
    wrong
}
