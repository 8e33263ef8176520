//! Who decides how much the peer may send (RFC 9113, sections 5.2 and 6.9): credit that returns as bodies are taken,
//! windows that grow with what the link can carry, and a caller who gives credit by hand.
//!
//! ```text
//!            a stream has used its window up once
//!   at rest ──────────────────────────────────────► Round: PING ─ DATA, counted ─ its ACK ──┐
//!      ▲                                               ▲                                    │
//!      │  nothing grew, several times                  │  the next DATA                     ▼
//!      └───────────────────────────────────────────────┴──────────────── windows grow, or do not
//! ```
//!
//! What came while the PING was under way, at the least round trip that was ever seen, is what the link holds. A
//! window that is nearly as small as that is what slows the peer down, and becomes twice that large, so that half
//! of it can be on its way while the credit for the other half returns. A queue on the way makes round trips longer, and
//! not the windows larger; neither does a consumer that is slow: what it holds at the end of a round keeps its window.

use super::Session;
use super::control::Control;
use super::flow::RecvWindow;
use super::settings::{self, MAX_WINDOW};
use crate::error::UsageError;
use crate::session::StreamId;
use std::time::{Duration, Instant};

/// Who sizes the windows that the peer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Window {
    /// They start as [`Limits`](crate::limits::Limits) say, and those that slow the peer down grow up to
    /// [`Limits::largest_window`](crate::limits::Limits::largest_window). For that a few PINGs are sent while a body
    /// comes: none for short ones, and hardly any once nothing grows.
    #[default]
    Automatic,
    /// They stay as [`Limits`](crate::limits::Limits) say.
    Fixed,
    /// The caller gives all credit with [`Session::credit`], for streams and for the connection.
    /// [`Streams::taken`](crate::session::Streams::taken) has no effect. Only what no caller ever sees (padding, DATA
    /// that is ignored or discarded) is credited by itself.
    Manual,
}

/// The state of flow control, of a stream or of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How large the window is that the peer has, when it has used nothing of it.
    pub size: u32,
    /// What the peer may send now. Below 0 after SETTINGS made the window smaller.
    pub left: i64,
    /// What came and was not taken.
    pub untaken: u32,
    /// What was taken, and has not been credited. Below 0 after the caller made the window smaller: the next octets
    /// that are taken are withheld.
    pub owed: i32,
    /// What this side may send now. Below 0 after the peer made the window smaller.
    pub send: i32,
}

/// What the PING of a round begins with; a number follows.
const MARK: [u8; 4] = *b"grow";

/// So many times a window is credited before it has been used up: a body that is over by then needs no larger one.
const CREDITS: u8 = 4;

/// After so many rounds without growth there are none for a while.
const TRIES: u32 = 4;

/// The first of them follow each other at once: a round can fall between two bursts.
const HASTY: u32 = 2;

/// How long the later ones wait.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the next one waits after all of them.
const REST: Duration = Duration::from_secs(30);

/// The search for larger windows.
#[derive(Debug)]
pub(super) struct Growth {
    /// The one that is under way.
    round: Option<Round>,
    /// How many there were.
    rounds: u32,
    /// How many of the last ones were in vain.
    vain: u32,
    /// The next one does not begin before.
    after: Instant,
}

#[derive(Debug)]
struct Round {
    began: Instant,
    /// What has come since.
    octets: u64,
}

impl Growth {
    fn ping(&self) -> [u8; 8] {
        let [a, b, c, d] = MARK;
        let [e, f, g, h] = self.rounds.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// What a round has found out.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// The least round trip as a share of this one.
    share: f64,
    /// What came in it.
    octets: u64,
}

impl Found {
    /// How many octets are on their way at once, where so many came in the round.
    fn holds(self, octets: u64) -> u64 {
        (octets as f64 * self.share) as u64
    }
}

impl Session {
    /// Gives the peer credit for so many octets, on a stream or (`None`) on the connection: they leave with the next
    /// WINDOW_UPDATE. First it returns what the peer has sent; what is beyond that makes the window larger.
    ///
    /// # Errors
    /// [`UsageError::NoSuchStream`]; [`UsageError::WindowTooLarge`] where it would exceed
    /// [`Limits::largest_window`](crate::limits::Limits::largest_window), or the size that the window has anyway.
    pub fn credit(&mut self, on: Option<StreamId>, octets: u32) -> Result<(), UsageError> {
        let most = self.limits.largest_window.min(MAX_WINDOW);
        self.recv_window_mut(on)?.credit(octets, most)?;
        self.push_credit(on);
        Ok(())
    }

