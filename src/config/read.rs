//! Walks the parsed TOML by the tables of settings and notes every fault with its place: unknown names (with the one that
//! was meant), wrong types, wrong forms, keys that do not belong in a file. What hangs on two settings is in `resolve`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, closest, holds_key, names_secret};
use super::keys::{self, Auto, EARLIEST, Form, Given, Kind, LATEST, Section};
use super::value::{span_from, span_text};

/// A value of the right type and form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Date(Date),
    Span(Duration),
    Count(u64),
    Rate(f64),
    Auto,
}

/// The settings of one table. Where one is left out the default stands in; where one is faulty, something does, and the
/// faults keep the whole from being used.
pub(super) struct Values {
    /// Where the table's heading is.
    pub(super) at: Range<usize>,
    given: BTreeMap<&'static str, (Value, Range<usize>)>,
    faulty: Vec<&'static str>,
    section: &'static Section,
}

impl Values {
    /// A table that is not in the file.
    pub(super) fn absent(section: &'static Section) -> Self {
        Self { at: 0..0, given: BTreeMap::new(), faulty: Vec::new(), section }
    }

    /// Where a setting stands, when it was given (its value's place).
    pub(super) fn place(&self, name: &str) -> Option<&Range<usize>> {
        self.given.get(name).map(|(_, place)| place)
    }

    /// True when the setting stands in the file, right or wrong.
    pub(super) fn was_tried(&self, name: &str) -> bool {
        self.given.contains_key(name) || self.faulty.contains(&name)
    }

    /// The names that were given.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.given.keys().copied()
    }

    fn value(&self, name: &str) -> Option<Value> {
        if let Some((value, _)) = self.given.get(name) {
            return Some(value.clone());
        }
        let key = keys::find(self.section, name)?;
        let Given::Default(text) = key.given else { return None };
        read_text(&key.kind, text)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.value(name)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(super) fn date(&self, name: &str) -> Option<Date> {
        match self.value(name)? {
            Value::Date(date) => Some(date),
            _ => None,
        }
    }

    /// `None`: `auto`.
    pub(super) fn span(&self, name: &str) -> Option<Duration> {
        match self.value(name)? {
            Value::Span(span) => Some(span),
            _ => None,
        }
    }

    /// `None`: `auto`.
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    pub(super) fn rate(&self, name: &str) -> Option<f64> {
        match self.value(name)? {
            Value::Rate(rate) => Some(rate),
            _ => None,
        }
    }
}

/// Reads one table by its section. `connection` is the name that advice on misplaced keys gives.
pub(super) fn table(
    section: &'static Section,
    at: Range<usize>,
    table: &DeTable<'_>,
    connection: Option<&str>,
    faults: &mut Faults<'_>,
) -> Values {
    let mut values = Values { at, ..Values::absent(section) };
    for (name, value) in table {
        match keys::find(section, name.get_ref()) {
            None => unknown(section, name.get_ref(), &name.span(), value, connection, faults),
            Some(key) if holds_key_anywhere(value) => {
                values.faulty.push(key.name);
                faults.secret(&value.span(), connection);
            }
            Some(key) => match read(&key.kind, value) {
                Ok(read) => _ = values.given.insert(key.name, (read, value.span())),
                Err(wrong) => {
                    values.faulty.push(key.name);
                    faults.add(&wrong.place, format!("`{}`: {}", key.name, wrong.what), wrong.advice);
                }
            },
        }
    }
    for key in section.keys {
        if matches!(key.given, Given::Needed(_)) && !table.contains_key(key.name) {
            let advice = format!("add `{} = {}`: {}", key.name, key.given.shown(), key.doc);
            faults.add(&values.at, format!("`{}` is missing", key.name), advice);
        }
    }
    values
}

