//! Names for what differs from run to run in what a command says.

/// What differs between runs: `9` is a digit, `f` a hexadecimal one, `+` more of the one before. Times of the sandbox are
/// always the same to the minute. How many requests a stream takes depends on which window comes back first.
const VARYING: [(&str, &str); 24] = [
    ("2024-06-", "2024-06-"),
    ("30 days: main 9+", "30 days: main [N]"),
    ("30 days: eu 9+", "30 days: eu [N]"),
    ("clock is 9+ minutes", "clock is [N] minutes"),
    ("9999-99-99 99:99:99Z", "[TIME]"),
    ("9999-99-99T99:99:99.999Z", "[TIME]"),
    ("bytes=9+", "bytes=[N]"),
    ("9999999999999", "[MS]"),
    (":99Z", ":[S]Z"),
    ("ffffffff-ffff-ffff-ffff-ffffffffffff", "[UUID]"),
    ("default  ffffffff", "default  [PRINT]"),
    ("req_f+", "req_[ID]"),
    ("JSON at line 9+, column 9+", "JSON at line [N], column [N]"),
    ("request 0HMf+:9+", "request [ID]"),
    ("(user 9+,", "(user [ME],"),
    ("127.0.0.1:9+", "127.0.0.1:[PORT]"),
    ("\"elapsed_ms\": 9+", "\"elapsed_ms\": [N]"),
    ("\"requests\": 9+", "\"requests\": [N]"),
    ("\"pages\": 9+", "\"pages\": [N]"),
    ("\"reads\": 9+", "\"reads\": [N]"),
    ("bytes\": 9+", "bytes\": [N]"),
    ("9+.9 MB", "[N] MB"),
    (" +9+  up to date", " [N]  up to date"),
    (" +9+  failed", " [N]  failed"),
];

/// How much of the text's beginning fits the pattern.
fn length(pattern: &str, text: &str) -> Option<usize> {
    let (text, mut at, mut before) = (text.as_bytes(), 0, b' ');
    let fits = |kind: u8, byte: Option<&u8>| match kind {
        b'9' => byte.is_some_and(u8::is_ascii_digit),
        b'f' => byte.is_some_and(u8::is_ascii_hexdigit),
        kind => byte == Some(&kind),
    };
    for kind in pattern.bytes() {
        if kind == b'+' {
            at += text[at..].iter().take_while(|byte| fits(before, Some(byte))).count();
        } else if fits(kind, text.get(at)) {
            (at, before) = (at + 1, kind);
        } else {
            return None;
        }
    }
    Some(at)
}

/// The text with a name in brackets wherever runs differ.
pub(super) fn masked(mut text: &str) -> String {
    let mut out = String::new();
    while let Some(char) = text.chars().next() {
        let found = VARYING.iter().find_map(|(pattern, name)| Some((length(pattern, text)?, *name)));
        let (taken, put) = found.unwrap_or((char.len_utf8(), &text[..char.len_utf8()]));
        out.push_str(put);
        text = &text[taken..];
    }
    out
}
