//! Passes of real connections over loopback against the sandbox: what its world holds is what the store holds.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::parts::{Parts, Seams};
use counterfoil::agent::request::{Request, perform};
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::paths::{Overrides, Paths};
use counterfoil::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox, TruthStream};
use counterfoil::store::Reader;
use serde_json::{Value, json};

/// A sandbox, a folder, and the parts of an agent that reads it.
pub struct Rig {
    pub sandbox: Sandbox,
    pub clock: SystemClock,
    pub folder: tempfile::TempDir,
    pub parts: Parts,
}

pub fn options(clock: &SystemClock, charges: u64) -> Options {
    let mut options = Options::new(Arc::new(clock.clone()));
    options.charges = charges;
    options.payments = charges / 4;
    options.days = 20;
    options
}

impl Rig {
    pub async fn new(charges: u64) -> Self {
        let clock = SystemClock::new();
        let sandbox = Sandbox::start(options(&clock, charges)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let start = (sandbox.now_ms() / 86_400_000 - 30) * 86_400_000;
        let start = jiff::Timestamp::from_millisecond(start).unwrap().strftime("%Y-%m-%d").to_string();
        let text = format!(
            "[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{}\"\nrequests_per_second = 1000\n\
             [connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {start}\nbase_url = \"{}\"\n\
             requests_per_second = 1000\n",
            sandbox.stripe_url(),
            sandbox.checkout_url()
        );
        std::fs::write(folder.path().join("counterfoil.toml"), text).unwrap();
        let parts = open(&folder, &clock);
        let rig = Self { sandbox, clock, folder, parts };
        rig.set_key("main", STRIPE_KEY).await;
        rig.set_key("eu", CHECKOUT_KEY).await;
        rig
    }

    async fn set_key(&self, connection: &str, key: &str) {
        let (connection, key_name) = (connection.to_owned(), "default".to_owned());
        let request = Request::SetKey { connection, key: key_name, secret: key.to_owned(), full_access: false };
        perform(&self.parts, request, &|_| ()).await.unwrap();
    }

    pub async fn sync(&self) -> Value {
        perform(&self.parts, Request::Sync { targets: vec![] }, &|_| ()).await.unwrap()
    }

    pub fn reader(&self) -> Reader {
        Reader::open(&self.parts.store_path).unwrap()
    }

    pub fn ids(&self, table: &str) -> Vec<String> {
        let found = self.reader().table(&format!("SELECT id FROM {table} ORDER BY id")).unwrap();
        found.rows.iter().map(|row| row[0].str().unwrap().to_owned()).collect()
    }

    /// Ids of all that was made before this moment (milliseconds) and visible by `visible_by`.
    pub fn truth(&self, stream: TruthStream, before: i64, visible_by: i64) -> Vec<String> {
        let all = self.sandbox.truth(stream, 0, before / 1000).into_iter();
        let mut ids: Vec<String> = all.filter(|one| one.visible_ms <= visible_by).map(|one| one.id).collect();
        ids.sort();
        ids
    }
}

pub fn open(folder: &tempfile::TempDir, clock: &SystemClock) -> Parts {
    let overrides = Overrides { config: None, data_dir: Some(folder.path().to_owned()) };
    let paths = Paths::here(&overrides).unwrap();
    let config = Arc::new(config::load(&paths.config_file).unwrap());
    let seams = Seams { clock: Arc::new(clock.clone()), entropy: Arc::new(SeededEntropy::new(7)), transport: None };
    Parts::open(paths, config, seams).unwrap()
}

fn problems(report: &Value) -> Vec<Value> {
    let connections = report["connections"].as_array().unwrap();
    let streams = connections.iter().flat_map(|one| one["streams"].as_array().unwrap());
    let all = connections.iter().chain(streams).filter(|one| !one["problem"].is_null());
    all.map(|one| one["problem"].clone()).collect()
}

pub const STREAMS: [(&str, TruthStream, i64); 8] = [
    ("stripe_charges", TruthStream::StripeCharges, 120),
    ("stripe_refunds", TruthStream::StripeRefunds, 120),
    ("stripe_disputes", TruthStream::StripeDisputes, 120),
    ("stripe_payment_intents", TruthStream::StripePaymentIntents, 120),
    ("stripe_balance_transactions", TruthStream::StripeBalanceTransactions, 120),
    ("stripe_payouts", TruthStream::StripePayouts, 120),
    ("checkoutcom_payments", TruthStream::CheckoutPayments, 300),
    ("checkoutcom_disputes", TruthStream::CheckoutDisputes, 120),
];

#[tokio::test]
async fn a_first_pass_brings_everything_that_the_providers_hold() {
    let rig = Rig::new(3_000).await;
    let began = rig.sandbox.now_ms();
    let report = rig.sync().await;
    assert_eq!(problems(&report), Vec::<Value>::new());
    for (table, stream, lag_s) in STREAMS {
        let held = rig.ids(table);
        let truth = rig.truth(stream, began - lag_s * 1000 - 1_000, began);
        assert!(!truth.is_empty(), "{table}: the world is too small to show anything");
        let missing: Vec<_> = truth.iter().filter(|id| held.binary_search(id).is_err()).collect();
        assert!(missing.is_empty(), "{table}: {} of {} missing", missing.len(), truth.len());
    }
    let rejected = rig.reader().table("SELECT * FROM rejected").unwrap();
    assert!(rejected.rows.is_empty(), "{:?}", rejected.rows);
    let drift = rig.reader().table("SELECT stream, field FROM drift").unwrap();
    assert!(drift.rows.is_empty(), "{:?}", drift.rows);
}

#[tokio::test]
async fn a_second_pass_costs_a_request_a_stream_and_days_bring_what_is_new() {
    let rig = Rig::new(1_000).await;
    rig.sync().await;
    let before = rig.sandbox.requests().len();
    let report = rig.sync().await;
    assert_eq!(problems(&report), Vec::<Value>::new());
    assert!(rig.sandbox.requests().len() - before <= 8, "one request a stream");
    let charges = rig.ids("stripe_charges").len();
    rig.clock.advance(Duration::from_secs(3 * 86_400));
    rig.sync().await;
    let now = rig.clock.wall_ms();
    let after = rig.ids("stripe_charges");
    assert!(after.len() > charges + 50, "{} then {}", charges, after.len());
    let truth = rig.truth(TruthStream::StripeCharges, now - 300_000, now - 300_000);
    assert_eq!(truth.iter().filter(|id| after.binary_search(id).is_err()).count(), 0);
    let report =
        json!(rig.reader().table("SELECT count(*) FROM problems WHERE cleared_at IS NULL").unwrap().rows[0][0].int());
    assert_eq!(report, json!(0));
}
