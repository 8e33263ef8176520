//! RFC 9112, section 6: how long a message is, in both directions.

use crate::parties::{assert_refused, receive, request, serve, server};
use std::time::Instant;
use thalweg_proto::error::{UsageError, Violation};
use thalweg_proto::head::Response;
use thalweg_proto::session::{Eof, Finish, Session as _, StreamId, Streams as _};
use thalweg_testkit::caller::{Caller, Told};

//= rfc9112#section-6.3
//# If a valid Content-Length header field is present without Transfer-Encoding, its decimal value defines the
//# expected message body length in octets.
#[test]
fn content_length_ends_a_request() {
    let outcome = serve(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(outcome.content(), b"hello");
    assert!(outcome.written.ends_with("GET /b"));
    assert!(outcome.finished(1) && outcome.finished(2));
    let id = StreamId::new(1, 0);
    assert!(matches!(outcome.told[0], Told::Request(_, _, false)));
    assert_eq!(outcome.told[2], Told::End(id, None));
}

//= rfc9112#section-6.3
//# If this is a request message and none of the above are true, then the message body length is zero
#[test]
fn a_request_without_length_has_no_content() {
    let outcome = serve(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(outcome.statuses(), ["200", "200"]);
    let outcome = serve(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(outcome.told[0], Told::Request(_, _, true)));
}

//= rfc9112#section-6.1
//# A server that receives a request message with a transfer coding it does not understand SHOULD respond with 501
#[test]
fn codings_other_than_chunked_are_answered_with_501() {
    for value in ["gzip, chunked", "identity, chunked", "x , chunked"] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::TransferEncoding);
    }
}

//= rfc9112#section-6.3
//# If a Transfer-Encoding header field is present in a request and the chunked transfer coding is not the final
//# encoding, the message body length cannot be determined reliably; the server MUST respond with the 400
#[test]
fn codings_that_do_not_end_in_chunked_are_refused() {
    for value in [
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, chunked",
        "",
        "xchunked",
        "chunked;a",
    ] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::Framing);
    }
}

/// What a server writes for this response to this method and version.
fn answer(start: &str, head: Response, end: bool, body: &[u8]) -> String {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, format!("{start}\r\nHost: a\r\n\r\n").as_bytes());
    let id = StreamId::new(1, 0);
    caller.session.respond(id, head, end).unwrap();
    if !end {
        caller.say(id, body.to_vec(), true);
    }
    let written = caller.flush(now);
    assert!(
        caller.told.contains(&Told::Finished(id)),
        "{:?}",
        caller.told
    );
    String::from_utf8(written).unwrap()
}

//= rfc9112#section-6.3
//# Any response to a HEAD request and any response with a 1xx (Informational), 204 (No Content), or 304 (Not
//# Modified) status code is always terminated by the first empty line after the header fields
#[test]
fn responses_that_have_no_content_are_sent_without() {
    let length = || Response::new(200).with_field(b"content-length", b"5");
    for end in [true, false] {
        assert_eq!(
            answer("HEAD / HTTP/1.1", length(), end, b"hello"),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
        );
        assert_eq!(
            answer("HEAD / HTTP/1.1", Response::new(200), end, b"hello"),
            "HTTP/1.1 200 OK\r\n\r\n"
        );
        assert_eq!(
            answer(
                "GET / HTTP/1.1",
                Response::new(304).with_field(b"content-length", b"5"),
                end,
                b"hello"
            ),
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"
        );
        //= rfc9110#section-8.6
        //# A server MUST NOT send a Content-Length header field in any response with a status code of 1xx
        //# (Informational) or 204 (No Content).
        assert_eq!(
            answer(
                "GET / HTTP/1.1",
                Response::new(204).with_field(b"content-length", b"5"),
                end,
                b"hello"
            ),
            "HTTP/1.1 204 No Content\r\n\r\n"
        );
    }
}

//= rfc9112#section-6.1
#[test]
fn our_responses_are_framed_by_what_is_known() {
    let two_hundred = || Response::new(200);
    assert_eq!(
        answer(
            "GET / HTTP/1.1",
            two_hundred().with_field(b"content-length", b"5"),
            false,
            b"hello"
        ),
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    );
    assert_eq!(
        answer("GET / HTTP/1.1", two_hundred(), false, b"hello"),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    );
    assert_eq!(
        answer("GET / HTTP/1.1", two_hundred(), true, b""),
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    );
    //= rfc9112#section-6.1
    //# A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates
    //# HTTP/1.1
    assert_eq!(
        answer(
            "GET / HTTP/1.0\r\nconnection: keep-alive",
            two_hundred(),
            false,
            b"hello"
        ),
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello"
    );
}

