//! Releases closed days: reads the day's events, asks the gate, and writes cells, marks, the frozen bytes and their link in
//! the chain in one transaction. A day is released once. The step that releases a Sunday also releases the late batch of
//! its ISO week: whatever was held back or has come to light since, as far back as the registry says. Time here is the
//! proven horizon that is handed in, never a clock. It sends nothing.

use std::collections::HashMap;

use ring::hmac;
use rusqlite::{Connection, OptionalExtension as _};

use super::consent::{Consent, Upstream};
use super::db::{Outbox, broken};
use super::facts;
use super::gate::{Event, Gated, Mark, gate};
use super::registry::{ATTEMPTS, Fact};
use super::sign::sha256;
use super::wire::{DAY_MS, Day, EgressBytes, Period, encode, guard};
use crate::clock::Clock;
use crate::problem::{EGRESS_EXPIRED, EGRESS_FACT, EGRESS_GUARD, EGRESS_RELEASED, Result};
use crate::testpoint::{kill_point, planted};

/// What one step of the release makes: the day's batch and, on a Sunday, the late batch of the week that it ends.
struct Plan {
    day: Draft,
    week: Option<Draft>,
}

/// A batch before it has a number.
struct Draft {
    period: Period,
    gated: Gated,
    bytes: EgressBytes,
    events: Vec<Event>,
}

/// A batch as it would leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its bytes, and what they say.
    pub reading: guard::Reading,
    /// How many events of the period no cell can take yet: they wait for the week's late batch, or stay.
    pub held: usize,
}

impl Outbox {
    /// Releases every day that is due; returns the numbers of the new batches. Each day is a transaction of its own.
    /// `settled_until_ms`: every event before it is in the store, and for days that end a lag before it, read again since.
    pub fn release(
        &mut self,
        store: &Connection,
        upstream: &Upstream,
        settled_until_ms: i64,
        clock: &dyn Clock,
    ) -> Result<Vec<i64>> {
        let mut released = Vec::new();
        loop {
            match self.release_next(store, upstream, settled_until_ms, clock)? {
                batches if batches.is_empty() => return Ok(released),
                batches => released.extend(batches),
            }
        }
    }

    /// Releases the next day, if one is due and the mode lets batches be numbered.
    pub fn release_next(
        &mut self,
        store: &Connection,
        upstream: &Upstream,
        settled_until_ms: i64,
        clock: &dyn Clock,
    ) -> Result<Vec<i64>> {
        if !upstream.mode.releases() {
            return Ok(Vec::new());
        }
        let consent = self.standing(&upstream.url)?;
        let key = self.key.clone();
        if planted("body_recomputed") {
            recompute(&self.db, &key, store, &consent)?;
        }
        let tx = self.begin()?;
        let Some(day) = next_day(&tx, &consent)?.filter(|day| is_due(&ATTEMPTS, *day, settled_until_ms)) else {
            return Ok(Vec::new());
        };
        if day >= ATTEMPTS.expires {
            return Err(EGRESS_EXPIRED.with(ATTEMPTS.expires));
        }
        let plan = plan(Some(&tx), &key, store, consent.accepted_at, day)?;
        let now = clock.wall_ms();
        let mut released = vec![seal(&tx, &consent, &plan.day, now)?];
        if let Some(week) = &plan.week {
            released.push(seal(&tx, &consent, week, now)?);
        }
        kill_point("release.before_commit");
        tx.commit().map_err(broken)?;
        kill_point("release.after_commit");
        Ok(released)
    }

    /// The next day to be released under the consent in force, whether it is due or not.
    pub fn next_day(&self) -> Result<Option<Day>> {
        match self.consent()? {
            Some(consent) => next_day(&self.db, &consent),
            None => Ok(None),
        }
    }
}

