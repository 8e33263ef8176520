//! Padding (RFC 9113, sections 6.1 and 10.7): octets of nothing in DATA, HEADERS and PUSH_PROMISE, that make it harder
//! to tell from a frame's size what is in it.
//!
//! A rule says how large a payload is to be; it is never larger than the peer takes, than the windows allow, nor by more
//! than 256 octets: one that says how much padding there is, and up to 255 of that. Flow control counts all of them.

use super::Session;
use super::config::Config;
use super::frame::{HEADER_LEN, Header, flags};
use super::seldom::Seldom;
use std::fmt;

/// How much padding frames have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// None.
    #[default]
    None,
    /// So many octets, 256 at most, as far as there is room for them.
    Octets(u16),
    /// As many as make the payload a multiple of this.
    Multiple(u16),
}

impl Padding {
    /// How large a payload of so many octets becomes, before it is cut to what is possible.
    fn length(self, octets: usize) -> usize {
        match self {
            Padding::None => octets,
            Padding::Octets(more) => octets.saturating_add(more.into()),
            Padding::Multiple(unit) => octets.next_multiple_of(usize::from(unit).max(1)),
        }
    }
}

type Choice = Box<dyn FnMut(Header, usize) -> usize + Send>;

/// A rule of the caller's own.
pub(super) struct Chooser(Choice);

/// The most that padding adds to a payload.
const MOST: usize = 256;

/// 255 octets of it.
static ZEROS: [u8; 255] = [0; 255];

impl Session {
    /// The same session with a rule of the caller's own for padding, which takes the place of [`Config::padding`]. It is
    /// asked with each header of DATA, HEADERS and PUSH_PROMISE as it would be without padding, and the largest
    /// payload that is possible; it answers with the size that the payload is to have. HEADERS and PUSH_PROMISE that go
    /// on in CONTINUATION have no padding.
    #[must_use]
    pub fn padded_by(mut self, rule: impl FnMut(Header, usize) -> usize + Send + 'static) -> Self {
        let seldom = self.seldom.get_or_insert_default();
        seldom.chooser = Some(Chooser(Box::new(rule)));
        self
    }
}

/// Pads a frame that begins at `at` and reaches to the end of `run`, its header included.
pub(super) fn pad_run(
    config: &Config,
    seldom: Option<&mut Seldom>,
    run: &mut Vec<u8>,
    at: usize,
    largest: usize,
) {
    let Some(octets) = run.get(at..).and_then(<[u8]>::first_chunk::<HEADER_LEN>) else {
        return;
    };
    let (header, padding) = pad(config, seldom, Header::parse(*octets), largest);
    let Some(padding) = padding else {
        return;
    };
    if let Some(place) = run.get_mut(at..at + HEADER_LEN) {
        place.copy_from_slice(&header.octets());
    }
    run.insert(at + HEADER_LEN, padding);
    run.extend_from_slice(zeros(padding));
}

/// The octets of padding themselves.
pub(super) fn zeros(padding: u8) -> &'static [u8] {
    ZEROS.get(..usize::from(padding)).unwrap_or_default()
}

/// Pads a frame: answers with what its header becomes, and how many octets of padding it has, where it has the field
/// for that. `room` is what the peer takes of its payload.
pub(super) fn pad(
    config: &Config,
    seldom: Option<&mut Seldom>,
    header: Header,
    room: usize,
) -> (Header, Option<u8>) {
    let chooser = seldom.and_then(|seldom| seldom.chooser.as_mut());
    if config.padding == Padding::None && chooser.is_none() {
        return (header, None);
    }
    let octets = header.len();
    let most = room.min(octets + MOST);
    if most <= octets {
        return (header, None);
    }
    let wanted = match chooser {
        Some(Chooser(choose)) => choose(header, most),
        None => config.padding.length(octets),
    };
    let added = wanted.min(most).saturating_sub(octets);
    let Some(padding) = added.checked_sub(1) else {
        return (header, None);
    };
    let header = Header {
        length: header.length + added as u32,
        flags: header.flags | flags::PADDED,
        ..header
    };
    (header, Some(padding as u8))
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chooser")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2::frame::Kind;

    fn padded(padding: Padding, octets: u32, room: usize) -> (u32, Option<u8>) {
        let config = Config {
            padding,
            ..Config::default()
        };
        let header = Header {
            length: octets,
            kind: Kind::Data,
            flags: 0,
            stream: 1,
        };
        let (header, padding) = pad(&config, None, header, room);
        assert_eq!(header.has(flags::PADDED), padding.is_some());
        (header.length, padding)
    }

    #[test]
    fn a_rule_says_how_large_a_payload_becomes() {
        assert_eq!(padded(Padding::None, 10, 100), (10, None));
        assert_eq!(padded(Padding::Octets(0), 10, 100), (10, None));
        assert_eq!(padded(Padding::Octets(1), 10, 100), (11, Some(0)));
        assert_eq!(padded(Padding::Octets(20), 10, 100), (30, Some(19)));
        assert_eq!(padded(Padding::Octets(999), 10, 1000), (266, Some(255)));
        assert_eq!(padded(Padding::Multiple(0), 10, 100), (10, None));
        assert_eq!(padded(Padding::Multiple(64), 64, 100), (64, None));
        assert_eq!(padded(Padding::Multiple(64), 65, 999), (128, Some(62)));
        assert_eq!(padded(Padding::Multiple(999), 10, 999), (266, Some(255)));
    }

    #[test]
    fn there_is_no_more_padding_than_there_is_room_for() {
        assert_eq!(padded(Padding::Octets(20), 10, 10), (10, None));
        assert_eq!(padded(Padding::Octets(20), 10, 11), (11, Some(0)));
        assert_eq!(padded(Padding::Octets(20), 0, 0), (0, None));
        assert_eq!(padded(Padding::Multiple(64), 10, 20), (20, Some(9)));
    }
}
