//! Section 8.2: field lines.

use crate::wire::{
    GET, POST, Script, a_request, frames, open_requests, post_with, raw_block, request, serve,
    server_after,
};
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::hpack::Decoder;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::{Caller, Told};

/// Section 8.2: names in capital letters are malformed, and so is what no field name or value may hold.
#[test]
fn field_lines_out_of_their_grammar_are_malformed() {
    for name in [
        &b"X-Upper"[..],
        b"a b",
        b"",
        b"a\0",
        b"a:b",
        b"\xff",
        b"a\n",
    ] {
        let mut lines: Vec<(&[u8], &[u8])> = GET
            .iter()
            .map(|(n, v)| (n.as_bytes(), v.as_bytes()))
            .collect();
        lines.push((name, b"1"));
        serve(&Script::client().block(1, &raw_block(&lines), true)).assert_reset(
            1,
            Violation::FieldName,
            Code::Protocol,
        );
    }
    for value in [&b"a\r\nb"[..], b"a\0", b"\n", b" a", b"a ", b"\ta", b"a\t"] {
        let mut lines: Vec<(&[u8], &[u8])> = GET
            .iter()
            .map(|(n, v)| (n.as_bytes(), v.as_bytes()))
            .collect();
        lines.push((b"x", value));
        serve(&Script::client().block(1, &raw_block(&lines), true)).assert_reset(
            1,
            Violation::FieldValue,
            Code::Protocol,
        );
    }
}

/// Section 8.2.2: "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields",
/// and treats one as malformed.
#[test]
fn fields_of_the_connection_are_malformed() {
    for line in [
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, deflate"),
    ] {
        serve(&Script::client().head(1, &post_with(&[line]), true)).assert_reset(
            1,
            Violation::ConnectionField,
            Code::Protocol,
        );
        let response = [(":status", "200"), line];
        request(&["GET"], &Script::server().head(1, &response, true)).assert_reset(
            1,
            Violation::ConnectionField,
            Code::Protocol,
        );
        let (mut server, _) = server_after(Limits::default(), &Script::client().head(1, GET, true));
        let id = open_requests(&server)[0];
        let head = Response::new(200).with_field(line.0.as_bytes(), line.1.as_bytes());
        assert_eq!(
            server.session.respond(id, head, true),
            Err(UsageError::BadField)
        );
    }
    let outcome = serve(&Script::client().head(1, &post_with(&[("te", "trailers")]), true));
    assert_eq!(outcome.requests(), [1]);
}

/// Section 8.2.3: a cookie may come in crumbs. They stay lines of their own, in order.
#[test]
fn crumbs_of_a_cookie_are_kept_in_order() {
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2")];
    let outcome = serve(&Script::client().head(1, &post_with(&crumbs), true));
    let Told::Request(_, head, _) = &outcome.told[0] else {
        panic!("{outcome:?}");
    };
    let values: Vec<_> = head.fields.all(b"cookie").collect();
    assert_eq!(values, [&b"a=1"[..], b"b=2"]);
}

/// Section 8.2.1: the octets that names and values MUST NOT hold, one by one, and those that RFC 9110 (sections 5.1 and
/// 5.5) prohibits beside them.
#[test]
fn every_prohibited_octet_is_malformed() {
    let head = |name: &[u8], value: &[u8]| {
        let mut lines: Vec<(&[u8], &[u8])> = POST
            .iter()
            .map(|(n, v)| (n.as_bytes(), v.as_bytes()))
            .collect();
        lines.push((name, value));
        let (server, _) = server_after(
            Limits::default(),
            &Script::client().block(1, &raw_block(&lines), true),
        );
        server.told
    };
    let is_refused = |told: &[Told], why| matches!(told, [Told::Reset(_, Code::Protocol, Some(of))] if *of == why);
    for octet in 0..=u8::MAX {
        let name = head(&[b'a', octet, b'b'], b"1");
        let is_token = octet.is_ascii_lowercase()
            || octet.is_ascii_digit()
            || b"!#$%&'*+-.^_`|~".contains(&octet);
        let refused = is_refused(&name, Violation::FieldName);
        assert_eq!(refused, !is_token, "{octet:#x} in a name");
        let value = head(b"x", &[b'a', octet, b'b']);
        let control = octet.is_ascii_control() && octet != b'\t';
        let refused = is_refused(&value, Violation::FieldValue);
        assert_eq!(refused, control, "{octet:#x} in a value");
        let around = control || octet == b'\t' || octet == b' ';
        for value in [[octet, b'a'], [b'a', octet]] {
            let refused = is_refused(&head(b"x", &value), Violation::FieldValue);
            assert_eq!(refused, around, "{octet:#x} around a value");
        }
    }
}

