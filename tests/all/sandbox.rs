//! The sandbox over loopback, driven by an HTTP client that knows nothing of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::sandbox::{CHECKOUT_KEY, FaceName, Fault, FaultKind, Key, Options, STRIPE_KEY, Sandbox, TruthStream};
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

#[test]
fn every_stripe_stream_agrees_with_the_truth() {
    run(async {
        let sandbox = Sandbox::start(Options { days: 60, ..options() }).unwrap();
        let client = client(reqwest::Client::builder());
        for (path, stream) in [
            ("charges", TruthStream::StripeCharges),
            ("refunds", TruthStream::StripeRefunds),
            ("disputes", TruthStream::StripeDisputes),
            ("payment_intents", TruthStream::StripePaymentIntents),
            ("balance_transactions", TruthStream::StripeBalanceTransactions),
            ("payouts", TruthStream::StripePayouts),
        ] {
            let listed = walk(&client, &format!("{}/v1/{path}?", sandbox.stripe_url()), 100).await;
            let truth = sandbox.truth(stream, 0, NOW_MS);
            let visible: Vec<_> = truth.iter().filter(|fact| fact.visible_ms <= NOW_MS).collect();
            assert_eq!(listed.len(), visible.len(), "{path}");
            assert!(!listed.is_empty(), "{path}");
            for (object, fact) in listed.iter().rev().zip(visible) {
                assert_eq!(object["id"], *fact.id, "{path}");
                assert_eq!(object["status"], *fact.status, "{path}");
                assert_eq!(object["amount"], fact.amount, "{path}");
                assert_eq!(object["currency"], fact.currency, "{path}");
                assert_eq!(object["created"].as_i64().unwrap() * 1000, fact.at_ms, "{path}");
            }
        }
    });
}

#[test]
fn time_can_jump_and_brings_new_payments() {
    run(async {
        let sandbox = Sandbox::start(options()).unwrap();
        let client = client(reqwest::Client::builder());
        let url = format!("{}/v1/charges?", sandbox.stripe_url());
        let before = walk(&client, &url, 100).await;
        sandbox.advance(Duration::from_secs(30 * 86_400));
        let control = format!("{}/sandbox/advance?seconds=3600", sandbox.checkout_url());
        let told: Value =
            serde_json::from_slice(&client.post(control).send().await.unwrap().bytes().await.unwrap()).unwrap();
        let now = NOW_MS + (30 * 86_400 + 3_600) * 1000;
        assert_eq!(told["now_ms"], now);
        assert_eq!(sandbox.now_ms(), now);
        let after = walk(&client, &url, 100).await;
        // A hundred charges a day, thirty days more.
        assert!((before.len() + 2_900..before.len() + 3_100).contains(&after.len()), "{}", after.len());
        let ids: HashSet<&str> = after.iter().map(|charge| charge["id"].as_str().unwrap()).collect();
        assert!(before.iter().all(|charge| ids.contains(charge["id"].as_str().unwrap())));
        let refunded = |charges: &[Value]| charges.iter().filter(|c| c["amount_refunded"] != 0).count();
        assert!(refunded(&after[after.len() - before.len()..]) > refunded(&before), "old charges went on to live");
    });
}

#[test]
fn headers_tell_time_request_and_version() {
    run(async {
        let sandbox = Sandbox::start(options()).unwrap();
        let client = client(reqwest::Client::builder());
        let ask = client.get(format!("{}/v1/charges", sandbox.stripe_url())).bearer_auth(STRIPE_KEY);
        let answer = ask.header("stripe-version", "2020-08-27").send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("date"), "Tue, 10 Mar 2026 11:06:40 GMT");
        assert_eq!(header("stripe-version"), "2020-08-27");
        assert!(header("request-id").starts_with("req_"));
        assert_eq!(header("content-type"), "application/json");
        let answer =
            client.get(format!("{}/disputes", sandbox.checkout_url())).bearer_auth(CHECKOUT_KEY).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("cko-request-id") && answer.headers().contains_key("cko-version"));
        let logged = sandbox.requests();
        assert_eq!(logged.len(), 2);
        assert_eq!((logged[0].face, logged[0].path.as_str(), logged[0].status), (FaceName::Stripe, "/v1/charges", 200));
        assert_eq!((logged[1].face, logged[1].path.as_str()), (FaceName::CheckoutCom, "/disputes"));
    });
}

