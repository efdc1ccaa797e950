//! The disk under the store and under `egress.db`: power cuts at every operation, every call to the disk failing once and for good, and controls
//! that show that the same checks see a disk that lies. Figures: `docs/storage-faults.md`.
//!
//! `COUNTERFOIL_STORAGE_FAULTS=20` takes every outcome with twenty seeds and every call; without it a part that fits a common
//! test run.

mod again;
mod cuts;
mod disk;
mod faults;
mod layer;
mod life;
mod outbox;
mod power;

/// The seeds with which all of it is asked for, however long it takes.
fn seeds() -> Option<u64> {
    std::env::var("COUNTERFOIL_STORAGE_FAULTS").ok()?.parse().ok()
}
