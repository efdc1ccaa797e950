//! Clocks that are wrong on either side. Windows follow the provider's clock as far as it can be believed; nothing is
//! passed over, a difference is told while it lasts, and what was walked by a wrong clock is walked again.

use std::collections::BTreeSet;

use super::endpoints::streams;
use super::house::{Case, House, NOW_MS, START_S};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// Everything that the world shows at `now_ms`, made before the longest lag, is stored.
fn complete(case: &Case<'_>, now_ms: i64) {
    for (table, stream, _) in crate::sync::STREAMS {
        let truth = case.of.sandbox.truth(stream, START_S, now_ms / 1000 - 301);
        let stored: BTreeSet<String> = case.column(&format!("SELECT id FROM {table}")).into_iter().collect();
        let missing = truth.iter().filter(|one| one.visible_ms <= now_ms && !stored.contains(&one.id)).count();
        assert_eq!(missing, 0, "{table}: of {}", truth.len());
    }
}

/// Windows that end after `now_ms`.
fn of_the_future(case: &Case<'_>, now_ms: i64) -> usize {
    case.column(&format!("SELECT stream FROM coverage WHERE to_at > {now_ms}")).len()
}

/// Codes that stand for whole connections.
fn of_connections(case: &Case<'_>) -> BTreeSet<String> {
    case.standing().into_iter().filter(|(stream, _)| stream.is_empty()).map(|(_, code)| code).collect()
}

fn clocks_differ() -> BTreeSet<String> {
    BTreeSet::from(["sync.clock".to_owned()])
}

#[tokio::test]
async fn a_provider_whose_clock_was_ahead_is_read_again_when_it_is_right() {
    let house = House::new(false).await;
    let case = house.case();
    for proxy in &house.proxies {
        proxy.date(Some(NOW_MS + 20 * DAY));
    }
    case.pass().await;
    assert!(of_the_future(&case, NOW_MS) >= streams().count(), "all answers agree, so they are believed");
    assert_eq!(of_connections(&case), clocks_differ());

    for proxy in &house.proxies {
        proxy.date(None);
    }
    // A day goes by: what is made in it lies in windows that count as walked.
    let day = DAY as u64;
    house.pass(day);
    case.pass().await;
    case.pass().await;
    assert_eq!(of_the_future(&case, NOW_MS + DAY), 0);
    complete(&case, NOW_MS + DAY);
    assert_eq!(case.standing(), BTreeSet::new());
    let told = case.column("SELECT DISTINCT stream FROM problems WHERE code = 'sync.future' AND times = 1");
    assert!(told.len() >= streams().count(), "told once each: {told:?}");
    // Nothing that changed is passed over either: the feed is heard again.
    let feed = case.column("SELECT value FROM state WHERE name LIKE '%feed%'");
    let ahead = feed.iter().filter(|at| at.parse::<i64>().is_ok_and(|at| at > NOW_MS + DAY)).count();
    assert_eq!(ahead, 0, "{feed:?}");
    case.end().await;
}

#[tokio::test]
async fn this_machines_clock_moves_no_window_and_is_told_while_it_is_wrong() {
    for wrong in [YEAR, -YEAR, DAY, -DAY, 6 * 60_000, -6 * 60_000] {
        let house = House::new(false).await;
        let case = house.case();
        case.pass().await;
        assert_eq!(case.standing(), BTreeSet::new());
        house.clock.jump(wrong);
        house.pass(HOUR as u64);
        let case = case.again().await;
        for _ in 0..2 {
            let ends = case.pass().await;
            assert!(ends.values().flat_map(|end| &end.streams).all(|end| end.problem.is_none()), "{wrong}: {ends:?}");
            assert_eq!(of_the_future(&case, NOW_MS + HOUR), 0, "{wrong}");
            assert_eq!(of_connections(&case), clocks_differ(), "{wrong}");
        }
        complete(&case, NOW_MS + HOUR);
        let met = case.column("SELECT code FROM problems WHERE code = 'sync.clock'");
        assert_eq!(met.len(), 2, "one for each connection, standing on: {wrong}");
        house.clock.jump(-wrong);
        case.pass().await;
        assert_eq!(case.standing(), BTreeSet::new(), "{wrong}: it goes by itself");
        case.end().await;
    }
}

#[tokio::test]
async fn a_suspended_machine_catches_up() {
    let house = House::new(false).await;
    let case = house.case();
    case.pass().await;
    // Its wall clock goes on, its monotonic clock does not; then it polls every five minutes.
    house.clock.jump(9 * HOUR);
    house.world.pass(9 * HOUR as u64);
    for _ in 0..3 {
        house.pass(300_000);
        case.pass().await;
    }
    let now_ms = NOW_MS + 9 * HOUR + 900_000;
    complete(&case, now_ms);
    assert_eq!(of_the_future(&case, now_ms), 0);
    assert_eq!(case.standing(), BTreeSet::new());
    case.end().await;
}
