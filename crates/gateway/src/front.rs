//! One connection of a client: its session's events become exchanges, and what handlers reply becomes commands.
//!
//! ```text
//!  Event::Request ─► Conduit ─► Router ─► Handler
//!                       │
//!  Outbox (local, or by message) ─► attend: credit, discard; 100, 1xx, head, resume ─► Streams
//!                       │
//!  Output::Need ─► read: supply from the conduit
//!                       │
//!  Finished, Reset, ended, broken off ─► close: a line in the access log, the handler learns
//! ```

use crate::access_log::{CLIENT_GONE, Entry};
use crate::conduit::{Attend, Conduit, ConnectionKey, Due, Origin};
use crate::connections::Outbox;
use crate::error_page::error_page;
use crate::exchange::Exchange;
use crate::gateway::Desk;
use crate::incoming::Incoming;
use crate::memory::{self, Share};
use crate::outgoing::Broken;
use crate::request_id::RequestId;
use crate::streams::{Stream, Table};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thalweg_net::listen::SocketAddress;
use thalweg_net::worker::Post;
use thalweg_net::{Connection, Ended, Peer, Protocol, Wake};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::fields::Fields;
use thalweg_proto::head::{Request, Response, Version};
use thalweg_proto::session::{Event, Source, StreamId, Streams, Supply};

/// A stream that holds less than this is not given up for others.
const HOLDS_LITTLE: usize = 16 << 10;

/// The gateway's side of a connection.
pub struct Front {
    desk: Rc<Desk>,
    key: ConnectionKey,
    origin: Arc<Origin>,
    outbox: Rc<Outbox>,
    /// As the access log shows it.
    peer: String,
    /// Whether HTTP/2 is spoken, which tells of each refused request by itself.
    is_http2: bool,
    streams: Table,
    held: Share,
    /// The streams to attend to in this turn.
    turn: Vec<StreamId>,
}

impl Front {
    pub(crate) fn new(desk: Rc<Desk>, peer: Arc<Peer>, post: Post<Attend>, wake: Wake) -> Self {
        let outbox = Rc::new(Outbox::new(wake));
        let key = desk.connections.borrow_mut().insert(Rc::clone(&outbox));
        let held = Share::begin(&desk.memory);
        let shown = desk.lines.as_ref().map(|_| host(&peer.address));
        let is_http2 = peer.protocol == Protocol::Http2;
        Self {
            desk,
            key,
            origin: Arc::new(Origin {
                peer,
                connection: key,
                post,
            }),
            outbox,
            peer: shown.unwrap_or_default(),
            is_http2,
            streams: Table::default(),
            held,
            turn: Vec::new(),
        }
    }

    /// A request has come: makes its exchange, and gives it to its handler.
    fn begin(&mut self, session: &mut dyn Streams, id: StreamId, mut head: Request, end: bool) {
        let held = memory::of_head(head.fields.section_size());
        self.held.change(&self.desk.memory, 0, held);
        if self.held.is_too_much(&self.desk.memory) {
            self.held.change(&self.desk.memory, held, 0);
            session.reset(id, Code::Refused);
            self.log_refused(Some(id), Violation::TooManyStreams);
            return;
        }
        let awaits_continue = !end && awaits_continue(&head);
        // A plain connection may have changed since it began (RFC 7540, section 3.2).
        self.is_http2 = head.version > Version::Http11;
        // HTTP/2 has none (RFC 9113, section 8.2.2).
        if !self.is_http2 {
            remove_connection_fields(&mut head.fields, false);
        }
        let conduit = Arc::new(Conduit::new(
            head,
            self.desk.ids.next(),
            id,
            Incoming::new(end, awaits_continue),
            !end,
            Arc::clone(&self.origin),
        ));
        let earlier = self.streams.insert(Stream {
            id,
            conduit: Arc::clone(&conduit),
            status: None,
            sent: 0,
            received: 0,
            held,
            since: self.desk.lines.as_ref().map(|_| Instant::now()),
        });
        if let Some(earlier) = earlier {
            self.close(earlier, CLIENT_GONE);
        }
        let handler = self.desk.router.route(&conduit.head);
        handler.handle(Exchange::new(Arc::clone(&conduit), Rc::clone(&self.outbox)));
    }

