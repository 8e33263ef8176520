//! Settings while a connection lives (RFC 9113, section 6.5.3): other ones of ours hold from the peer's acknowledgement
//! on, in the order in which they were announced; those of the peer can be read.
//!
//! ```text
//!  announce ─► SETTINGS leaves ─► announced ── ACK ──► in force
//! ```

use super::control::Control;
use super::frame::{Frame, Settings};
use super::{Session, settings};
use crate::error::{ConnectionError, UsageError};
use crate::limits::Limits;
use crate::session::{Gather, Role};
use std::sync::Arc;

/// How many SETTINGS may wait for their acknowledgement.
const WAITING: usize = 64;

/// How many settings that mean nothing to the session are kept of a peer's.
const KEPT: usize = 32;

impl Session {
    /// Announces settings, each an identifier and its value (RFC 9113, section 6.5.2), in a frame of their own. They
    /// take the place of [`Limits`] and [`Config`](super::Config) from the peer's acknowledgement on; a client that
    /// wants no more pushes gets none from now on.
    ///
    /// # Errors
    /// [`UsageError::BadSetting`] where a value is out of range, is the other side's to announce, or may not change
    /// any more; [`UsageError::NoCapacity`] where too many wait for their acknowledgement;
    /// [`UsageError::TooLarge`]; [`UsageError::ShuttingDown`].
    pub fn announce(&mut self, entries: &[(u16, u32)]) -> Result<(), UsageError> {
        if self.drain.is_over() {
            return Err(UsageError::ShuttingDown);
        }
        let fit = |(identifier, value): &(u16, u32)| self.may_announce(*identifier, *value);
        if !entries.iter().all(fit) {
            return Err(UsageError::BadSetting);
        }
        if entries.len() * super::frame::SETTING_LEN > self.peer.frame as usize {
            return Err(UsageError::TooLarge);
        }
        let seldom = self.seldom.get_or_insert_default();
        if seldom.announcements >= WAITING {
            return Err(UsageError::NoCapacity);
        }
        seldom.announcements += 1;
        for (identifier, value) in entries {
            match *identifier {
                settings::ENABLE_PUSH => Arc::make_mut(&mut self.config).push = *value == 1,
                settings::ENABLE_CONNECT_PROTOCOL => {
                    Arc::make_mut(&mut self.config).connect_protocol = *value == 1;
                }
                _ => {}
            }
        }
        self.control.push(Control::Settings(entries.to_vec()));
        Ok(())
    }

    /// The value of a setting of ours that the peer has agreed to, or that holds by itself; none where the session
    /// gives it no meaning and it was not announced. No limit is [`u32::MAX`].
    pub fn setting(&self, identifier: u16) -> Option<u32> {
        let agreed = |value: u32, first: u32| if self.unacknowledged { first } else { value };
        let limits = &self.limits;
        Some(match identifier {
            settings::HEADER_TABLE_SIZE => agreed(limits.table, settings::FIRST_TABLE),
            settings::ENABLE_PUSH => u32::from(self.role == Role::Server || self.config.push),
            settings::MAX_CONCURRENT_STREAMS => agreed(limits.streams, u32::MAX),
            settings::INITIAL_WINDOW_SIZE => {
                agreed(settings::stream_window(limits), settings::FIRST_WINDOW)
            }
            settings::MAX_FRAME_SIZE => {
                agreed(settings::frame_limit(limits), settings::FIRST_FRAME)
            }
            settings::MAX_HEADER_LIST_SIZE => agreed(settings::head_limit(limits), u32::MAX),
            settings::ENABLE_CONNECT_PROTOCOL => u32::from(self.config.connect_protocol),
            settings::NO_RFC7540_PRIORITIES => {
                u32::from(self.config.rfc7540_priorities.are_refused_by(self.role))
            }
            _ => return latest(&self.config.settings, identifier),
        })
    }

    /// The value of a setting of the peer's; none where the session gives it no meaning and the peer has not
    /// announced it, or too many others. No limit is [`u32::MAX`].
    pub fn peer_setting(&self, identifier: u16) -> Option<u32> {
        let peer = &self.peer;
        Some(match identifier {
            settings::HEADER_TABLE_SIZE => peer.table,
            settings::ENABLE_PUSH => u32::from(peer.push),
            settings::MAX_CONCURRENT_STREAMS => peer.streams,
            settings::INITIAL_WINDOW_SIZE => peer.window,
            settings::MAX_FRAME_SIZE => peer.frame,
            settings::MAX_HEADER_LIST_SIZE => peer.head,
            settings::ENABLE_CONNECT_PROTOCOL => u32::from(peer.connect_protocol),
            settings::NO_RFC7540_PRIORITIES => u32::from(peer.no_rfc7540_priorities),
            _ => return latest(&self.seldom.as_ref()?.peer_settings, identifier),
        })
    }

