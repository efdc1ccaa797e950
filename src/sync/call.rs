//! One request of a connection: paced, with its key, tried again where that can help. It counts every try and learns the
//! provider's time from every answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::told::ProviderTime;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::http::{Answer, Backoff, Expect, Failure, Method, Pacer, Request, Transport, fetch};
use crate::problem::{self, Problem, Result};
use crate::providers::{Ask, Provider};
use crate::testpoint::planted;
use crate::vault::Secret;

/// Lends the key of one connection for its own origin.
pub trait Keys: Send + Sync {
    /// The key, or why there is none.
    fn lend(&self) -> Result<Arc<Secret>>;
}

/// Longest wait for one exchange.
const DEADLINE: Duration = Duration::from_secs(90);
/// Tries of one request within one pass.
const TRIES: u32 = 6;
/// A provider that asks for a longer pause is left alone until the next pass.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest page: 1,000 payments of 20 kB.
const PAGE_BYTES: usize = 32 << 20;

/// Speaks to one provider for one connection.
pub struct Caller {
    provider: &'static Provider,
    base_url: String,
    transport: Arc<dyn Transport>,
    keys: Arc<dyn Keys>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pacer: Pacer,
    time: Mutex<ProviderTime>,
    requests: AtomicU64,
}

impl Caller {
    /// `base_url` without a slash at its end.
    pub fn new(
        provider: &'static Provider,
        base_url: String,
        (transport, keys): (Arc<dyn Transport>, Arc<dyn Keys>),
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
        per_second: f64,
    ) -> Self {
        let pacer = Pacer::new(clock.clone(), per_second, super::work::WORKERS);
        let (time, requests) = (Mutex::default(), AtomicU64::new(0));
        Self { provider, base_url, transport, keys, clock, entropy, pacer, time, requests }
    }

    /// Requests sent so far, tries included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests a second that are allowed now.
    pub fn per_second(&self) -> f64 {
        self.pacer.per_second()
    }

    /// Whether there is a key to send.
    pub fn has_key(&self) -> Result<()> {
        self.keys.lend().map(|_| ())
    }

    fn time(&self) -> MutexGuard<'_, ProviderTime> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider's time now: what it last told, moved on by this machine's monotonic clock, never by its wall clock.
    pub fn provider_now(&self) -> Option<i64> {
        if planted("local_clock") {
            return Some(self.clock.wall_ms());
        }
        self.time().now(self.clock.mono())
    }

    /// The problem that the provider's clock and this machine's differ, if they do.
    pub fn clock_problem(&self) -> Option<Problem> {
        self.time().differs(self.clock.mono(), self.clock.wall_ms())
    }

    /// Sends `ask` and returns a whole answer, or the failure after the last try. `counted` hears of every try.
    pub async fn call(&self, ask: &Ask, counted: impl Fn()) -> std::result::Result<Answer, Stop> {
        let mut attempt = 0;
        loop {
            let turn = self.pacer.turn().await;
            let request = self.request(ask).map_err(Stop::Problem)?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            counted();
            let result = fetch(&*self.transport, request, &Expect::json(PAGE_BYTES)).await;
            drop(turn);
            let failure = match result {
                Ok(answer) => {
                    self.learn(answer.date_ms);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            if let Failure::Status(status) = &failure {
                self.learn(status.date_ms);
                if status.status == 429 {
                    self.pacer.push_back(status.rate_reason);
                }
            }
            attempt += 1;
            let wait = match Backoff::USUAL.wait(failure.retryable(), attempt - 1, &*self.entropy) {
                Some(_) if planted("no_backoff") => continue,
                Some(wait) if attempt < TRIES && wait <= PATIENCE => wait,
                _ => return Err(Stop::Failure(failure)),
            };
            let (problem, wait_ms) = (failure.to_problem(), wait.as_millis() as u64);
            tracing::debug!(code = problem.code(), attempt, wait_ms, "asked again after a while: {problem}");
            self.clock.sleep(wait).await;
        }
    }

    fn request(&self, ask: &Ask) -> Result<Request> {
        let mut headers: Vec<(&'static str, String)> =
            self.provider.headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        headers.push(("accept", "application/json".to_owned()));
        if ask.body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Ok(Request {
            method: if ask.body.is_some() { Method::Post } else { Method::Get },
            url: format!("{}{}", self.base_url, ask.path),
            headers,
            bearer: Some(self.keys.lend()?),
            body: ask.body.as_ref().map(|body| body.clone().into_bytes()),
            deadline: DEADLINE,
        })
    }

    fn learn(&self, date_ms: Option<i64>) {
        if let Some(date) = date_ms {
            self.time().learn(date, self.clock.mono(), self.clock.wall_ms());
        }
    }
}

/// Why a call gave nothing.
pub enum Stop {
    /// The exchange failed.
    Failure(Failure),
    /// There is no key to send, or the like.
    Problem(Problem),
}

impl Stop {
    /// What a person is told.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Failure(failure) => failure.to_problem(),
            Self::Problem(problem) => problem.clone(),
        }
    }

    /// True when the provider refused the request as such: with a cursor in it, the cursor may be what it refused.
    pub(super) fn refused(&self) -> bool {
        matches!(self, Self::Failure(Failure::Status(status)) if matches!(status.status, 400 | 404 | 422))
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// The problem of an answer that is no page.
pub(super) fn malformed(why: crate::stream::Malformed) -> Problem {
    match why {
        crate::stream::Malformed::Json(line, column) => {
            problem::SYNC_MALFORMED.with(format!("no valid JSON at line {line}, column {column}"))
        }
        crate::stream::Malformed::Trailing => problem::SYNC_MALFORMED.with("bytes after the end of the JSON"),
        crate::stream::Malformed::NoRecords => problem::SYNC_MALFORMED.with("no list of records"),
    }
}
