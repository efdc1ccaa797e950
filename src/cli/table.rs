//! Results as text: aligned columns for people, CSV, JSON.

use serde_json::Value;

use crate::store::{Table, Text};

/// Aligned columns with a header; numbers to the right.
pub(super) fn aligned(columns: &[&str], rows: &[Vec<String>]) -> String {
    let number = |at: usize| {
        let plain = |text: &str| {
            text.is_empty() || text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        !rows.is_empty() && rows.iter().all(|row| plain(&row[at])) && rows.iter().any(|row| !row[at].is_empty())
    };
    let numbers: Vec<bool> = (0..columns.len()).map(number).collect();
    laid_out(columns, rows, &numbers)
}

/// The same where nothing is a number, though a name may be without letters.
pub(super) fn words(columns: &[&str], rows: &[Vec<String>]) -> String {
    laid_out(columns, rows, &vec![false; columns.len()])
}

fn laid_out(columns: &[&str], rows: &[Vec<String>], numbers: &[bool]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([columns[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(at, cell)| {
                let gap = " ".repeat(widths[at].saturating_sub(cell.chars().count()));
                if numbers[at] { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut text = vec![line(columns), rule.join("  ")];
    text.extend(rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>())));
    text.join("\n")
}

/// A result as aligned columns; control characters are shown as blanks, so that no value can draw on the terminal.
pub(super) fn people(table: &Table) -> String {
    let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
    let cell = |value: &Text| plain(value).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    aligned(&columns, &rows)
}

/// A result as CSV (RFC 4180), with a header; NULL is empty.
pub(super) fn csv(table: &Table) -> String {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let header: Vec<String> = table.columns.iter().map(|column| quoted(column)).collect();
    let mut text = header.join(",") + "\r\n";
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|value| quoted(&plain(value))).collect();
        text.push_str(&(cells.join(",") + "\r\n"));
    }
    text
}

/// A result as an array of objects.
pub(super) fn objects(table: &Table) -> Value {
    let object = |row: &Vec<Text>| {
        let pairs = table.columns.iter().zip(row).map(|(column, value)| (column.clone(), json(value)));
        Value::Object(pairs.collect())
    };
    table.rows.iter().map(object).collect()
}

fn json(value: &Text) -> Value {
    match value {
        Text::Null => Value::Null,
        Text::Int(number) => (*number).into(),
        Text::Real(number) => (*number).into(),
        Text::Text(text) => text.as_str().into(),
        Text::Blob(bytes) => hex(bytes).into(),
    }
}

/// A value as plain text.
pub(super) fn plain(value: &Text) -> String {
    match value {
        Text::Null => String::new(),
        Text::Int(number) => number.to_string(),
        Text::Real(number) => number.to_string(),
        Text::Text(text) => text.clone(),
        Text::Blob(bytes) => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A moment for people: UTC, to the second.
pub(super) fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default()
}

/// A count with thousands apart.
pub(super) fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let columns = vec!["a".to_owned(), "b,c".to_owned()];
        let rows =
            vec![vec![Text::Text("x\"y".to_owned()), Text::Null], vec![Text::Int(-5), Text::Text("l\nm".to_owned())]];
        let table = Table { columns, rows, cut: false };
        assert_eq!(csv(&table), "a,\"b,c\"\r\n\"x\"\"y\",\r\n-5,\"l\nm\"\r\n");
    }

    #[test]
    fn words_without_letters_stand_where_those_with_letters_do() {
        let row = |print: &str| vec!["default".to_owned(), print.to_owned(), "x".to_owned()];
        let last = |print| words(&["key", "fingerprint", "to"], &[row(print)]).lines().last().unwrap().to_owned();
        assert_eq!(last("18566851"), "default  18566851     x");
        assert_eq!(last("1856685f"), "default  1856685f     x");
    }

    #[test]
    fn numbers_stand_to_the_right_and_control_characters_nowhere() {
        let columns = vec!["n".to_owned(), "t".to_owned()];
        let rows = vec![vec![Text::Int(7), Text::Text("a\u{1b}[2Jb".to_owned())], vec![Text::Int(1234), Text::Null]];
        let text = people(&Table { columns, rows, cut: false });
        assert_eq!(text, "   n  t\n────  ──────\n   7  a [2Jb\n1234");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(-999), "-999");
    }
}
