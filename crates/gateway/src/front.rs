//! One connection of a client: its session's events become exchanges, and what handlers reply becomes commands.
//!
//! ```text
//!  Event::Request ─► Conduit ─► Router ─► Handler
//!        ▲              │
//!        └── push ◄─────┤
//!                       │
//!  Ledger (local, or by message) ─► attend: credit, discard; 100, 1xx, head, resume ─► Streams
//!                       │
//!  Output::Need ─► read: supply from the answer that was given whole, or from the conduit
//!                       │
//!  Finished, Reset, ended, broken off ─► close: a line in the access log, the handler learns
//! ```

use crate::access_log::{CLIENT_GONE, Entry};
use crate::conduit::{Attend, Conduit, ConnectionKey, Due, Origin};
use crate::error_page::error_page;
use crate::exchange::Exchange;
use crate::fair::Place;
use crate::gateway::Desk;
use crate::head::{awaits_continue, complete, is_bodiless, remove_connection_fields};
use crate::incoming::Incoming;
use crate::ledger::Ledger;
use crate::memory::{self, Share};
use crate::outgoing::Broken;
use crate::request_id::RequestId;
use crate::streams::{Answer, Stream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thalweg_net::listen::SocketAddress;
use thalweg_net::worker::Post;
use thalweg_net::{Connection, Ended, Peer, Protocol, Wake};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::head::{Request, Response, Version};
use thalweg_proto::session::{Event, Source, StreamId, Streams, Supply};

/// A stream that holds less than this is not given up for others.
const HOLDS_LITTLE: usize = 16 << 10;

/// The gateway's side of a connection.
pub struct Front {
    desk: Rc<Desk>,
    key: ConnectionKey,
    origin: Arc<Origin>,
    ledger: Rc<Ledger>,
    /// As the access log shows it.
    peer: String,
    /// Whether HTTP/2 is spoken, which tells of each refused request by itself.
    is_http2: bool,
    held: Share,
}

impl Front {
    pub(crate) fn new(desk: Rc<Desk>, peer: Arc<Peer>, post: Post<Attend>, wake: Wake) -> Self {
        let ledger = Rc::new(Ledger::new(wake));
        let key = desk.connections.borrow_mut().insert(Rc::clone(&ledger));
        let held = Share::begin(&desk.memory);
        let shown = desk.lines.as_ref().map(|_| host(&peer.address));
        let is_http2 = peer.protocol == Protocol::Http2;
        Self {
            desk,
            key,
            origin: Arc::new(Origin {
                place: Place::default(),
                peer,
                connection: key,
                post,
            }),
            ledger,
            peer: shown.unwrap_or_default(),
            is_http2,
            held,
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
        let body = (!end).then(|| Incoming::new(false, awaits_continue(&head)));
        // A plain connection may have changed since it began (RFC 7540, section 3.2).
        self.is_http2 = head.version > Version::Http11;
        // HTTP/2 has none (RFC 9113, section 8.2.2).
        if !self.is_http2 {
            remove_connection_fields(&mut head.fields, false);
        }
        let request = self.desk.ids.next();
        let origin = Arc::clone(&self.origin);
        let conduit = Arc::new(Conduit::new(head, request, id, body, origin));
        self.ledger.open(&self.desk.pages);
        let earlier = self.ledger.streams().insert(Stream {
            id,
            conduit: Arc::clone(&conduit),
            answer: None,
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
        handler.handle(Exchange::new(Arc::clone(&conduit), Rc::clone(&self.ledger)));
    }

    /// Promises what a handler wants to push, and begins each as if the client had asked for it.
    fn promise(&mut self, session: &mut dyn Streams, asked: &Conduit, promised: Vec<Request>) {
        for head in promised {
            let head = of_the_same_origin(head, &asked.head);
            match session.push(asked.stream, head.clone()) {
                Ok(id) => self.begin(session, id, head, true),
                Err(why) => tracing::debug!(request = %asked.id, "nothing is pushed: {why}"),
            }
        }
    }

    fn receive(&mut self, session: &mut dyn Streams, id: StreamId, octets: &[u8], credit: usize) {
        let kept = match self.ledger.streams().find(id) {
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
        let mut streams = self.ledger.streams();
        let Some(stream) = streams.find(id) else {
            return false;
        };
        self.held.change(&self.desk.memory, 0, more);
        stream.held += more;
        self.held.is_too_much(&self.desk.memory)
    }

    /// The stream would have to hold more than there is memory for.
    fn refuse_more(&mut self, session: &mut dyn Streams, id: StreamId) {
        let mut streams = self.ledger.streams();
        let Some(stream) = streams.find(id) else {
            return;
        };
        tracing::debug!(request = %stream.conduit.id, "given up: requests hold as much memory as they may");
        let started = stream.status.is_some();
        drop(streams);
        if started {
            self.give_up(session, id, Code::EnhanceYourCalm);
        } else {
            let sentence = "The server has no memory left for this request.";
            self.answer_for_handler(session, id, 503, sentence);
        }
    }

    /// The session gave a stream up, or the peer did.
    fn reset(&mut self, id: StreamId, why: Option<Violation>) {
        let stream = self.ledger.streams().take(id);
        match (stream, why) {
            (Some(stream), why) => self.close(stream, why.map_or(CLIENT_GONE, Violation::status)),
            (None, Some(why)) => self.log_refused(Some(id), why),
            (None, None) => {}
        }
    }

    /// Does what handlers have asked for, until they ask for no more.
    fn attend_all(&mut self, session: &mut dyn Streams) {
        let mut turn = self.desk.turn.take();
        loop {
            self.ledger.take(&mut turn);
            if turn.is_empty() {
                break;
            }
            for id in turn.drain(..) {
                self.attend(session, id);
            }
        }
        self.desk.turn.replace(turn);
    }

    fn attend(&mut self, session: &mut dyn Streams, id: StreamId) {
        if let Err(why) = self.try_attend(session, id) {
            self.refused_head(session, id, why);
        }
    }

    fn try_attend(&mut self, session: &mut dyn Streams, id: StreamId) -> Result<(), UsageError> {
        let mut streams = self.ledger.streams();
        let Some(stream) = streams.find(id) else {
            return Ok(());
        };
        let mut due = match stream.answer {
            Some(_) => None,
            None => Some(due(session, stream)),
        };
        let promised = match &mut due {
            Some(due) => std::mem::take(&mut due.promised),
            None => stream.conduit.take_promised(),
        };
        if !promised.is_empty() {
            let asked = Arc::clone(&stream.conduit);
            drop(streams);
            self.promise(session, &asked, promised);
            streams = self.ledger.streams();
        }
        let Some(stream) = streams.find(id) else {
            return Ok(());
        };
        let Some(due) = due else {
            return self.give_answer(session, stream);
        };
        let held = stream.held_with(due.held);
        self.held.resize(&self.desk.memory, &mut stream.held, held);
        let too_much = due.held > HOLDS_LITTLE && self.held.is_too_much(&self.desk.memory);
        let unstarted = stream.status.is_none() && due.head.is_none();
        match due.broken {
            Some(Broken::Failed) if unstarted => {
                drop(streams);
                self.answer_failure(session, id, "The application failed before it answered.");
                Ok(())
            }
            Some(Broken::Reset(code)) if unstarted => {
                drop(streams);
                self.give_up(session, id, code);
                Ok(())
            }
            _ if too_much => {
                drop(streams);
                self.refuse_more(session, id);
                Ok(())
            }
            _ => self.reply(session, stream, due),
        }
    }

    /// Gives the session the head of an answer that was given whole. Nobody reads the request's body any more:
    /// that is said before the head, which can then say what becomes of the connection.
    fn give_answer(
        &self,
        session: &mut dyn Streams,
        stream: &mut Stream,
    ) -> Result<(), UsageError> {
        let Some(answer) = &mut stream.answer else {
            return Ok(());
        };
        let length = answer.body.len();
        let Some(head) = answer.head.take() else {
            return Ok(());
        };
        if stream.conduit.has_body {
            let (credit, more) = stream.conduit.discard();
            session.taken(stream.id, credit);
            if more {
                session.discard(stream.id);
            }
        }
        self.start(session, stream, head, Some(length))?;
        Ok(())
    }

    /// Gives the session the heads that are due on a stream, and tells it of the body.
    fn reply(
        &self,
        session: &mut dyn Streams,
        stream: &mut Stream,
        due: Due,
    ) -> Result<(), UsageError> {
        let id = stream.id;
        if due.send_continue && stream.status.is_none() && due.head.is_none() {
            session.respond(id, Response::new(100), false)?;
        }
        for head in due.informational {
            session.respond(id, head, false)?;
        }
        let end = match due.head {
            Some(head) => self.start(session, stream, head, due.whole)?,
            None => false,
        };
        if end {
            stream.conduit.swallow();
        } else if due.output {
            session.resume(id);
        }
        Ok(())
    }

    /// Gives the session the final head, of a body of this length where that is known. True: the response ends
    /// with it.
    fn start(
        &self,
        session: &mut dyn Streams,
        stream: &mut Stream,
        mut head: Response,
        length: Option<usize>,
    ) -> Result<bool, UsageError> {
        let request = &stream.conduit.head;
        let end = length == Some(0) || is_bodiless(request, &head);
        complete(request, &mut head, length, |fields| {
            fields.push(b"date", self.desk.calendar.borrow_mut().field());
        });
        let status = head.status;
        session.respond(stream.id, head, end)?;
        stream.status = Some(status);
        Ok(end)
    }

    /// The session did not take a head.
    fn refused_head(&mut self, session: &mut dyn Streams, id: StreamId, why: UsageError) {
        let mut streams = self.ledger.streams();
        let Some(stream) = streams.find(id) else {
            return;
        };
        if why == UsageError::NoSuchStream {
            // It has just ended: its event is under way.
            stream.forsake();
            return;
        }
        tracing::error!(request = %stream.conduit.id, "the application's response was not sent: {why}");
        drop(streams);
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

    /// Answers instead of the handler. For that the client has gone.
    fn answer_for_handler(
        &mut self,
        session: &mut dyn Streams,
        id: StreamId,
        status: u16,
        sentence: &str,
    ) {
        let mut streams = self.ledger.streams();
        let Some(stream) = streams.find(id) else {
            return;
        };
        if stream.status.is_none() {
            let (head, body) = error_page(status, sentence, stream.conduit.id);
            let handler = stream.answer.replace(Answer::new(head, body));
            let given = self.give_answer(session, stream);
            if handler.is_none() {
                stream.conduit.set_gone();
                let held = stream.held_with(0);
                self.held.resize(&self.desk.memory, &mut stream.held, held);
            }
            if given.is_ok() {
                return;
            }
        }
        drop(streams);
        self.give_up(session, id, Code::Internal);
    }

    fn give_up(&mut self, session: &mut dyn Streams, id: StreamId, code: Code) {
        session.reset(id, code);
        let given_up = self.ledger.streams().take(id);
        if let Some(stream) = given_up {
            self.close(stream, 500);
        }
    }

    /// The exchange is over. `status` is for the log, unless the client was given one.
    fn close(&mut self, stream: Stream, status: u16) {
        stream.forsake();
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
        self.ledger.set_at_work(true);
        match event {
            Event::Request { id, head, end } => self.begin(session, id, head, end),
            Event::Data { id, bytes, credit } => self.receive(session, id, bytes, credit),
            Event::End { id, trailers } => {
                if let Some(stream) = self.ledger.streams().find(id) {
                    stream.conduit.receive_end(trailers);
                }
            }
            Event::Reset { id, why, .. } => self.reset(id, why),
            Event::Finished { id } => {
                let finished = self.ledger.streams().take(id);
                if let Some(stream) = finished {
                    self.leave(&stream, CLIENT_GONE);
                }
            }
            Event::Priority { id, priority } => {
                if let Some(stream) = self.ledger.streams().find(id) {
                    stream.conduit.receive_priority(priority);
                }
            }
            // A server has no responses; drains are the session's own affair so far.
            _ => {}
        }
        self.attend_all(session);
        self.ledger.set_at_work(false);
        self.ledger.rest(&self.desk.pages);
    }

    fn woken(&mut self, session: &mut dyn Streams) {
        self.ledger.set_at_work(true);
        self.attend_all(session);
        self.ledger.set_at_work(false);
        self.ledger.rest(&self.desk.pages);
    }

    fn ended(&mut self, why: Ended) {
        self.desk.connections.borrow_mut().remove(self.key);
        tracing::debug!(client = %self.origin.peer.address, "the connection is over: {why}");
        let error = match why {
            Ended::Violation(error) => Some(error),
            _ => None,
        };
        let lost = self.ledger.streams().take_all();
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
        let mut streams = self.ledger.streams();
        let Some(stream) = streams.find(id) else {
            return Supply::Fail(Code::Internal);
        };
        let supply = match &mut stream.answer {
            Some(answer) => answer.read(max),
            None => {
                let (supply, waiting) = stream.conduit.supply(max);
                let held = stream.held_with(waiting);
                self.held.resize(&self.desk.memory, &mut stream.held, held);
                supply
            }
        };
        match &supply {
            Supply::Chunk(chunk, _) => stream.sent += chunk.len() as u64,
            Supply::Deferred => {}
            Supply::Fail(_) => {
                let failed = streams.take(id);
                drop(streams);
                if let Some(stream) = failed {
                    self.close(stream, 500);
                }
            }
        }
        supply
    }

    fn refused(&mut self, id: StreamId, why: UsageError) {
        let refused = self.ledger.streams().take(id);
        if let Some(stream) = refused {
            tracing::error!(request = %stream.conduit.id, "the application's response was broken off: {why}");
            self.close(stream, 500);
        }
    }
}

/// A promised request with the scheme and authority of the one it was promised on, where it has none of its own.
fn of_the_same_origin(mut head: Request, asked: &Request) -> Request {
    head.version = asked.version;
    if let (None, Some(scheme)) = (head.scheme(), asked.scheme()) {
        head = head.with_scheme(scheme);
    }
    if let (None, Some(authority)) = (head.authority(), asked.authority()) {
        head = head.with_authority(authority);
    }
    head
}

/// What a stream's handler has asked for. What concerns the request's body is done at once: before the head, so
/// that this can say what becomes of the connection.
fn due(session: &mut dyn Streams, stream: &Stream) -> Due {
    let due = stream.conduit.take_due();
    if let Some(priority) = due.priority {
        session.set_priority(stream.id, priority);
    }
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
