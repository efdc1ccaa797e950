//! The network of a simulation: the sandbox without sockets, with faults in front of it. It counts what passes, keeps the
//! moments at which a provider answered, and folds everything into the trace.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use counterfoil::clock::BoxFuture;
use counterfoil::http::{Chunks, Request, Response, Transport, TransportError, Version};
use counterfoil::sandbox::{CHECKOUT_URL, Direct, RECEIVER_URL, STRIPE_URL};

use super::dice::Dice;
use super::options::{Away, BEGIN, DAY, MINUTE, Options, Spell, Strike, Trouble};
use super::time::{Time, rest};

/// Looks at a batch that comes to the receiver for the first time: number and bytes. Returns how many batches it could compare
/// byte for byte.
type OnBatch = Box<dyn Fn(i64, &[u8]) -> Result<usize, String> + Send>;

/// What has passed so far.
#[derive(Default)]
pub(super) struct Passed {
    trace: DefaultHasher,
    /// Requests to a provider by its address and day.
    pub(super) daily: BTreeMap<(String, i64), u64>,
    pub(super) requests: u64,
    /// Moments at which each path was answered, since they were last looked at.
    pub(super) answered: BTreeSet<i64>,
    /// Which faults struck.
    pub(super) struck: BTreeMap<String, u64>,
    /// What was answered by an empty page.
    emptied: BTreeSet<String>,
    /// Numbers of batches that came before.
    batches: BTreeSet<i64>,
    /// How many of them could be compared byte for byte.
    pub(super) compared: usize,
    /// What a look at a batch found wrong.
    pub(super) wrong: Option<String>,
    /// Keys that the providers no longer take.
    pub(super) revoked: BTreeSet<Vec<u8>>,
}

impl Passed {
    /// Folds something into the trace.
    pub(super) fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.trace);
    }

    /// The trace so far.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub(super) fn strike(&mut self, what: impl std::fmt::Debug) {
        *self.struck.entry(format!("{what:?}")).or_default() += 1;
    }
}

/// The network.
pub(super) struct Storm {
    pub(super) direct: Arc<Direct>,
    time: Arc<Time>,
    dice: Mutex<Dice>,
    options: Options,
    /// No faults: the first steps, and the tail.
    calm: Mutex<bool>,
    passed: Mutex<Passed>,
    pub(super) on_batch: Mutex<Option<OnBatch>>,
}

