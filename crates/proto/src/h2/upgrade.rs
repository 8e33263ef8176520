//! How a connection of HTTP/1.1 becomes one of HTTP/2 (RFC 7540, section 3.2): what the two ends say about it in
//! HTTP/1.1, and the session that goes on from there.
//!
//! ```text
//!  client                                                     server
//!  GET / HTTP/1.1                                             [`Offer::of`] the request
//!  connection: upgrade, http2-settings     ─────────────►     Session::server(…)
//!  upgrade: h2c                                                  .upgrade(&request, &offer.settings)
//!  http2-settings: [`Session::offer`]
//!                                          ◄─────────────     HTTP/1.1 101, SETTINGS, HEADERS of stream 1 …
//!  Session::client(…).upgraded(&request)   ─────────────►
//!  preface, SETTINGS
//! ```
//!
//! [`h2c::Session`](crate::h2c::Session) does all of this by itself. RFC 9113 has given the mechanism up (section
//! 3.1), so an offer is only ever taken where nothing about it is doubtful.

use super::frame::Settings;
use super::stream::{Asked, Hearing, Saying, Step, Stream};
use super::{Config, Session, settings};
use crate::error::UsageError;
use crate::fields::Fields;
use crate::head::{Request, Version};
use crate::limits::Limits;
use crate::session::{Event, Priority, Role, StreamId};
use crate::syntax;

/// The name of HTTP/2 over plain octets in the Upgrade field.
pub(crate) const TOKEN: &[u8] = b"h2c";

/// The field that carries a client's settings (RFC 7540, section 3.2.1).
pub(crate) const SETTINGS_FIELD: &[u8] = b"http2-settings";

/// The octets of one setting.
const ENTRY: usize = 6;

/// A client's offer to go on in HTTP/2.
///
/// ```
/// use thalweg_proto::h2::Offer;
/// use thalweg_proto::head::Request;
///
/// let request = Request::new(b"GET")
///     .with_path(b"/")
///     .with_field(b"connection", b"Upgrade, HTTP2-Settings")
///     .with_field(b"upgrade", b"h2c")
///     .with_field(b"http2-settings", b"AAMAAABkAAQAAP__");
/// let offer = Offer::of(&request).ok_or("an offer")?;
/// assert_eq!(offer.settings, [0, 3, 0, 0, 0, 100, 0, 4, 0, 0, 0xff, 0xff]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What its SETTINGS frame will say, as the payload of one.
    pub settings: Vec<u8>,
}

impl Offer {
    /// The offer that a request of HTTP/1.1 without content makes, if it makes one that can be taken.
    ///
    /// Besides what RFC 7540, section 3.2, asks for, the request must not have come through a proxy: an offer is for
    /// one connection, so one that was carried over from another would let the client speak past that proxy.
    pub fn of(request: &Request) -> Option<Self> {
        let fields = &request.fields;
        let lists = |name: &'static [u8], member: &'static [u8]| {
            let mut members = fields.all(name).flat_map(syntax::list);
            members.any(|one| one.eq_ignore_ascii_case(member))
        };
        let offered = request.version == Version::Http11
            && request.method() != b"CONNECT"
            && lists(b"upgrade", TOKEN)
            && lists(b"connection", b"upgrade")
            && lists(b"connection", SETTINGS_FIELD)
            && !lists(b"connection", b"close")
            && !was_forwarded(fields);
        if !offered {
            return None;
        }
        let mut values = fields.all(SETTINGS_FIELD);
        let settings = match (values.next(), values.next()) {
            (Some(value), None) => from_base64url(value)?,
            _ => return None,
        };
        settings
            .len()
            .is_multiple_of(ENTRY)
            .then_some(Self { settings })
    }
}

impl Session {
    /// Client: the value of the field `http2-settings` for a request that offers to go on in HTTP/2.
    pub fn offer(&self) -> String {
        settings_field(&self.config, &self.limits)
    }

    /// Client: the server has agreed (101) to the offer that came with this request, which had no content. It is
    /// stream 1 here, and its response comes on that.
    ///
    /// # Errors
    /// [`UsageError::WrongRole`]; [`UsageError::HeadNotExpected`] where a stream was opened before.
    pub fn upgraded(&mut self, request: &Request) -> Result<StreamId, UsageError> {
        if self.role != Role::Client {
            return Err(UsageError::WrongRole);
        }
        if self.next != 1 {
            return Err(UsageError::HeadNotExpected);
        }
        // The 101 has acknowledged our settings: what the server's encoder makes of them may come from here on.
        let table = self.limits.table.max(settings::FIRST_TABLE);
        self.decoder.set_table_limit(table);
        let mut stream = Stream::idle(self.next, self.peer.window, self.stream_window());
        stream.asked = Asked::by(request.method());
        stream.saying = Saying::Whole;
        stream.step(Step::SendHeaders);
        stream.step(Step::SendEnd);
        self.next += 2;
        self.timers.idle = None;
        let id = self.streams.insert(stream);
        self.enroll(id, Priority::of(&request.fields));
        Ok(id)
    }

