//! Prism, as a proxy between the real binary and the sandbox, holds every request against the published schemas and
//! refuses what violates them (`--errors`), so a pass that ends without a problem has sent nothing else.
//!
//! It also holds our sandbox's answers against the same schemas: Stripe's of 2023, Checkout.com's of 2023 with the
//! hand-made overlay for search. They allow fields that they do not know; should a newer value of a closed list one day
//! be refused, the log names it. Prism lets query parameters pass that the schemas do not know and does not look into
//! `created[gte]`; for both, the published lists of parameters are asked here.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::clock::{Clock, SystemClock};
use counterfoil::sandbox::{CHECKOUT_KEY, FaceName, Logged, Options, STRIPE_KEY, Sandbox};
use counterfoil::store::Reader;
use serde_json::Value;

use super::{Running, command, finish, judges, shapes};

/// A Prism between a client and a face of the sandbox.
struct Prism {
    url: String,
    log: Arc<Mutex<Vec<String>>>,
    _child: Running,
}

impl Prism {
    fn start(judges: &Path, specification: &Path, upstream: &str) -> Self {
        let mut prism = command("node");
        prism.env("NO_COLOR", "1").stderr(Stdio::null());
        prism.arg(judges.join("node_modules/@stoplight/prism-cli/dist/index.js"));
        prism.args(["proxy", "--errors", "--host", "127.0.0.1", "--port", "0"]).arg(specification).arg(upstream);
        let mut child = Running(prism.spawn().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let address = read_log(child.0.stdout.take().unwrap(), log.clone());
        // On two busy cores it takes half a minute to understand Stripe's.
        let url = address
            .recv_timeout(Duration::from_secs(240))
            .unwrap_or_else(|_| panic!("Prism does not listen: {:#?}", log.lock().unwrap()));
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self { url, log, _child: child }
    }

    /// Complaints so far.
    fn complaints(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains("Violation") || line.contains("terminated")).cloned().collect()
    }
}

/// Keeps the lines; tells the address once.
fn read_log(pipe: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("Prism is listening on ") {
                // The test may have given up waiting.
                drop(tell.send(address.trim().to_owned()));
            }
            log.lock().unwrap().push(line);
        }
    });
    told
}

/// Runs the program under test on a folder; `input` is its standard input. Whether it succeeded, and what it said.
fn counterfoil((folder, clock): (&Path, &SystemClock), arguments: &[&str], input: &str) -> (bool, String) {
    let mut program = command(env!("CARGO_BIN_EXE_counterfoil"));
    let given = folder.join("input");
    std::fs::File::create(&given).unwrap().write_all(input.as_bytes()).unwrap();
    program.stdin(std::fs::File::open(&given).unwrap());
    program.arg("--data-dir").arg(folder).arg("--json").args(arguments);
    program.env("COUNTERFOIL_CLOCK_AHEAD_MS", clock.ahead_ms().to_string());
    let (fine, text, complaint) = finish(&mut program, 240);
    (fine, text + &complaint)
}

fn sandbox(clock: &SystemClock) -> Sandbox {
    let mut options = Options::new(Arc::new(clock.clone()));
    (options.charges, options.payments, options.days) = (2_000, 2_000, 80);
    Sandbox::start(options).unwrap()
}

/// Two connections whose base addresses are the Prisms'.
fn configure(folder: &Path, clock: &SystemClock, stripe: &Prism, checkout: &Prism) {
    let start = (clock.wall_ms() / 86_400_000 - 90) * 86_400_000;
    let start = jiff::Timestamp::from_millisecond(start).unwrap().strftime("%Y-%m-%d").to_string();
    let text = format!(
        "[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{}\"\nrequests_per_second = 1000\n\
         [connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {start}\nbase_url = \"{}\"\n\
         requests_per_second = 1000\n",
        stripe.url, checkout.url
    );
    std::fs::write(folder.join("counterfoil.toml"), text).unwrap();
}

