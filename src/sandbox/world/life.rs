//! The life of one payment, from its first attempt to the end of a dispute, derived from its key: the same key always
//! lives the same life, so nothing of it is kept. Times are unix seconds; [`NEVER`] is a time that does not come, so
//! that `time <= now` is the only question a face has to ask.

use super::super::chance::{Chance, hash};
use super::Plan;
use super::tables::{BRANDS, COUNTRIES, CURRENCIES, Currency, DECLINES, Decline, FUNDINGS, NOT_AUTHENTICATED, REASONS};

/// A time that does not come.
pub(crate) const NEVER: u32 = u32::MAX;
pub(crate) const MINUTE: u32 = 60;
pub(crate) const HOUR: u32 = 3600;
pub(crate) const DAY: u32 = 86_400;

/// What became of the payer's authentication (3-D Secure).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ThreeDs {
    #[default]
    NotAsked,
    Frictionless,
    Challenged,
    Attempted,
    Failed,
}

/// One try to collect. A charge at Stripe; a payment of its own at Checkout.com.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempt {
    pub(crate) at: u32,
    /// When the answer came: at once for cards.
    pub(crate) decided: u32,
    /// Index into [`DECLINES`]; one past the end is [`NOT_AUTHENTICATED`].
    decline: Option<u8>,
    pub(crate) three_ds: ThreeDs,
}

/// Money back to the payer, or an authorisation let go before it was captured.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Refund {
    pub(crate) at: u32,
    pub(crate) settled: u32,
    pub(crate) failed: u32,
    pub(crate) amount: i64,
    pub(crate) reason: u8,
}

/// A dispute and its turns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dispute {
    pub(crate) opened: u32,
    pub(crate) due: u32,
    pub(crate) submitted: u32,
    pub(crate) closed: u32,
    pub(crate) won: bool,
    /// A question before a dispute: no money moves.
    pub(crate) inquiry: bool,
    pub(crate) reason: u8,
}

/// One payment: what the payer wants to pay, once.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) payment: u32,
    pub(crate) key: u64,
    pub(crate) created: u32,
    pub(crate) payer: u32,
    /// Names the card; equal for all payments with it.
    pub(crate) card: u64,
    /// Collected from a bank account by direct debit.
    pub(crate) debit: bool,
    pub(crate) amount: i64,
    pub(crate) manual: bool,
    pub(crate) captured: u32,
    pub(crate) dispute: Option<Dispute>,
    country: u8,
    brand: u8,
    funding: u8,
    currency: u8,
    attempts: [Attempt; 3],
    tries: u8,
    refunds: [Refund; 2],
    back: u8,
}

impl Life {
    /// The life that `key` leads when it begins at `created`.
    pub(crate) fn of(plan: &Plan, payment: u32, created: u32, key: u64) -> Self {
        let mut chance = Chance::new(key);
        // Squared, so that some payers come often: there are always fewer cards than attempts.
        let draw = u64::from(chance.below(1 << 16)).pow(2);
        let payer = ((draw * u64::from(plan.payers())) >> 32) as u32;
        let slot = u64::from(chance.often(80));
        let card = hash(plan.seed, (u64::from(payer) << 1) | slot);
        let mut traits = Chance::new(card);
        let country = Chance::new(hash(plan.seed ^ 1, u64::from(payer))).weighted(&shares(COUNTRIES, |c| c.2));
        let brand = traits.weighted(&shares(BRANDS, |b| b.share));
        let funding = traits.weighted(&shares(FUNDINGS, |f| f.2));
        let home = COUNTRIES[usize::from(country)].1;
        let currency = if chance.often(900) { home } else { 0 };
        let mut life = Self {
            payment,
            key,
            created,
            payer,
            card,
            debit: home == 1 && currency == 1 && chance.often(60),
            amount: amount(&mut chance, &CURRENCIES[usize::from(currency)]),
            manual: chance.often(80),
            captured: NEVER,
            dispute: None,
            country,
            brand,
            funding,
            currency,
            attempts: Default::default(),
            tries: 0,
            refunds: Default::default(),
            back: 0,
        };
        life.manual &= !life.debit;
        life.attempt(&mut chance);
        life.collect(&mut chance);
        life
    }

    fn attempt(&mut self, chance: &mut Chance) {
        let midnight = (self.created / DAY + 1) * DAY;
        let mut at = self.created + chance.below(4);
        let authenticates = matches!(self.currency, 1 | 2);
        loop {
            // Tries stay within their day, so that a day's charges can be counted without looking at the next.
            let at_last = at.min(midnight - 1);
            let mut attempt = Attempt { at: at_last, decided: at_last, ..Attempt::default() };
            if self.debit {
                attempt.decided = at_last + chance.between(2 * DAY, 4 * DAY);
            } else if authenticates && chance.often(700) {
                attempt.three_ds = match chance.weighted(&[600, 280, 70, 50]) {
                    0 => ThreeDs::Frictionless,
                    1 => ThreeDs::Challenged,
                    2 => ThreeDs::Attempted,
                    _ => ThreeDs::Failed,
                };
            }
            if attempt.three_ds == ThreeDs::Failed {
                attempt.decline = Some(DECLINES.len() as u8);
            } else if chance.often(if self.debit { 40 } else { 140 }) {
                attempt.decline = Some(chance.weighted(&shares(DECLINES, |d| d.share)));
            }
            self.attempts[usize::from(self.tries)] = attempt;
            self.tries += 1;
            let again = attempt.decline.is_some() && !self.debit && chance.often(550);
            if !again || self.tries == 3 {
                return;
            }
            at = at_last + chance.between(20, 3 * HOUR);
        }
    }

