//! Log files: one a day in UTC, two weeks of them, none longer than its limit. What is left out is counted, and the count
//! is written as soon as there is room again. It writes finished lines and knows nothing of their content.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing_appender::non_blocking::ErrorCounter;
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use crate::clock::Clock;
use crate::problem::{AGENT_LOGS, Result};

/// How many files are kept, the day's own among them.
const KEPT: usize = 14;
const PREFIX: &str = "counterfoil";
const SUFFIX: &str = "log";
const DAY_MS: i64 = 86_400_000;

/// Lines that were not written.
#[derive(Default)]
pub(super) struct Lost {
    /// Over the limit, or refused by the disk.
    unwritten: AtomicU64,
    /// Lines that found no room in the queue.
    queue: OnceLock<ErrorCounter>,
}

impl Lost {
    /// Counts what the queue drops from now on.
    pub(super) fn watch(&self, queue: ErrorCounter) {
        drop(self.queue.set(queue));
    }

    pub(super) fn total(&self) -> u64 {
        let dropped = self.queue.get().map_or(0, ErrorCounter::dropped_lines);
        self.unwritten.load(Ordering::Relaxed) + dropped as u64
    }

    fn one(&self) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
    }
}

/// The end of the queue: where lines meet the disk.
pub(super) struct Files {
    files: Box<dyn Write + Send>,
    clock: Arc<dyn Clock>,
    limit: u64,
    /// The day, counted from 1970, and the bytes of its file.
    today: (i64, u64),
    lost: Arc<Lost>,
    /// How many lost lines the log has told of.
    told: u64,
}

impl Files {
    /// Opens the day's file. What is already in it counts, so that restarts do not lift the limit.
    pub(super) fn open(folder: &Path, limit: u64, clock: Arc<dyn Clock>, lost: Arc<Lost>) -> Result<Self> {
        let unusable = |why: &dyn std::fmt::Display| AGENT_LOGS.with(format_args!("{} ({why})", folder.display()));
        fs::create_dir_all(folder).map_err(|error| unusable(&error.kind()))?;
        let builder = RollingFileAppender::builder().rotation(Rotation::DAILY).max_log_files(KEPT);
        let builder = builder.filename_prefix(PREFIX).filename_suffix(SUFFIX);
        let files = builder.build(folder).map_err(|_| unusable(&"it cannot be written to"))?;
        let now = clock.wall_ms();
        let file = folder.join(name(now));
        let length = fs::metadata(file).map_or(0, |metadata| metadata.len());
        let today = (now.div_euclid(DAY_MS), length);
        Ok(Self { files: Box::new(files), clock, limit, today, lost, told: 0 })
    }

    /// Writes a line if the day has room for it.
    fn put(&mut self, line: &[u8]) -> bool {
        let length = line.len() as u64;
        let fits = self.today.1 + length <= self.limit;
        let written = fits && self.files.write_all(line).is_ok();
        self.today.1 += if written { length } else { 0 };
        written
    }
}

/// The name that the appender gives the file of this moment's day.
fn name(wall_ms: i64) -> String {
    let now = Timestamp::from_millisecond(wall_ms).unwrap_or_default();
    format!("{PREFIX}.{}.{SUFFIX}", now.to_zoned(TimeZone::UTC).date())
}

impl Write for Files {
    /// Takes one line. Never fails: a line that cannot be written is counted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let now = self.clock.wall_ms();
        let day = now.div_euclid(DAY_MS);
        if day != self.today.0 {
            self.today = (day, 0);
        }
        let lost = self.lost.total();
        if lost > self.told {
            let now = Timestamp::from_millisecond(now).unwrap_or_default();
            let note = format!("{now:.3} WARN  agent::logs: lines left out count={}\n", lost - self.told);
            if self.put(note.as_bytes()) {
                self.told = lost;
            }
        }
        if !self.put(line) {
            self.lost.one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.files.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicI64};
    use std::time::Duration;

    use super::*;
    use crate::clock::BoxFuture;

    /// A wall clock that is set by hand.
    struct Set(AtomicI64);

