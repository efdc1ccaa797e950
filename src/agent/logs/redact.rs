//! The last resort against a key or a card number in the log: what looks like one is masked in the finished line. The
//! first resort is elsewhere: secrets have a type that cannot be printed, and problems do not quote. It also keeps a line
//! one line, whatever is in it.

use std::borrow::Cow;
use std::io::{self, Write};

/// Masks every line on its way. A line arrives in one call, which the formatter guarantees.
pub(super) struct Redacted<W>(pub(super) W);

impl<W: Write> Write for Redacted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What stands in the place of what was masked.
const MASK: &str = "[masked]";
/// How keys begin: secret, restricted and publishable keys, signing secrets of webhooks.
const PREFIXES: [&str; 4] = ["sk_", "rk_", "pk_", "whsec_"];
/// The shortest rest of a key: shorter words are names such as `sk_live`.
const LEAST_KEY: usize = 8;
/// How credentials are announced in headers.
const SCHEMES: [&str; 2] = ["bearer", "basic"];
/// The shortest token; shorter words may follow these words in a sentence.
const LEAST_TOKEN: usize = 16;
/// The smallest group of digits within a card number.
const LEAST_GROUP: usize = 3;
/// The lengths of card numbers (ISO/IEC 7812).
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

/// The line with masks. Borrowed where nothing had to be masked, which is always.
pub(super) fn redact(line: &str) -> Cow<'_, str> {
    let body = line.strip_suffix('\n').unwrap_or(line);
    let mut masked: Option<String> = None;
    let mut rest = body;
    let mut kept = 0;
    let mut before = None;
    while let Some(char) = rest.chars().next() {
        let at = body.len() - rest.len();
        let found = if char.is_control() { Some((char.len_utf8(), " ")) } else { secret(rest, before) };
        let length = match found {
            Some((length, mask)) => {
                let text = masked.get_or_insert_default();
                text.push_str(&body[kept..at]);
                text.push_str(mask);
                kept = at + length;
                length
            }
            // A word is looked at from its beginning only, a number as a whole.
            None if char.is_ascii_digit() => rest.bytes().take_while(u8::is_ascii_digit).count(),
            None => char.len_utf8(),
        };
        before = rest[..length].chars().next_back();
        rest = &rest[length..];
    }
    match masked {
        None => Cow::Borrowed(line),
        Some(text) => Cow::Owned(text + &body[kept..] + &line[body.len()..]),
    }
}

/// The length of the secret with which `text` begins, and its mask.
fn secret(text: &str, before: Option<char>) -> Option<(usize, &'static str)> {
    let length = if text.starts_with(|char: char| char.is_ascii_digit()) {
        card(text)
    } else if before.is_some_and(|char| char.is_ascii_alphanumeric()) {
        None
    } else {
        key(text).or_else(|| jwt(text)).or_else(|| credentials(text))
    };
    length.map(|length| (length, MASK))
}

fn run(text: &str, allowed: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| allowed(byte)).count()
}

fn key(text: &str) -> Option<usize> {
    let prefix = PREFIXES.into_iter().find(|prefix| text.starts_with(prefix))?;
    let length = run(&text[prefix.len()..], |byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte));
    (length >= LEAST_KEY).then_some(prefix.len() + length)
}

/// Three parts in base64url, the first of which begins with `{"`.
fn jwt(text: &str) -> Option<usize> {
    let length = run(text, |byte| byte.is_ascii_alphanumeric() || b"_-.=".contains(&byte));
    let token = &text[..length];
    (token.starts_with("eyJ") && length >= LEAST_TOKEN && token.matches('.').count() >= 2).then_some(length)
}

/// `Bearer …` and the like, with a token of RFC 6750 section 2.1.
fn credentials(text: &str) -> Option<usize> {
    let scheme = SCHEMES
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)))?;
    let blank = run(&text[scheme.len()..], |byte| byte == b' ');
    let length = run(&text[scheme.len() + blank..], |byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    (blank > 0 && length >= LEAST_TOKEN).then_some(scheme.len() + blank + length)
}

/// Digits, perhaps in groups parted by one blank or hyphen, that are a possible card number; the longest such. Numbers
/// that begin with 0 or 1 are not (among them every time in milliseconds until 2033).
fn card(text: &str) -> Option<usize> {
    let mut digits = Vec::new();
    let mut end = 0;
    let mut longest = None;
    loop {
        let group = run(&text[end..], |byte| byte.is_ascii_digit());
        if group < LEAST_GROUP || digits.len() + group > *CARD.end() {
            return longest;
        }
        digits.extend(text[end..end + group].bytes().map(|byte| byte - b'0'));
        end += group;
        if CARD.contains(&digits.len()) && digits[0] > 1 && luhn(&digits) {
            longest = Some(end);
        }
        if !text[end..].starts_with([' ', '-']) {
            return longest;
        }
        end += 1;
    }
}

/// The check digit of ISO/IEC 7812.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let values = digits.iter().rev().enumerate();
    let sum: u32 = values.map(|(at, &digit)| u32::from(if at % 2 == 1 { doubled(digit) } else { digit })).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        for secret in [
            "sk_live_51Hcanary0000",
            "sk_test_00000000-0000-4000-8000-00000000c0de",
            "sk_sbox_canarycanary*a",
            "rk_live_canarycanary",
            "pk_test_canarycanary",
            "whsec_canarycanary",
            jwt,
            "Bearer canary/canary+canary==",
            "BEARER   canary.canary.canary",
            "Basic Y2FuYXJ5OmNhbmFyeQ==",
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "3782 822463 10005",
            "6304000000000000000",
        ] {
            for (before, after) in
                [("", ""), ("key=", " end"), ("\"", "\","), ("été ", " é"), ("5 ", " 12"), ("(", ")")]
            {
                let line = format!("{before}{secret}{after}\n");
                assert_eq!(redact(&line), format!("{before}[masked]{after}\n"), "{secret}");
            }
        }
        assert_eq!(redact("a sk_live_canarycanary b rk_live_canarycanary c"), "a [masked] b [masked] c");
        assert_eq!(redact("4242 4242 4242 4242 2026"), "[masked] 2026");
    }

    #[test]
    fn what_does_not_is_kept() {
        for line in [
            "",
            "\n",
            "2026-11-20T13:25:18.123Z INFO  sync: page stored rows=100 window=1700000000000..1732109118123\n",
            "the prefix of secret keys is sk_live_ or rk_test_\n",
            "task_runner_started disk_full_condition\n",
            "a bearer of news, basic authentication\n",
            "4242424242424241 and 42424242424242424242 and 424242424242\n",
            "request req_8d3kLmN4pQ2rS6 status=429 connection=main\n",
            "uuid 3f2b9c1e-8d4a-4e6b-9a7c-1d2e3f4a5b6c\n",
            "0000000000000000 1111111111111117\n",
        ] {
            assert!(matches!(redact(line), Cow::Borrowed(same) if same == line), "{line} {}", redact(line));
        }
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(redact("a\nb\r\u{1b}[31mc\td\n"), "a b  [31mc d\n");
    }

    #[test]
    fn a_writer_masks_and_takes_everything() {
        let mut to = Vec::new();
        let line = b"key whsec_canarycanary \xff\n";
        assert_eq!(Redacted(&mut to).write(line).unwrap(), line.len());
        assert_eq!(String::from_utf8(to).unwrap(), "key [masked] \u{fffd}\n");
    }
}
