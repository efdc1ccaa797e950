//! The vault's file: whatever bytes lie there, what opens is a file that the vault wrote, whole; anything else is refused by
//! name. And whatever is done to a vault, it lends what a plain table would hold, and only where it was set for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use counterfoil::entropy::SeededEntropy;
use counterfoil::vault::{Kek, Origin, Secret, Vault};
use tempfile::TempDir;

use super::draws::Draws;

const ACCOUNTS: [&str; 2] = ["6f1d3c0e-2b7a-4c55-9d0e-0a1b2c3d4e5f", "0b54a7f6-94a2-4b0c-8c9e-0f6d1d6c7a11"];
const FIELDS: [&str; 2] = ["default", "second"];
const ORIGINS: [&str; 3] = ["https://api.stripe.com:443", "https://api.example:8443", "http://127.0.0.1:4010"];

/// Account and field, with the secret and where it may be sent.
type Model = BTreeMap<(usize, usize), (Vec<u8>, Vec<usize>)>;

/// Files that a vault wrote, one after each change, with what it held then; and those of another vault with the same key.
struct Written {
    folder: TempDir,
    ours: Vec<(Vec<u8>, Model)>,
    theirs: Vec<u8>,
}

pub(super) fn run(input: &[u8]) {
    static WRITTEN: OnceLock<Mutex<Written>> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| Mutex::new(write_some())).lock().unwrap_or_else(PoisonError::into_inner);
    let mut draws = Draws::new(input);
    match draws.below(4) {
        0 => judge(&written, draws.rest()),
        1 => changed(&written, draws),
        2 => spliced(&written, draws),
        _ => used(&written, draws),
    }
}

fn kek(of: u8) -> Kek {
    Kek::new([of; 32])
}

fn secret(text: &[u8]) -> Secret {
    Secret::new(text.to_vec())
}

fn origins(which: &[usize]) -> Vec<Origin> {
    which.iter().map(|at| Origin::parse(ORIGINS[*at]).expect("an origin")).collect()
}

fn put(
    vault: &mut Vault,
    model: &mut Model,
    at: (usize, usize),
    text: &[u8],
    which: &[usize],
    entropy: &SeededEntropy,
) {
    let done = vault.put(ACCOUNTS[at.0], FIELDS[at.1], &origins(which), &secret(text), 7, entropy);
    let right = !text.is_empty() && !which.is_empty();
    assert_eq!(done.map_err(|problem| problem.code()), if right { Ok(()) } else { Err("vault.label") });
    if right {
        model.insert(at, (text.to_vec(), which.to_vec()));
    }
}

fn write_some() -> Written {
    // In memory where there is such a place: the file is written anew for every input.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a folder for the vault");
    let (path, other) = (folder.path().join("vault"), folder.path().join("other"));
    let (entropy, mut model, mut ours) = (SeededEntropy::new(1), Model::new(), Vec::new());
    let mut vault = Vault::create(&path, kek(1), &entropy).expect("a new vault");
    let mut keep = |model: &Model| ours.push((fs::read(&path).expect("the vault's file"), model.clone()));
    keep(&model);
    for (at, text, which) in
        [((0, 0), "one", &[0][..]), ((1, 0), "two", &[1, 2]), ((0, 0), "three", &[0]), ((0, 1), "four", &[2])]
    {
        put(&mut vault, &mut model, at, text.as_bytes(), which, &entropy);
        keep(&model);
    }
    let mut vault = Vault::create(&other, kek(1), &entropy).expect("another vault");
    put(&mut vault, &mut Model::new(), (0, 0), b"foreign", &[0], &entropy);
    let theirs = fs::read(&other).expect("the other vault's file");
    Written { folder, ours, theirs }
}

/// Opens these bytes: only a file that was written opens, and as what it was.
fn judge(written: &Written, bytes: &[u8]) {
    let path = written.folder.path().join("judged");
    fs::write(&path, bytes).expect("a file to judge");
    let known = written.ours.iter().find(|(whole, _)| whole == bytes);
    match Vault::open(&path, kek(1)) {
        Ok(vault) => match known {
            Some((_, model)) => agree(&vault, model),
            None => assert_eq!(bytes, written.theirs, "a file that no vault wrote was opened"),
        },
        Err(problem) => {
            assert!(known.is_none(), "{problem}");
            assert!(["vault.damaged", "vault.newer", "vault.wrong_key"].contains(&problem.code()), "{problem}");
        }
    }
    assert!(Vault::open(&path, kek(2)).is_err(), "another key opened it");
}

