//! The connections of a worker, found again by messages from other threads, and what waits to be attended on each.

use crate::conduit::ConnectionKey;
use std::cell::{Cell, RefCell};
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

/// All connections of a worker, each with what is kept of it here.
pub(crate) struct Connections<T> {
    places: Vec<Place<T>>,
    free: Vec<usize>,
}

struct Place<T> {
    /// How many connections had this place before.
    generation: u64,
    kept: Option<T>,
}

impl<T> Connections<T> {
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Gives a connection its key.
    pub(crate) fn insert(&mut self, kept: T) -> ConnectionKey {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                kept: None,
            });
            self.places.len() - 1
        });
        self.places[place].kept = Some(kept);
        ConnectionKey {
            place,
            generation: self.places[place].generation,
        }
    }

    /// What is kept of the connection with this key, unless it has ended.
    pub(crate) fn find(&self, key: ConnectionKey) -> Option<&T> {
        let place = self.places.get(key.place)?;
        place
            .kept
            .as_ref()
            .filter(|_| place.generation == key.generation)
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&mut self, key: ConnectionKey) {
        if self.find(key).is_some() {
            let place = &mut self.places[key.place];
            place.kept = None;
            place.generation += 1;
            self.free.push(key.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_message_does_not_reach_the_next_connection_at_the_same_place() {
        let mut connections = Connections::new();
        let first = connections.insert("first");
        connections.remove(first);
        let second = connections.insert("second");
        assert_eq!(first.place, second.place);
        assert_eq!(connections.find(first), None);
        connections.remove(first);
        assert_eq!(connections.find(second), Some(&"second"));
    }
}
