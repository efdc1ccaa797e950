//! Chance as arithmetic: hashes and a small generator by which the sandbox derives everything from a seed, again and
//! again, without keeping it. It is not the [`crate::entropy::Entropy`] seam and nothing here is fit for secrets.

/// The finaliser of SplitMix64: a bijection of 64-bit numbers (Steele, Lea, Flood 2014).
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The inverse of [`mix`].
pub(crate) fn unmix(mut z: u64) -> u64 {
    z = (z ^ (z >> 31) ^ (z >> 62)).wrapping_mul(0x3196_42b2_d24d_8ec3);
    z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

/// One number from two.
pub(crate) fn hash(a: u64, b: u64) -> u64 {
    mix(mix(a ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(b.wrapping_mul(0xd134_2543_de82_ef95)))
}

/// One number from a seed and a name.
pub(crate) fn hash_text(seed: u64, text: &str) -> u64 {
    text.bytes().fold(hash(seed, 1), |state, byte| hash(state, u64::from(byte)))
}

/// A stream of numbers from one seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound` (0 when `bound` is 0).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // The high word of a 32 by 32 bit product always fits.
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low))
    }

    /// True in `per_mille` of a thousand cases.
    pub(crate) fn often(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// An index, by weights.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> u8 {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index as u8;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmix_undoes_mix() {
        for value in [0, 1, 42, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(unmix(mix(value)), value);
        }
    }

    #[test]
    fn weights_are_kept() {
        let mut chance = Chance::new(7);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[usize::from(chance.weighted(&[1, 0, 9]))] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((800..1200).contains(&counts[0]), "{counts:?}");
    }
}
