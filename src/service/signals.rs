//! What the operating system asks of the agent, as one stream: stop, or read the configuration again.

use std::io;

use crate::problem::{Result, SERVICE_SIGNALS};

/// Something asked from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End in good order: SIGTERM, SIGINT, Ctrl-C.
    Stop,
    /// Look at the configuration file now: SIGHUP.
    Reload,
}

/// The signals from the moment of [`Signals::listen`] on.
#[derive(Debug)]
pub struct Signals(Inner);

impl Signals {
    /// Takes the signals over from the system, which would end the process. Needs the runtime.
    pub fn listen() -> Result<Self> {
        let inner = Inner::listen().map_err(|error| SERVICE_SIGNALS.with(error.kind()))?;
        Ok(Self(inner))
    }

    /// The next one. Dropping the future loses none.
    pub async fn next(&mut self) -> Signal {
        self.0.next().await
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Inner {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Inner {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

#[cfg(windows)]
#[derive(Debug)]
struct Inner {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Inner {
    fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self { interrupt: ctrl_c()?, close: ctrl_close()?, shutdown: ctrl_shutdown()? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.close.recv() => Signal::Stop,
            _ = self.shutdown.recv() => Signal::Stop,
        }
    }
}
