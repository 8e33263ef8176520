//! Frames as they are on the wire (RFC 9113, sections 4 and 6): octets to values and back, with every rule that
//! can be judged from one frame alone. What a frame means for its stream is asked elsewhere.
//!
//! ```text
//!  +-----------------------------------------------+
//!  |                 Length (24)                   |
//!  +---------------+---------------+---------------+
//!  |   Type (8)    |   Flags (8)   |
//!  +-+-------------+---------------+-------------------------------+
//!  |R|                 Stream Identifier (31)                      |
//!  +=+=============================================================+
//!  |                   Frame Payload (Length)                    ...
//!  +---------------------------------------------------------------+
//! ```

mod lists;

use crate::error::{Code, Violation};
use lists::counted;
pub(super) use lists::write_counted;
pub use lists::{Origins, SETTING_LEN, Settings};

/// A value that names a stream: 31 bits.
pub const MAX_STREAM: u32 = 0x7fff_ffff;

/// The octets before every payload.
pub const HEADER_LEN: usize = 9;

/// The flags of all types (RFC 9113, section 6): a type gives a meaning to some of them, the others are ignored.
pub mod flags {
    /// SETTINGS, PING: this is the answer.
    pub const ACK: u8 = 0x1;
    /// DATA, HEADERS: the sender's message ends here.
    pub const END_STREAM: u8 = 0x1;
    /// HEADERS, PUSH_PROMISE, CONTINUATION: the field block ends here.
    pub const END_HEADERS: u8 = 0x4;
    /// DATA, HEADERS, PUSH_PROMISE: a pad length and padding surround the content.
    pub const PADDED: u8 = 0x8;
    /// HEADERS: a dependency and a weight come before the block.
    pub const PRIORITY: u8 = 0x20;
}

/// What a frame is (RFC 9113, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Octets of a body.
    Data,
    /// A field block that opens a stream, answers, or ends it with trailers.
    Headers,
    /// Advice on priority, deprecated.
    Priority,
    /// The end of a stream before its time.
    RstStream,
    /// Parameters of the connection, or their acknowledgement.
    Settings,
    /// A request that the server makes up for its client.
    PushPromise,
    /// A question for a sign of life, or its answer.
    Ping,
    /// The end of the connection, now or soon.
    GoAway,
    /// Credit for DATA.
    WindowUpdate,
    /// More of a field block.
    Continuation,
    /// Where else an origin can be reached (RFC 7838, section 4).
    AltSvc,
    /// The origins that a connection serves (RFC 8336).
    Origin,
    /// A client's new priority for a stream (RFC 9218, section 7.1).
    PriorityUpdate,
    /// A type of an extension, ignored (RFC 9113, section 5.5).
    Unknown(u8),
}

impl Kind {
    /// The type on the wire.
    pub fn number(self) -> u8 {
        match self {
            Kind::Data => 0,
            Kind::Headers => 1,
            Kind::Priority => 2,
            Kind::RstStream => 3,
            Kind::Settings => 4,
            Kind::PushPromise => 5,
            Kind::Ping => 6,
            Kind::GoAway => 7,
            Kind::WindowUpdate => 8,
            Kind::Continuation => 9,
            Kind::AltSvc => 10,
            Kind::Origin => 12,
            Kind::PriorityUpdate => 16,
            Kind::Unknown(number) => number,
        }
    }

    /// The type with this number.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::RstStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            10 => Kind::AltSvc,
            12 => Kind::Origin,
            16 => Kind::PriorityUpdate,
            other => Kind::Unknown(other),
        }
    }
}

/// The nine octets before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the payload.
    pub length: u32,
    /// The type.
    pub kind: Kind,
    /// The flags; see [`flags`].
    pub flags: u8,
    /// The stream, or 0 for the connection.
    pub stream: u32,
}

