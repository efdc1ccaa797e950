//! The configuration file watched with real files and real events: however it is replaced, exactly the right configuration
//! arrives, once. The bound on each wait is shorter than the poll, so that events alone must do it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock, SystemClock};
use counterfoil::config::{Reload, Watcher, load};
use counterfoil::problem::{CONFIG_EMPTY, CONFIG_INVALID, CONFIG_MISSING, Entry};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Far longer than anything here takes, shorter than the 30 seconds of the poll.
const BOUND: Duration = Duration::from_secs(20);

/// A valid configuration that is known by the name of its one connection.
fn text(name: &str) -> String {
    format!("[connections.{name}]\nprovider = \"stripe\"\n")
}

/// The machine's clock, which tells how long each wait is meant to be.
struct Telling(SystemClock, UnboundedSender<Duration>);

impl Clock for Telling {
    fn wall_ms(&self) -> i64 {
        self.0.wall_ms()
    }
    fn mono(&self) -> Duration {
        self.0.mono()
    }
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.1.send(span).ok();
        self.0.sleep(span)
    }
}

/// A watched file.
struct Watched {
    folder: TempDir,
    path: PathBuf,
    clock: SystemClock,
    waits: UnboundedReceiver<Duration>,
    watcher: Watcher,
    reloads: Receiver<Reload>,
}

/// Watches `c.toml` in a new folder, which `lay` has put there as connection `a`. Returns when the watch is armed.
async fn watch(lay: impl FnOnce(&Path, &Path)) -> Watched {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    lay(folder.path(), &path);
    watch_file(folder, path).await
}

async fn watch_file(folder: TempDir, path: PathBuf) -> Watched {
    let (tell, waits) = unbounded_channel();
    let clock = SystemClock::new();
    let in_force = load(&path).unwrap().hash;
    let (watcher, reloads) = Watcher::start(path.clone(), in_force, Arc::new(Telling(clock.clone(), tell)));
    let mut watched = Watched { folder, path, clock, waits, watcher, reloads };
    watched.expect_settled().await;
    watched
}

async fn plain() -> Watched {
    watch(|_, path| fs::write(path, text("a")).unwrap()).await
}

async fn bounded<T>(what: impl Future<Output = T>) -> T {
    tokio::select! {
        got = what => got,
        () = SystemClock::new().sleep(BOUND) => panic!("nothing came in {BOUND:?}"),
    }
}

impl Watched {
    async fn next(&mut self) -> Reload {
        bounded(self.reloads.recv()).await.unwrap()
    }

    async fn poke(&self) -> Reload {
        bounded(self.watcher.poke()).await.unwrap()
    }

    /// The next outcome is a configuration with this one connection.
    async fn expect_new(&mut self, name: &str) {
        match self.next().await {
            Reload::New(config) => assert_eq!(config.connections.keys().collect::<Vec<_>>(), [name]),
            other => panic!("expected {name}, got {other:?}"),
        }
    }

    async fn expect_refused(&mut self, entry: &'static Entry) {
        match self.next().await {
            Reload::Refused { problem, .. } => assert_eq!(problem.code(), entry.code),
            other => panic!("expected {}, got {other:?}", entry.code),
        }
    }

    async fn expect_same(&mut self) {
        assert!(matches!(self.next().await, Reload::Same));
    }

    /// A look now finds what is in force, nothing else was told, and the folders are listened to: the watcher waits for
    /// longer than it would if it had to look by itself.
    async fn expect_settled(&mut self) {
        while self.waits.try_recv().is_ok() {}
        assert!(matches!(self.poke().await, Reload::Same));
        assert!(self.reloads.try_recv().is_err());
        bounded(async { while self.waits.recv().await.unwrap() < BOUND {} }).await;
    }
}

