//! The official SDKs as clients of the sandbox. Each script under `tests/judges` prints what its SDK saw; what the world
//! holds is asked from the sandbox here, so that no script can agree by accident.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::sandbox::{CHECKOUT_KEY, Fault, FaultKind, Key, Options, STRIPE_KEY, Sandbox, Truth, TruthStream};
use serde_json::{Value, json};

use super::{command, finish, judges};

/// 2026-03-10T11:06:40Z.
const NOW_MS: i64 = 1_773_140_800_000;
const NARROW_STRIPE: &str = "rk_test_51SandboxNarrow000000000000000000000";
const NARROW_CHECKOUT: &str = "sk_sbox_counterfoilnarrowabcdefghij";
const LIMITED_CHARGE: &str = "ch_3Limited";
const LIMITED_PAYMENT: &str = "pay_limited";

/// A clock that stands still, so that what an SDK sees in a minute is one state of the world.
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

fn sandbox() -> Sandbox {
    let narrow = |token: &str, lacks: &str| Key { token: token.to_owned(), lacks: vec![lacks.to_owned()] };
    let limited = |path: String| Fault::always(&path, FaultKind::status(429));
    let options = Options {
        charges: 2_000,
        payments: 2_000,
        days: 80,
        stripe_keys: vec![Key::reading_all(STRIPE_KEY), narrow(NARROW_STRIPE, "payout_read")],
        checkout_keys: vec![Key::reading_all(CHECKOUT_KEY), narrow(NARROW_CHECKOUT, "disputes:view")],
        faults: vec![limited(format!("/v1/charges/{LIMITED_CHARGE}")), limited(format!("/payments/{LIMITED_PAYMENT}"))],
        ..Options::new(Arc::new(Still))
    };
    Sandbox::start(options).unwrap()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges").join(name)
}

fn python(folder: &Path, name: &str) -> Command {
    let mut python = command(folder.join("venv/bin/python"));
    // Isolated: neither this folder's scripts nor a person's packages stand before the SDK's own.
    python.arg("-I").arg(script(name));
    python
}

fn node(name: &str) -> Command {
    let mut node = command("node");
    node.arg(script(name));
    node
}

/// What a judge saw.
fn see(judge: &mut Command, asked: &Value) -> Value {
    let (fine, text, complaint) = finish(judge.arg(asked.to_string()), 240);
    assert!(fine, "{judge:?}: {complaint}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{judge:?}: {error}: {text}"))
}

/// What lists show of a stream now, oldest first.
fn visible(sandbox: &Sandbox, stream: TruthStream) -> Vec<Truth> {
    let mut all = sandbox.truth(stream, 0, NOW_MS / 1000 + 1);
    all.retain(|one| one.visible_ms <= NOW_MS);
    assert!(all.len() > 4, "{stream:?}: the world is too small to show anything");
    all
}

