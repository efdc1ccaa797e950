//! Pages whose envelope or order contradicts itself, the request or the page before.

use serde_json::{Value, json};

use super::{End, Kind, changed, counted, lists, next, pages, part, records, whole, with_body};
use crate::broken::endpoints::Way;
use crate::broken::proxy::Exchange;

const MALFORMED: End = End::Stops("sync.malformed");
const CONTRADICTION: End = End::Stops("sync.contradiction");

/// The same page with this field of its envelope; a missing value takes the field out.
fn envelope(name: &'static str, field: &'static str, value: Option<Value>, end: End) -> Kind {
    Kind::always(name, end, move |exchange| {
        changed(exchange, |json| {
            let envelope = json.as_object_mut()?;
            match &value {
                Some(value) => drop(envelope.insert(field.to_owned(), value.clone())),
                None => drop(envelope.remove(field)),
            }
            Some(())
        })
    })
}

/// The whole body is this text.
fn body(name: &'static str, text: &'static [u8]) -> Kind {
    Kind::always(name, MALFORMED, move |exchange| with_body(exchange, text))
}

/// The honest text with something before and behind it.
fn around(name: &'static str, before: &'static [u8], behind: &'static [u8]) -> Kind {
    Kind::always(name, MALFORMED, move |exchange| {
        with_body(exchange, &[before, exchange.told.body.trim_ascii_end(), behind].concat())
    })
}

pub(super) fn kinds() -> Vec<Kind> {
    [texts(), envelopes(), orders()].into_iter().flatten().collect()
}

fn texts() -> Vec<Kind> {
    vec![
        body("null", b"null").alone(End::Whole, CONTRADICTION),
        body("a number", b"42").alone(End::Whole, CONTRADICTION),
        body("an empty object", b"{}").alone(End::Whole, CONTRADICTION),
        // Of a part it says that there is nothing.
        body("an empty array", b"[]").alone(End::Whole, CONTRADICTION).on(|one| !part(one)),
        body("half a surrogate pair as all", br#""\ud800""#),
        around("junk behind the JSON", b"", b"junk"),
        around("two documents", b"", b"\n{}"),
        around("a zero byte behind the JSON", b"", b"\0"),
        around("a byte order mark", b"\xef\xbb\xbf", b""),
        around("a guard against scripts", b")]}',\n", b""),
        around("one bracket too few", b"{\"page\":", b""),
        Kind::always("nested without end", MALFORMED, |exchange| {
            with_body(exchange, &[&b"{\"data\":"[..], &b"[".repeat(100_000)].concat())
        }),
        Kind::always("bytes that are no text", MALFORMED, |exchange| {
            let at = exchange.told.body.iter().position(|byte| *byte == b'"')? + 1;
            let mut body = exchange.told.body.clone();
            body[at] = 0xff;
            // A field of that name is not known, the one it was is gone.
            with_body(exchange, &body)
        })
        .on(|endpoint| !lists(endpoint)),
    ]
}

fn envelopes() -> Vec<Kind> {
    let list = |name, field, value, end| envelope(name, field, value, end).on(lists);
    let total = |name, value, end| envelope(name, "total_count", value, end).on(counted);
    vec![
        envelope("no records", "data", None, MALFORMED).on(pages),
        envelope("records that are null", "data", Some(Value::Null), MALFORMED).on(pages),
        envelope("records that are an object", "data", Some(json!({})), MALFORMED).on(pages),
        envelope("records that are a text", "data", Some(json!("data")), MALFORMED).on(pages),
        list("not said whether there is more", "has_more", None, CONTRADICTION),
        list("null whether there is more", "has_more", Some(Value::Null), CONTRADICTION),
        list("a text whether there is more", "has_more", Some(json!("true")), CONTRADICTION),
        list("another object", "object", Some(json!("search_result")), CONTRADICTION),
        list("no object", "object", None, CONTRADICTION),
        list("a list of another address", "url", Some(json!("/v1/customers")), CONTRADICTION),
        total("no total", None, CONTRADICTION),
        total("a negative total", Some(json!(-1)), CONTRADICTION),
        total("a total that is a text", Some(json!("3")), CONTRADICTION),
        total("a total that is a fraction", Some(json!(3.5)), CONTRADICTION),
        total("a total beyond all bounds", Some(json!(u64::MAX)), CONTRADICTION),
        // Halves of the window are asked for, and they are whole.
        total("a total above the limit", Some(json!(251)), End::Whole),
        Kind::always("a total of one more", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                json["total_count"] = (json["total_count"].as_u64()? + 1).into();
                Some(())
            })
        })
        .on(counted),
        Kind::always("no records and a total", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                records(json, 1)?.clear();
                Some(())
            })
        })
        .on(counted),
        Kind::always("no records but more", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                (json["data"], json["has_more"]) = (json!([]), json!(true));
                Some(())
            })
        })
        .on(lists),
        Kind::always("more said twice", CONTRADICTION, |exchange| {
            let text = String::from_utf8(exchange.told.body.clone()).ok()?;
            with_body(exchange, text.replace("\"has_more\"", "\"has_more\": false, \"has_more\"").as_bytes())
        })
        .on(lists),
        Kind::always("records said twice", MALFORMED, |exchange| {
            let text = String::from_utf8(exchange.told.body.clone()).ok()?;
            with_body(exchange, text.replacen("\"data\":", "\"data\": [], \"data\":", 1).as_bytes())
        })
        .on(pages),
    ]
}

