//! HTTP/1.0 and HTTP/1.1 (RFC 9112): one exchange after the other over one connection.
//!
//! ```
//! use std::time::Instant;
//! use thalweg_proto::h1::{Scheme, Session};
//! use thalweg_proto::head::Response;
//! use thalweg_proto::limits::Limits;
//! use thalweg_proto::session::{Event, Gather, Output, Session as _, Streams as _};
//!
//! let now = Instant::now();
//! let mut session = Session::server(Limits::default(), Scheme::Http, now);
//! let received = session.recv(now, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
//! let Some(Event::Request { id, head, end: true }) = received.event else { panic!() };
//! assert_eq!(head.path(), Some(&b"/"[..]));
//!
//! session.respond(id, Response::new(204), true).unwrap();
//! let mut out = Gather::new(1024);
//! while session.send(now, &mut out) != Output::Idle {}
//! assert_eq!(out.to_vec(), b"HTTP/1.1 204 No Content\r\n\r\n");
//! ```
//!
//! What the peer's next octet is (`Input`), for a server; a client waits in `Idle` instead of `Head`:
//!
//! ```text
//!              ┌───────────── both messages are complete, the connection persists ───────────┐
//!              ▼                                                                             │
//!  start ──► Head ──with content──► Body ──last octet, or trailers──► Held ──────────────────┤
//!              └────────────────── without content ───────────────────► │                    └─ or not ─► Over
//!                                                                       └─ 101, or 2xx to CONNECT ─► Tunnel
//!  from anywhere: a violation, a time-out, a reset, the end of the octets ─► Over
//! ```
//!
//! - In `Held` nothing is taken: the next request, or what follows an offer to upgrade, waits in the driver until
//!   our answer decides what it is. That is how pipelining keeps its order.
//! - A request that offers an upgrade is told as complete; only if the caller grants it (101) do [`Event::Data`] and
//!   [`Event::End`] of the tunnel follow. The same goes for CONNECT and a 2xx. A body together with such an offer is
//!   served, the offer is not: two readers could differ on where the tunnel begins.
//! - Message framing is the session's own: a caller's content-length is honoured and checked, without one there are
//!   chunks, or to HTTP/1.0 the end of the connection.
//! - There are no [`Event::Reset`]s: what breaks an exchange breaks the connection, which the [`ConnectionError`]
//!   says, with the exchange in its `at`.
//! - Nothing is allocated while a connection is idle.
//!
//! | file | what it answers |
//! |---|---|
//! | `scan` | where a head ends, and what is refused before it does |
//! | `head`, `target` | what a complete head says |
//! | `framing`, `chunked` | where its content ends |
//! | `exchange` | how far request and response are |
//! | `receive`, `send` | what octets do to it, and it to octets |
//! | `server`, `client` | what each role commands and hears |
//! | `time` | when something takes too long |
//! | `write` | heads and chunks as octets |

mod chunked;
mod client;
mod exchange;
mod framing;
mod head;
mod receive;
mod scan;
mod send;
mod server;
mod target;
mod time;
mod write;

use crate::error::{Code, ConnectionError, UsageError, Violation};
use crate::head::{Request, Response};
use crate::limits::Limits;
use crate::session::{
    self, Eof, Epoch, Event, Finish, Gather, Output, Priority, Received, Role, Shutdown, StreamId,
    Streams, Supply, Wants,
};
use exchange::{Exchange, News, Sending, Turn};
use receive::Input;
use std::sync::Arc;
use std::time::Instant;

/// What the connection of a server is secured by: the scheme of requests that name none themselves (RFC 9112,
/// section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain octets.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Scheme::Http => b"http",
            Scheme::Https => b"https",
        }
    }
}

/// One connection of HTTP/1.x, as a server or a client. See [the module](self).
#[derive(Debug)]
pub struct Session {
    role: Role,
    scheme: Scheme,
    limits: Arc<Limits>,
    /// The latest time that anybody told.
    clock: Instant,
    epoch: Option<Epoch>,
    input: Input,
    /// The part of a head or of trailers that has come.
    partial: Vec<u8>,
    /// Since when a head is waited for, or has been coming.
    since: Instant,
    /// Empty lines before the head.
    empty_lines: u8,
    /// How many octets of unwanted content may still come.
    spare: usize,
    exchange: Option<Exchange>,
    /// How many exchanges there were.
    count: u64,
    /// Octets that leave before anything else.
    ahead: Vec<u8>,
    news: News,
    /// No exchange follows the one that is open.
    last: bool,
    /// Whether octets wait that were not taken.
    held: bool,
    peer_ended: bool,
    finish: Finish,
}

