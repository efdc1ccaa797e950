//! Charges as Stripe renders them: one for each attempt to collect.

use super::super::json::{Json, Null};
use super::super::world::{Attempt, Entry, Kind, Life, Move, NEVER, Person, ThreeDs};
use super::Face;

impl Face<'_> {
    /// Writes the charge of one attempt.
    pub(super) fn charge(&self, life: &Life, part: u16, json: &mut Json) {
        let Some(attempt) = life.attempts().get(usize::from(part)) else { return };
        let who = self.world.person(life);
        let id = self.charge_id(life, part);
        json.object(|w| {
            w.put("id", id.as_str());
            w.put("object", "charge");
            self.charge_money(life, part, attempt, w);
            billing(life, &who, w);
            self.charge_texts(life, attempt, &who, w);
            self.outcome(attempt, w);
            self.charge_links(life, w);
            self.method_details(life, attempt, &who, w);
            w.put("receipt_email", (life.payer.is_multiple_of(2)).then_some(who.email.as_str()));
            w.put(
                "receipt_number",
                (life.key.is_multiple_of(7)).then(|| format!("{:04}-{:04}", who.secret % 9_000, life.payment % 10_000)),
            );
            w.put(
                "receipt_url",
                format!("https://pay.stripe.com/receipts/payment/{:016x}{:016x}", who.secret, life.key),
            );
            self.charge_refunds(life, part, &id, w);
            shipping(life, &who, w);
            self.legacy_source(life, &who, w);
            w.nulls(&["source_transfer", "transfer_data", "transfer_group"]);
            w.put("status", self.charge_status(attempt));
        });
    }

    fn charge_money(&self, life: &Life, part: u16, attempt: &Attempt, w: &mut Json) {
        let collects = life.collects(part);
        let captured = collects && life.captured <= self.now;
        let back = if collects { life.given_back(self.now) } else { 0 };
        w.put("amount", life.amount);
        w.put("amount_captured", if captured { life.amount } else { 0 });
        w.put("amount_refunded", back);
        w.nulls(&["application", "application_fee", "application_fee_amount"]);
        w.put("balance_transaction", captured.then(|| self.name(Kind::Transaction, life.payment, Move::Charge.part())));
        w.put("captured", captured);
        w.put("created", attempt.at);
        w.put("currency", life.currency().code);
        w.put("disputed", collects && life.dispute.is_some_and(|dispute| dispute.opened <= self.now));
        w.put("livemode", false);
        w.put("paid", attempt.decline().is_none() && attempt.decided <= self.now);
        w.put("refunded", back == life.amount);
    }

    fn charge_texts(&self, life: &Life, attempt: &Attempt, who: &Person, w: &mut Json) {
        let failed = attempt.decline().filter(|_| attempt.decided <= self.now);
        w.put("calculated_statement_descriptor", (!life.debit).then_some("SANDBOX SHOP"));
        w.put("description", who.description.as_str());
        w.put("failure_balance_transaction", Null);
        w.put("failure_code", failed.map(|decline| decline.code));
        w.put("failure_message", failed.map(|decline| decline.message));
        // Only the attempt that took the money is disputed; of the others nothing changes, and no event would say so.
        let disputed = life.dispute.filter(|_| attempt.decline().is_none());
        let reported = disputed.is_some_and(|dispute| dispute.reason == 0 && dispute.opened <= self.now);
        w.nest("fraud_details", |w| {
            if reported {
                w.put("user_report", "fraudulent");
            }
        });
        metadata(who, w);
        w.put("statement_descriptor", Null);
        w.put("statement_descriptor_suffix", (life.key.is_multiple_of(5)).then_some("TEA"));
    }

    fn outcome(&self, attempt: &Attempt, w: &mut Json) {
        let decline = attempt.decline().filter(|_| attempt.decided <= self.now);
        let blocked = decline.is_some_and(|decline| decline.blocked);
        w.nest("outcome", |w| {
            w.put("advice_code", decline.map(|decline| decline.advice));
            w.put("network_advice_code", Null);
            w.put("network_decline_code", decline.filter(|_| !blocked).map(|decline| decline.network_code));
            let network = if blocked { "not_sent_to_network" } else { "declined_by_network" };
            w.put("network_status", if decline.is_some() { network } else { "approved_by_network" });
            w.put("reason", decline.map(|decline| decline.reason));
            w.put("risk_level", if blocked { "highest" } else { "normal" });
            w.put("risk_score", if blocked { 91u32 } else { 1 + attempt.at % 60 });
            w.put("seller_message", decline.map_or("Payment complete.", |decline| decline.message));
            w.put(
                "type",
                if blocked {
                    "blocked"
                } else if decline.is_some() {
                    "issuer_declined"
                } else {
                    "authorized"
                },
            );
        });
    }

    fn charge_links(&self, life: &Life, w: &mut Json) {
        w.put("customer", self.customer(life));
        w.nulls(&["on_behalf_of", "review"]);
        w.put("payment_intent", self.name(Kind::Intent, life.payment, 0));
        w.put("payment_method", self.payment_method(life));
    }

    pub(super) fn charge_status(&self, attempt: &Attempt) -> &'static str {
        match (attempt.decided <= self.now, attempt.decline()) {
            (false, _) => "pending",
            (true, Some(_)) => "failed",
            (true, None) => "succeeded",
        }
    }

    fn method_details(&self, life: &Life, attempt: &Attempt, who: &Person, w: &mut Json) {
        w.nest("payment_method_details", |w| {
            if life.debit {
                w.nest("sepa_debit", |w| {
                    w.put("bank_code", "37040044");
                    w.put("branch_code", Null);
                    w.put("country", life.country());
                    w.put("fingerprint", self.fingerprint(life));
                    w.put("last4", who.last4.as_str());
                    w.put("mandate", self.alias("mandate_1", "mandate", life.card, 23));
                });
                w.put("type", "sepa_debit");
            } else {
                w.nest("card", |w| self.card(life, attempt, who, w));
                w.put("type", "card");
            }
        });
    }

    fn fingerprint(&self, life: &Life) -> String {
        self.alias("", "fingerprint", life.card, 16)
    }

    fn card(&self, life: &Life, attempt: &Attempt, who: &Person, w: &mut Json) {
        let brand = life.brand();
        let approved = attempt.decline().is_none();
        w.put("amount_authorized", approved.then_some(life.amount));
        w.put("authorization_code", approved.then(|| format!("{:06}", life.key % 1_000_000)));
        w.put("brand", brand.stripe);
        w.nest("checks", |w| {
            let address = life.card.is_multiple_of(4);
            w.put("address_line1_check", address.then_some("pass"));
            w.put(
                "address_postal_code_check",
                address.then_some(if life.card.is_multiple_of(8) { "fail" } else { "pass" }),
            );
            w.put(
                "cvc_check",
                if attempt.decline().is_some_and(|d| d.code == "incorrect_cvc") { "fail" } else { "pass" },
            );
        });
        w.put("country", life.country());
        w.put("exp_month", who.expiry_month);
        w.put("exp_year", who.expiry_year);
        for (feature, status) in [("extended_authorization", "disabled"), ("incremental_authorization", "unavailable")]
        {
            w.nest(feature, |w| w.put("status", status));
        }
        w.put("fingerprint", self.fingerprint(life));
        w.put("funding", life.funding().0);
        if life.card % 50 == 1 {
            w.nest("installments", |w| {
                w.nest("plan", |w| {
                    w.put("count", 3u32);
                    w.put("interval", "month");
                    w.put("type", "fixed_count");
                });
            });
        } else {
            w.put("installments", Null);
        }
        w.put("last4", who.last4.as_str());
        w.put("mandate", Null);
        w.nest("multicapture", |w| w.put("status", "unavailable"));
        w.put("network", brand.stripe);
        w.nest("network_token", |w| w.put("used", life.card.is_multiple_of(3)));
        w.put("network_transaction_id", approved.then(|| format!("{:015}", life.key % 1_000_000_000_000_000)));
        w.nest("overcapture", |w| {
            w.put("maximum_amount_capturable", life.amount);
            w.put("status", "unavailable");
        });
        w.put("regulated_status", (life.country() == "US").then_some("unregulated"));
        three_d_secure(attempt, life, w);
        w.put("transaction_link_id", Null);
        wallet(life, who, w);
    }

    fn charge_refunds(&self, life: &Life, part: u16, id: &str, w: &mut Json) {
        let shown = |which: &usize| {
            let entry = self.world.entry(Kind::Refund, life.payment, *which as u16);
            life.collects(part) && entry.is_some_and(|entry: Entry| entry.visible(self.now))
        };
        w.nest("refunds", |w| {
            w.put("object", "list");
            w.list("data", |w| {
                for which in (0..life.refunds().len()).rev().filter(shown) {
                    self.refund(life, which as u16, w);
                }
            });
            w.put("has_more", false);
            w.put("url", format!("/v1/charges/{id}/refunds"));
        });
    }

    /// Old integrations pay with a source; a few payers here still do.
    fn legacy_source(&self, life: &Life, who: &Person, w: &mut Json) {
        if life.card % 40 != 2 {
            w.put("source", Null);
            return;
        }
        w.nest("source", |w| {
            w.put("id", self.alias("src_1", "source", life.card, 23));
            w.put("object", "source");
            w.nulls(&["allow_redisplay", "amount", "currency", "metadata", "statement_descriptor", "usage"]);
            w.put("client_secret", format!("src_client_secret_{:016x}", who.secret));
            w.put("created", life.created);
            w.put("flow", "none");
            w.put("livemode", false);
            w.nest("owner", |w| {
                address("address", life, who, w);
                w.put("email", who.email.as_str());
                w.put("name", who.name.as_str());
                w.put("phone", who.phone.as_str());
                address("verified_address", life, who, w);
                w.nulls(&["verified_email", "verified_name", "verified_phone"]);
            });
            w.put("status", "chargeable");
            w.put("type", if life.debit { "sepa_debit" } else { "card" });
        });
    }
}