    /// Makes the window of a stream, or (`None`) of the connection, so many octets large. A larger one is told at
    /// once; a smaller one by withholding credit for what is taken from now on.
    ///
    /// # Errors
    /// As for [`Session::credit`].
    pub fn set_window(&mut self, on: Option<StreamId>, size: u32) -> Result<(), UsageError> {
        let most = self.limits.largest_window.min(MAX_WINDOW);
        let window = self.recv_window_mut(on)?;
        if size > most.max(window.size()) {
            return Err(UsageError::WindowTooLarge);
        }
        window.set_size(size);
        self.push_credit(on);
        Ok(())
    }

    /// The windows of a stream, or (`None`) of the connection; none when there is no such stream.
    pub fn windows(&self, on: Option<StreamId>) -> Option<Windows> {
        let (recv, send) = match on {
            None => (self.recv_window, self.send_window),
            Some(id) => {
                let stream = self.streams.get(id)?;
                (stream.recv_window, stream.send_window)
            }
        };
        Some(recv.shown(send))
    }

    fn recv_window_mut(&mut self, on: Option<StreamId>) -> Result<&mut RecvWindow, UsageError> {
        match on {
            None => Ok(&mut self.recv_window),
            Some(id) => match self.streams.get_mut(id) {
                Some(stream) => Ok(&mut stream.recv_window),
                None => Err(UsageError::NoSuchStream),
            },
        }
    }

    /// Queues a WINDOW_UPDATE for all that is owed, as long as the peer may send.
    fn push_credit(&mut self, on: Option<StreamId>) {
        match on {
            None if !self.crediting && !self.drain.is_over() => {
                self.crediting = true;
                self.control.push(Control::ConnectionCredit);
            }
            None => {}
            Some(id) => {
                if let Some(stream) = self.streams.get_mut(id)
                    && !stream.crediting
                    && !stream.state.heard_all()
                {
                    stream.crediting = true;
                    self.control.push(Control::StreamCredit(id));
                }
            }
        }
    }

    /// The consumer has taken octets of a stream.
    pub(super) fn take_of_stream(&mut self, id: StreamId, octets: u32) {
        if self.config.window != Window::Manual {
            self.credit_stream(id, octets);
        }
    }

    /// A stream is gone, and with it the account of what its consumer holds. Where that credits by itself, it is only
    /// what it was never handed that the connection gets back here.
    pub(super) fn take_of_lost(&mut self, id: StreamId, untaken: u32) {
        let coming = self.coming().filter(|(of, _)| *of == id);
        let unseen = coming.map_or(0, |(_, octets)| octets as u32);
        self.credit_connection(match self.config.window {
            Window::Manual => unseen,
            Window::Automatic | Window::Fixed => untaken,
        });
    }

    /// Octets have left the session, or will never leave it: the connection's credit for them.
    pub(super) fn credit_connection(&mut self, octets: u32) {
        if self.recv_window.take(octets) {
            self.push_credit(None);
        }
    }

    /// Octets of a stream have left the session, or will never leave it: its credit, and the connection's.
    pub(super) fn credit_stream(&mut self, id: StreamId, octets: u32) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let octets = octets.min(stream.recv_window.untaken());
        if stream.recv_window.take(octets) {
            let long = !stream.recv_window.is_room_for(stream.to_hear);
            stream.credits = stream.credits.saturating_add(1);
            if stream.credits == CREDITS && long {
                self.begin_growth();
            }
            self.push_credit(Some(id));
        }
        self.credit_connection(octets);
    }

