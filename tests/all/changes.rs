//! What changes after it was listed arrives: through the feed, through what another record names, through reading again what
//! is not final. And what cannot arrive is stated.

mod feed;
mod payments;

use std::collections::BTreeMap;
use std::time::Duration;

use counterfoil::agent::request::{Request, perform};
use counterfoil::providers;
use counterfoil::sandbox::{CHECKOUT_KEY, Fault, FaultKind, Key, Logged, TruthStream};
use counterfoil::store::Text;
use counterfoil::sync::{Known, known};
use counterfoil::testpoint::limit_pages;
use serde_json::Value;

use crate::sync::{Rig, STREAMS, behind_its_back, problems, stream_problem};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Ids whose status in the store is not the provider's, with the provider's.
fn behind(rig: &Rig, table: &str, stream: TruthStream) -> BTreeMap<String, String> {
    let sql = format!("SELECT id, status FROM {table} WHERE deleted_at IS NULL");
    let held: BTreeMap<String, Option<String>> = rig
        .reader()
        .table(&sql)
        .unwrap()
        .rows
        .into_iter()
        .map(|row| (row[0].str().unwrap().to_owned(), row[1].str().map(str::to_owned)))
        .collect();
    let now = rig.sandbox.now_ms() / 1000;
    let truth = rig.sandbox.truth(stream, 0, now).into_iter();
    truth
        .filter(|one| held.get(&one.id).is_some_and(|status| status.as_ref() != Some(&one.status)))
        .map(|one| (one.id, one.status))
        .collect()
}

/// No object is behind that changed longer ago than the lag: whatever was behind has caught up a few minutes later.
/// (The provider's time when the last pass began.)
async fn up_to_date(rig: &Rig) -> i64 {
    let before: Vec<_> = STREAMS.iter().map(|(table, stream, _)| behind(rig, table, *stream)).collect();
    rig.clock.advance(Duration::from_secs(600));
    let began = rig.sandbox.now_ms();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    for ((table, stream, _), before) in STREAMS.iter().zip(before) {
        if *table == "checkoutcom_payments" {
            continue; // Nothing tells of their changes; see below.
        }
        let after = behind(rig, table, *stream);
        let both: Vec<_> = before.iter().filter(|(id, status)| after.get(*id) == Some(*status)).collect();
        assert_eq!(both, Vec::<(&String, &String)>::new(), "{table}");
    }
    began
}

fn known_of(rig: &Rig, table: &str) -> Known {
    let (provider, stream) = table.split_once('_').unwrap();
    let provider = providers::find(provider).unwrap();
    let reader = rig.reader();
    let account = reader.accounts().unwrap().into_iter().find(|account| account.provider == provider.name).unwrap();
    let start = rig.sandbox.now_ms() - 400 * 86_400_000;
    known(&reader, account.account, provider, provider.stream(stream).unwrap(), start).unwrap()
}

/// The store states of each stream what it proves.
fn as_stated(rig: &Rig) {
    let sql = "SELECT stream, listed_from, listed_to, changed_to, tells_changes FROM horizons ORDER BY stream";
    let stated = rig.reader().table(sql).unwrap().rows;
    let mut tables: Vec<&str> = STREAMS.iter().map(|(table, ..)| *table).chain(["stripe_events"]).collect();
    tables.sort_unstable();
    let proven = |table: &&str| {
        let Known { horizon, changed_to, never_changed, .. } = known_of(rig, table);
        let at = |ms: Option<i64>| ms.map_or(Text::Null, Text::Int);
        let (from, to) = (at(horizon.listed_from), at(horizon.listed_to));
        vec![Text::Text((*table).to_owned()), from, to, at(changed_to), Text::Int(i64::from(!never_changed))]
    };
    assert_eq!(stated, tables.iter().map(proven).collect::<Vec<_>>());
}

/// Marks of changes that were told and not read yet.
const TOLD: &str = "SELECT count(*) FROM changes WHERE reason <> 'get'";

fn count(rig: &Rig, sql: &str) -> i64 {
    rig.reader().table(sql).unwrap().rows[0][0].int().unwrap()
}

