//! The random re-read: a healthy store shows no difference and gets its bound; what was lost or altered behind the agent's
//! back is found, healed and told; what merely changed meanwhile is not counted.

use std::time::Duration;

use counterfoil::agent::request::{Request, perform};
use counterfoil::sandbox::{Fault, FaultKind};
use counterfoil::testpoint::limit_pages;
use serde_json::Value;

use crate::sync::{Rig, behind_its_back, problems};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

async fn verify(rig: &Rig, targets: &[&str]) -> Value {
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    perform(&rig.parts, Request::Verify { targets }, &|_| ()).await.unwrap()
}

fn stream<'v>(report: &'v Value, connection: &str, stream: &str) -> &'v Value {
    let one = report["connections"].as_array().unwrap().iter().find(|one| one["connection"] == connection).unwrap();
    one["streams"].as_array().unwrap().iter().find(|one| one["stream"] == stream).unwrap()
}

fn link(report: &Value, stream: &str) -> (i64, i64) {
    let all = report["connections"].as_array().unwrap().iter().flat_map(|one| one["links"].as_array().unwrap());
    let one = all.into_iter().find(|one| one["stream"] == stream).unwrap();
    (one["compared"].as_i64().unwrap(), one["different"].as_i64().unwrap())
}

/// Compared, different, undecided.
fn found(report: &Value, connection: &str, name: &str) -> (i64, i64, i64) {
    let one = stream(report, connection, name);
    let number = |key: &str| one[key].as_i64().unwrap();
    (number("compared"), number("different"), number("undecided"))
}

fn number(rig: &Rig, sql: &str) -> i64 {
    rig.reader().table(sql).unwrap().rows[0][0].int().unwrap()
}

/// Of the rows that are old enough to be compared, those with these numbers, by id.
fn old(table: &str, clock: &str, from: u32, count: u32) -> String {
    format!(
        "(SELECT id FROM {table} WHERE {clock} < (SELECT max({clock}) FROM {table}) - 5 * 86400000
          ORDER BY {clock}, id LIMIT {count} OFFSET {from})"
    )
}

