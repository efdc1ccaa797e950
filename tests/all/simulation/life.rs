//! One simulation: the product's own loops live through a storm of faults, die and start again, then have a quiet tail in
//! which all must become well. A person is simulated too: sets keys, mends the configuration, resumes what was stopped.

use std::sync::{Arc, Mutex};

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request, perform};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::paths::{Overrides, Paths};
use counterfoil::sandbox::receiver::ReceiverOptions;
use counterfoil::sandbox::{self, CHECKOUT_KEY, CHECKOUT_URL, Direct, Key, RECEIVER_URL, STRIPE_KEY, STRIPE_URL};
use counterfoil::store::Reader;
use counterfoil::testpoint::{limit_pages, plant};

use super::away::upstream;
use super::options::{BEGIN, DAY, HOUR, MANY_TARDY, MINUTE, Options, Spell, TARDY, Trouble};
use super::oracle::{Check, Oracle};
use super::reads::{listed_within, within_budget};
use super::running::Running;
use super::storm::Storm;
use super::time::{AgentClock, Time, TrueClock, Wall, rest};

/// A second key for each provider, for rotations.
const STRIPE_OTHER: &str = "rk_test_51SandboxCounterfoil1111111111111111";
const CHECKOUT_OTHER: &str = "sk_sbox_abcdefghijklmnopqrstuvwxyz2";
/// How often what is stored is compared with the truth.
const LOOK: i64 = 6 * HOUR;
/// More requests to one address in a day than this are no guest's.
const MANY: u64 = 20_000;

/// What came of a seed.
pub(super) struct Lived {
    pub(super) wrong: Option<String>,
    pub(super) trace: u64,
    /// Simulated milliseconds, all of them.
    pub(super) world_ms: i64,
    /// Without those in which the agent was down.
    pub(super) awake_ms: i64,
    /// Seconds of processor time that it took.
    pub(super) cpu: f64,
    pub(super) requests: u64,
    pub(super) lives: u32,
    pub(super) rows: u64,
    pub(super) batches: usize,
    /// Batches that were compared byte for byte.
    pub(super) compared: usize,
    pub(super) struck: std::collections::BTreeMap<String, u64>,
}

/// How one life of the agent ended.
enum End {
    Died,
    /// Was ended, and is down for so long.
    Down(i64),
    Over,
}

struct World {
    options: Options,
    folder: tempfile::TempDir,
    time: Arc<Time>,
    storm: Arc<Storm>,
    oracle: Oracle,
    /// The next of the troubles.
    next: usize,
    /// Which life it is.
    life: u32,
    enrolled: bool,
    /// How batches are looked at: the store as the judge reads it, as long as a life lasts.
    eyes: Arc<Mutex<Option<Reader>>>,
    /// A copy of the outbox's file from earlier.
    outbox_copy: bool,
    /// The other key is in use, by provider.
    other: [bool; 2],
    /// The configuration: poll in minutes and profile.
    poll: i64,
    profile: &'static str,
    /// The profile finance was in force at some time.
    finance: bool,
    awake_ms: i64,
    next_look: i64,
}

/// Lives through all of a seed.
pub(super) fn live(options: &Options) -> Lived {
    let began = cpu_seconds();
    plant(options.planted.as_deref());
    limit_pages(options.page);
    let mut world = World::new(options);
    let wrong = world.run().err();
    plant(None);
    limit_pages(u32::MAX);
    let passed = world.storm.passed();
    Lived {
        wrong: wrong.or_else(|| passed.wrong.clone()),
        trace: passed.trace(),
        world_ms: world.time.now() - BEGIN,
        awake_ms: world.awake_ms,
        cpu: cpu_seconds() - began,
        requests: passed.requests,
        lives: world.life,
        rows: world.oracle.rows(),
        batches: world.storm.direct.batches().map_or(0, |batches| batches.len()),
        compared: passed.compared,
        struck: passed.struck.clone(),
    }
}

/// Processor time of this thread: a busy machine does not change it.
#[cfg(target_os = "linux")]
fn cpu_seconds() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

