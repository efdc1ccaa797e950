//! What has to happen for a planted bug to do harm, on the bench: a scenario each. It gives back what is wrong afterwards,
//! which is nothing unless the bug is planted.

use std::collections::HashMap;
use std::future::Future;

use counterfoil::clock::Clock as _;
use counterfoil::testpoint::{limit_pages, plant};
use serde_json::{Value, json};

use super::Wrong;
use super::bench::{Bench, Told};

const HOUR: u64 = 3_600_000;
pub(super) const DAY: u64 = 24 * HOUR;

/// Lives through a scenario, with this bug in all of it.
pub(super) fn on_this_thread(bug: Option<&'static str>, scenario: impl Future<Output = Wrong>) -> Wrong {
    plant(bug);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wrong = runtime.block_on(scenario);
    plant(None);
    limit_pages(u32::MAX);
    wrong
}

/// Does this once, to the first list at this path that has at least so many records.
fn once(path: &'static str, least: usize, change: fn(&mut Value)) -> impl FnMut(&str, &mut Told) + Send {
    let mut done = false;
    move |asked, told| {
        let large = told.body["data"].as_array().is_some_and(|data| data.len() >= least);
        if !done && large && asked.starts_with(path) {
            done = true;
            change(&mut told.body);
        }
    }
}

/// What changes after the first walk and before the second is in the feed only.
pub(super) fn a_change_after_the_first_walk(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(1_500, 100).await;
        bench.pass().await;
        bench.advance(DAY);
        bench.pass().await;
        bench.settled().await
    })
}

/// Somebody's long pass goes on by the old key while the agent reads by the new one: its numbers of reads run ahead of those of
/// the new one's marks.
pub(super) fn a_key_that_was_set_meanwhile(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(4_000, 100).await;
        bench.pass().await;
        let old = bench.key_set_meanwhile().await;
        bench.pass().await;
        for _ in 0..48 {
            bench.advance(HOUR / 2);
            // It is refused, or has a problem; what it does to others is what counts.
            drop(counterfoil::sync::pass(old.clone(), None, Default::default(), None).await);
        }
        for _ in 0..9 {
            bench.advance(DAY);
            bench.pass().await;
        }
        bench.settled().await
    })
}

/// Nobody listens for longer than the feed reaches back.
pub(super) fn a_month_without_the_feed(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(600, 100).await;
        bench.pass().await;
        bench.advance(40 * DAY);
        bench.pass().await;
        bench.settled().await
    })
}

/// For ten hours this list shows everything eight minutes late; it is read every quarter of an hour.
fn late(bug: Option<&'static str>, path: &'static str) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(1_500, 100).await;
        bench.pass().await;
        let clock = bench.clock.clone();
        bench.bend(move |asked, told| {
            if asked.starts_with(path) {
                let shown = clock.wall_ms() / 1000 - 480;
                told.body["data"].as_array_mut().unwrap().retain(|one| one["created"].as_i64() < Some(shown));
            }
        });
        for _ in 0..40 {
            bench.advance(HOUR / 4);
            bench.pass().await;
        }
        bench.straighten();
        bench.settled().await
    })
}

/// The feed is late.
pub(super) fn a_late_feed(bug: Option<&'static str>) -> Wrong {
    late(bug, "/v1/events?")
}

/// A list is late of which no event tells.
pub(super) fn a_late_list(bug: Option<&'static str>) -> Wrong {
    late(bug, "/v1/balance_transactions?")
}

