//! The beginning of a connection: the TLS handshake, or the octets that tell HTTP/2 from HTTP/1.x.

use super::frames;
use super::transport::{Broken, Received, Transport};
use crate::Config;
use crate::listen::SocketAddress;
use crate::service::{Peer, Protocol};
use crate::worker::Scratch;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant, SystemTime};
use thalweg_proto::h1::{self, Scheme};
use thalweg_proto::session::{Epoch, Session};
use thalweg_proto::{h2, h2c};

/// What is left of a client's patience when we drain.
const HURRY: Duration = Duration::from_millis(500);

/// What HTTP is told where TLS is spoken.
const SPEAK_TLS: &str =
    "This port speaks TLS: use https:// here (a plain HTTP request was received).\n";

/// A connection whose protocol is not known yet.
pub(super) struct Opening {
    pub(super) address: SocketAddress,
    pub(super) local: SocketAddress,
    /// The end of patience.
    pub(super) until: Instant,
    pub(super) hurried: bool,
}

/// What a step of opening came to.
pub(super) enum Opened {
    Wait,
    /// A protocol is spoken; its first octets are in the scratch.
    Speaks(Arc<Peer>),
    /// It cannot be served; what tells the client so waits to be sent.
    Refused,
    /// The client has gone, or said nothing.
    Gone,
}

impl Opening {
    /// We drain: a client that has just connected gets this much time for its first octets.
    pub(super) fn hurry(&mut self, now: Instant) {
        if !self.hurried {
            self.hurried = true;
            self.until = self.until.min(now + HURRY);
        }
    }

    pub(super) fn step(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        transport: &mut Transport,
        scratch: &mut Scratch,
    ) -> Opened {
        loop {
            if let Some(peer) = self.recognise(transport, scratch) {
                return Opened::Speaks(Arc::new(peer));
            }
            let flushed = transport.flush(context, now, scratch);
            if flushed.is_err() || now >= self.until {
                tracing::debug!(client = %self.address, "the client went away, or said too little in time, before its first request");
                return Opened::Gone;
            }
            match transport.receive(context, scratch) {
                Ok(Received::Octets) => {}
                Ok(Received::Nothing) => return Opened::Wait,
                Ok(Received::End(_)) => return Opened::Gone,
                Err(broken) => return self.refuse(broken, transport),
            }
        }
    }

    fn refuse(&self, broken: Broken, transport: &mut Transport) -> Opened {
        match broken {
            Broken::Io(error) => {
                tracing::debug!(client = %self.address, %error, "the client went away before its first request");
                Opened::Gone
            }
            Broken::Tls(error) => {
                tracing::debug!(client = %self.address, %error, "the TLS handshake failed");
                Opened::Refused
            }
            Broken::PlainHttp => {
                tracing::debug!(client = %self.address, "a plain HTTP request came to a TLS port");
                transport.speak_plainly(speak_tls().as_bytes());
                Opened::Refused
            }
        }
    }

    /// The peer, once its protocol is known.
    fn recognise(&self, transport: &mut Transport, scratch: &Scratch) -> Option<Peer> {
        if transport.is_handshaking() {
            return None;
        }
        let tls = transport.tls_info();
        let protocol = match &tls {
            Some(tls) => tls.protocol.unwrap_or(Protocol::Http1),
            None => sniff(scratch.plain.octets())?,
        };
        Some(Peer {
            address: self.address.clone(),
            local: self.local.clone(),
            tls,
            protocol,
        })
    }
}

/// The whole answer to HTTP where TLS is spoken.
fn speak_tls() -> String {
    let now = Instant::now();
    let date = Epoch::new(now, SystemTime::now()).date(now);
    let date = date.map_or(String::new(), |date| format!("date: {date}\r\n"));
    format!(
        "HTTP/1.1 400 Bad Request\r\n{date}content-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{SPEAK_TLS}",
        SPEAK_TLS.len()
    )
}

/// Tells HTTP/2 by its preface. None: more octets are needed to tell.
fn sniff(octets: &[u8]) -> Option<Protocol> {
    if octets.starts_with(h2::PREFACE) {
        Some(Protocol::Http2)
    } else if h2::PREFACE.starts_with(octets) {
        None
    } else {
        Some(Protocol::Http1)
    }
}

/// The session of a connection's protocol.
pub(super) fn session(peer: &Peer, config: &Config, now: Instant) -> Box<dyn Session> {
    let limits = Arc::clone(&config.limits);
    let epoch = Epoch::new(now, SystemTime::now());
    match (peer.protocol, &peer.tls) {
        (Protocol::Http2, _) => {
            let session = h2::Session::server(limits, now).dated(epoch);
            frames::logged(session, &peer.address, now)
        }
        (Protocol::Http1, Some(_)) => {
            Box::new(h1::Session::server(limits, Scheme::Https, now).dated(epoch))
        }
        (Protocol::Http1, None) if config.h2c_upgrade => {
            let session = h2c::Session::server(limits, now).dated(epoch);
            frames::logged(session, &peer.address, now)
        }
        (Protocol::Http1, None) => {
            Box::new(h1::Session::server(limits, Scheme::Http, now).dated(epoch))
        }
    }
}
