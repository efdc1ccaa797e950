//! A disk that can be watched and broken: what is on its way to the platters is noted, and calls fail when told to. How it
//! stands under SQLite is in `layer`; what a power cut leaves of it is worked out in `power`.

use std::ffi::{CString, c_int};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use super::layer;

/// The files of a store by their endings; what has another name, or none, is not noted.
pub(super) const FILES: [&str; 3] = ["", "-wal", "-journal"];

/// The content of each of them, where it is there.
pub(super) type Files = [Option<Vec<u8>>; FILES.len()];

/// One thing that happened to the file with this number in [`FILES`].
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// It was made.
    Create { file: usize },
    /// Bytes were written at a place.
    Write { file: usize, at: usize, bytes: Vec<u8> },
    /// It was cut or stretched.
    Truncate { file: usize, to: usize },
    /// All of it was flushed.
    Sync { file: usize },
    /// Flushing failed: the system now takes what waited for written, which it is not.
    SyncFailed { file: usize },
    /// It was removed; `synced`: the folder was flushed.
    Delete { file: usize, synced: bool },
}

/// How the disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reading, writing, cutting, removing, measuring or locking is an error; nothing of a write lands.
    Error,
    /// No room: half the bytes of a write land.
    Full,
    /// A flush fails.
    Sync,
    /// A file cannot be opened, shared memory not be had or locked.
    Open,
}

/// Which call fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    /// The first call that fails, counting from 0 those that can fail in this way.
    pub(super) at: u32,
    /// Every later one too.
    pub(super) forever: bool,
}

/// The calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    Lock,
    Delete,
    Access,
    ShmMap,
    ShmLock,
}

impl Kind {
    /// What SQLite is told when this call fails in this way.
    fn code(self, call: Call) -> Option<c_int> {
        Some(match (self, call) {
            (Self::Error, Call::Read) => ffi::SQLITE_IOERR_READ,
            (Self::Error, Call::Write) => ffi::SQLITE_IOERR_WRITE,
            (Self::Error, Call::Truncate) => ffi::SQLITE_IOERR_TRUNCATE,
            (Self::Error, Call::Size) => ffi::SQLITE_IOERR_FSTAT,
            (Self::Error, Call::Lock) => ffi::SQLITE_IOERR_LOCK,
            (Self::Error, Call::Delete) => ffi::SQLITE_IOERR_DELETE,
            (Self::Error, Call::Access) => ffi::SQLITE_IOERR_ACCESS,
            (Self::Full, Call::Write) => ffi::SQLITE_FULL,
            (Self::Sync, Call::Sync) => ffi::SQLITE_IOERR_FSYNC,
            (Self::Open, Call::Open) => ffi::SQLITE_CANTOPEN,
            (Self::Open, Call::ShmMap) => ffi::SQLITE_IOERR_SHMMAP,
            (Self::Open, Call::ShmLock) => ffi::SQLITE_IOERR_SHMLOCK,
            _ => return None,
        })
    }
}

#[derive(Default)]
struct State {
    log: Vec<Op>,
    plan: Option<Plan>,
    /// Calls that the plan could have struck.
    calls: u32,
    struck: u32,
    /// Flushing is neither done nor noted, but said to be done.
    lies: bool,
}

/// What SQLite holds of a disk, by address: made once, never freed.
pub(super) struct Layer {
    pub(super) name: CString,
    state: Mutex<State>,
}

impl Layer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what happened. A disk that lies does not flush.
    pub(super) fn note(&self, op: Op) {
        let mut state = self.state();
        let op = match op {
            Op::Sync { .. } | Op::SyncFailed { .. } if state.lies => return,
            Op::Delete { file, .. } if state.lies => Op::Delete { file, synced: false },
            op => op,
        };
        state.log.push(op);
    }

    /// The code with which this call fails, if it is to.
    pub(super) fn strikes(&self, call: Call) -> Option<c_int> {
        let mut state = self.state();
        let plan = state.plan?;
        let code = plan.kind.code(call)?;
        state.calls += 1;
        let struck = if plan.forever { state.calls > plan.at } else { state.calls == plan.at + 1 };
        state.struck += u32::from(struck);
        struck.then_some(code)
    }
}

/// A disk under a name that SQLite knows for as long as this lives.
pub(super) struct Disk {
    layer: &'static Layer,
    vfs: layer::Vfs,
}

impl Disk {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("watched-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let name = CString::new(name).unwrap();
        let layer: &'static Layer = Box::leak(Box::new(Layer { name, state: Mutex::default() }));
        Self { layer, vfs: layer::register(layer) }
    }

    pub(super) fn name(&self) -> &str {
        self.layer.name.to_str().unwrap()
    }

    /// A disk that says it flushed and did not.
    pub(super) fn lie(&self) {
        self.layer.state().lies = true;
    }

    /// Lets calls fail from now on, counted anew; `None` ends it.
    pub(super) fn plan(&self, plan: Option<Plan>) {
        let mut state = self.layer.state();
        (state.plan, state.calls, state.struck) = (plan, 0, 0);
    }

    /// How many calls failed since the plan was made.
    pub(super) fn struck(&self) -> u32 {
        self.layer.state().struck
    }

    /// How much has happened so far.
    pub(super) fn happened(&self) -> usize {
        self.counter()()
    }

    /// The same, for whoever cannot hold the disk.
    pub(super) fn counter(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let layer = self.layer;
        move || layer.state().log.len()
    }

    /// All that happened; begins anew.
    pub(super) fn take(&self) -> Vec<Op> {
        std::mem::take(&mut self.layer.state().log)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        layer::forget(self.vfs);
        self.take();
    }
}
