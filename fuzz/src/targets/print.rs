//! Writes a JSON value in one of its many spellings: white space, escapes and the order of an object's fields are drawn.

use serde_json::Value;

use super::draws::Draws;

pub(super) fn print(value: &Value, draws: &mut Draws<'_>, out: &mut String) {
    space(draws, out);
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            let turn = draws.below(fields.len().max(1));
            fields.rotate_left(turn);
            list(fields, '{', '}', draws, out, |(name, value), draws, out| {
                string(name, draws, out);
                space(draws, out);
                out.push(':');
                print(value, draws, out);
            });
        }
        Value::Array(items) => list(items, '[', ']', draws, out, print),
        Value::String(text) => string(text, draws, out),
        _ => out.push_str(&value.to_string()),
    }
    space(draws, out);
}

fn list<T>(
    items: impl IntoIterator<Item = T>,
    open: char,
    close: char,
    draws: &mut Draws<'_>,
    out: &mut String,
    one: impl Fn(T, &mut Draws<'_>, &mut String),
) {
    out.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        space(draws, out);
        one(item, draws, out);
    }
    space(draws, out);
    out.push(close);
}

fn space(draws: &mut Draws<'_>, out: &mut String) {
    if draws.once_in(8) {
        let space = *draws.pick::<&str>(&[" ", "\n", "\t", "\r\n", "   "]);
        out.push_str(space);
    }
}

fn string(text: &str, draws: &mut Draws<'_>, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        let plain = !matches!(char, '"' | '\\') && !char.is_control();
        if plain && !draws.once_in(16) {
            out.push(char);
        } else {
            // Beyond the basic plane this is a pair of surrogates.
            char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out.push('"');
}
