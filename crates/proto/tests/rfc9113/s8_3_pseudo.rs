//! Section 8.3: control data.

use crate::wire::{GET, Script, a_request, frames, open_requests, request, serve, server_after};
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::Frame;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::hpack::Decoder;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::{Caller, Told};

/// Section 8.3 and 8.3.1: pseudo fields come first, once, and are those of requests; all that are needed are there.
#[test]
fn requests_with_wrong_pseudo_fields_are_malformed() {
    let wrong: &[(&[(&str, &str)], Violation)] = &[
        (&[], Violation::PseudoField),
        (&GET[1..], Violation::PseudoField),
        (&[GET[0], GET[2], GET[3]], Violation::PseudoField),
        (&[GET[0], GET[1], GET[3]], Violation::PseudoField),
        (&[GET[0], GET[1], GET[2]], Violation::Authority),
        (
            &[GET[0], GET[0], GET[1], GET[2], GET[3]],
            Violation::PseudoField,
        ),
        (
            &[GET[0], GET[1], GET[2], GET[2], GET[3]],
            Violation::PseudoField,
        ),
        (
            &[GET[0], GET[1], ("x", "1"), GET[2], GET[3]],
            Violation::PseudoField,
        ),
        (
            &[GET[0], GET[1], GET[2], GET[3], (":status", "200")],
            Violation::PseudoField,
        ),
        (
            &[GET[0], GET[1], GET[2], GET[3], (":unknown", "1")],
            Violation::PseudoField,
        ),
        (
            &[GET[0], GET[1], GET[2], GET[3], (":protocol", "websocket")],
            Violation::PseudoField,
        ),
        (
            &[(":method", "GE T"), GET[1], GET[2], GET[3]],
            Violation::Method,
        ),
        (
            &[(":method", ""), GET[1], GET[2], GET[3]],
            Violation::Method,
        ),
        (
            &[GET[0], (":scheme", "ht tp"), GET[2], GET[3]],
            Violation::Target,
        ),
        (&[GET[0], GET[1], (":path", ""), GET[3]], Violation::Target),
        (&[GET[0], GET[1], (":path", "x"), GET[3]], Violation::Target),
        (&[GET[0], GET[1], (":path", "*"), GET[3]], Violation::Target),
        (
            &[GET[0], GET[1], (":path", "/a b"), GET[3]],
            Violation::Target,
        ),
        (
            &[GET[0], GET[1], (":path", "/a#b"), GET[3]],
            Violation::Target,
        ),
        (
            &[GET[0], (":scheme", "urn"), (":path", "x"), GET[3]],
            Violation::Target,
        ),
        (
            &[GET[0], GET[1], GET[2], (":authority", "user@host")],
            Violation::Authority,
        ),
        (
            &[GET[0], GET[1], GET[2], (":authority", "a.org:80:x")],
            Violation::Authority,
        ),
        (
            &[GET[0], GET[1], GET[2], ("host", "[::1")],
            Violation::Authority,
        ),
        (
            &[GET[0], GET[1], GET[2], (":authority", "")],
            Violation::Authority,
        ),
        (
            &[GET[0], GET[1], GET[2], GET[3], ("host", "other.org")],
            Violation::Authority,
        ),
        (
            &[GET[0], GET[1], GET[2], ("host", "")],
            Violation::Authority,
        ),
        (
            &[GET[0], GET[1], GET[2], ("host", "a"), ("host", "a")],
            Violation::Authority,
        ),
    ];
    for (lines, why) in wrong {
        let outcome = serve(&Script::client().head(1, lines, true).head(3, GET, true));
        outcome.assert_reset(1, *why, Code::Protocol);
        assert_eq!(outcome.requests(), [3], "the connection goes on");
    }
}

