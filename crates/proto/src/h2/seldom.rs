//! What most connections never have: kept apart, so that they hold no memory for it.

use super::push::Parked;
use crate::session::Priority;
use std::collections::VecDeque;

/// Made when it is needed first, and given back when nothing of it is left.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// Heads of pushed responses that wait until the client takes another stream.
    pub(super) parked: VecDeque<Parked>,
    /// What was said of the priority of streams that do not exist yet.
    pub(super) early: Vec<(u32, Priority)>,
}

impl Seldom {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty() && self.early.is_empty()
    }
}
