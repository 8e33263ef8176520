//! HTTP on a plain connection that may change to HTTP/2 on its way: `Upgrade: h2c` (RFC 7540, section 3.2).
//!
//! ```text
//!             ┌───────────────── h2c::Session ─────────────────┐
//!  octets ─►  │  h1::Session ── 101 ──► h2::Session            │  ─► events
//!             │   the first request      the same, as stream 1 │
//!             └────────────────────────────────────────────────┘
//! ```
//!
//! Above it nothing shows but [`Version`]: the request that offered the upgrade has the same [`StreamId`] before and
//! after, a server is told of it once and answers it, a client gets the answer, whichever protocol carries it.
//!
//! - Only the first request of a connection is an offer, because stream 1 has to be a number that nobody has used.
//! - Only a request without content is one. RFC 7540 allows content, in HTTP/1.1's framing before the change; but
//!   where two readers differ about its end they differ about the protocol of what follows, and that is how requests
//!   are smuggled. A client that has content to send begins with another request (`OPTIONS *`), as it always could.
//! - An offer that came through a proxy is no offer ([`Offer::of`]).
//!
//! Over TLS there is no such upgrade: ALPN has chosen before the first octet. A server that knows its client by the
//! preface of HTTP/2 ([`h2::PREFACE`]) makes an [`h2::Session`] at once.
//!
//! ```
//! use std::time::Instant;
//! use thalweg_proto::h2c::Session;
//! use thalweg_proto::head::{Request, Response, Version};
//! use thalweg_proto::limits::Limits;
//! use thalweg_proto::session::{Event, Gather, Output, Session as _, Streams as _};
//!
//! let now = Instant::now();
//! let mut client = Session::client(Limits::default(), now);
//! let mut server = Session::server(Limits::default(), now);
//!
//! let get = Request::new(b"GET")
//!     .with_scheme(b"http")
//!     .with_authority(b"example.org")
//!     .with_path(b"/");
//! let asked = client.open(get, true)?;
//! let mut wire = Gather::new(1 << 16);
//! while client.send(now, &mut wire) == Output::Frame {}
//!
//! let octets = wire.to_vec();
//! let received = server.recv(now, &octets)?;
//! let Some(Event::Request { id, head, end: true }) = received.event else { panic!() };
//! assert_eq!((id, head.version), (asked, Version::Http2));
//! server.respond(id, Response::new(204), true)?;
//! wire.clear();
//! while server.send(now, &mut wire) == Output::Frame {}
//!
//! let octets = wire.to_vec();
//! let received = client.recv(now, &octets)?;
//! let Some(Event::Response { id, head, end: true }) = received.event else { panic!() };
//! assert_eq!((id, head.status, client.version()), (asked, 204, Version::Http2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::error::{Code, ConnectionError, UsageError, Violation};
use crate::h1::{self, Scheme};
use crate::h2::trace::Entry;
use crate::h2::{self, Config, Offer};
use crate::head::{Request, Response, Version};
use crate::limits::Limits;
use crate::session::{
    self, Eof, Epoch, Event, Gather, Output, Priority, Received, Role, Shutdown, StreamId, Streams,
    Supply, Wants,
};
use std::sync::Arc;
use std::time::Instant;

/// What a server says before its first frame.
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

/// One end of a plain connection that begins in HTTP/1.1. See [the module](self).
#[derive(Debug)]
pub struct Session {
    spoken: Spoken,
    limits: Arc<Limits>,
    config: Arc<Config>,
    epoch: Option<Epoch>,
    traced: bool,
    /// Server: no request has come. Client: the answer to its offer has not. Only then may the protocol change.
    undecided: bool,
    /// Server: [`SWITCHING`] is to be sent.
    switching: bool,
    /// Client: the request that offers the upgrade.
    offered: Option<Box<Request>>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most connections stay in HTTP/1.1, and need no allocation of their own for it"
)]
enum Spoken {
    Http1(h1::Session),
    Http2(Box<h2::Session>),
}

impl Session {
    /// A server on a plain connection that was accepted now: it takes a client's offer.
    pub fn server(limits: impl Into<Arc<Limits>>, now: Instant) -> Self {
        let limits = limits.into();
        let http1 = h1::Session::server(Arc::clone(&limits), Scheme::Http, now);
        Self::over(http1, limits)
    }

    /// A client on a plain connection that was opened now: its first request is an offer.
    pub fn client(limits: impl Into<Arc<Limits>>, now: Instant) -> Self {
        let limits = limits.into();
        let http1 = h1::Session::client(Arc::clone(&limits), now);
        Self::over(http1, limits)
    }