impl Session {
    /// A server on a connection that was accepted now.
    pub fn server(limits: impl Into<Arc<Limits>>, scheme: Scheme, now: Instant) -> Self {
        Self::new(Role::Server, scheme, limits.into(), now)
    }

    /// The same session, with a Date in the answers that it gives by itself.
    #[must_use]
    pub fn dated(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// A client on a connection that was opened now. It opens one exchange after the other: its
    /// [`capacity`](Streams::capacity) is 1 or 0.
    pub fn client(limits: impl Into<Arc<Limits>>, now: Instant) -> Self {
        Self::new(Role::Client, Scheme::Http, limits.into(), now)
    }

    fn new(role: Role, scheme: Scheme, limits: Arc<Limits>, now: Instant) -> Self {
        Self {
            role,
            scheme,
            limits,
            clock: now,
            epoch: None,
            input: Input::ready(role),
            partial: Vec::new(),
            since: now,
            empty_lines: 0,
            spare: 0,
            exchange: None,
            count: 0,
            ahead: Vec::new(),
            news: News::default(),
            last: false,
            held: false,
            peer_ended: false,
            finish: Finish::No,
        }
    }

    /// Whether the connection outlives its open exchange, as far as is known.
    pub(crate) fn persists(&self) -> bool {
        !self.last
    }

    /// Whether a head waits to be written.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Whether the rest of the peer's message was discarded.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.exchange
            .as_ref()
            .is_some_and(|exchange| exchange.unwanted)
    }

    /// Whether there has been no exchange yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.count == 0
    }

    /// The open exchange, if it is this one.
    fn exchange(&mut self, id: StreamId) -> Option<&mut Exchange> {
        self.exchange.as_mut().filter(|exchange| exchange.id == id)
    }

    /// Looks whether the exchange is over, and what follows it then.
    fn settle(&mut self) {
        let Some(exchange) = &self.exchange else {
            return;
        };
        let head_to_come = matches!(self.input, Input::Head(_));
        if head_to_come || !exchange.is_over(self.role) {
            return;
        }
        let receiving = exchange.receiving;
        self.news.finished = Some(exchange.id);
        self.exchange = None;
        if matches!(self.input, Input::Tunnel) {
            self.end(Finish::Now);
        } else if self.last {
            self.end(Finish::Linger);
        } else if !receiving {
            self.await_next();
        }
    }

    /// Both messages of an exchange are over, and the connection lives on.
    fn await_next(&mut self) {
        self.input = Input::ready(self.role);
        self.since = self.clock;
        self.empty_lines = 0;
        self.held = false;
    }

    /// The connection is over, but for what waits to be written.
    fn end(&mut self, finish: Finish) {
        self.exchange = None;
        self.input = Input::Over;
        self.partial = Vec::new();
        self.finish = if self.peer_ended || self.role == Role::Client {
            Finish::Now
        } else {
            finish
        };
    }

    /// The peer broke the protocol, or a time-out: last words, and the end.
    fn fail(&mut self, why: Violation) -> ConnectionError {
        let mut error = ConnectionError::new(why);
        error.at = self.exchange.as_ref().map(|exchange| exchange.id);
        if self.role == Role::Server {
            self.last_words(Some(why));
        }
        self.end(Finish::Linger);
        error
    }
}

impl Streams for Session {
    fn open(&mut self, head: Request, end: bool) -> Result<StreamId, UsageError> {
        self.request(head, end)
    }

    fn respond(&mut self, id: StreamId, head: Response, end: bool) -> Result<(), UsageError> {
        self.answer(id, head, end)
    }

    fn push(&mut self, _on: StreamId, _head: Request) -> Result<StreamId, UsageError> {
        Err(UsageError::NoPush)
    }

