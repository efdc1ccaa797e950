//! The key file: who may touch it, what may be in it.

use super::*;

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_touch_is_refused() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let (place, _vault) = Place::new(20);
    let with_mode = |mode| {
        fs::set_permissions(place.key_file(), fs::Permissions::from_mode(mode)).unwrap();
        refused(place.open())
    };
    assert_eq!((with_mode(0o400), with_mode(0o600)), (None, None));
    for mode in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666] {
        assert_eq!(with_mode(mode), Some("vault.key_file_rights"), "{mode:o}");
    }
    assert_eq!(with_mode(0o600), None);
    if rustix::process::geteuid().is_root() {
        chown(place.key_file(), Some(65534), None).unwrap();
        assert_eq!(refused(place.open()), Some("vault.key_file_owner"));
    } else {
        crate::skip::skipped("only root can give a key file to another user");
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_that_is_no_plain_file_is_refused_without_waiting() {
    let (place, _vault) = Place::new(21);
    let at = |name: &str| place.folder.path().join(name);
    std::os::unix::fs::symlink(place.key_file(), at("link")).unwrap();
    std::os::unix::fs::symlink(place.vault(), at("vault link")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    for path in [at("link"), at("pipe"), place.folder.path().to_owned(), PathBuf::from("/dev/zero")] {
        assert_eq!(code(KeyFile::load(&path)), "vault.key_file_kind", "{path:?}");
    }
    assert_eq!(code(KeyFile::load(&at("none"))), "vault.key_file_unreadable");
    for path in [at("vault link"), at("pipe")] {
        let kek = KeyFile::load(&place.key_file()).unwrap();
        assert_eq!(code(Vault::open(&path, kek)), "vault.unreadable", "{path:?}");
    }
}

#[test]
fn a_malformed_key_file_is_refused_and_never_quoted() {
    let (place, _vault) = Place::new(22);
    let right = fs::read_to_string(place.key_file()).unwrap();
    assert_eq!(STANDARD.decode(right.trim_end()).unwrap().len(), 32);
    // Written over, not anew: the file keeps its rights.
    let with = |text: &str| {
        fs::write(place.key_file(), text).unwrap();
        place.open()
    };
    for fine in [right.clone(), right.trim_end().to_owned(), right.replace('\n', "\r\n")] {
        assert_eq!(refused(with(&fine)), None, "{fine:?}");
    }
    let short = STANDARD.encode([7; 31]);
    let long = STANDARD.encode([7; 33]);
    let (twice, spaced, cut) = (right.repeat(2), format!(" {right}"), &right[..43]);
    for wrong in ["", "\n", "canary", &short, &long, &twice, &spaced, cut, &"A".repeat(100_000)] {
        let problem = with(wrong).unwrap_err();
        assert_eq!(problem.code(), "vault.key_file_content");
        assert!(wrong.trim().is_empty() || !format!("{problem:?}").contains(wrong.trim()));
    }
    for bit in 0..right.len() * 8 {
        let mut bytes = right.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(place.key_file(), bytes).unwrap();
        let outcome = refused(place.open());
        assert!(matches!(outcome, Some("vault.key_file_content" | "vault.wrong_key")), "bit {bit}: {outcome:?}");
    }
}

#[test]
fn a_key_file_is_never_replaced() {
    let (place, _vault) = Place::new(23);
    assert_eq!(code(KeyFile::create(&place.key_file(), &place.entropy)), "vault.key_file_exists");
    assert!(place.open().is_ok());
    let nowhere = place.folder.path().join("none").join("key");
    assert_eq!(code(KeyFile::create(&nowhere, &place.entropy)), "vault.key_file_unsaved");
}
