//! Time on the wire: a UTC day or an ISO week, nothing finer. Own arithmetic (Gregorian calendar, days since 1970-01-01),
//! so that the guard, which asks a calendar library, judges it independently. It never reads a clock.

use std::fmt;

/// Milliseconds of a UTC day.
pub const DAY_MS: i64 = 86_400_000;

/// A UTC day from 1970-01-01 to 9999-12-31, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// An ISO week (Monday to Sunday), kept as its Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(Day);

/// What a batch covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// The attempts of a UTC day.
    Day(Day),
    /// What was held back or arrived late, by ISO week.
    Late(Week),
}

const LAST: Day = Day::civil(9999, 12, 31);

impl Day {
    /// The day with this civil date (month 1 to 12, day 1 to 31; year from 1970). Howard Hinnant's `days_from_civil`.
    pub const fn civil(year: i32, month: i32, day: i32) -> Self {
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let in_era = y - era * 400;
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let in_year = (153 * shifted + 2) / 5 + day - 1;
        Self(era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468)
    }

    /// The day that holds a moment (milliseconds since 1970-01-01 UTC); none outside four-digit years from 1970.
    pub fn of_ms(ms: i64) -> Option<Self> {
        Self::from_number(ms.div_euclid(DAY_MS))
    }

    /// The day with this number of days since 1970-01-01, in the same range.
    pub fn from_number(number: i64) -> Option<Self> {
        i32::try_from(number).ok().map(Self).filter(|day| day.0 >= 0 && *day <= LAST)
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// Its first millisecond.
    pub fn start_ms(self) -> i64 {
        self.number() * DAY_MS
    }

    /// The first millisecond of the next day.
    pub fn end_ms(self) -> i64 {
        self.start_ms() + DAY_MS
    }

    /// The day after.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The ISO week that holds it. 1970-01-01 was a Thursday.
    pub fn week(self) -> Week {
        Week(Self(self.0 - (self.0 + 3).rem_euclid(7)))
    }

    /// Year, month and day. Howard Hinnant's `civil_from_days`.
    fn date(self) -> (i32, i32, i32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let in_era = shifted - era * 146_097;
        let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year + year / 4 - year / 100);
        let month = (5 * in_year + 2) / 153;
        let day = in_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year + era * 400 + i32::from(month <= 2), month, day)
    }
}

impl Week {
    /// The week after.
    pub fn next(self) -> Self {
        Self(Day(self.0.0 + 7))
    }

    /// Its Sunday.
    pub fn last_day(self) -> Day {
        Day(self.0.0 + 6)
    }

    /// Its Monday.
    pub fn first_day(self) -> Day {
        self.0
    }
}

impl Period {
    /// The first day that it covers.
    pub fn first_day(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Late(week) => week.first_day(),
        }
    }

    /// True for a week of late events.
    pub fn is_late(self) -> bool {
        matches!(self, Self::Late(_))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ISO 8601: a week belongs to the year of its Thursday.
        let thursday = Day(self.0.0 + 3);
        let year = thursday.date().0;
        let week = (thursday.0 - Day::civil(year, 1, 1).0) / 7 + 1;
        write!(f, "{year:04}-W{week:02}")
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Late(week) => week.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_a_century_agrees_with_a_calendar_library() {
        let mut date = jiff::civil::date(1970, 1, 1);
        for number in 0..(365 * 130) {
            let day = Day::from_number(number).unwrap();
            assert_eq!(day.to_string(), date.to_string());
            assert_eq!(day, Day::civil(date.year().into(), date.month().into(), date.day().into()));
            let iso = date.iso_week_date();
            assert_eq!(day.week().to_string(), format!("{:04}-W{:02}", iso.year(), iso.week()));
            assert_eq!(day.week().last_day() == day, iso.weekday() == jiff::civil::Weekday::Sunday);
            date = date.tomorrow().unwrap();
            assert_eq!(day.next().number(), number + 1);
        }
    }

    #[test]
    fn a_week_is_followed_by_the_next_and_only_weeks_are_late() {
        let (monday, week) = (Day::civil(2026, 12, 28), Day::civil(2027, 1, 3).week());
        assert_eq!((week.to_string().as_str(), week.next().to_string().as_str()), ("2026-W53", "2027-W01"));
        assert_eq!((week.first_day(), week.last_day()), (monday, Day::civil(2027, 1, 3)));
        assert!(Period::Late(week).is_late() && !Period::Day(monday).is_late());
    }

    #[test]
    fn moments_outside_four_digit_years_have_no_day() {
        assert_eq!(Day::of_ms(-1), None);
        assert_eq!(Day::of_ms(LAST.end_ms()), None);
        assert_eq!(Day::of_ms(LAST.end_ms() - 1).map(|day| day.to_string()).as_deref(), Some("9999-12-31"));
        assert_eq!(Day::of_ms(i64::MAX), None);
        assert_eq!(Day::of_ms(DAY_MS - 1), Some(Day::civil(1970, 1, 1)));
    }
}