#[tokio::test]
async fn objects_that_change_after_they_were_listed_are_read_again() {
    let rig = Rig::new(2_000).await;
    rig.sync().await;
    let before = count(&rig, "SELECT count(*) FROM stripe_charges WHERE amount_refunded > 0");
    let mut began = 0;
    for days in [1, 6, 12] {
        rig.clock.advance(DAY * days);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        began = up_to_date(&rig).await;
    }
    assert!(count(&rig, "SELECT count(*) FROM stripe_charges WHERE amount_refunded > 0") > before + 20);
    assert_eq!(count(&rig, TOLD), 0, "all marks are settled");
    for (table, ..) in STREAMS {
        let known = known_of(&rig, table);
        match table {
            "checkoutcom_payments" => assert!(known.never_changed && known.changed_to.is_none(), "{table}"),
            "stripe_balance_transactions" => assert!(known.changed_to.unwrap() > began - 86_400_000, "{table}"),
            _ => assert!(known.heard_to.unwrap() > began - 122_000, "{table}"),
        }
    }
}

#[tokio::test]
async fn a_change_is_heard_even_if_it_came_while_the_past_was_read() {
    let rig = Rig::new(1_500).await;
    // The first walk of charges ends early; what changes meanwhile is in the feed, because its position was taken before.
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 3, FaultKind::status(401))]);
    assert_eq!(stream_problem(&rig.sync().await, "charges").as_deref(), Some("http.unauthorised"));
    rig.clock.advance(DAY * 2);
    rig.sandbox.set_faults(vec![]);
    rig.sync().await;
    up_to_date(&rig).await;
}

#[tokio::test]
async fn an_object_that_is_gone_keeps_its_row_with_the_moment() {
    // So many charges a day that the few of an hour's changes are cheaper read one by one.
    let rig = Rig::new(12_000).await;
    rig.sync().await;
    let rows = count(&rig, "SELECT count(*) FROM stripe_charges");
    rig.clock.advance(HOUR * 3);
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges/", 1, FaultKind::Gone)]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let singles = rig.sandbox.requests().iter().filter(|one| one.path.starts_with("/v1/charges/")).count();
    assert!(singles > 1, "the test needs a charge that is read by its id");
    assert_eq!(count(&rig, "SELECT count(*) FROM stripe_charges WHERE deleted_at IS NOT NULL AND amount > 0"), 1);
    assert!(count(&rig, "SELECT count(*) FROM stripe_charges") >= rows);
    let marks = "SELECT count(*) FROM changes WHERE stream LIKE 'stripe%'";
    assert_eq!(count(&rig, marks), 0, "no list has to be asked for what a read by id left out");
    assert_eq!(count(&rig, TOLD), 0);
}

#[tokio::test]
async fn a_refused_single_read_is_no_tombstone_and_its_mark_stands() {
    let rig = Rig::new(12_000).await;
    rig.sync().await;
    rig.clock.advance(HOUR);
    rig.sandbox.set_faults(vec![Fault::always("/v1/charges/", FaultKind::status(404))]);
    let report = rig.sync().await;
    assert_eq!(stream_problem(&report, "charges").as_deref(), Some("http.not_found"));
    assert_eq!(count(&rig, "SELECT count(*) FROM stripe_charges WHERE deleted_at IS NOT NULL"), 0);
    let marked = count(&rig, "SELECT min(changed_at) FROM changes WHERE stream = 'stripe_charges'");
    assert_eq!(known_of(&rig, "stripe_charges").changed_to, Some(marked), "what is marked is not vouched for");
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(count(&rig, TOLD), 0);
    up_to_date(&rig).await;
}

