//! What is fuzzed: one function a target, each with an oracle of its own. The same functions run as ordinary tests over
//! every kept input (tests/all/fuzz.rs), so that what was once found stays found without a fuzzer. A function panics when
//! the product breaks a promise; it decides nothing about how inputs are made.

mod config;
mod draws;
mod numbers;
mod pages;
mod paging;
mod print;
mod records;
mod rows;
mod streams;
mod vault;
mod wire;
mod world;

/// A target's name, which is also that of its folder of kept inputs, and its function.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every target.
pub(crate) const ALL: &[Target] = &[
    ("pages", pages::run),
    ("records", records::run),
    ("config", config::run),
    ("vault", vault::run),
    ("wire", wire::run),
    ("numbers", numbers::run),
    ("paging", paging::run),
];
