//! Field blocks that come (RFC 9113, section 4.3): put together from HEADERS and CONTINUATION, decoded, and made the
//! request, response or trailers that their stream expects.
//!
//! Every block is decoded, whatever becomes of its stream: the compression state is the connection's.

use super::Session;
use super::control::Control;
use super::frame::Dependency;
use super::message::{Class, Classes, HeadReader, Shape};
use super::recv::Standing;
use super::resets::By;
use super::stream::{Asked, Hearing, Saying, State, Step, Stream};
use crate::error::{Code, ConnectionError, Violation};
use crate::fields::Fields;
use crate::head::{Request, Response};
use crate::session::{Event, Pace, Priority, Role, StreamId};
use crate::syntax;

/// How many times the largest head a block may take on the wire before the connection ends: what is above the
/// limit is refused, yet read on, up to here.
const PATIENCE: usize = 4;

/// What HEADERS said beside the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) number: u32,
    /// The stream that PUSH_PROMISE names.
    pub(super) promised: Option<u32>,
    pub(super) end: bool,
    /// A fault of the frame that its stream answers for, once the block is decoded.
    pub(super) fault: Option<Violation>,
    pub(super) dependency: Option<Dependency>,
}

/// A block that goes on in CONTINUATION.
pub(super) struct Unfinished {
    pub(super) start: Start,
    octets: Vec<u8>,
    continuations: u32,
}

/// What a block is for.
pub(super) enum Purpose {
    Request,
    Response(StreamId),
    Trailers(StreamId),
    /// A request that the server promises to answer on this stream.
    Promise {
        on: StreamId,
        promised: u32,
    },
    /// Its stream ends because of it.
    Fault(StreamId, Violation),
    /// A request, promised or not, that is refused unseen.
    Refused(Violation),
    Ignored,
}

impl Session {
    /// Ends the connection over a block that is far beyond the limit, before any memory is taken for it.
    pub(super) fn check_block_size(&self, more: usize) -> Result<(), ConnectionError> {
        let so_far = self.block.as_ref().map_or(0, |block| block.octets.len());
        let most = self.limits.head.saturating_mul(PATIENCE);
        if so_far.saturating_add(more) > most.max(super::settings::FIRST_FRAME as usize) {
            return Err(ConnectionError::new(Violation::HeadTooLarge));
        }
        Ok(())
    }

    pub(super) fn begin_block(
        &mut self,
        start: Start,
        fragment: &[u8],
        whole: bool,
    ) -> Result<(), ConnectionError> {
        if whole {
            return self.end_block(start, fragment);
        }
        self.block = Some(Box::new(Unfinished {
            start,
            octets: fragment.to_vec(),
            continuations: 0,
        }));
        self.timers.unit.get_or_insert(self.timers.now);
        Ok(())
    }

    pub(super) fn continue_block(
        &mut self,
        fragment: &[u8],
        whole: bool,
    ) -> Result<(), ConnectionError> {
        let Some(mut block) = self.block.take() else {
            return Err(Violation::Continuation.into());
        };
        block.continuations += 1;
        if block.continuations > self.limits.continuations {
            return Err(Violation::TooManyContinuations.into());
        }
        block.octets.extend_from_slice(fragment);
        if !whole {
            self.block = Some(block);
            return Ok(());
        }
        self.timers.unit = None;
        self.end_block(block.start, &block.octets)
    }

    fn end_block(&mut self, start: Start, block: &[u8]) -> Result<(), ConnectionError> {
        let last = self.last_peer;
        let ended = self.take_block(start, block);
        if ended.is_err_and(|error| error.why == Violation::Compression) {
            // Nothing was taken in of a request that cannot be decoded: it can be sent again (section 8.7).
            self.last_peer = last;
        }
        ended
    }