fn texts(all: &Value) -> Vec<&str> {
    all.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

const STRIPE: [(&str, TruthStream); 6] = [
    ("charges", TruthStream::StripeCharges),
    ("refunds", TruthStream::StripeRefunds),
    ("disputes", TruthStream::StripeDisputes),
    ("payment_intents", TruthStream::StripePaymentIntents),
    ("balance_transactions", TruthStream::StripeBalanceTransactions),
    ("payouts", TruthStream::StripePayouts),
];

/// Lists from both ends and by window, single objects, refusals: all as the sandbox's own world has them.
fn judge_stripe(judge: &mut Command, classes: [&str; 4]) {
    let sandbox = sandbox();
    let url = sandbox.stripe_url();
    let asked = json!({"url": url, "key": STRIPE_KEY, "narrow_key": NARROW_STRIPE, "limited": LIMITED_CHARGE});
    let seen = see(judge, &asked);
    for (name, stream) in STRIPE {
        let truth = visible(&sandbox, stream);
        let facts = |one: &Truth| {
            json!({"id": one.id, "status": one.status, "amount": one.amount, "currency": one.currency,
                   "at": one.at_ms / 1000})
        };
        let whole: Vec<Value> = truth.iter().rev().map(facts).collect();
        assert_eq!(seen["lists"][name].as_array(), Some(&whole), "{name}");
        let mut ids: Vec<&str> = truth.iter().map(|one| one.id.as_str()).collect();
        // Backwards from the oldest, which itself is left out.
        assert_eq!(texts(&seen["backwards"][name]), ids[1..], "{name}");
        let window = &seen["windows"][name];
        let (from, to) = (window[0].as_i64().unwrap(), window[1].as_i64().unwrap());
        let inside = truth.iter().filter(|one| (from..to).contains(&(one.at_ms / 1000)));
        ids = inside.rev().map(|one| one.id.as_str()).collect();
        assert!(!ids.is_empty() && ids.len() < truth.len(), "{name}: the window cuts something off");
        assert_eq!(texts(&window[2]), ids, "{name}");
        let singles = seen["singles"][name].as_array().unwrap();
        assert!(singles.len() >= 5 && singles.iter().all(|one| whole.contains(one)), "{name}");
    }
    let [authentication, permission, request, limited] = classes;
    assert_eq!(
        seen["errors"],
        json!({
            "unknown_key": [authentication, 401, null],
            "narrow_key": [permission, 403, "more_permissions_required"],
            "unknown_id": [request, 404, "resource_missing"],
            "wrong_limit": [request, 400, "parameter_invalid_integer"],
            "limited": [limited, 429, "rate_limit"],
        })
    );
}

/// The same for search by halved windows and for disputes by offset.
fn judge_checkout(judge: &mut Command, classes: [&str; 4]) {
    let sandbox = sandbox();
    let (to, url) = (NOW_MS / 1000, sandbox.checkout_url());
    let from = to - 85 * 86_400;
    let asked = json!({"url": url, "key": CHECKOUT_KEY, "narrow_key": NARROW_CHECKOUT, "limited": LIMITED_PAYMENT,
                       "from": from, "to": to});
    let seen = see(judge, &asked);
    let payments = visible(&sandbox, TruthStream::CheckoutPayments);
    let disputes = visible(&sandbox, TruthStream::CheckoutDisputes);
    assert!(seen["searches"].as_i64().unwrap() > 60, "the range was halved: {}", seen["searches"]);
    assert_eq!(seen["payments"].as_array().unwrap().len(), payments.len(), "each payment once");
    assert_eq!(facts(&seen["payments"]), held(&payments));
    assert_eq!(seen["disputes"]["total"], disputes.len());
    assert_eq!(seen["disputes"]["all"].as_array().unwrap().len(), disputes.len(), "each dispute once");
    assert_eq!(facts(&seen["disputes"]["all"]), held(&disputes));
    assert!(facts(&seen["dispute_singles"]).len() == 5 && facts(&seen["dispute_singles"]).is_subset(&held(&disputes)));
    let singles = facts(&seen["payment_singles"]);
    assert!(singles.len() >= 5 && singles.is_subset(&held(&payments)), "{singles:?}");
    let actions: BTreeMap<String, Vec<String>> = serde_json::from_value(seen["actions"].clone()).unwrap();
    assert_eq!(actions.len(), singles.len());
    assert!(actions.values().all(|types| types.iter().any(|one| one == "Authorization")), "{actions:?}");
    for (case, class, code) in [
        ("unknown_key", classes[0], 401),
        ("narrow_key", classes[1], 403),
        ("unknown_id", classes[2], 404),
        ("limited", classes[3], 429),
    ] {
        let error = &seen["errors"][case];
        assert_eq!((&error[0], &error[1]), (&json!(class), &json!(code)), "{case}");
    }
    assert_eq!(seen["errors"]["limited"][2], json!(["sandbox_fault"]), "the body of an error arrives");
}

/// Id, status, amount and currency in lower case: what both sides say of an object.
type Fact = (String, String, i64, String);

fn facts(seen: &Value) -> BTreeSet<Fact> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let fact = |one: &Value| {
        let (status, currency) = (text(one, "status").to_lowercase(), text(one, "currency").to_lowercase());
        (text(one, "id"), status, one["amount"].as_i64().unwrap(), currency)
    };
    seen.as_array().unwrap().iter().map(fact).collect()
}

fn held(truth: &[Truth]) -> BTreeSet<Fact> {
    let fact = |one: &Truth| (one.id.clone(), one.status.clone(), one.amount, one.currency.to_owned());
    truth.iter().map(fact).collect()
}

#[test]
fn stripe_python_sees_what_the_sandbox_holds() {
    let Some(folder) = judges("Stripe's Python SDK") else { return };
    let classes = ["AuthenticationError", "PermissionError", "InvalidRequestError", "RateLimitError"];
    judge_stripe(&mut python(&folder, "stripe_sdk.py"), classes);
}

#[test]
fn stripe_node_sees_what_the_sandbox_holds() {
    let Some(_) = judges("Stripe's Node SDK") else { return };
    let classes =
        ["StripeAuthenticationError", "StripePermissionError", "StripeInvalidRequestError", "StripeRateLimitError"];
    judge_stripe(&mut node("stripe_sdk.mjs"), classes);
}

#[test]
fn checkout_python_sees_what_the_sandbox_holds() {
    let Some(folder) = judges("Checkout.com's Python SDK") else { return };
    judge_checkout(&mut python(&folder, "checkout_sdk.py"), ["CheckoutApiException"; 4]);
}

#[test]
fn checkout_node_sees_what_the_sandbox_holds() {
    let Some(_) = judges("Checkout.com's Node SDK") else { return };
    let classes = ["AuthenticationError", "ActionNotAllowed", "NotFoundError", "TooManyRequestsError"];
    judge_checkout(&mut node("checkout_sdk.mjs"), classes);
}