/// What the vault shows and lends is what the model holds.
fn agree(vault: &Vault, model: &Model) {
    let labels = vault.list();
    assert_eq!(labels.len(), model.len());
    for (a, account) in ACCOUNTS.iter().enumerate() {
        for (f, field) in FIELDS.iter().enumerate() {
            for (o, origin) in ORIGINS.iter().enumerate() {
                let lent = vault.lend(account, field, &Origin::parse(origin).expect("an origin"));
                match (model.get(&(a, f)), lent) {
                    (Some((text, which)), Ok(lent)) => {
                        assert!(which.contains(&o), "lent to an origin that it was not set for");
                        assert_eq!(lent.expose(), text, "another secret");
                    }
                    (Some((_, which)), Err(problem)) => {
                        assert!(problem.code() == "vault.origin" && !which.contains(&o), "{problem}");
                    }
                    (None, lent) => assert_eq!(lent.map(drop).map_err(|problem| problem.code()), Err("vault.no_key")),
                }
            }
        }
    }
}

/// The last file with bytes changed, put in and taken out.
fn changed(written: &Written, mut draws: Draws<'_>) {
    let mut bytes = written.ours.last().map(|(bytes, _)| bytes.clone()).unwrap_or_default();
    while draws.more() && !bytes.is_empty() {
        let at = draws.below(bytes.len());
        match draws.below(4) {
            0 => _ = bytes.remove(at),
            1 => bytes.insert(at, draws.byte()),
            2 => bytes[at] = draws.byte(),
            _ => bytes[at] ^= 1 << draws.below(8),
        }
    }
    judge(written, &bytes);
}

/// Lines of all the files, in any order.
fn spliced(written: &Written, mut draws: Draws<'_>) {
    let files: Vec<&[u8]> =
        written.ours.iter().map(|(bytes, _)| bytes.as_slice()).chain([written.theirs.as_slice()]).collect();
    let mut bytes = Vec::new();
    while draws.more() {
        let file = draws.pick(&files);
        let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
        let (from, to) = (draws.below(lines.len()), draws.below(lines.len()) + 1);
        lines.iter().take(to).skip(from).for_each(|line| bytes.extend_from_slice(line));
    }
    judge(written, &bytes);
}

/// A vault in use, beside a plain table.
fn used(written: &Written, mut draws: Draws<'_>) {
    let path: PathBuf = written.folder.path().join("used");
    _ = fs::remove_file(&path);
    let (entropy, mut model) = (SeededEntropy::new(u64::from(draws.byte())), Model::new());
    let mut vault = Vault::create(&path, kek(1), &entropy).expect("a new vault");
    let token = vault.token_key(1).expect("a token key").token("scope", "value");
    // Each change is a file written and synced: a few dozen say all that many would.
    for _ in 0..32 {
        if !draws.more() {
            break;
        }
        let at = (draws.below(2), draws.below(2));
        match draws.below(5) {
            0 | 1 => {
                let which: Vec<usize> = (0..draws.below(4)).map(|_| draws.below(3)).collect();
                put(&mut vault, &mut model, at, draws.bytes(80), &which, &entropy);
            }
            2 => {
                let removed = vault.remove(ACCOUNTS[at.0], FIELDS[at.1]).map_err(|problem| problem.code());
                assert_eq!(removed, model.remove(&at).map(drop).ok_or("vault.no_key"));
            }
            3 => {
                let before = model.len();
                model.retain(|(account, _), _| *account != at.0);
                assert_eq!(vault.remove_account(ACCOUNTS[at.0]).expect("an account removed"), before - model.len());
            }
            _ => vault = Vault::open(&path, kek(1)).expect("what it wrote"),
        }
        agree(&vault, &model);
    }
    agree(&Vault::open(&path, kek(1)).expect("what it wrote"), &model);
    assert_eq!(
        vault.token_key(1).expect("a token key").token("scope", "value"),
        token,
        "the installation's own key stays"
    );
}