    fn take_block(&mut self, start: Start, block: &[u8]) -> Result<(), ConnectionError> {
        let purpose = self.purpose(start)?;
        let shape = match purpose {
            Purpose::Request | Purpose::Promise { .. } => Shape::Request,
            Purpose::Response(_) => Shape::Response,
            Purpose::Trailers(_) => {
                self.take_dependency(start.number, start.dependency);
                Shape::Trailers
            }
            Purpose::Fault(id, why) => {
                self.decode_unseen(block)?;
                return self.stream_error(id, why);
            }
            Purpose::Refused(why) => {
                self.decode_unseen(block)?;
                return self.refuse(start, why);
            }
            Purpose::Ignored => return self.decode_unseen(block),
        };
        let mut reader = HeadReader::new(shape, &self.limits, block.len());
        let size = self
            .decoder
            .decode_noted(block, self.limits.head, |line, class| {
                reader.line(line, class)
            })
            .map_err(|_| Violation::Compression)?;
        if size > self.limits.head {
            reader.too_large();
        }
        let classes = reader.classes();
        match purpose {
            Purpose::Response(id) => {
                let head = reader.response();
                self.take_response(id, head, classes, start.end)
            }
            Purpose::Trailers(id) => match reader.trailers() {
                Ok(trailers) => self.heard_all(id, Some(trailers)),
                Err(why) => self.stream_error(id, why),
            },
            Purpose::Promise { on, promised } => {
                let head = reader.request(false);
                self.take_promise(on, promised, head)
            }
            _ => match reader.request(self.config.connect_protocol) {
                Ok(head) => self.take_request(start, head, classes),
                Err(why) => self.refuse(start, why),
            },
        }
    }

