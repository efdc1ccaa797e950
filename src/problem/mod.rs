//! The catalogue of everything a person can be told: each condition once, with a code, a title and what to do.
//! Every error a person meets is printed from here. It does not decide who is told, nor where.
//!
//! Rule: the `detail` of a problem is made of our own words, numbers, names from the configuration and places in files.
//! It never holds a provider's message, a value of a record, a URL's query or a key.

use std::fmt;

mod agent;
mod config;
mod egress;
mod http;
mod providers;
mod sandbox;
mod service;
mod store;
mod stream;
mod sync;
mod vault;

pub use self::{
    agent::*, config::*, egress::*, http::*, providers::*, sandbox::*, service::*, store::*, stream::*, sync::*,
    vault::*,
};

/// How bad a condition is, for a person who looks at `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Notice,
    /// Something is not as it should be; the agent goes on.
    Warning,
    /// Something does not work until a person or the provider acts.
    Error,
}

/// What the process returns to the shell: the numbers are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Fine = 0,
    /// A problem was found.
    Problem = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The configuration is invalid (the unit's `RestartPreventExitStatus`).
    Config = 3,
    /// The store or the vault cannot be opened.
    Closed = 4,
    /// Partly done: some streams failed.
    Partly = 5,
}

/// One condition a person can meet.
#[derive(Debug)]
pub struct Entry {
    /// Stable name, `room.condition`.
    pub code: &'static str,
    /// One line that says what happened.
    pub title: &'static str,
    /// What to do about it.
    pub advice: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The exit code of a command that ends with it.
    pub exit: Exit,
}

/// One occurrence of a condition: the entry and the particulars in our own words.
#[derive(Clone)]
pub struct Problem {
    entry: &'static Entry,
    detail: String,
}

/// The result of anything that can meet a [`Problem`].
pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Entry {
    /// An occurrence without particulars.
    pub fn plain(&'static self) -> Problem {
        Problem { entry: self, detail: String::new() }
    }

    /// An occurrence with particulars: our own words only (see the module's rule).
    pub fn with(&'static self, detail: impl fmt::Display) -> Problem {
        Problem { entry: self, detail: detail.to_string() }
    }
}

impl Problem {
    /// The catalogue entry.
    pub fn entry(&self) -> &'static Entry {
        self.entry
    }

    /// The stable code, `room.condition`.
    pub fn code(&self) -> &'static str {
        self.entry.code
    }

    /// The particulars; may be empty.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// True when this is an occurrence of `entry`.
    pub fn is(&self, entry: &'static Entry) -> bool {
        self.entry.code == entry.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.entry.code)
    }
}

impl std::error::Error for Problem {}

/// Every entry of the catalogue, for the README, the tests and look-ups of stored codes.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    [
        agent::ALL,
        config::ALL,
        egress::ALL,
        http::ALL,
        providers::ALL,
        sandbox::ALL,
        service::ALL,
        store::ALL,
        stream::ALL,
        sync::ALL,
        vault::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The entry with this code, as stored in table `problems`.
pub fn find(code: &str) -> Option<&'static Entry> {
    catalogue().find(|entry| entry.code == code)
}

/// Declares the conditions of one room.
macro_rules! entries {
    ($($name:ident = $code:literal, $severity:ident, $exit:ident, $title:literal, $advice:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: crate::problem::Entry = crate::problem::Entry {
                code: $code, title: $title, advice: $advice,
                severity: crate::problem::Severity::$severity, exit: crate::problem::Exit::$exit,
            };
        )*
        pub(super) static ALL: &[&crate::problem::Entry] = &[$(&$name),*];
    };
}
use entries;
