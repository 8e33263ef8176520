//! RFC 9112, section 3: the request line, its target, and the Host field.

use crate::parties::{assert_refusal, assert_refused, serve, serve_with};
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::error::Violation;
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::limits::Limits;
use thalweg_testkit::caller::{Caller, Told};

//= rfc9112#section-3
//# Recipients of an invalid request-line SHOULD respond with either a 400 (Bad Request) error or a 301
#[test]
fn a_malformed_request_line_is_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /",
        "GET",
        "GET / a HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "G(T / HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET HTTP/1.1",
    ] {
        assert_refused(
            format!("{line}\r\nHost: a\r\n\r\n").as_bytes(),
            Violation::StartLine,
        );
    }
}

//= rfc9112#section-3
//# A server that receives a request-target longer than any URI it wishes to parse MUST respond with a 414
#[test]
fn a_target_beyond_its_limit_is_answered_with_414_before_it_is_complete() {
    let limits = Limits {
        target: 100,
        ..Limits::default()
    };
    for rest in ["", " HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let input = format!("GET /{}{rest}", "a".repeat(200));
        let outcome = serve_with(&limits, input.as_bytes());
        assert_refusal(&outcome, Violation::TargetTooLong, rest);
    }
    let just = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(99));
    assert_eq!(serve_with(&limits, just.as_bytes()).statuses(), ["200"]);
    let over = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100));
    let outcome = serve_with(&limits, over.as_bytes());
    assert_refusal(&outcome, Violation::TargetTooLong, "by one octet");
}

//= rfc9112#section-3.1
//# The method token is case-sensitive.
#[test]
fn any_token_is_a_method_and_keeps_its_case() {
    let outcome = serve(b"m-search!x / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(outcome.requests()[0].method(), b"m-search!x");
}

//= rfc9112#section-3.2
//# A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
//# header field and to any request message that contains more than one Host header field line or a Host header
//# field with an invalid field value.
#[test]
fn host_is_one_and_valid() {
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a/b\r\n",
        "Host: user@a\r\n",
        "Host: a b\r\n",
        "Host: a:b\r\n",
        "Host: [::1\r\n",
        "Host: a#\r\n",
    ] {
        let input = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert_refused(input.as_bytes(), Violation::Authority);
    }
    assert_refused(
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        Violation::Authority,
    );
    let outcome = serve(b"GET / HTTP/1.1\r\nHost:\r\n\r\n");
    assert_eq!(
        outcome.requests()[0].authority(),
        None,
        "empty, as 3.2 allows"
    );
}

//= rfc9112#section-3.2.1
#[test]
fn the_origin_form_is_a_path_without_fragment() {
    assert_refused(b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Violation::Target);
    assert_refused(b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", Violation::Target);
    let outcome = serve(b"GET //a/../b?%zz&\"{} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        outcome.requests()[0].path(),
        Some(&b"//a/../b?%zz&\"{}"[..])
    );
}

//= rfc9112#section-3.2.2
//# When an origin server receives a request with an absolute-form of request-target, the origin server MUST ignore
//# the received Host header field (if any) and instead use the host information of the request-target.
#[test]
fn the_absolute_form_decides_over_host() {
    let outcome = serve(b"GET http://b:81/c?d HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = outcome.requests()[0];
    assert_eq!(head.authority(), Some(&b"b:81"[..]));
    assert_eq!(head.path(), Some(&b"/c?d"[..]));
    assert_eq!(head.fields.first(b"host"), Some(&b"b:81"[..]));
    for (target, path) in [
        ("http://b", "/"),
        ("HTTP://b?x", "/?x"),
        ("https://b/", "/"),
    ] {
        let outcome = serve(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!(outcome.requests()[0].path(), Some(path.as_bytes()));
    }
    for target in [
        "http://",
        "http:///a",
        "http://u@b/",
        "ftp://b/",
        "http:/b",
        "http//b",
    ] {
        let input = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::Target);
    }
}

//= rfc9112#section-3.2.3
//# The "authority-form" of request-target is only used for CONNECT requests
#[test]
fn the_authority_form_is_for_connect_only() {
    assert_refused(b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Violation::Target);
    for target in ["/", "a", "a:", ":80", "http://a:80", "*", "a:80/"] {
        let input = format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_refused(input.as_bytes(), Violation::Target);
    }
    let outcome = serve(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = outcome.requests()[0];
    assert_eq!(head.authority(), Some(&b"[::1]:443"[..]));
    assert_eq!((head.scheme(), head.path()), (None, None));
}

//= rfc9112#section-3.2.4
//# The "asterisk-form" of request-target is only used for a server-wide OPTIONS request
#[test]
fn the_asterisk_form_is_for_options_only() {
    assert_refused(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", Violation::Target);
    for target in ["*", "http://a"] {
        let outcome = serve(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!(outcome.requests()[0].path(), Some(&b"*"[..]));
    }
}

//= rfc9112#section-3.3
#[test]
fn the_scheme_is_the_connections_unless_the_target_names_one() {
    let now = Instant::now();
    let scheme_of = |target: &str| {
        let session = Session::server(Arc::new(Limits::default()), Scheme::Https, now);
        let mut caller = Caller::new(session);
        caller.feed(
            now,
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
        );
        match &caller.told[0] {
            Told::Request(_, head, _) => head.scheme().map(<[u8]>::to_vec),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(scheme_of("/"), Some(b"https".to_vec()));
    assert_eq!(scheme_of("http://a/"), Some(b"http".to_vec()));
}
