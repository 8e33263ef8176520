//! Section 5.1: the states of streams, their numbers, and how many there may be.

use crate::wire::{
    GET, POST, Script, block, established, open_requests, request, serve, serve_answering,
    serve_between, serve_within,
};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::limits::{Limits, Rate};
use thalweg_proto::session::Streams;
use thalweg_testkit::caller::Told;

/// "idle: Receiving any frame other than HEADERS or PRIORITY on a stream in this state MUST be treated as a
/// connection error of type PROTOCOL_ERROR."
#[test]
fn idle_streams_take_headers_and_priority_only() {
    serve(&Script::client().data(1, b"x", false))
        .assert_failed(Violation::StreamState, Code::Protocol);
    serve(&Script::client().reset(1, Code::Cancel))
        .assert_failed(Violation::StreamState, Code::Protocol);
    serve(&Script::client().credit(1, 1)).assert_failed(Violation::StreamState, Code::Protocol);
    let outcome = serve(&Script::client().priority(1, 0).head(1, GET, true));
    assert_eq!(outcome.requests(), [1]);
}

/// The same from a server: the client has not used these numbers.
#[test]
fn a_client_refuses_frames_on_streams_that_it_has_not_opened() {
    let response = &[(":status", "200")];
    request(&["GET"], &Script::server().head(3, response, true))
        .assert_failed(Violation::StreamState, Code::Protocol);
    request(&["GET"], &Script::server().data(3, b"x", true))
        .assert_failed(Violation::StreamState, Code::Protocol);
    request(&["GET"], &Script::server().head(2, response, true))
        .assert_failed(Violation::StreamIdentifier, Code::Protocol);
}

/// "half-closed (remote): If an endpoint receives additional frames, other than WINDOW_UPDATE, PRIORITY, or
/// RST_STREAM, for a stream that is in this state, it MUST respond with a stream error of type STREAM_CLOSED."
#[test]
fn after_end_stream_data_and_headers_end_the_stream() {
    serve(&Script::client().head(1, GET, true).data(1, b"x", true)).assert_reset(
        1,
        Violation::StreamClosed,
        Code::StreamClosed,
    );
    serve(&Script::client().head(1, GET, true).head(1, GET, true)).assert_reset(
        1,
        Violation::StreamClosed,
        Code::StreamClosed,
    );
}

#[test]
fn after_end_stream_window_updates_priority_and_resets_are_allowed() {
    let script = Script::client()
        .head(1, GET, true)
        .credit(1, 10)
        .priority(1, 3)
        .reset(1, Code::Cancel);
    let outcome = serve(&script);
    assert_eq!((outcome.failure(), outcome.goaway()), (None, None));
    assert!(matches!(
        outcome.told.last(),
        Some(Told::Reset(_, Code::Cancel, None))
    ));
    assert!(outcome.resets().is_empty());
}

/// "closed: An endpoint that receives any frames other than PRIORITY after receiving an END_STREAM MUST treat that
/// as a connection error of type STREAM_CLOSED", unless it has sent RST_STREAM.
#[test]
fn data_and_headers_on_a_stream_that_ended_on_both_sides_end_the_connection() {
    let first = Script::client().head(1, GET, true);
    for late in [
        Script::default().data(1, b"x", true),
        Script::default().head(1, GET, true),
    ] {
        serve_answering(&[&first, &late])
            .assert_failed(Violation::StreamClosed, Code::StreamClosed);
    }
}

/// WINDOW_UPDATE, RST_STREAM and PRIORITY may still arrive a while after.
#[test]
fn late_window_updates_resets_and_priority_are_ignored() {
    let first = Script::client().head(1, GET, true);
    let late = Script::default()
        .credit(1, 1)
        .reset(1, Code::Cancel)
        .priority(1, 0);
    let outcome = serve_answering(&[&first, &late]);
    assert_eq!((outcome.failure(), outcome.goaway()), (None, None));
}

/// "closed: after receiving a RST_STREAM MUST treat that as a stream error of type STREAM_CLOSED."
#[test]
fn data_after_the_peers_own_reset_is_a_stream_error() {
    let script = Script::client()
        .head(1, POST, false)
        .reset(1, Code::Cancel)
        .data(1, b"x", false)
        .data(1, b"once is enough", true)
        .ping();
    let outcome = serve(&script);
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.resets(), [(1, Code::StreamClosed)]);
    assert_eq!(outcome.of_kind(Kind::Ping).len(), 1);
}

