//! The guard against a judge of its own: a batch passes exactly when it is one that could have been made, and nothing
//! passes that holds a word, a number or a period outside the closed vocabulary, written down here a second time.

use counterfoil::egress::wire::guard::{MAX_BYTES, check};

use super::draws::Draws;
use super::numbers::slow_days;

const OUTCOMES: &[&str] = &["captured", "approved", "declined", "blocked", "error", "pending", "other"];
const PROVIDERS: &[&str] = &["stripe", "checkoutcom", "other", "any"];
const SCHEMES: &[&str] = &[
    "visa",
    "mastercard",
    "amex",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "cartes_bancaires",
    "eftpos",
    "interac",
    "maestro",
    "other",
    "any",
];
const FUNDINGS: &[&str] = &["credit", "debit", "prepaid", "charge", "unknown", "any"];
const ENVELOPE: &[&str] = &["f", "fact", "attempts", "v", "period", "epoch", "late", "card", "true", "false"];

/// An even first byte: any bytes. An odd one: a batch that is nearly right.
pub(super) fn run(input: &[u8]) {
    let mut draws = Draws::new(input);
    if draws.below(2) == 0 { any(draws.rest()) } else { nearly(&mut draws) }
}

fn any(bytes: &[u8]) {
    let Ok(reading) = check(bytes) else { return };
    assert!(bytes.len() <= MAX_BYTES);
    assert_eq!(reading.bytes().as_slice(), bytes);
    let text = std::str::from_utf8(bytes).expect("what passes is ASCII");
    let cells: Vec<_> =
        reading.cells.iter().map(|cell| ([0, 1, 2, 3].map(|at| cell.codes[at]), cell.count.into())).collect();
    assert!(may_pass(&reading.period, reading.late, &cells), "{text}");
    assert_eq!(write(&reading.period, reading.late, &cells), text, "it re-encodes to the same bytes");
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').filter(|word| !word.is_empty())
    {
        let known = [OUTCOMES, PROVIDERS, SCHEMES, FUNDINGS, ENVELOPE].iter().any(|list| list.contains(&word));
        let small = word.parse::<u32>().is_ok_and(|number| number <= 1_000_000_000 && number.to_string() == word);
        assert!(known || small || word == reading.period, "{word} passed in {text}");
    }
}

type Cell<'a> = ([&'a str; 4], u64);

/// What the registry allows, said once more: cells in order, each once, of ten to a thousand million, rolled up along the
/// ladder provider, funding, scheme; a period that is a day or an ISO week from 1970 on.
fn may_pass(period: &str, late: bool, cells: &[Cell<'_>]) -> bool {
    let known = |([outcome, provider, scheme, funding], count): &Cell<'_>| {
        let any = [provider, funding, scheme].map(|code| *code == "any");
        OUTCOMES.contains(outcome)
            && PROVIDERS.contains(provider)
            && SCHEMES.contains(scheme)
            && FUNDINGS.contains(funding)
            && (any[0] || !any[1])
            && (any[1] || !any[2])
            && (10..=1_000_000_000).contains(count)
    };
    is_period(period, late) && cells.iter().all(known) && cells.windows(2).all(|pair| pair[0].0 < pair[1].0)
}

fn is_period(period: &str, late: bool) -> bool {
    let parts: Vec<&str> = period.split('-').collect();
    let number = |text: &str, digits: usize| {
        text.parse::<i64>().ok().filter(|_| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
    };
    match (late, &parts[..]) {
        (false, [year, month, day]) => {
            let date = number(year, 4).zip(number(month, 2)).zip(number(day, 2));
            date.is_some_and(|((year, month), day)| year >= 1970 && slow_days(year, month, day).is_some())
        }
        (true, [year, week]) => {
            let week = week.strip_prefix('W').and_then(|week| number(week, 2));
            number(year, 4).zip(week).is_some_and(|(year, week)| year >= 1970 && (1..=weeks_of(year)).contains(&week))
        }
        _ => false,
    }
}

/// A year has 53 weeks when it begins or ends on a Thursday.
fn weeks_of(year: i64) -> i64 {
    let thursday = |month, day| slow_days(year, month, day).is_some_and(|days| days.rem_euclid(7) == 0);
    if thursday(1, 1) || thursday(12, 31) { 53 } else { 52 }
}

fn write(period: &str, late: bool, cells: &[Cell<'_>]) -> String {
    let cells: Vec<String> =
        cells.iter().map(|(codes, count)| format!("[\"{}\",{count}]", codes.join("\",\""))).collect();
    let cells = cells.join(",");
    format!(r#"{{"f":1,"fact":"attempts","v":1,"period":"{period}","epoch":0,"late":{late},"card":[{cells}]}}"#)
}

/// A batch that is made of drawn parts passes exactly when its parts say so; and whatever is changed in its bytes, what
/// passes still holds what [`any`] asks for.
fn nearly(draws: &mut Draws<'_>) {
    let late = draws.below(2) == 1;
    let year = if draws.once_in(8) { draws.number() % 20_000 } else { 1960 + draws.below(200) as i64 };
    let period = if late {
        format!("{year:04}-W{:02}", draws.below(55))
    } else {
        format!("{year:04}-{:02}-{:02}", draws.below(14), draws.below(33))
    };
    let late = late != draws.once_in(16);
    let word = |draws: &mut Draws<'_>, list: &[&'static str]| if draws.once_in(32) { "ada" } else { *draws.pick(list) };
    let mut cells = Vec::new();
    for _ in 0..draws.below(6) {
        let codes = [word(draws, OUTCOMES), word(draws, PROVIDERS), word(draws, SCHEMES), word(draws, FUNDINGS)];
        let count = draws.number() as u64 % *draws.pick(&[20, 1000, 1_000_000_000, 1 << 32]);
        cells.push((codes, count));
    }
    if !draws.once_in(4) {
        cells.sort_unstable();
        cells.dedup_by_key(|cell| cell.0);
    }
    let mut bytes = write(&period, late, &cells).into_bytes();
    let passes = check(&bytes).is_ok();
    assert_eq!(passes, may_pass(&period, late, &cells), "{}", String::from_utf8_lossy(&bytes));
    while draws.more() {
        let at = draws.below(bytes.len());
        bytes[at] = draws.byte();
    }
    any(&bytes);
}
