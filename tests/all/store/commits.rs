//! Commits: what a page becomes in the file, counted and proven, and that all of it stands or none.

use counterfoil::problem;
use counterfoil::store::{Committed, RUNS_KEPT, Renamed, RunEnd, Step, StoreHandle, WindowKey, WindowState};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

#[test]
fn a_charge_becomes_a_row() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let main = account(&mut store, "main").account;
    let lane = Lane::new(main, "stripe_charges", Profile::Finance);
    let card = json!({ "brand": "visa", "country": "DE", "fingerprint": "Fp1", "last4": "4242",
        "checks": { "cvc_check": "pass" }, "three_d_secure": null });
    let record = charge(
        "ch_1",
        json!({ "currency": "EUR", "captured": true, "payment_intent": null,
        "payment_method_details": { "type": "card", "card": card }, "description": "a \"b\"\nc",
        "metadata": { "order": "7", "name": "Jane" }, "billing_details": { "name": "Jane", "email": "jane@example.org" } }),
    );
    let done = store.commit_page(&lane.commit(&[record], 5, Step::Nothing)).unwrap();
    assert_eq!(done, Committed { records: 1, written: 1, rejected: 0, window: None });
    let row = look(
        &path,
        "SELECT account, id, created_at, status, amount, currency, captured, refunded, payment_intent_id,
        method_type, card_brand, card_country, card_last4, cvc_check, three_ds_result, description,
        seen_at, read_at, read_seq, source, deleted_at FROM stripe_charges",
    );
    assert_eq!(
        row,
        ["1|ch_1|1700000000000|succeeded|1000|eur|1|-|-|card|visa|DE|4242|pass|-|a \"b\"\nc|\
        1700000000005|1700000000005|5|list|-"]
    );
    let token = look(&path, "SELECT card_token FROM stripe_charges");
    assert!(token[0].starts_with("stripe.card_token~") && !token[0].contains("Fp1"), "{token:?}");
    store.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for clear in ["Jane", "jane@", "Fp1"] {
        assert!(!bytes.windows(clear.len()).any(|window| window == clear.as_bytes()), "{clear} rests on the disk");
    }
}

#[test]
fn what_a_profile_leaves_out_stays_empty() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    for (name, profile, kept) in [
        ("a", Profile::Strict, "-|-|-"),
        ("b", Profile::Standard, "pm_1|-|-"),
        ("c", Profile::Finance, "pm_1|4242|words"),
    ] {
        let lane = Lane::new(account(&mut store, name).account, "stripe_charges", profile);
        let details = json!({ "payment_method": "pm_1", "description": "words",
            "payment_method_details": { "type": "card", "card": { "last4": "4242" } } });
        store.commit_page(&lane.commit(&[charge(&format!("ch_{name}"), details)], 1, Step::Nothing)).unwrap();
        let sql = format!(
            "SELECT payment_method, card_last4, description FROM stripe_charges
            JOIN accounts USING (account) WHERE connection = '{name}'"
        );
        assert_eq!(look(&path, &sql), [kept], "{name}");
    }
}

#[test]
fn actions_are_rows_of_their_own_and_the_newest_of_an_id_stands() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "checkoutcom_payments", Profile::Standard);
    let payment = |actions| {
        json!({ "id": "pay_1", "requested_on": "2023-08-24T14:15:22.357Z", "status": "Partially Captured", "amount": 100,
            "currency": "EUR", "actions": actions })
    };
    let first = json!([
        { "id": "act_2", "type": "Capture", "status": "Approved", "amount": 60, "processed_on": "2023-08-24T15:00:00Z" },
        { "id": "act_2", "type": "Capture", "status": "Pending", "amount": 60 },
        { "type": "Void" },
        { "id": "act_1", "type": "Authorization", "response_code": "10000" }
    ]);
    let done = store.commit_page(&lane.commit(&[payment(first)], 1, Step::Nothing)).unwrap();
    assert_eq!(done, Committed { records: 1, written: 3, rejected: 1, window: None });
    let actions = "SELECT id, payment_id, type, status, amount, currency, processed_at, response_code, deleted_at
        FROM checkoutcom_payment_actions ORDER BY id";
    let expected =
        ["act_1|pay_1|authorization|-|-|eur|-|10000|-", "act_2|pay_1|capture|approved|60|eur|1692889200000|-|-"];
    assert_eq!(look(&path, actions), expected);
    assert_eq!(
        look(&path, "SELECT status, requested_at FROM checkoutcom_payments"),
        ["partially_captured|1692886522357"]
    );
    assert_eq!(
        look(&path, "SELECT stream, id, reason, field, times FROM rejected"),
        ["checkoutcom_payment_actions||missing|id|1"]
    );
    // An array that no longer tells of an action says nothing about it: things with ids of their own do not vanish.
    store.commit_page(&lane.commit(&[payment(json!([]))], 2, Step::Nothing)).unwrap();
    assert_eq!(look(&path, actions), expected);
}

