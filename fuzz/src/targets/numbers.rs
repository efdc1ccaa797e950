//! Times and decimals against slow conversions of our own, which count years one by one and decimals digit by digit and
//! share nothing with the product, its calendar library or a float.

use counterfoil::egress::wire::Day;
use counterfoil::http::date_ms;
use counterfoil::stream::{decimal_to_e8, decimal_to_minor, iso_instant};

use super::draws::Draws;

const DAY: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z, in seconds and without the fraction.
const LAST_SECOND: i64 = 253_402_300_799;

/// The first byte says what the rest is.
pub(super) fn run(input: &[u8]) {
    let mut draws = Draws::new(input);
    match draws.below(6) {
        0 => time_text(&String::from_utf8_lossy(draws.rest())),
        1 => time_parts(&mut draws),
        2 => decimal_text(&String::from_utf8_lossy(draws.rest())),
        3 => decimal_number(&mut draws),
        4 => day(draws.number()),
        _ => http_date(&mut draws),
    }
}

/// The product reads a text exactly when its grammar allows it, and as what it says.
fn time_text(text: &str) {
    let read = iso_instant(text).map(|instant| (instant.at_ms, instant.zoned));
    assert_eq!(read, slow_instant(text.as_bytes()), "{text:?}");
}

/// A text put together from parts, most of them possible ones.
fn time_parts(draws: &mut Draws<'_>) {
    let part =
        |draws: &mut Draws<'_>, most: usize| if draws.once_in(16) { draws.below(100) } else { draws.below(most) };
    let year = draws.below(10_000);
    let (month, day) = (part(draws, 13), part(draws, 32));
    let (hour, minute, second) = (part(draws, 25), part(draws, 61), part(draws, 62));
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if !draws.once_in(8) {
        text += &format!("{}{hour:02}:{minute:02}:{second:02}", draws.pick(&["T", " "]));
        let digits = draws.below(11);
        if digits > 0 {
            let fraction = format!("{:010}", draws.number().unsigned_abs());
            text += &format!(".{}", &fraction[..digits]);
        }
        let (hours, minutes) = (part(draws, 25), part(draws, 61));
        text += &match draws.below(6) {
            0 => String::new(),
            1 => "Z".to_owned(),
            2 => "ZZ".to_owned(),
            3 => format!("+{hours:02}:{minutes:02}"),
            4 => format!("-{hours:02}:{minutes:02}"),
            _ => format!("+{hours:02}{minutes:02}"),
        };
    }
    time_text(&text);
}

fn decimal_text(text: &str) {
    assert_eq!(decimal_to_e8(text), slow_decimal(text, 8), "{text:?}");
    for exponent in [0, 2, 3] {
        assert_eq!(decimal_to_minor(text, exponent), slow_decimal(text, exponent.into()), "{text:?} at {exponent}");
    }
}

/// Every number that can be stored is read back from its own text, with and without further zeros.
fn decimal_number(draws: &mut Draws<'_>) {
    let (number, places) = (draws.number(), *draws.pick(&[0usize, 2, 3, 8]));
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let zeros = "0".repeat(draws.below(12));
    let sign = if number < 0 { "-" } else { *draws.pick(&["", "+"]) };
    let point = if places == 0 && zeros.is_empty() { "" } else { "." };
    let text = format!("{sign}{}{whole}{point}{fraction}{zeros}", "0".repeat(draws.below(3)));
    let read = if places == 8 { decimal_to_e8(&text) } else { decimal_to_minor(&text, places as u8) };
    assert_eq!(read, Some(number), "{text}");
}

/// Days on the wire: number, label and week agree with counting.
fn day(number: i64) {
    let number = number % 4_000_000;
    let in_range = (0..=LAST_SECOND / 86_400).contains(&number);
    let Some(day) = Day::from_number(number) else { return assert!(!in_range, "{number}") };
    assert!(in_range, "{number}");
    assert_eq!((day.number(), day.start_ms(), day.end_ms()), (number, number * DAY, (number + 1) * DAY));
    assert_eq!(Day::of_ms(number * DAY + DAY - 1), Some(day));
    let (year, month, date) = slow_date(number);
    assert_eq!(day.to_string(), format!("{year:04}-{month:02}-{date:02}"));
    assert_eq!(day, Day::civil(year as i32, month as i32, date as i32));
    // 1970-01-01 was a Thursday, and a week belongs to the year of its Thursday.
    let thursday = number - (number + 3) % 7 + 3;
    let year = slow_date(thursday).0;
    let week = (thursday - slow_days(year, 1, 1).expect("a year begins")) / 7 + 1;
    assert_eq!(day.week().to_string(), format!("{year:04}-W{week:02}"));
    assert_eq!((day.week().first_day().number(), day.week().last_day().number()), (thursday - 3, thursday + 3));
}

