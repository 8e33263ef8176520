//! The half of an exchange that an application thread holds.

use crate::conduit::{Conduit, Refusal};
use crate::fair::Place;
use crate::incoming::Read;
use crate::outgoing::Broken;
use crate::request_id::RequestId;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use thalweg_net::Peer;
use thalweg_proto::error::Code;
use thalweg_proto::fields::Fields;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::session::Priority;
use thiserror::Error;

/// One request and the reply to it, for any thread.
///
/// Every method may be called from any thread; those that wait say so. A reply is `inform`\* and then either
/// [`respond`](Self::respond), or [`start`](Self::start), [`write`](Self::write)\*, [`finish`](Self::finish).
/// When it is complete, the rest of the request's body is discarded.
///
/// Dropping a reply that is not complete breaks it off: the client gets a 500 where nothing was started, and
/// else a reset stream (HTTP/1.x: a closed connection) after what was written, so that it does not look complete.
///
/// ```no_run
/// use bytes::Bytes;
/// use thalweg_gateway::application::Queue;
/// use thalweg_proto::head::Response;
///
/// let queue = Queue::new(1024);
/// let mut taker = queue.taker();
/// while let Some(remote) = taker.take() {
///     let answer = Response::new(200).with_field(b"content-type", b"text/plain");
///     // A client that has gone needs no answer.
///     let _ = remote.respond(answer, Bytes::from_static(b"Hello, world\n"));
/// }
/// ```
pub struct Remote {
    conduit: Arc<Conduit>,
}

/// The client has gone, or the reply is over: nobody is there to read from or to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the client has gone")]
pub struct Gone;

/// Why a command had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// The client has gone.
    #[error("the client has gone")]
    Gone,
    /// A second head, a body before the head or after the end, a final status where an informational one
    /// belongs, or the other way round.
    #[error("the reply does not expect this now")]
    OutOfOrder,
}

/// Why [`Remote::try_write`] did not write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TryWriteError {
    /// The client reads more slowly than the application writes: here is the chunk again, for later.
    #[error("the client has not read what was written before")]
    Full(Bytes),
    /// As [`ReplyError`] says.
    #[error(transparent)]
    Refused(#[from] ReplyError),
}

impl Remote {
    pub(crate) fn new(conduit: Arc<Conduit>) -> Self {
        Self { conduit }
    }

    /// The head of the request, without the fields that concern the connection only (RFC 9110, section 7.6.1).
    pub fn head(&self) -> &Request {
        &self.conduit.head
    }

