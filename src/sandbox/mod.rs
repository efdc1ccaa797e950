//! Room `sandbox`: a seeded world of payments, and the provider faces that serve it on loopback. Only the command line
//! and tests use it. It shares no code with the rooms that read providers, so that it can judge them.
//!
//! Both faces also answer `GET /sandbox/now`, `POST /sandbox/advance?seconds=N` and `POST /sandbox/faults` (a JSON array
//! of [`Fault`]s that replaces the switches).

mod chance;
mod checkoutcom;
#[cfg(test)]
mod compare;
mod direct;
mod fault;
mod ids;
mod json;
mod keys;
mod query;
pub mod receiver;
mod server;
mod stripe;
mod tls;
mod truth;
mod world;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use self::direct::{CHECKOUT_URL, Direct, RECEIVER_URL, STRIPE_URL};
pub use self::fault::{FaceName, Fault, FaultKind};
pub use self::keys::Key;
pub use self::truth::{Truth, TruthStream};
pub use self::world::Plan;

use self::server::{State, lock};
use self::world::{DAY, World};
use crate::clock::Clock;
use crate::problem::{Result, SANDBOX_PORT, SANDBOX_THREAD};

/// The Stripe key that a sandbox accepts unless told otherwise: restricted, of test mode.
pub const STRIPE_KEY: &str = "rk_test_51SandboxCounterfoil0000000000000000";
/// The Checkout.com secret key that a sandbox accepts unless told otherwise.
pub const CHECKOUT_KEY: &str = "sk_sbox_counterfoilsandboxabcdefghi";

/// How a sandbox is started.
#[derive(Clone)]
pub struct Options {
    /// Drives what happens in both worlds.
    pub seed: u64,
    /// Drives ids, fingerprints and customer ids.
    pub id_seed: u64,
    /// Drives everything that tells who a person is.
    pub personal_seed: u64,
    /// Charges that the history at Stripe holds.
    pub charges: u64,
    /// Payments that the history at Checkout.com holds.
    pub payments: u64,
    /// Length of the history in days; afterwards payments go on at the same rate.
    pub days: u32,
    /// First day of the history, in days since 1970; when absent, the history ends at the last midnight (UTC).
    pub first_day: Option<u32>,
    /// Of ten thousand objects and events so many show themselves two to ten minutes late.
    pub tardy: u32,
    /// The time; [`Sandbox::advance`] goes ahead of it.
    pub clock: Arc<dyn Clock>,
    /// Ports on 127.0.0.1; 0 for any free one.
    pub stripe_port: u16,
    /// See `stripe_port`.
    pub checkout_port: u16,
    /// Speak TLS, and write the certificate authority (PEM) to this file.
    pub ca_file: Option<PathBuf>,
    /// Compress bodies for clients that accept it.
    pub gzip: bool,
    /// Keys for the Stripe face.
    pub stripe_keys: Vec<Key>,
    /// Keys for the Checkout.com face.
    pub checkout_keys: Vec<Key>,
    /// Faults from the start.
    pub faults: Vec<Fault>,
}

impl Options {
    /// A small world: 2,000 charges and 800 payments over 30 days, plain HTTP, free ports, the standard keys.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            seed: 1,
            id_seed: 1,
            personal_seed: 1,
            charges: 2_000,
            payments: 800,
            days: 30,
            first_day: None,
            tardy: 5,
            clock,
            stripe_port: 0,
            checkout_port: 0,
            ca_file: None,
            gzip: true,
            stripe_keys: vec![Key::reading_all(STRIPE_KEY)],
            checkout_keys: vec![Key::reading_all(CHECKOUT_KEY)],
            faults: Vec::new(),
        }
    }

    /// The plan of one face's world; each has payments of its own.
    fn plan(&self, face: FaceName, now: u32) -> Plan {
        let (salt, charges) = match face {
            FaceName::Stripe => (0, self.charges),
            FaceName::CheckoutCom => (0x00c0_ffee, self.payments),
        };
        Plan {
            seed: chance::hash(self.seed, salt),
            id_seed: chance::hash(self.id_seed, salt),
            personal_seed: chance::hash(self.personal_seed, salt),
            charges,
            first_day: self.first_day.unwrap_or((now / DAY).saturating_sub(self.days)),
            days: self.days,
            tardy: self.tardy,
        }
    }

    /// What all requests share; `base` is the address of the Checkout.com face.
    fn state(self, base: String) -> State {
        let now = u32::try_from(self.clock.wall_ms() / 1000).unwrap_or(0);
        let world = |face| Mutex::new(World::new(self.plan(face, now), now));
        let (stripe, checkout) = (world(FaceName::Stripe), world(FaceName::CheckoutCom));
        let state = State {
            stripe,
            checkout,
            clock: self.clock,
            ahead_ms: AtomicU64::new(0),
            stripe_keys: self.stripe_keys,
            checkout_keys: self.checkout_keys,
            switches: Mutex::default(),
            log: Mutex::default(),
            gzip: self.gzip,
            base,
            requests: AtomicU64::new(1),
        };
        lock(&state.switches).set(self.faults);
        state
    }
}

