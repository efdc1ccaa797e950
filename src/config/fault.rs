//! What is wrong with a configuration file, where, and what to do: line, column, words. A fault never quotes a value:
//! what stands in the wrong place may be a key. It holds no rules about particular settings.

use std::fmt;
use std::ops::Range;

/// One thing wrong at one place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong. Names settings, never quotes a value.
    pub message: String,
    /// What to do; may be empty.
    pub advice: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// What is said of a key in the file.
const SECRET: &str = "keys do not belong in the file";

/// The faults of one file, as they are found.
pub(super) struct Faults<'a> {
    text: &'a str,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes one fault at the first byte of `span`.
    pub(super) fn add(&mut self, span: &Range<usize>, message: impl Into<String>, advice: impl Into<String>) {
        let (line, column) = place(self.text, span.start);
        self.found.push(Fault { line, column, message: message.into(), advice: advice.into() });
    }

    /// A provider key or password stands in the file.
    pub(super) fn secret(&mut self, span: &Range<usize>, connection: Option<&str>) {
        let name = connection.unwrap_or("NAME");
        self.add(span, SECRET, format!("use `counterfoil key set {name}`, and take this one out"));
    }

    /// True when a key was found in the line of this byte.
    pub(super) fn names_secret_in(&self, offset: usize) -> bool {
        let (line, _) = place(self.text, offset);
        self.found.iter().any(|fault| fault.line == line && fault.message == SECRET)
    }

    /// In the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Fault> {
        self.found.sort_by_key(|fault| (fault.line, fault.column));
        self.found
    }
}

/// Line and column (in characters, both from 1) of a byte offset.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[line_start..].chars().filter(|c| *c != '\u{feff}').count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// How keys of the providers begin (Stripe's secret, restricted, publishable and webhook keys; Checkout.com's secret and
/// public keys and access key ids).
const KEY_STARTS: [&str; 5] = ["sk_", "rk_", "pk_", "whsec_", "ack_"];

/// What follows such a beginning in a real key: a mode, or a long random tail. Shorter words (`pk_order`) are names.
const KEY_MODES: [&str; 5] = ["live_", "test_", "sbox_", "org_", "prod_"];
const KEY_TAIL: usize = 16;

/// True when the text holds something of the shape of a key. Errs on the side of yes.
pub(super) fn holds_key(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).any(|word| {
        KEY_STARTS
            .iter()
            .filter_map(|start| word.strip_prefix(start))
            .any(|tail| tail.len() >= KEY_TAIL || KEY_MODES.iter().any(|mode| tail.starts_with(mode)))
    })
}

/// True when a setting of this name would hold a secret.
pub(super) fn names_secret(name: &str) -> bool {
    const WORDS: [&str; 8] = ["key", "apikey", "secret", "password", "passwd", "token", "credential", "credentials"];
    name.split(['_', '-', '.', ' ']).any(|part| WORDS.contains(&part.to_ascii_lowercase().as_str()))
}

/// The candidate that `word` was probably meant to be.
pub(super) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), candidate), candidate))
        .filter(|(far, _)| *far <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance (insert, remove, replace, swap of neighbours count one each).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines_from_one() {
        assert_eq!(place("", 0), (1, 1));
        assert_eq!(place("ab\ncd", 4), (2, 2));
        assert_eq!(place("é = 1\r\nx", 3), (1, 3), "é is one column though two bytes");
        assert_eq!(place("\u{feff}ab", 3), (1, 1), "a byte order mark has no width");
        assert_eq!(place("ab", 99), (1, 3), "past the end is the end");
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let keys = ["poll", "provider", "prefix", "start"];
        assert_eq!(closest("pol", keys), Some("poll"));
        assert_eq!(closest("Provider", keys), Some("provider"));
        assert_eq!(closest("rpovider", keys), Some("provider"), "two neighbours swapped");
        assert_eq!(closest("colour", keys), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }

    #[test]
    fn keys_are_known_by_shape_and_by_name() {
        for key in
            ["sk_test_x", "Bearer rk_live_9", "sk_sbox_abc", "whsec_0123456789abcdef", "ack_abcdefghijklmnopqrstuvwxyz"]
        {
            assert!(holds_key(key), "{key}");
        }
        for word in
            ["pk_order", "order_id", "ask_test_me", "cli_vkuhvk4vjn2edkps7dfsq6emqm", "ent_abcdefghijklmnopqrstuvwxyz"]
        {
            assert!(!holds_key(word), "{word}");
        }
        for name in ["key", "api_key", "secret", "client_secret", "access-token", "PASSWORD"] {
            assert!(names_secret(name), "{name}");
        }
        for name in ["keys", "monkey", "metadata_keys", "client_id"] {
            assert!(!names_secret(name), "{name}");
        }
    }
}
