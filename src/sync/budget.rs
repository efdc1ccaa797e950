//! How many reads a connection may send, and what follows from that: how often it looks, how long a quiet list may rest, when
//! reading the past goes on. Pure: all of it comes from what is configured and what the store holds, so a restart changes
//! nothing. It sends nothing and stops nobody; passes ask it.
//!
//! There are two allowances, so that reading the past never eats what following the present needs. Each accrues evenly, and
//! what accrues within [`SAVED_DAYS`] can be saved up; within any [`MONTH_DAYS`] no more than the plan can be spent.

use std::time::Duration;

use super::plan::{DAY_MS, Purpose};
use crate::providers::{Heard, Provider, Stream};
use crate::store::Spending;

/// The days over which a provider counts what it grants, and over which reads are planned.
pub const MONTH_DAYS: i64 = 30;
/// What so many days bring can be saved up.
const SAVED_DAYS: i64 = 3;
/// The share of the grant that following the present may use, as its divisor.
const UPKEEP_SHARE: u64 = 5;
/// The share of the grant that reading the past may use, as its divisor.
const BACKFILL_SHARE: u64 = 2;
/// Neither is planned lower than this: together they are the least that Stripe grants anybody.
const LEAST_PLANNED: u64 = 5_000;
/// The time between looks where the reads allow it.
const SHORTEST: Duration = Duration::from_secs(300);
/// The longest time between looks, and the longest rest of a list.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// What was spent lately on other things than looking is taken from so many days.
const LATELY_DAYS: i64 = 7;

/// What a budget hangs on besides the store.
pub struct Terms {
    /// Who is read.
    pub provider: &'static Provider,
    /// Its streams that are read.
    pub streams: Vec<&'static Stream>,
    /// Reads for the present in 30 days, where the merchant set a number.
    pub reads_per_month: Option<u64>,
    /// The time between looks, where the merchant set one: then it is kept whatever the reads.
    pub poll: Option<Duration>,
}

impl Terms {
    /// The table and the time column of the payments that the provider's grant counts.
    pub fn payments(&self) -> Option<(String, &'static str)> {
        let stream = self.provider.stream(self.provider.grant?.payments)?;
        Some((self.provider.table(stream), stream.made))
    }

    /// Streams listed at every look, and streams that may rest because a feed tells when there is something to list.
    fn kinds(&self) -> (u64, u64) {
        let fed = self.streams.iter().any(|stream| stream.heard == Heard::IsFeed);
        let quiet = self.streams.iter().filter(|stream| fed && may_rest(stream)).count();
        ((self.streams.len() - quiet) as u64, quiet as u64)
    }
}

/// Whether what is new in a stream, or the feed's silence, can be told from the feed.
pub(super) fn may_rest(stream: &Stream) -> bool {
    matches!(stream.heard, Heard::ByFeed | Heard::ByReading)
}

/// What may be spent, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Following the present; `None` where no number of reads is granted or set.
    pub upkeep: Option<Allowance>,
    /// Reading the past; `None` where no number of reads is granted.
    pub backfill: Option<Allowance>,
    /// The time between looks.
    pub interval: Duration,
    /// A list of which the feed says nothing new may rest for so long.
    pub rest: Duration,
    /// The interval was set, and what is spent on the present does not change it.
    pub fixed: bool,
}

/// One allowance of reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Reads that are planned for 30 days.
    pub planned: u64,
    /// Reads that may be sent now; below nothing when more was sent than had accrued.
    pub left: i64,
    /// The most that can be saved up.
    pub most: i64,
    /// When something is left again, by the provider's clock; `None`: now.
    pub again_at: Option<i64>,
}

/// What is left of both allowances while a pass goes on. The default holds nothing back.
#[derive(Debug, Default)]
pub struct Left {
    upkeep: Option<(i64, i64)>,
    backfill: Option<i64>,
}

impl Left {
    pub(super) fn of(budget: &Budget) -> Self {
        let upkeep = budget.upkeep.filter(|_| !budget.fixed);
        Self { upkeep: upkeep.map(|one| (one.left, one.most)), backfill: budget.backfill.map(|one| one.left) }
    }

    /// Whether something may be begun for this purpose. What comes first leaves nothing to others, what comes later leaves
    /// a part of what can be saved up to those before it.
    pub(super) fn allows(&self, purpose: Purpose) -> bool {
        let kept = match purpose {
            Purpose::Backfill => return self.backfill.is_none_or(|left| left > 0),
            Purpose::Feed | Purpose::Change => None,
            Purpose::Poll => Some(16),
            Purpose::Again | Purpose::Check => Some(8),
        };
        self.upkeep.is_none_or(|(left, most)| left > kept.map_or(0, |part| most / part))
    }

