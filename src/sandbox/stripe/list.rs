//! Stripe's lists: newest first, by cursor, filtered. No total is ever given.

use super::super::json::Json;
use super::super::query::Query;
use super::super::world::{CURRENCIES, Entry, Kind, Move};
use super::{Answer, Face, Resource, error};

/// A filter of a list.
type Test<'a> = Box<dyn Fn(&Entry) -> bool + 'a>;

/// What a list request asks for.
struct Ask {
    limit: usize,
    /// Inclusive bounds of `created`.
    from: u32,
    to: u32,
    after: Option<Entry>,
    before: Option<Entry>,
}

/// A page, newest first.
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) more: bool,
}

impl Face<'_> {
    /// Answers a list request.
    pub(super) fn list(&self, resource: &Resource, query: &Query) -> Answer {
        let page = self.ask(resource, query).and_then(|ask| {
            let keep = self.filter(resource.kind, query)?;
            Ok(self.page(resource.kind, &ask, &*keep))
        });
        match page {
            Ok(page) => self.render(resource, &page),
            Err(refusal) => refusal,
        }
    }

    fn render(&self, resource: &Resource, page: &Page) -> Answer {
        let mut json = Json::indented();
        json.object(|w| {
            w.put("object", "list");
            w.list("data", |w| {
                for entry in &page.entries {
                    self.object(resource.kind, entry, w);
                }
            });
            w.put("has_more", page.more);
            w.put("url", resource.path);
        });
        Answer { status: 200, body: json.finish() }
    }

    fn ask(&self, resource: &Resource, query: &Query) -> Result<Ask, Answer> {
        let cursor = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(id) => self.find(resource.kind, id).map(Some).ok_or_else(|| {
                let message = format!("No such {}: '{id}'", resource.noun);
                error(400, Some("resource_missing"), Some(name), &message)
            }),
        };
        let (from, to) = created(query)?;
        let ask = Ask {
            limit: limit(query, 10, 100)?,
            from,
            to,
            after: cursor("starting_after")?,
            before: cursor("ending_before")?,
        };
        if ask.after.is_some() && ask.before.is_some() {
            return Err(error(
                400,
                None,
                None,
                "You may only specify one of these parameters: ending_before, starting_after.",
            ));
        }
        Ok(ask)
    }

    fn page(&self, kind: Kind, ask: &Ask, keep: &dyn Fn(&Entry) -> bool) -> Page {
        let range = self.world.made(kind, ask.from, ask.to.min(self.now));
        let seen = |entry: &&Entry| entry.visible(self.now) && keep(entry);
        let mut entries: Vec<Entry> = match (ask.after, ask.before) {
            (_, Some(before)) => {
                let start = range.partition_point(|entry| *entry <= before);
                range[start..].iter().filter(seen).take(ask.limit + 1).copied().collect()
            }
            (after, None) => {
                let end = after.map_or(range.len(), |after| range.partition_point(|entry| *entry < after));
                range[..end].iter().rev().filter(seen).take(ask.limit + 1).copied().collect()
            }
        };
        let more = entries.len() > ask.limit;
        entries.truncate(ask.limit);
        if ask.before.is_some() {
            entries.reverse();
        }
        Page { entries, more }
    }

    /// The test that an entry must pass: all filters of its resource.
    fn filter<'q>(&'q self, kind: Kind, query: &'q Query) -> Result<Test<'q>, Answer> {
        let mut tests = Vec::new();
        for (name, value) in query.pairs() {
            let common = matches!(name, "limit" | "starting_after" | "ending_before" | "created");
            if !common && !name.starts_with("created[") && !name.starts_with("expand[") {
                tests.push(self.test(kind, name, value)?);
            }
        }
        Ok(Box::new(move |entry| tests.iter().all(|test| test(entry))))
    }

    fn test<'q>(&'q self, kind: Kind, name: &'q str, value: &'q str) -> Result<Test<'q>, Answer> {
        let transaction = |entry: &Entry| self.world.transaction(entry);
        Ok(match (kind, name) {
            (Kind::Charge | Kind::Refund | Kind::Dispute, "payment_intent") => {
                let found = self.find(Kind::Intent, value);
                Box::new(move |entry| found.is_some_and(|found| found.payment == entry.payment))
            }
            (Kind::Refund | Kind::Dispute, "charge") => self.of_charge(value),
            (Kind::Charge | Kind::Intent, "customer") => Box::new(move |entry| {
                let customer = self.world.life(entry.payment).and_then(|life| self.customer(&life));
                customer.as_deref() == Some(value)
            }),
            (Kind::Transaction, "payout") => {
                let payout = self.find(Kind::Payout, value).ok_or_else(|| {
                    error(400, Some("resource_missing"), Some("payout"), &format!("No such payout: '{value}'"))
                })?;
                Box::new(move |entry| self.taken_by(entry) == Some(payout.payment))
            }
            (Kind::Transaction, "type") => {
                Box::new(move |entry| transaction(entry).is_some_and(|found| found.kind.names().0 == value))
            }
            (Kind::Transaction, "currency") => Box::new(move |entry| {
                transaction(entry).is_some_and(|found| CURRENCIES[usize::from(found.currency)].code == value)
            }),
            (Kind::Transaction, "source") => {
                Box::new(move |entry| transaction(entry).is_some_and(|found| self.source(entry, found.kind) == value))
            }
            _ => {
                let message = format!("Received unknown parameter: {name}");
                return Err(error(400, Some("parameter_unknown"), Some(name), &message));
            }
        })
    }

    fn of_charge(&self, id: &str) -> Test<'_> {
        let found = self.find(Kind::Charge, id);
        Box::new(move |entry| {
            let same = found.filter(|found| found.payment == entry.payment);
            same.is_some_and(|found| self.world.life(entry.payment).is_some_and(|life| life.last() == found.part))
        })
    }

    /// The payout that took an entry's transaction; a payout's own transaction belongs to it.
    fn taken_by(&self, entry: &Entry) -> Option<u32> {
        let transaction = self.world.transaction(entry)?;
        if transaction.kind == Move::Payout {
            return Some(entry.payment);
        }
        self.world.payout_of(&transaction)
    }
}

