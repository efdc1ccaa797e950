//! Room `agent`.

pub mod control;
pub mod logs;
