//! The guard: judges the bytes of a batch by the registry's data, with a grammar and a writer of its own that share nothing
//! with the encoder. What it does not understand whole, it refuses. The courier asks it before every send, the receiver on
//! every arrival. It knows no cells and no events.

use std::fmt;

use super::{EgressBytes, MAX_COUNT};
use crate::egress::registry::{Dimension, FACTS, FORMAT, Fact, View};

/// Longest body that can be a batch.
pub const MAX_BYTES: usize = 64 * 1024;

/// A batch as read from its bytes, with the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The fact's name.
    pub fact: &'static str,
    /// The fact's version.
    pub version: u32,
    /// `2026-11-16` or, for a late batch, `2026-W47`.
    pub period: String,
    /// True for a week of late events.
    pub late: bool,
    /// The names of the codes and measures of a cell, in order.
    pub columns: Vec<&'static str>,
    /// The cells, in the order of the bytes.
    pub cells: Vec<ReadCell>,
    bytes: EgressBytes,
}

/// A cell as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCell {
    /// One code a dimension.
    pub codes: Vec<&'static str>,
    /// The number of events.
    pub count: u32,
}

/// Why bytes were refused, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Offset of the byte.
    pub at: usize,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl Reading {
    /// The bytes, fit to leave.
    pub fn bytes(&self) -> &EgressBytes {
        &self.bytes
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.rule, self.at)
    }
}

/// Reads a batch, or says which rule it breaks. Nothing is accepted that does not re-encode to the same bytes.
pub fn check(bytes: &[u8]) -> Result<Reading, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal { at: MAX_BYTES, rule: "too long" });
    }
    let mut cursor = Cursor { bytes, at: 0 };
    cursor.exact(b"{\"f\":")?;
    if cursor.number()? != u64::from(FORMAT) {
        return Err(cursor.refuse("unknown format"));
    }
    cursor.exact(b",\"fact\":")?;
    let name = cursor.word()?;
    let fact = FACTS.iter().find(|fact| fact.name.as_bytes() == name).ok_or(cursor.refuse("unknown fact"))?;
    cursor.exact(b",\"v\":")?;
    if cursor.number()? != u64::from(fact.version) {
        return Err(cursor.refuse("unknown version"));
    }
    cursor.exact(b",\"period\":")?;
    let label = cursor.word()?;
    let (period, late) = period(label).ok_or(cursor.refuse("not a period"))?;
    cursor.exact(b",\"epoch\":0,\"late\":")?;
    cursor.exact(if late { b"true" } else { b"false" })?;
    let cells = cursor.view(fact)?;
    cursor.exact(b"}")?;
    if cursor.at != bytes.len() {
        return Err(cursor.refuse("more after the end"));
    }
    if write(fact, &period, late, &cells) != bytes {
        return Err(Refusal { at: 0, rule: "not in canonical form" });
    }
    let columns = fact.view.dims.iter().map(|dimension| dimension.name).chain(fact.view.measures.iter().copied());
    Ok(Reading {
        fact: fact.name,
        version: fact.version,
        period,
        late,
        columns: columns.collect(),
        cells,
        bytes: EgressBytes(bytes.to_vec()),
    })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn refuse(&self, rule: &'static str) -> Refusal {
        Refusal { at: self.at, rule }
    }

    fn starts(&self, with: u8) -> bool {
        self.bytes.get(self.at) == Some(&with)
    }

    fn exact(&mut self, expected: &[u8]) -> Result<(), Refusal> {
        if !self.bytes[self.at..].starts_with(expected) {
            return Err(self.refuse("not the fixed envelope"));
        }
        self.at += expected.len();
        Ok(())
    }

    /// A quoted word of the alphabet that codes and periods use: nothing else can stand between quotes.
    fn word(&mut self) -> Result<&'a [u8], Refusal> {
        self.exact(b"\"")?;
        let from = self.at;
        while self.bytes.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            self.at += 1;
        }
        let word = &self.bytes[from..self.at];
        self.exact(b"\"")?;
        Ok(word)
    }

    fn number(&mut self) -> Result<u64, Refusal> {
        let from = self.at;
        let mut number: u64 = 0;
        while let Some(digit) = self.bytes.get(self.at).filter(|b| b.is_ascii_digit()) {
            number = number * 10 + u64::from(digit - b'0');
            self.at += 1;
            if self.at - from > 10 {
                return Err(self.refuse("number too long"));
            }
        }
        if self.at == from { Err(self.refuse("not a number")) } else { Ok(number) }
    }

    fn view(&mut self, fact: &Fact) -> Result<Vec<ReadCell>, Refusal> {
        self.exact(b",\"")?;
        self.exact(fact.view.name.as_bytes())?;
        self.exact(b"\":[")?;
        let mut cells: Vec<ReadCell> = Vec::new();
        while !self.starts(b']') {
            if !cells.is_empty() {
                self.exact(b",")?;
            }
            let cell = self.cell(fact)?;
            if cells.last().is_some_and(|last| last.codes >= cell.codes) {
                return Err(self.refuse("cells out of order"));
            }
            cells.push(cell);
        }
        self.exact(b"]")?;
        Ok(cells)
    }

    fn cell(&mut self, fact: &Fact) -> Result<ReadCell, Refusal> {
        self.exact(b"[")?;
        let mut codes = Vec::with_capacity(fact.view.dims.len());
        for dimension in fact.view.dims {
            let word = self.word()?;
            codes.push(known(dimension, word).ok_or(self.refuse("unknown code"))?);
            self.exact(b",")?;
        }
        if !on_the_ladder(&fact.view, &codes) {
            return Err(self.refuse("rolled up off the ladder"));
        }
        let count = u32::try_from(self.number()?).ok().filter(|count| (fact.k..=MAX_COUNT).contains(count));
        let count = count.ok_or(self.refuse("count out of bounds"))?;
        self.exact(b"]")?;
        Ok(ReadCell { codes, count })
    }
}

