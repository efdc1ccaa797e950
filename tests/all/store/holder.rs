//! Every object is held by one account; what belongs to no connection any more goes over to the one that reads it.

use counterfoil::entropy::SeededEntropy;
use counterfoil::problem::SYNC_HELD_TWICE;
use counterfoil::store::{Renamed, Step, Store};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

/// A store in which each of these connections read the same two charges first; all but the last were removed since.
fn after(names: &[&str]) -> (tempfile::TempDir, std::path::PathBuf, Store, Lane) {
    let (folder, path) = folder();
    let mut store = open(&path);
    let of =
        |store: &mut Store, name: &str| Lane::new(account(store, name).account, "stripe_charges", Profile::Standard);
    for (at, name) in names.iter().enumerate() {
        let lane = of(&mut store, name);
        if at + 1 == names.len() {
            return (folder, path, store, lane);
        }
        let charges = [charge(&format!("ch_{at}"), json!({})), charge("ch_9", json!({ "amount": 700 }))];
        // The first two hold one charge each, and both the last one, as before there was this rule.
        let all = if at == 0 { &charges[..] } else { &charges[..1] };
        store.commit_page(&lane.commit(all, 1, Step::Nothing)).unwrap();
        if at > 0 {
            copy(&path, lane.upsert.account);
        }
        assert!(store.remove_connection(name, 5).unwrap());
    }
    unreachable!("a last one")
}

fn copy(path: &std::path::Path, account: i64) {
    #[allow(clippy::disallowed_methods)] // from outside, as an earlier version left it
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(&format!(
        "CREATE TEMP TABLE one AS SELECT * FROM stripe_charges WHERE id = 'ch_9' LIMIT 1;
         UPDATE one SET account = {account}; INSERT INTO stripe_charges SELECT * FROM one"
    ))
    .unwrap();
}

fn holders(path: &std::path::Path) -> Vec<String> {
    look(path, "SELECT id, account FROM stripe_charges ORDER BY 1, 2")
}

#[test]
fn what_a_named_account_holds_is_refused_whole() {
    let (_folder, path, mut store, own) = after(&["main"]);
    store.commit_page(&own.commit(&[charge("ch_1", json!({}))], 1, Step::Nothing)).unwrap();
    let other = Lane::new(account(&mut store, "other").account, "stripe_charges", Profile::Standard);
    let page = [charge("ch_0", json!({})), charge("ch_1", json!({}))];
    // In one transaction, as every commit is.
    let refused = wait(
        counterfoil::store::StoreHandle::inline(store)
            .run(move |store| store.commit_page(&other.commit(&page, 2, Step::Nothing)).map(|_| ())),
    );
    assert!(refused.unwrap_err().is(&SYNC_HELD_TWICE));
    assert_eq!(holders(&path), ["ch_1|1"], "nor does what nobody holds enter");
}

#[test]
fn what_two_removed_accounts_hold_goes_over_once_and_stops_nothing() {
    let (_folder, path, mut store, own) = after(&["old", "older", "main"]);
    assert_eq!(holders(&path), ["ch_0|1", "ch_1|2", "ch_9|1", "ch_9|2"]);
    let page = ["ch_0", "ch_1", "ch_9"].map(|id| charge(id, json!({})));
    store.commit_page(&own.commit(&page, 3, Step::Nothing)).unwrap();
    assert_eq!(holders(&path), ["ch_0|3", "ch_1|3", "ch_9|2", "ch_9|3"]);
}

#[test]
fn an_event_that_goes_over_marks_as_a_new_one_does() {
    let (_folder, path, mut store, own) = after(&["main"]);
    let again = account(&mut store, "again").account;
    let page = [changed("evt_1", 4, "ch_1")];
    store.commit_page(&events_of(again).commit(&page, 1, Step::Nothing)).unwrap();
    assert!(store.remove_connection("again", 5).unwrap());
    store.commit_page(&own.commit(&[charge("ch_1", json!({}))], 2, Step::Nothing)).unwrap();
    store.commit_page(&events_of(own.upsert.account).commit(&page, 3, Step::Nothing)).unwrap();
    assert_eq!(look(&path, "SELECT account, id FROM stripe_events"), ["1|evt_1"]);
    let marks = format!("SELECT id, changed_at FROM changes WHERE account = {}", own.upsert.account);
    assert_eq!(look(&path, &marks), ["ch_1|4000"]);
}

/// Each connection draws its numbers in blocks, so that the removed one's may be the greater.
#[test]
fn the_read_of_the_one_that_takes_over_counts_whatever_the_other_ones_number_was() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let of =
        |store: &mut Store, name: &str| Lane::new(account(store, name).account, "stripe_charges", Profile::Standard);
    let (old, own) = (of(&mut store, "old"), of(&mut store, "own"));
    let with = |status: &str, fee: i64| [charge("ch_1", json!({ "status": status, "amount": fee }))];
    store.commit_page(&old.commit(&with("pending", 5), 400, Step::Nothing)).unwrap();
    store.mark_one(own.upsert.account, "stripe_charges", "ch_1", (1_000, 150), "stripe_events").unwrap();
    assert!(store.remove_connection("old", 5).unwrap());
    store.commit_page(&own.commit(&with("succeeded", 7), 140, Step::Nothing)).unwrap();
    let row = "SELECT account, status, amount, read_seq FROM stripe_charges";
    assert_eq!(look(&path, row), ["2|succeeded|7|140"]);
    let marks =
        |store: &mut Store| store.settle_changes(own.upsert.account, "stripe_charges", "created_at", 0).unwrap().len();
    assert_eq!(marks(&mut store), 1, "it was sent before the mark");
    store.commit_page(&own.commit(&with("succeeded", 7), 160, Step::Nothing)).unwrap();
    assert_eq!(marks(&mut store), 0);
}

#[test]
fn a_name_is_given_up_by_an_empty_account_of_the_same_provider_alone() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let (main, full) = (account(&mut store, "main").account, account(&mut store, "full").account);
    store.ensure_account("eu", "checkoutcom", READ_AT, &SeededEntropy::new(9)).unwrap();
    account(&mut store, "empty");
    let tables = ["stripe_charges".to_owned()];
    let lane = Lane::new(full, "stripe_charges", Profile::Standard);
    store.commit_page(&lane.commit(&[charge("ch_1", json!({}))], 1, Step::Nothing)).unwrap();
    let mut rename = |new: &str| store.rename_connection("main", new, &tables, 7).unwrap();
    assert_eq!(["full", "eu", "main"].map(&mut rename), [Renamed::Taken, Renamed::Taken, Renamed::Taken]);
    assert_eq!(rename("empty"), Renamed::Done);
    assert_eq!(rename("other"), Renamed::Unknown);
    assert_eq!(look(&path, "SELECT account FROM accounts WHERE connection = 'empty'"), [main.to_string()]);
}
