//! Passes of real connections over loopback against the sandbox: what its world holds is what the store holds.

mod accounts;
mod budget;
mod disk;
mod keys;
mod privacy;
mod pushback;

use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request, perform};
use counterfoil::clock::{Clock, SystemClock};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::paths::{Overrides, Paths};
use counterfoil::sandbox::{CHECKOUT_KEY, Fault, FaultKind, Options, STRIPE_KEY, Sandbox, TruthStream};
use counterfoil::store::Reader;
use counterfoil::testpoint::limit_pages;
use serde_json::{Value, json};

/// A sandbox, a folder, and the parts of an agent that reads it.
pub(crate) struct Rig {
    pub sandbox: Sandbox,
    pub clock: SystemClock,
    pub folder: tempfile::TempDir,
    pub parts: Parts,
}

pub(crate) fn options(clock: &SystemClock, charges: u64) -> Options {
    let mut options = Options::new(Arc::new(clock.clone()));
    options.charges = charges;
    options.payments = charges / 4;
    options.days = 20;
    options
}

impl Rig {
    pub(crate) async fn new(charges: u64) -> Self {
        Self::over(charges, false).await
    }

    /// Over plain HTTP, or over TLS with the sandbox's own authority.
    pub(crate) async fn over(charges: u64, tls: bool) -> Self {
        Self::with(charges, tls, |_| ()).await
    }

    /// On a sandbox whose options are changed before it starts.
    pub(crate) async fn with(charges: u64, tls: bool, change: impl FnOnce(&mut Options)) -> Self {
        let clock = crate::noon();
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(&clock, charges);
        change(&mut options);
        options.ca_file = tls.then(|| folder.path().join("ca.pem"));
        let sandbox = Sandbox::start(options).unwrap();
        let ca_file = if tls { "ca_file = \"ca.pem\"\n" } else { "" };
        let start = (sandbox.now_ms() / 86_400_000 - 30) * 86_400_000;
        let start = jiff::Timestamp::from_millisecond(start).unwrap().strftime("%Y-%m-%d").to_string();
        let text = format!(
            "[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{}\"\nrequests_per_second = 1000\n\
             {ca_file}[connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {start}\nbase_url = \"{}\"\n\
             requests_per_second = 1000\n{ca_file}",
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

    pub(crate) async fn sync(&self) -> Value {
        perform(&self.parts, Request::Sync { targets: vec![] }, &|_| ()).await.unwrap()
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.parts.store_path).unwrap()
    }

    pub(crate) fn ids(&self, table: &str) -> Vec<String> {
        let found = self.reader().table(&format!("SELECT id FROM {table} ORDER BY id")).unwrap();
        found.rows.iter().map(|row| row[0].str().unwrap().to_owned()).collect()
    }

    /// Ids of all that was made before this moment (milliseconds) and visible by `visible_by`.
    pub(crate) fn truth(&self, stream: TruthStream, before: i64, visible_by: i64) -> Vec<String> {
        let all = self.sandbox.truth(stream, 0, before / 1000).into_iter();
        let mut ids: Vec<String> = all.filter(|one| one.visible_ms <= visible_by).map(|one| one.id).collect();
        ids.sort();
        ids
    }
}

pub(crate) fn open(folder: &tempfile::TempDir, clock: &SystemClock) -> Parts {
    let overrides = Overrides { config: None, data_dir: Some(folder.path().to_owned()) };
    let paths = Paths::here(&overrides).unwrap();
    let config = Arc::new(config::load(&paths.config_file).unwrap());
    let seams = Seams {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SeededEntropy::new(7)),
        transport: None,
        writer: Writer::default(),
    };
    crate::open_parts(paths, config, seams).unwrap()
}