    fn over(http1: h1::Session, limits: Arc<Limits>) -> Self {
        Self {
            spoken: Spoken::Http1(http1),
            limits,
            config: Arc::default(),
            epoch: None,
            traced: false,
            undecided: true,
            switching: false,
            offered: None,
        }
    }

    /// The same session, with a Date in the answers that it gives by itself.
    #[must_use]
    pub fn dated(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        if let Spoken::Http1(http1) = self.spoken {
            self.spoken = Spoken::Http1(http1.dated(epoch));
        }
        self
    }

    /// The same session with other choices for HTTP/2 than the default ones. To be called before its first octet.
    #[must_use]
    pub fn configured(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// The same session, with a trace of its frames once it speaks HTTP/2.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// The next entry of the trace: see [`h2::Session::next_trace`].
    pub fn next_trace(&mut self) -> Option<Entry> {
        self.http2()?.next_trace()
    }

    /// What is spoken now.
    pub fn version(&self) -> Version {
        match self.spoken {
            Spoken::Http1(_) => Version::Http11,
            Spoken::Http2(_) => Version::Http2,
        }
    }

    /// The session of HTTP/2, once that is spoken: it can do more than this one shows.
    pub fn http2(&mut self) -> Option<&mut h2::Session> {
        match &mut self.spoken {
            Spoken::Http1(_) => None,
            Spoken::Http2(http2) => Some(http2),
        }
    }

    fn now_spoken(&self) -> &dyn session::Session {
        match &self.spoken {
            Spoken::Http1(http1) => http1,
            Spoken::Http2(http2) => &**http2,
        }
    }

    fn now_spoken_mut(&mut self) -> &mut dyn session::Session {
        match &mut self.spoken {
            Spoken::Http1(http1) => http1,
            Spoken::Http2(http2) => &mut **http2,
        }
    }

    /// Server: the session of HTTP/2 that takes this request over, if it offers that.
    fn accept(&self, now: Instant, head: &Request) -> Option<h2::Session> {
        let Spoken::Http1(http1) = &self.spoken else {
            return None;
        };
        if !http1.persists() {
            return None;
        }
        let offer = Offer::of(head)?;
        let mut http2 = self.chosen(h2::Session::server(Arc::clone(&self.limits), now));
        if let Some(epoch) = self.epoch {
            http2 = http2.dated(epoch);
        }
        // What is out of range there would end the connection here: HTTP/1.1 serves the request.
        http2.upgrade(head, &offer).ok()?;
        Some(http2)
    }

    /// Client: the session of HTTP/2 in which the answer to our offer comes, once a 101 has agreed to it.
    fn agreed(&self, now: Instant, head: &Response) -> Result<h2::Session, Violation> {
        let (Spoken::Http1(http1), Some(request)) = (&self.spoken, &self.offered) else {
            return Err(Violation::Status);
        };
        let mut named = head.fields.all(b"upgrade");
        // An answer to what has not left is none.
        if named.next() != Some(b"h2c") || named.next().is_some() || http1.is_unsent() {
            return Err(Violation::Status);
        }
        let mut http2 = self.chosen(h2::Session::client(Arc::clone(&self.limits), now));
        let id = http2.upgraded(request).map_err(|_| Violation::Status)?;
        if http1.is_unwanted() {
            http2.discard(id);
        }
        if !http1.persists() {
            http2.shutdown(now, Shutdown::Graceful);
        }
        Ok(http2)
    }

    /// A session of HTTP/2 with what was chosen for it.
    fn chosen(&self, http2: h2::Session) -> h2::Session {
        let http2 = http2.configured(Arc::clone(&self.config));
        if self.traced { http2.traced() } else { http2 }
    }

    /// What HTTP/1.1 has told, unless HTTP/2 goes on from there.
    fn after<'b>(
        &mut self,
        now: Instant,
        event: Option<Event<'b>>,
    ) -> Result<Option<Event<'b>>, ConnectionError> {
        match event {
            Some(Event::Request { id, head, end }) => {
                self.undecided = false;
                let http2 = if end { self.accept(now, &head) } else { None };
                let Some(http2) = http2 else {
                    return Ok(Some(Event::Request { id, head, end }));
                };
                self.spoken = Spoken::Http2(Box::new(http2));
                self.switching = true;
                Ok(None)
            }
            Some(Event::Response { id, head, .. }) if head.status == 101 => {
                match self.agreed(now, &head) {
                    Ok(http2) => self.spoken = Spoken::Http2(Box::new(http2)),
                    Err(why) => return Err(self.refuse(id, why)),
                }
                self.offered = None;
                Ok(None)
            }
            Some(Event::Response { id, head, end }) => {
                self.undecided = head.is_informational();
                self.offered.take_if(|_| !self.undecided);
                Ok(Some(Event::Response { id, head, end }))
            }
            event => Ok(event),
        }
    }

    /// Client: the server has changed to something else than was offered.
    fn refuse(&mut self, id: StreamId, why: Violation) -> ConnectionError {
        self.reset(id, why.code());
        ConnectionError::new(why).on(id)
    }
}

