//! What comes: which octets belong together, and what a frame means for this connection and its streams.
//!
//! ```text
//!  Preface ─► Header ─┬─► Payload ─► a control frame, whole ─► Header
//!  (server)           ├─► PadLength ─► Data ─► pieces of a body ─► Header
//!                     └─► Skip ─► Header
//! ```
//!
//! Input is never left for later. A header that is cut is kept in nine octets, a control frame that is cut in a
//! vector that exists only then, and DATA is handed on as it comes.

use super::block::Start;
use super::control::Control;
use super::data::Data;
use super::frame::{Fault, Frame, HEADER_LEN, Header, Kind, Settings, flags};
use super::resets::By;
use super::store;
use super::stream::{State, Step, Stream};
use super::{PREFACE, Session, settings};
use crate::error::{Code, ConnectionError, Violation};
use crate::session::{Event, Received, Role, StreamId};

/// Where in the octets of the connection the next one stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// In the client's preface, after this many of its octets.
    Preface(usize),
    /// In a frame's header.
    Header {
        octets: [u8; HEADER_LEN],
        have: usize,
    },
    /// In a payload that is dealt with as a whole; `skip` octets follow that nobody reads.
    Payload { header: Header, skip: usize },
    /// Before the pad length of DATA.
    PadLength(Header),
    /// In DATA.
    Data(Data),
    /// In octets that nobody reads.
    Skip(usize),
}

/// The largest SETTINGS that is read: some 2 700 entries, where six have a meaning.
const LARGEST_SETTINGS: usize = 1 << 14;

/// The largest GOAWAY that is read.
const LARGEST_GOAWAY: usize = 8 + (1 << 14);

const BETWEEN_FRAMES: Reading = Reading::Header {
    octets: [0; HEADER_LEN],
    have: 0,
};

impl Reading {
    /// Before the first octet.
    pub(super) fn start(role: Role) -> Self {
        match role {
            Role::Server => Reading::Preface(0),
            Role::Client => BETWEEN_FRAMES,
        }
    }
}

/// What one step through the input came to.
pub(super) enum Progress<'b> {
    Event(Event<'b>),
    Again,
    Dry,
}

/// What a stream number means at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Open(StreamId),
    Idle,
    Closed,
}

