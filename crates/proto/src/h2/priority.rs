//! Who has a say in the order of what leaves: the client by its Priority field and PRIORITY_UPDATE (RFC 9218), the
//! server by the field of its response, the caller by command.
//!
//! ```text
//!  client   open(priority: u=1) ──────────── HEADERS ──► begins with u=1
//!           set_priority(u=5) ─────── PRIORITY_UPDATE ──► u=5, Event::Priority
//!                                                         respond(priority: i) ─► u=5, i
//!                                                         set_priority(u=0) ────► u=0
//! ```
//!
//! The last word counts. A client that says nothing about priorities at all is served as if it had asked for shares:
//! that its requests wait for each other is good for pages, and for nothing else.

use super::Session;
use super::control::Control;
use super::frame::Header;
use super::recv::{Reading, Standing};
use super::store;
use super::stream::{Asked, Saying};
use crate::error::{ConnectionError, Violation};
use crate::fields::Fields;
use crate::session::{Event, Priority, Role, StreamId};

/// The longest PRIORITY_UPDATE that is read: all that is known to be said in one has less than ten octets.
const LARGEST_UPDATE: usize = 1 << 10;

impl Session {
    /// The priority with which a stream's octets leave; none when it is over.
    pub fn priority(&self, id: StreamId) -> Option<Priority> {
        Some(self.streams.get(id)?.turn.priority())
    }

    /// Server: whether a stream keeps its priority whatever the client says from now on; [`Event::Priority`] tells of
    /// that all the same. The caller's own word moves it still. By default the last word counts, whoever says it.
    pub fn hold_priority(&mut self, id: StreamId, held: bool) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.turn.held = held;
        }
    }

    /// See [`crate::session::Session::is_mixed`].
    pub(super) fn has_mixed_urgency(&self) -> bool {
        let mut speaking = self
            .streams
            .iter()
            .filter(|stream| stream.saying != Saying::Whole)
            .map(|stream| stream.turn.priority().urgency);
        let first = speaking.next();
        let by_tree = self.schedule.tree.is_some();
        speaking.any(|urgency| by_tree || Some(urgency) != first)
    }

    /// A stream begins, with what its head says of its priority. Answers what was said before, and overrides that.
    pub(super) fn enroll(&mut self, id: StreamId, said: Option<Priority>) -> Option<Priority> {
        let early = self.take_early(id);
        let said = early.or(said);
        if said.is_some() {
            self.follow_rfc9218();
        }
        self.schedule.open(id);
        self.set_turn(id, said.unwrap_or(self.usual_priority()));
        early
    }

    /// A promised stream begins: with its parent's priority, but for what the promise says, and below it in the tree
    /// (RFC 7540, section 5.3.5).
    pub(super) fn enroll_push(&mut self, id: StreamId, on: StreamId, promise: &Fields) {
        let parent = self.priority(on).unwrap_or_default();
        self.schedule.open(id);
        self.set_turn(id, parent.refined(promise));
        self.schedule.place_below(id, on);
    }

    fn set_turn(&mut self, id: StreamId, mut priority: Priority) {
        if let Some(stream) = self.streams.get_mut(id) {
            // No tunnel ends for the sake of what comes after it (RFC 9218, section 11).
            priority.incremental |= stream.asked == Asked::Tunnel;
            self.schedule.change(id, &mut stream.turn, priority);
        }
    }

    /// The priority of a stream of which nobody says anything.
    fn usual_priority(&self) -> Priority {
        Priority {
            incremental: !self.peer.rfc9218,
            ..Priority::default()
        }
    }

    /// The client uses the priorities of RFC 9218: what it leaves out has the defaults of that.
    fn follow_rfc9218(&mut self) {
        if self.role == Role::Server {
            self.peer.rfc9218 = true;
            self.fell_tree();
        }
    }

    /// The caller's word.
    pub(super) fn prioritize(&mut self, id: StreamId, priority: Priority) {
        let priority = priority.clamped();
        let Some(stream) = self.streams.get(id) else {
            return;
        };
        let number = stream.number;
        self.set_turn(id, priority);
        self.reweigh(id, priority);
        if self.role == Role::Client {
            let update = Control::PriorityUpdate { number, priority };
            self.control.push(update);
        }
    }

    /// The word of the response.
    pub(super) fn refine(&mut self, id: StreamId, response: &Fields) {
        let Some(before) = self.priority(id) else {
            return;
        };
        let priority = before.refined(response);
        if priority != before {
            self.set_turn(id, priority);
            self.reweigh(id, priority);
        }
    }

    /// Whether PRIORITY_UPDATE is worth sending: the stream is not over, and the server follows it, as far as is known
    /// (RFC 9218, section 2.1.1).
    pub(super) fn tells_priority_of(&self, number: u32) -> bool {
        let unknown = self.timers.preface.is_some();
        self.streams.find(number).is_some() && (unknown || self.peer.no_rfc7540_priorities)
    }

    /// Judges PRIORITY_UPDATE by its header.
    pub(super) fn begin_priority_update(
        &mut self,
        header: Header,
    ) -> Result<Reading, ConnectionError> {
        if self.role == Role::Client {
            return Err(Violation::PriorityUpdate.into());
        }
        self.count_glitch()?;
        Ok(match header.len() > LARGEST_UPDATE {
            true => Reading::Skip(header.len()),
            false => Reading::Payload { header, skip: 0 },
        })
    }

    /// The client's word (RFC 9218, section 7.1). One that cannot be read changes nothing.
    pub(super) fn take_priority_update(
        &mut self,
        number: u32,
        value: &[u8],
    ) -> Result<(), ConnectionError> {
        let standing = self.standing(number);
        let pushed = store::is_pushed(number);
        if number == 0 || (standing == Standing::Idle && pushed) {
            return Err(Violation::PriorityUpdate.into());
        }
        let Some(priority) = Priority::parse(value) else {
            return Ok(());
        };
        self.follow_rfc9218();
        match standing {
            Standing::Closed => Ok(()),
            Standing::Idle => self.keep_early(number, priority),
            Standing::Open(id) => {
                if let Some(stream) = self.streams.get(id)
                    && stream.turn.priority() != priority
                {
                    if !stream.turn.held {
                        self.set_turn(id, priority);
                    }
                    self.events.push(Event::Priority { id, priority });
                }
                Ok(())
            }
        }
    }

    /// Keeps the word on a stream that does not exist yet.
    fn keep_early(&mut self, number: u32, priority: Priority) -> Result<(), ConnectionError> {
        let active = self.streams.len() - self.streams.pushed();
        let early = &mut self.seldom.get_or_insert_default().early;
        early.retain(|(early, _)| *early > self.last_peer && *early != number);
        if early.len() + active < self.limits.streams as usize {
            early.push((number, priority));
        } else if !self.unacknowledged {
            // Before that the client does not know how many streams there may be.
            return Err(Violation::PriorityUpdate.into());
        }
        Ok(())
    }

    /// What was said of this stream before it began. Those that it has left out never will.
    fn take_early(&mut self, id: StreamId) -> Option<Priority> {
        let early = &mut self.seldom.as_mut()?.early;
        let of_it = |(number, _): &&(u32, Priority)| u64::from(*number) == id.number();
        let said = early.iter().find(of_it).map(|(_, priority)| *priority);
        early.retain(|(number, _)| u64::from(*number) > id.number());
        said
    }
}
