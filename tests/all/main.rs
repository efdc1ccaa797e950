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

use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::parts::{Parts, Seams};
use counterfoil::clock::{Clock as _, SystemClock};
use counterfoil::config::Config;
use counterfoil::paths::Paths;
use counterfoil::problem::{Result, STORE_LOCKED};

/// A clock of which it is noon, UTC, of a Tuesday in September 2026: the hour at which tests are run says
/// nothing.
fn noon() -> SystemClock {
    SystemClock::ahead_by(1_789_473_600_000 - SystemClock::new().wall_ms())
}

/// Waits until a lock that was let go can be taken: a child that another test starts at this moment has it too, until it
/// becomes another program.
fn until_free(lock: &std::path::Path) {
    let free = |_| {
        std::thread::yield_now();
        counterfoil::store::Lock::take(lock).is_ok()
    };
    assert!((0..1_000_000).any(free));
}

/// Opens the parts of an agent that may have lived in this process before. A child that another test starts at this moment
/// has every lock of this process too, until it becomes another program: that is waited for.
#[allow(clippy::disallowed_methods)] // for a child of the machine's, no clock of ours tells when it is over
fn open_parts(paths: Paths, config: Arc<Config>, seams: Seams) -> Result<Parts> {
    for _ in 0..400 {
        match Parts::open(paths.clone(), config.clone(), seams.clone()) {
            Err(problem) if problem.is(&STORE_LOCKED) => std::thread::sleep(Duration::from_millis(5)),
            opened => return opened,
        }
    }
    Parts::open(paths, config, seams)
}
