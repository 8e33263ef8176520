//! How a connection ends by agreement (RFC 9113, section 6.8), or with its transport.
//!
//! ```text
//!  Serving ── shutdown ──► Warned ── our PING comes back, or drain_time ──► Draining ── last stream ──► closed
//!            GOAWAY(2^31-1), PING            GOAWAY(last): later streams are ignored
//!     └──────── error, time-out, shutdown at once: GOAWAY(last, code) ──► Over
//! ```
//!
//! The first GOAWAY refuses nothing: requests that are on their way when the client reads it are served still.

use super::Session;
use super::control::Control;
use super::ends::Ends;
use super::frame::MAX_STREAM;
use super::queue::Queue;
use super::schedule::Schedule;
use crate::error::{Code, ConnectionError, UsageError, Violation};
use crate::session::{Eof, Event, Finish, Role, StreamId};
use bytes::Bytes;
use std::time::Instant;

/// What our PING during a graceful shutdown holds.
const PING: [u8; 8] = *b"draining";

/// How far the connection is from its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    stage: Stage,
    /// Client: the server has sent GOAWAY.
    refused: bool,
    /// Server: the client has sent GOAWAY.
    unpromising: bool,
    /// The peer's octets have ended.
    eof: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    Warned,
    Draining { last: u32 },
    Over,
}

impl Drain {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Serving,
            refused: false,
            unpromising: false,
            eof: false,
        }
    }

    /// Whether this side may open streams.
    pub(super) fn opens(self) -> bool {
        self.stage == Stage::Serving && !self.refused && !self.eof
    }

    /// Whether this side may promise responses.
    pub(super) fn promises(self) -> bool {
        self.stage == Stage::Serving && !self.unpromising && !self.eof
    }

    /// The last stream of the peer that is served, or would be, where later ones are ignored.
    pub(super) fn last(self) -> Option<u32> {
        match self.stage {
            Stage::Draining { last } => Some(last),
            _ => None,
        }
    }

    /// Whether a stream that the peer opens now is served: none above the last that GOAWAY has named.
    pub(super) fn serves(self, number: u32) -> bool {
        self.last().is_none_or(|last| number <= last)
    }

    pub(super) fn is_over(self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn has_eof(self) -> bool {
        self.eof
    }

    /// Nothing more is read, and only last words are sent.
    pub(super) fn over(&mut self) {
        self.stage = Stage::Over;
    }

    /// How the connection ends once everything is written. `quiet`: there is no stream, and nothing to tell.
    pub(super) fn finish(self, quiet: bool) -> Finish {
        match self.stage {
            Stage::Over if self.eof => Finish::Now,
            Stage::Over => Finish::Linger,
            _ if self.eof && quiet => Finish::Now,
            Stage::Draining { .. } if quiet => Finish::Linger,
            _ => Finish::No,
        }
    }
}

impl Session {
    pub(super) fn begin_drain(&mut self) {
        if self.drain.stage != Stage::Serving {
            return;
        }
        if self.role == Role::Client {
            // A server opens no streams here: there is nothing to warn of.
            self.conclude_drain();
            return;
        }
        self.drain.stage = Stage::Warned;
        self.timers.drain = self.timers.now.checked_add(self.limits.drain_time);
        self.control.push(Control::GoAway {
            last: MAX_STREAM,
            code: Code::NoError,
            debug: Bytes::new(),
        });
        self.control.push(Control::Ping(PING));
    }

    /// Every request that left before the peer knew has come: from here on they are ignored.
    pub(super) fn conclude_drain(&mut self) {
        let last = self.last_peer;
        self.drain.stage = Stage::Draining { last };
        self.timers.drain = None;
        self.control.push(Control::GoAway {
            last,
            code: Code::NoError,
            debug: Bytes::new(),
        });
    }

    /// A client that may open nothing more and has nothing open has no more use for the connection, and says so
    /// (RFC 9113, section 6.8).
    pub(super) fn retire(&mut self) {
        if self.drain.refused && self.streams.is_empty() && self.drain.stage == Stage::Serving {
            self.conclude_drain();
        }
    }

    /// A PING came back. Answers whether it was ours.
    pub(super) fn drain_answered(&mut self, octets: [u8; 8]) -> bool {
        let is_it = octets == PING && self.drain.stage == Stage::Warned;
        if is_it {
            self.conclude_drain();
        }
        is_it
    }

