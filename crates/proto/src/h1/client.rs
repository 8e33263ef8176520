//! A client's part: requests that its caller opens, and responses that come.

use super::Session;
use super::exchange::{Body, Exchange, Framing, Offer, Sending, Turn};
use super::framing::{Facts, Length};
use super::receive::Input;
use super::scan::Scan;
use super::write::{self, Announce, Connection};
use crate::error::{UsageError, Violation};
use crate::head::{Request, Response, Version};
use crate::session::{Event, Finish, Role, StreamId};
use crate::syntax;

impl Session {
    /// The caller opens an exchange.
    pub(super) fn request(&mut self, head: Request, end: bool) -> Result<StreamId, UsageError> {
        if self.role == Role::Server {
            return Err(UsageError::WrongRole);
        }
        if self.last || self.finish != Finish::No {
            return Err(UsageError::ShuttingDown);
        }
        if self.exchange.is_some() || !matches!(self.input, Input::Idle) {
            return Err(UsageError::NoCapacity);
        }
        let asked = write::check(&head.fields)?;
        let method = head.method();
        let connect = method == b"CONNECT";
        let host = (head.authority().or_else(|| head.fields.first(b"host")))
            .ok_or(UsageError::Incomplete)?;
        let target = if connect {
            head.authority()
        } else {
            head.path()
        };
        let target = target.ok_or(UsageError::Incomplete)?;
        let fit = syntax::is_token(method)
            && syntax::is_path(target)
            && (host.is_empty() || syntax::is_authority(host))
            && head.protocol().is_none();
        if !fit {
            return Err(UsageError::BadField);
        }
        let expects = !end && head.fields.contains(b"expect");
        let (announce, sending) = match asked.content_length {
            Some(length) if connect || end && length > 0 => {
                return Err(UsageError::LengthMismatch);
            }
            _ if connect => (Announce::AsGiven, Sending::Awaited),
            None if end && matches!(method, b"POST" | b"PUT" | b"PATCH") => {
                (Announce::Empty, Sending::Done)
            }
            _ if end => (Announce::AsGiven, Sending::Done),
            Some(length) => (
                Announce::AsGiven,
                Sending::Body(Body::new(Framing::Exact(length))),
            ),
            None => (
                Announce::Chunked,
                Sending::Body(Body::new(Framing::Chunked)),
            ),
        };
        let offer = if connect {
            Offer::Connect
        } else if asked.upgrade && end {
            Offer::Upgrade
        } else {
            Offer::None
        };
        self.last |= asked.close;
        let connection = if asked.close {
            Connection::Close
        } else if asked.upgrade && head.fields.contains(b"http2-settings") {
            Connection::UpgradeToHttp2
        } else if asked.upgrade {
            Connection::Upgrade
        } else if head.fields.contains(b"te") {
            Connection::Te
        } else {
            Connection::Kept
        };
        write::request(&mut self.ahead, &head, target, host, announce, connection);
        self.count += 1;
        let id = StreamId::new(self.count, 0);
        let mut exchange = Exchange {
            id,
            version: Version::Http11,
            to_head: method == b"HEAD",
            offer,
            expects,
            receiving: true,
            unwanted: false,
            untaken: 0,
            head: None,
            sending,
        };
        if let (true, Sending::Body(body)) = (expects, &mut exchange.sending) {
            // A 100 asks for it, or a caller who waits no longer.
            body.turn = Turn::Deferred;
        }
        self.exchange = Some(exchange);
        self.input = Input::Head(Scan::response());
        self.since = self.clock;
        Ok(id)
    }

    /// A head of the response is complete.
    pub(super) fn responded(
        &mut self,
        head: Response,
        facts: Facts,
    ) -> Result<Event<'static>, Violation> {
        let Some(exchange) = &mut self.exchange else {
            return Err(Violation::UnexpectedOctets);
        };
        let id = exchange.id;
        let granted = match (exchange.offer, head.status) {
            (Offer::Upgrade, 101) => facts.upgrades(),
            (_, 101) => return Err(Violation::Status),
            (Offer::Connect, 200..300) => true,
            _ => false,
        };
        if granted {
            exchange.sending = Sending::Body(Body::new(Framing::Raw));
            self.become_tunnel();
            return Ok(Event::Response {
                id,
                head,
                end: false,
            });
        }
        if head.is_informational() {
            if head.status == 100 && std::mem::take(&mut exchange.expects) {
                exchange.go_on();
            }
            self.input = Input::Head(Scan::response());
            return Ok(Event::Response {
                id,
                head,
                end: false,
            });
        }
        let bodiless = exchange.to_head || matches!(head.status, 204 | 304);
        let length = facts.response_length(bodiless)?;
        if matches!(exchange.sending, Sending::Awaited) {
            exchange.sending = Sending::Done;
        }
        let persists = facts.persists() && length != Length::UntilEof;
        if !persists || exchange.expects {
            if !self.last {
                self.news.go_away = Some(id.number());
            }
            self.last = true;
        }
        let end = length.is_none();
        if end {
            exchange.receiving = false;
            self.expect_nothing();
        } else {
            self.input = Input::body(length, None);
            self.weigh_body();
        }
        self.settle();
        Ok(Event::Response { id, head, end })
    }
}
