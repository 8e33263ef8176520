//! RFC 9112, section 8: messages that are cut off.

use crate::parties::{receive, server};
use std::time::Instant;
use thalweg_proto::error::Violation;
use thalweg_proto::head::Response;
use thalweg_proto::session::{Eof, Finish, Session as _, StreamId, Streams as _};
use thalweg_testkit::caller::Told;

fn cut_off(input: &[u8], how: Eof) -> (Option<Violation>, String, Finish) {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, input);
    caller.eof(now, how);
    let written = String::from_utf8(caller.flush(now)).unwrap();
    let why = caller.failure().map(|error| error.why);
    (why, written, caller.session.wants().end)
}

//= rfc9112#section-8
//# A server that receives an incomplete request message, usually due to a canceled request or a triggered timeout
//# exception, MAY send an error response prior to closing the connection.
#[test]
fn a_request_that_is_cut_off_is_answered_as_long_as_somebody_may_listen() {
    for input in [
        &b"GET / HTT"[..],
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        let (why, written, end) = cut_off(input, Eof::Clean);
        assert_eq!(why, Some(Violation::Truncated));
        assert!(written.starts_with("HTTP/1.1 400 "), "{written}");
        assert_eq!(end, Finish::Now);
        let (why, written, end) = cut_off(input, Eof::Truncated);
        assert_eq!(
            (why, written.as_str(), end),
            (Some(Violation::Truncated), "", Finish::Now)
        );
    }
}

//= rfc9112#section-9.5
#[test]
fn a_connection_that_ends_between_requests_ends_quietly() {
    for input in [&b""[..], b"\r\n"] {
        for how in [Eof::Clean, Eof::Truncated] {
            assert_eq!(cut_off(input, how), (None, String::new(), Finish::Now));
        }
    }
}

//= rfc9112#section-9.6
#[test]
fn a_client_that_closes_its_half_only_still_gets_its_answer() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    caller.eof(now, Eof::Clean);
    assert_eq!(caller.session.wants().end, Finish::No);
    let id = StreamId::new(1, 0);
    caller
        .session
        .respond(id, Response::new(204), true)
        .unwrap();
    let written = String::from_utf8(caller.flush(now)).unwrap();
    assert_eq!(
        written,
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    );
    assert!(caller.told.contains(&Told::Finished(id)));
    assert_eq!(caller.session.wants().end, Finish::Now);
}

//= rfc9112#section-9.5
#[test]
fn a_client_that_vanishes_takes_its_request_with_it() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    caller.eof(now, Eof::Truncated);
    let failure = caller.failure().unwrap();
    assert_eq!(failure.at, Some(StreamId::new(1, 0)));
    assert_eq!(caller.session.open_streams(), 0);
}

//= rfc9112#section-8
//# A message body that uses the chunked transfer coding is incomplete if the zero-sized chunk that terminates the
//# encoding has not been received. A message that uses a valid Content-Length is incomplete if the size of the message
//# body received (in octets) is less than the value given by Content-Length.
#[test]
fn a_response_that_is_cut_off_never_looks_complete() {
    for input in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        for how in [Eof::Clean, Eof::Truncated] {
            let outcome = receive("GET", input, Some(how));
            assert_eq!(outcome.failure(), Some(Violation::Truncated));
            assert!(!outcome.finished(1));
            assert_eq!(outcome.end, Finish::Now);
        }
    }
}
