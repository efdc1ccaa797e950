//! The key that opens the vault, kept in a file of its own: 32 random bytes in base64, for its owner only. Best kept
//! outside the data directory and its backups: who has both files has the keys. It is no protection against root.

use std::fmt;
use std::fs::Metadata;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::disk::{self, Refused};
use super::seal::Key;
use crate::entropy::Entropy;
#[cfg(unix)]
use crate::problem::{Entry, VAULT_KEY_FILE_OWNER, VAULT_KEY_FILE_RIGHTS};
use crate::problem::{
    Result, VAULT_KEY_FILE_CONTENT, VAULT_KEY_FILE_EXISTS, VAULT_KEY_FILE_KIND, VAULT_KEY_FILE_UNREADABLE,
    VAULT_KEY_FILE_UNSAVED,
};

/// The key encryption key: it opens the vault's own key and nothing else.
pub struct Kek(pub(super) Key);

impl Kek {
    /// Takes the key over from a key source.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Key::new(bytes))
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek(…)")
    }
}

/// The key source that is a file.
#[derive(Debug)]
pub struct KeyFile;

impl KeyFile {
    /// Makes a new key file, readable by its owner only from its first byte; never replaces one.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Kek> {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        let text = Zeroizing::new(STANDARD.encode(*key) + "\n");
        disk::create_private(path, text.as_bytes()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => VAULT_KEY_FILE_EXISTS.with(path.display()),
            kind => VAULT_KEY_FILE_UNSAVED.with(format_args!("{} ({kind})", path.display())),
        })?;
        Self::load(path)
    }

    /// Reads a key file, if nobody else can have read or written it.
    pub fn load(path: &Path) -> Result<Kek> {
        let unreadable =
            |error: io::Error| VAULT_KEY_FILE_UNREADABLE.with(format_args!("{} ({})", path.display(), error.kind()));
        let (file, metadata) = disk::open_plain(path).map_err(|refused| match refused {
            Refused::Io(error) => unreadable(error),
            Refused::Kind => VAULT_KEY_FILE_KIND.with(path.display()),
        })?;
        guarded(path, &metadata)?;
        // One byte more than the longest content that can be right.
        let mut text = Zeroizing::new([0; LONGEST + 1]);
        let mut length = 0;
        let mut file = file.take(text.len() as u64);
        loop {
            match file.read(&mut text[length..]).map_err(unreadable)? {
                0 => break,
                count => length += count,
            }
        }
        decode(&text[..length]).ok_or_else(|| VAULT_KEY_FILE_CONTENT.with(path.display()))
    }
}

/// Base64 of 32 bytes and the end of a line, in either convention.
const LONGEST: usize = 44 + 2;

fn decode(text: &[u8]) -> Option<Kek> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // The decoder asks for room by a formula that is not exact.
    let mut bytes = Zeroizing::new([0; 48]);
    let count = STANDARD.decode_slice(line, &mut *bytes).ok()?;
    let key: &[u8; 32] = bytes.get(..count)?.try_into().ok()?;
    Some(Kek::new(*key))
}

#[cfg(unix)]
fn guarded(path: &Path, metadata: &Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    match judge(owner, rustix::process::geteuid().as_raw(), mode) {
        Some(entry) => Err(entry.with(format_args!("{} (user {owner}, mode {mode:04o})", path.display()))),
        None => Ok(()),
    }
}

/// What is wrong with a key file of this owner and these rights, seen by the user `we`.
#[cfg(unix)]
fn judge(owner: u32, we: u32, mode: u32) -> Option<&'static Entry> {
    if owner != we && owner != 0 {
        Some(&VAULT_KEY_FILE_OWNER)
    } else if mode & 0o077 != 0 {
        // An access list that names somebody shows here too, as rights of the group.
        Some(&VAULT_KEY_FILE_RIGHTS)
    } else {
        None
    }
}

/// Access lists of Windows are not judged: the folder's list decides there.
#[cfg(not(unix))]
fn guarded(_: &Path, _: &Metadata) -> Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_we_and_root_may_own_it_and_nobody_else_may_touch_it() {
        let code = |owner, mode| judge(owner, 1000, mode).map(|entry| entry.code);
        assert_eq!((code(1000, 0o600), code(1000, 0o400), code(0, 0o600)), (None, None, None));
        for bit in 0..6 {
            assert_eq!(code(1000, 0o600 | 1 << bit), Some("vault.key_file_rights"), "bit {bit}");
        }
        assert_eq!(code(1001, 0o600), Some("vault.key_file_owner"));
        assert_eq!(judge(1001, 0, 0o600).map(|entry| entry.code), Some("vault.key_file_owner"));
    }
}
