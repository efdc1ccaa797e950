//! Reading again what changed: marks become single reads or windows, whichever costs less, and a mark goes when a read that
//! was sent after it, and can have seen what changed, is in. Once a day the rows whose state is not final are marked as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::call::Stop;
use super::change::{Reading, readings, requests};
use super::connection::{Connection, Line};
use super::plan::Purpose;
use super::span::Span;
use super::walk::{self, Open};
use super::work::Work;
use crate::http::Failure;
use crate::problem::{self, Result};
use crate::providers::{Heard, Stream};
use crate::store::{BY_ID, Change, Step, Store, UNSETTLED};
use crate::stream::{Page, Shape, Value};
use crate::testpoint::{page_limit, planted};

/// A response that is one record.
const ONE: Shape = Shape { records: None, leaves: &[] };

/// What is to be read: which lane, and how.
type Queue = Mutex<VecDeque<(usize, Reading)>>;

/// Reads again all that is marked. `now` is the provider's time when the pass began.
pub(super) async fn changed(work: &Arc<Work>, now: i64) -> Result<()> {
    let count = work.lanes().len();
    for lane in 0..count {
        let line = work.lanes()[lane].line.clone();
        mark_unsettled(work, &line, now).await?;
    }
    // What a window did not show after all is read by itself.
    for singly in [false, true] {
        let mut queue = VecDeque::new();
        for lane in 0..count {
            let standing = standing(work, lane, now).await?;
            let lanes = work.lanes();
            let stuck = lanes[lane].doubts().of.contains(&Purpose::Change);
            let stream = lanes[lane].line.stream;
            let pages = |span: Span| {
                let expected = lanes[lane].plan.expected(span);
                // What lies before the start is held because something named it: a list of that time would bring all the rest.
                if singly || span.0 < work.of.start {
                    i64::MAX
                } else {
                    requests(stream.way, expected, page_limit(stream.limit))
                }
            };
            let recent = |change: &Change| recent(stream, (change.changed_at, &change.reason), now);
            let mut readings = readings(&standing, &recent, stream.one_takes(), &pages);
            // What could not be read last time is not what all others wait for.
            if stuck && !readings.is_empty() {
                let first = work.of.entropy.below(readings.len() as u64) as usize;
                readings.rotate_left(first);
            }
            queue.extend(readings.into_iter().map(|reading| (lane, reading)));
        }
        let queue: Arc<Queue> = Arc::new(Mutex::new(queue));
        work.side_by_side(|work| worker(work, queue.clone())).await?;
    }
    Ok(())
}

/// True for a change that the stream's index may not show yet. What is only not final tells of none, and is marked again the
/// next day.
fn recent(stream: &Stream, (changed_at, reason): (i64, &str), now: i64) -> bool {
    // Far ahead is what a wrong clock told.
    stream.behind_s > 0 && reason != UNSETTLED && (now - changed_at).abs() < stream.behind_s * 1000
}

/// The marks of a stream that stand. What we do not hold is left to the first walk while that is under way, and what could not
/// be read in this pass to the next.
async fn standing(work: &Work, lane: usize, now: i64) -> Result<Vec<Change>> {
    let (line, listed, missed) = {
        let lanes = work.lanes();
        let lane = &lanes[lane];
        if lane.problem.is_some() || lane.line.is_feed() {
            return Ok(Vec::new());
        }
        (lane.line.clone(), lane.plan.all_listed(), lane.missed.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>())
    };
    let (account, table, stream) = (work.of.account, line.table().to_owned(), line.stream);
    let settle = move |store: &mut Store| store.settle_changes(account, &table, stream.made, stream.behind_s * 1000);
    let changes = work.of.store.run(settle).await?;
    // The index cannot tell yet what was read by id.
    let early = |change: &Change| change.reason == BY_ID && recent(stream, (change.changed_at, BY_ID), now);
    let wanted = |change: &Change| (listed || change.made_at.is_some()) && !missed.contains(&change.id);
    Ok(changes.into_iter().filter(|change| wanted(change) && !early(change)).collect())
}

/// Once a day: what is not final, and was not read in this pass already, is to be read again. Where this is the only word of
/// a change, the rows may be old since the last such round.
async fn mark_unsettled(work: &Work, line: &Line, now: i64) -> Result<()> {
    let Some(condition) = line.stream.unsettled.filter(|_| !planted("unsettled_never")) else { return Ok(()) };
    let (account, table, start) = (work.of.account, line.table().to_owned(), work.of.start);
    let (only_word, began, seq) = (line.stream.heard == Heard::ByReading, work.began, work.of.read_seq().await?);
    let job = move |store: &mut Store| {
        let Some(due) = store.take_daily(account, &table, UNSETTLED, now)? else { return Ok(()) };
        let since = if only_word { due.last.unwrap_or(start) } else { now };
        store.mark_unsettled((account, &table), condition, (now, began), (since, seq)).map(|_| ())
    };
    work.of.store.run(job).await
}