#[test]
fn requests_with_right_pseudo_fields_are_told_with_them() {
    type Lines<'a> = &'a [(&'a str, &'a str)];
    let right: &[(Lines<'_>, &str, &str)] = &[
        (GET, "/", "example.org"),
        (&[GET[3], GET[2], GET[1], GET[0]], "/", "example.org"),
        (
            &[GET[0], GET[1], (":path", "/a?b=%20\u{e9}"), GET[3]],
            "/a?b=%20\u{e9}",
            "example.org",
        ),
        (
            &[(":method", "OPTIONS"), GET[1], (":path", "*"), GET[3]],
            "*",
            "example.org",
        ),
        (
            &[GET[0], GET[1], GET[2], ("host", "a.org:8443")],
            "/",
            "a.org:8443",
        ),
        (
            &[GET[0], GET[1], GET[2], GET[3], ("host", "Example.ORG:443")],
            "/",
            "example.org",
        ),
    ];
    for (lines, path, authority) in right {
        let outcome = serve(&Script::client().head(1, lines, true));
        let Some(Told::Request(_, head, true)) = outcome.told.first() else {
            panic!("{lines:?}: {outcome:?}");
        };
        assert_eq!(head.path(), Some(path.as_bytes()));
        assert_eq!(head.authority(), Some(authority.as_bytes()));
        assert_eq!(head.scheme(), Some(&b"https"[..]));
    }
}

/// Section 8.3.2: a response has `:status` and no other pseudo field; section 8.6: there is no 101.
#[test]
fn responses_with_wrong_pseudo_fields_are_malformed() {
    let wrong: &[(&[(&str, &str)], Violation)] = &[
        (&[], Violation::PseudoField),
        (&[("x", "1"), (":status", "200")], Violation::PseudoField),
        (
            &[(":status", "200"), (":status", "200")],
            Violation::PseudoField,
        ),
        (
            &[(":status", "200"), (":path", "/")],
            Violation::PseudoField,
        ),
        (&[(":status", "20")], Violation::Status),
        (&[(":status", "2000")], Violation::Status),
        (&[(":status", "099")], Violation::Status),
        (&[(":status", "+20")], Violation::Status),
        (&[(":status", "101")], Violation::Status),
    ];
    for (lines, why) in wrong {
        request(&["GET"], &Script::server().head(1, lines, true)).assert_reset(
            1,
            *why,
            Code::Protocol,
        );
    }
}

/// The pseudo fields of a request that a client has sent, in order, and whether it has a Host field.
fn sent_control(head: Request) -> (Vec<(String, String)>, bool) {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.session.open(head, true).unwrap();
    let sent = frames(&client.flush(now));
    let block = sent.iter().find_map(|sent| match sent.frame() {
        Frame::Headers { block, .. } => Some(block.to_vec()),
        _ => None,
    });
    let (mut control, mut host) = (Vec::new(), false);
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let collect = |field: thalweg_proto::fields::Field<'_>| {
        if field.name.starts_with(b":") {
            assert!(!host, "pseudo fields come first");
            control.push((text(field.name), text(field.value)));
        }
        host |= field.name == b"host";
    };
    let mut decoder = Decoder::new(4096);
    decoder.decode(&block.unwrap(), 1000, collect).unwrap();
    (control, host)
}

/// Section 8.3.1: "All HTTP/2 requests MUST include exactly one valid value for the :method, :scheme, and :path", and
/// "clients that generate HTTP/2 requests directly MUST use the :authority pseudo-header field".
#[test]
fn a_client_sends_each_pseudo_field_once_and_before_all_fields() {
    let pairs = |lines: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        lines.iter().map(own).collect()
    };
    let expected = pairs(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "example.org"),
        (":path", "/"),
    ]);
    let head = a_request("GET").with_field(b"x", b"1");
    assert_eq!(sent_control(head), (expected.clone(), false));
    // From HTTP/1.1, where the Host field had it.
    let head = Request::new(b"GET")
        .with_scheme(b"https")
        .with_path(b"/")
        .with_field(b"host", b"example.org");
    assert_eq!(sent_control(head), (expected, true));
    let connect = Request::new(b"CONNECT").with_authority(b"a.org:443");
    let expected = pairs(&[(":method", "CONNECT"), (":authority", "a.org:443")]);
    assert_eq!(sent_control(connect), (expected, false));
    let options = a_request("OPTIONS").with_path(b"*");
    assert_eq!(sent_control(options).0[3].1, "*");
}

