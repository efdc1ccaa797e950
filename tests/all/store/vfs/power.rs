//! What a power cut leaves: from the operations on a disk, the files as they may stand when power comes back.
//!
//! The model: what was flushed stands. Of what was not, each 512-byte sector of a write, each cut of a file, its making and
//! its removal stands or does not, each for itself; a sector may also hold garbage, in the bytes that were being written. A
//! new file's place in its folder stands once the file was flushed, a removal once the folder was. What waited when a flush
//! failed is lost, whatever is flushed later: systems take it for written.

use std::path::Path;

use super::disk::{FILES, Files, Op};

/// How it goes with what was not flushed: how many of a hundred pieces stand, and how many sectors of a hundred of the rest
/// hold garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) stand: u64,
    pub(super) garbage: u64,
}

impl Outcome {
    pub(super) fn depends_on_chance(self) -> bool {
        self.garbage > 0 || !matches!(self.stand, 0 | 100)
    }
}

/// Chance with a seed; the same cut comes out the same.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn of_hundred(&mut self, share: u64) -> bool {
        self.next() % 100 < share
    }
}

/// One file: as flushed (`None`: not there), and what waits, by its place in the log.
#[derive(Clone, Default)]
struct Held {
    flushed: Option<Vec<u8>>,
    waits: Vec<usize>,
}

/// The disk after the first operations of a log.
pub(super) struct Platter<'a> {
    ops: &'a [Op],
    files: [Held; FILES.len()],
    done: usize,
}

impl<'a> Platter<'a> {
    /// Before the first operation, with these files flushed.
    pub(super) fn new(ops: &'a [Op], flushed: Files) -> Self {
        Self { ops, files: flushed.map(|flushed| Held { flushed, waits: Vec::new() }), done: 0 }
    }

    /// One operation more; false when there is none.
    pub(super) fn step(&mut self) -> bool {
        let Some(op) = self.ops.get(self.done) else { return false };
        let held = &mut self.files[op.file()];
        match op {
            Op::Sync { .. } => {
                let every = Outcome { stand: 100, garbage: 0 };
                for waiting in std::mem::take(&mut held.waits) {
                    apply(&self.ops[waiting], &mut held.flushed, every, &mut Dice(0));
                }
            }
            Op::SyncFailed { .. } => held.waits.clear(),
            Op::Delete { synced: true, .. } => *held = Held::default(),
            _ => held.waits.push(self.done),
        }
        self.done += 1;
        true
    }

    /// Whether anything is left to chance.
    pub(super) fn waits(&self) -> bool {
        self.files.iter().any(|held| !held.waits.is_empty())
    }

    /// Lays the files into a folder as power left them, `name` being that of the main one. What shared memory holds after a
    /// cut means nothing: sometimes it is garbage, sometimes there is none.
    pub(super) fn lay(&self, name: &Path, outcome: Outcome, seed: u64) {
        let mut dice = Dice(seed ^ (self.done as u64) << 20 ^ outcome.stand << 8 ^ outcome.garbage);
        let place = |ending: &str| format!("{}{ending}", name.display());
        for (held, ending) in self.files.iter().zip(FILES) {
            let mut file = held.flushed.clone();
            for waiting in &held.waits {
                apply(&self.ops[*waiting], &mut file, outcome, &mut dice);
            }
            put(&place(ending), file.as_deref());
        }
        let shared: Vec<u8> = (0..4096).flat_map(|_| dice.next().to_le_bytes()).collect();
        put(&place("-shm"), dice.of_hundred(50).then_some(&shared));
    }
}

fn put(path: &str, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        // It may not be there either.
        None => drop(std::fs::remove_file(path)),
    }
}

impl Op {
    pub(super) fn file(&self) -> usize {
        match self {
            Self::Create { file }
            | Self::Write { file, .. }
            | Self::Truncate { file, .. }
            | Self::Sync { file }
            | Self::SyncFailed { file }
            | Self::Delete { file, .. } => *file,
        }
    }
}

/// Does to a file what of an operation stands.
fn apply(op: &Op, file: &mut Option<Vec<u8>>, outcome: Outcome, dice: &mut Dice) {
    match op {
        Op::Create { .. } if dice.of_hundred(outcome.stand) => *file = Some(Vec::new()),
        Op::Delete { .. } if dice.of_hundred(outcome.stand) => *file = None,
        Op::Truncate { to, .. } if dice.of_hundred(outcome.stand) => {
            if let Some(file) = file {
                file.resize(*to, 0);
            }
        }
        Op::Write { at, bytes, .. } => {
            let Some(file) = file else { return };
            let (mut from, end) = (*at, at + bytes.len());
            while from < end {
                let to = end.min((from / 512 + 1) * 512);
                write(file, from, &bytes[from - at..to - at], outcome, dice);
                from = to;
            }
        }
        _ => {}
    }
}

/// One sector, or the part of it that is written.
fn write(file: &mut Vec<u8>, at: usize, bytes: &[u8], outcome: Outcome, dice: &mut Dice) {
    let garbage: Vec<u8>;
    let lands = if dice.of_hundred(outcome.stand) {
        bytes
    } else if dice.of_hundred(outcome.garbage) {
        garbage = bytes.iter().map(|_| dice.next().to_le_bytes()[0]).collect();
        &garbage
    } else {
        return;
    };
    if file.len() < at + lands.len() {
        file.resize(at + lands.len(), 0);
    }
    file[at..at + lands.len()].copy_from_slice(lands);
}
