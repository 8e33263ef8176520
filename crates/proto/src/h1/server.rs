//! A server's part: requests that come, responses that its caller gives, and last words.

use super::Session;
use super::exchange::{Body, Exchange, FinalHead, Framing, Offer, Sending};
use super::framing::Facts;
use super::receive::Input;
use super::write::{self, Announce, Asked, Connection};
use crate::error::{UsageError, Violation};
use crate::head::{Request, Response, Version};
use crate::session::{Event, Gather, Pace, Role, StreamId};

impl Session {
    /// The head of a request is complete.
    pub(super) fn requested(
        &mut self,
        head: Request,
        facts: Facts,
    ) -> Result<Event<'static>, Violation> {
        let length = facts.request_length()?;
        let connect = head.method() == b"CONNECT";
        if connect && !length.is_none() {
            // Are these octets the message's or the tunnel's (RFC 9110, section 9.3.6)?
            return Err(Violation::Framing);
        }
        let offer = if connect {
            Offer::Connect
        } else if facts.upgrades() && length.is_none() {
            Offer::Upgrade
        } else {
            Offer::None
        };
        self.count += 1;
        self.last |= !facts.persists();
        let id = StreamId::new(self.count, 0);
        let end = length.is_none();
        self.exchange = Some(Exchange {
            id,
            version: facts.version,
            to_head: head.method() == b"HEAD",
            offer,
            expects: !end && facts.expects_continue(),
            receiving: !end,
            unwanted: false,
            untaken: 0,
            head: None,
            sending: Sending::Awaited,
        });
        self.input = if end {
            Input::Held
        } else {
            Input::body(length, Some(Pace::new(self.clock)))
        };
        Ok(Event::Request { id, head, end })
    }

    /// The caller gives a head of the response.
    pub(super) fn answer(
        &mut self,
        id: StreamId,
        head: Response,
        end: bool,
    ) -> Result<(), UsageError> {
        if self.role == Role::Client {
            return Err(UsageError::WrongRole);
        }
        let exchange = self.exchange(id).ok_or(UsageError::NoSuchStream)?;
        if !matches!(exchange.sending, Sending::Awaited) {
            return Err(UsageError::HeadNotExpected);
        }
        write::check_status(&head)?;
        let asked = write::check(&head.fields)?;
        if asked.upgrade && !matches!(head.status, 101 | 426) {
            return Err(UsageError::BadField);
        }
        match head.status {
            101 => self.switch(head, end),
            100..200 => self.inform(&head, end),
            _ => self.conclude(head, end, asked),
        }
    }

    /// Writes the final head, with what it says about the connection.
    pub(super) fn write_head(&self, head: &FinalHead, out: &mut Gather) {
        let connection = match &self.exchange {
            _ if head.response.status == 101 => Connection::Upgrade,
            _ if matches!(self.input, Input::Tunnel) => Connection::Kept,
            _ if self.last => Connection::Close,
            _ if head.upgrade => Connection::Upgrade,
            Some(exchange) if exchange.version == Version::Http10 => Connection::KeptAlive,
            _ => Connection::Kept,
        };
        out.append(|run| write::response(run, &head.response, head.announce, connection));
    }

    /// What can still be said when the connection ends early: an answer that is ready and complete, or why there is
    /// none.
    pub(super) fn last_words(&mut self, why: Option<Violation>) {
        let date = self.epoch.and_then(|epoch| epoch.date(self.clock));
        let Some(exchange) = &mut self.exchange else {
            // Without an exchange only a head can have gone wrong; what is left of a body was answered before.
            if let (Input::Head(_), Some(why)) = (&self.input, why) {
                write::refusal(&mut self.ahead, why, date, false);
            }
            return;
        };
        if let (Some(head), Sending::Done) = (&exchange.head, &exchange.sending) {
            let (response, announce) = (&head.response, head.announce);
            write::response(&mut self.ahead, response, announce, Connection::Close);
        } else if let (false, Some(why)) = (exchange.has_begun(), why) {
            write::refusal(&mut self.ahead, why, date, exchange.to_head);
        }
    }

    /// 101: the octets after it are a tunnel's (RFC 9110, section 7.8).
    fn switch(&mut self, response: Response, end: bool) -> Result<(), UsageError> {
        let Some(exchange) = &mut self.exchange else {
            return Err(UsageError::NoSuchStream);
        };
        if exchange.offer != Offer::Upgrade {
            return Err(UsageError::NoUpgrade);
        }
        if end {
            return Err(UsageError::HeadNotExpected);
        }
        if !response.fields.contains(b"upgrade") {
            return Err(UsageError::Incomplete);
        }
        exchange.head = Some(FinalHead {
            response,
            announce: Announce::Omit,
            upgrade: true,
        });
        exchange.sending = Sending::Body(Body::new(Framing::Raw));
        self.become_tunnel();
        Ok(())
    }

    /// 1xx: the final head is still to come (RFC 9110, section 15.2).
    fn inform(&mut self, head: &Response, end: bool) -> Result<(), UsageError> {
        if end {
            return Err(UsageError::HeadNotExpected);
        }
        let Some(exchange) = &mut self.exchange else {
            return Err(UsageError::NoSuchStream);
        };
        let asked_for = head.status != 100 || std::mem::take(&mut exchange.expects);
        // A 100 that nobody waits for says nothing, and HTTP/1.0 knows no 1xx.
        if asked_for && exchange.version != Version::Http10 {
            write::response(&mut self.ahead, head, Announce::Omit, Connection::Kept);
        }
        Ok(())
    }

    /// The final head.
    fn conclude(&mut self, response: Response, end: bool, asked: Asked) -> Result<(), UsageError> {
        let Some(exchange) = &mut self.exchange else {
            return Err(UsageError::NoSuchStream);
        };
        let granted = exchange.offer == Offer::Connect && (200..300).contains(&response.status);
        let bodiless = exchange.to_head || matches!(response.status, 204 | 304);
        let (announce, framing) = if granted {
            (Announce::Omit, (!end).then_some(Framing::Raw))
        } else if response.status == 204 {
            (Announce::Omit, None)
        } else if bodiless {
            (Announce::AsGiven, None)
        } else if end {
            match asked.content_length {
                None => (Announce::Empty, None),
                Some(0) => (Announce::AsGiven, None),
                Some(_) => return Err(UsageError::LengthMismatch),
            }
        } else {
            match asked.content_length {
                Some(length) => (Announce::AsGiven, Some(Framing::Exact(length))),
                None if exchange.version == Version::Http10 => {
                    (Announce::AsGiven, Some(Framing::Raw))
                }
                None => (Announce::Chunked, Some(Framing::Chunked)),
            }
        };
        let until_eof = !granted && framing == Some(Framing::Raw);
        // A client that was given no 100 may leave its body out, or send it: the two cannot be told apart.
        self.last |= asked.close || until_eof || exchange.expects;
        exchange.sending =
            framing.map_or(Sending::Done, |framing| Sending::Body(Body::new(framing)));
        exchange.head = Some(FinalHead {
            response,
            announce,
            upgrade: asked.upgrade,
        });
        if granted {
            self.become_tunnel();
        }
        Ok(())
    }
}
