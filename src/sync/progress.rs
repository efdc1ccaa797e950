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
