//! What a backfill costs: the agent beside bare loops that read the same pages over HTTP into the same columns, in the same
//! run. Each contender is a process of its own, so that its CPU time and its memory are its own; the sandbox that serves
//! the pages runs in the parent and is not counted. README.md beside this says how to run it and what it showed.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[cfg(target_os = "linux")]
mod agent;
#[cfg(target_os = "linux")]
mod contest;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod loops;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod typed;

#[cfg(target_os = "linux")]
fn main() {
    contest::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this benchmark reads /proc: it runs on Linux only");
}
