//! The half of an exchange that a handler gets on the worker's own thread.

use crate::conduit::Conduit;
use crate::connections::Outbox;
use crate::remote::{Remote, ReplyError};
use crate::request_id::RequestId;
use bytes::Bytes;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use thalweg_net::Peer;
use thalweg_proto::head::{Request, Response};

/// One request and the reply to it, on the thread of its connection.
///
/// A handler that can answer at once does so here: the answer leaves with the next write of the connection.
/// Dropping an exchange unanswered gives the client a 500.
pub struct Exchange {
    remote: Remote,
    outbox: Rc<Outbox>,
}

impl Exchange {
    pub(crate) fn new(conduit: Arc<Conduit>, outbox: Rc<Outbox>) -> Self {
        Self {
            remote: Remote::new(conduit),
            outbox,
        }
    }

    /// The head of the request, without the fields that concern the connection only (RFC 9110, section 7.6.1).
    pub fn head(&self) -> &Request {
        self.remote.head()
    }

    /// Who asks.
    pub fn peer(&self) -> &Arc<Peer> {
        self.remote.peer()
    }

    /// What names the request in the log.
    pub fn request_id(&self) -> RequestId {
        self.remote.request_id()
    }

    /// Replies with a head and a whole body. A content-length is added unless there is one.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing was sent.
    pub fn respond(self, head: Response, body: Bytes) -> Result<(), ReplyError> {
        let conduit = self.remote.conduit();
        if conduit.respond(head, body)? {
            self.outbox.push(conduit.stream);
        }
        Ok(())
    }

    /// The exchange for another thread.
    pub fn detach(self) -> Remote {
        self.remote
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)
    }
}