#[test]
fn fees_have_positions_and_a_shorter_array_ends_the_rest() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_balance_transactions", Profile::Standard);
    let mut commit = |record: serde_json::Value, seq| {
        store.commit_page(&lane.commit(&[record], seq, Step::Nothing)).unwrap();
        look(&path, "SELECT position, amount, deleted_at FROM stripe_balance_transaction_fees ORDER BY position")
    };
    assert_eq!(commit(booking("txn_1", &[5, 7, 9]), 10), ["0|5|-", "1|7|-", "2|9|-"]);
    assert_eq!(commit(booking("txn_1", &[6]), 20), ["0|6|-", "1|7|1700000000020", "2|9|1700000000020"]);
    let gone_after = ["0|6|-", "1|7|1700000000020", "2|9|1700000000020"];
    assert_eq!(commit(booking("txn_1", &[1, 2, 3, 4]), 15), gone_after, "an older read changes nothing, nor adds");
    assert_eq!(commit(booking("txn_1", &[6, 8]), 30), ["0|6|-", "1|8|-", "2|9|1700000000020"], "back again");
    let absent = over(booking("txn_1", &[]), json!({ "status": "pending" }));
    let mut without = absent.clone();
    without.as_object_mut().unwrap().remove("fee_details");
    assert_eq!(commit(without, 40), ["0|6|-", "1|8|-", "2|9|1700000000020"], "an absent array keeps");
    assert_eq!(commit(absent, 50)[..2], ["0|6|1700000000050", "1|8|1700000000050"], "an empty array ends all");
    assert_eq!(commit(booking("txn_1", &[3]), 60)[..1], ["0|3|-"]);
    let null = over(booking("txn_1", &[]), json!({ "fee_details": null }));
    assert_eq!(commit(null, 70)[..1], ["0|3|1700000000070"], "so does null");
}

#[test]
fn an_odd_element_does_not_move_its_neighbours() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_balance_transactions", Profile::Standard);
    let fees = json!([{ "amount": 1, "currency": "eur" }, { "amount": "two", "currency": "eur" }, 3, { "amount": 4 },
        { "amount": 5, "currency": "eur" }]);
    let odd = over(booking("txn_1", &[]), json!({ "fee_details": fees }));
    let bad = over(booking("txn_2", &[1, 2]), json!({ "amount": null }));
    let shape = over(booking("txn_3", &[]), json!({ "fee_details": { "object": "list", "data": [] } }));
    let done = store.commit_page(&lane.commit(&[bad, odd, shape, booking("txn_4", &[9])], 1, Step::Nothing)).unwrap();
    assert_eq!((done.records, done.rejected), (4, 5));
    let kept = look(
        &path,
        "SELECT balance_transaction_id, position, amount FROM stripe_balance_transaction_fees ORDER BY 1, 2",
    );
    assert_eq!(kept, ["txn_1|0|1", "txn_1|4|5", "txn_4|0|9"]);
    let told = look(&path, "SELECT stream, id, reason, field FROM rejected ORDER BY stream, reason, field, id");
    assert_eq!(
        told,
        [
            "stripe_balance_transaction_fees||missing|currency",
            "stripe_balance_transaction_fees||not_an_object|balance_transaction_id",
            "stripe_balance_transaction_fees||unexpected_text|amount",
            "stripe_balance_transactions|txn_2|missing|amount",
            "stripe_balance_transactions|txn_3|not_an_array|",
        ]
    );
}

