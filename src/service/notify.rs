//! What the agent tells the service manager (sd_notify(3)): that it is ready, reloading, stopping, and that it makes
//! progress. Without a service manager, and on systems other than Linux, all of it is silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;

/// The manager of this process, if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manager(());

impl Manager {
    /// Whoever started this process.
    pub fn new() -> Self {
        Self::default()
    }

    /// The agent begins, which may take longer than the manager grants: a store of many gigabytes is checked after an unclean
    /// stop. Until what is returned goes, the manager hears every few seconds that it is to wait on.
    pub fn starting(&self) -> Starting {
        let (end, ended) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            for _ in 0..LONGEST_START.as_secs() / (GRANTED / 3).as_secs() {
                send(&[Word::Wait(GRANTED), Word::Status("starting")]);
                if ended.recv_timeout(GRANTED / 3) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Starting { end: Some(end), thread: Some(thread) }
    }

    /// The agent works, and this is how: one line, which `systemctl status` shows. Never a name or a value of a record.
    pub fn ready(&self, status: &str) {
        send(&[Word::Ready, Word::Status(&one_line(status))]);
    }

    /// Another line to show.
    pub fn status(&self, status: &str) {
        send(&[Word::Status(&one_line(status))]);
    }

    /// The configuration is being read again; [`Manager::ready`] ends it, whatever came of it.
    pub fn reloading(&self) {
        send(&[Word::Reloading]);
    }

    /// The agent ends.
    pub fn stopping(&self, status: &str) {
        send(&[Word::Stopping, Word::Status(&one_line(status))]);
    }
}

/// So long the manager is asked to wait on.
const GRANTED: Duration = Duration::from_secs(30);

/// What has not begun by then hangs.
const LONGEST_START: Duration = Duration::from_secs(3600);

/// Held while the agent begins. When it goes, the last word of that has been said.
#[derive(Debug)]
pub struct Starting {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Starting {
    fn drop(&mut self) {
        drop(self.end.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What can be told, in the protocol's own terms.
enum Word<'a> {
    Wait(Duration),
    Ready,
    Status(&'a str),
    Reloading,
    Stopping,
    Watchdog,
}

/// A line break would begin another word of the protocol.
fn one_line(text: &str) -> String {
    text.replace(|char: char| char.is_control(), " ")
}

/// Fails only when the manager has gone; then there is nobody to tell.
#[cfg(target_os = "linux")]
fn send(words: &[Word<'_>]) {
    use sd_notify::NotifyState;
    let mut states = Vec::with_capacity(words.len() + 1);
    for word in words {
        match word {
            Word::Wait(span) => {
                let micros = u32::try_from(span.as_micros()).unwrap_or(u32::MAX);
                states.push(NotifyState::ExtendTimeoutUsec(micros));
            }
            Word::Ready => states.push(NotifyState::Ready),
            Word::Status(text) => states.push(NotifyState::Status(text)),
            Word::Reloading => {
                states.push(NotifyState::Reloading);
                // By this the manager pairs the reload with the `READY=1` that ends it.
                states.extend(NotifyState::monotonic_usec_now());
            }
            Word::Stopping => states.push(NotifyState::Stopping),
            Word::Watchdog => states.push(NotifyState::Watchdog),
        }
    }
    drop(sd_notify::notify(&states));
}

/// Nobody to tell.
#[cfg(not(target_os = "linux"))]
fn send(_: &[Word<'_>]) {}

/// How soon the manager wants a sign of life; `None` when it does not watch.
#[cfg(target_os = "linux")]
fn watched() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Nobody watches.
#[cfg(not(target_os = "linux"))]
fn watched() -> Option<Duration> {
    None
}

/// Gives the manager signs of life only while every part of the agent makes progress: a timer alone would prove that
/// the timer runs.
pub struct Watch {
    clock: Arc<dyn Clock>,
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    within: Duration,
    last: Arc<AtomicU64>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, parts: Vec::new() }
    }

    /// Watches one more part, which beats at least every `within`.
    pub fn part(&mut self, name: &'static str, within: Duration) -> Beat {
        let beat = Beat { clock: self.clock.clone(), last: Arc::default() };
        beat.beat();
        self.parts.push(Part { name, within, last: beat.last.clone() });
        beat
    }

    /// The first part that is late by now.
    pub fn late(&self) -> Option<&'static str> {
        let now = millis(self.clock.mono());
        let is_late = |part: &&Part| {
            let age = now.saturating_sub(part.last.load(Ordering::Relaxed));
            age > millis(part.within)
        };
        self.parts.iter().find(is_late).map(|part| part.name)
    }

    /// Passes the signs on for as long as it is polled; ends at once where no manager watches. While a part is late the
    /// manager hears nothing, and does what its own rules say.
    pub async fn run(self) {
        let Some(limit) = watched() else { return };
        let mut told = None;
        loop {
            let late = self.late();
            match late {
                None => send(&[Word::Watchdog]),
                Some(part) if told != late => {
                    tracing::error!(part, "no progress: the service manager is not told of life")
                }
                Some(_) => {}
            }
            told = late;
            self.clock.sleep(limit / 3).await;
        }
    }
}

/// Held by a part that is watched.
#[derive(Clone)]
pub struct Beat {
    clock: Arc<dyn Clock>,
    last: Arc<AtomicU64>,
}

impl Beat {
    /// Progress was made.
    pub fn beat(&self) {
        self.last.store(millis(self.clock.mono()), Ordering::Relaxed);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
