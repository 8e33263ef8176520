//! The tree of RFC 7540, section 5.3: which streams depend on which, and how those that depend on the same one share
//! what it leaves them.
//!
//! ```text
//!          0                    5 sends while it can; what it cannot use goes to 9 and 11, as 1 to 3
//!    ┌─────┼─────┐              A ── in line: it, or something below it, has DATA to send
//!  1 (16)  3   5 (32) A         7 ── kept without a stream: idle, to be a place for others, or closed a while ago
//!              ┌─┴─┐
//!          9 (8) A 11 (24) A
//! ```
//!
//! Every node keeps a line of those of its children that have something to send, in the order of what they have had by
//! their weights: the first of the line is the next. A step through the tree is a loop, as long as the tree is deep;
//! how many nodes there are is bounded, and so are the depth and the width.

use super::frame::Dependency;
use std::collections::VecDeque;

/// What a node weighs of which nothing is said (RFC 7540, section 5.3.5).
pub(super) const USUAL_WEIGHT: u16 = 16;

/// The largest weight.
const MOST_WEIGHT: u32 = 256;

/// Where the root is: at the end of all places.
pub(super) const ROOT: u32 = u32::MAX;

/// Whose place a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A stream, in this slot of the session's table.
    Stream(u32),
    /// Nobody yet.
    Idle,
    /// A stream that is over.
    Closed,
}

/// A place in the tree.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) number: u32,
    pub(super) weight: u16,
    pub(super) holder: Holder,
    pub(super) parent: u32,
    /// The first of its children, and its neighbours among those of its parent.
    pub(super) first: Option<u32>,
    pub(super) previous: Option<u32>,
    pub(super) next: Option<u32>,
    /// What its children weigh together.
    pub(super) weights: u32,
    /// Whether its stream has DATA to send.
    ready: bool,
    /// Whether it is in its parent's line.
    waits: bool,
    /// What it has had, by its weight; on the scale of its parent's line.
    had: u64,
    /// The children that have something to send, by what they have had.
    line: VecDeque<(u64, u32)>,
    /// What everybody in the line has had, at least.
    least: u64,
}

impl Node {
    fn new(number: u32, holder: Holder) -> Self {
        Self {
            number,
            weight: USUAL_WEIGHT,
            holder,
            parent: ROOT,
            first: None,
            previous: None,
            next: None,
            weights: 0,
            ready: false,
            waits: false,
            had: 0,
            line: VecDeque::new(),
            least: 0,
        }
    }

