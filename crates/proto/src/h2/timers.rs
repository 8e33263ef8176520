//! What a session waits for, and until when. The caller owns the clock: it asks for the [`Timers::deadline`] and
//! tells when it has passed.

use crate::error::Violation;
use crate::limits::Limits;
use std::time::{Duration, Instant};

/// How often the progress of bodies is looked at.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// How long after its last stream a session keeps the memory that the next one would need.
const REST_AFTER: Duration = Duration::from_millis(100);

/// The moments from which the session's time-outs count; none where there is nothing to wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers {
    /// The time at the last call that told it.
    pub(super) now: Instant,
    /// The connection began, and the peer's preface and SETTINGS are not complete.
    pub(super) preface: Option<Instant>,
    /// Our SETTINGS have left, and are not acknowledged.
    pub(super) settings: Option<Instant>,
    /// A frame, or a field block of several, has begun and is not complete.
    pub(super) unit: Option<Instant>,
    /// There is no stream.
    pub(super) idle: Option<Instant>,
    /// When to give memory back, if there is no stream then.
    pub(super) rest: Option<Instant>,
    /// When to look at the progress of bodies: while one comes, or waits for credit.
    pub(super) progress: Option<Instant>,
    /// When the second GOAWAY leaves, whether or not the peer has answered.
    pub(super) drain: Option<Instant>,
}

impl Timers {
    /// For a connection that begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now,
            preface: Some(now),
            settings: None,
            unit: None,
            idle: Some(now),
            rest: None,
            progress: None,
            drain: None,
        }
    }

    /// The connection is over: nothing is waited for any more.
    pub(super) fn stop(&mut self) {
        *self = Self {
            preface: None,
            idle: None,
            ..Self::new(self.now)
        };
    }

    /// The last stream is gone.
    pub(super) fn quiet(&mut self) {
        self.idle = Some(self.now);
        if self.rest.is_none() {
            self.rest = self.now.checked_add(REST_AFTER);
        }
    }

    /// A body comes, or waits for credit: it is looked at from now on.
    pub(super) fn watch(&mut self) {
        if self.progress.is_none() {
            self.progress = self.now.checked_add(PROGRESS_EVERY);
        }
    }

    /// The bodies were looked at: again in a while, if there are any still.
    pub(super) fn watched(&mut self, again: bool) {
        self.progress = None;
        if again {
            self.watch();
        }
    }

    /// The first moment at which something is due.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let head = [self.preface, self.settings, self.unit]
            .into_iter()
            .flatten()
            .min()
            .and_then(|since| since.checked_add(limits.head_time));
        let idle = self
            .idle
            .and_then(|since| since.checked_add(limits.idle_time));
        [head, idle, self.rest, self.progress, self.drain]
            .into_iter()
            .flatten()
            .min()
    }

    /// The time-out that has passed and ends the connection.
    pub(super) fn passed(&self, limits: &Limits) -> Option<Violation> {
        let passed = |since: Option<Instant>, time: Duration| {
            since.is_some_and(|since| self.now.saturating_duration_since(since) >= time)
        };
        if passed(self.preface, limits.head_time) || passed(self.unit, limits.head_time) {
            Some(Violation::HeadTimeout)
        } else if passed(self.settings, limits.head_time) {
            Some(Violation::SettingsTimeout)
        } else if passed(self.idle, limits.idle_time) {
            Some(Violation::IdleTimeout)
        } else {
            None
        }
    }
}