#[tokio::test]
async fn objects_that_cannot_be_read_do_not_hold_up_the_rest_of_their_stream() {
    let rig = Rig::new(12_000).await;
    rig.sync().await;
    // The oldest is said to have changed: no other change is near it, and it is read by itself.
    let oldest =
        rig.reader().table("SELECT id FROM stripe_charges ORDER BY created_at LIMIT 1").unwrap().rows.remove(0);
    let (id, now) = (oldest[0].str().unwrap(), rig.sandbox.now_ms());
    let mark =
        "INSERT INTO changes SELECT account, 'stripe_charges', id, read_at, read_seq, 'events' FROM stripe_charges";
    behind_its_back(&rig, &format!("{mark} WHERE id = '{id}'"));
    rig.sandbox.set_faults(vec![Fault::always(&format!("/v1/charges/{id}"), FaultKind::status(422))]);
    rig.clock.advance(DAY * 4);
    let report = rig.sync().await;
    assert_eq!(stream_problem(&report, "charges").as_deref(), Some("http.bad_request"));
    let left = rig.reader().table("SELECT id FROM changes WHERE stream = 'stripe_charges'").unwrap().rows;
    let left: Vec<&str> = left.iter().filter_map(|row| row[0].str()).collect();
    assert_eq!(left, [id], "all others are read");
    // The rungs of the days went on, and so did what is proven.
    let settled = known_of(&rig, "stripe_charges").horizon.settled_to.unwrap();
    assert!(settled > now, "{} hours", (settled - now) / 3_600_000);
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(count(&rig, TOLD), 0);
    let standing = count(&rig, "SELECT count(*) FROM problems WHERE cleared_at IS NULL");
    assert_eq!(standing, 0);
}

#[tokio::test]
async fn disputes_are_vouched_for_up_to_a_hole_and_not_beyond() {
    let rig = Rig::with(40, false, |options| options.payments = 12_000).await;
    rig.sync().await;
    let before = known_of(&rig, "checkoutcom_disputes").changed_to.unwrap();
    rig.clock.advance(DAY * 8);
    // Halves are listed from the newest on: some come, and the oldest does not.
    limit_pages(1);
    rig.sandbox.set_faults(vec![Fault { every: None, ..Fault::nth("/disputes", 14, FaultKind::status(403)) }]);
    let only = Request::Sync { targets: vec!["eu/disputes".to_owned()] };
    perform(&rig.parts, only, &|_| ()).await.unwrap();
    limit_pages(u32::MAX);
    let known = known_of(&rig, "checkoutcom_disputes");
    assert!(known.horizon.listed_to.unwrap() > before + 3 * 86_400_000, "the test needs the newest half: {known:?}");
    let hole = known.missing.last().unwrap().0;
    assert!(hole >= before - 3_600_000 && known.changed_to == Some(hole), "{known:?}");
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let known = known_of(&rig, "checkoutcom_disputes");
    assert_eq!(known.changed_to, known.horizon.listed_to);
}

#[tokio::test]
async fn what_becomes_of_intents_is_heard_and_not_vouched_for() {
    let rig = Rig::new(400).await;
    rig.sync().await;
    let (intents, charges) = (known_of(&rig, "stripe_payment_intents"), known_of(&rig, "stripe_charges"));
    assert_eq!((intents.changed_to, intents.never_changed), (None, true));
    assert_eq!((charges.changed_to, charges.never_changed), (charges.heard_to, false));
    assert!(intents.heard_to.is_some() && intents.heard_to == charges.heard_to);
}

#[tokio::test]
async fn an_odd_answer_to_a_single_read_is_asked_for_again_before_its_mark_goes() {
    let rig = Rig::new(12_000).await;
    rig.sync().await;
    rig.clock.advance(HOUR);
    let before = rig.sandbox.requests().len();
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges/", 1, FaultKind::Odd)]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let mut singles: Vec<String> = rig.sandbox.requests().split_off(before).into_iter().map(|one| one.path).collect();
    singles.retain(|path| path.starts_with("/v1/charges/"));
    let first = singles.first().expect("the test needs a charge that is read by its id").clone();
    assert_eq!(singles.iter().filter(|path| **path == first).count(), 2, "{singles:?}");
    assert_eq!(count(&rig, "SELECT count(*) FROM rejected"), 0);
    let id = first.rsplit('/').next().unwrap();
    assert_eq!(count(&rig, &format!("SELECT count(*) FROM stripe_charges WHERE id = '{id}' AND source = 'get'")), 1);
}

#[tokio::test]
async fn many_changes_close_together_are_one_read() {
    let rig = Rig::new(4_000).await;
    rig.sync().await;
    rig.clock.advance(DAY * 4);
    let before = rig.sandbox.requests().len();
    rig.sync().await;
    let since = rig.sandbox.requests().split_off(before);
    let singles = since.iter().filter(|one| one.path.matches('/').count() > 2).count();
    let events = count(&rig, "SELECT count(DISTINCT object_id) FROM stripe_events WHERE object = 'charge'");
    assert!(
        events > 500 && since.len() < 200,
        "{events} charges changed, {} requests, {singles} of them single",
        since.len()
    );
}

