//! The installation's own keys, opened for use: the key of keyed hashes and the key that signs. They are sealed in the
//! vault like any other; here they only work.

use std::fmt;

use ring::error::Unspecified;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::Secret;
use super::seal::{Key, length};

/// A key of keyed hashes. Equal values of one scope have equal tokens; without the key, a token tells nothing.
#[derive(Clone)]
pub struct TokenKey {
    key: hmac::Key,
    /// `k<version>_`, so that tokens of two keys are never taken for equal.
    prefix: String,
}

impl TokenKey {
    /// The key with this version's number.
    pub fn new(version: u32, key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), prefix: format!("k{version}_") }
    }

    /// `k<version>_` and 32 hexadecimal digits: half of HMAC-SHA256 of `length of scope u32 | scope | value`.
    pub fn token(&self, scope: &str, value: &str) -> String {
        let mut out = String::with_capacity(self.prefix.len() + DIGITS);
        self.write_token(scope, value, &mut out);
        out
    }

    /// Appends the token to `out`: for the projection, which makes one for many a record.
    pub fn write_token(&self, scope: &str, value: &str, out: &mut String) {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&length(scope.len()));
        context.update(scope.as_bytes());
        context.update(value.as_bytes());
        let mut digits = [0; DIGITS];
        out.push_str(&self.prefix);
        out.push_str(hex(context.sign().as_ref(), &mut digits));
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({}…)", self.prefix)
    }
}

const DIGITS: usize = 32;

/// Writes as many bytes in hexadecimal as `digits` has room for.
pub(super) fn hex<'a>(bytes: &[u8], digits: &'a mut [u8]) -> &'a str {
    // Arithmetic, not a table: the compiler turns it into a few vector instructions.
    let digit = |four: u8| four + if four < 10 { b'0' } else { b'a' - 10 };
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
    std::str::from_utf8(digits).unwrap_or_default() // digits are text
}

/// An Ed25519 key: who holds its public half can tell that a message is from this installation.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Signs a message (RFC 8032, the plain variant).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }

    /// The public half.
    pub fn public_key(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    /// Opens a PKCS#8 document with both halves; refused unless they belong together.
    pub(super) fn from_pkcs8(document: &Secret) -> Result<Self, Unspecified> {
        Ed25519KeyPair::from_pkcs8(document.expose()).map(Self).map_err(|_| Unspecified)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The PKCS#8 document (RFC 8410, with the public half) of the key that this seed stands for. ring can make one itself,
/// but only from the system's generator; ours comes through the seam.
pub(super) fn pkcs8(seed: &Key) -> Result<Secret, Unspecified> {
    const BEFORE_SEED: &[u8] = b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    const BEFORE_PUBLIC: &[u8] = b"\x81\x21\x00";
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| Unspecified)?;
    let parts = [BEFORE_SEED, seed.expose(), BEFORE_PUBLIC, pair.public_key().as_ref()];
    let mut document = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.into_iter().for_each(|part| document.extend_from_slice(part));
    Ok(Secret::new(std::mem::take(&mut *document)))
}
