//! A seeded world of payments, as both providers could hold it: a pure function of the plan and of the time asked for.
//! Kept are only when each payment began and its key, and one sorted index a kind of object; everything else is
//! derived when somebody looks. It knows nothing of HTTP, JSON or how a provider writes ids.

mod ledger;
mod life;
mod person;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::chance::{Chance, hash};

pub(crate) use ledger::{Move, Payout, Transaction};
pub(crate) use life::{Attempt, DAY, Dispute, HOUR, Life, MINUTE, NEVER, Refund, ThreeDs};
pub(crate) use person::Person;
pub(crate) use tables::{CURRENCIES, REASONS, REFUND_REASONS};

/// What a world is made from. Equal plans make equal worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Drives what happens: times, amounts, outcomes, who pays with which card.
    pub seed: u64,
    /// Drives ids, fingerprints and customer ids.
    pub id_seed: u64,
    /// Drives names, addresses, texts, last digits: all that tells who a person is, and nothing else.
    pub personal_seed: u64,
    /// Charges that the payments of the first `days` days make; later days go on at the same rate.
    pub charges: u64,
    /// The first day with payments, in days since 1970-01-01 UTC.
    pub first_day: u32,
    /// Length of the history, in days.
    pub days: u32,
    /// Of ten thousand objects and events so many show themselves two to ten minutes late; what becomes of such a payment too,
    /// where payments are found by an index.
    pub tardy: u32,
}

impl Plan {
    /// How many people there are to pay.
    pub(crate) fn payers(&self) -> u32 {
        u32::try_from(self.charges / 3).unwrap_or(u32::MAX / 2).max(40)
    }

    /// Charges that the payments of `day` make.
    fn quota(&self, day: u32) -> u64 {
        let before = u64::from(day - self.first_day);
        let days = u64::from(self.days.max(1));
        self.charges * (before + 1) / days - self.charges * before / days
    }
}

/// The kinds of objects that have an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Intent,
    Charge,
    Refund,
    Dispute,
    Transaction,
    Payout,
    /// Turns of disputes: opened, evidence sent, closed.
    Turn,
    /// What is decided later and has no index of its own; see [`Step`].
    Step,
}

const KINDS: usize = 8;

/// A late decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A direct debit did not succeed.
    DebitFailed,
    RefundSettled(u16),
    RefundFailed(u16),
    PayoutPaid,
    PayoutFailed,
}

impl Step {
    /// All that can come of a payment.
    const OF_PAYMENT: [Step; 5] = [
        Step::DebitFailed,
        Step::RefundSettled(0),
        Step::RefundSettled(1),
        Step::RefundFailed(0),
        Step::RefundFailed(1),
    ];

    fn part(self) -> u16 {
        match self {
            Step::DebitFailed => 0,
            Step::RefundSettled(which) => 1 + which,
            Step::RefundFailed(which) => 3 + which,
            Step::PayoutPaid => 5,
            Step::PayoutFailed => 6,
        }
    }

    /// The inverse of [`Step::part`].
    pub(crate) fn of(part: u16) -> Option<Self> {
        match part {
            5 => Some(Step::PayoutPaid),
            6 => Some(Step::PayoutFailed),
            _ => Self::OF_PAYMENT.get(usize::from(part)).copied(),
        }
    }

    /// When it comes in this life, if it does.
    fn at(self, life: &Life) -> Option<u32> {
        let refund = |which: u16| life.refunds().get(usize::from(which));
        let at = match self {
            Step::DebitFailed => life.attempts().iter().find(|a| life.debit && a.decline().is_some())?.decided,
            Step::RefundSettled(which) => refund(which).filter(|refund| refund.settled > refund.at)?.settled,
            Step::RefundFailed(which) => refund(which)?.failed,
            Step::PayoutPaid | Step::PayoutFailed => NEVER,
        };
        (at != NEVER).then_some(at)
    }

    /// The same for a payout.
    fn at_payout(self, payout: &Payout) -> Option<u32> {
        let at = match self {
            Step::PayoutPaid => payout.arrives(),
            Step::PayoutFailed => payout.failed,
            _ => NEVER,
        };
        (at != NEVER).then_some(at)
    }
}

/// One object in an index, in the order in which lists show it (backwards).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// When it was made (unix seconds).
    pub(crate) at: u32,
    /// Index of its payment; of its payout for payouts and their transactions.
    pub(crate) payment: u32,
    /// Which of several of one payment: number of the try, of the refund, of the [`Move`], of the turn.
    pub(crate) part: u16,
    /// Seconds until lists show it.
    pub(crate) late: u16,
}