/// Nobody who holds one of these locks can leave half a change behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Storm {
    pub(super) fn new(direct: Arc<Direct>, time: Arc<Time>, options: &Options) -> Arc<Self> {
        Arc::new(Self {
            direct,
            time,
            dice: Mutex::new(Dice::new(options.seed, "storm")),
            options: options.clone(),
            calm: Mutex::new(true),
            passed: Mutex::default(),
            on_batch: Mutex::default(),
        })
    }

    pub(super) fn passed(&self) -> MutexGuard<'_, Passed> {
        lock(&self.passed)
    }

    pub(super) fn set_calm(&self, calm: bool) {
        *lock(&self.calm) = calm;
    }

    /// The lasting fault that stands in this request's way now.
    fn spell(&self, to: &str, path: &str) -> Option<Trouble> {
        let now = self.time.now();
        let side = if to == STRIPE_URL { 0 } else { 1 };
        let hit = |trouble: &&Trouble| {
            if !(trouble.from..trouble.to).contains(&now) {
                return false;
            }
            // Some strike one provider, some both.
            let provider = to != RECEIVER_URL && (trouble.draw % 3 == 2 || trouble.draw % 3 == side);
            let streams =
                ["charges", "refunds", "disputes", "events", "payouts", "search", "balance", "payment_intents"];
            match trouble.spell {
                Spell::Outage | Spell::Maintenance | Spell::Unauthorised | Spell::RateLimited => provider,
                Spell::Forbidden | Spell::NotFound => {
                    to != RECEIVER_URL && path.contains(streams[(trouble.draw / 3) as usize % streams.len()])
                }
                Spell::ReceiverDown => to == RECEIVER_URL,
                _ => false,
            }
        };
        self.options.troubles.iter().find(hit).copied()
    }

    async fn deliver(&self, mut request: Request) -> Result<Response, TransportError> {
        self.time.fate.pass().await;
        let (to, path) = split(&request.url);
        let (to, path) = (to.to_owned(), path.to_owned());
        self.count(&to, &path, &request);
        if to == RECEIVER_URL {
            // As it is released, before anything else happens.
            self.look(&path, request.body.as_deref().unwrap_or_default());
        }
        // Every exchange takes some time.
        let takes = lock(&self.dice).within(5, 400);
        rest(takes).await;
        self.time.fate.pass().await;
        let calm = *lock(&self.calm);
        if request.bearer.as_ref().is_some_and(|key| self.passed().revoked.contains(key.expose())) {
            return Ok(made(401, "application/json", "{\"error\":{\"type\":\"invalid_request_error\"}}"));
        }
        let spell = if calm { None } else { self.spell(&to, &path) };
        if let Some(trouble) = spell {
            self.passed().strike(trouble.spell);
            return match trouble.spell {
                Spell::Outage | Spell::ReceiverDown => Err(TransportError::Connect),
                Spell::Maintenance => Ok(made(503, "text/html", "<html>back soon</html>")),
                Spell::Unauthorised => Ok(made(401, "application/json", "{}")),
                Spell::Forbidden => Ok(made(403, "application/json", "{\"error\":{\"message\":\"no\"}}")),
                Spell::NotFound => Ok(made(404, "application/json", "{}")),
                _ => Ok(made(429, "application/json", "{}")),
            };
        }
        if to == RECEIVER_URL {
            return self.away(request, calm).await;
        }
        let strike = {
            let mut dice = lock(&self.dice);
            let struck = !calm && !self.options.strikes.is_empty() && dice.often(self.options.rate);
            struck.then(|| *dice.one(&self.options.strikes))
        };
        let Some(strike) = strike else { return self.answered(request).await };
        let paged = request.url.contains("&starting_after=");
        let idle = match strike {
            Strike::CursorRefused | Strike::RepeatedPage => !paged,
            // A search tells no total: nothing in its hollow page would be wrong.
            Strike::Hollow => path.contains("/payments/search"),
            _ => false,
        };
        if idle {
            return self.answered(request).await;
        }
        // What only some pages can suffer counts where it is done to one.
        if !matches!(strike, Strike::EmptyPage | Strike::OutOfOrder) {
            self.passed().strike(strike);
        }
        if strike == Strike::RepeatedPage
            && let Some((before, after)) = request.url.split_once("&starting_after=")
        {
            let rest = after.split_once('&').map(|(_, rest)| format!("&{rest}")).unwrap_or_default();
            request.url = format!("{before}{rest}");
        }
        self.struck(request, strike).await
    }

    fn count(&self, to: &str, path: &str, request: &Request) {
        let mut passed = self.passed();
        passed.requests += 1;
        let now = self.time.now();
        passed.note((now, to, path, request.body.as_deref()));
        *passed.daily.entry((to.to_owned(), now.div_euclid(DAY))).or_default() += 1;
    }

    /// The right answer.
    async fn answered(&self, request: Request) -> Result<Response, TransportError> {
        let response = self.direct.send(request).await?;
        let mut passed = self.passed();
        passed.answered.insert(self.time.now());
        passed.note(response.status);
        Ok(response)
    }

    /// A request to a provider, with one fault.
    async fn struck(&self, request: Request, strike: Strike) -> Result<Response, TransportError> {
        let deadline = request.deadline.as_millis() as i64;
        let slow = lock(&self.dice).within(1_000, 80_000);
        match strike {
            Strike::Refused => return Err(TransportError::Connect),
            Strike::Tls => return Err(TransportError::Tls),
            Strike::Timeout => {
                rest(deadline).await;
                return Err(TransportError::Timeout);
            }
            Strike::SlowRequest => rest(slow).await,
            Strike::Redirect => return Ok(with(made(302, "text/html", ""), "location", "https://login.example/")),
            Strike::RateWithWait => return Ok(with(made(429, "application/json", "{}"), "retry-after", "3")),
            Strike::RateWithoutWait => return Ok(made(429, "application/json", "{}")),
            Strike::RateReason => return Ok(self.rate(&["global-rate", "endpoint-rate", "resource-specific"])),
            Strike::ConcurrencyReason => return Ok(self.rate(&["global-concurrency", "endpoint-concurrency"])),
            Strike::Status500 => return Ok(made(500, "application/json", "{}")),
            Strike::Status502 => return Ok(made(502, "text/html", "<html>bad gateway</html>")),
            Strike::Status503 => return Ok(with(made(503, "application/json", "{}"), "retry-after", "20")),
            Strike::Status504 => return Ok(made(504, "text/plain", "timeout")),
            Strike::CursorRefused => {
                let body = "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"resource_missing\"}}";
                return Ok(made(if slow % 2 == 0 { 400 } else { 404 }, "application/json", body));
            }
            Strike::Html => return Ok(made(200, "text/html", "<html>sign in</html>")),
            Strike::EmptyBody => return Ok(made(200, "application/json", "")),
            Strike::NoContent => return Ok(made(204, "application/json", "")),
            Strike::ErrorObject => {
                return Ok(made(200, "application/json", "{\"error\":{\"type\":\"api_error\",\"message\":\"sorry\"}}"));
            }
            Strike::Hollow => {
                let path =
                    request.url.splitn(4, '/').nth(3).and_then(|path| path.split('?').next()).unwrap_or_default();
                let body = format!(r#"{{"object":"list","data":[],"has_more":true,"total_count":7,"url":"/{path}"}}"#);
                return Ok(made(200, "application/json", &body));
            }
            _ => {}
        }
        // A time of the simulation itself, not of the past that the first walk reads.
        let asked = format!("{}{}", request.url, String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()));
        let recent = self.time.now() > BEGIN + 2 * DAY && begins(&asked).is_some_and(|from| from > BEGIN + DAY);
        let mut response = self.answered(request).await?;
        match strike {
            Strike::SlowAnswer => rest(slow).await,
            Strike::DateBack => date(&mut response, self.time.now() - slow * 60),
            Strike::DateAhead => date(&mut response, self.time.now() + slow * 1_000),
            Strike::DateMissing => response.headers.0.retain(|(name, _)| name != "date"),
            Strike::EmptyPage if recent => return self.emptied(response, asked).await,
            Strike::ContentType => replace(&mut response, "content-type", "text/plain"),
            Strike::OutOfOrder => return self.disordered(response).await,
            _ => return spoiled(response, strike).await,
        }
        Ok(response)
    }

    /// A page of many records, with none of them; the next answer to the same question is the right one.
    async fn emptied(&self, mut response: Response, asked: String) -> Result<Response, TransportError> {
        let body = read(&mut response).await?;
        let page: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let many = page["data"].as_array().is_some_and(|data| data.len() >= 25);
        let first = !asked.contains("starting_after");
        let strikes = many && first && self.passed().emptied.insert(asked);
        let empty = r#"{"object":"list","data":[],"has_more":false,"total_count":0,"url":"/v1"}"#.as_bytes().to_vec();
        if strikes {
            self.passed().strike(Strike::EmptyPage);
        }
        let body = if strikes { empty } else { body };
        replace(&mut response, "content-length", &body.len().to_string());
        response.body = pieces_of(vec![Ok(body.into())]);
        Ok(response)
    }

    /// A page with its first and its last record changed about, where it has that many.
    async fn disordered(&self, mut response: Response) -> Result<Response, TransportError> {
        let body = read(&mut response).await?;
        let other = out_of_order(&body);
        if other.is_some() {
            self.passed().strike(Strike::OutOfOrder);
        }
        let body = other.unwrap_or(body);
        replace(&mut response, "content-length", &body.len().to_string());
        response.body = pieces_of(vec![Ok(body.into())]);
        Ok(response)
    }

    fn rate(&self, reasons: &[&str]) -> Response {
        let reason = *lock(&self.dice).one(reasons);
        with(made(429, "application/json", "{}"), "stripe-rate-limited-reason", reason)
    }

    /// A batch on its way to the receiver.
    async fn away(&self, request: Request, calm: bool) -> Result<Response, TransportError> {
        let away = {
            let mut dice = lock(&self.dice);
            let struck = !calm && !self.options.aways.is_empty() && dice.often(3_000);
            struck.then(|| *dice.one(&self.options.aways))
        };
        let Some(away) = away else { return self.direct.send(request).await };
        self.passed().strike(away);
        match away {
            Away::RequestLost => {
                rest(MINUTE).await;
                Err(TransportError::Timeout)
            }
            Away::AnswerLost => {
                drop(self.direct.send(request).await);
                Err(TransportError::Cut)
            }
            Away::Portal => Ok(made(200, "text/html", "<html>sign in</html>")),
            Away::Moved => Ok(with(made(307, "text/html", ""), "location", "/")),
            Away::Busy => Ok(with(made(429, "application/json", ""), "retry-after", "1800")),
            Away::Failing => Ok(made(500, "application/json", "")),
            Away::Unknown => Ok(made(401, "application/json", "")),
            Away::TooLong => Ok(made(413, "application/json", "")),
            Away::Conflict => Ok(made(409, "application/json", "")),
            Away::ForeignReceipt => {
                let body = "{\"install\":\"another\",\"seq\":1,\"digest\":\"AA==\",\"signature\":\"AA==\"}";
                Ok(made(200, "application/json", body))
            }
        }
    }

    /// Has a batch looked at that comes for the first time.
    fn look(&self, path: &str, body: &[u8]) {
        let Some(seq) = path.rsplit('/').next().and_then(|seq| seq.parse().ok()) else { return };
        if !self.passed().batches.insert(seq) {
            return;
        }
        let Some(look) = &*lock(&self.on_batch) else { return };
        match look(seq, body) {
            Ok(compared) => self.passed().compared += compared,
            Err(wrong) => drop(self.passed().wrong.get_or_insert(wrong)),
        }
    }
}

