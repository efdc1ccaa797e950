//! A small table from JSON keys to edges of the projection tree, fast for the few dozen keys of one object. Built once.

use std::sync::atomic::{AtomicU16, Ordering};

/// Keys of one JSON object, with what each leads to.
#[derive(Debug)]
pub(super) struct Lookup {
    keys: Vec<Box<str>>,
    /// Open addressing over indexes into `keys`, plus one; 0 is free. Its length is a power of two.
    slots: Vec<u16>,
    /// Which key followed each one (the start first) when it was last seen: providers write an object's keys in one order.
    followers: Vec<AtomicU16>,
}

impl Lookup {
    /// Keys are numbered in the order given.
    pub(super) fn new(keys: Vec<Box<str>>) -> Self {
        let mut slots = vec![0; (keys.len() * 3).next_power_of_two().max(4)];
        let mask = slots.len() - 1;
        for (index, key) in keys.iter().enumerate() {
            let mut at = spread(key) & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = u16::try_from(index + 1).unwrap_or(u16::MAX);
        }
        let followers = (0..=keys.len()).map(|_| AtomicU16::new(0)).collect();
        Self { keys, slots, followers }
    }

    /// The number of `key`. `place` is where in the object it stands, from 0 on; it is moved on.
    pub(super) fn find(&self, key: &str, place: &mut usize) -> Option<usize> {
        let follower = &self.followers[*place];
        let guess = usize::from(follower.load(Ordering::Relaxed));
        let found = match self.keys.get(guess) {
            Some(likely) if **likely == *key => guess,
            _ => {
                let found = self.search(key)?;
                // A number always fits: slots hold it plus one. Whoever writes last is right enough.
                follower.store(found as u16, Ordering::Relaxed);
                found
            }
        };
        *place = found + 1;
        Some(found)
    }

    fn search(&self, key: &str) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut at = spread(key) & mask;
        loop {
            let index = usize::from(self.slots[at]).checked_sub(1)?;
            if *self.keys[index] == *key {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }
}

/// Length, first, middle and last byte tell nearly all field names of one object apart.
fn spread(key: &str) -> usize {
    let b = key.as_bytes();
    let (Some(first), Some(last)) = (b.first(), b.last()) else { return 0 };
    let middle = b[b.len() / 2];
    let mix = b.len() ^ (usize::from(*first) << 3) ^ (usize::from(middle) << 7) ^ (usize::from(*last) << 11);
    mix.wrapping_mul(0x9e37_79b9) >> 9
}

#[cfg(test)]
mod tests {
    use super::Lookup;

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys = ["id", "amount", "amount_captured", "amount_refunded", "created", "a", ""];
        let lookup = Lookup::new(keys.iter().map(|key| (*key).into()).collect());
        // In whatever order they come, known to the table from the last time or not.
        for _ in 0..2 {
            for order in [[0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [3, 0, 6, 1, 5, 2, 4]] {
                let mut place = 0;
                for index in order {
                    for unknown in ["i", "ids", "amount_", "b", "created_"] {
                        assert_eq!(lookup.find(unknown, &mut place), None, "{unknown}");
                    }
                    assert_eq!(lookup.find(keys[index], &mut place), Some(index), "{}", keys[index]);
                }
            }
        }
    }
}
