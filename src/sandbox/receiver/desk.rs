//! The receiver's desk: one request in, one answer out, with everything verified before anything is stored. No network here.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use serde::Deserialize;

use super::{RawRequest, StoredBatch};
use crate::clock::Clock;
use crate::egress::sign::{
    Ed25519Signer, Signer as _, Target, base64, enrolment_message, is_request_signed, receipt_message, sha256, unbase64,
};
use crate::egress::wire::guard;
use crate::entropy::Entropy;
use crate::problem::{Problem, RECEIVER_FILE, Result};

const SCHEMA: &str = include_str!("../../../sql/receiver.sql");
/// `CFRC`: tells this kind of file from every other SQLite file.
const APPLICATION_ID: i32 = 0x4346_5243;
/// Letters and digits of a code: none that is taken for another.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// An answer before it is HTTP.
pub(in super::super) struct Answer {
    pub(in super::super) status: u16,
    pub(in super::super) header: Option<(&'static str, String)>,
    pub(in super::super) body: String,
}

impl Answer {
    pub(super) fn plain(status: u16) -> Self {
        Self { status, header: None, body: String::new() }
    }
}

pub(in super::super) struct Desk {
    db: Connection,
    signer: Ed25519Signer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    code: String,
    public_key: String,
    registry: String,
}

impl Desk {
    pub(in super::super) fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        seed: Option<[u8; 32]>,
    ) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        // It may hold the receiver's key.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .map_err(|error| RECEIVER_FILE.with(format_args!("{} ({})", path.display(), error.kind())))?;
        let mut db = connect(path).map_err(broken)?;
        let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(broken)?;
        let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(broken)?;
        if application != APPLICATION_ID && pages > 0 {
            return Err(RECEIVER_FILE.with("the file is not a receiver's"));
        }
        let seed = prepare(&mut db, &*entropy, seed).map_err(broken)?;
        Ok(Self { db, signer: Ed25519Signer::from_seed(&seed), clock, entropy })
    }

    pub(super) fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    pub(in super::super) fn issue_code(&mut self) -> Result<String> {
        let mut code = String::new();
        for position in 0..16 {
            if position > 0 && position % 4 == 0 {
                code.push('-');
            }
            code.push(char::from(ALPHABET[usize::try_from(self.entropy.below(32)).unwrap_or_default()]));
        }
        self.db.execute("INSERT INTO codes (code) VALUES (?1)", [&code]).map_err(broken)?;
        Ok(code)
    }

    pub(in super::super) fn batches(&self) -> Result<Vec<StoredBatch>> {
        let query = "SELECT install, seq, period, bytes FROM batches ORDER BY install, seq";
        let mut statement = self.db.prepare(query).map_err(broken)?;
        let rows = statement.query_map([], |row| {
            Ok(StoredBatch { install: row.get(0)?, seq: row.get(1)?, period: row.get(2)?, bytes: row.get(3)? })
        });
        rows.and_then(Iterator::collect).map_err(broken)
    }

    /// The answer to a request; with `forged`, a receipt signed by another key.
    pub(in super::super) fn answer(&mut self, request: &RawRequest, forged: bool) -> Answer {
        let segments: Vec<&str> = request.path.split('/').collect();
        let answer = match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["", "v1", "enrolments"]) => self.enrol(request),
            ("PUT", ["", "v1", "installs", install, "batches", seq]) => self.take(request, install, seq, forged),
            (_, ["", "v1", "enrolments"] | ["", "v1", "installs", _, "batches", _]) => Ok(Answer::plain(405)),
            _ => Ok(Answer::plain(404)),
        };
        answer.unwrap_or_else(|_| Answer::plain(500))
    }

    fn enrol(&mut self, request: &RawRequest) -> rusqlite::Result<Answer> {
        let Ok(enrolment) = serde_json::from_slice::<Enrolment>(&request.body) else { return Ok(Answer::plain(400)) };
        let keys = (unbase64::<32>(&enrolment.public_key), unbase64::<32>(&enrolment.registry));
        let (Some(public_key), Some(registry)) = keys else { return Ok(Answer::plain(400)) };
        if !is_signed(request, &public_key) {
            return Ok(Answer::plain(400));
        }
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let query = "SELECT install FROM codes WHERE code = ?1";
        let code = tx.query_row(query, [&enrolment.code], |row| row.get::<_, Option<String>>(0)).optional()?;
        let (status, install) = match code {
            None => return Ok(Answer::plain(403)),
            Some(Some(install)) => {
                // A repeated request of the same key: its answer was lost.
                let query = "SELECT public_key = ?2 AND registry = ?3 FROM installs WHERE install = ?1";
                if !tx.query_row(query, (&install, public_key, registry), |row| row.get::<_, bool>(0))? {
                    return Ok(Answer::plain(403));
                }
                (200, install)
            }
            Some(None) => {
                let install = self.entropy.uuid();
                tx.execute(
                    "INSERT INTO installs (install, public_key, registry, enrolled_at) VALUES (?1, ?2, ?3, ?4)",
                    (&install, public_key, registry, self.clock.wall_ms()),
                )?;
                tx.execute("UPDATE codes SET install = ?2 WHERE code = ?1", (&enrolment.code, &install))?;
                (201, install)
            }
        };
        tx.commit()?;
        let receiver_key = self.signer.public_key();
        let signature = self.signer.sign(&enrolment_message(&install, &receiver_key, &public_key, &registry));
        let (receiver_key, signature) = (base64(&receiver_key), base64(&signature));
        let body = format!(r#"{{"install":"{install}","receiver_key":"{receiver_key}","signature":"{signature}"}}"#);
        Ok(Answer { body, ..Answer::plain(status) })
    }

    fn take(&mut self, request: &RawRequest, install: &str, seq: &str, forged: bool) -> rusqlite::Result<Answer> {
        let query = "SELECT public_key FROM installs WHERE install = ?1";
        let key = self.db.query_row(query, [install], |row| row.get::<_, [u8; 32]>(0)).optional()?;
        match key {
            None => return Ok(Answer::plain(401)),
            Some(key) if !is_signed(request, &key) => return Ok(Answer::plain(400)),
            Some(_) => {}
        }
        // One spelling a number: 1, not 01.
        let number = seq.parse::<i64>().ok().filter(|n| n.to_string() == seq && *n > 0);
        let Some(number) = number else { return Ok(Answer::plain(400)) };
        let Ok(reading) = guard::check(&request.body) else { return Ok(Answer::plain(422)) };
        let status = store(&mut self.db, install, number, &reading, self.clock.wall_ms())?;
        if status == 409 {
            return Ok(Answer::plain(409));
        }
        let digest = sha256(&request.body);
        let message = receipt_message(install, number, &digest);
        let signature =
            if forged { Ed25519Signer::from_seed(&[0; 32]).sign(&message) } else { self.signer.sign(&message) };
        let (digest, signature) = (base64(&digest), base64(&signature));
        let body = format!(r#"{{"install":"{install}","seq":{seq},"digest":"{digest}","signature":"{signature}"}}"#);
        Ok(Answer { body, ..Answer::plain(status) })
    }
}

/// 201 when the batch is new, 200 when it is held with the same bytes, 409 when its place or its period is taken.
fn store(db: &mut Connection, install: &str, seq: i64, reading: &guard::Reading, now: i64) -> rusqlite::Result<u16> {
    let bytes = reading.bytes().as_slice();
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let query = "SELECT seq = ?2 AND bytes = ?5 FROM batches
                 WHERE install = ?1 AND (seq = ?2 OR (fact = ?3 AND period = ?4)) ORDER BY seq <> ?2 LIMIT 1";
    let held = (install, seq, reading.fact, &reading.period, bytes);
    if let Some(same) = tx.query_row(query, held, |row| row.get::<_, bool>(0)).optional()? {
        return Ok(if same { 200 } else { 409 });
    }
    tx.execute(
        "INSERT INTO batches (install, seq, fact, version, period, late, bytes, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (install, seq, reading.fact, reading.version, &reading.period, reading.late, bytes, now),
    )?;
    for (position, cell) in reading.cells.iter().enumerate() {
        tx.execute(
            "INSERT INTO cells (install, seq, position, outcome, provider, scheme, funding, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            rusqlite::params![
                install,
                seq,
                i64::try_from(position).unwrap_or(i64::MAX),
                cell.codes[0],
                cell.codes[1],
                cell.codes[2],
                cell.codes[3],
                cell.count
            ],
        )?;
    }
    tx.commit()?;
    Ok(201)
}

