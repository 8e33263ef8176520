//! Sections 6.7 and 6.8: PING and GOAWAY.

use crate::wire::{
    GET, POST, Script, a_request, frames, open_requests, request, serve, serve_within, server_after,
};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind, flags};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Finish, Session as _, Shutdown, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

/// "Receivers of a PING frame that does not include an ACK flag MUST send a PING frame with the ACK flag set in
/// response, with an identical frame payload."
#[test]
fn a_ping_comes_back_with_its_octets() {
    let outcome = serve(&Script::client().ping());
    let pings = outcome.of_kind(Kind::Ping);
    assert_eq!(pings.len(), 1);
    assert_eq!(pings[0].frame(), Frame::PingAck(*b"12345678"));
}

/// "An endpoint MUST NOT respond to PING frames containing this flag."
#[test]
fn the_answer_to_a_ping_is_not_answered() {
    let outcome = serve(&Script::client().frame(0, Frame::PingAck([0; 8])));
    assert!(outcome.of_kind(Kind::Ping).is_empty());
}

#[test]
fn pings_on_a_stream_or_of_another_size_end_the_connection() {
    serve(&Script::client().raw(Kind::Ping, 0, 1, &[0; 8]))
        .assert_failed(Violation::FrameStream, Code::Protocol);
    for size in [0, 7, 9] {
        serve(&Script::client().raw(Kind::Ping, 0, 0, &vec![0; size]))
            .assert_failed(Violation::FrameSize, Code::FrameSize);
    }
}

/// Not in the RFC: a peer that asks without reading the answers (CVE-2019-9512 and its kin).
#[test]
fn answers_do_not_pile_up() {
    let limits = Limits {
        acknowledgements: 10,
        ..Limits::default()
    };
    let mut script = Script::client();
    for _ in 0..20 {
        script = script.ping();
    }
    serve_within(limits, &script)
        .assert_failed(Violation::TooManyAcknowledgements, Code::EnhanceYourCalm);
}

/// Section 6.8: "An endpoint MUST treat a GOAWAY frame with a stream identifier other than 0x00 as a connection error
/// of type PROTOCOL_ERROR."
#[test]
fn goaways_on_a_stream_or_too_short_end_the_connection() {
    serve(&Script::client().raw(Kind::GoAway, 0, 1, &[0; 8]))
        .assert_failed(Violation::FrameStream, Code::Protocol);
    serve(&Script::client().raw(Kind::GoAway, 0, 0, &[0; 7]))
        .assert_failed(Violation::FrameSize, Code::FrameSize);
}

/// Section 6.8: streams above the last one "were not or will not be processed": they can be retried. Those below
/// go on.
#[test]
fn a_client_takes_back_what_the_server_has_not_processed() {
    let script = Script::server()
        .frame(
            0,
            Frame::GoAway {
                last: 1,
                code: Code::NoError,
                debug: b"bye",
            },
        )
        .head(1, &[(":status", "200")], true);
    let outcome = request(&["GET", "GET", "GET"], &script);
    let resets: Vec<_> = outcome
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Reset(id, code, why) => Some((id.number(), *code, *why)),
            _ => None,
        })
        .collect();
    assert_eq!(outcome.told[0], Told::GoAway(1, Code::NoError));
    assert_eq!(resets, [(3, Code::Refused, None), (5, Code::Refused, None)]);
    assert!(matches!(outcome.told.last(), Some(Told::Finished(id)) if id.number() == 1));
}

/// The words of a GOAWAY may be long; none of them is kept.
#[test]
fn the_words_of_a_goaway_are_passed_over() {
    let goaway = Frame::GoAway {
        last: 0,
        code: Code::Internal,
        debug: &[b'w'; 10_000],
    };
    let outcome = serve(&Script::client().frame(0, goaway).head(1, GET, true));
    assert_eq!(outcome.told[0], Told::GoAway(0, Code::Internal));
    assert_eq!(outcome.requests(), [1]);
}

/// Section 6.8: "Receivers of a GOAWAY frame MUST NOT open additional streams on the connection."
#[test]
fn a_client_opens_nothing_after_goaway() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let goaway = Frame::GoAway {
        last: 0x7fff_ffff,
        code: Code::NoError,
        debug: b"",
    };
    client.feed(now, &Script::server().frame(0, goaway).0);
    assert_eq!(client.session.capacity(), 0);
    let opened = client.session.open(a_request("GET"), true);
    assert_eq!(opened, Err(UsageError::ShuttingDown));
    assert_eq!(
        client.session.wants().end,
        Finish::Now,
        "it is of no more use"
    );
}

fn drained_pair() -> Pair<Session, Session> {
    let now = Instant::now();
    let client = Session::client(Limits::default(), now);
    let mut pair = Pair::new(client, Session::server(Limits::default(), now), now);
    pair.client.session.open(a_request("GET"), true).unwrap();
    pair.settle();
    pair.server.session.shutdown(now, Shutdown::Graceful);
    pair
}