impl Transport for Storm {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let answer = self.deliver(request).await;
            let told = answer.as_ref().map(|response| response.status).map_err(|error| format!("{error:?}"));
            self.passed().note((self.time.now(), told));
            self.time.fate.pass().await;
            answer
        })
    }
}

/// Origin and the rest.
fn split(url: &str) -> (&str, &str) {
    let to = [STRIPE_URL, CHECKOUT_URL, RECEIVER_URL].into_iter().find(|to| url.starts_with(to)).unwrap();
    (to, &url[to.len()..])
}

fn made(status: u16, media: &str, body: &str) -> Response {
    let headers = [("content-type", media.to_owned()), ("content-length", body.len().to_string())];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let pieces = vec![Ok(Bytes::copy_from_slice(body.as_bytes()))];
    Response { status, version: Version::Http11, headers: counterfoil::http::Headers(headers), body: pieces_of(pieces) }
}

fn with(mut response: Response, name: &str, value: &str) -> Response {
    response.headers.0.push((name.to_owned(), value.to_owned()));
    response
}

fn replace(response: &mut Response, name: &str, value: &str) {
    response.headers.0.retain(|(known, _)| known != name);
    response.headers.0.push((name.to_owned(), value.to_owned()));
}

fn date(response: &mut Response, ms: i64) {
    let text = jiff::Timestamp::from_millisecond(ms).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    replace(response, "date", &text);
}

