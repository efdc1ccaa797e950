//! The Stripe face: its objects against the official examples, its lists against the world.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use serde_json::Value;

use super::super::compare::differences;
use super::super::query::Query;
use super::super::truth::Truth;
use super::super::world::{DAY, Plan, World};
use super::*;

const NOW: u32 = 20_000 * DAY + 37_000;

fn world(charges: u64) -> World {
    World::new(Plan { seed: 5, id_seed: 5, personal_seed: 5, charges, first_day: 20_000 - 90, days: 90, tardy: 5 }, NOW)
}

fn ask(face: &Face, path: &str, query: &str) -> (u16, Value) {
    let answer = face.get(path, &Query::parse(query));
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// All objects of a list that match, newest first.
fn walk(face: &Face, path: &str, filter: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let cursor =
            all.last().map_or(String::new(), |last| format!("&starting_after={}", last["id"].as_str().unwrap()));
        let (status, page) = ask(face, path, &format!("limit=100&{filter}{cursor}"));
        assert_eq!(status, 200, "{page}");
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return all;
        }
    }
}

fn sum<'a>(objects: impl IntoIterator<Item = &'a Value>, field: &str) -> i64 {
    objects.into_iter().map(|object| object[field].as_i64().unwrap()).sum()
}

#[test]
fn the_books_balance_as_rendered() {
    let world = world(4_000);
    let face = Face { world: &world, now: NOW };
    let transactions: HashMap<String, Value> = walk(&face, "/v1/balance_transactions", "")
        .into_iter()
        .map(|found| (found["id"].as_str().unwrap().to_owned(), found))
        .collect();
    for found in transactions.values() {
        let (amount, fee) = (found["amount"].as_i64().unwrap(), found["fee"].as_i64().unwrap());
        assert_eq!(found["net"], amount - fee);
        assert_eq!(sum(found["fee_details"].as_array().unwrap(), "amount"), fee);
    }
    let hidden = |kind| world.index(kind).iter().any(|entry| entry.at <= NOW && !entry.visible(NOW));
    assert!(!hidden(Kind::Refund) && !hidden(Kind::Transaction), "all that exists is visible at this moment");
    let mut checked = 0;
    for charge in walk(&face, "/v1/charges", "") {
        let refunds = charge["refunds"]["data"].as_array().unwrap().iter();
        let given: i64 = sum(refunds.filter(|refund| refund["status"] != "failed"), "amount");
        assert_eq!(charge["amount_refunded"], given, "{charge}");
        assert_eq!(charge["refunded"], charge["amount_refunded"] == charge["amount"]);
        assert_eq!(charge["captured"] == true, charge["amount_captured"] == charge["amount"]);
        if let Some(transaction) = charge["balance_transaction"].as_str().and_then(|id| transactions.get(id)) {
            assert_eq!(transaction["source"], charge["id"]);
            if transaction["currency"] == charge["currency"] {
                assert_eq!(transaction["amount"], charge["amount"]);
            } else {
                assert!(transaction["exchange_rate"].is_f64(), "{transaction}");
            }
            checked += 1;
        }
    }
    assert!(checked > 2_000);
    let payouts = walk(&face, "/v1/payouts", "");
    for payout in payouts.iter().take(8) {
        let of = walk(&face, "/v1/balance_transactions", &format!("payout={}", payout["id"].as_str().unwrap()));
        let others: Vec<&Value> = of.iter().filter(|found| found["type"] != "payout").collect();
        assert_eq!(others.len() + 1, of.len(), "one transaction of the payout itself");
        assert_eq!(payout["amount"], sum(others, "net"), "{payout}");
    }
}

