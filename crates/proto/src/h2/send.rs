//! What leaves: control frames and heads in their order, then DATA of the streams in turns.
//!
//! ```text
//!  continuation ─► control ─► piece (the answer to a question) ─► schedule, ends ─► Need ─► answer ─► piece
//! ```

use super::again::Again;
use super::control::{Control, Head};
use super::frame::{self, Frame, HEADER_LEN, Header, Kind, Settings, flags};
use super::message;
use super::stream::{Asked, Piece, Saying, State, Step, Then};
use super::{PREFACE, Session, padding, settings};
use crate::error::{Code, UsageError};
use crate::fields::Field;
use crate::head::Response;
use crate::hpack::Encoder;
use crate::session::{End, Gather, Output, Role, StreamId, Supply};

/// The most that one DATA frame takes, however large the peer's frames may be: streams take turns, and no peer says
/// how much a turn holds.
const LARGEST_DATA: usize = 64 << 10;

impl Session {
    pub(super) fn transmit(&mut self, out: &mut Gather) -> Output {
        if out.room() == 0 && self.has_output() {
            return Output::Full;
        }
        if self.continuation.is_some() && self.continue_head(out) {
            return Output::Frame;
        }
        if self.unpark(out) {
            return Output::Frame;
        }
        while let Some(control) = self.control.pop() {
            if self.write_control(control, out) {
                return Output::Frame;
            }
        }
        if self.piece.is_some()
            && let Some((id, piece)) = self.piece.take()
            && self.write_data(id, piece, out)
        {
            return Output::Frame;
        }
        while self.send_window.room() > 0
            && let Some(id) = self.schedule.next()
            && let Some(stream) = self.streams.get_mut(id)
        {
            let most = stream.send_window.room();
            if most == 0 {
                self.schedule.remove(id, &mut stream.turn);
                self.timers.watch();
                self.ends.look();
                continue;
            }
            if let Some(piece) = stream.held.take() {
                self.leave_schedule(id);
                if self.write_data(id, *piece, out) {
                    return Output::Frame;
                }
                continue;
            }
            let max = most.min(self.send_window.room()).min(self.largest_data());
            self.question = Some((id, max));
            return Output::Need { id, max };
        }
        if !self.schedule.is_empty() {
            self.timers.watch();
        }
        if let Some(id) = self.next_end() {
            self.question = Some((id, 0));
            return Output::Need { id, max: 0 };
        }
        if self.drain.has_eof() {
            self.drop_stuck();
        }
        Output::Idle
    }

    /// A session that has had no stream for a while holds next to nothing.
    pub(super) fn rest(&mut self) {
        self.again.rest();
        self.streams.rest();
        self.control.shrink();
        self.events.shrink();
        self.ends.shrink();
        self.rest_growth();
        self.seldom.take_if(|seldom| seldom.is_empty());
        self.schedule.rest();
    }

    /// Takes the answer to the last question.
    pub(super) fn answer(&mut self, id: StreamId, what: Supply) -> Result<(), UsageError> {
        let stream = self.streams.get_mut(id).ok_or(UsageError::NoSuchStream)?;
        let max = match self.question {
            Some((asked, max)) if asked == id => max,
            _ => return Err(UsageError::NotAsked),
        };
        match what {
            Supply::Chunk(bytes, end) => {
                if bytes.len() > max {
                    return Err(UsageError::TooMuch);
                }
                let left = match stream.to_say {
                    None => None,
                    Some(left) => Some(
                        left.checked_sub(bytes.len() as u64)
                            .ok_or(UsageError::LengthMismatch)?,
                    ),
                };
                let more = matches!(end, End::More);
                if !more && left.is_some_and(|left| left > 0) {
                    return Err(UsageError::LengthMismatch);
                }
                if let End::Trailers(trailers) = &end {
                    if stream.asked == Asked::Tunnel {
                        return Err(UsageError::HeadNotExpected);
                    }
                    message::check_trailers(trailers)?;
                }
                stream.to_say = left;
                if more && bytes.is_empty() && max == 0 {
                    // It goes on when there is room for it.
                    self.question = None;
                    return Ok(());
                }
                if more && bytes.is_empty() {
                    // Nothing, and no promise: as good as a deferral.
                    stream.deferred = true;
                } else {
                    let then = end.into();
                    self.piece = Some((id, Piece { bytes, then }));
                    self.question = None;
                    if more {
                        // It stays in line: there will be another question.
                        return Ok(());
                    }
                    stream.saying = Saying::Whole;
                }
            }
            Supply::Deferred => stream.deferred = true,
            Supply::Fail(code) => {
                self.cut(id, code);
            }
        }
        self.question = None;
        self.leave_schedule(id);
        Ok(())
    }

