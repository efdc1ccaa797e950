//! The planner, pass by pass, on made-up windows.

use super::*;

const MINUTE: i64 = 60_000;

fn day(n: i64) -> i64 {
    n * DAY_MS
}

fn bounds(days: i64) -> Bounds {
    Bounds { start: 0, horizon: day(days), overlap: 15 * MINUTE, rungs: &[1, 3], demands: vec![] }
}

fn plan(days: i64, windows: Vec<Window>) -> Plan {
    Plan::new(bounds(days), "d", windows, None)
}

fn window(from_at: i64, to_at: i64, provider_at: i64) -> Window {
    let (state, declaration) = (WindowState::Complete, "d".into());
    let provider_at = Some(provider_at);
    Window { window: 1, from_at, to_at, state, cursor: None, pages: 1, rows: 0, provider_at, declaration, reason: None }
}

fn fresh(from: i64, to: i64) -> Option<Next> {
    Some(Next::Fresh((from, to)))
}

/// Everything of these purposes, each window taking `pages`.
fn run(plan: &mut Plan, now: i64, pages: i64, purposes: &[Purpose]) -> Vec<Span> {
    let mut walked = Vec::new();
    for purpose in purposes {
        while let Some(Next::Fresh(span)) = plan.next(*purpose) {
            walked.push(span);
            plan.done(span, now, (pages, 0));
        }
    }
    walked
}

const FIRST: &[Purpose] = &[Purpose::Poll, Purpose::Again, Purpose::Backfill];

#[test]
fn a_backfill_goes_from_the_newest_backwards_and_ends() {
    let mut plan = plan(10, vec![]);
    let walked = run(&mut plan, day(100), 5, FIRST);
    assert_eq!(walked.len(), 10);
    assert_eq!(walked[0], (day(9), day(10)));
    assert_eq!(walked[9], (0, day(1)));
    assert_eq!(plan.share(), (day(10), day(10)));
}

#[test]
fn the_newest_day_is_what_is_new_and_all_before_is_the_past() {
    let mut plan = plan(10, vec![]);
    assert_eq!(run(&mut plan, day(100), 5, &[Purpose::Poll]), [(day(9), day(10))]);
    assert!(plan.wants(Purpose::Backfill) && !plan.wants(Purpose::Poll) && !plan.wants(Purpose::Again));
}

#[test]
fn windows_begin_and_end_with_a_second_however_narrow_they_become() {
    let horizon = 600 * MINUTE;
    let mut plan = Plan::new(Bounds { horizon, ..bounds(0) }, "d", vec![], Some(675_000));
    // 20 pages each: half as wide, so 337.5 seconds.
    for span in run(&mut plan, day(100), 20, FIRST) {
        assert_eq!((span.0 % 1000, span.1 % 1000), (0, 0), "{span:?}");
    }
    assert_eq!(plan.share(), (horizon, horizon));
    // Edges between seconds, as an earlier program left them, are read with the whole second.
    let mut plan = self::plan(1, vec![window(0, day(1) - 61_500, day(9)), window(day(1) - 60_500, day(1), day(9))]);
    assert_eq!(plan.next(Purpose::Poll), fresh(day(1) - 62_000, day(1) - 60_000));
}

#[test]
fn what_was_missed_since_the_last_pass_is_new_and_comes_before_the_past() {
    let mut plan = plan(10, vec![window(day(2), day(6), day(6))]);
    assert_eq!(plan.next(Purpose::Poll), fresh(day(9), day(10)));
    assert_eq!(plan.next(Purpose::Poll), fresh(day(8), day(9)));
    assert_eq!(
        run(&mut plan, day(100), 5, &[Purpose::Poll]),
        [(day(7), day(8)), (day(6), day(7)), (day(6) - 15 * MINUTE, day(6))]
    );
    assert_eq!(run(&mut plan, day(100), 5, &[Purpose::Backfill]), [(day(1), day(2)), (0, day(1))]);
}

#[test]
fn what_should_have_been_listed_once_more_and_was_not_stays_due() {
    // The walk of the sixth day came to its end; the one that was to look back at the end of the fifth did not.
    let windows = vec![window(0, day(5), day(5)), window(day(5), day(6), day(6))];
    let mut plan = plan(7, windows);
    let walked = run(&mut plan, day(7), 5, &[Purpose::Poll]);
    let late = |n| (day(n) - 15 * MINUTE, day(n));
    assert_eq!(walked, [(day(6), day(7)), late(6), late(5)]);
}

