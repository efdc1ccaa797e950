//! Where a verb's words go: facts to standard output, remarks and problems to standard error, or everything as one JSON
//! envelope. Nothing else in the program prints.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use crate::problem::{Problem, Severity};

/// The version of the JSON envelope.
const ENVELOPE: u32 = 1;

/// The two outputs and how they are to be used.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// JSON instead of text.
    pub json: bool,
    /// No remarks.
    pub quiet: bool,
    /// The log is shown: lines of it would break a progress line.
    pub logs: bool,
}

impl Out {
    /// A line of text on standard output.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            // A closed pipe (`| head`) is no reason to complain.
            writeln!(std::io::stdout(), "{}", text.as_ref()).ok();
        }
    }

    /// Bytes on standard output, as they are.
    pub fn raw(&self, bytes: &[u8]) {
        let mut out = std::io::stdout();
        out.write_all(bytes).and_then(|()| out.flush()).ok();
    }

    /// A remark on standard error.
    pub fn remark(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            writeln!(std::io::stderr(), "{}", text.as_ref()).ok();
        }
    }

    /// What went wrong with a part of the work, on standard error; among the facts where JSON is wanted.
    pub fn trouble(&self, text: impl AsRef<str>) {
        if !self.json {
            writeln!(std::io::stderr(), "{}", text.as_ref()).ok();
        }
    }

    /// The verb's facts, when JSON is wanted.
    pub fn facts(&self, verb: &str, data: Value) {
        if self.json {
            let envelope = json!({"counterfoil": ENVELOPE, "verb": verb, "ok": true, "data": data});
            writeln!(std::io::stdout(), "{envelope:#}").ok();
        }
    }

    /// A problem: what happened and what to do.
    pub fn problem(&self, problem: &Problem) {
        if self.json {
            let problem = crate::agent::request::words(problem);
            let envelope = json!({"counterfoil": ENVELOPE, "ok": false, "problem": problem});
            writeln!(std::io::stdout(), "{envelope:#}").ok();
            return;
        }
        let word = match problem.entry().severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "note",
        };
        let entry = problem.entry();
        let mut text = format!("{word}: {}\n", entry.title);
        for line in problem.detail().lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str(&format!("  what to do: {} [{}]", entry.advice, entry.code));
        writeln!(std::io::stderr(), "{text}").ok();
    }

    /// True when progress would be seen by a person.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && !self.logs && std::io::stderr().is_terminal()
    }

    /// Replaces the progress line on the terminal.
    pub fn progress(&self, text: &str) {
        if self.shows_progress() {
            let mut err = std::io::stderr();
            write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush()).ok();
        }
    }

    /// Takes the progress line away.
    pub fn end_progress(&self) {
        self.progress("");
    }
}
