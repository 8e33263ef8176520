//! One exchange: a request and its response, as far as this side has to remember them.
//!
//! Both messages go their own way; the exchange is over when both are.
//!
//! ```text
//!  the peer's   receiving ─────────────────────────────► not receiving
//!                   └─ discard ─► unwanted (counts as over)
//!
//!  ours         Awaited ─final head─► Body ──────Last──► Done
//!                  └── final head without content ───────┘
//!               (a client's request begins in Body or Done; CONNECT in Awaited, until it is granted)
//! ```

use super::write::{Announce, check_trailers};
use crate::error::{Code, UsageError};
use crate::fields::Fields;
use crate::head::{Response, Version};
use crate::session::{End, Event, Role, StreamId, Supply};
use bytes::Bytes;

/// What is known of the exchange that is open.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: StreamId,
    /// The request's version: what the response may use.
    pub(super) version: Version,
    /// Whether the request is a HEAD, so that no response to it has content.
    pub(super) to_head: bool,
    /// The way in which the request may become a tunnel.
    pub(super) offer: Offer,
    /// Whether the client waits for a 100 before it sends the body.
    pub(super) expects: bool,
    /// Whether more of the peer's message is to come.
    pub(super) receiving: bool,
    /// Whether the caller wants no more of it.
    pub(super) unwanted: bool,
    /// Octets that were told as data and not taken yet.
    pub(super) untaken: usize,
    /// Server: the final head, until it is written.
    pub(super) head: Option<FinalHead>,
    pub(super) sending: Sending,
}

/// How a request may become a tunnel (RFC 9110, sections 7.8 and 9.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    None,
    /// By a 101.
    Upgrade,
    /// By a 2xx to CONNECT.
    Connect,
}

/// A final head that waits to be written. What it says about the connection is decided then.
#[derive(Debug)]
pub(super) struct FinalHead {
    pub(super) response: Response,
    pub(super) announce: Announce,
    /// Whether it names a protocol to change to.
    pub(super) upgrade: bool,
}

/// How far our message is.
#[derive(Debug)]
pub(super) enum Sending {
    Awaited,
    Body(Body),
    Done,
}

/// Our content, pulled piece by piece.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) framing: Framing,
    pub(super) turn: Turn,
}

/// How the peer recognises the end of our content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many octets more.
    Exact(u64),
    Chunked,
    /// By the end of our half of the connection.
    Raw,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    /// The session's: to ask.
    Ask,
    /// The caller's: to answer with up to this many octets.
    Asked(usize),
    /// The caller's: to resume.
    Deferred,
    /// The session's: to write this.
    Supplied(Bytes, End),
}

impl Exchange {
    /// Whether all of our message has left the session.
    pub(super) fn is_said(&self) -> bool {
        self.head.is_none() && matches!(self.sending, Sending::Done)
    }

    /// Whether nothing is left to come or to go. A body that waits for a 100 that never came is nothing.
    pub(super) fn is_over(&self, role: Role) -> bool {
        let waived = |by: Role| self.expects && role == by;
        let said = self.is_said() || !self.receiving && waived(Role::Client);
        let heard = !self.receiving || self.unwanted || waived(Role::Server);
        said && heard
    }

    /// A body that was deferred is asked for again.
    pub(super) fn go_on(&mut self) {
        if let Sending::Body(body) = &mut self.sending
            && matches!(body.turn, Turn::Deferred)
        {
            body.turn = Turn::Ask;
        }
    }

    /// Whether a final head was written, or a request begun: it is too late for another answer.
    pub(super) fn has_begun(&self) -> bool {
        self.head.is_none() && !matches!(self.sending, Sending::Awaited)
    }
}

impl Body {
    /// Content that will be asked for.
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            turn: Turn::Ask,
        }
    }

    /// How much to ask for, given that so much fits.
    pub(super) fn ask(&mut self, room: usize) -> usize {
        /// A piece smaller than this is not worth a question, even where the gather is almost full.
        const SMALLEST: usize = 4 << 10;
        let room = room.max(SMALLEST);
        let max = match self.framing {
            Framing::Exact(left) => usize::try_from(left).unwrap_or(room).clamp(1, room),
            Framing::Chunked | Framing::Raw => room,
        };
        self.turn = Turn::Asked(max);
        max
    }

    /// Takes the answer to a question.
    pub(super) fn supply(&mut self, what: Supply) -> Result<(), UsageError> {
        let Turn::Asked(max) = self.turn else {
            return Err(UsageError::NotAsked);
        };
        let (piece, end) = match what {
            Supply::Chunk(piece, end) => (piece, end),
            Supply::Deferred | Supply::Fail(_) => {
                self.turn = Turn::Deferred;
                return Ok(());
            }
        };
        let len = piece.len() as u64;
        if let Framing::Exact(left) = self.framing {
            let complete = !matches!(end, End::More);
            if len > left || complete && len < left {
                return Err(UsageError::LengthMismatch);
            }
        }
        if piece.len() > max {
            return Err(UsageError::TooMuch);
        }
        if let End::Trailers(trailers) = &end {
            check_trailers(trailers)?;
        }
        if let Framing::Exact(left) = &mut self.framing {
            *left -= len;
        }
        self.turn = Turn::Supplied(piece, end);
        Ok(())
    }
}

/// Events that wait to be told: at most one of each kind, told in this order.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) end: Option<(StreamId, Option<Fields>)>,
    /// The last of our streams that the peer takes.
    pub(super) go_away: Option<u64>,
    pub(super) finished: Option<StreamId>,
}

impl News {
    /// The next event to tell.
    pub(super) fn next(&mut self) -> Option<Event<'static>> {
        if let Some((id, trailers)) = self.end.take() {
            return Some(Event::End { id, trailers });
        }
        if let Some(last) = self.go_away.take() {
            let code = Code::NoError;
            let debug = Bytes::new();
            return Some(Event::GoAway { last, code, debug });
        }
        let id = self.finished.take()?;
        Some(Event::Finished { id })
    }
}
