//! Passes that keep to their reads: what is left alone when there are few, what goes on, and when all goes on again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use counterfoil::clock::Clock;
use counterfoil::sandbox::{Fault, FaultKind, TruthStream};
use counterfoil::sync::{Allowance, PassEnd, Purpose, pass, slice};

use super::{Rig, problems};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// One pass as the agent makes it, and the Stripe paths that it asked for.
async fn one_pass(rig: &Rig) -> (PassEnd, Vec<String>) {
    let before = rig.sandbox.requests().len();
    let connection = rig.parts.connection("main").await.unwrap();
    let until = rig.clock.mono() + Duration::from_secs(3600);
    let end = pass(connection, None, Arc::new(AtomicBool::new(false)), Some(until)).await.unwrap();
    let asked = rig.sandbox.requests()[before..].iter().map(|one| one.path.clone()).collect();
    (end, asked)
}

fn lists(asked: &[String], path: &str) -> bool {
    asked.iter().any(|one| one == path)
}

/// As if so many reads had been sent today.
async fn spend(rig: &Rig, purpose: Purpose, reads: u64) {
    let now = rig.parts.connection("main").await.unwrap().caller.provider_now().unwrap_or(rig.clock.wall_ms());
    let day = now.div_euclid(86_400_000) * 86_400_000;
    rig.parts
        .store
        .run(move |store| {
            let account = store.account("main")?.map_or(0, |account| account.account);
            store.count_reads(account, day, purpose.name(), reads)
        })
        .await
        .unwrap();
}

async fn upkeep(rig: &Rig) -> Allowance {
    rig.parts.connection("main").await.unwrap().budget().await.unwrap().upkeep.unwrap()
}

/// Spends until only so many are left for the present.
async fn leave(rig: &Rig, reads: i64) {
    while upkeep(rig).await.left > reads {
        spend(rig, Purpose::Poll, (upkeep(rig).await.left - reads) as u64).await;
    }
}

#[tokio::test]
async fn with_few_reads_lists_without_news_rest_and_those_with_news_do_not() {
    let rig = Rig::new(200).await;
    assert_eq!(problems(&rig.sync().await), [] as [serde_json::Value; 0]);
    let budget = rig.parts.connection("main").await.unwrap().budget().await.unwrap();
    assert!(budget.rest > Duration::from_secs(10 * MINUTE) && budget.rest < Duration::from_secs(120 * MINUTE));
    let (mut rested, mut named) = (0, 0);
    for _ in 0..120 {
        rig.clock.advance(Duration::from_secs(5 * MINUTE));
        let held = rig.ids("stripe_charges").len();
        let (_, asked) = one_pass(&rig).await;
        assert!(lists(&asked, "/v1/events"), "the feed is always heard");
        let news = rig.ids("stripe_charges").len() > held;
        assert!(!news || lists(&asked, "/v1/charges"));
        rested += u64::from(!lists(&asked, "/v1/charges") && !lists(&asked, "/v1/balance_transactions"));
        named += u64::from(lists(&asked, "/v1/charges") && !lists(&asked, "/v1/disputes"));
    }
    assert!(rested > 60 && named > 0, "{rested} times nothing was listed, {named} times only what had news");
    // Whatever the rest did: all is there that could be heard of.
    let (until, held) = (rig.sandbox.now_ms() - 20 * 60_000, rig.ids("stripe_charges"));
    let missing = rig.truth(TruthStream::StripeCharges, until, until).into_iter().filter(|id| !held.contains(id));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn where_the_feed_cannot_be_heard_no_list_rests() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    rig.sandbox.set_faults(vec![Fault::always("/v1/events", FaultKind::status(403))]);
    for _ in 0..3 {
        rig.clock.advance(Duration::from_secs(5 * MINUTE));
        let (_, asked) = one_pass(&rig).await;
        assert!(lists(&asked, "/v1/charges") && lists(&asked, "/v1/disputes"), "{asked:?}");
    }
}

#[tokio::test]
async fn the_past_waits_when_its_reads_are_used_up_and_the_present_does_not() {
    let rig = Rig::new(200).await;
    spend(&rig, Purpose::Backfill, 1_000_000).await;
    let (end, asked) = one_pass(&rig).await;
    assert!(end.more && end.held, "{end:?}");
    assert!(end.streams.iter().all(|one| one.problem.is_none()), "it is no problem");
    assert!(lists(&asked, "/v1/charges") && lists(&asked, "/v1/events"), "what is new is read");
    let held = rig.ids("stripe_charges").len();
    let (end, _) = one_pass(&rig).await;
    assert!(end.held && rig.ids("stripe_charges").len() < held + 3, "the past is left alone");
    // Whoever asks for it gets all of it.
    let began = rig.sandbox.now_ms();
    rig.sync().await;
    assert!(rig.ids("stripe_charges").len() > held + 50);
    super::complete(&rig, "stripe_charges", TruthStream::StripeCharges, began);
}

