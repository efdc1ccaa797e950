//! The disk under `egress.db`: power cuts at every operation of a life that consents, releases and sends, and every call to
//! the disk failing. What was told as released or acknowledged stands, no number ever stands for other bytes, and the
//! life goes on to the same batches as one that was not disturbed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use counterfoil::clock::BoxFuture;
use counterfoil::egress::wire::DAY_MS;
use counterfoil::egress::{
    Courier, EnrolmentCode, Mode, OutboundRequest, Outbox, ReceiverUrl, Reply, SendFailure, Sender, accept,
};
use counterfoil::entropy::SeededEntropy;
use counterfoil::problem::{Problem, Result};
use rusqlite::Connection;

use super::disk::{Disk, Files, Kind, Plan};
use super::power::{Outcome, Platter};
use crate::egress::support::{STORE, Scripted, TestClock, URL, attempt, due, monday, run, signer, store, upstream};

/// All lost, half of it garbled, all kept.
const OUTCOMES: [Outcome; 3] =
    [Outcome { stand: 0, garbage: 0 }, Outcome { stand: 50, garbage: 50 }, Outcome { stand: 100, garbage: 0 }];

/// Batches as the receiver has them, by number.
type Received = BTreeMap<i64, Vec<u8>>;

/// What was told, each with how much had happened on the disk by then.
#[derive(Debug, Clone)]
enum Told {
    Released(i64),
    Acknowledged(i64),
    /// The receiver was sent these bytes under this number.
    Sent(i64, Vec<u8>),
}

/// A place for `egress.db`, the disk under it, and what is told on the way.
struct Ground {
    _folder: tempfile::TempDir,
    path: PathBuf,
    disk: Disk,
    told: Arc<Mutex<Vec<(usize, Told)>>>,
}

/// A receiver that takes everything and has it noted.
struct Watched {
    receiver: Scripted,
    happened: Box<dyn Fn() -> usize + Send + Sync>,
    told: Arc<Mutex<Vec<(usize, Told)>>>,
}

impl Sender for Watched {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, std::result::Result<Reply, SendFailure>> {
        if request.method() == "PUT" {
            let seq = request.url().rsplit('/').next().unwrap().parse().unwrap();
            let told = Told::Sent(seq, request.body().to_vec());
            self.told.lock().unwrap().push(((self.happened)(), told));
        }
        self.receiver.send(request)
    }
}

impl Ground {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let path = folder.path().join("egress.db");
        Self { _folder: folder, path, disk: Disk::new(), told: Arc::default() }
    }

    fn open(&self) -> Result<Outbox> {
        Outbox::open(&self.path, STORE, Some(self.disk.name()), &SeededEntropy::new(1))
    }

    fn tell(&self, told: Told) {
        self.told.lock().unwrap().push((self.disk.happened(), told));
    }

    /// For each of two days: consents where there is no consent, releases what is due and sends what waits, each day through
    /// a connection of its own, as the agent does.
    fn live(&self, db: &Connection) -> Result<()> {
        let clock = TestClock::at(monday().start_ms());
        let receiver = Scripted::default();
        let sender = Arc::new(Watched { receiver, happened: Box::new(self.disk.counter()), told: self.told.clone() });
        let mut courier =
            Courier::new(sender.clone(), Arc::new(signer()), clock.clone(), Arc::new(SeededEntropy::new(2)));
        for days in [0, 1] {
            let mut outbox = self.open()?;
            if outbox.consent()?.is_none() {
                let code = EnrolmentCode::parse("ABCD-EFGH-2345")?;
                run(accept(&mut outbox, &ReceiverUrl::parse(URL)?, &code, &*sender, &signer(), &*clock))?;
            }
            let settled = due(monday()) + days * DAY_MS;
            for seq in outbox.release(db, &upstream(Mode::On), settled, &*clock)? {
                self.tell(Told::Released(seq));
            }
            let pass = run(courier.pass(&mut outbox, &upstream(Mode::On)))?;
            pass.acknowledged.into_iter().for_each(|seq| self.tell(Told::Acknowledged(seq)));
        }
        Ok(())
    }

    /// What the receiver was sent by the time that so much had happened; `Err` when a number stood for two things.
    fn received(told: &[(usize, Told)], done: usize) -> std::result::Result<Received, String> {
        let mut received = Received::new();
        for (_, told) in told.iter().filter(|(by, _)| *by <= done) {
            if let Told::Sent(seq, bytes) = told
                && received.entry(*seq).or_insert_with(|| bytes.clone()) != bytes
            {
                return Err(format!("batch {seq} was sent with other bytes"));
            }
        }
        Ok(received)
    }

    /// Holds what is found against what was told, lives on, and holds what the receiver has in the end against `all`.
    fn judge(
        &self,
        before: &[(usize, Told)],
        done: usize,
        db: &Connection,
        all: &Received,
    ) -> std::result::Result<(), String> {
        let broken = |problem: Problem| format!("{problem:?}");
        let by_then: Vec<&Told> = before.iter().filter(|(by, _)| *by <= done).map(|(_, told)| told).collect();
        let outbox = self.open().map_err(broken)?;
        let mut acknowledged = Vec::new();
        for told in by_then {
            let (Told::Released(seq) | Told::Acknowledged(seq)) = told else { continue };
            let shown = outbox.show(*seq).map_err(|problem| format!("lost: {told:?}: {problem:?}"))?;
            if matches!(told, Told::Acknowledged(_)) {
                acknowledged.push(*seq);
                if shown.batch.state != "acknowledged" {
                    return Err(format!("lost: {told:?}"));
                }
            }
        }
        drop(outbox);
        self.told.lock().unwrap().clear();
        self.live(db).map_err(broken)?;
        let after = self.told.lock().unwrap().clone();
        if let Some(seq) = Self::received(&after, usize::MAX)?.keys().find(|seq| acknowledged.contains(seq)) {
            return Err(format!("batch {seq} was acknowledged and is sent again"));
        }
        let known: Vec<_> = before.iter().filter(|(by, _)| *by <= done).cloned().chain(after).collect();
        let received = Self::received(&known, usize::MAX)?;
        if received == *all { Ok(()) } else { Err(format!("the receiver has {:?}", received.keys())) }
    }
}

