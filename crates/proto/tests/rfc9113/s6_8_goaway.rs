//! Section 6.8: GOAWAY.

use crate::wire::{
    GET, POST, Script, a_request, frames, open_requests, request, serve, server_after,
};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Frame, Kind, flags};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Eof, Finish, Session as _, Shutdown, Streams};
use thalweg_testkit::caller::{Caller, Told};
use thalweg_testkit::pair::Pair;

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
        Finish::Linger,
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
    // A moment later it gives back what streams need, and then nothing is due before it is idle.
    let rest = server.session.deadline().unwrap();
    assert_eq!(rest, later + Duration::from_millis(100));
    server.expire(rest);
    assert_eq!(server.session.deadline(), Some(later + limits.idle_time));
}

/// "A receiver of a GOAWAY that has no more use for the connection SHOULD still send a GOAWAY frame before terminating
/// the connection": a client, as soon as its last stream has ended.
#[test]
fn a_client_that_may_open_nothing_more_says_goaway_before_it_leaves() {
    let last_words = |sent: &[crate::wire::Sent]| {
        let of_kind = sent.iter().filter(|sent| sent.header.kind == Kind::GoAway);
        of_kind.map(|sent| sent.payload.clone()).collect::<Vec<_>>()
    };
    let goaway = |last| Frame::GoAway {
        last,
        code: Code::NoError,
        debug: b"",
    };
    for last in [0, 1] {
        let now = Instant::now();
        let mut client = Caller::new(Session::client(Limits::default(), now));
        client.session.open(a_request("GET"), true).unwrap();
        client.flush(now);
        client.feed(now, &Script::server().frame(0, goaway(last)).0);
        let mut sent = frames(&client.flush(now));
        if last == 1 {
            assert!(last_words(&sent).is_empty(), "its stream goes on");
            assert_eq!(client.session.wants().end, Finish::No);
            let end = Script::default().head(1, &[(":status", "204")], true);
            client.feed(now, &end.0);
            sent = frames(&client.flush(now));
        }
        assert_eq!(
            last_words(&sent),
            [[0; 8]],
            "nothing of the server's was taken"
        );
        assert_eq!(client.session.wants().end, Finish::Linger);
    }
}

/// "Endpoints MUST NOT increase the value they send in the last stream identifier": an error behind the last GOAWAY
/// of a graceful end repeats what that one said, whatever came since.
#[test]
fn the_last_stream_of_a_later_goaway_is_no_higher() {
    let limits = Limits::default();
    let (mut server, now) = server_after(limits.clone(), &Script::client().head(1, POST, false));
    server.session.shutdown(now, Shutdown::Graceful);
    server.flush(now);
    server.expire(now + limits.drain_time);
    let wrong = Script::default().head(9, GET, true).head(2, GET, true);
    server.feed(now, &wrong.0);
    let sent = frames(&server.flush(now));
    let goaways: Vec<_> = sent
        .iter()
        .filter_map(|sent| match sent.frame() {
            Frame::GoAway { last, code, .. } => Some((last, code)),
            _ => None,
        })
        .collect();
    // The error overtook the second GOAWAY, which had not left: one of them is enough.
    assert_eq!(goaways, [(1, Code::Protocol)]);
}

/// "HEADERS, PUSH_PROMISE, and CONTINUATION frames MUST be minimally processed ...; similarly, DATA frames MUST be
/// counted toward the connection flow-control window", on streams that are ignored as well.
#[test]
fn ignored_streams_change_the_state_of_the_connection() {
    let limits = Limits {
        stream_window: 65_535,
        connection_window: 65_535,
        ..Limits::default()
    };
    let start = Script::client().head(1, POST, false);
    let (mut server, now) = server_after(limits.clone(), &start);
    server.session.shutdown(now, Shutdown::Graceful);
    server.flush(now);
    server.expire(now + limits.drain_time);
    server.flush(now);
    // x: y enters the table with a block whose stream is ignored, and is used in trailers.
    let (one, two) = b"\x40\x01x\x01y".split_at(2);
    let mut ignored = Script::default()
        .begin_block(3, one, false)
        .continuation(3, two, true);
    for _ in 0..3 {
        ignored = ignored.data(3, &[0; 16_384], false);
    }
    server.feed(now, &ignored.block(1, b"\xbe", true).0);
    assert_eq!(server.failure(), None);
    let Some(Told::End(_, Some(trailers))) = server.told.last() else {
        panic!("{:?}", server.told);
    };
    assert_eq!(trailers.first(b"x"), Some(&b"y"[..]));
    // Their credit comes back: nobody consumes them.
    let credit = frames(&server.flush(now));
    let whole = Frame::WindowUpdate(3 * 16_384);
    assert!(
        credit
            .iter()
            .any(|sent| sent.header.stream == 0 && sent.frame() == whole)
    );
}

/// Every connection error is preceded by a GOAWAY with its code and the last stream that was taken in, and the
/// connection is closed behind it (section 5.4.1).
#[test]
fn a_goaway_names_the_last_stream_that_was_taken_in() {
    let script = Script::client()
        .head(1, GET, true)
        .head(7, GET, true)
        .ping();
    let outcome = serve(&script.settings(&[(4, u32::MAX)]));
    assert_eq!(outcome.requests(), [1, 7]);
    assert_eq!(outcome.goaway(), Some((7, Code::FlowControl)));
    // A request that cannot be decoded was not: nobody has seen it.
    let script = Script::client()
        .head(1, GET, true)
        .block(3, b"\xff\xff", true);
    assert_eq!(serve(&script).goaway(), Some((1, Code::Compression)));
}

/// "Endpoints SHOULD always send a GOAWAY frame before closing a connection so that the remote peer can know whether a
/// stream has been partially processed": a client that has closed its half reads what was taken in, and its answers.
#[test]
fn a_client_that_half_closes_gets_a_goaway_with_its_answers() {
    let script = Script::client().head(1, GET, true).head(3, POST, false);
    let (mut server, now) = server_after(Limits::default(), &script);
    server.flush(now);
    server.eof(now, Eof::Clean);
    let id = open_requests(&server)[0];
    let answer = server.session.respond(id, Response::new(204), true);
    answer.unwrap();
    let sent = frames(&server.flush(now));
    let goaway = Frame::GoAway {
        last: 3,
        code: Code::NoError,
        debug: b"",
    };
    assert_eq!(sent[0].frame(), goaway);
    assert!(sent[1].ends_stream() && sent.len() == 2);
    assert_eq!(server.session.wants().end, Finish::Now);
    // One with nothing under way has closed, and is told nothing.
    let (mut server, now) = server_after(Limits::default(), &Script::client());
    server.flush(now);
    server.eof(now, Eof::Clean);
    assert!(server.flush(now).is_empty());
    assert_eq!(server.session.wants().end, Finish::Now);
}
