//! RFC 9112, section 4: the status line.

use crate::parties::{receive, run_application, server};
use std::time::Instant;
use thalweg_proto::error::{UsageError, Violation};
use thalweg_proto::head::Response;
use thalweg_proto::session::{Session as _, StreamId, Streams as _};

//= rfc9112#section-4
#[test]
fn a_client_takes_any_status_of_three_digits() {
    let outcome = receive(
        "GET",
        b"HTTP/1.1 299 Fine, so far\r\ncontent-length: 0\r\n\r\n",
        None,
    );
    let head = outcome.response().unwrap();
    assert_eq!(
        (head.status, head.reason()),
        (299, Some(&b"Fine, so far"[..]))
    );
    let outcome = receive("GET", b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", None);
    assert_eq!(outcome.response().unwrap().reason(), None);
}

//= rfc9112#section-4
#[test]
fn a_client_refuses_a_malformed_status_line() {
    for (line, why) in [
        ("HTTP/1.1 20 OK", Violation::Status),
        ("HTTP/1.1 099 OK", Violation::Status),
        ("HTTP/1.1 2000 OK", Violation::StartLine),
        ("HTTP/1.1 abc OK", Violation::Status),
        ("HTTP/2.0 200 OK", Violation::Version),
        ("ICY 200 OK", Violation::StartLine),
        ("", Violation::StartLine),
    ] {
        let outcome = receive("GET", format!("{line}\r\n\r\n").as_bytes(), None);
        let failure = outcome.failure();
        assert!(
            failure == Some(why)
                || failure == Some(Violation::Status) && why == Violation::StartLine,
            "{line}: {failure:?}"
        );
    }
}

//= rfc9112#section-4
//# A server MUST send the space that separates the status-code from the reason-phrase even when the reason-phrase is
//# absent
#[test]
fn reasons_are_the_given_one_the_standard_one_or_none() {
    for (head, line) in [
        (Response::new(404), "HTTP/1.1 404 Not Found\r\n"),
        (Response::new(599), "HTTP/1.1 599 \r\n"),
        (
            Response::new(200).with_reason(b"Fine"),
            "HTTP/1.1 200 Fine\r\n",
        ),
    ] {
        let now = Instant::now();
        let mut caller = server(now);
        caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        caller
            .session
            .respond(StreamId::new(1, 0), head, true)
            .unwrap();
        let written = String::from_utf8(caller.flush(now)).unwrap();
        assert!(written.starts_with(line), "{written}");
    }
}

//= rfc9112#section-11.1
//# Response splitting
#[test]
fn nothing_that_a_caller_gives_can_split_a_response() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let id = StreamId::new(1, 0);
    for head in [
        Response::new(200).with_reason(b"a\r\nb: c"),
        Response::new(200).with_field(b"a", b"b\r\nc: d"),
        Response::new(200).with_field(b"a", b"b\nc"),
        Response::new(200).with_field(b"a", b"b\0"),
        Response::new(200).with_field(b"a: b", b"c"),
        Response::new(200).with_field(b"", b"c"),
        Response::new(200).with_field(b"a", b" b"),
        Response::new(99),
        Response::new(1000),
        Response::new(200).with_field(b"content-length", b"-1"),
        Response::new(200)
            .with_field(b"content-length", b"1")
            .with_field(b"content-length", b"1"),
        Response::new(200).with_field(b"connection", b"keep-alive"),
        Response::new(200)
            .with_field(b"connection", b"upgrade")
            .with_field(b"upgrade", b"x"),
        Response::new(200).with_field(b"keep-alive", b"timeout=5"),
        Response::new(200).with_field(b"transfer-encoding", b"chunked"),
    ] {
        let refused = caller.session.respond(id, head.clone(), false);
        assert_eq!(refused, Err(UsageError::BadField), "{head:?}");
    }
    assert!(!caller.session.wants().write, "nothing was sent");
    let mut written = Vec::new();
    run_application(&mut caller, now, &mut written);
    assert!(
        written.starts_with(b"HTTP/1.1 200 OK\r\n"),
        "and nothing changed"
    );
}
