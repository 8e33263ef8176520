//! The end of a body, which needs no window (RFC 9113, section 6.9.1): where none is open, the caller is asked for
//! the end alone.
//!
//! A caller may know only when it is asked that its body has ended. So each body that waits for a window is asked for
//! once when it begins to wait, and once whenever its caller says that there is something new: a question of 0 octets.

use super::Session;
use super::stream::Stream;
use crate::session::StreamId;

/// Whom to ask.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// There may be streams that are to be asked, and are not in the queue.
    due: bool,
    /// The next one is last.
    queue: Vec<StreamId>,
}

impl Ends {
    /// A body has begun to wait for a window, or one that waits may have ended.
    pub(super) fn look(&mut self) {
        self.due = true;
    }

    /// Whether somebody may have to be asked.
    pub(super) fn is_due(&self) -> bool {
        self.due || !self.queue.is_empty()
    }

    /// Gives memory back, where none is needed.
    pub(super) fn shrink(&mut self) {
        if self.queue.is_empty() {
            self.queue = Vec::new();
        }
    }
}

impl Session {
    /// The next stream whose caller is to be asked whether its body ends.
    pub(super) fn next_end(&mut self) -> Option<StreamId> {
        let open = self.send_window.room() > 0;
        loop {
            while let Some(id) = self.ends.queue.pop() {
                if let Some(stream) = self.streams.get_mut(id)
                    && stream.may_end(open)
                {
                    stream.asked_end = true;
                    return Some(id);
                }
            }
            if !std::mem::take(&mut self.ends.due) {
                return None;
            }
            let waits = |id: &StreamId| self.streams.get(*id).is_some_and(|of| of.may_end(open));
            let waiting = self.streams.ids().filter(waits);
            self.ends.queue.extend(waiting);
            self.ends.queue.reverse();
        }
    }
}

impl Stream {
    /// Whether its body waits for a window and may have ended, for all that is known.
    fn may_end(&self, open: bool) -> bool {
        self.is_stuck(open) && !self.parked && self.held.is_none() && !self.asked_end
    }
}
