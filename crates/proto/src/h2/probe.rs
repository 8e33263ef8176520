//! PINGs of the caller (RFC 9113, section 6.7): how long the way there and back is, and whether the peer lives.

use super::Session;
use super::control::Control;
use crate::error::UsageError;
use crate::session::Event;
use std::time::Instant;

/// How many may be under way.
const UNDER_WAY: usize = 64;

/// A PING that has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    octets: [u8; 8],
    left: Instant,
}

impl Session {
    /// Sends a PING with these octets; [`Event::Pong`] follows when it comes back.
    ///
    /// # Errors
    /// [`UsageError::NoCapacity`] where too many are under way; [`UsageError::ShuttingDown`].
    pub fn ping(&mut self, octets: [u8; 8]) -> Result<(), UsageError> {
        if self.drain.is_over() {
            return Err(UsageError::ShuttingDown);
        }
        let seldom = self.seldom.get_or_insert_default();
        if seldom.pings >= UNDER_WAY {
            return Err(UsageError::NoCapacity);
        }
        seldom.pings += 1;
        self.control.push(Control::Probe(octets));
        Ok(())
    }

    pub(super) fn probe_leaves(&mut self, octets: [u8; 8]) {
        let left = self.timers.now;
        let probes = &mut self.seldom.get_or_insert_default().probes;
        probes.push_back(Probe { octets, left });
    }

    /// A PING came back. Answers whether it was the caller's.
    pub(super) fn probe_answered(&mut self, octets: [u8; 8]) -> bool {
        let now = self.timers.now;
        let Some(seldom) = &mut self.seldom else {
            return false;
        };
        let is_it = |probe: &Probe| probe.octets == octets;
        let Some(probe) = seldom
            .probes
            .iter()
            .position(is_it)
            .and_then(|at| seldom.probes.remove(at))
        else {
            return false;
        };
        seldom.pings -= 1;
        self.events.push(Event::Pong {
            octets,
            after: now.saturating_duration_since(probe.left),
        });
        true
    }
}
