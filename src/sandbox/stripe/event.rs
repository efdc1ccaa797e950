//! `/v1/events`: what happened in the last thirty days, each with a snapshot of the object as it was then. Events are
//! not kept: each follows from an entry of an index, and the list merges the indexes.

use std::iter::Peekable;

use super::super::chance::hash;
use super::super::json::{Json, Null};
use super::super::query::Query;
use super::super::truth::Truth;
use super::super::world::{DAY, Entry, Kind, Life, Move, Step};
use super::list::{created, limit};
use super::{Answer, Face, VERSION, error};

/// How long events can be read, in seconds.
const KEPT: u32 = 30 * DAY;

/// The indexes that events follow from, in the order of their events within a second.
const SOURCES: [Kind; 7] =
    [Kind::Intent, Kind::Charge, Kind::Transaction, Kind::Refund, Kind::Step, Kind::Turn, Kind::Payout];

/// One event: the entry it follows from, and which of that entry's events it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u32,
    source: u16,
    entry: Entry,
    which: u16,
}

/// The type of an event and the object it shows.
type Shown = (&'static str, Kind, u16);

impl Face<'_> {
    /// Answers the list.
    pub(super) fn events(&self, query: &Query) -> Answer {
        let page = self.event_page(query);
        let (events, more) = match page {
            Ok(page) => page,
            Err(refusal) => return refusal,
        };
        let mut json = Json::indented();
        json.object(|w| {
            w.put("object", "list");
            w.list("data", |w| events.iter().for_each(|event| self.event(event, w)));
            w.put("has_more", more);
            w.put("url", "/v1/events");
        });
        Answer { status: 200, body: json.finish() }
    }

    /// Answers the reading of one.
    pub(super) fn event_by_id(&self, id: &str) -> Answer {
        let Some(event) = self.find_event(id) else {
            return error(404, Some("resource_missing"), Some("id"), &format!("No such event: '{id}'"));
        };
        let mut json = Json::indented();
        self.event(&event, &mut json);
        Answer { status: 200, body: json.finish() }
    }

    fn event_page(&self, query: &Query) -> Result<(Vec<Event>, bool), Answer> {
        let limit = limit(query, 10, 100)?;
        let (from, to) = created(query)?;
        let from = from.max(self.now.saturating_sub(KEPT));
        let cursor = |which: &str| match query.get(which) {
            None => Ok(None),
            Some(id) => self.find_event(id).map(Some).ok_or_else(|| {
                let message =
                    format!("The event '{id}' is no longer available because it's aged out of our retention policy.");
                error(400, Some("resource_missing"), Some(which), &message)
            }),
        };
        let (after, before) = (cursor("starting_after")?, cursor("ending_before")?);
        let types: Vec<&str> =
            query.pairs().filter(|(name, _)| *name == "type" || name.starts_with("types[")).map(|(_, v)| v).collect();
        let to = to.min(after.map_or(self.now, |after| after.at)).min(self.now);
        let hits = Merge::new(self, from, to)
            .filter(|event| after.is_none_or(|after| *event < after))
            .filter(|event| self.event_visible(event) && self.wanted(event, &types));
        let Some(before) = before else {
            let mut events: Vec<Event> = hits.take(limit + 1).collect();
            let more = events.len() > limit;
            events.truncate(limit);
            return Ok((events, more));
        };
        let newer: Vec<Event> = hits.take_while(|event| *event > before).collect();
        let start = newer.len().saturating_sub(limit);
        Ok((newer[start..].to_vec(), start > 0))
    }

    fn wanted(&self, event: &Event, types: &[&str]) -> bool {
        let fits = |kind: &str, wanted: &&str| match wanted.strip_suffix('*') {
            Some(stem) => kind.starts_with(stem),
            None => kind == *wanted,
        };
        types.is_empty() || self.shown(event).is_some_and(|(kind, _, _)| types.iter().any(|wanted| fits(kind, wanted)))
    }

    fn event_visible(&self, event: &Event) -> bool {
        self.event_shown_from(event) <= self.now
    }

    /// The newest events appear late as well, and not in order.
    fn event_shown_from(&self, event: &Event) -> u32 {
        let draw = hash(u64::from(event.at) << 16 | u64::from(event.which), u64::from(event.entry.payment));
        let late = match (draw >> 8) % 10_000 < u64::from(self.world.plan.tardy) {
            true => 120 + (draw >> 32) as u32 % 480,
            false if draw.is_multiple_of(20) => (draw >> 32) as u32 % 40,
            false => 0,
        };
        event.at + late
    }

    /// All events of `from..=to` (unix seconds) that are still kept, oldest first, hidden ones included.
    pub(super) fn event_facts(&self, from: u32, to: u32) -> Vec<Truth> {
        let from = from.max(self.now.saturating_sub(KEPT));
        let fact = |event: Event| {
            let (kind, _, _) = self.shown(&event)?;
            let (at_ms, visible_ms) = (i64::from(event.at) * 1000, i64::from(self.event_shown_from(&event)) * 1000);
            let (id, status) = (self.event_id(&event), kind.to_owned());
            Some(Truth { id, at_ms, visible_ms, status, amount: 0, currency: "" })
        };
        let mut facts: Vec<Truth> = Merge::new(self, from, to).filter_map(fact).collect();
        facts.reverse();
        facts
    }

    fn find_event(&self, id: &str) -> Option<Event> {
        let (payment, code) = self.read("event", id)?;
        let source = *SOURCES.get(usize::from(code >> 8))?;
        let entry = self.world.entry(source, payment, (code >> 4) & 15)?;
        let event = Event { at: entry.at, source: code >> 8, entry, which: code & 15 };
        let kept = event.at.saturating_add(KEPT) >= self.now && self.event_visible(&event);
        (kept && self.shown(&event).is_some()).then_some(event)
    }

    fn event_id(&self, event: &Event) -> String {
        let code = (event.source << 8) | (event.entry.part << 4) | event.which;
        self.write("evt_3", "event", event.entry.payment, code)
    }

    /// What an event says; `None` when its entry has no such event.
    fn shown(&self, event: &Event) -> Option<Shown> {
        let (entry, which) = (&event.entry, usize::from(event.which));
        let kind = *SOURCES.get(usize::from(event.source))?;
        let pick = |events: &[Shown]| events.get(which).copied();
        match (kind, Step::of(entry.part)) {
            (Kind::Payout, _) => return pick(&[("payout.created", Kind::Payout, 0)]),
            (Kind::Step, Some(Step::PayoutPaid)) => return pick(&[("payout.paid", Kind::Payout, 0)]),
            (Kind::Step, Some(Step::PayoutFailed)) => return pick(&[("payout.failed", Kind::Payout, 0)]),
            (Kind::Transaction, _) if entry.part != Move::Charge.part() => return None,
            _ => {}
        }
        let life = self.world.life(entry.payment)?;
        match kind {
            Kind::Intent => pick(&[("payment_intent.created", Kind::Intent, 0)]),
            Kind::Charge => pick(&of_attempt(&life, entry.part)),
            Kind::Transaction if life.debit => pick(&of_charge("charge.succeeded", "payment_intent.succeeded", &life)),
            Kind::Transaction if life.manual => pick(&of_charge("charge.captured", "payment_intent.succeeded", &life)),
            Kind::Refund => {
                let refund = ("refund.created", Kind::Refund, entry.part);
                let charge = ("charge.refunded", Kind::Charge, life.last());
                let canceled = ("payment_intent.canceled", Kind::Intent, 0);
                pick(&[refund, charge, canceled][..if life.released() { 3 } else { 2 }])
            }
            Kind::Step => match Step::of(entry.part)? {
                Step::RefundSettled(part) => {
                    pick(&[("refund.updated", Kind::Refund, part), ("charge.refund.updated", Kind::Refund, part)])
                }
                Step::RefundFailed(part) => {
                    pick(&[("refund.failed", Kind::Refund, part), ("charge.refund.updated", Kind::Refund, part)])
                }
                _ => pick(&of_charge("charge.failed", "payment_intent.payment_failed", &life)),
            },
            Kind::Turn => self.of_turn(&life, entry.part, which),
            _ => None,
        }
    }

    fn of_turn(&self, life: &Life, turn: u16, which: usize) -> Option<Shown> {
        let dispute = life.dispute?;
        let (first, money) = match turn {
            0 => ("charge.dispute.created", (!dispute.inquiry).then_some("charge.dispute.funds_withdrawn")),
            1 => ("charge.dispute.updated", None),
            _ => {
                let back = dispute.won && !dispute.inquiry;
                ("charge.dispute.closed", back.then_some("charge.dispute.funds_reinstated"))
            }
        };
        let kind = [Some(first), money].into_iter().flatten().nth(which)?;
        Some((kind, Kind::Dispute, 0))
    }

    /// Writes an event with its object as it was then.
    fn event(&self, event: &Event, json: &mut Json) {
        let Some((kind, of, part)) = self.shown(event) else { return };
        let Some(object) = self.world.entry(of, event.entry.payment, part) else { return };
        let then = Face { world: self.world, now: event.at };
        json.object(|w| {
            w.put("id", self.event_id(event));
            w.put("object", "event");
            w.put("api_version", VERSION);
            w.put("created", event.at);
            w.nest("data", |w| w.inside("object", |w| then.object(of, &object, w)));
            w.put("livemode", false);
            w.put("pending_webhooks", 0u32);
            w.nest("request", |w| {
                w.put("id", Null);
                w.put("idempotency_key", Null);
            });
            w.put("type", kind);
        });
    }
}

