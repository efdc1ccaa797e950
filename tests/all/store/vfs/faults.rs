//! Every call to the disk failing, once and for good: the writer tells a problem of the catalogue, claims no page that is not
//! there, and when the cause goes everything is there, even if the power is cut then.

use counterfoil::problem::{Problem, Result};
use counterfoil::store::{Store, StoreHandle};

use super::disk::{FILES, Files, Kind, Plan};
use super::life::{Claim, Ground, found};
use super::power::{Outcome, Platter};
use crate::store::kit;

/// Pages of a run.
const PAGES: i64 = 6;
/// How often a failure is told before the cause goes.
const PATIENCE: usize = 3;

/// What is there before: nothing.
fn nothing() -> Files {
    Files::default()
}

/// What is there before: a store with a page in the main file and another in the log, whose program was killed.
fn killed() -> Files {
    let ground = Ground::new();
    let mut store = ground.open().unwrap();
    let (window, _) = found(&mut store).unwrap();
    for page in 1..=2 {
        store.commit_page(&ground.page(window, page, page, false)).unwrap();
        if page == 1 {
            store.checkpoint(true).unwrap();
        }
    }
    store.set_state("next_read", "3").unwrap();
    drop(store);
    FILES.map(|ending| std::fs::read(format!("{}{ending}", ground.path.display())).ok())
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The writer in the caller.
    Inline,
    /// The writer in a thread of its own.
    Thread,
    /// In the caller; after each failure the program is started again.
    Restarted,
}

/// One run, with what was told on its way.
struct Run {
    ground: Ground,
    way: Way,
    handle: Option<StoreHandle>,
    told: Vec<Claim>,
    /// Every problem met.
    met: Vec<Problem>,
    /// Failures of the disk that may still come before the cause goes.
    patience: usize,
    /// How much had happened on the disk before the store was closed.
    done: usize,
    /// No call failed.
    quiet: bool,
}

impl Run {
    fn new(before: &Files, way: Way, plan: Plan) -> Self {
        let ground = Ground::new();
        for (bytes, ending) in before.iter().zip(FILES) {
            if let Some(bytes) = bytes {
                std::fs::write(format!("{}{ending}", ground.path.display()), bytes).unwrap();
            }
        }
        ground.disk.plan(Some(plan));
        let (told, met) = (Vec::new(), Vec::new());
        Self { ground, way, handle: None, told, met, patience: PATIENCE, done: 0, quiet: false }
    }

    /// Notes a problem. When patience is at its end the cause goes, and from then on nothing may fail.
    fn failed(&mut self, problem: Problem) {
        self.met.push(problem);
        assert!(self.patience > 0, "the cause is gone, but {:?}", self.met);
        self.patience -= 1;
        if self.patience == 0 {
            self.ground.disk.plan(None);
        }
    }

    /// Starts the program.
    fn start(&mut self) {
        self.handle = None;
        while self.handle.is_none() {
            match self.ground.open() {
                Ok(mut store) => {
                    store.limit_log(12, 40);
                    self.told.extend(store.uuid().ok().map(Claim::Name));
                    self.handle = Some(match self.way {
                        Way::Thread => StoreHandle::thread(store),
                        Way::Inline | Way::Restarted => StoreHandle::inline(store),
                    });
                }
                Err(problem) => self.failed(problem),
            }
        }
    }

    /// A job of the program; `None` when it failed.
    fn job<T: Send + 'static>(&mut self, job: impl FnOnce(&mut Store) -> Result<T> + Send + 'static) -> Option<T> {
        let result = kit::wait(self.handle.as_ref().unwrap().run(job));
        result
            .map_err(|problem| {
                self.failed(problem);
                if self.way == Way::Restarted {
                    self.start();
                }
            })
            .ok()
    }

    /// Opens, stores pages as the product does (each time where coverage says that it stands: a page that was told to have
    /// failed may be in), closes.
    fn live(&mut self) {
        self.start();
        loop {
            let next = self.job(move |store| {
                let first = store.windows(1, "stripe_charges")?.into_iter().next();
                let (window, pages) = match first {
                    Some(first) => (first.window, first.pages),
                    None => (found(store)?.0, 0),
                };
                Ok((window, pages + 1, store.take_read_seq(1)?))
            });
            let Some((window, page, seq)) = next else { continue };
            self.told.push(Claim::Read(seq));
            if page > PAGES {
                self.told.push(Claim::Page(window, PAGES));
                break;
            }
            let commit = self.ground.page(window, page, seq, false);
            if self.job(move |store| store.commit_page(&commit)).is_some() {
                self.told.push(Claim::Page(window, page));
            }
        }
        self.done = self.ground.disk.happened();
        if let Err(problem) = kit::wait(self.handle.take().unwrap().close()) {
            self.met.push(problem);
        }
        self.quiet = self.ground.disk.struck() == 0 && self.met.is_empty();
    }

    /// All that was told holds: of the disk as the power cut leaves it that comes before the store is closed, with nothing
    /// kept that was not flushed; and of the disk as it is.
    fn holds(self, before: &Files) -> std::result::Result<(), String> {
        self.ground.disk.plan(None);
        let ops = self.ground.disk.take();
        let mut platter = Platter::new(&ops[..self.done], before.clone());
        while platter.step() {}
        let other = Ground::new();
        platter.lay(&other.path, Outcome { stand: 0, garbage: 0 }, 1);
        other.judge(&self.told).map_err(|wrong| format!("after a power cut: {wrong:?}, met {:?}", self.met))?;
        self.ground.judge(&self.told).map_err(|wrong| format!("{wrong:?}, met {:?}", self.met))
    }
}

/// What SQLite's failures are told as.
fn expected(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Full => &["store.full"],
        Kind::Error | Kind::Sync => &["store.io"],
        Kind::Open => &["store.io", "store.read_only"],
    }
}

/// Lets each call fail in turn, or every so-manieth.
fn sweep(kind: Kind, every: u32, ways: &[Way]) {
    let every = if super::seeds().is_some() { 1 } else { every };
    let (mut runs, mut wrong) = (0, Vec::new());
    for (before, forever) in [(nothing(), false), (nothing(), true), (killed(), false), (killed(), true)] {
        for way in ways {
            for at in (0..).step_by(every as usize) {
                let plan = Plan { kind, at, forever };
                let mut run = Run::new(&before, *way, plan);
                run.live();
                if run.quiet {
                    break;
                }
                runs += 1;
                let other = run.met.iter().find(|problem| !expected(kind).contains(&problem.code()));
                wrong.extend(other.map(|other| format!("{way:?} {plan:?}: {other:?}")));
                wrong.extend(run.holds(&before).err().map(|what| format!("{way:?} {plan:?}: {what}")));
            }
        }
    }
    println!("{kind:?}: {runs} runs, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(runs > 30, "hardly a sweep: {runs} runs");
}

#[test]
fn a_call_that_fails_costs_nothing_that_was_told() {
    sweep(Kind::Error, 11, &[Way::Inline, Way::Thread, Way::Restarted]);
}

#[test]
fn a_full_disk_costs_nothing_that_was_told() {
    sweep(Kind::Full, 9, &[Way::Inline, Way::Thread, Way::Restarted]);
}

#[test]
fn a_failed_flush_is_not_taken_for_done() {
    sweep(Kind::Sync, 1, &[Way::Inline, Way::Thread, Way::Restarted]);
}

#[test]
fn files_and_shared_memory_that_cannot_be_had_cost_nothing_that_was_told() {
    sweep(Kind::Open, 5, &[Way::Inline, Way::Thread, Way::Restarted]);
}