#[test]
fn empty_windows_grow_and_crowded_ones_shrink() {
    assert_eq!(run(&mut plan(300, vec![]), day(400), 1, FIRST).len(), 7); // 1, 4, 16, 64, 90, 90 and 35 days
    let mut crowded = plan(2, vec![]);
    let walked = run(&mut crowded, day(100), 40, FIRST);
    assert!(walked.len() > 3 && crowded.size < DAY_MS / 2);
}

#[test]
fn a_later_pass_begins_before_the_end_of_the_last_one() {
    let end = day(10);
    let mut later = plan(10, vec![window(0, end - 5 * MINUTE, end - 3 * MINUTE)]);
    assert_eq!(later.next(Purpose::Poll), fresh(end - 18 * MINUTE, end));
    assert_eq!(later.next(Purpose::Poll), None);
    assert_eq!(later.next(Purpose::Backfill), None);
    let mut much_later = plan(10, vec![window(0, end - 5 * MINUTE, day(100))]);
    assert_eq!(much_later.next(Purpose::Poll), fresh(end - 5 * MINUTE, end), "it had looked late enough");
}

#[test]
fn a_window_that_is_gone_on_with_is_looked_back_at() {
    // Opened on day 3, gone on with on day 5: what became visible in between may lie before the page where it stood.
    let mut open = window(day(2), day(3), day(3) + 2 * MINUTE);
    (open.state, open.window) = (WindowState::Open, 7);
    let windows = vec![window(0, day(2), day(100)), open.clone()];
    let mut plan = Plan::new(Bounds { rungs: &[], ..bounds(5) }, "d", windows, Some(day(90)));
    assert_eq!(plan.next(Purpose::Poll), Some(Next::Resume(open)));
    assert_eq!(plan.next(Purpose::Poll), fresh(day(3) - 13 * MINUTE, day(5)));
    assert_eq!(plan.next(Purpose::Poll), None);
}

#[test]
fn a_closed_day_is_walked_again_on_each_rung() {
    // Walked on day 5: of that walk all days had ended, day 3 a day before, days 0 and 1 three days before.
    let young = vec![window(0, day(5), day(5))];
    assert_eq!(horizon(&young, 0, "d").settled_to, Some(day(2)));
    assert_eq!(plan(5, young.clone()).next(Purpose::Again), None);
    // On day 6 day 4 has ended a day ago, and day 2 three days ago.
    let mut next = plan(6, young);
    assert_eq!(next.next(Purpose::Again), fresh(day(4), day(5)));
    assert_eq!(next.next(Purpose::Again), fresh(day(2), day(3)));
    assert_eq!(next.next(Purpose::Again), None);
    next.done((day(2), day(3)), day(6), (5, 0));
    assert_eq!(horizon(&next.windows, 0, "d").settled_to, Some(day(3)));
}

#[test]
fn a_walk_that_began_before_a_rung_is_gone_on_with_and_then_taken_again() {
    // The walk of day 1 began a day after its end and was left open. It is gone on with three days after, on day 5.
    let mut open = window(day(1), day(2), day(3) + 2 * MINUTE);
    (open.state, open.window) = (WindowState::Open, 7);
    let mut plan = plan(5, vec![window(0, day(3), day(3)), open.clone()]);
    assert_eq!(plan.next(Purpose::Again), Some(Next::Resume(open.clone())));
    plan.done((open.from_at, open.to_at), open.provider_at.unwrap(), (5, 0));
    let again = run(&mut plan, day(5), 5, &[Purpose::Again]);
    assert_eq!(again, [(day(2), day(3)), (day(1), day(2)), (0, day(1))], "in the same pass");
    assert_eq!(horizon(&plan.windows, 0, "d").settled_to, Some(day(2)));
}

#[test]
fn a_demand_is_met_by_walks_that_began_late_enough_and_by_nothing_that_was_never_listed() {
    let demand = Demand { span: (day(1), day(9)), since: day(9) };
    let bounds = Bounds { demands: vec![demand], rungs: &[], ..bounds(10) };
    let windows =
        vec![window(day(2), day(5), day(7)), window(day(4), day(10), day(9)), window(day(4), day(10), day(8))];
    let mut plan = Plan::new(bounds, "d", windows, Some(day(90)));
    assert!(!plan.meets(&demand));
    // Before day 2 nothing was ever listed; what is demanded is read with the past, and by its reads.
    assert_eq!(plan.next(Purpose::Backfill), fresh(0, day(4)));
    assert_eq!(plan.next(Purpose::Again), None);
    plan.done((day(2), day(4)), day(9), (1, 0));
    assert!(!plan.meets(&demand), "rows may be held of what counts as never listed");
    plan.done((0, day(2)), day(9), (1, 0));
    assert!(plan.meets(&demand));
}