/// Every second answer says that it is two hours later.
pub(super) fn dates_that_leap(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(100, 100).await;
        let mut leaps = false;
        bench.bend(move |_, told| {
            leaps = !leaps;
            told.date_ahead = if leaps { 2 * HOUR as i64 } else { 0 };
        });
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// The cursor of a second page is refused, time and again.
pub(super) fn a_refused_cursor(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        limit_pages(10);
        let bench = Bench::new(600, 100).await;
        bench.bend(|asked, told| {
            if asked.starts_with("/v1/charges?") && asked.contains("starting_after") {
                (told.status, told.body) = (400, json!({ "error": { "type": "invalid_request_error" } }));
            }
        });
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// The first page of a window is without records, and says that more follows.
pub(super) fn a_hollow_page(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(600, 100).await;
        bench.bend(once("/v1/charges?", 5, |body| (body["data"], body["has_more"]) = (json!([]), json!(true))));
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// A page lacks one of the records that its total counts.
pub(super) fn a_record_less_than_the_total(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(100, 2_000).await;
        bench.bend(once("/disputes?", 1, |body| drop(body["data"].as_array_mut().unwrap().pop())));
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// A page shows the payouts of the other mode, which have their own fates.
pub(super) fn a_page_of_the_other_mode(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(600, 100).await;
        let other = |body: &mut Value| {
            for payout in body["data"].as_array_mut().unwrap() {
                (payout["livemode"], payout["status"]) = (json!(true), json!("failed"));
            }
        };
        bench.bend(once("/v1/payouts?", 5, other));
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// A day that is listed again lacks a charge that is there.
pub(super) fn a_list_without_a_charge(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(600, 100).await;
        bench.pass().await;
        let yesterday = bench.clock.wall_ms() - 14 * HOUR as i64;
        let charges = bench.truth().into_iter().find(|(table, _)| *table == "stripe_charges").unwrap().1;
        let one = charges.into_iter().rfind(|charge| charge.at_ms < yesterday).unwrap().id;
        bench.bend(move |asked, told| {
            if asked.starts_with("/v1/charges?") {
                told.body["data"].as_array_mut().unwrap().retain(|charge| charge["id"] != one.as_str());
            }
        });
        bench.advance(DAY);
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// Disputes move while they are paged: hours go by from one page to the next.
pub(super) fn disputes_that_move(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        limit_pages(2);
        let bench = Bench::new(100, 12_000).await;
        let (clock, mut left) = (bench.clock.clone(), 20);
        bench.bend(move |asked, told| {
            if left > 0 && asked.starts_with("/disputes?") && told.body["total_count"].as_i64() > Some(2) {
                left -= 1;
                clock.pass(4 * HOUR);
            }
        });
        bench.pass_of("eu", "disputes").await;
        bench.straighten();
        limit_pages(u32::MAX);
        bench.settled().await
    })
}

/// Somebody writes another address into the configuration.
pub(super) fn another_address(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(100, 100).await;
        bench.pass().await;
        bench.moved("http://127.0.0.1:9").await
    })
}

/// A page of a day with many records shows none of them, and is well-formed.
pub(super) fn an_empty_page_of_a_busy_day(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(1_500, 100).await;
        bench.pass().await;
        bench.advance(DAY);
        let nothing = |body: &mut Value| (body["data"], body["has_more"]) = (json!([]), json!(false));
        bench.bend(once("/v1/balance_transactions?", 10, nothing));
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// More payments of one second than a response holds: the provider shows the first of them, and does not say that there are
/// more.
pub(super) fn a_second_that_holds_too_much(bug: Option<&'static str>) -> Wrong {
    const LIMIT: usize = 10;
    let name = |n: usize| format!("pay_crowded{n:015}");
    on_this_thread(bug, async {
        limit_pages(LIMIT as u32);
        let mut bench = Bench::new(100, 400).await;
        let one =
            bench.truth().into_iter().find(|(table, _)| *table == "checkoutcom_payments").unwrap().1.swap_remove(9);
        bench.beyond = (0..LIMIT + 2).map(|n| ("checkoutcom_payments", name(n), one.at_ms)).collect();
        let like = one.id;
        bench.bend(move |asked, told| {
            let Some(data) = told.body["data"].as_array_mut() else { return };
            let Some(at) = data.iter().position(|payment| payment["id"] == like.as_str()) else { return };
            if asked == "/payments/search" {
                let crowd = (0..LIMIT + 2).map(|n| Value::from(name(n)));
                let crowd: Vec<Value> = crowd
                    .map(|id| {
                        let mut payment = data[at].clone();
                        payment["id"] = id;
                        payment
                    })
                    .collect();
                data.splice(at..at, crowd);
                data.truncate(LIMIT);
            }
        });
        bench.pass().await;
        bench.settled().await
    })
}

/// Single reads are answered by 404, and not because the object does not exist.
pub(super) fn a_not_found_of_another_kind(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(1_500, 100).await;
        bench.pass().await;
        // With small pages single reads are cheaper than lists.
        limit_pages(5);
        bench.advance(6 * HOUR);
        bench.bend(|asked, told| {
            if asked.starts_with("/v1/charges/") {
                (told.status, told.body) = (404, json!({ "error": { "type": "invalid_request_error" } }));
            }
        });
        bench.pass().await;
        bench.straighten();
        bench.settled().await
    })
}

/// One list is refused, time and again: the others must be whole.
pub(super) fn a_refused_stream(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(600, 100).await;
        bench.bend(|asked, told| {
            if asked.starts_with("/v1/refunds") {
                (told.status, told.body) = (403, json!({ "error": { "type": "invalid_request_error" } }));
            }
        });
        bench.pass().await;
        let mut wrong = bench.settled().await;
        wrong.retain(|wrong| !wrong.starts_with("stripe_refunds: "));
        wrong
    })
}

