//! RFC 9113, section 8.5, and RFC 8441, section 5: what a stream is once it is a tunnel, whatever was asked for it.

use crate::parties::{connect, open, pair, websocket};
use crate::wire::{Script, established, frames, octets};
use std::time::Instant;
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::{Request, Response};
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{StreamId, Streams as _};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

/// A tunnel of each kind.
fn tunnels() -> impl Iterator<Item = (Pair<Session, Session>, StreamId, StreamId)> {
    [connect(), websocket()].into_iter().map(|head| {
        let mut pair = pair(3);
        let (id, at_server) = open(&mut pair, head);
        pair.server
            .session
            .respond(at_server, Response::new(200), false)
            .unwrap();
        pair.settle();
        assert!(matches!(
            pair.client.told.last(),
            Some(Told::Response(_, _, false))
        ));
        (pair, id, at_server)
    })
}

/// "A proxy treats a TCP connection in a half-closed state … as DATA with END_STREAM": each half ends by itself.
#[test]
fn each_half_ends_by_itself() {
    for (mut pair, id, at_server) in tunnels() {
        pair.client.say(id, octets(100_000), true);
        pair.settle();
        assert_eq!(pair.server.data_of(at_server), octets(100_000));
        assert_eq!(pair.server.told.last(), Some(&Told::End(at_server, None)));
        assert_eq!(pair.server.session.open_streams(), 1);
        pair.server.say(at_server, octets(300_000), false);
        pair.settle();
        assert_eq!(pair.client.data_of(id), octets(300_000));
        pair.server.say(at_server, "", true);
        pair.settle();
        for (caller, id) in [(&pair.client, id), (&pair.server, at_server)] {
            assert_eq!(caller.told.last(), Some(&Told::Finished(id)));
            assert_eq!((caller.session.open_streams(), caller.failure()), (0, None));
        }
    }
}

/// The server's half may end first as well.
#[test]
fn the_servers_half_may_end_first() {
    for (mut pair, id, at_server) in tunnels() {
        pair.server.say(at_server, "bye", true);
        pair.settle();
        assert_eq!(pair.client.told.last(), Some(&Told::End(id, None)));
        pair.client.say(id, "still here", true);
        pair.settle();
        assert_eq!(pair.server.data_of(at_server), b"still here");
        assert!(pair.server.told.contains(&Told::Finished(at_server)));
    }
}

/// "A TCP connection error is signaled with RST_STREAM. A proxy treats any error in the TCP connection … as a stream
/// error of type CONNECT_ERROR."
#[test]
fn a_lost_far_end_is_told_as_connect_error() {
    for (mut pair, id, at_server) in tunnels() {
        pair.server.session.reset(at_server, Code::Connect);
        pair.settle();
        let told = Told::Reset(id, Code::Connect, None);
        assert_eq!(pair.client.told.last(), Some(&told));
        assert_eq!(
            (
                pair.client.session.open_streams(),
                pair.server.session.open_streams()
            ),
            (0, 0)
        );
    }
    for (mut pair, id, at_server) in tunnels() {
        // RFC 8441, section 5: a client that resets its protocol's connection cancels the stream.
        pair.client.session.reset(id, Code::Cancel);
        pair.settle();
        let told = Told::Reset(at_server, Code::Cancel, None);
        assert_eq!(pair.server.told.last(), Some(&told));
    }
}

/// "Frame types other than DATA or stream management frames … MUST NOT be sent on a connected stream and MUST be
/// treated as a stream error if received."
#[test]
fn trailers_in_a_tunnel_are_a_stream_error() {
    let lines = [(":method", "CONNECT"), (":authority", "a.org:443")];
    let (mut server, now) =
        established(Limits::default(), &Script::default().head(1, &lines, false));
    let id = StreamId::new(1, 0);
    server
        .session
        .respond(id, Response::new(200), false)
        .unwrap();
    server.flush(now);
    server.feed(
        now,
        &Script::default()
            .data(1, b"x", false)
            .head(1, &[("a", "b")], true)
            .0,
    );
    let wrong = |code| Told::Reset(id, code, Some(Violation::StreamState));
    assert_eq!(server.told.last(), Some(&wrong(Code::Protocol)));
    assert_eq!(server.failure(), None);

    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.session.open(connect(), false).unwrap();
    client.flush(now);
    let granted = Script::server().head(1, &[(":status", "200")], false);
    client.feed(now, &granted.head(1, &[("a", "b")], true).0);
    assert_eq!(client.told.last(), Some(&wrong(Code::Protocol)));
    assert_eq!(client.failure(), None);
}

/// Before the answer there is no tunnel: a request that ends with trailers is a message still.
#[test]
fn a_connect_that_is_refused_may_end_in_trailers() {
    let lines = [(":method", "CONNECT"), (":authority", "a.org:443")];
    let (mut server, now) =
        established(Limits::default(), &Script::default().head(1, &lines, false));
    let id = StreamId::new(1, 0);
    server
        .session
        .respond(id, Response::new(403), true)
        .unwrap();
    server.flush(now);
    server.feed(now, &Script::default().head(1, &[("a", "b")], true).0);
    assert_eq!(server.failure(), None);
    assert_eq!(server.told.last(), Some(&Told::Finished(id)));
}

