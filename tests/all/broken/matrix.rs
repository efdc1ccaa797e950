//! The matrix: kinds by endpoints by places. `cargo test` takes places in turns, so that each kind meets each endpoint;
//! with `BROKEN=all` each meets each endpoint on the first, a middle and the last page, and with `BROKEN=KIND` one kind
//! alone does. Over TLS every kind comes once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::sandbox::TruthStream;
use counterfoil::sync::PassEnd;

use super::endpoints::{ENDPOINTS, Endpoint, Place, Way};
use super::house::{Case, Dump, House, NOW_MS, START_S};
use super::kinds::{End, Kind, kinds};
use super::proxy::Fault;

/// Agents at work at once: some wait while others compute.
const WORKERS: usize = 4;
/// No pass takes so long, whatever it meets.
const LONGEST: Duration = Duration::from_secs(30);
const PLACES: [Place; 3] = [Place::First, Place::Middle, Place::Last];

type Stored = BTreeMap<&'static str, Dump>;

/// One run: the fault of a kind at one place of half of the endpoints.
struct Run {
    kind: &'static Kind,
    place: Place,
    half: usize,
    lasting: bool,
}

/// How much of the matrix is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// All of it.
    All,
    /// Each kind at each endpoint, at places that take turns.
    Turns,
    /// Each kind once.
    Once,
}

fn runs(breadth: Breadth, only: Option<&str>) -> Vec<Run> {
    let mut runs = Vec::new();
    for (number, kind) in kinds().iter().enumerate().filter(|(_, kind)| only.is_none_or(|only| only == kind.name)) {
        let every = PLACES.into_iter().enumerate().flat_map(|(at, place)| [(at, place, 0), (at, place, 1)]);
        for (at, place, half) in every {
            let turn = at == (number + half) % 3;
            let wanted = match breadth {
                Breadth::All => true,
                Breadth::Turns => turn,
                Breadth::Once => turn && half == number % 2,
            };
            // That it comes only once makes a difference where another try helps.
            let once = turn && breadth != Breadth::Once && kind.once != kind.lasting;
            if wanted {
                runs.push(Run { kind, place, half, lasting: true });
                runs.extend(once.then_some(Run { kind, place, half, lasting: false }));
            }
        }
    }
    runs
}

/// What was met: by kind, the tables of the endpoints and the places.
type Seen = BTreeMap<&'static str, BTreeSet<(&'static str, &'static str)>>;

/// Does all runs; returns how many broken answers were met, and what.
fn work(tls: bool, runs: &[Run]) -> (usize, Seen) {
    let (next, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (seen, faults) = (Mutex::new(Seen::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(runs.len()) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let house = House::new(tls).await;
                    let whole = reference(&house).await;
                    while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (struck, wrong) = one(&house, &whole, run).await;
                        met.fetch_add(struck.len(), Ordering::Relaxed);
                        let place =
                            ["first", "middle", "last"][PLACES.iter().position(|one| *one == run.place).unwrap()];
                        let tables = struck.iter().map(|endpoint| (endpoint.table, place));
                        seen.lock().unwrap().entry(run.kind.name).or_default().extend(tables);
                        faults.lock().unwrap().extend(wrong);
                    }
                });
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    (met.into_inner(), seen.into_inner().unwrap())
}

/// What an undisturbed pass stores: exactly what the world holds.
async fn reference(house: &House) -> Stored {
    let case = house.case();
    let ends = case.pass().await;
    assert!(ends.values().flat_map(|end| &end.streams).all(|end| end.problem.is_none()), "{ends:?}");
    let whole = case.dump();
    for (table, stream, lag_s) in crate::sync::STREAMS {
        let before = NOW_MS - lag_s * 1000;
        let truth = house.sandbox.truth(stream, START_S, before / 1000);
        let ids: BTreeSet<String> =
            truth.into_iter().filter(|one| one.visible_ms <= NOW_MS).map(|one| one.id).collect();
        assert!(ids.len() >= 4, "{table}: {} in the world are too few", ids.len());
        let stored: BTreeSet<String> = case.column(&format!("SELECT id FROM {table}")).into_iter().collect();
        // Both ends of a search are inside, so that it may show a second more.
        let more = stored.difference(&ids).count();
        assert!(
            ids.is_subset(&stored) && (more == 0 || stream == TruthStream::CheckoutPayments && more <= 1),
            "{table}"
        );
    }
    case.end().await;
    whole
}