/// A refund, a dispute and a payout that were seen while they were open, long ago, and of whose end no event ever came.
fn ends_without_events(bug: Option<&'static str>) -> Wrong {
    const OPEN: [(&str, &str); 3] =
        [("stripe_refunds", "pending"), ("stripe_disputes", "needs_response"), ("stripe_payouts", "in_transit")];
    on_this_thread(bug, async {
        let bench = Bench::new(2_000, 100).await;
        for _ in 0..8 {
            bench.advance(DAY);
            bench.pass().await;
        }
        let old = bench.clock.wall_ms() - 6 * DAY as i64;
        let mut all = Vec::new();
        for (table, truth) in bench.truth() {
            let Some((_, open)) = OPEN.iter().find(|(of, _)| *of == table) else { continue };
            let ended = truth.into_iter().find(|one| one.at_ms < old && one.status != *open).unwrap();
            bench.behind_its_back(&format!("UPDATE {table} SET status = '{open}' WHERE id = '{}'", ended.id));
            all.push((table, ended.id));
        }
        assert_eq!(all.len(), OPEN.len());
        bench.advance(DAY + HOUR);
        // Of so few rows the daily comparison would find all.
        bench.behind_its_back(&format!("UPDATE rounds SET at = {} WHERE kind = 'check'", bench.clock.wall_ms()));
        bench.pass().await;
        let truth: HashMap<_, _> = bench.truth().into_iter().collect();
        let status = |table, id: &str| &truth[table].iter().find(|one| one.id == id).unwrap().status;
        let behind = all.iter().filter(|(table, id)| bench.held(table)[id].0 != *status(table, id));
        behind.map(|(table, id)| format!("{table}: {}, not {}", bench.held(table)[id].0, status(table, id))).collect()
    })
}

#[test]
fn what_no_event_tells_of_is_read_again_while_it_is_open() {
    assert_eq!(ends_without_events(None), [""; 0]);
    let behind = ends_without_events(Some("unsettled_never"));
    // (What happens to the dispute meanwhile is told of.)
    for what in ["stripe_refunds: pending, not succeeded", "stripe_payouts: in_transit, not paid"] {
        assert!(behind.iter().any(|one| one == what), "{behind:?}");
    }
}

/// Checkout.com shows no refund in this answer, as if there had been none yet.
fn without_refunds(body: &mut Value) {
    let refund = |action: &Value| action["type"] == "Refund";
    if let Some(actions) = body.as_array_mut() {
        return actions.retain(|action| !refund(action));
    }
    let many = body.get("data").is_some();
    let payments = if many { body["data"].as_array_mut().unwrap() } else { std::slice::from_mut(body) };
    for payment in payments.iter_mut().filter(|payment| payment["balances"].is_object()) {
        if payment["status"].as_str().is_some_and(|status| status.to_lowercase().ends_with("refunded")) {
            payment["status"] = json!("Captured");
        }
        payment["balances"]["total_refunded"] = json!(0);
        if let Some(actions) = payment["actions"].as_array_mut() {
            actions.retain(|action| !refund(action));
        }
    }
}

