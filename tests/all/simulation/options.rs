//! What a seed stands for: how large the world is, how long it lives, which faults there are (each seed has a subset) and
//! when the lasting ones come. All of it is printed when a seed fails.

use super::dice::Dice;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// 2026-11-11T00:00Z, a Wednesday: where simulations begin.
pub(super) const BEGIN: i64 = 1_794_355_200_000;

/// Many objects show themselves minutes late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tardy;

pub(super) const TARDY: Tardy = Tardy;

/// From so many of ten thousand on they are many.
pub(super) const MANY_TARDY: u32 = 100;

/// Faults that can strike any single request to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strike {
    Refused,
    Tls,
    Timeout,
    SlowRequest,
    SlowAnswer,
    Stall,
    Cut,
    Short,
    Endless,
    Garbage,
    Html,
    ContentType,
    EmptyBody,
    Trailing,
    NoContent,
    ErrorObject,
    Redirect,
    RateWithWait,
    RateWithoutWait,
    RateReason,
    ConcurrencyReason,
    Status500,
    Status502,
    Status503,
    Status504,
    CursorRefused,
    RepeatedPage,
    OutOfOrder,
    Hollow,
    EmptyPage,
    DateBack,
    DateAhead,
    DateMissing,
}

pub(super) const STRIKES: &[Strike] = &[
    Strike::Refused,
    Strike::Tls,
    Strike::Timeout,
    Strike::SlowRequest,
    Strike::SlowAnswer,
    Strike::Stall,
    Strike::Cut,
    Strike::Short,
    Strike::Endless,
    Strike::Garbage,
    Strike::Html,
    Strike::ContentType,
    Strike::EmptyBody,
    Strike::Trailing,
    Strike::NoContent,
    Strike::ErrorObject,
    Strike::Redirect,
    Strike::RateWithWait,
    Strike::RateWithoutWait,
    Strike::RateReason,
    Strike::ConcurrencyReason,
    Strike::Status500,
    Strike::Status502,
    Strike::Status503,
    Strike::Status504,
    Strike::CursorRefused,
    Strike::RepeatedPage,
    Strike::OutOfOrder,
    Strike::Hollow,
    Strike::EmptyPage,
    Strike::DateBack,
    Strike::DateAhead,
    Strike::DateMissing,
];

/// Faults that can strike any single batch on its way to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Away {
    RequestLost,
    AnswerLost,
    Portal,
    Moved,
    Busy,
    Failing,
    Unknown,
    TooLong,
    Conflict,
    ForeignReceipt,
}

pub(super) const AWAYS: &[Away] = &[
    Away::RequestLost,
    Away::AnswerLost,
    Away::Portal,
    Away::Moved,
    Away::Busy,
    Away::Failing,
    Away::Unknown,
    Away::TooLong,
    Away::Conflict,
    Away::ForeignReceipt,
];

/// Faults that last, or that happen to the machine or through a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spell {
    Outage,
    Maintenance,
    Unauthorised,
    Forbidden,
    NotFound,
    RateLimited,
    ReceiverDown,
    Crash,
    CrashOften,
    Down,
    LongDown,
    Suspended,
    WallAhead,
    WallBack,
    WallFrozen,
    DiskFull,
    ReaderHolds,
    Reconfigured,
    KeyRotated,
    KeyRemoved,
    OutboxRestored,
}

pub(super) const SPELLS: &[Spell] = &[
    Spell::Outage,
    Spell::Maintenance,
    Spell::Unauthorised,
    Spell::Forbidden,
    Spell::NotFound,
    Spell::RateLimited,
    Spell::ReceiverDown,
    Spell::Crash,
    Spell::CrashOften,
    Spell::Down,
    Spell::LongDown,
    Spell::Suspended,
    Spell::WallAhead,
    Spell::WallBack,
    Spell::WallFrozen,
    Spell::DiskFull,
    Spell::ReaderHolds,
    Spell::Reconfigured,
    Spell::KeyRotated,
    Spell::KeyRemoved,
    Spell::OutboxRestored,
];

