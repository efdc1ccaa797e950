//! The provider's time: what its answers say in `Date`, carried on by this machine's monotonic clock, never by its wall
//! clock. One odd answer moves nothing: a time far from the expected one counts only when a second answer agrees. What
//! windows are made of it is decided in `plan`.

use std::time::Duration;

use crate::problem::{self, Problem};
use crate::store::Window;
use crate::testpoint::planted;

/// An answer further than this from what is expected is odd. Less than every stream's lag: no window closes in the future.
const ODD_MS: i64 = 60_000;
/// A person is told of clocks that differ by more.
const DIFFERS_MS: i64 = 5 * 60_000;
/// Answers overtake each other, and tell whole seconds: going back by less is no going back.
const OVERTAKING_MS: i64 = 5_000;

/// A time, milliseconds since 1970, and the monotonic clock when it was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    at: i64,
    mono: Duration,
}

impl Told {
    fn now(self, mono: Duration) -> i64 {
        let passed = i64::try_from(mono.saturating_sub(self.mono).as_millis()).unwrap_or(i64::MAX);
        self.at.saturating_add(passed)
    }
}

/// What is known of one provider's clock. It reads no clock itself.
#[derive(Debug, Default)]
pub(super) struct ProviderTime {
    believed: Option<Told>,
    /// An odd answer, until a second one agrees or a fitting one comes.
    doubted: Option<Told>,
}

impl ProviderTime {
    /// The provider's time now, once it is known.
    pub(super) fn now(&self, mono: Duration) -> Option<i64> {
        self.believed.map(|told| told.now(mono))
    }

    /// Learns from an answer's `date`; `mono` and `wall` are this machine's clocks. Its wall clock only helps to believe the
    /// very first answer.
    pub(super) fn learn(&mut self, date: i64, mono: Duration, wall: i64) {
        let told = Told { at: date, mono };
        let near = |other: i64| date.abs_diff(other) <= ODD_MS.unsigned_abs();
        let expected = self.now(mono).unwrap_or(wall);
        let fits = near(expected) || (date > expected && planted("leap_believed"));
        let agreed = self.doubted.is_some_and(|one| near(one.now(mono)));
        if !fits && !agreed {
            self.doubted = Some(told);
            return;
        }
        self.doubted = None;
        let known = self.now(mono).filter(|_| fits);
        if known.is_none_or(|known| date > known || known - date > OVERTAKING_MS) {
            self.believed = Some(told);
        }
    }

    /// The condition that the two clocks differ, as far as a person should know.
    pub(super) fn differs(&self, mono: Duration, wall: i64) -> Option<Problem> {
        let ahead = self.now(mono)?.saturating_sub(wall);
        let minutes = ahead.unsigned_abs() / 60_000;
        let way = if ahead > 0 { "behind" } else { "ahead of" };
        (ahead.unsigned_abs() > DIFFERS_MS.unsigned_abs()).then(|| {
            problem::SYNC_CLOCK.with(format!("this machine's clock is {minutes} minutes {way} the provider's"))
        })
    }
}

/// True for a window that no honest clock can have made: it ends, or was walked, in the provider's future.
pub(super) fn impossible(window: &Window, now: i64) -> bool {
    window.to_at > now || window.provider_at.is_some_and(|at| at > now.saturating_add(ODD_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WindowState;

    const HOUR: i64 = 3_600_000;
    const YEAR: i64 = 365 * 24 * HOUR;
    /// Some moment of 2026.
    const NOW: i64 = 1_773_835_200_000;

    /// Answers one second apart; the wall clock stands at `NOW` at first.
    fn after(dates: &[i64]) -> Option<i64> {
        let mut time = ProviderTime::default();
        let second = |at: usize| Duration::from_secs(at as u64);
        for (at, date) in dates.iter().enumerate() {
            time.learn(*date, second(at), NOW + 1000 * at as i64);
        }
        time.now(second(dates.len().saturating_sub(1)))
    }

    #[test]
    fn one_odd_answer_moves_nothing_and_two_that_agree_do() {
        assert_eq!(after(&[NOW]), Some(NOW));
        assert_eq!(after(&[NOW, NOW + YEAR]), Some(NOW + 1000));
        assert_eq!(after(&[NOW, NOW - YEAR]), Some(NOW + 1000));
        assert_eq!(after(&[NOW, NOW + YEAR, NOW + 2000, NOW + YEAR]), Some(NOW + 3000), "not one after the other");
        assert_eq!(after(&[NOW, NOW + YEAR, NOW - YEAR]), Some(NOW + 2000), "two that do not agree");
        assert_eq!(after(&[NOW, NOW + YEAR, NOW + YEAR + 1000]), Some(NOW + YEAR + 1000));
        assert_eq!(after(&[NOW, NOW - HOUR, NOW - HOUR]), Some(NOW - HOUR));
        let limits = [i64::MAX, i64::MIN, i64::MAX, i64::MIN];
        assert_eq!(after(&limits), None);
    }

    #[test]
    fn the_first_answer_is_held_against_the_wall_clock() {
        assert_eq!(after(&[NOW + ODD_MS]), Some(NOW + ODD_MS));
        assert_eq!(after(&[NOW + ODD_MS + 1]), None);
        assert_eq!(after(&[NOW - ODD_MS - 1]), None);
        assert_eq!(after(&[NOW + YEAR, NOW + YEAR]), Some(NOW + YEAR), "the wall clock may be wrong");
        assert_eq!(after(&[NOW + YEAR, NOW + 1000]), Some(NOW + 1000));
    }

    #[test]
    fn small_steps_are_followed_and_time_does_not_go_back_by_overtaking() {
        assert_eq!(after(&[NOW, NOW + 1000 + ODD_MS]), Some(NOW + 1000 + ODD_MS));
        assert_eq!(after(&[NOW, NOW + 1001 + ODD_MS]), Some(NOW + 1000));
        assert_eq!(after(&[NOW, NOW + 1000 - 5_000]), Some(NOW + 1000));
        assert_eq!(after(&[NOW, NOW + 1000 - 5_001]), Some(NOW - 4_001));
    }

    #[test]
    fn clocks_that_differ_are_told_either_way() {
        let mut time = ProviderTime::default();
        assert!(time.differs(Duration::ZERO, NOW).is_none(), "nothing is known");
        time.learn(NOW, Duration::ZERO, NOW);
        let told = |wall: i64| time.differs(Duration::ZERO, wall).map(|problem| problem.detail().to_owned());
        assert_eq!(told(NOW + DIFFERS_MS), None);
        assert_eq!(told(NOW + DIFFERS_MS + 1).unwrap(), "this machine's clock is 5 minutes ahead of the provider's");
        assert_eq!(told(NOW - YEAR).unwrap(), "this machine's clock is 525600 minutes behind the provider's");
    }

    #[test]
    fn windows_of_the_future_are_impossible() {
        let window = |to_at, provider_at| Window {
            window: 1,
            from_at: 0,
            to_at,
            state: WindowState::Complete,
            cursor: None,
            pages: 1,
            rows: 0,
            provider_at: Some(provider_at),
            declaration: "".into(),
            reason: None,
        };
        assert!(!impossible(&window(NOW, NOW + ODD_MS), NOW));
        assert!(impossible(&window(NOW + 1, NOW), NOW));
        assert!(impossible(&window(0, NOW + ODD_MS + 1), NOW), "it counts as settled too early");
    }
}
