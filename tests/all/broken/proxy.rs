//! A proxy on loopback, plain or over TLS, between the product and a face of the sandbox. It makes pages small, lets
//! requests through byte for byte, and breaks the answer that its fault names. What a broken answer looks like is in
//! `kinds`; it never changes a request but for the size of its page.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::endpoints::{ENDPOINTS, Endpoint, Marked, Place, Way};
use super::kinds::Kind;

/// What follows the bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request on the same connection.
    Next,
    /// The connection ends in good order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing, until the client leaves.
    Stall,
}

/// An answer as it goes over the wire.
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
    /// A pause after each of the last bytes.
    pub(crate) drip: Option<Duration>,
}

/// A request, whole.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An honest answer, whole; header names are lower case.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One answer that is to be broken: the request, what an honest server says, and the way to ask it something else.
pub(crate) struct Exchange<'a> {
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) asked: &'a Asked,
    pub(crate) told: &'a Told,
    /// The objects that are read by their ids.
    pub(crate) marked: &'a Marked,
    upstream: &'a Mutex<Upstream>,
}

impl Exchange<'_> {
    /// What the honest server says to the same request at another target.
    pub(crate) fn instead(&self, target: &str) -> Told {
        let asked = Asked { target: target.to_owned(), ..self.asked.clone() };
        forward(&mut self.upstream.lock().unwrap(), &asked).unwrap()
    }
}

/// Which answers are broken, and how.
pub(crate) struct Fault {
    pub(crate) kind: &'static Kind,
    pub(crate) endpoints: Vec<&'static Endpoint>,
    pub(crate) place: Place,
    /// The same request is answered so again and again, not only once.
    pub(crate) lasting: bool,
    /// The request that was struck, by table: endpoints of one group are of different streams.
    struck: Mutex<BTreeMap<&'static str, String>>,
}

impl Fault {
    pub(crate) fn new(kind: &'static Kind, endpoints: Vec<&'static Endpoint>, place: Place, lasting: bool) -> Self {
        Self { kind, endpoints, place, lasting, struck: Mutex::default() }
    }

    /// The endpoints that gave the broken answer, and the request to which they did.
    pub(crate) fn all_struck(&self) -> Vec<(&'static Endpoint, String)> {
        let struck = self.struck.lock().unwrap();
        self.endpoints.iter().filter_map(|one| Some((*one, struck.get(one.table)?.clone()))).collect()
    }

    /// Whether it breaks answers of this endpoint.
    fn breaks(&self, endpoint: &Endpoint) -> bool {
        self.endpoints.iter().any(|one| std::ptr::eq(*one, endpoint))
    }

    /// The broken answer, if it is this exchange's turn.
    fn strike(&self, exchange: &Exchange<'_>, place: Place) -> Option<Wire> {
        if place != self.place {
            return None;
        }
        let table = exchange.endpoint.table;
        let request = format!("{} {}", exchange.asked.target, String::from_utf8_lossy(&exchange.asked.body));
        let mut struck = self.struck.lock().unwrap();
        if let Some(before) = struck.get(table)
            && !(self.lasting && *before == request)
        {
            return None;
        }
        let wire = (self.kind.make)(exchange)?;
        struck.insert(table, request);
        Some(wire)
    }
}

/// What all connections share.
struct Shared {
    upstream: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    fault: Mutex<Option<Arc<Fault>>>,
    /// Stands in every answer in place of the honest `Date`.
    date: Mutex<Option<String>>,
    marked: Mutex<Marked>,
    /// The key may not read payments by their ids.
    searching: AtomicBool,
    /// The time at which lists begin, in unix seconds: the oldest window begins there.
    start_s: i64,
    now_s: i64,
}

