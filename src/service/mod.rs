//! Speaks to the operating system's service manager: ready, reload, stopping.

pub mod signals;