/// Something that happens to the file behind the agent's back.
pub(crate) fn behind_its_back(rig: &Rig, sql: &str) {
    #[allow(clippy::disallowed_methods)] // from outside, as nobody should
    let connection = rusqlite::Connection::open(&rig.parts.store_path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch(sql).unwrap();
}

pub(crate) fn problems(report: &Value) -> Vec<Value> {
    let connections = report["connections"].as_array().unwrap();
    let streams = connections.iter().flat_map(|one| one["streams"].as_array().unwrap());
    let all = connections.iter().chain(streams).filter(|one| !one["problem"].is_null());
    all.map(|one| one["problem"].clone()).collect()
}

pub(crate) const STREAMS: [(&str, TruthStream, i64); 8] = [
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
    let rig = Rig::new(12_000).await;
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
    let runs =
        rig.reader().table("SELECT sum(requests), sum(pages) FROM runs WHERE stream = 'stripe_charges'").unwrap();
    let charges = rig.sandbox.requests().iter().filter(|one| one.path == "/v1/charges").count() as i64;
    assert_eq!((runs.rows[0][0].int(), runs.rows[0][1].int()), (Some(charges), Some(charges)));
    let days = rig.reader().table("SELECT DISTINCT day_at FROM reads").unwrap().rows;
    let midnight = rig.sandbox.now_ms().div_euclid(86_400_000) * 86_400_000;
    assert!(days.len() == 1 && days[0][0].int() == Some(midnight), "{days:?}");
    let mut asked: Vec<String> = rig.sandbox.requests().split_off(before).into_iter().map(|one| one.path).collect();
    asked.sort();
    let again = asked.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(again == 0 && asked.len() >= 9, "one request a stream: {asked:?}");
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

pub(crate) fn stream_problem(report: &Value, stream: &str) -> Option<String> {
    let connections = report["connections"].as_array().unwrap();
    let found =
        connections.iter().flat_map(|one| one["streams"].as_array().unwrap()).find(|one| one["stream"] == stream);
    found.unwrap()["problem"]["code"].as_str().map(str::to_owned)
}

fn coverage(rig: &Rig, table: &str) -> Vec<(String, bool)> {
    let sql = format!("SELECT state, cursor IS NOT NULL FROM coverage WHERE stream = '{table}' ORDER BY to_at DESC");
    let found = rig.reader().table(&sql).unwrap();
    found.rows.iter().map(|row| (row[0].str().unwrap().to_owned(), row[1].int() == Some(1))).collect()
}

/// What is visible now and was made before the lag is in the store.
fn complete(rig: &Rig, table: &str, stream: TruthStream, visible_by: i64) {
    let held = rig.ids(table);
    let truth = rig.truth(stream, visible_by - 301_000, visible_by);
    let missing = truth.iter().filter(|id| held.binary_search(id).is_err()).count();
    assert!(!truth.is_empty() && missing == 0, "{table}: {missing} of {} missing", truth.len());
}

#[tokio::test]
async fn a_refused_stream_is_a_named_problem_and_stops_no_other() {
    let rig = Rig::new(300).await;
    rig.sandbox.set_faults(vec![Fault::always("/v1/refunds", FaultKind::status(403))]);
    let began = rig.sandbox.now_ms();
    let report = rig.sync().await;
    assert_eq!(stream_problem(&report, "refunds").as_deref(), Some("http.forbidden"));
    for stream in ["charges", "payouts", "balance_transactions", "payments"] {
        assert_eq!(stream_problem(&report, stream), None, "{stream}");
    }
    assert!(coverage(&rig, "stripe_refunds").iter().all(|(state, _)| state == "open"), "a refusal is never emptiness");
    let standing = rig.reader().table("SELECT stream, code FROM problems WHERE cleared_at IS NULL").unwrap();
    assert_eq!(standing.rows.len(), 1, "{:?}", standing.rows);

    rig.sandbox.set_faults(vec![]);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    complete(&rig, "stripe_refunds", TruthStream::StripeRefunds, began);
    let standing = rig.reader().table("SELECT code FROM problems WHERE cleared_at IS NULL").unwrap();
    assert!(standing.rows.is_empty(), "it heals by itself: {:?}", standing.rows);
}

#[tokio::test]
async fn what_is_no_page_leaves_the_checkpoint_and_the_walk_goes_on_from_it() {
    for (kind, code) in [
        (FaultKind::Html, "http.wrong_content"),
        (FaultKind::Hollow, "sync.contradiction"),
        (FaultKind::Repeat, "sync.contradiction"),
        (FaultKind::ContentType, "http.wrong_content"),
        (FaultKind::Short, "sync.malformed"),
        (FaultKind::status(401), "http.unauthorised"),
    ] {
        let rig = Rig::new(4_000).await;
        // The newest day holds several pages: the third request for charges is inside a window (the first is the probe).
        rig.sandbox.set_faults(vec![Fault { every: None, ..Fault::nth("/v1/charges", 6, kind.clone()) }]);
        let began = rig.sandbox.now_ms();
        let report = rig.sync().await;
        assert_eq!(stream_problem(&report, "charges").as_deref(), Some(code), "{kind:?}");
        let held = rig.ids("stripe_charges").len();
        assert!(coverage(&rig, "stripe_charges").iter().any(|(state, _)| state == "open"), "{kind:?}");
        rig.sandbox.set_faults(vec![]);
        let report = rig.sync().await;
        assert_eq!(problems(&report), Vec::<Value>::new(), "{kind:?}");
        assert!(rig.ids("stripe_charges").len() > held);
        complete(&rig, "stripe_charges", TruthStream::StripeCharges, began);
    }
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    for kind in [FaultKind::Cut, FaultKind::Close, FaultKind::status(500), FaultKind::status(503)] {
        let rig = Rig::new(200).await;
        rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 2, kind.clone())]);
        let began = rig.sandbox.now_ms();
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new(), "{kind:?}");
        complete(&rig, "stripe_charges", TruthStream::StripeCharges, began);
    }
}

