//! How often a peer may do what costs us more than it costs the peer: token buckets, and what is not held against it.

use crate::limits::Rate;
use std::time::Instant;

/// One bucket of a [`Rate`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    used: u32,
    /// When `used` was last lowered: by whole tokens only, so that no fraction is lost.
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(now: Instant) -> Self {
        Self { used: 0, at: now }
    }

    /// Takes one token. Answers false when there was none left.
    pub(super) fn draw(&mut self, now: Instant, rate: Rate) -> bool {
        if self.used >= rate.burst {
            self.refill(now, rate);
        }
        let left = self.used < rate.burst;
        self.used = self.used.saturating_add(u32::from(left));
        left
    }

    fn refill(&mut self, now: Instant, rate: Rate) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        let tokens = (elapsed * f64::from(rate.per_second)) as u32;
        if tokens > 0 {
            self.used = self.used.saturating_sub(tokens);
            self.at = now;
        }
    }
}

/// What a peer may still send on streams that this side has reset, since it could not know: the octets that their
/// windows allowed, and one more for the end of each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late(u64);

impl Late {
    /// A stream was reset whose window allowed this many octets.
    pub(super) fn allow(&mut self, window: u32) {
        self.0 = self.0.saturating_add(u64::from(window) + 1);
    }

    /// A frame of this many octets came for one of them. Answers whether it was to be expected.
    pub(super) fn take(&mut self, octets: u32) -> bool {
        match self.0.checked_sub(u64::from(octets.max(1))) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// Small frames that a peer has a reason to send, because of what it was sent or has asked for: credit for octets of
/// ours, a PING beside them. Without a reason they serve nobody, and cost a peer next to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reasons(u32);

impl Reasons {
    /// As many as this are kept for later.
    const MOST: u32 = 1 << 14;
    /// A request: a window for its response, and something beside it.
    const REQUEST: u32 = 4;
    /// Every frame may be credited to its stream and to the connection, and long ones in steps of 1 KiB.
    const STEP: usize = 512;

    /// A request came.
    pub(super) fn request(&mut self) {
        self.add(Self::REQUEST);
    }

    /// DATA of so many octets has left.
    pub(super) fn data(&mut self, octets: usize) {
        self.add(2 + (octets / Self::STEP) as u32);
    }

    /// A frame came that needs one. Answers whether there was one.
    pub(super) fn take(&mut self) -> bool {
        let some = self.0 > 0;
        self.0 -= u32::from(some);
        some
    }

    fn add(&mut self, frames: u32) {
        self.0 = self.0.saturating_add(frames).min(Self::MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_then_only_so_many_a_second() {
        let rate = Rate {
            burst: 3,
            per_second: 2,
        };
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let mut drawn = |now| (0..10).filter(|_| bucket.draw(now, rate)).count();
        assert_eq!(drawn(start), 3);
        assert_eq!(drawn(start + Duration::from_secs(1)), 2);
        assert_eq!(drawn(start + Duration::from_secs(100)), 3);
    }
}
