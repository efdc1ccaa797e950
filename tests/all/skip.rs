//! A test that cannot run here says so past the test runner's capture, so that a plain `cargo test` names what it skipped.

use std::io::Write;

/// Says what was skipped and why.
pub(crate) fn skipped(why: impl std::fmt::Display) {
    // In one piece, or tests that run side by side would mix theirs.
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}
