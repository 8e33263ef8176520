//! The client's side.

use crate::parties::{client, client_within, first, frames, request};
use std::time::Instant;
use thalweg_proto::error::{UsageError, Violation};
use thalweg_proto::h2::frame::{Frame, Header, Kind, Settings};
use thalweg_proto::h2::{Offer, PREFACE};
use thalweg_proto::head::{Request, Version};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Finish, Session as _, Shutdown, Streams as _};
use thalweg_testkit::caller::Told;
use thalweg_testkit::splits::every_split;

const SWITCHING: &str = "HTTP/1.1 101 Any\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

/// What a server says in HTTP/2: SETTINGS, and a whole response with this status on a stream.
fn response(block: &[u8], stream: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut octets);
    Frame::Headers {
        block,
        priority: None,
        end_headers: true,
        end_stream: true,
    }
    .write(stream, &mut octets);
    octets
}

/// Section 3.2: a client makes a request of HTTP/1.1 with an Upgrade field that has the token h2c, and exactly one
/// HTTP2-Settings. Section 3.2.1: both are named in Connection, and the value is base64url without padding.
#[test]
fn the_first_request_is_an_offer() {
    let now = Instant::now();
    let limits = Limits {
        stream_window: 65_535,
        head: 0x10000,
        ..Limits::default()
    };
    let mut caller = client_within(limits, now);
    let id = caller
        .session
        .open(request("GET").with_field(b"x-own", b"1"), true)
        .unwrap();
    assert_eq!(id, first());
    // ENABLE_PUSH = 0, MAX_HEADER_LIST_SIZE = 65 536.
    assert_eq!(
        caller.flush(now).escape_ascii().to_string(),
        "GET / HTTP/1.1\\r\\nhost: a\\r\\nx-own: 1\\r\\nupgrade: h2c\\r\\nhttp2-settings: AAIAAAAAAAYAAQAA\\r\\n\
         connection: upgrade, http2-settings\\r\\n\\r\\n"
    );
}

/// What we offer is what our own SETTINGS frame says, and what our own server understands.
#[test]
fn the_offer_says_what_the_settings_frame_will() {
    let now = Instant::now();
    let mut caller = client(now);
    let http2 = thalweg_proto::h2::Session::client(Limits::default(), now);
    let value = http2.offer();
    let offering = request("GET")
        .with_field(b"connection", b"upgrade, http2-settings")
        .with_field(b"upgrade", b"h2c")
        .with_field(b"http2-settings", value.as_bytes());
    let offer = Offer::of(&offering).unwrap();
    caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.feed(now, SWITCHING.as_bytes());
    let octets = caller.flush(now);
    let said = octets.strip_prefix(&PREFACE[..]).unwrap();
    assert_eq!(frames(said)[0].1, offer.settings);
}