/// Section 8.3.1, from the client: a Host that differs, a path that is none, user information, an authority that is not
/// there.
#[test]
fn a_client_sends_no_request_with_wrong_pseudo_fields() {
    let mut client = Caller::new(Session::client(Limits::default(), Instant::now()));
    let mut open = |head| client.session.open(head, true).unwrap_err();
    for head in [
        a_request("GET").with_field(b"host", b"other.org"),
        a_request("GET").with_field(b"host", b"example.org:80"),
        a_request("GET")
            .with_field(b"host", b"example.org")
            .with_field(b"host", b"example.org"),
        a_request("GET").with_path(b""),
        a_request("GET").with_path(b"*"),
        a_request("GET").with_path(b"relative"),
        a_request("GET").with_path(b"https://example.org/"),
        a_request("GET").with_authority(b"user@example.org"),
        a_request("GET").with_authority(b""),
        a_request("GET").with_scheme(b""),
        Request::new(b"CONNECT")
            .with_authority(b"a.org:443")
            .with_field(b"host", b"b.org:443"),
    ] {
        assert_eq!(open(head.clone()), UsageError::BadField, "{head:?}");
    }
    for head in [
        Request::new(b"GET").with_scheme(b"https").with_path(b"/"),
        Request::new(b"GET").with_authority(b"a").with_path(b"/"),
        Request::new(b"GET")
            .with_authority(b"a")
            .with_scheme(b"https"),
        Request::new(b"CONNECT"),
        Request::new(b"CONNECT").with_authority(b"a.org"),
        Request::new(b"CONNECT")
            .with_authority(b"a.org:1")
            .with_path(b"/"),
    ] {
        assert_eq!(open(head.clone()), UsageError::Incomplete, "{head:?}");
    }
    let same = a_request("GET").with_field(b"host", b"Example.org:443");
    assert!(client.session.open(same, true).is_ok());
}

/// Section 8.3.2: ":status ... MUST be included in all responses, including interim responses", one, and first.
#[test]
fn every_response_begins_with_its_status() {
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, GET, true));
    let id = open_requests(&server)[0];
    for status in [100, 103, 599] {
        let head = Response::new(status).with_field(b"x", b"1");
        server.session.respond(id, head, false).unwrap();
    }
    let sent = frames(&server.flush(now));
    let mut decoder = Decoder::new(4096);
    let mut heads = Vec::new();
    for sent in &sent {
        if let Frame::Headers { block, .. } = sent.frame() {
            let mut lines = Vec::new();
            let collect = |field: thalweg_proto::fields::Field<'_>| {
                lines.push((field.name.to_vec(), field.value.to_vec()));
            };
            decoder.decode(block, 1000, collect).unwrap();
            heads.push(lines);
        }
    }
    let expected = ["100", "103", "599"].map(|status| {
        let line = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        vec![line(":status", status), line("x", "1")]
    });
    assert_eq!(heads, expected);
}

/// Section 8.3: "Pseudo-header fields defined for requests MUST NOT appear in responses; pseudo-header fields defined for
/// responses MUST NOT appear in requests", and undefined ones nowhere: nor is any of them sent.
#[test]
fn pseudo_fields_stay_where_they_are_defined() {
    for name in [
        ":method",
        ":scheme",
        ":authority",
        ":path",
        ":protocol",
        ":x",
        ":",
    ] {
        let head = [(":status", "200"), (name, "1")];
        request(&["GET"], &Script::server().head(1, &head, true)).assert_reset(
            1,
            Violation::PseudoField,
            Code::Protocol,
        );
        let (mut server, _) = server_after(Limits::default(), &Script::client().head(1, GET, true));
        let head = Response::new(200).with_field(name.as_bytes(), b"1");
        let id = open_requests(&server)[0];
        let refused = server.session.respond(id, head, true);
        assert_eq!(refused, Err(UsageError::BadField), "{name}");
    }
    for name in [":status", ":x", ":", ":Method"] {
        let lines = [GET, &[(name, "200")]].concat();
        let outcome = serve(&Script::client().head(1, &lines, true));
        outcome.assert_reset(1, Violation::PseudoField, Code::Protocol);
    }
}