/// "When a request message violates one of these requirements, an implementation SHOULD generate a 400 (Bad Request)
/// status code", and section 8.1.1: "Malformed requests or responses that are detected MUST be treated as a stream
/// error of type PROTOCOL_ERROR": the head of a 400, then the reset.
#[test]
fn a_malformed_request_gets_the_head_of_a_400_and_then_a_reset() {
    for (line, end) in [
        (("x", "a\rb"), true),
        (("X", "1"), false),
        (("connection", "close"), true),
    ] {
        let outcome = serve(&Script::client().head(1, &post_with(&[line]), end));
        let of_stream: Vec<_> = outcome
            .sent
            .iter()
            .filter(|sent| sent.header.stream == 1)
            .collect();
        let [head, reset] = of_stream[..] else {
            panic!("{of_stream:?}");
        };
        let Frame::Headers {
            block,
            end_stream: false,
            ..
        } = head.frame()
        else {
            panic!("{head:?}");
        };
        let mut status = Vec::new();
        Decoder::new(4096)
            .decode(block, 1000, |field| status = field.value.to_vec())
            .unwrap();
        assert_eq!(status, b"400");
        assert_eq!(reset.frame(), Frame::RstStream(Code::Protocol));
    }
    // Nothing is said of a request that may be sent again, nor where only trailers are wrong.
    let trailers = Script::client()
        .head(1, POST, false)
        .head(1, &[("X", "1")], true);
    assert!(serve(&trailers).of_kind(Kind::Headers).is_empty());
}

/// "Clients MUST NOT accept a malformed response" (section 8.1.1): nothing of it is told but its reset.
#[test]
fn a_malformed_response_is_not_told() {
    for line in [
        ("X", "1"),
        ("x", "a\0"),
        ("x", " a"),
        ("content-length", "x"),
    ] {
        let response = [(":status", "200"), line];
        let script = Script::server()
            .head(1, &response, false)
            .data(1, b"content", true);
        let outcome = request(&["GET"], &script);
        assert!(matches!(outcome.told[..], [Told::Reset(..)]), "{line:?}");
    }
}

/// Section 8.2.2: TE is for requests only, and says nothing but `trailers`.
#[test]
fn te_is_malformed_in_a_response() {
    let response = [(":status", "200"), ("te", "trailers")];
    request(&["GET"], &Script::server().head(1, &response, true)).assert_reset(
        1,
        Violation::ConnectionField,
        Code::Protocol,
    );
    let (mut server, _) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let head = Response::new(200).with_field(b"te", b"trailers");
    let id = open_requests(&server)[0];
    let refused = server.session.respond(id, head, true);
    assert_eq!(refused, Err(UsageError::BadField));
    let mut client = Caller::new(Session::client(Limits::default(), Instant::now()));
    let head = a_request("GET").with_field(b"te", b"trailers");
    assert!(client.session.open(head, true).is_ok());
}

/// "Field names MUST be converted to lowercase when constructing an HTTP/2 message."
#[test]
fn names_leave_in_lower_case() {
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let head = Response::new(200).with_field(b"X-Upper-Case", b"Value");
    let id = open_requests(&server)[0];
    server.session.respond(id, head, true).unwrap();
    let sent = frames(&server.flush(now));
    let head = sent.iter().find_map(|sent| match sent.frame() {
        Frame::Headers { block, .. } => Some(block.to_vec()),
        _ => None,
    });
    let mut lines = Vec::new();
    let collect = |field: thalweg_proto::fields::Field<'_>| {
        lines.push((field.name.to_vec(), field.value.to_vec()));
    };
    Decoder::new(4096)
        .decode(&head.unwrap(), 1000, collect)
        .unwrap();
    assert_eq!(lines[1], (b"x-upper-case".to_vec(), b"Value".to_vec()));
}

/// "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields", nor other lines that
/// a peer must refuse: none leaves, in any kind of head.
#[test]
fn no_head_leaves_with_what_a_peer_must_refuse() {
    let lines: [(&[u8], &[u8]); 12] = [
        (b"connection", b"close"),
        (b"keep-alive", b"1"),
        (b"proxy-connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"te", b"gzip"),
        (b":path", b"/"),
        (b":status", b"200"),
        (b"a:b", b"1"),
        (b"", b"1"),
        (b"x", b"a\nb"),
        (b"x", b" a"),
    ];
    for (name, value) in lines {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        let head = a_request("POST").with_field(name, value);
        assert_eq!(client.session.open(head, true), Err(UsageError::BadField));
        let id = client.session.open(a_request("POST"), false).unwrap();
        client.say_trailers(id, [(name, value)].into_iter().collect());
        client.flush(now);
        assert_eq!(client.session.open_streams(), 0, "{}", name.escape_ascii());
        let (mut server, _) = server_after(Limits::default(), &Script::client().head(1, GET, true));
        let id = open_requests(&server)[0];
        for status in [103, 200] {
            let head = Response::new(status).with_field(name, value);
            let refused = server.session.respond(id, head, false);
            assert_eq!(refused, Err(UsageError::BadField));
        }
    }
}
