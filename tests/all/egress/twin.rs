//! The twin run at the road out: two stores that differ only in personal values send byte-identical requests, with the
//! clock and the key fixed. And planted leaks, each of which the same comparison must catch.

use counterfoil::egress::registry::ATTEMPTS;
use counterfoil::egress::sign::{base64, sha256};
use counterfoil::egress::wire::{DAY_MS, Day};
use counterfoil::egress::{Mode, OutboundRequest};
use counterfoil::entropy::{Entropy as _, SeededEntropy};

use super::support::{Attempt, Rig, attempt, due, monday, run, store, upstream};

/// What goes over the wire, as it is seen there.
type Wire = Vec<(String, Vec<(String, String)>, Vec<u8>)>;

/// Nine days of attempts, with retries, repeated payers, missing tokens and two accounts.
fn world(seed: u64) -> Vec<Attempt> {
    let chance = SeededEntropy::new(seed);
    let pick = |from: &[&'static str]| from[chance.below(from.len() as u64) as usize];
    let mut all = Vec::new();
    for n in 0..2700 {
        let day = Day::from_number(monday().number() + n as i64 / 300).unwrap();
        let base = attempt(n, day, 0);
        let account = 1 + (n % 3 == 0) as i64;
        all.push(Attempt {
            account,
            provider: if account == 1 { "stripe" } else { "checkoutcom" },
            outcome: pick(&["captured", "captured", "captured", "declined", "blocked"]),
            scheme: pick(&["visa", "visa", "mastercard", "amex"]),
            funding: pick(&["credit", "debit", "unheard-of"]),
            ..base
        });
    }
    for attempt in &mut all {
        attempt.card = (chance.below(20) > 0).then(|| format!("tok_{:03}", chance.below(500)));
        attempt.payer = (chance.below(2) > 0).then(|| format!("pay_{:03}", chance.below(400)));
    }
    all
}

/// The same events with every personal value redrawn one-to-one, read in another order.
fn twin(world: &[Attempt], seed: u64) -> Vec<Attempt> {
    let secret = seed.to_be_bytes();
    let rename = |value: &str| base64(&sha256(&[&secret[..], value.as_bytes()].concat()))[..22].to_owned();
    let mut twin: Vec<Attempt> = world.to_vec();
    for attempt in &mut twin {
        attempt.id = rename(&attempt.id);
        attempt.card = attempt.card.as_deref().map(rename);
        attempt.payer = attempt.payer.as_deref().map(rename);
    }
    let chance = SeededEntropy::new(seed);
    for index in (1..twin.len()).rev() {
        twin.swap(index, chance.below(index as u64 + 1) as usize);
    }
    twin
}

/// Everything that the road out sends for these attempts.
fn sent(attempts: &[Attempt]) -> Wire {
    let mut rig = Rig::accepted();
    rig.release(&store(attempts), due(Day::of_ms(monday().start_ms() + 8 * DAY_MS).unwrap())).unwrap();
    let mut courier = rig.courier();
    assert_eq!(run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap().acknowledged.len(), 10);
    rig.sender.requests.lock().unwrap().iter().map(on_the_wire).collect()
}

fn on_the_wire(request: &OutboundRequest) -> (String, Vec<(String, String)>, Vec<u8>) {
    let headers = request.headers().iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (format!("{} {}", request.method(), request.url()), headers, request.body().to_vec())
}

#[test]
fn personal_values_change_not_one_byte() {
    for seed in 0..8 {
        let world = world(seed);
        let wire = sent(&world);
        let events =
            wire.iter().map(|(_, _, body)| String::from_utf8_lossy(body).matches("[\"").count()).sum::<usize>();
        assert!(events > 40, "the comparison must be about something");
        assert_eq!(wire, sent(&twin(&world, seed + 100)));
    }
}

/// A planted leak: what a careless change would put on the wire besides what is there.
type Leak = fn(&[Attempt], &mut Wire);

const LEAKS: &[(&str, Leak)] = &[
    ("a token as a dimension", |attempts, wire| {
        let card = attempts.iter().find_map(|a| a.card.as_deref()).unwrap_or_default();
        replace(wire, "visa", card);
    }),
    ("a hash prefix as a number", |attempts, wire| {
        let card = attempts.iter().find_map(|a| a.card.as_deref()).unwrap_or_default();
        let number = u32::from_be_bytes(sha256(card.as_bytes())[..4].try_into().unwrap_or_default());
        replace(wire, "]]}", &format!("],[\"captured\",\"any\",\"any\",\"any\",{number}]]}}"));
    }),
    ("the parity of a token in a count", |attempts, wire| {
        let odd = attempts
            .iter()
            .filter_map(|a| a.card.as_deref())
            .map(|card| card.bytes().next_back().unwrap_or(0))
            .fold(0, |a, b| a ^ b);
        replace(wire, "]]}", if odd & 1 == 1 { "0]]}" } else { "]]}" });
    }),
    ("an id in a header", |attempts, wire| {
        let least = attempts.iter().map(|a| a.id.as_str()).min().unwrap_or_default();
        wire[1].1.push(("x-debug".to_owned(), base64(&sha256(least.as_bytes())[..4])));
    }),
    ("the order of the cells", |attempts, wire| {
        let least = |scheme| attempts.iter().filter(|a| a.scheme == scheme).filter_map(|a| a.card.as_deref()).min();
        if least("visa") < least("mastercard") {
            wire[1].2.reverse();
        }
    }),
    ("the number of requests", |attempts, wire| {
        let first = attempts.iter().filter_map(|a| a.payer.as_deref()).max().unwrap_or_default();
        if sha256(first.as_bytes())[0] & 1 == 1 {
            wire.pop();
        }
    }),
    ("the row order of the store", |attempts, wire| {
        wire[1].1.push(("x-first".to_owned(), (attempts[0].at % DAY_MS).to_string()));
    }),
];

fn replace(wire: &mut Wire, from: &str, to: &str) {
    for (_, _, body) in wire {
        *body = String::from_utf8_lossy(body).replacen(from, to, 1).into_bytes();
    }
}

#[test]
fn every_planted_leak_is_caught() {
    for (name, leak) in LEAKS {
        // A leak of one bit shows in every other twin: some of several must show it.
        let caught = (0..8).filter(|seed| {
            let world = world(*seed);
            let twin = twin(&world, seed + 200);
            let (mut one, mut other) = (sent_once(&world), sent_once(&twin));
            leak(&world, &mut one);
            leak(&twin, &mut other);
            one != other
        });
        assert!(caught.count() > 0, "{name} was not caught");
    }
}

/// As [`sent`], for the first day only: the leaks are in what is compared, not in how much.
fn sent_once(attempts: &[Attempt]) -> Wire {
    let mut rig = Rig::accepted();
    rig.release(&store(attempts), due(monday().next())).unwrap();
    let mut courier = rig.courier();
    run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap();
    rig.sender.requests.lock().unwrap().iter().map(on_the_wire).collect()
}

/// What a cell can carry at most: the bits of its codes and of its number. A change here is a change of the contract.
#[test]
fn the_capacity_of_a_cell_is_known() {
    let codes: f64 = ATTEMPTS
        .view
        .dims
        .iter()
        .map(|dimension| ((dimension.codes.len() + usize::from(dimension.rolled_up.is_some())) as f64).log2())
        .sum();
    let bits = codes + f64::from(counterfoil::egress::wire::MAX_COUNT).log2();
    assert_eq!(bits.ceil() as u32, 41);
}
