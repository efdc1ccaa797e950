//! Payments as Checkout.com renders them: once for search, once for reading by id, with the differences between the two
//! that a production puller has reported (case of codes, strings for numbers, missing ids).

use super::super::chance::hash;
use super::super::json::Json;
use super::super::stripe::Answer;
use super::super::world::{Attempt, DAY, Life, NEVER, Person, ThreeDs};
use super::{Face, time};

impl Face<'_> {
    /// The status of one attempt, as reading by id spells it.
    pub(super) fn status(&self, life: &Life, part: u16) -> Option<&'static str> {
        let attempt = life.attempts().get(usize::from(part))?;
        let back = if life.collects(part) { life.given_back(self.now()) } else { 0 };
        Some(if attempt.decided > self.now() {
            "Pending"
        } else if attempt.decline().is_some() {
            "Declined"
        } else if life.released() && back > 0 {
            "Voided"
        } else if life.captured > self.now() {
            "Authorized"
        } else if back == 0 {
            "Captured"
        } else if back < life.amount {
            "Partially Refunded"
        } else {
            "Refunded"
        })
    }

    /// Answers `GET /payments/{id}`.
    pub(super) fn payment(&self, life: &Life, part: u16) -> Answer {
        let mut json = Json::compact();
        json.object(|w| self.render(life, part, false, w));
        Answer { status: 200, body: json.finish() }
    }

    /// Writes the members of a payment; `found` when it is a result of search.
    pub(super) fn render(&self, life: &Life, part: u16, found: bool, w: &mut Json) {
        let Some(attempt) = life.attempts().get(usize::from(part)) else { return };
        let who = self.world.person(life);
        let id = self.payment_id(life.payment, part);
        let status = self.status(life, part).unwrap_or_default();
        w.put("id", id.as_str());
        w.put("requested_on", time::zulu(attempt.at, self.ticks(life.payment, part)));
        self.source(life, attempt, &who, found, w);
        if !found {
            w.put("expires_on", time::zulu(attempt.at + 30 * DAY, 0));
        }
        w.put("amount", life.amount);
        if found {
            w.put("amount_requested", life.amount);
        }
        w.put("currency", life.currency().code.to_uppercase());
        w.put("payment_type", cased("Regular", found));
        w.put("processing_channel_id", self.id("pc_", "channel", 0));
        w.put("reference", who.reference.as_str());
        w.put("description", who.description.as_str());
        w.put("status", cased(status, found));
        w.put("approved", attempt.decline().is_none() && attempt.decided <= self.now());
        self.balances(life, part, w);
        self.three_ds(life, attempt, found, w);
        w.nest("risk", |w| {
            w.put("flagged", attempt.decline().is_some_and(|decline| decline.blocked));
            let score = (life.key % 60) as u32;
            if found { w.put("score", score.to_string()) } else { w.put("score", score) }
        });
        w.nest("customer", |w| {
            if !found {
                w.put("id", self.id("cus_", "customer", u64::from(life.payer)));
            }
            w.put("email", who.email.as_str());
            w.put("name", who.name.as_str());
        });
        w.nest("billing_descriptor", |w| {
            w.put("name", "Sandbox Shop");
            w.put("city", "London");
        });
        shipping(life, &who, w);
        w.put("payment_ip", who.ip.as_str());
        w.nest("metadata", |w| w.put("note", format!("Leave with the neighbour of {}", who.name)));
        if !life.debit {
            w.put("scheme_id", format!("{:015}", life.key % 1_000_000_000_000_000));
        }
        if let Some(decline) = attempt.decline().filter(|_| !found && attempt.decided <= self.now()) {
            w.put("response_code", decline.checkout.0);
            w.put("response_summary", decline.checkout.1);
        }
        if found {
            self.embedded_actions(life, part, &who.reference, w);
            return;
        }
        w.nest("_links", |w| {
            self.link(w, "self", &format!("/payments/{id}"));
            self.link(w, "actions", &format!("/payments/{id}/actions"));
        });
    }

    fn source(&self, life: &Life, attempt: &Attempt, who: &Person, found: bool, w: &mut Json) {
        w.nest("source", |w| {
            if !found {
                w.put("id", self.id("src_", "source", life.card));
            }
            if life.debit {
                w.put("type", "sepa");
                address("billing_address", life, who, w);
                return;
            }
            let brand = life.brand();
            w.put("type", "card");
            if found {
                w.put("expiry_month", format!("{:02}", who.expiry_month));
                w.put("expiry_year", who.expiry_year.to_string());
            } else {
                w.put("expiry_month", who.expiry_month);
                w.put("expiry_year", who.expiry_year);
            }
            w.put("name", who.name.as_str());
            w.put("scheme", brand.checkout);
            w.put("last4", who.last4.as_str());
            w.put("fingerprint", self.fingerprint(life));
            let bin: String = brand.digits.chars().chain(who.bin_rest.chars()).take(6).collect();
            w.put("bin", bin);
            w.put("card_type", cased(life.funding().1, found));
            w.put("card_category", cased("Consumer", found));
            if life.card % 10 == 1 {
                w.put("card_wallet_type", "googlepay");
            }
            w.put("issuer", format!("{} SANDBOX BANK", life.country()));
            w.put("issuer_country", life.country());
            w.put("product_id", "F");
            w.put("product_type", format!("{} Classic", brand.checkout));
            w.put("avs_check", if life.card.is_multiple_of(4) { "Y" } else { "S" });
            let wrong = attempt.decline().is_some_and(|decline| decline.code == "incorrect_cvc");
            w.put("cvv_check", if wrong { "N" } else { "Y" });
            address("billing_address", life, who, w);
            w.nest("phone", |w| {
                w.put("country_code", "1");
                w.put("number", who.phone.trim_start_matches("+1"));
            });
        });
    }

    /// 64 hexadecimal digits, the same for all payments with a card.
    fn fingerprint(&self, life: &Life) -> String {
        let seed = hash(self.world.plan.id_seed, life.card);
        (0..4).map(|word| format!("{:016X}", hash(seed, word))).collect()
    }

    fn balances(&self, life: &Life, part: u16, w: &mut Json) {
        let now = self.now();
        let approved = life.collects(part) && life.approved().is_some_and(|attempt| attempt.decided <= now);
        let authorized = if approved { life.amount } else { 0 };
        let captured = if approved && life.captured <= now { life.amount } else { 0 };
        let back = if approved { life.given_back(now) } else { 0 };
        let (voided, refunded) = if life.released() { (back, 0) } else { (0, back) };
        let open = authorized - captured - voided;
        w.nest("balances", |w| {
            w.put("total_authorized", authorized);
            w.put("total_voided", voided);
            w.put("available_to_void", open);
            w.put("total_captured", captured);
            w.put("available_to_capture", open);
            w.put("total_refunded", refunded);
            w.put("available_to_refund", captured - refunded);
        });
    }

    fn three_ds(&self, life: &Life, attempt: &Attempt, found: bool, w: &mut Json) {
        let (answer, eci, challenged) = match attempt.three_ds {
            ThreeDs::NotAsked => return,
            ThreeDs::Frictionless => ("Y", "05", false),
            ThreeDs::Challenged => ("Y", "05", true),
            ThreeDs::Attempted => ("A", "06", false),
            ThreeDs::Failed => ("N", "07", true),
        };
        w.nest("3ds", |w| {
            if found {
                w.put("eci", eci);
                w.put("version", "2.2.0");
                return;
            }
            w.put("downgraded", false);
            w.put("enrolled", "Y");
            w.put("authentication_response", answer);
            w.put("cryptogram", format!("{:016x}", hash(life.key, 7)));
            w.put("xid", format!("{:016x}", hash(life.key, 8)));
            w.put("version", "2.2.0");
            w.put("challenged", challenged);
        });
        if !found {
            w.put("eci", eci);
        }
    }
}

/// Search spells codes in lower case.
fn cased(word: &str, found: bool) -> String {
    if found { word.to_lowercase() } else { word.to_owned() }
}

fn address(key: &str, life: &Life, who: &Person, w: &mut Json) {
    w.nest(key, |w| {
        w.put("address_line1", who.line1.as_str());
        w.put("city", who.city);
        w.put("zip", who.postcode.as_str());
        w.put("country", life.country());
    });
}

fn shipping(life: &Life, who: &Person, w: &mut Json) {
    if life.key.is_multiple_of(3) && life.captured != NEVER {
        w.nest("shipping", |w| address("address", life, who, w));
    }
}
