//! The merge rule as a law: whatever the order and repetition of pages, a row is what the newest reads make it.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use counterfoil::entropy::SeededEntropy;
use counterfoil::store::{Step, Store, StoreHandle};
use counterfoil::stream::Profile;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::kit::*;

/// One read of one object: what it said of a column that may be absent (outer) or null (inner), and of its fees.
#[derive(Debug, Clone)]
struct Read {
    id: u8,
    seq: i64,
    status: Option<Option<u8>>,
    net: i64,
    fees: Option<Vec<i64>>,
}

impl Read {
    fn record(&self) -> Value {
        let mut record = over(booking(&format!("txn_{}", self.id), &[]), json!({ "net": self.net }));
        let fields = record.as_object_mut().unwrap();
        match self.status {
            None => drop(fields.remove("status")),
            Some(status) => {
                drop(fields.insert("status".into(), status.map_or(Value::Null, |s| json!(format!("s{s}")))))
            }
        }
        match &self.fees {
            None => drop(fields.remove("fee_details")),
            Some(fees) => {
                let details = booking("", fees)["fee_details"].take();
                fields.insert("fee_details".into(), details);
            }
        }
        record
    }
}

/// Reads, whose numbers are all different; `whole` ones have every field.
fn reads(whole: bool) -> impl Strategy<Value = Vec<Read>> {
    let status = proptest::option::weighted(0.6, proptest::option::of(0..4_u8));
    let fees = proptest::option::weighted(0.6, proptest::collection::vec(0..9_i64, 0..4));
    proptest::collection::vec((0..3_u8, status, 0..100_i64, fees), 1..9).prop_map(move |all| {
        let read = |(at, (id, mut status, net, mut fees)): (usize, (_, Option<_>, _, Option<_>))| {
            if whole {
                (status, fees) = (status.or(Some(None)), fees.or(Some(Vec::new())));
            }
            Read { id, seq: at as i64 + 1, status, net, fees }
        };
        all.into_iter().enumerate().map(read).collect()
    })
}

/// The same reads in some order, some of them more than once.
fn told(whole: bool) -> impl Strategy<Value = (Vec<Read>, Vec<usize>)> {
    reads(whole).prop_flat_map(|reads| {
        let all: Vec<usize> = (0..reads.len()).collect();
        let again = proptest::collection::vec(0..reads.len(), 0..4);
        let order = again.prop_map(move |again| [all.clone(), again].concat()).prop_shuffle();
        (Just(reads), order)
    })
}

/// What is in the store after these pages, read one after the other for an account of their own: rows, then fees.
fn stored_after(pages: impl Iterator<Item = Read>) -> (Vec<String>, Vec<String>) {
    static STORE: OnceLock<(tempfile::TempDir, std::path::PathBuf, StoreHandle)> = OnceLock::new();
    static CASE: AtomicU64 = AtomicU64::new(1_000);
    let (_, path, handle) = STORE.get_or_init(|| {
        let (folder, path) = folder();
        let store = open(&path);
        (folder, path, StoreHandle::inline(store))
    });
    let case = CASE.fetch_add(1, Ordering::Relaxed);
    let name = format!("case {case}");
    // At a provider of its own: of one provider no two accounts hold the same objects.
    let make = move |store: &mut Store| store.ensure_account(&name, &name, READ_AT, &SeededEntropy::new(case));
    let account = wait(handle.run(make)).unwrap().account;
    let lane = Lane::new(account, "stripe_balance_transactions", Profile::Standard);
    let commits: Vec<_> = pages.map(|read| lane.commit(&[read.record()], read.seq, Step::Nothing)).collect();
    // One transaction for the case: the law does not depend on where transactions end, and disks are slow.
    wait(handle.run(move |store| commits.iter().try_for_each(|commit| store.commit_page(commit).map(|_| ())))).unwrap();
    let sql = format!(
        "SELECT id, status, amount_net, read_seq FROM stripe_balance_transactions WHERE account = {account} ORDER BY id"
    );
    let fees = format!(
        "SELECT balance_transaction_id, position, amount FROM stripe_balance_transaction_fees
        WHERE account = {account} AND deleted_at IS NULL ORDER BY 1, 2"
    );
    (look(path, &sql), look(path, &fees))
}

