//! Every frame, both ways, as owned values in the order of the wire: for logs, captures, tests, and libraries that
//! call their users back for each frame.
//!
//! ```text
//!  received   Begun(HEADERS) ─ Begun(CONTINUATION) … ──────────── Unit { lines }
//!             Begun(DATA) ─ Data ─ Data … ─────────────────────── Unit
//!             Begun(WINDOW_UPDATE) ────────────────────────────── Unit
//!  sent       the same, when the octets have left the session
//! ```
//!
//! It is off unless [`Session::traced`] turns it on, and then costs one look at an empty place for each frame. When it
//! is on, [`Event::Traced`](crate::session::Event::Traced) says that [`Session::next_trace`] has something, one
//! frame at a time, so that the caller can give commands between any two frames of one read.

mod text;

use super::Session;
use super::frame::{Dependency, Frame, HEADER_LEN, Header, Kind, flags};
use crate::error::Violation;
use crate::fields::Field;
use crate::hpack;
use crate::limits::Limits;
use crate::session::{Role, StreamId};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};

pub use text::Text;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The peer sent it.
    Received,
    /// This side sent it.
    Sent,
}

/// One thing that crossed the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// A frame's header: every frame has one, CONTINUATION and those that are ignored as well.
    Begun {
        /// Which way.
        direction: Direction,
        /// The header.
        header: Header,
    },
    /// Octets of DATA, without padding. A frame has any number of them.
    Data {
        /// Which way.
        direction: Direction,
        /// The stream.
        stream: u32,
        /// The octets.
        octets: Bytes,
    },
    /// A frame is complete, with its CONTINUATION frames where it has any, or was found to be wrong.
    Unit(Unit),
    /// HEADERS or PUSH_PROMISE of ours that will not leave: the stream, or the one that it was promised on, has ended
    /// before.
    Unsent {
        /// The type.
        kind: Kind,
        /// The stream; of PUSH_PROMISE the promised one.
        stream: u64,
    },
}

/// A frame; HEADERS and PUSH_PROMISE with the CONTINUATION frames that complete their field block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unit {
    /// Which way.
    pub direction: Direction,
    /// Its header. With CONTINUATION the length is that of all frames, and END_HEADERS is set.
    pub header: Header,
    /// The payload as it is on the wire; of several frames that of the first. Empty where the session does not keep
    /// it: for DATA, for frames that it ignores, and for frames that were found to be wrong by their header.
    pub payload: Bytes,
    /// The pad length, where the frame is padded and it is known.
    pub padding: Option<u8>,
    /// The lines of its field block in their order, pseudo fields too. A received block that is not wanted, or too
    /// large, shows fewer than it has.
    pub lines: Vec<Line>,
    /// What its field block begins, if it does.
    pub begins: Option<Begins>,
    /// What the peer broke with it. The frame was answered with RST_STREAM or GOAWAY, or was only counted.
    pub fault: Option<Violation>,
}

/// A line of a field block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: Bytes,
    /// Its value.
    pub value: Bytes,
    /// Whether it is marked never to enter a compression table.
    pub never_index: bool,
}

/// What a field block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Begins {
    /// A stream, with a request.
    Request,
    /// The answer to a request: its first head, which may be a 1xx.
    Response,
    /// The answer to a request that the server made up.
    PushResponse,
}

impl Unit {
    /// The frame that it is, decoded. DATA has no octets here: they came in [`Entry::Data`]. None for a payload that
    /// is malformed, or was not kept.
    pub fn frame(&self) -> Option<Frame<'_>> {
        if self.header.kind == Kind::Data {
            return Some(Frame::Data {
                data: &[],
                end_stream: self.header.has(flags::END_STREAM),
            });
        }
        Frame::parse(self.header, &self.payload).ok()
    }

    /// The deprecated advice on priority that HEADERS or PRIORITY holds.
    pub fn dependency(&self) -> Option<Dependency> {
        match self.frame()? {
            Frame::Headers { priority, .. } => priority,
            Frame::Priority(dependency) => Some(dependency),
            _ => None,
        }
    }

    fn begin(direction: Direction, header: Header) -> Self {
        Self {
            direction,
            header,
            payload: Bytes::new(),
            padding: None,
            lines: Vec::new(),
            begins: None,
            fault: None,
        }
    }

    /// A CONTINUATION: one unit with what it continues.
    fn continued(&mut self, header: Header) {
        self.header.length = self.header.length.saturating_add(header.length);
        self.header.flags |= header.flags & flags::END_HEADERS;
    }

    /// Whether nothing of it is to come: a field block goes on in CONTINUATION, unless it was cut off by a fault.
    fn is_whole(&self) -> bool {
        let has_block = matches!(self.header.kind, Kind::Headers | Kind::PushPromise);
        !has_block || self.header.has(flags::END_HEADERS) || self.fault.is_some()
    }

    fn keep(&mut self, payload: &[u8]) {
        self.payload = Bytes::copy_from_slice(payload);
        let padded = match self.header.kind {
            Kind::Headers | Kind::PushPromise => self.header.has(flags::PADDED),
            _ => false,
        };
        self.padding = payload.first().copied().filter(|_| padded);
    }
}

