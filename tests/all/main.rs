//! The integration tests: one binary, a module a subject.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod agent;
mod broken;
mod changes;
mod cli;
mod config;
mod declarations;
mod egress;
mod fuzz;
mod http;
mod judges;
#[cfg(debug_assertions)]
mod kill;
#[cfg(debug_assertions)]
mod planted;
mod policy;
mod sandbox;
mod service;
#[cfg(debug_assertions)]
mod simulation;
mod skip;
mod store;
mod stream;
mod sync;
mod twin;
mod vault;
mod verify;

use counterfoil::clock::{Clock as _, SystemClock};

/// A clock of which it is noon, UTC, of a Tuesday in September 2026: the hour at which tests are run says
/// nothing.
fn noon() -> SystemClock {
    SystemClock::ahead_by(1_789_473_600_000 - SystemClock::new().wall_ms())
}