impl Session {
    pub(super) fn receive<'b>(&mut self, input: &'b [u8]) -> Result<Received<'b>, ConnectionError> {
        let mut rest = input;
        let event = loop {
            if self.trace.is_on() && self.trace_step() {
                break Some(Event::Traced);
            }
            if let Some(event) = self.events.pop() {
                break Some(event);
            }
            if self.drain.is_over() {
                rest = &[];
                break None;
            }
            match self.advance(&mut rest)? {
                Progress::Event(event) => break Some(event),
                Progress::Again => {}
                Progress::Dry => break None,
            }
        };
        if event.is_none() && !self.drain.is_over() && self.is_within_unit() {
            self.timers.unit.get_or_insert(self.timers.now);
        }
        Ok(Received {
            consumed: input.len() - rest.len(),
            event,
        })
    }

    /// Whether a frame has begun and is not complete.
    pub(super) fn is_within_frame(&self) -> bool {
        !matches!(
            self.reading,
            Reading::Header { have: 0, .. } | Reading::Preface(0)
        )
    }

    /// Whether something has begun that must be complete within the time for a head. A body has its own pace.
    fn is_within_unit(&self) -> bool {
        self.block.is_some()
            || (self.is_within_frame() && !matches!(self.reading, Reading::Data(_)))
    }

    fn advance<'b>(&mut self, rest: &mut &'b [u8]) -> Result<Progress<'b>, ConnectionError> {
        match self.reading {
            Reading::Header { .. } if rest.is_empty() => Ok(Progress::Dry),
            Reading::Header { octets, have } => {
                let header = if have == 0
                    && let Some((whole, after)) = rest.split_first_chunk::<HEADER_LEN>()
                {
                    *rest = after;
                    *whole
                } else {
                    let mut octets = octets;
                    let place = octets.get_mut(have..).unwrap_or_default();
                    let some = take(rest, place.len());
                    if let Some(place) = place.get_mut(..some.len()) {
                        place.copy_from_slice(some);
                    }
                    let have = have + some.len();
                    if have < HEADER_LEN {
                        self.reading = Reading::Header { octets, have };
                        return Ok(Progress::Dry);
                    }
                    octets
                };
                self.reading = self.begin_frame(Header::parse(header))?;
                match self.reading {
                    // Mostly the payload is there too. A trace is shown step by step.
                    Reading::Payload { header, skip }
                        if rest.len() >= header.len() - skip && !self.trace.is_on() =>
                    {
                        self.whole_frame(header, skip, rest)
                    }
                    _ => Ok(Progress::Again),
                }
            }
            Reading::Payload { header, skip } => {
                let whole = header.len() - skip;
                if self.partial.is_empty() && rest.len() >= whole {
                    return self.whole_frame(header, skip, rest);
                }
                let some = take(rest, whole - self.partial.len());
                self.partial.extend_from_slice(some);
                if self.partial.len() < whole {
                    return Ok(Progress::Dry);
                }
                let payload = std::mem::take(&mut self.partial);
                self.end_frame(skip);
                self.frame(header, &payload)?;
                Ok(Progress::Again)
            }
            Reading::PadLength(header) => {
                let Some((pad, after)) = rest.split_first() else {
                    return Ok(Progress::Dry);
                };
                *rest = after;
                self.reading = self.begin_data(header, Some(*pad))?;
                Ok(Progress::Again)
            }
            Reading::Data(data) => self.advance_data(data, rest),
            Reading::Skip(left) => {
                let left = left - take(rest, left).len();
                if left > 0 {
                    self.reading = Reading::Skip(left);
                    return Ok(Progress::Dry);
                }
                self.end_frame(0);
                Ok(Progress::Again)
            }
            Reading::Preface(have) => {
                let wanted = PREFACE.get(have..).unwrap_or_default();
                let some = take(rest, wanted.len());
                if !wanted.starts_with(some) {
                    return Err(Violation::Preface.into());
                }
                self.reading = if some.len() == wanted.len() {
                    BETWEEN_FRAMES
                } else {
                    Reading::Preface(have + some.len())
                };
                Ok(if rest.is_empty() {
                    Progress::Dry
                } else {
                    Progress::Again
                })
            }
        }
    }

    /// Takes a payload that has come in one piece.
    fn whole_frame<'b>(
        &mut self,
        header: Header,
        skip: usize,
        rest: &mut &'b [u8],
    ) -> Result<Progress<'b>, ConnectionError> {
        let payload = take(rest, header.len() - skip);
        self.end_frame(skip);
        self.frame(header, payload)?;
        Ok(Progress::Again)
    }

    /// What a header announces is complete, but for octets that nobody reads.
    pub(super) fn end_frame(&mut self, skip: usize) {
        self.reading = if skip > 0 {
            Reading::Skip(skip)
        } else {
            BETWEEN_FRAMES
        };
        if self.block.is_none() {
            self.timers.unit = None;
        }
    }

    /// Judges a frame by its header, and says how its payload is to be read.
    fn begin_frame(&mut self, header: Header) -> Result<Reading, ConnectionError> {
        self.trace.received(header);
        if self.timers.preface.is_some()
            && (header.kind != Kind::Settings || header.has(flags::ACK))
        {
            return Err(Violation::Preface.into());
        }
        match &self.block {
            Some(block)
                if header.kind != Kind::Continuation || header.stream != block.start.number =>
            {
                return Err(Violation::BlockInterrupted.into());
            }
            None if header.kind == Kind::Continuation => {
                return Err(Violation::Continuation.into());
            }
            _ => {}
        }
        if self.control.answers() > self.limits.acknowledgements {
            return Err(Violation::TooManyAcknowledgements.into());
        }
        match header.check(settings::frame_limit(&self.limits)) {
            Ok(()) => {}
            Err(Fault::Connection(why)) => return Err(why.into()),
            Err(Fault::Stream(why)) => {
                self.fault_on(header.stream, why)?;
                return Ok(Reading::Skip(header.len()));
            }
        }
        Ok(match header.kind {
            Kind::Data if header.has(flags::PADDED) => Reading::PadLength(header),
            Kind::Data => self.begin_data(header, None)?,
            Kind::AltSvc | Kind::Origin | Kind::Unknown(_) => self.begin_extension(header)?,
            Kind::PriorityUpdate => self.begin_priority_update(header)?,
            Kind::PushPromise if !self.takes_promises() => {
                return Err(Violation::PushPromise.into());
            }
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                self.check_block_size(header.len())?;
                Reading::Payload { header, skip: 0 }
            }
            Kind::Settings if header.len() > LARGEST_SETTINGS => {
                return Err(Violation::TooManyGlitches.into());
            }
            // What is beyond are words that nobody reads to the end.
            Kind::GoAway => Reading::Payload {
                header,
                skip: header.len().saturating_sub(LARGEST_GOAWAY),
            },
            _ => Reading::Payload { header, skip: 0 },
        })
    }

    /// A frame other than DATA is complete.
    fn frame(&mut self, header: Header, payload: &[u8]) -> Result<(), ConnectionError> {
        self.trace.payload(header, payload);
        let number = header.stream;
        match Frame::parse(header, payload) {
            Err(Fault::Connection(why)) => Err(why.into()),
            Err(Fault::Stream(why)) => self.fault_on(number, why),
            Ok(Frame::Headers {
                block,
                priority,
                end_headers,
                end_stream,
            }) => {
                let depends_on_itself = priority.is_some_and(|priority| priority.on == number);
                let start = Start {
                    number,
                    promised: None,
                    end: end_stream,
                    fault: depends_on_itself.then_some(Violation::SelfDependency),
                    dependency: priority,
                };
                self.begin_block(start, block, end_headers)
            }
            Ok(Frame::PushPromise {
                promised,
                block,
                end_headers,
            }) => {
                let start = Start {
                    number,
                    promised: Some(promised),
                    end: false,
                    fault: None,
                    dependency: None,
                };
                self.begin_block(start, block, end_headers)
            }
            Ok(Frame::Continuation { block, end_headers }) => {
                self.continue_block(block, end_headers)
            }
            Ok(Frame::Priority(dependency)) => self.take_priority(number, dependency),
            Ok(Frame::RstStream(code)) => self.reset_by_peer(number, code),
            Ok(Frame::Settings(entries)) => self.take_settings(entries),
            Ok(Frame::SettingsAck) => self.settings_agreed(),
            Ok(Frame::Ping(octets)) => {
                self.count_toil()?;
                self.control.push(Control::PingAck(octets));
                Ok(())
            }
            Ok(Frame::PingAck(octets)) => {
                let ours = self.probe_answered(octets)
                    || self.drain_answered(octets)
                    || self.end_growth_round(octets);
                if ours { Ok(()) } else { self.count_glitch() }
            }
            Ok(Frame::GoAway { last, code, debug }) => {
                self.count_glitch()?;
                self.refused_from(last, code, debug);
                Ok(())
            }
            Ok(Frame::WindowUpdate(increment)) => self.widen(number, increment),
            Ok(Frame::PriorityUpdate { prioritized, value }) => {
                self.take_priority_update(prioritized, value)
            }
            // Judged by their headers already.
            Ok(Frame::Data { .. }) => Ok(()),
            Ok(frame) => {
                self.take_extension(header, frame, payload);
                Ok(())
            }
        }
    }

    /// What this number means now (RFC 9113, section 5.1.1).
    pub(super) fn standing(&self, number: u32) -> Standing {
        if let Some(id) = self.streams.find(number) {
            // A stream whose HEADERS have not left is idle to the peer.
            let idle = |stream: &Stream| stream.state == State::Idle;
            return if self.streams.get(id).is_some_and(idle) {
                Standing::Idle
            } else {
                Standing::Open(id)
            };
        }
        let ours = store::is_pushed(number) == (self.role == Role::Server);
        let idle = if ours {
            number >= self.next
        } else {
            number > self.last_peer
        };
        if idle {
            Standing::Idle
        } else {
            Standing::Closed
        }
    }

    /// A frame broke a rule of its stream.
    pub(super) fn fault_on(&mut self, number: u32, why: Violation) -> Result<(), ConnectionError> {
        self.trace.fault(why);
        match self.standing(number) {
            Standing::Open(id) => self.stream_error(id, why),
            // Its error is reported already, or there is none: RFC 9113 gives dependencies no meaning.
            Standing::Closed
                if why == Violation::SelfDependency
                    || self.streams.reset_by(number) == Some(By::Us) =>
            {
                self.count_glitch()
            }
            // RST_STREAM must not be sent for an idle stream, nor for a closed one: what is left is the connection.
            Standing::Idle | Standing::Closed => Err(why.into()),
        }
    }

    /// HEADERS, or DATA of so many octets, came for a closed stream (RFC 9113, section 5.1). Where this side has
    /// reset it, the peer could not know; where the peer has, only the stream suffers.
    pub(super) fn closed(&mut self, number: u32, octets: u32) -> Result<(), ConnectionError> {
        match self.streams.reset_by(number) {
            Some(By::Us) if self.late.take(octets) => Ok(()),
            Some(By::Us) => self.count_glitch(),
            Some(By::Peer) => {
                self.count_reset()?;
                self.streams.remember(number, By::Us);
                let code = Code::StreamClosed;
                self.control.push(Control::RstStream { number, code });
                Ok(())
            }
            None if (self.skipped.0..=self.skipped.1).contains(&number) => {
                Err(Violation::StreamIdentifier.into())
            }
            None => Err(Violation::StreamClosed.into()),
        }
    }

    fn reset_by_peer(&mut self, number: u32, code: Code) -> Result<(), ConnectionError> {
        match self.standing(number) {
            Standing::Idle => Err(Violation::StreamState.into()),
            Standing::Closed => self.count_glitch(),
            Standing::Open(id) => {
                self.count_reset()?;
                if let Some(stream) = self.streams.get_mut(id) {
                    stream.step(Step::RecvReset);
                }
                self.streams.remember(number, By::Peer);
                self.remove(id);
                self.events.push(Event::Reset {
                    id,
                    code,
                    why: None,
                });
                Ok(())
            }
        }
    }

    fn take_settings(&mut self, entries: Settings<'_>) -> Result<(), ConnectionError> {
        let first = self.timers.preface.take().is_some();
        let mut peer = self.peer;
        if first {
            peer.begin();
        } else {
            self.count_glitch()?;
        }
        let of = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let mut smallest = peer.table;
        for (at, (identifier, value)) in entries.iter().enumerate() {
            if at >= 8 {
                self.count_glitch()?;
            }
            peer.apply(identifier, value, of)?;
            self.keep_setting(identifier, value);
            smallest = smallest.min(peer.table);
        }
        // It is said at once or never (RFC 9218, section 2.1).
        if !first && peer.no_rfc7540_priorities != self.peer.no_rfc7540_priorities {
            return Err(Violation::Setting.into());
        }
        if peer.rfc9218 {
            self.fell_tree();
        }
        let (from, to) = (self.peer.window, peer.window);
        self.peer = peer;
        if from != to {
            for stream in self.streams.iter_mut() {
                stream.send_window.shift(from, to)?;
            }
        }
        if to > from {
            let ids: Vec<_> = self.streams.ids().collect();
            for id in ids {
                self.schedule(id);
            }
        }
        let table = peer.table;
        self.control.push(Control::SettingsAck { smallest, table });
        Ok(())
    }

    fn widen(&mut self, number: u32, increment: u32) -> Result<(), ConnectionError> {
        self.count_toil()?;
        if number == 0 {
            self.send_window.grow(increment)?;
            return Ok(());
        }
        match self.standing(number) {
            Standing::Idle => Err(Violation::StreamState.into()),
            // A peer that has not seen the end yet gives credit in good faith, for every response it may be.
            Standing::Closed => Ok(()),
            Standing::Open(id) => {
                let Some(stream) = self.streams.get_mut(id) else {
                    return Ok(());
                };
                if stream.state == State::ReservedRemote {
                    return Err(Violation::StreamState.into());
                }
                if let Err(why) = stream.send_window.grow(increment) {
                    return self.stream_error(id, why);
                }
                self.schedule(id);
                Ok(())
            }
        }
    }
}

/// Takes up to `most` octets from the front.
pub(super) fn take<'b>(rest: &mut &'b [u8], most: usize) -> &'b [u8] {
    let (some, after) = rest.split_at_checked(most).unwrap_or((rest, &[]));
    *rest = after;
    some
}
