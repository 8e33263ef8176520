//! RFC 9112, section 7: the chunked coding, and trailers.

use crate::parties::{receive, serve, serve_with, server};
use std::time::Instant;
use thalweg_proto::error::{UsageError, Violation};
use thalweg_proto::fields::Fields;
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Finish, StreamId, Streams as _};
use thalweg_testkit::caller::Told;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn post(coding: &str) -> crate::parties::Outcome {
    serve(format!("{HEAD}{coding}").as_bytes())
}

//= rfc9112#section-7.1
#[test]
fn chunks_are_joined_and_the_next_request_follows() {
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = post(&format!(
        "5\r\nhello\r\n00C\r\n, world\r\n!!!\r\n0\r\n\r\n{next}"
    ));
    assert_eq!(outcome.content(), b"hello, world\r\n!!!");
    assert_eq!(outcome.statuses(), ["200", "200"]);
    let empty = post("0\r\n\r\n");
    assert_eq!(empty.told[1], Told::End(StreamId::new(1, 0), None));
}

//= rfc9112#section-7.1
//# A recipient MUST be able to parse and decode the chunked transfer coding.
#[test]
fn the_name_of_the_coding_has_no_case() {
    let outcome = serve(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
    assert_eq!(outcome.content(), b"hi");
}

//= rfc9112#section-7.1
//# recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors due to integer
//# conversion overflows
#[test]
fn malformed_chunks_are_refused() {
    for coding in [
        "10000000000000000\r\n",
        "+5\r\nhello\r\n",
        "-1\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\rhello",
        "\r\n",
        "g\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5;a\nb\r\nhello\r\n",
        "5;\u{0}\r\nhello\r\n",
        "5_0\r\n",
    ] {
        let outcome = post(coding);
        assert_eq!(outcome.failure(), Some(Violation::Chunk), "{coding:?}");
        assert_eq!(outcome.statuses(), ["400"], "{coding:?}");
        assert_eq!(outcome.end, Finish::Linger);
    }
}

//= rfc9112#section-7.1.1
//# A recipient MUST ignore unrecognized chunk extensions. A server ought to limit the total length of chunk extensions
//# received in a request
#[test]
fn extensions_are_ignored_within_a_bound() {
    let outcome = post("5;a\r\nhello\r\n1 ; b=\"c d\"\r\n!\r\n0;last\r\n\r\n");
    assert_eq!(outcome.content(), b"hello!");
    let outcome = post(&format!("1;{}\r\n", "a".repeat(20_000)));
    assert_eq!(outcome.failure(), Some(Violation::Chunk), "one long one");
    let outcome = post(&format!("1;{}\r\nx\r\n", "a".repeat(1000)).repeat(20));
    assert_eq!(outcome.failure(), Some(Violation::Chunk), "many short ones");
}

//= rfc9112#section-7.1.2
#[test]
fn trailers_come_with_the_end() {
    let outcome = post("2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-Other:  2 \r\n\r\n");
    let Told::End(_, Some(trailers)) = &outcome.told[2] else {
        panic!("{outcome:?}");
    };
    assert_eq!(trailers.first(b"x-sum"), Some(&b"1"[..]));
    assert_eq!(trailers.first(b"x-other"), Some(&b"2"[..]));
}

//= rfc9110#section-6.5.1
//# Trailer fields ought to be processed and stored separately from the fields in the header section
#[test]
fn trailers_that_would_frame_or_route_are_dropped() {
    let outcome =
        post("0\r\nContent-Length: 5\r\nHost: b\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n");
    let Told::End(_, Some(trailers)) = &outcome.told[1] else {
        panic!("{outcome:?}");
    };
    assert_eq!(format!("{trailers:?}"), "[x: y]");
}

//= rfc9112#section-7.1.2
#[test]
fn malformed_and_endless_trailers_are_refused() {
    for (trailers, why) in [
        ("X: y\n\r\n", Violation::BareLineEnd),
        ("X: y\r\n z\r\n\r\n", Violation::ObsFold),
        (" X: y\r\n\r\n", Violation::ObsFold),
        ("X : y\r\n\r\n", Violation::FieldLine),
        ("X: \u{1}\r\n\r\n", Violation::FieldValue),
    ] {
        let outcome = post(&format!("0\r\n{trailers}"));
        assert_eq!(outcome.failure(), Some(why), "{trailers:?}");
    }
    let limits = Limits {
        head: 100,
        fields: 4,
        ..Limits::default()
    };
    let many = format!("{HEAD}0\r\n{}", "X: y\r\n".repeat(5));
    let outcome = serve_with(&limits, many.as_bytes());
    assert_eq!(outcome.failure(), Some(Violation::TooManyFields));
    let long = format!("{HEAD}0\r\nX: {}", "y".repeat(200));
    let outcome = serve_with(&limits, long.as_bytes());
    assert_eq!(outcome.failure(), Some(Violation::HeadTooLarge));
}

//= rfc9112#section-7.1.2
#[test]
fn a_client_gets_trailers_too() {
    let outcome = receive(
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n",
        None,
    );
    let fields: Fields = [(&b"x"[..], &b"y"[..])].into_iter().collect();
    assert_eq!(
        outcome.told[2],
        Told::End(StreamId::new(1, 0), Some(fields))
    );
}

/// What a server writes for two pieces and these trailers, and what it says to them.
fn respond_with_trailers(start: &str, head: Response, trailers: Fields) -> String {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, format!("{start}\r\nHost: a\r\n\r\n").as_bytes());
    let id = StreamId::new(1, 0);
    caller.session.respond(id, head, false).unwrap();
    caller.say(id, "hel", false);
    caller.say(id, "lo", false);
    caller.say_trailers(id, trailers);
    String::from_utf8(caller.flush(now)).unwrap()
}

