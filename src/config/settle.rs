//! When to look at the file, and what a look means: the decisions of the watcher without its waiting. Times are readings of
//! the monotonic clock that are handed in; nothing here touches a file or a clock.

use std::time::Duration;

use super::Look;
use super::hash::Hash;

/// The file must be left alone for so long before it is read: editors write in steps.
pub(super) const QUIET: Duration = Duration::from_millis(250);
/// A file that is never left alone is read after so long all the same.
pub(super) const LONGEST: Duration = Duration::from_secs(2);
/// A file that is missing, empty or unreadable is given so long to come back: some editors move it away first.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Between two looks without a hint: network folders announce nothing.
pub(super) const POLL: Duration = Duration::from_secs(30);
/// The same where no folder can be watched at all.
pub(super) const POLL_DEAF: Duration = Duration::from_secs(2);

/// What one look showed, as far as it matters for telling things apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Missing,
    Unreadable(&'static str),
    Empty,
    Content(Hash),
}

/// What to do about a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet: it may be half-way through being replaced.
    Wait,
    /// It is what is in force.
    InForce,
    /// It is what is in force again, after something else was refused: say so.
    BackInForce,
    /// It is what was refused already.
    KnownRefused,
    /// Parse it, and tell what comes of it: then call [`Settler::accepted`] or [`Settler::refused`].
    Judge,
}

/// The watcher's memory.
#[derive(Debug)]
pub(super) struct Settler {
    in_force: Hash,
    refused: Option<Sight>,
    /// First and last hint since the last look.
    hints: Option<(Duration, Duration)>,
    /// Since when the file has been unusable, until it is told.
    unusable: Option<Duration>,
    poll_at: Duration,
}

impl Settler {
    /// Looks at once: the file may have changed since it was loaded.
    pub(super) fn new(now: Duration, in_force: Hash) -> Self {
        Self { in_force, refused: None, hints: None, unusable: None, poll_at: now }
    }

    /// Something happened near the file.
    pub(super) fn hint(&mut self, now: Duration) {
        let first = self.hints.map_or(now, |(first, _)| first);
        self.hints = Some((first, now));
    }

    /// The moment of the next look.
    pub(super) fn next_look(&self) -> Duration {
        let hinted = self.hints.map(|(first, last)| (last + QUIET).min(first + LONGEST));
        let graced = self.unusable.map(|since| since + GRACE);
        [hinted, graced].into_iter().flatten().fold(self.poll_at, Duration::min)
    }

    /// A look was taken. `asked`: a person asked for it, and is owed an answer without the grace. `deaf`: no folder is
    /// watched.
    pub(super) fn seen(&mut self, now: Duration, look: &Look, asked: bool, deaf: bool) -> Verdict {
        self.hints = None;
        self.poll_at = now + if deaf { POLL_DEAF } else { POLL };
        let sight = sight(look);
        if sight == Sight::Content(self.in_force) {
            self.unusable = None;
            return if self.refused.take().is_some() { Verdict::BackInForce } else { Verdict::InForce };
        }
        if self.refused == Some(sight) {
            self.unusable = None;
            return Verdict::KnownRefused;
        }
        if let Sight::Content(_) = sight {
            self.unusable = None;
            return Verdict::Judge;
        }
        let since = *self.unusable.get_or_insert(now);
        if asked || now >= since + GRACE {
            self.unusable = None;
            return Verdict::Judge;
        }
        Verdict::Wait
    }

    /// What was judged is a configuration, and was handed on.
    pub(super) fn accepted(&mut self, hash: Hash) {
        self.in_force = hash;
        self.refused = None;
    }

    /// What was judged is none.
    pub(super) fn refused(&mut self, look: &Look) {
        self.refused = Some(sight(look));
    }
}

