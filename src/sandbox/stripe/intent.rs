//! Payment intents and disputes as Stripe renders them.

use super::super::json::{Json, Null};
use super::super::world::{Attempt, Dispute, Kind, Life, Move, Person, REASONS};
use super::Face;
use super::charge::{metadata, shipping};

impl Face<'_> {
    /// The last try that has begun by now, with its number.
    fn latest<'l>(&self, life: &'l Life) -> Option<(u16, &'l Attempt)> {
        let begun = life.attempts().iter().take_while(|attempt| attempt.at <= self.now).count();
        Some((begun.checked_sub(1)? as u16, &life.attempts()[begun - 1]))
    }

    pub(super) fn intent_status(&self, life: &Life) -> &'static str {
        let let_go = life.released() && life.refunds()[0].at <= self.now;
        match self.latest(life) {
            _ if let_go => "canceled",
            _ if life.captured <= self.now => "succeeded",
            Some((_, attempt)) if attempt.decided > self.now => "processing",
            Some((_, attempt)) if attempt.decline().is_none() => "requires_capture",
            _ => "requires_payment_method",
        }
    }

    /// Writes the payment intent of a payment.
    pub(super) fn intent(&self, life: &Life, json: &mut Json) {
        let who = self.world.person(life);
        let id = self.name(Kind::Intent, life.payment, 0);
        let status = self.intent_status(life);
        let latest = self.latest(life);
        json.object(|w| {
            w.put("id", id.as_str());
            w.put("object", "payment_intent");
            w.put("amount", life.amount);
            w.put("amount_capturable", if status == "requires_capture" { life.amount } else { 0 });
            w.nest("amount_details", |w| w.nest("tip", |_| {}));
            w.put("amount_received", if status == "succeeded" { life.amount } else { 0 });
            w.nulls(&["application", "application_fee_amount"]);
            w.nest("automatic_payment_methods", |w| w.put("enabled", true));
            w.put("canceled_at", (status == "canceled").then(|| life.refunds()[0].at));
            w.put("cancellation_reason", (status == "canceled").then_some("automatic"));
            w.put("capture_method", if life.manual { "manual" } else { "automatic" });
            w.put("client_secret", format!("{id}_secret_{:016x}", who.secret));
            w.put("confirmation_method", "automatic");
            w.put("created", life.created);
            w.put("currency", life.currency().code);
            w.put("customer", self.customer(life));
            w.nulls(&["customer_account", "excluded_payment_method_types", "on_behalf_of", "review"]);
            w.put("description", who.description.as_str());
            self.last_error(life, latest, w);
            w.put("latest_charge", latest.map(|(part, _)| self.charge_id(life, part)));
            w.put("livemode", false);
            w.nest("managed_payments", |w| w.put("enabled", false));
            metadata(&who, w);
            w.put("next_action", Null);
            w.put("payment_method", (status != "requires_payment_method").then(|| self.payment_method(life)));
            w.nest("payment_method_configuration_details", |w| {
                w.put("id", self.alias("pmc_1", "configuration", 0, 23));
                w.put("parent", Null);
            });
            w.nest("payment_method_options", |w| {
                w.nest("card", |w| w.put("request_three_d_secure", "automatic"));
            });
            w.list("payment_method_types", |w| {
                w.element("card");
                w.element("sepa_debit");
            });
            processing(status, life, w);
            w.put("receipt_email", (life.payer.is_multiple_of(2)).then_some(who.email.as_str()));
            w.put("setup_future_usage", (life.payer % 6 == 1).then_some("off_session"));
            shipping(life, &who, w);
            w.nulls(&["source", "statement_descriptor", "statement_descriptor_suffix"]);
            w.put("status", status);
            w.nulls(&["transfer_data", "transfer_group"]);
        });
    }

    fn last_error(&self, life: &Life, latest: Option<(u16, &Attempt)>, w: &mut Json) {
        let failed = latest.filter(|(_, attempt)| attempt.decided <= self.now);
        match failed.and_then(|(part, attempt)| attempt.decline().map(|decline| (part, decline))) {
            None => w.put("last_payment_error", Null),
            Some((part, decline)) => w.nest("last_payment_error", |w| {
                w.put("advice_code", decline.advice);
                w.put("charge", self.charge_id(life, part));
                w.put("code", decline.code);
                w.put("decline_code", decline.reason);
                w.put("message", decline.message);
                w.put("type", "card_error");
            }),
        }
    }

    pub(super) fn dispute_status(&self, dispute: &Dispute) -> &'static str {
        let sent = dispute.submitted <= self.now;
        match (dispute.closed <= self.now, dispute.inquiry) {
            (true, true) => "warning_closed",
            (true, false) if dispute.won => "won",
            (true, false) => "lost",
            (false, true) if sent => "warning_under_review",
            (false, true) => "warning_needs_response",
            (false, false) if sent => "under_review",
            (false, false) => "needs_response",
        }
    }

    /// Writes the dispute of a payment, if it has one.
    pub(super) fn dispute(&self, life: &Life, json: &mut Json) {
        let Some(dispute) = life.dispute else { return };
        let who = self.world.person(life);
        let sent = dispute.submitted <= self.now;
        json.object(|w| {
            w.put("id", self.name(Kind::Dispute, life.payment, 0));
            w.put("object", "dispute");
            w.put("amount", life.amount);
            w.list("balance_transactions", |w| {
                for kind in [Move::Dispute, Move::DisputeReversal] {
                    let entry = self.world.entry(Kind::Transaction, life.payment, kind.part());
                    if let Some(entry) = entry.filter(|entry| entry.at <= self.now) {
                        self.transaction(&entry, w);
                    }
                }
            });
            w.put("charge", self.charge_id(life, life.last()));
            w.put("created", dispute.opened);
            w.put("currency", life.currency().code);
            w.list("enhanced_eligibility_types", |w| {
                if life.brand().stripe == "visa" && dispute.reason == 0 {
                    w.element("visa_compelling_evidence_3");
                }
            });
            evidence(&who, sent, w);
            w.nest("evidence_details", |w| {
                w.put("due_by", dispute.due);
                w.nest("enhanced_eligibility", |_| {});
                w.put("has_evidence", sent);
                w.put("past_due", !sent && dispute.due < self.now);
                w.put("submission_count", u32::from(sent));
            });
            w.put("is_charge_refundable", dispute.inquiry && dispute.closed > self.now);
            w.put("livemode", false);
            w.nest("metadata", |_| {});
            w.put("payment_intent", self.name(Kind::Intent, life.payment, 0));
            w.nest("payment_method_details", |w| {
                w.nest("card", |w| {
                    let brand = life.brand().stripe;
                    let reason = &REASONS[usize::from(dispute.reason)];
                    w.put("brand", brand);
                    w.put("case_type", if dispute.inquiry { "inquiry" } else { "chargeback" });
                    w.put("network", brand);
                    w.put("network_reason_code", if brand == "mastercard" { reason.2 } else { reason.1 });
                });
                w.put("type", "card");
            });
            w.put("reason", REASONS[usize::from(dispute.reason)].0);
            w.put("status", self.dispute_status(&dispute));
        });
    }
}