#[test]
fn keys_are_checked_and_missing_permissions_named() {
    run(async {
        let lacking = |token: &str, lacks: &str| Key { token: token.to_owned(), lacks: vec![lacks.to_owned()] };
        let sandbox = Sandbox::start(Options {
            stripe_keys: vec![lacking(STRIPE_KEY, "payout_read")],
            checkout_keys: vec![lacking(CHECKOUT_KEY, "disputes:view")],
            ..options()
        })
        .unwrap();
        let client = client(reqwest::Client::builder());
        let url = |path: &str| format!("{}{path}", sandbox.stripe_url());
        assert_eq!(get(&client, &url("/v1/charges?limit=1")).await.0, 200);
        let (status, body) = get(&client, &url("/v1/payouts")).await;
        assert_eq!((status, &body["error"]["code"]), (403, &Value::from("more_permissions_required")));
        assert!(body["error"]["message"].as_str().unwrap().contains("'rak_payout_read'"), "{body}");
        let answer = client.get(url("/v1/charges")).bearer_auth("rk_test_other").send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let basic = client.get(url("/v1/charges")).basic_auth(STRIPE_KEY, Some("")).send().await.unwrap();
        assert_eq!(basic.status(), 200);
        let refused =
            client.get(format!("{}/disputes", sandbox.checkout_url())).bearer_auth(CHECKOUT_KEY).send().await.unwrap();
        assert_eq!(refused.status(), 403);
    });
}

#[test]
fn tls_speaks_http2_to_those_who_trust_its_authority() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        let sandbox = Sandbox::start(Options { ca_file: Some(ca_file.clone()), ..options() }).unwrap();
        assert!(sandbox.stripe_url().starts_with("https://127.0.0.1:"));
        let ca = reqwest::Certificate::from_pem(&std::fs::read(&ca_file).unwrap()).unwrap();
        let trusting = client(reqwest::Client::builder().tls_certs_only([ca]));
        let url = format!("{}/v1/charges?limit=3", sandbox.stripe_url());
        let answer = trusting.get(&url).bearer_auth(STRIPE_KEY).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
        let old = client(
            reqwest::Client::builder()
                .tls_certs_only([reqwest::Certificate::from_pem(&std::fs::read(&ca_file).unwrap()).unwrap()])
                .http1_only(),
        );
        let answer = old.get(&url).bearer_auth(STRIPE_KEY).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));
        let stranger = client(reqwest::Client::builder().tls_certs_only([]));
        assert!(stranger.get(&url).send().await.unwrap_err().is_connect(), "an unknown authority is refused");
    });
}

#[test]
fn gzip_is_sent_only_to_those_who_ask() {
    run(async {
        let sandbox = Sandbox::start(Options { gzip: true, ..options() }).unwrap();
        let client = client(reqwest::Client::builder());
        let url = format!("{}/v1/charges?limit=50", sandbox.stripe_url());
        let ask = || client.get(&url).bearer_auth(STRIPE_KEY);
        let plain = ask().send().await.unwrap();
        assert!(!plain.headers().contains_key("content-encoding"));
        let plain = plain.bytes().await.unwrap();
        let packed = ask().header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        let packed = packed.bytes().await.unwrap();
        assert!(packed.len() * 3 < plain.len(), "{} of {}", packed.len(), plain.len());
        let mut open = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut open).unwrap();
        assert_eq!(open, plain);
    });
}