    /// Sends a GOAWAY of the caller's own: `last` is the last stream of the peer that is or will be processed, none for
    /// all that have come. Later ones are ignored, open ones above it are reset and told as [`Event::Reset`]; with
    /// 2^31-1 nothing is refused yet. The connection goes on until its streams are over.
    ///
    /// # Errors
    /// [`UsageError::TooLarge`]; [`UsageError::NoSuchStream`] where a GOAWAY before this one has named a lower stream,
    /// or none can have the number (RFC 9113, section 6.8); [`UsageError::ShuttingDown`].
    pub fn go_away(
        &mut self,
        last: Option<u64>,
        code: Code,
        debug: impl Into<Bytes>,
    ) -> Result<(), UsageError> {
        let (last, debug) = self.last_words(last, debug.into())?;
        self.control.push(Control::GoAway { last, code, debug });
        if last == MAX_STREAM {
            return Ok(());
        }
        self.drain.stage = Stage::Draining { last };
        self.timers.drain = None;
        for id in self.opened_above(false, last) {
            self.cut(id, Code::Refused);
            self.events.push(Event::Reset {
                id,
                code: Code::Refused,
                why: None,
            });
        }
        Ok(())
    }

    /// Ends the connection at once, as [`Shutdown::Now`](crate::session::Shutdown::Now) does, with all that a GOAWAY
    /// can say: see [`Session::go_away`].
    ///
    /// # Errors
    /// Those of [`Session::go_away`].
    pub fn abort(
        &mut self,
        now: Instant,
        last: Option<u64>,
        code: Code,
        debug: impl Into<Bytes>,
    ) -> Result<(), UsageError> {
        self.timers.now = now;
        let (last, debug) = self.last_words(last, debug.into())?;
        self.end_with(last, code, debug);
        Ok(())
    }

    /// The connection is over: last words, and nothing else.
    pub(super) fn end(&mut self, code: Code) {
        let last = self.drain.last().unwrap_or(self.last_peer);
        self.end_with(last, code, Bytes::new());
    }

    /// The same, with all that a GOAWAY can say.
    fn end_with(&mut self, last: u32, code: Code, debug: Bytes) {
        self.streams.clear();
        self.schedule = Schedule::default();
        self.ends = Ends::default();
        self.events = Queue::new();
        self.partial = Vec::new();
        self.block = None;
        self.question = None;
        self.piece = None;
        self.seldom = None;
        self.control.keep_preface();
        self.control.push(Control::GoAway { last, code, debug });
        self.drain.over();
        self.timers.stop();
    }