#[test]
fn how_far_a_list_is_behind_is_told_by_what_is_new_and_not_by_the_past() {
    assert_eq!(plan(10, vec![]).behind(), day(10), "nothing was listed yet");
    assert_eq!(plan(10, vec![window(day(2), day(10), day(100))]).behind(), 0, "only the past is left");
    let hole = vec![window(day(2), day(6), day(100)), window(day(7), day(10) - MINUTE, day(100))];
    assert_eq!(plan(10, hole).behind(), day(4), "a hole is as far behind as it begins");
}

#[test]
fn what_is_demanded_again_was_listed_all_the_same() {
    let demand = Demand { span: (day(1), day(9)), since: day(12) };
    let bounds = Bounds { demands: vec![demand], ..bounds(10) };
    let mut listed = Plan::new(bounds, "d", vec![window(0, day(10), day(11))], None);
    assert!(listed.all_listed() && listed.wants(Purpose::Backfill));
    assert_eq!(run(&mut listed, day(12), 1, &[Purpose::Backfill]).len(), 3, "8 days: 1, 4 and 3");
    let mut past = plan(10, vec![window(day(2), day(10), day(100))]);
    assert!(!past.all_listed());
    assert!(past.next(Purpose::Backfill).is_some() && past.next(Purpose::Backfill).is_some());
    assert!(past.all_listed(), "it is out");
}

#[test]
fn windows_of_another_declaration_prove_nothing() {
    let mut old = window(0, day(10), day(100));
    old.declaration = "old".into();
    assert_eq!(plan(10, vec![old.clone()]).next(Purpose::Poll), fresh(day(9), day(10)));
    assert_eq!(horizon(&[old], 0, "d"), Horizon::default());
}

#[test]
fn an_open_window_is_gone_on_with_first_where_it_belongs_and_not_handed_out_twice() {
    let mut open = window(day(2), day(3), day(100));
    (open.state, open.window) = (WindowState::Open, 7);
    let mut first = plan(4, vec![open.clone()]);
    assert_eq!(first.next(Purpose::Poll), fresh(day(3), day(4)));
    assert_eq!(first.next(Purpose::Backfill), Some(Next::Resume(open.clone())));
    assert_eq!(first.next(Purpose::Backfill), fresh(day(1), day(2)));
    // Where everything around it is walked it belongs to what is listed again.
    let mut again = plan(4, vec![open.clone(), window(0, day(4), day(100))]);
    assert_eq!(again.next(Purpose::Backfill), None);
    assert_eq!(again.next(Purpose::Again), Some(Next::Resume(open)));
    assert_eq!(again.next(Purpose::Again), None);
}

#[test]
fn what_lies_between_the_new_and_a_window_left_open_in_the_past_is_walked_in_the_same_pass() {
    let mut open = window(day(4), day(5), day(100));
    (open.state, open.window) = (WindowState::Open, 7);
    let mut plan = plan(10, vec![open.clone(), window(day(8), day(10), day(100))]);
    assert_eq!(plan.next(Purpose::Backfill), Some(Next::Resume(open.clone())));
    plan.done((open.from_at, open.to_at), day(100), (5, 0));
    let walked = run(&mut plan, day(100), 5, &[Purpose::Backfill]);
    assert_eq!(walked, [7, 6, 5, 3, 2, 1, 0].map(|n| (day(n), day(n + 1))));
}

#[test]
fn a_feed_is_heard_from_its_position_whatever_is_missing() {
    let mut plan =
        Plan::new(Bounds { start: day(3), rungs: &[], ..bounds(6) }, "d", vec![window(day(4), day(5), day(5))], None);
    let walked = run(&mut plan, day(6), 1, &[Purpose::Feed]);
    assert_eq!(walked, [(day(5), day(6)), (day(5) - 15 * MINUTE, day(5)), (day(3), day(4))]);
    assert_eq!(first_hole(&plan.windows, day(3), "d"), Some(day(6)));
}

#[test]
fn what_a_span_should_hold_follows_from_what_lies_in_and_around_it() {
    let with = |from, to, rows| Window { rows, ..window(from, to, day(100)) };
    let plan = plan(10, vec![with(0, day(1), 240), with(day(1), day(2), 480)]);
    let hour = 60 * MINUTE;
    assert_eq!(plan.expected((10 * hour, 11 * hour)).round(), 10.0);
    assert_eq!(plan.expected((day(1), day(1) + hour)).round(), 17.0, "an hour of the first day and two of the second");
    assert_eq!(plan.expected((day(5), day(6))), 0.0, "nothing is known of it");
}

