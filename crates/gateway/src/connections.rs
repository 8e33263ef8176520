//! The connections of a worker, found again by messages from other threads, and what waits to be attended on each.

use crate::conduit::ConnectionKey;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use thalweg_net::Wake;
use thalweg_proto::session::StreamId;

/// The streams of one connection that want attention.
pub(crate) struct Outbox {
    streams: RefCell<Vec<StreamId>>,
    /// The connection is at work, and looks here before it rests.
    at_work: Cell<bool>,
    wake: Wake,
}

impl Outbox {
    pub(crate) fn new(wake: Wake) -> Self {
        Self {
            streams: RefCell::default(),
            at_work: Cell::new(false),
            wake,
        }
    }

    /// Has the connection attend to a stream before its next write.
    pub(crate) fn push(&self, stream: StreamId) {
        let mut streams = self.streams.borrow_mut();
        if streams.is_empty() && !self.at_work.get() {
            self.wake.wake();
        }
        streams.push(stream);
    }

    /// While the connection is at work, it needs no waking.
    pub(crate) fn set_at_work(&self, at_work: bool) {
        self.at_work.set(at_work);
    }

    /// Puts the streams that wait into `turn`, which is empty, oldest first.
    pub(crate) fn take(&self, turn: &mut Vec<StreamId>) {
        std::mem::swap(&mut *self.streams.borrow_mut(), turn);
    }
}

/// All connections of a worker.
#[derive(Default)]
pub(crate) struct Connections {
    places: Vec<Place>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Place {
    generation: u64,
    outbox: Option<Rc<Outbox>>,
}

impl Connections {
    /// Gives a connection its key.
    pub(crate) fn insert(&mut self, outbox: Rc<Outbox>) -> ConnectionKey {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        self.places[place].outbox = Some(outbox);
        ConnectionKey {
            place,
            generation: self.places[place].generation,
        }
    }

    /// The connection with this key, unless it has ended.
    pub(crate) fn find(&self, key: ConnectionKey) -> Option<&Rc<Outbox>> {
        let place = self.places.get(key.place)?;
        place
            .outbox
            .as_ref()
            .filter(|_| place.generation == key.generation)
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&mut self, key: ConnectionKey) {
        if self.find(key).is_some() {
            let place = &mut self.places[key.place];
            place.outbox = None;
            place.generation += 1;
            self.free.push(key.place);
        }
    }
}
