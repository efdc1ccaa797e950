//! Tests of `vault`: what its users can rely on, with real files.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::entropy::SeededEntropy;
use counterfoil::problem::Problem;
use counterfoil::vault::{KeyFile, Origin, Secret, Vault};
use tempfile::TempDir;

const ACCOUNT: &str = "6f1d3c0e-2b7a-4c55-9d0e-0a1b2c3d4e5f";
const OTHER: &str = "0b54a7f6-94a2-4b0c-8c9e-0f6d1d6c7a11";
const CANARY: &str = "rk_live_canary_51HG9lYL2eZvKYlo2C8Xk3mQ7rT0";

/// A folder with a key file and a vault made with it.
struct Place {
    folder: TempDir,
    entropy: SeededEntropy,
}

impl Place {
    fn new(seed: u64) -> (Self, Vault) {
        let place = Self { folder: tempfile::tempdir().unwrap(), entropy: SeededEntropy::new(seed) };
        let kek = KeyFile::create(&place.key_file(), &place.entropy).unwrap();
        let vault = Vault::create(&place.vault(), kek, &place.entropy).unwrap();
        (place, vault)
    }

    fn vault(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    fn open(&self) -> Result<Vault, Problem> {
        Vault::open(&self.vault(), KeyFile::load(&self.key_file())?)
    }

    fn put(&self, vault: &mut Vault, account: &str, text: &str) -> Result<(), Problem> {
        vault.put(account, "key", &[stripe()], &secret(text), 1_760_000_000_000, &self.entropy)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn stripe() -> Origin {
    Origin::parse("https://api.stripe.com").unwrap()
}

fn lent(vault: &Vault, account: &str) -> Result<String, String> {
    let secret = vault.lend(account, "key", &stripe()).map_err(|problem| problem.code().to_owned())?;
    Ok(String::from_utf8(secret.expose().to_vec()).unwrap())
}

fn code<T: std::fmt::Debug>(result: Result<T, Problem>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn what_is_put_is_lent_after_reopening() {
    let (place, mut vault) = Place::new(1);
    place.put(&mut vault, ACCOUNT, "first").unwrap();
    place.put(&mut vault, OTHER, "other").unwrap();
    place.put(&mut vault, ACCOUNT, "second").unwrap();
    for vault in [vault, place.open().unwrap()] {
        assert_eq!(lent(&vault, ACCOUNT).as_deref(), Ok("second"));
        assert_eq!(lent(&vault, OTHER).as_deref(), Ok("other"));
        let labels = vault.list();
        let versions: Vec<_> = labels.iter().map(|label| (label.account.as_str(), label.version)).collect();
        assert_eq!(versions, [(OTHER, 1), (ACCOUNT, 2)]);
        assert_eq!(labels[1].origins, [stripe()]);
        assert_eq!(labels[1].set_at, 1_760_000_000_000);
    }
    assert_eq!(place.names(), ["key", "vault"]);
}

#[test]
fn a_fingerprint_tells_keys_apart_within_one_vault_only() {
    let (place, mut vault) = Place::new(2);
    place.put(&mut vault, ACCOUNT, "same").unwrap();
    place.put(&mut vault, OTHER, "same").unwrap();
    let (one, two) = (vault.list()[0].fingerprint.clone(), vault.list()[1].fingerprint.clone());
    assert_eq!(one, two);
    assert!(one.len() == 8 && one.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
    assert!(!fs::read_to_string(place.vault()).unwrap().contains(&one), "the fingerprint rests sealed");
    place.put(&mut vault, OTHER, "different").unwrap();
    assert_ne!(vault.list()[0].fingerprint, vault.list()[1].fingerprint);
    let (elsewhere, mut another) = Place::new(3);
    elsewhere.put(&mut another, ACCOUNT, "same").unwrap();
    assert_ne!(another.list()[0].fingerprint, one);
}

#[test]
fn a_key_is_lent_only_for_its_origins() {
    let (place, mut vault) = Place::new(4);
    place.put(&mut vault, ACCOUNT, CANARY).unwrap();
    for url in [
        "https://api.stripe.com:8443",
        "https://api.stripe.com.evil.example",
        "https://stripe.com",
        "http://127.0.0.1:443",
        "http://localhost",
    ] {
        let refused = vault.lend(ACCOUNT, "key", &Origin::parse(url).unwrap()).unwrap_err();
        assert_eq!(refused.code(), "vault.origin", "{url}");
        assert!(refused.entry().advice.contains("Set the key again for this origin"));
    }
    assert_eq!(code(vault.lend(OTHER, "key", &stripe())), "vault.no_key");
    assert_eq!(code(vault.lend(ACCOUNT, "other", &stripe())), "vault.no_key");
    let sandbox = Origin::parse("http://127.0.0.1:4010").unwrap();
    vault.put(ACCOUNT, "key", std::slice::from_ref(&sandbox), &secret("set again"), 0, &place.entropy).unwrap();
    assert_eq!(vault.lend(ACCOUNT, "key", &sandbox).unwrap().expose(), b"set again");
    assert_eq!(lent(&vault, ACCOUNT), Err("vault.origin".to_owned()), "setting it anew replaces the origins");
}

#[test]
fn removal_is_whole_and_leaves_the_rest() {
    let (place, mut vault) = Place::new(5);
    place.put(&mut vault, ACCOUNT, "one").unwrap();
    vault.put(ACCOUNT, "entity", &[stripe()], &secret("two"), 0, &place.entropy).unwrap();
    place.put(&mut vault, OTHER, "other").unwrap();
    let before = fs::metadata(place.vault()).unwrap().len();
    vault.remove(ACCOUNT, "entity").unwrap();
    assert!(fs::metadata(place.vault()).unwrap().len() < before, "it is gone from the file");
    assert_eq!(code(vault.remove(ACCOUNT, "entity")), "vault.no_key");
    assert_eq!(vault.remove_account(ACCOUNT).unwrap(), 1);
    assert_eq!(vault.remove_account(ACCOUNT).unwrap(), 0);
    let vault = place.open().unwrap();
    assert_eq!(lent(&vault, ACCOUNT), Err("vault.no_key".to_owned()));
    assert_eq!(lent(&vault, OTHER).as_deref(), Ok("other"));
}

#[test]
fn the_installations_own_keys_work_and_cannot_be_lent_replaced_or_removed() {
    let (place, mut vault) = Place::new(6);
    let token = vault.token_key(1).unwrap().token("card", "fp_123");
    let signing = vault.signing_key("install", 5, &place.entropy).unwrap();
    let (public, signature) = (signing.public_key(), signing.sign(b"batch"));
    let verifier = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
    assert!(verifier.verify(b"batch", &signature).is_ok());
    assert!(verifier.verify(b"Batch", &signature).is_err());

    assert_eq!(code(vault.lend("install", "token.1", &stripe())), "vault.no_key");
    assert_eq!(code(vault.remove("install", "token.1")), "vault.no_key");
    assert_eq!(vault.remove_account("install").unwrap(), 0);
    let put = vault.put("install", "token.1", &[stripe()], &secret("mine"), 0, &place.entropy);
    assert_eq!(code(put), "vault.label");
    assert_eq!(vault.list(), []);
    assert_eq!(code(vault.token_key(2)), "vault.no_key");

    let mut vault = place.open().unwrap();
    assert_eq!(vault.token_key(1).unwrap().token("card", "fp_123"), token);
    assert_eq!(vault.signing_key("install", 9, &place.entropy).unwrap().public_key(), public);
    assert_ne!(vault.signing_key("another", 9, &place.entropy).unwrap().public_key(), public);
}

#[test]
fn tokens_keep_scopes_values_and_versions_apart() {
    let (_place, vault) = Place::new(7);
    let key = vault.token_key(1).unwrap();
    let tokens = [key.token("card", "fp_1"), key.token("card", "fp_2"), key.token("payer", "fp_1")];
    for token in &tokens {
        let digits = token.strip_prefix("k1_").unwrap();
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }
    assert!(tokens[0] != tokens[1] && tokens[0] != tokens[2] && tokens[1] != tokens[2]);
    assert_ne!(key.token("ab", "c"), key.token("a", "bc"));
    let mut out = "before ".to_owned();
    key.write_token("card", "fp_1", &mut out);
    assert_eq!(out, format!("before {}", tokens[0]));
}

#[test]
fn a_key_without_place_address_or_content_is_refused() {
    let (place, mut vault) = Place::new(8);
    let mut put = |account, field, origins: &[Origin], text| {
        code(vault.put(account, field, origins, &secret(text), 0, &place.entropy))
    };
    assert_eq!(put("", "key", &[stripe()], "x"), "vault.label");
    assert_eq!(put(ACCOUNT, "", &[stripe()], "x"), "vault.label");
    assert_eq!(put(ACCOUNT, "key", &[], "x"), "vault.label");
    assert_eq!(put(ACCOUNT, "key", &[stripe()], ""), "vault.label");
}

/// The one thing that any change of the file may bring about.
fn refused(outcome: Result<Vault, Problem>) -> Option<&'static str> {
    outcome.err().map(|problem| problem.code())
}

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

#[test]
fn a_missing_vault_an_unreadable_one_and_one_in_the_way_are_told_apart() {
    let (place, _vault) = Place::new(14);
    let kek = || KeyFile::load(&place.key_file()).unwrap();
    assert_eq!(code(Vault::create(&place.vault(), kek(), &place.entropy)), "vault.exists");
    let elsewhere = place.folder.path().join("elsewhere");
    assert_eq!(code(Vault::open(&elsewhere, kek())), "vault.missing");
    assert_eq!(code(Vault::open(place.folder.path(), kek())), "vault.unreadable");
    assert_eq!(code(Vault::create(&elsewhere.join("vault"), kek(), &place.entropy)), "vault.unsaved");
}

/// After an attempt that failed: the vault is as it was, in memory and on disk, and nothing else lies about.
fn as_it_was(place: &Place, vault: &Vault, names: &[&str]) {
    for vault in [vault, &place.open().unwrap()] {
        assert_eq!(lent(vault, ACCOUNT).as_deref(), Ok("old"));
        assert_eq!(vault.list().len(), 1);
        assert_eq!(vault.list()[0].version, 1);
    }
    assert_eq!(place.names(), names);
}

#[test]
fn when_the_new_file_cannot_be_made_the_old_vault_stays() {
    let (place, mut vault) = Place::new(15);
    place.put(&mut vault, ACCOUNT, "old").unwrap();
    let in_the_way = place.folder.path().join("vault.new");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(code(place.put(&mut vault, ACCOUNT, "new")), "vault.unsaved");
    assert_eq!(code(vault.remove(ACCOUNT, "key")), "vault.unsaved");
    assert_eq!(code(vault.remove_account(ACCOUNT)), "vault.unsaved");
    assert_eq!(vault.signing_key("install", 0, &place.entropy).unwrap_err().code(), "vault.unsaved");
    as_it_was(&place, &vault, &["key", "vault", "vault.new"]);
    fs::remove_dir(&in_the_way).unwrap();
    place.put(&mut vault, ACCOUNT, "new").unwrap();
    assert_eq!(lent(&place.open().unwrap(), ACCOUNT).as_deref(), Ok("new"));
}

#[test]
fn when_the_rename_fails_the_old_vault_stays() {
    let (place, mut vault) = Place::new(16);
    place.put(&mut vault, ACCOUNT, "old").unwrap();
    let aside = place.folder.path().join("aside");
    fs::rename(place.vault(), &aside).unwrap();
    fs::create_dir(place.vault()).unwrap();
    assert_eq!(code(place.put(&mut vault, ACCOUNT, "new")), "vault.unsaved");
    fs::remove_dir(place.vault()).unwrap();
    fs::rename(&aside, place.vault()).unwrap();
    as_it_was(&place, &vault, &["key", "vault"]);
}

#[test]
fn what_a_crash_left_beside_the_vault_is_in_nobodys_way() {
    let (place, mut vault) = Place::new(17);
    let left = place.folder.path().join("vault.new");
    fs::write(&left, "half a vau").unwrap();
    place.put(&mut place.open().unwrap(), ACCOUNT, "new").unwrap();
    assert_eq!(lent(&place.open().unwrap(), ACCOUNT).as_deref(), Ok("new"));
    assert_eq!(place.names(), ["key", "vault"]);
    place.put(&mut vault, ACCOUNT, "newer").unwrap();
}

/// Runs one test of this binary again, in a shell that has first executed `limits`, with `FOLDER` set.
#[cfg(unix)]
fn again(test: &str, limits: &str, folder: &std::path::Path) -> std::process::ExitStatus {
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(format!("{limits}; exec \"$0\" --exact \"$1\" --test-threads 1"));
    command.arg(std::env::current_exe().unwrap()).arg(test).env(FOLDER, folder);
    command.stdout(std::process::Stdio::null()).status().unwrap()
}

#[cfg(unix)]
const FOLDER: &str = "COUNTERFOIL_TEST_VAULT_FOLDER";

/// A limit on the size of files stands for the full disk: the first half kilobyte is written, then no more.
#[cfg(unix)]
#[test]
fn when_the_disk_is_full_the_old_vault_stays() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let folder = PathBuf::from(folder);
        let kek = KeyFile::load(&folder.join("key")).unwrap();
        let mut vault = Vault::open(&folder.join("vault"), kek).unwrap();
        let put = vault.put(ACCOUNT, "key", &[stripe()], &secret("new"), 0, &SeededEntropy::new(0));
        assert_eq!(code(put), "vault.unsaved");
        assert_eq!(lent(&vault, ACCOUNT).as_deref(), Ok("old"));
        return;
    }
    let (place, mut vault) = Place::new(18);
    place.put(&mut vault, ACCOUNT, "old").unwrap();
    let limits = "trap '' XFSZ; ulimit -f 1";
    assert!(again("vault::when_the_disk_is_full_the_old_vault_stays", limits, place.folder.path()).success());
    as_it_was(&place, &vault, &["key", "vault"]);
}

#[cfg(unix)]
#[test]
fn the_files_are_for_their_owner_only_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    if let Some(folder) = std::env::var_os(FOLDER) {
        let (folder, entropy) = (PathBuf::from(folder), SeededEntropy::new(19));
        let kek = KeyFile::create(&folder.join("key"), &entropy).unwrap();
        let mut vault = Vault::create(&folder.join("vault"), kek, &entropy).unwrap();
        vault.put(ACCOUNT, "key", &[stripe()], &secret("x"), 0, &entropy).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "vault::the_files_are_for_their_owner_only_whatever_the_umask";
    assert!(again(test, "umask 0", folder.path()).success());
    for name in ["key", "vault"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

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
        eprintln!("skipped: only root can give a key file to another user");
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

#[test]
fn a_secret_is_in_no_file_and_in_no_text() {
    let (place, mut vault) = Place::new(24);
    place.put(&mut vault, ACCOUNT, CANARY).unwrap();
    place.put(&mut vault, OTHER, CANARY).unwrap();
    fs::create_dir(place.folder.path().join("vault.new")).unwrap();
    let problems = [
        place.put(&mut vault, ACCOUNT, CANARY).unwrap_err(),
        vault.put(ACCOUNT, "", &[stripe()], &secret(CANARY), 0, &place.entropy).unwrap_err(),
        vault.lend(ACCOUNT, "key", &Origin::parse("https://evil.example").unwrap()).unwrap_err(),
    ];
    let lent = vault.lend(ACCOUNT, "key", &stripe()).unwrap();
    let kek = KeyFile::load(&place.key_file()).unwrap();
    let (token, signing) = (vault.token_key(1), place.open().unwrap());
    let said = format!("{problems:#?} {vault:#?} {:#?} {lent:#?} {kek:#?} {token:#?} {signing:#?}", vault.list());
    let mut texts = vec![said.clone().into_bytes()];
    for name in ["key", "vault"] {
        texts.push(fs::read(place.folder.path().join(name)).unwrap());
    }
    // Base64 at each of the three ways it can fall, without its ends, which neighbours would change.
    let mut traces = vec![CANARY.to_owned(), CANARY.bytes().map(|byte| format!("{byte:02x}")).collect()];
    traces.extend((0..3).map(|shift| STANDARD.encode(&CANARY[shift..])[..40].to_owned()));
    for text in &texts {
        let text = String::from_utf8_lossy(text);
        for trace in &traces {
            assert!(!text.contains(trace), "{trace}");
        }
    }
    // The keys of the vault's own are not in the texts either.
    assert!(!said.contains(fs::read_to_string(place.key_file()).unwrap().trim()));
    assert!(said.contains("Secret(…)") && said.contains("Kek(…)"), "{said}");
}
