//! Whose DATA leaves next: by the tree of RFC 7540 where the client has planted one, else by RFC 9218, section 10.
//!
//! ```text
//!  urgency 0   serial ─► 1 ─► 5 ─► 9          one after the other, in the order of their numbers
//!              shared ─► 3 ─► 7               in turns, each as many octets as the others
//!  urgency 1   …                              only while nobody above has anything to send
//! ```
//!
//! The serial streams of one urgency have one share of it between them, as if they were one of the shared: so neither
//! starves the other. A share is counted in octets: whoever has had the least is next, and who comes late begins
//! where the others stand.

use super::frame::Dependency;
use super::tree::{Tree, USUAL_WEIGHT};
use crate::session::{Priority, StreamId};
use std::collections::VecDeque;

/// Urgencies that there are.
const LEVELS: usize = 8;

/// What the schedule knows of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    priority: Priority,
    /// Octets that count for its share, on the scale of its urgency.
    had: u64,
    /// Whether it is in line.
    waits: bool,
    /// Whether the client's signals leave it where it is.
    pub(super) held: bool,
}

impl Turn {
    /// For a stream with this priority.
    pub(super) fn new(priority: Priority) -> Self {
        Self {
            priority: priority.clamped(),
            had: 0,
            waits: false,
            held: false,
        }
    }

    /// The stream's priority.
    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    /// Whether the stream is in line.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }
}

/// Somebody in line. The order of the fields is the order of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    urgency: u8,
    shared: bool,
    had: u64,
    number: u64,
    slot: u32,
}

impl Place {
    fn of(id: StreamId, turn: &Turn) -> Self {
        Self {
            urgency: turn.priority.urgency,
            shared: turn.priority.incremental,
            had: if turn.priority.incremental {
                turn.had
            } else {
                0
            },
            number: id.number(),
            slot: id.slot(),
        }
    }

    fn id(self) -> StreamId {
        StreamId::new(self.number, self.slot)
    }
}

/// One urgency's accounts.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// What everybody who waits has had, at least.
    least: u64,
    /// What the serial streams together have had.
    serial: u64,
}

/// The streams of one session that have DATA to send, and room for it.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// In order.
    line: VecDeque<Place>,
    /// What was had, from the first time that a stream has had something while another waits.
    levels: Option<Box<[Level; LEVELS]>>,
    /// Decides instead of all that, where there is one.
    pub(super) tree: Option<Box<Tree>>,
}

impl Schedule {
    /// Gives a stream another priority, and the place that belongs to it.
    pub(super) fn change(&mut self, id: StreamId, turn: &mut Turn, priority: Priority) {
        if turn.priority == priority {
            return;
        }
        let waits = turn.waits;
        self.remove(id, turn);
        *turn = Turn {
            held: turn.held,
            ..Turn::new(priority)
        };
        if waits {
            self.add(id, turn);
        }
    }

    /// Takes a stream in, unless it waits already.
    pub(super) fn add(&mut self, id: StreamId, turn: &mut Turn) {
        if turn.waits {
            return;
        }
        turn.waits = true;
        if let Some(tree) = &mut self.tree {
            return tree.set_ready(id.number() as u32, true);
        }
        let least = self.level(turn.priority.urgency).least;
        turn.had = turn.had.max(least);
        let place = Place::of(id, turn);
        // As a rule the last: the newest, or the one that has just had its turn.
        if self.line.back().is_none_or(|last| *last < place) {
            self.line.push_back(place);
        } else {
            let at = self.line.partition_point(|other| *other < place);
            self.line.insert(at, place);
        }
    }

    /// Takes a stream out, if it waits.
    pub(super) fn remove(&mut self, id: StreamId, turn: &mut Turn) {
        if !std::mem::take(&mut turn.waits) {
            return;
        }
        if let Some(tree) = &mut self.tree {
            return tree.set_ready(id.number() as u32, false);
        }
        let place = Place::of(id, turn);
        if self.line.front() == Some(&place) {
            self.line.pop_front();
        } else if let Ok(at) = self.line.binary_search(&place) {
            self.line.remove(at);
        }
    }

    /// A stream begins.
    pub(super) fn open(&mut self, id: StreamId) {
        if let Some(tree) = &mut self.tree {
            tree.open(id.number() as u32, id.slot());
        }
    }

    /// A stream depends on another from now on.
    pub(super) fn place_below(&mut self, id: StreamId, on: StreamId) {
        let below = Dependency {
            on: on.number() as u32,
            exclusive: false,
            weight: USUAL_WEIGHT,
        };
        if let Some(tree) = &mut self.tree {
            tree.depend(id.number() as u32, below, false);
        }
    }

    /// A stream is over.
    pub(super) fn close(&mut self, id: StreamId, turn: &mut Turn) {
        self.remove(id, turn);
        if let Some(tree) = &mut self.tree {
            tree.close(id.number() as u32);
        }
    }

    /// The stream whose turn it is.
    pub(super) fn next(&self) -> Option<StreamId> {
        if let Some(tree) = &self.tree {
            let (number, slot) = tree.next()?;
            return Some(StreamId::new(number.into(), slot));
        }
        let first = self.line.front()?;
        if first.shared || self.line.len() == 1 {
            return Some(first.id());
        }
        let urgency = first.urgency;
        let serial = |place: &Place| place.urgency == urgency && !place.shared;
        let shared = self.line.get(self.line.partition_point(serial));
        let level = self.level(urgency);
        let serial = level.serial.max(level.least);
        Some(match shared {
            Some(shared) if shared.urgency == urgency && shared.had < serial => shared.id(),
            _ => first.id(),
        })
    }

    /// Octets of a stream have left. Where nobody else waits there is no share to count.
    pub(super) fn spent(&mut self, id: StreamId, turn: &mut Turn, octets: usize) {
        if let Some(tree) = &mut self.tree {
            return tree.spent(id.number() as u32, octets);
        }
        let waits = turn.waits;
        if self.levels.is_none() && self.line.len() == usize::from(waits) {
            return;
        }
        self.remove(id, turn);
        if self.levels.is_some() || !self.line.is_empty() {
            self.count(turn, octets as u64);
        }
        if waits {
            self.add(id, turn);
        }
    }

    fn count(&mut self, turn: &mut Turn, octets: u64) {
        let levels = self.levels.get_or_insert_default();
        let Some(level) = levels.get_mut(usize::from(turn.priority.urgency)) else {
            return;
        };
        let had = match turn.priority.incremental {
            true => &mut turn.had,
            false => &mut level.serial,
        };
        let before = (*had).max(level.least);
        *had = before.saturating_add(octets);
        level.least = before;
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        match &self.tree {
            Some(tree) => tree.is_quiet(),
            None => self.line.is_empty(),
        }
    }

    /// There are no streams: gives memory back.
    pub(super) fn rest(&mut self) {
        self.levels = None;
        self.line = VecDeque::new();
    }

    fn level(&self, urgency: u8) -> Level {
        let level = |levels: &[Level; LEVELS]| levels.get(usize::from(urgency)).copied();
        self.levels.as_deref().and_then(level).unwrap_or_default()
    }
}
