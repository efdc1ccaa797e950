//! `POST /payments/search`: newest first, at most a thousand at once, by an index that is behind: some payments, and all that
//! becomes of them, show themselves late.

use serde::Deserialize;

use super::super::json::Json;
use super::super::stripe::Answer;
use super::super::world::{Entry, Kind, Life};
use super::{Face, time};

/// Widest range of one search, in milliseconds: a little over the documented 90 days.
const WIDEST: i64 = 92 * 86_400_000;

#[derive(Deserialize)]
struct Body {
    query: Option<String>,
    limit: Option<i64>,
    from: Option<String>,
    to: Option<String>,
}

/// The part of the query language that the face understands: one comparison.
enum Term {
    AmountAtLeast(i64),
    Equals(&'static str, String),
}

impl Face<'_> {
    /// Answers a search.
    pub(super) fn search(&self, body: &[u8]) -> Answer {
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return super::error(400, "request_malformed", &["request_body_malformed"], self.request_id);
        };
        let Some(term) = body.query.as_deref().filter(|text| !text.is_empty()) else {
            return self.invalid(&["query_required"]);
        };
        let Some(term) = parse(term) else { return self.invalid(&["query_invalid"]) };
        let limit = match usize::try_from(body.limit.unwrap_or(10)) {
            Ok(limit) if (1..=1000).contains(&limit) => limit,
            _ => return self.invalid(&["limit_invalid"]),
        };
        let (from, to) = match (&body.from, &body.to) {
            (None, None) => (self.now_ms - 90 * 86_400_000, self.now_ms),
            (Some(_), None) => return self.invalid(&["to_required"]),
            (None, Some(_)) => return self.invalid(&["from_required"]),
            (Some(from), Some(to)) => match (time::lenient(from), time::lenient(to)) {
                (Some(from), Some(to)) => (from, to),
                (None, _) => return self.invalid(&["from_invalid_format"]),
                (_, None) => return self.invalid(&["to_invalid_format"]),
            },
        };
        if from > to || to - from > WIDEST {
            return self.invalid(&["range_invalid"]);
        }
        let second = |ms: i64| u32::try_from(ms.max(0) / 1000).unwrap_or(u32::MAX);
        let made = self.world.made(Kind::Charge, second(from), second(to.min(self.now_ms)));
        let hit = |entry: &&Entry| {
            let at = self.requested_ms(entry);
            from <= at && at <= to && self.visible(entry) && self.matches(&term, entry)
        };
        let mut found: Vec<&Entry> = made.iter().rev().filter(hit).take(limit + 1).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        self.results(&found, more)
    }

    /// The face as the index has it of this payment.
    fn behind(&self, entry: &Entry) -> Face<'_> {
        Face { now_ms: self.now_ms - i64::from(entry.late) * 1000, ..*self }
    }

    fn matches(&self, term: &Term, entry: &Entry) -> bool {
        if matches!(term, Term::AmountAtLeast(least) if *least <= 0) {
            return true;
        }
        let Some(life) = self.world.life(entry.payment) else { return false };
        let field = |name: &str, life: &Life| match name {
            "id" => self.payment_id(life.payment, entry.part),
            "currency" => life.currency().code.to_owned(),
            "reference" => self.world.person(life).reference,
            _ => self.behind(entry).status(life, entry.part).unwrap_or_default().to_owned(),
        };
        match term {
            Term::AmountAtLeast(least) => life.amount >= *least,
            Term::Equals(name, value) => field(name, &life).eq_ignore_ascii_case(value),
        }
    }

    fn results(&self, found: &[&Entry], more: bool) -> Answer {
        let mut json = Json::compact();
        json.object(|w| {
            w.list("data", |w| {
                for entry in found {
                    if let Some(life) = self.world.life(entry.payment) {
                        w.object(|w| self.behind(entry).render(&life, entry.part, true, w));
                    }
                }
            });
            w.nest("_links", |w| {
                if let Some(last) = found.last().filter(|_| more) {
                    let token = self.payment_id(last.payment, last.part);
                    self.link(w, "next", &format!("/payments/search/{}?token={token}", self.id("", "search", 0)));
                }
            });
        });
        Answer { status: 200, body: json.finish() }
    }
}

fn parse(text: &str) -> Option<Term> {
    let (name, value) = text.trim().split_once(':')?;
    if name == "amount" {
        return value.strip_prefix(">=")?.trim().parse().ok().map(Term::AmountAtLeast);
    }
    let name = ["id", "currency", "reference", "status"].into_iter().find(|known| *known == name)?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(Term::Equals(name, value.to_owned()))
}
