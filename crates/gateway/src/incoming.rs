//! The request's body on its way to the handler: what has come and has not been taken yet.
//!
//! The session's windows bound it; small pieces are gathered in common buffers, so that a body sent octet by
//! octet takes no more memory than one sent in large frames.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use thalweg_proto::fields::Fields;

/// A piece that follows another untaken one gets a buffer of at least this many octets, for its successors too.
const SHARED_BUFFER: usize = 4 << 10;

/// Credit is given back in portions of this many octets, or when everything that came is taken.
const CREDIT_PORTION: usize = 16 << 10;

/// What has come of a request's body.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    buffers: VecDeque<BytesMut>,
    untaken: usize,
    /// Taken by the handler, and not yet given back to the session.
    credit: usize,
    complete: bool,
    unwanted: bool,
    trailers: Option<Fields>,
    expectation: Expectation,
}

/// `Expect: 100-continue` (RFC 9110, section 10.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expectation {
    #[default]
    None,
    /// The client waits for 100 before it sends the body.
    Waiting,
    /// The handler has asked for the body: the 100 is to be sent.
    Due,
}

/// What a read finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Octets(Bytes),
    End,
    Nothing,
    Discarded,
}

impl Incoming {
    /// The body of a request that has one or (`complete`) has not.
    pub(crate) fn new(complete: bool, expects_continue: bool) -> Self {
        Self {
            complete,
            expectation: match expects_continue && !complete {
                true => Expectation::Waiting,
                false => Expectation::None,
            },
            ..Self::default()
        }
    }

    /// Octets came. Answers whether they are kept; else their credit is free at once.
    pub(crate) fn push(&mut self, octets: &[u8]) -> bool {
        if self.unwanted {
            return false;
        }
        self.untaken += octets.len();
        if let Some(last) = self.buffers.back_mut()
            && last.capacity() - last.len() >= octets.len()
        {
            last.extend_from_slice(octets);
            return true;
        }
        let size = match self.buffers.is_empty() {
            true => octets.len(),
            false => octets.len().max(SHARED_BUFFER),
        };
        let mut buffer = BytesMut::with_capacity(size);
        buffer.extend_from_slice(octets);
        self.buffers.push_back(buffer);
        true
    }

    /// The body is complete.
    pub(crate) fn end(&mut self, trailers: Option<Fields>) {
        self.complete = true;
        self.trailers = trailers;
    }

    /// Up to `max` octets of what has come.
    pub(crate) fn read(&mut self, max: usize) -> Read {
        if self.unwanted {
            return Read::Discarded;
        }
        let Some(first) = self.buffers.front_mut() else {
            if self.complete {
                return Read::End;
            }
            if self.expectation == Expectation::Waiting {
                self.expectation = Expectation::Due;
            }
            return Read::Nothing;
        };
        let octets = match first.len() > max {
            true => first.split_to(max).freeze(),
            false => self.buffers.pop_front().unwrap_or_default().freeze(),
        };
        self.untaken -= octets.len();
        self.credit += octets.len();
        Read::Octets(octets)
    }

    /// Octets that nobody has read.
    pub(crate) fn untaken(&self) -> usize {
        self.untaken
    }

    /// Whether the front must be told now of what reading did.
    pub(crate) fn needs_attention(&self) -> bool {
        self.expectation == Expectation::Due
            || self.credit >= CREDIT_PORTION
            || (self.credit > 0 && self.untaken == 0 && !self.complete)
    }

    /// The trailers, once.
    pub(crate) fn take_trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }

    /// Credit to give back to the session.
    pub(crate) fn take_credit(&mut self) -> usize {
        std::mem::take(&mut self.credit)
    }

    /// Whether a 100 is to be sent now.
    pub(crate) fn take_continue(&mut self) -> bool {
        let due = self.expectation == Expectation::Due;
        if due {
            self.expectation = Expectation::None;
        }
        due
    }

    /// Nobody will read on: what has come is forgotten and its credit given back. Answers, the first time,
    /// whether more may come.
    pub(crate) fn discard(&mut self) -> bool {
        if std::mem::replace(&mut self.unwanted, true) {
            return false;
        }
        self.expectation = Expectation::None;
        self.buffers = VecDeque::new();
        self.credit += std::mem::take(&mut self.untaken);
        !self.complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_sent_octet_by_octet_takes_few_buffers() {
        let mut body = Incoming::new(false, false);
        for _ in 0..100_000 {
            assert!(body.push(b"x"));
        }
        let held: usize = body.buffers.iter().map(BytesMut::capacity).sum();
        assert!(
            held <= 100_000 + 2 * SHARED_BUFFER,
            "{held} octets for 100 000"
        );
        assert!(body.buffers.len() <= 100_000 / SHARED_BUFFER + 2);
    }

    #[test]
    fn credit_is_what_was_taken_and_what_was_discarded() {
        let mut body = Incoming::new(false, false);
        body.push(&[1; 1000]);
        assert_eq!(body.read(300), Read::Octets(Bytes::from(vec![1; 300])));
        assert!(
            !body.needs_attention(),
            "a small portion waits for the next"
        );
        assert_eq!(body.take_credit(), 300);
        assert!(body.discard(), "more may come");
        assert_eq!(body.take_credit(), 700);
        assert!(!body.push(&[1; 10]));
        assert_eq!(body.read(1), Read::Discarded);
    }

    #[test]
    fn a_window_smaller_than_a_portion_does_not_stall() {
        let mut body = Incoming::new(false, false);
        body.push(&[1; 10]);
        assert!(matches!(body.read(1 << 20), Read::Octets(_)));
        assert!(
            body.needs_attention(),
            "everything is taken: the peer may wait for this credit"
        );
    }

    /// RFC 9110, section 10.1.1: the 100 is for a client that waits, when its body is wanted.
    #[test]
    fn continue_is_due_when_the_body_is_first_read() {
        let mut body = Incoming::new(false, true);
        assert!(!body.take_continue());
        assert_eq!(body.read(1), Read::Nothing);
        assert!(body.take_continue());
        assert_eq!(body.read(1), Read::Nothing);
        assert!(!body.take_continue(), "once");
    }
}
