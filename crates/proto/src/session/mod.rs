//! The vocabulary that every protocol of one connection speaks.
//!
//! A [`Session`] turns octets into [`Event`]s and commands into octets, one step at a time: between any two
//! events, frames or questions the caller may give any command. Bodies are pulled: when a stream may send, the
//! session asks ([`Output::Need`]) and is answered ([`Streams::supply`]); nothing waits inside it but what is on
//! its way.
//!
//! ```text
//!            ┌──────────────────────── one turn of a driver ────────────────────────┐
//!   input ─► recv ─► Event ─► (commands) ─► recv … until no event ─► poll … until none
//!                                                                        │
//!   output ◄─ Gather ◄─ send ─► Frame: again │ Need: supply, again │ Idle or Full: write
//! ```
//!
//! The life of a stream, as a caller sees it (server; a client reads it from right to left):
//!
//! ```text
//!  Request ─► Data* ─► End ───────────────┐
//!     └─► respond(1xx)* ─► respond ─► supply* ─► Last ─┴─► Finished
//!  at any time: Reset (by the peer, or for its violation) or reset (by the caller), after which the id is dead
//! ```

mod epoch;
mod gather;
mod pace;
mod priority;

pub use epoch::Epoch;
pub use gather::{Gather, Segment};
pub use pace::Pace;
pub use priority::Priority;

use crate::error::{Code, ConnectionError, UsageError, Violation};
use crate::fields::Fields;
use crate::head::{Request, Response};
use bytes::Bytes;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

/// Which end of the connection a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It opened the connection and sends requests.
    Client,
    /// It accepted the connection and sends responses.
    Server,
}

/// A stream of one connection. Two are equal when their numbers are; the slot only makes them quick to find.
#[derive(Clone, Copy)]
pub struct StreamId {
    number: u64,
    slot: u32,
}

impl StreamId {
    /// The stream with this number, kept in this slot of its session's table.
    pub fn new(number: u64, slot: u32) -> Self {
        Self { number, slot }
    }

    /// The number on the wire; over HTTP/1.x the exchange's ordinal on its connection, from 1.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Where its session keeps it. A session checks the number it finds there.
    pub fn slot(self) -> u32 {
        self.slot
    }
}

