//! The provider's time, learnt from the `Date` of its answers and moved on by this machine's monotonic clock. Windows close
//! by it, so a time too late would call whole what is still to come: a leap ahead is believed only when two answers agree.
//! A time too early only makes windows close later. It reads no clock itself.

use std::time::Duration;

use crate::testpoint::planted;

/// Answers may overtake each other, and `Date` has whole seconds: less than this back is no news.
const BACK_MS: i64 = 5_000;
/// What two answers, or an answer and this machine's clock, may differ in and still agree.
const AGREE_MS: i64 = 60_000;

/// A moment of the provider's clock (milliseconds since 1970), and of the monotonic clock when it was told.
type Told = (i64, Duration);

/// What is known of one provider's time.
#[derive(Debug, Default)]
pub(super) struct ProviderTime {
    known: Option<Told>,
    /// A leap ahead that one answer told, and none has confirmed yet.
    claimed: Option<Told>,
}

impl ProviderTime {
    /// The provider's time now.
    pub(super) fn now(&self, mono: Duration) -> Option<i64> {
        self.known.map(|told| moved(told, mono))
    }

    /// Learns from an answer's `Date`. The machine's `wall` clock only helps to believe the very first one.
    pub(super) fn learn(&mut self, date: i64, mono: Duration, wall: i64) {
        let near = |other: i64| (date - other).abs() <= AGREE_MS;
        let believed = match self.now(mono) {
            Some(known) if (0..=BACK_MS).contains(&(known - date)) => {
                self.claimed = None;
                return;
            }
            Some(known) => date <= known + AGREE_MS || planted("leap_believed"),
            None => near(wall),
        };
        if believed || self.claimed.is_some_and(|claim| near(moved(claim, mono))) {
            (self.known, self.claimed) = (Some((date, mono)), None);
        } else {
            self.claimed = Some((date, mono));
        }
    }
}

fn moved((at, since): Told, mono: Duration) -> i64 {
    at + i64::try_from(mono.saturating_sub(since).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_goes_on_by_itself_and_not_back_by_a_little() {
        let mut time = ProviderTime::default();
        assert_eq!(time.now(at(0)), None);
        time.learn(10 * HOUR, at(0), 10 * HOUR);
        time.learn(10 * HOUR + 7_000, at(10), 0);
        assert_eq!(time.now(at(10)), Some(10 * HOUR + 10_000));
        time.learn(10 * HOUR + 12_000, at(10), 0);
        assert_eq!(time.now(at(11)), Some(10 * HOUR + 13_000));
    }

    #[test]
    fn one_answer_that_leaps_ahead_is_not_believed_and_two_that_agree_are() {
        let mut time = ProviderTime::default();
        time.learn(10 * HOUR, at(0), 10 * HOUR);
        time.learn(20 * HOUR, at(1), 0);
        assert_eq!(time.now(at(1)), Some(10 * HOUR + 1_000));
        time.learn(30 * HOUR, at(2), 0);
        assert_eq!(time.now(at(2)), Some(10 * HOUR + 2_000), "two that leap apart");
        time.learn(10 * HOUR + 3_000, at(3), 0);
        time.learn(30 * HOUR, at(4), 0);
        assert_eq!(time.now(at(4)), Some(10 * HOUR + 4_000), "a right one in between");
        // The machine slept: its monotonic clock stood, and every answer says so.
        time.learn(30 * HOUR + 2_000, at(6), 0);
        assert_eq!(time.now(at(6)), Some(30 * HOUR + 2_000));
    }

    #[test]
    fn back_is_believed_at_once_and_forward_again_when_confirmed() {
        let mut time = ProviderTime::default();
        time.learn(10 * HOUR, at(0), 10 * HOUR);
        time.learn(9 * HOUR, at(1), 0);
        assert_eq!(time.now(at(1)), Some(9 * HOUR));
        time.learn(10 * HOUR + 2_000, at(2), 0);
        assert_eq!(time.now(at(2)), Some(9 * HOUR + 1_000));
        time.learn(10 * HOUR + 3_000, at(3), 0);
        assert_eq!(time.now(at(3)), Some(10 * HOUR + 3_000));
    }

    #[test]
    fn the_first_answer_needs_this_machines_clock_or_a_second_answer() {
        let mut time = ProviderTime::default();
        time.learn(10 * HOUR, at(0), 5 * HOUR);
        assert_eq!(time.now(at(0)), None);
        time.learn(10 * HOUR + 1_000, at(1), 5 * HOUR);
        assert_eq!(time.now(at(1)), Some(10 * HOUR + 1_000));
    }
}