/// An unknown name: a key in the wrong place, a slip of the pen, or a setting of another table.
fn unknown(
    section: &'static Section,
    name: &str,
    at: &Range<usize>,
    value: &Spanned<DeValue<'_>>,
    connection: Option<&str>,
    faults: &mut Faults<'_>,
) {
    if holds_key(name) || holds_key_anywhere(value) {
        return faults.secret(at, connection);
    }
    let meant = closest(name, section.keys.iter().map(|key| key.name));
    // A near miss of a known name is a slip (`key` for `keys`), unless it would hold a secret and a string stands there.
    if names_secret(name) && (meant.is_none() || value.get_ref().is_str()) {
        return faults.secret(at, connection);
    }
    let elsewhere = keys::sections().find(|other| keys::find(other, name).is_some());
    let advice = match (meant, elsewhere) {
        (_, Some(other)) => format!("it belongs in {}", heading(other)),
        (Some(meant), None) => format!("did you mean `{meant}`?"),
        (None, None) => {
            format!("{} knows {}", heading(section), section.keys.iter().map(|k| k.name).collect::<Vec<_>>().join(", "))
        }
    };
    faults.add(at, format!("unknown key {}", quoted(name)), advice);
}

/// How a section's heading is written.
pub(super) fn heading(section: &Section) -> String {
    if section.name == keys::CONNECTION.name { "[connections.NAME]".to_owned() } else { format!("[{}]", section.name) }
}

/// A name out of the file, fit for a terminal and a log.
pub(super) fn quoted(name: &str) -> String {
    let plain: String = name.chars().take(40).flat_map(char::escape_debug).collect();
    format!("`{plain}`")
}

/// True when any string in the value has the shape of a key.
pub(super) fn holds_key_anywhere(value: &Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::String(text) => holds_key(text),
        DeValue::Array(items) => items.iter().any(holds_key_anywhere),
        DeValue::Table(table) => {
            table.iter().any(|(name, value)| holds_key(name.get_ref()) || holds_key_anywhere(value))
        }
        _ => false,
    }
}

/// A value that does not fit: where, what was expected, what to do.
#[derive(Debug)]
pub(super) struct Wrong {
    place: Range<usize>,
    what: String,
    advice: String,
}

fn wrong(value: &Spanned<DeValue<'_>>, what: impl Into<String>) -> Wrong {
    Wrong { place: value.span(), what: what.into(), advice: String::new() }
}

fn expected(value: &Spanned<DeValue<'_>>, what: &str) -> Wrong {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    wrong(value, format!("expected {what}, found {found}"))
}

/// Reads a value by its kind.
pub(super) fn read(kind: &Kind, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    match kind {
        Kind::Choice(words) => choice(words, value),
        Kind::Text(form) => match value.get_ref().as_str() {
            Some(text) => (form.check)(text).map(|()| Value::Text(text.to_owned())).map_err(|what| wrong(value, what)),
            None => Err(expected(value, form.what)),
        },
        Kind::List(form, least) => list(*form, *least, value),
        Kind::ChoiceOrList(words, form) => match value.get_ref() {
            DeValue::Array(_) => list(*form, 1, value),
            DeValue::String(_) => choice(words, value),
            _ => Err(expected(value, &format!("{} or a list", one_of(words)))),
        },
        Kind::Date => date(value),
        Kind::Span(auto, least, most) => span(*auto, *least, *most, value),
        Kind::Count(auto, least, most) => count(*auto, *least, *most, value),
        Kind::Rate(most) => rate(*most, value),
    }
}

/// Reads a value out of TOML text: a default of the tables.
pub(super) fn read_text(kind: &Kind, text: &str) -> Option<Value> {
    read(kind, &DeValue::parse(text).ok()?).ok()
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn choice(words: &'static [&'static str], value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    let Some(text) = value.get_ref().as_str() else { return Err(expected(value, &one_of(words))) };
    if words.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    let advice =
        closest(text, words.iter().copied()).map(|near| format!("did you mean \"{near}\"?")).unwrap_or_default();
    Err(Wrong { place: value.span(), what: format!("expected {}", one_of(words)), advice })
}

