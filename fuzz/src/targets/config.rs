//! Any bytes as a configuration: a checked value, or faults with places that are in the file; never a key shown. A value
//! that is written out again, every setting in full, reads as the same value.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use counterfoil::config::{Accounts, BaseUrl, Config, Connection, Fault, Provider, load, parse};
use counterfoil::vault::Origin;
use tempfile::TempDir;

const FILE: &str = "/etc/counterfoil/counterfoil.toml";

pub(super) fn run(bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => match parse(text, Path::new(FILE)) {
            Ok(config) => valid(&config, text),
            Err(faults) => invalid(&faults, text),
        },
        Err(_) => not_text(bytes),
    }
}

fn not_text(bytes: &[u8]) {
    static FOLDER: OnceLock<Mutex<TempDir>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| Mutex::new(tempfile::tempdir().expect("a folder")));
    let path = folder.lock().unwrap_or_else(PoisonError::into_inner).path().join("counterfoil.toml");
    fs::write(&path, bytes).expect("a file");
    assert_eq!(load(&path).err().map(|problem| problem.code()), Some("config.invalid"));
}

fn invalid(faults: &[Fault], text: &str) {
    assert!(!faults.is_empty(), "refused without a fault");
    let lines: Vec<&str> = text.split('\n').collect();
    for fault in faults {
        let line = fault.line.checked_sub(1).and_then(|line| lines.get(line));
        let columns = line.map(|line| line.chars().count() + 1);
        assert!(columns.is_some_and(|most| (1..=most).contains(&fault.column)), "{fault} of {text:?}");
        assert!(!fault.message.is_empty() && !fault.to_string().contains(char::is_control), "{fault}");
    }
    assert!(faults.is_sorted_by_key(|fault| (fault.line, fault.column)));
    for key in keys(text) {
        assert!(!faults.iter().any(|fault| fault.to_string().contains(key)), "a fault quotes a key");
    }
}

/// What looks like a live key of a provider, by the plainest of rules.
fn keys(text: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(word).filter(|word| word.starts_with("sk_live_") || word.starts_with("rk_live_"))
}

fn valid(config: &Config, text: &str) {
    assert_eq!(keys(text).next(), None, "a key was accepted in the file");
    assert_eq!(config.text.as_ref(), text);
    for connection in config.connections.values() {
        // Keys are sealed to these: the vault must read each as the same address.
        for origin in connection.origins() {
            let sealed = Origin::parse(origin).unwrap_or_else(|problem| panic!("{origin}: {problem}"));
            let written = BaseUrl::parse(&sealed.to_string()).expect("the vault's spelling is an address");
            assert_eq!(Origin::parse(written.origin()).expect("an origin"), sealed, "{origin}");
        }
        assert!(!connection.keys().is_empty());
    }
    let written = write(config);
    let again = parse(&written, Path::new(FILE)).unwrap_or_else(|faults| panic!("{faults:?}\n{written}"));
    assert_eq!(told(config), told(&again), "{written}");
    assert_eq!(write(&again), written);
}

/// All that a configuration says, but which text said it.
fn told(config: &Config) -> impl PartialEq + std::fmt::Debug {
    let Config { connections, privacy, upstream, store, publish, log, hash: _, text: _ } = config.clone();
    (connections, privacy, upstream, store, publish, log)
}

/// The configuration as a file that leaves nothing out.
fn write(config: &Config) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    for (name, connection) in &config.connections {
        line(format!("[connections.{name}]"));
        settings(connection).into_iter().for_each(|(name, value)| line(format!("{name} = {value}")));
    }
    line(format!("[privacy]\nlocal = \"{}\"", config.privacy.local));
    line(format!("metadata_keys = {}", list(&config.privacy.metadata_keys)));
    line(format!("[upstream]\nmode = \"{}\"", config.upstream.mode));
    line(config.upstream.url.as_ref().map(|url| format!("url = \"{url}\"")).unwrap_or_default());
    line("[store]".to_owned());
    line(config.store.path.as_deref().map(|path| format!("path = {}", quoted(path))).unwrap_or_default());
    if let Some(publish) = &config.publish {
        line(format!("[publish]\nto = {}\nevery = {}", quoted(&publish.to), span(publish.every)));
    }
    line(format!("[log]\nlevel = \"{}\"", config.log.level));
    out
}

fn settings(connection: &Connection) -> Vec<(&'static str, String)> {
    let word = |word: &dyn std::fmt::Display| format!("\"{word}\"");
    let mut all = vec![
        ("provider", word(&connection.provider_name())),
        ("start", connection.start.to_string()),
        ("poll", connection.poll.map_or("\"auto\"".to_owned(), span)),
        ("reads_per_month", connection.reads_per_month.map_or("\"auto\"".to_owned(), |reads| reads.to_string())),
        ("requests_per_second", format!("{:?}", connection.requests_per_second)),
        ("base_url", word(&connection.base_url)),
    ];
    all.extend(connection.streams.as_ref().map(|streams| ("streams", list(streams))));
    all.extend(connection.ca_file.as_deref().map(|path| ("ca_file", quoted(path))));
    all.extend(connection.proxy.as_ref().map(|url| ("proxy", word(url))));
    match &connection.provider {
        Provider::Stripe { accounts: Accounts::These(ids) } => all.push(("accounts", list(ids))),
        Provider::Stripe { accounts } => all.push(("accounts", word(accounts))),
        Provider::Checkoutcom(own) => {
            all.extend(own.client_id.as_ref().map(|id| ("client_id", word(id))));
            all.extend(own.prefix.as_ref().map(|prefix| ("prefix", word(prefix))));
            all.extend(own.import_folder.as_deref().map(|path| ("import_folder", quoted(path))));
            all.extend([
                ("environment", word(&own.environment)),
                ("auth", word(&own.auth)),
                ("keys", list(&own.keys)),
                ("entities", list(&own.entities)),
                ("report_timezone", word(&own.report_timezone)),
                ("expect", list(&own.expect)),
                ("balances_url", word(&own.balances_url)),
                ("access_url", word(&own.access_url)),
            ]);
        }
    }
    all
}

fn span(span: Duration) -> String {
    format!("\"{}s\"", span.as_secs())
}

fn quoted(path: &Path) -> String {
    string(path.to_str().expect("a path from a text"))
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| string(item)).collect::<Vec<_>>().join(", "))
}

/// A TOML basic string.
fn string(text: &str) -> String {
    let escaped = text
        .chars()
        .map(|c| if c.is_control() || "\"\\".contains(c) { format!("\\U{:08X}", u32::from(c)) } else { c.to_string() });
    format!("\"{}\"", escaped.collect::<String>())
}
