//! RFC 7838, section 4: the ALTSVC frame, sent by a server and read by a client. Input is fed in every split.

use bytes::Bytes;
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::frame::{Frame, HEADER_LEN, Header, Kind, Settings};
use thalweg_proto::h2::{PREFACE, Session};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::{Shutdown, StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;
use thalweg_testkit::splits::every_split;

const ORIGIN: &[u8] = b"https://example.org";
const VALUE: &[u8] = b"h3=\":443\"; ma=60";

fn get() -> Request {
    Request::new(b"GET")
        .with_scheme(b"https")
        .with_authority(b"example.org")
        .with_path(b"/")
}

fn altsvc(stream: u32, origin: &[u8], value: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    Frame::AltSvc { origin, value }.write(stream, &mut wire);
    wire
}

fn raw(stream: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        length: payload.len() as u32,
        kind: Kind::AltSvc,
        flags: 0,
        stream,
    };
    [&header.octets()[..], payload].concat()
}

/// What a client with a GET on stream 1 and a closed stream 3 is told of these octets, in every split.
fn hear(octets: &[u8]) -> Vec<Told> {
    let mut first = None;
    let mut wire = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    wire.extend_from_slice(octets);
    every_split(&wire, |cut, pieces| {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        let ids = [(); 2].map(|()| client.session.open(get(), true).unwrap());
        client.flush(now);
        client.session.reset(ids[1], Code::Cancel);
        for piece in pieces {
            client.feed(now, piece);
        }
        let told = first.get_or_insert_with(|| client.told.clone());
        assert_eq!(*told, client.told, "{cut}");
    });
    first.unwrap()
}

/// "An ALTSVC frame from a server to a client on stream 0 indicates that the conveyed alternative service is associated
/// with the origin contained in the Origin field of the frame"; on another stream, "with the origin of that stream".
#[test]
fn alternatives_are_told_with_their_origin_or_their_stream() {
    let (origin, value) = (Bytes::from(ORIGIN), Bytes::from(VALUE));
    let told = hear(&altsvc(0, ORIGIN, VALUE));
    assert_eq!(told, [Told::AltSvc(None, origin, value.clone())]);
    let told = hear(&altsvc(1, b"", VALUE));
    let on = Some(StreamId::new(1, 0));
    assert_eq!(told, [Told::AltSvc(on, Bytes::new(), value)]);
    let told = hear(&altsvc(0, ORIGIN, b"clear"));
    assert!(matches!(&told[..], [Told::AltSvc(None, _, value)] if value == "clear"));
}

/// "An ALTSVC frame on stream 0 with empty (length 0) "Origin" information is invalid and MUST be ignored. An ALTSVC
/// frame on a stream other than stream 0 containing non-empty "Origin" information is invalid and MUST be ignored." So
/// is what cannot be read, and what is about a stream that is not open.
#[test]
fn what_makes_no_sense_is_ignored() {
    for octets in [
        altsvc(0, b"", VALUE),
        altsvc(1, ORIGIN, VALUE),
        altsvc(0, b"example.org", VALUE),
        altsvc(0, ORIGIN, b""),
        altsvc(0, ORIGIN, b"h3\r\n"),
        altsvc(3, b"", VALUE),
        altsvc(5, b"", VALUE),
        altsvc(2, b"", VALUE),
        raw(0, b""),
        raw(0, b"\0"),
        raw(0, b"\0\x05http"),
        raw(1, b"\0\0"),
    ] {
        assert_eq!(hear(&octets), [], "{}", octets.escape_ascii());
    }
}

/// "The ALTSVC frame is intended for receipt by clients. A device acting as a server MUST ignore it."
#[test]
fn a_server_ignores_them() {
    let mut wire = PREFACE.to_vec();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    wire.extend(altsvc(0, ORIGIN, VALUE));
    wire.extend(raw(0, b"\0"));
    let now = Instant::now();
    let mut server = Caller::new(Session::server(Limits::default(), now));
    server.feed(now, &wire);
    assert_eq!(server.told, []);
}

/// Each counts as a frame that serves nobody: a flood of them ends the connection.
#[test]
fn a_flood_of_them_ends_the_connection() {
    let limits = Limits {
        glitches: Rate {
            burst: 20,
            per_second: 1,
        },
        ..Limits::default()
    };
    let now = Instant::now();
    let mut client = Caller::new(Session::client(limits, now));
    let mut wire = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut wire);
    client.feed(now, &wire);
    for _ in 0..21 {
        client.feed(now, &altsvc(0, ORIGIN, VALUE));
    }
    assert_eq!(client.failure().unwrap().why, Violation::TooManyGlitches);
    assert!(client.told.len() <= 21);
}

/// Section 4.2 of RFC 9113 bounds its size.
#[test]
fn one_that_is_too_large_ends_the_connection() {
    let told = hear(&altsvc(0, ORIGIN, &[b'a'; 16_384]));
    assert!(matches!(&told[..], [Told::Failed(error)] if error.why == Violation::FrameSize));
}

#[test]
fn a_server_sends_what_a_client_takes() {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    let id = pair.client.session.open(get(), true).unwrap();
    pair.settle();
    let Some(Told::Request(on, ..)) = pair.server.told.first() else {
        panic!("{:?}", pair.server.told);
    };
    let on = *on;
    let server = &mut pair.server.session;
    server.send_altsvc(None, ORIGIN, VALUE).unwrap();
    server.send_altsvc(Some(on), b"", VALUE).unwrap();
    server.respond(on, Response::new(204), true).unwrap();
    pair.settle();
    let (origin, value) = (Bytes::from(ORIGIN), Bytes::from(VALUE));
    assert_eq!(
        pair.client.told[..2],
        [
            Told::AltSvc(None, origin, value.clone()),
            Told::AltSvc(Some(id), Bytes::new(), value)
        ]
    );
}

#[test]
fn only_a_server_sends_them_and_only_such_as_make_sense() {
    let now = Instant::now();
    let mut client = Session::client(Limits::default(), now);
    let id = client.open(get(), true).unwrap();
    let refused = client.send_altsvc(None, ORIGIN, VALUE);
    assert_eq!(refused, Err(UsageError::WrongRole));
    let mut server = Session::server(Limits::default(), now);
    for (on, origin, value, why) in [
        (None, &b""[..], VALUE, UsageError::BadField),
        (None, b"example.org", VALUE, UsageError::BadField),
        (None, ORIGIN, b"", UsageError::BadField),
        (None, ORIGIN, b"a\nb", UsageError::BadField),
        (Some(id), ORIGIN, VALUE, UsageError::BadField),
        (Some(id), b"", VALUE, UsageError::NoSuchStream),
        (None, ORIGIN, &[b'a'; 16_384], UsageError::TooLarge),
    ] {
        assert_eq!(server.send_altsvc(on, origin, value), Err(why));
    }
    server.shutdown(now, Shutdown::Now(Code::NoError));
    let refused = server.send_altsvc(None, ORIGIN, VALUE);
    assert_eq!(refused, Err(UsageError::ShuttingDown));
}

/// A frame as it is on the wire: type 0xa, the length of the origin, the origin, the value.
#[test]
fn the_frame_has_the_layout_of_the_rfc() {
    let wire = altsvc(0, b"http://a", b"clear");
    assert_eq!(wire, b"\0\0\x0f\x0a\0\0\0\0\0\0\x08http://aclear");
    let (header, payload) = wire.split_first_chunk::<HEADER_LEN>().unwrap();
    assert_eq!(
        Frame::parse(Header::parse(*header), payload),
        Ok(Frame::AltSvc {
            origin: b"http://a",
            value: b"clear"
        })
    );
}
