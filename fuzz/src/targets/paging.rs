//! The paging machine: the product's planner and the providers' rules for pages, driven by a drawn schedule of new objects,
//! late ones, deletions, failures and crashes, several windows at once. The oracle is what the windows are said to prove:
//! everything that could be seen in time is held, whatever happened on the way, and a pass without failure ends.

use std::collections::BTreeSet;

use counterfoil::providers::{Position, Turn, Way};
use counterfoil::store::{Window, WindowState};
use counterfoil::stream::{Page, Value};
use counterfoil::sync::fuzzing::Planner;
use counterfoil::sync::{Bounds, Purpose, SETTLE_MS, horizon, proven};

use super::draws::Draws;
use super::world::{LIMIT, Object, Refused, World, number_of, stream};

const DAY: i64 = 86_400;
const LAG: i64 = 120;
const OVERLAP: i64 = 900;
const RUNGS: &[i64] = &[1, 2, 3];
const DECLARATION: &str = "d";
/// In this order a pass goes about things.
const PURPOSES: [Purpose; 3] = [Purpose::Poll, Purpose::Again, Purpose::Backfill];
/// Windows in flight at once.
const WORKERS: usize = 4;
/// More windows than any pass over these few days can need.
const MOST_WINDOWS: usize = 20_000;

/// What lies on disk: it outlives a crash.
#[derive(Debug, Default)]
struct Disk {
    held: BTreeSet<usize>,
    windows: Vec<Window>,
    last: i64,
}

/// One window being walked.
#[derive(Debug)]
struct Walk {
    window: i64,
    from_s: i64,
    to_s: i64,
    cursor: Option<String>,
    restarted: bool,
    span: (i64, i64),
    provider_at: i64,
    walked: (i64, i64),
    /// Of a window walked by halves: what is left, newest last.
    left: Vec<(i64, i64, i64)>,
}

/// A pass under way.
struct Pass {
    planner: Planner,
    began: i64,
    horizon: i64,
    purpose: usize,
    walks: Vec<Walk>,
    /// Fresh windows handed out so far.
    out: Vec<(i64, i64)>,
    /// It went on with a window whose walk began earlier: what showed itself since is for the next pass.
    resumed: bool,
    failed: bool,
}

struct Machine {
    way: Way,
    world: World,
    disk: Disk,
    now: i64,
    /// Lost by a crash.
    size: Option<i64>,
    pass: Option<Pass>,
}

pub(super) fn run(input: &[u8]) {
    let mut draws = Draws::new(input);
    let way = *draws.pick(&[Way::List, Way::Halved]);
    let mut machine =
        Machine { way, world: World::default(), disk: Disk::default(), now: 8 * DAY, size: None, pass: None };
    for _ in 0..draws.below(24) {
        let created = draws.below(200) as i64 * DAY / 25;
        machine.add(created, created);
    }
    // Long inputs say nothing new, and every object makes every later page slower.
    for _ in 0..200 {
        if !draws.more() {
            break;
        }
        machine.step(&mut draws);
    }
    machine.finish();
    machine.now += 3600;
    machine.finish();
}

impl Machine {
    fn add(&mut self, created: i64, visible: i64) {
        self.world.objects.push(Object { created, visible, gone: false });
    }

    /// One drawn thing happens.
    fn step(&mut self, draws: &mut Draws<'_>) {
        match draws.below(16) {
            0 => self.add(self.now, self.now),
            // Seen later than made: within what a pass looks back, or within what a day is given to settle.
            1 => self.add(self.now, self.now + draws.below(OVERLAP as usize) as i64),
            2 => self.add(self.now, self.now + draws.below(3 * 24) as i64 * 3600),
            3 => (0..draws.below(40) as i64).for_each(|at| self.add(self.now + at / 3, self.now + at / 3)),
            4 => self.now += draws.below(600) as i64,
            5 => self.now += draws.below(60) as i64 * 3600,
            6 => {
                let at = draws.below(self.world.objects.len().max(1));
                self.world.objects.get_mut(at).into_iter().for_each(|object| object.gone = true);
            }
            7 => (self.pass, self.size) = (None, None),
            8 => self.fail(draws),
            _ if self.pass.is_none() => self.begin(),
            _ => {
                self.fill();
                let walks = self.pass.as_ref().map_or(0, |pass| pass.walks.len());
                self.page(draws.below(walks.max(1)));
            }
        }
        self.hold();
    }

    /// Whatever is under way, or else a new pass, goes on to its end without a failure.
    fn finish(&mut self) {
        if self.pass.is_none() {
            self.begin();
        }
        while self.pass.is_some() {
            self.fill();
            self.page(0);
        }
        self.hold();
    }

    fn begin(&mut self) {
        let horizon = (self.now - LAG) * 1000;
        let bounds = Bounds { start: 0, horizon, overlap: OVERLAP * 1000, rungs: RUNGS, demands: Vec::new() };
        let planner = Planner::new(bounds, DECLARATION, self.disk.windows.clone(), self.size);
        let (began, walks, out) = (self.now, Vec::new(), Vec::new());
        self.pass = Some(Pass { planner, began, horizon, purpose: 0, walks, out, resumed: false, failed: false });
    }

