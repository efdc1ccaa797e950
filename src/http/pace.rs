//! How fast to ask, and how long to wait after a failure. It knows neither requests nor providers; what to ask, and how
//! often to try, is decided in `sync`.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::{RateReason, Retry};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// How many requests may follow one another at once after a pause.
const BURST: u32 = 4;
/// How long a dial needs from nothing back to its ceiling.
const RECOVERY: Duration = Duration::from_secs(60);
/// Refusals this close to the last lowering are the same excess.
const SETTLE: Duration = Duration::from_secs(1);
/// A dial never goes below this part of its ceiling.
const FLOOR: f64 = 1.0 / 32.0;

/// A value that is halved when the provider pushes back and grows evenly back to its ceiling (additive increase,
/// multiplicative decrease).
struct Dial {
    ceiling: f64,
    /// What it was set to and when; `None` while it was never lowered.
    lowered: Option<(f64, Duration)>,
}

impl Dial {
    fn new(ceiling: f64) -> Self {
        Self { ceiling, lowered: None }
    }

    fn read(&self, now: Duration) -> f64 {
        self.lowered.map_or(self.ceiling, |(value, at)| {
            let grown = self.ceiling * now.saturating_sub(at).as_secs_f64() / RECOVERY.as_secs_f64();
            (value + grown).min(self.ceiling)
        })
    }

    fn lower(&mut self, now: Duration) {
        if self.lowered.is_none_or(|(_, at)| now >= at + SETTLE) {
            self.lowered = Some(((self.read(now) / 2.0).max(self.ceiling * FLOOR), now));
        }
    }
}

/// The state of a [`Pacer`], without waiting: requests per second, requests at a time, and when the next may start.
struct Bucket {
    rate: Dial,
    room: Dial,
    next: Duration,
    running: usize,
}

impl Bucket {
    /// Takes the next start and returns how far off it is.
    fn reserve(&mut self, now: Duration) -> Duration {
        let step = Duration::from_secs_f64(1.0 / self.rate.read(now));
        let start = self.next.max(now.saturating_sub(step * (BURST - 1)));
        self.next = start + step;
        start.saturating_sub(now)
    }

    /// Counts one more request at a time, if there is room; there is always room for one.
    fn enter(&mut self, now: Duration) -> bool {
        let fits = ((self.running + 1) as f64) <= self.room.read(now).max(1.0);
        self.running += usize::from(fits);
        fits
    }

    fn push_back(&mut self, now: Duration, reason: Option<RateReason>) {
        use RateReason::{EndpointConcurrency, EndpointRate, GlobalConcurrency, GlobalRate};
        // What is not known to be one of them lowers both.
        if !matches!(reason, Some(GlobalConcurrency | EndpointConcurrency)) {
            self.rate.lower(now);
            // What was saved up for a burst is gone too.
            self.next = self.next.max(now + Duration::from_secs_f64(1.0 / self.rate.read(now)));
        }
        if !matches!(reason, Some(GlobalRate | EndpointRate)) {
            self.room.lower(now);
        }
    }
}

/// Keeps all requests of one account under a rate and a number at a time, both lowered by themselves when the provider
/// pushes back and recovering within a minute.
pub struct Pacer {
    clock: Arc<dyn Clock>,
    bucket: Mutex<Bucket>,
    left: Notify,
}

/// Leave to make one request, held until its answer has been read.
#[must_use = "the request counts as running until this is dropped"]
pub struct Turn<'a>(&'a Pacer);

impl Pacer {
    /// At most `per_second` requests a second (at least one in 1,000 s is kept) and `at_a_time` at once (at least one).
    pub fn new(clock: Arc<dyn Clock>, per_second: f64, at_a_time: usize) -> Self {
        let bucket = Bucket {
            rate: Dial::new(per_second.max(0.001)),
            room: Dial::new(at_a_time.max(1) as f64),
            next: Duration::ZERO,
            running: 0,
        };
        Self { clock, bucket: Mutex::new(bucket), left: Notify::new() }
    }

