//! The Checkout.com face: its objects against the published examples, its search against the world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::compare::differences;
use super::super::world::{DAY, Plan};
use super::*;

const NOW: u32 = 20_000 * DAY + 37_000;

fn world(charges: u64) -> World {
    World::new(Plan { seed: 6, id_seed: 6, personal_seed: 6, charges, first_day: 20_000 - 60, days: 60, tardy: 5 }, NOW)
}

fn face(world: &World, now: u32) -> Face<'_> {
    Face { world, now_ms: i64::from(now) * 1000 + 999, base: "http://127.0.0.1:1", request_id: "0HM1" }
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

fn get(face: &Face, path: &str, query: &str) -> (u16, Value) {
    let answer = face.answer("GET", path, &Query::parse(query), b"");
    (answer.status, value(&answer))
}

fn search(face: &Face, body: &Value) -> (u16, Value) {
    let answer = face.answer("POST", "/payments/search", &Query::parse(""), body.to_string().as_bytes());
    (answer.status, value(&answer))
}

fn codes(answer: &(u16, Value)) -> (u16, String) {
    (
        answer.0,
        answer.1["error_codes"]
            .as_array()
            .map_or(String::new(), |codes| codes.iter().map(|c| c.as_str().unwrap()).collect::<Vec<_>>().join(",")),
    )
}

/// All payments asked for in `from..=to` (unix seconds), by halving until a window holds fewer than the limit.
fn halve(face: &Face, from: u32, to: u32, limit: usize, out: &mut BTreeMap<String, Value>) {
    let body =
        json!({ "query": "amount:>=0", "limit": limit, "from": time::zulu(from, 0), "to": time::zulu(to, 9_990_000) });
    let (status, page) = search(face, &body);
    assert_eq!(status, 200, "{page}");
    let data = page["data"].as_array().unwrap();
    if data.len() == limit && from < to {
        assert!(page["_links"]["next"]["href"].as_str().is_none_or(|href| href.contains("/payments/search/")));
        let middle = from + (to - from) / 2;
        halve(face, from, middle, limit, out);
        halve(face, middle + 1, to, limit, out);
        return;
    }
    for payment in data {
        out.insert(payment["id"].as_str().unwrap().to_owned(), payment.clone());
    }
}

#[test]
fn halved_windows_see_every_visible_payment() {
    let world = world(1_200);
    let face = face(&world, NOW);
    let mut found = BTreeMap::new();
    halve(&face, NOW - 61 * DAY, NOW, 50, &mut found);
    let truth = face.truth(TruthStream::CheckoutPayments, 0, NOW);
    let visible: Vec<_> = truth.iter().filter(|fact| fact.visible_ms <= face.now_ms).collect();
    assert_eq!(found.len(), visible.len());
    assert!(visible.len() > 1_100);
    for fact in visible {
        assert_eq!(found[&fact.id]["status"], fact.status);
        assert_eq!(found[&fact.id]["amount"], fact.amount);
        assert_eq!(found[&fact.id]["currency"], fact.currency.to_uppercase());
    }
    let statuses: BTreeSet<&str> = found.values().map(|payment| payment["status"].as_str().unwrap()).collect();
    for status in ["captured", "declined", "refunded", "partially refunded", "voided"] {
        assert!(statuses.contains(status), "{statuses:?}");
    }
}

