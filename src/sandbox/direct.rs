//! The sandbox without sockets: a transport that answers in the caller, both providers and the receiver, by a clock that is
//! handed in. It misbehaves in no way of its own; whoever wants faults puts them in front of it. It also tells what a
//! provider would show at any other moment, so that what was stored can be judged.

use std::sync::Mutex;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue};

use super::query::Query;
use super::receiver::{Desk, RawRequest, ReceiverOptions, StoredBatch};
use super::server::{self, Call, State, lock};
use super::world::Kind;
use super::{FaceName, Options, Truth, TruthStream, checkoutcom, stripe, truth};
use crate::clock::BoxFuture;
use crate::http::{Chunks, Headers, Method, Request, Response, Transport, TransportError, Version};
use crate::problem::Result;

/// Where the Stripe face is asked; nothing listens there.
pub const STRIPE_URL: &str = "http://127.0.0.1:1";
/// Where the Checkout.com face is asked; nothing listens there.
pub const CHECKOUT_URL: &str = "http://127.0.0.1:2";
/// Where the receiver is asked; nothing listens there.
pub const RECEIVER_URL: &str = "http://127.0.0.1:3";

/// Both providers and the receiver, answering in the caller.
pub struct Direct {
    state: State,
    desk: Mutex<Desk>,
}

impl Direct {
    /// Makes the worlds and opens the receiver's database; ports, certificates and the receiver's address are not used.
    pub fn new(options: Options, receiver: ReceiverOptions) -> Result<Self> {
        let desk = Desk::open(&receiver.db, receiver.clock, receiver.entropy, receiver.seed)?;
        Ok(Self { state: options.state(CHECKOUT_URL.to_owned()), desk: Mutex::new(desk) })
    }

    /// A new one-time code for enrolling with the receiver.
    pub fn issue_code(&self) -> Result<String> {
        lock(&self.desk).issue_code()
    }

    /// What the receiver holds, by install and number.
    pub fn batches(&self) -> Result<Vec<StoredBatch>> {
        lock(&self.desk).batches()
    }

    /// What a provider holds now of a stream, made in `from..to` (unix seconds), oldest first.
    pub fn truth(&self, stream: TruthStream, from: i64, to: i64) -> Vec<Truth> {
        let (world, _) = self.state.world(stream.face());
        truth::truth(&world, stream, from, to, self.state.now_ms())
    }

    /// What a provider answers to anybody at `at_ms`, a moment not after now: status and body.
    pub fn shown(&self, face: FaceName, path: &str, body: Option<&str>, at_ms: i64) -> (u16, Vec<u8>) {
        let (world, _) = self.state.world(face);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = Query::parse(query);
        let answer = match face {
            FaceName::Stripe => {
                let now = u32::try_from(at_ms / 1000).unwrap_or(0);
                stripe::Face { world: &world, now }.get(path, &query)
            }
            FaceName::CheckoutCom => {
                let face =
                    checkoutcom::Face { world: &world, now_ms: at_ms, base: &self.state.base, request_id: "shown" };
                let method = if body.is_some() { "POST" } else { "GET" };
                face.answer(method, path, &query, body.unwrap_or_default().as_bytes())
            }
        };
        (answer.status, answer.body)
    }

    /// Names, e-mails, telephone numbers and addresses of everybody who has paid by now: what may rest nowhere.
    pub fn personal(&self) -> Vec<String> {
        let mut found = Vec::new();
        for face in [FaceName::Stripe, FaceName::CheckoutCom] {
            let (world, now) = self.state.world(face);
            for entry in world.made(Kind::Intent, 0, now) {
                if let Some(person) = world.life(entry.payment).map(|life| world.person(&life)) {
                    found.extend([person.name, person.email, person.phone, person.line1]);
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn answer(&self, request: &Request) -> Option<Response> {
        let (scheme, rest) = request.url.split_once("://")?;
        let (host, target) = rest.split_once('/').unwrap_or((rest, ""));
        let origin = format!("{scheme}://{host}");
        let target = format!("/{target}");
        match origin.as_str() {
            STRIPE_URL => self.provider(FaceName::Stripe, request, &target),
            CHECKOUT_URL => self.provider(FaceName::CheckoutCom, request, &target),
            RECEIVER_URL => Some(self.receiver(request, host, target)),
            _ => None,
        }
    }

    fn provider(&self, face: FaceName, request: &Request, target: &str) -> Option<Response> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            headers.insert(*name, HeaderValue::from_str(value).ok()?);
        }
        if let Some(key) = &request.bearer {
            let value = HeaderValue::from_bytes(&[b"Bearer ", key.expose()].concat()).ok()?;
            headers.insert("authorization", value);
        }
        let call = Call {
            face,
            method: method(request.method).to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: request.body.clone().unwrap_or_default().into(),
        };
        let answer = server::answer_with(&call, None, &self.state);
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let head = server::head(&call, None, &self.state);
        let headers = head.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Some(response(answer.status, headers, answer.body))
    }

    fn receiver(&self, request: &Request, host: &str, path: String) -> Response {
        let mut headers = vec![("host".to_owned(), host.as_bytes().to_vec())];
        let own = request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        headers.extend(own);
        let (method, body) = (method(request.method).to_owned(), request.body.clone().unwrap_or_default());
        let answer = lock(&self.desk).answer(&RawRequest { method, path, headers, body }, false);
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(answer.header.map(|(name, value)| (name.to_owned(), value)));
        response(answer.status, headers, answer.body.into_bytes())
    }
}

impl Transport for Direct {
    fn send(&self, request: Request) -> BoxFuture<'_, std::result::Result<Response, TransportError>> {
        Box::pin(async move { self.answer(&request).ok_or(TransportError::Connect) })
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
    }
}

fn response(status: u16, mut headers: Vec<(String, String)>, body: Vec<u8>) -> Response {
    headers.push(("content-length".to_owned(), body.len().to_string()));
    Response { status, version: Version::Http11, headers: Headers(headers), body: Box::new(Once(Some(body.into()))) }
}

/// A body in one piece.
struct Once(Option<Bytes>);

impl Chunks for Once {
    fn next(&mut self) -> BoxFuture<'_, Option<std::result::Result<Bytes, TransportError>>> {
        let piece = self.0.take();
        Box::pin(async move { piece.map(Ok) })
    }
}
