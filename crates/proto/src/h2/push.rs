//! Server push (RFC 9113, section 8.4): responses to requests that nobody has sent.
//!
//! ```text
//!  server   push ─► PUSH_PROMISE ─► reserved ── respond ──┬─► HEADERS, DATA: as any response
//!                                                         └─► parked, while the client has enough of them open
//!  client   PUSH_PROMISE ─► admitted? ─► reserved, Event::Push ─► Response, Data, End
//!                              └─► RST_STREAM
//! ```
//!
//! A promise is decoded whatever becomes of it. It reserves a number and next to no memory; only what is open counts
//! against SETTINGS_MAX_CONCURRENT_STREAMS (section 5.1.2).

use super::block::{Purpose, Start};
use super::control::{Control, Head};
use super::frame::{Kind, MAX_STREAM};
use super::recv::Standing;
use super::resets::By;
use super::seldom::Seldom;
use super::store;
use super::stream::{Asked, Saying, State, Step, Stream};
use super::{Session, message};
use crate::error::{Code, ConnectionError, UsageError, Violation};
use crate::head::Request;
use crate::session::{Event, Gather, Role, StreamId};
use crate::syntax;

/// The head of a pushed response that may not open its stream yet.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) id: StreamId,
    head: Head,
    end: bool,
}

/// The server's side.
impl Session {
    /// Promises the response to a request.
    pub(super) fn promise(&mut self, on: StreamId, head: Request) -> Result<StreamId, UsageError> {
        if self.role != Role::Server {
            return Err(UsageError::WrongRole);
        }
        let parent = self.streams.get(on).ok_or(UsageError::NoSuchStream)?;
        if !self.peer.push || store::is_pushed(parent.number) || parent.asked == Asked::Tunnel {
            return Err(UsageError::NoPush);
        }
        if !self.drain.promises() {
            return Err(UsageError::ShuttingDown);
        }
        if parent.saying == Saying::Whole {
            return Err(UsageError::HeadNotExpected);
        }
        message::check_request(&head)?;
        // It must name the authority itself (RFC 9113, section 8.4.1).
        if head.authority().is_none() {
            return Err(UsageError::Incomplete);
        }
        if !is_pushable(&head) {
            return Err(UsageError::NotPushable);
        }
        if self.next > MAX_STREAM || self.promises() >= self.limits.promises as usize {
            return Err(UsageError::NoCapacity);
        }
        let mut stream = Stream::idle(self.next, self.peer.window, 0);
        stream.asked = Asked::by(head.method());
        let id = self.streams.insert(stream);
        self.enroll_push(id, on, &head.fields);
        self.next += 2;
        let head = Head::Request(Box::new(head));
        self.control.push(Control::Promise { on, id, head });
        Ok(id)
    }

    /// Adds PUSH_PROMISE, unless its point is lost: then the caller is told.
    pub(super) fn write_promise(
        &mut self,
        on: StreamId,
        id: StreamId,
        head: &Head,
        out: &mut Gather,
    ) -> bool {
        let parent = self.streams.get(on).map(|parent| parent.number);
        let Some(stream) = self.streams.get_mut(id) else {
            self.trace.unsent(Kind::PushPromise, id);
            return false;
        };
        let Some(parent) = parent.filter(|_| self.peer.push) else {
            self.trace.unsent(Kind::PushPromise, id);
            self.remove(id);
            self.events.push(Event::Reset {
                id,
                code: Code::Cancel,
                why: None,
            });
            return false;
        };
        stream.step(Step::SendPromise);
        let promised = stream.number;
        self.write_block(parent, Some(promised), head, false, out);
        true
    }

    /// Adds a head; one that would open more pushed streams than the client takes waits for its turn.
    pub(super) fn begin_head(
        &mut self,
        id: StreamId,
        head: Head,
        end: bool,
        out: &mut Gather,
    ) -> bool {
        let Some(stream) = self.streams.get(id) else {
            self.trace.unsent(Kind::Headers, id);
            return false;
        };
        let waits = stream.parked || (stream.state == State::ReservedLocal && !self.may_push());
        if !waits {
            return self.write_head(id, &head, end, out);
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.parked = true;
        }
        self.leave_schedule(id);
        let parked = &mut self.seldom.get_or_insert_default().parked;
        parked.push_back(Parked { id, head, end });
        self.timers.watch();
        false
    }

    /// Adds the head that has waited longest, if the client takes it now.
    pub(super) fn unpark(&mut self, out: &mut Gather) -> bool {
        if !self.may_unpark() {
            return false;
        }
        let Some(seldom) = &mut self.seldom else {
            return false;
        };
        let Some(Parked { id, head, end }) = seldom.parked.pop_front() else {
            return false;
        };
        if let Some(stream) = self.streams.get_mut(id) {
            stream.parked = seldom.parked.iter().any(|parked| parked.id == id);
        }
        let written = self.write_head(id, &head, end, out);
        self.schedule(id);
        written
    }

