//! How objects that changed are read again: one by one, or a window of the list at once, whichever costs fewer reads. Pure.

use std::collections::BTreeSet;

use super::plan::MOST;
use super::span::Span;
use crate::providers::Way;
use crate::store::Change;

/// One way to read some of what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// One object by its id; made at this moment, if that is known.
    One(String, Option<i64>),
    /// All that was made in a span.
    Span(Span),
}

/// Requests that listing a window takes where this many records are expected in it. A search that is too full is thrown away
/// and halved, so that its pages are the leaves of a tree whose every node is a request.
pub(super) fn requests(way: Way, expected: f64, limit: u32) -> i64 {
    let pages = (expected / f64::from(limit)).ceil().clamp(1.0, 1e9) as i64;
    match way {
        Way::List => pages,
        Way::Halved => 2 * (pages as u64).next_power_of_two() as i64 - 1,
    }
}

/// How to read `changes` again, of which those that are `recent` may not show in a list yet: they are read by their ids, and no
/// window holds the second of one (both ends of a search are inside). It would bring the row as it was before, and its mark would go.
pub(super) fn readings(
    changes: &[Change],
    recent: &dyn Fn(&Change) -> bool,
    single: i64,
    pages: &dyn Fn(Span) -> i64,
) -> Vec<Reading> {
    let second = |change: &Change| change.made_at.map(|made| made.div_euclid(1000));
    let seconds: BTreeSet<i64> = changes.iter().filter(|change| recent(change)).filter_map(second).collect();
    let apart = |change: &Change| {
        recent(change) || second(change).is_some_and(|at| [at, at + 1].iter().any(|at| seconds.contains(at)))
    };
    let alone = changes.iter().filter(|change| apart(change));
    let alone = alone.map(|change| Reading::One(change.id.clone(), change.made_at));
    changes.split(apart).flat_map(|run| cheapest(run, single, pages)).chain(alone).collect()
}

