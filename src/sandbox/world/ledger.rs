//! What each step of a life does to the merchant's balance, and which payout takes it. The rule is the real one: money
//! becomes available at a midnight (UTC), and the payout of that day takes all of its currency that has become
//! available since the day before; so a payout is exactly the sum of its transactions.

use super::life::{DAY, Life, NEVER};
use super::tables::CURRENCIES;

/// Why the balance moved. The number is the part of the life (see [`super::Entry::part`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Move {
    Charge,
    Refund(u16),
    RefundFailure(u16),
    Dispute,
    DisputeReversal,
    Payout,
    PayoutFailure,
}

/// One movement of the balance, in settlement currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) kind: Move,
    pub(crate) at: u32,
    pub(crate) amount: i64,
    pub(crate) fee: i64,
    pub(crate) available: u32,
    /// Index into [`CURRENCIES`].
    pub(crate) currency: u8,
}

/// One day's payout of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payout {
    pub(crate) day: u32,
    pub(crate) currency: u8,
    /// Negative when the merchant owed.
    pub(crate) amount: i64,
    /// When the bank sent it back.
    pub(crate) failed: u32,
}

impl Move {
    /// All that can come of a payment.
    pub(crate) const OF_PAYMENT: [Move; 7] = [
        Move::Charge,
        Move::Refund(0),
        Move::Refund(1),
        Move::RefundFailure(0),
        Move::RefundFailure(1),
        Move::Dispute,
        Move::DisputeReversal,
    ];

    /// The number that stands for it in an [`super::Entry`].
    pub(crate) fn part(self) -> u16 {
        match self {
            Move::Charge => 0,
            Move::Refund(which) => 1 + which,
            Move::RefundFailure(which) => 3 + which,
            Move::Dispute => 5,
            Move::DisputeReversal => 6,
            Move::Payout => 7,
            Move::PayoutFailure => 8,
        }
    }

    /// The inverse of [`Move::part`].
    pub(crate) fn of(part: u16) -> Option<Self> {
        match part {
            7 => Some(Move::Payout),
            8 => Some(Move::PayoutFailure),
            _ => Self::OF_PAYMENT.get(usize::from(part)).copied(),
        }
    }

    /// True when the transaction hangs on a payout, not on a payment.
    pub(crate) fn of_payout(self) -> bool {
        matches!(self, Move::Payout | Move::PayoutFailure)
    }

    /// Stripe's `type` and `reporting_category`.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Move::Charge => ("charge", "charge"),
            Move::Refund(_) => ("refund", "refund"),
            Move::RefundFailure(_) => ("refund_failure", "refund_failure"),
            Move::Dispute => ("adjustment", "dispute"),
            Move::DisputeReversal => ("adjustment", "dispute_reversal"),
            Move::Payout => ("payout", "payout"),
            Move::PayoutFailure => ("payout_failure", "payout_reversal"),
        }
    }
}

impl Transaction {
    /// What the balance gained.
    pub(crate) fn net(&self) -> i64 {
        self.amount - self.fee
    }

    /// The day (since 1970) whose payout takes it.
    pub(crate) fn payout_day(&self) -> u32 {
        self.available.div_ceil(DAY)
    }
}

impl Life {
    /// The transaction of this kind, if it ever comes.
    pub(crate) fn transaction(&self, kind: Move) -> Option<Transaction> {
        let (at, amount, fee) = match kind {
            Move::Charge => {
                let gross = self.settled(self.amount);
                // 2.9 % and 30 minor units.
                (self.captured, gross, (gross * 29 + 500) / 1000 + 30)
            }
            Move::Refund(which) => {
                let refund = self.refunds().get(usize::from(which)).filter(|_| !self.released())?;
                (refund.at, -self.settled(refund.amount), 0)
            }
            Move::RefundFailure(which) => {
                let refund = self.refunds().get(usize::from(which)).filter(|_| !self.released())?;
                (refund.failed, self.settled(refund.amount), 0)
            }
            Move::Dispute => {
                (self.dispute.filter(|dispute| !dispute.inquiry)?.opened, -self.settled(self.amount), 1_500)
            }
            Move::DisputeReversal => {
                let won = self.dispute.filter(|dispute| !dispute.inquiry && dispute.won)?;
                (won.closed, self.settled(self.amount), 0)
            }
            Move::Payout | Move::PayoutFailure => return None,
        };
        let available = if kind == Move::Charge { (at / DAY).saturating_add(2).saturating_mul(DAY) } else { at };
        let currency = self.currency().settles;
        (at != NEVER).then_some(Transaction { kind, at, amount, fee, available, currency })
    }

    /// Presentment minor units in settlement minor units, rounded half up.
    fn settled(&self, amount: i64) -> i64 {
        let (times, per) = self.currency().rate;
        (amount * times * 2 + per) / (2 * per)
    }
}

impl Payout {
    /// When it was made: some minutes after midnight.
    pub(crate) fn at(&self) -> u32 {
        self.day * DAY + 300 + 7 * u32::from(self.currency)
    }

    /// When it left.
    pub(crate) fn sent(&self) -> u32 {
        self.day * DAY + 6 * 3600
    }

    /// When the bank has it.
    pub(crate) fn arrives(&self) -> u32 {
        (self.day + 1) * DAY
    }

    /// The transaction of the payout itself, or of its return.
    pub(crate) fn transaction(&self, kind: Move) -> Option<Transaction> {
        let (at, amount) = match kind {
            Move::Payout => (self.at(), -self.amount),
            Move::PayoutFailure => (self.failed, self.amount),
            _ => return None,
        };
        (at != NEVER).then_some(Transaction { kind, at, amount, fee: 0, available: at, currency: self.currency })
    }

    pub(crate) fn currency_code(&self) -> &'static str {
        CURRENCIES[usize::from(self.currency)].code
    }
}
