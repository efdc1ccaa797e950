//! Files that are not what the vault wrote: nothing altered is ever opened, and each condition has its own name.

use super::*;

#[test]
fn every_flipped_bit_of_the_vault_is_refused() {
    let (place, mut vault) = Place::new(9);
    place.put(&mut vault, ACCOUNT, CANARY).unwrap();
    let whole = fs::read(place.vault()).unwrap();
    let copy = place.folder.path().join("copy");
    let mut newer = 0;
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&copy, &bytes).unwrap();
        match refused(Vault::open(&copy, KeyFile::load(&place.key_file()).unwrap())) {
            Some("vault.damaged") => {}
            Some("vault.newer") => newer += 1,
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    assert_eq!(newer, 3, "format 1 is one bit from 3, 5 and 9");
}

#[test]
fn every_cut_repeated_or_reordered_vault_is_refused() {
    let (place, mut vault) = Place::new(10);
    place.put(&mut vault, ACCOUNT, "one").unwrap();
    place.put(&mut vault, OTHER, "two").unwrap();
    let whole = fs::read_to_string(place.vault()).unwrap();
    let copy = place.folder.path().join("copy");
    let outcome = |bytes: &[u8]| {
        fs::write(&copy, bytes).unwrap();
        refused(Vault::open(&copy, KeyFile::load(&place.key_file()).unwrap()))
    };
    assert_eq!(outcome(whole.as_bytes()), None);
    for length in 0..whole.len() {
        assert_eq!(outcome(&whole.as_bytes()[..length]), Some("vault.damaged"), "cut to {length}");
    }
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 6, "name, header, three records, mac");
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        assert_eq!(outcome(fewer.concat().as_bytes()), Some("vault.damaged"), "without line {at}");
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        assert_eq!(outcome(more.concat().as_bytes()), Some("vault.damaged"), "line {at} twice");
        for other in 0..at {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert_eq!(outcome(swapped.concat().as_bytes()), Some("vault.damaged"), "lines {at} and {other}");
        }
    }
    for tail in ["\n", " ", "x", "\0"] {
        assert_eq!(outcome(format!("{whole}{tail}").as_bytes()), Some("vault.damaged"), "followed by {tail:?}");
    }
}

#[test]
fn a_record_or_header_of_another_vault_under_the_same_key_file_is_refused() {
    let (place, mut vault) = Place::new(11);
    place.put(&mut vault, ACCOUNT, "one").unwrap();
    let second = place.folder.path().join("second");
    let mut other = Vault::create(&second, KeyFile::load(&place.key_file()).unwrap(), &place.entropy).unwrap();
    place.put(&mut other, ACCOUNT, "two").unwrap();
    let (ours, theirs) = (fs::read_to_string(place.vault()).unwrap(), fs::read_to_string(&second).unwrap());
    for line in 1..5 {
        let mut lines: Vec<&str> = ours.split_inclusive('\n').collect();
        lines[line] = theirs.split_inclusive('\n').nth(line).unwrap();
        fs::write(place.vault(), lines.concat()).unwrap();
        assert_eq!(refused(place.open()), Some("vault.damaged"), "line {line}");
    }
}

#[test]
fn another_key_file_is_told_from_damage() {
    let (place, _vault) = Place::new(12);
    fs::remove_file(place.key_file()).unwrap();
    KeyFile::create(&place.key_file(), &place.entropy).unwrap();
    assert_eq!(refused(place.open()), Some("vault.wrong_key"));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (place, _vault) = Place::new(13);
    let text = fs::read_to_string(place.vault()).unwrap();
    let newer = text.replacen("counterfoil-vault 1\n", "counterfoil-vault 2\n", 1);
    fs::write(place.vault(), &newer).unwrap();
    let problem = place.open().unwrap_err();
    assert_eq!(problem.code(), "vault.newer");
    assert_eq!(problem.to_string(), "The vault was made by a newer version: format 2; this version knows format 1");
    assert_eq!(fs::read_to_string(place.vault()).unwrap(), newer);
}
