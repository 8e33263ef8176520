//! What the two sides of an exchange share: the connection's on its worker, and the handler's, which may be on
//! another thread.
//!
//! ```text
//!   connection (worker)                conduit                     handler (any thread)
//!   Event::Data, End       ──►  incoming: untaken octets  ──►  read
//!   Streams::taken         ◄──            credit          ◄──
//!   Streams::push, respond ◄──  outgoing: heads, chunks   ◄──  push, inform, start, write, finish, respond
//!   Source::read           ◄──                            ──►  room again
//!   Event::Reset, ended    ──►  gone                      ──►  Gone
//! ```
//!
//! The handler changes the conduit and, unless that was done before and not yet seen, asks for attention with
//! one small message. The connection then takes everything that is due at once: however many commands a thread
//! gives, there is one message for each time the worker looks.
//!
//! What both sides change is made when it is first needed: a request without a body that is answered on its own
//! thread has nothing to lock.

use crate::fair::Place;
use crate::incoming::{Incoming, Read};
use crate::outgoing::{Broken, OutOfOrder, Outgoing};
use crate::request_id::RequestId;
use bytes::Bytes;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use thalweg_net::Peer;
use thalweg_net::worker::Post;
use thalweg_proto::fields::Fields;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::{Priority, StreamId, Supply};

/// Where an exchange comes from: one for all exchanges of a connection.
pub(crate) struct Origin {
    pub(crate) peer: Arc<Peer>,
    pub(crate) connection: ConnectionKey,
    pub(crate) post: Post<Attend>,
    /// Where its requests wait for a thread of the application.
    pub(crate) place: Place,
}

/// A connection of a worker. The generation tells it from an earlier one at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionKey {
    pub(crate) place: usize,
    pub(crate) generation: u64,
}

/// Asks a worker to look after an exchange. One that is over is not found, and nothing happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attend {
    pub(crate) connection: ConnectionKey,
    pub(crate) stream: StreamId,
}

/// One exchange's shared state.
pub(crate) struct Conduit {
    pub(crate) head: Request,
    pub(crate) id: RequestId,
    pub(crate) stream: StreamId,
    pub(crate) has_body: bool,
    pub(crate) origin: Arc<Origin>,
    /// What was said of the priority after the head.
    said: Said,
    shared: OnceLock<Box<Shared>>,
}

/// A priority that changes under everybody's eyes; at first there is none.
#[derive(Debug, Default)]
struct Said(AtomicU8);

impl Said {
    /// Tells a priority from nothing.
    const SOMETHING: u8 = 0x80;
    const INCREMENTAL: u8 = 0x40;

