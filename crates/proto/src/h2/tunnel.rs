//! Tunnels: CONNECT (RFC 9113, section 8.5), and CONNECT for a protocol (RFC 8441).
//!
//! ```text
//!  client                                              server
//!  CONNECT ── HEADERS ──────────────────────────────►  Request: respond
//!     │    ◄─ 2xx: DATA of both sides is the tunnel's ─┤
//!     │    ◄─ any other: a response; END_STREAM ends ──┘
//!     ▼       the client's side, which has nothing to say
//!  either side: END_STREAM ends its half, RST_STREAM (CONNECT_ERROR) says that the far end was reset
//! ```
//!
//! A client is asked for its octets only once the tunnel is there, as over HTTP/1.1: before that nobody knows who will
//! read them. In a tunnel nothing but DATA follows the heads.

use super::Session;
use super::control::Control;
use super::message;
use super::stream::{Asked, Piece, Saying, Then};
use crate::error::UsageError;
use crate::head::Request;
use crate::session::{Gather, StreamId};
use bytes::Bytes;

impl Session {
    /// Client: whether the server has said that it takes CONNECT for a protocol (RFC 8441, section 3), so that
    /// [`open`](crate::session::Streams::open) takes a request with a
    /// [`protocol`](crate::head::Request::with_protocol).
    pub fn connect_protocol(&self) -> bool {
        self.peer.connect_protocol
    }

    /// Whether a caller's request can be sent to this server.
    pub(super) fn check_request(&self, head: &Request) -> Result<(), UsageError> {
        message::check_request(head)?;
        if head.protocol().is_some() && !self.peer.connect_protocol {
            return Err(UsageError::NoConnectProtocol);
        }
        Ok(())
    }

    /// Client: the final head of the answer to a CONNECT has come, which was all that was said so far.
    pub(super) fn connect_answered(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.asked == Asked::Tunnel {
            stream.saying = Saying::Body;
            self.schedule(id);
        } else {
            self.control.push(Control::End(id));
        }
    }

    /// Ends our message, of which there was nothing beside the head.
    pub(super) fn write_end(&mut self, id: StreamId, out: &mut Gather) -> bool {
        let (bytes, then) = (Bytes::new(), Then::Nothing);
        self.write_data(id, Piece { bytes, then }, out)
    }
}