impl Session {
    /// The same session, with a trace of all its frames. To be called before its first octet.
    ///
    /// ```
    /// use std::time::Instant;
    /// use thalweg_proto::h2::{self, trace::Entry};
    /// use thalweg_proto::limits::Limits;
    /// use thalweg_proto::session::{Gather, Session};
    ///
    /// let now = Instant::now();
    /// let mut client = h2::Session::client(Limits::default(), now).traced();
    /// let mut out = Gather::new(1 << 16);
    /// client.send(now, &mut out);
    /// let Some(Entry::Begun { header, .. }) = client.next_trace() else {
    ///     panic!("a client begins with SETTINGS");
    /// };
    /// assert_eq!(header.kind, h2::frame::Kind::Settings);
    /// ```
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Trace(Some(Box::new(Tracer::new(self.role, &self.limits))));
        self
    }

    /// The next entry of the trace. Take all of them after each call of the session, and before what the call
    /// answered is dealt with: they came first. Entries that nobody takes are kept.
    pub fn next_trace(&mut self) -> Option<Entry> {
        self.trace.0.as_mut()?.entries.pop_front()
    }

    /// Between two steps through the input: a frame that has come whole is complete now. Answers whether there is
    /// something new to tell.
    #[cold]
    pub(super) fn trace_step(&mut self) -> bool {
        if !self.is_within_frame() {
            self.trace.taken();
        }
        match &mut self.trace.0 {
            None => false,
            Some(tracer) => std::mem::take(&mut tracer.news),
        }
    }
}

/// What a session writes its trace to: nothing, unless it is on.
#[derive(Debug)]
pub(super) struct Trace(Option<Box<Tracer>>);

impl Trace {
    /// None.
    pub(super) fn off() -> Self {
        Self(None)
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A frame's header has come.
    #[inline]
    pub(super) fn received(&mut self, header: Header) {
        if let Some(tracer) = &mut self.0 {
            tracer.received(header);
        }
    }

    /// The payload of the frame that has come.
    #[inline]
    pub(super) fn payload(&mut self, header: Header, payload: &[u8]) {
        if let Some(tracer) = &mut self.0 {
            tracer.payload(header, payload);
        }
    }

    /// The pad length of DATA that comes.
    #[inline]
    pub(super) fn padding(&mut self, pad: Option<u8>) {
        if let Some(tracer) = &mut self.0 {
            tracer.padding(pad);
        }
    }

    /// Octets of DATA have come.
    #[inline]
    pub(super) fn data(&mut self, octets: &[u8]) {
        if let Some(tracer) = &mut self.0 {
            tracer.data(octets);
        }
    }

    /// The peer broke something with the frame that has come.
    #[inline]
    pub(super) fn fault(&mut self, why: Violation) {
        if let Some(tracer) = &mut self.0 {
            tracer.fault(why);
        }
    }

    /// The frame that has come is dealt with.
    pub(super) fn taken(&mut self) {
        if let Some(tracer) = &mut self.0 {
            tracer.taken();
        }
    }

    /// A frame other than DATA was written: what stands in `run` from `at` on.
    #[inline]
    pub(super) fn sent(&mut self, run: &[u8], at: usize) {
        if let Some(tracer) = &mut self.0 {
            tracer.sent(run.get(at..).unwrap_or_default());
        }
    }

    /// A head will not be written any more.
    #[inline]
    pub(super) fn unsent(&mut self, kind: Kind, id: StreamId) {
        if let Some(tracer) = &mut self.0 {
            let stream = id.number();
            tracer.add(Entry::Unsent { kind, stream });
        }
    }

    /// DATA was written.
    #[inline]
    pub(super) fn sent_data(&mut self, header: Header, pad: Option<u8>, octets: &Bytes) {
        if let Some(tracer) = &mut self.0 {
            tracer.sent_data(header, pad, octets.clone());
        }
    }
}

/// A trace that is on. It reads the field blocks for itself, so that it shows what is in them whatever becomes of
/// them, and costs nothing elsewhere.
#[derive(Debug)]
struct Tracer {
    role: Role,
    /// The largest section whose lines are shown whole.
    head: usize,
    entries: VecDeque<Entry>,
    news: bool,
    coming: Way,
    leaving: Way,
    /// The highest stream that a request has opened.
    opened: u32,
    /// Streams whose answer has begun and has not ended.
    answered: BTreeSet<u32>,
}

/// One direction.
#[derive(Debug)]
struct Way {
    decoder: hpack::Decoder,
    /// The frame that is under way, or its CONTINUATION.
    unit: Option<Unit>,
    /// What has come of its field block.
    block: Vec<u8>,
}

impl Way {
    fn new() -> Self {
        let mut decoder = hpack::Decoder::new(hpack::INITIAL_TABLE_SIZE);
        // How large a table may be is for the session to say, and it says so later. What takes memory is what has come.
        decoder.set_table_limit(u32::MAX);
        Self {
            decoder,
            unit: None,
            block: Vec::new(),
        }
    }