impl Header {
    /// Reads one. The reserved bit is ignored (RFC 9113, section 4.1).
    pub fn parse(octets: [u8; HEADER_LEN]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = octets;
        Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind: Kind::from_number(kind),
            flags,
            stream: u32::from_be_bytes(stream) & MAX_STREAM,
        }
    }

    /// Its octets.
    pub fn octets(self) -> [u8; HEADER_LEN] {
        let [_, a, b, c] = self.length.to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind.number(), self.flags, d, e, f, g]
    }

    /// Whether a flag is set.
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Judges what can be judged before the payload has come: its size, and whether the type belongs on this
    /// stream (RFC 9113, sections 4.2 and 6).
    ///
    /// # Errors
    /// A [`Fault`] with its scope. `largest` is what this side announced as SETTINGS_MAX_FRAME_SIZE.
    pub fn check(self, largest: u32) -> Result<(), Fault> {
        if self.length > largest {
            return Err(Fault::Connection(Violation::FrameSize));
        }
        let on_stream = match self.kind {
            Kind::Data
            | Kind::Headers
            | Kind::Priority
            | Kind::RstStream
            | Kind::PushPromise
            | Kind::Continuation => Some(true),
            Kind::Settings | Kind::Ping | Kind::GoAway | Kind::PriorityUpdate => Some(false),
            Kind::WindowUpdate | Kind::AltSvc | Kind::Origin | Kind::Unknown(_) => None,
        };
        if on_stream.is_some_and(|wanted| wanted != (self.stream != 0)) {
            return Err(Fault::Connection(Violation::FrameStream));
        }
        let padded = usize::from(self.has(flags::PADDED));
        let fits = match self.kind {
            Kind::Data => self.len() >= padded,
            Kind::Headers => self.len() >= padded + if self.has(flags::PRIORITY) { 5 } else { 0 },
            Kind::PushPromise => self.len() >= padded + 4,
            Kind::Priority => self.len() == 5,
            Kind::RstStream | Kind::WindowUpdate => self.len() == 4,
            Kind::Settings if self.has(flags::ACK) => self.len() == 0,
            Kind::Settings => self.len().is_multiple_of(SETTING_LEN),
            Kind::Ping => self.len() == 8,
            Kind::GoAway => self.len() >= 8,
            Kind::PriorityUpdate => self.len() >= 4,
            Kind::Continuation | Kind::AltSvc | Kind::Origin | Kind::Unknown(_) => true,
        };
        if fits { Ok(()) } else { Err(self.size_fault()) }
    }

    /// Octets of the payload, as this crate counts them.
    pub(super) fn len(self) -> usize {
        self.length as usize
    }

    /// A wrong size breaks the connection, but for PRIORITY, which changes nothing (RFC 9113, section 6.3).
    fn size_fault(self) -> Fault {
        match self.kind {
            Kind::Priority => Fault::Stream(Violation::FrameSize),
            _ => Fault::Connection(Violation::FrameSize),
        }
    }
}

/// What a frame broke, and how far it reaches (RFC 9113, section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection cannot go on.
    Connection(Violation),
    /// Only the frame's stream ends.
    Stream(Violation),
}

/// A place in the tree of RFC 7540, section 5.3, which RFC 9113 deprecates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The stream depended upon, or 0.
    pub on: u32,
    /// Whether it becomes the only one that depends on it.
    pub exclusive: bool,
    /// 1 to 256.
    pub weight: u16,
}