/// "An endpoint that sends a RST_STREAM frame MUST ignore frames that it receives on closed streams after it has
/// sent it": they were on their way. Their blocks are decoded, and their octets counted.
#[test]
fn frames_on_a_stream_that_we_have_reset_are_ignored() {
    let first = Script::client().head(1, POST, false);
    let late = Script::default()
        .data(1, &[0; 60_000][..16_384], false)
        .block(1, b"\x40\x01x\x01y", true)
        .block(3, &[block(GET), vec![0xbe]].concat(), true);
    let outcome = serve_between(&[&first, &late], |caller, _| {
        for id in open_requests(caller) {
            if id.number() == 1 {
                caller.session.reset(id, Code::Cancel);
            }
        }
    });
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.resets(), [(1, Code::Cancel)]);
    assert_eq!(outcome.requests(), [1, 3]);
    let Some(Told::Request(_, head, _)) = outcome.told.last() else {
        panic!("{outcome:?}");
    };
    assert_eq!(head.fields.first(b"x"), Some(&b"y"[..]));
}

/// What was on its way when we reset a stream, or refused it, is held against nobody: as much as its window allowed
/// and one end. What comes beyond that is.
#[test]
fn only_what_the_windows_allowed_is_expected_on_streams_that_we_have_reset() {
    let limits = Limits {
        streams: 1,
        stream_window: 65_535,
        glitches: Rate {
            burst: 0,
            per_second: 0,
        },
        ..Limits::default()
    };
    let rest = |script: Script, stream, mut left: usize| {
        let mut script = script;
        while left > 0 {
            let piece = left.min(1000);
            script = script.data(stream, &vec![0; piece], false);
            left -= piece;
        }
        script.data(stream, b"x", true)
    };
    for refused in [false, true] {
        let mut script = Script::default().head(1, POST, false);
        if refused {
            script = script.head(3, POST, false);
        }
        let (mut server, now) = established(limits.clone(), &script);
        let stream = if refused { 3 } else { 1 };
        let id = open_requests(&server)[0];
        if !refused {
            server.session.reset(id, Code::Cancel);
        }
        server.flush(now);
        server.feed(now, &rest(Script::default(), stream, 65_535).0);
        assert_eq!(server.failure(), None, "refused: {refused}");
        server.feed(now, &Script::default().data(stream, b"x", false).0);
        let failure = server.failure().map(|error| error.why);
        assert_eq!(failure, Some(Violation::TooManyGlitches));
    }
}

/// Section 5.1.1: "Streams initiated by a client MUST use odd-numbered stream identifiers."
#[test]
fn an_even_stream_from_a_client_ends_the_connection() {
    serve(&Script::client().head(2, GET, true))
        .assert_failed(Violation::StreamIdentifier, Code::Protocol);
}

/// Section 5.1.1: "The identifier of a newly established stream MUST be numerically greater than all streams that
/// the initiating endpoint has opened or reserved."
#[test]
fn a_stream_below_one_that_was_opened_ends_the_connection() {
    serve(&Script::client().head(5, GET, true).head(3, GET, true))
        .assert_failed(Violation::StreamIdentifier, Code::Protocol);
}

/// Section 5.1.2: "An endpoint that receives a HEADERS frame that causes its advertised concurrent stream limit to
/// be exceeded MUST treat this as a stream error of type PROTOCOL_ERROR or REFUSED_STREAM."
#[test]
fn more_streams_than_announced_are_refused_and_can_be_retried() {
    let limits = Limits {
        streams: 2,
        ..Limits::default()
    };
    let script = Script::client()
        .head(1, GET, true)
        .head(3, GET, true)
        .head(5, GET, true);
    let outcome = serve_within(limits, &script);
    outcome.assert_reset(5, Violation::TooManyStreams, Code::Refused);
    assert_eq!(outcome.requests(), [1, 3]);
}

