//! Section 5.4: errors of streams and of connections.

use crate::wire::{
    GET, POST, Script, established, frames, octets, open_requests, request, serve, serve_between,
};
use thalweg_proto::error::{Code, Violation};
use thalweg_proto::h2::frame::{Frame, Kind};
use thalweg_proto::head::Response;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Finish, Session as _, Streams};
use thalweg_testkit::caller::Told;

/// "Implementations ... SHOULD report at most one stream and one connection error as a result", and "the first stream
/// error reported for a given stream prevents any other errors on that stream from being reported".
#[test]
fn one_error_is_reported_for_a_stream_and_one_for_the_connection() {
    let script = Script::client()
        .head(1, POST, false)
        .credit(1, 0)
        .credit(1, 0)
        .data(1, b"x", true)
        .head(1, &[(":bad", "1")], true)
        .raw(Kind::Priority, 0, 1, &[0; 4]);
    let outcome = serve(&script);
    outcome.assert_reset(1, Violation::WindowIncrement, Code::Protocol);
    let worse = script.raw(Kind::Ping, 0, 0, &[0; 7]).credit(0, 0);
    let outcome = serve(&worse);
    outcome.assert_failed(Violation::FrameSize, Code::FrameSize);
    assert_eq!(outcome.of_kind(Kind::GoAway).len(), 1);
}

/// A stream error where there is no stream to reset, since nothing may be sent on one that is idle or closed, is one of
/// the connection (section 5.4.1); unless this side has reset the stream before, which is all that there is to report.
#[test]
fn a_stream_error_on_a_stream_that_is_over_is_one_of_the_connection() {
    let open = Script::client().head(1, POST, false);
    let done = Script::client().head(1, GET, true);
    for (wrong, why) in [
        (Script::default().credit(1, 0), Violation::WindowIncrement),
        (
            Script::default().raw(Kind::Priority, 0, 1, &[0; 4]),
            Violation::FrameSize,
        ),
    ] {
        let outcome = crate::wire::serve_answering(&[&done, &wrong]);
        outcome.assert_failed(why, why.code());
        let outcome = serve_between(&[&open, &wrong], |caller, _| {
            for id in open_requests(caller) {
                caller.session.reset(id, Code::Cancel);
            }
        });
        assert_eq!(outcome.failure(), None);
        assert_eq!(outcome.resets(), [(1, Code::Cancel)]);
    }
    // RFC 7540 forbade a stream to depend on itself; RFC 9113 has nothing to say to that.
    let depends = Script::default().priority(1, 1);
    let outcome = crate::wire::serve_answering(&[&done, &depends]);
    assert_eq!(outcome.failure(), None);
}

/// "If a frame causes a connection error, that error MUST be reported", whatever else is wrong with it: here a head
/// that is malformed, in a block that cannot be decoded.
#[test]
fn an_error_of_the_connection_goes_before_one_of_the_stream() {
    let mut block = crate::wire::block(&[("Upper", "1")]);
    block.push(0xff);
    serve(&Script::client().block(1, &block, true))
        .assert_failed(Violation::Compression, Code::Compression);
    let again = Script::client().head(1, GET, true).block(1, &block, true);
    serve(&again).assert_failed(Violation::Compression, Code::Compression);
}

/// Section 5.4.1: "After sending the GOAWAY frame for an error condition, the endpoint MUST close the TCP connection":
/// for writing first, so that the peer can read the last words.
#[test]
fn a_connection_is_closed_behind_the_goaway_of_an_error() {
    let (mut server, now) = established(Limits::default(), &Script::default().credit(0, 0));
    assert!(server.session.wants().write);
    assert!(!server.session.wants().read);
    let sent = frames(&server.flush(now));
    assert_eq!(sent.len(), 1);
    let goaway = Frame::GoAway {
        last: 0,
        code: Code::Protocol,
        debug: Violation::WindowIncrement.text().as_bytes(),
    };
    assert_eq!(sent[0].frame(), goaway);
    let wants = server.session.wants();
    assert_eq!((wants.write, wants.end), (false, Finish::Linger));
}

/// A violation that is read together with a request is seen before the answer leaves: an answer that was given in
/// between, at once, is dropped.
#[test]
fn a_violation_behind_a_request_comes_before_its_answer() {
    use thalweg_proto::session::Event;
    for (wrong, code) in [
        (Script::default().credit(0, 0), Code::Protocol),
        (Script::default().continuation(1, b"", true), Code::Protocol),
        (Script::default().head(4, GET, true), Code::Protocol),
        (
            Script::default().raw(Kind::Ping, 0, 0, b"short"),
            Code::FrameSize,
        ),
        (
            Script::default().block(3, b"\xff\xff\xff\xff\xff\xff", true),
            Code::Compression,
        ),
        (Script::default().credit(0, 0x7fff_ffff), Code::FlowControl),
    ] {
        let (mut server, now) = established(Limits::default(), &Script::default());
        server.flush(now);
        let input = [Script::default().head(1, GET, true).0, wrong.0].concat();
        let received = server.session.recv(now, &input).unwrap();
        let Some(Event::Request { id, .. }) = received.event else {
            panic!("{:?}", received.event);
        };
        let answer = server.session.respond(id, Response::new(204), true);
        answer.unwrap();
        let error = server.session.recv(now, &input[received.consumed..]);
        assert_eq!(error.unwrap_err().code, code);
        let sent = frames(&server.flush(now));
        let kinds: Vec<_> = sent.iter().map(|sent| sent.header.kind).collect();
        assert_eq!(kinds, [Kind::GoAway], "{code:?}");
    }
    // The same where only the stream suffers: its answer is dropped, its reset leaves.
    for (wrong, code) in [
        (Script::default().data(1, b"x", true), Code::StreamClosed),
        (Script::default().head(1, GET, true), Code::StreamClosed),
        (Script::default().credit(1, 0), Code::Protocol),
        (Script::default().credit(1, 0x7fff_ffff), Code::FlowControl),
    ] {
        let (mut server, now) = established(Limits::default(), &Script::default());
        server.flush(now);
        let input = [Script::default().head(1, GET, true).0, wrong.0].concat();
        let received = server.session.recv(now, &input).unwrap();
        let Some(Event::Request { id, .. }) = received.event else {
            panic!("{:?}", received.event);
        };
        let answer = server.session.respond(id, Response::new(204), true);
        answer.unwrap();
        server.feed(now, &input[received.consumed..]);
        let sent = frames(&server.flush(now));
        let told: Vec<_> = sent.iter().map(crate::wire::Sent::frame).collect();
        assert_eq!(told, [Frame::RstStream(code)], "{code:?}");
    }
}

