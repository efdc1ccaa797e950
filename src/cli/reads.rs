//! What `status` shows of the reads of a connection: planned and used, the time between looks, the past's own allowance, and
//! the requests a second where the provider pushed back. It decides nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Context;
use super::table::moment;
use crate::agent::parts::terms;
use crate::config::Config;
use crate::problem::Result;
use crate::store::Reader;
use crate::sync::{Budget, MONTH_DAYS, Purpose, budget};

/// The reads of one connection.
pub(super) struct Reads {
    connection: String,
    /// Over the last 30 days.
    used: BTreeMap<Purpose, u64>,
    budget: Budget,
    /// Requests a second now and at most, where the running agent says that they are lowered.
    lowered: Option<(f64, f64)>,
}

/// The reads of every configured connection; `paces` is what the running agent says.
pub(super) fn all(context: &Context, reader: &Reader, config: &Config, paces: &Value) -> Result<Vec<Reads>> {
    let (now, accounts) = (context.clock.wall_ms(), reader.accounts()?);
    let one = |(connection, wanted): (&String, _)| {
        let account = accounts.iter().find(|account| account.connection.as_ref() == Some(connection));
        let terms = terms(wanted)?;
        let payments = terms.payments();
        let payments = payments.as_ref().map(|(table, column)| (table.as_str(), *column));
        let since = now - MONTH_DAYS * 86_400_000;
        let spending = reader.spending(account.map_or(0, |account| account.account), since, payments)?;
        let mut used = BTreeMap::new();
        for (purpose, reads) in
            spending.reads.iter().filter_map(|(_, name, reads)| Some((Purpose::named(name)?, reads)))
        {
            *used.entry(purpose).or_default() += reads;
        }
        let pace = &paces[connection];
        let lowered = pace["now"].as_f64().zip(pace["most"].as_f64());
        let budget = budget(&terms, &spending, now);
        Ok(Reads { connection: connection.clone(), used, budget, lowered })
    };
    config.connections.iter().map(one).collect()
}

impl Reads {
    /// For programs.
    pub(super) fn fact(&self) -> Value {
        let budget = &self.budget;
        let used: serde_json::Map<String, Value> =
            self.used.iter().map(|(purpose, reads)| (purpose.name().to_owned(), (*reads).into())).collect();
        json!({
            "connection": self.connection, "reads": self.used.values().sum::<u64>(), "by_purpose": used,
            "planned": budget.upkeep.map(|one| one.planned), "left": budget.upkeep.map(|one| one.left),
            "backfill_planned": budget.backfill.map(|one| one.planned),
            "backfill_left": budget.backfill.map(|one| one.left),
            "backfill_again_at": budget.backfill.and_then(|one| one.again_at),
            "interval_s": budget.interval.as_secs(), "interval_set": budget.fixed, "rest_s": budget.rest.as_secs(),
            "requests_per_second": self.lowered.map(|(now, _)| (now * 10.0).round() / 10.0),
        })
    }

    /// For people.
    pub(super) fn words(&self) -> Vec<String> {
        let (name, budget) = (&self.connection, &self.budget);
        let past = self.used.get(&Purpose::Backfill).copied().unwrap_or(0);
        let present = self.used.values().sum::<u64>() - past;
        let each: Vec<String> = self
            .used
            .iter()
            .filter(|(purpose, _)| **purpose != Purpose::Backfill)
            .map(|(purpose, reads)| format!("{} {reads}", purpose.name()))
            .collect();
        let each = if each.is_empty() { String::new() } else { format!(" ({})", each.join(", ")) };
        let planned = budget.upkeep.map(|one| format!(" of {}", one.planned)).unwrap_or_default();
        let set = if budget.fixed { ", as set" } else { "" };
        let rest = match budget.rest.as_secs() / 60 {
            0 => String::new(),
            minutes => format!("; lists without news rest up to {minutes} min"),
        };
        let minutes = budget.interval.as_secs_f64() / 60.0;
        let mut words = vec![format!(
            "reads of {name} in 30 days: {present}{planned}{each}; a look every {minutes:.1} min{set}{rest}"
        )];
        if let Some(one) = budget.backfill {
            let left = match one.again_at {
                Some(at) => format!("used up, goes on at {}", moment(at)),
                None => format!("{} left now", one.left),
            };
            words.push(format!("  the past: {past} of {}; {left}", one.planned));
        }
        if let Some((now, most)) = self.lowered {
            words.push(format!("  {now:.1} requests a second instead of {most}: the provider pushed back"));
        }
        words
    }
}
