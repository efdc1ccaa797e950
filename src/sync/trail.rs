//! What the pages of one walk must be held to: within the window, newest first, no record twice. A page that is not cannot
//! be the one that was asked for.

use std::collections::HashSet;

use super::connection::Line;
use crate::problem::{self, Problem, Result};
use crate::providers::Position;
use crate::stream::{Page, Value};

/// What the pages of a list have shown so far: the next one must fit behind it.
pub(super) struct Trail {
    /// The last id of the last page.
    pub(super) cursor: Option<String>,
    /// No record may be newer than this.
    below: i64,
    seen: HashSet<String>,
}

/// Every record lies within these seconds: anything else is not what was asked for.
pub(super) fn inside(line: &Line, page: &Page, (from_s, to_s): (i64, i64)) -> Result<()> {
    let rows = &page.tables[0];
    let times = (0..rows.len()).map(|row| page.value(rows.row(row)[line.clock_cell]));
    let outside = |time: Value<'_>| matches!(time, Value::Int(time) if time < from_s * 1000 || time > to_s * 1000);
    if times.into_iter().any(outside) { Err(contradiction("a record outside the window")) } else { Ok(()) }
}

/// No record is there twice: in the place of another, that would be lost.
pub(super) fn distinct(page: &Page, seen: &mut HashSet<String>) -> Result<()> {
    if page.ids().all(|id| seen.insert(id.to_owned())) { Ok(()) } else { Err(contradiction("a record came twice")) }
}

impl Trail {
    pub(super) fn after(cursor: Option<String>) -> Self {
        Self { seen: cursor.iter().cloned().collect(), cursor, below: i64::MAX }
    }

    /// A list is newest first, within its window, and shows each record once; anything else is not the list that was asked
    /// for.
    pub(super) fn follow(&mut self, line: &Line, page: &Page, at: &Position) -> Result<()> {
        let rows = &page.tables[0];
        for row in 0..rows.len() {
            let Value::Int(time) = page.value(rows.row(row)[line.clock_cell]) else { continue };
            if time < at.from_s * 1000 || time >= at.to_s * 1000 {
                return Err(contradiction("a record outside the window"));
            }
            if time > self.below {
                return Err(contradiction("records out of order"));
            }
            self.below = time;
        }
        distinct(page, &mut self.seen)
    }
}

pub(super) fn contradiction(why: &str) -> Problem {
    problem::SYNC_CONTRADICTION.with(why)
}
