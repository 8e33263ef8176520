//! The server's side.

use crate::parties::{first, frames, server};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::frame::{Frame, Kind, Settings, flags};
use thalweg_proto::h2::{self, Offer, PREFACE};
use thalweg_proto::h2c::Session;
use thalweg_proto::head::{Request, Response, Version};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Finish, Session as _, Shutdown, Streams as _};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::splits::every_split;

/// What curl sends: 100 streams, a window of 32 MiB, no push.
const OFFER: &[u8] =
    b"GET /a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: curl\r\nConnection: Upgrade, HTTP2-Settings\r\n\
    Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n";

const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";

/// A client's preface and SETTINGS with these entries.
fn preface(entries: &[(u16, u32)]) -> Vec<u8> {
    let mut octets = PREFACE.to_vec();
    let mut payload = Vec::new();
    for (identifier, value) in entries {
        payload.extend(identifier.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    Frame::Settings(Settings::new(&payload)).write(0, &mut octets);
    octets
}

fn offering(now: Instant) -> Caller<Session> {
    let mut caller = server(now);
    caller.feed(now, OFFER);
    caller
}

/// Section 3.2: a server that supports HTTP/2 accepts with 101, and after the empty line that ends it sends frames,
/// which must include a response to the request that asked for the upgrade; the first of them is SETTINGS.
#[test]
fn a_server_answers_101_then_settings_then_the_response_on_stream_1() {
    every_split(OFFER, |cut, pieces| {
        let now = Instant::now();
        let mut caller = server(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        let [Told::Request(id, head, true)] = &caller.told[..] else {
            panic!("{cut}: {:?}", caller.told);
        };
        assert_eq!((*id, head.version), (first(), Version::Http2));
        assert_eq!(head.scheme(), Some(&b"http"[..]));
        assert_eq!(head.authority(), Some(&b"a"[..]));
        assert_eq!(head.path(), Some(&b"/a?b"[..]));
        let head = Response::new(200).with_field(b"content-length", b"2");
        caller.session.respond(first(), head, false).unwrap();
        caller.say(first(), "ok", true);
        let octets = caller.flush(now);
        let said = frames(octets.strip_prefix(SWITCHING).expect("the 101 comes first"));
        assert_eq!((said[0].0.kind, said[0].0.flags), (Kind::Settings, 0));
        let of_stream: Vec<_> = said
            .iter()
            .filter(|(header, _)| header.stream == 1)
            .map(|(header, _)| (header.kind, header.flags & flags::END_STREAM))
            .collect();
        assert_eq!(
            of_stream,
            [(Kind::Headers, 0), (Kind::Data, flags::END_STREAM)]
        );
        assert_eq!(caller.told.last(), Some(&Told::Finished(first())));
    });
}

/// RFC 9113, section 8.2.2: the request is one of HTTP/2 now. Section 3.2.1: a server never sends HTTP2-Settings, and
/// has nothing to pass on either.
#[test]
fn the_request_is_told_without_the_fields_of_the_connection() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(
        now,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, TE, Keep-Alive\r\nUpgrade: foo, h2c\r\n\
          HTTP2-Settings: \r\nTE: trailers\r\nKeep-Alive: 5\r\nX-Own: 1\r\nContent-Length: 0\r\n\r\n",
    );
    let Told::Request(_, head, true) = &caller.told[0] else {
        panic!("{:?}", caller.told);
    };
    let names: Vec<_> = head.fields.iter().map(|field| field.name).collect();
    let kept: [&[u8]; 4] = [b"host", b"te", b"x-own", b"content-length"];
    assert_eq!(names, kept);
}

/// Section 3.2: a server that does not take the offer answers as if it had not been made, in HTTP/1.1. None of these
/// is one that may be taken.
#[test]
fn what_is_no_offer_is_served_in_http_1_1() {
    let cases: &[(&str, &str)] = &[
        (
            "no settings (3.2.1: must not)",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c",
        ),
        (
            "two settings (3.2.1: must not)",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk|HTTP2-Settings: AAMAAABk",
        ),
        (
            "settings not named in Connection (3.2.1)",
            "GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
        (
            "Upgrade not named in Connection",
            "GET / HTTP/1.1|Host: a|Connection: http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
        (
            "the token of TLS (3.2: must ignore)",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2|HTTP2-Settings: AAMAAABk",
        ),
        (
            "padded",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABkAA==",
        ),
        (
            "the other alphabet",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAQAAP//",
        ),
        (
            "half a setting",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMA",
        ),
        (
            "a window out of range",
            "GET / HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAT_____",
        ),
        (
            "HTTP/1.0",
            "GET / HTTP/1.0|Host: a|Connection: keep-alive, upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
        (
            "the connection closes",
            "GET / HTTP/1.1|Host: a|Connection: close, upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
        (
            "carried over by a proxy",
            "GET / HTTP/1.1|Host: a|Via: 1.1 b|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
        (
            "carried over by a proxy",
            "GET / HTTP/1.1|Host: a|X-Forwarded-For: b|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
        (
            "a tunnel",
            "CONNECT a:1 HTTP/1.1|Host: a|Connection: upgrade, http2-settings|Upgrade: h2c|HTTP2-Settings: AAMAAABk",
        ),
    ];
    for (why, lines) in cases {
        let head = lines.replace('|', "\r\n") + "\r\n\r\n";
        every_split(head.as_bytes(), |cut, pieces| {
            let now = Instant::now();
            let mut caller = server(now);
            for piece in pieces {
                caller.feed(now, piece);
            }
            let [Told::Request(id, head, true)] = &caller.told[..] else {
                panic!("{why}, {cut}: {:?}", caller.told);
            };
            assert!(head.version <= Version::Http11, "{why}");
            let answer = Response::new(403);
            caller.session.respond(*id, answer, true).unwrap();
            assert!(caller.flush(now).starts_with(b"HTTP/1.1 403 "), "{why}");
            assert!(caller.session.http2().is_none());
        });
    }
}

/// Section 3.2 would let a request with content be upgraded once all of that has come in HTTP/1.1. Here it is not:
/// whoever miscounts the content would take what follows for another protocol (RFC 9112, section 11.2).
#[test]
fn an_offer_with_content_is_served_in_http_1_1() {
    for framing in [
        "Content-Length: 3\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let input = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n{framing}"
        );
        every_split(input.as_bytes(), |cut, pieces| {
            let now = Instant::now();
            let mut caller = server(now);
            for piece in pieces {
                caller.feed(now, piece);
            }
            assert_eq!(caller.data_of(first()), b"abc", "{cut}");
            let head = Response::new(204);
            caller.session.respond(first(), head, true).unwrap();
            assert!(caller.flush(now).starts_with(b"HTTP/1.1 204 "), "{cut}");
            assert_eq!(caller.session.version(), Version::Http11);
        });
    }
}

/// Stream 1 must be a number that has not been used on the connection.
#[test]
fn only_the_first_request_of_a_connection_is_an_offer() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    caller
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    caller.flush(now);
    caller.feed(now, OFFER);
    assert_eq!(caller.session.version(), Version::Http11);
    assert_eq!(caller.session.open_streams(), 1);
}

#[test]
fn a_server_that_stops_takes_no_offer() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, &OFFER[..20]);
    caller.session.shutdown(now, Shutdown::Graceful);
    caller.feed(now, &OFFER[20..]);
    caller
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    assert!(caller.flush(now).starts_with(b"HTTP/1.1 204 "));
    assert_eq!(caller.session.wants().end, Finish::Linger);
}

/// Section 3.2.1: the settings hold as if they had come in a frame, and are not acknowledged by one: the 101 does that.
/// Those of the preface are.
#[test]
fn the_settings_of_the_offer_hold_at_once_and_the_101_acknowledges_them() {
    let now = Instant::now();
    let mut caller = server(now);
    // SETTINGS_INITIAL_WINDOW_SIZE = 5.
    caller.feed(
        now,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAQAAAAF\r\n\r\n",
    );
    caller
        .session
        .respond(first(), Response::new(200), false)
        .unwrap();
    caller.say(first(), "0123456789", true);
    let octets = caller.flush(now);
    let said = frames(&octets[SWITCHING.len()..]);
    let acks = |said: &[(h2::frame::Header, &[u8])]| {
        let is_ack = |(header, _): &&(h2::frame::Header, &[u8])| {
            header.kind == Kind::Settings && header.has(flags::ACK)
        };
        said.iter().filter(is_ack).count()
    };
    let (last, data) = said.last().unwrap();
    assert_eq!(
        (last.kind, *data, acks(&said)),
        (Kind::Data, &b"01234"[..], 0)
    );
    // What the preface's SETTINGS leave out stays as it was.
    caller.feed(now, &preface(&[]));
    let octets = caller.flush(now);
    let said = frames(&octets);
    assert_eq!((said.len(), acks(&said)), (1, 1));
    caller.feed(now, &preface(&[(4, 10)])[PREFACE.len()..]);
    let octets = caller.flush(now);
    let (last, data) = *frames(&octets).last().unwrap();
    assert_eq!((data, last.has(flags::END_STREAM)), (&b"56789"[..], true));
}

/// Section 3.2: upon the 101 the client must send a preface, with SETTINGS in it.
#[test]
fn the_clients_preface_must_still_come() {
    // A second request, of HTTP/1.1, behind the offer is none: the violation is seen before an answer leaves.
    let wrong = [OFFER, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    every_split(&wrong, |cut, pieces| {
        let now = Instant::now();
        let mut caller = server(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        let failure = caller.failure().unwrap_or_else(|| panic!("{cut}"));
        assert_eq!(failure.why, Violation::Preface, "{cut}");
        let octets = caller.flush(now);
        let said = frames(octets.strip_prefix(SWITCHING).unwrap());
        let kinds: Vec<_> = said.iter().map(|(header, _)| header.kind).collect();
        assert_eq!(kinds, [Kind::Settings, Kind::GoAway], "{cut}");
    });

    let mut now = Instant::now();
    let mut caller = offering(now);
    caller
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    caller.flush(now);
    now += Limits::default().head_time + Duration::from_secs(1);
    caller.expire(now);
    assert_eq!(
        caller.failure().map(|error| error.why),
        Some(Violation::HeadTimeout)
    );
}

/// Section 3.2: stream 1 is half closed from the client, since its request is complete as HTTP/1.1.
#[test]
fn stream_1_is_half_closed_from_the_client() {
    let late_data = |octets: &mut Vec<u8>| {
        let (data, end_stream) = (&b"more"[..], true);
        Frame::Data { data, end_stream }.write(1, octets);
    };
    let late_head = |octets: &mut Vec<u8>| {
        let block = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];
        Frame::Headers {
            block,
            priority: None,
            end_headers: true,
            end_stream: true,
        }
        .write(1, octets);
    };
    for late in [&late_data as &dyn Fn(&mut Vec<u8>), &late_head] {
        let now = Instant::now();
        let mut caller = offering(now);
        let mut octets = preface(&[]);
        late(&mut octets);
        caller.feed(now, &octets);
        let closed = Told::Reset(first(), Code::StreamClosed, Some(Violation::StreamClosed));
        assert_eq!(caller.told.last(), Some(&closed));
    }
}

#[test]
fn the_next_stream_is_3_and_both_are_answered() {
    let now = Instant::now();
    let mut caller = offering(now);
    let mut octets = preface(&[]);
    for stream in [3, 5] {
        let block = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];
        Frame::Headers {
            block,
            priority: None,
            end_headers: true,
            end_stream: true,
        }
        .write(stream, &mut octets);
    }
    caller.feed(now, &octets);
    let ids: Vec<_> = caller
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Request(id, ..) => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(
        ids.iter().map(|id| id.number()).collect::<Vec<_>>(),
        [1, 3, 5]
    );
    for id in ids {
        caller
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
        caller.flush(now);
        assert_eq!(caller.told.last(), Some(&Told::Finished(id)));
    }
}

/// RFC 9110, section 9.3.2: there is no content in an answer to HEAD, also where it was asked in HTTP/1.1.
#[test]
fn an_upgraded_head_is_answered_without_content() {
    let now = Instant::now();
    let offer = String::from_utf8(OFFER.to_vec())
        .unwrap()
        .replacen("GET", "HEAD", 1);
    let mut caller = server(now);
    caller.feed(now, offer.as_bytes());
    let head = Response::new(200).with_field(b"content-length", b"10");
    caller.session.respond(first(), head, true).unwrap();
    let octets = caller.flush(now);
    assert!(octets.starts_with(SWITCHING));
    assert_eq!(caller.told.last(), Some(&Told::Finished(first())));
}

/// A client that closes after its offer, as a shell's netcat does, gets its answer still.
#[test]
fn a_client_that_ends_its_octets_after_the_offer_is_answered() {
    let now = Instant::now();
    let mut caller = offering(now);
    caller.eof(now, Eof::Clean);
    caller
        .session
        .respond(first(), Response::new(204), true)
        .unwrap();
    assert!(caller.flush(now).starts_with(SWITCHING));
    assert_eq!(caller.failure(), None);
    assert_eq!(caller.session.wants().end, Finish::Now);
}

/// A caller that speaks HTTP/1.1 by other means asks the session of HTTP/2 itself.
#[test]
fn a_session_is_upgraded_once_as_a_server_and_not_out_of_range() {
    let now = Instant::now();
    let head = Request::new(b"GET")
        .with_scheme(b"http")
        .with_authority(b"a")
        .with_path(b"/");
    let offer = |settings: &[u8]| Offer {
        settings: settings.to_vec(),
    };
    let mut session = h2::Session::server(Limits::default(), now);
    let out_of_range = offer(&[0, 4, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(
        session.upgrade(&head, &out_of_range),
        Err(UsageError::NoUpgrade)
    );
    assert_eq!(session.upgraded(&head), Err(UsageError::WrongRole));
    assert_eq!(session.upgrade(&head, &offer(&[])), Ok(first()));
    assert_eq!(
        session.upgrade(&head, &offer(&[])),
        Err(UsageError::HeadNotExpected)
    );
    let mut session = h2::Session::client(Limits::default(), now);
    assert_eq!(
        session.upgrade(&head, &offer(&[])),
        Err(UsageError::WrongRole)
    );
    assert_eq!(session.upgraded(&head), Ok(first()));
    assert_eq!(session.upgraded(&head), Err(UsageError::HeadNotExpected));
}

/// RFC 9110, section 7.6.1: what Connection names is for this connection alone. Once that field is gone nobody can tell.
#[test]
fn fields_that_connection_names_are_not_part_of_the_request() {
    let now = Instant::now();
    let mut caller = server(now);
    let offer =
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nX-End: 2\r\nConnection: Upgrade, x-HOP\r\n\
        Connection: HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    caller.feed(now, offer);
    let [Told::Request(_, head, true)] = &caller.told[..] else {
        panic!("{:?}", caller.told);
    };
    assert_eq!(head.version, Version::Http2);
    assert_eq!(format!("{:?}", head.fields), "[host: a, x-end: 2]");
}
