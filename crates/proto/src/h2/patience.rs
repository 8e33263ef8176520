//! How long a body of ours waits for a client that hardly reads (RFC 9113, section 10.5): a store of time that waiting
//! empties, and octets that leave fill again.
//!
//! ```text
//!  Limits::write_time ──► left ── each second that it waits for a window ──► out: CreditTimeout
//!                          ▲
//!                          └── each octet that leaves: 1 / Limits::take_rate s
//! ```
//!
//! So who takes less than that rate for long is given up, however it comes about; who takes as much or more never is,
//! and no time counts in which this side has nothing to send.

use super::Session;
use super::stream::Stream;
use crate::limits::Limits;
use std::time::{Duration, Instant};

/// The patience with one stream, or with a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// What is spent of it.
    spent: Duration,
    /// When it was last looked at, if it was waiting then.
    since: Option<Instant>,
    /// What has left since then.
    octets: u32,
}

impl Patience {
    /// Octets have left.
    pub(super) fn sent(&mut self, octets: usize) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        self.octets = self.octets.saturating_add(octets);
    }

    /// Looks at it, some time after it was looked at last. Answers whether it is at its end.
    pub(super) fn look(&mut self, now: Instant, waits: bool, limits: &Limits) -> bool {
        let octets = std::mem::take(&mut self.octets);
        let earned = f64::from(octets) / f64::from(limits.take_rate);
        self.spent = match Duration::try_from_secs_f64(earned) {
            Ok(earned) => self.spent.saturating_sub(earned),
            // No rate is asked for: any octet is enough.
            Err(_) if octets > 0 => Duration::ZERO,
            Err(_) => self.spent,
        };
        if !waits {
            self.since = None;
            return false;
        }
        let since = self.since.replace(now).unwrap_or(now);
        self.spent += now.saturating_duration_since(since);
        self.spent >= limits.write_time
    }
}

impl Stream {
    /// Whether our message waits for what the peer allows on this stream, and not only for the connection's window.
    fn is_shut(&self) -> bool {
        self.is_stuck(true)
    }

    /// Looks at how long it waits for the peer. Answers whether that is too long.
    pub(super) fn waits_too_long(&mut self, now: Instant, limits: &Limits) -> bool {
        let shut = self.is_shut();
        self.patience.look(now, shut, limits)
    }
}

impl Session {
    /// Looks at how long bodies wait for the connection's window. Who gets what of it is this side's choice, so all that
    /// leaves counts. Answers whether that is too long.
    pub(super) fn all_wait_too_long(&mut self) -> bool {
        let (now, open) = (self.timers.now, self.send_window.room() > 0);
        let shut = !open && self.streams.iter_mut().any(|stream| stream.is_stuck(open));
        if shut {
            self.seldom.get_or_insert_default();
        }
        match &mut self.seldom {
            Some(seldom) => seldom.patience.look(now, shut, &self.limits),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once a second; `takes` says how many octets leave before each look.
    fn lasts(limits: &Limits, takes: impl Fn(u64) -> Option<usize>) -> Option<u64> {
        let start = Instant::now();
        let mut patience = Patience::default();
        (0..10_000).find(|second| {
            let octets = takes(*second);
            patience.sent(octets.unwrap_or(0));
            let now = start + Duration::from_secs(*second);
            patience.look(now, octets.is_some(), limits)
        })
    }

    #[test]
    fn who_takes_nothing_is_given_up_after_the_whole_time() {
        let limits = Limits::default();
        assert_eq!(lasts(&limits, |_| Some(0)), Some(60));
    }

    #[test]
    fn crumbs_do_not_make_it_last() {
        let limits = Limits::default();
        let crumbs = |second| Some(usize::from(second % 59 == 58));
        assert_eq!(lasts(&limits, crumbs), Some(61));
        let half_the_rate = lasts(&limits, |_| Some(128)).unwrap();
        assert!((115..=125).contains(&half_the_rate), "{half_the_rate}");
    }

    #[test]
    fn the_rate_lasts_for_ever_in_whatever_portions() {
        let limits = Limits::default();
        assert_eq!(lasts(&limits, |_| Some(256)), None);
        let portions = |second| Some(if second % 50 == 49 { 50 * 256 } else { 0 });
        assert_eq!(lasts(&limits, portions), None);
    }

    #[test]
    fn no_time_counts_while_nothing_waits() {
        let limits = Limits::default();
        assert_eq!(lasts(&limits, |_| None), None);
        let sometimes = |second| (second % 2 == 0).then_some(0);
        assert_eq!(lasts(&limits, sometimes), None);
    }

    /// What was taken quickly is no store for later.
    #[test]
    fn no_more_is_earned_than_was_spent() {
        let limits = Limits::default();
        let at_first = |second| Some(if second < 30 { 1 << 20 } else { 0 });
        assert_eq!(lasts(&limits, at_first), Some(28 + 60));
    }

    #[test]
    fn without_a_rate_any_octet_is_enough() {
        let limits = Limits {
            take_rate: 0,
            ..Limits::default()
        };
        let crumbs = |second| Some(usize::from(second % 59 == 58));
        assert_eq!(lasts(&limits, crumbs), None);
        assert_eq!(lasts(&limits, |_| Some(0)), Some(60));
    }
}