/// Section 5.1.2, from the client: it opens no more than the server allows.
#[test]
fn a_client_has_no_capacity_beyond_the_servers_limit() {
    use thalweg_proto::error::UsageError;
    use thalweg_proto::h2::Session;
    use thalweg_testkit::caller::Caller;
    let now = std::time::Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    client.feed(now, &Script::default().settings(&[(3, 1)]).0);
    assert_eq!(client.session.capacity(), 1);
    client
        .session
        .open(crate::wire::a_request("GET"), true)
        .unwrap();
    assert_eq!(
        client.session.open(crate::wire::a_request("GET"), true),
        Err(UsageError::NoCapacity)
    );
}

/// Section 5.4.1: after a connection error nothing is dealt with, and the last words are SETTINGS and GOAWAY.
#[test]
fn nothing_is_served_after_a_connection_error() {
    let script = Script::client()
        .head(1, GET, true)
        .head(2, GET, true)
        .head(3, GET, true)
        .frame(0, Frame::Ping([0; 8]));
    let outcome = serve(&script);
    assert_eq!(outcome.requests(), [1]);
    assert_eq!(outcome.goaway(), Some((1, Code::Protocol)));
    assert!(outcome.of_kind(Kind::Ping).is_empty());
}

/// Section 6.4: "RST_STREAM frames MUST NOT be sent for a stream in the idle state": a request that is given up before its
/// head has left leaves no trace, and its number is used by none.
#[test]
fn a_request_that_is_given_up_before_it_left_leaves_no_reset() {
    use thalweg_proto::h2::Session;
    use thalweg_testkit::caller::Caller;
    let now = std::time::Instant::now();
    let mut client = Caller::new(Session::client(Limits::default(), now));
    let first = client
        .session
        .open(crate::wire::a_request("GET"), true)
        .unwrap();
    client.session.reset(first, Code::Cancel);
    let second = client
        .session
        .open(crate::wire::a_request("GET"), true)
        .unwrap();
    assert_eq!(second.number(), 3);
    let sent = crate::wire::frames(&client.flush(now));
    let on_streams: Vec<_> = sent
        .iter()
        .filter(|sent| sent.header.stream != 0)
        .map(|sent| (sent.header.kind, sent.header.stream))
        .collect();
    assert_eq!(on_streams, [(Kind::Headers, 3)]);
}

/// Section 8.7: "If frames that are on a stream are passed to the application layer for any stream, then REFUSED_STREAM
/// MUST NOT be used for that stream": only what is refused unseen gets it.
#[test]
fn no_stream_that_was_told_is_refused() {
    for why in Violation::ALL {
        let refuses = why.code() == Code::Refused;
        let unseen = matches!(why, Violation::TooManyStreams | Violation::TooManyPromises);
        assert_eq!(refuses, unseen, "{why:?}");
    }
    let limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    let script = Script::client().head(1, POST, false).head(3, POST, true);
    let outcome = serve_within(limits, &script.data(1, b"x", true));
    assert_eq!(outcome.requests(), [1]);
    assert_eq!(outcome.resets(), [(3, Code::Refused)]);
    assert!(
        outcome.of_kind(Kind::Headers).is_empty(),
        "nor is it answered"
    );
}

/// Section 5.1: frames that a state does not allow are connection errors of type PROTOCOL_ERROR, at a client too: each on
/// a stream that nobody has opened.
#[test]
fn no_frame_but_headers_and_priority_may_come_on_an_idle_stream_of_the_server() {
    for (script, why) in [
        (
            Script::client().data(2, b"x", false),
            Violation::StreamState,
        ),
        (
            Script::client().reset(2, Code::Cancel),
            Violation::StreamState,
        ),
        (Script::client().credit(2, 1), Violation::StreamState),
        (
            Script::client().head(2, GET, true),
            Violation::StreamIdentifier,
        ),
        (
            Script::client().raw(Kind::WindowUpdate, 0, 2, &[0; 4]),
            Violation::WindowIncrement,
        ),
        (
            Script::client().raw(Kind::Priority, 0, 2, &[0; 4]),
            Violation::FrameSize,
        ),
    ] {
        serve(&script).assert_failed(why, why.code());
    }
    let outcome = serve(&Script::client().priority(2, 0).head(1, GET, true));
    assert_eq!(outcome.requests(), [1]);
    let server = || Script::server();
    for script in [
        server().reset(1, Code::Cancel),
        server().credit(1, 1),
        server().data(5, b"", true),
    ] {
        request(&[], &script).assert_failed(Violation::StreamState, Code::Protocol);
    }
}
