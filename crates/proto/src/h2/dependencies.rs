//! The priorities of RFC 7540, section 5.3: who plants the tree, who moves what in it, and how it is read.
//!
//! A server has no tree before its client says something of one, and gives it up for good when the client turns out
//! to know RFC 9218 ([`Rfc7540Priorities`]). Streams that nobody places depend on the root.

use super::control::Control;
use super::frame::{Dependency, MAX_STREAM};
use super::recv::Standing;
use super::store::{self, Store};
use super::stream::State;
use super::tree::{Holder, ROOT, Tree};
use super::{Rfc7540Priorities, Session};
use crate::error::{ConnectionError, UsageError, Violation};
use crate::head::Request;
use crate::session::{Priority, Role, StreamId, Streams};

/// What an urgency weighs where a tree decides: the usual one as much as a stream of which nothing is said.
const WEIGHTS: [u16; 8] = [256, 128, 64, 16, 8, 4, 2, 1];

/// A place in the tree: that of a stream, or one that is kept for others to depend on. A look at it; it changes with
/// the session.
///
/// ```
/// use std::time::Instant;
/// use thalweg_proto::h2::{self, frame::Dependency};
/// use thalweg_proto::limits::Limits;
///
/// let mut client = h2::Session::client(Limits::default(), Instant::now());
/// let group = Dependency { on: 0, exclusive: false, weight: 201 };
/// client.advise(3, group)?;
/// client.advise(5, Dependency { on: 3, exclusive: false, weight: 1 })?;
/// let place = client.place(3).ok_or("a place")?;
/// assert_eq!((place.weight(), place.weight_of_children()), (201, 1));
/// assert_eq!(place.children().map(|child| child.number()).collect::<Vec<_>>(), [5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Place<'s> {
    tree: &'s Tree,
    streams: &'s Store,
    at: u32,
}

impl<'s> Place<'s> {
    /// The number of its stream; 0 is the root.
    pub fn number(self) -> u32 {
        self.tree.node(self.at).number
    }

    /// Its weight among its siblings, 1 to 256.
    pub fn weight(self) -> u16 {
        self.tree.node(self.at).weight
    }

    /// What its children weigh together.
    pub fn weight_of_children(self) -> u32 {
        self.tree.node(self.at).weights
    }

    /// What it depends on; none for the root.
    pub fn parent(self) -> Option<Self> {
        (self.at != ROOT).then(|| self.to(self.tree.node(self.at).parent))
    }

    /// What depends on it directly.
    pub fn children(self) -> impl Iterator<Item = Place<'s>> {
        std::iter::successors(self.first_child(), |child| child.next_sibling())
    }

    /// The first of its [`Place::children`].
    pub fn first_child(self) -> Option<Self> {
        self.tree.node(self.at).first.map(|at| self.to(at))
    }

    /// The next one in the list of its parent's children.
    pub fn next_sibling(self) -> Option<Self> {
        self.tree.node(self.at).next.map(|at| self.to(at))
    }

    /// The one before it in that list.
    pub fn previous_sibling(self) -> Option<Self> {
        self.tree.node(self.at).previous.map(|at| self.to(at))
    }

    /// Its stream, if that is open.
    pub fn stream(self) -> Option<StreamId> {
        let node = self.tree.node(self.at);
        match node.holder {
            Holder::Stream(slot) => Some(StreamId::new(node.number.into(), slot)),
            Holder::Idle | Holder::Closed => None,
        }
    }

    /// Where its stream stands; the root is idle.
    pub fn state(self) -> State {
        let stream = self.stream().and_then(|id| self.streams.get(id));
        match (stream, self.tree.node(self.at).holder) {
            (Some(stream), _) => stream.state,
            (None, Holder::Idle) => State::Idle,
            (None, _) => State::Closed,
        }
    }

    fn to(self, at: u32) -> Self {
        Self { at, ..self }
    }
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("number", &self.number())
            .field("weight", &self.weight())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The caller's side.
impl Session {
    /// The root of the tree, if one decides what leaves first.
    pub fn tree(&self) -> Option<Place<'_>> {
        self.place(0)
    }

    /// The place of a stream in it, open or not.
    pub fn place(&self, number: u32) -> Option<Place<'_>> {
        let tree = self.schedule.tree.as_deref()?;
        Some(Place {
            tree,
            streams: &self.streams,
            at: tree.find(number)?,
        })
    }

    /// Gives a stream a place in the tree, which is planted for it if there is none; a stream that does not exist yet
    /// gets one that is kept for it, within [`Limits::placeholders`](crate::limits::Limits::placeholders). The peer
    /// hears nothing of it.
    ///
    /// # Errors
    /// [`UsageError::Dependency`]; [`UsageError::NoTree`]; [`UsageError::NoSuchStream`] for one that is over and has
    /// no place any more.
    pub fn depend(&mut self, number: u32, dependency: Dependency) -> Result<(), UsageError> {
        self.check_dependency(number, dependency)?;
        match self.put_in_tree(number, dependency) {
            true => Ok(()),
            false => Err(UsageError::NoSuchStream),
        }
    }

    /// Client: the same, and PRIORITY tells the server, unless it has said that it does not listen.
    ///
    /// # Errors
    /// As [`Session::depend`]; [`UsageError::WrongRole`]; [`UsageError::ShuttingDown`].
    pub fn advise(&mut self, number: u32, dependency: Dependency) -> Result<(), UsageError> {
        if self.role != Role::Client {
            return Err(UsageError::WrongRole);
        }
        if self.drain.is_over() {
            return Err(UsageError::ShuttingDown);
        }
        self.depend(number, dependency)?;
        self.control.push(Control::Priority { number, dependency });
        Ok(())
    }

    /// Client: [`Streams::open`], with a place in the tree that HEADERS tells the server.
    ///
    /// # Errors
    /// As [`Streams::open`] and [`Session::depend`].
    pub fn open_at(
        &mut self,
        head: Request,
        end: bool,
        dependency: Dependency,
    ) -> Result<StreamId, UsageError> {
        let number = self.next;
        self.check_dependency(number, dependency)?;
        let id = self.open(head, end)?;
        self.put_in_tree(number, dependency);
        let placed = &mut self.seldom.get_or_insert_default().placed;
        placed.push((number, dependency));
        Ok(id)
    }

    fn check_dependency(&self, number: u32, dependency: Dependency) -> Result<(), UsageError> {
        let fits = (1..=MAX_STREAM).contains(&number)
            && dependency.on <= MAX_STREAM
            && dependency.on != number
            && (1..=256).contains(&dependency.weight);
        if !fits {
            return Err(UsageError::Dependency);
        }
        if !self.has_dependencies() {
            return Err(UsageError::NoTree);
        }
        Ok(())
    }
}

