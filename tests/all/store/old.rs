//! An old SQLite (3.31.1, in a package of its own under `tests/old-sqlite`) reads every table and every view, while the writer
//! is at work and after it stopped.

use std::path::{Path, PathBuf};
use std::process::Command;

use counterfoil::store::Step;
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

/// The program that reads with it, when it was built.
pub(super) fn program() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old-sqlite/target");
    let built = ["release", "debug"].map(|profile| package.join(profile).join("old-sqlite"));
    let given = std::env::var_os("COUNTERFOIL_OLD_SQLITE").map(PathBuf::from);
    let found = given.into_iter().chain(built).find(|program| program.is_file());
    if found.is_none() {
        crate::skip::skipped("no old SQLite (cargo build --manifest-path tests/old-sqlite/Cargo.toml)");
    }
    found
}

/// Its answer: the rows of a query.
fn ask(program: &Path, path: &Path, sql: &str) -> Vec<String> {
    let output = Command::new(program).arg(path).arg(sql).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let mut lines = told.lines().map(str::to_owned);
    assert_eq!(lines.next().as_deref(), Some("3.31.1"));
    lines.collect()
}

#[test]
fn an_old_sqlite_reads_everything() {
    let Some(program) = program() else { return };
    let (_folder, path) = folder();
    let mut store = open(&path);
    let main = account(&mut store, "main").account;
    let lane = Lane::new(main, "stripe_charges", Profile::Standard);
    let captured = json!({ "captured": true, "amount_captured": 1000, "payment_method_details": { "type": "card", "card": { "brand": "visa" } } });
    store.commit_page(&lane.commit(&[charge("ch_1", captured)], 1, Step::Nothing)).unwrap();
    let lane = Lane::new(main, "stripe_balance_transactions", Profile::Standard);
    store.commit_page(&lane.commit(&[booking("txn_1", &[3, 4])], 2, Step::Nothing)).unwrap();

    let names =
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%' ORDER BY name";
    let all = look(&path, names);
    let everything = || {
        assert_eq!(ask(&program, &path, names), all);
        let count =
            |name: &String| format!("{name}: {:?}", ask(&program, &path, &format!("SELECT * FROM {name}")).len());
        let expected = |name: &String| format!("{name}: {:?}", look(&path, &format!("SELECT * FROM {name}")).len());
        assert_eq!(all.iter().map(count).collect::<Vec<_>>(), all.iter().map(expected).collect::<Vec<_>>());
        let attempt =
            ask(&program, &path, "SELECT provider, attempt_id, outcome, scheme, amount FROM payment_attempts");
        assert_eq!(attempt, ["stripe|ch_1|captured|visa|1000"]);
        assert_eq!(ask(&program, &path, "SELECT position, amount FROM fees ORDER BY 1"), ["0|3", "1|4"]);
        assert_eq!(ask(&program, &path, "PRAGMA integrity_check"), ["ok"]);
    };
    everything(); // while the writer has the file open, all of it in the log
    store.close().unwrap();
    everything(); // after an orderly stop
    drop(open(&path));
    everything(); // after a crash
}
