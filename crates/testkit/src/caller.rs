//! A session with a caller around it that does what a driver does, and remembers all it was told.
//!
//! ```text
//!  feed ─► held ─► Session::recv ─► Told … ─► Session::poll ─► Told …
//!  flush ◄── Session::send ◄── Need: the body queued by `say`, else Deferred
//! ```

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;
use thalweg_proto::error::{Code, ConnectionError, Violation};
use thalweg_proto::fields::Fields;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::{
    End, Eof, Event, Gather, Output, Priority, Session, StreamId, Supply,
};

/// An [`Event`] as an owned value. Data of one stream that came in several pieces is one value, so that what was
/// told does not depend on how the input was cut.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// [`Event::Request`].
    Request(StreamId, Request, bool),
    /// [`Event::Response`].
    Response(StreamId, Response, bool),
    /// [`Event::Data`], joined.
    Data(StreamId, Vec<u8>),
    /// [`Event::End`].
    End(StreamId, Option<Fields>),
    /// [`Event::Reset`].
    Reset(StreamId, Code, Option<Violation>),
    /// [`Event::Finished`].
    Finished(StreamId),
    /// [`Event::GoAway`].
    GoAway(u64, Code),
    /// [`Event::Priority`].
    Priority(StreamId, Priority),
    /// [`Event::Push`].
    Push(StreamId, StreamId, Request),
    /// [`Event::AltSvc`].
    AltSvc(Option<StreamId>, Bytes, Bytes),
    /// [`Event::Origins`].
    Origins(Vec<Bytes>),
    /// [`Event::Frame`]: stream, type, flags and payload.
    Frame(u64, u8, u8, Bytes),
    /// [`Event::Pong`].
    Pong([u8; 8]),
    /// [`Event::Traced`], which is not kept: the trace itself is asked for.
    Traced,
    /// The connection failed.
    Failed(ConnectionError),
}

/// A session, its caller, and what the caller was told.
pub struct Caller<S> {
    /// The session: command it between any two calls.
    pub session: S,
    /// Everything it told, in order.
    pub told: Vec<Told>,
    /// Whether credit is given back as soon as data comes. Default: yes.
    pub takes: bool,
    /// Whether the octets of data are kept, and not only counted. Default: yes.
    pub keeps: bool,
    heard: BTreeMap<u64, u64>,
    bodies: BTreeMap<u64, Saying>,
    held: Vec<u8>,
}

#[derive(Default)]
struct Saying {
    pieces: VecDeque<Bytes>,
    end: Option<Option<Fields>>,
}

