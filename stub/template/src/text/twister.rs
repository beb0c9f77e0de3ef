//! Python's random numbers, for filters with a seed: the same seed must give the same number on every run, and
//! the same as before with Ansible.

use sha2::{Digest, Sha512};

use crate::Error;
use crate::value::{BigInt, Value, as_big, to_text};

const SIZE: usize = 624;

/// The Mersenne Twister as Python seeds and uses it.
pub(crate) struct Twister {
    state: Vec<u32>,
    at: usize,
}

impl Twister {
    /// Seeded with an integer, or with text by way of its digest.
    pub(crate) fn from_value(seed: &Value) -> Result<Twister, Error> {
        if let Some(number) = as_big(seed) {
            return Ok(Self::from_key(number.digits()));
        }
        let bytes = to_text(seed)?.into_bytes();
        let digest = Sha512::digest(&bytes);
        let number = BigInt::from_bytes(&[&bytes[..], &digest[..]].concat());
        Ok(Self::from_key(number.digits()))
    }

    fn from_key(key: &[u32]) -> Twister {
        let key = if key.is_empty() { &[0] } else { key };
        let mut state = Self::plain(19_650_218);
        let (mut i, mut j) = (1, 0);
        for _ in 0..SIZE.max(key.len()) {
            let previous = state[i - 1];
            let mixed = (previous ^ previous >> 30).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ mixed)
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i >= SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        for _ in 0..SIZE - 1 {
            let previous = state[i - 1];
            let mixed = (previous ^ previous >> 30).wrapping_mul(1_566_083_941);
            state[i] = (state[i] ^ mixed).wrapping_sub(i as u32);
            i += 1;
            if i >= SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Twister { state, at: SIZE }
    }

    fn plain(seed: u32) -> Vec<u32> {
        let mut state = vec![seed; SIZE];
        for i in 1..SIZE {
            let previous = state[i - 1];
            state[i] = 1_812_433_253u32
                .wrapping_mul(previous ^ previous >> 30)
                .wrapping_add(i as u32);
        }
        state
    }

    fn refill(&mut self) {
        for i in 0..SIZE {
            let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % SIZE] & 0x7fff_ffff;
            let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + 397) % SIZE] ^ y >> 1 ^ twist;
        }
        self.at = 0;
    }

    fn next(&mut self) -> u32 {
        if self.at >= SIZE {
            self.refill();
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    fn bits(&mut self, count: u32) -> u64 {
        if count <= 32 {
            return u64::from(self.next() >> (32 - count));
        }
        let low = u64::from(self.next());
        let high = u64::from(self.next() >> (64 - count));
        high << 32 | low
    }

    /// A number below `bound`, which is above 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let count = 64 - bound.leading_zeros();
        loop {
            let number = self.bits(count);
            if number < bound {
                return number;
            }
        }
    }

    /// Mixes items in place.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_pythons() {
        // random.Random('host1').randrange(0, 100), random.Random(5).choice('abc')
        assert_eq!(
            Twister::from_value(&Value::str("host1"))
                .unwrap()
                .below(100),
            62
        );
        assert_eq!(Twister::from_value(&Value::Int(5)).unwrap().below(3), 2);
        let mut items = [1, 2, 3, 4, 5, 6, 7];
        Twister::from_value(&Value::str("abc"))
            .unwrap()
            .shuffle(&mut items);
        assert_eq!(items, [6, 1, 2, 3, 4, 5, 7]);
    }
}