#[test]
fn lists_filter_by_time_and_by_relation() {
    let world = world(1_000);
    let face = Face { world: &world, now: NOW };
    let all = walk(&face, "/v1/charges", "");
    let middle = all[500]["created"].as_i64().unwrap();
    let count = |test: &dyn Fn(i64) -> bool| all.iter().filter(|c| test(c["created"].as_i64().unwrap())).count();
    let listed = |filter: &str| walk(&face, "/v1/charges", filter).len();
    assert_eq!(listed(&format!("created[gte]={middle}")), count(&|at| at >= middle));
    assert_eq!(listed(&format!("created[gt]={middle}")), count(&|at| at > middle));
    assert_eq!(listed(&format!("created%5Blt%5D={middle}")), count(&|at| at < middle));
    assert_eq!(listed(&format!("created[lte]={middle}&created[gte]={middle}")), count(&|at| at == middle));
    assert_eq!(listed(&format!("created={middle}")), count(&|at| at == middle));
    assert_eq!(listed("created[gt]=9&created[lt]=5"), 0);
    let intent = all[500]["payment_intent"].as_str().unwrap();
    let of_intent = walk(&face, "/v1/charges", &format!("payment_intent={intent}"));
    assert!(of_intent.iter().any(|charge| charge["id"] == all[500]["id"]));
    assert!(of_intent.iter().all(|charge| charge["payment_intent"] == *intent));
    let (_, standard) = ask(&face, "/v1/charges", "");
    assert_eq!(standard["data"].as_array().unwrap().len(), 10);
}

#[test]
fn ending_before_walks_towards_the_newest() {
    let world = world(400);
    let face = Face { world: &world, now: NOW };
    let all = walk(&face, "/v1/charges", "");
    let (_, page) = ask(&face, "/v1/charges", &format!("limit=5&ending_before={}", all[20]["id"].as_str().unwrap()));
    assert_eq!(page["data"].as_array().unwrap(), &all[15..20]);
    assert_eq!(page["has_more"], true);
    let (_, page) = ask(&face, "/v1/charges", &format!("limit=5&ending_before={}", all[3]["id"].as_str().unwrap()));
    assert_eq!(page["data"].as_array().unwrap(), &all[..3]);
    assert_eq!(page["has_more"], false);
}

#[test]
fn wrong_requests_are_refused_in_stripes_words() {
    let world = world(50);
    let face = Face { world: &world, now: NOW };
    let refused = |path: &str, query: &str| {
        let (status, body) = ask(&face, path, query);
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("/v1/charges", "starting_after=ch_nothing"), is(400, "resource_missing"));
    assert_eq!(refused("/v1/charges", "limit=101"), is(400, "parameter_invalid_integer"));
    assert_eq!(refused("/v1/charges", "limit=0"), is(400, "parameter_invalid_integer"));
    assert_eq!(refused("/v1/charges", "created[gte]=soon"), is(400, "parameter_invalid_integer"));
    assert_eq!(refused("/v1/charges", "updated=1"), is(400, "parameter_unknown"));
    assert_eq!(refused("/v1/charges/ch_nothing", ""), is(404, "resource_missing"));
    assert_eq!(refused("/v1/nothing", ""), is(404, ""));
}

#[test]
fn late_objects_are_hidden_and_then_shown() {
    let world = world(4_000);
    let late = world.made(Kind::Charge, 0, NOW).iter().rev().find(|entry| entry.late > 30).copied().unwrap();
    let at = |now: u32| {
        let face = Face { world: &world, now };
        let id = face.id(Kind::Charge, &late);
        let listed = walk(&face, "/v1/charges", &format!("created={}", late.at));
        let (status, _) = ask(&face, &format!("/v1/charges/{id}"), "");
        (listed.iter().any(|charge| charge["id"] == *id), status)
    };
    assert_eq!(at(late.at + 20), (false, 404));
    assert_eq!(at(late.at + u32::from(late.late)), (true, 200));
}