impl Streams for Session {
    fn open(&mut self, head: Request, end: bool) -> Result<StreamId, UsageError> {
        let http1 = match &mut self.spoken {
            Spoken::Http2(http2) => return http2.open(head, end),
            Spoken::Http1(http1) => http1,
        };
        if !(end && http1.is_unused() && can_offer(&head)) {
            let id = http1.open(head, end)?;
            self.undecided = false;
            return Ok(id);
        }
        let settings = h2::settings_field(&self.config, &self.limits);
        let offer = head
            .clone()
            .with_field(b"connection", b"upgrade")
            .with_field(b"upgrade", b"h2c")
            .with_field(b"http2-settings", settings.as_bytes());
        let id = http1.open(offer, end)?;
        self.undecided = true;
        self.offered = Some(Box::new(head));
        Ok(id)
    }

    fn respond(&mut self, id: StreamId, head: Response, end: bool) -> Result<(), UsageError> {
        self.now_spoken_mut().respond(id, head, end)
    }

    fn push(&mut self, on: StreamId, head: Request) -> Result<StreamId, UsageError> {
        self.now_spoken_mut().push(on, head)
    }

    fn supply(&mut self, id: StreamId, what: Supply) -> Result<(), UsageError> {
        self.now_spoken_mut().supply(id, what)
    }

    fn resume(&mut self, id: StreamId) {
        self.now_spoken_mut().resume(id);
    }

    fn taken(&mut self, id: StreamId, credit: usize) {
        self.now_spoken_mut().taken(id, credit);
    }

    fn discard(&mut self, id: StreamId) {
        self.now_spoken_mut().discard(id);
    }

    fn reset(&mut self, id: StreamId, code: Code) {
        self.now_spoken_mut().reset(id, code);
    }

    fn set_priority(&mut self, id: StreamId, priority: Priority) {
        self.now_spoken_mut().set_priority(id, priority);
    }

    fn capacity(&self) -> usize {
        self.now_spoken().capacity()
    }

    fn shutdown(&mut self, now: Instant, how: Shutdown) {
        self.now_spoken_mut().shutdown(now, how);
    }

    fn role(&self) -> Role {
        self.now_spoken().role()
    }

    fn open_streams(&self) -> usize {
        self.now_spoken().open_streams()
    }
}

impl session::Session for Session {
    fn recv<'b>(&mut self, now: Instant, input: &'b [u8]) -> Result<Received<'b>, ConnectionError> {
        let http1 = match &mut self.spoken {
            Spoken::Http2(http2) => return http2.recv(now, input),
            Spoken::Http1(http1) if self.undecided => http1,
            Spoken::Http1(http1) => return http1.recv(now, input),
        };
        let Received { consumed, event } = http1.recv(now, input)?;
        let event = self.after(now, event)?;
        let Spoken::Http2(http2) = &mut self.spoken else {
            return Ok(Received { consumed, event });
        };
        let rest = input.get(consumed..).unwrap_or_default();
        let more = http2.recv(now, rest)?;
        Ok(Received {
            consumed: consumed + more.consumed,
            event: more.event,
        })
    }

    fn eof(&mut self, now: Instant, how: Eof) -> Result<(), ConnectionError> {
        self.now_spoken_mut().eof(now, how)
    }

    fn send(&mut self, now: Instant, out: &mut Gather) -> Output {
        if self.switching {
            if out.room() == 0 {
                return Output::Full;
            }
            self.switching = false;
            out.extend(SWITCHING);
            return Output::Frame;
        }
        self.now_spoken_mut().send(now, out)
    }

    fn poll(&mut self) -> Option<Event<'static>> {
        self.now_spoken_mut().poll()
    }

    fn deadline(&self) -> Option<Instant> {
        self.now_spoken().deadline()
    }

    fn expire(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.now_spoken_mut().expire(now)
    }

    fn wants(&self) -> Wants {
        let mut wants = self.now_spoken().wants();
        wants.write |= self.switching;
        wants
    }

    fn is_mixed(&self) -> bool {
        self.now_spoken().is_mixed()
    }
}

/// Whether an offer may go with this request: it says nothing about the connection itself.
fn can_offer(head: &Request) -> bool {
    let plain = head.scheme().is_none_or(|scheme| scheme == b"http");
    let own = |name: &[u8]| matches!(name, b"connection" | b"upgrade" | b"te" | b"http2-settings");
    plain && head.method() != b"CONNECT" && !head.fields.iter().any(|field| own(field.name))
}
