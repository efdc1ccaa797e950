//! Speaks to the service manager: ready, reloading, stopping, alive; hears its signals; installs the agent as a service.
//! It does not know what the agent does.

pub mod account;
pub mod harden;
pub mod install;
pub mod notify;
pub mod signals;
mod step;

pub use self::step::{Planned, Step};