#[test]
fn objects_change_as_time_passes() {
    let world = world(8_000);
    let disputed = world.index(Kind::Dispute).iter().find(|entry| {
        let dispute = world.life(entry.payment).and_then(|life| life.dispute).unwrap();
        dispute.won && !dispute.inquiry && dispute.closed < NOW
    });
    let life = world.life(disputed.unwrap().payment).unwrap();
    let dispute = life.dispute.unwrap();
    let status = |now: u32| {
        let face = Face { world: &world, now };
        let (_, found) = ask(&face, &format!("/v1/disputes/{}", face.name(Kind::Dispute, life.payment, 0)), "");
        let (_, charge) = ask(&face, &format!("/v1/charges/{}", face.charge_id(&life, life.last())), "");
        let moves = found["balance_transactions"].as_array().map_or(0, Vec::len);
        (found["status"].as_str().unwrap_or_default().to_owned(), moves, charge["disputed"] == true)
    };
    let is = |status: &str, moves: usize, disputed: bool| (status.to_owned(), moves, disputed);
    assert_eq!(status(dispute.opened - 1), is("", 0, false));
    assert_eq!(status(dispute.opened + 600), is("needs_response", 1, true));
    assert_eq!(status(dispute.submitted), is("under_review", 1, true));
    assert_eq!(status(dispute.closed), is("won", 2, true));
}

#[test]
fn events_tell_every_change_of_the_last_thirty_days() {
    let world = world(1_200);
    let face = Face { world: &world, now: NOW };
    let events = walk(&face, "/v1/events", "");
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len());
    assert!(events.windows(2).all(|pair| pair[0]["created"].as_i64() >= pair[1]["created"].as_i64()));
    assert!(events.iter().all(|event| event["created"].as_u64().unwrap() >= u64::from(NOW - 30 * DAY)));
    let has = |kind: &str, id: &str| events.iter().any(|e| e["type"] == kind && e["data"]["object"]["id"] == id);
    let recent = |path: &str| walk(&face, path, &format!("created[gte]={}", NOW - 30 * DAY));
    for charge in recent("/v1/charges") {
        let id = charge["id"].as_str().unwrap();
        assert!(["charge.succeeded", "charge.failed", "charge.pending"].iter().any(|kind| has(kind, id)), "{id}");
    }
    for refund in recent("/v1/refunds") {
        assert!(has("refund.created", refund["id"].as_str().unwrap()));
        assert!(has("charge.refunded", refund["charge"].as_str().unwrap()));
    }
    for dispute in recent("/v1/disputes") {
        assert!(has("charge.dispute.created", dispute["id"].as_str().unwrap()));
    }
    let kinds: BTreeSet<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    let failed = events.iter().find(|event| event["type"] == "payment_intent.payment_failed").unwrap();
    assert_eq!(failed["data"]["object"]["status"], "requires_payment_method", "the snapshot is of that moment");
    let (status, again) = ask(&face, &format!("/v1/events/{}", failed["id"].as_str().unwrap()), "");
    assert_eq!((status, &again), (200, failed));
    let disputes = walk(&face, "/v1/events", "type=charge.dispute.*");
    assert!(disputes.iter().all(|event| event["data"]["object"]["object"] == "dispute") && !disputes.is_empty());
    let two = walk(&face, "/v1/events", "types%5B0%5D=payout.paid&types[]=payout.failed");
    let counted = events.iter().filter(|e| e["type"] == "payout.paid" || e["type"] == "payout.failed").count();
    assert_eq!(two.len(), counted);
    let (_, newer) = ask(&face, "/v1/events", &format!("limit=5&ending_before={}", events[20]["id"].as_str().unwrap()));
    assert_eq!(newer["data"].as_array().unwrap(), &events[15..20]);
}

#[test]
fn an_old_event_is_gone() {
    let world = world(600);
    let oldest = walk(&Face { world: &world, now: NOW }, "/v1/events", "").pop().unwrap();
    let later = Face { world: &world, now: NOW + 2 * DAY };
    let id = oldest["id"].as_str().unwrap();
    assert_eq!(ask(&later, &format!("/v1/events/{id}"), "").0, 404);
    assert_eq!(ask(&later, "/v1/events", &format!("starting_after={id}")).0, 400);
}

/// Where this face shows what belongs to a person, by the end or the middle of the path.
const PERSONAL: &[&str] = &[
    ".billing_details.",
    ".client_secret",
    ".description",
    ".dynamic_last4",
    ".evidence.",
    ".exp_month",
    ".exp_year",
    ".last4",
    ".metadata.",
    ".owner.",
    ".receipt_email",
    ".receipt_number",
    ".receipt_url",
    ".shipping.",
];