#[test]
fn search_that_tells_of_another_payment_beside_the_one_that_was_read_by_id_stops_nothing() {
    let wrong = on_this_thread(None, async {
        let bench = Bench::new(40, 1_000).await;
        bench.pass().await;
        bench.behind_its_back(
            "INSERT OR REPLACE INTO changes SELECT account, 'checkoutcom_payments', id, read_at, read_seq, 'checkoutcom_disputes'
             FROM checkoutcom_payments ORDER BY id LIMIT 1",
        );
        bench.pass().await;
        let marked = bench.column("SELECT id FROM changes WHERE reason = 'get'");
        assert_eq!(marked.len(), 1, "alone, it is not listed");
        bench.bend(move |asked, told| {
            let Some([one]) = told.body["data"].as_array().map(Vec::as_slice) else { return };
            if asked.starts_with("/payments/search") && marked.iter().any(|id| one["id"] == **id) {
                let mut other = one.clone();
                other["id"] = json!("pay_other");
                told.body["data"].as_array_mut().unwrap().push(other);
            }
        });
        bench.advance(HOUR);
        bench.pass().await;
        let marks = bench.column("SELECT id FROM changes");
        let problems = bench.column("SELECT code FROM problems WHERE cleared_at IS NULL");
        [marks, problems].concat()
    });
    assert_eq!(wrong, Vec::<String>::new());
}

/// Disputes go on while it is looked every half hour. A read of a payment's actions by its id leaves them out.
pub(super) fn disputes_that_move_on(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(40, 8_000).await;
        bench.pass().await;
        bench.advance(20 * DAY);
        bench.pass().await;
        let (mut wrong, mut moved) = (Vec::new(), 0);
        for _ in 0..2 * 48 {
            bench.advance(HOUR / 2);
            bench.pass().await;
            let since = bench.clock.wall_ms();
            let of = |condition: &str| {
                let sql = format!(
                    "SELECT CAST(count(*) AS TEXT) FROM checkoutcom_payment_actions a JOIN checkoutcom_disputes d USING (account, id)
                     WHERE a.type = 'dispute' AND {condition} AND d.updated_at BETWEEN {since} - 14400000 AND {since} - 7200000"
                );
                bench.column(&sql).remove(0).parse::<u32>().unwrap()
            };
            moved += of("1");
            let late = of("a.status <> d.status");
            if late > 0 {
                wrong.push(format!("{late} disputes are told otherwise among actions"));
            }
        }
        assert!(moved > 9, "hardly a dispute moved: {moved}");
        wrong.extend(bench.settled().await);
        wrong
    })
}

/// A payment of more than a hundred days ago is disputed and refunded. Days of that age are not listed again: what the
/// dispute names is read by its id.
pub(super) fn a_refund_of_an_old_payment(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(40, 1_000).await;
        bench.bend(|asked, told| {
            if asked.starts_with("/payments/") {
                without_refunds(&mut told.body);
            }
        });
        bench.pass().await;
        bench.advance(110 * DAY);
        bench.pass().await;
        let payments = bench.truth().into_iter().find(|(table, _)| *table == "checkoutcom_payments").unwrap().1;
        let old = payments.into_iter().find(|one| one.status == "refunded").unwrap();
        let stands = |bench: &Bench| {
            let status = format!("SELECT status FROM checkoutcom_payments WHERE id = '{}'", old.id);
            let refunds = format!("SELECT amount || ' ' || currency FROM refunds WHERE payment_id = '{}'", old.id);
            (bench.column(&status), bench.column(&refunds))
        };
        assert_eq!(stands(&bench), (vec!["captured".to_owned()], vec![]));
        let disputed_at = jiff::Timestamp::from_millisecond(bench.clock.wall_ms()).unwrap().to_string();
        let id = old.id.clone();
        bench.bend(move |asked, told| {
            if !asked.starts_with("/disputes?") {
                return;
            }
            for dispute in told.body["data"].as_array_mut().into_iter().flatten() {
                if dispute["last_update"].as_str() > Some(&disputed_at) {
                    dispute["payment_id"] = json!(id);
                }
            }
        });
        bench.advance(4 * DAY);
        bench.pass().await;
        bench.straighten();
        let mut wrong = bench.settled().await;
        let (status, refunds) = stands(&bench);
        if status != ["refunded"] {
            wrong.push(format!("the payment is {status:?}"));
        }
        if refunds != [format!("{} {}", old.amount, old.currency)] {
            wrong.push(format!("its refund is missing: {refunds:?}"));
        }
        wrong
    })
}