/// The rule itself: of each column the newest read that had it.
fn expected(reads: &[Read]) -> (Vec<String>, Vec<String>) {
    let mut rows: BTreeMap<u8, (Option<u8>, i64, i64, Vec<i64>)> = BTreeMap::new();
    for read in reads {
        let row = rows.entry(read.id).or_default();
        (row.0, row.1, row.2) = (read.status.unwrap_or(row.0), read.net, read.seq);
        row.3 = read.fees.clone().unwrap_or(std::mem::take(&mut row.3));
    }
    let mut out = (Vec::new(), Vec::new());
    for (id, (status, net, seq, fees)) in rows {
        let status = status.map_or("-".to_owned(), |s| format!("s{s}"));
        out.0.push(format!("txn_{id}|{status}|{net}|{seq}"));
        out.1.extend(fees.iter().enumerate().map(|(at, fee)| format!("txn_{id}|{at}|{fee}")));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lists of one provider send every field each time: then order and repetition do not matter at all.
    #[test]
    fn whole_records_in_any_order((reads, order) in told(true)) {
        prop_assert_eq!(stored_after(order.iter().map(|at| reads[*at].clone())), expected(&reads));
    }

    /// Records that leave fields out: in the order of the reads, with any earlier page repeated at any moment.
    #[test]
    fn partial_records_in_order_of_their_reads(reads in reads(false), again in proptest::collection::vec(0..9_usize, 9)) {
        let repeated = reads.iter().enumerate().flat_map(|(at, read)| [read.clone(), reads[again[at] % (at + 1)].clone()]);
        prop_assert_eq!(stored_after(repeated), expected(&reads));
    }

    /// Partial records in any order: what the newest read said stands; what it left out is something an earlier read said,
    /// or empty. (An older read that arrives late adds nothing: whether it had more to say is not kept.)
    #[test]
    fn partial_records_in_any_order((reads, order) in told(false)) {
        let (rows, fees) = stored_after(order.iter().map(|at| reads[*at].clone()));
        for row in rows {
            let [id, status, net, seq] = row.split('|').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let of_id: Vec<&Read> = reads.iter().filter(|read| format!("txn_{}", read.id) == id).collect();
            let newest = of_id.last().unwrap();
            prop_assert_eq!(format!("{net} {seq}"), format!("{} {}", newest.net, newest.seq));
            let spelled = |s: Option<u8>| s.map_or("-".to_owned(), |s| format!("s{s}"));
            match newest.status {
                Some(told) => prop_assert_eq!(status, spelled(told)),
                None => prop_assert!(status == "-" || of_id.iter().any(|r| r.status.is_some_and(|s| spelled(s) == status))),
            }
            let mine: Vec<&str> = fees.iter().filter_map(|fee| fee.strip_prefix(&format!("{id}|"))).collect();
            let told = |fees: &[i64]| fees.iter().enumerate().map(|(at, fee)| format!("{at}|{fee}")).collect::<Vec<_>>();
            match &newest.fees {
                Some(fees) => prop_assert_eq!(mine, told(fees)),
                None => prop_assert!(mine.is_empty() || of_id.iter().any(|r| r.fees.as_deref().is_some_and(|f| told(f) == mine))),
            }
        }
    }
}

#[test]
fn null_overwrites_absent_keeps_and_what_was_gone_returns() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Standard);
    let mut read = |seq, more| {
        let done = store.commit_page(&lane.commit(&[charge("ch_1", more)], seq, Step::Nothing)).unwrap();
        let sql = "SELECT failure_code, risk_level, seen_at, read_at, read_seq, deleted_at FROM stripe_charges";
        (done.written, look(&path, sql).remove(0))
    };
    let both = json!({ "failure_code": "expired", "outcome": { "risk_level": "normal" } });
    assert_eq!(read(10, both.clone()), (1, "expired|normal|1700000000010|1700000000010|10|-".into()));
    let kept = (1, "expired|normal|1700000000010|1700000000020|20|-".into());
    assert_eq!(read(20, json!({})), kept, "absent keeps");
    let cleared = "-|-|1700000000010|1700000000030|30|-".to_owned();
    assert_eq!(read(30, json!({ "failure_code": null, "outcome": null })), (1, cleared.clone()), "null overwrites");
    assert_eq!(read(25, both.clone()), (0, cleared), "an older read changes nothing");
    writer(&path).execute_batch("UPDATE stripe_charges SET deleted_at = 5").unwrap();
    assert_eq!(read(29, both.clone()).1.split('|').next_back(), Some("5"), "nor does it bring anything back");
    assert_eq!(read(40, both), (1, "expired|normal|1700000000010|1700000000040|40|-".into()));
}

