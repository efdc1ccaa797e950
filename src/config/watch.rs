//! Watches the configuration file and hands on what becomes of it. An event of the file system is only a hint; the file
//! itself is the truth, by the hash of its content. What is handed on last stays in force: a refusal changes nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Notify, mpsc, oneshot};

use super::settle::{Settler, Verdict};
use super::{Config, Hash, Look, judge, look};
use crate::clock::Clock;
use crate::problem::{CONFIG_UNWATCHED, Problem};

/// What became of the file.
#[derive(Debug, Clone)]
pub enum Reload {
    /// It holds a valid configuration that was not in force: this one.
    New(Arc<Config>),
    /// It holds what is in force. Sent only after a refusal (the problem is over); answered to who asks.
    Same,
    /// It holds nothing that can be used; what is in force stays.
    Refused {
        /// Why.
        problem: Problem,
        /// Which text it was, where there was one.
        hash: Option<Hash>,
    },
}

/// The running watcher; it ends when this or the receiver is dropped.
#[derive(Debug)]
pub struct Watcher {
    pokes: mpsc::Sender<oneshot::Sender<Reload>>,
}

/// Outcomes that may wait for the receiver. More cannot be new to it.
const WAITING: usize = 16;

impl Watcher {
    /// Watches `path`, whose content `in_force` is what runs now. Must be called within a runtime.
    pub fn start(path: PathBuf, in_force: Hash, clock: Arc<dyn Clock>) -> (Self, mpsc::Receiver<Reload>) {
        let (pokes, asked) = mpsc::channel(1);
        let (out, reloads) = mpsc::channel(WAITING);
        let settler = Settler::new(clock.mono(), in_force);
        let ears = Ears::new();
        let task = Task { path, clock, settler, hints: ears.hints.clone(), ears: Some(ears), asked, out };
        tokio::spawn(task.run());
        (Self { pokes }, reloads)
    }

    /// Looks at the file now, and answers with what became of it; a [`Reload::New`] has been sent to the receiver before.
    /// `None` when the watcher has ended.
    pub async fn poke(&self) -> Option<Reload> {
        let (answer, outcome) = oneshot::channel();
        self.pokes.send(answer).await.ok()?;
        outcome.await.ok()
    }
}

/// The watching task's parts.
struct Task {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    settler: Settler,
    hints: Arc<Notify>,
    /// Lent to the thread that reads.
    ears: Option<Ears>,
    asked: mpsc::Receiver<oneshot::Sender<Reload>>,
    out: mpsc::Sender<Reload>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let wait = self.settler.next_look().saturating_sub(self.clock.mono());
            let went_on = tokio::select! {
                biased;
                asked = self.asked.recv() => match asked {
                    Some(answer) => self.look(Some(answer)).await,
                    None => None,
                },
                () = self.out.closed() => None,
                () = self.hints.notified() => {
                    self.settler.hint(self.clock.mono());
                    Some(())
                }
                () = self.clock.sleep(wait) => self.look(None).await,
            };
            if went_on.is_none() {
                return;
            }
        }
    }

    /// One look and what follows from it; `None` when nobody listens any more.
    async fn look(&mut self, answer: Option<oneshot::Sender<Reload>>) -> Option<()> {
        let (mut ears, path) = (self.ears.take()?, self.path.clone());
        let reading = tokio::task::spawn_blocking(move || {
            // Armed before it is read, so that no change falls between the two.
            let deaf = !ears.arm(&path);
            let seen = look(&path);
            (ears, deaf, seen)
        });
        let (ears, deaf, seen) = reading.await.ok()?;
        self.ears = Some(ears);
        let verdict = self.settler.seen(self.clock.mono(), &seen, answer.is_some(), deaf);
        let outcome = match verdict {
            Verdict::Wait => return Some(()),
            Verdict::InForce | Verdict::BackInForce => Reload::Same,
            Verdict::KnownRefused | Verdict::Judge => self.judged(&seen),
        };
        if matches!(verdict, Verdict::Judge | Verdict::BackInForce) {
            self.out.send(outcome.clone()).await.ok()?;
        }
        if let Some(answer) = answer {
            // Who asked may have gone; that is no reason to stop.
            answer.send(outcome).ok();
        }
        Some(())
    }

    fn judged(&mut self, seen: &Look) -> Reload {
        match judge(seen, &self.path) {
            Ok(config) => {
                self.settler.accepted(config.hash);
                Reload::New(Arc::new(config))
            }
            Err(problem) => {
                self.settler.refused(seen);
                let hash = match seen {
                    Look::Bytes(bytes) => Some(Hash::of(bytes)),
                    _ => None,
                };
                Reload::Refused { problem, hash }
            }
        }
    }
}

