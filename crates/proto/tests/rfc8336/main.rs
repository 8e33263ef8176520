//! RFC 8336: the ORIGIN frame, sent by a server and read by a client. Input is fed in every split.

use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::error::{UsageError, Violation};
use thalweg_proto::h2::frame::{Frame, Header, Kind, Origins, Settings};
use thalweg_proto::h2::{PREFACE, Session};
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;
use thalweg_testkit::splits::every_split;

const TWO: &[u8] = b"\0\x13https://example.org\0\x18https://example.com:8443";

fn origin(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        length: payload.len() as u32,
        kind: Kind::Origin,
        flags,
        stream,
    };
    [&header.octets()[..], payload].concat()
}

/// What a client is told of these octets, in every split.
fn hear(octets: &[u8]) -> Vec<Told> {
    let mut first = None;
    let mut wire = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    wire.extend_from_slice(octets);
    every_split(&wire, |cut, pieces| {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        for piece in pieces {
            client.feed(now, piece);
        }
        let told = first.get_or_insert_with(|| client.told.clone());
        assert_eq!(*told, client.told, "{cut}");
    });
    first.unwrap()
}

fn origins<const N: usize>(all: [&'static str; N]) -> Told {
    Told::Origins(all.map(Bytes::from).to_vec())
}

/// Sections 2.1 and 2.3: a list of origins, which may be empty: then it says that there are no others.
#[test]
fn origins_are_told() {
    // The last four flags are for changes that do not matter.
    for flags in [0, 0xf0] {
        let both = origins(["https://example.org", "https://example.com:8443"]);
        assert_eq!(hear(&origin(0, flags, TWO)), [both]);
    }
    assert_eq!(hear(&origin(0, 0, b"")), [origins([])]);
}

/// Section 2.2: "an ORIGIN frame on any other stream is invalid and MUST be ignored"; "The first four flags (0x1, 0x2,
/// 0x4, and 0x8) are reserved for backwards-incompatible changes; therefore, when any of them are set, the ORIGIN frame
/// containing them MUST be ignored".
#[test]
fn origins_that_mean_something_else_are_ignored() {
    assert_eq!(hear(&origin(1, 0, TWO)), []);
    for flag in [1, 2, 4, 8] {
        assert_eq!(hear(&origin(0, flag, TWO)), []);
    }
}

/// Section 2.3: an entry that is no origin is passed over; entries that are cut make the frame one that says nothing.
#[test]
fn what_is_no_origin_is_passed_over() {
    let mixed = b"\0\x04null\0\0\0\x08http://a\0\x0bhttps://a/x";
    assert_eq!(hear(&origin(0, 0, mixed)), [origins(["http://a"])]);
    for cut in [&b"\0"[..], b"\0\x09http://a", b"\0\x08http://a\0"] {
        assert_eq!(hear(&origin(0, 0, cut)), []);
    }
}

/// Section 2.2: it is for clients.
#[test]
fn a_server_ignores_them() {
    let mut wire = PREFACE.to_vec();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    wire.extend(origin(0, 0, TWO));
    let now = Instant::now();
    let mut server = Caller::new(Session::server(Limits::default(), now));
    server.feed(now, &wire);
    assert_eq!(server.told, []);
}

/// Section 4.2 of RFC 9113 bounds its size, and with it what a list can take.
#[test]
fn a_frame_that_is_too_large_ends_the_connection() {
    let told = hear(&origin(0, 0, &[0; 16_385]));
    assert!(matches!(&told[..], [Told::Failed(error)] if error.why == Violation::FrameSize));
}

#[test]
fn a_server_sends_what_a_client_takes() {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    let server = &mut pair.server.session;
    let all: [&[u8]; 2] = [b"https://example.org", b"https://example.com:8443"];
    server.send_origins(all).unwrap();
    server.send_origins([]).unwrap();
    pair.settle();
    let both = origins(["https://example.org", "https://example.com:8443"]);
    assert_eq!(pair.client.told, [both, origins([])]);
}

#[test]
fn only_a_server_sends_them_and_only_origins() {
    let now = Instant::now();
    let mut client = Session::client(Limits::default(), now);
    let one: [&[u8]; 1] = [b"https://example.org"];
    assert_eq!(client.send_origins(one), Err(UsageError::WrongRole));
    let mut server = Session::server(Limits::default(), now);
    let none: [&[u8]; 1] = [b"null"];
    assert_eq!(server.send_origins(none), Err(UsageError::BadField));
    let many = std::iter::repeat_n(one[0], 1000);
    assert_eq!(server.send_origins(many), Err(UsageError::TooLarge));
}

/// A frame as it is on the wire: type 0xc, each origin behind its length.
#[test]
fn the_frame_has_the_layout_of_the_rfc() {
    let mut wire = Vec::new();
    let entries = Origins::new(b"\0\x08http://a").unwrap();
    Frame::Origin(entries).write(0, &mut wire);
    assert_eq!(wire, b"\0\0\x0a\x0c\0\0\0\0\0\0\x08http://a");
    assert_eq!(entries.iter().collect::<Vec<_>>(), [b"http://a"]);
}
