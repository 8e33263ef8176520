//! The peer's octets: heads, content, tunnels, and their end.

use super::Session;
use super::chunked::{Chunked, Step};
use super::exchange::Exchange;
use super::framing::Length;
use super::head;
use super::scan::{Found, Scan};
use crate::error::{ConnectionError, Violation};
use crate::fields::Fields;
use crate::session::{Eof, Event, Finish, Pace, Received, Role};

/// Empty lines that are passed over before a request (RFC 9112, section 2.2).
const EMPTY_LINES: u8 = 8;
/// How much of a body that nobody wants is read so that the connection can be used again.
const UNWANTED: usize = 64 << 10;

/// What the next octet of the peer is.
#[derive(Debug)]
pub(super) enum Input {
    /// Client: nothing may come, because nothing was asked for.
    Idle,
    /// The next octet of a head, or the first one.
    Head(Scan),
    /// Content.
    Body(Body),
    /// Not known before the exchange has gone on.
    Held,
    /// Whatever the two ends agreed on.
    Tunnel,
    /// Of no interest.
    Over,
}

/// Content that is on its way here.
#[derive(Debug)]
pub(super) struct Body {
    left: Left,
    /// Server: whether it comes fast enough.
    pub(super) pace: Option<Pace>,
}

#[derive(Debug)]
enum Left {
    Octets(u64),
    Chunks(Chunked),
    Trailers(Scan),
    UntilEof,
}

/// What a step over the input came to: octets that are dealt with, and what they said.
type Stepped<'b> = (usize, Option<Event<'b>>);

impl Input {
    /// What a connection without an exchange expects.
    pub(super) fn ready(role: Role) -> Self {
        match role {
            Role::Server => Input::Head(Scan::request()),
            Role::Client => Input::Idle,
        }
    }

    /// Content of this length, of which there is some.
    pub(super) fn body(length: Length, pace: Option<Pace>) -> Self {
        let left = match length {
            Length::Exact(octets) => Left::Octets(octets),
            Length::Chunked => Left::Chunks(Chunked::new()),
            Length::UntilEof => Left::UntilEof,
        };
        Input::Body(Body { left, pace })
    }

    /// Whether part of a message has come, and the rest has not.
    pub(super) fn has_begun(&self) -> bool {
        match self {
            Input::Head(scan) => scan.has_begun(),
            Input::Body(_) => true,
            Input::Idle | Input::Held | Input::Tunnel | Input::Over => false,
        }
    }
}

