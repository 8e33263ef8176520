//! What ends HTTP on a connection: Upgrade (RFC 9110, section 7.8) and CONNECT (RFC 9110, section 9.3.6).

use crate::parties::{client, request, serve, server};
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::error::{UsageError, Violation};
use thalweg_proto::h1::{Scheme, Session};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Finish, Session as _, StreamId, Streams as _};
use thalweg_testkit::caller::Told;
use thalweg_testkit::pair::Pair;
use thalweg_testkit::splits::every_split;

const UPGRADE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn first() -> StreamId {
    StreamId::new(1, 0)
}

fn switching() -> Response {
    Response::new(101)
        .with_field(b"upgrade", b"websocket")
        .with_field(b"connection", b"upgrade")
}

//= rfc9110#section-7.8
//# A server MAY ignore a received Upgrade header field if it wishes to continue using the current protocol on that
//# connection.
#[test]
fn an_offer_that_is_not_taken_up_is_served_as_http() {
    // As the JDK's client does on plain connections.
    let outcome = serve(
        b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert!(matches!(outcome.told[0], Told::Request(_, _, true)));
    assert_eq!(
        outcome.requests()[0].fields.first(b"upgrade"),
        Some(&b"h2c"[..])
    );
    assert!(outcome.written.ends_with("GET /2"));
    assert_eq!(outcome.statuses(), ["200", "200"]);
}

//= rfc9110#section-7.8
#[test]
fn nothing_after_an_offer_is_read_before_the_answer() {
    let tunnel = b"GET is what this protocol begins with";
    every_split(&[UPGRADE, tunnel].concat(), |cut, pieces| {
        let now = Instant::now();
        let mut caller = server(now);
        for piece in pieces {
            caller.feed(now, piece);
        }
        assert_eq!(caller.told.len(), 1, "{cut}");
        caller.session.respond(first(), switching(), false).unwrap();
        assert_eq!(
            caller.flush(now),
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
        );
        caller.step(now);
        assert_eq!(caller.data_of(first()), tunnel, "{cut}");
        caller.say(first(), "raw, \r\n as it is", false);
        assert_eq!(caller.flush(now), b"raw, \r\n as it is");
    });
}

//= rfc9110#section-7.8
//# A server MUST NOT switch to a protocol that was not indicated by the client in the corresponding request's Upgrade
//# header field.
#[test]
fn there_is_no_101_without_an_offer() {
    let now = Instant::now();
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        //# A server that receives an Upgrade header field in an HTTP/1.0 request MUST ignore that Upgrade field.
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        // Where would the tunnel begin?
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut caller = server(now);
        caller.feed(now, head.as_bytes());
        let answer = caller.session.respond(first(), switching(), false);
        assert_eq!(answer, Err(UsageError::NoUpgrade), "{head:?}");
        assert!(!caller.session.wants().write);
    }
    let mut caller = server(now);
    caller.feed(now, UPGRADE);
    let bare = caller.session.respond(first(), Response::new(101), false);
    assert_eq!(bare, Err(UsageError::Incomplete));
}

fn pair() -> Pair<Session, Session> {
    let now = Instant::now();
    let limits = Arc::new(Limits::default());
    let server = Session::server(limits.clone(), Scheme::Http, now);
    Pair::new(Session::client(limits, now), server, now)
}

