//! The program's own log: lines to standard error, where a terminal or the journal takes them, or to files in a folder
//! of their own. It decides what passes (our own words only, up to a level that can change at any time), how a line
//! looks, and how much may be written; it decides nothing about what is worth saying.

mod files;
mod line;
mod redact;

use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Metadata, dispatcher};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::{Layer, Registry, fmt as lines, reload};

use self::files::{Files, Lost};
use self::line::{Look, Words};
use self::redact::Redacted;
use crate::clock::Clock;
use crate::config::Level;
use crate::problem::{AGENT_LOGS, Result};

/// How many lines wait for a slow disk before further ones are dropped, and counted.
const WAITING: usize = 8_192;

/// How to log.
pub struct Options {
    /// The least important lines that are still written.
    pub level: Level,
    /// The folder of the log files, used for nothing else; standard error when there is none.
    pub folder: Option<PathBuf>,
    /// Whether standard error goes to the systemd journal: lines then carry a priority instead of a time.
    pub journal: bool,
    /// The most that is written into the file of one day, in bytes.
    pub bytes_per_day: u64,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// The most of a day's file unless said otherwise: two weeks of the noisiest days are less than half a gigabyte.
    pub const BYTES_PER_DAY: u64 = 32 * 1024 * 1024;

    /// Where the log belongs on this machine: to standard error when somebody sees it there (a terminal, the journal),
    /// else into files in `folder`.
    pub fn here(level: Level, folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let journal = std::env::var_os("JOURNAL_STREAM").is_some();
        let seen = journal || std::io::stderr().is_terminal();
        Self { level, folder: (!seen).then_some(folder), journal, bytes_per_day: Self::BYTES_PER_DAY, clock }
    }
}

/// The log while it runs. Dropping it writes out what waits: it belongs in the frame of `main`.
pub struct Logs {
    level: reload::Handle<Ours, Registry>,
    lost: Arc<Lost>,
    /// Declared last: everything else is done when the writing thread ends.
    _writing: Option<WorkerGuard>,
}

impl Logs {
    /// Begins to log everything that this process says from now on. Once in a process.
    pub fn start(options: Options) -> Result<Self> {
        let (logs, subscriber) = Self::build(options)?;
        dispatcher::set_global_default(subscriber.into()).map_err(|_| AGENT_LOGS.with("this process logs already"))?;
        Ok(logs)
    }

    /// A log that is not yet the process's: for tests, which hold several in one process.
    pub fn build(options: Options) -> Result<(Self, impl Subscriber + Send + Sync + Into<tracing::Dispatch>)> {
        let (filter, level) = reload::Layer::new(Ours(filter(options.level)));
        let lost = Arc::new(Lost::default());
        let look = if options.journal { Look::Journal } else { Look::Plain(options.clock.clone()) };
        let lines = lines::layer().event_format(Words(look)).log_internal_errors(false);
        let (layer, writing) = match &options.folder {
            None => (lines.with_writer(|| Redacted(std::io::stderr())).boxed(), None),
            Some(folder) => {
                let files = Files::open(folder, options.bytes_per_day, options.clock.clone(), lost.clone())?;
                let builder = tracing_appender::non_blocking::NonBlockingBuilder::default();
                let builder = builder.buffered_lines_limit(WAITING).lossy(true).thread_name("log");
                let (queue, writing) = builder.finish(files);
                lost.watch(queue.error_counter());
                (lines.with_writer(move || Redacted(queue.clone())).boxed(), Some(writing))
            }
        };
        let subscriber = Registry::default().with(layer.with_filter(filter));
        Ok((Self { level, lost, _writing: writing }, subscriber))
    }

    /// From now on lines up to this level are written.
    pub fn set_level(&self, level: Level) {
        // It can fail only when the subscriber is gone, and with it everybody who could log.
        drop(self.level.modify(|ours| ours.0 = filter(level)));
    }

    /// How many lines were not written since the start: too many at a time, over the day's limit, or refused by the disk.
    /// The log itself says so too, as soon as it can write again.
    pub fn lost(&self) -> u64 {
        self.lost.total()
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Lets through what this program says itself. Libraries say names of hosts, headers and addresses.
struct Ours(LevelFilter);

impl Ours {
    fn passes(&self, metadata: &Metadata<'_>) -> bool {
        let of_ours = metadata.target().strip_prefix("counterfoil");
        *metadata.level() <= self.0 && of_ours.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl<S> Filter<S> for Ours {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.passes(metadata)
    }

    /// Decided once a place in the code (and again when the level changes): a silent line costs nothing.
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.passes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }
}