    pub(super) fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        self.trace.fault(error.why);
        self.trace.taken();
        let last = self.drain.last().unwrap_or(self.last_peer);
        let debug = Bytes::from_static(error.why.text().as_bytes());
        self.end_with(last, error.code, debug);
        error
    }

    /// Checks what a GOAWAY of the caller's is to say.
    fn last_words(&self, last: Option<u64>, debug: Bytes) -> Result<(u32, Bytes), UsageError> {
        if self.drain.is_over() {
            return Err(UsageError::ShuttingDown);
        }
        if debug.len() + 8 > self.peer.frame as usize {
            return Err(UsageError::TooLarge);
        }
        let before = self.drain.last();
        let last = match last {
            None => before.unwrap_or(self.last_peer),
            Some(last) => u32::try_from(last).map_err(|_| UsageError::NoSuchStream)?,
        };
        if last > before.unwrap_or(MAX_STREAM) {
            return Err(UsageError::NoSuchStream);
        }
        Ok((last, debug))
    }

    /// The open streams above a number that we have opened, or else that the peer has.
    fn opened_above(&self, ours: bool, last: u32) -> Vec<StreamId> {
        let is_one = |id: &StreamId| {
            let by_server = id.number().is_multiple_of(2);
            id.number() > u64::from(last) && (by_server == (self.role == Role::Server)) == ours
        };
        self.streams.ids().filter(is_one).collect()
    }

    /// The peer takes none of our streams above `last` (RFC 9113, section 6.8): those can be retried elsewhere.
    pub(super) fn refused_from(&mut self, last: u32, code: Code, debug: &[u8]) {
        self.events.push(Event::GoAway {
            last: u64::from(last),
            code,
            debug: Bytes::copy_from_slice(debug),
        });
        match self.role {
            Role::Client => self.drain.refused = true,
            Role::Server => self.drain.unpromising = true,
        }
        for id in self.opened_above(true, last) {
            self.remove(id);
            self.events.push(Event::Reset {
                id,
                code: Code::Refused,
                why: None,
            });
        }
        self.retire();
    }

    /// The peer's octets have ended. Messages that were complete are still answered; all others never will be.
    pub(super) fn ended(&mut self, how: Eof) -> Result<(), ConnectionError> {
        self.drain.eof = true;
        if self.drain.is_over() {
            return Ok(());
        }
        let cut = self.is_within_frame() || self.block.is_some();
        if cut || (how == Eof::Truncated && !self.streams.is_empty()) {
            return Err(Violation::Truncated.into());
        }
        self.timers.preface = None;
        self.timers.settings = None;
        // A client that has said all may read still: it learns which of its requests were taken in (section 6.8).
        let reads = self.role == Role::Server && !self.streams.is_empty();
        if reads && self.drain.last().is_none() {
            self.conclude_drain();
        }
        let unheard: Vec<_> = self
            .streams
            .ids()
            .filter(|id| {
                self.streams
                    .get(*id)
                    .is_some_and(|stream| !stream.state.heard_all())
            })
            .collect();
        for id in unheard {
            self.lose(id);
        }
        Ok(())
    }

    /// After the peer's octets have ended no window opens any more: what waits for one waits in vain.
    pub(super) fn drop_stuck(&mut self) {
        let open = self.send_window.room() > 0;
        let is_stuck = |id: &StreamId| {
            self.streams
                .get(*id)
                .is_some_and(|stream| stream.is_stuck(open))
        };
        let stuck: Vec<_> = self.streams.ids().filter(is_stuck).collect();
        for id in stuck {
            self.lose(id);
        }
    }

    fn lose(&mut self, id: StreamId) {
        self.remove(id);
        self.events.push(Event::Reset {
            id,
            code: Code::Cancel,
            why: Some(Violation::Truncated),
        });
    }

    /// What has come due: the end of the connection, the second GOAWAY, bodies that come too slowly.
    pub(super) fn time_out(&mut self) -> Result<(), ConnectionError> {
        let now = self.timers.now;
        if let Some(why) = self.timers.passed(&self.limits) {
            return Err(why.into());
        }
        if self.timers.drain.is_some_and(|at| at <= now) {
            self.conclude_drain();
        }
        if self.timers.progress.is_some_and(|at| at <= now) {
            self.check_progress()?;
        }
        if self.timers.rest.take_if(|at| *at <= now).is_some() && self.streams.is_empty() {
            self.rest();
        }
        Ok(())
    }

    /// Ends bodies that come too slowly, and those that a client does not take.
    fn check_progress(&mut self) -> Result<(), ConnectionError> {
        let now = self.timers.now;
        let (mut failed, mut again) = (Vec::new(), false);
        let coming = self.coming();
        // A peer whose every octet would be one too many is not slow.
        let all_held = self
            .recv_window
            .is_held(coming.map_or(0, |(_, octets)| octets));
        let open = self.send_window.room() > 0;
        let all_too_slow = self.all_wait_too_long();
        for stream in self.streams.iter_mut() {
            let coming = coming.filter(|(id, _)| id.number() == u64::from(stream.number));
            let coming = coming.map_or(0, |(_, octets)| octets);
            let held = all_held || stream.expects || stream.recv_window.holds(coming);
            if let Some(pace) = &mut stream.pace {
                pace.hold(now, held);
                again = true;
                if pace.too_slow(now, &self.limits) {
                    failed.push((stream.number, Violation::BodyTooSlow));
                    continue;
                }
            }
            // How long a server may take to read a request is for the client's caller to know.
            if self.role == Role::Client {
                continue;
            }
            let waits = stream.is_stuck(open);
            again |= waits;
            if stream.waits_too_long(now, &self.limits) || (waits && all_too_slow) {
                failed.push((stream.number, Violation::CreditTimeout));
            }
        }
        self.timers.watched(again);
        for (number, why) in failed {
            if let Some(id) = self.streams.find(number) {
                self.stream_error(id, why)?;
            }
        }
        Ok(())
    }
}