/// Attempts of two days: so many that the file grows by their marks.
fn attempts() -> Connection {
    let days = [monday(), monday().next()];
    let all: Vec<_> = (0..2).flat_map(|day| (0..200).map(move |n| attempt(day * 1000 + n, days[day], n))).collect();
    store(&all)
}

/// A life that nothing disturbs: its operations, what it told and what the receiver has.
fn undisturbed(db: &Connection, lies: bool) -> (Ground, Vec<(usize, Told)>, Received) {
    let ground = Ground::new();
    if lies {
        ground.disk.lie();
    }
    ground.live(db).unwrap();
    let told = ground.told.lock().unwrap().clone();
    let all = Ground::received(&told, usize::MAX).unwrap();
    (ground, told, all)
}

/// Cuts the power after each operation; returns how many cuts there were, and what was wrong.
fn cut_everywhere(lies: bool) -> (usize, Vec<String>) {
    let db = attempts();
    let (ground, told, all) = undisturbed(&db, lies);
    assert_eq!(all.len(), 2);
    let ops = ground.disk.take();
    assert!(ops.len() > 80, "hardly a life: {} operations", ops.len());
    let (other, mut cuts, mut wrong) = (Ground::new(), 0, Vec::new());
    // The product makes the empty file, for its owner alone.
    let empty: Files = [Some(Vec::new()), None, None];
    let mut platter = Platter::new(&ops, empty);
    for done in 1.. {
        if !platter.step() {
            break;
        }
        for outcome in &OUTCOMES[..if platter.waits() { 3 } else { 1 }] {
            for seed in 0..if outcome.depends_on_chance() { super::seeds().unwrap_or(1) } else { 1 } {
                platter.lay(&other.path, *outcome, seed);
                cuts += 1;
                let judged = other.judge(&told, done, &db, &all);
                wrong.extend(judged.err().map(|what| format!("{done} {outcome:?}: {what}")));
                other.disk.take();
            }
        }
    }
    println!("egress.db: {} operations, {cuts} cuts, {} wrong, lies: {lies}", ops.len(), wrong.len());
    (cuts, wrong)
}

#[test]
fn no_batch_is_lost_or_doubled_when_the_power_is_cut() {
    let (_, wrong) = cut_everywhere(false);
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
}

/// A disk that says it flushed and did not: the same checks see batches that are gone and files that are not whole.
#[test]
fn a_disk_that_lies_about_batches_is_caught() {
    let (cuts, wrong) = cut_everywhere(true);
    assert!(wrong.len() * 20 > cuts, "{} of {cuts}", wrong.len());
    assert!(wrong.iter().any(|what| what.contains("lost")), "{:?}", wrong.first());
}

/// Each call to the disk fails in turn, once and from then on: a problem of the catalogue is told, and once the cause is gone
/// the life goes on to the same batches, even if the power was cut.
#[test]
fn a_disk_that_fails_costs_no_batch() {
    let db = attempts();
    let (_, _, all) = undisturbed(&db, false);
    let empty: Files = [Some(Vec::new()), None, None];
    let (mut runs, mut wrong) = (0, Vec::new());
    for kind in [Kind::Full, Kind::Sync, Kind::Error, Kind::Open] {
        for forever in [false, true] {
            let every = if super::seeds().is_some() || kind == Kind::Sync { 1 } else { 7 };
            for at in (0..).step_by(every) {
                let ground = Ground::new();
                ground.disk.plan(Some(Plan { kind, at, forever }));
                let met = ground.live(&db).err();
                let struck = ground.disk.struck();
                ground.disk.plan(None);
                if struck == 0 {
                    break;
                }
                runs += 1;
                let other = met.as_ref().filter(|problem| problem.code() != "egress.file");
                wrong.extend(other.map(|problem| format!("{kind:?} {at} {forever}: {problem:?}")));
                let gone = ground.disk.happened();
                if let Err(problem) = ground.live(&db) {
                    wrong.push(format!("{kind:?} {at} {forever}: afterwards {problem:?}"));
                }
                let told = ground.told.lock().unwrap().clone();
                let ops = ground.disk.take();
                // Whenever something was told since the cause went, the power is cut, and nothing stands but what was flushed.
                let mut platter = Platter::new(&ops, empty.clone());
                let cut = Ground::new();
                for done in 1.. {
                    if !platter.step() {
                        break;
                    }
                    if done >= gone && (done == ops.len() || told.iter().any(|(by, _)| *by == done)) {
                        platter.lay(&cut.path, OUTCOMES[0], 1);
                        let judged = cut.judge(&told, done, &db, &all);
                        wrong
                            .extend(judged.err().map(|what| format!("{kind:?} {at} {forever}, cut at {done}: {what}")));
                        cut.disk.take();
                    }
                }
                let judged = ground.judge(&told, usize::MAX, &db, &all);
                wrong.extend(judged.err().map(|what| format!("{kind:?} {at} {forever}: {what}")));
            }
        }
    }
    println!("egress.db: {runs} runs with a disk that fails, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} of {runs}: {}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    assert!(runs > 40, "hardly a sweep: {runs} runs");
}
