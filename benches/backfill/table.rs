//! What every contender writes into: the columns of `stripe_charges` as the agent's standard profile stores them, taken
//! from the declaration, and the statement that puts one row there.

use counterfoil::providers::{self, Stream};
use counterfoil::stream::{Column, Declaration, Profile, Source};

/// The table that is filled.
pub const TABLE: &str = "stripe_charges";

/// The stream that is read.
pub fn stream() -> &'static Stream {
    providers::stripe::PROVIDER.stream("charges").expect("Stripe has charges")
}

/// The columns that come from the provider, in the order of the declaration.
pub fn columns(declaration: &Declaration) -> Vec<Column> {
    let stored = |column: &&Column| column.source != Source::Store && column.class.stored_in(Profile::Standard);
    declaration.main().columns.iter().filter(stored).cloned().collect()
}

/// Puts one row in, with the merge rule: a later read wins. Parameters: the account, the columns, then when, when, the
/// number of the read, and what it was.
pub fn upsert(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    let kept = ["id"];
    let sets: Vec<String> =
        names.iter().filter(|name| !kept.contains(name)).map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "INSERT INTO {TABLE} (account, {}, seen_at, read_at, read_seq, source) VALUES (?{})
         ON CONFLICT (account, id) DO UPDATE SET {}, read_at = excluded.read_at, read_seq = excluded.read_seq,
         source = excluded.source, deleted_at = NULL WHERE excluded.read_seq >= {TABLE}.read_seq",
        names.join(", "),
        ", ?".repeat(names.len() + 4),
        sets.join(", ")
    )
}
