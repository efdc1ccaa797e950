//! Refunds, balance transactions and payouts as Stripe renders them.

use super::super::json::{Json, Null, Number};
use super::super::world::{CURRENCIES, Entry, Kind, Life, Move, Payout, REFUND_REASONS, Refund, Transaction};
use super::Face;

impl Face<'_> {
    pub(super) fn refund_status(&self, refund: &Refund) -> &'static str {
        match self.now {
            now if refund.failed <= now => "failed",
            now if refund.settled <= now => "succeeded",
            _ => "pending",
        }
    }

    /// Writes one refund of a payment.
    pub(super) fn refund(&self, life: &Life, part: u16, json: &mut Json) {
        let Some(refund) = life.refunds().get(usize::from(part)) else { return };
        let transaction = |kind: Move| {
            let found = life.transaction(kind).filter(|transaction| transaction.at <= self.now);
            found.map(|_| self.name(Kind::Transaction, life.payment, kind.part()))
        };
        let failed = refund.failed <= self.now;
        json.object(|w| {
            w.put("id", self.name(Kind::Refund, life.payment, part));
            w.put("object", "refund");
            w.put("amount", refund.amount);
            w.put("balance_transaction", transaction(Move::Refund(part)));
            w.put("charge", self.charge_id(life, life.last()));
            w.put("created", refund.at);
            w.put("currency", life.currency().code);
            w.put("customer", self.customer(life));
            w.put("customer_account", Null);
            w.nest("destination_details", |w| {
                let kind = if life.debit { "sepa_debit" } else { "card" };
                w.nest(kind, |w| {
                    w.put("type", if life.released() { "reversal" } else { "refund" });
                });
                w.put("type", kind);
            });
            if failed {
                w.put("failure_balance_transaction", transaction(Move::RefundFailure(part)));
                w.put("failure_reason", "expired_or_canceled_card");
            }
            w.nest("metadata", |_| {});
            w.put("payment_intent", self.name(Kind::Intent, life.payment, 0));
            w.put("payment_method", self.payment_method(life));
            w.put("reason", REFUND_REASONS[usize::from(refund.reason)].0);
            w.nulls(&["receipt_number", "source_transfer_reversal", "transfer_reversal"]);
            w.put("status", self.refund_status(refund));
        });
    }

    /// The id of what a transaction comes from.
    pub(super) fn source(&self, entry: &Entry, kind: Move) -> String {
        match kind {
            Move::Charge => {
                let life = self.world.life(entry.payment);
                life.map_or_else(String::new, |life| self.charge_id(&life, life.last()))
            }
            Move::Refund(part) | Move::RefundFailure(part) => self.name(Kind::Refund, entry.payment, part),
            Move::Dispute | Move::DisputeReversal => self.name(Kind::Dispute, entry.payment, 0),
            Move::Payout | Move::PayoutFailure => self.name(Kind::Payout, entry.payment, 0),
        }
    }

    /// Writes a balance transaction.
    pub(super) fn transaction(&self, entry: &Entry, json: &mut Json) {
        let Some(found) = self.world.transaction(entry) else { return };
        let life = (!found.kind.of_payout()).then(|| self.world.life(entry.payment)).flatten();
        let (kind, category) = found.kind.names();
        let currency = CURRENCIES[usize::from(found.currency)].code;
        json.object(|w| {
            w.put("id", self.name(Kind::Transaction, entry.payment, entry.part));
            w.put("object", "balance_transaction");
            w.put("amount", found.amount);
            w.put("available_on", found.available);
            w.put("balance_type", "payments");
            w.put("created", found.at);
            w.put("currency", currency);
            w.put("description", self.transaction_text(found.kind, life.as_ref()));
            w.put("exchange_rate", life.as_ref().and_then(|life| life.currency().rate_text).map(Number));
            w.put("fee", found.fee);
            fee_details(&found, currency, w);
            w.put("net", found.net());
            w.put("reporting_category", category);
            w.put("source", self.source(entry, found.kind));
            w.put("status", if found.available <= self.now { "available" } else { "pending" });
            w.put("type", kind);
        });
    }

    fn transaction_text(&self, kind: Move, life: Option<&Life>) -> String {
        let text = life.map(|life| self.world.person(life).description).unwrap_or_default();
        match kind {
            Move::Charge => text,
            Move::Refund(_) => format!("REFUND FOR CHARGE ({text})"),
            Move::RefundFailure(_) => format!("REFUND FAILURE ({text})"),
            Move::Dispute => "Chargeback withdrawal".to_owned(),
            Move::DisputeReversal => "Chargeback reversal".to_owned(),
            Move::Payout | Move::PayoutFailure => "STRIPE PAYOUT".to_owned(),
        }
    }

    pub(super) fn payout_status(&self, payout: &Payout) -> &'static str {
        match self.now {
            now if payout.failed <= now => "failed",
            now if payout.arrives() <= now => "paid",
            now if payout.sent() <= now => "in_transit",
            _ => "pending",
        }
    }

    /// Writes a payout.
    pub(super) fn payout(&self, number: u32, json: &mut Json) {
        let Some(payout) = self.world.payout(number) else { return };
        let failed = payout.failed <= self.now;
        let transaction = |kind: Move| self.name(Kind::Transaction, number, kind.part());
        json.object(|w| {
            w.put("id", self.name(Kind::Payout, number, 0));
            w.put("object", "payout");
            w.put("amount", payout.amount);
            w.nulls(&["application_fee", "application_fee_amount"]);
            w.put("arrival_date", payout.arrives());
            w.put("automatic", true);
            w.put("balance_transaction", transaction(Move::Payout));
            w.put("created", payout.at());
            w.put("currency", payout.currency_code());
            w.put("description", "STRIPE PAYOUT");
            w.put("destination", self.alias("ba_1", "bank_account", u64::from(payout.currency), 23));
            w.put("failure_balance_transaction", failed.then(|| transaction(Move::PayoutFailure)));
            w.put("failure_code", failed.then_some("account_closed"));
            w.put("failure_message", failed.then_some("The bank account has been closed."));
            w.put("livemode", false);
            w.nest("metadata", |_| {});
            w.put("method", "standard");
            w.nulls(&["original_payout", "payout_method"]);
            let done = payout.arrives() <= self.now;
            w.put("reconciliation_status", if done { "completed" } else { "in_progress" });
            w.put("reversed_by", Null);
            w.put("source_type", "card");
            w.put("statement_descriptor", Null);
            w.put("status", self.payout_status(&payout));
            w.nest("trace_id", |w| {
                w.put("status", if done { "supported" } else { "pending" });
                w.put(
                    "value",
                    done.then(|| format!("{:015}", u64::from(payout.day) * 1_000 + u64::from(number % 1_000))),
                );
            });
            w.put("type", "bank_account");
        });
    }
}

fn fee_details(found: &Transaction, currency: &str, w: &mut Json) {
    w.list("fee_details", |w| {
        if found.fee == 0 {
            return;
        }
        w.object(|w| {
            w.put("amount", found.fee);
            w.put("application", Null);
            w.put("currency", currency);
            let charge = found.kind == Move::Charge;
            w.put("description", if charge { "Stripe processing fees" } else { "Dispute fee" });
            w.put("type", "stripe_fee");
        });
    });
}
