//! A proxy without its sockets: HTTP/2 in front, HTTP/2 or HTTP/1.1 behind.
//!
//! ```text
//!  client ⇄ front (a server's session) ⇄ Proxy::step ⇄ back (a client's session) ⇄ origin
//! ```
//!
//! One step takes what one side has told and makes commands for the other of it. Bodies are passed on as they are asked
//! for, and a side's credit is given back only for what has left by the other: so the slower of the two ends sets the
//! pace, and what the proxy holds is bounded by the windows that it gives.
//!
//! ```sh
//! cargo run --example h2_proxy
//! ```

use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::error::{Code, ConnectionError, UsageError};
use thalweg_proto::fields::Fields;
use thalweg_proto::h1::{self, Scheme};
use thalweg_proto::h2;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{
    End, Event, Gather, Session, Source, StreamId, Streams as _, Supply, fill,
};
use thalweg_testkit::caller::{Caller, Told};

fn main() -> Result<(), Box<dyn Error>> {
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    let mut out = io::stdout();
    writeln!(
        out,
        "HTTP/2 behind: {} octets came back",
        over_http_2(&body)?.len()
    )?;
    writeln!(
        out,
        "HTTP/1.1 behind: {} octets came back",
        over_http_1(&body)?.len()
    )?;
    Ok(())
}

/// A proxy between two connections.
pub struct Proxy {
    front: Side,
    back: Side,
}

/// A session, and what is to leave by it.
struct Side {
    session: Box<dyn Session>,
    lanes: Lanes,
}

/// The messages that leave by a side.
#[derive(Default)]
struct Lanes {
    lanes: HashMap<StreamId, Lane>,
    /// How much has left, by the streams of the other side that it came from.
    passed: Vec<(StreamId, usize)>,
}

/// One message on its way.
struct Lane {
    /// The stream of the other side that it comes from.
    from: StreamId,
    pieces: VecDeque<Bytes>,
    end: Option<End>,
}

impl Proxy {
    /// A proxy between a server's session and a client's.
    pub fn new(front: Box<dyn Session>, back: Box<dyn Session>) -> Self {
        let side = |session| Side {
            session,
            lanes: Lanes::default(),
        };
        Self {
            front: side(front),
            back: side(back),
        }
    }

    /// Octets have come from the client: what follows from them is commanded behind. Answers how many were taken; a
    /// driver keeps the rest, where a session wants none for now.
    pub fn step_front(&mut self, now: Instant, input: &[u8]) -> Result<usize, ConnectionError> {
        step(&mut self.front, &mut self.back, now, input)
    }

    /// Octets have come from the origin.
    pub fn step_back(&mut self, now: Instant, input: &[u8]) -> Result<usize, ConnectionError> {
        step(&mut self.back, &mut self.front, now, input)
    }

    /// Octets for the client.
    pub fn write_front(&mut self, now: Instant) -> Vec<u8> {
        write(&mut self.front, &mut self.back, now)
    }

    /// Octets for the origin.
    pub fn write_back(&mut self, now: Instant) -> Vec<u8> {
        write(&mut self.back, &mut self.front, now)
    }
}

fn step(
    from: &mut Side,
    to: &mut Side,
    now: Instant,
    input: &[u8],
) -> Result<usize, ConnectionError> {
    let mut taken = 0;
    while taken < input.len() && from.session.wants().read {
        let received = from.session.recv(now, &input[taken..])?;
        taken += received.consumed;
        if let Some(event) = received.event {
            pass(from, to, event);
        }
    }
    while let Some(event) = from.session.poll() {
        pass(from, to, event);
    }
    Ok(taken)
}

fn write(by: &mut Side, other: &mut Side, now: Instant) -> Vec<u8> {
    let mut out = Gather::new(64 << 10);
    fill(&mut *by.session, now, &mut by.lanes, &mut out);
    for (id, octets) in by.lanes.passed.drain(..) {
        other.session.taken(id, octets);
    }
    while let Some(event) = by.session.poll() {
        pass(by, other, event);
    }
    out.to_vec()
}

/// What one side has told, as commands for the other.
fn pass(from: &mut Side, to: &mut Side, event: Event<'_>) {
    match event {
        Event::Request { id, mut head, end } => {
            remove_connection_fields(&mut head.fields);
            let head = head.with_field(b"via", b"2 example");
            match to.session.open(head, end) {
                Ok(other) => {
                    from.lanes.add(id, other);
                    to.lanes.add(other, id);
                }
                Err(why) => refuse(from, id, why),
            }
        }
        Event::Response { id, mut head, end } => {
            remove_connection_fields(&mut head.fields);
            if let Some(other) = from.lanes.other(id)
                && to.session.respond(other, head, end).is_err()
            {
                // It cannot be sent there, or the client has given its stream up just now.
                to.session.reset(other, Code::Internal);
            }
        }
        Event::Data { id, bytes, credit } => {
            // Padding goes nowhere.
            from.session.taken(id, credit - bytes.len());
            match from.lanes.other(id) {
                Some(other) => {
                    to.lanes.push(other, Bytes::copy_from_slice(bytes));
                    to.session.resume(other);
                }
                None => from.session.taken(id, bytes.len()),
            }
        }
        Event::End { id, trailers } => {
            if let Some(other) = from.lanes.other(id) {
                to.lanes
                    .end(other, trailers.map_or(End::Last, End::Trailers));
                to.session.resume(other);
            }
        }
        Event::Reset { id, code, .. } => {
            if let Some(lane) = from.lanes.lanes.remove(&id) {
                to.lanes.lanes.remove(&lane.from);
                to.session.reset(lane.from, code);
            }
        }
        Event::Finished { id } => {
            from.lanes.lanes.remove(&id);
        }
        _ => {}
    }
}