    /// Whether the head that has waited longest may leave.
    pub(super) fn may_unpark(&self) -> bool {
        let first = self
            .seldom
            .as_ref()
            .and_then(|seldom| seldom.parked.front());
        first.is_some_and(|parked| {
            let stream = self.streams.get(parked.id);
            // Others of its stream, behind the one that has opened it.
            let opened = stream.is_some_and(|stream| stream.state != State::ReservedLocal);
            opened || self.may_push()
        })
    }

    /// The stream is over: nothing of it waits any more.
    pub(super) fn unpark_none_of(&mut self, id: StreamId) {
        if let Some(seldom) = &mut self.seldom {
            seldom.parked.retain(|parked| parked.id != id);
        }
    }

    /// Whether the client takes another pushed stream.
    fn may_push(&self) -> bool {
        self.open_pushes() < self.peer.streams as usize
    }
}

/// The client's side.
impl Session {
    /// Whether a PUSH_PROMISE may come: until the server knows that none is wanted it may (RFC 9113, section 6.6).
    pub(super) fn takes_promises(&self) -> bool {
        let waiting = |seldom: &Seldom| seldom.announcements > 0;
        self.role == Role::Client
            && (self.config.push
                || self.unacknowledged
                || self.seldom.as_deref().is_some_and(waiting))
    }

    /// What to do with a promise: judged by its streams alone.
    pub(super) fn admit_promise(
        &mut self,
        on: u32,
        promised: u32,
    ) -> Result<Purpose, ConnectionError> {
        let wrong = ConnectionError::from(Violation::PushPromise);
        // The client's own streams only, and only such as the server may still speak on.
        let on = match self.standing(on) {
            _ if store::is_pushed(on) => return Err(wrong),
            Standing::Open(id) => Some(id),
            Standing::Closed if self.streams.reset_by(on) == Some(By::Us) => None,
            Standing::Idle | Standing::Closed => return Err(wrong),
        };
        let stream = on.and_then(|id| self.streams.get(id));
        if stream.is_some_and(|stream| stream.state.heard_all()) {
            return Err(wrong);
        }
        let in_tunnel = stream.is_some_and(Stream::is_tunnel);
        if promised <= self.last_peer {
            return Err(Violation::StreamIdentifier.into());
        }
        self.last_peer = promised;
        let wanted = self.config.push && self.drain.serves(promised) && !in_tunnel;
        let (Some(on), true) = (on, wanted) else {
            // Nobody asked for it, or nobody does any more: no word to the caller.
            self.count_reset()?;
            self.ignore_rest(answer_to(promised));
            let (number, code) = (promised, Code::Refused);
            self.control.push(Control::RstStream { number, code });
            // A tunnel carries DATA and what manages its stream, nothing else (RFC 9113, section 8.5).
            return Ok(match on {
                Some(on) if in_tunnel => Purpose::Fault(on, Violation::PushPromise),
                _ => Purpose::Ignored,
            });
        };
        Ok(Purpose::Promise { on, promised })
    }

    /// A promise was read.
    pub(super) fn take_promise(
        &mut self,
        on: StreamId,
        promised: u32,
        head: Result<Request, Violation>,
    ) -> Result<(), ConnectionError> {
        if self.promises() >= self.limits.promises as usize {
            return self.refuse(answer_to(promised), Violation::TooManyPromises);
        }
        let head = match head {
            Ok(head) if is_pushable(&head) && head.authority().is_some() => head,
            Ok(_) => return self.refuse(answer_to(promised), Violation::PromisedRequest),
            Err(why) => return self.refuse(answer_to(promised), why),
        };
        let mut stream = Stream::idle(promised, 0, self.stream_window());
        stream.step(Step::RecvPromise);
        stream.saying = Saying::Whole;
        stream.asked = Asked::by(head.method());
        let id = self.streams.insert(stream);
        self.enroll_push(id, on, &head.fields);
        self.events.push(Event::Push { id, on, head });
        Ok(())
    }
}

/// Both sides.
impl Session {
    /// How many promises are made, and not kept yet.
    fn promises(&self) -> usize {
        let reserved = |stream: &&Stream| {
            store::is_pushed(stream.number)
                && (stream.state.is_reserved() || stream.state == State::Idle)
        };
        self.streams.iter().filter(reserved).count()
    }

    /// Client: whether nothing is open, and the server has only promised more: nobody waits for that longer than for a
    /// connection without streams.
    pub(super) fn is_left_with_promises(&self) -> bool {
        let pushed = self.streams.pushed();
        self.role == Role::Client && pushed == self.streams.len() && self.promises() == pushed
    }

    /// How many pushed streams are open.
    pub(super) fn open_pushes(&self) -> usize {
        self.streams.pushed() - self.promises()
    }
}

/// What will begin on a promised stream.
fn answer_to(promised: u32) -> Start {
    Start {
        number: promised,
        promised: None,
        end: false,
        fault: None,
        dependency: None,
    }
}

/// Whether a request can be promised: safe, cacheable, and without content (RFC 9113, section 8.4).
fn is_pushable(head: &Request) -> bool {
    matches!(head.method(), b"GET" | b"HEAD")
        && matches!(syntax::content_length(&head.fields), Ok(None | Some(0)))
}