/// Section 3.2: upon receiving the 101 the client sends its preface, and the response comes on stream 1, which is half
/// closed; the next request is stream 3.
#[test]
fn after_a_101_the_response_comes_on_stream_1() {
    let input = [SWITCHING.as_bytes(), &response(&[0x88], 1)].concat();
    every_split(&input, |cut, pieces| {
        let now = Instant::now();
        let mut caller = client(now);
        let id = caller.session.open(request("GET"), true).unwrap();
        caller.flush(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        let [Told::Response(of, head, true), Told::Finished(over)] = &caller.told[..] else {
            panic!("{cut}: {:?}", caller.told);
        };
        assert_eq!((*of, head.status, *over), (id, 200, id), "{cut}");
        assert_eq!(caller.session.version(), Version::Http2);
        let octets = caller.flush(now);
        let said = frames(octets.strip_prefix(&PREFACE[..]).unwrap());
        assert_eq!(said[0].0.kind, Kind::Settings);
        assert!(said.iter().all(|(header, _)| header.stream == 0));
        let next = caller.session.open(request("GET"), true).unwrap();
        assert_eq!(next.number(), 3);
    });
}

/// Section 3.2: a server without HTTP/2 answers as though the Upgrade field were absent.
#[test]
fn any_other_answer_leaves_http_1_1_and_no_further_offer_is_made() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    every_split(answer, |cut, pieces| {
        let now = Instant::now();
        let mut caller = client(now);
        let id = caller.session.open(request("GET"), true).unwrap();
        caller.flush(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        assert_eq!(caller.data_of(id), b"ok", "{cut}");
        assert_eq!(caller.told.last(), Some(&Told::Finished(id)));
        assert_eq!(caller.session.version(), Version::Http11);
        caller.session.open(request("GET"), true).unwrap();
        assert_eq!(caller.flush(now), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        // A 101 to that was not asked for.
        caller.feed(now, SWITCHING.as_bytes());
        assert_eq!(
            caller.failure().map(|error| error.why),
            Some(Violation::Status)
        );
    });
}

#[test]
fn other_interim_answers_may_come_before_the_101() {
    let input = ["HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", SWITCHING].concat();
    let now = Instant::now();
    let mut caller = client(now);
    let id = caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.feed(now, input.as_bytes());
    caller.feed(now, &response(&[0x89], 1));
    let [
        Told::Response(_, early, false),
        Told::Response(of, last, true),
        Told::Finished(_),
    ] = &caller.told[..]
    else {
        panic!("{:?}", caller.told);
    };
    assert_eq!((early.status, last.status, *of), (103, 204, id));
}

/// RFC 9110, section 7.8: a server changes only to what was offered.
#[test]
fn a_101_to_anything_else_ends_the_connection() {
    for upgrade in ["websocket", "h2c, websocket", "h2", "h2c\r\nUpgrade: h2c"] {
        let answer =
            format!("HTTP/1.1 101 Any\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n");
        every_split(answer.as_bytes(), |cut, pieces| {
            let now = Instant::now();
            let mut caller = client(now);
            let id = caller.session.open(request("GET"), true).unwrap();
            caller.flush(now);
            for piece in pieces {
                caller.feed(now, piece);
            }
            let failure = caller.failure().unwrap_or_else(|| panic!("{cut}"));
            assert_eq!((failure.why, failure.at), (Violation::Status, Some(id)));
            assert_eq!(caller.session.wants().end, Finish::Now);
            assert_eq!(caller.told.len(), 1, "{cut}");
        });
    }
}

#[test]
fn an_answer_that_comes_before_the_offer_has_left_is_none() {
    let now = Instant::now();
    let mut caller = client(now);
    caller.session.open(request("GET"), true).unwrap();
    caller.feed(now, SWITCHING.as_bytes());
    assert_eq!(
        caller.failure().map(|error| error.why),
        Some(Violation::Status)
    );
}

/// Requests with content, tunnels, and those that say something about the connection themselves, carry no offer.
#[test]
fn what_cannot_be_an_offer_is_plain_http_1_1() {
    let cases: [(Request, bool); 5] = [
        (request("POST"), false),
        (Request::new(b"CONNECT").with_authority(b"a:1"), false),
        (request("GET").with_field(b"te", b"trailers"), true),
        (request("GET").with_field(b"connection", b"close"), true),
        (request("GET").with_scheme(b"https"), true),
    ];
    for (head, end) in cases {
        let now = Instant::now();
        let mut caller = client(now);
        let id = caller.session.open(head, end).unwrap();
        let said = caller.flush(now);
        assert!(
            !said.windows(3).any(|word| word == b"h2c"),
            "{}",
            said.escape_ascii()
        );
        // Nor does another request of the same connection.
        caller.feed(now, b"HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n");
        caller.say(id, "", true);
        caller.flush(now);
        if caller.session.open(request("GET"), true).is_ok() {
            assert_eq!(caller.flush(now), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        }
    }
}

/// What the session did not take is no first request: the one after it is.
#[test]
fn a_request_that_could_not_be_sent_costs_no_offer() {
    let now = Instant::now();
    let mut caller = client(now);
    for wrong in [
        request("GET").with_field(b"a b", b""),
        request("GET").with_field(b"te", b"\n"),
    ] {
        assert_eq!(caller.session.open(wrong, true), Err(UsageError::BadField));
    }
    let id = caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.feed(now, SWITCHING.as_bytes());
    assert_eq!(caller.session.version(), Version::Http2);
    caller.feed(now, &response(&[0x89], 1));
    assert_eq!(caller.told.last(), Some(&Told::Finished(id)));
}

/// What was commanded before the change holds after it.
#[test]
fn a_response_that_was_discarded_before_the_101_stays_unwanted() {
    let now = Instant::now();
    let mut caller = client(now);
    let id = caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.session.discard(id);
    caller.feed(now, SWITCHING.as_bytes());
    let mut octets = Vec::new();
    Frame::Settings(Settings::new(&[])).write(0, &mut octets);
    let head = Frame::Headers {
        block: &[0x88],
        priority: None,
        end_headers: true,
        end_stream: false,
    };
    head.write(1, &mut octets);
    caller.feed(now, &octets);
    assert!(matches!(
        caller.told[..],
        [Told::Response(..), Told::Finished(_)]
    ));
    let octets = caller.flush(now);
    let said = frames(octets.strip_prefix(&PREFACE[..]).unwrap());
    let reset =
        |(header, _): &(Header, &[u8])| header.kind == Kind::RstStream && header.stream == 1;
    assert!(said.iter().any(reset));
}

/// A request of the caller's own for another protocol is the caller's own affair.
#[test]
fn a_callers_own_upgrade_is_left_alone() {
    let now = Instant::now();
    let mut caller = client(now);
    let head = request("GET")
        .with_field(b"connection", b"upgrade")
        .with_field(b"upgrade", b"websocket");
    let id = caller.session.open(head, true).unwrap();
    assert!(
        caller
            .flush(now)
            .ends_with(b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n")
    );
    caller.feed(
        now,
        b"HTTP/1.1 101 Any\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw",
    );
    assert!(matches!(&caller.told[0], Told::Response(_, head, false) if head.status == 101));
    assert_eq!(caller.data_of(id), b"raw");
}

/// RFC 7541, section 4.2: the 101 has acknowledged our settings, so the server's encoder may use the larger table.
#[test]
fn the_table_of_the_offer_may_be_used_at_once() {
    let limits = Limits {
        table: 1 << 16,
        ..Limits::default()
    };
    let now = Instant::now();
    let mut caller = client_within(limits, now);
    caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.feed(now, SWITCHING.as_bytes());
    // An update of the table's size to 65 536, then `:status: 200`.
    caller.feed(now, &response(&[0x3f, 0xe1, 0xff, 0x03, 0x88], 1));
    assert_eq!(caller.failure(), None);
    assert!(matches!(
        caller.told[..],
        [Told::Response(..), Told::Finished(_)]
    ));
}

/// A client that stops while its offer is under way gets its answer, and opens nothing more.
#[test]
fn a_client_that_stops_gets_its_answer_still() {
    let now = Instant::now();
    let mut caller = client(now);
    let id = caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.session.shutdown(now, Shutdown::Graceful);
    caller.feed(now, SWITCHING.as_bytes());
    assert_eq!(caller.session.capacity(), 0);
    caller.feed(now, &response(&[0x89], 1));
    assert!(caller.told.contains(&Told::Finished(id)));
    assert_ne!(caller.session.wants().end, Finish::No);
}

/// A command that is refused changes nothing: the answer to the offer is understood still.
#[test]
fn a_second_request_that_comes_too_early_leaves_the_offer_alone() {
    let now = Instant::now();
    let mut caller = client(now);
    caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    for end in [true, false] {
        let early = caller.session.open(request("POST"), end);
        assert_eq!(early, Err(UsageError::NoCapacity));
    }
    caller.feed(now, &[SWITCHING.as_bytes(), &response(&[0x88], 1)].concat());
    assert_eq!(caller.session.version(), Version::Http2);
    assert!(caller.told.contains(&Told::Finished(first())));
}
