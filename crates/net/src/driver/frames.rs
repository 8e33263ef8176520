//! The log of frames: at level trace every frame of an HTTP/2 connection is shown, both ways, with all its fields.
//!
//! A session of its own stands before the real one then; at any other level there is none.

use crate::listen::SocketAddress;
use std::time::Instant;
use thalweg_proto::error::{Code, ConnectionError, UsageError};
use thalweg_proto::h2::trace::Entry;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::{
    Eof, Event, Gather, Output, Priority, Received, Role, Session, Shutdown, StreamId, Streams,
    Supply, Wants,
};
use thalweg_proto::{h2, h2c};
use tracing::{Level, enabled, trace};

/// A session that has a trace of its frames, or will have one when there are frames.
pub(super) trait Framed: Session + 'static {
    fn traced(self) -> Self;
    fn next_trace(&mut self) -> Option<Entry>;
}

impl Framed for h2::Session {
    fn traced(self) -> Self {
        self.traced()
    }

    fn next_trace(&mut self) -> Option<Entry> {
        self.next_trace()
    }
}

impl Framed for h2c::Session {
    fn traced(self) -> Self {
        self.traced()
    }

    fn next_trace(&mut self) -> Option<Entry> {
        self.next_trace()
    }
}

/// A session that logs its frames.
struct Logged<S> {
    session: S,
    client: String,
    began: Instant,
}

/// The session itself, or one that logs its frames if anybody wants to see them.
pub(super) fn logged(
    session: impl Framed,
    client: &SocketAddress,
    now: Instant,
) -> Box<dyn Session> {
    if !enabled!(Level::TRACE) {
        return Box::new(session);
    }
    Box::new(Logged {
        session: session.traced(),
        client: format!("[{client}] "),
        began: now,
    })
}

impl<S: Framed> Logged<S> {
    fn log(&mut self, now: Instant) {
        let at = now.saturating_duration_since(self.began);
        while let Some(entry) = self.session.next_trace() {
            let text = entry.text(at).labelled(&self.client).to_string();
            if !text.is_empty() {
                trace!("{}", text.trim_end());
            }
        }
    }
}

impl<S: Framed> Streams for Logged<S> {
    fn open(&mut self, head: Request, end: bool) -> Result<StreamId, UsageError> {
        self.session.open(head, end)
    }

    fn respond(&mut self, id: StreamId, head: Response, end: bool) -> Result<(), UsageError> {
        self.session.respond(id, head, end)
    }

    fn push(&mut self, on: StreamId, head: Request) -> Result<StreamId, UsageError> {
        self.session.push(on, head)
    }

    fn supply(&mut self, id: StreamId, what: Supply) -> Result<(), UsageError> {
        self.session.supply(id, what)
    }

    fn resume(&mut self, id: StreamId) {
        self.session.resume(id);
    }

    fn taken(&mut self, id: StreamId, credit: usize) {
        self.session.taken(id, credit);
    }

    fn discard(&mut self, id: StreamId) {
        self.session.discard(id);
    }

    fn reset(&mut self, id: StreamId, code: Code) {
        self.session.reset(id, code);
    }

    fn set_priority(&mut self, id: StreamId, priority: Priority) {
        self.session.set_priority(id, priority);
    }

    fn capacity(&self) -> usize {
        self.session.capacity()
    }

    fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.session.shutdown(now, how);
    }

    fn role(&self) -> Role {
        self.session.role()
    }

    fn open_streams(&self) -> usize {
        self.session.open_streams()
    }
}

impl<S: Framed> Session for Logged<S> {
    fn recv<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Received<'b>, ConnectionError> {
        let received = self.session.recv(now, input);
        self.log(now);
        received
    }

    fn eof(&mut self, now: Instant, how: Eof) -> Result<(), ConnectionError> {
        let ended = self.session.eof(now, how);
        self.log(now);
        ended
    }

    fn send(&mut self, now: Instant, out: &mut Gather) -> Output {
        let output = self.session.send(now, out);
        self.log(now);
        output
    }

    fn poll(&mut self) -> Option<Event<'static>> {
        self.session.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.session.deadline()
    }

    fn expire(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let expired = self.session.expire(now);
        self.log(now);
        expired
    }

    fn wants(&self) -> Wants {
        self.session.wants()
    }

    fn is_mixed(&self) -> bool {
        self.session.is_mixed()
    }
}