/// What is about one connection goes no further (RFC 9110, section 7.6.1). HTTP/2 has no such fields.
fn remove_connection_fields(fields: &mut Fields) {
    fields.retain(|field| {
        !matches!(
            field.name,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade"
        )
    });
}

/// There is no stream behind for this request.
fn refuse(front: &mut Side, id: StreamId, why: UsageError) {
    let status = match why {
        UsageError::NoCapacity | UsageError::ShuttingDown => 503,
        _ => 502,
    };
    front.session.discard(id);
    let _ = front.session.respond(id, Response::new(status), true);
}

impl Lanes {
    fn add(&mut self, id: StreamId, from: StreamId) {
        let lane = Lane {
            from,
            pieces: VecDeque::new(),
            end: None,
        };
        self.lanes.insert(id, lane);
    }

    fn other(&self, id: StreamId) -> Option<StreamId> {
        self.lanes.get(&id).map(|lane| lane.from)
    }

    fn push(&mut self, id: StreamId, piece: Bytes) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.pieces.push_back(piece);
        }
    }

    fn end(&mut self, id: StreamId, end: End) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.end = Some(end);
        }
    }
}

impl Source for Lanes {
    fn read(&mut self, id: StreamId, max: usize) -> Supply {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return Supply::Fail(Code::Cancel);
        };
        let mut piece = match lane.pieces.pop_front() {
            Some(piece) => piece,
            None if lane.end.is_none() => return Supply::Deferred,
            None => Bytes::new(),
        };
        let rest = piece.split_off(max.min(piece.len()));
        if !rest.is_empty() {
            lane.pieces.push_front(rest);
        }
        self.passed.push((lane.from, piece.len()));
        let end = match lane.end.take_if(|_| lane.pieces.is_empty()) {
            Some(end) => end,
            None => End::More,
        };
        Supply::Chunk(piece, end)
    }
}

// ---- a client before it, an origin behind it ---------------------------------------------------------------------

/// A body that is sent through a proxy to an origin that sends it back, over HTTP/2 behind.
pub fn over_http_2(body: &Bytes) -> Result<Vec<u8>, Box<dyn Error>> {
    let (now, limits) = (Instant::now(), Arc::new(Limits::default()));
    let back = h2::Session::client(Arc::clone(&limits), now);
    ask(body, now, Box::new(back), h2::Session::server(limits, now))
}

/// The same over HTTP/1.1 behind.
pub fn over_http_1(body: &Bytes) -> Result<Vec<u8>, Box<dyn Error>> {
    let (now, limits) = (Instant::now(), Arc::new(Limits::default()));
    let back = h1::Session::client(Arc::clone(&limits), now);
    let origin = h1::Session::server(limits, Scheme::Http, now);
    ask(body, now, Box::new(back), origin)
}

/// The test kit plays client and origin; what one end writes is what the next one reads.
fn ask(
    body: &Bytes,
    now: Instant,
    back: Box<dyn Session>,
    origin: impl Session,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let front = h2::Session::server(Limits::default(), now);
    let mut proxy = Proxy::new(Box::new(front), back);
    let mut client = Caller::new(h2::Session::client(Limits::default(), now));
    let mut origin = Caller::new(origin);
    let head = Request::new(b"POST")
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/");
    let asked = client.session.open(head, false)?;
    client.say(asked, body.clone(), true);
    // HTTP/1.1 has no windows: a session that may not take more leaves it, and so the origin has to wait.
    let mut held = Vec::new();
    loop {
        let up = client.flush(now);
        proxy.step_front(now, &up)?;
        let further = proxy.write_back(now);
        origin.feed(now, &further);
        if let Some(Told::End(id, _)) = origin.told.last() {
            let id = *id;
            let echo = origin.data_of(id);
            origin.session.respond(id, Response::new(200), false)?;
            origin.say(id, echo, true);
            origin.told.clear();
        }
        let down = origin.flush(now);
        held.extend_from_slice(&down);
        let taken = proxy.step_back(now, &held)?;
        held.drain(..taken);
        let back = proxy.write_front(now);
        client.feed(now, &back);
        let quiet = [&up, &further, &down, &back, &held]
            .iter()
            .all(|octets| octets.is_empty());
        if quiet {
            return Ok(client.data_of(asked));
        }
    }
}
