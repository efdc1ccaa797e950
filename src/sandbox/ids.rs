//! Ids of the providers' shapes that can be read back: each encodes, scrambled by a seed, which object it names, so that
//! no table of ids is needed. The second half of an id is a check, so that a made-up id names nothing.

use super::chance::{hash, hash_text, mix, unmix};

/// How an id is written: its digits, how many of them carry the number, and how many follow as a check.
pub(crate) struct Script {
    digits: &'static [u8],
    carry: usize,
    check: usize,
}

/// Stripe: 23 letters and digits.
pub(crate) const BASE62: Script =
    Script { digits: b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", carry: 11, check: 12 };
/// Checkout.com: 26 base32 digits.
pub(crate) const BASE32: Script = Script { digits: b"abcdefghijklmnopqrstuvwxyz234567", carry: 13, check: 13 };

impl Script {
    /// The text that names `value` among the objects called `kind`, without prefix.
    pub(crate) fn write(&self, seed: u64, kind: &str, value: u64, out: &mut String) {
        let key = hash_text(seed, kind);
        self.digits_of(mix(value ^ key), self.carry, out);
        // Ten digits take less than a hash holds, so that none of them is always zero.
        for start in (0..self.check).step_by(10) {
            self.digits_of(hash(key ^ start as u64, value), (self.check - start).min(10), out);
        }
    }

    /// What [`Script::write`] wrote; `None` for any other text.
    pub(crate) fn read(&self, seed: u64, kind: &str, text: &str) -> Option<u64> {
        if text.len() != self.carry + self.check {
            return None;
        }
        let value = unmix(self.number_of(&text.as_bytes()[..self.carry])?) ^ hash_text(seed, kind);
        let mut again = String::with_capacity(text.len());
        self.write(seed, kind, value, &mut again);
        (again == text).then_some(value)
    }

    /// The number that these digits write; `None` when one is not a digit or the number is too large.
    fn number_of(&self, text: &[u8]) -> Option<u64> {
        text.iter().rev().try_fold(0u64, |value, byte| {
            let digit = self.digits.iter().position(|known| known == byte)? as u64;
            value.checked_mul(self.digits.len() as u64)?.checked_add(digit)
        })
    }

    /// Little-endian digits of `value`; once it is used up, zeros.
    fn digits_of(&self, mut value: u64, count: usize, out: &mut String) {
        let base = self.digits.len() as u64;
        for _ in 0..count {
            out.push(char::from(self.digits[(value % base) as usize]));
            value /= base;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_made_up_ones_do_not() {
        for script in [BASE62, BASE32] {
            for value in [0, 1, 77, u64::MAX, 1 << 63] {
                let mut text = String::new();
                script.write(9, "charge", value, &mut text);
                assert_eq!(text.len(), script.carry + script.check);
                assert_eq!(script.read(9, "charge", &text), Some(value));
                assert_eq!(script.read(8, "charge", &text), None, "another seed");
                assert_eq!(script.read(9, "refund", &text), None, "another kind");
                assert_eq!(script.read(9, "charge", &text[1..]), None, "too short");
            }
            assert_eq!(script.read(9, "charge", &"z".repeat(script.carry + script.check)), None);
            assert_eq!(script.read(9, "charge", &"é".repeat((script.carry + script.check) / 2)), None);
        }
    }
}
