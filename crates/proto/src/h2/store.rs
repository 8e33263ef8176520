//! The streams of one connection: slots that a [`StreamId`] points into, an index by number for what comes from the
//! wire, and a memory of those that ended before their time ([`Resets`]).

use crate::h2::resets::{By, Resets};
use crate::h2::stream::Stream;
use crate::session::StreamId;
use std::collections::VecDeque;

/// All streams that are not closed.
#[derive(Debug, Default)]
pub(super) struct Store {
    slots: Vec<Option<Stream>>,
    free: Vec<u32>,
    /// Number and slot, in rising order: a new stream mostly has the highest number, and goes to the end.
    index: VecDeque<(u32, u32)>,
    /// How many of them the server has opened: those with even numbers.
    pushed: usize,
    resets: Resets,
}

impl Store {
    /// Takes a stream with a new number.
    pub(super) fn insert(&mut self, stream: Stream) -> StreamId {
        let number = stream.number;
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = Some(stream),
            None => {
                // Many connections have one stream at a time.
                if self.slots.capacity() == 0 {
                    self.slots.reserve_exact(1);
                }
                self.slots.push(Some(stream));
            }
        }
        match self.index.back() {
            // Pushed streams count for themselves.
            Some((last, _)) if *last > number => {
                let at = self.index.partition_point(|(other, _)| *other < number);
                self.index.insert(at, (number, slot));
            }
            _ => self.index.push_back((number, slot)),
        }
        self.pushed += usize::from(is_pushed(number));
        StreamId::new(u64::from(number), slot)
    }

    /// The stream of a handle, if it is still the same one.
    pub(super) fn get(&self, id: StreamId) -> Option<&Stream> {
        let stream = self.slots.get(id.slot() as usize)?.as_ref()?;
        (u64::from(stream.number) == id.number()).then_some(stream)
    }

    /// The stream of a handle, if it is still the same one.
    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        let stream = self.slots.get_mut(id.slot() as usize)?.as_mut()?;
        (u64::from(stream.number) == id.number()).then_some(stream)
    }

    /// The handle of the stream with this number.
    pub(super) fn find(&self, number: u32) -> Option<StreamId> {
        let slot = match self.index.back() {
            Some((last, slot)) if *last == number => *slot,
            Some((last, _)) if *last < number => return None,
            _ => {
                let at = self.position(number)?;
                self.index.get(at)?.1
            }
        };
        Some(StreamId::new(u64::from(number), slot))
    }

    /// Takes a stream out.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<Stream> {
        let place = self.slots.get_mut(id.slot() as usize)?;
        let stream = place.take_if(|stream| u64::from(stream.number) == id.number())?;
        self.free.push(id.slot());
        if let Some(at) = self.position(stream.number) {
            self.index.remove(at);
            self.pushed -= usize::from(is_pushed(stream.number));
        }
        Some(stream)
    }

    /// Remembers a stream that was reset, and by whom.
    pub(super) fn remember(&mut self, number: u32, by: By) {
        self.resets.insert(number, by);
    }

    /// Who reset this stream, if it was reset lately.
    pub(super) fn reset_by(&self, number: u32) -> Option<By> {
        self.resets.find(number)
    }

    /// The handles of all streams, in the order of their numbers.
    pub(super) fn ids(&self) -> impl Iterator<Item = StreamId> + '_ {
        self.index
            .iter()
            .map(|(number, slot)| StreamId::new(u64::from(*number), *slot))
    }

    /// All streams.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.slots.iter().flatten()
    }

    /// All streams.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slots.iter_mut().flatten()
    }

    /// How many streams there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// How many of them the server has opened.
    pub(super) fn pushed(&self) -> usize {
        self.pushed
    }

    /// Whether there is no stream.
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Drops all streams.
    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.pushed = 0;
        self.rest();
    }

    /// Gives the memory of streams back, when there are none.
    pub(super) fn rest(&mut self) {
        if !self.is_empty() {
            return;
        }
        self.slots = Vec::new();
        self.free = Vec::new();
        self.index = VecDeque::new();
    }

    fn position(&self, number: u32) -> Option<usize> {
        if self
            .index
            .front()
            .is_some_and(|(first, _)| *first == number)
        {
            return Some(0);
        }
        self.index
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()
    }
}

/// Whether the server opens the stream with this number (RFC 9113, section 5.1.1).
pub(super) fn is_pushed(number: u32) -> bool {
    number.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_the_server_opens_have_their_place_among_the_others() {
        let mut store = Store::default();
        let ids = [1, 5, 2, 7, 4].map(|number| store.insert(Stream::idle(number, 0, 0)));
        let numbers = |store: &Store| store.ids().map(StreamId::number).collect::<Vec<_>>();
        assert_eq!(numbers(&store), [1, 2, 4, 5, 7]);
        assert_eq!(store.pushed(), 2);
        let [_, five, two, ..] = ids;
        assert!(store.remove(five).is_some() && store.remove(two).is_some());
        assert_eq!((numbers(&store), store.pushed()), (vec![1, 4, 7], 1));
        assert_eq!(store.find(4), Some(ids[4]));
    }

    #[test]
    fn a_handle_of_a_stream_that_is_gone_finds_nothing_in_its_old_slot() {
        let mut store = Store::default();
        let first = store.insert(Stream::idle(1, 0, 0));
        let second = store.insert(Stream::idle(3, 0, 0));
        assert!(store.remove(first).is_some() && store.remove(first).is_none());
        let third = store.insert(Stream::idle(5, 0, 0));
        assert_eq!(third.slot(), first.slot());
        assert!(store.get(first).is_none() && store.find(1).is_none());
        assert_eq!(store.find(3), Some(second));
        assert_eq!(store.ids().collect::<Vec<_>>(), [second, third]);
    }
}