impl<S: Session> Caller<S> {
    /// A caller that has been told nothing yet.
    pub fn new(session: S) -> Self {
        Self {
            session,
            told: Vec::new(),
            takes: true,
            keeps: true,
            heard: BTreeMap::new(),
            bodies: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    /// Gives the session octets, and keeps what it does not want yet.
    pub fn feed(&mut self, now: Instant, octets: &[u8]) {
        self.held.extend_from_slice(octets);
        self.step(now);
    }

    /// Gives the session the octets that it left, as a driver does whenever something has changed.
    pub fn step(&mut self, now: Instant) {
        let held = std::mem::take(&mut self.held);
        let mut rest = &held[..];
        loop {
            let (consumed, event) = match self.session.recv(now, rest) {
                Ok(received) => (
                    received.consumed,
                    received.event.map(|event| own(event, self.keeps)),
                ),
                Err(error) => {
                    self.told.push(Told::Failed(error));
                    (rest.len(), None)
                }
            };
            rest = &rest[consumed..];
            let Some((told, credit)) = event else { break };
            self.hear(told, credit);
        }
        self.held = rest.to_vec();
        self.poll();
    }

    /// The peer's octets have ended.
    pub fn eof(&mut self, now: Instant, how: Eof) {
        if let Err(error) = self.session.eof(now, how) {
            self.told.push(Told::Failed(error));
        }
        self.poll();
    }

    /// Lets the session's time-outs run.
    pub fn expire(&mut self, now: Instant) {
        if self.session.deadline().is_some_and(|at| at <= now) {
            if let Err(error) = self.session.expire(now) {
                self.told.push(Told::Failed(error));
            }
            self.poll();
        }
    }

    /// Queues a piece of our body of this stream; with `last` the body ends with it.
    pub fn say(&mut self, id: StreamId, piece: impl Into<Bytes>, last: bool) {
        let saying = self.bodies.entry(id.number()).or_default();
        saying.pieces.push_back(piece.into());
        if last {
            saying.end = Some(None);
        }
        self.session.resume(id);
    }

    /// Ends our body of this stream with trailers.
    pub fn say_trailers(&mut self, id: StreamId, trailers: Fields) {
        self.bodies.entry(id.number()).or_default().end = Some(Some(trailers));
        self.session.resume(id);
    }

    /// Everything that the session sends now.
    pub fn flush(&mut self, now: Instant) -> Vec<u8> {
        let mut octets = Vec::new();
        loop {
            let some = self.write(now, 64 << 10);
            if some.is_empty() {
                return octets;
            }
            octets.extend(some);
        }
    }

    /// What one write of about so many octets takes of all that the session sends now.
    pub fn write(&mut self, now: Instant, limit: usize) -> Vec<u8> {
        let mut out = Gather::new(limit);
        loop {
            match self.session.send(now, &mut out) {
                Output::Idle | Output::Full => break,
                Output::Frame => {}
                Output::Need { id, max } => {
                    let supply = self.supply(id, max);
                    if self.session.supply(id, supply).is_err() {
                        self.session.reset(id, Code::Internal);
                    }
                }
            }
            self.poll();
        }
        self.poll();
        out.to_vec()
    }

    /// How many octets of data came on this stream.
    pub fn heard_of(&self, id: StreamId) -> u64 {
        self.heard.get(&id.number()).copied().unwrap_or(0)
    }

    /// The octets of all data that came on this stream.
    pub fn data_of(&self, id: StreamId) -> Vec<u8> {
        let of_stream = |told: &Told| match told {
            Told::Data(of, octets) if *of == id => Some(octets.clone()),
            _ => None,
        };
        self.told.iter().filter_map(of_stream).flatten().collect()
    }

    /// The connection error that it was told, if there was one.
    pub fn failure(&self) -> Option<ConnectionError> {
        self.told.iter().find_map(|told| match told {
            Told::Failed(error) => Some(*error),
            _ => None,
        })
    }

    fn supply(&mut self, id: StreamId, max: usize) -> Supply {
        let Some(saying) = self.bodies.get_mut(&id.number()) else {
            return Supply::Deferred;
        };
        let piece = saying.pieces.pop_front().map(|mut piece| {
            if piece.len() > max {
                saying.pieces.push_front(piece.split_off(max));
            }
            piece
        });
        let over = saying.pieces.is_empty() && saying.end.is_some();
        match (piece, over) {
            (Some(piece), false) => Supply::Chunk(piece, End::More),
            (None, false) => Supply::Deferred,
            (piece, true) => {
                let end = self.bodies.remove(&id.number()).and_then(|said| said.end);
                let end = match end.flatten() {
                    Some(trailers) => End::Trailers(trailers),
                    None => End::Last,
                };
                Supply::Chunk(piece.unwrap_or_default(), end)
            }
        }
    }

    fn poll(&mut self) {
        while let Some(event) = self.session.poll() {
            let (told, credit) = own(event, self.keeps);
            self.hear(told, credit);
        }
    }

    fn hear(&mut self, told: Told, credit: usize) {
        if told == Told::Traced {
            return;
        }
        if let Told::Data(id, _) = &told {
            *self.heard.entry(id.number()).or_default() += credit as u64;
            if self.takes {
                self.session.taken(*id, credit);
            }
        }
        if let (Told::Data(id, more), Some(Told::Data(last, octets))) =
            (&told, self.told.last_mut())
            && last == id
        {
            octets.extend_from_slice(more);
        } else {
            self.told.push(told);
        }
    }
}

fn own(event: Event<'_>, keeps: bool) -> (Told, usize) {
    let told = match event {
        Event::Request { id, head, end } => Told::Request(id, head, end),
        Event::Response { id, head, end } => Told::Response(id, head, end),
        Event::Data { id, bytes, credit } => {
            let kept = if keeps { bytes } else { &[] };
            return (Told::Data(id, kept.to_vec()), credit);
        }
        Event::End { id, trailers } => Told::End(id, trailers),
        Event::Reset { id, code, why } => Told::Reset(id, code, why),
        Event::Finished { id } => Told::Finished(id),
        Event::GoAway { last, code, .. } => Told::GoAway(last, code),
        Event::Priority { id, priority } => Told::Priority(id, priority),
        Event::Push { id, on, head } => Told::Push(id, on, head),
        Event::AltSvc { on, origin, value } => Told::AltSvc(on, origin, value),
        Event::Origins { origins } => Told::Origins(origins),
        Event::Frame {
            stream,
            kind,
            flags,
            payload,
        } => Told::Frame(stream, kind, flags, payload),
        Event::Pong { octets, .. } => Told::Pong(octets),
        Event::Traced => Told::Traced,
        other => unreachable!("the test kit does not know {other:?} yet"),
    };
    (told, 0)
}
