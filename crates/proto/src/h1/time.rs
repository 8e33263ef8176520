//! When something takes too long: heads, idleness, and the pace of bodies.
//!
//! | while | a server waits | a client waits |
//! |---|---|---|
//! | no octet of the next head has come | [`Limits::head_time`] on a new connection, then [`Limits::idle_time`] | [`Limits::idle_time`] without an exchange |
//! | a head is coming | [`Limits::head_time`]; after a graceful shutdown [`Limits::drain_time`] at most | [`Limits::head_time`] |
//! | a body is coming | as [`Pace`] counts, while there is room for it | for ever: its caller knows how long |
//! | a response is due, a tunnel stands | for ever: the application's time | for ever |
//!
//! [`Limits::head_time`]: crate::limits::Limits::head_time
//! [`Limits::drain_time`]: crate::limits::Limits::drain_time
//! [`Limits::idle_time`]: crate::limits::Limits::idle_time
//! [`Pace`]: crate::session::Pace

use super::Session;
use super::receive::Input;
use crate::error::{ConnectionError, Violation};
use crate::session::{Finish, Role};
use std::time::{Duration, Instant};

impl Session {
    /// Time has passed, and what is known of it is applied.
    pub(super) fn tick(&mut self, now: Instant) {
        self.clock = now;
        let room = self.room() > 0;
        if let Input::Body(body) = &mut self.input
            && let Some(pace) = &mut body.pace
        {
            let awaits_continue = (self.exchange.as_ref())
                .is_some_and(|exchange| exchange.expects && !exchange.has_begun());
            pace.hold(now, !room || awaits_continue);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match &self.input {
            Input::Head(_) | Input::Idle => self.since.checked_add(self.patience()?),
            Input::Body(body) => body.pace.as_ref()?.runs_out(&self.limits),
            Input::Held | Input::Tunnel | Input::Over => None,
        }
    }

    pub(super) fn time_out(&mut self) -> Result<(), ConnectionError> {
        if self.next_deadline().is_none_or(|at| at > self.clock) {
            return Ok(());
        }
        let why = match &self.input {
            Input::Body(_) => Violation::BodyTooSlow,
            Input::Head(scan) if scan.has_begun() => Violation::HeadTimeout,
            // Nothing was asked, so that there is nothing to answer.
            _ => {
                self.end(Finish::Now);
                return Err(ConnectionError::new(Violation::IdleTimeout));
            }
        };
        Err(self.fail(why))
    }

    /// The head that is coming must be complete within the drain time: as if it had begun so much earlier.
    pub(super) fn hurry(&mut self) {
        let end = self.clock.checked_add(self.limits.drain_time);
        let since = end.and_then(|end| end.checked_sub(self.limits.head_time));
        self.since = since.map_or(self.since, |since| self.since.min(since));
    }

    /// How long a head, or the next exchange, may take from `since` on.
    fn patience(&self) -> Option<Duration> {
        match (&self.input, self.role) {
            (Input::Head(scan), _) if scan.has_begun() => Some(self.limits.head_time),
            (Input::Head(_), Role::Server) if self.count == 0 => Some(self.limits.head_time),
            (Input::Head(_), Role::Server) => Some(self.limits.idle_time),
            (Input::Idle, Role::Client) if self.exchange.is_none() => Some(self.limits.idle_time),
            _ => None,
        }
    }
}
