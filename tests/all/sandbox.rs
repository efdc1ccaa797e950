//! The sandbox over loopback, driven by an HTTP client that knows nothing of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::sandbox::{Options, STRIPE_KEY, Sandbox, TruthStream};
use serde_json::Value;

/// 2026-03-10T11:06:40Z.
const NOW_MS: i64 = 1_773_140_800_000;

/// A clock that stands still; waiting takes no time.
struct Still;

impl Clock for Still {
    fn wall_ms(&self) -> i64 {
        NOW_MS
    }

    fn mono(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

fn options() -> Options {
    Options { charges: 300, payments: 300, days: 3, gzip: false, ..Options::new(Arc::new(Still)) }
}

fn client(builder: reqwest::ClientBuilder) -> reqwest::Client {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    builder.timeout(Duration::from_secs(20)).no_proxy().build().unwrap()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

async fn get(client: &reqwest::Client, url: &str) -> (u16, Value) {
    let response = client.get(url).bearer_auth(STRIPE_KEY).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

/// Walks a Stripe list to its end and returns all objects, newest first.
async fn walk(client: &reqwest::Client, url: &str, limit: usize) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let cursor =
            all.last().map_or(String::new(), |last| format!("&starting_after={}", last["id"].as_str().unwrap()));
        let (status, page) = get(client, &format!("{url}limit={limit}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return all;
        }
    }
}

#[test]
fn stripe_pages_hold_each_visible_charge_once_newest_first() {
    run(async {
        let sandbox = Sandbox::start(options()).unwrap();
        let client = client(reqwest::Client::builder());
        let charges = walk(&client, &format!("{}/v1/charges?", sandbox.stripe_url()), 100).await;
        assert!(charges.len() > 250);
        assert!(charges.windows(2).all(|pair| pair[0]["created"].as_i64() >= pair[1]["created"].as_i64()));
        assert!(charges.windows(2).any(|pair| pair[0]["created"] == pair[1]["created"]), "whole-second ties");
        let ids: HashSet<&str> = charges.iter().map(|charge| charge["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), charges.len());
        let truth = sandbox.truth(TruthStream::StripeCharges, 0, NOW_MS);
        let visible = truth.iter().filter(|fact| fact.visible_ms <= NOW_MS);
        for fact in visible.clone() {
            assert!(ids.contains(fact.id.as_str()), "{fact:?}");
        }
        assert_eq!(visible.count(), charges.len());
        let small = walk(&client, &format!("{}/v1/charges?", sandbox.stripe_url()), 7).await;
        assert_eq!(small, charges, "the page size changes nothing");
    });
}
