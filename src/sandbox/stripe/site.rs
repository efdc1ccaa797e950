//! The account and its balance, as Stripe renders them.

use super::super::json::{Json, Null};
use super::super::world::{CURRENCIES, DAY, Kind, Move};
use super::{Answer, Face};

impl Face<'_> {
    /// An answer that is one object.
    pub(super) fn site(&self, write: impl FnOnce(&Self, &mut Json)) -> Answer {
        let mut json = Json::indented();
        json.object(|w| write(self, w));
        Answer { status: 200, body: json.finish() }
    }

    pub(super) fn account(&self, w: &mut Json) {
        w.put("id", self.account_id());
        w.put("object", "account");
        w.nest("business_profile", |w| {
            w.put("mcc", "5499");
            w.put("name", "Sandbox Shop");
            w.put("support_email", "shop@example.com");
            w.put("url", "https://shop.example.com");
        });
        w.put("business_type", "company");
        w.nest("capabilities", |w| {
            w.put("card_payments", "active");
            w.put("transfers", "active");
        });
        w.put("charges_enabled", true);
        w.put("country", "US");
        w.put("created", self.world.plan.first_day * DAY);
        w.put("default_currency", "usd");
        w.put("details_submitted", true);
        w.put("email", "owner@example.com");
        w.nest("metadata", |_| {});
        w.put("payouts_enabled", true);
        w.nest("settings", |w| {
            w.nest("dashboard", |w| {
                w.put("display_name", "Sandbox Shop");
                w.put("timezone", "Etc/UTC");
            });
            w.nest("payouts", |w| {
                w.put("debit_negative_balances", true);
                w.nest("schedule", |w| {
                    w.put("delay_days", 2u32);
                    w.put("interval", "daily");
                });
                w.put("statement_descriptor", Null);
            });
        });
        w.put("type", "standard");
    }

    /// What waits for the next payouts: all money that is older has been paid out.
    pub(super) fn balance(&self, w: &mut Json) {
        let mut sums = [[0i64; 2]; CURRENCIES.len()];
        for entry in self.world.made(Kind::Transaction, self.now.saturating_sub(5 * DAY), self.now) {
            let Some(found) = self.world.transaction(entry) else { continue };
            let payout = self.world.payout_of(&found).and_then(|number| self.world.payout(number));
            if found.kind == Move::Payout || payout.is_some_and(|payout| payout.at() <= self.now) {
                continue;
            }
            sums[usize::from(found.currency)][usize::from(found.available > self.now)] += found.net();
        }
        w.put("object", "balance");
        w.put("livemode", false);
        for (which, key) in ["available", "pending"].into_iter().enumerate() {
            w.list(key, |w| {
                for (sum, currency) in sums.iter().zip(CURRENCIES).filter(|(_, currency)| currency.rate_text.is_none())
                {
                    w.object(|w| {
                        w.put("amount", sum[which]);
                        w.put("currency", currency.code);
                        w.nest("source_types", |w| w.put("card", sum[which]));
                    });
                }
            });
        }
        w.list("connect_reserved", |_| {});
    }
}