    /// Waits for leave to make one request.
    pub async fn turn(&self) -> Turn<'_> {
        let turn = self.enter().await;
        let wait = self.bucket().reserve(self.clock.mono());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        turn
    }

    /// The provider refused for too many requests: slow down. `None` when it gave no reason.
    pub fn push_back(&self, reason: Option<RateReason>) {
        self.bucket().push_back(self.clock.mono(), reason);
    }

    /// Requests per second that are allowed now.
    pub fn per_second(&self) -> f64 {
        self.bucket().rate.read(self.clock.mono())
    }

    async fn enter(&self) -> Turn<'_> {
        loop {
            // Listen before looking, so that no leaving is missed in between.
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            if self.bucket().enter(self.clock.mono()) {
                return Turn(self);
            }
            left.await;
        }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.bucket().running -= 1;
        self.0.left.notify_waiters();
    }
}

/// Exponential waits with full jitter: the n-th is anything from nothing to `base` · 2ⁿ, at most `cap`.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Upper bound of the first wait.
    pub base: Duration,
    /// Upper bound of every wait.
    pub cap: Duration,
}

impl Backoff {
    /// Half a second at first, a minute at most.
    pub const USUAL: Self = Self { base: Duration::from_millis(500), cap: Duration::from_secs(60) };

