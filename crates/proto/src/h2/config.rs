//! What a session of HTTP/2 does beyond what every peer expects: the extensions it announces and takes, and how it
//! uses what the protocol leaves open. Bounds that guard against a peer are in [`Limits`](crate::limits::Limits).

use super::Window;
use super::padding::Padding;
use crate::session::Role;

/// Choices of one session, made before its first octet.
///
/// ```
/// use std::time::Instant;
/// use thalweg_proto::{h2, limits::Limits};
///
/// let config = h2::Config { connect_protocol: true, ..h2::Config::default() };
/// let session = h2::Session::server(Limits::default(), Instant::now()).configured(config);
/// # drop(session);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Server: announces SETTINGS_ENABLE_CONNECT_PROTOCOL, so that clients may open tunnels for a protocol of
    /// their choice (RFC 8441). Default false.
    pub connect_protocol: bool,
    /// Client: takes responses that the server pushes, and says so in SETTINGS_ENABLE_PUSH: each is an
    /// [`Event::Push`](crate::session::Event::Push), bounded by [`Limits::promises`](crate::limits::Limits::promises)
    /// and [`Limits::streams`](crate::limits::Limits::streams). Default false: those that come before the server
    /// knows are refused.
    pub push: bool,
    /// Who sizes the windows that the peer is given. Default [`Window::Automatic`].
    pub window: Window,
    /// What becomes of the priorities of RFC 7540. Default [`Rfc7540Priorities::Fallback`].
    pub rfc7540_priorities: Rfc7540Priorities,
    /// How much padding DATA, HEADERS and PUSH_PROMISE have that leave. Default [`Padding::None`].
    pub padding: Padding,
    /// Types of frames that are the caller's own: those of the peer are told whole, as
    /// [`Event::Frame`](crate::session::Event::Frame), in the place of what the session would make of them. Types 0
    /// to 9 and 16 are always the session's. Default none.
    pub frames: Vec<u8>,
    /// Settings that are the caller's own, announced behind those that the session knows (1 to 6, 8 and 9), which have
    /// no effect here. Default none.
    pub settings: Vec<(u16, u32)>,
}

/// What becomes of the dependencies and weights of RFC 7540, which RFC 9113 has given up and RFC 9218 replaces. A
/// client that knows the new scheme (its Priority field, PRIORITY_UPDATE or SETTINGS_NO_RFC7540_PRIORITIES tells) is
/// always served by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rfc7540Priorities {
    /// They rule, and no SETTINGS_NO_RFC7540_PRIORITIES is sent: who follows RFC 9218 to the letter (section
    /// 2.1.1) sends no PRIORITY_UPDATE then.
    Honoured,
    /// A server says that it follows RFC 9218, and those clients that send the old signals nevertheless, and only
    /// those, are served by them. For a client as [`Rfc7540Priorities::Honoured`].
    #[default]
    Fallback,
    /// They are ignored, none are sent, and SETTINGS_NO_RFC7540_PRIORITIES says so.
    Ignored,
}

impl Rfc7540Priorities {
    /// Whether SETTINGS_NO_RFC7540_PRIORITIES is sent.
    pub(super) fn are_refused_by(self, role: Role) -> bool {
        match self {
            Self::Honoured => false,
            Self::Fallback => role == Role::Server,
            Self::Ignored => true,
        }
    }
}
