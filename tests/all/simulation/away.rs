//! The judge of what left: each batch when it comes for the first time, and all of it in the quiet tail.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use counterfoil::agent::parts::Parts;
use counterfoil::agent::upstream as agent;
use counterfoil::egress::wire::{DAY_MS, guard};
use counterfoil::egress::{Outbox, preview};
use counterfoil::problem::{self, Result as Told};
use counterfoil::sandbox::{Direct, TruthStream};
use counterfoil::store::Reader;

use super::options::{DAY, HOUR};
use super::storm::Storm;
use super::time::Time;

/// In the quiet tail: all that is due is released, sent and counted once.
pub(super) fn upstream(storm: &Storm, time: &Time, parts: &Parts) -> Told<Result<(), String>> {
    let reader = Reader::open(&parts.store_path)?;
    let outbox = Outbox::open_read_only(&parts.paths.egress(), &parts.store_uuid)?;
    let struck = storm.passed().struck.clone();
    let stopped = outbox.consent()?.is_some_and(|consent| consent.stopped.is_some());
    let excused = ["Conflict", "OutboxRestored", "TooLong"].iter().any(|fault| struck.contains_key(*fault));
    let next = outbox.next_day()?;
    let since = next.map(|day| day.start_ms());
    let until = agent::settled_until(&reader, &agent::starts(&parts.config()), since)?;
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    let (mut all, mut days) = (0, BTreeSet::new());
    for batch in storm.direct.batches()? {
        let Ok(reading) = guard::check(&batch.bytes) else { return Ok(Err("a batch is not canonical".to_owned())) };
        let sum: i64 = reading.cells.iter().map(|cell| i64::from(cell.count)).sum();
        all += sum;
        if !reading.late {
            *counted.entry(batch.period.clone()).or_default() += sum;
            days.insert(batch.period.clone());
        }
    }
    let sql = "SELECT day, count(*) FROM payment_attempts WHERE method = 'card' GROUP BY day";
    let held: BTreeMap<String, i64> =
        reader.table(sql)?.rows.iter().filter_map(|row| Some((row[0].str()?.to_owned(), row[1].int()?))).collect();
    if let Some(lost) = not_received(&parts.paths.egress(), &storm.direct)? {
        return Ok(Err(format!("batch {lost} counts as received, and was not")));
    }
    let too_many = counted.iter().find(|(day, count)| held.get(*day).is_none_or(|held| *count > held));
    if let Some((day, count)) = too_many {
        return Ok(Err(format!("{day}: {count} events were counted, {:?} there are", held.get(day))));
    }
    let there: i64 = held.iter().filter(|(day, _)| Some(*day) >= days.first()).map(|(_, count)| count).sum();
    if all > there {
        return Ok(Err(format!("{all} events were counted in all, {there} there are")));
    }
    // Behind a second that is too full nothing is proven.
    let gap = reader.table("SELECT 1 FROM coverage WHERE state = 'gap'")?;
    if stopped || excused || !gap.rows.is_empty() {
        return Ok(Ok(()));
    }
    let due = |day_end: i64| until.is_some_and(|until| day_end + 3 * DAY_MS <= until);
    Ok(match (outbox.waiting()?, next, until) {
        ((0, 0), Some(next), _) if due(next.end_ms()) => Err(format!("{next} is due and not released")),
        ((0, 0), _, Some(until)) if until < time.now() - 2 * DAY => {
            Err(format!("proven only up to {} h ago", (time.now() - until) / HOUR))
        }
        ((0, 0), _, _) => Ok(()),
        (waiting, _, _) => Err(format!("in the quiet tail {waiting:?} batches wait")),
    })
}

/// Looks at a batch when it comes to the receiver for the first time: the day that it tells of is in the store whole, and
/// what it says is exactly what the gate makes of that day. Returns how many batches were compared byte for byte.
pub(super) fn batch(
    direct: &Direct,
    time: &Time,
    (reader, outbox): (&Reader, &Path),
    seq: i64,
    bytes: &[u8],
) -> Result<usize, String> {
    let reading = guard::check(bytes).map_err(|refusal| format!("batch {seq}: {refusal}"))?;
    if reading.cells.iter().any(|cell| cell.count < 10) {
        return Err(format!("batch {seq}: a cell of fewer than ten"));
    }
    if reading.late {
        return Ok(0);
    }
    let day: jiff::civil::Date = reading.period.parse().map_err(|_| format!("batch {seq}: no day"))?;
    let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?.timestamp().as_second();
    if time.now() < (start + 86_400 + 3 * 86_400) * 1000 {
        return Err(format!("batch {seq}: {day} is released before its lag has passed"));
    }
    let sql = format!("SELECT provider, attempt_id FROM payment_attempts WHERE day = '{day}'");
    let held = reader.table(&sql).map_err(|problem| problem.to_string())?;
    let held: BTreeSet<&str> = held.rows.iter().filter_map(|row| row[1].str()).collect();
    for stream in [TruthStream::StripeCharges, TruthStream::CheckoutPayments] {
        let truth = direct.truth(stream, start, start + 86_400);
        let missing = truth.iter().find(|one| one.at_ms < (start + 86_400) * 1000 && !held.contains(one.id.as_str()));
        if let Some(missing) = missing {
            return Err(format!("batch {seq}: {day} is released without {}", missing.id));
        }
    }
    as_released(time, reader, outbox)
}

/// Where batches were released this very moment, the store is still what they were made from: each is byte for byte what the
/// gate makes of its day. Returns how many those are.
fn as_released(time: &Time, reader: &Reader, outbox: &Path) -> Result<usize, String> {
    let mut compared = 0;
    for (seq, first_day, bytes) in released(outbox, time.wall()).map_err(|error| error.to_string())? {
        let day = counterfoil::egress::wire::Day::from_number(first_day);
        let expected = preview(None, reader.connection(), time.now(), day).map_err(|problem| problem.to_string())?;
        if expected.first().is_none_or(|expected| expected.reading.bytes().as_slice() != bytes) {
            return Err(format!("batch {seq}: not what the gate makes of its day"));
        }
        compared += 1;
    }
    Ok(compared)
}

/// A batch that the outbox takes for received and that the receiver does not hold with the same bytes.
#[allow(clippy::disallowed_methods)] // the judge looks into the outbox's own file
fn not_received(outbox: &Path, direct: &Direct) -> Told<Option<i64>> {
    let held: HashMap<i64, Vec<u8>> = direct.batches()?.into_iter().map(|batch| (batch.seq, batch.bytes)).collect();
    let sent = || -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        let db = rusqlite::Connection::open_with_flags(outbox, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = db.prepare("SELECT seq, bytes FROM outbox WHERE state = 'acknowledged' ORDER BY seq")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let sent = sent().map_err(|error| problem::STORE_IO.with(error))?;
    Ok(sent.into_iter().find(|(seq, bytes)| held.get(seq) != Some(bytes)).map(|(seq, _)| seq))
}

/// Batches of whole days that were released at this moment: number, day, bytes. (The first day of a consent counts from the
/// moment of the consent on.)
#[allow(clippy::disallowed_methods)] // the judge looks into the outbox's own file
fn released(outbox: &Path, at: i64) -> rusqlite::Result<Vec<(i64, i64, Vec<u8>)>> {
    let db = rusqlite::Connection::open_with_flags(outbox, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT seq, first_day, bytes FROM outbox JOIN consents USING (consent)
        WHERE created_at = ?1 AND late = 0 AND accepted_at <= first_day * 86400000 ORDER BY seq";
    let mut statement = db.prepare(sql)?;
    statement.query_map([at], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}