fn sight(look: &Look) -> Sight {
    match look {
        Look::Missing => Sight::Missing,
        Look::Unreadable(why) => Sight::Unreadable(why),
        Look::Empty => Sight::Empty,
        Look::Bytes(bytes) => Sight::Content(Hash::of(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn text(text: &str) -> Look {
        Look::Bytes(text.as_bytes().to_vec())
    }

    /// A settler that has looked once, at zero, and found `a` in force.
    fn settled() -> Settler {
        let mut settler = Settler::new(ms(0), Hash::of(b"a"));
        assert_eq!(settler.next_look(), ms(0), "it looks at once");
        assert_eq!(settler.seen(ms(0), &text("a"), false, false), Verdict::InForce);
        settler
    }

    #[test]
    fn a_look_waits_for_quiet_but_not_for_ever() {
        let mut settler = settled();
        assert_eq!(settler.next_look(), POLL, "without a hint only the poll looks");
        settler.hint(ms(1_000));
        assert_eq!(settler.next_look(), ms(1_250));
        settler.hint(ms(1_200));
        assert_eq!(settler.next_look(), ms(1_450), "each hint begins the quiet time anew");
        for at in (1_300..4_000).step_by(100) {
            settler.hint(ms(at));
        }
        assert_eq!(settler.next_look(), ms(3_000), "two seconds after the first hint at the latest");
        assert_eq!(settler.seen(ms(3_000), &text("a"), false, false), Verdict::InForce);
        assert_eq!(settler.next_look(), ms(3_000) + POLL, "a look uses the hints up");
    }

    #[test]
    fn new_content_is_judged_once() {
        let mut settler = settled();
        assert_eq!(settler.seen(ms(1), &text("b"), false, false), Verdict::Judge);
        settler.accepted(Hash::of(b"b"));
        assert_eq!(settler.seen(ms(2), &text("b"), false, false), Verdict::InForce);
        assert_eq!(settler.seen(ms(3), &text("broken"), false, false), Verdict::Judge);
        settler.refused(&text("broken"));
        assert_eq!(settler.seen(ms(4), &text("broken"), false, false), Verdict::KnownRefused);
        assert_eq!(settler.seen(ms(5), &text("worse"), false, false), Verdict::Judge, "other faults are told anew");
        settler.refused(&text("worse"));
        assert_eq!(settler.seen(ms(6), &text("b"), false, false), Verdict::BackInForce);
        assert_eq!(settler.seen(ms(7), &text("b"), false, false), Verdict::InForce, "said once");
    }

    #[test]
    fn an_unusable_file_has_its_grace() {
        for bad in [Look::Missing, Look::Empty, Look::Unreadable("x")] {
            let mut settler = settled();
            settler.hint(ms(1_000));
            assert_eq!(settler.seen(ms(1_250), &bad, false, false), Verdict::Wait);
            assert_eq!(settler.next_look(), ms(3_250));
            settler.hint(ms(2_000));
            assert_eq!(
                settler.seen(ms(2_250), &bad, false, false),
                Verdict::Wait,
                "a look in between does not prolong it"
            );
            assert_eq!(settler.next_look(), ms(3_250));
            assert_eq!(settler.seen(ms(3_250), &bad, false, false), Verdict::Judge);
            settler.refused(&bad);
            assert_eq!(settler.next_look(), ms(3_250) + POLL);
            assert_eq!(settler.seen(ms(9_000), &bad, false, false), Verdict::KnownRefused);
            assert_eq!(settler.seen(ms(9_500), &text("a"), false, false), Verdict::BackInForce);
        }
    }

    #[test]
    fn a_file_that_comes_back_in_time_was_never_away() {
        let mut settler = settled();
        assert_eq!(settler.seen(ms(1_000), &Look::Missing, false, false), Verdict::Wait);
        assert_eq!(settler.seen(ms(1_500), &Look::Empty, false, false), Verdict::Wait);
        assert_eq!(settler.seen(ms(2_000), &text("a"), false, false), Verdict::InForce);
        assert_eq!(settler.next_look(), ms(2_000) + POLL, "the grace is over with the return");
        assert_eq!(settler.seen(ms(9_000), &Look::Missing, false, false), Verdict::Wait, "and begins anew next time");
        assert_eq!(settler.next_look(), ms(11_000));
    }

    #[test]
    fn who_asks_is_answered_at_once() {
        let mut settler = settled();
        assert_eq!(settler.seen(ms(10), &Look::Missing, true, false), Verdict::Judge);
        settler.refused(&Look::Missing);
        assert_eq!(settler.seen(ms(20), &Look::Missing, true, false), Verdict::KnownRefused);
    }

    #[test]
    fn without_a_watched_folder_it_looks_more_often() {
        let mut settler = settled();
        assert_eq!(settler.seen(ms(100), &text("a"), false, true), Verdict::InForce);
        assert_eq!(settler.next_look(), ms(100) + POLL_DEAF);
    }
}