fn of_charge(charge: &'static str, intent: &'static str, life: &Life) -> [Shown; 2] {
    [(charge, Kind::Charge, life.last()), (intent, Kind::Intent, 0)]
}

fn of_attempt(life: &Life, part: u16) -> [Shown; 2] {
    let declined = life.attempts().get(usize::from(part)).is_none_or(|attempt| attempt.decline().is_some());
    let (charge, intent) = match (life.debit, declined, life.manual) {
        (true, _, _) => ("charge.pending", "payment_intent.processing"),
        (false, true, _) => ("charge.failed", "payment_intent.payment_failed"),
        (false, false, true) => ("charge.succeeded", "payment_intent.amount_capturable_updated"),
        (false, false, false) => ("charge.succeeded", "payment_intent.succeeded"),
    };
    [(charge, Kind::Charge, part), (intent, Kind::Intent, 0)]
}

/// All events of a range, newest first, made as they are asked for.
struct Merge<'a> {
    face: &'a Face<'a>,
    sources: Vec<Peekable<std::iter::Rev<std::slice::Iter<'a, Entry>>>>,
    /// Events of the entry at hand, the last one first to be given.
    ready: Vec<Event>,
}

impl<'a> Merge<'a> {
    fn new(face: &'a Face<'a>, from: u32, to: u32) -> Self {
        let sources = SOURCES.iter().map(|kind| face.world.made(*kind, from, to).iter().rev().peekable()).collect();
        Self { face, sources, ready: Vec::new() }
    }
}

impl Iterator for Merge<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            let heads = self.sources.iter_mut().enumerate();
            let newest = heads.filter_map(|(source, entries)| Some((entries.peek()?.at, source))).max()?;
            let entry = *self.sources[newest.1].next()?;
            let event = |which| Event { at: entry.at, source: newest.1 as u16, entry, which };
            self.ready = (0..3).map(event).filter(|event| self.face.shown(event).is_some()).collect();
        }
        self.ready.pop()
    }
}