/// What would leave for a day: the next one that the consent covers, exactly as it would be released; or any day, as if the
/// consent had begun with it. Without a day: the next, else the last that is settled. Changes nothing, numbers nothing.
pub fn preview(
    outbox: Option<&Outbox>,
    store: &Connection,
    settled_until_ms: i64,
    day: Option<Day>,
) -> Result<Vec<Preview>> {
    let next = outbox.map(Outbox::next_day).transpose()?.flatten();
    let settled = Day::of_ms(settled_until_ms - (ATTEMPTS.lag_days + 1) * DAY_MS);
    let Some(day) = day.or(next).or(settled) else { return Ok(Vec::new()) };
    let consent = outbox.map(Outbox::consent).transpose()?.flatten().filter(|_| next == Some(day));
    let plan = match (outbox, consent) {
        (Some(outbox), Some(consent)) => plan(Some(&outbox.db), &outbox.key, store, consent.accepted_at, day)?,
        _ => {
            if let Some(outbox) = outbox.filter(|_| next.is_some_and(|next| day < next)) {
                refuse_released(&outbox.db, day)?;
            }
            plan(None, &hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]), store, day.start_ms(), day)?
        }
    };
    let shown = |draft: Draft| Ok(Preview { reading: vouched(&draft.bytes)?, held: draft.gated.held.len() });
    [Some(plan.day), plan.week].into_iter().flatten().map(shown).collect()
}

/// True when the day ended at least the fact's lag before the proven horizon.
fn is_due(fact: &Fact, day: Day, settled_until_ms: i64) -> bool {
    let lag_days = if planted("released_without_lag") { 0 } else { fact.lag_days };
    day.end_ms().saturating_add(lag_days * DAY_MS) <= settled_until_ms
}

fn next_day(db: &Connection, consent: &Consent) -> Result<Option<Day>> {
    let query = match planted("day_released_twice") {
        true => "SELECT max(first_day) FROM outbox WHERE fact = ?1 AND late = 0 AND state = 'acknowledged'",
        false => "SELECT max(first_day) FROM outbox WHERE fact = ?1 AND late = 0",
    };
    let last: Option<i64> = db.query_row(query, [ATTEMPTS.name], |row| row.get(0)).map_err(broken)?;
    let after = last.and_then(Day::from_number).map(Day::next);
    Ok(Day::of_ms(consent.accepted_at).max(after))
}

fn refuse_released(db: &Connection, day: Day) -> Result<()> {
    let query = "SELECT seq FROM outbox WHERE fact = ?1 AND late = 0 AND first_day = ?2";
    let seq: Option<i64> =
        db.query_row(query, (ATTEMPTS.name, day.number()), |row| row.get(0)).optional().map_err(broken)?;
    seq.map_or(Ok(()), |seq| Err(EGRESS_RELEASED.with(format_args!("batch {seq}"))))
}

/// Gates the day's events and, on a Sunday, what is unreleased of the days before that may still be late. Reads only.
fn plan(marks: Option<&Connection>, key: &hmac::Key, store: &Connection, accepted_at: i64, day: Day) -> Result<Plan> {
    let ends_week = day.week().last_day() == day;
    let days_back = if ends_week { ATTEMPTS.late_days } else { 0 };
    let from = accepted_at.max(day.start_ms() - days_back * DAY_MS);
    let (mut on_time, mut late) = (Vec::new(), Vec::new());
    let mut seen: HashMap<Mark, i64> = HashMap::new();
    let accounts = facts::accounts(store)?;
    facts::attempts(store, key, from, day.end_ms(), |at, event, earlier| {
        let released = |mark: Mark| marks.map_or(Ok(false), |db| is_released(db, &mark));
        let mut all = std::iter::once(event.mark).chain(accounts.iter().map(|account| earlier(*account)));
        let again = all.try_fold(false, |again, mark| Result::Ok(again || released(mark)?))?;
        if again && !planted("counted_again") {
            return Ok(());
        }
        match seen.insert(event.mark, event.account) {
            None => {}
            Some(account) if account == event.account => return Err(EGRESS_FACT.with("an attempt occurs twice")),
            // Two of our accounts hold one attempt: it is one event.
            Some(_) => return Ok(()),
        }
        if at >= day.start_ms() {
            on_time.push(event)
        } else {
            late.push(event)
        }
        Ok(())
    })?;
    let draft = |period, events: Vec<Event>| {
        let gated = gate(&ATTEMPTS.view, &events, ATTEMPTS.k);
        let bytes = encode(&ATTEMPTS, period, &gated.cells);
        Draft { period, gated, bytes, events }
    };
    let day_draft = draft(Period::Day(day), on_time);
    late.extend(day_draft.gated.held.iter().filter_map(|index| day_draft.events.get(*index).cloned()));
    let week = ends_week.then(|| draft(Period::Late(day.week()), late));
    Ok(Plan { day: day_draft, week })
}

