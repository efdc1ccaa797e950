//! Opens, migrates and guards the database; one writer, readers that only read. It knows tables and windows, but neither
//! providers nor keys nor the network. No other room holds a type of rusqlite, but `egress` for its own file.

mod accounts;
mod cached;
mod changes;
mod checks;
mod commit;
mod coverage;
mod fault;
mod handle;
mod header;
mod holder;
mod horizons;
mod log;
mod open;
mod query;
mod records;
mod writer;

pub use accounts::Account;
pub use changes::{BY_ID, Change, Daily, Marks, Spending, Target, UNSETTLED};
pub use checks::{Checked, Found, REREAD};
pub use commit::{Commit, Committed, Upsert};
pub use coverage::{NewWindow, Step, Window, WindowKey, WindowState};
pub use fault::from_sqlite;
pub use handle::StoreHandle;
pub use holder::Renamed;
pub use horizons::{Facts, Stated};
pub use open::{Lock, Schema, Store, View};
pub use query::{Reader, Table, Text};
pub use records::{ProblemRow, RUNS_KEPT, RunEnd};
