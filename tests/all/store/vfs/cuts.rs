//! Power cuts at every operation of the reference life, and the controls: a disk that lies about flushing and a store that
//! does not wait for it are seen by the same checks.

use super::disk::{Files, Op};
use super::life::{Claim, Ground, Notes, Told, Wrong, between_checkpoints, found, live};
use super::power::{Outcome, Platter};
use crate::store::{kit, migrations};

/// All lost, half of it garbled, all kept.
const SOME: &[(u64, u64)] = &[(0, 0), (50, 50), (100, 0)];

/// More rates, with and without garbage.
const MANY: &[(u64, u64)] =
    &[(0, 0), (0, 50), (0, 100), (10, 0), (10, 50), (50, 0), (50, 50), (90, 0), (90, 50), (100, 0)];

/// What came of a number of cuts.
#[derive(Default)]
struct Tally {
    operations: usize,
    cuts: usize,
    wrong: Vec<(usize, Outcome, Wrong)>,
}

impl Tally {
    fn count(&self, of: fn(&Wrong) -> bool) -> usize {
        self.wrong.iter().filter(|(.., wrong)| of(wrong)).count()
    }

    fn shown(&self, what: &str) -> String {
        let lost = self.count(|wrong| matches!(wrong, Wrong::Lost(_)));
        let broken = self.count(|wrong| matches!(wrong, Wrong::Broken(_)));
        let disagree = self.count(|wrong| matches!(wrong, Wrong::Disagrees(_)));
        let shown = format!(
            "{what}: {} operations, {} cuts, {broken} broken, {lost} lost, {disagree} disagree",
            self.operations, self.cuts
        );
        println!("{shown}");
        format!("{shown}; first: {:?}", self.wrong.first())
    }
}

/// Cuts the power after each operation and judges what is found, given how many operations had been done.
fn cut_everywhere(ops: &[Op], flushed: Files, judge: impl Fn(&Ground, usize) -> Result<(), Wrong>) -> Tally {
    let outcomes = if super::seeds().is_some() { MANY } else { SOME };
    let ground = Ground::new();
    let mut platter = Platter::new(ops, flushed);
    let mut tally = Tally { operations: ops.len(), ..Tally::default() };
    for done in 1.. {
        if !platter.step() {
            break;
        }
        // Where nothing is left to chance there is one outcome, and one seed does for all or nothing.
        let outcomes = if platter.waits() { outcomes } else { &outcomes[..1] };
        for (stand, garbage) in outcomes {
            let outcome = Outcome { stand: *stand, garbage: *garbage };
            let chance = platter.waits() && outcome.depends_on_chance();
            for seed in 0..if chance { super::seeds().unwrap_or(1) } else { 1 } {
                platter.lay(&ground.path, outcome, seed);
                tally.cuts += 1;
                tally.wrong.extend(judge(&ground, done).err().map(|wrong| (done, outcome, wrong)));
                ground.disk.take();
            }
        }
    }
    tally
}

/// Holds what is found against what had been told by then.
fn by_what_was_told(told: &Told) -> impl Fn(&Ground, usize) -> Result<(), Wrong> {
    |ground, done| {
        let by_then = told.iter().filter(|(by, _)| *by <= done).map(|(_, claim)| claim.clone());
        ground.judge(&by_then.collect::<Vec<Claim>>())
    }
}

#[test]
fn nothing_told_is_lost_when_the_power_is_cut() {
    let ground = Ground::new();
    let told = live(&ground);
    let tally = cut_everywhere(&ground.disk.take(), Default::default(), by_what_was_told(&told));
    let shown = tally.shown("the reference life");
    assert!(tally.wrong.is_empty(), "{shown}");
    assert!(tally.operations > 300 && tally.cuts > 2 * tally.operations, "hardly a life: {shown}");
}

#[test]
fn an_older_store_survives_power_cuts_while_it_is_opened() {
    for file in migrations::landed() {
        let ground = Ground::new();
        kit::writer(&ground.path).execute_batch(&file).unwrap();
        let flushed = std::fs::read(&ground.path).unwrap();
        let held = migrations::held(&ground.path);
        let before = migrations::content(&ground.path, &held);
        ground.open().unwrap().close().unwrap();
        let same = |ground: &Ground, _: usize| {
            ground.opens()?;
            let after = migrations::content(&ground.path, &held);
            if after == before { Ok(()) } else { Err(Wrong::Broken("other content".to_owned())) }
        };
        let tally = cut_everywhere(&ground.disk.take(), [Some(flushed), None, None], same);
        let shown = tally.shown("opening an older store");
        assert!(tally.wrong.is_empty() && tally.operations > 30, "{shown}");
    }
}

/// A disk that says it flushed and did not: the checks see stores that are not whole and pages that are gone.
#[test]
fn a_lying_disk_is_caught() {
    let ground = Ground::new();
    ground.disk.lie();
    let told = live(&ground);
    let tally = cut_everywhere(&ground.disk.take(), Default::default(), by_what_was_told(&told));
    let shown = tally.shown("control: a lying disk");
    let seen =
        [tally.count(|wrong| matches!(wrong, Wrong::Lost(_))), tally.count(|wrong| matches!(wrong, Wrong::Broken(_)))];
    assert!(seen.iter().all(|seen| seen * 20 > tally.cuts), "{shown}");
}

/// A store that does not wait for its commits to be flushed stays whole and loses pages: the checks see that too.
#[test]
fn a_store_that_does_not_wait_for_the_disk_is_caught() {
    let ground = Ground::new();
    let mut store = ground.open().unwrap();
    let mut notes = Notes(&ground, Vec::new());
    let windows = found(&mut store).unwrap();
    store.checkpoint(true).unwrap();
    store.read("PRAGMA synchronous = NORMAL").unwrap();
    between_checkpoints(&mut notes, &mut store, windows);
    drop(store);
    let told = notes.1;
    let tally = cut_everywhere(&ground.disk.take(), Default::default(), by_what_was_told(&told));
    let shown = tally.shown("control: synchronous = NORMAL");
    let lost = tally.count(|wrong| matches!(wrong, Wrong::Lost(_)));
    assert!(lost > 0 && lost == tally.wrong.len(), "{shown}");
}
