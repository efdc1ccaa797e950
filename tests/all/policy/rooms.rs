//! The directions between the rooms, the doors of the libraries, and the form of every source file.

use std::collections::BTreeSet;

use super::{code, files, is_test, text, word};

/// What every room may use.
const GROUND: &[&str] = &["problem", "clock", "entropy", "paths", "testpoint"];

/// Every room, from the top down, and what it may use beside the ground.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "cli",
        &["agent", "service", "config", "egress", "sync", "http", "vault", "providers", "store", "stream", "sandbox"],
    ),
    ("agent", &["config", "egress", "sync", "http", "vault", "providers", "store", "stream"]),
    ("service", &[]),
    ("config", &[]),
    // The gate sees the views through the connection it is handed, and the network and the key through two traits.
    ("egress", &["dbfile"]),
    ("sync", &["http", "vault", "providers", "store", "stream"]),
    // A request carries a secret that it cannot print.
    ("http", &["vault"]),
    ("vault", &[]),
    ("providers", &["stream"]),
    ("store", &["stream", "dbfile"]),
    ("stream", &[]),
    ("dbfile", &[]),
    // The receiver checks batches with the wire types that the agent makes them from; without sockets it is a transport.
    ("sandbox", &["egress", "http"]),
    ("problem", &[]),
    ("clock", &[]),
    ("entropy", &[]),
    ("paths", &[]),
    ("testpoint", &[]),
];

/// Libraries that stand behind few doors: where each may be named, and why there.
const DOORS: &[(&str, &[&str])] = &[
    // The store's own file, the outbox's own file, the receiver's own file.
    ("rusqlite", &["src/store/", "src/egress/", "src/sandbox/receiver/"]),
    // Sealing; chance; hashes of declarations, of the configuration and of batches; signatures; the one TLS stack's parts.
    (
        "ring",
        &[
            "src/vault/",
            "src/entropy.rs",
            "src/stream/declare.rs",
            "src/config/hash.rs",
            "src/egress/",
            "src/http/net.rs",
            "src/sandbox/tls.rs",
            "src/sandbox/receiver/",
        ],
    ),
    // Below the transport; its parser of addresses also for a redirect's target and as a second opinion on origins.
    ("reqwest", &["src/http/net.rs", "src/http/check.rs", "src/vault/origin.rs"]),
    ("rustls", &["src/http/net.rs", "src/sandbox/tls.rs"]),
    ("hyper", &["src/sandbox/", "src/http/net.rs"]),
    ("rcgen", &["src/sandbox/tls.rs"]),
    ("clap", &["src/cli/"]),
    ("rpassword", &["src/cli/key.rs"]),
    ("notify", &["src/config/watch.rs"]),
    ("directories", &["src/paths.rs"]),
    ("tracing_appender", &["src/agent/logs"]),
    ("sd_notify", &["src/service/"]),
];

/// Where words reach a person without going through `cli`: the log's own writer, and what unit tests say of a skip.
const SPEAKS: &[&str] = &["src/cli/", "src/agent/logs.rs", "src/testpoint.rs"];

/// The longest a source file may be; the aim is 400.
const LONGEST: usize = 500;

/// The room of a file: `src/http/body.rs` and `src/http.rs` are `http`.
fn room(path: &str) -> &str {
    word(path.strip_prefix("src/").unwrap_or(path))
}

