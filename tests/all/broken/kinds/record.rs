//! Pages with a record that is not what it should be: outside the window, of the other mode, or with a field that does not
//! convert. A field that does not convert is read once more before its record counts as rejected.

use serde_json::{Value, json};

use super::{End, Kind, changed, newest, pages, part, records, whole, with_body};

const MALFORMED: End = End::Stops("sync.malformed");
const CONTRADICTION: End = End::Stops("sync.contradiction");

/// No text and no number, although they look it: such a record of a page is passed over, but an answer that is only this
/// record cannot be read at all.
const HALF: &[u8] = br#""ch_\ud800""#;
const BEYOND: &[u8] = b"1e999";

/// The newest record of the page with this field.
fn field(name: &'static str, key: &'static str, value: Value, end: End) -> Kind {
    Kind::always(name, end, move |exchange| {
        changed(exchange, |json| {
            newest(json)?[key] = value.clone();
            Some(())
        })
    })
}

/// An id that is none, where one more look helps. One object without its id may be anything.
fn odd(name: &'static str, value: Value) -> Kind {
    Kind { once: End::Whole, ..field(name, "id", value, End::Rejects) }.alone(End::Whole, CONTRADICTION)
}

/// The newest record is this.
fn no_record(name: &'static str, value: Value) -> Kind {
    Kind::passing(name, End::Rejects, move |exchange| {
        changed(exchange, |json| {
            *newest(json)? = value.clone();
            Some(())
        })
    })
    .alone(End::Whole, CONTRADICTION)
}

/// This JSON text stands where the newest record's id was.
fn spelled(name: &'static str, text: &'static [u8], lasting: End) -> Kind {
    const MARK: &str = "\"@mark@\"";
    Kind::passing(name, lasting, move |exchange| {
        let mut json: Value = serde_json::from_slice(&exchange.told.body).ok()?;
        newest(&mut json)?["id"] = "@mark@".into();
        let page = json.to_string();
        let (before, after) = page.split_once(MARK)?;
        with_body(exchange, &[before.as_bytes(), text, after.as_bytes()].concat())
    })
}

/// The newest record's time, which is the field's own name at each endpoint.
fn timed(name: &'static str, unix: Value, text: Value, end: End) -> Kind {
    Kind::always(name, end, move |exchange| {
        let value = if exchange.endpoint.connection == "main" { unix.clone() } else { text.clone() };
        changed(exchange, |json| {
            newest(json)?[exchange.endpoint.time] = value.clone();
            Some(())
        })
    })
}

pub(super) fn kinds() -> Vec<Kind> {
    let odd_time = |name, unix, text| Kind { once: End::Whole, ..timed(name, unix, text, End::Rejects) };
    vec![
        timed("a record before the window", json!(946_684_800), json!("2000-01-01T00:00:00Z"), CONTRADICTION)
            .on(|one| !one.single()),
        timed("a record after the window", json!(4_102_444_800_i64), json!("2100-01-01T00:00:00Z"), CONTRADICTION)
            .on(|one| !one.single()),
        field("a record of the other mode", "livemode", json!(true), End::Stops("sync.livemode")).on(|one| one.mode),
        Kind::always("all records of the other mode", End::Stops("sync.livemode"), |exchange| {
            changed(exchange, |json| {
                records(json, 1)?.iter_mut().for_each(|record| record["livemode"] = true.into());
                Some(())
            })
        })
        .on(|one| one.mode && !one.single()),
        field("a mode that is no mode", "livemode", json!("live"), End::Whole).on(|one| one.mode),
        odd("no id", Value::Null),
        odd("an id that is a number", json!(12345)),
        odd("an id that is an object", json!({"id": "x"})),
        odd("an id that is an array", json!(["x"])),
        odd("an id that is true", json!(true)),
        odd("an empty id", json!("")),
        odd("an id with a space", json!("ch 1")),
        odd("an id of a thousand characters", json!("x".repeat(1000))),
        odd("an id with a zero byte", json!("ch_\u{0}1")),
        spelled("an id with half a surrogate pair", HALF, End::Rejects)
            .alone(End::Whole, CONTRADICTION)
            .on(|one| !whole(one)),
        spelled("half a surrogate pair in the only id", HALF, MALFORMED).always_so().on(whole),
        spelled("an id said twice", br#""ch_0", "id": "ch_1""#, End::Rejects).alone(End::Whole, CONTRADICTION),
        spelled("an id that is no text", b"\"ch_\xff\"", MALFORMED).always_so(),
        spelled("an id beyond all numbers", BEYOND, End::Rejects)
            .alone(End::Whole, CONTRADICTION)
            .on(|one| !whole(one)),
        spelled("an only id beyond all numbers", BEYOND, MALFORMED).always_so().on(whole),
        spelled("an id of three hundred digits", &[b'7'; 300], End::Rejects).alone(End::Whole, CONTRADICTION),
        no_record("a record that is null", Value::Null),
        no_record("a record that is a text", json!("ch_1")),
        no_record("a record that is an array", json!([])),
        no_record("an empty record", json!({})),
        odd_time("no time", Value::Null, Value::Null).on(|one| !part(one)),
        odd_time("a time that is a fraction", json!(1_773_000_000.5), json!(1_773_000_000.5)),
        odd_time("a time beyond all numbers", json!(i64::MAX), json!("99999-01-01T00:00:00Z")),
        odd_time("a time that is true", json!(true), json!(true)),
        Kind::passing("a field nested without end", End::Rejects, |exchange| {
            let mut json: Value = serde_json::from_slice(&exchange.told.body).ok()?;
            let field = if part(exchange.endpoint) { "reference" } else { "currency" };
            newest(&mut json)?[field] = "@mark@".into();
            let page = json.to_string();
            let (before, after) = page.split_once("\"@mark@\"")?;
            let deep = [b"[".repeat(300), b"]".repeat(300)].concat();
            with_body(exchange, &[before.as_bytes(), &deep, after.as_bytes()].concat())
        })
        .on(|one| !one.is_feed()),
        Kind::always("an unknown field nested without end", End::Whole, |exchange| {
            let text = String::from_utf8(exchange.told.body.clone()).ok()?;
            let deep = [b"\"data\":".to_vec(), b"[".repeat(100_000), b"]".repeat(100_000)].concat();
            let deep = String::from_utf8(deep).ok()?.replacen("data", "unknown", 1);
            with_body(exchange, text.replacen("\"data\":", &format!("{deep}, \"data\":"), 1).as_bytes())
        })
        .on(pages),
    ]
}