    /// A stream has used up its window: it may be too small.
    fn begin_growth(&mut self) {
        if self.config.window != Window::Automatic {
            return;
        }
        let now = self.timers.now;
        let growth = self.growth.get_or_insert_with(|| {
            Box::new(Growth {
                round: None,
                rounds: 0,
                vain: 0,
                after: now,
            })
        });
        growth.vain = 0;
        growth.after = now;
    }

    /// DATA has come: it counts in the round that is under way, or the next one begins after it.
    pub(super) fn count_growth(&mut self, id: StreamId, octets: u32) {
        let Some(growth) = &mut self.growth else {
            return;
        };
        if let Some(round) = &mut growth.round {
            round.octets += u64::from(octets);
            if let Some(stream) = self.streams.get_mut(id) {
                stream.came = stream.came.saturating_add(octets);
            }
        } else if self.timers.now >= growth.after && !self.unacknowledged {
            growth.rounds = growth.rounds.wrapping_add(1);
            growth.round = Some(Round {
                began: self.timers.now,
                octets: 0,
            });
            self.control.push(Control::Ping(growth.ping()));
            self.streams.iter_mut().for_each(|stream| stream.came = 0);
        }
    }

    /// A PING came back. Answers false where it was none of ours.
    pub(super) fn end_growth_round(&mut self, octets: [u8; 8]) -> bool {
        let Some(growth) = &mut self.growth else {
            return false;
        };
        if octets != growth.ping() {
            return false;
        }
        let Some(round) = growth.round.take() else {
            return false;
        };
        let now = self.timers.now;
        let took = now.saturating_duration_since(round.began);
        self.round_trip = self.round_trip.min(took);
        let share = self.round_trip.as_secs_f64() / took.as_secs_f64().max(f64::MIN_POSITIVE);
        let octets = round.octets;
        let grew = self.grow_windows(Found { share, octets });
        if let Some(growth) = &mut self.growth {
            growth.vain = if grew { 0 } else { growth.vain + 1 };
            let pause = match growth.vain {
                0..=HASTY => Duration::ZERO,
                vain if vain < TRIES => PAUSE,
                _ => REST,
            };
            growth.after = now.checked_add(pause).unwrap_or(now);
        }
        true
    }

    /// Makes the windows larger that slow the peer down, within what is allowed. Answers whether there were any.
    fn grow_windows(&mut self, found: Found) -> bool {
        let most = self.limits.largest_window.min(MAX_WINDOW);
        let first = settings::stream_window(&self.limits);
        let extra = |window: &RecvWindow| window.size().saturating_sub(first);
        let mut grown: u32 = self
            .streams
            .iter_mut()
            .map(|stream| extra(&stream.recv_window))
            .fold(0, u32::saturating_add);
        // A quarter is for streams that have not grown, when those that have are not read any more.
        let budget = most - most / 4;
        let mut again = Vec::new();
        for id in self.streams.ids() {
            let Some(stream) = self.streams.get(id) else {
                continue;
            };
            let window = stream.recv_window;
            let wanted = window.wanted(found.holds(u64::from(stream.came)));
            let size = wanted.min(window.size().saturating_add(budget.saturating_sub(grown)));
            if size > window.size() && !stream.state.heard_all() {
                grown = grown.saturating_add(size - window.size());
                again.push((id, size));
            }
        }
        let connection = (self.recv_window.wanted(found.holds(found.octets)))
            .max(grown.saturating_add(most / 4))
            .min(most);
        let grew = !again.is_empty() || connection > self.recv_window.size();
        for (id, size) in again {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.recv_window.set_size(size);
            }
            self.push_credit(Some(id));
        }
        if connection > self.recv_window.size() {
            self.recv_window.set_size(connection);
            self.push_credit(None);
        }
        grew
    }

    /// There are no streams: what was measured is forgotten, once no answer is awaited.
    pub(super) fn rest_growth(&mut self) {
        self.growth.take_if(|growth| growth.round.is_none());
    }
}