#[test]
fn a_payment_whose_search_is_late_is_shown_as_it_was_and_by_id_as_it_is() {
    let plan = Plan { tardy: 9_505, ..world(1).plan };
    let world = World::new(Plan { charges: 600, ..plan }, NOW);
    let mut seen = 0;
    for fact in face(&world, NOW).truth(TruthStream::CheckoutPayments, 0, NOW) {
        let late = (fact.visible_ms - fact.at_ms) / 1000;
        if fact.status != "refunded" || late < 120 {
            continue;
        }
        let (_, actions) = get(&face(&world, NOW), &format!("/payments/{}/actions", fact.id), "");
        let refund = actions.as_array().unwrap().iter().find(|action| action["type"] == "Refund").unwrap();
        let at = time::lenient(refund["processed_on"].as_str().unwrap()).unwrap() / 1000;
        // What search and the read by id say so many seconds after the refund.
        let shown = |after: i64| {
            let face = face(&world, u32::try_from(at + after).unwrap());
            let (made, query) = (u32::try_from(fact.at_ms / 1000).unwrap(), format!("id:'{}'", fact.id));
            let body = json!({ "query": query, "from": time::zulu(made, 0), "to": time::zulu(made + 1, 0) });
            let found = search(&face, &body).1["data"][0].take();
            let (_, whole) = get(&face, &format!("/payments/{}", fact.id), "");
            let actions = found["actions"].as_array().map_or(0, Vec::len);
            (found["status"].clone(), whole["status"].as_str().unwrap().to_lowercase(), actions)
        };
        let (before, now, few) = shown(1);
        assert_eq!((&before == "refunded", &*now), (false, "refunded"), "{}", fact.id);
        assert_eq!(shown(late - 1), (before, now.clone(), few));
        assert_eq!(shown(late), (json!("refunded"), now, few + 1));
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn money_of_a_payment_agrees_with_its_actions() {
    let world = world(1_500);
    let face = face(&world, NOW);
    let mut found = BTreeMap::new();
    halve(&face, NOW - 61 * DAY, NOW, 1000, &mut found);
    let mut bounced = 0;
    for (id, payment) in &found {
        let actions = payment["actions"].as_array().unwrap();
        let times: Vec<&str> = actions.iter().map(|action| action["processed_on"].as_str().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");
        assert!(times.iter().all(|time| time.ends_with("+00:00")));
        let total = |kind: &str| -> i64 {
            let of = actions.iter().filter(|action| action["type"] == kind && action["status"] == "Approved");
            of.map(|action| action["amount"].as_i64().unwrap()).sum()
        };
        let balances = &payment["balances"];
        assert_eq!(balances["total_authorized"], total("Authorization"), "{payment}");
        assert_eq!(balances["total_captured"], total("Capture"), "{payment}");
        assert_eq!(balances["total_voided"], total("Void"), "{payment}");
        bounced += u32::from(balances["total_refunded"] != total("Refund"));
        let (_, bare) = get(&face, &format!("/payments/{id}/actions"), "");
        let moved = actions.iter().filter(|a| !matches!(a["type"].as_str(), Some("Dispute" | "Authentication")));
        assert_eq!(bare.as_array().unwrap().len(), moved.count());
        let (status, whole) = get(&face, &format!("/payments/{id}"), "");
        assert_eq!(status, 200);
        assert_eq!(whole["status"].as_str().unwrap().to_lowercase(), payment["status"].as_str().unwrap());
        assert!(whole["source"]["expiry_month"].is_number() == payment["source"]["expiry_month"].is_string());
    }
    assert!(bounced <= found.len() as u32 / 50, "{bounced} refunds came back");
}

#[test]
fn search_is_eventual_and_reading_by_id_is_not() {
    let world = world(4_000);
    let late = world.made(Kind::Charge, 0, NOW).iter().rev().find(|entry| entry.late > 30).copied().unwrap();
    let seen = |now: u32| {
        let face = face(&world, now);
        let mut found = BTreeMap::new();
        halve(&face, late.at, late.at, 1000, &mut found);
        let id = face.payment_id(late.payment, late.part);
        (found.contains_key(&id), get(&face, &format!("/payments/{id}"), "").0)
    };
    assert_eq!(seen(late.at + 20), (false, 200));
    assert_eq!(seen(late.at + u32::from(late.late) + 1), (true, 200));
    assert_eq!(seen(late.at - 1), (false, 404));
}

#[test]
fn disputes_are_listed_by_last_change_with_a_total() {
    let world = world(9_000);
    let face = face(&world, NOW);
    let (_, all) = get(&face, "/disputes", "limit=250");
    let data = all["data"].as_array().unwrap();
    assert_eq!(all["total_count"], data.len());
    assert!((20..250).contains(&data.len()), "{}", data.len());
    let changed: Vec<&str> = data.iter().map(|dispute| dispute["last_update"].as_str().unwrap()).collect();
    assert!(changed.is_sorted_by(|a, b| a >= b), "last changed first");
    let (_, page) = get(&face, "/disputes", "limit=5&skip=7");
    assert_eq!(page["data"].as_array().unwrap(), &data[7..12]);
    assert_eq!(page["total_count"], data.len());
    let (_, standard) = get(&face, "/disputes", "");
    assert_eq!((&standard["limit"], &standard["skip"]), (&json!(50), &json!(0)));
    let one = changed[9];
    let (_, inside) = get(&face, "/disputes", &format!("from={one}&to={one}"));
    assert_eq!(inside["data"][0]["id"], data[9]["id"], "both bounds belong to the window");
    assert_eq!(inside["from"], one, "filters are echoed");
    let (status, single) = get(&face, &format!("/disputes/{}", data[9]["id"].as_str().unwrap()), "");
    assert_eq!((status, &single["payment"]["id"]), (200, &data[9]["payment_id"]));
    assert!(single.get("payment_id").is_none(), "the single object nests its payment");
    let payment = data[9]["payment_id"].as_str().unwrap();
    assert_eq!(get(&face, "/disputes", &format!("payment_id={payment}")).1["total_count"], 1);
    let statuses: BTreeSet<&str> = data.iter().map(|dispute| dispute["status"].as_str().unwrap()).collect();
    assert!(statuses.len() >= 4, "{statuses:?}");
}

#[test]
fn a_dispute_moves_to_the_front_when_it_changes() {
    let world = world(9_000);
    let closing = world.index(Kind::Turn).iter().find(|turn| turn.part == 2 && turn.at > NOW - 20 * DAY).unwrap();
    let id = face(&world, NOW).dispute_id(closing.payment);
    let first =
        |now: u32| get(&face(&world, now), "/disputes", "limit=1").1["data"][0]["id"].as_str().unwrap().to_owned();
    assert_ne!(first(closing.at - 1), id);
    assert_eq!(first(closing.at), id);
}

#[test]
fn wrong_requests_are_refused_in_their_words() {
    let world = world(60);
    let face = face(&world, NOW);
    let is = |codes: &str| (422, codes.to_owned());
    assert_eq!(codes(&get(&face, "/disputes", "limit=500")), is("paging_limit_invalid"));
    assert_eq!(codes(&get(&face, "/disputes", "limit=0")), is("paging_limit_invalid"));
    let nanos = "from=2026-01-01T00:00:00.123456789Z&to=2026-01-02";
    assert_eq!(codes(&get(&face, "/disputes", nanos)), is("paging_from_invalid_format,paging_to_invalid_format"));
    assert_eq!(codes(&search(&face, &json!({}))), is("query_required"));
    assert_eq!(codes(&search(&face, &json!({ "query": "" }))), is("query_required"));
    assert_eq!(codes(&search(&face, &json!({ "query": "amount:>=0", "limit": 1001 }))), is("limit_invalid"));
    let from_only = json!({ "query": "amount:>=0", "from": "2026-01-01T00:00:00Z" });
    assert_eq!(codes(&search(&face, &from_only)), is("to_required"));
    let wide = json!({ "query": "amount:>=0", "from": "2023-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z" });
    assert_eq!(codes(&search(&face, &wide)), is("range_invalid"));
    assert_eq!(get(&face, "/disputes/dsp_nothing", "").0, 404);
    assert_eq!(get(&face, "/payments/pay_nothing", "").0, 404);
}

#[test]
fn searches_by_id_and_status() {
    let world = world(600);
    let face = face(&world, NOW);
    let (_, declined) = search(&face, &json!({ "query": "status:'Declined'", "limit": 1000 }));
    let declined = declined["data"].as_array().unwrap();
    assert!(declined.len() > 50 && declined.iter().all(|payment| payment["status"] == "declined"));
    let id = declined[3]["id"].as_str().unwrap();
    let (_, one) = search(&face, &json!({ "query": format!("id:'{id}'") }));
    assert_eq!(one["data"], json!([declined[3]]));
}

/// Where this face shows what belongs to a person, by the end or the middle of the path.
const PERSONAL: &[&str] = &[
    ".bin",
    ".billing_address.",
    ".customer.email",
    ".customer.name",
    ".description",
    ".expiry_month",
    ".expiry_year",
    ".last4",
    ".metadata.",
    ".payment_ip",
    ".phone.",
    ".payment_reference",
    ".reference",
    ".shipping.",
    ".source.name",
];

#[test]
fn a_personal_seed_changes_personal_fields_and_no_other() {
    let here = world(800);
    let there = World::new(Plan { personal_seed: 77, ..here.plan }, NOW);
    let mut changed = BTreeSet::new();
    let lists = [&here, &there].map(|world| {
        let face = face(world, NOW);
        let mut found = BTreeMap::new();
        halve(&face, NOW - 61 * DAY, NOW, 1000, &mut found);
        let read = |path: String| get(&face, &path, "").1;
        let whole: Vec<Value> = found.keys().map(|id| read(format!("/payments/{id}"))).collect();
        let actions: Vec<Value> = found.keys().map(|id| read(format!("/payments/{id}/actions"))).collect();
        let disputes = get(&face, "/disputes", "limit=250").1["data"].take();
        json!([found.into_values().collect::<Vec<_>>(), whole, actions, disputes])
    });
    differences(&lists[0], &lists[1], "", &mut changed);
    for path in &changed {
        assert!(PERSONAL.iter().any(|personal| path.contains(personal)), "{path} is not personal");
        assert!(!path.ends_with(".country"), "{path} is not personal");
    }
    for personal in PERSONAL {
        assert!(changed.iter().any(|path| path.contains(personal)), "{personal} is the same");
    }
}

/// Names of all members at any depth, as paths; `*` stands for the elements of an array.
fn paths(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, inside)| paths(inside, &format!("{path}.{key}"), out)),
        Value::Array(elements) => elements.iter().for_each(|inside| paths(inside, &format!("{path}.*"), out)),
        _ => drop(out.insert(path.to_owned())),
    }
}

