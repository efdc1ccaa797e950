//! A payment that is marked as changed is read by its id, and so are its actions: they come together or not at all.

use std::time::Duration;

use counterfoil::sandbox::{CHECKOUT_KEY, Fault, FaultKind, Key, Logged, TruthStream};
use serde_json::Value;

use super::{HOUR, TOLD, count};
use crate::sync::{Rig, behind_its_back, problems, stream_problem};

/// A refunded payment as the store holds it: what was rewound, and what must come back.
struct Refunded {
    id: String,
    /// Id and amount of its refund.
    refund: (String, i64),
}

/// An agent that has read everything; one payment of it, refunded long after it was made, is rewound to the time before its
/// refund and marked, as by a dispute.
async fn before_the_refund(lacks: &[&str]) -> (Rig, Refunded) {
    let rig = Rig::with(40, false, |options| {
        options.payments = 2_000;
        let lacks = lacks.iter().map(|scope| (*scope).to_owned()).collect();
        options.checkout_keys = vec![Key { lacks, ..Key::reading_all(CHECKOUT_KEY) }];
    })
    .await;
    // The second pass settles what disputes marked while the first one was still reading payments.
    for _ in 0..2 {
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    }
    let whole = "SELECT p.id, a.id, a.amount FROM checkoutcom_payments p
        JOIN checkoutcom_payment_actions a ON a.payment_id = p.id AND a.type = 'refund'
        WHERE p.status = 'refunded' AND a.amount = p.amount ORDER BY p.requested_at LIMIT 1";
    let row = rig.reader().table(whole).unwrap().rows.remove(0);
    let (id, refund) = (row[0].str().unwrap().to_owned(), row[1].str().unwrap().to_owned());
    behind_its_back(
        &rig,
        &format!(
            "INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason)
             SELECT account, 'checkoutcom_payments', id, read_at - 1000000, read_seq, 'checkoutcom_disputes'
             FROM checkoutcom_payments WHERE id = '{id}';
             UPDATE checkoutcom_payments SET status = 'captured', amount_refunded = 0 WHERE id = '{id}';
             DELETE FROM checkoutcom_payment_actions WHERE id = '{refund}'"
        ),
    );
    (rig, Refunded { id, refund: (refund, row[2].int().unwrap()) })
}

impl Refunded {
    /// Status of the payment, how it was read, refunds in the view, marks.
    fn stands(&self, rig: &Rig) -> (String, String, Vec<(String, i64)>, i64) {
        let reader = rig.reader();
        let row = format!("SELECT status, source FROM checkoutcom_payments WHERE id = '{}'", self.id);
        let row = reader.table(&row).unwrap().rows.remove(0);
        let text = |at: usize| row[at].str().unwrap().to_owned();
        let view = "SELECT refund_id, amount FROM refunds WHERE provider = 'checkoutcom' AND status = 'succeeded'";
        let refunds = reader.table(&format!("{view} AND payment_id = '{}'", self.id)).unwrap().rows;
        let refunds = refunds.iter().map(|row| (row[0].str().unwrap().to_owned(), row[1].int().unwrap())).collect();
        (text(0), text(1), refunds, count(rig, TOLD))
    }

    fn before(&self) -> (String, String, Vec<(String, i64)>, i64) {
        ("captured".to_owned(), "search".to_owned(), vec![], 1)
    }

    fn after(&self, source: &str) -> (String, String, Vec<(String, i64)>, i64) {
        ("refunded".to_owned(), source.to_owned(), vec![self.refund.clone()], 0)
    }

    fn actions(&self) -> String {
        format!("/payments/{}/actions", self.id)
    }
}

/// Paths and statuses of what was asked about single payments since then.
fn asked(rig: &Rig, before: usize) -> Vec<(String, u16)> {
    let single = |one: &Logged| one.path.starts_with("/payments/pay_") || one.body.contains("id:'");
    let since = rig.sandbox.requests().split_off(before).into_iter();
    since.filter(single).map(|one| (one.path, one.status)).collect()
}

