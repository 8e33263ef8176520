//! The exchanges that are under way on a connection, each in the slot that its session gave it.

use crate::conduit::Conduit;
use crate::memory;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::head::Response;
use thalweg_proto::session::{End, StreamId, Supply};

/// An exchange that is under way, as its connection sees it.
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) conduit: Arc<Conduit>,
    /// The reply, where it was given whole on this thread: the conduit has no part in it then.
    pub(crate) answer: Option<Answer>,
    /// The status of the final head, when that has been handed to the session.
    pub(crate) status: Option<u16>,
    /// Octets of the reply's body that were handed to the session.
    pub(crate) sent: u64,
    /// Octets of the request's body that came.
    pub(crate) received: u64,
    /// Octets that it holds: head, bodies that wait.
    pub(crate) held: usize,
    /// When it began, if anybody wants to know.
    pub(crate) since: Option<Instant>,
}

impl Stream {
    /// What it holds while so many octets of bodies wait.
    pub(crate) fn held_with(&self, waiting: usize) -> usize {
        memory::of_head(self.conduit.head.fields.section_size()) + waiting
    }

    /// The client has gone, or gets no more of the reply.
    pub(crate) fn forsake(&self) {
        // A handler that has answered whole is not there any more.
        if self.answer.is_none() {
            self.conduit.set_gone();
        }
    }
}

/// A whole reply, as far as the session has not taken it. Its body does not count among what requests hold: as a rule
/// the handler has it anyway, and gives the same one to all.
pub(crate) struct Answer {
    pub(crate) head: Option<Response>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(head: Response, body: Bytes) -> Self {
        Self {
            head: Some(head),
            body,
        }
    }

    /// Up to `max` octets of the body for the session.
    pub(crate) fn read(&mut self, max: usize) -> Supply {
        let chunk = self.body.split_to(max.min(self.body.len()));
        let end = match self.body.is_empty() {
            true => End::Last,
            false => End::More,
        };
        Supply::Chunk(chunk, end)
    }
}

/// The streams of a connection.
#[derive(Default)]
pub(crate) struct Table {
    places: Vec<Option<Stream>>,
    open: usize,
}

impl Table {
    /// Puts a stream into its place, and answers with one that was still there.
    pub(crate) fn insert(&mut self, stream: Stream) -> Option<Stream> {
        let place = stream.id.slot() as usize;
        if place >= self.places.len() {
            self.places.resize_with(place + 1, || None);
        }
        let earlier = self.places[place].replace(stream);
        self.open += usize::from(earlier.is_none());
        earlier
    }

    pub(crate) fn find(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.places
            .get_mut(id.slot() as usize)?
            .as_mut()
            .filter(|stream| stream.id == id)
    }

    /// Takes a stream out that is over.
    pub(crate) fn take(&mut self, id: StreamId) -> Option<Stream> {
        let stream = self
            .places
            .get_mut(id.slot() as usize)?
            .take_if(|stream| stream.id == id)?;
        self.open -= 1;
        Some(stream)
    }

    /// Whether no stream is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Whether it holds no memory.
    pub(crate) fn is_unused(&self) -> bool {
        self.places.capacity() == 0
    }

    /// Takes all of them out.
    pub(crate) fn take_all(&mut self) -> Vec<Stream> {
        self.open = 0;
        std::mem::take(&mut self.places)
            .into_iter()
            .flatten()
            .collect()
    }
}
