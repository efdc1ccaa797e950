//! Writing that fails, and the rights of what is written.

use super::*;

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

/// Runs one test of this module again, in a shell that has first executed `limits`, with `FOLDER` set; it must pass.
#[cfg(unix)]
fn again(test: &str, limits: &str, folder: &std::path::Path) {
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(format!("{limits}; exec \"$0\" --exact \"$1\""));
    command.arg(std::env::current_exe().unwrap()).arg(format!("{module}::{test}")).env(FOLDER, folder);
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(output.contains("1 passed"), "{output}");
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
    again("when_the_disk_is_full_the_old_vault_stays", limits, place.folder.path());
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
    again("the_files_are_for_their_owner_only_whatever_the_umask", "umask 0", folder.path());
    for name in ["key", "vault"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{name}");
    }
}