/// RFC 9110, section 9.3.6: a CONNECT has no content, so it cannot announce any, and what a 2xx announces is nothing.
#[test]
fn no_length_is_announced_either_way() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    for length in [&b"0"[..], b"5"] {
        let head = connect().with_field(b"content-length", length);
        let open = client.session.open(head, false);
        assert_eq!(open, Err(UsageError::LengthMismatch));
    }
    let id = client.session.open(connect(), false).unwrap();
    client.flush(now);
    let granted = [(":status", "200"), ("content-length", "3")];
    client.feed(
        now,
        &Script::server()
            .head(1, &granted, false)
            .data(1, b"longer", true)
            .0,
    );
    assert_eq!(client.data_of(id), b"longer");
    assert_eq!(client.told.last(), Some(&Told::End(id, None)));
}

/// As over HTTP/1.1, a client is asked for octets when somebody is there to read them.
#[test]
fn a_client_says_nothing_before_the_tunnel_is_granted() {
    for status in [200, 204, 299] {
        let mut pair = pair(1);
        let (id, at_server) = open(&mut pair, connect());
        pair.client.say(id, "early", true);
        pair.server
            .session
            .respond(at_server, Response::new(103), false)
            .unwrap();
        pair.settle();
        assert_eq!(pair.server.told.len(), 1);
        pair.server
            .session
            .respond(at_server, Response::new(status), false)
            .unwrap();
        pair.settle();
        assert_eq!(pair.server.data_of(at_server), b"early", "{status}");
        pair.server.say(at_server, "answer", true);
        pair.settle();
        assert_eq!(pair.client.data_of(id), b"answer", "{status}");
    }
}

/// Any other answer is a response like others. The client's side, which is open and has nothing to say, ends.
#[test]
fn a_refused_tunnel_ends_both_halves() {
    for (status, body) in [(403, ""), (501, "no tunnels here"), (301, "")] {
        for head in [connect(), websocket()] {
            let mut pair = pair(2);
            let (id, at_server) = open(&mut pair, head);
            pair.client.say(id, "never said", true);
            let answer = Response::new(status);
            pair.server
                .session
                .respond(at_server, answer, body.is_empty())
                .unwrap();
            if !body.is_empty() {
                pair.server.say(at_server, body, true);
            }
            pair.settle();
            assert_eq!(pair.client.data_of(id), body.as_bytes());
            assert!(
                pair.client.told.contains(&Told::Finished(id)),
                "{:?}",
                pair.client.told
            );
            assert!(pair.server.told.contains(&Told::Finished(at_server)));
            assert_eq!(pair.server.data_of(at_server), b"");
            let open = (
                pair.client.session.open_streams(),
                pair.server.session.open_streams(),
            );
            assert_eq!(open, (0, 0));
        }
    }
}

/// The end of a client that was refused needs no window.
#[test]
fn a_refused_client_ends_without_credit() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.feed(now, &Script::default().settings(&[(4, 0)]).0);
    client.session.open(connect(), false).unwrap();
    client.flush(now);
    client.feed(
        now,
        &Script::default().head(1, &[(":status", "403")], true).0,
    );
    let sent = frames(&client.flush(now));
    let [end] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(
        (end.header.kind, end.ends_stream(), end.header.length),
        (Kind::Data, true, 0)
    );
    assert!(matches!(client.told.last(), Some(Told::Finished(_))));
}

/// A tunnel that is asked for with END_STREAM is half closed from the start, and still one.
#[test]
fn a_tunnel_may_begin_with_its_clients_half_closed() {
    let mut pair = pair(5);
    let id = pair.client.session.open(connect(), true).unwrap();
    pair.settle();
    let Some(Told::Request(at_server, _, true)) = pair.server.told.last() else {
        panic!("{:?}", pair.server.told);
    };
    let at_server = *at_server;
    pair.server
        .session
        .respond(at_server, Response::new(200), false)
        .unwrap();
    pair.server.say(at_server, "one way", true);
    pair.settle();
    assert_eq!(pair.client.data_of(id), b"one way");
    assert_eq!(pair.client.told.last(), Some(&Told::Finished(id)));
}

/// A tunnel is no body: however slowly it speaks, it is not taken for a slow upload.
#[test]
fn a_silent_tunnel_is_not_too_slow() {
    for (mut pair, _, at_server) in tunnels() {
        for _ in 0..600 {
            pair.advance(std::time::Duration::from_secs(1));
        }
        assert_eq!((pair.server.failure(), pair.client.failure()), (None, None));
        pair.server.say(at_server, "still there", true);
        pair.settle();
        assert!(matches!(pair.client.told.last(), Some(Told::End(..))));
    }
}

/// The head of a plain CONNECT leaves with the two pseudo fields that it has, that for a protocol with all five.
#[test]
fn a_connect_leaves_as_it_was_asked_for() {
    let mut pair = pair(0);
    let written = |pair: &mut Pair<Session, Session>, head: Request| {
        pair.client.session.open(head, false).unwrap();
        let octets = pair.client.flush(pair.now);
        let sent = frames(&octets);
        let Frame::Headers { block, .. } = sent[0].frame() else {
            panic!("{sent:?}");
        };
        let mut names = Vec::new();
        thalweg_proto::hpack::Decoder::new(4096)
            .decode(block, 1000, |field| {
                names.push(String::from_utf8(field.name.to_vec()).unwrap())
            })
            .unwrap();
        names.sort();
        names
    };
    let five = [":authority", ":method", ":path", ":protocol", ":scheme"];
    assert_eq!(written(&mut pair, websocket()), five);
    let mut pair = crate::parties::pair(0);
    assert_eq!(written(&mut pair, connect()), [":authority", ":method"]);
}
