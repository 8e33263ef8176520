//! HTTP/2 (RFC 9113): a server or client session over one connection.
#![doc = include_str!("guide.md")]
//! # Inside
//!
//! ```text
//!             recv                              send
//!  octets ─► Reading ─► frames ─┬─► message    control ─► SETTINGS, heads, resets …  ─► Gather
//!           (recv)     (frame)  │  (section 8)    │  first, then round robin
//!                               ├─► stream ◄──────┴───── schedule ─► Need ─► supply ─► DATA
//!                               │  (states)
//!                               └─► flow, settings, drain
//! ```
//!
//! | module | the question it answers |
//! |---|---|
//! | [`frame`] | what do these octets say? |
//! | `recv` | which octets belong together, and what does a frame mean here? |
//! | `block`, `data` | what becomes of a field block, of a piece of a body? |
//! | `message`, `again` | is this a request, a response, trailers; is it the same as the last one? |
//! | `stream`, `store`, `resets`, `numbers` | in which state is a stream, where is it kept, which ended before their time, and which is next? |
//! | `flow`, `window` | how much may be sent, either way, and who decides? |
//! | `schedule`, `tree` | whose body leaves next? |
//! | `priority`, `dependencies` | who has a say in that? |
//! | `push` | what does the server promise? |
//! | `control`, `queue`, `send`, `ends` | what leaves, and in which order? |
//! | `padding` | how much of nothing is added? |
//! | `config` | what was chosen? |
//! | `settings`, `agreement` | what was announced, and does it hold? |
//! | `extension`, `probe` | what do extensions say, and what the caller beside its streams? |
//! | `tunnel` | what becomes of CONNECT? |
//! | `upgrade` | how did it begin, if not by its preface? |
//! | `drain`, `timers`, `rate`, `patience` | when does it end, by agreement, by time, or by patience? |
//! | [`trace`] | what crossed the wire? |
//!
//! A connection error leaves a GOAWAY to be sent, and everything that comes after it is ignored. A stream error
//! leaves RST_STREAM, and an [`Event::Reset`] that names the violation.

mod again;
mod agreement;
mod block;
mod config;
mod control;
mod data;
mod dependencies;
mod drain;
mod ends;
mod extension;
mod flow;
pub mod frame;
mod message;
mod numbers;
mod padding;
mod patience;
mod priority;
mod probe;
mod push;
mod queue;
mod rate;
mod recv;
mod resets;
mod schedule;
mod seldom;
mod send;
mod settings;
mod store;
mod stream;
mod timers;
pub mod trace;
mod tree;
mod tunnel;
mod upgrade;
mod window;

use crate::error::{Code, ConnectionError, UsageError, Violation};
use crate::head::{Request, Response};
use crate::hpack;
use crate::limits::Limits;
use crate::session::{
    Eof, Epoch, Event, Gather, Output, Priority, Received, Role, Shutdown, StreamId, Streams,
    Supply, Wants,
};
use again::{Again, Checked};
pub use config::{Config, Rfc7540Priorities};
use control::{Control, Head, Waiting};
pub use dependencies::Place;
use drain::Drain;
use ends::Ends;
use flow::{RecvWindow, SendWindow};
use frame::MAX_STREAM;
pub use padding::Padding;
use queue::Queue;
use rate::{Bucket, Late, Reasons};
use resets::By;
use schedule::Schedule;
use seldom::Seldom;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;
pub use stream::State;
use stream::{Asked, Piece, Saying, Step, Stream};
use timers::Timers;
use trace::Trace;
pub use upgrade::Offer;
pub(crate) use upgrade::settings_field;
use window::Growth;
pub use window::{Window, Windows};

