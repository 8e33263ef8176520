//! What requests are smuggled with: messages whose end two readers could see in two places (RFC 9112, section 11.2).
//! Each is refused, nothing of it is run, and what follows it is never read as a request.

use crate::parties::{assert_refusal, serve};
use thalweg_proto::error::Violation;

/// A request that a smuggler would like to see run.
const PREY: &str = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";

fn assert_no_smuggling(fields: &str, body: &str, why: Violation) {
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}{PREY}");
    let outcome = serve(input.as_bytes());
    assert_refusal(&outcome, why, fields);
    for request in outcome.requests() {
        assert_ne!(request.path(), Some(&b"/admin"[..]), "{fields}");
    }
}

//= rfc9112#section-6.1
//# A server MAY reject a request that contains both Content-Length and Transfer-Encoding
#[test]
fn length_and_encoding_together() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "content-length: 4\r\nX: y\r\ntransfer-encoding: Chunked\r\n",
    ] {
        assert_no_smuggling(fields, "0\r\n\r\n", Violation::LengthAndEncoding);
    }
}

//= rfc9112#section-6.3
//# If a message is received without Transfer-Encoding and with an invalid Content-Length header field, then the message
//# framing is invalid and the recipient MUST treat it as an unrecoverable error
#[test]
fn lengths_that_are_no_number_or_several() {
    for value in [
        "",
        "+5",
        "-5",
        "5 5",
        "5,5",
        "5, 5",
        "5,6",
        "0x5",
        "5.0",
        "5e0",
        "five",
        "\"5\"",
        "18446744073709551616",
        "99999999999999999999999",
        "5;",
        "\u{b}5",
        "5\u{a0}",
    ] {
        let fields = format!("Content-Length: {value}\r\n");
        let why = if value.starts_with('\u{b}') {
            Violation::FieldValue
        } else {
            Violation::ContentLength
        };
        assert_no_smuggling(&fields, "hello", why);
    }
    for fields in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 0\r\n",
        "Content-Length: 5\r\nX: y\r\ncontent-length: 6\r\n",
    ] {
        assert_no_smuggling(fields, "hello", Violation::ContentLength);
    }
}

//= rfc9112#section-6.3
#[test]
fn encodings_that_are_hidden_or_misspelt() {
    for (fields, why) in [
        ("Transfer-Encoding: xchunked\r\n", Violation::Framing),
        (
            "Transfer-Encoding: chunked, identity\r\n",
            Violation::Framing,
        ),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            Violation::Framing,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            Violation::Framing,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            Violation::Framing,
        ),
        (
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            Violation::Framing,
        ),
        ("Transfer-Encoding: \"chunked\"\r\n", Violation::Framing),
        ("Transfer-Encoding: chunked,\r\n", Violation::Framing),
        ("Transfer-Encoding:\r\n", Violation::Framing),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            Violation::TransferEncoding,
        ),
        ("Transfer-Encoding : chunked\r\n", Violation::FieldLine),
        ("Transfer-Encoding\t: chunked\r\n", Violation::FieldLine),
        (" Transfer-Encoding: chunked\r\n", Violation::ObsFold),
        (
            "X: y\r\n Transfer-Encoding: chunked\r\n",
            Violation::ObsFold,
        ),
        ("Transfer-Encoding:\r\n chunked\r\n", Violation::ObsFold),
        ("Transfer-Encoding: \u{b}chunked\r\n", Violation::FieldValue),
        ("Transfer-Encoding: chunked\0\r\n", Violation::FieldValue),
        (
            "X: y\nTransfer-Encoding: chunked\r\n",
            Violation::BareLineEnd,
        ),
        (
            "X: y\rTransfer-Encoding: chunked\r\n",
            Violation::BareLineEnd,
        ),
        ("Transfer-Encoding: chunked\n\r\n", Violation::BareLineEnd),
        ("Transfer\u{a0}Encoding: chunked\r\n", Violation::FieldLine),
        ("\0Transfer-Encoding: chunked\r\n", Violation::FieldLine),
    ] {
        assert_no_smuggling(fields, "0\r\n\r\n", why);
    }
}

//= rfc9112#section-6.1
//# A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field MUST treat the
//# message as if the framing is faulty, even if a Content-Length is present
#[test]
fn encoding_in_http_1_0() {
    let input = format!(
        "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{PREY}"
    );
    assert_refusal(&serve(input.as_bytes()), Violation::Framing, "1.0");
}

//= rfc9110#section-9.3.6
//# A CONNECT request message does not have content.
#[test]
fn content_in_connect() {
    for fields in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let input = format!("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{PREY}");
        assert_refusal(&serve(input.as_bytes()), Violation::Framing, fields);
    }
}

//= rfc9112#section-7.1
#[test]
fn chunks_with_two_readings() {
    for coding in [
        "5\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5;a\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "0\r\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "100000000000000005\r\nhello\r\n0\r\n\r\n",
    ] {
        assert_no_smuggling("Transfer-Encoding: chunked\r\n", coding, Violation::Chunk);
    }
}

//= rfc9112#section-2.2
#[test]
fn after_a_refusal_nothing_is_run() {
    let input = format!("GET / HTTP/1.1\r\n\r\n{PREY}{PREY}");
    let outcome = serve(input.as_bytes());
    assert_refusal(&outcome, Violation::Authority, "no host");
    assert!(outcome.requests().is_empty());
}

//= rfc9112#section-11.2
#[test]
fn what_came_before_a_refusal_is_answered() {
    let input = format!(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n{PREY}"
    );
    let outcome = serve(input.as_bytes());
    assert_eq!(outcome.statuses(), ["200", "400"]);
    assert_eq!(outcome.requests().len(), 1);
}
