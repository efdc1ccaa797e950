//! What the service manager hears, and what it can ask: a program of its own under a manager that writes everything down.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::SystemClock;
use counterfoil::service::notify::{Manager, Watch};
use counterfoil::service::signals::{Signal, Signals};
use rustix::process::{Pid, Signal as Number, kill_process};

/// Set in the program under the manager.
const INSIDE: &str = "COUNTERFOIL_TEST_UNDER_MANAGER";
const SECOND: Duration = Duration::from_secs(1);

/// The manager: it watches with a limit of 30 seconds.
struct Managing {
    socket: UnixDatagram,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Managing {
    fn start(test: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(SECOND * 20)).unwrap();
        let module = module_path!().split_once("::").unwrap().1;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--exact").arg(format!("{module}::{test}")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.env(INSIDE, "1").env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "30000000").spawn();
        Self { socket, child: child.unwrap(), _folder: folder }
    }

    fn hears(&self) -> String {
        let mut room = [0; 1024];
        let length = self.socket.recv(&mut room).unwrap();
        String::from_utf8(room[..length].to_vec()).unwrap().trim_end().to_owned()
    }

    /// The first two words, whichever comes first: two threads say them.
    fn begins(&self) -> [String; 2] {
        let mut words = [self.hears(), self.hears()];
        words.sort();
        words
    }

    /// The word that it is ready; on a slow machine the words before it may have come again.
    fn is_ready(&self) -> String {
        let mut word = self.hears();
        while word.starts_with("EXTEND_TIMEOUT_USEC=") || word == "WATCHDOG=1" {
            word = self.hears();
        }
        word
    }

    fn sends(&self, number: Number) {
        kill_process(Pid::from_child(&self.child), number).unwrap();
    }
}

impl Drop for Managing {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program: each reload lets ten seconds pass; the second one comes without progress.
async fn program() {
    let (clock, manager) = (SystemClock::new(), Manager::new());
    let mut watch = Watch::new(Arc::new(clock.clone()));
    let beat = watch.part("scheduler", SECOND * 5);
    tokio::spawn(watch.run());
    let mut signals = Signals::listen().unwrap();
    let starting = manager.starting();
    assert_eq!(signals.next().await, Signal::Reload);
    drop(starting);
    manager.ready("working\nSTOPPING=1");
    for reload in 1.. {
        if signals.next().await == Signal::Stop {
            return manager.stopping("asked to");
        }
        manager.reloading();
        clock.advance(SECOND * 10);
        if reload != 2 {
            beat.beat();
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        manager.ready(&format!("reload {reload}"));
    }
}

fn run_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(program());
}

#[test]
fn the_manager_hears_of_everything_and_of_life_only_while_there_is_progress() {
    if std::env::var_os(INSIDE).is_some() {
        return run_program();
    }
    let mut manager = Managing::start("the_manager_hears_of_everything_and_of_life_only_while_there_is_progress");
    // What takes long before that is waited for.
    assert_eq!(manager.begins(), ["EXTEND_TIMEOUT_USEC=30000000\nSTATUS=starting", "WATCHDOG=1"]);
    manager.sends(Number::HUP);
    assert_eq!(manager.is_ready(), "READY=1\nSTATUS=working STOPPING=1", "words of a status begin nothing new");
    for (reload, life) in [(1, true), (2, false), (3, true)] {
        manager.sends(Number::HUP);
        let reloading = manager.hears();
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(since.parse::<u64>().unwrap() > 0, "{reloading}");
        if life {
            assert_eq!(manager.hears(), "WATCHDOG=1", "at reload {reload}");
        }
        assert_eq!(manager.hears(), format!("READY=1\nSTATUS=reload {reload}"));
    }
    manager.sends(Number::TERM);
    assert_eq!(manager.hears(), "STOPPING=1\nSTATUS=asked to");
    assert!(manager.child.wait().unwrap().success());
}

#[test]
fn an_interrupt_stops_too() {
    if std::env::var_os(INSIDE).is_some() {
        return run_program();
    }
    let mut manager = Managing::start("an_interrupt_stops_too");
    manager.begins();
    manager.sends(Number::HUP);
    assert!(manager.is_ready().starts_with("READY=1\n"));
    manager.sends(Number::INT);
    while manager.hears() != "STOPPING=1\nSTATUS=asked to" {}
    assert!(manager.child.wait().unwrap().success());
}

#[test]
fn one_late_part_is_enough() {
    let clock = SystemClock::new();
    let mut watch = Watch::new(Arc::new(clock.clone()));
    assert_eq!(watch.late(), None);
    let (scheduler, writer) = (watch.part("scheduler", SECOND * 60), watch.part("writer", SECOND * 600));
    assert_eq!(watch.late(), None);
    clock.advance(SECOND * 61);
    assert_eq!(watch.late(), Some("scheduler"));
    scheduler.beat();
    assert_eq!(watch.late(), None);
    clock.advance(SECOND * 550);
    scheduler.clone().beat();
    assert_eq!(watch.late(), Some("writer"));
    writer.beat();
    assert_eq!(watch.late(), None);
}