impl Session {
    pub(super) fn receive<'b>(&mut self, input: &'b [u8]) -> Result<Received<'b>, ConnectionError> {
        let mut consumed = 0;
        self.held = false;
        loop {
            if let Some(event) = self.news.next() {
                let event = Some(event);
                return Ok(Received { consumed, event });
            }
            let rest = input.get(consumed..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let (stepped, event) = self.step(rest).map_err(|why| self.fail(why))?;
            consumed += stepped;
            if event.is_some() {
                return Ok(Received { consumed, event });
            }
            if stepped == 0 {
                self.held = true;
                break;
            }
        }
        Ok(Received {
            consumed,
            event: None,
        })
    }

    pub(super) fn wants_read(&self) -> bool {
        match self.input {
            Input::Held => !self.held,
            Input::Body(_) | Input::Tunnel => self.room() > 0,
            Input::Idle | Input::Head(_) | Input::Over => true,
        }
    }

    /// The peer's octets have ended: is that the end of a message, or the loss of one?
    pub(super) fn input_ended(&mut self, how: Eof) -> Result<(), ConnectionError> {
        self.peer_ended = true;
        self.last = true;
        let clean = how == Eof::Clean;
        match &self.input {
            // The answer may still be wanted: the peer may have closed its half only.
            Input::Held if clean => {}
            Input::Tunnel if clean => self.received(None),
            Input::Body(Body {
                left: Left::UntilEof,
                ..
            }) if clean => self.received(None),
            Input::Idle | Input::Head(_) | Input::Over
                if self.exchange.is_none() && !self.input.has_begun() =>
            {
                self.end(Finish::Now);
            }
            // The response is here; what is left of the request has become pointless.
            Input::Idle => {
                self.news.finished = self.exchange.as_ref().map(|exchange| exchange.id);
                self.end(Finish::Now);
            }
            // A body that nobody waits for.
            Input::Body(_) if self.exchange.is_none() => self.end(Finish::Now),
            _ if clean => return Err(self.fail(Violation::Truncated)),
            // Nobody is there to hear last words.
            _ => {
                let at = self.exchange.as_ref().map(|exchange| exchange.id);
                self.end(Finish::Now);
                let mut error = ConnectionError::new(Violation::Truncated);
                error.at = at;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The caller wants no more of the peer's message: some of it is read and forgotten, a lot is not.
    pub(super) fn give_up_body(&mut self) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        if !exchange.receiving || exchange.unwanted {
            return;
        }
        exchange.unwanted = true;
        exchange.untaken = 0;
        self.spare = UNWANTED;
        // Without its 100 the body may come or not: where would the next request begin?
        if self.role == Role::Server && exchange.expects {
            self.stop_reading();
        } else {
            self.weigh_body();
        }
    }

    /// Content that nobody wants and that is known to be long is not read at all.
    pub(super) fn weigh_body(&mut self) {
        let unwanted = (self.exchange.as_ref()).is_some_and(|exchange| exchange.unwanted);
        if let (true, Input::Body(body)) = (unwanted, &self.input) {
            let long = match body.left {
                Left::Octets(left) => left > UNWANTED as u64,
                Left::UntilEof => true,
                Left::Chunks(_) | Left::Trailers(_) => false,
            };
            if long {
                self.stop_reading();
            }
        }
    }

    /// What is left of the peer's message is not read: the connection ends with ours.
    fn stop_reading(&mut self) {
        self.last = true;
        if self.exchange.is_some() {
            self.input = Input::Held;
            self.settle();
        } else {
            self.end(Finish::Linger);
        }
    }

    fn step<'b>(&mut self, rest: &'b [u8]) -> Result<Stepped<'b>, Violation> {
        match self.input {
            Input::Head(scan) => self.step_head(scan, rest),
            Input::Body(_) => self.step_body(rest),
            Input::Tunnel => Ok(self.data(rest, u64::MAX)),
            Input::Held => Ok((0, None)),
            Input::Over => Ok((rest.len(), None)),
            Input::Idle => Err(Violation::UnexpectedOctets),
        }
    }

    fn step_head<'b>(&mut self, mut scan: Scan, rest: &'b [u8]) -> Result<Stepped<'b>, Violation> {
        if !scan.has_begun() && self.count > 0 {
            self.since = self.clock;
        }
        let found = scan.look(rest, &self.limits);
        self.input = Input::Head(scan);
        match found? {
            Found::More => {
                self.partial.extend_from_slice(rest);
                Ok((rest.len(), None))
            }
            Found::EmptyLine(end) => {
                self.partial = Vec::new();
                self.empty_lines += 1;
                if self.empty_lines > EMPTY_LINES {
                    return Err(Violation::StartLine);
                }
                Ok((end, None))
            }
            Found::End(end) => {
                let rest = rest.get(..end).unwrap_or(rest);
                let fields = scan.fields();
                let event = if self.partial.is_empty() {
                    self.head(rest, fields)
                } else {
                    let mut whole = std::mem::take(&mut self.partial);
                    whole.extend_from_slice(rest);
                    self.head(&whole, fields)
                };
                Ok((end, Some(event?)))
            }
        }
    }

    /// A head is complete.
    fn head(&mut self, octets: &[u8], fields: usize) -> Result<Event<'static>, Violation> {
        match self.role {
            Role::Server => {
                let scheme = self.scheme.as_bytes();
                let (head, facts) = head::request(octets, fields, scheme, &self.limits)?;
                self.requested(head, facts)
            }
            Role::Client => {
                let (head, facts) = head::response(octets, fields)?;
                self.responded(head, facts)
            }
        }
    }

    fn step_body<'b>(&mut self, rest: &'b [u8]) -> Result<Stepped<'b>, Violation> {
        if let (Role::Server, Some(exchange)) = (self.role, &mut self.exchange) {
            // The client did not wait for the 100.
            exchange.expects = false;
        }
        let Input::Body(body) = &mut self.input else {
            return Ok((0, None));
        };
        let (passed, event) = match &mut body.left {
            Left::Octets(left) => {
                let left = *left;
                self.data(rest, left)
            }
            Left::UntilEof => self.data(rest, u64::MAX),
            Left::Chunks(chunked) => match chunked.step(rest)? {
                (passed, Step::More) => (passed, None),
                (passed, Step::Last) => {
                    body.left = Left::Trailers(Scan::trailers());
                    (passed, None)
                }
                (0, Step::Data(left)) => self.data(rest, left),
                (passed, Step::Data(_)) => (passed, None),
            },
            Left::Trailers(scan) => match scan.look(rest, &self.limits)? {
                Found::More => {
                    self.partial.extend_from_slice(rest);
                    (rest.len(), None)
                }
                Found::EmptyLine(end) | Found::End(end) => {
                    let fields = scan.fields();
                    let mut whole = std::mem::take(&mut self.partial);
                    whole.extend_from_slice(rest.get(..end).unwrap_or(rest));
                    let trailers = head::trailers(&whole, fields)?;
                    self.received(trailers);
                    (end, None)
                }
            },
        };
        self.pass_body(passed);
        Ok((passed, event))
    }

    /// Content, of which this much is left to come: as much of it as there is room for.
    fn data<'b>(&mut self, rest: &'b [u8], left: u64) -> Stepped<'b> {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let len = rest.len().min(left).min(self.room());
        let bytes = rest.get(..len).unwrap_or_default();
        let mut event = None;
        if let Some(exchange) = &mut self.exchange
            && !exchange.unwanted
            && len > 0
        {
            exchange.untaken += len;
            event = Some(Event::Data {
                id: exchange.id,
                bytes,
                credit: len,
            });
        }
        if let Input::Body(body) = &mut self.input {
            match &mut body.left {
                Left::Octets(left) => *left -= len as u64,
                Left::Chunks(chunked) if len > 0 => chunked.take(len),
                _ => {}
            }
            if matches!(body.left, Left::Octets(0)) {
                self.received(None);
            }
        }
        (len, event)
    }

    /// Octets of a body were dealt with, its framing among them.
    fn pass_body(&mut self, octets: usize) {
        if let Input::Body(body) = &mut self.input {
            if let Some(pace) = &mut body.pace {
                pace.received(octets);
            }
            let wanted = (self.exchange.as_ref()).is_some_and(|exchange| !exchange.unwanted);
            if !wanted {
                match self.spare.checked_sub(octets) {
                    Some(spare) => self.spare = spare,
                    None => self.stop_reading(),
                }
            }
        }
    }

    /// How many octets of content may be told before some are taken.
    pub(super) fn room(&self) -> usize {
        match &self.exchange {
            Some(exchange) if !exchange.unwanted => {
                (self.limits.stream_window as usize).saturating_sub(exchange.untaken)
            }
            _ => usize::MAX,
        }
    }

    /// The peer's message is complete.
    fn received(&mut self, trailers: Option<Fields>) {
        let was_tunnel = matches!(self.input, Input::Tunnel);
        let Some(exchange) = &mut self.exchange else {
            // The last of a body that nobody wanted: the exchange was over before.
            if self.last {
                self.end(Finish::Linger);
            } else {
                self.await_next();
            }
            return;
        };
        exchange.receiving = false;
        if !exchange.unwanted {
            self.news.end = Some((exchange.id, trailers));
        }
        if !was_tunnel {
            self.expect_nothing();
        }
        self.settle();
    }

    /// The peer's message is complete, and ours may not be.
    pub(super) fn expect_nothing(&mut self) {
        self.input = match self.role {
            Role::Server => Input::Held,
            Role::Client => Input::Idle,
        };
    }

    /// The octets of both sides are a tunnel's from here on.
    pub(super) fn become_tunnel(&mut self) {
        self.input = Input::Tunnel;
        self.held = false;
        if let Some(Exchange { receiving, .. }) = &mut self.exchange {
            *receiving = true;
        }
        if self.peer_ended {
            self.received(None);
        }
    }
}
