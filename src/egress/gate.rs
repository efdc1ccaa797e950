//! The gate: turns events into cells, and makes no cell of fewer than k people. Pure: no clock, no file, no order
//! dependence. It is the only place where a [`Cell`] can come from. It does not decide which events are due.
//!
//! A cell cannot be made by hand:
//! ```compile_fail,E0451
//! use counterfoil::egress::{gate::Cell, wire::*};
//! let codes = Codes { outcome: Outcome::Error, provider: Provider::Any, scheme: Scheme::Any, funding: Funding::Any };
//! let cell = Cell { codes, count: Count::new(3).unwrap() };
//! ```

use std::collections::{BTreeMap, HashMap};

use super::registry::View;
use super::wire::{Codes, Count};
use crate::testpoint::planted;

/// An event's keyed id, for release-once.
pub type Mark = [u8; 16];

/// One event at the gate. It has no `Debug`: tokens appear in no output.
#[derive(Clone)]
pub struct Event {
    /// Its keyed id.
    pub mark: Mark,
    /// The account: tokens of different accounts cannot be compared.
    pub account: i64,
    /// Its codes.
    pub codes: Codes,
    /// The card's keyed hash, where known.
    pub card: Option<Box<str>>,
    /// The payer's keyed hash, where known.
    pub payer: Option<Box<str>>,
}

/// A released group: its codes and how many events it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    codes: Codes,
    count: Count,
}

impl Cell {
    /// Its codes.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// Its number of events.
    pub fn count(&self) -> Count {
        self.count
    }
}

/// What the gate made of a set of events: a partition.
#[derive(Debug, Default)]
pub struct Gated {
    /// The cells, in ascending order of their codes.
    pub cells: Vec<Cell>,
    /// For each cell the events in it, as indices into the input.
    pub members: Vec<Vec<usize>>,
    /// The events that no cell could take.
    pub held: Vec<usize>,
}

/// Groups the events by the view; a group of fewer than `k` contributors moves up the ladder together with the other
/// groups that failed, and what fails at the top is held. Groups that pass stay where they are, so every event is in at
/// most one cell and no total is stated twice.
pub fn gate(view: &View, events: &[Event], k: u32) -> Gated {
    let k = if planted("small_cells") { 1 } else { k };
    let mut passed: Vec<(Cell, Vec<usize>)> = Vec::new();
    let mut failed: Vec<(Codes, usize)> = events.iter().enumerate().map(|(index, e)| (e.codes, index)).collect();
    for step in std::iter::once(None).chain(view.ladder.iter().map(Some)) {
        let mut groups: BTreeMap<Codes, Vec<usize>> = BTreeMap::new();
        for (codes, index) in failed.drain(..) {
            groups.entry(step.map_or(codes, |dim| codes.without(*dim))).or_default().push(index);
        }
        for (codes, members) in groups {
            match Count::new(members.len()).filter(|_| contributors(events, &members) >= k as usize) {
                Some(count) => passed.push((Cell { codes, count }, members)),
                None => failed.extend(members.into_iter().map(|index| (codes, index))),
            }
        }
    }
    passed.sort_by_key(|(cell, _)| cell.codes.sort_key());
    let (cells, members) = passed.into_iter().unzip();
    Gated { cells, members, held: failed.into_iter().map(|(_, index)| index).collect() }
}

/// How many people a group certainly holds: cards, where two cards that one payer used (or two payers of one card) count
/// once; so never more than the distinct cards, nor than the distinct payers where all are known. Events without a card
/// token count for nobody. One person may pay through several accounts, hence the largest account and not the sum.
fn contributors(events: &[Event], members: &[usize]) -> usize {
    let mut accounts: BTreeMap<i64, Holders<'_>> = BTreeMap::new();
    for event in members.iter().filter_map(|index| events.get(*index)) {
        if let Some(card) = &event.card {
            accounts.entry(event.account).or_default().add(card, event.payer.as_deref());
        }
    }
    accounts.values().map(|holders| holders.distinct).max().unwrap_or(0)
}

/// Cards and payers, joined where one event shows both (disjoint sets).
#[derive(Default)]
struct Holders<'a> {
    cards: HashMap<&'a str, usize>,
    payers: HashMap<&'a str, usize>,
    parent: Vec<usize>,
    distinct: usize,
}

impl<'a> Holders<'a> {
    fn add(&mut self, card: &'a str, payer: Option<&'a str>) {
        let fresh = self.parent.len();
        let card = *self.cards.entry(card).or_insert(fresh);
        self.admit(card);
        if let Some(payer) = payer {
            let fresh = self.parent.len();
            let payer = *self.payers.entry(payer).or_insert(fresh);
            self.admit(payer);
            let (a, b) = (self.root(card), self.root(payer));
            if a != b {
                self.parent[a] = b;
                self.distinct -= 1;
            }
        }
    }

    fn admit(&mut self, node: usize) {
        if node == self.parent.len() {
            self.parent.push(node);
            self.distinct += 1;
        }
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.parent[node] != node {
            self.parent[node] = self.parent[self.parent[node]];
            node = self.parent[node];
        }
        node
    }
}