/// One run: a pass with the fault and one without. Returns which endpoints met it, and what was wrong.
async fn one(house: &House, whole: &Stored, run: &Run) -> (Vec<&'static Endpoint>, Vec<String>) {
    let broken: Vec<_> = ENDPOINTS.iter().filter(|one| one.half == run.half && (run.kind.on)(one)).collect();
    if broken.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let fault = Arc::new(Fault::new(run.kind, broken, run.place, run.lasting));
    let case = house.case();
    house.set(Some(&fault));
    #[allow(clippy::disallowed_methods)] // a bound of real time, for whatever the product does
    let bounded = tokio::time::timeout(LONGEST, case.pass()).await;
    let Ok(ends) = bounded else {
        house.set(None);
        return (Vec::new(), vec![format!("{}, {:?}: the pass does not end", run.kind.name, run.place)]);
    };
    house.set(None);
    let struck: Vec<_> = ENDPOINTS.iter().filter(|endpoint| fault.struck(endpoint)).collect();
    let mut judge = Judge { case: &case, whole, run, struck: &struck, wrong: Vec::new() };
    judge.after_the_fault(&ends);
    let ends = case.pass().await;
    judge.after_the_cure(&ends);
    let wrong = judge.wrong;
    case.end().await;
    (struck, wrong)
}

/// Compares what a run left with what it should have left.
struct Judge<'a> {
    case: &'a Case<'a>,
    whole: &'a Stored,
    run: &'a Run,
    struck: &'a [&'static Endpoint],
    wrong: Vec<String>,
}

