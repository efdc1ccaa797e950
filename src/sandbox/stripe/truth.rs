//! The oracle's answers for Stripe's streams.

use super::super::truth::{Truth, TruthStream};
use super::super::world::{CURRENCIES, Entry, Kind};
use super::Face;

impl Face<'_> {
    /// Everything of a stream made in `from..=to` (unix seconds).
    pub(crate) fn truth(&self, stream: TruthStream, from: u32, to: u32) -> Vec<Truth> {
        let kind = match stream {
            TruthStream::StripeCharges => Kind::Charge,
            TruthStream::StripeRefunds => Kind::Refund,
            TruthStream::StripeDisputes => Kind::Dispute,
            TruthStream::StripePaymentIntents => Kind::Intent,
            TruthStream::StripeBalanceTransactions => Kind::Transaction,
            TruthStream::StripePayouts => Kind::Payout,
            TruthStream::StripeEvents => return self.event_facts(from, to),
            TruthStream::CheckoutPayments | TruthStream::CheckoutDisputes => return Vec::new(),
        };
        let entries = self.world.made(kind, from, to);
        entries.iter().filter_map(|entry| self.fact(kind, entry)).collect()
    }

    fn fact(&self, kind: Kind, entry: &Entry) -> Option<Truth> {
        let (status, amount, currency) = match kind {
            Kind::Payout => {
                let payout = self.world.payout(entry.payment)?;
                (self.payout_status(&payout), payout.amount, payout.currency_code())
            }
            Kind::Transaction => {
                let found = self.world.transaction(entry)?;
                let status = if found.available <= self.now { "available" } else { "pending" };
                (status, found.amount, CURRENCIES[usize::from(found.currency)].code)
            }
            _ => {
                let life = self.world.life(entry.payment)?;
                let (status, amount) = match kind {
                    Kind::Charge => (self.charge_status(life.attempts().get(usize::from(entry.part))?), life.amount),
                    Kind::Refund => {
                        let refund = life.refunds().get(usize::from(entry.part))?;
                        (self.refund_status(refund), refund.amount)
                    }
                    Kind::Dispute => (self.dispute_status(&life.dispute?), life.amount),
                    _ => (self.intent_status(&life), life.amount),
                };
                (status, amount, life.currency().code)
            }
        };
        let at_ms = i64::from(entry.at) * 1000;
        Some(Truth {
            id: self.id(kind, entry),
            at_ms,
            visible_ms: at_ms + i64::from(entry.late) * 1000,
            status: status.to_owned(),
            amount,
            currency,
        })
    }
}
