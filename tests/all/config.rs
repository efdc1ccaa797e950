//! Tests of `config`: what a file means, what is said of a wrong one, what a change changes, and the file being watched.

use std::path::Path;
use std::time::Duration;

use counterfoil::config::{
    Accounts, Auth, Config, Environment, Hash, Level, MOST_BYTES, Mode, Needs, Profile, Provider, load, parse, plan,
    sample,
};
use counterfoil::problem::{CONFIG_EMPTY, CONFIG_INVALID, CONFIG_MISSING, CONFIG_UNREADABLE, Exit};

mod faults;
mod watching;

#[cfg(debug_assertions)]
pub(crate) use watching::a_broken_file;

const FILE: &str = "/etc/counterfoil/counterfoil.toml";

fn config(text: &str) -> Config {
    parse(text, Path::new(FILE)).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// The faults of a text, as a person reads them.
fn faults(text: &str) -> Vec<String> {
    parse(text, Path::new(FILE)).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The one fault of a text.
fn fault(text: &str) -> String {
    let mut all = faults(text);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// One Stripe connection with these further lines; they begin at line 3.
fn stripe(lines: &str) -> String {
    format!("[connections.main]\nprovider = \"stripe\"\n{lines}\n")
}

/// One Checkout.com connection with these further lines; they begin at line 3.
fn checkout(lines: &str) -> String {
    format!("[connections.eu]\nprovider = \"checkoutcom\"\n{lines}\n")
}

const CLIENT: &str = "client_id = \"cli_vkuhvk4vjn2edkps7dfsq6emqm\"";

/// The file of the documentation, every setting in force.
const WHOLE: &str = r#"
[connections.main]
provider   = "stripe"
start      = 2024-01-01
poll       = "5m"
reads_per_month     = 20000
requests_per_second = 12.5
streams  = ["charges", "disputes"]
accounts = "all"
base_url = "http://127.0.0.1:4010"
ca_file  = "tls/ca.pem"
proxy    = "http://proxy.example:3128"

[connections.eu]
provider    = "checkoutcom"
environment = "sandbox"
client_id   = "cli_vkuhvk4vjn2edkps7dfsq6emqm"
auth        = "access_key"
keys        = ["default", "eu-2"]
entities    = ["ent_w4jelhppmfiufdnatam37wrfc4"]
report_timezone = "Europe/London"
expect      = ["payments"]
import_folder = "/srv/reports"

[privacy]
local = "finance"
metadata_keys = ["order_id"]

[upstream]
url  = "https://receiver.example/"
mode = "hold"

[store]
path = "rows.db"

[publish]
to = "/srv/finance/counterfoil.db"
every = "2h"

[log]
level = "debug"
"#;

#[test]
fn a_whole_file_means_what_it_says() {
    let config = config(WHOLE);
    let main = &config.connections["main"];
    assert_eq!(main.start.to_string(), "2024-01-01");
    assert_eq!(main.start_ms(), 1_704_067_200_000);
    assert_eq!(main.poll, Some(Duration::from_secs(300)));
    assert_eq!(main.reads_per_month, Some(20_000));
    assert_eq!(main.requests_per_second, 12.5);
    assert_eq!(main.streams.as_deref(), Some(&["charges".to_owned(), "disputes".to_owned()][..]));
    assert_eq!(main.provider, Provider::Stripe { accounts: Accounts::All });
    assert_eq!(main.base_url.to_string(), "http://127.0.0.1:4010");
    assert_eq!(main.ca_file.as_deref(), Some(Path::new("/etc/counterfoil/tls/ca.pem")), "relative to the file");
    assert_eq!(main.proxy.as_ref().unwrap().to_string(), "http://proxy.example:3128");
    assert_eq!(main.keys(), ["default"]);
    assert_eq!(main.origins(), ["http://127.0.0.1:4010"]);

    let eu = &config.connections["eu"];
    let Provider::Checkoutcom(own) = &eu.provider else { panic!("{eu:?}") };
    assert_eq!((own.environment, own.auth), (Environment::Sandbox, Auth::AccessKey));
    assert_eq!(own.prefix.as_deref(), Some("vkuhvk4v"));
    assert_eq!(eu.keys(), ["default", "eu-2"]);
    assert_eq!(own.entities, ["ent_w4jelhppmfiufdnatam37wrfc4"]);
    assert_eq!((own.report_timezone.as_str(), &own.expect[..]), ("Europe/London", &["payments".to_owned()][..]));
    assert_eq!(own.import_folder.as_deref(), Some(Path::new("/srv/reports")));

    assert_eq!(config.privacy.local, Profile::Finance);
    assert_eq!(config.privacy.metadata_keys, ["order_id"]);
    assert_eq!(config.upstream.mode, Mode::Hold);
    assert_eq!(config.upstream.url.unwrap().to_string(), "https://receiver.example");
    assert_eq!(config.store.path.as_deref(), Some(Path::new("/etc/counterfoil/rows.db")));
    let publish = config.publish.unwrap();
    assert_eq!((publish.to.as_path(), publish.every.as_secs()), (Path::new("/srv/finance/counterfoil.db"), 7200));
    assert_eq!(config.log.level, Level::Debug);
    assert_eq!(config.hash, Hash::of(WHOLE.as_bytes()));
    assert_eq!(&*config.text, WHOLE);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = config(&format!("{}{}", stripe(""), checkout(CLIENT)));
    let main = &config.connections["main"];
    assert_eq!(main.start.to_string(), "2010-01-01");
    assert_eq!((main.poll, main.reads_per_month, main.requests_per_second), (None, None, 20.0));
    assert_eq!((&main.streams, &main.ca_file, &main.proxy), (&None, &None, &None));
    assert_eq!(main.provider, Provider::Stripe { accounts: Accounts::Own });
    assert_eq!(main.base_url.to_string(), "https://api.stripe.com");
    let Provider::Checkoutcom(own) = &config.connections["eu"].provider else { panic!() };
    assert_eq!((own.environment, own.auth), (Environment::Production, Auth::SecretKey));
    assert_eq!((own.keys.len(), own.entities.len(), own.report_timezone.as_str()), (1, 0, "UTC"));
    assert_eq!(own.expect, ["payments", "disputes", "financial_actions", "payouts"]);
    assert_eq!((config.privacy.local, config.privacy.metadata_keys.len()), (Profile::Standard, 0));
    assert_eq!((config.upstream.mode, config.upstream.url), (Mode::Local, None));
    assert_eq!((config.store.path, config.publish, config.log.level), (None, None, Level::Info));
}

#[test]
fn the_addresses_of_checkoutcom_follow_from_client_prefix_or_base_url() {
    for (lines, base, balances, access) in [
        (
            CLIENT.to_owned(),
            "https://vkuhvk4v.api.checkout.com",
            "https://balances.checkout.com",
            "https://vkuhvk4v.access.checkout.com",
        ),
        (
            format!("{CLIENT}\nenvironment = \"sandbox\""),
            "https://vkuhvk4v.api.sandbox.checkout.com",
            "https://balances.sandbox.checkout.com",
            "https://vkuhvk4v.access.sandbox.checkout.com",
        ),
        (
            format!("{CLIENT}\nprefix = \"pl-abc\""),
            "https://pl-abc.api.checkout.com",
            "https://balances.checkout.com",
            "https://pl-abc.access.checkout.com",
        ),
        (
            format!("{CLIENT}\nbase_url = \"http://localhost:9\""),
            "http://localhost:9",
            "http://localhost:9",
            "http://localhost:9",
        ),
        (
            "base_url = \"http://localhost:9\"\naccess_url = \"http://localhost:8\"".to_owned(),
            "http://localhost:9",
            "http://localhost:9",
            "http://localhost:8",
        ),
    ] {
        let config = config(&checkout(&lines));
        let eu = &config.connections["eu"];
        let Provider::Checkoutcom(own) = &eu.provider else { panic!() };
        let found = (eu.base_url.to_string(), own.balances_url.to_string(), own.access_url.to_string());
        assert_eq!(found, (base.to_owned(), balances.to_owned(), access.to_owned()), "{lines}");
    }
}

#[test]
fn a_key_may_go_to_the_addresses_of_its_connection_only() {
    let origins = |lines: &str| {
        let config = config(&checkout(&format!("{CLIENT}\n{lines}")));
        config.connections["eu"].origins().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(origins(""), ["https://balances.checkout.com", "https://vkuhvk4v.api.checkout.com"]);
    assert_eq!(
        origins("auth = \"access_key\""),
        ["https://balances.checkout.com", "https://vkuhvk4v.access.checkout.com", "https://vkuhvk4v.api.checkout.com"]
    );
}

/// However a key gets into the file, it is called one and its value is in no message.
#[test]
fn byte_order_marks_and_carriage_returns_do_no_harm() {
    let text = format!("\u{feff}{}", stripe("poll = \"5m\"").replace('\n', "\r\n"));
    assert_eq!(config(&text).connections["main"].poll, Some(Duration::from_secs(300)));
    assert_eq!(
        fault("\u{feff}lvl = 1\r\n"),
        "line 1, column 1: unknown key `lvl`; the sections are [connections.NAME], [privacy], [upstream], [store], [publish], [log]"
    );
}

#[test]
fn the_sample_is_a_configuration_and_so_are_its_comments() {
    let text = sample();
    let shown = config(&text);
    assert_eq!(shown.connections.keys().collect::<Vec<_>>(), ["main"]);
    assert_eq!(shown.connections["main"].base_url.to_string(), "https://api.stripe.com");

    // The proposed connection without its comment signs is one.
    let (before, rest) = text.split_once("# [connections.eu]").unwrap();
    let (block, after) = rest.split_once("\n\n").unwrap();
    let with_eu = config(&format!("{before}[connections.eu]{}\n\n{after}", block.replace("\n# ", "\n")));
    assert_eq!(with_eu.connections["eu"].base_url.to_string(), "https://vkuhvk4v.api.checkout.com");

    // With every commented setting in force it still reads, and names every setting there is.
    let in_force = |line: &str| {
        let bare = line.trim_start_matches("# ");
        let is_setting = bare.starts_with('[') || bare.contains(" = ");
        format!("{}\n", if is_setting { bare } else { line })
    };
    let all: String = text.lines().map(in_force).collect();
    let whole = config(&all);
    assert_eq!(whole.connections.len(), 2, "{all}");
    for key in counterfoil::config::keys::sections().flat_map(|section| section.keys) {
        assert!(all.lines().any(|line| line.starts_with(&format!("{} = ", key.name))), "{}", key.name);
    }
    assert!(text.lines().all(|line| line.len() <= 160), "fits a screen");
}

#[test]
fn a_plan_says_what_starts_stops_and_is_read_again() {
    let old = config(WHOLE);
    let new = config(
        &WHOLE
            .replace("5m", "1h")
            .replace("2024-01-01", "2023-01-01")
            .replace("127.0.0.1:4010", "127.0.0.1:4011")
            .replace("[connections.eu]", "[connections.uk]")
            .replace("order_id\"", "order_id\", \"shop\"")
            .replace("receiver.example", "other.example")
            .replace("rows.db", "rows2.db")
            .replace("2h", "3h")
            .replace("\"debug\"", "\"trace\""),
    );
    let plan = plan(&old, &new);
    assert_eq!(
        plan.to_string(),
        "\
- eu (checkoutcom) stops; its rows and its key stay
+ uk (checkoutcom) starts
~ main
    start: 2024-01-01 -> 2023-01-01 (records are read again where the old setting left them out)
    poll: 5m -> 1h
    base_url: http://127.0.0.1:4010 -> http://127.0.0.1:4011 (the key must be set again for this address)
~ [privacy]
    metadata_keys: [order_id] -> [order_id, shop] (records are read again where the old setting left them out)
~ [upstream]
    url: https://receiver.example -> https://other.example (consent must be given again for this address)
~ [store]
    path: /etc/counterfoil/rows.db -> /etc/counterfoil/rows2.db (takes effect when the agent is restarted)
~ [publish]
    every: 2h -> 3h
~ [log]
    level: debug -> trace
"
    );
    assert!(plan.needs_restart());
    assert_eq!(plan.changed[0].1[1].needs, Needs::Nothing);
}

#[test]
fn a_plan_compares_values_not_texts() {
    let same = plan(&config(WHOLE), &config(&format!("# a comment\n{}", WHOLE.replace("5m", "300s"))));
    assert!(same.is_empty() && !same.needs_restart());
    assert_eq!(same.to_string(), "nothing changes\n");

    let other = plan(&config(&stripe("")), &config(&checkout(CLIENT).replace(".eu]", ".main]")));
    assert_eq!(other.to_string(), "- main (stripe) stops; its rows and its key stay\n+ main (checkoutcom) starts\n");
    assert!(other.changed.is_empty(), "another provider is another account");

    let later = plan(&config(&stripe("start = 2024-01-01")), &config(&stripe("start = 2025-01-01")));
    assert_eq!(later.changed[0].1[0].needs, Needs::Nothing, "nothing is missing when less is asked for");
    let narrower = plan(&config("[privacy]\nlocal = \"finance\"\n"), &config("[privacy]\nlocal = \"strict\"\n"));
    assert_eq!(narrower.privacy[0].needs, Needs::Nothing);
}

#[test]
fn a_file_that_cannot_be_used_is_a_problem_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let shown = path.display();
    let problem = |path: &Path| load(path).unwrap_err();

    assert!(problem(&path).is(&CONFIG_MISSING));
    assert!(problem(&path.join("below-nothing")).is(&CONFIG_MISSING));
    assert!(problem(folder.path()).is(&CONFIG_UNREADABLE));
    for empty in ["", " \n\t\n"] {
        std::fs::write(&path, empty).unwrap();
        assert!(problem(&path).is(&CONFIG_EMPTY), "{empty:?}");
    }
    std::fs::write(&path, vec![b'#'; MOST_BYTES as usize + 1]).unwrap();
    assert_eq!(problem(&path).detail(), format!("{shown}: it is larger than 1 MiB"));
    std::fs::write(&path, vec![b'#'; MOST_BYTES as usize]).unwrap();
    assert!(load(&path).is_ok());
    std::fs::write(&path, b"[log]\nlevel = \"inf\xff\"\n").unwrap();
    assert_eq!(
        problem(&path).detail(),
        format!("{shown}\n  line 2, column 13: this is not UTF-8; save the file as UTF-8")
    );

    std::fs::write(&path, stripe("pol = 1\nstart = 3")).unwrap();
    let invalid = problem(&path);
    assert!(invalid.is(&CONFIG_INVALID));
    assert_eq!(invalid.entry().exit, Exit::Config);
    assert_eq!(
        invalid.detail(),
        format!(
            "{shown}\n  line 3, column 1: unknown key `pol`; did you mean `poll`?\n  line 4, column 9: `start`: expected a \
             day without quotation marks, such as 2024-01-01, found a whole number"
        )
    );

    std::fs::write(&path, (0..50).map(|n| format!("x{n} = 1\n")).collect::<String>()).unwrap();
    assert!(problem(&path).detail().ends_with("\n  and 30 more"));
    std::fs::write(&path, WHOLE).unwrap();
    assert_eq!(load(&path).unwrap().hash, Hash::of(WHOLE.as_bytes()));
}
