//! What most connections never have: kept apart, so that they hold no memory for it.

use super::frame::Dependency;
use super::padding::Chooser;
use super::patience::Patience;
use super::probe::Probe;
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
    /// What the heads of new streams are to say of their places in the tree.
    pub(super) placed: Vec<(u32, Dependency)>,
    /// Settings of ours, beside the first ones, that the peer has not acknowledged; and how many there are with those
    /// that have not left.
    pub(super) announced: VecDeque<Vec<(u16, u32)>>,
    pub(super) announcements: usize,
    /// Settings of the peer's that mean nothing to the session.
    pub(super) peer_settings: Vec<(u16, u32)>,
    /// PINGs of the caller's that have left; and how many there are with those that have not.
    pub(super) probes: VecDeque<Probe>,
    pub(super) pings: usize,
    /// How long all bodies together may wait for the connection's window. Without streams it is forgotten.
    pub(super) patience: Patience,
    /// The caller's own rule for padding.
    pub(super) chooser: Option<Chooser>,
}

impl Seldom {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.parked.is_empty()
            && self.early.is_empty()
            && self.placed.is_empty()
            && self.announcements == 0
            && self.peer_settings.is_empty()
            && self.pings == 0
            && self.chooser.is_none()
    }
}
