//! Room `sandbox`.

pub mod receiver;
