//! What stands above a connection: a [`Service`] a worker, which makes a [`Connection`] for each client.
//!
//! ```text
//!            accept(peer, wake)                event(session, Event)
//!  worker ─────────────────────► Service   Driver ────────────────────► Connection
//!                                             ▲    ◄─ respond, supply …
//!     a late answer: Wake::wake() ────────────┘    woken(session): now give it
//! ```
//!
//! All of it lives on one worker's thread: nothing here has to be `Send`.

use crate::listen::SocketAddress;
use crate::tls::TlsInfo;
use crate::worker::Bell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use thalweg_proto::error::ConnectionError;
use thalweg_proto::session::{Event, Source, Streams};

/// Makes what stands above each new connection of one worker.
pub trait Service: 'static {
    /// What stands above one connection.
    type Connection: Connection;

    /// A connection is ready: over TLS the handshake is done, and the protocol is known.
    fn accept(&self, peer: Arc<Peer>, wake: Wake) -> Self::Connection;
}

/// What stands above one connection. It gets the session's events and may command the session in every call; as
/// a [`Source`] it is asked for bodies when they can be written.
pub trait Connection: Source + 'static {
    /// Something happened. What is commanded here leaves in the same write as all that the input caused.
    fn event(&mut self, session: &mut dyn Streams, event: Event<'_>);

    /// [`Wake::wake`] was called since the last time, once or often.
    fn woken(&mut self, session: &mut dyn Streams);

    /// The connection is over: called exactly once, after which nothing is called any more. Streams that are
    /// still open are lost.
    fn ended(&mut self, why: Ended);
}

/// Why a connection is over.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// In order: both sides had said all.
    Closed,
    /// The client broke the protocol, or kept us waiting for too long.
    Violation(ConnectionError),
    /// The client went away: a reset, or an end of octets in the middle of something.
    Vanished(io::Error),
    /// TLS failed after the handshake: a forged or broken record, an alert of the client.
    Tls(rustls::Error),
    /// The client did not take any of our octets for [`Config::write_time`](crate::Config::write_time).
    Stalled,
    /// The service panicked in an earlier call: a fault of this program. It may be in any state.
    Panicked,
    /// The server stopped, or its grace for draining was over.
    Stopped,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Closed => f.write_str("closed"),
            Ended::Violation(error) => error.fmt(f),
            Ended::Vanished(error) => write!(f, "the client went away: {error}"),
            Ended::Tls(error) => write!(f, "TLS failed: {error}"),
            Ended::Stalled => f.write_str("the client did not read what it was sent"),
            Ended::Panicked => f.write_str("the service panicked"),
            Ended::Stopped => f.write_str("the server stopped"),
        }
    }
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// Its name in ALPN (RFC 7301, section 6).
    ///
    /// ```
    /// assert_eq!(thalweg_net::Protocol::Http2.alpn(), b"h2");
    /// ```
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        }
    }
}

/// Who is at the other end of a connection, and how it is reached.
#[derive(Debug)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddress,
    /// Ours, that the client connected to.
    pub local: SocketAddress,
    /// What was negotiated, over TLS.
    pub tls: Option<TlsInfo>,
    /// The protocol of its first octets. A plain connection of HTTP/1.1 may change to HTTP/2 by the client's first
    /// request ([`Config::h2c_upgrade`](crate::Config::h2c_upgrade)), whose version says so.
    pub protocol: Protocol,
}

/// Asks the driver of one connection to call [`Connection::woken`], soon: once, however often it is called
/// before, after whatever else is ready to run on this worker, and with one write for all that it causes.
///
/// It does nothing once the connection is over. From another thread use a [`Post`](crate::worker::Post).
#[derive(Clone)]
pub struct Wake {
    bell: Rc<Bell>,
}

impl Wake {
    pub(crate) fn new(bell: Rc<Bell>) -> Self {
        Self { bell }
    }

    /// See [`Wake`]. Costs next to nothing when the connection is already marked.
    pub fn wake(&self) {
        self.bell.ring();
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}