/// All of a body.
async fn read(response: &mut Response) -> Result<Vec<u8>, TransportError> {
    let mut body = Vec::new();
    while let Some(piece) = response.body.next().await {
        body.extend_from_slice(&piece?);
    }
    Ok(body)
}

/// The time from which a list is asked for, in milliseconds.
fn begins(asked: &str) -> Option<i64> {
    if let Some((_, after)) = asked.split_once("created[gte]=") {
        return after.split('&').next()?.parse::<i64>().ok().map(|second| second * 1000);
    }
    let (_, after) = asked.split_once("\"from\":\"").or_else(|| asked.split_once("from="))?;
    let text = after.split(['"', '&']).next()?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The right answer with its body spoiled.
async fn spoiled(mut response: Response, strike: Strike) -> Result<Response, TransportError> {
    let mut body = read(&mut response).await?;
    let half = body.len() / 2;
    let length = |response: &mut Response, length: usize| replace(response, "content-length", &length.to_string());
    let pieces = match strike {
        Strike::Cut => vec![Ok(body[..half].to_vec().into()), Err(TransportError::Cut)],
        Strike::Stall => {
            rest(MINUTE).await;
            vec![Ok(body[..half].to_vec().into()), Err(TransportError::Timeout)]
        }
        Strike::Short => {
            length(&mut response, half);
            vec![Ok(body[..half].to_vec().into())]
        }
        Strike::Endless => {
            response.headers.0.retain(|(name, _)| name != "content-length");
            vec![Ok(body[..half].to_vec().into())]
        }
        Strike::Garbage => {
            body.reverse();
            vec![Ok(body.into())]
        }
        Strike::Trailing => {
            body.extend_from_slice(b"<!-- served by a proxy -->");
            length(&mut response, body.len());
            vec![Ok(body.into())]
        }
        _ => vec![Ok(body.into())],
    };
    response.body = pieces_of(pieces);
    Ok(response)
}

/// The same page with its first and its last record changed about.
fn out_of_order(body: &[u8]) -> Option<Vec<u8>> {
    let mut page: serde_json::Value = serde_json::from_slice(body).ok()?;
    let data = page.get_mut("data")?.as_array_mut()?;
    let last = data.len().checked_sub(1).filter(|last| *last > 0)?;
    data.swap(0, last);
    serde_json::to_vec(&page).ok()
}

type Piece = Result<Bytes, TransportError>;

fn pieces_of(pieces: Vec<Piece>) -> Box<dyn Chunks> {
    Box::new(Pieces(pieces.into_iter()))
}

struct Pieces(std::vec::IntoIter<Piece>);

impl Chunks for Pieces {
    fn next(&mut self) -> BoxFuture<'_, Option<Piece>> {
        let piece = self.0.next();
        Box::pin(async move { piece })
    }
}
