//! Every bound that a peer can run into, in one place, with the defaults that the field learnt the hard way.

use std::time::Duration;

/// Bounds of one connection. Sizes are octets.
///
/// ```
/// use thalweg_proto::limits::Limits;
///
/// let limits = Limits { streams: 16, ..Limits::default() };
/// assert_eq!(limits.head, 64 << 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A message's head, or its trailers: names, values and 32 octets a line (RFC 9113, section 6.5.2); over
    /// HTTP/1.x the octets of start line and fields. Default 64 KiB; beyond it 431.
    pub head: usize,
    /// Field lines of one head, or of trailers; over HTTP/2 all lines of cookies are one. Default 100; beyond it 431.
    pub fields: usize,
    /// The request target. Default 8 KiB; beyond it 414.
    pub target: usize,
    /// Streams that the peer may have open at once. Default 256.
    pub streams: u32,
    /// HTTP/2: pushed responses that are promised and have not begun, at once: a client refuses more, a server makes
    /// no more. Default 200.
    pub promises: u32,
    /// Places in the priority tree of RFC 7540 that are kept without a stream: for idle ones to depend on, and of
    /// closed ones. Beyond it the closed ones go first, then the oldest. Default 100.
    pub placeholders: usize,
    /// What the peer may send on one stream before the consumer has taken it; over HTTP/2 to begin with, see
    /// `largest_window`. Default 256 KiB.
    pub stream_window: u32,
    /// What all streams of a connection may hold untaken before the connection stops reading bodies. Default
    /// 8 MiB; at least `stream_window`.
    pub connection_window: u32,
    /// What windows may grow to while the link, and not the consumer, is what they wait for (HTTP/2): all that the
    /// streams of a connection may hold untaken, and three quarters of it for those that have grown. Default 16 MiB.
    pub largest_window: u32,
    /// The largest frame payload accepted, 16 384 to 16 777 215. Default 16 KiB.
    pub frame: u32,
    /// The compression table kept for the peer's heads, and the most used for ours. Default 4 KiB.
    pub table: u32,
    /// CONTINUATION frames of one field block. Default 8.
    pub continuations: u32,
    /// Answers to PING and SETTINGS that wait for the peer to read. Default 1000.
    pub acknowledgements: u32,
    /// Streams that the peer may have reset, in a burst and then a second. Default 1000 and 33.
    pub resets: Rate,
    /// Frames that are allowed but serve nobody: empty DATA, priority churn, settings, informational responses; PING,
    /// credit and crumbs of DATA beyond what this side has given reason for. Default 10 000 and 330.
    pub glitches: Rate,
    /// From the first octet of a head, or the start of a connection, to the head's end. Default 30 s.
    pub head_time: Duration,
    /// A connection with no stream open. Default 75 s.
    pub idle_time: Duration,
    /// A body must bring `body_rate` octets a second, counted while the session has room for it and from this
    /// long after its start. Default 10 s.
    pub body_grace: Duration,
    /// See `body_grace`. Octets a second; 0 allows any. Default 1024.
    pub body_rate: u32,
    /// What a client of HTTP/2 may take to open a window that our body waits for: waiting uses it up, and octets that
    /// leave give it back, 1 s for each `take_rate` of them. Stalled writes to the connection itself are the driver's.
    /// Default 60 s.
    pub write_time: Duration,
    /// See `write_time`; the driver asks for as much of a client whose socket is full. Octets a second; 0 allows any.
    /// Default 256.
    pub take_rate: u32,
    /// A second GOAWAY and the refusal of new streams follow the first this long after, at the latest; over HTTP/1.x
    /// a head that was coming has to be complete by then. Default 1 s.
    pub drain_time: Duration,
}

/// A token bucket: so many at once, so many a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many come back in a second.
    pub per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 64 << 10,
            fields: 100,
            target: 8 << 10,
            streams: 256,
            promises: 200,
            placeholders: 100,
            stream_window: 256 << 10,
            connection_window: 8 << 20,
            largest_window: 16 << 20,
            frame: 16 << 10,
            table: 4 << 10,
            continuations: 8,
            acknowledgements: 1000,
            resets: Rate {
                burst: 1000,
                per_second: 33,
            },
            glitches: Rate {
                burst: 10_000,
                per_second: 330,
            },
            head_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(75),
            body_grace: Duration::from_secs(10),
            body_rate: 1024,
            write_time: Duration::from_secs(60),
            take_rate: 256,
            drain_time: Duration::from_secs(1),
        }
    }
}