/// A running proxy. Its threads end with their connections, the last with the process.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    pub(crate) fn start(upstream: &str, tls: Option<Arc<ServerConfig>>, (start_s, now_s): (i64, i64)) -> Self {
        let upstream = upstream.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, date, marked, searching) = Default::default();
        let shared = Arc::new(Shared { upstream, tls, fault, date, marked, searching, start_s, now_s });
        let of = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), shared) = (stream, of.clone()) else { return };
                std::thread::spawn(move || drop(connection(stream, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Every answer has this date from now on, or its own.
    pub(crate) fn date(&self, ms: Option<i64>) {
        let text =
            |ms| jiff::Timestamp::from_millisecond(ms).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        *self.shared.date.lock().unwrap() = ms.map(text);
    }

    /// Objects that will be read by their ids.
    pub(crate) fn mark(&self, marked: &Marked) {
        self.shared.marked.lock().unwrap().clone_from(marked);
    }

    /// From now on payments may be read by their ids, or only found by search.
    pub(crate) fn searching(&self, searching: bool) {
        self.shared.searching.store(searching, Ordering::Relaxed);
    }

    /// Breaks answers from now on, or no more.
    pub(crate) fn set(&self, fault: Option<Arc<Fault>>) {
        *self.shared.fault.lock().unwrap() = fault;
    }
}

/// A connection of either kind.
trait Transport: Read + Write {}
impl<T: Read + Write> Transport for T {}

/// From the client, and to the face.
type Line = BufReader<Box<dyn Transport>>;
type Upstream = BufReader<TcpStream>;

fn connection(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_nodelay(true)?;
    let socket = stream.try_clone()?;
    let line: Box<dyn Transport> = match &shared.tls {
        None => Box::new(stream),
        Some(config) => {
            let tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            Box::new(StreamOwned::new(tls, stream))
        }
    };
    let mut line = BufReader::new(line);
    let upstream = TcpStream::connect(shared.upstream)?;
    upstream.set_nodelay(true)?;
    let upstream = Mutex::new(BufReader::new(upstream));
    loop {
        let asked = request(&mut line)?;
        let wire = answer(&asked, &upstream, shared)?;
        send(line.get_mut(), &wire)?;
        match wire.then {
            Then::Next => {}
            Then::Close => return Ok(()),
            Then::Reset => {
                // With bytes unsent or a linger of nothing, closing resets.
                return rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).map_err(Into::into);
            }
            Then::Stall => {
                while line.read(&mut [0; 64])? > 0 {}
                return Ok(());
            }
        }
    }
}

fn send(line: &mut Box<dyn Transport>, wire: &Wire) -> io::Result<()> {
    /// Bytes that drip.
    const SLOW: usize = 40;
    let Some(pause) = wire.drip else {
        line.write_all(&wire.bytes)?;
        return line.flush();
    };
    let (fast, slow) = wire.bytes.split_at(wire.bytes.len().saturating_sub(SLOW));
    line.write_all(fast)?;
    for byte in slow {
        line.flush()?;
        #[allow(clippy::disallowed_methods)] // a drip takes real time: what waits for it is the real network
        std::thread::sleep(pause);
        line.write_all(&[*byte])?;
    }
    line.flush()
}

fn answer(asked: &Asked, upstream: &Mutex<Upstream>, shared: &Shared) -> io::Result<Wire> {
    let endpoint = ENDPOINTS.iter().find(|one| one.is_asked(asked));
    // A request for one record is a probe, not a page.
    let probe = asked.target.contains("limit=1&") || String::from_utf8_lossy(&asked.body).contains("\"limit\":1,");
    let small = endpoint.map_or(asked.clone(), |endpoint| Asked {
        target: asked.target.replace("limit=100&", &format!("limit={}&", endpoint.page)),
        ..asked.clone()
    });
    let mut told = forward(&mut upstream.lock().unwrap(), &small)?;
    if let Some(date) = shared.date.lock().unwrap().clone() {
        told.headers.iter_mut().filter(|(name, _)| name == "date").for_each(|(_, value)| value.clone_from(&date));
    }
    if endpoint.is_some_and(|one| one.way == Way::One && one.stream == "payments")
        && shared.searching.load(Ordering::Relaxed)
    {
        (told.status, told.body) = (403, Vec::new());
    }
    let fault = shared.fault.lock().unwrap().clone();
    if let (Some(endpoint), Some(fault), false) = (endpoint, fault, probe)
        && fault.breaks(endpoint)
    {
        let marked = shared.marked.lock().unwrap().clone();
        let place = endpoint.place(&small, &told, &marked, (shared.start_s, shared.now_s));
        let exchange = Exchange { endpoint, asked: &small, told: &told, marked: &marked, upstream };
        if let Some(wire) = place.and_then(|place| fault.strike(&exchange, place)) {
            return Ok(wire);
        }
    }
    Ok(told.wire())
}

impl Told {
    /// The honest answer on the wire.
    pub(crate) fn wire(&self) -> Wire {
        Wire { bytes: self.bytes(&[], &self.body), then: Then::Next, drip: None }
    }

    /// Status line, the honest headers but those named (lower case) in `other`, those, a right length, and this body.
    pub(crate) fn bytes(&self, other: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let length = ("content-length", body.len().to_string());
        self.framed(&[other, &[(length.0, &length.1)]].concat(), body)
    }

    /// The same without a length of its own.
    pub(crate) fn framed(&self, other: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Said\r\n", self.status);
        let replaced = |name: &str| name == "content-length" || other.iter().any(|(one, _)| *one == name);
        for (name, value) in self.headers.iter().filter(|(name, _)| !replaced(name)) {
            head += &format!("{name}: {value}\r\n");
        }
        for (name, value) in other.iter().filter(|(_, value)| !value.is_empty()) {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", body].concat()
    }
}

fn forward(upstream: &mut Upstream, asked: &Asked) -> io::Result<Told> {
    let mut text = format!("{} {} HTTP/1.1\r\n", asked.method, asked.target);
    for (name, value) in asked.headers.iter().filter(|(name, _)| name != "accept-encoding") {
        text += &format!("{name}: {value}\r\n");
    }
    upstream.get_mut().write_all(&[text.as_bytes(), b"\r\n", &asked.body].concat())?;
    let (first, headers) = head(upstream)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let body = body(upstream, &headers)?;
    Ok(Told { status, headers, body })
}

fn request(line: &mut Line) -> io::Result<Asked> {
    let (first, headers) = head(line)?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = body(line, &headers)?;
    Ok(Asked { method, target, headers, body })
}

fn head(from: &mut dyn BufRead) -> io::Result<(String, Vec<(String, String)>)> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        if from.read_until(b'\n', &mut text)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    let mut lines = text.trim_end().split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Ok((first, lines.filter_map(header).collect()))
}

fn body(from: &mut dyn BufRead, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    from.read_exact(&mut body)?;
    Ok(body)
}
