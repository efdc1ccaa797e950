//! Now, and waiting. Everything that needs the time is handed a [`Clock`]; nothing else reads it (clippy bans the ways
//! round). Wall time is data; scheduling uses the monotonic reading. Provider time is a third kind and lives in `sync`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A boxed future, for the seams that are trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The time seam.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC by this machine's clock. May jump; only ever stored or shown.
    fn wall_ms(&self) -> i64;
    /// Time since some fixed moment; never goes back.
    fn mono(&self) -> Duration;
    /// Waits until `mono` has advanced by `span`.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's own clock, which can be moved forward: the demonstration hands its agent the sandbox's time this way. It can
/// also be set to another time at its start.
#[derive(Clone)]
pub struct SystemClock {
    start: std::time::Instant,
    ahead: Arc<watch::Sender<Duration>>,
    /// What is added to the machine's wall time, in milliseconds.
    shift_ms: i64,
}

impl SystemClock {
    /// The machine's clock, not moved.
    #[allow(clippy::disallowed_methods)] // the one place that reads the monotonic clock
    pub fn new() -> Self {
        Self { start: std::time::Instant::now(), ahead: Arc::new(watch::Sender::new(Duration::ZERO)), shift_ms: 0 }
    }

    /// The machine's clock, but so many milliseconds before it (behind it if negative).
    pub fn ahead_by(shift_ms: i64) -> Self {
        Self { shift_ms, ..Self::new() }
    }

    /// How far this clock is before the machine's (behind it if negative), in milliseconds.
    pub fn ahead_ms(&self) -> i64 {
        self.shift_ms.saturating_add(i64::try_from(self.ahead.borrow().as_millis()).unwrap_or(i64::MAX))
    }

    /// Moves this clock (and every clone of it) forward; sleepers whose time has come wake.
    pub fn advance(&self, span: Duration) {
        self.ahead.send_modify(|ahead| *ahead += span);
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the wall clock
    fn wall_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.ahead_ms())
    }

    fn mono(&self) -> Duration {
        self.start.elapsed() + *self.ahead.borrow()
    }

    #[allow(clippy::disallowed_methods)] // the one place that waits
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        let until = self.mono() + span;
        let mut moved = self.ahead.subscribe();
        Box::pin(async move {
            loop {
                let left = until.saturating_sub(clock.mono());
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    _ = moved.changed() => {}
                }
            }
        })
    }
}