    pub(super) fn leave_schedule(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(id) {
            self.schedule.remove(id, &mut stream.turn);
        }
    }

    /// Adds a DATA frame, as long as the windows allow now: the peer may have made them smaller since it was asked
    /// for. What does not fit keeps its stream's place. Answers whether there was a frame.
    pub(super) fn write_data(&mut self, id: StreamId, piece: Piece, out: &mut Gather) -> bool {
        let largest = self.largest_data();
        let Some(stream) = self.streams.get_mut(id) else {
            return false;
        };
        let room = stream
            .send_window
            .room()
            .min(self.send_window.room())
            .min(largest);
        let Piece {
            mut bytes,
            mut then,
        } = piece;
        if bytes.len() > room {
            let rest = Piece {
                bytes: bytes.split_off(room),
                then: std::mem::replace(&mut then, Then::More),
            };
            stream.held = Some(Box::new(rest));
            stream.saying = Saying::Body;
        } else if !matches!(then, Then::More) {
            stream.saying = Saying::Whole;
        }
        let written = !bytes.is_empty() || matches!(then, Then::Nothing);
        if written {
            let last = matches!(then, Then::Nothing);
            let header = data_header(stream.number, bytes.len(), last);
            let seldom = self.seldom.as_deref_mut();
            let (header, padding) = padding::pad(&self.config, seldom, header, room);
            stream.send_window.spend(header.len());
            self.schedule.spent(id, &mut stream.turn, header.len());
            stream.patience.sent(bytes.len());
            if let Some(seldom) = &mut self.seldom {
                seldom.patience.sent(bytes.len());
            }
            stream.asked_end = false;
            self.send_window.spend(header.len());
            self.reasons.data(bytes.len());
            if self.send_window.room() == 0 {
                self.ends.look();
            }
            stream.step(Step::SendData);
            self.trace.sent_data(header, padding, &bytes);
            out.extend(&header.octets());
            if let Some(padding) = padding {
                out.extend(&[padding]);
            }
            out.push(bytes);
            if let Some(padding) = padding {
                out.extend(padding::zeros(padding));
            }
        }
        let no_room = stream.send_window.room() == 0;
        match then {
            Then::More => {
                if no_room {
                    self.leave_schedule(id);
                }
                self.schedule(id);
            }
            Then::Nothing => self.said_all(id),
            Then::Trailers(trailers) if written => self.control.push(Control::Head {
                id,
                head: Head::Trailers(*trailers),
                end: true,
            }),
            Then::Trailers(trailers) => {
                return self.write_head(id, &Head::Trailers(*trailers), true, out);
            }
        }
        written
    }

    fn largest_data(&self) -> usize {
        LARGEST_DATA.min(self.peer.frame as usize)
    }

    /// Our message is complete, and has left.
    fn said_all(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        stream.saying = Saying::Whole;
        stream.step(Step::SendEnd);
        if stream.state == State::Closed {
            self.finish(id);
        } else if stream.is_pointless() {
            self.cut_short(id);
        }
    }

    /// The rest of the peer's message is of no use: it may stop (RFC 9113, section 8.1).
    pub(super) fn cut_short(&mut self, id: StreamId) {
        let code = match self.role {
            Role::Server => Code::NoError,
            Role::Client => Code::Cancel,
        };
        self.cut(id, code);
        self.events.push(crate::session::Event::Finished { id });
    }

