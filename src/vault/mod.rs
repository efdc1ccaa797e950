//! Seals and opens keys; the only room that sees key bytes. It knows no provider, no database and no network.
//!
//! Three layers, all with ring: a key encryption key from outside ([`Kek`], here from a [`KeyFile`]) wraps the vault's own
//! key, which seals each secret together with its account, field, version and the origins it may be sent to (`seal` says
//! how, `file` says where it stands). One file holds everything and is replaced atomically (`disk`). One process at a
//! time writes it: who holds the data directory's lock.

mod disk;
mod file;
mod key_file;
mod keys;
mod origin;
mod seal;
mod secret;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ring::error::Unspecified;

pub use self::key_file::{Kek, KeyFile};
pub use self::keys::{SigningKey, TokenKey};
pub use self::origin::{Origin, Scheme};
pub use self::secret::Secret;

use self::disk::Refused;
use self::file::{Blob, Bound, Header, Record, damaged};
use self::seal::Key;
use crate::entropy::Entropy;
use crate::problem::{
    Problem, Result, VAULT_EXISTS, VAULT_LABEL, VAULT_MISSING, VAULT_NO_KEY, VAULT_ORIGIN, VAULT_UNREADABLE,
    VAULT_UNSAVED,
};
use crate::testpoint::planted;

/// In the place of an account: the installation's own keys. They have no origins, so they are never lent.
const OWN: &str = "install";
const LABEL_PRINT: &str = "counterfoil/fingerprint-key/v1";

/// What can be told about a sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The account's uuid.
    pub account: String,
    /// The name of the key within its account.
    pub field: String,
    /// Where it may be sent; sorted, each once.
    pub origins: Vec<Origin>,
    /// 1 for the first, one more each time it is set.
    pub version: u64,
    /// When it was set: milliseconds UTC by this machine's clock.
    pub set_at: i64,
    /// Eight hexadecimal digits by which a person can tell two keys apart; made with a key of this vault.
    pub fingerprint: String,
}

/// A record as it stands in the file, and its fingerprint, opened.
#[derive(Clone)]
struct Held {
    record: Record,
    fingerprint: String,
}

/// The open vault: labels in clear, secrets sealed until they are lent.
pub struct Vault {
    path: PathBuf,
    header: Header,
    key: Key,
    held: Vec<Held>,
}

