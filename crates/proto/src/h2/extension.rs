//! Frames of extensions (RFC 9113, section 5.5): ALTSVC (RFC 7838), ORIGIN (RFC 8336), and types that are the caller's
//! own. All others are counted and passed over.
//!
//! | type | server | client |
//! |---|---|---|
//! | [`Config::frames`](super::Config::frames) | [`Event::Frame`] | [`Event::Frame`] |
//! | ALTSVC | ignored | [`Event::AltSvc`], ignored where it is malformed |
//! | ORIGIN | ignored | [`Event::Origins`], ignored where it is malformed |

use super::Session;
use super::control::Control;
use super::frame::{self, Frame, HEADER_LEN, Header, Kind, MAX_STREAM};
use super::recv::{Reading, Standing};
use super::stream::State;
use crate::error::{ConnectionError, UsageError};
use crate::session::{Event, Gather, Role, StreamId};
use crate::syntax;
use bytes::Bytes;

/// Flags of ORIGIN that change its meaning, once they have one (RFC 8336, section 2.1).
const CRITICAL: u8 = 0x0f;

/// What leaves.
impl Session {
    /// Sends a frame of a type that the session does not know: ahead of DATA, behind what was said before. `stream` is
    /// its number, 0 for the connection; nothing is checked about it.
    ///
    /// # Errors
    /// [`UsageError::Reserved`] for the types of RFC 9113; [`UsageError::TooLarge`];
    /// [`UsageError::NoSuchStream`] where no stream can have the number; [`UsageError::ShuttingDown`].
    pub fn send_frame(
        &mut self,
        stream: u64,
        kind: u8,
        flags: u8,
        payload: impl Into<Bytes>,
    ) -> Result<(), UsageError> {
        if !is_extension(kind) {
            return Err(UsageError::Reserved);
        }
        let stream = u32::try_from(stream)
            .ok()
            .filter(|stream| *stream <= MAX_STREAM);
        let stream = stream.ok_or(UsageError::NoSuchStream)?;
        self.extend(stream, kind, flags, payload.into())
    }

    /// Server: tells where else an origin can be reached, as an Alt-Svc field would (RFC 7838, section 4): that of a
    /// request, or the one that is named (`https://example.org`).
    ///
    /// # Errors
    /// [`UsageError::WrongRole`]; [`UsageError::BadField`] where the value is no field value, or not exactly one of
    /// stream and origin is given; [`UsageError::NoSuchStream`], [`UsageError::TooLarge`],
    /// [`UsageError::ShuttingDown`].
    pub fn send_altsvc(
        &mut self,
        on: Option<StreamId>,
        origin: &[u8],
        value: &[u8],
    ) -> Result<(), UsageError> {
        if self.role != Role::Server {
            return Err(UsageError::WrongRole);
        }
        if !is_altsvc(on.is_some(), origin, value) {
            return Err(UsageError::BadField);
        }
        let number = match on {
            None => 0,
            Some(id) => match self.streams.get(id) {
                Some(stream) if stream.state != State::Idle => stream.number,
                _ => return Err(UsageError::NoSuchStream),
            },
        };
        let mut payload = Vec::with_capacity(2 + origin.len() + value.len());
        frame::write_counted(origin, &mut payload);
        payload.extend_from_slice(value);
        self.extend(number, Kind::AltSvc.number(), 0, payload.into())
    }

    /// Server: tells which origins the connection serves, each as `https://example.org` (RFC 8336). The first call
    /// replaces what the client assumed, later ones add to it. It has a meaning over TLS only.
    ///
    /// # Errors
    /// [`UsageError::WrongRole`]; [`UsageError::BadField`] where one is no origin; [`UsageError::TooLarge`],
    /// [`UsageError::ShuttingDown`].
    pub fn send_origins<'o>(
        &mut self,
        origins: impl IntoIterator<Item = &'o [u8]>,
    ) -> Result<(), UsageError> {
        if self.role != Role::Server {
            return Err(UsageError::WrongRole);
        }
        let mut payload = Vec::new();
        for origin in origins {
            if !is_origin(origin) {
                return Err(UsageError::BadField);
            }
            frame::write_counted(origin, &mut payload);
        }
        self.extend(0, Kind::Origin.number(), 0, payload.into())
    }

    fn extend(
        &mut self,
        stream: u32,
        kind: u8,
        flags: u8,
        payload: Bytes,
    ) -> Result<(), UsageError> {
        if self.drain.is_over() {
            return Err(UsageError::ShuttingDown);
        }
        if payload.len() > self.peer.frame as usize {
            return Err(UsageError::TooLarge);
        }
        self.control.push(Control::Extension {
            stream,
            kind,
            flags,
            payload,
        });
        Ok(())
    }

    /// Adds a frame of an extension, unless the peer takes less than it did when the frame was given.
    pub(super) fn write_extension(
        &mut self,
        stream: u32,
        kind: u8,
        flags: u8,
        payload: &[u8],
        out: &mut Gather,
    ) -> bool {
        if payload.len() > self.peer.frame as usize {
            return false;
        }
        out.append(|run| {
            let at = run.len();
            run.extend_from_slice(&[0; HEADER_LEN]);
            run.extend_from_slice(payload);
            frame::complete(run, at, Kind::from_number(kind), flags, stream);
            self.trace.sent(run, at);
        });
        true
    }
}