    /// Adds one control frame. Answers false where it has lost its point.
    fn write_control(&mut self, control: Control, out: &mut Gather) -> bool {
        let value;
        let (stream, frame) = match control {
            Control::Preface => {
                if self.role == Role::Client {
                    out.extend(PREFACE);
                }
                let payload = settings::announce(&self.config, &self.limits, self.role);
                // On a connection that is over nobody waits for the answer.
                self.timers.settings = (!self.drain.is_over()).then_some(self.timers.now);
                self.put(0, Frame::Settings(Settings::new(&payload)), out);
                return true;
            }
            Control::SettingsAck { smallest, table } => {
                self.encoder.set_table_limit(smallest);
                self.encoder.set_table_limit(table);
                (0, Frame::SettingsAck)
            }
            Control::Settings(entries) => {
                self.write_settings(entries, out);
                return true;
            }
            Control::Probe(octets) => {
                self.probe_leaves(octets);
                (0, Frame::Ping(octets))
            }
            Control::Extension {
                stream,
                kind,
                flags,
                payload,
            } => return self.write_extension(stream, kind, flags, &payload, out),
            Control::Ping(octets) => (0, Frame::Ping(octets)),
            Control::PingAck(octets) => (0, Frame::PingAck(octets)),
            Control::ConnectionCredit => {
                self.crediting = false;
                match self.recv_window.settle() {
                    0 => return false,
                    credit => (0, Frame::WindowUpdate(credit)),
                }
            }
            Control::StreamCredit(id) => {
                let Some(stream) = self.streams.get_mut(id) else {
                    return false;
                };
                stream.crediting = false;
                // A peer that has said everything needs no credit.
                match stream.recv_window.settle() {
                    credit if credit > 0 && !stream.state.heard_all() => {
                        (stream.number, Frame::WindowUpdate(credit))
                    }
                    _ => return false,
                }
            }
            Control::Head { id, head, end } => return self.begin_head(id, head, end, out),
            Control::Promise { on, id, head } => return self.write_promise(on, id, &head, out),
            Control::End(id) => return self.write_end(id, out),
            Control::Refusal {
                number,
                status,
                end,
            } => {
                let mut head = Response::new(status);
                if let Some(date) = self.epoch.and_then(|epoch| epoch.date(self.timers.now)) {
                    head.fields.push(b"date", date.as_bytes());
                }
                let head = Head::Response(head);
                self.write_block(number, None, &head, end, out);
                return true;
            }
            Control::Priority { .. } if !self.tells_dependencies() => return false,
            Control::Priority { number, dependency } => (number, Frame::Priority(dependency)),
            Control::PriorityUpdate { number, .. } if !self.tells_priority_of(number) => {
                return false;
            }
            Control::PriorityUpdate { number, priority } => {
                value = priority.to_string();
                let (prioritized, value) = (number, value.as_bytes());
                (0, Frame::PriorityUpdate { prioritized, value })
            }
            Control::RstStream { number, code } => (number, Frame::RstStream(code)),
            Control::GoAway { last, code, debug } => {
                let debug = &debug;
                self.put(0, Frame::GoAway { last, code, debug }, out);
                return true;
            }
        };
        self.put(stream, frame, out);
        true
    }

    /// Adds a frame of few octets.
    pub(super) fn put(&mut self, stream: u32, frame: Frame<'_>, out: &mut Gather) {
        out.append(|run| {
            let at = run.len();
            frame.write(stream, run);
            self.trace.sent(run, at);
        });
    }

    pub(super) fn write_head(
        &mut self,
        id: StreamId,
        head: &Head,
        end: bool,
        out: &mut Gather,
    ) -> bool {
        let Some(stream) = self.streams.get_mut(id) else {
            return false;
        };
        stream.step(Step::SendHeaders);
        let number = stream.number;
        self.write_block(number, None, head, end, out);
        if end {
            self.said_all(id);
        }
        true
    }