/// A frame with its content, borrowed from its payload. Padding is checked, counted in the header's length, and
/// not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// Octets of a body.
    Data {
        /// The octets.
        data: &'a [u8],
        /// Whether the message ends with them.
        end_stream: bool,
    },
    /// The start of a field block.
    Headers {
        /// Its first fragment.
        block: &'a [u8],
        /// The deprecated advice on priority.
        priority: Option<Dependency>,
        /// Whether the block is complete.
        end_headers: bool,
        /// Whether the message ends with the block.
        end_stream: bool,
    },
    /// Advice on priority.
    Priority(Dependency),
    /// The end of a stream before its time.
    RstStream(Code),
    /// Parameters.
    Settings(Settings<'a>),
    /// Their acknowledgement.
    SettingsAck,
    /// A promised request.
    PushPromise {
        /// The stream that will bring the response.
        promised: u32,
        /// The first fragment of the request's field block.
        block: &'a [u8],
        /// Whether the block is complete.
        end_headers: bool,
    },
    /// A question for a sign of life.
    Ping([u8; 8]),
    /// Its answer, with the same octets.
    PingAck([u8; 8]),
    /// The end of the connection.
    GoAway {
        /// The last stream that was or may be processed.
        last: u32,
        /// Why.
        code: Code,
        /// Words for a person.
        debug: &'a [u8],
    },
    /// Credit, 1 to 2^31-1 octets.
    WindowUpdate(u32),
    /// More of a field block.
    Continuation {
        /// The fragment.
        block: &'a [u8],
        /// Whether the block is complete.
        end_headers: bool,
    },
    /// Where else an origin can be reached.
    AltSvc {
        /// The origin; empty where it is that of the frame's stream.
        origin: &'a [u8],
        /// What an Alt-Svc field would hold.
        value: &'a [u8],
    },
    /// The origins that a connection serves.
    Origin(Origins<'a>),
    /// A client's new priority for a stream.
    PriorityUpdate {
        /// The stream.
        prioritized: u32,
        /// What a Priority field would hold.
        value: &'a [u8],
    },
    /// A frame of an extension; or of those here, where its payload makes no sense, so that it means nothing.
    Unknown {
        /// Its type.
        number: u8,
        /// What it holds.
        payload: &'a [u8],
    },
}

impl<'a> Frame<'a> {
    /// Reads a payload whose header has passed [`Header::check`].
    ///
    /// ```
    /// use thalweg_proto::h2::frame::{Frame, HEADER_LEN, Header};
    ///
    /// let wire = b"\0\0\x04\x08\0\0\0\0\x03\0\0\x04\0";
    /// let (header, payload) = wire.split_first_chunk::<HEADER_LEN>().unwrap();
    /// let header = Header::parse(*header);
    /// assert_eq!(header.stream, 3);
    /// assert_eq!(Frame::parse(header, payload), Ok(Frame::WindowUpdate(1024)));
    /// ```
    ///
    /// # Errors
    /// A [`Fault`] with its scope.
    // Left to itself, the compiler takes it out of the session's way for the sake of its rare callers.
    #[inline(always)]
    pub fn parse(header: Header, payload: &'a [u8]) -> Result<Self, Fault> {
        let short = || header.size_fault();
        Ok(match header.kind {
            Kind::Data => Frame::Data {
                data: unpadded(header, payload)?,
                end_stream: header.has(flags::END_STREAM),
            },
            Kind::Headers => {
                let mut block = unpadded(header, payload)?;
                let mut priority = None;
                if header.has(flags::PRIORITY) {
                    // The padding may have eaten the five octets.
                    let (five, rest) = block.split_first_chunk::<5>().ok_or_else(short)?;
                    priority = Some(dependency(*five));
                    block = rest;
                }
                Frame::Headers {
                    block,
                    priority,
                    end_headers: header.has(flags::END_HEADERS),
                    end_stream: header.has(flags::END_STREAM),
                }
            }
            Kind::Priority => {
                Frame::Priority(dependency(*payload.first_chunk::<5>().ok_or_else(short)?))
            }
            Kind::RstStream => {
                Frame::RstStream(Code::from_number(first_number(payload).ok_or_else(short)?))
            }
            Kind::Settings if header.has(flags::ACK) => Frame::SettingsAck,
            Kind::Settings => Frame::Settings(Settings::new(payload)),
            Kind::PushPromise => {
                let (promised, block) = unpadded(header, payload)?
                    .split_first_chunk::<4>()
                    .ok_or_else(short)?;
                let promised = u32::from_be_bytes(*promised) & MAX_STREAM;
                if promised == 0 || !promised.is_multiple_of(2) {
                    return Err(Fault::Connection(Violation::StreamIdentifier));
                }
                Frame::PushPromise {
                    promised,
                    block,
                    end_headers: header.has(flags::END_HEADERS),
                }
            }
            Kind::Ping => {
                let octets = *payload.first_chunk::<8>().ok_or_else(short)?;
                if header.has(flags::ACK) {
                    Frame::PingAck(octets)
                } else {
                    Frame::Ping(octets)
                }
            }
            Kind::GoAway => {
                let (eight, debug) = payload.split_first_chunk::<8>().ok_or_else(short)?;
                let [a, b, c, d, code @ ..] = *eight;
                Frame::GoAway {
                    last: u32::from_be_bytes([a, b, c, d]) & MAX_STREAM,
                    code: Code::from_number(u32::from_be_bytes(code)),
                    debug,
                }
            }
            Kind::WindowUpdate => {
                let increment = first_number(payload).ok_or_else(short)? & MAX_STREAM;
                match (increment, header.stream) {
                    (0, 0) => return Err(Fault::Connection(Violation::WindowIncrement)),
                    (0, _) => return Err(Fault::Stream(Violation::WindowIncrement)),
                    _ => Frame::WindowUpdate(increment),
                }
            }
            Kind::Continuation => Frame::Continuation {
                block: payload,
                end_headers: header.has(flags::END_HEADERS),
            },
            Kind::AltSvc => match counted(payload) {
                Some((origin, value)) => Frame::AltSvc { origin, value },
                None => Frame::Unknown {
                    number: header.kind.number(),
                    payload,
                },
            },
            Kind::Origin => match Origins::new(payload) {
                Some(origins) => Frame::Origin(origins),
                None => Frame::Unknown {
                    number: header.kind.number(),
                    payload,
                },
            },
            Kind::PriorityUpdate => {
                let (prioritized, value) = payload.split_first_chunk::<4>().ok_or_else(short)?;
                Frame::PriorityUpdate {
                    prioritized: u32::from_be_bytes(*prioritized) & MAX_STREAM,
                    value,
                }
            }
            Kind::Unknown(number) => Frame::Unknown { number, payload },
        })
    }

    /// Appends the frame, without padding. The caller keeps to the peer's largest frame.
    ///
    /// ```
    /// use thalweg_proto::h2::frame::Frame;
    ///
    /// let mut out = Vec::new();
    /// Frame::Ping(*b"thalweg!").write(0, &mut out);
    /// assert_eq!(out, b"\0\0\x08\x06\0\0\0\0\0thalweg!");
    /// ```
    pub fn write(&self, stream: u32, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&[0; HEADER_LEN]);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let (kind, flags) = match *self {
            Frame::Data { data, end_stream } => {
                out.extend_from_slice(data);
                (Kind::Data, flag(end_stream, flags::END_STREAM))
            }
            Frame::Headers {
                block,
                priority,
                end_headers,
                end_stream,
            } => {
                if let Some(dependency) = priority {
                    write_dependency(dependency, out);
                }
                out.extend_from_slice(block);
                let flags = flag(end_headers, flags::END_HEADERS)
                    | flag(end_stream, flags::END_STREAM)
                    | flag(priority.is_some(), flags::PRIORITY);
                (Kind::Headers, flags)
            }
            Frame::Priority(dependency) => {
                write_dependency(dependency, out);
                (Kind::Priority, 0)
            }
            Frame::RstStream(code) => {
                out.extend_from_slice(&code.number().to_be_bytes());
                (Kind::RstStream, 0)
            }
            Frame::Settings(entries) => {
                out.extend_from_slice(entries.octets());
                (Kind::Settings, 0)
            }
            Frame::SettingsAck => (Kind::Settings, flags::ACK),
            Frame::PushPromise {
                promised,
                block,
                end_headers,
            } => {
                out.extend_from_slice(&promised.to_be_bytes());
                out.extend_from_slice(block);
                (Kind::PushPromise, flag(end_headers, flags::END_HEADERS))
            }
            Frame::Ping(octets) => {
                out.extend_from_slice(&octets);
                (Kind::Ping, 0)
            }
            Frame::PingAck(octets) => {
                out.extend_from_slice(&octets);
                (Kind::Ping, flags::ACK)
            }
            Frame::GoAway { last, code, debug } => {
                out.extend_from_slice(&last.to_be_bytes());
                out.extend_from_slice(&code.number().to_be_bytes());
                out.extend_from_slice(debug);
                (Kind::GoAway, 0)
            }
            Frame::WindowUpdate(increment) => {
                out.extend_from_slice(&increment.to_be_bytes());
                (Kind::WindowUpdate, 0)
            }
            Frame::Continuation { block, end_headers } => {
                out.extend_from_slice(block);
                (Kind::Continuation, flag(end_headers, flags::END_HEADERS))
            }
            Frame::AltSvc { origin, value } => {
                write_counted(origin, out);
                out.extend_from_slice(value);
                (Kind::AltSvc, 0)
            }
            Frame::Origin(origins) => {
                out.extend_from_slice(origins.octets());
                (Kind::Origin, 0)
            }
            Frame::PriorityUpdate { prioritized, value } => {
                out.extend_from_slice(&prioritized.to_be_bytes());
                out.extend_from_slice(value);
                (Kind::PriorityUpdate, 0)
            }
            Frame::Unknown { number, payload } => {
                out.extend_from_slice(payload);
                (Kind::from_number(number), 0)
            }
        };
        complete(out, at, kind, flags, stream);
    }
}

