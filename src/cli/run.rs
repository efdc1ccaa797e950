//! `run`: the agent in the foreground.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::Context;
use super::context::block_on;
use crate::agent::logs::{Logs, Options};
use crate::agent::parts::make_folder;
use crate::agent::run::{Signal, Voice, run as run_agent};
use crate::config::Level;
use crate::problem::{Exit, Result};
use crate::service::notify::{Beat, Manager, Starting, Watch};
use crate::service::signals;

/// Run the agent in the foreground.
#[derive(clap::Args)]
pub(super) struct Args {}

/// Speaks through the log; under systemd also to the service manager.
struct Speaker {
    logs: Logs,
    /// What the command line asks to see at least.
    least: Option<Level>,
    manager: Manager,
    /// Until the agent is ready.
    starting: Mutex<Option<Starting>>,
    alive: Beat,
}

/// The agent's own round through scheduler and writer takes milliseconds every few seconds.
const ALIVE_WITHIN: Duration = Duration::from_secs(60);

impl Voice for Speaker {
    fn ready(&self, status: &str) {
        drop(self.starting.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.manager.ready(status);
        tracing::info!("ready: {status}");
    }

    fn status(&self, status: &str) {
        self.manager.status(status);
        tracing::info!("{status}");
    }

    fn reloading(&self) {
        self.manager.reloading();
        tracing::info!("looking at the configuration");
    }

    fn stopping(&self) {
        self.manager.stopping("stopping");
        tracing::info!("stopping");
    }

    fn beat(&self) {
        self.alive.beat();
    }

    fn log_level(&self, level: Level) {
        self.logs.set_level(self.least.map_or(level, |least| least.max(level)));
    }
}

pub(super) fn run(context: &Context, _: &Args) -> Result<Exit> {
    let paths = context.paths()?;
    let config = context.config()?;
    make_folder(&paths.data_dir)?;
    let least = context.level();
    let level = least.map_or(config.log.level, |least| least.max(config.log.level));
    let logs = Logs::start(Options::here(level, paths.log_dir.clone(), context.clock.clone()))?;
    let seams = context.seams();
    let manager = Manager::new();
    let starting = Mutex::new(Some(manager.starting()));
    block_on(async move {
        let mut system = signals::Signals::listen()?;
        let (send, receive) = mpsc::channel(4);
        tokio::spawn(async move {
            loop {
                let signal = match system.next().await {
                    signals::Signal::Stop => Signal::Stop,
                    signals::Signal::Reload => Signal::Reload,
                };
                if send.send(signal).await.is_err() {
                    return;
                }
            }
        });
        let mut watch = Watch::new(seams.clock.clone());
        let alive = watch.part("agent", ALIVE_WITHIN);
        tokio::spawn(watch.run());
        let voice = Arc::new(Speaker { logs, least, manager, starting, alive });
        run_agent(paths, config, seams, voice, receive).await
    })?;
    Ok(Exit::Fine)
}