    /// Adds HEADERS, or PUSH_PROMISE of a stream; what is beyond the peer's largest frame waits to be its
    /// CONTINUATION.
    pub(super) fn write_block(
        &mut self,
        number: u32,
        promised: Option<u32>,
        head: &Head,
        end: bool,
        out: &mut Gather,
    ) {
        let largest = self.peer.frame as usize;
        let most = HEADER_LEN + largest;
        let placed = match head {
            Head::Request(_) if promised.is_none() => self.take_placed(number),
            _ => None,
        };
        let (encoder, again, trace) = (&mut self.encoder, &mut self.again, &mut self.trace);
        let (config, seldom) = (&self.config, self.seldom.as_deref_mut());
        let rest = out.append(|run| {
            let at = run.len();
            run.extend_from_slice(&[0; HEADER_LEN]);
            let kind = match promised {
                None => Kind::Headers,
                Some(promised) => {
                    run.extend_from_slice(&promised.to_be_bytes());
                    Kind::PushPromise
                }
            };
            if let Some(dependency) = placed {
                frame::write_dependency(dependency, run);
            }
            encode(head, encoder, again, run);
            let rest = (run.len() - at > most).then(|| run.split_off(at + most));
            let end_stream = if end { flags::END_STREAM } else { 0 };
            let end_headers = if rest.is_none() {
                flags::END_HEADERS
            } else {
                0
            };
            let priority = placed.map_or(0, |_| flags::PRIORITY);
            let flags = end_stream | end_headers | priority;
            frame::complete(run, at, kind, flags, number);
            if rest.is_none() {
                padding::pad_run(config, seldom, run, at, largest);
            }
            trace.sent(run, at);
            rest
        });
        self.continuation = rest.map(|rest| (number, rest));
    }

    /// Adds the next CONTINUATION, if a block is under way. Answers whether one was.
    fn continue_head(&mut self, out: &mut Gather) -> bool {
        let Some((number, mut block)) = self.continuation.take() else {
            return false;
        };
        let most = self.peer.frame as usize;
        let rest = (block.len() > most).then(|| block.split_off(most));
        let frame = Frame::Continuation {
            block: &block,
            end_headers: rest.is_none(),
        };
        self.put(number, frame, out);
        self.continuation = rest.map(|rest| (number, rest));
        true
    }
}

fn data_header(stream: u32, octets: usize, last: bool) -> Header {
    Header {
        length: octets as u32,
        kind: Kind::Data,
        flags: if last { flags::END_STREAM } else { 0 },
        stream,
    }
}

/// Appends the block of a head.
fn encode(head: &Head, encoder: &mut Encoder, again: &mut Again, run: &mut Vec<u8>) {
    let Head::Response(response) = head else {
        encoder.begin(run);
        return lines_of(head, |field| encoder.field(field, run));
    };
    if let Some(block) = again.block(response, encoder) {
        return run.extend_from_slice(block);
    }
    let (before, at) = (encoder.state(), run.len());
    encoder.begin(run);
    lines_of(head, |field| encoder.field(field, run));
    if let (Some(before), Some(block)) = (before, run.get(at..)) {
        again.made(response, block, encoder, before);
    }
}

/// All lines of a head in the order of the wire: pseudo fields first.
fn lines_of(head: &Head, mut line: impl FnMut(Field<'_>)) {
    let mut pseudo = |name: &[u8], value: Option<&[u8]>| {
        if let Some(value) = value {
            line(Field {
                name,
                value,
                never_index: false,
            });
        }
    };
    let fields = match head {
        Head::Request(request) => {
            pseudo(b":method", Some(request.method()));
            pseudo(b":scheme", request.scheme());
            pseudo(b":authority", request.authority());
            pseudo(b":path", request.path());
            pseudo(b":protocol", request.protocol());
            &request.fields
        }
        Head::Response(response) => {
            let digits = message::status_digits(response.status);
            pseudo(b":status", Some(&digits));
            &response.fields
        }
        Head::Trailers(trailers) => trailers,
    };
    fields.iter().for_each(line);
}
