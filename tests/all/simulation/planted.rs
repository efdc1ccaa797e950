//! The simulation judged by bugs: every planted bug of which `crate::planted::FOUND` says that a seed finds it is hunted at
//! that seed. The dice fall otherwise when the product asks otherwise: then the seeds that follow are tried too, and a bug
//! that none of them finds is missed.
//!
//! ```sh
//! cargo test --test all simulation::planted                          # those that are found soon
//! BUGS=0 cargo test --profile simulation --test all simulation::planted -- --nocapture   # all, as the gate does
//! BUGS=5 cargo test --profile simulation --test all simulation::planted -- --nocapture   # the table of docs/simulation.md
//! ```
//!
//! With a number of rounds each bug is hunted so often, from other first seeds each time, through storms as long as the seed
//! draws them; `DAYS` sets their length, `PLANTED` names a single bug.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::planted::{By, FOUND};

use super::life::live;
use super::number;
use super::options::Options;

/// A bug that no seed of this many finds is missed.
const PATIENCE: u64 = 40;
/// The same where the first of them is known to find it.
const KNOWN_PATIENCE: u64 = 8;
/// From one round's first seed to the next one's.
const ROUND: u64 = 1_000;

/// A bug, and the seeds by which to look for it.
#[derive(Clone, Copy)]
struct Hunt {
    bug: &'static str,
    first: u64,
    patience: u64,
    /// Days of storm; `None`: as the seed says.
    days: Option<i64>,
}

/// How a hunt ended: after how many seeds, seconds of processor time, and what was told.
struct Ended {
    bug: &'static str,
    seeds: u64,
    cpu: f64,
    told: Option<String>,
}

impl Hunt {
    fn run(self) -> Ended {
        let mut ended = Ended { bug: self.bug, seeds: 0, cpu: 0.0, told: None };
        while ended.seeds < self.patience && ended.told.is_none() {
            let lived = live(&Options::draw(self.first + ended.seeds, self.days, Some(self.bug)));
            (ended.seeds, ended.cpu, ended.told) = (ended.seeds + 1, ended.cpu + lived.cpu, lived.wrong);
        }
        ended
    }
}

/// The hunts that are asked for; `rounds` as the environment says.
fn hunts(rounds: Option<u64>) -> Vec<Hunt> {
    let only = std::env::var("PLANTED").ok();
    let mut hunts = Vec::new();
    for (bug, by) in FOUND.iter().filter(|(bug, _)| only.as_deref().is_none_or(|only| only == *bug)) {
        let By::Seed { seed, days, soon } = by else { continue };
        let known = Hunt { bug, first: *seed, patience: KNOWN_PATIENCE, days: Some(*days) };
        match rounds {
            None if *soon => hunts.push(known),
            None => {}
            Some(0) => hunts.push(known),
            Some(rounds) => {
                let days = number("DAYS").map(|days| days as i64);
                let round = |round| Hunt { bug, first: 1 + round * ROUND, patience: PATIENCE, days };
                hunts.extend((0..rounds).map(round));
            }
        }
    }
    hunts
}

/// Goes through all hunts on all cores; the order stays.
fn all(hunts: &[Hunt]) -> Vec<Ended> {
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Relaxed);
                    let Some(hunt) = hunts.get(at) else { return };
                    let one = hunt.run();
                    ended.lock().unwrap().push((at, one));
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap();
    ended.sort_by_key(|(at, _)| *at);
    ended.into_iter().map(|(_, one)| one).collect()
}

/// Of every finding the words without its particulars.
fn kind(wrong: &str) -> String {
    let plain = |word: &&str| !word.chars().any(|char| char.is_ascii_digit() || char == '/' || char == '_');
    wrong.split(';').next().unwrap_or_default().split(' ').filter(plain).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_planted_bug_is_found() {
    let rounds = number("BUGS");
    let hunts = hunts(rounds);
    let ended = all(&hunts);
    match rounds {
        Some(1..) => table(&ended),
        _ => hunts.iter().zip(&ended).for_each(|(hunt, ended)| line(*hunt, ended)),
    }
    let missed: Vec<&str> = ended.iter().filter(|one| one.told.is_none()).map(|one| one.bug).collect();
    assert_eq!(missed, Vec::<&str>::new(), "planted and not found");
}

fn line(hunt: Hunt, ended: &Ended) {
    let (bug, seed) = (ended.bug, hunt.first + ended.seeds - 1);
    let moved = if ended.seeds > 1 { format!(", no longer at {}", hunt.first) } else { String::new() };
    let told = ended.told.as_deref().map_or("missed".to_owned(), kind);
    let days = hunt.days.unwrap_or_default();
    println!("bug {bug}: seed {seed}{moved}, storm of {days} days, {:.1} s: {told}", ended.cpu);
}

fn table(ended: &[Ended]) {
    println!("| planted bug | median of seeds to find it | most | told as |\n|---|---|---|---|");
    for hunts in ended.chunk_by(|one, next| one.bug == next.bug) {
        // A bug that was missed needs more seeds than any.
        let mut seeds: Vec<u64> =
            hunts.iter().map(|one| if one.told.is_some() { one.seeds } else { u64::MAX }).collect();
        seeds.sort_unstable();
        let shown = |seeds: u64| if seeds == u64::MAX { format!("over {PATIENCE}") } else { seeds.to_string() };
        let told = hunts.iter().find_map(|one| one.told.as_deref()).map_or_else(String::new, kind);
        let (median, most) = (shown(seeds[seeds.len() / 2]), shown(seeds[seeds.len() - 1]));
        println!("| `{}` | {median} | {most} | {told} |", hunts[0].bug);
    }
}