#[tokio::test]
async fn a_refused_cursor_restarts_its_window() {
    let rig = Rig::new(6_000).await;
    // The first request is the probe, the second the newest window's first page, the third its second page.
    rig.sandbox.set_faults(vec![Fault::nth("/v1/charges", 3, FaultKind::status(400))]);
    let began = rig.sandbox.now_ms();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let requests = rig.sandbox.requests();
    let refused = requests.iter().position(|one| one.status == 400).unwrap();
    assert!(requests[refused].query.contains("starting_after"), "{}", requests[refused].query);
    let again = requests[refused].query.split("&starting_after").next().unwrap();
    assert_eq!(
        requests[refused..].iter().filter(|one| one.path == "/v1/charges" && one.query == again).count(),
        1,
        "from the window's beginning"
    );
    complete(&rig, "stripe_charges", TruthStream::StripeCharges, began);
}

#[tokio::test]
async fn a_second_that_shows_too_much_is_a_gap_that_is_told_of_until_it_is_read() {
    let rig = Rig::with(40, false, |options| options.payments = 4).await;
    let eu = || perform(&rig.parts, Request::Sync { targets: vec!["eu/payments".to_owned()] }, &|_| ());
    let told = || {
        let sql = "SELECT stream, code FROM problems WHERE cleared_at IS NULL";
        let rows = rig.reader().table(sql).unwrap().rows;
        let pairs = rows.iter().map(|row| (row[0].str().unwrap().to_owned(), row[1].str().unwrap().to_owned()));
        pairs.collect::<Vec<_>>()
    };
    let gaps = || {
        let sql = "SELECT to_at - from_at, reason FROM coverage WHERE state = 'gap' ORDER BY from_at";
        let rows = rig.reader().table(sql).unwrap().rows;
        rows.iter().map(|row| (row[0].int().unwrap(), row[1].str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    // One payment is a full answer then.
    limit_pages(1);
    for _ in 0..2 {
        eu().await.unwrap();
        let held = rig.ids("checkoutcom_payments").len();
        assert!(held > 1, "what it shows is kept");
        assert_eq!(gaps(), vec![(1_000, "full_second".to_owned()); held]);
        assert_eq!(told(), [("checkoutcom_payments".to_owned(), "sync.full_second".to_owned())]);
    }
    limit_pages(u32::MAX);
    eu().await.unwrap();
    assert_eq!((gaps(), told()), (vec![], vec![]));
}

#[tokio::test]
async fn closed_days_are_walked_once_more_before_they_count_as_settled() {
    let rig = Rig::new(500).await;
    rig.sync().await;
    let mut now = 0;
    for _ in 0..6 {
        rig.clock.advance(Duration::from_secs(86_400));
        now = rig.clock.wall_ms();
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    }
    let reader = rig.reader();
    let account = reader.accounts().unwrap().into_iter().find(|one| one.connection.as_deref() == Some("main")).unwrap();
    let hash = counterfoil::providers::stripe::PROVIDER.stream("charges").unwrap().declaration().unwrap().hash.clone();
    let windows = reader.windows(account.account, "stripe_charges").unwrap();
    let start = rig.parts.wanted("main").unwrap().start_ms();
    let known = counterfoil::sync::horizon(&windows, start, &hash);
    assert!(known.listed_to.unwrap() > now - 122_000 && known.listed_from == Some(start), "{known:?}");
    let three_days = 3 * 86_400_000;
    let settled = known.settled_to.unwrap();
    assert!(
        settled >= (now - three_days) / 86_400_000 * 86_400_000 - 86_400_000 && settled <= now - three_days,
        "{known:?}"
    );
}

#[tokio::test]
async fn over_tls_with_http2_and_gzip_everything_comes_the_same() {
    let rig = Rig::over(500, true).await;
    assert!(rig.sandbox.stripe_url().starts_with("https://"));
    let began = rig.sandbox.now_ms();
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    for (table, stream, _) in STREAMS.iter().filter(|(table, ..)| !table.contains("disputes")) {
        complete(&rig, table, *stream, began);
    }
}
