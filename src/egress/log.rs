//! What a person asks about batches: the list, one whole, the chain; and the two things a person may decide about one that
//! was not sent yet: hold it, let it go. Everything shown is the frozen bytes, never a new rendering. It prints nothing.

use rusqlite::{OptionalExtension as _, Row};

use super::db::{Outbox, broken};
use super::release::link;
use super::sign::sha256;
use crate::clock::Clock;
use crate::problem::{EGRESS_DAMAGED, EGRESS_NO_BATCH, EGRESS_STATE, Result};

/// A batch without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub seq: i64,
    /// The install it is sent for.
    pub install: String,
    /// The receiver's address at its release.
    pub url: String,
    /// The fact.
    pub fact: String,
    /// The fact's version.
    pub version: u32,
    /// `2026-11-16` or `2026-W47`.
    pub period: String,
    /// True for a week of late events.
    pub late: bool,
    /// Number of cells.
    pub cells: i64,
    /// Number of events in them.
    pub events: i64,
    /// Length of the bytes.
    pub size: i64,
    /// SHA-256 of the bytes.
    pub digest: [u8; 32],
    /// `pending`, `held`, `sent` (answer unknown), `acknowledged`, `rejected` or `withdrawn`.
    pub state: String,
    /// When it was released (UTC ms, this machine's clock).
    pub created_at: i64,
    /// How often it was sent.
    pub attempts: i64,
    /// The receiver's signature over install, number and digest.
    pub receipt: Option<[u8; 64]>,
}

/// A batch with its bytes and its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The particulars.
    pub batch: Batch,
    /// The exact bytes, as sent or to be sent.
    pub bytes: Vec<u8>,
    /// What happened to it, oldest first.
    pub history: Vec<Happening>,
}

/// One line of a batch's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When (UTC ms, this machine's clock).
    pub at: i64,
    /// `released`, `held`, `approved`, `sent`, `acknowledged`, `rejected`, `failed` or `withdrawn`.
    pub event: String,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
}

const BATCHES: &str = "SELECT seq, install, url, fact, version, period, late,
    (SELECT count(*) FROM cells WHERE cells.seq = outbox.seq),
    (SELECT coalesce(sum(count), 0) FROM cells WHERE cells.seq = outbox.seq),
    length(bytes), digest, state, created_at, attempts, receipt
  FROM outbox JOIN consents USING (consent)";

impl Outbox {
    /// The batches, newest first, at most `limit`.
    pub fn log(&self, limit: u32) -> Result<Vec<Batch>> {
        let mut statement = self.db.prepare(&format!("{BATCHES} ORDER BY seq DESC LIMIT ?1")).map_err(broken)?;
        let rows = statement.query_map([limit], batch).map_err(broken)?;
        rows.collect::<Result<_, _>>().map_err(broken)
    }

    /// One batch, whole.
    pub fn show(&self, seq: i64) -> Result<Shown> {
        let found = self.db.query_row(&format!("{BATCHES} WHERE seq = ?1"), [seq], batch).optional();
        let batch = found.map_err(broken)?.ok_or_else(|| EGRESS_NO_BATCH.with(seq))?;
        let bytes = self.db.query_row("SELECT bytes FROM outbox WHERE seq = ?1", [seq], |row| row.get(0));
        let mut statement =
            self.db.prepare("SELECT at, event, status FROM log WHERE seq = ?1 ORDER BY id").map_err(broken)?;
        let history = statement
            .query_map([seq], |row| Ok(Happening { at: row.get(0)?, event: row.get(1)?, status: row.get(2)? }));
        let history = history.and_then(Iterator::collect).map_err(broken)?;
        Ok(Shown { batch, bytes: bytes.map_err(broken)?, history })
    }

    /// Walks the chain from the first batch: no row was changed, removed or put in since. Returns how many there are.
    pub fn verify(&self) -> Result<i64> {
        let query = "SELECT seq, install, bytes, digest, link FROM outbox JOIN consents USING (consent) ORDER BY seq";
        let mut statement = self.db.prepare(query).map_err(broken)?;
        let mut rows = statement.query([]).map_err(broken)?;
        let (mut before, mut number) = ([0; 32], 0);
        while let Some(row) = rows.next().map_err(broken)? {
            let seq: i64 = row.get(0).map_err(broken)?;
            let install: String = row.get(1).map_err(broken)?;
            let bytes: Vec<u8> = row.get(2).map_err(broken)?;
            let digest: [u8; 32] = row.get(3).map_err(broken)?;
            let stored: [u8; 32] = row.get(4).map_err(broken)?;
            number += 1;
            before = link(&before, seq, &install, &digest);
            if seq != number || sha256(&bytes) != digest || before != stored {
                return Err(EGRESS_DAMAGED.with(format_args!("the chain breaks at batch {seq}")));
            }
        }
        Ok(number)
    }

    /// How many batches wait to be sent or for an answer, and how many a person holds.
    pub fn waiting(&self) -> Result<(i64, i64)> {
        let query = "SELECT count(*) FILTER (WHERE state IN ('pending', 'sent')),
                            count(*) FILTER (WHERE state = 'held') FROM outbox";
        self.db.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(broken)
    }

    /// Keeps a batch from being sent until it is let go.
    pub fn hold(&mut self, seq: i64, clock: &dyn Clock) -> Result<()> {
        self.decide(
            seq,
            "UPDATE outbox SET state = 'held', approved = 0 WHERE seq = ?1 AND state = 'pending'",
            "held",
            clock,
        )
    }

    /// Lets a batch go: a held one, or one whose veto period is not over.
    pub fn approve(&mut self, seq: i64, clock: &dyn Clock) -> Result<()> {
        let update =
            "UPDATE outbox SET state = 'pending', approved = 1 WHERE seq = ?1 AND state IN ('pending', 'held')";
        self.decide(seq, update, "approved", clock)
    }

    fn decide(&mut self, seq: i64, update: &str, event: &str, clock: &dyn Clock) -> Result<()> {
        let state = self.show(seq)?.batch.state;
        let tx = self.begin()?;
        if tx.execute(update, [seq]).map_err(broken)? != 1 {
            return Err(EGRESS_STATE.with(format_args!("batch {seq} is {state}")));
        }
        let entry = "INSERT INTO log (at, seq, event) VALUES (?1, ?2, ?3)";
        tx.execute(entry, (clock.wall_ms(), seq, event)).map_err(broken)?;
        tx.commit().map_err(broken)
    }
}

fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    Ok(Batch {
        seq: row.get(0)?,
        install: row.get(1)?,
        url: row.get(2)?,
        fact: row.get(3)?,
        version: row.get(4)?,
        period: row.get(5)?,
        late: row.get(6)?,
        cells: row.get(7)?,
        events: row.get(8)?,
        size: row.get(9)?,
        digest: row.get(10)?,
        state: row.get(11)?,
        created_at: row.get(12)?,
        attempts: row.get(13)?,
        receipt: row.get(14)?,
    })
}