impl PartialEq for StreamId {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for StreamId {}

impl Hash for StreamId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl PartialOrd for StreamId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StreamId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({})", self.number)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// What a session tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'b> {
    /// Server: a request begins. With `end` it has no body, and no [`Event::End`] follows.
    Request {
        /// The new stream.
        id: StreamId,
        /// Its head.
        head: Request,
        /// Whether the request ends with its head.
        end: bool,
    },
    /// Client: a head of the response: any number of 1xx, then the final one.
    Response {
        /// The stream.
        id: StreamId,
        /// The head.
        head: Response,
        /// Whether the response ends with it.
        end: bool,
    },
    /// Octets of the body, borrowed from the input.
    Data {
        /// The stream.
        id: StreamId,
        /// The octets.
        bytes: &'b [u8],
        /// What to give back through [`Streams::taken`] in time: the octets, and padding that went with them.
        credit: usize,
    },
    /// The peer's message is complete.
    End {
        /// The stream.
        id: StreamId,
        /// Trailers, where there were any.
        trailers: Option<Fields>,
    },
    /// The stream is over before its time: nothing more comes, commands on it answer
    /// [`UsageError::NoSuchStream`] or do nothing. It may name a stream that was never announced, when its head
    /// was refused.
    Reset {
        /// The stream.
        id: StreamId,
        /// The code that was received or sent.
        code: Code,
        /// What the peer broke; none when the peer itself gave the stream up.
        why: Option<Violation>,
    },
    /// Both messages of the stream are complete, and all of ours has left the session: the id is dead.
    Finished {
        /// The stream.
        id: StreamId,
    },
    /// The peer takes no new streams: it sent GOAWAY, or `Connection: close`.
    GoAway {
        /// The last of our streams that the peer will process; later ones get their own [`Event::Reset`].
        last: u64,
        /// Why.
        code: Code,
        /// Words for a person; empty where the peer gave none.
        debug: Bytes,
    },
    /// The peer wants this stream treated with another priority.
    Priority {
        /// The stream.
        id: StreamId,
        /// The new priority.
        priority: Priority,
    },
    /// Client: the server promises the response to a request that nobody has sent (RFC 9113, section 8.4). It comes
    /// on `id` as any other does; who does not want it gives a [`Streams::reset`]. Whether the server may speak
    /// for the authority that it names is for the caller to judge.
    Push {
        /// The promised stream.
        id: StreamId,
        /// The stream whose response led to the promise.
        on: StreamId,
        /// The request that the server makes up.
        head: Request,
    },
    /// HTTP/2 client: where else an origin can be reached (RFC 7838, section 4).
    AltSvc {
        /// The stream whose origin it is; none where `origin` says so.
        on: Option<StreamId>,
        /// The origin, as `https://example.org`; empty with a stream.
        origin: Bytes,
        /// What an Alt-Svc field would hold.
        value: Bytes,
    },
    /// HTTP/2 client: the origins that the connection serves, beside those that were announced before (RFC 8336).
    /// They mean nothing on a connection without TLS.
    Origins {
        /// Each as `https://example.org`.
        origins: Vec<Bytes>,
    },
    /// HTTP/2: a frame of a type that is the caller's own ([`Config::frames`](crate::h2::Config::frames)).
    Frame {
        /// The number of its stream, or 0 for the connection. Nothing was checked about it.
        stream: u64,
        /// The type.
        kind: u8,
        /// The flags.
        flags: u8,
        /// What it holds.
        payload: Bytes,
    },
    /// HTTP/2: a PING of the caller came back.
    Pong {
        /// What it holds.
        octets: [u8; 8],
        /// How long it was under way, counted from when it left the session.
        after: Duration,
    },
    /// HTTP/2, where a trace was asked for: [`Session::next_trace`](crate::h2::Session::next_trace) has something.
    Traced,
}

/// What one call of [`Session::recv`] did.
#[derive(Debug)]
pub struct Received<'b> {
    /// Octets of the input that are dealt with.
    pub consumed: usize,
    /// What they said. None: nothing more to tell until there is more input.
    pub event: Option<Event<'b>>,
}

/// What one call of [`Session::send`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nothing to send now.
    Idle,
    /// There is more to send, but the [`Gather`] has reached its limit: write it, then call again.
    Full,
    /// One frame (HTTP/1.x: one head or piece of a body) was added: call again.
    Frame,
    /// A stream may send up to `max` octets of its body now: answer with [`Streams::supply`], then call again.
    ///
    /// With a `max` of 0 there is room for none, yet an end can be said without (HTTP/2: RFC 9113, section 6.9.1).
    /// A body that goes on is an empty [`Supply::Chunk`] with [`End::More`] then, and is asked for again when there
    /// is room; one of which nothing is known is [`Supply::Deferred`], as ever.
    Need {
        /// The stream.
        id: StreamId,
        /// How many octets.
        max: usize,
    },
}

/// The answer to [`Output::Need`].
#[derive(Debug)]
pub enum Supply {
    /// A piece of the body, and what follows it. The piece may be empty when the body ends with it.
    Chunk(Bytes, End),
    /// Nothing now: [`Streams::resume`] tells when to ask again.
    Deferred,
    /// The body will never be complete: the stream is reset with this code.
    Fail(Code),
}

/// What follows a piece of a body.
#[derive(Debug)]
pub enum End {
    /// More of the body.
    More,
    /// Nothing: the message is complete.
    Last,
    /// Trailers, and with them the message is complete. Over HTTP/1.x they are dropped where the framing (a
    /// content-length, HTTP/1.0) has no place for them.
    Trailers(Fields),
}

