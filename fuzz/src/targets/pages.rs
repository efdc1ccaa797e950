//! Any bytes as a page of every stream: read whole or refused, never half; and read the same however its white space lies
//! and however its records are spread over pages.

use std::collections::BTreeMap;

use counterfoil::providers::{Position, Turn};
use counterfoil::stream::Page;
use serde_json::value::RawValue;

use super::rows::{Rows, is_id, read, rows};
use super::streams::{self, Ready};

pub(super) fn run(body: &[u8]) {
    let spaced = spaced(body);
    for ready in streams::all() {
        let Ok(page) = read(ready, body) else {
            assert!(read(ready, &spaced).is_err(), "white space made a page of what is none");
            continue;
        };
        let again = read(ready, &spaced).expect("white space broke a page");
        assert_eq!(told(&page), told(&again));
        apart(ready, body, &page);
        turn(ready, &page);
    }
}

/// All that a page says.
fn told(page: &Page) -> impl PartialEq + std::fmt::Debug {
    (rows(page), page.records, page.rejected.clone(), page.drift.clone(), page.leaves.clone())
}

/// Each record on a page of its own gives the rows that all of them give together.
fn apart(ready: &Ready, body: &[u8], whole: &Page) {
    let (Some(field), Ok(text)) = (ready.shape.records, std::str::from_utf8(body)) else { return };
    let Ok(envelope) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else { return };
    let Some(Ok(records)) = envelope.get(field).map(|list| serde_json::from_str::<Vec<&RawValue>>(list.get())) else {
        return;
    };
    // A page that names its list twice has more than the last one.
    if records.len() as u64 != whole.records {
        return;
    }
    let mut all = vec![Rows::default(); whole.tables.len()];
    let mut rejected = Vec::new();
    for record in records {
        let page = read(ready, format!("{{\"{field}\":[{}]}}", record.get()).as_bytes()).expect("a record of a page");
        let before = all[0].rows.len() as u32;
        for (all, one) in all.iter_mut().zip(rows(&page)) {
            all.rows.extend(one.rows.into_iter().map(|(parent, cells)| (parent + before, cells)));
            all.lengths.extend(one.lengths.into_iter().map(|(parent, length)| (parent + before, length)));
        }
        rejected.extend(page.rejected);
    }
    assert_eq!((all, rejected), (rows(whole), whole.rejected.clone()));
}

/// What the provider's rule makes of the page: a cursor is the id of its last record.
fn turn(ready: &Ready, page: &Page) {
    let Some((provider, stream)) = ready.of else { return };
    let at = Position { from_s: 0, to_s: 1, cursor: None, limit: stream.limit };
    if let Ok(Turn::More(cursor)) = (provider.page)(stream, page, &at) {
        assert!(page.records > 0 && is_id(&cursor));
        assert_eq!(Some(cursor.as_str()), page.last_id());
        let (ask, next) = (
            (provider.request)(stream, &at),
            (provider.request)(stream, &Position { cursor: Some("x".to_owned()), ..at.clone() }),
        );
        assert_ne!(ask, next, "a cursor is part of the request");
    }
}

/// The same JSON with white space wherever it may stand. What is no JSON stays none: white space is put in only beside
/// brackets, commas and colons outside of strings.
fn spaced(body: &[u8]) -> Vec<u8> {
    let (mut out, mut in_string, mut escaped) = (Vec::new(), false, false);
    for byte in body {
        let mark = !in_string && b"{}[],:".contains(byte);
        if mark {
            out.extend_from_slice(b"\n ");
        }
        out.push(*byte);
        if mark {
            out.extend_from_slice(b"\t\r");
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    out
}
