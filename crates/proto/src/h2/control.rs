//! What waits to be sent ahead of DATA, in order: frames of the connection, heads and resets. Answers to PING overtake
//! all others (RFC 9113, section 6.7).
//!
//! It is short by nature, since a driver empties it at every turn. A peer that asks for answers without reading them
//! could make it long: those are counted ([`Waiting::answers`]).

use super::frame::Dependency;
use super::queue::Queue;
use crate::error::Code;
use crate::fields::Fields;
use crate::head::{Request, Response};
use crate::session::{Priority, StreamId};
use bytes::Bytes;

/// One frame to come (a head may need several).
#[derive(Debug)]
pub(super) enum Control {
    /// Our SETTINGS, with the client's preface before them, and what makes the connection's window larger after.
    Preface,
    /// The answer to SETTINGS. The peer counts with its new table from here on, so that is when our encoder does.
    SettingsAck {
        /// The smallest table that they allowed, one after the other.
        smallest: u32,
        /// The one that holds.
        table: u32,
    },
    /// More SETTINGS of ours.
    Settings(Vec<(u16, u32)>),
    /// A PING of ours.
    Ping([u8; 8]),
    /// A PING of the caller's.
    Probe([u8; 8]),
    /// The answer to a PING.
    PingAck([u8; 8]),
    /// Credit for the connection.
    ConnectionCredit,
    /// Credit for a stream, if it is still open.
    StreamCredit(StreamId),
    /// A head, if its stream is still open.
    Head {
        /// The stream.
        id: StreamId,
        /// The head.
        head: Head,
        /// Whether our message ends with it.
        end: bool,
    },
    /// A promised request, if both streams are still open.
    Promise {
        /// The stream that it is promised on.
        on: StreamId,
        /// The stream that is promised.
        id: StreamId,
        /// The request.
        head: Head,
    },
    /// The end of our message, where nothing was said beside its head.
    End(StreamId),
    /// The head of a response to a request that never became a stream here.
    Refusal {
        /// The number of its stream.
        number: u32,
        /// The status.
        status: u16,
        /// Whether the response ends with it.
        end: bool,
    },
    /// A client's word on the place of a stream in the tree.
    Priority {
        /// The number of the stream.
        number: u32,
        /// Its place.
        dependency: Dependency,
    },
    /// A client's word on the priority of a response.
    PriorityUpdate {
        /// The number of the stream.
        number: u32,
        /// Its new priority.
        priority: Priority,
    },
    /// The end of a stream before its time.
    RstStream {
        /// The number of the stream.
        number: u32,
        /// Why.
        code: Code,
    },
    /// The end of the connection.
    GoAway {
        /// The last stream that may have been processed.
        last: u32,
        /// Why.
        code: Code,
        /// Words for a person.
        debug: Bytes,
    },
    /// A frame of an extension.
    Extension {
        /// The number of its stream, or 0.
        stream: u32,
        /// Its type.
        kind: u8,
        /// Its flags.
        flags: u8,
        /// What it holds.
        payload: Bytes,
    },
}

/// The kinds of field blocks that leave.
#[derive(Debug)]
pub(super) enum Head {
    /// Boxed, since only a client has many, and what waits is moved.
    Request(Box<Request>),
    Response(Response),
    Trailers(Fields),
}

/// All of them, in order.
#[derive(Debug)]
pub(super) struct Waiting {
    frames: Queue<Control>,
    answers: u32,
    /// How many answers to PING are at the front, or behind the preface there.
    pings: u32,
}

impl Waiting {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            frames: Queue::new(),
            answers: 0,
            pings: 0,
        }
    }

    /// Appends a frame; answers to PING go before all others.
    pub(super) fn push(&mut self, control: Control) {
        self.answers += u32::from(is_answer(&control));
        if !matches!(control, Control::PingAck(_)) {
            self.frames.push(control);
            return;
        }
        let begun = !matches!(self.frames.first(), Some(Control::Preface));
        let at = self.pings as usize + usize::from(!begun);
        self.frames.insert(at, control);
        self.pings += 1;
    }

    /// Takes the first frame.
    pub(super) fn pop(&mut self) -> Option<Control> {
        let control = self.frames.pop()?;
        self.pings -= u32::from(matches!(control, Control::PingAck(_)));
        self.answers -= u32::from(is_answer(&control));
        Some(control)
    }

    /// How many of them the peer has provoked: acknowledgements, resets and refusals.
    pub(super) fn answers(&self) -> u32 {
        self.answers
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets all but what must come first on a connection.
    pub(super) fn keep_preface(&mut self) {
        self.frames
            .retain(|control| matches!(control, Control::Preface));
        self.pings = 0;
        self.answers = 0;
    }

    /// Gives its memory back, when it is empty.
    pub(super) fn shrink(&mut self) {
        self.frames.shrink();
    }
}

fn is_answer(control: &Control) -> bool {
    matches!(
        control,
        Control::SettingsAck { .. }
            | Control::PingAck(_)
            | Control::Refusal { .. }
            | Control::RstStream { .. }
    )
}
