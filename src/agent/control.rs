//! How the command line speaks to the running agent: JSON lines over a local socket. Transport only: it knows who may
//! speak, how long a line may be and how an answer looks, not what can be asked.
//!
//! A conversation: the client sends one line, a request; the agent sends any number of `{"event":…}` and then one
//! `{"ok":…}` or `{"problem":{"code":…,"detail":…}}`; then the next request may follow. A request may hold a key, so its
//! bytes are wiped and never logged, not even when they cannot be read. Answers and events hold no secrets.

#[cfg(unix)]
mod client;
#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod server;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

#[cfg(unix)]
pub use self::client::Client;
#[cfg(not(unix))]
pub use self::elsewhere::{Client, Server};
#[cfg(unix)]
pub use self::server::Server;

use crate::clock::BoxFuture;
use crate::problem::{self, AGENT_ANSWER, Problem, Result};

/// The longest request in bytes, with the end of its line.
pub const REQUEST_LIMIT: usize = 64 * 1024;
/// The longest line that a client takes from an agent, in bytes.
pub const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// How many conversations are held at a time.
pub const CONVERSATIONS: usize = 16;
/// How long the agent waits for a whole request, and for a client that does not take its answer.
pub const IDLE: Duration = Duration::from_secs(30);
/// How long requests under way may go on when the agent stops.
pub const GRACE: Duration = Duration::from_secs(2);
/// How many events wait for a slow client before further ones are left out.
const EVENTS: usize = 64;

/// Who speaks, as the kernel says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The user's number at the time of connecting.
    pub uid: u32,
    /// The process, where the system tells it.
    pub pid: Option<i32>,
}

impl Peer {
    /// Whether the peer may command an agent that runs as the user `own`. Readers of the store may not: they can reach
    /// the socket with their group, and are refused here before anything of theirs is read.
    pub fn may_command(self, own: u32) -> bool {
        self.uid == 0 || self.uid == own
    }
}

/// What does what is asked.
pub trait Handler: Send + Sync {
    /// Does it and answers. It is carried to its end even when the client goes away; only the agent's stop ends it early.
    fn handle<'a>(&'a self, request: Value, peer: Peer, events: Events) -> BoxFuture<'a, Result<Value>>;
}

/// Where a handler tells its progress.
#[derive(Debug, Clone)]
pub struct Events(mpsc::Sender<Value>);

impl Events {
    /// Events that arrive in the returned channel: how a handler is run without a socket.
    pub fn channel() -> (Self, mpsc::Receiver<Value>) {
        let (sender, receiver) = mpsc::channel(EVENTS);
        (Self(sender), receiver)
    }

    /// Tells one step of progress. Never waits: when the client is slower than the work, steps are left out.
    pub fn send(&self, event: Value) {
        drop(self.0.try_send(event));
    }
}

/// The line that ends an answer.
fn outcome(outcome: Result<Value>) -> Value {
    match outcome {
        Ok(value) => json!({ "ok": value }),
        Err(problem) => json!({ "problem": { "code": problem.code(), "detail": problem.detail() } }),
    }
}

/// A line from the agent.
enum Told {
    Event(Value),
    Outcome(Result<Value>),
}

/// Reads a line from the agent. The other way round than [`outcome`].
fn told(line: &[u8]) -> Result<Told> {
    let malformed = || AGENT_ANSWER.with("it is not in the form that was agreed");
    let line: Value = serde_json::from_slice(line).map_err(|_| malformed())?;
    let Value::Object(mut line) = line else { return Err(malformed()) };
    if let Some(event) = line.remove("event") {
        return Ok(Told::Event(event));
    }
    if let Some(value) = line.remove("ok") {
        return Ok(Told::Outcome(Ok(value)));
    }
    let text = |name: &str| line.get("problem")?.get(name)?.as_str();
    match (text("code"), text("detail")) {
        (Some(code), Some(detail)) => Ok(Told::Outcome(Err(rebuilt(code, detail)))),
        _ => Err(malformed()),
    }
}

/// The problem that was met on the other side.
fn rebuilt(code: &str, detail: &str) -> Problem {
    match problem::find(code) {
        Some(entry) => entry.with(detail),
        None => AGENT_ANSWER.with(format_args!("it tells of a problem that is unknown here, {code}: {detail}")),
    }
}
