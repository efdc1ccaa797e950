//! The event feed: from where it is heard, what of it can no longer be heard, and that this stands until it is made good.

use counterfoil::providers;
use counterfoil::sandbox::{Fault, FaultKind, Logged};
use serde_json::Value;

use super::{DAY, HOUR, as_stated, behind_its_back, count, known_of, up_to_date};
use crate::sync::{Rig, problems, stream_problem};

/// Tokens that hide nothing: for a declaration that has none.
struct Clear;

impl counterfoil::stream::Tokens for Clear {
    fn token(&self, _: &str, value: &str, out: &mut String) {
        out.push_str(value);
    }
}

/// From which second on these requests asked for the feed.
fn heard_from(requests: &[Logged]) -> i64 {
    let from = |one: &Logged| {
        let from = one.query.split('&').find_map(|part| part.split_once("gte%5D=").or(part.split_once("gte]=")));
        from.and_then(|(_, second)| second.parse::<i64>().ok())
    };
    requests.iter().filter(|one| one.path == "/v1/events").filter_map(from).min().unwrap()
}

#[tokio::test]
async fn a_feed_that_was_not_heard_for_a_month_is_a_gap_until_all_is_listed_again() {
    let rig = Rig::new(1_500).await;
    rig.sync().await;
    let heard = known_of(&rig, "stripe_charges").changed_to.unwrap();
    rig.clock.advance(DAY * 40);
    rig.sandbox.set_faults(vec![Fault::always("/v1/payouts", FaultKind::status(401))]);
    let (before, began) = (rig.sandbox.requests().len(), rig.sandbox.now_ms());
    let report = rig.sync().await;
    let from = heard_from(&rig.sandbox.requests()[before..]);
    assert!(from >= (began - providers::FEED_REACH_MS) / 1000 - 60, "what it tells no more is not asked for");
    assert_eq!(stream_problem(&report, "payouts").as_deref(), Some("http.unauthorised"));
    let stated =
        "SELECT count(*) FROM coverage WHERE stream = 'stripe_events' AND state = 'gap' AND reason = 'feed_retention'";
    assert_eq!(count(&rig, stated), 1, "it stands while one stream could not be listed again");
    let gap = known_of(&rig, "stripe_events").missing;
    assert!(gap.len() == 1 && gap[0].0 >= heard && gap[0].1 > heard + 10 * 86_400_000, "{heard}: {gap:?}");
    let vouched = known_of(&rig, "stripe_charges").changed_to.unwrap();
    assert!((heard..=gap[0].0).contains(&vouched), "no change is vouched for beyond the gap");
    // The feed was not walked there; of the streams that it tells of it was not heard what changed.
    for table in ["stripe_charges", "stripe_refunds", "stripe_payment_intents"] {
        let unheard = known_of(&rig, table).unheard;
        // Windows begin with a second, what is lost ends where it ends.
        let seconds: Vec<_> = unheard.iter().map(|(from, to, why)| (*from, to / 1000 * 1000, *why)).collect();
        assert_eq!(seconds, gap, "{table}");
    }
    assert_eq!(known_of(&rig, "stripe_events").unheard, []);
    assert_eq!(known_of(&rig, "stripe_balance_transactions").unheard, [], "read again, whatever is heard");
    as_stated(&rig);

    rig.sandbox.set_faults(vec![]);
    let began = rig.sandbox.now_ms();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(count(&rig, stated), 0);
    assert_eq!(known_of(&rig, "stripe_events").missing, []);
    assert_eq!(known_of(&rig, "stripe_charges").unheard, []);
    as_stated(&rig);
    assert!(known_of(&rig, "stripe_charges").changed_to.unwrap() > began - 122_000);
    up_to_date(&rig).await;
}

