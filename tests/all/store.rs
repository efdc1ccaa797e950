//! Tests of `store`, and of the projection as far as it decides what is stored: over the program's own declarations, on real
//! files.

mod checkpoints;
mod commits;
mod disk;
mod group;
mod holder;
mod horizons;
pub(crate) mod kit;
mod marks;
mod merge;
mod migrations;
mod old;
mod opening;
mod query;
mod readers;
mod types;
mod vfs;

#[cfg(debug_assertions)]
pub(crate) use marks::a_search_that_may_not_have_seen_it;
#[cfg(debug_assertions)]
pub(crate) use merge::{a_record_that_leaves_a_field_out, a_search_that_is_behind, an_answer_that_was_overtaken};
#[cfg(debug_assertions)]
pub(crate) use opening::a_damaged_store;