fn list(form: Form, least: usize, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    let DeValue::Array(items) = value.get_ref() else {
        return Err(expected(value, &format!("a list of strings, each {}", form.what)));
    };
    let mut list = Vec::with_capacity(items.len());
    for item in items.iter() {
        let Some(text) = item.get_ref().as_str() else { return Err(expected(item, form.what)) };
        (form.check)(text).map_err(|what| wrong(item, what))?;
        if list.iter().any(|earlier| earlier == text) {
            return Err(wrong(item, "this stands in the list twice"));
        }
        list.push(text.to_owned());
    }
    if list.len() < least {
        return Err(wrong(value, "the list is empty: name at least one, or leave the key out"));
    }
    Ok(Value::List(list))
}

fn date(value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    const WHAT: &str = "a day without quotation marks, such as 2024-01-01";
    let DeValue::Datetime(given) = value.get_ref() else { return Err(expected(value, WHAT)) };
    let (Some(day), None, None) = (given.date, given.time, given.offset) else {
        return Err(wrong(value, format!("expected {WHAT}, found a time of day")));
    };
    let parts = (i16::try_from(day.year), i8::try_from(day.month), i8::try_from(day.day));
    let date = match parts {
        (Ok(year), Ok(month), Ok(day)) => Date::new(year, month, day).ok(),
        _ => None,
    };
    match date {
        Some(date) if (EARLIEST..=LATEST).contains(&date) => Ok(Value::Date(date)),
        Some(_) => Err(wrong(value, format!("expected a day from {EARLIEST} to {LATEST}"))),
        None => Err(wrong(value, "there is no such day")),
    }
}

fn or_auto(auto: Auto) -> &'static str {
    if auto == Auto::Allowed { "\"auto\" or " } else { "" }
}

fn span(auto: Auto, least: u64, most: u64, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    let limits = (Duration::from_secs(least), Duration::from_secs(most));
    let what = format!("{}a span such as \"5m\" (s, m, h, d)", or_auto(auto));
    let Some(text) = value.get_ref().as_str() else { return Err(expected(value, &what)) };
    match span_from(text) {
        None if text == "auto" && auto == Auto::Allowed => Ok(Value::Auto),
        Some(span) if (limits.0..=limits.1).contains(&span) => Ok(Value::Span(span)),
        Some(_) => {
            Err(wrong(value, format!("expected a span from {} to {}", span_text(limits.0), span_text(limits.1))))
        }
        None => Err(wrong(value, format!("expected {what}"))),
    }
}

fn count(auto: Auto, least: u64, most: u64, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    let what = format!("{}a whole number from {least} to {most}", or_auto(auto));
    match value.get_ref() {
        DeValue::String(text) if text == "auto" && auto == Auto::Allowed => Ok(Value::Auto),
        DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(count) if (least..=most).contains(&count) => Ok(Value::Count(count)),
            _ => Err(wrong(value, format!("expected {what}"))),
        },
        _ => Err(expected(value, &what)),
    }
}

/// The lowest rate: one request in ten seconds.
const LEAST_RATE: f64 = 0.1;

fn rate(most: f64, value: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    let what = format!("a number from {LEAST_RATE} to {most}");
    let number = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return Err(expected(value, &what)),
    };
    match number.parse::<f64>() {
        Ok(rate) if (LEAST_RATE..=most).contains(&rate) => Ok(Value::Rate(rate)),
        _ => Err(wrong(value, format!("expected {what}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_and_example_of_the_tables_reads() {
        for section in keys::sections() {
            for key in section.keys {
                assert!(read_text(&key.kind, key.given.shown()).is_some(), "{}.{}", section.name, key.name);
            }
        }
    }

    #[test]
    fn names_occur_once() {
        for section in keys::sections() {
            let mut names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), section.keys.len(), "{}", section.name);
        }
    }
}