fn is_signed(request: &RawRequest, key: &[u8; 32]) -> bool {
    // A header that occurs twice has no one meaning.
    let header = |name: &str| {
        let mut values = request.headers.iter().filter(|(n, _)| n == name);
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(&value.1).ok()
    };
    let Some(authority) = header("host") else { return false };
    is_request_signed(key, Target { method: &request.method, authority, path: &request.path }, header, &request.body)
}

// The receiver's own file: it stands for another party, and shares no database with the agent.
#[allow(clippy::disallowed_methods)]
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// Makes the tables where there are none; returns the seed of the receiver's key.
fn prepare(db: &mut Connection, entropy: &dyn Entropy, given: Option<[u8; 32]>) -> rusqlite::Result<[u8; 32]> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let mut fresh = [0; 32];
    entropy.fill(&mut fresh);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.execute_batch(SCHEMA)?;
    tx.execute("INSERT OR IGNORE INTO identity (one, seed) VALUES (1, ?1)", [given.unwrap_or(fresh)])?;
    let kept = tx.query_row("SELECT seed FROM identity", [], |row| row.get(0))?;
    tx.commit()?;
    Ok(given.unwrap_or(kept))
}

fn broken(error: rusqlite::Error) -> Problem {
    match error.sqlite_error_code() {
        Some(code) => RECEIVER_FILE.with(format_args!("SQLite says {code:?}")),
        None => RECEIVER_FILE.with("a value has an unexpected type"),
    }
}
