//! The gate's laws, by example and over random events, with a naive oracle.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::egress::gate::{Event, Gated, gate};
use counterfoil::egress::registry::ATTEMPTS;
use counterfoil::egress::wire::{Codes, Funding, Outcome, Provider, Scheme};
use proptest::prelude::*;

const CODES: Codes =
    Codes { outcome: Outcome::Captured, provider: Provider::Stripe, scheme: Scheme::Visa, funding: Funding::Credit };

fn event(number: usize, codes: Codes, card: Option<usize>, payer: Option<usize>) -> Event {
    let mut mark = [0; 16];
    mark[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let token = |kind: &str, token: Option<usize>| token.map(|token| format!("{kind}{token}").into_boxed_str());
    Event { mark, account: 1, codes, card: token("card", card), payer: token("payer", payer) }
}

fn cells(gated: &Gated) -> Vec<([&'static str; 4], u32)> {
    gated.cells.iter().map(|cell| (cell.codes().sort_key(), cell.count().get())).collect()
}

fn gated(events: &[Event]) -> Gated {
    gate(&ATTEMPTS.view, events, 10)
}

#[test]
fn retries_of_few_cards_make_no_cell() {
    let few: Vec<Event> = (0..300).map(|n| event(n, CODES, Some(n % 9), None)).collect();
    assert_eq!((gated(&few).cells.len(), gated(&few).held.len()), (0, 300));
    let enough: Vec<Event> = (0..300).map(|n| event(n, CODES, Some(n % 10), None)).collect();
    assert_eq!(cells(&gated(&enough)), [(["captured", "stripe", "visa", "credit"], 300)]);
}

#[test]
fn a_payer_with_many_cards_is_one_person() {
    let one: Vec<Event> = (0..50).map(|n| event(n, CODES, Some(n), Some(1))).collect();
    assert!(gated(&one).cells.is_empty());
    // Known on some events only: cards that the payer showed once count for that payer everywhere.
    let partly = one.iter().cloned().chain((50..100).map(|n| event(n, CODES, Some(n - 50), None)));
    assert!(gated(&partly.collect::<Vec<_>>()).cells.is_empty());
    let nine_more = one.into_iter().chain((50..59).map(|n| event(n, CODES, Some(n), Some(n))));
    assert_eq!(cells(&gated(&nine_more.collect::<Vec<_>>())), [(["captured", "stripe", "visa", "credit"], 59)]);
}

#[test]
fn events_without_a_card_token_join_only_what_stands_without_them() {
    let with = |tokens: usize| -> Vec<Event> {
        (0..tokens)
            .map(|n| event(n, CODES, Some(n), None))
            .chain((90..99).map(|n| event(n, CODES, None, Some(n))))
            .collect()
    };
    assert!(gated(&with(9)).cells.is_empty());
    assert_eq!(cells(&gated(&with(10)))[0].1, 19);
}

#[test]
fn cards_of_two_accounts_are_not_added_up() {
    let mut events: Vec<Event> = (0..18).map(|n| event(n, CODES, Some(n), None)).collect();
    events.iter_mut().take(9).for_each(|event| event.account = 2);
    assert!(gated(&events).cells.is_empty());
}

#[test]
fn small_groups_move_up_together_and_large_ones_stay() {
    let at = |provider, scheme, funding| Codes { provider, scheme, funding, ..CODES };
    let groups = [
        (at(Provider::Stripe, Scheme::Visa, Funding::Credit), 12),
        (at(Provider::Checkoutcom, Scheme::Visa, Funding::Credit), 6),
        (at(Provider::Other, Scheme::Visa, Funding::Credit), 4), // with the one above: 10 over providers
        (at(Provider::Stripe, Scheme::Visa, Funding::Debit), 6),
        (at(Provider::Stripe, Scheme::Visa, Funding::Prepaid), 4), // with the one above: 10 over funding
        (at(Provider::Stripe, Scheme::Jcb, Funding::Credit), 7),
        (at(Provider::Stripe, Scheme::Amex, Funding::Charge), 3), // with the one above: 10 over schemes
        (Codes { outcome: Outcome::Declined, ..CODES }, 9),       // alone: held
    ];
    let mut events = Vec::new();
    for (codes, number) in groups {
        for _ in 0..number {
            events.push(event(events.len(), codes, Some(events.len()), None));
        }
    }
    let gated = gated(&events);
    assert_eq!(
        cells(&gated),
        [
            (["captured", "any", "any", "any"], 10),
            (["captured", "any", "visa", "any"], 10),
            (["captured", "any", "visa", "credit"], 10),
            (["captured", "stripe", "visa", "credit"], 12),
        ]
    );
    assert_eq!(gated.held.len(), 9);
}

/// Codes (by number), card, payer and account of an event: events themselves cannot be printed.
type Drawn = ((usize, usize, usize, usize), Option<usize>, Option<usize>, i64);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let codes = (0..3usize, 0..2usize, 0..4usize, 0..3usize);
    let one = (codes, prop::option::weighted(0.9, 0..40usize), prop::option::weighted(0.5, 0..25usize), 1..3i64);
    prop::collection::vec(one, 0..160)
}

fn events(drawn: &[Drawn]) -> Vec<Event> {
    let made = drawn.iter().enumerate().map(|(n, &((o, p, s, f), card, payer, account))| {
        let codes = Codes {
            outcome: Outcome::CLASSIFIED[o],
            provider: Provider::CLASSIFIED[p],
            scheme: Scheme::CLASSIFIED[s],
            funding: Funding::CLASSIFIED[f],
        };
        Event { account, ..event(n, codes, card, payer) }
    });
    made.collect()
}

/// The largest number of distinct tokens that one account contributes.
fn distinct<'a>(members: &[&'a Event], token: impl Fn(&'a Event) -> Option<&'a str>) -> usize {
    let mut by_account: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for event in members {
        by_account.entry(event.account).or_default().extend(token(event));
    }
    by_account.values().map(BTreeSet::len).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_cell_is_large_enough_and_every_event_is_in_one_place(drawn in drawn(), k in 2..7u32) {
        let events = events(&drawn);
        let gated = gate(&ATTEMPTS.view, &events, k);
        let mut places = vec![0; events.len()];
        for (cell, members) in gated.cells.iter().zip(&gated.members) {
            let members: Vec<&Event> = members.iter().map(|index| { places[*index] += 1; &events[*index] }).collect();
            prop_assert_eq!(cell.count().get() as usize, members.len());
            prop_assert!(distinct(&members, |event| event.card.as_deref()) >= k as usize);
            let carded: Vec<&Event> = members.iter().copied().filter(|event| event.card.is_some()).collect();
            if carded.iter().all(|event| event.payer.is_some()) {
                prop_assert!(distinct(&carded, |event| event.payer.as_deref()) >= k as usize);
            }
            for event in &members {
                prop_assert_eq!(event.codes.outcome, cell.codes().outcome);
                prop_assert!(matches!(cell.codes().scheme, s if s == event.codes.scheme || s == Scheme::Any));
            }
        }
        for index in &gated.held {
            places[*index] += 1;
        }
        prop_assert!(places.iter().all(|places| *places == 1));
        let keys: Vec<_> = gated.cells.iter().map(|cell| cell.codes().sort_key()).collect();
        prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn neither_order_nor_names_matter(drawn in drawn(), seed in any::<u64>()) {
        let events = events(&drawn);
        let before = gate(&ATTEMPTS.view, &events, 4);
        let mut twin: Vec<Event> = events.clone();
        for (n, event) in twin.iter_mut().enumerate() {
            event.mark = [n as u8; 16];
            // Reversing and salting is one-to-one.
            let rename = |token: &str| format!("{seed:x}-{}", token.chars().rev().collect::<String>()).into_boxed_str();
            event.card = event.card.as_deref().map(rename);
            event.payer = event.payer.as_deref().map(rename);
        }
        if !twin.is_empty() {
            let by = seed as usize % twin.len();
            twin.rotate_left(by);
            twin.reverse();
        }
        let after = gate(&ATTEMPTS.view, &twin, 4);
        prop_assert_eq!(cells(&before), cells(&after));
        prop_assert_eq!(before.held.len(), after.held.len());
    }
}