#[test]
fn rejected_and_unknown_are_counted() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Standard);
    let bad = charge("ch_bad", json!({ "amount": "12 secret euros" }));
    let novel = charge("ch_1", json!({ "novel": "v", "outcome": { "omen": 1 } }));
    let done = store.commit_page(&lane.commit(&[bad.clone(), novel.clone()], 1, Step::Nothing)).unwrap();
    assert_eq!(done, Committed { records: 2, written: 1, rejected: 1, window: None });
    store.commit_page(&lane.commit(&[novel.clone(), bad, novel], 2, Step::Nothing)).unwrap();
    let rejected = look(&path, "SELECT stream, id, reason, field, read_at, times FROM rejected");
    assert_eq!(rejected, ["stripe_charges|ch_bad|unexpected_text|amount|1700000000002|2"]);
    let drift = look(&path, "SELECT stream, field, times, first_at, last_at FROM drift ORDER BY field");
    assert_eq!(
        drift,
        [
            "stripe_charges|novel|3|1700000000001|1700000000002",
            "stripe_charges|outcome.omen|3|1700000000001|1700000000002",
        ]
    );
    assert_eq!(look(&path, "SELECT id FROM stripe_charges"), ["ch_1"]);
}

#[test]
fn rows_and_what_they_prove_commit_together() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let main = account(&mut store, "main").account;
    let lane = Lane::new(main, "stripe_charges", Profile::Standard);
    let handle = StoreHandle::inline(store);
    let coverage = "SELECT state, cursor, pages, rows, rejected, provider_at, read_at FROM coverage";

    let bad = charge("ch_bad", json!({ "status": 1.5, "amount": true }));
    // The first page brings its window into the store.
    let step = Step::Continue { window: WindowKey::New(new_window((0, 1000), 77)), cursor: "ch_1".into() };
    let first = lane.commit(&[charge("ch_0", json!({})), charge("ch_1", json!({})), bad], 1, step);
    let done = wait(handle.run(move |store| store.commit_page(&first))).unwrap();
    let window = WindowKey::Kept(done.window.unwrap());
    assert_eq!(look(&path, coverage), ["open|ch_1|1|3|1|77|1700000000001"]);

    // A job that fails after its page takes back rows, counts and step.
    let step = Step::Continue { window, cursor: "ch_2".into() };
    let second = lane.commit(&[charge("ch_2", json!({ "novel": 1 })), charge("ch_0", json!({ "amount": 5 }))], 2, step);
    let failed = wait(handle.run(move |store| {
        store.commit_page(&second)?;
        Err::<(), _>(problem::STORE_BUSY.plain())
    }));
    assert!(failed.unwrap_err().is(&problem::STORE_BUSY));
    assert_eq!(look(&path, coverage), ["open|ch_1|1|3|1|77|1700000000001"]);
    assert_eq!(look(&path, "SELECT id, amount FROM stripe_charges ORDER BY id"), ["ch_0|1000", "ch_1|1000"]);
    assert!(look(&path, "SELECT * FROM drift").is_empty());

    let last = lane.commit(&[charge("ch_2", json!({}))], 3, Step::Complete { window });
    let windows = wait(handle.run(move |store| {
        store.commit_page(&last)?;
        store.windows(main, "stripe_charges")
    }));
    let windows = windows.unwrap();
    assert_eq!(windows.len(), 1);
    let window = &windows[0];
    assert_eq!((window.state, &window.cursor, window.pages, window.rows), (WindowState::Complete, &None, 2, 4));
    assert_eq!((window.from_at, window.to_at, window.provider_at), (0, 1000, Some(77)));
    // A finished window moves no more.
    let late = lane.commit(&[], 4, Step::Continue { window: WindowKey::Kept(window.window), cursor: "ch_9".into() });
    wait(handle.run(move |store| store.commit_page(&late))).unwrap();
    assert_eq!(look(&path, "SELECT state, cursor, pages FROM coverage"), ["complete|-|2"]);
}