//= rfc9112#section-7.1.2
#[test]
fn our_trailers_go_where_there_is_a_place_for_them() {
    let trailers = || -> Fields { [(&b"x-sum"[..], &b"1"[..])].into_iter().collect() };
    assert_eq!(
        respond_with_trailers("GET / HTTP/1.1", Response::new(200), trailers()),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n"
    );
    assert_eq!(
        respond_with_trailers("GET / HTTP/1.0", Response::new(200), trailers()),
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello"
    );
    let length = Response::new(200).with_field(b"content-length", b"5");
    assert_eq!(
        respond_with_trailers("GET / HTTP/1.1", length, trailers()),
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    );
}

//= rfc9110#section-6.5.1
//# a sender MUST NOT generate a trailer field unless the sender knows the corresponding header field name's definition
#[test]
fn our_trailers_frame_nothing() {
    use thalweg_proto::session::{End, Gather, Output, Session as _, Supply};
    for (name, value) in [
        (&b"content-length"[..], &b"5"[..]),
        (b"transfer-encoding", b"chunked"),
        (b"host", b"b"),
        (b"x", b"a\r\nb: c"),
        (b"x y", b"z"),
    ] {
        let now = Instant::now();
        let mut caller = server(now);
        caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let id = StreamId::new(1, 0);
        caller
            .session
            .respond(id, Response::new(200), false)
            .unwrap();
        let mut out = Gather::new(1 << 16);
        assert_eq!(caller.session.send(now, &mut out), Output::Frame);
        assert!(matches!(
            caller.session.send(now, &mut out),
            Output::Need { .. }
        ));
        let trailers = [(name, value)].into_iter().collect();
        let supply = Supply::Chunk("hi".into(), End::Trailers(trailers));
        assert_eq!(caller.session.supply(id, supply), Err(UsageError::BadField));
    }
}

//= rfc9112#section-7.1
#[test]
fn a_large_piece_is_one_chunk() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let id = StreamId::new(1, 0);
    caller
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    caller.say(id, vec![b'x'; 0x1234], true);
    let written = caller.flush(now);
    let body = [b"1234\r\n".as_slice(), &[b'x'; 0x1234], b"\r\n0\r\n\r\n"].concat();
    assert!(written.ends_with(&body));
}
