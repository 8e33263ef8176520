//! Whether a body comes fast enough: a minimum rate, counted only while this side has room for more.

use crate::limits::Limits;
use std::time::{Duration, Instant};

/// Measures one body. The clock stops while the consumer, not the peer, holds things up.
///
/// ```
/// use std::time::{Duration, Instant};
/// use thalweg_proto::limits::Limits;
/// use thalweg_proto::session::Pace;
///
/// let (limits, start) = (Limits::default(), Instant::now());
/// let mut pace = Pace::new(start);
/// pace.received(100);
/// assert!(!pace.too_slow(start + Duration::from_secs(9), &limits), "the grace is not over");
/// assert!(pace.too_slow(start + Duration::from_secs(12), &limits), "100 octets in 12 s");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    started: Instant,
    octets: u64,
    held: Duration,
    held_since: Option<Instant>,
}

impl Pace {
    /// A body that begins now.
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            octets: 0,
            held: Duration::ZERO,
            held_since: None,
        }
    }

    /// Octets came.
    pub fn received(&mut self, octets: usize) {
        self.octets += octets as u64;
    }

    /// This side has no room for more (or has again): the clock stops (or goes on).
    pub fn hold(&mut self, now: Instant, held: bool) {
        match (self.held_since, held) {
            (None, true) => self.held_since = Some(now),
            (Some(since), false) => {
                self.held += now.saturating_duration_since(since);
                self.held_since = None;
            }
            _ => {}
        }
    }

    /// When the peer will be below the rate that `limits` ask for if nothing more comes; never while the clock
    /// stands still.
    pub fn runs_out(&self, limits: &Limits) -> Option<Instant> {
        if limits.body_rate == 0 || self.held_since.is_some() {
            return None;
        }
        let earned = self.octets as f64 / f64::from(limits.body_rate);
        // A millisecond more, so that the rate is truly missed then.
        let free =
            (self.held.saturating_add(limits.body_grace)).saturating_add(Duration::from_millis(1));
        let after = free.checked_add(Duration::try_from_secs_f64(earned).ok()?)?;
        self.started.checked_add(after)
    }

    /// Whether the peer is below the rate that `limits` ask for.
    pub fn too_slow(&self, now: Instant, limits: &Limits) -> bool {
        let elapsed = now.saturating_duration_since(self.started);
        let held_now = self
            .held_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let counted = elapsed.saturating_sub(self.held + held_now);
        if limits.body_rate == 0 || counted <= limits.body_grace {
            return false;
        }
        // The grace is free: only the time beyond it has to be earned.
        let due = (counted - limits.body_grace).as_secs_f64() * f64::from(limits.body_rate);
        (self.octets as f64) < due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_the_consumer_holds_things_up_is_not_counted() {
        let (limits, start) = (Limits::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(start);
        pace.hold(at(1), true);
        assert!(!pace.too_slow(at(1000), &limits));
        pace.hold(at(1000), false);
        assert!(!pace.too_slow(at(1008), &limits));
        assert!(pace.too_slow(at(1011), &limits));
    }

    #[test]
    fn it_tells_when_the_octets_so_far_run_out() {
        let (limits, start) = (Limits::default(), Instant::now());
        let mut pace = Pace::new(start);
        pace.received(2048);
        pace.hold(start, true);
        assert_eq!(pace.runs_out(&limits), None, "the clock stands still");
        pace.hold(start + Duration::from_secs(5), false);
        let at = pace.runs_out(&limits).unwrap();
        assert!(pace.too_slow(at, &limits));
        assert!(!pace.too_slow(at - Duration::from_millis(2), &limits));
        assert!(at > start + Duration::from_secs(5 + 10 + 2));
    }

    #[test]
    fn a_body_at_the_rate_is_never_too_slow() {
        let (limits, start) = (Limits::default(), Instant::now());
        let mut pace = Pace::new(start);
        for second in 1..1000 {
            pace.received(1024);
            assert!(!pace.too_slow(start + Duration::from_secs(second), &limits));
        }
    }
}
