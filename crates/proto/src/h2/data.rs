//! DATA that comes (RFC 9113, section 6.1): counted when its header is read, handed on in pieces as its octets come.

use super::Session;
use super::frame::{self, Fault, Header, flags};
use super::recv::{Progress, Reading, Standing, take};
use super::stream::{Hearing, State, Step};
use crate::error::{ConnectionError, Violation};
use crate::fields::Fields;
use crate::session::{Event, StreamId};

/// DATA with fewer octets of content, and more to come, is a crumb: its header is longer than what it carries.
const CRUMB: usize = 8;

/// DATA under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    /// Its stream; none when it is ignored.
    id: Option<StreamId>,
    /// Octets of content to come.
    content: usize,
    /// Octets of padding after them.
    padding: usize,
    end: bool,
}

impl Session {
    /// The frame's octets count, whatever becomes of them (RFC 9113, section 6.9).
    pub(super) fn begin_data(
        &mut self,
        header: Header,
        pad: Option<u8>,
    ) -> Result<Reading, ConnectionError> {
        let content = match frame::content_len(header.len(), pad) {
            Ok(content) => content,
            Err(Fault::Connection(why) | Fault::Stream(why)) => return Err(why.into()),
        };
        self.trace.padding(pad);
        self.recv_window.receive(header.length)?;
        // From here on its own pace is what counts.
        self.timers.unit = None;
        let overhead = header.length - content as u32;
        let end = header.has(flags::END_STREAM);
        if content == 0 && !end {
            self.count_glitch()?;
        } else if content < CRUMB && !end {
            self.count_toil()?;
        }
        let id = self.admit_data(header, content)?;
        match id {
            // Nobody consumes padding: its credit goes back at once. So does that of all that is ignored.
            Some(id) => {
                self.count_growth(id, header.length);
                self.credit_stream(id, overhead);
            }
            None => self.credit_connection(header.length),
        }
        Ok(Reading::Data(Data {
            id,
            content,
            padding: pad.map_or(0, usize::from),
            end,
        }))
    }

    /// Finds the stream that takes a DATA frame; none when it is ignored.
    fn admit_data(
        &mut self,
        header: Header,
        content: usize,
    ) -> Result<Option<StreamId>, ConnectionError> {
        let id = match self.standing(header.stream) {
            Standing::Open(id) => id,
            Standing::Idle => return Err(Violation::StreamState.into()),
            Standing::Closed => {
                self.closed(header.stream, header.length)?;
                return Ok(None);
            }
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(None);
        };
        if stream.state.is_reserved() {
            return Err(Violation::StreamState.into());
        }
        let fault = if !stream.step(Step::RecvData) {
            Some(Violation::StreamClosed)
        } else if stream.hearing == Hearing::Head {
            Some(Violation::StreamState)
        } else if !stream.hear(content) {
            Some(Violation::ContentLengthMismatch)
        } else {
            stream.recv_window.receive(header.length).err()
        };
        match fault {
            None => Ok(Some(id)),
            Some(why) => {
                self.stream_error(id, why)?;
                Ok(None)
            }
        }
    }

    pub(super) fn advance_data<'b>(
        &mut self,
        mut data: Data,
        rest: &mut &'b [u8],
    ) -> Result<Progress<'b>, ConnectionError> {
        let bytes = take(rest, data.content);
        self.trace.data(bytes);
        data.content -= bytes.len();
        if data.content == 0 {
            data.padding -= take(rest, data.padding).len();
        }
        // The stream may have ended between two pieces, and what it held was credited then.
        let wanted = match data.id.and_then(|id| self.streams.get_mut(id)) {
            None => {
                data.id = None;
                false
            }
            Some(stream) => {
                // The client has not waited for 100 Continue.
                stream.expects = false;
                if let Some(pace) = &mut stream.pace {
                    let held = stream.recv_window.holds(data.content + bytes.len());
                    pace.hold(self.timers.now, held);
                    pace.received(bytes.len());
                }
                !stream.discarding
            }
        };
        if let (Some(id), false) = (data.id, wanted) {
            self.credit_stream(id, bytes.len() as u32);
        }
        let complete = data.content == 0 && data.padding == 0;
        if complete {
            self.end_frame(0);
            if let (Some(id), true) = (data.id, data.end) {
                self.heard_all(id, None)?;
            }
        } else {
            self.reading = Reading::Data(data);
        }
        Ok(match data.id {
            Some(id) if wanted && !bytes.is_empty() => Progress::Event(Event::Data {
                id,
                bytes,
                credit: bytes.len(),
            }),
            _ if complete => Progress::Again,
            _ => Progress::Dry,
        })
    }

    /// Octets that a DATA frame under way will still bring to a stream. Its window counts them already.
    pub(super) fn coming(&self) -> Option<(StreamId, usize)> {
        match self.reading {
            Reading::Data(Data {
                id: Some(id),
                content,
                ..
            }) => Some((id, content)),
            _ => None,
        }
    }

    /// The peer's message is complete.
    pub(super) fn heard_all(
        &mut self,
        id: StreamId,
        trailers: Option<Fields>,
    ) -> Result<(), ConnectionError> {
        let Some(stream) = self.streams.get_mut(id) else {
            return Ok(());
        };
        if !stream.heard_announced() {
            return self.stream_error(id, Violation::ContentLengthMismatch);
        }
        stream.step(Step::RecvEnd);
        stream.pace = None;
        let (closed, told) = (stream.state == State::Closed, !stream.discarding);
        if told {
            self.events.push(Event::End { id, trailers });
        }
        if closed {
            self.finish(id);
        }
        Ok(())
    }
}