#[test]
fn a_later_walk_replaces_what_it_covers_and_nothing_else() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let main = account(&mut store, "main").account;
    let lane = Lane::new(main, "stripe_charges", Profile::Standard);
    let mut walk = |from, to, at, whole: bool| {
        let window = WindowKey::New(new_window((from, to), at));
        let step = if whole { Step::Complete { window } } else { Step::GiveUp { window, reason: "refused" } };
        assert!(store.step(&lane.upsert, &step, (0, 0), 1).unwrap().is_some());
        look(&path, "SELECT from_at, to_at, state, provider_at FROM coverage ORDER BY from_at, to_at, provider_at")
    };
    walk(0, 10, 100, true);
    walk(10, 20, 100, false);
    let two = ["0|10|complete|100", "10|20|gap|100"];
    assert_eq!(walk(10, 20, 110, false), [two[0], "10|20|gap|110"], "the same gap is one gap");
    assert_eq!(walk(10, 30, 120, true), ["0|10|complete|100", "10|30|complete|120"], "a gap that was walked is none");
    assert_eq!(
        walk(5, 15, 130, true),
        ["0|10|complete|100", "5|15|complete|130", "10|30|complete|120"],
        "overlaps stay"
    );
    assert_eq!(walk(0, 30, 90, true).len(), 4, "an earlier walk does not replace later ones");
    assert_eq!(walk(0, 30, 200, true), ["0|30|complete|200"]);
    // What was stated without a walk (a feed that reaches no further) is closed by its name only.
    store.state_gap(&lane.upsert, ("created", "feed_retention"), (10, 20), 210).unwrap();
    let window = WindowKey::New(new_window((0, 30), 220));
    store.step(&lane.upsert, &Step::Complete { window }, (0, 0), 1).unwrap();
    assert_eq!(look(&path, "SELECT from_at, state FROM coverage ORDER BY from_at"), ["0|complete", "10|gap"]);
}

#[test]
fn numbers_of_reads_only_grow() {
    let (_folder, path) = folder();
    let mut last = 0;
    let mut take = |handle: &StoreHandle, count| {
        let first = wait(handle.run(move |store| store.take_read_seq(count))).unwrap();
        assert!(first > last, "{first} after {last}");
        last = first + count - 1;
    };
    for round in 0..4 {
        let handle = StoreHandle::inline(open(&path));
        for count in [1, 256, 1, 9_999, 10_001, 1] {
            take(&handle, count);
        }
        // Numbers taken by a job that fails are not on the disk: they must not count as reserved either.
        let failed = wait(handle.run(|store| {
            store.take_read_seq(50_000)?;
            Err::<(), _>(problem::STORE_BUSY.plain())
        }));
        failed.unwrap_err();
        take(&handle, 256);
        match round % 2 {
            0 => drop(handle), // as a crash would leave it
            _ => wait(handle.close()).unwrap(),
        }
    }
}