/// What a session wants of its transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// It can take more input. While false, keep what [`Session::recv`] left, and do not read.
    pub read: bool,
    /// It has output, or questions to ask, as far as the peer's windows allow.
    pub write: bool,
    /// Whether the connection is over for it, once everything is written.
    pub end: Finish,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It does not.
    No,
    /// Close for writing and go on reading: our half of a tunnel has ended, and the peer's has not.
    Half,
    /// Close for writing, then read and forget what comes for a short time, so that the peer gets our last
    /// words instead of a reset (RFC 9112, section 9.6).
    Linger,
    /// At once: the peer has closed as well, or has nothing more to read.
    Now,
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Open streams finish, new ones are refused: GOAWAY twice (RFC 9113, section 6.8), `Connection: close`.
    Graceful,
    /// Open streams are dropped, last words are sent.
    Now(Code),
}

/// How the peer's octets ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eof {
    /// In order: FIN, over TLS after a close_notify.
    Clean,
    /// Cut off: a reset, or TLS without close_notify.
    Truncated,
}

/// What a gateway, an application or a tool asks of a connection, whatever carries it.
pub trait Streams {
    /// Client: opens a stream with a request. With `end` it has no body; else [`Output::Need`] asks for it. For a
    /// CONNECT it asks once a 2xx has made a tunnel, and never where another answer says that there is none.
    ///
    /// # Errors
    /// [`UsageError::NoCapacity`], [`UsageError::ShuttingDown`], [`UsageError::BadField`] and others; nothing was sent.
    fn open(&mut self, head: Request, end: bool) -> Result<StreamId, UsageError>;

    /// Server: sends a head of the response: 1xx (never with `end`) or the final one. With `end` it has no body.
    /// After a 101, or a 2xx to CONNECT, body octets are the tunnel's in both directions.
    ///
    /// # Errors
    /// [`UsageError::NoSuchStream`], [`UsageError::HeadNotExpected`], [`UsageError::BadField`] and others; nothing was sent.
    fn respond(&mut self, id: StreamId, head: Response, end: bool) -> Result<(), UsageError>;

    /// Server: promises the response to a request that the client has not sent, beside the one that this stream
    /// brings. [`Streams::respond`] on the new stream keeps the promise, [`Streams::reset`] takes it back. The
    /// client may refuse it at any time: [`Event::Reset`].
    ///
    /// The promise leaves ahead of all octets of the body that are supplied later. The request is a GET or HEAD
    /// without content, and names an authority that the server may speak for.
    ///
    /// # Errors
    /// [`UsageError::NoPush`] where the protocol or the client takes none, [`UsageError::NotPushable`],
    /// [`UsageError::NoCapacity`], [`UsageError::HeadNotExpected`] when the stream's response is complete, and others;
    /// nothing was sent.
    fn push(&mut self, on: StreamId, head: Request) -> Result<StreamId, UsageError>;

    /// Answers [`Output::Need`].
    ///
    /// # Errors
    /// [`UsageError::NotAsked`], [`UsageError::TooMuch`]; [`UsageError::LengthMismatch`] when the body does not
    /// have the length its head announced: the caller then resets the stream.
    fn supply(&mut self, id: StreamId, what: Supply) -> Result<(), UsageError>;

    /// There is something to supply again after [`Supply::Deferred`].
    fn resume(&mut self, id: StreamId);

    /// The consumer has taken this many octets of credit of [`Event::Data`]: the peer may send as many more.
    /// Octets of a stream that has ended meanwhile are taken too, harmlessly.
    fn taken(&mut self, id: StreamId, credit: usize);

    /// The rest of the peer's body is unwanted: no more [`Event::Data`] for it, and its octets cost nothing. Once
    /// our own message is complete the session may cut the peer's short (HTTP/2: RST_STREAM with NO_ERROR;
    /// HTTP/1.x: reads a little, then closes).
    fn discard(&mut self, id: StreamId);

