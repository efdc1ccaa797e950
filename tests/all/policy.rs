//! What holds for the project as a whole, read from its files: which room may use which, which library stands behind which
//! door, what every problem must say, and that the papers name what the program has. It does not look at behaviour.

mod papers;
mod problems;
mod rooms;

use std::path::{Path, PathBuf};

/// The project's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, named from the project's folder.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file with this ending below a folder of the project, named from the project's folder, in order.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|own| own == ending) {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// A source text without its comments. Good enough for what is looked for here: `//` inside a string is only taken for a
/// comment where a space precedes it.
fn code(source: &str) -> String {
    let line = |line: &str| {
        let end = if line.trim_start().starts_with("//") { Some(0) } else { line.find(" // ") };
        line[..end.unwrap_or(line.len())].to_owned()
    };
    source.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The word that begins here.
fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// Test code that lies beside what it tests.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}
