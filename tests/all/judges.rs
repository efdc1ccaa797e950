//! Judges that nobody here wrote: the providers' official SDKs read our sandbox and must see what it holds, and Prism
//! holds every request of the real binary against the published schemas. They run where `COUNTERFOIL_JUDGES` names the
//! folder with their `venv` and `node_modules`, which `.ci/run` makes; elsewhere they are skipped, aloud. All of it stays
//! on loopback.

mod prism;
mod sdks;

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The folder with the judges; without one says, past the capture of test output, what is skipped.
fn judges(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("COUNTERFOIL_JUDGES").map(PathBuf::from);
    if folder.is_none() {
        crate::skip::skipped(format_args!("judges ({what}): COUNTERFOIL_JUDGES names no folder with them"));
    }
    folder
}

/// The folder with the providers' published shapes.
fn shapes(what: &str) -> Option<PathBuf> {
    let named = std::env::var_os("COUNTERFOIL_SHARED").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("psp");
    if folder.is_dir() {
        return Some(folder);
    }
    crate::skip::skipped(format_args!("judges ({what}): COUNTERFOIL_SHARED names no folder with psp/"));
    None
}

/// A judge's command: no environment but what finding programs needs, so that no key of this machine reaches an SDK.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for kept in ["PATH", "HOME", "LD_LIBRARY_PATH", "COUNTERFOIL_JUDGES"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// A child that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs a command to its end, within `seconds`: whether it succeeded, what it printed, what it complained of.
fn finish(command: &mut Command, seconds: u64) -> (bool, String, String) {
    let mut child = Running(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
    let (out, told) = (drain(child.0.stdout.take().unwrap()), drain(child.0.stderr.take().unwrap()));
    let limit = Duration::from_secs(seconds);
    let text = out.recv_timeout(limit).unwrap_or_else(|_| panic!("{command:?}: not done within {seconds} s"));
    let complaint = told.recv_timeout(limit).unwrap();
    (child.0.wait().unwrap().success(), text, complaint)
}

/// All that a pipe brings, once it has ended.
fn drain(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        // The test may have given up waiting.
        drop(tell.send(text));
    });
    told
}