fn processing(status: &str, life: &Life, w: &mut Json) {
    if status != "processing" {
        return w.put("processing", Null);
    }
    w.nest("processing", |w| w.put("type", if life.debit { "sepa_debit" } else { "card" }));
}

fn evidence(who: &Person, sent: bool, w: &mut Json) {
    w.nest("evidence", |w| {
        w.put("customer_email_address", sent.then_some(who.email.as_str()));
        w.put("customer_name", sent.then_some(who.name.as_str()));
        w.put("customer_purchase_ip", sent.then_some(who.ip.as_str()));
        w.put("billing_address", sent.then_some(who.line1.as_str()));
        w.put("shipping_address", sent.then_some(who.line1.as_str()));
        w.put("product_description", sent.then_some(who.description.as_str()));
        w.put("uncategorized_text", sent.then(|| format!("{} received the goods", who.name)));
        w.nulls(&[
            "access_activity_log",
            "cancellation_policy",
            "cancellation_policy_disclosure",
            "cancellation_rebuttal",
            "customer_communication",
            "customer_signature",
            "duplicate_charge_documentation",
            "duplicate_charge_explanation",
            "duplicate_charge_id",
            "receipt",
            "refund_policy",
            "refund_policy_disclosure",
            "refund_refusal_explanation",
            "service_date",
            "service_documentation",
            "shipping_carrier",
            "shipping_date",
            "shipping_documentation",
            "shipping_tracking_number",
            "uncategorized_file",
        ]);
        w.nest("enhanced_evidence", |_| {});
    });
}
