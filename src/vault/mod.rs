//! Seals and opens keys; the only room that sees key bytes.

use zeroize::Zeroizing;

/// A provider key or other secret in memory: cannot be printed, serialized or compared; wiped when dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that needs them (a header, a signature).
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