/// Codes that stand for Stripe's streams.
fn standing(rig: &Rig) -> Vec<String> {
    let sql = "SELECT stream, code FROM problems WHERE cleared_at IS NULL AND stream LIKE 'stripe%'";
    let rows = rig.reader().table(sql).unwrap().rows;
    rows.into_iter().map(|row| format!("{} {}", row[0].str().unwrap(), row[1].str().unwrap())).collect()
}

#[tokio::test]
async fn a_problem_stands_as_long_as_nothing_was_tried() {
    let rig = Rig::new(200).await;
    let forbidden = ["stripe_payouts http.forbidden"];
    rig.sandbox.set_faults(vec![Fault::always("/v1/payouts", FaultKind::status(403))]);
    one_pass(&rig).await;
    assert_eq!(standing(&rig), forbidden);
    leave(&rig, 0).await;
    spend(&rig, Purpose::Backfill, 1_000_000).await;
    let (_, asked) = one_pass(&rig).await;
    assert!(!lists(&asked, "/v1/payouts"), "there are no reads to try it: {asked:?}");
    assert_eq!(standing(&rig), forbidden);
    // Whoever asks is not held back, and when it works it is gone.
    rig.sandbox.set_faults(vec![]);
    rig.sync().await;
    assert_eq!(standing(&rig), [] as [&str; 0]);
}

#[tokio::test]
async fn a_problem_stands_while_its_list_rests() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    rig.clock.advance(Duration::from_secs(5 * MINUTE));
    rig.sandbox.set_faults(vec![Fault::always("/v1/payouts", FaultKind::status(403))]);
    // Whoever asks has all of it listed.
    rig.sync().await;
    let forbidden = ["stripe_payouts http.forbidden"];
    assert_eq!(standing(&rig), forbidden);
    let (_, asked) = one_pass(&rig).await;
    assert!(
        lists(&asked, "/v1/events") && !lists(&asked, "/v1/payouts"),
        "the test needs a list that rests: {asked:?}"
    );
    assert_eq!(standing(&rig), forbidden);
}

#[tokio::test]
async fn a_problem_of_the_past_stands_while_only_the_present_is_read() {
    let rig = Rig::new(400).await;
    // The newest day is listed; the past is refused.
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 2, FaultKind::status(403))]);
    one_pass(&rig).await;
    let forbidden = ["stripe_charges http.forbidden"];
    assert_eq!(standing(&rig), forbidden);
    rig.sandbox.set_faults(vec![]);
    spend(&rig, Purpose::Backfill, 1_000_000).await;
    rig.clock.advance(Duration::from_secs(HOUR));
    let (end, asked) = one_pass(&rig).await;
    assert!(end.held && lists(&asked, "/v1/charges"), "the present is read, the past is not");
    assert_eq!(standing(&rig), forbidden);
    rig.sync().await;
    assert_eq!(standing(&rig), [] as [&str; 0]);
}

#[tokio::test]
async fn a_problem_of_the_present_is_gone_with_the_next_look_while_the_past_waits() {
    let rig = Rig::new(400).await;
    spend(&rig, Purpose::Backfill, 1_000_000).await;
    rig.sandbox.set_faults(vec![Fault::always("/v1/charges", FaultKind::status(403))]);
    one_pass(&rig).await;
    assert_eq!(standing(&rig), ["stripe_charges http.forbidden"]);
    rig.sandbox.set_faults(vec![]);
    let (end, _) = one_pass(&rig).await;
    assert!(end.held && end.more, "{end:?}");
    assert_eq!(standing(&rig), [] as [&str; 0]);
}

#[tokio::test]
async fn a_problem_of_the_past_outlives_another_one_that_is_gone() {
    let rig = Rig::new(400).await;
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 2, FaultKind::status(403))]);
    one_pass(&rig).await;
    spend(&rig, Purpose::Backfill, 1_000_000).await;
    // The present is refused too, for a while; the past is not tried.
    rig.sandbox.set_faults(vec![Fault::always("/v1/charges", FaultKind::status(403))]);
    rig.clock.advance(Duration::from_secs(HOUR));
    one_pass(&rig).await;
    rig.sandbox.set_faults(vec![]);
    for _ in 0..2 {
        rig.clock.advance(Duration::from_secs(HOUR));
        let (end, asked) = one_pass(&rig).await;
        assert!(end.held && lists(&asked, "/v1/charges"));
        assert_eq!(standing(&rig), ["stripe_charges http.forbidden"]);
    }
    rig.sync().await;
    assert_eq!(standing(&rig), [] as [&str; 0]);
}

#[tokio::test]
async fn a_problem_of_reading_again_stands_while_there_are_no_reads_for_that() {
    let rig = Rig::new(12_000).await;
    rig.sync().await;
    rig.clock.advance(Duration::from_secs(HOUR));
    rig.sandbox.set_faults(vec![Fault::always("/v1/charges/", FaultKind::status(404))]);
    let (_, asked) = one_pass(&rig).await;
    assert!(asked.iter().any(|one| one.starts_with("/v1/charges/")), "the test needs a charge that is read by its id");
    let missing = ["stripe_charges http.not_found"];
    assert_eq!(standing(&rig), missing);
    rig.sandbox.set_faults(vec![]);
    // Allowance accrues while this goes on.
    leave(&rig, -1_000).await;
    assert_eq!(one_pass(&rig).await.1, Vec::<String>::new());
    assert_eq!(standing(&rig), missing);
    rig.sync().await;
    assert_eq!(standing(&rig), [] as [&str; 0]);
}