impl Judge<'_> {
    fn end(&self, endpoint: &Endpoint) -> End {
        if !self.struck.iter().any(|one| one.table == endpoint.table) {
            return End::Whole;
        }
        let end = if self.run.lasting { self.run.kind.lasting } else { self.run.kind.once };
        match end {
            End::StopsAtFirst(_) if super::kinds::lists(endpoint) && self.run.place != Place::First => End::Whole,
            End::StopsAtFirst(code) => End::Stops(code),
            end => end,
        }
    }

    fn hold(&mut self, holds: bool, endpoint: &Endpoint, what: impl FnOnce() -> String) {
        if !holds {
            let Run { kind, place, lasting, .. } = self.run;
            let times = if *lasting { "each time" } else { "once" };
            self.wrong.push(format!("{} {times}, {place:?} of {}: {}", kind.name, endpoint.name(), what()));
        }
    }

    fn after_the_fault(&mut self, ends: &BTreeMap<String, PassEnd>) {
        let (stored, standing) = (self.case.dump(), self.case.standing());
        let mut expected = BTreeSet::new();
        for endpoint in ENDPOINTS {
            let end = self.end(endpoint);
            let streams = &ends[endpoint.connection].streams;
            let told = streams.iter().find(|one| one.stream == endpoint.stream).and_then(|one| one.problem.as_ref());
            let code = told.map(|problem| problem.code());
            let (mine, all) = (&stored[endpoint.table], &self.whole[endpoint.table]);
            let richer = endpoint.way == Way::Search;
            let odd = mine.iter().find(|(id, record)| !all.get(*id).is_some_and(|other| record.is(other, richer)));
            self.hold(odd.is_none(), endpoint, || format!("invented or changed: {odd:?}"));
            match end {
                End::Stops(problem) | End::StopsAtFirst(problem) => {
                    expected.insert((endpoint.table.to_owned(), problem.to_owned()));
                    self.hold(code == Some(problem), endpoint, || format!("{told:?}, not {problem}"));
                }
                End::Whole => {
                    self.hold(code.is_none(), endpoint, || format!("{told:?}"));
                    self.hold(mine.len() == all.len(), endpoint, || format!("{} of {}", mine.len(), all.len()));
                }
                End::Rejects => {
                    self.hold(code.is_none(), endpoint, || format!("{told:?}"));
                    self.hold(mine.len() + 1 == all.len(), endpoint, || format!("{} of {}", mine.len(), all.len()));
                    let sql = format!("SELECT id FROM rejected WHERE stream = '{}'", endpoint.table);
                    let counted = self.case.column(&sql).len();
                    self.hold(counted == 1, endpoint, || format!("{counted} counted as rejected"));
                }
            }
            self.checkpoints(endpoint, mine);
        }
        if standing != expected {
            let met = self.struck.first().copied().unwrap_or(&ENDPOINTS[0]);
            self.hold(false, met, || format!("{standing:?} stand, not {expected:?}"));
        }
    }

    /// A window that is walked whole has all its rows; of one that is open, all rows newer than its checkpoint are in; and
    /// none reaches beyond the provider's present.
    fn checkpoints(&mut self, endpoint: &Endpoint, mine: &Dump) {
        let table = endpoint.table;
        let sql = format!(
            "SELECT state || ' ' || from_at || ' ' || to_at || ' ' || coalesce(cursor, '') FROM coverage
             WHERE stream = '{table}'"
        );
        for line in self.case.column(&sql) {
            let words: Vec<&str> = line.split(' ').collect();
            let (from, to): (i64, i64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            let from = match words[0] {
                "complete" => from,
                _ => self.whole[table].get(words[3]).map_or(to, |checkpoint| checkpoint.at_ms + 1),
            };
            let inside = |dump: &Dump| dump.values().filter(|row| (from..to).contains(&row.at_ms)).count();
            let (there, due) = (inside(mine), inside(&self.whole[table]));
            let odd = usize::from(words[0] == "complete" && self.end(endpoint) == End::Rejects);
            self.hold(there + odd >= due, endpoint, || format!("{line}: {there} of {due} rows"));
            self.hold(to <= NOW_MS, endpoint, || format!("{line} reaches beyond the present"));
        }
    }

    fn after_the_cure(&mut self, ends: &BTreeMap<String, PassEnd>) {
        let (stored, standing) = (self.case.dump(), self.case.standing());
        for endpoint in ENDPOINTS {
            let streams = &ends[endpoint.connection].streams;
            let told = streams.iter().find(|one| one.stream == endpoint.stream).and_then(|one| one.problem.as_ref());
            self.hold(told.is_none(), endpoint, || format!("afterwards {told:?}"));
            if self.end(endpoint) != End::Rejects {
                let (mine, all) = (&stored[endpoint.table], &self.whole[endpoint.table]);
                let richer = endpoint.way == Way::Search;
                let odd = mine.iter().find(|(id, record)| !all.get(*id).is_some_and(|other| record.is(other, richer)));
                let same = odd.is_none() && mine.len() == all.len();
                self.hold(same, endpoint, || format!("afterwards {} of {}, odd: {odd:?}", mine.len(), all.len()));
            }
        }
        self.hold(standing.is_empty(), &ENDPOINTS[0], || format!("afterwards {standing:?} stand"));
    }
}

#[test]
fn every_kind_at_every_endpoint_is_stated_and_heals() {
    let asked = std::env::var("BROKEN").ok();
    let all = asked.as_deref() == Some("all");
    let only = asked.as_deref().filter(|asked| *asked != "all");
    let runs = runs(if asked.is_some() { Breadth::All } else { Breadth::Turns }, only);
    let (met, seen) = work(false, &runs);
    println!("{} kinds, {} pairs of passes, {met} broken answers met", seen.len(), runs.len());
    assert!(kinds().len() >= 40 && !runs.is_empty());
    for kind in kinds().iter().filter(|_| all) {
        let there = ENDPOINTS.iter().filter(|one| (kind.on)(one)).count();
        let endpoints: BTreeSet<_> = seen[kind.name].iter().map(|(table, _)| table).collect();
        println!("{}: {} of {} places", kind.name, seen[kind.name].len(), there * 3);
        // Of disputes there are few: a window may be too small for what needs two of a page.
        assert!(endpoints.len() + 1 >= there, "{}: at {endpoints:?} alone", kind.name);
    }
}

#[test]
fn every_kind_is_stated_and_heals_over_tls() {
    let (met, seen) = work(true, &runs(Breadth::Once, None));
    println!("{} kinds over TLS, {met} broken answers met", seen.len());
    assert_eq!(seen.len(), kinds().len());
}
