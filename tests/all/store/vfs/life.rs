//! The reference life of a store, what it was told on the way, and what must hold of whatever is found later.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use counterfoil::entropy::SeededEntropy;
use counterfoil::problem::{Problem, Result};
use counterfoil::store::{Commit, Schema, Step, Store, StoreHandle, Text, WindowKey};
use counterfoil::stream::Profile;
use serde_json::{Value, json};

use super::disk::Disk;
use crate::store::kit::{self, Lane, charge};

/// Charges on a page.
const ROWS: i64 = 4;

/// Something that the store told as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// It exists, under this name of its own.
    Name(String),
    /// This page of this window is in.
    Page(i64, i64),
    /// This number was given out.
    Read(i64),
}

/// What is wrong with a store that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It does not open, or is not whole.
    Broken(String),
    /// Something that was told as done is not there.
    Lost(Claim),
    /// Coverage and rows say different things of a window.
    Disagrees(i64),
}

/// A store's place and the disk under it.
pub(super) struct Ground {
    /// Keeps the folder.
    _folder: tempfile::TempDir,
    pub(super) path: PathBuf,
    pub(super) disk: Disk,
}

/// What every store here is made of, and the stream of its first account.
fn made_of() -> &'static (Schema, Lane) {
    static MADE_OF: OnceLock<(Schema, Lane)> = OnceLock::new();
    MADE_OF.get_or_init(|| (kit::schema(), Lane::new(1, "stripe_charges", Profile::Finance)))
}

impl Ground {
    pub(super) fn new() -> Self {
        // Nothing here needs a real disk: in memory where there is a place for it.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let path = folder.path().join("counterfoil.db");
        Self { _folder: folder, path, disk: Disk::new() }
    }

    pub(super) fn open(&self) -> Result<Store> {
        Store::open(&self.path, &made_of().0, Some(self.disk.name()), &SeededEntropy::new(1))
    }

    /// A page of a window; the first one brings the window into the store.
    pub(super) fn page(&self, window: i64, page: i64, read_seq: i64, last: bool) -> Commit {
        let text = "x".repeat(200);
        let one = |n| charge(&id(window, page, n), json!({ "description": text }));
        let charges: Vec<Value> = (1..=ROWS).map(one).collect();
        let cursor = id(window, page, ROWS);
        let new = || kit::new_window(((window - 1) * 1000, window * 1000), 7);
        let window = if page == 1 { WindowKey::New(new()) } else { WindowKey::Kept(window) };
        let step = if last { Step::Complete { window } } else { Step::Continue { window, cursor } };
        made_of().1.commit(&charges, read_seq, step)
    }

    /// Opens what is found by the product's own way, whole.
    pub(super) fn opens(&self) -> std::result::Result<Store, Wrong> {
        let store = self.open().map_err(broken)?;
        let whole = store.read("PRAGMA integrity_check").map_err(broken)?.rows;
        if whole == [[Text::Text("ok".into())]] { Ok(store) } else { Err(Wrong::Broken(format!("{:?}", whole[0]))) }
    }

    /// Opens it and holds it against what was told.
    pub(super) fn judge(&self, told: &[Claim]) -> std::result::Result<(), Wrong> {
        let store = &mut self.opens()?;
        let name = store.uuid().map_err(broken)?;
        let windows = windows(store).map_err(broken)?;
        if let Some((window, ..)) = windows.iter().find(|(.., agrees)| !agrees) {
            return Err(Wrong::Disagrees(*window));
        }
        let next = store.take_read_seq(1).map_err(broken)?;
        let is_so = |claim: &&Claim| match claim {
            Claim::Name(told) => *told == name,
            Claim::Page(window, page) => windows.iter().any(|(one, pages, _)| one == window && pages >= page),
            Claim::Read(number) => next > *number,
        };
        told.iter().find(|claim| !is_so(claim)).map_or(Ok(()), |claim| Err(Wrong::Lost(claim.clone())))
    }
}

/// Makes the account. Returns the keys that its two windows will have, one after the other.
pub(super) fn found(store: &mut Store) -> Result<(i64, i64)> {
    store.ensure_account("main", "stripe", kit::READ_AT, &SeededEntropy::new(2)).map(|_| (1, 2))
}

fn id(window: i64, page: i64, n: i64) -> String {
    format!("ch_{window:02}_{page:03}_{n}")
}

fn broken(problem: Problem) -> Wrong {
    Wrong::Broken(format!("{problem:?}"))
}

fn number(store: &Store, sql: &str) -> Result<i64> {
    Ok(store.read(sql)?.rows[0][0].int().unwrap_or(-1))
}

