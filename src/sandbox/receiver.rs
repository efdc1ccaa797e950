//! The reference receiver: the executable form of the contract upstream. It enrols installs with one-time codes, verifies
//! digest, signature and canonical form (with the guard) of every batch, stores the bytes and their cells in SQLite, and
//! answers with signed receipts. For tests it also keeps every raw request and can be told to misbehave. It follows no
//! other format, and it never asks a sender for anything.
//!
//! `POST /v1/enrolments` `{code, public_key, registry}` → 201 `{install, receiver_key, signature}` (200 when repeated).
//! `PUT /v1/installs/{install}/batches/{seq}` → 201 new, 200 same bytes, 409 other bytes or another number for the period,
//! 400 not signed as it should be, 401 unknown install or key, 413 too long, 422 not canonical. 201 and 200 carry a receipt.

mod desk;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::egress::wire::guard::MAX_BYTES;
use crate::entropy::Entropy;
use crate::problem::{RECEIVER_ADDRESS, Result};

use desk::Answer;
pub(super) use desk::Desk;

/// How a receiver is started.
pub struct ReceiverOptions {
    /// Its database; made if there is none.
    pub db: PathBuf,
    /// Where it listens; port 0 for any.
    pub addr: SocketAddr,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its chance: install names, codes and, without `seed`, its key.
    pub entropy: Arc<dyn Entropy>,
    /// Seed of its key; else the one in the database, else a new one.
    pub seed: Option<[u8; 32]>,
}

/// A running receiver; it stops when dropped.
pub struct Receiver {
    addr: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// A request exactly as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case and values, in the order of the wire for each name.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A batch that the receiver holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// Whose.
    pub install: String,
    /// Its number there.
    pub seq: i64,
    /// Its period.
    pub period: String,
    /// Exactly the bytes that were sent.
    pub bytes: Vec<u8>,
}

/// One way to misbehave, for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Do the work, then close the connection without an answer.
    DropAnswer,
    /// Do nothing and answer with this status.
    Status(u16),
    /// Do nothing and answer 429 with `Retry-After` in seconds.
    Busy(u32),
    /// Do the work, and sign the receipt with another key.
    ForgedReceipt,
    /// Do nothing and answer 307 to this server's root.
    Redirect,
}

struct State {
    desk: Mutex<Desk>,
    requests: Mutex<Vec<RawRequest>>,
    faults: Mutex<VecDeque<Fault>>,
}

impl Receiver {
    /// Opens the database, binds the address and serves on a thread of its own.
    pub fn start(options: ReceiverOptions) -> Result<Self> {
        let cannot = |error: std::io::Error| RECEIVER_ADDRESS.with(error.kind());
        let desk = Desk::open(&options.db, options.clock, options.entropy, options.seed)?;
        let listener = std::net::TcpListener::bind(options.addr).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let addr = listener.local_addr().map_err(cannot)?;
        let state = Arc::new(State { desk: Mutex::new(desk), requests: Mutex::default(), faults: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(cannot)?;
        let (stop, stopped) = watch::channel(false);
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || runtime.block_on(serve(listener, served, stopped)))
            .map_err(cannot)?;
        Ok(Self { addr, state, stop, thread: Some(thread) })
    }

    /// Its address, as a configuration names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A new one-time enrolment code.
    pub fn issue_code(&self) -> Result<String> {
        locked(&self.state.desk).issue_code()
    }

    /// Its public key.
    pub fn public_key(&self) -> [u8; 32] {
        locked(&self.state.desk).public_key()
    }

    /// What it holds, by install and number.
    pub fn batches(&self) -> Result<Vec<StoredBatch>> {
        locked(&self.state.desk).batches()
    }

    /// Every request so far, exactly as it came.
    pub fn requests(&self) -> Vec<RawRequest> {
        locked(&self.state.requests).clone()
    }

    /// Misbehaves for the next request, then for the one after with the next fault, and so on.
    pub fn misbehave(&self, faults: &[Fault]) {
        locked(&self.state.faults).extend(faults);
    }

    /// Stops serving and waits for the thread.
    pub fn stop(mut self) {
        self.end();
    }

    /// Serves until the process ends: what the verb `receiver` waits for.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was printed there.
            _ = thread.join();
        }
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was printed there.
            _ = thread.join();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: std::net::TcpListener, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let state = Arc::clone(&state);
                let service = service_fn(move |request| respond(Arc::clone(&state), request));
                let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A connection that breaks concerns its client alone.
                tokio::spawn(async move { _ = connection.await });
            }
        }
    }
}

/// An answer that is never given: hyper closes the connection.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

impl From<Infallible> for Dropped {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn respond(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BYTES).collect().await else {
        return Ok(response(&Answer::plain(413)));
    };
    let raw = RawRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect(),
        body: body.to_bytes().to_vec(),
    };
    locked(&state.requests).push(raw.clone());
    let fault = locked(&state.faults).pop_front();
    let mut desk = locked(&state.desk);
    match fault {
        None => Ok(response(&desk.answer(&raw, false))),
        Some(Fault::ForgedReceipt) => Ok(response(&desk.answer(&raw, true))),
        Some(Fault::Status(status)) => Ok(response(&Answer::plain(status))),
        Some(Fault::Busy(seconds)) => {
            Ok(response(&Answer { header: Some(("retry-after", seconds.to_string())), ..Answer::plain(429) }))
        }
        Some(Fault::Redirect) => {
            Ok(response(&Answer { header: Some(("location", "/".to_owned())), ..Answer::plain(307) }))
        }
        Some(Fault::DropAnswer) => {
            desk.answer(&raw, false);
            Err(Dropped)
        }
    }
}

fn response(answer: &Answer) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(answer.status).header("content-type", "application/json");
    if let Some((name, value)) = &answer.header {
        builder = builder.header(*name, value);
    }
    let body = Full::new(Bytes::from(answer.body.clone()));
    builder.body(body).unwrap_or_else(|_| hyper::Response::new(Full::default()))
}
