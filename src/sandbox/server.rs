//! The sandbox's HTTP server: listens on loopback, checks keys, keeps the sandbox's time, lets faults strike, and hands
//! each request to the face it is for. HTTP/1.1 or HTTP/2 as the client speaks, TLS and gzip when asked for.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::fault::{FaceName, FaultKind, Switches};
use super::query::Query;
use super::stripe::{self, Answer};
use super::world::World;
use super::{Key, Logged, checkoutcom, keys};
use crate::clock::Clock;

/// Requests kept in the log; older ones are dropped.
const LOG: usize = 100_000;
/// Largest request body that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// What all requests share.
pub(super) struct State {
    pub(super) clock: Arc<dyn Clock>,
    /// How far the sandbox's time is ahead of the clock, in milliseconds.
    pub(super) ahead_ms: AtomicU64,
    pub(super) stripe: Mutex<World>,
    pub(super) checkout: Mutex<World>,
    pub(super) stripe_keys: Vec<Key>,
    pub(super) checkout_keys: Vec<Key>,
    pub(super) switches: Mutex<Switches>,
    pub(super) log: Mutex<VecDeque<Logged>>,
    pub(super) gzip: bool,
    /// Base URL of the Checkout.com face, for its links.
    pub(super) base: String,
    pub(super) requests: AtomicU64,
}

/// A lock whose holder cannot leave half a change behind.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The sandbox's time, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.wall_ms().saturating_add_unsigned(self.ahead_ms.load(Ordering::Relaxed))
    }

    pub(super) fn advance(&self, span: Duration) {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.fetch_add(span, Ordering::Relaxed);
    }

    /// A face's world, grown to the present.
    pub(super) fn world(&self, face: FaceName) -> (MutexGuard<'_, World>, u32) {
        let now = u32::try_from(self.now_ms() / 1000).unwrap_or(0);
        let mut world = lock(match face {
            FaceName::Stripe => &self.stripe,
            FaceName::CheckoutCom => &self.checkout,
        });
        world.grow(now);
        (world, now)
    }
}

/// Accepts connections until the runtime ends.
pub(super) async fn serve(face: FaceName, listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(connection(face, stream, tls.clone(), state.clone()));
    }
}

