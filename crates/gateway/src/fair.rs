//! A queue in which many owners take turns: who brings little waits little, however much others bring.
//!
//! Each owner has a line of its own, first in, first out; lines take turns, one item at a time. An owner keeps the
//! place of its line, so that nothing is looked up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lines with room for up to so many keep it for the next owner.
const SMALL: usize = 16;

/// Where an owner's line stands: its slot and generation. Only a queue under its lock looks at it.
#[derive(Debug, Default)]
pub(crate) struct Place(AtomicU64);

/// The lines of all owners.
#[derive(Debug)]
pub(crate) struct Fair<T> {
    lines: Vec<Line<T>>,
    free: Vec<u32>,
    /// The lines that hold something, in the order of their turns.
    turns: VecDeque<u32>,
    len: usize,
}

#[derive(Debug)]
struct Line<T> {
    /// How many owners it had: none is 0, so that a new place is nobody's.
    generation: u32,
    items: VecDeque<T>,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            free: Vec::new(),
            turns: VecDeque::new(),
            len: 0,
        }
    }
}

impl Place {
    fn of(&self) -> (usize, u32) {
        let both = self.0.load(Ordering::Relaxed);
        ((both >> 32) as usize, both as u32)
    }

    fn set(&self, slot: u32, generation: u32) {
        let both = u64::from(slot) << 32 | u64::from(generation);
        self.0.store(both, Ordering::Relaxed);
    }
}

impl<T> Fair<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Puts an item at the end of its owner's line, whose place the item tells.
    pub(crate) fn push(&mut self, item: T, owner: impl Fn(&T) -> &Place) {
        self.len += 1;
        if let Some(line) = self.line_of(owner(&item)) {
            line.items.push_back(item);
            return;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.lines.push(Line {
                generation: 0,
                items: VecDeque::new(),
            });
            (self.lines.len() - 1) as u32
        });
        let line = &mut self.lines[slot as usize];
        line.generation = line.generation.wrapping_add(1).max(1);
        owner(&item).set(slot, line.generation);
        line.items.push_back(item);
        self.turns.push_back(slot);
    }

    /// Takes the first item of the line whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let slot = self.turns.pop_front()?;
        let line = &mut self.lines[slot as usize];
        let item = line.items.pop_front()?;
        self.len -= 1;
        if line.items.is_empty() {
            self.leave(slot);
        } else {
            self.turns.push_back(slot);
        }
        Some(item)
    }

    /// Takes the last item of the longest line, if that has two more than this owner's.
    pub(crate) fn displace(&mut self, owner: &Place) -> Option<T> {
        let own = self.line_of(owner).map_or(0, |line| line.items.len());
        let longest = self.turns.iter().copied();
        let longest = longest.max_by_key(|&slot| self.lines[slot as usize].items.len())?;
        let line = &mut self.lines[longest as usize];
        if line.items.len() < own + 2 {
            return None;
        }
        self.len -= 1;
        line.items.pop_back()
    }

    /// Keeps those for which `keep` answers true.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.len = 0;
        for slot in std::mem::take(&mut self.turns) {
            let line = &mut self.lines[slot as usize];
            line.items.retain(&mut keep);
            self.len += line.items.len();
            if line.items.is_empty() {
                self.leave(slot);
            } else {
                self.turns.push_back(slot);
            }
        }
    }

    /// An empty line is free for another owner.
    fn leave(&mut self, slot: u32) {
        let line = &mut self.lines[slot as usize];
        line.generation = line.generation.wrapping_add(1).max(1);
        line.items.shrink_to(SMALL);
        self.free.push(slot);
    }

    fn line_of(&mut self, owner: &Place) -> Option<&mut Line<T>> {
        let (slot, generation) = owner.of();
        let line = self.lines.get_mut(slot)?;
        (line.generation == generation && !line.items.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    type Item = (u32, Rc<Place>);

    fn owners() -> (Rc<Place>, Rc<Place>) {
        Default::default()
    }

    fn push(queue: &mut Fair<Item>, owner: &Rc<Place>, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            queue.push((number, Rc::clone(owner)), |(_, owner)| owner);
        }
    }

    fn all(queue: &mut Fair<Item>) -> Vec<u32> {
        std::iter::from_fn(|| Some(queue.pop()?.0)).collect()
    }

    #[test]
    fn owners_take_turns_and_each_keeps_its_order() {
        let (mut queue, (many, few)) = (Fair::default(), owners());
        push(&mut queue, &many, 0..5);
        push(&mut queue, &few, [10, 11]);
        assert_eq!(all(&mut queue), [0, 10, 1, 11, 2, 3, 4]);
        assert!(queue.is_empty());
        push(&mut queue, &few, [12]);
        push(&mut queue, &many, [5]);
        assert_eq!(all(&mut queue), [12, 5]);
    }

    #[test]
    fn the_longest_line_makes_room_for_a_shorter_one() {
        let (mut queue, (many, few)) = (Fair::default(), owners());
        push(&mut queue, &many, 0..3);
        assert!(
            queue.displace(&many).is_none(),
            "nobody displaces their own"
        );
        assert_eq!(queue.displace(&few).unwrap().0, 2, "the last");
        push(&mut queue, &few, [10]);
        assert!(
            queue.displace(&few).is_none(),
            "two are not much more than one"
        );
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn what_is_not_kept_leaves_no_turn_behind() {
        let (mut queue, (one, other)) = (Fair::default(), owners());
        push(&mut queue, &one, [0, 2]);
        push(&mut queue, &other, [1, 3]);
        queue.retain(|(number, _)| number % 2 == 1);
        assert_eq!(queue.len(), 2);
        push(&mut queue, &one, [4]);
        assert_eq!(all(&mut queue), [1, 4, 3]);
    }
}