/// The session's side.
impl Session {
    /// The client's word: of a PRIORITY frame.
    pub(super) fn take_priority(
        &mut self,
        number: u32,
        dependency: Dependency,
    ) -> Result<(), ConnectionError> {
        self.count_glitch()?;
        if dependency.on == number {
            return self.fault_on(number, Violation::SelfDependency);
        }
        self.take_dependency(number, Some(dependency));
        Ok(())
    }

    /// The client's word, wherever it stood.
    pub(super) fn take_dependency(&mut self, number: u32, dependency: Option<Dependency>) {
        if let Some(dependency) = dependency
            && self.role == Role::Server
            && self.has_dependencies()
        {
            self.put_in_tree(number, dependency);
        }
    }

    /// Whether PRIORITY, or its part of HEADERS, is worth sending.
    pub(super) fn tells_dependencies(&self) -> bool {
        !self.peer.no_rfc7540_priorities
    }

    /// What the head of this stream is to say of its place.
    pub(super) fn take_placed(&mut self, number: u32) -> Option<Dependency> {
        let placed = &mut self.seldom.as_mut()?.placed;
        let at = placed.iter().position(|(placed, _)| *placed == number)?;
        let (_, dependency) = placed.swap_remove(at);
        Some(dependency).filter(|_| self.tells_dependencies())
    }

    /// What an urgency that the server gave means in a tree.
    pub(super) fn reweigh(&mut self, id: StreamId, priority: Priority) {
        let weight = WEIGHTS.get(usize::from(priority.urgency));
        if let (Some(tree), Some(weight)) = (&mut self.schedule.tree, weight) {
            tree.reweigh(id.number() as u32, *weight);
        }
    }

    /// The client knows better: no tree decides any more.
    pub(super) fn fell_tree(&mut self) {
        if self.schedule.tree.is_some() {
            self.rule_by(None);
        }
    }

    /// Whether dependencies mean something on this connection.
    fn has_dependencies(&self) -> bool {
        let given_up = self.peer.rfc9218
            || (self.role == Role::Server && self.peer.no_rfc7540_priorities)
            || self.config.rfc7540_priorities == Rfc7540Priorities::Ignored;
        !given_up
    }

    /// Puts a stream, open or idle, where it is to be. Answers false for one that has ended and has no place.
    fn put_in_tree(&mut self, number: u32, dependency: Dependency) -> bool {
        self.plant_tree();
        let may_come =
            |number| !store::is_pushed(number) && matches!(self.standing(number), Standing::Idle);
        let (known, may_come) = (may_come(number), may_come(dependency.on));
        let Some(tree) = &mut self.schedule.tree else {
            return false;
        };
        let known = known || tree.find(number).is_some();
        if known {
            tree.depend(number, dependency, may_come);
        }
        known
    }

    fn plant_tree(&mut self) {
        if self.schedule.tree.is_none() {
            let mut tree = Box::new(Tree::new(self.limits.placeholders));
            for id in self.streams.ids() {
                tree.open(id.number() as u32, id.slot());
            }
            self.rule_by(Some(tree));
        }
    }

    fn rule_by(&mut self, tree: Option<Box<Tree>>) {
        let mut waiting = Vec::new();
        for id in self.streams.ids().collect::<Vec<_>>() {
            if let Some(stream) = self.streams.get_mut(id)
                && stream.turn.waits()
            {
                self.schedule.remove(id, &mut stream.turn);
                waiting.push(id);
            }
        }
        self.schedule.tree = tree;
        for id in waiting {
            if let Some(stream) = self.streams.get_mut(id) {
                self.schedule.add(id, &mut stream.turn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::h2::tree::USUAL_WEIGHT;
    use crate::limits::Limits;
    use std::time::Instant;

    #[test]
    fn a_request_that_is_given_up_before_it_left_leaves_no_word_on_its_place() {
        let mut client = Session::client(Limits::default(), Instant::now());
        let get = Request::new(b"GET")
            .with_scheme(b"https")
            .with_authority(b"example.org")
            .with_path(b"/");
        let place = Dependency {
            on: 0,
            exclusive: false,
            weight: USUAL_WEIGHT,
        };
        let id = client.open_at(get, true, place).unwrap();
        client.reset(id, Code::Cancel);
        assert!(client.seldom.is_some_and(|seldom| seldom.placed.is_empty()));
    }
}