/// Section 6.8: a server that stops "SHOULD send an initial GOAWAY frame with the last stream identifier set to
/// 2^31-1 and a NO_ERROR code", then after a round trip another one with the real number.
#[test]
fn a_graceful_shutdown_is_two_goaways_and_a_round_trip() {
    let mut pair = drained_pair();
    // A request that was on its way is served still.
    pair.client.session.open(a_request("GET"), true).unwrap();
    let late = pair.client.flush(pair.now);
    pair.server.feed(pair.now, &late);
    pair.settle();
    let goaways: Vec<_> = pair
        .client
        .told
        .iter()
        .filter(|told| matches!(told, Told::GoAway(..)))
        .cloned()
        .collect();
    let expected = [0x7fff_ffff, 3].map(|last| Told::GoAway(last, Code::NoError));
    assert_eq!(goaways, expected);
    assert_eq!(pair.server.session.wants().end, Finish::No);
    for id in open_requests(&pair.server) {
        pair.server
            .session
            .respond(id, Response::new(204), true)
            .unwrap();
    }
    pair.settle();
    assert_eq!(pair.server.session.wants().end, Finish::Linger);
    assert_eq!(pair.client.session.open_streams(), 0);
}

/// Not every client answers: the second GOAWAY leaves after the time for it.
#[test]
fn the_second_goaway_does_not_wait_for_ever() {
    let limits = Limits::default();
    let (mut server, now) = server_after(limits.clone(), &Script::client().head(1, GET, true));
    server.session.shutdown(now, Shutdown::Graceful);
    assert_eq!(server.session.deadline(), Some(now + limits.drain_time));
    let before = frames(&server.flush(now));
    server.expire(now + limits.drain_time);
    let after = frames(&server.flush(now));
    let lasts = |sent: &[crate::wire::Sent]| -> Vec<u32> {
        let last = |sent: &crate::wire::Sent| match sent.frame() {
            Frame::GoAway { last, .. } => Some(last),
            _ => None,
        };
        sent.iter().filter_map(last).collect()
    };
    assert_eq!(
        (lasts(&before), lasts(&after)),
        (vec![0x7fff_ffff], vec![1])
    );
}

/// Section 6.8: after the last GOAWAY streams above it are ignored; their blocks are decoded and their DATA counted.
#[test]
fn streams_beyond_the_last_goaway_are_ignored() {
    let limits = Limits::default();
    let (mut server, now) = server_after(limits.clone(), &Script::client().head(1, POST, false));
    server.session.shutdown(now, Shutdown::Graceful);
    server.flush(now);
    server.expire(now + limits.drain_time);
    server.feed(
        now,
        &Script::default()
            .head(3, POST, false)
            .data(3, b"xyz", true)
            .data(1, b"x", true)
            .0,
    );
    assert_eq!(server.failure(), None);
    assert_eq!(open_requests(&server).len(), 1);
    assert!(matches!(server.told.last(), Some(Told::End(id, None)) if id.number() == 1));
    let sent = frames(&server.flush(now));
    assert!(sent.iter().all(|sent| sent.header.stream != 3));
}

#[test]
fn a_shutdown_at_once_drops_the_streams_and_says_so() {
    let (mut server, now) = server_after(Limits::default(), &Script::client().head(1, POST, false));
    server
        .session
        .shutdown(now, Shutdown::Now(Code::EnhanceYourCalm));
    let sent = frames(&server.flush(now));
    assert_eq!(sent[0].header.kind, Kind::Settings);
    let Frame::GoAway {
        last: 1,
        code: Code::EnhanceYourCalm,
        ..
    } = sent[1].frame()
    else {
        panic!("{sent:?}");
    };
    assert_eq!(sent.len(), 2);
    assert_eq!(server.session.open_streams(), 0);
    let wants = server.session.wants();
    assert_eq!(
        (wants.read, wants.write, wants.end),
        (false, false, Finish::Linger)
    );
}

/// RFC 9113, section 9.1: "Endpoints SHOULD send GOAWAY before closing": so when nothing happens for too long.
#[test]
fn an_idle_connection_ends_with_goaway() {
    let limits = Limits::default();
    let (mut server, now) = server_after(limits.clone(), &Script::client());
    server.flush(now);
    server.feed(now, &Script::default().ack().0);
    assert_eq!(server.session.deadline(), Some(now + limits.idle_time));
    server.expire(now + limits.idle_time - Duration::from_millis(1));
    assert_eq!(server.failure(), None);
    server.expire(now + limits.idle_time);
    assert_eq!(server.failure().unwrap().why, Violation::IdleTimeout);
    let sent = frames(&server.flush(now));
    assert!(matches!(
        sent.last().unwrap().frame(),
        Frame::GoAway {
            last: 0,
            code: Code::NoError,
            ..
        }
    ));
}

#[test]
fn a_stream_keeps_its_connection_from_being_idle() {
    let limits = Limits::default();
    let (mut server, now) = server_after(limits.clone(), &Script::client().head(1, GET, true));
    server.flush(now);
    server.feed(now, &Script::default().ack().0);
    assert_eq!(server.session.deadline(), None);
    let id = open_requests(&server)[0];
    server
        .session
        .respond(id, Response::new(204), true)
        .unwrap();
    let later = now + Duration::from_secs(500);
    let sent = frames(&server.flush(later));
    assert!(sent[0].header.has(flags::END_STREAM));
    assert_eq!(server.session.deadline(), Some(later + limits.idle_time));
}