#[tokio::test]
async fn the_refund_behind_a_changed_payment_comes_with_it() {
    let (rig, payment) = before_the_refund(&[]).await;
    assert_eq!(payment.stands(&rig), payment.before());
    let before = rig.sandbox.requests().len();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let (by_id, actions) = (format!("/payments/{}", payment.id), payment.actions());
    assert_eq!(asked(&rig, before), [(by_id, 200), (actions, 200)]);
    assert_eq!(payment.stands(&rig), payment.after("get"));
    // Each row has the number of its own read, and what search told and the bare array does not is kept.
    let sql = format!(
        "SELECT count(*) FROM checkoutcom_payment_actions a JOIN checkoutcom_payments p ON p.id = a.payment_id
         WHERE p.id = '{}' AND a.source = 'get' AND a.read_seq > p.read_seq AND a.read_at = p.read_at AND a.approved = 1
         AND a.currency = p.currency AND a.deleted_at IS NULL AND",
        payment.id
    );
    let of = |condition: &str| count(&rig, &format!("{sql} {condition}"));
    let kinds = ["authorization", "capture"].map(|kind| of(&format!("a.type = '{kind}' AND a.status = 'approved'")));
    assert_eq!((kinds, of("a.type = 'refund' AND a.status IS NULL")), ([1, 1], 1));
    assert_eq!(count(&rig, "SELECT count(*) FROM rejected"), 0);
}

#[tokio::test]
async fn what_a_read_by_id_leaves_out_search_tells_once_it_cannot_be_behind() {
    let (rig, payment) = before_the_refund(&[]).await;
    // Search alone tells of disputes and authentications among the actions.
    let dispute = format!("FROM checkoutcom_payment_actions WHERE payment_id = '{}' AND type = 'other'", payment.id);
    let of_search = "UPDATE checkoutcom_payment_actions SET type = 'other', read_seq = 0 WHERE type = 'authorization'";
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let seen = |rig: &Rig, before| {
        let asked: Vec<String> = asked(rig, before).into_iter().map(|(path, _)| path).collect();
        let marks = count(rig, "SELECT count(*) FROM changes");
        (asked, payment.stands(rig).1, marks, count(rig, &format!("SELECT count(*) {dispute}")))
    };
    behind_its_back(&rig, &format!("{of_search} AND payment_id = '{}'", payment.id));
    for seconds in [0, 600] {
        rig.clock.advance(Duration::from_secs(seconds));
        let before = rig.sandbox.requests().len();
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        assert_eq!(seen(&rig, before), (vec![], "get".to_owned(), 1, 1), "after {seconds} s");
    }
    rig.clock.advance(Duration::from_secs(400));
    let before = rig.sandbox.requests().len();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let search = "/payments/search".to_owned();
    assert_eq!(seen(&rig, before), (vec![search], "search".to_owned(), 0, 0));
    let before = rig.sandbox.requests().len();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(seen(&rig, before).0, Vec::<String>::new(), "and that is all");
}

#[tokio::test]
async fn what_search_does_not_show_of_what_was_read_by_id_is_no_problem_and_asked_for_once() {
    // Searches of the present come before it, by the same path: the first time tells how many.
    let mut before_it = 0;
    for kinds in [vec![], vec![FaultKind::Empty; 2], vec![FaultKind::status(422)], vec![FaultKind::status(404)]] {
        let (rig, payment) = before_the_refund(&[]).await;
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        rig.clock.advance(HOUR);
        let faults = (before_it + 1..).zip(kinds.clone());
        let faults = faults.map(|(nth, kind)| Fault::nth("/payments/search", nth, kind));
        rig.sandbox.set_faults(faults.collect());
        let searches = async || {
            let before = rig.sandbox.requests().len();
            assert_eq!(problems(&rig.sync().await), Vec::<Value>::new(), "{kinds:?}");
            let searches = rig.sandbox.requests().split_off(before).into_iter();
            searches.filter(|one| one.path == "/payments/search").collect::<Vec<_>>()
        };
        let by_id = |one: &Logged| one.body.contains(&payment.id);
        let asked = searches().await;
        if kinds.is_empty() {
            before_it = asked.iter().position(by_id).unwrap() as u64;
        }
        assert_eq!(asked.iter().filter(|one| by_id(one)).count(), kinds.len().max(1), "{kinds:?}");
        let source = if kinds.is_empty() { "search" } else { "get" };
        assert_eq!(payment.stands(&rig), payment.after(source), "{kinds:?}");
        assert_eq!(count(&rig, "SELECT count(*) FROM changes"), 0, "{kinds:?}");
        assert!(!searches().await.iter().any(by_id), "{kinds:?}");
    }
}