#[test]
fn a_personal_seed_changes_personal_fields_and_no_other() {
    let here = world(1_500);
    let there = World::new(Plan { personal_seed: 77, ..here.plan }, NOW);
    let mut changed = BTreeSet::new();
    for resource in RESOURCES {
        let lists = [&here, &there].map(|world| walk(&Face { world, now: NOW }, resource.path, ""));
        assert_eq!(lists[0].len(), lists[1].len());
        for (one, other) in lists[0].iter().zip(&lists[1]) {
            differences(one, other, "", &mut changed);
        }
    }
    for path in &changed {
        assert!(PERSONAL.iter().any(|personal| path.contains(personal)), "{path} is not personal");
        assert!(!path.ends_with(".country"), "{path} is not personal");
    }
    for personal in PERSONAL {
        assert!(changed.iter().any(|path| path.contains(personal)), "{personal} is the same");
    }
}

/// Paths of all leaves; `*` stands for the elements of an array.
fn leaves(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(key, inside)| leaves(inside, &format!("{path}.{key}"), out));
        }
        Value::Array(elements) if !elements.is_empty() => {
            elements.iter().for_each(|inside| leaves(inside, &format!("{path}.*"), out));
        }
        _ => drop(out.insert(path.to_owned())),
    }
}

/// Leaves of the official example objects that this world never has, because its account has no such business.
const NEVER_HERE: &[&str] = &[
    // No Connect: nothing is transferred to other accounts.
    ".transfer_data.",
    // Nothing waits for the payer to act: every authentication is over when the attempt is.
    ".next_action.type",
];

#[test]
fn every_field_of_the_official_example_objects_is_there() {
    let shared = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(shared.join("psp/stripe/fixtures.json")) else {
        crate::testpoint::skipped(format_args!("no official example objects at {}", shared.display()));
        return;
    };
    let official: Value = serde_json::from_str(&text).unwrap();
    let world = world(6_000);
    let face = Face { world: &world, now: NOW };
    for resource in RESOURCES {
        let mut ours = BTreeSet::new();
        for object in walk(&face, resource.path, "") {
            leaves(&object, "", &mut ours);
        }
        let mut wanted = BTreeSet::new();
        leaves(&official["resources"][name(resource.kind)], "", &mut wanted);
        assert!(wanted.len() > 10, "{} has an example", resource.path);
        let there = |leaf: &str| ours.iter().any(|own| own == leaf || own.starts_with(&format!("{leaf}.")));
        let missing: Vec<&String> = wanted
            .iter()
            .filter(|leaf| !there(leaf) && !NEVER_HERE.iter().any(|never| leaf.starts_with(never)))
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", resource.path);
    }
}

#[test]
fn only_the_charge_that_took_the_money_is_reported_for_fraud() {
    let world = world(4_000);
    let face = Face { world: &world, now: NOW };
    let reported: Vec<Value> = walk(&face, "/v1/charges", "")
        .into_iter()
        .filter(|charge| charge["fraud_details"]["user_report"] == "fraudulent")
        .collect();
    assert!(reported.len() > 3, "{}", reported.len());
    assert!(reported.iter().all(|charge| charge["disputed"] == true), "no event tells of the others");
}

#[test]
fn the_truth_of_events_is_what_their_list_shows() {
    let world = world(1_000);
    let face = Face { world: &world, now: NOW };
    let (from, to) = (NOW - 5 * DAY, NOW - DAY);
    let listed = walk(&face, "/v1/events", &format!("created[gte]={from}&created[lte]={to}"));
    let truth = face.event_facts(from, to);
    let of_truth = |one: &Truth| (one.id.clone(), one.at_ms / 1000, one.status.clone());
    let of_list = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("id"), event["created"].as_i64().unwrap(), text("type"))
    };
    assert!(listed.len() > 100);
    assert_eq!(truth.iter().rev().map(of_truth).collect::<Vec<_>>(), listed.iter().map(of_list).collect::<Vec<_>>());
    assert!(truth.iter().all(|one| one.at_ms <= one.visible_ms && one.visible_ms <= one.at_ms + 600_000));
}
