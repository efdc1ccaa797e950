//! Tests of `vault`: what its users can rely on, with real files.

mod forged;
mod key_file;
mod unsaved;

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
fn a_missing_vault_an_unreadable_one_and_one_in_the_way_are_told_apart() {
    let (place, _vault) = Place::new(14);
    let kek = || KeyFile::load(&place.key_file()).unwrap();
    assert_eq!(code(Vault::create(&place.vault(), kek(), &place.entropy)), "vault.exists");
    let elsewhere = place.folder.path().join("elsewhere");
    assert_eq!(code(Vault::open(&elsewhere, kek())), "vault.missing");
    assert_eq!(code(Vault::open(place.folder.path(), kek())), "vault.unreadable");
    assert_eq!(code(Vault::create(&elsewhere.join("vault"), kek(), &place.entropy)), "vault.unsaved");
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
