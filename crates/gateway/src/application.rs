//! Applications: code that blocks, on threads of its own, behind a queue.
//!
//! ```text
//!  worker ─► ApplicationHandler ─ batch ─► Queue ─ take ─► thread: Remote ─► reply
//!               │ more than the limit       │ the client has gone
//!               └─► 503, Retry-After ◄──┐   └─► dropped, not run
//!                                       └── another connection's, of many that it has there
//!               │ CONNECT
//!               └─► 501
//! ```
//!
//! The requests of one turn of a worker enter the queue together, and call one idle thread. Threads take requests one
//! at a time, so that a slow request delays none behind it; one that leaves others behind calls the next thread, if
//! none is on its way. So quick requests are all served by the first threads to come, and as many threads as slow
//! ones need come one after another.
//!
//! Connections take turns, and in a full queue the one that has the most there makes room for one that has fewer: a
//! client with little to ask is served soon, whatever others ask for.

use crate::error_page::error_page;
use crate::exchange::Exchange;
use crate::fair::{Fair, Place};
use crate::remote::Remote;
use crate::request_id::RequestId;
use crate::router::Handler;
use bytes::Bytes;
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use thalweg_proto::head::Response;

/// How many seconds a client is asked to wait when the queue is full.
const RETRY_AFTER: &[u8] = b"1";

/// The requests that wait for a thread of the application.
pub struct Queue {
    /// Requests accepted and not yet taken, those in a worker's batch included.
    waiting: AtomicUsize,
    limit: usize,
    state: Mutex<State>,
    available: Condvar,
}

#[derive(Default)]
struct State {
    requests: Fair<Remote>,
    /// Threads that wait and have not been called.
    idle: usize,
    /// Calls that no waiting thread has heard yet.
    calls: usize,
    /// Threads that were called and have not looked yet.
    coming: usize,
    closed: bool,
}