    fn receive(&mut self, session: &mut dyn Streams, id: StreamId, octets: &[u8], credit: usize) {
        let kept = match self.streams.find(id) {
            Some(stream) => {
                stream.received += octets.len() as u64;
                stream.conduit.receive(octets)
            }
            None => false,
        };
        // Padding is nobody's to take.
        let free = if kept {
            credit.saturating_sub(octets.len())
        } else {
            credit
        };
        if free > 0 {
            session.taken(id, free);
        }
        if kept && self.hold(id, octets.len()) {
            self.refuse_more(session, id);
        }
    }

    /// A stream holds so much more. Answers whether its connection has too much now.
    fn hold(&mut self, id: StreamId, more: usize) -> bool {
        let Some(stream) = self.streams.find(id) else {
            return false;
        };
        self.held.change(&self.desk.memory, 0, more);
        stream.held += more;
        self.held.is_too_much(&self.desk.memory)
    }

    /// The stream would have to hold more than there is memory for.
    fn refuse_more(&mut self, session: &mut dyn Streams, id: StreamId) {
        let Some(stream) = self.streams.find(id) else {
            return;
        };
        tracing::debug!(request = %stream.conduit.id, "given up: requests hold as much memory as they may");
        if stream.status.is_some() {
            self.give_up(session, id, Code::EnhanceYourCalm);
        } else {
            let sentence = "The server has no memory left for this request.";
            self.answer_for_handler(session, id, 503, sentence);
        }
    }

    /// The session gave a stream up, or the peer did.
    fn reset(&mut self, id: StreamId, why: Option<Violation>) {
        match (self.streams.take(id), why) {
            (Some(stream), why) => self.close(stream, why.map_or(CLIENT_GONE, Violation::status)),
            (None, Some(why)) => self.log_refused(Some(id), why),
            (None, None) => {}
        }
    }

    /// Does what handlers have asked for, until they ask for no more.
    fn attend_all(&mut self, session: &mut dyn Streams) {
        let mut turn = std::mem::take(&mut self.turn);
        loop {
            self.outbox.take(&mut turn);
            if turn.is_empty() {
                break;
            }
            for id in turn.drain(..) {
                self.attend(session, id);
            }
        }
        self.turn = turn;
    }

    fn attend(&mut self, session: &mut dyn Streams, id: StreamId) {
        let Some(stream) = self.streams.find(id) else {
            return;
        };
        let due = due(session, stream);
        let held = memory::of_head(stream.conduit.head.fields.section_size()) + due.held;
        self.held.change(&self.desk.memory, stream.held, held);
        stream.held = held;
        let too_much = due.held > HOLDS_LITTLE && self.held.is_too_much(&self.desk.memory);
        let unstarted = stream.status.is_none() && due.head.is_none();
        match due.broken {
            Some(Broken::Failed) if unstarted => {
                self.answer_failure(session, id, "The application failed before it answered.");
            }
            Some(Broken::Reset(code)) if unstarted => self.give_up(session, id, code),
            _ if too_much => self.refuse_more(session, id),
            _ => {
                if let Err(why) = self.reply(session, id, due) {
                    self.refused_head(session, id, why);
                }
            }
        }
    }

    /// Gives the session the heads that are due on a stream, and tells it of the body.
    fn reply(
        &mut self,
        session: &mut dyn Streams,
        id: StreamId,
        due: Due,
    ) -> Result<(), UsageError> {
        let Some(stream) = self.streams.find(id) else {
            return Ok(());
        };
        let request = &stream.conduit.head;
        if due.send_continue && stream.status.is_none() && due.head.is_none() {
            session.respond(id, Response::new(100), false)?;
        }
        for head in due.informational {
            session.respond(id, head, false)?;
        }
        let mut end = false;
        if let Some(mut head) = due.head {
            end = is_bodiless(request, &head) || due.whole == Some(0);
            if let Some(length) = due.whole
                && may_tell_length(request, &head, length)
            {
                let mut digits = itoa::Buffer::new();
                let length = digits.format(length).as_bytes();
                head.fields.push(b"content-length", length);
            }
            // With these two statuses HTTP/1.1 names protocols (RFC 9110, section 7.8); HTTP/2 never does.
            let upgrade = request.version == Version::Http11 && matches!(head.status, 101 | 426);
            remove_connection_fields(&mut head.fields, upgrade);
            self.desk.sign(&mut head);
            let status = head.status;
            session.respond(id, head, end)?;
            stream.status = Some(status);
        }
        if end {
            stream.conduit.swallow();
        } else if due.output {
            session.resume(id);
        }
        Ok(())
    }

