//! README, ARCHITECTURE and CHANGELOG name what the program has, and nothing that it has not. The table of settings in the
//! README is made from the program's own: `UPDATE=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use counterfoil::config::keys::{self, Given};
use counterfoil::providers;

use super::{files, root, text};

const BEGIN: &str = "<!-- settings: made from the program; UPDATE=1 cargo test policy -->\n";
const END: &str = "<!-- end of settings -->\n";

/// Every command with its subcommands, as typed.
fn commands(node: &clap::Command, before: &str, found: &mut Vec<String>) {
    for command in node.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{before}{}", command.get_name());
        found.push(name.clone());
        commands(command, &format!("{name} "), found);
    }
}

#[test]
fn the_readme_names_every_command() {
    let readme = text("README.md");
    let mut all = Vec::new();
    commands(&counterfoil::cli::tree(), "", &mut all);
    assert!(all.len() > 30, "{all:?}");
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| !readme.contains(&format!("`{name}`")) && !readme.contains(&format!("`{name} ")))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn the_readme_shows_the_settings_as_they_are() {
    let mut table = String::new();
    for section in keys::sections() {
        let heading = if section.name == "connections" { "connections.NAME" } else { section.name };
        _ = write!(table, "\n`[{heading}]`: {}\n\n| setting | left out | meaning |\n|---|---|---|\n", section.doc);
        for key in section.keys {
            let given = match key.given {
                Given::Needed(_) => "(needed)".to_owned(),
                Given::Default(value) => format!("`{value}`"),
                Given::Unset(_) => String::new(),
            };
            let only = key.only.map(|only| format!(" ({only} only)")).unwrap_or_default();
            let yet = if keys::NOT_YET.contains(&key.name) { "; *not yet*" } else { "" };
            _ = writeln!(table, "| `{}` | {given} | {}{only}{yet} |", key.name, key.doc);
        }
    }
    table.push('\n');
    let readme = text("README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (now, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(root().join("README.md"), [before, BEGIN, &table, END, after].concat()).unwrap();
    } else {
        assert_eq!(now, table, "run with UPDATE=1");
    }
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let heading = format!("\n## {}\n", env!("CARGO_PKG_VERSION"));
    let log = text("CHANGELOG.md");
    let entry = log.split_once(&heading).expect(&heading).1.split("\n## ").next().unwrap();
    assert!(entry.trim().len() > 200, "the entry says what changed");
}

#[test]
fn the_papers_name_every_stream_room_and_provider() {
    let (readme, house) = (text("README.md"), text("ARCHITECTURE.md"));
    let folders = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap);
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let listed: BTreeSet<String> = providers::ALL.iter().map(|provider| provider.name.to_owned()).collect();
    assert_eq!(folders("src/providers"), listed, "every folder of a provider is in the list");
    for provider in providers::ALL {
        assert!(folders("sql").contains(provider.name));
        for stream in provider.streams {
            let table = provider.table(stream);
            assert!(readme.contains(&format!("`{table}`")), "README names no {table}");
        }
    }
    for path in files("src", "rs") {
        let room = super::word(&path["src/".len()..]);
        assert!(house.contains(&format!("`{room}`")) || room == "lib", "ARCHITECTURE names no {room}");
    }
}

#[test]
fn every_file_that_the_papers_name_exists() {
    let mut wrong = Vec::new();
    for paper in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let words = text(paper);
        let named = words
            .split('`')
            .skip(1)
            .step_by(2)
            .chain(words.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        for path in named {
            let ours = ["src/", "sql/", "tests/", "service/", "benches/", ".ci/", "fuzz/", "LICENSE", "Cargo."]
                .iter()
                .any(|folder| path.starts_with(folder));
            let plain = !path.contains(['<', '*', ' ', '…']);
            if ours && plain && !root().join(path).exists() {
                wrong.push(format!("{paper}: {path}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_sql_file_is_part_of_the_program() {
    let source: String = files("src", "rs").iter().map(|path| text(path)).collect();
    for path in files("sql", "sql") {
        let name = path.rsplit('/').next().unwrap().trim_end_matches(".sql");
        let used = source.contains(&format!("{name}.sql\"")) || source.contains(&format!("\"{name}\""));
        assert!(used, "{path} is used nowhere");
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let papers = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "benches/README.md"].map(str::to_owned);
    for paper in papers.into_iter().chain(files("docs", "md")) {
        let words = text(&paper);
        for foreign in ["/home/", "/root/", "/tmp/", "../", "session"] {
            assert!(!words.contains(foreign), "{paper}: {foreign}");
        }
    }
}