    fn collect(&mut self, chance: &mut Chance) {
        let Some(approved) = self.approved() else { return };
        if self.manual && chance.often(120) {
            // Let go: the authorisation is released after a week.
            let at = approved.at + 7 * DAY;
            self.give_back(Refund { at, settled: at, failed: NEVER, amount: self.amount, reason: 1 });
            return;
        }
        self.captured = if self.manual { approved.at + chance.between(HOUR, 6 * DAY) } else { approved.decided };
        if chance.often(70) {
            self.refund(chance);
        } else if !self.debit && chance.often(15) {
            self.disputed(chance);
        }
    }

    fn refund(&mut self, chance: &mut Chance) {
        let step = self.currency().step;
        let mut at = self.captured + chance.between(HOUR, 30 * DAY);
        let parts: i64 = if chance.often(600) { 1 } else { 2 };
        for part in 0..parts {
            let whole = parts == 1;
            let amount = if whole { self.amount } else { (self.amount / (3 + part)).max(1) / step * step };
            if amount == 0 {
                return;
            }
            let slow = chance.often(80);
            let settled = if slow { at + chance.between(DAY, 3 * DAY) } else { at };
            let failed = if chance.often(20) { settled + chance.between(5 * DAY, 15 * DAY) } else { NEVER };
            let reason = chance.weighted(&shares(super::tables::REFUND_REASONS, |r| r.1));
            self.give_back(Refund { at, settled, failed, amount, reason });
            if chance.often(500) {
                return;
            }
            at += chance.between(HOUR, 25 * DAY);
        }
    }

    fn disputed(&mut self, chance: &mut Chance) {
        let opened = self.captured + chance.between(3 * DAY, 60 * DAY);
        let due = (opened + chance.between(8 * DAY, 20 * DAY)) / DAY * DAY + DAY - 1;
        let fights = chance.often(600);
        let submitted = if fights { opened + chance.between(HOUR, 6 * DAY) } else { NEVER };
        let closed = if fights { submitted + chance.between(10 * DAY, 50 * DAY) } else { due + HOUR };
        self.dispute = Some(Dispute {
            opened,
            due,
            submitted,
            closed,
            won: fights && chance.often(450),
            inquiry: chance.often(150),
            reason: chance.weighted(&shares(REASONS, |r| r.4)),
        });
    }

    fn give_back(&mut self, refund: Refund) {
        self.refunds[usize::from(self.back)] = refund;
        self.back += 1;
    }

    /// The tries, in order.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts[..usize::from(self.tries)]
    }

    /// The refunds, in order.
    pub(crate) fn refunds(&self) -> &[Refund] {
        &self.refunds[..usize::from(self.back)]
    }

    /// The try that succeeded: always the last one.
    pub(crate) fn approved(&self) -> Option<Attempt> {
        self.attempts().last().copied().filter(|attempt| attempt.decline.is_none())
    }

    /// Index of the try that money hangs on.
    pub(crate) fn last(&self) -> u16 {
        u16::from(self.tries - 1)
    }

    /// True when money was (or will be) moved by this try.
    pub(crate) fn collects(&self, attempt: u16) -> bool {
        attempt == self.last() && self.approved().is_some()
    }

    /// An authorisation that is let go instead of captured; its refund moves no money.
    pub(crate) fn released(&self) -> bool {
        self.captured == NEVER && self.back > 0
    }

    /// What was given back by `now` and did not bounce.
    pub(crate) fn given_back(&self, now: u32) -> i64 {
        self.refunds().iter().filter(|r| r.at <= now && r.failed > now).map(|r| r.amount).sum()
    }

    pub(crate) fn currency(&self) -> &'static Currency {
        &CURRENCIES[usize::from(self.currency)]
    }

    pub(crate) fn country(&self) -> &'static str {
        COUNTRIES[usize::from(self.country)].0
    }

    pub(crate) fn brand(&self) -> &'static super::tables::Brand {
        &BRANDS[usize::from(self.brand)]
    }

    pub(crate) fn funding(&self) -> (&'static str, &'static str) {
        let (stripe, checkout, _) = FUNDINGS[usize::from(self.funding)];
        (stripe, checkout)
    }
}

impl Attempt {
    /// Why it failed, if it did.
    pub(crate) fn decline(&self) -> Option<&'static Decline> {
        self.decline.map(|index| DECLINES.get(usize::from(index)).unwrap_or(&NOT_AUTHENTICATED))
    }
}

fn amount(chance: &mut Chance, currency: &Currency) -> i64 {
    let reach = [1_500, 4_000, 12_000, 60_000][usize::from(chance.weighted(&[400, 350, 200, 50]))];
    let cents = i64::from(chance.between(150, reach)) / 10 * 10 + if chance.often(400) { 9 } else { 0 };
    let (times, per) = currency.cents;
    (cents * times / per / currency.step).max(1) * currency.step
}

/// The weights of a table, for [`Chance::weighted`]; no table here is longer than eight.
fn shares<T>(table: &[T], share: impl Fn(&T) -> u32) -> [u32; 8] {
    let mut weights = [0; 8];
    for (weight, row) in weights.iter_mut().zip(table) {
        *weight = share(row);
    }
    weights
}