fn through_a_tunnel(mut pair: Pair<Session, Session>, id: StreamId, granted: Response) {
    pair.settle();
    assert!(matches!(pair.server.told[..], [Told::Request(_, _, true)]));
    pair.server
        .session
        .respond(first(), granted, false)
        .unwrap();
    pair.settle();
    assert!(matches!(
        pair.client.told[..],
        [Told::Response(_, _, false)]
    ));
    pair.client.say(id, "ping", false);
    pair.server.say(first(), "pong", false);
    pair.settle();
    assert_eq!(pair.server.data_of(first()), b"ping");
    assert_eq!(pair.client.data_of(id), b"pong");

    // The client's half ends; the server's goes on.
    pair.client.say(id, "last", true);
    pair.settle();
    assert_eq!(pair.client.session.wants().end, Finish::Half);
    pair.server.eof(pair.now, Eof::Clean);
    assert_eq!(pair.server.told.last(), Some(&Told::End(first(), None)));
    assert_eq!(pair.server.session.wants().end, Finish::No);
    pair.server.say(first(), "more", true);
    pair.settle();
    assert_eq!(pair.client.data_of(id), b"pongmore");
    assert!(pair.server.told.contains(&Told::Finished(first())));
    assert_eq!(pair.server.session.wants().end, Finish::Now);
    pair.client.eof(pair.now, Eof::Clean);
    assert!(pair.client.told.contains(&Told::Finished(id)));
    assert_eq!(pair.client.session.wants().end, Finish::Now);
    assert!(pair.client.failure().is_none() && pair.server.failure().is_none());
}

//= rfc9110#section-7.8
#[test]
fn a_granted_upgrade_is_a_tunnel_with_two_halves() {
    let mut pair = pair();
    let head = request("GET")
        .with_field(b"connection", b"upgrade")
        .with_field(b"upgrade", b"websocket");
    let id = pair.client.session.open(head, true).unwrap();
    through_a_tunnel(pair, id, switching());
}

//= rfc9110#section-9.3.6
//# Any 2xx (Successful) response indicates that the sender (and all inbound proxies) will switch to tunnel mode
#[test]
fn a_granted_connect_is_a_tunnel_with_two_halves() {
    let mut pair = pair();
    let id = pair.client.session.open(request("CONNECT"), false).unwrap();
    //# A server MUST NOT send any Transfer-Encoding or Content-Length header fields in a 2xx (Successful) response to
    //# CONNECT.
    let granted = Response::new(200).with_field(b"content-length", b"10");
    through_a_tunnel(pair, id, granted);
}

//= rfc9110#section-9.3.6
#[test]
fn a_refused_connect_leaves_http_as_it_was() {
    let mut pair = pair();
    let id = pair.client.session.open(request("CONNECT"), false).unwrap();
    pair.settle();
    let head = Response::new(403).with_field(b"content-length", b"2");
    pair.server.session.respond(first(), head, false).unwrap();
    pair.server.say(first(), "no", true);
    pair.settle();
    assert_eq!(pair.client.data_of(id), b"no");
    assert!(pair.client.told.contains(&Told::Finished(id)));
    pair.client.session.open(request("GET"), true).unwrap();
    pair.settle();
    assert_eq!(pair.server.session.open_streams(), 1);
}

//= rfc9110#section-15.2.2
#[test]
fn a_client_refuses_a_101_that_it_did_not_ask_for() {
    let now = Instant::now();
    let mut caller = client(now);
    caller.session.open(request("GET"), true).unwrap();
    caller.flush(now);
    caller.feed(
        now,
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    );
    assert_eq!(
        caller.failure().map(|error| error.why),
        Some(Violation::Status)
    );
}

#[test]
fn a_tunnel_that_is_cut_off_says_so() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, UPGRADE);
    caller.session.respond(first(), switching(), false).unwrap();
    caller.flush(now);
    caller.eof(now, Eof::Truncated);
    let failure = caller.failure().unwrap();
    assert_eq!(
        (failure.why, failure.at),
        (Violation::Truncated, Some(first()))
    );
}

#[test]
fn a_tunnel_whose_client_had_closed_its_half_begins_with_its_end() {
    let now = Instant::now();
    let mut caller = server(now);
    caller.feed(now, UPGRADE);
    caller.eof(now, Eof::Clean);
    caller.session.respond(first(), switching(), false).unwrap();
    caller.say(first(), "last", true);
    assert!(caller.flush(now).ends_with(b"last"));
    assert_eq!(
        caller.told[1..],
        [Told::End(first(), None), Told::Finished(first())]
    );
    assert_eq!(caller.session.wants().end, Finish::Now);
}