#[test]
fn the_horizon_is_that_of_the_newest_stretch_without_a_hole() {
    let windows = [window(0, day(2), day(50)), window(day(3), day(6), day(50)), window(day(6), day(9), day(9))];
    let known = horizon(&windows, 0, "d");
    let expected = Horizon { listed_from: Some(day(3)), listed_to: Some(day(9)), settled_to: Some(day(6)) };
    assert_eq!(known, expected);
}

#[test]
fn a_hole_ends_what_is_proven_and_what_is_older_than_asked_does_not_matter() {
    let windows = [window(0, day(2), day(50)), window(day(3), day(6), day(50)), window(day(8), day(20), day(50))];
    assert_eq!(proven(&windows, day(4), "d"), Some(day(6)), "behind the hole nothing is proven");
    assert_eq!(proven(&windows, day(9), "d"), Some(day(20)));
    assert_eq!(proven(&windows, day(7), "d"), Some(day(7)), "inside a hole nothing is");
    let young = [window(0, day(20), day(20))];
    assert_eq!(proven(&young, day(1), "d"), Some(day(20)), "the lag itself is subtracted by who releases");
    assert_eq!(proven(&[window(0, day(20), day(10))], 0, "d"), Some(day(10)));
    assert_eq!(proven(&[], 0, "d"), None);
}

#[test]
fn a_window_left_open_belongs_where_it_lies_not_where_it_ends() {
    let mut open = window(day(2), day(3), day(100));
    (open.state, open.window) = (WindowState::Open, 7);
    // Beside the past, among what is listed.
    let mut beside = plan(4, vec![open.clone(), window(day(2), day(4), day(100))]);
    assert_eq!(beside.next(Purpose::Backfill), fresh(day(1), day(2)));
    assert_eq!(beside.next(Purpose::Again), Some(Next::Resume(open.clone())));
    // In the past: not among what is listed again, though that comes first.
    let mut past = plan(4, vec![open.clone(), window(day(3), day(4), day(100))]);
    assert_eq!(past.next(Purpose::Again), None);
    assert_eq!(past.next(Purpose::Backfill), Some(Next::Resume(open.clone())));
    assert_eq!((Next::Resume(open).span(), Next::Fresh((1, 2)).span()), ((day(2), day(3)), (1, 2)));
}

#[test]
fn what_a_window_held_sets_the_width_of_later_ones() {
    let mut plan = plan(20, vec![]);
    plan.done((day(3), day(3) + 60 * MINUTE), day(100), (1, 0));
    assert_eq!(plan.size, DAY_MS, "an hour without much says nothing about a day");
    plan.done((day(4), day(5)), day(100), (2, 0));
    assert_eq!(plan.size, 4 * DAY_MS);
    plan.done((day(4), day(5)), day(100), (19, 0));
    assert_eq!(plan.size, 4 * DAY_MS);
    plan.done((day(4), day(7)), day(100), (20, 0));
    assert_eq!(plan.size, 3 * DAY_MS / 2);
    plan.done((day(4), day(4) + MINUTE), day(100), (20, 0));
    assert_eq!(plan.size, LEAST);
}

#[test]
fn what_is_expected_comes_from_as_much_on_either_side_and_empty_windows_say_nothing() {
    let rows = |from, to, rows| Window { rows, ..window(from, to, day(100)) };
    let hour = 60 * MINUTE;
    // For two hours the two before and the two after count too, and nothing beyond: 84 rows in six hours.
    let mut windows = vec![rows(0, 9 * hour, 900), rows(9 * hour, 10 * hour, 30), rows(10 * hour, 14 * hour, 48)];
    windows.extend([rows(14 * hour, 15 * hour, 6), rows(12 * hour, 12 * hour, 50)]);
    let plan = plan(4, windows);
    assert_eq!(plan.expected((11 * hour, 13 * hour)), 28.0);
    assert_eq!(plan.expected((day(2), day(2) + hour)), 0.0);
}

#[test]
fn what_is_walked_of_a_frame_is_its_share_and_the_rest_is_missing() {
    let windows = vec![window(day(3), day(5), day(5)), window(day(6), day(7), day(7))];
    let plan = Plan::new(Bounds { start: day(2), ..bounds(8) }, "d", windows.clone(), None);
    assert_eq!(plan.share(), (3 * DAY_MS, 6 * DAY_MS));
    assert_eq!(missing(&windows, day(2), "d"), [(day(2), day(3)), (day(5), day(6))]);
    assert_eq!(missing(&[], day(2), "d"), []);
    // Nothing of it has settled: that is no moment, not even its own beginning.
    let young = [window(day(6), day(7), day(9))];
    assert_eq!(
        horizon(&young, 0, "d"),
        Horizon { listed_from: Some(day(6)), listed_to: Some(day(7)), settled_to: None }
    );
}
