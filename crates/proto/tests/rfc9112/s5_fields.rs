//! RFC 9112, section 5: field lines.

use crate::parties::{assert_refused, serve};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::error::Violation;
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::{Caller, Told};

//= rfc9112#section-5.1
//# A server MUST reject, with a response status code of 400 (Bad Request), any received request message that
//# contains whitespace between a header field name and colon.
#[test]
fn white_space_before_the_colon_is_refused() {
    for line in [
        "X : y",
        "X\t: y",
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
    ] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::FieldLine);
    }
}

//= rfc9112#section-5
#[test]
fn a_line_without_colon_or_with_a_name_that_is_no_token_is_refused() {
    for line in [
        "X",
        ": y",
        "X(: y",
        "\u{e9}: y",
        "X\0: y",
        "X Y: z",
        "\"X\": y",
    ] {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::FieldLine);
    }
}

//= rfc9110#section-5.5
//# Field values containing CR, LF, or NUL characters are invalid and dangerous
#[test]
fn control_characters_in_values_are_refused() {
    for octet in (0..0x20)
        .chain([0x7f])
        .filter(|octet| !b"\t\r\n".contains(octet))
    {
        let input = [
            b"GET / HTTP/1.1\r\nHost: a\r\nX: a",
            &[octet][..],
            b"b\r\n\r\n",
        ]
        .concat();
        assert_refused(&input, Violation::FieldValue);
    }
}

//= rfc9112#section-5.1
//# The field line value does not include that leading or trailing whitespace
#[test]
fn values_lose_the_white_space_around_them_and_keep_that_inside() {
    let outcome = serve(b"GET / HTTP/1.1\r\nHost: a\r\nX: \t a \t b\xe9 \t\r\nY:\r\nZ:z\r\n\r\n");
    let fields = &outcome.requests()[0].fields;
    assert_eq!(fields.first(b"x"), Some(&b"a \t b\xe9"[..]));
    assert_eq!(fields.first(b"y"), Some(&b""[..]));
    assert_eq!(fields.first(b"z"), Some(&b"z"[..]));
}

//= rfc9112#section-5.2
//# A server that receives an obs-fold in a request message that is not within a "message/http" container MUST either
//# reject the message by sending a 400 (Bad Request) [...] or replace each received obs-fold
#[test]
fn a_folded_line_is_refused() {
    for fold in [" b", "\tb", " ", "\t"] {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n{fold}\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::ObsFold);
    }
}

//= rfc9110#section-5.3
#[test]
fn lines_of_one_name_stay_apart_and_in_order() {
    let outcome = serve(b"GET / HTTP/1.1\r\nA: 1\r\nHost: a\r\nB: 2\r\na: 3\r\n\r\n");
    let fields = &outcome.requests()[0].fields;
    let lines: Vec<_> = fields
        .iter()
        .map(|field| (field.name, field.value))
        .collect();
    let expected: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"host", b"a"), (b"b", b"2"), (b"a", b"3")];
    assert_eq!(lines, expected);
}

fn told(input: &[u8]) -> Told {
    let now = Instant::now();
    let session = Session::server(Arc::new(Limits::default()), Scheme::Http, now);
    let mut caller = Caller::new(session);
    caller.feed(now, input);
    caller.told.into_iter().next().expect("a head was complete")
}

proptest! {
    /// Whatever httparse refuses is refused, and what is let in is what httparse reads.
    #[test]
    fn heads_are_read_as_httparse_reads_them(
        lines in prop::collection::vec(("[A-Za-z!-9]{1,6}", "[ -~\\t\u{80}-\u{ff}\r\n]{0,12}"), 0..6),
        target in "[/a-z?%#*]{1,8}",
    ) {
        let mut head = format!("GET {target} HTTP/1.1\r\nhost: a\r\n").into_bytes();
        for (name, value) in &lines {
            head.extend_from_slice(format!("x{name}:{value}\r\n").as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        let mut room = [httparse::EMPTY_HEADER; 64];
        let mut theirs = httparse::Request::new(&mut room);
        let status = theirs.parse(&head);
        match told(&head) {
            Told::Request(_, ours, _) => {
                prop_assert!(status.is_ok_and(|status| status.is_complete()));
                let read = ours.fields.iter().map(|field| (field.name.to_vec(), field.value.to_vec()));
                let same = theirs.headers.iter().map(|line| {
                    (line.name.to_ascii_lowercase().into_bytes(), line.value.to_vec())
                });
                prop_assert!(read.eq(same));
            }
            Told::Failed(error) => {
                let stricter = matches!(
                    error.why,
                    Violation::BareLineEnd | Violation::ObsFold | Violation::Target
                );
                prop_assert!(stricter || !status.is_ok_and(|status| status.is_complete()));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