#[test]
fn faults_strike_as_told() {
    run(async {
        let sandbox = Sandbox::start(options()).unwrap();
        let client = client(reqwest::Client::builder().pool_max_idle_per_host(0));
        let url = format!("{}/v1/charges?limit=20", sandbox.stripe_url());
        let strike = async |kind: FaultKind| {
            sandbox.set_faults(vec![Fault::always("/v1/charges", kind)]);
            let answer = client.get(&url).bearer_auth(STRIPE_KEY).send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await))
        };
        let whole = strike(FaultKind::Slow { ms: 1 }).await.unwrap().2.unwrap();
        for code in [401, 403, 404, 500, 503] {
            assert_eq!(strike(FaultKind::status(code)).await.unwrap().0, code);
        }
        let limited = FaultKind::Status { code: 429, retry_after: Some(7), reason: Some("endpoint-rate".to_owned()) };
        let (status, headers, _) = strike(limited).await.unwrap();
        assert_eq!(
            (status, &headers["retry-after"], &headers["stripe-rate-limited-reason"]),
            (429, &"7".parse().unwrap(), &"endpoint-rate".parse().unwrap())
        );
        let (status, headers, body) = strike(FaultKind::Html).await.unwrap();
        assert_eq!((status, &headers["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
        assert!(body.unwrap().starts_with(b"<!doctype html>"));
        let (_, headers, body) = strike(FaultKind::Cut).await.unwrap();
        assert_eq!(headers["content-length"], whole.len().to_string());
        assert!(body.is_err(), "the body breaks off");
        let (_, _, body) = strike(FaultKind::Short).await.unwrap();
        assert_eq!(body.unwrap(), whole.slice(..whole.len() / 2));
        let (_, headers, body) = strike(FaultKind::ContentType).await.unwrap();
        assert_eq!((&headers["content-type"], body.unwrap()), (&"text/plain".parse().unwrap(), whole.clone()));
        let (_, _, body) = strike(FaultKind::Hollow).await.unwrap();
        let hollow: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!((&hollow["data"], &hollow["has_more"]), (&serde_json::json!([]), &Value::Bool(true)));
        assert!(strike(FaultKind::Close).await.is_err());
        sandbox.set_faults(Vec::new());
        let page: Value = serde_json::from_slice(&whole).unwrap();
        let next = format!("{url}&starting_after={}", page["data"][19]["id"].as_str().unwrap());
        assert_ne!(get(&client, &next).await.1["data"], page["data"]);
        sandbox.set_faults(vec![Fault::always("/v1/charges", FaultKind::Repeat)]);
        assert_eq!(get(&client, &next).await.1["data"], page["data"]);
    });
}

#[test]
fn faults_can_be_set_over_http_and_count_requests() {
    run(async {
        let sandbox = Sandbox::start(options()).unwrap();
        let client = client(reqwest::Client::builder());
        let control = format!("{}/sandbox/faults", sandbox.stripe_url());
        let faults = r#"[{"face":"stripe","path":"/v1/refunds","nth":2,"kind":{"status":{"code":500}}}]"#;
        assert_eq!(client.post(&control).body(faults).send().await.unwrap().status(), 200);
        let url = format!("{}/v1/refunds?limit=1", sandbox.stripe_url());
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(get(&client, &url).await.0);
        }
        assert_eq!(statuses, [200, 500, 200]);
        assert_eq!(client.post(&control).body("[{}]").send().await.unwrap().status(), 400);
    });
}

#[test]
fn equal_seeds_and_first_day_serve_equal_bytes() {
    run(async {
        let client = client(reqwest::Client::builder());
        let read = async |options: Options| {
            let sandbox = Sandbox::start(options).unwrap();
            let url = format!("{}/v1/charges?limit=100", sandbox.stripe_url());
            let bytes = client.get(url).bearer_auth(STRIPE_KEY).send().await.unwrap().bytes().await.unwrap();
            (bytes, sandbox.stripe_account(), sandbox.checkout_client_id())
        };
        let (one, account, client_id) = read(options()).await;
        let today = u32::try_from(NOW_MS / 86_400_000).unwrap();
        let again = read(Options { first_day: Some(today - 3), ..options() }).await;
        assert_eq!(again, (one.clone(), account.clone(), client_id.clone()));
        assert_ne!(read(Options { seed: 2, ..options() }).await.0, one);
        let other_ids = read(Options { id_seed: 2, ..options() }).await;
        assert!(other_ids.1 != account && other_ids.2 != client_id && other_ids.0 != one);
    });
}

#[test]
fn a_sandbox_stops_when_dropped() {
    run(async {
        let sandbox = Sandbox::start(options()).unwrap();
        let url = format!("{}/sandbox/now", sandbox.stripe_url());
        let client = client(reqwest::Client::builder().pool_max_idle_per_host(0));
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        drop(sandbox);
        assert!(client.get(&url).send().await.unwrap_err().is_connect());
    });
}

#[test]
fn checkout_search_and_disputes_are_served() {
    run(async {
        let sandbox = Sandbox::start(Options { payments: 3_000, days: 60, ..options() }).unwrap();
        let client = client(reqwest::Client::builder());
        let body = r#"{"query":"amount:>=0","limit":1000}"#;
        let ask = client.post(format!("{}/payments/search", sandbox.checkout_url())).bearer_auth(CHECKOUT_KEY);
        let answer = ask.header("content-type", "application/json").body(body).send().await.unwrap();
        let page: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(page["data"].as_array().unwrap().len(), 1000);
        assert!(page["_links"]["next"]["href"].as_str().unwrap().starts_with(&sandbox.checkout_url()));
        assert_eq!(sandbox.requests()[0].body, body);
        let ask = client.get(format!("{}/disputes?limit=250", sandbox.checkout_url())).bearer_auth(CHECKOUT_KEY);
        let page: Value = serde_json::from_slice(&ask.send().await.unwrap().bytes().await.unwrap()).unwrap();
        let truth = sandbox.truth(TruthStream::CheckoutDisputes, 0, NOW_MS);
        assert_eq!(page["total_count"], truth.iter().filter(|fact| fact.visible_ms <= NOW_MS).count());
        assert!(page["total_count"] != 0);
    });
}
