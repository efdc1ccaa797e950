//! The agent's end of the control socket: takes its place, looks who speaks, reads requests, tells events and outcomes.

use std::fs;
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::{CONVERSATIONS, Events, GRACE, Handler, IDLE, Peer, REQUEST_LIMIT, outcome};
use crate::clock::Clock;
use crate::problem::{
    AGENT_BUSY, AGENT_REFUSED, AGENT_REQUEST, AGENT_RUNNING, AGENT_SLOW, AGENT_SOCKET, Problem, Result,
};

/// How long to wait after the system could not hand over a connection (too many open files).
const PAUSE: Duration = Duration::from_millis(100);

/// The agent's end of the socket.
pub struct Server {
    listener: UnixListener,
    place: Place,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Arc<dyn Handler>,
    clock: Arc<dyn Clock>,
    /// The user as which this agent runs.
    own: u32,
}

impl Server {
    /// Listens at `path`, in an existing folder. A socket that a killed agent left behind is replaced, one at which an
    /// agent answers is not. The caller holds the lock of the data directory, so no other agent comes in between. Needs
    /// the runtime.
    pub fn bind(path: &Path, handler: Arc<dyn Handler>, clock: Arc<dyn Clock>) -> Result<Self> {
        make_way(path)?;
        let unusable = |error: io::Error| AGENT_SOCKET.with(format_args!("{} ({})", path.display(), error.kind()));
        let listener = UnixListener::bind(path).map_err(unusable)?;
        let place = Place::of(path).map_err(unusable)?;
        // The folder's group may connect, so that its members are told why they may not command.
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(unusable)?;
        let own = rustix::process::geteuid().as_raw();
        Ok(Self { listener, place, shared: Arc::new(Shared { handler, clock, own }) })
    }

    /// Answers until `stop`; then nobody new is heard, and what is under way gets [`GRACE`] to end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self { listener, place, shared } = self;
        let rooms = Arc::new(Semaphore::new(CONVERSATIONS));
        let mut talks = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                _ = talks.join_next(), if !talks.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((mut stream, _)) = accepted else {
                shared.clock.sleep(PAUSE).await;
                continue;
            };
            let admitted = shared.admit(&stream).and_then(|peer| match rooms.clone().try_acquire_owned() {
                Ok(room) => Ok((peer, room)),
                Err(_) => Err(AGENT_BUSY.with(format_args!("{CONVERSATIONS} conversations"))),
            });
            match admitted {
                Ok((peer, room)) => {
                    let shared = shared.clone();
                    talks.spawn(async move {
                        shared.talk(&mut stream, peer).await;
                        drop(room);
                    });
                }
                Err(problem) => refuse(stream, problem),
            }
        }
        drop(place);
        drop(listener);
        tokio::select! {
            () = async { while talks.join_next().await.is_some() {} } => {}
            () = shared.clock.sleep(GRACE) => {}
        }
    }
}

/// Says why not, if it can be said without waiting, and hangs up. Nothing that the peer sent is read.
fn refuse(stream: UnixStream, problem: Problem) {
    tracing::warn!(code = problem.code(), "{problem}");
    // Straight to the system, which does not wait either: the runtime has not yet asked whether it may be written to.
    drop(stream.into_std().and_then(|mut stream| stream.write(&text(outcome(Err(problem))))));
}