    impl Clock for Set {
        fn wall_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
        fn mono(&self) -> Duration {
            Duration::ZERO
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    /// A disk in memory that can be full.
    #[derive(Clone, Default)]
    struct Disk(Arc<(Mutex<Vec<u8>>, AtomicBool)>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.1.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Rig {
        clock: Arc<Set>,
        disk: Disk,
        lost: Arc<Lost>,
        files: Files,
    }

    fn rig(limit: u64) -> Rig {
        let (clock, disk, lost) =
            (Arc::new(Set(AtomicI64::new(DAY_MS / 2))), Disk::default(), Arc::new(Lost::default()));
        let (files, lost_too) = (Box::new(disk.clone()), lost.clone());
        let files = Files { files, clock: clock.clone(), limit, today: (0, 0), lost: lost_too, told: 0 };
        Rig { clock, disk, lost, files }
    }

    impl Rig {
        fn say(&mut self, line: &str) {
            assert_eq!(self.files.write(line.as_bytes()).unwrap(), line.len());
        }

        /// What is on the disk; it is empty afterwards.
        fn written(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.disk.0.0.lock().unwrap())).unwrap()
        }
    }

    #[test]
    fn a_day_has_a_limit_and_the_next_day_tells_what_was_left_out() {
        let mut rig = rig(100);
        for _ in 0..1000 {
            rig.say("ten bytes\n");
        }
        let written = rig.written();
        assert!(written.len() <= 100, "{}", written.len());
        assert!(written.starts_with(&"ten bytes\n".repeat(10)));
        assert_eq!(rig.lost.total(), 990);

        rig.clock.0.store(DAY_MS + 1, Ordering::Relaxed);
        rig.say("new day\n");
        let told = "1970-01-02T00:00:00.001Z WARN  agent::logs: lines left out count=990\nnew day\n";
        assert_eq!((rig.written().as_str(), rig.lost.total()), (told, 990));
        rig.say("and on\n");
        assert_eq!(rig.written(), "and on\n", "told once");
    }

    #[test]
    fn a_full_disk_costs_lines_not_the_log() {
        let mut rig = rig(1_000_000);
        rig.disk.0.1.store(true, Ordering::Relaxed);
        rig.say("one\n");
        rig.say("two\n");
        assert_eq!((rig.written().as_str(), rig.lost.total()), ("", 2));
        rig.disk.0.1.store(false, Ordering::Relaxed);
        rig.say("three\n");
        let told = "1970-01-01T12:00:00.000Z WARN  agent::logs: lines left out count=2\nthree\n";
        assert_eq!(rig.written(), told);
    }

    #[test]
    fn what_the_queue_dropped_is_told_too() {
        // A writer that does not write until it is let: the queue of two fills up behind it.
        struct Held(Arc<Mutex<()>>, Disk);
        impl Write for Held {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                drop(self.0.lock().unwrap());
                self.1.write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let Rig { disk, lost, mut files, .. } = rig(1_000_000);
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        files.files = Box::new(Held(gate.clone(), disk.clone()));
        let builder = tracing_appender::non_blocking::NonBlockingBuilder::default().buffered_lines_limit(2);
        let (mut queue, writing) = builder.finish(files);
        lost.watch(queue.error_counter());
        for _ in 0..10 {
            queue.write_all(b"line\n").unwrap();
        }
        let dropped = lost.total();
        assert!((7..=8).contains(&dropped), "two wait, one may be in the writer's hands: {dropped}");
        drop(closed);
        // The guard waits for a tenth of a second only.
        let lines = || String::from_utf8(disk.0.0.lock().unwrap().clone()).unwrap().matches("line\n").count() as u64;
        for _ in 0..100_000_000 {
            if lines() == 10 - dropped {
                break;
            }
            std::thread::yield_now();
        }
        drop(writing);
        let written = String::from_utf8(disk.0.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.matches("line\n").count() as u64, 10 - dropped);
        let told: u64 = written.lines().filter_map(|line| line.rsplit_once("count=")?.1.parse::<u64>().ok()).sum();
        assert_eq!(told, dropped, "{written}");
    }

    #[test]
    fn the_days_file_counts_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(crate::clock::SystemClock::new());
        let open = || Files::open(folder.path(), 25, clock.clone(), Arc::new(Lost::default())).unwrap();
        for _ in 0..3 {
            open().write_all(b"ten bytes\n").unwrap();
        }
        let written: u64 =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(written, 20);
    }
}