/// As careful programs write: a new file, moved over the old one.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn a_write_in_place() {
    let mut watched = plain().await;
    fs::write(&watched.path, text("b")).unwrap();
    watched.expect_new("b").await;
    fs::write(&watched.path, text("c")).unwrap();
    watched.expect_new("c").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn an_atomic_replacement() {
    let mut watched = plain().await;
    replace(&watched.path, &text("b"));
    watched.expect_new("b").await;
    replace(&watched.path, &text("c"));
    watched.expect_new("c").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn an_editor_that_moves_the_old_file_away_first() {
    let mut watched = plain().await;
    let backup = watched.path.with_extension("toml~");
    fs::rename(&watched.path, &backup).unwrap();
    assert!(!watched.path.exists(), "for a moment there is no file");
    fs::write(&watched.path, text("b")).unwrap();
    fs::remove_file(backup).unwrap();
    watched.expect_new("b").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn many_writes_are_one_change() {
    let mut watched = plain().await;
    for n in 0..50 {
        replace(&watched.path, &text(&format!("b{n}")));
    }
    watched.expect_new("b49").await;
    watched.expect_settled().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_is_swapped_above_the_file() {
    use std::os::unix::fs::symlink;
    // As Kubernetes mounts a ConfigMap: c.toml -> ..data/c.toml, ..data -> ..1; events name only ..data.
    let generation = |folder: &Path, n: u32, name: &str| {
        let own = folder.join(format!("..{n}"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("c.toml"), text(name)).unwrap();
        symlink(format!("..{n}"), folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    let mut watched = watch(|folder, path| {
        generation(folder, 1, "a");
        symlink("..data/c.toml", path).unwrap();
    })
    .await;
    for (n, name) in [(2, "b"), (3, "c")] {
        generation(watched.folder.path(), n, name);
        fs::remove_dir_all(watched.folder.path().join(format!("..{}", n - 1))).unwrap();
        watched.expect_new(name).await;
    }
    watched.expect_settled().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_into_another_folder() {
    use std::os::unix::fs::symlink;
    let mut watched = watch(|folder, path| {
        for other in ["one", "two"] {
            fs::create_dir(folder.join(other)).unwrap();
        }
        fs::write(folder.join("one/real.toml"), text("a")).unwrap();
        symlink("one/real.toml", path).unwrap();
    })
    .await;
    let other = |name: &str| watched.folder.path().join(name);
    let (one, two, link) = (other("one/real.toml"), other("two/real.toml"), other("link"));
    fs::write(&one, text("b")).unwrap();
    watched.expect_new("b").await;
    // The link is turned elsewhere; from then on the new target is watched.
    fs::write(&two, text("c")).unwrap();
    symlink("two/real.toml", &link).unwrap();
    fs::rename(&link, &watched.path).unwrap();
    watched.expect_new("c").await;
    replace(&two, &text("d"));
    watched.expect_new("d").await;
    watched.expect_settled().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_change_that_nothing_announces_is_found_by_the_poll() {
    use std::os::unix::fs::symlink;
    // The middle one of two links, in a folder that is neither the path's nor the target's.
    let mut watched = watch(|folder, path| {
        for other in ["middle", "one", "two"] {
            fs::create_dir(folder.join(other)).unwrap();
        }
        fs::write(folder.join("one/c.toml"), text("a")).unwrap();
        fs::write(folder.join("two/c.toml"), text("b")).unwrap();
        symlink("../one/c.toml", folder.join("middle/c.toml")).unwrap();
        symlink("middle/c.toml", path).unwrap();
    })
    .await;
    let middle = watched.folder.path().join("middle");
    symlink("../two/c.toml", middle.join("new")).unwrap();
    fs::rename(middle.join("new"), middle.join("c.toml")).unwrap();
    watched.clock.advance(Duration::from_secs(30));
    watched.expect_new("b").await;
    fs::write(watched.folder.path().join("two/c.toml"), text("c")).unwrap();
    watched.expect_new("c").await;
    watched.expect_settled().await;
}

/// A watched file in a folder `etc` that can itself be moved.
async fn in_a_folder() -> Watched {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("etc/c.toml");
    fs::create_dir(outer.path().join("etc")).unwrap();
    fs::write(&path, text("a")).unwrap();
    watch_file(outer, path).await
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_replaced() {
    let mut watched = in_a_folder().await;
    let (etc, old) = (watched.folder.path().join("etc"), watched.folder.path().join("old"));
    fs::rename(&etc, old).unwrap();
    fs::create_dir(&etc).unwrap();
    fs::write(&watched.path, text("b")).unwrap();
    watched.expect_new("b").await;
    // The path is the same, the folder is another: it must be the one that is listened to.
    replace(&watched.path, &text("c"));
    watched.expect_new("c").await;
    watched.expect_settled().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_goes_and_comes_back() {
    let mut watched = in_a_folder().await;
    let (etc, old) = (watched.folder.path().join("etc"), watched.folder.path().join("old"));
    fs::rename(&etc, &old).unwrap();
    watched.expect_refused(&CONFIG_MISSING).await;
    fs::rename(&old, &etc).unwrap();
    watched.expect_same().await;
    replace(&watched.path, &text("b"));
    watched.expect_new("b").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn a_file_that_is_deleted_and_comes_back() {
    let mut watched = plain().await;
    fs::remove_file(&watched.path).unwrap();
    watched.expect_refused(&CONFIG_MISSING).await;
    fs::write(&watched.path, text("a")).unwrap();
    watched.expect_same().await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn an_empty_file_changes_nothing() {
    let mut watched = plain().await;
    fs::write(&watched.path, "").unwrap();
    watched.expect_refused(&CONFIG_EMPTY).await;
    fs::write(&watched.path, text("b")).unwrap();
    watched.expect_new("b").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn a_file_that_is_emptied_and_written_is_only_written() {
    let mut watched = plain().await;
    fs::write(&watched.path, "").unwrap();
    // A wait longer than the quiet time and shorter than the poll: the emptiness was seen, and has its grace.
    let grace = Duration::from_millis(300)..Duration::from_secs(3);
    while !grace.contains(&bounded(watched.waits.recv()).await.unwrap()) {}
    assert!(watched.reloads.try_recv().is_err());
    fs::write(&watched.path, text("b")).unwrap();
    watched.expect_new("b").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn touching_is_no_change() {
    let mut watched = plain().await;
    let now = std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(watched.clock.wall_ms()).unwrap());
    fs::File::options().append(true).open(&watched.path).unwrap().set_modified(now).unwrap();
    replace(&watched.path, &text("a"));
    fs::write(&watched.path, text("a")).unwrap();
    watched.expect_settled().await;
    fs::write(&watched.path, text("b")).unwrap();
    watched.expect_new("b").await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn an_invalid_file_is_told_once_and_changes_nothing() {
    let mut watched = plain().await;
    let broken = "[log]\nlvl = 1\n";
    fs::write(&watched.path, broken).unwrap();
    let Reload::Refused { problem, hash } = watched.next().await else { panic!() };
    assert!(problem.is(&CONFIG_INVALID) && problem.detail().contains("line 2, column 1: unknown key `lvl`"));
    assert_eq!(hash.unwrap(), counterfoil::config::Hash::of(broken.as_bytes()));
    // Who asks is told again; the receiver is not.
    assert!(matches!(watched.poke().await, Reload::Refused { .. }));
    assert!(watched.reloads.try_recv().is_err());
    // Put back as it was, the problem is over.
    replace(&watched.path, &text("a"));
    watched.expect_same().await;
    watched.expect_settled().await;
}

#[tokio::test]
async fn who_asks_is_answered_without_waiting() {
    let mut watched = plain().await;
    fs::write(&watched.path, text("b")).unwrap();
    let Reload::New(answered) = watched.poke().await else { panic!() };
    let Reload::New(sent) = watched.reloads.try_recv().unwrap() else { panic!("it was sent before the answer") };
    assert_eq!((answered.hash, sent.hash), (sent.hash, load(&watched.path).unwrap().hash));
    fs::remove_file(&watched.path).unwrap();
    assert!(matches!(watched.poke().await, Reload::Refused { problem, .. } if problem.is(&CONFIG_MISSING)));
    watched.expect_refused(&CONFIG_MISSING).await;
    assert!(matches!(watched.poke().await, Reload::Refused { .. }));
    assert!(watched.reloads.try_recv().is_err());
}

#[tokio::test]
async fn what_changed_before_the_watch_began_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    fs::write(&path, text("a")).unwrap();
    let in_force = load(&path).unwrap().hash;
    fs::write(&path, text("b")).unwrap();
    let (_watcher, mut reloads) = Watcher::start(path, in_force, Arc::new(SystemClock::new()));
    let Some(Reload::New(config)) = bounded(reloads.recv()).await else { panic!() };
    assert!(config.connections.contains_key("b"));
}

#[tokio::test]
async fn the_watch_ends_with_either_side() {
    let Watched { watcher, mut reloads, .. } = plain().await;
    drop(watcher);
    assert!(bounded(reloads.recv()).await.is_none());

    let Watched { watcher, reloads, folder, .. } = plain().await;
    drop(reloads);
    fs::write(folder.path().join("c.toml"), text("b")).unwrap();
    // The task has seen that nobody listens, or sees it when it has something to tell.
    while bounded(watcher.poke()).await.is_some() {}
}

/// A broken file in the place of a good one, asked for at once; what came into force. The bug is planted on this thread.
#[cfg(debug_assertions)]
pub(crate) fn a_broken_file(planted: Option<&'static str>) -> Vec<String> {
    counterfoil::testpoint::plant(planted);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let watched = plain().await;
        fs::write(&watched.path, "[connections.b]\nprovider = \"stripe\"\nstart = yesterday\n").unwrap();
        watched.poke().await
    });
    counterfoil::testpoint::plant(None);
    match answer {
        Reload::Refused { .. } => Vec::new(),
        Reload::New(config) => vec![format!("in force with {} connections", config.connections.len())],
        Reload::Same => vec!["not looked at".to_owned()],
    }
}