async fn worker(work: Arc<Work>, queue: Arc<Queue>) -> Result<()> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some((lane, reading)) = next() {
        let line = {
            let lanes = work.lanes();
            if !lanes[lane].may_ask() || !work.may_go_on(Purpose::Change) {
                continue;
            }
            lanes[lane].line.clone()
        };
        let read = match &reading {
            Reading::One(id, made) => one(&work.of, &line, id, *made).await,
            Reading::Span(span) => span_again(&work.of, &line, *span).await.map(|()| true),
        };
        match read {
            Ok(true) => work.lanes()[lane].misses = 0,
            Ok(false) => {
                (work.lanes()[lane].noted, work.lanes()[lane].misses) = (true, 0);
                work.of.note(Some(&line), problem::SYNC_UNSEEN.plain()).await?;
            }
            Err(problem) => {
                match reading {
                    Reading::One(id, _) => work.lanes()[lane].missed_one(id, problem.clone()),
                    Reading::Span(_) => work.lanes()[lane].stopped_by(problem.clone(), Purpose::Change),
                }
                work.failed(&line, problem).await?;
            }
        }
    }
    Ok(())
}

/// Lists a span again. It was listed before, so the walk leaves no coverage of its own.
async fn span_again(of: &Connection, line: &Line, span: (i64, i64)) -> Result<()> {
    let open = Open::new(span, of.caller.provider_now().unwrap_or(0), Purpose::Change, 0.0);
    walk::window(of, line, open).await.map(|_| ())
}

/// Reads one object by its id, or finds it where the key may not. False when it shows itself neither way.
async fn one(of: &Connection, line: &Line, id: &str, made: Option<i64>) -> Result<bool> {
    let (account, table, marked) = (of.account, line.table().to_owned(), id.to_owned());
    let mark = of.store.run(move |store| store.standing(account, &table, &marked)).await?;
    let asked = of.read_seq().await?;
    if mark.as_ref().is_some_and(|(_, reason)| reason == BY_ID) {
        return rest(of, line, id, (made, asked)).await.map(|()| true);
    }
    let record = walk::fetch(of, line, &(of.provider.one)(line.stream, id), &ONE, Purpose::Change).await;
    // It shows itself, though not all of it may be read. Then it also tells when it was made.
    let there = record.is_ok();
    let made = record.as_ref().ok().and_then(|(page, _)| made_at(line, page)).or(made);
    let refused = match record {
        Ok(record) => match with_parts(of, line, id, record).await {
            Ok(read) => return keep(of, line, read, id, "get").await.map(|()| true),
            Err(stop) => stop,
        },
        Err(stop) => stop,
    };
    let Stop::Failure(Failure::Status(status)) = &refused else { return Err(refused.problem()) };
    let code = status.error_code.as_deref().unwrap_or_default();
    if !there && status.status == 404 && ((of.provider.gone)(code) || planted("any_404_is_gone")) {
        let (account, table, id, at) = (of.account, line.table().to_owned(), id.to_owned(), of.now_ms());
        of.store.run(move |store| store.tombstone(account, &table, &id, (asked, at))).await?;
        return Ok(true);
    }
    if !matches!(status.status, 403 | 404) || of.provider.find.is_none() {
        return Err(refused.problem());
    }
    if mark.is_some_and(|(changed_at, reason)| recent(line.stream, (changed_at, &reason), of.now_ms())) {
        // Search may not show it yet: a later pass asks, and until then the mark stands.
        return Ok(true);
    }
    match found(of, line, id, (made, asked)).await {
        Ok(Found::Kept) => Ok(true),
        Ok(Found::Unseen(asked)) if !there => {
            // Another entity's, perhaps: asking again would bring nothing new.
            forget(of, line, id, asked).await.map(|()| false)
        }
        Ok(_) => Err(refused.problem()),
        Err(stop) => Err(stop.problem()),
    }
}

/// What became of looking for an object.
enum Found {
    Kept,
    /// Not shown, by a read of this number.
    Unseen(i64),
    /// The provider cannot be asked for it.
    Nowhere,
}