/// Members of the published examples that this world never has.
const NEVER_HERE: &[&str] = &[
    // Co-badged cards.
    ".local_schemes",
    // Of an authentication: its transaction at the issuer.
    ".authentication_transaction_id",
    ".signature_valid",
    ".authentication_status_reason",
    ".exemption",
    ".exemption_applied",
    ".upgrade_reason",
    // Payout to cards.
    ".source.payouts",
    ".source.fast_funds",
];

#[test]
fn every_member_of_the_published_examples_is_there() {
    let shared = std::env::var_os("COUNTERFOIL_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let folder = shared.join("psp/checkout/examples");
    let read =
        |name: &str| -> Option<Value> { serde_json::from_str(&std::fs::read_to_string(folder.join(name)).ok()?).ok() };
    let Some(example) = read("post-payments-search.200.json") else {
        crate::testpoint::skipped(format_args!("no published examples at {}", folder.display()));
        return;
    };
    let world = world(4_000);
    let face = face(&world, NOW);
    let mut found = BTreeMap::new();
    halve(&face, NOW - 61 * DAY, NOW, 1000, &mut found);
    let check = |name: &str, example: &Value, ours: Vec<Value>| {
        let (mut wanted, mut own) = (BTreeSet::new(), BTreeSet::new());
        paths(example, "", &mut wanted);
        ours.iter().for_each(|object| paths(object, "", &mut own));
        wanted.retain(|path| !own.contains(path) && !NEVER_HERE.iter().any(|never| path.ends_with(never)));
        assert!(wanted.is_empty(), "{name}: {wanted:?}");
    };
    check("search", &example["data"][0], found.values().cloned().collect());
    let each = |suffix: &str| found.keys().map(|id| get(&face, &format!("/payments/{id}{suffix}"), "").1).collect();
    check("payment", &read("get-payment.200.json").unwrap(), each(""));
    check("actions", &read("get-payment-actions.200.json").unwrap(), each("/actions"));
    let disputes = get(&face, "/disputes", "limit=250&payment_id=").1;
    assert_eq!(disputes["total_count"], 0);
    let disputes = get(&face, "/disputes", "limit=250").1["data"].as_array().unwrap().clone();
    let single =
        disputes.iter().map(|d| get(&face, &format!("/disputes/{}", d["id"].as_str().unwrap()), "").1).collect();
    check("dispute", &read("get-dispute.200.json").unwrap(), single);
    check("disputes", &read("get-disputes.200.json").unwrap()["data"][0], disputes);
}
