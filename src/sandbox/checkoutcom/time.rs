//! Times as Checkout.com writes and reads them: several shapes, all UTC.

use super::super::world::DAY;

/// `2023-08-24T14:15:22Z`, with three or seven fraction digits when there is a fraction.
pub(super) fn zulu(second: u32, ticks: u32) -> String {
    match ticks {
        0 => format!("{}Z", civil(second)),
        ticks if ticks % 10_000 == 0 => format!("{}.{:03}Z", civil(second), ticks / 10_000),
        ticks => format!("{}.{ticks:07}Z", civil(second)),
    }
}

/// `2023-08-24T14:15:22.3448464+00:00`, as actions have it.
pub(super) fn offset(second: u32, ticks: u32) -> String {
    format!("{}.{ticks:07}+00:00", civil(second))
}

/// Reads what `GET /disputes` accepts: whole seconds, in UTC. Unix seconds; `None` for anything else.
pub(super) fn strict(text: &str) -> Option<i64> {
    let bare = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let shaped = bare.len() == 19 && bare.as_bytes()[10] == b'T' && !bare.contains('.');
    shaped.then(|| format!("{bare}Z").parse::<jiff::Timestamp>().ok())?.map(jiff::Timestamp::as_second)
}

/// Reads what search accepts: ISO 8601 with a zone. Milliseconds; `None` for anything else.
pub(super) fn lenient(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())
}

/// `2023-08-24T14:15:22`. By hand, since thousands of times are written a page (Howard Hinnant's civil_from_days).
fn civil(second: u32) -> String {
    let shifted = i64::from(second / DAY) + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let rest = second % DAY;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_shapes_and_the_right_day() {
        assert_eq!(zulu(1_692_886_522, 0), "2023-08-24T14:15:22Z");
        assert_eq!(zulu(1_692_886_522, 1_230_000), "2023-08-24T14:15:22.123Z");
        assert_eq!(offset(1_692_886_522, 3_448_464), "2023-08-24T14:15:22.3448464+00:00");
        for second in (0..u32::MAX - DAY).step_by(7_654_321) {
            let known = jiff::Timestamp::from_second(i64::from(second)).unwrap();
            assert_eq!(zulu(second, 0), known.to_string());
        }
    }

    #[test]
    fn disputes_want_whole_seconds() {
        for text in ["2023-08-24T14:15:22Z", "2023-08-24T14:15:22", "2023-08-24T14:15:22+00:00"] {
            assert_eq!(strict(text), Some(1_692_886_522), "{text}");
        }
        for text in ["2023-08-24T14:15:22.123456789Z", "2023-08-24", "2023-13-24T14:15:22Z", "", "é023-08-24T14:15:2"]
        {
            assert_eq!(strict(text), None, "{text}");
        }
        assert_eq!(lenient("2023-08-24T14:15:22.5Z"), Some(1_692_886_522_500));
        assert_eq!(lenient("2023-08-24T14:15:22"), None);
    }
}