//= rfc9110#section-8.6
#[test]
fn a_body_that_has_another_length_than_announced_is_the_callers_mistake() {
    let id = StreamId::new(1, 0);
    for (length, body) in [("5", &b"hell"[..]), ("5", b"hello!"), ("0", b"h")] {
        let now = Instant::now();
        let mut caller = server(now);
        caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = Response::new(200).with_field(b"content-length", length.as_bytes());
        caller.session.respond(id, head, false).unwrap();
        caller.say(id, body.to_vec(), true);
        caller.flush(now);
        assert_eq!(
            caller.session.wants().end,
            Finish::Now,
            "the response is cut, not completed wrongly"
        );
        assert!(!caller.told.contains(&Told::Finished(id)));
    }
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = Response::new(200).with_field(b"content-length", b"5");
    let refused = caller.session.respond(id, head, true);
    assert_eq!(refused, Err(UsageError::LengthMismatch));
}

//= rfc9112#section-6.3
#[test]
fn a_client_finds_the_end_of_a_response() {
    for (response, content, reusable) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            &b"hello"[..],
            true,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"hello",
            true,
        ),
        (
            b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            b"",
            true,
        ),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            b"",
            true,
        ),
        (
            b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"",
            true,
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"hello",
            false,
        ),
        (
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
            b"hello",
            true,
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            b"hello",
            false,
        ),
    ] {
        let outcome = receive("GET", response, None);
        let what = response.escape_ascii().to_string();
        assert_eq!(outcome.failure(), None, "{what}");
        assert_eq!(outcome.content(), content, "{what}");
        assert!(outcome.finished(1), "{what}");
        assert_eq!(outcome.end == Finish::No, reusable, "{what}");
    }
    let outcome = receive(
        "HEAD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        None,
    );
    assert!(outcome.finished(1) && outcome.end == Finish::No);
}

//= rfc9112#section-6.3
//# Otherwise, this is a response message without a declared message body length, so the message body length is
//# determined by the number of octets received prior to the server closing the connection.
#[test]
fn a_response_without_length_ends_with_the_connection() {
    let response = b"HTTP/1.1 200 OK\r\n\r\nhello, world";
    let open = receive("GET", response, None);
    assert_eq!(open.content(), b"hello, world");
    assert!(!open.finished(1));
    let ended = receive("GET", response, Some(Eof::Clean));
    assert!(ended.finished(1) && ended.failure().is_none());
    let cut = receive("GET", response, Some(Eof::Truncated));
    assert_eq!(cut.failure(), Some(Violation::Truncated));
}

//= rfc9112#section-6.3
#[test]
fn a_client_refuses_a_response_that_could_be_read_in_two_ways() {
    for (fields, why) in [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            Violation::LengthAndEncoding,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            Violation::ContentLength,
        ),
        ("Content-Length: 5, 5\r\n", Violation::ContentLength),
        ("Content-Length: +5\r\n", Violation::ContentLength),
        ("Transfer-Encoding: gzip\r\n", Violation::Framing),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            Violation::TransferEncoding,
        ),
    ] {
        let outcome = receive(
            "GET",
            format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes(),
            None,
        );
        assert_eq!(outcome.failure(), Some(why), "{fields}");
    }
    let old = receive(
        "GET",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        None,
    );
    assert_eq!(old.failure(), Some(Violation::Framing));
}

//= rfc9112#section-6.1
#[test]
fn our_requests_are_framed_by_what_is_known() {
    let now = Instant::now();
    let sent = |method: &str, length: Option<&[u8]>, body: Option<&[u8]>| {
        let mut caller: Caller<_> = crate::parties::client(now);
        let mut head = request(method);
        if let Some(length) = length {
            head = head.with_field(b"content-length", length);
        }
        let id = caller.session.open(head, body.is_none()).unwrap();
        if let Some(body) = body {
            caller.say(id, body.to_vec(), true);
        }
        String::from_utf8(caller.flush(now)).unwrap()
    };
    assert_eq!(
        sent("GET", None, None),
        "GET / HTTP/1.1\r\nhost: a:80\r\n\r\n"
    );
    //= rfc9110#section-8.6
    //# A user agent SHOULD send Content-Length in a request when the method defines a meaning for enclosed content
    assert_eq!(
        sent("POST", None, None),
        "POST / HTTP/1.1\r\nhost: a:80\r\ncontent-length: 0\r\n\r\n"
    );
    assert_eq!(
        sent("POST", Some(b"2"), Some(b"hi")),
        "POST / HTTP/1.1\r\nhost: a:80\r\ncontent-length: 2\r\n\r\nhi"
    );
    assert_eq!(
        sent("PUT", None, Some(b"hi")),
        "PUT / HTTP/1.1\r\nhost: a:80\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    );
}