    fn supply(&mut self, id: StreamId, what: Supply) -> Result<(), UsageError> {
        let exchange = self.exchange(id).ok_or(UsageError::NoSuchStream)?;
        let Sending::Body(body) = &mut exchange.sending else {
            return Err(UsageError::NotAsked);
        };
        match what {
            Supply::Fail(code) if matches!(body.turn, Turn::Asked(_)) => self.reset(id, code),
            what => body.supply(what)?,
        }
        Ok(())
    }

    fn resume(&mut self, id: StreamId) {
        let client = self.role == Role::Client;
        if let Some(exchange) = self.exchange(id) {
            // Whoever resumes does not wait for a 100 any longer.
            exchange.expects &= !client;
            exchange.go_on();
        }
    }

    fn taken(&mut self, id: StreamId, credit: usize) {
        if let Some(exchange) = self.exchange(id) {
            exchange.untaken = exchange.untaken.saturating_sub(credit);
        }
    }

    fn discard(&mut self, id: StreamId) {
        if self.exchange(id).is_some() {
            self.give_up_body();
            self.settle();
        }
    }

    /// Closes the connection: HTTP/1.x has no other way to give a message up. A client that has sent nothing yet
    /// keeps it.
    fn reset(&mut self, id: StreamId, _code: Code) {
        let Some(exchange) = self.exchange(id) else {
            return;
        };
        let said = exchange.is_said();
        if self.role == Role::Client && !self.ahead.is_empty() && !self.last {
            self.ahead = Vec::new();
            self.exchange = None;
            self.await_next();
        } else {
            self.end(if said { Finish::Linger } else { Finish::Now });
        }
    }

    /// Does nothing: there is one stream at a time.
    fn set_priority(&mut self, _id: StreamId, _priority: Priority) {}

    fn capacity(&self) -> usize {
        let free = self.role == Role::Client && matches!(self.input, Input::Idle);
        usize::from(free && self.exchange.is_none() && !self.last)
    }

    fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.clock = now;
        self.last = true;
        match how {
            Shutdown::Now(_) => {
                if self.role == Role::Server {
                    self.last_words(None);
                }
                self.end(Finish::Linger);
            }
            Shutdown::Graceful if self.exchange.is_some() => {}
            Shutdown::Graceful if self.input.has_begun() => self.hurry(),
            Shutdown::Graceful => self.end(Finish::Linger),
        }
    }

    fn role(&self) -> Role {
        self.role
    }

    fn open_streams(&self) -> usize {
        usize::from(self.exchange.is_some())
    }
}

impl session::Session for Session {
    fn recv<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Received<'b>, ConnectionError> {
        self.tick(now);
        self.receive(input)
    }

    fn eof(&mut self, now: Instant, how: Eof) -> Result<(), ConnectionError> {
        self.tick(now);
        self.input_ended(how)
    }

    fn send(&mut self, now: Instant, out: &mut Gather) -> Output {
        self.tick(now);
        self.write(out)
    }

    fn poll(&mut self) -> Option<Event<'static>> {
        self.news.next()
    }

    fn deadline(&self) -> Option<Instant> {
        self.next_deadline()
    }

    fn expire(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.tick(now);
        self.time_out()
    }

    fn wants(&self) -> Wants {
        Wants {
            read: self.wants_read(),
            write: self.wants_write(),
            end: self.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session as _;

    /// Ten thousand idle connections are ten thousand of these structs and nothing else.
    #[test]
    fn nothing_is_allocated_while_a_connection_is_idle() {
        let now = Instant::now();
        let mut session = Session::server(Arc::new(Limits::default()), Scheme::Http, now);
        let mut out = Gather::new(1 << 16);
        for octet in
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n"
        {
            session.recv(now, &[*octet]).unwrap();
        }
        let id = StreamId::new(1, 0);
        session.respond(id, Response::new(103), false).unwrap();
        session.respond(id, Response::new(204), true).unwrap();
        while session.send(now, &mut out) != Output::Idle {}
        while session.poll().is_some() {}
        assert!(session.exchange.is_none());
        assert_eq!(
            (session.partial.capacity(), session.ahead.capacity()),
            (0, 0)
        );
        assert!(size_of::<Session>() <= 544);
    }
}
