//! Tests that need the inside of the vault: known answers, and forgeries by somebody who has the vault's own key.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::entropy::SeededEntropy;

const VECTOR: &str = include_str!("vector-v1.txt");
const ACCOUNT: &str = "6f1d3c0e-2b7a-4c55-9d0e-0a1b2c3d4e5f";

/// 0, 1, 2, … as the vector was made with.
struct Counting(AtomicUsize);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        let start = self.0.fetch_add(buffer.len(), Ordering::Relaxed);
        buffer.iter_mut().enumerate().for_each(|(at, byte)| *byte = ((start + at) % 256) as u8);
    }
}

fn vector_kek() -> Kek {
    Kek::new(std::array::from_fn(|at| 200 + at as u8))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn origin(url: &str) -> Origin {
    Origin::parse(url).unwrap()
}

fn vector_secret() -> Secret {
    secret(&format!("rk_test_{}", "x".repeat(100)))
}

/// The vector was made by another implementation (Python's `cryptography`) from the description in `file` and `seal`.
#[test]
fn the_known_vault_opens() {
    let mut vault = Vault::read(Path::new("none"), VECTOR.as_bytes(), &vector_kek()).unwrap();
    let lent = vault.lend(ACCOUNT, "key", &origin("https://api.stripe.com")).unwrap();
    assert!(lent.same_as(&vector_secret()));
    let label = Label {
        account: ACCOUNT.to_owned(),
        field: "key".to_owned(),
        origins: vec![origin("http://127.0.0.1:4010"), origin("https://api.stripe.com")],
        version: 1,
        set_at: 1_760_000_000_000,
        fingerprint: "da221191".to_owned(),
    };
    assert_eq!(vault.list(), [label]);
    assert_eq!(vault.token_key(1).unwrap().token("card", "fp_123"), "k1_15fe1fdf901a30c1c24eb7f427d3696c");
    let signing = vault.signing_key("install", 0, &Counting(AtomicUsize::new(0))).unwrap();
    assert_eq!(hex(&signing.public_key()), "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    assert_eq!(
        hex(&signing.sign(b"counterfoil")),
        "847fd484e545fdd1ebb3ea95fad258823c3e59805cf49261cae550cff5a83cf5\
         329dbfb2f9c7f769ac2f66c4ea971d009d41e35372dd2180d24d6fea8a727509"
    );
}

#[test]
fn the_known_vault_is_written_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault");
    let entropy = Counting(AtomicUsize::new(0));
    let mut vault = Vault::create(&path, vector_kek(), &entropy).unwrap();
    let origins = [origin("https://api.stripe.com"), origin("http://127.0.0.1:4010"), origin("https://api.stripe.com")];
    vault.put(ACCOUNT, "key", &origins, &vector_secret(), 1_760_000_000_000, &entropy).unwrap();
    vault.signing_key("install", 1_760_000_000_001, &entropy).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), VECTOR);
}

#[test]
fn the_known_token_of_nothing() {
    let key = TokenKey::new(7, &std::array::from_fn(|at| at as u8));
    assert_eq!(key.token("", ""), "k7_a86acbcbc29b8fa83c83582d56a892d0");
}

/// A vault in memory with two records that differ in everything and are equally long.
fn two_records() -> (Header, Key, Record, Record) {
    let entropy = SeededEntropy::new(7);
    let (header, key) = Header::new(&vector_kek(), &entropy).unwrap();
    let vault = Vault { path: PathBuf::new(), header, key, held: Vec::new() };
    let seal = |account: &str, field: &str, url: &str, version, set_at, text: &str| {
        let (account, field) = (account.to_owned(), field.to_owned());
        let bound = Bound { account, field, origins: vec![origin(url)], version, set_at };
        vault.seal(bound, &secret(text), &entropy).unwrap().record
    };
    let a = seal("account-a", "field-a", "https://a.example", 1, 10, "secret of a");
    let b = seal("account-b", "field-b", "https://b.example", 2, 20, "secret of b");
    (vault.header, vault.key, a, b)
}

/// Exchanges the parts of a record that `which` names, a bit each.
fn exchange(a: &mut Record, b: &mut Record, which: u32) {
    let bit = |at: u32| which & (1 << at) != 0;
    let (x, y) = (&mut a.bound, &mut b.bound);
    if bit(0) {
        std::mem::swap(&mut x.account, &mut y.account);
    }
    if bit(1) {
        std::mem::swap(&mut x.field, &mut y.field);
    }
    if bit(2) {
        std::mem::swap(&mut x.origins, &mut y.origins);
    }
    if bit(3) {
        std::mem::swap(&mut x.version, &mut y.version);
    }
    if bit(4) {
        std::mem::swap(&mut x.set_at, &mut y.set_at);
    }
    for (first, one, other) in [(5, &mut a.secret.0, &mut b.secret.0), (8, &mut a.fingerprint.0, &mut b.fingerprint.0)]
    {
        let tag = one.len() - 16;
        for (at, range) in [0..32, 32..tag, tag..tag + 16].into_iter().enumerate() {
            if bit(first + at as u32) {
                one[range.clone()].swap_with_slice(&mut other[range]);
            }
        }
    }
}
const PARTS: u32 = 11;
const BOUND: u32 = 0b11111;
const SECRET: u32 = 0b111 << 5;
const FINGERPRINT: u32 = 0b111 << 8;