#[tokio::test]
async fn a_dispute_has_its_payment_read_by_id_or_found_where_the_key_may_not() {
    for details in [true, false] {
        let rig = Rig::with(100, false, |options| {
            options.payments = 12_000;
            let lacks = if details { vec![] } else { vec!["gateway:payment-details".to_owned()] };
            options.checkout_keys = vec![Key { lacks, ..Key::reading_all(CHECKOUT_KEY) }];
        })
        .await;
        rig.sync().await;
        let disputes = "SELECT count(*) FROM checkoutcom_disputes";
        let (before, held) = (rig.sandbox.requests().len(), count(&rig, disputes));
        rig.clock.advance(HOUR * 20);
        // A payment by its id is two requests: with usual pages a window of three days would cost less than two of them.
        limit_pages(100);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        limit_pages(u32::MAX);
        assert!(count(&rig, disputes) > held, "the test needs new disputes");
        let since = rig.sandbox.requests().split_off(before);
        let by_id = |one: &&Logged| one.path.starts_with("/payments/pay_") && one.status == 200;
        let found = |one: &&Logged| one.body.contains("id:'pay_");
        assert_eq!(
            (since.iter().filter(by_id).count() > 0, since.iter().filter(found).count() > 0),
            (details, !details)
        );
        assert_eq!(count(&rig, TOLD), 0);
        assert_eq!(count(&rig, OLDER), 0, "every payment of a new dispute was read after it");
    }
}

#[tokio::test]
async fn changes_of_payments_that_nothing_tells_of_are_in_after_each_rung() {
    let rig = Rig::with(40, false, |options| options.payments = 2_000).await;
    let day = |ms: i64| ms.div_euclid(86_400_000);
    // What the provider shows before and after each pass, which is made at noon.
    let mut shown = Vec::new();
    let look = || {
        let now = rig.sandbox.now_ms();
        let all = rig.sandbox.truth(TruthStream::CheckoutPayments, 0, now / 1000).into_iter();
        let all = all.map(|one| (one.id, (day(one.at_ms), one.status.replace(' ', "_"))));
        (day(now), all.collect::<BTreeMap<_, _>>())
    };
    for _ in 0..36 {
        shown.push(look());
        let only = Request::Sync { targets: vec!["eu".to_owned()] };
        assert_eq!(problems(&perform(&rig.parts, only, &|_| ()).await.unwrap()), Vec::<Value>::new());
        shown.push(look());
        rig.clock.advance(DAY);
    }
    let rows = rig.reader().table("SELECT id, status FROM checkoutcom_payments").unwrap().rows;
    let held = rows.iter().map(|row| (row[0].str().unwrap(), row[1].str().unwrap()));
    let (mut rows, mut changed) = (0, 0);
    for (id, status) in held {
        let Some((_, first)) = shown.iter().find_map(|(_, all)| all.get(id)) else { continue };
        // The last rung that lies between the payment's day and the last pass: it was read then, or later.
        let made = shown.iter().find_map(|(_, all)| all.get(id)).unwrap().0;
        let rungs = [1, 3, 7, 14, 30].map(|days| made + 1 + days);
        let since = rungs.into_iter().filter(|rung| *rung <= shown[71].0).max().unwrap_or(made);
        let seen = shown.iter().filter(|(day, _)| *day >= since).filter_map(|(_, all)| all.get(id));
        let seen: Vec<&str> = seen.map(|(_, status)| status.as_str()).collect();
        assert!(seen.contains(&status), "{id} of day {made} is {status}; since day {since} it was {seen:?}");
        (rows, changed) = (rows + 1, changed + u32::from(status != first.as_str()));
    }
    assert!(rows > 1_500 && changed > 20, "{changed} of {rows} rows changed after they were first shown");
}

/// Payments that were last read before the dispute that names them came.
const OLDER: &str = "SELECT count(*) FROM checkoutcom_payments p JOIN checkoutcom_disputes d ON d.payment_id = p.id
    WHERE p.read_seq < d.read_seq AND d.seen_at = d.read_at AND p.read_at < d.seen_at";

