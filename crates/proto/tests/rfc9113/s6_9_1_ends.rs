//! Section 6.9.1: "Frames with zero length with the END_STREAM flag set (that is, an empty DATA frame) MAY be sent if
//! there is no available space in either flow-control window", and trailers are not flow controlled at all.

use crate::wire::{GET, POST, Script, a_request, established, frames, octets, open_requests};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError};
use thalweg_proto::fields::Fields;
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::Kind;
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{End, Gather, Output, Session as _, StreamId, Streams, Supply};
use thalweg_testkit::caller::{Caller, Told};

fn trailers() -> Fields {
    [(&b"x-sum"[..], &b"1"[..])].into_iter().collect()
}

/// A server with these requests, each answered with a head, where the window for a stream, or for all, is shut.
fn shut(which: &str, requests: u32) -> (Caller<Session>, Instant, Vec<StreamId>) {
    let window = if which == "stream" { 0 } else { 1 << 20 };
    let mut script = Script::default().settings(&[(4, window)]);
    for number in 0..requests {
        script = script.head(1 + 2 * number, GET, true);
    }
    let (mut server, now) = established(Limits::default(), &script);
    let ids = open_requests(&server);
    for id in &ids {
        let head = Response::new(200);
        server.session.respond(*id, head, false).unwrap();
    }
    if which == "connection" {
        server.say(ids[0], octets(65_535), false);
    }
    server.flush(now);
    (server, now, ids)
}

#[test]
fn an_empty_end_waits_for_no_window() {
    for which in ["stream", "connection"] {
        for at in [0, 1] {
            let (mut server, now, ids) = shut(which, 2);
            server.say(ids[at], octets(0), true);
            let sent = frames(&server.flush(now));
            assert_eq!(sent.len(), 1, "{which}");
            assert_eq!(u64::from(sent[0].header.stream), ids[at].number());
            assert_eq!(
                (sent[0].header.kind, sent[0].header.length),
                (Kind::Data, 0)
            );
            assert!(sent[0].ends_stream());
            assert_eq!(server.session.open_streams(), 1);
        }
    }
}

#[test]
fn trailers_wait_for_no_window() {
    for which in ["stream", "connection"] {
        let (mut server, now, ids) = shut(which, 1);
        server.say_trailers(ids[0], trailers());
        let sent = frames(&server.flush(now));
        assert_eq!(sent.len(), 1, "{which}");
        assert_eq!(sent[0].header.kind, Kind::Headers);
        assert!(sent[0].ends_stream());
        assert_eq!(server.session.open_streams(), 0);
    }
}

/// The same for a client, whose request has a body that turns out to be empty.
#[test]
fn a_clients_empty_body_waits_for_no_window() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.feed(now, &Script::default().settings(&[(4, 0)]).0);
    let id = client.session.open(a_request("POST"), false).unwrap();
    client.say(id, octets(0), true);
    let sent = frames(&client.flush(now));
    let last = sent.last().unwrap();
    assert_eq!((last.header.kind, last.ends_stream()), (Kind::Data, true));
}

/// A caller that is asked for the end and has more to say says so, is left alone until there is room, and loses nothing.
#[test]
fn a_body_that_goes_on_waits_and_is_asked_for_its_end_once() {
    let (mut server, now, ids) = shut("stream", 1);
    let mut out = Gather::new(1 << 20);
    server.session.resume(ids[0]);
    let asked = server.session.send(now, &mut out);
    assert_eq!(asked, Output::Need { id: ids[0], max: 0 });
    let more = Supply::Chunk(octets(1), End::Last);
    assert_eq!(
        server.session.supply(ids[0], more),
        Err(UsageError::TooMuch)
    );
    let goes_on = Supply::Chunk(octets(0), End::More);
    server.session.supply(ids[0], goes_on).unwrap();
    assert_eq!(server.session.send(now, &mut out), Output::Idle);
    assert!(!server.session.wants().write);
    server.feed(now, &Script::default().credit(1, 10).0);
    let asked = server.session.send(now, &mut out);
    assert_eq!(
        asked,
        Output::Need {
            id: ids[0],
            max: 10
        }
    );
    let last = Supply::Chunk(octets(10), End::Last);
    server.session.supply(ids[0], last).unwrap();
    assert_eq!(server.session.send(now, &mut out), Output::Frame);
    assert!(frames(&out.to_vec()).last().unwrap().ends_stream());
}

/// Where nothing is known the answer is a deferral, and that stream waits for its caller, not for its client.
#[test]
fn a_deferral_behind_a_shut_window_is_not_the_clients_fault() {
    let (mut server, now, ids) = shut("stream", 1);
    for second in 1..200 {
        let now = now + Duration::from_secs(second);
        server.expire(now);
        server.flush(now);
    }
    assert_eq!(server.session.open_streams(), 1);
    server.say(ids[0], octets(0), true);
    assert!(frames(&server.flush(now))[0].ends_stream());
}