    /// Gives the stream up. No event follows for it.
    fn reset(&mut self, id: StreamId, code: Code);

    /// Sets the priority with which the stream's octets leave; the peer's signals come later and change it again. A
    /// client tells the server, so that the response follows it (HTTP/2: PRIORITY_UPDATE, where the server takes it).
    fn set_priority(&mut self, id: StreamId, priority: Priority);

    /// Client: how many streams could be opened now.
    fn capacity(&self) -> usize;

    /// Begins to stop.
    fn shutdown(&mut self, now: Instant, how: Shutdown);

    /// Which end of the connection this is.
    fn role(&self) -> Role;

    /// How many streams are open.
    fn open_streams(&self) -> usize;
}

/// A session over one ordered stream of octets.
pub trait Session: Streams {
    /// Takes input and yields at most one event. It consumes everything unless it yields an event, or
    /// [`Wants::read`] is false (a decision is awaited, or the connection is over): call again with the rest
    /// after an event; keep the rest while `read` is false. Incomplete units are kept inside, within
    /// [`Limits`](crate::limits::Limits).
    ///
    /// # Errors
    /// The peer broke the protocol. The session has last words: [`Session::send`] them. Every later call of
    /// `recv` consumes its input and yields nothing.
    fn recv<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Received<'b>, ConnectionError>;

    /// The peer's octets have ended.
    ///
    /// # Errors
    /// [`Violation::Truncated`] when they ended inside a message that cannot be complete.
    fn eof(&mut self, now: Instant, how: Eof) -> Result<(), ConnectionError>;

    /// Adds at most one frame to `out`, or asks one question.
    fn send(&mut self, now: Instant, out: &mut Gather) -> Output;

    /// An event that a command, a timer or writing caused. Call until there is none after every other call that
    /// can cause one.
    fn poll(&mut self) -> Option<Event<'static>>;

    /// When [`Session::expire`] wants to be called next, if nothing else happens. It may move at every call of
    /// the session; being late by the tick of coarse timers (up to a second) is fine.
    fn deadline(&self) -> Option<Instant>;

    /// Time has passed.
    ///
    /// # Errors
    /// A time-out that ends the connection, as [`Session::recv`] would say it.
    fn expire(&mut self, now: Instant) -> Result<(), ConnectionError>;

    /// What it wants of its transport now.
    fn wants(&self) -> Wants;

    /// Whether streams of different urgency have something to say, now or later: what is urgent comes too late then
    /// if much of the rest has been handed to the transport before it. The answer takes longer than others, up to a
    /// look at every stream.
    fn is_mixed(&self) -> bool {
        false
    }
}

/// Where bodies come from, for callers that have one place for all of them.
pub trait Source {
    /// Up to `max` octets of the body of this stream, which may be 0: see [`Output::Need`].
    fn read(&mut self, id: StreamId, max: usize) -> Supply;

    /// The session refused what [`Source::read`] answered, and the stream was reset: no event follows for it.
    fn refused(&mut self, _id: StreamId, _why: UsageError) {}
}

/// The loop that most callers want over [`Session::send`]: fills `out` until it is full or nothing is left,
/// asking `source` for bodies. Answers whether there is more to send once `out` is written.
///
/// A supply that the session refuses (a body longer or shorter than its head announced, a trailer that cannot be
/// sent) resets its stream, and the source is told.
pub fn fill(
    session: &mut (impl Session + ?Sized),
    now: Instant,
    source: &mut (impl Source + ?Sized),
    out: &mut Gather,
) -> bool {
    loop {
        match session.send(now, out) {
            Output::Idle => return false,
            Output::Full => return true,
            Output::Frame => {}
            Output::Need { id, max } => {
                let supply = source.read(id, max);
                if let Err(why) = session.supply(id, supply) {
                    session.reset(id, Code::Internal);
                    source.refused(id, why);
                }
            }
        }
    }
}
