//! Every call to the disk failing, once and for good: the writer tells a problem of the catalogue, claims no page that is not
//! there, and when the cause goes everything is there, even if the power is cut then.

use counterfoil::problem::{Problem, Result};
use counterfoil::store::{Store, StoreHandle};

use super::disk::{FILES, Kind, Plan};
use super::life::{Claim, Ground, found};
use super::power::{Outcome, Platter};
use crate::store::kit;

/// Pages of a run, and how often in a row a job may fail before the cause goes.
const PAGES: i64 = 6;
const PATIENCE: usize = 2;

/// The files of a store before a run.
type Files = [Option<Vec<u8>>; FILES.len()];

/// What is there before: nothing.
fn nothing() -> Files {
    Files::default()
}

/// What is there before: a store with a page in the main file and another in the log, whose program was killed.
fn killed() -> Files {
    let ground = Ground::new();
    let mut store = ground.open().unwrap();
    let (window, _) = found(&mut store, &ground.upsert()).unwrap();
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

/// One run, with what was told on its way.
struct Run {
    ground: Ground,
    told: Vec<Claim>,
    /// Every problem met.
    met: Vec<Problem>,
    /// How much had happened on the disk before the store was closed.
    done: usize,
    /// No call failed.
    quiet: bool,
}

impl Run {
    fn new(before: &Files) -> Self {
        let ground = Ground::new();
        for (bytes, ending) in before.iter().zip(FILES) {
            if let Some(bytes) = bytes {
                std::fs::write(format!("{}{ending}", ground.path.display()), bytes).unwrap();
            }
        }
        Self { ground, told: Vec::new(), met: Vec::new(), done: 0, quiet: false }
    }

    /// Tries until it works; after a few failures the cause goes, and then it must work at once.
    fn insist<T>(&mut self, mut what: impl FnMut(&Ground) -> Result<T>) -> T {
        for _ in 0..PATIENCE {
            match what(&self.ground) {
                Ok(done) => return done,
                Err(problem) => self.met.push(problem),
            }
        }
        self.ground.disk.plan(None);
        what(&self.ground).unwrap_or_else(|problem| panic!("the cause is gone, but {problem:?} after {:?}", self.met))
    }

    /// Opens, stores pages as the product does (where coverage says that it stands), looks after the log, closes.
    fn live(&mut self, handle: fn(Store) -> StoreHandle) {
        let store = self.insist(|ground| {
            let mut store = ground.open()?;
            store.limit_log(12, 40);
            Ok(store)
        });
        // The one thing that is asked without insisting: it may fail like any other.
        self.told.extend(store.uuid().ok().map(Claim::Name));
        let handle = handle(store);
        let window = self.insist(|ground| {
            let upsert = ground.upsert();
            kit::wait(handle.run(move |store| match store.windows(1, "stripe_charges")?.first() {
                Some(window) => Ok(window.window),
                None => found(store, &upsert).map(|(first, _)| first),
            }))
        });
        let mut failures = 0;
        loop {
            let (seq, page) = self.insist(|_| {
                kit::wait(handle.run(move |store| {
                    let windows = store.windows(1, "stripe_charges")?;
                    let pages = windows.into_iter().find(|one| one.window == window).map_or(0, |one| one.pages);
                    Ok((store.take_read_seq(1)?, pages + 1))
                }))
            });
            self.told.push(Claim::Read(seq));
            if page > PAGES {
                break;
            }
            // A page that fails is not tried again as it is: the store is asked where it stands, for the page may be in.
            let commit = self.ground.page(window, page, seq, false);
            match kit::wait(handle.run(move |store| store.commit_page(&commit))) {
                Ok(_) => self.told.push(Claim::Page(window, page)),
                Err(problem) => {
                    self.met.push(problem);
                    failures += 1;
                    assert!(failures <= PATIENCE, "the cause is gone, but {:?}", self.met);
                    if failures == PATIENCE {
                        self.ground.disk.plan(None);
                    }
                }
            }
        }
        self.told.push(Claim::Page(window, PAGES));
        self.done = self.ground.disk.happened();
        if let Err(problem) = kit::wait(handle.close()) {
            self.met.push(problem);
        }
        self.quiet = self.ground.disk.struck() == 0;
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

/// Lets each call fail in turn, and takes `every`-th of them; says how many runs there were and which went wrong.
fn sweep(
    before: &Files,
    (kind, forever): (Kind, bool),
    handle: fn(Store) -> StoreHandle,
    every: u32,
) -> (u32, Vec<String>) {
    let (mut runs, mut wrong) = (0, Vec::new());
    let every = if super::all() { 1 } else { every };
    for at in (0..).step_by(every as usize) {
        let mut run = Run::new(before);
        let plan = Plan { kind, at, forever };
        run.ground.disk.plan(Some(plan));
        run.live(handle);
        if run.met.is_empty() && run.quiet {
            break;
        }
        runs += 1;
        let expected: &[&str] = match kind {
            Kind::Full => &["store.full"],
            Kind::Error | Kind::Sync => &["store.io"],
            Kind::Open => &["store.io", "store.read_only"],
        };
        if let Some(other) = run.met.iter().find(|problem| !expected.contains(&problem.code())) {
            wrong.push(format!("{plan:?}: {other:?}"));
        }
        if let Err(what) = run.holds(before) {
            wrong.push(format!("{plan:?}: {what}"));
        }
    }
    (runs, wrong)
}

#[test]
fn debug_sweep() {
    for (name, before) in [("nothing", nothing()), ("killed", killed())] {
        for kind in [Kind::Error, Kind::Full, Kind::Sync, Kind::Open] {
            for forever in [false, true] {
                let (runs, wrong) = sweep(&before, (kind, forever), StoreHandle::inline, 2);
                println!("{name} {kind:?} {forever}: {runs} runs, {} wrong", wrong.len());
                for one in wrong.iter().take(8) {
                    println!("    {one}");
                }
            }
        }
    }
}
