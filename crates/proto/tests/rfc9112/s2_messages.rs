//! RFC 9112, section 2: messages.

use crate::parties::{assert_refusal, assert_refused, receive, serve, serve_with};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use thalweg_proto::error::Violation;
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::head::Version;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Epoch, Finish};
use thalweg_testkit::caller::Caller;

//= rfc9112#section-2.1
#[test]
fn a_request_without_content_ends_with_its_head() {
    let outcome =
        serve(b"GET /hello?a=b HTTP/1.1\r\nHost: example.org\r\nX-Any: Some Value\r\n\r\n");
    let [head] = outcome.requests()[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(head.method(), b"GET");
    assert_eq!(head.path(), Some(&b"/hello?a=b"[..]));
    assert_eq!(head.scheme(), Some(&b"http"[..]));
    assert_eq!(head.authority(), Some(&b"example.org"[..]));
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.fields.first(b"x-any"), Some(&b"Some Value"[..]));
    assert_eq!(
        outcome.written,
        "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\nGET /hello?a=b"
    );
    assert!(outcome.finished(1));
    assert_eq!(outcome.end, Finish::No);
}

//= rfc9112#section-2.2
//# a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty line (CRLF)
//# received prior to the request-line.
#[test]
fn a_few_empty_lines_before_a_request_are_ignored() {
    let outcome =
        serve(b"\r\n\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(outcome.statuses(), ["200", "200"]);
}

//= rfc9112#section-2.2
#[test]
fn empty_lines_without_end_are_refused() {
    let outcome = serve(&b"\r\n".repeat(20));
    assert_eq!(outcome.failure(), Some(Violation::StartLine));
}

//= rfc9112#section-2.2
//# A recipient of such a bare CR MUST consider that element to be invalid or replace each bare CR with SP
#[test]
fn a_bare_cr_is_refused_wherever_it_stands() {
    for input in [
        &b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\rHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    ] {
        assert_refused(input, Violation::BareLineEnd);
    }
}

//= rfc9112#section-2.2
//# Although the line terminator for the start-line and fields is the sequence CRLF, a recipient MAY recognize a
//# single LF as a line terminator
//
// It may, and we do not: two readers that differ on it see two different requests.
#[test]
fn a_bare_lf_is_refused_wherever_it_stands() {
    for input in [
        &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let outcome = serve(input);
        assert_eq!(outcome.failure(), Some(Violation::BareLineEnd));
    }
}

//= rfc9112#section-2.2
//# A sender MUST NOT send whitespace between the start-line and the first header field.
#[test]
fn white_space_before_the_first_field_is_refused() {
    assert_refused(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Violation::ObsFold);
}

//= rfc9112#section-2.2
//# When a server listening only for HTTP request messages, or processing what appears from the start-line to be an
//# HTTP request message, receives a sequence of octets that does not match the HTTP-message grammar [...] the server
//# SHOULD respond with a 400 (Bad Request) response and close the connection.
#[test]
fn octets_that_are_no_http_are_answered_with_400_at_once() {
    for input in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b" GET / HTTP/1.1\r\n\r\n",
        b"{\"json\": 1}",
        b"\0\0\0\0",
    ] {
        let outcome = serve(input);
        assert_eq!(outcome.failure(), Some(Violation::StartLine));
    }
    assert_refused(b"(\r\n", Violation::StartLine);
}

//= rfc9112#section-2.3
#[test]
fn versions_other_than_1_0_and_1_1_are_answered_with_505() {
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0"] {
        let input = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::Version);
    }
    for version in [
        "HTTP/1",
        "HTTP/1.10",
        "http/1.1",
        "HTTP/1.x",
        "FOO/1.1",
        "HTTP/11",
    ] {
        let input = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::StartLine);
    }
}

//= rfc9110#section-6.2
#[test]
fn a_request_of_1_0_is_told_as_such() {
    let outcome = serve(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(outcome.requests()[0].version, Version::Http10);
    assert_eq!(outcome.requests()[0].authority(), None);
    assert!(outcome.written.contains("connection: close"));
}

//= rfc6585#section-5
#[test]
fn a_head_beyond_its_limits_is_answered_with_431_before_it_is_complete() {
    let limits = Limits {
        head: 200,
        fields: 3,
        ..Limits::default()
    };
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(300));
    let outcome = serve_with(&limits, long.as_bytes());
    assert_refusal(&outcome, Violation::HeadTooLarge, "no end in sight");
    let complete = format!("{long}\r\n\r\n");
    let outcome = serve_with(&limits, complete.as_bytes());
    assert_refusal(&outcome, Violation::HeadTooLarge, "complete");

    let many = b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\nX";
    let outcome = serve_with(&limits, many);
    assert_refusal(&outcome, Violation::TooManyFields, "many lines");
    let fit = b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n";
    assert_eq!(serve_with(&limits, fit).statuses(), ["200"]);
}

//= rfc9112#section-2.1
#[test]
fn a_head_may_be_as_large_as_the_limits_say() {
    let limits = Limits::default();
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let fit = limits.head - start.len() - 4;
    let outcome = serve(format!("{start}{}\r\n\r\n", "x".repeat(fit)).as_bytes());
    assert_eq!(outcome.statuses(), ["200"]);
    let outcome = serve(format!("{start}{}\r\n\r\n", "x".repeat(fit + 1)).as_bytes());
    assert_eq!(outcome.failure(), Some(Violation::HeadTooLarge));
    let hundred = "X: y\r\n".repeat(limits.fields - 1);
    let outcome = serve(format!("GET / HTTP/1.1\r\nHost: a\r\n{hundred}\r\n").as_bytes());
    assert_eq!(outcome.requests()[0].fields.len(), 100);
}

//= rfc9112#section-2.2
#[test]
fn a_client_refuses_what_a_server_would() {
    for (input, why) in [
        (
            &b"HTTP/1.1 200 OK\nx: y\r\n\r\n"[..],
            Violation::BareLineEnd,
        ),
        (b"HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n", Violation::ObsFold),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", Violation::StartLine),
        (b"HTTP/1.1 200 OK\r\nx : y\r\n\r\n", Violation::FieldLine),
    ] {
        let outcome = receive("GET", input, None);
        assert_eq!(outcome.failure(), Some(why), "{}", input.escape_ascii());
        assert_eq!(outcome.end, Finish::Now);
    }
}

//= rfc9110#section-6.6.1
/// "An origin server with a clock MUST generate a Date header field in all 2xx (Successful), 3xx (Redirection), and
/// 4xx (Client Error) responses".
#[test]
fn a_session_that_knows_the_date_tells_it_in_its_own_answers() {
    let now = Instant::now();
    let showed = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let session = Session::server(Arc::new(Limits::default()), Scheme::Http, now);
    let mut caller = Caller::new(session.dated(Epoch::new(now, showed)));
    caller.feed(now + Duration::from_secs(1), b"GET / HTTP/1.1\r\n\r\n");
    let written = String::from_utf8(caller.flush(now)).unwrap();
    let date = "\r\ndate: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    assert!(written.contains(date), "{written}");
}