#[tokio::test]
async fn a_list_that_may_be_older_than_what_was_told_does_not_settle_it() {
    let (rig, payment) = before_the_refund(&[]).await;
    let told = rig.sandbox.now_ms() - 60_000;
    // All is listed anew, and the payment cannot be read by its id.
    behind_its_back(
        &rig,
        &format!("DELETE FROM coverage WHERE stream LIKE 'checkoutcom%'; UPDATE changes SET changed_at = {told}"),
    );
    rig.sandbox.set_faults(vec![Fault::always("/payments/pay_", FaultKind::status(422))]);
    for _ in 0..2 {
        assert_eq!(stream_problem(&rig.sync().await, "payments").as_deref(), Some("http.bad_request"));
        let (status, source, refunds, marks) = payment.stands(&rig);
        assert_eq!(
            (status.as_str(), source.as_str(), refunds, marks),
            ("refunded", "search", vec![payment.refund.clone()], 1)
        );
    }
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(payment.stands(&rig), payment.after("get"));
}

#[tokio::test]
async fn no_list_of_the_time_before_the_start_is_asked_for_because_something_named_a_payment_of_it() {
    let rig = Rig::with(40, false, |options| (options.payments, options.days) = (2_000, 120)).await;
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let start = rig.sandbox.now_ms() - 41 * 86_400_000;
    let held = rig.ids("checkoutcom_payments");
    // All within some weeks, so that one search could bring them, and all others of that time.
    let ids = rig.truth(TruthStream::CheckoutPayments, start, start).into_iter().filter(|id| !held.contains(id));
    let named: Vec<String> = ids.take(20).map(|id| format!("'{id}'")).collect();
    for id in &named {
        behind_its_back(
            &rig,
            &format!(
                "INSERT OR REPLACE INTO changes (account, stream, id, changed_at, marked_seq, reason)
                 SELECT account, 'checkoutcom_payments', {id}, read_at, read_seq, 'checkoutcom_disputes'
                 FROM checkoutcom_payments ORDER BY read_seq DESC LIMIT 1"
            ),
        );
    }
    let named = named.join(", ");
    for source in ["get", "search"] {
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        let of = format!("SELECT count(*) FROM checkoutcom_payments WHERE id IN ({named}) AND source = '{source}'");
        assert_eq!(count(&rig, &of), 20, "by {source}");
        let others = format!(
            "SELECT count(*) FROM checkoutcom_payments WHERE requested_at < {start} AND id NOT IN ({named})
             AND id NOT IN (SELECT payment_id FROM checkoutcom_disputes)"
        );
        assert_eq!(count(&rig, &others), 0, "by {source}");
        rig.clock.advance(HOUR);
    }
}

#[tokio::test]
async fn where_the_actions_may_not_be_read_search_brings_both() {
    for code in [403, 404] {
        let (rig, payment) = before_the_refund(&[]).await;
        rig.sandbox.set_faults(vec![Fault::always(&payment.actions(), FaultKind::status(code))]);
        let before = rig.sandbox.requests().len();
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new(), "{code}");
        let asked: Vec<u16> = asked(&rig, before).into_iter().map(|(_, status)| status).collect();
        assert_eq!(asked, [200, code, 200]);
        assert_eq!(payment.stands(&rig), payment.after("search"));
    }
    let (rig, payment) = before_the_refund(&["gateway:payment-details"]).await;
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(payment.stands(&rig), payment.after("search"));
}

