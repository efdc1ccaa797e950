//! Tests of how the agent is spoken to and how it speaks: the control socket, the log, the service manager.

#[cfg(unix)]
mod control;
mod logs;
#[cfg(target_os = "linux")]
mod manager;
