//! The world's own laws: the same from a seed, honest accounting, lives that follow their rules.

use std::collections::{HashMap, HashSet};

use super::*;

const NOW: u32 = 20_000 * DAY + 37_000;

fn plan(charges: u64) -> Plan {
    Plan { seed: 1, id_seed: 1, personal_seed: 1, charges, first_day: 20_000 - 90, days: 90, tardy: 5 }
}

#[test]
fn the_history_holds_exactly_the_charges_asked_for() {
    for charges in [0, 1, 89, 5_003] {
        let world = World::new(plan(charges), NOW);
        assert_eq!(world.made(Kind::Charge, 0, 20_000 * DAY - 1).len() as u64, charges);
    }
}

#[test]
fn a_world_that_grew_is_the_world_made_at_once() {
    let later = NOW + 40 * DAY;
    let mut grown = World::new(plan(3_000), NOW);
    grown.grow(NOW + 11 * DAY);
    grown.grow(later);
    let at_once = World::new(plan(3_000), later);
    let horizon = grown.horizon().min(at_once.horizon());
    for kind in [
        Kind::Intent,
        Kind::Charge,
        Kind::Refund,
        Kind::Dispute,
        Kind::Transaction,
        Kind::Payout,
        Kind::Turn,
        Kind::Step,
    ] {
        assert_eq!(grown.made(kind, 0, horizon - 1), at_once.made(kind, 0, horizon - 1), "{kind:?}");
        assert!(!grown.made(kind, NOW, later).is_empty(), "{kind:?} goes on");
    }
}

#[test]
fn a_payout_is_the_sum_of_its_transactions() {
    let world = World::new(plan(20_000), NOW);
    let mut sums: HashMap<u32, i64> = HashMap::new();
    let mut waiting = 0;
    for entry in world.index(Kind::Transaction) {
        let transaction = world.transaction(entry).unwrap();
        assert_eq!(transaction.at, entry.at);
        if transaction.kind == Move::Payout {
            continue;
        }
        match world.payout_of(&transaction) {
            Some(number) => *sums.entry(number).or_default() += transaction.net(),
            None => waiting += 1,
        }
    }
    assert!(waiting > 0, "money still to come");
    for entry in world.index(Kind::Payout) {
        let payout = world.payout(entry.payment).unwrap();
        assert_eq!(sums.remove(&entry.payment), Some(payout.amount), "{payout:?}");
        assert_ne!(payout.amount, 0);
    }
    assert!(sums.is_empty(), "no money goes to a payout that is not there");
    assert!(world.payouts.iter().any(|payout| payout.failed != NEVER), "some payouts come back");
}

#[test]
fn every_entry_finds_itself_and_steps_follow_one_another() {
    let world = World::new(plan(20_000), NOW);
    for kind in [
        Kind::Intent,
        Kind::Charge,
        Kind::Refund,
        Kind::Dispute,
        Kind::Transaction,
        Kind::Payout,
        Kind::Turn,
        Kind::Step,
    ] {
        assert!(world.index(kind).is_sorted());
        for entry in world.index(kind) {
            assert_eq!(world.entry(kind, entry.payment, entry.part), Some(*entry));
        }
    }
    let mut seen = HashMap::new();
    let mut count = |what: &'static str, yes: bool| *seen.entry(what).or_insert(0) += u32::from(yes);
    for entry in world.index(Kind::Intent) {
        let life = world.life(entry.payment).unwrap();
        assert!(life.attempts().iter().all(|attempt| attempt.at >= life.created));
        assert!(life.attempts().windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].decline().is_some()));
        assert!(life.captured == NEVER || life.approved().is_some_and(|attempt| attempt.decided <= life.captured));
        assert!(life.refunds().iter().all(|refund| refund.amount > 0 && refund.settled < refund.failed));
        assert!(life.given_back(NEVER - 1) <= life.amount);
        count("retried", life.attempts().len() > 1 && life.approved().is_some());
        count("refused for good", life.approved().is_none());
        count("authenticated", life.attempts()[0].three_ds == ThreeDs::Frictionless);
        count("captured later", life.manual && life.captured != NEVER);
        count("released", life.released());
        count("debit", life.debit);
        count("part back", life.given_back(NEVER - 1) > 0 && life.given_back(NEVER - 1) < life.amount);
        count("refund bounced", life.refunds().iter().any(|refund| refund.failed != NEVER));
        count("dispute won", life.dispute.is_some_and(|dispute| dispute.won));
        count("dispute lost", life.dispute.is_some_and(|dispute| !dispute.won && !dispute.inquiry));
        count("inquiry", life.dispute.is_some_and(|dispute| dispute.inquiry));
        count("yen", life.currency().code == "jpy");
        count("dinar", life.currency().code == "kwd" && life.amount % 10 == 0);
    }
    assert!(seen.values().all(|count| *count > 0), "{seen:?}");
}

