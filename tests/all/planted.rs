//! Every planted bug (`testpoint::PLANTED`), and how it is found: by a scenario that is lived through with it and without
//! it, or by a seed of the simulation (`simulation::planted` hunts those). A bug that is not in the list, or that is not
//! found as the list says, fails the tests.

mod bench;
mod scenarios;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use counterfoil::testpoint::PLANTED;

use crate::{kill, store};

/// What is wrong after a scenario.
pub(crate) type Wrong = Vec<String>;

/// A course of events with this bug planted, or with none.
pub(crate) type Scenario = fn(Option<&'static str>) -> Wrong;

/// How a bug is found.
pub(crate) enum By {
    /// The scenario ends with nothing wrong, and with something that holds these words when the bug is planted.
    Scenario(Scenario, &'static str),
    /// This seed of the simulation complains, with a storm of so many days.
    Seed {
        seed: u64,
        days: i64,
        /// So soon that every `cargo test` hunts it; the gate hunts all.
        soon: bool,
    },
}

const fn soon(seed: u64, days: i64) -> By {
    By::Seed { seed, days, soon: true }
}

const fn late(seed: u64, days: i64) -> By {
    By::Seed { seed, days, soon: false }
}

/// In the order of `PLANTED`.
#[rustfmt::skip] // a line each
pub(crate) const FOUND: &[(&str, By)] = &[
    ("ack_before_commit", By::Scenario(kill::a_death_between_checkpoint_and_rows, "rows missing")),
    ("no_overlap", late(3, 4)),
    ("no_lag", late(2, 4)),
    ("feed_without_overlap", late(3, 4)),
    ("feed_without_lag", late(1, 4)),
    ("feed_after_listing", By::Scenario(scenarios::a_change_after_the_first_walk, "stripe_charges: 1 behind")),
    ("gap_ignored", late(4, 4)),
    ("marks_after_page", soon(1, 1)),
    ("marks_settled_unread", late(1, 4)),
    ("unsettled_never", late(1, 4)),
    ("days_listed_once", late(4, 4)),
    ("first_page_is_all", soon(1, 1)),
    ("window_end_dropped", late(2, 4)),
    ("refusal_is_empty", soon(1, 1)),
    ("malformed_is_empty", late(1, 4)),
    ("hollow_is_end", By::Scenario(scenarios::a_hollow_page, "stripe_charges: 34 missing")),
    ("total_unchecked", By::Scenario(scenarios::a_record_less_than_the_total, "checkoutcom_disputes: 1 missing")),
    ("full_page_is_whole", late(1, 4)),
    ("full_second_is_whole", By::Scenario(scenarios::a_second_that_holds_too_much, "checkoutcom_payments: 3 missing")),
    ("cursor_refused_is_end", late(4, 4)),
    ("empty_page_counts", By::Scenario(scenarios::an_empty_page_of_a_busy_day, "transactions: 65 missing")),
    ("any_404_is_gone", By::Scenario(scenarios::a_not_found_of_another_kind, "stripe_charges: 1 marked as gone but shown")),
    ("older_read_wins", By::Scenario(store::an_answer_that_was_overtaken, "the later read is gone")),
    ("read_numbers_reused", late(8, 4)),
    ("problem_never_clears", late(1, 4)),
    ("one_stops_all", By::Scenario(scenarios::a_refused_stream, "stripe_payouts: 57 missing")),
    ("local_clock", late(3, 4)),
    ("leap_believed", late(4, 4)),
    ("no_backoff", late(4, 4)),
    ("token_in_clear", late(1, 4)),
    ("mark_before_send", late(2, 4)),
    ("fresh_number_per_try", late(2, 4)),
    ("receipt_unchecked", late(2, 4)),
    ("released_without_lag", late(1, 4)),
    ("released_by_wall_clock", late(3, 4)),
    ("counted_again", late(4, 4)),
    ("day_released_twice", late(1, 4)),
    ("small_cells", late(1, 4)),
];

#[test]
fn every_planted_bug_is_in_the_list() {
    let listed: Vec<&str> = FOUND.iter().map(|(bug, _)| *bug).collect();
    assert_eq!(listed, PLANTED);
}

/// What speaks against a scenario; nothing if it finds its bug, and nothing without it.
fn against(bug: &'static str, scenario: Scenario, words: &str) -> Option<String> {
    let (without, with) = (scenario(None), scenario(Some(bug)));
    match () {
        () if !without.is_empty() => Some(format!("{bug}: without it something is wrong: {without:?}")),
        () if !with.iter().any(|one| one.contains(words)) => Some(format!("{bug}: not found: {with:?}")),
        () => None,
    }
}

#[test]
fn scenarios_find_their_bugs() {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((bug, by)) = FOUND.get(next.fetch_add(1, Relaxed)) {
                    let By::Scenario(scenario, words) = by else { continue };
                    let against = against(bug, *scenario, words);
                    failed.lock().unwrap().extend(against);
                }
            });
        }
    });
    assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new());
}