/// A read that leaves out what an earlier one brought; what is wrong afterwards. The bug is planted on this thread.
#[cfg(debug_assertions)]
pub(crate) fn a_record_that_leaves_a_field_out(planted: Option<&'static str>) -> Vec<String> {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Standard);
    counterfoil::testpoint::plant(planted);
    for (seq, more) in [(10, json!({ "failure_code": "expired" })), (20, json!({}))] {
        store.commit_page(&lane.commit(&[charge("ch_1", more)], seq, Step::Nothing)).unwrap();
    }
    counterfoil::testpoint::plant(None);
    match look(&path, "SELECT failure_code, read_seq FROM stripe_charges").remove(0).as_str() {
        "expired|20" => Vec::new(),
        held => vec![format!("what the richer read brought is gone: {held}")],
    }
}

/// A refunded payment is read by its id, and a search that is sent later still has it as it was before; what is wrong
/// afterwards. The bug is planted on this thread.
#[cfg(debug_assertions)]
pub(crate) fn a_search_that_is_behind(planted: Option<&'static str>) -> Vec<String> {
    const BEHIND: i64 = 900_000;
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "checkoutcom_payments", Profile::Standard);
    counterfoil::testpoint::plant(planted);
    let mut wrong = Vec::new();
    let mut read = |seq, source, read_at, status: &str, action: &str| {
        let mut actions = json!([{ "id": "act_1", "type": "Refund", "status": action }]);
        if seq == 4 {
            // Of a record that is refused nothing is taken, not even what is not held.
            actions.as_array_mut().unwrap().push(json!({ "id": "act_2", "type": "Dispute" }));
        }
        let payment = json!({ "id": "pay_1", "requested_on": "2023-08-24T14:15:22Z", "status": status, "amount": 100,
            "currency": "EUR", "actions": actions });
        let commit = counterfoil::store::Commit { source, read_at, ..lane.commit(&[payment], seq, Step::Nothing) };
        store.commit_page(&commit).unwrap();
        let sql = "SELECT p.status, a.status FROM checkoutcom_payments p JOIN checkoutcom_payment_actions a";
        look(&path, sql).join(" ")
    };
    let mut after = |what: &str, held: String, expected: &str| {
        if held != expected {
            wrong.push(format!("{what}: {held}"));
        }
    };
    let (captured, refunded) = ("captured|pending", "refunded|approved");
    after("the first search", read(1, "search", 1, "Captured", "Pending"), captured);
    after("by id", read(2, "get", 2, "Refunded", "Approved"), refunded);
    after("a search sent then goes back", read(3, "search", 2, "Captured", "Pending"), refunded);
    after("one sent soon after goes back", read(4, "search", 1 + BEHIND, "Captured", "Pending"), refunded);
    // None is so far behind: what it tells came since.
    after("a later one", read(5, "search", 2 + BEHIND, "Captured", "Pending"), captured);
    after("by id once more", read(6, "get", 3 * BEHIND, "Refunded", "Approved"), refunded);
    // This machine's clock was ahead when it was read by id: nobody knows how long ago that was.
    after("the clock went back", read(7, "search", 3 * BEHIND - 1, "Captured", "Pending"), captured);
    after("another search", read(8, "search", 3 * BEHIND, "Refunded", "Approved"), refunded);
    after("only reads by id are held against it", read(9, "search", 3 * BEHIND, "Captured", "Pending"), captured);
    counterfoil::testpoint::plant(None);
    wrong
}

/// Two reads of a charge, whose answers come in the other order; what is wrong afterwards. The bug is planted on this thread.
#[cfg(debug_assertions)]
pub(crate) fn an_answer_that_was_overtaken(planted: Option<&'static str>) -> Vec<String> {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Standard);
    counterfoil::testpoint::plant(planted);
    for (seq, status) in [(20, "succeeded"), (10, "pending")] {
        let page = [charge("ch_1", json!({ "status": status }))];
        store.commit_page(&lane.commit(&page, seq, Step::Nothing)).unwrap();
    }
    counterfoil::testpoint::plant(None);
    match look(&path, "SELECT status, read_seq FROM stripe_charges").remove(0).as_str() {
        "succeeded|20" => Vec::new(),
        held => vec![format!("the later read is gone: {held}")],
    }
}
