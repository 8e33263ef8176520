//! What a session of HTTP/2 does beyond what every peer expects: the extensions it announces and takes, and how it
//! uses what the protocol leaves open. Bounds that guard against a peer are in [`Limits`](crate::limits::Limits).

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
}
