//! A queue that mostly holds one thing at a time: that one is kept inline, and memory is taken only for more.

use std::collections::VecDeque;

/// First in, first out.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// None only where there is nothing at all.
    first: Option<T>,
    more: VecDeque<T>,
}

impl<T> Queue<T> {
    /// An empty one, which holds no memory.
    pub(super) fn new() -> Self {
        Self {
            first: None,
            more: VecDeque::new(),
        }
    }

    /// Appends.
    pub(super) fn push(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.more.push_back(item);
        }
    }

    /// The first, which stays.
    pub(super) fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    /// Puts something in front of what is `at` places behind the first, or at the end.
    pub(super) fn insert(&mut self, at: usize, item: T) {
        match (at.checked_sub(1), self.first.take()) {
            (_, None) => self.first = Some(item),
            (None, Some(first)) => {
                self.more.push_front(first);
                self.first = Some(item);
            }
            (Some(behind), first) => {
                self.more.insert(behind.min(self.more.len()), item);
                self.first = first;
            }
        }
    }

    /// Takes the first.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        // Mostly there is none, and nothing has to be moved to find that out.
        self.first.as_ref()?;
        let item = self.first.take();
        if !self.more.is_empty() {
            self.first = self.more.pop_front();
        }
        item
    }

    /// Keeps those for which `keep` answers true, in their order.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.more.retain(&mut keep);
        if self.first.as_ref().is_some_and(|first| !keep(first)) {
            self.first = self.more.pop_front();
        }
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Gives memory back, where none is needed.
    pub(super) fn shrink(&mut self) {
        if self.more.is_empty() {
            self.more = VecDeque::new();
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