/// Every window with its pages, and whether its rows are exactly those of these pages: none missing, none too many.
fn windows(store: &Store) -> Result<Vec<(i64, i64, bool)>> {
    let sql = format!(
        "SELECT c.window, c.pages, count(s.id), count(DISTINCT substr(s.id, 7, 3)), coalesce(max(s.id), ''),
            c.rows = c.pages * {ROWS} AND count(s.id) = c.rows AND count(DISTINCT substr(s.id, 7, 3)) = c.pages
            AND coalesce(max(substr(s.id, 7, 3)), '0') = c.pages
            AND coalesce(c.cursor, '') = CASE c.state WHEN 'open' THEN coalesce(max(s.id), '') ELSE '' END
        FROM coverage c LEFT JOIN stripe_charges s ON substr(s.id, 4, 2) = printf('%02d', c.window) GROUP BY c.window"
    );
    let row = |row: &Vec<Text>| (row[0].int().unwrap(), row[1].int().unwrap(), row[5].int() == Some(1));
    Ok(store.read(&sql)?.rows.iter().map(row).collect())
}

/// What was told, each with how much had happened on the disk by then.
pub(super) type Told = Vec<(usize, Claim)>;

/// Notes what a store tells.
pub(super) struct Notes<'a>(pub(super) &'a Ground, pub(super) Told);

impl Notes<'_> {
    pub(super) fn tell(&mut self, claim: Claim) {
        self.1.push((self.0.disk.happened(), claim));
    }

    /// A page by the handle, with a number of its own.
    fn by_handle(&mut self, handle: &StoreHandle, (window, page): (i64, i64), last: bool) {
        let seq = kit::wait(handle.run(|store| store.take_read_seq(1))).unwrap();
        self.tell(Claim::Read(seq));
        let commit = self.0.page(window, page, seq, last);
        kit::wait(handle.run(move |store| store.commit_page(&commit))).unwrap();
        self.tell(Claim::Page(window, page));
    }

    /// The next page of a window in a transaction of its own, without the handle.
    fn by_store(&mut self, store: &mut Store, window: i64, last: bool) {
        store.read("BEGIN IMMEDIATE").unwrap();
        let page = number(store, &format!("SELECT coalesce(max(pages), 0) + 1 FROM coverage WHERE window = {window}"))
            .unwrap();
        let seq = store.take_read_seq(1).unwrap();
        store.commit_page(&self.0.page(window, page, seq, last)).unwrap();
        store.read("COMMIT").unwrap();
        self.tell(Claim::Read(seq));
        self.tell(Claim::Page(window, page));
    }
}

/// The reference life: made; pages one by one, then several jobs in one commit; closed; opened; pages with checkpoints of
/// both kinds between them; dropped as a crash does; opened once more and closed.
pub(super) fn live(ground: &Ground) -> Told {
    let mut notes = Notes(ground, Vec::new());
    let mut store = ground.open().unwrap();
    notes.tell(Claim::Name(store.uuid().unwrap()));
    let (first, second) = found(&mut store).unwrap();
    let handle = StoreHandle::thread(store);
    for page in 1..=3 {
        notes.by_handle(&handle, (first, page), false);
    }
    together(&mut notes, &handle, &[(first, 4), (second, 1), (second, 2)]);
    kit::wait(handle.close()).unwrap();

    let mut store = ground.open().unwrap();
    between_checkpoints(&mut notes, &mut store, (first, second));
    drop(store);

    let handle = StoreHandle::thread(ground.open().unwrap());
    notes.by_handle(&handle, (second, 4), true);
    kit::wait(handle.close()).unwrap();
    notes.1
}

/// Five pages that end the first window, and one of the second.
pub(super) fn between_checkpoints(notes: &mut Notes<'_>, store: &mut Store, (first, second): (i64, i64)) {
    notes.by_store(store, first, false);
    store.checkpoint(false).unwrap();
    notes.by_store(store, first, false);
    notes.by_store(store, first, false);
    store.checkpoint(true).unwrap();
    notes.by_store(store, first, false);
    store.checkpoint(false).unwrap();
    notes.by_store(store, first, true);
    notes.by_store(store, second, false);
}

/// Pages in one commit: the first job waits until the others stand in the queue.
fn together(notes: &mut Notes<'_>, handle: &StoreHandle, pages: &[(i64, i64)]) {
    let seq = kit::wait(handle.run(|store| store.take_read_seq(9))).unwrap();
    notes.tell(Claim::Read(seq + 8));
    let (go, going) = std::sync::mpsc::channel::<()>();
    kit::wait(async {
        let held = handle.run(move |_| {
            going.recv().unwrap();
            Ok(())
        });
        let commits = pages.iter().zip(seq..).map(|((window, page), seq)| notes.0.page(*window, *page, seq, false));
        let jobs: Vec<_> = commits.map(|commit| handle.run(move |store| store.commit_page(&commit))).collect();
        let (held, ()) = tokio::join!(held, async {
            let release = async { go.send(()).unwrap() };
            let (jobs, ()) = tokio::join!(every(jobs), release);
            jobs.into_iter().for_each(|told| assert_eq!(told.unwrap().records, ROWS as u64));
        });
        held.unwrap();
    });
    pages.iter().for_each(|(window, page)| notes.tell(Claim::Page(*window, *page)));
}

/// All of them at once, in their order.
async fn every<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, told) in waiting.iter_mut().filter(|(_, told)| told.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
                *told = Some(output);
            }
        }
        if waiting.iter().all(|(_, told)| told.is_some()) {
            std::task::Poll::Ready(waiting.iter_mut().filter_map(|(_, told)| told.take()).collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}