    /// Whether it, or something below it, has DATA to send.
    fn is_active(&self) -> bool {
        self.ready || !self.line.is_empty()
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Tree {
    root: Node,
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// Numbers and where their nodes are, by number.
    index: Vec<(u32, u32)>,
    /// The nodes without a stream, the oldest first: those that were in use, and those that were not yet.
    closed: VecDeque<u32>,
    idle: VecDeque<u32>,
    /// How many nodes without a stream there may be.
    most: usize,
}

impl Tree {
    /// The root alone, with room for so many nodes without a stream.
    pub(super) fn new(most: usize) -> Self {
        Self {
            root: Node::new(0, Holder::Idle),
            nodes: Vec::new(),
            free: Vec::new(),
            index: Vec::new(),
            closed: VecDeque::new(),
            idle: VecDeque::new(),
            most,
        }
    }

    /// What is at a place: the root, where nothing else is.
    pub(super) fn node(&self, at: u32) -> &Node {
        self.nodes.get(at as usize).unwrap_or(&self.root)
    }

    fn node_mut(&mut self, at: u32) -> &mut Node {
        self.nodes.get_mut(at as usize).unwrap_or(&mut self.root)
    }

    /// The place of a number; that of 0 is the root.
    pub(super) fn find(&self, number: u32) -> Option<u32> {
        if number == 0 {
            return Some(ROOT);
        }
        let position = self.position(number).ok()?;
        self.index.get(position).map(|(_, at)| *at)
    }

    /// A stream begins: in the place that was kept for it, or in a new one below the root.
    pub(super) fn open(&mut self, number: u32, slot: u32) {
        let holder = Holder::Stream(slot);
        if let Some(at) = self.find(number) {
            self.idle.retain(|idle| *idle != number);
            self.closed.retain(|closed| *closed != number);
            self.node_mut(at).holder = holder;
        } else {
            self.insert(number, holder);
        }
    }

    /// A stream is over. Its place is kept for a while, since others may depend on it still (RFC 7540, section 5.3.4).
    pub(super) fn close(&mut self, number: u32) {
        let Some(at) = self.find(number) else {
            return;
        };
        self.set_ready(number, false);
        self.node_mut(at).holder = Holder::Closed;
        self.closed.push_back(number);
        self.trim();
    }

    /// Gives a number another place, and makes one for it if it has none; one it depends on too, if that `may_come`
    /// still. What depends on neither a place nor such a number gets the default (RFC 7540, section 5.3.1).
    pub(super) fn depend(&mut self, number: u32, dependency: Dependency, may_come: bool) {
        let mut dependency = dependency;
        let at = match self.find(number) {
            Some(at) => at,
            None => self.insert_idle(number),
        };
        let parent = match self.find(dependency.on) {
            Some(parent) => parent,
            None if may_come => self.insert_idle(dependency.on),
            None => {
                dependency = Dependency {
                    on: 0,
                    exclusive: false,
                    weight: USUAL_WEIGHT,
                };
                ROOT
            }
        };
        if at != ROOT && at != parent {
            self.relocate(at, parent, dependency);
        }
        self.trim();
    }

    /// Gives a node another weight in the place where it is.
    pub(super) fn reweigh(&mut self, number: u32, weight: u16) {
        if let Some(at) = self.find(number).filter(|at| *at != ROOT) {
            let parent = self.node(at).parent;
            let before = self.node(at).weight;
            self.node_mut(at).weight = weight;
            let weights = &mut self.node_mut(parent).weights;
            *weights = *weights + u32::from(weight) - u32::from(before);
        }
    }

    /// A stream has DATA to send, or none any more.
    pub(super) fn set_ready(&mut self, number: u32, ready: bool) {
        if let Some(at) = self.find(number).filter(|at| *at != ROOT) {
            self.node_mut(at).ready = ready;
            if ready {
                self.enter(at);
            } else {
                self.leave(at);
            }
        }
    }

    /// The stream whose turn it is, and its slot.
    pub(super) fn next(&self) -> Option<(u32, u32)> {
        let mut node = &self.root;
        while !node.ready {
            let (_, at) = node.line.front()?;
            node = self.node(*at);
        }
        match node.holder {
            Holder::Stream(slot) => Some((node.number, slot)),
            Holder::Idle | Holder::Closed => None,
        }
    }

    /// Octets of a stream have left: they count for it, and for all that it depends on.
    pub(super) fn spent(&mut self, number: u32, octets: usize) {
        let Some(mut at) = self.find(number) else {
            return;
        };
        while at != ROOT {
            let parent = self.node(at).parent;
            let waited = self.step_out(at);
            let least = self.node(parent).least;
            let node = self.node_mut(at);
            let before = node.had.max(least);
            let cost = octets as u64 * u64::from(MOST_WEIGHT) / u64::from(node.weight.max(1));
            node.had = before.saturating_add(cost);
            self.node_mut(parent).least = before;
            if waited {
                self.step_in(at);
            }
            at = parent;
        }
    }

    /// Whether nobody has anything to send.
    pub(super) fn is_quiet(&self) -> bool {
        !self.root.is_active()
    }

    fn position(&self, number: u32) -> Result<usize, usize> {
        self.index
            .binary_search_by_key(&number, |(number, _)| *number)
    }

    fn insert_idle(&mut self, number: u32) -> u32 {
        self.idle.push_back(number);
        self.insert(number, Holder::Idle)
    }

    fn insert(&mut self, number: u32, holder: Holder) -> u32 {
        let node = Node::new(number, holder);
        let at = match self.free.pop() {
            Some(at) => {
                *self.node_mut(at) = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        if let Err(position) = self.position(number) {
            self.index.insert(position, (number, at));
        }
        self.link(at, ROOT);
        at
    }

    /// Keeps no more nodes without a stream than there may be: those that were in use go first.
    fn trim(&mut self) {
        while self.closed.len() + self.idle.len() > self.most {
            let number = self.closed.pop_front().or_else(|| self.idle.pop_front());
            if let Some(number) = number {
                self.remove(number);
            }
        }
    }

    /// Takes a node out. What depended on it depends on its parent then, and its weight goes to them, as they shared
    /// what it had (RFC 7540, section 5.3.4).
    fn remove(&mut self, number: u32) {
        let Ok(position) = self.position(number) else {
            return;
        };
        let (_, at) = self.index.remove(position);
        let Node {
            parent,
            weight,
            weights,
            ..
        } = *self.node(at);
        while let Some(child) = self.node(at).first {
            self.unlink(child);
            let part = u32::from(self.node(child).weight) * u32::from(weight) / weights.max(1);
            self.node_mut(child).weight = part.clamp(1, MOST_WEIGHT) as u16;
            self.link(child, parent);
        }
        self.unlink(at);
        self.node_mut(at).line = VecDeque::new();
        self.free.push(at);
    }

    /// Moves a node with all that depends on it.
    fn relocate(&mut self, at: u32, parent: u32, dependency: Dependency) {
        if self.is_below(parent, at) {
            // Its new parent takes its place first, with the weight that it has (RFC 7540, section 5.3.3).
            let before = self.node(at).parent;
            self.unlink(parent);
            self.link(parent, before);
        }
        self.unlink(at);
        self.node_mut(at).weight = dependency.weight;
        self.link(at, parent);
        if dependency.exclusive {
            let mut next = self.node(parent).first;
            while let Some(child) = next {
                next = self.node(child).next;
                if child != at {
                    self.unlink(child);
                    self.link(child, at);
                }
            }
        }
    }

    /// Whether a node depends on another, over however many others.
    fn is_below(&self, mut at: u32, other: u32) -> bool {
        while at != ROOT {
            at = self.node(at).parent;
            if at == other {
                return true;
            }
        }
        false
    }

    fn link(&mut self, at: u32, parent: u32) {
        let weight = u32::from(self.node(at).weight);
        let above = self.node_mut(parent);
        let first = above.first.replace(at);
        above.weights += weight;
        if let Some(first) = first {
            self.node_mut(first).previous = Some(at);
        }
        let node = self.node_mut(at);
        (node.parent, node.previous, node.next) = (parent, None, first);
        // What it has had elsewhere is not on the scale of this line.
        node.had = 0;
        if node.is_active() {
            self.enter(at);
        }
    }

    fn unlink(&mut self, at: u32) {
        if self.step_out(at) {
            self.leave(self.node(at).parent);
        }
        let Node {
            parent,
            previous,
            next,
            weight,
            ..
        } = *self.node(at);
        match previous {
            Some(previous) => self.node_mut(previous).next = next,
            None => self.node_mut(parent).first = next,
        }
        if let Some(next) = next {
            self.node_mut(next).previous = previous;
        }
        self.node_mut(parent).weights -= u32::from(weight);
    }

    /// A node has become active: so have those above it.
    fn enter(&mut self, mut at: u32) {
        while at != ROOT && !self.node(at).waits {
            self.step_in(at);
            at = self.node(at).parent;
        }
    }

    /// A node may have nothing to send any more: then those above it may have nothing either.
    fn leave(&mut self, mut at: u32) {
        while at != ROOT && !self.node(at).is_active() {
            self.step_out(at);
            at = self.node(at).parent;
        }
    }

    fn step_in(&mut self, at: u32) {
        let parent = self.node(at).parent;
        let least = self.node(parent).least;
        let node = self.node_mut(at);
        node.waits = true;
        node.had = node.had.max(least);
        let place = (node.had, at);
        let line = &mut self.node_mut(parent).line;
        if line.back().is_none_or(|last| *last < place) {
            line.push_back(place);
        } else {
            let position = line.partition_point(|other| *other < place);
            line.insert(position, place);
        }
    }

    /// Takes a node out of its parent's line. Answers whether it was there.
    fn step_out(&mut self, at: u32) -> bool {
        let node = self.node_mut(at);
        let waited = std::mem::take(&mut node.waits);
        let (place, parent) = ((node.had, at), node.parent);
        if waited && let Ok(position) = self.node(parent).line.binary_search(&place) {
            self.node_mut(parent).line.remove(position);
        }
        waited
    }
}