fn three_d_secure(attempt: &Attempt, life: &Life, w: &mut Json) {
    let (flow, indicator, result) = match attempt.three_ds {
        ThreeDs::NotAsked => return w.put("three_d_secure", Null),
        ThreeDs::Frictionless => ("frictionless", "05", "authenticated"),
        ThreeDs::Challenged => ("challenge", "05", "authenticated"),
        ThreeDs::Attempted => ("frictionless", "06", "attempt_acknowledged"),
        ThreeDs::Failed => ("challenge", "07", "failed"),
    };
    w.nest("three_d_secure", |w| {
        w.put("authentication_flow", flow);
        w.put("electronic_commerce_indicator", indicator);
        w.put("exemption_indicator", Null);
        w.put("result", result);
        w.put("result_reason", (attempt.three_ds == ThreeDs::Failed).then_some("rejected"));
        w.put("transaction_id", format!("{:016x}", life.key));
        w.put("version", "2.2.0");
    });
}

fn wallet(life: &Life, who: &Person, w: &mut Json) {
    let kind = match life.card % 10 {
        0 => "apple_pay",
        1 => "google_pay",
        2 => "link",
        _ => return w.put("wallet", Null),
    };
    w.nest("wallet", |w| {
        w.put("dynamic_last4", (kind == "apple_pay").then_some(who.last4.as_str()));
        w.put("type", kind);
        w.nest(kind, |_| {});
    });
}

