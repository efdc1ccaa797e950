//! The simulation judged by bugs: every planted bug of which `crate::planted::FOUND` says that a seed finds it is hunted at
//! that seed. The dice fall otherwise when the product asks otherwise: then the seeds that follow are tried too, and a bug
//! that none of them finds is missed.
//!
//! ```sh
//! cargo test --test all simulation::planted                          # each at its seed
//! BUGS=0 cargo test --profile simulation --test all simulation::planted -- --nocapture   # the same seeds without a bug, too
//! BUGS=5 cargo test --profile simulation --test all simulation::planted -- --nocapture   # the table of docs/simulation.md
//! ```
//!
//! With a number of rounds each bug is hunted so often, from another first seed each time, through storms as long as the list
//! says; `DAYS` sets another length, `PLANTED` names a single bug. `BUGS=1 DAYS=1` finds new seeds for the list.

use std::collections::BTreeSet;

use crate::planted::{By, FOUND, side_by_side};

use super::life::live;
use super::number;
use super::options::Options;

/// A bug that no seed of this many finds is missed.
const PATIENCE: u64 = 40;
/// The same where the first of them is known to find it.
const KNOWN_PATIENCE: u64 = 20;
/// From one round's first seed to the next one's.
const ROUND: u64 = 1_000;

/// A bug, and the seeds by which to look for it.
struct Hunt {
    bug: &'static str,
    first: u64,
    patience: u64,
    /// Days of storm.
    days: i64,
}

/// How a hunt ended: the seed that it ended with, seconds of processor time, and what was told if the bug was found.
struct Ended {
    last: u64,
    cpu: f64,
    told: Option<String>,
}

impl Hunt {
    fn run(&self) -> Ended {
        let mut ended = Ended { last: self.first, cpu: 0.0, told: None };
        for seed in self.first..self.first + self.patience {
            let lived = live(&Options::draw(seed, Some(self.days), Some(self.bug)));
            ended = Ended { last: seed, cpu: ended.cpu + lived.cpu, told: lived.wrong };
            if ended.told.is_some() {
                break;
            }
        }
        ended
    }
}

/// The hunts that are asked for: `rounds` of each bug, or one from where the list says.
fn hunts(rounds: u64) -> Vec<Hunt> {
    let only = std::env::var("PLANTED").ok();
    let mut hunts = Vec::new();
    for (bug, by) in FOUND.iter().filter(|(bug, _)| only.as_deref().is_none_or(|only| only == *bug)) {
        let hunt = |first, patience, days| Hunt { bug, first, patience, days };
        let usual = match by {
            By::Seed(seed, days) if rounds == 0 => {
                hunts.push(hunt(*seed, KNOWN_PATIENCE, *days));
                continue;
            }
            By::Seed(_, days) => *days,
            // Seeds may find it too, for whoever asks.
            By::Scenario if only.is_some() => 1,
            By::Scenario => continue,
        };
        let days = number("DAYS").map_or(usual, |days| days as i64);
        hunts.extend((0..rounds).map(|round| hunt(1 + round * ROUND, PATIENCE, days)));
    }
    hunts
}

/// Of every finding the words without its particulars.
fn kind(wrong: &str) -> String {
    let plain = |word: &&str| !word.chars().any(|char| char.is_ascii_digit() || char == '/' || char == '_');
    wrong.split(';').next().unwrap_or_default().split(' ').filter(plain).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_planted_bug_is_found() {
    let rounds = number("BUGS");
    let hunts = hunts(rounds.unwrap_or(0));
    let ended = side_by_side(&hunts, |hunt| {
        let ended = hunt.run();
        let told = ended.told.as_deref().map_or("missed".to_owned(), kind);
        let (Hunt { bug, first, days, .. }, Ended { last, cpu, .. }) = (hunt, &ended);
        println!("bug {bug}: seeds {first} to {last}, {days} days of storm, {cpu:.1} s: {told}");
        ended
    });
    if rounds == Some(0) {
        nothing_without(hunts.iter().zip(&ended).map(|(hunt, ended)| (ended.last, hunt.days)).collect());
    }
    if rounds.is_some_and(|rounds| rounds > 0) {
        table(&hunts, &ended);
    }
    let missed = hunts.iter().zip(&ended).filter(|(_, ended)| ended.told.is_none());
    assert_eq!(missed.map(|(hunt, _)| hunt.bug).collect::<Vec<_>>(), Vec::<&str>::new(), "planted and not found");
}

/// The same lives without a bug: what was told of them is told of the bug.
fn nothing_without(lives: BTreeSet<(u64, i64)>) {
    let lives: Vec<_> = lives.into_iter().collect();
    let wrong = side_by_side(&lives, |(seed, days)| {
        live(&Options::draw(*seed, Some(*days), None)).wrong.map(|wrong| format!("seed {seed}, {days} days: {wrong}"))
    });
    assert_eq!(wrong.into_iter().flatten().collect::<Vec<_>>(), Vec::<String>::new(), "without any bug");
}

fn table(hunts: &[Hunt], ended: &[Ended]) {
    println!("| planted bug | days of storm | median of seeds to find it | most | told as |\n|---|---|---|---|---|");
    let all: Vec<_> = hunts.iter().zip(ended).collect();
    for rounds in all.chunk_by(|(one, _), (next, _)| one.bug == next.bug) {
        let count = |(hunt, ended): &(&Hunt, &Ended)| ended.told.as_ref().map(|_| ended.last - hunt.first + 1);
        // One that was missed needs more seeds than any.
        let mut seeds: Vec<u64> = rounds.iter().map(|round| count(round).unwrap_or(u64::MAX)).collect();
        seeds.sort_unstable();
        let shown = |seeds: u64| if seeds == u64::MAX { format!("over {PATIENCE}") } else { seeds.to_string() };
        let told = rounds.iter().find_map(|(_, ended)| ended.told.as_deref()).map_or_else(String::new, kind);
        let (median, most) = (shown(seeds[seeds.len() / 2]), shown(seeds[seeds.len() - 1]));
        let Hunt { bug, days, .. } = rounds[0].0;
        println!("| `{bug}` | {days} | {median} | {most} | {told} |");
    }
}