    fn decode_unseen(&mut self, block: &[u8]) -> Result<(), ConnectionError> {
        match self.decoder.decode(block, 0, |_| ()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Violation::Compression.into()),
        }
    }

    fn purpose(&mut self, start: Start) -> Result<Purpose, ConnectionError> {
        let Start {
            number, end, fault, ..
        } = start;
        if let Some(promised) = start.promised {
            return self.admit_promise(number, promised);
        }
        let id = match self.standing(number) {
            Standing::Open(id) => id,
            Standing::Idle if self.role == Role::Server && !number.is_multiple_of(2) => {
                return self.admit(start);
            }
            // Even numbers are the server's, and a client has not asked for pushes.
            Standing::Idle if number.is_multiple_of(2) => {
                return Err(Violation::StreamIdentifier.into());
            }
            Standing::Idle => return Err(Violation::StreamState.into()),
            Standing::Closed => {
                self.closed(number, 0)?;
                return Ok(Purpose::Ignored);
            }
        };
        let opens = self
            .streams
            .get(id)
            .is_some_and(|stream| stream.state == State::ReservedRemote);
        if opens && self.open_pushes() >= self.limits.streams as usize {
            return Ok(Purpose::Fault(id, Violation::TooManyStreams));
        }
        if opens {
            self.timers.idle = None;
        }
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(Purpose::Ignored);
        };
        if stream.state == State::ReservedLocal {
            return Err(Violation::StreamState.into());
        }
        Ok(if !stream.step(Step::RecvHeaders) {
            Purpose::Fault(id, Violation::StreamClosed)
        } else if let Some(why) = fault {
            Purpose::Fault(id, why)
        } else if stream.hearing == Hearing::Head {
            Purpose::Response(id)
        } else if end && stream.asked != Asked::Tunnel {
            Purpose::Trailers(id)
        } else {
            // A second head in the middle of a message (RFC 9113, section 8.1), or trailers of a tunnel, which has none
            // (section 8.5).
            Purpose::Fault(id, Violation::StreamState)
        })
    }

    /// A request begins: the peer has used up its number, and all below.
    fn admit(&mut self, start: Start) -> Result<Purpose, ConnectionError> {
        let number = start.number;
        if number > self.last_peer + 2 {
            self.skipped = (self.last_peer + 1, number - 1);
        }
        self.last_peer = number;
        if !self.drain.serves(number) {
            self.count_glitch()?;
            self.ignore_rest(start);
            return Ok(Purpose::Ignored);
        }
        Ok(match start.fault {
            Some(why) => Purpose::Refused(why),
            None if self.streams.len() - self.streams.pushed() >= self.limits.streams as usize => {
                Purpose::Refused(Violation::TooManyStreams)
            }
            None => Purpose::Request,
        })
    }

    /// This side takes nothing of the stream: what its peer sends before it knows is passed over.
    pub(super) fn ignore_rest(&mut self, start: Start) {
        self.streams.remember(start.number, By::Us);
        if !start.end {
            self.late.allow(self.stream_window());
        }
    }

    /// A request that never becomes a stream here. Where it only asks for too much, a response says so; where it is
    /// malformed, the head of one says so before the reset (RFC 9113, sections 8.1.1 and 8.2.1).
    pub(super) fn refuse(&mut self, start: Start, why: Violation) -> Result<(), ConnectionError> {
        self.trace.fault(why);
        self.count_reset()?;
        let number = start.number;
        let refusal = |end| Control::Refusal {
            number,
            status: why.status(),
            end,
        };
        let code = match why {
            Violation::HeadTooLarge | Violation::TooManyFields | Violation::TargetTooLong
                if self.role == Role::Server =>
            {
                self.control.push(refusal(true));
                Code::NoError
            }
            // Nothing is wrong with the request itself: it may be sent again.
            Violation::TooManyStreams | Violation::SelfDependency => why.code(),
            _ => {
                if self.role == Role::Server {
                    self.control.push(refusal(false));
                }
                why.code()
            }
        };
        if !(code == Code::NoError && start.end) {
            self.control.push(Control::RstStream { number, code });
            self.ignore_rest(start);
        }
        self.events.push(Event::Reset {
            id: StreamId::new(u64::from(number), u32::MAX),
            code,
            why: Some(why),
        });
        Ok(())
    }

    fn take_request(
        &mut self,
        start: Start,
        head: Request,
        classes: Classes,
    ) -> Result<(), ConnectionError> {
        let announced = match content_length(&head.fields, classes) {
            Ok(announced) => announced,
            Err(why) => return self.refuse(start, why),
        };
        if start.end && announced.is_some_and(|octets| octets > 0) {
            return self.refuse(start, Violation::ContentLengthMismatch);
        }
        let mut stream = Stream::idle(start.number, self.peer.window, self.stream_window());
        stream.step(Step::RecvHeaders);
        stream.hearing = Hearing::Body;
        stream.asked = Asked::by(head.method());
        if start.end {
            stream.step(Step::RecvEnd);
        } else if stream.asked != Asked::Tunnel {
            stream.to_hear = announced;
            stream.expects = classes.contain(Class::Expect) && expects_continue(&head);
            if self.limits.body_rate > 0 {
                stream.pace = Some(Box::new(Pace::new(self.timers.now)));
                self.timers.watch();
            }
        }
        self.timers.idle = None;
        self.reasons.request();
        let id = self.streams.insert(stream);
        let asked = classes.contain(Class::Priority);
        let early = self.enroll(id, asked.then(|| Priority::of(&head.fields)).flatten());
        self.take_dependency(start.number, start.dependency);
        self.events.push(Event::Request {
            id,
            head,
            end: start.end,
        });
        if let Some(priority) = early {
            self.events.push(Event::Priority { id, priority });
        }
        Ok(())
    }

    fn take_response(
        &mut self,
        id: StreamId,
        head: Result<Response, Violation>,
        classes: Classes,
        end: bool,
    ) -> Result<(), ConnectionError> {
        let head = match head {
            Ok(head) if head.is_informational() && end => Err(Violation::StreamState),
            head => head,
        };
        let announced = |head: &Response| content_length(&head.fields, classes);
        let (head, announced) = match head.and_then(|head| Ok((announced(&head)?, head))) {
            Ok((announced, head)) => (head, announced),
            Err(why) => return self.stream_error(id, why),
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(());
        };
        if head.is_informational() {
            self.events.push(Event::Response { id, head, end });
            return self.count_glitch();
        }
        stream.hearing = Hearing::Body;
        stream.to_hear = stream.asked.content_of(head.status, announced);
        stream.asked = stream.asked.answered(head.status);
        if end && !stream.heard_announced() {
            return self.stream_error(id, Violation::ContentLengthMismatch);
        }
        if end {
            stream.step(Step::RecvEnd);
        }
        let (closed, pointless) = (stream.state == State::Closed, stream.is_pointless());
        if stream.saying == Saying::Head {
            self.connect_answered(id);
        }
        self.events.push(Event::Response { id, head, end });
        if closed {
            self.finish(id);
        } else if pointless {
            self.cut_short(id);
        }
        Ok(())
    }
}

/// What content-length announces, if there is one.
fn content_length(fields: &Fields, classes: Classes) -> Result<Option<u64>, Violation> {
    if classes.contain(Class::ContentLength) {
        syntax::content_length(fields)
    } else {
        Ok(None)
    }
}

/// Whether the client waits for 100 Continue before it sends the body (RFC 9110, section 10.1.1).
fn expects_continue(head: &Request) -> bool {
    head.fields
        .all(b"expect")
        .any(|value| value.eq_ignore_ascii_case(b"100-continue"))
}
