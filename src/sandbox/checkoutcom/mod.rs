//! The Checkout.com face: the world as Checkout.com's API shows it at some moment. Pure, like the Stripe face.
//! There, each attempt to collect is a payment of its own.

mod action;
mod dispute;
mod payment;
mod search;
#[cfg(test)]
mod tests;
mod time;

use super::chance::hash;
use super::ids::BASE32;
use super::json::Json;
use super::query::Query;
use super::stripe::Answer;
use super::truth::{Truth, TruthStream};
use super::world::{Entry, Kind, Life, World};

/// The world as Checkout.com shows it at one moment.
pub(crate) struct Face<'a> {
    pub(crate) world: &'a World,
    pub(crate) now_ms: i64,
    /// Scheme and host of the request, for links.
    pub(crate) base: &'a str,
    pub(crate) request_id: &'a str,
}

/// The scope that a path needs; `None` when there is no such path.
pub(crate) fn scope(path: &str) -> Option<&'static str> {
    match path.trim_start_matches('/').split('/').next()? {
        "disputes" => Some("disputes:view"),
        "payments" if path == "/payments/search" => Some("payments:search"),
        "payments" => Some("gateway:payment-details"),
        _ => None,
    }
}

impl Face<'_> {
    /// Answers a request.
    pub(crate) fn answer(&self, method: &str, path: &str, query: &Query, body: &[u8]) -> Answer {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let found = match (method, segments.as_slice()) {
            ("POST", ["payments", "search"]) => return self.search(body),
            ("GET", ["disputes"]) => return self.disputes(query),
            ("GET", ["disputes", id]) => self.find_dispute(id).map(|life| self.dispute(&life)),
            ("GET", ["payments", id]) => self.find_payment(id).map(|(life, part)| self.payment(&life, part)),
            ("GET", ["payments", id, "actions"]) => {
                self.find_payment(id).map(|(life, part)| self.actions_of(&life, part))
            }
            _ => None,
        };
        // Neither disputes nor payments have a documented body for what is not there.
        found.unwrap_or(Answer { status: 404, body: Vec::new() })
    }

    /// The merchant's client id.
    pub(crate) fn client_id(&self) -> String {
        self.id("cli_", "client", 0)
    }

    /// The time, in unix seconds.
    fn now(&self) -> u32 {
        u32::try_from(self.now_ms / 1000).unwrap_or(0)
    }

    /// Ten-millionths of a second that belong to the time of a payment.
    fn ticks(&self, payment: u32, part: u16) -> u32 {
        let draw = hash(self.world.plan.seed ^ 6, (u64::from(payment) << 16) | u64::from(part));
        let ticks = (draw % 9_000_000) as u32;
        // Some systems behind the API count in milliseconds.
        if draw & (3 << 40) == 0 { ticks / 10_000 * 10_000 } else { ticks }
    }

    /// When a payment was asked for, in milliseconds.
    fn requested_ms(&self, entry: &Entry) -> i64 {
        i64::from(entry.at) * 1000 + i64::from(self.ticks(entry.payment, entry.part) / 10_000)
    }

    /// True when search shows the payment.
    fn visible(&self, entry: &Entry) -> bool {
        self.requested_ms(entry) + i64::from(entry.late) * 1000 <= self.now_ms
    }

    fn find_payment(&self, id: &str) -> Option<(Life, u16)> {
        let value = BASE32.read(self.world.plan.id_seed, "pay", id.strip_prefix("pay_")?)?;
        let entry = self.world.entry(Kind::Charge, (value >> 16) as u32, value as u16)?;
        // Unlike search, reading by id knows a payment as soon as it is there.
        let there = self.requested_ms(&entry) <= self.now_ms;
        Some((self.world.life(entry.payment).filter(|_| there)?, entry.part))
    }

    fn find_dispute(&self, id: &str) -> Option<Life> {
        let value = BASE32.read(self.world.plan.id_seed, "dsp", id.strip_prefix("dsp_")?)?;
        let entry = self.world.entry(Kind::Dispute, u32::try_from(value).ok()?, 0)?;
        self.world.life(entry.payment).filter(|_| entry.visible(self.now()))
    }

    fn payment_id(&self, payment: u32, part: u16) -> String {
        self.id("pay_", "pay", (u64::from(payment) << 16) | u64::from(part))
    }

    fn dispute_id(&self, payment: u32) -> String {
        self.id("dsp_", "dsp", u64::from(payment))
    }

    /// The id of one action of a payment.
    fn action_id(&self, prefix: &str, payment: u32, part: u16, number: u64) -> String {
        self.id(prefix, "act", (u64::from(payment) << 24) | (u64::from(part) << 8) | number)
    }

    fn id(&self, prefix: &str, kind: &str, value: u64) -> String {
        let mut out = String::with_capacity(32);
        out.push_str(prefix);
        BASE32.write(self.world.plan.id_seed, kind, value, &mut out);
        out
    }

    fn link(&self, w: &mut Json, name: &str, path: &str) {
        w.nest(name, |w| w.put("href", format!("{}{path}", self.base)));
    }

    fn invalid(&self, codes: &[&str]) -> Answer {
        error(422, "request_invalid", codes, self.request_id)
    }

    /// Everything of a stream whose time is in `from..=to` (unix seconds).
    pub(crate) fn truth(&self, stream: TruthStream, from: u32, to: u32) -> Vec<Truth> {
        match stream {
            TruthStream::CheckoutPayments => {
                let entries = self.world.made(Kind::Charge, from, to).iter();
                let there = entries.filter(|entry| self.requested_ms(entry) <= self.now_ms);
                there.filter_map(|entry| self.payment_fact(entry)).collect()
            }
            TruthStream::CheckoutDisputes => {
                self.current_turns(from, to).into_iter().filter_map(|entry| self.dispute_fact(&entry)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn payment_fact(&self, entry: &Entry) -> Option<Truth> {
        let life = self.world.life(entry.payment)?;
        let at_ms = self.requested_ms(entry);
        Some(Truth {
            id: self.payment_id(entry.payment, entry.part),
            at_ms,
            visible_ms: at_ms + i64::from(entry.late) * 1000,
            status: self.status(&life, entry.part)?.to_lowercase(),
            amount: life.amount,
            currency: life.currency().code,
        })
    }

    fn dispute_fact(&self, turn: &Entry) -> Option<Truth> {
        let life = self.world.life(turn.payment)?;
        let opened = self.world.entry(Kind::Dispute, turn.payment, 0)?;
        Some(Truth {
            id: self.dispute_id(turn.payment),
            at_ms: i64::from(turn.at) * 1000,
            visible_ms: i64::from(turn.at.max(opened.at + u32::from(opened.late))) * 1000,
            status: self.dispute_status(&life.dispute?).to_owned(),
            amount: life.amount,
            currency: life.currency().code,
        })
    }
}

/// Checkout.com's error body.
pub(crate) fn error(status: u16, kind: &str, codes: &[&str], request_id: &str) -> Answer {
    let mut json = Json::compact();
    json.object(|w| {
        w.put("request_id", request_id);
        w.put("error_type", kind);
        w.list("error_codes", |w| codes.iter().for_each(|code| w.element(*code)));
    });
    Answer { status, body: json.finish() }
}
