//! The type of everything that must not be seen. It guards a secret in memory; it does not seal it.
//!
//! Wiping is best effort: copies that other libraries make (headers, key schedules of ring) are out of its reach.

use std::fmt;

use ring::hmac;
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

    /// Whether both hold the same bytes, in a time that does not tell where they differ.
    pub fn same_as(&self, other: &Secret) -> bool {
        // ring compares tags in constant time; the key need not be secret, as no tag is shown to anybody.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"counterfoil/same/v1");
        hmac::verify(&key, self.expose(), hmac::sign(&key, other.expose()).as_ref()).is_ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a type implements a trait: the inherent constant exists only if it does, and hides the trait's.
    macro_rules! implements {
        ($type:ty: $bound:path) => {{
            #[allow(dead_code)]
            struct Probe<T>(std::marker::PhantomData<T>);
            #[allow(dead_code)]
            trait Otherwise {
                const IT_DOES: bool = false;
            }
            impl<T> Otherwise for Probe<T> {}
            #[allow(dead_code)]
            impl<T: $bound> Probe<T> {
                const IT_DOES: bool = true;
            }
            Probe::<$type>::IT_DOES
        }};
    }

    const _: () = {
        assert!(!implements!(Secret: fmt::Display));
        assert!(!implements!(Secret: serde::Serialize));
        assert!(!implements!(Secret: PartialEq));
        assert!(!implements!(Secret: Clone));
        assert!(!implements!(Secret: AsRef<[u8]>));
        assert!(!implements!(Secret: std::ops::Deref));
        // The probe can tell: a String does all of these.
        assert!(implements!(String: fmt::Display));
        assert!(implements!(String: serde::Serialize));
        assert!(implements!(String: PartialEq));
        assert!(implements!(String: Clone));
        assert!(implements!(String: AsRef<[u8]>));
        assert!(implements!(String: std::ops::Deref));
    };

    #[test]
    fn a_secret_is_not_in_its_debug_text() {
        assert_eq!(format!("{:?} {:#?}", Secret::new(b"canary".to_vec()), Secret::new(vec![])), "Secret(…) Secret(…)");
    }

    #[test]
    fn same_as_compares_every_byte_and_the_length() {
        let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
        assert!(secret("rk_live_abc").same_as(&secret("rk_live_abc")));
        assert!(secret("").same_as(&secret("")));
        for other in ["rk_live_abd", "sk_live_abc", "rk_live_ab", "rk_live_abc\0", ""] {
            assert!(!secret("rk_live_abc").same_as(&secret(other)), "{other:?}");
        }
    }
}