#[tokio::test]
async fn what_disputes_say_of_payments_waits_while_payments_are_not_read() {
    let rig = Rig::with(100, false, |options| options.payments = 12_000).await;
    rig.sync().await;
    let rig = reading(rig, "checkoutcom", "streams = [\"disputes\"]").await;
    rig.clock.advance(HOUR * 20);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert!(count(&rig, OLDER) > 0, "the test needs new disputes");
    let rig = reading(rig, "checkoutcom", "").await;
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!((count(&rig, OLDER), count(&rig, TOLD)), (0, 0));
}

#[tokio::test]
async fn a_page_without_rows_where_there_should_be_many_is_not_believed_at_once() {
    let rig = Rig::new(6_000).await;
    rig.sync().await;
    rig.clock.advance(DAY);
    let empty = |path| Fault::nth(path, 1, FaultKind::Empty);
    rig.sandbox.set_faults(vec![empty("/v1/balance_transactions"), empty("/payments/search")]);
    let payments = count(&rig, "SELECT count(*) FROM checkoutcom_payments");
    let held = count(&rig, "SELECT count(*) FROM stripe_balance_transactions");
    let began = rig.sandbox.now_ms();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert!(count(&rig, "SELECT count(*) FROM stripe_balance_transactions") > held + 50, "it was asked for again");
    assert!(count(&rig, "SELECT count(*) FROM checkoutcom_payments") > payments + 30, "a search too");
    let truth = rig.truth(TruthStream::StripeBalanceTransactions, began - 122_000, began);
    let held = rig.ids("stripe_balance_transactions");
    assert_eq!(truth.iter().filter(|id| held.binary_search(id).is_err()).count(), 0);
}

