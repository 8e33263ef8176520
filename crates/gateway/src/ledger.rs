//! What a connection shares with the handlers on its own thread: its exchanges, and which of them want attention.
//!
//! A handler that answers at once puts its answer here, and the connection takes it up when the handler returns:
//! no lock, no message and no memory of its own is between the two.
//!
//! ```text
//!  idle: no memory ── open: the pages of one that is idle, or new ones ─► with streams
//!         ▲                                                                  │
//!         └──────────────── rest: the pages are left for others ◄────────────┘
//! ```

use crate::streams::{Answer, Table};
use bytes::Bytes;
use std::cell::{Cell, RefCell, RefMut};
use thalweg_net::Wake;
use thalweg_proto::head::Response;
use thalweg_proto::session::StreamId;

/// Pages that a worker keeps.
const SPARES: usize = 16;

/// The memory of a ledger whose streams are all closed.
#[derive(Default)]
pub(crate) struct Pages {
    streams: Table,
    due: Vec<StreamId>,
}

/// See the module.
pub(crate) struct Ledger {
    streams: RefCell<Table>,
    /// The streams that want attention.
    due: RefCell<Vec<StreamId>>,
    /// The connection is at work, and looks here before it rests.
    at_work: Cell<bool>,
    wake: Wake,
}

impl Ledger {
    pub(crate) fn new(wake: Wake) -> Self {
        Self {
            streams: RefCell::default(),
            due: RefCell::default(),
            at_work: Cell::new(false),
            wake,
        }
    }

    /// A stream begins: where it is the first, there may be pages for it.
    pub(crate) fn open(&self, spares: &RefCell<Vec<Pages>>) {
        let mut streams = self.streams.borrow_mut();
        if streams.is_unused()
            && let Some(pages) = spares.borrow_mut().pop()
        {
            *streams = pages.streams;
            let mut due = self.due.borrow_mut();
            if due.is_empty() {
                *due = pages.due;
            }
        }
    }

    /// Leaves the pages for others, where no stream is open.
    pub(crate) fn rest(&self, spares: &RefCell<Vec<Pages>>) {
        let mut streams = self.streams.borrow_mut();
        if !streams.is_empty() || streams.is_unused() {
            return;
        }
        let streams = std::mem::take(&mut *streams);
        let mut due = self.due.take();
        let mut spares = spares.borrow_mut();
        if spares.len() < SPARES {
            // Nothing is due on streams that are closed.
            due.clear();
            spares.push(Pages { streams, due });
        }
    }

    /// The exchanges that are under way. Nobody holds them while a handler is called.
    pub(crate) fn streams(&self) -> RefMut<'_, Table> {
        self.streams.borrow_mut()
    }

    /// Takes a handler's whole answer. False: the exchange is over.
    pub(crate) fn answer(&self, stream: StreamId, head: Response, body: Bytes) -> bool {
        match self.streams().find(stream) {
            Some(stream) => stream.answer = Some(Answer::new(head, body)),
            None => return false,
        }
        self.push(stream);
        true
    }

    /// Has the connection attend to a stream before its next write.
    pub(crate) fn push(&self, stream: StreamId) {
        let mut due = self.due.borrow_mut();
        if due.is_empty() && !self.at_work.get() {
            self.wake.wake();
        }
        due.push(stream);
    }

    /// While the connection is at work, it needs no waking.
    pub(crate) fn set_at_work(&self, at_work: bool) {
        self.at_work.set(at_work);
    }

    /// Puts the streams that wait into `turn`, which is empty, oldest first.
    pub(crate) fn take(&self, turn: &mut Vec<StreamId>) {
        std::mem::swap(&mut *self.due.borrow_mut(), turn);
    }
}
