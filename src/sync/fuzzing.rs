//! A door for the fuzz targets: the planner, which this room keeps to itself, driven step by step. Only in debug builds; the
//! program never passes here.

use super::plan::{Bounds, Next, Plan, Purpose};
use super::span::Span;
use crate::store::Window;

/// The plan of one stream within one pass.
#[derive(Debug)]
pub struct Planner(Plan);

impl Planner {
    /// Begins a pass over what the windows leave to do; `size` is the width that windows had grown to (milliseconds).
    pub fn new(bounds: Bounds, declaration: &str, windows: Vec<Window>, size: Option<i64>) -> Self {
        Self(Plan::new(bounds, declaration, windows, size))
    }

    /// The next stretch for a purpose, and the open window to go on with, if it is one.
    pub fn next(&mut self, purpose: Purpose) -> Option<(Option<i64>, Span)> {
        let next = self.0.next(purpose)?;
        let span = next.span();
        match next {
            Next::Resume(window) => Some((Some(window.window), span)),
            Next::Fresh(_) => Some((None, span)),
        }
    }

    /// A stretch that was handed out is walked whole, in so many pages with so many records.
    pub fn done(&mut self, span: Span, provider_at: i64, walked: (i64, i64)) {
        self.0.done(span, provider_at, walked);
    }

    /// The width of the next window, in milliseconds.
    pub fn size(&self) -> i64 {
        self.0.size
    }
}
