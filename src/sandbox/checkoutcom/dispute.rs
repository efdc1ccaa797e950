//! Disputes as Checkout.com lists and renders them: by last change, with an offset, with a total.

use super::super::json::Json;
use super::super::query::Query;
use super::super::stripe::Answer;
use super::super::world::{Dispute, Entry, Kind, Life, REASONS};
use super::{Face, time};

impl Face<'_> {
    pub(super) fn dispute_status(&self, dispute: &Dispute) -> &'static str {
        let sent = dispute.submitted <= self.now();
        match dispute.closed <= self.now() {
            true if dispute.inquiry => "resolved",
            true if dispute.won => "won",
            true if sent => "lost",
            true => "expired",
            false if sent => "evidence_under_review",
            false => "evidence_required",
        }
    }

    /// The same, as actions spell it.
    pub(super) fn dispute_words(&self, dispute: &Dispute) -> &'static str {
        match self.dispute_status(dispute) {
            "resolved" => "Resolved",
            "won" => "Won",
            "lost" => "Lost",
            "expired" => "Expired",
            "evidence_under_review" => "Evidence Under Review",
            _ => "Evidence Required",
        }
    }

    /// The last turn of each dispute that changed last in `from..=to` (unix seconds), oldest first.
    pub(super) fn current_turns(&self, from: u32, to: u32) -> Vec<Entry> {
        let now = self.now();
        let current = |entry: &&Entry| {
            let dispute = self.world.life(entry.payment).and_then(|life| life.dispute);
            dispute.is_some_and(|dispute| last_turn(&dispute, now) == Some(entry.at))
        };
        self.world.made(Kind::Turn, from, to.min(now)).iter().filter(current).copied().collect()
    }

    /// Answers `GET /disputes`.
    pub(super) fn disputes(&self, query: &Query) -> Answer {
        let number = |name: &str, standard: i64| query.get(name).map_or(Ok(standard), str::parse);
        let bound = |name: &str, standard: i64| match query.get(name) {
            None => Some(standard),
            Some(text) => time::strict(text),
        };
        let (limit, skip) = (number("limit", 50), number("skip", 0));
        let (from, to) = (bound("from", 0), bound("to", i64::from(u32::MAX)));
        let wrong = [
            ("paging_limit_invalid", !matches!(limit, Ok(1..=250))),
            ("paging_skip_invalid", !matches!(skip, Ok(0..))),
            ("paging_from_invalid_format", from.is_none()),
            ("paging_to_invalid_format", to.is_none()),
        ];
        let codes: Vec<&str> = wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(code, _)| code).collect();
        let (Ok(limit), Ok(skip), Some(from), Some(to), []) = (limit, skip, from, to, codes.as_slice()) else {
            return self.invalid(&codes);
        };
        let second = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
        let mut found = if from > to { Vec::new() } else { self.current_turns(second(from), second(to)) };
        found.retain(|turn| self.wanted(turn, query));
        found.reverse();
        let mut json = Json::compact();
        json.object(|w| {
            w.put("limit", limit);
            w.put("skip", skip);
            for (name, value) in query.pairs().filter(|(name, _)| !matches!(*name, "limit" | "skip")) {
                w.put(name, value);
            }
            w.put("total_count", found.len() as i64);
            w.list("data", |w| {
                let page = found.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
                for turn in page.take(usize::try_from(limit).unwrap_or(0)) {
                    if let Some(life) = self.world.life(turn.payment) {
                        w.object(|w| self.summary(&life, w));
                    }
                }
            });
        });
        Answer { status: 200, body: json.finish() }
    }

    /// The filters of the list; and a dispute is not listed until it is visible.
    fn wanted(&self, turn: &Entry, query: &Query) -> bool {
        let opened = self.world.entry(Kind::Dispute, turn.payment, 0);
        let Some(life) = opened.filter(|entry| entry.visible(self.now())).and_then(|_| self.world.life(turn.payment))
        else {
            return false;
        };
        let Some(dispute) = life.dispute else { return false };
        query.pairs().all(|(name, value)| {
            let is = |own: String| value.split(',').any(|one| one == own);
            match name {
                "id" => is(self.dispute_id(life.payment)),
                "statuses" => is(self.dispute_status(&dispute).to_owned()),
                "payment_id" => is(self.payment_id(life.payment, life.last())),
                "payment_arn" => is(self.arn(&life)),
                _ => true,
            }
        })
    }

    /// Members that list and single dispute share.
    fn common(&self, life: &Life, dispute: &Dispute, w: &mut Json) {
        let reason = &REASONS[usize::from(dispute.reason)];
        let status = self.dispute_status(dispute);
        w.put("id", self.dispute_id(life.payment));
        w.put("entity_id", self.id("ent_", "entity", 0));
        w.put("category", reason.3);
        w.put("amount", life.amount);
        w.put("currency", life.currency().code.to_uppercase());
        w.put("reason_code", if life.brand().stripe == "mastercard" { reason.2 } else { reason.1 });
        w.put("status", status);
        if status == "resolved" {
            w.put("resolved_reason", "rapid_dispute_resolution");
        }
        if status == "evidence_required" {
            w.put("evidence_required_by", time::zulu(dispute.due, 0));
        }
        w.put("received_on", time::zulu(dispute.opened, 0));
        w.put("last_update", time::zulu(last_turn(dispute, self.now()).unwrap_or(dispute.opened), 0));
    }

    fn summary(&self, life: &Life, w: &mut Json) {
        let Some(dispute) = life.dispute else { return };
        self.common(life, &dispute, w);
        w.put("payment_id", self.payment_id(life.payment, life.last()));
        w.put("payment_action_id", self.action_id("act_", life.payment, life.last(), 2));
        w.put("payment_reference", self.world.person(life).reference);
        w.put("payment_arn", self.arn(life));
        w.put("payment_mcc", "5499");
        w.put("payment_method", life.brand().checkout);
        w.put("is_ce_candidate", life.brand().stripe == "visa" && dispute.reason == 0);
        w.nest("_links", |w| self.link(w, "self", &format!("/disputes/{}", self.dispute_id(life.payment))));
    }

    /// Answers `GET /disputes/{id}`.
    pub(super) fn dispute(&self, life: &Life) -> Answer {
        let mut json = Json::compact();
        let Some(dispute) = life.dispute else { return Answer { status: 404, body: Vec::new() } };
        json.object(|w| {
            self.common(life, &dispute, w);
            let reference = self.world.person(life).reference;
            w.put("reference", reference.as_str());
            w.list("relevant_evidence", |w| {
                if self.dispute_status(&dispute) == "evidence_required" {
                    w.element("proof_of_delivery_or_service");
                    w.element("customer_communication");
                }
            });
            w.nest("payment", |w| {
                w.put("id", self.payment_id(life.payment, life.last()));
                w.put("action_id", self.action_id("act_", life.payment, life.last(), 2));
                w.put("processing_channel_id", self.id("pc_", "channel", 0));
                w.put("amount", life.amount);
                w.put("currency", life.currency().code.to_uppercase());
                w.put("method", life.brand().checkout);
                w.put("arn", self.arn(life));
                w.put("mcc", "5499");
                w.put("reference", reference.as_str());
                w.put("has_refund", false);
                w.put("processed_on", time::zulu(life.captured, 0));
            });
            let path = format!("/disputes/{}", self.dispute_id(life.payment));
            w.nest("_links", |w| {
                self.link(w, "self", &path);
                self.link(w, "evidence", &format!("{path}/evidence"));
            });
        });
        Answer { status: 200, body: json.finish() }
    }
}

/// When a dispute changed last.
fn last_turn(dispute: &Dispute, now: u32) -> Option<u32> {
    dispute.turns().into_iter().filter(|at| *at <= now).max()
}