    /// Hands out windows; a pass with nothing left to hand out and nothing under way is over.
    fn fill(&mut self) {
        let Some(pass) = &mut self.pass else { return };
        while !pass.failed && pass.walks.len() < WORKERS && pass.purpose < PURPOSES.len() {
            let Some((resumed, span)) = pass.planner.next(PURPOSES[pass.purpose]) else {
                // A purpose begins when the one before has ended.
                if !pass.walks.is_empty() {
                    break;
                }
                pass.purpose += 1;
                continue;
            };
            assert!(0 <= span.0 && span.0 < span.1 && span.1 <= pass.horizon, "{span:?} is outside the frame");
            assert!(span.0 % 1000 == 0 && span.1 % 1000 == 0, "{span:?} is not walked as it is told");
            let old = resumed.and_then(|window| self.disk.windows.iter().find(|old| old.window == window));
            let (window, cursor, provider_at) = match old {
                Some(old) => {
                    pass.resumed = true;
                    (old.window, old.cursor.clone(), old.provider_at.unwrap_or(0))
                }
                None => {
                    let apart = pass.out.iter().all(|(from, to)| span.1 <= *from || *to <= span.0);
                    assert!(apart, "{span:?} is handed out twice");
                    pass.out.push(span);
                    assert!(pass.out.len() < MOST_WINDOWS, "the pass does not end");
                    (self.disk.open(span, self.now * 1000), None, self.now * 1000)
                }
            };
            let (from_s, to_s) = (span.0.div_euclid(1000), span.1.div_euclid(1000));
            let (restarted, walked, left) = (false, (0, 0), vec![(window, from_s, to_s)]);
            let span = (from_s * 1000, to_s * 1000);
            pass.walks.push(Walk { window, from_s, to_s, cursor, restarted, span, provider_at, walked, left });
        }
        if pass.walks.is_empty() {
            self.over();
        }
    }

    /// The pass is over. Without a failure, all that could be seen when it began is held, as late as overlap allows.
    fn over(&mut self) {
        let Some(pass) = self.pass.take().filter(|pass| !pass.failed) else { return };
        self.size = Some(pass.planner.size());
        let in_time = |object: &Object| object.visible <= object.created + OVERLAP && object.visible <= pass.began;
        if !pass.resumed {
            self.holds_all((0, pass.horizon), in_time, "a pass without failure");
        }
        let known = horizon(&self.disk.windows, 0, DECLARATION);
        if self.disk.windows.iter().all(|window| window.state == WindowState::Complete) {
            assert_eq!(
                (known.listed_from, known.listed_to),
                (Some(0), Some(pass.horizon)),
                "a pass reaches the horizon"
            );
        }
    }

    /// One walk gets no answer: the stream has failed, and no more windows are handed out.
    fn fail(&mut self, draws: &mut Draws<'_>) {
        let Some(pass) = self.pass.as_mut().filter(|pass| !pass.walks.is_empty()) else { return };
        let at = draws.below(pass.walks.len());
        pass.walks.remove(at);
        pass.failed = true;
    }

    /// One page of one walk is read and committed.
    fn page(&mut self, at: usize) {
        let Some(mut walk) = self.pass.as_mut().filter(|pass| at < pass.walks.len()).map(|pass| pass.walks.remove(at))
        else {
            return;
        };
        let ended = match self.way {
            Way::List => self.list(&mut walk),
            Way::Halved => self.halve(&mut walk),
        };
        let Some(pass) = &mut self.pass else { return };
        match ended {
            Ok(true) => pass.planner.done(walk.span, walk.provider_at, walk.walked),
            Ok(false) => pass.walks.insert(at, walk),
            Err(Refused) => pass.failed = true,
        }
    }

    fn ask(&self, at: &Position) -> Result<(Page, Turn), Refused> {
        let ready = stream(self.way);
        let (provider, stream) = ready.of.expect("a declared stream");
        let body = self.world.answer(self.way, &(provider.request)(stream, at), self.now)?;
        let page = ready.projection.page(body.into_bytes(), &ready.shape).expect("a page of ours");
        let turn = (provider.page)(stream, &page, at).expect("a page of ours is no contradiction");
        Ok((page, turn))
    }

    fn list(&mut self, walk: &mut Walk) -> Result<bool, Refused> {
        let at = Position { from_s: walk.from_s, to_s: walk.to_s, cursor: walk.cursor.clone(), limit: LIMIT };
        let (page, turn) = match self.ask(&at) {
            // The cursor's object is gone: once, the window is walked again from its beginning.
            Err(Refused) if !walk.restarted => {
                (walk.cursor, walk.restarted) = (None, true);
                let now = self.now * 1000;
                let window = self.disk.window(walk.window);
                (window.cursor, window.provider_at) = (None, Some(now));
                return Ok(false);
            }
            asked => asked?,
        };
        self.keep(&page);
        walk.walked = (walk.walked.0 + 1, walk.walked.1 + page.records as i64);
        match turn {
            Turn::More(next) => {
                assert_ne!(walk.cursor.as_ref(), Some(&next), "the same page twice");
                self.disk.window(walk.window).cursor = Some(next.clone());
                walk.cursor = Some(next);
                Ok(false)
            }
            Turn::Done => {
                self.disk.complete(walk.window);
                Ok(true)
            }
            Turn::TooFull => panic!("a list is never too full"),
        }
    }