#[test]
fn cards_come_again_seconds_are_shared_and_some_objects_are_late() {
    let world = World::new(plan(20_000), NOW);
    let charges = world.made(Kind::Charge, 0, NOW);
    let cards: HashSet<u64> = charges.iter().map(|entry| world.life(entry.payment).unwrap().card).collect();
    assert!(cards.len() > charges.len() / 20 && cards.len() * 2 < charges.len(), "{} cards", cards.len());
    let ties = charges.windows(2).filter(|pair| pair[0].at == pair[1].at).count();
    assert!(ties > charges.len() / 20, "{ties} ties");
    let late = charges.iter().filter(|entry| entry.late > 0).count();
    assert!(late > charges.len() / 40 && late < charges.len() / 10, "{late} late");
    assert!(charges.iter().any(|entry| u32::from(entry.late) > 2 * MINUTE));
}

#[test]
fn personal_seeds_change_who_and_nothing_else() {
    let here = World::new(plan(2_000), NOW);
    let there = World::new(Plan { personal_seed: 9, id_seed: 9, ..plan(2_000) }, NOW);
    assert_eq!(here.indexes, there.indexes);
    let mut mails: HashMap<String, u32> = HashMap::new();
    let mut same = [0; 13];
    for entry in here.index(Kind::Intent) {
        let life = here.life(entry.payment).unwrap();
        assert_eq!(format!("{life:?}"), format!("{:?}", there.life(entry.payment).unwrap()));
        let facts = |who: &Person| {
            let expiry = (who.expiry_month, who.expiry_year);
            let texts = [&who.name, &who.email, &who.phone, &who.line1, &who.postcode, &who.ip, &who.last4];
            let more = [&who.bin_rest, &who.description, &who.reference];
            let owned = texts.into_iter().chain(more).cloned();
            owned.chain([who.city.to_owned(), format!("{expiry:?}"), who.secret.to_string()]).collect::<Vec<_>>()
        };
        let (one, other) = (here.person(&life), there.person(&life));
        for (count, (one, other)) in same.iter_mut().zip(facts(&one).into_iter().zip(facts(&other))) {
            *count += u32::from(one == other);
        }
        assert_eq!(*mails.entry(one.email).or_insert(life.payer), life.payer, "one address, one payer");
    }
    let most = here.index(Kind::Intent).len() as u32 / 4;
    assert!(same.iter().all(|count| *count < most), "{same:?} of {most}");
}

#[test]
fn a_charge_costs_few_bytes() {
    let world = World::new(plan(20_000), NOW);
    let entries: usize = world.indexes.iter().map(|index| index.len() * size_of::<Entry>()).sum();
    let bytes = entries + world.payments.len() * size_of::<(u32, u64)>();
    let charges = world.index(Kind::Charge).len();
    assert!(bytes / charges < 75, "{} bytes a charge", bytes / charges);
}
