//! Which window of which stream is next; commits each page with its checkpoint; retries, pacing, progress. It knows no
//! provider by name: ways of reading are a closed set, and everything else is the provider's data.

mod budget;
mod call;
mod change;
mod check;
mod connection;
mod feed;
#[cfg(debug_assertions)]
pub mod fuzzing;
mod identity;
mod known;
mod pass;
mod plan;
mod progress;
mod reread;
mod span;
mod told;
mod trail;
mod walk;
mod work;

pub use budget::{Allowance, Budget, Left, MONTH_DAYS, Terms, budget};
pub use call::{Caller, Keys};
pub use check::Compared;
pub use connection::{Connection, Line, Writing};
pub use feed::FEED_GAP;
pub use identity::{identify, probe};
pub use known::{Known, Stretch, known};
pub use pass::{PassEnd, StreamEnd, Verified, pass, slice, verify};
pub use plan::{Bounds, Demand, Horizon, Purpose, SETTLE_MS, horizon, missing, proven};
pub use progress::{Progress, StreamProgress};
