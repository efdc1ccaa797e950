//! The budget of made-up spending: what is planned, what is left, and what follows.

use super::*;
use crate::providers::{checkoutcom, stripe};

const NOW: i64 = 20_000 * DAY_MS + DAY_MS / 2;

fn terms(provider: &'static Provider) -> Terms {
    Terms { provider, streams: provider.streams.iter().collect(), reads_per_month: None, poll: None }
}

/// So many payments, and reads `days` ago.
fn spending(payments: u64, reads: &[(i64, Purpose, u64)]) -> Spending {
    let day = |days: i64| (NOW - days * DAY_MS).div_euclid(DAY_MS) * DAY_MS;
    let reads = reads.iter().map(|(days, purpose, reads)| (day(*days), purpose.name().to_owned(), *reads)).collect();
    Spending { payments, reads }
}

fn minutes(span: Duration) -> f64 {
    span.as_secs_f64() / 60.0
}

#[test]
fn a_fifth_of_the_grant_is_for_the_present_and_half_for_the_past() {
    let planned = |payments| {
        let budget = budget(&terms(&stripe::PROVIDER), &spending(payments, &[]), NOW);
        (budget.upkeep.unwrap().planned, budget.backfill.unwrap().planned)
    };
    assert_eq!(planned(0), (5_000, 5_000), "together what Stripe grants at least");
    assert_eq!(planned(20), (5_000, 5_000));
    assert_eq!(planned(100), (10_000, 25_000));
    assert_eq!(planned(10_000), (1_000_000, 2_500_000));
    let set = Terms { reads_per_month: Some(700), ..terms(&stripe::PROVIDER) };
    let set = budget(&set, &spending(100, &[]), NOW);
    assert_eq!((set.upkeep.unwrap().planned, set.backfill.unwrap().planned), (700, 25_000));
}

#[test]
fn where_nothing_is_granted_nothing_is_held_back_unless_a_number_is_set() {
    let free = budget(&terms(&checkoutcom::PROVIDER), &spending(0, &[(0, Purpose::Poll, 1 << 40)]), NOW);
    assert_eq!((free.upkeep, free.backfill), (None, None));
    assert_eq!((free.interval, free.rest), (SHORTEST, Duration::ZERO));
    assert!(Purpose::ALL.iter().all(|purpose| Left::of(&free).allows(*purpose)));
    let set = Terms { reads_per_month: Some(3_300), ..terms(&checkoutcom::PROVIDER) };
    let set = budget(&set, &spending(0, &[]), NOW);
    // 100 a day, three quarters of them for two lists that nothing tells of.
    assert_eq!((set.upkeep.unwrap().planned, set.backfill), (3_300, None));
    assert_eq!((minutes(set.interval).round(), set.rest), (38.0, Duration::ZERO));
}

#[test]
fn an_allowance_accrues_evenly_up_to_three_days_and_forgets_nothing_within_them() {
    let left = |reads: &[(i64, u64)]| {
        let daily: Vec<(i64, u64)> =
            reads.iter().map(|(days, reads)| (NOW - DAY_MS / 2 - days * DAY_MS, *reads)).collect();
        let one = allowance(3_300, &daily, NOW);
        (one.left, one.again_at.map(|at| ((at - NOW) as f64 / DAY_MS as f64 * 100.0).round() / 100.0))
    };
    assert_eq!(left(&[]), (300, None));
    assert_eq!(left(&[(0, 120)]), (230, None), "half a day has passed since midnight");
    assert_eq!((left(&[(0, 349)]), left(&[(0, 350)])), ((1, None), (0, Some(0.01))), "one is enough");
    assert_eq!(left(&[(1, 300), (0, 50)]), (100, None));
    assert_eq!(left(&[(20, 3_000), (10, 10)]), (-660, Some(6.61)), "and all of it for a month");
    assert_eq!(left(&[(9, 400)]), (300, None), "what was overdrawn is long made good");
    assert_eq!(left(&[(0, 550)]), (-200, Some(2.01)), "100 a day: the first read is there in two days");
    assert_eq!(left(&[(-3, 1_000)]), (300, None), "a day that has not come yet is a clock's mistake");
}

#[test]
fn no_thirty_days_see_more_than_the_plan() {
    // Whoever always spends all that is left.
    let mut spent = std::collections::BTreeMap::<i64, u64>::new();
    for hour in 0..24 * 90 {
        let now = NOW + hour * DAY_MS / 24;
        let daily: Vec<(i64, u64)> = spent.clone().into_iter().collect();
        let left = u64::try_from(allowance(5_000, &daily, now).left).unwrap_or(0);
        *spent.entry(now.div_euclid(DAY_MS) * DAY_MS).or_default() += left;
    }
    let total = |from: i64| {
        let within = from * DAY_MS + NOW..(from + MONTH_DAYS) * DAY_MS + NOW;
        spent.iter().filter(|(day, _)| within.contains(day)).map(|(_, reads)| reads).sum::<u64>()
    };
    let most = (0..60).map(total).max().unwrap();
    assert!((4_500..=5_000).contains(&most), "{most}");
}

