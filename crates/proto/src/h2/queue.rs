//! A queue that gives its memory back when it is told to, and not between two things that follow each other.

use std::collections::VecDeque;

/// First in, first out.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: VecDeque<T>,
}

impl<T> Queue<T> {
    /// An empty one, which holds no memory.
    pub(super) fn new() -> Self {
        Self {
            items: VecDeque::new(),
        }
    }

    /// Appends.
    pub(super) fn push(&mut self, item: T) {
        // Mostly there is one thing at a time.
        if self.items.capacity() == 0 {
            self.items.reserve_exact(1);
        }
        self.items.push_back(item);
    }

    /// The first, which stays.
    pub(super) fn first(&self) -> Option<&T> {
        self.items.front()
    }

    /// Puts something in front of what is `at` places behind the first, or at the end.
    pub(super) fn insert(&mut self, at: usize, item: T) {
        self.items.insert(at.min(self.items.len()), item);
    }

    /// Takes the first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Keeps those for which `keep` answers true, in their order.
    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Gives memory back, where none is needed.
    pub(super) fn shrink(&mut self) {
        if self.items.is_empty() {
            self.items = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_whatever_is_taken_out() {
        let mut queue = Queue::new();
        (0..6).for_each(|number| queue.push(number));
        queue.retain(|number| number % 2 == 1);
        assert_eq!(queue.pop(), Some(1));
        queue.push(7);
        queue.retain(|number| *number != 3);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(5), Some(7), None]
        );
        assert!(queue.is_empty());
        queue.insert(3, 1);
        queue.insert(0, 0);
        queue.insert(1, 2);
        queue.insert(9, 9);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [0, 2, 1, 9]);
    }
}