/// Fills in the header of a frame that begins at `at` and reaches to the end.
pub(super) fn complete(out: &mut [u8], at: usize, kind: Kind, flags: u8, stream: u32) {
    let length = out.len().saturating_sub(at + HEADER_LEN) as u32;
    let header = Header {
        length,
        kind,
        flags,
        stream,
    };
    if let Some(place) = out.get_mut(at..at + HEADER_LEN) {
        place.copy_from_slice(&header.octets());
    }
}

/// How much of a DATA payload is content, once the pad length is known (RFC 9113, section 6.1). `None`: not padded.
pub(super) fn content_len(length: usize, pad: Option<u8>) -> Result<usize, Fault> {
    match pad {
        None => Ok(length),
        Some(pad) => length
            .checked_sub(1 + usize::from(pad))
            .ok_or(Fault::Connection(Violation::Padding)),
    }
}

fn unpadded(header: Header, payload: &[u8]) -> Result<&[u8], Fault> {
    if !header.has(flags::PADDED) {
        return Ok(payload);
    }
    let (pad, rest) = payload
        .split_first()
        .ok_or(Fault::Connection(Violation::FrameSize))?;
    let content = content_len(payload.len(), Some(*pad))?;
    Ok(rest.get(..content).unwrap_or_default())
}

fn first_number(payload: &[u8]) -> Option<u32> {
    payload
        .first_chunk::<4>()
        .map(|octets| u32::from_be_bytes(*octets))
}

fn dependency(octets: [u8; 5]) -> Dependency {
    let [a, b, c, d, weight] = octets;
    let on = u32::from_be_bytes([a, b, c, d]);
    Dependency {
        on: on & MAX_STREAM,
        exclusive: on > MAX_STREAM,
        weight: u16::from(weight) + 1,
    }
}

pub(super) fn write_dependency(dependency: Dependency, out: &mut Vec<u8>) {
    let exclusive = if dependency.exclusive { !MAX_STREAM } else { 0 };
    out.extend_from_slice(&(dependency.on | exclusive).to_be_bytes());
    out.push(dependency.weight.clamp(1, 256).wrapping_sub(1) as u8);
}