#[tokio::test]
async fn search_is_asked_for_the_time_that_the_record_told_where_it_is_not_held_yet() {
    // Without a range search looks back for ninety days.
    let rig = Rig::with(40, false, |options| (options.payments, options.days) = (400, 120)).await;
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let held = rig.ids("checkoutcom_payments");
    let old = rig.sandbox.now_ms() - 95 * 86_400_000;
    let id = rig.truth(TruthStream::CheckoutPayments, old, old).into_iter().find(|id| !held.contains(id)).unwrap();
    behind_its_back(
        &rig,
        &format!(
            "INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason)
             SELECT account, 'checkoutcom_payments', '{id}', read_at - 1000000, read_seq, 'checkoutcom_disputes'
             FROM checkoutcom_payments ORDER BY read_seq DESC LIMIT 1"
        ),
    );
    rig.sandbox.set_faults(vec![Fault::always(&format!("/payments/{id}/actions"), FaultKind::status(403))]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let found = format!("FROM checkoutcom_payments WHERE id = '{id}' AND source = 'search' AND requested_at < {old}");
    assert_eq!(count(&rig, &format!("SELECT count(*) {found}")), 1);
    assert_eq!(count(&rig, &format!("SELECT count(*) FROM changes WHERE id = '{id}'")), 0);
}

#[tokio::test]
async fn what_search_may_not_show_yet_is_read_by_id_however_many_they_are() {
    let (rig, _) = before_the_refund(&[]).await;
    // Thirty in a row, long settled. What marks them was told at this time before now.
    for (reason, told_ago, by_id) in [
        ("checkoutcom_disputes", 0, 30),
        ("checkoutcom_disputes", 800_000, 30),
        ("checkoutcom_disputes", 1_000_000, 0),
        ("unsettled", 0, 0),
    ] {
        // What was read by id before is long ago.
        rig.clock.advance(HOUR);
        let told = rig.sandbox.now_ms() - told_ago;
        behind_its_back(
            &rig,
            &format!(
                "DELETE FROM changes;
                 INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason)
                 SELECT account, 'checkoutcom_payments', id, {told}, (SELECT max(read_seq) FROM checkoutcom_payments), '{reason}'
                 FROM checkoutcom_payments ORDER BY requested_at LIMIT 30"
            ),
        );
        let before = rig.sandbox.requests().len();
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        let read: Vec<String> = asked(&rig, before).into_iter().map(|(path, _)| path).collect();
        let actions = read.iter().filter(|path| path.ends_with("/actions")).count();
        assert_eq!((read.len(), actions), (2 * by_id, by_id), "{reason}, {told_ago} ms ago");
        let state = "SELECT count(*) FROM (SELECT source FROM checkoutcom_payments ORDER BY requested_at LIMIT 30)";
        assert_eq!(count(&rig, &format!("{state} WHERE source = 'get'")), by_id as i64);
        assert_eq!(count(&rig, TOLD), 0);
        let rest = count(&rig, "SELECT count(*) FROM changes WHERE reason = 'get'");
        assert_eq!(rest, by_id as i64, "search is asked for the rest later");
    }
}

#[tokio::test]
async fn actions_that_cannot_be_read_keep_the_payment_as_it_was_and_its_mark() {
    let (rig, payment) = before_the_refund(&[]).await;
    let (status, actions) = (FaultKind::status, payment.actions());
    for (kind, code) in [
        (status(401), "http.unauthorised"),
        (status(422), "http.bad_request"),
        (FaultKind::Html, "http.wrong_content"),
        (FaultKind::ContentType, "http.wrong_content"),
        (FaultKind::Short, "sync.malformed"),
        // An object where the array should be.
        (FaultKind::Empty, "sync.malformed"),
    ] {
        rig.sandbox.set_faults(vec![Fault::always(&actions, kind.clone())]);
        let report = rig.sync().await;
        assert_eq!(stream_problem(&report, "payments").as_deref(), Some(code), "{kind:?}");
        assert_eq!(payment.stands(&rig), payment.before(), "{kind:?}");
    }
    // It is there and search does not show it: it is not given up as another entity's.
    let unseen = Fault::always("/payments/search", FaultKind::Empty);
    rig.sandbox.set_faults(vec![Fault::always(&actions, status(404)), unseen]);
    assert_eq!(stream_problem(&rig.sync().await, "payments").as_deref(), Some("http.not_found"));
    assert_eq!(payment.stands(&rig), payment.before());
    // Cut once, it is asked for again at once; and all is in.
    rig.sandbox.set_faults(vec![Fault::nth(&actions, 1, FaultKind::Cut)]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(payment.stands(&rig), payment.after("get"));
    assert_eq!(count(&rig, "SELECT count(*) FROM problems WHERE cleared_at IS NULL"), 0);
}

#[tokio::test]
async fn an_odd_action_is_looked_at_once_more_and_then_counted() {
    let (rig, payment) = before_the_refund(&[]).await;
    rig.sandbox.set_faults(vec![Fault::nth(&payment.actions(), 1, FaultKind::Odd)]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!((payment.stands(&rig), count(&rig, "SELECT count(*) FROM rejected")), (payment.after("get"), 0));
    let (rig, payment) = before_the_refund(&[]).await;
    rig.sandbox.set_faults(vec![Fault::always(&payment.actions(), FaultKind::Odd)]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    // The newest action is the refund: it alone is missing, and that is counted.
    let (status, source, refunds, marks) = payment.stands(&rig);
    assert_eq!((status.as_str(), source.as_str(), refunds, marks), ("refunded", "get", vec![], 0));
    let rejected = rig.reader().table("SELECT stream, id, reason, field FROM rejected").unwrap().rows;
    let rejected: Vec<&str> = rejected.iter().flatten().map(|value| value.str().unwrap()).collect();
    assert_eq!(rejected, ["checkoutcom_payment_actions", &payment.refund.0, "unexpected_text", "amount"]);
}
