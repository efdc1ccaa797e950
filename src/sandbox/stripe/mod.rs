//! The Stripe face: the world as Stripe's API shows it at some moment. Pure: a request in, status and body out.
//! It does not check keys nor keep time (see [`super::server`]), and it does not know which fields anybody declares.

mod charge;
mod event;
mod intent;
mod list;
mod money;
mod site;
#[cfg(test)]
mod tests;
mod truth;

use super::ids::BASE62;
use super::json::Json;
use super::query::Query;
use super::world::{Entry, Kind, Life, World};

/// The API version the face speaks, when the client does not name one.
pub(crate) const VERSION: &str = "2026-10-28.endive";

/// A status and a JSON body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// One kind of object and its place in the API.
pub(crate) struct Resource {
    /// Path of the list.
    pub(crate) path: &'static str,
    /// The permission that reading needs, as restricted keys name it.
    pub(crate) permission: &'static str,
    /// How messages name one object.
    noun: &'static str,
    kind: Kind,
}

pub(crate) const RESOURCES: &[Resource] = &[
    resource("/v1/charges", "charge_read", "charge", Kind::Charge),
    resource("/v1/refunds", "charge_read", "refund", Kind::Refund),
    resource("/v1/disputes", "dispute_read", "dispute", Kind::Dispute),
    resource("/v1/payment_intents", "payment_intent_read", "payment_intent", Kind::Intent),
    resource("/v1/balance_transactions", "balance_read", "balance transaction", Kind::Transaction),
    resource("/v1/payouts", "payout_read", "payout", Kind::Payout),
];

/// Paths that are not lists of objects, and what reading them needs.
const SINGLES: &[(&str, &str)] =
    &[("/v1/account", "accounts_kyc_basic_read"), ("/v1/balance", "balance_read"), ("/v1/events", "event_read")];

const fn resource(path: &'static str, permission: &'static str, noun: &'static str, kind: Kind) -> Resource {
    Resource { path, permission, noun, kind }
}

/// The permission that a path needs; `None` when there is no such path.
pub(crate) fn permission(path: &str) -> Option<&'static str> {
    let under = |base: &str| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let lists = RESOURCES.iter().map(|resource| (resource.path, resource.permission));
    lists.chain(SINGLES.iter().copied()).find(|(base, _)| under(base)).map(|(_, permission)| permission)
}

/// The world as Stripe shows it at one moment.
pub(crate) struct Face<'a> {
    pub(crate) world: &'a World,
    /// Unix seconds.
    pub(crate) now: u32,
}