/// Streams with problems that stand.
fn standing(rig: &Rig) -> Vec<(String, String)> {
    let sql = "SELECT stream, code FROM problems WHERE cleared_at IS NULL ORDER BY stream";
    let rows = rig.reader().table(sql).unwrap().rows;
    rows.iter().map(|row| (row[0].str().unwrap().to_owned(), row[1].str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn a_healthy_store_shows_no_difference_and_gets_its_bound() {
    let rig = Rig::new(1_500).await;
    rig.sync().await;
    for days in [1, 9, 25] {
        rig.clock.advance(DAY * days);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    }
    let report = verify(&rig, &[]).await;
    assert_eq!(problems(&report), Vec::<Value>::new());
    for (connection, name) in [
        ("main", "charges"),
        ("main", "refunds"),
        ("main", "disputes"),
        ("main", "payment_intents"),
        ("main", "balance_transactions"),
        ("main", "payouts"),
        ("eu", "payments"),
        ("eu", "disputes"),
    ] {
        let (compared, different, _) = found(&report, connection, name);
        assert!(compared > 0 && different == 0, "{name}: {compared} {different}");
        let sample = &stream(&report, connection, name)["last_30_days"];
        let all = sample["compared"].as_i64().unwrap();
        assert!(all > compared, "{name}: the daily ones are in it");
        assert!((sample["rate"].as_f64().unwrap() - (3.0 / all as f64).min(1.0)).abs() < 1e-6, "{name}");
        assert!((sample["checked_at"].as_i64().unwrap() - rig.sandbox.now_ms()).abs() < 600_000);
    }
    for (name, least) in [("refunds", 20), ("disputes", 1)] {
        let (compared, different) = link(&report, name);
        assert!(compared >= least && different == 0, "{name}: {compared} {different}");
    }
    assert_eq!(standing(&rig), []);
}

#[tokio::test]
async fn what_was_lost_or_altered_is_found_healed_and_told_until_as_much_was_compared_anew() {
    let rig = Rig::new(300).await;
    rig.sync().await;
    let charges = number(&rig, "SELECT count(*) FROM stripe_charges");
    let amounts = "SELECT sum(amount) FROM stripe_charges WHERE deleted_at IS NULL";
    let amount = number(&rig, amounts);
    let old_charges = |from, count| old("stripe_charges", "created_at", from, count);
    behind_its_back(&rig, &format!("DELETE FROM stripe_charges WHERE id IN {}", old_charges(40, 2)));
    // Far from what is not shown, so that not one list shows both.
    let altered = rig.reader().table(&format!("SELECT * FROM {}", old_charges(200, 1))).unwrap().rows[0][0]
        .str()
        .unwrap()
        .to_owned();
    behind_its_back(&rig, &format!("UPDATE stripe_charges SET amount = amount + 1 WHERE id = '{altered}'"));
    behind_its_back(
        &rig,
        &format!(
            "CREATE TEMP TABLE one AS SELECT * FROM stripe_charges WHERE id IN {};
             UPDATE one SET id = 'ch_phantom'; INSERT INTO stripe_charges SELECT * FROM one;
             UPDATE stripe_balance_transaction_fees SET amount = amount + 1 WHERE balance_transaction_id IN {};
             DELETE FROM checkoutcom_payments WHERE id IN {}",
            old_charges(3, 1),
            old("stripe_balance_transactions", "created_at", 50, 1),
            old("checkoutcom_payments", "requested_at", 10, 1),
        ),
    );

    // So few that all of them are compared.
    let report = verify(&rig, &[]).await;
    let (compared, different, undecided) = found(&report, "main", "charges");
    assert!(compared > 200, "{compared}");
    assert_eq!((different, undecided), (2, 2), "what is held otherwise, or is not shown, may have changed just now");
    assert_eq!(found(&report, "main", "balance_transactions").1, 1, "a row of a child table");
    assert_eq!(found(&report, "eu", "payments").1, 1);
    assert_eq!(number(&rig, amounts), amount + phantom(&rig), "healed, but for what is not shown");
    let told = ["checkoutcom_payments", "stripe_balance_transactions", "stripe_charges"];
    assert_eq!(standing(&rig), told.map(|stream| (stream.to_owned(), "sync.difference".to_owned())));
    let holes = rig.reader().table("SELECT 1 FROM coverage WHERE stream = 'stripe_charges'").unwrap().rows.len();
    assert!(holes > 1, "the days around are to be listed again");

    // Once changes were heard beyond it, what no change explains counts too; and what was shown is not asked for once more.
    let before = rig.sandbox.requests().len();
    for _ in 0..2 {
        rig.clock.advance(HOUR);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    }
    let since = rig.sandbox.requests().split_off(before);
    let asked = |id: &str| since.iter().filter(|one| one.path == format!("/v1/charges/{id}")).count();
    assert_eq!((asked(&altered), asked("ch_phantom")), (0, 1));
    assert_eq!(standing(&rig).len(), 3, "it stands though all streams are up to date");
    let counted = "SELECT sum(different) FROM checks WHERE stream = 'stripe_charges' AND kind = 'reread'";
    assert_eq!(number(&rig, counted), 4);
    assert_eq!(number(&rig, "SELECT deleted_at IS NOT NULL FROM stripe_charges WHERE id = 'ch_phantom'"), 1);
    assert_eq!(number(&rig, "SELECT count(*) FROM changes"), 0);
    assert!(number(&rig, "SELECT count(*) FROM stripe_charges") > charges);
    let gaps = rig.reader().table("SELECT 1 FROM coverage WHERE state <> 'complete'").unwrap().rows.len();
    assert_eq!(gaps, 0);
    let sample = &stream(&verify(&rig, &["main/charges"]).await, "main", "charges")["last_30_days"].clone();
    let all = sample["compared"].as_f64().unwrap();
    assert!((sample["rate"].as_f64().unwrap() - 4.0 / all).abs() < 1e-6, "the rate itself, once something differed");

    for _ in 0..2 {
        let report = verify(&rig, &[]).await;
        assert_eq!(found(&report, "main", "charges").1, 0);
    }
    assert_eq!(standing(&rig), [], "as many rows were compared anew");
}

fn phantom(rig: &Rig) -> i64 {
    number(rig, "SELECT amount FROM stripe_charges WHERE id = 'ch_phantom'")
}

#[tokio::test]
async fn what_changed_meanwhile_is_not_counted() {
    let rig = Rig::new(400).await;
    rig.sync().await;
    let mut undecided = 0;
    for days in [8, 5, 5, 5] {
        rig.clock.advance(DAY * days);
        rig.sync().await;
        rig.clock.advance(HOUR * 46);
        let report = verify(&rig, &[]).await;
        for (connection, name) in [
            ("main", "charges"),
            ("main", "refunds"),
            ("main", "disputes"),
            ("main", "payment_intents"),
            ("main", "balance_transactions"),
            ("main", "payouts"),
            ("eu", "payments"),
            ("eu", "disputes"),
        ] {
            let found = found(&report, connection, name);
            assert_eq!(found.1, 0, "{name}: {found:?}");
            undecided += found.2;
        }
        let marks = "SELECT count(*) FROM changes WHERE reason = 'check'";
        for _ in 0..3 {
            assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
            rig.clock.advance(HOUR);
        }
        assert_eq!(number(&rig, marks), 0, "judged");
    }
    assert!(undecided > 5, "{undecided}: too little changed to show anything");
    assert_eq!(number(&rig, "SELECT sum(different) FROM checks"), 0, "and explained");
    assert_eq!(standing(&rig), []);
}

#[tokio::test]
async fn what_moves_when_it_changes_is_explained_by_its_new_time_only_if_that_is_recent() {
    let rig = Rig::new(1_600).await;
    let pick = |which: &str, most: u32| -> Vec<String> {
        let sql = format!("SELECT id FROM checkoutcom_disputes WHERE updated_at {which} ORDER BY updated_at DESC");
        let found = rig.reader().table(&format!("{sql} LIMIT {most}")).unwrap().rows;
        found.iter().map(|row| format!("'{}'", row[0].str().unwrap())).collect()
    };
    let (mut recent, mut old) = (Vec::new(), Vec::new());
    for _ in 0..25 {
        rig.sync().await;
        let now = rig.sandbox.now_ms();
        recent = pick(&format!("> {now} - 86400000"), 1);
        old = pick(&format!("BETWEEN {now} - 20 * 86400000 AND {now} - 6 * 86400000"), 2);
        if (recent.len(), old.len()) == (1, 2) {
            break;
        }
        rig.clock.advance(DAY * 2);
    }
    assert_eq!((recent.len(), old.len()), (1, 2), "the test needs them");
    // As if three changes were not heard of: one that is too recent to have been, and two that are not.
    behind_its_back(
        &rig,
        &format!(
            "UPDATE checkoutcom_disputes SET updated_at = updated_at - 9 * 86400000 WHERE id IN ({});
             UPDATE checkoutcom_disputes SET updated_at = updated_at - 86400000 WHERE id IN ({})",
            recent.join(", "),
            old.join(", ")
        ),
    );
    let (_, different, undecided) = found(&verify(&rig, &["eu/disputes"]).await, "eu", "disputes");
    assert_eq!((different, undecided), (0, 3));
    let counted = "SELECT sum(different) FROM checks WHERE stream = 'checkoutcom_disputes' AND kind = 'reread'";
    // Ten minutes are less than the lag and the overlap: a change may still come late.
    for (wait, unexplained) in [(HOUR / 6, 0), (HOUR, 2), (HOUR, 2)] {
        rig.clock.advance(wait);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        assert_eq!(number(&rig, counted), unexplained, "after {wait:?} more");
    }
    assert_eq!(standing(&rig), [("checkoutcom_disputes".to_owned(), "sync.difference".to_owned())]);
    let back = format!("SELECT min(updated_at) FROM checkoutcom_disputes WHERE id IN ({})", recent.join(", "));
    assert!(number(&rig, &back) > rig.sandbox.now_ms() - 3 * 86_400_000, "all are healed");
}

#[tokio::test]
async fn what_became_due_since_it_was_last_looked_for_changed_by_right() {
    let rig = Rig::new(300).await;
    rig.sync().await;
    let now = rig.sandbox.now_ms();
    let pending = |from, count, available: i64| {
        let which = old("stripe_balance_transactions", "created_at", from, count);
        let set = format!("status = 'pending', available_at = {available}");
        behind_its_back(&rig, &format!("UPDATE stripe_balance_transactions SET {set} WHERE id IN {which}"));
    };
    pending(20, 1, now + 600_000);
    pending(40, 2, now - 86_400_000);
    rig.clock.advance(HOUR);
    let (_, different, undecided) =
        found(&verify(&rig, &["main/balance_transactions"]).await, "main", "balance_transactions");
    assert_eq!((different, undecided), (2, 0), "two were due already when they were last looked for");
}

#[tokio::test]
async fn where_changes_were_not_heard_of_late_only_ids_of_the_other_streams_are_compared() {
    let rig = Rig::new(500).await;
    rig.sync().await;
    rig.clock.advance(DAY * 4);
    let report = verify(&rig, &[]).await;
    assert_eq!(found(&report, "main", "charges"), (0, 0, 0));
    assert!(found(&report, "eu", "payments").0 > 0);
}

#[tokio::test]
async fn every_day_a_few_windows_are_compared_for_a_few_reads() {
    let rig = Rig::new(2_000).await;
    rig.sync().await;
    assert_eq!(number(&rig, "SELECT count(*) FROM checks"), 0, "what was listed just now is not listed again");
    for _ in 0..3 {
        rig.clock.advance(DAY);
        for _ in 0..2 {
            rig.sync().await;
        }
    }
    let of = "FROM checks WHERE stream = 'stripe_charges' AND kind = 'reread'";
    assert_eq!(number(&rig, &format!("SELECT count(*) {of}")), 3);
    // Some of what is drawn lies before the first charge.
    assert!(number(&rig, &format!("SELECT sum(compared) {of}")) > 50);
    let feed = "SELECT count(*) FROM checks WHERE stream = 'stripe_events'";
    assert_eq!(number(&rig, feed), 0, "it is kept for some days only");
    let reads = number(&rig, "SELECT sum(reads) FROM reads WHERE purpose = 'check'");
    assert!((20..=8 * 3 * 3 * 2).contains(&reads), "{reads}");
}

#[tokio::test]
async fn a_daily_comparison_that_fails_is_told_and_made_by_the_next_pass() {
    // What the first does without a fault, the second does up to the last request: that is the comparison's.
    let (model, rig) = (Rig::new(300).await, Rig::new(300).await);
    let asked = |rig: &Rig| rig.sandbox.requests().iter().filter(|one| one.path.starts_with("/v1/payouts")).count();
    let compared = |rig: &Rig| number(rig, "SELECT count(*) FROM checks WHERE stream = 'stripe_payouts'");
    for rig in [&model, &rig] {
        rig.sync().await;
        rig.clock.advance(DAY);
    }
    let before = asked(&model);
    assert_eq!(problems(&model.sync().await), Vec::<Value>::new());
    assert_eq!(compared(&model), 1, "so few that one window holds them all");

    // Nor is it made of a stream that could not be read just now.
    let last = (asked(&model) - before) as u64;
    for nth in [last, 1] {
        rig.sandbox.set_faults(vec![Fault::nth("/v1/payouts", nth, FaultKind::status(403))]);
        rig.sync().await;
        assert_eq!(standing(&rig), [("stripe_payouts".to_owned(), "http.forbidden".to_owned())]);
        assert_eq!(compared(&rig), 0);
        rig.clock.advance(HOUR / 12);
    }
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!((compared(&rig), standing(&rig)), (1, vec![]));
    rig.clock.advance(HOUR / 12);
    rig.sync().await;
    assert_eq!(compared(&rig), 1, "once a day");
}

#[tokio::test]
async fn an_empty_answer_is_looked_at_twice_and_a_refusal_is_no_difference() {
    let rig = Rig::new(300).await;
    rig.sync().await;
    // All parts are drawn, in order; the first of them are older than the account.
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 3, FaultKind::Empty)]);
    let report = verify(&rig, &["main/charges"]).await;
    let (compared, different, undecided) = found(&report, "main", "charges");
    assert!(compared > 200 && different == 0 && undecided == 0, "{compared} {different} {undecided}");

    rig.sandbox.set_faults(vec![Fault::always("/v1/refunds", FaultKind::status(403))]);
    let report = verify(&rig, &["main"]).await;
    assert_eq!(stream(&report, "main", "refunds")["problem"]["code"], "http.forbidden");
    assert_eq!(found(&report, "main", "refunds"), (0, 0, 0));
    assert!(found(&report, "main", "charges").0 > 0, "the others are compared all the same");
    assert_eq!(standing(&rig), [("stripe_refunds".to_owned(), "http.forbidden".to_owned())]);
}

