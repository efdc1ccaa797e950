//! The courier: takes the next frozen batch, has the guard judge its bytes, signs it, sends it, and believes an answer only
//! when the pinned key signed the receipt. Whatever else happens, the same bytes go again later or a person is told. It
//! never makes, changes or re-renders a batch, follows no redirect, and keeps nothing of an answer but the signature.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::OptionalExtension as _;
use serde::Deserialize;

use super::consent::{Consent, Mode, Upstream};
use super::db::{Outbox, broken};
use super::seam::{OutboundRequest, Reply, SendFailure, Sender};
use super::sign::{Signer, base64, is_signed, receipt_message, sha256, unbase64};
use super::wire::{DAY_MS, guard};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::problem::{
    EGRESS_ANSWER, EGRESS_BUSY, EGRESS_CONFLICT, EGRESS_CONSENT_CHANGED, EGRESS_GONE, EGRESS_GUARD, EGRESS_RECEIPT,
    EGRESS_REFUSED, EGRESS_REJECTED, EGRESS_UNREACHABLE, Problem, Result,
};
use crate::testpoint::{kill_point, planted};

/// How long a batch waits in mode `hold`, in milliseconds.
pub const VETO_MS: i64 = DAY_MS;

const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// No receiver can make us wait longer.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// Sends batches for one install.
pub struct Courier {
    sender: Arc<dyn Sender>,
    signer: Arc<dyn Signer>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    failures: u32,
    /// What must not be sent again yet.
    waits: Option<Waits>,
}

/// A batch that was not received: whoever wakes the courier, it is not sent again before its time.
struct Waits {
    /// By the monotonic clock.
    until: Duration,
    consent: i64,
    seq: i64,
    problem: Problem,
}

/// What one pass over the outbox did.
#[derive(Debug, Default)]
pub struct Pass {
    /// Batches with a receipt.
    pub acknowledged: Vec<i64>,
    /// Batches that the receiver will never take.
    pub rejected: Vec<i64>,
    /// What a person should know.
    pub problems: Vec<Problem>,
    /// When to try again, where something is left to be sent.
    pub retry_in: Option<Duration>,
}

/// A batch that is due, with the bytes that the guard vouched for.
struct Due {
    seq: i64,
    digest: [u8; 32],
    reading: guard::Reading,
}

/// What an answer means.
enum Verdict {
    /// Received: the receipt's signature.
    Received([u8; 64]),
    /// This batch will never be taken; the others go on.
    Rejected(Problem),
    /// Nothing more until a person acts; true when this batch is refused for good.
    Stop(&'static str, bool, Problem),
    /// The same bytes again later, not sooner than asked.
    Again(Option<Duration>, Problem),
}

impl Courier {
    /// A courier with its parts.
    pub fn new(
        sender: Arc<dyn Sender>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { sender, signer, clock, entropy, failures: 0, waits: None }
    }

    /// Sends what is due, in order, one at a time, until nothing is left or an answer says to wait or stop.
    /// `Err` means that `egress.db` or the consent does not allow sending; an unwilling receiver is told in the [`Pass`].
    pub async fn pass(&mut self, outbox: &mut Outbox, upstream: &Upstream) -> Result<Pass> {
        self.pass_while(outbox, upstream, &|| true).await
    }

