//! SETTINGS (RFC 9113, section 6.5): what this side announces, and what the peer has.

use super::Config;
use crate::error::Violation;
use crate::limits::Limits;
use crate::session::Role;

/// The largest window (RFC 9113, section 6.9.1).
pub(super) const MAX_WINDOW: u32 = 0x7fff_ffff;
/// The windows before any SETTINGS (RFC 9113, section 6.9.2); the connection's never changes by SETTINGS.
pub(super) const FIRST_WINDOW: u32 = 65_535;
/// The largest payload before any SETTINGS, and the least that may be announced (RFC 9113, section 4.2).
pub(super) const FIRST_FRAME: u32 = 1 << 14;
const LARGEST_FRAME: u32 = (1 << 24) - 1;
/// The table of field lines before any SETTINGS (RFC 7541, section 4.2).
pub(super) const FIRST_TABLE: u32 = 4096;

pub(super) const HEADER_TABLE_SIZE: u16 = 1;
pub(super) const ENABLE_PUSH: u16 = 2;
pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(super) const MAX_FRAME_SIZE: u16 = 5;
pub(super) const MAX_HEADER_LIST_SIZE: u16 = 6;
/// RFC 8441, section 3.
pub(super) const ENABLE_CONNECT_PROTOCOL: u16 = 8;
/// RFC 9218, section 2.1.
pub(super) const NO_RFC7540_PRIORITIES: u16 = 9;

/// The largest payload that this side takes.
pub(super) fn frame_limit(limits: &Limits) -> u32 {
    limits.frame.clamp(FIRST_FRAME, LARGEST_FRAME)
}

/// Whether a largest frame may be this large (RFC 9113, section 6.5.2).
pub(super) fn is_frame_limit(octets: u32) -> bool {
    (FIRST_FRAME..=LARGEST_FRAME).contains(&octets)
}

/// The largest head that this side takes.
pub(super) fn head_limit(limits: &Limits) -> u32 {
    u32::try_from(limits.head).unwrap_or(u32::MAX)
}

/// The window of each stream for the peer.
pub(super) fn stream_window(limits: &Limits) -> u32 {
    limits.stream_window.min(MAX_WINDOW)
}

/// The window of the connection for the peer: never below a stream's, nor below the one it starts with.
pub(super) fn connection_window(limits: &Limits) -> u32 {
    limits
        .connection_window
        .clamp(FIRST_WINDOW, MAX_WINDOW)
        .max(stream_window(limits))
}

/// The payload of our SETTINGS: every value that differs from the one that the peer assumes.
pub(super) fn announce(config: &Config, limits: &Limits, role: Role) -> Vec<u8> {
    let mut payload = Vec::with_capacity(36);
    let mut entry = |identifier: u16, value: u32| {
        payload.extend_from_slice(&identifier.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    };
    if limits.table != FIRST_TABLE {
        entry(HEADER_TABLE_SIZE, limits.table);
    }
    match role {
        Role::Client if !config.push => entry(ENABLE_PUSH, 0),
        // For a client it bounds the streams that are pushed.
        Role::Client | Role::Server => entry(MAX_CONCURRENT_STREAMS, limits.streams),
    }
    if stream_window(limits) != FIRST_WINDOW {
        entry(INITIAL_WINDOW_SIZE, stream_window(limits));
    }
    if frame_limit(limits) != FIRST_FRAME {
        entry(MAX_FRAME_SIZE, frame_limit(limits));
    }
    entry(MAX_HEADER_LIST_SIZE, head_limit(limits));
    if config.connect_protocol && role == Role::Server {
        entry(ENABLE_CONNECT_PROTOCOL, 1);
    }
    if config.rfc7540_priorities.are_refused_by(role) {
        entry(NO_RFC7540_PRIORITIES, 1);
    }
    for (identifier, value) in &config.settings {
        if !is_known(*identifier) {
            entry(*identifier, *value);
        }
    }
    payload
}

/// Whether the session gives a meaning to this setting: all that RFC 9113, section 6.5.2, RFC 8441 and RFC 9218 define.
pub(super) fn is_known(identifier: u16) -> bool {
    matches!(identifier, 1..=6 | 8 | 9)
}

/// What the peer has announced, or what holds until it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// The largest table that our encoder may use.
    pub(super) table: u32,
    /// Whether it takes pushed responses.
    pub(super) push: bool,
    /// How many streams we may have open.
    pub(super) streams: u32,
    /// The window that our streams start with.
    pub(super) window: u32,
    /// The largest payload that it takes.
    pub(super) frame: u32,
    /// The largest head that it takes, as it says.
    pub(super) head: u32,
    /// Whether it has said that the priorities of RFC 7540 mean nothing to it.
    pub(super) no_rfc7540_priorities: bool,
    /// A client: whether it uses those of RFC 9218, by whatever sign.
    pub(super) rfc9218: bool,
    /// Server: whether it takes CONNECT for a protocol.
    pub(super) connect_protocol: bool,
    /// Whether any of its settings are known.
    known: bool,
}

impl Peer {
    /// Before its SETTINGS have come. A client may open streams already then: 100, as the peer should allow at
    /// least (RFC 9113, section 6.5.2).
    pub(super) fn new() -> Self {
        Self {
            table: FIRST_TABLE,
            push: true,
            streams: 100,
            window: FIRST_WINDOW,
            frame: FIRST_FRAME,
            head: u32::MAX,
            no_rfc7540_priorities: false,
            rfc9218: false,
            connect_protocol: false,
            known: false,
        }
    }

    /// Its first settings have come, in SETTINGS or before: what they leave out has its initial value.
    pub(super) fn begin(&mut self) {
        if !std::mem::replace(&mut self.known, true) {
            self.streams = u32::MAX;
        }
    }

    /// Takes one entry; unknown ones are ignored. `of` is the peer's role.
    pub(super) fn apply(&mut self, identifier: u16, value: u32, of: Role) -> Result<(), Violation> {
        match identifier {
            HEADER_TABLE_SIZE => self.table = value,
            // A server must not announce that it takes pushes (RFC 9113, section 6.5.2).
            ENABLE_PUSH if value > 1 || (value == 1 && of == Role::Server) => {
                return Err(Violation::Setting);
            }
            ENABLE_PUSH => self.push = value == 1,
            MAX_CONCURRENT_STREAMS => self.streams = value,
            INITIAL_WINDOW_SIZE if value > MAX_WINDOW => return Err(Violation::SettingWindow),
            INITIAL_WINDOW_SIZE => self.window = value,
            MAX_FRAME_SIZE if !is_frame_limit(value) => {
                return Err(Violation::Setting);
            }
            MAX_FRAME_SIZE => self.frame = value,
            MAX_HEADER_LIST_SIZE => self.head = value,
            NO_RFC7540_PRIORITIES if value > 1 => return Err(Violation::Setting),
            NO_RFC7540_PRIORITIES => {
                self.no_rfc7540_priorities = value == 1;
                self.rfc9218 |= self.no_rfc7540_priorities && of == Role::Client;
            }
            // What a client says of it has no meaning, and a server may not take it back (RFC 8441, section 3).
            ENABLE_CONNECT_PROTOCOL if of == Role::Server => {
                if value > 1 || (value == 0 && self.connect_protocol) {
                    return Err(Violation::Setting);
                }
                self.connect_protocol = value == 1;
            }
            _ => {}
        }
        Ok(())
    }
}