#[test]
fn no_request_of_ours_violates_the_published_schemas() {
    let (Some(judges), Some(shapes)) = (judges("Prism"), shapes("Prism")) else { return };
    let clock = crate::noon();
    let sandbox = sandbox(&clock);
    let stripe = shapes.join("stripe/openapi.v524.unexpanded.json");
    let stripe = Prism::start(&judges, &stripe, &sandbox.stripe_url());
    let overlay = shapes.join("checkout/openapi-mock-2026-overlay.yaml");
    let checkout = Prism::start(&judges, &overlay, &sandbox.checkout_url());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, &clock, &stripe, &checkout);
    let run = |arguments: &[&str], input: &str| {
        let (fine, told) = counterfoil((folder, &clock), arguments, input);
        let complaints: Vec<String> = [&stripe, &checkout].iter().flat_map(|prism| prism.complaints()).collect();
        assert!(fine && complaints.is_empty(), "{arguments:?}: {told}\n{complaints:#?}");
    };
    // The second pass asks in its own ways: from the checkpoint, with the overlap, and for what records of the past named as
    // changed after it had been read: how many those are depends on the order in which answers came.
    for (arguments, input) in [
        (&["init"][..], ""),
        (&["key", "set", "main"], STRIPE_KEY),
        (&["key", "set", "eu"], CHECKOUT_KEY),
        (&["sync"], ""),
        (&["sync"], ""),
    ] {
        run(arguments, input);
    }
    brought_everything(folder, &sandbox);
    // With nothing else left to read again, one object of each stream is read by itself.
    let marked = mark_one_of_each(folder);
    let before = sandbox.requests().len();
    run(&["sync"], "");
    let asked = sandbox.requests().split_off(before);
    for (table, id) in marked {
        let path = format!("{}/{id}", table.replace("checkoutcom_", "/").replace("stripe_", "/v1/"));
        let answers =
            |path: &str| asked.iter().filter(|one| one.path == path).map(|one| one.status).collect::<Vec<_>>();
        assert_eq!(answers(&path), [200], "{table}");
        // A payment's actions are asked for by themselves.
        let due: &[u16] = if table == "checkoutcom_payments" { &[200] } else { &[] };
        assert_eq!(answers(&(path + "/actions")), due, "{table}");
    }
    // Search is asked for the rest of the payment, a quarter of an hour later.
    a_while_ago(folder);
    let before = sandbox.requests().len();
    run(&["sync"], "");
    let asked = sandbox.requests().split_off(before);
    let found: Vec<_> = asked.iter().filter(|one| one.body.contains("id:'pay_")).map(|one| one.status).collect();
    assert!(!found.is_empty() && found.iter().all(|status| *status == 200), "{found:?}");
    knows_every_parameter(&sandbox.requests(), &shapes);
    refuses_what_is_wrong(&sandbox, &stripe, &checkout);
}

/// What was read by its id was read long ago.
fn a_while_ago(folder: &Path) {
    #[allow(clippy::disallowed_methods)] // stands in for the time that goes by
    let store = rusqlite::Connection::open(folder.join("counterfoil.db")).unwrap();
    let moved = store.execute("UPDATE changes SET changed_at = changed_at - 1000000 WHERE reason = 'get'", []).unwrap();
    assert!(moved > 0, "a payment was read by its id");
}

/// Marks one object of every stream as changed, as a record that names it would. Which they are.
fn mark_one_of_each(folder: &Path) -> Vec<(&'static str, String)> {
    #[allow(clippy::disallowed_methods)] // stands in for the agent, which is not running
    let store = rusqlite::Connection::open(folder.join("counterfoil.db")).unwrap();
    let standing: i64 =
        store.query_row("SELECT count(*) FROM changes WHERE reason <> 'get'", [], |row| row.get(0)).unwrap();
    assert_eq!(standing, 0, "what was named is read");
    let mark = |table: &'static str| {
        let sql = format!(
            "INSERT INTO changes SELECT account, '{table}', id, 0, read_seq, 'test' FROM {table}
             WHERE id NOT IN (SELECT id FROM changes) ORDER BY id LIMIT 1 RETURNING id"
        );
        (table, store.query_row(&sql, [], |row| row.get(0)).unwrap())
    };
    crate::sync::STREAMS.iter().map(|(table, ..)| mark(table)).collect()
}

