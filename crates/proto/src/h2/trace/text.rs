//! A trace as people read it: the form that `nghttp -v` and `nghttpd -v` print.
//!
//! ```text
//! [  0.003] recv (stream_id=13) :status: 200
//! [  0.003] recv HEADERS frame <length=107, flags=0x0c, stream_id=13>
//!           ; END_HEADERS | PADDED
//!           (padlen=16)
//!           ; First response header
//! ```
//!
//! Lines of a field block come before their frame when it was received, and after it when it was sent.

use super::{Begins, Direction, Entry, Line, Unit};
use crate::error::Code;
use crate::h2::frame::{Frame, Header, Kind, flags};
use std::fmt::{self, Display, Formatter, Write as _};
use std::time::Duration;

const INDENT: &str = "          ";

/// Shows one [`Entry`]: whole lines, or nothing for an entry whose frame is not complete yet.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    entry: &'a Entry,
    at: Duration,
    label: &'a str,
}

impl Entry {
    /// This entry for people, so long after the start of the connection.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use thalweg_proto::{h2, limits::Limits};
    /// use thalweg_proto::session::{Gather, Session};
    ///
    /// let now = Instant::now();
    /// let mut server = h2::Session::server(Limits::default(), now).traced();
    /// server.send(now, &mut Gather::new(1 << 16));
    /// let mut text = String::new();
    /// while let Some(entry) = server.next_trace() {
    ///     text += &entry.text(Duration::from_millis(3)).to_string();
    /// }
    /// assert!(text.starts_with("[  0.003] send SETTINGS frame <length="));
    /// ```
    pub fn text(&self, at: Duration) -> Text<'_> {
        Text {
            entry: self,
            at,
            label: "",
        }
    }
}

impl<'a> Text<'a> {
    /// The same with a label before each time, so that several connections can be told apart.
    #[must_use]
    pub fn labelled(self, label: &'a str) -> Self {
        Self { label, ..self }
    }

    fn time(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.at.as_secs(), self.at.subsec_millis());
        write!(f, "{}[{seconds:3}.{millis:03}] ", self.label)
    }

    fn unit(&self, unit: &Unit, f: &mut Formatter<'_>) -> fmt::Result {
        let received = unit.direction == Direction::Received;
        if received {
            for line in &unit.lines {
                self.time(f)?;
                writeln!(f, "recv (stream_id={}) {}", unit.header.stream, Shown(line))?;
            }
        }
        self.time(f)?;
        if let Some(why) = unit.fault {
            write!(f, "[INVALID; error={}] ", why.text())?;
        }
        f.write_str(if received { "recv " } else { "send " })?;
        frame(unit, f)?;
        if !received {
            for line in &unit.lines {
                writeln!(f, "{INDENT}{}", Shown(line))?;
            }
        }
        Ok(())
    }
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.entry {
            Entry::Begun { .. } | Entry::Data { .. } | Entry::Unsent { .. } => Ok(()),
            Entry::Unit(unit) => self.unit(unit, f),
        }
    }
}

fn frame(unit: &Unit, f: &mut Formatter<'_>) -> fmt::Result {
    let Header {
        length,
        kind,
        flags,
        stream,
    } = unit.header;
    match name(kind) {
        Some(name) => f.write_str(name)?,
        None => write!(f, "extension(0x{:02x})", kind.number())?,
    }
    writeln!(
        f,
        " frame <length={length}, flags=0x{flags:02x}, stream_id={stream}>"
    )?;
    flag_names(unit.header, f)?;
    content(unit, f)?;
    match unit.begins {
        None => Ok(()),
        Some(Begins::Request) => writeln!(f, "{INDENT}; Open new stream"),
        Some(Begins::Response) => writeln!(f, "{INDENT}; First response header"),
        Some(Begins::PushResponse) => writeln!(f, "{INDENT}; First push response header"),
    }
}

/// What a frame says, where its payload is there and sound.
fn content(unit: &Unit, f: &mut Formatter<'_>) -> fmt::Result {
    let Some(frame) = unit.frame() else {
        return Ok(());
    };
    // The field for the length of the padding counts as padding here.
    let padded = unit.padding.map_or(0, |pad| u16::from(pad) + 1);
    match frame {
        Frame::Data { .. } if padded == 0 => Ok(()),
        Frame::Data { .. } => writeln!(f, "{INDENT}(padlen={padded})"),
        Frame::Headers { priority: None, .. } => writeln!(f, "{INDENT}(padlen={padded})"),
        Frame::Headers {
            priority: Some(dependency),
            ..
        } => {
            let (on, weight) = (dependency.on, dependency.weight);
            let exclusive = u8::from(dependency.exclusive);
            writeln!(
                f,
                "{INDENT}(padlen={padded}, dep_stream_id={on}, weight={weight}, exclusive={exclusive})"
            )
        }
        Frame::Priority(dependency) => {
            let (on, weight) = (dependency.on, dependency.weight);
            let exclusive = u8::from(dependency.exclusive);
            writeln!(
                f,
                "{INDENT}(dep_stream_id={on}, weight={weight}, exclusive={exclusive})"
            )
        }
        Frame::RstStream(code) => writeln!(f, "{INDENT}(error_code={})", Named(code)),
        Frame::SettingsAck => writeln!(f, "{INDENT}(niv=0)"),
        Frame::Settings(entries) => {
            writeln!(f, "{INDENT}(niv={})", entries.iter().len())?;
            entries.iter().try_for_each(|(identifier, value)| {
                let name = setting(identifier);
                writeln!(f, "{INDENT}[{name}(0x{identifier:02x}):{value}]")
            })
        }
        Frame::PushPromise { promised, .. } => {
            writeln!(
                f,
                "{INDENT}(padlen={padded}, promised_stream_id={promised})"
            )
        }
        Frame::Ping(octets) | Frame::PingAck(octets) => {
            let octets = u64::from_be_bytes(octets);
            writeln!(f, "{INDENT}(opaque_data={octets:016x})")
        }
        Frame::GoAway { last, code, debug } => {
            let (code, len, debug) = (Named(code), debug.len(), Octets(debug));
            writeln!(
                f,
                "{INDENT}(last_stream_id={last}, error_code={code}, opaque_data({len})=[{debug}])"
            )
        }
        Frame::WindowUpdate(increment) => {
            writeln!(f, "{INDENT}(window_size_increment={increment})")
        }
        Frame::PriorityUpdate { prioritized, value } => {
            let value = Octets(value);
            writeln!(
                f,
                "{INDENT}(prioritized_stream_id={prioritized}, priority_field_value=[{value}])"
            )
        }
        Frame::AltSvc { origin, value } => {
            let (origin, value) = (Octets(origin), Octets(value));
            writeln!(
                f,
                "{INDENT}(origin=[{origin}], altsvc_field_value=[{value}])"
            )
        }
        Frame::Origin(origins) => origins
            .iter()
            .try_for_each(|origin| writeln!(f, "{INDENT}[{}]", Octets(origin))),
        Frame::Continuation { .. } | Frame::Unknown { .. } => Ok(()),
    }
}