impl Entry {
    /// True when lists show it at `now`.
    pub(crate) fn visible(&self, now: u32) -> bool {
        self.at.saturating_add(u32::from(self.late)) <= now
    }
}

/// A world, grown up to some day.
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// When each payment began, and its key.
    payments: Vec<(u32, u64)>,
    indexes: [Vec<Entry>; KINDS],
    payouts: Vec<Payout>,
    /// What payouts to come will take, by day and currency.
    due: BTreeMap<(u32, u8), i64>,
    next_day: u32,
}

impl World {
    /// The world as it is needed to answer at `now` (unix seconds).
    pub(crate) fn new(plan: Plan, now: u32) -> Self {
        let mut world = Self {
            plan,
            payments: Vec::new(),
            indexes: Default::default(),
            payouts: Vec::new(),
            due: BTreeMap::new(),
            next_day: plan.first_day,
        };
        world.grow(now);
        world
    }

    /// Makes the days up to `now` and some beyond. Cheap when there is nothing to do.
    pub(crate) fn grow(&mut self, now: u32) {
        let today = now / DAY;
        if today < self.next_day {
            return;
        }
        for day in self.next_day..today + 8 {
            self.live(day);
        }
        self.next_day = today + 8;
        self.pay_out();
        for index in &mut self.indexes {
            index.sort();
        }
    }

    fn live(&mut self, day: u32) {
        let mut left = self.plan.quota(day);
        let mut batch = Vec::new();
        let mut serial = 0;
        while left > 0 {
            let key = hash(self.plan.seed, (u64::from(day) << 32) | serial);
            serial += 1;
            let at = day * DAY + second_of_day(self.plan.seed, day, key);
            let tries = u64::from(Life::of(&self.plan, 0, at, key).last()) + 1;
            if tries <= left {
                left -= tries;
                batch.push((at, key));
            }
        }
        batch.sort_unstable();
        for (at, key) in batch {
            let payment = self.payments.len() as u32;
            self.payments.push((at, key));
            self.enter(&Life::of(&self.plan, payment, at, key));
        }
    }

    fn enter(&mut self, life: &Life) {
        let enter = |world: &mut Self, kind: Kind, at: u32, part: u16| {
            let late = late(world.plan.tardy, life.key, kind, part);
            world.indexes[kind as usize].push(Entry { at, payment: life.payment, part, late });
        };
        enter(self, Kind::Intent, life.created, 0);
        for (part, attempt) in life.attempts().iter().enumerate() {
            enter(self, Kind::Charge, attempt.at, part as u16);
        }
        for (part, refund) in life.refunds().iter().enumerate() {
            enter(self, Kind::Refund, refund.at, part as u16);
        }
        if let Some(dispute) = life.dispute {
            enter(self, Kind::Dispute, dispute.opened, 0);
            for (part, at) in dispute.turns().into_iter().enumerate().filter(|(_, at)| *at != NEVER) {
                enter(self, Kind::Turn, at, part as u16);
            }
        }
        for step in Step::OF_PAYMENT {
            if let Some(at) = step.at(life) {
                enter(self, Kind::Step, at, step.part());
            }
        }
        for transaction in Move::OF_PAYMENT.into_iter().filter_map(|kind| life.transaction(kind)) {
            enter(self, Kind::Transaction, transaction.at, transaction.kind.part());
            *self.due.entry((transaction.payout_day(), transaction.currency)).or_default() += transaction.net();
        }
    }

    /// Makes the payouts of all days that are complete. A few come back, and is paid again.
    fn pay_out(&mut self) {
        while let Some((&(day, currency), &amount)) = self.due.first_key_value() {
            if day >= self.next_day {
                return;
            }
            self.due.remove(&(day, currency));
            if amount == 0 {
                continue;
            }
            let mut chance = Chance::new(hash(self.plan.seed ^ 2, (u64::from(day) << 8) | u64::from(currency)));
            let fails = amount > 0 && chance.often(25);
            let failed = if fails { (day + 3) * DAY + chance.between(HOUR, 9 * HOUR) } else { NEVER };
            let payout = Payout { day, currency, amount, failed };
            let number = self.payouts.len() as u32;
            self.payouts.push(payout);
            let entry = |at, part| Entry { at, payment: number, part, late: 0 };
            self.indexes[Kind::Payout as usize].push(entry(payout.at(), 0));
            for step in [Step::PayoutPaid, Step::PayoutFailed] {
                if let Some(at) = step.at_payout(&payout) {
                    self.indexes[Kind::Step as usize].push(entry(at, step.part()));
                }
            }
            for kind in [Move::Payout, Move::PayoutFailure] {
                if let Some(transaction) = payout.transaction(kind) {
                    self.indexes[Kind::Transaction as usize].push(entry(transaction.at, kind.part()));
                    if kind == Move::PayoutFailure {
                        *self.due.entry((transaction.payout_day(), currency)).or_default() += transaction.net();
                    }
                }
            }
        }
    }