/// The oracle itself: one wrong request of each kind goes no further than Prism, a right one does.
fn refuses_what_is_wrong(sandbox: &Sandbox, stripe: &Prism, checkout: &Prism) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = sandbox.requests().len();
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        let get = |prism: &Prism, path: &str, key| client.get(format!("{}{path}", prism.url)).bearer_auth(key);
        let search = client.post(format!("{}/payments/search", checkout.url)).bearer_auth(CHECKOUT_KEY);
        let search = search.header("content-type", "application/json");
        let no_key = client.get(format!("{}/v1/charges", stripe.url));
        for (status, request) in [
            (422, get(stripe, "/v1/charges?limit=abc", STRIPE_KEY)),
            (404, get(stripe, "/v1/no_such_list", STRIPE_KEY)),
            (401, no_key),
            (422, get(checkout, "/disputes?limit=500", CHECKOUT_KEY)),
            (422, get(checkout, "/disputes?from=yesterday", CHECKOUT_KEY)),
            (422, search.body(r#"{"query":"amount:>=0","limit":5000}"#)),
        ] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{}", answer.url());
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{}", answer.url());
        }
        assert_eq!(sandbox.requests().len(), before, "nothing of it reached the sandbox");
        let right = get(stripe, "/v1/charges?limit=1", STRIPE_KEY).send().await.unwrap();
        assert_eq!((right.status().as_u16(), sandbox.requests().len()), (200, before + 1));
    });
}

/// Through the Prisms came what there is.
fn brought_everything(folder: &Path, sandbox: &Sandbox) {
    let reader = Reader::open(&folder.join("counterfoil.db")).unwrap();
    for (table, stream, lag_s) in crate::sync::STREAMS {
        let found = reader.table(&format!("SELECT id FROM {table} ORDER BY id")).unwrap();
        let held: Vec<&str> = found.rows.iter().map(|row| row[0].str().unwrap()).collect();
        // Ten minutes for this test itself.
        let closed = sandbox.now_ms() - lag_s * 1000 - 600_000;
        let truth = sandbox.truth(stream, 0, closed / 1000);
        let settled: Vec<_> = truth.iter().filter(|one| one.visible_ms <= closed).collect();
        assert!(!settled.is_empty(), "{table}: the world is too small to show anything");
        let missing = settled.iter().filter(|one| held.binary_search(&one.id.as_str()).is_err());
        assert_eq!(missing.count(), 0, "{table}");
    }
}

/// Names of the parameters that a path may be asked with.
type Parameters = BTreeMap<String, Vec<String>>;

/// Every parameter that was sent is published, and times of Stripe's lists are whole seconds.
fn knows_every_parameter(requests: &[Logged], shapes: &Path) {
    let published = [stripe_parameters(shapes), checkout_parameters(shapes)];
    let mut asked = 0;
    for request in requests {
        let known = &published[usize::from(request.face == FaceName::CheckoutCom)];
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            let name = name.replace("%5B", "[").replace("%5D", "]");
            let (base, bound) = name.split_once('[').unwrap_or((&name, ""));
            let known = known.get(&request.path).unwrap_or_else(|| panic!("{} is not published", request.path));
            assert!(known.iter().any(|one| one == base), "{}: {name}", request.path);
            if !bound.is_empty() {
                assert!(["gt]", "gte]", "lt]", "lte]"].contains(&bound), "{}: {name}", request.path);
                assert!(value.parse::<u32>().is_ok(), "{}: {name}={value}", request.path);
            }
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked} parameters seen");
}

/// From the surface of the newest official SDK.
fn stripe_parameters(shapes: &Path) -> Parameters {
    let text = std::fs::read(shapes.join("stripe/surface-2026-10-28.endive.json")).unwrap();
    let surface: Value = serde_json::from_slice(&text).unwrap();
    let lists = surface["endpoints"].as_array().unwrap().iter().filter(|one| one["kind"] == "list");
    let names = |one: &Value| {
        let names = one["params"].as_array().unwrap().iter();
        names.map(|name| name["name"].as_str().unwrap().to_owned()).collect()
    };
    lists.map(|one| (one["path"].as_str().unwrap().to_owned(), names(one))).collect()
}

/// The query parameters of `GET /disputes`: the lines `name:` between that path and the next.
fn checkout_parameters(shapes: &Path) -> Parameters {
    let text = std::fs::read_to_string(shapes.join("checkout/openapi-mock-2026-overlay.yaml")).unwrap();
    let lines = text.lines().skip_while(|line| *line != "  /disputes:").skip(1);
    let section = lines.take_while(|line| !line.starts_with("  /"));
    let names = section.filter_map(|line| line.trim().strip_prefix("name: ").map(str::to_owned)).collect();
    BTreeMap::from([("/disputes".to_owned(), names)])
}