/// A lasting fault, with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) spell: Spell,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Which of several: the provider, the stream, how far a clock is off.
    pub(super) draw: i64,
}

/// All that a seed stands for.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) seed: u64,
    /// A bug planted in the product.
    pub(super) planted: Option<String>,
    /// Charges a day at Stripe, payments a day at Checkout.com.
    pub(super) charges: u64,
    pub(super) payments: u64,
    /// Days before the beginning that the agent is asked to read.
    pub(super) history: i64,
    /// When the storm ends, true time.
    pub(super) storm_end: i64,
    /// Of ten thousand objects so many show themselves minutes late.
    pub(super) tardy: u32,
    /// Minutes between polls.
    pub(super) poll: i64,
    /// Stripe is read by a budget of so many reads in 30 days, and looked at as often as that allows.
    pub(super) reads: Option<u64>,
    /// The most records a page holds.
    pub(super) page: u32,
    /// Of ten thousand requests so many are struck.
    pub(super) rate: i64,
    pub(super) strikes: Vec<Strike>,
    pub(super) aways: Vec<Away>,
    pub(super) troubles: Vec<Trouble>,
}

impl Options {
    /// What the seed stands for; `days` sets the length of the storm, else the seed does.
    pub(super) fn draw(seed: u64, days: Option<i64>, planted: Option<&str>) -> Self {
        let mut dice = Dice::new(seed, "options");
        let drawn = dice.within(3, 9);
        let days = days.unwrap_or(drawn);
        // Some seeds have few faults and some have nearly all: what one fault hides another shows.
        let share = *dice.one(&[800, 2_500, 5_000, 8_000]);
        let mut subset = |all: usize| -> Vec<usize> { (0..all).filter(|_| dice.often(share)).collect() };
        let strikes = subset(STRIKES.len()).into_iter().map(|at| STRIKES[at]).collect();
        let aways = subset(AWAYS.len()).into_iter().map(|at| AWAYS[at]).collect();
        let spells: Vec<Spell> = subset(SPELLS.len()).into_iter().map(|at| SPELLS[at]).collect();
        let storm_end = BEGIN + days * DAY;
        let mut troubles = Vec::new();
        for spell in spells {
            for _ in 0..dice.within(1, 4) {
                let from = BEGIN + dice.within(HOUR, days * DAY);
                let length =
                    if dice.often(1_000) { dice.within(DAY, 2 * DAY) } else { dice.within(5 * MINUTE, 8 * HOUR) };
                troubles.push(Trouble { spell, from, to: from + length, draw: dice.within(0, 1 << 30) });
            }
        }
        troubles.sort_by_key(|trouble| (trouble.from, trouble.spell));
        let mut drawn = Self {
            seed,
            planted: planted.map(str::to_owned),
            charges: dice.within(10, 50) as u64,
            payments: dice.within(5, 30) as u64,
            history: dice.within(1, 6),
            storm_end,
            tardy: *dice.one(&[5, 5, 100, 1_000]),
            poll: *dice.one(&[15, 30, 60, 60, 120, 240]),
            page: *dice.one(&[3, 10, 25, 100]),
            rate: *dice.one(&[50, 300, 1_000, 3_000]),
            reads: None,
            strikes,
            aways,
            troubles,
        };
        drawn.reads = dice.often(2_500).then(|| *dice.one(&[20_000, 30_000]));
        drawn
    }

    /// The names of all kinds of fault that seeds draw from.
    pub(super) fn kinds() -> Vec<String> {
        let strikes = STRIKES.iter().map(|one| format!("{one:?}"));
        let aways = AWAYS.iter().map(|one| format!("{one:?}"));
        let spells = SPELLS.iter().map(|one| format!("{one:?}"));
        strikes.chain(aways).chain(spells).chain([format!("{TARDY:?}")]).collect()
    }
}
