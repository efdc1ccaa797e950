//! The vault's file: text and record, back and forth. It opens no seal but the one around the vault's own key and the
//! one around the whole.
//!
//! ```text
//! counterfoil-vault 1
//! {"vault":"<uuid>","dek":"<uuid>","kek":"<check>","wrapped":"<blob>"}
//! {"bound":{"account":"<uuid>","field":"key","origins":["https://api.stripe.com:443"],"version":1,"set_at":…},
//!   "secret":"<blob>","fingerprint":"<blob>"}                                            (in one line)
//! …
//! mac <HMAC-SHA256, under a key derived from the vault's own, of every byte before this line>
//! ```
//!
//! Blobs (see `seal`) are base64. The number in the first line governs everything below it. As the last line covers
//! every byte before it, nothing in the file can be changed, added, left out or reordered without the key. What cannot be
//! seen from inside is an older copy of the whole file put back in its place.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::error::Unspecified;
use serde::{Deserialize, Serialize};

use super::seal::{Context, Key};
use super::{Kek, Origin};
use crate::entropy::Entropy;
use crate::problem::{Problem, Result, VAULT_DAMAGED, VAULT_NEWER, VAULT_WRONG_KEY};

const NAME: &str = "counterfoil-vault";
const VERSION: u64 = 1;
const LABEL_DEK: &str = "counterfoil/dek/v1";
const LABEL_KEK: &str = "counterfoil/kek-check/v1";
const LABEL_FILE: &str = "counterfoil/vault-file/v1";
const LABEL_SECRET: &str = "counterfoil/secret/v1";
const LABEL_FINGERPRINT: &str = "counterfoil/fingerprint/v1";

/// Sealed bytes; base64 in the file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Blob(pub(super) Vec<u8>);

impl TryFrom<String> for Blob {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Blob> for String {
    fn from(blob: Blob) -> Self {
        STANDARD.encode(blob.0)
    }
}

/// Which vault this is, and its own key under the key encryption key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) vault: String,
    pub(super) dek: String,
    /// Tells a wrong key from a damaged file: a keyed hash of nothing, which only the right key encryption key makes.
    pub(super) kek: Blob,
    pub(super) wrapped: Blob,
}

impl Header {
    /// A new vault: its header and its own key.
    pub(super) fn new(kek: &Kek, entropy: &dyn Entropy) -> Result<(Self, Key), Unspecified> {
        let (vault, dek, key) = (entropy.uuid(), entropy.uuid(), Key::random(entropy));
        let check = kek.0.mac(LABEL_KEK, &[])?;
        let wrapped = kek.0.seal(&Self::context(&vault, &dek), key.expose(), entropy)?;
        Ok((Self { vault, dek, kek: Blob(check.as_ref().to_vec()), wrapped: Blob(wrapped) }, key))
    }

    fn context(vault: &str, dek: &str) -> Context {
        Context::new(LABEL_DEK, &[vault.as_bytes(), dek.as_bytes()])
    }

    /// The vault's own key.
    fn unwrap(&self, kek: &Kek) -> Result<Key> {
        let opened = kek.0.open(&Self::context(&self.vault, &self.dek), &self.wrapped.0);
        opened.and_then(|key| Key::from_secret(&key)).map_err(|Unspecified| {
            match kek.0.verify(LABEL_KEK, &[], &self.kek.0) {
                Ok(()) => damaged("its own key does not open"),
                Err(Unspecified) => VAULT_WRONG_KEY.plain(),
            }
        })
    }
}

/// What a secret is bound to: both its seals open only beside the very same values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bound {
    pub(super) account: String,
    pub(super) field: String,
    /// Sorted, each once.
    pub(super) origins: Vec<Origin>,
    pub(super) version: u64,
    /// Milliseconds UTC.
    pub(super) set_at: i64,
}

/// One sealed secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) bound: Bound,
    pub(super) secret: Blob,
    pub(super) fingerprint: Blob,
}

impl Bound {
    /// What the seal around the secret is bound to.
    pub(super) fn to_secret(&self, header: &Header) -> Context {
        self.context(LABEL_SECRET, header)
    }

    /// What the seal around the fingerprint is bound to.
    pub(super) fn to_fingerprint(&self, header: &Header) -> Context {
        self.context(LABEL_FINGERPRINT, header)
    }

    fn context(&self, label: &'static str, header: &Header) -> Context {
        let (version, set_at) = (self.version.to_be_bytes(), self.set_at.to_be_bytes());
        let origins: Vec<String> = self.origins.iter().map(Origin::to_string).collect();
        let ids = [&header.vault, &header.dek, &self.account, &self.field];
        let mut parts: Vec<&[u8]> = ids.into_iter().map(String::as_bytes).collect();
        parts.extend([&version[..], &set_at[..]]);
        parts.extend(origins.iter().map(String::as_bytes));
        Context::new(label, &parts)
    }
}

/// The whole file as text.
pub(super) fn render<'a>(
    header: &Header,
    records: impl Iterator<Item = &'a Record>,
    key: &Key,
) -> Result<String, Unspecified> {
    let line = |json: serde_json::Result<String>| json.map_err(|_| Unspecified);
    let mut text = format!("{NAME} {VERSION}\n{}\n", line(serde_json::to_string(header))?);
    for record in records {
        text.push_str(&line(serde_json::to_string(record))?);
        text.push('\n');
    }
    let mac = key.mac(LABEL_FILE, text.as_bytes())?;
    text.push_str(&format!("mac {}\n", STANDARD.encode(mac)));
    Ok(text)
}

/// Takes the file apart, after its last line has proven that it is whole.
pub(super) fn parse(bytes: &[u8], kek: &Kek) -> Result<(Header, Key, Vec<Record>)> {
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
    let (first, rest) = text.split_once('\n').ok_or_else(|| damaged("it ends in its first line"))?;
    match first.strip_prefix(NAME).and_then(|rest| rest.strip_prefix(' ')).and_then(|n| n.parse::<u64>().ok()) {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => {
            return Err(VAULT_NEWER.with(format_args!("format {newer}; this version knows format {VERSION}")));
        }
        _ => return Err(damaged("its first line is not that of a vault")),
    }
    let (header, _) = rest.split_once('\n').ok_or_else(|| damaged("it ends in its second line"))?;
    let header: Header = serde_json::from_str(header).map_err(|_| damaged("its second line is malformed"))?;
    let key = header.unwrap(kek)?;
    let records = whole(text, &key).ok_or_else(|| damaged("its last line does not confirm the rest"))?;
    let records = records.lines().skip(2).map(serde_json::from_str).collect::<Result<_, _>>();
    Ok((header, key, records.map_err(|_| damaged("a record is malformed"))?))
}

/// The text without its last line, if that line is right.
fn whole<'a>(text: &'a str, key: &Key) -> Option<&'a str> {
    let end = text.strip_suffix('\n')?.rfind('\n')? + 1;
    let (body, last) = text.split_at(end);
    let mac = STANDARD.decode(last.strip_prefix("mac ")?.strip_suffix('\n')?).ok()?;
    key.verify(LABEL_FILE, body.as_bytes(), &mac).ok()?;
    Some(body)
}

/// The vault is damaged, and where.
pub(super) fn damaged(place: &str) -> Problem {
    VAULT_DAMAGED.with(place)
}