/// The configuration with only these streams of a provider, and the parts of an agent that reads by it.
async fn reading(rig: Rig, provider: &str, streams: &str) -> Rig {
    let Rig { sandbox, clock, folder, parts } = rig;
    parts.close().await.unwrap();
    let file = folder.path().join("counterfoil.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("streams")).collect();
    let provider = format!("provider = \"{provider}\"\n");
    let text = lines.join("\n").replacen(&provider, &format!("{provider}{streams}\n"), 1);
    std::fs::write(&file, text).unwrap();
    let parts = crate::sync::open(&folder, &clock);
    Rig { sandbox, clock, folder, parts }
}

#[tokio::test]
async fn a_stream_that_was_not_read_for_a_while_is_listed_anew() {
    let rig = Rig::new(1_000).await;
    rig.sync().await;
    let rig = reading(rig, "stripe", "streams = [\"payouts\"]").await;
    for days in [5, 4] {
        rig.clock.advance(DAY * days);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    }
    let marked = "SELECT count(*) FROM changes WHERE stream <> 'stripe_payouts' AND stream NOT LIKE 'checkoutcom%'";
    assert_eq!(count(&rig, marked), 0, "nothing is marked that is not read");
    let of = [
        ("stripe_balance_transactions", TruthStream::StripeBalanceTransactions),
        ("stripe_refunds", TruthStream::StripeRefunds),
    ];
    let behind = of.into_iter().map(|(table, stream)| behind(&rig, table, stream).len()).sum::<usize>();
    assert!(behind > 0, "the test needs a change");
    // Back: nothing is known beyond the moment when it was left, until all of it is listed again.
    let left = rig.sandbox.now_ms() - 9 * 86_400_000;
    let rig = reading(rig, "stripe", "").await;
    assert!(known_of(&rig, "stripe_refunds").changed_to.is_none_or(|changed| changed <= left + 60_000), "not yet");
    rig.sandbox.set_faults(vec![Fault::nth("/v1/refunds", 2, FaultKind::status(401))]);
    let began = rig.sandbox.now_ms();
    assert_eq!(stream_problem(&rig.sync().await, "refunds").as_deref(), Some("http.unauthorised"));
    let known = known_of(&rig, "stripe_refunds");
    assert!(known.horizon.listed_to > Some(began - 122_000), "its newest day is listed");
    assert!(known.changed_to.unwrap() <= left + 60_000, "the days before it are not: {:?} {left}", known.changed_to);
    let away = (known.changed_to.unwrap(), known.horizon.listed_to.unwrap());
    assert_eq!(known.unheard, [(away.0, away.1, "it was not read for a while; all of it is listed again")]);
    as_stated(&rig);
    rig.sandbox.set_faults(vec![]);
    let began = rig.sandbox.now_ms();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert!(known_of(&rig, "stripe_refunds").changed_to.unwrap() > began - 122_000);
    assert_eq!(known_of(&rig, "stripe_refunds").unheard, []);
    up_to_date(&rig).await;
}

#[tokio::test]
async fn what_is_older_than_the_start_is_read_by_id_when_its_stream_is_read_again() {
    let rig = Rig::new(1_000).await;
    rig.sync().await;
    let others = "streams = [\"charges\", \"disputes\", \"refunds\", \"balance_transactions\", \"payouts\"]";
    let rig = reading(rig, "stripe", others).await;
    rig.clock.advance(DAY * 9);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let stated = "SELECT count(*) FROM horizons WHERE stream";
    assert_eq!(
        count(&rig, &format!("{stated} = 'stripe_payment_intents'")),
        0,
        "nothing is stated of what is not read"
    );
    assert_eq!(count(&rig, &format!("{stated} <> 'stripe_payment_intents'")), 8);
    assert!(
        !behind(&rig, "stripe_payment_intents", TruthStream::StripePaymentIntents).is_empty(),
        "the test needs a change"
    );
    // From now on lists show what was made within four days, which none of those was that changed.
    let file = rig.folder.path().join("counterfoil.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let begin = text.find("start = ").unwrap();
    let day = jiff::Timestamp::from_millisecond(rig.sandbox.now_ms() - 4 * 86_400_000).unwrap().strftime("%Y-%m-%d");
    std::fs::write(&file, format!("{}start = {day}{}", &text[..begin], &text[begin + "start = 2026-01-01".len()..]))
        .unwrap();
    let rig = reading(rig, "stripe", "").await;
    let before = rig.sandbox.requests().len();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(behind(&rig, "stripe_payment_intents", TruthStream::StripePaymentIntents), BTreeMap::new());
    let since = rig.sandbox.requests().split_off(before);
    let again = |path: &str| since.iter().filter(|one| one.path.starts_with(path) && one.query.is_empty()).count();
    assert_eq!(again("/v1/charges/ch_"), 0, "nothing of the others is read again");
}

#[tokio::test]
async fn what_is_named_and_not_held_is_read_by_its_id_once_all_is_listed() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    let oldest = "SELECT id FROM stripe_charges ORDER BY created_at, id LIMIT 1";
    let id = rig.reader().table(oldest).unwrap().rows[0][0].str().unwrap().to_owned();
    // As if it were older than what lists show.
    behind_its_back(
        &rig,
        &format!(
            "INSERT INTO changes (account, stream, id, changed_at, marked_seq, reason)
             SELECT account, 'stripe_charges', id, created_at, 1, 'stripe_events' FROM stripe_charges WHERE id = '{id}';
             DELETE FROM stripe_charges WHERE id = '{id}'"
        ),
    );
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(count(&rig, &format!("SELECT count(*) FROM stripe_charges WHERE id = '{id}' AND source = 'get'")), 1);
    assert_eq!(count(&rig, TOLD), 0);
}

#[tokio::test]
async fn what_only_reading_tells_is_vouched_for_up_to_the_last_reading_until_the_next_one_is_in() {
    let rig = Rig::new(400).await;
    rig.sync().await;
    let read = rig.sandbox.now_ms();
    rig.clock.advance(DAY * 2);
    // The newest are listed; what became available meanwhile is not read.
    let path = "/v1/balance_transactions";
    rig.sandbox.set_faults((2..100).map(|nth| Fault::nth(path, nth, FaultKind::status(401))).collect());
    assert_eq!(stream_problem(&rig.sync().await, "balance_transactions").as_deref(), Some("http.unauthorised"));
    let known = known_of(&rig, "stripe_balance_transactions");
    assert!(known.horizon.listed_to > Some(read + 86_400_000), "{:?}", known.horizon);
    assert!(known.changed_to <= Some(read), "{:?} after {read}", known.changed_to);
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert!(known_of(&rig, "stripe_balance_transactions").changed_to > Some(read + 86_400_000));
}