fn known(dimension: &Dimension, word: &[u8]) -> Option<&'static str> {
    dimension.codes.iter().chain(dimension.rolled_up.iter()).find(|code| code.as_bytes() == word).copied()
}

/// True when the rolled-up dimensions are the first few steps of the ladder.
fn on_the_ladder(view: &View, codes: &[&str]) -> bool {
    let rolled = |dim| view.dims.iter().zip(codes).any(|(d, code)| d.dim == dim && d.rolled_up == Some(*code));
    let steps: Vec<bool> = view.ladder.iter().map(|dim| rolled(*dim)).collect();
    steps.is_sorted_by(|earlier, later| earlier >= later)
}

/// The first year of a period: nothing that leaves is older (and an ISO week of an earlier year may carry a sign).
const FIRST_YEAR: i16 = 1970;

/// The period's label and whether it is late, judged by a calendar library.
fn period(label: &[u8]) -> Option<(String, bool)> {
    let label = std::str::from_utf8(label).ok()?;
    if let Some((year, week)) = label.split_once("-W") {
        let monday =
            jiff::civil::ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, jiff::civil::Weekday::Monday);
        let monday = monday.ok().filter(|monday| monday.year() >= FIRST_YEAR)?;
        return Some((format!("{:04}-W{:02}", monday.year(), monday.week()), true));
    }
    let mut parts = label.split('-');
    let (year, month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let date = jiff::civil::Date::new(year, month, day).ok().filter(|date| date.year() >= FIRST_YEAR);
    let date = date.filter(|_| parts.next().is_none())?;
    Some((format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()), false))
}