fn is_released(db: &Connection, mark: &Mark) -> Result<bool> {
    let mut statement = db.prepare_cached("SELECT 1 FROM released WHERE mark = ?1").map_err(broken)?;
    statement.exists([mark]).map_err(broken)
}

/// The planted bug: what was sent and not received yet is made anew from the store as it is now.
fn recompute(db: &Connection, key: &hmac::Key, store: &Connection, consent: &Consent) -> Result<()> {
    let sql = "SELECT seq, first_day FROM outbox WHERE state = 'sent' AND late = 0 LIMIT 1";
    let sent = db.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional();
    let Some((seq, day)) = sent.map_err(broken)? else { return Ok(()) };
    let Some(day) = Day::from_number(day) else { return Ok(()) };
    let bytes = plan(None, key, store, consent.accepted_at, day)?.day.bytes;
    let sql = "UPDATE outbox SET bytes = ?2, digest = ?3 WHERE seq = ?1";
    db.execute(sql, (seq, bytes.as_slice(), sha256(bytes.as_slice()))).map(drop).map_err(broken)
}

/// Writes one batch under the next number.
fn seal(db: &Connection, consent: &Consent, draft: &Draft, now: i64) -> Result<i64> {
    vouched(&draft.bytes)?;
    let (last, before): (i64, [u8; 32]) = db
        .query_row("SELECT seq, link FROM outbox ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(broken)?
        .unwrap_or_default();
    let (seq, digest) = (last + 1, sha256(draft.bytes.as_slice()));
    let link = link(&before, seq, &consent.install, &digest);
    db.execute(
        "INSERT INTO outbox (seq, consent, fact, version, period, first_day, late, bytes, digest, link, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        rusqlite::params![
            seq,
            consent.number,
            ATTEMPTS.name,
            ATTEMPTS.version,
            draft.period.to_string(),
            draft.period.first_day().number(),
            draft.period.is_late(),
            draft.bytes.as_slice(),
            digest,
            link,
            now
        ],
    )
    .map_err(broken)?;
    db.execute("INSERT INTO log (at, seq, event) VALUES (?1, ?2, 'released')", (now, seq)).map_err(broken)?;
    write_cells(db, seq, &draft.gated, &draft.events)?;
    Ok(seq)
}

fn write_cells(db: &Connection, seq: i64, gated: &Gated, events: &[Event]) -> Result<()> {
    // The mark is the primary key: an event that was released before refuses the whole step.
    let mut mark =
        db.prepare_cached("INSERT INTO released (mark, seq, position) VALUES (?1, ?2, ?3)").map_err(broken)?;
    for (position, (cell, members)) in (0_i64..).zip(gated.cells.iter().zip(&gated.members)) {
        let [outcome, provider, scheme, funding] = cell.codes().sort_key();
        db.execute(
            "INSERT INTO cells (seq, position, outcome, provider, scheme, funding, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (seq, position, outcome, provider, scheme, funding, cell.count().get()),
        )
        .map_err(broken)?;
        if planted("counted_again") {
            continue;
        }
        for event in members.iter().filter_map(|index| events.get(*index)) {
            mark.execute((event.mark, seq, position)).map_err(broken)?;
        }
    }
    Ok(())
}

/// The hash chain over everything ever released: a changed, missing or re-ordered row breaks every later link.
pub(super) fn link(before: &[u8; 32], seq: i64, install: &str, digest: &[u8; 32]) -> [u8; 32] {
    let mut message = before.to_vec();
    message.extend_from_slice(&seq.to_be_bytes());
    message.extend_from_slice(&(install.len() as u64).to_be_bytes());
    message.extend_from_slice(install.as_bytes());
    message.extend_from_slice(digest);
    sha256(&message)
}

fn vouched(bytes: &EgressBytes) -> Result<guard::Reading> {
    guard::check(bytes.as_slice()).map_err(|refusal| EGRESS_GUARD.with(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another program's SHA-256 over: link before, number, length of the install's name, name, digest.
    #[test]
    fn the_chain_is_fixed() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let first = link(&[0; 32], 1, "install-1", &[7; 32]);
        assert_eq!(hex(first), "b23da4c9135671b5d0e56ba896d159ec8b771557d60ea75d2116b51d1660842f");
        let second = link(&first, 2, "install-1", &[8; 32]);
        assert_eq!(hex(second), "ebdf4e2c4ac5fdf0af7ae4d85950f25260c274a4b34b7bdad87880c00832b2fd");
    }
}
