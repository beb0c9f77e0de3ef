//! How much may be under way to a host that is near.
//!
//! A server that gets more than its command has read keeps it in a buffer, and OpenSSH's grows piece by piece, copied and wiped each
//! time: two megabytes, its whole window, cost it 60 ms of processor time. Where an answer takes no time, little under way is
//! enough to keep the line full.

use std::time::{Duration, Instant};

/// What may be under way to begin with, in bytes: more than OpenSSH waits for before it tells that something was read (96 KiB).
const BEGIN: u64 = 256 << 10;
/// A host that is connected to within this time is near.
const NEAR: Duration = Duration::from_millis(5);
/// After so long without a word more may be under way: other servers speak up only when half of their window was used.
const PATIENCE: Duration = Duration::from_millis(40);

/// The bound on what is under way over one channel.
#[derive(Debug)]
pub(super) struct Pace {
    limit: u64,
    /// Since when nothing may be sent, and how much was under way.
    held: Option<(Instant, u64)>,
}

impl Pace {
    /// `connected`: how long connecting took.
    pub(super) fn new(connected: Duration) -> Pace {
        Pace {
            limit: if connected < NEAR { BEGIN } else { u64::MAX },
            held: None,
        }
    }

    /// How many bytes may be sent now, where so many are `under_way`.
    pub(super) fn room(&mut self, under_way: u64, now: Instant) -> u64 {
        if under_way < self.limit {
            self.held = None;
            return self.limit - under_way;
        }
        match self.held {
            Some((since, then)) if then == under_way => {
                if now.duration_since(since) < PATIENCE {
                    return 0;
                }
                self.limit = self.limit.saturating_mul(2);
                self.held = None;
                self.limit.saturating_sub(under_way)
            }
            _ => {
                self.held = Some((now, under_way));
                0
            }
        }
    }

    /// How long to wait at most for a word of the host's, where nothing may be sent.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let (since, _) = self.held?;
        Some((since + PATIENCE).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_host_gets_little_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(1));
        assert_eq!(pace.room(0, now), BEGIN);
        assert_eq!(pace.room(BEGIN - 1, now), 1);
        assert_eq!(pace.wait(now), None);
        assert_eq!(pace.room(BEGIN, now), 0);
        assert_eq!(pace.wait(now), Some(PATIENCE));
        // A word came: some of it was read.
        assert_eq!(pace.room(BEGIN - 100, now + PATIENCE), 100);
    }

    #[test]
    fn a_server_that_says_nothing_gets_more() {
        let now = Instant::now();
        let mut pace = Pace::new(Duration::ZERO);
        assert_eq!(pace.room(BEGIN, now), 0);
        assert_eq!(pace.room(BEGIN, now + PATIENCE / 2), 0);
        assert_eq!(pace.room(BEGIN, now + PATIENCE), BEGIN);
        assert_eq!(pace.room(BEGIN * 2, now + PATIENCE), 0);
        assert_eq!(pace.room(BEGIN * 2, now + PATIENCE * 2), BEGIN * 2);
    }

    #[test]
    fn a_host_far_away_gets_its_whole_window() {
        let mut pace = Pace::new(NEAR);
        assert!(pace.room(100 << 20, Instant::now()) > 1 << 40);
    }
}