#[tokio::test]
async fn a_gap_in_the_feed_outlives_a_new_declaration() {
    let rig = Rig::new(600).await;
    rig.sync().await;
    rig.clock.advance(DAY * 40);
    rig.sandbox.set_faults(vec![Fault::always("/v1/payouts", FaultKind::status(401))]);
    rig.sync().await;
    // As a version that declares the feed otherwise would find it.
    behind_its_back(&rig, "UPDATE coverage SET declaration = 'another' WHERE stream = 'stripe_events'");
    let Rig { sandbox, clock, folder, parts } = rig;
    parts.close().await.unwrap();
    let rig = Rig { parts: crate::sync::open(&folder, &clock), sandbox, clock, folder };
    let held = "SELECT count(*) FROM horizons WHERE stream LIKE 'stripe%'";
    assert_eq!(count(&rig, held), 0, "nothing is stated that was heard by another declaration");
    rig.sync().await;
    as_stated(&rig);
    let stated = "SELECT count(*) FROM coverage WHERE state = 'gap' AND reason = 'feed_retention'";
    assert_eq!(count(&rig, stated), 1, "what could not be heard stays unheard");
}

#[tokio::test]
async fn a_gap_in_the_feed_stands_until_rows_that_count_as_never_listed_are_listed_again() {
    let rig = Rig::new(600).await;
    rig.sync().await;
    rig.clock.advance(DAY * 40);
    // All that was listed of charges is void (another declaration), and of listing it anew only the newest day succeeds.
    let job = |store: &mut counterfoil::store::Store| {
        let account = store.account("main")?.unwrap().account;
        let windows = store.windows(account, "stripe_charges")?;
        store.forget_windows(&windows.iter().map(|window| window.window).collect::<Vec<_>>())
    };
    rig.parts.store.run(job).await.unwrap();
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 2, FaultKind::status(401))]);
    assert_eq!(stream_problem(&rig.sync().await, "charges").as_deref(), Some("http.unauthorised"));
    let stated = "SELECT count(*) FROM coverage WHERE state = 'gap' AND reason = 'feed_retention'";
    assert_eq!(count(&rig, stated), 1, "old charges may have changed meanwhile");
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(count(&rig, stated), 0);
    up_to_date(&rig).await;
}

#[tokio::test]
async fn a_feed_that_stays_unheard_has_everything_listed_once_a_month_and_not_each_time() {
    let rig = Rig::new(600).await;
    rig.sync().await;
    rig.sandbox.set_faults(vec![Fault::always("/v1/events", FaultKind::status(403))]);
    let (mut asked, mut rows) = (Vec::new(), Vec::new());
    let gaps = "SELECT count(*) FROM coverage WHERE stream = 'stripe_events'
        AND (state = 'gap' OR (state = 'complete' AND pages = 0))";
    for _ in 0..64 {
        rig.clock.advance(DAY);
        let before = rig.sandbox.requests().len();
        rig.sync().await;
        let since = rig.sandbox.requests().split_off(before);
        asked.push(since.iter().filter(|one| one.path == "/v1/charges").count());
        rows.push(count(&rig, gaps));
    }
    let many: Vec<usize> = (0..64).filter(|day| asked[*day] > 16).collect();
    assert!((1..=3).contains(&many.len()), "all is listed again on days {many:?}: {asked:?}");
    assert!(rows.iter().all(|rows| *rows <= 2), "{rows:?}");
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    rig.clock.advance(HOUR);
    rig.sync().await;
    up_to_date(&rig).await;
}

#[tokio::test]
async fn a_gap_in_the_feed_outlives_wider_privacy_settings_and_wrong_clocks() {
    let rig = Rig::new(400).await;
    rig.sync().await;
    rig.clock.advance(DAY * 40);
    rig.sandbox.set_faults(vec![Fault::always("/v1/refunds", FaultKind::status(403))]);
    rig.sync().await;
    let gaps = "SELECT count(*) FROM coverage WHERE state = 'gap'";
    assert_eq!(count(&rig, gaps), 1, "refunds are not listed again yet");
    as_stated(&rig);
    rig.parts.store.run(|store| store.forget_coverage()).await.unwrap();
    assert_eq!(count(&rig, gaps), 1);
    assert_eq!(count(&rig, "SELECT count(*) FROM horizons"), 0);
    // Found by a clock that was a day ahead, it counts as found now.
    behind_its_back(&rig, "UPDATE coverage SET provider_at = provider_at + 86400000 WHERE state = 'gap'");
    rig.sync().await;
    let found = "SELECT provider_at FROM coverage WHERE state = 'gap'";
    assert!((count(&rig, found) - rig.sandbox.now_ms()).abs() < 600_000);
    assert_eq!(known_of(&rig, "stripe_refunds").changed_to, None);
    as_stated(&rig);
    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(count(&rig, gaps), 0);
    up_to_date(&rig).await;
}