/// The rooms that a source text names, by `crate::…` or by as many `super::` as lead to the top.
fn named(path: &str, source: &str) -> BTreeSet<String> {
    let code = code(source);
    let file = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = file.split('/').count();
    let mut found = BTreeSet::new();
    let mut take = |rest: &str| match rest.strip_prefix('{') {
        None => drop(found.insert(word(rest).to_owned())),
        Some(group) => {
            // The first words of a group; deeper groups belong to the word before them.
            let mut level = 0;
            let mut fresh = true;
            for (at, char) in group.char_indices() {
                match char {
                    '{' => level += 1,
                    '}' if level == 0 => break,
                    '}' => level -= 1,
                    ',' if level == 0 => fresh = true,
                    _ if char.is_whitespace() => {}
                    _ if fresh && level == 0 => {
                        found.insert(word(&group[at..]).to_owned());
                        fresh = false;
                    }
                    _ => {}
                }
            }
        }
    };
    code.match_indices("crate::").for_each(|(at, path)| take(&code[at + path.len()..]));
    let climb = "super::".repeat(depth);
    code.match_indices(&climb).for_each(|(at, path)| take(&code[at + path.len()..]));
    found.retain(|name| ROOMS.iter().any(|(room, _)| room == name));
    found
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in files("src", "rs") {
        if path == "src/lib.rs" || path == "src/main.rs" {
            continue;
        }
        let own = room(&path);
        seen.insert(own.to_owned());
        let Some((_, may)) = ROOMS.iter().find(|(name, _)| *name == own) else {
            wrong.push(format!("{path}: {own} is no room of the table"));
            continue;
        };
        for used in named(&path, &text(&path)) {
            if used != own && !may.contains(&used.as_str()) && !GROUND.contains(&used.as_str()) {
                wrong.push(format!("{path}: {own} must not use {used}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let listed: BTreeSet<String> = ROOMS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(seen, listed, "every room has files and stands in the table");
}

#[test]
fn the_table_of_rooms_leads_downwards_only() {
    for (at, (room, may)) in ROOMS.iter().enumerate() {
        for used in *may {
            let below = ROOMS.iter().position(|(name, _)| name == used).unwrap();
            // The sandbox stands beside the house: it shares the wire types, and only `cli` looks at it.
            assert!(below > at || *room == "sandbox", "{room} uses {used}, which is not below it");
        }
    }
    let users: Vec<&str> = ROOMS.iter().filter(|(_, may)| may.contains(&"sandbox")).map(|(room, _)| *room).collect();
    assert_eq!(users, ["cli"]);
}

#[test]
fn ways_of_naming_a_room_are_all_seen() {
    let seen = |path: &str, source: &str| named(path, source).into_iter().collect::<Vec<_>>();
    assert_eq!(seen("src/egress/gate.rs", "use crate::http::Transport;"), ["http"]);
    assert_eq!(seen("src/egress/gate.rs", "use super::super::vault::Secret;"), ["vault"]);
    assert_eq!(seen("src/egress/mod.rs", "use super::vault::Secret;"), ["vault"]);
    assert_eq!(seen("src/clock.rs", "fn f() -> super::store::Store {}"), ["store"]);
    let group = "use crate::{problem::{self, http}, store::{Reader, sync}, vault};";
    assert_eq!(seen("src/egress/gate.rs", group), ["problem", "store", "vault"]);
    assert_eq!(seen("src/egress/gate.rs", "// as crate::http does"), Vec::<String>::new());
    assert_eq!(seen("src/egress/wire/mod.rs", "use super::gate::http;"), Vec::<String>::new());
}

#[test]
fn libraries_stand_behind_their_doors() {
    let mut wrong = Vec::new();
    for path in files("src", "rs") {
        let code = code(&text(&path));
        for (library, doors) in DOORS {
            let from_here = |at: usize| {
                let before = code[..at].chars().next_back();
                before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
            };
            let path_of = format!("{library}::");
            let is_named = code.match_indices(&path_of).any(|(at, _)| from_here(at));
            if is_named && !doors.iter().any(|door| path.starts_with(door)) {
                wrong.push(format!("{path}: {library} stands behind {doors:?}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn only_the_command_line_prints() {
    let ways = ["println!", "print!(", "eprint!(", "dbg!(", "stdout()", "stderr()"];
    let mut wrong = Vec::new();
    for path in files("src", "rs").into_iter().filter(|path| !is_test(path)) {
        let code = code(&text(&path));
        let speaks = SPEAKS.iter().any(|door| path.starts_with(door));
        wrong.extend(ways.iter().filter(|way| !speaks && code.contains(**way)).map(|way| format!("{path}: {way}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn there_is_one_tls_and_crypto_stack() {
    let lock = text("Cargo.lock");
    for name in ["aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "openssl", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{name}\"")), "{name} is in the lock file");
    }
    for name in ["ring", "rustls", "libsqlite3-sys"] {
        let packages = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(packages, 1, "{name}: one version and no more");
    }
}

#[test]
fn every_source_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz"] {
        for path in files(folder, "rs") {
            let source = text(&path);
            let lines = source.lines().count();
            if !source.starts_with("//! ") {
                wrong.push(format!("{path}: does not begin with //!"));
            }
            if lines > LONGEST {
                wrong.push(format!("{path}: {lines} lines"));
            } else if lines > 400 {
                long.push(format!("{path}: {lines}"));
            }
        }
    }
    println!("above the aim of 400 lines: {long:?}");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn nothing_is_left_for_later_in_the_source() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), "unimplemented!", "todo!("];
    let mut wrong = Vec::new();
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")).chain(files("sql", "sql")) {
        let source = text(&path);
        if !path.ends_with("policy/rooms.rs") {
            wrong.extend(words.iter().filter(|word| source.contains(**word)).map(|word| format!("{path}: {word}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The lints that hold the house up, and the only files that may step over one, each where the room's own door is.
const GUARDS: [&str; 6] =
    ["disallowed_methods", "unwrap_used", "expect_used", "unsafe_code", "too_many_lines", "await_holding_lock"];
const EXCEPTIONS: &[(&str, &str)] = &[
    ("src/clock.rs", "disallowed_methods"),
    ("src/entropy.rs", "disallowed_methods"),
    ("src/store/open.rs", "disallowed_methods"),
    ("src/store/query.rs", "disallowed_methods"),
    ("src/egress/db.rs", "disallowed_methods"),
    // A test: a store of nothing but its tables.
    ("src/egress/facts.rs", "disallowed_methods"),
    ("src/sandbox/receiver/desk.rs", "disallowed_methods"),
    ("src/egress/sign.rs", "expect_used"),
];

#[test]
fn the_lints_that_hold_the_house_up_are_stepped_over_only_where_listed() {
    let mut found = BTreeSet::new();
    for path in files("src", "rs") {
        let code = code(&text(&path));
        for (at, start) in code.match_indices("allow(") {
            let rest = &code[at + start.len()..];
            let lints = &rest[..rest.find(')').unwrap_or(rest.len())];
            let named = GUARDS.iter().filter(|lint| lints.contains(*lint));
            found.extend(named.map(|lint| (path.clone(), (*lint).to_owned())));
        }
    }
    let listed = EXCEPTIONS.iter().map(|(path, lint)| ((*path).to_owned(), (*lint).to_owned())).collect();
    assert_eq!(found, listed);
}
