//! Which window of which stream is next; commits each page with its checkpoint; retries, pacing, progress. It knows no
//! provider by name: ways of reading are a closed set, and everything else is the provider's data.

mod call;
mod change;
mod connection;
mod feed;
#[cfg(debug_assertions)]
pub mod fuzzing;
mod known;
mod pass;
mod plan;
mod progress;
mod reread;
mod span;
mod told;
mod walk;
mod work;

pub use call::{Caller, Keys};
pub use connection::{Connection, Line};
pub use feed::FEED_GAP;
pub use known::{Known, known};
pub use pass::{PassEnd, StreamEnd, identify, pass, probe};
pub use plan::{Bounds, Demand, Horizon, Purpose, SETTLE_MS, horizon, missing, proven};
pub use progress::{Progress, StreamProgress};