    /// The wait before the next try after `attempt` failed ones before this (from 0); `None` when there is to be none.
    pub fn wait(&self, retry: Retry, attempt: u32, entropy: &dyn Entropy) -> Option<Duration> {
        let least = match retry {
            Retry::No => return None,
            Retry::Backoff => Duration::ZERO,
            Retry::After(least) => least,
        };
        let most = self.base.saturating_mul(2u32.saturating_pow(attempt)).min(self.cap);
        let jitter = entropy.below(u64::try_from(most.as_millis()).unwrap_or(u64::MAX).saturating_add(1));
        Some(least + Duration::from_millis(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::BoxFuture;
    use crate::entropy::SeededEntropy;

    const SECOND: Duration = Duration::from_secs(1);

    /// Stands still; whoever sleeps moves it.
    #[derive(Clone, Default)]
    struct ManualClock(Arc<Mutex<Duration>>);

    impl ManualClock {
        fn advance(&self, span: Duration) {
            *self.0.lock().unwrap() += span;
        }
    }

    impl Clock for ManualClock {
        fn wall_ms(&self) -> i64 {
            0
        }

        fn mono(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
            let clock = self.clone();
            Box::pin(async move { clock.advance(span) })
        }
    }

    fn pacer(per_second: f64, at_a_time: usize) -> (ManualClock, Pacer) {
        let clock = ManualClock::default();
        (clock.clone(), Pacer::new(Arc::new(clock), per_second, at_a_time))
    }

    /// The moments at which `count` requests in a row start, in milliseconds.
    async fn starts(clock: &ManualClock, pacer: &Pacer, count: usize) -> Vec<u128> {
        let mut starts = Vec::new();
        for _ in 0..count {
            drop(pacer.turn().await);
            starts.push(clock.mono().as_millis());
        }
        starts
    }

    #[tokio::test]
    async fn a_small_burst_then_an_even_pace() {
        let (clock, pacer) = pacer(10.0, 1);
        clock.advance(SECOND * 100);
        let at = starts(&clock, &pacer, 7).await;
        assert_eq!(at, [100_000, 100_000, 100_000, 100_000, 100_100, 100_200, 100_300]);
    }

    #[tokio::test]
    async fn no_second_holds_more_than_the_rate_and_a_burst() {
        let (clock, pacer) = pacer(20.0, 1);
        clock.advance(SECOND * 5);
        let at = starts(&clock, &pacer, 400).await;
        for (i, start) in at.iter().enumerate() {
            let within = at[i..].iter().take_while(|later| **later < start + 1000).count();
            assert!(within <= 20 + BURST as usize, "{within} in the second from {start} ms");
        }
        let rate = 400.0 / ((at[399] - at[0]) as f64 / 1000.0);
        assert!((19.5..=20.5).contains(&rate), "{rate} a second");
    }

    #[test]
    fn push_back_halves_once_an_excess_and_recovers_evenly() {
        let (clock, pacer) = pacer(20.0, 8);
        clock.advance(SECOND * 10);
        pacer.push_back(Some(RateReason::GlobalRate));
        assert_eq!(pacer.per_second(), 10.0);
        pacer.push_back(Some(RateReason::EndpointRate)); // others of the same excess
        assert_eq!(pacer.per_second(), 10.0);
        clock.advance(SECOND * 15);
        assert!((pacer.per_second() - 15.0).abs() < 1e-9);
        pacer.push_back(None);
        assert!((pacer.per_second() - 7.5).abs() < 1e-9);
        clock.advance(SECOND * 600);
        assert_eq!(pacer.per_second(), 20.0);
        for _ in 0..100 {
            pacer.push_back(None);
            clock.advance(SETTLE);
        }
        assert!((20.0 * FLOOR..2.0).contains(&pacer.per_second()));
    }

    #[tokio::test]
    async fn push_back_takes_the_burst_too() {
        let (clock, pacer) = pacer(10.0, 1);
        clock.advance(SECOND * 100);
        pacer.push_back(Some(RateReason::GlobalRate));
        let at = starts(&clock, &pacer, 3).await;
        assert_eq!(at[0], 100_200);
        assert!(at[1] > at[0] + 190 && at[2] > at[1] + 190, "{at:?}");
    }

    #[tokio::test]
    async fn concurrency_lowers_the_number_at_a_time_and_not_the_rate() {
        let (clock, pacer) = pacer(10.0, 4);
        clock.advance(SECOND * 100);
        pacer.push_back(Some(RateReason::GlobalConcurrency));
        assert_eq!(pacer.per_second(), 10.0);
        let (first, second) = (pacer.turn().await, pacer.turn().await);
        let mut third = pin!(pacer.turn());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(third.as_mut().poll(&mut context).is_pending(), "two at a time after halving four");
        drop(first);
        let std::task::Poll::Ready(third) = third.as_mut().poll(&mut context) else {
            panic!("one left, one may enter")
        };
        drop((second, third));
        clock.advance(RECOVERY);
        let all = [pacer.turn().await, pacer.turn().await, pacer.turn().await, pacer.turn().await];
        assert_eq!(pacer.bucket().running, 4);
        drop(all);
        assert_eq!(pacer.bucket().running, 0);
    }

    #[tokio::test]
    async fn a_rate_reason_leaves_the_number_at_a_time() {
        let (_, pacer) = pacer(10.0, 2);
        pacer.push_back(Some(RateReason::EndpointRate));
        let both = (pacer.turn().await, pacer.turn().await);
        assert_eq!(pacer.bucket().running, 2);
        drop(both);
    }

    #[test]
    fn backoff_is_full_jitter_under_a_doubling_bound() {
        let entropy = SeededEntropy::new(7);
        for (attempt, most) in [(0, 500), (1, 1000), (3, 4000), (7, 60_000), (40, 60_000), (u32::MAX, 60_000)] {
            let waits: Vec<u128> = (0..2000)
                .map(|_| Backoff::USUAL.wait(Retry::Backoff, attempt, &entropy).unwrap().as_millis())
                .collect();
            let (low, high) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*high <= most && *high > most * 9 / 10 && *low < most / 10, "{attempt}: {low} to {high}");
        }
    }

    #[test]
    fn the_servers_wish_is_the_least_wait() {
        let entropy = SeededEntropy::new(7);
        assert_eq!(Backoff::USUAL.wait(Retry::No, 0, &entropy), None);
        for attempt in 0..10 {
            let wait = Backoff::USUAL.wait(Retry::After(SECOND * 9), attempt, &entropy).unwrap();
            assert!((SECOND * 9..=SECOND * 69).contains(&wait));
        }
        assert_eq!(
            Backoff::USUAL.wait(Retry::Backoff, 5, &SeededEntropy::new(1)),
            Backoff::USUAL.wait(Retry::Backoff, 5, &SeededEntropy::new(1))
        );
    }
}