fn write(fact: &Fact, period: &str, late: bool, cells: &[ReadCell]) -> Vec<u8> {
    let cells: Vec<String> =
        cells.iter().map(|cell| format!("[\"{}\",{}]", cell.codes.join("\",\""), cell.count)).collect();
    format!(
        r#"{{"f":{},"fact":"{}","v":{},"period":"{}","epoch":0,"late":{},"{}":[{}]}}"#,
        FORMAT,
        fact.name,
        fact.version,
        period,
        late,
        fact.view.name,
        cells.join(",")
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = concat!(
        r#"{"f":1,"fact":"attempts","v":1,"period":"2026-11-16","epoch":0,"late":false,"card":["#,
        r#"["approved","stripe","visa","credit",412],["declined","any","visa","credit",37]]}"#
    );

    fn refused(body: &str) -> &'static str {
        check(body.as_bytes()).expect_err(body).rule
    }

    #[test]
    fn a_good_batch_is_read_whole() {
        let reading = check(GOOD.as_bytes()).unwrap();
        assert_eq!((reading.fact, reading.version, reading.late), ("attempts", 1, false));
        assert_eq!(reading.period, "2026-11-16");
        assert_eq!(reading.columns, ["outcome", "provider", "scheme", "funding", "count"]);
        assert_eq!(reading.cells[0].codes, ["approved", "stripe", "visa", "credit"]);
        assert_eq!(reading.cells[1].count, 37);
        assert_eq!(reading.bytes().as_slice(), GOOD.as_bytes());
    }

    #[test]
    fn every_other_form_is_refused() {
        let cases = [
            ("\"f\":1", "\"f\":2", "unknown format"),
            ("\"f\":1", "\"f\":01", "not in canonical form"),
            ("attempts", "refunds", "unknown fact"),
            ("\"v\":1", "\"v\":2", "unknown version"),
            ("2026-11-16", "2026-11-31", "not a period"),
            ("2026-11-16", "2026-11-6", "not in canonical form"),
            ("2026-11-16", "4242", "not a period"),
            ("2026-11-16", "1969-12-31", "not a period"),
            ("2026-11-16", "2026-W47", "not the fixed envelope"),
            ("false", "true", "not the fixed envelope"),
            ("\"epoch\":0", "\"epoch\":1", "not the fixed envelope"),
            ("\"card\"", "\"geo\"", "not the fixed envelope"),
            ("visa", "ada", "unknown code"),
            ("visa", "Visa", "unknown code"),
            ("visa", "ada@example.com", "not the fixed envelope"),
            ("412", "4242424242424242", "number too long"),
            ("412", "1000000001", "count out of bounds"),
            ("412", "0412", "not in canonical form"),
            ("412", "9", "count out of bounds"),
            ("412", "-412", "not a number"),
            ("412", "41.2", "not the fixed envelope"),
            ("\"stripe\",\"visa\"", "\"stripe\",\"any\"", "rolled up off the ladder"),
            ("\"approved\"", "\"any\"", "unknown code"),
            ("\"approved\"", "\"pending\"", "cells out of order"),
            (",[", ", [", "not the fixed envelope"),
            ("]}", "]} ", "more after the end"),
            ("]}", "]", "not the fixed envelope"),
            ("]}", "],\"note\":1}", "not the fixed envelope"),
        ];
        for (from, to, rule) in cases {
            assert_eq!(refused(&GOOD.replacen(from, to, 1)), rule, "{from} -> {to}");
        }
        assert_eq!(refused(&" ".repeat(MAX_BYTES + 1)), "too long");
        assert_eq!(refused(&" ".repeat(65_536)), "not the fixed envelope", "so long a batch may be");
        assert_eq!(refused(&" ".repeat(65_537)), "too long");
        assert_eq!(refused(""), "not the fixed envelope");
        let refusal = check(GOOD.replace("412", "9").as_bytes()).unwrap_err();
        assert_eq!(refusal.to_string(), "count out of bounds at byte 122");
    }

    #[test]
    fn no_single_changed_byte_passes_for_another_batch_in_disguise() {
        // Whatever one byte becomes, the guard refuses or reads exactly what stands there.
        for at in 0..GOOD.len() {
            for byte in 0..=255u8 {
                let mut bytes = GOOD.as_bytes().to_vec();
                bytes[at] = byte;
                if let Ok(reading) = check(&bytes) {
                    assert_eq!(reading.bytes().as_slice(), bytes);
                }
            }
        }
    }

    #[test]
    fn a_late_week_is_a_period() {
        let late = GOOD.replace("2026-11-16", "2026-W47").replace("false", "true");
        assert_eq!(check(late.as_bytes()).unwrap().period, "2026-W47");
        assert_eq!(refused(&late.replace("W47", "W54")), "not a period");
        assert_eq!(refused(&late.replace("W47", "W7")), "not in canonical form");
        for year in ["-2026", "-999", "0001", "1969"] {
            assert_eq!(refused(&late.replace("2026-W", &format!("{year}-W"))), "not a period", "{year}");
        }
    }
}