    /// The session did not take a head.
    fn refused_head(&mut self, session: &mut dyn Streams, id: StreamId, why: UsageError) {
        let Some(stream) = self.streams.find(id) else {
            return;
        };
        if why == UsageError::NoSuchStream {
            // It has just ended: its event is under way.
            stream.conduit.set_gone();
            return;
        }
        tracing::error!(request = %stream.conduit.id, "the application's response was not sent: {why}");
        self.answer_failure(
            session,
            id,
            "The application gave an answer that cannot be sent.",
        );
    }

    /// Answers for a handler that has no answer of its own.
    fn answer_failure(&mut self, session: &mut dyn Streams, id: StreamId, sentence: &str) {
        self.answer_for_handler(session, id, 500, sentence);
    }

    fn answer_for_handler(
        &mut self,
        session: &mut dyn Streams,
        id: StreamId,
        status: u16,
        sentence: &str,
    ) {
        let Some(stream) = self.streams.find(id) else {
            return;
        };
        if stream.status.is_some() {
            self.give_up(session, id, Code::Internal);
            return;
        }
        let (head, body) = error_page(status, sentence, stream.conduit.id);
        stream.conduit.replace(head, body);
        let due = due(session, stream);
        if self.reply(session, id, due).is_err() {
            self.give_up(session, id, Code::Internal);
        }
    }

    fn give_up(&mut self, session: &mut dyn Streams, id: StreamId, code: Code) {
        session.reset(id, code);
        if let Some(stream) = self.streams.take(id) {
            self.close(stream, 500);
        }
    }

    /// The exchange is over. `status` is for the log, unless the client was given one.
    fn close(&mut self, stream: Stream, status: u16) {
        stream.conduit.set_gone();
        self.leave(&stream, status);
    }

    fn leave(&mut self, stream: &Stream, status: u16) {
        self.held.change(&self.desk.memory, stream.held, 0);
        let conduit = &stream.conduit;
        self.add_line(
            Some((&conduit.head, conduit.id)),
            Some(stream.id),
            stream.status.unwrap_or(status),
            (stream.sent, stream.received),
            stream.since.map_or(Duration::ZERO, |since| since.elapsed()),
        );
    }

    /// A request that never became an exchange.
    fn log_refused(&self, id: Option<StreamId>, why: Violation) {
        self.add_line(None, id, why.status(), (0, 0), Duration::ZERO);
    }

    fn add_line(
        &self,
        request: Option<(&Request, RequestId)>,
        stream: Option<StreamId>,
        status: u16,
        (sent, received): (u64, u64),
        time: Duration,
    ) {
        let Some(lines) = &self.desk.lines else {
            return;
        };
        lines.borrow_mut().add(&Entry {
            peer: &self.peer,
            date: self.desk.calendar.borrow_mut().log(),
            request,
            stream: stream.map(StreamId::number),
            status,
            sent,
            received,
            time,
        });
    }
}

impl Connection for Front {
    fn event(&mut self, session: &mut dyn Streams, event: Event<'_>) {
        self.outbox.set_at_work(true);
        match event {
            Event::Request { id, head, end } => self.begin(session, id, head, end),
            Event::Data { id, bytes, credit } => self.receive(session, id, bytes, credit),
            Event::End { id, trailers } => {
                if let Some(stream) = self.streams.find(id) {
                    stream.conduit.receive_end(trailers);
                }
            }
            Event::Reset { id, why, .. } => self.reset(id, why),
            Event::Finished { id } => {
                if let Some(stream) = self.streams.take(id) {
                    self.leave(&stream, CLIENT_GONE);
                }
            }
            // A server has no responses; drains and priorities are the session's own affair so far.
            _ => {}
        }
        self.attend_all(session);
        self.outbox.set_at_work(false);
    }