/// Looks for one object in the index, and stores what it shows of it.
async fn found(
    of: &Connection,
    line: &Line,
    id: &str,
    (made, mut asked): (Option<i64>, i64),
) -> std::result::Result<Found, Stop> {
    let second = made.map(|made| made.div_euclid(1000));
    let Some(ask) = of.provider.find.and_then(|find| find(line.stream, id, second)) else { return Ok(Found::Nowhere) };
    // One answer without it may be odd: nobody would ask for it again.
    for _ in 0..2 {
        let (page, seq) = walk::fetch(of, line, &ask, &line.stream.shape, Purpose::Change).await?;
        if page.records > 0 {
            keep(of, line, vec![(page, seq)], id, "search").await?;
            return Ok(Found::Kept);
        }
        asked = seq;
    }
    Ok(Found::Unseen(asked))
}

/// Asks the index for the rest of what was read by id. What it does not show, or not of so long ago, was told by that.
async fn rest(of: &Connection, line: &Line, id: &str, (made, asked): (Option<i64>, i64)) -> Result<()> {
    let asked = match found(of, line, id, (made, asked)).await {
        Ok(Found::Kept) => return Ok(()),
        Ok(Found::Unseen(later)) => later,
        Ok(Found::Nowhere) => asked,
        Err(stop) if stop.refused() => asked,
        Err(Stop::Problem(problem)) if problem.is(&problem::SYNC_CONTRADICTION) => asked,
        Err(stop) => return Err(stop.problem()),
    };
    forget(of, line, id, asked).await
}

async fn forget(of: &Connection, line: &Line, id: &str, asked: i64) -> Result<()> {
    let (account, table, id) = (of.account, line.table().to_owned(), id.to_owned());
    let read = (asked, of.now_ms(), line.stream.behind_s * 1000);
    of.store.run(move |store| store.forget_change(account, &table, &id, read)).await
}

/// What one object was read as: its record, then its parts, each with the number of its read.
type Whole = Vec<(Page, i64)>;

/// Reads what a read by id leaves out of a record.
async fn with_parts(of: &Connection, line: &Line, id: &str, record: (Page, i64)) -> std::result::Result<Whole, Stop> {
    is_it(&record.0, id)?;
    // Parts of a record that does not convert would have no parent: as on a page, they go with it.
    let apart = line.stream.apart.iter().filter(|_| !record.0.tables[0].is_empty() && !planted("actions_left_out"));
    let mut parts = Vec::new();
    for part in apart {
        let project = |body| line.projection.part(&record.0, part.field, body);
        parts.push(walk::fetch_as(of, line, &(part.ask)(id), project, Purpose::Change).await?);
    }
    parts.insert(0, record);
    Ok(parts)
}

/// When a record that was read by its id was made: without that a search looks back for some months only.
fn made_at(line: &Line, page: &Page) -> Option<i64> {
    let rows = &page.tables[0];
    let time = (!rows.is_empty()).then(|| page.value(rows.row(0)[line.clock_cell]));
    if let Some(Value::Int(at)) = time { Some(at) } else { None }
}

/// A record that does not even tell its id may be anything, an error object too: it answers nothing.
fn is_it(page: &Page, id: &str) -> Result<()> {
    if page.records == 1 && page.last_id() == Some(id) {
        return Ok(());
    }
    Err(problem::SYNC_CONTRADICTION.with("another record than the one that was asked for"))
}

/// Stores the one record that was asked for, with its parts, in one transaction: a row that shows a change without the part
/// that made it would look as if all of the change were known, and its mark would go. The mark is settled by the read of the
/// record, which was sent first.
async fn keep(of: &Connection, line: &Line, whole: Whole, id: &str, source: &'static str) -> Result<()> {
    let mut commits = Vec::with_capacity(whole.len());
    for (at, (page, seq)) in whole.into_iter().enumerate() {
        let step = if at == 0 {
            is_it(&page, id)?;
            Step::One { id: id.to_owned() }
        } else {
            Step::Nothing
        };
        commits.push(walk::prepare(of, line, page, (seq, source), step).await?);
    }
    walk::commit_all(of, line, commits).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_may_not_show_what_changed_since_it_was_last_surely_right() {
        let stream = |provider: &str, name: &str| crate::providers::find(provider).unwrap().stream(name).unwrap();
        let (payments, now) = (stream("checkoutcom", "payments"), 10_000_000);
        let told = |ago: i64| (now - ago, "checkoutcom_disputes");
        assert!(recent(payments, told(899_999), now) && recent(payments, told(-1), now));
        assert!(!recent(payments, told(900_000), now));
        assert!(!recent(payments, (now, UNSETTLED), now), "nothing is told to have changed");
        // A list that is no index shows what is.
        assert!(!recent(stream("stripe", "charges"), (now + 1, "stripe_events"), now));
    }
}
