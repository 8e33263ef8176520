//! Sections 6.7 and 6.8: PING and GOAWAY that the caller sends, and what GOAWAY says beside its numbers.

use crate::wire::{GET, POST, Script, a_request, established, frames, open_requests};
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, UsageError, Violation};
use thalweg_proto::h2::Session;
use thalweg_proto::h2::frame::{Dependency, Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Event, Finish, Session as _, Shutdown, StreamId, Streams};
use thalweg_testkit::caller::{Caller, Told};

/// The time that a PING was under way is told with its octets; others are counted, and nothing is told.
#[test]
fn a_ping_of_the_callers_comes_back_with_its_time() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.session.ping(*b"question").unwrap();
    let left = now + Duration::from_millis(5);
    let sent = frames(&server.flush(left));
    assert_eq!(sent[0].frame(), Frame::Ping(*b"question"));
    let back = Script::default()
        .frame(0, Frame::PingAck(*b"anything"))
        .frame(0, Frame::PingAck(*b"question"))
        .frame(0, Frame::PingAck(*b"question"));
    let received = server
        .session
        .recv(left + Duration::from_millis(30), &back.0)
        .unwrap();
    let Some(Event::Pong { octets, after }) = received.event else {
        panic!("{received:?}");
    };
    assert_eq!((octets, after), (*b"question", Duration::from_millis(30)));
    let rest = &back.0[received.consumed..];
    assert!(server.session.recv(left, rest).unwrap().event.is_none());
}

/// Several may be under way, the same octets among them; and the session's own are not the caller's.
#[test]
fn pings_of_the_callers_are_told_apart() {
    let (mut server, now) = established(Limits::default(), &Script::default().head(1, GET, true));
    for octets in [*b"one-ping", *b"two-ping", *b"one-ping"] {
        server.session.ping(octets).unwrap();
    }
    server.session.shutdown(now, Shutdown::Graceful);
    let sent = frames(&server.flush(now));
    let mut back = Script::default();
    for sent in &sent {
        if let Frame::Ping(octets) = sent.frame() {
            back = back.frame(0, Frame::PingAck(octets));
        }
    }
    server.feed(now, &back.0);
    let pongs = [*b"one-ping", *b"two-ping", *b"one-ping"].map(Told::Pong);
    assert_eq!(server.told[1..], pongs);
    let last = frames(&server.flush(now));
    assert_eq!(last[0].header.kind, Kind::GoAway, "the drain goes on");
}

#[test]
fn only_so_many_pings_are_under_way() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    for _ in 0..64 {
        server.session.ping([0; 8]).unwrap();
    }
    assert_eq!(server.session.ping([0; 8]), Err(UsageError::NoCapacity));
    server.flush(now);
    server.feed(now, &Script::default().frame(0, Frame::PingAck([0; 8])).0);
    server.session.ping([0; 8]).unwrap();
    server.session.shutdown(now, Shutdown::Now(Code::NoError));
    assert_eq!(server.session.ping([0; 8]), Err(UsageError::ShuttingDown));
}

/// Section 6.8: "Endpoints MAY append opaque data to the payload of any GOAWAY frame": it is told, within a bound.
#[test]
fn the_words_of_a_goaway_are_told() {
    for (debug, kept) in [
        (&b""[..], 0),
        (b"too many cats", 13),
        (&[b'x'; 30_000], 16_384),
    ] {
        let limits = Limits {
            frame: 65_536,
            ..Limits::default()
        };
        let now = Instant::now();
        let mut client = Session::client(limits, now);
        let goaway = Frame::GoAway {
            last: 0,
            code: Code::EnhanceYourCalm,
            debug,
        };
        let script = Script::server().frame(0, goaway).ping();
        let received = client.recv(now, &script.0).unwrap();
        let Some(Event::GoAway { last, code, debug }) = received.event else {
            panic!("{received:?}");
        };
        assert_eq!((last, code), (0, Code::EnhanceYourCalm));
        assert_eq!(debug.len(), kept);
        let rest = &script.0[received.consumed..];
        assert!(client.recv(now, rest).unwrap().event.is_none());
    }
}

/// Section 6.8: what a peer broke is said in words, too.
#[test]
fn a_connection_error_says_what_was_wrong() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    server.feed(now, &Script::default().data(1, b"x", true).0);
    let sent = frames(&server.flush(now));
    let Frame::GoAway { debug, .. } = sent[0].frame() else {
        panic!("{sent:?}");
    };
    assert_eq!(debug, Violation::StreamState.text().as_bytes());
}

/// Section 6.8: the caller names the last stream that it processes: those above it are refused, and ignored from then on.
#[test]
fn a_goaway_of_the_callers_refuses_what_is_above_it() {
    let script = Script::default()
        .head(1, GET, true)
        .head(3, POST, false)
        .head(5, GET, true);
    let (mut server, now) = established(Limits::default(), &script);
    let ids = open_requests(&server);
    let words = &b"enough"[..];
    server
        .session
        .go_away(Some(3), Code::NoError, words)
        .unwrap();
    let sent = frames(&server.flush(now));
    let goaway = Frame::GoAway {
        last: 3,
        code: Code::NoError,
        debug: b"enough",
    };
    assert_eq!(sent[0].frame(), goaway);
    assert_eq!(sent[1].frame(), Frame::RstStream(Code::Refused));
    assert_eq!((sent[1].header.stream, sent.len()), (5, 2));
    assert_eq!(
        server.told.last(),
        Some(&Told::Reset(ids[2], Code::Refused, None))
    );
    // Below it all goes on, above it nothing does.
    let more = Script::default().data(3, b"body", true).head(7, GET, true);
    server.feed(now, &more.0);
    assert_eq!(open_requests(&server).len(), 3);
    assert_eq!(server.data_of(ids[1]), b"body");
    for id in &ids[..2] {
        server
            .session
            .respond(*id, Response::new(204), true)
            .unwrap();
    }
    assert_eq!(server.session.wants().end, Finish::No);
    server.flush(now);
    assert_eq!(server.session.wants().end, Finish::Linger);
}