#[test]
fn no_exchange_between_two_records_opens_a_seal() {
    let (header, key, a, b) = two_records();
    for which in 0..1 << PARTS {
        let (mut x, mut y) = (a.clone(), b.clone());
        exchange(&mut x, &mut y, which);
        for record in [x, y] {
            for (seal, opened) in [
                (SECRET, key.open(&record.bound.to_secret(&header), &record.secret.0)),
                (FINGERPRINT, key.open(&record.bound.to_fingerprint(&header), &record.fingerprint.0)),
            ] {
                // Only a seal that moved whole, with all that it is bound to, or did not move at all, is still one.
                let moved = which & (BOUND | seal);
                assert_eq!(opened.is_ok(), moved == 0 || moved == BOUND | seal, "parts {which:011b}");
            }
        }
    }
}

#[test]
fn no_exchange_gets_a_secret_lent_even_if_the_last_line_is_forged() {
    let (header, key, a, b) = two_records();
    let all = (1 << PARTS) - 1;
    for which in 0..=all {
        let (mut x, mut y) = (a.clone(), b.clone());
        exchange(&mut x, &mut y, which);
        let text = file::render(&header, [&x, &y].into_iter(), &key).unwrap();
        let read = Vault::read(Path::new("none"), text.as_bytes(), &vector_kek());
        if which == 0 || which == all {
            let vault = read.unwrap();
            let lent = vault.lend("account-a", "field-a", &origin("https://a.example")).unwrap();
            assert!(lent.same_as(&secret("secret of a")));
        } else if let Ok(vault) = read {
            for record in [&x, &y] {
                let Bound { account, field, origins, .. } = &record.bound;
                let refused = vault.lend(account, field, &origins[0]).unwrap_err();
                assert_eq!(refused.code(), "vault.damaged", "parts {which:011b}");
            }
        }
    }
}

#[test]
fn a_seal_is_bound_to_its_vault_its_key_id_its_purpose_and_each_origin() {
    let (header, key, a, _) = two_records();
    let opens = |header: &Header, bound: &Bound| key.open(&bound.to_secret(header), &a.secret.0).is_ok();
    assert!(opens(&header, &a.bound));
    let (other, _) = Header::new(&vector_kek(), &SeededEntropy::new(8)).unwrap();
    assert!(!opens(&Header { vault: other.vault, ..header.clone() }, &a.bound));
    assert!(!opens(&Header { dek: other.dek, ..header.clone() }, &a.bound));
    assert!(key.open(&a.bound.to_fingerprint(&header), &a.secret.0).is_err());
    for origins in [vec![], vec![origin("https://a.example"), origin("https://c.example")]] {
        assert!(!opens(&header, &Bound { origins, ..a.bound.clone() }));
    }
}

#[test]
fn letters_cannot_wander_between_neighbouring_parts() {
    let (header, key, a, _) = two_records();
    let moved = Bound { account: "account-af".to_owned(), field: "ield-a".to_owned(), ..a.bound.clone() };
    assert!(key.open(&moved.to_secret(&header), &a.secret.0).is_err());
}

#[test]
fn the_length_of_a_seal_tells_only_the_multiple_of_64() {
    let (key, entropy) = (Key::new([1; 32]), SeededEntropy::new(1));
    let context = seal::Context::new("test", &[]);
    for (plain, sealed) in [(1, 64), (60, 64), (61, 128), (107, 128), (124, 128), (125, 192)] {
        let blob = key.seal(&context, &vec![7; plain], &entropy).unwrap();
        assert_eq!(blob.len(), 32 + sealed + 16, "{plain} bytes");
        assert_eq!(key.open(&context, &blob).unwrap().expose(), vec![7; plain]);
    }
}

#[test]
fn two_seals_of_one_secret_have_nothing_in_common() {
    let (key, entropy) = (Key::new([1; 32]), SeededEntropy::new(1));
    let context = seal::Context::new("test", &[]);
    let seal = || key.seal(&context, b"the same", &entropy).unwrap();
    let (one, two) = (seal(), seal());
    assert!(one.chunks(16).zip(two.chunks(16)).all(|(a, b)| a != b));
}
