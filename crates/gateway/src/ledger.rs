//! What a connection shares with the handlers on its own thread: its exchanges, and which of them want attention.
//!
//! A handler that answers at once puts its answer here, and the connection takes it up when the handler returns:
//! no lock, no message and no memory of its own is between the two.

use crate::streams::{Answer, Table};
use bytes::Bytes;
use std::cell::{Cell, RefCell, RefMut};
use thalweg_net::Wake;
use thalweg_proto::head::Response;
use thalweg_proto::session::StreamId;

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