#[test]
fn looks_are_five_minutes_apart_where_there_are_reads_for_it_and_rarer_where_not() {
    let of = |payments, reads: &[_]| budget(&terms(&stripe::PROVIDER), &spending(payments, reads), NOW);
    let many = of(10_000, &[]);
    assert_eq!((many.interval, many.rest), (SHORTEST, Duration::ZERO));
    let few = of(100, &[]);
    // 303 a day, three quarters for looking: two thirds of that for the feed, the rest for six lists.
    assert_eq!((minutes(few.interval).round(), minutes(few.rest).round()), (10.0, 114.0));
    let some = of(500, &[]);
    assert_eq!((some.interval, minutes(some.rest).round()), (SHORTEST, 10.0));
    let none = of(0, &[]);
    assert_eq!((minutes(none.interval).round(), minutes(none.rest).round()), (19.0, 228.0));
    let busy = of(100, &[(1, Purpose::Change, 450), (3, Purpose::Again, 450)]);
    assert!(busy.interval > few.interval, "what other things take is left to them");
    let spent = of(100, &[(0, Purpose::Poll, 950)]);
    assert!(minutes(spent.interval) > 30.0 && spent.interval <= LONGEST, "{:?}", spent.interval);
}

#[test]
fn a_set_interval_is_kept_whatever_was_spent() {
    let set = Terms { poll: Some(Duration::from_secs(60)), ..terms(&stripe::PROVIDER) };
    let budget = budget(&set, &spending(0, &[(0, Purpose::Poll, 9_000), (0, Purpose::Backfill, 9_000)]), NOW);
    assert_eq!((budget.interval, budget.rest), (Duration::from_secs(60), Duration::ZERO));
    let left = Left::of(&budget);
    assert!(left.allows(Purpose::Poll) && left.allows(Purpose::Change));
    assert!(!left.allows(Purpose::Backfill), "the past has an allowance of its own");
}

#[test]
fn what_changes_goes_before_what_is_new_and_that_before_what_is_listed_again() {
    let mut left = Left { upkeep: Some((320, 320)), backfill: Some(2) };
    let allowed = |left: &Left| Purpose::ALL.into_iter().filter(|one| left.allows(*one)).collect::<Vec<_>>();
    use Purpose::{Again, Backfill, Change, Check, Feed, Poll};
    assert_eq!(allowed(&left), [Feed, Poll, Change, Again, Backfill, Check]);
    left.spend(Backfill);
    left.spend(Backfill);
    assert_eq!(allowed(&left), [Feed, Poll, Change, Again, Check], "the past spends nothing of the present's");
    (0..280).for_each(|_| left.spend(Poll));
    assert_eq!(allowed(&left), [Feed, Poll, Change]);
    (0..20).for_each(|_| left.spend(Poll));
    assert_eq!(allowed(&left), [Feed, Change]);
    (0..20).for_each(|_| left.spend(Feed));
    assert_eq!(allowed(&left), []);
}

#[test]
fn only_a_feed_lets_lists_rest() {
    let kinds = |names: &[&str]| {
        let streams = stripe::PROVIDER.streams.iter().filter(|stream| names.contains(&stream.name)).collect();
        Terms { streams, ..terms(&stripe::PROVIDER) }.kinds()
    };
    assert_eq!(terms(&stripe::PROVIDER).kinds(), (1, 6));
    assert_eq!(terms(&checkoutcom::PROVIDER).kinds(), (2, 0));
    assert_eq!(kinds(&["charges", "refunds"]), (2, 0));
    assert_eq!(kinds(&["events", "charges"]), (1, 1));
}

/// By hand, from 3,300 reads a month: 100 a day, of which looking gets 75 at most and 25 at least.
#[test]
fn the_pace_is_this() {
    let of = |kinds, planned, left, others| {
        let upkeep = Allowance { planned, left, most: planned as i64 / 11, again_at: None };
        let (interval, rest) = pace(kinds, &upkeep, others);
        (interval.as_secs(), rest.as_secs())
    };
    assert_eq!(of((1, 6), 3_300, 300, 0.0), (1_728, 20_736), "50 looks, 25 lists of 6");
    assert_eq!(
        of((1, 6), 3_300, 300, 40.0),
        (2_160, 21_600),
        "40 looks, 20 lists; no list rests for more than six hours"
    );
    assert_eq!(of((1, 6), 3_300, 300, 90.0), (5_184, 21_600), "a quarter is for looking whatever others take");
    assert_eq!(of((1, 6), 3_300, 150, 0.0), (1_728, 20_736), "half of what can be saved up is enough");
    assert_eq!(of((1, 6), 3_300, 75, 0.0), (3_456, 21_600), "with a quarter of it looking is half as often");
    assert_eq!(of((1, 6), 3_300, -100, 0.0).0, 21_600);
    assert_eq!(of((2, 6), 33_000, 3_000, 0.0), (346, 2_074), "250 looks at two lists, 250 lists of 6");
    assert_eq!(of((2, 0), 3_300, 300, 0.0), (2_304, 0), "where no list may rest");
    assert_eq!(of((1, 0), 12_672, 1_152, 0.0), (300, 0), "just enough for a look every five minutes");
    assert_eq!(of((1, 0), 12_660, 1_151, 0.0), (301, 0));
}

#[test]
fn what_other_things_take_is_the_mean_of_the_last_days() {
    let of = |reads: &[_]| lately(&spending(0, reads), NOW) * LATELY_DAYS as f64;
    assert_eq!(of(&[(0, Purpose::Change, 7), (1, Purpose::Again, 20), (1, Purpose::Check, 1)]), 28.0);
    assert_eq!(of(&[(0, Purpose::Feed, 7), (1, Purpose::Poll, 20), (1, Purpose::Backfill, 1)]), 0.0);
    assert_eq!(of(&[(LATELY_DAYS + 1, Purpose::Change, 7), (-1, Purpose::Change, 7)]), 0.0);
}
