//! Whole passes on a disk that is full, and beside a reader that holds the database: nothing of what was committed moves
//! back, what stands in the way is told, and both heal by the next pass once the cause is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use counterfoil::agent::loops::keep;
use counterfoil::store::Store;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::sync::Notify;

use super::{Rig, STREAMS, problems};

const HOUR: Duration = Duration::from_secs(3600);

/// Codes that stand.
fn standing(rig: &Rig) -> Vec<String> {
    let found =
        rig.reader().table("SELECT DISTINCT code FROM problems WHERE cleared_at IS NULL ORDER BY code").unwrap();
    found.rows.iter().map(|row| row[0].str().unwrap().to_owned()).collect()
}

fn number(rig: &Rig, sql: &str) -> i64 {
    rig.reader().table(sql).unwrap().rows[0][0].int().unwrap_or(0)
}

/// One pass of a connection, as the agent does them.
async fn agent_pass(rig: Rig, connection: &str) -> Rig {
    let Rig { sandbox, clock, folder, parts } = rig;
    let parts = Arc::new(parts);
    let (nudge, stop, ended) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let task = keep(parts.clone(), connection.to_owned(), (nudge.clone(), stop.clone()), ended.clone());
    let end = async {
        ended.notified().await;
        stop.store(true, Ordering::Relaxed);
        nudge.notify_one();
    };
    tokio::join!(task, end);
    Rig { sandbox, clock, folder, parts: Arc::into_inner(parts).unwrap() }
}

async fn on_store(rig: &Rig, job: impl FnOnce(&mut Store) -> counterfoil::problem::Result<()> + Send + 'static) {
    rig.parts.store.run(job).await.unwrap();
}

/// The file may be so many pages larger than it is.
async fn room(rig: &Rig, pages: i64) {
    on_store(rig, move |store| {
        let now = store.read("PRAGMA page_count")?.rows[0][0].int().unwrap();
        store.read(&format!("PRAGMA max_page_count = {}", now + pages)).map(|_| ())
    })
    .await;
}

/// Rows by table; and no checkpoint is without its rows: of a window that counts as walked all are there that were shown
/// then, of one that is open all that are newer than where it goes on.
fn rows(rig: &Rig) -> Vec<usize> {
    let lists = STREAMS.iter().filter(|(table, ..)| table.starts_with("stripe"));
    lists.map(|(table, stream, _)| {
        let held = rig.ids(table);
        let sql = format!(
            "SELECT CASE state WHEN 'complete' THEN from_at ELSE (SELECT created_at + 1 FROM {table} WHERE id = cursor) END,
             to_at, provider_at FROM coverage WHERE stream = '{table}' AND (state = 'complete' OR cursor IS NOT NULL)"
        );
        for row in rig.reader().table(&sql).unwrap().rows {
            let [from, to, shown] = [0, 1, 2].map(|at| row[at].int().expect("the object of a checkpoint is held"));
            let truth = rig.sandbox.truth(*stream, from / 1000, to / 1000).into_iter();
            let due = truth.filter(|one| (from..to).contains(&one.at_ms) && one.visible_ms < shown);
            let missing: Vec<_> = due.filter(|one| held.binary_search(&one.id).is_err()).collect();
            assert!(missing.is_empty(), "{table}, {from} to {to}: {} are missing", missing.len());
        }
        held.len()
    }).collect()
}

/// All that the world held some minutes ago is stored.
fn complete(rig: &Rig) {
    let now = rig.sandbox.now_ms();
    for (table, stream, lag_s) in STREAMS {
        let (held, truth) = (rig.ids(table), rig.truth(stream, now - (lag_s + 60) * 1000, now - 60_000));
        let missing = truth.iter().filter(|id| held.binary_search(id).is_err()).count();
        assert!(missing == 0, "{table}: {missing} of {} are missing", truth.len());
        // Of disputes there may be none.
        assert!(!truth.is_empty() || table.ends_with("disputes"), "{table}: the world is too small");
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_under_a_pass_moves_nothing_back_and_heals() {
    let mut rig = Rig::new(1_500).await;
    let mut before = rows(&rig);
    let mut passes = 0;
    for pages in [15, 150, 150] {
        room(&rig, pages).await;
        rig = agent_pass(rig, "main").await;
        assert_eq!(standing(&rig), ["store.full"], "with {pages} pages of room");
        let after = rows(&rig);
        assert!(after.iter().zip(&before).all(|(after, before)| after >= before), "{before:?}, then {after:?}");
        passes += usize::from(after != before);
        // A person who asks is told the same.
        let report = rig.sync().await;
        assert!(problems(&report).iter().any(|problem| problem["code"] == "store.full"), "{report}");
        before = rows(&rig);
    }
    assert!(passes >= 2, "hardly a pass wrote anything before the disk was full");
    room(&rig, 1_000_000).await;
    rig = agent_pass(rig, "main").await;
    assert_eq!(standing(&rig), Vec::<String>::new(), "it goes by itself");
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    complete(&rig);
    assert_eq!(rig.reader().table("PRAGMA integrity_check").unwrap().rows[0][0].str(), Some("ok"));
}

#[tokio::test]
async fn a_reader_that_holds_the_database_stops_no_pass_and_is_told_of_until_it_lets_go() {
    /// Pages from which on the log counts as too long.
    const MANY: u64 = 40;
    let rig = Rig::new(1_500).await;
    on_store(&rig, |store| {
        store.limit_log(10, MANY as i32);
        Ok(())
    })
    .await;
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    let log = || std::fs::metadata(format!("{}-wal", rig.parts.store_path.display())).unwrap().len();
    // What the agent does every few seconds.
    let beat = async || {
        let now = rig.sandbox.now_ms();
        on_store(&rig, move |store| store.note_trouble(now)).await;
    };
    #[allow(clippy::disallowed_methods)] // an analyst's tool
    let reader = Connection::open_with_flags(&rig.parts.store_path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let seen = || reader.query_row("SELECT count(*) FROM stripe_charges", [], |row| row.get::<_, i64>(0)).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let held = seen();
    for _ in 0..3 {
        rig.clock.advance(HOUR * 12);
        assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
        complete(&rig);
        assert_eq!(seen(), held, "the reader is not disturbed");
    }
    beat().await;
    assert_eq!(standing(&rig), ["store.log"]);
    let long = log();
    assert!(long > MANY * 4096, "the log is short: {long}");
    assert!(number(&rig, "SELECT count(*) FROM stripe_charges") > held);

    reader.execute_batch("COMMIT").unwrap();
    rig.clock.advance(HOUR);
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    beat().await;
    assert_eq!(standing(&rig), Vec::<String>::new());
    // Emptied since, and grown again by whatever was written in one go: to the page it is shown in `store::checkpoints`.
    assert!(log() < long / 4, "it was {long} and is {}", log());
    complete(&rig);
}