/// A piece that uses the window up is followed by the question whether that was all.
#[test]
fn a_body_may_end_right_behind_the_piece_that_shut_the_window() {
    let (mut server, now) = established(Limits::default(), &Script::default().head(1, GET, true));
    let id = open_requests(&server)[0];
    let head = Response::new(200);
    server.session.respond(id, head, false).unwrap();
    let mut out = Gather::new(1 << 20);
    let mut left = 65_535;
    let mut asked = Vec::new();
    loop {
        match server.session.send(now, &mut out) {
            Output::Need { max, .. } => {
                asked.push(max);
                let end = if max == 0 { End::Last } else { End::More };
                let piece = left.min(max);
                left -= piece;
                let supply = Supply::Chunk(octets(piece), end);
                server.session.supply(id, supply).unwrap();
            }
            Output::Idle => break,
            _ => {}
        }
    }
    assert_eq!(asked.last(), Some(&0));
    assert_eq!(left, 0);
    assert_eq!(server.session.open_streams(), 0);
}

/// Section 6.9: "Frames that are exempt from flow control MUST be accepted and processed": with every window full, heads,
/// trailers, PING, SETTINGS and resets are.
#[test]
fn frames_other_than_data_need_no_window() {
    let limits = Limits {
        stream_window: 65_535,
        connection_window: 65_535,
        ..Limits::default()
    };
    let mut script = Script::default().head(1, POST, false);
    for piece in [16_384, 16_384, 16_384, 16_383] {
        script = script.data(1, &vec![0; piece], false);
    }
    let (mut server, now) = established(limits, &Script::default());
    server.takes = false;
    server.feed(now, &script.0);
    let more = Script::default()
        .ping()
        .settings(&[(3, 1)])
        .credit(0, 1)
        .priority(1, 0)
        .head(3, GET, true)
        .head(5, GET, true)
        .reset(3, Code::Cancel)
        .head(1, &[("x", "1")], true);
    server.feed(now, &more.0);
    assert_eq!(server.failure(), None);
    assert_eq!(open_requests(&server).len(), 3);
    assert!(matches!(server.told.last(), Some(Told::End(_, Some(_)))));
    let kinds: Vec<_> = frames(&server.flush(now))
        .iter()
        .map(|sent| sent.header.kind)
        .collect();
    assert_eq!(kinds, [Kind::Ping, Kind::Settings]);
}

/// A pushed response whose head waits for the client's leave is not asked for its end: nothing goes before the head.
#[test]
fn the_end_of_a_body_never_goes_before_its_head() {
    let script = Script::default()
        .settings(&[(2, 1), (3, 0), (4, 0)])
        .head(1, GET, true);
    let (mut server, now) = established(Limits::default(), &script);
    let on = open_requests(&server)[0];
    let pushed = server.session.push(on, a_request("GET")).unwrap();
    for id in [on, pushed] {
        let head = Response::new(200);
        server.session.respond(id, head, false).unwrap();
        server.say(id, octets(0), true);
    }
    let kinds = |octets: &[u8]| -> Vec<_> {
        let sent = frames(octets);
        let kind = |sent: &crate::wire::Sent| (sent.header.stream, sent.header.kind);
        sent.iter().map(kind).collect()
    };
    let expected = [
        (0, Kind::Settings),
        (1, Kind::PushPromise),
        (1, Kind::Headers),
        (1, Kind::Data),
    ];
    assert_eq!(kinds(&server.flush(now)), expected);
    server.feed(now, &Script::default().settings(&[(3, 1)]).0);
    let expected = [(0, Kind::Settings), (2, Kind::Headers), (2, Kind::Data)];
    let mut sent = kinds(&server.flush(now));
    sent.sort_by_key(|(stream, _)| *stream);
    assert_eq!(sent, expected);
    assert_eq!(server.session.open_streams(), 0);
}

/// Padding counts as content does: where there is no room, an end goes without.
#[test]
fn an_end_behind_a_shut_window_is_not_padded() {
    use thalweg_proto::h2::{Config, Padding};
    let now = Instant::now();
    let config = Config {
        padding: Padding::Octets(50),
        ..Config::default()
    };
    let session = Session::server(Limits::default(), now).configured(config);
    let mut server = Caller::new(session);
    let script = Script::client().settings(&[(4, 0)]).head(1, GET, true);
    server.feed(now, &script.0);
    let id = open_requests(&server)[0];
    let head = Response::new(200);
    server.session.respond(id, head, false).unwrap();
    server.say(id, octets(0), true);
    let sent = frames(&server.flush(now));
    let last = sent.last().unwrap();
    assert_eq!((last.header.kind, last.header.length), (Kind::Data, 0));
    assert!(last.ends_stream());
}
