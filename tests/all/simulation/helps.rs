//! Small helps of the judge: windows in words, files of a folder, rows as numbers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use counterfoil::store::{Text, Window};

/// The newest windows, in seconds before now.
pub(super) fn words(windows: &[&Window], now: i64) -> String {
    let ago = |ms: i64| (now - ms) / 1000;
    let word = |window: &&Window| {
        let walked = ago(window.provider_at.unwrap_or(0));
        format!("{:?} {}..{} at {walked}", window.state, ago(window.from_at), ago(window.to_at))
    };
    windows.iter().rev().take(400).map(word).collect::<Vec<_>>().join(", ")
}

/// All files below a folder, in order.
pub(super) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A row as a number, to tell whether it changed.
pub(super) fn hash_of(row: &[Text]) -> u64 {
    let mut hash = DefaultHasher::new();
    for value in row {
        match value {
            Text::Null => 0.hash(&mut hash),
            Text::Int(number) => number.hash(&mut hash),
            Text::Text(text) => text.hash(&mut hash),
            other => format!("{other:?}").hash(&mut hash),
        }
    }
    hash.finish()
}
