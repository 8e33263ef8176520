//! The reply on its way to the session: heads, pieces of the body, and how it ends.
//!
//! ```text
//!             inform*            write*
//!   Waiting ──► start ──► Started ──► finish ──► Ended
//!      └────── respond (all at once) ─────────────┘
//!   at any time: break off, after which what was written still leaves, and then the stream is reset
//! ```

use bytes::Bytes;
use std::collections::VecDeque;
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::{End, Supply};

/// Above this many octets that the session has not asked for yet, a writer waits.
pub(crate) const HIGH_WATER: usize = 256 << 10;

/// A writer that waits goes on at this many.
const LOW_WATER: usize = HIGH_WATER / 2;

/// A reply, as far as the session has not taken it.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    stage: Stage,
    /// Requests whose responses the client shall get unasked.
    promised: Vec<Request>,
    informational: Vec<Response>,
    head: Option<Response>,
    chunks: VecDeque<Bytes>,
    /// Octets of `chunks`.
    queued: usize,
    ending: Option<Ending>,
    /// The length of a reply that was given whole.
    whole: Option<usize>,
    swallowed: bool,
}

/// How far the handler has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Waiting,
    Started,
    Ended,
}

/// How a reply ends.
#[derive(Debug)]
enum Ending {
    Complete(Option<Fields>),
    Broken(Broken),
}

/// Why a reply will never be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The handler failed: the client is told by a 500 where nothing was started, else by a reset.
    Failed,
    /// The handler gave it up with this code.
    Reset(Code),
}

impl Broken {
    pub(crate) fn code(self) -> Code {
        match self {
            Broken::Failed => Code::Internal,
            Broken::Reset(code) => code,
        }
    }
}

/// A command that does not fit the stage of the reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

impl Outgoing {
    /// A promise of another response, at any time before the reply is complete.
    pub(crate) fn promise(&mut self, head: Request) -> Result<(), OutOfOrder> {
        if self.stage == Stage::Ended {
            return Err(OutOfOrder);
        }
        self.promised.push(head);
        Ok(())
    }

    /// An informational head, before the final one.
    pub(crate) fn inform(&mut self, head: Response) -> Result<(), OutOfOrder> {
        if self.stage != Stage::Waiting || !head.is_informational() {
            return Err(OutOfOrder);
        }
        self.informational.push(head);
        Ok(())
    }

    /// The final head; the body follows.
    pub(crate) fn start(&mut self, head: Response) -> Result<(), OutOfOrder> {
        if self.stage != Stage::Waiting || !is_final(&head) {
            return Err(OutOfOrder);
        }
        self.stage = Stage::Started;
        self.head = Some(head);
        Ok(())
    }

    /// A whole reply.
    pub(crate) fn respond(&mut self, head: Response, body: Bytes) -> Result<(), OutOfOrder> {
        self.start(head)?;
        self.give_whole(body);
        Ok(())
    }

    /// Whether a writer must wait.
    pub(crate) fn is_full(&self) -> bool {
        self.queued >= HIGH_WATER
    }

    /// A piece of the body. Whether there is room is [`Outgoing::is_full`]'s to say: one piece always fits.
    pub(crate) fn write(&mut self, chunk: Bytes) -> Result<(), OutOfOrder> {
        if self.stage != Stage::Started {
            return Err(OutOfOrder);
        }
        self.push(chunk);
        Ok(())
    }

    /// The body is complete.
    pub(crate) fn finish(&mut self, trailers: Option<Fields>) -> Result<(), OutOfOrder> {
        if self.stage != Stage::Started {
            return Err(OutOfOrder);
        }
        self.end(Ending::Complete(trailers));
        Ok(())
    }

    /// The reply will never be complete. Answers whether that changes anything: it may be complete already.
    pub(crate) fn break_off(&mut self, why: Broken) -> bool {
        if self.stage == Stage::Ended {
            return false;
        }
        self.end(Ending::Broken(why));
        true
    }

