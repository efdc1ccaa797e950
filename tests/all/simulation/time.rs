//! Time in a simulation: true time, which the world lives by, and the agent's two clocks, which can be wrong. All of it
//! rests on tokio's paused clock, which goes on when nobody has anything to do. Every look at a clock is also a moment at
//! which the agent may die.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What the agent's wall clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wall {
    /// The truth and so many milliseconds.
    Off(i64),
    /// Always this.
    Frozen(i64),
}

/// The time of one simulation.
pub(super) struct Time {
    /// True time when the life at hand began, and what was slept through since.
    base_ms: AtomicI64,
    start: Mutex<Option<Instant>>,
    wall: Mutex<Wall>,
    pub(super) fate: Fate,
}

/// When the agent dies: after so many more steps, if at all.
pub(super) struct Fate {
    left: AtomicI64,
    dead: AtomicBool,
    died: Notify,
}

impl Fate {
    /// Dies after `steps` more steps; a negative number: not at all.
    pub(super) fn arm(&self, steps: i64) {
        self.left.store(steps, SeqCst);
    }

    /// A new life.
    pub(super) fn revive(&self) {
        self.dead.store(false, SeqCst);
        self.arm(-1);
    }

    /// Waits for the death.
    pub(super) async fn death(&self) {
        while !self.dead.load(SeqCst) {
            self.died.notified().await;
        }
    }

    /// One step. From the death on the agent only goes as far as its next wait, and never returns from that.
    pub(super) fn step(&self) {
        let left = self.left.load(SeqCst);
        if left < 0 {
            return;
        }
        self.left.store(left - 1, SeqCst);
        if left == 0 {
            self.dead.store(true, SeqCst);
            self.died.notify_one();
        }
    }

    /// A step that the dead do not take.
    pub(super) async fn pass(&self) {
        self.step();
        if self.dead.load(SeqCst) {
            pending::<()>().await;
        }
    }
}

impl Time {
    pub(super) fn new(start_ms: i64) -> Arc<Self> {
        let fate = Fate { left: AtomicI64::new(-1), dead: AtomicBool::new(false), died: Notify::new() };
        let (base_ms, start, wall) = (AtomicI64::new(start_ms), Mutex::new(None), Mutex::new(Wall::Off(0)));
        Arc::new(Self { base_ms, start, wall, fate })
    }

    /// A life begins: time goes on with the runtime's clock.
    pub(super) fn begin(&self) {
        *self.start.lock().unwrap() = Some(Instant::now());
    }

    /// A life has ended; nothing happens until the next.
    pub(super) fn end(&self) {
        let lived = self.lived();
        *self.start.lock().unwrap() = None;
        self.base_ms.fetch_add(lived.as_millis() as i64, SeqCst);
    }

    fn lived(&self) -> Duration {
        self.start.lock().unwrap().map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// True time, milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.base_ms.load(SeqCst) + self.lived().as_millis() as i64
    }

    /// Lets time pass that no clock of the agent's sees: it is down, or the machine sleeps.
    pub(super) fn skip(&self, ms: i64) {
        self.base_ms.fetch_add(ms, SeqCst);
    }

    pub(super) fn set_wall(&self, wall: Wall) {
        *self.wall.lock().unwrap() = wall;
    }

    /// What the agent's wall clock shows.
    pub(super) fn wall(&self) -> i64 {
        match *self.wall.lock().unwrap() {
            Wall::Off(off) => self.now() + off,
            Wall::Frozen(at) => at,
        }
    }
}

/// Waits; not the agent.
#[allow(clippy::disallowed_methods)] // the clock of the simulation stands on tokio's
pub(super) async fn rest(ms: i64) {
    tokio::time::sleep(Duration::from_millis(ms.max(0) as u64)).await;
}

/// What the world lives by.
pub(super) struct TrueClock(pub(super) Arc<Time>);

impl Clock for TrueClock {
    fn wall_ms(&self) -> i64 {
        self.0.now()
    }
    fn mono(&self) -> Duration {
        self.0.lived()
    }
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(rest(span.as_millis() as i64))
    }
}

/// What the agent lives by.
pub(super) struct AgentClock(pub(super) Arc<Time>);

impl Clock for AgentClock {
    fn wall_ms(&self) -> i64 {
        self.0.fate.step();
        self.0.wall()
    }
    fn mono(&self) -> Duration {
        self.0.fate.step();
        self.0.lived()
    }
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let time = self.0.clone();
        Box::pin(async move {
            time.fate.pass().await;
            // At least a moment: what waits for nothing would never let time pass.
            rest((span.as_millis() as i64).max(1)).await;
            time.fate.pass().await;
        })
    }
}