/// The three forms of an HTTP date (RFC 9110 section 5.6.7), written from a number; any other text is only read.
fn http_date(draws: &mut Draws<'_>) {
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let form = draws.below(4);
    // A year of two digits is one of 1970 to 2068.
    // The calendar library's instants end within the last two days of the year 9999.
    let most = if form == 1 { 3_124_223_999 } else { LAST_SECOND - 2 * 86_400 };
    let second = draws.number().rem_euclid(most);
    let (number, clock) = (second / 86_400, second % 86_400);
    let (year, month, date) = slow_date(number);
    let (name, month) = (DAYS[(number % 7) as usize], MONTHS[month as usize - 1]);
    let clock = format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
    let text = match form {
        0 => format!("{}, {date:02} {month} {year:04} {clock} GMT", &name[..3]),
        1 => format!("{name}, {date:02}-{month}-{:02} {clock} GMT", year % 100),
        2 => format!("{} {month} {date:2} {clock} {year:04}", &name[..3]),
        _ => {
            date_ms(&draws.text(64));
            return;
        }
    };
    assert_eq!(date_ms(&text), Some(second * 1000), "{text}");
}

/// What a decimal text means in units of 10^-places, by its digits alone.
fn slow_decimal(text: &str, places: usize) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (unsigned, ""),
    };
    if whole.is_empty() || !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places {
        return None;
    }
    let digits = format!("{whole}{fraction:0<places$}");
    let digits = digits.trim_start_matches('0');
    // Nothing of more than 19 digits fits.
    let size: i128 = if digits.len() > 19 { return None } else { format!("0{digits}").parse().ok()? };
    i64::try_from(if text.starts_with('-') { -size } else { size }).ok()
}

/// Milliseconds and whether a zone was named, of a text in the grammar that `iso_instant` states.
pub(super) fn slow_instant(mut text: &[u8]) -> Option<(i64, bool)> {
    let (year, month, day) = (digits(&mut text, 4)?, after(&mut text, b"-").then(|| digits(&mut text, 2))??, {
        after(&mut text, b"-").then(|| digits(&mut text, 2))??
    });
    let days = slow_days(year, month, day)?;
    if text.is_empty() {
        return Some((days * DAY, false));
    }
    if !after(&mut text, b"T ") {
        return None;
    }
    let hour = digits(&mut text, 2)?;
    let minute = after(&mut text, b":").then(|| digits(&mut text, 2))??;
    let second = after(&mut text, b":").then(|| digits(&mut text, 2))??;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut milli = 0;
    if after(&mut text, b".") {
        let length = text.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        let fraction: String = text[..length].iter().map(|b| char::from(*b)).collect();
        milli = format!("{fraction:0<3}")[..3].parse().ok()?;
        text = &text[length..];
    }
    let (minutes, zoned) = slow_zone(text)?;
    // A leap second is the last second of its minute.
    Some((days * DAY + (hour * 60 + minute - minutes) * 60_000 + second.min(59) * 1000 + milli, zoned))
}

/// How many minutes a zone is ahead, and whether one is named.
fn slow_zone(mut text: &[u8]) -> Option<(i64, bool)> {
    match text {
        b"" => return Some((0, false)),
        b"Z" | b"ZZ" => return Some((0, true)),
        _ => {}
    }
    let ahead = text[0] == b'+';
    if !after(&mut text, b"+-") {
        return None;
    }
    let hours = digits(&mut text, 2)?;
    after(&mut text, b":");
    let minutes = digits(&mut text, 2)?;
    if !text.is_empty() || hours > 23 || minutes > 59 {
        return None;
    }
    Some((if ahead { hours * 60 + minutes } else { -(hours * 60 + minutes) }, true))
}

fn digits(text: &mut &[u8], count: usize) -> Option<i64> {
    let (taken, rest) = text.split_at_checked(count)?;
    *text = rest;
    if !taken.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(taken).ok()?.parse().ok()
}

/// Takes one of these bytes, if it is next.
fn after(text: &mut &[u8], any: &[u8]) -> bool {
    let next = text.split_first().filter(|(first, _)| any.contains(first));
    *text = next.map_or(*text, |(_, rest)| rest);
    next.is_some()
}

/// Days since 1970-01-01 of a civil date, by counting years and months; none for a date that there is not.
pub(super) fn slow_days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    let years: i64 =
        if year >= 1970 { (1970..year).map(year_days).sum() } else { -(year..1970).map(year_days).sum::<i64>() };
    Some(years + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1)
}

/// The civil date of a day.
pub(super) fn slow_date(mut days: i64) -> (i64, i64, i64) {
    let (mut year, mut month) = (1970, 1);
    while days >= year_days(year) {
        days -= year_days(year);
        year += 1;
    }
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn year_days(year: i64) -> i64 {
    (1..=12).map(|month| days_of(year, month)).sum()
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