    fn halve(&mut self, walk: &mut Walk) -> Result<bool, Refused> {
        let Some((window, from_s, to_s)) = walk.left.pop() else { return Ok(true) };
        let (page, turn) = self.ask(&Position { from_s, to_s, cursor: None, limit: LIMIT })?;
        walk.walked = (walk.walked.0 + 1, walk.walked.1 + page.records as i64);
        match turn {
            Turn::Done => {
                self.keep(&page);
                self.disk.complete(window);
            }
            Turn::TooFull if to_s - from_s <= 1 => {
                self.keep(&page);
                self.disk.give_up(window);
            }
            Turn::TooFull => {
                let middle = from_s + (to_s - from_s) / 2;
                let newer = self.disk.split(window, middle * 1000);
                walk.left.extend([(window, from_s, middle), (newer, middle, to_s)]);
            }
            Turn::More(_) => panic!("a search never goes on"),
        }
        Ok(walk.left.is_empty())
    }

    /// The page's rows are held; each says what the world says.
    fn keep(&mut self, page: &Page) {
        let ready = stream(self.way);
        let table = ready.declaration.main();
        let clock = ready.of.expect("a declared stream").1.clock.0;
        let cell = |name| table.column(name).and_then(|column| ready.projection.cell_of(column)).expect("a column");
        for row in 0..page.tables[0].len() {
            let row = page.tables[0].row(row);
            let number = number_of(page.text(row[cell("id")]));
            assert_eq!(page.value(row[cell(clock)]), Value::Int(self.world.objects[number].created * 1000));
            self.disk.held.insert(number);
        }
    }

    /// What the windows prove, at any moment.
    fn hold(&self) {
        let windows = &self.disk.windows;
        let known = horizon(windows, 0, DECLARATION);
        if let (Some(from), Some(to)) = (known.listed_from, known.listed_to) {
            self.holds_all((from, to), |object| object.visible == object.created, "listed");
            let settled = |object: &Object| (object.visible - object.created) * 1000 <= SETTLE_MS;
            self.holds_all((from, known.settled_to.unwrap_or(from)), settled, "settled");
            let proven = proven(windows, 0, DECLARATION).map_or(0, |proven| proven - SETTLE_MS);
            self.holds_all((0, proven), settled, "proven");
        }
    }

    /// Of the objects made in a stretch that is no stated gap, each that is there and fits is held.
    fn holds_all(&self, (from, to): (i64, i64), fits: impl Fn(&Object) -> bool, what: &str) {
        for (number, object) in self.world.objects.iter().enumerate() {
            let at = object.created * 1000;
            let gap =
                |window: &Window| window.state == WindowState::Gap && (window.from_at..window.to_at).contains(&at);
            if (from..to).contains(&at) && !object.gone && fits(object) && !self.disk.windows.iter().any(gap) {
                assert!(
                    self.disk.held.contains(&number),
                    "{what}: {object:?} is not held at {}: {:?}",
                    self.now,
                    self.disk
                );
            }
        }
    }
}

impl Disk {
    fn open(&mut self, (from_at, to_at): (i64, i64), provider_at: i64) -> i64 {
        self.last += 1;
        let (window, declaration, provider_at) = (self.last, DECLARATION.into(), Some(provider_at));
        let (state, cursor, pages, rows, reason) = (WindowState::Open, None, 0, 0, None);
        self.windows.push(Window {
            window,
            from_at,
            to_at,
            state,
            cursor,
            pages,
            rows,
            provider_at,
            declaration,
            reason,
        });
        window
    }

    fn window(&mut self, window: i64) -> &mut Window {
        self.windows.iter_mut().find(|own| own.window == window).expect("a window that was opened")
    }

    /// Walked whole: an earlier walk of the same time says nothing more.
    fn complete(&mut self, window: i64) {
        let own = self.window(window);
        (own.state, own.cursor) = (WindowState::Complete, None);
        let own = own.clone();
        self.windows.retain(|old| {
            let within = own.from_at <= old.from_at && old.to_at <= own.to_at && old.provider_at <= own.provider_at;
            old.window == window || old.state == WindowState::Open || !within
        });
    }

    fn split(&mut self, window: i64, middle: i64) -> i64 {
        let own = self.window(window);
        let (to_at, provider_at) = (std::mem::replace(&mut own.to_at, middle), own.provider_at.unwrap_or(0));
        self.open((middle, to_at), provider_at)
    }

    fn give_up(&mut self, window: i64) {
        let own = self.window(window);
        (own.state, own.cursor) = (WindowState::Gap, None);
        let (from, to) = (own.from_at, own.to_at);
        self.windows.retain(|old| {
            old.window == window || old.state != WindowState::Gap || (old.from_at, old.to_at) != (from, to)
        });
    }
}