/// The target without its cursor.
fn first_page(exchange: &Exchange<'_>) -> Option<String> {
    exchange.asked.target.split_once("&starting_after=").map(|(before, _)| before.to_owned())
}

fn orders() -> Vec<Kind> {
    vec![
        Kind::always("the first page again", CONTRADICTION, |exchange| {
            next(exchange.instead(&first_page(exchange)?).wire().bytes)
        })
        .on(lists),
        Kind::always("the first page again as the last", CONTRADICTION, |exchange| {
            let told = exchange.instead(&first_page(exchange)?);
            let text = String::from_utf8(told.body).ok()?;
            with_body(exchange, text.replace("\"has_more\": true", "\"has_more\": false").as_bytes())
        })
        .on(lists),
        Kind::always("out of order", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                let data = records(json, 2)?;
                data.reverse();
                (data[0]["created"] != data[data.len() - 1]["created"]).then_some(())
            })
        })
        .on(lists),
        Kind::always("a record twice", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                let data = records(json, 1)?;
                data.insert(0, data[0].clone());
                json["total_count"].as_u64().inspect(|total| json["total_count"] = (total + 1).into());
                Some(())
            })
        })
        .on(|one| !one.single()),
        Kind::always("a record in place of another", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                let data = records(json, 2)?;
                data[1] = data[0].clone();
                Some(())
            })
        })
        .on(|one| !one.single()),
        Kind::always("the id of another record", CONTRADICTION, |exchange| {
            changed(exchange, |json| {
                let data = records(json, 2)?;
                data[1]["id"] = data[0]["id"].clone();
                Some(())
            })
        })
        .on(|one| !one.single()),
        Kind::always("another one of them", CONTRADICTION, |exchange| {
            let marked = exchange.marked.get(exchange.endpoint.table)?;
            let other = marked.iter().find(|id| !exchange.asked.target.contains(id.as_str()))?;
            next(exchange.instead(&format!("{}{other}", exchange.endpoint.path)).wire().bytes)
        })
        // A part does not say what it is a part of.
        .on(whole),
        Kind::passing("no record of that id", End::Unseen, |exchange| {
            changed(exchange, |json| {
                records(json, 1)?.clear();
                Some(())
            })
        })
        .on(|one| one.way == Way::Found),
        // The next page of the same list, and nothing of this one.
        Kind::passing("nothing behind a page that said more", CONTRADICTION, |exchange| {
            first_page(exchange)?;
            changed(exchange, |json| {
                (json["data"], json["has_more"]) = (json!([]), json!(false));
                Some(())
            })
        })
        .on(lists),
    ]
}
