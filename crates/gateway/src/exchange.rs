//! The half of an exchange that a handler gets on the worker's own thread.

use crate::conduit::Conduit;
use crate::fair::Place;
use crate::ledger::Ledger;
use crate::outgoing::{self, Broken};
use crate::remote::{Remote, ReplyError};
use crate::request_id::RequestId;
use bytes::Bytes;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use thalweg_net::Peer;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::Priority;

/// One request and the reply to it, on the thread of its connection.
///
/// A handler that can answer at once does so here: the answer leaves with the next write of the connection.
/// Dropping an exchange unanswered gives the client a 500.
pub struct Exchange {
    conduit: Arc<Conduit>,
    ledger: Rc<Ledger>,
    /// Nobody has answered yet, or taken it elsewhere.
    open: bool,
}

impl Exchange {
    pub(crate) fn new(conduit: Arc<Conduit>, ledger: Rc<Ledger>) -> Self {
        Self {
            conduit,
            ledger,
            open: true,
        }
    }

    /// The head of the request, without the fields that concern the connection only (RFC 9110, section 7.6.1).
    pub fn head(&self) -> &Request {
        &self.conduit.head
    }

    /// Who asks.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.conduit.origin.peer
    }

    /// How urgent the reply is: what the client's Priority field says, or its last PRIORITY_UPDATE (RFC 9218).
    pub fn priority(&self) -> Priority {
        self.conduit.priority()
    }

    /// What names the request in the log.
    pub fn request_id(&self) -> RequestId {
        self.conduit.id
    }

    /// Where the requests of its connection wait.
    pub(crate) fn place(&self) -> &Place {
        &self.conduit.origin.place
    }

    /// Promises the client the response to another request, beside the reply to this one: see [`Remote::push`].
    ///
    /// # Errors
    /// [`ReplyError::Gone`].
    pub fn push(&self, head: Request) -> Result<(), ReplyError> {
        if self.conduit.push(head)? {
            self.ledger.push(self.conduit.stream);
        }
        Ok(())
    }

    /// Replies with a head and a whole body. A content-length is added unless there is one.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing was sent.
    pub fn respond(mut self, head: Response, body: Bytes) -> Result<(), ReplyError> {
        if !outgoing::is_final(&head) {
            return Err(ReplyError::OutOfOrder);
        }
        self.open = false;
        match self.ledger.answer(self.conduit.stream, head, body) {
            true => Ok(()),
            false => Err(ReplyError::Gone),
        }
    }

    /// The exchange for another thread.
    pub fn detach(mut self) -> Remote {
        self.open = false;
        Remote::new(Arc::clone(&self.conduit))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.open && self.conduit.break_off(Broken::Failed) {
            self.ledger.push(self.conduit.stream);
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request_id", &self.request_id())
            .field("head", self.head())
            .finish_non_exhaustive()
    }
}
