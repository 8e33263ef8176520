//! Section 8.5: the CONNECT method.

use crate::wire::{GET, Script, a_request, octets, open_requests, serve, serve_between};
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

fn pair() -> Pair<Session, Session> {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    Pair::new(client, Session::server(Limits::default(), now), now)
}

/// Section 8.5: CONNECT has an authority with a port, and neither scheme nor path; its content is a tunnel's.
#[test]
fn connect_makes_a_tunnel() {
    let connect = [(":method", "CONNECT"), (":authority", "a.org:443")];
    let outcome = serve(
        &Script::client()
            .head(1, &connect, false)
            .data(1, b"octets", false),
    );
    assert!(matches!(&outcome.told[1], Told::Data(_, octets) if octets == b"octets"));
    for wrong in [
        &[connect[0]][..],
        &[connect[0], (":authority", "a.org")],
        &[connect[0], (":authority", "a.org:")],
    ] {
        serve(&Script::client().head(1, wrong, false)).assert_reset(
            1,
            Violation::Authority,
            Code::Protocol,
        );
    }
    for wrong in [GET[1], GET[2]] {
        serve(&Script::client().head(1, &[connect[0], connect[1], wrong], false)).assert_reset(
            1,
            Violation::PseudoField,
            Code::Protocol,
        );
    }
    let mut pair = pair();
    let head = Request::new(b"CONNECT").with_authority(b"a.org:443");
    let id = pair.client.session.open(head, false).unwrap();
    pair.settle();
    let at_server = open_requests(&pair.server)[0];
    let answer = Response::new(200).with_field(b"content-length", b"3");
    pair.server
        .session
        .respond(at_server, answer, false)
        .unwrap();
    pair.server.say(at_server, octets(1000), true);
    pair.settle();
    assert_eq!(pair.client.data_of(id), octets(1000));
    pair.client.say(id, octets(1000), true);
    pair.settle();
    assert_eq!(pair.server.data_of(at_server), octets(1000));
}

/// Section 8.3.1 for CONNECT: a Host field names the same entity, and there is at most one.
#[test]
fn the_host_of_a_connect_is_its_authority() {
    let connect = [(":method", "CONNECT"), (":authority", "a.org:443")];
    for host in ["A.org:443", "a.org"] {
        let lines = [connect[0], connect[1], ("host", host)];
        assert_eq!(
            serve(&Script::client().head(1, &lines, false)).requests(),
            [1]
        );
    }
    for hosts in [
        &["b.org:443"][..],
        &["a.org:80"],
        &[""],
        &["a.org", "a.org"],
    ] {
        let mut lines = connect.to_vec();
        lines.extend(hosts.iter().map(|host| ("host", *host)));
        serve(&Script::client().head(1, &lines, false)).assert_reset(
            1,
            Violation::Authority,
            Code::Protocol,
        );
    }
}

/// "Frame types other than DATA or stream management frames (RST_STREAM, WINDOW_UPDATE, and PRIORITY) MUST NOT be sent
/// on a connected stream and MUST be treated as a stream error if received": trailers are such frames.
#[test]
fn a_tunnel_has_no_trailers() {
    let connect = [(":method", "CONNECT"), (":authority", "a.org:443")];
    let open = Script::client().head(1, &connect, false);
    let trailers = Script::default()
        .data(1, b"octets", false)
        .head(1, &[("x", "1")], true);
    let outcome = serve_between(&[&open, &trailers], |caller, _| {
        for id in open_requests(caller) {
            let _ = caller.session.respond(id, Response::new(200), false);
        }
    });
    outcome.assert_reset(1, Violation::StreamState, Code::Protocol);

    let mut pair = pair();
    let tunnel = || Request::new(b"CONNECT").with_authority(b"a.org:443");
    let fields = || -> Fields { [(&b"x"[..], &b"1"[..])].into_iter().collect() };
    let id = pair.client.session.open(tunnel(), false).unwrap();
    pair.settle();
    let at_server = open_requests(&pair.server)[0];
    let answer = pair
        .server
        .session
        .respond(at_server, Response::new(200), false);
    answer.unwrap();
    pair.settle();
    // What a caller cannot supply resets its stream, as `Caller` and `fill` have it.
    pair.server.say_trailers(at_server, fields());
    pair.settle();
    assert!(
        matches!(pair.client.told.last(), Some(Told::Reset(of, Code::Internal, None)) if *of == id)
    );

    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let id = client.session.open(tunnel(), false).unwrap();
    client.flush(now);
    let head = Script::server().head(1, &[(":status", "200")], false);
    client.feed(now, &head.head(1, &[("x", "1")], true).0);
    let reset = Told::Reset(id, Code::Protocol, Some(Violation::StreamState));
    assert_eq!(client.told.last(), Some(&reset));
}

/// A CONNECT that is refused is answered as any other request, with content and trailers.
#[test]
fn a_refused_connect_makes_no_tunnel() {
    let mut pair = pair();
    let head = Request::new(b"CONNECT").with_authority(b"a.org:443");
    let id = pair.client.session.open(head, false).unwrap();
    pair.settle();
    let at_server = open_requests(&pair.server)[0];
    let answer = Response::new(403).with_field(b"content-length", b"5");
    let answer = pair.server.session.respond(at_server, answer, false);
    answer.unwrap();
    pair.server.say(at_server, octets(5), false);
    let trailers: Fields = [(&b"x"[..], &b"1"[..])].into_iter().collect();
    pair.server.say_trailers(at_server, trailers.clone());
    pair.settle();
    assert_eq!(pair.client.data_of(id), octets(5));
    // The client has nothing to say into a tunnel that is none.
    let [.., end, over] = &pair.client.told[..] else {
        panic!("{:?}", pair.client.told);
    };
    assert_eq!(*end, Told::End(id, Some(trailers)));
    assert_eq!(*over, Told::Finished(id));
}

/// "The :scheme and :path pseudo-header fields MUST be omitted", by our own client too.
#[test]
fn a_client_sends_no_scheme_and_no_path_with_connect() {
    let mut client = Caller::new(Session::client(Limits::default(), Instant::now()));
    let refused = client
        .session
        .open(a_request("CONNECT").with_authority(b"a.org:443"), false);
    assert_eq!(refused, Err(UsageError::Incomplete));
}

/// A tunnel's DATA is not counted against a content-length, which means nothing there (RFC 9110, section 8.6).
#[test]
fn a_length_means_nothing_in_a_tunnel() {
    let head = [(":status", "200"), ("content-length", "1")];
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let tunnel = Request::new(b"CONNECT").with_authority(b"a.org:443");
    let id = client.session.open(tunnel, false).unwrap();
    client.flush(now);
    client.feed(
        now,
        &Script::server()
            .head(1, &head, false)
            .data(1, b"longer", true)
            .0,
    );
    assert_eq!(client.data_of(id), b"longer");
    assert!(matches!(client.told.last(), Some(Told::End(_, None))));
}