pub(super) fn metadata(who: &Person, w: &mut Json) {
    w.nest("metadata", |w| {
        w.put("order", who.reference.as_str());
        w.put("note", format!("Leave with the neighbour of {}", who.name));
    });
}

fn address(key: &str, life: &Life, who: &Person, w: &mut Json) {
    w.nest(key, |w| {
        w.put("city", who.city);
        w.put("country", life.country());
        w.put("line1", who.line1.as_str());
        w.put("line2", Null);
        w.put("postal_code", who.postcode.as_str());
        w.put("state", Null);
    });
}

fn billing(life: &Life, who: &Person, w: &mut Json) {
    w.nest("billing_details", |w| {
        address("address", life, who, w);
        w.put("email", (!life.payer.is_multiple_of(5)).then_some(who.email.as_str()));
        w.put("name", who.name.as_str());
        w.put("phone", who.phone.as_str());
        w.put("tax_id", Null);
    });
}

pub(super) fn shipping(life: &Life, who: &Person, w: &mut Json) {
    if !life.key.is_multiple_of(3) {
        w.put("shipping", Null);
        return;
    }
    w.nest("shipping", |w| {
        address("address", life, who, w);
        w.put("carrier", Null);
        w.put("name", who.name.as_str());
        w.put("phone", who.phone.as_str());
        w.put("tracking_number", (life.captured != NEVER).then(|| format!("TRK{:010}", who.secret % 10_000_000_000)));
    });
}
