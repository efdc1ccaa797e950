//! Reads events from the store through the contract view `payment_attempts`, for each of `accounts`, and turns them into
//! what the gate takes: codes, keyed marks and tokens. Reading only. No id, token or other text goes further than the gate.
//!
//! The view: `account` INTEGER, `provider` TEXT (`stripe` | `checkoutcom`), `attempt_id` TEXT, `attempted_at` INTEGER (UTC
//! ms), `outcome` TEXT, `method` TEXT (`card` or other), `scheme`, `funding`, `card_token`, `payer_token` TEXT.

use ring::hmac;
use rusqlite::Connection;

use super::gate::{Event, Mark};
use super::wire::{Codes, Funding, Outcome, Provider, Scheme};
use crate::problem::{EGRESS_FACT, Problem, Result};

/// With the accounts named, because the indexes on time begin with them: a store of years is not to be walked for a day.
const ATTEMPTS: &str = "SELECT account, attempt_id, attempted_at, provider, outcome, scheme, funding, card_token, \
     payer_token FROM payment_attempts WHERE account IN (SELECT account FROM accounts) AND method = 'card' \
     AND attempted_at >= ?1 AND attempted_at < ?2";

/// Hands every card attempt of `[from_ms, until_ms)` to `take`, with its moment (UTC ms) and the mark that earlier versions
/// gave it under each of our accounts, in no particular order.
pub(super) fn attempts(
    store: &Connection,
    key: &hmac::Key,
    from_ms: i64,
    until_ms: i64,
    mut take: impl FnMut(i64, Event, &dyn Fn(i64) -> Mark) -> Result<()>,
) -> Result<()> {
    let mut statement = store.prepare_cached(ATTEMPTS).map_err(broken)?;
    let mut rows = statement.query([from_ms, until_ms]).map_err(broken)?;
    while let Some(row) = rows.next().map_err(broken)? {
        let account: i64 = row.get(0).map_err(broken)?;
        let text = |column: usize| row.get_ref(column).ok().and_then(|value| value.as_str_or_null().ok().flatten());
        let id = text(1).ok_or_else(|| EGRESS_FACT.with("an attempt has no id"))?;
        let provider = text(3).unwrap_or_default();
        let earlier = |account: i64| mark(key, &[&account.to_be_bytes()], id);
        let mark = mark(key, &[provider.as_bytes(), b" "], id);
        let token = |column| text(column).filter(|token| !token.is_empty()).map(Box::from);
        let codes = Codes {
            provider: Provider::classify(provider),
            outcome: Outcome::classify(text(4).unwrap_or_default()),
            scheme: Scheme::classify(text(5).unwrap_or_default()),
            funding: Funding::classify(text(6).unwrap_or_default()),
        };
        take(row.get(2).map_err(broken)?, Event { mark, account, codes, card: token(7), payer: token(8) }, &earlier)?;
    }
    Ok(())
}

/// The numbers of all accounts that the store has had.
pub(super) fn accounts(store: &Connection) -> Result<Vec<i64>> {
    let mut statement = store.prepare_cached("SELECT account FROM accounts").map_err(broken)?;
    let accounts = statement.query_map([], |row| row.get(0)).map_err(broken)?;
    accounts.collect::<rusqlite::Result<_>>().map_err(broken)
}

/// The keyed id of an attempt: says nothing to anyone without the key. It is the provider's, whichever of our accounts holds
/// the attempt now: what one account released another one does not. (Earlier versions had the account's number before the id.)
fn mark(key: &hmac::Key, before: &[&[u8]], id: &str) -> Mark {
    let message = [&before.concat(), id.as_bytes()].concat();
    let mut mark = Mark::default();
    mark.copy_from_slice(&hmac::sign(key, &message).as_ref()[..16]);
    mark
}

/// The text of an SQLite error can quote SQL and values: only its code is told.
fn broken(error: rusqlite::Error) -> Problem {
    match error.sqlite_error_code() {
        Some(code) => EGRESS_FACT.with(format_args!("SQLite says {code:?}")),
        None => EGRESS_FACT.with("a column is missing or of another type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // a store of nothing but its tables
    fn a_day_is_looked_up_and_not_looked_for() {
        let store = Connection::open_in_memory().unwrap();
        for sql in [
            include_str!("../../sql/control.sql"),
            include_str!("../../sql/stripe/charges.sql"),
            include_str!("../../sql/checkoutcom/payments.sql"),
            include_str!("../../sql/views/payment_attempts.sql"),
        ] {
            store.execute_batch(sql).unwrap();
        }
        let mut statement = store.prepare(&format!("EXPLAIN QUERY PLAN {ATTEMPTS}")).unwrap();
        let steps = statement.query_map([0, 1], |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        for index in [
            "stripe_charges USING INDEX stripe_charges_created (account=? AND created_at>? AND created_at<?)",
            "p USING INDEX checkoutcom_payments_requested (account=? AND requested_at>? AND requested_at<?)",
        ] {
            assert!(steps.iter().any(|step| step.ends_with(index)), "{steps:#?}");
        }
        let walked = steps.iter().filter(|step| step.starts_with("SCAN stripe_charges") || step.starts_with("SCAN p "));
        assert_eq!(walked.count(), 0, "{steps:#?}");
    }
}
