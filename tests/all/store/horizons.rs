//! What is stated of each stream goes in the transaction in which what it was proven by is forgotten, and only that.

use std::path::Path;

use counterfoil::problem;
use counterfoil::store::{Stated, Step, Store, StoreHandle, WindowKey};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

const TABLES: [&str; 2] = ["stripe_charges", "stripe_refunds"];

fn stated(table: &str) -> Stated {
    let (listed_from, listed_to) = (Some(1000), Some(4000));
    Stated { stream: table.to_owned(), listed_from, listed_to, changed_to: Some(3500), tells_changes: true }
}

/// A store that states two streams of two accounts; of the charges of the first one window was walked whole, and one is open.
fn with() -> (tempfile::TempDir, std::path::PathBuf, Store, Lane) {
    let (folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, TABLES[0], Profile::Standard);
    for (name, at) in [("main", 70), ("other", 71)] {
        let of = account(&mut store, name).account;
        store.state_horizons(of, &TABLES.map(stated), at).unwrap();
    }
    let window = |span| WindowKey::New(new_window(span, 90));
    let open = Step::Continue { window: window((4000, 5000)), cursor: "ch_2".to_owned() };
    for (id, step) in [("ch_1", Step::Complete { window: window((1000, 4000)) }), ("ch_2", open)] {
        store.commit_page(&lane.commit(&[charge(id, json!({}))], 1, step)).unwrap();
    }
    (folder, path, store, lane)
}

fn left(path: &Path) -> Vec<String> {
    look(path, "SELECT a.connection, h.stream FROM horizons h JOIN accounts a USING (account) ORDER BY 1, 2")
}

const OTHERS: [&str; 3] = ["main|stripe_refunds", "other|stripe_charges", "other|stripe_refunds"];

#[test]
fn what_is_stated_takes_the_place_of_what_was_stated_of_that_account() {
    let (_folder, path, mut store, lane) = with();
    let of = lane.upsert.account;
    let never = Stated { listed_to: Some(9000), changed_to: None, tells_changes: false, ..stated(TABLES[0]) };
    store.state_horizons(of, &[never], 99).unwrap();
    assert_eq!(
        look(
            &path,
            "SELECT account, stream, listed_from, listed_to, changed_to, tells_changes, stated_at FROM horizons"
        ),
        [
            "2|stripe_charges|1000|4000|3500|1|71",
            "2|stripe_refunds|1000|4000|3500|1|71",
            "1|stripe_charges|1000|9000|-|0|99"
        ]
    );
}

#[test]
fn what_is_forgotten_is_stated_no_more() {
    let (_folder, path, mut store, lane) = with();
    let of = lane.upsert.account;
    let windows = store.windows(of, TABLES[0]).unwrap();
    store.forget_windows(&[windows[1].window]).unwrap();
    assert_eq!(left(&path).len(), 4, "an open window proves nothing");
    store.forget_windows(&[windows[0].window]).unwrap();
    assert_eq!(left(&path), OTHERS);
    store.forget_coverage().unwrap();
    assert_eq!(left(&path), [""; 0]);
}

/// Up to where the changes of each stream are stated to be in.
fn changes(path: &Path) -> Vec<String> {
    look(
        path,
        "SELECT a.connection, h.stream, h.changed_to FROM horizons h JOIN accounts a USING (account) ORDER BY 1, 2",
    )
}

/// The same, where the charges of the first account are the only ones of which less is stated.
fn charges_to(changed_to: i64) -> [String; 4] {
    let main = format!("main|stripe_charges|{changed_to}");
    [main, "main|stripe_refunds|3500".into(), "other|stripe_charges|3500".into(), "other|stripe_refunds|3500".into()]
}

#[test]
fn a_late_word_of_a_change_takes_back_what_was_stated_of_the_time_since() {
    let (_folder, path, mut store, lane) = with();
    let feed = events_of(lane.upsert.account);
    for (event, changed_to) in [
        (changed("evt_1", 4, "ch_1"), 3500),
        (changed("evt_2", 3, "ch_1"), 3000),
        (changed("evt_3", 2, "ch_9"), 2000),
        (changed("evt_4", 3, "ch_2"), 2000),
    ] {
        store.commit_page(&feed.commit(&[event], 1, Step::Nothing)).unwrap();
        assert_eq!(changes(&path), charges_to(changed_to));
    }
}

#[test]
fn whatever_else_marks_a_row_takes_back_as_much_and_only_if_it_marks() {
    let (_folder, path, mut store, lane) = with();
    let of = lane.upsert.account;
    let mut unsettled =
        |condition, since| store.mark_unsettled((of, TABLES[0]), condition, (9000, 9), (since, 9)).unwrap();
    assert_eq!(unsettled("FALSE", 100), 0);
    assert_eq!(changes(&path), charges_to(3500));
    assert_eq!(unsettled("id = 'ch_1'", 3000), 1);
    assert_eq!(changes(&path), charges_to(3000));
    assert_eq!(unsettled("id = 'ch_1'", 100), 0);
    assert_eq!(changes(&path), charges_to(3000), "it is marked already");
    store.suspect(of, TABLES[0], "ch_1", (200, 1)).unwrap();
    assert_eq!(changes(&path), charges_to(3000), "and so it is here");
    store.suspect(of, TABLES[0], "ch_2", (2500, 1)).unwrap();
    assert_eq!(changes(&path), charges_to(2500));
}

#[test]
fn days_that_are_listed_again_after_a_difference_are_stated_no_more() {
    let (_folder, path, mut store, lane) = with();
    store.tell_difference((lane.upsert.account, TABLES[0], "created_at"), &["ch_1".to_owned()], 1).unwrap();
    assert_eq!(left(&path), OTHERS);
}

#[test]
fn what_is_taken_back_comes_back_with_the_coverage_when_the_transaction_fails() {
    let (_folder, path, store, _) = with();
    let handle = StoreHandle::thread(store);
    let job = |store: &mut Store| {
        store.forget_coverage()?;
        Err::<(), _>(problem::STORE_BUSY.plain())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(handle.run(job)).is_err());
    assert_eq!(left(&path).len(), 4);
}

#[test]
fn what_was_stated_by_another_declaration_is_taken_back_when_the_store_is_opened() {
    let (_folder, path, store, _) = with();
    store.close().unwrap();
    open(&path).close().unwrap();
    assert_eq!(left(&path).len(), 4);
    writer(&path).execute_batch("UPDATE coverage SET declaration = 'another' WHERE state = 'open'").unwrap();
    open(&path).close().unwrap();
    assert_eq!(left(&path).len(), 4, "an open window proves nothing");
    writer(&path).execute_batch("UPDATE coverage SET declaration = 'another'").unwrap();
    open(&path).close().unwrap();
    assert_eq!(left(&path), OTHERS[1..], "of all that account's streams: one may be the feed of the others");
}