/// Section 5.4.2: "To avoid looping, an endpoint MUST NOT send a RST_STREAM in response to a RST_STREAM frame", in
/// whatever state the stream is.
#[test]
fn no_reset_is_answered_with_a_reset() {
    let open = Script::client().head(1, POST, false);
    let done = Script::client().head(1, GET, true);
    let reset = Script::default().reset(1, Code::Cancel);
    let twice = Script::default()
        .reset(1, Code::Cancel)
        .reset(1, Code::Cancel);
    let answer = |caller: &mut thalweg_testkit::caller::Caller<_>, _| {
        for id in open_requests(caller) {
            let session: &mut thalweg_proto::h2::Session = &mut caller.session;
            let _ = session.respond(id, Response::new(204), true);
        }
    };
    for scripts in [
        [&open, &reset],
        [&done, &reset],
        [&open, &twice],
        [&done, &twice],
    ] {
        let outcome = serve_between(&scripts, answer);
        assert_eq!((outcome.failure(), outcome.resets()), (None, vec![]));
    }
    // Nor where this side was first.
    let outcome = serve_between(&[&open, &reset], |caller, _| {
        for id in open_requests(caller) {
            caller.session.reset(id, Code::Internal);
        }
    });
    assert_eq!(outcome.resets(), [(1, Code::Internal)]);
}

/// Section 5.4.2: "A RST_STREAM is the last frame that an endpoint can send on a stream", and "an endpoint SHOULD NOT
/// send more than one RST_STREAM frame for any stream": whatever was queued is dropped, whatever comes is ignored.
#[test]
fn nothing_leaves_on_a_stream_behind_its_reset() {
    let script = Script::client().head(1, POST, false);
    let late = Script::default()
        .data(1, &[0; 10_000], false)
        .credit(1, 1000)
        .credit(1, 0)
        .data(1, &[0; 10_000], true);
    let outcome = serve_between(&[&script, &late, &late], |caller, now| {
        for id in open_requests(caller) {
            let head = Response::new(200);
            if caller.session.respond(id, head, false).is_ok() {
                caller.say(id, octets(100_000), true);
                caller.session.reset(id, Code::Internal);
                caller.session.resume(id);
                caller.session.taken(id, 1000);
            }
        }
        let _ = now;
    });
    let on_stream: Vec<_> = outcome
        .sent
        .iter()
        .filter(|sent| sent.header.stream == 1)
        .collect();
    assert_eq!(on_stream.len(), 1);
    assert_eq!(on_stream[0].frame(), Frame::RstStream(Code::Internal));
}

/// Section 6.4: "After receiving a RST_STREAM on a stream, the receiver MUST NOT send additional frames for that
/// stream": the rest of the answer, its trailers and credit are dropped.
#[test]
fn nothing_leaves_on_a_stream_that_the_peer_has_reset() {
    let script = Script::client()
        .head(1, POST, false)
        .data(1, &[0; 16_000], false);
    let reset = Script::default().credit(0, 1 << 20).reset(1, Code::Cancel);
    let outcome = serve_between(&[&script, &reset], |caller, _| {
        for id in open_requests(caller) {
            let head = Response::new(200);
            if caller.session.respond(id, head, false).is_ok() {
                caller.say(id, octets(100_000), true);
            }
            caller.session.taken(id, 16_000);
        }
    });
    let data = outcome.of_kind(Kind::Data);
    let sum: u32 = data.iter().map(|sent| sent.header.length).sum();
    assert_eq!(sum, 65_535, "what the windows allowed before");
    assert_eq!(outcome.sent.last().unwrap().header.kind, Kind::Data);
    assert!(outcome.resets().is_empty());
    assert!(matches!(outcome.told.last(), Some(Told::Reset(..))));
}

/// Section 7: "Unknown or unsupported error codes MUST NOT trigger any special behavior."
#[test]
fn unknown_error_codes_are_told_and_nothing_else() {
    let code = Code::Raw(0xdead_beef);
    let goaway = Frame::GoAway {
        last: 1,
        code,
        debug: b"",
    };
    let script = Script::server()
        .frame(0, goaway)
        .head(1, &[(":status", "200")], false)
        .reset(1, code);
    let outcome = request(&["GET"], &script);
    assert_eq!(outcome.failure(), None);
    assert_eq!(outcome.told[0], Told::GoAway(1, code));
    assert!(matches!(outcome.told.last(), Some(Told::Reset(_, with, None)) if *with == code));
    assert!(outcome.resets().is_empty());
}