/// Section 6.8: "Endpoints MUST NOT increase the value they send in the last stream identifier".
#[test]
fn the_last_stream_of_a_goaway_never_rises() {
    let script = Script::default().head(1, GET, true).head(3, GET, true);
    let (mut server, now) = established(Limits::default(), &script);
    let warning = Some(0x7fff_ffff);
    let session = &mut server.session;
    session.go_away(warning, Code::NoError, &b""[..]).unwrap();
    session.go_away(None, Code::NoError, &b""[..]).unwrap();
    let rises = session.go_away(Some(5), Code::NoError, &b""[..]);
    assert_eq!(rises, Err(UsageError::NoSuchStream));
    session.go_away(Some(1), Code::NoError, &b""[..]).unwrap();
    session.go_away(None, Code::Internal, &b""[..]).unwrap();
    let lasts: Vec<_> = frames(&server.flush(now))
        .iter()
        .filter_map(|sent| match sent.frame() {
            Frame::GoAway { last, .. } => Some(last),
            _ => None,
        })
        .collect();
    assert_eq!(lasts, [0x7fff_ffff, 3, 1, 1]);
    let session = &mut server.session;
    let none = session.go_away(Some(1 << 32), Code::NoError, &b""[..]);
    assert_eq!(none, Err(UsageError::NoSuchStream));
    let long = session.go_away(None, Code::NoError, vec![b'x'; 16_377]);
    assert_eq!(long, Err(UsageError::TooLarge));
}

/// Section 6.8: streams up to the one that is named "might have been processed" or "might yet be processed": those that
/// have not come yet are served when they come.
#[test]
fn a_goaway_that_names_a_later_stream_refuses_only_what_is_above_it() {
    let (mut server, now) = established(Limits::default(), &Script::default().head(1, GET, true));
    let session = &mut server.session;
    session.go_away(Some(5), Code::NoError, &b""[..]).unwrap();
    let more = (3..9)
        .step_by(2)
        .fold(Script::default(), |script, id| script.head(id, GET, true));
    server.feed(now, &more.0);
    let numbers = open_requests(&server).into_iter().map(StreamId::number);
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 3, 5]);
}

/// A warning alone refuses nothing.
#[test]
fn a_warning_of_the_callers_refuses_nothing() {
    let (mut server, now) = established(Limits::default(), &Script::default());
    let warning = Some(0x7fff_ffff);
    server
        .session
        .go_away(warning, Code::NoError, &b""[..])
        .unwrap();
    server.feed(now, &Script::default().head(1, GET, true).0);
    assert_eq!(open_requests(&server).len(), 1);
}

/// A client's GOAWAY is about pushes: its own streams go on, and it opens no more.
#[test]
fn a_clients_goaway_leaves_its_own_streams_alone() {
    let now = Instant::now();
    let mut client = Session::client(Limits::default(), now);
    client.open(a_request("GET"), true).unwrap();
    client.go_away(None, Code::NoError, &b""[..]).unwrap();
    assert_eq!(client.open_streams(), 1);
    assert_eq!(
        client.open(a_request("GET"), true),
        Err(UsageError::ShuttingDown)
    );
}

/// Nothing follows the last words of a connection, whatever the caller asks for.
#[test]
fn what_is_asked_for_after_the_last_words_is_not_said() {
    let now = Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.flush(now);
    client.session.shutdown(now, Shutdown::Now(Code::NoError));
    let place = Dependency {
        on: 0,
        exclusive: false,
        weight: 16,
    };
    let session = &mut client.session;
    session.credit(None, 1 << 20).unwrap();
    session.set_window(None, 12 << 20).unwrap();
    let advice = session.advise(1, place);
    assert_eq!(advice, Err(UsageError::ShuttingDown));
    let sent = frames(&client.flush(now));
    assert_eq!(sent.last().map(|sent| sent.header.kind), Some(Kind::GoAway));
}

/// The connection ends at once, with the caller's last words.
#[test]
fn a_connection_is_ended_with_words() {
    let (mut server, now) = established(Limits::default(), &Script::default().head(1, GET, true));
    server
        .session
        .abort(now, Some(0), Code::Internal, &b"lights out"[..])
        .unwrap();
    let sent = frames(&server.flush(now));
    let goaway = Frame::GoAway {
        last: 0,
        code: Code::Internal,
        debug: b"lights out",
    };
    assert_eq!((sent[0].frame(), sent.len()), (goaway, 1));
    assert_eq!(server.session.open_streams(), 0);
    assert_eq!(server.session.wants().end, Finish::Linger);
    let again = server.session.abort(now, None, Code::NoError, &b""[..]);
    assert_eq!(again, Err(UsageError::ShuttingDown));
    let again = server.session.go_away(None, Code::NoError, &b""[..]);
    assert_eq!(again, Err(UsageError::ShuttingDown));
}
