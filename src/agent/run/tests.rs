//! The agent's pulse: what it tells while the store cannot be written, and what it notes when it can be again.

use super::*;
use crate::agent::parts::Seams;
use crate::clock::{Clock, SystemClock};
use crate::entropy::SeededEntropy;
use crate::paths::Overrides;

/// A clock whose sleepers wait to be woken one by one.
struct Steps(Arc<Notify>);

impl Clock for Steps {
    fn wall_ms(&self) -> i64 {
        1_700_000_000_000
    }

    fn mono(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let step = self.0.clone();
        Box::pin(async move { step.notified().await })
    }
}

/// Hands on what the agent tells.
struct Heard(tokio::sync::mpsc::UnboundedSender<String>);

impl Voice for Heard {
    fn ready(&self, _: &str) {}
    fn status(&self, status: &str) {
        self.0.send(status.to_owned()).unwrap();
    }
    fn reloading(&self) {}
    fn stopping(&self) {}
    fn beat(&self) {
        self.0.send("beat".to_owned()).unwrap();
    }
    fn log_level(&self, _: crate::config::Level) {}
}

async fn standing(parts: &Parts) -> Vec<String> {
    let problems = parts.store.run(|store| store.problems()).await.unwrap();
    problems.into_iter().map(|one| format!("{} {}", one.stream.unwrap_or_default(), one.code)).collect()
}

async fn a_failing_disk(folder: &std::path::Path) {
    let step = Arc::new(Notify::new());
    let overrides = Overrides { data_dir: Some(folder.to_owned()), ..Overrides::default() };
    let (paths, clock) = (Paths::here(&overrides).unwrap(), Arc::new(Steps(step.clone())));
    let config = Arc::new(crate::config::parse("", &paths.config_file).unwrap());
    let seams = Seams {
        clock,
        entropy: Arc::new(SeededEntropy::new(1)),
        transport: None,
        writer: super::super::parts::Writer::default(),
    };
    let parts = Arc::new(Parts::open(paths.clone(), config.clone(), seams).unwrap());
    let (watcher, _reloads) = Watcher::start(paths.config_file, config.hash, Arc::new(SystemClock::new()));
    let (send, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let (tasks, new_rows, voice) = (Mutex::default(), Arc::new(Notify::new()), Arc::new(Heard(send)));
    let pulse = tokio::spawn(pulse(Arc::new(Agent {
        parts: parts.clone(),
        watcher,
        tasks,
        before: Mutex::default(),
        new_rows,
        voice,
    })));
    assert_eq!(heard.recv().await.unwrap(), "beat");
    assert_eq!(standing(&parts).await, Vec::<String>::new());

    // The disk fails, and then the file is not there.
    let met = parts.store.run(|_| Err::<(), _>(problem::STORE_IO.plain())).await;
    assert_eq!(met.unwrap_err().code(), "store.io");
    let aside = parts.store_path.with_extension("aside");
    std::fs::rename(&parts.store_path, &aside).unwrap();
    for _ in 0..2 {
        step.notify_one();
        let told = heard.recv().await.unwrap();
        assert!(told.starts_with("the store cannot be written: There is no store yet"), "{told}");
    }

    // It is there again: what failed is noted, and cleared once a checkpoint has worked.
    std::fs::rename(&aside, &parts.store_path).unwrap();
    step.notify_one();
    assert_eq!(heard.recv().await.unwrap(), "beat");
    assert_eq!(heard.recv().await.unwrap(), "0 connection(s)");
    assert_eq!(standing(&parts).await, ["store store.io"]);
    step.notify_one();
    assert_eq!(heard.recv().await.unwrap(), "beat");
    assert_eq!(standing(&parts).await, Vec::<String>::new());
    pulse.abort();
}

#[test]
fn the_pulse_tells_that_the_store_cannot_be_written_and_notes_it_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(a_failing_disk(folder.path()));
}
