//! Deterministic simulation: both providers and the receiver answer in one thread behind the transport seam, the clock stands
//! still unless nobody has anything to do, the store is a real SQLite file, and every seed draws its world, its faults and
//! the moments at which the agent dies. Then a quiet tail, in which all must become well. The same seed leads to the same
//! trace. What it cannot show: that a provider behaves as the sandbox does.
//!
//! ```sh
//! cargo test --test all simulation::                                 # 100 seeds, and that they repeat themselves
//! SEEDS=1000 cargo test --profile simulation --test all simulation::seeds -- --nocapture   # any number
//! SEED=17 cargo test --test all simulation::seeds -- --nocapture     # one seed again
//! DAYS=60 PLANTED=no_overlap SEEDS=20 …                              # other lengths, with a bug planted
//! ```

mod away;
mod dice;
mod life;
mod months;
mod options;
mod oracle;
mod planted;
mod reads;
mod running;
mod shown;
mod storm;
mod time;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

pub(crate) use self::life::folder;
use self::life::{Lived, live};
use self::options::Options;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// The options of a seed, with what the environment says. Most storms last a day; one in ten is so long that days are
/// released upstream within it.
fn drawn(seed: u64) -> Options {
    let planted = std::env::var("PLANTED").ok();
    let days = if seed.is_multiple_of(10) { 6 + seed / 10 % 9 } else { 1 };
    Options::draw(seed, Some(number("DAYS").unwrap_or(days) as i64), planted.as_deref())
}

/// Lives through many seeds on all cores; `each` hears of every one.
fn through(seeds: std::ops::Range<u64>, each: impl Fn(Options, Lived) + Sync) {
    crate::planted::side_by_side(&seeds.collect::<Vec<_>>(), |seed| {
        let options = drawn(*seed);
        each(options.clone(), live(&options));
    });
}

/// What many seeds came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    /// Hours of the world, and those of them in which the machine was on.
    hours: i64,
    awake: i64,
    cpu: f64,
    requests: u64,
    lives: u64,
    rows: u64,
    batches: usize,
    compared: usize,
    struck: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

#[test]
#[allow(clippy::disallowed_methods)] // how long it really took
fn seeds() {
    let (began, sum) = (std::time::Instant::now(), Mutex::new(Sum::default()));
    let first = number("SEED").unwrap_or(1);
    let count = number("SEEDS").unwrap_or(if number("SEED").is_some() { 1 } else { 100 });
    through(first..first + count, |options, lived| {
        let mut sum = sum.lock().unwrap();
        sum.seeds += 1;
        sum.hours += lived.world_ms / options::HOUR;
        sum.awake += lived.awake_ms / options::HOUR;
        sum.cpu += lived.cpu;
        sum.requests += lived.requests;
        sum.lives += u64::from(lived.lives);
        sum.rows += lived.rows;
        sum.batches += lived.batches;
        sum.compared += lived.compared;
        for (what, times) in &lived.struck {
            *sum.struck.entry(what.clone()).or_default() += times;
        }
        if let Some(wrong) = lived.wrong {
            let days = (options.storm_end - options::BEGIN) / options::DAY;
            let again = format!(
                "SEED={} DAYS={days} cargo test --profile simulation --test all simulation::seeds -- --nocapture",
                options.seed
            );
            eprintln!("seed {}: {wrong}\n{options:#?}\nagain: {again}", options.seed);
            sum.wrong.push(format!("seed {}: {wrong}", options.seed));
        }
        if count == 1 {
            println!("trace {:016x}, struck {:?}", lived.trace, lived.struck);
        }
    });
    let (sum, took) = (sum.into_inner().unwrap(), began.elapsed());
    told(&sum, took);
    assert_eq!(sum.wrong, Vec::<String>::new());
    let idle: Vec<String> = Options::kinds().into_iter().filter(|kind| !sum.struck.contains_key(kind)).collect();
    if !idle.is_empty() {
        println!("never struck: {}", idle.join(", "));
    }
    // So many lives meet everything, or there is something that cannot strike.
    if count >= 1_000 && number("DAYS").is_none() {
        assert_eq!((idle, sum.compared * 2 > sum.batches), (Vec::new(), true), "{} batches compared", sum.compared);
    }
}

fn told(sum: &Sum, took: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{} seeds, {} simulated hours in {seconds:.1} s ({:.0} a second of one core), the machine on in {} of them ({:.0}); \
         {} requests, {} lives, {} rows compared, {} batches received, {} of them compared byte for byte; {} of {} kinds of fault struck",
        sum.seeds,
        sum.hours,
        sum.hours as f64 / sum.cpu,
        sum.awake,
        sum.awake as f64 / sum.cpu,
        sum.requests,
        sum.lives,
        sum.rows,
        sum.batches,
        sum.compared,
        Options::kinds().iter().filter(|kind| sum.struck.contains_key(*kind)).count(),
        Options::kinds().len()
    );
}

/// Seeds that once found a defect of the product: a `Date` that leaps ahead closed windows in the future (2); rows older than
/// what is listed were not read again after a gap in the feed (14); an error object with status 200 settled a mark (25).
#[test]
fn what_was_found_stays_mended() {
    for seed in [2, 14, 25] {
        assert_eq!(live(&Options::draw(seed, None, None)).wrong, None, "seed {seed}");
    }
}

#[test]
fn the_same_seed_is_the_same_life() {
    for seed in [3, 14, 15] {
        let options = Options::draw(seed, Some(3), None);
        let (one, again) = (live(&options), live(&options));
        assert_eq!(one.trace, again.trace, "seed {seed}");
        assert_eq!((one.requests, one.rows), (again.requests, again.rows), "seed {seed}");
    }
}
