//! A stream is declared in SQL: a table's file is at once the schema, the mapping, the privacy class and the documentation.
//! This room reads those files and projects JSON pages into rows. It does no I/O and knows no provider by name.
//!
//! # The grammar of a declaration
//!
//! ```sql
//! -- What one row is, in a sentence or more (comment lines right above CREATE TABLE).
//! CREATE TABLE stripe_charges (
//!   account     INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
//!   id          TEXT NOT NULL,    -- id                           | id      | charge id
//!   created_at  INTEGER NOT NULL, -- created (unix)               | time    | when the charge was made
//!   amount      INTEGER NOT NULL, -- amount (minor)               | measure | amount intended
//!   currency    TEXT NOT NULL,    -- currency (lower)             | vocab   | ISO 4217
//!   card_token  TEXT,             -- payment_method_details.card.fingerprint (keyed) | token | keyed hash of the card
//!   seen_at     INTEGER NOT NULL, -- - | ops | when this row was first stored
//!   read_at     INTEGER NOT NULL, -- - | ops | when it was last read from the provider
//!   read_seq    INTEGER NOT NULL, -- - | ops | number of the read, taken before the request was sent
//!   source      TEXT NOT NULL,    -- - | ops | what the read was: list, search, get, report
//!   deleted_at  INTEGER,          -- - | ops | when the provider said that it is gone
//!   PRIMARY KEY (account, id)
//! );
//! -- not kept: billing_details.* | direct · receipt_url | direct · object | ops
//! ```
//!
//! - `path`: dotted from the record's root; `-` a column that the store fills in. In a child table `^path` is a path of the
//!   parent record, `#` the element's position in its array.
//! - conversion, in parentheses, one of: `text` (default of TEXT), `integer` (default of INTEGER), `boolean`, `unix`
//!   (seconds), `iso`, `minor`, `decimal CURRENCY_PATH` (decimal text in major units to minor units), `e8` (decimal text to
//!   10⁻⁸ major units), `keyed`, `lower`, `allowed` (an object of merchant metadata: only the keys that the configuration
//!   allows, as JSON text).
//! - class: `id token vocab measure time ops reference text card` (`direct` is never a column).
//! - a child table, in the same file after its parent: `-- each: actions[] (newest first)` above its description; with
//!   `newest first`, when an id occurs twice in one array the first one is kept. Key `(account, id)`, or the parent's key
//!   and `position`.
//! - `not kept`: every other path the provider is known to send, with its class, entries parted by ` · ` (or one a line);
//!   `path.*` is the whole subtree. A field that is neither declared nor listed here is counted in `drift`, by name only.

mod class;
mod convert;
mod declare;
mod lookup;
mod page;
mod part;
mod project;
mod record;
mod seeds;
mod tree;
mod walk;

pub use class::{Class, Profile};
pub use convert::{Instant, decimal_to_e8, decimal_to_minor, iso_instant};
pub use declare::{Column, Conversion, Declaration, Each, Kind, NotKept, Source, Table};
pub use page::{Cell, Leaf, Page, Rejected, Rows, Value};
pub use project::{Malformed, Projection, Shape, Tokens};

#[cfg(test)]
mod tests;