impl Vault {
    /// Makes a vault with a token key in it, where none is.
    pub fn create(path: &Path, kek: Kek, entropy: &dyn Entropy) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(VAULT_EXISTS.with(path.display()));
        }
        let (header, key) = Header::new(&kek, entropy).map_err(unsealed)?;
        let mut vault = Self { path: path.to_owned(), header, key, held: Vec::new() };
        let first = Secret::new(Key::random(entropy).expose().to_vec());
        vault.keep(OWN, &token_field(1), &[], &first, 0, entropy)?;
        Ok(vault)
    }

    /// Opens the vault. Nothing is changed, whatever is found.
    pub fn open(path: &Path, kek: Kek) -> Result<Self> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => VAULT_MISSING.with(path.display()),
            kind => VAULT_UNREADABLE.with(format_args!("{} ({kind})", path.display())),
        };
        let (mut file, _) = disk::open_plain(path).map_err(|refused| match refused {
            Refused::Io(error) => unreadable(error),
            Refused::Kind => VAULT_UNREADABLE.with(format_args!("{} is not a plain file", path.display())),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        Self::read(path, &bytes, &kek)
    }

    fn read(path: &Path, bytes: &[u8], kek: &Kek) -> Result<Self> {
        let (header, key, records) = file::parse(bytes, kek)?;
        let held = records.into_iter().map(|record| {
            let opened = key.open(&record.bound.to_fingerprint(&header), &record.fingerprint.0);
            let fingerprint = hex(opened.map_err(|Unspecified| damaged("a fingerprint does not open"))?.expose());
            Ok(Held { record, fingerprint })
        });
        let held = held.collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), header, key, held })
    }

    /// Keeps a secret for these origins, in the place of the one before. It counts once it is on disk: after an error
    /// the vault is as it was.
    pub fn put(
        &mut self,
        account: &str,
        field: &str,
        origins: &[Origin],
        secret: &Secret,
        now_ms: i64,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let wrong = [
            (account.is_empty() || account == OWN, "no account"),
            (field.is_empty(), "no field"),
            (origins.is_empty(), "no address"),
            (secret.expose().is_empty(), "no content"),
        ];
        match wrong.iter().find(|(is_so, _)| *is_so) {
            Some((_, what)) => Err(VAULT_LABEL.with(what)),
            None => self.keep(account, field, origins, secret, now_ms, entropy),
        }
    }

    /// Opens a secret for a request to `origin`, if it was sealed for it. Lend late and drop early: nothing is cached.
    pub fn lend(&self, account: &str, field: &str, origin: &Origin) -> Result<Secret> {
        let record = self.find(account, field)?;
        if !record.bound.origins.contains(origin) && !planted("any_origin") {
            let sealed: Vec<String> = record.bound.origins.iter().map(Origin::to_string).collect();
            return Err(VAULT_ORIGIN.with(format_args!("{origin} is asked for, set for {}", sealed.join(", "))));
        }
        self.unseal(record)
    }

    /// Removes a secret.
    pub fn remove(&mut self, account: &str, field: &str) -> Result<()> {
        self.find(account, field)?;
        self.retain(|bound| !bound.is(account, field)).map(drop)
    }

    /// Removes every secret of an account and says how many there were.
    pub fn remove_account(&mut self, account: &str) -> Result<usize> {
        self.retain(|bound| bound.account != account || bound.account == OWN)
    }

    /// The secrets of all accounts, sorted by account and field; not the installation's own keys.
    pub fn list(&self) -> Vec<Label> {
        let others = self.held.iter().filter(|held| held.record.bound.account != OWN);
        let mut labels: Vec<Label> = others.map(Held::label).collect();
        labels.sort_by(|a, b| (&a.account, &a.field).cmp(&(&b.account, &b.field)));
        labels
    }

    /// The key of keyed hashes with this version's number; a new vault has number 1.
    pub fn token_key(&self, version: u32) -> Result<TokenKey> {
        let secret = self.unseal(self.own(&token_field(version))?)?;
        let key = secret.expose().try_into().map_err(|_| damaged("a token key has the wrong length"))?;
        Ok(TokenKey::new(version, key))
    }

    /// The signing key of this name (such as `install`), made and kept when it is asked for first.
    pub fn signing_key(&mut self, name: &str, now_ms: i64, entropy: &dyn Entropy) -> Result<SigningKey> {
        let field = format!("signing.{name}");
        if self.own(&field).is_err() {
            let document = keys::pkcs8(&Key::random(entropy)).map_err(unsealed)?;
            self.keep(OWN, &field, &[], &document, now_ms, entropy)?;
        }
        let document = self.unseal(self.own(&field)?)?;
        SigningKey::from_pkcs8(&document).map_err(|Unspecified| damaged("a signing key is malformed"))
    }

    /// The record of an account's secret.
    fn find(&self, account: &str, field: &str) -> Result<&Record> {
        let found = self.at(account, field).filter(|_| account != OWN);
        found.ok_or_else(|| VAULT_NO_KEY.with(format_args!("account {account}, field {field}")))
    }

    /// The record of one of the installation's own keys.
    fn own(&self, field: &str) -> Result<&Record> {
        self.at(OWN, field).ok_or_else(|| VAULT_NO_KEY.with(format_args!("the installation's own {field}")))
    }

    fn at(&self, account: &str, field: &str) -> Option<&Record> {
        self.held.iter().map(|held| &held.record).find(|record| record.bound.is(account, field))
    }

    fn unseal(&self, record: &Record) -> Result<Secret> {
        let opened = self.key.open(&record.bound.to_secret(&self.header), &record.secret.0);
        opened.map_err(|Unspecified| damaged("a record does not open"))
    }

    fn keep(
        &mut self,
        account: &str,
        field: &str,
        origins: &[Origin],
        secret: &Secret,
        now_ms: i64,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let mut origins = origins.to_vec();
        origins.sort();
        origins.dedup();
        let version = self.at(account, field).map_or(0, |record| record.bound.version) + 1;
        let (account, field) = (account.to_owned(), field.to_owned());
        let bound = Bound { account, field, origins, version, set_at: now_ms };
        let mut held = self.held.clone();
        held.retain(|old| !old.record.bound.is(&bound.account, &bound.field));
        held.push(self.seal(bound, secret, entropy).map_err(unsealed)?);
        self.save(held)
    }

    fn seal(&self, bound: Bound, secret: &Secret, entropy: &dyn Entropy) -> Result<Held, Unspecified> {
        let tag = self.key.mac(LABEL_PRINT, secret.expose())?;
        let print = &tag.as_ref()[..4];
        let secret = Blob(self.key.seal(&bound.to_secret(&self.header), secret.expose(), entropy)?);
        let fingerprint = Blob(self.key.seal(&bound.to_fingerprint(&self.header), print, entropy)?);
        Ok(Held { record: Record { bound, secret, fingerprint }, fingerprint: hex(print) })
    }

    /// Keeps only the records that stay; says how many went.
    fn retain(&mut self, stays: impl Fn(&Bound) -> bool) -> Result<usize> {
        let held: Vec<Held> = self.held.iter().filter(|held| stays(&held.record.bound)).cloned().collect();
        let gone = self.held.len() - held.len();
        if gone > 0 {
            self.save(held)?;
        }
        Ok(gone)
    }

    fn save(&mut self, held: Vec<Held>) -> Result<()> {
        let text = file::render(&self.header, held.iter().map(|held| &held.record), &self.key).map_err(unsealed)?;
        disk::replace(&self.path, text.as_bytes())
            .map_err(|error| VAULT_UNSAVED.with(format_args!("{} ({})", self.path.display(), error.kind())))?;
        self.held = held;
        Ok(())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.path.display())
    }
}

impl Bound {
    fn is(&self, account: &str, field: &str) -> bool {
        self.account == account && self.field == field
    }
}

impl Held {
    fn label(&self) -> Label {
        let Bound { account, field, origins, version, set_at } = self.record.bound.clone();
        Label { account, field, origins, version, set_at, fingerprint: self.fingerprint.clone() }
    }
}

fn token_field(version: u32) -> String {
    format!("token.{version}")
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; bytes.len() * 2];
    keys::hex(bytes, &mut digits).to_owned()
}

/// ring refuses to seal only what is longer than any key.
fn unsealed(_: Unspecified) -> Problem {
    VAULT_UNSAVED.with("the secret could not be sealed")
}
