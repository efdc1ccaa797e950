//! What a push-back does to the requests that follow, seen from the wire.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::clock::{BoxFuture, Clock};
use counterfoil::entropy::{Entropy, SeededEntropy};
use counterfoil::http::{Chunks, Headers, Request, Response, Transport, TransportError, Version};
use counterfoil::problem::Result;
use counterfoil::providers::{Ask, stripe};
use counterfoil::sync::{Caller, Keys};
use counterfoil::vault::Secret;

/// Tries of one request within one pass.
const TRIES: usize = 6;

/// The clock of a paused runtime.
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn wall_ms(&self) -> i64 {
        0
    }
    fn mono(&self) -> Duration {
        self.0.elapsed()
    }
    #[allow(clippy::disallowed_methods)] // this is the clock
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

struct Piece(Option<bytes::Bytes>);

impl Chunks for Piece {
    fn next(&mut self) -> BoxFuture<'_, Option<std::result::Result<bytes::Bytes, TransportError>>> {
        let piece = self.0.take();
        Box::pin(async move { piece.map(Ok) })
    }
}

/// Answers after a second: first what is scripted (status and reason), then well.
struct Wire {
    clock: Arc<Paused>,
    script: Mutex<VecDeque<(u16, Option<&'static str>)>>,
    starts: Mutex<Vec<Duration>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Transport for Wire {
    fn send(&self, _: Request) -> BoxFuture<'_, std::result::Result<Response, TransportError>> {
        Box::pin(async move {
            self.starts.lock().unwrap().push(self.clock.mono());
            self.most.fetch_max(self.running.fetch_add(1, SeqCst) + 1, SeqCst);
            let (status, reason) = self.script.lock().unwrap().pop_front().unwrap_or((200, None));
            self.clock.sleep(Duration::from_secs(1)).await;
            self.running.fetch_sub(1, SeqCst);
            let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            headers.push(("content-length".to_owned(), "2".to_owned()));
            headers.extend(reason.map(|reason| ("stripe-rate-limited-reason".to_owned(), reason.to_owned())));
            let body = Box::new(Piece(Some("{}".into())));
            Ok(Response { status, version: Version::Http11, headers: Headers(headers), body })
        })
    }
}

struct Key;

impl Keys for Key {
    fn lend(&self) -> Result<Arc<Secret>> {
        Ok(Arc::new(Secret::new(b"rk_test_0".to_vec())))
    }
}

/// Always the largest number there is.
struct Highest;

impl Entropy for Highest {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0xff);
    }
    fn below(&self, bound: u64) -> u64 {
        bound.saturating_sub(1)
    }
}

/// A caller of a hundred requests a second over a wire with this script.
fn caller(script: &[(u16, Option<&'static str>)]) -> (Arc<Caller>, Arc<Wire>) {
    by_chance(script, Arc::new(SeededEntropy::new(1)))
}

fn by_chance(script: &[(u16, Option<&'static str>)], entropy: Arc<dyn Entropy>) -> (Arc<Caller>, Arc<Wire>) {
    let clock = Arc::new(Paused(tokio::time::Instant::now()));
    let wire = Arc::new(Wire {
        clock: clock.clone(),
        script: Mutex::new(script.iter().copied().collect()),
        starts: Mutex::default(),
        running: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let over: (Arc<dyn Transport>, Arc<dyn Keys>) = (wire.clone(), Arc::new(Key));
    (Arc::new(Caller::new(&stripe::PROVIDER, "http://127.0.0.1:1".to_owned(), over, (clock, entropy), 100.0)), wire)
}

async fn call(caller: &Caller) -> bool {
    let ask = Ask { body: None, path: "/v1/charges".to_owned() };
    caller.call(&ask, || ()).await.is_ok()
}

/// Many calls at once: how many were ever under way together.
async fn crowd(caller: &Arc<Caller>, wire: &Wire) -> usize {
    wire.most.store(0, SeqCst);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let caller = caller.clone();
        calls.spawn(async move { call(&caller).await });
    }
    assert!(calls.join_all().await.into_iter().all(|good| good));
    wire.most.load(SeqCst)
}

#[tokio::test(start_paused = true)]
async fn a_rate_reason_lowers_the_rate_and_a_concurrency_reason_the_number_at_a_time() {
    for reason in ["global-rate", "endpoint-rate"] {
        let (caller, wire) = caller(&[(429, Some(reason))]);
        assert!(call(&caller).await, "{reason}: tried again");
        assert!((45.0..60.0).contains(&caller.per_second()), "{reason}: {}", caller.per_second());
        assert_eq!(crowd(&caller, &wire).await, 4, "{reason}");
    }
    for reason in ["global-concurrency", "endpoint-concurrency"] {
        let (caller, wire) = caller(&[(429, Some(reason))]);
        assert!(call(&caller).await, "{reason}: tried again");
        assert_eq!(caller.per_second(), 100.0, "{reason}");
        assert_eq!(crowd(&caller, &wire).await, 2, "{reason}");
        wire.clock.sleep(Duration::from_secs(60)).await;
        assert_eq!(crowd(&caller, &wire).await, 4, "{reason}: recovers within a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_without_a_reason_backs_off_and_lowers_both() {
    for reason in [None, Some("resource-specific"), Some("something-new")] {
        let (caller, wire) = caller(&[(429, reason), (429, reason)]);
        assert!(call(&caller).await);
        let starts = wire.starts.lock().unwrap().clone();
        let pauses: Vec<Duration> = starts.windows(2).map(|two| two[1] - two[0] - Duration::from_secs(1)).collect();
        assert!(pauses.len() == 2 && pauses.iter().all(|pause| *pause >= Duration::from_secs(1)), "{pauses:?}");
        assert!(caller.per_second() < 40.0, "{reason:?}: {}", caller.per_second());
        assert!(crowd(&caller, &wire).await <= 2, "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_no_push_back_lowers_nothing_and_a_push_back_for_ever_ends() {
    let (failing, wire) = caller(&[(500, None), (503, Some("global-rate"))]);
    assert!(call(&failing).await);
    assert_eq!((failing.per_second(), crowd(&failing, &wire).await), (100.0, 4));
    let (refused, wire) = caller(&[(429, None); 100]);
    assert!(!call(&refused).await);
    assert_eq!(wire.starts.lock().unwrap().len(), TRIES);
    assert_eq!(refused.requests(), TRIES as u64, "every try is counted");
}

#[tokio::test(start_paused = true)]
async fn the_longest_waits_between_tries_double_from_half_a_second() {
    let (caller, wire) = by_chance(&[(500, None); 100], Arc::new(Highest));
    assert!(!call(&caller).await);
    let starts = wire.starts.lock().unwrap().clone();
    let waits = starts.windows(2).map(|two| (two[1] - two[0] - Duration::from_secs(1)).as_millis());
    assert_eq!(waits.collect::<Vec<_>>(), [500, 1000, 2000, 4000, 8000]);
}
