//! What the operating system tells a running program: stop, or look at the configuration again.

use crate::problem::{self, Result};

/// A signal, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT, Ctrl-C.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Listens from now on.
#[cfg(unix)]
pub struct Signals {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

/// Takes the signals over from the system's defaults.
#[cfg(unix)]
pub fn listen() -> Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    let take = |kind| signal(kind).map_err(|error| problem::AGENT_RUNTIME.with(error.kind()));
    Ok(Signals {
        term: take(SignalKind::terminate())?,
        interrupt: take(SignalKind::interrupt())?,
        hangup: take(SignalKind::hangup())?,
    })
}

#[cfg(unix)]
impl Signals {
    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}
