//! Two names for one account, and another account behind one name: scenarios of planted bugs, on the bench.

use serde_json::{Value, json};

use super::Wrong;
use super::bench::Bench;
use super::scenarios::{DAY, on_this_thread};

/// Two sections with one key, set before anything is held.
pub(super) fn one_account_under_two_names(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(300, 100).await;
        bench.add_again().await;
        bench.pass_all_of("main").await;
        bench.pass_all_of("again").await;
        let mut wrong = bench.rows("SELECT id FROM stripe_charges GROUP BY id HAVING count(*) > 1", "held twice");
        wrong.extend(bench.settled().await);
        wrong
    })
}

/// Whoever answers shows the same records under other ids, and knows none of ours.
pub(super) fn another_account_behind_the_key(bug: Option<&'static str>) -> Wrong {
    on_this_thread(bug, async {
        let bench = Bench::new(300, 100).await;
        bench.pass().await;
        bench.advance(DAY + DAY / 24);
        bench.bend(|asked, told| {
            let single = asked.starts_with("/v1/") && asked.split('?').next().unwrap().matches('/').count() == 3;
            if single {
                (told.status, told.body) = (404, json!({"error": {"code": "resource_missing"}}));
                return;
            }
            for record in told.body["data"].as_array_mut().into_iter().flatten() {
                let id = record["id"].as_str().unwrap().replacen('_', "_of_another", 1);
                record["id"] = Value::from(id);
            }
        });
        bench.pass_all_of("main").await;
        bench.straighten();
        let mut wrong = bench.rows("SELECT id FROM stripe_charges WHERE id LIKE 'ch_of_%'", "of another account");
        wrong.extend(bench.settled().await);
        wrong
    })
}