impl Face<'_> {
    /// Answers a GET.
    pub(crate) fn get(&self, path: &str, query: &Query) -> Answer {
        match path {
            "/v1/account" => return self.site(Self::account),
            "/v1/balance" => return self.site(Self::balance),
            "/v1/events" => return self.events(query),
            _ => {}
        }
        if let Some(id) = path.strip_prefix("/v1/events/") {
            return self.event_by_id(id);
        }
        for resource in RESOURCES {
            match path.strip_prefix(resource.path) {
                Some("") => return self.list(resource, query),
                Some(rest) if rest.starts_with('/') => return self.retrieve(resource, &rest[1..]),
                _ => {}
            }
        }
        error(404, None, None, &format!("Unrecognized request URL (GET: {path})."))
    }

    fn retrieve(&self, resource: &Resource, id: &str) -> Answer {
        match self.find(resource.kind, id) {
            Some(entry) => {
                let mut json = Json::indented();
                self.object(resource.kind, &entry, &mut json);
                Answer { status: 200, body: json.finish() }
            }
            None => {
                let message = format!("No such {}: '{id}'", resource.noun);
                error(404, Some("resource_missing"), Some("id"), &message)
            }
        }
    }

    /// Writes one object as it is now.
    fn object(&self, kind: Kind, entry: &Entry, json: &mut Json) {
        match kind {
            Kind::Payout => return self.payout(entry.payment, json),
            Kind::Transaction => return self.transaction(entry, json),
            _ => {}
        }
        let Some(life) = self.world.life(entry.payment) else { return };
        match kind {
            Kind::Charge => self.charge(&life, entry.part, json),
            Kind::Refund => self.refund(&life, entry.part, json),
            Kind::Dispute => self.dispute(&life, json),
            _ => self.intent(&life, json),
        }
    }

    /// The entry that an id names, if it can be seen now.
    fn find(&self, kind: Kind, id: &str) -> Option<Entry> {
        let (payment, part) = self.read(name(kind), id)?;
        let entry = self.world.entry(kind, payment, part)?;
        (entry.visible(self.now) && self.id(kind, &entry) == id).then_some(entry)
    }

    /// The payment and part that [`Face::write`] wrote.
    fn read(&self, name: &str, id: &str) -> Option<(u32, u16)> {
        // All prefixes end in one digit.
        let text = id.split_once('_')?.1.get(1..)?;
        let value = BASE62.read(self.world.plan.id_seed, name, text)?;
        (value >> 48 == 0).then_some(((value >> 16) as u32, value as u16))
    }

    /// The id of an object.
    pub(crate) fn id(&self, kind: Kind, entry: &Entry) -> String {
        match kind {
            Kind::Charge => {
                self.world.life(entry.payment).map_or_else(String::new, |life| self.charge_id(&life, entry.part))
            }
            _ => self.name(kind, entry.payment, entry.part),
        }
    }

    /// Charges that are not of a card are called payments.
    fn charge_id(&self, life: &Life, part: u16) -> String {
        self.write(if life.debit { "py_3" } else { "ch_3" }, name(Kind::Charge), life.payment, part)
    }

    fn name(&self, kind: Kind, payment: u32, part: u16) -> String {
        self.write(prefix(kind), name(kind), payment, part)
    }

    fn write(&self, prefix: &str, name: &str, payment: u32, part: u16) -> String {
        let mut out = String::with_capacity(32);
        out.push_str(prefix);
        let value = (u64::from(payment) << 16) | u64::from(part);
        BASE62.write(self.world.plan.id_seed, name, value, &mut out);
        out
    }

    /// An id of something that is not an object of its own here: a customer, a payment method, a fingerprint.
    fn alias(&self, prefix: &str, kind: &str, value: u64, length: usize) -> String {
        let mut out = String::with_capacity(32);
        out.push_str(prefix);
        BASE62.write(self.world.plan.id_seed, kind, value, &mut out);
        out.truncate(prefix.len() + length);
        out
    }

    pub(crate) fn account_id(&self) -> String {
        self.alias("acct_1", "account", 0, 15)
    }

    fn customer(&self, life: &Life) -> Option<String> {
        // A third of the payers are guests.
        (!life.payer.is_multiple_of(3)).then(|| self.alias("cus_", "customer", u64::from(life.payer), 14))
    }

    fn payment_method(&self, life: &Life) -> String {
        self.alias("pm_1", "payment_method", life.card, 23)
    }
}

/// Stripe's error body.
pub(crate) fn error(status: u16, code: Option<&str>, param: Option<&str>, message: &str) -> Answer {
    let mut json = Json::indented();
    json.object(|w| {
        w.nest("error", |w| {
            if let Some(code) = code {
                w.put("code", code);
                w.put("doc_url", format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")));
            }
            w.put("message", message);
            if let Some(param) = param {
                w.put("param", param);
            }
            w.put("type", if status >= 500 { "api_error" } else { "invalid_request_error" });
        });
    });
    Answer { status, body: json.finish() }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Intent => "payment_intent",
        Kind::Charge => "charge",
        Kind::Refund => "refund",
        Kind::Dispute => "dispute",
        Kind::Transaction => "balance_transaction",
        Kind::Payout => "payout",
        Kind::Turn | Kind::Step => "change",
    }
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Intent => "pi_3",
        Kind::Charge => "ch_3",
        Kind::Refund => "re_3",
        Kind::Dispute => "du_1",
        Kind::Transaction => "txn_3",
        Kind::Payout => "po_1",
        // Changes show themselves only as events.
        Kind::Turn | Kind::Step => "",
    }
}
