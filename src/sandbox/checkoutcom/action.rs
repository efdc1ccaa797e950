//! The actions of a payment: authentication, authorisation, capture, refund, void, dispute.

use super::super::json::Json;
use super::super::stripe::Answer;
use super::super::world::{DAY, Life, NEVER, REASONS, ThreeDs};
use super::{Face, time};

/// One thing that happened to a payment.
struct Action {
    at: u32,
    kind: &'static str,
    id: String,
    amount: i64,
    /// In words; [`Face::actions_of`] says it as `approved`.
    status: &'static str,
    response: Option<(&'static str, &'static str)>,
    reason: Option<&'static str>,
}

const APPROVED: Option<(&str, &str)> = Some(("10000", "Approved"));

impl Face<'_> {
    /// What has happened by now, oldest first.
    fn actions(&self, life: &Life, part: u16) -> Vec<Action> {
        let mut actions = Vec::with_capacity(6);
        let Some(attempt) = life.attempts().get(usize::from(part)) else { return actions };
        let action = |at: u32, kind, number: u64| {
            let prefix = if kind == "Authentication" { "sid_" } else { "act_" };
            let id = self.action_id(prefix, life.payment, part, number);
            Action { at, kind, id, amount: life.amount, status: "Approved", response: APPROVED, reason: None }
        };
        if attempt.three_ds != ThreeDs::NotAsked {
            let asked = action(attempt.at, "Authentication", 0);
            let result = if attempt.three_ds == ThreeDs::Failed { "Declined" } else { "Approved" };
            actions.push(Action { status: "Pending", response: None, ..asked });
            actions.push(Action { status: result, response: None, ..action(attempt.at, "Authentication", 0) });
        }
        let authorization = action(attempt.decided, "Authorization", 1);
        actions.push(match attempt.decline() {
            Some(decline) => Action { status: "Declined", response: Some(decline.checkout), ..authorization },
            None => authorization,
        });
        if life.collects(part) {
            if life.captured != NEVER {
                actions.push(action(life.captured, "Capture", 2));
            }
            for (number, refund) in life.refunds().iter().enumerate() {
                let kind = if life.released() { "Void" } else { "Refund" };
                actions.push(Action { amount: refund.amount, ..action(refund.at, kind, 3 + number as u64) });
            }
            if let Some(dispute) = life.dispute {
                let code = REASONS[usize::from(dispute.reason)].1;
                let status = self.dispute_words(&dispute);
                let opened = action(dispute.opened, "Dispute", 9);
                let id = self.dispute_id(life.payment);
                actions.push(Action { id, status, response: None, reason: Some(code), ..opened });
            }
        }
        actions.retain(|action| action.at <= self.now());
        actions
    }

    /// Writes `actions[]` of a search result, newest first.
    pub(super) fn embedded_actions(&self, life: &Life, part: u16, reference: &str, w: &mut Json) {
        let ticks = self.ticks(life.payment, part);
        w.list("actions", |w| {
            for (number, action) in self.actions(life, part).iter().enumerate().rev() {
                w.object(|w| {
                    w.put("id", action.id.as_str());
                    w.put("type", action.kind);
                    w.put("processed_on", time::offset(action.at, ticks + 1_000 * number as u32));
                    w.put("status", action.status);
                    w.put("amount", action.amount);
                    if let Some(reason) = action.reason {
                        w.put("reason_code", reason);
                    }
                    self.response(life, action, w);
                    if action.kind == "Authentication" && action.status != "Pending" {
                        w.put("authentication_experience", "3ds");
                    }
                    w.put("reference", reference);
                });
            }
        });
    }

    /// Answers `GET /payments/{id}/actions`: a bare array, newest first, of what moved or held money.
    pub(super) fn actions_of(&self, life: &Life, part: u16) -> Answer {
        let who = self.world.person(life);
        let mut json = Json::compact();
        let ticks = self.ticks(life.payment, part);
        json.array(|w| {
            for (number, action) in self.actions(life, part).iter().enumerate().rev() {
                if matches!(action.kind, "Authentication" | "Dispute") {
                    continue;
                }
                w.object(|w| {
                    w.put("id", action.id.as_str());
                    w.put("type", action.kind);
                    w.put("processed_on", time::zulu(action.at, ticks + 1_000 * number as u32));
                    w.put("amount", action.amount);
                    w.put("approved", action.status == "Approved");
                    self.response(life, action, w);
                    w.put("reference", who.reference.as_str());
                    w.nest("metadata", |_| {});
                });
            }
        });
        Answer { status: 200, body: json.finish() }
    }

    fn response(&self, life: &Life, action: &Action, w: &mut Json) {
        let Some((code, summary)) = action.response else { return };
        if action.kind == "Authorization" && action.status == "Approved" {
            w.put("auth_code", format!("{:06}", life.key % 1_000_000));
        }
        w.put("response_code", code);
        w.put("response_summary", summary);
        w.nest("processing", |w| {
            if action.kind == "Authorization" {
                w.put("retrieval_reference_number", format!("{:012}", life.key % 1_000_000_000_000));
            } else {
                w.put("acquirer_reference_number", self.arn(life));
            }
            w.put("acquirer_transaction_id", format!("{:010}", life.key % 10_000_000_000));
        });
    }

    /// The acquirer's reference number of a payment's capture.
    pub(super) fn arn(&self, life: &Life) -> String {
        format!("74{:04}{:017}", life.captured / DAY % 10_000, life.key % 100_000_000_000_000_000)
    }
}