/// One request that a sandbox answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The face it was for.
    pub face: FaceName,
    /// HTTP method.
    pub method: String,
    /// Path, without query.
    pub path: String,
    /// Query, as sent.
    pub query: String,
    /// Body, as sent.
    pub body: String,
    /// Status of the answer.
    pub status: u16,
    /// When, by the sandbox's time.
    pub at_ms: i64,
}

/// A running sandbox. It stops when it is dropped.
pub struct Sandbox {
    state: Arc<State>,
    stripe: SocketAddr,
    checkout: SocketAddr,
    ca_file: Option<PathBuf>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Makes the worlds and serves them, on a thread of its own.
    pub fn start(options: Options) -> Result<Self> {
        let tls = options.ca_file.as_deref().map(tls::server_config).transpose()?;
        let (stripe, stripe_listener) = listen(options.stripe_port)?;
        let (checkout, checkout_listener) = listen(options.checkout_port)?;
        let ca_file = options.ca_file.clone();
        let base = url(ca_file.as_deref(), checkout);
        let state = Arc::new(options.state(base));
        let faces = [(FaceName::Stripe, stripe_listener), (FaceName::CheckoutCom, checkout_listener)];
        let (stop, stopped) = oneshot::channel();
        let tls = tls.map(TlsAcceptor::from);
        let thread = spawn(faces, tls, state.clone(), stopped)?;
        Ok(Self { state, stripe, checkout, ca_file, stop: Some(stop), thread: Some(thread) })
    }

    /// Base URL of the Stripe face, without a slash at the end.
    pub fn stripe_url(&self) -> String {
        url(self.ca_file(), self.stripe)
    }

    /// Base URL of the Checkout.com face, without a slash at the end.
    pub fn checkout_url(&self) -> String {
        url(self.ca_file(), self.checkout)
    }

    /// The id of the account at Stripe.
    pub fn stripe_account(&self) -> String {
        let (world, now) = self.state.world(FaceName::Stripe);
        stripe::Face { world: &world, now }.account_id()
    }

    /// The client id at Checkout.com.
    pub fn checkout_client_id(&self) -> String {
        let (world, _) = self.state.world(FaceName::CheckoutCom);
        checkoutcom::Face { world: &world, now_ms: 0, base: "", request_id: "" }.client_id()
    }

    /// Where the certificate authority lies, when the sandbox speaks TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// The sandbox's time, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.state.now_ms()
    }

    /// Lets time pass: new payments happen, old ones move on.
    pub fn advance(&self, span: Duration) {
        self.state.advance(span);
    }

    /// Replaces the fault switches.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        lock(&self.state.switches).set(faults);
    }

    /// All requests so far (the last hundred thousand), without those to the controls.
    pub fn requests(&self) -> Vec<Logged> {
        lock(&self.state.log).iter().cloned().collect()
    }

    /// What the provider holds now of a stream, made in `from..to` (unix seconds), oldest first.
    pub fn truth(&self, stream: TruthStream, from: i64, to: i64) -> Vec<Truth> {
        let (world, _) = self.state.world(stream.face());
        truth::truth(&world, stream, from, to, self.state.now_ms())
    }

    /// Ends the server. Connections are cut.
    pub fn stop(&mut self) {
        // The thread may have gone already; either way it is over.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

fn url(ca_file: Option<&Path>, address: SocketAddr) -> String {
    format!("{}://{address}", if ca_file.is_some() { "https" } else { "http" })
}

fn listen(port: u16) -> Result<(SocketAddr, TcpListener)> {
    let refused = |error: std::io::Error| SANDBOX_PORT.with(format!("127.0.0.1:{port}: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok((listener.local_addr().map_err(refused)?, listener))
}

fn spawn(
    faces: [(FaceName, TcpListener); 2],
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SANDBOX_THREAD.with(error))?;
    let mut listeners = Vec::new();
    for (face, listener) in faces {
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| SANDBOX_THREAD.with(error))?;
        listeners.push((face, listener));
    }
    let serve = move || {
        runtime.block_on(async move {
            for (face, listener) in listeners {
                tokio::spawn(server::serve(face, listener, tls.clone(), state.clone()));
            }
            // Dropping the sender is the signal; there is nothing else to receive.
            drop(stopped.await);
        });
    };
    std::thread::Builder::new().name("sandbox".to_owned()).spawn(serve).map_err(|error| SANDBOX_THREAD.with(error))
}