#[tokio::test]
async fn what_is_furthest_behind_is_listed_first() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    for (path, after) in [("/v1/payouts", HOUR), ("/v1/charges", 24 * HOUR)] {
        rig.sandbox.set_faults(vec![Fault::always(path, FaultKind::status(403))]);
        rig.clock.advance(Duration::from_secs(after));
        rig.sync().await;
        rig.sandbox.set_faults(vec![]);
        let before = rig.sandbox.requests().len();
        rig.sync().await;
        let asked = rig.sandbox.requests().split_off(before).into_iter().map(|one| one.path);
        let stripe: Vec<String> = asked.filter(|path| path.starts_with("/v1/") && path != "/v1/events").collect();
        assert!(stripe.len() > 5 && stripe[..4].iter().any(|one| one == path), "{path} among the first: {stripe:?}");
    }
}

#[tokio::test]
async fn the_past_is_read_even_where_the_present_takes_all_the_time() {
    let rig = Rig::new(400).await;
    let connection = rig.parts.connection("main").await.unwrap();
    let now = rig.clock.mono();
    let end = pass(connection, None, Arc::new(AtomicBool::new(false)), Some(now)).await.unwrap();
    assert!(end.more, "{end:?}");
    let sql = "SELECT count(*) FROM coverage WHERE state = 'complete' AND to_at < ";
    let day = rig.sandbox.now_ms() - 80_000_000;
    let old = rig.reader().table(&format!("{sql}{day}")).unwrap().rows[0][0].int();
    // A window a worker, and no more.
    assert_eq!(old, Some(4));
}

#[tokio::test]
async fn what_somebody_asked_for_is_read_in_turns_and_keeps_to_no_budget() {
    let rig = Rig::new(400).await;
    let connection = rig.parts.connection("main").await.unwrap();
    spend(&rig, Purpose::Backfill, 1_000_000).await;
    let (mut turns, mut before) = (0, 0);
    loop {
        let now = rig.clock.mono();
        let end = slice(connection.clone(), None, Arc::new(AtomicBool::new(false)), now).await.unwrap();
        assert!(!end.held && end.streams.iter().all(|one| one.problem.is_none()), "{end:?}");
        let sql = "SELECT count(*) FROM stripe_charges";
        let held = rig.reader().table(sql).unwrap().rows[0][0].int().unwrap();
        assert!(held >= before);
        (before, turns) = (held, turns + 1);
        if !end.more {
            break;
        }
        // Between them others have their turn.
        one_pass(&rig).await;
    }
    assert!(turns > 3, "{turns}");
    super::complete(&rig, "stripe_charges", TruthStream::StripeCharges, rig.sandbox.now_ms() - 300_000);
}

fn backfilled(rig: &Rig) -> Option<i64> {
    rig.reader().table("SELECT sum(reads) FROM reads WHERE purpose = 'backfill'").unwrap().rows[0][0].int()
}

#[tokio::test]
async fn the_past_goes_on_by_itself_when_reads_have_accrued() {
    let rig = Rig::new(200).await;
    let connection = rig.parts.connection("main").await.unwrap();
    let left = connection.budget().await.unwrap().backfill.unwrap().left;
    spend(&rig, Purpose::Backfill, left as u64 + 5_000).await;
    assert!(one_pass(&rig).await.0.held);
    let again = connection.budget().await.unwrap().backfill.unwrap().again_at.unwrap();
    let now = connection.caller.provider_now().unwrap();
    rig.clock.advance(Duration::from_millis((again - now) as u64 + 60_000));
    let before = backfilled(&rig);
    let (end, _) = one_pass(&rig).await;
    assert!(backfilled(&rig) > before, "{end:?}");
}

#[tokio::test]
async fn without_reads_only_what_is_set_aside_for_changes_is_spent() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    // After this long every list is due.
    rig.clock.advance(Duration::from_secs(7 * 3600));
    let most = upkeep(&rig).await.most;
    leave(&rig, most / 16).await;
    let (_, asked) = one_pass(&rig).await;
    assert!(lists(&asked, "/v1/events") && !lists(&asked, "/v1/charges"), "{asked:?}");
    leave(&rig, -20).await;
    let (end, asked) = one_pass(&rig).await;
    assert_eq!(asked, Vec::<String>::new());
    assert!(end.streams.iter().all(|one| one.problem.is_none()));
    rig.clock.advance(Duration::from_secs(2 * 86_400));
    let (_, asked) = one_pass(&rig).await;
    assert!(lists(&asked, "/v1/events") && lists(&asked, "/v1/charges"), "{asked:?}");
}
