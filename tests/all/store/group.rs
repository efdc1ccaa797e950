//! The writer's thread: jobs that wait together share a commit, each for itself within it; nobody is told before.

use std::sync::mpsc;

use counterfoil::problem;
use counterfoil::store::{Step, StoreHandle};
use counterfoil::stream::Profile;
use serde_json::json;

use super::kit::*;

/// A state of the store that a job sets, and what an outsider sees of such states.
const SEEN: &str = "SELECT name FROM state WHERE name LIKE 'job%' ORDER BY name";

async fn set(handle: &StoreHandle, name: &'static str) -> problem::Result<()> {
    handle.run(move |store| store.set_state(name, "done")).await
}

#[test]
fn jobs_share_a_commit_and_a_failing_one_takes_back_only_its_own() {
    let (_folder, path) = folder();
    let handle = StoreHandle::thread(open(&path));
    let (go, going) = mpsc::channel();
    let (outside, inside) = (path.clone(), path.clone());
    let first = handle.run(move |store| {
        store.set_state("job 1", "done")?;
        going.recv().unwrap(); // until all the others wait in the queue
        assert!(look(&inside, SEEN).is_empty(), "nothing is seen before the commit");
        Ok(1)
    });
    let second = handle.run(|store| {
        store.set_state("job 2", "done")?;
        store.set_state("job 1", "spoiled")?;
        Err::<(), _>(problem::STORE_BUSY.plain())
    });
    let third = handle.run(move |store| {
        store.set_state("job 3", "done")?;
        // Still the same transaction: the first job's change is there for us, and for nobody else.
        assert_eq!(store.state("job 1")?.as_deref(), Some("done"));
        assert!(look(&outside, SEEN).is_empty(), "two jobs, one commit");
        Ok(3)
    });
    let release = async { go.send(()).unwrap() };
    let (first, second, third, ()) = wait(async { tokio::join!(first, second, third, release) });
    assert_eq!((first.unwrap(), third.unwrap()), (1, 3));
    assert!(second.unwrap_err().is(&problem::STORE_BUSY));
    assert_eq!(look(&path, SEEN), ["job 1", "job 3"], "told means committed");
    assert_eq!(look(&path, "SELECT value FROM state WHERE name = 'job 1'"), ["done"]);
    wait(handle.close()).unwrap();
}

/// Closed in order, later jobs of a clone are refused, and closing once more is no fault.
fn is_closed(handle: StoreHandle, path: &std::path::Path) {
    let refused = wait(set(&handle, "job late")).unwrap_err();
    assert_eq!((refused.code(), refused.detail()), ("store.io", "the writer has stopped"));
    assert!(!look(path, SEEN).contains(&"job late".to_owned()));
    assert_eq!(look(path, "SELECT value FROM state WHERE name = 'in_use'"), ["0"], "closed in order");
    wait(handle.close()).unwrap();
}

#[test]
fn closing_lets_queued_jobs_finish_and_refuses_later_ones() {
    let (_folder, path) = folder();
    let handle = StoreHandle::thread(open(&path));
    let (go, going) = mpsc::channel();
    let first = handle.run(move |store| {
        going.recv().unwrap();
        store.set_state("job 1", "done")
    });
    // One is running, two wait in the queue, then comes the order to close, from a clone.
    let queued = async { tokio::join!(set(&handle, "job 2"), set(&handle, "job 3")) };
    let close = handle.clone().close();
    let release = async { go.send(()).unwrap() };
    let (first, queued, closed, ()) = wait(async { tokio::join!(first, queued, close, release) });
    for ended in [first, queued.0, queued.1, closed] {
        ended.unwrap();
    }
    assert_eq!(look(&path, SEEN), ["job 1", "job 2", "job 3"]);
    is_closed(handle, &path);
}

#[test]
fn closing_an_inline_writer_refuses_later_jobs_too() {
    let (_folder, path) = folder();
    let handle = StoreHandle::inline(open(&path));
    wait(set(&handle, "job 1")).unwrap();
    wait(handle.clone().close()).unwrap();
    assert_eq!(look(&path, SEEN), ["job 1"]);
    is_closed(handle, &path);
}

#[test]
fn a_page_and_the_checkpoint_of_a_caller_that_went_away_stand() {
    let (_folder, path) = folder();
    let mut store = open(&path);
    let lane = Lane::new(account(&mut store, "main").account, "stripe_charges", Profile::Standard);
    let handle = StoreHandle::thread(store);
    let commit = lane.commit(&[charge("ch_1", json!({}))], 1, Step::Nothing);
    wait(async {
        let mut run = Box::pin(handle.run(move |store| store.commit_page(&commit)));
        // Polled once, which queues the job; then dropped.
        drop(std::future::poll_fn(|context| std::task::Poll::Ready(run.as_mut().poll(context))).await);
    });
    wait(handle.close()).unwrap();
    assert_eq!(look(&path, "SELECT id FROM stripe_charges"), ["ch_1"]);
}

#[test]
fn who_holds_the_file_is_named_when_no_transaction_can_begin() {
    let (_folder, path) = folder();
    open(&path).close().unwrap();
    let store = open(&path);
    store.read("PRAGMA busy_timeout = 1").unwrap(); // usually it waits five seconds
    let handle = StoreHandle::thread(store);
    let other = writer(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = wait(set(&handle, "job 1")).unwrap_err();
    assert_eq!((refused.code(), refused.detail()), ("store.busy", "beginning a transaction (SQLite code 5)"));
    other.execute_batch("ROLLBACK").unwrap();
    wait(set(&handle, "job 2")).unwrap();
    assert_eq!(look(&path, SEEN), ["job 2"]);
    wait(handle.close()).unwrap();
}