    /// Counts one request.
    pub(super) fn spend(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Backfill => self.backfill.iter_mut().for_each(|left| *left -= 1),
            _ => self.upkeep.iter_mut().for_each(|(left, _)| *left -= 1),
        }
    }
}

/// The budget at `now`, by the provider's clock in milliseconds.
pub fn budget(terms: &Terms, spending: &Spending, now: i64) -> Budget {
    let granted = terms.provider.grant.map(|grant| (grant.per_payment * spending.payments).max(grant.least));
    let share = |part: u64| granted.map(|granted| (granted / part).max(LEAST_PLANNED));
    let upkeep = terms.reads_per_month.or(share(UPKEEP_SHARE));
    let upkeep =
        upkeep.map(|planned| allowance(planned, &daily(spending, |purpose| purpose != Purpose::Backfill), now));
    let backfill = share(BACKFILL_SHARE);
    let backfill =
        backfill.map(|planned| allowance(planned, &daily(spending, |purpose| purpose == Purpose::Backfill), now));
    let (interval, rest) = match (terms.poll, &upkeep) {
        (Some(poll), _) => (poll, Duration::ZERO),
        (None, None) => (SHORTEST, Duration::ZERO),
        (None, Some(upkeep)) => pace(terms.kinds(), upkeep, lately(spending, now)),
    };
    Budget { upkeep, backfill, interval, rest, fixed: terms.poll.is_some() }
}

/// Reads by day that some purposes took.
fn daily(spending: &Spending, counts: impl Fn(Purpose) -> bool) -> Vec<(i64, u64)> {
    let those = spending.reads.iter().filter(|(_, purpose, _)| Purpose::named(purpose).is_some_and(&counts));
    those.map(|(day, _, reads)| (*day, *reads)).collect()
}

/// What an allowance of so many reads a month comes to. What is left is the least that any day since the first leaves: full
/// on that day, and what accrued and was spent from it on.
fn allowance(planned: u64, daily: &[(i64, u64)], now: i64) -> Allowance {
    let a_day = planned as f64 / (MONTH_DAYS + SAVED_DAYS) as f64;
    let most = a_day * SAVED_DAYS as f64;
    let past = || daily.iter().filter(|(day, _)| *day <= now);
    let since = |day: i64| {
        let spent: u64 = past().filter(|(other, _)| *other >= day).map(|(_, reads)| reads).sum();
        most + a_day * ((now - day) as f64 / DAY_MS as f64) - spent as f64
    };
    let left = past().map(|(day, _)| since(*day)).fold(most, f64::min);
    let wait = |left: f64| now + ((1.0 - left) / a_day * DAY_MS as f64) as i64;
    let again_at = (left < 1.0).then(|| wait(left));
    Allowance { planned, left: left.floor() as i64, most: most as i64, again_at }
}

/// Reads a day that other things than looking took lately.
fn lately(spending: &Spending, now: i64) -> f64 {
    let looking = |purpose| matches!(purpose, Purpose::Feed | Purpose::Poll | Purpose::Backfill);
    let days = daily(spending, |purpose| !looking(purpose));
    let reads: u64 =
        days.iter().filter(|(day, _)| (now - LATELY_DAYS * DAY_MS..=now).contains(day)).map(|day| day.1).sum();
    reads as f64 / LATELY_DAYS as f64
}

/// The time between looks and the rest of quiet lists, for so many streams that are listed each time and so many that may
/// rest. What other things take is left to them, and at least a quarter; when less than half of what can be saved up is
/// left, looking becomes rarer. Where not everything can be listed every five minutes, two thirds hear the feed.
fn pace((always, quiet): (u64, u64), upkeep: &Allowance, others: f64) -> (Duration, Duration) {
    const DAY_S: f64 = 86_400.0;
    let a_day = upkeep.planned as f64 / (MONTH_DAYS + SAVED_DAYS) as f64;
    let ease = (2.0 * upkeep.left as f64 / upkeep.most.max(1) as f64).clamp(1.0 / 16.0, 1.0);
    let looking = (a_day - others.clamp(a_day / 4.0, a_day * 3.0 / 4.0)) * ease;
    let often = DAY_S / SHORTEST.as_secs_f64();
    let span = |seconds: f64, least| Duration::from_secs(seconds.ceil() as u64).clamp(least, LONGEST);
    let all = (always + quiet).max(1) as f64;
    if looking >= often * all {
        return (SHORTEST, Duration::ZERO);
    }
    if quiet == 0 {
        return (span(DAY_S * all / looking, SHORTEST), Duration::ZERO);
    }
    let always = always.max(1) as f64;
    let looks = (looking * 2.0 / 3.0 / always).min(often);
    let lists = looking - looks * always;
    (span(DAY_S / looks, SHORTEST), span(DAY_S * quiet as f64 / lists, Duration::ZERO))
}

#[cfg(test)]
mod tests;
