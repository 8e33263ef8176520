//! The connections of a worker, found again by messages from other threads.

use crate::conduit::ConnectionKey;

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