    /// Who asks.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.conduit.origin.peer
    }

    /// The stream's number; over HTTP/1.x the request's ordinal on its connection, from 1.
    pub fn stream(&self) -> u64 {
        self.conduit.stream.number()
    }

    /// How urgent the reply is: what the client's Priority field says, or its last PRIORITY_UPDATE (RFC 9218), or what
    /// [`set_priority`](Self::set_priority) said after that.
    pub fn priority(&self) -> Priority {
        self.conduit.priority()
    }

    /// Changes how urgent the reply is among those on its connection; over HTTP/1.x, where there are no others, without
    /// effect. A `priority` field of the response does the same, and tells those between here and the client as well.
    pub fn set_priority(&self, priority: Priority) {
        self.post_if(self.conduit.set_priority(priority));
    }

    /// What names the request in the log.
    pub fn request_id(&self) -> RequestId {
        self.conduit.id
    }

    /// Whether the client has gone. It may go at any time after this said that it is there.
    pub fn gone(&self) -> bool {
        self.conduit.is_gone()
    }

    /// Where the requests of its connection wait.
    pub(crate) fn place(&self) -> &Place {
        &self.conduit.origin.place
    }

    /// Whether the request has a body, though it may turn out to be empty.
    pub fn has_body(&self) -> bool {
        self.conduit.has_body
    }

    /// Up to `max` octets (at least 1) of the body: none when nothing is there now, empty at its end.
    ///
    /// Reading gives the client credit to send more, and the `100 Continue` that it may wait for.
    ///
    /// # Errors
    /// [`Gone`], also when the reply is complete.
    pub fn try_read(&self, max: usize) -> Result<Option<Bytes>, Gone> {
        match self.read_or(max, false)? {
            Read::Octets(octets) => Ok(Some(octets)),
            Read::End => Ok(Some(Bytes::new())),
            Read::Nothing => Ok(None),
            Read::Discarded => Err(Gone),
        }
    }

    /// As [`try_read`](Self::try_read), but waits until something is there.
    ///
    /// # Errors
    /// [`Gone`], also when the client goes meanwhile, or the reply is complete.
    pub fn read(&self, max: usize) -> Result<Bytes, Gone> {
        match self.read_or(max, true)? {
            Read::Octets(octets) => Ok(octets),
            Read::End => Ok(Bytes::new()),
            Read::Nothing | Read::Discarded => Err(Gone),
        }
    }

    /// The trailers that followed the body, once, after its end.
    pub fn trailers(&self) -> Option<Fields> {
        self.conduit.take_trailers()
    }

    /// Promises the client the response to another request, beside the reply to this one (RFC 9113, section 8.4). The
    /// request is then handled as if the client had sent it, by whom the router chooses.
    ///
    /// It is a GET or HEAD without content. Scheme and authority are this request's own where it leaves them out; it may
    /// name another authority only if this server speaks for it. A push is a favour: where the protocol, the client or
    /// its limits take none, nothing happens. Promise before you write what refers to it, so that the client does not
    /// ask for it itself.
    ///
    /// # Errors
    /// [`ReplyError`]: the client has gone, or the reply is complete.
    pub fn push(&self, head: Request) -> Result<(), ReplyError> {
        self.after(self.conduit.push(head))
    }

    /// Sends an informational head (1xx): any number of them, before the final one.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing was sent.
    pub fn inform(&self, head: Response) -> Result<(), ReplyError> {
        self.after(self.conduit.inform(head))
    }

    /// Replies with a head and a whole body. A content-length is added unless there is one.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing was sent.
    pub fn respond(&self, head: Response, body: Bytes) -> Result<(), ReplyError> {
        self.after(self.conduit.respond(head, body))
    }

    /// Begins a reply; the body follows.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing was sent.
    pub fn start(&self, head: Response) -> Result<(), ReplyError> {
        self.after(self.conduit.start(head))
    }

    /// Writes a piece of the body, unless the client is too far behind: 256 KiB of it wait, whatever the size of
    /// the piece that came last.
    ///
    /// # Errors
    /// [`TryWriteError`]; nothing was written.
    pub fn try_write(&self, chunk: Bytes) -> Result<(), TryWriteError> {
        match self.conduit.try_write(chunk) {
            Ok(Ok(ask)) => {
                self.post_if(ask);
                Ok(())
            }
            Ok(Err(chunk)) => Err(TryWriteError::Full(chunk)),
            Err(refusal) => Err(TryWriteError::Refused(refusal.into())),
        }
    }

    /// As [`try_write`](Self::try_write), but waits until the client has caught up.
    ///
    /// # Errors
    /// [`ReplyError`], also when the client goes meanwhile.
    pub fn write(&self, chunk: Bytes) -> Result<(), ReplyError> {
        self.after(self.conduit.write(chunk))
    }

    /// Ends the reply that was started. Does not wait until the client has read it.
    ///
    /// # Errors
    /// [`ReplyError`]; the reply is as it was.
    pub fn finish(&self, trailers: Option<Fields>) -> Result<(), ReplyError> {
        self.after(self.conduit.finish(trailers))
    }

    /// Gives the exchange up: the stream is reset with this code, after what was written before. Of a complete
    /// reply nothing is taken back.
    pub fn fail(&self, code: Code) {
        self.post_if(self.conduit.break_off(Broken::Reset(code)));
    }

    /// Breaks the reply off unless it is complete, as dropping it does, while others may still hold it.
    pub fn abandon(&self) {
        self.post_if(self.conduit.break_off(Broken::Failed));
    }

    fn read_or(&self, max: usize, wait: bool) -> Result<Read, Gone> {
        let (read, ask) = self.conduit.read(max, wait).map_err(|_| Gone)?;
        self.post_if(ask);
        Ok(read)
    }

    fn after(&self, done: Result<bool, Refusal>) -> Result<(), ReplyError> {
        self.post_if(done?);
        Ok(())
    }

    fn post_if(&self, ask: bool) {
        if ask {
            self.conduit.origin.post.send(self.conduit.attend());
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl From<Refusal> for ReplyError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Gone => ReplyError::Gone,
            Refusal::OutOfOrder => ReplyError::OutOfOrder,
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("request_id", &self.request_id())
            .field("stream", &self.stream())
            .field("head", self.head())
            .finish_non_exhaustive()
    }
}
