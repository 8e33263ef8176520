//! Our octets: heads that wait, then content, one piece a call.

use super::Session;
use super::exchange::{Body, Framing, Sending, Turn};
use super::receive::Input;
use super::write;
use crate::session::{End, Finish, Gather, Output};
use bytes::Bytes;

impl Session {
    pub(super) fn write(&mut self, out: &mut Gather) -> Output {
        if !self.wants_write() {
            return Output::Idle;
        }
        if out.room() == 0 {
            return Output::Full;
        }
        if !self.ahead.is_empty() {
            out.extend(&std::mem::take(&mut self.ahead));
            return Output::Frame;
        }
        let Some(exchange) = &mut self.exchange else {
            return Output::Idle;
        };
        if let Some(head) = exchange.head.take() {
            self.write_head(&head, out);
            self.settle();
            return Output::Frame;
        }
        let Sending::Body(body) = &mut exchange.sending else {
            return Output::Idle;
        };
        match std::mem::replace(&mut body.turn, Turn::Deferred) {
            Turn::Deferred => Output::Idle,
            Turn::Ask | Turn::Asked(_) => Output::Need {
                id: exchange.id,
                max: body.ask(out.room()),
            },
            Turn::Supplied(piece, end) => {
                if write_piece(body, piece, &end, out) {
                    exchange.sending = Sending::Done;
                    self.settle();
                }
                Output::Frame
            }
        }
    }

    pub(super) fn wants_write(&self) -> bool {
        let more = |sending: &Sending| match sending {
            Sending::Body(body) => !matches!(body.turn, Turn::Deferred),
            Sending::Awaited | Sending::Done => false,
        };
        !self.ahead.is_empty()
            || (self.exchange.as_ref())
                .is_some_and(|exchange| exchange.head.is_some() || more(&exchange.sending))
    }

    pub(super) fn finish(&self) -> Finish {
        match &self.exchange {
            Some(exchange) if matches!(self.input, Input::Tunnel) && exchange.is_said() => {
                Finish::Half
            }
            _ => self.finish,
        }
    }
}

/// Writes a piece of content in its framing. Answers whether our message is complete with it.
fn write_piece(body: &mut Body, piece: Bytes, end: &End, out: &mut Gather) -> bool {
    let complete = !matches!(end, End::More);
    body.turn = Turn::Ask;
    if body.framing != Framing::Chunked {
        out.push(piece);
        return complete;
    }
    if !piece.is_empty() {
        out.append(|run| write::chunk_size(run, piece.len()));
        out.push(piece);
        out.extend(b"\r\n");
    }
    if complete {
        let trailers = match end {
            End::Trailers(trailers) => Some(trailers),
            End::More | End::Last => None,
        };
        out.append(|run| write::last_chunk(run, trailers));
    }
    complete
}