fn flag_names(header: Header, f: &mut Formatter<'_>) -> fmt::Result {
    let known: &[(u8, &str)] = match header.kind {
        Kind::Data | Kind::Headers => &[
            (flags::END_STREAM, "END_STREAM"),
            (flags::END_HEADERS, "END_HEADERS"),
            (flags::PADDED, "PADDED"),
            (flags::PRIORITY, "PRIORITY"),
        ],
        Kind::PushPromise => &[
            (flags::END_HEADERS, "END_HEADERS"),
            (flags::PADDED, "PADDED"),
        ],
        Kind::Continuation => &[(flags::END_HEADERS, "END_HEADERS")],
        Kind::Settings | Kind::Ping => &[(flags::ACK, "ACK")],
        _ => &[],
    };
    // Flags that have no meaning for DATA are left unnamed.
    let meant =
        |flag: u8| header.kind != Kind::Data || flag & (flags::END_STREAM | flags::PADDED) != 0;
    let mut before = "; ";
    for (flag, name) in known {
        if header.has(*flag) && meant(*flag) {
            if before == "; " {
                f.write_str(INDENT)?;
            }
            write!(f, "{before}{name}")?;
            before = " | ";
        }
    }
    if before == "; " {
        Ok(())
    } else {
        f.write_char('\n')
    }
}

fn name(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Data => "DATA",
        Kind::Headers => "HEADERS",
        Kind::Priority => "PRIORITY",
        Kind::RstStream => "RST_STREAM",
        Kind::Settings => "SETTINGS",
        Kind::PushPromise => "PUSH_PROMISE",
        Kind::Ping => "PING",
        Kind::GoAway => "GOAWAY",
        Kind::WindowUpdate => "WINDOW_UPDATE",
        Kind::Continuation => "CONTINUATION",
        Kind::PriorityUpdate => "PRIORITY_UPDATE",
        Kind::AltSvc => "ALTSVC",
        Kind::Origin => "ORIGIN",
        Kind::Unknown(_) => return None,
    })
}

fn setting(identifier: u16) -> &'static str {
    match identifier {
        1 => "SETTINGS_HEADER_TABLE_SIZE",
        2 => "SETTINGS_ENABLE_PUSH",
        3 => "SETTINGS_MAX_CONCURRENT_STREAMS",
        4 => "SETTINGS_INITIAL_WINDOW_SIZE",
        5 => "SETTINGS_MAX_FRAME_SIZE",
        6 => "SETTINGS_MAX_HEADER_LIST_SIZE",
        8 => "SETTINGS_ENABLE_CONNECT_PROTOCOL",
        9 => "SETTINGS_NO_RFC7540_PRIORITIES",
        _ => "UNKNOWN",
    }
}

/// A code by its name in the registry, and its number.
struct Named(Code);

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Code::NoError => "NO_ERROR",
            Code::Protocol => "PROTOCOL_ERROR",
            Code::Internal => "INTERNAL_ERROR",
            Code::FlowControl => "FLOW_CONTROL_ERROR",
            Code::SettingsTimeout => "SETTINGS_TIMEOUT",
            Code::StreamClosed => "STREAM_CLOSED",
            Code::FrameSize => "FRAME_SIZE_ERROR",
            Code::Refused => "REFUSED_STREAM",
            Code::Cancel => "CANCEL",
            Code::Compression => "COMPRESSION_ERROR",
            Code::Connect => "CONNECT_ERROR",
            Code::EnhanceYourCalm => "ENHANCE_YOUR_CALM",
            Code::InadequateSecurity => "INADEQUATE_SECURITY",
            Code::Http11Required => "HTTP_1_1_REQUIRED",
            Code::Raw(_) => "UNKNOWN",
        };
        write!(f, "{name}(0x{:02x})", self.0.number())
    }
}

/// A field line as text.
struct Shown<'a>(&'a Line);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Octets(&self.0.name), Octets(&self.0.value))
    }
}

/// Octets of a peer as text that cannot disturb a terminal.
struct Octets<'a>(&'a [u8]);

impl Display for Octets<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for part in self.0.utf8_chunks() {
            for character in part.valid().chars() {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    f.write_char(character)?;
                }
            }
            for octet in part.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        Ok(())
    }
}