#[tokio::test]
async fn what_shows_too_much_at_once_is_compared_by_halves_and_a_second_that_does_is_not() {
    let rig = Rig::with(40, false, |options| options.payments = 400).await;
    rig.sync().await;
    let compare = async |most| {
        limit_pages(most);
        let before = rig.sandbox.requests().len();
        let report = verify(&rig, &["eu/payments"]).await;
        (found(&report, "eu", "payments"), rig.sandbox.requests().len() - before)
    };
    let (whole, _) = compare(u32::MAX).await;
    assert!(whole.0 > 250, "{whole:?}");
    let (halves, requests) = compare(12).await;
    assert_eq!(halves, whole, "in {requests} requests");
    assert!(requests > 40, "{requests}");
    assert_eq!(compare(1).await.0, (0, 0, 0));
    limit_pages(u32::MAX);
}

#[tokio::test]
async fn what_a_record_names_must_be_held() {
    let rig = Rig::new(800).await;
    rig.sync().await;
    rig.clock.advance(DAY * 32);
    rig.sync().await;
    let healthy = verify(&rig, &["main/payouts"]).await;
    assert!(healthy["connections"][0]["links"].as_array().unwrap().is_empty(), "payouts name nothing");
    let healthy = verify(&rig, &["main/refunds", "main/charges", "eu/disputes"]).await;
    for name in ["refunds", "charges", "disputes"] {
        assert!(link(&healthy, name).0 > 0 && link(&healthy, name).1 == 0, "{name}: {:?}", link(&healthy, name));
    }
    behind_its_back(
        &rig,
        "DELETE FROM stripe_charges WHERE id = (SELECT charge_id FROM stripe_refunds ORDER BY created_at LIMIT 1);
         DELETE FROM stripe_balance_transactions WHERE source_id IN (SELECT id FROM stripe_charges ORDER BY created_at LIMIT 40);
         DELETE FROM checkoutcom_payments WHERE id IN (SELECT payment_id FROM checkoutcom_disputes)",
    );
    let report = verify(&rig, &["main/refunds", "eu/disputes"]).await;
    assert_eq!(link(&report, "refunds").1, 1);
    assert_eq!(link(&report, "disputes").1, link(&healthy, "disputes").0);
    let noted = "SELECT different FROM checks WHERE stream = 'stripe_refunds' AND kind = 'charge_id'
        ORDER BY checked_at DESC LIMIT 1";
    assert_eq!(number(&rig, noted), 1);
    let report = verify(&rig, &["main/charges"]).await;
    assert!(link(&report, "charges").1 > 10, "{:?}", link(&report, "charges"));
}