/// What comes.
impl Session {
    /// How the payload of an extension's frame is to be read.
    pub(super) fn begin_extension(&mut self, header: Header) -> Result<Reading, ConnectionError> {
        let whole = Reading::Payload { header, skip: 0 };
        if self.is_own(header.kind) {
            return Ok(whole);
        }
        self.count_glitch()?;
        let told = self.role == Role::Client && !matches!(header.kind, Kind::Unknown(_));
        Ok(if told {
            whole
        } else {
            Reading::Skip(header.len())
        })
    }

    /// An extension's frame is complete: it is told, if it makes sense.
    pub(super) fn take_extension(&mut self, header: Header, frame: Frame<'_>, payload: &[u8]) {
        let event = if self.is_own(header.kind) {
            Some(Event::Frame {
                stream: u64::from(header.stream),
                kind: header.kind.number(),
                flags: header.flags,
                payload: Bytes::copy_from_slice(payload),
            })
        } else {
            match frame {
                Frame::AltSvc { origin, value } => self.altsvc(header.stream, origin, value),
                Frame::Origin(origins) if header.stream == 0 && header.flags & CRITICAL == 0 => {
                    let origins = origins.iter().filter(|origin| is_origin(origin));
                    Some(Event::Origins {
                        origins: origins.map(Bytes::copy_from_slice).collect(),
                    })
                }
                _ => None,
            }
        };
        if let Some(event) = event {
            self.events.push(event);
        }
    }

    fn altsvc(&self, number: u32, origin: &[u8], value: &[u8]) -> Option<Event<'static>> {
        let on = match number {
            0 => None,
            number => match self.standing(number) {
                Standing::Open(id) => Some(id),
                Standing::Idle | Standing::Closed => return None,
            },
        };
        is_altsvc(on.is_some(), origin, value).then(|| Event::AltSvc {
            on,
            origin: Bytes::copy_from_slice(origin),
            value: Bytes::copy_from_slice(value),
        })
    }

    fn is_own(&self, kind: Kind) -> bool {
        self.config.frames.contains(&kind.number())
    }
}

/// Whether a type is none of RFC 9113's.
fn is_extension(kind: u8) -> bool {
    kind > Kind::Continuation.number()
}

/// Whether ALTSVC has a meaning: with a stream, whose origin it is, or with an origin.
fn is_altsvc(on_stream: bool, origin: &[u8], value: &[u8]) -> bool {
    let of_one = if on_stream {
        origin.is_empty()
    } else {
        is_origin(origin)
    };
    of_one && !value.is_empty() && syntax::is_field_value(value)
}

/// Whether this is an origin as RFC 6454, section 6.2, writes it.
fn is_origin(octets: &[u8]) -> bool {
    let Some(at) = octets.windows(3).position(|three| three == b"://") else {
        return false;
    };
    let (scheme, authority) = octets.split_at(at);
    let authority = authority.get(3..).unwrap_or_default();
    octets.len() <= usize::from(u16::MAX)
        && syntax::is_scheme(scheme)
        && syntax::is_authority(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host() {
        for origin in [
            &b"https://example.org"[..],
            b"http://[::1]:8080",
            b"a+b://x",
        ] {
            assert!(is_origin(origin), "{}", origin.escape_ascii());
        }
        for not in [
            &b""[..],
            b"null",
            b"example.org",
            b"://example.org",
            b"https://",
            b"https://example.org/",
            b"https://user@example.org",
            b"https://exam ple.org",
        ] {
            assert!(!is_origin(not), "{}", not.escape_ascii());
        }
    }
}