/// What a client says first (RFC 9113, section 3.4). A server on a plain port knows HTTP/2 by it.
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One end of an HTTP/2 connection.
///
/// ```
/// use std::time::{Duration, Instant};
/// use thalweg_proto::h2;
/// use thalweg_proto::head::{Request, Response};
/// use thalweg_proto::limits::Limits;
/// use thalweg_proto::session::{Event, Gather, Output, Session, Streams};
///
/// let now = Instant::now();
/// let mut client = h2::Session::client(Limits::default(), now);
/// let mut server = h2::Session::server(Limits::default(), now);
///
/// let get = Request::new(b"GET")
///     .with_scheme(b"https")
///     .with_authority(b"example.org")
///     .with_path(b"/");
/// client.open(get, true)?;
///
/// let mut wire = Gather::new(1 << 16);
/// while client.send(now, &mut wire) == Output::Frame {}
/// let octets = wire.to_vec();
/// let received = server.recv(now, &octets)?;
/// let Some(Event::Request { id, head, end: true }) = received.event else {
///     panic!("a request is what was sent");
/// };
/// assert_eq!(head.path(), Some(&b"/"[..]));
/// server.respond(id, Response::new(204), true)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session {
    role: Role,
    config: Arc<Config>,
    limits: Arc<Limits>,
    reading: recv::Reading,
    /// What has come of a control frame's payload, while it is incomplete.
    partial: Vec<u8>,
    /// A field block that goes on in CONTINUATION.
    block: Option<Box<block::Unfinished>>,
    decoder: hpack::Decoder<message::Class>,
    encoder: hpack::Encoder,
    again: Again,
    streams: Store,
    /// The highest stream that the peer has opened.
    last_peer: u32,
    /// Numbers below it that the peer has left out last: from, and up to.
    skipped: (u32, u32),
    /// The number of the next stream that this side opens.
    next: u32,
    peer: settings::Peer,
    /// SETTINGS of ours that are not acknowledged: their values do not hold yet.
    unacknowledged: bool,
    send_window: SendWindow,
    recv_window: RecvWindow,
    growth: Option<Box<Growth>>,
    /// The least time in which an answer to one of our frames came.
    round_trip: Duration,
    /// Whether a WINDOW_UPDATE for the connection is queued.
    crediting: bool,
    control: Waiting,
    /// The rest of a field block that is longer than a frame, and its stream: nothing may come between.
    continuation: Option<(u32, Vec<u8>)>,
    /// Streams that may send DATA.
    schedule: Schedule,
    ends: Ends,
    /// The question that was asked last.
    question: Option<(StreamId, usize)>,
    /// Its answer, until it leaves.
    piece: Option<(StreamId, Piece)>,
    events: Queue<Event<'static>>,
    resets: Bucket,
    /// What may still come for streams that this side has reset, in good faith.
    late: Late,
    glitches: Bucket,
    reasons: Reasons,
    drain: Drain,
    timers: Timers,
    epoch: Option<Epoch>,
    seldom: Option<Box<Seldom>>,
    trace: Trace,
}

impl Session {
    /// The end that accepted a connection, which began now.
    pub fn server(limits: impl Into<Arc<Limits>>, now: Instant) -> Self {
        Self::new(Role::Server, limits.into(), now)
    }