    /// Settings of the peer's that the session gives no meaning, up to 32 of them: identifiers and values, in the order in
    /// which they came first.
    pub fn unknown_settings(&self) -> &[(u16, u32)] {
        let kept = self.seldom.as_ref().map(|seldom| &seldom.peer_settings[..]);
        kept.unwrap_or_default()
    }

    fn may_announce(&self, identifier: u16, value: u32) -> bool {
        match identifier {
            settings::ENABLE_PUSH => self.role == Role::Client && value <= 1,
            settings::INITIAL_WINDOW_SIZE => value <= settings::MAX_WINDOW,
            settings::MAX_FRAME_SIZE => settings::is_frame_limit(value),
            // What has been offered once is not taken back (RFC 8441, section 3).
            settings::ENABLE_CONNECT_PROTOCOL => {
                self.role == Role::Server
                    && value <= 1
                    && (value == 1 || !self.config.connect_protocol)
            }
            // It must not change (RFC 9218, section 2.1).
            settings::NO_RFC7540_PRIORITIES => false,
            _ => true,
        }
    }

    /// Adds SETTINGS: from here on the peer's acknowledgement is waited for.
    pub(super) fn write_settings(&mut self, entries: Vec<(u16, u32)>, out: &mut Gather) {
        let mut payload = Vec::with_capacity(entries.len() * super::frame::SETTING_LEN);
        for (identifier, value) in &entries {
            payload.extend_from_slice(&identifier.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.put(0, Frame::Settings(Settings::new(&payload)), out);
        self.timers.settings.get_or_insert(self.timers.now);
        self.seldom
            .get_or_insert_default()
            .announced
            .push_back(entries);
    }

    /// The peer has acknowledged what was announced first.
    pub(super) fn settings_agreed(&mut self) -> Result<(), ConnectionError> {
        let Some(sent) = self.timers.settings.take() else {
            return self.count_glitch();
        };
        if std::mem::take(&mut self.unacknowledged) {
            self.round_trip = self.timers.now.saturating_duration_since(sent);
            self.decoder.set_table_limit(self.limits.table);
            let window = settings::stream_window(&self.limits);
            self.shift_windows(window.max(settings::FIRST_WINDOW), window);
        } else if let Some(entries) = self.next_announced() {
            self.agree(&entries);
        }
        let waiting = |seldom: &super::Seldom| !seldom.announced.is_empty();
        if self.seldom.as_deref().is_some_and(waiting) {
            self.timers.settings = Some(self.timers.now);
        }
        Ok(())
    }

    fn next_announced(&mut self) -> Option<Vec<(u16, u32)>> {
        let seldom = self.seldom.as_mut()?;
        let entries = seldom.announced.pop_front()?;
        seldom.announcements -= 1;
        Some(entries)
    }

    fn agree(&mut self, entries: &[(u16, u32)]) {
        let before = settings::stream_window(&self.limits);
        for (identifier, value) in entries {
            self.agree_to(*identifier, *value);
        }
        self.shift_windows(before, settings::stream_window(&self.limits));
    }

    fn agree_to(&mut self, identifier: u16, value: u32) {
        if !settings::is_known(identifier) {
            let own = &mut Arc::make_mut(&mut self.config).settings;
            own.retain(|(other, _)| *other != identifier);
            own.push((identifier, value));
            return;
        }
        let limits: &mut Limits = Arc::make_mut(&mut self.limits);
        match identifier {
            settings::HEADER_TABLE_SIZE => {
                limits.table = value;
                self.decoder.set_table_limit(value);
            }
            settings::MAX_CONCURRENT_STREAMS => limits.streams = value,
            settings::INITIAL_WINDOW_SIZE => limits.stream_window = value,
            settings::MAX_FRAME_SIZE => limits.frame = value,
            settings::MAX_HEADER_LIST_SIZE => limits.head = value as usize,
            // The others held from their announcement on.
            _ => {}
        }
    }

    fn shift_windows(&mut self, from: u32, to: u32) {
        if from != to {
            for stream in self.streams.iter_mut() {
                stream.recv_window.shift(from, to);
            }
        }
    }

    /// Keeps a setting of the peer's that means nothing to the session.
    pub(super) fn keep_setting(&mut self, identifier: u16, value: u32) {
        if settings::is_known(identifier) {
            return;
        }
        let kept = &mut self.seldom.get_or_insert_default().peer_settings;
        if let Some((_, place)) = kept.iter_mut().find(|(other, _)| *other == identifier) {
            *place = value;
        } else if kept.len() < KEPT {
            kept.push((identifier, value));
        }
    }
}

fn latest(entries: &[(u16, u32)], identifier: u16) -> Option<u32> {
    let mut entries = entries.iter().rev();
    let entry = entries.find(|(other, _)| *other == identifier);
    entry.map(|(_, value)| *value)
}