async fn connection(face: FaceName, stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { answer(face, request, &state).await }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // A client that goes away ends its connection; there is nobody to tell.
    let _gone = stream.set_nodelay(true);
    match tls {
        None => drop(server.serve_connection(TokioIo::new(stream), service).await),
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                drop(server.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}

/// One request, as far as faces need to know it.
pub(super) struct Call {
    pub(super) face: FaceName,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

async fn answer(face: FaceName, request: Request<Incoming>, state: &State) -> io::Result<Response<Pieces>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(io::Error::other)?.to_bytes();
    let call = Call {
        face,
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    if let Some(rest) = call.path.strip_prefix("/sandbox/") {
        let (status, body) = control(rest, &call, state);
        return Ok(plain(status, body));
    }
    let fault = lock(&state.switches).strike(face, &call.path);
    if let Some(FaultKind::Slow { ms }) = fault {
        state.clock.sleep(Duration::from_millis(ms)).await;
    }
    let answer = answer_with(&call, fault.as_ref(), state);
    log(&call, answer.status, state);
    if fault == Some(FaultKind::Close) {
        return Err(io::Error::other("closed by a fault"));
    }
    Ok(respond(&call, answer, fault.as_ref(), state))
}

fn log(call: &Call, status: u16, state: &State) {
    let mut log = lock(&state.log);
    if log.len() == LOG {
        log.pop_front();
    }
    log.push_back(Logged {
        face: call.face,
        method: call.method.clone(),
        path: call.path.clone(),
        query: call.query.clone(),
        body: String::from_utf8_lossy(&call.body).into_owned(),
        status,
        at_ms: state.now_ms(),
    });
}

/// What the face answers, after keys and those faults that replace the answer.
pub(super) fn answer_with(call: &Call, fault: Option<&FaultKind>, state: &State) -> Answer {
    let (world, now) = state.world(call.face);
    let account = stripe::Face { world: &world, now }.account_id();
    let keys = match call.face {
        FaceName::Stripe => &state.stripe_keys,
        FaceName::CheckoutCom => &state.checkout_keys,
    };
    let header = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(refusal) = keys::refuse(call.face, keys, header, &call.path, &account) {
        return refusal;
    }
    let mut query = Query::parse(&call.query);
    match fault {
        Some(FaultKind::Status { code, .. }) => return failure(call.face, *code, state),
        Some(FaultKind::Html) => {
            let page = "<!doctype html><html><body><h1>Sign in to continue</h1></body></html>\n";
            return Answer { status: 200, body: page.into() };
        }
        Some(FaultKind::Gone) => {
            return match call.face {
                FaceName::Stripe => stripe::error(404, Some("resource_missing"), Some("id"), "No such object."),
                FaceName::CheckoutCom => Answer { status: 404, body: Vec::new() },
            };
        }
        Some(FaultKind::Empty) => {
            return nothing(call, false);
        }
        Some(FaultKind::Hollow) => {
            return nothing(call, true);
        }
        Some(FaultKind::Repeat) => query.forget(&["starting_after", "ending_before", "skip"]),
        _ => {}
    }
    let mut answer = match (call.face, call.method.as_str()) {
        (FaceName::Stripe, "GET") => stripe::Face { world: &world, now }.get(&call.path, &query),
        (FaceName::Stripe, method) => {
            stripe::error(404, None, None, &format!("Unrecognized request URL ({method}: {}).", call.path))
        }
        (FaceName::CheckoutCom, method) => {
            let request_id = request_id(FaceName::CheckoutCom, state);
            let face =
                checkoutcom::Face { world: &world, now_ms: state.now_ms(), base: &state.base, request_id: &request_id };
            face.answer(method, &call.path, &query, &call.body)
        }
    };
    if fault == Some(&FaultKind::Odd) {
        answer.body =
            String::from_utf8_lossy(&answer.body).replacen("\"amount\":", "\"amount\": \"odd\", \"was\":", 1).into();
    }
    answer
}

/// A page without records, which says that there are `more` or that there are none.
fn nothing(call: &Call, more: bool) -> Answer {
    let body = match call.face {
        FaceName::Stripe => {
            serde_json::json!({"object": "list", "data": [], "has_more": more, "url": call.path})
        }
        FaceName::CheckoutCom => {
            serde_json::json!({"limit": 250, "skip": 0, "total_count": if more { 250 } else { 0 }, "data": []})
        }
    };
    Answer { status: 200, body: body.to_string().into_bytes() }
}

/// A failure in the provider's own words.
fn failure(face: FaceName, code: u16, state: &State) -> Answer {
    match face {
        FaceName::Stripe if code == 429 => {
            let message = "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.";
            stripe::error(429, Some("rate_limit"), None, message)
        }
        FaceName::Stripe => stripe::error(code, None, None, "An error occurred by the sandbox's fault switch."),
        FaceName::CheckoutCom => {
            checkoutcom::error(code, "processing_error", &["sandbox_fault"], &request_id(face, state))
        }
    }
}

fn request_id(face: FaceName, state: &State) -> String {
    let number = state.requests.fetch_add(1, Ordering::Relaxed);
    match face {
        FaceName::Stripe => format!("req_{number:014}"),
        FaceName::CheckoutCom => format!("0HM{number:010}:00000001"),
    }
}

/// The sandbox's own controls, on both faces.
fn control(rest: &str, call: &Call, state: &State) -> (StatusCode, String) {
    match (call.method.as_str(), rest) {
        ("GET", "now") => (StatusCode::OK, format!("{{\"now_ms\":{}}}", state.now_ms())),
        ("POST", "advance") => match Query::parse(&call.query).get("seconds").map(str::parse) {
            Some(Ok(seconds)) => {
                state.advance(Duration::from_secs(seconds));
                (StatusCode::OK, format!("{{\"now_ms\":{}}}", state.now_ms()))
            }
            _ => (StatusCode::BAD_REQUEST, "{\"error\":\"seconds must be a whole number\"}".to_owned()),
        },
        ("POST", "faults") => match serde_json::from_slice(&call.body) {
            Ok(faults) => {
                lock(&state.switches).set(faults);
                (StatusCode::OK, "{}".to_owned())
            }
            Err(error) => (StatusCode::BAD_REQUEST, serde_json::json!({ "error": error.to_string() }).to_string()),
        },
        _ => (StatusCode::NOT_FOUND, "{\"error\":\"no such control\"}".to_owned()),
    }
}

fn plain(status: StatusCode, body: String) -> Response<Pieces> {
    let mut response = Response::new(Pieces::whole(body.into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The headers of an answer, but for those of its body.
pub(super) fn head(call: &Call, fault: Option<&FaultKind>, state: &State) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    put("date", &http_date(state.now_ms()));
    put("content-type", content_type(call.face, fault));
    match call.face {
        FaceName::Stripe => {
            let asked = call.headers.get("stripe-version").and_then(|value| value.to_str().ok());
            put("stripe-version", asked.unwrap_or(stripe::VERSION));
            put("request-id", &request_id(call.face, state));
        }
        FaceName::CheckoutCom => {
            put("cko-request-id", &request_id(call.face, state));
            put("cko-version", "1.0.0");
        }
    }
    if let Some(FaultKind::Status { retry_after, reason, .. }) = fault {
        if let Some(seconds) = retry_after {
            put("retry-after", &seconds.to_string());
        }
        if let Some(reason) = reason {
            put("stripe-rate-limited-reason", reason);
        }
    }
    headers
}

fn respond(call: &Call, answer: Answer, fault: Option<&FaultKind>, state: &State) -> Response<Pieces> {
    let mut headers = head(call, fault, state);
    let mut body = answer.body;
    if fault == Some(&FaultKind::Short) {
        body.truncate(body.len() / 2);
    }
    if state.gzip
        && body.len() > 1024
        && accepts_gzip(&call.headers)
        && let Ok(packed) = gzip(&body)
    {
        body = packed;
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let body = if fault == Some(&FaultKind::Cut) { Pieces::cut(body) } else { Pieces::whole(body) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

fn content_type(face: FaceName, fault: Option<&FaultKind>) -> &'static str {
    match (fault, face) {
        (Some(FaultKind::Html), _) => "text/html; charset=utf-8",
        (Some(FaultKind::ContentType), _) => "text/plain",
        (_, FaceName::Stripe) => "application/json",
        (_, FaceName::CheckoutCom) => "application/json; charset=utf-8",
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("gzip"))
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// A time as the `Date` header writes it.
fn http_date(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A body in one piece, or half of one that then breaks off.
struct Pieces {
    left: Option<Bytes>,
    /// Bytes still announced.
    announced: u64,
    /// The break has been put off once, so that what came before it is sent.
    flushed: bool,
}

impl Pieces {
    fn whole(body: Vec<u8>) -> Self {
        Self { announced: body.len() as u64, left: (!body.is_empty()).then(|| body.into()), flushed: false }
    }

    fn cut(mut body: Vec<u8>) -> Self {
        let announced = body.len() as u64;
        body.truncate(body.len() / 2);
        Self { announced, left: Some(body.into()), flushed: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.left.take();
        Poll::Ready(match piece {
            Some(piece) => {
                self.announced -= piece.len() as u64;
                Some(Ok(Frame::data(piece)))
            }
            None if self.announced > 0 && !self.flushed => {
                self.flushed = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            None if self.announced > 0 => Some(Err(io::Error::other("cut by a fault"))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.announced == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
