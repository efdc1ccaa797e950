//! What every verb starts from: where things lie, the configuration, a reader, and the way to have something done by the
//! agent that runs, or by ourselves when none does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Global, Out};
use crate::agent::logs::{Logs, Options};
use crate::agent::parts::{Parts, Seams, Writer};
use crate::agent::request::{Request, perform};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Level};
use crate::entropy::SystemEntropy;
use crate::paths::{Overrides, Paths};
use crate::problem::{self, Result};
use crate::store::Reader;
use crate::testpoint::clock_ahead_ms;

/// The common start of all verbs.
pub struct Context {
    /// Options of every verb.
    pub global: Global,
    /// Where words go.
    pub out: Out,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        let out = Out { json: global.json, quiet: global.quiet, logs: global.verbose > 0 };
        Self { global, out, clock: Arc::new(SystemClock::ahead_by(clock_ahead_ms())) }
    }

    /// Where things lie.
    pub fn paths(&self) -> Result<Paths> {
        let overrides = Overrides { config: self.global.config.clone(), data_dir: self.global.data_dir.clone() };
        Paths::here(&overrides).map_err(|error| problem::AGENT_DIRECTORY.with(error.kind()))
    }

    /// The configuration file, read and checked.
    pub fn config(&self) -> Result<Arc<Config>> {
        config::load(&self.paths()?.config_file).map(Arc::new)
    }

    /// The store for reading. A broken configuration is no reason not to look at the data.
    pub fn reader(&self) -> Result<Reader> {
        let paths = self.paths()?;
        let configured = self.config().ok().and_then(|config| config.store.path.clone());
        Reader::open(&paths.store(configured.as_deref()))
    }

    /// Only the owner of the data directory acts in it: root becomes that owner first, before anything is read or opened.
    pub fn become_owner(&self) -> Result<()> {
        crate::service::account::become_owner(&self.paths()?.data_dir)
    }

    /// The level that was asked for with -v.
    pub fn level(&self) -> Option<Level> {
        match self.global.verbose {
            0 => None,
            1 => Some(Level::Debug),
            _ => Some(Level::Trace),
        }
    }

    /// The log of what this command does itself, on standard error, when it is asked for; lasts as long as the value.
    pub(super) fn log(&self) -> Option<Logs> {
        let (folder, journal, bytes_per_day) = (None, false, Options::BYTES_PER_DAY);
        let options = |level| Options { level, folder, journal, bytes_per_day, clock: self.clock.clone() };
        // Without a log the command does the same.
        self.level().and_then(|level| Logs::start(options(level)).ok())
    }

    /// Time and chance as they are.
    pub fn seams(&self) -> Seams {
        Seams {
            clock: self.clock.clone(),
            entropy: Arc::new(SystemEntropy),
            transport: None,
            writer: Writer::default(),
        }
    }

    /// Has it done: by the agent when one runs, else here, as the owner of the data directory.
    pub fn ask(&self, request: Request, hear: &(dyn Fn(Value) + Send + Sync)) -> Result<Value> {
        let paths = self.paths()?;
        block_on(async {
            if let Some(mut agent) = crate::agent::control::Client::connect(&paths.socket()).await? {
                let request = serde_json::to_value(&request).map_err(|_| problem::AGENT_REQUEST.plain())?;
                return agent.ask(&request, hear).await;
            }
            let parts = Parts::open(paths, self.config()?, self.seams())?;
            let done = perform(&parts, request, hear).await;
            parts.close().await?;
            done
        })
    }
}

/// Runs asynchronous work to its end on this thread.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| problem::AGENT_RUNTIME.with(error.kind()))?;
    let result = runtime.block_on(work);
    // What still waits (a read of a file, a name look-up) must not hold the exit up.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}