#[tokio::test]
async fn a_walk_of_the_feed_that_was_cut_short_before_a_gap_is_not_gone_on_with() {
    let rig = Rig::new(600).await;
    rig.sync().await;
    let begin = rig.sandbox.now_ms().div_euclid(1000) * 1000;
    let job = move |store: &mut counterfoil::store::Store| {
        let account = store.account("main")?.unwrap().account;
        let declaration = providers::find("stripe").unwrap().feed().unwrap().declaration()?;
        let projection = counterfoil::stream::Projection::new(
            &declaration,
            counterfoil::stream::Profile::Strict,
            std::sync::Arc::new(Clear),
            |_| Some(2),
            &[],
        );
        let upsert = counterfoil::store::Upsert::new(account, &declaration, &projection);
        let span = (begin, begin + 25 * 86_400_000);
        let new = counterfoil::store::NewWindow { clock: "created", method: "list", span, provider_at: span.1 };
        let window = counterfoil::store::WindowKey::New(new);
        let step = counterfoil::store::Step::Continue { window, cursor: "evt_gone".to_owned() };
        store.step(&upsert, &step, (100, 0), 1).map(|_| ())
    };
    rig.parts.store.run(job).await.unwrap();
    rig.clock.advance(DAY * 40);
    rig.sandbox.set_faults(vec![Fault::always("/v1/payouts", FaultKind::status(401))]);
    rig.sync().await;
    let stated = "SELECT count(*) FROM coverage WHERE state = 'gap' AND reason = 'feed_retention'";
    assert_eq!(count(&rig, stated), 1, "payouts are not listed again yet");
    assert_eq!(count(&rig, "SELECT count(*) FROM coverage WHERE stream = 'stripe_events' AND state = 'open'"), 0);
    let oldest = "SELECT min(from_at) FROM coverage WHERE stream = 'stripe_events' AND state = 'complete' AND to_at > ";
    let gap_end = count(&rig, "SELECT max(to_at) FROM coverage WHERE reason = 'feed_retention'");
    // Windows begin with a second.
    assert_eq!(count(&rig, &format!("{oldest}{gap_end}")), gap_end / 1000 * 1000, "nothing of the gap counts as heard");
}

#[tokio::test]
async fn a_position_in_the_feed_that_lies_in_the_future_is_taken_back_as_far_as_the_feed_reaches() {
    let rig = Rig::new(300).await;
    rig.sync().await;
    // As a clock that was wrong would have left it.
    let sql = "UPDATE rounds SET at = at + 864000000 WHERE stream = 'stripe_events' AND kind = 'feed'";
    behind_its_back(&rig, sql);
    let before = rig.sandbox.requests().len();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let since = rig.sandbox.requests().split_off(before);
    let heard = heard_from(&since);
    let reach = (rig.sandbox.now_ms() - providers::FEED_REACH_MS) / 1000;
    assert!((heard - reach).abs() < 600, "{heard}, not {reach}");
    assert_eq!(count(&rig, "SELECT count(*) FROM coverage WHERE state <> 'complete'"), 0);
}

#[tokio::test]
async fn what_the_feed_told_long_ago_is_let_go() {
    let rig = Rig::new(60).await;
    rig.sync().await;
    for _ in 0..11 {
        rig.clock.advance(DAY * 4);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    }
    let oldest = rig.sandbox.now_ms() - providers::FEED_KEPT_MS - 86_400_000;
    for sql in ["min(to_at) FROM coverage WHERE stream = 'stripe_events'", "min(created_at) FROM stripe_events"] {
        assert!(count(&rig, &format!("SELECT {sql}")) >= oldest, "{sql}");
    }
    let charges = count(&rig, "SELECT min(created_at) FROM stripe_charges");
    assert!(charges < oldest, "only the feed's");
}
