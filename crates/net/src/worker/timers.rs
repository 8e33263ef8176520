//! The deadlines of a worker's connections, in coarse ticks, behind one timer of the runtime.
//!
//! A connection's true deadline moves with almost every step. Its entry here moves only when it would fire too
//! late: fired too early, the connection looks at its own deadline and arms again. So a busy connection costs
//! nothing, and an idle one an entry of 16 octets in an ordered set.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The grain: nothing fires earlier than asked, or later than this beyond the runtime's own delay.
const TICK: Duration = Duration::from_millis(20);

/// What stands for a deadline that no clock can show: a time that was configured without a bound.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// `time` after `now`, whatever `time` is.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(NEVER)
}

/// When a connection's entry fires: none while it has no entry.
pub(crate) type Armed = Option<u64>;

#[derive(Debug)]
pub(crate) struct Timers {
    origin: Instant,
    entries: BTreeSet<(u64, usize)>,
}

impl Timers {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            entries: BTreeSet::new(),
        }
    }

    /// Makes sure that `key` fires at `deadline` or, when an earlier entry stands already, before.
    pub(crate) fn arm(&mut self, now: Instant, key: usize, armed: &mut Armed, deadline: Instant) {
        if armed.is_some_and(|tick| self.at(tick) <= now) {
            // It has fired, or is about to, and its key is awake.
            self.disarm(key, armed);
        }
        let tick = self.tick_after(deadline);
        if armed.is_some_and(|armed| armed <= tick) {
            return;
        }
        self.disarm(key, armed);
        self.entries.insert((tick, key));
        *armed = Some(tick);
    }

    /// Removes the entry of `key`.
    pub(crate) fn disarm(&mut self, key: usize, armed: &mut Armed) {
        if let Some(tick) = armed.take() {
            self.entries.remove(&(tick, key));
        }
    }

    /// The next key that is due, whose entry is gone with this.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<usize> {
        let &(tick, key) = self.entries.first()?;
        if self.at(tick) > now {
            return None;
        }
        self.entries.pop_first();
        Some(key)
    }

    /// When the next entry fires.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.first().map(|&(tick, _)| self.at(tick))
    }

    fn at(&self, tick: u64) -> Instant {
        self.origin + Duration::from_millis(tick * TICK.as_millis() as u64)
    }

    fn tick_after(&self, deadline: Instant) -> u64 {
        let since = deadline.saturating_duration_since(self.origin).as_millis() as u64;
        since / TICK.as_millis() as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_moves_only_to_an_earlier_tick_and_never_fires_early() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut timers = Timers::new(start);
        let mut armed = None;
        timers.arm(start, 7, &mut armed, at(1000));
        let first = armed;
        timers.arm(start, 7, &mut armed, at(5000));
        assert_eq!(armed, first, "later: the entry stays");
        timers.arm(start, 7, &mut armed, at(100));
        assert_eq!(timers.entries.len(), 1, "earlier: it moves");
        assert_eq!(timers.next_due(at(100)), None);
        assert_eq!(timers.next_due(at(121)), Some(7));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn what_has_fired_can_be_armed_again() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut timers = Timers::new(start);
        let mut armed = None;
        timers.arm(start, 7, &mut armed, at(100));
        assert_eq!(timers.next_due(at(200)), Some(7));
        timers.arm(at(200), 7, &mut armed, at(300));
        assert_eq!(timers.next_due(at(400)), Some(7));
        timers.arm(at(400), 7, &mut armed, at(500));
        timers.arm(at(600), 7, &mut armed, at(700));
        assert_eq!(
            timers.entries.len(),
            1,
            "an entry that was late is not kept"
        );
    }

    #[test]
    fn a_time_without_a_bound_is_a_deadline_like_others() {
        let start = Instant::now();
        let mut armed = None;
        let mut timers = Timers::new(start);
        timers.arm(start, 1, &mut armed, after(start, Duration::MAX));
        assert!(timers.next().is_some());
    }

    #[test]
    fn what_is_disarmed_does_not_fire() {
        let start = Instant::now();
        let mut timers = Timers::new(start);
        let (mut one, mut two) = (None, None);
        timers.arm(start, 1, &mut one, start);
        timers.arm(start, 2, &mut two, start);
        timers.disarm(1, &mut one);
        let later = start + Duration::from_secs(1);
        assert_eq!(timers.next_due(later), Some(2));
        assert_eq!(timers.next_due(later), None);
    }
}
