//! The disk under the store: power cuts at every operation, every call to the disk failing once and for good, and controls
//! that show that the same checks see a disk that lies. Figures: `docs/storage-faults.md`.
//!
//! `COUNTERFOIL_STORAGE_FAULTS=all` takes every outcome and every call; without it a part that fits a common test run.

mod again;
mod cuts;
mod disk;
mod faults;
mod layer;
mod life;
mod power;

/// True when all of it is asked for, however long it takes.
fn all() -> bool {
    std::env::var("COUNTERFOIL_STORAGE_FAULTS").is_ok_and(|asked| asked == "all")
}
