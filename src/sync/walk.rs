//! Walking one window: page after page of a list, or halves of a window until one response holds all of it. Each page is
//! committed with its checkpoint before the next one is asked for.

use super::call::{Stop, malformed};
use super::pass::{Connection, Line};
use crate::problem::{self, Problem, Result};
use crate::providers::{Position, Turn};
use crate::store::{Commit, Committed, Step};
use crate::stream::{Page, Value};
use crate::testpoint::{kill_point, planted};

/// A window that is open in the store, in whole seconds.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) window: i64,
    pub(super) from_s: i64,
    pub(super) to_s: i64,
    pub(super) cursor: Option<String>,
}

/// Walks a list's window to its end. Returns the pages it took.
pub(super) async fn list(of: &Connection, line: &Line, open: &Open) -> Result<i64> {
    let mut cursor = open.cursor.clone();
    let (mut pages, mut below, mut restarted) = (0, i64::MAX, false);
    loop {
        let at = Position { from_s: open.from_s, to_s: open.to_s, cursor: cursor.clone(), limit: line.stream.limit };
        let (page, seq) = match read(of, line, &at).await {
            Ok(read) => read,
            // The object that the cursor names may be gone: the window is walked again from its beginning.
            Err(stop) if stop.refused() && cursor.is_some() && !restarted => {
                (cursor, below, restarted) = (None, i64::MAX, true);
                restart(of, line, open.window).await?;
                continue;
            }
            Err(stop) => return Err(stop.problem()),
        };
        let turn = (of.provider.page)(line.stream, &page, &at).map_err(contradiction)?;
        below = in_order(line, &page, &at, below)?;
        pages += 1;
        let step = match turn {
            Turn::Done => Step::Complete { window: open.window },
            Turn::More(next) if Some(&next) == cursor.as_ref() => {
                return Err(contradiction("the same page came twice"));
            }
            Turn::More(next) => {
                cursor = Some(next.clone());
                Step::Continue { window: open.window, cursor: next }
            }
            Turn::TooFull => return Err(contradiction("a list that says it is too full")),
        };
        let last = matches!(step, Step::Complete { .. });
        commit(of, line, page, seq, step).await?;
        if last {
            return Ok(pages);
        }
    }
}

/// Walks a window by halves, newest first. Returns the responses it took.
pub(super) async fn halved(of: &Connection, line: &Line, open: &Open) -> Result<i64> {
    let mut left = vec![open.clone()];
    let mut pages = 0;
    while let Some(open) = left.pop() {
        let at = Position { from_s: open.from_s, to_s: open.to_s, cursor: None, limit: line.stream.limit };
        let (page, seq) = read(of, line, &at).await.map_err(|stop| stop.problem())?;
        pages += 1;
        match (of.provider.page)(line.stream, &page, &at).map_err(contradiction)? {
            Turn::Done => {
                commit(of, line, page, seq, Step::Complete { window: open.window }).await?;
            }
            Turn::TooFull if open.to_s - open.from_s <= 1 => full_second(of, line, page, seq, &open).await?,
            Turn::TooFull => {
                let middle = open.from_s + (open.to_s - open.from_s) / 2;
                let window = open.window;
                let (older, newer) = of.store.run(move |store| store.split_window(window, middle * 1000)).await?;
                kill_point("window.split");
                left.push(Open { window: older, to_s: middle, ..open.clone() });
                left.push(Open { window: newer, from_s: middle, ..open });
            }
            Turn::More(_) => return Err(contradiction("a search that goes on")),
        }
    }
    Ok(pages)
}

/// A second that is still too full: what it showed is kept, and the second is stated as a gap.
async fn full_second(of: &Connection, line: &Line, page: Page, seq: i64, open: &Open) -> Result<()> {
    commit(of, line, page, seq, Step::Nothing).await?;
    let window = open.window;
    of.store.run(move |store| store.give_up_window(window, "full_second")).await?;
    of.note(Some(line), problem::SYNC_FULL_SECOND.with(format!("{}, second {}", line.table(), open.from_s))).await
}

/// Reads one page: the number of the read is taken before the request is sent.
async fn read(of: &Connection, line: &Line, at: &Position) -> std::result::Result<(Page, i64), Stop> {
    let seq = of.read_seq().await?;
    let ask = (of.provider.request)(line.stream, at);
    let counted = || of.progress.update(&line.name(of), |progress| progress.requests += 1);
    let answer = of.caller.call(&ask, counted).await?;
    kill_point("page.received");
    let page = line.projection.page(answer.body, &line.stream.shape).map_err(malformed)?;
    Ok((page, seq))
}

async fn restart(of: &Connection, line: &Line, window: i64) -> Result<()> {
    let (now, declaration) = (of.caller.provider_now().unwrap_or(0), line.upsert.declaration.clone());
    of.store.run(move |store| store.restart_window(window, now, &declaration)).await
}

async fn commit(of: &Connection, line: &Line, page: Page, read_seq: i64, step: Step) -> Result<Committed> {
    let bytes = page.bytes() as u64;
    let source = match line.stream.way {
        crate::providers::Way::List => "list",
        crate::providers::Way::Halved => "search",
    };
    let upsert = line.upsert.clone();
    let mut commit = Commit { upsert, page, read_seq, read_at: of.clock.wall_ms(), source, step };
    if planted("ack_before_commit") {
        acknowledge_first(of, &mut commit).await?;
    }
    kill_point("page.before_commit");
    let committed = of.store.run(move |store| store.commit_page(&commit)).await?;
    kill_point("page.after_commit");
    of.progress.update(&line.name(of), |progress| {
        progress.pages += 1;
        progress.rows += committed.records;
        progress.rejected += committed.rejected;
        progress.bytes += bytes;
    });
    Ok(committed)
}

/// The planted bug: the checkpoint moves in a commit of its own, before the rows are in.
async fn acknowledge_first(of: &Connection, commit: &mut Commit) -> Result<()> {
    let (upsert, step) = (commit.upsert.clone(), std::mem::replace(&mut commit.step, Step::Nothing));
    let at = commit.read_at;
    of.store.run(move |store| store.step(&upsert, &step, 0, 0, at)).await
}

/// A list is newest first and within its window; anything else is not the list that was asked for. Returns the oldest time
/// seen, below which the next page must begin.
fn in_order(line: &Line, page: &Page, at: &Position, mut below: i64) -> Result<i64> {
    let rows = &page.tables[0];
    for row in 0..rows.len() {
        let Value::Int(time) = page.value(rows.row(row)[line.clock_cell]) else { continue };
        if time < at.from_s * 1000 || time >= at.to_s * 1000 {
            return Err(contradiction("a record outside the window"));
        }
        if time > below {
            return Err(contradiction("records out of order"));
        }
        below = time;
    }
    Ok(below)
}

fn contradiction(why: &str) -> Problem {
    problem::SYNC_CONTRADICTION.with(why)
}
