//! The simulation judged by bugs: each deliberately wrong variant of the product must be found, and soon. With `BUGS` set
//! to a number of rounds it measures how many seeds that takes and prints the table of `docs/simulation.md`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use counterfoil::testpoint::PLANTED;

use super::life::live;
use super::number;
use super::options::Options;

/// Bugs that a simulation does not show, and the test that does: it is run with the bug, and must fail.
const ELSEWHERE: &[(&str, &str)] = &[
    // No two reads of an object are under way at a time, so no answer overtakes another.
    ("older_read_wins", "store::merge::whole_records_in_any_order"),
    // What the others would have read is read later: only how long it waited differs.
    ("one_stops_all", "sync::a_refused_stream_is_a_named_problem_and_stops_no_other"),
];

/// A bug that no seed of this many finds is missed.
const PATIENCE: u64 = 60;

/// What found a bug, and after how many seeds.
struct Found {
    seeds: u64,
    wrong: String,
}

/// True when the test that finds a bug by other means fails with it.
fn fails(bug: &str, test: &str) -> bool {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact"])
        .env("COUNTERFOIL_PLANTED", bug)
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
        .output();
    let child = child.unwrap();
    !child.status.success() && String::from_utf8_lossy(&child.stdout).contains("0 passed; 1 failed")
}

fn hunt(bug: &'static str, first: u64) -> Option<Found> {
    (0..PATIENCE).find_map(|tried| {
        let lived = live(&Options::draw(first + tried, number("DAYS").map(|days| days as i64), Some(bug)));
        lived.wrong.map(|wrong| Found { seeds: tried + 1, wrong })
    })
}

/// Of every finding the words without its particulars.
fn kind(wrong: &str) -> String {
    let plain = |word: &&str| !word.chars().any(|char| char.is_ascii_digit() || char == '/' || char == '_');
    wrong.split(';').next().unwrap_or_default().split(' ').filter(plain).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_planted_bug_is_found() {
    let rounds = number("BUGS").unwrap_or(1);
    let only = std::env::var("PLANTED").ok();
    let bugs: Vec<&'static str> =
        PLANTED.iter().copied().filter(|bug| only.as_deref().is_none_or(|only| only == *bug)).collect();
    let (next, table) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Relaxed)) {
                    if let Some((_, test)) = ELSEWHERE.iter().find(|(elsewhere, _)| elsewhere == bug) {
                        let wrong = format!("test {test}");
                        let found = fails(bug, test).then_some(Found { seeds: 0, wrong });
                        table.lock().unwrap().push((*bug, vec![found]));
                        continue;
                    }
                    let found: Vec<Option<Found>> = (0..rounds).map(|round| hunt(bug, 1 + round * PATIENCE)).collect();
                    table.lock().unwrap().push((*bug, found));
                }
            });
        }
    });
    let mut table = table.into_inner().unwrap();
    table.sort_by_key(|(bug, _)| PLANTED.iter().position(|known| known == bug));
    let mut missed = Vec::new();
    println!("| planted bug | median seeds to find it | most | told as |\n|---|---|---|---|");
    for (bug, found) in &table {
        let mut seeds: Vec<u64> = found.iter().flatten().map(|found| found.seeds).collect();
        seeds.sort_unstable();
        if seeds.len() < found.len() {
            missed.push(*bug);
        }
        let told = found.iter().flatten().next().map_or_else(String::new, |found| kind(&found.wrong));
        if let Some((_, test)) = ELSEWHERE.iter().find(|(elsewhere, _)| elsewhere == bug) {
            println!("| `{bug}` | | | the test `{test}` |");
            continue;
        }
        let (median, most) = (seeds.get(seeds.len() / 2), seeds.last());
        println!("| `{bug}` | {} | {} | {told} |", shown(median), shown(most));
    }
    assert_eq!(missed, Vec::<&str>::new(), "planted and not found");
}

fn shown(number: Option<&u64>) -> String {
    number.map_or_else(|| "missed".to_owned(), u64::to_string)
}
