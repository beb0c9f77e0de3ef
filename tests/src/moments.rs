//! Numbers that look random and are the same for the same seed, so that a failure can be had again.

use std::time::Duration;

/// A sequence of them (splitmix64).
pub struct Moments(u64);

impl Moments {
    /// Begins at `RUSTLE_TEST_SEED`, which is printed; by default always at the same place.
    pub fn from_environment() -> Moments {
        let seed = std::env::var("RUSTLE_TEST_SEED")
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or(20_251);
        eprintln!("RUSTLE_TEST_SEED={seed}");
        Moments(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next_number() % end as u64) as usize
    }

    /// A moment before `end`.
    pub fn before(&mut self, end: Duration) -> Duration {
        let micros = u64::try_from(end.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.next_number() % micros)
    }
}