    /// The promises that wait to be made.
    pub(crate) fn take_promised(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.promised)
    }

    /// The informational heads that wait to be sent.
    pub(crate) fn take_informational(&mut self) -> Vec<Response> {
        std::mem::take(&mut self.informational)
    }

    /// The final head, where it waits to be sent.
    pub(crate) fn take_head(&mut self) -> Option<Response> {
        self.head.take()
    }

    /// The length of the body, where head and body were given as one.
    pub(crate) fn whole(&self) -> Option<usize> {
        self.whole
    }

    /// Octets that the session has not taken.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the handler writes no more.
    pub(crate) fn is_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Whether there is something to supply.
    pub(crate) fn has_output(&self) -> bool {
        !self.swallowed && (!self.chunks.is_empty() || self.ending.is_some())
    }

    /// Whether the reply was broken off, and why.
    pub(crate) fn broken(&self) -> Option<Broken> {
        match self.ending {
            Some(Ending::Broken(why)) => Some(why),
            _ => None,
        }
    }

    /// The client gets no body (HEAD, 204, 304): what is written is counted and dropped.
    pub(crate) fn swallow(&mut self) {
        self.swallowed = true;
        self.drop_chunks();
    }

    /// Nobody reads the reply any more.
    pub(crate) fn clear(&mut self) {
        self.promised.clear();
        self.informational.clear();
        self.head = None;
        self.drop_chunks();
    }

    /// Up to `max` octets for the session. With them comes whether a writer that waits may go on.
    pub(crate) fn read(&mut self, max: usize) -> (Supply, bool) {
        if !self.promised.is_empty() {
            // What was written after a promise must not leave before it.
            return (Supply::Deferred, false);
        }
        let was_high = self.queued > LOW_WATER;
        let Some(first) = self.chunks.front_mut() else {
            let supply = match self.ending.take() {
                None => Supply::Deferred,
                Some(Ending::Complete(trailers)) => Supply::Chunk(Bytes::new(), end(trailers)),
                Some(Ending::Broken(why)) => Supply::Fail(why.code()),
            };
            return (supply, false);
        };
        let chunk = match first.len() > max {
            true => first.split_to(max),
            false => self.chunks.pop_front().unwrap_or_default(),
        };
        self.queued -= chunk.len();
        let end = match self.ending.take() {
            Some(Ending::Complete(trailers)) if self.chunks.is_empty() => end(trailers),
            later => {
                self.ending = later;
                End::More
            }
        };
        let drained = was_high && self.queued <= LOW_WATER;
        (Supply::Chunk(chunk, end), drained)
    }

    fn give_whole(&mut self, body: Bytes) {
        self.whole = Some(body.len());
        self.push(body);
        self.end(Ending::Complete(None));
    }

    fn push(&mut self, chunk: Bytes) {
        if !self.swallowed && !chunk.is_empty() {
            self.queued += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    fn end(&mut self, ending: Ending) {
        self.stage = Stage::Ended;
        self.ending = Some(ending);
    }

    fn drop_chunks(&mut self) {
        self.chunks = VecDeque::new();
        self.queued = 0;
    }
}

/// Whether a body, or a tunnel's octets, may follow this head.
pub(crate) fn is_final(head: &Response) -> bool {
    !head.is_informational() || head.status == 101
}

fn end(trailers: Option<Fields>) -> End {
    trailers.map_or(End::Last, End::Trailers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that the session gets when it asks for up to `max` octets at a time.
    fn drain(reply: &mut Outgoing, max: usize) -> (Vec<u8>, String) {
        let mut octets = Vec::new();
        loop {
            match reply.read(max).0 {
                Supply::Chunk(chunk, end) => {
                    assert!(chunk.len() <= max);
                    octets.extend_from_slice(&chunk);
                    if !matches!(end, End::More) {
                        return (octets, format!("{end:?}"));
                    }
                }
                last => return (octets, format!("{last:?}")),
            }
        }
    }

    #[test]
    fn a_whole_reply_ends_with_its_last_octet() {
        let mut reply = Outgoing::default();
        let body = Bytes::from_static(b"Hello, world");
        assert_eq!(reply.respond(Response::new(200), body), Ok(()));
        assert_eq!(reply.whole(), Some(12));
        assert_eq!(
            drain(&mut reply, 5),
            (b"Hello, world".to_vec(), "Last".to_owned())
        );
    }

    #[test]
    fn pieces_keep_their_order_and_trailers_come_last() {
        let mut reply = Outgoing::default();
        assert_eq!(reply.write(Bytes::new()), Err(OutOfOrder));
        assert_eq!(reply.start(Response::new(200)), Ok(()));
        for piece in ["a", "", "bc", "def"] {
            assert_eq!(reply.write(Bytes::from_static(piece.as_bytes())), Ok(()));
        }
        assert_eq!(
            drain(&mut reply, 2),
            (b"abcdef".to_vec(), "Deferred".to_owned())
        );
        let trailers: Fields = [(&b"x"[..], &b"1"[..])].into_iter().collect();
        assert_eq!(reply.finish(Some(trailers)), Ok(()));
        assert_eq!(
            drain(&mut reply, 2),
            (vec![], "Trailers([x: 1])".to_owned())
        );
    }

    /// RFC 9113, section 8.4.1: a promise goes ahead of what refers to it.
    #[test]
    fn what_is_written_after_a_promise_waits_until_it_is_made() {
        let mut reply = Outgoing::default();
        assert_eq!(reply.start(Response::new(200)), Ok(()));
        assert_eq!(reply.promise(Request::new(b"GET")), Ok(()));
        assert_eq!(reply.write(Bytes::from_static(b"link")), Ok(()));
        assert_eq!(reply.finish(None), Ok(()));
        assert_eq!(drain(&mut reply, 9), (vec![], "Deferred".to_owned()));
        assert_eq!(reply.take_promised().len(), 1);
        assert_eq!(drain(&mut reply, 9), (b"link".to_vec(), "Last".to_owned()));
    }

    #[test]
    fn a_broken_reply_fails_after_what_was_written() {
        let mut reply = Outgoing::default();
        assert_eq!(reply.start(Response::new(200)), Ok(()));
        assert_eq!(reply.write(Bytes::from_static(b"half")), Ok(()));
        assert!(reply.break_off(Broken::Failed));
        assert!(!reply.break_off(Broken::Failed), "once");
        assert_eq!(
            drain(&mut reply, 100),
            (b"half".to_vec(), "Fail(Internal)".to_owned())
        );
    }

    #[test]
    fn a_writer_waits_above_the_mark_and_goes_on_when_half_has_left() {
        let mut reply = Outgoing::default();
        assert_eq!(reply.start(Response::new(200)), Ok(()));
        while !reply.is_full() {
            assert_eq!(reply.write(Bytes::from_static(&[b'x'; 4096])), Ok(()));
        }
        assert_eq!(reply.queued, HIGH_WATER);
        let asked = (1..).find(|_| reply.read(4096).1);
        assert_eq!(
            asked,
            Some((HIGH_WATER - LOW_WATER) / 4096),
            "told once, at the lower mark"
        );
        assert!(!reply.read(4096).1);
    }

    #[test]
    fn what_nobody_gets_is_never_full() {
        let mut reply = Outgoing::default();
        assert_eq!(reply.start(Response::new(204)), Ok(()));
        reply.swallow();
        assert_eq!(reply.write(Bytes::from(vec![0; 2 * HIGH_WATER])), Ok(()));
        assert!(!reply.is_full() && !reply.has_output());
    }
}
