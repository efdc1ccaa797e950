//! The catalogue of problems: every entry has a code of its own, says what to do, and is met somewhere.

use std::collections::BTreeSet;

use counterfoil::problem::{self, Exit};

use super::{code, files, text};

#[test]
fn codes_are_unique_and_of_one_form() {
    let mut seen = BTreeSet::new();
    for entry in problem::catalogue() {
        assert!(seen.insert(entry.code), "{} stands twice", entry.code);
        let parts: Vec<&str> = entry.code.split('.').collect();
        let plain = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(parts.len() == 2 && parts.iter().all(plain), "{}: room.condition", entry.code);
        assert!(std::ptr::eq(problem::find(entry.code).unwrap(), entry), "{} is found by its code", entry.code);
    }
    assert!(seen.len() > 80, "the catalogue is whole: {}", seen.len());
}

#[test]
fn every_problem_says_what_happened_and_what_to_do() {
    let mut wrong = Vec::new();
    for entry in problem::catalogue() {
        let title = entry.title;
        if title.is_empty() || title.ends_with('.') || title.len() > 100 || title.starts_with(char::is_lowercase) {
            // A file's name keeps its own spelling.
            if !title.starts_with("egress.db") {
                wrong.push(format!("{}: title {title:?}", entry.code));
            }
        }
        if entry.advice.len() < 10 || !entry.advice.ends_with('.') {
            wrong.push(format!("{}: advice {:?}", entry.code, entry.advice));
        }
        if entry.exit == Exit::Fine && entry.severity == problem::Severity::Error {
            wrong.push(format!("{}: an error that ends well", entry.code));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_problem_can_be_met() {
    let rooms: String = files("src", "rs")
        .iter()
        .filter(|path| !path.starts_with("src/problem/"))
        .map(|path| code(&text(path)))
        .collect();
    let mut unused = Vec::new();
    for path in files("src/problem", "rs") {
        for line in text(&path).lines() {
            let Some((name, rest)) = line.trim().split_once(" = \"") else { continue };
            let is_entry = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if is_entry && rest.contains('.') && !rooms.contains(name) {
                unused.push(format!("{path}: {name}"));
            }
        }
    }
    assert_eq!(unused, Vec::<String>::new(), "conditions that nothing raises");
}

#[test]
fn advice_names_only_commands_that_exist() {
    let tree = counterfoil::cli::tree();
    let mut wrong = Vec::new();
    let mut check = |place: &str, text: &str| {
        for (at, start) in text.match_indices("`counterfoil ") {
            let rest = &text[at + start.len()..];
            let command = &rest[..rest.find('`').unwrap_or(rest.len())];
            let mut node = &tree;
            for part in command.split_whitespace().take_while(|part| part.bytes().all(|b| b.is_ascii_lowercase())) {
                if !node.has_subcommands() {
                    break;
                }
                match node.find_subcommand(part) {
                    Some(next) => node = next,
                    None => wrong.push(format!("{place}: counterfoil {command}")),
                }
            }
        }
    };
    for entry in problem::catalogue() {
        check(entry.code, entry.advice);
        check(entry.code, entry.title);
    }
    for path in
        files("src", "rs").into_iter().chain(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(str::to_owned))
    {
        check(&path, &text(&path));
    }
    assert_eq!(wrong, Vec::<String>::new());
}