    /// The same session, with a Date in the answers that it gives by itself.
    #[must_use]
    pub fn dated(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// The same session with other choices than the default ones. To be called before its first octet leaves.
    #[must_use]
    pub fn configured(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// The end that opened a connection, which began now.
    pub fn client(limits: impl Into<Arc<Limits>>, now: Instant) -> Self {
        Self::new(Role::Client, limits.into(), now)
    }

    fn new(role: Role, limits: Arc<Limits>, now: Instant) -> Self {
        let mut control = Waiting::new();
        control.push(Control::Preface);
        let window = settings::connection_window(&limits);
        let recv_window = RecvWindow::growing(window, settings::FIRST_WINDOW);
        let crediting = window > settings::FIRST_WINDOW;
        if crediting {
            control.push(Control::ConnectionCredit);
        }
        Self {
            role,
            config: Arc::default(),
            reading: recv::Reading::start(role),
            partial: Vec::new(),
            block: None,
            decoder: hpack::Decoder::noting(hpack::INITIAL_TABLE_SIZE),
            encoder: hpack::Encoder::new(limits.table),
            again: Again::default(),
            streams: Store::default(),
            last_peer: 0,
            skipped: (0, 0),
            next: match role {
                Role::Client => 1,
                Role::Server => 2,
            },
            peer: settings::Peer::new(),
            unacknowledged: true,
            send_window: SendWindow::new(settings::FIRST_WINDOW),
            recv_window,
            growth: None,
            round_trip: Duration::MAX,
            crediting,
            control,
            continuation: None,
            schedule: Schedule::default(),
            ends: Ends::default(),
            question: None,
            piece: None,
            events: Queue::new(),
            resets: Bucket::new(now),
            late: Late::default(),
            glitches: Bucket::new(now),
            reasons: Reasons::default(),
            drain: Drain::new(),
            timers: Timers::new(now),
            epoch: None,
            seldom: None,
            trace: Trace::off(),
            limits,
        }
    }

    /// The window that a new stream gives the peer. Until our SETTINGS are acknowledged the peer may count with
    /// the initial one (RFC 9113, section 6.9.2).
    fn stream_window(&self) -> u32 {
        let ours = settings::stream_window(&self.limits);
        if self.unacknowledged {
            ours.max(settings::FIRST_WINDOW)
        } else {
            ours
        }
    }

    /// Takes a stream out of the table: what its consumer holds does not count any more.
    fn remove(&mut self, id: StreamId) {
        if let Some(mut stream) = self.streams.remove(id) {
            self.schedule.close(id, &mut stream.turn);
            self.take_placed(stream.number);
            if stream.parked {
                self.unpark_none_of(id);
            }
            self.take_of_lost(id, stream.recv_window.untaken());
            if self.streams.is_empty() {
                self.timers.quiet();
                self.retire();
            } else if self.is_left_with_promises() {
                self.timers.idle.get_or_insert(self.timers.now);
            }
        }
    }

    /// Both messages are complete, and ours has left.
    fn finish(&mut self, id: StreamId) {
        self.remove(id);
        self.events.push(Event::Finished { id });
    }

    /// Ends a stream before its time, and tells the peer unless it knows nothing of it.
    fn cut(&mut self, id: StreamId, code: Code) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let number = stream.number;
        let on_its_way = (!stream.state.heard_all()).then(|| stream.recv_window.left());
        if stream.step(Step::SendReset) {
            if let Some(window) = on_its_way {
                self.late.allow(window);
            }
            self.control.push(Control::RstStream { number, code });
            self.streams.remember(number, By::Us);
        }
        self.remove(id);
    }

    /// The peer broke a rule on a stream: it ends, and the caller is told (RFC 9113, section 5.4.2). Streams that
    /// a peer makes us reset count as those that it resets itself.
    fn stream_error(&mut self, id: StreamId, why: Violation) -> Result<(), ConnectionError> {
        self.trace.fault(why);
        self.count_reset()?;
        self.cut(id, why.code());
        self.events.push(Event::Reset {
            id,
            code: why.code(),
            why: Some(why),
        });
        Ok(())
    }

    fn count_reset(&mut self) -> Result<(), ConnectionError> {
        if !self.resets.draw(self.timers.now, self.limits.resets) {
            return Err(Violation::TooManyResets.into());
        }
        Ok(())
    }

    /// Counts what is allowed, but serves nobody.
    fn count_glitch(&mut self) -> Result<(), ConnectionError> {
        if !self.glitches.draw(self.timers.now, self.limits.glitches) {
            return Err(Violation::TooManyGlitches.into());
        }
        Ok(())
    }

    /// Counts a small frame, unless there was a reason for it.
    fn count_toil(&mut self) -> Result<(), ConnectionError> {
        if self.reasons.take() {
            return Ok(());
        }
        self.count_glitch()
    }

    /// Gives the stream a turn, if it has something to send and room for it.
    fn schedule(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id)
            && stream.saying == Saying::Body
            && !stream.deferred
            && !stream.parked
            && !stream.turn.waits()
        {
            let room = stream.send_window.room();
            if room > 0 {
                self.schedule.add(id, &mut stream.turn);
            } else {
                self.timers.watch();
            }
            if room == 0 || self.send_window.room() == 0 {
                self.ends.look();
            }
        }
    }

    /// Whether there is a frame to send, or a question to ask.
    fn has_output(&self) -> bool {
        !self.control.is_empty()
            || self.continuation.is_some()
            || self.may_unpark()
            || self.piece.is_some()
            || (!self.schedule.is_empty() && self.send_window.room() > 0)
            || self.ends.is_due()
    }
}

impl Streams for Session {
    fn open(&mut self, head: Request, end: bool) -> Result<StreamId, UsageError> {
        if self.role != Role::Client {
            return Err(UsageError::WrongRole);
        }
        if !self.drain.opens() {
            return Err(UsageError::ShuttingDown);
        }
        if self.capacity() == 0 {
            return Err(UsageError::NoCapacity);
        }
        let head = message::with_authority(head);
        self.check_request(&head)?;
        let asked = Asked::by(head.method());
        let announced = crate::syntax::content_length(&head.fields);
        let announced = announced.map_err(|_| UsageError::BadField)?;
        if announced.is_some_and(|octets| asked == Asked::Tunnel || end && octets > 0) {
            return Err(UsageError::LengthMismatch);
        }
        let window = self.stream_window();
        let mut stream = Stream::idle(self.next, self.peer.window, window);
        stream.saying = match asked {
            _ if end => Saying::Whole,
            Asked::Tunnel => Saying::Head,
            _ => Saying::Body,
        };
        stream.asked = asked;
        stream.to_say = announced;
        let id = self.streams.insert(stream);
        self.next += 2;
        self.timers.idle = None;
        self.enroll(id, Priority::of(&head.fields));
        self.control.push(Control::Head {
            id,
            head: Head::Request(Box::new(head)),
            end,
        });
        self.schedule(id);
        Ok(id)
    }