/// `limit`, or its refusal.
pub(super) fn limit(query: &Query, standard: usize, most: usize) -> Result<usize, Answer> {
    let Some(text) = query.get("limit") else { return Ok(standard) };
    match text.parse::<i64>() {
        Ok(number) => match usize::try_from(number) {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => {
                let message = format!("This value must be greater than or equal to 1 and at most {most}.");
                Err(error(400, Some("parameter_invalid_integer"), Some("limit"), &message))
            }
        },
        Err(_) => {
            Err(error(400, Some("parameter_invalid_integer"), Some("limit"), &format!("Invalid integer: {text}")))
        }
    }
}

/// Inclusive bounds of `created`, from an integer or from `created[gt|gte|lt|lte]`.
pub(super) fn created(query: &Query) -> Result<(u32, u32), Answer> {
    let (mut from, mut to) = (0i64, i64::from(u32::MAX) - 1);
    for (name, value) in query.pairs() {
        let Some(rest) = name.strip_prefix("created") else { continue };
        let time: i64 = value.parse().map_err(|_| {
            error(400, Some("parameter_invalid_integer"), Some(name), &format!("Invalid integer: {value}"))
        })?;
        match rest {
            "" => (from, to) = (time, time),
            "[gt]" => from = from.max(time.saturating_add(1)),
            "[gte]" => from = from.max(time),
            "[lt]" => to = to.min(time.saturating_sub(1)),
            "[lte]" => to = to.min(time),
            _ => return Err(error(400, Some("parameter_unknown"), Some(name), "Received unknown parameter: created")),
        }
    }
    if to < from {
        return Ok((1, 0));
    }
    let bound = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX - 1);
    Ok((bound(from), if to < 0 { 0 } else { bound(to) }))
}