impl Queue {
    /// A queue that holds up to `limit` requests; 1024 suits most applications.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            waiting: AtomicUsize::new(0),
            limit,
            state: Mutex::default(),
            available: Condvar::new(),
        })
    }

    /// For a thread that serves requests.
    pub fn taker(&self) -> Taker<'_> {
        Taker {
            queue: self,
            called: false,
        }
    }

    /// Nothing comes any more: threads take what is left, and then [`Taker::take`] answers none.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        state.calls += idle;
        state.coming += idle;
        drop(state);
        self.available.notify_all();
    }

    /// How many requests wait for a thread.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a place for one more request.
    fn reserve(&self) -> bool {
        let reserved = self.waiting.fetch_add(1, Ordering::Relaxed) < self.limit;
        if !reserved {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        reserved
    }

    /// Takes a place in a full queue. The places of clients that have gone are free, and another connection may have
    /// to make room: the request that has lost its place so is answered here.
    fn reserve_in_full(&self, owner: &Place) -> bool {
        if self.forget_the_gone() && self.reserve() {
            return true;
        }
        let displaced = self.lock().requests.displace(owner);
        let Some(displaced) = displaced else {
            return false;
        };
        refuse(displaced);
        true
    }

    fn forget_the_gone(&self) -> bool {
        let mut state = self.lock();
        let before = state.requests.len();
        state.requests.retain(|request| !request.gone());
        let forgotten = before - state.requests.len();
        self.waiting.fetch_sub(forgotten, Ordering::Relaxed);
        forgotten > 0
    }

    /// Puts requests in that have a place.
    fn extend(&self, requests: &mut Vec<Remote>) {
        let mut state = self.lock();
        let new = requests.len();
        if state.closed {
            drop(state);
            self.waiting.fetch_sub(new, Ordering::Relaxed);
            requests.drain(..).for_each(refuse);
            return;
        }
        for request in requests.drain(..) {
            state.requests.push(request, Remote::place);
        }
        self.call(state);
    }

    /// Calls an idle thread, where there is something for it and none is on its way.
    fn call(&self, mut state: MutexGuard<'_, State>) {
        if state.requests.is_empty() || state.coming > 0 || state.idle == 0 {
            return;
        }
        state.idle -= 1;
        state.calls += 1;
        state.coming += 1;
        drop(state);
        self.available.notify_one();
    }

    fn next(&self, state: &mut State) -> Option<Remote> {
        while let Some(request) = state.requests.pop() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if !request.gone() {
                return Some(request);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A thread's place at a [`Queue`].
///
/// Waiting is apart from taking for threads that have to get hold of something else in between, such as an
/// interpreter's lock: until they have it, their request is free for others.
#[derive(Debug)]
pub struct Taker<'q> {
    queue: &'q Queue,
    /// It was called, and has not looked yet.
    called: bool,
}

impl Taker<'_> {
    /// The next request whose client is still there, where one waits.
    pub fn try_take(&mut self) -> Option<Remote> {
        let mut state = self.queue.lock();
        state.coming -= usize::from(std::mem::take(&mut self.called));
        let request = self.queue.next(&mut state);
        self.queue.call(state);
        request
    }

    /// Waits until there may be something to take. False: the queue is closed and empty.
    pub fn wait(&mut self) -> bool {
        let mut state = self.queue.lock();
        if state.requests.is_empty() && !state.closed && !self.called {
            state.idle += 1;
            while state.calls == 0 {
                state = self
                    .queue
                    .available
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.calls -= 1;
            self.called = true;
        }
        !(state.requests.is_empty() && state.closed)
    }

    /// The next request whose client is still there; waits for one. None when the queue is closed and empty.
    pub fn take(&mut self) -> Option<Remote> {
        loop {
            if let Some(request) = self.try_take() {
                return Some(request);
            }
            if !self.wait() {
                return None;
            }
        }
    }
}

/// A thread that leaves passes its call on.
impl Drop for Taker<'_> {
    fn drop(&mut self) {
        if self.called {
            let mut state = self.queue.lock();
            state.coming -= 1;
            self.queue.call(state);
        }
    }
}

/// Puts every request into a [`Queue`]. Each worker has its own, all with one queue.
#[derive(Debug)]
pub struct ApplicationHandler {
    queue: Arc<Queue>,
    /// The requests of this turn.
    batch: RefCell<Vec<Remote>>,
}

impl ApplicationHandler {
    /// A handler before this queue.
    pub fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            batch: RefCell::default(),
        }
    }

    /// Takes a place in a full queue. The requests of this turn are put in before: they may have to go.
    fn make_room(&self, owner: &Place) -> bool {
        self.before_park();
        self.queue.reserve_in_full(owner)
    }
}

impl Handler for ApplicationHandler {
    fn handle(&self, exchange: Exchange) {
        let refusal = if exchange.head().method() == b"CONNECT" {
            // A 2xx would make a tunnel of it, which no application means (RFC 9110, section 9.3.6).
            error_page(501, "This server makes no tunnels.", exchange.request_id())
        } else if self.queue.reserve() || self.make_room(exchange.place()) {
            self.batch.borrow_mut().push(exchange.detach());
            return;
        } else {
            unavailable(exchange.request_id())
        };
        let (head, body) = refusal;
        // A client that has gone needs no answer.
        let _ = exchange.respond(head, body);
    }

    fn before_park(&self) {
        let mut batch = self.batch.borrow_mut();
        if !batch.is_empty() {
            self.queue.extend(&mut batch);
        }
    }
}

/// Answers a request that nobody will look at.
fn refuse(request: Remote) {
    let (head, body) = unavailable(request.request_id());
    // A client that has gone needs no answer.
    let _ = request.respond(head, body);
}

fn unavailable(id: RequestId) -> (Response, Bytes) {
    let (mut head, body) = error_page(
        503,
        "The server has more requests than it can take now.",
        id,
    );
    head.fields.push(b"retry-after", RETRY_AFTER);
    (head, body)
}
