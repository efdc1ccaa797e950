//! Which window of which stream is next; commits each page with its checkpoint; retries, pacing, progress. It knows no
//! provider by name: ways of reading are a closed set, and everything else is the provider's data.

mod call;
mod pass;
mod plan;
mod progress;
mod span;
mod time;
mod walk;

pub use call::{Caller, Keys};
pub use pass::{Connection, Line, PassEnd, StreamEnd, identify, pass, probe};
pub use plan::{Bounds, Horizon, SETTLE_MS, horizon, missing, proven};
pub use progress::{Progress, StreamProgress};