    fn set(&self, priority: Priority) {
        let incremental = match priority.incremental {
            true => Self::INCREMENTAL,
            false => 0,
        };
        let octet = Self::SOMETHING | incremental | priority.urgency.min(7);
        self.0.store(octet, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Priority> {
        let octet = self.0.load(Ordering::Relaxed);
        (octet != 0).then_some(Priority {
            urgency: octet & 7,
            incremental: octet & Self::INCREMENTAL != 0,
        })
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    incoming: Incoming,
    outgoing: Outgoing,
    gone: bool,
    /// The front has been asked to look, and has not yet.
    attention: bool,
    /// A thread waits for a change.
    awaited: bool,
    /// The handler's word on the priority.
    priority: Option<Priority>,
}

/// Why a command of the handler had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Gone,
    OutOfOrder,
}

impl From<OutOfOrder> for Refusal {
    fn from(_: OutOfOrder) -> Self {
        Refusal::OutOfOrder
    }
}

/// What the connection has to do for an exchange.
#[derive(Debug)]
pub(crate) struct Due {
    /// The requests that the handler wants to promise. They go ahead of all else.
    pub(crate) promised: Vec<Request>,
    pub(crate) priority: Option<Priority>,
    pub(crate) send_continue: bool,
    pub(crate) informational: Vec<Response>,
    pub(crate) head: Option<Response>,
    /// With the head: the length of the body, where both were given as one.
    pub(crate) whole: Option<usize>,
    /// The reply was broken off.
    pub(crate) broken: Option<Broken>,
    pub(crate) credit: usize,
    pub(crate) discard: bool,
    pub(crate) output: bool,
    /// Octets that wait in the conduit, either way.
    pub(crate) held: usize,
}

impl Conduit {
    /// With the request's body as far as it is known; none when it has none.
    pub(crate) fn new(
        head: Request,
        id: RequestId,
        stream: StreamId,
        body: Option<Incoming>,
        origin: Arc<Origin>,
    ) -> Self {
        let has_body = body.is_some();
        let shared = OnceLock::new();
        if let Some(body) = body {
            shared.get_or_init(|| Shared::new(body));
        }
        Self {
            head,
            id,
            stream,
            has_body,
            origin,
            said: Said::default(),
            shared,
        }
    }

    /// The last word on the priority: the client's, or the handler's.
    pub(crate) fn priority(&self) -> Priority {
        let said = self.said.get();
        said.or_else(|| Priority::of(&self.head.fields))
            .unwrap_or_default()
    }

    /// What the worker is sent so that it attends to this exchange.
    pub(crate) fn attend(&self) -> Attend {
        Attend {
            connection: self.origin.connection,
            stream: self.stream,
        }
    }

    // The handler's side. Each answers, where that matters, whether the front must be asked to attend.

    pub(crate) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// Reads, or waits for something to read.
    pub(crate) fn read(&self, max: usize, wait: bool) -> Result<(Read, bool), Refusal> {
        let mut state = self.lock();
        loop {
            if state.gone {
                return Err(Refusal::Gone);
            }
            let read = state.incoming.read(max.max(1));
            let ask = state.incoming.needs_attention() && state.ask();
            if !wait || read != Read::Nothing {
                return Ok((read, ask));
            }
            if ask {
                // The 100 that the client waits for has to leave before anything can come.
                self.origin.post.send(self.attend());
            }
            state = self.wait(state);
        }
    }

    pub(crate) fn take_trailers(&self) -> Option<Fields> {
        self.lock().incoming.take_trailers()
    }

    pub(crate) fn push(&self, head: Request) -> Result<bool, Refusal> {
        self.command(|outgoing| outgoing.promise(head))
    }

    pub(crate) fn inform(&self, head: Response) -> Result<bool, Refusal> {
        self.command(|outgoing| outgoing.inform(head))
    }

    pub(crate) fn respond(&self, head: Response, body: Bytes) -> Result<bool, Refusal> {
        self.command(|outgoing| outgoing.respond(head, body))
    }

    pub(crate) fn start(&self, head: Response) -> Result<bool, Refusal> {
        self.command(|outgoing| outgoing.start(head))
    }

    pub(crate) fn finish(&self, trailers: Option<Fields>) -> Result<bool, Refusal> {
        self.command(|outgoing| outgoing.finish(trailers))
    }

    /// Writes where there is room; gives the chunk back where there is none.
    pub(crate) fn try_write(&self, chunk: Bytes) -> Result<Result<bool, Bytes>, Refusal> {
        let mut state = self.lock();
        if state.gone {
            return Err(Refusal::Gone);
        }
        if state.outgoing.is_full() {
            return Ok(Err(chunk));
        }
        state.outgoing.write(chunk)?;
        Ok(Ok(state.ask()))
    }

    /// Writes, or waits for room.
    pub(crate) fn write(&self, chunk: Bytes) -> Result<bool, Refusal> {
        let mut state = self.lock();
        while !state.gone && state.outgoing.is_full() {
            state = self.wait(state);
        }
        if state.gone {
            return Err(Refusal::Gone);
        }
        state.outgoing.write(chunk)?;
        Ok(state.ask())
    }

    pub(crate) fn set_priority(&self, priority: Priority) -> bool {
        let mut state = self.lock();
        if state.gone {
            return false;
        }
        self.said.set(priority);
        state.priority = Some(priority);
        state.ask()
    }

    pub(crate) fn break_off(&self, why: Broken) -> bool {
        let mut state = self.lock();
        !state.gone && state.outgoing.break_off(why) && state.ask()
    }

    // The connection's side.

    /// Octets came. Answers whether the handler will take them; else their credit is free at once.
    pub(crate) fn receive(&self, octets: &[u8]) -> bool {
        let mut state = self.lock();
        let kept = !state.gone && state.incoming.push(octets);
        self.notify(state);
        kept
    }

    /// The client wants another priority.
    pub(crate) fn receive_priority(&self, priority: Priority) {
        self.said.set(priority);
    }

    pub(crate) fn receive_end(&self, trailers: Option<Fields>) {
        let mut state = self.lock();
        state.incoming.end(trailers);
        self.notify(state);
    }

    /// What was promised by a handler that has answered at once.
    pub(crate) fn take_promised(&self) -> Vec<Request> {
        match self.shared.get() {
            Some(_) => self.lock().outgoing.take_promised(),
            None => Vec::new(),
        }
    }

    /// Everything that the handler has asked for since the last time.
    pub(crate) fn take_due(&self) -> Due {
        let mut state = self.lock();
        state.attention = false;
        let State {
            incoming,
            outgoing,
            priority,
            ..
        } = &mut *state;
        let discard = outgoing.is_ended() && incoming.discard();
        let due = Due {
            promised: outgoing.take_promised(),
            priority: priority.take(),
            send_continue: incoming.take_continue(),
            informational: outgoing.take_informational(),
            head: outgoing.take_head(),
            whole: outgoing.whole(),
            broken: outgoing.broken(),
            credit: incoming.take_credit(),
            discard,
            output: outgoing.has_output(),
            held: state.held(),
        };
        if discard {
            // Another thread of the handler may wait for what will not come now.
            self.notify(state);
        }
        due
    }

    /// Output for the session, and the octets that wait in the conduit then, either way.
    pub(crate) fn supply(&self, max: usize) -> (Supply, usize) {
        let mut state = self.lock();
        let (supply, room) = state.outgoing.read(max);
        let held = state.held();
        if room {
            self.notify(state);
        }
        (supply, held)
    }

    /// Nobody reads the request's body any more: the credit that this frees, and whether more of it may come.
    pub(crate) fn discard(&self) -> (usize, bool) {
        let mut state = self.lock();
        let more = state.incoming.discard();
        let credit = state.incoming.take_credit();
        self.notify(state);
        (credit, more)
    }

    /// The client gets no body.
    pub(crate) fn swallow(&self) {
        let mut state = self.lock();
        state.outgoing.swallow();
        self.notify(state);
    }

    /// The client has gone, or gets no more of this reply.
    pub(crate) fn set_gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.incoming.discard();
        state.outgoing.clear();
        self.notify(state);
    }

    fn command(
        &self,
        give: impl FnOnce(&mut Outgoing) -> Result<(), OutOfOrder>,
    ) -> Result<bool, Refusal> {
        let mut state = self.lock();
        if state.gone {
            return Err(Refusal::Gone);
        }
        give(&mut state.outgoing)?;
        Ok(state.ask())
    }

    fn shared(&self) -> &Shared {
        self.shared
            .get_or_init(|| Shared::new(Incoming::new(true, false)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = &self.shared().state;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.awaited = true;
        self.shared()
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the threads that wait, where there are any: to notify nobody is a system call too.
    fn notify(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::take(&mut state.awaited) {
            drop(state);
            self.shared().changed.notify_all();
        }
    }
}

impl Shared {
    fn new(incoming: Incoming) -> Box<Self> {
        Box::new(Self {
            state: Mutex::new(State {
                incoming,
                outgoing: Outgoing::default(),
                gone: false,
                attention: false,
                awaited: false,
                priority: None,
            }),
            changed: Condvar::new(),
        })
    }
}

impl State {
    /// Octets that wait, either way.
    fn held(&self) -> usize {
        self.incoming.untaken() + self.outgoing.queued()
    }

    /// Whether the front must be asked now; it has been asked from here on.
    fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.attention, true)
    }
}
