//! Every planted bug (`testpoint::PLANTED`), and how it is found. A bug that is not in the list, or not found as the list
//! says, fails the tests. Those that seeds find are hunted by `simulation::planted`.

mod bench;
mod scenarios;

use counterfoil::testpoint::PLANTED;

/// What is wrong after a scenario.
pub(crate) type Wrong = Vec<String>;

/// How a bug is found.
pub(crate) enum By {
    /// This scenario ends with nothing wrong, and with something that holds these words when the bug is planted.
    Scenario(fn(Option<&'static str>) -> Wrong, &'static str),
}

use By::Scenario;

/// In the order of `PLANTED`.
pub(crate) const FOUND: &[(&str, By)] = &[
    ("feed_after_listing", Scenario(scenarios::a_change_after_the_first_walk, "behind")),
    ("hollow_is_end", Scenario(scenarios::a_hollow_page, "stripe_charges: ")),
    ("total_unchecked", Scenario(scenarios::a_record_less_than_the_total, "checkoutcom_disputes: 1 missing")),
    ("full_second_is_whole", Scenario(scenarios::a_second_that_holds_too_much, "checkoutcom_payments: ")),
    ("empty_page_counts", Scenario(scenarios::an_empty_page_of_a_busy_day, "stripe_balance_transactions: ")),
    ("any_404_is_gone", Scenario(scenarios::a_not_found_of_another_kind, "marked as gone but shown")),
    ("one_stops_all", Scenario(scenarios::a_refused_stream, "missing")),
];

#[test]
#[allow(clippy::disallowed_methods)]
fn scenarios_find_their_bugs() {
    for (bug, By::Scenario(scenario, words)) in FOUND {
        if std::env::var("PLANTED").is_ok_and(|only| only != *bug) { continue; }
        let t = std::time::Instant::now();
        let a = scenario(None);
        let e = t.elapsed();
        let b = scenario(Some(bug));
        println!("{bug}: without {a:?} ({e:?}), with {b:?} ({words}) {:?}", t.elapsed());
    }
    drop(PLANTED);
}