/// A cheap way to read `changes` again, which are sorted by the time when their objects were made. Reading one by itself costs
/// `single`, and `pages` says what listing a span costs. From the oldest on, each joins those before it for as long as that
/// costs less than reading it by itself, and the span is no wider than one window may be (providers refuse wider ones). One
/// that stays alone is read by its id even where a window would cost less: a read by id is never behind, as a list may be.
fn cheapest(changes: &[Change], single: i64, pages: &dyn Fn(Span) -> i64) -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    // Where the last reading begins and what it costs, when its objects' times are known.
    let mut last: Option<(i64, i64)> = None;
    for change in changes {
        // Windows are in whole seconds.
        let second = change.made_at.map(|made| made.div_euclid(1000) * 1000);
        let joined = last.zip(second).map(|((from, cost), second)| ((from, second + 1000), cost));
        if let Some((span, cost)) = joined
            && span.1 - span.0 <= MOST
            && pages(span) < cost + single
        {
            last = Some((span.0, pages(span)));
            readings.pop();
            readings.push(Reading::Span(span));
            continue;
        }
        last = second.map(|second| (second, single));
        readings.push(Reading::One(change.id.clone(), change.made_at));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(made_at: Option<i64>) -> Change {
        let id = format!("x_{}", made_at.unwrap_or_default());
        Change { id, made_at, changed_at: 0, reason: "events".to_owned() }
    }

    /// A list of one object a second, a hundred a page.
    fn pages((from, to): Span) -> i64 {
        ((to - from) / 1000 + 99) / 100
    }

    #[test]
    fn far_apart_they_are_read_one_by_one_and_close_together_by_a_window() {
        let far: Vec<Change> = [None, Some(1_000), Some(900_000_000)].map(change).into();
        let one = |made: Option<i64>| Reading::One(format!("x_{}", made.unwrap_or_default()), made);
        assert_eq!(cheapest(&far, 1, &pages), [one(None), one(Some(1_000)), one(Some(900_000_000))]);
        let close: Vec<Change> = (0..50).map(|n| change(Some(n * 1_000 + 500))).collect();
        assert_eq!(cheapest(&close, 1, &pages), [Reading::Span((0, 50_000))]);
        assert_eq!(cheapest(&[], 1, &pages), []);
        // Two pages or two objects cost the same: then one by one.
        let even: Vec<Change> = [Some(0), Some(150_000)].map(change).into();
        assert_eq!(cheapest(&even, 1, &pages), [one(Some(0)), one(Some(150_000))]);
    }

    #[test]
    fn no_window_is_wider_than_a_provider_takes() {
        // Where hardly anything is, a page could hold years.
        let two: Vec<Change> = [Some(0), Some(MOST)].map(change).into();
        let one = |made: i64| Reading::One(format!("x_{made}"), Some(made));
        assert_eq!(cheapest(&two, 1, &|_| 1), [one(0), one(MOST)]);
        let two: Vec<Change> = [Some(0), Some(MOST - 1_000)].map(change).into();
        assert_eq!(cheapest(&two, 1, &|_| 1), [Reading::Span((0, MOST))]);
    }

    #[test]
    fn where_one_read_costs_two_a_window_of_three_pages_costs_less_than_two_reads() {
        let two: Vec<Change> = [Some(0), Some(250_000)].map(change).into();
        let one = |made: i64| Reading::One(format!("x_{made}"), Some(made));
        assert_eq!(pages((0, 251_000)), 3);
        assert_eq!(cheapest(&two, 2, &pages), [Reading::Span((0, 251_000))]);
        assert_eq!(cheapest(&two, 1, &pages), [one(0), one(250_000)]);
        // Four pages for four requests: then by their ids.
        let even: Vec<Change> = [Some(0), Some(350_000)].map(change).into();
        assert_eq!(cheapest(&even, 2, &pages), [one(0), one(350_000)]);
        // What joins a window has to be worth its own two requests, not one.
        let three: Vec<Change> = [Some(0), Some(50_000), Some(150_000)].map(change).into();
        assert_eq!(cheapest(&three, 2, &pages), [Reading::Span((0, 151_000))]);
        assert_eq!(cheapest(&three, 1, &pages), [Reading::Span((0, 51_000)), one(150_000)]);
        // And one alone is read by its id, although a window of its second would be one request.
        assert_eq!(cheapest(&two[..1], 2, &pages), [one(0)]);
    }

    #[test]
    fn a_window_that_is_too_full_costs_its_halves_and_what_was_thrown_away() {
        let of = |way, expected| requests(way, expected, 100);
        assert_eq!([0.0, 100.0, 101.0, 300.0, 500.0].map(|expected| of(Way::List, expected)), [1, 1, 2, 3, 5]);
        assert_eq!([0.0, 100.0, 101.0, 300.0, 500.0].map(|expected| of(Way::Halved, expected)), [1, 1, 3, 7, 15]);
        assert!(of(Way::Halved, f64::INFINITY) > 1_000_000 && of(Way::Halved, f64::NAN) >= 0);
        // Three pages are less than the last one's two requests more; seven halves are not.
        let four: Vec<Change> = [0, 90_000, 180_000, 270_000].map(|at| change(Some(at))).into();
        let halved = |(from, to): Span| requests(Way::Halved, (to - from) as f64 / 1_000.0, 100);
        assert_eq!(cheapest(&four, 2, &pages), [Reading::Span((0, 271_000))]);
        assert_eq!(cheapest(&four, 2, &halved), [Reading::Span((0, 91_000)), Reading::Span((180_000, 271_000))]);
    }

    #[test]
    fn what_a_list_may_not_show_yet_is_read_by_its_id_and_no_window_passes_over_it() {
        let recent = |change: &Change| change.changed_at > 0;
        let of = |at: i64, n: i64| Change { id: format!("{at}/{n}"), changed_at: n, ..change(Some(at)) };
        let one = |change: &Change| Reading::One(change.id.clone(), change.made_at);
        let changes = [0, 500, 1_000, 2_100, 2_500, 3_000, 4_000].map(|at| of(at, i64::from(at == 2_500)));
        // A window that ends with the second before it would ask for its second too.
        let windows = [Reading::Span((0, 1_000)), Reading::Span((3_000, 5_000))];
        let expected: Vec<Reading> = windows.into_iter().chain(changes[2..5].iter().map(one)).collect();
        assert_eq!(readings(&changes, &recent, 1, &pages), expected);
        assert_eq!(readings(&changes, &|_| false, 1, &pages), [Reading::Span((0, 5_000))]);
        let unheld = Change { changed_at: 1, ..change(None) };
        assert_eq!(readings(std::slice::from_ref(&unheld), &recent, 1, &pages), [one(&unheld)]);
    }

    #[test]
    fn a_crowd_with_a_straggler_is_a_window_and_one_read() {
        let mut changes: Vec<Change> = (0..64).map(|n| change(Some(n * 1_000))).collect();
        changes.push(change(Some(500_000_000)));
        let readings = cheapest(&changes, 1, &pages);
        let cost: i64 = readings.iter().map(|r| if let Reading::Span(span) = r { pages(*span) } else { 1 }).sum();
        assert_eq!(cost, 2, "{readings:?}");
        assert!(readings.contains(&Reading::One("x_500000000".to_owned(), Some(500_000_000))), "{readings:?}");
    }

    proptest::proptest! {
        #[test]
        fn every_change_is_read_and_never_for_more_than_one_read_each(mut at in proptest::collection::vec(0i64..100_000_000, 0..60), single in 1i64..3) {
            at.sort_unstable();
            let changes: Vec<Change> = at.iter().map(|at| change(Some(*at))).collect();
            let readings = cheapest(&changes, single, &pages);
            let cost: i64 = readings.iter().map(|r| if let Reading::Span(span) = r { pages(*span) } else { single }).sum();
            proptest::prop_assert!(cost <= single * at.len() as i64);
            for change in &changes {
                let read = readings.iter().any(|reading| match reading {
                    Reading::One(id, _) => *id == change.id,
                    Reading::Span((from, to)) => (*from..*to).contains(&change.made_at.unwrap()),
                });
                proptest::prop_assert!(read);
            }
        }
    }
}