    fn respond(&mut self, id: StreamId, mut head: Response, end: bool) -> Result<(), UsageError> {
        if self.role != Role::Server {
            return Err(UsageError::WrongRole);
        }
        let stream = self.streams.get_mut(id).ok_or(UsageError::NoSuchStream)?;
        if stream.saying != Saying::Head || (end && head.is_informational()) {
            return Err(UsageError::HeadNotExpected);
        }
        match head.status {
            101 => return Err(UsageError::NoUpgrade),
            100..=999 => {}
            _ => return Err(UsageError::BadField),
        }
        let Checked {
            announced,
            prioritizes,
        } = self.again.check(&head)?;
        if announced.is_some() && !stream.asked.may_announce(head.status) {
            head.fields.retain(|field| field.name != b"content-length");
        }
        stream.expects &= head.is_informational() && head.status != 100;
        if !head.is_informational() {
            let content = stream.asked.content_of(head.status, announced);
            if end && content.is_some_and(|octets| octets > 0) {
                return Err(UsageError::LengthMismatch);
            }
            stream.to_say = content;
            stream.asked = stream.asked.answered(head.status);
            stream.saying = if end { Saying::Whole } else { Saying::Body };
            if prioritizes && !end {
                self.refine(id, &head.fields);
            }
        }
        self.control.push(Control::Head {
            id,
            head: Head::Response(head),
            end,
        });
        self.schedule(id);
        Ok(())
    }

    fn push(&mut self, on: StreamId, head: Request) -> Result<StreamId, UsageError> {
        self.promise(on, head)
    }

    fn supply(&mut self, id: StreamId, what: Supply) -> Result<(), UsageError> {
        self.answer(id, what)
    }

    fn resume(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.deferred = false;
            stream.asked_end = false;
            if stream.turn.waits() && self.send_window.room() == 0 {
                self.ends.look();
            }
            self.schedule(id);
        }
    }

    fn taken(&mut self, id: StreamId, credit: usize) {
        self.take_of_stream(id, u32::try_from(credit).unwrap_or(u32::MAX));
    }

    fn discard(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        stream.discarding = true;
        stream.pace = None;
        let untaken = stream.recv_window.untaken();
        let pointless = stream.is_pointless();
        self.credit_stream(id, untaken);
        if pointless {
            self.cut_short(id);
        }
    }

    fn reset(&mut self, id: StreamId, code: Code) {
        self.cut(id, code);
        self.events.retain(|event| stream_of(event) != Some(id));
    }

    fn set_priority(&mut self, id: StreamId, priority: Priority) {
        self.prioritize(id, priority);
    }

    fn capacity(&self) -> usize {
        if self.role != Role::Client || !self.drain.opens() || self.next > MAX_STREAM {
            return 0;
        }
        let open = self.streams.len() - self.streams.pushed();
        (self.peer.streams as usize).saturating_sub(open)
    }

    fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.timers.now = now;
        match how {
            Shutdown::Graceful => self.begin_drain(),
            Shutdown::Now(code) => {
                if !self.drain.is_over() {
                    self.end(code);
                }
            }
        }
    }

    fn role(&self) -> Role {
        self.role
    }

    fn open_streams(&self) -> usize {
        self.streams.len()
    }
}

impl crate::session::Session for Session {
    fn recv<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Received<'b>, ConnectionError> {
        self.timers.now = now;
        self.receive(input).map_err(|error| self.fail(error))
    }

    fn eof(&mut self, now: Instant, how: Eof) -> Result<(), ConnectionError> {
        self.timers.now = now;
        self.ended(how).map_err(|error| self.fail(error))
    }

    fn send(&mut self, now: Instant, out: &mut Gather) -> Output {
        self.timers.now = now;
        self.transmit(out)
    }

    fn poll(&mut self) -> Option<Event<'static>> {
        self.events.pop()
    }

    fn deadline(&self) -> Option<Instant> {
        self.timers.deadline(&self.limits)
    }

    fn expire(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.timers.now = now;
        self.time_out().map_err(|error| self.fail(error))
    }

    fn wants(&self) -> Wants {
        Wants {
            read: !self.drain.is_over(),
            write: self.has_output(),
            end: self
                .drain
                .finish(self.streams.is_empty() && self.events.is_empty()),
        }
    }

    fn is_mixed(&self) -> bool {
        self.has_mixed_urgency()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("streams", &self.streams.len())
            .field("last_peer", &self.last_peer)
            .field("send_window", &self.send_window)
            .field("recv_window", &self.recv_window)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}

/// The stream that an event is about.
fn stream_of(event: &Event<'_>) -> Option<StreamId> {
    match event {
        Event::Request { id, .. }
        | Event::Response { id, .. }
        | Event::Data { id, .. }
        | Event::End { id, .. }
        | Event::Reset { id, .. }
        | Event::Finished { id }
        | Event::Priority { id, .. }
        | Event::Push { id, .. } => Some(*id),
        Event::AltSvc { on, .. } => *on,
        Event::GoAway { .. }
        | Event::Origins { .. }
        | Event::Frame { .. }
        | Event::Pong { .. }
        | Event::Traced => None,
    }
}