    /// All objects of a kind, also those still to come, oldest first.
    pub(crate) fn index(&self, kind: Kind) -> &[Entry] {
        &self.indexes[kind as usize]
    }

    /// Those made in `from..=to` (unix seconds).
    pub(crate) fn made(&self, kind: Kind, from: u32, to: u32) -> &[Entry] {
        let index = self.index(kind);
        let start = index.partition_point(|entry| entry.at < from);
        let end = index.partition_point(|entry| entry.at <= to);
        &index[start.min(end)..end]
    }

    /// The life behind an entry (not of a payout).
    pub(crate) fn life(&self, payment: u32) -> Option<Life> {
        let (at, key) = *self.payments.get(payment as usize)?;
        Some(Life::of(&self.plan, payment, at, key))
    }

    /// The payout with this number.
    pub(crate) fn payout(&self, number: u32) -> Option<Payout> {
        self.payouts.get(number as usize).copied()
    }

    /// The transaction behind an entry.
    pub(crate) fn transaction(&self, entry: &Entry) -> Option<Transaction> {
        let kind = Move::of(entry.part)?;
        if kind.of_payout() {
            self.payout(entry.payment)?.transaction(kind)
        } else {
            self.life(entry.payment)?.transaction(kind)
        }
    }

    /// The number of the payout that takes this transaction, once it is made.
    pub(crate) fn payout_of(&self, transaction: &Transaction) -> Option<u32> {
        let wanted = (transaction.payout_day(), transaction.currency);
        let found = self.payouts.binary_search_by_key(&wanted, |payout| (payout.day, payout.currency)).ok()?;
        u32::try_from(found).ok()
    }

    /// The entry of an object named by its payment (or payout) and part, if there is such an object.
    pub(crate) fn entry(&self, kind: Kind, payment: u32, part: u16) -> Option<Entry> {
        let at = match kind {
            Kind::Payout => self.payout(payment)?.at(),
            Kind::Transaction => self.transaction(&Entry { at: 0, payment, part, late: 0 })?.at,
            Kind::Intent => self.life(payment)?.created,
            Kind::Charge => self.life(payment)?.attempts().get(usize::from(part))?.at,
            Kind::Refund => self.life(payment)?.refunds().get(usize::from(part))?.at,
            Kind::Dispute => self.life(payment)?.dispute?.opened,
            Kind::Step => match Step::of(part)? {
                step @ (Step::PayoutPaid | Step::PayoutFailed) => step.at_payout(&self.payout(payment)?)?,
                step => step.at(&self.life(payment)?)?,
            },
            Kind::Turn => *self.life(payment)?.dispute?.turns().get(usize::from(part))?,
        };
        let index = self.index(kind);
        let place = index.partition_point(|e| (e.at, e.payment, e.part) < (at, payment, part));
        index.get(place).copied().filter(|e| (e.at, e.payment, e.part) == (at, payment, part))
    }

    /// What tells who the payer of a payment is.
    pub(crate) fn person(&self, life: &Life) -> Person {
        Person::of(&self.plan, life)
    }

    /// Grown up to the end of this day.
    #[cfg(test)]
    pub(crate) fn horizon(&self) -> u32 {
        self.next_day * DAY
    }
}

impl Dispute {
    /// When it was opened, when evidence was sent, when it was closed.
    pub(crate) fn turns(&self) -> [u32; 3] {
        [self.opened, self.submitted, self.closed]
    }
}

/// Some seconds of a day are busy: a fifth of its payments falls on twelve of them.
fn second_of_day(seed: u64, day: u32, key: u64) -> u32 {
    let mut chance = Chance::new(key ^ 3);
    if chance.often(200) {
        let busy = u64::from(day) * 12 + u64::from(chance.below(12));
        Chance::new(hash(seed ^ 4, busy)).below(DAY)
    } else {
        chance.below(DAY)
    }
}

/// How long lists hide a new object: nearly always not at all, sometimes seconds, rarely minutes.
fn late(tardy: u32, key: u64, kind: Kind, part: u16) -> u16 {
    let mut chance = Chance::new(hash(key, (u64::from(part) << 8) | kind as u64));
    match chance.weighted(&[9_505 - tardy.min(9_505), 450, 45, tardy]) {
        0 => 0,
        1 => chance.between(1, 20) as u16,
        2 => chance.between(20, 100) as u16,
        _ => chance.between(2 * MINUTE, 10 * MINUTE) as u16,
    }
}
