//! Sealing: the few operations of ring that the vault is made of. It knows no file and no record.
//!
//! Every seal has a key of its own, HKDF-SHA256(key, random salt of 32 bytes, label), used once with a zero nonce under
//! ChaCha20-Poly1305. So no nonce can repeat, not even after a virtual machine went back to a snapshot, and no counter is
//! kept. A sealed blob is `salt (32) | ciphertext | tag (16)`. What is sealed is first padded to a multiple of 64 bytes
//! (`length u32 | bytes | zeros`, big-endian), so that its length does not tell what kind of key it is.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce};
use ring::error::Unspecified;
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::Secret;
use crate::entropy::Entropy;

const SALT: usize = 32;
const BLOCK: usize = 64;

/// A key of 32 bytes from which others are derived, each under a label of its own.
pub(super) struct Key(Zeroizing<[u8; 32]>);

/// What a seal is bound to: its label and the parts that must be the same when it is opened.
pub(super) struct Context {
    label: &'static str,
    frame: Vec<u8>,
}

impl Context {
    /// Binds to `label` and then to each part in order, each behind its length, so that no two lists look alike.
    pub(super) fn new(label: &'static str, parts: &[&[u8]]) -> Self {
        let mut frame = Vec::new();
        for part in std::iter::once(&label.as_bytes()).chain(parts) {
            frame.extend_from_slice(&length(part.len()));
            frame.extend_from_slice(part);
        }
        Self { label, frame }
    }
}

/// A length as four bytes, big-endian. Parts are names, addresses and keys: far below four gigabytes.
pub(super) fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

impl Key {
    /// Takes over the bytes of a key.
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new key by chance.
    pub(super) fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(bytes)
    }

    /// The key that a blob held.
    pub(super) fn from_secret(secret: &Secret) -> Result<Self, Unspecified> {
        let mut bytes = Zeroizing::new([0; 32]);
        if secret.expose().len() != bytes.len() {
            return Err(Unspecified);
        }
        bytes.copy_from_slice(secret.expose());
        Ok(Self(bytes))
    }

    /// The bytes, to be sealed under another key.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0[..]
    }

    /// Seals `plain`, bound to `context`.
    pub(super) fn seal(&self, context: &Context, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Unspecified> {
        let mut blob = vec![0; SALT];
        entropy.fill(&mut blob);
        let key = self.once(&blob, context.label)?;
        let padded = (size_of::<u32>() + plain.len()).next_multiple_of(BLOCK);
        // Room for the tag from the start: a vector that grows leaves an unwiped copy behind.
        let mut buffer = Zeroizing::new(Vec::with_capacity(padded + CHACHA20_POLY1305.tag_len()));
        buffer.extend_from_slice(&length(plain.len()));
        buffer.extend_from_slice(plain);
        buffer.resize(padded, 0);
        key.seal_in_place_append_tag(zero(), Aad::from(&context.frame), &mut *buffer)?;
        blob.extend_from_slice(&buffer);
        Ok(blob)
    }

    /// Opens what [`Key::seal`] sealed with this key and this context; anything else is an error.
    pub(super) fn open(&self, context: &Context, blob: &[u8]) -> Result<Secret, Unspecified> {
        let (salt, sealed) = blob.split_at_checked(SALT).ok_or(Unspecified)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let key = self.once(salt, context.label)?;
        let padded = key.open_in_place(zero(), Aad::from(&context.frame), &mut buffer)?;
        let (length, rest) = padded.split_first_chunk().ok_or(Unspecified)?;
        let plain = rest.get(..u32::from_be_bytes(*length) as usize).ok_or(Unspecified)?;
        Ok(Secret::new(plain.to_vec()))
    }

    /// HMAC-SHA256 of `data` under the key derived for `label`.
    pub(super) fn mac(&self, label: &'static str, data: &[u8]) -> Result<hmac::Tag, Unspecified> {
        Ok(hmac::sign(&self.mac_key(label)?, data))
    }

    /// Whether `tag` is [`Key::mac`] of `data`, found out in constant time.
    pub(super) fn verify(&self, label: &'static str, data: &[u8], tag: &[u8]) -> Result<(), Unspecified> {
        hmac::verify(&self.mac_key(label)?, data, tag)
    }

    fn mac_key(&self, label: &'static str) -> Result<hmac::Key, Unspecified> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(self.expose());
        Ok(extracted.expand(&[label.as_bytes()], hmac::HMAC_SHA256)?.into())
    }

    /// The key of one seal.
    fn once(&self, salt: &[u8], label: &'static str) -> Result<LessSafeKey, Unspecified> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.expose());
        Ok(LessSafeKey::new(extracted.expand(&[label.as_bytes()], &CHACHA20_POLY1305)?.into()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The nonce of a key that seals once.
fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