    fn begin(&mut self, direction: Direction, header: Header) {
        match &mut self.unit {
            Some(unit) if header.kind == Kind::Continuation => unit.continued(header),
            unit => {
                *unit = Some(Unit::begin(direction, header));
                self.block.clear();
            }
        }
    }

    /// Takes the payload of a frame that has begun. Up to `head` octets of lines are shown.
    fn fill(&mut self, header: Header, payload: &[u8], head: usize) {
        let Some(unit) = &mut self.unit else { return };
        if header.kind != Kind::Continuation {
            unit.keep(payload);
        }
        let (block, whole) = match Frame::parse(header, payload) {
            Ok(
                Frame::Headers {
                    block, end_headers, ..
                }
                | Frame::PushPromise {
                    block, end_headers, ..
                }
                | Frame::Continuation { block, end_headers },
            ) => (block, end_headers),
            _ => return,
        };
        self.block.extend_from_slice(block);
        if whole {
            let block = std::mem::take(&mut self.block);
            let lines = &mut unit.lines;
            let shown = self
                .decoder
                .decode(&block, head, |field| lines.push(Line::of(field)));
            // A block of the peer that cannot be decoded ends the connection, which says so.
            debug_assert!(shown.is_ok() || unit.direction == Direction::Received);
        }
    }
}

impl Line {
    fn of(field: Field<'_>) -> Self {
        Self {
            name: Bytes::copy_from_slice(field.name),
            value: Bytes::copy_from_slice(field.value),
            never_index: field.never_index,
        }
    }
}

impl Tracer {
    fn new(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            head: limits.head,
            entries: VecDeque::new(),
            news: false,
            coming: Way::new(),
            leaving: Way::new(),
            opened: 0,
            answered: BTreeSet::new(),
        }
    }

    fn add(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        self.news = true;
    }

    #[cold]
    fn received(&mut self, header: Header) {
        let direction = Direction::Received;
        self.add(Entry::Begun { direction, header });
        self.coming.begin(direction, header);
    }

    #[cold]
    fn payload(&mut self, header: Header, payload: &[u8]) {
        self.coming.fill(header, payload, self.head);
    }

    #[cold]
    fn padding(&mut self, pad: Option<u8>) {
        if let Some(unit) = &mut self.coming.unit {
            unit.padding = pad;
        }
    }

    #[cold]
    fn data(&mut self, octets: &[u8]) {
        if let Some(unit) = &self.coming.unit
            && !octets.is_empty()
        {
            self.add(Entry::Data {
                direction: Direction::Received,
                stream: unit.header.stream,
                octets: Bytes::copy_from_slice(octets),
            });
        }
    }

    #[cold]
    fn fault(&mut self, why: Violation) {
        if let Some(unit) = &mut self.coming.unit {
            unit.fault = Some(why);
        }
    }

    #[cold]
    fn taken(&mut self) {
        if let Some(unit) = self.coming.unit.take_if(|unit| unit.is_whole()) {
            self.complete(unit);
        }
    }

    #[cold]
    fn sent(&mut self, octets: &[u8]) {
        let Some((header, payload)) = octets.split_first_chunk::<HEADER_LEN>() else {
            return;
        };
        let (direction, header) = (Direction::Sent, Header::parse(*header));
        self.add(Entry::Begun { direction, header });
        self.leaving.begin(direction, header);
        self.leaving.fill(header, payload, usize::MAX);
        if let Some(unit) = self.leaving.unit.take_if(|unit| unit.is_whole()) {
            self.complete(unit);
        }
    }

    #[cold]
    fn sent_data(&mut self, header: Header, pad: Option<u8>, octets: Bytes) {
        let (direction, stream) = (Direction::Sent, header.stream);
        self.add(Entry::Begun { direction, header });
        if !octets.is_empty() {
            self.add(Entry::Data {
                direction,
                stream,
                octets,
            });
        }
        let mut unit = Unit::begin(direction, header);
        unit.padding = pad;
        self.complete(unit);
    }

    fn complete(&mut self, mut unit: Unit) {
        if unit.fault.is_none() {
            unit.begins = self.begins(&unit);
        }
        self.add(Entry::Unit(unit));
    }

    /// What a unit begins on its stream.
    fn begins(&mut self, unit: &Unit) -> Option<Begins> {
        let Header { kind, stream, .. } = unit.header;
        let ends = match kind {
            Kind::RstStream => true,
            Kind::Headers | Kind::Data => unit.header.has(flags::END_STREAM),
            _ => return None,
        };
        let by_client = (self.role == Role::Client) == (unit.direction == Direction::Sent);
        let begins = match kind {
            Kind::Headers if by_client => {
                let first = stream > self.opened;
                self.opened = self.opened.max(stream);
                return first.then_some(Begins::Request);
            }
            Kind::Headers if self.answered.insert(stream) => Some(if stream.is_multiple_of(2) {
                Begins::PushResponse
            } else {
                Begins::Response
            }),
            _ => None,
        };
        if ends && (!by_client || kind == Kind::RstStream) {
            self.answered.remove(&stream);
        }
        begins
    }
}
