//! The configuration: TOML into one checked, immutable value ([`parse`], [`load`]); what a changed file would change
//! ([`plan`]); and the file watched while the agent runs ([`Watcher`]). It holds no secrets and starts nothing: applying a
//! change is the agent's.
//!
//! The file is walked by tables of settings (`keys`) rather than by derived deserialization, so that every fault is told at
//! once, each with its line and column, and so that the sample and the README cannot fall behind the reader.

use std::io::Read;
use std::path::Path;

use toml::de::DeTable;

use crate::problem::{CONFIG_EMPTY, CONFIG_INVALID, CONFIG_MISSING, CONFIG_UNREADABLE, Problem};
use crate::testpoint::planted;

mod fault;
mod hash;
pub mod keys;
mod plan;
mod read;
mod resolve;
mod sample;
mod settle;
mod url;
mod value;
mod watch;

pub use self::fault::Fault;
pub use self::hash::Hash;
pub use self::plan::{Change, Needs, Plan, plan};
pub use self::sample::sample;
pub use self::url::BaseUrl;
pub use self::value::*;
pub use self::watch::{Reload, Watcher};

use self::fault::{Faults, holds_key};

/// A larger file is not a configuration.
pub const MOST_BYTES: u64 = 1 << 20;

/// Reads the text of a configuration that lies (or will lie) at `file`. All faults are told at once; of faults in the
/// syntax only the first, for what follows it means nothing.
pub fn parse(text: &str, file: &Path) -> Result<Config, Vec<Fault>> {
    let mut faults = Faults::of(text);
    let folder = file.parent().unwrap_or(Path::new(""));
    let config = match DeTable::parse(text) {
        Ok(document) => Some(resolve::document(text, document.get_ref(), folder, &mut faults)),
        Err(error) => {
            // Never the error's own Display: it quotes the line.
            faults.add(&error.span().unwrap_or(0..0), error.message(), "");
            None
        }
    };
    // A key in a comment or in a broken line is in the file as well.
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if holds_key(line) && !faults.names_secret_in(start) {
            faults.secret(&(start..start), None);
        }
        start += line.len();
    }
    match (config, faults.into_sorted()) {
        (Some(config), faults) if faults.is_empty() => Ok(config),
        (_, faults) => Err(faults),
    }
}

/// Reads and checks the file.
pub fn load(path: &Path) -> Result<Config, Problem> {
    judge(&look(path), path)
}

/// What lies at the path, before it means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// Nothing.
    Missing,
    /// Something that cannot be read, in our own words.
    Unreadable(&'static str),
    /// A file of nothing but white space.
    Empty,
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Reads the file once.
fn look(path: &Path) -> Look {
    let read = || -> std::io::Result<Look> {
        // Asked first: opening a pipe would wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            return Ok(Look::Unreadable("it is not a file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(match bytes {
            bytes if bytes.len() as u64 > MOST_BYTES => Look::Unreadable("it is larger than 1 MiB"),
            bytes if bytes.iter().all(u8::is_ascii_whitespace) => Look::Empty,
            bytes => Look::Bytes(bytes),
        })
    };
    read().unwrap_or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Look::Missing,
        std::io::ErrorKind::PermissionDenied => Look::Unreadable("this account may not read it"),
        _ => Look::Unreadable("the system gave an error"),
    })
}

/// What was seen, as a configuration or as a problem.
fn judge(seen: &Look, path: &Path) -> Result<Config, Problem> {
    let shown = path.display();
    match seen {
        Look::Missing => Err(CONFIG_MISSING.with(shown)),
        Look::Unreadable(why) => Err(CONFIG_UNREADABLE.with(format!("{shown}: {why}"))),
        Look::Empty => Err(CONFIG_EMPTY.with(shown)),
        Look::Bytes(bytes) => {
            let faults = match std::str::from_utf8(bytes) {
                Ok(text) => match parse(text, path) {
                    Ok(config) => return Ok(config),
                    Err(_) if planted("bad_config_applied") => {
                        return parse("", path).map_err(|_| CONFIG_EMPTY.plain());
                    }
                    Err(faults) => faults,
                },
                Err(error) => {
                    let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                    let mut faults = Faults::of(good);
                    faults.add(&(good.len()..good.len()), "this is not UTF-8", "save the file as UTF-8");
                    faults.into_sorted()
                }
            };
            Err(CONFIG_INVALID.with(format!("{shown}{}", listed(&faults))))
        }
    }
}

/// More faults than these are counted, not listed.
const LISTED: usize = 20;

fn listed(faults: &[Fault]) -> String {
    let mut text: String = faults.iter().take(LISTED).map(|fault| format!("\n  {fault}")).collect();
    if faults.len() > LISTED {
        text.push_str(&format!("\n  and {} more", faults.len() - LISTED));
    }
    text
}
