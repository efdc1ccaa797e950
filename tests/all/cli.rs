//! Golden command files: each file in `tests/cli` is a story of commands to the real program, with what it is given and what
//! it must say. `UPDATE=1` writes down what it says now. Whatever differs from machine to machine has a name in brackets.

mod varying;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock, SystemClock};
use counterfoil::sandbox::{CHECKOUT_KEY, Fault, Options, STRIPE_KEY, Sandbox};
use counterfoil::store::Lock;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    /// What it shows.
    about: String,
    step: Vec<Step>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Why this step is there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    why: String,
    /// Files to write before it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, String>,
    /// A shell command to run in the folder before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shell: Option<String>,
    /// SQL to run on the store before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sql: Option<String>,
    /// What the sandbox does wrong during it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    faults: Vec<toml::Value>,
    /// Another program holds the writer's lock during it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    locked: bool,
    /// Only so many lines of what it says are of interest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<usize>,
    args: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin: Option<String>,
    status: i32,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
}

/// The sandbox's time: always the same, so that what is read is always the same.
struct Noon(SystemClock);

impl Clock for Noon {
    fn wall_ms(&self) -> i64 {
        1_718_452_800_000 // 2024-06-15 12:00 UTC
    }
    fn mono(&self) -> Duration {
        self.0.mono()
    }
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(span)
    }
}

/// An address at which nobody listens, and what keeps others from it.
#[cfg(unix)]
fn closed() -> (impl Sized, std::net::SocketAddr) {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = getsockname(&held).unwrap().try_into().unwrap();
    (held, address)
}

/// The same, with nothing that keeps others from it.
#[cfg(not(unix))]
fn closed() -> ((), std::net::SocketAddr) {
    ((), TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn play(path: &Path) {
    let mut story: Story = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(Arc::new(Noon(SystemClock::new())));
    (options.charges, options.payments, options.days) = (300, 120, 10);
    let sandbox = Sandbox::start(options).unwrap();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let closed = closed();
    let names = [
        ("[FOLDER]", folder.path().to_string_lossy().into_owned()),
        ("[STRIPE]", sandbox.stripe_url()),
        ("[CHECKOUT]", sandbox.checkout_url()),
        ("[STRANGER]", format!("http://{}", stranger.local_addr().unwrap())),
        ("[CLOSED]", format!("http://{}", closed.1)),
        ("[STRIPE_KEY]", STRIPE_KEY.to_owned()),
        ("[CHECKOUT_KEY]", CHECKOUT_KEY.to_owned()),
    ];
    let real = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let named = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        varying::masked(&names.iter().fold(text, |text, (name, value)| text.replace(value, name)))
    };
    for (at, step) in story.step.iter_mut().enumerate() {
        for (name, text) in &step.files {
            std::fs::write(folder.path().join(name), real(text)).unwrap();
        }
        if let Some(script) = &step.shell {
            assert!(Command::new("sh").args(["-ec", script]).current_dir(&folder).status().unwrap().success());
        }
        if let Some(sql) = &step.sql {
            #[allow(clippy::disallowed_methods)] // from outside, as nobody should
            let store = rusqlite::Connection::open(folder.path().join("counterfoil.db")).unwrap();
            store.execute_batch(sql).unwrap();
        }
        sandbox.set_faults(step.faults.iter().map(|fault| fault.clone().try_into::<Fault>().unwrap()).collect());
        let lock = step.locked.then(|| Lock::take(&folder.path().join("lock")).unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_counterfoil"))
            .args(["--data-dir", &real("[FOLDER]")])
            .args(step.args.iter().map(|arg| real(arg)))
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(real(step.stdin.as_deref().unwrap_or("")).as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        if lock.is_some() {
            drop(lock);
            crate::until_free(&folder.path().join("lock"));
        }
        let mut said = (output.status.code().unwrap_or(-1), named(&output.stdout), named(&output.stderr));
        if let Some(lines) = step.lines {
            said.1 = said.1.split_inclusive('\n').take(lines).collect();
        }
        let never = [STRIPE_KEY, CHECKOUT_KEY, "[STRIPE_KEY]", "[CHECKOUT_KEY]"];
        let tells = step.args[0] == "sandbox";
        assert!(tells || !never.iter().any(|key| said.1.contains(key) || said.2.contains(key)), "a key was shown");
        if std::env::var_os("UPDATE").is_none() {
            let wanted = (step.status, step.stdout.clone(), step.stderr.clone());
            assert_eq!(said, wanted, "{}, step {}: {:?}", path.display(), at + 1, step.args);
        }
        (step.status, step.stdout, step.stderr) = said;
    }
    assert!(stranger.accept().is_err(), "an address that no key was set for was spoken to");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, toml::to_string_pretty(&story).unwrap()).unwrap();
    }
}

macro_rules! stories {
    ($($name:ident)*) => {
        $(#[test] fn $name() { play(&stories_folder().join(concat!(stringify!($name), ".toml"))); })*
        const STORIES: &[&str] = &[$(stringify!($name)),*];
    };
}

stories! { address asked configuration egress init keys program provider query reading store verify }

fn stories_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli")
}

#[test]
fn every_story_is_told_and_every_exit_code_is_met() {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(stories_folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(STORIES.contains(&path.file_stem().unwrap().to_str().unwrap()), "{} is not told", path.display());
        let story: Story = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        codes.extend(story.step.iter().map(|step| step.status));
    }
    assert_eq!(codes, BTreeSet::from([0, 1, 2, 3, 4, 5]));
}