#[test]
fn accounts_keep_their_rows_under_any_name() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let main = account(&mut store, "main");
    let lane = Lane::new(main.account, "stripe_charges", Profile::Standard);
    store.commit_page(&lane.commit(&[charge("ch_1", json!({})), charge("ch_2", json!({}))], 1, Step::Nothing)).unwrap();
    store.commit_page(&lane.commit(&[charge("ch_2", json!({}))], 2, Step::Nothing)).unwrap();
    let drawn = |lot| store.some_id(main.account, "stripe_charges", lot).unwrap().unwrap();
    assert_eq!([0, 1, 2].map(drawn), ["ch_1", "ch_2", "ch_1"]);
    assert_eq!(store.some_id(main.account, "stripe_refunds", 0).unwrap(), None);
    assert!(store.holds(main.account, "stripe_charges", "ch_1").unwrap());
    assert!(!store.holds(main.account, "stripe_charges", "ch_3").unwrap());
    assert_eq!(account(&mut store, "main"), main, "known names make no new account");

    let other = store.ensure_account("other", "checkoutcom", 1, &counterfoil::entropy::SeededEntropy::new(9)).unwrap();
    assert_ne!((other.account, &other.uuid), (main.account, &main.uuid));
    let tables = ["stripe_charges".to_owned()];
    let mut rename = |old, new| store.rename_connection(old, new, &tables, 4).unwrap();
    assert_eq!(rename("main", "other"), Renamed::Taken, "by a connection to another provider");
    assert_eq!(rename("nobody", "new"), Renamed::Unknown);
    assert_eq!(rename("main", "shop"), Renamed::Done);
    let renamed = store.account("shop").unwrap().unwrap();
    assert_eq!((renamed.account, &renamed.uuid, store.account("main").unwrap()), (main.account, &main.uuid, None));
    assert_eq!(store.count_rows(main.account, "stripe_charges").unwrap(), 2);

    store.set_livemode(main.account, true).unwrap();
    assert!(store.remove_connection("shop", 5).unwrap() && !store.remove_connection("shop", 5).unwrap());
    let all = store.accounts().unwrap();
    assert_eq!(all.iter().map(|a| a.account).collect::<Vec<_>>(), [other.account, main.account]);
    assert_eq!((all[1].connection.as_deref(), all[1].livemode), (None, Some(true)));
    assert_eq!(store.count_rows(main.account, "stripe_charges").unwrap(), 2, "rows stay");
}

#[test]
fn of_a_streams_runs_the_last_are_kept_whatever_other_streams_do() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let account = account(&mut store, "main").account;
    let rare = store.begin_run(account, "stripe_payouts", READ_AT).unwrap();
    for n in 0..RUNS_KEPT + 100 {
        let run = store.begin_run(account, "stripe_charges", READ_AT + n).unwrap();
        store.end_run(run, &RunEnd::default(), READ_AT + n).unwrap();
    }
    let count = |stream: &str| look(&path, &format!("SELECT count(*), min(run) FROM runs WHERE stream = '{stream}'"));
    assert_eq!(count("stripe_payouts"), [format!("1|{rare}")]);
    // 601 runs there were in all; after the 576th the first 75 of these 575 went.
    assert_eq!(count("stripe_charges"), [format!("{}|{}", RUNS_KEPT + 25, rare + 76)]);
}

#[test]
fn of_a_stream_the_last_problem_stands_and_of_a_connection_all() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let of = Some(account(&mut store, "main").account);
    let standing =
        || look(&path, "SELECT coalesce(stream, '-'), code FROM problems WHERE cleared_at IS NULL ORDER BY 1, 2");
    let mut note = |account, stream, entry: &'static problem::Entry, at| {
        store.note_problem(account, stream, &entry.plain(), at).unwrap();
    };
    note(of, Some("stripe_charges"), &problem::HTTP_FORBIDDEN, 1);
    note(of, Some("stripe_charges"), &problem::HTTP_TIMEOUT, 2);
    note(of, None, &problem::HTTP_FORBIDDEN, 3);
    note(of, None, &problem::HTTP_TIMEOUT, 4);
    note(None, Some("upstream"), &problem::EGRESS_BUSY, 5);
    note(None, Some("upstream"), &problem::EGRESS_GONE, 6);
    let (forbidden, timeout) = (problem::HTTP_FORBIDDEN.code, problem::HTTP_TIMEOUT.code);
    let (busy, gone) = (problem::EGRESS_BUSY.code, problem::EGRESS_GONE.code);
    let all = |codes: &[(&str, &str)]| codes.iter().map(|(of, code)| format!("{of}|{code}")).collect::<Vec<_>>();
    let before =
        [("-", forbidden), ("-", timeout), ("stripe_charges", timeout), ("upstream", busy), ("upstream", gone)];
    assert_eq!(standing(), all(&before));
    store.clear_problem(busy, 7).unwrap();
    assert_eq!(standing(), all(&[before[0], before[1], before[2], before[4]]));
    assert_eq!(look(&path, &format!("SELECT cleared_at FROM problems WHERE code = '{busy}'")), ["7"]);
}
