//! The judge of what left: a batch is looked at when it comes to the receiver, and the outbox against what the receiver holds.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use counterfoil::egress::preview;
use counterfoil::egress::wire::guard;
use counterfoil::problem::{self, Result as Told};
use counterfoil::sandbox::{Direct, TruthStream};
use counterfoil::store::Reader;

use super::time::Time;

/// Looks at a batch when it comes to the receiver for the first time: the day that it tells of is in the store whole, and
/// what it says is exactly what the gate makes of that day.
pub(super) fn batch(
    direct: &Direct,
    time: &Time,
    (store, outbox): (&Path, &Path),
    seq: i64,
    bytes: &[u8],
) -> Result<(), String> {
    let reading = guard::check(bytes).map_err(|refusal| format!("batch {seq}: {refusal}"))?;
    if reading.cells.iter().any(|cell| cell.count < 10) {
        return Err(format!("batch {seq}: a cell of fewer than ten"));
    }
    if reading.late {
        return Ok(());
    }
    let reader = Reader::open(store).map_err(|problem| problem.to_string())?;
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
    // Where it was released this very moment, the store is still what it was made from.
    let (made, accepted) = released(outbox, seq).unwrap_or_default();
    if made != time.wall() || accepted > start * 1000 {
        return Ok(());
    }
    let day = counterfoil::egress::wire::Day::of_ms(start * 1000);
    let expected = preview(None, reader.connection(), time.now(), day).map_err(|problem| problem.to_string())?;
    let same = expected.first().is_some_and(|expected| expected.reading.bytes().as_slice() == bytes);
    if same { Ok(()) } else { Err(format!("batch {seq}: not what the gate makes of its day")) }
}

/// A batch that the outbox takes for received and that the receiver does not hold with the same bytes.
#[allow(clippy::disallowed_methods)] // the judge looks into the outbox's own file
pub(super) fn not_received(outbox: &Path, direct: &Direct) -> Told<Option<i64>> {
    let held: HashMap<i64, Vec<u8>> = direct.batches()?.into_iter().map(|batch| (batch.seq, batch.bytes)).collect();
    let sent = || -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        let db = rusqlite::Connection::open_with_flags(outbox, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = db.prepare("SELECT seq, bytes FROM outbox WHERE state = 'acknowledged' ORDER BY seq")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let sent = sent().map_err(|error| problem::STORE_IO.with(error))?;
    Ok(sent.into_iter().find(|(seq, bytes)| held.get(seq) != Some(bytes)).map(|(seq, _)| seq))
}

/// When a batch was released, and when the consent was given.
#[allow(clippy::disallowed_methods)] // the judge looks into the outbox's own file
fn released(outbox: &Path, seq: i64) -> rusqlite::Result<(i64, i64)> {
    let db = rusqlite::Connection::open_with_flags(outbox, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT outbox.created_at, accepted_at FROM outbox JOIN consents USING (consent) WHERE seq = ?1";
    db.query_row(sql, [seq], |row| Ok((row.get(0)?, row.get(1)?)))
}
