//! Conversions of single values: exact, total, without floats. A value that does not convert gives a reason from a closed
//! list, never the value. It knows no provider: exponents of currencies are handed in.

use jiff::civil::DateTime;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Why a value did not convert. The names are stored and shown; they never hold the value.
pub(super) type Reason = &'static str;

/// An instant read from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Milliseconds since 1970-01-01 UTC; a text without zone is read as UTC.
    pub at_ms: i64,
    /// The text named its zone.
    pub zoned: bool,
}

/// Seconds since 1970 to milliseconds.
pub(super) fn unix(seconds: i64) -> Result<i64, Reason> {
    seconds.checked_mul(1000).ok_or("time_out_of_range")
}

/// A whole number spelled as text.
pub(super) fn integer(text: &str) -> Result<i64, Reason> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("not_an_integer");
    }
    text.parse().map_err(|_| "integer_out_of_range")
}

/// The shapes of ISO 8601 seen at the providers: `T` or a blank between date and time, 0 to 9 fraction digits (cut, not
/// rounded, to milliseconds), `Z`, the typo `ZZ`, `+hh:mm`, `+hhmm`, no zone (read as UTC), or a date alone.
pub fn iso_instant(text: &str) -> Option<Instant> {
    let b = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i32> {
        let part = b.get(from..to)?;
        part.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + i32::from(c - b'0')))
    };
    let mark = |at: usize, accepted: &[u8]| b.get(at).is_some_and(|c| accepted.contains(c));
    if !(mark(4, b"-") && mark(7, b"-")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if b.len() == 10 {
        return instant(year, month, day, [0; 4], None);
    }
    if !(mark(10, b"T ") && mark(13, b":") && mark(16, b":")) {
        return None;
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let mut rest = &b[19..];
    let mut milli = 0;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        milli = (0..3).fold(0, |n, i| n * 10 + if i < digits { i32::from(fraction[i] - b'0') } else { 0 });
        rest = &fraction[digits..];
    }
    let offset = match rest {
        [] => None,
        b"Z" | b"ZZ" => Some(0),
        [sign @ (b'+' | b'-'), clock @ ..] => {
            let digits: Vec<i32> = clock.iter().filter(|c| c.is_ascii_digit()).map(|c| i32::from(c - b'0')).collect();
            let colon = clock.len() == 5 && clock[2] == b':';
            let [h1, h2, m1, m2] = digits[..] else { return None };
            if !(colon || clock.len() == 4) {
                return None;
            }
            let (hours, minutes) = (h1 * 10 + h2, m1 * 10 + m2);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = hours * 60 + minutes;
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => return None,
    };
    instant(year, month, day, [hour, minute, second, milli], offset)
}

fn instant(
    year: i32,
    month: i32,
    day: i32,
    [h, m, s, milli]: [i32; 4],
    offset_minutes: Option<i32>,
) -> Option<Instant> {
    let small = |n: i32| i8::try_from(n).ok();
    // A leap second is read as the last second of its minute.
    let second = small(s.min(59 + i32::from(s > 60)))?;
    let civil =
        DateTime::new(i16::try_from(year).ok()?, small(month)?, small(day)?, small(h)?, small(m)?, second, 0).ok()?;
    // By civil arithmetic: the library's instants end a day before the year 9999 does, and that day stands for 'never'.
    let utc = i64::try_from(civil.duration_since(EPOCH).as_millis()).ok()?;
    let at_ms = utc + i64::from(milli) - i64::from(offset_minutes.unwrap_or(0)) * 60_000;
    Some(Instant { at_ms, zoned: offset_minutes.is_some() })
}

/// Decimal text in major units as an integer of 10⁻⁸ major units. Refuses more than eight places unless they are zero.
pub fn decimal_to_e8(text: &str) -> Option<i64> {
    scaled(text, 8)
}

/// Decimal text in major units as minor units of a currency with `exponent` decimals (0, 2 or 3).
/// Refuses more places than the currency has unless they are zero.
pub fn decimal_to_minor(text: &str, exponent: u8) -> Option<i64> {
    scaled(text, usize::from(exponent))
}

fn scaled(text: &str, places: usize) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || (digits.contains('.') && fraction.is_empty()) {
        return None;
    }
    // Before anything is cut: places are counted in bytes.
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (kept, beyond) = fraction.split_at(places.min(fraction.len()));
    if beyond.bytes().any(|b| b != b'0') {
        return None;
    }
    let mut value: i64 = 0;
    let padding = std::iter::repeat_n(b'0', places - kept.len());
    for byte in whole.bytes().chain(kept.bytes()).chain(padding) {
        // Built on the negative side, where the range is one wider.
        value = value.checked_mul(10)?.checked_sub(i64::from(byte - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times_in_all_shapes_of_the_providers() {
        for (text, at_ms, zoned) in [
            ("2023-08-24T14:15:22Z", 1_692_886_522_000, true),
            ("2022-02-18T13:00:12.357Z", 1_645_189_212_357, true),
            ("2023-08-24T14:15:26.3448464+00:00", 1_692_886_526_344, true),
            ("2023-08-25T14:15:24.3448464ZZ", 1_692_972_924_344, true),
            ("2022-12-11T03:00:23.859192", 1_670_727_623_859, false),
            ("2026-07-07 16:52:20", 1_783_443_140_000, false),
            ("2025-10-06", 1_759_708_800_000, false),
            ("2023-08-24T14:15:22+0130", 1_692_881_122_000, true),
            ("2023-08-24T14:15:22-01:30", 1_692_891_922_000, true),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000, true),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999, true),
            ("1969-12-31T23:59:59.999Z", -1, true),
            ("1970-01-01T00:00:00.5Z", 500, true),
            ("1970-01-01T00:00:00.123456789+23:59", 123 - 86_340_000, true),
            ("1970-01-02T00:00:00-10:10", 86_400_000 + 36_600_000, true),
        ] {
            assert_eq!(iso_instant(text), Some(Instant { at_ms, zoned }), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "2023",
            "2023-13-01",
            "2023/08-24",
            "2023-08/24",
            "2023-08-24T14.15:22Z",
            "2023-08-24T14:15.22Z",
            "2023-08-24x14:15:22Z",
            "2023-08-24T14:15:22+01.30",
            "2023-02-30",
            "2023-08-24T",
            "2023-08-24T25:00:00Z",
            "2023-08-24T14:15:3448464Z",
            "2023-08-24T14:15:22.Z",
            "2023-08-24T14:15:22.1234567890Z",
            "2023-08-24T14:15:22X",
            "2023-08-24T14:15:22+1",
            "2023-08-24T14:15:22+24:00",
            "2023-08-24T14:15:22-00:60",
            "2023-08-24T14:15:61Z",
            "٢٠٢٣-08-24",
        ] {
            assert_eq!(iso_instant(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_spelt_as_text_are_exact_or_refused() {
        for number in [0, 17, -5, i64::MAX, i64::MIN] {
            assert_eq!(integer(&number.to_string()), Ok(number));
        }
        assert_eq!(integer("9223372036854775808"), Err("integer_out_of_range"));
        for text in ["", "-", "+1", "1.0", " 1", "x"] {
            assert_eq!(integer(text), Err("not_an_integer"), "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(decimal_to_e8("-0.01349386"), Some(-1_349_386));
        assert_eq!(decimal_to_e8("92233720368.54775807"), Some(i64::MAX));
        assert_eq!(decimal_to_e8("-92233720368.54775808"), Some(i64::MIN));
        assert_eq!(decimal_to_e8("92233720368.54775808"), None);
        assert_eq!(decimal_to_e8("1.123456780"), Some(112_345_678));
        assert_eq!(decimal_to_e8("1.123456781"), None);
        assert_eq!(decimal_to_minor("10.00", 2), Some(1000));
        assert_eq!(decimal_to_minor("10.5", 2), Some(1050));
        assert_eq!(decimal_to_minor("10", 0), Some(10));
        assert_eq!(decimal_to_minor("1.234", 3), Some(1234));
        assert_eq!(decimal_to_minor("10.001", 2), None);
        for text in ["", "-", ".5", "5.", "1e3", "1,000", "0x1", " 1", "--1", "1.2.3", "1.2\u{e9}", "1.\u{e9}"] {
            assert_eq!(decimal_to_minor(text, 2), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn decimal_text_goes_round(minor in proptest::num::i64::ANY) {
            let (sign, size) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
            let text = format!("{sign}{}.{:02}", size / 100, size % 100);
            proptest::prop_assert_eq!(decimal_to_minor(&text, 2), Some(minor));
        }
    }
}
