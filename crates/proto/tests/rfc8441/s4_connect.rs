//! RFC 8441, section 4: the extended CONNECT method.

use crate::parties::{WEBSOCKET, connect, open, pair, serve, websocket};
use crate::wire::{GET, Script, serve as serve_without};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::session::Streams as _;
use thalweg_testkit::caller::Told;

/// The request carries `:protocol`, and the scheme and path of its target; the authority is that of the origin, with
/// or without a port.
#[test]
fn a_server_is_told_of_the_protocol_and_the_target() {
    let outcome = serve(&Script::client().head(1, WEBSOCKET, false));
    let [Told::Request(_, head, false)] = &outcome.told[..] else {
        panic!("{:?}", outcome.told);
    };
    assert_eq!(head.method(), b"CONNECT");
    assert_eq!(head.protocol(), Some(&b"websocket"[..]));
    assert_eq!(head.scheme(), Some(&b"https"[..]));
    assert_eq!(head.path(), Some(&b"/chat"[..]));
    assert_eq!(head.authority(), Some(&b"server.example.com"[..]));
}

/// A request with the new pseudo field is malformed to a server that has not announced it (section 6).
#[test]
fn a_server_that_has_not_announced_it_refuses_the_pseudo_field() {
    serve_without(&Script::client().head(1, WEBSOCKET, false)).assert_reset(
        1,
        Violation::PseudoField,
        Code::Protocol,
    );
}

/// "On requests that contain the :protocol pseudo-header field, the :scheme and :path pseudo-header fields of the
/// target URI MUST also be included."
#[test]
fn what_lacks_part_of_the_target_or_belongs_to_another_method_is_malformed() {
    let without = |name: &str| {
        let others = WEBSOCKET.iter().filter(|(other, _)| *other != name);
        others.copied().collect::<Vec<_>>()
    };
    let with = |name: &str, value: &'static str| {
        let mut lines = WEBSOCKET.to_vec();
        lines
            .iter_mut()
            .filter(|line| line.0 == name)
            .for_each(|line| line.1 = value);
        lines
    };
    let twice = [&[(":protocol", "x")], WEBSOCKET].concat();
    let late = [GET, &[("a", "b"), (":protocol", "websocket")]].concat();
    for (lines, why) in [
        (without(":scheme"), Violation::PseudoField),
        (without(":path"), Violation::PseudoField),
        (without(":authority"), Violation::Authority),
        (with(":method", "GET"), Violation::PseudoField),
        (with(":protocol", ""), Violation::PseudoField),
        (with(":protocol", "web socket"), Violation::PseudoField),
        (with(":protocol", "websocket/"), Violation::PseudoField),
        (with(":path", "chat"), Violation::Target),
        (twice, Violation::PseudoField),
        (late, Violation::PseudoField),
    ] {
        serve(&Script::client().head(1, &lines, false)).assert_reset(1, why, Code::Protocol);
    }
}

/// A CONNECT without `:protocol` is what it was.
#[test]
fn a_plain_connect_still_names_an_authority_only() {
    let plain = [(":method", "CONNECT"), (":authority", "a.org:443")];
    let outcome = serve(&Script::client().head(1, &plain, false));
    assert!(matches!(&outcome.told[0], Told::Request(_, head, _) if head.protocol().is_none()));
    let more = [plain[0], plain[1], (":path", "/")];
    serve(&Script::client().head(1, &more, false)).assert_reset(
        1,
        Violation::PseudoField,
        Code::Protocol,
    );
}

#[test]
fn a_caller_cannot_ask_for_what_a_server_must_refuse() {
    let mut pair = pair(0);
    let mut open = |head| pair.client.session.open(head, false);
    for head in [
        websocket().with_protocol(b"web socket"),
        websocket().with_protocol(b""),
        thalweg_proto::head::Request::new(b"GET")
            .with_protocol(b"websocket")
            .with_scheme(b"https")
            .with_path(b"/")
            .with_authority(b"a"),
    ] {
        assert_eq!(open(head), Err(UsageError::BadField));
    }
    assert_eq!(
        open(connect().with_protocol(b"x")),
        Err(UsageError::Incomplete)
    );
    assert_eq!(open(connect().with_path(b"/")), Err(UsageError::Incomplete));
    assert!(open(websocket().with_protocol(b"HTTP/2.0")).is_ok());
}

/// Section 5: over one stream, between a client and a server of ours.
#[test]
fn both_ends_speak_the_protocol_over_one_stream() {
    for seed in 0..4 {
        let mut pair = pair(seed);
        let head = websocket().with_field(b"sec-websocket-version", b"13");
        let (id, at_server) = open(&mut pair, head);
        let granted = thalweg_proto::head::Response::new(200);
        pair.server
            .session
            .respond(at_server, granted, false)
            .unwrap();
        pair.client.say(id, "ping", false);
        pair.server.say(at_server, "pong", false);
        pair.settle();
        assert_eq!(pair.server.data_of(at_server), b"ping");
        assert_eq!(pair.client.data_of(id), b"pong");
    }
}