    /// Server: the caller agrees (101) to the offer that came with this request. The request is told as stream 1, as
    /// one of HTTP/2: without the fields that were about the connection.
    ///
    /// # Errors
    /// [`UsageError::WrongRole`]; [`UsageError::HeadNotExpected`] where the client has opened a stream before;
    /// [`UsageError::NoUpgrade`] where its settings are out of range, so that the request is better answered in
    /// HTTP/1.1. The session is as it was then.
    pub fn upgrade(&mut self, request: &Request, offer: &Offer) -> Result<StreamId, UsageError> {
        if self.role != Role::Server {
            return Err(UsageError::WrongRole);
        }
        if self.last_peer != 0 {
            return Err(UsageError::HeadNotExpected);
        }
        let mut peer = self.peer;
        peer.begin();
        for (identifier, value) in Settings::new(&offer.settings).iter() {
            peer.apply(identifier, value, Role::Client)
                .map_err(|_| UsageError::NoUpgrade)?;
        }
        self.peer = peer;
        self.encoder.set_table_limit(peer.table);
        let mut stream = Stream::idle(1, peer.window, self.stream_window());
        stream.asked = Asked::by(request.method());
        stream.hearing = Hearing::Body;
        stream.step(Step::RecvHeaders);
        stream.step(Step::RecvEnd);
        self.last_peer = 1;
        self.timers.idle = None;
        self.reasons.request();
        let id = self.streams.insert(stream);
        let head = without_connection(request);
        self.enroll(id, Priority::of(&head.fields));
        self.events.push(Event::Request {
            id,
            head,
            end: true,
        });
        Ok(id)
    }
}

/// What a client with these choices and bounds will announce.
pub(crate) fn settings_field(config: &Config, limits: &Limits) -> String {
    to_base64url(&settings::announce(config, limits, Role::Client))
}

/// The same request as HTTP/2 has it (RFC 9113, section 8.2.2): without all that was for this connection alone (RFC 9110,
/// section 7.6.1).
fn without_connection(request: &Request) -> Request {
    let mut head = request.clone();
    head.version = Version::Http2;
    let named = |name: &[u8]| {
        let mut options = request.fields.all(b"connection").flat_map(syntax::list);
        options.any(|option| option.eq_ignore_ascii_case(name))
    };
    head.fields.retain(|field| match field.name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
            false
        }
        b"te" => field.value.eq_ignore_ascii_case(b"trailers"),
        name => name != SETTINGS_FIELD && !named(name),
    });
    head
}

/// Whether a proxy has left its marks.
fn was_forwarded(fields: &Fields) -> bool {
    fields.iter().any(|field| {
        matches!(field.name, b"via" | b"forwarded" | b"x-real-ip")
            || field.name.starts_with(b"x-forwarded-")
    })
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Octets in base64url without padding (RFC 4648, section 5).
fn to_base64url(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let mut bits = 0_u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(group.get(at).copied().unwrap_or_default());
        }
        for at in 0..=group.len() {
            let digit = bits >> (18 - 6 * at) & 63;
            let digit = DIGITS.get(digit as usize).copied().unwrap_or_default();
            text.push(char::from(digit));
        }
    }
    text
}

/// The octets behind base64url without padding; none where it is anything else, or not the one way to write them.
fn from_base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let digit = memchr::memchr(*digit, DIGITS)?;
            bits = bits << 6 | digit as u32;
        }
        let whole = group.len() * 6 / 8;
        let spare = group.len() * 6 % 8;
        // A single digit is no octet, and what is left of the last one has to be zeros.
        if whole == 0 || bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let aligned = bits >> spare << (8 * (4 - whole));
        octets.extend(aligned.to_be_bytes().get(..whole).unwrap_or_default());
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, sections 5 and 10.
    #[test]
    fn base64url_is_read_as_it_is_written() {
        for (octets, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
            (b"fooba", "Zm9vYmE"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xfb\xff\xbf", "-_-_"),
        ] {
            assert_eq!(to_base64url(octets), text);
            assert_eq!(from_base64url(text.as_bytes()).as_deref(), Some(octets));
        }
        for wrong in ["Z", "Zg==", "Zh", "Zm9", "+/+/", "Zm 9", "Zm9vY"] {
            assert_eq!(from_base64url(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
