//! Every planted bug (`testpoint::PLANTED`), and how it is found: by a scenario that is lived through with it and without
//! it, or by a seed of the simulation (`simulation::planted` hunts those). A bug that is not in the list, or that is not
//! found as the list says, fails the tests.

mod accounts;
mod bench;
mod scenarios;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use counterfoil::testpoint::PLANTED;

use crate::{config, egress, kill, store, stream};

/// What is wrong after a scenario.
pub(crate) type Wrong = Vec<String>;

/// A course of events with this bug planted, or with none.
pub(crate) type Scenario = fn(Option<&'static str>) -> Wrong;

/// How a bug is found.
pub(crate) enum By {
    /// A scenario, by the test that has the bug's name: it ends with nothing wrong, and with something that holds certain
    /// words when the bug is planted.
    Scenario,
    /// This seed of the simulation complains, with a storm of so many days.
    Seed(u64, i64),
}

/// The list, and a test for each scenario in it.
macro_rules! found {
    ($($bug:ident: $kind:ident($($how:tt)*),)*) => {
        /// In the order of `PLANTED`.
        pub(crate) const FOUND: &[(&str, By)] = &[$((stringify!($bug), found!(@by $kind $($how)*)),)*];
        $(found!(@$kind $bug $($how)*);)*
    };
    (@by Seed $($seed:tt)*) => { By::Seed($($seed)*) };
    (@by Scenario $($scenario:tt)*) => { By::Scenario };
    (@Seed $($seed:tt)*) => {};
    (@Scenario $bug:ident $scenario:expr, $words:expr) => {
        #[test]
        fn $bug() {
            assert_eq!(against(stringify!($bug), $scenario, $words), None);
        }
    };
}

found! {
    ack_before_commit: Scenario(kill::a_death_between_checkpoint_and_rows, "rows missing"),
    no_overlap: Scenario(scenarios::a_late_list, "stripe_balance_transactions: "),
    after_newest: Seed(1, 1),
    no_lag: Seed(1, 1),
    feed_without_overlap: Scenario(scenarios::a_late_feed, " behind"),
    feed_without_lag: Seed(1, 1),
    feed_after_listing: Scenario(scenarios::a_change_after_the_first_walk, "stripe_charges: 1 behind"),
    gap_ignored: Scenario(scenarios::a_month_without_the_feed, " behind"),
    marks_after_page: Seed(3, 1),
    marks_settled_unread: Seed(3, 1),
    unsettled_never: Seed(1, 1),
    actions_left_out: Scenario(scenarios::a_refund_of_an_old_payment, "its refund is missing"),
    days_listed_once: Seed(4, 1),
    first_page_is_all: Seed(1, 1),
    window_end_dropped: Seed(4, 1),
    refusal_is_empty: Seed(6, 1),
    malformed_is_empty: Seed(1, 1),
    hollow_is_end: Scenario(scenarios::a_hollow_page, "stripe_charges: 34 missing"),
    total_unchecked: Scenario(scenarios::a_record_less_than_the_total, "checkoutcom_disputes: 1 missing"),
    other_mode_stored: Scenario(scenarios::a_page_of_the_other_mode, "stripe_payouts: "),
    stored_twice: Scenario(accounts::one_account_under_two_names, " held twice"),
    any_account: Scenario(accounts::another_account_behind_the_key, " of another account"),
    superseded_writes: Scenario(scenarios::a_key_that_was_set_meanwhile, " behind"),
    skip_paging: Scenario(scenarios::disputes_that_move, "checkoutcom_disputes: "),
    absent_is_gone: Scenario(scenarios::a_list_without_a_charge, "stripe_charges: 1 marked as gone but shown"),
    full_page_is_whole: Seed(1, 1),
    full_second_is_whole: Scenario(scenarios::a_second_that_holds_too_much, "checkoutcom_payments: 3 missing"),
    cursor_refused_is_end: Scenario(scenarios::a_refused_cursor, "stripe_charges: "),
    empty_page_counts: Scenario(scenarios::an_empty_page_of_a_busy_day, "transactions: 65 missing"),
    any_404_is_gone: Scenario(scenarios::a_not_found_of_another_kind, "stripe_charges: 1 marked as gone but shown"),
    older_read_wins: Scenario(store::an_answer_that_was_overtaken, "the later read is gone"),
    behind_wins: Scenario(store::a_search_that_is_behind, "a search sent then goes back"),
    behind_settles: Scenario(store::a_search_that_may_not_have_seen_it, "a search that may be older"),
    index_never_asked: Scenario(scenarios::disputes_that_move_on, " disputes are told otherwise among actions"),
    poorer_overwrites: Scenario(store::a_record_that_leaves_a_field_out, "what the richer read brought is gone"),
    read_numbers_reused: Seed(2, 1),
    problem_never_clears: Seed(1, 1),
    one_stops_all: Scenario(scenarios::a_refused_stream, "stripe_payouts: 57 missing"),
    local_clock: Seed(3, 1),
    leap_believed: Scenario(scenarios::dates_that_leap, " windows of the future"),
    no_backoff: Seed(2, 1),
    token_in_clear: Seed(1, 1),
    every_class_kept: Seed(1, 1),
    exponent_two: Scenario(stream::currencies_with_decimals_of_their_own, "7 JPY count as Int(700)"),
    any_origin: Scenario(scenarios::another_address, "the key was sent to http://127.0.0.1:9"),
    bad_config_applied: Scenario(config::a_broken_file, "in force with 0 connections"),
    damaged_recreated: Scenario(store::a_damaged_store, "the merchant's data are gone"),
    mark_before_send: Scenario(kill::a_death_before_a_batch_is_sent, "batch 2: not at the receiver"),
    fresh_number_per_try: Scenario(egress::couriers::a_second_try, "another number"),
    body_recomputed: Scenario(egress::couriers::an_event_between_two_tries, "other bytes under one number"),
    changed_bytes_sent: Scenario(egress::couriers::bytes_that_were_changed, "/batches/1 was sent"),
    rejected_blocks: Scenario(egress::couriers::a_batch_that_is_refused, "the others wait for it"),
    conflict_ignored: Scenario(egress::couriers::a_conflict, "/batches/2 was sent after it"),
    receipt_unchecked: Scenario(egress::couriers::a_success_without_a_receipt, "batch 1 counts as received"),
    released_without_lag: Seed(1, 1),
    released_by_wall_clock: Seed(4, 1),
    counted_again: Seed(23, 1),
    day_released_twice: Seed(4, 1),
    small_cells: Seed(4, 1),
}

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

/// Does this with each, on all cores.
pub(crate) fn side_by_side<T: Sync, R: Send>(all: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(one) = all.get(at) else { return };
                    let result = each(one);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
