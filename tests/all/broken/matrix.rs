//! The matrix: kinds by endpoints by places. `cargo test` takes places in turns, so that each kind meets each list, and
//! either the feed or single reads; with `BROKEN=all` each meets each endpoint on the first, a middle and the last page
//! (object, of single reads), and with `BROKEN=KIND` one kind alone does. Over TLS every kind comes once, and with
//! `BROKEN_OVER=tls` all that is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::sandbox::TruthStream;

use super::endpoints::{ENDPOINTS, Endpoint, GROUPS, Place, Scene};
use super::house::{House, NOW_MS, START_S};
use super::judge::{Facts, Judge};
use super::kinds::{Kind, kinds};
use super::proxy::Fault;

/// Agents at work at once: some wait while others compute.
const WORKERS: usize = 4;
/// No pass takes so long, whatever it meets.
const LONGEST: Duration = Duration::from_secs(120);
const PLACES: [Place; 3] = [Place::First, Place::Middle, Place::Last];

/// One run: the fault of a kind at one place of the endpoints of a group.
pub(super) struct Run {
    pub(super) kind: &'static Kind,
    pub(super) place: Place,
    pub(super) group: usize,
    pub(super) lasting: bool,
}

/// How much of the matrix is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// All of it.
    All,
    /// Each kind at each list and one other group, at places that take turns.
    Turns,
    /// Each kind once.
    Once,
}

fn runs(breadth: Breadth, only: Option<&str>) -> Vec<Run> {
    let mut runs = Vec::new();
    for (number, kind) in kinds().iter().enumerate().filter(|(_, kind)| only.is_none_or(|only| only == kind.name)) {
        // The groups that have an endpoint for this kind: the lists come first.
        let groups: Vec<usize> = (0..GROUPS.len()).filter(|group| broken(kind, *group).next().is_some()).collect();
        let (lists, other): (Vec<_>, Vec<_>) = groups.iter().partition(|group| GROUPS[**group] == Scene::First);
        let in_turn = |groups: &[usize]| groups.get(number % groups.len().max(1)).copied();
        let chosen: Vec<usize> = match breadth {
            Breadth::All => groups.clone(),
            Breadth::Turns => lists.into_iter().chain(in_turn(&other)).collect(),
            Breadth::Once => in_turn(&groups).into_iter().collect(),
        };
        for (group, at) in chosen.iter().flat_map(|group| [(*group, 0), (*group, 1), (*group, 2)]) {
            let (place, turn) = (PLACES[at], at == (number + group) % 3);
            if turn || breadth == Breadth::All {
                runs.push(Run { kind, place, group, lasting: true });
            }
            // That it comes only once makes a difference where another try helps.
            let once = breadth == Breadth::All || breadth == Breadth::Turns && in_turn(&chosen) == Some(group);
            if turn && once && kind.differs() {
                runs.push(Run { kind, place, group, lasting: false });
            }
        }
    }
    runs
}

/// The endpoints of a group that a kind can break.
fn broken(kind: &Kind, group: usize) -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(move |one| one.group == group && (kind.on)(one))
}

/// What was met: by kind, the names of the endpoints and the places.
type Seen = BTreeMap<&'static str, BTreeSet<(String, &'static str)>>;