    fn woken(&mut self, session: &mut dyn Streams) {
        self.outbox.set_at_work(true);
        self.attend_all(session);
        self.outbox.set_at_work(false);
    }

    fn ended(&mut self, why: Ended) {
        self.desk.connections.borrow_mut().remove(self.key);
        tracing::debug!(client = %self.origin.peer.address, "the connection is over: {why}");
        let error = match why {
            Ended::Violation(error) => Some(error),
            _ => None,
        };
        let lost = self.streams.take_all();
        if let Some(error) = error
            && lost.is_empty()
            && !self.is_http2
            && error.why != Violation::IdleTimeout
        {
            // Over HTTP/1.x a request that is refused ends the connection, and there is no event.
            self.log_refused(error.at, error.why);
        }
        for stream in lost {
            let at_fault = error.filter(|error| error.at == Some(stream.id));
            self.close(
                stream,
                at_fault.map_or(CLIENT_GONE, |error| error.why.status()),
            );
        }
        self.held.end(&self.desk.memory);
    }
}

impl Source for Front {
    fn read(&mut self, id: StreamId, max: usize) -> Supply {
        let Some(stream) = self.streams.find(id) else {
            return Supply::Fail(Code::Internal);
        };
        let supply = stream.conduit.supply(max);
        match &supply {
            Supply::Chunk(chunk, _) => stream.sent += chunk.len() as u64,
            Supply::Deferred => {}
            Supply::Fail(_) => {
                if let Some(stream) = self.streams.take(id) {
                    self.close(stream, 500);
                }
            }
        }
        supply
    }

    fn refused(&mut self, id: StreamId, why: UsageError) {
        if let Some(stream) = self.streams.take(id) {
            tracing::error!(request = %stream.conduit.id, "the application's response was broken off: {why}");
            self.close(stream, 500);
        }
    }
}

/// What a stream's handler has asked for. What concerns the request's body is done at once: before the head, so
/// that this can say what becomes of the connection.
fn due(session: &mut dyn Streams, stream: &Stream) -> Due {
    let due = stream.conduit.take_due();
    if due.credit > 0 {
        session.taken(stream.id, due.credit);
    }
    if due.discard {
        session.discard(stream.id);
    }
    due
}

/// An address as access logs have it: without the port.
fn host(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Ip(address) => address.ip().to_string(),
        unix => unix.to_string(),
    }
}

/// Whether the client waits for a 100 before it sends the body (RFC 9110, section 10.1.1).
fn awaits_continue(request: &Request) -> bool {
    request.version > Version::Http10
        && request
            .fields
            .first(b"expect")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// Removes the fields that concern one connection only (RFC 9110, section 7.6.1): the session sets its own.
fn remove_connection_fields(fields: &mut Fields, keep_upgrade: bool) {
    fields.retain(|field| match field.name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" => false,
        b"upgrade" => keep_upgrade,
        _ => true,
    });
}

/// Whether the response to this request has no body, whatever its head says (RFC 9110, section 6.4.1).
fn is_bodiless(request: &Request, head: &Response) -> bool {
    request.method() == b"HEAD" || matches!(head.status, 204 | 304)
}

/// Whether a content-length is to be added to a head whose body was given with it (RFC 9110, section 8.6).
fn may_tell_length(request: &Request, head: &Response, length: usize) -> bool {
    let told = head.fields.contains(b"content-length");
    let forbidden = matches!(head.status, 101 | 204 | 304)
        || (request.method() == b"CONNECT" && (200..300).contains(&head.status));
    // An empty body for HEAD need not be what GET would get.
    let unknown = request.method() == b"HEAD" && length == 0;
    !told && !forbidden && !unknown
}