#[cfg(not(target_os = "linux"))]
fn cpu_seconds() -> f64 {
    0.0
}

/// In memory where the machine has such a folder: what is simulated is not the disk.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl World {
    fn new(options: &Options) -> Self {
        let (folder, time) = (folder(), Time::new(BEGIN));
        let clock = Arc::new(TrueClock(time.clone()));
        let mut sandbox = sandbox::Options::new(clock.clone());
        sandbox.seed = options.seed;
        (sandbox.id_seed, sandbox.personal_seed, sandbox.tardy) = (options.seed, options.seed, options.tardy);
        (sandbox.charges, sandbox.payments) = (options.charges * 20, options.payments * 20);
        sandbox.days = 20;
        sandbox.first_day = Some(((BEGIN - 20 * DAY) / DAY) as u32);
        sandbox.stripe_keys = vec![Key::reading_all(STRIPE_KEY), Key::reading_all(STRIPE_OTHER)];
        sandbox.checkout_keys = vec![Key::reading_all(CHECKOUT_KEY), Key::reading_all(CHECKOUT_OTHER)];
        sandbox.gzip = false;
        std::fs::create_dir(folder.path().join("upstream")).unwrap();
        let receiver = ReceiverOptions {
            db: folder.path().join("upstream/receiver.db"),
            addr: ([127, 0, 0, 1], 0).into(),
            clock,
            entropy: Arc::new(SeededEntropy::new(options.seed ^ 0x7265_6376)),
            seed: None,
        };
        let direct = Arc::new(Direct::new(sandbox, receiver).unwrap());
        let storm = Storm::new(direct, time.clone(), options);
        if options.tardy >= MANY_TARDY {
            storm.passed().strike(TARDY);
        }
        Self {
            options: options.clone(),
            oracle: Oracle::new(storm.clone(), time.clone(), BEGIN - options.history * DAY),
            folder,
            time,
            storm,
            next: 0,
            life: 0,
            enrolled: false,
            eyes: Arc::default(),
            outbox_copy: false,
            other: [false; 2],
            poll: options.poll,
            profile: "standard",
            finance: false,
            awake_ms: 0,
            next_look: BEGIN + LOOK,
        }
    }

    fn paths(&self) -> Paths {
        let overrides = Overrides { config: None, data_dir: Some(self.folder.path().join("house")) };
        Paths::here(&overrides).unwrap()
    }

    /// The configuration as the person last wrote it.
    fn config(&self) -> Arc<config::Config> {
        let start = jiff::Timestamp::from_millisecond(BEGIN - self.options.history * DAY).unwrap();
        let (start, poll) = (start.strftime("%Y-%m-%d"), self.poll);
        let pace = match self.options.reads {
            Some(reads) => format!("reads_per_month = {reads}"),
            None => format!("poll = \"{poll}m\""),
        };
        let text = format!(
            "[connections.main]\nprovider = \"stripe\"\nstart = {start}\nbase_url = \"{STRIPE_URL}\"\n{pace}\n\
             [connections.eu]\nprovider = \"checkoutcom\"\nenvironment = \"sandbox\"\nstart = {start}\n\
             base_url = \"{CHECKOUT_URL}\"\npoll = \"{poll}m\"\n\
             [privacy]\nlocal = \"{}\"\n[upstream]\nurl = \"{RECEIVER_URL}\"\nmode = \"on\"\n",
            self.profile
        );
        Arc::new(config::parse(&text, &self.paths().config_file).unwrap())
    }

    /// Life after life until all is over.
    fn run(&mut self) -> Result<(), String> {
        loop {
            self.life += 1;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            self.time.fate.revive();
            let before = self.time.now();
            let end = runtime.block_on(async {
                self.time.begin();
                self.one_life().await
            });
            runtime.block_on(async { self.time.end() });
            drop(runtime);
            // The next life must find its files as a crash leaves them.
            *self.eyes.lock().unwrap() = None;
            self.awake_ms += self.time.now() - before;
            let end = end?;
            if let Some(wrong) = self.storm.passed().wrong.clone() {
                return Err(wrong);
            }
            match end {
                // The profile finance stores texts, and they may name somebody.
                End::Over if self.finance => return Ok(()),
                End::Over => return self.oracle.no_person_in(self.folder.path()),
                // A service manager waits a little before it starts a program again.
                End::Died => {
                    self.time.set_wall(Wall::Off(0));
                    self.time.skip(5_000);
                }
                End::Down(ms) => self.down(ms)?,
            }
            self.storm.passed().note(("life", self.life, self.time.now()));
        }
    }

    /// While the agent is down: time passes, and somebody may put an old file back.
    fn down(&mut self, ms: i64) -> Result<(), String> {
        self.time.skip(ms);
        let (now, house) = (self.time.now(), self.folder.path().join("house"));
        let restore = |trouble: &Trouble| trouble.spell == Spell::OutboxRestored && trouble.from <= now;
        if !self.options.troubles.iter().any(restore) || !self.enrolled {
            return Ok(());
        }
        let copy = |from: &str, to: &str| {
            for end in ["", "-wal", "-shm"] {
                let (from, to) = (house.join(format!("{from}{end}")), house.join(format!("{to}{end}")));
                match from.exists() {
                    true => drop(std::fs::copy(&from, &to).map_err(|error| error.to_string())?),
                    false => drop(std::fs::remove_file(&to)),
                }
            }
            Ok::<(), String>(())
        };
        match self.outbox_copy {
            false => copy("egress.db", "egress.copy")?,
            true => {
                copy("egress.copy", "egress.db")?;
                self.storm.passed().struck.insert("OutboxRestored".to_owned(), 1);
            }
        }
        self.outbox_copy = true;
        Ok(())
    }

    async fn one_life(&mut self) -> Result<End, String> {
        let told = |problem: counterfoil::problem::Problem| format!("{}: {problem}", problem.code());
        let seams = Seams {
            clock: Arc::new(AgentClock(self.time.clone())),
            entropy: Arc::new(SeededEntropy::new(self.options.seed ^ u64::from(self.life) << 32)),
            transport: Some(self.storm.clone()),
            writer: Writer { inline: true, vfs: None },
        };
        let parts = Arc::new(crate::open_parts(self.paths(), self.config(), seams).map_err(told)?);
        self.oracle.look_through(&parts).await.map_err(told)?;
        if !self.enrolled {
            self.settle_in(&parts).await.map_err(told)?;
        }
        let (agent, time) = (Running::start(parts), self.time.clone());
        // Whatever a person is waiting for: when the agent dies, nobody answers.
        let end = tokio::select! {
            biased;
            () = time.fate.death() => return Ok(End::Died),
            end = self.agenda(&agent) => end?,
        };
        if matches!(end, End::Over | End::Down(_)) {
            agent.stop().await?;
        }
        Ok(end)
    }

    /// The first steps, in calm: keys and consent.
    async fn settle_in(&mut self, parts: &Parts) -> counterfoil::problem::Result<()> {
        for (connection, key) in [("main", STRIPE_KEY), ("eu", CHECKOUT_KEY)] {
            perform(parts, set_key(connection, key), &|_| ()).await?;
        }
        let code = self.storm.direct.issue_code()?;
        perform(parts, Request::Accept { code }, &|_| ()).await?;
        self.enrolled = true;
        self.storm.set_calm(false);
        let (store, storm) = (parts.store_path.clone(), self.storm.clone());
        let (time, outbox) = (self.time.clone(), parts.paths.egress());
        let (planted, eyes) = (self.options.planted.clone(), self.eyes.clone());
        let look = move |seq: i64, bytes: &[u8]| {
            let mut eyes = eyes.lock().unwrap();
            let reader = match eyes.take() {
                Some(reader) => reader,
                None => Reader::open(&store).map_err(|problem| problem.to_string())?,
            };
            let reader = eyes.insert(reader);
            honestly(&planted, || super::away::batch(&storm.direct, &time, (reader, &outbox), seq, bytes))
        };
        *self.storm.on_batch.lock().unwrap() = Some(Box::new(look));
        Ok(())
    }

    /// What happens to the agent, in its order, until it dies or all is over.
    async fn agenda(&mut self, agent: &Running) -> Result<End, String> {
        let time = self.time.clone();
        loop {
            let now = time.now();
            if now >= self.options.storm_end {
                return self.tail(agent).await;
            }
            let trouble = self.options.troubles.get(self.next).copied();
            let until = trouble.map_or(i64::MAX, |one| one.from).min(self.options.storm_end).min(self.next_look);
            rest(until - now).await;
            agent.alive()?;
            if time.now() >= self.next_look {
                self.next_look += LOOK;
                self.look(agent, Check::Rows)?;
            }
            let Some(trouble) = trouble.filter(|one| one.from <= time.now()) else { continue };
            self.next += 1;
            if let Some(end) = self.strikes(agent, trouble).await? {
                return Ok(end);
            }
        }
    }

    fn look(&mut self, agent: &Running, check: Check) -> Result<(), String> {
        let hammered =
            self.storm.passed().daily.iter().find(|(_, count)| **count > MANY).map(|(of, count)| (of.clone(), *count));
        if let Some(((to, _), count)) = hammered {
            return Err(format!("budget: {count} requests to {to} in a day"));
        }
        let reader = agent.judged().map_err(|problem| problem.to_string())?;
        let hash = honestly(&self.options.planted, || self.oracle.look(reader, check))?;
        self.storm.passed().note(hash);
        Ok(())
    }

    /// A trouble begins.
    async fn strikes(&mut self, agent: &Running, trouble: Trouble) -> Result<Option<End>, String> {
        let length = trouble.to - trouble.from;
        let note = |what| *self.storm.passed().struck.entry(format!("{what:?}")).or_default() += 1;
        match trouble.spell {
            Spell::Crash => {
                note(Spell::Crash);
                agent.nudge();
                self.time.fate.arm(trouble.draw % 400);
            }
            Spell::CrashOften => {
                note(Spell::CrashOften);
                agent.nudge();
                self.time.fate.arm(trouble.draw % 40);
                // Again and again, a few times.
                if trouble.draw > 1 << 20 {
                    let again = Trouble { from: self.time.now() + MINUTE, draw: trouble.draw / 7, ..trouble };
                    let at = self.options.troubles[self.next..].partition_point(|one| one.from <= again.from);
                    self.options.troubles.insert(self.next + at, again);
                }
            }
            Spell::Down => {
                note(Spell::Down);
                return Ok(Some(End::Down(length)));
            }
            // Twice in a seed would only be longer.
            Spell::LongDown if !self.storm.passed().struck.contains_key("LongDown") => {
                self.storm.passed().struck.insert("LongDown".to_owned(), 1);
                // A month is more than the feed reaches back; a week is away for a third of the work.
                let days = if trouble.draw % 3 == 0 { 30 } else { 5 } + trouble.draw / 3 % 10;
                return Ok(Some(End::Down(DAY * days)));
            }
            Spell::Suspended => {
                note(Spell::Suspended);
                self.time.skip(length);
            }
            Spell::WallAhead => self.time.set_wall(Wall::Off(length * (1 + trouble.draw % 20))),
            Spell::WallBack => self.time.set_wall(Wall::Off(-length * (1 + trouble.draw % 20))),
            Spell::WallFrozen => self.time.set_wall(Wall::Frozen(self.time.now())),
            Spell::DiskFull => agent.limit_pages(Some(trouble.draw % 20)).await,
            Spell::ReaderHolds => agent.hold(),
            Spell::Reconfigured => {
                note(Spell::Reconfigured);
                self.poll = [15, 30, 60, 120][(trouble.draw % 4) as usize];
                agent.parts.set_config(self.config());
                agent.nudge();
                if trouble.draw % 3 == 0 {
                    self.profile = if self.profile == "standard" { "finance" } else { "standard" };
                    self.finance = true;
                    // What was read by the old setting is looked at by the old setting.
                    self.look(agent, Check::Rows)?;
                    return Ok(Some(End::Down(MINUTE)));
                }
            }
            Spell::KeyRotated => self.rotate((trouble.draw % 2) as usize),
            Spell::KeyRemoved => {
                let connection = ["main", "eu"][(trouble.draw % 2) as usize].to_owned();
                let request = Request::RemoveKey { connection, key: "default".to_owned() };
                drop(perform(&agent.parts, request, &|_| ()).await);
            }
            Spell::OutboxRestored => return Ok(Some(End::Down(length / 10))),
            _ => {}
        }
        // The person notices after a while and mends what a person must.
        let mend =
            matches!(trouble.spell, Spell::KeyRotated | Spell::KeyRemoved | Spell::DiskFull | Spell::ReaderHolds);
        if mend || matches!(trouble.spell, Spell::WallAhead | Spell::WallBack | Spell::WallFrozen) {
            self.mend_later(agent, trouble).await;
        }
        Ok(None)
    }

    /// Until the trouble is over the agent lives with it; then a person takes it away.
    async fn mend_later(&self, agent: &Running, trouble: Trouble) {
        *self.storm.passed().struck.entry(format!("{:?}", trouble.spell)).or_default() += 1;
        rest((trouble.to - self.time.now()).min(12 * HOUR)).await;
        self.time.set_wall(Wall::Off(0));
        agent.limit_pages(None).await;
        agent.release();
        self.set_keys(agent).await;
    }

    /// The provider takes one key no more; the other is not set yet.
    fn rotate(&mut self, side: usize) {
        let keys = [[STRIPE_KEY, STRIPE_OTHER], [CHECKOUT_KEY, CHECKOUT_OTHER]][side];
        let old = keys[usize::from(self.other[side])];
        self.other[side] = !self.other[side];
        let mut passed = self.storm.passed();
        passed.revoked.insert(old.as_bytes().to_vec());
        passed.revoked.remove(keys[usize::from(self.other[side])].as_bytes());
    }

    /// The person sets the keys that are right now; in a storm that can fail.
    async fn set_keys(&self, agent: &Running) {
        for (connection, key) in [("main", self.key(0)), ("eu", self.key(1))] {
            drop(perform(&agent.parts, set_key(connection, key), &|_| ()).await);
        }
        agent.nudge();
    }

    fn key(&self, side: usize) -> &'static str {
        [[STRIPE_KEY, STRIPE_OTHER], [CHECKOUT_KEY, CHECKOUT_OTHER]][side][usize::from(self.other[side])]
    }

    /// The storm is over: a person puts right what a person must, and then all becomes well by itself.
    async fn tail(&mut self, agent: &Running) -> Result<End, String> {
        self.storm.set_calm(true);
        self.time.fate.arm(-1);
        self.time.set_wall(Wall::Off(0));
        agent.limit_pages(None).await;
        agent.release();
        self.set_keys(agent).await;
        // A receiver may have asked for an hour, and waits of a pass that began in the storm may last.
        let poll_ms = listed_within(agent, self.poll * MINUTE, self.options.reads.is_some()).await?;
        rest(3 * poll_ms + 2 * HOUR).await;
        agent.alive()?;
        // As reads are spent, lists may rest for longer.
        let poll_ms = poll_ms.max(listed_within(agent, self.poll * MINUTE, self.options.reads.is_some()).await?);
        self.look(agent, Check::Tail { poll_ms })?;
        if let Some(planned) = self.options.reads {
            let reader = agent.judged().map_err(|problem| problem.to_string())?;
            within_budget(reader, &self.storm, (planned, self.options.page), (self.time.now() - BEGIN, self.life))?;
        }
        let planted = self.options.planted.clone();
        honestly(&planted, || upstream(&self.storm, &self.time, &agent.parts))
            .map_err(|problem| problem.to_string())??;
        Ok(End::Over)
    }
}

/// The judge uses the product's own projection and gate, without the planted bug.
pub(super) fn honestly<T>(planted: &Option<String>, judge: impl FnOnce() -> T) -> T {
    plant(None);
    let judged = judge();
    plant(planted.as_deref());
    judged
}

fn set_key(connection: &str, key: &str) -> Request {
    let (connection, key, secret) = (connection.to_owned(), "default".to_owned(), key.to_owned());
    Request::SetKey { connection, key, secret, full_access: false }
}