/// The folders that are listened to: the one the path is in, and the one its target is in. Behind this stands the crate
/// `notify`, and nothing else of us knows it.
struct Ears {
    hints: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    armed: Vec<Folder>,
    names: Arc<Mutex<Vec<OsString>>>,
}

/// A folder and which one it is: a folder that was renamed and made anew has the same path and must be watched anew.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Ears {
    fn new() -> Self {
        let hints = Arc::new(Notify::new());
        let names = Arc::new(Mutex::new(Vec::new()));
        let (wake, watched) = (hints.clone(), names.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let names = watched.lock().unwrap_or_else(PoisonError::into_inner);
            if event.map_or(true, |event| matters(&event, &names)) {
                wake.notify_one();
            }
        });
        if watcher.is_err() {
            let code = CONFIG_UNWATCHED.code;
            tracing::warn!(code, "{}", CONFIG_UNWATCHED.title);
        }
        Self { hints, watcher: watcher.ok(), armed: Vec::new(), names }
    }

    /// Listens to the folders in which the file now is. False when one of them cannot be listened to.
    fn arm(&mut self, path: &Path) -> bool {
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let file_names = [path, &target].into_iter().filter_map(Path::file_name).map(OsString::from).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = file_names;
        let mut wanted: Vec<Folder> = [path, &target].into_iter().filter_map(folder_of).collect();
        wanted.dedup_by(|a, b| a.is_same(b));
        if let Some(watcher) = &mut self.watcher
            && wanted != self.armed
        {
            for gone in self.armed.drain(..) {
                // It may have vanished with its folder.
                watcher.unwatch(&gone.path).ok();
            }
            for folder in &wanted {
                if watcher.watch(&folder.path, RecursiveMode::NonRecursive).is_ok() {
                    self.armed.push(folder.clone());
                }
            }
        }
        !wanted.is_empty() && self.armed == wanted
    }
}

impl Folder {
    /// One folder may be spelled in two ways; watching it twice would let one end with the other.
    fn is_same(&self, other: &Self) -> bool {
        self.path == other.path || (self.identity.is_some() && self.identity == other.identity)
    }
}

fn folder_of(file: &Path) -> Option<Folder> {
    let path = match file.parent()? {
        here if here.as_os_str().is_empty() => PathBuf::from("."),
        parent => parent.to_owned(),
    };
    let about = std::fs::metadata(&path).ok()?;
    Some(Folder { path, identity: identity(&about) })
}

#[cfg(unix)]
fn identity(about: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((about.dev(), about.ino()))
}

/// Elsewhere a watched folder cannot be renamed away.
#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// Whether an event may mean that the file reads otherwise. Names are no guide where files come and go (a swapped link
/// has any name); only writing into a file of another name, such as a database beside it, is surely nothing.
fn matters(event: &notify::Event, names: &[OsString]) -> bool {
    let ours = || event.paths.iter().any(|path| path.file_name().is_none_or(|name| names.iter().any(|n| n == name)));
    match event.kind {
        _ if event.need_rescan() => true,
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Data(_)) => ours(),
        EventKind::Access(_) => false, // our own reading is one
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Flag, RenameMode};

    use super::*;

    fn event(kind: EventKind, path: &str) -> notify::Event {
        notify::Event::new(kind).add_path(PathBuf::from(path))
    }

    #[test]
    fn only_what_surely_means_nothing_is_ignored() {
        let names = [OsString::from("c.toml")];
        let matters = |kind, path| super::matters(&event(kind, path), &names);
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(matters(data, "/etc/c.toml"));
        assert!(matters(closed, "/etc/c.toml"));
        assert!(!matters(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/etc/c.toml"), "our own reading");
        assert!(!matters(data, "/etc/counterfoil.db-wal"), "a database beside it");
        assert!(!matters(closed, "/etc/counterfoil.log"));
        assert!(matters(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "/etc/..data"), "a link that was swapped");
        assert!(matters(EventKind::Create(CreateKind::Any), "/etc/x"));
        let overflow = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(super::matters(&overflow, &names), "events were lost");
    }
}
