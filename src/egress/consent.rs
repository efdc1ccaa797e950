//! Consent: to one receiver (address and key), under one registry, by one install's key; given by enrolling with a one-time
//! code. When any of these changes, nothing is released or sent until a person accepts again. It decides no cells.

use rusqlite::{Connection, OptionalExtension as _};
use serde::Deserialize;

use super::db::{Outbox, broken};
use super::registry;
use super::seam::{EnrolmentCode, OutboundRequest, ReceiverUrl, Sender};
use super::sign::{Signer, enrolment_message, is_signed, unbase64};
use crate::clock::Clock;
use crate::problem::{
    EGRESS_CONSENT_CHANGED, EGRESS_ENROLMENT, EGRESS_NO_CONSENT, EGRESS_UNREACHABLE, Problem, Result,
};

/// What may happen with what the gate makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Off,
    /// Compute and show; never number, never send.
    Local,
    /// Send after a veto period of a day.
    Hold,
    /// Send.
    On,
}

/// Where batches go, and how freely, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The receiver's address.
    pub url: ReceiverUrl,
    /// The mode.
    pub mode: Mode,
}

/// A consent in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its number in `egress.db`.
    pub number: i64,
    /// The receiver's address, normalised.
    pub url: String,
    /// This install's name, given by the receiver.
    pub install: String,
    /// This install's public key.
    pub public_key: [u8; 32],
    /// The receiver's public key, pinned.
    pub receiver_key: [u8; 32],
    /// Hash of the registry that was accepted.
    pub registry: [u8; 32],
    /// Nothing from before leaves (UTC ms).
    pub accepted_at: i64,
    /// `gone` or `conflict`: nothing is sent until a person resumes.
    pub stopped: Option<String>,
}

impl Mode {
    /// True when batches are numbered in this mode.
    pub fn releases(self) -> bool {
        matches!(self, Self::Hold | Self::On)
    }
}

impl Outbox {
    /// The consent in force, whatever is configured now.
    pub fn consent(&self) -> Result<Option<Consent>> {
        in_force(&self.db)
    }

    /// The consent in force, provided that it covers this address and the present registry.
    pub fn standing(&self, url: &ReceiverUrl) -> Result<Consent> {
        let consent = self.consent()?.ok_or_else(|| EGRESS_NO_CONSENT.plain())?;
        if consent.url != url.as_str() {
            return Err(EGRESS_CONSENT_CHANGED.with("the receiver's address is another"));
        }
        if consent.registry != registry::hash() {
            return Err(EGRESS_CONSENT_CHANGED.with("the registry of what may leave is another"));
        }
        Ok(consent)
    }

    /// Lets sending go on after the receiver asked to stop or a conflict was cleared up.
    pub fn resume(&mut self) -> Result<()> {
        self.db.execute("UPDATE consents SET stopped = NULL WHERE ended_at IS NULL", []).map(drop).map_err(broken)
    }

    /// Puts a new consent in force. Batches of the one before that were not acknowledged are withdrawn: what happened
    /// before this consent does not leave under it.
    fn consent_anew(&mut self, consent: &Consent) -> Result<()> {
        let now = consent.accepted_at;
        let tx = self.begin()?;
        let write = || -> rusqlite::Result<()> {
            tx.execute("UPDATE consents SET ended_at = ?1 WHERE ended_at IS NULL", [now])?;
            tx.execute(
                "INSERT INTO log (at, seq, event)
                 SELECT ?1, seq, 'withdrawn' FROM outbox WHERE state IN ('pending', 'held', 'sent') ORDER BY seq",
                [now],
            )?;
            tx.execute("UPDATE outbox SET state = 'withdrawn' WHERE state IN ('pending', 'held', 'sent')", [])?;
            tx.execute(
                "INSERT INTO consents (url, install, public_key, receiver_key, registry, accepted_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (&consent.url, &consent.install, consent.public_key, consent.receiver_key, consent.registry, now),
            )?;
            Ok(())
        };
        write().map_err(broken)?;
        tx.commit().map_err(broken)
    }
}

/// Enrols this install with the receiver and records the consent: sends the code, our public key and the registry's hash,
/// pins the receiver's key that comes back. The moment of acceptance is the answer's.
pub async fn accept(
    outbox: &mut Outbox,
    url: &ReceiverUrl,
    code: &EnrolmentCode,
    sender: &dyn Sender,
    signer: &dyn Signer,
    clock: &dyn Clock,
) -> Result<Consent> {
    let registry = registry::hash();
    let request = OutboundRequest::enrolment(url, code, &registry, signer, clock.wall_ms().div_euclid(1000));
    let reply = sender.send(request).await.map_err(|why| EGRESS_UNREACHABLE.with(why))?;
    if !matches!(reply.status, 200 | 201) {
        return Err(EGRESS_ENROLMENT.with(format_args!("status {}", reply.status)));
    }
    let (install, receiver_key) = enrolled(&reply.body, &signer.public_key(), &registry)?;
    outbox.consent_anew(&Consent {
        number: 0,
        url: url.as_str().to_owned(),
        install,
        public_key: signer.public_key(),
        receiver_key,
        registry,
        accepted_at: clock.wall_ms(),
        stopped: None,
    })?;
    outbox.standing(url)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolled {
    install: String,
    receiver_key: String,
    signature: String,
}

/// The install's name and the receiver's key, when the answer is signed with that key for our key and registry.
fn enrolled(body: &[u8], public_key: &[u8; 32], registry: &[u8; 32]) -> Result<(String, [u8; 32])> {
    let wrong = |what: &str| -> Problem { EGRESS_ENROLMENT.with(what) };
    let answer: Enrolled = serde_json::from_slice(body).map_err(|_| wrong("the answer is not an enrolment"))?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=64).contains(&answer.install.len()) || !answer.install.bytes().all(plain) {
        return Err(wrong("the install's name is not one"));
    }
    let receiver_key = unbase64::<32>(&answer.receiver_key).ok_or_else(|| wrong("the receiver's key is not one"))?;
    let signature = unbase64::<64>(&answer.signature).ok_or_else(|| wrong("the signature is not one"))?;
    let message = enrolment_message(&answer.install, &receiver_key, public_key, registry);
    if !is_signed(&receiver_key, &message, &signature) {
        return Err(wrong("the signature does not hold"));
    }
    Ok((answer.install, receiver_key))
}

pub(super) fn in_force(db: &Connection) -> Result<Option<Consent>> {
    let query = "SELECT consent, url, install, public_key, receiver_key, registry, accepted_at, stopped
                 FROM consents WHERE ended_at IS NULL";
    db.query_row(query, [], |row| {
        Ok(Consent {
            number: row.get(0)?,
            url: row.get(1)?,
            install: row.get(2)?,
            public_key: row.get(3)?,
            receiver_key: row.get(4)?,
            registry: row.get(5)?,
            accepted_at: row.get(6)?,
            stopped: row.get(7)?,
        })
    })
    .optional()
    .map_err(broken)
}
