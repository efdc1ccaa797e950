//! Progress of a pass, for whoever looks: counts by stream, the rate, and an honest time left (or none).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What one stream has done since its connection was made ready; `walked` and `whole` are those of the pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamProgress {
    /// Requests sent, tries included.
    pub requests: u64,
    /// Pages stored.
    pub pages: u64,
    /// Records stored.
    pub rows: u64,
    /// Records and elements that did not convert.
    pub rejected: u64,
    /// Bytes of pages.
    pub bytes: u64,
    /// Milliseconds of the frame that are walked.
    pub walked: i64,
    /// Milliseconds of the frame.
    pub whole: i64,
    /// Nothing is left to do.
    pub done: bool,
}

/// The progress of a pass; shared.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<String, StreamProgress>>);

impl Progress {
    /// Changes the counts of one stream.
    pub fn update(&self, stream: &str, change: impl FnOnce(&mut StreamProgress)) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(streams.entry(stream.to_owned()).or_default());
    }

    /// The counts of all streams.
    pub fn streams(&self) -> BTreeMap<String, StreamProgress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a stream has done since `before` was noted.
    pub fn since(&self, stream: &str, before: &BTreeMap<String, StreamProgress>) -> StreamProgress {
        let now = self.streams().get(stream).copied().unwrap_or_default();
        let then = before.get(stream).copied().unwrap_or_default();
        StreamProgress {
            requests: now.requests - then.requests,
            pages: now.pages - then.pages,
            rows: now.rows - then.rows,
            rejected: now.rejected - then.rejected,
            bytes: now.bytes - then.bytes,
            ..now
        }
    }

    /// All streams together.
    pub fn total(&self) -> StreamProgress {
        self.streams().values().fold(StreamProgress::default(), |sum, one| StreamProgress {
            requests: sum.requests + one.requests,
            pages: sum.pages + one.pages,
            rows: sum.rows + one.rows,
            rejected: sum.rejected + one.rejected,
            bytes: sum.bytes + one.bytes,
            walked: sum.walked + one.walked,
            whole: sum.whole + one.whole,
            done: false,
        })
    }

    /// The time left, from the share of the frames that is walked; `None` while too little is known to say.
    pub fn left(&self, elapsed: Duration) -> Option<Duration> {
        let total = self.total();
        if total.whole <= 0 || total.walked * 20 < total.whole || elapsed < Duration::from_secs(2) {
            return None;
        }
        let (walked, whole) = (total.walked as f64, total.whole as f64);
        Some(elapsed.mul_f64((whole - walked) / walked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two streams that have done different things, and what was noted of the first one before.
    fn two() -> (Progress, BTreeMap<String, StreamProgress>) {
        let of = |n: u64| StreamProgress {
            requests: n + 1,
            pages: n + 2,
            rows: n + 3,
            rejected: n + 4,
            bytes: n + 5,
            walked: n as i64 + 6,
            whole: n as i64 + 107,
            done: true,
        };
        let progress = Progress::default();
        progress.update("a", |one| *one = of(10));
        progress.update("b", |one| *one = of(20));
        let before = StreamProgress { requests: 2, pages: 3, rows: 5, rejected: 7, bytes: 11, ..Default::default() };
        (progress, [("a".to_owned(), before)].into())
    }

    #[test]
    fn what_was_done_since_is_what_is_done_less_what_was_done_before() {
        let (progress, before) = two();
        let did = progress.since("a", &before);
        assert_eq!((did.requests, did.pages, did.rows, did.rejected, did.bytes), (9, 9, 8, 7, 4));
        assert_eq!((did.walked, did.whole, did.done), (16, 117, true), "these are the pass's own");
        assert_eq!(progress.since("b", &before), progress.streams()["b"], "nothing was noted of it");
        assert_eq!(progress.since("c", &before), StreamProgress::default());
    }

    #[test]
    fn the_total_is_the_sum() {
        let total = two().0.total();
        assert_eq!((total.requests, total.pages, total.rows, total.rejected, total.bytes), (32, 34, 36, 38, 40));
        assert_eq!((total.walked, total.whole, total.done), (42, 244, false));
    }

    #[test]
    fn the_time_left_follows_from_the_share_that_is_walked_and_is_not_told_too_soon() {
        let left = |walked, whole, seconds| {
            let progress = Progress::default();
            progress.update("a", |one| (one.walked, one.whole) = (walked, whole));
            progress.left(Duration::from_secs(seconds))
        };
        assert_eq!(left(25, 100, 10), Some(Duration::from_secs(30)));
        assert_eq!(left(100, 100, 10), Some(Duration::ZERO));
        assert_eq!(left(5, 100, 2), Some(Duration::from_secs(38)), "a twentieth, after two seconds");
        assert_eq!(left(4, 100, 10), None, "too little to tell by");
        assert_eq!(left(25, 100, 1), None, "too soon");
        assert_eq!(left(0, 0, 10), None, "nothing to do");
    }
}