fn text(value: Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Why a conversation ends.
enum End {
    /// The client has gone, or does not take its answer.
    Gone,
    /// What is said to the client as the last thing.
    Refused(Problem),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Shared {
    /// Who speaks, if it is somebody who may.
    fn admit(&self, stream: &UnixStream) -> Result<Peer> {
        let credentials = stream.peer_cred().map_err(|error| AGENT_REFUSED.with(error.kind()))?;
        let peer = Peer { uid: credentials.uid(), pid: credentials.pid() };
        if peer.may_command(self.own) { Ok(peer) } else { Err(AGENT_REFUSED.with(format_args!("user {}", peer.uid))) }
    }

    /// One request after the other until the client hangs up.
    async fn talk(&self, stream: &mut UnixStream, peer: Peer) {
        let mut input = Input::new();
        loop {
            let end = match self.turn(stream, &mut input, peer).await {
                Ok(()) => continue,
                Err(end) => end,
            };
            if let End::Refused(problem) = end {
                tracing::warn!(code = problem.code(), uid = peer.uid, "{problem}");
                // The last words; if they do not arrive, nobody is there to hear.
                drop(self.write(stream, outcome(Err(problem))).await);
            }
            return;
        }
    }

    /// One request and its answer.
    async fn turn(&self, stream: &mut UnixStream, input: &mut Input, peer: Peer) -> Result<(), End> {
        let request = tokio::select! {
            request = input.request(stream) => request?,
            () = self.clock.sleep(IDLE) => {
                return Err(if input.is_empty() { End::Gone } else { End::Refused(AGENT_SLOW.plain()) });
            }
        };
        let (events, mut told) = Events::channel();
        let (finish, mut finished) = oneshot::channel::<()>();
        let answering = async {
            let outcome = self.handler.handle(request, peer, events).await;
            drop(finish);
            outcome
        };
        let telling = async {
            let mut heard = Ok(());
            let mut open = true;
            loop {
                let event = tokio::select! {
                    biased;
                    // A handler may have left its `Events` with somebody else: what is told from now on is not sent.
                    _ = &mut finished, if open => {
                        open = false;
                        told.close();
                        continue;
                    }
                    event = told.recv() => event,
                };
                let Some(event) = event else { return heard };
                if heard.is_ok() {
                    heard = self.write(stream, serde_json::json!({ "event": event })).await;
                }
            }
        };
        let (answer, heard) = tokio::join!(answering, telling);
        heard?;
        Ok(self.write(stream, outcome(answer)).await?)
    }

    /// Sends one line, to a client that takes it.
    async fn write(&self, stream: &mut UnixStream, value: Value) -> io::Result<()> {
        let line = text(value);
        tokio::select! {
            written = stream.write_all(&line) => written,
            () = self.clock.sleep(IDLE) => Err(ErrorKind::TimedOut.into()),
        }
    }
}

/// What has been read and not yet understood. The buffer never moves, so that wiping it leaves no copy.
struct Input {
    room: Zeroizing<Vec<u8>>,
    filled: usize,
}

impl Input {
    fn new() -> Self {
        Self { room: Zeroizing::new(vec![0; REQUEST_LIMIT]), filled: 0 }
    }

    fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The next request, once its line is whole. Dropping the future loses nothing.
    async fn request(&mut self, stream: &mut UnixStream) -> Result<Value, End> {
        loop {
            if let Some(end) = self.room[..self.filled].iter().position(|&byte| byte == b'\n') {
                // The parser's own words are not passed on: they could quote.
                let request = serde_json::from_slice(&self.room[..end]);
                self.take(end + 1);
                return request.map_err(|_| End::Refused(AGENT_REQUEST.with("it is not JSON")));
            }
            if self.filled == REQUEST_LIMIT {
                return Err(End::Refused(AGENT_REQUEST.with(format_args!("longer than {REQUEST_LIMIT} bytes"))));
            }
            match stream.read(&mut self.room[self.filled..]).await? {
                0 => return Err(End::Gone),
                count => self.filled += count,
            }
        }
    }

    /// Removes and wipes what was understood.
    fn take(&mut self, count: usize) {
        self.room.copy_within(count..self.filled, 0);
        self.room[self.filled - count..self.filled].fill(0);
        self.filled -= count;
    }
}

/// The socket's name in its folder, taken away when the server goes, if it is still the server's own.
struct Place {
    path: PathBuf,
    /// Device and inode: what the name stands for.
    file: (u64, u64),
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: identity(path)? })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.file) {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a socket that nobody listens at. Everything else in its place is left and named.
fn make_way(path: &Path) -> Result<()> {
    let unusable = |why: &dyn std::fmt::Display| AGENT_SOCKET.with(format_args!("{} ({why})", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(&error.kind())),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(unusable(&"not a socket")),
        Ok(_) => {}
    }
    match Probe::connect(path) {
        Ok(_) => Err(AGENT_RUNNING.with(path.display())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| unusable(&error.kind()))
        }
        Err(error) => Err(unusable(&error.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_read_is_wiped_as_soon_as_it_is_understood() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"{\"secret\":\"canary\"}\n\"canary two\"\n[").await.unwrap();
        let mut input = Input::new();
        let next = async |input: &mut Input, ours: &mut UnixStream| input.request(ours).await.ok();
        assert_eq!(next(&mut input, &mut ours).await, Some(serde_json::json!({ "secret": "canary" })));
        assert_eq!(next(&mut input, &mut ours).await, Some(serde_json::json!("canary two")));
        let left: Vec<u8> = input.room.iter().copied().filter(|&byte| byte != 0).collect();
        assert_eq!((left.as_slice(), input.filled), (b"[".as_slice(), 1));
    }
}