    /// The same as long as `in_force` says that `upstream` is: nothing is sent by a setting that has been changed.
    pub async fn pass_while(
        &mut self,
        outbox: &mut Outbox,
        upstream: &Upstream,
        in_force: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Pass> {
        let mut pass = Pass::default();
        if !upstream.mode.releases() {
            return Ok(pass);
        }
        let consent = outbox.standing(&upstream.url)?;
        if consent.public_key != self.signer.public_key() {
            return Err(EGRESS_CONSENT_CHANGED.with("this install signs with another key"));
        }
        match consent.stopped.as_deref() {
            Some("gone") => return Err(EGRESS_GONE.plain()),
            Some(_) => return Err(EGRESS_CONFLICT.plain()),
            None => {}
        }
        while let Some(due) = self.next(outbox, &consent, upstream.mode)? {
            if !in_force() {
                pass.retry_in = Some(Duration::from_secs(1));
                return Ok(pass);
            }
            if let Some((left, problem)) = self.waits_for(consent.number, due.seq) {
                pass.problems.push(problem);
                pass.retry_in = Some(left);
                return Ok(pass);
            }
            let now = self.clock.wall_ms();
            record(outbox, due.seq, now, "sent", None, "state = 'sent', attempts = attempts + 1", None)?;
            let created = now.div_euclid(1000);
            let bytes = due.reading.bytes();
            let number = if planted("fresh_number_per_try") { due.seq + i64::from(self.failures) } else { due.seq };
            let request =
                OutboundRequest::batch(&upstream.url, &consent.install, number, bytes, &*self.signer, created);
            if planted("mark_before_send") {
                record(outbox, due.seq, now, "acknowledged", None, "state = 'acknowledged'", None)?;
            }
            kill_point("courier.before_send");
            let answer = self.sender.send(request).await;
            kill_point("courier.after_send");
            let status = answer.as_ref().ok().map(|reply| reply.status);
            let now = self.clock.wall_ms();
            match judge(answer, &consent, &due, now) {
                Verdict::Received(receipt) => {
                    self.failures = 0;
                    let update = "state = 'acknowledged', receipt = ?2";
                    record(outbox, due.seq, now, "acknowledged", status, update, Some(receipt))?;
                    kill_point("courier.after_mark");
                    pass.acknowledged.push(due.seq);
                }
                Verdict::Rejected(problem) => {
                    self.failures = 0;
                    record(outbox, due.seq, now, "rejected", status, "state = 'rejected'", None)?;
                    pass.rejected.push(due.seq);
                    pass.problems.push(problem);
                }
                Verdict::Stop(why, rejected, problem) => {
                    let (event, update) =
                        if rejected { ("rejected", "state = 'rejected'") } else { ("failed", "state = state") };
                    stop(outbox, &consent, why)?;
                    record(outbox, due.seq, now, event, status, update, None)?;
                    pass.rejected.extend(rejected.then_some(due.seq));
                    pass.problems.push(problem);
                    return Ok(pass);
                }
                Verdict::Again(asked, problem) => {
                    record(outbox, due.seq, now, "failed", status, "state = state", None)?;
                    let wait = self.wait(asked);
                    let (until, consent, seq) = (self.clock.mono() + wait, consent.number, due.seq);
                    self.waits = Some(Waits { until, consent, seq, problem: problem.clone() });
                    pass.problems.push(problem);
                    pass.retry_in = Some(wait);
                    return Ok(pass);
                }
            }
        }
        pass.retry_in = veto_left(outbox, upstream.mode, self.clock.wall_ms())?;
        Ok(pass)
    }

    /// For how long a batch is not to be sent again yet, and why.
    fn waits_for(&self, consent: i64, seq: i64) -> Option<(Duration, Problem)> {
        let waits = self.waits.as_ref().filter(|waits| (waits.consent, waits.seq) == (consent, seq))?;
        let left = waits.until.checked_sub(self.clock.mono()).filter(|left| !left.is_zero())?;
        Some((left, waits.problem.clone()))
    }

    /// The first batch that is due. Its bytes are judged here again: what rests in a file can have been changed.
    fn next(&self, outbox: &Outbox, consent: &Consent, mode: Mode) -> Result<Option<Due>> {
        let query = "SELECT seq, bytes, digest FROM outbox
                     WHERE consent = ?1 AND state IN ('pending', 'sent') AND (approved OR created_at <= ?2)
                     ORDER BY seq LIMIT 1";
        let released_by = if mode == Mode::Hold { self.clock.wall_ms() - VETO_MS } else { i64::MAX };
        let row = outbox.db.query_row(query, (consent.number, released_by), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, [u8; 32]>(2)?))
        });
        let Some((seq, bytes, digest)) = row.optional().map_err(broken)? else { return Ok(None) };
        let reading = guard::check(&bytes);
        let reading = reading.map_err(|refusal| EGRESS_GUARD.with(format_args!("batch {seq}: {refusal}")))?;
        if !planted("changed_bytes_sent") && sha256(&bytes) != digest {
            return Err(EGRESS_GUARD.with(format_args!("batch {seq}: its bytes are not those that were released")));
        }
        Ok(Some(Due { seq, digest, reading }))
    }

    /// Exponential with full jitter, never sooner than the receiver asked (within reason).
    fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let most = FIRST_WAIT.saturating_mul(1 << self.failures.min(12)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        let jitter = Duration::from_millis(self.entropy.below(u64::try_from(most.as_millis()).unwrap_or(u64::MAX)));
        jitter.max(Duration::from_secs(1)).max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

/// In mode `hold`: how long until the first batch's veto period ends.
fn veto_left(outbox: &Outbox, mode: Mode, now: i64) -> Result<Option<Duration>> {
    let query = "SELECT min(created_at) FROM outbox WHERE state IN ('pending', 'sent')";
    let oldest: Option<i64> = outbox.db.query_row(query, [], |row| row.get(0)).map_err(broken)?;
    let left = oldest.filter(|_| mode == Mode::Hold).map(|created| created + VETO_MS - now);
    Ok(left.map(|left| Duration::from_millis(left.max(0).unsigned_abs())))
}

/// Changes a batch's row and appends to the log, in one transaction. `update` is one of the constants above.
fn record(
    outbox: &mut Outbox,
    seq: i64,
    now: i64,
    event: &str,
    status: Option<u16>,
    update: &str,
    receipt: Option<[u8; 64]>,
) -> Result<()> {
    let tx = outbox.begin()?;
    let update = format!("UPDATE outbox SET {update} WHERE seq = ?1");
    match receipt {
        Some(receipt) => tx.execute(&update, (seq, receipt)),
        None => tx.execute(&update, [seq]),
    }
    .map_err(broken)?;
    let entry = "INSERT INTO log (at, seq, event, status) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(entry, (now, seq, event, status)).map_err(broken)?;
    tx.commit().map_err(broken)
}

fn stop(outbox: &mut Outbox, consent: &Consent, why: &str) -> Result<()> {
    let update = "UPDATE consents SET stopped = ?2 WHERE consent = ?1";
    outbox.db.execute(update, (consent.number, why)).map(drop).map_err(broken)
}

fn judge(answer: Result<Reply, SendFailure>, consent: &Consent, due: &Due, now_ms: i64) -> Verdict {
    let seq = due.seq;
    let reply = match answer {
        Ok(reply) => reply,
        Err(why) => return Verdict::Again(None, EGRESS_UNREACHABLE.with(why)),
    };
    let about = format!("batch {seq}, status {}", reply.status);
    match reply.status {
        200 if planted("receipt_unchecked") => Verdict::Received([0; 64]),
        200 | 201 => match receipt(&reply.body, consent, seq, &due.digest) {
            Some(signature) => Verdict::Received(signature),
            None => Verdict::Again(None, EGRESS_RECEIPT.with(about)),
        },
        400 | 413 | 422 if planted("rejected_blocks") => Verdict::Again(None, EGRESS_REJECTED.with(about)),
        400 | 413 | 422 => Verdict::Rejected(EGRESS_REJECTED.with(about)),
        401 | 403 => Verdict::Again(Some(LONGEST_WAIT), EGRESS_REFUSED.with(about)),
        409 if planted("conflict_ignored") => Verdict::Rejected(EGRESS_CONFLICT.with(about)),
        409 => Verdict::Stop("conflict", true, EGRESS_CONFLICT.with(about)),
        410 => Verdict::Stop("gone", false, EGRESS_GONE.with(about)),
        429 | 503 => Verdict::Again(retry_after(&reply, now_ms), EGRESS_BUSY.with(about)),
        _ => Verdict::Again(None, EGRESS_ANSWER.with(about)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    install: String,
    seq: i64,
    digest: String,
    signature: String,
}

/// The signature, when the receipt is for this install, number and digest, and the pinned key signed it.
fn receipt(body: &[u8], consent: &Consent, seq: i64, digest: &[u8; 32]) -> Option<[u8; 64]> {
    let receipt: Receipt = serde_json::from_slice(body).ok()?;
    let signature = unbase64::<64>(&receipt.signature)?;
    let ours = receipt.install == consent.install && receipt.seq == seq && receipt.digest == base64(digest);
    let message = receipt_message(&consent.install, seq, digest);
    (ours && is_signed(&consent.receiver_key, &message, &signature)).then_some(signature)
}

/// `Retry-After` in both its forms: seconds, or a moment (RFC 9110 section 10.2.3).
fn retry_after(reply: &Reply, now_ms: i64) -> Option<Duration> {
    let value = reply.headers.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.trim())?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", value).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Duration::from_millis(moment.saturating_sub(now_ms).max(0).unsigned_abs()))
}