/// Does all runs; returns how many broken answers were met, and what.
fn work(tls: bool, runs: &[Run]) -> (usize, Seen) {
    let (next, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (seen, faults) = (Mutex::new(Seen::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(runs.len()) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let house = House::lived_in(tls).await;
                    let facts = facts(&house).await;
                    while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (struck, wrong) = one(&house, &facts[&GROUPS[run.group]], run).await;
                        met.fetch_add(struck.len(), Ordering::Relaxed);
                        let place =
                            ["first", "middle", "last"][PLACES.iter().position(|one| *one == run.place).unwrap()];
                        let tables = struck.iter().map(|(endpoint, _)| (endpoint.name(), place));
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

/// What is known of each scene: of a new agent, that an undisturbed pass stores exactly what the world holds.
async fn facts(house: &House) -> BTreeMap<Scene, Facts> {
    let mut all = BTreeMap::new();
    for scene in [Scene::First, Scene::Later, Scene::Searching] {
        let case = house.case_of(scene);
        let (before, position) = (case.dump(), case.position());
        let ends = case.pass().await;
        assert!(ends.values().flat_map(|end| &end.streams).all(|end| end.problem.is_none()), "{ends:?}");
        let marks = case.marks();
        assert!(scene == Scene::First || marks.is_empty(), "{scene:?}: {marks:?}");
        assert_ne!(case.position(), position);
        let whole = case.dump();
        for (table, stream, lag_s) in crate::sync::STREAMS {
            let truth = house.sandbox.truth(stream, START_S, NOW_MS / 1000 - lag_s);
            let ids: BTreeSet<&String> =
                truth.iter().filter(|one| one.visible_ms <= NOW_MS).map(|one| &one.id).collect();
            assert!(ids.len() >= 4, "{table}: {} in the world are too few", ids.len());
            let stored: BTreeSet<&String> = whole[table].keys().collect();
            let more = if scene == Scene::First { stored.difference(&ids).count() } else { 0 };
            // Both ends of a search are inside, so that it may show a second more.
            let most = usize::from(stream == TruthStream::CheckoutPayments);
            assert!(ids.is_subset(&stored) && more <= most, "{table}");
        }
        case.end().await;
        all.insert(scene, Facts { before, position, whole, marks });
    }
    all
}

/// One run: a pass with the fault and one without. Returns which endpoints met it, and what was wrong.
async fn one(house: &House, facts: &Facts, run: &Run) -> (Vec<(&'static Endpoint, String)>, Vec<String>) {
    let fault = Arc::new(Fault::new(run.kind, broken(run.kind, run.group).collect(), run.place, run.lasting));
    let case = house.case_of(GROUPS[run.group]);
    house.set(Some(&fault));
    #[allow(clippy::disallowed_methods)] // a bound of real time, for whatever the product does
    let bounded = tokio::time::timeout(LONGEST, case.pass()).await;
    let Ok(ends) = bounded else {
        house.set(None);
        return (Vec::new(), vec![format!("{}, {:?}: the pass does not end", run.kind.name, run.place)]);
    };
    house.set(None);
    let struck = fault.all_struck();
    let mut judge = Judge::new(&case, facts, run, &struck);
    judge.after_the_fault(&ends);
    let ends = case.pass().await;
    judge.after_the_cure(&ends);
    let wrong = judge.wrong;
    case.end().await;
    (struck, wrong)
}

#[test]
fn every_kind_at_every_endpoint_is_stated_and_heals() {
    let asked = std::env::var("BROKEN").ok();
    let all = asked.as_deref() == Some("all");
    let only = asked.as_deref().filter(|asked| *asked != "all");
    let runs = runs(if asked.is_some() { Breadth::All } else { Breadth::Turns }, only);
    let tls = std::env::var("BROKEN_OVER").is_ok_and(|over| over == "tls");
    let (met, seen) = work(tls, &runs);
    println!("{} kinds, {} pairs of passes, {met} broken answers met", seen.len(), runs.len());
    assert!(kinds().len() >= 40 && !runs.is_empty());
    let met_at = |endpoint: &Endpoint| seen.values().flatten().any(|(name, _)| *name == endpoint.name());
    assert!(only.is_some() || ENDPOINTS.iter().all(met_at), "an endpoint was never broken: {seen:?}");
    for kind in kinds().iter().filter(|kind| all || only == Some(kind.name)) {
        let there = ENDPOINTS.iter().filter(|one| (kind.on)(one)).count();
        let endpoints: BTreeSet<_> = seen[kind.name].iter().map(|(table, _)| table).collect();
        println!("{}: {} of {} places: {:?}", kind.name, seen[kind.name].len(), there * 3, seen[kind.name]);
        // Of disputes there are few: a window may be too small for what needs two of a page.
        assert!(endpoints.len() + 1 >= there, "{}: at {endpoints:?} alone", kind.name);
    }
    if all {
        every_place(&seen);
    }
}

/// Every endpoint was broken at its first, a middle and its last page; but disputes are so few that, marked, they are read by
/// one window behind the first.
fn every_place(seen: &Seen) {
    let met: BTreeSet<(String, &str)> = seen.values().flatten().cloned().collect();
    let there = kinds().iter().map(|kind| 3 * ENDPOINTS.iter().filter(|one| (kind.on)(one)).count()).sum::<usize>();
    println!("{} of {there} kinds at places were met", seen.values().map(BTreeSet::len).sum::<usize>());
    let all = ENDPOINTS.iter().flat_map(|one| ["first", "middle", "last"].map(|place| (one.name(), place)));
    let unmet: Vec<(String, &str)> = all.filter(|place| !met.contains(place)).collect();
    let few = ["/v1/disputes/ One", "/disputes/ One"].into_iter();
    let few: BTreeSet<_> = few.flat_map(|name| ["middle", "last"].map(|place| (name.to_owned(), place))).collect();
    assert_eq!(unmet.into_iter().collect::<BTreeSet<_>>(), few);
}

#[test]
fn every_kind_is_stated_and_heals_over_tls() {
    let (met, seen) = work(true, &runs(Breadth::Once, None));
    println!("{} kinds over TLS, {met} broken answers met", seen.len());
    assert_eq!(seen.len(), kinds().len());
}
