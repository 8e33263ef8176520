//! Applications: code that blocks, on threads of its own, behind a queue.
//!
//! ```text
//!  worker ─► ApplicationHandler ─ batch ─► Queue ─ take ─► thread: Remote ─► reply
//!               │ more than the limit       │ the client has gone
//!               └─► 503, Retry-After        └─► dropped, not run
//!               │ CONNECT
//!               └─► 501
//! ```
//!
//! The requests of one turn of a worker enter the queue together, and as many threads are woken as there are
//! new requests or idle threads, whichever is less. Threads take requests one at a time, so that a slow request
//! delays none behind it.

use crate::error_page::error_page;
use crate::exchange::Exchange;
use crate::remote::Remote;
use crate::request_id::RequestId;
use crate::router::Handler;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
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
    requests: VecDeque<Remote>,
    /// Threads that wait and have not been woken.
    idle: usize,
    /// Threads that have been woken and do not run yet.
    woken: usize,
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

    /// The next request whose client is still there, where one waits.
    pub fn try_take(&self) -> Option<Remote> {
        self.next(&mut self.lock())
    }

    /// The next request whose client is still there; waits for one. None when the queue is closed and empty.
    pub fn take(&self) -> Option<Remote> {
        let mut state = self.lock();
        loop {
            if let Some(request) = self.next(&mut state) {
                return Some(request);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            while state.woken == 0 {
                state = self
                    .available
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.woken -= 1;
        }
    }

    /// Nothing comes any more: threads take what is left, and then [`take`](Self::take) answers none.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let idle = state.idle;
        self.wake(state, idle);
    }

    /// How many requests wait for a thread.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes a place for one more request. The places of clients that have gone are free.
    fn reserve(&self) -> bool {
        self.try_reserve() || (self.forget_the_gone() && self.try_reserve())
    }

    fn try_reserve(&self) -> bool {
        let reserved = self.waiting.fetch_add(1, Ordering::Relaxed) < self.limit;
        if !reserved {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        reserved
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
            for request in requests.drain(..) {
                let (head, body) = unavailable(request.request_id());
                // A client that has gone needs no answer.
                let _ = request.respond(head, body);
            }
            return;
        }
        state.requests.extend(requests.drain(..));
        self.wake(state, new);
    }

    /// Wakes up to `count` idle threads.
    fn wake(&self, mut state: MutexGuard<'_, State>, count: usize) {
        let count = count.min(state.idle);
        state.idle -= count;
        state.woken += count;
        drop(state);
        for _ in 0..count {
            self.available.notify_one();
        }
    }

    fn next(&self, state: &mut State) -> Option<Remote> {
        while let Some(request) = state.requests.pop_front() {
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
}

impl Handler for ApplicationHandler {
    fn handle(&self, exchange: Exchange) {
        let refusal = if exchange.head().method() == b"CONNECT" {
            // A 2xx would make a tunnel of it, which no application means (RFC 9110, section 9.3.6).
            error_page(501, "This server makes no tunnels.", exchange.request_id())
        } else if self.queue.reserve() {
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

fn unavailable(id: RequestId) -> (Response, Bytes) {
    let (mut head, body) = error_page(
        503,
        "The server has more requests than it can take now.",
        id,
    );
    head.fields.push(b"retry-after", RETRY_AFTER);
    (head, body)
}
