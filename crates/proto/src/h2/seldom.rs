//! What most connections never have: kept apart, so that they hold no memory for it.

use super::push::Parked;
use std::collections::VecDeque;

/// Made when it is needed first, and given back when nothing of it is left.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// Heads of pushed responses that wait until the client takes another stream.
    pub(super) parked: VecDeque<Parked>,
}

impl Seldom {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }
}
